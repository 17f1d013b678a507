#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""WebSocket sessions: frames pass untouched both ways, usage is read beside them, ends are told truly."""

import base64
import hashlib
import json
import os
import random
import socket
import struct
import sys
import threading
import time
import zlib
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, PROVIDER_KEY, Gateway, Upstream, check, completion, equal, run, wait_until

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = base64.b64encode(bytes(range(16))).decode()


def frame(payload, opcode=TEXT, final=True, mask=None, compressed=False):
    if isinstance(payload, (dict, list)):
        payload = json.dumps(payload).encode()
    head = bytes([(0x80 if final else 0) | (0x40 if compressed else 0) | opcode])
    n, bit = len(payload), 0x80 if mask else 0
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if mask:
        key = (mask * (n // 4 + 1))[:n]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big")
    return head + (mask or b"") + payload


def read_head(s):
    got = b""
    while b"\r\n\r\n" not in got:
        more = s.recv(65536)
        if not more:
            raise OSError(f"the connection ended in the head: {got!r}")
        got += more
    head, rest = got.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    return lines[0], {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}, rest


def receive(s, n, so_far=b""):
    while len(so_far) < n:
        more = s.recv(1 << 20)
        if not more:
            raise OSError(f"the connection ended after {len(so_far)} of {n} bytes")
        so_far += more
    return so_far


def count_until(s, n, so_far=b""):
    """Receives n bytes and forgets them."""
    found = len(so_far)
    while found < n:
        more = s.recv(1 << 20)
        if not more:
            raise OSError(f"the connection ended after {found} of {n} bytes")
        found += len(more)
    return found


def at_end(s):
    """Everything up to the end of the connection, and whether that was an orderly one."""
    got = b""
    try:
        while more := s.recv(1 << 20):
            got += more
        return got, True
    except ConnectionResetError:
        return got, False


class Sessions(Upstream):
    """Answers the handshake and calls talk(socket, first bytes, fields)."""

    def __init__(self, talk, fields="", answer=None):
        self.talk, self.fields, self.answer, self.heads, self.errors = talk, fields, answer, [], []
        super().__init__(None)

    def _serve(self, connection):
        try:
            line, fields, rest = read_head(connection)
            self.heads.append((line, fields))
            if self.answer:
                connection.sendall(self.answer)
            else:
                accept = base64.b64encode(hashlib.sha1((fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
                connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
                                   f"x-request-id: req_ws\r\n{self.fields}\r\n".encode())
            self.talk(connection, rest, fields)
        except Exception as error:  # told to the test, which looks at it
            self.errors.append(error)
        finally:
            connection.close()


def open_session(g, path="/v1/realtime?model=gpt-realtime", fields=f"Authorization: Bearer {ADMIN_KEY}\r\n", more=b"", receive_buffer=None):
    s = g.socket(receive_buffer=receive_buffer)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              f"Sec-WebSocket-Key: {KEY}\r\n{fields}\r\n".encode() + more)
    line, head, rest = read_head(s)
    return s, line, head, rest


def opened(g, **kw):
    s, line, head, rest = open_session(g, **kw)
    equal(line, "HTTP/1.1 101 Switching Protocols", "the handshake")
    return s, rest


def echo(s, rest, _):
    s.sendall(rest)
    while more := s.recv(65536):
        s.sendall(more)


def say_goodbye(s, rest, _):
    """Waits for the client's close frame and answers it, as servers do."""
    while rest[-8:] != frame(b"\x03\xe8", CLOSE, mask=b"abcd"):
        more = s.recv(65536)
        if not more:
            return
        rest += more
    s.sendall(frame(b"\x03\xe8", CLOSE))


def handshakes_carry_no_client_credentials():
    up = Sessions(lambda s, rest, fields: None, fields="Sec-WebSocket-Protocol: realtime\r\n")
    with Gateway(up.url) as g:
        key = g.key("browser")
        for fields in (f"Authorization: Bearer {key}\r\n", f"api-key: {key}\r\n",
                       f"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{key}, openai-beta.realtime-v1\r\n",
                       f"Sec-WebSocket-Protocol: realtime,openai-insecure-api-key.{key}\r\nSec-WebSocket-Protocol: openai-beta.realtime-v1\r\n"):
            _, line, head, _ = open_session(g, fields=fields + "X-Custom: kept\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
            equal(line, "HTTP/1.1 101 Switching Protocols", fields)
            equal(head["sec-websocket-accept"], base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode(), "the accept key")
            equal((head["upgrade"].lower(), head["connection"].lower(), head["sec-websocket-protocol"]), ("websocket", "upgrade", "realtime"), "the head")
            check(head["x-tollgate-request-id"].startswith("tgr_") and "content-length" not in head and "transfer-encoding" not in head, f"{head}")
            request, sent = up.heads[-1]
            equal(request, "GET /v1/realtime?model=gpt-realtime HTTP/1.1", "the request line")
            equal(sent["authorization"], "Bearer " + PROVIDER_KEY, "the provider's key")
            equal((sent["sec-websocket-key"], sent["sec-websocket-version"], sent["upgrade"], sent["connection"], sent["x-custom"]),
                  (KEY, "13", "websocket", "Upgrade", "kept"), "the handshake upstream")
            equal(sent["sec-websocket-extensions"], "permessage-deflate; client_max_window_bits", "extensions")
            check(key not in repr(sent) and "insecure" not in repr(sent), f"the client's key went upstream: {sent}")
            if "realtime" in fields:
                check(sent["sec-websocket-protocol"] in ("realtime, openai-beta.realtime-v1", "openai-beta.realtime-v1"), f"{sent}")
        _, line, _, _ = open_session(g, fields="")
        equal(line, "HTTP/1.1 401 Unauthorized", "without a key")
        _, line, _, _ = open_session(g, fields="Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.tg-wrong\r\n")
        equal(line, "HTTP/1.1 401 Unauthorized", "with a wrong key")


def random_frames(rnd, from_client):
    """A stream of valid frames: messages in fragments, control frames between them, all lengths."""
    out = b""
    for _ in range(rnd.randrange(5, 30)):
        opcode = rnd.choice((TEXT, BINARY))
        parts = [bytes(rnd.choices(b"abc{}\"", k=rnd.choice((0, 1, 125, 126, 1000, 65535, 65536)))) for _ in range(rnd.choice((1, 1, 2, 4)))]
        for i, part in enumerate(parts):
            mask = rnd.randbytes(4) if from_client else None
            out += frame(part, opcode if i == 0 else 0, i == len(parts) - 1, mask)
            if rnd.random() < 0.3:
                out += frame(rnd.randbytes(rnd.randrange(126)), rnd.choice((PING, PONG)), True, rnd.randbytes(4) if from_client else None)
    return out


def frames_pass_byte_for_byte_both_ways():
    with Gateway() as g:
        for seed in range(20):
            rnd = random.Random(seed)
            down, up_bytes, got = random_frames(rnd, False), random_frames(rnd, True), {}

            def talk(s, rest, _):
                def send():
                    left = down
                    while left:
                        n = rnd.choice((1, 7, 1000, 70000))
                        s.sendall(left[:n])
                        left = left[n:]
                sender = threading.Thread(target=send)
                sender.start()
                got["up"] = receive(s, len(up_bytes), rest)
                sender.join()
                s.sendall(frame(b"\x03\xe8", CLOSE))

            up = Sessions(talk)
            g.connect(up.url)
            s, rest = opened(g)
            threading.Thread(target=s.sendall, args=(up_bytes,)).start()
            received, orderly = at_end(s)
            s.close()
            equal(hashlib.sha256(rest + received).hexdigest(), hashlib.sha256(down + frame(b"\x03\xe8", CLOSE)).hexdigest(), f"downstream, seed {seed}, {up.errors}")
            check(orderly, "an orderly end")
            equal(got.get("up") == up_bytes, True, f"upstream, seed {seed}, {up.errors}")
            up.close()
        rows = wait_until("rows", 5, lambda: len(r := g.rows(100)) == 20 and r)
        equal({(r["outcome"], r["status"], r["upstream_status"], r["upstream_request_id"]) for r in rows}, {("completed", 101, 101, "req_ws")}, "the rows")
        equal((rows[0]["request_bytes"], rows[0]["response_bytes"]), (len(up_bytes), len(down) + 4), "sizes in the row")


def frames_sent_with_the_handshake_are_not_lost():
    first = frame({"type": "session.update"}, mask=b"abcd")
    up = Sessions(lambda s, rest, _: s.sendall(receive(s, len(first), rest) + frame(b"", CLOSE)))
    with Gateway(up.url) as g:
        s, rest = opened(g, more=first)
        equal(rest + at_end(s)[0], first + frame(b"", CLOSE), "what came back")


def done(i, **usage):
    return {"type": "response.done", "event_id": f"e{i}", "response": {"id": f"resp_{i}", "status": "completed", "usage": usage}}


USAGE = [{"total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
          "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64, "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0}},
          "output_token_details": {"text_tokens": 30, "audio_tokens": 91}},
         {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10, "input_token_details": {"text_tokens": 20, "audio_tokens": 0, "cached_tokens": 0},
          "output_token_details": {"text_tokens": 10, "audio_tokens": 0}}]
SESSION = [{"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime-2025-08-28"}},
           {"type": "session.updated", "session": {"id": "sess_1", "model": "gpt-realtime-2025-08-28", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}},
           done(1, **USAGE[0]),
           {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i1", "transcript": "hello", "usage": {"type": "duration", "seconds": 3}},
           {"type": "response.output_text.delta", "delta": "not usage: {\"usage\":{\"input_tokens\":5}}"},
           done(2, **USAGE[1]),
           {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i2", "transcript": "again", "usage": {"type": "duration", "seconds": 4}}]
# gpt-realtime: text 4 in, 0.4 cached, 16 out; audio 32 in, 64 out; whisper-1: 0.006 a minute.
COST = (Decimal(119 - 64 + 20) * 4 + Decimal(64) * Decimal("0.4") + 13 * 32 + (30 + 10) * 16 + 91 * 64) / 1_000_000
TRANSCRIPTION_COST = Decimal("0.006") * 7 / 60


def check_session_rows(g, what):
    rows = wait_until(f"{what}: two rows", 5, lambda: len(r := g.rows(10)) == 2 and r)
    main, side = sorted(rows, key=lambda r: r["attempt"])
    equal((main["operation"], main["attempt"], main["id"], main["model_asked"], main["model_answered"], main["outcome"]),
          ("realtime", 0, main["request_id"], "gpt-realtime", "gpt-realtime-2025-08-28", "completed"), f"{what}: the session")
    equal(main["usage"]["meters"], {"input": 119 - 64 + 20, "cached_input": 64, "output": 40, "audio_input": 13, "audio_output": 91}, f"{what}: usage adds up")
    equal((main["usage"]["input_tokens"], main["usage"]["output_tokens"], Decimal(main["cost_usd"])), (152, 131, COST), f"{what}: cost")
    equal((side["operation"], side["attempt"], side["request_id"], side["model_asked"], side["outcome"], side["status"]),
          ("realtime.transcription", 1, main["id"], "whisper-1", "completed", 101), f"{what}: the transcription")
    equal((side["usage"]["meters"], Decimal(side["cost_usd"])), ({"audio_ms": 7000}, TRANSCRIPTION_COST), f"{what}: its usage and cost")
    equal(len(g.rows(10, request_id=main["id"])), 2, f"{what}: one request")
    total = json.loads(g.get("/tollgate/v1/cost?group_by=operation")[2], parse_float=Decimal)["total"]
    equal((total["requests"], total["attempts"], total["cost_usd"]), (1, 2, COST + TRANSCRIPTION_COST), f"{what}: the report")


def usage_of_a_session_adds_up():
    wire = b"".join(frame(e) for e in SESSION) + frame(b"\x03\xe8", CLOSE)

    def split(s, rest, _):
        for i in range(0, len(wire), 11):
            s.sendall(wire[i:i + 11])

    with Gateway(Sessions(split).url) as g:
        s, rest = opened(g)
        equal(rest + at_end(s)[0], wire, "the client's view")
        check_session_rows(g, "split")


def usage_is_read_from_fragments():
    def talk(s, rest, _):
        for event in SESSION:
            text = json.dumps(event).encode()
            third = len(text) // 3
            s.sendall(frame(text[:third], TEXT, False) + frame(b"are you there", PING) + frame(text[third:2 * third], 0, False) + frame(text[2 * third:], 0))
        s.sendall(frame(b"", CLOSE))

    with Gateway(Sessions(talk).url) as g:
        s, _ = opened(g)
        at_end(s)
        check_session_rows(g, "fragments")


def usage_is_read_from_compressed_messages():
    for extension, fresh in (("permessage-deflate", False), ("permessage-deflate; server_no_context_takeover", True)):
        def talk(s, rest, _):
            deflate = zlib.compressobj(wbits=-15)
            for event in SESSION:
                if fresh:
                    deflate = zlib.compressobj(wbits=-15)
                data = deflate.compress(json.dumps(event).encode()) + deflate.flush(zlib.Z_SYNC_FLUSH)
                equal(data[-4:], b"\0\0\xff\xff", "deflate")
                s.sendall(frame(data[:-4], compressed=True))
            s.sendall(frame(b"", CLOSE))

        with Gateway(Sessions(talk, fields=f"Sec-WebSocket-Extensions: {extension}\r\n").url) as g:
            s, _ = opened(g, fields=f"Authorization: Bearer {ADMIN_KEY}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n")
            at_end(s)
            check_session_rows(g, extension)


def a_session_without_usage_costs_nothing():
    with Gateway(Sessions(say_goodbye).url) as g:
        s, _ = opened(g)
        s.sendall(frame(b"\x03\xe8", CLOSE, mask=b"abcd"))
        equal(at_end(s), (frame(b"\x03\xe8", CLOSE), True), "the goodbye")
        row = wait_until("a row", 5, lambda: g.rows(10))
        equal([(r["outcome"], r["cost_state"], r["usage"]["source"]) for r in row], [("completed", "none", "none")], "the row")


def abrupt_ends_are_told():
    state = {}

    def until_end(s, rest, _):
        s.sendall(frame(SESSION[0]) + frame(SESSION[2]))
        try:
            while s.recv(65536):
                pass
        except OSError:
            pass
        state["ended"] = time.monotonic()

    def drop(s, rest, _):
        s.sendall(frame(SESSION[0]) + frame(SESSION[2]))
        receive(s, 1)
        if state["how"] == "RST":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    seen = frame(SESSION[0]) + frame(SESSION[2])
    with Gateway(Sessions(until_end).url) as g:
        for how in ("FIN", "RST"):
            state.clear()
            s, rest = opened(g)
            receive(s, len(seen), rest)
            if how == "RST":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.close()
            left = time.monotonic()
            wait_until("upstream sees the end", 5, lambda: "ended" in state)
            check(state["ended"] - left < 1, "at once")
        equal([(r["outcome"], r["status"], r["usage"]["source"], r["cost_state"]) for r in g.rows(10)], [("client_cancelled", 101, "reported", "priced")] * 2, "the rows")
        equal(g.metrics()["tollgate_client_cancelled_total"], 2, "counted")
        g.connect(Sessions(drop).url)
        for how in ("FIN", "RST"):
            state["how"] = how
            s, rest = opened(g)
            got = receive(s, len(seen), rest)
            s.sendall(b"\x81")
            equal(got + at_end(s)[0], seen, "what came before")
        rows = wait_until("rows", 5, lambda: len(r := g.rows(10)) == 4 and r)[:2]
        equal([(r["outcome"], r["error"], r["usage"]["source"]) for r in rows], [("upstream_aborted", "upstream_closed", "reported")] * 2, "the rows")
        wait_until("nothing is under way", 5, lambda: g.metrics()["tollgate_requests_in_flight"] == 0)


def refused_handshakes_reach_the_client():
    body = b'{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"bad"}}'
    up = Sessions(lambda *_: None, answer=b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    with Gateway(up.url) as g:
        s, line, head, rest = open_session(g)
        equal((line, receive(s, len(body), rest)), ("HTTP/1.1 403 Forbidden", body), "upstream's refusal")
        row = g.rows(1)[0]
        equal((row["outcome"], row["status"], row["cost_state"]), ("upstream_error", 403, "none"), "the row")


def nobody_is_upgraded_without_asking():
    up = Sessions(lambda *_: None, answer=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    with Gateway(up.url) as g:
        equal(g.get("/v1/models")[0], 502, "a 101 that nobody asked for")
        _, line, _, _ = open_session(g, path="/v1/models")
        equal(line, "HTTP/1.1 502 Bad Gateway", "an upgrade where there is none")
        check("upgrade" not in up.heads[-1][1] and "sec-websocket-protocol" not in up.heads[-1][1], "the wish goes no further")

    def plain(request):
        check("upgrade" not in request.headers, "no upgrade goes upstream")
        request.answer(completion())

    up = Upstream(plain)
    with Gateway(up.url) as g:
        s = g.socket()
        s.sendall(f"POST /v1/realtime HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode())
        check(s.recv(100).startswith(b"HTTP/1.1 200 "), "an upgrade is a GET without a body")


def resident_kb(g):
    return int(open(f"/proc/{g.process.pid}/statm").read().split()[1]) * 4


def slow_ends_are_waited_for():
    piece, count = frame(b"x" * 60_000, BINARY), 2000
    state = {}

    def flood(s, rest, _):
        state["sent"] = 0
        for _ in range(count):
            s.sendall(piece)
            state["sent"] += 1
        s.sendall(frame(b"", CLOSE))

    def lazy(s, rest, _):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        time.sleep(1.5)
        state["got"] = count_until(s, count * len(masked), rest)
        s.sendall(frame(b"", CLOSE))

    with Gateway(Sessions(flood).url) as g:
        s, rest = opened(g, receive_buffer=65536)
        before = resident_kb(g)
        time.sleep(1.5)
        check(state["sent"] < count / 4, f"upstream was stopped after {state['sent']} frames")
        check(resident_kb(g) - before < 60_000, f"{resident_kb(g) - before} KB more while the client is slow")
        equal((count_until(s, count * len(piece) + 2, rest), at_end(s)), (count * len(piece) + 2, (b"", True)), "everything came")
        masked = frame(b"x" * 60_000, BINARY, mask=b"abcd")
        g.connect(Sessions(lazy).url)
        s, _ = opened(g)
        sent = threading.Thread(target=lambda: [s.sendall(masked) for _ in range(count)])
        sent.start()
        time.sleep(1)
        check(resident_kb(g) - before < 60_000, f"{resident_kb(g) - before} KB more while upstream is slow")
        sent.join(30)
        equal((at_end(s)[0], state["got"]), (frame(b"", CLOSE), count * len(masked)), "everything arrived")


def a_client_that_reads_nothing_is_let_go():
    def flood(s, rest, _):
        while True:
            s.sendall(frame(b"x" * 60_000, BINARY))

    up = Sessions(flood)
    with Gateway(up.url, args=["--client-stall-timeout", "500ms"]) as g:
        s, _ = opened(g, receive_buffer=4096)
        row = wait_until("a row", 10, lambda: g.rows(1))[0]
        equal((row["outcome"], row["error"]), ("client_stalled", "client_stalled"), "the row")
        wait_until("upstream is let go", 2, lambda: up.errors)
        s.close()


def timers_of(*ports):
    """Timers of this machine's TCP connections between two ports: 2 is one that probes the peer."""
    found = []
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        fields = line.split()
        if [int(address.split(":")[1], 16) for address in fields[1:3]] == list(ports) and fields[3] == "01":
            found.append(int(fields[5].split(":")[0]))
    return found


def silent_peers_are_probed():
    up = Sessions(echo)
    with Gateway(up.url) as g:
        s, _ = opened(g)
        message = frame(b"hello", mask=b"abcd")
        s.sendall(message)
        equal(receive(s, len(message)), message, "an echo")
        time.sleep(0.5)  # until nothing is unacknowledged
        equal(timers_of(g.port, s.getsockname()[1]), [2], "towards the client")
        upstream = [line.split()[1:3] for line in open("/proc/net/tcp").read().splitlines()[1:] if line.split()[2].endswith(f":{up.port:04X}") and line.split()[3] == "01"]
        equal([timers_of(int(local.split(":")[1], 16), up.port) for local, _ in upstream], [[2]], "towards upstream")
        s.close()


def sessions_end_with_the_gateway():
    up = Sessions(echo)
    with Gateway(up.url, args=["--drain-timeout", "200ms"]) as g:
        s, _ = opened(g)
        message = frame(b"hello", mask=b"abcd")
        s.sendall(message)
        equal(receive(s, len(message)), message, "an echo")
        equal(g.stop(), 0, "exit status")
        equal(at_end(s)[0], b"", "the end")
        g.start()
        row = g.rows(1)[0]
        equal((row["outcome"], row["status"]), ("interrupted", 101), "the row")


run(handshakes_carry_no_client_credentials, frames_pass_byte_for_byte_both_ways, frames_sent_with_the_handshake_are_not_lost,
    usage_of_a_session_adds_up, usage_is_read_from_fragments, usage_is_read_from_compressed_messages, a_session_without_usage_costs_nothing,
    abrupt_ends_are_told, refused_handshakes_reach_the_client, nobody_is_upgraded_without_asking, slow_ends_are_waited_for,
    a_client_that_reads_nothing_is_let_go, silent_peers_are_probed, sessions_end_with_the_gateway)
