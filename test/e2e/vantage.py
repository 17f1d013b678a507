#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Vantage's API with its own SDK, as it comes from npm: the wire, who may do what, and the resources that people make. Row
numbers are those of the contract's checklist.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run
from vantage import UNDEFINED, Vantage

AT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
MONEY = re.compile(r"^-?\d+\.\d+$")
WRONG = "tg-wrong-key-0123456789-0123456789"

KEYS = {
    "cost_report": "token title folder_token saved_filter_tokens business_metric_tokens_with_metadata default_forecast filter groupings "
                   "settings created_at workspace_token previous_period_start_date previous_period_end_date start_date end_date "
                   "date_interval chart_type date_bin chart_settings",
    "saved_filter": "token title cost_report_tokens filter created_at created_by workspace_token",
    "folder": "token title type parent_folder_token saved_filter_tokens created_at updated_at workspace_token",
    "dashboard": "token title widgets saved_filter_tokens date_bin date_interval start_date end_date created_at updated_at workspace_token",
    "budget": "token name workspace_token user_token created_by_token cost_report_token created_at budget_alert_tokens "
              "child_budget_tokens periods performance",
    "budget_alert": "token budget_tokens created_at workspace_token user_token user_tokens recipient_emails duration_in_days threshold "
                    "period_to_track integration_provider recipient_channels",
    "cost_alert": "token title email_recipients slack_channels teams_channels created_at updated_at workspace_token interval threshold "
                  "unit_type minimum_threshold report_tokens",
    "anomaly_notification": "token cost_report_token created_at updated_at threshold user_tokens recipient_emails recipient_channels",
    "report_notification": "token title cost_report_token user_tokens recipient_emails recipient_channels frequency change",
    "annotation": "token title report_tokens date message",
    "business_metric": "token title created_by_token cost_report_tokens_with_metadata import_type integration_token",
    "virtual_tag": "token created_by_token key hidden preferred overridable backfill_until collapsed_tag_keys values",
    "tag_value": "token filter name business_metric_token label_key label_values cost_metric display_name label_transforms percentages "
                 "date_ranges",
    "segment": "token title parent_segment_token description track_unallocated report_settings priority filter created_at "
               "workspace_token report_token",
    "report_forecast": "token title cost_report_token scenario_model_tokens business_metric_token is_default created_by_token created_at updated_at",
    "workspace": "token name created_at enable_currency_conversion currency exchange_rate_date",
}


def whole(row, kind, value):
    """Every key is there, and no other."""
    equal(set(value), set(KEYS[kind].split()), f"{row}: keys of a {kind}")
    return value


def token_like(row, prefix, token):
    check(re.fullmatch(prefix + "[0-9a-f]{16}", token), f"{row}: token {token}")


def report(v, title="r", **more):
    return v.call("costReports.create", {"title": title, **more}).fine("report")["token"]


# --- the wire -----------------------------------------------------------------------------------------


def rows_1_to_5_who_calls(v):
    answer = v.call("me.get").fine("row 1")
    equal(set(answer), {"default_workspace_token", "default_dashboard_token", "workspaces", "bearer_token"}, "row 5: keys")
    equal(answer["bearer_token"]["scope"], ["read", "write"], "row 5: scope")
    check(AT.match(answer["bearer_token"]["created_at"]), f"row 5: {answer}")
    whole("row 5", "workspace", answer["workspaces"][0])
    token_like("row 5", "wrkspc_", answer["default_workspace_token"])
    v.call("me.get", token=WRONG).refused("row 2", 401)
    equal(v.raw("GET", "/v2/me", key=None)[0], 401, "row 2: no token")
    pair = v.call("me.get", throws=False)
    check(pair.value and not pair.error, f"row 3: {pair.raw}")
    pair = v.call("me.get", token=WRONG, throws=False)
    check(pair.value is None and pair.error["status"] == 401, f"row 3: {pair.raw}")
    ping = v.call("ping.get")
    check(ping.ok and ping.kind == "undefined", f"row 4: {ping.raw}")


def row_6_a_token_that_reads_does_not_write(v):
    reader = v.gw.cli("key", "create", "--name", "reader", "--role", "viewer").stdout.strip()
    equal(v.call("me.get", token=reader).fine("row 6")["bearer_token"]["scope"], ["read"], "row 6: scope")
    v.call("folders.create", {"title": "no"}, token=reader).refused("row 6", 403)
    v.call("folders.list", {}, token=reader).fine("row 6")


def rows_69_to_71_what_clients_send_and_what_is_not_here(v):
    folder = v.call("folders.create", {"title": "to go"}).fine("row 69")["token"]
    gone = v.call("folders.delete", folder)
    check(gone.ok and gone.kind == "undefined", f"row 69: {gone.raw}")
    v.call("folders.get", "fldr_a/b").refused("row 70", 404)
    for call in ("invoices.list", "billingRules.list", "kubernetesEfficiencyReports.list", "recommendations.list", "resourceReports.list"):
        v.call(call, {}).refused("row 71", 404, "Not supported by this server")
    status, headers, body = v.raw("PATCH", "/v2/folders")
    check(status == 405 and isinstance(body["errors"], list) and "GET" in headers["allow"], f"row 71: {status} {headers} {body}")
    status, _, body = v.raw("POST", "/v2/folders", b"{not json")
    check(status == 400 and body["errors"], f"row 71: {status} {body}")


def rows_29_to_31_pages_and_literal_words(v):
    for n in range(5):
        v.call("savedFilters.create", {"title": f"Page {n}"}).fine("row 29")
    first = v.call("savedFilters.list", {"limit": 2, "q": "page", "workspace_token": UNDEFINED}).fine("row 31")
    equal([f["title"] for f in first["saved_filters"]], ["Page 0", "Page 1"], "row 29: first page")
    links = first["links"]
    equal(set(links), {"self", "first", "next", "last", "prev"}, "row 29: links")
    check(links["next"].startswith(v.gw.url + "/v2/saved_filters?") and "page=2" in links["next"] and links["prev"] is None, f"row 29: {links}")
    last = v.raw("GET", links["last"].removeprefix(v.gw.url))[2]
    equal(([f["title"] for f in last["saved_filters"]], last["links"]["next"]), (["Page 4"], None), "row 29: the last page by its link")
    equal(v.raw("GET", "/v2/saved_filters?q=null&page=&limit=undefined")[0], 200, "row 31: words for nothing")
    v.call("savedFilters.list", {"limit": 1001}).refused("row 30", 400, "1000")
    v.call("annotations.list", {"limit": 5000}).fine("row 30")
    v.call("annotations.list", {"limit": 5001}).refused("row 30", 400, "5000")


# --- resources ----------------------------------------------------------------------------------------


def rows_35_to_37_cost_reports(v):
    made = whole("row 35", "cost_report", v.call("costReports.create", {"title": "Mine", "end_date": "", "previous_period_end_date": ""}).fine("row 35"))
    token_like("row 35", "rprt_", made["token"])
    equal((made["chart_type"], made["date_bin"], made["date_interval"], made["groupings"]), ("line", "cumulative", "this_month", None), "row 35: defaults")
    check(made["start_date"][8:] == "01" and made["end_date"] >= made["start_date"], f"row 35: resolved dates {made}")
    settings = made["settings"]
    equal((settings["include_credits"], settings["include_tax"], settings["aggregate_by"]), (False, True, "cost"), "row 35: settings")
    equal(v.raw("POST", "/v2/cost_reports", {"title": "status"})[0], 201, "row 35: status")
    grouped = v.call("costReports.create", {"title": "g", "groupings": "service,provider", "start_date": "2026-01-01", "end_date": "2026-01-31"}).fine("row 35")
    equal((grouped["groupings"], grouped["date_interval"], grouped["end_date"]), ("service,provider", "custom", "2026-01-31"), "row 35")
    for bad, text in (({"start_date": "2026-01-01"}, "go together"), ({"start_date": "2026-02-01", "end_date": "2026-01-01"}, "after"),
                      ({"start_date": "2026-01-01", "end_date": "2026-01-02", "date_interval": "last_month"}, "not both"),
                      ({"date_interval": "someday"}, "must be one of"), ({"groupings": "colour"}, "grouping"),
                      ({"start_date": "soon", "end_date": "soon"}, "date"), ({"filter": "costs.provider = \"open_ai\""}, "VQL")):
        v.call("costReports.create", {"title": "bad", **bad}).refused("row 36", 400, text)
    v.call("costReports.create", {}).refused("row 36", 400, "title is required")
    token = made["token"]
    changed = v.call("costReports.update", token, {"title": "Yours", "settings": {"include_credits": True}, "chart_type": "bar"}).fine("row 37")
    equal((changed["title"], changed["chart_type"], changed["settings"]["include_credits"], changed["settings"]["include_tax"]),
          ("Yours", "bar", True, True), "row 37: changed, the rest kept")
    v.call("costReports.delete", token).fine("row 37")
    for call in ("get", "delete"):
        v.call(f"costReports.{call}", token).refused("row 37", 404, token)


def the_report_of_everything_is_there_and_stays(v):
    listed = v.call("costReports.list", {"q": "all res"}).fine("default report")["cost_reports"]
    equal([r["title"] for r in listed], ["All Resources"], "default report")
    v.call("costReports.delete", listed[0]["token"]).refused("default report", 422)
    equal(len(v.call("costReports.list", {"q": "All Resources"}).fine("again")["cost_reports"]), 1, "once")


def forecasts_with_a_name(v):
    one, other = report(v, "One"), report(v, "Other")
    made = whole("forecasts", "report_forecast", v.call("reportForecasts.create", {"title": "F", "cost_report_token": one, "set_as_default": True}).fine("forecasts"))
    token_like("forecasts", "rprt_frcst_", made["token"])
    equal((made["is_default"], made["scenario_model_tokens"]), (True, []), "forecasts")
    default = v.call("costReports.get", one).fine("forecasts")["default_forecast"]
    equal(default, {"kind": "report_forecast", "report_forecast_token": made["token"]}, "forecasts: the report says so")
    second = v.call("reportForecasts.create", {"title": "G", "cost_report_token": one}).fine("forecasts")
    equal(v.call("reportForecasts.update", second["token"], {"set_as_default": True}).fine("forecasts")["is_default"], True, "forecasts: update")
    equal(v.call("reportForecasts.get", made["token"]).fine("forecasts")["is_default"], False, "forecasts: there is one")
    v.call("reportForecasts.create", {"title": "H", "cost_report_token": other}).fine("forecasts")
    equal([f["title"] for f in v.call("reportForecasts.list", {"cost_report_token": one}).fine("forecasts")["report_forecasts"]], ["F", "G"], "forecasts: list")
    v.call("reportForecasts.create", {"title": "S", "cost_report_token": one, "scenario_model_tokens": ["scnr_mdl_1"]}).refused("forecasts", 422, "scenario")
    v.call("reportForecasts.delete", second["token"]).fine("forecasts")
    equal(v.call("costReports.get", one).fine("forecasts")["default_forecast"], {"kind": "baseline", "report_forecast_token": None}, "forecasts: gone")
    v.call("costReports.update", one, {"title": "Still"}).fine("forecasts")
    v.call("costReports.delete", one).fine("forecasts")
    v.call("reportForecasts.get", made["token"]).refused("forecasts: goes with its report", 404)


def row_40_saved_filters(v):
    made = whole("row 40", "saved_filter", v.call("savedFilters.create", {"title": "GPT", "filter": "costs.provider = 'open_ai'"}).fine("row 40"))
    token = made["token"]
    used = report(v, saved_filter_tokens=[token])
    equal(v.call("savedFilters.get", token).fine("row 40")["cost_report_tokens"], [used], "row 40: who uses it")
    changed = v.call("savedFilters.update", token, {"filter": "costs.provider = 'openai' AND costs.service = 'Embeddings'"}).fine("row 40")
    check("Embeddings" in changed["filter"] and changed["title"] == "GPT", f"row 40: {changed}")
    v.call("savedFilters.update", token, {"filter": "costs.colour = 'red'"}).refused("row 40", 400, "VQL")
    v.call("savedFilters.delete", token).fine("row 40")
    equal(v.call("costReports.get", used).fine("row 40")["saved_filter_tokens"], [], "row 40: gone from the report")
    v.call("costReports.create", {"title": "x", "saved_filter_tokens": ["svd_fltr_0000000000000000"]}).refused("row 40", 404)


def row_41_folders(v):
    top = whole("row 41", "folder", v.call("folders.create", {"title": "Top"}).fine("row 41"))
    child = v.call("folders.create", {"title": "Child", "parent_folder_token": top["token"]}).fine("row 41")
    equal((child["parent_folder_token"], child["type"]), (top["token"], "CostFolder"), "row 41: nested")
    inside = report(v, folder_token=child["token"])
    equal([r["token"] for r in v.call("costReports.list", {"folder_token": child["token"]}).fine("row 41")["cost_reports"]], [inside], "row 41: list")
    v.call("folders.update", top["token"], {"parent_folder_token": child["token"]}).refused("row 41", 422, "twice")
    v.call("folders.delete", child["token"]).fine("row 41")
    equal(v.call("costReports.get", inside).fine("row 41")["folder_token"], None, "row 41: the report stays")
    token = top["token"]
    for depth in range(9):
        token = v.call("folders.create", {"title": "d", "parent_folder_token": token}).fine(f"row 41: level {depth + 2}")["token"]
    v.call("folders.create", {"title": "d", "parent_folder_token": token}).refused("row 41", 422, "levels")


def row_42_dashboards(v):
    shown = report(v, "Shown")
    made = whole("row 42", "dashboard", v.call("dashboards.create", {"title": "D", "widgets": [{"widgetable_token": shown}], "date_interval": "last_month"}).fine("row 42"))
    equal(made["widgets"], [{"widgetable_token": shown, "title": "Shown", "settings": {"display_type": "chart"}}], "row 42: title of the report")
    changed = v.call("dashboards.update", made["token"], {"start_date": "2026-01-01", "end_date": "2026-01-31"}).fine("row 42")
    equal((changed["date_interval"], changed["start_date"]), ("custom", "2026-01-01"), "row 42: dates")
    equal(v.call("dashboards.update", made["token"], {"date_interval": ""}).fine("row 42")["date_interval"], None, "row 42: none")
    v.call("costReports.delete", shown).fine("row 42")
    equal(v.call("dashboards.get", made["token"]).fine("row 42")["widgets"], [], "row 42: without the report")
    equal(v.request("/v2/me", "PUT", {"default_dashboard_token": made["token"]}).fine("me")["default_dashboard_token"], made["token"], "me")
    v.request("/v2/me", "PUT", {"default_dashboard_token": "dshbrd_0000000000000000"}).refused("me", 422)
    v.call("dashboards.delete", made["token"]).fine("row 42")
    equal(v.call("me.get").fine("me")["default_dashboard_token"], None, "me: the dashboard is gone")


def rows_43_to_45_budgets(v):
    tracked = report(v)
    made = whole("row 43", "budget", v.call("budgets.create", {"name": "B", "cost_report_token": tracked,
                 "periods": [{"start_at": "2026-01-01", "end_at": "2026-01-31", "amount": 12345678.9}]}).fine("row 43"))
    equal(made["periods"], [{"start_at": "2026-01-01", "end_at": "2026-01-31", "amount": "12345678.90"}], "row 43: a number in, a text out")
    got = v.request("/v2/budgets/" + made["token"]).fine("row 43")
    equal(got["token"], made["token"], "row 43: one budget")
    v.call("budgets.create", {"name": "B", "periods": [{"start_at": "2026-02-01", "end_at": "2026-01-01", "amount": 1}]}).refused("row 43", 400)
    parent = made["token"]
    for level in range(2, 11):
        parent = v.call("budgets.create", {"name": f"L{level}", "child_budget_tokens": [parent]}).fine(f"row 44: level {level}")["token"]
    v.call("budgets.create", {"name": "L11", "child_budget_tokens": [parent]}).refused("row 44", 422, "levels")
    a = v.call("budgets.create", {"name": "a"}).fine("row 44")["token"]
    b = v.call("budgets.create", {"name": "b", "child_budget_tokens": [a], "cost_report_token": tracked}).fine("row 44")
    equal(b["cost_report_token"], None, "row 44: reports only on leaves")
    v.call("budgets.create", {"name": "c", "child_budget_tokens": [a, b["token"]]}).refused("row 44", 422, "twice")
    v.call("budgets.update", a, {"child_budget_tokens": [b["token"]]}).refused("row 44", 422)
    alert = whole("row 45", "budget_alert", v.call("budgetAlerts.create", {"budget_tokens": [a], "threshold": 80, "duration_in_days": ""}).fine("row 45"))
    equal((alert["duration_in_days"], alert["threshold"]), (None, 80), "row 45: the whole month")
    equal(v.call("budgetAlerts.update", alert["token"], {"duration_in_days": "7", "period_to_track": "start_of_the_month"}).fine("row 45")["duration_in_days"], 7, "row 45")
    equal(v.request("/v2/budgets/" + a).fine("row 45")["budget_alert_tokens"], [alert["token"]], "row 45: the budget names it")
    equal(len(v.call("budgetAlerts.list", {"budget_token": a}).fine("row 45")["budget_alerts"]), 1, "row 45: list")


def rows_46_to_50_alerts_are_kept(v):
    reports = [report(v, f"r{n}") for n in range(11)]
    alert = {"title": "A", "interval": "week", "threshold": 12.5, "unit_type": "percentage", "report_tokens": reports[:10],
             "workspace_token": v.call("me.get").fine("me")["default_workspace_token"]}
    made = whole("row 46", "cost_alert", v.call("costAlerts.create", alert).fine("row 46"))
    equal((made["threshold"], made["minimum_threshold"]), (12.5, None), "row 46")
    v.call("costAlerts.create", {**alert, "report_tokens": reports}).refused("row 46", 400, "at most 10")
    equal(v.request("/v2/cost_alerts/" + made["token"]).fine("row 47")["title"], "A", "row 47: one alert by request")
    note = whole("row 49", "anomaly_notification", v.call("anomalyNotifications.create", {"cost_report_token": reports[0], "threshold": 50}).fine("row 49"))
    equal(len(v.call("anomalyNotifications.list", {"cost_report_token": reports[0]}).fine("row 49")["anomaly_notifications"]), 1, "row 49: list")
    sent = whole("row 50", "report_notification", v.call("reportNotifications.create", {
        "title": "N", "cost_report_token": reports[0], "frequency": "weekly", "change": "dollars", "recipient_emails": ["a@b.example"]}).fine("row 50"))
    v.call("reportNotifications.update", sent["token"], {"frequency": "hourly"}).refused("row 50", 400, "daily")
    v.call("costReports.delete", reports[0]).fine("row 50")
    v.call("reportNotifications.get", sent["token"]).refused("row 50: goes with its report", 404)
    v.call("anomalyNotifications.get", note["token"]).refused("row 49: goes with its report", 404)
    equal(len(v.request("/v2/cost_alerts/" + made["token"]).fine("row 46")["report_tokens"]), 9, "row 46: the others stay")


def row_51_annotations(v):
    a, b = report(v, "One"), report(v, "Two")
    made = whole("row 51", "annotation", v.call("annotations.create", {"report_tokens": [a, b], "date": "2026-03-01", "message": "launch"}).fine("row 51"))
    equal((made["title"], made["report_tokens"]), ("One 2026-03-01", [a, b]), "row 51: several reports")
    equal(v.call("annotations.update", made["token"], {"date": None}).fine("row 51")["date"], None, "row 51: no date")
    equal(len(v.call("annotations.list", {"report_token": b}).fine("row 51")["annotations"]), 1, "row 51: list")
    equal(v.raw("GET", "/v2/annotations/" + made["token"])[0], 405, "row 51: no GET of one")
    v.call("annotations.delete", made["token"]).fine("row 51")


def rows_52_to_54_virtual_tags(v):
    made = whole("row 52", "virtual_tag", v.call("virtualTagConfigs.create", {"key": "team", "overridable": True, "values": [
        {"name": "search", "filter": "costs.provider = 'open_ai' AND costs.account_id = 'proj_a'"},
        {"percentages": [{"value": "x", "pct": 50}, {"value": "y", "pct": 50}], "filter": "costs.provider = 'open_ai'"}]}).fine("row 52"))
    value = whole("row 52", "tag_value", made["values"][0])
    token_like("row 52", "vtag_val_", value["token"])
    status = v.call("virtualTagConfigs.getStatus", made["token"]).fine("row 52")
    equal([p["status"] for p in status["providers"]], ["complete"], "row 52: status")
    token = made["token"]
    added = v.call("virtualTagConfigs.createValue", token, {"name": "new", "filter": "costs.provider = 'open_ai'"}).fine("row 53")
    equal(v.call("virtualTagConfigs.getValue", token, added["token"]).fine("row 53")["name"], "new", "row 53")
    equal(v.call("virtualTagConfigs.updateValue", token, added["token"], {"name": "newer"}).fine("row 53")["name"], "newer", "row 53: PATCH")
    equal([x["token"] for x in v.call("virtualTagConfigs.get", token).fine("row 53")["values"]],
          [x["token"] for x in made["values"]] + [added["token"]], "row 53: tokens stay")
    v.call("virtualTagConfigs.deleteValue", token, added["token"]).fine("row 53")
    v.call("virtualTagConfigs.getValue", token, added["token"]).refused("row 53", 404)
    many = [{"name": f"n{n}", "filter": "costs.provider = 'open_ai'"} for n in range(101)]
    v.call("virtualTagConfigs.update", token, {"values": many}).refused("row 53: 101 values", 422)
    v.call("virtualTagConfigs.create", {"key": "team", "overridable": False}).refused("row 53: the key is there", 422)
    for n in range(49):
        v.call("virtualTagConfigs.create", {"key": f"k{n}", "overridable": False}).fine("row 53")
    v.call("virtualTagConfigs.create", {"key": "k50", "overridable": False}).refused("row 53: 51st key", 422)
    later = v.call("virtualTagConfigs.updateAsyncVirtualTagConfig", token, {"hidden": True}).fine("row 54")
    check(later["status_url"].endswith("/v2/virtual_tag_configs/async/" + later["request_id"]), f"row 54: {later}")
    equal(v.raw("PUT", f"/v2/virtual_tag_configs/{token}/async", {})[0], 202, "row 54: status")
    check(v.call("virtualTagConfigs.getAsyncVirtualTagConfigStatus", later["request_id"]).value is True, "row 54: done")
    check(v.call("virtualTagConfigs.getAsyncVirtualTagConfigStatus", "vtag_rqst_unknown").value is False, "row 54: unknown")
    equal(v.call("virtualTagConfigs.get", token).fine("row 54")["hidden"], True, "row 54: changed")


def row_55_segments(v):
    top = whole("row 55", "segment", v.call("segments.create", {"title": "S", "priority": 0, "track_unallocated": True}).fine("row 55"))
    child = v.call("segments.create", {"title": "T", "parent_segment_token": top["token"], "filter": "costs.provider = 'open_ai'"}).fine("row 55")
    v.call("segments.update", top["token"], {"parent_segment_token": child["token"]}).refused("row 55", 422)
    v.call("segments.delete", top["token"]).fine("row 55")
    v.call("segments.get", child["token"]).refused("row 55: with its parent", 404)


def rows_56_to_58_business_metrics(v):
    made = whole("row 56", "business_metric", v.call("businessMetrics.create", {"title": "Users", "values": [
        {"date": "2026-01-01", "amount": 10}, {"date": "2026-01-02", "amount": 0.1, "label": "eu"}, {"date": "2026-01-03", "amount": 20}]}).fine("row 56"))
    token = made["token"]
    values = v.call("businessMetrics.getValues", token, {}).fine("row 56")["values"]
    equal(values, [{"date": "2026-01-03T00:00:00Z", "amount": "20.00", "label": None}, {"date": "2026-01-02T00:00:00Z", "amount": "0.10", "label": "eu"},
                   {"date": "2026-01-01T00:00:00Z", "amount": "10.00", "label": None}], "row 56: newest first")
    v.call("businessMetrics.update", token, {"values": [{"date": "2026-01-03", "amount": None}]}).fine("row 56")
    equal(len(v.call("businessMetrics.getValues", token, {}).fine("row 56")["values"]), 2, "row 56: null deletes a day")
    csv = "date,amount,label\n2026-02-01,5,eu\n2026-02-02,7.25,us\n"
    for body in (csv, {"$blob": csv.replace("7.25", "8.5")}):
        v.call("businessMetrics.updateValuesCSV", token, {"csv": body}).fine("row 57")
    equal([x["amount"] for x in v.call("businessMetrics.getValues", token, {"start_date": "2026-02-01"}).fine("row 57")["values"]], ["8.50", "5.00"], "row 57: text and Blob")
    v.call("businessMetrics.updateValuesCSV", token, {"csv": "date,amount\n2026-02-01,5\nnever,1\n"}).refused("row 57", 422, "Row 3")
    equal(v.call("businessMetrics.getLabels", token, {}).fine("row 57")["labels"], [{"value": "eu"}, {"value": "us"}], "row 57: labels")
    equal([x["amount"] for x in v.call("businessMetrics.getValues", token, {"label_values": ["eu"]}).fine("row 57")["values"]], ["5.00", "0.10"], "row 57: by label")
    months = v.call("businessMetrics.getValues", token, {"date_bin": "month", "label_values": ["eu"]}).fine("row 57")["values"]
    equal([(x["date"][:10], x["amount"]) for x in months], [("2026-02-01", "5.00"), ("2026-01-01", "0.10")], "row 57: by month")
    gone = v.call("businessMetrics.deleteValues", token, {"start_date": "2026-01-01", "label": ""}).fine("row 58")
    equal(gone, {"deleted_count": 1}, "row 58: without a label only")
    equal(v.raw("DELETE", f"/v2/business_metrics/{token}/values?start_date=2026-01-01&label=us")[2], {"deleted_count": 1}, "row 58: by the query")
    v.call("businessMetrics.create", {"title": "x", "datadog_metric_fields": {"query": "q"}}).refused("row 56", 422)


def workspaces_are_apart(v):
    first = v.call("me.get").fine("workspaces")["default_workspace_token"]
    made = whole("workspaces", "workspace", v.call("workspaces.create", {"name": "Team Red!", "currency": "EUR"}).fine("workspaces"))
    equal((made["name"], made["currency"], made["enable_currency_conversion"]), ("Team Red!", "EUR", True), "workspaces")
    v.call("folders.create", {"title": "where"}).refused("workspaces: which one", 400, "workspace_token is required")
    there = v.call("folders.create", {"title": "there", "workspace_token": made["token"]}).fine("workspaces")
    equal(there["workspace_token"], made["token"], "workspaces")
    inside = v.call("costReports.create", {"title": "in", "folder_token": there["token"], "workspace_token": first}).fine("workspaces")
    equal(inside["workspace_token"], made["token"], "workspaces: the folder decides")
    equal([f["title"] for f in v.call("folders.list", {"workspace_token": made["token"]}).fine("workspaces")["folders"]], ["there"], "workspaces: list")
    member = v.gw.cli("key", "create", "--name", "member", "--role", "member").stdout.strip()
    v.call("folders.get", there["token"], token=member).refused("workspaces: not of this key", 404)
    equal(len(v.call("workspaces.list", {}, token=member).fine("workspaces")["workspaces"]), 1, "workspaces: one")
    equal(v.call("workspaces.update", made["token"], {"name": "Blue"}).fine("workspaces")["name"], "Blue", "workspaces")
    titles = [r["title"] for r in v.call("costReports.list", {"workspace_token": made["token"]}).fine("workspaces")["cost_reports"]]
    check("All Resources" in titles, f"workspaces: {titles}")
    v.call("workspaces.delete", first).refused("workspaces: the default one", 422)
    v.call("workspaces.delete", made["token"]).fine("workspaces")
    v.call("workspaces.get", made["token"]).refused("workspaces", 404)
    v.call("folders.get", there["token"]).refused("workspaces: what was in it", 404)
    v.call("workspaces.delete", first).refused("workspaces: the last one", 422, "last")


if __name__ == "__main__":
    v = Vantage()
    tests = [rows_1_to_5_who_calls, row_6_a_token_that_reads_does_not_write, rows_69_to_71_what_clients_send_and_what_is_not_here,
             rows_29_to_31_pages_and_literal_words, rows_35_to_37_cost_reports, the_report_of_everything_is_there_and_stays, forecasts_with_a_name, row_40_saved_filters,
             row_41_folders, row_42_dashboards, rows_43_to_45_budgets, rows_46_to_50_alerts_are_kept, row_51_annotations,
             rows_52_to_54_virtual_tags, row_55_segments, rows_56_to_58_business_metrics, workspaces_are_apart]

    def bound(test):
        def call():
            test(v)
        call.__name__ = test.__name__
        return call

    with v:
        run(*map(bound, tests))
