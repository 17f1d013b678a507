#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: serial timeout=600
"""
kill -9 under load, again and again: every request whose answer a client has is in the ledger, once.

    kill_loop.py [--kills N]      50 by default; the nightly form is 1,000
"""

import argparse
import http.client
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, chunk_events, completion, equal, run

CLIENTS = 8
EVENTS = chunk_events(usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, nulls=True)


# A third of the requests is routed: the first try fails, the answer may come from the cache later.
ROUTED = json.dumps({"strategy": {"mode": "fallback"}, "cache": {"mode": "simple", "max_age": 60},
                     "targets": [{"override_params": {"model": "broken"}}, {"override_params": {"model": "gpt-4o-mini"}}]})


def serve(request):
    if b'"model":"broken"' in request.body or b'"model": "broken"' in request.body:
        request.answer({"error": {"message": "broken", "type": "server_error", "param": None, "code": None}}, status="500 Broken")
        return
    if b'"stream": true' in request.body or b'"stream":true' in request.body:
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
        request.end()
    else:
        request.answer(completion())


class Client(threading.Thread):
    """Sends requests until stopped; remembers the ids of answers that came whole."""

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port, self.rnd, self.acknowledged, self.stopping = port, random.Random(seed), [], False

    def run(self):
        connection = None
        while not self.stopping:
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                stream = self.rnd.random() < 0.3
                routed = self.rnd.random() < 0.33
                headers = {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json"}
                if routed:
                    headers["x-portkey-config"] = ROUTED
                body = {**chat(stream=stream), "seed": self.rnd.randrange(2000)}
                connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
                answer = connection.getresponse()
                body = b""
                while stream and not body.endswith(b"data: [DONE]\n\n"):  # which SDKs take for the end
                    piece = answer.read1(65536)
                    if not piece:
                        break
                    body += piece
                if not stream:
                    answer.read()
                if answer.status == 200 and (not stream or body.endswith(b"data: [DONE]\n\n")):
                    self.acknowledged.append(answer.getheader("x-tollgate-request-id"))
                answer.read()
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.01)


def all_ids(g):
    found, before = [], None
    while True:
        page = g.rows(5000, **({"before": before} if before else {}))
        found += [(r["id"], r["outcome"], r["request_id"], r["discarded"]) for r in page]
        if len(page) < 5000:
            return found
        before = page[-1]["id"]


def nothing_acknowledged_is_lost_or_doubled(kills=50, seed=None):
    seed = seed if seed is not None else random.randrange(1 << 30)
    rnd = random.Random(seed)
    print(f"seed {seed}")
    up = Upstream(serve)
    with Gateway(up.url, args=["--workers", "2"]) as g:
        clients = [Client(g.port, seed + i) for i in range(CLIENTS)]
        for c in clients:
            c.start()
        slowest = 0
        for _ in range(kills):
            time.sleep(rnd.uniform(0.05, 0.5))
            g.process.send_signal(signal.SIGKILL)
            g.process.wait()
            begun = time.monotonic()
            g.start()
            slowest = max(slowest, time.monotonic() - begun)
        time.sleep(0.3)
        for c in clients:
            c.stopping = True
        for c in clients:
            c.join()
        acknowledged = [i for c in clients for i in c.acknowledged]
        stored = all_ids(g)
        ids = [row[0] for row in stored]
        answered = {request for _, _, request, discarded in stored if not discarded}
        lost = set(acknowledged) - answered
        interrupted = {request for _, outcome, request, _ in stored if outcome == "interrupted"}
        print(f"{kills} kills, {len(acknowledged)} acknowledged, {len(ids)} rows, {len(lost)} lost, "
              f"{len(ids) - len(set(ids))} doubled, {len(interrupted)} interrupted, slowest start {slowest:.2f} s")
        equal(len(lost), 0, "acknowledged requests that are not in the ledger")
        equal(len(ids), len(set(ids)), "rows are unique")
        equal(len(interrupted & set(acknowledged)), 0, "acknowledged requests whose end is not recorded")
        check(len(acknowledged) > kills * 5, "there was load")
        g.stop()
        equal(g.cli("verify", "--data", g.dir).returncode, 0, "verify")


arguments = argparse.ArgumentParser()
arguments.add_argument("--kills", type=int, default=50)
arguments.add_argument("--seed", type=int)
given = arguments.parse_args()


def kill_loop():
    nothing_acknowledged_is_lost_or_doubled(given.kills, given.seed)


run(kill_loop)
