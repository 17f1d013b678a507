#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: serial timeout=300
"""
Two hundred clients at once, doing everything clients do, good and bad. Afterwards: one row for each request, nothing under
way, no descriptor left over, and upstream has seen what the rows say it has.

    concurrency.py [--seconds N] [--clients N] [--seed N]

Runs the program of TOLLGATE_ASAN_BIN when that is set: a sanitizer's finding then fails the test.
"""

import argparse
import collections
import http.client
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
if os.environ.get("TOLLGATE_ASAN_BIN"):
    os.environ["TOLLGATE_BIN"] = os.environ["TOLLGATE_ASAN_BIN"]
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, chunk_events, completion, equal, run, wait_until

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
EVENTS = chunk_events(words=[f"word{i} " for i in range(20)], usage={"prompt_tokens": 9, "completion_tokens": 40, "total_tokens": 49}, nulls=True)
BIG = json.dumps({**completion(), "filler": "x" * 300_000}).encode()
served = collections.Counter()


def serve(request):
    how, seq = request.headers["x-how"], request.headers["x-seq"]
    served[seq] += 1
    if how == "stream":
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
        request.end()
    elif how == "slow stream":
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
            time.sleep(0.01)
        request.end()
    elif how == "cut stream":
        request.begin_stream()
        request.chunk(b"".join(EVENTS[:5]) + EVENTS[5][:10])
        return "close"
    elif how == "error":
        request.answer(b'{"error":{"message":"slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}}', status="429 Too Many Requests", fields="retry-after: 1\r\n")
    elif how == "drop":
        return "close"
    elif how == "garbage":
        request.send(b"what?\r\n\r\n")
        return "close"
    elif how == "hang":
        while request.connection.recv(65536):
            pass
        return "close"
    elif how == "big":
        request.answer(BIG)
    elif how == "last":
        request.answer(completion(), fields="Connection: close\r\n")
        return "close"
    else:
        request.answer(completion())


class Client(threading.Thread):
    """Does one random thing after the other until stopped."""

    def __init__(self, port, number, seed):
        super().__init__(daemon=True)
        self.port, self.number, self.rnd = port, number, random.Random(seed)
        self.stopping, self.count, self.kept = False, 0, None
        self.sent, self.unsure, self.trouble = [], set(), []  # ids with a row; of those, which upstream may not have seen

    def head(self, how, length, more="", path="/v1/chat/completions", kind="application/json", key=ADMIN_KEY):
        self.count += 1
        seq = f"c{self.number}-{self.count}"
        return seq, (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {kind}\r\nx-portkey-trace-id: {seq}\r\n"
                     f"x-seq: {seq}\r\nx-how: {how}\r\nContent-Length: {length}\r\n{more}\r\n").encode()

    def connect(self, receive_buffer=None):
        s = socket.socket()
        s.settimeout(30)
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.connect(("127.0.0.1", self.port))
        return s

    def answer(self, s, method="POST"):
        a = http.client.HTTPResponse(s, method=method)
        a.begin()
        return a.status, a.read(), a.will_close

    def whole(self, how, status, end=None, more=""):
        """A request and its whole answer, on the kept connection."""
        body = json.dumps(chat(stream="stream" in how)).encode()
        s, self.kept = self.kept or self.connect(), None
        seq, head = self.head(how, len(body), more)
        self.sent.append(seq)
        s.sendall(head + body)
        found, got, closes = self.answer(s)
        equal(found, status, f"{how}: status, with {got[:200]!r}")
        check(end is None or got.endswith(end), f"{how}: {got[-100:]!r}")
        if closes:
            s.close()
        else:
            self.kept = s

    def do_json(self):
        self.whole("json", 200, b"}")

    def do_stream(self):
        self.whole(self.rnd.choice(("stream", "slow stream")), 200, b"data: [DONE]\n\n")

    def do_cut_stream(self):
        self.whole("cut stream", 200, b"\n\n")

    def do_error(self):
        self.whole("error", 429)

    def do_drop(self):
        self.whole(self.rnd.choice(("drop", "garbage")), 502)

    def do_big(self):
        self.whole("big", 200, BIG[-20:])

    def do_last(self):
        self.whole("last", 200, more="Connection: close\r\n")

    def do_bad_json(self):
        s, self.kept = self.kept or self.connect(), None
        seq, head = self.head("json", 5)
        self.sent.append(seq)
        self.unsure.add(seq)
        s.sendall(head + b'{"a":')
        equal(self.answer(s)[0], 400, "bad JSON")
        self.kept = s

    def do_stranger(self):
        s = self.connect()
        _, head = self.head("json", 2, key="tg-nobody")
        s.sendall(head + b"{}")
        equal(self.answer(s)[0], 401, "a stranger")
        s.close()

    def do_pipeline(self):
        s, body = self.connect(), json.dumps(chat()).encode()
        parts = [self.head(how, len(body)) for how in ("json", "big", "json")]
        self.sent += [seq for seq, _ in parts]
        s.sendall(b"".join(head + body for _, head in parts))
        got = b""
        while got.count(b"HTTP/1.1 200") < 3 or not got.endswith(b"}"):
            more = s.recv(65536)
            check(more, "the pipeline's end")
            got += more
        s.close()

    def do_upload(self):
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + b"y" * 200_000 + b"\r\n--b--\r\n"
        s = self.connect()
        seq, head = self.head("json", len(form), "Expect: 100-continue\r\n", "/v1/files", "multipart/form-data; boundary=b")
        self.sent.append(seq)
        s.sendall(head)
        check(s.recv(100).startswith(b"HTTP/1.1 100 "), "go on")
        s.sendall(form)
        equal(self.answer(s)[0], 200, "an upload")
        s.close()

    def do_slow_reader(self):
        body = json.dumps(chat()).encode()
        s = self.connect(receive_buffer=4096)
        seq, head = self.head("big", len(body), "Connection: close\r\n")
        self.sent.append(seq)
        s.sendall(head + body)
        time.sleep(0.2)
        equal(len(self.answer(s)[1]), len(BIG), "a slow reader's answer")
        s.close()

    def leave(self, s):
        if self.rnd.random() < 0.5:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        s.close()

    def do_leave_amid(self):
        how = self.rnd.choice(("slow stream", "big", "stream"))
        body = json.dumps(chat(stream="stream" in how)).encode()
        s = self.connect(receive_buffer=4096)
        seq, head = self.head(how, len(body))
        self.sent.append(seq)
        s.sendall(head + body)
        check(s.recv(100), "an answer begins")
        self.leave(s)

    def do_leave_at_once(self):
        body = json.dumps(chat()).encode()
        s = self.connect()
        seq, head = self.head("hang", len(body))
        self.sent.append(seq)
        self.unsure.add(seq)
        s.sendall(head + body)
        time.sleep(self.rnd.choice((0, 0.05)))
        s.close()

    def do_leave_amid_body(self):
        kind, path = self.rnd.choice((("application/json", "/v1/chat/completions"), ("multipart/form-data; boundary=b", "/v1/files")))
        s = self.connect()
        seq, head = self.head("json", 100_000, path=path, kind=kind)
        self.sent.append(seq)
        self.unsure.add(seq)
        s.sendall(head + b'{"x":"' + b"z" * 50_000)
        time.sleep(self.rnd.choice((0, 0.05)))
        s.close()

    def do_admin(self):
        s = self.connect()
        path = self.rnd.choice(("/metrics", "/livez", "/tollgate/v1/logs?limit=5", "/tollgate/v1/status", "/nothing"))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nConnection: close\r\n\r\n".encode())
        if self.rnd.random() < 0.7:
            equal(self.answer(s, "GET")[0], 404 if path == "/nothing" else 200, path)
        self.leave(s)

    def run(self):
        deeds = [getattr(self, name) for name in dir(self) if name.startswith("do_")] + [self.do_json, self.do_stream] * 3
        while not self.stopping:
            deed = self.rnd.choice(deeds)
            try:
                deed()
            except Exception as error:
                self.trouble.append(f"{deed.__name__}: {type(error).__name__}: {error}")
                self.kept = None
        if self.kept:
            self.kept.close()


def sockets(g):
    count = 0
    for fd in os.listdir(f"/proc/{g.process.pid}/fd"):
        try:
            count += os.readlink(f"/proc/{g.process.pid}/fd/{fd}").startswith("socket:")
        except OSError:
            pass
    return count


def all_rows(g):
    found, before = [], None
    while True:
        page = g.rows(2000, **({"before": before} if before else {}))
        found += page
        if len(page) < 2000:
            return found
        before = page[-1]["id"]


def in_flight(g):
    return g.metrics()["tollgate_requests_in_flight"]


def everything_is_accounted_for_under_load():
    up = Upstream(serve)
    seed = given.seed if given.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}")
    with Gateway(up.url, args=["--workers", "2", "--upstream-keep-alive", "500ms"]) as g:
        time.sleep(1)
        baseline = sockets(g)
        clients = [Client(g.port, i, seed + i) for i in range(given.clients)]
        for c in clients:
            c.start()
        time.sleep(given.seconds)
        for c in clients:
            c.stopping = True
        for c in clients:
            c.join(60)
            check(not c.is_alive(), "a client is stuck")
        trouble = [t for c in clients for t in c.trouble]
        equal(trouble[:5], [], f"{len(trouble)} troubles")
        wait_until("nothing is under way", 20, lambda: in_flight(g) == 0)
        wait_until(f"sockets as before ({baseline}, now {sockets(g)})", 20, lambda: sockets(g) <= baseline)
        sent = [seq for c in clients for seq in c.sent]
        rows = all_rows(g)
        found = collections.Counter(r["trace_id"] for r in rows)
        equal([seq for seq in sent if found[seq] != 1][:5], [], "each request has one row")
        equal(len(rows), len(sent), "and there are no others")
        unsure = {seq for c in clients for seq in c.unsure}
        equal([seq for seq in sent if served[seq] != 1 and seq not in unsure][:5], [], "upstream has seen each once")
        equal([seq for seq in served if served[seq] > 1 or found[seq] != 1][:5], [], "and nothing else")
        kinds = collections.Counter(r["outcome"] for r in rows)
        print(f"{len(sent)} requests of {given.clients} clients: {dict(kinds)}")
        check(len(sent) > given.clients and len(kinds) >= 5, "there was load of all kinds")
        metrics = g.metrics()
        equal((metrics["tollgate_journal_records_lost_total"], metrics["tollgate_journal_errors_total"]), (0, 0), "the journal")
        g.stop()
        equal(g.cli("verify", "--data", g.dir).returncode, 0, "verify")


arguments = argparse.ArgumentParser()
arguments.add_argument("--seconds", type=float, default=10)
arguments.add_argument("--clients", type=int, default=200)
arguments.add_argument("--seed", type=int)
given = arguments.parse_args()
run(everything_is_accounted_for_under_load)
