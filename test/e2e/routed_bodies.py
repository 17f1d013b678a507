#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=200
"""
Bodies of routed requests: what may have to be sent twice is kept up to a limit, for one request and for all of a worker
together; what is larger passes to the first target, unless something would have to be changed in it.
"""

import http.client
import json
import pathlib
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))
from harness import check, equal, run, wait_until
from portkey import Bench, fallback, target
from scripted import say, stream, events_of

MIB = 1 << 20


def big_chat(model, size):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "x" * size}]}).encode()


def a_large_body_goes_to_the_next_target_too(b):
    b.up.on("big-a", say(500))
    body = big_chat("big-b", 3 * MIB)
    config = fallback(target("a", "big-a"), target("b", "big-b"))
    status, headers, answer = b.raw(body, {"x-portkey-config": config})
    equal((status, headers["x-portkey-last-used-option-index"]), (200, "config.targets[1]"), "3 MiB by fallback")
    equal(b.up.requests[-1].size, len(body), "the second target got all of it")


def what_cannot_be_kept_passes_or_is_refused(b):
    body = big_chat("huge", 20 * MIB)
    status, _, answer = b.raw(body, {"x-portkey-config": fallback({"provider": "@a"}, {"provider": "@b"})})
    equal((status, b.up.requests[-1].size), (200, len(body)), "20 MiB pass to the first target")
    before = len(b.up.requests)
    status, headers, answer = b.raw(body, {"x-portkey-config": {"provider": "@a", "override_params": {"temperature": 0}}})
    equal((status, len(b.up.requests)), (413, before), "20 MiB that would have to be changed")
    check("16 MiB" in json.loads(answer)["message"], f"the sentence says the limit: {answer[:300]}")


def all_large_bodies_together_have_a_limit(b):
    """40 clients send 14 of 15 MiB and wait: more than a worker keeps. Some are told to come again; no one else notices."""
    size = 15 * MIB
    body = big_chat("many", size)
    config = json.dumps(fallback(target("a"), target("b")))
    connections = []
    answers, lock = [], threading.Lock()

    def begin():
        c = http.client.HTTPConnection("127.0.0.1", b.gw.port, timeout=60)
        c.putrequest("POST", "/v1/chat/completions")
        for name, value in {"x-portkey-api-key": b.key, "x-portkey-config": config, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            c.putheader(name, value)
        c.endheaders()
        with lock:
            connections.append(c)
        try:
            c.send(body[:14 * MIB])
        except OSError:
            pass

    threads = [threading.Thread(target=begin) for _ in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()

    def end(c):
        try:
            c.send(body[14 * MIB:])
        except OSError:
            pass
        try:
            answer = c.getresponse()
            with lock:
                answers.append((answer.status, answer.getheader("Retry-After")))
        except OSError:
            with lock:
                answers.append((0, None))
        c.close()

    status, _, _ = b.raw({"model": "small", "messages": []})
    equal(status, 200, "a small request meanwhile")
    threads = [threading.Thread(target=end, args=(c,)) for c in connections]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    served = [a for a in answers if a[0] == 200]
    told = [a for a in answers if a[0] == 503]
    check(served and told and len(served) <= 18 and all(a[1] for a in told), f"served and told to come again: {answers}")
    wait_until("the memory is free again", 10, lambda: b.raw(big_chat("after", 10 * MIB), {"x-portkey-config": config})[0] == 200)


def a_stream_that_breaks_before_its_first_event_is_tried_elsewhere(b):
    b.up.on("cut0", stream(events_of(("a", "b"), model="cut0"), cut_after=0))
    config = fallback(target("a", "cut0"), target("b", "whole"))
    status, headers, answer = b.raw({"model": "m", "messages": [], "stream": True}, {"x-portkey-config": config})
    equal((status, headers["x-portkey-last-used-option-index"]), (200, "config.targets[1]"), "nothing was sent yet")
    b.up.on("cut2", stream(events_of(("a", "b"), model="cut2"), cut_after=2))
    config = fallback(target("a", "cut2"), target("b", "whole"))
    before = b.up.count("whole")
    status, headers, answer = b.raw({"model": "m", "messages": [], "stream": True}, {"x-portkey-config": config})
    check(status == 200 and b'"error"' in answer and b"[DONE]" not in answer, f"an honest end: {answer[-300:]}")
    equal(b.up.count("whole"), before, "no second try behind the first byte")


def main():
    with Bench() as b:
        cases = [a_large_body_goes_to_the_next_target_too, what_cannot_be_kept_passes_or_is_refused,
                 all_large_bodies_together_have_a_limit, a_stream_that_breaks_before_its_first_event_is_tried_elsewhere]

        def bound(case):
            def call():
                case(b)
            call.__name__ = case.__name__
            return call
        run(*[bound(c) for c in cases])


main()
