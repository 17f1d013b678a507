#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts by label: what Prometheus' own parser reads is what the ledger says; labels are escaped and bounded."""

import json
import os
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Gateway, Upstream, chat, check, completion, equal, run, wait_until
from prometheus_client.parser import text_string_to_metric_families

HISTOGRAMS = ("tollgate_first_byte_seconds", "tollgate_duration_seconds", "tollgate_overhead_seconds")


def serve(request):
    model = request.json()["model"]
    if model.startswith("unknown"):
        request.answer({"error": {"message": "no such model", "type": "invalid_request_error", "param": None, "code": "model_not_found"}}, status="404 Not Found")
    elif model == "busy":
        request.answer({"error": {"message": "slow down", "type": "requests", "param": None, "code": None}}, status="429 Too Many Requests")
    else:
        request.answer(completion(model=model))


def samples(g):
    """{name: {labels as a sorted tuple: value}}, as the official parser reads it."""
    status, headers, body = g.get("/metrics", key=None)
    equal((status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"), "metrics")
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        check(family.documentation and family.type != "unknown", f"{family.name} has HELP and TYPE")
        for s in family.samples:
            series = found.setdefault(s.name, {})
            labels = tuple(sorted(s.labels.items()))
            check(labels not in series, f"{s.name}{s.labels} comes once")
            series[labels] = s.value
    return found


def total(series, **wanted):
    return sum(v for labels, v in series.items() if set(wanted.items()) <= set(labels))


def counts_are_those_of_the_ledger():
    with Gateway(Upstream(serve).url, args=["--workers", "2"]) as g:
        for i in range(30):
            g.post("/v1/chat/completions", chat("gpt-4o-mini" if i % 3 else "gpt-4o"))
        for _ in range(4):
            g.post("/v1/chat/completions", chat("busy"))
        rows, m = g.rows(100), samples(g)
        equal(len(rows), 34, "rows")
        for model, status in (("gpt-4o", "2xx"), ("gpt-4o-mini", "2xx"), ("busy", "4xx")):
            mine = [r for r in rows if r["model_asked"] == model]
            labels = {"model": model, "status": status, "workspace": "default", "provider": "openai", "cache": "disabled"}
            equal(total(m["tollgate_attempts_total"], **labels), len(mine), f"attempts of {model}")
            for side in ("input", "output"):
                equal(total(m["llm_token_sum"], type=side, **labels), sum(r["usage"][side + "_tokens"] for r in mine), f"{side} tokens of {model}")
            cost = sum(Decimal(r["cost_usd"] or 0) for r in mine)
            check(abs(Decimal(str(total(m["llm_cost_sum"], **labels))) - cost) < Decimal("0.000000002"), f"cost of {model}")
            for name in HISTOGRAMS:
                equal(total(m[name + "_count"], **labels), len(mine), f"{name} of {model}")
                buckets = sorted((float(dict(labels)["le"]), v) for labels, v in m[name + "_bucket"].items() if dict(labels)["model"] == model)
                values = [v for _, v in buckets]
                equal((values, values[-1], buckets[-1][0]), (sorted(values), len(mine), float("inf")), f"{name}: cumulative")
            seconds = sum(r["total_us"] for r in mine) / 1e6
            check(abs(total(m["tollgate_duration_seconds_sum"], **labels) - seconds) < 1e-4, f"seconds of {model}")


def labels_are_escaped():
    names = ['quo"te', "back\\slash", "new\nline", "spa ce", "{a=\"b\"} 7", "ü"]
    with Gateway(Upstream(serve).url) as g:
        for name in names:
            equal(g.post("/v1/chat/completions", chat(name))[0], 200, name)
        models = {dict(labels)["model"] for labels in samples(g)["tollgate_attempts_total"]}
        equal(models, set(names), "names as they were given")


def callers_cannot_fill_it_up():
    with Gateway(Upstream(serve).url) as g:
        c = g.connection()
        headers = {"Authorization": "Bearer tg-admin-key-for-tests-0123456789", "Content-Type": "application/json"}
        for i in range(300):  # names that do not exist
            c.request("POST", "/v1/chat/completions", json.dumps(chat(f"unknown-{i}")), headers)
            c.getresponse().read()
        m = samples(g)["tollgate_attempts_total"]
        equal((len(m), total(m, model="unknown", status="4xx")), (1, 300), "names that nobody answers to")
        for i in range(400):  # names that do
            c.request("POST", "/v1/chat/completions", json.dumps(chat(f"model-{i}")), headers)
            c.getresponse().read()
        everything = samples(g)
        m = everything["tollgate_attempts_total"]
        check(len(m) <= 200, f"{len(m)} series")
        equal(total(m), 700, "every attempt is somewhere")
        equal(total(everything["tollgate_duration_seconds_count"]), 700, "in the histograms too")
        c.close()


def what_waits_is_shown():
    with Gateway(Upstream(serve).url) as g:
        g.post("/v1/chat/completions", chat())
        wait_until("the row", 10, lambda: g.metrics()["tollgate_ledger_rows_total"] == 1)
        m = g.metrics()
        for name in ("tollgate_ledger_lag_bytes", "tollgate_ledger_open_attempts", "tollgate_ledger_store_failing", "tollgate_cache_entries"):
            equal(m[name], 0, name)
        check("tollgate_otlp_lag_seconds" not in m, "no traces are sent")


run(counts_are_those_of_the_ledger, labels_are_escaped, callers_cannot_fill_it_up, what_waits_is_shown)
