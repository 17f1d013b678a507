#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Costs through Vantage's own SDK: OpenAI connected by its admin key, its bill imported from a scripted upstream, and what
GET /v2/costs makes of it. Row numbers are those of the contract's checklist.
"""

import csv
import datetime
import decimal
import io
import json
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from bill_upstream import BillUpstream, day_text, today
from harness import check, equal, run, wait_until
from vantage import UNDEFINED, Vantage

MONEY = re.compile(r"^-?\d+\.\d+$")
ALL = "costs.provider = 'open_ai'"
D = decimal.Decimal
LAST, FIRST = today() - 1, today() - 40
SPAN = {"start_date": day_text(FIRST), "end_date": day_text(LAST)}


def bill():
    rows = []
    for n, day in enumerate(range(FIRST, LAST + 1)):
        rows += [{"day": day, "project": "proj_a", "key": "key_1", "item": "gpt-4o-2024-08-06, input", "amount": f"1.{n:02d}0000000001", "quantity": 1000 + n, "unit": "tokens"},
                 {"day": day, "project": "proj_b", "key": "key_2", "item": "gpt-4o-mini-2024-07-18, output", "amount": "0.25", "quantity": 50, "unit": "tokens"},
                 {"day": day, "project": None, "key": None, "item": "text-embedding-3-small, input", "amount": "0.000000000003", "quantity": 7, "unit": "tokens"}]
    return rows


def total(rows):
    return sum((D(row["amount"]) for row in rows), D(0))


def ask(v, row, **params):
    answer = v.call("costs.list", {"filter": ALL, "limit": 5000, **SPAN, **params}).fine(row)
    check(all(MONEY.match(c["amount"]) for c in answer["costs"]), f"{row}: amounts")
    return answer


def summed(answer):
    return sum((D(c["amount"]) for c in answer["costs"]), D(0))


def row_8_a_bad_key_is_not_stored(v):
    connect = {"api_key": "sk-admin-wrong-0123456789", "base_url": v.up.url}
    v.request("/v2/integrations/open_ai", "POST", connect).refused("row 8", 422, "OpenAI rejected the key (401)")
    v.up.status = "403 Forbidden"
    v.request("/v2/integrations/open_ai", "POST", connect).refused("row 8", 422, "admin key")
    v.up.status = None
    v.request("/v2/integrations/open_ai", "POST", {}).refused("row 8", 400, "api_key")
    equal(v.call("integrations.list", {}).fine("row 8")["integrations"], [], "row 8: nothing is stored")


def rows_7_and_9_openai_is_connected(v):
    status, _, made = v.raw("POST", "/v2/integrations/open_ai", {"api_key": v.up.key, "base_url": v.up.url, "description": "The bill"})
    equal((status, made["status"], made["provider"]), (201, "pending", "open_ai"), "row 7")
    check(set("token provider account_identifier status last_updated workspace_tokens created_at managed_account_tokens".split()) <= set(made), f"row 7: {made}")
    check(v.up.key not in str(made), "row 7: the key is not shown")
    v.token = made["token"]
    wait_until("row 7: imported", 60, lambda: v.call("integrations.get", v.token).fine("row 7")["status"] == "imported")
    row = v.call("integrations.list", {"provider": "open_ai"}).fine("row 9")["integrations"][0]
    equal((row["account_identifier"], row["description"]), ("org-one", "The bill"), "row 9")
    check(row["last_updated"], f"row 9: {row}")
    equal(v.call("integrations.list", {"provider": "aws"}).fine("row 9")["integrations"], [], "row 9: another provider")
    equal(len(v.call("integrations.list", {"provider": "open_ai", "account_identifier": "org-one"}).fine("row 9")["integrations"]), 1, "row 9")
    v.call("integrations.list", {"account_identifier": "org-one"}).refused("row 9", 400, "provider")
    v.request("/v2/integrations/open_ai", "POST", {"api_key": v.up.key, "base_url": v.up.url}).refused("row 7: connected already", 422)


def rows_26_and_28_sums_are_exact(v):
    answer = ask(v, "row 28")
    equal(D(answer["total_cost"]["amount"]), total(v.up.rows), "row 28: total")
    equal(summed(answer), total(v.up.rows), "row 28: rows")
    equal(answer["total_cost"]["currency"], "USD", "row 28")
    row = answer["costs"][0]
    check({"accrued_at", "amount", "currency", "provider", "service", "account_id"} <= set(row), f"row 26: {row}")
    check("cost_category" not in row and "region" not in row, f"row 26: only what was grouped by: {row}")
    equal((row["provider"], row["accrued_at"]), ("open_ai", day_text(LAST)), "row 26: newest first")


def rows_15_and_16_the_seeds_filters(v):
    def amount(filter):
        return D(ask(v, "row 15", filter=filter)["total_cost"]["amount"])
    rows = v.up.rows
    equal(amount("(costs.provider = 'open_ai' AND costs.provider_account_id = 'org-one')"), total(rows), "row 15: Organization")
    equal(amount("(costs.provider = 'open_ai' AND costs.service = 'Embeddings')"), total([r for r in rows if "embedding" in r["item"]]), "row 15: Operation")
    equal(amount("costs.provider = 'open_ai' AND costs.category IN ('gpt-4o-2024-08-06')"), total([r for r in rows if r["item"].startswith("gpt-4o-2024")]), "row 15: Model")
    equal(amount("costs.provider='openai'"), total(rows), "row 16: openai is open_ai")
    equal(amount("costs.provider = 'open_ai' AND costs.account_id = 'proj_b' AND costs.allocation = 0.5"),
          total([r for r in rows if r["project"] == "proj_b"]) / 2, "row 22: half of it")


def rows_17_to_21_the_query_language(v):
    """Each filter beside what it means in Python."""
    tags = [v.call("virtualTagConfigs.create", {"key": key, "overridable": False, "values": values}).fine("row 19")["token"] for key, values in (
        ("crew", [{"name": "team-a", "filter": ALL + " AND costs.account_id = 'proj_a'"}, {"name": "Team B", "filter": ALL + " AND costs.account_id = 'proj_b'"}]),
        ("stage", [{"name": "prod", "filter": ALL + " AND costs.account_id = 'proj_a' AND costs.category LIKE 'gpt%'"}]))]
    a, b, none = (lambda r: r["project"] == "proj_a"), (lambda r: r["project"] == "proj_b"), (lambda r: not r["project"])
    embeds, mini = (lambda r: "embedding" in r["item"]), (lambda r: "mini" in r["item"])
    A, B, E, M = "costs.account_id = 'proj_a'", "costs.account_id = 'proj_b'", "costs.service = 'Embeddings'", "costs.category LIKE '%mini%'"
    for filter, means in (
            (f"{ALL} AND {A} AND {M}", lambda r: a(r) and mini(r)), (f"{ALL} AND ({A} OR {M})", lambda r: a(r) or mini(r)),
            (f"{ALL} AND {A} OR {ALL} AND {E}", lambda r: a(r) or embeds(r)), (f"{ALL} AND NOT {A}", lambda r: not a(r)),
            (f"{ALL} AND NOT ({A} OR {B})", lambda r: not a(r) and not b(r)), (f"{ALL} AND NOT {A} AND {M} OR {ALL} AND {E}", lambda r: not a(r) and mini(r) or embeds(r)),
            (f"({ALL} AND {A}) OR ({ALL} AND {B})", lambda r: a(r) or b(r)), (f"{ALL} and not not {B}", b),
            (f"{ALL} AND costs.account_id IN ('proj_a', 'proj_b')", lambda r: a(r) or b(r)), (f"{ALL} AND costs.account_id NOT IN ('proj_a')", lambda r: not a(r)),
            (f"{ALL} AND costs.account_id != 'proj_a'", lambda r: not a(r)), (f"{ALL} AND costs.account_id <> 'proj_b'", lambda r: not b(r)),
            (f"{ALL} AND costs.category LIKE 'gpt-4o-2%'", a), (f"{ALL} AND costs.category NOT LIKE '%mini%'", lambda r: not mini(r)),
            (f"{ALL} AND costs.category LIKE '%'", lambda r: True),
            (f"{ALL} AND (tags.name, tags.value) IN (('crew', 'team-a'), ('stage', 'prod'))", a), (f"{ALL} AND (tags.name, tags.value) IN (('crew', 'Team B'), ('stage', 'prod'))", lambda r: False),
            (f"{ALL} AND tags.name = 'crew' AND tags.value ~* 'Team A'", a), (f"{ALL} AND tags.name = 'crew' AND tags.value ~* 'team_b'", b),
            (f"{ALL} AND tags.name = 'crew' AND tags.value ~* 'TEAMA'", a), (f"{ALL} AND tags.name = NULL", none)):
        wanted = total([r for r in v.up.rows if means(r)])
        equal(D(ask(v, "rows 17 to 21", filter=filter)["total_cost"]["amount"]), wanted, f"rows 17 to 21: {filter}")
    for tag in tags:
        v.call("virtualTagConfigs.delete", tag).fine("row 21")


def rows_23_and_24_filters_that_are_none(v):
    for filter in ('costs.provider = "open_ai"', "costs.colour = 'red'", "costs.service = 'x'", "costs.provider = 'open_ai' AND"):
        check("VQL" in v.call("costs.list", {"filter": filter}).refused("row 23", 400), "row 23")
    equal(ask(v, "row 24", filter=ALL + " AND costs.service = '''; DROP TABLE bill_rows; --'")["costs"], [], "row 24: data")
    equal(v.call("costs.list", {"filter": ALL + " " * 33000}).status, 400, "row 24: too long for a request's head")
    equal(D(ask(v, "row 24")["total_cost"]["amount"]), total(v.up.rows), "row 24: everything is still there")


def row_25_groupings_in_every_form(v):
    wanted = ask(v, "row 25", groupings=["service", "cost_category"])
    check({"service", "cost_category"} <= set(wanted["costs"][0]) and "provider" not in wanted["costs"][0], f"row 25: {wanted['costs'][0]}")
    base = f"/v2/costs?filter={ALL.replace(' ', '+').replace('=', '%3D')}&limit=5000&start_date={SPAN['start_date']}&end_date={SPAN['end_date']}"
    for form in ("&groupings=service,cost_category", "&groupings[]=service&groupings[]=cost_category", "&groupings=service&groupings=%22cost_category%22"):
        status, _, answer = v.raw("GET", base + form)
        equal((status, answer["costs"]), (200, wanted["costs"]), f"row 25: {form}")
    v.call("costs.list", {"filter": ALL, "groupings": ["colour"]}).refused("row 25", 400, "colour")


def row_27_bins(v):
    for bin, first in (("week", lambda d: d - datetime.timedelta(d.weekday())), ("month", lambda d: d.replace(day=1)),
                       ("quarter", lambda d: d.replace(month=(d.month - 1) // 3 * 3 + 1, day=1)), ("day", lambda d: d)):
        answer = ask(v, "row 27", date_bin=bin, order="asc", groupings=["provider"])
        begin = datetime.date.fromisoformat(day_text(FIRST))
        days = [begin + datetime.timedelta(n) for n in range(LAST - FIRST + 1)]
        allowed = {str(max(first(d), begin)) for d in days} | {str(first(d)) for d in days}
        check({c["accrued_at"] for c in answer["costs"]} <= allowed, f"row 27: {bin}: {answer['costs'][:3]}")
        equal(summed(answer), total(v.up.rows), f"row 27: {bin}")
        dates = [c["accrued_at"] for c in answer["costs"]]
        equal(dates, sorted(dates), "row 27: ascending")
    hours = ask(v, "row 27", date_bin="hour")
    check(all(c["accrued_at"].endswith("T00:00:00Z") for c in hours["costs"]), "row 27: hour")
    equal((hours["granularity"], summed(hours)), ("day", total(v.up.rows)), "row 27: bills are by the day")
    check("granularity" not in ask(v, "row 27"), "row 27: and days are days")
    v.call("costs.list", {"filter": ALL, "date_bin": "cumulative"}).refused("row 27", 400, "date_bin")


def rows_29_to_31_pages(v):
    one, two = ask(v, "row 29", limit=2), ask(v, "row 29", limit=2, page=2)
    equal(one["total_cost"], two["total_cost"], "row 29: the total is of all pages")
    check(len(one["costs"]) == 2 and one["costs"] != two["costs"], "row 29")
    check(one["links"]["next"].startswith(v.gw.url + "/v2/costs?") and "page=2" in one["links"]["next"], f"row 29: {one['links']}")
    equal(v.raw("GET", one["links"]["next"].removeprefix(v.gw.url))[2]["costs"], two["costs"], "row 29: by its link")
    v.call("costs.list", {"filter": ALL, "limit": 5001}).refused("row 30", 400, "5000")
    ask(v, "row 31", workspace_token=UNDEFINED, cost_report_token=None, order=UNDEFINED)
    v.call("costs.list", {}).refused("row 31", 400, "cost_report_token or filter")
    v.call("costs.list", {"cost_report_token": "rprt_0000000000000000"}).refused("row 31", 404)
    v.call("costs.list", {"filter": ALL, "start_date": "2026-02-01", "end_date": "2026-01-01"}).refused("dates", 400, "after")
    v.call("costs.list", {"filter": ALL, "start_date": "soon"}).refused("dates", 400, "start_date")


def rows_32_and_33_usage_and_counts(v):
    answer = ask(v, "row 32", **{"settings[aggregate_by]": "usage"})
    tokens = sum(r["quantity"] for r in v.up.rows)
    equal([(u["unit"], D(u["amount"])) for u in answer["total_usage"]], [("Tokens", D(tokens))], "row 32: total_usage")
    equal(sum(D(c["usage"]["amount"]) for c in answer["costs"]), D(tokens), "row 32: rows")
    counted = ask(v, "row 33", limit=1, groupings=["cost_category"], **{"settings[aggregate_by]": "count"})
    equal((counted["total_count"], {c["count"] for c in counted["counts"]}, len(counted["counts"])), (3, {3}, LAST - FIRST + 1), "row 33: whatever the page")


def row_40_saved_filters_hold_for_reports_and_folders(v):
    kept = v.call("savedFilters.create", {"title": "b", "filter": ALL + " AND costs.account_id = 'proj_b'"}).fine("row 40")["token"]
    folder = v.call("folders.create", {"title": "f", "saved_filter_tokens": [kept]}).fine("row 41")["token"]
    child = v.call("folders.create", {"title": "c", "parent_folder_token": folder}).fine("row 41")["token"]
    of_b, dates = [r for r in v.up.rows if r["project"] == "proj_b"], {**SPAN, "filter": ALL}
    direct = v.call("costReports.create", {"title": "r", "saved_filter_tokens": [kept], **dates}).fine("row 40")["token"]
    inside = v.call("costReports.create", {"title": "r", "folder_token": child, "groupings": "account_id", **dates}).fine("row 41")["token"]
    for row, token in (("row 40", direct), ("row 41", inside)):
        answer = v.call("costs.list", {"cost_report_token": token, "limit": 5000}).fine(row)
        equal(D(answer["total_cost"]["amount"]), total(of_b), f"{row}: by the saved filter")
    check("service" not in answer["costs"][0] and answer["costs"][0]["account_id"] == "proj_b", f"row 41: the report's groupings: {answer['costs'][0]}")
    v.call("savedFilters.update", kept, {"filter": ALL + " AND costs.account_id = 'proj_a'"}).fine("row 40")
    answer = v.call("costs.list", {"cost_report_token": direct}).fine("row 40")
    equal(D(answer["total_cost"]["amount"]), total([r for r in v.up.rows if r["project"] == "proj_a"]), "row 40: changed for all reports")


def row_52_virtual_tags(v):
    made = v.call("virtualTagConfigs.create", {"key": "team", "overridable": True, "values": [
        {"name": "search", "filter": ALL + " AND costs.account_id = 'proj_a'"}, {"name": "rest", "filter": ALL}]}).fine("row 52")["token"]
    answer = ask(v, "row 52", groupings=["tag:team"], date_bin="quarter")
    sums = {}
    for c in answer["costs"]:
        sums[c["tags"][0]] = sums.get(c["tags"][0], D(0)) + D(c["amount"])
    of_a = total([r for r in v.up.rows if r["project"] == "proj_a"])
    equal(sums, {"team:search": of_a, "team:rest": total(v.up.rows) - of_a}, "row 52: the first that matches")
    equal(D(ask(v, "row 52", filter=ALL + " AND tags.name = 'team' AND tags.value = 'search'")["total_cost"]["amount"]), of_a, "row 52: as a filter")
    v.call("virtualTagConfigs.delete", made).fine("row 52")


def by_tag(v, row, key):
    sums = {}
    for c in ask(v, row, groupings=[f"tag:{key}"], date_bin="month")["costs"]:
        sums[c["tag"]] = sums.get(c["tag"], D(0)) + D(c["amount"])
    equal(sum(sums.values()), total(v.up.rows), f"{row}: {key} adds up")
    return sums


def row_52_shares(v):
    of = {p: total([r for r in v.up.rows if r["project"] == p]) for p in ("proj_a", "proj_b", None)}
    halves = [{"value": "x", "pct": 50}, {"value": "y", "pct": 50}]
    made = v.call("virtualTagConfigs.create", {"key": "half", "overridable": True, "values": [
        {"name": "x", "filter": ALL + " AND costs.account_id = 'proj_b'"}, {"percentages": halves, "filter": ALL + " AND costs.account_id = 'proj_a'"},
        {"percentages": [{"value": "z", "pct": 12.5}], "filter": ALL}]}).fine("row 52")["token"]
    equal(by_tag(v, "row 52", "half"), {"x": of["proj_b"] + of["proj_a"] / 2, "y": of["proj_a"] / 2, "z": of[None] / 8, None: of[None] * 7 / 8}, "row 52: 50/50")
    equal(D(ask(v, "row 52", filter=ALL + " AND tags.name = 'half' AND tags.value = 'y'")["total_cost"]["amount"]), of["proj_a"] / 2, "row 52: a share by a filter")
    owner = v.call("virtualTagConfigs.create", {"key": "owner", "overridable": True, "values": [
        {"name": "A", "filter": ALL + " AND costs.account_id = 'proj_a'", "date_ranges": [{"start_date": day_text(FIRST), "end_date": day_text(LAST - 3)}]}]}).fine("row 52")["token"]
    last = total([r for r in v.up.rows if r["project"] == "proj_a" and r["day"] > LAST - 3])
    equal(by_tag(v, "row 52", "owner"), {"A": of["proj_a"] - last, None: total(v.up.rows) - of["proj_a"] + last}, "row 52: for some days")
    v.call("virtualTagConfigs.update", owner, {"backfill_until": day_text(LAST)[:8] + "01", "values": [{"name": "A", "filter": ALL}]}).fine("row 52")
    since = total([r for r in v.up.rows if day_text(r["day"]) >= day_text(LAST)[:8] + "01"])
    equal(by_tag(v, "row 52", "owner").get("A"), since, "row 52: from its month on")
    v.call("virtualTagConfigs.update", owner, {"backfill_until": None, "values": [
        {"cost_metric": {"filter": ALL, "aggregation": {"tag": "half"}}, "filter": ALL + " AND costs.service = 'Embeddings'"}]}).fine("row 52")
    shared = by_tag(v, "row 52", "owner")
    equal(set(shared), {"x", "y", "z", None}, "row 52: by other costs")
    v.call("virtualTagConfigs.update", made, {"values": [{"name": "n", "filter": ALL + " AND tags.name = 'owner'"}]}).refused("row 53: a circle", 422, "itself")
    metric = v.call("businessMetrics.create", {"title": "Users", "values": [
        {"date": day_text(d), "amount": a, "label": l} for d in range(FIRST, LAST + 1) for a, l in ((3, "eu"), (1, "us"))]}).fine("row 52")["token"]
    v.call("virtualTagConfigs.update", owner, {"values": [{"business_metric_token": metric, "filter": ALL}]}).fine("row 52")
    equal(by_tag(v, "row 52", "owner"), {"eu": total(v.up.rows) * 3 / 4, "us": total(v.up.rows) / 4}, "row 52: by a metric")
    for token in (made, owner):
        v.call("virtualTagConfigs.delete", token).fine("row 52")


def row_55_segments(v):
    def make(title, priority, filter=None, **more):
        return v.call("segments.create", {"title": title, "priority": priority, "filter": filter, **more}).fine("row 55")["token"]

    def sums():
        answer = ask(v, "row 55", groupings=["segment"], date_bin="month")
        equal(summed(answer), D(answer["total_cost"]["amount"]), "row 55: segments and Unallocated are the total")
        equal(summed(answer), total(v.up.rows), "row 55: of the bill")
        found = {}
        for c in answer["costs"]:
            found[c["segment"]] = found.get(c["segment"], D(0)) + D(c["amount"])
        return found
    of = {p: total([r for r in v.up.rows if r["project"] == p]) for p in ("proj_a", "proj_b", None)}
    equal(sums(), {"Unallocated": total(v.up.rows)}, "row 55: none")
    chat = make("Chat", 1, ALL + " AND costs.service = 'Chat and Completions'")
    make("A", 0, ALL + " AND costs.account_id = 'proj_a'")
    equal(sums(), {"A": of["proj_a"], "Chat": of["proj_b"], "Unallocated": of[None]}, "row 55: priority 0 wins")
    child = make("Mini", 5, ALL + " AND costs.category LIKE 'gpt-4o-mini%'", parent_segment_token=chat)
    equal(sums(), {"A": of["proj_a"], "Chat / Mini": of["proj_b"], "Unallocated": of[None]}, "row 55: within another")
    v.call("segments.update", child, {"filter": ALL + " AND costs.category = 'none'"}).fine("row 55")
    v.call("segments.update", chat, {"track_unallocated": True}).fine("row 55")
    equal(sums(), {"A": of["proj_a"], "Chat / Unallocated": of["proj_b"], "Unallocated": of[None]}, "row 55: what its children leave")
    report = v.call("costReports.create", {"title": "s", "filter": ALL, "groupings": "segment", **SPAN, "date_bin": "month"}).fine("row 55")["token"]
    kept = v.call("costs.list", {"cost_report_token": report}).fine("row 55")
    equal(({c["segment"] for c in kept["costs"]}, summed(kept)), ({"A", "Chat / Unallocated", "Unallocated"}, total(v.up.rows)), "row 55: a report by segment")
    for s in v.call("segments.list", {}).fine("row 55")["segments"]:
        if not s["parent_segment_token"]:
            v.call("segments.delete", s["token"]).fine("row 55")


def row_64_providers_services_accounts(v):
    equal(v.call("costProviders.list", {}).fine("row 64")["cost_providers"], [{"name": "OpenAI", "key": "open_ai"}], "row 64")
    services = v.call("costServices.list", {}).fine("row 64")["cost_services"]
    equal(sorted(s["name"] for s in services), ["Chat and Completions", "Embeddings"], "row 64")
    accounts = v.call("costProviderAccounts.list", {}).fine("row 64")["cost_provider_accounts"]
    equal({(a["title"], a["account_id"], a["provider_uuid"]) for a in accounts}, {("A", "proj_a", "org-one"), ("B", "proj_b", "org-one"), ("(no project)", "", "org-one")}, "row 64")
    only = v.call("costProviderAccounts.list", {"account_name": "B", "provider": "open_ai"}).fine("row 64")["cost_provider_accounts"]
    equal([a["account_id"] for a in only], ["proj_b"], "row 64: exact name")


def row_60_files(v):
    where = v.call("costs.createExport", {"filter": ALL, "groupings": ["account_id", "cost_category"], "date_bin": "month", **SPAN}).fine("row 60")
    check(where.startswith(v.gw.url + "/v2/data_exports/dta_xprt_"), f"row 60: {where}")
    made = v.call("dataExports.get", where.rsplit("/", 1)[1]).fine("row 60")
    equal((made["status"], made["export_type"], made["attributes"]["groupings"]), ("completed", "cost_report", ["account_id", "cost_category"]), "row 60")
    equal((made["attributes"]["start_date"], made["attributes"]["vql"]), (SPAN["start_date"], ALL), "row 60: what was asked")
    file = made["manifest"]["files"][0].removeprefix(v.gw.url)
    status, headers, body = v.gw.request("GET", file, key=None)
    equal((status, headers["content-type"]), (200, "text/csv; charset=utf-8"), "row 60: without a key")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    equal(list(rows[0]), ["Date", "Account", "Service Category", "Usage", "Usage Unit", "Cost", "Currency"], "row 60: columns")
    equal(sum((D(r["Cost"]) for r in rows), D(0)), total(v.up.rows), "row 60: the sum of the file")
    equal(v.gw.request("GET", file[:-1] + ("0" if file[-1] != "0" else "1"), key=None)[0], 404, "row 60: another secret")
    v.call("dataExports.get", "dta_xprt_0000000000000000").refused("row 60", 404)
    v.call("costs.createExport", {"filter": ALL, "schema": "cbf"}).refused("row 60: no such schema", 400, "schema")
    status, headers, answer = v.raw("POST", "/v2/costs/data_exports", {"filter": ALL})
    check(status == 202 and headers["location"].endswith(answer["token"]), f"row 60: {status} {headers}")


def row_38_a_file_of_two_periods(v):
    where = v.call("costs.createExport", {"filter": ALL, "schema": "comparison", "groupings": ["account_id"], "start_date": day_text(LAST - 6),
                                          "end_date": day_text(LAST)}).fine("row 38")
    file = v.call("dataExports.get", where.rsplit("/", 1)[1]).fine("row 38")["manifest"]["files"][0].removeprefix(v.gw.url)
    rows = list(csv.DictReader(io.StringIO(v.gw.request("GET", file, key=None)[2].decode())))
    equal(list(rows[0]), ["Account", "Cost", "Previous Cost", "Change", "Currency"], "row 38: columns")
    for row in rows:
        now = [r for r in v.up.rows if (r["project"] or "") == row["Account"] and r["day"] > LAST - 7]
        equal(D(row["Cost"]), total(now), "row 38: this period")
        equal(D(row["Change"]), D(row["Cost"]) - D(row["Previous Cost"]), "row 38: the change")


def row_65_tags(v):
    made = v.call("virtualTagConfigs.create", {"key": "env", "overridable": False, "values": [{"name": "prod", "filter": ALL}]}).fine("row 65")["token"]
    tag = {"tag_key": "env", "hidden": False, "preferred": False, "providers": ["open_ai"]}
    equal(v.call("tags.list", {"providers": ["open_ai"]}).fine("row 65")["tags"], [tag], "row 65: list")
    equal(v.request("/v2/tags", "PUT", {"tag_key": "env", "hidden": True}).fine("row 65")["tags"], [{**tag, "hidden": True}], "row 65: hidden")
    equal(len(v.call("tags.list", {}).fine("row 65")["tags"]), 1, "row 65: the API still shows it")
    equal(v.call("tags.getValues", "env", {}).fine("row 65")["tag_values"], [{"tag_value": "prod", "providers": ["open_ai"]}], "row 65: values")
    v.request("/v2/tags", "PUT", {"tag_key": "none"}).refused("row 65", 404)
    v.call("virtualTagConfigs.delete", made).fine("row 65")


def row_59_unit_costs(v):
    metric = v.call("businessMetrics.create", {"title": "Requests", "values": [{"date": day_text(LAST), "amount": 3000}, {"date": day_text(LAST - 1), "amount": 7},
                                               {"date": day_text(LAST - 1), "amount": 1, "label": "x"}]}).fine("row 59")["token"]
    uses = [{"business_metric_token": metric, "unit_scale": "per_thousand", "calculation_type": kind} for kind in ("unit_cost", "gross_margin")]
    report = v.call("costReports.create", {"title": "u", "filter": ALL, **SPAN, "date_bin": "day", "business_metric_tokens_with_metadata": uses}).fine("row 59")["token"]
    listed = v.call("unitCosts.list", {"cost_report_token": report}).fine("row 59")["unit_costs"]
    equal([(u["date"], u["calculation_type"], u["business_metric_amount"], u["scale"]) for u in listed],
          [(day_text(day), kind, amount, 1000) for kind in ("unit_cost", "gross_margin") for day, amount in ((LAST, "3000.00"), (LAST - 1, "8.00"))], "row 59: rows")
    for u, amount in zip(listed, (3000, 8) * 2):
        cost = total([r for r in v.up.rows if day_text(r["day"]) == u["date"]])
        exact = cost / (D(amount) / 1000) if u["calculation_type"] == "unit_cost" else 100 - cost * 100 / D(amount)
        check(abs(D(u["unit_cost_amount"]) - exact) <= D("0.000000000001"), f"row 59: {u} but {exact}")
    equal(len(v.call("unitCosts.list", {"cost_report_token": report, "limit": 1, "page": 2}).fine("row 59")["unit_costs"]), 1, "row 59: a page")
    v.call("unitCosts.list", {}).refused("row 59", 400, "cost_report_token")
    where = v.call("unitCosts.createExport", {"cost_report_token": report}).fine("row 59: a file")
    made = v.call("dataExports.get", where.rsplit("/", 1)[1]).fine("row 59")
    equal((made["export_type"], made["attributes"]["report_token"]), ("unit_costs", report), "row 59: the file's attributes")
    body = v.gw.request("GET", made["manifest"]["files"][0].removeprefix(v.gw.url), key=None)[2].decode()
    rows = list(csv.DictReader(io.StringIO(body)))
    equal(sorted((r["Date"], r["Calculation"], r["Unit Cost"]) for r in rows), sorted((u["date"], u["calculation_type"], u["unit_cost_amount"]) for u in listed), "row 59: its rows")
    v.call("unitCosts.createExport", {}).refused("row 59", 400, "cost_report_token")


def row_43_performance_of_a_budget(v):
    report = v.call("costReports.create", {"title": "all", "filter": ALL}).fine("row 43")["token"]
    spent = total([r for r in v.up.rows if day_text(r["day"])[:7] == day_text(FIRST)[:7]])
    made = v.call("budgets.create", {"name": "B", "cost_report_token": report,
                                     "periods": [{"start_at": day_text(FIRST)[:8] + "01", "amount": str(spent * 2)}]}).fine("row 43")
    performance = made["performance"]
    month = datetime.date.fromisoformat(day_text(FIRST))
    equal((performance[0]["date"], performance[0]["actual"]), (month.strftime("%B, %Y"), "-50%"), "row 43: half of the budget is left")
    check(MONEY.match(performance[0]["amount"]), f"row 43: {performance}")


def row_12_a_restated_day_is_replaced(v):
    before = total(v.up.rows)
    for row in v.up.rows:
        if row["day"] == LAST and row["project"] == "proj_b":
            row["amount"] = "9.5"
    v.gw.cli("import", check=False)
    wait_until("row 12: the day is replaced", 60, lambda: D(ask(v, "row 12")["total_cost"]["amount"]) == total(v.up.rows))
    equal(total(v.up.rows), before + D("9.25"), "row 12")


def rows_10_and_11_whose_costs_they_are(v):
    first = v.call("me.get").fine("row 10")["default_workspace_token"]
    other = v.call("workspaces.create", {"name": "Other"}).fine("row 10")["token"]
    def amount(workspace):
        return D(ask(v, "row 10", workspace_token=workspace)["total_cost"]["amount"])
    v.call("costs.list", {"filter": ALL}).refused("row 10: which workspace", 400, "workspace_token")
    def reconciled():
        return D(json.loads(v.gw.get("/tollgate/v1/reconciliation?" + urllib.parse.urlencode(SPAN))[2])["total"]["billed"])
    equal((amount(first), amount(other)), (total(v.up.rows), D(0)), "row 10: at first")
    check(reconciled() > 0, "row 10: reconciled at first")
    changed = v.call("integrations.update", v.token, {"workspace_tokens": [other]}).fine("row 10")
    equal(changed["workspace_tokens"], [other], "row 10")
    equal((amount(first), amount(other)), (D(0), total(v.up.rows)), "row 10: moved")
    equal(reconciled(), D(0), "row 10: moved for reconciliation too")
    equal(v.call("costProviders.list", {"workspace_token": first}).fine("row 10")["cost_providers"], [], "row 10: not even its name")
    v.call("integrations.update", v.token, {"workspace_tokens": ["wrkspc_00000000000000ff"]}).refused("row 10", 404)
    v.call("integrations.delete", v.token).fine("row 11")
    wait_until("row 11: costs are gone", 30, lambda: amount(other) == 0)
    v.call("integrations.get", v.token).refused("row 11", 404)


if __name__ == "__main__":
    v = Vantage(args=["--import-period", "1ms"])
    v.up = BillUpstream(bill())
    tests = [row_8_a_bad_key_is_not_stored, rows_7_and_9_openai_is_connected, rows_26_and_28_sums_are_exact, rows_15_and_16_the_seeds_filters,
             rows_17_to_21_the_query_language, rows_23_and_24_filters_that_are_none, row_25_groupings_in_every_form, row_27_bins, rows_29_to_31_pages, rows_32_and_33_usage_and_counts,
             row_40_saved_filters_hold_for_reports_and_folders, row_52_virtual_tags, row_52_shares, row_55_segments,
             row_64_providers_services_accounts,
             row_60_files, row_38_a_file_of_two_periods, row_65_tags, row_59_unit_costs, row_43_performance_of_a_budget, row_12_a_restated_day_is_replaced, rows_10_and_11_whose_costs_they_are]

    def bound(test):
        def call():
            test(v)
        call.__name__ = test.__name__
        return call

    with v:
        run(*map(bound, tests))
