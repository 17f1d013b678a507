#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=120
"""Portkey's contract, rows 121-123: Azure's addresses, its four kinds of credentials, deployments of stored accounts."""

import base64
import json
import os
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, completion
from portkey import Bench, asked, sees, suite
from scripted import ScriptedUpstream, events_of, say, stream

VERSION = "2024-10-21"
KEY = "azure-key-0123456789abcdef"


def azure(b, **more):
    """Options of Node's client for an Azure account that the caller brings along."""
    return {"provider": "azure-openai", "Authorization": KEY, "azureResourceName": "res", "azureDeploymentId": "dep", "azureApiVersion": VERSION,
            "customHost": b.up.host("/openai"), **more}


def upload(name="a.wav"):
    return {"$file": {"name": name, "base64": base64.b64encode(b"RIFF" + bytes(60)).decode(), "type": "audio/wav"}}


DEPLOYED = [("chat.completions.create", asked("m121"), "/chat/completions"), ("completions.create", {"model": "m121", "prompt": "x"}, "/completions"),
            ("embeddings.create", {"model": "m121", "input": "x"}, "/embeddings"),
            ("images.generate", {"model": "m121", "prompt": "x"}, "/images/generations"),
            ("images.edit", {"model": "m121", "prompt": "x", "image": upload("a.png")}, "/images/edits"),
            ("audio.speech.create", {"model": "m121", "voice": "alloy", "input": "x"}, "/audio/speech"),
            ("audio.transcriptions.create", {"model": "m121", "file": upload()}, "/audio/transcriptions"),
            ("audio.translations.create", {"model": "m121", "file": upload()}, "/audio/translations")]
UNDEPLOYED = [("responses.create", [{"model": "m121", "input": "x"}], "/responses"), ("files.list", [], "/files"),
              ("files.content", ["file-1"], "/files/file-1/content"), ("batches.list", [], "/batches"),
              ("fineTuning.jobs.list", [], "/fine_tuning/jobs"), ("responses.retrieve", ["resp_1"], "/responses/resp_1")]


def row_121_urls(b):
    for call, body, path in DEPLOYED:
        b.node(call, body, **azure(b)).fine(f"row 121, {call}")
        request = b.up.requests[-1]
        sees("row 121", request.target, f"/openai/deployments/dep{path}?api-version={VERSION}", call)
        sees("row 121", (request.headers.get("api-key"), request.headers.get("authorization")), (KEY, None), f"{call}: credential")
        b.node(call, body, **azure(b, azureApiVersion="v1")).fine(f"row 121, {call}, v1")
        request = b.up.requests[-1]
        sees("row 121", request.target, "/openai/v1" + path, f"{call}, v1")
        sent = request.json().get("model") or (b"\r\n\r\ndep\r\n" in request.body and "dep")
        sees("row 121", sent, "dep", f"{call}, v1: model in the body")
    for call, args, path in UNDEPLOYED:
        b.node(call, *args, **azure(b)).fine(f"row 121, {call}")
        sees("row 121", b.up.requests[-1].target, f"/openai{path}?api-version={VERSION}", call)
        b.node(call, *args, **azure(b, azureApiVersion="v1")).fine(f"row 121, {call}, v1")
        sees("row 121", b.up.requests[-1].target, "/openai/v1" + path, f"{call}, v1")
    others = [("/x121?y=1", VERSION, f"/openai/x121?y=1&api-version={VERSION}"), ("/x121?api-version=mine", VERSION, "/openai/x121?api-version=mine"),
              ("/x121", VERSION, f"/openai/x121?api-version={VERSION}")]
    for path, version, wanted in others:
        b.node("get", path, **azure(b, azureApiVersion=version)).fine(f"row 121, {path}")
        sees("row 121", b.up.requests[-1].target, wanted, f"GET {path}")
    plain = {k: v for k, v in azure(b).items() if k != "azureApiVersion"}
    b.node("get", "/x121?z=2", **plain).fine("row 121")
    sees("row 121", b.up.requests[-1].target, "/openai/x121?z=2", "GET without a version")
    b.node("batches.list", {"limit": 2, "after": "b"}, **azure(b)).fine("row 121")
    query = dict(urllib.parse.parse_qsl(b.up.requests[-1].query))
    sees("row 121", query, {"limit": "2", "after": "b", "api-version": VERSION}, "the client's query with ours")
    r = b.chat("m121", **azure(b)).fine("row 121")
    sees("row 121", (r.header("provider"), b.up.requests[-1].json()["model"]), ("azure-openai", "m121"), "provider header, model as it was")


def row_121_stream(b):
    filters = [{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}]
    first = b'data: ' + json.dumps({"choices": [], "id": "", "model": "", "object": "", "prompt_filter_results": filters}).encode() + b"\n\n"
    b.up.on("m121-s", stream([first, *events_of(model="m121-s")]))
    r = b.chat("m121-s", stream=True, **azure(b)).fine("row 121")
    sees("row 121", (r.chunks[0]["choices"], r.chunks[0]["prompt_filter_results"]), ([], filters), "the content filter's chunk")
    sees("row 121", "".join(c["choices"][0]["delta"].get("content") or "" for c in r.chunks[1:]), "Hello.", "text")


def entra(b, **more):
    return azure(b, Authorization=None, azureAuthMode="entra", azureEntraClientId="client", azureEntraClientSecret="entra-secret",
                 azureEntraTenantId="tenant", **more)


def row_122_tokens(b):
    r = b.chat("m122-ad", **azure(b, azureAdToken="ad-token-122")).fine("row 122")
    request = b.up.seen("m122-ad")[0]
    sees("row 122", (request.headers.get("authorization"), request.headers.get("api-key")), ("Bearer ad-token-122", None), "AD token")
    tokens = iter(range(1, 100))

    def grant(lives):
        def answer(request):
            return say(body={"token_type": "Bearer", "expires_in": lives, "access_token": f"granted-{next(tokens)}"}, delay=0.05)(request)
        return answer
    b.tokens.on_path("/tenant/oauth2/v2.0/token", grant(3600))
    for _ in range(3):
        r = b.chat("m122-entra", **entra(b)).fine("row 122")
        sees("row 122", r.status, 200, "entra")
    form = dict(urllib.parse.parse_qsl(b.tokens.requests[0].body.decode()))
    sees("row 122", form, {"client_id": "client", "client_secret": "entra-secret", "grant_type": "client_credentials",
                           "scope": "https://cognitiveservices.azure.com/.default"}, "the form of the token request")
    sees("row 122", (len(b.tokens.requests), {x.headers.get("authorization") for x in b.up.seen("m122-entra")}), (1, {"Bearer granted-1"}),
         "token requests for three calls, and the credential")
    check(all("api-key" not in x.headers for x in b.up.seen("m122-entra")), "row 122: api-key beside a token")
    done = [b.driver("node").begin(b.node_call("chat.completions.create", [asked("m122-many")], entra(b, azureEntraScope="other/.default")))
            for _ in range(10)]
    for slot in done:
        b.driver("node").end(slot).fine("row 122")
    sees("row 122", len(b.tokens.requests), 2, "token requests of ten calls at once with another scope")
    b.tokens.on_path("/tenant-short/oauth2/v2.0/token", grant(2))
    short = {**entra(b), "azureEntraTenantId": "tenant-short"}
    first = b.chat("m122-short", **short).fine("row 122")
    time.sleep(2.2)
    b.chat("m122-short", **short).fine("row 122")
    sees("row 122", len({x.headers["authorization"] for x in b.up.seen("m122-short")}), 2, "tokens, the first of which expired")
    sees("row 122", first.calls, 1, "requests of the SDK")
    b.tokens.on_path("/tenant-bad/oauth2/v2.0/token", say(401, body={"error": "invalid_client", "error_description": "no"}))
    r = b.chat("m122-bad", **{**entra(b), "azureEntraTenantId": "tenant-bad"})
    check(r.status == 401 and b.up.count("m122-bad") == 0, f"row 122: a token that is refused gave {r}")
    check("entra-secret" not in json.dumps(r.raw["error"]), "row 122: the client secret stands in the error")
    half = {**azure(b), "azureAuthMode": "entra", "azureEntraClientId": "client"}
    b.chat("m122-half", **half).fine("row 122")
    sees("row 122", b.up.seen("m122-half")[0].headers.get("api-key"), KEY, "a mode that lacks a field falls through to the key")


def row_122_managed(b):
    def answer(request):
        return say(body={"access_token": "managed-token", "expires_in": "3600", "token_type": "Bearer"})(request)
    b.tokens.on_path("/metadata/identity/oauth2/token", answer)
    b.connect("az-managed", b.up.host("/openai"), kind="azure-openai", args=["--deployments", json.dumps({"m122-managed": "depm"}),
                                                                             "--api-version", VERSION])
    b.chat("m122-managed", provider="@az-managed", azureAuthMode="managed", azureManagedClientId="mi-1").fine("row 122")
    request = b.up.seen("m122-managed")[0]
    sees("row 122", request.headers.get("authorization"), "Bearer managed-token", "managed identity")
    ask = b.tokens.seen(path="/metadata/identity/oauth2/token")[0]
    query = dict(urllib.parse.parse_qsl(ask.query))
    sees("row 122", (query, ask.headers.get("metadata"), ask.method),
         ({"api-version": "2018-02-01", "resource": "https://cognitiveservices.azure.com/", "client_id": "mi-1"}, "true", "GET"), "its request")


def row_122_workload(b):
    b.tokens.on_path("/wl-tenant/oauth2/v2.0/token", say(body={"access_token": "workload-token", "expires_in": 3600}))
    b.connect("az-wl", b.up.host("/openai"), kind="azure-openai", args=["--deployments", json.dumps({"m122-wl": "depw"}), "--api-version", VERSION])
    b.chat("m122-wl", provider="@az-wl", azureAuthMode="workload").fine("row 122")
    sees("row 122", b.up.seen("m122-wl")[0].headers.get("authorization"), "Bearer workload-token", "workload identity")
    form = dict(urllib.parse.parse_qsl(b.tokens.seen(path="/wl-tenant/oauth2/v2.0/token")[0].body.decode()))
    sees("row 122", (form.get("client_id"), form.get("client_assertion"), form.get("grant_type")),
         ("wl-client", "federated.token.text", "client_credentials"), "its form")


def row_122_forwarded(b):
    config = {"provider": "azure-openai", "resource_name": "res", "deployment_id": "dep", "api_version": VERSION, "custom_host": b.up.host("/openai"),
              "forward_headers": ["Authorization"]}
    status, _, body = b.raw(asked("m122-jwt"), {"x-portkey-config": config, "Authorization": "Bearer the.clients.jwt"})
    sees("row 122", status, 200, f"a client's own JWT: {body[:300]!r}")
    request = b.up.seen("m122-jwt")[0]
    sees("row 122", (request.headers.get("authorization"), request.headers.get("api-key")), ("Bearer the.clients.jwt", None), "its credential")


def row_123_aliases(b):
    deployments = [{"alias": "a123", "deployment": "dep-a", "model": "gpt-4o-mini"},
                   {"alias": "b123", "deployment": "dep-b", "api_version": "v1"}]
    args = ["--deployments", json.dumps(deployments), "--api-version", VERSION]
    b.connect("az", b.up.host("/openai"), kind="azure-openai", key=KEY, args=args)
    b.up.on("a123", say(body=completion(model="dep-a")))
    b.chat("a123", virtualKey="az", traceID="t123").fine("row 123")
    sees("row 123", (b.up.requests[-1].target, b.up.requests[-1].headers.get("api-key")),
         (f"/openai/deployments/dep-a/chat/completions?api-version={VERSION}", KEY), "an alias")
    row = b.rows("t123")[0]
    check(row["cost_state"] == "priced", f"row 123: priced by the alias's model: {row['cost_state']}, answered by {row['model_answered']}")
    b.chat("b123", virtualKey="az").fine("row 123")
    sees("row 123", (b.up.requests[-1].target, b.up.requests[-1].model), ("/openai/v1/chat/completions", "dep-b"), "a deployment of version v1")
    b.node("chat.completions.create", asked("@az/a123")).fine("row 123")
    sees("row 123", b.up.requests[-1].path, "/openai/deployments/dep-a/chat/completions", "an alias behind a slug in the model")
    b.chat("other", config={"virtual_key": "az", "override_params": {"model": "a123"}}).fine("row 123")
    sees("row 123", b.up.requests[-1].path, "/openai/deployments/dep-a/chat/completions", "override_params.model beats the body's")
    r = b.chat("none123", virtualKey="az")
    sees("row 123", (r.status, r.error.get("message"), r.header("gateway-exception")),
         (400, "No azure alias passed/default config found", "true"), "no alias and no default")
    with_default = [*deployments, {"alias": "c123", "deployment": "dep-c", "default": True}]
    b.connect("az-d", b.up.host("/openai"), kind="azure-openai", args=["--deployments", json.dumps(with_default), "--api-version", VERSION])
    b.chat("none123", virtualKey="az-d").fine("row 123")
    sees("row 123", b.up.requests[-1].path, "/openai/deployments/dep-c/chat/completions", "the default")


class AzureBench(Bench):
    """With a host that grants tokens: Entra's, the machine's metadata service, a workload identity's."""

    def __init__(self):
        self.tokens = ScriptedUpstream()
        token_file = os.path.join(tempfile.mkdtemp(), "federated")
        with open(token_file, "w") as out:
            out.write("federated.token.text\n")
        super().__init__(args=["--workers", "1", "--azure-entra-url", self.tokens.host(), "--azure-metadata-url", self.tokens.host()],
                         env={"AZURE_TENANT_ID": "wl-tenant", "AZURE_CLIENT_ID": "wl-client", "AZURE_FEDERATED_TOKEN_FILE": token_file,
                              "AZURE_AUTHORITY_HOST": self.tokens.host()})


if __name__ == "__main__":
    suite(AzureBench, [row_121_urls, row_121_stream, row_122_tokens, row_122_managed, row_122_workload, row_122_forwarded, row_123_aliases])
