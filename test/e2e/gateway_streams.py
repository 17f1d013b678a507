#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams that break, on either side: honest endings, cancelled upstreams, rows that say what happened."""

import http.client
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, chunk_events, equal, run, wait_until

EVENTS = chunk_events(words=[f"word{i} " for i in range(12)])
WHOLE = b"".join(EVENTS)


def cut_at(request):
    """Sends the stream up to byte x-cut, then ends the connection as x-how says."""
    cut, how = int(request.headers["x-cut"]), request.headers["x-how"]
    request.begin_stream()
    if cut:
        request.chunk(WHOLE[:cut])
    if how == "clean":
        request.end()
    elif how == "reset":
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    return "close"


def a_cut_stream_ends_with_an_error_event_and_no_half_event():
    up = Upstream(cut_at)
    ends = [sum(len(e) for e in EVENTS[:i]) for i in range(len(EVENTS) - 2)]
    inside = list(range(1, len(WHOLE) - len(EVENTS[-1]) - len(EVENTS[-2]), 97))
    with Gateway(up.url) as g:
        for how in ("close", "clean", "reset"):
            for cut in ends + inside:
                status, _, got = g.post("/v1/chat/completions", chat(stream=True), headers={"x-cut": str(cut), "x-how": how})
                whole = [e for i, e in enumerate(EVENTS) if sum(len(x) for x in EVENTS[:i + 1]) <= cut]
                if status != 200:  # nothing had left yet
                    equal(whole, [], f"cut {cut} {how}: an error status only before the first event")
                    check(json.loads(got)["error"]["code"] in ("upstream_closed",), f"{got!r}")
                    continue
                if how == "reset" and not got.startswith(b"".join(whole)):
                    whole = []  # a reset may destroy what was under way
                check(b"[DONE]" not in got, f"cut {cut} {how}: no [DONE]")
                events = got.split(b"\n\n")
                equal(events[-1], b"", f"cut {cut} {how}: whole events only")
                name, data = events[-2].split(b"\n")
                equal(name, b"event: error", f"cut {cut} {how}: the name that Portkey's SDK raises on")
                error = json.loads(data[len(b"data: "):])
                equal(set(error["error"]), {"message", "type", "param", "code"}, "the error event")
                for e in events[:-2]:
                    check(e + b"\n\n" in EVENTS, f"cut {cut} {how}: a broken event {e!r}")
        row = g.rows(1, outcome="upstream_aborted")[0]
        equal((row["outcome"], row["error"]), ("upstream_aborted", "upstream_closed"), "the row")
        check(not [r for r in g.rows(1000) if r["outcome"] == "completed"], "no cut stream counts as completed")


def a_cut_stream_is_counted_and_marked_estimated():
    up = Upstream(cut_at)
    cut = sum(len(e) for e in EVENTS[:8])
    with Gateway(up.url) as g:
        g.post("/v1/chat/completions", chat(stream=True), headers={"x-cut": str(cut), "x-how": "close"})
        row = g.rows(1)[0]
        equal((row["usage"]["source"], row["cost_state"]), ("estimated", "estimated"), "usage")
        equal(row["usage"]["output_tokens"], 15, "'word0 word1 … word6 ' in o200k: two each, and the last space")
        equal(row["usage"]["input_tokens"], 3 + 3 + 1 + 3, "'Say hello.' is three tokens, its role one, overhead six")


def responses_streams_end_with_an_error_event_of_their_own():
    def broken(request):
        request.begin_stream()
        request.chunk(b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","usage":null}}\n\n')
        return "close"

    up = Upstream(broken)
    with Gateway(up.url) as g:
        _, _, got = g.post("/v1/responses", {"model": "gpt-4o-mini", "input": "x", "stream": True})
        name, data = got.split(b"\n\n")[1].split(b"\n", 1)
        equal(name, b"event: error", "the event's name")
        error = json.loads(data[len(b"data: "):])
        equal((error["type"], error["code"], error["sequence_number"]), ("error", "upstream_closed", 1), "the event")
        equal(error["error"]["code"], "upstream_closed", "both SDKs find the error")


def a_break_between_two_images_is_no_end():
    image = {"type": "image_generation.completed", "b64_json": "aGVsbG8=", "created_at": 1, "size": "1024x1024", "quality": "low", "background": "auto", "output_format": "png",
             "usage": {"input_tokens": 10, "output_tokens": 272, "total_tokens": 282, "input_tokens_details": {"text_tokens": 10, "image_tokens": 0}}}
    event = b"event: image_generation.completed\ndata: " + json.dumps(image).encode() + b"\n\n"

    def one_of_two(request):
        request.begin_stream()
        request.chunk(event)
        return "close"

    up = Upstream(one_of_two)
    with Gateway(up.url) as g:
        _, _, got = g.post("/v1/images/generations", {"model": "gpt-image-1", "prompt": "x", "n": 2, "stream": True})
        check(got.startswith(event) and b"upstream_closed" in got[len(event):], f"an error event ends it: {got!r}")
        row = g.rows(1)[0]
        equal((row["outcome"], row["usage"]["output_tokens"]), ("upstream_aborted", 272), "the row")


def a_break_behind_the_final_event_is_an_end():
    def no_framing_end(request):
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
        return "close"

    up = Upstream(no_framing_end)
    with Gateway(up.url) as g:
        status, _, got = g.post("/v1/chat/completions", chat(stream=True))
        equal((status, got), (200, WHOLE), "the whole stream, and nothing behind it")
        equal(g.rows(1)[0]["outcome"], "completed", "the row")


def a_client_that_leaves_cancels_upstream_at_once():
    state = {}

    def endless(request):
        request.begin_stream()
        state["begun"] = time.monotonic()
        try:
            while True:
                request.chunk(EVENTS[1])
                time.sleep(0.01)
        except OSError:
            state["broken"] = time.monotonic()
        return "close"

    up = Upstream(endless)
    with Gateway(up.url) as g:
        for how in ("FIN", "RST"):
            state.clear()
            s = socket.create_connection(("127.0.0.1", g.port))
            body = json.dumps(chat(stream=True)).encode()
            s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            s.recv(1000)
            if how == "RST":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            s.close()
            left = time.monotonic()
            wait_until("upstream sees the end", 5, lambda: "broken" in state)
            check(state["broken"] - left < 1, f"{how}: upstream saw it after {state['broken'] - left:.2f} s")
            row = wait_until("a row", 5, lambda: [r for r in g.rows(1) if r["outcome"] == "client_cancelled"])[0]
            equal((row["usage"]["source"], row["cost_state"]), ("estimated", "estimated"), "the partial output is accounted for")
            check(row["usage"]["output_tokens"] > 0 and row["cost_usd"] != "0.00", "and costs something")
        equal(len(g.rows(10)), 2, "one row each")


def a_client_that_leaves_before_the_answer_is_recorded():
    gone = threading.Event()

    def silent(request):
        try:
            while request.connection.recv(1):
                pass
        except OSError:
            pass
        gone.set()
        return "close"

    up = Upstream(silent)
    with Gateway(up.url) as g:
        c = http.client.HTTPConnection("127.0.0.1", g.port)
        c.request("POST", "/v1/chat/completions", json.dumps(chat()), {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json"})
        wait_until("the request is upstream", 5, lambda: up.requests)
        c.close()
        check(gone.wait(2), "upstream sees the end")
        row = wait_until("a row", 5, lambda: g.rows(1))[0]
        equal((row["outcome"], row["status"]), ("client_cancelled", 0), "the row")


def events_leave_when_they_come():
    gap = 0.05

    def slow(request):
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
            time.sleep(gap)
        request.end()

    up = Upstream(slow)
    with Gateway(up.url) as g:
        c = http.client.HTTPConnection("127.0.0.1", g.port)
        c.request("POST", "/v1/chat/completions", json.dumps(chat(stream=True)), {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json"})
        answer, pieces = c.getresponse(), []
        while piece := answer.read1(65536):
            pieces.append(piece)
        equal(b"".join(pieces), WHOLE, "the stream")
        check(len(pieces) >= len(EVENTS) - 2, f"{len(EVENTS)} events came in {len(pieces)} pieces")


def a_slow_reader_gets_everything():
    big = b"data: " + b'{"choices":[{"index":0,"delta":{"content":"' + b"y" * 900 + b'"}}]}' + b"\n\n"

    def fast(request):
        request.begin_stream()
        for _ in range(4000):
            request.chunk(big)
        request.chunk(EVENTS[-2] + EVENTS[-1])
        request.end()

    up = Upstream(fast)
    with Gateway(up.url) as g:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        s.connect(("127.0.0.1", g.port))
        body = json.dumps(chat(stream=True)).encode()
        s.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        time.sleep(1)
        rss = int(open(f"/proc/{g.process.pid}/statm").read().split()[1]) * 4
        got = 0
        while more := s.recv(65536):
            got += len(more)
            if got < 200_000:
                time.sleep(0.005)
        check(got > 4000 * len(big), f"only {got} bytes came")
        check(rss < 60_000, f"{rss} KB resident while the reader stalls")
        equal(g.rows(1)[0]["outcome"], "completed", "the row")


def a_stream_that_stays_open_behind_its_final_event_ends_there():
    """Whoever has [DONE] has a record, whatever upstream does with the connection."""
    left = threading.Event()

    def lingering(request):
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
        left.wait(20)

    up = Upstream(lingering)
    try:
        with Gateway(up.url) as g:
            begun = time.monotonic()
            status, _, got = g.post("/v1/chat/completions", chat(stream=True))
            took = time.monotonic() - begun
            check(status == 200 and got.endswith(b"data: [DONE]\n\n"), f"the whole stream: {got[-80:]!r}")
            check(took < 5, f"the answer ended after {took:.1f} s")
            row = g.rows(1)[0]
            equal(row["outcome"], "completed", "the row")
    finally:
        left.set()


run(a_cut_stream_ends_with_an_error_event_and_no_half_event, a_cut_stream_is_counted_and_marked_estimated,
    responses_streams_end_with_an_error_event_of_their_own, a_break_between_two_images_is_no_end, a_break_behind_the_final_event_is_an_end, a_stream_that_stays_open_behind_its_final_event_ends_there,
    a_client_that_leaves_cancels_upstream_at_once,
    a_client_that_leaves_before_the_answer_is_recorded, events_leave_when_they_come, a_slow_reader_gets_everything)
