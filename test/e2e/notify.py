#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Messages to people, with a real mail server (TLS, sign-in) and receivers that fail on cue: what is put in arrives once, whatever
happens to the server, the receiver and the gateway, and none of it holds up a call.
"""

import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import json
import logging
import os
import re
import signal
import socket
import ssl
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from bill_upstream import BillUpstream, today
from certs import Authority
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, completion, equal, free_port, run, wait_until

T = "/tollgate/v1"
PUBLIC = "https://gateway.example.com"
PASSWORD = "pass word ä:@/"
FROM = '"Tollgate, Ünit" <gate@example.com>'


class Mails:
    """A mail server. `refuse` maps a receiver to the answers that it gets first; `said` are the commands it was given."""

    def __init__(self, authority, port=None, mode="starttls", user="postmaster@example.com", mechanisms=("PLAIN", "LOGIN"), refuse=None):
        self.port = port or free_port()
        self.mails, self.refuse, self.logins = [], dict(refuse or {}), []
        owner = self

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                answers = owner.refuse.get(address)
                if answers:
                    return answers.pop(0)
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server, session, envelope):
                message = email.message_from_bytes(envelope.content, policy=email.policy.default)
                message.raw, message.sender, message.receivers = envelope.content, envelope.mail_from, list(envelope.rcpt_tos)
                message.host, message.tls = session.host_name, server.transport.get_extra_info("sslcontext") is not None
                owner.mails.append(message)
                return "250 taken"

        def authenticate(server, session, envelope, mechanism, data):
            given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
            owner.logins.append((mechanism, given))
            right = given == (user, PASSWORD)
            return AuthResult(success=right, handled=right)  # not handled: the server itself says 535

        context = None
        if mode != "plain":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority.issue("mail", alt="DNS:localhost"))
        signs_in = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": mode != "plain",
                    "auth_exclude_mechanism": [m for m in ("PLAIN", "LOGIN") if m not in mechanisms]} if user else {}
        if mode == "starttls":
            signs_in |= {"tls_context": context, "require_starttls": True}
        elif mode == "smtps":
            signs_in |= {"auth_require_tls": False}
        self.controller = Controller(Handler(), hostname="127.0.0.1", port=self.port, ready_timeout=10,
                                     ssl_context=context if mode == "smtps" else None, **signs_in)
        self.controller.start()

    def to(self, address):
        return [m for m in self.mails if m.receivers == [address]]

    def wait(self, address, count=1, seconds=20):
        return wait_until(f"{count} mails to {address}", seconds, lambda: len(self.to(address)) >= count and self.to(address))

    def stop(self):
        with contextlib.suppress(Exception):
            self.controller.stop()


class Receiver:
    """An incoming webhook: `answers` are statuses, or (status, headers), to give first; None hangs up, a float waits first."""

    def __init__(self, answers=()):
        self.answers, self.seen = list(answers), []
        self.upstream = Upstream(self.serve)

    def serve(self, request):
        self.seen.append((time.time(), request))
        answer = self.answers.pop(0) if self.answers else 200
        if answer is None:
            return "close"
        if isinstance(answer, float):
            time.sleep(answer)
            return "close"
        status, fields = answer if isinstance(answer, tuple) else (answer, "")
        request.answer(b"ok", status=f"{status} Said", fields=fields)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.upstream.port}/services/T000/B000/secret-of-the-channel?sig=abcd"

    def close(self):
        self.upstream.close()


def options(authority, port, scheme="smtp", user="postmaster%40example.com@", more=()):
    return ["--smtp-url", f"{scheme}://{user}localhost:{port}", "--mail-from", FROM, "--public-url", PUBLIC + "/",
            "--ca-file", authority.cert, "--notify-retry", "300ms", *more]


def ask(gw, method, path, body=None, expect=None, key=ADMIN_KEY):
    status, _, text = gw.request(method, path, body, key=key)
    if expect is not None:
        check(status == expect, f"{method} {path}: {status} instead of {expect}: {text[:300]}")
    return json.loads(text) if text else None


def rows(gw):
    return ask(gw, "GET", T + "/notifications", expect=200)["data"]


def link_in(message):
    return re.search(r"^https://\S+/#/\S+\s*$", message.get_content(), re.M).group().strip()


logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # what the mail server thinks of our mischief
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")
AUTHORITY = Authority()


def an_invitation_arrives_with_its_link():
    mails = Mails(AUTHORITY)
    with Gateway(args=options(AUTHORITY, mails.port), env={"TOLLGATE_SMTP_PASSWORD": PASSWORD}) as gw:
        made = ask(gw, "POST", T + "/invitations", {"email": "Ann@example.com", "role": "member"}, expect=201)
        check(made["mailed"] is True and made["secret"].startswith("ti-"), f"the answer {made}")
        mail = mails.wait("ann@example.com")[0]
        equal((mail.sender, mail["To"], mail.tls, mail.host), ("gate@example.com", "ann@example.com", True, "gateway.example.com"), "the envelope")
        equal(mail["From"].addresses[0].display_name, "Tollgate, Ünit", "the sender's name")
        check("invites you to the workspace default" in mail["Subject"], mail["Subject"])
        equal(link_in(mail), f"{PUBLIC}/console/#/invitation/{made['secret']}", "the link")
        check(abs(mail["Date"].datetime.timestamp() - time.time()) < 60, mail["Date"])
        equal((mail["Auto-Submitted"], mail["X-Tollgate-Kind"]), ("auto-generated", "invitation"), "marks")
        check(mail["Message-ID"].endswith("@example.com>"), mail["Message-ID"])
        check(all(len(line) <= 78 for line in mail.raw.split(b"\r\n")), "no line is longer than 78 bytes")
        ask(gw, "POST", T + "/invitations/accept", {"secret": link_in(mail).rsplit("/", 1)[1], "name": "Ann"}, expect=200, key=None)
        # Portkey's routes, and resending: a new link, the old one is good no more
        made = ask(gw, "POST", "/v1/admin/users/invites", {"email": "bob@example.com", "role": "member",
                                                          "workspaces": [{"id": "default", "role": "member"}]}, expect=200)
        first = mails.wait("bob@example.com")[0]
        equal(link_in(first), made["invite_link"], "the link of Portkey's answer")
        again = ask(gw, "POST", f"/v1/admin/users/invites/{made['id']}/resend", {}, expect=200)
        second = mails.wait("bob@example.com", 2)[1]
        equal(link_in(second), again["inviteLink"], "the new link")
        check(first["Message-ID"] != second["Message-ID"], "they are two messages")
        wait_until("all are marked", 10, lambda: all(r["state"] == "sent" for r in rows(gw)))
        metrics = gw.metrics()
        equal((metrics['tollgate_notify_sent_total{channel="mail"}'], metrics['tollgate_notify_waiting{channel="mail"}']), (3, 0), "metrics")
        everything = b"".join(open(os.path.join(gw.dir, f), "rb").read() for f in os.listdir(gw.dir) if f.startswith("notify.db") or f == "serve.log")
        check(made["invite_link"].rsplit("/", 1)[1].encode() not in everything and PASSWORD.encode() not in everything, "no secret is in files")
    equal([len(mails.to(a)) for a in ("ann@example.com", "bob@example.com")], [1, 2], "each once")
    mails.stop()


def a_dead_mail_server_delays_and_a_kill_loses_nothing():
    port = free_port()
    with Gateway(args=options(AUTHORITY, port), env={"TOLLGATE_SMTP_PASSWORD": PASSWORD}) as gw:
        begun = time.monotonic()
        for i in range(20):
            made = ask(gw, "POST", T + "/invitations", {"email": f"p{i}@example.com"}, expect=201)
            check(made["mailed"], "it is in the outbox")
        took = time.monotonic() - begun
        check(took < 5, f"twenty calls took {took:.1f} s")
        wait_until("a try has failed", 10, lambda: any(r["tries"] for r in rows(gw)))
        check(any("refused" in (r["reason"] or "") for r in rows(gw)), f"reasons {[r['reason'] for r in rows(gw)][:3]}")
        gw.stop(signal.SIGKILL)
        mails = Mails(AUTHORITY, port=port)
        gw.start()
        for i in range(20):
            mails.wait(f"p{i}@example.com")
        time.sleep(1)
        equal(sorted(len(mails.to(f"p{i}@example.com")) for i in range(20)), [1] * 20, "each once")
        equal(len(mails.logins), 1, "over one connection")
        # killed amid a row of messages: at least once, and the same id when twice
        for i in range(30):
            ask(gw, "POST", T + "/invitations", {"email": f"q{i}@example.com"}, expect=201)
        gw.stop(signal.SIGKILL)
        gw.start()
        for i in range(30):
            found = mails.wait(f"q{i}@example.com")
            equal(len({m["Message-ID"] for m in found}), 1, "one id")
        doubles = sum(len(mails.to(f"q{i}@example.com")) for i in range(30)) - 30
        check(doubles <= 1, f"{doubles} came twice")
        mails.stop()


def refusals_of_a_mail_server_are_told():
    mails = Mails(AUTHORITY, mechanisms=("LOGIN",),
                  refuse={"nobody@example.com": ["550 5.1.1 no such user"] * 3, "later@example.com": ["451 4.7.1 greylisted"]})
    with Gateway(args=options(AUTHORITY, mails.port), env={"TOLLGATE_SMTP_PASSWORD": PASSWORD}) as gw:
        ask(gw, "POST", T + "/invitations", {"email": "nobody@example.com"}, expect=201)
        ask(gw, "POST", T + "/invitations", {"email": "later@example.com"}, expect=201)
        mails.wait("later@example.com")
        wait_until("both are settled", 10, lambda: {r["state"] for r in rows(gw)} == {"sent", "given_up"})
        refused = next(r for r in rows(gw) if r["to"] == "nobody@example.com")
        equal((refused["state"], refused["tries"]), ("given_up", 1), "a receiver that is not there")
        check("550 5.1.1 no such user" in refused["reason"], refused["reason"])
        check("message_given_up" in gw.log_text(), "it is in the log")
        equal(mails.logins[0][0], "LOGIN", "the one way there is")
        done = gw.cli("notify", "test", "--to", "test@example.com")
        check("sent to test@example.com" in done.stdout, done.stdout)
        done = gw.cli("notify", "test", "--to", "nobody@example.com", check=False)
        check(done.returncode == 1 and "550 5.1.1" in done.stderr, done.stderr)
        done = gw.cli("notify", "test", "--to", "no@address@example.com", check=False)
        check(done.returncode == 4, done.stderr)
        gw.stop()
        for env, args, words in (
                ({"TOLLGATE_SMTP_PASSWORD": "wrong"}, options(AUTHORITY, mails.port), "refused the sign-in: 535"),
                ({"TOLLGATE_SMTP_PASSWORD": PASSWORD}, options(AUTHORITY, mails.port, scheme="smtps"), "localhost:"),
                ({"TOLLGATE_SMTP_PASSWORD": PASSWORD}, options(Authority("another"), mails.port), "certificate"),
                ({"TOLLGATE_SMTP_PASSWORD": PASSWORD}, options(AUTHORITY, free_port()), "refused")):
            gw.env, gw.args = env, args
            gw.start()
            before = len(mails.mails)
            answer = ask(gw, "POST", T + "/notifications/test", {"to": "test@example.com"}, expect=200)
            check(answer["sent"] is False and words in answer["error"], f"{words!r}: {answer}")
            equal(len(mails.mails), before, "nothing arrived")
            gw.stop()
    mails.stop()


def ways_to_a_mail_server():
    for mode, scheme in (("smtps", "smtps"), ("starttls", "smtp"), ("plain", "smtp")):
        mails = Mails(AUTHORITY, mode=mode)
        file = os.path.join(AUTHORITY.dir, "password")
        with open(file, "w") as f:
            f.write(PASSWORD + "\n")
        more = ["--smtp-password-file", file] + (["--smtp-plain", "on"] if mode == "plain" else [])
        with Gateway(args=options(AUTHORITY, mails.port, scheme=scheme, more=more)) as gw:
            answer = ask(gw, "POST", T + "/notifications/test", {"to": "test@example.com"}, expect=200)
            equal(answer, {"sent": True, "error": None}, mode)
            equal(mails.to("test@example.com")[0].tls, mode != "plain", f"{mode}: TLS")
            if mode == "plain":  # a server without STARTTLS gets nothing unless that was said
                gw.stop()
                gw.args = options(AUTHORITY, mails.port, more=more[:2])
                gw.start()
                answer = ask(gw, "POST", T + "/notifications/test", {"to": "test@example.com"}, expect=200)
                check("STARTTLS" in answer["error"] and len(mails.mails) == 1 and len(mails.logins) == 1, f"without TLS: {answer}")
        mails.stop()
    with Gateway() as gw:  # no mail server
        made = ask(gw, "POST", T + "/invitations", {"email": "ann@example.com"}, expect=201)
        check(made["mailed"] is False and made["link"].endswith("/console/#/invitation/" + made["secret"]), f"the answer {made}")
        answer = ask(gw, "POST", T + "/notifications/test", {"to": "ann@example.com"}, expect=400)
        check("--smtp-url" in answer["error"]["message"], f"{answer}")


def bad_options_end_the_start():
    for args, words in ((["--smtp-url", "smtp://mail.example.com"], "--mail-from"),
                        (["--smtp-url", "smtp://mail.example.com", "--mail-from", "a@example.com"], "--public-url"),
                        (["--smtp-url", "smtp://u:secret@mail.example.com", "--mail-from", "a@example.com", "--public-url", PUBLIC], "TOLLGATE_SMTP_PASSWORD"),
                        (["--smtp-url", "smtp://u@mail.example.com", "--mail-from", "a@example.com", "--public-url", PUBLIC], "TOLLGATE_SMTP_PASSWORD"),
                        (["--smtp-url", "http://mail.example.com", "--mail-from", "a@example.com", "--public-url", PUBLIC], "smtp://"),
                        (["--smtp-url", "smtp://mail.example.com", "--mail-from", "a@example.com\r\nBcc: x@example.com", "--public-url", PUBLIC], "--mail-from"),
                        (["--smtp-url", "smtp://mail.example.com", "--mail-from", "a@example.com", "--public-url", PUBLIC, "--smtp-plain", "on"], "loopback")):
        try:
            gw = Gateway(args=args)
            gw.stop()
            raise RuntimeError(f"it started with {args}")
        except AssertionError as error:
            check(words in str(error) and "secret" not in str(error), f"{args}: {error}")


def a_damaged_outbox_stops_no_request():
    up = Upstream(lambda request: request.answer(completion()))
    with Gateway(up.url, args=options(AUTHORITY, free_port()), env={"TOLLGATE_SMTP_PASSWORD": PASSWORD}) as gw:
        gw.stop()
        for suffix in ("-wal", "-shm"):
            if os.path.exists(f"{gw.dir}/notify.db{suffix}"):
                os.unlink(f"{gw.dir}/notify.db{suffix}")
        with open(f"{gw.dir}/notify.db", "wb") as f:
            f.write(b"no database" * 1000)
        gw.start()
        equal(gw.post("/v1/chat/completions", chat())[0], 200, "a request")
        check("notify_unavailable" in gw.log_text(), "the log says so")
        check(ask(gw, "POST", T + "/invitations", {"email": "ann@example.com"}, expect=201)["mailed"] is False, "nothing is mailed")
        equal(rows(gw), [], "the list")
        ask(gw, "POST", T + "/notifications/test", {"to": "ann@example.com"}, expect=400)
        gw.metrics()
    up.close()


def a_budget_tells_at_its_threshold_once():
    mails = Mails(AUTHORITY)
    up = Upstream(lambda request: request.answer(completion(model="gpt-4o", prompt=20000, output=20000)))  # 25 cents each
    with Gateway(up.url, args=options(AUTHORITY, mails.port), env={"TOLLGATE_SMTP_PASSWORD": PASSWORD}) as gw:
        ask(gw, "POST", T + "/members", {"email": "boss@example.com", "role": "admin"}, expect=201)
        limits = {"credit_limit": 2, "alert_threshold": 0.5, "periodic_reset": "monthly"}
        made = ask(gw, "POST", "/v1/api-keys/workspace/service", {
            "name": "search team", "workspace_id": "default", "scopes": ["completions.write"], "usage_limits": limits,
            "alert_emails": ["one@example.com", "two@example.com"]})
        other = ask(gw, "POST", "/v1/api-keys/workspace/service", {
            "name": "nobody is named", "workspace_id": "default", "scopes": ["completions.write"], "usage_limits": limits})

        def spend(key):
            headers = {"x-portkey-api-key": key, "x-portkey-provider": "@openai"}
            equal(gw.request("POST", "/v1/chat/completions", chat("gpt-4o", max_tokens=20000), headers, key=None)[0], 200, "asking")

        spend(made["key"])
        time.sleep(0.5)
        equal(len(mails.mails), 0, "below the threshold")
        for _ in range(3):
            spend(made["key"])
        for address in ("one@example.com", "two@example.com"):
            mail = mails.wait(address)[0]
            text = mail.get_content()
            equal(mail["Subject"], "25 % of the budget of the key search team is used", "the subject")
            for words in ("the workspace default", "Used:      $0.50", "Alert at:  $0.50", "Budget:    $2.00", "Requests that would pass the budget are refused."):
                check(words in text, f"{words!r} in {text}")
            check("Group:" not in text, "a line without a value is left out")
        for _ in range(2):
            spend(other["key"])
        mails.wait("boss@example.com")
        gw.stop(signal.SIGKILL)  # it counts on, and knows whom it has told
        gw.start()
        wait_until("counted again", 20, lambda: "limits_rebuilt" in gw.log_text().rsplit("serving", 1)[0])
        spend(made["key"])
        time.sleep(1)
        equal([len(mails.to(a)) for a in ("one@example.com", "two@example.com", "boss@example.com")], [1, 1, 1], "each once")
    up.close()
    mails.stop()


def slack_teams_and_signed_webhooks():
    slack, teams, hook = Receiver(), Receiver([202]), Receiver()
    with Gateway(args=["--notify-retry", "200ms"]) as gw:
        shown = ask(gw, "PUT", T + "/channels/FinOps", {"kind": "slack", "url": slack.url}, expect=200)
        equal((shown["name"], shown["kind"], shown["url"]), ("finops", "slack", "127.0.0.1 …abcd"), "what is shown")
        check("signing_key" not in shown, "Slack's are not signed")
        ask(gw, "PUT", T + "/channels/ops", {"kind": "teams", "url": teams.url}, expect=200)
        key = ask(gw, "PUT", T + "/channels/audit-hook", {"kind": "webhook", "url": hook.url}, expect=200)["signing_key"]
        check(key.startswith("whsec_"), key)
        check("signing_key" not in ask(gw, "PUT", T + "/channels/audit-hook", {"kind": "webhook", "url": hook.url}, expect=200), "shown once")
        listed = ask(gw, "GET", T + "/channels", expect=200)["data"]
        equal([c["name"] for c in listed], ["audit-hook", "finops", "ops"], "the list")
        check("secret-of-the-channel" not in json.dumps(listed), "no URL is shown")
        for name in ("#finops", "ops", "audit-hook"):
            equal(ask(gw, "POST", T + "/notifications/test", {"to": name}, expect=200), {"sent": True, "error": None}, name)
        equal(set(slack.seen[0][1].json()), {"text"}, "Slack")
        check(slack.seen[0][1].json()["text"].startswith("*A test from Tollgate*\n"), slack.seen[0][1].body)
        card = teams.seen[0][1].json()["attachments"][0]
        equal((card["contentType"], card["content"]["type"]), ("application/vnd.microsoft.card.adaptive", "AdaptiveCard"), "Teams")
        request = hook.seen[0][1]
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        mac = base64.b64encode(hmac.new(base64.b64decode(key[6:]), signed, hashlib.sha256).digest()).decode()
        equal(request.headers["webhook-signature"], "v1," + mac, "the signature")
        equal(request.headers["idempotency-key"], request.json()["id"], "the id")
        check(abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60, "the time")
        equal((request.json()["type"], request.json()["data"]), ("test", {}), "the payload")
        slack.answers = [(404, "")]
        answer = ask(gw, "POST", T + "/notifications/test", {"to": "finops"}, expect=200)
        check("status 404" in answer["error"], f"{answer}")
        for bad in ("http://10.1.2.3/x", "http://169.254.169.254/latest/meta-data/", "http://[::1]:80/", "http://0.0.0.0/"):
            ask(gw, "PUT", T + "/channels/bad", {"kind": "webhook", "url": bad}, expect=200)
            answer = ask(gw, "POST", T + "/notifications/test", {"to": "bad"}, expect=200)
            check(answer["sent"] is False and ("not allowed" in answer["error"] or "refused" in answer["error"] or "allow-upstream" in answer["error"]), f"{bad}: {answer}")
        for bad in ("ftp://example.com/", "http://user:pw@example.com/", "https://exa mple.com/", "", "https://example.com/a\r\nX: y"):
            ask(gw, "PUT", T + "/channels/bad", {"kind": "webhook", "url": bad}, expect=400)
        ask(gw, "PUT", T + "/channels/" + "x" * 81, {"kind": "slack", "url": slack.url}, expect=400)
        ask(gw, "DELETE", T + "/channels/finops", expect=204)
        ask(gw, "DELETE", T + "/channels/finops", expect=404)
        ask(gw, "POST", T + "/notifications/test", {"to": "finops"}, expect=404)
        member = gw.cli("key", "create", "--name", "m", "--role", "member").stdout.strip()
        ask(gw, "GET", T + "/channels", key=member, expect=403)
        files = b"".join(open(os.path.join(gw.dir, f), "rb").read() for f in os.listdir(gw.dir) if os.path.isfile(os.path.join(gw.dir, f)))
        check(b"secret-of-the-channel" not in files and key[6:].encode() not in files, "nothing is stored in the clear")
    for r in (slack, teams, hook):
        r.close()


def imports_tell_admins():
    mails = Mails(AUTHORITY)
    up = BillUpstream([{"day": today() - 1, "project": "proj_1", "item": "gpt-4o, input", "amount": "1.5"}])
    with Gateway(args=options(AUTHORITY, mails.port, more=["--import-days", "2", "--import-period", "1ms"]),
                 env={"TOLLGATE_SMTP_PASSWORD": PASSWORD}) as gw:
        ask(gw, "POST", T + "/members", {"email": "boss@example.com", "role": "admin"}, expect=201)
        gw.cli("connect", "openai-admin", "--slug", "bill", "--api-key-env", "K", "--base-url", up.url, env={"K": "sk-admin-good-0123456789"})
        mail = mails.wait("boss@example.com", seconds=40)[0]
        equal(mail["Subject"], "The import of OpenAI's bill for bill is complete", "the subject")
        up.status = "401 Unauthorized"
        for _ in range(2):  # it goes on failing, and is told once
            gw.cli("import", check=False)
        mail = mails.wait("boss@example.com", 2)[1]
        equal(mail["Subject"], "The import of OpenAI's bill for bill fails", "the subject")
        check("401" in mail.get_content(), mail.get_content())
        time.sleep(0.5)
        equal(len(mails.to("boss@example.com")), 2, "told once")
        up.close()
    mails.stop()


def who_does_not_answer_is_not_waited_for_often():
    """All calls of the console wait while one waits for somebody outside, so a workspace does so three times a minute."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(50)
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
    with Gateway() as gw:
        ask(gw, "PUT", T + "/channels/silent", {"kind": "webhook", "url": url}, expect=200)
        began = time.monotonic()
        for i in range(3):
            ask(gw, "POST", T + "/integrations", {"kind": "openai-admin", "slug": f"a{i}", "base_url": url, "api_key": "sk-admin-x"}, expect=201)
        check(time.monotonic() - began < 12, "each waits some seconds at most")
        began = time.monotonic()
        for path, body in (("/integrations", {"kind": "openai-admin", "slug": "b", "base_url": url, "api_key": "sk-admin-x"}),
                           ("/notifications/test", {"to": "silent"})):
            answer = ask(gw, "POST", T + path, body, expect=429)
            check("minute" in answer["error"]["message"], f"says what to do: {answer}")
        check(time.monotonic() - began < 1, "nobody waits")
    silent.close()


if __name__ == "__main__":
    run(an_invitation_arrives_with_its_link,
        a_dead_mail_server_delays_and_a_kill_loses_nothing,
        refusals_of_a_mail_server_are_told,
        ways_to_a_mail_server,
        bad_options_end_the_start,
        a_damaged_outbox_stops_no_request,
        a_budget_tells_at_its_threshold_once,
        slack_teams_and_signed_webhooks,
        imports_tell_admins,
        who_does_not_answer_is_not_waited_for_often)
