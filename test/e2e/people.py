#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=300
"""
People through the API: members and their roles, invitations, sessions with a password, service accounts
and their tokens, what the audit log says of it, and another master key while requests go on.
"""

import base64
import contextlib
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, Upstream, chat, check, completion, run

T = "/tollgate/v1"
PASSWORD = "three plain words"


@contextlib.contextmanager
def bench():
    up = Upstream(serve)
    gw = Gateway(up.url)
    try:
        yield gw
    finally:
        gw.stop()
        up.close()


def serve(request):
    request.answer(completion())


def ask(gw, method, path, body=None, key=ADMIN_KEY, expect=None, headers=None):
    status, head, text = gw.request(method, path, body, headers, key=key)
    if expect is not None:
        check(status == expect, f"{method} {path}: {status} instead of {expect}: {text[:300]}")
    return json.loads(text) if text else None


def workspace(gw, name):
    ask(gw, "POST", "/v0/workspaces", {"name": name, "displayName": name})


def asks_model(gw, key):
    return gw.post("/v1/chat/completions", chat(), key=key)[0]


def members_and_roles():
    with bench() as gw:
        workspace(gw, "team-a")
        workspace(gw, "team-b")
        ann = ask(gw, "POST", T + "/members", {"email": "Ann@example.com", "name": "Ann", "password": PASSWORD}, expect=201)
        check(ann["email"] == "ann@example.com" and ann["role"] == "member" and ann["has_password"], f"made {ann}")
        ask(gw, "POST", T + "/members", {"email": "ann@example.com"}, expect=409)
        ask(gw, "POST", T + "/members", {"email": "no address"}, expect=400)
        session = ask(gw, "POST", T + "/session", {"email": "ann@example.com", "password": PASSWORD}, key=None, expect=201)
        token = session["token"]
        # in no workspace yet: nothing is reached
        ask(gw, "GET", T + "/session", key=token, expect=401)
        ask(gw, "PUT", T + f"/workspaces/team-a/members/{ann['id']}", {"role": "admin"}, expect=200)
        ask(gw, "PUT", T + f"/workspaces/team-b/members/{ann['id']}", {"role": "viewer"}, expect=200)
        me = ask(gw, "GET", T + "/session", key=token, expect=200)
        check(me["workspaces"] == [{"name": "team-a", "role": "admin"}, {"name": "team-b", "role": "viewer"}], f"reaches {me['workspaces']}")
        ask(gw, "GET", T + "/workspaces/team-a/members", key=token, expect=200)
        ask(gw, "GET", T + "/workspaces/team-b/members", key=token, expect=403)
        ask(gw, "GET", T + "/workspaces/default/members", key=token, expect=404)
        ask(gw, "GET", T + "/workspaces/nowhere/members", key=token, expect=404)
        ask(gw, "GET", T + "/members", key=token, expect=403)
        ask(gw, "PUT", T + f"/workspaces/team-a/members/{ann['id']}", {"role": "owner"}, key=token, expect=403)
        ask(gw, "DELETE", T + f"/workspaces/team-a/members/{ann['id']}", key=token, expect=409)  # the last admin
        ask(gw, "DELETE", T + f"/workspaces/team-b/members/{ann['id']}", key=token, expect=204)  # leaves
        ask(gw, "DELETE", T + "/members/1", expect=409)  # the last owner
        ask(gw, "PATCH", T + "/members/1", {"role": "admin"}, expect=409)
        ask(gw, "PUT", T + "/workspaces/team-a/members/1", {"role": "admin"}, expect=200)
        ask(gw, "DELETE", T + f"/members/{ann['id']}", expect=204)
        ask(gw, "GET", T + "/session", key=token, expect=401)


def invitations():
    with bench() as gw:
        made = ask(gw, "POST", T + "/invitations", {"email": "bob@example.com", "role": "member"}, expect=201)
        check(made["state"] == "pending" and made["workspace"] == "default", f"made {made}")
        check("secret" not in ask(gw, "GET", T + "/invitations", expect=200)["data"][0], "the secret is shown again")
        ask(gw, "POST", T + "/session", {"email": "bob@example.com", "password": PASSWORD}, key=None, expect=401)
        ask(gw, "POST", T + "/invitations/accept", {"secret": made["secret"] + "x"}, key=None, expect=404)
        ask(gw, "POST", T + "/invitations/accept", {"secret": made["secret"], "password": "short"}, key=None, expect=400)
        bob = ask(gw, "POST", T + "/invitations/accept", {"secret": made["secret"], "name": "Bob", "password": PASSWORD}, key=None, expect=200)
        check(bob["name"] == "Bob" and bob["has_password"], f"accepted {bob}")
        ask(gw, "POST", T + "/invitations/accept", {"secret": made["secret"]}, key=None, expect=409)
        token = ask(gw, "POST", T + "/session", {"email": "bob@example.com", "password": PASSWORD}, key=None, expect=201)["token"]
        check(asks_model(gw, token) == 200, "a member's session may not ask")
        ask(gw, "GET", T + "/keys", key=token, expect=403)
        other = ask(gw, "POST", T + "/invitations", {"email": "eve@example.com"}, expect=201)
        ask(gw, "DELETE", T + "/invitations/" + other["id"], expect=204)
        ask(gw, "POST", T + "/invitations/accept", {"secret": other["secret"]}, key=None, expect=409)
        third = ask(gw, "POST", T + "/invitations", {"email": "eve@example.com"}, expect=201)
        ask(gw, "POST", T + "/invitations/decline", {"secret": third["secret"]}, key=None, expect=204)
        states = [i["state"] for i in ask(gw, "GET", T + "/invitations", expect=200)["data"]]
        check(states == ["declined", "revoked", "accepted"], f"states {states}")


def a_link_opens_nobodys_account():
    """Whoever invites has the link: with it they may not become somebody who is a member already."""
    with bench() as gw:
        chief = ask(gw, "POST", T + "/members", {"email": "chief@example.com", "role": "owner"}, expect=201)  # signs in at a provider
        admin = ask(gw, "POST", T + "/keys", {"name": "adm", "role": "admin"}, expect=201)["key"]
        made = ask(gw, "POST", T + "/invitations", {"email": "chief@example.com", "role": "member"}, key=admin, expect=201)
        answer = ask(gw, "POST", T + "/invitations/accept", {"secret": made["secret"], "password": PASSWORD}, key=None, expect=403)
        check("provider" in answer["error"]["message"], f"says what to do: {answer}")
        ask(gw, "POST", T + "/session", {"email": "chief@example.com", "password": PASSWORD}, key=None, expect=401)
        ask(gw, "POST", T + "/invitations/accept", {"secret": made["secret"]}, key=None, expect=200)
        there = ask(gw, "GET", T + "/members", expect=200)["data"]
        check([m["has_password"] for m in there if m["id"] == chief["id"]] == [False], f"has a password now: {there}")


def rights_are_not_taken_from_who_has_more():
    with bench() as gw:
        people = {}
        for name, role in (("owen", "owner"), ("adam", "admin"), ("max", "member")):
            made = ask(gw, "POST", T + "/members", {"email": f"{name}@example.com", "password": PASSWORD}, expect=201)
            ask(gw, "PUT", T + f"/workspaces/default/members/{made['id']}", {"role": role}, expect=200)
            people[name] = made["id"]
        admin = ask(gw, "POST", T + "/session", {"email": "adam@example.com", "password": PASSWORD}, key=None, expect=201)["token"]
        for portkey, path in ((False, T + "/workspaces/default/members/"), (True, "/v1/admin/workspaces/default/users/")):
            owen = "owen@example.com" if portkey else str(people["owen"])
            ask(gw, "PUT", path + owen, {"role": "viewer"}, key=admin, expect=403)
            ask(gw, "DELETE", path + owen, key=admin, expect=403)
        users = {"users": [{"id": "owen@example.com", "role": "viewer"}]}
        ask(gw, "POST", "/v1/admin/workspaces/default/users", users, key=admin, expect=403)
        ask(gw, "PUT", "/v1/admin/workspaces/default", users, key=admin, expect=403)
        ask(gw, "PUT", T + f"/workspaces/default/members/{people['max']}", {"role": "admin"}, key=admin, expect=200)
        ask(gw, "PUT", T + f"/workspaces/default/members/{people['max']}", {"role": "member"}, key=admin, expect=200)
        # a member's key whose list has the scope sets roles up to its own
        scopes = ["workspace_users.create", "workspace_users.update", "workspace_users.delete"]
        listed = ask(gw, "POST", T + "/keys", {"name": "k", "role": "member", "scopes": scopes}, expect=201)["key"]
        at = "/v1/admin/workspaces/default/users"
        for role, status in (("admin", 403), ("manager", 403), ("viewer", 200), ("member", 200)):
            ask(gw, "PUT", at + "/max@example.com", {"role": role}, key=listed, expect=status)
            ask(gw, "POST", at, {"users": [{"id": "max@example.com", "role": role}]}, key=listed, expect=status)
        ask(gw, "DELETE", at + "/adam@example.com", key=listed, expect=403)
        ask(gw, "DELETE", at + "/max@example.com", key=listed, expect=200)
        ask(gw, "DELETE", T + f"/workspaces/default/members/{people['owen']}", expect=204)  # an owner of the organization may


def cookies_and_guessing():
    with bench() as gw:
        ask(gw, "POST", T + "/members", {"email": "ann@example.com", "role": "admin", "password": PASSWORD}, expect=201)
        status, head, text = gw.request("POST", T + "/session", {"email": "ann@example.com", "password": PASSWORD}, key=None)
        cookie = head["set-cookie"]
        check(status == 201 and "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie, f"cookie {cookie}")
        _, head, _ = gw.request("POST", T + "/session", {"email": "ann@example.com", "password": PASSWORD},
                                {"X-Forwarded-Proto": "https"}, key=None)
        over_tls = head["set-cookie"].split(";")[0]
        check("Secure" in head["set-cookie"] and over_tls.startswith("__Host-tollgate_session="), "behind TLS the cookie is Secure")
        ask(gw, "GET", T + "/session", key=None, headers={"Cookie": over_tls, "X-Forwarded-Proto": "https"}, expect=200)
        for cookie_there in (over_tls.replace("__Host-", ""), "a=b; " + cookie.split(";")[0]):  # what another host of the domain can plant
            ask(gw, "GET", T + "/session", key=None, headers={"Cookie": cookie_there, "X-Forwarded-Proto": "https"}, expect=401)
        for elsewhere in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            _, head, _ = gw.request("POST", T + "/session", b'{"email": "ann@example.com", "password": "' + PASSWORD.encode() + b'"}',
                                    {"Content-Type": "text/plain", **elsewhere}, key=None)
            check("set-cookie" not in head, f"another site's form signs people in: {elsewhere}")
        ask(gw, "POST", T + "/session", {"email": "ann@example.com", "password": PASSWORD}, key=None, headers={"Sec-Fetch-Site": "same-origin"}, expect=201)
        sent = {"Cookie": "other=1; " + cookie.split(";")[0]}
        ask(gw, "GET", T + "/session", key=None, headers=sent, expect=200)
        invite = {"email": "x@example.com"}
        ask(gw, "POST", T + "/invitations", invite, key=None, headers=dict(sent, **{"Sec-Fetch-Site": "cross-site"}), expect=401)
        ask(gw, "POST", T + "/invitations", invite, key=None, headers=dict(sent, Origin="https://evil.example"), expect=401)
        ask(gw, "POST", T + "/invitations", invite, key=None, headers=dict(sent, **{"Sec-Fetch-Site": "same-origin"}), expect=201)
        ask(gw, "PUT", T + "/password", {"current": "wrong wrong wrong", "password": "other plain words"}, key=None, headers=sent, expect=401)
        ask(gw, "PUT", T + "/password", {"current": PASSWORD, "password": "other plain words"}, key=None, headers=sent, expect=204)
        ask(gw, "GET", T + "/session", key=None, headers=sent, expect=401)
        status, head, _ = gw.request("POST", T + "/session", {"email": "ann@example.com", "password": "other plain words"}, key=None)
        sent = {"Cookie": head["set-cookie"].split(";")[0]}
        status, head, _ = gw.request("DELETE", T + "/session", None, sent, key=None)
        check(status == 204 and "Max-Age=0" in head["set-cookie"], "signed out")
        ask(gw, "GET", T + "/session", key=None, headers=sent, expect=401)
        answers = set()
        for email in ("ann@example.com", "nobody@example.com", "no address"):
            status, _, text = gw.request("POST", T + "/session", {"email": email, "password": "wrong wrong wrong"}, key=None)
            answers.add((status, text))
        check(len(answers) == 1, f"who exists is told: {answers}")
        last = [gw.request("POST", T + "/session", {"email": "ann@example.com", "password": "wrong wrong wrong"}, key=None) for _ in range(10)][-1]
        check(last[0] == 429 and "retry-after" in last[1], f"guessing goes on: {last[0]} {last[1]}")


def service_accounts():
    with bench() as gw:
        made = ask(gw, "POST", T + "/service-accounts", {"name": "ci", "role": "member"}, expect=201)
        ask(gw, "POST", T + "/service-accounts", {"name": "ci", "role": "owner"}, expect=400)
        check("client_secret" not in ask(gw, "GET", T + "/service-accounts", expect=200)["data"][0], "the secret is shown again")
        basic = {"Authorization": "Basic " + base64.b64encode(f"{made['client_id']}:{made['client_secret']}".encode()).decode()}
        body = {"grant_type": "client_credentials"}
        by_head = ask(gw, "POST", "/v0/oauth/token", body, key=None, headers=basic, expect=200)
        by_body = ask(gw, "POST", "/api/oauth/token", dict(body, client_id=made["client_id"], client_secret=made["client_secret"]), key=None, expect=200)
        check(by_head["token_type"] == "Bearer" and by_head["expires_in"] == 7200, f"token {by_head}")
        for wrong in ({}, {"grant_type": "x"}, dict(body, client_id=made["client_id"], client_secret="x"), dict(body, client_id="x", client_secret="x")):
            ask(gw, "POST", "/v0/oauth/token", wrong, key=None, expect=400)
        claims = json.loads(base64.urlsafe_b64decode(by_head["access_token"].split(".")[1] + "=="))
        check(claims["exp"] - claims["iat"] == 7200 and claims["sub"] == made["client_id"], f"claims {claims}")
        check(asks_model(gw, by_body["access_token"]) == 200, "a token may not ask")
        check(asks_model(gw, by_body["refresh_token"]) == 401, "a refresh token may ask")
        check(asks_model(gw, by_body["access_token"][:-2] + "AA") == 401, "an altered token may ask")
        again = ask(gw, "POST", "/v0/oauth/token", {"grant_type": "refresh_token", "refresh_token": by_head["refresh_token"]}, key=None, expect=200)
        check(asks_model(gw, again["access_token"]) == 200, "a refreshed token may not ask")
        fresh = ask(gw, "POST", T + "/service-accounts/" + made["client_id"] + "/secret", {}, expect=200)["client_secret"]
        check(asks_model(gw, again["access_token"]) == 401, "a token outlives its secret")
        ask(gw, "POST", "/v0/oauth/token", {"grant_type": "refresh_token", "refresh_token": again["refresh_token"]}, key=None, expect=400)
        again = ask(gw, "POST", "/v0/oauth/token", dict(body, client_id=made["client_id"], client_secret=fresh), key=None, expect=200)
        check(asks_model(gw, again["access_token"]) == 200, "a token of the fresh secret may not ask")
        ask(gw, "DELETE", T + "/service-accounts/" + made["client_id"], expect=204)
        check(asks_model(gw, again["access_token"]) == 401, "the token outlives its account")
        ask(gw, "POST", "/v0/oauth/token", {"grant_type": "refresh_token", "refresh_token": by_head["refresh_token"]}, key=None, expect=400)


def another_workspaces_things_are_not_there():
    with bench() as gw:
        workspace(gw, "team-a")
        account = ask(gw, "POST", T + "/service-accounts", {"name": "ci"}, expect=201)["client_id"]
        invited = ask(gw, "POST", T + "/invitations", {"email": "x@example.com"}, expect=201)["id"]
        key = ask(gw, "POST", T + "/keys", {"name": "a", "role": "admin", "workspace": "team-a"}, expect=201)["key"]
        probes = [("PATCH", T + "/service-accounts/{}", {"name": "y"}, account, "sa-aaaaaaaaaaaaaaaaaaaa"),
                  ("DELETE", T + "/service-accounts/{}", None, account, "sa-aaaaaaaaaaaaaaaaaaaa"),
                  ("POST", T + "/service-accounts/{}/secret", {}, account, "sa-aaaaaaaaaaaaaaaaaaaa"),
                  ("DELETE", T + "/invitations/{}", None, invited, "aaaaaaaaaaaaaaaa"),
                  ("GET", T + "/workspaces/{}/members", None, "default", "nowhere"),
                  ("PUT", T + "/workspaces/{}/members/1", {"role": "member"}, "default", "nowhere"),
                  ("DELETE", T + "/workspaces/{}/members/1", None, "default", "nowhere")]
        for method, path, body, there, nowhere in probes:
            answers = [gw.request(method, path.format(name), body, key=key) for name in (there, nowhere)]
            check(answers[0][0] == 404 and answers[0][2] == answers[1][2], f"{method} {path}: {answers[0][0]} {answers[0][2]} {answers[1][2]}")
        check(ask(gw, "GET", T + "/service-accounts", key=key)["data"] == [], "sees another workspace's accounts")
        check(ask(gw, "GET", T + "/invitations", key=key)["data"] == [], "sees another workspace's invitations")


def audit_log():
    with bench() as gw:
        status, head, _ = gw.request("POST", T + "/invitations", {"email": "bob@example.com"})
        row = ask(gw, "GET", T + "/audit?action=invitation.", expect=200)["data"][0]
        check(row["request_id"] == head["x-tollgate-request-id"] and row["actor"]["ip"] == "127.0.0.1", f"row {row}")
        check(row["actor"]["source"] == "native" and row["actor"]["name"] == "owner" and row["before"] is None, f"row {row}")
        key = ask(gw, "POST", T + "/keys", {"name": "m", "role": "member"}, expect=201)["key"]
        ask(gw, "GET", T + "/audit", key=key, expect=403)
        # the owner of one workspace is nothing in the organization
        workspace(gw, "team-a")
        cat = ask(gw, "POST", T + "/members", {"email": "cat@example.com", "password": PASSWORD}, expect=201)
        ask(gw, "PUT", T + f"/workspaces/team-a/members/{cat['id']}", {"role": "owner"}, expect=200)
        token = ask(gw, "POST", T + "/session", {"email": "cat@example.com", "password": PASSWORD}, key=None, expect=201)["token"]
        seen = {r["workspace"] for r in ask(gw, "GET", T + "/audit?limit=1000", key=token, expect=200)["data"]}
        check(seen == {"team-a"}, f"an owner of team-a sees {seen}")
        ask(gw, "POST", T + "/master-key", {}, key=token, expect=403)
        ask(gw, "GET", T + "/members", key=token, expect=403)
        page = ask(gw, "GET", T + "/audit?limit=2", expect=200)
        more = ask(gw, "GET", T + f"/audit?limit=2&before={page['data'][-1]['seq']}", expect=200)
        check([r["seq"] for r in page["data"] + more["data"]] == list(range(page["total"], page["total"] - 4, -1)), "pages")
        check("sk-provider" not in json.dumps(ask(gw, "GET", T + "/audit?limit=1000", expect=200)), "a secret in the log")
        done = gw.cli("audit", "verify", "--data", gw.dir)
        check("all is well" in done.stdout, done.stdout)
        kept = done.stdout.split("head ")[1].split()[0]
        check("invitation.create" in gw.cli("audit", "list").stdout, "audit list")
        check(gw.cli("audit", "verify", "--data", gw.dir, "--expect", kept).returncode == 0, "the head it printed")
        wrong = kept[:-1] + ("0" if kept[-1] != "0" else "1")
        check(gw.cli("audit", "verify", "--data", gw.dir, "--expect", wrong, check=False).returncode == 5, "another head")


def another_master_key_under_load():
    with bench() as gw:
        stop, bad, count = threading.Event(), [], [0]

        def load():
            while not stop.is_set():
                status = asks_model(gw, ADMIN_KEY)
                count[0] += 1
                if status != 200:
                    bad.append(status)

        threads = [threading.Thread(target=load) for _ in range(3)]
        for t in threads:
            t.start()
        for _ in range(5):
            check("is in force" in gw.cli("rotate-master-key").stdout, "rotated")
        stop.set()
        for t in threads:
            t.join()
        check(not bad and count[0] > 10, f"{len(bad)} of {count[0]} requests failed: {bad[:5]}")
        key = ask(gw, "POST", T + "/keys", {"name": "a", "role": "admin"}, expect=201)["key"]
        ask(gw, "POST", T + "/master-key", {}, key=key, expect=403)
        gw.process.terminate()
        gw.process.wait(20)
        check("is in force" in gw.cli("rotate-master-key", "--data", gw.dir).stdout, "rotated without a server")
        gw.start()
        check(asks_model(gw, ADMIN_KEY) == 200, "after a restart")
        print(f"{count[0]} requests beside 5 rotations")


run(members_and_roles, invitations, a_link_opens_nobodys_account, rights_are_not_taken_from_who_has_more, cookies_and_guessing, service_accounts, another_workspaces_things_are_not_there, audit_log,
    another_master_key_under_load)
