#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""WebSockets of the simulator, and that its record says what the sockets carried."""

import json
import os
import subprocess
import sys

from sdk.simrun import API_KEY, FOLDER, Sim, node


def main():
    failed = 0
    with Sim() as sim:
        env = dict(os.environ, BASE_URL=sim.base, API_KEY=API_KEY)
        child = subprocess.run([node(), str(FOLDER / "realtime_node.mjs")], env=env, stdout=subprocess.PIPE, text=True,
                               check=False, timeout=120)
        lines = [json.loads(line) for line in child.stdout.splitlines()]
        rows = [r for r in sim.rows().values() if r["status"] == 101 and r["usage"]]
        served = [(r["operation"], r["usage"]["input_tokens"], r["usage"]["output_tokens"]) for r in rows]
        for line in lines:
            usage = line["usage"]
            operation = "responses.websocket" if line["op"] == "responses socket" else "realtime"
            if not line["ok"]:
                failed += 1
                print("FAIL", line["op"], line["error"])
            elif usage and (operation, usage["input_tokens"], usage["output_tokens"]) not in served:
                failed += 1
                print("FAIL", line["op"], usage, "is none of", served)
        heard = [r for r in rows if r["model_answered"] in ("gpt-4o-transcribe", "whisper-1")]
        if sorted(r["usage"]["meters"].get("audio_ms", 0) for r in heard) != [0, 1000]:
            failed += 1
            print("FAIL transcriptions have rows of their own:", heard)
        live = [r for r in rows if r["operation"] == "live"]
        if [r["usage"]["meters"] for r in live] != [{"audio_ms": 2000}]:
            failed += 1
            print("FAIL live seconds:", live)
    print(f"{len(lines)} operations, {failed} failed")
    sys.exit(1 if failed or len(lines) < 10 else 0)


main()
