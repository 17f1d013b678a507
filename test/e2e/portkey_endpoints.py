#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Portkey's contract, rows 74-91, 127 and 132-134: streams, every kind of endpoint, what passes untouched, catalogues,
realtime, health. Through the real SDKs; sizes and times that they cannot show are looked at beneath them.
"""

import base64
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, binary, check, free_port, request_bytes, wait_until
from portkey import Bench, asked, fallback, message_of, secret_of, sees, suite, target
from scripted import events_of, say, stream

BIG = 512_000_000
WORDS = tuple(f"w{i} " for i in range(12))


def file(name, content, kind):
    return {"$file": {"name": name, "base64": base64.b64encode(content).decode(), "type": kind}}


def resident_kb(b):
    for line in open(f"/proc/{b.gw.process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


# --- streams ------------------------------------------------------------------------------------------

def row_74_stream_transport(b):
    events = events_of(WORDS, model="m74")
    b.up.on("m74", stream(events, gap=0.005))
    wanted = [json.loads(e[6:]) for e in events[:-1]]
    results = {
        "Node portkey-ai": b.chat("m74", {"stream_options": {"include_usage": True}}, stream=True),
        "Python portkey-ai": b.python("chat.completions.create", asked("m74", stream=True, stream_options={"include_usage": True}),
                                      stream=True, provider="@openai"),
        "Node openai": b.node("chat.completions.create", asked("@openai/m74", stream=True, stream_options={"include_usage": True}),
                              sdk="openai", stream=True),
        "Python openai": b.python("chat.completions.create", asked("@openai/m74", stream=True, stream_options={"include_usage": True}),
                                  sdk="openai", stream=True),
    }
    for name, r in results.items():
        r.fine(f"row 74, {name}")
        sees("row 74", r.headers["content-type"], "text/event-stream", f"{name}: content type")
        sees("row 74", len(r.chunks), len(wanted), f"{name}: chunks")
        sees("row 74", r.text, "".join(WORDS), f"{name}: text")
        check(r.times[-2] - r.times[1] > 0.03, f"row 74: {name}: the chunks came all at once")
    sees("row 74", results["Node portkey-ai"].chunks, wanted, "chunks as they are")
    body = asked("m74", stream=True, stream_options={"include_usage": True})
    _, _, raw = b.raw(body, {"x-portkey-provider": "@openai"})
    sees("row 74", raw, b"".join(events), "bytes of the stream")


def first_byte_times(b, count=15):
    """Seconds from the upstream's first event to the client's, on one connection."""
    delays = []
    with b.gw.socket() as s:
        for _ in range(count):
            sent = []
            b.up.on("m74-fast", stream(events_of(("a", "b"), model="m74-fast"), sent=sent, first=0.01, gap=0.003))
            s.sendall(request_bytes(asked("m74-fast", stream=True), key=b.key, fields="x-portkey-provider: @openai\r\n"))
            got, arrived = b"", None
            while not got.endswith(b"0\r\n\r\n"):
                got += s.recv(65536)
                if arrived is None and b"data:" in got:
                    arrived = time.time()
            delays.append(arrived - sent[0])
    return delays


def row_74_first_byte(b):
    delays = first_byte_times(b)
    middle = statistics.median(delays)
    check(middle < 0.005, f"row 74: the first byte came {middle * 1000:.2f} ms after the upstream's (median of {len(delays)})")


def row_75_client_leaves(b):
    b.up.on("m75", stream(events_of(tuple("word " for _ in range(200)), model="m75"), gap=0.02))
    calls = {
        "t75-break": lambda: b.chat("m75", stream=True, take=3, traceID="t75-break"),
        "t75-abort": lambda: b.node("chat.completions.create", asked("@openai/m75", stream=True), {"signal": {"$abort": 150}},
                                    sdk="openai", stream=True, defaultHeaders={"x-portkey-trace-id": "t75-abort"}),
    }
    for trace, call in calls.items():
        call()
        left = time.time()
        request = b.up.seen("m75")[-1]
        wait_until(f"row 75: {trace}: the upstream's connection is closed", 3, lambda: request.closed_at)
        check(request.closed_at - left < 1, f"row 75: {trace}: it took {request.closed_at - left:.1f} s")
        row = b.rows(trace)[0]
        sees("row 75", row["outcome"], "client_cancelled", f"{trace}: outcome")
        check(row["usage"]["source"] == "estimated" and 0 < int(row["usage"]["output_tokens"]) < 100,
              f"row 75: {trace}: usage {row['usage']}")


def row_127_stream_usage(b):
    for name, provider in (("plain", {"provider": "@openai"}), ("config", {"config": fallback(target("a"), target("b"))})):
        model = "m127-" + name
        r = b.chat(model, stream=True, traceID="t127-" + name, **provider).fine("row 127")
        check(all(c["choices"] and "usage" not in c for c in r.chunks), f"row 127: {name}: a usage nobody asked for: {r.chunks}")
        sees("row 127", b.up.seen(model)[0].json().get("stream_options"), {"include_usage": True}, f"{name}: what upstream is asked for")
        row = b.rows("t127-" + name)[0]
        sees("row 127", (row["usage"]["source"], row["usage"]["input_tokens"], row["usage"]["output_tokens"]), ("reported", 11, 7), f"{name}: usage")
    r = b.node("chat.completions.create", asked("@openai/m127-o", stream=True, stream_options={"include_usage": True}), sdk="openai",
               stream=True).fine("row 127")
    sees("row 127", r.chunks[-1]["usage"]["total_tokens"], 18, "usage when it is asked for")


# --- bodies -------------------------------------------------------------------------------------------

def row_76_bodies_untouched(b):
    tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {"ü": {"const": 1.0}}}}}]
    body = asked("m76", tools=tools, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
                 x_not_yet_known={"deep": [None, True, 1e-7]}, temperature=3.5)
    r = b.node("chat.completions.create", body, sdk="openai", defaultHeaders={"x-portkey-provider": "@openai"}).fine("row 76")
    sees("row 76", b.up.seen("m76")[0].body.decode(), r.wire[0]["body"], "bytes upstream")
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m76b", "x_new": {"a": [1.0]}, "choices": [
        {"index": 0, "finish_reason": "tool_calls", "x": 1, "message": {"role": "assistant", "content": None, "tool_calls": [
            {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"ü\": \"a\\nb\"}"}}]}}]}
    b.up.on("m76b", say(body=answer))
    r = b.node("chat.completions.create", asked("m76b"), sdk="openai", defaultHeaders={"x-portkey-provider": "@openai"}).fine("row 76")
    sees("row 76", r.value, answer, "reply with tool calls")


def row_77_strict_errors(b):
    body = {"error": {"message": "Incorrect API key provided: sk-x.", "type": "invalid_request_error", "param": None, "code": "invalid_api_key",
                      "x": [1]}}
    b.up.on("m77", say(401, body=body))
    r = b.node("chat.completions.create", asked("m77"), sdk="openai", defaultHeaders={"x-portkey-provider": "@openai"})
    sees("row 77", (r.status, r.error["name"], r.error["error"]), (401, "AuthenticationError", body["error"]), "Node's error")
    p = b.python("chat.completions.create", asked("m77"), sdk="openai", default_headers={"x-portkey-provider": "@openai"})
    sees("row 77", (p.status, p.error["name"], p.error["body"]), (401, "AuthenticationError", body["error"]), "Python's error")
    b.up.on("m77-html", say(502, body=b"<html>bad gateway</html>", type="text/html"))
    r = b.node("chat.completions.create", asked("m77-html"), sdk="openai", maxRetries=0, defaultHeaders={"x-portkey-provider": "@openai"})
    sees("row 77", r.status, 502, "an error that is no JSON")


def row_78_embeddings(b):
    p = b.python("embeddings.create", {"model": "text-embedding-3-small", "input": "row 78"}, provider="@openai", trace_id="t78").fine("row 78")
    vector = p.value["data"][0]["embedding"]
    if isinstance(vector, str):
        vector = base64.b64decode(vector)
    check(len(vector) >= 64, f"row 78: vector {vector!r}"[:200])
    row = b.rows("t78")[0]
    sees("row 78", (row["operation"], row["usage"]["input_tokens"]), ("embeddings", 5), "operation and tokens")
    p = b.python("embeddings.create", {"model": "text-embedding-3-small", "input": "row 78", "encoding_format": "base64"}, provider="@openai",
                 trace_id="t78-b").fine("row 78")
    sees("row 78", b.up.seen(path="/v1/embeddings")[-1].json()["encoding_format"], "base64", "encoding upstream")
    for trace in ("t78", "t78-b"):
        log = b.control("GET", "/v1/logs/" + b.rows(trace)[0]["id"])
        sees("row 78", log["response"]["body"], "...REDACTED...", f"{trace}: logged answer")


def row_79_images(b):
    picture = {"created": 1, "data": [{"b64_json": "AAAA"}]}
    b.up.on_path("/v1/images/generations", say(body=picture))
    b.up.on_path("/v1/images/edits", say(body=picture))
    r = b.node("images.generate", {"model": "dall-e-3", "prompt": "x", "size": "1024x1024"}, provider="@openai", traceID="t79").fine("row 79")
    sees("row 79", r.value["data"], picture["data"], "generated")
    check(Decimal(b.rows("t79")[0]["cost_usd"]) > 0, "row 79: a picture without a cost")
    r = b.node("images.edit", {"model": "gpt-image-1", "prompt": "y", "image": file("a.png", b"\x89PNG" + bytes(40), "image/png")},
               provider="@openai").fine("row 79")
    sees("row 79", r.value["data"], picture["data"], "edited")
    request = b.up.seen(path="/v1/images/edits")[-1]
    check(request.headers["content-type"].startswith("multipart/form-data; boundary=") and b"\x89PNG" in request.body,
          f"row 79: the form upstream: {request.headers} {request.body[:200]!r}")
    sees("row 79", request.credential, "Bearer " + secret_of("openai"), "credential")


def row_80_audio(b):
    sound = bytes(range(256)) * 40
    b.up.on_path("/v1/audio/speech", say(body=sound, type="audio/mpeg"))
    r = b.node("audio.speech.create", {"model": "tts-1", "voice": "alloy", "input": "hello"}, provider="@openai").fine("row 80")
    sees("row 80", (base64.b64decode(r.value["base64"]) == sound, r.value["type"]), (True, "audio/mpeg"), "speech")
    p = b.python("audio.speech.create", {"model": "tts-1", "voice": "alloy", "input": "hello"}, provider="@openai").fine("row 80")
    sees("row 80", base64.b64decode(p.value.get("base64", "")), sound, "speech through Python")
    path = os.path.join(tempfile.mkdtemp(), "two-seconds.wav")
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(2 * 8000 * 2))
    b.up.on_path("/v1/audio/transcriptions", say(body={"text": "hello"}))
    r = b.node("audio.transcriptions.create", {"model": "whisper-1", "file": {"$path": path}}, provider="@openai", traceID="t80").fine("row 80")
    sees("row 80", r.value.get("text"), "hello", "transcription")
    sees("row 80", r.wire[-1]["sent"].get("x-portkey-audio-file-duration"), "2000", "the SDK's duration header")
    request = b.up.seen(path="/v1/audio/transcriptions")[-1]
    check(open(path, "rb").read() in request.body, "row 80: the sound did not arrive as it was")
    row = b.rows("t80")[0]
    sees("row 80", Decimal(row["cost_usd"]), Decimal("0.0002"), f"cost of 2 s at 0.6 cents a minute ({row['cost_state']}, {row['usage']})")


def row_80_forms_are_routed(b):
    """A form's model may name the account, and a form is sent again like any other body."""
    path = "/v1/audio/transcriptions"
    for call, body, where in (("audio.transcriptions.create", {"model": "@a/m80", "file": file("a.wav", b"RIFF" + bytes(60), "audio/wav")}, path),
                              ("images.edit", {"model": "@a/m80", "prompt": "x", "image": file("a.png", bytes(60), "image/png")}, "/v1/images/edits")):
        b.node(call, body).fine(f"row 80, {call}")
        request = b.up.seen(path=where)[-1]
        check(b'name="model"\r\n\r\nm80\r\n' in request.body, f"row 80: {call}: model upstream: {request.body[:600]!r}")
        sees("row 80", request.credential, "Bearer " + secret_of("a"), f"{call}: credential")
    b.up.on_path(path, say(500), say(500), say(body={"text": "third"}))
    before = len(b.up.seen(path=path))
    r = b.node("audio.transcriptions.create", {"model": "m80", "file": file("a.wav", b"RIFF" + bytes(60), "audio/wav")},
               config=fallback(target("a", retry={"attempts": 1}), target("b"))).fine("row 80")
    made = b.up.seen(path=path)[before:]
    sees("row 80", (r.value["text"], r.header("last-used-option-index"), len(made), len({x.body for x in made})), ("third", "config.targets[1]", 3, 1),
         "a form after a retry and a fallback")


def row_81_files(b):
    name = tempfile.NamedTemporaryFile(suffix=".jsonl", delete=False).name
    with open(name, "wb") as out:
        out.truncate(BIG)
        out.seek(BIG - 8)
        out.write(b"the end\n")
    b.up.on_path("/v1/files", say(body={"id": "file-1", "object": "file", "bytes": BIG}))
    before = resident_kb(b)
    p = b.python("files.create", {"file": {"$path": name}, "purpose": "batch"}, sdk="openai", default_headers={"x-portkey-provider": "@openai"})
    p.fine("row 81")
    os.unlink(name)
    request = b.up.seen(path="/v1/files")[-1]
    check(BIG < request.size < BIG + 4096, f"row 81: {request.size} bytes upstream")
    grown = resident_kb(b) - before
    check(grown < 24 << 10, f"row 81: the gateway grew by {grown} KiB with a file of {BIG} bytes")
    content = b"line\n" * 50000
    b.up.on_path("/v1/files/file-1/content", say(body=content, type="application/octet-stream"))
    p = b.python("files.content", args=["file-1"], sdk="openai", default_headers={"x-portkey-provider": "@openai"}).fine("row 81")
    sees("row 81", hashlib.sha256(base64.b64decode(p.value["base64"])).hexdigest(), hashlib.sha256(content).hexdigest(), "content")
    for call, args in (("files.list", []), ("files.retrieve", ["file-1"]), ("files.delete", ["file-1"])):
        b.node(call, *args, sdk="openai", defaultHeaders={"x-portkey-provider": "@openai"}).fine(f"row 81, {call}")
    b.node("uploads.create", {"bytes": 5, "filename": "x", "mime_type": "text/plain", "purpose": "batch"}, provider="@openai").fine("row 81")


def row_82_batches(b):
    job = {"id": "batch_1", "object": "batch", "status": "completed", "output_file_id": "file-out", "error_file_id": None}
    b.up.on_path("/v1/batches", say(body=job))
    b.up.on_path("/v1/batches/batch_1", say(body=job))
    lines = b'{"custom_id":"1","response":{"status_code":200}}\n{"custom_id":"2","response":{"status_code":200}}\n'
    b.up.on_path("/v1/files/file-out/content", say(body=lines, type="application/octet-stream"))
    made = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    sees("row 82", b.node("batches.create", made, provider="@a").fine("row 82").value["id"], "batch_1", "create")
    sees("row 82", b.up.seen(path="/v1/batches")[-1].json(), made, "body upstream")
    b.node("batches.retrieve", "batch_1", provider="@a").fine("row 82")
    b.node("batches.list", {"limit": 2}, provider="@a").fine("row 82")
    sees("row 82", b.up.seen(path="/v1/batches")[-1].query, "limit=2", "query of list")
    b.node("batches.cancel", "batch_1", provider="@a").fine("row 82")
    sees("row 82", (b.up.requests[-1].method, b.up.requests[-1].path), ("POST", "/v1/batches/batch_1/cancel"), "cancel")
    r = b.node("batches.output", "batch_1", provider="@a").fine("row 82")
    sees("row 82", r.value, lines.decode(), "output")
    sees("row 82", b.up.requests[-1].credential, "Bearer " + secret_of("a"), "credential that fetched the output")
    two = fallback(target("a"), target("b"))
    text = "Invalid config provided. Maximum one target is allowed for batch/file/fine_tuning requests"
    before = len(b.up.requests)
    for call, args in (("batches.create", [made]), ("files.list", []), ("fineTuning.jobs.list", [])):
        r = b.node(call, *args, config=two)
        sees("row 82", (r.status, message_of(r.error.get("error") or {}) or r.error.get("message")), (400, text), f"{call} with two targets")
    sees("row 82", len(b.up.requests), before, "calls upstream")
    b.node("batches.create", made, config={"strategy": {"mode": "fallback"}, "targets": [target("b")]}).fine("row 82")
    sees("row 82", b.up.seen(path="/v1/batches")[-1].credential, "Bearer " + secret_of("b"), "credential with one target")


def row_83_responses(b):
    done = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m83", "status": "completed", "output": [
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Hi.", "annotations": []}]}],
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}
    names = ["response.created", "response.output_text.delta", "response.completed"]
    events = [b"event: %s\ndata: %s\n\n" % (n.encode(), json.dumps({"type": n, "sequence_number": i, **({"delta": "Hi."} if "delta" in n else
              {"response": done})}).encode()) for i, n in enumerate(names)]
    b.up.on("m83", say(body=done))
    r = b.node("responses.create", {"model": "m83", "input": "hi"}, provider="@openai", traceID="t83").fine("row 83")
    sees("row 83", r.value["output"], done["output"], "create")
    sees("row 83", (b.rows("t83")[0]["operation"], b.rows("t83")[0]["usage"]["output_tokens"]), ("responses", 2), "row")
    b.up.on("m83-s", stream(events))
    r = b.node("responses.create", {"model": "m83-s", "input": "hi", "stream": True}, stream=True, provider="@openai").fine("row 83")
    sees("row 83", [c["type"] for c in r.chunks], names, "stream")
    b.up.on_path("/v1/responses/resp_1", say(body=done))
    sees("row 83", b.node("responses.retrieve", "resp_1", provider="@openai").fine("row 83").value["id"], "resp_1", "get")
    b.node("responses.delete", "resp_1", provider="@openai").fine("row 83")
    sees("row 83", b.up.requests[-1].method, "DELETE", "delete")
    b.up.on_path("/v1/responses/resp_1/input_items", say(body={"object": "list", "data": [{"id": "i"}], "has_more": False}))
    b.node("responses.inputItems.list", "resp_1", {"limit": 1}, provider="@openai").fine("row 83")
    sees("row 83", b.up.requests[-1].target, "/v1/responses/resp_1/input_items?limit=1", "input items")
    b.node("responses.cancel", "resp_1", provider="@openai").fine("row 83")
    sees("row 83", b.up.requests[-1].path, "/v1/responses/resp_1/cancel", "cancel")
    status, _, body = b.raw(None, {"x-portkey-provider": "@openai", "Content-Type": "application/json"}, path="/v1/responses/resp_1/cancel")
    sees("row 83", (status, b.up.requests[-1].size), (200, 0), f"cancel without a body: {body[:200]!r}")


def row_84_everything_else(b):
    calls = [("beta.assistants.list", [{"limit": 2}], "GET /v1/assistants?limit=2", "assistants=v2"),
             ("beta.assistants.create", [{"model": "m84"}], "POST /v1/assistants", "assistants=v2"),
             ("beta.threads.create", [{}], "POST /v1/threads", "assistants=v2"),
             ("beta.threads.messages.list", ["th_1", {"order": "asc"}], "GET /v1/threads/th_1/messages?order=asc", "assistants=v2"),
             ("vectorStores.create", [{"name": "x"}], "POST /v1/vector_stores", "assistants=v2"),
             ("vectorStores.delete", ["vs_1"], "DELETE /v1/vector_stores/vs_1", "assistants=v2"),
             ("moderations.create", [{"input": "x"}], "POST /v1/moderations", None),
             ("conversations.create", [{"metadata": {"a": "b"}}], "POST /v1/conversations", None),
             ("videos.list", [{"limit": 1}], "GET /v1/videos?limit=1", None),
             ("containers.list", [], "GET /v1/containers", None), ("evals.list", [], "GET /v1/evals", None),
             ("fineTuning.jobs.create", [{"model": "gpt-4o-mini", "training_file": "file-1"}], "POST /v1/fine_tuning/jobs", None),
             ("fineTuning.jobs.cancel", ["ft_1"], "POST /v1/fine_tuning/jobs/ft_1/cancel", None),
             ("chat.completions.list", [], "GET /v1/chat/completions", None)]
    wrong = []
    for call, args, wanted, beta in calls:
        r = b.node(call, *args, provider="@openai")
        request = b.up.requests[-1]
        found = f"{request.method} {request.target.rstrip('?')}"
        if not r.ok or found != wanted or beta and request.headers.get("openai-beta") != beta or request.credential != "Bearer " + secret_of("openai"):
            wrong.append(f"{call}: {found} beta {request.headers.get('openai-beta')} {r.status} {r.error}")
    check(not wrong, "row 84: " + "; ".join(wrong))
    r = b.node("moderations.create", {"input": "x"}, provider="@openai", openaiOrganization="org-84", openaiProject="proj-84").fine("row 84")
    request = b.up.requests[-1]
    sees("row 84", (request.headers.get("openai-organization"), request.headers.get("openai-project")), ("org-84", "proj-84"), "OpenAI's fields")


def row_85_generic_proxy(b):
    calls = [("get", ["/x85?y=1"], "GET", "/v1/x85?y=1", None), ("post", ["/proxy/x85?y=1", {"a": 1}], "POST", "/v1/x85?y=1", {"a": 1}),
             ("put", ["/x85", {"b": 2}], "PUT", "/v1/x85", {"b": 2}), ("delete", ["/x85?z"], "DELETE", "/v1/x85?z", None),
             ("post", ["/x85/deep/er", {"model": "m85"}], "POST", "/v1/x85/deep/er", {"model": "m85"})]
    for call, args, method, path, body in calls:
        r = b.node(call, *args, provider="@b").fine(f"row 85, {call} {args}")
        request = b.up.requests[-1]
        sees("row 85", (request.method, request.target, request.json() or None), (method, path, body), f"{call} {args}")
        sees("row 85", request.credential, "Bearer " + secret_of("b"), f"{call}: credential")
        sees("row 85", r.value["target"], path, f"{call}: reply")
    b.python("get", {"path": "/x85-py"}, provider="@b").fine("row 85")
    sees("row 85", b.up.requests[-1].path, "/v1/x85-py", "get through Python")
    status, _, _ = b.raw({"q": 1}, {"x-portkey-provider": "@b"}, path="/v1/proxy/chat/completions")
    sees("row 85", (status, b.up.requests[-1].path), (200, "/v1/chat/completions"), "proxy of a known path")


def row_86_empty_post(b):
    r = b.node("responses.cancel", "resp_86", provider="@openai").fine("row 86")
    sees("row 86", (r.status, b.up.requests[-1].path), (200, "/v1/responses/resp_86/cancel"), "cancel")
    for method, path in (("POST", "/v1/batches/b/cancel"), ("GET", "/v1/x86"), ("DELETE", "/v1/files/f86"), ("POST", "/v1/proxy/x86")):
        status, _, body = b.raw(None, {"x-portkey-provider": "@openai", "Content-Type": "application/json"}, path=path, method=method)
        sees("row 86", (status, b.up.requests[-1].size), (200, 0), f"{method} {path} without a body: {body[:200]!r}")
    r = b.node("chat.completions.list", provider="@openai").fine("row 86")
    for path in ("/v1/chat/completions?", "/v1/x86?"):
        status, _, _ = b.raw(None, {"x-portkey-provider": "@openai"}, path=path, method="GET")
        sees("row 86", status, 200, f"a bare question mark: {path}")


def row_87_unknown_path(b):
    for method, path in (("GET", "/nonsense"), ("POST", "/v2x/chat"), ("GET", "/v1x")):
        status, headers, body = b.raw(None, path=path, method=method)
        found = json.loads(body)
        sees("row 87", (status, found.get("message"), found.get("ok")), (404, "Not Found", False), f"{method} {path}")
        check("x-portkey-trace-id" in headers, f"row 87: {path}: no trace id")


# --- catalogues ---------------------------------------------------------------------------------------

def row_88_catalogue(b):
    r = b.node("models.list").fine("row 88")
    body = r.value.get("body") or r.value
    rows = body["data"]
    sees("row 88", (body["object"], body["total"] >= len(rows) > 0), ("list", True), f"object and total: {str(body)[:300]}")
    for row in rows[:50]:
        check(row["id"].startswith("@") and row["id"].endswith("/" + row["slug"]) and row["object"] == "model", f"row 88: {row}")
    check({row["id"].split("/")[0] for row in rows} >= {"@openai", "@a", "@b", "@c"}, "row 88: not every account is listed")

    def listed(query):
        status, _, answer = b.raw(None, path="/v1/models?" + query, method="GET")
        sees("row 88", status, 200, query)
        return json.loads(answer)
    only = listed("provider=a")
    check(only["data"] and all(row["id"].startswith("@a/") for row in only["data"]), f"row 88: provider=a gave {str(only)[:300]}")
    page = listed("provider=a&limit=2&offset=1&sort=name&order=desc")
    names = sorted((row["slug"] for row in listed("provider=a&limit=100000")["data"]), reverse=True)
    sees("row 88", [row["slug"] for row in page["data"]], names[1:3], "limit, offset, sort, order")
    sees("row 88", page["total"], only["total"], "total of a page")
    check(listed("ai_service=openai")["total"] > 0 and listed("ai_service=nobody")["total"] == 0, "row 88: ai_service")
    sees("row 88", len(b.up.seen(path="/v1/models")), 0, "calls upstream")
    p = b.python("models.list").fine("row 88")
    check(p.value["data"][0]["id"].startswith("@"), f"row 88: through Python {str(p.value)[:200]}")


def row_89_models_upstream(b):
    upstream = {"object": "list", "data": [{"id": "m89", "object": "model", "created": 1, "owned_by": "x"}]}
    b.up.on_path("/v1/models", say(body=upstream))
    one = {"strategy": {"mode": "single"}, "targets": [target("b")]}
    for name, fields in (("header", {"provider": "@a"}), ("virtual key", {"virtualKey": "a"}), ("config", {"config": {"provider": "@a"}}),
                         ("config's target", {"config": one})):
        headers = {"$headers": {"apiKey": b.key, **fields}}
        r = b.node("models.list", sdk="openai", defaultHeaders=headers).fine(f"row 89, {name}")
        sees("row 89", [m["id"] for m in r.value["data"]], ["m89"], name)
    b.up.on_path("/v1/models")
    b.node("models.retrieve", "gpt-4o", provider="@a").fine("row 89")
    sees("row 89", b.up.requests[-1].path, "/v1/models/gpt-4o", "retrieve")


# --- realtime -----------------------------------------------------------------------------------------

def row_90_realtime(b):
    port = free_port()
    sim = subprocess.Popen([binary("tollgate-sim"), "--listen", f"127.0.0.1:{port}", "--seed", "9"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    try:
        b.connect("sim", f"http://127.0.0.1:{port}/v1")
        send = [{"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}},
                {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}},
                {"type": "response.create"}]
        time.sleep(0.3)
        # The SDK's connect() of this version sends a placeholder and none of the client's headers: they are given again.
        headers = {"$headers": {"api_key": b.key, "trace_id": "t90-p"}}
        for name, sdk, more in (("openai", "openai", {}), ("portkey", "portkey", {"extra_headers": headers})):
            r = b.python("realtime.session", {"model": "@sim/gpt-realtime", "send": send, **more}, sdk=sdk)
            r.fine(f"row 90, {name}")
            kinds = [e["type"] for e in r.value]
            check(kinds[0] == "session.created" and kinds[-1] == "response.done", f"row 90: {name}: {kinds}")
        send[0] = {"type": "session.update", "session": {"modalities": ["text"]}}
        r = b.python("realtime.session", {"model": "@sim/gpt-4o-realtime-preview", "send": send}, beta=True, trace_id="t90-beta",
                     websocket_base_url=f"ws://127.0.0.1:{b.gw.port}/v1").fine("row 90, beta")
        check(r.value[-1]["type"] == "response.done", f"row 90: beta: {[e['type'] for e in r.value]}")
        for trace in ("t90-p", "t90-beta"):
            row = b.rows(trace)[-1]
            check(row["operation"] == "realtime" and int(row["usage"]["output_tokens"]) > 0, f"row 90: {trace}: {row['operation']} {row['usage']}")
            check("@sim" not in (row["model_asked"] or ""), f"row 90: model {row['model_asked']}")
    finally:
        sim.terminate()
        sim.wait(10)


def row_91_nitro(b):
    exact = b'{ "messages" :[{"content":"h\\u0069", "role":"user"}],\n\t"model":"m91","n":1.0, "b":1, "a":[ ] }\n'
    status, _, body = b.raw(exact, {"x-portkey-provider": "@openai", "x-portkey-nitro-mode": "true"})
    sees("row 91", status, 200, f"status: {body[:200]!r}")
    sees("row 91", b.up.seen("m91")[0].body, exact, "bytes upstream")
    r = b.chat("m91-node", nitroMode=True).fine("row 91")
    sees("row 91", b.up.seen("m91-node")[0].body.decode(), r.wire[0]["body"], "bytes upstream through Node")
    r = b.chat("m91-stream", stream=True, nitroMode=True).fine("row 91")
    sees("row 91", (r.text, b.up.seen("m91-stream")[0].body.decode()), ("Hello.", r.wire[0]["body"]), "a stream's bytes upstream")


# --- the rest -----------------------------------------------------------------------------------------

def row_132_each_request_alone(b):
    config = {"strategy": {"mode": "single"}, "targets": [target("b", "m132-set")]}
    b.chat("m132", keep="leak", params={"traceID": "t132", "metadata": {"a": "1"}, "config": config}).fine("row 132")
    r = b.chat("m132", keep="leak").fine("row 132")
    sees("row 132", (r.wire[0]["sent"].get("x-portkey-trace-id"), r.header("trace-id")), ("t132", "t132"), "Node keeps the options of the call")
    sees("row 132", b.up.count("m132-set"), 2, "calls by the config that stays in the client")
    r = b.chat("m132").fine("row 132")
    sees("row 132", (b.up.count("m132"), r.header("last-used-option-index")), (1, "config"), "another client of the same key")
    check(r.header("trace-id") != "t132", "row 132: the trace id of another request")


def row_133_json_typing(b):
    """Every reply of the control plane is a JSON object, or Python's Model(**json) raises."""
    made = b.python("configs.create", {"name": "row 133", "config": {"retry": {"attempts": 1}, "provider": "@a"}}, api_key=ADMIN_KEY).fine("row 133")
    slug = next(r["slug"] for r in b.control("GET", "/v1/configs")["data"] if r["name"] == "row 133")
    calls = [("configs.list", {}), ("configs.retrieve", {"slug": slug}), ("configs.update", {"slug": slug, "config": {"retry": {"attempts": 2}}}),
             ("configs.retrieve", {"slug": slug}), ("models.list", {})]
    for call, kwargs in calls:
        r = b.python(call, kwargs, api_key=ADMIN_KEY).fine(f"row 133, {call}")
        check(isinstance(r.value, dict), f"row 133: {call} gave {r.value!r}")
    check(made.value.get("data") or made.value.get("id"), f"row 133: create gave {made.value}")
    fields = {"name": "row 133", "type": "workspace", "sub_type": "service", "scopes": ["completions.write"]}
    key = b.python("api_keys.create", fields, api_key=ADMIN_KEY).fine("row 133").value
    check(key["key"].startswith("tg-"), f"row 133: a key: {key}")
    for call, kwargs in (("api_keys.list", {}), ("api_keys.retrieve", {"id": key["id"]}), ("api_keys.update", {"id": key["id"], "name": "x"}),
                         ("api_keys.delete", {"id": key["id"]})):
        r = b.python(call, kwargs, api_key=ADMIN_KEY).fine(f"row 133, {call}")
        check(key["key"] not in json.dumps(r.value), f"row 133: {call} shows the key")
    for method, path, body in (("GET", "/v1/configs", None), ("GET", f"/v1/configs/{slug}", None), ("GET", f"/v1/configs/{slug}/versions", None),
                               ("PUT", f"/v1/configs/{slug}", {"name": "row 133 b"}), ("DELETE", f"/v1/configs/{slug}", None),
                               ("GET", f"/v1/configs/{slug}", None), ("GET", "/v1/configs/pc-none", None), ("POST", "/v1/configs", {"name": 7})):
        status, headers, answer = b.gw.request(method, path, body, {"x-portkey-api-key": ADMIN_KEY, "Content-Type": "application/json"}, key=None)
        parsed = json.loads(answer)
        check(isinstance(parsed, dict) and headers["content-type"].startswith("application/json"), f"row 133: {method} {path}: {headers} {answer[:200]!r}")
        check("x-portkey-trace-id" in headers, f"row 133: {method} {path}: no trace id")
        if status >= 400:
            check(parsed.get("message") and parsed.get("error") and parsed.get("success") is False, f"row 133: {method} {path}: {parsed}")
    r = b.node("configs.list", apiKey=ADMIN_KEY).fine("row 133")
    check(r.value.get("success") is True or r.value.get("object") == "list", f"row 133: Node's configs.list gave {r.value}")


def row_134_health_and_metrics(b):
    status, headers, body = b.gw.request("GET", "/v1/health", key=None)
    found = json.loads(body)
    check(status == 200 and {"status", "message", "version"} <= set(found), f"row 134: health {status} {found}")
    b.chat("gpt-4o-mini").fine("row 134")

    def sums():
        text = b.gw.request("GET", "/metrics", key=None)[2].decode()
        lines = [line for line in text.splitlines() if line.startswith(("llm_cost_sum", "llm_token_sum"))]
        return lines if {line.split("{")[0].split(" ")[0] for line in lines} == {"llm_cost_sum", "llm_token_sum"} else None
    lines = wait_until("row 134: llm_cost_sum and llm_token_sum in /metrics", 5, sums)
    check(any(float(line.rsplit(" ", 1)[1]) > 0 for line in lines), f"row 134: {lines}")
    secrets = [s for s in (b.key, ADMIN_KEY, secret_of("a")) if s in "".join(lines)]
    sees("row 134", secrets, [], "secrets in metrics")


if __name__ == "__main__":
    suite(lambda: Bench(args=["--capture-bytes", "256k"]), [
        row_74_stream_transport, row_74_first_byte, row_75_client_leaves, row_76_bodies_untouched, row_77_strict_errors, row_78_embeddings,
        row_79_images, row_80_audio, row_80_forms_are_routed, row_81_files, row_82_batches, row_83_responses, row_84_everything_else, row_85_generic_proxy,
        row_86_empty_post, row_87_unknown_path, row_88_catalogue, row_89_models_upstream, row_90_realtime, row_91_nitro,
        row_127_stream_usage, row_132_each_request_alone, row_133_json_typing, row_134_health_and_metrics])
