#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Signing in at a real provider of OpenID Connect that runs here (npm's oidc-provider), as a browser does it: with cookies,
forms and redirects. Then what goes wrong: foreign answers, old ones, other people, other keys, no provider.
"""

import html
import http.client
import json
import os
import pathlib
import re
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from certs import Authority
from harness import ADMIN_KEY, Gateway, Upstream, binary, check, equal, free_port, run, wait_until

T = "/tollgate/v1"
START = T + "/sign-in/oidc"
SECRET = "a secret: with + and / and % signs"
PROVIDER = pathlib.Path(__file__).resolve().parent / "sdk" / "oidc_provider.mjs"
# RFC 7515, A.3
RFC_KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}
RFC_TOKEN = ("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
             "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
ANN = {"email": "ann@example.com", "email_verified": True, "name": "Ann"}


class Provider:
    def __init__(self, gateway_url, secret=SECRET, auth="client_secret_basic", certificate=None, port=None):
        self.port = port or free_port()
        self.settings = {"host": "127.0.0.1", "port": self.port, "secret": secret, "auth": auth,
                         "redirect_uri": gateway_url + START + "/callback"}
        if certificate:
            self.settings["cert"], self.settings["key"] = certificate
        self.issuer = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(["node", str(PROVIDER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        self.process.stdin.write(json.dumps(self.settings) + "\n")
        self.process.stdin.flush()
        equal(json.loads(self.process.stdout.readline())["issuer"], self.issuer, "the provider's name")

    def control(self, **change):
        status, _, body = fetch("POST", self.issuer + "/control", json.dumps(change).encode())
        equal(status, 200, "control of the provider")
        return json.loads(body)

    def accounts(self, **accounts):
        self.control(accounts=accounts)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


def fetch(method, url, body=None, headers=None):
    """(status, header pairs, body); nothing is followed."""
    at = urllib.parse.urlsplit(url)
    if at.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        c = http.client.HTTPSConnection(at.hostname, at.port, timeout=20, context=context)
    else:
        c = http.client.HTTPConnection(at.hostname, at.port, timeout=20)
    try:
        c.request(method, at.path + ("?" + at.query if at.query else ""), body, headers or {})
        answer = c.getresponse()
        return answer.status, answer.getheaders(), answer.read().decode()
    finally:
        c.close()


class Browser:
    """Keeps cookies by origin and path, follows redirects, fills in the provider's forms. `stop_at` ends the way before a URL
    that begins so."""

    def __init__(self):
        self.cookies = {}
        self.url = self.status = self.body = None
        self.visited = []

    def cookie_header(self, url):
        at = urllib.parse.urlsplit(url)
        fit = [f"{name}={value}" for (origin, path, name), value in self.cookies.items() if origin == at.netloc and at.path.startswith(path)]
        return {"Cookie": "; ".join(fit)} if fit else {}

    def take(self, url, headers):
        at = urllib.parse.urlsplit(url)
        for name, value in headers:
            if name.lower() != "set-cookie":
                continue
            first, *attributes = [part.strip() for part in value.split(";")]
            key, _, text = first.partition("=")
            given = {a.partition("=")[0].lower(): a.partition("=")[2] for a in attributes}
            place = (at.netloc, given.get("path", "/"), key)
            gone = given.get("max-age") == "0" or given.get("expires", "").startswith("Thu, 01 Jan 1970")
            self.cookies.pop(place, None) if gone else self.cookies.update({place: text})

    def go(self, url, form=None, stop_at=None):
        for _ in range(12):
            if stop_at and url.startswith(stop_at):
                self.url = url
                return self
            self.visited.append(url)
            body = urllib.parse.urlencode(form).encode() if form else None
            send = dict(self.cookie_header(url), **({"Content-Type": "application/x-www-form-urlencoded"} if form else {}))
            self.status, self.headers, self.body = fetch("POST" if form else "GET", url, body, send)
            self.url, form = url, None
            self.take(url, self.headers)
            location = dict((k.lower(), v) for k, v in self.headers).get("location")
            if self.status not in (301, 302, 303) or not location:
                return self
            url = urllib.parse.urljoin(url, location)
        raise AssertionError("too many redirects: " + " ".join(self.visited[-4:]))

    def submit(self, fields, stop_at=None):
        found = re.search(r'<form[^>]*action="([^"]+)"', self.body)
        check(found, f"no form at {self.url}: {self.status} {self.body[:300]}")
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.body))
        return self.go(urllib.parse.urljoin(self.url, html.unescape(found.group(1))), {**hidden, **fields}, stop_at)

    def sign_in(self, gw, login, return_to=None, stop_at=None, tamper=None):
        """From the console's button to where it ends."""
        start = gw.url + START + ("?return_to=" + urllib.parse.quote(return_to, safe="") if return_to else "")
        if tamper:
            self.go(start, stop_at=tamper[0])
            start = tamper[1](self.url)
        self.go(start, stop_at=stop_at)
        if 'name="login"' in self.body and "/interaction/" in self.url:
            self.submit({"login": login, "password": "any"}, stop_at)
        if self.status == 200 and "/interaction/" in self.url:
            self.submit({}, stop_at)  # the consent
        return self

    def session(self, gw):
        return next((v for (origin, _, name), v in self.cookies.items() if name == "tollgate_session" and origin.endswith(str(gw.port))), None)

    def me(self, gw):
        status, _, body = fetch("GET", gw.url + T + "/session", headers=self.cookie_header(gw.url + "/"))
        return json.loads(body) if status == 200 else None

    def sentence(self):
        return html.unescape(re.sub(r"\s+", " ", re.search(r'role="alert">(.*?)</p>', self.body, re.S).group(1)))


class Served(Gateway):
    """A gateway on a port that was known before; without `allow` it may not reach loopback addresses."""

    def __init__(self, port, args, env, allow=True):
        self.dir, self.args, self.env, self.tls, self.cli_env, self.port, self.process = tempfile.mkdtemp(prefix="tollgate-data-"), args, env, None, {}, port, None
        if allow:
            self.start()
        else:
            self.log = open(os.path.join(self.dir, "serve.log"), "ab")
            self.process = subprocess.Popen([binary("tollgate"), "serve", "--listen", f"127.0.0.1:{port}", "--data", self.dir, *args],
                                            env=dict(os.environ, TOLLGATE_ADMIN_KEY=ADMIN_KEY, **env), stdout=self.log, stderr=self.log)
            wait_until("the gateway is ready", 20, self.ready)


class Bench:
    """A gateway that knows a provider; `more` are further options."""

    def __init__(self, *more, port=None, certificate=None, ca=None, secret=SECRET, auth="client_secret_basic"):
        gw_port = port or free_port()
        self.url = f"http://127.0.0.1:{gw_port}"
        self.provider = Provider(self.url, secret, auth, certificate)
        self.gw = Served(gw_port, ["--public-url", self.url, "--oidc-issuer", self.provider.issuer, "--oidc-client-id", "tollgate",
                                   "--oidc-name", "Example <ID>", *(["--ca-file", ca] if ca else []), *more],
                         {"TOLLGATE_OIDC_CLIENT_SECRET": secret} if secret else {})

    def __enter__(self):
        self.gw.__enter__()
        return self

    def __exit__(self, *what):
        self.provider.stop()
        return self.gw.__exit__(*what)

    def ask(self, method, path, body=None, key=ADMIN_KEY, expect=None, headers=None):
        status, _, text = self.gw.request(method, path, body, headers, key=key)
        check(expect is None or status == expect, f"{method} {path}: {status} instead of {expect}: {text[:300]}")
        return json.loads(text) if text[:1] in (b"{", b"[") else None

    def member(self, email, role="member", workspace="default", **more):
        made = self.ask("POST", T + "/members", {"email": email, "role": "member", **more}, expect=201)
        self.ask("PUT", T + f"/workspaces/{workspace}/members/{made['id']}", {"role": role}, expect=200)
        return made["id"]

    def refused(self, browser, status, words):
        equal(browser.status, status, f"{browser.url}: {browser.body[:500]}")
        check(words in browser.sentence(), f"{words!r} is not in {browser.sentence()!r}")
        check(browser.session(self.gw) is None, "a session was begun")
        check(not any(name == "tollgate_sign_in" for _, _, name in browser.cookies), "the ticket stays")

    def audit(self, action):
        return [r for r in self.ask("GET", T + "/audit?limit=500")["data"] if r["action"] == action]


# --- the way in -----------------------------------------------------------------------------------------

def a_member_signs_in_and_out():
    with Bench() as b:
        ann = b.member("Ann@Example.com")
        b.provider.accounts(ann=ANN)
        equal(b.ask("GET", T + "/sign-in", key=None), {"password": True, "oidc": {"name": "Example <ID>", "start": START}}, "ways")
        browser = Browser().sign_in(b.gw, "ann", return_to="/console/device?user_code=BCDF-GHJK")
        equal((browser.status, browser.url), (200, b.url + "/console/device?user_code=BCDF-GHJK"), "where it ends")
        asked = next(u for u in browser.visited if "/auth?" in u)
        sent = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked).query))
        equal((sent["response_type"], sent["code_challenge_method"], sent["scope"]), ("code", "S256", "openid email profile"), "asked")
        check(min(len(sent[k]) for k in ("state", "nonce", "code_challenge")) >= 43, f"not random enough: {sent}")
        me = browser.me(b.gw)
        equal((me["kind"], me["member"]["id"], me["workspaces"]), ("session", ann, [{"name": "default", "role": "member"}]), "who")
        equal(len(b.audit("identity.link")), 1, "links noted")
        check(not any(name == "tollgate_sign_in" for _, _, name in browser.cookies), "the ticket stays")
        # a second time, in another browser: known by subject, whatever the address says
        b.provider.accounts(ann={**ANN, "email": "other@example.com", "email_verified": False})
        second = Browser().sign_in(b.gw, "ann")
        equal(second.me(b.gw)["member"]["id"], ann, "the second sign-in")
        equal(len(b.audit("identity.link")), 1, "links noted")
        # session fixation: what the browser had before is not what it has after
        planted = Browser()
        planted.cookies[(f"127.0.0.1:{b.gw.port}", "/", "tollgate_session")] = "tu-" + "0" * 40
        planted.sign_in(b.gw, "ann")
        check(planted.session(b.gw) not in ("tu-" + "0" * 40, second.session(b.gw)), "the session was there before")
        status, _, _ = fetch("DELETE", b.url + T + "/session", headers=browser.cookie_header(b.url + "/"))
        equal((status, browser.me(b.gw)), (204, None), "signed out")
        check(second.me(b.gw), "another browser's session ended too")
        log = b.gw.log_text()
        for secret in (SECRET, urllib.parse.quote(SECRET), browser.session(b.gw) or "-never-", sent["state"], sent["nonce"]):
            check(secret not in log, "a secret is in the log")


def clients_of_every_kind():
    for secret, auth, alg, in_token in ((SECRET, "client_secret_post", "ES256", True), (None, None, "PS256", False)):
        with Bench(secret=secret, auth=auth) as b:
            b.member("ann@example.com")
            b.provider.control(alg=alg, id_token=in_token, accounts={"ann": ANN})
            check(Browser().sign_in(b.gw, "ann").me(b.gw), f"{auth} with {alg}")


def a_provider_with_tls_is_verified():
    authority = Authority()
    certificate = authority.issue("provider")
    with Bench(certificate=certificate, ca=authority.cert) as b:
        b.member("ann@example.com")
        b.provider.accounts(ann=ANN)
        check(Browser().sign_in(b.gw, "ann").me(b.gw), "with its authority")
    with Bench(certificate=certificate) as b:
        b.refused(Browser().go(b.url + START), 502, "certificate")


# --- who may --------------------------------------------------------------------------------------------

def strangers_are_told_whom_to_ask():
    with Bench() as b:
        b.provider.accounts(eve={"email": "eve@example.com", "email_verified": True, "name": "Eve"}, bare={"name": "No address"},
                            loose={"email": "ann@example.com", "email_verified": False}, ann=ANN, twin={**ANN, "name": "Twin"})
        b.refused(Browser().sign_in(b.gw, "eve"), 403, "eve@example.com is not a member here; ask an admin")
        ann = b.member("ann@example.com", password="three plain words")
        b.refused(Browser().sign_in(b.gw, "loose"), 403, "does not say that ann@example.com was verified")
        b.refused(Browser().sign_in(b.gw, "bare"), 403, "which e-mail address you have")
        check(Browser().sign_in(b.gw, "ann").me(b.gw), "Ann")
        b.refused(Browser().sign_in(b.gw, "twin"), 403, "belongs to another account")
        # invited: what is offered is accepted with the first sign-in
        b.ask("POST", T + "/invitations", {"email": "eve@example.com", "role": "viewer"}, expect=201)
        eve = Browser().sign_in(b.gw, "eve")
        equal(eve.me(b.gw)["workspaces"], [{"name": "default", "role": "viewer"}], "Eve")
        # removed: the session ends, and the provider does not bring it back
        ids = [m["id"] for m in b.ask("GET", T + "/members")["data"] if m["email"] == "eve@example.com"]
        b.ask("DELETE", T + f"/members/{ids[0]}", expect=204)
        equal(eve.me(b.gw), None, "a removed member's session")
        b.refused(Browser().sign_in(b.gw, "eve"), 403, "ask an admin")
        # an admin takes a link away: the twin is linked next
        links = b.ask("GET", T + f"/members/{ann}/identities", expect=200)["data"]
        equal([(i["issuer"], i["subject"], i["email"]) for i in links], [(b.provider.issuer, "ann", "ann@example.com")], "Ann's links")
        b.ask("GET", T + "/members/99/identities", expect=404)
        b.ask("DELETE", T + f"/members/{ann}/identities", expect=204)
        b.ask("DELETE", T + f"/members/{ann}/identities", expect=404)
        equal(Browser().sign_in(b.gw, "twin").me(b.gw)["member"]["id"], ann, "the twin")
        # a member of no workspace
        b.ask("DELETE", T + f"/workspaces/default/members/{ann}", expect=204)
        b.refused(Browser().sign_in(b.gw, "twin"), 403, "no workspace yet")


def people_join_where_the_operator_says_so():
    with Bench("--oidc-allowed-domain", "@Example.com", "--oidc-join", "default:viewer", "--password-sign-in", "off") as b:
        b.provider.accounts(ann=ANN, eve={"email": "eve@example.org", "email_verified": True}, sub={"email": "x@a.example.com", "email_verified": True})
        ann = Browser().sign_in(b.gw, "ann")
        equal(ann.me(b.gw)["workspaces"], [{"name": "default", "role": "viewer"}], "joined")
        b.refused(Browser().sign_in(b.gw, "eve"), 403, "Addresses of example.org may not sign in here")
        b.refused(Browser().sign_in(b.gw, "sub"), 403, "may not sign in here")
        made = b.audit("member.create")
        equal((len(made), len(b.audit("membership.create"))), (1, 1), f"noted {made}")
        b.ask("DELETE", T + f"/members/{ann.me(b.gw)['member']['id']}", expect=204)
        b.refused(Browser().sign_in(b.gw, "ann"), 403, "ask an admin")
        equal(b.ask("GET", T + "/sign-in", key=None)["password"], False, "ways")
        b.ask("POST", T + "/session", {"email": "ann@example.com", "password": "three plain words"}, key=None, expect=403)


def addresses_may_be_taken_on_trust():
    with Bench("--oidc-trust-email", "on") as b:
        b.member("ann@example.com")
        b.provider.accounts(ann={"email": "ann@example.com"}, denied={"email": "ann@example.com", "email_verified": False})
        b.refused(Browser().sign_in(b.gw, "denied"), 403, "does not say that ann@example.com was verified")
        check(Browser().sign_in(b.gw, "ann").me(b.gw), "on trust")
    with Bench() as b:
        b.member("ann@example.com")
        b.provider.accounts(ann={"email": "ann@example.com"})
        b.refused(Browser().sign_in(b.gw, "ann"), 403, "does not say that ann@example.com was verified")


# --- what attackers try -----------------------------------------------------------------------------------

def foreign_and_used_answers_are_refused():
    with Bench() as b:
        b.member("ann@example.com")
        b.provider.accounts(ann=ANN)
        callback = b.url + START + "/callback"
        # login CSRF: a good answer in a browser that did not ask
        attacker = Browser().sign_in(b.gw, "ann", stop_at=callback)
        good = attacker.url
        b.refused(Browser().go(good), 400, "not begun in this browser")
        # ... also when that browser has begun one of its own
        victim = Browser().go(b.url + START, stop_at=b.provider.issuer)
        check(any(name == "tollgate_sign_in" for _, _, name in victim.cookies), "no ticket")
        b.refused(victim.go(good), 400, "another sign-in")
        # another state, none, twice, and a ticket that was altered
        for change in (lambda u: re.sub(r"state=[^&]+", "state=" + "A" * 43, u), lambda u: re.sub(r"&?state=[^&]+", "", u)):
            b.refused(Browser().sign_in(b.gw, "ann", stop_at=callback).go(change(good)), 400, "another sign-in")
        bent = Browser().sign_in(b.gw, "ann", stop_at=callback)
        place = next(k for k in bent.cookies if k[2] == "tollgate_sign_in")
        value = bent.cookies[place]
        bent.cookies[place] = value[:40] + ("B" if value[40] == "A" else "A") + value[41:]
        b.refused(bent.go(bent.url), 400, "not begun in this browser")
        # the attacker's own use is fine once; then ticket and code are spent
        ticket = {k: v for k, v in attacker.cookies.items() if k[2] == "tollgate_sign_in"}
        check(attacker.go(good).me(b.gw), "the first use")
        again = Browser()
        again.cookies.update(ticket)
        b.refused(again.go(good), 400, "used already")
        # an old code under a new ticket: the provider refuses it
        fresh = Browser().sign_in(b.gw, "ann", stop_at=callback)
        state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(fresh.url).query))["state"]
        b.refused(fresh.go(re.sub(r"state=[^&]+", "state=" + state, good)), 403, "invalid_grant")
        # an answer of another provider, of none, and without a code
        for change, status, words in ((lambda u: re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fevil.example", u), 400, "another provider"),
                                      (lambda u: re.sub(r"&iss=[^&]+", "", u), 400, "another provider"),
                                      (lambda u: re.sub(r"code=[^&]+", "code=", u), 400, "has no code"),
                                      (lambda u: re.sub(r"code=[^&]+", "code=" + "x" * 40, u), 403, "invalid_grant"),
                                      (lambda u: re.sub(r"code=[^&]+", "error=access_denied&error_description=%3Cscript%3E", u), 403, "access_denied")):
            browser = Browser().sign_in(b.gw, "ann", stop_at=callback)
            b.refused(browser.go(change(browser.url)), status, words)
            check("<script>" not in browser.body, "what the provider said is not escaped")


def changed_requests_are_refused():
    with Bench() as b:
        b.member("ann@example.com")
        b.provider.accounts(ann=ANN)
        at = b.provider.issuer
        nonce = Browser().sign_in(b.gw, "ann", tamper=(at, lambda u: re.sub(r"nonce=[^&]+", "nonce=" + "n" * 43, u)))
        b.refused(nonce, 403, "belongs to another sign-in")
        other = Browser().sign_in(b.gw, "ann", tamper=(at, lambda u: re.sub(r"code_challenge=[^&]+", "code_challenge=" + "c" * 43, u)))
        b.refused(other, 403, "invalid_grant")
        none = Browser().sign_in(b.gw, "ann", tamper=(at, lambda u: re.sub(r"&code_challenge(_method)?=[^&]+", "", u)))
        b.refused(none, 403, "invalid_request")


def behind_tls_only_our_own_host_sets_the_ticket():
    with Bench() as b:
        b.member("ann@example.com")
        b.provider.accounts(ann=ANN)
        status, head, _ = fetch("GET", b.url + START, headers={"X-Forwarded-Proto": "https"})
        line = next(v for k, v in head if k.lower() == "set-cookie")
        check(status == 303 and line.startswith("__Host-tollgate_sign_in=") and "; Path=/;" in line and line.endswith("; Secure"), f"the ticket {line}")
        # what another host of the domain could have planted is not looked at
        attacker = Browser().sign_in(b.gw, "ann", stop_at=b.url + START + "/callback")
        planted = attacker.cookie_header(attacker.url)
        check("tollgate_sign_in=" in planted["Cookie"], f"no ticket {planted}")
        status, head, body = fetch("GET", attacker.url, headers={**planted, "X-Forwarded-Proto": "https"})
        check(status == 400 and "not begun in this browser" in body, f"a planted ticket counts: {status}")


def nobody_is_led_elsewhere():
    with Bench() as b:
        for path in ("https://evil.example/", "//evil.example/", "/\\evil.example", "/console//evil.example", "/console/\\evil", "/v1/models",
                     "console/", "/console", "/console/\r\nSet-Cookie: x=y", "javascript:alert(1)", "/console/" + "x" * 600, "/console/%00".replace("%00", "\x01")):
            browser = Browser().go(b.url + START + "?return_to=" + urllib.parse.quote(path, safe=""))
            equal((browser.status, dict(browser.headers).get("Location")), (400, None), f"return_to {path!r}")


# --- the provider ---------------------------------------------------------------------------------------

def keys_may_change():
    with Bench() as b:
        b.member("ann@example.com")
        b.provider.accounts(ann=ANN)
        check(Browser().sign_in(b.gw, "ann").me(b.gw), "with the first keys")
        b.provider.control()
        check(Browser().sign_in(b.gw, "ann").me(b.gw), "again")
        equal([s for s in b.provider.control()["seen"] if "jwks" in s or "well-known" in s], [], "both documents are kept")
        b.provider.control(rotate=True)

        def with_new_keys():  # the set is not read more often than each five seconds
            browser = Browser().sign_in(b.gw, "ann")
            return browser.me(b.gw) or (check("no key of that name" in browser.sentence(), browser.sentence()) and None)
        wait_until("the new keys are read", 15, with_new_keys)
        equal([s for s in b.provider.control()["seen"] if "jwks" in s], ["GET /jwks"], "read once")


def without_a_provider_there_is_a_sentence():
    with Bench() as b:
        b.member("ann@example.com", password="three plain words")
        b.provider.accounts(ann=ANN)
        callback = b.url + START + "/callback"
        arrived = Browser().sign_in(b.gw, "ann", stop_at=callback)
        b.provider.stop()
        b.refused(arrived.go(arrived.url), 502, "cannot be reached")
        check("Try again" in arrived.body, "no way on")
        token = b.ask("POST", T + "/session", {"email": "ann@example.com", "password": "three plain words"}, key=None, expect=201)["token"]
        b.ask("GET", T + "/session", key=token, expect=200)
        b.provider.start()
        b.provider.accounts(ann=ANN)
        check(wait_until("it works again", 10, lambda: Browser().sign_in(b.gw, "ann").me(b.gw)), "after a while")
    with Bench() as b:
        b.provider.stop()
        b.refused(Browser().go(b.url + START), 502, "cannot be reached")


def strange_providers_do_no_harm():
    gw_port = free_port()
    public = f"http://127.0.0.1:{gw_port}"
    said = {}

    def serve(request):
        path = request.target.split("?")[0]
        answer = said[path](request) if callable(said.get(path)) else said.get(path, ("404 Not Found", {}))
        if answer:
            request.answer(answer[1], status=answer[0], fields="Location: https://elsewhere.example/\r\n" if answer[0][0] == "3" else "")

    up = Upstream(serve)
    at = f"http://127.0.0.1:{up.port}"
    document = {"issuer": at, "authorization_endpoint": at + "/auth?tenant=a", "token_endpoint": at + "/token", "jwks_uri": at + "/keys"}
    well_known = "/.well-known/openid-configuration"
    with Served(gw_port, ["--public-url", public, "--oidc-issuer", at, "--oidc-client-id", "tollgate"], {}) as gw:
        for answer, words in ((("200 OK", b"[]"), "no JSON object"), (("200 OK", b"<html>"), "no JSON object"), (("302 Found", {}), "status 302"),
                              (("500 Oops", document), "status 500"), (("200 OK", {**document, "issuer": [at]}), "calls itself"),
                              (("200 OK", {**document, "token_endpoint": "javascript:alert(1)"}), "token_endpoint"),
                              (("200 OK", {**document, "authorization_endpoint": at + "/auth\r\nSet-Cookie: a=b"}), "authorization_endpoint"),
                              (("200 OK", {**document, "jwks_uri": at}), "jwks_uri has no path"), (("200 OK", {**document, "jwks_uri": 7}), "jwks_uri is missing"),
                              (("200 OK", {**document, "code_challenge_methods_supported": ["plain"]}), "PKCE"),
                              (("200 OK", b" " * 300000), "too long"), (lambda request: request.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{") or request.connection.close(), "reached")):
            said[well_known] = answer
            browser = Browser().go(public + START)
            check(browser.status == 502 and words in browser.sentence(), f"{answer}: {browser.status} {browser.sentence()!r}")
        said[well_known] = ("200 OK", document)
        nonsense = ".".join(["eyJhbGciOiJub25lIn0", "e30", ""])
        for token, keys, status, words in ((("200 OK", b"hello"), {}, 502, "no ID token"), (("200 OK", {"id_token": 7}), {}, 502, "no ID token"),
                                           (("200 OK", b" " * 300000), {}, 502, "too long"), (("302 Found", {}), {}, 403, "did not accept"),
                                           (("400 Bad", {"error": "<b>", "error_description": "\x1b[31m\u202e"}), {}, 403, "<b>"),
                                           (("200 OK", {"id_token": nonsense}), ("200 OK", {"keys": []}), 502, "no key"),
                                           (("200 OK", {"id_token": nonsense}), ("503 No", {}), 502, "status 503"),
                                           (("200 OK", {"id_token": nonsense}), ("200 OK", RFC_KEYS), 403, "not signed with an algorithm"),
                                           (("200 OK", {"id_token": "x" * 100000}), None, 403, "no signed JSON Web Token"),
                                           (("200 OK", {"id_token": RFC_TOKEN}), None, 403, "another issuer"),
                                           (("200 OK", {"id_token": RFC_TOKEN[:-8] + "AAAAAAAA"}), None, 403, "signature is wrong")):
            said["/token"] = token
            if keys is not None:
                said["/keys"] = keys
            browser = Browser().go(public + START, stop_at=at + "/auth")
            sent = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.url).query))
            equal(sent["tenant"], "a", "the endpoint's own query")
            browser.go(public + START + "/callback?code=c&state=" + sent["state"])
            check(browser.status == status and words in browser.sentence(), f"{token}: {browser.status} {browser.sentence()!r}")
            check("<b>" not in browser.body, "what the provider said is not escaped")
        # endpoints of the document are dialled like every other address
        for address in ("169.254.169.254", "10.0.0.1", "[::ffff:10.0.0.1]"):
            said[well_known] = ("200 OK", {**document, "token_endpoint": f"http://{address}/token"})
            gw.stop()
            gw.start()  # the document is kept for an hour
            browser = Browser().go(public + START, stop_at=at + "/auth")
            state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.url).query))["state"]
            browser.go(public + START + "/callback?code=c&state=" + state)
            check(browser.status == 502 and "address" in browser.sentence(), f"{address}: {browser.status} {browser.sentence()!r}")
        said[well_known] = ("200 OK", document)
        gw.stop()
        gw.start()
        # more than the pace: refused for some seconds, not for long
        said["/token"] = ("400 Bad", {"error": "no"})
        answers = []
        for _ in range(130):
            browser = Browser().go(public + START, stop_at=at + "/auth")
            state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.url).query))["state"]
            answers.append(browser.go(public + START + "/callback?code=c&state=" + state).status)
            if answers[-1] == 429:
                break
        check(set(answers) <= {403, 429}, f"answers {set(answers)}")
    up.close()


def the_provider_is_who_the_operator_named():
    gw_port = free_port()
    provider = Provider(f"http://127.0.0.1:{gw_port}")
    options = ["--public-url", f"http://127.0.0.1:{gw_port}", "--oidc-client-id", "x", "--oidc-issuer"]
    try:
        with Served(gw_port, [*options, f"http://localhost:{provider.port}"], {}) as gw:
            browser = Browser().go(gw.url + START)
            equal(browser.status, 502, browser.body[:300])
            check(f"calls itself {provider.issuer}, not http://localhost:{provider.port}" in browser.sentence(), browser.sentence())
        with Served(gw_port, [*options, provider.issuer + "/elsewhere"], {}) as gw:
            browser = Browser().go(gw.url + START)
            check(browser.status == 502 and "is --oidc-issuer right?" in browser.sentence(), browser.body[:300])
        provider.control()
        with Served(gw_port, [*options, provider.issuer], {}, allow=False) as gw:
            browser = Browser().go(gw.url + START)
            check(browser.status == 502 and "loopback" in browser.sentence(), browser.sentence())
        equal(provider.control()["seen"], [], "a refused address was connected to")
    finally:
        provider.stop()


def a_provider_that_says_nothing_is_not_asked_by_all_at_once():
    """Strangers begin sign-ins; while the provider's document is not known each asks for it, at a pace."""
    silent, gw_port = socket.create_server(("127.0.0.1", 0), backlog=200), free_port()
    at = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with Served(gw_port, ["--public-url", f"http://127.0.0.1:{gw_port}", "--oidc-issuer", at, "--oidc-client-id", "x"], {}):
        strangers = [socket.create_connection(("127.0.0.1", gw_port), timeout=5) for _ in range(160)]
        for s in strangers:
            s.sendall(f"GET {START} HTTP/1.1\r\nHost: 127.0.0.1:{gw_port}\r\n\r\n".encode())
        answered, deadline = 0, time.monotonic() + 5
        while not answered and time.monotonic() < deadline:
            answered = len(select.select(strangers, [], [], 0.5)[0])
        check(answered, "all of them ask the provider")
        said = select.select(strangers, [], [], 0)[0][0].recv(200)
        check(said.startswith(b"HTTP/1.1 429 "), said)
        for s in strangers:
            s.close()
    silent.close()


def options_are_checked_at_the_start():
    issuer, public = ["--oidc-issuer", "https://id.example", "--oidc-client-id", "x"], ["--public-url", "https://tollgate.example"]
    for args, words in ((issuer, "needs --public-url"), (["--oidc-issuer", "http://id.example", "--oidc-client-id", "x", *public], "https address"),
                        (["--oidc-issuer", "https://id.example", *public], "--oidc-client-id"), (["--oidc-client-id", "x"], "needs --oidc-issuer"),
                        ([*issuer, *public, "--oidc-join", "default:member"], "needs --oidc-allowed-domain"),
                        ([*issuer, *public, "--oidc-allowed-domain", "example.com", "--oidc-join", "default:admin"], "member or viewer"),
                        ([*issuer, *public, "--oidc-scopes", "email"], "begins with openid"),
                        ([*issuer, *public, "--oidc-client-secret-file", "/nonexistent"], "No such file"), (["--password-sign-in", "off"], "nobody could sign in")):
        done = subprocess.run([binary("tollgate"), "serve", "--listen", "127.0.0.1:0", "--data", tempfile.mkdtemp(), *args], capture_output=True, text=True, timeout=20)
        check(done.returncode == 1 and words in done.stderr, f"{args}: {done.returncode} {done.stderr!r}")


if __name__ == "__main__":
    run(a_member_signs_in_and_out, clients_of_every_kind, a_provider_with_tls_is_verified, strangers_are_told_whom_to_ask,
        people_join_where_the_operator_says_so, addresses_may_be_taken_on_trust, foreign_and_used_answers_are_refused, changed_requests_are_refused, behind_tls_only_our_own_host_sets_the_ticket, nobody_is_led_elsewhere,
        keys_may_change, without_a_provider_there_is_a_sentence, strange_providers_do_no_harm,
        the_provider_is_who_the_operator_named, a_provider_that_says_nothing_is_not_asked_by_all_at_once, options_are_checked_at_the_start)
