#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Portkey's contract, rows 18-33: traces and metadata, what the log shows and hides, headers and hosts of the caller's own,
time-outs.
"""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check
from portkey import Bench, asked, message_of, secret_of, sees, suite
from scripted import ScriptedUpstream, events_of, say, stream

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TRACE32, SPAN16 = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def metadata_of(row):
    found = row["metadata"]
    return json.loads(found) if isinstance(found, str) else found


def row_18_trace_id(b):
    r = b.chat("m18", traceID="t18-node").fine("row 18")
    sees("row 18", r.own_headers.get("trace-id"), "t18-node", "echo through Node")
    p = b.python("chat.completions.create", asked("m18"), provider="@openai", with_options={"trace_id": "t18-python"}).fine("row 18")
    sees("row 18", p.header("trace-id"), "t18-python", "echo through Python")
    for trace in ("t18-node", "t18-python"):
        sees("row 18", [x["trace_id"] for x in b.rows(trace)], [trace], "log by that trace")
    fresh = b.chat("m18").fine("row 18").header("trace-id")
    check(UUID.fullmatch(fresh or ""), f"row 18: a trace id made by us must be a UUID: {fresh!r}")
    sees("row 18", len(b.rows(fresh)), 1, "log by the trace id that was made")
    other = b.chat("m18").header("trace-id")
    check(other != fresh, "row 18: two requests got one trace id")


def row_19_spans(b):
    b.chat("m19", traceID="t19", spanId="s-child", parentSpanId="s-parent", spanName="my step").fine("row 19")
    row = b.rows("t19")[0]
    sees("row 19", (row["span_id"], row["parent_span_id"], row["span_name"]), ("s-child", "s-parent", "my step"), "span, parent, name")
    b.chat("m19", traceID="t19-plain").fine("row 19")
    row = b.rows("t19-plain")[0]
    check(row["span_name"] in (None, "llm"), f"row 19: span name without one: {row['span_name']!r}")


def row_20_traceparent(b):
    parent = f"00-{TRACE32}-{SPAN16}-01"
    _, headers, _ = b.raw(asked("m20"), {"x-portkey-provider": "@openai", "traceparent": parent})
    sees("row 20", headers["x-portkey-trace-id"], TRACE32, "trace id")
    row = b.rows(TRACE32)[0]
    sees("row 20", (row["parent_span_id"], row["span_name"]), (SPAN16, "POST /v1/chat/completions"), "parent span and name")
    check(re.fullmatch(r"[0-9a-f]{16}", row["span_id"] or "") and row["span_id"] != SPAN16, f"row 20: span id {row['span_id']!r}")
    _, headers, _ = b.raw(asked("m20"), {"x-portkey-provider": "@openai", "traceparent": parent, "x-portkey-trace-id": "t20",
                                         "x-portkey-span-id": "mine", "x-portkey-span-name": "named"})
    sees("row 20", headers["x-portkey-trace-id"], "t20", "the header of the contract wins")
    row = b.rows("t20")[0]
    sees("row 20", (row["span_id"], row["span_name"]), ("mine", "named"), "its span and name win")
    for bad in ("00-zz-00f067aa0ba902b7-01", "nonsense", f"00-{TRACE32}-{SPAN16}", f"00-{'0' * 32}-{SPAN16}-01"):
        status, headers, _ = b.raw(asked("m20"), {"x-portkey-provider": "@openai", "traceparent": bad})
        check(status == 200 and UUID.fullmatch(headers["x-portkey-trace-id"]), f"row 20: {bad!r} gave {status} {headers}")


def row_21_baggage(b):
    b.raw(asked("m21"), {"x-portkey-provider": "@openai", "x-portkey-trace-id": "t21", "x-portkey-metadata": {"env": "header"},
                         "baggage": "env=baggage,team=a%20b%2Cc , plain=1"})
    sees("row 21", metadata_of(b.rows("t21")[0]), {"env": "header", "team": "a b,c", "plain": "1"}, "metadata")


def row_22_metadata(b):
    long = "v" * 300
    b.chat("m22", traceID="t22", metadata={"_user": "u22", "env": "p", "long": long, "wide": "ü" * 200}).fine("row 22")
    row = b.rows("t22")[0]
    sees("row 22", metadata_of(row), {"_user": "u22", "env": "p", "long": long[:128], "wide": "ü" * 128}, "metadata")
    sees("row 22", row["user"], "u22", "user")
    b.python("chat.completions.create", asked("m22"), provider="@openai", trace_id="t22-py", metadata={"_user": "u22p"}).fine("row 22")
    sees("row 22", b.rows("t22-py")[0]["user"], "u22p", "user through Python")


def row_23_user_becomes_user(b):
    b.chat("m23", {"user": "u1"}, traceID="t23").fine("row 23")
    row = b.rows("t23")[0]
    sees("row 23", (row["user"], (metadata_of(row) or {}).get("_user")), ("u1", "u1"), "user and _user of the body's user")
    b.chat("m23", {"user": "u1"}, traceID="t23b", metadata={"_user": "u2"}).fine("row 23")
    row = b.rows("t23b")[0]
    sees("row 23", (row["user"], metadata_of(row)["_user"]), ("u2", "u2"), "an explicit _user wins")


def row_24_metadata_precedence(b):
    key = b.new_key("metadata", defaults={"metadata": {"who": "key", "team": "key"}})
    b.chat("m24", traceID="t24", apiKey=key, metadata={"who": "request", "team": "request", "own": "request"}).fine("row 24")
    sees("row 24", metadata_of(b.rows("t24")[0]), {"who": "key", "team": "key", "own": "request"}, "key over request")
    b.workspace_metadata({"who": "workspace"})
    try:
        b.chat("m24", traceID="t24w", apiKey=key, metadata={"who": "request", "own": "request"}).fine("row 24")
        sees("row 24", metadata_of(b.rows("t24w")[0]), {"who": "workspace", "team": "key", "own": "request"}, "workspace over key over request")
    finally:
        b.workspace_metadata({})


def row_25_bad_metadata(b):
    for bad in ("{not json", "[1,2]", '"text"', "null"):
        status, headers, _ = b.raw(asked("m25"), {"x-portkey-provider": "@openai", "x-portkey-metadata": bad})
        sees("row 25", status, 200, f"status with metadata {bad!r}")
        row = b.rows(headers["x-portkey-trace-id"])[0]
        check(not metadata_of(row), f"row 25: metadata {bad!r} was recorded as {row['metadata']!r}")


def row_26_debug_false(b):
    b.chat("m26", traceID="t26", debug=False).fine("row 26")
    log = b.log(b.rows("t26")[0])
    kept = [k for k in ("request_body", "response_body", "request_headers", "response_headers") if log.get(k)]
    sees("row 26", kept, [], "bodies and headers of a success")
    b.up.on("m26-bad", say(422))
    b.chat("m26-bad", traceID="t26-bad", debug=False)
    log = b.log(b.rows("t26-bad")[0])
    check("upstream says 422" in json.dumps(log.get("response_body")), f"row 26: a failure's answer is not in the log: {log}")
    check(not log.get("request_body"), f"row 26: a failure's request body is in the log: {log.get('request_body')}")
    b.chat("m26", traceID="t26-on").fine("row 26")
    check(b.log(b.rows("t26-on")[0]).get("request_body"), "row 26: without debug=false the bodies are kept")


def logged_headers(b, trace):
    found = b.log(b.rows(trace)[0]).get("request_headers") or {}
    found = json.loads(found) if isinstance(found, str) else found
    return {k.lower(): v for k, v in found.items()}


def row_27_sensitive_headers(b):
    secret = "abcdefghijklmnopxyz"
    forms = {"comma": "X-A, X-B", "json": '["X-A","X-B"]', "repr": "['X-A', 'X-B']"}
    for name, form in forms.items():
        b.raw(asked("m27"), {"x-portkey-provider": "@openai", "x-portkey-trace-id": "t27-" + name, "x-portkey-sensitive-headers": form,
                             "X-A": secret, "X-B": secret, "X-C": "shown-" + secret})
        found = logged_headers(b, "t27-" + name)
        sees("row 27", (found.get("x-a"), found.get("x-b"), found.get("x-c")),
             ("ab********xyz", "ab********xyz", "shown-" + secret), f"header fields in the log ({name})")
    b.chat("m27", traceID="t27-node", sensitiveHeaders=["xPortkeyThing", "x-portkey-thing"], thing=secret).fine("row 27")
    found = logged_headers(b, "t27-node")
    sees("row 27", found.get("x-portkey-thing"), "ab********xyz", "through Node")
    b.python("chat.completions.create", asked("m27"), provider="@openai", trace_id="t27-py", sensitive_headers=["x-portkey-thing"],
             thing=secret).fine("row 27")
    found = logged_headers(b, "t27-py")
    sees("row 27", found.get("x-portkey-thing"), "ab********xyz", "through Python")
    for name in ("authorization", "x-portkey-api-key"):
        value = found.get(name)
        check(value is None or "********" in value, f"row 27: {name} stands in the log as {value!r}")


def row_28_forward_headers(b):
    b.python("chat.completions.create", asked("m28-py"), provider="@openai", forward_headers=["x-my-h"], x_my_h="v1",
             x_other="hidden").fine("row 28")
    request = b.up.seen("m28-py")[0]
    sees("row 28", request.headers.get("x-my-h"), "v1", "the listed header upstream, through Python")
    check("hidden" not in request.head.decode(), f"row 28: a header that was not listed went upstream: {request.head!r}")
    b.chat("m28-node", forwardHeaders=["xMyHeader"], xMyHeader="v2", xOther="hidden").fine("row 28")
    request = b.up.seen("m28-node")[0]
    sees("row 28", request.headers.get("x-my-header"), "v2", "the listed header upstream, through Node")
    check("hidden" not in request.head.decode(), f"row 28: a header that was not listed went upstream: {request.head!r}")


def row_29_forward_authorization(b):
    config = {"provider": "openai", "custom_host": b.up.url, "forward_headers": ["Authorization"]}
    status, _, body = b.raw(asked("m29"), {"x-portkey-config": config, "Authorization": "Custom abc.def"})
    sees("row 29", status, 200, f"status: {body[:300]!r}")
    sees("row 29", b.up.seen("m29")[0].credential, "Custom abc.def", "Authorization upstream")


def row_30_custom_host(b):
    other = ScriptedUpstream()
    try:
        b.chat("m30", provider="openai", Authorization="sk-x30", customHost=other.host("/deep/v1")).fine("row 30")
        sees("row 30", [r.target for r in other.requests], ["/deep/v1/chat/completions"], "path at the other host")
        b.chat("m30", config={"provider": "openai", "api_key": "sk-y", "custom_host": b.up.host("/from-config/v1")},
               customHost=other.host("/from-header/v1")).fine("row 30")
        sees("row 30", other.requests[-1].target, "/from-header/v1/chat/completions", "the header beats the config")
        sees("row 30", b.up.count("m30"), 0, "calls at the config's host")
    finally:
        other.close()


def row_31_custom_host_refused(b):
    bad = ["http://169.254.169.254/v1", "http://10.0.0.1/v1", "http://0x7f000001/v1", "http://2130706433/v1",
           "http://user@example.com/v1", "ftp://example.com/v1", "http://user:pw@example.com/v1", "http://metadata.google.internal/v1",
           "http://192.168.1.1/v1", "http://172.16.0.1/v1", "http://100.64.0.1/v1", "http://0.0.0.0/v1", "http://[fd00::1]/v1",
           "http://[::ffff:10.0.0.1]/v1", "http://017700000001/v1", "http://0x0a.0.0.1/v1", "http://box.internal/v1", "http://printer.local/v1",
           "http://example.com./v1", "http://ex%61mple.com/v1", "http://example.com:0/v1", "http://example.com:70000/v1", "http://224.0.0.1/v1",
           "http://a.b.c.d.e.f.g.h.i.j.example.com/v1", "example.com/v1", "http:///v1"]
    wrong = []
    for host in bad:
        for place in ("header", "config"):
            config = {"provider": "openai", "api_key": "sk-x", **({"custom_host": host} if place == "config" else {})}
            fields = {"x-portkey-config": config, **({"x-portkey-custom-host": host} if place == "header" else {})}
            status, _, body = b.raw(asked("m31"), fields)
            if (status, message_of(body)) != (400, "Invalid custom host"):
                wrong.append((place, host, status, body[:150]))
    sees("row 31", wrong, [], "hosts that were not refused as they should be")


def row_32_request_timeout(b):
    b.up.on("m32", say(delay=2))
    begun = time.monotonic()
    r = b.chat("m32", requestTimeout=500)
    took = time.monotonic() - begun
    wanted = {"error": {"message": "Request exceeded the timeout sent in the request: 500ms", "type": "timeout_error", "param": None,
                        "code": None}}
    sees("row 32", (r.status, r.error.get("error"), r.calls), (408, wanted, 1), "status, body, calls")
    check(0.45 <= took <= 1.5, f"row 32: it took {took:.2f} s")
    p = b.python("chat.completions.create", asked("m32"), provider="@openai", request_timeout=300, with_options=None)
    sees("row 32", p.status, 408, "status through Python")


def row_33_timeout_on_a_stream(b):
    b.up.on("m33", stream(events_of(("a", "b", "c", "d", "e"), model="m33"), gap=0.2))
    r = b.chat("m33", stream=True, requestTimeout=500).fine("row 33")
    sees("row 33", r.text, "abcde", "text of a stream longer than its time-out")
    b.up.on("m33-first", stream(first=2))
    r = b.chat("m33-first", stream=True, requestTimeout=300)
    sees("row 33", r.status, 408, "status when the stream does not even begin")


if __name__ == "__main__":
    suite(Bench, [row_18_trace_id, row_19_spans, row_20_traceparent, row_21_baggage, row_22_metadata, row_23_user_becomes_user,
                  row_24_metadata_precedence, row_25_bad_metadata, row_26_debug_false, row_27_sensitive_headers,
                  row_28_forward_headers, row_29_forward_authorization, row_30_custom_host, row_31_custom_host_refused,
                  row_32_request_timeout, row_33_timeout_on_a_stream])
