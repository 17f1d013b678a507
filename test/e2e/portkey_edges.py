#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=150
"""
Routed requests at the edges of HTTP and of JSON: compressed answers, large bodies that are sent again, odd framings,
fields that must not leak or break out of their place, patterns that never end.
"""

import gzip
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, completion
from portkey import Bench, asked, fallback, message_of, sees, suite, target
from scripted import encoded, say, stream

CHAT = "/v1/chat/completions"
SIMPLE = {"provider": "@a", "cache": {"mode": "simple"}}


def zipped(status=200, body=None, always=False):
    """An answer that is compressed where the request allows it, or in any case."""
    def answer(request):
        data = encoded(completion(model=request.model) if body is None else body)
        if always or "gzip" in request.headers.get("accept-encoding", ""):
            return say(status, body=gzip.compress(data), headers={"Content-Encoding": "gzip"})(request)
        return say(status, body=data)(request)
    return answer


def opened(headers, body):
    return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body


def compressed_answers(b):
    bad = completion()
    bad["choices"][0]["message"]["content"] = "a bad word"
    deny = {"provider": "@a", "output_guardrails": [{"default.contains": {"operator": "none", "words": ["bad"]}, "deny": True}]}
    for name, always in (("asks", False), ("forces", True)):
        b.up.on("zip-" + name, zipped(body=bad, always=always))
        r = b.chat("zip-" + name, config=deny)
        sees("guardrail", r.status, 446, f"an upstream that {name} gzip")
    b.up.on("zip-c", zipped())
    for accepts, wanted in (("gzip", "MISS"), ("gzip", "HIT"), ("identity", "HIT"), ("gzip, deflate", "HIT")):
        status, headers, body = b.raw(asked("zip-c"), {"x-portkey-config": SIMPLE, "accept-encoding": accepts})
        sees("cache", (status, headers["x-portkey-cache-status"]), (200, wanted), f"a client that takes {accepts}")
        check("identity" not in accepts or "content-encoding" not in headers, "cache: a compressed answer to a client that cannot read it")
        sees("cache", json.loads(opened(headers, body))["model"], "zip-c", "answer")
    b.up.on("zip-r", zipped(500, {"error": {}}), zipped(503, {"error": {}}, always=True), zipped())
    status, headers, body = b.raw(asked("zip-r"), {"x-portkey-config": {"provider": "@a", "retry": {"attempts": 3}}, "accept-encoding": "gzip"})
    sees("retry", (status, headers["x-portkey-retry-attempt-count"], json.loads(opened(headers, body))["model"]), (200, "2", "zip-r"), "answer")


def large_bodies_are_sent_again(b):
    for size, kept in ((1 << 20, True), (5 << 20, True), (15 << 20, True), (17 << 20, False)):
        body = json.dumps(asked("m", "x" * size)).encode()
        for name, config in (("retry", {"provider": "@a", "retry": {"attempts": 2}}), ("fallback", fallback(target("a"), target("b")))):
            b.up.on_path(CHAT, say(500), say(body={"ok": True}))
            before = len(b.up.requests)
            status, _, _ = b.raw(body, {"x-portkey-config": config})
            made = b.up.requests[before:]
            sees(name, (status, len(made)), (200, 2) if kept else (500, 1), f"status and calls of {size >> 20} MiB")
            check(all(r.size == len(body) for r in made) and len({r.hash.digest() for r in made}) == 1, f"{name}: {size >> 20} MiB were changed")
        b.up.on_path(CHAT, say(body={"ok": True}))
        before = len(b.up.requests)
        status, _, answer = b.raw(body, {"x-portkey-config": {"provider": "@a", "override_params": {"model": "longer-name"}}})
        made = b.up.requests[before:]
        if kept:
            sees("override", (status, [r.size for r in made]), (200, [len(body) + 10]), f"{size >> 20} MiB")
        else:
            sees("override", (status, made), (413, []), f"{size >> 20} MiB")
            check("16 MiB" in message_of(answer), f"override: {answer[:200]!r}")
    b.up.on_path(CHAT)
    b.up.requests.clear()


def converse(b, data, answers, timeout=20):
    """Everything up to so many whole answers of status 200."""
    got, end = b"", time.monotonic() + timeout
    with b.gw.socket(timeout=timeout) as s:
        s.sendall(data)
        while got.count(b"HTTP/1.1 200") < answers or not got.endswith(b"}"):
            more = s.recv(65536)
            if not more or time.monotonic() > end:
                break
            got += more
    return got


def odd_framings(b):
    b.up.on("odd-0", say(500))
    config = json.dumps(fallback(target("a", "odd-0"), target("b", "odd-1")))
    body = json.dumps(asked()).encode()
    head = (f"POST {CHAT} HTTP/1.1\r\nHost: g\r\nx-portkey-api-key: {b.key}\r\nx-portkey-config: {config}\r\n"
            "Content-Type: application/json\r\n").encode()
    whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n"
    for name, data, n in (("pipelined", whole * 5, 5), ("chunked", chunked * 2, 2), ("after 100", head + b"Expect: 100-continue\r\n" + whole[len(head):], 1)):
        got = converse(b, data, n)
        sees(name, (got.count(b"HTTP/1.1 200"), got.count(b"config.targets[1]")), (n, n), f"answers: {got[:200]!r}")

    def informed(request):
        request.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        return say(500)(request)

    def unbounded(request):
        request.send(b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\n\r\n{\"a\":1}")
        return "close"

    def enormous(request):
        request.send(b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1500):
            request.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        request.send(b"0\r\n\r\n")

    def halved(request):
        request.send(b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        return "close"

    def unreadable(request):
        request.send(b"nonsense\r\n\r\n")
        return "close"
    for name, play in (("103 first", informed), ("no length", unbounded), ("50 MB of error", enormous), ("half an error", halved), ("no HTTP", unreadable)):
        b.up.on("odd-0", play)
        got = converse(b, whole, 1)
        sees(name, (got.count(b"HTTP/1.1 200"), got.count(b"config.targets[1]")), (1, 1), f"answers: {got[:200]!r}")


def secrets_stay_here(b):
    names = ["x-portkey-api-key", "x-portkey-config", "authorization", "api-key", "x-api-key", "x-tollgate-request-id", "cookie", "host",
             "content-length", "transfer-encoding", "connection"]
    config = {"provider": "@a", "forward_headers": names}
    for where, fields in (("header", {"x-portkey-provider": "@a", "x-portkey-forward-headers": ",".join(names)}), ("config", {"x-portkey-config": config})):
        for carrier in ("x-portkey-api-key", "authorization", "api-key", "x-api-key"):
            send = {**{k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}, "cookie": "session=1",
                    carrier: ("Bearer " if carrier == "authorization" else "") + b.key}
            status, _, answer = b.gw.request("POST", CHAT, asked("leak"), send, key=None)
            sees("forwarding", status, 200, f"{where}, key in {carrier}: {answer[:200]!r}")
            request = b.up.requests[-1]
            check(b.key not in request.head.decode("latin-1"), f"forwarding: {where}, key in {carrier}: it went upstream: {request.head!r}")
            sees("forwarding", [k for k in request.headers if k in ("cookie", "connection", "transfer-encoding")], [], "fields that stay here")
            sees("forwarding", request.headers["host"], f"127.0.0.1:{b.up.port}", "host")


def values_stay_in_their_place(b):
    own = {"provider": "openai", "custom_host": b.up.url}
    azure = {"provider": "azure-openai", "api_key": "k", "custom_host": b.up.host("/openai"), "deployment_id": "d"}
    evil = "x\r\nX-Evil: 1"
    wrong = [{**own, "api_key": evil}, {**own, "api_key": "k", "openai_organization": evil}, {**own, "api_key": "k", "openai_project": evil},
             {**own, "api_key": "k", "custom_host": b.up.host("/a b/v1")}, {**own, "api_key": "k", "custom_host": b.up.host("/\r\nX-Evil: 1")},
             {**azure, "azure_ad_token": evil}, {**azure, "api_key": evil}, {"provider": "azure-openai", "api_key": "k", "resource_name": "evil.com/#",
                                                                            "deployment_id": "d"}]
    for config in wrong:
        before = len(b.up.requests)
        status, _, answer = b.raw(asked("evil"), {"x-portkey-config": config})
        sees("values", (status, len(b.up.requests) - before), (400, 0), f"{config}: {answer[:200]!r}")
        check("X-Evil" not in answer.decode() and "evil" not in answer.decode().lower().replace("evil.com", ""), f"values: quoted: {answer[:300]!r}")
    b.raw(asked("odd"), {"x-portkey-config": {**azure, "deployment_id": "../../x y?z#&", "api_version": "2024&a=b"}})
    sees("values", b.up.requests[-1].target, "/openai/deployments/..%2F..%2Fx%20y%3Fz%23%26/chat/completions?api-version=2024%26a%3Db", "Azure's path")
    name = 'quote" back\\ line\r\n ü'
    status, _, _ = b.raw(asked("odd"), {"x-portkey-config": {"provider": "@a", "override_params": {"model": name}}})
    sees("values", (status, b.up.requests[-1].model), (200, name), "a model's name")


def bodies_that_are_no_json(b):
    config = {"provider": "@a", "override_params": {"model": "x"}, "retry": {"attempts": 1}}
    before = len(b.up.requests)
    for bad in (b"{bad", b'{"model":"a"', b'{"model":"a","model":"b"}', b'{"a":1}x'):
        status, headers, answer = b.raw(bad, {"x-portkey-config": config})
        sees("body", status, 400, f"{bad!r}: {answer[:200]!r}")
        check(json.loads(answer)["error"]["message"] and "x-portkey-trace-id" in headers, f"body {bad!r}: {answer!r}")
    sees("body", len(b.up.requests), before, "calls upstream")


def patterns_that_never_end(b):
    def took(fields, text="x"):
        begun = time.monotonic()
        status, _, answer = b.raw(asked("re", text), fields)
        check(time.monotonic() - begun < 1, f"pattern: {fields} took {time.monotonic() - begun:.1f} s")
        return status, answer
    route = {"strategy": {"mode": "conditional", "conditions": [{"query": {"metadata.a": {"$regex": "^(a+)+$"}}, "then": "t"}], "default": "d"},
             "targets": [target("a", "re-t", name="t"), target("b", "re-d", name="d")]}
    status, answer = took({"x-portkey-config": route, "x-portkey-metadata": {"a": "a" * 100 + "b"}})
    sees("pattern", (status, json.loads(answer)["model"]), (200, "re-d"), "a condition")
    guard = {"provider": "@a", "input_guardrails": [{"default.regexMatch": {"rule": "^(a+)+$"}, "deny": True}]}
    status, _ = took({"x-portkey-config": guard}, "a" * 300000 + "b")
    check(status in (200, 446), f"pattern: a guardrail gave {status}")


def overrides_of_stream(b):
    """What the upstream is told is what counts for how its answer is read."""
    _, headers, body = b.raw(asked("ov-1"), {"x-portkey-config": {"provider": "@a", "override_params": {"stream": True}}, "x-portkey-trace-id": "ov-1"})
    check(headers["content-type"] == "text/event-stream" and body.endswith(b"data: [DONE]\n\n"), f"stream by override: {headers} {body[-80:]!r}")
    _, headers, body = b.raw(asked("ov-2", stream=True), {"x-portkey-config": {"provider": "@a", "override_params": {"stream": False}},
                                                          "x-portkey-trace-id": "ov-2"})
    sees("override", (headers["content-type"], json.loads(body)["model"]), ("application/json", "ov-2"), "no stream by override")
    for trace in ("ov-1", "ov-2"):
        usage = b.rows(trace)[0]["usage"]
        sees("override", (usage["source"], usage["output_tokens"]), ("reported", 7), f"usage of {trace}")


def a_broken_stream_is_told(b):
    """After the first byte nothing is tried again, and the end is an error that both SDKs raise on."""
    config = fallback(target("a", "broken"), target("b", "never"), retry={"attempts": 3})
    for reset in (False, True):
        b.up.on("broken", stream(cut_after=2, reset=reset))
        for name, r in (("Node", b.chat("m", stream=True, config=config)), ("Node, openai", b.node(
                "chat.completions.create", asked("m", stream=True), sdk="openai", stream=True, defaultHeaders={"$headers": {
                    "apiKey": b.key, "config": config}})),
                        ("Python", b.python("chat.completions.create", asked("m", stream=True), stream=True, config=config))):
            check(not r.ok, f"a broken stream: {name} saw no error: {r.chunks}")
    sees("a broken stream", (b.up.count("never"), b.up.count("broken")), (0, 6), "calls of the second target and of the first")


if __name__ == "__main__":
    suite(Bench, [compressed_answers, large_bodies_are_sent_again, odd_framings, secrets_stay_here, values_stay_in_their_place,
                  bodies_that_are_no_json, patterns_that_never_end, overrides_of_stream, a_broken_stream_is_told])
