#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How requests and the gateway end: clients that leave late, bodies that stop, shutdowns in the middle of things."""

import http.client
import json
import os
import select
import signal
import socket
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import (ADMIN_KEY, Gateway, Upstream, chat, check, chunk_events, completion, equal, request_bytes, run, wait_until)

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
BIG = json.dumps({**completion(), "filler": "x" * 6_000_000}).encode()


def big(request):
    request.answer(BIG)


def all_received(s):
    got = b""
    while more := s.recv(1 << 20):
        got += more
    return got


def a_client_that_leaves_amid_a_recorded_answer_leaves_nothing_behind():
    up = Upstream(big)
    with Gateway(up.url) as g:
        for how in ("FIN", "RST") * 3:
            s = g.socket(receive_buffer=4096)
            s.sendall(request_bytes(chat()))
            check(s.recv(100), "the answer begins")
            if how == "RST":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.close()
        wait_until("no request is under way", 5, lambda: g.metrics()["tollgate_requests_in_flight"] == 0)
        equal([r["outcome"] for r in g.rows(10)], ["completed"] * 6, "recorded as answered")


def a_shutdown_waits_for_the_last_byte():
    up = Upstream(big)
    with Gateway(up.url) as g:
        s = g.socket(receive_buffer=4096)
        s.sendall(request_bytes(chat(), fields="Connection: close\r\n"))
        first = s.recv(100)
        wait_until("a row", 5, lambda: g.rows(1))
        g.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        check(g.process.poll() is None, "the process stays while an answer is under way")
        got = first + all_received(s)
        check(got.endswith(BIG), f"{len(got)} bytes came")
        equal(g.process.wait(10), 0, "exit status")


def what_the_drain_limit_cuts_is_recorded_as_interrupted():
    def endless(request):
        request.begin_stream()
        while True:
            request.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n')
            time.sleep(0.02)

    up = Upstream(endless)
    with Gateway(up.url, args=["--drain-timeout", "200ms"]) as g:
        s = g.socket()
        s.sendall(request_bytes(chat(stream=True)))
        s.recv(1000)
        equal(g.stop(), 0, "exit status")
        g.start()
        row = g.rows(1)[0]
        equal((row["outcome"], row["status"], row["cost_state"]), ("interrupted", 200, "estimated"), "the row")
        check(row["usage"]["output_tokens"] > 0, "its output is counted")


def a_shutdown_under_load_answers_all_that_it_sent_upstream():
    served, answered, odd = set(), set(), []
    stopping = threading.Event()

    def slow(request):
        served.add(request.headers["x-seq"])
        time.sleep(0.03)
        if b'"stream": true' in request.body:
            request.begin_stream()
            for event in chunk_events():
                request.chunk(event)
                time.sleep(0.005)
            request.end()
        else:
            request.answer(completion())

    def client(g, number, round_):
        connection, count = g.connection(), 0
        while not stopping.is_set():
            seq, stream = f"{round_}-{number}-{count}", count % 2 == 1
            count += 1
            try:
                connection.request("POST", "/v1/chat/completions", json.dumps(chat(stream=stream)),
                                   {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json", "x-seq": seq})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                connection = g.connection()
                time.sleep(0.01)
                continue
            if answer.status == 200 and body.endswith(b"data: [DONE]\n\n" if stream else b"}"):
                answered.add(seq)
            elif answer.status != 503 or "Retry-After" not in answer.headers:
                odd.append((seq, answer.status, body[-100:]))

    up = Upstream(slow)
    with Gateway(up.url, args=["--workers", "2"]) as g:
        for round_ in range(5):
            stopping.clear()
            clients = [threading.Thread(target=client, args=(g, i, round_)) for i in range(20)]
            for c in clients:
                c.start()
            time.sleep(0.4)
            g.process.send_signal(signal.SIGTERM)
            equal(g.process.wait(20), 0, "exit status")
            stopping.set()
            for c in clients:
                c.join()
            g.start()
        equal(odd, [], "answers are whole, or 503")
        equal(sorted(served - answered), [], f"of {len(served)} requests that upstream has seen, all are answered")
        check(len(answered) > 200, f"{len(answered)} answers")
        rows = g.rows(5000)
        equal((len(rows), {r["outcome"] for r in rows}), (len(served), {"completed"}), "and recorded")


def an_admin_answer_under_way_survives_a_shutdown():
    with Gateway() as g:
        for _ in range(5):
            s = g.socket()
            s.sendall(request_bytes(b"", path="/tollgate/v1/logs", method="GET", fields="Connection: close\r\n"))
            g.stop()
            got = all_received(s)
            check(got == b"" or (b"200 OK" in got and got.endswith(b"}")), f"a whole answer or none: {got!r}")
            g.start()


def leaving_after_the_final_event_is_no_cancellation():
    left = threading.Event()

    def hesitant(request):
        request.begin_stream()
        for event in chunk_events(usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, nulls=True):
            request.chunk(event)
        left.wait(5)  # the stream's framing ends later
        request.end()

    up = Upstream(hesitant)
    with Gateway(up.url) as g:
        s = g.socket()
        s.sendall(request_bytes(chat(stream=True)))
        got = b""
        while b"[DONE]" not in got:
            got += s.recv(65536)
        s.close()
        row = wait_until("a row", 5, lambda: g.rows(1))[0]
        left.set()
        equal((row["outcome"], row["usage"]["source"], row["cost_state"]), ("completed", "reported", "priced"), "the row")


def a_body_that_stops_coming_is_refused_and_recorded():
    up = Upstream(big)
    with Gateway(up.url, args=["--client-body-timeout", "300ms"]) as g:
        s = g.socket()
        s.sendall(request_bytes(b"x" * 100)[:-50])
        answer = all_received(s)
        check(answer.startswith(b"HTTP/1.1 408 "), f"{answer[:60]!r}")
        row = wait_until("a row", 5, lambda: g.rows(1))[0]
        equal((row["outcome"], row["status"], row["error"], row["cost_state"]), ("refused", 408, "request_timeout", "none"), "the row")
        equal(g.metrics()["tollgate_client_cancelled_total"], 0, "nobody left")


def a_body_that_only_trickles_is_refused():
    up = Upstream(lambda request: request.answer(completion()))
    with Gateway(up.url, args=["--client-body-timeout", "1s", "--client-body-rate", "1k"]) as g:

        def send(piece, pause):
            body = json.dumps(chat(filler="x" * 8000)).encode()
            s, begun = g.socket(), time.monotonic()
            s.sendall(request_bytes(body)[:-len(body)])
            for i in range(0, len(body), piece):
                try:
                    s.sendall(body[i:i + piece])
                except OSError:
                    break
                if select.select([s], [], [], pause)[0]:
                    break
            return s.recv(100)[:12], time.monotonic() - begun

        status, took = send(20, 0.05)
        equal((status, 0.9 < took < 2), (b"HTTP/1.1 408", True), f"400 bytes a second, after {took:.1f} s")
        status, took = send(250, 0.05)
        equal((status, took > 1.2), (b"HTTP/1.1 200", True), f"5,000 bytes a second, after {took:.1f} s")


def a_refused_large_body_never_is_whole_upstream():
    up = Upstream(big)
    with Gateway(up.url) as g:
        filler = b'"filler":"' + b"x" * 2_000_000 + b'"'
        for body, code in ((b'{"model":"gpt-4o-mini","model":"gpt-4o",' + filler + b"}", "duplicate_field"),
                           (b'{"model":"gpt-4o-mini",' + filler + b",}", "invalid_json")):
            for path in ("/v1/responses", "/v1/chat/completions"):
                status, _, answer = g.post(path, body)
                equal((status, json.loads(answer)["error"]["code"]), (400, code), path)
        time.sleep(0.2)
        equal(len(up.requests), 0, "complete requests upstream")


def usage_is_asked_for_at_every_size():
    def stream(request):
        asked = request.json().get("stream_options", {}).get("include_usage")
        request.begin_stream()
        for event in chunk_events(usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12} if asked else None, nulls=bool(asked)):
            request.chunk(event)
        request.end()

    up = Upstream(stream)
    with Gateway(up.url) as g:
        for size in (1000, (1 << 20) - 200, (1 << 20) + 10, (1 << 20) + 30_000, (1 << 20) + 70_000, 3 << 20):
            for tail in (b"", b"\n"):
                body = b'{"model":"gpt-4o-mini","stream":true,"messages":[],"x":"' + b"x" * size + b'"}' + tail
                s = g.socket()
                s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nConnection: close\r\n"
                          "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                s.sendall(b"%x\r\n" % len(body) + body + b"\r\n")
                time.sleep(0.05)  # the last chunk comes alone
                s.sendall(b"0\r\n\r\n")
                all_received(s)
                row = g.rows(1)[0]
                equal((row["usage"]["source"], row["usage"]["output_tokens"]), ("reported", 3), f"usage of a body of {size}")
                sent = up.requests[-1].body
                check(len(sent) > len(body) and sent.replace(b',"stream_options":{"include_usage":true}', b"").replace(
                    b'"stream_options":{"include_usage":true},', b"") == body, "only the option was added")


def a_large_capture_keeps_large_bodies():
    got = {}

    def remember(request):
        got["body"] = request.body
        request.answer(b'{"id":"file-1","object":"file"}')

    up = Upstream(remember)
    with Gateway(up.url, args=["--capture-bytes", "4m"]) as g:
        form = (b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; '
                b'name="file"; filename="f"\r\n\r\n' + bytes(range(32, 127)) * 31579 + b"\r\n--b--\r\n")
        status, _, _ = g.post("/v1/files", form, headers={"Content-Type": "multipart/form-data; boundary=b"})
        equal((status, got["body"]), (200, form), "the upload")
        kept = json.loads(g.get("/tollgate/v1/logs/" + g.rows(1)[0]["id"])[2])["request_body"]
        equal((kept["size_bytes"], kept["cut"], kept["text"].encode()), (len(form), False, form), "the kept body")


def early_answers_end_uploads():
    def early(request):
        pass

    class Early(Upstream):
        def _serve(self, connection):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            time.sleep(1)
            connection.close()

    up = Early(early)
    with Gateway(up.url) as g:
        s = g.socket()
        s.sendall((f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                   "Content-Length: 80000000\r\n\r\n").encode() + b"x" * 100_000)
        got = b""
        while b"{}" not in got:
            more = s.recv(65536)
            check(more, f"the connection ended after {got!r}")
            got += more
        check(got.startswith(b"HTTP/1.1 413 "), f"{got!r}")
        s.close()
        row = g.rows(1)[0]
        equal((row["outcome"], row["status"]), ("upstream_error", 413), "the row")
        wait_until("no request is under way", 5, lambda: g.metrics()["tollgate_requests_in_flight"] == 0)


def a_paused_upload_whose_upstream_dies_is_answered():
    class Deaf(Upstream):
        def _serve(self, connection):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.recv(1000)
            time.sleep(2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.close()

    up = Deaf(None)
    with Gateway(up.url) as g:
        s = g.socket()
        sent = 0
        s.sendall((f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                   "Content-Length: 400000000\r\n\r\n").encode())
        s.settimeout(0.3)
        try:
            while sent < 100_000_000:
                sent += s.send(b"x" * 65536)
        except TimeoutError:
            pass
        check(sent < 30_000_000, f"back-pressure: {sent} bytes were taken")
        s.settimeout(10)
        answer = s.recv(65536)
        check(answer.startswith(b"HTTP/1.1 502 "), f"{answer[:60]!r}")
        s.close()
        equal(g.rows(1)[0]["outcome"], "upstream_failed", "the row")


def a_full_journal_refuses_what_it_cannot_record():
    def answer(request):
        if b'"stream": true' in request.body:
            request.begin_stream()
            for event in chunk_events(usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, nulls=True):
                request.chunk(event)
            request.end()
        else:
            request.answer(completion())

    up = Upstream(answer)
    with Gateway(up.url, args=["--spool-max-bytes", "1m", "--workers", "1"]) as g:
        store = sqlite3.connect(os.path.join(g.dir, "ledger.db"), isolation_level=None)
        store.execute("BEGIN IMMEDIATE")  # the drain cannot write, so the journal grows to its cap
        filler = chat(messages=[{"role": "user", "content": "x" * 60_000}])
        answered = 0
        for _ in range(100):
            status, _, body = g.post("/v1/chat/completions", filler)
            if status != 200:
                break
            answered += 1
            time.sleep(0.02)
        equal((status, json.loads(body)["error"]["code"], answered < 100), (503, "journal_unavailable", True), "the journal is full")
        seen = len(up.requests)
        for stream in (False, True) * 3:
            status, headers, body = g.post("/v1/chat/completions", chat(stream=stream))
            equal((status, json.loads(body)["error"]["code"], "retry-after" in headers), (503, "journal_unavailable", True), "refused")
        equal(len(up.requests), seen, "nothing is bought that cannot be recorded")
        check(g.metrics()["tollgate_journal_records_lost_total"] >= 7, "what was lost is counted")
        store.execute("ROLLBACK")
        store.close()
        wait_until("it works again", 20, lambda: g.post("/v1/chat/completions", chat(stream=True))[0] == 200)
        rows = [r for r in g.rows(1000) if r["status"] == 200]
        equal(len(rows), answered + 1, "every answer that was given has its row")


def a_stream_that_cannot_be_recorded_has_no_end():
    hold = threading.Event()

    def held(request):
        request.begin_stream()
        request.chunk(chunk_events()[0])
        hold.wait(30)
        for event in chunk_events()[1:]:
            request.chunk(event)
        request.end()

    up = Upstream(held)
    with Gateway(up.url, args=["--spool-max-bytes", "1m", "--workers", "1"]) as g:
        store = sqlite3.connect(os.path.join(g.dir, "ledger.db"), isolation_level=None)
        store.execute("BEGIN IMMEDIATE")
        s = g.socket()
        s.sendall(request_bytes(chat(stream=True)))
        first = s.recv(65536)
        filler = json.dumps(chat(messages=[{"role": "user", "content": "x" * 60_000}]))[:-1] + ",}"  # refused, and kept
        wait_until("the journal is full", 20, lambda: g.post("/v1/chat/completions", filler)[0] == 503)
        hold.set()
        got = first
        try:
            while more := s.recv(65536):
                got += more
        except ConnectionResetError:
            pass
        check(b"[DONE]" not in got and not got.endswith(b"0\r\n\r\n"), f"the stream must not look complete: {got[-200:]!r}")
        store.execute("ROLLBACK")
        store.close()


run(a_full_journal_refuses_what_it_cannot_record, a_stream_that_cannot_be_recorded_has_no_end, a_client_that_leaves_amid_a_recorded_answer_leaves_nothing_behind, a_shutdown_waits_for_the_last_byte,
    what_the_drain_limit_cuts_is_recorded_as_interrupted, a_shutdown_under_load_answers_all_that_it_sent_upstream, an_admin_answer_under_way_survives_a_shutdown,
    leaving_after_the_final_event_is_no_cancellation, a_body_that_stops_coming_is_refused_and_recorded, a_body_that_only_trickles_is_refused,
    a_refused_large_body_never_is_whole_upstream, usage_is_asked_for_at_every_size, a_large_capture_keeps_large_bodies,
    early_answers_end_uploads, a_paused_upload_whose_upstream_dies_is_answered)
