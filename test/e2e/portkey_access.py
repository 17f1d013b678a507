#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Portkey's admin API, rows 111 to 120, with its SDKs: virtual keys, providers, integrations with their models and workspaces, keys of
all kinds, limits on all of them, policies, users, invites, workspaces, the audit log.
"""

import datetime
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, check, wait_until
from portkey import Bench, asked, sees, suite, target

ADMIN = {"apiKey": ADMIN_KEY}
PY = {"api_key": ADMIN_KEY}
SECRET = "sk-canary-9876543210-canary"


def ask(b, method, path, body=None, key=ADMIN_KEY, status=None):
    """(status, answer) of a raw call; the answer is always a JSON object."""
    found, headers, answer = b.gw.request(method, path, body, {"x-portkey-api-key": key} if key else {}, key=None)
    check(headers["content-type"] == "application/json", f"{method} {path}: {headers['content-type']}")
    check("x-portkey-trace-id" in headers, f"{method} {path}: no trace id")
    parsed = json.loads(answer)
    check(isinstance(parsed, dict), f"{method} {path}: not an object: {parsed!r}")
    check("canary" not in json.dumps(parsed), f"{method} {path} shows a secret: {parsed}")
    if status is not None:
        check(found == status, f"{method} {path} {body}: {found}, not {status}: {parsed}")
    return found, parsed


def good(b, method, path, body=None, key=ADMIN_KEY):
    return ask(b, method, path, body, key, 200)[1]


def chat(b, model="gpt-4o-mini", headers=None, key=None):
    status, head, body = b.raw({"model": model, "messages": [{"role": "user", "content": "x"}]}, headers, key=key)
    return status, head, json.loads(body)


def in_future(**delta):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# --- accounts -----------------------------------------------------------------------------------------

def row_117_virtual_keys_node(b):
    made = b.node("virtualKeys.create", {"name": "Of Node (1)", "provider": "openai", "key": SECRET, "note": "n", "customHost": b.up.url,
                                         "usageLimits": {"creditLimit": 5, "type": "cost", "alertThreshold": 4, "periodicReset": "monthly"},
                                         "rateLimits": [{"type": "requests", "unit": "rpm", "value": 100}]}, **ADMIN).fine("row 117").value
    slug = made["data"]["slug"]
    sees("row 117", (made["success"], slug), (True, "of-node-1"), "created")
    one = b.node("virtualKeys.retrieve", {"slug": slug}, **ADMIN).fine("row 117").value
    sees("row 117", (one["name"], one["note"], one["status"], one["slug"]), ("Of Node (1)", "n", "active", slug), "retrieved")
    usage = one["usage_limits"]
    sees("row 117", (usage["credit_limit"], usage["alert_threshold"], usage["periodic_reset"], usage["type"]), (5, 4, "monthly", "cost"), "limits")
    sees("row 117", [(r["type"], r["unit"], r["value"]) for r in one["rate_limits"]], [("requests", "rpm", 100)], "rates")
    check("canary-98" not in json.dumps(one), "row 117: the secret was shown")
    found = b.node("virtualKeys.list", {}, **ADMIN).fine("row 117").value
    check(slug in [r["slug"] for r in found["data"]] and found["total"] == len(found["data"]), f"row 117: {found}")
    sees("row 117", chat(b, "vk117", {"x-portkey-virtual-key": slug})[0], 200, "a chat with it")
    sees("row 117", b.up.requests[-1].credential, "Bearer " + SECRET, "its key goes upstream")
    again = b.node("virtualKeys.create", {"name": "Of Node (1)", "provider": "openai", "key": SECRET, "custom_host": b.up.url}, **ADMIN).fine("row 117").value
    check(again["data"]["slug"].startswith("of-node-1-"), f"row 117: a second one of that name: {again}")
    b.node("virtualKeys.update", {"slug": slug, "name": "renamed", "usageLimits": None}, **ADMIN).fine("row 117")
    one = good(b, "GET", f"/v1/virtual-keys/{slug}")
    sees("row 117", (one["name"], one["usage_limits"], len(one["rate_limits"])), ("renamed", None, 1), "changed")
    b.node("virtualKeys.delete", {"slug": slug}, **ADMIN).fine("row 117")
    status, _, body = chat(b, "x", {"x-portkey-virtual-key": slug})
    sees("row 117", (status, body["message"]), (400, f"Following keys are not valid: {slug}"), "after the deletion")
    ask(b, "GET", f"/v1/virtual-keys/{slug}", status=404)


def row_117_azure_in_both_spellings(b):
    url = b.up.url.removesuffix("/v1")
    camel = {"name": "az camel", "provider": "azure-openai", "key": SECRET, "apiVersion": "2024-10-21", "resourceName": "my-res",
             "deploymentConfig": [{"apiVersion": "2024-06-01", "alias": "gpt-4o", "is_default": True, "deploymentName": "dep-a"},
                                  {"apiVersion": "2024-10-21", "alias": "mini", "isDefault": False, "deploymentName": "dep-b"}]}
    snake = {"name": "az snake", "provider": "azure-openai", "key": SECRET, "api_version": "2024-10-21", "resource_name": "my-res",
             "deployment_config": [{"api_version": "2024-06-01", "alias": "gpt-4o", "is_default": True, "deployment_name": "dep-a"},
                                   {"api_version": "2024-10-21", "alias": "mini", "is_default": False, "deployment_name": "dep-b"}]}
    inner = {"name": "az inner", "ai_provider_id": "azure-openai", "key": SECRET, "slug": "az-inner", "configurations": {
        "azure_auth_mode": "default", "azure_resource_name": "my-res", "azure_api_version": "2024-10-21", "azure_deployment_config": [
            {"alias": "gpt-4o", "azure_api_version": "2024-06-01", "azure_deployment_name": "dep-a", "is_default": True},
            {"alias": "mini", "azure_api_version": "2024-10-21", "azure_deployment_name": "dep-b", "is_default": False}]}}
    shown = []
    for path, body in (("virtual-keys", camel), ("virtual-keys", snake), ("integrations", inner)):
        made = good(b, "POST", f"/v1/{path}", body)
        one = good(b, "GET", f"/v1/{path}/{made['slug']}")
        shown.append(one.get("model_config") or one.get("configurations"))
    check(shown[0] == shown[1] == shown[2], f"row 117: three spellings, not one account: {shown}")
    sees("row 117", (shown[0]["azure_resource_name"], shown[0]["azure_api_version"]), ("my-res", "2024-10-21"), "resource and version")
    sees("row 117", [(d["alias"], d["azure_deployment_name"], d["azure_api_version"], d["is_default"]) for d in shown[0]["azure_deployment_config"]],
         [("gpt-4o", "dep-a", "2024-06-01", True), ("mini", "dep-b", "2024-10-21", False)], "deployments")
    made = b.node("virtualKeys.create", {"name": "az here", "provider": "azure-openai", "key": SECRET, "apiVersion": "2024-10-21",
                                         "deploymentName": "dep-one", "customHost": url + "/openai"}, **ADMIN).fine("row 117").value
    chat(b, "whatever", {"x-portkey-virtual-key": made["slug"]})
    sees("row 117", b.up.requests[-1].target, "/openai/deployments/dep-one/chat/completions?api-version=2024-10-21", "Azure's path")
    for slug in ("az-camel", "az-snake", "az-inner", made["slug"]):
        good(b, "DELETE", f"/v1/virtual-keys/{slug}")
    for bad, part in (({"provider": "anthropic"}, "openai"), ({"provider": "azure-openai", "resourceName": "r", "azureAuthMode": "entra"}, "API key"),
                      ({"provider": "openai", "pricing_adjustments": {"multiplier": {"default": 2}}}, "leave it out")):
        status, answer = ask(b, "POST", "/v1/virtual-keys", {"name": "bad", "key": SECRET, **bad})
        sees("row 117", (status, answer["data"]["errorCode"], part in answer["message"]), (400, "AB01", True), f"{bad}: {answer}")


def row_116_providers(b):
    made = b.node("integrations.create", {"name": "Main", "slug": "main116", "ai_provider_id": "openai", "key": SECRET, "description": "d",
                                          "configurations": {"custom_host": b.up.url, "openai_project": "proj_1"}}, **ADMIN).fine("row 116").value
    sees("row 116", (made["id"], made["slug"]), ("main116", "main116"), "the integration")
    p = b.node("providers.create", {"name": "Team", "integration_id": "main116", "slug": "team116", "note": "for the team",
                                    "usage_limits": {"credit_limit": 10, "periodic_reset": "weekly"}}, **ADMIN).fine("row 116").value
    sees("row 116", p["slug"], "team116", "the provider")
    sees("row 116", chat(b, "@team116/m116")[0], 200, "a chat by its slug")
    sent = b.up.requests[-1]
    sees("row 116", (sent.credential, sent.headers.get("openai-project"), sent.model),
         ("Bearer " + SECRET, "proj_1", "m116"), "what went upstream")
    one = b.node("providers.retrieve", {"slug": "team116", "workspace_id": "default"}, **ADMIN).fine("row 116").value
    sees("row 116", (one["name"], one["note"], one["integration_id"], one["status"], one["usage_limits"]["periodic_reset"]),
         ("Team", "for the team", "main116", "active", "weekly"), "retrieved")
    slugs = [r["slug"] for r in b.python("providers.list", {}, **PY).fine("row 116").value["data"]]
    check({"main116", "team116"} <= set(slugs), f"row 116: providers {slugs}")
    own = [r["slug"] for r in b.node("integrations.list", {}, **ADMIN).fine("row 116").value["data"]]
    check("main116" in own and "team116" not in own, f"row 116: integrations {own}")
    # models
    for model, status in (("gpt-4o", 200), ("gpt-4o-mini", 200)):
        sees("row 116", chat(b, f"@team116/{model}")[0], status, model)
    b.node("integrations.models.update", {"slug": "main116", "models": [{"slug": "gpt-4o", "enabled": False}]}, **ADMIN).fine("row 116")
    before = len(b.up.requests)
    for slug in ("main116", "team116"):
        status, head, body = chat(b, f"@{slug}/gpt-4o")
        sees("row 116", (status, body["error"]["type"], body["error"]["message"], body["error"]["param"], body["error"]["code"]),
             (412, "model_not_allowed_error", "Model gpt-4o is not allowed for this integration", None, None), f"a disabled model, {slug}")
    sees("row 116", (len(b.up.requests), chat(b, "@team116/gpt-4o-mini")[0]), (before, 200), "nothing went upstream; others do")
    status, _, body = chat(b, "gpt-4o", {"x-portkey-config": {"strategy": {"mode": "fallback", "on_status_codes": [412]}, "targets": [
        {"provider": "@team116"}, {"provider": "@a"}]}})
    sees("row 116", status, 200, "a fallback on 412")
    good(b, "PUT", "/v1/integrations/main116/models", {"allow_all_models": False, "models": [{"slug": "ft:gpt-4o:x::1", "is_finetune": True, "base_model_slug": "gpt-4o"}]})
    found = b.node("integrations.models.list", {"slug": "main116"}, **ADMIN).fine("row 116").value
    enabled = [m["slug"] for m in found["models"] if m["enabled"]]
    sees("row 116", (enabled, found["allow_all_models"], found["total"]), (["ft:gpt-4o:x::1"], False, len(found["models"])), "the list")
    sees("row 116", [chat(b, f"@team116/{m}")[0] for m in ("gpt-4o-mini", "ft:gpt-4o:x::1")], [412, 200], "only what is listed")
    catalogue = [m["id"] for m in good(b, "GET", "/v1/models?limit=10000")["data"]]
    check(not [m for m in catalogue if m.startswith("@team116/")] and [m for m in catalogue if m.startswith("@a/gpt-4o")], "row 116: the catalogue")
    b.node("integrations.models.delete", {"slug": "main116", "slugs": "gpt-4o,ft:gpt-4o:x::1"}, **ADMIN).fine("row 116")
    good(b, "PUT", "/v1/integrations/main116/models", {"allowAllModels": True})
    sees("row 116", [chat(b, f"@team116/{m}")[0] for m in ("gpt-4o", "gpt-4o-mini")], [200, 200], "all again")
    # expiry
    b.node("providers.update", {"slug": "team116", "expires_at": in_future(milliseconds=400)}, **ADMIN).fine("row 116")
    sees("row 116", chat(b, "@team116/m")[0], 200, "before it expires")
    time.sleep(0.45)
    status, _, body = chat(b, "@team116/m")
    sees("row 116", (status, body["error"]["type"], body["error"]["message"]), (401, "virtual_key_expired_error", "Portkey Virtual Key te********116 Expired"), "expired")
    sees("row 116", good(b, "GET", "/v1/providers/team116")["status"], "expired", "status")
    b.node("providers.update", {"slug": "team116", "expires_at": None}, **ADMIN).fine("row 116")
    sees("row 116", chat(b, "@team116/m")[0], 200, "no expiry")
    # the integration's key is rotated for all of them
    b.node("integrations.update", {"slug": "main116", "key": SECRET + "2"}, **ADMIN).fine("row 116")
    chat(b, "@team116/m")
    sees("row 116", b.up.requests[-1].credential, "Bearer " + SECRET + "2", "after a rotation")
    ask(b, "PUT", "/v1/providers/team116", {"key": "sk-other"}, status=400)
    # hiding, deleting
    b.node("providers.delete", {"slug": "main116"}, **ADMIN).fine("row 116")
    sees("row 116", [chat(b, f"@{s}/m")[0] for s in ("main116", "team116")], [400, 200], "the integration without its own slug")
    b.node("integrations.delete", {"slug": "main116"}, **ADMIN).fine("row 116")
    sees("row 116", chat(b, "@team116/m")[0], 400, "its provider went with it")
    ask(b, "GET", "/v1/providers/team116", status=404)


def row_116_default_provider(b):
    base = {"name": "D", "ai_provider_id": "openai", "key": SECRET, "configurations": {"custom_host": b.up.url}}
    good(b, "POST", "/v1/integrations", {**base, "slug": "d-one", "default_provider_slug": "d-prod"})
    good(b, "POST", "/v1/integrations", {**base, "slug": "d-two", "create_default_provider": False})
    sees("row 116", [chat(b, f"@{s}/m")[0] for s in ("d-one", "d-prod", "d-two")], [400, 200, 400], "who is called by what")
    for slug in ("d-one", "d-two"):
        good(b, "DELETE", f"/v1/integrations/{slug}")


# --- keys ---------------------------------------------------------------------------------------------

def row_111_node(b):
    body = {"name": "k111", "type": "workspace", "sub-type": "service", "description": "d", "scopes": ["completions.write", "logs.view"],
            "usage_limits": {"credit_limit": 3, "type": "cost", "periodic_reset": "monthly", "alert_threshold": 2},
            "rate_limits": [{"type": "requests", "unit": "rpm", "value": 1000}, {"type": "tokens", "unit": "rpd", "value": 5000000}],
            "defaults": {"metadata": {"team": "t"}, "allow_config_override": False}, "alert_emails": ["a@example.com", "b@example.com"],
            "expires_at": in_future(days=1)}
    made = b.node("apiKeys.create", body, **ADMIN).fine("row 111").value
    sees("row 111", (made["object"], made["key"].startswith("tg-"), chat(b, "@a/k111", key=made["key"])[0]), ("api-key", True, 200), "created")
    one = b.node("apiKeys.retrieve", {"id": made["id"]}, **ADMIN).fine("row 111").value
    sees("row 111", (one["type"], one["status"], one["creation_mode"], one["description"], sorted(one["scopes"]), one["alert_emails"]),
         ("workspace-service", "active", "api", "d", ["completions.write", "logs.view"], ["a@example.com", "b@example.com"]), "retrieved")
    check(made["key"] not in json.dumps(one) and one["key"].endswith(made["key"][-4:]) and "***" in one["key"], f"row 111: {one['key']}")
    sees("row 111", (one["usage_limits"]["credit_limit"], one["usage_limits"]["periodic_reset"], one["usage_limits"]["alert_threshold"]),
         (3, "monthly", 2), "its budget")
    sees("row 111", [(r["type"], r["unit"], r["value"]) for r in one["rate_limits"]], [("requests", "rpm", 1000), ("tokens", "rpd", 5000000)], "its rates")
    sees("row 111", (one["defaults"]["metadata"], one["defaults"]["allow_config_override"]), ({"team": "t"}, False), "its defaults")
    b.node("apiKeys.update", {"id": made["id"], "name": "renamed", "usage_limits": {"credit_limit": 2500, "type": "tokens"}, "rate_limits": [],
                              "expires_at": None}, **ADMIN).fine("row 111")
    one = b.python("api_keys.retrieve", {"id": made["id"]}, **PY).fine("row 111").value
    sees("row 111", (one["name"], one["usage_limits"]["type"], one["usage_limits"]["credit_limit"], one["rate_limits"], one["expires_at"]),
         ("renamed", "tokens", 2500, [], None), "changed")
    listed = b.node("apiKeys.list", {"page_size": 1000, "current_page": 0}, **ADMIN).fine("row 111").value
    check(made["id"] in [r["id"] for r in listed["data"]] and listed["object"] == "list" and listed["total"] >= 2, f"row 111: {listed}")
    b.node("apiKeys.delete", {"id": made["id"]}, **ADMIN).fine("row 111")
    sees("row 111", chat(b, "@a/k111", key=made["key"])[0], 401, "deleted")
    ask(b, "GET", f"/v1/api-keys/{made['id']}", status=404)


def row_111_python(b):
    made = b.python("api_keys.create", {"name": "py", "type": "workspace", "sub_type": "service", "workspace_id": "default", "scopes": ["completions.write"],
                                        "rate_limits": [{"type": "requests", "unit": "rpm", "value": 2}]}, **PY).fine("row 111").value
    sees("row 111", [chat(b, "@a/py111", key=made["key"])[0] for _ in range(3)], [200, 200, 429], "a rate of two")
    b.python("api_keys.update", {"id": made["id"], "name": "py2", "rate_limits": [{"type": "requests", "unit": "rpm", "value": 50}]}, **PY).fine("row 111")
    sees("row 111", chat(b, "@a/py111", key=made["key"])[0], 200, "a rate of fifty")
    b.python("api_keys.delete", {"id": made["id"]}, **PY).fine("row 111")


def row_111_kinds(b):
    org = good(b, "POST", "/v1/api-keys/organisation/service", {"name": "org", "scopes": ["workspace_service_api_keys.create", "organisation_service_api_keys.create",
               "workspace_service_api_keys.list", "workspace_service_api_keys.read", "virtual_keys.list", "completions.write"][:-1]})
    one = good(b, "GET", f"/v1/api-keys/{org['id']}")
    sees("row 111", (one["type"], one["workspace_id"]), ("organisation-service", None), "a key of the organization")
    status, _, body = chat(b, "@a/x", key=org["key"])
    sees("row 111", (status, body["message"]), (403, "Portkey Error: Forbidden!. Error Code: 033"), "it serves no requests")
    status, answer = ask(b, "POST", "/v1/api-keys/organisation/service", {"name": "x", "scopes": ["completions.write"]})
    sees("row 111", (status, "administers" in answer["message"]), (400, True), "nor is it given the scope for them")
    for body, status in (({"name": "less", "scopes": ["virtual_keys.list"]}, 200), ({"name": "more", "scopes": ["configs.create"]}, 403), ({"name": "all"}, 403)):
        ask(b, "POST", "/v1/api-keys/workspace/service", body, key=org["key"], status=status)
    ask(b, "GET", "/v1/virtual-keys", key=org["key"], status=200)
    ask(b, "GET", "/v1/configs", key=org["key"], status=403)
    ask(b, "DELETE", f"/v1/api-keys/{org['id']}", key=b.key, status=403)
    everything = good(b, "POST", "/v1/api-keys/organisation/service", {"name": "all of it"})
    ask(b, "GET", "/v1/integrations", key=everything["key"], status=200)
    sees("row 111", chat(b, "@a/x", key=everything["key"])[0], 403, "without a list neither")
    admin = b.gw.cli("key", "create", "--name", "an admin", "--role", "admin").stdout.strip()
    for path in ("organisation/service", "organisation/user"):
        ask(b, "POST", f"/v1/api-keys/{path}", {"name": "x", "scopes": ["logs.view"]}, key=admin, status=403)
    ask(b, "PUT", f"/v1/api-keys/{org['id']}", {"name": "mine"}, key=admin, status=403)
    ask(b, "POST", "/v1/api-keys/workspace/robot", {"name": "x"}, status=404)
    ask(b, "POST", "/v1/api-keys/workspace/user", {"name": "x"}, status=400)
    ask(b, "POST", "/v1/api-keys/workspace/user", {"name": "x", "user_id": "nobody@example.com"}, status=404)
    for row in (org, everything):
        good(b, "DELETE", f"/v1/api-keys/{row['id']}")


def row_111_rotation(b):
    made = good(b, "POST", "/v1/api-keys/workspace/service", {"name": "rot", "scopes": ["completions.write"], "usage_limits": {"credit_limit": 100},
                "rotation_policy": {"key_transition_period_ms": 1800000}})
    ask(b, "POST", f"/v1/api-keys/{made['id']}/rotate", {"key_transition_period_ms": 1000}, status=400)
    turned = good(b, "POST", f"/v1/api-keys/{made['id']}/rotate", {"key_transition_period_ms": 3600000})
    check(turned["id"] == made["id"] and turned["key"] != made["key"], f"row 111: {turned}")
    until = datetime.datetime.fromisoformat(turned["key_transition_expires_at"].replace("Z", "+00:00"))
    left = (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    check(3500 < left <= 3600, f"row 111: the overlap is {left} s")
    sees("row 111", [chat(b, "@a/rot", key=k)[0] for k in (made["key"], turned["key"])], [200, 200], "both within the overlap")
    few = good(b, "POST", "/v1/api-keys/workspace/service", {"name": "few", "scopes": ["workspace_service_api_keys.rotate"]})
    ask(b, "POST", f"/v1/api-keys/{made['id']}/rotate", {}, key=few["key"], status=403)  # it would have that key's scopes then
    good(b, "POST", f"/v1/api-keys/{few['id']}/rotate", key=few["key"])
    good(b, "DELETE", f"/v1/api-keys/{few['id']}")
    again = good(b, "POST", f"/v1/api-keys/{made['id']}/rotate")
    sees("row 111", [chat(b, "@a/rot", key=k)[0] for k in (made["key"], turned["key"], again["key"])], [401, 200, 200], "after a second rotation")
    one = good(b, "GET", f"/v1/api-keys/{made['id']}")
    sees("row 111", (one["usage_limits"]["credit_limit"], one["key"][-4:], one["rotation_policy"]["key_transition_period_ms"]),
         (100, again["key"][-4:], 1800000), "all else stays")
    good(b, "PUT", f"/v1/api-keys/{made['id']}", {"expires_at": in_future(milliseconds=300)})
    time.sleep(0.35)
    for key in (turned["key"], again["key"]):
        status, _, body = chat(b, "@a/rot", key=key)
        sees("row 111", (status, body["message"]), (401, "Portkey Error: Portkey API Key Expired. Error Code: 01"), "both end with the key")
    sees("row 111", good(b, "GET", f"/v1/api-keys/{made['id']}")["status"], "expired", "status")
    good(b, "DELETE", f"/v1/api-keys/{made['id']}")
    sees("row 111", [chat(b, "@a/rot", key=k)[0] for k in (turned["key"], again["key"])], [401, 401], "revoked in both forms")


def row_112_budget_of_a_key(b):
    made = good(b, "POST", "/v1/api-keys/workspace/service", {"name": "b112", "scopes": ["completions.write"], "usage_limits": {"credit_limit": 12, "type": "tokens"}})
    first = chat(b, "@a/m112", key=made["key"])
    sees("row 112", first[0], 200, f"the first request {first[2]}")
    wait_until("the budget is used up", 5, lambda: good(b, "GET", f"/v1/api-keys/{made['id']}")["status"] == "exhausted")
    status, head, body = chat(b, "@a/m112", key=made["key"])
    sees("row 112", (status, body["message"], body["error"]["code"]), (412, "Portkey Error: Portkey API Key Usage Limit Exceeded. Error Code: 04", "04"), "family A")
    check(int(head["retry-after"]) >= 1, f"row 112: {head}")
    good(b, "PUT", f"/v1/api-keys/{made['id']}", {"reset_usage": True})
    sees("row 112", (chat(b, "@a/m112", key=made["key"])[0]), 200, "after reset_usage")
    slug = good(b, "POST", "/v1/providers", {"name": "p112", "slug": "p112", "integration_id": "a", "usage_limits": {"credit_limit": 12, "type": "tokens"}})["slug"]
    sees("row 112", chat(b, "@p112/m112")[0], 200, "a provider's first")
    wait_until("the provider's budget is used up", 5, lambda: good(b, "GET", f"/v1/providers/{slug}")["status"] == "exhausted")
    status, _, body = chat(b, "@p112/m112")
    sees("row 112", (status, body["error"]["type"]), (412, "virtual_key_exhaust_error"), f"family B {body}")
    sees("row 112", [chat(b, "@a/m112")[0], chat(b, "m112", {"x-portkey-config": {"strategy": {"mode": "fallback"}, "targets": [
        {"provider": "@p112"}, {"provider": "@b"}]}})[0]], [200, 200], "the account itself, and a fallback")
    good(b, "PUT", f"/v1/providers/{slug}", {"reset_usage": True})
    sees("row 112", chat(b, "@p112/m112")[0], 200, "after reset_usage")
    good(b, "DELETE", f"/v1/providers/{slug}")


def row_114_rate_limits(b):
    body = {"name": "k114", "type": "workspace", "sub-type": "service", "scopes": ["completions.write"],
            "rate_limits": [{"type": "requests", "unit": "rph", "value": 2}]}
    made = b.node("apiKeys.create", body, **ADMIN).fine("row 114").value
    found = [b.node("chat.completions.create", asked("@a/m114"), apiKey=made["key"]) for _ in range(3)]
    sees("row 114", [f.status for f in found], [200, 200, 429], "two an hour, through the SDK")
    status, head, body = chat(b, "@a/m114", key=made["key"])
    sees("row 114", (status, body["error"]["code"], "Error Code: 05" in body["message"]), (429, "05", True), "the refusal")
    check(1 <= int(head["retry-after"]) <= 3600, f"row 114: {head}")
    tokens = b.node("apiKeys.create", {**body_of_tokens("t114"), "type": "workspace", "sub-type": "service"}, **ADMIN).fine("row 114").value
    first = chat(b, "@a/m114", key=tokens["key"])
    wait_until("the tokens are counted", 5, lambda: chat(b, "@a/m114", key=tokens["key"])[0] == 429)
    sees("row 114", first[0], 200, "tokens are consumed by the answer")


def body_of_tokens(name):
    return {"name": name, "scopes": ["completions.write"], "rate_limits": [{"type": "tokens", "unit": "rpd", "value": 12}]}


def row_115_policies(b):
    usage = good(b, "POST", "/v1/policies/usage-limits", {"name": "by user", "conditions": [{"key": "model", "value": "@a/*"}, {"key": "metadata.env", "excludes": ["dev"]}],
                 "group_by": [{"key": "metadata._user"}], "type": "tokens", "credit_limit": 12, "periodicReset": "weekly"})["id"]
    one = good(b, "GET", f"/v1/policies/usage-limits/{usage}")
    sees("row 115", (one["name"], one["credit_limit"], one["type"], one["periodic_reset"], one["group_by"], len(one["conditions"])),
         ("by user", 12, "tokens", "weekly", [{"key": "metadata._user"}], 2), "stored")
    def ask_as(user, slug="a", **metadata):
        return chat(b, f"@{slug}/m115", {"x-portkey-metadata": {**({"_user": user} if user else {}), **metadata}})
    sees("row 115", ask_as("u1")[0], 200, "the first of u1")
    wait_until("u1 is counted", 5, lambda: [e for e in good(b, "GET", f"/v1/policies/usage-limits/{usage}/entities")["data"] if e["status"] == "exhausted"])
    status, _, body = ask_as("u1")
    sees("row 115", (status, body["error"]["type"], body["error"]["code"]), (412, "usage_limits_policy_exhaust_error", "06"), f"u1 has used it up {body}")
    sees("row 115", [ask_as("u2")[0], ask_as("u1", slug="b")[0], ask_as("u1", env="dev")[0], ask_as(None)[0], ask_as(None)[0]],
         [200, 200, 200, 200, 200], "another user, another account, an excluded value, no value")
    entity = next(e for e in good(b, "GET", f"/v1/policies/usage-limits/{usage}/entities")["data"] if e["value_key"] == {"metadata._user": "u1"})
    check(entity["current_usage"] >= 12, f"row 115: {entity}")
    ask(b, "PUT", f"/v1/policies/usage-limits/{usage}/entities/0123456789abcdef/reset", status=404)
    good(b, "PUT", f"/v1/policies/usage-limits/{usage}/entities/{entity['id']}/reset")
    sees("row 115", ask_as("u1")[0], 200, "after the entity's reset")
    rate = good(b, "POST", "/v1/policies/rate-limits", {"name": "slow", "conditions": [{"key": "metadata.slow", "value": "*"}], "group_by": [{"key": "api_key"}],
                "type": "requests", "unit": "rpd", "value": 2})["id"]
    found = [ask_as("r", slug="c", slow="1") for _ in range(3)]
    sees("row 115", ([f[0] for f in found], found[2][2]["error"]["type"]), ([200, 200, 429], "rate_limits_policy_exhaust_error"), "two a day")
    check(int(found[2][1]["retry-after"]) >= 1, "row 115: no Retry-After")
    good(b, "PUT", f"/v1/policies/rate-limits/{rate}", {"name": "faster", "unit": "rpd", "value": 200})
    sees("row 115", (ask_as("r", slug="c", slow="1")[0], good(b, "GET", f"/v1/policies/rate-limits/{rate}")["name"]), (200, "faster"), "changed")
    sees("row 115", [len(good(b, "GET", f"/v1/policies/{k}")["data"]) for k in ("usage-limits", "rate-limits")], [1, 1], "lists")
    ask(b, "GET", f"/v1/policies/rate-limits/{usage}", status=404)
    for kind, body, part in (("usage-limits", {"name": "x", "conditions": [], "credit_limit": "1"}, "number"), ("usage-limits", {"name": "x", "credit_limit": 5, "conditions": [{"key": "colour", "value": "r"}]}, "metadata.<name>"),
                             ("rate-limits", {"name": "x", "unit": "rpx", "value": 1}, "rpm"), ("rate-limits", {"name": "x", "unit": "rpm"}, "above 0"),
                             ("usage-limits", {"name": "x", "credit_limit": 5, "periodic_reset": "daily"}, "weekly")):
        status, answer = ask(b, "POST", f"/v1/policies/{kind}", body)
        sees("row 115", (status, answer["data"]["errorCode"], bool(answer["error"]["message"]), part in answer["message"]), (400, "AB01", True, True), f"{body} {answer['message']}")
    ask(b, "POST", "/v1/policies/rate-limits", {"name": "x", "unit": "rpm", "value": 1}, key=b.key, status=403)
    for kind, number in (("usage-limits", usage), ("rate-limits", rate)):
        good(b, "DELETE", f"/v1/policies/{kind}/{number}")
        ask(b, "GET", f"/v1/policies/{kind}/{number}", status=404)


# --- people -------------------------------------------------------------------------------------------

def row_119_workspaces(b):
    made = b.node("admin.workspaces.create", {"name": "Team Blue", "description": "d", "defaults": {"metadata": {"team": "blue"}}}, **ADMIN).fine("row 119").value
    ws = made["id"]
    check(ws.startswith("ws-team-blue-") and made["slug"] == ws and made["name"] == "Team Blue", f"row 119: {made}")
    sees("row 119", (made["defaults"]["metadata"], made["description"]), ({"team": "blue"}, "d"), "what it has")
    other = b.python("admin.workspaces.create", {"name": "Green"}, **PY).fine("row 119").value["id"]
    good(b, "POST", "/v1/admin/workspaces", {"name": "Red", "slug": "red", "usage_limits": [{"credit_limit": 9, "type": "cost"}]})
    sees("row 119", good(b, "GET", "/v1/admin/workspaces/red")["usage_limits"][0]["credit_limit"], 9, "a budget of a workspace")
    found = b.python("admin.workspaces.list", {}, **PY).fine("row 119").value
    check({ws, other, "red", "default"} <= {r["id"] for r in found["data"]} and found["total"] == len(found["data"]), f"row 119: {found}")
    for query in ("?", "?pageSize=1&currentPage=1", "?page_size=1&current_page=1"):
        page = good(b, "GET", "/v1/admin/workspaces" + query)
        sees("row 119", (page["total"], len(page["data"])), (found["total"], 1 if "1" in query else found["total"]), f"paging by {query}")
    b.node("admin.workspaces.update", {"workspaceId": ws, "name": "Bluer", "rate_limits": [{"type": "requests", "unit": "rpm", "value": 7}]}, **ADMIN).fine("row 119")
    one = b.node("admin.workspaces.retrieve", {"workspaceId": ws}, **ADMIN).fine("row 119").value
    sees("row 119", (one["name"], one["description"], one["rate_limits"][0]["value"], one["users"]), ("Bluer", "d", 7, []), "changed")
    key = good(b, "POST", "/v1/api-keys/workspace/service", {"name": "in blue", "workspace_id": ws, "scopes": ["completions.write"]})
    sees("row 119", (good(b, "GET", f"/v1/api-keys/{key['id']}")["workspace_id"], key["id"] in [k["id"] for k in good(b, "GET", "/v1/api-keys")["data"]]),
         (ws, False), "a key of the other workspace")
    status, _, body = chat(b, "@a/x", key=key["key"])
    sees("row 119", (status, body["message"]), (400, "Following keys are not valid: a"), "accounts are not shared by themselves")
    b.node("integrations.workspaces.update", {"slug": "a", "workspaces": [{"id": ws, "enabled": True, "rate_limits": [{"type": "requests", "unit": "rpd", "value": 2}]}]}, **ADMIN).fine("row 116")
    listed = b.python("integrations.workspaces.list", {"slug": "a"}, **PY).fine("row 116").value
    sees("row 116", {w["id"]: w["enabled"] for w in listed["workspaces"]}, {"default": True, ws: True}, "who has access")
    found = [chat(b, "@a/x", key=key["key"]) for _ in range(3)]
    sees("row 116", ([f[0] for f in found], found[2][2].get("error", {}).get("type")), ([200, 200, 429], "workspace_integration_rate_limit_error"), f"shared, with a rate {found}")
    sees("row 116", chat(b, "@a/x")[0], 200, "its own workspace has no such rate")
    good(b, "PUT", "/v1/integrations/a/workspaces", {"workspaces": [{"id": ws, "enabled": False}]})
    sees("row 116", chat(b, "@a/x", key=key["key"])[0], 400, "access taken away")
    good(b, "PUT", "/v1/integrations/a/workspaces", {"workspaces": [], "global_workspace_access": {"enabled": True}, "override_existing_workspace_access": True})
    sees("row 116", chat(b, "@a/x", key=key["key"])[0], 429, "access for all")
    good(b, "PUT", "/v1/integrations/a/workspaces", {"global_workspace_access": False})
    b.node("admin.workspaces.delete", {"workspaceId": ws}, **ADMIN).fine("row 119")
    sees("row 119", chat(b, "@a/x", key=key["key"])[0], 401, "its key")
    ask(b, "GET", f"/v1/admin/workspaces/{ws}", status=404)
    b.python("admin.workspaces.delete", {"workspace_id": other}, **PY).fine("row 119")
    good(b, "DELETE", "/v1/admin/workspaces/red")
    ask(b, "DELETE", "/v1/admin/workspaces/default", status=409)
    ask(b, "POST", "/v1/admin/workspaces", {"name": "x"}, key=b.gw.cli("key", "create", "--name", "adm2", "--role", "admin").stdout.strip(), status=403)


def row_119_users_and_invites(b):
    made = b.node("admin.users.invites.create", {"email": "Ann@Example.com", "role": "member", "workspaces": [{"id": "default", "role": "manager"}],
                                                 "workspace_api_key_details": {"scopes": ["completions.write"]}}, **ADMIN).fine("row 119").value
    check(made["id"] and "/console/#/invitation/" in made["invite_link"], f"row 119: {made}")
    one = b.python("admin.users.invites.retrieve", {"invite_id": made["id"]}, **PY).fine("row 119").value
    sees("row 119", (one["email"], one["status"], one["workspaces"]), ("ann@example.com", "pending", [{"id": "default", "role": "admin"}]), "the invite")
    again = b.node("admin.users.invites.resend", {"inviteId": made["id"]}, **ADMIN).fine("row 119").value
    check(again["inviteLink"] != made["invite_link"], f"row 119: resent {again}")
    found = b.node("admin.users.invites.list", {"pageSize": 10, "currentPage": 0, "status": "pending"}, **ADMIN).fine("row 119").value
    sees("row 119", [(r["id"], r["email"]) for r in found["data"]], [(again["id"], "ann@example.com")], "pending ones")
    b.python("admin.users.invites.delete", {"invite_id": again["id"]}, **PY).fine("row 119")
    sees("row 119", good(b, "GET", f"/v1/admin/users/invites/{again['id']}")["status"], "cancelled", "taken back")
    users = b.python("admin.users.list", {}, **PY).fine("row 119").value
    sees("row 119", (users["object"], users["total"], [u["role"] for u in users["data"]]), ("list", 1, ["owner"]), "the first owner")
    owner = users["data"][0]["id"]
    one = b.node("admin.users.retrieve", {"userId": owner}, **ADMIN).fine("row 119").value
    check(one["first_name"] and isinstance(one["workspace_ids"], list), f"row 119: {one}")
    refused = b.node("admin.users.update", {"userId": owner, "role": "member"}, **ADMIN)
    sees("row 119", (refused.status, refused.calls), (409, 1), "the last owner stays")
    b.node("admin.workspaces.users.create", {"workspaceId": "default", "users": [{"id": owner, "role": "admin"}]}, **ADMIN).fine("row 119")
    members = b.python("admin.workspaces.users.list", {"workspace_id": "default"}, **PY).fine("row 119").value
    sees("row 119", [(m["id"], m["role"], m["org_role"]) for m in members["data"]], [(owner, "admin", "owner")], "who is in the workspace")
    key = good(b, "POST", "/v1/api-keys/workspace/user", {"name": "of a person", "user_id": owner, "scopes": ["completions.write"]})
    one = good(b, "GET", f"/v1/api-keys/{key['id']}")
    sees("row 111", (one["type"], one["user_id"], chat(b, "@a/x", key=key["key"])[0]), ("workspace-user", owner, 200), "a user's key")
    good(b, "DELETE", f"/v1/api-keys/{key['id']}")
    for method, path, body in (("GET", "/v1/admin/users", None), ("POST", "/v1/admin/users/invites", {"email": "x@example.com", "role": "owner"}),
                               ("PUT", f"/v1/admin/users/{owner}", {"role": "member"}), ("GET", "/v1/admin/workspaces", None), ("GET", "/v1/audit-logs", None)):
        status, answer = ask(b, method, path, body, key=b.key)
        sees("row 119", (status, answer["data"]["errorCode"]), (403, "AB03"), f"a member at {method} {path}")
    admin = b.gw.cli("key", "create", "--name", "adm3", "--role", "admin").stdout.strip()
    ask(b, "GET", "/v1/admin/users", key=admin, status=403)
    theirs = good(b, "POST", "/v1/api-keys/workspace/user", {"name": "theirs", "user_id": owner})
    ask(b, "POST", f"/v1/api-keys/{theirs['id']}/rotate", key=admin, status=403)
    address = "somebody@example.com"
    ask(b, "POST", "/v1/api-keys/workspace/user", {"name": "x", "user_id": owner}, key=admin, status=403)
    ask(b, "POST", "/v1/api-keys/workspace/user", {"name": "x", "user_id": address}, key=admin, status=404)
    good(b, "DELETE", f"/v1/api-keys/{theirs['id']}")
    sees("row 119", [w["id"] for w in good(b, "GET", "/v1/admin/workspaces", key=admin)["data"]], ["default"], "an admin sees their own")
    ask(b, "POST", "/v1/admin/workspaces/default/users", {"users": [{"id": owner, "role": "member"}]}, key=admin, status=404)
    ask(b, "GET", "/v1/admin/users/999", status=404)


def row_119_audit(b):
    good(b, "POST", "/v1/virtual-keys", {"name": "audited", "provider": "openai", "key": SECRET})
    good(b, "PUT", "/v1/virtual-keys/audited", {"note": "seen"})
    good(b, "DELETE", "/v1/virtual-keys/audited")
    log = b.node("get", "/audit-logs?page_size=3", **ADMIN).fine("row 119").value
    sees("row 119", [(r["action"], r["method"], r["resource_id"]) for r in log["records"]],
         [("integration.delete", "DELETE", "audited"), ("integration.update", "PUT", "audited"), ("integration.create", "POST", "audited")], "newest first")
    sees("row 119", (log["object"], log["records"][1]["request_body"]["note"], log["total"] > 3), ("list", "seen", True), "what it says")
    check("canary" not in json.dumps(log) and log["records"][0]["api_key_id"], f"row 119: {log['records'][0]}")
    second = good(b, "GET", "/v1/audit-logs?page_size=1&page=1")["records"]
    sees("row 119", second[0]["id"], log["records"][1]["id"], "the second page")
    since = good(b, "GET", f"/v1/audit-logs?start_time={log['records'][2]['timestamp']}&end_time={log['records'][0]['timestamp']}")
    sees("row 119", [r["id"] for r in since["records"]], [r["id"] for r in log["records"][1:]], "between two times")
    ask(b, "GET", "/v1/audit-logs?method=PUT", status=400)
    ask(b, "GET", "/v1/audit-logs?start_time=yesterday", status=400)


def row_133_python_reads_all_of_it(b):
    """Every call of Python's admin surface gives an object of its types."""
    def call(what, **kwargs):
        r = b.python(what, kwargs, **PY).fine(f"row 133: {what}")
        check(isinstance(r.value, dict), f"row 133: {what} gave {r.value!r}")
        return r.value
    limits = {"usage_limits": {"credit_limit": 5, "periodic_reset": "weekly"}, "rate_limits": [{"type": "requests", "unit": "rpm", "value": 9}]}
    vk = call("virtual_keys.create", name="py vk", provider="azure-openai", key=SECRET, note="n", apiVersion="2024-10-21", resourceName="res",
              deploymentName="dep", usage_limits=limits["usage_limits"])["slug"]
    shown = call("virtual_keys.retrieve", slug=vk)
    sees("row 117", (shown["model_config"]["azure_resource_name"], shown["model_config"]["azure_deployment_config"][0]["azure_deployment_name"]), ("res", "dep"), "of Python")
    call("virtual_keys.list")
    call("virtual_keys.update", slug=vk, name="py vk 2", rate_limits=limits["rate_limits"])
    call("virtual_keys.delete", slug=vk)
    it = call("integrations.create", name="Py", slug="py-int", ai_provider_id="openai", key=SECRET, configurations={"custom_host": b.up.url})["slug"]
    call("integrations.list")
    call("integrations.retrieve", slug=it)
    call("integrations.update", slug=it, description="changed")
    call("integrations.models.update", slug=it, models=[{"slug": "gpt-4o", "enabled": True}], allow_all_models=False)
    sees("row 133", call("integrations.models.list", slug=it)["allow_all_models"], False, "models")
    call("integrations.models.delete", slug=it, slugs="gpt-4o")
    call("integrations.workspaces.update", slug=it, workspaces=[{"id": "default", "enabled": True, **limits, "usage_limits": [limits["usage_limits"]]}])
    sees("row 133", call("integrations.workspaces.list", slug=it)["workspaces"][0]["usage_limits"]["credit_limit"], 5, "workspaces")
    pr = call("providers.create", name="Py P", integration_id=it, slug="py-p", **limits)["slug"]
    sees("row 133", call("providers.retrieve", slug=pr)["rate_limits"][0]["value"], 9, "a provider")
    call("providers.list")
    call("providers.update", slug=pr, note="changed")
    call("providers.delete", slug=pr)
    call("integrations.delete", slug=it)
    key = call("api_keys.create", name="py all", type="workspace", sub_type="service", scopes=["completions.write"], **limits)["id"]
    call("api_keys.retrieve", id=key)
    call("api_keys.list")
    call("api_keys.update", id=key, name="py all 2", reset_usage=1)
    call("api_keys.delete", id=key)


def other_workspaces_are_as_if_not_there(b):
    """Every id of every route, asked for from another workspace: the answer to what does not exist."""
    good(b, "POST", "/v1/admin/workspaces", {"name": "Elsewhere", "slug": "elsewhere"})
    stranger = b.gw.cli("key", "create", "--name", "stranger", "--role", "admin", "--workspace", "elsewhere").stdout.strip()
    key = good(b, "POST", "/v1/api-keys/workspace/service", {"name": "probed", "scopes": ["logs.view"]})["id"]
    policy = good(b, "POST", "/v1/policies/rate-limits", {"name": "probed", "unit": "rpd", "value": 100000, "conditions": [{"key": "metadata.never", "value": "x"}]})["id"]
    config = b.config("probed", {"provider": "@a"})
    paths = [("/v1/api-keys/{}", key, "zzzzzzzz", "GET PUT DELETE"), ("/v1/api-keys/{}/rotate", key, "zzzzzzzz", "POST"),
             *((f"/v1/{kind}/{{}}", "a", "zz", "GET PUT DELETE") for kind in ("virtual-keys", "providers", "integrations")),
             ("/v1/integrations/{}/models", "a", "zz", "GET PUT DELETE"), ("/v1/integrations/{}/workspaces", "a", "zz", "GET PUT"),
             ("/v1/policies/rate-limits/{}", policy, "rl-999999", "GET PUT DELETE"), ("/v1/policies/rate-limits/{}/entities", policy, "rl-999999", "GET"),
             ("/v1/policies/rate-limits/{}/entities/0123456789abcdef/reset", policy, "rl-999999", "PUT"), ("/v1/configs/{}", config, "pc-zzzzzzzzzzzz", "GET PUT DELETE"),
             ("/v1/admin/workspaces/{}", "default", "zz", "GET PUT"), ("/v1/admin/workspaces/{}/users", "default", "zz", "GET POST"),
             ("/v1/admin/workspaces/{}/users/1", "default", "zz", "GET PUT DELETE")]
    probes = 0
    for path, there, nowhere, methods in paths:
        for method in methods.split():
            body = None if method == "GET" else {}
            for query in ("", "?workspace_id=default"):
                found, missing = ask(b, method, path.format(there) + query, body, key=stranger), ask(b, method, path.format(nowhere) + query, body, key=stranger)
                check(found == missing and found[0] == 404, f"{method} {path}{query}: {found} is not {missing}")
                probes += 1
    for path in ("/v1/api-keys", "/v1/virtual-keys", "/v1/providers", "/v1/integrations", "/v1/policies/rate-limits"):
        for query in ("", "?workspace_id=default"):
            status, answer = ask(b, "GET", path + query, key=stranger)
            names = json.dumps(answer)
            check("probed" not in names and '"@a"' not in names and (status, query) in ((200, ""), (404, "?workspace_id=default")), f"{path}{query}: {status} {answer}")
    for body in ({"name": "x", "workspace_id": "default", "scopes": ["logs.view"]},):
        ask(b, "POST", "/v1/api-keys/workspace/service", body, key=stranger, status=404)
    ask(b, "POST", "/v1/providers", {"name": "x", "integration_id": "a"}, key=stranger, status=404)
    log = good(b, "GET", "/v1/audit-logs", key=stranger)["records"]
    check(all(r["workspace_id"] == "elsewhere" for r in log), f"the audit log shows others: {log[:3]}")
    check(probes > 40, f"only {probes} probes")
    good(b, "DELETE", f"/v1/api-keys/{key}")
    good(b, "DELETE", f"/v1/policies/rate-limits/{policy}")
    good(b, "DELETE", "/v1/admin/workspaces/elsewhere")


if __name__ == "__main__":
    suite(Bench, [row_117_virtual_keys_node, row_117_azure_in_both_spellings, row_116_providers, row_116_default_provider,
                  row_111_node, row_111_python, row_111_kinds, row_111_rotation, row_112_budget_of_a_key, row_114_rate_limits, row_115_policies, row_119_workspaces, row_119_users_and_invites, row_119_audit,
                  row_133_python_reads_all_of_it, other_workspaces_are_as_if_not_there])
