#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Memory and descriptors under mixed load: 60 % streams, 25 % JSON, 10 % embeddings, 5 % uploads; one
client in fifty leaves early, one answer in a hundred is an error, the prices are read again every
minute. Run by ./dev soak.

    flat_memory.py [--minutes N] [--clients N]
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

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, chunk_events, completion, run

EVENTS = {n: chunk_events(words=["word "] * n, usage={"prompt_tokens": 9, "completion_tokens": n, "total_tokens": 9 + n}, nulls=True)
          for n in (20, 60, 200)}
SAMPLE_S = 5


def serve(request):
    if random.random() < 0.01:
        request.answer({"error": {"message": "busy", "type": "server_error", "param": None, "code": None}}, status="503 Service Unavailable")
    elif request.target.endswith("/embeddings"):
        request.answer({"object": "list", "model": "text-embedding-3-small", "data": [{"object": "embedding", "index": 0, "embedding": "AAAA"}],
                        "usage": {"prompt_tokens": 5, "total_tokens": 5}})
    elif request.target.endswith("/files"):
        request.answer({"id": "file-1", "object": "file", "bytes": len(request.body)})
    elif b'"stream": true' in request.body:
        request.begin_stream()
        for event in EVENTS[random.choice(list(EVENTS))]:
            request.chunk(event)
        request.end()
    else:
        request.answer(completion())


class Client(threading.Thread):
    def __init__(self, port, failures):
        super().__init__(daemon=True)
        self.port, self.failures, self.stopping, self.count = port, failures, False, 0

    def run(self):
        connection = None
        while not self.stopping:
            kind = random.choices(("stream", "json", "embedding", "upload"), (60, 25, 10, 5))[0]
            leave = random.random() < 0.02
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                self.send(connection, kind)
                answer = connection.getresponse()
                if leave:
                    answer.read(10)
                    connection.close()
                    connection = None
                    continue
                body = answer.read()
                if answer.status not in (200, 503) or (kind == "stream" and answer.status == 200 and not body.endswith(b"[DONE]\n\n")):
                    self.failures.append((kind, answer.status, body[:200]))
                self.count += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append((kind, repr(error)))
                connection = None

    @staticmethod
    def send(connection, kind):
        head = {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json"}
        if kind == "embedding":
            connection.request("POST", "/v1/embeddings", json.dumps({"model": "text-embedding-3-small", "input": "x"}), head)
        elif kind == "upload":
            body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + b"z" * random.randrange(200_000) + b"\r\n--b--\r\n"
            connection.request("POST", "/v1/files", body, {**head, "Content-Type": "multipart/form-data; boundary=b"})
        else:
            connection.request("POST", "/v1/chat/completions", json.dumps(chat(stream=kind == "stream")), head)


def resident_kb(pid):
    return int(open(f"/proc/{pid}/statm").read().split()[1]) * 4


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_is_flat(minutes, clients):
    up, failures = Upstream(serve), []
    with Gateway(up.url, args=["--workers", "2", "--log-level", "error"]) as g:
        idle = descriptors(g.process.pid)
        threads = [Client(g.port, failures) for _ in range(clients)]
        for t in threads:
            t.start()
        begun, samples, reloads = time.monotonic(), [], 0
        while time.monotonic() - begun < minutes * 60:
            time.sleep(SAMPLE_S)
            samples.append(resident_kb(g.process.pid))
            if (time.monotonic() - begun) // 60 > reloads:
                reloads += 1
                g.process.send_signal(signal.SIGHUP)
        for t in threads:
            t.stopping = True
        for t in threads:
            t.join()
        time.sleep(35)  # idle upstream connections are closed after 30 s
        after, count = descriptors(g.process.pid), sum(t.count for t in threads)
        half = samples[len(samples) // 2:]
        early, late = sum(half[:len(half) // 2]) // max(1, len(half) // 2), sum(half[len(half) // 2:]) // max(1, len(half) - len(half) // 2)
        print(f"{count} requests in {minutes} min, {len(failures)} failures, resident {samples[0]} KB at first, "
              f"{early} KB in the third quarter, {late} KB in the last, {max(samples)} KB at most; descriptors {idle} before, {after} after")
        check(not failures, f"failures: {failures[:3]}")
        check(late <= early * 1.05 + 512, "resident memory grows")
        check(after <= idle + 4, "descriptors are not given back")
        status = json.loads(g.get("/tollgate/v1/status")[2])
        check(status["in_flight"] == 0 and status["ledger"]["records_lost"] == 0, f"{status}")


arguments = argparse.ArgumentParser()
arguments.add_argument("--minutes", type=float, default=10)
arguments.add_argument("--clients", type=int, default=16)
given = arguments.parse_args()


def flat_memory():
    memory_is_flat(given.minutes, given.clients)


run(flat_memory)
