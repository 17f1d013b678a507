#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=300
"""
Every route × every role × kinds of credentials, by the tables that docs/AUTHORIZATION.md is made from: who may not is refused, and
who may is not. What is refused later for a reason of its own is named here.
"""

import json
import os
import pathlib
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, check, run

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/AUTHORIZATION.md"
ROLES = ("viewer", "member", "admin", "owner")
# The organization's own business: a workspace's admin is refused by the handler.
ORGANIZATION = re.compile(r"^/tollgate/v1/members|^/v1/admin/|^/v0/accounts")
# Without Portkey's header it is a request for the provider.
FORWARDED = ("/v1/models",)
ROW = re.compile(r"^\| `(\w+) ([^`]+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| ([^|]+) \| ")


def routes():
    found = [ROW.match(line).groups() for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    check(len(found) > 100, f"{len(found)} routes")
    return [(method, path, dict(zip(ROLES, marks)), scope) for method, path, *marks, scope in found]


def keys_of(gw):
    """role → texts of a service key, a personal key and, but for owners, a token."""
    texts = {}
    for role in ROLES:
        made = json.loads(gw.post("/tollgate/v1/keys", {"name": role, "role": role})[2])
        person = {"email": f"{role}@example.com", "role": "member" if role != "owner" else "owner", "password": "three plain words"}
        person = json.loads(gw.post("/tollgate/v1/members", person)[2])
        status, _, text = gw.request("PUT", f"/tollgate/v1/workspaces/default/members/{person['id']}", {"role": role})
        check(status == 200, text)
        session = json.loads(gw.post("/tollgate/v1/session", {"email": f"{role}@example.com", "password": "three plain words"}, key=None)[2])
        texts[role] = {"key": made["key"], "session": session["token"]}
        if role != "owner":
            account = json.loads(gw.post("/tollgate/v1/service-accounts", {"name": role, "role": role})[2])
            token = gw.post("/v0/oauth/token", {"grant_type": "client_credentials", "client_id": account["client_id"],
                                                "client_secret": account["client_secret"]}, key=None)
            texts[role]["token"] = json.loads(token[2])["access_token"]
    return texts


def every_cell_of_the_table():
    gw = Gateway()
    texts, cells, wrong = keys_of(gw), 0, []
    narrow = json.loads(gw.post("/tollgate/v1/keys", {"name": "narrow", "role": "owner", "scopes": ["completions.write"]})[2])["key"]
    for method, path, marks, scope in routes():
        if path in FORWARDED:
            continue
        target = re.sub(r"\{[^}]*\}", "999999", path)
        body = {} if method in ("POST", "PUT", "PATCH") else None
        public = marks["viewer"] == "anybody"
        for bad in (None, "tg-" + "0" * 38, "sk-foreign", "eyJhbGciOiJub25lIn0.e30."):
            status = gw.request(method, target, body, key=bad)[0]
            cells += 1
            if not public and status != 401 or public and status == 403:
                wrong.append(f"{method} {target} with {bad}: {status}")
        for role in () if public else ROLES:
            for kind, text in texts[role].items():
                if "session" in target and method == "DELETE" or target.endswith("/leave"):
                    continue  # it would end what the next cells need
                status, _, answer = gw.request(method, target, body, key=text)
                cells += 1
                may = marks[role] == "yes"
                own_reason = ORGANIZATION.search(target) or b"more rights" in answer or b"organization" in answer
                if not may and status != 403 or may and (status == 401 or status == 403 and not own_reason):
                    wrong.append(f"{method} {target} as {role} by {kind}: {status} {answer[:120]}")
        if not public and scope == "no list":
            cells += 1
            check(gw.request(method, target, body, key=narrow)[0] == 403, f"{method} {target} with a narrow key")
    gw.stop()
    print(f"{cells} cells, {len(wrong)} wrong")
    check(not wrong, "\n".join(wrong[:40]))


run(every_cell_of_the_table)
