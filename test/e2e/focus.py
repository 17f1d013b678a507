#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
FOCUS files, by Vantage's own SDK, by our API and by the command line, against the specification's rules (test/focus): billed rows
of OpenAI's costs and of files, corrections, prepaid accounts, metered rows. The checker itself is tried first: it finds every
rule broken once. Row numbers are those of the contract's checklist.
"""

import csv
import decimal
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "lib"), str(HERE.parent / "focus")]
import mutants
from bill_upstream import BillUpstream, day_text, today
from check import check_metadata, check_text, columns_of
from harness import chat, check, completion, equal, run, Upstream, wait_until
from vantage import Vantage

D = decimal.Decimal
decimal.getcontext().prec = 80
VERSIONS = ("1.2", "1.3", "1.4")
DAY = today() - 5
LAST = today()


def old_month():
    """A day of a month that is closed."""
    import datetime
    first = datetime.date.fromisoformat(day_text(today())).replace(day=1)
    return int((first - datetime.timedelta(40) - datetime.date(1970, 1, 1)).days)


OLD = old_month()


def bill():
    rows = []
    for day in (OLD, DAY, DAY + 1):
        rows += [
            {"day": day, "project": "proj_a", "key": "key_1", "item": "gpt-4o-2024-08-06, input", "amount": "4.00", "quantity": 1600000, "unit": "tokens"},
            {"day": day, "project": "proj_a", "key": "key_1", "item": "gpt-4o-2024-08-06, cached input", "amount": "0.10", "quantity": 80000, "unit": "tokens"},
            {"day": day, "project": "proj_a", "key": "key_2", "item": "batch | gpt-4o-2024-08-06, output", "amount": "0.123456789123", "quantity": 333, "unit": "tokens"},
            {"day": day, "project": "proj_a", "key": "key_2", "item": "priority | gpt-4o-2024-08-06, input, long context", "amount": "0.7", "quantity": 7, "unit": "1000_tokens"},
            {"day": day, "project": "proj_b", "key": "key_3", "item": "text-embedding-3-small, input", "amount": "0.0000000001", "quantity": 7, "unit": "tokens"},
            {"day": day, "project": "proj_b", "key": "key_3", "item": "gpt-nobody-knows, input", "amount": "0.05", "quantity": 11, "unit": "tokens"},
            {"day": day, "project": "proj_b", "key": "key_3", "item": "gpt-4o-2024-08-06, output", "amount": "0", "quantity": 1000, "unit": "tokens"},
            {"day": day, "project": None, "key": None, "item": "web search tool calls", "amount": "0.03", "quantity": 3, "unit": "requests"},
            {"day": day, "project": None, "key": None, "item": "DALL·E 3, standard, 1024x1024", "amount": "0.08", "quantity": 2, "unit": "images"},
            {"day": day, "project": None, "key": None, "item": "Vector storage", "amount": "0.1", "quantity": None, "unit": None},
        ]
    return rows


def total(rows):
    return sum((D(r["amount"]) for r in rows), D(0))


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def summed(rows, name="BilledCost"):
    return sum((D(r[name]) for r in rows), D(0))


def keeps_the_rules(text, version, what):
    found = check_text(text, version)
    check(not found, f"{what}, {version}: {dict(found)}")
    return table(text)


def get(v, version="1.3", **params):
    query = {"since": day_text(OLD), "until": day_text(LAST + 1), "version": version, **params}
    status, _, text = v.gw.request("GET", "/tollgate/v1/focus?" + "&".join(f"{k}={str(x).replace(' ', '%20').replace('=', '%3D')}" for k, x in query.items()))
    check(status in (200, 206), f"focus: {status} {text[:300]}")
    return keeps_the_rules(text.decode(), version, params) if not params.get("names") and not params.get("skip") else table(text.decode())


def the_checker_finds_every_rule_broken(v):
    for version in VERSIONS:
        check(mutants.run(version) > 300, version)


def a_bill_is_imported(v):
    v.up = BillUpstream(bill())
    made = v.raw("POST", "/v2/integrations/open_ai", {"api_key": v.up.key, "base_url": v.up.url})[2]
    v.token = made["token"]
    wait_until("imported", 60, lambda: v.call("integrations.get", v.token).fine("import")["status"] == "imported")


def row_61_every_version_keeps_its_rules(v):
    for version in VERSIONS:
        rows = get(v, version)
        equal(len(rows), len(bill()), "row 61: one row a (day, project, key, line item)")
        equal(summed(rows), total(v.up.rows), "row 61: the sum is the bill, to the last digit")
        equal(list(rows[0])[:len(columns_of(version))], columns_of(version), "row 61: columns, in their order")
    equal((len(columns_of("1.2")), len(columns_of("1.3")), len(columns_of("1.4"))), (57, 65, 65), "row 61: as many columns as the specification has")


def row_61_what_a_row_says(v):
    row = next(r for r in get(v) if r["x_LineItem"] == "gpt-4o-2024-08-06, input" and r["ChargePeriodStart"] == day_text(DAY) + "T00:00:00Z")
    wanted = {"BilledCost": "4", "EffectiveCost": "4", "ContractedCost": "4", "ContractedUnitPrice": "2.5", "ListUnitPrice": "2.5", "ListCost": "4", "PricingQuantity": "1.6",
              "PricingUnit": "1000000 Tokens", "ConsumedQuantity": "1600000", "ConsumedUnit": "Tokens", "BillingAccountId": "org-one", "BillingAccountType": "Organization",
              "SubAccountId": "proj_a", "SubAccountName": "A", "SubAccountType": "Project", "ResourceId": "org-one/proj_a/key_1", "ResourceType": "API Key",
              "ServiceName": "OpenAI Chat and Completions", "SkuId": "gpt-4o-2024-08-06/input", "SkuMeter": "Input Tokens", "SkuPriceId": "gpt-4o-2024-08-06/input/default/single",
              "ChargeClass": "", "InvoiceId": "", "x_Ledger": "billed", "x_ReconciliationStatus": "unmetered", "x_ListPriceSource": "catalogue", "x_CredentialId": "key_1"}
    equal({k: row[k] for k in wanted}, wanted, "row 61: a row")
    equal(json.loads(row["SkuPriceDetails"]), {"x_ModelDeveloper": "OpenAI", "x_ModelId": "gpt-4o", "x_ModelVersion": "2024-08-06", "x_ServiceTier": "default", "x_Batch": False}, "row 61")
    at = {r["x_LineItem"]: r for r in get(v) if r["ChargePeriodStart"].startswith(day_text(DAY))}
    batch = at["batch | gpt-4o-2024-08-06, output"]
    equal((batch["ListUnitPrice"], batch["ListCost"], json.loads(batch["SkuPriceDetails"])["x_Batch"]), ("5", "0.001665", True), "row 61: the batch's own published price")
    unknown = at["gpt-nobody-knows, input"]
    equal((unknown["ListCost"], unknown["x_ListPriceSource"]), ("0.05", "bill"), "row 61: no published price")
    free = at["gpt-4o-2024-08-06, output"]
    equal((free["BilledCost"], free["ListCost"], free["ContractedUnitPrice"]), ("0", "0.01", "0"), "row 61: free tokens have a list cost")
    nothing = at["Vector storage"]
    equal((nothing["PricingQuantity"], nothing["PricingUnit"]), ("1", "Charges"), "row 61: a charge without a quantity is one charge")
    equal({r["HostProviderName"] for r in at.values()}, {"OpenAI"}, "row 61")


def filters_tags_and_parts(v):
    v.call("virtualTagConfigs.create", {"key": "team", "overridable": True, "values": [
        {"name": "search", "filter": "costs.provider = 'open_ai' AND costs.account_id = 'proj_b'"}, {"name": "rest, \"all\"", "filter": "costs.provider = 'open_ai' AND costs.account_id != ''"}]}).fine("tags")
    rows = get(v)
    equal({r["Tags"] for r in rows if r["SubAccountId"] == "proj_b"}, {'{"team":"search"}'}, "tags: virtual ones")
    equal({r["Tags"] for r in rows if not r["SubAccountId"]}, {""}, "tags: null without one")
    only = get(v, filter="costs.provider = 'open_ai' AND tags.name = 'team' AND tags.value = 'search'")
    equal((len(only), {r["SubAccountId"] for r in only}), (9, {"proj_b"}), "a filter")
    equal(len(get(v, filter="costs.provider = 'open_ai' AND costs.model = 'gpt-4o' AND costs.service_tier = 'priority'")), 3, "a filter by model and tier")
    parts = get(v, limit=7)
    while True:
        status, _, text = v.gw.request("GET", f"/tollgate/v1/focus?since={day_text(OLD)}&until={day_text(LAST + 1)}&limit=7&skip={len(parts)}&names=false")
        parts += list(csv.DictReader(io.StringIO(",".join(rows[0]) + "\n" + text.decode())))
        if status == 200:
            break
        equal(status, 206, "parts")
    strip = lambda rows: [{k: c for k, c in r.items() if k != "x_DataGeneratedAt"} for r in rows]
    equal(strip(parts), strip(rows), "parts put together are the whole")
    for query, word in (("version=1.1", "version"), ("ledger=allocated", "ledger"), ("month=May", "month"), ("filter=costs.service%3D'x'", "provider"),
                        ("since=2026-02-01&until=2026-01-01", "end"), ("filter=costs.provider%3D'open_ai'%20AND%20costs.ledger%3D'metered'&ledger=billed", "ledger")):
        status, _, text = v.gw.request("GET", "/tollgate/v1/focus?" + query)
        check(status == 400 and word in text.decode(), f"{query}: {status} {text}")


def corrections_of_a_closed_month_stand_apart(v):
    before = summed(get(v))
    changed = next(r for r in v.up.rows if r["day"] == OLD and r["item"] == "gpt-4o-2024-08-06, input")
    changed["amount"], changed["quantity"] = "5.50", 2200000
    gone = next(r for r in v.up.rows if r["day"] == OLD and r["item"] == "web search tool calls")
    v.up.rows.remove(gone)
    v.gw.cli("import", "--since", day_text(OLD))
    rows = get(v)
    equal(summed(rows), before + D("1.5") - D("0.03"), "the sum is the bill of today")
    fixes = {r["x_LineItem"]: r for r in rows if r["ChargeClass"] == "Correction"}
    equal({k: r["BilledCost"] for k, r in fixes.items()}, {"gpt-4o-2024-08-06, input": "1.5", "web search tool calls": "-0.03"}, "what has changed")
    as_it_was = [r["BilledCost"] for r in rows if r["x_LineItem"] == "gpt-4o-2024-08-06, input" and r["ChargePeriodStart"].startswith(day_text(OLD)) and not r["ChargeClass"]]
    equal(as_it_was, ["4"], "and as it was")
    for version in VERSIONS:
        get(v, version)


def files_are_in_it_by_what_focus_calls_them(v):
    own = v.call("integrations.createCustomProviderIntegration", {"name": "=Acme"}).fine("files")["token"]
    head = "ChargePeriodStart,ChargeCategory,BilledCost,ServiceName,ResourceId,RegionId,ConsumedQuantity,ConsumedUnit,Tags\n"
    lines = [f"{day_text(DAY)},{category},{amount},Hosting,{res},eu-1,{q},{u},\"{{\"\"env\"\":\"\"prod\"\"}}\"\n"
             for category, amount, res, q, u in (("Usage", "10", "vm", "5", "Hours"), ("Usage", "-1", "vm2", "2", "Hours"), ("Credit", "-2", "", "", ""), ("Tax", "1.9", "", "", ""),
                                                 ("Refund", "-3", "", "", ""), ("Discount", "-0.5", "", "", ""), ("Fee", "20", "", "", ""))]
    v.call("integrations.createUserCostsUploadViaCsv", own, {"csv": {"$blob": head + "".join(lines)}}).fine("files")
    for version in VERSIONS:
        rows = [r for r in get(v, version) if r["ServiceName"] == "Hosting"]
        equal(sorted((r["ChargeCategory"], r["BilledCost"]) for r in rows),
              [("Adjustment", "-3"), ("Credit", "-0.5"), ("Credit", "-2"), ("Purchase", "20"), ("Tax", "1.9"), ("Usage", "-1"), ("Usage", "10")], "files")
    equal({r["InvoiceIssuerName"] for r in rows}, {"'=Acme"}, "files: no cell is a formula")
    equal(({r["Tags"] for r in rows}, {r["RegionId"] for r in rows}), ({'{"env":"prod"}'}, {"eu-1"}), "files: tags, region")
    v.call("integrations.update", own, {"billing_mode": "prepaid"}).fine("row 62")
    rows = {(r["ChargeCategory"], r["ContractedCost"]): r for r in get(v) if r["ServiceName"] == "Hosting"}
    bought, used = rows[("Purchase", "20")], rows[("Usage", "10")]
    equal((bought["BilledCost"], bought["EffectiveCost"], bought["ChargeFrequency"]), ("20", "0", "One-Time"), "row 62: what was bought")
    equal((used["BilledCost"], used["EffectiveCost"]), ("0", "10"), "row 62: what was drawn from it")
    v.call("integrations.update", v.token, {"billing_mode": "prepaid"}).fine("row 62")
    rows = get(v, "1.2")
    equal(({r["BilledCost"] for r in rows if r["ChargeCategory"] == "Usage"}, summed([r for r in rows if r["BillingAccountId"] == "org-one"], "EffectiveCost")),
          ({"0"}, total(v.up.rows)), "row 62: all of OpenAI's use")
    check(any(r["ChargeClass"] == "Correction" and r["BilledCost"] == "0" for r in rows), "row 62: corrections too")
    v.call("integrations.update", v.token, {"billing_mode": "postpaid"}).fine("row 62")
    v.call("integrations.update", v.token, {"billing_mode": "sometimes"}).refused("row 62", 400, "billing_mode")
    v.call("integrations.delete", own).fine("files")


def row_61_by_the_sdk(v):
    for version in ("", *VERSIONS):
        asked = {"filter": "costs.provider = 'open_ai'", "schema": "focus", "start_date": day_text(OLD), "end_date": day_text(LAST), **({"focus_version": version} if version else {})}
        where = v.call("costs.createExport", asked).fine("row 61")
        made = v.call("dataExports.get", where.rsplit("/", 1)[1]).fine("row 60")
        equal((made["status"], made["export_type"], made["attributes"]["focus_version"], made["attributes"]["ledger"]), ("completed", "cost_report", version or "1.3", "billed"), "row 60")
        files = [v.gw.request("GET", url.removeprefix(v.gw.url), key=None)[2].decode() for url in made["manifest"]["files"]]
        rows = keeps_the_rules(files[0], version or "1.3", "row 61")
        equal(summed(rows), total(v.up.rows), "row 61: the bill")
        found = check_metadata(files[1], list(rows[0]), version or "1.3")
        check(not found, f"row 61: metadata: {dict(found)}")
    v.call("costs.createExport", {**asked, "focus_version": "1.1"}).refused("row 61", 400, "focus_version")
    v.call("costs.createExport", {**asked, "schema": "parquet"}).refused("row 61", 400, "schema")


def the_command_line_writes_files(v):
    with tempfile.TemporaryDirectory() as place:
        for month in (day_text(OLD)[:7], day_text(DAY)[:7]):
            plain, packed = f"{place}/{month}.csv", f"{place}/{month}.csv.zst"
            v.gw.cli("export", "focus", "--month", month, "--version", "1.2", "--output", plain)
            v.gw.cli("export", "focus", "--month", month, "--version", "1.2", "--zstd", "--output", packed)
            text = open(plain, newline="").read()
            rows = keeps_the_rules(text, "1.2", "the command line")
            equal(summed(rows), total(r for r in v.up.rows if day_text(r["day"]).startswith(month)), "the month's bill")
            again = subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True).stdout.decode()
            stamp = lambda t: [{k: c for k, c in r.items() if k != "x_DataGeneratedAt"} for r in table(t)]
            equal(stamp(again), stamp(text), "compressed is the same")
            found = check_metadata(open(f"{place}/focus-metadata.json").read(), list(rows[0]), "1.2")
            check(not found, f"metadata: {dict(found)}")
        equal(sorted(os.listdir(place)), sorted({f"{m}.csv{z}" for m in (day_text(OLD)[:7], day_text(DAY)[:7]) for z in ("", ".zst")} | {"focus-metadata.json"}), "nothing else is left there")
        printed = v.gw.cli("export", "focus", "--month", month, "--version", "1.2", "--output", "-").stdout
        equal(stamp(printed), stamp(text), "printed, it is the file")
        check("no costs of this month" in v.gw.cli("export", "focus", "--month", "2021-01", "--output", f"{place}/none.csv").stderr, "an empty month is said")
        check(v.gw.cli("export", "focus", "--month", "May", "--output", plain, check=False).returncode == 2, "a month that is none")
        check(v.gw.cli("export", "focus", "--month", "2026-01", check=False).returncode == 2, "without a file")
        done = v.gw.cli("export", "focus", "--month", "2026-01", "--output", f"{place}/none/x.csv", check=False)
        check(done.returncode == 1 and "cannot write" in done.stderr, f"a folder that is not there: {done}")


def metered_rows_are_a_file_of_their_own(v):
    up = Upstream(lambda r: r.answer(completion(prompt=1200, output=300, prompt_tokens_details={"cached_tokens": 1000})))
    v.gw.connect(up.url, slug="openai")
    for _ in range(3):
        equal(v.gw.post("/v1/chat/completions", chat())[0], 200, "a request")
    wait_until("metered", 20, lambda: len(get(v, ledger="metered", since=day_text(today()))) == 3)
    for version in VERSIONS:
        rows = get(v, version, ledger="metered", since=day_text(today()))
        cost = D("600") * D("0.15") / 10**6 + D("3000") * D("0.075") / 10**6 + D("900") * D("0.6") / 10**6
        equal((summed(rows), summed(rows, "EffectiveCost"), summed(rows, "x_MeteredCost")), (D(0), cost, cost), "metered is never billed")
        equal({r["SkuMeter"]: r["ConsumedQuantity"] for r in rows}, {"Input Tokens": "600", "Cached Input Tokens": "3000", "Output Tokens": "900"}, "by meter")
        equal({(r["x_Ledger"], r["x_ReconciliationStatus"], r["SubAccountName"], r["SubAccountType"]) for r in rows}, {("metered", "priced", "default", "Workspace")}, "whose")
    check(all(r["x_Ledger"] == "billed" for r in get(v)), "a billed file has none of it")
    where = v.call("costs.createExport", {"filter": "costs.provider = 'open_ai' AND costs.ledger = 'metered'", "schema": "focus", "start_date": day_text(LAST), "end_date": day_text(LAST)}).fine("metered")
    made = v.call("dataExports.get", where.rsplit("/", 1)[1]).fine("metered")
    equal(made["attributes"]["ledger"], "metered", "by the filter")


if __name__ == "__main__":
    v = Vantage(args=["--import-period", "1ms"])
    tests = [the_checker_finds_every_rule_broken, a_bill_is_imported, row_61_every_version_keeps_its_rules, row_61_what_a_row_says, filters_tags_and_parts,
             corrections_of_a_closed_month_stand_apart, files_are_in_it_by_what_focus_calls_them, row_61_by_the_sdk, the_command_line_writes_files,
             metered_rows_are_a_file_of_their_own]

    def bound(test):
        def call():
            test(v)
        call.__name__ = test.__name__
        return call

    with v:
        run(*map(bound, tests))
