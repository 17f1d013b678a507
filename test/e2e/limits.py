#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""
Limits of a running gateway: a hard budget under hundreds of simultaneous requests, what a kill in the middle leaves, rates and
what the refused are told. DESIGN D6, R18, R19.
"""

import json
import os
import signal
import socket
import sys
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, completion, equal, receive, request_bytes, run, wait_until

BUDGET = Decimal("0.001")
AT_ONCE = 200


def slow(request):
    time.sleep(0.3)
    request.answer(completion())


def silent(request):
    time.sleep(60)


def set_limits(gw, **limits):
    status, _, body = gw.request("PUT", "/v1/virtual-keys/openai", limits, {"x-portkey-api-key": ADMIN_KEY}, key=None)
    equal(status, 200, f"limits are set: {body}")


def used(gw):
    status, _, body = gw.request("GET", "/v1/virtual-keys/openai", None, {"x-portkey-api-key": ADMIN_KEY}, key=None)
    equal(status, 200, "the virtual key")
    return json.loads(body, parse_float=Decimal)["usage_limits"]


def spent(gw):
    """What the ledger says, estimates included."""
    return json.loads(gw.get("/tollgate/v1/cost")[2], parse_float=Decimal)["total"]["cost_usd"]


def send_all(gw, count, key=ADMIN_KEY, fields=""):
    sockets = [gw.socket(60) for _ in range(count)]
    wire = request_bytes(json.dumps(chat(max_tokens=7)).encode(), key=key, fields=fields)
    for s in sockets:
        s.sendall(wire)
    return sockets


def statuses(sockets):
    found = {}
    for s in sockets:
        answer = receive(s)
        status = int(answer.split(b" ", 2)[1])
        found.setdefault(status, []).append(answer)
        s.close()
    return found


def a_hard_budget_holds_under_simultaneous_requests():
    up = Upstream(slow)
    with Gateway(up.url) as gw:
        set_limits(gw, usage_limits={"credit_limit": float(BUDGET), "periodic_reset": "monthly"})
        admitted, sent, turn, last = 0, 0, 0, 1
        while last and turn < 20:
            found = statuses(send_all(gw, AT_ONCE if turn < 2 else 40))
            last = len(found.get(200, []))
            admitted, sent = admitted + last, sent + sum(map(len, found.values()))
            equal(set(found) - {200, 429}, set(), "statuses")
            if turn == 0:
                check(0 < len(found[200]) < AT_ONCE, f"some of them: {len(found[200])}")
                refused = json.loads(found[429][0].split(b"\r\n\r\n", 1)[1])
                equal(refused["error"]["code"], "budget_exceeded", "the refusal")
                check(b"retry-after: " in found[429][0].lower(), "when to come back")
            limit = used(gw)
            check(limit["used"] <= BUDGET, f"used {limit['used']} of {BUDGET}")
            turn += 1
        wait_until("the rows are there", 20, lambda: spent(gw) == used(gw)["used"])
        check(used(gw)["used"] > BUDGET * Decimal("0.9"), f"nearly all of it: {used(gw)['used']}")
        print(f"     {admitted} of {sent} admitted, {used(gw)['used']} of {BUDGET} dollars")
        status, _, body = gw.request("POST", "/v1/chat/completions", chat(max_tokens=200), {"x-portkey-api-key": ADMIN_KEY}, key=None)
        equal((status, json.loads(body)["error"]["type"]), (412, "virtual_key_exhaust_error"), "in Portkey's words")
    up.close()


def a_kill_leaves_no_reservation_and_no_gap():
    """As often as TOLLGATE_TEST_SCALE says, three times otherwise. R19: 200 times with 500 under way."""
    kills = 3 * int(os.environ.get("TOLLGATE_TEST_SCALE", "1"))
    up = Upstream(silent)
    gw = Gateway(up.url)
    with gw:
        set_limits(gw, usage_limits={"credit_limit": float(10 * BUDGET * kills), "periodic_reset": "monthly"})
        before = Decimal(0)
        for _ in range(kills):
            sockets = send_all(gw, 500 if kills > 100 else 150)
            wait_until("some wait for upstream", 20, lambda: gw.metrics()["tollgate_limits_holds"] >= len(sockets))
            gw.stop(signal.SIGKILL)
            for s in sockets:
                s.close()
            gw.start()
            now = used(gw)["used"]
            check(before < now <= 10 * BUDGET * kills, f"what was under way counts: {before}, then {now}")
            equal(now, spent(gw), "used, by the rows")
            equal(gw.metrics()["tollgate_limits_holds"], 0, "reservations that are left")
            before = now
        check("limits_rebuilt" in gw.log_text(), "the log says so")
        set_limits(gw, usage_limits={"credit_limit": 10, "periodic_reset": "monthly"})
        equal(used(gw)["used"], before, "a new amount goes on counting")
    up.close()


def rates_refuse_with_the_time_to_wait():
    up = Upstream(lambda request: request.answer(completion()))
    with Gateway(up.url) as gw:
        set_limits(gw, rate_limits=[{"type": "requests", "unit": "rph", "value": 3}])
        found = [gw.post("/v1/chat/completions", chat()) for _ in range(5)]
        equal([status for status, _, _ in found], [200, 200, 200, 429, 429], "statuses")
        left = 3600 - int(time.time()) % 3600
        check(abs(int(found[4][1]["retry-after"]) - left) <= 2, f"retry-after {found[4][1]['retry-after']}, {left} s are left")
        equal(json.loads(found[4][2])["error"]["code"], "rate_limit_exceeded", "the refusal")
        set_limits(gw, rate_limits=[{"type": "requests", "unit": "rph", "value": 100}])
        equal(gw.post("/v1/chat/completions", chat())[0], 200, "a new amount is in force at once")
        set_limits(gw, rate_limits=[])
        equal(gw.post("/v1/chat/completions", chat())[0], 200, "without")
    up.close()


def admin(gw, method, path, body=None):
    status, _, answer = gw.request(method, path, body, {"x-portkey-api-key": ADMIN_KEY}, key=None)
    equal(status, 200, f"{method} {path}: {answer}")
    return json.loads(answer, parse_float=Decimal)


def a_budget_of_a_key_ends_alerts_and_is_reset():
    """portkey.md row 112: 412 after 100 cents, family A; the alert comes once."""
    up = Upstream(lambda request: request.answer(completion(model="gpt-4o", prompt=20000, output=20000)))
    with Gateway(up.url) as gw:  # each costs 25 cents
        made = admin(gw, "POST", "/v1/api-keys/workspace/service", {
            "name": "limited", "workspace_id": "default", "scopes": ["completions.write"],
            "usage_limits": {"credit_limit": 1, "alert_threshold": 0.5, "periodic_reset": "monthly"}})
        headers = {"x-portkey-api-key": made["key"], "x-portkey-provider": "@openai"}

        def ask(output=20000):
            return gw.request("POST", "/v1/chat/completions", chat("gpt-4o", max_tokens=output), headers, key=None)

        found = [ask()[0] for _ in range(4)]
        equal(found, [200, 200, 200, 200], "100 cents")
        status, fields, body = ask(1)
        answer = json.loads(body)
        equal((status, answer["error"]["code"], answer["status"]), (412, "04", "failure"), "then no more")
        equal(answer["message"], "Portkey Error: Portkey API Key Usage Limit Exceeded. Error Code: 04", "the message")
        check(int(fields["retry-after"]) > 0, "when to come back")
        equal(gw.log_text().count("limit_alert"), 1, "alerts")
        key = admin(gw, "GET", f"/v1/api-keys/{made['id']}")
        equal((key["status"], key["usage_limits"]["used"]), ("exhausted", 1), "the key's state")
        equal(gw.post("/v1/chat/completions", chat())[0], 200, "another key has no budget")
        admin(gw, "PUT", f"/v1/api-keys/{made['id']}", {"reset_usage": True})
        equal(ask()[0], 200, "after a reset")
        equal(admin(gw, "GET", f"/v1/api-keys/{made['id']}")["status"], "active", "the key's state")
        gw.stop(signal.SIGTERM)
        gw.start()
        equal(admin(gw, "GET", f"/v1/api-keys/{made['id']}")["usage_limits"]["used"], Decimal("0.25"), "after a restart, since the reset")
    up.close()


if __name__ == "__main__":
    run(a_budget_of_a_key_ends_alerts_and_is_reset,
        a_hard_budget_holds_under_simultaneous_requests,
        a_kill_leaves_no_reservation_and_no_gap,
        rates_refuse_with_the_time_to_wait)
