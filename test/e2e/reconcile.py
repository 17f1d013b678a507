#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Reconciliation: a week of mixed traffic through the gateway, billed by the simulator and imported back, differs by exactly
nothing; what is put in to make it differ is named. Nothing is tolerated here: tolerances are 0.
"""

import csv
import decimal
import http.client
import io
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from days import DatedWorld
from harness import PROVIDER_KEY, chat, check, equal, run, wait_until

D = decimal.Decimal
SECOND_KEY = "sk-second-secret-for-tests-9876543210"
LAPTOP_KEY = "sk-laptop-secret-for-tests-1111122222"
LONG = "Once upon a time there was a gateway. " * 200


def send(w, path, body, **headers):
    status, fields, answer = w.gw.post(path, body, headers={k.replace("_", "-"): str(v) for k, v in headers.items()})
    return status, fields, answer


def fine(w, path, body, **headers):
    status, fields, answer = send(w, path, body, **headers)
    equal(status, 200, f"{path}: {answer[:300]}")
    return fields


def asks(text, model="gpt-4o-mini", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def config(**of):
    return json.dumps(of)


def straight(w, key, body, path="/v1/chat/completions"):
    """Around the gateway."""
    c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=20)
    c.request("POST", path, json.dumps(body), {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
    answer = c.getresponse()
    equal(answer.status, 200, f"straight to OpenAI: {answer.read()[:200]}")
    c.close()


def a_days_traffic(w, n):
    """Everything that a gateway is used for."""
    fine(w, "/v1/chat/completions", asks(f"day {n}"))
    fine(w, "/v1/chat/completions", asks(f"day {n}, streamed", stream=True))
    fine(w, "/v1/chat/completions", asks(f"day {n}", model="gpt-4o", stream=True, stream_options={"include_usage": True}))
    fine(w, "/v1/chat/completions", asks(f"day {n}. {LONG}", model="gpt-4o"))
    fine(w, "/v1/chat/completions", asks(f"day {n}. {LONG}", model="gpt-4o"))  # its prompt is cached at OpenAI now
    fine(w, "/v1/chat/completions", asks(f"day {n}", model="o4-mini"), x_sim_reasoning_tokens=300)
    fine(w, "/v1/chat/completions", asks(f"day {n}", model="gpt-5.4", service_tier="priority"), x_sim_tier="priority")
    fine(w, "/v1/chat/completions", asks(f"day {n}", model="gpt-5.4", service_tier="flex"), x_sim_tier="flex")
    fine(w, "/v1/chat/completions", asks(f"day {n}", model="gpt-5.4"), x_sim_usage=json.dumps(
        {"prompt_tokens": 300000, "completion_tokens": 11, "total_tokens": 300011, "prompt_tokens_details": {"cached_tokens": 1024}}))
    fine(w, "/v1/responses", {"model": "gpt-4.1", "input": f"day {n}"})
    fine(w, "/v1/responses", {"model": "gpt-4.1", "input": f"day {n}", "stream": True})
    fine(w, "/v1/embeddings", {"model": "text-embedding-3-small", "input": [f"day {n}", "and another"]})
    fine(w, "/v1/audio/speech", {"model": "tts-1", "voice": "alloy", "input": f"It is day {n}."})
    fine(w, "/v1/images/generations", {"model": "dall-e-3", "prompt": f"day {n}", "size": "1024x1024"})
    fine(w, "/v1/chat/completions", asks(f"day {n}, second key"), x_portkey_config=config(provider="@second"))
    # Retries and fallbacks: attempts that fail cost nothing, those that answer do.
    fine(w, "/v1/chat/completions", asks(f"day {n}", model="gpt-4.1-mini"), x_portkey_config=config(retry={"attempts": 2}, provider="@openai"))
    fine(w, "/v1/chat/completions", asks(f"day {n}"), x_portkey_config=config(
        strategy={"mode": "fallback"}, targets=[{"provider": "@openai", "override_params": {"model": "gpt-4-turbo"}}, {"provider": "@second"}]))
    # Out of the gateway's cache: not billed, not metered.
    for _ in range(2):
        fields = fine(w, "/v1/chat/completions", asks(f"day {n}, kept"), x_portkey_config=config(provider="@openai", cache={"mode": "simple"}))
    equal(fields.get("x-portkey-cache-status"), "HIT", "out of the cache")
    equal(send(w, "/v1/chat/completions", {"model": "gpt-4o-mini"}, x_sim_status=400)[0], 400, "refused upstream")


def ask(w, first, last, group_by="", **more):
    query = "".join(f"&{k}={v}" for k, v in more.items())
    status, _, body = w.gw.get(f"/tollgate/v1/reconciliation?start_date={w.days.text(first)}&end_date={w.days.text(last)}"
                               f"&group_by={group_by}&tolerance_usd=0&tolerance_percent=0{query}")
    equal(status, 200, f"reconciliation: {body[:300]}")
    answer = json.loads(body, parse_float=str)
    for row in [answer["total"], *answer["data"]]:
        gap = D(row["billed"]) - D(row["metered"])
        equal(D(row["gap"]), gap, "gap")
        equal(D(row["volume_gap"]) + D(row["rate_gap"]) + D(row["pricing_gap"]), gap, f"the gaps of {row}")
        equal(sum(map(D, row["causes"].values()), D(0)), gap, f"the causes of {row}")
        equal(D(row["attributed"]) + D(row["unattributed"]), D(row["billed"]), "what is attributed and what is not")
    for name in ("billed", "metered", "gap", "unattributed"):
        equal(sum((D(row[name]) for row in answer["data"]), D(0)), D(answer["total"][name]), f"the sum of {name}")
    return answer


def drained(w):
    """All that was sent is in the ledger."""
    wait_until("the ledger has it", 20, lambda: w.gw.metrics().get("tollgate_journal_pending_bytes", 0) == 0)


def a_week_of_mixed_traffic_reconciles_to_nothing():
    with DatedWorld(sim_args=["--script", script()], start=-9) as w:
        connect(w)
        for n in range(-9, -2):
            w.days.stand(n)
            a_days_traffic(w, n)
        w.days.stand(0)
        settle(w)
        for group_by in ("", "day", "project,api_key", "day,model,meter,service_tier", "operation,status"):
            answer = ask(w, -9, -3, group_by)
            check(D(answer["total"]["billed"]) > 1, f"billed: {answer['total']}")
            for row in [answer["total"], *answer["data"]]:
                for name in ("gap", "volume_gap", "rate_gap", "pricing_gap", "unattributed"):
                    equal(D(row[name]), 0, f"{group_by}: {name} of {row}")
                equal(row["status"], "matched", f"{group_by}: {row}")
        equal(answer["shadow_traffic"] + answer["price_suggestions"] + answer["excluded"] + answer["unpriced"], [], "nothing to say")
        equal(answer["completeness"]["billed_through"], w.days.text(-3), "billed through")
        bill = ask(w, -9, -3, "model")
        check({row["model"] for row in bill["data"]} >= {"gpt-4o", "gpt-4o-mini", "gpt-5.4", "text-embedding-3-small", "tts-1", "dall-e-3"}, "models")
        equal(D(bill["total"]["billed"]), sim_total(w), "the bill is what the simulator served")


def script():
    """The first of each two requests for one model fails, and one model always does."""
    import tempfile
    name = os.path.join(tempfile.mkdtemp(prefix="tollgate-reconcile-"), "script")
    with open(name, "w") as f:
        f.write('{"match":{"model":"gpt-4.1-mini"},"do":{"status":500},"every":2}\n')
        f.write('{"match":{"model":"gpt-4-turbo"},"do":{"status":503}}\n')
    return name


def connect(w):
    w.gw.connect(w.url)
    w.gw.cli("connect", "openai", "--slug", "second", "--api-key-env", "K", "--base-url", w.url, env={"K": SECOND_KEY})


def settle(w):
    import time
    time.sleep(0.5)
    w.import_bill()


def sim_total(w):
    c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=20)
    start = (w.days.today - 20) * 86400
    c.request("GET", f"/v1/organization/costs?start_time={start}&limit=60", headers={"Authorization": "Bearer sk-admin-secret-for-tests-0123456789"})
    page = json.loads(c.getresponse().read(), parse_float=D, parse_int=D)
    c.close()
    return sum((D(r["amount"]["value"]) for b in page["data"] for r in b["results"]), D(0))


# --- differences ------------------------------------------------------------------------------


def prices():
    """What this gateway believes of one model: twice what OpenAI charges for output."""
    import tempfile
    name = os.path.join(tempfile.mkdtemp(prefix="tollgate-reconcile-"), "prices.csv")
    with open(name, "w") as f:
        f.write(OVERRIDES)
    return name


OVERRIDES = """kind,model,operation,meter,tier,context,quality,size,from,to,value,per,basis,note
price,gpt-4.1-nano,text,input,standard,,,,,,0.1,1000000 tokens,,
price,gpt-4.1-nano,text,output,standard,,,,,,0.8,1000000 tokens,,
"""


def cut(w, text):
    """A stream that ends in the middle: the gateway has to count, and does not see what the model thought."""
    try:
        send(w, "/v1/chat/completions", asks(text, model="o4-mini", stream=True), x_sim_cut_after_events=9, x_sim_reasoning_tokens=500, x_sim_reset=1)
    except (OSError, http.client.HTTPException):
        pass


def differences(w):
    plain = asks("plain")
    days = {}
    for day in range(-9, -3):
        w.days.stand(day)
        fine(w, "/v1/chat/completions", plain)
        if day == -9:
            for i in range(3):
                straight(w, PROVIDER_KEY, asks(f"around {i}", model="gpt-4.1"))
            straight(w, LAPTOP_KEY, asks("from a laptop", model="gpt-4o"))
            days[day] = "bypassed"
        elif day == -8:
            for i in range(3):
                fine(w, "/v1/chat/completions", asks(f"dear {i}", model="gpt-4.1-nano"))
            days[day] = "price"
        elif day == -7:
            for i in range(3):
                cut(w, f"A rather long prompt, cut short. {i} {LONG}")
            days[day] = "estimated"
        elif day == -6:
            fine(w, "/v1/chat/completions", asks("who are you", model="gpt-made-up"))
            days[day] = None
        elif day == -5:
            fine(w, "/v1/chat/completions", asks("to Azure", model="gpt-4o"), x_portkey_config=config(provider="@azure"))
            days[day] = None
    w.days.stand(0)
    fine(w, "/v1/chat/completions", plain)
    return days


def each_difference_is_named():
    with DatedWorld(args=["--prices", prices()], start=-9) as w:
        connect(w)
        w.gw.cli("connect", "azure-openai", "--slug", "azure", "--api-key-env", "K", "--base-url", w.url.removesuffix("/v1"),
                 "--deployments", '{"gpt-4o": "gpt-4o"}', env={"K": "azure-key-for-tests-0123456789"})
        wanted = differences(w)
        settle(w)
        by_day = {row["day"]: row for row in ask(w, -9, 0, "day")["data"]}
        for day, cause in wanted.items():
            row = by_day[w.days.text(day)]
            equal(row["cause"], cause, f"the cause of day {day}: {row}")
            if cause:
                equal(set(row["causes"]), {cause}, f"the only cause of day {day}: {row}")
        equal(by_day[w.days.text(0)]["status"], "pending", "today")
        check(D(by_day[w.days.text(-9)]["unattributed"]) == D(by_day[w.days.text(-9)]["gap"]) > 0, "what went around is unattributed")
        whole = ask(w, -9, -4, "project,api_key")
        equal([(s["api_key"] != "", D(s["billed"]) > 0) for s in whole["shadow_traffic"]], [(True, True)], f"shadow traffic: {whole['shadow_traffic']}")
        equal([(p["model"], p["meter"], D(p["book_unit_price"]) / D(p["observed_unit_price"])) for p in whole["price_suggestions"]],
              [("gpt-4.1-nano", "output", 2)], "the price that is off")
        equal([(x["reason"], x["integration"]) for x in whole["excluded"]], [("other_biller", "azure")], "what Azure bills")
        equal([(u["model"], u["attempts"]) for u in whole["unpriced"]], [("gpt-made-up", 1)], "what has no price")
        the_command_line_says_the_same(w, whole)
        others_do_not_see_it(w)


def the_command_line_says_the_same(w, whole):
    span = ["--since", w.days.text(-9), "--until", w.days.text(-3), "--tolerance-usd", "0", "--tolerance-percent", "0"]
    text = w.gw.cli("reconcile", *span).stdout
    for words in ("used without the gateway", "Billed, and never seen by the gateway", "gpt-4.1-nano output (standard): billed at $0.4",
                  "UNPRICED: 1 request to gpt-made-up", "metered through @azure: it did not go to OpenAI", "Billed through " + w.days.text(-4)):
        check(words in text, f"{words!r} is not in\n{text}")
    what_is_printed_adds_up(text, whole["total"])
    rows = list(csv.DictReader(io.StringIO(w.gw.cli("reconcile", *span, "--csv").stdout)))
    equal(sum((D(r["Billed"]) for r in rows[:-1]), D(0)), D(whole["total"]["billed"]), "the sum of the CSV")
    equal((rows[-1]["Project"], D(rows[-1]["Gap"])), ("Total", D(whole["total"]["gap"])), "its last line")
    equal(json.loads(w.gw.cli("reconcile", *span, "--json").stdout)["total"]["billed"], whole["total"]["billed"], "--json")
    equal(w.gw.cli("reconcile", "--month", "soon", check=False).returncode, 4, "--month soon")


def what_is_printed_adds_up(text, total):
    lines = [[D(x.replace("$", "")) for x in re.findall(r"-?\$[0-9.]*[0-9]", line)] for line in text.splitlines()]
    lines = [line for line in lines if len(line) == 6]
    for billed, metered, gap, volume, rate, pricing in lines:
        equal((gap, volume + rate + pricing), (billed - metered, gap), "a line of the table")
    equal([sum(column) for column in zip(*lines[:-1])], lines[-1], "the lines of the table")
    equal(lines[-1][:3], [D(total[x]) for x in ("billed", "metered", "gap")], "small sums have all digits")


def others_do_not_see_it(w):
    status, _, body = w.gw.get("/tollgate/v1/reconciliation", key="tg-nobody")
    equal(status, 401, body)
    for query, name in (("group_by=colour", "group_by"), ("start_date=soon", "start_date"), ("tolerance_percent=101", "tolerance_percent"),
                        ("start_date=2026-02-01&end_date=2026-01-01", "end_date"), ("format=xml", "format")):
        status, _, body = w.gw.get("/tollgate/v1/reconciliation?" + query)
        check(status == 400 and name in body.decode(), f"{query}: {status} {body[:200]}")


def a_gap_that_stays_is_told():
    """Three settled days beyond five percent, once; not again after another import."""
    with DatedWorld(start=-6) as w:
        w.gw.connect(w.url)
        for day in range(-6, -2):
            w.days.stand(day)
            fine(w, "/v1/chat/completions", asks("Say hello."))
            straight(w, PROVIDER_KEY, asks(f"{day}: " + LONG * 4, model="gpt-4-turbo"))
        w.days.stand(0)
        settle(w)
        told = lambda: w.gw.log_text().count("bill_and_metering_differ")
        wait_until("somebody is told", 20, told)
        turns = w.gw.metrics()["tollgate_watch_turns_total"]
        w.gw.cli("import", "--since", w.days.text(-10))
        wait_until("another look", 20, lambda: w.gw.metrics()["tollgate_watch_turns_total"] > turns)
        equal(told(), 1, "told once")


if __name__ == "__main__":
    run(a_week_of_mixed_traffic_reconciles_to_nothing, each_difference_is_named, a_gap_that_stays_is_told)
