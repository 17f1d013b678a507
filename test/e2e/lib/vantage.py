# SPDX-License-Identifier: Apache-2.0
"""A gateway and Vantage's own SDK in one long-lived process."""

import json
import pathlib
import subprocess

from harness import ADMIN_KEY, Gateway, check
from vantage_contract import faults

DRIVER = pathlib.Path(__file__).resolve().parent.parent / "sdk" / "vantage_node.mjs"
UNDEFINED = {"$undefined": 1}


class Answer:
    def __init__(self, raw):
        wrong = [fault for exchange in raw.get("wire", []) for fault in faults(*exchange)]
        check(not wrong, "typed clients would fail: " + "; ".join(wrong[:5]))
        self.raw, self.ok, self.value, self.kind = raw, raw["ok"], raw.get("value"), raw.get("kind")
        self.error = raw.get("error") or {}
        self.status, self.errors = self.error.get("status"), self.error.get("errors")

    def fine(self, row):
        check(self.ok, f"{row}: the SDK failed: {self.error}")
        return self.value

    def refused(self, row, status, text=""):
        check(not self.ok and self.error["ours"], f"{row}: no VantageAPIError but {self.raw}")
        check(self.status == status, f"{row}: {self.status} instead of {status}: {self.error}")
        check(isinstance(self.errors, list) and self.errors and all(isinstance(e, str) for e in self.errors), f"{row}: errors {self.error}")
        check(text in self.errors[0], f"{row}: {text!r} is not in {self.errors}")
        return self.errors[0]


class Vantage:
    def __init__(self, **more):
        self.gw = Gateway(**more)
        self.node = subprocess.Popen(["node", str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, name, *args, token=ADMIN_KEY, **more):
        json.dump({"id": 1, "base": self.gw.url, "token": token, "call": name, "args": args, **more}, self.node.stdin)
        self.node.stdin.write("\n")
        self.node.stdin.flush()
        return Answer(json.loads(self.node.stdout.readline()))

    def request(self, path, method="GET", body=None, **more):
        """client.request: what the SDK has no name for."""
        return self.call("request", path, method, body or {}, **more)

    def raw(self, method, path, body=None, key=ADMIN_KEY, **headers):
        """(status, headers, answer) without an SDK."""
        status, fields, answer = self.gw.request(method, path, body, headers, key=key)
        wrong = faults(method, path, status, answer)
        check(not wrong, "typed clients would fail: " + "; ".join(wrong[:5]))
        return status, fields, json.loads(answer) if answer else None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.node.stdin.close()
        self.node.wait(10)
        passed = kind is SystemExit and not value.code  # how run() ends
        return self.gw.__exit__(None if passed else kind, value, trace)
