#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Vantage's people with its own SDK: teams, users, access grants, audit logs; the price book as products; rates of calls. Row
numbers are those of the contract's checklist.
"""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run
from vantage import Vantage

PASSWORD = "three plain words"
KEYS = {
    "team": "token name description workspace_tokens user_emails user_tokens default_dashboard_token",
    "member": "name email user_token role",
    "user": "token name email role default_dashboard_token last_seen_at",
    "grant": "token resource_token access team_token created_at created_by",
    "log": "token object_token object_type object_title event source user workspace_title workspace_token created_at changed_values "
           "unchanged_values",
    "product": "id category name service_id provider_id details",
    "price": "id unit region rate_type currency amount details",
}


def whole(row, kind, value):
    equal(set(value), set(KEYS[kind].split()), f"{row}: keys of a {kind}")
    return value


def person(v, name, role="member", place="default", there="member"):
    """(user token, key): somebody of the organization, signed in; in a workspace unless `place` is None."""
    email = f"{name}@example.com"
    made = json.loads(v.gw.post("/tollgate/v1/members", {"email": email, "role": role, "password": PASSWORD})[2])
    if place:
        status, _, text = v.gw.request("PUT", f"/tollgate/v1/workspaces/{place}/members/{made['id']}", {"role": there})
        equal(status, 200, f"membership: {text}")
    session = json.loads(v.gw.post("/tollgate/v1/session", {"email": email, "password": PASSWORD}, key=None)[2])
    return f"usr_{made['id']:016x}", session["token"]


def everyone(v):
    return next(t for t in v.call("teams.list", {}).fine("teams")["teams"] if t["name"] == "Everyone")


def titles(v, call, name, key):
    return [x["title"] for x in v.call(call, {}, token=key).fine(call)[name]]


# --- teams --------------------------------------------------------------------------------------------


def row_67_teams(v):
    here = v.call("me.get").fine("me")["default_workspace_token"]
    ann, ann_key = person(v, "ann")
    made = whole("row 67", "team", v.call("teams.create", {"name": "Red", "workspace_tokens": [here]}).fine("row 67"))
    check(re.fullmatch("team_[0-9a-f]{16}", made["token"]), f"row 67: {made}")
    equal((made["workspace_tokens"], made["user_tokens"], made["description"]), ([here], [], None), "row 67")
    equal(v.raw("POST", "/v2/teams", {"name": "Status"})[0], 201, "row 67: status")
    red = made["token"]
    status, _, body = v.raw("POST", f"/v2/teams/{red}/members", {"user_email": "ann@example.com"})
    equal((status, body["role"], body["user_token"]), (201, "editor", ann), "row 67: member add")
    whole("row 67", "member", v.call("teams.addTeamMember", red, {"user_email": "ann@example.com", "role": "viewer"}).fine("row 67"))
    members = v.call("teams.getMembers", red, {}).fine("row 67")["members"]
    equal([(m["email"], m["role"]) for m in members], [("ann@example.com", "viewer")], "row 67: one place")
    equal(v.call("teams.get", red).fine("row 67")["user_emails"], ["ann@example.com"], "row 67")
    equal(v.raw("DELETE", f"/v2/teams/{red}/members/{ann}", {})[0], 204, "row 67: member remove")
    v.call("teams.removeTeamMember", red, ann).refused("row 67: not in it", 404)
    v.call("teams.addTeamMember", red, {"user_email": "nobody@example.com"}).refused("row 67: who", 404)
    v.call("teams.addTeamMember", red, {"user_email": "ann@example.com", "role": "king"}).refused("row 67: role", 400, "integration_owner")
    v.call("teams.create", {"name": "Red"}).refused("row 67: name", 422)
    v.call("teams.create", {}).refused("row 67: no name", 400, "required")
    changed = v.call("teams.update", red, {"name": "Reds", "description": "d", "user_tokens": [ann], "role": "viewer"}).fine("row 67")
    equal((changed["name"], changed["description"], changed["user_tokens"]), ("Reds", "d", [ann]), "row 67: update")
    equal([t["name"] for t in v.call("teams.list", {"q": "REDS"}).fine("row 67")["teams"]], ["Reds"], "row 67: q")
    equal([t["name"] for t in v.call("teams.list", {}, token=ann_key).fine("row 67")["teams"]], ["Everyone", "Reds"], "row 67: one's own")
    v.call("teams.create", {"name": "x"}, token=ann_key).refused("row 67: not hers", 403)
    v.call("teams.delete", red).fine("row 67")
    v.call("teams.get", red).refused("row 67", 404)


def everybody_is_in_everyone(v):
    team = everyone(v)
    check("ann@example.com" in team["user_emails"] and team["workspace_tokens"] == [], f"everyone: {team}")
    who = team["user_tokens"][0]
    v.call("teams.removeTeamMember", team["token"], who).refused("everyone: nobody leaves", 422, "cannot be left")
    v.call("teams.delete", team["token"]).refused("everyone: stays", 422)
    v.call("teams.update", team["token"], {"name": "All"}).refused("everyone: its name", 422)


def a_team_opens_its_workspaces(v):
    made = v.call("workspaces.create", {"name": "Lab"}).fine("lab")["token"]
    eve, eve_key = person(v, "eve", place=None)
    refused = v.call("costReports.list", {"workspace_token": made}, token=eve_key)
    check(not refused.ok, f"lab: {refused.raw}")
    lab = v.call("teams.create", {"name": "Lab", "workspace_tokens": [made], "user_emails": ["eve@example.com"], "role": "viewer"}).fine("lab")
    equal(v.call("workspaces.list", {}, token=eve_key).fine("lab")["workspaces"][-1]["token"], made, "lab: she sees it")
    v.call("costReports.list", {"workspace_token": made}, token=eve_key).fine("lab")
    v.call("costReports.create", {"title": "no", "workspace_token": made}, token=eve_key).refused("lab: as a viewer", 403)
    v.call("teams.addTeamMember", lab["token"], {"user_email": "eve@example.com", "role": "editor"}).fine("lab")
    v.call("costReports.create", {"title": "mine", "workspace_token": made}, token=eve_key).fine("lab: as an editor")
    _, ivy_key = person(v, "ivy", there="viewer")
    v.call("teams.addTeamMember", lab["token"], {"user_email": "ivy@example.com", "role": "editor"}).fine("lab")
    here = v.call("me.get").fine("lab")["default_workspace_token"]
    v.call("costReports.create", {"title": "there", "workspace_token": made}, token=ivy_key).fine("lab: an editor there")
    v.call("costReports.create", {"title": "here", "workspace_token": here}, token=ivy_key).refused("lab: a viewer at home", 404)
    v.call("workspaces.update", made, {"name": "Mine"}, token=ivy_key).refused("lab: no admin", 403)
    v.call("teams.delete", lab["token"]).fine("lab")
    check(not v.call("costReports.list", {"workspace_token": made}, token=eve_key).ok, "lab: closed again")
    v.call("workspaces.delete", made).fine("lab")


def nobody_hands_out_more_than_they_have(v):
    _, key = person(v, "adam", role="admin", there="admin")
    here = v.call("me.get").fine("me")["default_workspace_token"]
    v.call("teams.create", {"name": "Kings", "workspace_tokens": [here], "user_emails": ["adam@example.com"], "role": "owner"}, token=key).refused("more", 403)
    kings = v.call("teams.create", {"name": "Kings", "user_emails": ["ann@example.com"], "role": "owner"}).fine("more")["token"]
    v.call("teams.update", kings, {"workspace_tokens": [here]}, token=key).refused("more: not by its workspaces either", 403)
    v.call("teams.create", {"name": "Fine", "role": "editor"}, token=key).fine("more: what he has")
    _, boss = person(v, "boss", there="owner")
    v.call("teams.create", {"name": "Mine"}, token=boss).refused("more: a workspace's owner is not the organization's", 403)
    v.call("teams.delete", kings).fine("more")


def users_and_default_dashboards(v):
    ann = next(u for u in v.call("users.list", {}).fine("users")["users"] if u["email"] == "ann@example.com")
    whole("users", "user", ann)
    equal(ann["role"], "editor", "users: role")
    equal(v.call("users.get", ann["token"]).fine("users"), ann, "users: one")
    _, key = person(v, "una")
    equal([u["email"] for u in v.call("users.list", {}, token=key).fine("users")["users"]], ["una@example.com"], "users: oneself")
    v.call("users.get", ann["token"], token=key).refused("users: others", 404)
    board = v.call("dashboards.create", {"title": "B"}).fine("users")["token"]
    other = v.call("dashboards.create", {"title": "T"}).fine("users")["token"]
    equal(v.call("users.update", ann["token"], {"default_dashboard_token": board}).fine("users")["default_dashboard_token"], board, "users: dashboard")
    v.call("users.update", ann["token"], {"default_dashboard_token": "dshbrd_none"}).refused("users: no such", 422)
    team = v.call("teams.create", {"name": "Una's", "user_emails": ["una@example.com"], "default_dashboard_token": other}).fine("users")
    equal(team["default_dashboard_token"], other, "users: the team's")
    me = v.request("/v2/me", token=key).fine("users")
    equal(me["default_dashboard_token"], other, "users: without one's own the team's")
    equal(v.request("/v2/me", "PUT", {"default_dashboard_token": board}, token=key).fine("users")["default_dashboard_token"], board, "me.update")
    v.request("/v2/me", "PUT", {"default_dashboard_token": "dshbrd_none"}, token=key).refused("me.update", 422)
    equal(v.request("/v2/me", "PUT", {"default_dashboard_token": None}, token=key).fine("users")["default_dashboard_token"], other, "me.update: null clears")
    v.call("dashboards.delete", other).fine("users")
    equal(v.call("teams.get", team["token"]).fine("users")["default_dashboard_token"], None, "users: a dashboard that is gone")


# --- grants -------------------------------------------------------------------------------------------


class Secret:
    """A report of two people, Ann's team sees it, Bob does not; and everything that belongs to it."""

    def __init__(self, v):
        self.ann, self.ann_key = person(v, "grace")
        self.bob, self.bob_key = person(v, "bob")
        self.report = v.call("costReports.create", {"title": "Secret"}).fine("grants")["token"]
        self.open = v.call("costReports.create", {"title": "Open"}).fine("grants")["token"]
        self.budget = v.call("budgets.create", {"name": "B", "cost_report_token": self.report, "periods": [{"start_at": "2026-01-01", "amount": 1}]}).fine("grants")["token"]
        self.parent = v.call("budgets.create", {"name": "P", "child_budget_tokens": [self.budget]}).fine("grants")["token"]
        self.note = v.call("reportNotifications.create", {"title": "N", "cost_report_token": self.report, "frequency": "daily", "change": "dollars"}).fine("grants")["token"]
        self.anomaly = v.call("anomalyNotifications.create", {"cost_report_token": self.report, "threshold": 5}).fine("grants")["token"]
        self.alone = v.call("annotations.create", {"report_tokens": [self.report], "date": "2026-01-01", "message": "m"}).fine("grants")["token"]
        self.both = v.call("annotations.create", {"report_tokens": [self.report, self.open], "date": "2026-01-01", "message": "both"}).fine("grants")["token"]
        self.board = v.call("dashboards.create", {"title": "Board", "widgets": [{"widgetable_token": self.report}, {"widgetable_token": self.open}]}).fine("grants")["token"]
        self.file = v.raw("POST", "/v2/costs/data_exports", {"cost_report_token": self.report})[2]["token"]
        self.team = v.call("teams.create", {"name": "Insiders", "user_emails": ["grace@example.com"]}).fine("grants")["token"]
        self.denied = whole("row 66", "grant", v.call("accessGrants.create", {"resource_token": self.report, "team_token": everyone(v)["token"], "access": "denied"}).fine("row 66"))
        self.allowed = v.call("accessGrants.create", {"resource_token": self.report, "team_token": self.team}).fine("row 66")


def row_66_only_the_team_sees_it(v):
    s = Secret(v)
    equal((s.denied["access"], s.allowed["access"], s.allowed["resource_token"]), ("denied", "allowed", s.report), "row 66")
    check(re.fullmatch("rsrc_accss_grnt_[0-9a-f]{16}", s.allowed["token"]), f"row 66: {s.allowed}")
    reader = v.gw.cli("key", "create", "--name", "service", "--role", "admin").stdout.strip()
    calls = [("costReports.get", s.report), ("costReports.update", s.report, {"title": "x"}), ("costs.list", {"cost_report_token": s.report}),
             ("costReports.getForecastedCosts", s.report, {}), ("unitCosts.list", {"cost_report_token": s.report}),
             ("reportNotifications.get", s.note), ("anomalyNotifications.get", s.anomaly), ("dataExports.get", s.file),
             ("costs.createExport", {"cost_report_token": s.report}), ("annotations.update", s.alone, {"message": "x"}),
             ("dashboards.create", {"title": "d", "widgets": [{"widgetable_token": s.report}]}),
             ("budgets.create", {"name": "x", "cost_report_token": s.report}), ("annotations.create", {"report_tokens": [s.report], "date": "2026-01-01", "message": "x"}),
             ("costReports.delete", s.report)]
    for key, who in ((s.bob_key, "bob"), (reader, "a service key")):
        for call, *args in calls:
            answer = v.call(call, *args, token=key)
            check(not answer.ok and answer.status == 404, f"row 66: {call} as {who}: {answer.raw}")
        for budget in (s.budget, s.parent):
            v.request("/v2/budgets/" + budget, token=key).refused(f"row 66: its budget as {who}", 404)
        check("Secret" not in titles(v, "costReports.list", "cost_reports", key), f"row 66: listed for {who}")
        equal(v.call("budgets.list", {}, token=key).fine("row 66")["budgets"], [], f"row 66: budgets of {who}")
        equal([a["report_tokens"] for a in v.call("annotations.list", {}, token=key).fine("row 66")["annotations"]], [[s.open]], f"row 66: annotations of {who}")
        board = v.call("dashboards.get", s.board, token=key).fine("row 66")
        equal([w["title"] for w in board["widgets"]], ["Open"], f"row 66: the dashboard of {who}")
        check(s.report not in json.dumps(v.call("folders.list", {}, token=key).raw), "row 66")
    for key, who in ((s.ann_key, "the team"), (None, "the owner")):
        more = {"token": key} if key else {}
        for call, *args in [c for c in calls if c[0] in ("costReports.get", "costs.list", "reportNotifications.get", "dataExports.get")]:
            v.call(call, *args, **more).fine(f"row 66: {call} as {who}")
        v.request("/v2/budgets/" + s.parent, **more).fine(f"row 66: budget as {who}")
        equal(len(v.call("dashboards.get", s.board, **more).fine("row 66")["widgets"]), 2, f"row 66: the dashboard of {who}")
    v.call("dashboards.update", s.board, {"title": "Renamed"}, token=s.bob_key).fine("row 66: bob changes what he sees")
    equal(len(v.call("dashboards.get", s.board).fine("row 66")["widgets"]), 2, "row 66: and takes nothing from others")
    a_grant_is_changed_and_goes(v, s)


def a_grant_is_changed_and_goes(v, s):
    v.call("accessGrants.create", {"resource_token": s.report, "team_token": s.team}).refused("row 66: twice", 422)
    v.call("accessGrants.create", {"resource_token": "rprt_none", "team_token": s.team}).refused("row 66: no report", 404)
    v.call("accessGrants.create", {"resource_token": s.report, "team_token": "team_none"}).refused("row 66: no team", 404)
    v.call("accessGrants.create", {"resource_token": s.report, "team_token": s.team, "access": "maybe"}).refused("row 66: access", 400)
    v.call("accessGrants.create", {"resource_token": s.open, "team_token": s.team}, token=s.ann_key).refused("row 66: an admin's", 403)
    v.call("accessGrants.update", s.allowed["token"], {}).refused("row 66: nothing said", 400, "access")
    equal(v.call("accessGrants.update", s.allowed["token"], {"access": "denied"}).fine("row 66")["access"], "denied", "row 66: update")
    v.call("costReports.get", s.report, token=s.ann_key).refused("row 66: not theirs any more", 404)
    equal(len(v.call("accessGrants.list", {}).fine("row 66")["access_grants"]), 2, "row 66: list")
    equal(v.call("accessGrants.get", s.denied["token"]).fine("row 66"), s.denied, "row 66: get")
    v.call("teams.delete", s.team).fine("row 66")
    v.call("accessGrants.get", s.allowed["token"]).refused("row 66: goes with its team", 404)
    v.call("accessGrants.delete", s.denied["token"]).fine("row 66")
    v.call("costReports.get", s.report, token=s.bob_key).fine("row 66: open again")
    v.call("accessGrants.create", {"resource_token": s.report, "team_token": everyone(v)["token"], "access": "denied"}).fine("row 66")
    v.call("costReports.delete", s.report).fine("row 66")
    equal(v.call("accessGrants.list", {}).fine("row 66")["access_grants"], [], "row 66: goes with its report")


def a_folder_hides_what_is_in_it(v):
    _, key = person(v, "fay")
    folder = v.call("folders.create", {"title": "F"}).fine("folders")["token"]
    inner = v.call("folders.create", {"title": "G", "parent_folder_token": folder}).fine("folders")["token"]
    report = v.call("costReports.create", {"title": "Deep", "folder_token": inner}).fine("folders")["token"]
    shown = v.call("costReports.create", {"title": "Shown", "folder_token": inner}).fine("folders")["token"]
    team = everyone(v)["token"]
    v.call("accessGrants.create", {"resource_token": folder, "team_token": team, "access": "denied"}).fine("folders")
    v.call("accessGrants.create", {"resource_token": shown, "team_token": team}).fine("folders")
    for call, token in (("folders.get", folder), ("folders.get", inner), ("costReports.get", report)):
        v.call(call, token, token=key).refused("folders: hidden", 404)
    got = v.call("costReports.get", shown, token=key).fine("folders: allowed itself")
    equal(got["folder_token"], None, "folders: its folder is not told")
    v.call("costReports.update", shown, {"title": "Still"}, token=key).fine("folders")
    equal(v.call("costReports.get", shown).fine("folders")["folder_token"], inner, "folders: and stays where it is")
    v.call("folders.delete", folder).fine("folders")


def nobody_locks_themselves_out(v):
    _, key = person(v, "lea", there="admin")
    report = v.call("costReports.create", {"title": "Hers"}, token=key).fine("locked")["token"]
    team = everyone(v)["token"]
    v.call("accessGrants.create", {"resource_token": report, "team_token": team, "access": "denied"}, token=key).refused("locked", 422, "yourself")
    v.call("costReports.get", report, token=key).fine("locked: nothing happened")
    made = v.call("accessGrants.create", {"resource_token": report, "team_token": team}, token=key).fine("locked")["token"]
    v.call("accessGrants.update", made, {"access": "denied"}, token=key).refused("locked", 422, "yourself")
    v.call("costReports.get", report, token=key).fine("locked")


# --- audit logs ---------------------------------------------------------------------------------------


def row_68_audit_logs(v):
    began = time.strftime("%Y-%m-%d", time.gmtime())
    report = v.call("costReports.create", {"title": "Before", "date_bin": "day"}).fine("row 68")["token"]
    v.call("costReports.update", report, {"title": "After"}).fine("row 68")
    logs = v.call("auditLogs.list", {"object_token": report}).fine("row 68")["audit_logs"]
    equal([x["event"] for x in logs], ["record_updated", "record_created"], "row 68: newest first")
    log = whole("row 68", "log", logs[0])
    equal((log["changed_values"], log["source"], log["object_type"], log["object_title"]),
          ({"title": ["Before", "After"]}, "api", "cost_report", "After"), "row 68: before and after")
    equal(log["unchanged_values"]["date_bin"], "day", "row 68: the rest")
    equal(logs[1]["changed_values"]["title"], [None, "Before"], "row 68: made")
    check(re.fullmatch("adt_lg_[0-9a-f]{16}", log["token"]) and log["workspace_token"].startswith("wrkspc_"), f"row 68: {log}")
    equal(v.call("auditLogs.get", log["token"]).fine("row 68"), log, "row 68: one")
    v.call("auditLogs.get", "adt_lg_00000000ffffffff").refused("row 68", 404)
    v.call("costReports.update", report, {"title": "After"}).fine("row 68")
    count = lambda q: len(v.call("auditLogs.list", {"object_token": report, **q}).fine(f"row 68: {q}")["audit_logs"])
    equal(count({}), 2, "row 68: nothing changed, nothing is noted")
    equal([count(q) for q in ({"action": "create"}, {"action": "update"}, {"action": "delete"})], [1, 1, 0], "row 68: action")
    equal([count(q) for q in ({"object_type": "cost_report"}, {"object_type": "segment"})], [2, 0], "row 68: type")
    equal([count(q) for q in ({"source": "api"}, {"source": "console"}, {"source": "finops_agent"})], [2, 0, 0], "row 68: source")
    equal([count(q) for q in ({"object_name": "aft"}, {"object_name": "BEFORE"}, {"object_name": "%"})], [1, 1, 0], "row 68: name")
    equal([count(q) for q in ({"start_date": began, "end_date": began}, {"end_date": "2020-01-01"})], [2, 0], "row 68: dates")
    equal([count(q) for q in ({"token": log["token"]}, {"token": "adt_lg_x"})], [1, 0], "row 68: token")
    equal([count(q) for q in ({"user": 1}, {"user": 999999})], [2, 0], "row 68: user")
    first = v.call("auditLogs.list", {"limit": 1}).fine("row 68")
    second = v.raw("GET", first["links"]["next"].removeprefix(v.gw.url))[2]
    check(first["audit_logs"][0]["token"] > second["audit_logs"][0]["token"], "row 68: pages")
    v.call("auditLogs.list", {"limit": 5000}).fine("row 68")
    v.call("auditLogs.list", {"limit": 5001}).refused("row 68", 400, "5000")
    v.call("auditLogs.list", {"action": "look"}).refused("row 68", 400, "create")
    segment = v.call("segments.create", {"title": "S"}).fine("row 68")["token"]
    v.call("costReports.delete", report).fine("row 68")
    gone = v.call("auditLogs.list", {"object_token": report, "action": "delete"}).fine("row 68")["audit_logs"]
    equal((gone[0]["event"], gone[0]["changed_values"]["title"]), ("record_destroyed", ["After", None]), "row 68: deleted")
    equal(len(v.call("auditLogs.list", {"object_token": segment, "object_type": "segment"}).fine("row 68")["audit_logs"]), 1, "row 68: segments")


def who_reads_the_log(v):
    _, key = person(v, "logan", there="admin")
    report = v.call("costReports.create", {"title": "By a person"}, token=key).fine("logs")["token"]
    log = v.call("auditLogs.list", {"object_token": report}, token=key).fine("logs")["audit_logs"][0]
    equal((log["source"], log["user"]), ("console", "logan@example.com"), "logs: a person who is signed in")
    equal(len(v.call("auditLogs.list", {"object_token": report, "source": "console"}).fine("logs")["audit_logs"]), 1, "logs: source")
    check(all(x["workspace_token"] for x in v.call("auditLogs.list", {}, token=key).fine("logs")["audit_logs"]), "logs: an admin sees no rows of the organization")
    check(not all(x["workspace_token"] for x in v.call("auditLogs.list", {}).fine("logs")["audit_logs"]), "logs: an owner does")
    v.call("auditLogs.list", {}, token=v.gw.cli("key", "create", "--name", "m", "--role", "member").stdout.strip()).refused("logs", 403)
    secret = v.call("costReports.create", {"title": "Hidden"}).fine("logs")["token"]
    v.call("accessGrants.create", {"resource_token": secret, "team_token": everyone(v)["token"], "access": "denied"}).fine("logs")
    equal(v.call("auditLogs.list", {"object_token": secret}, token=key).fine("logs")["audit_logs"], [], "logs: of what is hidden nothing")
    equal(len(v.call("auditLogs.list", {"object_token": secret}).fine("logs")["audit_logs"]), 1, "logs: but to the owner")
    verified = v.gw.cli("audit", "verify", "--data", v.gw.dir, check=False)
    check(verified.returncode == 0, f"logs: the chain {verified.stdout} {verified.stderr}")


# --- products -----------------------------------------------------------------------------------------


def the_price_book(v):
    listed = v.call("products.list", {"name": "gpt-4o-mini", "provider_id": "open_ai"}).fine("products")["products"]
    product = whole("products", "product", next(p for p in listed if p["name"] == "gpt-4o-mini"))
    equal(product["provider_id"], "open_ai", "products")
    equal(v.request("/v2/products/" + product["id"]).fine("products"), product, "products: one")
    prices = v.call("products.getPrices", product["id"], {}).fine("products")["prices"]
    by = {(p["rate_type"], p["details"]["tier"], p["details"]["group"]): p for p in prices}
    equal([by[(r, "standard", "text")]["amount"] for r in ("input", "cached_input", "output")], [0.15, 0.075, 0.6], "products: prices of a million tokens")
    equal(by[("input", "batch", "text")]["amount"], 0.075, "products: batch")
    one = whole("products", "price", by[("input", "standard", "text")])
    equal((one["unit"], one["currency"]), ("1000000 tokens", "USD"), "products: unit")
    equal(v.call("products.getPrice", product["id"], one["id"]).fine("products"), one, "products: one price")
    equal(len({p["id"] for p in prices}), len(prices), "products: ids")
    v.call("products.getPrice", product["id"], "none").refused("products", 404)
    v.request("/v2/products/none").refused("products", 404)
    equal(v.call("products.list", {"provider_id": "aws"}).fine("products")["products"], [], "products: of others none")
    pages = v.call("products.list", {"limit": 2}).fine("products")
    check(len(pages["products"]) == 2 and "page=2" in pages["links"]["next"], f"products: pages {pages}")


# --- rates of calls -----------------------------------------------------------------------------------


def row_72_rates_when_enabled(v):
    with Vantage(args=["--vantage-calls", "12", "--vantage-report-calls", "5"]) as w:
        for n in range(5):
            w.call("costReports.list", {}).fine(f"row 72: call {n + 1}")
        w.call("costReports.list", {}).refused("row 72: the sixth", 429, "Rate limit exceeded")
        status, headers, _ = w.raw("GET", "/v2/cost_reports")
        check(status == 429 and 1 <= int(headers["retry-after"]) <= 5, f"row 72: {status} {headers}")
        w.call("folders.list", {}).fine("row 72: other calls")
        time.sleep(int(headers["retry-after"]) + 0.1)
        w.call("costReports.list", {}).fine("row 72: after the pause")
        for n in range(5):
            w.call("folders.list", {}).fine("row 72: up to twelve")
        status, headers, body = w.raw("GET", "/v2/folders")
        check(status == 429 and int(headers["retry-after"]) > 3000 and body["errors"], f"row 72: by the hour {status} {headers} {body}")
        check(w.call("ping.get").ok, "row 72: ping is free")
        equal(w.gw.request("GET", "/tollgate/v1/keys")[0], 200, "row 72: only Vantage's API")
    for n in range(20):
        v.call("costReports.list", {}).fine("row 72: off unless it is asked for")


if __name__ == "__main__":
    v = Vantage()
    tests = [row_67_teams, everybody_is_in_everyone, a_team_opens_its_workspaces, nobody_hands_out_more_than_they_have,
             users_and_default_dashboards, row_66_only_the_team_sees_it, a_folder_hides_what_is_in_it, nobody_locks_themselves_out,
             row_68_audit_logs, who_reads_the_log, the_price_book, row_72_rates_when_enabled]

    def bound(test):
        def call():
            test(v)
        call.__name__ = test.__name__
        return call

    with v:
        run(*map(bound, tests))
