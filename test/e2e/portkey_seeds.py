#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Portkey's contract, rows 1-17 and the seed scenarios: who is let in, whose credential goes upstream, which provider is
taken, through the unmodified SDKs. The rows are numbered as in the contract's feature list.
"""

import base64
import datetime
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Gateway, check, completion
from portkey import PORTKEY_HEADERS, Bench, asked, fallback, message_of, secret_of, sees, suite, target
from scripted import say, stream

OWN = "sk-the-callers-own-key-0123456789"


def no_trace_of_the_gateway(row, b, request):
    """Neither the gateway's key nor one of its fields may reach the provider."""
    check(b.key not in request.head.decode("latin-1"), f"{row}: the gateway key went upstream: {request.head!r}")
    leaked = [k for k in request.headers if k.startswith(("x-portkey", "x-tollgate"))]
    sees(row, leaked, [], "fields of the gateway that went upstream")


def row_1_base_url_only(b):
    body = {**completion(model="m1"), "x_new": {"kept": [1, 2.50, "ü"]}}
    b.up.on("m1", say(body=body))
    r = b.chat("m1").fine("row 1")
    sees("row 1", r.status, 200, "status")
    sees("row 1", r.value, body, "reply")
    missing = [h for h in PORTKEY_HEADERS if h not in r.headers]
    sees("row 1", missing, [], "headers that are missing")
    own = {h.removeprefix("x-portkey-") for h in PORTKEY_HEADERS}
    check(own <= set(r.own_headers), f"row 1: getHeaders() lacks {own - set(r.own_headers)}")
    sees("row 1", (r.header("provider"), r.header("retry-attempt-count"), r.header("cache-status")), ("openai", "0", "DISABLED"), "headers")
    _, _, raw = b.raw(asked("m1"), {"x-portkey-provider": "@openai"})
    sees("row 1", raw, json.dumps(body, separators=(",", ":")).encode(), "bytes of the reply")


def row_2_python_base_url(b):
    r = b.python("chat.completions.create", asked("m2"), provider="@openai").fine("row 2")
    sees("row 2", r.value["choices"][0]["message"]["content"], "Hello.", "reply")
    request = b.up.seen("m2")[0]
    sees("row 2", request.credential, "Bearer " + secret_of("openai"), "credential upstream")
    check(b"OPENAI_API_KEY" not in request.head, "row 2: the placeholder went upstream")
    no_trace_of_the_gateway("row 2", b, request)


def row_3_openai_sdk_with_headers(b):
    fields = {"provider": "openai", "apiKey": b.key, "customHost": b.up.url, "traceID": "row3"}
    r = b.node("chat.completions.create", asked("m3-node"), sdk="openai", apiKey=OWN, defaultHeaders={"$headers": fields}).fine("row 3")
    sees("row 3", r.value["model"], "m3-node", "reply")
    fields = {"provider": "openai", "api_key": b.key, "custom_host": b.up.url}
    b.python("chat.completions.create", asked("m3-python"), sdk="openai", api_key=OWN, default_headers={"$headers": fields}).fine("row 3")
    for model in ("m3-node", "m3-python"):
        request = b.up.seen(model)[0]
        sees("row 3", request.credential, "Bearer " + OWN, f"{model}: credential upstream")
        no_trace_of_the_gateway("row 3", b, request)


def row_4_gateway_key_as_bearer(b):
    b.node("chat.completions.create", asked("@a/m4"), sdk="openai").fine("row 4")
    b.python("chat.completions.create", asked("@a/m4"), sdk="openai").fine("row 4")
    sees("row 4", [r.credential for r in b.up.seen("m4")], ["Bearer " + secret_of("a")] * 2, "credentials upstream")
    for request in b.up.seen("m4"):
        no_trace_of_the_gateway("row 4", b, request)


def row_5_equal_keys(b):
    b.up.on_path("/v1/models", say(body={"object": "list", "data": [{"id": "m5", "object": "model"}]}))
    r = b.node("models.list", provider="@b").fine("row 5")
    sees("row 5", r.wire[0]["sent"]["authorization"], "Bearer " + b.key, "what the SDK sends")
    sees("row 5", [m["id"] for m in r.value["data"]], ["m5"], "models")
    sees("row 5", b.up.seen(path="/v1/models")[-1].credential, "Bearer " + secret_of("b"), "credential upstream")
    b.up.on_path("/v1/models")


def row_6_raw_authorization(b):
    r = b.chat("m6", provider="openai", Authorization="sk-x-raw", customHost=b.up.url).fine("row 6")
    sees("row 6", r.wire[0]["sent"]["authorization"], "sk-x-raw", "what the SDK sends")
    sees("row 6", b.up.seen("m6")[0].credential, "Bearer sk-x-raw", "credential upstream")


def row_7_mode_header_only(b):
    """The seed's way of naming a provider; there is no x-portkey-provider."""
    b.node("chat.completions.create", asked("m7-own"), sdk="openai", apiKey=OWN,
           defaultHeaders={"$headers": {"mode": "openai", "apiKey": b.key, "customHost": b.up.url}}).fine("row 7, Node")
    b.python("chat.completions.create", asked("m7-own"), sdk="openai", api_key=OWN,
             default_headers={"$headers": {"mode": "openai", "api_key": b.key, "custom_host": b.up.url}}).fine("row 7, Python")
    sees("row 7", [r.credential for r in b.up.seen("m7-own")], ["Bearer " + OWN] * 2, "the caller's key upstream")
    for words in ("openai", "proxy openai"):
        status, headers, body = b.raw(asked("m7-stored"), {"x-portkey-mode": words, "Authorization": "Bearer DUMMY-KEY"})
        sees("row 7", status, 200, f"mode {words!r} with a placeholder: {body[:200]!r}")
        sees("row 7", headers.get("x-portkey-provider"), "openai", f"mode {words!r}: provider")
    sees("row 7", {r.credential for r in b.up.seen("m7-stored")}, {"Bearer " + secret_of("openai")}, "the stored key upstream")


def row_8_no_provider(b):
    with Gateway() as bare:
        status, headers, body = bare.request("POST", "/v1/chat/completions", asked(), {"x-portkey-api-key": bare.key("k")}, key=None)
        sees("row 8", status, 400, f"status without any provider: {body!r}")
        sees("row 8", message_of(body), "Either x-portkey-config or x-portkey-provider header is required", "message")
        check("x-portkey-trace-id" in headers, "row 8: no trace id")


def row_9_bad_provider(b):
    r = b.chat("m9", provider="nope")
    sees("row 9", (r.status, r.error.get("message")), (400, "Invalid provider passed"), "error")
    sees("row 9", (r.calls, b.up.count("m9")), (1, 0), "calls")


def row_10_bad_key(b):
    for sdk in ("node", "python"):
        if sdk == "node":
            r = b.chat("m10", apiKey="tg-nobodys-key-0123456789")
        else:
            r = b.python("chat.completions.create", asked("m10"), api_key="tg-nobodys-key-0123456789", provider="@openai")
        sees("row 10", (r.status, r.calls), (401, 1), f"{sdk}: status and calls")
        check(r.header("trace-id"), f"row 10: {sdk}: no trace id")
    status, _, body = b.raw(asked("m10"), key="tg-nobodys-key-0123456789")
    text = "Portkey Error: Invalid API Key. Error Code: 03"
    parsed = json.loads(body)
    sees("row 10", (status, parsed["status"], parsed["message"]), (401, "failure", text), "body")
    sees("row 10", (parsed["error"]["message"], parsed["error"]["code"]), (text, "03"), "error object")
    status, headers, body = b.gw.request("POST", "/v1/chat/completions", asked("m10"), {"x-portkey-provider": "@openai"}, key=None)
    sees("row 10", status, 401, "no key at all")
    check(headers.get("x-portkey-trace-id"), "row 10: no trace id without a key")
    sees("row 10", b.up.count("m10"), 0, "calls upstream")


def row_11_expired_key(b):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    key = b.new_key("expires", expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    time.sleep(max(0.0, soon.timestamp() - time.time()) + 0.05)
    r = b.chat("m11", apiKey=key)
    sees("row 11", (r.status, r.calls), (401, 1), "status and calls")
    sees("row 11", r.error.get("message"), "Portkey Error: Portkey API Key Expired. Error Code: 01", "message")


def row_12_scope_missing(b):
    key = b.new_key("lists", scopes=["logs.list"])
    r = b.chat("m12", apiKey=key)
    sees("row 12", (r.status, r.calls), (403, 1), "status and calls")
    check("Forbidden!" in r.error.get("message", ""), f"row 12: message {r.error}")
    sees("row 12", b.up.count("m12"), 0, "calls upstream")


def row_13_provider_by_model_prefix(b):
    b.connect("openai-prod")
    b.node("chat.completions.create", asked("@openai-prod/gpt-4o"), apiKey=b.key).fine("row 13")
    request = b.up.seen("gpt-4o")[-1]
    sees("row 13", (request.model, request.credential), ("gpt-4o", "Bearer " + secret_of("openai-prod")), "model and credential upstream")


def row_14_header_slug_wins(b):
    b.chat("@c/m14", provider="@a", virtualKey="b").fine("row 14")
    sees("row 14", [r.credential for r in b.up.seen("m14")], ["Bearer " + secret_of("a")], "credential upstream of model m14")
    b.chat("@c/m14-vk", virtualKey="b").fine("row 14")
    sees("row 14", [r.credential for r in b.up.seen("m14-vk")], ["Bearer " + secret_of("b")], "a virtual key beats the model's prefix")


def row_15_cf_models_are_names(b):
    status, _, body = b.raw(asked("@cf/meta/x"), {"x-portkey-provider": "@a"})
    sees("row 15", (status, b.up.count("@cf/meta/x")), (200, 1), f"status, and calls with that very model: {body[:200]!r}")


def row_16_unknown_slug(b):
    r = b.chat("m16", virtualKey="zz")
    sees("row 16", (r.status, r.error.get("message")), (400, "Following keys are not valid: zz"), "virtual key")
    r = b.chat("m16", provider="@zz")
    sees("row 16", (r.status, r.error.get("message")), (400, "Following keys are not valid: zz"), "provider")
    r = b.chat("m16", config={"targets": [{"virtual_key": "zz1"}, {"virtual_key": "zz2"}], "strategy": {"mode": "fallback"}})
    sees("row 16", (r.status, b.up.count("m16")), (400, 0), "config with unknown slugs")


def row_17_no_retries_by_the_sdk(b):
    b.up.on("m17-node", say(500))
    r = b.chat("m17-node")
    sees("row 17", (r.status, r.calls, b.up.count("m17-node")), (500, 1, 1), "Node: status, requests to us, calls upstream")
    b.up.on("m17-py", say(500))
    for call, more in (("chat.completions.create", {}), ("post", {"url": "/chat/completions"})):
        before = b.up.count("m17-py")
        r = b.python(call, {**more, **asked("m17-py")}, provider="@openai")
        sees("row 17", (r.status, r.calls, b.up.count("m17-py") - before), (500, 1, 1), f"Python, {call}: status, requests, calls upstream")


# --- the seed scenarios -------------------------------------------------------------------------------

def seed_headers(b, mode=False):
    name = {"mode": "openai"} if mode else {"provider": "openai"}
    return {"apiKey": OWN, "defaultHeaders": {"$headers": {**name, "apiKey": b.key, "customHost": b.up.url}}}


def seed_1_openai_sdk_surface(b):
    """Chat, tools, completions, embeddings, vision, moderation, audio, files with one changed argument."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    image = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]}]
    sound = {"$file": {"name": "a.wav", "base64": base64.b64encode(b"RIFF" + bytes(60)).decode(), "type": "audio/wav"}}
    calls = [
        ("chat.completions.create", asked("seed1-chat"), "/v1/chat/completions"),
        ("chat.completions.create", asked("seed1-tools", tools=tools, tool_choice="auto"), "/v1/chat/completions"),
        ("completions.create", {"model": "seed1-text", "prompt": "Once"}, "/v1/completions"),
        ("embeddings.create", {"model": "seed1-emb", "input": "hi"}, "/v1/embeddings"),
        ("chat.completions.create", {"model": "seed1-vision", "messages": image}, "/v1/chat/completions"),
        ("moderations.create", {"model": "seed1-mod", "input": "hi"}, "/v1/moderations"),
        ("audio.speech.create", {"model": "seed1-tts", "voice": "alloy", "input": "hi"}, "/v1/audio/speech"),
        ("audio.transcriptions.create", {"model": "whisper-1", "file": sound}, "/v1/audio/transcriptions"),
        ("audio.translations.create", {"model": "whisper-1", "file": sound}, "/v1/audio/translations"),
        ("files.create", {"file": sound, "purpose": "batch"}, "/v1/files"),
    ]
    for call, body, path in calls:
        before = len(b.up.seen(path=path))
        b.node(call, body, sdk="openai", **seed_headers(b)).fine(f"seed 1, {call}")
        made = b.up.seen(path=path)[before:]
        sees("seed 1", [r.credential for r in made], ["Bearer " + OWN], f"{call}: calls upstream")
        no_trace_of_the_gateway(f"seed 1, {call}", b, made[0])
    sees("seed 1", b.up.seen("seed1-tools")[0].json()["tools"], tools, "tools upstream")


def seed_2_streams_by_mode(b):
    """The Python sample reads chunk.choices[0] unguarded: no chunk may come that was not asked for."""
    r = b.node("chat.completions.create", asked("seed2", stream=True), sdk="openai", stream=True, **seed_headers(b, mode=True)).fine("seed 2")
    sees("seed 2", r.text, "Hello.", "Node's text")
    headers = {"$headers": {"mode": "openai", "api_key": b.key, "custom_host": b.up.url}}
    p = b.python("chat.completions.create", asked("seed2", stream=True), sdk="openai", stream=True, api_key=OWN,
                 default_headers=headers).fine("seed 2")
    for chunk in r.chunks + p.chunks:
        check(chunk.get("choices"), f"seed 2: a chunk without choices: {chunk}")
        check("hook_results" not in chunk and not chunk.get("usage"), f"seed 2: a chunk nobody asked for: {chunk}")
    sees("seed 2", p.text, "Hello.", "Python's text")


def seed_3_headers_of_the_reply(b):
    for options in ({"provider": "@a"}, {"virtualKey": "a"}):
        r = b.chat("seed3", params={"traceID": "seed3-trace", "metadata": {"_user": "u"}}, **options).fine("seed 3")
        found = {k: r.own_headers.get(k) for k in ("trace-id", "cache-status", "retry-attempt-count", "last-used-option-index")}
        sees("seed 3", found, {"trace-id": "seed3-trace", "cache-status": "DISABLED", "retry-attempt-count": "0",
                               "last-used-option-index": "config"}, f"getHeaders() with {options}")
    one = {"strategy": {"mode": "single"}, "targets": [target("a")]}
    r = b.chat("seed3", config={"retry": {"attempts": 1}}, provider="@a", params={"config": one}).fine("seed 3")
    sees("seed 3", r.header("last-used-option-index"), "config.targets[0]", "the config of the call takes the place of the client's")


def seed_5_configs(b):
    """Fallback to Azure on 429 and 5xx, weights of 0.7 and 0.3, five retries, a cache: one config."""
    b.up.on("seed5", say(429), say(503), stream(), say())
    azure = {"provider": "azure-openai", "api_key": "azure-key", "resource_name": "r", "deployment_id": "seed5-dep",
             "api_version": "2024-10-21", "custom_host": b.up.host("/openai")}
    config = fallback(target("a"), azure, codes=[429, 500, 502, 503, 504], retry={"attempts": 5}, cache={"mode": "simple"})
    r = b.chat("seed5", config=config, stream=True).fine("seed 5")
    sees("seed 5", (r.text, r.header("retry-attempt-count"), r.header("last-used-option-index")), ("Hello.", "2", "config.targets[0]"),
         "after two retries")
    weights = {"strategy": {"mode": "loadbalance"}, "targets": [target("a", weight=0.7), target("b", weight=0.3)]}
    counts = b.node("chat.completions.create", asked("seed5-lb"), repeat=300, parallel=8, config=weights).counts
    sees("seed 5", sum(counts.values()), 300, "answers")
    share = counts.get("200 config.targets[0]", 0)
    check(150 <= share <= 270, f"seed 5: {share} of 300 at weight 0.7: {counts}")


if __name__ == "__main__":
    suite(Bench, [row_1_base_url_only, row_2_python_base_url, row_3_openai_sdk_with_headers, row_4_gateway_key_as_bearer,
                  row_5_equal_keys, row_6_raw_authorization, row_7_mode_header_only, row_8_no_provider, row_9_bad_provider,
                  row_10_bad_key, row_11_expired_key, row_12_scope_missing, row_13_provider_by_model_prefix,
                  row_14_header_slug_wins, row_15_cf_models_are_names, row_16_unknown_slug, row_17_no_retries_by_the_sdk,
                  seed_1_openai_sdk_surface, seed_2_streams_by_mode, seed_3_headers_of_the_reply, seed_5_configs])
