#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""
Clients that leave in the middle of a routed request: while it waits for a retry, a time-out, a webhook, an embedding, an
Azure token, in a stream behind a fallback. Each upstream call is still a row of the ledger, upstream connections are
given up at once, nothing goes on being tried for nobody, and the next client is served.
"""

import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_until
from portkey import Bench, Wire, asked, fallback, target
from scripted import ScriptedUpstream, events_of, say, stream

ROUNDS, THREADS = 30, 6


def configs(b):
    """Config, and members of the body; each is slow at another stage."""
    guard = {"default.webhook": {"webhookURL": b.up.host("/hook/slow"), "timeout": 2500}, "deny": True}
    azure = {"provider": "azure-openai", "azure_auth_mode": "entra", "azure_entra_client_id": "c", "azure_entra_client_secret": "s",
             "azure_entra_tenant_id": "slow", "resource_name": "r", "deployment_id": "d", "api_version": "v1", "custom_host": b.up.host("/openai")}
    return {
        "retry": ({"provider": "@a", "retry": {"attempts": 5}, "override_params": {"model": "fails"}}, {}),
        "timeout": (fallback(target("a", "slow", request_timeout=80), target("b", "slow"), codes=[408]), {}),
        "before": ({"provider": "@a", "input_guardrails": [guard]}, {}),
        "after": ({"provider": "@a", "output_guardrails": [guard]}, {}),
        "semantic": ({"provider": "@a", "cache": {"mode": "semantic"}}, {}),
        "token": (azure, {}),
        "stream": (fallback(target("a", "fails"), target("b", "drips")), {"stream": True}),
        "cached": ({"provider": "@a", "cache": {"mode": "simple"}, "override_params": {"model": "drips"}}, {"stream": True}),
    }


def leave(b, config, body, after_s):
    """Sends a request and closes the connection so much later."""
    wire = Wire(b, timeout=10)
    data = json.dumps({**asked("m"), **body}).encode()
    wire.connection.request("POST", "/v1/chat/completions", data, {"x-portkey-api-key": b.key, "Content-Type": "application/json",
                                                                  "x-portkey-config": json.dumps(config)})
    time.sleep(after_s)
    wire.close()


def resident_kb(b):
    with open(f"/proc/{b.gw.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def descriptors(b):
    return len(os.listdir(f"/proc/{b.gw.process.pid}/fd"))


class SlowEmbeddings(ScriptedUpstream):
    def _embed(self, request):
        time.sleep(0.2)
        return super()._embed(request)


def clients_leave_at_every_stage():
    up = SlowEmbeddings()
    up.on("fails", say(500))
    up.on("slow", say(delay=0.5))
    up.on("drips", stream(events_of(tuple("word " for _ in range(40))), gap=0.01))
    up.on_path("/hook/slow", say(body={"verdict": True}, delay=0.2))
    up.on_path("/slow/oauth2/v2.0/token", say(body={"access_token": "t", "expires_in": 1}, delay=0.2))
    with Bench(upstream=up, retry_wait_ms=40, args=["--azure-entra-url", up.host()]) as b:
        made = configs(b)
        for config, body in made.values():
            Wire(b).post(asked("m", **body), {"x-portkey-config": config})
        before = (resident_kb(b), descriptors(b))

        def some(seed):
            rng = random.Random(seed)
            for _ in range(ROUNDS):
                name = rng.choice(sorted(made))
                config, body = made[name]
                leave(b, config, {**body, "seed": rng.randint(0, 1 << 30)}, rng.choice((0.0, 0.005, rng.random() * 0.4)))
        threads = [threading.Thread(target=some, args=(i,)) for i in range(THREADS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        time.sleep(0.3)
        served = len(up.requests)
        time.sleep(0.6)
        equal(len(up.requests), served, "calls upstream after all clients had left")
        wait_until("the upstream's busy connections are given up", 10, lambda: up.open <= 16)
        calls = [r for r in up.requests if r.path.endswith("/chat/completions")]

        def rows():
            """Those that say that a call was made."""
            found = [r for r in b.gw.rows(5000) if r["operation"] == "chat.completions"]
            told = [r for r in found if r["upstream_status"] or r["usage"]["source"] != "none" or r["outcome"] == "upstream_failed"]
            return (found, told) if len(told) >= len(calls) else None
        found, told = wait_until(f"{len(calls)} calls upstream are rows", 10, rows)
        print(f"{THREADS * ROUNDS} clients left; {len(calls)} calls upstream, {len(told)} rows that say so, {len(found)} rows of "
              f"{len({r['request_id'] for r in found})} requests; {up.open} connections are kept")
        # A call that is given up at once may end before the upstream has read it.
        check(len(told) - len(calls) <= THREADS * ROUNDS // 3, f"{len(told)} rows say that a call was made, the upstream had {len(calls)}")
        equal({r["outcome"] for r in found} <= {"completed", "client_cancelled", "upstream_error", "upstream_failed"}, True, "outcomes")
        for name, (config, body) in made.items():
            status, _, answer = Wire(b).post(asked("m", **body), {"x-portkey-config": config})
            wanted = 500 if name == "retry" else 200
            equal(status, wanted, f"a client of '{name}' that stays: {answer[:200]!r}")
        after = (resident_kb(b), descriptors(b))
        check(after[1] <= before[1] + 12, f"descriptors {before[1]} before, {after[1]} after")
        check(after[0] - before[0] < (64 << 10), f"memory {before[0]} KiB before, {after[0]} KiB after")


if __name__ == "__main__":
    run(clients_leave_at_every_stage)
