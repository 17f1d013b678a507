#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Blaxel's contract about people and programs, with its real SDKs: users, invitations, roles, service accounts, their keys and
tokens, one's own keys, the audit log. Each check names its row of the contract.
"""

import base64
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from blaxel import SECRET, Bench, connection
from harness import ADMIN_KEY, check
from portkey import sees, suite

PASSWORD = "a rather plain sentence"
WORKSPACE = {"path": {"workspaceName": "default"}}


class People(Bench):
    def __init__(self):
        super().__init__()
        self.owner = self.sdk(ADMIN_KEY)
        self.gw.request("POST", "/v0/workspaces", {"name": "second", "displayName": "Second"})
        self.model("asked")

    def person(self, email, workspace=None, role="member"):
        """A member of the organization with a key of their own."""
        made = self.native("POST", "/members", {"email": email, "role": "member", "password": PASSWORD}, 201)
        self.native("PUT", f"/workspaces/second/members/{made['id']}", {"role": "member"}, 200)
        if workspace:
            self.native("PUT", f"/workspaces/{workspace}/members/{made['id']}", {"role": role}, 200)
        _, _, answer = self.gw.request("POST", "/tollgate/v1/session", {"email": email, "password": PASSWORD}, key=None)
        key = self.post("/profile/api_keys", {"name": email}, key=json.loads(answer)["token"], headers={"x-blaxel-workspace": "second"})["apiKey"]
        return made["id"], key

    def native(self, method, path, body, wanted):
        status, _, answer = self.gw.request(method, "/tollgate/v1" + path, body)
        check(status == wanted, f"{method} {path} gave {status}: {answer}")
        return json.loads(answer) if answer else None

    def user(self, email):
        found = self.owner("listWorkspaceUsers")
        return next((u for u in found["data"] if u["email"] == email), None)

    def asks(self, key, workspace="default", name="asked"):
        return self.run(name, key=key, workspace=workspace)[0]


def row_56_invite_list_accept(b):
    number, key = b.person("ann@example.com")
    sees("row 56", b.asks(key), 403, "no access before the invitation")
    made = b.owner("inviteWorkspaceUser", {"body": {"email": "Ann@example.com"}})
    sees("row 56", (made["status"], made["data"]["email"], made["data"]["role"], made["data"]["workspace"]),
         (200, "ann@example.com", "member", "default"), "the invitation")
    check(made["data"]["expiresAt"] > made["data"]["createdAt"], f"row 56: {made}")
    sees("row 56", (b.user("ann@example.com")["accepted"], b.asks(key)), (False, 403), "invited, and no more than that")
    sees("row 56", b.core("inviteWorkspaceUser", {"body": {"email": "x@example.com"}})["status"], 403, "a member invites nobody")
    sees("row 56", b.owner("inviteWorkspaceUser", {"body": {"email": "no address"}})["status"], 400, "no address")
    own = b.get("/profile/invitations", key=key)
    sees("row 56", [(i["workspace"]["name"], i["type"]) for i in own], [("default", "workspace")], "one's own")
    legacy = b.sdk(key)
    legacy.raw("legacy", "setConfig", {"baseUrl": b.gw.url + "/v0", "headers": {"Authorization": "Bearer " + key}})
    joined = legacy("acceptWorkspaceInvitation", WORKSPACE, sdk="legacy")
    sees("row 56", (joined["status"], joined["data"]["workspace"]["name"]), (200, "default"), "acceptWorkspaceInvitation")
    found = b.user("ann@example.com")
    sees("row 56", (found["accepted"], found["sub"], b.asks(key)), (True, str(number), 200), "after it")
    sees("row 56", b.call("POST", "/workspaces/default/join", {}, key=key)[0], 404, "once")


def row_57_roles(b):
    _, key = b.person("rob@example.com", "default")
    wanted = connection("of-rob", b.up.url)
    here = {"x-blaxel-workspace": "default"}
    sees("row 57", b.call("POST", "/integrations/connections", wanted, key=key, headers=here)[0], 403, "a member connects nothing")
    changed = b.owner("updateWorkspaceUserRole", {"path": {"subOrEmail": "rob@example.com"}, "body": {"role": "admin"}})
    sees("row 57", (changed["status"], changed["data"]["role"], changed["data"]["accepted"]), (200, "admin", True), "to admin")
    sees("row 57", b.call("POST", "/integrations/connections", wanted, key=key, headers=here)[0], 200, "an admin does")
    for body in ({"role": "king"}, {"role": ""}, {}):
        sees("row 57", b.owner("updateWorkspaceUserRole", {"path": {"subOrEmail": "rob@example.com"}, "body": body})["status"], 400, str(body))
    sees("row 57", b.owner("updateWorkspaceUserRole", {"path": {"subOrEmail": "none@example.com"}, "body": {"role": "member"}})["status"], 404, "nobody")
    sees("row 57", b.call("PUT", "/users/rob@example.com", {"role": "owner"}, key=key, headers=here)[0], 403, "more than one has")
    sees("row 57", b.owner("removeWorkspaceUser", {"path": {"subOrEmail": changed["data"]["sub"]}})["status"], 409, "the last admin stays")
    b.owner("updateWorkspaceUserRole", {"path": {"subOrEmail": "ann@example.com"}, "body": {"role": "admin"}})
    gone = b.owner("removeWorkspaceUser", {"path": {"subOrEmail": changed["data"]["sub"]}})
    sees("row 57", (gone["status"], b.asks(key), b.user("rob@example.com")), (200, 403, None), "removed by sub")


def row_58_revoke(b):
    _, key = b.person("eve@example.com")
    b.owner("inviteWorkspaceUser", {"body": {"email": "eve@example.com"}})
    gone = b.owner("removeWorkspaceUser", {"path": {"subOrEmail": "eve@example.com"}})
    sees("row 58", (gone["status"], gone["data"]["accepted"], b.user("eve@example.com")), (200, False, None), "taken back")
    sees("row 58", b.call("POST", "/workspaces/default/join", {}, key=key)[0], 404, "no longer good")
    sees("row 58", b.owner("removeWorkspaceUser", {"path": {"subOrEmail": "eve@example.com"}})["status"], 404, "twice")
    b.owner("inviteWorkspaceUser", {"body": {"email": "eve@example.com"}})
    sees("row 58", (b.call("POST", "/workspaces/default/decline", {}, key=key)[0], b.user("eve@example.com")), (200, None), "declined")
    sees("row 58", b.call("DELETE", "/workspaces/second/leave", {}, key=key)[0], 200, "leaving")
    sees("row 58", b.call("GET", "/models", key=key, headers={"x-blaxel-workspace": "second"})[0], 401, "left, and with it the key made there")


def rows_59_to_62_service_accounts(b):
    made = b.owner("createWorkspaceServiceAccount", {"body": {"name": "builds", "description": "nightly"}})
    client = made["data"]["client_id"]
    check(made["status"] == 200 and made["data"]["client_secret"], f"row 59: {made}")
    listed = b.owner("getWorkspaceServiceAccounts")["data"]
    sees("row 59", [(a["client_id"], a["name"], a["description"], "client_secret" in a) for a in listed],
         [(client, "builds", "nightly", False)], "the secret is told once")
    sees("row 59", b.core("createWorkspaceServiceAccount", {"body": {"name": "mine"}})["status"], 403, "a member makes none")
    renamed = b.owner("updateWorkspaceServiceAccount", {"path": {"clientId": client}, "body": {"name": "builds-2"}})
    sees("row 59", (renamed["data"]["name"], renamed["data"]["description"]), ("builds-2", "nightly"), "another name")
    sees("row 59", b.owner("updateWorkspaceServiceAccount", {"path": {"clientId": client}, "body": {}})["status"], 400, "a name is required")

    def key(**body):
        return b.owner("createApiKeyForServiceAccount", {"path": {"clientId": client}, "body": body})

    good = key(name="a", expires_in="24h")
    sees("row 60", (good["status"], good["data"]["sub"], good["data"]["sub_type"], good["data"]["expires_in"], b.asks(good["data"]["apiKey"])),
         (200, client, "service_account", "24h", 200), "a day")
    life = time.time() + 86400
    check(abs(time.mktime(time.strptime(good["data"]["expiresAt"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - life) < 60, f"row 60: {good}")
    for wrong in ("11y", "-1d", "x", "0h", "1.5d", "88000h", "h"):
        sees("row 60", key(name="w", expires_in=wrong)["status"], 400, wrong)
    forever = key()
    sees("row 60", (forever["status"], forever["data"]["expiresAt"], b.asks(forever["data"]["apiKey"])), (200, None, 200), "never, without a name")
    soon = b.native("GET", "/keys", None, 200)["data"]
    number = next(k for k in soon if k["name"] == "a")["id"]
    b.native("PATCH", f"/keys/{number}", {"expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))}, 200)
    time.sleep(2.2)
    sees("row 60", b.asks(good["data"]["apiKey"]), 401, "afterwards")
    kept = b.owner("listApiKeysForServiceAccount", {"path": {"clientId": client}})["data"]
    check(len(kept) == 2 and all("apiKey" not in k for k in kept), f"row 59: {kept}")
    sees("row 62", b.asks(forever["data"]["apiKey"], workspace="second"), 403, "another workspace")
    sees("row 62", b.call("GET", "/models", key=forever["data"]["apiKey"], headers={"x-blaxel-workspace": "second"})[0], 403, "another workspace")
    gone = b.owner("deleteApiKeyForServiceAccount", {"path": {"clientId": client, "apiKeyId": forever["data"]["id"]}})
    sees("row 61", (gone["status"], b.asks(forever["data"]["apiKey"])), (200, 401), "on the very next request")
    sees("row 61", b.owner("deleteApiKeyForServiceAccount", {"path": {"clientId": client, "apiKeyId": forever["data"]["id"]}})["status"], 404, "twice")
    changed = b.owner("updateWorkspaceUserRole", {"path": {"subOrEmail": client}, "body": {"role": "admin"}})
    sees("row 57", (changed["status"], changed["data"]["role"]), (200, "admin"), "a service account's role")
    last = key(name="z")["data"]["apiKey"]
    sees("row 59", b.owner("deleteWorkspaceServiceAccount", {"path": {"clientId": client}})["data"]["client_id"], client, "deleted")
    sees("row 61", b.asks(last), 401, "all its credentials end")


def rows_63_64_client_credentials(b):
    made = b.owner("createWorkspaceServiceAccount", {"body": {"name": "robot"}})["data"]
    pair = base64.b64encode(f"{made['client_id']}:{made['client_secret']}".encode()).decode()
    robot = b.sdk(BL_CLIENT_CREDENTIALS=pair, BL_API_KEY="")
    found = robot("listModels")
    sees("row 63", (found["status"], found["data"]["data"][0]["metadata"]["name"] if isinstance(found["data"], dict) else found["data"][0]["metadata"]["name"]),
         (200, "asked"), "by client credentials")
    asked = [w["url"] for w in robot.wire]
    check(any(u.endswith("/oauth/token") for u in asked), f"row 63: {asked}")
    robot("listModels")
    check(not any("/oauth/token" in w["url"] for w in robot.wire), f"row 64: a token that is good was asked for again: {robot.wire}")
    robot("advance", 3601 * 1000, sdk="clock")
    robot("listModels")
    sees("row 64", sum("/oauth/token" in w["url"] for w in robot.wire), 1, "past half of its life another is fetched")
    wrong = b.sdk(BL_CLIENT_CREDENTIALS=base64.b64encode(f"{made['client_id']}:x".encode()).decode(), BL_API_KEY="")
    refused = wrong.raw("core", "listModels")
    check(not refused["ok"] or refused["value"]["status"] == 401, f"row 63: {refused}")
    sees("row 63", [w["status"] for w in refused["wire"] if "/oauth/token" in w["url"]][:1], [400], "a wrong secret")


def own_keys(b):
    number, key = b.person("own@example.com", "default")
    made = b.post("/profile/api_keys", {"name": "laptop", "expires_in": "1w"}, key=key, headers={"x-blaxel-workspace": "default"})
    sees("own keys", (made["sub"], made["sub_type"], b.asks(made["apiKey"])), (str(number), "user", 200), "made")
    names = {k["name"]: k for k in b.get("/profile/api_keys", key=key)}
    check(set(names) == {"laptop", "own@example.com"} and not any("apiKey" in k for k in names.values()), f"own keys: {names}")
    check(b.call("DELETE", f"/profile/api_keys/{made['id']}", {}, key=key)[0] == 200 and b.asks(made["apiKey"]) == 401, "own keys: revoked")
    sees("own keys", b.call("GET", "/profile/api_keys")[0], 403, "a service key has none")
    here = {"x-blaxel-workspace": "default"}
    short = b.post("/profile/api_keys", {"name": "short", "expires_in": "1h"}, key=key, headers=here)
    for life in ({}, {"expires_in": "1y"}):
        child = b.post("/profile/api_keys", {"name": f"child {len(life)}", **life}, key=short["apiKey"], headers=here)
        sees("own keys", child["expiresAt"], short["expiresAt"], "no longer than what it was made with")
    status, _, answer = b.gw.request("PUT", f"/v1/api-keys/{short['id']}", {"usage_limits": {"credit_limit": 5}})
    sees("own keys", status, 200, f"a budget: {answer[:200]}")
    status, _, answer = b.gw.request("POST", "/v0/profile/api_keys", {"name": "free"}, here, key=short["apiKey"])
    check(status == 403 and b"sign in" in answer, f"own keys: a key with a budget makes one without: {status} {answer}")
    _, other = b.person("other@example.com", "default")
    sees("own keys", b.call("DELETE", f"/profile/api_keys/{names['own@example.com']['id']}", {}, key=other)[0], 404, "another's")


def row_76_audit(b):
    b.put("/integrations/connections/openai-main", connection("openai-main", b.up.url, SECRET + "-2"), key=ADMIN_KEY)
    rows = b.get("/audit", key=ADMIN_KEY)["data"]
    row = next(r for r in rows if r["action"] == "integration.rotate")
    check(row["actor"]["source"] == "blaxel" and row["actor"]["key"] and SECRET not in json.dumps(rows), f"row 76: {row}")
    sees("row 76", b.call("GET", "/audit")[0], 403, "a member")
    # An admin of one workspace who is a member of the other sees the one's alone, whichever they name.
    _, key = b.person("ida@example.com", "default", "admin")
    sees("row 76", b.call("GET", "/audit", key=key, headers={"x-blaxel-workspace": "second"})[0], 403, "a member of the named one")
    seen = b.get("/audit", key=key, headers={"x-blaxel-workspace": "default"})["data"]
    check(seen and {r["workspace"] for r in seen} == {"default"}, f"row 76: {[r['workspace'] for r in seen]}")


if __name__ == "__main__":
    suite(People, [row_56_invite_list_accept, row_57_roles, row_58_revoke, rows_59_to_62_service_accounts, rows_63_64_client_credentials,
                   own_keys, row_76_audit])
