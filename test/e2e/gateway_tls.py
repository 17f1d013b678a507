#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS on both sides: certificates that change under load, upstreams that must not be trusted, tunnels through a proxy."""

import base64
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from certs import Authority
from harness import (ADMIN_KEY, PROVIDER_KEY, Gateway, Upstream, chat, check, chunk_events, completion, equal, free_port,
                     request_bytes, run, wait_until)

warnings.simplefilter("ignore", DeprecationWarning)  # old versions of TLS are tried on purpose
CA, STRANGER = Authority(), Authority("Somebody else")


class TlsUpstream(Upstream):
    """An upstream behind a certificate; `refused` has the handshakes that clients broke off."""

    def __init__(self, handler, cert, host="127.0.0.1"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*cert)
        self.host, self.refused = host, []
        super().__init__(handler)

    @property
    def url(self):
        return f"https://{self.host}:{self.port}/v1"

    def _serve(self, connection):
        try:
            connection = self.context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.refused.append(error)
            connection.close()
            return
        super()._serve(connection)


def ok(request):
    request.answer(completion())


def client_context(ca=CA):
    return ssl.create_default_context(cafile=ca.cert)


def tls_gateway(upstream=None, args=(), cert=None, env=None):
    cert, key = cert or CA.issue("gateway")
    return Gateway(upstream, args=["--tls-cert", cert, "--tls-key", key, "--ca-file", CA.cert, *args], tls=client_context(), ca_file=CA.cert, env=env)


def expect(g, status, code):
    found, _, body = g.post("/v1/chat/completions", chat())
    equal((found, json.loads(body)["error"]["code"]), (status, code), f"{body!r}")
    row = g.rows(1)[0]
    equal((row["outcome"], row["error"], row["cost_state"]), ("upstream_failed", code, "none"), "the row")
    return row


def clients_are_served_over_tls():
    with tls_gateway(Upstream(ok).url) as g:
        equal(g.post("/v1/chat/completions", chat())[0], 200, "a request")
        equal(g.cli("logs", "--json").stdout.count("\n"), 1, "the command line over https")
        for version, works in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_1, False)):
            context = client_context()
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            try:
                with context.wrap_socket(socket.create_connection(("127.0.0.1", g.port)), server_hostname="127.0.0.1") as s:
                    check(works, f"{version} must be refused")
                    s.sendall(request_bytes(chat(), fields="Connection: close\r\n"))
                    check(s.recv(100).startswith(b"HTTP/1.1 200 "), f"{version}")
            except ssl.SSLError:
                check(not works, f"{version} must work")
        with socket.create_connection(("127.0.0.1", g.port)) as s:  # plain HTTP at a TLS port
            s.sendall(request_bytes(chat()))
            s.settimeout(5)
            try:
                answer = s.recv(1000)
            except ConnectionResetError:
                answer = b""
            check(b"200 OK" not in answer, f"{answer!r}")
        equal(len(g.rows(10)), 3, "rows")


def broken_certificates_are_refused_at_start():
    cert, key = CA.issue("start")
    other_key = CA.issue("other")[1]
    for args, words in ((["--tls-cert", cert], "belong together"), (["--tls-cert", cert, "--tls-key", other_key], "other.key"),
                        (["--tls-cert", cert, "--tls-key", "/nonexistent"], "/nonexistent"), (["--tls-cert", key, "--tls-key", key], "start.key"),
                        (["--ca-file", key], "start.key")):
        try:
            Gateway(args=args).stop()
            raise SystemError(f"{args} was accepted")
        except AssertionError as error:
            check("ended with 1" in str(error), f"{error}")
            check(words in str(error), f"the sentence names what is wrong ({words}): {error}")


class Load(threading.Thread):
    """New connections all the time, and one that is kept; counts what fails."""

    def __init__(self, g):
        super().__init__(daemon=True)
        self.g, self.stopping, self.count, self.failures = g, False, 0, []

    def run(self):
        kept = self.g.connection()
        while not self.stopping:
            try:
                equal(self.g.post("/v1/chat/completions", chat())[0], 200, "a new connection")
                kept.request("POST", "/v1/chat/completions", json.dumps(chat()), {"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json"})
                equal(len(kept.getresponse().read()) > 0, True, "a kept connection")
                self.count += 2
            except Exception as error:
                self.failures.append(error)


def serial_of(g):
    with client_context().wrap_socket(socket.create_connection(("127.0.0.1", g.port)), server_hostname="127.0.0.1") as s:
        return s.getpeercert()["serialNumber"]


def certificates_change_under_load():
    cert, key = CA.issue("live")
    with tls_gateway(Upstream(ok).url, cert=(cert, key), args=["--workers", "2"]) as g:
        load = [Load(g) for _ in range(3)]
        for thread in load:
            thread.start()
        serials = {serial_of(g)}
        for i in range(10):
            fresh = CA.issue(f"live{i}")
            shutil.copy(fresh[1], key)
            shutil.copy(fresh[0], cert)
            g.process.send_signal(signal.SIGHUP)
            wait_until("the new certificate", 5, lambda: serial_of(g) not in serials)
            serials.add(serial_of(g))
        newest = serial_of(g)
        for what in (b"", b"garbage", open(CA.cert, "rb").read()):
            with open(cert, "wb") as f:
                f.write(what)
            refused = g.log_text().count("certificate_refused")
            g.process.send_signal(signal.SIGHUP)
            wait_until("a word in the log", 5, lambda: g.log_text().count("certificate_refused") > refused)
            equal(serial_of(g), newest, "the old certificate stays")
        os.unlink(key)
        g.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        equal(serial_of(g), newest, "the old certificate stays")
        for thread in load:
            thread.stopping = True
        for thread in load:
            thread.join()
        equal([f for thread in load for f in thread.failures], [], "failures")
        check(sum(thread.count for thread in load) > 100, "there was load")


class PlainServer:
    """Says 400 to whatever comes, as web servers do to TLS at a plain port."""

    def __init__(self):
        self.listener, self.got = socket.create_server(("127.0.0.1", 0)), b""
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self.listener.accept()
        self.got += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        self.got += connection.recv(65536)
        connection.close()


def upstreams_are_verified():
    good = TlsUpstream(ok, CA.issue("upstream"))
    bad = {"self-signed": TlsUpstream(ok, (STRANGER.cert, STRANGER.key)), "signed by somebody else": TlsUpstream(ok, STRANGER.issue("theirs")),
           "expired": TlsUpstream(ok, CA.issue("expired", start="20200101000000Z", end="20210101000000Z")),
           "not yet valid": TlsUpstream(ok, CA.issue("future", start="20390101000000Z")),
           "another address": TlsUpstream(ok, CA.issue("wrong", alt="IP:127.0.0.2")),
           "a name only": TlsUpstream(ok, CA.issue("name", alt="DNS:localhost"))}
    with Gateway(args=["--ca-file", CA.cert]) as g:
        g.connect(good.url)
        for _ in range(3):
            equal(g.post("/v1/chat/completions", chat())[0], 200, "a good upstream")
        equal(good.requests[-1].headers["authorization"], "Bearer " + PROVIDER_KEY, "it gets the key")
        for what, up in bad.items():
            g.connect(up.url)
            row = expect(g, 502, "upstream_tls_failed")
            check(row["error_detail"], f"{what}: a reason")
            wait_until(f"{what}: the handshake is broken off", 5, lambda: up.refused)
            equal(up.requests, [], f"{what}: requests")
        plain = PlainServer()
        g.connect(f"https://127.0.0.1:{plain.port}/v1")
        expect(g, 502, "upstream_tls_failed")
        check(plain.got and PROVIDER_KEY.encode() not in plain.got, "no credential in the clear")
        name = TlsUpstream(ok, CA.issue("localhost", alt="DNS:localhost"), host="localhost")
        g.connect(name.url)
        equal(g.post("/v1/chat/completions", chat())[0], 200, "by name")
    with Gateway(good.url) as g:  # the system's certificates do not know our CA
        expect(g, 502, "upstream_tls_failed")


class Proxy:
    """CONNECT proxy: every tunnel leads to `target`; `status` other than 200 refuses."""

    def __init__(self, target, user=None):
        self.target, self.user, self.heads, self.status, self.bytes = target, user, [], 200, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(65536)
            if not more:
                return
            head += more
        self.heads.append(head.decode())
        self.bytes += head
        wanted = f"Proxy-Authorization: Basic {base64.b64encode(self.user.encode()).decode()}\r\n" if self.user else ""
        if self.status != 200 or wanted not in self.heads[-1]:
            connection.sendall(f"HTTP/1.1 {self.status if self.status != 200 else 407} No\r\nContent-Length: 0\r\n\r\n".encode())
            connection.close()
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        out = socket.create_connection(("127.0.0.1", self.target))
        threading.Thread(target=self._pipe, args=(out, connection), daemon=True).start()
        self._pipe(connection, out)

    def _pipe(self, a, b):
        try:
            while more := a.recv(65536):
                self.bytes += more
                b.sendall(more)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def tunnels_lead_through_the_proxy():
    up = TlsUpstream(ok, CA.issue("tunnel", alt="DNS:api.provider.test"), host="api.provider.test")
    for user in (None, "us%40er:p%3Ass"):
        proxy = Proxy(up.port, "us@er:p:ss" if user else None)
        url = f"http://{user + '@' if user else ''}127.0.0.1:{proxy.port}"
        with Gateway(up.url, args=["--ca-file", CA.cert, "--log-level", "debug", "--workers", "1"], env={"HTTPS_PROXY": url}) as g:
            equal(g.post("/v1/chat/completions", chat())[0], 200, "through the proxy")
            equal(g.post("/v1/chat/completions", chat())[0], 200, "again")
            equal(len(proxy.heads), 1, "the tunnel is kept")
            lines = proxy.heads[0].split("\r\n")
            equal(lines[:2], [f"CONNECT api.provider.test:{up.port} HTTP/1.1", f"Host: api.provider.test:{up.port}"], "the request for a tunnel")
            check(PROVIDER_KEY.encode() not in proxy.bytes and ADMIN_KEY.encode() not in proxy.bytes, "no key in the proxy's sight")
            check("proxy-authorization" not in up.requests[-1].headers, "the proxy's password stays with the proxy")
            check("p:ss" not in g.log_text() and "p%3Ass" not in g.log_text(), "nor is it in the log")
    for status in (407, 403, 502):
        proxy = Proxy(up.port)
        proxy.status = status
        with Gateway(up.url, args=["--ca-file", CA.cert], env={"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}) as g:
            row = expect(g, 502, "upstream_proxy_failed")
            check(str(status) in row["error_detail"], f"the status in the row: {row['error_detail']}")
    wrong = Proxy(up.port, "right:password")
    with Gateway(up.url, args=["--ca-file", CA.cert], env={"HTTPS_PROXY": f"http://wrong:one@127.0.0.1:{wrong.port}"}) as g:
        row = expect(g, 502, "upstream_proxy_failed")
        check("wrong" not in json.dumps(row), "no proxy credentials in the row")
    with Gateway(up.url, args=["--ca-file", CA.cert], env={"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"}) as g:
        expect(g, 502, "upstream_unreachable")


def no_proxy_and_plain_upstreams_go_direct():
    up, plain = TlsUpstream(ok, CA.issue("direct")), Upstream(ok)
    proxy = Proxy(up.port)
    env = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": "internal.test,127.0.0.1"}
    with Gateway(up.url, args=["--ca-file", CA.cert], env=env) as g:
        equal(g.post("/v1/chat/completions", chat())[0], 200, "direct by NO_PROXY")
        g.connect(plain.url)
        equal(g.post("/v1/chat/completions", chat())[0], 200, "plain HTTP is no business of HTTPS_PROXY")
        equal(proxy.heads, [], "the proxy was not asked")


def streams_are_exact_over_tls_on_both_sides():
    events = chunk_events(words=[f"wörd{i} " * (i % 40) for i in range(300)])
    whole = b"".join(events)
    blob = random.Random(7).randbytes(5_000_000)
    got = {}

    def serve(request):
        rnd = random.Random(int(request.headers.get("x-seed", "0")))
        if request.target.endswith("/files"):
            got["upload"] = hashlib.sha256(request.body).hexdigest()
            request.answer(blob, type="application/octet-stream")
            return
        request.begin_stream()
        left = whole
        while left:
            n = rnd.choice((1, 3, 100, 5000, 20_000))
            request.chunk(left[:n])
            left = left[n:]
        request.end()

    with tls_gateway(TlsUpstream(serve, CA.issue("both")).url) as g:
        for seed in range(8):
            status, _, body = g.post("/v1/chat/completions", chat(stream=True), headers={"x-seed": str(seed)})
            equal((status, hashlib.sha256(body).hexdigest()), (200, hashlib.sha256(whole).hexdigest()), f"stream, seed {seed}")
            equal(g.rows(1)[0]["outcome"], "completed", "the row")
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + blob + b"\r\n--b--\r\n"
        status, _, body = g.post("/v1/files", form, headers={"Content-Type": "multipart/form-data; boundary=b"})
        equal((status, body == blob, got["upload"]), (200, True, hashlib.sha256(form).hexdigest()), "an upload and a download")
        s = g.socket()  # a client that ends without goodbye
        s.sendall(request_bytes(chat(stream=True)))
        s.recv(100)
        socket.socket(fileno=s.detach()).close()
        wait_until("nothing is under way", 5, lambda: g.metrics()["tollgate_requests_in_flight"] == 0)


def an_upstream_cut_without_goodbye_is_no_end():
    def cut(request):
        request.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + json.dumps(completion()).encode()[:-5])
        socket.socket(fileno=request.connection.detach()).close()  # no close_notify
        return "close"

    with Gateway(TlsUpstream(cut, CA.issue("cut")).url, args=["--ca-file", CA.cert]) as g:
        status, _, body = g.post("/v1/chat/completions", chat())
        equal((status, json.loads(body)["error"]["code"]), (502, "upstream_closed"), f"{body!r}")


run(clients_are_served_over_tls, broken_certificates_are_refused_at_start, certificates_change_under_load, upstreams_are_verified,
    tunnels_lead_through_the_proxy, no_proxy_and_plain_upstreams_go_direct, streams_are_exact_over_tls_on_both_sides,
    an_upstream_cut_without_goodbye_is_no_end)
