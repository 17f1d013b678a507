#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP's corners across the hop: answers without bodies, pipelines, connections that go on after errors, nothing smuggled into heads."""

import http.client
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, PROVIDER_KEY, Gateway, Upstream, chat, check, chunk_events, completion, equal, request_bytes, run, wait_until


def ok(request):
    request.answer(completion())


def on_one_connection(g, *requests):
    """Sends the requests one after the other on one connection; (status, headers, body) of each."""
    c, answers = g.connection(), []
    for method, path, body, headers in requests:
        c.request(method, path, body, {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json", **headers})
        a = c.getresponse()
        answers.append((a.status, {k.lower(): v for k, v in a.getheaders()}, a.read()))
    c.close()
    return answers


def answers_without_bodies_keep_the_connection_in_step():
    def bodiless(request):
        if request.method == "HEAD":
            request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n")
        elif request.method == "DELETE":
            request.send(b"HTTP/1.1 204 No Content\r\nx-request-id: req_204\r\n\r\n")
        elif "if-none-match" in request.headers:
            request.send(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 77\r\n\r\n")
        elif request.target.endswith("/early"):
            request.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            request.answer(b"{}")
        elif request.target.endswith("/empty"):
            request.answer(b"")
        elif request.target.endswith("/none"):
            request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        else:
            ok(request)

    up = Upstream(bodiless)
    with Gateway(up.url) as g:
        chatting = ("POST", "/v1/chat/completions", json.dumps(chat()), {})
        for method, path, headers, status in (("HEAD", "/v1/models", {}, 200), ("DELETE", "/v1/files/x", {}, 204), ("GET", "/v1/models", {"If-None-Match": '"a"'}, 304),
                                              ("GET", "/v1/early", {}, 200), ("GET", "/v1/empty", {}, 200), ("GET", "/v1/none", {}, 200), ("HEAD", "/v1/chat/completions", {}, 200)):
            first, second, third = on_one_connection(g, (method, path, None, headers), chatting, (method, path, None, headers))
            equal((first[0], first[2] in (b"", b"{}")), (status, True), f"{method} {path}")
            equal((second[0], json.loads(second[2])["object"]), (200, "chat.completion"), f"what follows {method} {path}")
            equal((third[0], third[2]), (first[0], first[2]), f"{method} {path} again")
            check(status not in (204, 304) or not {"content-length", "transfer-encoding"} & set(first[1]), f"{status} announces no body: {first[1]}")
            check("x-tollgate-request-id" in first[1] and "x-portkey-trace-id" in first[1], f"{method} {path}: ids")
        head = on_one_connection(g, ("HEAD", "/v1/models", None, {}))[0]
        equal((head[1]["etag"], head[1].get("content-length")), ('"a"', "1234"), "what HEAD is for")
        check({r["outcome"] for r in g.rows(100)} == {"completed"}, "rows")


def bodies_where_none_may_be_are_dropped():
    state = {}

    def liar(request):
        if request.target.endswith("/lie"):
            request.send(state["answer"])
        else:
            ok(request)

    up = Upstream(liar)
    with Gateway(up.url) as g:
        for status, answer in ((204, b"HTTP/1.1 204 No Content\r\nContent-Length: 30\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n"),
                               (304, b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
                               (200, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")):
            state["answer"] = answer
            answers = on_one_connection(g, ("GET", "/v1/lie", None, {}), ("POST", "/v1/chat/completions", json.dumps(chat()), {}))
            equal([a[0] for a in answers], [status, 200], f"{answer!r}")
            check(b"evil" not in answers[0][2] + answers[1][2] and "x-evil" not in answers[1][1], f"{answers}")


def connections_go_on_after_errors():
    def moody(request):
        if request.headers.get("x-how") == "drop":
            return "close"
        if request.headers.get("x-how") == "error":
            request.answer(b'{"error":{}}', status="429 Too Many Requests")
        else:
            ok(request)

    up = Upstream(moody)
    good = ("POST", "/v1/chat/completions", json.dumps(chat()), {})
    with Gateway(up.url, args=["--max-body-bytes", "10k"]) as g:
        for bad, status in ((("POST", "/v1/chat/completions", "{", {}), 400), (("POST", "/v1/chat/completions", "{}", {"Authorization": "Bearer tg-no"}), 401),
                            (("GET", "/nothing", None, {}), 404), (("PUT", "/tollgate/v1/keys", "{}", {}), 405), (("POST", "/tollgate/v1/keys", '{"odd":1}', {}), 400),
                            (("POST", "/v1/chat/completions", json.dumps(chat()), {"x-how": "drop"}), 502), (("POST", "/v1/chat/completions", json.dumps(chat()), {"x-how": "error"}), 429)):
            c = g.connection()
            c.connect()
            port = c.sock.getsockname()[1]
            for (method, path, body, headers), wanted in ((good, 200), (bad, status), (good, 200)):
                c.request(method, path, body, {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json", **headers})
                a = c.getresponse()
                a.read()
                equal(a.status, wanted, f"{bad}")
            if status not in (401, 405) and not (status == 400 and "tollgate" in bad[1]):  # those are answered before their body is read
                equal(c.sock.getsockname()[1], port, f"{bad}: the same connection")
            c.close()
        s = g.socket()
        s.sendall(request_bytes(b"x" * 20_000)[:5000])
        got = b""
        while more := s.recv(65536):
            got += more
        equal((got.startswith(b"HTTP/1.1 413 "), got.count(b"HTTP/1.1 ")), (True, 1), "a body that was not read ends the connection")


def pipelined_requests_are_answered_in_order():
    def numbered(request):
        time.sleep(0.05 if request.headers["x-n"] == "0" else 0)
        if b'"stream": true' in request.body:
            request.begin_stream()
            for event in chunk_events():
                request.chunk(event)
            request.end()
        else:
            request.answer(completion(model=f"n{request.headers['x-n']}"))

    up = Upstream(numbered)
    with Gateway(up.url) as g:
        s = g.socket()
        wire = b"".join(request_bytes(chat(stream=i == 3), fields=f"x-n: {i}\r\n") for i in range(6)) + request_bytes(b"", "/livez", method="GET", fields="Connection: close\r\n")
        for i in range(0, len(wire), 333):
            s.sendall(wire[i:i + 333])
        answers, order = s.makefile("rb"), []
        for i in range(7):
            a = http.client.HTTPResponse(Kept(answers), method="GET")
            a.begin()
            order.append(a.read())
            equal(a.status, 200, f"answer {i}")
        equal([b"n%d" % i in order[i] for i in range(6) if i != 3], [True] * 5, "order")
        check(order[3].endswith(b"data: [DONE]\n\n") and b"ok" in order[6], f"{order[3][-50:]!r} {order[6]!r}")


class Kept:
    """For HTTPResponse, which wants a socket and would close its file: one file for many answers."""

    def __init__(self, file):
        self.file = file

    def makefile(self, mode):
        return self

    def close(self):
        pass

    def flush(self):
        pass

    def __getattr__(self, name):
        return getattr(self.file, name)


def nothing_is_smuggled_into_heads():
    def nosy(request):
        request.answer(completion(), fields="x-tollgate-cost-usd: 999\r\nX-Tollgate-Request-Id: fake\r\nx-portkey-trace-id: fake\r\nSet-Cookie: a=b\r\n"
                       "Alt-Svc: h2\r\nConnection: x-private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nx-kept: yes\r\nx-kept: twice\r\n")

    up = Upstream(nosy)
    with Gateway(up.url) as g:
        status, headers, _ = g.post("/v1/chat/completions", chat(model="a\r\nX-Evil: 1"), headers={"x-portkey-trace-id": "t" * 500, "traceparent": "00-" + "z" * 32 + "-" + "1" * 16 + "-01"})
        check(status == 200 and "x-evil" not in headers and "x-evil" not in up.requests[-1].headers, f"{headers}")
        check(headers["x-tollgate-cost-usd"] != "999" and headers["x-tollgate-request-id"].startswith("tgr_") and headers["x-portkey-trace-id"].startswith("ttt"), f"{headers}")
        for name in ("set-cookie", "alt-svc", "x-private", "keep-alive"):
            check(name not in headers, f"{name} must not reach the client")
        s = g.socket()
        s.sendall(request_bytes(chat(), fields="Connection: close\r\n"))
        got = b""
        while more := s.recv(65536):
            got += more
        equal((got.count(b"x-kept: "), got.count(b"x-tollgate-request-id")), (2, 1), "fields that may come twice do")
        for path in ("/v1/a%0d%0aX-Evil:%201", "/v1/models?x=%0d%0aX-Evil:%201", "/v1/models?x=a%00b"):
            g.get(path)
            equal((up.requests[-1].target, "x-evil" in up.requests[-1].headers), (path, False), path)
        seen = len(up.requests)
        for target in (b"/v1/../secret", b"/v1/%2e%2e/secret", b"/v1/./models", b"/v1/models\x00", b"/v1/mo dels", b"/v1/\\models", b"/v1/models#x"):
            s = g.socket()
            s.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ADMIN_KEY.encode() + b"\r\n\r\n")
            check(s.recv(1000).startswith(b"HTTP/1.1 400 "), f"{target!r} must be refused")
        for fields in (b"X: a\nY: b", b"X: a\r Y: b", b"X : a", b" X: a", b"X: a\x00b", b"Authorization: Bearer other", b"Content-Length: 0\r\nContent-Length: 0", b"Transfer-Encoding: gzip, chunked"):
            s = g.socket()
            s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ADMIN_KEY.encode() + b"\r\n" + fields + b"\r\n\r\n")
            check(s.recv(1000).startswith(b"HTTP/1.1 400 "), f"{fields!r} must be refused")
        equal(len(up.requests), seen, "nothing of it went upstream")


def broken_answers_do_not_reach_the_client():
    state = {}

    def odd(request):
        request.send(state["head"] + b"\r\n\r\n")
        return "close"

    up = Upstream(odd)
    with Gateway(up.url) as g:
        for head in (b"HTTP/1.1 200 OK\r\nX: a\nX-Evil: 1", b"HTTP/1.1 200 OK\r\nX: a\r\n folded", b"HTTP/1.1 200 OK\r\nX: a\x00b", b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1",
                     b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", b"HTTP/1.1 20 OK", b"HTTP/1.1 200 OK\r\n: x", b"ICY 200 OK", b"HTTP/1.1 200 O\x00K",
                     b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000):
            state["head"] = head
            status, headers, body = g.get("/v1/models")
            equal((status, json.loads(body)["error"]["code"]), (502, "upstream_invalid_response"), f"{head[:60]!r}")
            check("x-evil" not in headers, f"{headers}")


def old_clients_are_served():
    def some(request):
        if b'"stream": true' in request.body:
            request.begin_stream()
            for event in chunk_events():
                request.chunk(event)
            request.end()
        else:
            ok(request)

    up = Upstream(some)
    with Gateway(up.url) as g:
        for stream in (False, True):
            for fields in ("", "Connection: keep-alive\r\n"):
                s = g.socket()
                wire = request_bytes(chat(stream=stream), fields=fields).replace(b" HTTP/1.1\r\nHost: gateway\r\n", b" HTTP/1.0\r\n")
                s.sendall(wire)
                got = b""
                while more := s.recv(65536):
                    got += more
                    if fields and not stream and got.endswith(b"}"):
                        break  # the connection stays
                head, body = got.split(b"\r\n\r\n", 1)
                check(head.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding" not in head.lower(), f"{head!r}")
                equal(body, b"".join(chunk_events()) if stream else json.dumps(completion()).encode(), "the answer")
                if fields and not stream:
                    s.sendall(wire)
                    check(s.recv(65536).startswith(b"HTTP/1.1 200 "), "kept alive")
                s.close()


def keys_are_found_where_clients_put_them():
    up = Upstream(ok)
    with Gateway(up.url) as g:
        for headers in ({"Authorization": f"bearer   {ADMIN_KEY}"}, {"api-key": ADMIN_KEY}, {"x-api-key": ADMIN_KEY}, {"x-portkey-api-key": ADMIN_KEY},
                        {"x-portkey-api-key": ADMIN_KEY, "Authorization": "Bearer sk-the-providers"}, {"x-portkey-api-key": "", "Authorization": f"Bearer {ADMIN_KEY}"}):
            equal(g.post("/v1/chat/completions", chat(), key=None, headers=headers)[0], 200, f"{list(headers)}")
            check(ADMIN_KEY not in repr(up.requests[-1].fields) and "sk-the-providers" not in repr(up.requests[-1].fields), "and go no further")
        for headers in ({"Authorization": ADMIN_KEY}, {"Authorization": f"Basic {ADMIN_KEY}"}, {"Authorization": "Bearer"}, {"api-key": ""}):
            equal(g.post("/v1/chat/completions", chat(), key=None, headers=headers)[0], 401, f"{headers}")


def every_answer_says_whose_it_is():
    def some(request):
        if b'"stream": true' in request.body:
            request.begin_stream()
            for event in chunk_events():
                request.chunk(event)
            request.end()
        elif request.headers.get("x-how") == "drop":
            return "close"
        else:
            ok(request)

    up = Upstream(some)
    with Gateway(up.url) as g:
        for body, headers, status in ((chat(), {}, 200), (chat(stream=True), {}, 200), (b"{", {}, 400), (chat(), {"x-how": "drop"}, 502)):
            found, got, _ = g.post("/v1/chat/completions", body, headers={**headers, "x-portkey-trace-id": "mine"})
            equal((found, got["x-portkey-trace-id"]), (status, "mine"), f"{body}")
            row = g.rows(1)[0]
            equal((row["id"], row["trace_id"]), (got["x-tollgate-request-id"], "mine"), "the row has both")
            if body != chat(stream=True):
                check("x-tollgate-cost-usd" in got and int(got["x-tollgate-overhead-us"]) >= 0, f"{status}: cost and overhead in {got}")
        got = g.post("/v1/chat/completions", chat(), key=None)[1]
        check("x-tollgate-request-id" in got and "x-portkey-trace-id" in got, "a refusal too")
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        got = g.post("/v1/chat/completions", chat(), headers={"traceparent": parent})[1]
        row = g.rows(1)[0]
        equal((got["x-portkey-trace-id"], row["trace_id"], row["parent_span_id"]), ("0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), "traceparent")


run(answers_without_bodies_keep_the_connection_in_step, bodies_where_none_may_be_are_dropped, connections_go_on_after_errors,
    pipelined_requests_are_answered_in_order, nothing_is_smuggled_into_heads, broken_answers_do_not_reach_the_client,
    old_clients_are_served, keys_are_found_where_clients_put_them, every_answer_says_whose_it_is)
