#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=280
"""
Portkey's contract, rows 34-60: configs, stored and inline: strategies, inheritance, changes of the body, conditions,
retries, circuit breakers. Most targets are the same upstream under other model names, which say who was asked.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check
from portkey import Bench, asked, fallback, loadbalance, message_of, secret_of, sees, suite, target
from scripted import error_body, reset, say

COOLDOWN_S = 30
breaker = {}


def index_of(r):
    return r.header("last-used-option-index")


# --- where a config comes from ------------------------------------------------------------------------

def row_34_config_by_slug(b):
    slug = b.config("row 34", {"strategy": {"mode": "single"}, "targets": [target("b", "m34-set")]})
    check(slug.startswith("pc-"), f"row 34: slug {slug!r}")
    r = b.chat("m34", config=slug).fine("row 34")
    sees("row 34", (index_of(r), [x.credential for x in b.up.seen("m34-set")]), ("config.targets[0]", ["Bearer " + secret_of("b")]),
         "target and credential")
    r = b.chat("m34", config="pc-nobody-has-this")
    sees("row 34", (r.status, r.error.get("message")), (400, "Invalid config id passed"), "an unknown slug")
    b.change_config(slug, {"strategy": {"mode": "single"}, "targets": [target("c", "m34-changed")]})
    b.chat("m34", config=slug).fine("row 34")
    sees("row 34", b.up.count("m34-changed"), 1, "calls by the changed config")


def row_35_inline_config(b):
    config = {"strategy": {"mode": "single"}, "targets": [target("a", "m35-x")], "unknown_field": {"kept": True}}
    r = b.chat("m35", config=config).fine("row 35")
    sees("row 35", (index_of(r), b.up.count("m35-x")), ("config.targets[0]", 1), "target")
    p = b.python("chat.completions.create", asked("m35"), config=config).fine("row 35")
    sees("row 35", (p.header("last-used-option-index"), b.up.count("m35-x")), ("config.targets[0]", 2), "target through Python")
    r = b.chat("m35-flat", config={"provider": "@c", "retry": {"attempts": 1}}).fine("row 35")
    sees("row 35", (index_of(r), b.up.seen("m35-flat")[0].credential), ("config", "Bearer " + secret_of("c")), "a config without targets")


def row_36_config_is_no_json(b):
    for bad in ("{bad", '{"strategy":', "nonsense", "[]x"):
        status, headers, body = b.raw(asked("m36"), {"x-portkey-config": bad})
        sees("row 36", (status, message_of(body)), (400, "Invalid config passed. You need to pass a valid json"), f"config {bad!r}")
        check("x-portkey-trace-id" in headers, "row 36: no trace id")


def row_37_config_is_wrong(b):
    r = b.chat("m37", config={"strategy": {"mode": "spread"}, "targets": [target("a")]})
    body = r.error.get("error") or {}
    sees("row 37", (r.status, body.get("status"), body.get("message")), (400, "failure", "Invalid config passed"), "mode")
    text = "path: strategy,mode, message: Invalid 'mode' value. Must be one of: single, loadbalance, fallback, conditional"
    check(text in body.get("errors", []), f"row 37: errors {body.get('errors')}")
    wrong = [
        ({"strategy": {"mode": "fallback"}, "targets": [target("a"), target("b", retry={"on_status_codes": [429]})]}, "targets,1,retry"),
        ({"strategy": {"mode": "loadbalance"}, "targets": [target("a", weight=-1)]}, "targets,0,weight"),
        ({"strategy": {"mode": "fallback", "on_status_codes": "429"}, "targets": [target("a")]}, "strategy,on_status_codes"),
        ({"strategy": {"mode": "single"}, "targets": [{"targets": [target("a")], "strategy": {"mode": 7}}]}, "targets,0,strategy,mode"),
        ({"cache": {"mode": "clever"}, "provider": "@a"}, "cache,mode"),
        ({"request_timeout": "soon", "provider": "@a"}, "request_timeout"),
    ]
    for config, path in wrong:
        r = b.chat("m37", config=config)
        errors = (r.error.get("error") or {}).get("errors") or []
        check(r.status == 400 and any(e.startswith(f"path: {path}") for e in errors), f"row 37: {config} gave {r.status} {errors}")
    sees("row 37", b.up.count("m37"), 0, "calls upstream")
    many = fallback(*[target("a", retry={"attempts": 5}) for _ in range(17)])
    r = b.chat("m37", config=many)
    sees("row 37", (r.status, b.up.count("m37")), (400, 0), "a config of more than 100 attempts")


def row_38_default_config(b):
    slug = b.config("row 38", {"strategy": {"mode": "single"}, "targets": [target("b", "m38-default")]})
    free = b.new_key("default", defaults={"config_id": slug})
    r = b.node("chat.completions.create", asked("m38"), apiKey=free).fine("row 38")
    sees("row 38", (r.headers.get("x-portkey-last-used-option-index"), b.up.count("m38-default")), ("config.targets[0]", 1), "the key's config")
    b.chat("m38", apiKey=free, config={"strategy": {"mode": "single"}, "targets": [target("a", "m38-own")]}).fine("row 38")
    sees("row 38", b.up.count("m38-own"), 1, "a config of the request's own where that is allowed")
    fixed = b.new_key("fixed", defaults={"config_id": slug, "allow_config_override": False})
    r = b.chat("m38", apiKey=fixed, config={"strategy": {"mode": "single"}, "targets": [target("a", "m38-own")]})
    sees("row 38", (r.status, r.error.get("message")), (400, "Cannot override default config set for this API key."), "override")
    b.node("chat.completions.create", asked("m38"), apiKey=fixed).fine("row 38")
    sees("row 38", (b.up.count("m38-own"), b.up.count("m38-default")), (1, 2), "calls upstream")


# --- load balancing -----------------------------------------------------------------------------------

def row_39_weights(b):
    config = loadbalance(target("a", weight=3), target("b", weight=1), target("c", weight=0))
    counts = b.node("chat.completions.create", asked("m39"), repeat=4000, parallel=12, config=config, timeout=120).counts
    sees("row 39", sum(counts.values()), 4000, f"answers: {counts}")
    share = counts.get("200 config.targets[0]", 0)
    check(abs(share - 3000) <= 120, f"row 39: {share} of 4000 at 3:1, allowed 3000 ± 120: {counts}")
    sees("row 39", counts.get("200 config.targets[2]", 0), 0, "calls of weight 0")
    with b.up.lock:
        b.up.requests[:] = [r for r in b.up.requests if r.model != "m39"]
    config = loadbalance(target("a"), target("b"))
    counts = b.node("chat.completions.create", asked("m39"), repeat=400, parallel=12, config=config).counts
    share = counts.get("200 config.targets[0]", 0)
    check(140 <= share <= 260, f"row 39: {share} of 400 without weights: {counts}")


def row_40_index_is_the_target(b):
    config = loadbalance(target("a", "m40-0"), target("b", "m40-1", weight=0), target("c", "m40-2"))
    seen = set()
    for _ in range(16):
        r = b.chat("m40", config=config).fine("row 40")
        wanted = "config.targets[%s]" % r.value["model"].removeprefix("m40-")
        sees("row 40", r.own_headers.get("last-used-option-index"), wanted, "index of the target that answered")
        seen.add(wanted)
    sees("row 40", seen, {"config.targets[0]", "config.targets[2]"}, "targets of 16 calls")


def choices(b, slug, users):
    return {u: index_of(b.chat("m41", config=slug, metadata={"user": u}).fine("row 41")) for u in users}


def row_41_sticky(b):
    def config(ttl):
        return {"strategy": {"mode": "loadbalance", "sticky": {"enabled": True, "hash_fields": ["metadata.user"], "ttl": ttl}},
                "targets": [target("a"), target("b")]}
    users = [f"user-{i}" for i in range(14)]
    slug = b.config("row 41", config(600))
    first = choices(b, slug, users)
    check(len(set(first.values())) == 2, f"row 41: 14 users all went to one target: {first}")
    for _ in range(2):
        sees("row 41", choices(b, slug, users), first, "targets of the same users")
    b.change_config(slug, config(1))
    second = choices(b, slug, users)
    check(second != first, "row 41: after an edit of the config all 14 users kept their targets")
    time.sleep(1.1)
    check(choices(b, slug, users) != second, "row 41: after the time to live all 14 users kept their targets")


# --- fallback -----------------------------------------------------------------------------------------

def row_42_fallback(b):
    for status, wanted in ((500, 1), (404, 1), (401, 1), (301, 1), (246, 0), (204, 0), (299, 0)):
        first, second = f"m42-{status}-0", f"m42-{status}-1"
        b.up.on(first, say(status, body={"status": status}) if status != 204 else say(204, body=b""))
        r = b.chat("m42", config=fallback(target("a", first), target("b", second)))
        sees("row 42", (index_of(r), b.up.count(first), b.up.count(second)), (f"config.targets[{wanted}]", 1, wanted), f"first target says {status}")
        sees("row 42", r.status, 200 if wanted else status, f"first target says {status}: status")
    b.up.on("m42-reset", reset())
    r = b.chat("m42", config=fallback(target("a", "m42-reset"), target("b", "m42-after-reset"))).fine("row 42")
    sees("row 42", index_of(r), "config.targets[1]", "after a reset connection")
    b.up.on("m42-s", say(500))
    r = b.chat("m42", stream=True, config=fallback(target("a", "m42-s"), target("b", "m42-stream"))).fine("row 42")
    sees("row 42", (r.text, index_of(r)), ("Hello.", "config.targets[1]"), "a stream after a fallback")


def row_43_fallback_codes(b):
    config = fallback(target("a", "m43-first"), target("b", "m43-second"), codes=[429])
    b.up.on("m43-first", say(500))
    r = b.chat("m43", config=config)
    sees("row 43", (r.status, index_of(r), b.up.count("m43-second")), (500, "config.targets[0]", 0), "a 500 that is not listed")
    sees("row 43", r.error.get("error"), error_body(500), "its body")
    b.up.on("m43-first", say(429))
    r = b.chat("m43", config=config).fine("row 43")
    sees("row 43", (index_of(r), b.up.count("m43-second")), ("config.targets[1]", 1), "a 429, which is listed")


def row_44_all_fail(b):
    b.up.on("m44-0", say(500))
    b.up.on("m44-1", say(418, body={"error": {"message": "the last one", "type": "t", "param": "p", "code": "c"}}))
    r = b.chat("m44", config=fallback(target("a", "m44-0"), target("b", "m44-1")))
    sees("row 44", (r.status, index_of(r)), (418, "config.targets[1]"), "status and index of the last target")
    sees("row 44", r.error.get("error"), {"error": {"message": "the last one", "type": "t", "param": "p", "code": "c"}}, "its body")


def azure(b, **more):
    return {"provider": "azure-openai", "api_key": "azure-secret-key", "resource_name": "res", "deployment_id": "dep",
            "api_version": "2024-10-21", "custom_host": b.up.host("/openai"), **more}


def row_45_fallback_to_azure(b):
    b.up.on("m45", say(503), say())
    r = b.chat("m45", config=fallback(target("a"), azure(b))).fine("row 45")
    sees("row 45", (index_of(r), r.header("provider")), ("config.targets[1]", "azure-openai"), "index and provider")
    request = b.up.seen("m45")[-1]
    sees("row 45", request.target, "/openai/deployments/dep/chat/completions?api-version=2024-10-21", "Azure's URL")
    sees("row 45", (request.headers.get("api-key"), request.headers.get("authorization")), ("azure-secret-key", None), "credential")


def row_46_own_statuses(b):
    b.up.on("m46-408", say(delay=2))
    b.up.on("m46-412", say(412))
    deny = [{"default.contains": {"operator": "none", "words": ["Say"]}, "deny": True}]
    firsts = {408: target("a", "m46-408", request_timeout=150), 412: target("a", "m46-412"),
              446: target("a", "m46-446", input_guardrails=deny)}
    for code, first in firsts.items():
        r = b.chat("m46", config=fallback(first, target("b", f"m46-after-{code}"), codes=[code]))
        sees("row 46", (r.status, index_of(r)), (200, "config.targets[1]"), f"fallback on {code}")
        r = b.chat("m46", config=fallback(first, target("b", f"m46-never-{code}"), codes=[599]))
        sees("row 46", (r.status, index_of(r), b.up.count(f"m46-never-{code}")), (code, "config.targets[0]", 0), f"{code} that is not listed")
    sees("row 46", b.up.count("m46-446"), 0, "calls of the denied target")


def row_47_gateway_exception_stops(b):
    b.connect("az47", b.up.host("/openai"), kind="azure-openai",
              args=["--deployments", json.dumps({"alias47": "dep47"}), "--api-version", "2024-10-21"])
    r = b.chat("m47-unknown-alias", config=fallback({"provider": "@az47"}, target("b", "m47-second")))
    sees("row 47", (r.status, r.header("gateway-exception")), (400, "true"), "status and header")
    sees("row 47", (r.error.get("message"), b.up.count("m47-second")), ("No azure alias passed/default config found", 0),
         "message, calls of the second target")
    r = b.chat("alias47", config=fallback({"provider": "@az47"}, target("b", "m47-second"))).fine("row 47")
    sees("row 47", (index_of(r), b.up.count("m47-second")), ("config.targets[0]", 0), "with a known alias")


def row_48_nested(b):
    inner = {"strategy": {"mode": "fallback"}, "targets": [target("b", "m48-1-0"), target("c", "m48-1-1")]}
    b.up.on("m48-0", say(500))
    r = b.chat("m48", config=fallback(target("a", "m48-0"), inner)).fine("row 48")
    sees("row 48", index_of(r), "config.targets[1].targets[0]", "index")
    b.up.on("m48-1-0", say(500))
    r = b.chat("m48", config=fallback(target("a", "m48-0"), inner)).fine("row 48")
    sees("row 48", index_of(r), "config.targets[1].targets[1]", "index after a fallback inside")
    b.up.on("m48-1-1", say(500))
    r = b.chat("m48", config=fallback(inner, target("c", "m48-last"))).fine("row 48")
    sees("row 48", index_of(r), "config.targets[1]", "index when the inner fallback fails as a whole")


def row_49_inheritance(b):
    def counted(name, config):
        b.up.on(name, say(500))
        b.chat("m49", config=config)
        return b.up.count(name)
    parent = {"strategy": {"mode": "single"}, "retry": {"attempts": 2}}
    sees("row 49", counted("m49-a", {**parent, "targets": [target("a", "m49-a")]}), 3, "calls with the parent's retry")
    sees("row 49", counted("m49-b", {**parent, "targets": [target("a", "m49-b", retry={"attempts": 1})]}), 2, "calls with the child's own")
    own = target("a", "m49-c", retry={"attempts": 1, "on_status_codes": [503]})
    sees("row 49", counted("m49-c", {**parent, "targets": [own]}), 1, "the child's object replaces the whole: a 500 is not its code")
    config = {"strategy": {"mode": "single"}, "override_params": {"temperature": 0.25, "top_p": 0.5, "model": "m49-parent"},
              "targets": [{"strategy": {"mode": "single"}, "override_params": {"top_p": 0.75},
                           "targets": [target("a", "m49-child")]}]}
    b.chat("m49", config=config).fine("row 49")
    sent = b.up.seen("m49-child")[0].json()
    sees("row 49", (sent.get("temperature"), sent.get("top_p")), (0.25, 0.75), "merged override_params")
    b.up.on("m49-slow", say(delay=2))
    r = b.chat("m49", config={"strategy": {"mode": "single"}, "request_timeout": 150, "targets": [target("a", "m49-slow")]})
    sees("row 49", r.status, 408, "the parent's time-out")
    r = b.chat("m49", config={"strategy": {"mode": "single"}, "request_timeout": 150, "targets": [target("a", "m49-slow", request_timeout=4000)]})
    sees("row 49", r.status, 200, "the child's own time-out")
    r = b.chat("m49-cache", config={"strategy": {"mode": "single"}, "cache": {"mode": "simple"}, "targets": [target("a")]}).fine("row 49")
    sees("row 49", r.header("cache-status"), "MISS", "the parent's cache")


# --- the body -----------------------------------------------------------------------------------------

def row_50_override_params(b):
    body = {"temperature": 0.9, "seed": 7, "x_new": {"a": [1]}}
    b.chat("m50", body, config={"provider": "@a", "override_params": {"temperature": 0, "model": "x50", "stop": ["\n"]}}).fine("row 50")
    sent = b.up.seen("x50")[0].json()
    sees("row 50", {k: sent.get(k) for k in ("temperature", "model", "stop", "seed", "x_new")},
         {"temperature": 0, "model": "x50", "stop": ["\n"], "seed": 7, "x_new": {"a": [1]}}, "body upstream")
    exact = b'{"model": "m50b",  "messages":[{"role":"user","content":"hi"}], "n" : 1.0e0 ,"big":12345678901234567890}'
    status, _, answer = b.raw(exact, {"x-portkey-config": {"provider": "@a", "override_params": {"model": "x50b"}}})
    sees("row 50", status, 200, f"raw: {answer[:200]!r}")
    sees("row 50", b.up.seen("x50b")[0].body, exact.replace(b'"m50b"', b'"x50b"'), "every other byte as it was")
    b.chat("m50", config={"provider": "@a", "override_params": {"model": "@c/x50c"}})
    sees("row 50", b.up.count("@c/x50c"), 0, "a slug in override_params.model does not go upstream")


def row_51_default_and_drop_params(b):
    config = {"provider": "@a", "default_params": {"temperature": 0.5, "top_p": 0.5},
              "override_params": {"added": {"keep": 1, "gone": 2}},
              "drop_params": ["a.b[0].c", "x[*].y", "added.gone", "nowhere.at[3].all"]}
    body = {"temperature": 1, "a": {"b": [{"c": 1, "d": 2}, {"c": 3}]}, "x": [{"y": 1, "z": 2}, {"y": 3}, {"z": 4}]}
    b.chat("m51", body, config=config).fine("row 51")
    sent = b.up.seen("m51")[0].json()
    sees("row 51", {k: sent.get(k) for k in ("temperature", "top_p", "a", "x", "added")},
         {"temperature": 1, "top_p": 0.5, "a": {"b": [{"d": 2}, {"c": 3}]}, "x": [{"z": 2}, {}, {"z": 4}], "added": {"keep": 1}},
         "body upstream")


# --- conditions ---------------------------------------------------------------------------------------

def conditional(*conditions, default="no", names=("yes", "no")):
    strategy = {"mode": "conditional", "conditions": [{"query": q, "then": t} for q, t in conditions]}
    if default:
        strategy["default"] = default
    return {"strategy": strategy, "targets": [target("a", "cond-" + n, name=n) for n in names]}


def row_52_conditional_equal(b):
    config = conditional(({"metadata.plan": "paid"}, "yes"))
    for metadata, wanted in (({"plan": "paid"}, "yes"), ({"plan": "free"}, "no"), ({"other": "paid"}, "no"), (None, "no")):
        r = b.chat("m52", config=config, metadata=metadata).fine("row 52")
        sees("row 52", r.value["model"], "cond-" + wanted, f"target with metadata {metadata}")


# query, metadata, further members of the body, whether it is true
OPERATORS = [
    ({"metadata.a": {"$eq": "1"}}, {"a": "1"}, {}, True), ({"metadata.a": {"$eq": 1}}, {"a": "1"}, {}, False),
    ({"params.n": {"$eq": 1}}, {}, {"n": 1}, True), ({"params.n": {"$eq": "1"}}, {}, {"n": 1}, False),
    ({"params.n": 1}, {}, {"n": 1}, True), ({"params.flag": True}, {}, {"flag": True}, True), ({"params.flag": "true"}, {}, {"flag": True}, False),
    ({"metadata.a": {"$ne": "1"}}, {"a": "2"}, {}, True), ({"metadata.a": {"$ne": "1"}}, {"a": "1"}, {}, False),
    ({"metadata.a": {"$ne": "1"}}, {}, {}, True), ({"metadata.a": {"$nin": ["1"]}}, {}, {}, True),
    ({"metadata.a": {"$eq": "1"}}, {}, {}, False), ({"metadata.a": {"$gt": 0}}, {}, {}, False), ({"metadata.a": {"$in": ["1"]}}, {}, {}, False),
    ({"metadata.a": {"$regex": "undef"}}, {}, {}, False), ({"metadata.a": {"$regex": ".*"}}, {}, {}, False),
    ({"metadata.a": {"$gt": 9}}, {"a": "10"}, {}, True), ({"metadata.a": {"$gt": 10}}, {"a": "10"}, {}, False),
    ({"metadata.a": {"$gte": "10"}}, {"a": "10"}, {}, True), ({"metadata.a": {"$lt": 10}}, {"a": "9.5 apples"}, {}, True),
    ({"metadata.a": {"$lte": 10}}, {"a": "10.0"}, {}, True), ({"metadata.a": {"$lt": 10}}, {"a": "none"}, {}, False),
    ({"metadata.a": {"$gt": "none"}}, {"a": "5"}, {}, False), ({"params.t": {"$lt": 0.5}}, {}, {"t": 0.25}, True),
    ({"params.t": {"$gt": -1e-3}}, {}, {"t": 0}, True),
    ({"metadata.a": {"$in": ["1", "2"]}}, {"a": "2"}, {}, True), ({"metadata.a": {"$in": [1, 2]}}, {"a": "2"}, {}, False),
    ({"metadata.a": {"$in": "12"}}, {"a": "2"}, {}, False), ({"metadata.a": {"$nin": ["1", "2"]}}, {"a": "3"}, {}, True),
    ({"metadata.a": {"$nin": ["1", "2"]}}, {"a": "2"}, {}, False), ({"metadata.a": {"$nin": "12"}}, {"a": "3"}, {}, False),
    ({"metadata.a": {"$regex": "^us-\\d+$"}}, {"a": "us-7"}, {}, True), ({"metadata.a": {"$regex": "us"}}, {"a": "plus"}, {}, True),
    ({"metadata.a": {"$regex": "US"}}, {"a": "us-7"}, {}, False), ({"metadata.a": {"$regex": "("}}, {"a": "("}, {}, False),
    ({"$and": [{"metadata.a": "1"}, {"metadata.b": "2"}]}, {"a": "1", "b": "2"}, {}, True),
    ({"$and": [{"metadata.a": "1"}, {"metadata.b": "2"}]}, {"a": "1", "b": "3"}, {}, False),
    ({"$or": [{"metadata.a": "1"}, {"metadata.b": "2"}]}, {"a": "9", "b": "2"}, {}, True),
    ({"$or": [{"metadata.a": "1"}, {"metadata.b": "2"}]}, {"a": "9", "b": "9"}, {}, False),
    ({"$and": [{"$or": [{"metadata.a": "1"}, {"metadata.a": "2"}]}, {"metadata.b": {"$ne": "x"}}]}, {"a": "2", "b": "y"}, {}, True),
    ({"$or": [{"metadata.a": "1"}], "metadata.b": "2"}, {"a": "1", "b": "3"}, {}, False),
    ({"metadata.a": {"$regex": "1"}, "metadata.b": "2"}, {"a": "1", "b": "3"}, {}, False),
    ({"metadata.a": "1", "metadata.b": "2"}, {"a": "1", "b": "2"}, {}, True), ({"metadata.a": "1", "metadata.b": "2"}, {"a": "1"}, {}, False),
    ({"metadata.a": {"$gt": 1, "$lt": 3}}, {"a": "2"}, {}, True), ({"metadata.a": {"$gt": 1, "$lt": 3}}, {"a": "4"}, {}, False),
    ({"params.deep.er": {"$ne": None}}, {}, {"deep": {"er": 1}}, True),
]


def row_53_conditional_operators(b):
    wrong = []
    for query, metadata, params, wanted in OPERATORS:
        status, _, body = b.raw(asked("m53", **params), {"x-portkey-config": conditional((query, "yes")), "x-portkey-metadata": metadata})
        found = json.loads(body).get("model") if status == 200 else (status, body[:200])
        if found != ("cond-yes" if wanted else "cond-no"):
            wrong.append(f"{json.dumps(query)} with {metadata} {params}: wanted {wanted}, found {found}")
    check(not wrong, "row 53: " + "; ".join(wrong))


def row_54_conditional_params_and_url(b):
    config = conditional(({"params.model": {"$regex": "^m54-small"}}, "yes"), ({"url.pathname": "/v1/completions"}, "yes"))
    for model, wanted in (("m54-small-1", "cond-yes"), ("m54-large", "cond-no")):
        r = b.chat(model, config=config).fine("row 54")
        sees("row 54", r.value["model"], wanted, f"target of model {model}")
    r = b.node("completions.create", {"model": "m54-large", "prompt": "x"}, config=config).fine("row 54")
    sees("row 54", r.value["model"], "cond-yes", "target of /v1/completions")
    first = conditional(({"params.temperature": {"$gte": 1}}, "hot"), ({"params.temperature": {"$gte": 0}}, "warm"), default="cold",
                        names=("cold", "warm", "hot"))
    for temperature, wanted in ((1.5, "hot"), (0.2, "warm"), (None, "cold")):
        r = b.chat("m54", {"temperature": temperature} if temperature is not None else {}, config=first).fine("row 54")
        sees("row 54", r.value["model"], "cond-" + wanted, f"the first condition that holds, temperature {temperature}")


def row_55_conditional_errors(b):
    cases = [
        (conditional(({"metadata.a": {"$foo": 1}}, "yes")), "Unsupported operator used in the query router: $foo"),
        (conditional(({"metadata.a": "1"}, "zz")), "Invalid target name found in the query router: zz"),
        (conditional(({"metadata.a": "2"}, "yes"), default=None), "Query router did not resolve to any valid target"),
        (conditional(), "No conditions passed in the query router"),
    ]
    for config, text in cases:
        status, headers, body = b.raw(asked("m55"), {"x-portkey-config": config, "x-portkey-metadata": {"a": "1"}})
        sees("row 55", (status, message_of(body), json.loads(body).get("status")), (400, text, "failure"), "error")
        check("x-portkey-trace-id" in headers, "row 55: no trace id")


# --- retries ------------------------------------------------------------------------------------------

def row_56_retry_count(b):
    config = {"provider": "@a", "retry": {"attempts": 3}}
    b.up.on("m56", say(500), say(500), say())
    r = b.chat("m56", config=config).fine("row 56")
    sees("row 56", (r.header("retry-attempt-count"), b.up.count("m56")), ("2", 3), "count and calls of 500, 500, 200")
    b.up.on("m56-never", say(500))
    r = b.chat("m56-never", config=config)
    sees("row 56", (r.status, r.header("retry-attempt-count"), b.up.count("m56-never")), (500, "-1", 4), "all fail")
    sees("row 56", r.calls, 1, "requests of the SDK")
    b.up.on("m56-many", say(500))
    b.chat("m56-many", config={"provider": "@a", "retry": {"attempts": 50}})
    sees("row 56", b.up.count("m56-many"), 6, "calls with 50 attempts asked for: at most 5 retries")
    b.up.on("m56-net", reset(), say())
    r = b.chat("m56-net", config=config).fine("row 56")
    sees("row 56", (r.header("retry-attempt-count"), b.up.count("m56-net")), ("1", 2), "after a reset connection")


def row_57_backoff(b):
    with Bench(slugs=("a",), retry_wait_ms=None) as own:
        own.up.on("m57", say(500))
        r = own.chat("m57", config={"provider": "@a", "retry": {"attempts": 3}})
        at = [x.at for x in own.up.seen("m57")]
        sees("row 57", (r.status, len(at)), (500, 4), "status and calls")
        waits = [later - earlier for earlier, later in zip(at, at[1:])]
        check(6.7 <= sum(waits) <= 7.3 and all(abs(w - k) < 0.3 for w, k in zip(waits, (1, 2, 4))),
              f"row 57: waits of {waits} s, wanted 1, 2, 4, which are 7 s ± 0.3")


def row_58_retry_after(b):
    for spelling in ("use_retry_after_header", "use_retry_after_headers"):
        for field, value, least in (("retry-after-ms", "50", 0.05), ("x-ms-retry-after-ms", "60", 0.06), ("retry-after", "1", 1.0)):
            model = f"m58-{spelling}-{field}"
            b.up.on(model, say(429, headers={field: value}), say())
            r = b.chat(model, config={"provider": "@a", "retry": {"attempts": 2, spelling: True}}).fine("row 58")
            first, second = (x.at for x in b.up.seen(model))
            waited = second - first
            sees("row 58", r.header("retry-attempt-count"), "1", f"{spelling}, {field}: count")
            check(least - 0.01 <= waited <= least + 0.4, f"row 58: {spelling}, {field}: {value} waited {waited:.3f} s")
    b.up.on("m58-long", say(429, headers={"retry-after": "61"}))
    begun = time.monotonic()
    r = b.chat("m58-long", config={"provider": "@a", "retry": {"attempts": 3, "use_retry_after_header": True}})
    sees("row 58", (r.status, b.up.count("m58-long"), r.header("retry-attempt-count")), (429, 1, "-1"), "retry-after: 61")
    check(time.monotonic() - begun < 1, "row 58: it waited")
    b.up.on("m58-500", say(500, headers={"retry-after": "30"}), say())
    r = b.chat("m58-500", config={"provider": "@a", "retry": {"attempts": 1, "use_retry_after_header": True}}).fine("row 58")
    check(r.took < 5, f"row 58: Retry-After of a 500 was waited for: {r.took:.1f} s")


def row_59_retry_codes(b):
    for status, calls in ((429, 2), (500, 2), (502, 2), (503, 2), (504, 2), (529, 2), (400, 1), (401, 1), (404, 1), (501, 1), (408, 1)):
        model = f"m59-{status}"
        b.up.on(model, say(status))
        b.chat(model, config={"provider": "@a", "retry": {"attempts": 1}})
        sees("row 59", b.up.count(model), calls, f"calls with default codes and status {status}")
    b.up.on("m59-own", say(404), say(500))
    r = b.chat("m59-own", config={"provider": "@a", "retry": {"attempts": 3, "on_status_codes": [404]}})
    sees("row 59", (b.up.count("m59-own"), r.status), (2, 500), "calls with codes of the config's own")


# --- circuit breaker ----------------------------------------------------------------------------------

def breaker_config(threshold=5, names=("m60-0", "m60-1")):
    return {"strategy": {"mode": "fallback", "cb_config": {"failure_threshold": threshold, "cooldown_interval": COOLDOWN_S * 1000}},
            "targets": [target("a", names[0]), target("b", names[1])]}


def row_60_breaker_opens(b):
    """First, because what it opens must stay so for 30 s; the last row looks again."""
    slug = b.config("row 60", breaker_config())
    b.up.on("m60-0", say(500))
    for _ in range(5):
        r = b.chat("m60", config=slug).fine("row 60")
        sees("row 60", index_of(r), "config.targets[1]", "target while it fails")
    sees("row 60", b.up.count("m60-0"), 5, "calls of the failing target")
    breaker["slug"], breaker["opened"] = slug, time.monotonic()
    for _ in range(3):
        r = b.chat("m60", config=slug).fine("row 60")
        sees("row 60", index_of(r), "config.targets[1]", "target while the circuit is open, by its place in the stored list")
    sees("row 60", b.up.count("m60-0"), 5, "calls of the failing target while its circuit is open")
    both = b.config("row 60 both", breaker_config(threshold=2, names=("m60-x", "m60-y")))
    b.up.on("m60-x", say(500))
    b.up.on("m60-y", say(503))
    for _ in range(2):
        b.chat("m60", config=both)
    before = (b.up.count("m60-x"), b.up.count("m60-y"))
    r = b.chat("m60", config=both)
    after = (b.up.count("m60-x"), b.up.count("m60-y"))
    sees("row 60", (r.status, before, after), (503, (2, 2), (3, 3)), "when all are open all are tried")
    b.up.on("m60-inline", say(500))
    for _ in range(7):
        b.chat("m60", config=breaker_config(names=("m60-inline", "m60-1")))
    sees("row 60", b.up.count("m60-inline"), 7, "an inline config has no breaker")


def row_60_breaker_closes(b):
    slug = breaker.get("slug") or b.config("none", breaker_config())
    check("opened" in breaker, "row 60: the circuit was not opened")
    since = time.monotonic() - breaker["opened"]
    if since < COOLDOWN_S - 2:
        b.chat("m60", config=slug).fine("row 60")
        sees("row 60", b.up.count("m60-0"), 5, f"calls of the failing target after {since:.0f} s")
    time.sleep(max(0.0, breaker["opened"] + COOLDOWN_S + 1 - time.monotonic()))
    b.up.on("m60-0", say())
    r = b.chat("m60", config=slug).fine("row 60")
    sees("row 60", (index_of(r), b.up.count("m60-0")), ("config.targets[0]", 6), "target after the cooldown")


if __name__ == "__main__":
    suite(Bench, [row_60_breaker_opens, row_34_config_by_slug, row_35_inline_config, row_36_config_is_no_json, row_37_config_is_wrong,
                  row_38_default_config, row_39_weights, row_40_index_is_the_target, row_41_sticky, row_42_fallback,
                  row_43_fallback_codes, row_44_all_fail, row_45_fallback_to_azure, row_46_own_statuses,
                  row_47_gateway_exception_stops, row_48_nested, row_49_inheritance, row_50_override_params,
                  row_51_default_and_drop_params, row_52_conditional_equal, row_53_conditional_operators,
                  row_54_conditional_params_and_url, row_55_conditional_errors, row_56_retry_count, row_57_backoff,
                  row_58_retry_after, row_59_retry_codes, row_60_breaker_closes])
