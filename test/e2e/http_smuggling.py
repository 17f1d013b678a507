#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
No two readings of one request. Each case of test/golden/smuggling/cases.txt is sent to the gateway, to
Node's HTTP parser (llhttp, strict) and to nginx, and then:

1. the gateway answers as the case says, in one piece and in two;
2. what the gateway served, Node and nginx read in the same way, or refuse: method, target, fields, body;
3. behind the gateway Node reads exactly the requests that were answered 200 and recorded, nginx reads the
   same from the same bytes, and a plain strict reader finds one framing in each of them.

Without nginx its parts are left out, and the last line says so.
"""

import asyncio
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(os.environ.get("TOLLGATE_ROOT", pathlib.Path(__file__).resolve().parent.parent.parent))
BIN = os.environ.get("TOLLGATE_BIN", str(ROOT / "build/tollgate"))
TMP = pathlib.Path(os.environ.get("TMPDIR", "/tmp"))
CASES = ROOT / "test/golden/smuggling/cases.txt"
AT_A_TIME = 32
PATIENCE_S = 10.0

Case = collections.namedtuple("Case", "name answers raw")
Answer = collections.namedtuple("Answer", "status fields body")


# --- cases -------------------------------------------------------------------------------------

ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "s": b" ", "0": b"\0", "\\": b"\\", "~": b"~"}


def unescape(text):
    out, i = bytearray(), 0
    while i < len(text):
        c = text[i]
        if c == "~":
            out += b"\r\n"
        elif c == "\\" and text[i + 1] == "x":
            out.append(int(text[i + 2:i + 4], 16))
            i += 3
        elif c == "\\":
            out += ESCAPES[text[i + 1]]
            i += 1
        else:
            out += c.encode()
        i += 1
    return bytes(out)


def read_cases(key):
    cases = []
    for line in CASES.read_text().split("\n"):
        if not line or line.startswith("#"):
            continue
        name, answers, raw = line.split(" ", 2)
        raw = raw.replace("$H", "Host: h.example~$A").replace("$A", f"Authorization: Bearer {key}~")
        raw = raw.replace("$P", f"/v1/s/{name}/t")
        raw = re.sub(r"\{\*(\d+) ([^}]*)\}", lambda m: m[2] * int(m[1]), raw)
        cases.append(Case(name, answers.split(","), unescape(raw)))
    return cases


def case_of(url):
    m = re.match(r"(?:[a-zA-Z]+://[^/]*)?/v1/s/([^/]+)/t", url)
    return m[1] if m else None


# --- the client's side -------------------------------------------------------------------------

class Broken(Exception):
    pass


async def read_answer(reader):
    """The next final answer; None at an end in order."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            if e.partial:
                raise Broken(f"half an answer: {e.partial[:200]!r}") from None
            return None
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        if status >= 200:
            break
    fields = dict(f.lower().split(": ", 1) if ": " in f else (f.lower().rstrip(":"), "") for f in lines[1:] if f)
    if "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    elif "chunked" in fields.get("transfer-encoding", ""):
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = b"" if status in (204, 304) else await reader.read()
    return Answer(status, fields, body)


async def read_any(reader):
    return await reader.read(65536) or None


async def send(port, pieces, wanted, quiet_s, read=read_answer):
    """
    Sends the pieces and returns the answers. `wanted` many are waited for, then only as long as the
    connection does not stay quiet for `quiet_s`.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    answers = []
    try:
        for i, piece in enumerate(pieces):
            if i:
                await asyncio.sleep(0.003)
            writer.write(piece)
            await writer.drain()
        while True:
            limit = PATIENCE_S if len(answers) < wanted else quiet_s
            answer = await asyncio.wait_for(read(reader), limit)
            if answer is None:
                break
            answers.append(answer)
    except (asyncio.TimeoutError, ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.transport.abort()
    return answers


async def send_all(cases, port, gateway, halves=False):
    gate = asyncio.Semaphore(AT_A_TIME if gateway else 2 * AT_A_TIME)

    async def one(case):
        wanted = sum(a != "-" for a in case.answers) if gateway else 0
        cut = len(case.raw) // 2
        pieces = [case.raw[:cut], case.raw[cut:]] if halves else [case.raw]
        async with gate:
            return await (send(port, pieces, wanted, 0.03) if gateway else send(port, pieces, 0, 0.5, read_any))
    return dict(zip([c.name for c in cases], await asyncio.gather(*map(one, cases))))


# --- between gateway and origin ----------------------------------------------------------------

class Tee:
    """Passes the gateway's connections on to an origin and keeps the bytes of each."""

    def __init__(self, origin):
        self.origin, self.streams, self.server = origin, [], None

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        kept = bytearray()
        self.streams.append(kept)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.origin)

        async def pump(source, sink, keep):
            try:
                while data := await source.read(65536):
                    if keep is not None:
                        keep += data
                    sink.write(data)
                    await sink.drain()
            except ConnectionError:
                pass
            sink.close()
        try:
            await asyncio.gather(pump(reader, up_writer, kept), pump(up_reader, writer, None))
        except asyncio.CancelledError:
            pass  # the end of the test


def strict_requests(stream):
    """
    The requests of a connection, by a reader that knows one spelling only, each with where it ends. An
    unfinished last one is left out.
    """
    found, at = [], 0
    while at < len(stream):
        end = stream.find(b"\r\n\r\n", at)
        if end < 0:
            break
        lines = stream[at:end].split(b"\r\n")
        first = re.fullmatch(rb"([!-~]+) (/[!-~]*|\*) HTTP/1\.1", lines[0])
        if not first:
            raise Broken(f"forwarded request line {lines[0]!r}")
        lengths, codings, hosts = [], [], 0
        for line in lines[1:]:
            field = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t -~\x80-\xff]*)", line)
            if not field:
                raise Broken(f"forwarded line {line!r}")
            name = field[1].lower().replace(b"_", b"-")
            lengths += [field[2]] * (name == b"content-length")
            codings += [field[2]] * (name == b"transfer-encoding")
            hosts += name == b"host"
        if len(lengths) + len(codings) > 1 or codings not in ([], [b"chunked"]) or hosts != 1:
            raise Broken(f"forwarded framing {lines!r}")
        at, body = end + 4, b""
        if lengths:
            if not re.fullmatch(rb"0|[1-9][0-9]*", lengths[0]):
                raise Broken(f"forwarded length {lengths[0]!r}")
            body = stream[at:at + int(lengths[0])]
            at += int(lengths[0])
        elif codings:
            body, at = strict_chunks(stream, at)
        if body is None or at > len(stream):
            break
        found.append((first[1].decode(), first[2].decode(), bytes(body).hex(), at))
    return found


def strict_chunks(stream, at):
    body = b""
    while True:
        line = re.compile(rb"([0-9a-f]+)\r\n").match(stream, at)
        if not line:
            if len(stream) - at > 20:
                raise Broken(f"forwarded chunk {bytes(stream[at:at + 20])!r}")
            return None, len(stream)
        at, size = line.end(), int(line[1], 16)
        body += stream[at:at + size]
        if len(stream) < at + size + 2:
            return None, len(stream)
        if stream[at + size:at + size + 2] != b"\r\n":
            raise Broken("forwarded chunk without its end")
        at += size + 2
        if not size:
            return body, at


async def replay(streams, port):
    """
    The same bytes again, to another server. What that one refuses closes the connection; then the rest
    goes on a new one. Returns the requests that were refused.
    """
    async def one(stream):
        requests, refused, done = strict_requests(stream), [], 0
        while done < len(requests):
            begin = requests[done - 1][3] if done else 0
            answers = await send(port, [bytes(stream[begin:])], len(requests) - done, 0)
            if not answers:
                raise Broken(f"no answer to {requests[done]}")
            refused += [r[:3] for r, a in zip(requests[done:], answers) if a.status != 200]
            done += len(answers)
        return refused
    return [r for found in await asyncio.gather(*[one(s) for s in streams if s]) for r in found]


# --- processes ---------------------------------------------------------------------------------

class Processes:
    def __init__(self):
        self.running = []

    def start(self, command, **more):
        child = subprocess.Popen(command, **more)
        self.running.append(child)
        return child

    def stop(self):
        for child in reversed(self.running):
            child.terminate()
        for child in reversed(self.running):
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def wait_for(what, probe):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            if result := probe():
                return result
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"{what} did not start")


def start_nginx(processes, command, upstreams):
    """A front for each upstream port; returns their ports."""
    folder = TMP / "nginx"
    folder.mkdir(exist_ok=True)
    ports = free_ports(len(upstreams))
    servers = "".join(f"""
        server {{
            listen 127.0.0.1:{port};
            location / {{
                proxy_pass http://127.0.0.1:{upstream};
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_set_header Host $http_host;
            }}
        }}""" for port, upstream in zip(ports, upstreams))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "conf").write_text(f"""
    daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
    events {{ worker_connections 1024; }}
    http {{
        access_log off; client_max_body_size 0; keepalive_requests 1000000; large_client_header_buffers 8 96k;
        {" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)} {servers}
    }}""")
    processes.start([command, "-p", str(folder), "-c", str(folder / "conf"), "-e", str(folder / "error.log")])
    wait_for("nginx", lambda: socket_open(ports[-1]))
    return ports


def free_ports(count):
    import socket
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def socket_open(port):
    import socket
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


def start_gateway(processes, upstream):
    """Returns its port and a key."""
    data, log = TMP / "data", TMP / "gateway.log"
    with open(log, "wb") as out:
        processes.start([BIN, "serve", "--listen", "127.0.0.1:0", "--data", str(data), "--allow-upstream",
                         "127.0.0.0/8"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    port = wait_for("the gateway", lambda: re.search(r"^gateway +http://127\.0\.0\.1:(\d+)", log.read_text(), re.M))[1]
    os.environ["TOLLGATE_URL"] = f"http://127.0.0.1:{port}"
    os.environ["TOLLGATE_KEY"] = wait_for("the gateway", (data / "admin.key").read_text).strip()
    subprocess.run([BIN, "connect", "openai", "--slug", "openai", "--api-key-env", "UPSTREAM_KEY", "--base-url",
                    f"http://127.0.0.1:{upstream}/v1"], env=dict(os.environ, UPSTREAM_KEY="sk-upstream"), check=True,
                   stdout=subprocess.DEVNULL)
    key = subprocess.run([BIN, "key", "create", "--name", "smuggler"], check=True, stdout=subprocess.PIPE, text=True)
    return int(port), key.stdout.strip()


def records():
    out = subprocess.run([BIN, "logs", "--json", "--limit", "10000"], check=True, stdout=subprocess.PIPE, text=True)
    return {r["request_id"]: r for r in map(json.loads, out.stdout.splitlines())}


def seen_by_node(control, forget=False):
    request = urllib.request.Request(f"http://127.0.0.1:{control}/", method="POST" if forget else "GET")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


# --- comparing ---------------------------------------------------------------------------------

def fields_of(request):
    """Fields that a gateway has no business to change, without those that Connection names."""
    pairs = list(zip(request["headers"][::2], request["headers"][1::2]))
    named = {t.strip().lower() for n, v in pairs if n.lower() == "connection" for t in v.split(",")}
    # nginx passes no names but of letters, digits and '-'.
    return [(n.lower(), v) for n, v in pairs
            if re.fullmatch(r"content-type|x-c-[a-z0-9-]*", n.lower()) and n.lower() not in named]


def meaning(request):
    url = re.sub(r"^[a-zA-Z]+://[^/]*", "", request["url"])
    return request["method"], url, request["body"], fields_of(request)


def without_hops(meant, forwarded):
    """nginx removes no fields that Connection names: compare what the gateway left."""
    kept = [f for f in meant[3] if f in forwarded[3]]
    return (*meant[:3], kept)


def by_case(requests, cases):
    found, strangers = collections.defaultdict(list), []
    names = {c.name for c in cases}
    for r in requests:
        name = case_of(r["url"])
        if name in names and "smuggled" not in r["url"]:
            found[name].append(r)
        else:
            strangers.append(r)
    return found, strangers


class Findings:
    def __init__(self):
        self.lines = []

    def check(self, ok, *words):
        if not ok:
            self.lines.append(" ".join(map(str, words)))
        return ok


def check_answers(findings, cases, got, how):
    for case in cases:
        wanted = [a for a in case.answers if a != "-"]
        statuses = [str(a.status) for a in got[case.name]]
        findings.check(statuses == wanted, f"{case.name} ({how}): answered {statuses}, not {case.answers}")


def check_forwards(findings, cases, got, forwarded, recorded):
    """What the origin read is what was answered 200 and recorded."""
    for case in cases:
        served = [a for a in got[case.name] if a.status == 200]
        origin = forwarded[case.name]
        if not findings.check(len(served) == len(origin),
                              f"{case.name}: {len(served)} served, {len(origin)} at the origin"):
            continue
        wanted = collections.Counter()
        for a in served:
            r = recorded.get(a.fields.get("x-tollgate-request-id"))
            if findings.check(r, f"{case.name}: an answer without a record"):
                wanted[(r["method"], r["path"][:500], r["request_bytes"])] += 1
        seen = collections.Counter((r["method"], r["url"].split("?")[0][:500], len(r["body"]) // 2) for r in origin)
        findings.check(wanted == seen, f"{case.name}: recorded {wanted}, origin {seen}")


def check_readings(findings, cases, got, forwarded, readings, reader):
    """How another server reads what the gateway served. Returns (same, refused there)."""
    same = refused = 0
    for case in cases:
        places = [i for i, a in enumerate(got[case.name]) if a.status == 200]
        for i, mine in zip(places, forwarded[case.name]):
            theirs = readings[case.name]
            if i >= len(theirs):
                refused += 1
                continue
            ours, other = meaning(mine), meaning(theirs[i])
            if reader == "nginx":
                other = without_hops(other, ours)
            same += findings.check(ours == other, f"{case.name}: {reader} reads {other}, forwarded was {ours}")
    return same, refused


async def run(processes):
    node = shutil.which("node")
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not node or not os.access(BIN, os.X_OK):
        print("skipped: needs node and", BIN)
        return 77
    recorder = processes.start([node, str(ROOT / "test/e2e/http_recorder.mjs"), "origin", "node", "nginx", "replay"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ports = json.loads(recorder.stdout.readline())
    tee = Tee(ports["origin"])
    gateway, key = start_gateway(processes, await tee.start())
    front, again = start_nginx(processes, nginx, [ports["nginx"], ports["replay"]]) if nginx else (0, 0)
    cases = read_cases(key)
    findings = Findings()

    got = await send_all(cases, gateway, True)
    check_answers(findings, cases, got, "whole")
    await send_all(cases, ports["node"], False)
    if nginx:
        await send_all(cases, front, False)
    await asyncio.sleep(0.5)
    seen = seen_by_node(ports["control"], forget=True)
    forwarded, strangers = by_case(seen["origin"], cases)
    findings.check(not strangers, f"requests that nobody sent: {strangers}")
    check_forwards(findings, cases, got, forwarded, records())
    same, stricter = check_readings(findings, cases, got, forwarded, by_case(seen["node"], cases)[0], "node")
    line = f"node read {same} as we did and refused {stricter}"
    if nginx:
        same, stricter = check_readings(findings, cases, got, forwarded, by_case(seen["nginx"], cases)[0], "nginx")
        line += f"; nginx read {same} as we did and refused {stricter}"

    strict = sorted(r[:3] for s in tee.streams for r in strict_requests(s))
    whole = sorted((r["method"], r["url"], r["body"]) for r in seen["origin"])
    findings.check(strict == whole, "a strict reader finds other requests")
    if nginx:
        refused = await replay(tee.streams, again)
        await asyncio.sleep(0.3)
        replayed = [(r["method"], r["url"], r["body"]) for r in seen_by_node(ports["control"])["replay"]]
        findings.check(sorted(replayed + refused) == whole, "nginx reads other requests behind the gateway:",
                       collections.Counter(replayed + refused) - collections.Counter(whole))
        line += f", and {len(refused)} of those forwarded"

    check_answers(findings, cases, await send_all(cases, gateway, True, halves=True), "in two pieces")
    for found in findings.lines:
        print(found)
    served = sum(len(f) for f in forwarded.values())
    refused = sum(not forwarded[c.name] for c in cases)
    print(f"{len(cases)} cases: {refused} refused whole, {served} requests forwarded; {line}"
          f"{'' if nginx else '; nginx is not installed, its parts were left out'}; {len(findings.lines)} findings")
    return 1 if findings.lines else 0


def main():
    processes = Processes()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        sys.exit(asyncio.run(run(processes)))
    finally:
        processes.stop()


main()
