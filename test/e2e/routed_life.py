#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=200
"""
What one try of a routed request leaves behind for the next: nothing. And what is never sent, checked or paid for by
mistake when tries follow each other, when an answer is larger than is held, or when a body is not what its type says.
"""

import json
import os
import sys
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, check, completion, equal, free_port, wait_until
from portkey import Bench, Wire, asked, fallback, suite, target
from scripted import ScriptedUpstream, events_of, say, stream


def saying(text, model="gpt-4o-mini", **usage):
    body = completion(model=model, **usage)
    body["choices"][0]["message"]["content"] = text
    return say(body=body)


def words(operator, *list_, **more):
    return {"default.contains": {"operator": operator, "words": list(list_)}, **more}


def chunks_of(answer):
    return [json.loads(line[6:]) for line in answer.split(b"\n") if line.startswith(b"data: {")]


def rows_of(b, headers, count):
    return b.rows(headers["x-portkey-trace-id"], count)


def a_retried_stream_hides_the_usage_nobody_asked_for(b):
    b.up.on("usage-retry", say(500), stream())
    config = {"provider": "@a", "retry": {"attempts": 2}}
    status, headers, answer = b.raw(asked("usage-retry", stream=True), {"x-portkey-config": config})
    equal((status, headers["x-portkey-retry-attempt-count"]), (200, "1"), "status and tries")
    found = chunks_of(answer)
    check(found and all(c["choices"] and "usage" not in c for c in found), f"usage that was not asked for: {answer[-600:]}")
    row = rows_of(b, headers, 2)[-1]
    equal(row["usage"]["source"], "reported", "where the usage comes from")


def what_follows_a_denied_hit_is_paid_for(b):
    plain = {"provider": "@a", "cache": {"mode": "simple"}, "override_params": {"model": "hit-denied"}}
    b.up.on("hit-denied", saying("a bad word", "hit-denied"))
    equal(b.raw(asked("m", "hit denied"), {"x-portkey-config": plain})[1]["x-portkey-cache-status"], "MISS", "put into the cache")
    guarded = fallback({**plain, "output_guardrails": [words("none", "bad", deny=True)]}, target("b", "gpt-4o-mini"), codes=[446])
    status, headers, answer = b.raw(asked("m", "hit denied"), {"x-portkey-config": guarded})
    equal((status, headers["x-portkey-last-used-option-index"], headers["x-portkey-cache-status"]), (200, "config.targets[1]", "DISABLED"), "where it came from")
    first, second = rows_of(b, headers, 2)
    equal((first["status"], first["cache"], Decimal(first["cost_usd"])), (446, "HIT", Decimal(0)), "the hit")
    check(Decimal(second["cost_usd"]) > 0 and second["usage"]["source"] == "reported", f"the call behind it is paid for: {second}")
    check(Decimal(headers["x-tollgate-cost-usd"]) > 0, "and the answer says so")


def a_broken_stream_is_no_part_of_the_next_ones_answer(b):
    half = b'data: {"id":"chatcmpl-half","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"ha'
    b.up.on("tee", stream([half, b"never"], gap=0.05, cut_after=1), stream(model_events("tee")))
    config = {"provider": "@a", "cache": {"mode": "simple"}, "retry": {"attempts": 2, "on_status_codes": [500]}}
    body = asked("tee", "half an event", stream=True)
    status, headers, answer = b.raw(body, {"x-portkey-config": config})
    equal((status, headers["x-portkey-cache-status"], headers["x-portkey-retry-attempt-count"]), (200, "MISS", "1"), "the second try")
    check(b"half" not in answer, f"the first try's bytes: {answer[:300]}")
    status, headers, answer = b.raw(body, {"x-portkey-config": config})
    equal((status, headers["x-portkey-cache-status"]), (200, "HIT"), "kept")
    check(b"half" not in answer and b"[DONE]" in answer, f"what was kept has the first try's bytes: {answer[:300]}")
    equal("".join(c["choices"][0]["delta"].get("content") or "" for c in chunks_of(answer) if c["choices"]), "Hello.", "text of the hit")


def model_events(model):
    return events_of(usage=True, model=model)


def an_answer_too_large_to_be_checked_is_not_given(b):
    large = "x" * (9 << 20)
    b.up.on("huge-answer", saying(large + " bad", "huge-answer"))
    deny = {"provider": "@a", "output_guardrails": [words("none", "bad", deny=True)]}
    status, headers, answer = b.raw(asked("huge-answer"), {"x-portkey-config": deny})
    check(status != 200 and len(answer) < 1 << 20, f"an unchecked answer of {len(answer)} bytes with status {status}")
    before = {"provider": "@a", "input_guardrails": [words("none", "bad")]}
    status, headers, answer = b.raw(asked("huge-answer"), {"x-portkey-config": before})
    equal((status, len(answer) > len(large)), (200, True), "whose guardrails look at the request only passes")
    b.up.on("huge-200", saying(large, "huge-200"))
    again = {"provider": "@a", "retry": {"attempts": 2, "on_status_codes": [200]}}
    calls = b.up.count("huge-200")
    status, headers, answer = b.raw(asked("huge-200"), {"x-portkey-config": again})
    equal(status, 200, "an answer that would have been tried again")
    equal(json.loads(answer)["choices"][0]["message"]["content"], large, "is whole")


def room_of_answers_does_not_grow(b):
    b.up.on("roomy", saying("good", "roomy"))
    large = completion(model="roomy-large")
    large["choices"][0]["message"]["content"] = "y" * (10 << 20)
    data = json.dumps(large).encode()

    def chunked(request):
        request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        request.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
    b.up.on("roomy-large", chunked)
    wire = Wire(b)
    config = {"provider": "@a", "output_guardrails": [words("none", "bad")]}
    for _ in range(6):
        equal(wire.post(asked("roomy"), {"x-portkey-config": config})[0], 200, "an answer with results")
    status, headers, answer = wire.post(asked("roomy-large"), {"x-portkey-config": {"provider": "@a"}})
    equal((status, len(answer), "x-tollgate-cost-usd" in headers), (200, len(data), False), "10 MiB are not held behind them")
    wire.close()


def calls_that_never_came_there_cost_nothing(b):
    dead = {"provider": "openai", "api_key": "sk-x", "custom_host": f"http://127.0.0.1:{free_port()}/v1", "override_params": {"model": "gpt-4o-mini"}}
    status, headers, answer = b.raw(asked("gpt-4o-mini", "word " * 400), {"x-portkey-config": fallback(dead, target("b", "gpt-4o-mini"))})
    equal((status, headers["x-portkey-last-used-option-index"]), (200, "config.targets[1]"), "the second one answers")
    first, second = rows_of(b, headers, 2)
    equal((first["outcome"], first["usage"]["source"], first["cost_usd"]), ("upstream_failed", "none", "0.00"), "the first")
    equal(Decimal(headers["x-tollgate-cost-usd"]), Decimal(second["cost_usd"]), "the answer's cost")


def a_broken_answer_is_not_called_complete(b):
    def cut(request):
        request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"id\":\"x\"")
        return "close"
    b.up.on("cut-held", cut)
    status, headers, _ = b.raw(asked("cut-held"), {"x-portkey-config": fallback(target("a", "cut-held"), target("b", "fine"))})
    first, second = rows_of(b, headers, 2)
    equal((status, first["outcome"] in ("upstream_failed", "upstream_aborted"), second["outcome"]), (200, True, "completed"), f"outcomes: {first['outcome']}")


def a_refused_request_names_no_account(b):
    status, headers, _ = b.raw(asked("@nowhere/gpt-4o-mini"))
    row = rows_of(b, headers, 1)[0]
    equal((status, row["integration"], row["upstream_host"]), (400, None, None), f"{row}")


def guardrails_are_not_passed_by_with_another_type(b):
    deny = {"provider": "@a", "input_guardrails": [words("none", "secret", deny=True)]}
    for kind in ("text/plain", "application/octet-stream", "text/json; charset=utf-8"):
        before = len(b.up.requests)
        status, _, answer = b.raw(asked("typed", "the secret"), {"x-portkey-config": deny, "Content-Type": kind})
        check(status >= 400 and len(b.up.requests) == before, f"{kind}: {status}, {len(b.up.requests) - before} calls upstream")
    status, _, _ = b.raw(asked("typed", "the secret"), {"x-portkey-config": {"provider": "@a"}, "Content-Type": "text/plain"})
    equal(status, 200, "without guardrails it passes")


def guardrails_read_what_the_provider_reads(b):
    deny = {"provider": "@a", "input_guardrails": [words("none", "secret", deny=True)]}
    fine, secret = '[{"role":"user","content":"fine"}]', '[{"role":"user","content":"the secret"}]'
    for body in (f'"messages":{fine},"messages":{secret}', f'"messages":{secret},"messages":{fine}', f'"mess\\u0061ges":{secret}',
                 '"messages":[{"role":"user","content":"fine","content":"the secret"}]', '"messages":[{"role":"user","c\\u006fntent":"the secret"}]',
                 '"messages":[{"role":"user","content":[{"type":"text","text":"fine","text":"the secret"}]}]'):
        before = len(b.up.requests)
        status, _, _ = b.raw(('{"model":"read",' + body + "}").encode(), {"x-portkey-config": deny})
        equal((status in (400, 446), len(b.up.requests)), (True, before), f"{body} gave {status}")
    body = dict(asked("read"), messages=[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}] * 3)
    equal(b.raw(body, {"x-portkey-config": deny})[0], 200, "many members of one name in many objects")


def set_limits(b, slug, **limits):
    b.control("PUT", "/v1/virtual-keys/" + slug, limits)


def a_budget_is_not_passed_by_large_numbers(b):
    set_limits(b, "c", usage_limits={"credit_limit": 1, "periodic_reset": "monthly"})
    for more in ({"max_tokens": 1 << 33, "n": 1 << 31}, {"max_tokens": 1 << 45, "n": 1 << 20}, {"max_tokens": 1 << 45}):
        status, _, answer = b.raw({**asked("gpt-4o-mini"), **more}, {"x-portkey-provider": "@c"})
        equal((status, b"virtual_key_exhaust_error" in answer), (412, True), f"{more}: {answer[:200]}")
    equal(b.raw({**asked("gpt-4o-mini"), "max_tokens": 10}, {"x-portkey-provider": "@c"})[0], 200, "what fits")
    set_limits(b, "c", usage_limits=None)


def a_models_address_keeps_its_callers_key(b):
    spec = {"integrationConnections": ["a"], "runtime": {"type": "openai", "model": "gpt-4o-mini"}}
    blaxel = {"x-blaxel-authorization": "Bearer " + ADMIN_KEY}
    made = b.gw.request("POST", "/v0/models", {"metadata": {"name": "life"}, "spec": spec}, blaxel, key=None)
    equal(made[0], 200, f"a model API: {made[2]}")
    for name, value in (("Authorization", b.key), ("Authorization", "Bearer " + b.key), ("x-blaxel-authorization", "Bearer " + b.key), ("x-blaxel-authorization", b.key)):
        for forward in ("authorization", "x-blaxel-authorization", "Authorization,X-Blaxel-Authorization"):
            headers = {name: value, "x-portkey-forward-headers": forward}
            status, _, answer = b.gw.request("POST", "/run/default/models/life/v1/chat/completions", {"messages": []}, headers, key=None)
            equal(status, 200, f"{name}, forwarded {forward}: {answer[:200]}")
            head = b.up.requests[-1].head.decode()
            check(b.key not in head and "sk-a-stored-secret" in head, f"{name}: {value[:8]}…, forwarded {forward}: {head}")


def a_token_that_is_never_good_ends_the_wait(b):
    b.up.on_path("/late/oauth2/v2.0/token", say(body={"access_token": "t", "expires_in": 1}, delay=1.1))
    azure = {"provider": "azure-openai", "azure_auth_mode": "entra", "azure_entra_client_id": "c", "azure_entra_client_secret": "s",
             "azure_entra_tenant_id": "late", "deployment_id": "d", "api_version": "v1", "custom_host": b.up.host("/openai")}
    status, _, answer = b.raw(asked("m"), {"x-portkey-config": azure}, timeout=20)
    equal(status, 401, f"a token that has expired when it comes: {answer[:300]}")
    check(b"expired" in answer, f"the sentence: {answer[:300]}")


def a_long_body_in_chunks_passes(b):
    b.up.on_path("/slow/oauth2/v2.0/token", say(body={"access_token": "t", "expires_in": 3600}, delay=0.7))
    azure = {"provider": "azure-openai", "azure_auth_mode": "entra", "azure_entra_client_id": "c", "azure_entra_client_secret": "s",
             "azure_entra_tenant_id": "slow", "deployment_id": "d", "api_version": "v1", "custom_host": b.up.host("/openai")}
    body = json.dumps(asked("long", "x" * (20 << 20))).encode()
    for config in ({"provider": "@a"}, azure):
        for piece in (1000, 60000, 1 << 20):
            wire = Wire(b)
            pieces = (body[i:i + piece] for i in range(0, len(body), piece))
            headers = {"x-portkey-api-key": b.key, "Content-Type": "application/json", "x-portkey-config": json.dumps(config)}
            wire.connection.request("POST", "/v1/chat/completions", pieces, headers, encode_chunked=True)
            answer = wire.connection.getresponse()
            equal((answer.status, b.up.requests[-1].size), (200, len(body)), f"{config['provider']}, chunks of {piece}: {answer.read()[:200]}")
            wire.close()


def a_time_out_may_be_of_any_size(b):
    for ms in ("18446744073709552", "18446744073709551615", "9223372036854775"):
        status, _, answer = b.raw(asked("gpt-4o-mini"), {"x-portkey-provider": "@a", "x-portkey-request-timeout": ms})
        equal(status, 200, f"{ms} ms: {answer[:200]}")


def used_of(b, slug):
    status, _, answer = b.gw.request("GET", "/v1/virtual-keys/" + slug, None, {"x-portkey-api-key": ADMIN_KEY}, key=None)
    equal(status, 200, f"the account: {answer[:200]}")
    return json.loads(answer, parse_float=Decimal)["usage_limits"]["used"]


def budgets_know_what_the_semantic_cache_costs(b):
    set_limits(b, "b", usage_limits={"credit_limit": 1, "periodic_reset": "monthly"})
    before = sum(Decimal(r["cost_usd"]) for r in b.gw.rows(1000) if r["integration"] == "b" and r["cost_usd"])
    config = {"provider": "@b", "cache": {"mode": "semantic"}}
    b.up.near = {"what is life, then?": ("what is life?", 0.98)}
    for text, wanted in (("what is life?", "SEMANTIC MISS"), ("what is life, then?", "SEMANTIC HIT")):
        status, headers, _ = b.raw(asked("gpt-4o-mini", text), {"x-portkey-config": config})
        equal((status, headers["x-portkey-cache-status"]), (200, wanted), text)
        rows = rows_of(b, headers, 2)
        check(any(r["operation"] == "embeddings" and Decimal(r["cost_usd"]) > 0 for r in rows), f"the embedding has a row: {rows}")

    def agree():
        rows = [r for r in b.gw.rows(1000) if r["integration"] == "b" and r["cost_usd"]]
        return used_of(b, "b") == sum(Decimal(r["cost_usd"]) for r in rows) - before
    wait_until(f"rows and budget agree ({used_of(b, 'b')}, before {before})", 5, agree)
    set_limits(b, "b", usage_limits={"credit_limit": 0.00000005, "periodic_reset": "monthly"})
    status, headers, _ = b.raw(asked("gpt-4o-mini", "quite another question"), {"x-portkey-config": config})
    equal(status, 412, "a budget that is used up")
    asked_upstream = len(b.up.seen(path="/v1/embeddings"))
    status, headers, _ = b.raw(asked("gpt-4o-mini", "a third question"), {"x-portkey-config": config})
    equal((status, len(b.up.seen(path="/v1/embeddings"))), (412, asked_upstream), "and nothing is embedded on it")
    set_limits(b, "b", usage_limits=None)


def nothing_stays_reserved(b):
    """After all that: the last row of this file."""
    wait_until("no reservation is left", 5, lambda: b.gw.metrics()["tollgate_limits_holds"] == 0)


def bench():
    up = ScriptedUpstream()
    return Bench(upstream=up, args=["--azure-entra-url", up.host()])


if __name__ == "__main__":
    suite(bench, [a_retried_stream_hides_the_usage_nobody_asked_for, what_follows_a_denied_hit_is_paid_for,
                  a_broken_stream_is_no_part_of_the_next_ones_answer, an_answer_too_large_to_be_checked_is_not_given,
                  room_of_answers_does_not_grow, calls_that_never_came_there_cost_nothing, a_broken_answer_is_not_called_complete,
                  a_refused_request_names_no_account, guardrails_are_not_passed_by_with_another_type,
                  guardrails_read_what_the_provider_reads, a_budget_is_not_passed_by_large_numbers, a_models_address_keeps_its_callers_key,
                  a_token_that_is_never_good_ends_the_wait, a_long_body_in_chunks_passes, a_time_out_may_be_of_any_size,
                  budgets_know_what_the_semantic_cache_costs, nothing_stays_reserved])
