#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Portkey's contract, rows 61-68: the cache, exact and by meaning. The first row puts in what the last one, a minute later,
expects to have expired.
"""

import base64
import os
import sys
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, completion
from portkey import Bench, asked, fallback, sees, suite, target, user
from scripted import error_body, events_of, say, stream

SIMPLE = {"provider": "@a", "cache": {"mode": "simple"}}
SEMANTIC = {"provider": "@a", "cache": {"mode": "semantic"}}
aged = {}


def cached(b, model, text="Say hello.", config=None, **more):
    r = b.chat(model, text=text, config=config or SIMPLE, **more)
    return r.header("cache-status"), r


def row_64_max_age_begins(b):
    for name, age in (("60", 60), ("30", 30)):
        config = {"provider": "@a", "cache": {"mode": "simple", "max_age": age}}
        sees("row 64", cached(b, "m64-" + name, config=config)[0], "MISS", f"first call with max_age {age}")
        sees("row 64", cached(b, "m64-" + name, config=config)[0], "HIT", f"second call with max_age {age}")
    aged["at"] = time.monotonic()


def row_61_simple(b):
    b.up.on("gpt-4o-mini", say(body={**completion(), "x_kept": [1.50, "ü"]}))
    before = b.up.count("gpt-4o-mini")
    status, first = cached(b, "gpt-4o-mini", "row 61", traceID="t61-miss")
    sees("row 61", (status, first.fine("row 61").status), ("MISS", 200), "first call")
    status, second = cached(b, "gpt-4o-mini", "row 61", traceID="t61-hit")
    sees("row 61", (status, second.fine("row 61").value), ("HIT", first.value), "second call")
    sees("row 61", b.up.count("gpt-4o-mini") - before, 1, "calls upstream")
    miss, hit = b.rows("t61-miss")[0], b.rows("t61-hit")[0]
    check(Decimal(miss["cost_usd"]) > 0, f"row 61: the miss cost {miss['cost_usd']}")
    sees("row 61", Decimal(hit["cost_usd"]), Decimal(0), "cost of the hit")
    sees("row 61", (hit["cache"], Decimal(hit["saved_usd"])), ("HIT", Decimal(miss["cost_usd"])), "what the hit saved")
    sees("row 61", cached(b, "gpt-4o-mini", "row 61, other text")[0], "MISS", "another question")
    sees("row 61", b.chat("gpt-4o-mini", {"temperature": 0.5}, text="row 61", config=SIMPLE).header("cache-status"), "MISS", "other parameters")
    sees("row 61", b.chat("gpt-4o-mini", text="row 61").header("cache-status"), "DISABLED", "without cache in the config")
    p = b.python("chat.completions.create", asked("gpt-4o-mini", "row 61"), config=SIMPLE).fine("row 61")
    sees("row 61", p.header("cache-status"), "HIT", "the same question through Python")
    b.up.on("m61-second", say())
    config = fallback(target("a"), target("b", "m61-second"), cache={"mode": "simple"})
    b.up.on("m61", say())
    b.chat("m61", config=config).fine("row 61")
    b.up.on("m61", say(500))
    r = b.chat("m61", config=config).fine("row 61")
    sees("row 61", (r.header("cache-status"), r.header("last-used-option-index"), b.up.count("m61-second")), ("HIT", "config.targets[0]", 0),
         "a hit ends the walk of a fallback")


def row_62_isolation(b):
    def ask(**more):
        return cached(b, "m62", **more)[0]
    sees("row 62", ask(metadata={"a": "1", "b": "2"}), "MISS", "first")
    sees("row 62", ask(metadata={"b": "2", "a": "1"}), "HIT", "the same metadata in another order")
    sees("row 62", ask(metadata={"a": "2", "b": "2"}), "MISS", "other metadata")
    sees("row 62", ask(), "MISS", "no metadata")
    sees("row 62", ask(metadata={"a": "1"}, cacheNamespace="n"), "MISS", "first of a namespace")
    sees("row 62", ask(metadata={"a": "9"}, cacheNamespace="n"), "HIT", "same namespace, other metadata")
    sees("row 62", ask(metadata={"a": "1"}, cacheNamespace="other"), "MISS", "another namespace")
    sees("row 62", cached(b, "m62", config={"provider": "@b", "cache": {"mode": "simple"}}, cacheNamespace="n")[0], "HIT",
         "another account of the same upstream")
    elsewhere = {"provider": "openai", "api_key": "sk-x", "custom_host": b.up.host("/elsewhere/v1"), "cache": {"mode": "simple"}}
    sees("row 62", cached(b, "m62", config=elsewhere, cacheNamespace="n")[0], "MISS", "another upstream")
    sees("row 62", cached(b, "m62", apiKey=b.gw.key("second"), cacheNamespace="n")[0], "HIT", "another key of the workspace")


def row_63_refresh(b):
    texts = iter(("one", "two", "three"))

    def numbered(request):
        body = completion(model="m63")
        body["choices"][0]["message"]["content"] = next(texts)
        return say(body=body)(request)
    b.up.on("m63", numbered)

    def ask(**more):
        status, r = cached(b, "m63", **more)
        return status, r.fine("row 63").text
    sees("row 63", ask(), ("MISS", "one"), "first")
    sees("row 63", ask(cacheForceRefresh=False), ("HIT", "one"), "cacheForceRefresh: false")
    sees("row 63", ask(cacheForceRefresh=True), ("REFRESH", "two"), "cacheForceRefresh: true")
    sees("row 63", ask(), ("HIT", "two"), "the entry was written anew")
    for value, wanted in ((False, ("HIT", "two")), (True, ("REFRESH", "three"))):
        p = b.python("chat.completions.create", asked("m63"), config=SIMPLE, cache_force_refresh=value).fine("row 63")
        sees("row 63", (p.header("cache-status"), p.text), wanted, f"cache_force_refresh={value} through Python")
    r = b.chat("m63-plain", cacheForceRefresh=True).fine("row 63")
    sees("row 63", r.header("cache-status"), "DISABLED", "without cache in the config")


def row_65_errors(b):
    for status in (500, 400, 246, 201):
        model = f"m65-{status}"
        b.up.on(model, say(status), say())
        sees("row 65", cached(b, model)[0], "MISS", f"a {status}")
        found, r = cached(b, model)
        sees("row 65", (found, r.status), ("MISS", 200), f"behind a {status}")
        sees("row 65", cached(b, model)[0], "HIT", f"the 200 behind a {status}")


def row_66_stream(b):
    words = ["word%d " % i for i in range(300)]
    body = completion(model="m66")
    body["choices"][0]["message"]["content"] = "".join(words)
    b.up.on("m66", say(body=body))
    sees("row 66", cached(b, "m66")[0], "MISS", "JSON, first")
    found, r = cached(b, "m66", stream=True)
    sees("row 66", found, "HIT", "the same question as a stream")
    sees("row 66", r.fine("row 66").text, "".join(words), "its text")
    check(len(r.chunks) > 3, f"row 66: replayed in {len(r.chunks)} chunks")
    check(all(c.get("choices") and not c.get("usage") for c in r.chunks), "row 66: a chunk that was not asked for")
    sees("row 66", r.chunks[-1]["choices"][0]["finish_reason"], "stop", "its last chunk")
    _, headers, raw = b.raw(asked("m66", stream=True), {"x-portkey-config": SIMPLE})
    check(raw.endswith(b"data: [DONE]\n\n"), f"row 66: the replay ends with {raw[-60:]!r}")
    sees("row 66", headers["content-type"], "text/event-stream", "content type")
    sees("row 66", b.up.count("m66"), 1, "calls upstream")
    body = {"stream_options": {"include_usage": True}}
    b.up.on("m66-s", stream(events_of(("a", "b", "c"), model="m66-s")))
    sees("row 66", cached(b, "m66-s", stream=True)[0], "MISS", "a stream, first")
    found, r = cached(b, "m66-s", stream=True)
    sees("row 66", (found, r.text), ("HIT", "abc"), "a stream again")
    found, r = cached(b, "m66-s")
    sees("row 66", (found, r.fine("row 66").text, r.value["usage"]["total_tokens"]), ("HIT", "abc", 18), "a kept stream as JSON")
    r = b.chat("m66-s", body, stream=True, config=SIMPLE)
    sees("row 66", (r.header("cache-status"), r.chunks[-1]["usage"]["total_tokens"]), ("HIT", 18), "a kept stream with usage")
    p = b.python("chat.completions.create", asked("m66-s", stream=True), stream=True, config=SIMPLE).fine("row 66")
    sees("row 66", p.text, "abc", "a replayed stream through Python")
    b.up.on("m66-cut", stream(events_of(("a", "b", "c"), model="m66-cut"), cut_after=2), say())
    cached(b, "m66-cut", stream=True)
    sees("row 66", cached(b, "m66-cut")[0], "MISS", "behind a stream that broke off")


def row_67_exclusions(b):
    wav = {"$file": {"name": "a.wav", "base64": base64.b64encode(b"RIFF" + bytes(60)).decode(), "type": "audio/wav"}}
    png = {"$file": {"name": "a.png", "base64": base64.b64encode(bytes(60)).decode(), "type": "image/png"}}
    calls = [("audio.speech.create", {"model": "m67", "voice": "alloy", "input": "x"}), ("audio.transcriptions.create", {"model": "m67", "file": wav}),
             ("files.create", {"file": wav, "purpose": "batch"}), ("images.edit", {"image": png, "prompt": "x", "model": "m67"}),
             ("batches.create", {"input_file_id": "f", "endpoint": "/v1/chat/completions", "completion_window": "24h"}),
             ("models.list", None)]
    for call, body in calls:
        for _ in range(2):
            r = b.node(call, *([body] if body else []), config=SIMPLE).fine(f"row 67, {call}")
            sees("row 67", r.header("cache-status"), "DISABLED", call)
    r = b.node("embeddings.create", {"model": "m67-e", "input": "x"}, config=SIMPLE).fine("row 67")
    r = b.node("embeddings.create", {"model": "m67-e", "input": "x"}, config=SIMPLE).fine("row 67")
    sees("row 67", r.header("cache-status"), "HIT", "embeddings are kept")


def row_68_semantic(b):
    question, near, far = "How do I reset my password?", "What is the way to reset a password?", "How do I close my account?"
    b.up.near = {near: (question, 0.97), far: (question, 0.90)}

    def ask(text, messages=None, **body):
        sent = {**body, **({"messages": messages} if messages else {})}
        r = b.chat("m68", sent, text=text, config=SEMANTIC).fine("row 68")
        return r.header("cache-status")
    sees("row 68", ask(question), "SEMANTIC MISS", "first")
    sees("row 68", ask(question), "HIT", "the same again")
    sees("row 68", ask(near), "SEMANTIC HIT", "a paraphrase at 0.97")
    sees("row 68", ask(far), "SEMANTIC MISS", "another question at 0.90")
    sees("row 68", ask(near, temperature=0.7), "SEMANTIC MISS", "a paraphrase with another parameter")
    sees("row 68", b.up.count("m68"), 3, "calls upstream")

    def with_system(system, text):
        return [{"role": "system", "content": system}, *user(text)]
    sees("row 68", ask(None, with_system("Be brief.", question)), "SEMANTIC MISS", "with a system message")
    sees("row 68", ask(None, with_system("Be brief.", near)), "SEMANTIC HIT", "a paraphrase under the same system message")
    sees("row 68", ask(None, with_system("Be long.", near)), "SEMANTIC MISS", "a paraphrase under another system message")
    five = [*user("1"), {"role": "assistant", "content": "2"}, *user("3"), {"role": "assistant", "content": "4"}]
    embedded = len(b.up.seen(path="/v1/embeddings"))
    status = ask(None, five + user(question))
    check(status in ("SEMANTIC MISS", "MISS"), f"row 68: five messages: {status}")
    status = ask(None, five + user(near))
    check(status in ("SEMANTIC MISS", "MISS"), f"row 68: a paraphrase behind five messages: {status}")
    sees("row 68", len(b.up.seen(path="/v1/embeddings")), embedded, "questions of five messages are not embedded")
    r = b.chat("m68", text=near, config=SEMANTIC, metadata={"team": "x"}).fine("row 68")
    sees("row 68", r.header("cache-status"), "SEMANTIC MISS", "a paraphrase with other metadata")
    row = b.rows(b.chat("m68", text=near, config=SEMANTIC, traceID="t68").header("trace-id"))[0]
    check(row["cache"] in ("HIT", "SEMANTIC HIT") and Decimal(row["cost_usd"]) == 0, f"row 68: cost {row['cost_usd']} of a {row['cache']}")
    b.up.on_path("/v1/embeddings", say(500, body=error_body(500)))
    status = ask("A question while the embedding model is down?")
    b.up.on_path("/v1/embeddings")
    check(status in ("SEMANTIC MISS", "MISS"), f"row 68: with the embedding model down: {status}")


def row_64_max_age_ends(b):
    time.sleep(max(0.0, aged["at"] + 60.5 - time.monotonic()))
    for name, age, wanted in (("60", 60, "MISS"), ("30", 30, "HIT")):
        config = {"provider": "@a", "cache": {"mode": "simple", "max_age": age}}
        sees("row 64", cached(b, "m64-" + name, config=config)[0], wanted, f"a minute later, max_age {age}")


def restart_keeps_the_cache(b):
    cached(b, "m-restart")
    sees("restart", cached(b, "m-restart")[0], "HIT", "before")
    time.sleep(0.5)
    b.gw.stop()
    b.gw.start()
    sees("restart", cached(b, "m-restart")[0], "HIT", "after a restart")


if __name__ == "__main__":
    suite(Bench, [row_64_max_age_begins, row_61_simple, row_62_isolation, row_63_refresh, row_65_errors, row_66_stream,
                  row_67_exclusions, row_68_semantic, row_64_max_age_ends, restart_keeps_the_cache])
