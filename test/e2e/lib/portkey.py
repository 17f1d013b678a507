# SPDX-License-Identifier: Apache-2.0
"""
A bench for Portkey's contract: a gateway, a scripted upstream behind several stored providers, and the real SDKs.

Providers "@openai", "@a", "@b", "@c" all lead to the one upstream; each has a key of its own, so the upstream's record
says which one was used. Every SDK call goes through one long-lived process per language.
"""

import http.client
import itertools
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

from harness import ADMIN_KEY, Gateway, check, equal, wait_until
from scripted import ScriptedUpstream

SDK = pathlib.Path(__file__).resolve().parent.parent / "sdk"
COMMANDS = {"node": ["node", str(SDK / "portkey_node.mjs")], "python": [sys.executable, str(SDK / "portkey_python.py")]}
SLUGS = ("openai", "a", "b", "c")
PORTKEY_HEADERS = ("x-portkey-trace-id", "x-portkey-cache-status", "x-portkey-retry-attempt-count",
                   "x-portkey-last-used-option-index", "x-portkey-provider")


def secret_of(slug):
    return f"sk-{slug}-stored-secret-0123456789"


class Result:
    """What came of a call. `calls` is how many requests the SDK made for it."""

    def __init__(self, raw):
        self.raw = raw
        self.ok, self.value, self.error = raw.get("ok"), raw.get("value"), raw.get("error") or {}
        self.chunks, self.times, self.counts = raw.get("chunks"), raw.get("times"), raw.get("counts")
        self.wire = raw.get("wire") or []
        self.own_headers = raw.get("own_headers") or {}
        self.took = (raw.get("ended") or 0) - (raw.get("begun") or 0)

    @property
    def calls(self):
        return len(self.wire)

    @property
    def status(self):
        return self.wire[-1].get("status") if self.wire else None

    @property
    def headers(self):
        return (self.wire[-1].get("headers") or {}) if self.wire else {}

    def header(self, name):
        return self.headers.get("x-portkey-" + name)

    @property
    def text(self):
        """What the model said, streamed or not."""
        if self.chunks is not None:
            return "".join((c.get("choices") or [{}])[0].get("delta", {}).get("content") or "" for c in self.chunks)
        return self.value["choices"][0]["message"]["content"]

    def fine(self, row):
        check(self.ok, f"{row}: the call failed: {self.error}")
        return self

    def __repr__(self):
        return f"<{self.status} {self.value or self.error} {self.headers}>"


class Driver:
    """One SDK process; calls may be under way at the same time."""

    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen(COMMANDS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ids, self.waiting, self.lock, self.errors = itertools.count(1), {}, threading.Lock(), []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if not line.startswith("{"):
                continue
            answer = json.loads(line)
            with self.lock:
                slot = self.waiting.pop(answer["id"])
            slot.append(answer)
            slot[0].set()

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)
            del self.errors[:-60]

    def begin(self, call):
        """Sends the call; end() of what it gives is the result."""
        number, done = next(self.ids), threading.Event()
        slot = [done]
        with self.lock:
            self.waiting[number] = slot
            self.process.stdin.write(json.dumps({"id": number, **call}) + "\n")
            self.process.stdin.flush()
        return slot

    def end(self, slot, timeout=60):
        check(slot[0].wait(timeout), f"the {self.name} SDK gave no result in {timeout} s: {''.join(self.errors)[-2000:]}")
        return Result(slot[1])

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Bench:
    """See the top. `args` are further options of serve."""

    def __init__(self, args=(), retry_wait_ms=20, slugs=SLUGS, upstream=None, env=None):
        self.up = upstream or ScriptedUpstream()
        wait = ["--retry-wait", f"{retry_wait_ms}ms"] if retry_wait_ms is not None else []
        self.gw = Gateway(args=[*wait, *args], env=env)
        self.drivers = {}
        for slug in slugs:
            self.connect(slug)
        self.key = self.gw.key("suite")

    def connect(self, slug, url=None, kind="openai", key=None, args=()):
        self.gw.cli("connect", kind, "--slug", slug, "--api-key-env", "PROVIDER_KEY", *(["--base-url", url or self.up.url]), *args,
                    env={"PROVIDER_KEY": key or secret_of(slug)})

    def __enter__(self):
        self.gw.__enter__()
        return self

    def __exit__(self, *what):
        for driver in self.drivers.values():
            driver.stop()
        self.up.close()
        return self.gw.__exit__(*what)

    @property
    def base(self):
        return self.gw.url + "/v1"

    def driver(self, name):
        if name not in self.drivers:
            self.drivers[name] = Driver(name)
        return self.drivers[name]

    # --- calls through the SDKs --------------------------------------------------------------------

    def node_call(self, call, args=(), options=None, sdk="portkey", **more):
        base = {"baseURL": self.base, "apiKey": self.key}
        return {"sdk": sdk, "call": call, "args": list(args), "options": {**base, **(options or {})}, **more}

    def node(self, call, *args, sdk="portkey", stream=False, take=None, keep=None, repeat=None, parallel=None, timeout=60, **options):
        """A call with the Node SDK; options are the client's."""
        more = {"stream": stream, "take": take, "keep": keep, "repeat": repeat, "parallel": parallel}
        driver = self.driver("node")
        return driver.end(driver.begin(self.node_call(call, args, options, sdk, **more)), timeout)

    def chat(self, model="gpt-4o-mini", body=None, stream=False, take=None, text="Say hello.", keep=None, params=None, **options):
        """chat.completions.create with Node's portkey-ai; the provider is @openai unless the options say other."""
        if not {"provider", "config", "virtualKey"} & set(options):
            options["provider"] = "@openai"
        sent = {"model": model, "messages": [{"role": "user", "content": text}], **({"stream": True} if stream else {}), **(body or {})}
        args = [sent] if params is None else [sent, params]
        return self.node("chat.completions.create", *args, stream=stream, take=take, keep=keep, **options)

    def python(self, call, kwargs=None, sdk="portkey", stream=False, take=None, with_options=None, args=(), beta=False, **options):
        """A call with a Python SDK; options are the client's."""
        driver = self.driver("python")
        base = {"base_url": self.base, "api_key": self.key}
        sent = {"sdk": sdk, "call": call, "args": list(args), "kwargs": kwargs or {}, "options": {**base, **options}, "stream": stream,
                "take": take, "with_options": with_options, "beta": beta}
        return driver.end(driver.begin(sent))

    # --- raw requests ------------------------------------------------------------------------------

    def raw(self, body=None, headers=None, path="/v1/chat/completions", method="POST", key=None, timeout=30):
        """(status, headers, body) of a request without an SDK, with the key in x-portkey-api-key. JSON as Node writes it."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body, separators=(",", ":")).encode()
        send = {"x-portkey-api-key": key or self.key}
        for name, value in (headers or {}).items():
            send[name] = json.dumps(value) if isinstance(value, (dict, list)) else value
        return self.gw.request(method, path, body, send, key=None, timeout=timeout)

    # --- what is stored ----------------------------------------------------------------------------

    def control(self, method, path, body=None, status=200, key=ADMIN_KEY):
        found, headers, answer = self.gw.request(method, path, body, {"x-portkey-api-key": key}, key=None)
        check(found == status, f"{method} {path} gave {found}: {answer[:400]!r}")
        return json.loads(answer)

    def config(self, name, config):
        """Stores a config; its slug."""
        made = self.control("POST", "/v1/configs", {"name": name, "config": config})
        if made["data"].get("slug"):
            return made["data"]["slug"]
        rows = self.control("GET", "/v1/configs")["data"]
        return next(r["slug"] for r in rows if r["id"] == made["data"]["id"])

    def change_config(self, slug, config):
        self.control("PUT", f"/v1/configs/{slug}", {"config": config})

    def new_key(self, name, **fields):
        """A workspace key as Portkey's API makes it."""
        fields.setdefault("scopes", ["completions.write", "logs.view", "logs.list", "models.list"])
        return self.control("POST", "/v1/api-keys/workspace/service", {"name": name, **fields})["key"]

    def workspace_metadata(self, metadata):
        self.control("PATCH", "/tollgate/v1/workspaces/default", {"metadata": metadata})

    def rows(self, trace, count=1, seconds=10):
        """The ledger's attempts of a trace, oldest first, as soon as there are so many."""
        def probe():
            found = self.gw.rows(1000, trace_id=trace)
            return found if len(found) >= count else None
        return sorted(wait_until(f"{count} rows of trace {trace}", seconds, probe), key=lambda r: (r["request_id"], r["attempt"]))

    def log(self, row):
        """A row with its bodies and headers."""
        status, _, body = self.gw.get("/tollgate/v1/logs/" + row["id"])
        check(status == 200, f"the row {row['id']} cannot be read: {body!r}")
        return json.loads(body, parse_float=str)


class Wire:
    """A kept-open connection of one caller, for many small requests."""

    def __init__(self, bench, key=None, timeout=60):
        self.bench, self.key = bench, key or bench.key
        self.connection = http.client.HTTPConnection("127.0.0.1", bench.gw.port, timeout=timeout)

    def post(self, body, headers=None, path="/v1/chat/completions"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        send = {"x-portkey-api-key": self.key, "Content-Type": "application/json"}
        for name, value in (headers or {}).items():
            send[name] = json.dumps(value) if isinstance(value, (dict, list)) else value
        self.connection.request("POST", path, data, send)
        answer = self.connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def close(self):
        self.connection.close()


def message_of(body):
    """The message of an error of the gateway's own, as both SDKs find it."""
    parsed = json.loads(body) if isinstance(body, (bytes, str)) else body
    return parsed.get("message") or (parsed.get("error") or {}).get("message")


def user(text):
    return [{"role": "user", "content": text}]


def asked(model="gpt-4o-mini", text="Say hello.", **more):
    return {"model": model, "messages": user(text), **more}


def target(slug, model=None, **more):
    """A config's target: a stored provider, and the model name by which the upstream knows it."""
    return {"provider": "@" + slug, **({"override_params": {"model": model}} if model else {}), **more}


def fallback(*targets, codes=None, **more):
    return {"strategy": {"mode": "fallback", **({"on_status_codes": codes} if codes else {})}, "targets": list(targets), **more}


def loadbalance(*targets, **more):
    return {"strategy": {"mode": "loadbalance"}, "targets": list(targets), **more}


def sees(row, found, wanted, what):
    equal(found, wanted, f"{row}: {what}")


def suite(make, rows):
    """Runs rows on one bench each names its number; the process fails when one does. A filter may be given as an argument."""
    wanted = sys.argv[1:]
    failed, begun_all = [], time.monotonic()
    with make() as bench:
        for row in rows:
            if wanted and not any(w in row.__name__ for w in wanted):
                continue
            begun = time.monotonic()
            try:
                row(bench)
                print(f"ok   {row.__name__}  {time.monotonic() - begun:.1f} s", flush=True)
            except Exception as error:  # one row must not hide the others
                failed.append(row.__name__)
                print(f"FAIL {row.__name__}: {type(error).__name__}: {error}"[:3000], flush=True)
                if not isinstance(error, AssertionError) and os.environ.get("TRACE"):
                    import traceback
                    traceback.print_exc()
            if bench.gw.process.poll() is not None:
                print(f"FAIL the gateway ended with {bench.gw.process.returncode} in {row.__name__}:\n{bench.gw.log_text()[-3000:]}", flush=True)
                sys.exit(1)
    print(f"{len(failed)} rows failed in {time.monotonic() - begun_all:.0f} s: {' '.join(failed)}")
    sys.exit(1 if failed else 0)
