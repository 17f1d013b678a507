#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Vantage's other clients (row 73): the Python client, whose models check every answer; what the Go client and the Terraform provider
take, by the published description; and how the MCP server goes through pages.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, check, equal, run
from vantage import Vantage
from vantage_contract import MODELS, ROUTES, faults

DRIVER = pathlib.Path(__file__).resolve().parent / "sdk" / "vantage_python.py"


def row_73_the_python_client(v):
    v.gw.post("/tollgate/v1/members", {"email": "ann@example.com", "role": "member", "password": "three plain words"})
    done = subprocess.run([sys.executable, str(DRIVER), v.gw.url, ADMIN_KEY, "ann@example.com"], capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"row 73: {done.stdout}{done.stderr[-3000:]}")
    told = json.loads(done.stdout)
    check(not told["wrong"], "row 73: " + "\n".join(told["wrong"]))
    check(told["calls"] > 100, f"row 73: {told['calls']} calls")


def row_73_pages_as_the_mcp_server_reads_them(v):
    for n in range(7):
        v.call("savedFilters.create", {"title": f"Paged {n}"}).fine("row 73")
    found = v.call("pages", "/v2/saved_filters", {"limit": 3, "q": "paged"}, "saved_filters").fine("row 73")
    equal([f["title"] for f in found], [f"Paged {n}" for n in range(7)], "row 73: all pages, each once")
    events = v.call("pages", "/v2/audit_logs", {"limit": 2}, "audit_logs").fine("row 73")
    equal(len({e["token"] for e in events}), len(events), "row 73: the log's pages")
    equal(v.call("pages", "/v2/cost_alerts", {"limit": 5}, "cost_alerts").fine("row 73"), [], "row 73: nothing is one page")


def what_the_checks_would_find(v):
    """The tables are read, and a wrong answer is noticed."""
    check(len(ROUTES) > 120 and sum(map(len, MODELS.values())) > 400, f"{len(ROUTES)} routes")
    folder = v.raw("POST", "/v2/folders", {"title": "x"})[2]
    good = json.dumps(folder)
    equal(faults("POST", "/v2/folders", 201, good), [], "a good answer")
    check(faults("POST", "/v2/folders", 200, good), "a status that the Go client does not know")
    check(faults("POST", "/v2/folders", 201, json.dumps({k: x for k, x in folder.items() if k != "token"})), "a missing key")
    check(faults("POST", "/v2/folders", 201, json.dumps({**folder, "created_at": None})), "a null")
    check(faults("POST", "/v2/folders", 201, json.dumps({**folder, "saved_filter_tokens": "no"})), "another type")
    equal(faults("GET", "/v2/folders/x", 404, "{}"), [], "refusals are not these")


def every_row_of_the_checklist_has_its_test(v):
    here = pathlib.Path(__file__).resolve().parent
    listed = [line.split("\t") for line in (here.parent / "golden/vantage_rows.tsv").read_text().splitlines() if not line.startswith("#")]
    equal([int(row) for row, _, _ in listed], list(range(1, 81)), "rows")
    for row, what, tests in listed:
        for test in tests.split():
            file, name = test.split(":")
            folder = here if file.endswith(".py") else here.parent / "unit"
            check(re.search(rf"\b{name}\(", (folder / file).read_text()), f"row {row}, {what}: {test} is not there")


def terraform_keeps_scheme_and_host_only(v):
    """Its base path is /v2, and a resource that is gone must be 404 on reading and deleting."""
    equal(v.raw("GET", "/v2/folders/fldr_0000000000000000")[0], 404, "a gone resource is read")
    equal(v.raw("DELETE", "/v2/folders/fldr_0000000000000000", {})[0], 404, "a gone resource is deleted")


if __name__ == "__main__":
    v = Vantage()
    tests = [row_73_pages_as_the_mcp_server_reads_them, what_the_checks_would_find, every_row_of_the_checklist_has_its_test, terraform_keeps_scheme_and_host_only, row_73_the_python_client]

    def bound(test):
        def call():
            test(v)
        call.__name__ = test.__name__
        return call

    with v:
        run(*map(bound, tests))
