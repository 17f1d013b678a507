#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Bills that are not OpenAI's costs, through Vantage's own SDK: custom providers and their files, what files of costs are made of
reports, and accounts whose only bill is OpenAI's old usage page. Row numbers are those of the contract's checklist.
"""

import csv
import decimal
import io
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib"), os.path.join(HERE, "sdk")]
from bill_upstream import BillUpstream, day_text, today
from harness import check, equal, run, Upstream, wait_until
from simrun import Sim
from vantage import Vantage

D = decimal.Decimal
DAY = today() - 3
WHEN = day_text(DAY)
SPAN = {"start_date": day_text(DAY - 40), "end_date": day_text(today())}
OPENAI = "costs.provider = 'open_ai'"
UPLOAD_KEYS = "token filename amount start_date end_date import_status created_by_token created_at"
FIELDS = ["ChargePeriodStart", "ChargeCategory", "BilledCost", "ResourceId", "ResourceType", "RegionId", "ServiceCategory", "ServiceName", "Tags"]


def table(*rows, fields=FIELDS):
    out = io.StringIO()
    w = csv.DictWriter(out, fields, lineterminator="\r\n")
    w.writeheader()
    for row in rows:
        w.writerow({"ChargePeriodStart": WHEN, "ChargeCategory": "Usage", "ServiceName": "Hosting", **row})
    return out.getvalue()


def upload(v, row, text, token=None):
    return v.call("integrations.createUserCostsUploadViaCsv", token or v.token, {"csv": text}).fine(row)


def ask(v, row, filter=None, **params):
    return v.call("costs.list", {"filter": filter or v.ours, "limit": 5000, **SPAN, **params}).fine(row)


def amount(v, row, filter=None, **params):
    return D(ask(v, row, filter, **params)["total_cost"]["amount"])


def row_63_a_provider_is_made(v):
    made = v.call("integrations.createCustomProviderIntegration", {"name": "Acme Cloud", "description": "by hand"}).fine("row 63")
    check(set("token provider account_identifier status last_updated workspace_tokens created_at managed_account_tokens".split()) <= set(made), f"row 63: {made}")
    equal((made["provider"], made["account_identifier"], made["managed_account_tokens"]), ("custom_provider", None, []), "row 63")
    v.token, v.ours = made["token"], f"costs.provider = 'custom_provider:{made['token']}'"
    equal(v.raw("POST", "/v2/integrations/custom_provider", {"name": "second"})[0], 201, "row 63: 201")
    v.call("integrations.createCustomProviderIntegration", {}).refused("row 63", 400, "name is required")
    listed = v.call("integrations.list", {"provider": "custom_provider"}).fine("row 63")["integrations"]
    equal(sorted(i["description"] for i in listed), ["", "by hand"], "row 63: list")
    equal(v.call("integrations.get", v.token).fine("row 63")["status"], "imported", "row 63: get")
    equal(v.call("integrations.getUserCostsUploads", v.token).fine("row 63")["user_costs_uploads"], [], "row 63: no files yet")


def row_63_a_file_becomes_costs(v):
    made = upload(v, "row 63", {"$blob": table(
        {"BilledCost": "$1.23", "ResourceId": "vm-1", "ResourceType": "Large", "RegionId": "eu-1", "ServiceCategory": "Compute", "Tags": '{"team":"search","env":"prod"}'},
        {"BilledCost": "0.000000000001", "ServiceName": "Storage, \"cold\"", "Tags": '{"team":"ads"}'},
        {"BilledCost": "10", "ChargeCategory": "Fee", "ChargePeriodStart": day_text(DAY - 1) + "T23:30:00-01:00"})})
    check(set(UPLOAD_KEYS.split()) <= set(made), f"row 63: {made}")
    equal((made["amount"], made["import_status"], made["start_date"], made["end_date"]), ("11.230000000001", "complete", WHEN, WHEN), "row 63: the day is that of UTC")
    check(made["token"].startswith("usr_csts_upld_") and made["filename"].endswith(".csv"), f"row 63: {made}")
    equal(amount(v, "row 63"), D("11.230000000001"), "row 63: every digit")
    row = ask(v, "row 63", v.ours + " AND costs.resource_id = 'vm-1'", groupings=["provider", "service", "cost_category", "cost_subcategory", "region", "resource_id", "charge_type"])["costs"][0]
    equal({k: row[k] for k in ("provider", "service", "cost_category", "cost_subcategory", "region", "resource_id", "charge_type")},
          {"provider": "custom_provider:" + v.token, "service": "Hosting", "cost_category": "Compute", "cost_subcategory": "Large", "region": "eu-1", "resource_id": "vm-1", "charge_type": "Usage"}, "row 63: dimensions")
    equal(amount(v, "row 63", v.ours + " AND costs.service = 'Storage, \"cold\"'"), D("0.000000000001"), "row 63: quotes in a field")
    equal(amount(v, "row 63", v.ours + " AND costs.region = 'eu-1'"), D("1.23"), "row 63: region")
    names = v.call("costProviders.list", {}).fine("row 64")["cost_providers"]
    check({"name": "Acme Cloud", "key": "custom_provider:" + v.token} in names, f"row 64: {names}")
    services = v.call("costServices.list", {}).fine("row 64")["cost_services"]
    check({"name": "Hosting", "provider": "custom_provider:" + v.token} in services, f"row 64: {services}")


def row_63_tags_of_files(v):
    equal(amount(v, "tags", v.ours + " AND tags.name = 'team' AND tags.value = 'search'"), D("1.23"), "tags: a test")
    equal(amount(v, "tags", v.ours + " AND (tags.name, tags.value) IN (('team', 'search'), ('env', 'prod'))"), D("1.23"), "tags: pairs")
    equal(amount(v, "tags", v.ours + " AND tags.name = NULL"), D("10"), "tags: untagged")
    grouped = {r["tags"][0] if r.get("tags") else "": r["amount"] for r in ask(v, "tags", groupings=["tag:team"])["costs"]}
    equal({k: D(a) for k, a in grouped.items()}, {"team:search": D("1.23"), "team:ads": D("0.000000000001"), "": D("10")}, f"tags: a grouping {grouped}")
    listed = {t["tag_key"]: t for t in v.call("tags.list", {}).fine("row 65")["tags"]}
    equal((sorted(listed), listed["env"]["providers"]), (["env", "team"], ["custom_provider"]), "row 65: keys of files")
    equal([x["tag_value"] for x in v.call("tags.getValues", "team", {}).fine("row 65")["tag_values"]], ["ads", "search"], "row 65: their values")
    v.call("tags.getValues", "none", {}).refused("row 65", 404)
    file = upload(v, "tags", {"$blob": table({"BilledCost": "2", "Tags": '{"odd":"50%"}'}, {"BilledCost": "4", "Tags": '{"odd":"500\\" \\\\"}'})})
    equal(amount(v, "tags", v.ours + " AND tags.name = 'odd' AND tags.value = '50%'"), D("2"), "tags: a percent sign is no wildcard")
    v.call("integrations.deleteUserCostsUpload", v.token, file["token"]).fine("tags")


def row_63_files_replace_and_go(v):
    before = amount(v, "row 63")
    form = lambda text, name: ("--b\r\nContent-Disposition: form-data; name=\"csv\"; filename=\"" + name + "\"\r\nContent-Type: text/csv\r\n\r\n" + text + "\r\n--b--\r\n").encode()
    post = lambda text, name: v.gw.request("POST", f"/v2/integrations/{v.token}/costs.csv", form(text, name), {"Content-Type": "multipart/form-data"})
    equal(post(table({"BilledCost": "5"}, {"BilledCost": "-1"}), "may.csv")[0], 201, "row 63: multipart without a boundary in the head")
    equal(amount(v, "row 63"), before + 4, "row 63")
    equal(post(table({"BilledCost": "7"}), "may.csv")[0], 201, "row 63: the same name")
    equal(amount(v, "row 63"), before + 7, "row 63: overwritten, not added")
    equal(post(table({"BilledCost": "1"}), "june.csv")[0], 201, "row 63: another name, the same day")
    equal(amount(v, "row 63"), before + 8, "row 63: both")
    files = v.call("integrations.getUserCostsUploads", v.token).fine("row 63")["user_costs_uploads"]
    equal([f["filename"] for f in files][:2], ["june.csv", "may.csv"], "row 63: the newest first")
    v.call("integrations.deleteUserCostsUpload", v.token, files[0]["token"]).fine("row 63: 204")
    v.call("integrations.deleteUserCostsUpload", v.token, files[0]["token"]).refused("row 63: gone", 404)
    equal(amount(v, "row 63"), before + 7, "row 63: its costs are gone")
    upload(v, "row 63: a field, not a file", table({"BilledCost": "3"}))
    upload(v, "row 63: the same again", table({"BilledCost": "3"}))
    equal(amount(v, "row 63"), before + 10, "row 63: without a name, named after its content")
    status, _, answer = v.gw.request("POST", f"/v2/integrations/{v.token}/costs.csv",
                                     b"csv=ChargePeriodStart,ChargeCategory,BilledCost,ServiceName%0A" + WHEN.encode() + b",Usage,%240.5,Form", {"Content-Type": "application/x-www-form-urlencoded"})
    equal(status, 201, f"row 63: urlencoded: {answer}")
    equal(amount(v, "row 63", v.ours + " AND costs.service = 'Form'"), D("0.5"), "row 63: urlencoded")


def row_63_rows_that_are_wrong(v):
    def refused(text, *sentences):
        answer = v.call("integrations.createUserCostsUploadViaCsv", v.token, {"csv": {"$blob": text}})
        check(not answer.ok and answer.status == 422, f"row 63: {answer.raw}")
        for s in sentences:
            check(any(s in e for e in answer.errors), f"row 63: {s!r} is not in {answer.errors}")
        return answer.errors
    before = amount(v, "row 63")
    refused(table({"BilledCost": "1"}, {"BilledCost": "x"}, {"BilledCost": "1", "Tags": "[1]"}, {"BilledCost": "1", "ChargeCategory": "usage"},
                  {"BilledCost": "1", "ChargePeriodStart": "May"}, {"BilledCost": "1", "ServiceName": ""}),
            "Row 3: BilledCost must be a number", "Row 4: Tags must be a valid JSON object", "Row 5: ChargeCategory must be one of",
            "Row 6: ChargePeriodStart must be a date", "Row 7: ServiceName is required")
    refused("ChargePeriodStart,BilledCost,ServiceName\n", "must name the column ChargeCategory")
    refused(table({"BilledCost": "1"}) + '"open', "Row 3: A quote is not closed")
    refused(table(), "no rows")
    refused(table({"BilledCost": "1", "BillingCurrency": "EUR"}, fields=FIELDS + ["BillingCurrency"]), "Row 2: BillingCurrency must be USD")
    many = refused(table(*({"BilledCost": "?"} for _ in range(40))))
    equal((len(many), many[-1]), (26, "and 15 more"), "row 63: not more than anybody reads")
    refused(table(*({"BilledCost": "1"} for _ in range(10001))), "at most 10000 rows")
    refused(table({"BilledCost": "1", "Tags": " " * (2 << 20)}), "at most 2 MB")
    equal(amount(v, "row 63"), before, "row 63: nothing of them was stored")
    v.call("integrations.createUserCostsUploadViaCsv", "accss_crdntl_0000000000000001", {"csv": "x"}).refused("row 63", 404)
    equal(upload(v, "row 63: as many as may be", {"$blob": table(*({"BilledCost": "0.0001"} for _ in range(10000)))})["amount"], "1.00", "row 63")


def row_34_credits_are_hidden(v):
    made = upload(v, "row 34", {"$blob": table({"BilledCost": "-100", "ChargeCategory": "Credit", "ServiceName": "Promo"}, {"BilledCost": "-20", "ChargeCategory": "Refund", "ServiceName": "Promo"},
                                               {"BilledCost": "-3", "ChargeCategory": "Discount", "ServiceName": "Promo"}, {"BilledCost": "8", "ChargeCategory": "Tax", "ServiceName": "Promo"})})
    promo = v.ours + " AND costs.service = 'Promo'"
    equal(amount(v, "row 34", promo), D("5"), "row 34: discounts and taxes are in, credits and refunds are not")
    equal(amount(v, "row 34", promo, **{"settings[include_credits]": True}), D("-95"), "row 34: credits")
    equal(amount(v, "row 34", promo, **{"settings[include_refunds]": True, "settings[include_discounts]": False}), D("-12"), "row 34: refunds")
    equal(amount(v, "row 34", promo + " AND costs.charge_type = 'Credit'", **{"settings[include_credits]": True}), D("-100"), "row 34: as a filter")
    v.call("integrations.deleteUserCostsUpload", v.token, made["token"]).fine("row 34")


def providers_do_not_mix(v):
    up = BillUpstream([{"day": DAY, "project": "proj_a", "key": "key_1", "item": "gpt-4o-2024-08-06, input", "amount": "4.00", "quantity": 1600000, "unit": "tokens"}])
    v.raw("POST", "/v2/integrations/open_ai", {"api_key": up.key, "base_url": up.url})
    wait_until("imported", 60, lambda: amount(v, "mix", OPENAI) == 4)
    everything = [r for r in v.call("costReports.list", {}).fine("mix")["cost_reports"] if r["title"] == "All Resources"][0]
    total = v.call("costs.list", {"cost_report_token": everything["token"], **SPAN}).fine("mix")["total_cost"]["amount"]
    equal(D(total), amount(v, "mix", OPENAI) + amount(v, "mix"), "All Resources has both")
    segment = v.call("segments.create", {"title": "Everything"}).fine("mix")["token"]
    budget = v.call("budgets.create", {"name": "All of it", "cost_report_token": segment,
                                       "periods": [{"start_at": SPAN["start_date"], "end_at": SPAN["end_date"], "amount": str(D(total) * 2)}]}).fine("mix")
    equal([m["actual"] for m in budget["performance"]], ["-50%"], "a segment without a filter has both")
    other = v.call("workspaces.create", {"name": "Other"}).fine("mix")["token"]
    equal(amount(v, "mix", workspace_token=other), D(0), "another workspace sees none of it")
    v.call("integrations.update", v.token, {"workspace_tokens": [other], "name": "Renamed"}).fine("mix")
    check(amount(v, "mix", workspace_token=other) > 0, "until it may")
    check(any(p["name"] == "Renamed" for p in v.call("costProviders.list", {"workspace_token": other}).fine("mix")["cost_providers"]), "its new name")
    member = v.gw.cli("key", "create", "--name", "member", "--role", "member").stdout.strip()
    v.call("integrations.createUserCostsUploadViaCsv", v.token, {"csv": "x"}, token=member).refused("a member makes no bills", 403)
    v.gw.stop()
    v.gw.start()
    check(amount(v, "mix", workspace_token=other) > 0, "after a restart")
    v.call("integrations.delete", v.token).fine("row 11")
    equal(amount(v, "row 11", workspace_token=other), D(0), "row 11: its costs are gone")
    v.call("integrations.get", v.token).refused("row 11", 404)


def fetch(v, address):
    status, fields, text = v.gw.request("GET", address.removeprefix(v.gw.url), key=None)
    equal(status, 200, f"the file: {text[:200]}")
    return text.decode()


def old_usage_pages_are_estimates_in_a_ledger_of_their_own(v):
    day = {"object": "list", "ft_data": [], "current_usage_usd": 1.5, "data": [
        {"organization_id": "org-old", "organization_name": "Old", "aggregation_timestamp": DAY * 86400, "n_requests": 2, "operation": "completion",
         "snapshot_id": "gpt-4o-2024-08-06", "n_context": 2, "n_context_tokens_total": 3000, "n_generated": 2, "n_generated_tokens_total": 400,
         "n_cached_context_tokens_total": 1000, "project_id": "proj_old", "project_name": "Old project", "api_key_id": "key_old", "email": None},
        {"aggregation_timestamp": DAY * 86400 + 300, "n_requests": 1, "operation": "completion", "snapshot_id": "gpt-4o-2024-08-06", "n_context_tokens_total": 1000000, "n_generated_tokens_total": 0,
         "request_type": "batch"},
        {"aggregation_timestamp": DAY * 86400, "n_requests": 1, "operation": "completion", "snapshot_id": "model-nobody-knows", "n_context_tokens_total": 50, "n_generated_tokens_total": 5},
        {"aggregation_timestamp": DAY * 86400, "n_requests": 1, "operation": "embeddings", "snapshot_id": "text-embedding-3-small", "n_context_tokens_total": 1000000, "n_generated_tokens_total": 0}],
        "tts_api_data": [{"timestamp": DAY * 86400, "model_id": "tts-1", "num_characters": 1000, "num_requests": 1}]}
    asked = []

    def answer(r):
        date = r.target.split("date=")[1] if "/usage?date=" in r.target else None
        asked.append((r.target, r.headers.get("authorization")))
        if not date or r.headers.get("authorization") != "Bearer sk-old-0123456789":
            return r.answer({"error": {"message": "no"}}, status="401 Unauthorized")
        return r.answer(day if date == WHEN else {"object": "list", "data": [], "ft_data": []})

    up = Upstream(answer)
    v.gw.cli("connect", "openai-legacy", "--api-key-env", "OLD_KEY", "--base-url", up.url, env={"OLD_KEY": "sk-old-0123456789"})
    estimated = OPENAI + " AND costs.ledger = 'estimated'"
    home = v.call("me.get").fine("old")["default_workspace_token"]
    ask_all = lambda filter, **more: ask(v, "old", filter, workspace_token=home, **more)
    total = lambda filter: D(ask_all(filter)["total_cost"]["amount"])
    wait_until("estimated", 60, lambda: total(estimated) > 0)
    parts = {r["line_item"]: D(r["amount"]) for r in ask_all(estimated, groupings=["line_item"])["costs"]}
    equal(parts, {"gpt-4o-2024-08-06, input": D("0.005"), "gpt-4o-2024-08-06, cached input": D("0.00125"), "gpt-4o-2024-08-06, output": D("0.004"),
                  "batch | gpt-4o-2024-08-06, input": D("1.25"), "text-embedding-3-small, input": D("0.02"), "tts-1, characters": D("0.015"),
                  "model-nobody-knows, input, unpriced": D(0), "model-nobody-knows, output, unpriced": D(0)}, "estimates by the catalogue")
    billed = total(OPENAI)
    equal(total(OPENAI + " AND costs.ledger = 'billed'"), billed, "billed is what is billed")
    equal(total(f"({OPENAI} AND costs.ledger = 'billed') OR ({estimated})"), billed + sum(parts.values()), "both only where both are named")
    listed = lambda: [i for i in v.call("integrations.list", {"provider": "open_ai"}).fine("old")["integrations"] if i["account_identifier"] == "org-old"]
    wait_until("its organization is known", 30, listed)
    status = listed()[0]
    wait_until("imported", 60, lambda: v.call("integrations.get", status["token"]).fine("old")["status"] == "imported")
    row = [r for r in ask_all(estimated, groupings=["account_id", "ledger", "billing_account_id", "resource_id"])["costs"] if r["account_id"] == "proj_old"][0]
    equal((row["ledger"], row["billing_account_id"], row["resource_id"]), ("estimated", "org-old", "key_old"), "whose they are")
    days = {t.split("date=")[1] for t, _ in asked}
    check(day_text(today()) in days and day_text(today() - 178) in days and day_text(today() + 1) not in days, f"{len(days)} days")
    day["data"][0]["n_generated_tokens_total"] = 800
    v.gw.cli("import", "--since", WHEN)
    equal(total(estimated), sum(parts.values()) + D("0.004"), "a restated day is replaced")
    _, _, text = v.gw.request("GET", f"/tollgate/v1/focus?since={WHEN}&until={day_text(DAY + 1)}")
    check("org-old" not in text.decode(), "no FOCUS file has an estimate as a bill")
    v.call("integrations.delete", status["token"]).fine("old")
    wait_until("gone", 20, lambda: total(estimated) == 0)
    v.gw.cli("connect", "openai-legacy", "--slug", "wrong", "--api-key-env", "OLD_KEY", "--base-url", up.url, env={"OLD_KEY": "sk-wrong-0123456789"})
    states = lambda: {i["integration"]: i["status"] for i in v.raw("GET", "/tollgate/v1/imports")[2]["data"]}
    wait_until("refused", 20, lambda: states().get("wrong") == "error")


def old_usage_pages_of_the_simulator(v):
    with Sim() as sim:
        base = sim.base
        v.gw.cli("connect", "openai", "--slug", "sim", "--api-key-env", "SIM_KEY", "--base-url", base, env={"SIM_KEY": "sk-sim-0123456789"})
        for _ in range(3):
            status, _, answer = v.gw.request("POST", "/v1/chat/completions", {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}, {"x-portkey-provider": "@sim"})
            equal(status, 200, f"the simulator answers: {answer[:200]}")
        v.gw.cli("connect", "openai-legacy", "--slug", "sim-legacy", "--api-key-env", "SIM_KEY", "--base-url", base, env={"SIM_KEY": "sk-sim-0123456789"})
        home = v.call("me.get").fine("sim")["default_workspace_token"]
        metered = lambda: {r["cost_subcategory"]: D(r["amount"]) for r in ask(v, "sim", OPENAI + " AND costs.ledger = 'metered'", workspace_token=home, groupings=["cost_subcategory"])["costs"]}
        seen = lambda: {r["cost_subcategory"]: D(r["amount"]) for r in ask(v, "sim", OPENAI + " AND costs.ledger = 'estimated'", workspace_token=home, groupings=["cost_subcategory"])["costs"]}
        wait_until("imported", 60, lambda: sum(seen().values()) > 0)
        wait_until("metered", 20, lambda: sum(metered().values()) >= sum(seen().values()))
        equal(seen(), metered(), "what the page counts, priced here, is what was metered, meter by meter")


def row_60_exports_come_and_go(v):
    where = v.call("costs.createExport", {"filter": OPENAI, "workspace_token": v.call("me.get").fine("row 60")["default_workspace_token"], **SPAN}).fine("row 60")
    made = v.call("dataExports.get", where.rsplit("/", 1)[1]).fine("row 60")
    equal(made["status"], "completed", "row 60")
    check(fetch(v, made["manifest"]["files"][0]).startswith("Date,"), "row 60: the file")
    v.call("dataExports.get", "dta_xprt_0000000000000000").refused("row 60", 404)


if __name__ == "__main__":
    v = Vantage(args=["--import-period", "1ms"])
    tests = [row_63_a_provider_is_made, row_63_a_file_becomes_costs, row_63_tags_of_files, row_63_files_replace_and_go, row_63_rows_that_are_wrong,
             row_34_credits_are_hidden, providers_do_not_mix, old_usage_pages_are_estimates_in_a_ledger_of_their_own, old_usage_pages_of_the_simulator,
             row_60_exports_come_and_go]

    def bound(test):
        def call():
            test(v)
        call.__name__ = test.__name__
        return call

    with v:
        run(*map(bound, tests))
