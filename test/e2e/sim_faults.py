#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every cue of the simulator, by header and by script, as it arrives on the wire."""

import gzip
import json
import pathlib
import sys
import tempfile
import time
import zlib

from sdk.rawhttp import ask, connect, receive, send
from sdk.simrun import Sim

MESSAGES = [{"role": "user", "content": "What does it cost?"}]
CHAT = {"model": "gpt-4o", "messages": MESSAGES}
STREAM = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
PATH = "/v1/chat/completions"
cases = []


def case(run):
    cases.append(run)
    return run


def equal(got, want, what=""):
    assert got == want, f"{what} got {got!r}, want {want!r}"


def cued(sim, body=CHAT, silence_s=1.0, extra=None, **cues):
    headers = {"x-sim-" + k.replace("_", "-"): v for k, v in cues.items()}
    return ask(sim.root, "POST", PATH, body, {**headers, **(extra or {})}, silence_s=silence_s)


@case
def errors_have_openais_bodies(sim):
    want = {400: "invalid_request_error", 401: "invalid_request_error", 403: "request_forbidden",
            404: "invalid_request_error", 408: "timeout", 409: "invalid_request_error", 429: "requests",
            500: "server_error", 502: "server_error", 503: "service_unavailable_error"}
    for status, kind in want.items():
        a = cued(sim, status=status)
        equal((a.status, a.json["error"]["type"]), (status, kind))
        equal(sorted(a.json["error"]), ["code", "message", "param", "type"])
    equal(cued(sim, status=429).header("retry-after"), "1")
    quota = cued(sim, error="insufficient_quota")
    equal((quota.status, quota.header("retry-after"), quota.json["error"]["code"]), (429, None, "insufficient_quota"))
    equal(cued(sim, status=418).status, 418)
    equal(cued(sim, body=STREAM, status=503).header("content-type"), "application/json")


@case
def hints_are_sent(sim):
    a = cued(sim, status=429, retry_after="7", retry_after_ms="7000", should_retry="false", header="X-Extra: a b")
    equal([a.header(h) for h in ("retry-after", "retry-after-ms", "x-should-retry", "x-extra")],
          ["7", "7000", "false", "a b"])


@case
def delays_are_kept(sim):
    started = time.monotonic()
    cued(sim, delay_ms=150)
    assert time.monotonic() - started >= 0.15
    a = cued(sim, first_byte_ms=150)
    assert len(a.at) >= 2 and a.at[-1][0] - a.at[0][0] >= 0.1, "the head comes first"
    equal(a.status, 200)
    b = cued(sim, body=STREAM, chunk_ms=20, events=5)
    assert b.at[-1][0] - b.at[0][0] >= 0.1 and len(b.at) >= 6


@case
def connections_are_cut(sim):
    whole = cued(sim)
    a = cued(sim, cut_after_bytes=100)
    equal((a.ended, len(a.wire_body), a.header("content-length")), ("cut", 100, str(len(whole.wire_body))))
    b = cued(sim, body=STREAM, cut_after_bytes=300)
    equal((b.ended, len(b.body), b.wire_body.endswith(b"0\r\n\r\n")), ("cut", 300, False))
    c = cued(sim, body=STREAM, cut_after_events=4)
    equal((c.ended, len(c.events())), ("cut", 4))
    equal(cued(sim, cut_after_bytes=0).ended, "cut")


@case
def connections_are_reset(sim):
    equal(cued(sim, reset=1).ended, "reset")
    a = cued(sim, body=STREAM, cut_after_events=3, reset=1)
    equal((a.ended, len(a.events())), ("reset", 3))


@case
def answers_hang(sim):
    a = cued(sim, hang=1, silence_s=0.3)
    equal((a.ended, a.raw), ("silence", b""))
    b = cued(sim, body=STREAM, cut_after_events=2, hang=1, silence_s=0.3)
    equal((b.ended, len(b.events())), ("silence", 2))


@case
def streams_fail_in_the_middle(sim):
    a = cued(sim, body=STREAM, fail_after_events=3)
    events = a.events()
    equal((len(events), json.loads(events[-1])["error"]["type"]), (4, "server_error"))
    body = {"model": "gpt-4o", "input": "x", "stream": True}
    b = ask(sim.root, "POST", "/v1/responses", body, {"x-sim-fail-after-events": "5"})
    equal(json.loads(b.events()[-1])["type"], "error")
    c = ask(sim.root, "POST", "/v1/responses", body, {"x-sim-fail-after-events": "5", "x-sim-error": "server_error"})
    equal(json.loads(c.events()[-1])["type"], "response.failed")


@case
def answers_are_malformed(sim):
    for kind in ("json", "sse", "http", "status", "length", "both", "chunk"):
        for body in (CHAT, STREAM):
            a = cued(sim, body=body, malformed=kind, silence_s=0.3)
            assert a.raw, kind
            if kind == "json" and body is CHAT:
                try:
                    a.json
                except ValueError:
                    continue
                raise AssertionError("the JSON is whole")
    assert "\r\nthis line has no colon" in cued(sim, malformed="http", silence_s=0.3).head
    assert cued(sim, malformed="status", silence_s=0.3).head.startswith("HTTP/1.1 99999")
    equal(cued(sim, malformed="length", silence_s=0.3).head.lower().count("content-length"), 3)


@case
def answers_are_compressed(sim):
    accepts = {"Accept-Encoding": "gzip"}
    a = cued(sim, gzip=1, extra=accepts)
    equal(a.header("content-encoding"), "gzip")
    equal(json.loads(gzip.decompress(a.body))["object"], "chat.completion")
    equal(cued(sim, gzip=1).header("content-encoding"), None)
    equal(cued(sim, gzip="force").header("content-encoding"), "gzip")
    b = cued(sim, body=STREAM, gzip=1, extra=accepts)
    text = zlib.decompressobj(31).decompress(b.body).decode()
    assert text.endswith("data: [DONE]\n\n") and text.count("data: ") > 5


@case
def sizes_are_exact(sim):
    for n in (1000, 5000, 123457):
        a = cued(sim, body_bytes=n)
        equal(len(a.body), n)
        equal(a.json["object"], "chat.completion")
    b = cued(sim, body=STREAM, events=50)
    usage = json.loads(b.events()[-2])["usage"]
    equal((usage["completion_tokens"], len(b.events())), (50, 54))
    c = cued(sim, body=STREAM, event_bytes=2000, events=5)
    equal({len(f) + 2 for f in c.body.split(b"\n\n")[1:5]}, {2000})


@case
def events_are_spelled_as_asked(sim):
    plain = [json.loads(e)["choices"] for e in cued(sim, body=STREAM).events()[:-1]]
    for spelling in ("crlf", "comment", "no-space", "crlf,comment,no-space", "no-blank"):
        a = cued(sim, body=STREAM, sse=spelling)
        equal([json.loads(e)["choices"] for e in a.events() if e != "[DONE]"], plain, spelling)
    assert b"\r\n\r\ndata" in cued(sim, body=STREAM, sse="crlf").body
    assert b": keep-alive\n\n" in cued(sim, body=STREAM, sse="comment").body
    assert b"[DONE]" not in cued(sim, body=STREAM, sse="no-done").body
    assert cued(sim, body=STREAM, sse="no-blank").body.endswith(b"[DONE]\n")


@case
def bodies_are_split(sim):
    whole = cued(sim).body
    a = cued(sim, split=100, chunk_ms=1)
    equal(len(a.body), len(whole))
    assert len(a.at) >= 4
    b = cued(sim, body=STREAM, split="event", events=8)
    assert b.wire_body.count(b"\r\ndata: ") >= 10 or b.wire_body.count(b"data: ") == 12


@case
def usage_is_as_asked(sim):
    forced = {"prompt_tokens": 1000, "completion_tokens": 77, "total_tokens": 1077,
              "prompt_tokens_details": {"cached_tokens": 512, "audio_tokens": 10}, "new_field": [1]}
    for body in (CHAT, STREAM):
        a = cued(sim, body=body, usage=json.dumps(forced))
        got = a.json["usage"] if body is CHAT else json.loads(a.events()[-2])["usage"]
        equal(got, forced)
        meters = sim.get("/sim/requests/" + a.header("x-request-id"))["usage"]["meters"]
        equal(meters, {"input": 478, "cached_input": 512, "audio_input": 10, "output": 77})
    a = cued(sim, no_usage=1)
    row = sim.get("/sim/requests/" + a.header("x-request-id"))
    equal(("usage" in a.json, row["usage_reported"], row["usage"]["output_tokens"] > 0), (False, False, True))
    equal(cued(sim, cached_tokens=5).json["usage"]["prompt_tokens_details"]["cached_tokens"], 5)
    equal(cued(sim, reasoning_tokens=9).json["usage"]["completion_tokens_details"]["reasoning_tokens"], 9)


@case
def words_are_as_asked(sim):
    a = cued(sim, text='say "this"', model="gpt-x", tier="flex")
    equal((a.json["choices"][0]["message"]["content"], a.json["model"], a.json["service_tier"]),
          ('say "this"', "gpt-x", "flex"))
    tools = [{"type": "function", "function": {"name": n, "parameters": {"type": "object"}}} for n in "ab"]
    body = {**CHAT, "tools": tools}
    equal(cued(sim, body=body, tool="b").json["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "b")
    equal(cued(sim, body=body, tool="never").json["choices"][0]["finish_reason"], "stop")


@case
def connections_close_when_asked(sim):
    equal(cued(sim, close=1).header("connection"), "close")
    with connect(sim.root) as sock:
        for _ in range(3):
            send(sock, "POST", PATH, CHAT)
            equal(receive(sock).status, 200, "keep-alive")


@case
def bodies_are_answered_early_and_read_late(sim):
    with connect(sim.root) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\nContent-Length: 1000000\r\n"
                     b"Authorization: Bearer sk-test-0123456789\r\nx-sim-early: 1\r\nx-sim-status: 429\r\n\r\n{")
        equal(receive(sock).status, 429)
    started = time.monotonic()
    equal(cued(sim, stall_body_ms=200).status, 200)
    assert time.monotonic() - started >= 0.2


@case
def wrong_cues_are_refused(sim):
    a = cued(sim, nonsense=1)
    equal((a.status, a.json["error"]["code"]), (400, "bad_cue"))
    equal(cued(sim, status="many").status, 400)


@case
def clients_that_leave_are_noticed(sim):
    with connect(sim.root) as sock:
        send(sock, "POST", PATH, STREAM, {"x-sim-events": "1000", "x-sim-chunk-ms": "5"})
        sock.recv(4096)
        time.sleep(0.1)
    time.sleep(0.1)
    row = sim.get("/sim/requests?limit=10000")["data"][-1]
    equal((row["aborted"], row["usage_reported"]), (True, False))
    assert 1 <= row["usage"]["output_tokens"] < 1000 and row["events"] >= row["usage"]["output_tokens"]


@case
def odd_requests_are_answered(sim):
    equal(ask(sim.root, "GET", "/v1/nothing").status, 404)
    a = ask(sim.root, "PATCH", PATH)
    equal((a.status, "POST" in a.header("allow")), (405, True))
    equal(ask(sim.root, "OPTIONS", PATH).status, 204)
    with connect(sim.root) as sock:
        send(sock, "HEAD", "/v1/models")
        head = receive(sock, 0.2)
        equal((head.status, head.wire_body), (200, b""))
        send(sock, "GET", "/v1/models")
        equal(receive(sock).status, 200, "after HEAD")
    equal(ask(sim.root, "POST", PATH, b"{\"model\": ").json["error"]["message"][:32], "We could not parse the JSON body")
    equal(ask(sim.root, "GET", "/v1/models", key="").status, 401)
    equal(ask(sim.root, "GET", "/v1/organization/projects").status, 403)
    with connect(sim.root) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        equal(receive(sock).status, 400)


SCRIPT = """
# the second request of a model fails twice, then works
{"match":{"path":"/chat/completions","model":"gpt-4o*"},"do":{"status":500},"from":2,"to":3}
{"match":{"operation":"embeddings"},"do":{"error":"slow_down","retry_after":3},"every":2}
{"match":{"model":"gpt-4.1"},"nth":1,"do":{"text":"by the script","usage":{"prompt_tokens":3,"completion_tokens":4}}}
{"key":"sk-known-0123456789","project":"proj_known","user":"user-known","name":"known"}
"""


def check_script():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "script.jsonl"
        path.write_text(SCRIPT)
        with Sim("--script", str(path), "--require-key", "sk-admin-0123456789abcdef") as sim:
            def go(body, where=PATH):
                return ask(sim.root, "POST", where, body, key="sk-known-0123456789")
            equal([go(CHAT).status for _ in range(4)], [200, 500, 500, 200])
            embed = {"model": "text-embedding-3-small", "input": "a"}
            answers = [go(embed, "/v1/embeddings") for _ in range(4)]
            equal([a.status for a in answers], [429, 200, 429, 200])
            equal(answers[0].header("retry-after"), "3")
            a = go({**CHAT, "model": "gpt-4.1"})
            equal((a.json["choices"][0]["message"]["content"], a.json["usage"]),
                  ("by the script", {"prompt_tokens": 3, "completion_tokens": 4}))
            equal(ask(sim.root, "POST", PATH, CHAT).status, 401, "an unknown key")
            row = sim.get("/sim/requests?limit=1")["data"][0]
            equal((row["project_id"], row["user_id"]), ("proj_known", "user-known"))
            changed = ask(sim.root, "PUT", "/sim/script", b'{"do":{"status":503}}')
            equal((changed.json["rules"], go(CHAT).status), (1, 503))
            equal(ask(sim.root, "PUT", "/sim/script", b'{"do":{"no_such":1}}').status, 400)
            equal((ask(sim.root, "DELETE", "/sim/script").status, go(CHAT).status), (204, 200))


def check_limits():
    with Sim("--body-max", "1000") as sim:
        equal(ask(sim.root, "POST", PATH, b" " * 2000).status, 413)
        with connect(sim.root) as sock:
            sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer sk-0123456789\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + b" " * 2000 + b"\r\n0\r\n\r\n")
            equal(receive(sock).status, 413, "chunked")
        equal(ask(sim.root, "POST", PATH, CHAT).status, 200)
    with Sim("--latency-ms", "100", "--chunk-ms", "10") as sim:
        started = time.monotonic()
        equal(ask(sim.root, "POST", PATH, STREAM, {"x-sim-events": "10"}).status, 200)
        assert time.monotonic() - started >= 0.2


def main():
    failed = 0
    with Sim() as sim:
        for run in cases:
            try:
                run(sim)
            except Exception as e:  # the other cases still say something
                failed += 1
                print(f"FAIL {run.__name__}: {type(e).__name__}: {e}")
    check_script()
    check_limits()
    print(f"{len(cases) + 2} cases, {failed} failed")
    sys.exit(1 if failed else 0)


main()
