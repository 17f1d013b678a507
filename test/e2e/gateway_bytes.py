#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes pass unchanged in both directions, but for the edits that are named."""

import gzip
import hashlib
import json
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import (ADMIN_KEY, PROVIDER_KEY, Gateway, Upstream, chat, check, chunk_events, completion, equal, run)

ODD_BODIES = [
    b'{"model":"gpt-4o-mini","messages":[],"new_field":{"a":[1,2,{"b":null}]},"n":1}',
    b'{ "messages" : [ ] ,\r\n\t"model"\n:\n"gpt-4o-mini" , "big":18446744073709551616,"huge":1e400,"neg":-0.0 }',
    b'{"mod\\u0065l":"gpt-4o-mini","messages":[{"role":"user","content":"\\ud83d\\ude00 \\u0000 \xf0\x9f\x98\x80"}]}',
    b'{"model":"gpt-4o-mini","messages":[],"dup":1,"dup":2,"metadata":{"x":"y"}}',
    b'  {"model":"gpt-4o-mini","messages":[],"stream":false,"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}  \n',
]


def serve(request):
    if request.target.endswith("/models"):
        request.answer(b'{"object":"list","data":[]}', fields="x-request-id: req_1\r\nopenai-version: 2020-10-01\r\n")
    else:
        request.answer(json.dumps(completion()).encode())


def odd_bodies_reach_upstream_byte_for_byte():
    up = Upstream(serve)
    with Gateway(up.url) as g:
        for body in ODD_BODIES:
            status, _, answer = g.post("/v1/chat/completions", body)
            equal(status, 200, f"status for {body!r}: {answer!r}")
            equal(up.requests[-1].body, body, "the body upstream got")
        for seed in range(200):
            body = random_body(random.Random(seed))
            g.post("/v1/chat/completions", body)
            equal(up.requests[-1].body, body, f"the body upstream got, seed {seed}")


def random_body(rnd):
    def value(depth):
        kind = rnd.randrange(8 if depth < 4 else 5)
        if kind == 0:
            return rnd.choice(["null", "true", "false"])
        if kind == 1:
            return rnd.choice(["0", "-1", "1e5", "1.50", "9223372036854775808", "1E-400", "123456789012345678901234567890"])
        if kind in (2, 3, 4):
            return '"' + "".join(rnd.choice(['a', 'é', '\\"', '\\\\', '\\n', '\\u00e9', '\\ud800', '😀', ' ', '{', '}']) for _ in range(rnd.randrange(12))) + '"'
        if kind in (5, 6):
            return "[" + space() + ",".join(value(depth + 1) for _ in range(rnd.randrange(4))) + space() + "]"
        return "{" + ",".join(f'{space()}"k{rnd.randrange(5)}"{space()}:{value(depth + 1)}' for _ in range(rnd.randrange(4))) + "}"

    def space():
        return rnd.choice(["", "", " ", "\n", "\t ", "\r\n"])

    members = [f'"model"{space()}:{space()}"gpt-4o-mini"', f'"messages":{space()}[{value(2)}]'] + [f'"x{i}":{value(1)}' for i in range(rnd.randrange(5))]
    rnd.shuffle(members)
    return (space() + "{" + (space() + ",").join(members) + "}" + space()).encode("utf-8", "surrogatepass")


def answers_reach_the_client_byte_for_byte():
    bodies = [b'{"id": "x",\n "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, "new": [1e400]}',
              b'not json at all', b'', b'\x00\xff' * 5000]
    state = {}

    def answer(request):
        request.answer(state["body"], fields="x-request-id: req_9\r\nx-ratelimit-remaining-requests: 59\r\nx-ratelimit-reset-tokens: 6m0s\r\nopenai-processing-ms: 12\r\n")

    up = Upstream(answer)
    with Gateway(up.url) as g:
        for body in bodies:
            state["body"] = body
            status, headers, got = g.post("/v1/chat/completions", chat())
            equal((status, got), (200, body), "the answer")
            for name, value in {"x-request-id": "req_9", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-tokens": "6m0s", "openai-processing-ms": "12"}.items():
                equal(headers.get(name), value, name)


def credentials_stay_on_their_side():
    up = Upstream(serve)
    with Gateway(up.url) as g:
        key = g.key("bytes")
        g.request("GET", "/v1/files", key=key, headers={"OpenAI-Organization": "org-x", "Cookie": "a=b", "X-Forwarded-For": "1.2.3.4",
                  "x-portkey-metadata": '{"_user":"u"}', "X-Custom": "kept", "Connection": "close, X-Hop", "X-Hop": "no"})
        seen = up.requests[-1]
        equal(seen.headers.get("authorization"), "Bearer " + PROVIDER_KEY, "the provider's key goes upstream")
        text = repr(seen.fields)
        check(key not in text and ADMIN_KEY not in text, "the client's key must not go upstream")
        for name in ("openai-organization", "cookie", "x-forwarded-for", "x-portkey-metadata", "x-hop", "connection"):
            check(name not in seen.headers, f"{name} must not go upstream")
        equal(seen.headers.get("x-custom"), "kept", "other fields pass")
        equal(seen.headers.get("host"), f"127.0.0.1:{up.port}", "Host is upstream's")
        for secret in (PROVIDER_KEY, key):
            check(secret not in g.log_text(), "no key in the log")


def usage_is_asked_for_and_hidden():
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}

    def stream(request):
        asked = request.json().get("stream_options", {}).get("include_usage")
        request.begin_stream()
        for event in chunk_events(usage=usage if asked else None, nulls=bool(asked)):
            request.chunk(event)
        request.end()

    up = Upstream(stream)
    with Gateway(up.url) as g:
        body = b'{"model":"gpt-4o-mini","messages":[],"stream":true}'
        status, _, got = g.post("/v1/chat/completions", body)
        equal(got, b"".join(chunk_events()), "the stream is as if usage had not been asked for")
        sent = up.requests[-1].body
        equal(sent.replace(b'"stream_options":{"include_usage":true},', b"", 1), body, "only the option was added")
        row = g.rows(1)[0]
        equal((row["usage"]["source"], row["usage"]["input_tokens"], row["usage"]["output_tokens"]), ("reported", 9, 3), "usage in the row")
        equal(row["cost_usd"], "0.00000315", "9 × 0.15 + 3 × 0.60 dollars a million")
        asked = {"model": "gpt-4o-mini", "messages": [], "stream": True, "stream_options": {"include_usage": True}}
        _, _, got = g.post("/v1/chat/completions", asked)
        equal(got, b"".join(chunk_events(usage=usage, nulls=True)), "who asks for usage gets it untouched")
        equal(up.requests[-1].json(), asked, "nothing was added")


def streams_survive_any_split():
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    whole = b"".join(chunk_events(usage=usage, nulls=True))

    def stream(request):
        size = int(request.headers["x-split"])
        request.begin_stream()
        for i in range(0, len(whole), size):
            request.chunk(whole[i:i + size])
        request.end()

    up = Upstream(stream)
    with Gateway(up.url) as g:
        for size in (1, 2, 3, 7, 64, 1000, len(whole)):
            _, _, got = g.post("/v1/chat/completions", chat(stream=True), headers={"x-split": str(size)})
            equal(got, b"".join(chunk_events()), f"the stream in pieces of {size}")
        equal([(r["usage"]["source"], r["usage"]["output_tokens"]) for r in g.rows(7)], [("reported", 3)] * 7, "usage at every split")


def large_json_streams_through_and_is_edited_at_its_end():
    usage = {"prompt_tokens": 900000, "completion_tokens": 3, "total_tokens": 900003}

    def stream(request):
        request.begin_stream()
        for event in chunk_events(usage=usage, nulls=True):
            request.chunk(event)
        request.end()

    up = Upstream(stream)
    with Gateway(up.url) as g:
        text = "x" * 3_000_000
        body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], "stream": True}).encode()
        _, _, got = g.post("/v1/chat/completions", body)
        equal(got, b"".join(chunk_events()), "the stream")
        sent = up.requests[-1].body
        equal(hashlib.sha256(sent.replace(b',"stream_options":{"include_usage":true}', b"", 1)).hexdigest(), hashlib.sha256(body).hexdigest(), "the body")
        row = g.rows(1)[0]
        equal((row["model_asked"], row["usage"]["source"], row["stream"]), ("gpt-4o-mini", "reported", True), "the row")
        full = json.loads(g.get("/tollgate/v1/logs/" + row["id"])[2])
        equal(full["request_body"]["sha256"], hashlib.sha256(body).hexdigest(), "the hash of the cut body")
        equal((full["request_body"]["size_bytes"], full["request_body"]["cut"]), (len(body), True), "its size")


def forms_pass_untouched_and_are_read():
    def transcribe(request):
        request.answer({"text": "hello", "usage": {"type": "duration", "seconds": 7}})

    up = Upstream(transcribe)
    with Gateway(up.url) as g:
        blob = os.urandom(700_000)
        boundary = "----b0undary"
        body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n').encode() + blob + \
               (f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--{boundary}--\r\n').encode()
        status, headers, _ = g.post("/v1/audio/transcriptions", body, headers={"Content-Type": "multipart/form-data; boundary=" + boundary})
        equal(status, 200, "status")
        equal(hashlib.sha256(up.requests[-1].body).hexdigest(), hashlib.sha256(body).hexdigest(), "the form")
        row = g.rows(1)[0]
        equal((row["operation"], row["model_asked"], row["usage"]["meters"]), ("audio.transcriptions", "whisper-1", {"audio_ms": 7000}), "the row")
        equal(headers["x-tollgate-cost-usd"], "0.0007", "7 s at 0.006 dollars a minute")


def compressed_answers_are_metered_in_passing():
    raw = gzip.compress(json.dumps(completion(prompt=100, output=50)).encode())

    def zipped(request):
        check("gzip" in request.headers.get("accept-encoding", ""), "the client's gzip is asked for")
        request.answer(raw, fields="Content-Encoding: gzip\r\n")

    up = Upstream(zipped)
    with Gateway(up.url) as g:
        _, headers, got = g.post("/v1/chat/completions", chat(), headers={"Accept-Encoding": "gzip, br"})
        equal(got, raw, "the compressed bytes")
        equal(headers.get("content-encoding"), "gzip", "their coding")
        row = g.rows(1)[0]
        equal((row["usage"]["source"], row["usage"]["input_tokens"]), ("reported", 100), "usage")


def chunked_requests_and_close_delimited_answers_pass():
    def until_close(request):
        request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(completion()).encode())
        return "close"

    up = Upstream(until_close)
    with Gateway(up.url) as g:
        body = json.dumps(chat()).encode()
        with socket.create_connection(("127.0.0.1", g.port)) as s:
            s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
            for i in range(0, len(body), 5):
                s.sendall(b"%x\r\n%s\r\n" % (len(body[i:i + 5]), body[i:i + 5]))
            s.sendall(b"0\r\n\r\n")
            got = b""
            while more := s.recv(65536):
                got += more
        check(got.endswith(json.dumps(completion()).encode()), "the answer")
        equal(up.requests[-1].body, body, "the request's body")


run(odd_bodies_reach_upstream_byte_for_byte, answers_reach_the_client_byte_for_byte, credentials_stay_on_their_side,
    usage_is_asked_for_and_hidden, streams_survive_any_split, large_json_streams_through_and_is_edited_at_its_end,
    forms_pass_untouched_and_are_read, compressed_answers_are_metered_in_passing,
    chunked_requests_and_close_delimited_answers_pass)
