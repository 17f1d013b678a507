#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
Blaxel's contract, with its real SDKs: base URLs, headers, workspaces, versions and pages; integration connections and their
catalogue; model APIs, revisions, inference; policies; metrics, logs, spending. Each check names its row of the contract.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from blaxel import DRIVER, MASK, PAGES, SECRET, Bench, connection, envelope, model
from harness import ADMIN_KEY, check, wait_until
from portkey import sees, suite
from scripted import cut_body, reset, say, stream

ROTATED = "sk-proj-rotated-secret-0123456789wxyz"


def chat(b, name, **more):
    return b.run(name, **more)[0]


# --- where the server is ------------------------------------------------------------------------------

def rows_1_to_3_base_urls(b):
    made = b.core("createModel", {"body": model("first")})
    sees("row 30", (made["status"], made["data"]["status"], made["data"]["metadata"]["url"]),
         (200, "DEPLOYED", b.gw.url + "/run/default/models/first"), "a member makes a model")
    found = b.core("getModel", {"path": {"modelName": "first"}})
    sees("row 1", (found["data"]["spec"]["runtime"]["model"], b.core.wire[0]["url"]), ("gpt-4o-mini", b.gw.url + "/v0/models/first"), "getModel")
    proxied = b.sdk(BL_API_URL="", BL_RUN_URL="")
    proxied("initialize", {"proxy": b.gw.url, "workspace": "default", "apiKey": b.key})
    found = proxied("getModel", {"path": {"modelName": "first"}})
    sees("row 2", (found["status"], proxied.wire[0]["url"]), (200, b.gw.url + "/api/models/first"), "behind a proxy")
    check({k: v for k, v in found["data"].items()} == b.get("/models/first"), "row 2: not as below /v0")
    legacy = b.sdk()
    legacy("setConfig", {"baseUrl": b.gw.url + "/v0"}, sdk="legacy")
    listed = legacy("listModels", sdk="legacy")
    check(isinstance(listed["data"], list) and "blaxel-version" not in legacy.wire[0]["sent"], f"row 3: {listed}")


def rows_4_to_8_credentials(b):
    for row, headers, wanted in (("row 4", {"x-blaxel-authorization": "Bearer " + b.key}, 200),
                                 ("row 5", {"Authorization": "Bearer " + b.key}, 200),
                                 ("row 6", {"x-blaxel-authorization": "Bearer " + b.key, "Authorization": "Bearer replaced"}, 200),
                                 ("row 7", {"x-blaxel-authorization": "Bearer " + b.key, "Authorization": ""}, 200),
                                 ("row 10", {"x-blaxel-authorization": "Bearer wrong", "Authorization": "Bearer " + b.key}, 401)):
        sees(row, b.gw.request("GET", "/v0/models", headers=headers, key=None)[0], wanted, "control plane")
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        sees(row, b.gw.request("POST", "/run/default/models/first/v1/chat/completions", body, headers, key=None)[0], wanted, "inference")
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    status, _, _ = b.gw.request("POST", "/default/models/first/v1/chat/completions", body, {"Authorization": "Bearer " + b.key}, key=None)
    sees("row 8", status, 200, "the workspace is in the path alone, at the root form")


def rows_9_to_12_refusals(b):
    status, _, body = b.gw.request("GET", "/v0/models", key=None)
    check(status == 401 and isinstance(json.loads(body)["error"], str), f"row 9: {status} {body}")
    envelope("row 9", b.run("first", headers={"x-blaxel-authorization": None}), 401, "AUTHENTICATION_REQUIRED")
    envelope("row 10", b.run("first", key="tg-nobody"), 401, "AUTHENTICATION_FAILED")
    wrong = b.sdk(key="tg-nobody")
    found = wrong("getModel", {"path": {"modelName": "first"}})
    check(found["status"] == 401 and "documentation" in found["error"], f"row 10: {found}")
    sees("row 10", wrong("getModelMetadata", "first"), None, "metadata with a wrong key")
    b.post("/workspaces", {"name": "second", "displayName": "Second"}, key=ADMIN_KEY)
    sees("row 11", b.call("GET", "/models", headers={"x-blaxel-workspace": "second"})[0], 403, "another workspace by header")
    sees("row 11", b.call("GET", "/models?workspace=second")[0], 403, "another workspace by parameter")
    envelope("row 11", b.run("first", workspace="second"), 403, "FORBIDDEN")
    sees("row 66", b.core("getWorkspace", {"path": {"workspaceName": "default"}})["status"], 200, "one's own workspace")
    sees("row 66", (b.call("GET", "/workspaces/second")[0], b.call("GET", "/workspaces/typo")[0]), (403, 403), "others', and none")
    sees("row 12", b.call("GET", "/models", key=ADMIN_KEY, headers={"x-blaxel-workspace": None})[0], 400, "none named of several")
    sees("row 12", len(b.get("/workspaces", key=ADMIN_KEY, headers={"x-blaxel-workspace": None})), 2, "the list needs none")
    sees("row 11", b.get("/models", key=ADMIN_KEY, headers={"x-blaxel-workspace": "second"}), [], "an owner reaches it")


def rows_67_68_workspaces(b):
    counted = b.core("getWorkspace", {"path": {"workspaceName": "default"}, "query": {"countResources": True}})["data"]
    check(counted["resourceCounts"]["models"] >= 1 and counted["resourceCounts"]["integrationconnections"] >= 1 and "policies" in counted["resourceCounts"],
          f"row 67: {counted}")
    sees("row 68", b.post("/workspaces/availability", {"name": "free-name"}), True, "a bare boolean")
    sees("row 68", b.post("/workspaces/availability", {"name": "second"}), False, "a bare boolean")
    for name, reason in (("second", "taken"), ("v1", "forbidden_v_prefix"), ("console", "forbidden_reserved"), ("blaxel-x", "forbidden_blaxel")):
        found = b.post("/workspaces/availability?withReason=true", {"name": name})
        sees("row 68", (found["available"], found["reason"]), (False, reason), name)
    sees("row 67", [w["name"] for w in b.core("listWorkspaces")["data"]], ["default"], "what a member sees")
    check(b.get("/locations") and "regions" in b.get("/configuration"), "locations and configuration")
    sees("workspaces", b.call("POST", "/workspaces", {"name": "third"})[0], 403, "a member makes none")
    sees("workspaces", b.call("POST", "/workspaces", {"name": "second"}, key=ADMIN_KEY)[0], 409, "the name is taken")
    sees("workspaces", b.put("/workspaces/second", {"displayName": "2nd"}, key=ADMIN_KEY)["displayName"], "2nd", "renamed")


# --- lists --------------------------------------------------------------------------------------------

def rows_13_to_20_lists(b):
    check(isinstance(b.get("/models"), list), "row 13: no bare array without a version")
    page = b.core("listModels")["data"]
    check(set(page) == {"data", "meta"} and set(page["meta"]) == {"hasMore", "nextCursor", "total"}, f"row 14: {page}")
    status, _, answer = b.call("GET", "/models", headers={"Blaxel-Version": "2020-01-01"})
    check(status == 400 and answer["error"] == "invalid_api_version" and "2026-04-28" in answer["message"], f"row 15: {status} {answer}")
    key = ADMIN_KEY
    pages = {**PAGES, "x-blaxel-workspace": "second"}
    b.post("/integrations/connections", connection("openai-main", b.up.url), key=key, headers=pages)
    for n in range(215):
        spec = model(f"page-{n:03}", labels={"team": "support" if n == 7 else "other"}, display="Superb" if n == 8 else None, enabled=n != 9)
        b.post("/models", spec, key=key, headers=pages)
    owner = b.sdk(key=key, workspace="second")
    walked = owner("all", {"limit": 50})["pages"]
    sees("row 16", [len(p["names"]) for p in walked], [50, 50, 50, 50, 15], "pages")
    cursors = [p["meta"]["nextCursor"] for p in walked]
    check(cursors[-1] == "" and len(set(cursors)) == 5, f"row 16: {cursors}")
    names = [n for p in walked for n in p["names"]]
    sees("row 16", names, [f"page-{n:03}" for n in reversed(range(215))], "newest first, each once")
    listed = b.get("/models?limit=1000", key=key, headers=pages)
    sees("row 17", (len(listed["data"]), listed["meta"]["total"], listed["meta"]["hasMore"]), (200, 215, True), "the limit is clamped")
    sees("row 18", b.call("GET", f"/models?limit=50&sort=name:asc&cursor={cursors[0]}", key=key, headers=pages)[0], 400, "a cursor of another sort")
    sees("row 18", b.call("GET", "/models?cursor=abc", key=key, headers=pages)[0], 400, "a cursor that is none")
    sees("row 18", b.call("GET", f"/models?limit=50&cursor={cursors[0]}", key=key, headers=PAGES)[0], 400, "a cursor of another workspace")
    for query, wanted in (("q=sup", ["page-007", "page-008"]), ("q=SUPPORT", ["page-007"]), ("q=page-01", [f"page-01{n}" for n in range(10)])):
        found = b.get(f"/models?{query}&sort=name:asc", key=key, headers=pages)
        sees("row 19", [m["metadata"]["name"] for m in found["data"]], wanted, query)
    sees("row 19", len(owner("listModels", {"query": {"q": "a", "limit": 200}})["data"]["data"]), 200, "one letter filters nothing")
    found = b.get("/models?status=deactivated", key=key, headers=pages)
    sees("row 20", [m["metadata"]["name"] for m in found["data"]], ["page-009"], "status=deactivated")
    sees("row 20", b.call("GET", "/models?status=deployed,foo", key=key)[0], 400, "an unknown status, on every version")
    found = b.get("/models?anchor=end&limit=3", key=key, headers=pages)
    sees("row 16", [m["metadata"]["name"] for m in found["data"]], ["page-002", "page-001", "page-000"], "the last page at once")
    sees("row 16", b.call("GET", "/models?anchor=end&sort=name:asc", key=key, headers=pages)[0], 400, "anchor with a sort by name")


# --- connections --------------------------------------------------------------------------------------

def rows_21_to_26_connections(b):
    owner = b.sdk(key=ADMIN_KEY)
    made = owner("createIntegrationConnection", {"body": connection("second-account", b.up.url, organization="org-1")})
    sees("row 21", (made["status"], made["data"]["spec"]["secret"]), (200, {"apiKey": MASK}), "the secret is masked")
    sees("row 22", b.call("POST", "/integrations/connections", connection("mine", b.up.url))[0], 403, "a member connects nothing")
    status, fields, _ = b.call("POST", "/integrations/connections", connection("second-account", b.up.url), key=ADMIN_KEY)
    sees("row 23", (status, fields.get("x-should-retry")), (409, "false"), "a second one of the name")
    odd = connection("odd", b.up.url)
    odd["spec"]["integration"] = "anthropic"
    sees("row 21", b.call("POST", "/integrations/connections", odd, key=ADMIN_KEY)[0], 400, "an unsupported type")
    shown = owner("getIntegrationConnection", {"path": {"connectionName": "second-account"}})["data"]
    check(SECRET not in json.dumps(shown) and shown["spec"]["secret"]["apiKey"] == MASK, f"row 24: {shown}")
    sees("row 24", b.get("/integrations/connections/second-account")["spec"]["secret"], {}, "what a member sees")
    check(all(c["spec"]["secret"] == {} for c in b.core("listIntegrationConnections")["data"]), "row 24: the list")
    b.model("rotates", "rotates", connections=["second-account"])
    chat(b, "rotates")
    sees("row 25", b.up.seen("rotates")[-1].headers["authorization"], "Bearer " + SECRET, "the key upstream")
    owner("updateIntegrationConnection", {"path": {"connectionName": "second-account"}, "body": connection("second-account", b.up.url, ROTATED)})
    chat(b, "rotates")
    sees("row 25", b.up.seen("rotates")[-1].headers["authorization"], "Bearer " + ROTATED, "the new key upstream")
    masked = connection("second-account", b.up.url, "sk-…wxyz", organization="org-2")
    b.put("/integrations/connections/second-account", masked, key=ADMIN_KEY)
    del masked["spec"]["secret"]
    b.put("/integrations/connections/second-account", masked, key=ADMIN_KEY)
    chat(b, "rotates")
    seen = b.up.seen("rotates")[-1].headers
    sees("row 25", (seen["authorization"], seen["openai-organization"]), ("Bearer " + ROTATED, "org-2"), "a masked or missing secret keeps it")
    gone = owner("deleteIntegrationConnection", {"path": {"connectionName": "second-account"}})
    check(gone["status"] == 409 and "rotates" in gone["error"]["message"], f"row 26: {gone}")
    sees("row 22", b.call("DELETE", "/integrations/connections/second-account")[0], 403, "a member deletes none")
    b.core("deleteModel", {"path": {"modelName": "rotates"}})
    gone = owner("deleteIntegrationConnection", {"path": {"connectionName": "second-account"}})
    sees("row 26", (gone["status"], gone["data"]["metadata"]["name"]), (200, "second-account"), "once nothing uses it")
    check(SECRET not in b.gw.log_text() and ROTATED not in b.gw.log_text(), "a key is in the log")
    audit = b.gw.get("/tollgate/v1/audit")[2].decode()
    check("integration.update" in audit and ROTATED not in audit and SECRET not in audit, "row 76: the rotation in the audit log")


def rows_27_to_29_catalogue(b):
    ids = ["gpt-4o", "ft:gpt-4o/a b:org::id", "gpt-4o-mini"]
    listed = say(body={"object": "list", "data": [{"id": i, "object": "model", "created": 1700000000, "owned_by": "me"} for i in ids]})
    b.up.on_path("/v1/models", listed)
    path = {"connectionName": "openai-main"}
    found = b.core("listIntegrationConnectionModels", {"path": path})
    sees("row 27", [m["id"] for m in found["data"]], sorted(ids), "what the account has, for a member")
    fine_tuned, _, mini = found["data"]
    sees("row 27", (mini["context_window"], mini["modalities"]["output"], mini["pricing"]["input"], mini["pricing"]["output"], mini["pricing"]["per_tokens"]),
         (128000, ["text"], "0.15", "0.6", 1000000), "what the catalogue knows")
    sees("row 27", (fine_tuned["pricing"], fine_tuned["context_window"], fine_tuned["modalities"]), (None, None, {"input": [], "output": []}), "and what it does not")
    b.get("/integrations/connections/openai-main/models?q=mini")
    sees("row 27", len(b.up.seen(path="/v1/models")), 1, "asked upstream once")
    one = b.core("getIntegrationConnectionModel", {"path": {**path, "modelId": ids[1]}})
    sees("row 28", (one["status"], one["data"]["id"]), (200, ids[1]), "encoded")
    check("%2F" in b.core.wire[0]["url"], b.core.wire[0]["url"])
    sees("row 28", b.get("/integrations/connections/openai-main/models/ft:gpt-4o/a%20b:org::id")["id"], ids[1], "as it stands")
    sees("row 28", b.call("GET", "/integrations/connections/openai-main/models/none")[0], 404, "not there")
    sees("row 27", b.call("GET", "/integrations/connections/nowhere/models")[0], 404, "an unknown connection")
    provider = b.core("getIntegration", {"path": {"integrationName": "openai"}})["data"]
    sees("row 29", [p for p in provider["endpoints"] if "completions" in p], ["/v1/chat/completions"], "one path with completions")
    b.up.on_path("/v1/models", say(401))
    b.put("/integrations/connections/openai-main", connection("openai-main", b.up.url), key=ADMIN_KEY)  # forgets what was kept
    status, _, answer = b.call("GET", "/integrations/connections/openai-main/models")
    check(status == 502 and "401" in answer["message"], f"row 27: {status} {answer}")
    b.up.on_path("/v1/models", listed)


def catalogue_of_an_odd_upstream(b):
    """A provider that is slow, broken or endless delays nobody else, and clients may leave meanwhile."""
    path = "/integrations/connections/openai-main/models"
    slow = say(body={"object": "list", "data": []}, delay=1.5)
    b.put("/integrations/connections/openai-main", connection("openai-main", b.up.url), key=ADMIN_KEY)
    b.up.on_path("/v1/models", slow)
    for _ in range(5):
        with b.gw.socket() as s:
            s.sendall(f"GET /v0{path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {b.key}\r\n\r\n".encode())
            time.sleep(0.05)
    begun = time.monotonic()
    b.get("/models")
    check(time.monotonic() - begun < 1, "the console waits for a provider")
    for answer in (say(body=b"not JSON"), say(body={"data": {}}), cut_body(), reset(), say(body=b" " * (9 << 20))):
        b.up.on_path("/v1/models", answer)
        found = b.call("GET", path)
        check(found[0] in (200, 502) and (found[0] == 502 or found[2] == []), f"an odd list: {found}")
        b.put("/integrations/connections/openai-main", connection("openai-main", b.up.url), key=ADMIN_KEY)
    b.up.on_path("/v1/models", say(body={"object": "list", "data": [{"id": "m"}]}))
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: b.get(path), range(64)))
    check(all([m["id"] for m in rows] == ["m"] for rows in found), "64 at a time")


# --- model APIs ---------------------------------------------------------------------------------------

def rows_31_to_37_models(b):
    for body, wanted in ((model("unknown-connection", connections=["nowhere"]), 400), (model("Upper"), 400), (model("x" * 50), 400),
                         (model("no-model", upstream=""), 400), (model("no-such-policy", policies=["nothing"]), 400), (model("first"), 409)):
        answer = b.core("createModel", {"body": body})
        sees("rows 31, 32", (answer["status"], isinstance(answer["error"]["error"], str)), (wanted, True), body["metadata"]["name"])
    sees("row 32", b.model("y" * 49)["metadata"]["name"], "y" * 49, "the longest name")
    sees("row 33", b.core("updateModel", {"path": {"modelName": "missing"}, "body": model("missing")})["status"], 404, "PUT of what is not there")
    b.model("revised", labels={"a": "b"})
    for n in range(3):
        b.core("updateModel", {"path": {"modelName": "revised"}, "body": model("revised", upstream=f"gpt-4o-{n}")})
    listed = b.core("listModelRevisions", {"path": {"modelName": "revised"}})["data"]
    sees("row 37", [(r["active"], r["previousActive"]) for r in listed], [(True, False), (False, True), (False, False), (False, False)], "revisions")
    sees("row 37", b.get("/models/revised")["metadata"]["labels"], {}, "a PUT replaces everything")
    metadata = b.core("getModelMetadata", "revised")
    sees("row 38", (metadata["spec"]["runtime"]["type"], metadata["spec"]["runtime"]["model"]), ("openai", "gpt-4o-2"), "metadata")
    missing = b.core.raw("llamaindex", "chat", "missing-model", "Hi")
    check(not missing["ok"] and "not found" in missing["error"]["message"], f"row 38: {missing}")
    gone = b.core("deleteModel", {"path": {"modelName": "revised"}})
    sees("row 35", (gone["status"], gone["data"]["metadata"]["name"]), (200, "revised"), "what is deleted is shown")
    sees("row 35", b.call("GET", "/models/revised")[0], 404, "and gone")
    envelope("row 35", b.run("revised"), 404, "WORKLOAD_NOT_FOUND")
    b.model("off", enabled=False)
    sees("row 36", b.get("/models/off")["status"], "DEACTIVATED", "disabled")
    check(envelope("row 36", b.run("off"), 404, "WORKLOAD_UNAVAILABLE")["retryable"], "row 36: it may be tried later")


# --- inference ----------------------------------------------------------------------------------------

def rows_39_to_45_requests(b):
    b.model("plain", "plain-upstream")
    sees("row 39", b.core.raw("llamaindex", "chat", "plain", "Hi").get("value"), "Hello.", "LlamaIndex")
    seen = b.up.seen("plain-upstream")[-1]
    check(seen.headers["authorization"] == "Bearer " + SECRET and not [h for h in seen.headers if h.startswith("x-blaxel")], f"row 39: {seen.headers}")
    b.model("mk3m", "mk3-upstream", runtime={"generation": "mk3"})
    sees("row 40", b.core.raw("llamaindex", "chat", "mk3m", "Hi").get("value"), "Hello.", "LlamaIndex, mk3")
    sees("row 40", b.up.count("mk3-upstream"), 1, "the resource's name becomes the model's")
    status, _, body = b.run("plain", {"model": "plain", "input": "Hi"}, "/v1/responses")
    sees("row 41", (status, b.up.seen("plain-upstream")[-1].path), (200, "/v1/responses"), "responses")
    sees("row 42", chat(b, "plain", path="/chat/completions"), 200, "without /v1")
    sees("row 42", chat(b, "plain", path="/v1/v1/chat/completions"), 200, "with /v1 twice")
    for path in ("", "/"):
        status, _, body = b.run("plain", {"inputs": "Hi there"}, path)
        asked = b.up.seen("plain-upstream")[-1].json()
        sees("rows 43, 44", (status, asked["messages"], "inputs" in asked), (200, [{"role": "user", "content": "Hi there"}], False), f"base call {path!r}")
    sees("row 45", chat(b, "plain", body={"model": "gpt-4o", "messages": []}), 400, "another model")
    b.model("open", "open-upstream", runtime={"allowModelOverride": True})
    sees("row 45", chat(b, "open", body={"model": "other-upstream", "messages": []}), 200, "another model where that is allowed")
    sees("row 45", b.up.count("other-upstream"), 1, "it went upstream")
    sees("row 45", [chat(b, "open"), chat(b, "open", body={"model": "open", "messages": []}), b.up.count("open-upstream")], [200, 200, 2], "its own")
    envelope("7.3", b.run("plain", path="/v1/files", method="GET"), 404, "ROUTE_NOT_FOUND")


def rows_46_to_49_answers(b):
    sent = []
    b.up.on("plain-upstream", stream(gap=0.15, sent=sent))
    base = {"baseURL": b.gw.url + "/run/default/models/plain/v1", "apiKey": b.key}
    chunks = b.core.raw("openai", "chat.completions.create", base, {"model": "plain", "messages": [], "stream": True})
    check(chunks["ok"] and all(c["choices"] for c in chunks["value"]), f"row 46: a usage chunk that nobody asked for: {chunks}")
    status, fields, body = b.run("plain", {"messages": [], "stream": True})
    check(status == 200 and fields["content-type"] == "text/event-stream" and body.endswith(b"data: [DONE]\n\n"), f"row 46: {body[-60:]}")
    b.up.on("plain-upstream", say())
    status, fields, _ = b.run("plain", headers={"Cache-Control": "no-transform", "Accept-Encoding": "gzip, br"})
    check(status == 200 and "content-encoding" not in fields, f"row 47: {fields}")
    for wanted in (400, 401, 429):
        b.up.on("plain-upstream", say(wanted))
        status, fields, body = b.run("plain")
        check(status == wanted and json.loads(body)["error"]["message"] == f"upstream says {wanted}" and "x-blaxel-source" not in fields, f"row 48: {body}")
    b.up.on("plain-upstream", say())
    for call, args in (("embeddings.create", {"model": "plain", "input": "Hi"}), ("audio.speech.create", {"model": "plain", "input": "Hi", "voice": "a"}),
                       ("images.generate", {"model": "plain", "prompt": "Hi"}), ("moderations.create", {"model": "plain", "input": "Hi"})):
        answer = b.core.raw("openai", call, base, args)
        check(answer["ok"], f"row 49: {call}: {answer.get('error')}")


def fallback_over_connections(b):
    b.post("/integrations/connections", connection("reserve", b.up.url, ROTATED), key=ADMIN_KEY)
    b.model("two-accounts", "two-upstream", connections=["openai-main", "reserve"])
    b.up.on("two-upstream", say(500), say())
    sees("9", chat(b, "two-accounts"), 200, "the second account answers")
    sees("9", [r.headers["authorization"][-4:] for r in b.up.seen("two-upstream")], [SECRET[-4:], ROTATED[-4:]], "in their order")


# --- policies -----------------------------------------------------------------------------------------

def cap(name, **tokens):
    return {"metadata": {"name": name}, "spec": {"type": "maxToken", "resourceTypes": ["model"],
                                                 "maxTokens": {"granularity": "day", "step": 1, "input": 0, "output": 0, "total": 0, **tokens}}}


def rows_50_to_55_policies(b):
    owner = b.sdk(key=ADMIN_KEY)
    sees("row 50", b.core("createPolicy", {"body": cap("small", total=20)})["status"], 403, "a member")
    sees("row 50", owner("createPolicy", {"body": cap("small", total=20)})["status"], 200, "an admin")
    sees("row 50", b.call("POST", "/policies", cap("small", total=20), key=ADMIN_KEY)[0], 409, "the name is taken")
    for wrong in ({"granularity": "week"}, {"step": 0}, {"total": -1}, {"total": "many"}):
        sees("row 53", b.call("POST", "/policies", cap("wrong", **wrong), key=ADMIN_KEY)[0], 400, str(wrong))
    b.model("capped", "capped-upstream", policies=["small"])
    sees("row 54", b.core("getPolicyUsages", {"path": {"policyName": "small"}})["data"]["models"], ["capped"], "usages")
    listed = b.get("/policies", headers=PAGES)["data"]
    sees("row 54", [(p["metadata"]["name"], p["usage"]["models"]) for p in listed], [("small", 1)], "the list")
    check(isinstance(b.get("/policies"), list), "row 13: policies")
    sees("row 50", b.call("DELETE", "/policies/small", key=ADMIN_KEY)[0], 409, "it is carried")
    sees("row 51", [chat(b, "capped") for _ in range(3)], [200, 200, 429], "18 tokens each, 20 allowed")
    limited = b.run("capped")
    check(envelope("row 51", limited, 429, "POLICY_VIOLATION")["retryable"] is False, "row 51: retryable")
    check(int(limited[1]["retry-after"]) > 0 and limited[1].get("x-should-retry") == "false", f"row 51: {limited[1]}")
    b.put("/policies/small", cap("small", total=1000), key=ADMIN_KEY)
    sees("row 51", chat(b, "capped"), 200, "a higher cap holds at once")
    b.post("/policies", cap("tiny-output", output=1, granularity="minute"), key=ADMIN_KEY)
    b.put("/models/capped", model("capped", "capped-upstream", policies=["small", "tiny-output"]))
    found = [chat(b, "capped") for _ in range(3)]
    check(found[0] == 200 and 429 in found, f"rows 52, 55: {found}")
    b.put("/models/capped", model("capped", "capped-upstream"))
    sees("row 55", chat(b, "capped"), 200, "without policies")
    sees("row 50", b.call("DELETE", "/policies/small", key=ADMIN_KEY)[0], 200, "nobody carries it now")
    place = {"metadata": {"name": "eu"}, "spec": {"type": "location", "locations": [{"type": "continent", "name": "eu"}]}}
    sees("8.1", b.post("/policies", place, key=ADMIN_KEY)["spec"]["locations"], place["spec"]["locations"], "kept and shown")


# --- what was done ------------------------------------------------------------------------------------

def rows_71_to_73_observability(b):
    b.model("watched", "watched-upstream")
    b.up.on("watched-upstream", *[say()] * 6, stream(), stream(), say(429), say(429), say())
    for n in range(10):
        b.run("watched", {"messages": [], "stream": n in (6, 7)})
    seen = b.get("/models/watched/metrics")
    sees("row 71", (seen["requestTotal"], seen["requestTotalPerCode"], seen["requestTotalPrevious"]), (10, {"200": 8, "429": 2}, 0), "counts")
    stats = seen["latency"]["globalStats"]
    check(0 < stats["p50"] <= stats["p90"] <= stats["p99"], f"row 71: {stats}")
    tokens = seen["tokenTotal"]
    sees("row 71", (tokens["tokenInput"], tokens["tokenOutput"], tokens["tokenTotal"]), (88, 56, 144), "tokens")
    sees("row 71", sum(p["requestTotal"] for p in seen["inferenceGlobal"]), 10, "over time")
    sees("row 72", sum(h["count"] for h in seen["modelTtft"]["globalHistogram"]), 2, "streams have a first token")
    whole = b.get("/metrics")
    sees("row 71", {i["statusCode"]: i["requestTotal"] for i in whole["items"] if i["workloadId"] == "watched"}, {200: 8, 429: 2}, "the workspace's")
    now = time.time()
    form = "%Y-%m-%dT%H:%M:%S"
    span = f"start={time.strftime(form, time.gmtime(now - 900))}&end={time.strftime(form, time.gmtime(now + 60))}"
    found = b.get(f"/observability/logs?{span}&resourceType=models&workloadIds=watched,nothing&type=all&traceId=&limit=1000&offset=0"
                  "&severity=FATAL,ERROR,WARNING,INFO,DEBUG,TRACE,UNKNOWN&search=&taskId=&executionId=&interval=60&workspace=default")
    sees("row 73", (found["nothing"]["logs"], found["nothing"]["totalCount"], found["watched"]["totalCount"]), ([], 0, 10), "a map by name")
    times = [line["timestamp"] for line in found["watched"]["logs"]]
    sees("row 73", (len(times), times), (10, sorted(times, reverse=True)), "newest first")
    sees("row 73", [line["severity"] for line in found["watched"]["logs"][:3]], [13, 13, 9], "severities")
    sees("row 73", sum(c["count"] for c in found["watched"]["chart"]), 10, "the chart")
    sees("row 73", b.call("GET", "/observability/logs?start=2026-01-01T00:00:00&end=2026-01-05T00:00:00")[0], 400, "more than three days")
    sees("row 73", len(b.get("/models/watched/logs?search=429")), 2, "searched")


def row_74_traces(b):
    status, fields, _ = b.run("watched", path="/v1/chat/completions?debug=true", headers={"x-portkey-trace-id": "trace-74"})
    found = b.get("/models/watched/traces?limit=5")
    sees("row 74", (status, found[0]["traceID"], found[0]["hasError"], found[0]["statusCode"]), (200, "trace-74", False, 200), "the newest trace")
    sees("row 74", [s["workloadId"] for s in b.get("/traces/trace-74")["spans"]], ["watched"], "its spans")
    made = b.get("/traces?workloadId=watched&workloadType=models")
    check(len(made) == 11 and made[0]["duration"] > 0, f"row 74: {made}")
    check(b.get("/traces/" + made[1]["traceID"])["spans"], "row 74: a trace without a caller's id")
    sees("row 74", b.call("GET", "/traces/nothing")[0], 404, "an unknown trace")


def row_75_spending(b):
    path = "/accounts/default/metrics?startTime={}&endTime={}"
    sees("row 75", b.call("GET", path.format("8d", "0d") + "&resolution=hourly")[0], 400, "hours of eight days")
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5 * 3600))
    found = b.get(path.format(begin, end) + "&groupBy=model,billing_dimension,resource_name&resourceName=watched")
    check(found["resolution"] == "hourly" and found["data"] and all(len(g["timeseries"]) in (6, 7) for g in found["data"]), f"row 75: {found}")
    usage = {g["billing_dimension"]: g["summary"]["usage"] for g in found["data"] if g["resource_name"] == "watched"}
    check(sum(usage.values()) == 9 * 18, f"row 75: {usage}")
    sees("row 75", b.call("GET", path.format(begin, end) + "&groupBy=model,provider,operation,connection")[0], 400, "four dimensions")
    sees("row 75", b.call("GET", path.format(begin, end) + "&groupBy=workspace")[0], 403, "workspaces are for owners")
    check("resource_name" in b.get("/accounts/default/metrics/enums/group-by")["values"], "row 75: enums")
    whole = b.get(path.format("30d", "0d"))
    check(whole["resolution"] == "daily" and len(whole["data"]) == 1 and len(whole["data"][0]["timeseries"]) >= 30, f"row 75: {str(whole)[:300]}")


def row_69_python(b):
    env = dict(os.environ, BL_API_KEY=b.key, BL_WORKSPACE="default", BL_TRACKING="false", DO_NOT_TRACK="1")
    done = subprocess.run([sys.executable, str(DRIVER.parent / "blaxel_python.py"), b.gw.url + "/v0"], env=env, capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"row 69: {done.stderr[-2000:]}")
    made = {line["call"]: line for line in map(json.loads, done.stdout.splitlines())}
    sees("row 69", {call: line.get("type") for call, line in made.items()},
         {"create": "Model", "conflict": "Error", "update": "Model", "get": "Model", "missing": "Error", "list": "ModelList", "revisions": "list",
          "connections": "list", "policies": "PolicyList", "forbidden": None, "delete": "Model"}, "what the SDK makes of the answers")
    sees("row 69", (made["get"]["value"]["spec"]["runtime"]["model"], made["missing"]["value"]["code"]), ("gpt-4o", 404), "values")
    sees("row 69", made["forbidden"].get("status"), 403, "what the operation does not list is raised")


def workspace_ends(b):
    check(b.get("/models", key=ADMIN_KEY, headers={"x-blaxel-workspace": "second"}), "workspaces: second has no models")
    sees("workspaces", b.call("DELETE", "/workspaces/second")[0], 403, "a member of another")
    sees("workspaces", b.call("DELETE", "/workspaces/default")[0], 403, "a member")
    sees("workspaces", b.call("DELETE", "/workspaces/second", key=ADMIN_KEY)[2]["name"], "second", "an owner")
    sees("workspaces", b.call("GET", "/models", key=ADMIN_KEY, headers={"x-blaxel-workspace": "second"})[0], 404, "gone")


def command_line(b):
    made = b.gw.cli("model", "create", "--name", "x", "--connection", "openai-main", "--model", "m", "--workspace", "default")
    check(made.stdout.strip() == b.gw.url + "/run/default/models/x", f"cli: the address alone: {made.stdout}")
    run = b.gw.cli
    made = json.loads(run("model", "create", "--name", "of-cli", "--connection", "openai-main", "--model", "cli-upstream", "--json").stdout)
    sees("cli", (made["status"], chat(b, "of-cli")), ("DEPLOYED", 200), "create")
    run("model", "update", "of-cli", "--model", "cli-upstream-2", "--disable")
    check("DEACTIVATED" in run("model", "list").stdout, "cli: list")
    shown = run("model", "show", "of-cli").stdout
    check("cli-upstream-2" in shown, f"cli: show {shown}")
    run("model", "update", "of-cli", "--enable")
    sees("cli", (chat(b, "of-cli"), b.up.count("cli-upstream-2")), (200, 1), "enabled again")
    run("model", "delete", "of-cli")
    sees("cli", run("model", "show", "of-cli", check=False).returncode, 4, "gone")


if __name__ == "__main__":
    suite(Bench, [rows_1_to_3_base_urls, rows_4_to_8_credentials, rows_9_to_12_refusals, rows_67_68_workspaces, rows_13_to_20_lists,
                  rows_21_to_26_connections, rows_27_to_29_catalogue, catalogue_of_an_odd_upstream, rows_31_to_37_models, rows_39_to_45_requests, rows_46_to_49_answers,
                  fallback_over_connections, rows_50_to_55_policies, rows_71_to_73_observability, row_74_traces, row_75_spending, row_69_python, workspace_ends, command_line])
