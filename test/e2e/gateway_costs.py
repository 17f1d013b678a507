#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What another model did within a request is an attempt of its own, at its own prices; the head shows the sum."""

import json
import os
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Gateway, Upstream, check, equal, run

RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-4o-mini-2024-07-18",
            "tools": [{"type": "image_generation", "model": "gpt-image-1"}],
            "output": [{"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGVsbG8="}],
            "usage": {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 100, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1100},
            "tool_usage": {"image_gen": {"input_tokens": 50, "input_tokens_details": {"text_tokens": 50, "image_tokens": 0}, "output_tokens": 272,
                                         "output_tokens_details": {"image_tokens": 272, "text_tokens": 0}, "total_tokens": 322}}}
MAIN = (Decimal("0.15") * 1000 + Decimal("0.6") * 100) / 1_000_000
TOOL = (Decimal(5) * 50 + Decimal(40) * 272) / 1_000_000


def the_image_tool_of_a_response_is_paid_for():
    state = {"response": RESPONSE}

    def answer(request):
        if b'"stream"' not in request.body:
            request.answer(state["response"])
            return
        request.begin_stream()
        request.chunk(b"event: response.completed\ndata: " + json.dumps({"type": "response.completed", "sequence_number": 1, "response": state["response"]}).encode() + b"\n\n")
        request.end()

    up = Upstream(answer)
    with Gateway(up.url) as g:
        for body in ({"model": "gpt-4o-mini", "input": "draw"}, {"model": "gpt-4o-mini", "input": "draw", "stream": True}):
            status, headers, _ = g.post("/v1/responses", body)
            equal(status, 200, "status")
            if "stream" not in body:
                equal(Decimal(headers["x-tollgate-cost-usd"]), MAIN + TOOL, "the cost in the head is the sum")
            tool, main = g.rows(2)
            equal((main["operation"], main["attempt"], Decimal(main["cost_usd"])), ("responses", 0, MAIN), "the response")
            equal((tool["operation"], tool["attempt"], tool["request_id"], tool["model_answered"], Decimal(tool["cost_usd"])),
                  ("images.tool", 1, main["id"], "gpt-image-1", TOOL), "the tool")
            equal(tool["usage"]["meters"], {"input": 50, "image_output": 272}, "its usage")
        total = json.loads(g.get("/tollgate/v1/cost?group_by=model")[2], parse_float=Decimal)["total"]
        equal((total["requests"], total["attempts"], total["cost_usd"]), (2, 4, 2 * (MAIN + TOOL)), "the report")
        state["response"] = {**RESPONSE, "tools": []}
        equal(g.post("/v1/responses", {"model": "gpt-4o-mini", "input": "draw"})[1]["x-tollgate-cost-usd"], "unpriced", "a tool whose model nobody names")
        check(g.metrics()["tollgate_unpriced_total"] == 1, "and it is counted aloud")


run(the_image_tool_of_a_response_is_paid_for)
