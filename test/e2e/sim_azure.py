#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Azure paths: by the SDK's own Azure client, dated and v1, and by hand where it hides things."""

import json
import sys

import openai

from sdk.rawhttp import ask
from sdk.simrun import Sim

VERSION = "2024-10-21"
MESSAGES = [{"role": "user", "content": "What does it cost?"}]


def equal(got, want, what=""):
    assert got == want, f"{what} got {got!r}, want {want!r}"


def azure(sim, **options):
    return openai.AzureOpenAI(azure_endpoint=sim.root, api_key="0123456789abcdef", api_version=VERSION,
                              max_retries=0, **options)


def check_sdk(sim):
    c = azure(sim)
    r = c.chat.completions.create(model="my-deployment", messages=MESSAGES)
    whole = r.to_dict()
    equal(whole["prompt_filter_results"][0]["content_filter_results"]["hate"], {"filtered": False, "severity": "safe"})
    assert "violence" in whole["choices"][0]["content_filter_results"]
    equal(azure(sim).chat.completions.create(model="gpt-35-turbo", messages=MESSAGES).model, "gpt-3.5-turbo-0125")
    chunks = list(c.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True,
                                            stream_options={"include_usage": True}))
    first = chunks[0].to_dict()
    equal((first["id"], first["object"], first["model"], first["created"], first["choices"]), ("", "", "", 0, []))
    assert "prompt_filter_results" in first and chunks[1].model == "gpt-4o-2024-08-06"
    usage = chunks[-1].usage
    equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
    assert c.embeddings.create(model="text-embedding-3-small", input="a").data
    assert c.completions.create(model="gpt-35-turbo-instruct", prompt="a").choices
    assert c.images.generate(model="gpt-image-1", prompt="a").data
    assert c.audio.speech.create(model="tts-1", voice="alloy", input="a").read()
    assert c.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"ID3" * 1000)).text
    assert list(c.models.list()) and c.responses.create(model="gpt-4o", input="a").output_text
    file = c.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    equal(c.files.content(file.id).read(), b"{}")


def check_v1(sim):
    c = openai.OpenAI(base_url=sim.root + "/openai/v1/", api_key="0123456789abcdef", max_retries=0)
    r = c.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert "prompt_filter_results" in r.to_dict()
    assert c.responses.create(model="gpt-4o", input="a").output_text


def check_errors(sim):
    where = "/openai/deployments/{}/chat/completions?api-version=" + VERSION
    body = {"messages": MESSAGES}
    key = {"api-key": "0123456789abcdef"}

    def go(deployment, extra=None, path=where, more=None):
        return ask(sim.root, "POST", path.format(deployment), {**body, **(more or {})}, {**key, **(extra or {})}, key="")

    a = go("no-such-deployment")
    equal((a.status, a.json["error"]["code"], sorted(a.json["error"])), (404, "DeploymentNotFound", ["code", "message"]))
    a = ask(sim.root, "POST", where.format("gpt-4o"), body, key="")
    equal((a.status, a.json["error"]["code"]), (401, "401"))
    a = go("gpt-4o", {"x-sim-status": "429"})
    equal((a.status, a.json["error"]["code"], a.header("openai-version")), (429, "429", None))
    assert a.header("apim-request-id") and a.header("x-ms-region")
    a = go("gpt-4o", {"x-sim-content-filter": "prompt"})
    error = a.json["error"]
    equal((a.status, error["code"], error["innererror"]["code"]), (400, "content_filter", "ResponsibleAIPolicyViolation"))
    equal(go("gpt-4o", path="/openai/deployments/{}/chat/completions").status, 404, "without a version")
    old = "/openai/deployments/{}/chat/completions?api-version=2024-02-01"
    asks = {"stream": True, "stream_options": {"include_usage": True}}
    equal(go("gpt-4o", path=old, more=asks).status, 400, "include_usage in an old version")
    equal(go("gpt-4o", path=old, more={"stream": True}).status, 200)


def check_filters(sim):
    where = "/openai/deployments/gpt-4o/chat/completions?api-version=" + VERSION
    key = {"api-key": "0123456789abcdef"}
    body = {"messages": MESSAGES, "stream": True}
    a = ask(sim.root, "POST", where, body, {**key, "x-sim-content-filter": "async"}, key="")
    chunks = [json.loads(e) for e in a.events() if e != "[DONE]"]
    finish = [i for i, k in enumerate(chunks) if k["choices"] and k["choices"][0]["finish_reason"]]
    offsets = [i for i, k in enumerate(chunks) if k["choices"] and "content_filter_offsets" in k["choices"][0]]
    assert finish and offsets and offsets[-1] > finish[-1], "the annotation comes behind the finish"
    a = ask(sim.root, "POST", where, {"messages": MESSAGES}, {**key, "x-sim-content-filter": "output"}, key="")
    choice = a.json["choices"][0]
    equal((choice["finish_reason"], choice["content_filter_results"]["violence"]["filtered"]), ("content_filter", True))


with Sim() as simulator:
    for check in (check_sdk, check_v1, check_errors, check_filters):
        check(simulator)
        print("ok", check.__name__)
    models = simulator.get("/sim/totals")["models"]
    assert "gpt-3.5-turbo-0125" in models, models
sys.exit(0)
