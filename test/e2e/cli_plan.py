#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""tollgate plan: where a request would go by a config, said without a server."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import binary, check, equal, run

CONFIG = {
    "strategy": {"mode": "conditional", "conditions": [
        {"query": {"metadata.plan": "paid"}, "then": "paid"}, {"query": {"params.n": {"$gt": 3}}, "then": "nowhere"},
        {"query": {"url.pathname": {"$regex": "embed"}}, "then": "paid"}], "default": "free"},
    "targets": [
        {"name": "paid", "strategy": {"mode": "fallback", "on_status_codes": [429, 503]}, "retry": {"attempts": 2, "on_status_codes": [429]}, "targets": [
            {"provider": "@openai", "requestTimeout": 2000, "override_params": {"model": "gpt-4o", "temperature": 0}, "drop_params": ["user"]},
            {"strategy": {"mode": "loadbalance"}, "targets": [{"virtual_key": "a", "weight": 0.7}, {"virtual_key": "b", "weight": 0.3}]},
            {"provider": "azure-openai", "api_key": "sk-never-shown", "deployment_id": "d", "cache": {"mode": "simple"}}]},
        {"name": "free", "provider": "@openai", "input_guardrails": [{"notNull": {}}]}],
}


def plan(config, request=None, *args, stdin=None):
    """Runs the command with both as files, or what is None or "-" left out or from stdin."""
    with tempfile.TemporaryDirectory() as folder:
        command = [binary("tollgate"), "plan"]
        for name, value in (("config", config), ("request", request)):
            if value is None:
                continue
            path = os.path.join(folder, name)
            if value != "-":
                with open(path, "w") as f:
                    f.write(value if isinstance(value, str) else json.dumps(value))
            command += [f"--{name}", "-" if value == "-" else path]
        return subprocess.run([*command, *args], input=stdin, capture_output=True, text=True, timeout=30)


def planned(config, request=None, *args):
    done = plan(config, request, "--json", *args)
    equal((done.returncode, done.stderr), (0, ""), f"plan of {request}")
    return json.loads(done.stdout)


def paths(config, request=None, *args):
    return [step["path"] for step in planned(config, request, *args)["steps"]]


def steps_are_listed_with_what_they_do():
    got = planned(CONFIG, {"metadata": {"plan": "paid"}, "body": {"model": "x"}}, "--seed", "4")
    equal((got["mode"], got["attempts_max"], got["seed"], len(got["steps"])), ("conditional", 9, 4, 3), "plan")
    first, second, third = got["steps"]
    equal(first["path"], "config.targets[0].targets[0]", "first")
    equal(first["target"]["provider"], "@openai", "provider")
    equal(first["target"]["model"], "gpt-4o", "model")
    equal(first["override_params"], {"model": "gpt-4o", "temperature": 0}, "overrides")
    equal((first["drop_params"], first["request_timeout"]), (["user"], 2000), "drops, timeout")
    equal(first["retry"], {"attempts": 2, "on_status_codes": [429], "use_retry_after_header": False}, "retry")
    equal(first["next"], [{"on": [429, 503], "step": 2}], "next of the first")
    equal(second["next"], [{"on": [429, 503], "step": 3}], "next of the second")
    equal((third["next"], third["cache"]), ([], {"mode": "simple", "max_age": 604800}), "third")
    check(any("condition 1 of 3 is true" in line for line in got["why"]), f"why: {got['why']}")


def text_says_the_same():
    done = plan(CONFIG, {"metadata": {"plan": "paid"}, "body": {}}, "--seed", "4")
    equal((done.returncode, done.stderr), (0, ""), "text")
    for words in ("conditional, 3 steps, at worst 9 attempts", "--seed 4", "1. config.targets[0].targets[0]\n", 'target    @openai, model "gpt-4o"',
                  "up to 2 more on 429, after 1 2 s", "408 when nothing came after 2000 ms", "model, temperature replaced; user dropped",
                  "to step 2 on 429 503", "the answer is the client's", "azure-openai, with a key of its own, deployment d", "simple, for 604800 s"):
        check(words in done.stdout, f"{words!r} in\n{done.stdout}")
    check("sk-never-shown" not in done.stdout, "a key is shown")
    check("1 before, 0 after" in plan(CONFIG).stdout, "guardrails")


def requests_come_as_bodies_or_with_all_around_them():
    free = ["config.targets[1]"]
    equal(paths(CONFIG), free, "no request")
    equal(paths(CONFIG, {"model": "x", "n": 1}), free, "a body")
    equal(paths(CONFIG, {"model": "x", "metadata": {"plan": "paid"}}), free, "metadata of a body is the provider's")
    equal(len(paths(CONFIG, {"metadata": {"plan": "paid"}})), 3, "metadata alone")
    equal(len(paths(CONFIG, {"path": "/v1/embeddings?x=1"})), 3, "path alone")
    equal(len(paths(CONFIG, {"headers": {"X-Portkey-Metadata": '{"plan":"paid"}'}})), 3, "metadata in a header")
    got = planned(CONFIG, {"n": 4})["steps"]
    equal([(s["status"], s["message"]) for s in got], [(400, "Invalid target name found in the query router: nowhere")], "refusal")
    check("400: Invalid target name" in plan(CONFIG, {"n": 4}).stdout, "refusal as text")
    done = plan("-", {"n": 1}, "--json", stdin=json.dumps(CONFIG))
    equal((done.returncode, json.loads(done.stdout)["steps"][0]["path"]), (0, free[0]), "config from stdin")
    done = plan(CONFIG, "-", "--json", stdin='{"metadata":{"plan":"paid"}}')
    equal((done.returncode, len(json.loads(done.stdout)["steps"])), (0, 3), "request from stdin")


def a_seed_repeats_the_draw():
    balance = {"strategy": {"mode": "loadbalance"}, "targets": [{"virtual_key": str(i)} for i in range(4)]}
    drawn = [paths(balance, None, "--seed", str(seed))[0] for seed in range(12)]
    equal(drawn, [paths(balance, None, "--seed", str(seed))[0] for seed in range(12)], "second time")
    check(len(set(drawn)) > 1, f"all drew {drawn[0]}")
    got = planned(balance)
    equal(paths(balance, None, "--seed", str(got["seed"])), [got["steps"][0]["path"]], "the seed that is told")


def errors_are_listed():
    done = plan({"strategy": {"mode": "dice"}, "targets": [{"retry": {}}]})
    equal((done.returncode, done.stdout), (1, ""), "bad config")
    for words in ("Invalid config passed", "path: strategy,mode, message: Invalid 'mode' value.", "path: targets,0,retry,attempts, message: Required"):
        check(words in done.stderr, f"{words!r} in {done.stderr!r}")
    done = plan({"retry": {}}, None, "--json")
    equal((done.returncode, json.loads(done.stdout)), (1, {"status": "failure", "message": "Invalid config passed", "errors": ["path: retry,attempts, message: Required"]}), "as JSON")
    for config, words in (("{", "You need to pass a valid json"), ({"options": []}, "This version of config is not supported in this route"),
                          ({"input_guardrails": ["pg-a"]}, "Following guardrails are not valid: pg-a"), (" " * 300000, "more than 262144 bytes")):
        done = plan(config)
        equal((done.returncode, done.stdout), (1, ""), words)
        check(words in done.stderr, f"{words!r} in {done.stderr!r}")
    for request, words in (("[1]", "no JSON object"), ("{", "no JSON object")):
        done = plan(CONFIG, request)
        equal((done.returncode, done.stdout), (1, ""), words)
        check(words in done.stderr, f"{words!r} in {done.stderr!r}")
    for args in ((None,), ("-", "-")):
        equal(plan(*args, stdin="{}").returncode, 2, f"use {args}")
    done = subprocess.run([binary("tollgate"), "plan", "--config", "/nonexistent/c.json"], capture_output=True, text=True, timeout=30)
    equal(done.returncode, 1, "missing file")
    check("cannot be opened" in done.stderr, done.stderr)


if __name__ == "__main__":
    run(steps_are_listed_with_what_they_do, text_says_the_same, requests_come_as_bodies_or_with_all_around_them, a_seed_repeats_the_draw, errors_are_listed)
