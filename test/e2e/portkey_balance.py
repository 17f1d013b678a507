#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=200
"""
Load spread by weights, and a thousand clients at once in front of an upstream that fails half of the time: each gets
exactly one answer, and every call upstream is an attempt in the ledger with its cost.
"""

import asyncio
import json
import os
import random
import sys
import threading
from collections import Counter
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, completion, equal, run, wait_until
from portkey import Bench, Wire, asked, fallback, loadbalance, target
from scripted import ScriptedUpstream, error_body, say

CALLS, CLIENTS = 4000, 1000
PRICED = "gpt-4o-mini-2024-07-18"


def weighted_balance():
    with Bench(retry_wait_ms=1) as b:
        config = loadbalance(target("a", weight=0.5), target("b", weight=0.3), {**loadbalance(target("c", weight=3), target("a", weight=1)), "weight": 0.2})
        expected = {"config.targets[0]": 0.5, "config.targets[1]": 0.3, "config.targets[2].targets[0]": 0.15, "config.targets[2].targets[1]": 0.05}
        counts, lock = Counter(), threading.Lock()

        def calls(n):
            wire, found = Wire(b), Counter()
            for _ in range(n):
                status, headers, _ = wire.post(asked(), {"x-portkey-config": config})
                found[headers.get("x-portkey-last-used-option-index") if status == 200 else status] += 1
            with lock:
                counts.update(found)
        threads = [threading.Thread(target=calls, args=(CALLS // 8,)) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(sum(counts.values()), CALLS, f"answers: {counts}")
        for path, share in expected.items():
            off = abs(counts[path] / CALLS - share)
            check(off <= 0.03, f"{path}: {counts[path]} of {CALLS}, wanted {share:.0%} ± 3 %: {counts}")
        print(dict(counts))


class HalfBroken(ScriptedUpstream):
    """Fails half of its calls, in several ways; knows how many it had."""

    def __init__(self):
        self.good = self.bad = 0
        self.dice = random.Random(3)
        super().__init__(default=self.play)

    def play(self, request):
        with self.lock:
            fails, status = self.dice.random() < 0.5, self.dice.choice((500, 502, 503, 429))
            self.good, self.bad = self.good + (not fails), self.bad + fails
            self.requests.clear()
        if fails:
            return say(status, body=error_body(status), delay=0.005)(request)
        return say(body=completion(model=PRICED), delay=0.005)(request)


async def one_client(b, number, body):
    """(status, headers, body, bytes behind the answer) of one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", b.gw.port)
    try:
        writer.write(body)
        await writer.drain()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 90)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if line)}
        answer = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 60)
        try:
            behind = await asyncio.wait_for(reader.read(1), 0.2)
        except asyncio.TimeoutError:
            behind = b""
        return int(lines[0].split(" ")[1]), headers, answer, behind
    finally:
        writer.close()


async def all_clients(b, config):
    requests = []
    for i in range(CLIENTS):
        data = json.dumps(asked("gpt-4o-mini", f"client {i}")).encode()
        requests.append((f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nx-portkey-api-key: {b.key}\r\nx-portkey-trace-id: client-{i}\r\n"
                         f"x-portkey-config: {json.dumps(config)}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n").encode() + data)
    return await asyncio.gather(*(one_client(b, i, r) for i, r in enumerate(requests)), return_exceptions=True)


def all_rows(b):
    found, before = [], None
    while True:
        page = b.gw.rows(5000, **({"before": before} if before else {}))
        found += page
        if len(page) < 5000:
            return found
        before = page[-1]["id"]


def a_thousand_clients_and_an_upstream_that_fails_half_of_the_time():
    up = HalfBroken()
    with Bench(upstream=up, retry_wait_ms=5) as b:
        config = fallback(target("a", retry={"attempts": 2}), target("b"), target("c", retry={"attempts": 1}))
        results = asyncio.run(all_clients(b, config))
        raised = [r for r in results if isinstance(r, BaseException)]
        equal([repr(r) for r in raised[:3]], [], f"{len(raised)} of {CLIENTS} clients without an answer")
        equal(sum(bool(r[3]) for r in results), 0, "clients that got more than one answer")
        statuses = Counter(r[0] for r in results)
        served = up.good + up.bad
        rows = wait_until("every call upstream is a row", 20, lambda: (lambda found: found if len(found) >= served else None)(all_rows(b)))
        print(f"answers {dict(statuses)}, calls upstream {served}, rows {len(rows)}")
        equal(len(rows), served, "rows and calls upstream")
        equal(len({r["request_id"] for r in rows}), CLIENTS, "requests in the ledger")
        equal(Counter(r["upstream_status"] == 200 for r in rows), Counter({True: up.good, False: up.bad}), "attempts that went well")
        groups = {}
        for r in rows:
            groups.setdefault(r["request_id"], []).append(r)
        for tries in groups.values():
            equal(sorted(t["attempt"] for t in tries), list(range(len(tries))), "numbers of the attempts of a request")
            equal(sum(not t["discarded"] for t in tries), 1, "attempts whose answer the client got")
        check(statuses[200] > CLIENTS * 0.95 and set(statuses) <= {200, 429, 500, 502, 503}, f"statuses {statuses}")
        kept = Counter(r["upstream_status"] for r in rows if not r["discarded"])
        equal(kept, statuses, "statuses that the ledger says clients got")
        good = [r for r in rows if r["upstream_status"] == 200]
        price = Decimal(good[0]["cost_usd"])
        check(price > 0, "a call that went well costs something")
        total = sum(Decimal(r["cost_usd"] or 0) for r in rows)
        equal(total, price * up.good, "sum of costs")
        told = sum(Decimal(r[1]["x-tollgate-cost-usd"]) for r in results if r[0] == 200)
        equal(told, total, "sum of the costs that the answers named")
        report = json.loads(b.gw.get("/tollgate/v1/cost?since=1d")[2], parse_float=str)["total"]
        equal(Decimal(str(report["cost_usd"])), total, "the report's sum")
        equal(int(report["attempts"]), served, "the report's attempts")


if __name__ == "__main__":
    run(weighted_balance, a_thousand_clients_and_an_upstream_that_fails_half_of_the_time)
