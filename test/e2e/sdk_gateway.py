#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=600
"""
The real OpenAI SDKs through the gateway, over every operation, streamed and not. What the ledger
says afterwards must be what the simulator says it served: bytes by their hashes, usage by its
meters, money to the last digit.
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from decimal import Decimal

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))
from harness import Gateway, binary, check, equal, free_port, run, wait_until

SUITES = {"node": ["node", str(HERE / "sdk/openai_node.mjs")], "python": [sys.executable, str(HERE / "sdk/openai_python.py")]}


class Simulator:
    def __init__(self):
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([binary("tollgate-sim"), "--listen", f"127.0.0.1:{self.port}", "--seed", "7"], stdout=self.log, stderr=self.log)
        wait_until("the simulator is ready", 20, self.ready)

    def ready(self):
        try:
            return self.get("/sim/totals") is not None
        except OSError:
            return False

    def get(self, path, key=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        c.request("GET", path, headers={"Authorization": "Bearer " + key} if key else {})
        answer = c.getresponse()
        body = answer.read()
        c.close()
        check(answer.status == 200, f"{path} gave {answer.status}: {body[:300]!r}")
        return json.loads(body, parse_float=Decimal)

    def rows(self):
        found, since = [], 0
        while True:
            page = self.get(f"/sim/requests?since={since}&limit=1000")
            found += page["data"]
            if not page["has_more"]:
                return found
            since = page["last_id"]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def run_suite(name, url, key):
    env = dict(os.environ, BASE_URL=url + "/v1", API_KEY=key)
    done = subprocess.run(SUITES[name], env=env, capture_output=True, text=True, timeout=400)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    bad = [line for line in lines if not line.get("ok")]
    check(done.returncode == 0 and not bad, f"{name}: exit {done.returncode}, {bad[:5]}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    check(len(lines) > 30, f"{name}: only {len(lines)} operations")
    print(f"{name}: {len(lines)} operations through the gateway", flush=True)


def ledger_rows(g):
    found, before = [], None
    while True:
        page = g.rows(5000, **({"before": before} if before else {}))
        found += page
        if len(page) < 5000:
            return found
        before = page[-1]["id"]


def body_hash(body):
    """The hash of a kept body; None when only its beginning is there and no hash of the whole."""
    if body.get("sha256"):
        return body["sha256"]
    if body["cut"]:
        return None
    kept = base64.b64decode(body["base64"]) if "base64" in body else body["text"].encode()
    return hashlib.sha256(kept).hexdigest()


def compare_bytes(g, row, served):
    full = json.loads(g.get("/tollgate/v1/logs/" + row["id"])[2])
    if "request_body" not in full:
        return 0
    hidden = row["stream"] and row["operation"] in ("chat.completions", "completions")
    name = f"{row['operation']} {row['id']}"
    if not hidden and served["request_sha256"] and served["request_bytes"]:
        equal(body_hash(full["request_body"]), served["request_sha256"], f"{name}: request bytes")
    if not hidden and served["response_sha256"] and served["response_bytes"]:
        equal(body_hash(full["response_body"]), served["response_sha256"], f"{name}: response bytes")
    return 1


def compare_usage(row, parts, served):
    name = f"{row['operation']} {row['id']} ({row['usage']['source']})"
    equal(row["status"], served["status"], f"{name}: status")
    if served["model"] and row["operation"] != "responses.websocket":  # there the model is asked for in the messages
        equal(row["model_asked"], served["model"], f"{name}: model asked")
    if not served["usage"] or served["status"] >= 400:
        return 0
    if row["cost_state"] == "free":
        return 0
    if row["usage"]["source"] in ("estimated", "unknown"):
        check(row["cost_state"] in ("estimated", "unpriced"), f"{name}: what was not reported must not look exact")
        check(not served["usage_reported"], f"{name}: usage was reported and not read")
        return 0
    meters = dict(row["usage"]["meters"])
    if not served["usage_reported"] and "characters" in meters and "characters" not in served["usage"]["meters"]:
        # Speech billed by token whose binary answer brings no usage: the characters are exact, the price is not.
        equal(row["cost_state"], "estimated", f"{name}: a rough price must say so")
        return 0
    for part in parts:  # what a tool or a transcription inside the answer consumed, at another model's price
        for meter, quantity in part["usage"]["meters"].items():
            meters[meter] = meters.get(meter, 0) + quantity
    equal(meters, served["usage"]["meters"], f"{name}: meters")
    return 1


def compared(wrong, comparison):
    """The comparison's count; a difference goes to the list, so that one run shows all of them."""
    try:
        return comparison()
    except AssertionError as difference:
        wrong.append(str(difference))
        return 0


def the_ledger_is_what_the_simulator_served():
    sim = Simulator()
    try:
        with Gateway(f"http://127.0.0.1:{sim.port}/v1", args=["--capture-bytes", "4m"]) as g:
            key = g.key("sdk")
            before = len(sim.rows())
            for name in SUITES:
                run_suite(name, g.url, key)
            served = {r["request_id"]: r for r in sim.rows()[before:]}
            rows = ledger_rows(g)
            parts = {}
            for r in rows:
                if r["attempt"]:
                    parts.setdefault(r["request_id"], []).append(r)
            joined = [(r, served[r["upstream_request_id"]]) for r in rows if not r["attempt"] and r["upstream_request_id"] in served]
            websockets = [r for r in rows if r["status"] == 101]
            missing = set(served) - {r["upstream_request_id"] for r in rows}
            lost = [served[i] for i in missing if served[i]["status"] != 101 and not served[i]["batch"]]
            equal([(r["method"], r["path"]) for r in lost][:5], [], "served requests without a row")
            wrong = []
            hashed = sum(compared(wrong, lambda: compare_bytes(g, r, s)) for r, s in joined)
            metered = sum(compared(wrong, lambda: compare_usage(r, parts.get(r["id"], []), s)) for r, s in joined)
            for line in wrong:
                print("differs:", line)
            print(f"{len(joined)} rows joined, {hashed} with equal bytes, {metered} with equal usage, {len(websockets)} sessions")
            check(metered > 40, "too little was metered")
            check(not wrong, f"{len(wrong)} differences")
            unpriced = {(r["operation"], r["model_asked"], r["cost_reason"]) for r in rows if r["cost_state"] == "unpriced"}
            for line in sorted(map(str, unpriced)):
                print("unpriced:", line)
            total = json.loads(g.get("/tollgate/v1/cost?since=1d")[2], parse_float=str)["total"]
            rows_sum = sum(Decimal(r["cost_usd"]) for r in rows if r["cost_usd"] is not None)
            equal(Decimal(str(total["cost_usd"])), rows_sum, "the report adds up to its rows")
    finally:
        sim.stop()


if not all(os.path.exists(command[1]) for command in SUITES.values()):
    print("the SDK suites of test/e2e/sdk are not there")
    sys.exit(77)
run(the_ledger_is_what_the_simulator_served)
