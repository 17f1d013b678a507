#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=300
"""
Every route × every role × kinds of credentials, by the tables that docs/AUTHORIZATION.md is made from: who may not is refused, and
who may is not. What is refused later for a reason of its own is named here. Then the same routes by other spellings of their paths, with
foreign hosts, overridden methods, credentials twice, expired, revoked: none of it opens anything.

A route has its least role in its row; a row without one does not compile (JOB_##access), and one of another form stops the page's generator.
"""

import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

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
                own_reason = ORGANIZATION.search(target) or any(w in answer for w in (b"more rights", b"organization", b"no person", b"everybody's", b"reaches no workspace", b"person who is signed in"))
                if not may and status != 403 or may and (status == 401 or status == 403 and not own_reason):
                    wrong.append(f"{method} {target} as {role} by {kind}: {status} {answer[:120]}")
        if not public and scope == "no list":
            cells += 1
            check(gw.request(method, target, body, key=narrow)[0] == 403, f"{method} {target} with a narrow key")
    gw.stop()
    print(f"{cells} cells, {len(wrong)} wrong")
    check(not wrong, "\n".join(wrong[:40]))


# --- other ways to the same routes ------------------------------------------------------------------------

def spellings(path):
    """Paths that somebody may take for `path`. None of them is it."""
    parts = path.strip("/").split("/")
    last = parts[-1]
    yield "/" + path
    yield path.upper()
    yield "/" + "/".join([parts[0].capitalize(), *parts[1:]])
    yield path + "/"
    yield path + "/."
    yield path + "/x/.."
    yield path + ";x=1"
    yield path + "%20"
    yield path + "%00"
    yield path + ".json"
    yield path + "%3f"
    yield "/." + path
    yield "/x/.." + path
    yield "/console/.." + path
    yield "/livez/%2e%2e" + path
    yield "/" + "%2f".join(parts)
    yield "/" + "/".join([*parts[:-1], "%" + "%02x" % ord(last[0]) + last[1:]])
    yield "/" + "/".join([*parts[:-1], "%25" + "%02x" % ord(last[0]) + last[1:]])
    yield "http://gateway" + path.replace("/", "//", 1)
    yield path.replace("/", "\\")


class Wire:
    """Requests as they are written, over one connection."""

    def __init__(self, gw):
        self.gw, self.socket = gw, None

    def ask(self, method, target, fields, body=b""):
        """(status, body); 0 when the connection was ended without an answer."""
        lines = [("Host", "gateway"), ("Content-Length", str(len(body))), ("Content-Type", "application/json"), *fields]
        if any(k.lower() == "host" for k, _ in fields):
            lines.pop(0)
        data = f"{method} {target} HTTP/1.1\r\n".encode() + "".join(f"{k}: {v}\r\n" for k, v in lines).encode() + b"\r\n" + body
        for again in (True, False):
            if not self.socket:
                self.socket = self.gw.socket(10)
            try:
                self.socket.sendall(data)
                answer = http.client.HTTPResponse(self.socket, method=method)
                answer.begin()
                text = answer.read()
                if answer.will_close:
                    self.close()
                return answer.status, text
            except (OSError, http.client.HTTPException):
                self.close()
                if not again:
                    return 0, b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None


def no_other_way_in():
    """Without rights, no spelling, host, method or pair of credentials gets more than the plain request does."""
    gw = Gateway()
    texts, wire, cells, wrong = keys_of(gw), Wire(gw), 0, []
    viewer, owner = texts["viewer"]["key"], texts["owner"]["key"]
    for method, path, marks, scope in routes():
        if path in FORWARDED or marks["viewer"] == "anybody":
            continue
        target = re.sub(r"\{[^}]*\}", "999999", path)
        body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
        may = marks["viewer"] == "yes"

        def tried(what, fields, status, fine):
            nonlocal cells
            cells += 1
            if not fine:
                wrong.append(f"{method} {target}, {what}: {status}")
        for other in spellings(target):
            # Nobody; somebody who may not. Below /v1 an unknown path is for the provider, who is not there.
            status, _ = wire.ask(method, other, [], body)
            tried(f"{other} by nobody", [], status, status >= 400 or status in (0, 301, 302, 308))
            if not may:
                status, text = wire.ask(method, other, [("Authorization", "Bearer " + viewer)], body)
                tried(f"{other} by a viewer", [], status, status >= 400 or status in (0, 301, 302, 308))
        for fields in ([("Host", "evil.example")], [("Host", "127.0.0.1:1")], [("X-Forwarded-Host", "evil.example")], [("X-Forwarded-For", "127.0.0.1")],
                       [("X-Original-URL", "/livez")], [("X-Rewrite-URL", "/livez")], [("Forwarded", "for=127.0.0.1;host=x")], [("X-Tollgate-Role", "owner")],
                       [("X-Tollgate-Key", owner[:8])], [("x-tollgate-request-id", "tgr_0000000000000")]):
            status, _ = wire.ask(method, target, fields, body)
            tried(f"{fields} by nobody", fields, status, status == 401)
            if not may:
                status, _ = wire.ask(method, target, [*fields, ("Authorization", "Bearer " + viewer)], body)
                tried(f"{fields} by a viewer", fields, status, status == 403)
        plain = wire.ask("GET", target, [("Authorization", "Bearer " + viewer)])[0]
        for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
            status, _ = wire.ask("GET", target, [(name, method), ("Authorization", "Bearer " + viewer)])
            tried(f"GET with {name}", [], status, status == plain)
            status, _ = wire.ask("GET", target + "?_method=" + method, [(name, method), ("Authorization", "Bearer " + viewer)])
            tried("GET with ?_method", [], status, status == plain or status == 400)
        bad = "tg-" + "0" * 38
        for fields in ([("Authorization", "Bearer " + owner), ("Authorization", "Bearer " + bad)], [("Authorization", "Bearer " + bad), ("Authorization", "Bearer " + owner)],
                       [("Authorization", "Bearer " + viewer), ("Authorization", "Bearer " + owner)], [("Authorization", f"Bearer {bad}, Bearer {owner}")],
                       [("Authorization", f"Bearer {owner},{bad}")], [("Authorization", "Basic " + owner)], [("Authorization", "Negotiate " + owner)],
                       [("Authorization ", "Bearer " + owner)], [("Authorization", "Bearer\t\x0b" + owner)], [("X-Api-Key", owner[:-1])], [("Cookie", "session=" + owner[:-1])],
                       [("Authorization", "Bearer " + owner[:-1])], [("Authorization", "Bearer " + owner + "x")], [("Authorization", "Bearer " + owner.swapcase())]):
            status, _ = wire.ask(method, target, fields, body)
            tried(f"{[k for k, _ in fields]} {fields[-1][1][:20]}", fields, status, status in (0, 400, 401) or status == 403 and not may)
        status, _ = wire.ask(method, target + "?api_key=" + owner + "&access_token=" + owner, [], body)
        tried("a key in the query", [], status, status == 401)
    gw.stop()
    print(f"{cells} cells, {len(wrong)} wrong")
    check(not wrong, "\n".join(wrong[:40]))


def keys_that_are_over():
    """Expired, revoked, disabled; of a person who left; of a workspace that is gone: refused on every route, at once."""
    gw = Gateway()
    over, T = {}, "/tollgate/v1"
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    made = json.loads(gw.post(T + "/keys", {"name": "short", "role": "owner", "expires_at": soon})[2])
    over["expired"] = made["key"]
    revoked = json.loads(gw.post(T + "/keys", {"name": "revoked", "role": "owner"})[2])
    check(gw.get(T + "/keys", key=revoked["key"])[0] == 200, "it is good")
    check(gw.request("DELETE", f"{T}/keys/{revoked['id']}")[0] in (200, 204), "revoked")
    check(gw.get(T + "/keys", key=revoked["key"])[0] == 401, "revoked at once")
    over["revoked"] = revoked["key"]
    disabled = json.loads(gw.post(T + "/keys", {"name": "disabled", "role": "owner"})[2])
    check(gw.request("PATCH", f"{T}/keys/{disabled['id']}", {"disabled": True})[0] == 200, "disabled")
    over["disabled"] = disabled["key"]
    person = json.loads(gw.post(T + "/members", {"email": "left@example.com", "role": "owner", "password": "three plain words"})[2])
    over["left"] = json.loads(gw.post(T + "/session", {"email": "left@example.com", "password": "three plain words"}, key=None)[2])["token"]
    check(gw.request("DELETE", f"{T}/members/{person['id']}")[0] == 204, "left")
    gw.post("/v0/workspaces", {"name": "gone", "displayName": "gone"})
    over["of a workspace that is gone"] = gw.cli("key", "create", "--name", "x", "--role", "admin", "--workspace", "gone").stdout.strip()
    check(gw.request("DELETE", "/v0/workspaces/gone")[0] in (200, 204), "the workspace's end")
    time.sleep(max(0, 2.1))
    wire, cells, wrong = Wire(gw), 0, []
    for method, path, marks, scope in routes():
        if path in FORWARDED or marks["viewer"] == "anybody":
            continue
        target = re.sub(r"\{[^}]*\}", "999999", path)
        for why, key in over.items():
            for field in (("Authorization", "Bearer " + key), ("x-portkey-api-key", key), ("X-Blaxel-Authorization", "Bearer " + key)):
                status, _ = wire.ask(method, target, [field], b"{}" if method in ("POST", "PUT", "PATCH") else b"")
                cells += 1
                if status != 401:
                    wrong.append(f"{method} {target}: a key {why} in {field[0]}: {status}")
    gw.stop()
    print(f"{cells} cells, {len(wrong)} wrong")
    check(not wrong, "\n".join(wrong[:40]))


def an_owner_of_one_workspace_is_not_the_organizations():
    """What takes an owner is refused to somebody who owns a workspace and nothing else, whatever dialect asks."""
    gw = Gateway()
    person = {"email": "ann@example.com", "role": "viewer", "password": "three plain words"}
    person = json.loads(gw.post("/tollgate/v1/members", person)[2])
    check(gw.request("PUT", f"/tollgate/v1/workspaces/default/members/{person['id']}", {"role": "owner"})[0] == 200, "an owner of the workspace")
    token = json.loads(gw.post("/tollgate/v1/session", {"email": "ann@example.com", "password": "three plain words"}, key=None)[2])["token"]
    own = json.loads(gw.post("/tollgate/v1/keys", {"name": "own"}, key=token)[2])
    wrong, cells = [], 0
    for method, path, marks, scope in routes():
        if marks["admin"] == "yes" or marks["viewer"] == "anybody":
            continue
        for key in (token, own.get("key", token)):
            status = gw.request(method, re.sub(r"\{[^}]*\}", "999999", path), {} if method != "GET" else None, key=key)[0]
            cells += 1
            if status != 403:
                wrong.append(f"{method} {path}: {status}")
    gw.stop()
    print(f"{cells} cells, {len(wrong)} wrong")
    check(cells > 20 and not wrong, "\n".join(wrong))


def a_route_without_a_policy_does_not_build():
    """Rows without a least role or a scope, or with words that are none, in each of the four tables."""
    root = PAGE.parent.parent
    for table in ("native", "portkey", "blaxel", "vantage"):
        header = root / f"src/console/{table}/{table}.h"
        for row, fine in (('X(GET, "/x", VIEWER, ANY, health_live, "x")', True), ('X(GET, "/x", , ANY, health_live, "x")', False), ('X(GET, "/x", VIEWER, , health_live, "x")', False),
                          ('X(GET, "/x", NOBODY, ANY, health_live, "x")', False), ('X(GET, "/x", health_live, "x")', False)):
            with tempfile.TemporaryDirectory() as folder:
                other = pathlib.Path(folder, f"console/{table}/{table}.h")
                other.parent.mkdir(parents=True)
                other.write_text(re.sub(r"(#define \w+_ROUTES\(X\)) *\\\n", lambda m: m[1] + " \\\n    " + row + " \\\n", header.read_text(), count=1))
                check(row in other.read_text(), f"the table of {table}.h was not found")
                done = subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-w", "-fsyntax-only", "-I", folder, "-I", str(root / "src"), str(root / "src/console/routes.c")],
                                      capture_output=True, text=True)
                check((done.returncode == 0) == fine, f"{table}: {row}: {done.returncode} {done.stderr[:300]}")


run(a_route_without_a_policy_does_not_build, every_cell_of_the_table, no_other_way_in, keys_that_are_over, an_owner_of_one_workspace_is_not_the_organizations)
