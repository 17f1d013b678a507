#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: serial
"""Ten thousand streams at a time in one process, in little memory, and all of them whole at the end."""

import json
import resource
import selectors
import socket
import sys
import time
import urllib.parse

from sdk.simrun import Sim

STREAMS = 10_000
EVENTS = 4
KB_PER_STREAM_MAX = 16
SECONDS_MAX = 60


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < STREAMS + 200:
        print(f"only {hard} descriptors are allowed")
        sys.exit(77)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, STREAMS + 200), hard))
    body = json.dumps({"model": "gpt-4o", "stream": True, "stream_options": {"include_usage": True},
                       "messages": [{"role": "user", "content": "Wait."}]}).encode()
    head = ("POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer sk-0123456789\r\n"
            f"x-sim-events: {EVENTS}\r\nx-sim-chunk-ms: 2000\r\nx-sim-close: 1\r\nContent-Length: {len(body)}\r\n\r\n")
    with Sim("--ledger-rows", str(STREAMS)) as sim:
        where = urllib.parse.urlparse(sim.root)
        before = resident_kb(sim.child.pid)
        watch, got = selectors.EpollSelector(), {}
        for _ in range(STREAMS):
            sock = socket.create_connection((where.hostname, where.port))
            sock.sendall(head.encode() + body)
            sock.setblocking(False)
            watch.register(sock, selectors.EVENT_READ)
            got[sock] = b""
        while any(not data for data in got.values()):
            read(watch, got)
        each = (resident_kb(sim.child.pid) - before) / STREAMS
        print(f"{STREAMS} open streams, {each:.1f} KB each")
        until = time.monotonic() + SECONDS_MAX
        while watch.get_map() and time.monotonic() < until:
            read(watch, got)
        whole = sum(data.count(b"data: ") == EVENTS + 4 and data.endswith(b"0\r\n\r\n") for data in got.values())
        totals = sim.get("/sim/totals")
        print(f"{whole} whole, {totals['usage_reported']} with usage, {totals['aborted']} aborted")
        ok = whole == STREAMS == totals["usage_reported"] and each <= KB_PER_STREAM_MAX
        sys.exit(0 if ok and totals["usage"]["output_tokens"] == STREAMS * EVENTS else 1)


def read(watch, got):
    for key, _ in watch.select(1):
        data = key.fileobj.recv(65536)
        if data:
            got[key.fileobj] += data
        else:
            watch.unregister(key.fileobj)
            key.fileobj.close()


main()
