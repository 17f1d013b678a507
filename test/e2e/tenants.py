#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Two workspaces that know nothing of each other. Both make, change and delete things at random; then every id of every kind that one
of them has is tried by the other's credentials on every route of the tables that docs/AUTHORIZATION.md is made from, and in every body, query
and header that names something. Nothing is read, nothing changes, and the answer (status, header fields, body) is the one that an id gets that never existed.

A route with an id in its path that is not in KINDS fails the test: say there which kind of id it takes, and in MAKE how to make one.
"""

import difflib
import json
import os
import pathlib
import random
import re
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, Upstream, check, completion, run, wait_until

SEED = int(os.environ.get("TOLLGATE_SEED", "58"))
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/AUTHORIZATION.md"
T = "/tollgate/v1"

# --- what there is -----------------------------------------------------------------------------------

# kind → (method, path, body, where the id is in the answer). {w} is the workspace's name, {n} a number; {kind} another kind's id.
MAKE = {
    "key": ("POST", T + "/keys", {"name": "{w}-mark {n}"}, "id"),
    "service key": ("POST", "/v1/api-keys/workspace/service", {"name": "{w}-mark {n}", "scopes": ["completions.write"]}, "id"),
    "invitation": ("POST", T + "/invitations", {"email": "{w}-mark{n}@example.com", "role": "member"}, "id"),
    "service account": ("POST", T + "/service-accounts", {"name": "{w}-mark {n}", "role": "member"}, "client_id"),
    "integration": ("POST", T + "/integrations", {"slug": "{w}-mark-{n}", "kind": "openai-compatible", "base_url": "{up}", "api_key": "sk-{w}-0123456789"}, "slug"),
    "provider": ("POST", "/v1/providers", {"name": "{w}-mark {n}", "integration_id": "{integration}", "slug": "{w}-mark-p{n}"}, "slug"),
    "connection": ("POST", "/v0/integrations/connections", {"metadata": {"name": "{w}-mark-c{n}"}, "spec": {"integration": "openai-compatible", "config": {
        "endpoint": "{up}"}, "secret": {"apiKey": "sk-{w}-0123456789"}}}, "metadata.name"),
    "config": ("POST", "/v1/configs", {"name": "{w}-mark {n}", "config": {"retry": {"attempts": 1}}}, "data.id"),
    "usage limit": ("POST", "/v1/policies/usage-limits", {"name": "{w}-mark {n}", "type": "cost", "credit_limit": 1000, "conditions": [
        {"key": "metadata.never", "value": "x"}]}, "id"),
    "rate limit": ("POST", "/v1/policies/rate-limits", {"name": "{w}-mark {n}", "unit": "rpd", "value": 1000000, "conditions": [
        {"key": "metadata.never", "value": "x"}]}, "id"),
    "policy": ("POST", "/v0/policies", {"metadata": {"name": "{w}-mark-{n}"}, "spec": {"type": "maxToken", "maxTokens": {
        "granularity": "day", "step": 1, "total": 1000000}}}, "metadata.name"),
    "model": ("POST", "/v0/models", {"metadata": {"name": "{w}-mark-{n}"}, "spec": {"runtime": {"type": "openai", "model": "gpt-4o-mini"},
                                                                                  "integrationConnections": ["{connection}"]}}, "metadata.name"),
    "bill": ("POST", "/v2/integrations/custom_provider", {"name": "{w}-mark {n}"}, "token"),
    "report": ("POST", "/v2/cost_reports", {"title": "{w}-mark {n}"}, "token"),
    "filter": ("POST", "/v2/saved_filters", {"title": "{w}-mark {n}", "filter": "costs.provider = 'open_ai'"}, "token"),
    "folder": ("POST", "/v2/folders", {"title": "{w}-mark {n}"}, "token"),
    "dashboard": ("POST", "/v2/dashboards", {"title": "{w}-mark {n}"}, "token"),
    "budget": ("POST", "/v2/budgets", {"name": "{w}-mark {n}", "cost_report_token": "{report}"}, "token"),
    "budget alert": ("POST", "/v2/budget_alerts", {"budget_tokens": ["{budget}"], "threshold": 80, "duration_in_days": 30}, "token"),
    "cost alert": ("POST", "/v2/cost_alerts", {"title": "{w}-mark {n}", "interval": "day", "threshold": 5, "unit_type": "currency",
                                               "report_tokens": ["{report}"]}, "token"),
    "anomaly notification": ("POST", "/v2/anomaly_notifications", {"cost_report_token": "{report}"}, "token"),
    "report notification": ("POST", "/v2/report_notifications", {"title": "{w}-mark {n}", "cost_report_token": "{report}", "frequency": "daily",
                                                                 "change": "percentage"}, "token"),
    "forecast": ("POST", "/v2/report_forecasts", {"title": "{w}-mark {n}", "cost_report_token": "{report}"}, "token"),
    "segment": ("POST", "/v2/segments", {"title": "{w}-mark {n}", "filter": "costs.provider = 'open_ai'"}, "token"),
    "metric": ("POST", "/v2/business_metrics", {"title": "{w}-mark {n}"}, "token"),
    "annotation": ("POST", "/v2/annotations", {"title": "{w}-mark {n}", "message": "{w}-mark", "date": "2026-01-01", "report_tokens": ["{report}"]}, "token"),
    "virtual tag": ("POST", "/v2/virtual_tag_configs", {"key": "{w}-mark {n}", "overridable": True, "values": [
        {"name": "{w}-mark", "filter": "costs.provider = 'open_ai'"}]}, "token"),
    "channel": ("PUT", T + "/channels/{w}-mark-{n}", {"kind": "webhook", "url": "https://hooks.example.com/{w}-hidden"}, "name"),
    "team": ("POST", "/v2/teams", {"name": "{w}-mark {n}"}, "token"),
    "grant": ("POST", "/v2/access_grants", {"team_token": "{team}", "resource_token": "{report}", "access": "allowed"}, "token"),
    "export": ("POST", "/v2/costs/data_exports", {"cost_report_token": "{report}"}, "token|location"),
}

# In no workspace, by Vantage's contract: everybody reads them, and only who reaches every workspace changes them.
SHARED = ("metric", "virtual tag")
# Of the organization, made by its owner; nobody else is to know of them.
OF_ORGANIZATION = ("team",)
OF_ALL = ("/v2/virtual_tag_configs", "/v2/business_metrics", "/v2/tags")

# A route's path → the kinds of its ids, in order. "-": whatever stands there says nothing about a workspace (a role, a name of OpenAI's).
KINDS = [
    (r"/tollgate/v1/keys/{}", ["key"]), (r"/tollgate/v1/workspaces/{}", ["workspace"]), (r"/tollgate/v1/members/{}(/identities)?", ["member"]),
    (r"/tollgate/v1/workspaces/{}/members", ["workspace"]), (r"/tollgate/v1/workspaces/{}/members/{}", ["workspace", "member"]),
    (r"/tollgate/v1/invitations/{}", ["invitation"]), (r"/tollgate/v1/service-accounts/{}", ["service account"]),
    (r"/tollgate/v1/service-accounts/{}/secret", ["service account"]), (r"/tollgate/v1/integrations/{}", ["integration"]),
    (r"/tollgate/v1/logs/{}", ["log"]), (r"/tollgate/v1/traces/{}", ["trace"]),
    (r"/v1/configs/{}", ["config"]), (r"/v1/configs/{}/versions", ["config"]), (r"/v1/api-keys/{}/rotate", ["service key"]),
    (r"/v1/api-keys/workspace/{}", ["-"]), (r"/v1/api-keys/organisation/{}", ["-"]), (r"/v1/api-keys/{}", ["service key"]),
    (r"/v1/virtual-keys/{}", ["integration"]), (r"/v1/providers/{}", ["provider"]), (r"/v1/integrations/{}", ["integration"]),
    (r"/v1/integrations/{}/(models|workspaces)", ["integration"]), (r"/v1/policies/usage-limits/{}", ["usage limit"]),
    (r"/v1/policies/usage-limits/{}/entities", ["usage limit"]), (r"/v1/policies/usage-limits/{}/entities/{}/reset", ["usage limit", "-"]),
    (r"/v1/policies/rate-limits/{}", ["rate limit"]), (r"/v1/policies/rate-limits/{}/entities", ["rate limit"]),
    (r"/v1/policies/rate-limits/{}/entities/{}/reset", ["rate limit", "-"]), (r"/v1/admin/users/invites/{}", ["invitation"]),
    (r"/v1/admin/users/invites/{}/resend", ["invitation"]), (r"/v1/admin/users/{}", ["member"]), (r"/v1/admin/workspaces/{}", ["workspace"]),
    (r"/v1/admin/workspaces/{}/users", ["workspace"]), (r"/v1/admin/workspaces/{}/users/{}", ["workspace", "member"]), (r"/v1/logs/{}", ["log"]),
    (r"/model-configs/pricing/{}/{}", ["-", "-"]),
    (r"/v0/models/{}", ["model"]), (r"/v0/models/{}/(revisions|metrics|logs|traces)", ["model"]), (r"/v0/traces/{}", ["trace"]),
    (r"/v0/integrations/connections/{}", ["connection"]), (r"/v0/integrations/connections/{}/(models|endpointConfigurations)", ["connection"]),
    (r"/v0/integrations/connections/{}/models/{\*}", ["connection", "-"]), (r"/v0/integrations/{}", ["-"]), (r"/v0/integrations/{}/models", ["-"]),
    (r"/v0/integrations/{}/models/{\*}", ["-", "-"]), (r"/v0/policies/{}", ["policy"]), (r"/v0/policies/{}/usages", ["policy"]),
    (r"/v0/accounts/{}/metrics(/enums/.*)?", ["-"]), (r"/v0/workspaces/{}", ["workspace"]), (r"/v0/workspaces/{}/(join|decline|leave)", ["workspace"]),
    (r"/v0/users/{}", ["member"]), (r"/v0/profile/api_keys/{}", ["key"]), (r"/v0/service_accounts/{}", ["service account"]),
    (r"/v0/service_accounts/{}/api_keys", ["service account"]), (r"/v0/service_accounts/{}/api_keys/{}", ["service account", "key"]),
    (r"/tollgate/v1/channels/{}", ["channel"]), (r"/tollgate/v1/integrations/{}/(test|spend-limit)", ["integration"]),
    (r"/tollgate/v1/integrations/{}/projects/{}/spend-limit", ["integration", "-"]),
    (r"/v2/teams/{}", ["team"]), (r"/v2/teams/{}/members", ["team"]), (r"/v2/teams/{}/members/{}", ["team", "user token"]), (r"/v2/users/{}", ["user token"]),
    (r"/v2/access_grants/{}", ["grant"]), (r"/v2/audit_logs/{}", ["audit line"]), (r"/v2/products/{}(/prices)?", ["-"]), (r"/v2/products/{}/prices/{}", ["-", "-"]),
    (r"/v2/cost_reports/{}/forecasted_costs", ["report"]), (r"/v2/cost_alerts/{}/events", ["cost alert"]), (r"/v2/cost_alerts/{}/events/{}", ["cost alert", "-"]),
    (r"/v2/anomaly_alerts/{}", ["-"]),  # found by the watch, days after; its own tests have them
    (r"/v2/report_forecasts/{}", ["forecast"]),
    (r"/v2/workspaces/{}", ["workspace token"]), (r"/v2/data_exports/{}", ["export"]), (r"/v2/data_exports/{}/{}", ["export", "-"]),
    (r"/v2/tags/{}/values", ["tag"]), (r"/v2/integrations/{}/costs(.csv)?", ["bill"]), (r"/v2/integrations/{}/costs/{}", ["bill", "-"]),
    (r"/v2/integrations/{}", ["bill"]), (r"/v2/cost_reports/{}", ["report"]), (r"/v2/saved_filters/{}", ["filter"]), (r"/v2/folders/{}", ["folder"]),
    (r"/v2/dashboards/{}", ["dashboard"]), (r"/v2/budgets/{}", ["budget"]), (r"/v2/budget_alerts/{}", ["budget alert"]),
    (r"/v2/cost_alerts/{}", ["cost alert"]), (r"/v2/anomaly_notifications/{}", ["anomaly notification"]),
    (r"/v2/report_notifications/{}", ["report notification"]), (r"/v2/segments/{}", ["segment"]), (r"/v2/business_metrics/{}", ["metric"]),
    (r"/v2/business_metrics/{}/(labels|values|forecasted_values|values.csv)", ["metric"]), (r"/v2/annotations/{}", ["annotation"]),
    (r"/v2/virtual_tag_configs/{}", ["virtual tag"]), (r"/v2/virtual_tag_configs/async/{}", ["-"]),
    (r"/v2/virtual_tag_configs/{}/(status|async|values)", ["virtual tag"]), (r"/v2/virtual_tag_configs/{}/values/{}", ["virtual tag", "-"]),
]

# Where else something is named: (method, path, body, headers), with {kind} in them.
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
NAMED = [
    ("POST", "/v1/chat/completions", {**CHAT, "model": "@{integration}/gpt-4o-mini"}, {}),
    ("POST", "/v1/chat/completions", {**CHAT, "model": "@{provider}/gpt-4o-mini"}, {}),
    *(("POST", "/v1/chat/completions", CHAT, {"x-portkey-" + name: value}) for name, value in [
        ("virtual-key", "{integration}"), ("provider", "@{integration}"), ("provider", "@{provider}"), ("config", "{config}"),
        ("config", '{{"virtual_key": "{integration}"}}'), ("config", '{{"provider": "@{provider}"}}'),
        ("config", '{{"strategy": {{"mode": "fallback"}}, "targets": [{{"virtual_key": "{connection}"}}]}}')]),
    ("GET", "/v1/files", None, {"x-portkey-virtual-key": "{integration}"}),
    *((method, "/" + prefix + "{workspace}/models/{model}/v1/chat/completions", CHAT, {}) for prefix in ("", "run/") for method in ("POST", "GET")),
    ("POST", T + "/notifications/test", {"to": "{channel}"}, {}), ("GET", "/v2/access_grants?team_token={team}", None, {}),
    ("POST", "/v2/access_grants", {"team_token": "{team}", "resource_token": "{report}", "access": "denied"}, {}),
    ("POST", "/v1/providers", {"name": "{by}", "slug": "{by}", "integration_id": "{integration}"}, {}),
    ("POST", "/v1/api-keys/workspace/service", {"name": "{by}", "scopes": ["logs.view"], "workspace_id": "{workspace}"}, {}),
    ("POST", "/v1/api-keys/workspace/service", {"name": "{by}", "scopes": ["logs.view"], "defaults": {"config_id": "{config}"}}, {}),
    ("POST", T + "/keys", {"name": "{by}", "config": "{config}"}, {}), ("POST", T + "/keys", {"name": "{by}", "workspace": "{workspace}"}, {}),
    ("POST", T + "/imports", {"integration": "{integration}"}, {}), ("POST", T + "/integrations", {"slug": "{by}", "kind": "openai", "api_key": "sk-0123456789",
                                                                                                "workspace": "{workspace}"}, {}),
    ("POST", T + "/invitations", {"email": "{by}@example.com", "role": "member", "workspace": "{workspace}"}, {}),
    ("POST", "/v0/models", {"metadata": {"name": "{by}"}, "spec": {"runtime": {"type": "openai", "model": "gpt-4o"}, "integrationConnections": ["{connection}"]}}, {}),
    ("POST", "/v0/models", {"metadata": {"name": "{by}"}, "spec": {"runtime": {"type": "openai", "model": "gpt-4o"}, "policies": ["{policy}"]}}, {}),
    *(("GET", path, None, {"X-Blaxel-Workspace": "{workspace}"}) for path in ("/v0/models", "/v0/policies", "/v0/integrations/connections", "/v0/metrics")),
    *(("GET", path + query + "={workspace}", None, {}) for query in ("?workspace_id", "?workspace") for path in (
        T + "/keys", T + "/logs", T + "/cost", T + "/report", T + "/audit", T + "/members", T + "/invitations", "/v1/api-keys", "/v1/configs", "/v1/virtual-keys",
        "/v1/providers", "/v1/integrations", "/v1/policies/usage-limits", "/v1/policies/rate-limits", "/v1/audit-logs")),
    *(("GET", T + f"/logs?{name}={{{kind}}}", None, {}) for name, kind in [("key", "key"), ("integration", "integration"), ("trace_id", "trace"), ("request_id", "log")]),
    *(("GET", T + f"/cost?group_by=model&{name}={{{kind}}}", None, {}) for name, kind in [("key", "key"), ("integration", "integration"), ("workspace", "workspace")]),
    ("GET", "/v2/costs?cost_report_token={report}", None, {}), ("GET", "/v2/costs?workspace_token={workspace token}&filter=costs.provider%20=%20'open_ai'", None, {}),
    ("GET", "/v2/unit_costs?cost_report_token={report}", None, {}), ("GET", T + "/report?workspace={workspace}", None, {}),
    *(("GET", f"/v2/{name}?workspace_token={{workspace token}}", None, {}) for name in (
        "cost_reports", "saved_filters", "folders", "dashboards", "budgets", "segments", "business_metrics", "virtual_tag_configs", "tags", "cost_services", "integrations")),
    *(("POST", f"/v2/{name}", {**body, **more}, {}) for name, body, more in [
        ("cost_reports", {"title": "{by}"}, {"folder_token": "{folder}"}), ("cost_reports", {"title": "{by}"}, {"saved_filter_tokens": ["{filter}"]}),
        ("cost_reports", {"title": "{by}"}, {"business_metric_tokens_with_metadata": [{"business_metric_token": "{metric}"}]}),
        ("cost_reports", {"title": "{by}"}, {"workspace_token": "{workspace token}"}), ("folders", {"title": "{by}"}, {"parent_folder_token": "{folder}"}),
        ("folders", {"title": "{by}"}, {"workspace_token": "{workspace token}"}), ("dashboards", {"title": "{by}"}, {"widgets": [{"widgetable_token": "{report}"}]}),
        ("budgets", {"name": "{by}"}, {"cost_report_token": "{report}"}), ("budgets", {"name": "{by}"}, {"child_budget_tokens": ["{budget}"]}),
        ("budget_alerts", {"threshold": 5, "duration_in_days": 30}, {"budget_tokens": ["{budget}"]}), ("annotations", {"title": "{by}", "date": "2026-01-01"}, {"report_tokens": ["{report}"]}),
        ("cost_alerts", {"title": "{by}", "interval": "day", "threshold": 5, "unit_type": "currency"}, {"report_tokens": ["{report}"]}),
        ("anomaly_notifications", {}, {"cost_report_token": "{report}"}),
        ("report_notifications", {"title": "{by}", "frequency": "daily", "change": "percentage"}, {"cost_report_token": "{report}"}),
        ("business_metrics", {"title": "{by}"}, {"cost_report_tokens_with_metadata": [{"cost_report_token": "{report}"}]}),
        ("costs/data_exports", {}, {"cost_report_token": "{report}"}), ("costs/data_exports", {"filter": "costs.provider = 'open_ai'"}, {"workspace_token": "{workspace token}"}),
        ("integrations/custom_provider", {"name": "{by}"}, {"workspace_tokens": ["{workspace token}"]})]),
]


def routes():
    found = [m.groups() for m in (re.match(r"\| `(\w+) ([^`]+)` \|", line) for line in PAGE.read_text().splitlines()) if m]
    check(len(found) > 150, f"{len(found)} routes")
    return found


def kinds_of(path):
    for pattern, kinds in KINDS:
        if re.fullmatch(pattern.replace("{}", r"\{\}").replace(r"{\*}", r"\{\*\}"), path):
            return kinds
    return None


# --- workspaces --------------------------------------------------------------------------------------

class Tenant:
    """A workspace with its credentials and, by kind, the ids of what it has."""

    def __init__(self, gw, up, name):
        self.gw, self.up, self.name, self.ids, self.made, self.last = gw, up, name, {}, 0, {}
        status, _, text = gw.post("/v0/workspaces", {"name": name, "displayName": name})
        check(status == 200, text)
        tokens = {w["name"]: w["token"] for w in json.loads(gw.get("/v2/workspaces")[2])["workspaces"]}
        self.ids.update({"workspace": [name], "workspace token": [tokens[name]]})
        # A service key of an owner is the organization's (docs/KEYS.md); somebody who owns one workspace is not.
        self.keys = {role: gw.cli("key", "create", "--name", f"{name} {role}", "--role", role, "--workspace", name).stdout.strip()
                     for role in ("admin", "member", "viewer")}
        person = json.loads(gw.post(T + "/members", {"email": f"{name}-mark-person@example.com", "name": name, "password": "three plain words"})[2])
        gw.request("PUT", T + f"/workspaces/{name}/members/{person['id']}", {"role": "owner"})
        self.ids["member"], self.ids["user token"] = [str(person["id"])], ["usr_%016x" % int(person["id"])]
        session = json.loads(gw.post(T + "/session", {"email": f"{name}-mark-person@example.com", "password": "three plain words"}, key=None)[2])
        self.keys["person"] = session["token"]

    def ask(self, method, path, body=None, headers=None, role="admin"):
        status, fields, text = self.gw.request(method, path, body, headers, key=self.keys[role])
        return status, fields, text.decode(errors="replace")

    def one(self, kind):
        if kind not in self.ids and kind in MAKE:
            self.make(kind)
        return self.ids[kind][-1]

    def fill(self, value, ids=None):
        """`value` with {kind} replaced by ids."""
        if isinstance(value, dict):
            return {k: self.fill(v, ids) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v, ids) for v in value]
        if not isinstance(value, str):
            return value
        own = {"w": self.name, "n": str(self.made), "up": self.up.url, "by": "stolen-by-" + self.name}
        text = re.sub(r"\{([a-z][a-z ]*)\}", lambda m: own.get(m[1]) or (ids or self.one)(m[1]), value)
        return text.replace("{{", "{").replace("}}", "}")

    def make(self, kind):
        method, path, body, where = MAKE[kind]
        for needed in re.findall(r"\{([a-z][a-z ]+)\}", json.dumps(body)):
            if needed not in ("up", "by"):
                self.one(needed)
        self.made += 1
        if kind == "grant":
            self.make("report")  # there is one of a team for a report
        if kind in SHARED or kind in OF_ORGANIZATION:
            check(self.ask(method, path, self.fill(body))[0] in (403, 404), f"{self.name} made a {kind}")
            status, fields, text = self.gw.post(path, self.fill(body))
        else:
            status, fields, text = self.ask(method, self.fill(path), self.fill(body))
        check(status in (200, 201, 202), f"{self.name}: no {kind}: {status} {text}")
        found = json.loads(text)
        for way in where.split("|"):
            value = found
            for step in way.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if value or fields.get(way):
                break
        value = str(value or fields.get(way)).rstrip("/").rsplit("/", 1)[-1]
        self.ids.setdefault(kind, []).append(value)


def absent(text, r):
    """An id of the same form that is nobody's."""
    def other(c):
        for letters in ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
            if c in letters:
                return r.choice([x for x in letters if x != c])
        return c
    if text.startswith("tgr_"):
        return "tgr_" + re.sub("[1-7]", lambda m: str(8 - int(m[0])), text[4:-4]) + text[-4:]
    if re.fullmatch(r"\d{1,3}", text):
        return str(int(text) + 900)
    if re.fullmatch(r"(ul|rl)-\d+", text):
        return text[:3] + str(int(text[3:]) + 900)
    if text.startswith(("wrkspc_", "accss_crdntl_", "usr_", "team_")):
        return text[:-4] + "%04d" % (int(text[-4:], 16) % 10 + 9000)
    n = min(6, max(1, len(text) - 3))
    return text[:-n] + "".join(other(c) for c in text[-n:])


VARY = [(r"tgr_[0-9a-z]+", "TGR"), (r"accss_crdntl_[0-9a-f]{16}", "TOKEN"), (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"), (r"\b[0-9a-f]{32}\b", "HEX")]


def plain(answer, *ids):
    """An answer without what differs from one request to the next, and without the id asked for."""
    status, fields, text = answer
    for i in sorted(ids, key=len, reverse=True):
        text = re.sub(r"(?<![0-9A-Za-z.:-])" + re.escape(i) + r"(?![0-9A-Za-z.:])", "ID", text)
    for pattern, word in VARY:
        text = re.sub(pattern, word, text)
    skip = ("date", "connection", "x-request-id", "x-portkey-trace-id", "x-portkey-request-id", "x-tollgate-request-id", "x-tollgate-overhead-us", "content-length")
    kept = {k: v for k, v in fields.items() if k not in skip}
    for k in kept:
        for i in ids:
            kept[k] = kept[k].replace(i, "ID")
    return status, kept, text


def everything_of(t):
    """What a workspace sees of itself, by every route that reads, and all its things one by one."""
    seen = {}
    for method, path in routes():
        if method != "GET" or not path.startswith(("/tollgate", "/v0", "/v1/", "/v2")) or "status" in path or "session" in path or "audit" in path \
                or path.endswith(("/logs", "/traces", "/metrics", "/models", "/me")) or "/logs/" in path or "{" in path and not kinds_of(path):
            continue
        for i, ids in enumerate([[]] if "{" not in path else zip(*(t.ids.get(k, ["x"])[-1:] if k != "-" else ["x"] for k in kinds_of(path)))):
            asked = path
            for one in ids:
                asked = re.sub(r"\{\*?\}", str(one), asked, count=1)
            status, _, text = t.ask("GET", asked, headers={"X-Blaxel-Workspace": t.name, "x-portkey-x": "1"})
            text = re.sub(r'"last_(used|updated|seen)[a-zA-Z_]*": ?("[^"]*"|null)|"(links|execution_time)":\{[^}]*\}', "", text)
            seen[asked] = (status, text if status == 200 else "")
    return seen


def random_life(tenants, r):
    """Things come and go in both at the same time."""
    for t in tenants:
        for kind in r.sample(list(MAKE), len(MAKE)):
            t.make(kind)
    for _ in range(60):
        t, kind = r.choice(tenants), r.choice(list(MAKE))
        t.make(kind)
        if kind in ("report", "filter", "folder", "segment", "dashboard") and r.random() < 0.5:
            path = {"report": "cost_reports", "filter": "saved_filters"}.get(kind, kind + "s")
            status, _, text = t.ask("DELETE", f"/v2/{path}/{t.ids[kind].pop(0)}")
            check(status in (200, 204), text)
            if not t.ids[kind]:
                t.make(kind)
    for t in tenants:
        for n in range(3):
            headers = {"x-portkey-trace-id": f"{t.name}-mark-trace-{n}", "x-portkey-metadata": json.dumps({f"{t.name}-mark": "x"})}
            status, _, text = t.ask("POST", "/v1/chat/completions", {**CHAT, "model": f"@{t.ids['integration'][-1]}/gpt-4o-mini", "user": f"{t.name}-mark"}, headers)
            check(status == 200, text)
        rows = wait_until("rows", 20, lambda: (lambda d: d if len(d) >= 3 else None)(json.loads(t.ask("GET", T + "/logs")[2])["data"]))
        lines = json.loads(t.gw.get("/v2/audit_logs?limit=1000")[2])["audit_logs"]
        mine = [x["token"] for x in lines if f"{t.name}-mark" in json.dumps(x)]
        t.ids["audit line"] = mine[:1] or [lines[0]["token"]]
        t.ids.update(log=[rows[0]["request_id"]], trace=[rows[0]["trace_id"]], tag=[f"{t.name}-mark"])


# --- the tests ---------------------------------------------------------------------------------------

def bench():
    up = Upstream(lambda request: request.answer(completion()))
    gw = Gateway(up.url)
    return gw, up, [Tenant(gw, up, name) for name in ("alpha", "beta")]


def every_route_is_probed():
    missing = [f"{m} {p}" for m, p in routes() if "{" in p and not kinds_of(p)]
    check(not missing, "which kind of id do these take? Add them to KINDS: " + ", ".join(missing))
    unknown = {k for _, kinds in KINDS for k in kinds} - set(MAKE) - {"-", "workspace", "workspace token", "member", "log", "trace", "tag", "user token", "audit line"}
    check(not unknown, f"no way to make {unknown}")


def ids_of_others_are_as_if_not_there():
    gw, up, tenants = bench()
    r, probes, wrong = random.Random(SEED), 0, []
    random_life(tenants, r)
    before = {t.name: everything_of(t) for t in tenants}
    for thief, owner in (tenants, tenants[::-1]):
        def probe(role, method, path, kinds, body, headers):
            """One request with the owner's ids, one with nobody's."""
            answers, used = [], {}
            for nobody in (False, True):
                used[nobody] = {k: absent(owner.one(k), r) if nobody else owner.one(k) for k in kinds}
                fill = lambda v: thief.fill(v, lambda k: used[nobody][k])
                answers.append(plain(thief.ask(method, fill(path), fill(body), fill(headers), role), *used[nobody].values()))
            if any(k in SHARED for k in kinds):
                if method != "GET" and answers[0][0] < 400 and path.endswith(tuple("0123456789abcdef}")):
                    wrong.append(f"{thief.name}'s {role}: {method} {path} changed what is everybody's: {answers[0]}")
            elif re.search(r"/(audit-)?logs\?workspace|/audit\?workspace", path) and answers[0][0] == answers[1][0] == 200:
                pass  # a parameter that is not known here; the list grows with each probe
            elif answers[0] != answers[1]:
                wrong.append(f"{thief.name}'s {role}: {method} {thief.fill(path, lambda k: used[False][k])} {fill(body) or ''} {headers or ''}: {answers[0]} is not {answers[1]}")
            if f"{owner.name}-mark" in answers[0][2] and not path.startswith(OF_ALL):
                wrong.append(f"{thief.name}'s {role}: {method} {path}: shows {answers[0]}")
        for method, path in routes():
            kinds = kinds_of(path) or [] if "{" in path else []
            if set(kinds) <= {"-"}:
                continue
            asked = path
            for kind in kinds:
                asked = re.sub(r"\{\*?\}", "x" if kind == "-" else "{" + kind + "}", asked, count=1)
            for role in thief.keys:
                for body in ([None] if method in ("GET", "DELETE") else [{}, {k: "{by}" for k in ("name", "title", "slug", "displayName")} | {"role": "viewer"}]):
                    for headers in ({}, {"X-Blaxel-Workspace": thief.name}) if path.startswith("/v0") else ({},):
                        probe(role, method, asked, [k for k in kinds if k != "-"], body, headers)
                        probes += 1
        for method, path, body, headers in NAMED:
            kinds = [k for k in re.findall(r"\{([a-z][a-z ]*)\}", path + json.dumps([body, headers])) if k != "by"]
            for role in thief.keys:
                probe(role, method, path, kinds, body, headers)
                probes += 1
    after = {t.name: everything_of(t) for t in tenants}
    for name in before:
        for path, was in before[name].items():
            if any(c.isdigit() for c in path.split("/v", 1)[1][1:]) and after[name][path] != was:
                difference = "\n".join(difflib.unified_diff(was[1].replace(",", ",\n").split("\n"), after[name][path][1].replace(",", ",\n").split("\n"), lineterm="", n=1))
                wrong.append(f"{name}: {path} changed from {was[0]} to {after[name][path][0]}: {difference[:400]}")
    for t, other in (tenants, tenants[::-1]):
        for path, (status, text) in after[t.name].items():
            if f"stolen-by-{other.name}" in text:
                wrong.append(f"{other.name} made something in {t.name}: {path}: {text[:400]}")
            if f"{other.name}-mark" in text and not path.startswith(OF_ALL):
                wrong.append(f"{t.name} sees {other.name}'s at {path}: {text[max(0, text.find(other.name + '-mark') - 200):][:400]}")
        read = sum(status == 200 for status, _ in after[t.name].values())
        check(read > 60, f"{t.name} reads {read} of its own things only: {[p for p, (s, _) in after[t.name].items() if s != 200]}")
    gw.stop()
    print(f"  {probes} probes of {len(routes())} routes, {len(wrong)} wrong")
    check(not wrong, "\n".join(wrong[:25]))


def the_cache_is_of_one_workspace():
    gw, up, (a, b) = bench()
    for t in (a, b):
        t.make("integration")
    for mode in ("simple", "semantic"):
        config = json.dumps({"cache": {"mode": mode}, "provider": "openai", "api_key": "sk-same-0123456789", "custom_host": up.url})
        asked = {**CHAT, "messages": [{"role": "user", "content": f"a question for the {mode} cache"}]}
        status = [t.ask("POST", "/v1/chat/completions", asked, {"x-portkey-config": config})[1].get("x-portkey-cache-status") for t in (a, a, b, b)]
        check(status[1] == "HIT" and status[2] != "HIT" or mode == "semantic" and "HIT" not in status[2], f"{mode}: {status}")
    gw.stop()


def the_same_trace_id_shows_each_their_own():
    gw, up, (a, b) = bench()
    for t in (a, b):
        t.make("integration")
        t.ask("POST", "/v1/chat/completions", {**CHAT, "model": f"@{t.ids['integration'][-1]}/gpt-4o-mini", "user": f"{t.name}-mark"}, {"x-portkey-trace-id": "one-trace"})
        wait_until("a row", 20, lambda: json.loads(t.ask("GET", T + "/logs")[2])["data"])
    for t, other in ((a, b), (b, a)):
        for path in (T + "/traces/one-trace", T + "/logs?trace_id=one-trace", "/v0/traces/one-trace"):
            check(other.name + "-mark" not in t.ask("GET", path, headers={"X-Blaxel-Workspace": t.name})[2], f"{t.name} sees {other.name}: {path}")
    gw.stop()


def names_of_others_are_free():
    """What one workspace calls its things says nothing to another: the same names can be taken there."""
    gw, up, (a, b) = bench()
    for kind in ("integration", "connection", "policy", "model", "config", "key", "service account", "provider", "report", "channel"):
        for t in (a, b):
            t.name_was, t.name, t.made = t.name, "same", 100 + len(a.ids)
            t.make(kind)
            t.name = t.name_was
    gw.stop()


def the_time_tells_nothing():
    """Medians of 'not yours' and 'not there' are alike."""
    gw, up, (a, b) = bench()
    for path, kind in ((T + "/keys/{}", "key"), ("/v1/configs/{}", "config"), ("/v2/cost_reports/{}", "report")):
        a.make(kind)
        r, took = random.Random(SEED), {True: [], False: []}
        for _ in range(300):
            for mine in took:
                one = a.ids[kind][-1] if mine else absent(a.ids[kind][-1], r)
                begun = time.perf_counter()
                b.ask("GET" if "keys" not in path else "DELETE", path.replace("{}", one))
                took[mine].append(time.perf_counter() - begun)
        ratio = statistics.median(took[True]) / statistics.median(took[False])
        check(0.75 < ratio < 1.33, f"{path}: {ratio:.2f} times as long for what is there")
    gw.stop()


if __name__ == "__main__":
    run(every_route_is_probed, ids_of_others_are_as_if_not_there, the_cache_is_of_one_workspace, the_same_trace_id_shows_each_their_own,
        names_of_others_are_free, the_time_tells_nothing)
