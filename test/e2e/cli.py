#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=600
"""The command line: every command with good and bad input, its exit status, and figures that add up exactly."""

import itertools
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, PROVIDER_KEY, Gateway, Upstream, binary, chat, check, chunk_events, completion, equal, free_port, run, wait_until

SERVER = [["connect", "openai"], ["key", "create", "--name", "x"], ["key", "list"], ["key", "revoke", "abc"], ["logs"], ["cost"], ["reprice"]]
COMMANDS = SERVER + [["serve"], ["verify"], ["version"]]
EVENTS = chunk_events(usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, nulls=True)


def tollgate(*args, env=None, timeout=60):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TOLLGATE_") or k.endswith("_BIN")}
    return subprocess.run([binary("tollgate"), *args], env={**clean, **(env or {})}, capture_output=True, text=True, timeout=timeout, cwd=tempfile.gettempdir())


def fails(done, status, words, what):
    """A wrong use: its exit status, a sentence on stderr, nothing on stdout."""
    equal(done.returncode, status, f"{what}: exit status, with {done.stderr!r}")
    check(words in done.stderr, f"{what}: {words!r} in {done.stderr!r}")
    equal(done.stdout, "", f"{what}: stdout")
    check(done.stderr.startswith("tollgate") and done.stderr.endswith("\n"), f"{what}: {done.stderr!r}")


def serve(request):
    how = request.headers.get("x-how")
    if how == "error":
        request.answer(b'{"error":{"message":"no","type":"server_error","param":null,"code":null}}', status="500 Internal Server Error")
    elif how == "slow":
        time.sleep(1.5)
        request.answer(completion(prompt=100))
    elif request.target.endswith("/models"):
        request.answer(b'{"object":"list","data":[]}')
    elif request.target.endswith("/files"):
        request.answer(b'{"object":"file"}')
    elif request.target.endswith("/embeddings"):
        request.answer({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": "AACAPw=="}], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 5, "total_tokens": 5}})
    elif b'"stream": true' in request.body:
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
        request.end()
    else:
        asked = request.json()["model"]
        request.answer(completion(model="gpt-4o-mini-2024-07-18" if asked == "gpt-4o-mini" else asked, prompt=11 + len(request.body) % 7))


def help_is_there_for_everything():
    listing = tollgate("help")
    equal((listing.returncode, listing.stderr), (0, ""), "help")
    equal(tollgate("--help").stdout, listing.stdout, "--help")
    for command in COMMANDS:
        name = " ".join(itertools.takewhile(lambda word: not word.startswith("-") and word not in ("openai", "x", "abc"), command))
        check(f"  {name} " in listing.stdout or f"  {name}\n" in listing.stdout, f"{name} is listed")
        for flag in ("--help", "-h"):
            done = tollgate(*name.split(), flag)
            equal((done.returncode, done.stderr), (0, ""), f"{name} {flag}")
            check(done.stdout.startswith(f"tollgate {name}"), f"{name} {flag}: {done.stdout[:60]!r}")
            check(name == "version" or "Options:\n  --" in done.stdout, f"{name}: options")
        helped = tollgate(*command, "--help", "--limit")
        equal(helped.returncode, 0, f"{name}: help comes before mistakes")
        for text in tollgate(*name.split(), "--help").stdout.split("Options:")[-1].splitlines():
            check(len(text) <= 100, f"{name} --help fits a terminal: {text!r}")
    summaries = {len(re.match(r"  [a-z]+(-[a-z]+)*( [a-z]+(-[a-z]+)*)*  +", text)[0]) for text in listing.stdout.splitlines() if text.startswith("  ")}
    equal(len(summaries), 1, "summaries begin in one column")
    equal(tollgate("key", "--help").returncode, 0, "a group's help")
    equal(tollgate("version").stdout, tollgate("--version").stdout, "version")
    check(re.fullmatch(r"tollgate \d+\.\d+\.\d+\n", tollgate("version").stdout), "the version's form")


def wrong_command_lines_are_explained():
    equal(tollgate().returncode, 2, "no command")
    fails(tollgate("fly"), 2, "'fly'", "an unknown command")
    equal(tollgate("key").returncode, 2, "a group alone")
    equal(tollgate("key", "fly").returncode, 2, "an unknown member of a group")
    for command in COMMANDS:
        fails(tollgate(*command, "--no-such-option"), 2, "--no-such-option", f"{command} --no-such-option")
        fails(tollgate(*command, "-x"), 2, "'-x'", f"{command} -x")
    for command in SERVER + [["serve"], ["verify"]]:
        fails(tollgate(*command, "--data"), 2, "--data needs", f"{command} --data")
    for command in ([*c] for c in SERVER if c != ["reprice"]):
        fails(tollgate(*command, "--json=yes"), 2, "--json takes no value", f"{command} --json=yes")
    for command in (["cost"], ["key", "list"], ["key", "create", "--name", "x"], ["verify"], ["version"], ["serve"], ["reprice"]):
        fails(tollgate(*command, "more"), 2, "'more'", f"{command} more")
    for args, words in ((["logs", "a", "b"], "one id"), (["key", "revoke"], "id"), (["connect"], "what to connect"), (["connect", "a", "b"], "what to connect"),
                        (["connect", "openai", "--api-key-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"), (["logs", "--limit", "0"], "between 1 and 10000"),
                        (["logs", "--limit", "10001"], "between 1 and 10000"), (["logs", "--limit", "-5"], "--limit"), (["logs", "--limit", "1e3"], "--limit"),
                        (["logs", "--limit=18446744073709551617"], "--limit"), (["serve", "--workers", "0"], "between 1 and 64"),
                        (["serve", "--record-bodies", "maybe"], "'on' or 'off'"), (["serve", "--idle-timeout", "5"], "a duration"),
                        (["serve", "--idle-timeout", "99999999999999999d"], "a duration"), (["serve", "--max-body-bytes", "1t"], "a size"),
                        (["serve", "--log-level", "loud"], "debug, info"), (["logs", "--url", "gopher://x"], "--url"), (["logs", "--url", ""], "--url")):
        fails(tollgate(*args, env={"TOLLGATE_KEY": "tg-x"}), 2, words, f"{args}")
    long = "x" * 100_000
    for args in (["logs", long], ["logs", "--model", long], ["cost", "--group-by", long], ["key", "revoke", long], ["connect", "openai", "--slug", long]):
        fails(tollgate(*args, env={"TOLLGATE_KEY": "tg-x"}), 2, "too long", f"{args[:2]} with a very long word")
    fails(tollgate("logs", "--data", "/nonexistent"), 2, "/nonexistent/admin.key", "no key")


def servers_that_are_not_there():
    port = free_port()
    for command in SERVER:
        fails(tollgate(*command, env={"TOLLGATE_URL": f"http://127.0.0.1:{port}", "TOLLGATE_KEY": "tg-x"}), 3, f"127.0.0.1:{port}", f"{command}")
    fails(tollgate("logs", "--url", "http://no-such-host.invalid", "--key", "tg-x"), 3, "no-such-host.invalid", "an unknown host")
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def talk():
            for answer in (b"", b"SSH-2.0-OpenSSH_9.2\r\n"):
                c, _ = odd.accept()
                c.recv(65536)
                c.sendall(answer)
                c.close()

        threading.Thread(target=talk, daemon=True).start()
        for _ in range(2):
            fails(tollgate("logs", "--url", f"http://127.0.0.1:{odd.getsockname()[1]}", "--key", "tg-x"), 3, "127.0.0.1", "something else listens there")


def refusals_have_the_servers_sentence():
    with Gateway() as g:
        env = {"TOLLGATE_URL": g.url}
        for command in SERVER:
            fails(tollgate(*command, env={**env, "TOLLGATE_KEY": "tg-wrong"}), 4, "invalid_api_key", f"{command} with a wrong key")
        viewer = g.cli("key", "create", "--name", "v", "--role", "viewer").stdout.strip()
        for command in (c for c in SERVER if c[0] in ("connect", "key", "reprice")):
            fails(tollgate(*command, env={**env, "TOLLGATE_KEY": viewer}), 4, "insufficient_permissions", f"{command} with a viewer's key")
        for command in (["logs"], ["cost"]):
            equal(tollgate(*command, env={**env, "TOLLGATE_KEY": viewer}).returncode, 0, f"{command} with a viewer's key")
        admin = {**env, "TOLLGATE_KEY": ADMIN_KEY, "K": PROVIDER_KEY}
        for args, code in ((["connect", "nothing", "--api-key-env", "K"], "invalid_value"), (["connect", "openai", "--slug", "Not A Slug!", "--api-key-env", "K"], "invalid_value"),
                           (["connect", "openai", "--api-key-env", "K", "--base-url", "ftp://x"], "invalid_value"),
                           (["connect", "azure-openai", "--api-key-env", "K", "--base-url", "https://x.example", "--deployments", "{broken"], ""),
                           (["key", "create", "--name", "x", "--role", "king"], "invalid_value"), (["key", "create", "--name", "x", "--expires", "soon"], "invalid_value"),
                           (["key", "create", "--name", "x", "--workspace", "nowhere"], "not_found"), (["key", "create", "--name", "x", "--record-bodies", "often"], "invalid_value"),
                           (["key", "revoke", "nobody"], "not_found"), (["key", "create", "--name", "x" * 100_000], ""), (["logs", "tgr_0000000000000"], "not_found"), (["logs", "../keys"], ""),
                           (["logs", "a b?c"], "not_found"), (["key", "revoke", "a/b"], "not_found"), (["logs", "--since", "yesterday"], "invalid_value"), (["logs", "--outcome", "odd"], "invalid_value"),
                           (["logs", "--cost-state", "odd"], "invalid_value"), (["logs", "--key-id", "nobody"], "not_found"), (["logs", "--status", "ok"], "invalid_value"),
                           (["cost", "--group-by", "colour"], "invalid_value"), (["cost", "--since", "x"], "invalid_value"),
                           (["cost", "--group-by", "hour,day,month,workspace,key,integration,operation,model,tier,status"], "invalid_value"), (["reprice", "--since", "x"], "invalid_value")):
            fails(tollgate(*args, env=admin), 4, code, f"{args}")


def accounts_are_connected_and_changed():
    with Gateway() as g:
        up, other = Upstream(serve), Upstream(serve)
        env = {"K1": "sk-first-key-of-the-provider-1111", "K2": "sk-second-key-of-the-provider-2222"}
        first = g.cli("connect", "openai", "--api-key-env", "K1", "--base-url", up.url, env=env)
        check(first.stdout.startswith("connected openai at ") and "1111" in first.stdout and env["K1"] not in first.stdout + first.stderr, f"{first.stdout!r}")
        equal(g.post("/v1/chat/completions", chat())[0], 200, "it works")
        equal(up.requests[-1].headers["authorization"], "Bearer " + env["K1"], "with its key")
        check("updated openai" in g.cli("connect", "openai", "--api-key-env", "K2", "--base-url", up.url, env=env).stdout, "rotation")
        g.post("/v1/chat/completions", chat())
        equal(up.requests[-1].headers["authorization"], "Bearer " + env["K2"], "the new key")
        fails(g.cli("connect", "openai", "--base-url", other.url, check=False), 4, "give the API key again", "a move without the key")
        g.cli("connect", "openai", "--organization", "org-1")
        g.cli("connect", "openai", "--base-url", other.url, "--project", "proj-1", "--api-key-env", "K2", env=env)
        g.post("/v1/chat/completions", chat())
        sent = other.requests[-1].headers
        equal((sent["authorization"], sent["openai-organization"], sent["openai-project"]), ("Bearer " + env["K2"], "org-1", "proj-1"), "a change keeps the rest")
        second = json.loads(g.cli("connect", "openai-compatible", "--slug", "local", "--base-url", up.url, "--default", "--json").stdout)
        equal((second["slug"], second["kind"], second["key_hint"], second["is_default"]), ("local", "openai-compatible", None, True), "an account without a key")
        g.post("/v1/chat/completions", chat())
        check("authorization" not in up.requests[-1].headers, "no credential goes there")
        listed = json.loads(g.get("/tollgate/v1/integrations")[2])["data"]
        equal({i["slug"]: i["is_default"] for i in listed}, {"openai": False, "local": True}, "accounts")
        check(not any(k in json.dumps(listed) for k in env.values()), "keys never come out")
        fails(g.cli("connect", "azure-openai", "--slug", "openai", "--api-key-env", "K1", "--base-url", "https://x.openai.azure.com", env=env, check=False), 4, "", "a slug of another kind")


def keys_live_and_die():
    with Gateway(Upstream(serve).url) as g:
        text = g.cli("key", "create", "--name", "laptop").stdout
        check(re.fullmatch(r"tg-[A-Za-z0-9_-]{30,}\n", text), f"the key alone: {text!r}")
        made = json.loads(g.cli("key", "create", "--name", "ci", "--role", "viewer", "--expires", "2027-01-31T00:00:00Z", "--record-bodies", "off", "--json").stdout)
        equal((made["name"], made["role"], made["expires_at"], made["record_bodies"], made["key"][-4:]), ("ci", "viewer", "2027-01-31T00:00:00Z", "off", made["last4"]), "a key's members")
        listed = {k["name"]: k for k in json.loads(g.cli("key", "list", "--json").stdout)["data"]}
        check({"laptop", "ci"} <= set(listed) and all("key" not in k for k in listed.values()), "the list has no texts")
        table = g.cli("key", "list").stdout
        check(text.strip() not in table and "laptop" in table and "viewer" in table, "the table")
        g.cli("key", "create", "--name", "né " + "long" * 12)
        head, *rows = g.cli("key", "list").stdout.splitlines()
        at = head.index("ROLE")
        check(len(rows) > 3 and all(r[at - 1] == " " and r[at] != " " for r in rows), "one long name moves the column of all")
        equal(g.post("/v1/chat/completions", chat(), key=text.strip())[0], 200, "it works")
        equal(g.cli("key", "revoke", listed["laptop"]["id"]).stdout, f"revoked {listed['laptop']['id']}\n", "revoke")
        wait_until("revocation", 1, lambda: g.post("/v1/chat/completions", chat(), key=text.strip())[0] == 401)
        check(re.search(r"laptop .*revoked", g.cli("key", "list").stdout), "it stays in the list")
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        short = g.cli("key", "create", "--name", "short", "--expires", soon).stdout.strip()
        equal(g.post("/v1/chat/completions", chat(), key=short)[0], 200, "before it expires")
        wait_until("expiry", 4, lambda: g.post("/v1/chat/completions", chat(), key=short)[0] == 401)
        shutil.copy(os.path.join(g.dir, "admin.key"), os.path.join(g.dir, "copy")) if os.path.exists(os.path.join(g.dir, "admin.key")) else None


def bodies_are_kept_by_the_keys_wish():
    with Gateway(Upstream(serve).url, args=["--record-bodies", "off"]) as g:
        keys = {wish: g.cli("key", "create", "--name", wish, "--record-bodies", wish).stdout.strip() for wish in ("on", "off", "default")}
        for wish, key in keys.items():
            g.post("/v1/chat/completions", chat(messages=[{"role": "user", "content": f"canary-{wish}"}]), key=key)
        shown = {r["key_name"]: json.loads(g.cli("logs", r["id"], "--json").stdout) for r in g.rows(10)}
        check("canary-on" in shown["on"]["request_body"]["text"] and "Hello." in shown["on"]["response_body"]["text"], "kept")
        for wish in ("off", "default"):
            equal(("request_body" in shown[wish], shown[wish]["bodies"]), (False, "not kept"), wish)
            check(shown[wish]["request_bytes"] > 0 and shown[wish]["response_bytes"] > 0, "sizes are kept")
        g.stop()
        everything = b"".join(open(os.path.join(base, f), "rb").read() for base, _, files in os.walk(g.dir) for f in files)
        check(b"canary-off" not in everything and b"canary-default" not in everything, "nothing of them is on the disk")
        g.start()
    with Gateway(Upstream(serve).url) as g:
        key = g.cli("key", "create", "--name", "off", "--record-bodies", "off").stdout.strip()
        g.post("/v1/chat/completions", chat(messages=[{"role": "user", "content": "canary"}]), key=key)
        equal(json.loads(g.cli("logs", g.rows(1)[0]["id"], "--json").stdout)["bodies"], "not kept", "off though the server keeps")


def fill(g):
    """Requests of many kinds; returns (rows, keys)."""
    keys = {"red": g.key("red"), "blue": g.key("blue")}
    for name, key in keys.items():
        for _ in range(2):
            g.post("/v1/chat/completions", chat(), key=key, headers={"x-portkey-trace-id": f"trace-{name}"})
            g.post("/v1/chat/completions", chat(stream=True), key=key)
            g.post("/v1/chat/completions", chat(model="gpt-4o", service_tier="flex"), key=key)
            g.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": "hello"}, key=key)
        g.post("/v1/chat/completions", chat(model="nobody-knows-me"), key=key)
        g.post("/v1/chat/completions", chat(), key=key, headers={"x-how": "error"})
        g.post("/v1/chat/completions", b"{", key=key)
        g.get("/v1/models", key=key)
    rows = g.rows(1000)
    equal(len(rows), 24, "rows")
    return rows, keys


def logs_show_and_filter():
    with Gateway(Upstream(serve).url) as g:
        check("no requests" in g.cli("logs").stderr, "an empty ledger")
        rows, _ = fill(g)
        keys = {k["name"]: k["id"] for k in json.loads(g.cli("key", "list", "--json").stdout)["data"]}

        def listed(*args):
            return [json.loads(line, parse_float=str) for line in g.cli("logs", "--limit", "1000", "--json", *args).stdout.splitlines()]

        equal(listed(), rows, "--json has the rows, newest first")
        equal(listed()[0]["id"] > listed()[-1]["id"], True, "newest first")
        equal(len(g.cli("logs", "--limit", "3", "--json").stdout.splitlines()), 3, "--limit")
        for args, keep in ((["--model", "gpt-4o"], lambda r: "gpt-4o" in (r["model_asked"], r["model_answered"])), (["--operation", "embeddings"], lambda r: r["operation"] == "embeddings"),
                           (["--key-id", keys["red"]], lambda r: r["key_name"] == "red"), (["--status", "500"], lambda r: r["status"] == 500), (["--status", "4"], lambda r: r["status"] // 100 == 4),
                           (["--outcome", "upstream_error"], lambda r: r["outcome"] == "upstream_error"), (["--cost-state", "unpriced"], lambda r: r["cost_state"] == "unpriced"),
                           (["--trace", "trace-blue"], lambda r: r["trace_id"] == "trace-blue"), (["--since", "1h"], lambda r: True), (["--until", "1h"], lambda r: False),
                           (["--since", rows[5]["started_at"]], lambda r: r["started_at"] >= rows[5]["started_at"]), (["--until", rows[5]["started_at"]], lambda r: r["started_at"] < rows[5]["started_at"]),
                           (["--model", "gpt-4o-mini", "--key-id", keys["blue"], "--status", "2"], lambda r: "gpt-4o-mini" == r["model_asked"] and r["key_name"] == "blue" and r["status"] == 200)):
            wanted = [r for r in rows if keep(r)]
            equal([r["id"] for r in listed(*args)], [r["id"] for r in wanted], f"{args}")
        table = g.cli("logs", "--limit", "1000").stdout.splitlines()
        for row in rows:
            line = next(l for l in table if row["id"] in l)
            check(row["operation"] in line and row["key_name"] in line and ("UNPRICED" if row["cost_state"] == "unpriced" else row["cost_usd"]) in line, f"{line!r}")
        unpriced = next(r for r in rows if r["cost_state"] == "unpriced")
        shown = g.cli("logs", unpriced["id"]).stdout
        check("nobody-knows-me" in shown and "unpriced" in shown and "Request body, " in shown and "Say hello." in shown and "Hello." in shown, f"{shown!r}")
        odd = '{"model":"gpt-4o-mini","messages":[],"x":"\\u0000 \\" é \U0001f600"}'.encode()
        g.post("/v1/chat/completions", odd)
        check(odd.decode() in g.cli("logs", g.rows(1)[0]["id"]).stdout, "a body is shown as it was")
        for raw, words in ((b"nul \x00, escape \x1b[2J, \xc2\x9b2J", "nul \\x00, escape \\x1b[2J, \\x9b2J"), (b"\xff\xfe no text", "//4gbm8gdGV4dA==")):
            g.post("/v1/files", raw, headers={"Content-Type": "application/octet-stream", "User-Agent": "a\x9bb"})
            shown = g.cli("logs", g.rows(1)[0]["id"])
            check(words in shown.stdout, f"{raw!r} is shown: {shown!r}")
            check(not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown.stdout), "no control characters")


class Follower:
    def __init__(self, g, *args):
        env = dict(os.environ, TOLLGATE_URL=g.url, TOLLGATE_KEY=ADMIN_KEY)
        self.process = subprocess.Popen([binary("tollgate"), "logs", "--follow", "--json", *args], env=env, stdout=subprocess.PIPE, text=True)
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line, parse_float=str))

    def ids(self):
        return [r["id"] for r in self.lines]


def logs_follow():
    with Gateway(Upstream(serve).url) as g:
        g.post("/v1/chat/completions", chat())
        g.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": "x"})
        all_of_them, embeddings = Follower(g, "--limit", "5"), Follower(g, "--operation", "embeddings")
        wait_until("what was there", 10, lambda: len(all_of_them.lines) == 2 and len(embeddings.lines) == 1)
        slow = threading.Thread(target=lambda: g.post("/v1/chat/completions", chat(), headers={"x-how": "slow"}))
        slow.start()
        time.sleep(0.2)
        for _ in range(60):
            g.post("/v1/chat/completions", chat())
        g.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": "x"})
        slow.join()
        wait_until("all that ended since", 10, lambda: len(all_of_them.lines) == 64)
        time.sleep(1.2)
        equal(sorted(all_of_them.ids()), sorted(r["id"] for r in g.rows(1000)), "each once, also the one that began before others and ended after them")
        equal(all_of_them.lines[-1]["usage"]["input_tokens"], 100, "in the order in which they end")
        equal([r["operation"] for r in embeddings.lines], ["embeddings"] * 2, "filters hold")
        all_of_them.process.terminate()
        embeddings.process.terminate()


DIMS = ["hour", "day", "month", "workspace", "key", "integration", "operation", "model", "model_asked", "tier", "status", "outcome", "cost_state", "stream"]


def costs_add_up_exactly():
    with Gateway(Upstream(serve).url) as g:
        rows, _ = fill(g)
        cost = sum((Decimal(r["cost_usd"]) for r in rows if r["cost_usd"] is not None), Decimal(0))
        wanted = {"cost_usd": cost, "requests": 24, "errors": 4, "unpriced": sum(r["cost_state"] == "unpriced" for r in rows), "input_tokens": sum(r["usage"]["input_tokens"] for r in rows), "output_tokens": sum(r["usage"]["output_tokens"] for r in rows)}

        def report(*args):
            return json.loads(g.cli("cost", "--json", *args).stdout, parse_float=Decimal)

        by = {"key": lambda r: r["key"], "operation": lambda r: r["operation"], "status": lambda r: r["status"] // 100, "outcome": lambda r: r["outcome"],
              "cost_state": lambda r: r["cost_state"], "stream": lambda r: r["stream"], "integration": lambda r: r["integration"], "workspace": lambda r: r["workspace"]}
        for dims in [[d] for d in DIMS] + [["model", "key"], ["day", "operation", "status", "outcome", "stream", "tier"], ["key", "model", "cost_state"]]:
            answer = report("--group-by", ",".join(dims))
            equal({k: answer["total"][k] for k in wanted}, wanted, f"{dims}: the total")
            for name in wanted:
                equal(sum(group[name] for group in answer["data"]), wanted[name], f"{dims}: {name} of the groups adds up to the total")
            for group in answer["data"] + [answer["total"]]:
                equal(sum(group["meter_cost_usd"].values()), group["cost_usd"], f"{dims}: the meters of a group add up")
                check(all(d in group for d in dims) or group is answer["total"], f"{dims}: a group has its dimensions")
            if len(dims) == 1 and dims[0] in by:
                find = by[dims[0]]
                found = {group[dims[0]]: (group["requests"], group["cost_usd"]) for group in answer["data"]}
                count = {v: (sum(find(r) == v for r in rows), sum((Decimal(r["cost_usd"] or 0) for r in rows if find(r) == v), Decimal(0))) for v in map(find, rows)}
                equal(found, count, f"by {dims[0]}")
        equal(report("--operation", "embeddings")["total"]["requests"], 4, "--operation")
        equal(report("--model", "text-embedding-3-small")["total"]["cost_usd"], Decimal("0.0000004"), "--model")
        red = next(k["id"] for k in json.loads(g.cli("key", "list", "--json").stdout)["data"] if k["name"] == "red")
        equal(report("--key-id", red)["total"]["requests"], 12, "--key-id")
        equal(report("--until", "2020-01-01")["total"]["requests"], 0, "--until")
        table = g.cli("cost", "--group-by", "model,key").stdout
        total = table.splitlines()[-1]
        check(total.startswith("total") and str(cost.normalize()) in total and "UNPRICED" in total, f"{total!r}")


def tables_take_all_the_dimensions():
    with Gateway(Upstream(serve).url) as g:
        g.post("/v1/chat/completions", chat())
        head = g.cli("cost", "--group-by", "hour,day,month,workspace,key,model,tier,status,outcome").stdout.splitlines()[0]
        equal(head.split()[:9], "hour day month workspace key model tier status outcome".split(), "nine columns")


def damage_is_found():
    with Gateway(Upstream(serve).url) as g:
        fill(g)
        equal(g.cli("verify", "--data", g.dir).returncode, 0, "while it runs")
        g.stop()
        clean = g.cli("verify", "--data", g.dir, "--json")
        found = json.loads(clean.stdout)
        equal((found["rows"], found["findings"], clean.stderr), (24, 0, ""), "a healthy directory")
        check("all is well" in g.cli("verify", "--data", g.dir).stdout, "in words")

        def damaged(what, harm):
            copy = tempfile.mkdtemp(prefix="tollgate-damaged-")
            shutil.copytree(g.dir, copy, dirs_exist_ok=True)
            harm(copy)
            done = tollgate("verify", "--data", copy)
            equal(done.returncode, 5, f"{what}: exit status, with {done.stdout!r} {done.stderr!r}")
            check(done.stderr.strip() and "findings" in done.stdout, f"{what}: said what")
            equal(json.loads(tollgate("verify", "--data", copy, "--json").stdout)["findings"] > 0, True, f"{what}: --json")
            shutil.rmtree(copy)

        def files(copy, folder):
            return sorted(os.path.join(copy, folder, f) for f in os.listdir(os.path.join(copy, folder)))

        def flip(path, at):
            with open(path, "r+b") as f:
                f.seek(at)
                byte = f.read(1)
                f.seek(at)
                f.write(bytes([byte[0] ^ 0x40]))

        def sql(copy, text):
            db = sqlite3.connect(os.path.join(copy, "ledger.db"))
            db.execute(text)
            db.commit()
            db.close()

        bodies = max(files(g.dir, "bodies"), key=os.path.getsize)
        damaged("a bit of a body", lambda copy: flip(bodies.replace(g.dir, copy), os.path.getsize(bodies) // 2))
        damaged("a body file that is gone", lambda copy: os.unlink(bodies.replace(g.dir, copy)))
        damaged("a row that is gone", lambda copy: sql(copy, "DELETE FROM attempts WHERE id = (SELECT min(id) FROM attempts)"))
        damaged("a cost that was changed", lambda copy: sql(copy, "UPDATE attempts SET cost_pusd = cost_pusd + 1 WHERE id = (SELECT max(id) FROM attempts)"))
        fails(tollgate("verify", "--data", "/nonexistent"), 1, "/nonexistent", "no directory")
        fails(tollgate("verify", "--data", tempfile.mkdtemp()), 1, "cannot be checked", "an empty directory")
        g.start()


OVERRIDE = ("kind,model,operation,meter,tier,context,quality,size,from,to,value,per,basis,note\n"
            "price,our-model,text,input,,,,,,,{},1000000 tokens,,\nprice,our-model,text,output,,,,,,,{},1000000 tokens,,\n")


def prices_are_read_again():
    path = os.path.join(tempfile.mkdtemp(), "prices.csv")

    def write(text):
        with open(path, "w") as f:
            f.write(text)

    def cost_now(g):
        headers = g.post("/v1/chat/completions", chat(model="our-model"))[1]
        return headers["x-tollgate-cost-usd"]

    def at(price):
        row = completion(prompt=11 + len(json.dumps(chat(model="our-model"))) % 7)["usage"]
        return Decimal(price) * (row["prompt_tokens"] + row["completion_tokens"]) / 1_000_000

    write(OVERRIDE.format(1, 1))
    with Gateway(Upstream(serve).url, args=["--prices", path, "--workers", "2"]) as g:
        equal(Decimal(cost_now(g)), at(1), "the user's price")
        write(OVERRIDE.format(2, 2))
        equal(g.post("/tollgate/v1/prices/reload", b"")[0], 204, "reload")
        wait_until("the new price", 2, lambda: Decimal(cost_now(g)) == at(2))
        write(OVERRIDE.format(3, 3))
        g.process.send_signal(signal.SIGHUP)
        wait_until("the next price", 2, lambda: Decimal(cost_now(g)) == at(3))
        for broken, words in ((OVERRIDE.format("x", 1), "line 2"), ("nonsense\n", "line 1"), (OVERRIDE.format(1, 1) + "price,our-model,text,input,,,,,,,9,1000000 tokens,,\n", "line 4")):
            write(broken)
            status, _, body = g.post("/tollgate/v1/prices/reload", b"")
            error = json.loads(body)["error"]
            equal((status // 100, words in error["message"], path in error["message"]), (4, True, True), f"a broken file: {body!r}")
            refused = g.log_text().count("prices_refused")
            g.process.send_signal(signal.SIGHUP)
            wait_until("a word in the log", 2, lambda: g.log_text().count("prices_refused") > refused)
            equal(Decimal(cost_now(g)), at(3), "the old prices stay")
        os.unlink(path)
        check(g.post("/tollgate/v1/prices/reload", b"")[0] >= 400, "a file that is gone")
        equal(Decimal(cost_now(g)), at(3), "the old prices stay")
        member = g.key("member")
        equal(g.post("/tollgate/v1/prices/reload", b"", key=member)[0], 403, "not for members")
        write(OVERRIDE.format(4, 4))
        stop = time.monotonic() + 1.5

        def hammer(how):
            while time.monotonic() < stop:
                how()

        threads = [threading.Thread(target=hammer, args=(how,)) for how in (lambda: g.process.send_signal(signal.SIGHUP), lambda: g.post("/tollgate/v1/prices/reload", b""), lambda: cost_now(g))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until("the last price", 2, lambda: Decimal(cost_now(g)) == at(4))
        write("nonsense\n")
        g.stop()
        done = tollgate("serve", "--listen", "127.0.0.1:0", "--data", g.dir, "--prices", path)
        fails(done, 1, "line 1", "a broken file at start")
        write(OVERRIDE.format(4, 4))
        g.start()


def starting_is_refused_with_a_reason():
    here = tempfile.mkdtemp(prefix="tollgate-start-")

    def start(*args, env=None, data="fresh"):
        return tollgate("serve", "--listen", "127.0.0.1:0", "--data", os.path.join(here, data), *args, env=env, timeout=20)

    fails(start(env={"TOLLGATE_ADMIN_KEY": "too-short"}), 1, "24", "a short admin key")
    equal(os.path.exists(os.path.join(here, "fresh", "control.db")), False, "and nothing was made")
    for args, words in ((["--listen", "nowhere"], "nowhere"), (["--listen", "127.0.0.1:99999"], "99999"), (["--listen", "no-such-host.invalid:80"], "no-such-host.invalid"),
                        (["--allow-upstream", "10.0.0.0/40"], "10.0.0.0/40"), (["--prices", "/nonexistent.csv"], "/nonexistent.csv"), (["--ca-file", "/nonexistent.pem"], "/nonexistent.pem"),
                        (["--data", "/proc/nothing/here"], "/proc/nothing/here")):
        fails(start(*args, env={"TOLLGATE_ADMIN_KEY": ADMIN_KEY}), 1, words, f"{args}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fails(start("--listen", f"127.0.0.1:{taken.getsockname()[1]}"), 1, "in use", "a port that is taken")
    with Gateway(Upstream(serve).url) as g:
        fails(tollgate("serve", "--listen", "127.0.0.1:0", "--data", g.dir), 1, "in use by another process", "a directory that is served")
        equal(g.post("/v1/chat/completions", chat())[0], 200, "the first goes on")
        g.stop()
        fails(tollgate("serve", "--listen", "127.0.0.1:0", "--data", g.dir, env={"TOLLGATE_MASTER_KEY": "00" * 32}), 1, "master key", "a wrong master key")
        os.rename(os.path.join(g.dir, "master.key"), os.path.join(g.dir, "kept"))
        fails(tollgate("serve", "--listen", "127.0.0.1:0", "--data", g.dir), 1, "master", "a lost master key")
        equal(os.path.exists(os.path.join(g.dir, "master.key")), False, "no new one is made for old secrets")
        os.rename(os.path.join(g.dir, "kept"), os.path.join(g.dir, "master.key"))
        g.start()
        equal(g.post("/v1/chat/completions", chat())[0], 200, "the right one opens it again")


def a_first_start_makes_an_owner_key():
    data = os.path.join(tempfile.mkdtemp(), "data")
    process = subprocess.Popen([binary("tollgate"), "serve", "--listen", "127.0.0.1:0", "--data", data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={k: v for k, v in os.environ.items() if not k.startswith("TOLLGATE_") or k.endswith("_BIN")})
    try:
        lines = [process.stdout.readline() for _ in range(6)]
        url = next(l for l in lines if l.startswith("gateway"))[len("gateway"):].strip().removesuffix("/v1")
        key = next(l for l in lines if l.startswith("tg-")).strip()
        kept = os.path.join(data, "admin.key")
        equal((open(kept).read().strip(), os.stat(kept).st_mode & 0o777, os.stat(os.path.join(data, "master.key")).st_mode & 0o777, os.stat(data).st_mode & 0o777), (key, 0o600, 0o600, 0o700), "kept, and for nobody else")
        equal(tollgate("logs", "--url", url, "--data", data).returncode, 0, "commands find it in the data directory")
        equal(tollgate("logs", env={"TOLLGATE_URL": url, "TOLLGATE_DATA": data}).returncode, 0, "or by TOLLGATE_DATA")
    finally:
        process.terminate()
        out, err = process.communicate(timeout=20)
    equal(process.returncode, 0, "exit status")
    check(key not in err, "not in the log")
    again = subprocess.Popen([binary("tollgate"), "serve", "--listen", "127.0.0.1:0", "--data", data], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = [again.stdout.readline() for _ in range(4)]
    again.terminate()
    rest, _ = again.communicate(timeout=20)
    check(key not in "".join(lines) + rest, "shown once")


run(help_is_there_for_everything, wrong_command_lines_are_explained, servers_that_are_not_there, refusals_have_the_servers_sentence,
    accounts_are_connected_and_changed, keys_live_and_die, bodies_are_kept_by_the_keys_wish, logs_show_and_filter, logs_follow, costs_add_up_exactly,
    tables_take_all_the_dimensions, damage_is_found, prices_are_read_again, starting_is_refused_with_a_reason, a_first_start_makes_an_owner_key)
