#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators look at: health, metrics that agree with what was sent, the API's description, the console's pages."""

import json
import os
import re
import socket
import sqlite3
import sys
import threading
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, chunk_events, completion, equal, request_bytes, run, wait_until

EVENTS = chunk_events(usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, nulls=True)


def serve(request):
    how = request.headers.get("x-how")
    if how == "error":
        request.answer(b'{"error":{"message":"no","type":"server_error","param":null,"code":null}}', status="500 Internal Server Error")
    elif how == "hang":
        time.sleep(5)
        return "close"
    elif how == "drop":
        return "close"
    elif b'"stream": true' in request.body:
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
        request.end()
    else:
        request.answer(completion(model=request.json()["model"]))


LABELLED = {"tollgate_attempts_total", "tollgate_attempts_unpriced_total", "llm_cost_sum", "llm_token_sum",
            "tollgate_first_byte_seconds", "tollgate_duration_seconds", "tollgate_overhead_seconds"}


def parse(text):
    """Prometheus' text format, read strictly: {name: value}, for samples without labels. Others: metrics_labels.py."""
    found, help_of, kind_of, labelled = {}, {}, {}, set()
    check(text.endswith("\n"), "the last line ends")
    for line in text.splitlines():
        if match := re.fullmatch(r"# HELP ([a-z_]+) (.+)", line):
            check(match[1] not in help_of, f"{match[1]} has one HELP")
            help_of[match[1]] = match[2]
        elif match := re.fullmatch(r"# TYPE ([a-z_]+) (counter|gauge|histogram)", line):
            check(match[1] in help_of and match[1] not in kind_of and match[1] not in found, f"{match[1]}: HELP, TYPE, sample")
            kind_of[match[1]] = match[2]
        elif match := re.fullmatch(r"([a-z_]+?)(_bucket|_sum|_count)?\{.+\} ([0-9.]+)", line):
            name = match[1] if kind_of.get(match[1]) == "histogram" else match[1] + (match[2] or "")
            check(name in kind_of, f"a sample: {line!r}")
            labelled.add(name)
        else:
            match = re.fullmatch(r"([a-z_]+) (\d+)", line)
            check(match and match[1] in kind_of and match[1] not in found, f"a sample: {line!r}")
            found[match[1]] = (kind_of[match[1]], int(match[2]))
    equal(set(found) | labelled, set(kind_of) - (LABELLED - labelled), "samples")
    for name, (kind, _) in found.items():
        check(name.startswith("tollgate_") and (kind == "gauge") == (not name.endswith("_total")), f"{name} is a {kind}")
    return {name: value for name, (_, value) in found.items()}


def metrics_of(g):
    status, headers, body = g.get("/metrics", key=None)
    equal((status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"), "metrics")
    return parse(body.decode())


def counters_agree_with_what_was_sent():
    up = Upstream(serve)
    with Gateway(up.url, args=["--workers", "2"]) as g:
        before = metrics_of(g)
        equal({n: v for n, v in before.items() if n.startswith("tollgate_request") and v}, {}, "nothing happened yet")
        bodies = [chat(), chat(stream=True), chat(model="nobody-knows-me")]
        sent = 0
        for _ in range(5):
            for body in bodies:
                text = json.dumps(body).encode()
                sent += len(text)
                equal(g.post("/v1/chat/completions", text)[0], 200, "an answer")
        equal(g.post("/v1/chat/completions", chat(), headers={"x-how": "error"})[0], 500, "upstream's error")
        equal(g.post("/v1/chat/completions", chat(), headers={"x-how": "drop"})[0], 502, "upstream's end")
        sent += 2 * len(json.dumps(chat()))
        equal(g.post("/v1/chat/completions", chat(), key=None)[0], 401, "no key")
        equal(g.post("/v1/chat/completions", chat(), key="tg-wrong")[0], 401, "a wrong key")
        bad = b'{"model":'
        equal(g.post("/v1/chat/completions", bad)[0], 400, "no JSON")
        sent += len(bad)
        for raw in (b"BAD\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", g.port)) as s:
                s.sendall(raw)
                check(s.recv(1000).startswith(b"HTTP/1.1 400 "), "no HTTP")
        s = g.socket()
        s.sendall(request_bytes(chat(), fields="x-how: hang\r\n"))
        sent += len(json.dumps(chat()))
        wait_until("a request under way", 5, lambda: metrics_of(g)["tollgate_requests_in_flight"] == 1)
        wait_until("it is upstream", 5, lambda: len(up.requests) == 18)
        s.close()
        wait_until("none under way", 5, lambda: metrics_of(g)["tollgate_requests_in_flight"] == 0)
        rows, m = g.rows(100), metrics_of(g)
        equal(len(rows), 19, "rows: those with a key")
        wanted = {"requests_total": 18, "requests_refused_total": 5, "requests_in_flight": 0, "request_errors_total": 6, "client_cancelled_total": 1,
                  "unpriced_total": 5, "sse_events_total": 5 * len(EVENTS), "request_bytes_total": sent,
                  "ledger_rows_total": 19, "ledger_lag_bytes": 0, "journal_errors_total": 0, "journal_records_lost_total": 0}
        equal({name: m["tollgate_" + name] for name in wanted}, wanted, "counters")
        equal(m["tollgate_estimated_total"], sum(r["cost_state"] == "estimated" for r in rows), "estimates")
        cost = sum(Decimal(r["cost_usd"] or 0) for r in rows)
        micro = int(cost * 1_000_000)
        check(micro - 2 <= m["tollgate_cost_micro_usd_total"] <= micro, f"cost: {micro} in rows, {m['tollgate_cost_micro_usd_total']} counted")
        check(m["tollgate_response_bytes_total"] > 5 * len(b"".join(EVENTS)), "bytes out")


def probes_answer():
    with Gateway() as g:
        for path in ("/livez", "/readyz", "/v1/health"):
            status, headers, body = g.get(path, key=None)
            equal((status, json.loads(body)["status"], headers["cache-control"]), (200, "ok", "no-store"), path)
            status, headers, body = g.request("HEAD", path, key=None)
            equal((status, body), (200, b""), f"HEAD {path}")
            status, headers, body = g.request("POST", path, b"{}", key=None)
            equal((status, headers["allow"].split(", ")[0]), (405, "GET"), f"POST {path}")
        status = json.loads(g.get("/tollgate/v1/status")[2])
        equal((status["draining"], status["in_flight"], status["ledger"]["store_failing"], status["ledger"]["store_reason"]), (False, 0, False, None), "status")


def probes_do_not_wait_behind_a_report():
    with Gateway(Upstream(serve).url) as g:
        store = sqlite3.connect(os.path.join(g.dir, "ledger.db"), isolation_level=None)
        store.execute("BEGIN IMMEDIATE")  # the drain cannot write, so a listing waits for it
        equal(g.post("/v1/chat/completions", chat())[0], 200, "requests go on")
        took = {}

        def listing():
            begun = time.monotonic()
            g.get("/tollgate/v1/logs")
            took["logs"] = time.monotonic() - begun

        thread = threading.Thread(target=listing)
        thread.start()
        time.sleep(0.2)
        for path in ("/livez", "/readyz", "/metrics"):
            begun = time.monotonic()
            equal(g.get(path, key=None)[0], 200, path)
            took[path] = time.monotonic() - begun
        thread.join()
        check(took.pop("logs") > 0.5, "the listing waited")
        check(max(took.values()) < 0.3, f"{took}")
        equal(g.post("/v1/chat/completions", chat())[0], 200, "requests go on")
        store.execute("ROLLBACK")
        store.close()
        wait_until("the rows", 10, lambda: len(g.rows(10)) == 2)


ROUTES = {"/livez", "/readyz", "/v1/health", "/metrics", "/openapi.json", "/", "/console", "/console/", "/console/console.js", "/console/console.css",
          "/tollgate/v1/status", "/tollgate/v1/keys", "/tollgate/v1/keys/{p1}", "/tollgate/v1/integrations", "/tollgate/v1/integrations/{p1}",
          "/tollgate/v1/logs", "/tollgate/v1/logs/{p1}", "/tollgate/v1/cost", "/tollgate/v1/models", "/tollgate/v1/prices/reload"}


def the_api_describes_itself():
    with Gateway(Upstream(serve).url) as g:
        g.post("/v1/chat/completions", chat())
        row = g.rows(1)[0]
        status, headers, body = g.get("/openapi.json", key=None)
        equal((status, headers["content-type"]), (200, "application/json"), "openapi.json")
        api = json.loads(body, object_pairs_hook=no_duplicates)
        check(api["openapi"].startswith("3.1") and api["info"]["title"] == "Tollgate", "what it is")
        check(ROUTES <= set(api["paths"]), f"missing: {ROUTES - set(api['paths'])}")
        for path, methods in api["paths"].items():
            for method, operation in methods.items():
                check(method in ("get", "post", "patch", "delete", "put") and operation["summary"] and operation["responses"], f"{method} {path}")
            if path.startswith("/v1/") and path != "/v1/health":
                continue  # Portkey's resources: others of their names may be a provider's
            where = path.replace("{p1}", row["id"] if "logs" in path else row["trace_id"] if "traces" in path else "openai").replace("{p2}", "gpt-4o")
            others = path.startswith(("/v0/", "/api/", "/v2/"))  # of products with rules of their own
            if "get" in methods and not others:
                found = g.get(where)[0]
                unset = {"/tollgate/v1/sign-in/oidc": 404, "/tollgate/v1/sign-in/oidc/callback": 404, "/tollgate/v1/device": 403}
                check(found in (200, 302, unset.get(path)) or ("{" in path and found in (400, 404)), f"GET {where} gave {found}")
            public = path in ("/", "/console", "/livez", "/readyz", "/v1/health", "/metrics", "/openapi.json",
                              "/tollgate/v1/invitations/accept", "/tollgate/v1/invitations/decline", "/v2/ping",
                              "/v0/oauth/token", "/api/oauth/token") or path.endswith(("/oauth/device", "/login/device", "/openid-configuration")) or path.startswith((
                                  "/console/", "/tollgate/v1/sign-in", "/model-configs/", "/v2/data_exports/{p1}/"))
            equal(g.request(next(iter(methods)).upper(), where, key=None)[0] == 401, not public, f"{path} needs a key, or not")
            if "put" not in methods and not others:
                equal(g.request("PUT", where)[0], 405, f"PUT {where}")


def no_duplicates(pairs):
    equal(len({k for k, _ in pairs}), len(pairs), f"members are unique: {[k for k, _ in pairs]}")
    return dict(pairs)


def the_console_is_served_safely():
    with Gateway() as g:
        for path in ("/", "/console"):
            status, headers, _ = g.get(path, key=None)
            equal((status, headers["location"]), (302, "/console/"), path)
        pages = {}
        for path, kind in (("/console/", "text/html; charset=utf-8"), ("/console/console.js", "text/javascript; charset=utf-8"), ("/console/console.css", "text/css; charset=utf-8"),
                           ("/console/device", "text/html; charset=utf-8"), ("/console/sign_in.js", "text/javascript; charset=utf-8")):
            status, headers, body = g.get(path, key=None)
            equal((status, headers["content-type"], headers["x-content-type-options"], headers["referrer-policy"]), (200, kind, "nosniff", "no-referrer"), path)
            policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
            equal((policy["default-src"], policy["script-src"], policy["frame-ancestors"], policy["base-uri"]), ("'none'", "'self'", "'none'", "'none'"), "the policy")
            check("unsafe" not in headers["content-security-policy"] and len(body) > 100, path)
            pages[path] = body.decode()
        page = pages["/console/"]
        for reference in re.findall(r"""(?:src|href)\s*=\s*["']([^"'#]+)""", page):
            check(not reference.startswith(("http:", "https:", "//")), f"{reference} is somebody else's")
        check(not re.search(r"<script(?![^>]*src=)|\son[a-z]+\s*=|\sstyle\s*=|<style", page), "no inline code or style: the policy would stop it")


run(counters_agree_with_what_was_sent, probes_answer, probes_do_not_wait_behind_a_report, the_api_describes_itself, the_console_is_served_safely)
