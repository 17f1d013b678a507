#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""
Programs that a person lets in: `tollgate login`, Blaxel's login with its real SDK, and what must not work: guessing, using a
code twice, letting in with a key or from another site. Rows are those of Blaxel's contract.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from blaxel import Sdk
from harness import ADMIN_KEY, Gateway, Upstream, binary, chat, check, completion, equal, run, wait_until

T = "/tollgate/v1"
PASSWORD = "three plain words"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Bench:
    """A gateway, Ann, who is a member, and her browser's cookie."""

    def __init__(self):
        self.up = Upstream(lambda request: request.answer(completion()))
        self.gw = Gateway(self.up.url)
        self.ann = self.ask("POST", T + "/members", {"email": "ann@example.com", "name": "Ann", "password": PASSWORD}, key=ADMIN_KEY, expect=201)["id"]
        self.ask("PUT", T + f"/workspaces/default/members/{self.ann}", {"role": "member"}, key=ADMIN_KEY, expect=200)
        self.cookie = self.sign_in()

    def __enter__(self):
        self.gw.__enter__()
        return self

    def __exit__(self, *what):
        self.up.close()
        return self.gw.__exit__(*what)

    def ask(self, method, path, body=None, key=None, expect=None, headers=None):
        status, _, text = self.gw.request(method, path, body, headers, key=key)
        check(expect is None or status == expect, f"{method} {path}: {status} instead of {expect}: {text[:300]}")
        return json.loads(text) if text else None

    def sign_in(self):
        _, head, _ = self.gw.request("POST", T + "/session", {"email": "ann@example.com", "password": PASSWORD}, key=None)
        return {"Cookie": head["set-cookie"].split(";")[0]}

    def begin(self, client="blaxel", path="/v0/login/device", **more):
        return self.ask("POST", path, {"client_id": client, "scope": "offline_access"}, expect=200, **more)

    def token(self, code, expect):
        return self.ask("POST", "/v0/oauth/token", {"grant_type": GRANT, "client_id": "blaxel", "device_code": code}, expect=expect)

    def answer(self, code, allow=True, expect=200, headers=None, key=None):
        return self.ask("POST", T + "/device", {"user_code": code, "allow": allow}, headers={**self.cookie, **(headers or {})} if not key else headers, key=key, expect=expect)

    def audit(self, action):
        return [r for r in self.ask("GET", T + "/audit?limit=500", key=ADMIN_KEY)["data"] if r["action"] == action]


def row_65_codes_are_confirmed_and_used_once():
    with Bench() as b:
        asked = b.begin()
        equal((asked["expires_in"], asked["interval"], asked["verification_uri"]), (600, 3, b.gw.url + "/console/device"), "row 65: codes")
        equal(asked["verification_uri_complete"], b.gw.url + "/console/device?user_code=" + asked["user_code"], "row 65: the link")
        check(re.fullmatch(r"[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}", asked["user_code"]) and len(asked["device_code"]) == 40, f"codes {asked}")
        pending = b.token(asked["device_code"], 400)
        equal(pending["error"], "authorization_pending", "row 65: before")
        check(pending["error_description"] and pending["code"] == 400, f"an error in both forms: {pending}")
        equal(b.token(asked["device_code"], 400)["error"], "slow_down", "at once again")
        typed = asked["user_code"].lower().replace("-", " ")
        shown = b.ask("GET", T + "/device?user_code=" + urllib.parse.quote(typed), headers=b.cookie, expect=200)
        equal((shown["client"], shown["asked_from"], shown["user_code"]), ("blaxel", "127.0.0.1", asked["user_code"]), "what is shown")
        b.answer(typed)
        b.answer(asked["user_code"], expect=404)  # answered
        got = b.token(asked["device_code"], 200)
        equal((got["token_type"], got["expires_in"]), ("Bearer", 7200), "row 65: tokens")
        head, payload, _ = got["access_token"].split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        equal(claims["exp"] - claims["iat"], 7200, "row 65: exp and iat")
        equal(b.token(asked["device_code"], 400)["error"], "expired_token", "a second fetching")
        me = b.ask("GET", T + "/session", key=got["access_token"], expect=200)
        equal((me["kind"], me["member"]["name"], me["role"]), ("device", "Ann", "member"), "whose it is")
        equal(b.gw.post("/v1/chat/completions", chat(), key=got["access_token"])[0], 200, "a request with it")
        b.ask("GET", T + "/keys", key=got["access_token"], expect=403)
        b.ask("GET", T + "/session", key=got["refresh_token"], expect=401)
        fresh = b.ask("POST", "/v0/oauth/token", {"grant_type": "refresh_token", "refresh_token": got["refresh_token"], "device_code": asked["device_code"]}, expect=200)
        b.ask("GET", T + "/session", key=fresh["access_token"], expect=200)
        equal([len(b.audit(a)) for a in ("device.allow", "device.create", "device.refuse")], [1, 1, 0], "noted")
        equal(b.audit("device.allow")[0]["actor"]["name"] if "actor" in b.audit("device.allow")[0] else b.audit("device.allow")[0]["name"], "Ann", "who let it in")
        refused = b.begin()
        b.answer(refused["user_code"], allow=False)
        equal(b.token(refused["device_code"], 400)["error"], "access_denied", "refused")
        b.ask("DELETE", T + "/session?everywhere=true", headers=b.cookie, expect=204)
        b.ask("GET", T + "/session", key=fresh["access_token"], expect=401)
        b.ask("POST", "/v0/oauth/token", {"grant_type": "refresh_token", "refresh_token": fresh["refresh_token"]}, expect=400)
        log = b.gw.log_text()
        for secret in (asked["device_code"], got["access_token"], got["refresh_token"]):
            check(secret not in log, "a secret is in the log")


def forms_and_documents_are_as_the_rfcs_have_them():
    with Bench() as b:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, text = b.gw.request("POST", "/api/oauth/device", b"client_id=my+program&scope=offline_access", form, key=None)
        asked = json.loads(text)
        equal(status, 200, "a form")
        equal(b.ask("GET", T + "/device?user_code=" + asked["user_code"], headers=b.cookie, expect=200)["client"], "my program", "the form's text")
        body = urllib.parse.urlencode({"grant_type": GRANT, "device_code": asked["device_code"]}).encode()
        status, head, text = b.gw.request("POST", "/api/oauth/token", body, form, key=None)
        equal((status, json.loads(text)["error"], head["cache-control"]), (400, "authorization_pending", "no-store"), "a form")
        for body, error in (({}, "invalid_request"), ({"grant_type": "password"}, "unsupported_grant_type"), ({"grant_type": "refresh_token"}, "invalid_grant"),
                            ({"grant_type": GRANT}, "expired_token"), ({"grant_type": GRANT, "device_code": "x" * 40}, "expired_token"),
                            ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_grant")):
            equal(b.ask("POST", "/v0/oauth/token", body, expect=400)["error"], error, str(body))
        for body in ({}, {"client_id": ""}, {"client_id": "x" * 65}, {"client_id": "a\nb"}):
            b.ask("POST", "/v0/login/device", body, expect=400)
        b.ask("POST", "/v0/login/device", b"[1]", expect=400)
        for base in ("/v0", "/api"):
            said = b.ask("GET", base + "/.well-known/openid-configuration", expect=200)
            equal((said["token_endpoint"], said["device_authorization_endpoint"]), (b.gw.url + base + "/oauth/token", b.gw.url + base + "/login/device"), "where tokens are")


def only_a_person_in_our_own_page_lets_in():
    with Bench() as b:
        asked = b.begin()
        code = asked["user_code"]
        key = b.gw.key("service")
        b.ask("GET", T + "/device?user_code=" + code, expect=401)
        for other in (key, ADMIN_KEY):
            b.answer(code, key=other, expect=403)
        b.answer(code, headers={"Sec-Fetch-Site": "cross-site"}, expect=401)
        b.answer(code, headers={"Origin": "https://evil.example"}, expect=401)
        # nor does a program that was let in
        b.answer(code)
        device = b.token(asked["device_code"], 200)["access_token"]
        second = b.begin()
        b.answer(second["user_code"], key=device, expect=403)
        equal(b.token(second["device_code"], 400)["error"], "authorization_pending", "not answered")
        # guessing
        answers = [b.gw.request("GET", T + "/device?user_code=BCDF-GH" + a + c, headers=b.cookie, key=None)[0] for a in "BCDF" for c in "BCD"]
        equal(sorted(set(answers)), [404, 429], "wrong codes")
        equal(answers.count(404), 10, "tries")
        b.answer(second["user_code"], expect=429)
        # the page may not be framed
        status, head, _ = b.gw.request("GET", "/console/device", key=None)
        check(status == 200 and "frame-ancestors 'none'" in head["content-security-policy"], f"the page's policy {head}")
        # many at a time
        many = [b.gw.request("POST", "/v0/login/device", {"client_id": "x"}, key=None)[0] for _ in range(105)]
        equal(sorted(set(many)), [200, 429], "asks of one peer")
        check(many.count(200) <= 100, f"{many.count(200)} asks of one peer")


def rows_64_and_66_blaxels_sdk_uses_the_login():
    with Bench() as b:
        asked = b.begin()
        b.answer(asked["user_code"])
        got = b.token(asked["device_code"], 200)
        sdk = Sdk({"BL_API_URL": b.gw.url + "/v0", "BL_RUN_URL": b.gw.url + "/run", "BL_WORKSPACE": "default"})
        try:
            home = sdk_home(sdk)
            os.makedirs(home + "/.blaxel", exist_ok=True)
            with open(home + "/.blaxel/config.yaml", "w") as f:
                json.dump({"context": {"workspace": "default"}, "workspaces": [{"name": "default", "credentials": {
                    **{k: got[k] for k in ("access_token", "refresh_token", "expires_in")}, "device_code": asked["device_code"]}}]}, f)
            found = sdk("getWorkspace", {"path": {"workspaceName": "default"}})
            equal((found["status"], [w["url"].rsplit("/", 2)[-1] for w in sdk.wire]), (200, ["default"]), f"row 66: {found}")
            check(sdk("getWorkspace", {"path": {"workspaceName": "typo"}})["status"] in (403, 404), "row 66: a typo")
            sdk("advance", 3601 * 1000, sdk="clock")  # past half of its life
            found = sdk("getWorkspace", {"path": {"workspaceName": "default"}})
            equal((found["status"], ["token" in w["url"] for w in sdk.wire]), (200, [True, False]), f"row 64: {sdk.wire}")
            equal(sdk("listWorkspaces", {})["data"][0]["name"], "default", "the menu of bl login")
        finally:
            sdk.stop()


def sdk_home(sdk):
    def look():  # until the process has become node
        with open(f"/proc/{sdk.process.pid}/environ", "rb") as f:
            found = dict(e.split("=", 1) for e in f.read().decode().split("\0") if "=" in e)
        return found.get("DO_NOT_TRACK") and found["HOME"]
    return wait_until("the SDK's process runs", 10, look)


def the_command_line_signs_in_and_out():
    with Bench() as b:
        home = tempfile.mkdtemp(prefix="tollgate-home-")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TOLLGATE_", "XDG_"))}
        env.update(HOME=home, TOLLGATE_URL=b.gw.url, TOLLGATE_DATA=home)
        cli = lambda *args: subprocess.run([binary("tollgate"), *args], env=env, capture_output=True, text=True, timeout=30)
        before = cli("logs")
        check(before.returncode == 2 and "tollgate login" in before.stderr, f"without a login: {before}")
        login = subprocess.Popen([binary("tollgate"), "login"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = [login.stdout.readline() for _ in range(5)]
        code = re.search(r"\?user_code=(\S+)", "".join(said)).group(1)
        check(code in said[0] and "Waiting" in said[4], f"said {said}")
        b.answer(code)
        out, errors = login.communicate(timeout=30)
        equal((login.returncode, out.strip()), (0, f"Signed in to {b.gw.url} as Ann."), errors)
        saved = home + "/.config/tollgate/credentials.json"
        equal((oct(os.stat(saved).st_mode & 0o777), oct(os.stat(os.path.dirname(saved)).st_mode & 0o777)), ("0o600", "0o700"), "who may read it")
        equal(cli("logs").returncode, 0, "with the login")
        check(cli("key", "list").returncode == 4, "a member's login did what takes an admin")
        # about to end: renewed without a word
        kept = json.load(open(saved))
        old = kept["servers"][b.gw.url]["access_token"]
        kept["servers"][b.gw.url]["expires_at"] = int(time.time()) + 30
        with open(saved, "w") as f:
            json.dump(kept, f)
        time.sleep(1.1)  # else the new token is the same as the old one
        equal(cli("logs").returncode, 0, "with a token that ends")
        check(json.load(open(saved))["servers"][b.gw.url]["access_token"] != old, "not renewed")
        os.chmod(saved, 0o644)
        check("chmod 600" in cli("logs").stderr, "a file that others may read is used")
        os.chmod(saved, 0o600)
        token = json.load(open(saved))["servers"][b.gw.url]["access_token"]
        equal(cli("logout").stdout.strip(), "Signed out.", "out")
        b.ask("GET", T + "/session", key=token, expect=401)
        check(cli("logout").returncode == 1 and b.gw.url not in open(saved).read(), "a second time")
        # refused, and revoked afterwards
        login = subprocess.Popen([binary("tollgate"), "login"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        code = re.search(r"\?user_code=(\S+)", "".join(login.stdout.readline() for _ in range(5))).group(1)
        b.answer(code, allow=False)
        out, errors = login.communicate(timeout=30)
        check(login.returncode == 4 and "refused" in errors, f"refused: {login.returncode} {errors}")


if __name__ == "__main__":
    run(row_65_codes_are_confirmed_and_used_once, forms_and_documents_are_as_the_rfcs_have_them, only_a_person_in_our_own_page_lets_in,
        rows_64_and_66_blaxels_sdk_uses_the_login, the_command_line_signs_in_and_out)
