# SPDX-License-Identifier: Apache-2.0
"""
What the end-to-end tests stand on: a gateway process with a data directory of its own, an upstream
whose every byte the test decides, and small checks. Standard library only.
"""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ADMIN_KEY = "tg-admin-key-for-tests-0123456789"
PROVIDER_KEY = "sk-provider-secret-for-tests-0123456789"


def binary(name):
    variable = {"tollgate": "TOLLGATE_BIN", "tollgate-sim": "TOLLGATE_SIM_BIN"}[name]
    path = os.environ.get(variable) or str(pathlib.Path(__file__).resolve().parents[3] / "build" / name)
    if not os.access(path, os.X_OK):
        print(f"{path} is not built")
        sys.exit(1)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, seconds, probe):
    """The first true value of probe(); the test fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Gateway:
    """A running gateway. `args` are further options of serve; `tls` is an SSLContext when it serves TLS."""

    def __init__(self, upstream=None, args=(), data=None, env=None, tls=None, ca_file=None):
        self.dir = data or tempfile.mkdtemp(prefix="tollgate-data-")
        self.args, self.env, self.tls = list(args), dict(env or {}), tls
        self.cli_env = {"SSL_CERT_FILE": ca_file} if ca_file else {}
        self.port = free_port()
        self.process = None
        self.start()
        if upstream:
            self.connect(upstream)

    def start(self):
        env = dict(os.environ, TOLLGATE_ADMIN_KEY=ADMIN_KEY, **self.env)
        self.log = open(os.path.join(self.dir, "serve.log"), "ab") if os.path.isdir(self.dir) else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [binary("tollgate"), "serve", "--listen", f"127.0.0.1:{self.port}", "--data", self.dir,
             "--allow-upstream", "127.0.0.0/8", *os.environ.get("TOLLGATE_TEST_ARGS", "").split(), *self.args], env=env, stdout=self.log, stderr=self.log)
        wait_until("the gateway is ready", 20, self.ready)

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log_text()}")
        try:
            return self.get("/v1/health")[0] == 200
        except OSError:
            return False

    def log_text(self):
        path = os.path.join(self.dir, "serve.log")
        return open(path, errors="replace").read() if os.path.exists(path) else ""

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def cli(self, *args, env=None, check=True):
        full = dict(os.environ, TOLLGATE_URL=self.url, TOLLGATE_KEY=ADMIN_KEY, **self.cli_env, **(env or {}))
        done = subprocess.run([binary("tollgate"), *args], env=full, capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"tollgate {' '.join(args)} gave {done.returncode}: {done.stderr}")
        return done

    def connect(self, base_url, slug="openai"):
        self.cli("connect", "openai", "--slug", slug, "--api-key-env", "PROVIDER_KEY", "--base-url", base_url,
                 env={"PROVIDER_KEY": PROVIDER_KEY})

    def key(self, name):
        return self.cli("key", "create", "--name", name).stdout.strip()

    def connection(self, timeout=30):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def socket(self, timeout=30, receive_buffer=None):
        """A bare connection, for what no HTTP library sends."""
        s = socket.socket()
        s.settimeout(timeout)
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.connect(("127.0.0.1", self.port))
        return self.tls.wrap_socket(s, server_hostname="127.0.0.1") if self.tls else s

    def metrics(self):
        """/metrics as {name: value}."""
        lines = self.get("/metrics", key=None)[2].decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def request(self, method, path, body=None, headers=None, key=ADMIN_KEY, timeout=30):
        """(status, headers, body) of one request on a connection of its own."""
        c = self.connection(timeout)
        try:
            send = dict(headers or {})
            if key:
                send.setdefault("Authorization", "Bearer " + key)
            if isinstance(body, (dict, list)):
                body = json.dumps(body).encode()
            if body is not None:
                send.setdefault("Content-Type", "application/json")
            c.request(method, path, body, send)
            answer = c.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            c.close()

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body, **kw):
        return self.request("POST", path, body, **kw)

    def rows(self, limit=100, **filters):
        """The ledger's rows, newest first."""
        query = "&".join([f"limit={limit}"] + [f"{k}={v}" for k, v in filters.items()])
        status, _, body = self.get("/tollgate/v1/logs?" + query)
        assert status == 200, body
        return json.loads(body, parse_float=str)["data"]

    def stop(self, sig=signal.SIGTERM, timeout=30):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(timeout)
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        try:
            self.stop(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            if kind is None:
                raise AssertionError("the gateway did not stop")
        if kind is not None:
            print(self.log_text()[-4000:])
        elif self.process.returncode not in (0, -signal.SIGKILL):  # a sanitizer's findings show here
            raise AssertionError(f"the gateway ended with {self.process.returncode}:\n{self.log_text()[-8000:]}")


class Upstream:
    """
    An upstream made of a function: handler(connection) is called for each request with a Request
    whose bytes it may answer as it likes. Runs a thread a connection.
    """

    def __init__(self, handler):
        self.handler = handler
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffered = b""
        try:
            while True:
                request, buffered = read_request(connection, buffered)
                if request is None:
                    return
                request.connection = connection
                with self.lock:
                    self.requests.append(request)
                if self.handler(request) == "close":
                    return
        except OSError:
            pass
        finally:
            connection.close()

    def close(self):
        self.listener.close()


class Request:
    def __init__(self, head, body, raw_body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:] if line]
        self.headers = {k.lower(): v for k, v in self.fields}
        self.body, self.raw_body = body, raw_body
        self.connection = None

    def json(self):
        return json.loads(self.body)

    def send(self, data):
        self.connection.sendall(data)

    def answer(self, body, status="200 OK", type="application/json", fields=""):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        self.send(f"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body)

    def begin_stream(self, fields=""):
        self.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n{fields}\r\n".encode())

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.send(b"0\r\n\r\n")


def read_request(connection, buffered):
    while b"\r\n\r\n" not in buffered:
        more = connection.recv(65536)
        if not more:
            return None, b""
        buffered += more
    head, rest = buffered.split(b"\r\n\r\n", 1)
    fields = head.lower()
    if b"transfer-encoding: chunked" in fields:
        body, raw = b"", b""
        while True:
            while b"\r\n" not in rest:
                rest += receive(connection)
            line, rest = rest.split(b"\r\n", 1)
            size = int(line, 16)
            while len(rest) < size + 2:
                rest += receive(connection)
            body += rest[:size]
            rest = rest[size + 2:]
            if size == 0:
                return Request(head, body, raw), rest
    length = 0
    for line in fields.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(rest) < length:
        rest += receive(connection)
    return Request(head, rest[:length], rest[:length]), rest[length:]


def receive(connection):
    more = connection.recv(262144)
    if not more:
        raise OSError("the peer ended in the middle of a body")
    return more


def request_bytes(body, path="/v1/chat/completions", key=ADMIN_KEY, method="POST", fields=""):
    """A whole HTTP request."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    return (f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{fields}\r\n").encode() + body


def chat(model="gpt-4o-mini", **more):
    return {"model": model, "messages": [{"role": "user", "content": "Say hello."}], **more}


def completion(model="gpt-4o-mini-2024-07-18", prompt=11, output=7, **usage):
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output, **usage}}


def chunk_events(words=("Hel", "lo", "."), usage=None, nulls=False):
    """A chat stream as OpenAI sends it, as a list of events."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18"}
    null = {"usage": None} if nulls else {}
    events = [{**base, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}], **null}]
    events += [{**base, "choices": [{"index": 0, "delta": {"content": w}, "finish_reason": None}], **null} for w in words]
    events += [{**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **null}]
    if usage:
        events += [{**base, "choices": [], "usage": usage}]
    return [b"data: " + json.dumps(e, separators=(",", ":")).encode() + b"\n\n" for e in events] + [b"data: [DONE]\n\n"]


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def equal(found, wanted, text):
    if found != wanted:
        raise AssertionError(f"{text}: wanted {wanted!r}, found {found!r}")


def run(*tests):
    """Runs functions named by their sentences; the process fails when one does."""
    failed = 0
    for test in tests:
        begun = time.monotonic()
        try:
            test()
            print(f"ok   {test.__name__}  {time.monotonic() - begun:.1f} s", flush=True)
        except Exception as error:  # a failing test must not hide the others
            failed += 1
            print(f"FAIL {test.__name__}: {error}", flush=True)
            if not isinstance(error, AssertionError):
                import traceback
                traceback.print_exc()
    sys.exit(1 if failed else 0)
