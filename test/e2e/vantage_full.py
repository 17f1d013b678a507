#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
More than one answer may hold, stored by a member: long pages are refused with a sentence, and whatever a page is short of
the limit by, the server goes on.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Gateway, check, equal, run

LONG, SHORT = 565, 60  # filters; those of the first kind nearly fill an answer's memory


def pages_end_at_the_memory_of_an_answer():
    with Gateway() as gw:
        key = gw.cli("key", "create", "--name", "m", "--role", "member").stdout.strip()

        def page(limit):
            status, _, text = gw.request("GET", f"/v2/saved_filters?limit={limit}", key=key)
            return status, text

        for i in range(LONG + SHORT):
            services = ",".join(["'" + "x" * 100 + "'"] * (280 if i < LONG else 9))
            text = f"(costs.provider = 'open_ai' AND costs.service IN ({services}))"
            status, _, answer = gw.request("POST", "/v2/saved_filters", {"title": f"f{i}", "filter": text}, key=key)
            equal(status, 201, f"filter {i}: {answer[:200]}")
        good, bad = 1, LONG + SHORT
        status, answer = page(bad)
        check(status >= 400 and b"errors" in answer, f"all at once: {status} {answer[:200]}")
        while bad - good > 1:
            middle = (good + bad) // 2
            status, _ = page(middle)
            good, bad = (middle, bad) if status == 200 else (good, middle)
        for limit in range(good - 30, bad + 5):
            status, answer = page(limit)
            equal(status == 200, limit <= good, f"{limit} of them: {status}")
            if status == 200:
                equal(len(json.loads(answer)["saved_filters"]), limit, "a page")
        status, _, _ = gw.request("GET", "/readyz")
        equal(status, 200, "it goes on")


def a_body_is_longer_in_memory_than_it_is():
    """What takes two bytes in a body takes forty when it is read."""
    with Gateway() as gw:
        for name in ("values", "forecasted_values"):
            body = '{"title":"m","%s":[%s]}' % (name, ",".join(["0"] * 500000))
            status, _, text = gw.request("POST", "/v2/business_metrics", body.encode(), {"Content-Type": "application/json"})
            check(status == 422 and b"100,000" in text, f"{name}: {status} {text[:200]}")
        users = '{"name":"t","user_tokens":[%s],"workspace_tokens":[%s]}' % (",".join(["0"] * 250000), ",".join(["0"] * 250000))
        status, _, text = gw.request("POST", "/v2/teams", users.encode(), {"Content-Type": "application/json"})
        equal(status, 404, f"a team: {text[:200]}")
        status, _, _ = gw.request("GET", "/readyz")
        equal(status, 200, "it goes on")


run(pages_end_at_the_memory_of_an_answer, a_body_is_longer_in_memory_than_it_is)
