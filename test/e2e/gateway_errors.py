#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input and broken upstreams: OpenAI-shaped errors with stable codes, and rows."""

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, PROVIDER_KEY, Gateway, Upstream, chat, check, completion, equal, free_port, run, wait_until


def ok(request):
    request.answer(completion())


def expect(answer, status, code, retry_after=False):
    found, headers, body = answer
    equal(found, status, f"status, with {body!r}")
    error = json.loads(body)["error"]
    equal(set(error), {"message", "type", "param", "code"}, "members")
    equal(error["code"], code, "code")
    check(error["message"].endswith((".", ")")), "a sentence")
    if retry_after:
        check(int(headers["retry-after"]) >= 1, "Retry-After")
    return error


def who_asks():
    up = Upstream(ok)
    with Gateway(up.url) as g:
        expect(g.post("/v1/chat/completions", chat(), key=None), 401, "missing_api_key")
        expect(g.post("/v1/chat/completions", chat(), key="tg-wrong"), 401, "invalid_api_key")
        expect(g.post("/v1/chat/completions", chat(), key="sk-something-else-entirely"), 401, "invalid_api_key")
        key = g.key("short")
        equal(g.post("/v1/chat/completions", chat(), key=key)[0], 200, "a fresh key works")
        for name in ("api-key", "x-api-key", "x-portkey-api-key"):
            equal(g.post("/v1/chat/completions", chat(), key=None, headers={name: key})[0], 200, name)
        listed = json.loads(g.cli("key", "list", "--json").stdout)["data"]
        g.cli("key", "revoke", [k["id"] for k in listed if k["name"] == "short"][0])
        wait_until("revocation", 1, lambda: g.post("/v1/chat/completions", chat(), key=key)[0] == 401)
        expect(g.get("/tollgate/v1/keys", key=None), 401, "missing_api_key")
        viewer = g.cli("key", "create", "--name", "v", "--role", "viewer").stdout.strip()
        expect(g.get("/tollgate/v1/keys", key=viewer), 403, "insufficient_permissions")
        expect(g.post("/v1/chat/completions", chat(), key=viewer), 403, "insufficient_permissions")
        equal(len(up.requests), 4, "refused requests never go upstream")


def what_is_asked():
    up = Upstream(ok)
    with Gateway(up.url, args=["--max-body-bytes", "100k"]) as g:
        expect(g.get("/nothing/here"), 404, "unknown_url")
        expect(g.get("/tollgate/v1/nothing"), 404, "unknown_url")
        expect(g.request("PUT", "/tollgate/v1/keys"), 405, "method_not_allowed")
        expect(g.post("/v1/chat/completions", b'{"model":"gpt-4o-mini",'), 400, "invalid_json")
        equal(expect(g.post("/v1/chat/completions", b'{"model":"a","model":"b","messages":[]}'), 400, "duplicate_field")["param"], "model", "param")
        expect(g.post("/v1/chat/completions", b'{"model":"a","stream":true,"stre\\u0061m":false}'), 400, "duplicate_field")
        expect(g.post("/v1/chat/completions", b"x" * 200_000), 413, "request_too_large")
        with socket.create_connection(("127.0.0.1", g.port)) as s:
            s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            for _ in range(30):
                try:
                    s.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                except OSError:
                    break
            check(b" 413 " in s.recv(4096), "413 also for chunked bodies")
        equal(len(up.requests), 0, "nothing went upstream")
        for raw, status in ((b"GET / HTTP/2.0\r\n\r\n", b"505"), (b"BAD\r\n\r\n", b"400"), (b"GET /v1/models HTTP/1.1\r\n\r\n", b"400"),
                            (b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
                            (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"4")):
            with socket.create_connection(("127.0.0.1", g.port)) as s:
                s.sendall(raw)
                answer = s.recv(65536)
                check(answer.startswith(b"HTTP/1.1 " + status), f"{raw[:40]!r} gave {answer[:80]!r}")


def every_answer_carries_its_ids():
    up = Upstream(ok)
    with Gateway(up.url) as g:
        for method, path, key in (("GET", "/v1/health", None), ("GET", "/nothing", None), ("PUT", "/tollgate/v1/keys", ADMIN_KEY), ("GET", "/tollgate/v1/logs", None),
                                  ("GET", "/tollgate/v1/logs", ADMIN_KEY), ("GET", "/console/", None), ("POST", "/v1/chat/completions", None), ("GET", "/v1/models", ADMIN_KEY)):
            _, headers, _ = g.request(method, path, key=key, headers={"x-portkey-trace-id": "trace-7"})
            equal(headers.get("x-portkey-trace-id"), "trace-7", f"{method} {path}: trace id")
            check(headers.get("x-tollgate-request-id", "").startswith("tgr_"), f"{method} {path}: request id")
            check(len(g.request(method, path, key=key)[1]["x-portkey-trace-id"]) == 36, f"{method} {path}: an id of ours")


def where_it_goes():
    with Gateway() as g:
        expect(g.post("/v1/chat/completions", chat()), 424, "no_integration")
        g.connect(f"http://127.0.0.1:{free_port()}/v1")
        expect(g.post("/v1/chat/completions", chat()), 502, "upstream_unreachable")
        g.connect("http://no-such-host.invalid/v1")
        expect(g.post("/v1/chat/completions", chat()), 502, "upstream_dns_failed")
        g.connect("http://10.1.2.3/v1")
        expect(g.post("/v1/chat/completions", chat()), 502, "upstream_address_refused")
        row = g.rows(1)[0]
        equal((row["outcome"], row["error"], row["cost_state"]), ("upstream_failed", "upstream_address_refused", "none"), "the row")


def time_outs():
    def slow(request):
        how = request.headers.get("x-how")
        if how == "never":
            time.sleep(3)
            return "close"
        if how == "stall":
            request.begin_stream()
            request.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
            time.sleep(3)
            return "close"
        ok(request)

    up = Upstream(slow)
    with Gateway(up.url, args=["--first-byte-timeout", "500ms", "--idle-timeout", "500ms", "--client-body-timeout", "500ms", "--client-head-timeout", "500ms"]) as g:
        begun = time.monotonic()
        expect(g.post("/v1/chat/completions", chat(), headers={"x-how": "never"}), 504, "upstream_timeout")
        check(0.4 < time.monotonic() - begun < 1.5, "the first byte's limit")
        _, _, got = g.post("/v1/chat/completions", chat(stream=True), headers={"x-how": "stall"})
        equal(json.loads(got.split(b"\n\n")[1][len(b"event: error\ndata: "):])["error"]["code"], "upstream_idle_timeout", "the idle limit")
        with socket.create_connection(("127.0.0.1", g.port)) as s:
            s.sendall(b"GET /v1/mod")
            check(b" 408 " in s.recv(4096), "a head that does not come")


def upstream_errors_pass_unchanged():
    body = b'{"error": {"message": "Rate limit reached", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}}'

    def limited(request):
        request.answer(body, status="429 Too Many Requests", fields="retry-after: 7\r\nx-should-retry: true\r\n")

    up = Upstream(limited)
    with Gateway(up.url) as g:
        status, headers, got = g.post("/v1/chat/completions", chat())
        equal((status, got, headers["retry-after"], headers["x-should-retry"]), (429, body, "7", "true"), "the answer")
        equal(headers["x-tollgate-cost-usd"], "0.00", "an error costs nothing")
        row = g.rows(1)[0]
        equal((row["outcome"], row["status"], row["cost_state"]), ("upstream_error", 429, "none"), "the row")


def broken_upstreams():
    answers = [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
               b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\":1",
               b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
               b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
    state = {}

    def broken(request):
        request.send(state["answer"])
        return "close"

    up = Upstream(broken)
    with Gateway(up.url) as g:
        for answer in answers:
            state["answer"] = answer
            status, _, body = g.post("/v1/chat/completions", chat())
            equal(status, 502, f"{answer!r}")
            check(json.loads(body)["error"]["code"] in ("upstream_closed", "upstream_invalid_response"), f"{answer!r} gave {body!r}")
        equal(len(g.rows(100)), len(answers), "a row each")


def draining():
    release = threading.Event()

    def held(request):
        request.begin_stream()
        request.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n')
        release.wait(10)
        request.chunk(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        request.end()

    up = Upstream(held)
    with Gateway(up.url) as g:
        idle = http.client.HTTPConnection("127.0.0.1", g.port)
        idle.request("GET", "/livez")
        equal(idle.getresponse().read() != b"", True, "a kept connection")
        live = http.client.HTTPConnection("127.0.0.1", g.port)
        live.request("POST", "/v1/chat/completions", json.dumps(chat(stream=True)), {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json"})
        answer = live.getresponse()
        first = answer.read1(1000)
        g.process.send_signal(signal.SIGTERM)
        wait_until("no new connections", 2, lambda: refused(g.port))
        release.set()
        rest = answer.read()
        check((first + rest).endswith(b"data: [DONE]\n\n"), "the stream that was under way ends normally")
        equal(g.process.wait(10), 0, "exit status")


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return False
    except OSError:
        return True


def secrets_stay_secret():
    up = Upstream(ok)
    with Gateway(up.url, args=["--log-level", "debug"]) as g:
        key = g.key("canary")
        g.post("/v1/chat/completions", chat(), key=key)
        g.post("/v1/chat/completions", chat(), key=key + "x")
        outputs = [g.get("/tollgate/v1/integrations")[2], g.get("/tollgate/v1/keys")[2], g.get("/tollgate/v1/logs")[2], g.get("/metrics")[2],
                   g.get("/tollgate/v1/status")[2], g.log_text().encode()]
        outputs += [open(os.path.join(base, f), "rb").read() for base, _, files in os.walk(g.dir) for f in files]
        for secret in (PROVIDER_KEY, key):
            check(not any(secret.encode() in o for o in outputs), "a key is seen where it was not put")


run(who_asks, what_is_asked, every_answer_carries_its_ids, where_it_goes, time_outs, upstream_errors_pass_unchanged, broken_upstreams, draining, secrets_stay_secret)
