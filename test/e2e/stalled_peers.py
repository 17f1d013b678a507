#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: serial timeout=180
"""
Clients that stop, a thousand of each kind: readers whose answer has 64 MB and who take none of it, and
senders who stop within the head or the body. What they cost stays bounded, upstream is stopped rather
than buffered, other clients are served meanwhile, and in the end the stalled ones are closed and recorded.

A reader may cost 64 KB of the gateway's memory, a sender 8 KB; bodies are not recorded here, for what is
kept of each for its record (--capture-bytes) comes on top. What the kernel holds is reported, for both
ends of all connections together. TOLLGATE_STALLED sets another number of each.
"""

import asyncio
import json
import os
import pathlib
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(os.environ.get("TOLLGATE_ROOT", pathlib.Path(__file__).resolve().parent.parent.parent))
BIN = os.environ.get("TOLLGATE_BIN", str(ROOT / "build/tollgate"))
TMP = pathlib.Path(os.environ.get("TMPDIR", "/tmp"))
COUNT = int(os.environ.get("TOLLGATE_STALLED", "1000"))
OFFERED = 64 << 20
READER_KB, SENDER_KB = 64, 8
STALL_S, BODY_S, HEAD_S = 20, 6, 6


# --- the upstream ------------------------------------------------------------------------------

class Upstream:
    """Streams as long as it is let; counts what it could send and who was cut."""

    def __init__(self):
        self.sent, self.open, self.ended = {}, 0, 0
        self.event = b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "model": "gpt-4o", "choices": [
            {"index": 0, "delta": {"content": "x" * 900}, "finish_reason": None}]}).encode() + b"\n\n"

    async def start(self):
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)  # its own share stays small
        server = await asyncio.start_server(self.serve, sock=listening, limit=1 << 20)
        return server, listening.getsockname()[1]

    async def serve(self, reader, writer):
        writer.transport.set_write_buffer_limits(high=4096)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"\r\ncontent-length: (\d+)", head, re.I)
                if length:
                    await reader.readexactly(int(length[1]))
                if "/files/" in head or "x-long: 1" in head.lower():
                    await self.stream(writer, "/files/" in head)
                    return
                body = b'{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[],"usage":null}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                             (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            if not writer.is_closing():
                writer.transport.abort()

    async def stream(self, writer, binary):
        me, piece = len(self.sent), bytes(range(256)) * 16 if binary else self.event
        self.sent[me] = 0
        self.open += 1
        kind = b"application/octet-stream\r\nContent-Length: %d" % OFFERED if binary else b"text/event-stream"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\n\r\n")
        try:
            while self.sent[me] < OFFERED:
                writer.write(piece)
                await writer.drain()
                self.sent[me] += len(piece)
        finally:
            self.open -= 1
            self.ended += 1


# --- clients -----------------------------------------------------------------------------------

def request(key, path, body=b"", more=""):
    return (f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


CHAT = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()


async def connect(port):
    """A socket that nobody reads: asyncio's streams would read ahead."""
    s = socket.socket()
    s.setblocking(False)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    await asyncio.get_running_loop().sock_connect(s, ("127.0.0.1", port))
    return s


async def stalled_reader(port, key, i):
    s = await connect(port)
    raw = request(key, "/v1/files/f/content") if i % 2 else \
        request(key, "/v1/chat/completions", CHAT, "Content-Type: application/json\r\nX-Long: 1\r\n")
    await asyncio.get_running_loop().sock_sendall(s, raw)
    return s


async def stalled_sender(port, key, i):
    s = await connect(port)
    whole = request(key, "/v1/chat/completions", b"{" + b" " * 20000, "Content-Type: application/json\r\n")
    await asyncio.get_running_loop().sock_sendall(s, whole[:40] if i % 2 else whole[:-19500])
    return s


async def many(make, port, key):
    made = []
    for at in range(0, COUNT, 50):
        made += await asyncio.gather(*[make(port, key, i) for i in range(at, min(at + 50, COUNT))])
    return made


async def one_request(reader, writer, key):
    writer.write(request(key, "/v1/chat/completions", CHAT.replace(b"true", b"false"), "Content-Type: application/json\r\n"))
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    await reader.readexactly(int(re.search(r"content-length: (\d+)", head, re.I)[1]))
    return int(head.split(" ")[1])


async def others(port, key, seconds):
    """Ordinary clients beside the stalled ones: (requests, failures, p50 ms, p99 ms)."""
    times, failures = [], 0
    until = time.monotonic() + seconds

    async def client():
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            begin = time.monotonic()
            try:
                status = await asyncio.wait_for(one_request(reader, writer, key), 5)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                status = 0
            failures += status != 200
            if not status:
                break
            times.append((time.monotonic() - begin) * 1000)
            await asyncio.sleep(0.01)
        writer.close()
    await asyncio.gather(*[client() for _ in range(10)])
    times = sorted(times) or [float("inf")]
    return len(times), failures, statistics.median(times), times[int(len(times) * 0.99)]


async def slow_reader(s, wanted):
    """Takes `wanted` bytes of a binary answer after all, bit by bit; True when each is right."""
    loop, got, head = asyncio.get_running_loop(), 0, b""
    pattern = bytes(range(256)) * 1024
    while got < wanted:
        piece = await asyncio.wait_for(loop.sock_recv(s, 20000), 5)
        if not piece:
            return False
        if b"\r\n\r\n" not in head:
            head += piece
            if b"\r\n\r\n" not in head:
                continue
            piece = head.split(b"\r\n\r\n", 1)[1]
        if piece != pattern[got % 256:got % 256 + len(piece)]:
            return False
        got += len(piece)
        await asyncio.sleep(0.005)
    return True


# --- measuring ---------------------------------------------------------------------------------

def rss_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def kernel_kb():
    return int(re.search(r"^TCP:.* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text(), re.M)[1]) * 4


async def quiet(value):
    """Waits until the value stays the same for a while."""
    last, since = value(), time.monotonic()
    for _ in range(400):
        await asyncio.sleep(0.05)
        if value() != last:
            last, since = value(), time.monotonic()
        elif time.monotonic() - since > 0.5:
            break


def ended(sockets):
    """How many of the sockets the other side has ended; reads what is left in them."""
    count = 0
    for s in sockets:
        try:
            while s.recv(1 << 20):
                pass
            count += 1
        except BlockingIOError:
            pass
        except OSError:
            count += 1
    return count


# --- the gateway -------------------------------------------------------------------------------

def start_gateway(upstream):
    data, log = TMP / "data", TMP / "gateway.log"
    with open(log, "wb") as out:
        child = subprocess.Popen([BIN, "serve", "--listen", "127.0.0.1:0", "--data", str(data), "--allow-upstream",
                                  "127.0.0.0/8", "--record-bodies", "off", "--client-stall-timeout", f"{STALL_S}s", "--client-body-timeout",
                                  f"{BODY_S}s", "--client-head-timeout", f"{HEAD_S}s"],
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    until = time.monotonic() + 10
    while not (port := re.search(r"^gateway +http://127\.0\.0\.1:(\d+)", log.read_text(), re.M)) or \
            not (data / "admin.key").exists():
        if time.monotonic() > until or child.poll() is not None:
            raise SystemExit(f"the gateway did not start: {log.read_text()}")
        time.sleep(0.02)
    os.environ["TOLLGATE_URL"] = f"http://127.0.0.1:{port[1]}"
    os.environ["TOLLGATE_KEY"] = (data / "admin.key").read_text().strip()
    subprocess.run([BIN, "connect", "openai", "--slug", "openai", "--api-key-env", "UPSTREAM_KEY", "--base-url",
                    f"http://127.0.0.1:{upstream}/v1"], env=dict(os.environ, UPSTREAM_KEY="sk-upstream"), check=True,
                   stdout=subprocess.DEVNULL)
    key = subprocess.run([BIN, "key", "create", "--name", "stalled"], check=True, stdout=subprocess.PIPE, text=True)
    return child, int(port[1]), key.stdout.strip()


def outcomes():
    out = subprocess.run([BIN, "logs", "--json", "--limit", "10000"], check=True, stdout=subprocess.PIPE, text=True)
    counts = {}
    for record in map(json.loads, out.stdout.splitlines()):
        counts[record["outcome"]] = counts.get(record["outcome"], 0) + 1
    return counts


class Findings:
    count = 0

    def check(self, ok, words):
        self.count += not ok
        print("ok  " if ok else "FAIL", words, flush=True)


async def readers(findings, gateway, port, key, upstream):
    before, kernel = rss_kb(gateway.pid), kernel_kb()
    sockets = await many(stalled_reader, port, key)
    await quiet(lambda: sum(upstream.sent.values()))
    grown, pages = (rss_kb(gateway.pid) - before) / COUNT, (kernel_kb() - kernel) / COUNT
    streams = list(upstream.sent.values())[-COUNT:]
    findings.check(len(streams) == COUNT and upstream.open == COUNT, f"{upstream.open} streams are open")
    findings.check(grown <= READER_KB, f"a stalled reader costs {grown:.1f} KB (at most {READER_KB}) and "
                   f"{pages:.0f} KB of the kernel's memory, both hops with both their ends")
    print(f"     upstream was stopped after {statistics.median(streams) / 1024:.0f} KB of {OFFERED >> 20} MB, "
          f"at most {max(streams) / 1024:.0f} KB")
    return sockets


async def run():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 65536, hard))
    upstream, findings = Upstream(), Findings()
    server, upstream_port = await upstream.start()
    gateway, port, key = start_gateway(upstream_port)
    try:
        await others(port, key, 1)
        alone = await others(port, key, 2)
        print(f"     alone: {alone[0]} requests, p50 {alone[2]:.1f} ms, p99 {alone[3]:.1f} ms")

        sockets = await readers(findings, gateway, port, key, upstream)
        beside = await others(port, key, 2)
        findings.check(beside[1] == 0 and beside[2] <= 3 * alone[2] + 5,
                       f"beside them: {beside[0]} requests, {beside[1]} failed, p50 {beside[2]:.1f} ms, "
                       f"p99 {beside[3]:.1f} ms")
        peak = rss_kb(gateway.pid)
        await asyncio.sleep(STALL_S + 1)
        await quiet(lambda: upstream.open)
        findings.check(upstream.open == 0, f"{upstream.open} streams are open {STALL_S} s later")
        findings.check(ended(sockets) == COUNT, "all stalled readers were closed")
        for s in sockets:
            s.close()

        sockets = await readers(findings, gateway, port, key, upstream)
        findings.check(rss_kb(gateway.pid) <= peak * 1.5, f"a second thousand needs little more memory: {peak} KB, then "
                       f"{rss_kb(gateway.pid)} KB")
        right = await asyncio.gather(*[slow_reader(s, 2 << 20) for s in sockets[1:40:2]])
        findings.check(all(right), f"{sum(right)} of {len(right)} that go on reading after all get what was sent")
        for s in sockets:
            s.close()
        await quiet(lambda: upstream.open)
        findings.check(upstream.open == 0, f"{upstream.open} streams are open when their readers have left")

        before = rss_kb(gateway.pid)
        sockets = await many(stalled_sender, port, key)
        await asyncio.sleep(0.5)
        grown = (rss_kb(gateway.pid) - before) / COUNT
        findings.check(grown <= SENDER_KB, f"a stalled sender costs {grown:.1f} KB (at most {SENDER_KB})")
        beside = await others(port, key, 2)
        findings.check(beside[1] == 0 and beside[2] <= 3 * alone[2] + 5,
                       f"beside them: {beside[0]} requests, {beside[1]} failed, p50 {beside[2]:.1f} ms, "
                       f"p99 {beside[3]:.1f} ms")
        await asyncio.sleep(max(HEAD_S, BODY_S))
        findings.check(ended(sockets) == COUNT, "all stalled senders were closed")
        for s in sockets:
            s.close()
        await asyncio.sleep(0.5)
        print("     records:", outcomes())
    finally:
        gateway.terminate()
        try:
            status = gateway.wait(10)
        except subprocess.TimeoutExpired:
            gateway.kill()
            status = "none: it had to be killed"
        server.close()
    findings.check(status == 0, f"the gateway ended with status {status}")
    return 1 if findings.count else 0


def main():
    if not os.access(BIN, os.X_OK):
        print("skipped: there is no", BIN)
        sys.exit(77)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(asyncio.run(run()))


main()
