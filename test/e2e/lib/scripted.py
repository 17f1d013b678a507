# SPDX-License-Identifier: Apache-2.0
"""
An upstream that plays what a test tells it to, and remembers every request with its raw head and body.

It is OpenAI, Azure, an embedding model, a webhook and a token endpoint at once. What it answers is decided by, in this
order: the path's rule, the model's rule, the default. A rule is a row of answers, one a request; the last one repeats.
An answer is a function of the request; say() and its kin make them. Bodies above KEEP_MAX are counted and hashed, not kept.
"""

import base64
import hashlib
import json
import socket
import struct
import threading
import time

from harness import Upstream, chunk_events, completion

KEEP_MAX = 4 << 20
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


class Seen:
    """One request as it came."""

    def __init__(self, connection, head):
        lines = head.decode("latin-1").split("\r\n")
        self.connection, self.head = connection, head
        self.method, self.target, self.version = lines[0].split(" ")
        self.path, _, self.query = self.target.partition("?")
        self.fields = [tuple(line.split(":", 1)) for line in lines[1:] if line]
        self.headers = {k.lower(): v.strip() for k, v in self.fields}
        self.at = time.time()
        self.closed_at = None
        self.body, self.size, self.hash = b"", 0, hashlib.sha256()
        self.parsed = None

    def take(self, data):
        if self.size + len(data) <= KEEP_MAX:
            self.body += data
        self.size += len(data)
        self.hash.update(data)

    def json(self):
        if self.parsed is None:
            try:
                self.parsed = json.loads(self.body)
            except ValueError:
                self.parsed = {}
        return self.parsed if isinstance(self.parsed, dict) else {}

    @property
    def model(self):
        return self.json().get("model")

    @property
    def credential(self):
        return self.headers.get("authorization") or self.headers.get("api-key")

    def send(self, data):
        self.connection.sendall(data)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "close"


def encoded(body):
    return json.dumps(body, separators=(",", ":")).encode() if isinstance(body, (dict, list)) else body


def say(status=200, body=None, headers=None, delay=0.0, type="application/json", reason="Whatever"):
    """An answer with a body; None is what OpenAI says with that status."""
    if body is None:
        body = error_body(status) if status >= 400 else None

    def answer(request):
        time.sleep(delay)
        data = encoded(completion(model=request.model or "gpt-4o-mini", prompt=11, output=7) if body is None else body)
        lines = "".join(f"{k}: {v}\r\n" for k, v in (headers or {}).items())
        request.send(f"HTTP/1.1 {status} {reason}\r\nContent-Type: {type}\r\nContent-Length: {len(data)}\r\n{lines}\r\n".encode()
                     + data)
        return None
    return answer


def error_body(status, message=None):
    return {"error": {"message": message or f"upstream says {status}", "type": "upstream_error", "param": None, "code": f"c{status}"}}


def events_of(words=("Hel", "lo", "."), usage=True, model=None):
    """A chat stream; the usage chunk is there because the gateway asks for it."""
    events = chunk_events(words=words, usage=USAGE if usage else None, nulls=usage)
    if model is None:
        return events
    return [e.replace(b"gpt-4o-mini-2024-07-18", model.encode()) for e in events]


def stream(events=None, gap=0.0, first=0.0, cut_after=None, reset=False, sent=None):
    """Server-sent events. cut_after: so many events, then the connection ends; sent: list that gets the time of each."""
    def answer(request):
        asked = (request.json().get("stream_options") or {}).get("include_usage")
        rows = events if events is not None else events_of(usage=bool(asked), model=request.model)
        time.sleep(first)
        request.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i, event in enumerate(rows):
            if i:
                time.sleep(gap)
            if i == cut_after:
                return request.reset() if reset else "close"
            if sent is not None:
                sent.append(time.time())
            request.send(b"%x\r\n%s\r\n" % (len(event), event))
        request.send(b"0\r\n\r\n")
        return None
    return answer


def reset():
    """No answer: the connection is reset."""
    return lambda request: request.reset()


def vanish():
    """No answer: the connection is closed."""
    return lambda request: "close"


def cut_body(status=200, size=400, sent=30):
    """A body that ends before its length."""
    def answer(request):
        request.send(f"HTTP/1.1 {status} Cut\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode() + b"{" * sent)
        return "close"
    return answer


def ordinary(request):
    """What an upstream without a rule says: by path."""
    path = request.path
    if path.endswith("/chat/completions") or path.endswith("/completions"):
        if request.json().get("stream"):
            return stream()(request)
        body = completion(model=request.model or "gpt-4o-mini", prompt=11, output=7)
        if not path.endswith("/chat/completions"):
            body = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": request.model, "usage": USAGE,
                    "choices": [{"index": 0, "text": "Hello.", "finish_reason": "stop", "logprobs": None}]}
        return say(body=body)(request)
    return say(body={"object": "echo", "method": request.method, "target": request.target})(request)


class ScriptedUpstream(Upstream):
    """See the top. `default` answers where no rule does."""

    def __init__(self, default=None):
        self.default = default or ordinary
        self.models, self.paths, self.near = {}, {}, {}
        self.open = 0
        super().__init__(self._play)

    def on(self, model, *answers):
        """Answers of a model, in order; the last one repeats. Begins anew."""
        with self.lock:
            self.models[model] = list(answers)

    def on_path(self, path, *answers):
        """Answers of a path (as sent, without query), in order."""
        with self.lock:
            self.paths[path] = list(answers)

    def seen(self, model=None, path=None, trace=None):
        with self.lock:
            return [r for r in self.requests if (model is None or r.model == model) and (path is None or r.path == path)]

    def count(self, model):
        return len(self.seen(model))

    def host(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"

    def _play(self, request):
        with self.lock:
            rule = self.paths.get(request.path) or self.models.get(request.model)
            answer = rule.pop(0) if rule and len(rule) > 1 else rule[0] if rule else self.default
        if not rule and request.path.endswith("/embeddings"):
            answer = self._embed
        return answer(request)

    def _embed(self, request):
        """A text has a direction of its own, or, with near[text] = (other, cosine), one at that angle to another's."""
        asked = request.json()
        texts = asked.get("input") if isinstance(asked.get("input"), list) else [asked.get("input")]
        rows = []
        for i, text in enumerate(texts):
            size = asked.get("dimensions") or 64
            vector = own_direction(str(text), size)
            if text in self.near:
                other, cosine = self.near[text]
                vector = blend(own_direction(other, size), vector, cosine)
            packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
            rows.append({"object": "embedding", "index": i, "embedding": packed if asked.get("encoding_format") == "base64" else vector})
        body = {"object": "list", "data": rows, "model": request.model, "usage": {"prompt_tokens": 5, "total_tokens": 5}}
        return say(body=body)(request)

    def _serve(self, connection):
        buffered = b""
        with self.lock:
            self.open += 1
        request = None
        try:
            while True:
                request, buffered = receive(connection, buffered)
                if request is None:
                    return
                with self.lock:
                    self.requests.append(request)
                if self.handler(request) == "close":
                    return
        except OSError:
            pass
        finally:
            if request is not None:
                request.closed_at = time.time()
            with self.lock:
                self.open -= 1
            connection.close()


def own_direction(text, dimensions):
    """A unit vector that follows from the text; two texts' are nearly at right angles."""
    seed = hashlib.sha256(text.encode()).digest()
    raw = [(hashlib.sha256(seed + bytes([i & 255, i >> 8])).digest()[0] - 127.5) for i in range(dimensions)]
    size = sum(x * x for x in raw) ** 0.5
    return [x / size for x in raw]


def blend(a, b, cosine):
    """A unit vector at that cosine to a, towards b."""
    dot = sum(x * y for x, y in zip(a, b))
    side = [y - dot * x for x, y in zip(a, b)]
    size = sum(x * x for x in side) ** 0.5
    sine = (1 - cosine * cosine) ** 0.5
    return [cosine * x + sine * y / size for x, y in zip(a, side)]


def more(connection):
    data = connection.recv(1 << 18)
    if not data:
        raise OSError("the peer ended in the middle of a request")
    return data


def receive(connection, buffered):
    """(request, what is left); (None, b"") when the peer is done."""
    while b"\r\n\r\n" not in buffered:
        data = connection.recv(1 << 16)
        if not data:
            return None, b""
        buffered += data
    head, rest = buffered.split(b"\r\n\r\n", 1)
    request = Seen(connection, head)
    if request.headers.get("transfer-encoding") == "chunked":
        while True:
            while b"\r\n" not in rest:
                rest += more(connection)
            line, rest = rest.split(b"\r\n", 1)
            left = int(line, 16)
            if left == 0:
                while len(rest) < 2:
                    rest += more(connection)
                return request, rest[2:]
            rest = take(connection, request, left, rest)
            while len(rest) < 2:
                rest += more(connection)
            rest = rest[2:]
    return request, take(connection, request, int(request.headers.get("content-length") or 0), rest)


def take(connection, request, left, rest):
    """Moves `left` bytes of body into the request."""
    while left:
        if not rest:
            rest = more(connection)
        part = rest[:left]
        request.take(part)
        left -= len(part)
        rest = rest[len(part):]
    return rest
