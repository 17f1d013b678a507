#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
No secret is seen outside of the place it was put, and without recorded bodies no prompt and no answer.

Every secret has MARK in it (lib/canary.py), or a form of its own. One data directory lives through set-up, traffic of all kinds, a look at
everything that can be looked at, a crash and a restart, at the most verbose log level. Then everything that was written or sent is searched:
logs, every file, /metrics, traces for a collector, exports, console pages, errors, all other answers, what the command line prints, and what
went upstream. What is declared to hold a secret is named in this file and nowhere else.

`./dev canary` does the same with all other scripts of this folder.
"""

import glob
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import harness
from canary import MARK, Canaries
from harness import Gateway, Upstream, chat, check, chunk_events, completion, run, wait_until

PROMPT, ANSWER = "promptCanary4Kq8", "answerCanary4Kq8"
ADMIN = f"tg-{MARK}-admin-0123456789"
MASTER = secrets.token_hex(32)
PASSWORD = f"{MARK} \"plain\" words/é"
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/AUTHORIZATION.md"


def provider(name):
    return f"sk-{MARK}-{name}-0123456789"


# --- the world outside -------------------------------------------------------------------------------

def upstream(request):
    """Answers with ANSWER; fails as the request's x-how says, and then with words that name key and prompt."""
    how = request.headers.get("x-how", "")
    text = request.body.decode("latin-1")
    if how == "cut":
        request.begin_stream()
        request.chunk(chunk_events(words=(ANSWER,))[1])
        return "close"
    if how == "junk":
        request.send(f"HTTP/1.1 200 OK\r\nx-{ANSWER}: {ANSWER}\r\nContent-Length: 9\r\n\r\nnot json {ANSWER}".encode())
        return "close"
    if how.isdigit():
        words = f"Incorrect API key provided: {request.headers.get('authorization')}. {ANSWER} {PROMPT}"
        request.answer({"error": {"message": words, "type": "invalid_request_error", "param": PROMPT, "code": "broken"}}, status=f"{how} Failed")
    elif '"stream": true' in text:
        request.begin_stream()
        for event in chunk_events(words=(ANSWER, " ", ANSWER), usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}):
            request.chunk(event)
        request.end()
    elif "embeddings" in request.target:
        request.answer({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1] * 8}], "model": "text-embedding-3-small",
                        "usage": {"prompt_tokens": 3, "total_tokens": 3}})
    elif request.method == "GET" and "/organization/" not in request.target:
        request.answer({"object": "list", "data": []})
    elif "/organization/" in request.target:
        request.answer({"object": "page", "data": [], "has_more": False, "next_page": None})
    elif "/files" in request.target:
        request.answer({"id": "file-1", "object": "file", "bytes": 3, "filename": "x", "purpose": "batch", "note": ANSWER})
    else:
        made = completion()
        made["choices"][0]["message"]["content"] = ANSWER
        made["choices"][0]["message"]["tool_calls"] = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"x": ANSWER})}}]
        request.answer(made, fields=f"x-request-id: req-1\r\nset-cookie: s={ANSWER}\r\n")
    return None


class Receiver:
    """Takes what is posted: a collector of traces, a webhook of guardrails."""

    def __init__(self):
        self.bodies, owner = [], self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                owner.bodies.append((self.path, dict(self.headers), self.rfile.read(int(self.headers.get("Content-Length", 0)))))
                self.send_response(200)
                self.send_header("Content-Length", "16")
                self.end_headers()
                self.wfile.write(b'{"verdict":true}')

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Bench:
    def __init__(self):
        self.up, self.collector, self.hook = Upstream(upstream), Receiver(), Receiver()
        self.out, self.taps = [], tempfile.mkdtemp(prefix="tollgate-taps-")
        build = os.environ.get("TOLLGATE_BUILD") or str(pathlib.Path(__file__).resolve().parents[2] / "build")
        tap = os.path.join(build, "e2e", "preload_tap.so")
        check(os.path.exists(tap), f"{tap} is not built; its target is e2e-tools")
        oidc = os.path.join(self.taps, "..", f"oidc-secret-{os.getpid()}")
        with open(oidc, "w") as f:
            f.write(f"{MARK}-oidc-secret\n")
        env = {"TOLLGATE_LOG_LEVEL": "debug", "TOLLGATE_SMTP_PASSWORD": f"{MARK} smtp/password", "TOLLGATE_OIDC_CLIENT_SECRET_FILE": oidc, "TOLLGATE_MASTER_KEY": MASTER, "TOLLGATE_OTLP_HEADERS": f"authorization=Bearer {MARK}-otlp",
               "LD_PRELOAD": tap, "TAP_DIR": self.taps, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        self.gw = Gateway(args=["--record-bodies", "off", "--otlp-endpoint", self.collector.url, "--cache-memory", "1m",
                                "--smtp-url", f"smtp://gate@127.0.0.1:{harness.free_port()}", "--mail-from", "gate@example.com", "--public-url",
                                "http://gateway.example", "--oidc-issuer", "https://127.0.0.1:1/", "--oidc-client-id", "me"], env=env)
        self.pids = [self.gw.process.pid]

    def again(self, sig):
        """Ends the process by a signal and starts another with the same data."""
        self.gw.process.send_signal(sig)
        self.gw.process.wait(30)
        self.gw.start()
        self.pids.append(self.gw.process.pid)

    def ask(self, method, path, body=None, key=ADMIN, headers=None, fine=True):
        status, _, text = self.gw.request(method, path, body, headers, key=key)
        check(not fine or status < 300, f"{method} {path}: {status} {text[:200]}")
        try:
            return json.loads(text)
        except ValueError:
            return text


# --- the phases --------------------------------------------------------------------------------------

def set_up(b):
    """Everything that has a secret, and who may use it."""
    T = "/tollgate/v1"
    b.ask("POST", T + "/integrations", {"slug": "openai", "kind": "openai", "api_key": provider("openai"), "base_url": b.up.url, "is_default": True})
    b.ask("POST", T + "/integrations", {"slug": "old", "kind": "openai-compatible", "api_key": provider("old"), "base_url": b.up.url})
    b.ask("PATCH", T + "/integrations/old", {"api_key": provider("rotated")})
    b.ask("POST", T + "/integrations", {"slug": "bill", "kind": "openai-admin", "api_key": f"sk-admin-{MARK}-bill", "base_url": b.up.url})
    b.ask("POST", T + "/integrations", {"slug": "azure", "kind": "azure-openai", "api_key": provider("azure"), "api_version": "2024-10-21",
                                        "base_url": b.up.url.replace("/v1", "/openai"), "deployments": {"gpt-4o-mini": "gpt-4o-mini"}}, fine=False)
    b.ask("POST", "/v1/virtual-keys", {"name": "vk", "slug": "vk", "provider": "openai", "key": provider("vk"), "custom_host": b.up.url})
    b.ask("POST", "/v0/integrations/connections", {"metadata": {"name": "blx"}, "spec": {"integration": "openai-compatible", "config": {"endpoint": b.up.url},
                                                                                           "secret": {"apiKey": provider("blaxel")}}})
    hook = {"default.webhook": {"webhookURL": f"{b.hook.url}/{MARK}-path?token={MARK}-query", "headers": {"Authorization": f"Bearer {MARK}-hook"}}}
    b.config = b.ask("POST", "/v1/configs", {"name": "stored", "config": {
        "provider": "openai", "api_key": provider("config"), "custom_host": b.up.url, "input_guardrails": [{**hook, "deny": False}],
        "cache": {"mode": "simple"}, "override_params": {"temperature": 0}}})["data"]["id"]
    b.keys = {"plain": b.ask("POST", T + "/keys", {"name": "plain"})["key"]}
    b.keys["portkey"] = b.ask("POST", "/v1/api-keys/workspace/service", {"name": "p", "scopes": ["completions.write", "logs.list"]})["key"]
    b.ask("POST", T + "/members", {"email": "ann@example.com", "name": "Ann", "password": PASSWORD, "role": "owner"})
    b.ask("POST", T + "/session", {"email": "ann@example.com", "password": PASSWORD + "wrong"}, key=None, fine=False)
    b.keys["session"] = b.ask("POST", T + "/session", {"email": "ann@example.com", "password": PASSWORD}, key=None)["token"]
    b.invitation = b.ask("POST", T + "/invitations", {"email": "bob@example.com", "role": "member"})["secret"]
    b.ask("POST", "/v1/admin/users/invites", {"email": "eve@example.com", "role": "member"}, fine=False)
    account = b.ask("POST", T + "/service-accounts", {"name": "robot", "role": "admin"})
    b.client_secret = account["client_secret"]
    b.ask("POST", "/v0/oauth/token", {"grant_type": "client_credentials", "client_id": account["client_id"], "client_secret": PASSWORD}, key=None, fine=False)
    token = b.ask("POST", "/v0/oauth/token", {"grant_type": "client_credentials", "client_id": account["client_id"], "client_secret": b.client_secret}, key=None)
    b.keys["token"] = token["access_token"]
    b.ask("POST", "/v0/models", {"metadata": {"name": "api", "displayName": "api"}, "spec": {"runtime": {"type": "openai", "model": "gpt-4o-mini"},
                                                                                            "integrationConnections": ["openai"]}}, fine=False)
    for name, url in (("hook", f"{b.hook.url}/{MARK}-channel/path?sig={MARK}"), ("dead", f"http://127.0.0.1:{harness.free_port()}/{MARK}-dead")):
        b.signing_key = b.ask("PUT", T + f"/channels/{name}", {"kind": "webhook", "url": url})["signing_key"]
        b.ask("PUT", T + f"/channels/slack-{name}", {"kind": "slack", "url": url})
    b.ask("POST", "/v2/integrations/open_ai", {"api_key": f"sk-admin-{MARK}-vantage", "base_url": b.up.url}, fine=False)


def messages(**more):
    return {"model": "gpt-4o-mini", **more, "user": "somebody", "messages": [
        {"role": "system", "content": PROMPT}, {"role": "user", "content": [{"type": "text", "text": f"{PROMPT} \u00e9"}]}],
        "tools": [{"type": "function", "function": {"name": "f", "description": PROMPT, "parameters": {"type": "object"}}}]}


def traffic(b):
    """What callers do, and do wrong; every answer may hold ANSWER."""
    for name, key in b.keys.items():
        for path, body in [("/v1/chat/completions", messages()), ("/v1/chat/completions", messages(stream=True)), ("/v1/completions", {"model": "gpt-3.5-turbo-instruct",
                           "prompt": PROMPT}), ("/v1/responses", {"model": "gpt-4o-mini", "input": PROMPT, "instructions": PROMPT}), ("/v1/embeddings", {"model":
                           "text-embedding-3-small", "input": [PROMPT]}), ("/v1/images/generations", {"model": "gpt-image-1", "prompt": PROMPT}),
                           ("/v1/audio/speech", {"model": "tts-1", "input": PROMPT, "voice": "alloy"}), ("/v1/moderations", {"input": PROMPT}),
                           ("/v1/chat/completions", messages(model="@vk/gpt-4o-mini")), ("/v1/chat/completions", messages(model="@nobody/gpt-4o-mini")),
                           ("/default/models/api/v1/chat/completions", messages())]:
            b.ask("POST", path, body, key=key, fine=False)
    key = b.keys["plain"]
    for how in ("400", "401", "403", "404", "429", "500", "503", "cut", "junk"):
        for stream in (False, True):
            b.ask("POST", "/v1/chat/completions", messages(stream=stream), key=key, headers={"x-how": how, "x-portkey-forward-headers": "x-how"}, fine=False) \
                if how not in ("cut", "junk") else broken(b, how, stream, key)
    form = f"--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{PROMPT}\r\n--b--\r\n"
    b.ask("POST", "/v1/files", form.encode(), key=key, headers={"Content-Type": "multipart/form-data; boundary=b"}, fine=False)
    own = {"x-portkey-provider": "openai", "x-portkey-custom-host": b.up.url, "Authorization": "Bearer " + provider("callers"), "x-portkey-api-key": key}
    inline = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "openai", "api_key": provider("inline"), "custom_host": b.up.url}, {"virtual_key": "vk"}]}
    secret = f"{MARK}-forwarded"
    for headers in (own, {"x-portkey-api-key": key, "x-portkey-config": json.dumps(inline)}, {"x-portkey-api-key": key, "x-portkey-config": b.config},
                    {**own, "x-portkey-forward-headers": "x-secret-token,cookie", "x-secret-token": secret, "Cookie": f"a={secret}"},
                    {**own, "Authorization": "Basic " + provider("basic")}, {**own, "api-key": provider("api-key")}, {**own, "x-portkey-azure-ad-token": provider("entra")},
                    {**own, "OpenAI-Organization": "org", "Proxy-Authorization": f"Basic {MARK}", "x-api-key": provider("x-api-key")},
                    {"x-portkey-api-key": key, "x-portkey-config": json.dumps(inline)[:-3]}, {"x-portkey-api-key": key, "x-portkey-virtual-key": provider("no-slug")},
                    {"x-portkey-api-key": key, "x-portkey-provider": provider("no-name")}, {"x-portkey-api-key": key, "x-portkey-provider": "@" + provider("no-at")},
                    {"x-portkey-api-key": key, "x-portkey-config": provider("no-config")}, {**own, "x-portkey-custom-host": f"http://{MARK}:{MARK}@10.0.0.1/v1"},
                    {"x-portkey-api-key": key, "x-portkey-config": json.dumps({"provider": "openai", "api_key": provider("no-host"), "custom_host": "http://10.0.0.1"})}):
        for body in (messages(), messages(stream=True)):
            b.ask("POST", "/v1/chat/completions", body, key=None, headers={"Content-Type": "application/json", **headers}, fine=False)
    for bad in (f"tg-{MARK}", ADMIN + "x", provider("stranger"), b.keys["plain"][:-1] + "-", b.keys["token"] + "x", f"eyJ{MARK}.eyJ{MARK}.x", MARK * 60):
        for path in ("/v1/chat/completions", "/tollgate/v1/keys", "/v2/me", "/v0/models"):
            b.ask("POST", path, messages(), key=bad, fine=False)
    for body in (b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "' + PROMPT.encode(), b'{"model": "gpt-4o-mini", "model": "x", "x": "%s"}' % PROMPT.encode(),
                 PROMPT.encode(), b"[" * 3000 + PROMPT.encode()):
        for path in ("/v1/chat/completions", "/v1/configs", "/tollgate/v1/keys", "/v0/models", "/v2/cost_reports"):
            b.ask("POST", path, body, fine=False)
    for path in (f"/v1/models?api_key={provider('query')}", f"/v1/files/x?token={MARK}", f"/tollgate/v1/logs?filter={MARK}", f"/v1/health?key={MARK}"):
        b.ask("GET", path, key=key, fine=False)
    for text in (f"GET /{MARK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MARK}\r\nBroken\r\n\r\n", f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n"
                 f"Content-Length: 99\r\nContent-Length: 98\r\n\r\n{PROMPT}", f"{MARK}\r\n\r\n", f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                 f"Content-Length: 9999\r\n\r\n{{\"model\": \"gpt-4o-mini\", \"x\": \"{PROMPT}"):
        with socket.create_connection(("127.0.0.1", b.gw.port)) as s:
            s.sendall(text.encode())
            s.settimeout(0.3)
            try:
                s.recv(65536)
            except OSError:
                pass
    b.ask("POST", "/tollgate/v1/imports", {}, fine=False)
    for to in ("hook", "dead", "slack-hook", "slack-dead", "somebody@example.com"):
        b.ask("POST", "/tollgate/v1/notifications/test", {"to": to}, fine=False)
    b.ask("GET", "/tollgate/v1/sign-in/oidc", key=None, fine=False)
    b.ask("GET", f"/tollgate/v1/sign-in/oidc/callback?code={MARK}&state={MARK}", key=None, fine=False)
    for slug in ("openai", "vk", "old", "bill"):
        b.ask("POST", f"/tollgate/v1/integrations/{slug}/test", fine=False)


def broken(b, how, stream, key):
    try:
        b.gw.request("POST", "/v1/chat/completions", messages(stream=stream), {"x-how": how, "x-portkey-forward-headers": "x-how"}, key=key)
    except Exception:  # a broken answer is what was asked for
        pass


def look_at_everything(b):
    """Every route that reads, by an owner; the command line; nothing of it may hold a secret, a prompt or an answer."""
    names = re.findall(r"^\| `GET ([^`]+)` ", PAGE.read_text(), re.M)
    check(len(names) > 80, "routes that read")
    ids = {"openai", "vk", "stored", "default", "plain", "api", "blx", b.config, "1", "2", "3", "ann@example.com"}
    for round in range(2):
        for name in names:
            places = name.count("{}") + name.count("{*}")
            for one in sorted(ids, key=str)[:40] if places else [""]:
                path = re.sub(r"\{\*?\}", str(one), name)
                answer = b.ask("GET", path + "?limit=50&workspace=default", fine=False, headers={"X-Blaxel-Workspace": "default"})
                if round == 0 and isinstance(answer, dict):
                    rows = next((v for v in answer.values() if isinstance(v, list)), [])
                    ids |= {str(row[k]) for row in rows[:3] if isinstance(row, dict) for k in ("id", "token", "slug", "name", "request_id") if row.get(k)}
    wait_until("the ledger has the requests", 20, lambda: len(b.ask("GET", "/tollgate/v1/logs?limit=1000")["data"]) > 60)
    for row in b.ask("GET", "/tollgate/v1/logs?limit=1000")["data"]:
        b.ask("GET", "/tollgate/v1/logs/" + row["id"], fine=False)
    for args in (["logs", "--limit", "500"], ["logs", "--json", "--limit", "500"], ["cost"], ["cost", "--json", "--group-by", "model,key"], ["config", "list"],
                 ["key", "list"], ["audit", "verify"], ["verify"], ["integration", "list"], ["model", "list"], ["report"], ["version"]):
        done = b.gw.cli(*args, check=False)
        b.out.append((" ".join(args), done.stdout + done.stderr))
    for hook in b.hook.bodies:
        check(b.keys["plain"] not in repr(hook) and ADMIN not in repr(hook), "a webhook was told a key")


# --- the search --------------------------------------------------------------------------------------

def declared(hit, b):
    """What may hold what it holds. Everything else is a leak."""
    setting_up, serving = (f"{kind}.{pid}" for kind, pid in zip(("clients", "clients"), b.pids[:2]))
    return (
        # Answers to callers hold what was made for them, once, and what upstream said to them.
        hit.place == setting_up and hit.secret in ("a key or token of ours", "a signed token", "the client secret", "the invitation", "the signing key")
        or hit.place == serving and hit.secret in ("an answer", "a prompt")
        or hit.place == serving and b"Incorrect API key provided" in hit.around  # upstream's own words, to the letter
        # A webhook of a config is one of the hosts that its secrets are for; providers get their keys, and prompts.
        or hit.place.startswith("upstreams.") and hit.secret not in ("a key or token of ours", "a signed token", "the admin key", "the master key", "a password",
                                                                    "the client secret", "the invitation", "the signing key")
        # docs/CACHE.md: answers in clear.
        or hit.place.startswith("cache.db") and hit.secret == "an answer")


def nothing_leaks():
    harness.ADMIN_KEY = ADMIN
    real = Gateway.request
    Gateway.request = lambda self, method, path, body=None, headers=None, key=ADMIN, timeout=30: real(self, method, path, body, headers, key, timeout)
    b = Bench()
    set_up(b)
    b.again(signal.SIGTERM)
    traffic(b)
    limits = pathlib.Path(f"/proc/{b.gw.process.pid}/limits").read_text()
    check(re.search(r"^Max core file size +1 +1 ", limits, re.M), f"a crash may leave a core: {limits}")
    b.again(signal.SIGABRT)
    look_at_everything(b)
    wait_until("spans have come", 20, lambda: b.collector.bodies)
    b.gw.stop()
    c = Canaries()
    for name, text in (("a prompt", PROMPT), ("an answer", ANSWER), ("the admin key", ADMIN), ("the master key", MASTER), ("the master key", bytes.fromhex(MASTER)),
                       ("a password", PASSWORD), ("the client secret", b.client_secret), ("the invitation", b.invitation), ("the signing key", b.signing_key), *(("a key or token of ours", k) for k in b.keys.values())):
        c.add(name, text)
    hits, size = c.scan_tree(b.gw.dir), 0
    for path in glob.glob(b.taps + "/*"):
        hits += c.scan_file(path, os.path.basename(path))
        size += os.path.getsize(path)
    for name, text in b.out:
        hits += c.scan("tollgate " + name, text)
    for path, headers, body in b.collector.bodies:
        hits += c.scan("collector", body)
    check(any(f"Bearer {MARK}-otlp" in h.values() for _, h, _ in b.collector.bodies), "the collector's own header came")
    bad = [h for h in hits if not declared(h, b)]
    print(f"  {size} bytes of answers and requests, {sum(f.stat().st_size for f in pathlib.Path(b.gw.dir).rglob('*') if f.is_file())} of files; "
          f"{len(hits) - len(bad)} hits where they may be, {len(bad)} elsewhere")
    check(len(hits) > len(bad) + 50, "the search finds what is there")
    check(not bad, "\n".join(f"{h.place}: {h.secret} ({h.form}): {h.around!r}" for h in bad[:40]))


if __name__ == "__main__":
    run(nothing_leaks)
