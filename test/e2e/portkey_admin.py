#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""
Portkey's control plane, rows 118, 120 and 128, with its SDKs: stored configs and their versions, defaults of keys and workspaces,
scopes, refusals; the command line for the same; a listener of its own for all of it; what a kill leaves.
"""

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, Gateway, binary, check
from portkey import Bench, fallback, sees, suite, target

CANARY = "sk-canary-0123456789-canary"


def ask(b, method, path, body=None, key=ADMIN_KEY):
    """(status, answer) of a raw call."""
    status, headers, answer = b.gw.request(method, path, body, {"x-portkey-api-key": key} if key else {}, key=None)
    check(headers["content-type"] == "application/json", f"{method} {path}: {headers['content-type']}")
    check("x-portkey-trace-id" in headers, f"{method} {path}: no trace id")
    return status, json.loads(answer)


def listed(b):
    return {row["slug"]: row for row in ask(b, "GET", "/v1/configs")[1]["data"]}


# --- configs through the SDKs -------------------------------------------------------------------------

def row_118_node(b):
    admin = {"apiKey": ADMIN_KEY}
    text = {"strategy": {"mode": "fallback"}, "targets": [target("a", "m118"), target("b", "m118")]}
    made = b.node("configs.create", {"name": "of node", "config": text, "isDefault": 1}, **admin).fine("row 118").value
    slug = made["data"]["id"]
    check(slug.startswith("pc-") and made["slug"] == slug and made["success"] is True, f"row 118: created {made}")
    row = listed(b)[slug]
    sees("row 118", (row["name"], row["is_default"], row["status"], row["version"]), ("of node", 1, "active", 1), "the list's row")
    found = b.node("configs.list", {}, **admin).fine("row 118").value
    sees("row 118", (found["object"], found["total"]), ("list", len(found["data"])), "list")
    one = b.node("configs.retrieve", {"slug": slug}, **admin).fine("row 118").value
    sees("row 118", (one["config"], one["data"]["config"]), (text, text), "what was stored")
    sees("row 118", (b.raw({"model": "x", "messages": []})[0], b.up.count("m118")), (200, 1), "a chat by the workspace's default")
    changed = b.node("configs.update", {"slug": slug, "name": "renamed", "config": {"retry": {"attempts": 1}}}, **admin).fine("row 118").value
    sees("row 118", changed["data"]["version_id"], slug + "@2", "the new version")
    versions = b.node("get", f"/configs/{slug}/versions", **admin).fine("row 118").value
    sees("row 118", [(v["version"], v["config"], v["status"]) for v in versions["data"]],
         [(2, {"retry": {"attempts": 1}}, "active"), (1, text, "archived")], "versions, newest first")
    sees("row 118", (versions["object"], versions["total"]), ("list", 2), "versions")
    status, _ = ask(b, "PUT", f"/v1/configs/{slug}", {"isDefault": 0})
    sees("row 118", (status, listed(b)[slug]["is_default"], listed(b)[slug]["name"]), (200, 0, "renamed"), "no longer the default")
    gone = b.node("configs.delete", {"slug": slug}, **admin).fine("row 118")
    sees("row 118", (gone.status, slug in listed(b)), (200, False), "deleted")
    again = b.node("configs.retrieve", {"slug": slug}, **admin)
    sees("row 118", (again.ok, again.status, again.calls), (False, 404, 1), "a deleted one")


def row_118_python(b):
    admin = {"api_key": ADMIN_KEY}
    text = {"strategy": {"mode": "single"}, "targets": [{"provider": "@a", "overrideParams": {"model": "m118p"}}], "x-own": [1.5, None]}
    made = b.python("configs.create", {"name": "of python", "config": text, "is_default": 0}, **admin).fine("row 118").value
    slug = made["slug"]
    one = b.python("configs.retrieve", {"slug": slug}, **admin).fine("row 118").value
    sees("row 118", (one["config"], one["is_default"], one["object"]), (text, 0, "config"), "what was stored")
    found = b.python("configs.list", {"workspace_id": "default"}, **admin).fine("row 118").value
    check(slug in [row["slug"] for row in found["data"]], f"row 118: not in the list of the workspace: {found}")
    b.chat("any", config=slug).fine("row 118")
    sees("row 118", b.up.count("m118p"), 1, "members in camelCase have effect")
    b.python("configs.update", {"slug": slug, "config": json.dumps({"provider": "@b"})}, **admin).fine("row 118")
    one = b.python("configs.retrieve", {"slug": slug}, **admin).fine("row 118").value
    sees("row 118", (one["config"], one["version_id"]), ({"provider": "@b"}, slug + "@2"), "a config given as text")
    gone = b.python("configs.delete", {"slug": slug}, **admin).fine("row 118")
    check(isinstance(gone.value, dict), f"row 118: delete gave {gone.value!r}")


def changes_hold_within_a_second(b):
    slug = b.config("swap", {"provider": "@a", "override_params": {"model": "swap-0"}})
    for n in range(1, 20):
        b.change_config(slug, {"provider": "@a", "override_params": {"model": f"swap-{n}"}})
        deadline = time.monotonic() + 1
        while b.up.count(f"swap-{n}") == 0:
            check(time.monotonic() < deadline, f"version {n} was not in force after a second")
            sees("changes", b.raw({"model": "x", "messages": []}, {"x-portkey-config": slug})[0], 200, "a chat")
    ask(b, "DELETE", f"/v1/configs/{slug}")
    sees("changes", b.raw({"model": "x", "messages": []}, {"x-portkey-config": slug})[0], 400, "a chat with the deleted config")


# --- defaults -----------------------------------------------------------------------------------------

def defaults_of_key_and_workspace(b):
    of_ws = b.config("of the workspace", {"provider": "@a", "override_params": {"model": "by-workspace"}})
    of_key = b.config("of the key", {"provider": "@b", "override_params": {"model": "by-key"}})
    ask(b, "PUT", f"/v1/configs/{of_ws}", {"is_default": True})
    plain = b.new_key("plain", scopes=["completions.write"])
    own = b.node("apiKeys.create", {"type": "workspace", "sub-type": "service", "name": "own", "scopes": ["completions.write"],
                                    "defaults": {"config_id": of_key, "allow_config_override": False}}, apiKey=ADMIN_KEY).fine("defaults").value
    for key, model in ((plain, "by-workspace"), (own["key"], "by-key")):
        status, _, body = b.raw({"model": "x", "messages": []}, key=key)
        sees("defaults", (status, b.up.count(model)), (200, 1), f"{model}: {body[:200]}")
    status, _, body = b.raw({"model": "x", "messages": []}, {"x-portkey-config": of_ws}, key=own["key"])
    sees("defaults", (status, json.loads(body)["message"]), (400, "Cannot override default config set for this API key."), "an override")
    for slug, user in ((of_ws, "default"), (of_key, "own (" + own["id"] + ")")):
        status, answer = ask(b, "DELETE", f"/v1/configs/{slug}")
        sees("defaults", (status, answer["data"]["errorCode"]), (409, "AB07"), "deleting a default")
        check(user in answer["message"], f"defaults: who uses it is not named: {answer['message']}")
    shown = b.python("api_keys.retrieve", {"id": own["id"]}, api_key=ADMIN_KEY).fine("defaults").value
    sees("defaults", (shown["defaults"]["config_id"], shown["defaults"]["allow_config_override"], own["key"] in json.dumps(shown)),
         (of_key, False, False), "the key's defaults, its text masked")
    sees("defaults", ask(b, "PUT", f"/v1/api-keys/{own['id']}", {"defaults": {"config_id": ""}})[0], 200, "no default")
    sees("defaults", ask(b, "PUT", f"/v1/configs/{of_ws}", {"is_default": False})[0], 200, "no default")
    for slug in (of_ws, of_key):
        sees("defaults", ask(b, "DELETE", f"/v1/configs/{slug}"), (200, {}), "deleting what nobody uses")


def scopes_narrow_and_widen(b):
    slug = b.config("scoped", {"provider": "@a"})
    reader = b.new_key("reader", scopes=["configs.list", "logs.list"])
    writer = b.new_key("writer", scopes=["configs.create", "configs.update", "completions.write"])
    for key, method, path, body, status in (
            (reader, "GET", "/v1/configs", None, 200), (reader, "GET", f"/v1/configs/{slug}", None, 403),
            (reader, "DELETE", f"/v1/configs/{slug}", None, 403), (reader, "GET", "/v1/models", None, 403),
            (reader, "GET", "/v1/api-keys", None, 403), (writer, "PUT", f"/v1/configs/{slug}", {"name": "by writer"}, 200),
            (writer, "GET", "/v1/configs", None, 403), (writer, "POST", "/v1/configs", {"name": "w", "config": {"provider": "@b"}}, 200),
            (writer, "GET", "/v1/models", None, 200), (b.key, "GET", "/v1/configs", None, 200),
            (b.key, "POST", "/v1/configs", {"name": "m", "config": {"provider": "@b"}}, 403)):
        found, answer = ask(b, method, path, body, key)
        sees("scopes", found, status, f"{method} {path} {answer}")
        if status == 403:
            sees("scopes", answer["data"]["errorCode"], "AB03", f"{method} {path}")
    for path, status in (("/tollgate/v1/logs", 200), ("/tollgate/v1/cost", 403), ("/tollgate/v1/keys", 403), ("/tollgate/v1/status", 200)):
        sees("scopes", ask(b, "GET", path, key=reader)[0], status, path)
    status, _, body = b.raw({"model": "x", "messages": []}, {"x-portkey-provider": "@a"}, key=reader)
    sees("scopes", (status, json.loads(body)["message"]), (403, "Portkey Error: Forbidden!. Error Code: 033"), "a chat without the scope")
    status, answer = ask(b, "POST", "/v1/api-keys/workspace/service", {"name": "x", "scopes": ["nope.nope"]})
    sees("scopes", (status, "nope.nope" in answer["message"]), (400, True), "an unknown scope is named")


# --- refusals -----------------------------------------------------------------------------------------

def row_120_errors(b):
    bad = {"strategy": {"mode": "bogus"}, "targets": [{"provider": "@a"}]}
    slug = b.config("row 120", {"provider": "@a"})
    ask(b, "PUT", f"/v1/configs/{slug}", {"is_default": 1})
    for method, path, body, key, status, code, part in (
            ("POST", "/v1/configs", {"name": "x", "config": bad}, ADMIN_KEY, 400, "AB01", "path: strategy,mode"),
            ("POST", "/v1/configs", {"name": "x", "config": "{"}, ADMIN_KEY, 400, "AB01", "valid json"),
            ("POST", "/v1/configs", {"config": {"provider": "@a"}}, ADMIN_KEY, 400, "AB01", "name"),
            ("POST", "/v1/configs", {"name": 7}, ADMIN_KEY, 400, "AB01", "string"),
            ("POST", "/v1/configs", [1], ADMIN_KEY, 400, "AB01", "object"),
            ("POST", "/v1/api-keys/workspace/service", {"name": "x", "rate_limits": [{"type": "requests", "unit": "rpx", "value": 1}]},
             ADMIN_KEY, 400, "AB01", "rpm"),
            ("GET", "/v1/configs/pc-none", None, ADMIN_KEY, 404, "AB02", "no such config"),
            ("PUT", "/v1/configs/pc-none", {"name": "x"}, ADMIN_KEY, 404, "AB02", "no such config"),
            ("POST", "/v1/configs", {"name": "x", "config": {}}, b.key, 403, "AB03", "role"),
            ("GET", "/v1/configs", None, "tg-nobodys", 401, "AB05", "key"), ("GET", "/v1/configs", None, None, 401, "AB05", "No key"),
            ("DELETE", f"/v1/configs/{slug}", None, ADMIN_KEY, 409, "AB07", "default"),
            ("GET", "/v1/guardrails", None, ADMIN_KEY, 404, "AB08", "Not Found")):
        found, answer = ask(b, method, path, body, key)
        sees("row 120", (found, answer["success"], answer["data"]["errorCode"]), (status, False, code), f"{method} {path} {body}: {answer}")
        check(part in answer["message"], f"row 120: {method} {path}: {answer['message']}")
        check(answer["error"]["message"] and answer["error"]["code"], f"row 120: {method} {path}: {answer}")
        if status == 401:
            sees("row 120", answer["data"]["message"], "Unauthorised Request", "401")
    r = b.python("configs.create", {"name": "x", "config": bad}, api_key=ADMIN_KEY)
    check(not r.ok and r.status == 400 and r.calls == 1 and "strategy,mode" in json.dumps(r.error), f"row 120: Python saw {r.error}")
    r = b.node("configs.create", {"name": "x", "config": bad}, apiKey=ADMIN_KEY)
    check(not r.ok and r.status == 400 and r.calls == 1 and "strategy,mode" in json.dumps(r.error), f"row 120: Node saw {r.error}")
    ask(b, "PUT", f"/v1/configs/{slug}", {"is_default": 0})


def secrets_stay_inside(b):
    text = {"strategy": {"mode": "single"}, "targets": [{"provider": "openai", "api_key": CANARY}]}
    slug = b.config("secret", text)
    for path in ("/v1/configs", f"/v1/configs/{slug}", f"/v1/configs/{slug}/versions"):
        check("canary" not in json.dumps(ask(b, "GET", path)[1]), f"{path} shows the secret")
    masked = ask(b, "GET", f"/v1/configs/{slug}")[1]["config"]
    sees("secrets", masked["targets"][0]["api_key"], "sk********ary", "the mask")
    status, answer = ask(b, "PUT", f"/v1/configs/{slug}", {"config": masked})
    check(status == 400 and "mask" in answer["message"], f"a mask was stored over the secret: {status} {answer}")
    for name in os.listdir(b.gw.dir):
        path = os.path.join(b.gw.dir, name)
        check(not os.path.isfile(path) or CANARY.encode() not in open(path, "rb").read(), f"{name} holds the secret")


def row_128_prices(b):
    """Cents per unit, exactly; Portkey's own samples for models whose price has not changed since."""
    def look(model, provider="openai"):
        status, answer = ask(b, "GET", f"/model-configs/pricing/{provider}/{model}", key=None)
        return status, answer, json.loads(json.dumps(answer.get("pay_as_you_go", {})))
    for model, wanted in {"gpt-4o": ("0.00025", "0.001", "0.000125"), "gpt-4o-mini": ("0.000015", "0.00006", "0.0000075"),
                          "o4-mini": ("0.00011", "0.00044", "0.0000275"), "ft:gpt-4o:org::id": ("0.000375", "0.0015", "0.0001875"),
                          "text-embedding-3-small": ("0.000002",), "tts-1": ("0.0015",)}.items():
        status, _, body = b.gw.request("GET", "/model-configs/pricing/openai/" + model, key=None)
        found = json.loads(body, parse_float=str, parse_int=str)["pay_as_you_go"]
        names = ("request_token", "response_token", "cache_read_input_token")
        sees("row 128", (status, tuple(found[n]["price"] for n in names[:len(wanted)])), (200, wanted), model)
    sees("row 128", look("whisper-1")[2]["additional_units"], {"audio_duration_minutes": {"price": 0.6}}, "whisper-1, a minute")
    sees("row 128", look("sora-2")[2]["additional_units"]["video_duration_seconds"]["price"], 10, "sora-2, a second")
    sees("row 128", look("gpt-4o")[2]["additional_units"], {"web_search": {"price": 1}, "file_search": {"price": 0.25}}, "tools")
    sees("row 128", look("dall-e-3")[2]["image"]["hd"]["1024x1792"]["price"], 12, "dall-e-3 hd")
    sees("row 128", look("gpt-4o")[1]["batch_config"]["request_token"]["price"], 0.000125, "batch")
    sees("row 128", look("gpt-4o-2024-08-06")[1]["finetune_config"]["pay_per_token"]["price"], 0.0025, "training")
    sees("row 128", look("gpt-4o", "azure-openai")[2], look("gpt-4o")[2], "Azure")
    for model, provider in (("no-such-model", "openai"), ("gpt-4o", "nobody")):
        status, answer, _ = look(model, provider)
        check(status == 404 and answer["error"]["message"], f"row 128: {model}: {status} {answer}")


# --- the command line ---------------------------------------------------------------------------------

def cli_of_configs(b):
    text = '{\n  "strategy": {"mode": "loadbalance"},\n  "targets": [{"provider": "@a", "weight": 0.70}, {"provider": "@b", "weight": 0.30}]\n}'
    path = os.path.join(b.gw.dir, "config.json")
    with open(path, "w") as f:
        f.write(text)
    slug = b.gw.cli("config", "create", "--name", "by hand", "--file", path).stdout.strip()
    check(re.fullmatch(r"pc-[0-9a-z]{12}", slug), f"the slug is not alone: {slug!r}")
    sees("cli", b.gw.cli("config", "show", slug).stdout, text + "\n", "the text, byte for byte")
    b.gw.cli("config", "update", slug, "--name", "renamed", "--default", "on")
    check(re.search(rf"{slug} +1 +yes +\S+ +renamed", b.gw.cli("config", "list").stdout), b.gw.cli("config", "list").stdout)
    full = dict(os.environ, TOLLGATE_URL=b.gw.url, TOLLGATE_KEY=ADMIN_KEY)
    done = subprocess.run([binary("tollgate"), "config", "update", slug, "--file", "-"], input='{"provider":"@c"}', env=full, text=True,
                          capture_output=True, timeout=60)
    sees("cli", done.stdout, f"now {slug}@2\n", done.stderr)
    shown = b.gw.cli("config", "versions", slug).stdout
    check('version 2' in shown and '"weight": 0.70' in shown and shown.index('"@c"') < shown.index("version 1"), shown)
    refused = b.gw.cli("config", "delete", slug, check=False)
    check(refused.returncode == 4 and "default" in refused.stderr, refused.stderr)
    b.gw.cli("config", "update", slug, "--default", "off")
    made = json.loads(b.gw.cli("key", "create", "--name", "cli", "--config", slug, "--no-config-override", "--metadata", '{"team":"x"}',
                               "--scope", "completions.write", "--scope", "logs.list", "--json").stdout)
    sees("cli", (made["config"], made["config_fixed"], made["metadata"], made["scopes"]),
         (slug, True, {"team": "x"}, ["completions.write", "logs.list"]), "the key's fields")
    refused = b.gw.cli("config", "delete", slug, check=False)
    check(refused.returncode == 4 and f"cli ({made['id']})" in refused.stderr, refused.stderr)
    b.gw.cli("key", "revoke", made["id"])
    sees("cli", b.gw.cli("config", "delete", slug).stdout, f"deleted {slug}\n", "delete")
    for args, code in ((("config", "show", slug), 4), (("config", "create", "--name", "x"), 2), (("config", "create", "--name", "x", "--file", "/none"), 2),
                       (("config", "show"), 2), (("config",), 2)):
        sees("cli", b.gw.cli(*args, check=False).returncode, code, " ".join(args))


# --- listeners and kills ------------------------------------------------------------------------------

def admin_listener(b):
    with Gateway(args=["--admin-listen", "127.0.0.1:0"]) as g:
        admin = int(re.search(r"console +http://127\.0\.0\.1:(\d+)/console/", g.log_text())[1])
        check(admin != g.port, "the console has a port of its own")

        def status(port, path, method="GET"):
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                c.request(method, path, headers={"x-portkey-api-key": ADMIN_KEY})
                answer = c.getresponse()
                check(answer.getheader("x-portkey-trace-id"), f"{path}: no trace id")
                answer.read()
                return answer.status
            finally:
                c.close()
        for path, here, there in (("/v1/health", 200, 200), ("/livez", 200, 200), ("/readyz", 200, 200), ("/metrics", 404, 200),
                                  ("/console/", 404, 200), ("/openapi.json", 404, 200), ("/", 404, 302), ("/tollgate/v1/status", 404, 200),
                                  ("/v1/configs", 404, 200), ("/v1/api-keys", 404, 200), ("/v1/models", 200, 200), ("/v1/files", 400, 404)):
            sees("listeners", (status(g.port, path), status(admin, path)), (here, there), path)
        sees("listeners", status(admin, "/v1/chat/completions", "POST"), 404, "a chat on the admin's listener")
        g.cli("connect", "openai", "--slug", "openai", "--api-key-env", "K", "--base-url", b.up.url,
              "--url", f"http://127.0.0.1:{admin}", env={"K": "sk-1"})
        sees("listeners", g.post("/v1/chat/completions", {"model": "m", "messages": []})[0], 200, "a chat by what was connected there")
        done = subprocess.run([binary("tollgate"), "serve", "--listen", f"127.0.0.1:{b.gw.port}", "--data", os.path.join(g.dir, "other"), "--admin-listen",
                               "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
        check(done.returncode == 1 and "in use" in done.stderr, done.stderr)


def check_unreadable(g, slug):
    """A text that does not open any more sends its requests nowhere, and says so."""
    g.request("PUT", f"/v1/configs/{slug}", {"is_default": True})
    g.stop()
    with sqlite3.connect(os.path.join(g.dir, "control.db")) as db:
        db.execute("UPDATE config_version SET sealed_text = zeroblob(80) WHERE config_id = (SELECT id FROM config WHERE slug = ?)", (slug,))
    db.close()
    g.start()
    for headers in ({}, {"x-portkey-config": slug}):
        status, _, body = g.request("POST", "/v1/chat/completions", {"model": "m", "messages": []}, headers)
        check(status == 400 and slug in json.loads(body)["message"], f"an unreadable config: {status} {body}")
    status, _, body = g.get(f"/v1/configs/{slug}")
    sees("kill", (status, json.loads(body)["config"]), (200, None), "an unreadable config, shown")
    check("cannot be read" in g.cli("config", "show", slug).stdout, "config show says nothing of it")
    g.request("PUT", f"/v1/configs/{slug}", {"config": {"provider": "@nobody"}})
    check("nobody" in g.cli("config", "show", slug).stdout, "a new version repairs it")


def acknowledged_configs_survive_kill(b):
    g = Gateway()
    made = []
    try:
        for n in range(20):
            status, _, body = g.request("POST", "/v1/configs", {"name": f"n{n}", "config": fallback(target("a"), target("b"))})
            check(status == 200, body)
            made.append(json.loads(body)["slug"])
        g.process.send_signal(signal.SIGKILL)
        g.process.wait(10)
        g.start()
        found = [row["slug"] for row in json.loads(g.get("/v1/configs")[2])["data"]]
        sees("kill", found, made, "configs after the kill")
        check_unreadable(g, made[0])
    finally:
        g.__exit__(None, None, None)


if __name__ == "__main__":
    suite(Bench, [row_118_node, row_118_python, changes_hold_within_a_second, defaults_of_key_and_workspace, scopes_narrow_and_widen,
                  row_120_errors, secrets_stay_inside, row_128_prices, cli_of_configs, admin_listener, acknowledged_configs_survive_kill])
