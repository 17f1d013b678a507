#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
What OpenAI charges, shared out to keys, members, workspaces, model APIs and metadata: a few days of traffic through the gateway and around
it, billed by the simulator and imported back. Whatever it is told apart by, it is the bill to the last digit.
"""

import decimal
import http.client
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from days import DatedWorld
from harness import ADMIN_KEY, PROVIDER_KEY, check, equal, run, wait_until

D = decimal.Decimal
BILLED = "costs.provider = 'open_ai'"
ALLOCATED = BILLED + " AND costs.ledger = 'allocated'"
DIRECT = "(direct, not via gateway)"


def asks(text, model="gpt-4o-mini"):
    return {"model": model, "messages": [{"role": "user", "content": text}]}


def send(w, key, text, team=None, **more):
    headers = {"x-portkey-metadata": json.dumps({"team": team})} if team else {}
    equal(w.gw.request("POST", "/v1/chat/completions", asks(text, **more), headers, key=key)[0], 200, "chat")


def straight(w, body):
    """Around the gateway, with the same key."""
    c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=20)
    c.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": "Bearer " + PROVIDER_KEY, "Content-Type": "application/json"})
    equal(c.getresponse().status, 200, "straight to OpenAI")
    c.close()


def report(w, filter, group_by="", **more):
    query = urllib.parse.urlencode({"filter": filter, "group_by": group_by, "since": w.days.text(-6), "until": w.days.text(1), "limit": 5000, **more})
    status, _, body = w.gw.get("/tollgate/v1/report?" + query)
    equal(status, 200, f"report: {body[:300]}")
    answer = json.loads(body)
    equal(sum((D(r["amount"]) for r in answer["data"]), D(0)), D(answer["total_cost"]), f"{group_by}: rows and total")
    return answer


def parts(answer, key):
    sums = {}
    for row in answer["data"]:
        sums[row[key]] = sums.get(row[key], D(0)) + D(row["amount"])
    return sums


def traffic(w, keys):
    for n in range(-5, -1):
        w.days.stand(n)
        for i in range(3):
            send(w, keys["one"], f"day {n}: " + "word " * (i * 9 + 1), team="search")
            send(w, keys["two"], f"day {n}: two " * (i + 2), team="ads", model="gpt-4o")
        send(w, keys["two"], f"day {n}: nobody's")
        if n == -3:
            straight(w, asks("around the gateway " * 20))


def shares_are_the_bill():
    with DatedWorld(start=-6) as w:
        w.gw.connect(w.url)
        keys = {name: w.gw.cli("key", "create", "--name", name).stdout.strip() for name in ("one", "two")}
        traffic(w, keys)
        w.days.stand(0)
        wait_until("the ledger has it", 20, lambda: w.gw.metrics().get("tollgate_journal_pending_bytes", 0) == 0)
        w.import_bill()
        total = D(report(w, BILLED)["total_cost"])
        check(total > 0, "something was billed")
        for group in ("", "api_key", "member", "workspace", "model_api", "tag:team", "tag:nothing", "model", "service,api_key", "line_item,tag:team"):
            for bin in ("total", "day", "month"):
                equal(D(report(w, ALLOCATED, group, bin=bin)["total_cost"]), total, f"{group} by {bin}")
        metered = parts(report(w, BILLED + " AND costs.ledger = 'metered'", "api_key"), "resource_id")
        shared = report(w, ALLOCATED, "api_key")
        names = {r["resource_id"]: r.get("resource_id_name") for r in shared["data"]}
        equal(sorted(n for n in names.values() if n), ["one", "two"], f"keys by their names: {shared['data']}")
        direct = parts(shared, "resource_id")[DIRECT]
        check(0 < direct < total / 2, f"what went around the gateway: {direct} of {total}")
        equal({k: v for k, v in parts(shared, "resource_id").items() if k != DIRECT}, metered, "the rest is what was metered")
        teams = parts(report(w, ALLOCATED, "tag:team"), "tag:team")
        equal(set(teams), {DIRECT, "", "ads", "search"}, "teams")
        equal(D(report(w, ALLOCATED + " AND tags.name = 'team' AND tags.value = 'ads'")["total_cost"]), teams["ads"], "a team by a filter")
        equal(parts(report(w, ALLOCATED, "workspace"), "workspace"), {"default": total - direct, DIRECT: direct}, "workspaces")
        vantage(w, total, direct)


def vantage(w, total, direct):
    """Row 75, and row 77: without a ledger in the filter it is the bill."""
    def costs(filter, groupings):
        query = urllib.parse.urlencode({"filter": filter, "groupings": groupings, "start_date": w.days.text(-6), "end_date": w.days.text(0), "date_bin": "month"})
        status, _, body = w.gw.request("GET", "/v2/costs?" + query, key=ADMIN_KEY)
        equal(status, 200, f"row 75: {body[:300]}")
        return json.loads(body)
    for groupings in ("resource_id", "member", "tag:team", "service,workspace"):
        answer = costs(ALLOCATED, groupings)
        equal(D(answer["total_cost"]["amount"]), total, f"row 75: {groupings}")
        equal(sum(D(c["amount"]) for c in answer["costs"]), total, f"row 75: rows by {groupings}")
    rows = costs(ALLOCATED, "resource_id")["costs"]
    equal(sum(D(c["amount"]) for c in rows if c["resource_id"] == DIRECT), direct, "row 75: direct")
    equal({c.get("resource_name") for c in rows} >= {"one", "two"}, True, "row 75: names of keys")
    equal(D(costs(BILLED, "service")["total_cost"]["amount"]), total, "row 77: the bill")
    # Row 52: a key that callers give too. The tag is theirs first, unless it may override.
    tag = {"key": "team", "overridable": False, "values": [{"percentages": [{"value": "x", "pct": 25}, {"value": "y", "pct": 75}], "filter": BILLED}]}
    status, _, body = w.gw.request("POST", "/v2/virtual_tag_configs", tag, key=ADMIN_KEY)
    equal(status, 201, f"row 52: {body[:200]}")
    made = json.loads(body)["token"]
    before = parts(report(w, ALLOCATED, "tag:team"), "tag:team")
    equal(set(before), {"x", "y", "ads", "search"}, "row 52: metadata first")
    equal(before["y"], before["x"] * 3, "row 52: the rest by shares")
    equal(w.gw.request("PUT", "/v2/virtual_tag_configs/" + made, {"overridable": True}, key=ADMIN_KEY)[0], 200, "row 52")
    equal(parts(report(w, ALLOCATED, "tag:team"), "tag:team"), {"x": total / 4, "y": total * 3 / 4}, "row 52: overridden")
    equal(parts(report(w, BILLED, "tag:team", bin="day"), "tag:team"), {"x": total / 4, "y": total * 3 / 4}, "row 52: the bill has none of its own")


if __name__ == "__main__":
    run(shares_are_the_bill)
