#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Stored provider accounts as their admins see them: tried out, listed, removed; and the monthly limits that OpenAI itself
enforces, set and read through an admin key (row 79 of the cost side), against the simulator.
"""

import json
import os
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ADMIN_KEY, Gateway, Upstream, check, equal, free_port, run
from sdk.simrun import ADMIN_KEY as SIM_ADMIN, API_KEY as SIM_KEY, Sim

T = "/tollgate/v1"
PROJECT = "proj_sim"


def ask(gw, method, path, body=None, expect=200, key=ADMIN_KEY):
    status, _, text = gw.request(method, T + path, body, key=key)
    check(status == expect, f"{method} {path}: {status} instead of {expect}: {text[:300]}")
    return json.loads(text) if text else None


def connect(gw, slug, kind, url, secret):
    return ask(gw, "POST", "/integrations", {"slug": slug, "kind": kind, "base_url": url, "api_key": secret}, 201)


def tests_of_accounts():
    answers = {"status": "200 OK"}
    seen = []

    def provider(request):
        seen.append(request)
        request.answer({"object": "list", "data": [{"id": "m1"}, {"id": "m2"}]} if answers["status"].startswith("200") else
                       {"error": {"message": "no"}}, answers["status"])

    up = Upstream(provider)
    with Gateway() as gw:
        connect(gw, "main", "openai", up.url, SIM_KEY)
        found = ask(gw, "POST", "/integrations/main/test", {})
        equal((found["ok"], found["status"], found["models"], found["message"]), (True, 200, 2, None), "a good account")
        equal(seen[-1].headers["authorization"], "Bearer " + SIM_KEY, "the stored key is tried")
        check("main works: 2 models" in gw.cli("integration", "test", "main").stdout, "cli: test")
        for status, ok, words in (("401 Unauthorized", False, "refuses the key (401)"), ("403 Forbidden", False, "(403)"), ("404 Not Found", False, "base URL"),
                                  ("429 Too Many Requests", True, "The key is good"), ("503 Unavailable", False, "try again later")):
            answers["status"] = status
            found = ask(gw, "POST", "/integrations/main/test", {})
            check(found["ok"] is ok and words in found["message"] and found["status"] == int(status[:3]), f"{status}: {found}")
        answers["status"] = "401 Unauthorized"
        done = gw.cli("integration", "test", "main", check=False)
        check(done.returncode == 1 and "does not work" in done.stdout and "refuses the key" in done.stdout, f"cli: {done}")
        connect(gw, "nobody", "openai", f"http://127.0.0.1:{free_port()}", SIM_KEY)
        found = ask(gw, "POST", "/integrations/nobody/test", {})
        check(not found["ok"] and found["status"] is None and found["message"], f"nobody there: {found}")
        ask(gw, "POST", "/integrations/none/test", {}, 404)
        listed = gw.cli("integration", "list").stdout
        check("main" in listed and "openai" in listed and SIM_KEY not in listed, f"cli: list {listed}")
        gw.cli("integration", "remove", "nobody")
        ask(gw, "POST", "/integrations/nobody/test", {}, 404)
        member = gw.key("member")
        equal(gw.request("POST", T + "/integrations/main/test", {}, key=member)[0], 403, "members try nothing out")
        check(SIM_KEY not in gw.log_text(), "the key is in the log")
    up.close()


def limits_at_openai():
    with Sim() as sim, Gateway() as gw:
        connect(gw, "bill", "openai-admin", sim.base, SIM_ADMIN)
        connect(gw, "main", "openai", sim.base, SIM_KEY)
        check(ask(gw, "POST", "/integrations/bill/test", {})["ok"], "an admin key is tried by its costs")
        place = "/integrations/bill/spend-limit"
        ask(gw, "DELETE", place, None, 204)
        found = ask(gw, "GET", place)
        equal((found["amount"], found["status"]), (None, "inactive"), "none yet")
        found = ask(gw, "PUT", place, {"amount": "1234.56"})
        equal((found["amount"], found["currency"], found["interval"], found["project"]), ("1234.56", "USD", "month", None), "set")
        at_openai = sim_limit(sim)
        equal((at_openai["threshold_amount"], at_openai["currency"]), (123456, "USD"), "whole cents there")
        equal(found["status"], at_openai["enforcement"]["status"], "OpenAI's own word for whether it holds")
        equal(ask(gw, "GET", place), found, "read again")
        for wrong in ("0", "0.001", "-5", "x", "", "12.345"):
            ask(gw, "PUT", place, {"amount": wrong}, 400)
        ask(gw, "PUT", place, {"amount": 5}, 400)
        ask(gw, "PUT", place, {"amount": "5", "extra": 1}, 400)
        equal(sim_limit(sim)["threshold_amount"], 123456, "what was refused changed nothing")
        ask(gw, "PUT", "/integrations/main/spend-limit", {"amount": "5"}, 400)
        ask(gw, "GET", "/integrations/none/spend-limit", None, 404)
        ask(gw, "GET", "/integrations/bill/projects/a%2Fb/spend-limit", None, 404)
        equal(gw.request("PUT", T + place, {"amount": "5"}, key=gw.key("member"))[0], 403, "for admins")
        rows = [r for r in ask(gw, "GET", "/audit")["data"] if r["object_type"] == "spend_limit"]
        equal([(r["action"], r["after"]) for r in rows], [("spend_limit.set", {"threshold_cents": 123456}), ("spend_limit.delete", None)], "audit")
        ask(gw, "DELETE", place, None, 204)
        equal(ask(gw, "GET", place)["amount"], None, "taken away")


def limits_of_projects():
    """What OpenAI enforces for a project, and a key that may only read."""
    limits, seen = {}, []

    def openai(request):
        seen.append((request.method, request.target))
        if request.headers.get("authorization") != "Bearer " + SIM_ADMIN:
            return request.answer({"error": {"message": "Incorrect API key provided"}}, "401 Unauthorized")
        if request.method == "POST" and "read_only" in limits:
            return request.answer({"error": {"message": "Missing scopes: api.management.write"}}, "403 Forbidden")
        if request.target.startswith("/v1/organization/costs"):
            return request.answer({"object": "page", "data": [], "has_more": False, "next_page": None})
        if request.method == "POST":
            limits[request.target] = json.loads(request.body)["threshold_amount"]
        if request.method == "DELETE":
            limits.pop(request.target, None)
            return request.answer({"object": "project.spend_limit.deleted", "deleted": True})
        return request.answer({"object": "project.spend_limit", "currency": "USD", "interval": "month", "threshold_amount": limits.get(request.target, 0),
                               "enforcement": {"status": "enforcing" if request.target in limits else "inactive"}})

    up = Upstream(openai)
    with Gateway() as gw:
        connect(gw, "bill", "openai-admin", up.url, SIM_ADMIN)
        place = f"/integrations/bill/projects/{PROJECT}/spend-limit"
        equal(ask(gw, "GET", place)["status"], "inactive", "none yet")
        found = ask(gw, "PUT", place, {"amount": "0.01"})
        equal((found["amount"], found["project"], found["status"]), ("0.01", PROJECT, "enforcing"), "one cent")
        equal(limits, {f"/v1/organization/projects/{PROJECT}/spend_limit": 1}, "a cent there")
        ask(gw, "DELETE", place, None, 204)
        limits["read_only"] = True
        status, _, text = gw.request("PUT", T + place, {"amount": "5"})
        check(status == 502 and b"an owner of the organization makes one that may" in text, f"a key that only reads: {status} {text}")
    up.close()


def sim_limit(sim):
    asked = urllib.request.Request(sim.base + "/organization/spend_limit", headers={"Authorization": "Bearer " + SIM_ADMIN})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


if __name__ == "__main__":
    run(tests_of_accounts, limits_at_openai, limits_of_projects)
