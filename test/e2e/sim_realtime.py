#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""WebSockets of the simulator, and that its record says what the sockets carried."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

from sdk.simrun import API_KEY, FOLDER, Sim, node


def run(script, sim, **env):
    child = subprocess.run([node(), str(FOLDER / script)], stdout=subprocess.PIPE, text=True, check=False, timeout=120,
                           env=dict(os.environ, BASE_URL=sim.base, API_KEY=API_KEY, **env))
    return [json.loads(line) for line in child.stdout.splitlines()]


def check(lines, rows):
    """Failures of the operations, and usage that no session's row has."""
    failed = 0
    served = [(r["usage"]["input_tokens"], r["usage"]["output_tokens"]) for r in rows]
    for line in lines:
        usage = line["usage"]
        if not line["ok"]:
            failed += 1
            print("FAIL", line["op"], line["error"])
        elif usage and (usage["input_tokens"], usage["output_tokens"]) not in served:
            failed += 1
            print("FAIL", line["op"], usage, "is none of", served)
    return failed


def plain():
    with Sim() as sim:
        lines = run("realtime_node.mjs", sim)
        rows = [r for r in sim.rows().values() if r["status"] == 101 and r["usage"]]
        failed = check(lines, rows)
        heard = [r for r in rows if r["model_answered"] in ("gpt-4o-transcribe", "whisper-1")]
        if sorted(r["usage"]["meters"].get("audio_ms", 0) for r in heard) != [0, 1000]:
            failed += 1
            print("FAIL transcriptions have rows of their own:", heard)
        live = [r for r in rows if r["operation"] == "live"]
        if [r["usage"]["meters"] for r in live] != [{"audio_ms": 2000}]:
            failed += 1
            print("FAIL live seconds:", live)
    return len(lines), failed


def encrypted():
    """The SDK's own sockets insist on TLS."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/k", "-out", f"{folder}/c"],
                       check=True, capture_output=True)
        with Sim("--tls-cert", f"{folder}/c", "--tls-key", f"{folder}/k") as sim:
            lines = run("realtime_sdk_node.mjs", sim, NODE_EXTRA_CA_CERTS=f"{folder}/c")
            time.sleep(0.2)  # rows of sockets are written when they end
            with urllib.request.urlopen(sim.root + "/sim/requests", context=ssl.create_default_context(
                    cafile=f"{folder}/c")) as answer:
                rows = json.load(answer)["data"]
            return len(lines), check(lines, [r for r in rows if r["usage"]])


done = [plain(), encrypted()]
operations, failures = (sum(x) for x in zip(*done))
print(f"{operations} operations, {failures} failed")
sys.exit(1 if failures or operations < 12 else 0)
