#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=280
"""
Random configs against an upstream of random behaviour, through the real gateway: status, body, target, count of retries,
calls per target must be among what lib/routing_model.py allows; nothing hangs, memory stays flat.

2,000 configs; PROPERTY_CONFIGS=100000 for the long form. PROPERTY_SEED repeats a run, PROPERTY_CASE shows one case.
"""

import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, run
from portkey import Bench, Wire
from routing_model import attempts_max, behaviour, outcomes
from scripted import ScriptedUpstream, say, stream

CONFIGS = int(os.environ.get("PROPERTY_CONFIGS", "2000"))
SEED = int(os.environ.get("PROPERTY_SEED", str(int(time.time()))))
ONE = os.environ.get("PROPERTY_CASE")
THREADS = 16
TIMEOUT_MS, DELAY_S = 700, 1.6
GOOD, BAD = (200, 200, 200, 201, 246, 299), (400, 401, 404, 408, 418, 429, 500, 501, 502, 503, 504, 529)
FIELDS = ("team", "plan")


class Played(ScriptedUpstream):
    """Does what the model's name says and counts the calls of each; the names are never used twice."""

    def __init__(self):
        self.calls = {}
        super().__init__(default=self.play)

    def play(self, request):
        body = request.json()
        model = body["model"]
        with self.lock:
            self.requests.clear()
            number = self.calls.get(model, 0)
            self.calls[model] = number + 1
        step = behaviour(model, number)
        if step == "r":
            return request.reset()
        if step == "d":
            time.sleep(DELAY_S)
        status = int(step[1:]) if step[0] == "s" else 200
        answer = {"who": model, "params": {k: v for k, v in body.items() if k in ("temperature", "top_p")}}
        if body.get("stream") and status == 200:
            events = [b'data: ' + json.dumps({**answer, "choices": []}).encode() + b"\n\n"] * 3 + [b"data: [DONE]\n\n"]
            return stream(events, cut_after=2 if step == "x" else None)(request)
        if step == "x":
            request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"who\":")
            return "close"
        return say(status, body=answer)(request)


class Cases:
    """Case n of a seed is always the same one."""

    def __init__(self, seed):
        self.seed = seed

    def make(self, number):
        rng = random.Random(f"{self.seed}/{number}")
        streamed = rng.random() < 0.2
        metadata = {f: rng.choice("xyz") for f in FIELDS if rng.random() < 0.7}
        while True:
            self.leaves = 0
            config = self.node(rng, number, 0, streamed)
            if attempts_max(config) <= 100:
                return config, metadata, streamed

    def settings(self, rng):
        made = {}
        if rng.random() < 0.25:
            made["retry"] = {"attempts": rng.choice((0, 1, 1, 2, 7))}
            if rng.random() < 0.5:
                made["retry"]["on_status_codes"] = rng.sample(BAD, rng.randint(1, 5))
        if rng.random() < 0.15:
            made["request_timeout"] = TIMEOUT_MS
        if rng.random() < 0.2:
            made["override_params"] = {rng.choice(("temperature", "top_p")): rng.randint(0, 3) / 4}
        if rng.random() < 0.1:
            made["x_unknown_field"] = {"kept": [1, "and ignored"]}
        return made

    def leaf(self, rng, number, streamed):
        kind = rng.random()
        if kind < 0.03:
            steps = ["d"]
        elif kind < 0.07:
            steps = ["r"]
        elif kind < 0.12:
            steps = ["x"]
        else:
            good = (200,) if streamed else GOOD
            steps = ["s%d" % rng.choice(BAD if rng.random() < 0.6 else good) for _ in range(rng.choice((1, 1, 2, 3)))]
        self.leaves += 1
        made = self.settings(rng)
        made["override_params"] = {**made.get("override_params", {}), "model": ".".join(steps) + f"-{number}x{self.leaves}"}
        return {"provider": "@" + rng.choice("abc"), **made}

    def node(self, rng, number, depth, streamed):
        if depth == 4 or depth and rng.random() < 0.5:
            return self.leaf(rng, number, streamed)
        mode = rng.choices(("single", "fallback", "loadbalance", "conditional"), (1, 5, 2, 2))[0]
        targets = [self.node(rng, number, depth + 1, streamed) for _ in range(rng.randint(1, 3))]
        strategy = {"mode": mode}
        if mode == "fallback" and rng.random() < 0.5:
            strategy["on_status_codes"] = rng.sample(BAD, rng.randint(1, 6))
        if mode == "loadbalance":
            for t in targets[1:]:
                if rng.random() < 0.5:
                    t["weight"] = rng.choice((0, 0.5, 1, 3))
        if mode == "conditional":
            for i, t in enumerate(targets):
                t["name"] = f"t{i}"
            strategy["conditions"] = [{"query": self.query(rng), "then": rng.choice(targets)["name"]} for _ in range(rng.randint(1, 3))]
            if rng.random() < 0.8:
                strategy["default"] = rng.choice(targets)["name"]
        return {"strategy": strategy, "targets": targets, **self.settings(rng)}

    def query(self, rng):
        made = {}
        for field in rng.sample(FIELDS, rng.randint(1, 2)):
            value = rng.choice("xyz")
            made["metadata." + field] = rng.choice((value, {"$eq": value}, {"$ne": value}, {"$in": [value, "z"]}, {"$nin": [value]}))
        return made


def answer_fits(outcome, body, headers):
    """Whether the body is what that outcome's upstream or the gateway itself says."""
    if outcome.kind == "refused":
        return json.loads(body).get("message") == outcome.who
    if outcome.kind == "timeout":
        return json.loads(body)["error"]["type"] == "timeout_error"
    if outcome.kind == "broken":
        return json.loads(body)["error"]["type"] == "upstream_connection_error"
    if headers["content-type"].startswith("text/event-stream"):
        events = body.decode().strip().split("\n\n")
        cut = outcome.kind == "cut"
        told = json.loads(events[0][6:])
        whole = events[-1] == "data: [DONE]" and len(events) == 4
        broken = "[DONE]" not in body.decode() and '"error"' in events[-1] and len(events) == 3
        return (broken if cut else whole) and told["who"] == outcome.who and tuple(sorted(told["params"].items())) == outcome.params
    told = json.loads(body)
    return outcome.kind == "answer" and told.get("who") == outcome.who and tuple(sorted(told["params"].items())) == outcome.params


def calls_fit(outcome, calls):
    """A reset on a connection used before is sent once more by itself, which the upstream sees as a second call."""
    wanted = dict(outcome.calls)
    if set(wanted) != set(calls):
        return False
    return all(n == calls[m] or (m[0] in "rx" and n <= calls[m] <= 2 * n) for m, n in wanted.items())


def fits(outcome, status, headers, body, calls):
    if outcome.status != status or not calls_fit(outcome, calls) or not answer_fits(outcome, body, headers):
        return False
    if outcome.kind == "refused":
        return True
    found = headers.get("x-portkey-last-used-option-index"), headers.get("x-portkey-retry-attempt-count")
    return found == (outcome.path, str(outcome.retries))


class Worker(threading.Thread):
    def __init__(self, bench, cases, numbers, wrong):
        super().__init__(daemon=True)
        self.bench, self.cases, self.numbers, self.wrong = bench, cases, numbers, wrong
        self.done, self.slowest = 0, 0.0

    def run(self):
        wire = Wire(self.bench, timeout=60)
        for number in self.numbers:
            if len(self.wrong) >= 5:
                return
            try:
                wire = self.one(wire, number)
            except Exception as error:
                self.wrong.append(f"case {number} (seed {SEED}): {type(error).__name__}: {error}")
                wire.close()
                wire = Wire(self.bench, timeout=60)
            self.done += 1

    def one(self, wire, number):
        config, metadata, streamed = self.cases.make(number)
        allowed = outcomes(config, metadata, streamed)
        body = {"model": "base", "messages": [{"role": "user", "content": "x"}], **({"stream": True} if streamed else {})}
        begun = time.monotonic()
        status, headers, answer = wire.post(body, {"x-portkey-config": config, "x-portkey-metadata": metadata})
        self.slowest = max(self.slowest, time.monotonic() - begun)
        if headers.get("connection", "").lower() == "close":
            wire.close()
            wire = Wire(self.bench, timeout=60)
        calls = self.bench.up.calls
        with self.bench.up.lock:
            mine = {m: calls.pop(m) for m in {m for o in allowed for m, _ in o.calls} if m in calls}
        if not any(fits(o, status, headers, answer, mine) for o in allowed):
            told = {k: v for k, v in headers.items() if k.startswith("x-portkey")}
            self.wrong.append(f"case {number} (seed {SEED}, stream {streamed}, metadata {metadata}):\n  config {json.dumps(config)}\n"
                              f"  found {status} {told} calls {mine} {answer[:300]!r}\n  allowed "
                              + "\n          ".join(map(str, sorted(allowed, key=str)[:6])))
        return wire


def resident_kb(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def run_cases(bench, cases, numbers, wrong):
    workers = [Worker(bench, cases, numbers[i::THREADS], wrong) for i in range(THREADS)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    return sum(w.done for w in workers), max(w.slowest for w in workers)


def random_configs_end_as_the_model_says():
    cases, wrong, begun = Cases(SEED), [], time.monotonic()
    with Bench(upstream=Played(), slugs=("a", "b", "c"), retry_wait_ms=1, args=["--record-bodies", "off"]) as bench:
        if ONE:
            config, metadata, streamed = cases.make(int(ONE))
            print(json.dumps(config, indent=1), metadata, streamed)
        numbers = [int(ONE)] if ONE else list(range(CONFIGS))
        quarter = len(numbers) // 4
        done, slowest = run_cases(bench, cases, numbers[:quarter], wrong)
        early = resident_kb(bench.gw.process)
        more, slow = run_cases(bench, cases, numbers[quarter:], wrong)
        late = resident_kb(bench.gw.process)
        print(f"{done + more} configs, seed {SEED}, in {time.monotonic() - begun:.0f} s; slowest {max(slow, slowest):.1f} s; "
              f"resident {early} KiB after a quarter, {late} KiB at the end")
        check(not wrong, f"{len(wrong)} cases differ:\n" + "\n".join(wrong[:3]))
        check(late - early < (8 << 10), f"memory grew from {early} to {late} KiB")


if __name__ == "__main__":
    run(random_configs_end_as_the_model_says)
