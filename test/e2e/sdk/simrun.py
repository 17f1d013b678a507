# SPDX-License-Identifier: Apache-2.0
"""
Runs an SDK suite against the simulator and compares what the SDK sent and received with what the
simulator says it got and served: bytes, hashes, status, usage.

    from sdk.simrun import Sim, check_suite
    with Sim() as sim:
        failures = check_suite(sim, [command, …], base_url)

The suites print a JSON line for each operation (see harness.mjs). The same comparison serves when
something stands between the SDK and the simulator: give its base URL.
"""

import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

FOLDER = pathlib.Path(__file__).resolve().parent
API_KEY = "sk-test-0123456789abcdef"
ADMIN_KEY = "sk-admin-0123456789abcdef"


class Sim:
    """The simulator, on a port of its own."""

    def __init__(self, *options, binary=None):
        self.binary = binary or os.environ["TOLLGATE_SIM_BIN"]
        self.options = options

    def __enter__(self):
        self.child = subprocess.Popen([self.binary, "--listen", "127.0.0.1:0", *self.options],
                                      stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        if " on " not in line:
            raise RuntimeError(f"the simulator did not start: {line}")
        self.base = line.split(" on ")[1].strip()
        self.root = self.base.removesuffix("/v1")
        return self

    def __exit__(self, *_):
        self.child.terminate()
        status = self.child.wait(20)
        if status != 0:
            raise RuntimeError(f"the simulator ended with {status}")

    def get(self, path):
        with urllib.request.urlopen(self.root + path, timeout=30) as answer:
            return json.load(answer)

    def rows(self):
        """All requests it remembers, by x-request-id."""
        rows, since = {}, 0
        while True:
            page = self.get(f"/sim/requests?since={since}&limit=10000")
            for row in page["data"]:
                rows[row["request_id"]] = row
            since = page["last_id"]
            if not page["has_more"]:
                return rows


def tokens(usage):
    """(input, output) of any usage object; None when it has no tokens."""
    for names in (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")):
        if isinstance(usage, dict) and names[0] in usage:
            return usage[names[0]], usage.get(names[1], 0)
    return None


def compare(exchange, row, may_differ):
    """What differs between the two ends of one exchange."""
    wrong = []
    for name in ("status", "request_sha256", "request_bytes", "response_sha256", "response_bytes"):
        got = exchange.get(name)
        if may_differ and name in may_differ(exchange, row):
            continue
        if got is None and name.startswith("response") and (exchange.get("aborted") or row["aborted"]):
            continue
        if got != row[name]:
            wrong.append(f"{name}: {got} here, {row[name]} there")
    return wrong


def check_line(line, rows, may_differ):
    wrong = [] if line["ok"] else [line["error"]]
    served = []
    for exchange in line["exchanges"]:
        row = rows.get(exchange.get("request_id"))
        if row is None:
            wrong.append(f"{exchange['method']} {exchange['path']} is unknown to the simulator")
            continue
        wrong += [f"{exchange['method']} {exchange['path']}: {w}" for w in compare(exchange, row, may_differ)]
        if row["usage"]:
            served.append((row["usage"]["input_tokens"], row["usage"]["output_tokens"]))
    got = tokens(line["usage"])
    batch = any(e["path"].endswith("/batches") for e in line["exchanges"])
    if got and not batch and got not in served:
        wrong.append(f"usage {got} is none of those served: {served}")
    return wrong


def check_suite(sim, command, base_url, env=None, may_differ=None):
    """
    Number of failed operations; prints a line for each failure and a summary. `may_differ(exchange, row)`
    gives the names of what something in between was meant to change.
    """
    started = time.monotonic()
    child = subprocess.run(command, env=dict(os.environ, BASE_URL=base_url, API_KEY=API_KEY, ADMIN_KEY=ADMIN_KEY,
                                             **(env or {})),
                           stdout=subprocess.PIPE, text=True, check=False)
    lines = [json.loads(line) for line in child.stdout.splitlines() if line.startswith("{")]
    rows = sim.rows()
    failed = exchanges = 0
    for line in lines:
        exchanges += len(line["exchanges"])
        wrong = check_line(line, rows, may_differ)
        if wrong:
            failed += 1
            print(f"FAIL {line['op']}\n  " + "\n  ".join(wrong), flush=True)
    if not lines or (child.returncode != 0) != any(not line["ok"] for line in lines):
        failed += 1
        print(f"FAIL the suite ended with {child.returncode} after {len(lines)} operations")
    print(f"{len(lines)} operations, {exchanges} exchanges, {failed} failed, {time.monotonic() - started:.1f} s")
    return failed


def node():
    """The Node that the npm packages bring, or the one on the path."""
    for folder in (os.environ.get("NODE_PATH", ""), str(FOLDER.parent / "node_modules")):
        found = list(pathlib.Path(folder).glob("node-linux-*/bin/node")) if folder else []
        if found:
            return str(found[0])
    return "node"


def main(command):
    with Sim() as sim:
        sys.exit(1 if check_suite(sim, command, sim.base) else 0)
