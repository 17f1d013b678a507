#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A model without a price is served, shown aloud, and priced exactly once its price is known."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Gateway, Upstream, chat, check, completion, equal, run, wait_until

PRICES = """# tollgate overrides 2026-11-22.01
%s
"""


def a_price_that_comes_later_prices_the_past():
    up = Upstream(lambda r: r.answer(completion(model=r.json()["model"], prompt=1000, output=100)))
    folder = os.environ.get("TMPDIR", "/tmp")
    prices = os.path.join(folder, "prices.csv")
    header = next(line for line in open(os.path.join(os.environ.get("TOLLGATE_ROOT", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")), "data/prices.csv")) if line.startswith("kind,"))
    columns = header.strip().split(",")
    open(prices, "w").write(header)

    def row(meter, usd):
        values = {"kind": "price", "model": "gpt-new", "operation": "text", "meter": meter, "tier": "standard", "context": "short",
                  "from": "", "to": "", "usd": usd, "value": usd, "per": "1000000 tokens"}
        return ",".join(values.get(c, "") for c in columns) + "\n"

    with Gateway(up.url, args=["--prices", prices]) as g:
        for _ in range(3):
            _, headers, _ = g.post("/v1/chat/completions", chat(model="gpt-new"))
            equal(headers["x-tollgate-cost-usd"], "unpriced", "the head says so")
        equal({r["cost_state"] for r in g.rows()}, {"unpriced"}, "the rows say so")
        check("3 UNPRICED" in g.cli("cost").stdout, "the report says so")
        open(prices, "w").write(header + row("input", "2") + row("output", "10"))
        g.process.send_signal(signal.SIGHUP)
        wait_until("the new price", 3, lambda: g.post("/v1/chat/completions", chat(model="gpt-new"))[1]["x-tollgate-cost-usd"] == "0.003")
        done = json.loads(g.cli("reprice", "--json").stdout, parse_float=str)
        priced_before = done["changed"]
        check(priced_before >= 3, f"{done}")
        rows = g.rows()
        equal({(r["cost_state"], r["cost_usd"]) for r in rows}, {("priced", "0.003")}, "1000 × 2 + 100 × 10 dollars a million")
        report = json.loads(g.get("/tollgate/v1/cost?since=1d")[2], parse_float=str)
        equal((report["total"]["unpriced"], report["total"]["cost_usd"]), (0, f"{0.003 * len(rows):.3f}"), "the rollups moved with them")
        open(prices, "w").write("nonsense\n")
        status, _, body = g.request("POST", "/tollgate/v1/prices/reload", b"{}")
        equal((status, json.loads(body)["error"]["code"]), (400, "bad_prices"), "a broken file is refused")
        equal(g.post("/v1/chat/completions", chat(model="gpt-new"))[1]["x-tollgate-cost-usd"], "0.003", "and the old one stays")


run(a_price_that_comes_later_prices_the_past)
