#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=200
"""Portkey's contract, rows 69-73: guardrails before and after a call, their statuses, and the built-in checks."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, completion
from portkey import Bench, asked, fallback, sees, suite, target, user
from scripted import say

DENIED = {"message": "The guardrail checks defined in the config failed. You can find more information in the `hook_results` object.",
          "type": "hooks_failed", "param": None, "code": None}


def words(operator, *list_, **more):
    return {"default.contains": {"operator": operator, "words": list(list_)}, **more}


def saying(text, model="m"):
    body = completion(model=model)
    body["choices"][0]["message"]["content"] = text
    return say(body=body)


def row_69_input_deny(b):
    config = {"provider": "@a", "input_guardrails": [words("none", "secret", deny=True)]}
    r = b.chat("m69", text="tell me the secret", config=config)
    body = r.error.get("error") or {}
    sees("row 69", (r.status, body.get("error"), b.up.count("m69"), r.calls), (446, DENIED, 0, 1), "status, error, calls upstream, requests")
    before = (body.get("hook_results") or {}).get("before_request_hooks") or [{}]
    sees("row 69", (before[0].get("verdict"), before[0].get("deny")), (False, True), "hook result")
    one = (before[0].get("checks") or [{}])[0]
    sees("row 69", (one.get("id"), one.get("verdict")), ("default.contains", False), "check's result")
    check("execution_time" in one and "data" in one and "created_at" in one, f"row 69: members of a check's result: {one}")
    check("cache-status" not in {k.removeprefix("x-portkey-") for k in r.headers}, "row 69: a denied request names a cache status")
    r = b.chat("m69", text="tell me a joke", config=config).fine("row 69")
    sees("row 69", (r.status, r.value["hook_results"]["before_request_hooks"][0]["verdict"]), (200, True), "an allowed request")
    long = {"provider": "@a", "before_request_hooks": [{"type": "guardrail", "id": "my-guard", "deny": True, "checks": [
        {"id": "default.contains", "parameters": {"operator": "none", "words": ["secret"]}, "is_enabled": True}]}]}
    r = b.chat("m69", text="secret", config=long)
    results = (r.error.get("error") or {}).get("hook_results", {}).get("before_request_hooks") or [{}]
    sees("row 69", (r.status, results[0].get("id")), (446, "my-guard"), "the long form")
    long["before_request_hooks"][0]["checks"][0]["is_enabled"] = False
    sees("row 69", b.chat("m69", text="secret", config=long).status, 200, "a check that is off")
    p = b.python("chat.completions.create", asked("m69", "secret"), config=config)
    sees("row 69", (p.status, p.error.get("name"), p.calls), (446, "APIStatusError", 1), "through Python")
    only_last = [*user("the secret"), {"role": "assistant", "content": "no"}, *user("fine")]
    sees("row 69", b.chat("m69", {"messages": only_last}, config=config).status, 200, "only the last message counts")


def row_70_input_soft(b):
    config = {"provider": "@a", "input_guardrails": [words("none", "secret")]}
    r = b.chat("m70", text="secret", config=config)
    sees("row 70", (r.status, b.up.count("m70")), (246, 1), "status and calls upstream")
    sees("row 70", r.value["choices"][0]["message"]["content"], "Hello.", "the reply")
    sees("row 70", r.value["hook_results"]["before_request_hooks"][0]["verdict"], False, "hook result")
    later = dict(words("none", "secret"), **{"async": True})
    r = b.chat("m70", text="secret", config={"provider": "@a", "input_guardrails": [later]}).fine("row 70")
    sees("row 70", r.status, 200, "an async guardrail changes nothing")
    r = b.chat("m70", text="secret", config=fallback(target("a", input_guardrails=[words("none", "secret")]), target("b", "m70-second")))
    sees("row 70", (r.status, b.up.count("m70-second")), (246, 0), "246 is a success for fallback")


def row_71_output(b):
    b.up.on("m71", saying("a bad word"))
    soft = {"provider": "@a", "output_guardrails": [words("none", "bad")]}
    r = b.chat("m71", config=soft)
    sees("row 71", (r.status, r.value["hook_results"]["after_request_hooks"][0]["verdict"]), (246, False), "soft")
    sees("row 71", r.value["choices"][0]["message"]["content"], "a bad word", "the reply of a soft failure")
    hard = {"provider": "@a", "output_guardrails": [words("none", "bad", deny=True)]}
    r = b.chat("m71", config=hard)
    body = r.error.get("error") or {}
    sees("row 71", (r.status, body.get("error")), (446, DENIED), "deny")
    check("a bad word" not in json.dumps(body.get("error")), "row 71: the denied answer is in the error")
    sees("row 71", body["hook_results"]["after_request_hooks"][0]["verdict"], False, "hook result of a denial")
    b.up.on("m71-retry", saying("bad"), saying("bad"), saying("good"))
    r = b.chat("m71-retry", config={**soft, "retry": {"attempts": 3, "on_status_codes": [246]}})
    sees("row 71", (r.status, b.up.count("m71-retry"), r.header("retry-attempt-count")), (200, 3, "2"), "retry on 246")
    b.up.on("m71-f", saying("bad"))
    r = b.chat("m71", config=fallback(target("a", "m71-f", output_guardrails=[words("none", "bad", deny=True)]), target("b", "m71-g"), codes=[446]))
    sees("row 71", (r.status, r.header("last-used-option-index")), (200, "config.targets[1]"), "fallback on 446")
    b.up.on("m71-500", say(500))
    r = b.chat("m71-500", config=soft)
    sees("row 71", r.status, 500, "output guardrails do not look at errors")


def row_72_stream(b):
    config = {"provider": "@a", "input_guardrails": [words("none", "secret")]}
    r = b.chat("m72", stream=True, config=config).fine("row 72")
    sees("row 72", (list(r.chunks[0]), r.status), (["hook_results"], 200), "first chunk through Node's portkey-ai, which is lenient")
    sees("row 72", "".join((c.get("choices") or [{}])[0].get("delta", {}).get("content") or "" for c in r.chunks[1:]), "Hello.", "text behind it")
    headers = {"$headers": {"apiKey": b.key, "config": config}}
    r = b.node("chat.completions.create", asked("m72", stream=True), sdk="openai", stream=True, defaultHeaders=headers).fine("row 72")
    check(not any("hook_results" in c for c in r.chunks), f"row 72: a plain OpenAI client gets {r.chunks[0]}")
    check(all(c["choices"] for c in r.chunks), "row 72: a chunk without choices")
    r = b.chat("m72", stream=True, config=config, strictOpenAiCompliance=True).fine("row 72")
    check(not any("hook_results" in c for c in r.chunks), "row 72: strict compliance, and yet hook_results")
    deny = {"provider": "@a", "input_guardrails": [words("none", "secret", deny=True)]}
    r = b.chat("m72", stream=True, text="secret", config=deny)
    sees("row 72", r.status, 446, "a denied stream")


# check, parameters, text that passes, text that fails
CHECKS = [
    ("regexMatch", {"rule": "^\\d{3}$"}, "123", "12a"), ("regexMatch", {"rule": "bad", "not": True}, "good", "so bad"),
    ("contains", {"operator": "any", "words": ["a1", "b1"]}, "x a1 y", "c1"), ("contains", {"operator": "all", "words": ["a1", "b1"]}, "a1 b1", "a1"),
    ("contains", {"operator": "none", "words": ["a1", "b1"]}, "c1", "b1 here"),
    ("wordCount", {"minWords": 2, "maxWords": 3}, "two words", "one"), ("wordCount", {"minWords": 2, "maxWords": 3}, "now three words", "these are four words"),
    ("characterCount", {"minCharacters": 2, "maxCharacters": 4}, "üöä", "ü"), ("characterCount", {"minCharacters": 1, "maxCharacters": 4}, "four", "fifth"),
    ("sentenceCount", {"minSentences": 1, "maxSentences": 2}, "One. Two.", "One. Two. Three."),
    ("jsonSchema", {"schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}}, '{"a":1}', '{"a":"x"}'),
    ("jsonSchema", {"schema": {"type": "array", "items": {"type": "string"}, "minItems": 1}}, '["x"]', "[]"),
    ("jsonKeys", {"keys": ["a", "b"], "operator": "all"}, '{"a":1,"b":2}', '{"a":1}'),
    ("jsonKeys", {"keys": ["a", "b"], "operator": "any"}, '{"b":2}', '{"c":1}'), ("jsonKeys", {"keys": ["a"], "operator": "none"}, '{"c":1}', '{"a":1}'),
    ("alluppercase", {}, "LOUD 1!", "Loud"), ("alllowercase", {}, "quiet 1!", "Quiet"), ("endsWith", {"suffix": "."}, "Ends.", "Ends"),
    ("containsCode", {"format": "Python", "not": True}, "plain text", "```python\nprint(1)\n```"),
]


def row_73_checks(b):
    wrong = []
    for name, parameters, good, bad in CHECKS:
        config = {"provider": "@a", "input_guardrails": [{"default." + name: parameters, "deny": True}]}
        for text, wanted in ((good, 200), (bad, 446)):
            status, _, body = b.raw(asked("m73", text), {"x-portkey-config": config})
            if status != wanted:
                wrong.append(f"{name} {parameters} on {text!r}: wanted {wanted}, found {status} {body[:160]!r}")
    models = {"provider": "@a", "input_guardrails": [{"default.modelwhitelist": {"models": ["m73-ok", "m73-too"]}, "deny": True}]}
    for model, wanted in (("m73-ok", 200), ("m73-no", 446)):
        status, _, _ = b.raw(asked(model), {"x-portkey-config": models})
        if status != wanted:
            wrong.append(f"modelwhitelist on {model}: wanted {wanted}, found {status}")
    keys = {"provider": "@a", "input_guardrails": [{"default.requiredMetadataKeys": {"metadataKeys": ["team"], "operator": "all"}, "deny": True}]}
    for metadata, wanted in (({"team": "x"}, 200), ({"other": "x"}, 446)):
        status, _, _ = b.raw(asked("m73"), {"x-portkey-config": keys, "x-portkey-metadata": metadata})
        if status != wanted:
            wrong.append(f"requiredMetadataKeys on {metadata}: wanted {wanted}, found {status}")
    check(not wrong, "row 73: " + "; ".join(wrong))


def hook_config(b, path, **more):
    return {"provider": "@a", "input_guardrails": [{"default.webhook": {"webhookURL": b.up.host(path), "headers": {"x-hook": "h"}, **more}, "deny": True}]}


def row_73_webhook(b):
    b.up.on_path("/hook/yes", say(body={"verdict": True}))
    b.up.on_path("/hook/no", say(body={"verdict": False}))
    b.up.on_path("/hook/slow", say(body={"verdict": False}, delay=3))
    b.up.on_path("/hook/broken", say(500, body=b"oops", type="text/plain"))
    for path, wanted in (("/hook/yes", 200), ("/hook/no", 446), ("/hook/broken", 200)):
        status, _, body = b.raw(asked("m73-hook"), {"x-portkey-config": hook_config(b, path)})
        sees("row 73", status, wanted, f"webhook {path}: {body[:300]!r}")
    begun = time.monotonic()
    status, _, body = b.raw(asked("m73-hook"), {"x-portkey-config": hook_config(b, "/hook/slow", timeout=300)})
    sees("row 73", status, 200, f"a webhook that is too slow counts as passed: {body[:300]!r}")
    check(time.monotonic() - begun < 2, f"row 73: its time-out of 300 ms took {time.monotonic() - begun:.1f} s")
    asked_hook = b.up.seen(path="/hook/yes")[0]
    sees("row 73", asked_hook.headers.get("x-hook"), "h", "the webhook's own header")
    check("Say hello." in asked_hook.body.decode(), f"row 73: the webhook was not told the text: {asked_hook.body!r}")
    check(b.key not in asked_hook.head.decode() + asked_hook.body.decode(), "row 73: the webhook was told the gateway key")
    status, _, body = b.raw(asked("m73-hook"), {"x-portkey-config": {"provider": "@a", "input_guardrails": [
        {"default.webhook": {"webhookURL": "http://169.254.169.254/latest"}, "deny": True}]}})
    check(status in (200, 400), f"row 73: a webhook at a metadata address gave {status}: {body[:200]!r}")


if __name__ == "__main__":
    suite(Bench, [row_69_input_deny, row_70_input_soft, row_71_output, row_72_stream, row_73_checks, row_73_webhook])
