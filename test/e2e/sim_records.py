#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the simulator says it served: rows, totals, the organization's usage and costs agree; runs repeat."""

import datetime
import decimal
import json
import subprocess
import sys
import tempfile
import time
import urllib.request

from sdk.rawhttp import ask
from sdk.simrun import ADMIN_KEY, Sim

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What does it cost?"}]}
DAY = int(time.time()) // 86400 * 86400


def equal(got, want, what=""):
    assert got == want, f"{what} got {got!r}, want {want!r}"


def admin(sim, path):
    request = urllib.request.Request(sim.base + path, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer, parse_float=decimal.Decimal)


def load(sim):
    """A little of everything, by two keys."""
    work = [("/v1/chat/completions", CHAT), ("/v1/chat/completions", {**CHAT, "stream": True}),
            ("/v1/chat/completions", {**CHAT, "service_tier": "flex", "model": "gpt-5.4-mini"}),
            ("/v1/responses", {"model": "gpt-4o", "input": "a", "tools": [{"type": "web_search"}]}),
            ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a b c"}),
            ("/v1/moderations", {"input": "a"}),
            ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a"}),
            ("/v1/images/generations", {"model": "dall-e-3", "prompt": "a"}),
            ("/v1/audio/speech", {"model": "tts-1", "voice": "alloy", "input": "hello"}),
            ("/v1/decisions", {"model": "gpt-6-luna", "input": "a", "questions": []})]
    for key in ("sk-first-0123456789", "sk-second-0123456789"):
        for path, body in work:
            equal(ask(sim.root, "POST", path, body, key=key).status, 200, path)
    equal(ask(sim.root, "POST", "/v1/chat/completions", CHAT, {"x-sim-status": "500"}).status, 500)


def results(page):
    return [r for bucket in page["data"] for r in bucket["results"]]


def check_usage(sim):
    rows = list(sim.rows().values())
    text = [r for r in rows if r["operation"] in ("chat.completions", "responses") and r["usage"]]
    total = results(admin(sim, f"/organization/usage/completions?start_time={DAY}"))
    equal(len(total), 1)
    equal((total[0]["input_tokens"], total[0]["output_tokens"], total[0]["num_model_requests"]),
          (sum(r["usage"]["input_tokens"] for r in text), sum(r["usage"]["output_tokens"] for r in text), len(text)))
    equal(total[0]["project_id"], None)
    groups = results(admin(sim, f"/organization/usage/completions?start_time={DAY}"
                                "&group_by[]=model&group_by[]=api_key_id&group_by=service_tier"))
    for g in groups:
        mine = [r for r in text if (r["model_answered"], r["key_id"], r["service_tier"]) ==
                (g["model"], g["api_key_id"], g["service_tier"])]
        equal((g["input_tokens"], g["num_model_requests"]),
              (sum(r["usage"]["input_tokens"] for r in mine), len(mine)), g)
    equal(sum(g["num_model_requests"] for g in groups), len(text))
    one = groups[0]["api_key_id"]
    some = results(admin(sim, f"/organization/usage/completions?start_time={DAY}&api_key_ids[]={one}"))
    equal(some[0]["num_model_requests"], sum(r["key_id"] == one for r in text))
    for width, seconds in (("1m", 60), ("1h", 3600)):
        limit = 1440 if width == "1m" else 168
        page = admin(sim, f"/organization/usage/completions?start_time={DAY}&bucket_width={width}&limit={limit}")
        assert all(b["end_time"] - b["start_time"] == seconds for b in page["data"])
        equal(sum(r["input_tokens"] for r in results(page)), total[0]["input_tokens"], width)
    other = {kind: results(admin(sim, f"/organization/usage/{kind}?start_time={DAY}"))[0]
             for kind in ("embeddings", "moderations", "images", "audio_speeches", "web_search_calls", "decisions")}
    equal(other["embeddings"]["num_model_requests"], 2)
    equal((other["images"]["images"], other["audio_speeches"]["characters"]), (4, 10))
    equal(other["web_search_calls"]["num_requests"], 2)


def check_costs(sim):
    lines = results(admin(sim, f"/organization/costs?start_time={DAY}&group_by[]=line_item"))
    by_name = {r["line_item"]: r for r in lines}
    for name in ("gpt-4o-2024-08-06, input", "gpt-4o-2024-08-06, output", "text-embedding-3-small, input",
                 "web search tool calls", "tts-1, characters"):
        assert name in by_name, f"{name} is missing in {sorted(by_name)}"
    assert any(n.startswith("flex | gpt-5.4-mini") for n in by_name), sorted(by_name)
    assert any(n.startswith("DALL·E 3") for n in by_name), sorted(by_name)
    tokens = sum(r["usage"]["meters"].get("input", 0) for r in sim.rows().values()
                 if r["model_answered"] == "gpt-4o-2024-08-06")
    line = by_name["gpt-4o-2024-08-06, input"]
    equal((line["quantity"], line["quantity_unit"], line["amount"]["value"]),
          (tokens, "tokens", decimal.Decimal("2.5") * tokens / 1_000_000))
    whole = results(admin(sim, f"/organization/costs?start_time={DAY}"))[0]["amount"]["value"]
    equal(sum(r["amount"]["value"] for r in lines), whole, "the lines add up")
    date = datetime.date.fromtimestamp(DAY + 43200)
    billing = admin(sim, f"/dashboard/billing/usage?start_date={date}&end_date={date + datetime.timedelta(days=1)}")
    equal(billing["total_usage"], whole * 100)


def check_legacy(sim):
    date = datetime.datetime.fromtimestamp(DAY, datetime.timezone.utc).date()
    day = admin(sim, f"/usage?date={date}")
    text = [r for r in sim.rows().values() if r["operation"] in ("chat.completions", "responses") and r["usage"]]
    equal(sum(r["n_context_tokens_total"] for r in day["data"] if r["operation"] == "completion"),
          sum(r["usage"]["input_tokens"] for r in text))
    equal(sum(r["num_images"] for r in day["dalle_api_data"]), 4)
    equal(sum(r["num_characters"] for r in day["tts_api_data"]), 10)


def check_totals(sim):
    rows, totals = list(sim.rows().values()), sim.get("/sim/totals")
    equal((totals["requests"], totals["status"]["500"]), (len(rows), 1))
    for name, field in (("request_bytes",) * 2, ("response_bytes",) * 2):
        equal(totals[name], sum(r[field] for r in rows))
    equal(totals["usage"]["input_tokens"], sum(r["usage"]["input_tokens"] for r in rows if r["usage"]))
    equal(sum(m["requests"] for m in totals["operations"].values()), len(rows))
    page = sim.get("/sim/requests?limit=3")
    equal(([r["id"] for r in page["data"]], page["has_more"]), ([1, 2, 3], True))
    equal([r["id"] for r in sim.get("/sim/requests?since=3&limit=2")["data"]], [4, 5])
    equal(len(sim.get("/sim/requests?operation=embeddings")["data"]), 2)
    first = page["data"][0]
    equal(sim.get("/sim/requests/1"), first)
    equal(sim.get("/sim/requests/" + first["request_id"]), first)
    equal(ask(sim.root, "POST", "/sim/reset").status, 204)
    equal((sim.get("/sim/totals")["requests"], sim.get("/sim/requests")["data"]), (0, []))
    equal(results(admin(sim, f"/organization/usage/completions?start_time={DAY}")), [])


def check_ring():
    with Sim("--ledger-rows", "10") as sim:
        for i in range(25):
            ask(sim.root, "POST", "/v1/embeddings", {"model": "text-embedding-3-small", "input": f"{i}"})
        equal([r["id"] for r in sim.get("/sim/requests")["data"]], list(range(16, 26)))
        equal(sim.get("/sim/totals")["requests"], 25)


def check_seeds():
    def answers(seed):
        with Sim("--seed", str(seed)) as sim:
            got = []
            for body in (CHAT, {**CHAT, "stream": True}, {"model": "text-embedding-3-small", "input": "a"}):
                path = "/v1/embeddings" if "input" in body else "/v1/chat/completions"
                a = ask(sim.root, "POST", path, body)
                got.append((a.header("x-request-id"), a.body.split(b'"created"')[0], len(a.body)))
            text = ask(sim.root, "POST", "/v1/chat/completions", CHAT).json["choices"][0]["message"]["content"]
            return got, text
    first, second, other = answers(7), answers(7), answers(8)
    equal(first, second, "the same seed")
    assert first[0] != other[0] and first[1] != other[1], "another seed"


def check_tls():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/k", "-out", f"{folder}/c"],
                       check=True, capture_output=True)
        with Sim("--tls-cert", f"{folder}/c", "--tls-key", f"{folder}/k") as sim:
            assert sim.base.startswith("https://"), sim.base
            done = subprocess.run(["curl", "-sS", "--cacert", f"{folder}/c", "-H", "Authorization: Bearer sk-0123456789",
                                   sim.base + "/models"], check=True, capture_output=True)
            assert json.loads(done.stdout)["data"]


with Sim() as simulator:
    load(simulator)
    for check in (check_usage, check_costs, check_legacy, check_totals):
        check(simulator)
        print("ok", check.__name__)
for check in (check_ring, check_seeds, check_tls):
    check()
    print("ok", check.__name__)
sys.exit(0)
