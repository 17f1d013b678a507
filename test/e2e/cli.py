#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line: what it says, what it exits with, and that it shows every request once."""

import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, PROVIDER_KEY, Gateway, Upstream, binary, chat, check, completion, equal, run, wait_until


def answer(request):
    if "slow" in request.headers.get("x-test", ""):
        time.sleep(1.5)
    request.answer(completion())


def follow(gateway, folder, *options):
    path = os.path.join(folder, "followed")
    env = dict(os.environ, TOLLGATE_URL=gateway.url, TOLLGATE_KEY=ADMIN_KEY)
    with open(path, "wb") as out:
        return path, subprocess.Popen([binary("tollgate"), "logs", "--follow", *options], env=env, stdout=out, stderr=out)


def following_shows_every_request_once():
    """Also one that began before others and ended after them, and more at once than the page holds."""
    up = Upstream(answer)
    with Gateway(up.url) as g:
        before = [g.post("/v1/chat/completions", chat())[1]["x-tollgate-request-id"] for _ in range(3)]
        path, process = follow(g, os.environ.get("TMPDIR", "/tmp"), "--json", "--limit", "5")
        lines = lambda: open(path).read().splitlines()
        wait_until("the latest rows", 10, lambda: len(lines()) == 3)
        slow = []
        thread = threading.Thread(target=lambda: slow.append(
            g.post("/v1/chat/completions", chat(), headers={"x-test": "slow"})[1]["x-tollgate-request-id"]))
        thread.start()
        time.sleep(0.2)
        quick = [g.post("/v1/chat/completions", chat())[1]["x-tollgate-request-id"] for _ in range(40)]
        thread.join()
        wait_until("all rows", 10, lambda: len(lines()) >= 44)
        time.sleep(1.2)
        shown = [json.loads(line, parse_float=str) for line in lines()]
        equal([r["id"] for r in shown], before + quick + slow, "in the order in which they ended")
        check(all(isinstance(r["cost_usd"], str) for r in shown), "amounts are numbers with all their digits")
        g.stop()
        equal(process.wait(10), 3, "exit status when the server goes away")


def mistakes_are_explained():
    up = Upstream(answer)
    with Gateway(up.url) as g:
        def fails(status, words, *args, **env):
            done = g.cli(*args, check=False, env=env)
            equal(done.returncode, status, " ".join(args))
            check(words in done.stderr, f"{args}: {done.stderr}")
            equal(done.stdout, "", "nothing on stdout")

        fails(2, "'tollgate help'", "frobnicate")
        fails(2, "key create", "key")
        fails(2, "--bogus", "logs", "--bogus")
        fails(2, "between 1 and 10000", "logs", "--limit", "0")
        fails(2, "NOT_SET", "connect", "openai", "--api-key-env", "NOT_SET")
        fails(3, "cannot be reached", "logs", "--url", "http://127.0.0.1:1")
        fails(4, "invalid_api_key", "logs", "--key", "tg-wrong")
        fails(4, "client_cancelled", "logs", "--outcome", "nonsense")
        fails(4, "month", "cost", "--group-by", "nonsense")
        fails(4, "not_found", "logs", "tgr_0000000000000")
        fails(1, "data directory", "verify", "--data", "/nonexistent")
        equal(g.cli("key", "--help").returncode, 0, "help of a group")
        equal(g.cli("logs", "--model", "no-such-model").stdout, "", "no rows, no table")


def connect_makes_and_changes_accounts():
    up = Upstream(answer)
    with Gateway(up.url) as g:
        key = {"PROVIDER_KEY": PROVIDER_KEY}
        made = g.cli("connect", "openai", "--slug", "second", "--api-key-env", "PROVIDER_KEY", "--base-url", up.url, env=key)
        check(made.stdout.startswith("connected second") and "default" not in made.stdout, made.stdout)
        check(PROVIDER_KEY not in made.stdout + made.stderr, "the key is not shown")
        changed = g.cli("connect", "openai", "--slug", "second", "--default")
        check("updated second" in changed.stdout and "(default)" in changed.stdout, "the default, without the key")
        equal(g.post("/v1/chat/completions", chat())[0], 200, "it serves")
        equal(g.rows(limit=1)[0]["integration"], "second", "by the new account")
        other = g.cli("connect", "azure-openai", "--slug", "second", "--api-key-env", "PROVIDER_KEY", "--base-url",
                      up.url.removesuffix("/v1"), env=key, check=False)
        equal(other.returncode, 4, "a slug of another kind is refused")
        moved = g.cli("connect", "openai", "--slug", "second", "--base-url", "https://example.com/v1", check=False)
        equal(moved.returncode, 4, "a stored key does not move to another host")
        local = g.cli("connect", "openai-compatible", "--slug", "local", "--base-url", up.url)
        check("without a key" in local.stdout, local.stdout)


run(following_shows_every_request_once, mistakes_are_explained, connect_makes_and_changes_accounts)
