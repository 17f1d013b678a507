#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Kept answers in the other form than they came, read by the real SDK: what its stream helpers put together from a replay is
what the provider answered, and JSON joined from a kept stream is what the SDK had put together from that stream.
"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))
from harness import ADMIN_KEY, Gateway, binary, equal, free_port

import openai

CONFIG = {"provider": "@openai", "cache": {"mode": "simple"}}
FUNCTION = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
RESPONSES = {
    "message": {},
    "function": {"tools": [{"type": "function", **FUNCTION}], "tool_choice": "required"},
    "custom": {"tools": [{"type": "custom", "name": "run"}], "tool_choice": "required"},
    "reasoning": {"model": "o4-mini", "reasoning": {"effort": "high", "summary": "auto"}},
    "web search": {"tools": [{"type": "web_search"}]},
    "file search": {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
    "code": {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
    "image": {"tools": [{"type": "image_generation"}]},
    "mcp": {"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://x.example", "require_approval": "never"}]},
}
CHAT = {
    "text": {},
    "choices": {"n": 3},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "tools": {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required"},
}
# What the SDK adds to what it put together, or leaves out of it when streams are its source.
SDK_ONLY = {"parsed", "parsed_arguments", "annotations"}


def plain(value, in_calls=False):
    """Without nulls, without what is the SDK's own, without the index of tool calls, which only streams have."""
    if isinstance(value, list):
        return [plain(v, in_calls) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: plain(v, k == "tool_calls") for k, v in value.items()
            if v is not None and k not in SDK_ONLY and not (in_calls and k == "index")}


def same(what, a, b):
    equal(json.dumps(plain(a), sort_keys=True), json.dumps(plain(b), sort_keys=True), what)


def status(response):
    return response.headers["x-portkey-cache-status"]


def replayed_responses(client):
    for name, more in RESPONSES.items():
        ask = {"model": "gpt-4o", "input": f"Tell me about {name}. " * 30, **more}
        raw = client.responses.with_raw_response.create(**ask)
        equal(status(raw), "MISS", f"{name}: first")
        answer = raw.parse()
        with client.responses.stream(**ask) as stream:
            events = list(stream)
            told = stream.get_final_response()
        equal(status(stream._response), "HIT", f"{name}: as a stream")
        same(f"{name}: the response", told.to_dict(), answer.to_dict())
        equal(told.output_text, answer.output_text, f"{name}: its text")
        equal(events[0].type, "response.created", f"{name}: first event")
        equal([e.sequence_number for e in events], list(range(len(events))), f"{name}: numbers of events")


def told_chat(client, ask):
    with client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as stream:
        for _ in stream:
            pass
        return status(stream._response), stream.get_final_completion().to_dict()


def replayed_chat(client):
    for name, more in CHAT.items():
        ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Tell me about {name}."}], **more}
        raw = client.chat.completions.with_raw_response.create(**ask)
        found, told = told_chat(client, ask)
        equal((status(raw), found), ("MISS", "HIT"), f"{name}: JSON, then a stream")
        same(f"{name}: the stream", told, raw.parse().to_dict())
        ask["messages"] = [{"role": "user", "content": f"Tell me more about {name}."}]
        found, told = told_chat(client, ask)
        raw = client.chat.completions.with_raw_response.create(**ask)
        equal((found, status(raw)), ("MISS", "HIT"), f"{name}: a stream, then JSON")
        same(f"{name}: joined", raw.parse().to_dict(), told)


def main():
    port = free_port()
    sim = subprocess.Popen([binary("tollgate-sim"), "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    try:
        with Gateway(f"http://127.0.0.1:{port}/v1") as gateway:
            client = openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=ADMIN_KEY, max_retries=0,
                                   default_headers={"x-portkey-config": json.dumps(CONFIG)})
            replayed_responses(client)
            replayed_chat(client)
    finally:
        sim.kill()


if __name__ == "__main__":
    main()
