#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Vantage's Python client over every resource that is here: it checks each answer with pydantic, so a call that comes back has
all its keys in their types. Prints a JSON object: how many calls were made, and what was wrong.

    vantage_python.py BASE-URL TOKEN EMAIL
"""

import json
import sys

import pydantic
import vantage
from vantage import _types

base, token, email = sys.argv[1:]
client = vantage.Client(token, base_url=base)
calls, wrong = 0, []


def made(model, **fields):
    """The client's model of a body; where it wants what only answers have, a plain object, which the client takes too."""
    try:
        return getattr(_types, model)(**fields)
    except pydantic.ValidationError:
        return fields


def call(what, function, *args, kind=None, **more):
    """The answer; None when it is none of `kind`."""
    global calls
    calls += 1
    try:
        answer = function(*args, **more)
    except Exception as error:
        wrong.append(f"{what}: {type(error).__name__}: {error}"[:600])
        return None
    if kind and type(answer).__name__ != kind:
        wrong.append(f"{what}: {type(answer).__name__} instead of {kind}")
        return None
    return answer


def whole_life(api, model, create, update, token_of=lambda x: x.token, listed=True, got=True):
    """Made, listed, read, changed; the token stays for what comes after."""
    resource = call(f"{model} create", api.create, made(f"Create{model}", **create), kind=model)
    if resource is None:
        return None
    if listed:
        call(f"{model} list", api.list, kind=type(api).__name__.removesuffix("Api"))
    if got:
        call(f"{model} get", api.get, token_of(resource), kind=model)
    call(f"{model} update", api.update, token_of(resource), made(f"Update{model}", **update), kind=model)
    return token_of(resource)


def refused(status, function, *args):
    global calls
    calls += 1
    try:
        function(*args)
        wrong.append(f"{function}: nothing was refused")
    except vantage.VantageAPIError as error:
        if error.status != status or not error.errors:
            wrong.append(f"{function}: {error.status} {error.errors} instead of {status}")


c = client
call("ping", c.ping.ping)
me = call("me", c.me.get, kind="Me")
place = me.default_workspace_token
call("workspaces", c.workspaces.list, kind="Workspaces")
other = whole_life(c.workspaces, "Workspace", {"name": "Python"}, {"name": "Python 2"})
folder = whole_life(c.folders, "Folder", {"title": "F", "workspace_token": place}, {"title": "G"})
saved = whole_life(c.saved_filters, "SavedFilter", {"title": "S", "filter": "costs.provider = 'open_ai'", "workspace_token": place}, {"title": "T"})
report = whole_life(c.cost_reports, "CostReport", {"title": "R", "workspace_token": place, "folder_token": folder, "saved_filter_tokens": [saved],
                                                   "groupings": "provider,service", "date_interval": "last_7_days",
                                                   "end_date": "", "previous_period_end_date": ""}, {"title": "Q"})
board = whole_life(c.dashboards, "Dashboard", {"title": "D", "workspace_token": place, "widgets": [{"widgetable_token": report, "title": "W"}]}, {"title": "E"})
call("me update", c.me.update, made("UpdateMe", default_dashboard_token=board), kind="Me")
budget = whole_life(c.budgets, "Budget", {"name": "B", "workspace_token": place, "cost_report_token": report,
                                          "periods": [{"start_at": "2026-01-01", "amount": 100.5}]}, {"name": "C"})
alert = whole_life(c.budget_alerts, "BudgetAlert", {"budget_tokens": [budget], "threshold": 80, "duration_in_days": "7", "recipient_channels": []}, {"threshold": 90})
cost_alert = whole_life(c.cost_alerts, "CostAlert", {"title": "A", "interval": "week", "threshold": 10.0, "unit_type": "currency",
                                                     "workspace_token": place, "report_tokens": [report]}, {"title": "A2"})
notice = whole_life(c.report_notifications, "ReportNotification", {"title": "N", "cost_report_token": report, "frequency": "daily", "change": "dollars",
                                                                   "workspace_token": place}, {"title": "M"})
anomaly = whole_life(c.anomaly_notifications, "AnomalyNotification", {"cost_report_token": report, "threshold": 10}, {"threshold": 20})
segment = whole_life(c.segments, "Segment", {"title": "S", "workspace_token": place, "priority": 1, "track_unallocated": True}, {"title": "T"})
metric = whole_life(c.business_metrics, "BusinessMetric", {"title": "U", "values": [{"date": "2026-01-01", "amount": 3.5}],
                                                           "cost_report_tokens_with_metadata": [{"cost_report_token": report, "unit_scale": "per_unit"}]}, {"title": "V"})
call("metric values", c.business_metrics.get_values, metric, kind="BusinessMetricValues")
call("metric forecasts", c.business_metrics.get_forecasted_values, metric, kind="BusinessMetricValues")
call("metric csv", c.business_metrics.update_values_csv, metric, {"csv": "date,amount\n2026-01-02,7\n"}, kind="BusinessMetric")
tag = whole_life(c.virtual_tag_configs, "VirtualTagConfig", {"key": "team", "overridable": True, "values": [
    {"name": "a", "filter": "costs.provider = 'open_ai'"}, {"filter": "costs.provider = 'open_ai'", "percentages": [{"value": "x", "pct": 100.0}]}]}, {"hidden": True})
call("tag status", c.virtual_tag_configs.get_status, tag, kind="VirtualTagConfigStatus")
later = call("tag async", c.virtual_tag_configs.update_async, tag, made("UpdateAsyncVirtualTagConfig", preferred=True), kind="AsyncVirtualTagConfigUpdate")
call("tag async status", c.virtual_tag_configs.get_async_virtual_tag_config_status, later.request_id, kind="bool")
call("tags", c.tags.list, kind="Tags")
call("tag values", c.tags.get_values, "team", kind="TagValues")
call("tags update", c.tags.update, made("UpdateTag", tag_key="team", hidden=False), kind="Tags")
team = whole_life(c.teams, "Team", {"name": "T", "workspace_tokens": [place], "role": "viewer"}, {"description": "d"})
person = call("team member", c.teams.add_member, team, made("AddTeamMember", user_email=email, role="editor"), kind="TeamMember")
call("team members", c.teams.get_members, team, kind="TeamMembers")
call("users", c.users.list, kind="Users")
call("user", c.users.get, person.user_token, kind="User")
call("user update", c.users.update, person.user_token, made("UpdateUser", default_dashboard_token=board), kind="User")
grant = whole_life(c.access_grants, "AccessGrant", {"resource_token": report, "team_token": team, "access": "denied"}, {"access": "allowed"})
logs = call("audit logs", c.audit_logs.list, kind="AuditLogs")
call("audit log", c.audit_logs.get, logs.audit_logs[0].token, kind="AuditLog")
call("costs", c.costs.list, cost_report_token=report, kind="Costs")
call("costs by filter", c.costs.list, filter="costs.provider = 'open_ai'", workspace_token=place, groupings=["provider", "service"], kind="Costs")
call("unit costs", c.unit_costs.list, cost_report_token=report, kind="UnitCosts")
where = call("export", c.costs.create_export, made("CreateCostExport", cost_report_token=report), groupings=["service"], kind="str")
call("export done", c.data_exports.get, where.rsplit("/", 1)[1], kind="DataExport")
for api in (c.cost_providers, c.cost_services, c.cost_provider_accounts, c.integrations, c.anomaly_alerts):
    call(type(api).__name__, api.list, kind=type(api).__name__.removesuffix("Api"))
call("forecast", c.cost_reports.get_forecasted_costs, report, kind="ForecastedCosts")
call("cost alert events", c.cost_alerts.get_events, cost_alert, kind="CostAlertEvents")
products = call("products", c.products.list, kind="Products")
prices = call("prices", c.products.get_prices, products.products[0].id, kind="Prices")
call("product", c.products.get, products.products[0].id, kind="Product")
call("price", c.products.get_price, products.products[0].id, prices.prices[0].id, kind="Price")
call("team leaves", c.teams.remove_member, team, person.user_token)
for api, which in ((c.access_grants, grant), (c.teams, team), (c.virtual_tag_configs, tag), (c.business_metrics, metric), (c.segments, segment),
                   (c.anomaly_notifications, anomaly), (c.report_notifications, notice), (c.cost_alerts, cost_alert), (c.budget_alerts, alert),
                   (c.budgets, budget), (c.dashboards, board), (c.cost_reports, report), (c.saved_filters, saved), (c.folders, folder), (c.workspaces, other)):
    delete = getattr(api, "delete", None)
    if delete is not None:
        call(f"{type(api).__name__} delete", delete, which)
refused(404, c.folders.get, folder)
refused(400, c.costs.list)
refused(404, c.invoices.list)
print(json.dumps({"calls": calls, "wrong": wrong}))
