#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every operation with bodies that make no sense: each is answered, and the simulator lives."""

import json
import os
import pathlib
import random
import re
import sys

from sdk.rawhttp import KEY, ask, connect, receive, send
from sdk.simrun import ADMIN_KEY, Sim

NAMES = ("model messages input prompt tools tool_choice response_format stream stream_options n metadata text reasoning "
         "items session agent file_ids training_file input_file_id endpoint completion_window purpose role content "
         "assistant_id thread tool_outputs query questions voice size quality seconds conversation store background "
         "previous_response_id instructions functions function_call modalities audio prediction logprobs top_logprobs "
         "max_tokens encoding_format dimensions name url event_types include prompt_cache_options data_source "
         "data_source_config testing_criteria part_ids role_id certificate_ids project_ids grader bytes filename "
         "mime_type user workflow service_tier partial_images images video").split()
VALUES = [None, True, False, 0, 1, -1, 2.5, 10**30, "", "a", "gpt-4o", "$id", "$now+x", "\u0000\ud83d", [], {}, [None],
          [[1, 2], [3]], ["a", {"role": 5}], {"a": {"b": [1]}}, [{"role": "user", "content": "x"}],
          [{"role": "tool", "content": [{"type": "input_text", "text": "x"}, 5]}],
          [{"type": "function", "function": {"name": "f", "parameters": {"type": ["object"], "properties": 5}}}],
          [{"type": "function", "name": "f", "parameters": {"$ref": "#/x"}}, {"type": "web_search"}, 7],
          {"type": "json_schema", "json_schema": {"schema": {"enum": []}}}, {"format": {"type": "json_schema"}},
          {"include_usage": True}, {"type": "function", "function": {"name": "g"}}, ["audio"], 3]
ROUNDS = 6


def bodies(dice):
    yield b""
    yield b"{"
    yield b"[1,2]"
    yield b"null"
    yield b'"text"'
    for _ in range(ROUNDS):
        names = dice.sample(NAMES, dice.randint(1, 12)) + ["model"] * dice.randint(0, 1)
        yield json.dumps({n: dice.choice(VALUES) for n in names}).encode()
        useful = {"model": "gpt-4o", "messages": VALUES[20], "input": "a", "prompt": "a", dice.choice(NAMES): dice.choice(VALUES)}
        yield json.dumps(useful).encode()


FORMS = [b"", b"--b--\r\n", b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\r\n--b--\r\n",
         b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\nx\r\n--b--\r\n",
         b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nRIFF\r\n--b\r\nContent-Disposition: "
         b"form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\nContent-Disposition: form-data; name=\"image\"; "
         b"filename=\"b\"\r\n\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n\"x\\\r\n--b--\r\n"]


def cues():
    """The headers that the simulator's page names."""
    page = pathlib.Path(os.environ["TOLLGATE_ROOT"], "docs/SIMULATOR.md").read_text()
    return sorted(set(re.findall(r"^\| `(x-sim-[a-z-]+)`", page, re.M)))


def spoil(sim, dice):
    """Cues in any mixture: whatever comes of it, the simulator lives."""
    names, values = cues(), ["0", "1", "7", "300", "429", "99999", "x", "event", "json", "sse", "chunk", "force", "prompt",
                             "{}", "5", "[1]", "{\"input_tokens\":1}", "a: b", ":", "crlf,comment", "\xff\xfe", ""]
    asks = [("/v1/chat/completions", {"model": "gpt-4o", "messages": VALUES[20], "stream": s}) for s in (True, False)]
    asks += [("/v1/responses", {"model": "gpt-4o", "input": "a", "stream": s}) for s in (True, False)]
    asks += [("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"}),
             ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a", "stream": True})]
    for _ in range(600):
        path, body = dice.choice(asks)
        headers = {n: dice.choice(values) for n in dice.sample(names, dice.randint(1, 4))}
        ask(sim.root, "POST", path, body, headers, silence_s=0.02)
    for name in ("OpenAI-Project", "X-Client-Request-Id", "OpenAI-Beta", "Sec-WebSocket-Protocol", "x-sim-text"):
        assert ask(sim.root, "POST", *asks[1], {name: "p" * 5000}).status == 200, name
    return 605


def main():
    dice = random.Random(7)
    asked = 0
    with Sim() as sim:
        sock = connect(sim.root)
        for op in sim.get("/sim/operations")["data"]:
            key = ADMIN_KEY if op["admin"] else KEY
            if op["path"].startswith("/sim"):
                continue
            paths = ["/v1" + op["path"].replace("{}", part) + query for part, query in
                     (("x", ""), ("%24id", "?limit=0&after=x&start_time=x"), ("a%2Fb", "?start_time=1&group_by=model&date=2026-01-01"))]
            todo = [(p, b, "application/json") for p in paths for b in bodies(dice)]
            if op["method"] == "POST":
                todo += [(p, f, "multipart/form-data; boundary=b") for p in paths for f in FORMS]
            if op["method"] != "POST":
                todo = [(p, b"", "application/json") for p in paths]
            for path, body, kind in todo:
                send(sock, op["method"], path, body or None, {"Content-Type": kind}, key=key)
                answer = receive(sock, 5)
                asked += 1
                assert answer.ended == "end" and answer.status, (op, path, body, answer.ended, answer.raw[:300])
                assert answer.status < 500, (op, path, body, answer.raw[:500])
                if answer.header("connection") == "close":
                    sock.close()
                    sock = connect(sim.root)
        totals = sim.get("/sim/totals")
        asked += spoil(sim, dice)
        assert not totals["refused"], totals["refused"]
    print(f"{asked} requests")
    sys.exit(0)


main()
