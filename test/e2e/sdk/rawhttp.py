# SPDX-License-Identifier: Apache-2.0
"""A small HTTP client that shows the bytes, for tests of what goes wrong on the wire."""

import json
import socket
import time
import urllib.parse

KEY = "sk-test-0123456789abcdef"


class Answer:
    """What came, and how it ended: "end" (in order), "cut" (closed too early), "reset", "silence"."""

    def __init__(self):
        self.raw, self.ended, self.at = b"", "", []

    @property
    def head(self):
        return self.raw.split(b"\r\n\r\n", 1)[0].decode("latin-1")

    @property
    def status(self):
        return int(self.head.split(" ", 2)[1]) if self.raw else 0

    def header(self, name):
        for line in self.head.split("\r\n")[1:]:
            if line.lower().startswith(name.lower() + ":"):
                return line.split(":", 1)[1].strip()
        return None

    @property
    def wire_body(self):
        return self.raw.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in self.raw else b""

    @property
    def body(self):
        """The content, without chunked framing as far as that is whole."""
        if self.header("transfer-encoding") != "chunked":
            return self.wire_body
        out, rest = b"", self.wire_body
        while b"\r\n" in rest:
            size, rest = rest.split(b"\r\n", 1)
            try:
                n = int(size, 16)
            except ValueError:
                break
            out, rest = out + rest[:n], rest[n + 2:]
        return out

    @property
    def json(self):
        return json.loads(self.body)

    def events(self):
        """Payloads of data lines."""
        return [line[5:].strip() for line in self.body.decode().replace("\r\n", "\n").split("\n")
                if line.startswith("data:")]

    def complete(self):
        if b"\r\n\r\n" not in self.raw:
            return False
        length = self.header("content-length")
        if self.header("transfer-encoding") == "chunked":
            return self.wire_body.endswith(b"0\r\n\r\n")
        return length is not None and len(self.wire_body) >= int(length)


def connect(root):
    where = urllib.parse.urlparse(root)
    return socket.create_connection((where.hostname, where.port), timeout=10)


def send(sock, method, path, body=None, headers=None, key=KEY):
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: sim", f"Content-Length: {len(data)}"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if body is not None and "Content-Type" not in (headers or {}):
        lines.append("Content-Type: application/json")
    lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)


def receive(sock, silence_s=1.0):
    """Reads until the answer is complete, the connection ends, or nothing came for a while."""
    answer = Answer()
    sock.settimeout(silence_s)
    try:
        while not answer.complete():
            piece = sock.recv(65536)
            if not piece:
                answer.ended = "end" if answer.complete() else "cut"
                return answer
            answer.raw += piece
            answer.at.append((time.monotonic(), len(piece)))
        answer.ended = "end"
    except ConnectionResetError:
        answer.ended = "reset"
    except TimeoutError:
        answer.ended = "silence"
    return answer


def ask(root, method, path, body=None, headers=None, key=KEY, silence_s=1.0):
    with connect(root) as sock:
        send(sock, method, path, body, headers, key)
        return receive(sock, silence_s)
