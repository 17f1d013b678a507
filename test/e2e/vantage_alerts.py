#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""
Alerts through Vantage's own SDK, over a bill that the test decides, to a webhook and a mail server: each is said once,
over imports and kills. Row numbers are those of the contract's checklist; what follows the calendar (rows 49 and 50, the end
of an anomaly) is in test/unit/test_watch.c, which has a clock of its own.
"""

import decimal
import os
import re
import signal
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from bill_upstream import BillUpstream, day_text, today
from harness import Upstream, chat, check, completion, equal, run, wait_until
from vantage import Vantage

ALL = "costs.provider = 'open_ai'"
D = decimal.Decimal
TODAY = today()
FIRST = TODAY - 45
SPIKE = "100.5"


def usual(day):
    return D("20") + day % 3


def bill():
    rows = []
    for day in range(FIRST, TODAY + 1):
        rows += [{"day": day, "project": "proj_a", "key": "key_1", "item": "gpt-4o-2024-08-06, input", "amount": str(usual(day)), "quantity": 1, "unit": "tokens"},
                 {"day": day, "project": "proj_b", "key": "key_2", "item": "text-embedding-3-small, input", "amount": "5", "quantity": 1, "unit": "tokens"}]
    return rows


class Mailbox(socketserver.ThreadingTCPServer):
    """Takes mail and keeps (recipient, text)."""
    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            to = None
            self.wfile.write(b"220 mailbox\r\n")
            for line in self.rfile:
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = b""
                    for part in self.rfile:
                        if part == b".\r\n":
                            break
                        text += part
                    self.server.mails.append((to, text.decode()))
                elif word == b"RCPT":
                    to = re.search(rb"<(.*)>", line)[1].decode()
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
                if word == b"QUIT":
                    return

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.mails = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def to(self, address):
        return [text for to, text in self.mails if to == address]


class Hook(Upstream):
    """Takes what webhooks send; `got` has each message once, by its id."""

    def __init__(self):
        self.got = {}
        super().__init__(self.take)

    def take(self, request):
        message = request.json()
        self.got.setdefault(message["id"], message)
        return request.answer({})

    def of(self, kind):
        return [m for m in self.got.values() if m["type"] == kind]


def refresh(v):
    """Imports, and waits until alerts have been looked at after it."""
    def count(name):
        return int(v.gw.metrics()[name])
    pulls = count("tollgate_import_pulls_total")
    v.gw.cli("import", check=False)
    wait_until("the bill is imported", 30, lambda: count("tollgate_import_pulls_total") > pulls)
    wait_until("alerts have been looked at", 30, lambda: not count("tollgate_watch_busy"))


def connected(v):
    made = v.request("/v2/integrations/open_ai", "POST", {"api_key": v.up.key, "base_url": v.up.url}).fine("connect")
    wait_until("imported", 60, lambda: v.call("integrations.get", made["token"]).fine("connect")["status"] == "imported")
    status, _, ann = v.raw("POST", "/tollgate/v1/members", {"email": "ann@example.com", "role": "admin", "password": "correct horse battery"})
    check(status == 201, f"a person: {status} {ann}")
    v.ann = v.call("users.list", {}).fine("users")["users"]
    v.ann = next(u["token"] for u in v.ann if u["email"] == "ann@example.com")
    v.report = v.call("costReports.create", {"title": "Everything", "filter": ALL, "groupings": "service"}).fine("report")["token"]
    status, _, answer = v.gw.request("PUT", "/tollgate/v1/channels/hook", {"kind": "webhook", "url": v.hook.url})
    equal(status, 200, f"a channel: {answer}")


def channels_are_named_not_addressed(v):
    """An address would be called for whoever makes an alert, and be shown to everybody who reads it and in the audit log."""
    note = {"cost_report_token": v.report, "threshold": 50}
    alert = {"title": "Jump", "interval": "day", "threshold": 50, "unit_type": "currency", "report_tokens": [v.report]}
    for address in (v.hook.url, " HTTPS://hooks.slack.com/services/T0/B0/secret"):
        v.call("anomalyNotifications.create", {**note, "recipient_channels": ["#Hook", address]}).refused("addresses", 422, "channels/NAME")
        v.call("costAlerts.create", {**alert, "slack_channels": [address]}).refused("addresses", 422)
        v.call("costAlerts.create", {**alert, "teams_channels": [address]}).refused("addresses", 422)
    made = v.call("costAlerts.create", alert).fine("an alert")["token"]
    v.call("costAlerts.update", made, {"slack_channels": [v.hook.url]}).refused("addresses", 422)
    v.call("costAlerts.delete", made).fine("an alert")


def row_45_a_budget_alert(v):
    spent = sum(D(r["amount"]) for r in v.up.rows if r["day"] >= TODAY - 20)
    budget = v.call("budgets.create", {"name": "Team", "cost_report_token": v.report,
                    "periods": [{"start_at": day_text(TODAY - 20), "end_at": day_text(TODAY + 9), "amount": float(spent * 2)}]}).fine("row 45")["token"]
    for threshold in (10, 45, 90):
        v.call("budgetAlerts.create", {"budget_tokens": [budget], "threshold": threshold, "duration_in_days": "",
               "recipient_emails": [f"at{threshold}@example.com"], "recipient_channels": ["#Hook"], "user_tokens": [v.ann, "usr_00000000000000ff"]}).fine("row 45")
    refresh(v)
    wait_until("row 45: the webhook has it", 20, lambda: v.hook.of("budget_alert"))
    wait_until("row 45: the mail is there", 20, lambda: v.mail.to("at45@example.com"))
    wait_until("row 45: people have mail", 20, lambda: v.mail.to("ann@example.com"))
    data = v.hook.of("budget_alert")[0]["data"]
    equal((len(v.hook.of("budget_alert")), data["threshold"], D(data["spent"]), data["budget_token"]), (1, 45, spent, budget), "row 45: the highest only")
    check("Team" in v.mail.to("at45@example.com")[0] and not v.mail.to("at10@example.com"), "row 45: mail")
    notes = v.call("annotations.list", {"report_token": v.report}).fine("row 45")["annotations"]
    equal([n["date"] for n in notes], [day_text(TODAY)], "row 45: an annotation")


def rows_46_to_49_a_spike(v):
    dollars = v.call("costAlerts.create", {"title": "Jump", "interval": "day", "threshold": 50, "unit_type": "currency", "report_tokens": [v.report],
                     "email_recipients": ["jump@example.com"], "slack_channels": [], "teams_channels": []}).fine("row 46")["token"]
    v.call("anomalyNotifications.create", {"cost_report_token": v.report, "threshold": 50, "recipient_emails": ["odd@example.com"],
           "recipient_channels": ["#Hook"]}).fine("row 49")
    v.call("anomalyNotifications.create", {"cost_report_token": v.report, "threshold": 5000, "recipient_emails": ["rich@example.com"]}).fine("row 49")
    equal(v.call("anomalyAlerts.list", {"cost_report_token": v.report}).fine("row 48")["anomaly_alerts"], [], "row 48: nothing is odd yet")
    for row in v.up.rows:
        if row["day"] == TODAY and row["project"] == "proj_a":
            row["amount"] = SPIKE
    refresh(v)
    wait_until("row 46: an event", 20, lambda: v.call("costAlerts.getEvents", dollars, {}).fine("row 46")["cost_alert_events"])
    events = v.call("costAlerts.getEvents", dollars, {}).fine("row 46")["cost_alert_events"]
    equal(len(events), 1, "row 46: once")
    equal(set(events[0]), {"token", "created_at", "triggered_at", "description", "alert_type", "metadata", "report_token", "alert_token"}, "row 46: keys")
    change = D(SPIKE) - usual(TODAY - 1)
    equal((events[0]["metadata"]["groupings"], D(events[0]["metadata"]["change_in_cost"]), events[0]["alert_type"]),
          (["Chat and Completions"], change, "change_in_cost"), "row 46: what has changed")
    equal(v.call("costAlerts.get", dollars, events[0]["token"]).fine("row 47"), events[0], "row 47: one event")
    equal(v.request(f"/v2/cost_alerts/{dollars}").fine("row 47")["token"], dollars, "row 47: the alert")
    v.call("costAlerts.get", dollars, "cstm_alrt_evnt_0000000000000000").refused("row 47", 404, "event")
    found = v.call("anomalyAlerts.list", {"cost_report_token": v.report}).fine("row 48")["anomaly_alerts"]
    equal(len(found), 1, "row 48: found once")
    one = found[0]
    equal(set(one), {"token", "created_at", "alerted_at", "category", "service", "provider", "amount", "previous_amount", "seven_day_average",
                     "status", "feedback", "resources", "resource_tokens", "cost_report_token"}, "row 48: keys")
    average = sum(usual(day) for day in range(TODAY - 7, TODAY)) / 7
    check(abs(D(one["seven_day_average"]) - average) < D("1e-11"), f"row 48: {one['seven_day_average']} instead of {average}")
    equal((D(one["amount"]), D(one["previous_amount"]), one["service"], one["category"], one["status"], one["resource_tokens"]),
          (D(SPIKE), usual(TODAY - 1), "Chat and Completions", "gpt-4o-2024-08-06", "active", ["key_1"]), "row 48: what it is")
    wait_until("row 49: the summary", 20, lambda: v.hook.of("anomaly_summary") and v.mail.to("odd@example.com"))
    equal(([a["token"] for a in v.hook.of("anomaly_summary")[0]["data"]["anomaly_alerts"]], v.mail.to("rich@example.com")),
          ([one["token"]], []), "row 49: by the threshold")
    wait_until("row 46: the mail", 20, lambda: v.mail.to("jump@example.com"))
    v.anomaly = one["token"]


def nothing_is_said_twice(v):
    before = (len(v.hook.got), len(v.mail.mails))
    for _ in range(2):
        refresh(v)
    v.gw.stop(signal.SIGKILL)
    v.gw.start()
    refresh(v)
    equal((len(v.hook.got), len(v.mail.mails)), before, "messages")
    equal(int(v.gw.metrics()["tollgate_watch_failures_total"]), 0, "everything could be looked at")
    check(not re.search(" (report_not_asked|alert_not_evaluated|alert_not_sent|watch_store_failed) ", v.gw.log_text()), "the log")
    equal(len(v.call("anomalyAlerts.list", {"cost_report_token": v.report}).fine("again")["anomaly_alerts"]), 1, "anomalies")


def row_48_a_person_decides(v):
    changed = v.call("anomalyAlerts.update", v.anomaly, {"status": "ignored", "feedback": "a load test"}).fine("row 48")
    equal((changed["status"], changed["feedback"]), ("ignored", "a load test"), "row 48: ignored")
    equal(v.call("anomalyAlerts.get", v.anomaly).fine("row 48"), changed, "row 48: read")
    v.call("anomalyAlerts.update", v.anomaly, {"status": "gone"}).refused("row 48", 400, "status must be one of")
    v.call("anomalyAlerts.get", "anmly_alrt_0000000000000000").refused("row 48", 404)
    reader = v.gw.cli("key", "create", "--name", "reader", "--role", "viewer").stdout.strip()
    v.call("anomalyAlerts.update", v.anomaly, {"status": "active"}, token=reader).refused("row 48", 403)
    listed = v.call("anomalyAlerts.list", {"service": "Embeddings"}, token=reader).fine("row 48")["anomaly_alerts"]
    equal(listed, [], "row 48: by service")
    span = {"start_date": day_text(TODAY - 3), "end_date": day_text(TODAY - 1)}
    equal(v.call("anomalyAlerts.list", span).fine("row 48")["anomaly_alerts"], [], "row 48: by date")


def row_80_a_model_without_a_price(v):
    upstream = Upstream(lambda request: request.answer(completion("nobody-knows-me-1")))
    v.gw.connect(upstream.url)
    for _ in range(3):
        status, headers, _ = v.gw.post("/v1/chat/completions", chat("nobody-knows-me-1"))
        equal((status, headers["x-tollgate-cost-usd"]), (200, "unpriced"), "row 80: not a quiet 0")
    wait_until("row 80: recorded", 20, lambda: v.gw.rows(model="nobody-knows-me-1"))
    before = len(v.mail.to("ann@example.com"))
    refresh(v)
    wait_until("row 80: who looks after it has mail", 20, lambda: len(v.mail.to("ann@example.com")) > before)
    check("nobody-knows-me-1" in v.mail.to("ann@example.com")[-1], "row 80: which model")
    refresh(v)
    equal((len(v.mail.to("ann@example.com")), v.gw.log_text().count("model_has_no_price")), (before + 1, 1), "row 80: once")


def row_39_a_forecast(v):
    span = {"start_date": day_text(TODAY + 1), "end_date": day_text(TODAY + 14)}
    answer = v.call("costReports.getForecastedCosts", v.report, {**span, "limit": 1000}).fine("row 39")
    rows = answer["forecasted_costs"]
    equal((answer["currency"], len(rows)), ("USD", 14 * 3), "row 39: a row a day for all, and one a service")
    equal(sorted({(r["provider"], r["service"]) for r in rows}),
          [("all", "all"), ("open_ai", "Chat and Completions"), ("open_ai", "Embeddings")], "row 39: provider and service")
    for n in range(14):
        day = rows[3 * n:3 * n + 3]
        equal((day[0]["service"], len({r["date"] for r in day}), day[0]["date"]), ("all", 1, day_text(TODAY + 1 + n) + "T00:00:00Z"), "row 39: dates")
        check(abs(D(day[0]["amount"]) - D(day[1]["amount"]) - D(day[2]["amount"])) <= D("0.000002"), f"row 39: sum {day}")
        check(D(day[0]["lower"]) <= D(day[0]["amount"]) <= D(day[0]["upper"]), f"row 39: band {day[0]}")
        check(D("5") == D(day[2]["amount"]) and 15 < D(day[1]["amount"]) < 30, f"row 39: amounts {day}")
    only = v.call("costReports.getForecastedCosts", v.report, {**span, "provider": "all"}).fine("row 39")["forecasted_costs"]
    equal({r["service"] for r in only}, {"all"}, "row 39: all")
    ahead = v.call("costReports.create", {"title": "Next", "filter": ALL, "date_interval": "next_month"}).fine("row 39")
    rows = v.call("costReports.getForecastedCosts", ahead["token"], {"service": "all", "limit": 40}).fine("row 39")["forecasted_costs"]
    equal((rows[0]["date"][:10], rows[-1]["date"][:10]), (ahead["start_date"], ahead["end_date"]), "row 39: the report's own days")
    lines = v.gw.cli("report", "--forecast", "7", "--filter", ALL + " AND costs.service = 'Embeddings'").stdout.splitlines()
    equal((len(lines), lines[1].split()[0], D(lines[1].split()[1]), D(lines[-1].split()[1])), (9, day_text(TODAY), D(5), D(35)), "row 39: on the command line")
    v.call("costReports.getForecastedCosts", v.report, {"start_date": day_text(TODAY + 9), "end_date": day_text(TODAY)}).refused("row 39", 400, "start_date")
    v.call("costReports.getForecastedCosts", "rprt_0000000000000000", {}).refused("row 39", 404)


if __name__ == "__main__":
    mail = Mailbox()
    v = Vantage(args=["--import-period", "1ms", "--smtp-url", f"smtp://127.0.0.1:{mail.server_address[1]}", "--smtp-plain", "on",
                      "--mail-from", "tollgate@example.com", "--public-url", "https://tollgate.example.com"])
    v.up, v.hook, v.mail = BillUpstream(bill()), Hook(), mail
    tests = [connected, channels_are_named_not_addressed, row_45_a_budget_alert, rows_46_to_49_a_spike, nothing_is_said_twice, row_48_a_person_decides, row_80_a_model_without_a_price,
             row_39_a_forecast]

    def bound(test):
        def call():
            test(v)
        call.__name__ = test.__name__
        return call

    with v:
        run(*map(bound, tests))
