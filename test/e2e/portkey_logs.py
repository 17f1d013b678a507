#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Portkey's contract, rows 102 and 103, and what attempts look like everywhere: log rows in full, without secrets; waste and
savings in reports; traces as trees; the command line.
"""

import json
import os
import pathlib
import re
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check
from portkey import Bench, asked, fallback, secret_of, sees, suite, target
from scripted import say, stream

METRICS = """id organisation_id organisation_name workspace_slug api_key_id user_id created_at is_success ai_org ai_model
ai_org_auth_hash req_units res_units total_units cost cost_currency request_url request_method response_status_code
response_time ttlt upstream_response_time request_parsing_time pre_processing_time cache_processing_time
response_parsing_time gateway_processing_time cache_status cache_type stream_mode is_proxy_call mode source
retry_success_count last_used_option_index trace_id span_id span_name parent_span_id internal_trace_id config config_id
config_version_id virtual_key prompt_id prompt_version_id prompt_slug _user _environment _organisation _prompt metadata.key
metadata.value runtime runtime_version sdk_version gateway_version extra_key extra_value""".split()
PARTS = ["_id", "request", "response", "organisation_id", "created_at", "metrics", "finalUntransformedRequest", "originalResponse",
         "transformedRequest", "attempts"]
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
# 11 tokens in, 7 out of gpt-4o-mini: 11 × 0.15 + 7 × 0.60 millionths of a dollar.
COST_USD = Decimal("0.00000585")


def full(b, row, status=200):
    found, _, body = b.gw.request("GET", "/v1/logs/" + (row if isinstance(row, str) else row["id"]), None, {"x-portkey-api-key": b.key}, key=None)
    check(found == status, f"GET /v1/logs gave {found}: {body!r}")
    return json.loads(body, parse_float=Decimal)


def in_full(b, row):
    log = full(b, row)
    sees("row 102", [m for m in METRICS if m not in log["metrics"]], [], "metrics that are missing")
    sees("row 102", [p for p in PARTS if p not in log], [], "parts that are missing")
    check(TIME.fullmatch(log["metrics"]["created_at"]), f"row 102: created_at {log['metrics']['created_at']!r}")
    sees("row 102", (log["_id"], log["metrics"]["id"]), (row["id"], row["id"]), "id")
    return log


def row_102_success(b):
    b.raw(asked("gpt-4o-mini", text="Name a river."), {"x-portkey-provider": "@openai", "x-portkey-trace-id": "t102",
                                                       "x-portkey-metadata": {"_user": "u9", "_environment": "prod", "team": "x" * 200}})
    row = b.rows("t102")[0]
    log = in_full(b, row)
    m = log["metrics"]
    sees("row 102", (m["is_success"], m["response_status_code"], m["request_method"]), (1, 200, "POST"), "success")
    sees("row 102", (m["ai_org"], m["ai_model"], m["virtual_key"]), ("openai", "gpt-4o-mini", "openai"), "where it went")
    sees("row 102", (m["req_units"], m["res_units"], m["total_units"]), (11, 7, 18), "units")
    sees("row 102", (Decimal(str(m["cost"])), m["cost_currency"]), (COST_USD * 100, "USD"), "cost in cents")
    sees("row 102", (m["trace_id"], m["internal_trace_id"], m["span_name"], m["span_id"]), ("t102", row["request_id"], "llm", row["id"]), "trace")
    sees("row 102", (m["_user"], m["_environment"]), ("u9", "prod"), "indexed metadata")
    pairs = dict(zip(m["metadata.key"], m["metadata.value"]))
    sees("row 102", (pairs["_user"], pairs["team"]), ("u9", "x" * 128), "metadata")
    sees("row 102", (m["cache_status"], m["mode"], m["retry_success_count"], m["stream_mode"]), ("DISABLED", "single", 0, 0), "course")
    check(m["response_time"] >= 0 and m["ttlt"] >= m["response_time"], f"row 102: times {m['response_time']}, {m['ttlt']}")
    check(log["request"]["url"].endswith("/v1/chat/completions"), f"row 102: url {log['request']['url']!r}")
    sees("row 102", log["request"]["body"]["messages"][0]["content"], "Name a river.", "request body")
    sees("row 102", log["response"]["body"]["choices"][0]["message"]["role"], "assistant", "response body")
    sees("row 102", log["request"]["portkeyHeaders"]["x-portkey-trace-id"], "t102", "portkeyHeaders")
    check("x-portkey-trace-id" not in log["request"]["headers"], "row 102: a header of Portkey's stands among the others")
    check("content-type" in log["request"]["headers"] and log["response"]["headers"], "row 102: header fields")


def row_102_client_error(b):
    b.up.on("m422", say(422))
    b.raw(asked("m422"), {"x-portkey-provider": "@openai", "x-portkey-trace-id": "t102-422"})
    log = in_full(b, b.rows("t102-422")[0])
    m = log["metrics"]
    sees("row 102", (m["is_success"], m["response_status_code"], m["total_units"], log["response"]["status"]), (0, 422, 0, 422), "a failure")
    sees("row 102", log["response"]["body"]["error"]["message"], "upstream says 422", "its body")


def row_102_stream(b):
    b.up.on("gpt-4o-mini", stream(first=0.1, gap=0.05))
    b.raw(asked("gpt-4o-mini", stream=True), {"x-portkey-provider": "@openai", "x-portkey-trace-id": "t102-stream"})
    b.up.on("gpt-4o-mini", b.up.default)
    log = in_full(b, b.rows("t102-stream")[0])
    m, body = log["metrics"], log["response"]["body"]
    sees("row 102", (body["object"], body["choices"][0]["message"]["content"]), ("chat.completion", "Hello."), "the stream in one object")
    check(90 <= m["response_time"] < m["ttlt"], f"row 102: first token after {m['response_time']}, last after {m['ttlt']}")
    sees("row 102", m["stream_mode"], 1, "stream_mode")


def row_102_fallback(b):
    b.up.on("fails", say(500))
    _, headers, _ = b.raw(asked("any"), {"x-portkey-config": fallback(target("a", "fails"), target("b", "gpt-4o-mini")), "x-portkey-trace-id": "t102-fb"})
    sees("row 102", headers.get("x-portkey-last-used-option-index"), "config.targets[1]", "the target that answered")
    rows = b.rows("t102-fb", count=2)
    first, second = (in_full(b, r) for r in rows)
    sees("row 102", [x["metrics"]["internal_trace_id"] for x in (first, second)], [rows[0]["request_id"]] * 2, "internal_trace_id of both")
    sees("row 102", [x["metrics"]["response_status_code"] for x in (first, second)], [500, 200], "statuses")
    sees("row 102", [x["response"]["lastUsedOptionJsonPath"] for x in (first, second)], ["config.targets[0]", "config.targets[1]"], "targets")
    sees("row 102", [x["metrics"]["last_used_option_index"] for x in (first, second)], [-1, -1], "index")
    sees("row 102", [x["metrics"]["mode"] for x in (first, second)], ["fallback", "fallback"], "mode")
    sees("row 102", sorted(a["id"] for a in first["attempts"]), sorted(r["id"] for r in rows), "attempts")
    sees("row 102", [(r["attempt"], r["discarded"], r["config"], r["provider"]) for r in rows],
         [(0, True, "inline", "openai"), (1, False, "inline", "openai")], "the rows of our own API")


def row_102_stored_config(b):
    slug = b.config("logged", {"retry": {"attempts": 1, "on_status_codes": [500]}, "provider": "@a"})
    b.change_config(slug, {"retry": {"attempts": 2, "on_status_codes": [500]}, "provider": "@a"})
    b.up.on("m102-retried", say(500), b.up.default)
    b.chat("m102-retried", traceID="t102-config", config=slug, metadata={"_user": "sdk"}).fine("row 102")
    rows = b.rows("t102-config", count=2)
    sees("row 102", [(r["config"], r["config_version"], r["retry"], r["discarded"]) for r in rows], [(slug, 2, 0, True), (slug, 2, 1, False)], "rows")
    m = in_full(b, rows[1])["metrics"]
    sees("row 102", (m["config"], m["config_id"], m["config_version_id"]), (slug, slug, slug + "@2"), "the config")
    sees("row 102", (m["retry_success_count"], m["mode"]), (1, "single"), "retries, mode")
    check(m["runtime"] == "node" and m["runtime_version"] and m["sdk_version"], f"row 102: the SDK: {m['runtime']} {m['runtime_version']} {m['sdk_version']}")
    groups = {g["config"]: g for g in report(b, group_by="config")["data"]}
    sees("row 102", (groups[slug]["attempts"], groups[slug]["requests"], groups[slug]["retries"]), (2, 1, 1), "the report of the config")


def row_102_who_may(b):
    key = b.new_key("completions only", scopes=["completions.write"])
    row = b.rows("t102")[0]
    status, _, _ = b.gw.request("GET", "/v1/logs/" + row["id"], None, {"x-portkey-api-key": key}, key=None)
    sees("row 102", status, 403, "without the scope logs.view")
    for unknown in ("tgr_0000000000001", "0af7651916cd43dd8448eb211c80319c", "x"):
        full(b, unknown, status=404)


def row_103_masking(b):
    secret, own = "sk-live-0123456789abcdefghij", "sk-own-provider-key-abcdefghij"
    config = {"provider": "openai", "api_key": own, "custom_host": b.up.url}
    b.raw(asked("gpt-4o-mini"), {"x-portkey-trace-id": "t103", "x-portkey-config": config, "x-api-key-2": secret, "cookie": "session=" + secret,
                                 "x-portkey-sensitive-headers": "x-mine", "x-mine": secret, "x-portkey-aws-secret-access-key": secret})
    b.raw(asked("gpt-4o-mini"), {"x-portkey-trace-id": "t103-b", "x-portkey-provider": "@openai", "authorization": "Bearer " + own})
    for trace in ("t103", "t103-b"):
        row = b.rows(trace)[0]
        shown = json.dumps(full(b, row), default=str) + json.dumps(b.log(row))
        for hidden in (secret, own, b.key, secret_of("openai")):
            check(hidden not in shown, f"row 103: {hidden!r} is in the log of {trace}")
    headers = {**full(b, b.rows("t103")[0])["request"]["headers"], **full(b, b.rows("t103")[0])["request"]["portkeyHeaders"]}
    sees("row 103", headers["x-mine"], "sk********hij", "a masked field")
    check("sk********hij" in headers["x-portkey-config"], f"row 103: {headers['x-portkey-config']!r}")
    b.gw.stop()
    b.gw.start()
    stored = b"".join(p.read_bytes() for p in pathlib.Path(b.gw.dir).rglob("*") if p.is_file() and p.suffix != ".key")
    for hidden in (secret, own, b.key):
        check(hidden.encode() not in stored, f"row 103: {hidden!r} stands in a file")


def row_78_embeddings(b):
    b.raw({"model": "text-embedding-3-small", "input": "a"}, {"x-portkey-provider": "@openai", "x-portkey-trace-id": "t78"}, path="/v1/embeddings")
    sees("row 78", full(b, b.rows("t78")[0])["response"]["body"], "...REDACTED...", "an embedding in the log")


def report(b, **query):
    path = "/tollgate/v1/cost?" + "&".join(f"{k}={v}" for k, v in query.items())
    status, _, body = b.gw.get(path)
    check(status == 200, f"{path} gave {status}: {body!r}")
    return json.loads(body, parse_float=Decimal)


def waste_and_savings(b):
    before = report(b)["total"]
    denying = {"default.contains": {"operator": "any", "words": ["river"]}, "deny": True}
    config = fallback({"provider": "@a", "output_guardrails": [denying]}, target("b"), codes=[446])
    status, _, _ = b.raw(asked("gpt-4o-mini"), {"x-portkey-config": config, "x-portkey-trace-id": "t-paid-waste"})
    sees("waste", status, 200, "status after an answer that was paid for and thrown away")
    rows = b.rows("t-paid-waste", count=2)
    sees("waste", [(r["discarded"], Decimal(r["cost_usd"]), r["hooks"]) for r in rows], [(True, COST_USD, "denied"), (False, COST_USD, None)], "what was paid")
    after = report(b)["total"]
    sees("waste", [Decimal(str(after[n])) - Decimal(str(before[n])) for n in ("wasted_usd", "cost_usd", "discarded", "fallbacks", "requests")],
         [COST_USD, 2 * COST_USD, 1, 1, 1], "report")
    before = after
    b.up.on("gpt-4o-mini", lambda r: say(body={"error": {"message": "no"}, "model": "gpt-4o-mini", "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}, status=500)(r)
            if r.credential.endswith(secret_of("a")) else b.up.default(r))
    config = {**fallback({"provider": "@a", "retry": {"attempts": 2, "on_status_codes": [500]}}, target("b")), "cache": {"mode": "simple"}}
    for _ in range(2):
        status, _, _ = b.raw(asked("gpt-4o-mini", text="waste"), {"x-portkey-config": config, "x-portkey-trace-id": "t-waste"})
        sees("waste", status, 200, "status")
    b.up.on("gpt-4o-mini", b.up.default)
    rows = b.rows("t-waste", count=5)
    sees("waste", [(r["attempt"], r["retry"], r["discarded"], r["status"]) for r in rows[:4]],
         [(0, 0, True, 500), (1, 1, True, 500), (2, 2, True, 500), (3, 0, False, 200)], "attempts")
    after = report(b)["total"]
    sees("waste", after["requests"] - before["requests"], 2, "requests, each once")
    sees("waste", after["attempts"] - before["attempts"], len(rows), "attempts")
    wasted = sum((Decimal(str(r["cost_usd"] or 0)) for r in rows if r["discarded"]), Decimal(0))
    sees("waste", Decimal(str(after["wasted_usd"])) - Decimal(str(before["wasted_usd"])), wasted, "wasted")
    sees("waste", after["retries"] - before["retries"], sum(r["retry"] > 0 for r in rows), "retries")
    saved = sum((Decimal(str(r["saved_usd"])) for r in rows), Decimal(0))
    hits = sum(r["cache"] == "HIT" for r in rows)
    sees("savings", (after["cache_hits"] - before["cache_hits"], Decimal(str(after["saved_usd"])) - Decimal(str(before["saved_usd"]))), (hits, saved), "hits and savings")
    for dims in ("config", "provider", "cache", "discarded", "config,discarded,cache"):
        groups = report(b, group_by=dims)
        total = sum((Decimal(str(g["wasted_usd"])) for g in groups["data"]), Decimal(0))
        sees("waste", total, Decimal(str(groups["total"]["wasted_usd"])), f"the groups of {dims} add up")
    text = b.gw.cli("cost", "--group-by", "config").stdout
    for word in ("retries", "fallbacks", "wasted (USD)"):
        check(word in text, f"tollgate cost does not say {word!r}:\n{text}")


def filters_find_attempts(b):
    rows = b.rows("t-waste")
    for name, value, pick in (("discarded", "true", lambda r: r["discarded"]), ("discarded", "false", lambda r: not r["discarded"]),
                              ("config", "inline", lambda r: r["config"] == "inline"), ("provider", "openai", lambda r: r["provider"] == "openai"),
                              ("provider", "azure-openai", lambda r: False), ("cache", "MISS", lambda r: r["cache"] == "MISS"),
                              ("request_id", rows[0]["request_id"], lambda r: r["request_id"] == rows[0]["request_id"])):
        found = b.gw.rows(1000, trace_id="t-waste", **{name: value})
        sees("filters", sorted(r["id"] for r in found), sorted(r["id"] for r in rows if pick(r)), f"{name}={value}")
    for bad in ("cache=cold", "discarded=maybe"):
        sees("filters", b.gw.get("/tollgate/v1/logs?" + bad)[0], 400, bad)


def trees(b):
    for span, parent, name in (("root", "", "agent"), ("child-1", "root", "search"), ("leaf", "child-1", ""), ("child-2", "root", "answer"), ("lost", "nobody", "")):
        headers = {"x-portkey-provider": "@openai", "x-portkey-trace-id": "tree/1 ü", "x-portkey-span-id": span}
        headers.update({k: v for k, v in (("x-portkey-parent-span-id", parent), ("x-portkey-span-name", name)) if v})
        headers["x-portkey-trace-id"] = "tree-1"
        b.raw(asked("gpt-4o-mini"), headers)
    b.rows("tree-1", count=5)
    status, _, body = b.gw.get("/tollgate/v1/traces/tree-1")
    sees("tree", status, 200, "status")
    tree = json.loads(body, parse_float=Decimal)
    sees("tree", [(s["depth"], s["name"], s["span_id"]) for s in tree["spans"]],
         [(0, "agent", "root"), (1, "search", "child-1"), (2, "llm", "leaf"), (1, "answer", "child-2"), (0, "llm", "lost")], "spans depth first")
    sees("tree", (tree["requests"], tree["attempts"], Decimal(str(tree["cost_usd"]))), (5, 5, 5 * COST_USD), "sums")
    text = b.gw.cli("logs", "--trace", "tree-1").stdout.splitlines()
    sees("tree", [line.split("  ")[0] or line.lstrip().split("  ")[0] for line in text[1:] if "attempt" not in line][:1], ["agent"], "the first line of the tree")
    check(any(line.startswith("    llm  leaf") for line in text), "tree: the leaf stands two levels in:\n" + "\n".join(text))
    sees("tree", len(b.gw.cli("logs", "--trace", "tree-1", "--json").stdout.splitlines()), 5, "lines of --json")
    sees("tree", b.gw.get("/tollgate/v1/traces/nothing")[0], 404, "a trace that is not there")
    status, headers, _ = b.raw(asked("gpt-4o-mini"), {"x-portkey-provider": "@openai"})
    own = headers["x-portkey-trace-id"]
    b.rows(own)
    sees("tree", json.loads(b.gw.get("/tollgate/v1/traces/" + own)[2])["attempts"], 1, "the trace of an id that was made here")
    for a, z in (("p", "q"), ("q", "p"), ("self", "self")):
        b.raw(asked("gpt-4o-mini"), {"x-portkey-provider": "@openai", "x-portkey-trace-id": "ring", "x-portkey-span-id": a, "x-portkey-parent-span-id": z})
    b.rows("ring", count=3)
    ring = json.loads(b.gw.get("/tollgate/v1/traces/ring")[2])
    sees("tree", sorted(s["depth"] for s in ring["spans"]), [0, 0, 1], "spans that are each other's parents")


def attempts_stand_together(b):
    lines = b.gw.cli("logs", "--limit", "200").stdout.splitlines()
    rows = b.rows("t-waste")
    answers = [i for i, line in enumerate(lines) if rows[3]["id"] in line]
    sees("cli", len(answers), 1, "lines of the request's answer")
    sees("cli", len(b.gw.cli("logs", "--request", rows[0]["request_id"], "--json").stdout.splitlines()), 4, "rows of --request")
    check("3 earlier attempts are not shown" in b.gw.cli("logs", "--limit", "1", "--request", rows[0]["request_id"]).stdout, "cli: what is not shown is said")
    below = lines[answers[0] + 1:answers[0] + 5]
    check("config.targets[1]" in below[0], f"cli: {below}")
    for i, line in enumerate(below[1:4]):
        check(f"- attempt {i}, 500" in line and "wasted" in line, f"cli: {below}")


if __name__ == "__main__":
    suite(Bench, [row_102_success, row_102_client_error, row_102_stream, row_102_fallback, row_102_stored_config, row_102_who_may, row_78_embeddings, waste_and_savings,
                  filters_find_attempts, trees, attempts_stand_together, row_103_masking])
