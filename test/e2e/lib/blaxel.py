# SPDX-License-Identifier: Apache-2.0
"""
A bench for Blaxel's contract: a gateway, a scripted upstream, one admin connection "openai-main", a member's key, and the
real Node SDKs, one process for each way to point them at a server.
"""

import itertools
import json
import os
import pathlib
import subprocess
import tempfile

from harness import ADMIN_KEY, Gateway, check
from scripted import ScriptedUpstream

DRIVER = pathlib.Path(__file__).resolve().parent.parent / "sdk" / "blaxel_node.mjs"
SECRET = "sk-proj-stored-secret-0123456789abcd"
MASK = "sk-…abcd"
PAGES = {"Blaxel-Version": "2026-04-28"}


class Sdk:
    """A Node process with an environment of its own; calls come one after the other."""

    def __init__(self, env):
        home = tempfile.mkdtemp(prefix="blaxel-home-")
        full = dict(os.environ, HOME=home, DO_NOT_TRACK="1", **env)
        self.process = subprocess.Popen(["node", str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env=full, cwd=home)
        self.ids = itertools.count(1)
        self.wire = []

    def raw(self, sdk, call, *args):
        number = next(self.ids)
        self.process.stdin.write(json.dumps({"id": number, "sdk": sdk, "call": call, "args": args}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                self.wire = answer["wire"]
                return answer
        raise AssertionError(f"the SDK's process ended in {call}")

    def __call__(self, call, args=None, sdk="core"):
        """What the SDK gives for the call; an error of the SDK's own fails the test."""
        answer = self.raw(sdk, call, *([] if args is None else [args]))
        check(answer["ok"], f"{sdk} {call}: {answer.get('error')}")
        return answer["value"]

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Bench:
    def __init__(self, args=()):
        self.up = ScriptedUpstream()
        self.gw = Gateway(args=args)
        self.key = self.gw.key("member")
        self.sdks = []
        self.post("/integrations/connections", connection("openai-main", self.up.url), key=ADMIN_KEY)
        self.core = self.sdk()

    def __enter__(self):
        self.gw.__enter__()
        return self

    def __exit__(self, *what):
        for sdk in self.sdks:
            sdk.stop()
        self.up.close()
        return self.gw.__exit__(*what)

    def sdk(self, key=None, workspace="default", **env):
        base = {"BL_API_URL": self.gw.url + "/v0", "BL_RUN_URL": self.gw.url + "/run", "BL_API_KEY": key or self.key, "BL_WORKSPACE": workspace}
        made = Sdk({**base, **env})
        self.sdks.append(made)
        return made

    def call(self, method, path, body=None, key=None, headers=None):
        """(status, headers, answer) of a call of the control plane."""
        send = {"x-blaxel-authorization": "Bearer " + (key or self.key), "x-blaxel-workspace": "default" if key == ADMIN_KEY else None, **(headers or {})}
        status, fields, answer = self.gw.request(method, "/v0" + path, body, {k: v for k, v in send.items() if v}, key=None)
        check(fields["content-type"] == "application/json", f"{method} {path}: {fields['content-type']}")
        parsed = json.loads(answer)
        check(status < 400 or isinstance(parsed.get("error"), str), f"{method} {path}: an error without `error`: {answer}")
        return status, fields, parsed

    def ok(self, method, path, body=None, **more):
        status, _, answer = self.call(method, path, body, **more)
        check(status == 200, f"{method} {path} gave {status}: {answer}")
        return answer

    def get(self, path, **more):
        return self.ok("GET", path, **more)

    def post(self, path, body, **more):
        return self.ok("POST", path, body, **more)

    def put(self, path, body, **more):
        return self.ok("PUT", path, body, **more)

    def model(self, name, upstream="gpt-4o-mini", **spec):
        """Makes a model API."""
        return self.post("/models", model(name, upstream, **spec))

    def run(self, name, body=None, path="/v1/chat/completions", headers=None, key=None, method="POST", workspace="default", prefix="/run"):
        """A raw call of a model API with the Blaxel header."""
        send = {"x-blaxel-authorization": "Bearer " + (key or self.key)}
        send.update(headers or {})
        body = {"messages": [{"role": "user", "content": "Hi"}]} if body is None else body
        return self.gw.request(method, f"{prefix}/{workspace}/models/{name}{path}", None if method == "GET" else body,
                               {k: v for k, v in send.items() if v is not None}, key=None)


def connection(name, url, secret=SECRET, **config):
    return {"metadata": {"name": name, "displayName": "OpenAI"},
            "spec": {"integration": "openai", "config": {"baseURL": url, **config}, "secret": {"apiKey": secret}}}


def model(name, upstream="gpt-4o-mini", runtime=None, connections=("openai-main",), labels=None, display=None, **spec):
    metadata = {"name": name, **({"labels": labels} if labels else {}), **({"displayName": display} if display else {})}
    return {"metadata": metadata,
            "spec": {"integrationConnections": list(connections), "runtime": {"type": "openai", "model": upstream, **(runtime or {})}, **spec}}


def envelope(row, answer, status, code):
    """The run plane's own error."""
    found, fields, body = answer
    parsed = json.loads(body)["error"]
    check((found, parsed["code"], parsed["status"], parsed["origin"]) == (status, code, status, "platform"), f"{row}: {found} {body}")
    check(fields.get("x-blaxel-source") == "platform" and fields.get("x-blaxel-error-code") == code, f"{row}: {fields}")
    return parsed
