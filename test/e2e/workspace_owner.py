#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Somebody who owns one workspace and is a plain member of the organization: they do as they like in it, and what concerns the
organization, or could make them its owner, is refused on every surface.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Gateway, check, equal, run

T = "/tollgate/v1"


def ask(gw, method, path, body=None, key=None, expect=200, **headers):
    status, _, text = gw.request(method, path, body, headers, **({"key": key} if key else {}))
    equal(status, expect, f"{method} {path}: {text[:300]}")
    return json.loads(text) if text else None


def world(gw):
    """Workspaces red and blue; Wes owns red, Pat is an owner of the organization with a key in red."""
    for name in ("red", "blue"):
        ask(gw, "POST", "/v0/workspaces", {"name": name})
    people = {}
    for name, role in (("wes", "member"), ("pat", "owner")):
        made = ask(gw, "POST", T + "/members", {"email": f"{name}@example.com", "role": role, "password": "three plain words"}, expect=201)
        ask(gw, "PUT", T + f"/workspaces/red/members/{made['id']}", {"role": "owner"})
        token = ask(gw, "POST", T + "/session", {"email": f"{name}@example.com", "password": "three plain words"}, key="none", expect=201)["token"]
        people[name] = {"id": made["id"], "key": token}
    return people


def what_is_the_organizations_is_refused():
    with Gateway() as gw:
        people = world(gw)
        key = people["wes"]["key"]
        refused = [("POST", "/v0/workspaces", {"name": "mine"}), ("POST", T + "/prices/reprice", {}), ("POST", T + "/master-key", {}),
                   ("POST", "/v2/workspaces", {"name": "mine"}), ("POST", "/v2/teams", {"name": "mine"}),
                   ("GET", T + "/members", None), ("GET", "/v1/admin/users", None), ("POST", "/v1/admin/workspaces", {"name": "mine"}),
                   ("DELETE", "/v1/admin/workspaces/blue", None), ("POST", "/v1/api-keys/organisation/service", {"name": "k", "scopes": ["logs.view"]}),
                   ("POST", "/v1/admin/users/invites", {"email": "x@example.com", "role": "admin"})]
        for method, path, body in refused:
            ask(gw, method, path, body, key, 403)
        blue = [w for w in ask(gw, "GET", "/v2/workspaces")["workspaces"] if w["name"] == "blue"][0]["token"]
        ask(gw, "DELETE", "/v2/workspaces/" + blue, {}, key, 403)
        equal([w["slug"] for w in ask(gw, "GET", "/v1/admin/workspaces", key=key)["data"]], ["red"], "Portkey's workspaces")
        equal({r["workspace_id"] for r in ask(gw, "GET", "/v1/audit-logs?page_size=1000", key=key)["records"]}, {"red"}, "Portkey's audit log")
        check({r["workspace_id"] for r in ask(gw, "GET", "/v1/audit-logs?page_size=1000")["records"]} > {"red"}, "the owner's")
        ask(gw, "GET", "/v0/accounts/default/metrics?workspace=blue", key=key, expect=403, **{"x-blaxel-workspace": "red"})


def nobody_makes_themselves_an_owner():
    with Gateway() as gw:
        people = world(gw)
        key = people["wes"]["key"]
        ask(gw, "POST", T + "/keys", {"name": "k", "role": "owner"}, key, 403)
        own = ask(gw, "POST", T + "/keys", {"name": "k", "role": "admin"}, key, 201)
        ask(gw, "PATCH", T + f"/keys/{own['id']}", {"role": "owner"}, key, 403)
        owners = ask(gw, "POST", T + "/keys", {"name": "theirs", "role": "owner", "workspace": "red"}, people["pat"]["key"], 201)
        ask(gw, "PATCH", T + f"/keys/{owners['id']}", {"disabled": True}, key, 403)
        ask(gw, "DELETE", T + f"/keys/{owners['id']}", None, key, 403)
        ask(gw, "POST", f"/v1/api-keys/{owners['id']}/rotate", {}, key, 403)
        pats = ask(gw, "POST", "/v1/api-keys/workspace/user", {"name": "p", "user_id": str(people["pat"]["id"]), "workspace_id": "red", "scopes": ["logs.view"]})
        ask(gw, "POST", f"/v1/api-keys/{pats['id']}/rotate", {}, key, 403)
        ask(gw, "POST", "/v1/api-keys/workspace/user", {"name": "p", "user_id": str(people["pat"]["id"]), "scopes": ["logs.view"]}, key, 403)
        ask(gw, "PATCH", T + f"/members/{people['wes']['id']}", {"role": "owner"}, key, 403)


def the_workspace_is_theirs():
    with Gateway() as gw:
        people = world(gw)
        key = people["wes"]["key"]
        ask(gw, "POST", T + "/keys", {"name": "k", "role": "admin"}, key, 201)
        ask(gw, "GET", T + "/workspaces/red/members", key=key)
        ask(gw, "POST", T + "/invitations", {"email": "new@example.com", "role": "admin"}, key, 201)
        ask(gw, "PUT", "/v0/workspaces/red", {"displayName": "Red"}, key, **{"x-blaxel-workspace": "red"})
        token = ask(gw, "GET", "/v2/workspaces", key=key)["workspaces"][0]["token"]
        ask(gw, "PUT", "/v2/workspaces/" + token, {"name": "Reds"}, key)


run(what_is_the_organizations_is_refused, nobody_makes_themselves_an_owner, the_workspace_is_theirs)
