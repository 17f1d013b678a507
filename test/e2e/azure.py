#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Azure OpenAI behind the gateway: rows 45, 47 and 121-123 of Portkey's contract over raw HTTP and by its Node SDK, tokens
from an endpoint of the test's own, and Azure's own forms of answers from the simulator.
"""

import base64
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from harness import check, equal
from portkey import Bench, Wire, asked, fallback, message_of, suite, target
from scripted import ScriptedUpstream, say
from sdk.simrun import Sim

DATED = "2024-10-21"
V = "?api-version=" + DATED
SECRET = "entra-client-secret-0123456789"
ASSERTION = "the-federated-assertion-0123456789"
MODEL_PATHS = ("/chat/completions", "/completions", "/embeddings", "/images/generations", "/audio/speech")
FORM_PATHS = ("/images/edits", "/audio/transcriptions", "/audio/translations")
DEPLOYMENTS = [{"alias": "gpt-4o", "deployment": "my-4o"},
               {"alias": "mini", "deployment": "my-mini", "model": "gpt-4o-mini", "api_version": "2025-01-01-preview"}]


class AzureBench(Bench):
    """A gateway with Azure accounts, all at one upstream, which is the token server too."""

    def __init__(self):
        up = ScriptedUpstream()
        self.folder = tempfile.TemporaryDirectory(prefix="tollgate-azure-")
        token_file = os.path.join(self.folder.name, "token")
        with open(token_file, "w") as f:
            f.write(ASSERTION + "\n")
        super().__init__(args=["--azure-entra-url", up.host("/login"), "--azure-metadata-url", up.host("/imds")],
                         slugs=("openai", "b"), upstream=up,
                         env={"AZURE_TENANT_ID": "tenant-w", "AZURE_CLIENT_ID": "client-w",
                              "AZURE_FEDERATED_TOKEN_FILE": token_file, "AZURE_AUTHORITY_HOST": up.host("/authority")})
        self.azure("az", DEPLOYMENTS, DATED)
        self.azure("az-default", [{"alias": "gpt-4o", "deployment": "only", "default": True}], "v1")

    def azure(self, slug, deployments, version):
        self.connect(slug, self.up.host("/openai"), kind="azure-openai", key="azure-key-of-" + slug,
                     args=["--deployments", json.dumps(deployments), "--api-version", version])

    def ask(self, headers=None, model="gpt-4o", path="/v1/chat/completions", method="POST", **body):
        """(status, headers, body, what the upstream saw)."""
        before = len(self.up.requests)
        sent = asked(model, **body) if method == "POST" else None
        answer = self.raw(sent, headers, path, method)
        seen = [r for r in self.up.requests[before:] if not is_token(r)]
        return (*answer, seen[-1] if seen else None)

    def __exit__(self, *what):
        self.folder.cleanup()
        return super().__exit__(*what)


def is_token(request):
    return request.path.startswith(("/login", "/imds", "/authority"))


def tokens_asked(b, place):
    return [r for r in b.up.requests if r.path.startswith(place)]


def token(text, life=3600):
    return say(body={"token_type": "Bearer", "expires_in": life, "access_token": text})


def fine(answer, what):
    check(answer[0] == 200, f"{what}: {answer[0]} {answer[2][:400]!r}")
    return answer[3]


def inline(b, **more):
    """Headers that say all of it."""
    fields = {"provider": "azure-openai", "custom-host": b.up.host("/openai"), "azure-deployment-id": "dep",
              "azure-api-version": DATED, **more}
    return {"x-portkey-" + k: v for k, v in fields.items() if v} | {"api-key": "own-azure-key"}


# --- rows 45, 47 ---------------------------------------------------------------------------------------

def row_45_fallback_to_azure(b):
    b.up.on("m45", say(503), say())
    here = {"provider": "azure-openai", "api_key": "config-key", "resource_name": "res", "deployment_id": "dep",
            "api_version": DATED, "custom_host": b.up.host("/openai")}
    status, headers, body, seen = b.ask({"x-portkey-config": fallback(target("b"), here)}, "m45")
    equal((status, headers.get("x-portkey-provider"), headers.get("x-portkey-last-used-option-index")),
          (200, "azure-openai", "config.targets[1]"), "row 45")
    equal(seen.target, f"/openai/deployments/dep/chat/completions{V}", "row 45: address")
    equal((seen.headers.get("api-key"), seen.headers.get("authorization")), ("config-key", None), "row 45: credential")


def row_47_a_bad_alias_stops(b):
    before = b.up.count("m47-second")
    config = fallback(target("az"), target("b", "m47-second"))
    status, headers, body, seen = b.ask({"x-portkey-config": config}, "nobody-called-so")
    equal((status, headers.get("x-portkey-gateway-exception"), message_of(body)),
          (400, "true", "No azure alias passed/default config found"), "row 47")
    equal((seen, b.up.count("m47-second")), (None, before), "row 47: calls")


# --- row 121: addresses --------------------------------------------------------------------------------

def row_121_dated_addresses(b):
    for path in MODEL_PATHS:
        seen = fine(b.ask(inline(b), path="/v1" + path), f"row 121 {path}")
        equal(seen.target, f"/openai/deployments/dep{path}{V}", "row 121: " + path)
        equal(seen.model, "gpt-4o", "row 121: the body's model")
    for path in ("/responses", "/files/file-1", "/batches", "/fine_tuning/jobs"):
        seen = fine(b.ask(inline(b), path=f"/v1{path}?limit=2", method="GET"), f"row 121 {path}")
        equal(seen.target, f"/openai{path}?limit=2&api-version={DATED}", "row 121: " + path)
    seen = fine(b.ask(inline(b), path="/v1/models?a=%20b", method="GET"), "row 121 models")
    equal(seen.target, f"/openai/models?a=%20b&api-version={DATED}", "row 121: other paths")
    seen = fine(b.ask(inline(b), path="/v1/models?api-version=2023-05-15", method="GET"), "row 121 models")
    equal(seen.target, "/openai/models?api-version=2023-05-15", "row 121: a version of the client's own")
    seen = fine(b.ask(inline(b, **{"azure-api-version": None}), path="/v1/models?a=b", method="GET"), "row 121 models")
    equal(seen.target, "/openai/models?a=b", "row 121: no version at all")


def row_121_forms(b):
    form = ("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\n"
            "Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nID3\r\n--b--\r\n").encode()
    for path in FORM_PATHS:
        before = len(b.up.requests)
        send = {**inline(b), "Content-Type": "multipart/form-data; boundary=b"}
        status, _, body = b.raw(form, send, "/v1" + path)
        equal(status, 200, f"row 121 {path}: {body[:300]!r}")
        seen = b.up.requests[before:][-1]
        equal((seen.target, seen.body), (f"/openai/deployments/dep{path}{V}", form), "row 121: " + path)


def row_121_v1_addresses(b):
    v1 = inline(b, **{"azure-api-version": "v1"})
    for path in (*MODEL_PATHS, "/responses"):
        seen = fine(b.ask(v1, path=f"/v1{path}?x=1"), f"row 121 v1 {path}")
        equal((seen.target, seen.model), (f"/openai/v1{path}?x=1", "dep"), "row 121 v1: " + path)
    seen = fine(b.ask(v1, path="/v1/batches?after=b", method="GET"), "row 121 v1 batches")
    equal(seen.target, "/openai/v1/batches?after=b", "row 121 v1: batches")


def upgrade(request):
    accept = base64.b64encode(hashlib.sha1((request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    request.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    request.send(b"\x88\x02\x03\xe8")
    return "close"


def row_121_realtime(b):
    cases = [("/v1/realtime?model=gpt-4o-realtime", inline(b), f"/openai/realtime?model=gpt-4o-realtime&api-version={DATED}&deployment=dep"),
             ("/v1/realtime?model=gpt-4o-realtime", inline(b, **{"azure-api-version": "v1"}), "/openai/v1/realtime?model=dep&deployment=dep"),
             ("/v1/realtime?model=@az/gpt-4o&x=1", {}, f"/openai/realtime?model=gpt-4o&x=1&api-version={DATED}&deployment=my-4o")]
    for path in ("/openai/realtime", "/openai/v1/realtime"):
        b.up.on_path(path, upgrade)
    for path, headers, wanted in cases:
        before = len(b.up.requests)
        s = b.gw.socket()
        lines = "".join(f"{k}: {v}\r\n" for k, v in {**headers, "x-portkey-api-key": b.key, "OpenAI-Beta": "realtime=v1"}.items())
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n".encode())
        first = s.recv(65536)
        check(first.startswith(b"HTTP/1.1 101"), f"row 121 realtime: {first[:500]!r}")
        seen = b.up.requests[before:][-1]
        equal((seen.target, seen.headers.get("openai-beta")), (wanted, "realtime=v1"), "row 121: realtime")
        s.close()


def row_121_by_the_node_sdk(b):
    """The same through portkey-ai, whose options become the headers."""
    names = {"provider": "azure-openai", "azureResourceName": "res", "azureDeploymentId": "dep", "customHost": b.up.host("/openai"),
             "Authorization": "own-azure-key"}
    for version, path, model in ((DATED, f"/openai/deployments/dep/chat/completions{V}", "m121"), ("v1", "/openai/v1/chat/completions", "dep")):
        before = len(b.up.requests)
        b.chat("m121", azureApiVersion=version, **names).fine("row 121")
        seen = b.up.requests[before:][-1]
        equal((seen.target, seen.model, seen.headers.get("api-key"), seen.headers.get("authorization")),
              (path, model, "own-azure-key", None), "row 121, Node")
    r = b.chat("m121", stream=True, azureApiVersion=DATED, **names).fine("row 121")
    equal(r.text, "Hello.", "row 121, Node: a stream")
    before = len(b.up.requests)
    b.node("models.list", azureApiVersion=DATED, **names)
    equal(b.up.requests[before:][-1].target, f"/openai/models{V}", "row 121, Node: models")


# --- row 122: credentials ------------------------------------------------------------------------------

def row_122_api_key(b):
    seen = fine(b.ask({"x-portkey-provider": "@az", "OpenAI-Beta": "assistants=v2"}), "row 122")
    equal((seen.headers.get("api-key"), seen.headers.get("authorization"), seen.headers.get("openai-beta")),
          ("azure-key-of-az", None, "assistants=v2"), "row 122: api-key")
    seen = fine(b.ask(inline(b)), "row 122")
    equal((seen.headers.get("api-key"), seen.headers.get("authorization")), ("own-azure-key", None), "row 122: own key")


def row_122_ad_token(b):
    for headers in (inline(b, **{"azure-ad-token": "jwt"}), {"x-portkey-provider": "@az", "x-portkey-azure-ad-token": "jwt"}):
        seen = fine(b.ask({**headers, "OpenAI-Beta": "x"}), "row 122")
        equal((seen.headers.get("api-key"), seen.headers.get("authorization"), seen.headers.get("openai-beta")),
              (None, "Bearer jwt", None), "row 122: ad token")


def entra(b, tenant, **more):
    return inline(b, **{"azure-auth-mode": "entra", "azure-entra-tenant-id": tenant, "azure-entra-client-id": "client-e",
                        "azure-entra-client-secret": SECRET, **more})


def row_122_entra_once(b):
    b.up.on_path("/login/tenant-1/oauth2/v2.0/token", token("entra-jwt"))
    for _ in range(3):
        seen = fine(b.ask(entra(b, "tenant-1")), "row 122")
        equal((seen.credential, seen.headers.get("api-key")), ("Bearer entra-jwt", None), "row 122: entra")
    calls = tokens_asked(b, "/login/tenant-1/")
    equal(len(calls), 1, "row 122: fetches of a token that is good")
    equal((calls[0].method, dict(urllib.parse.parse_qsl(calls[0].body.decode()))),
          ("POST", {"client_id": "client-e", "client_secret": SECRET, "grant_type": "client_credentials",
                    "scope": "https://cognitiveservices.azure.com/.default"}), "row 122: how it is asked for")


def row_122_entra_joined(b):
    def slow(request):
        time.sleep(0.4)
        return token("joined-jwt")(request)
    b.up.on_path("/login/tenant-j/oauth2/v2.0/token", slow)
    found = []

    def call():
        wire = Wire(b)
        found.append(wire.post(asked("joined"), entra(b, "tenant-j"))[0])
        wire.close()
    threads = [threading.Thread(target=call) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal((found, len(tokens_asked(b, "/login/tenant-j/"))), ([200] * 20, 1), "row 122: twenty at a time")
    check(all(r.credential == "Bearer joined-jwt" for r in b.up.seen("joined")), "row 122: all have the token")


def row_122_entra_refreshed(b):
    b.up.on_path("/login/tenant-r/oauth2/v2.0/token", token("first", life=2), token("second"))
    equal(fine(b.ask(entra(b, "tenant-r")), "row 122").credential, "Bearer first", "row 122: first token")
    time.sleep(1.2)  # past half of its life, before its end
    equal(fine(b.ask(entra(b, "tenant-r")), "row 122").credential, "Bearer second", "row 122: refreshed before it ends")


def row_122_entra_refused(b):
    b.up.on_path("/login/tenant-x/oauth2/v2.0/token", say(401, body={
        "error": "invalid_client", "error_description": f"AADSTS7000215: Invalid client secret provided. You sent {SECRET}"}))
    status, headers, body, seen = b.ask(entra(b, "tenant-x"))
    equal((status, seen, headers.get("x-portkey-gateway-exception")), (401, None, None), "row 122: no token")
    check("invalid_client" in message_of(body) and SECRET not in body.decode(), f"row 122: {body!r}")
    bad = {"provider": "azure-openai", "custom_host": b.up.host("/openai"), "deployment_id": "dep", "azure_auth_mode": "entra",
           "azure_entra_tenant_id": "tenant-x", "azure_entra_client_id": "c", "azure_entra_client_secret": SECRET,
           "api_version": DATED, "retry": {"attempts": 0}}
    status, headers, body, seen = b.ask({"x-portkey-config": fallback(bad, target("b"))}, "after-refusal")
    equal((status, headers.get("x-portkey-last-used-option-index")), (200, "config.targets[1]"), f"row 122: fallback {body[:200]!r}")
    # A try that ends for want of a token counts alike, whether another follows or it is the last.
    discarded = b.rows(headers["x-portkey-trace-id"], 2)[0]
    status, headers, _, _ = b.ask({"x-portkey-config": json.dumps(bad)}, "the-last-try")
    last = b.rows(headers["x-portkey-trace-id"])[0]
    equal((status, discarded["outcome"], last["outcome"]), (401, "upstream_failed", "upstream_failed"), "row 122: outcomes")


def row_122_managed(b):
    b.up.on_path("/imds/metadata/identity/oauth2/token", token("machine-jwt", life="86399"))
    for _ in range(2):
        seen = fine(b.ask({"x-portkey-provider": "@az", "x-portkey-azure-auth-mode": "managed"}), "row 122")
        equal((seen.credential, seen.headers.get("api-key")), ("Bearer machine-jwt", None), "row 122: managed")
    calls = tokens_asked(b, "/imds/")
    equal(len(calls), 1, "row 122: fetches")
    equal((calls[0].method, calls[0].query, calls[0].headers.get("metadata")),
          ("GET", "api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com%2F", "true"), "row 122: how it is asked for")
    status, _, body, seen = b.ask(inline(b, **{"azure-auth-mode": "managed"}))
    equal((status, seen), (400, None), f"row 122: the machine's token to a host of the caller's: {body!r}")


def row_122_workload(b):
    b.up.on_path("/authority/tenant-w/oauth2/v2.0/token", token("workload-jwt"))
    seen = fine(b.ask({"x-portkey-provider": "@az", "x-portkey-azure-auth-mode": "workload"}), "row 122")
    equal(seen.credential, "Bearer workload-jwt", "row 122: workload")
    form = dict(urllib.parse.parse_qsl(tokens_asked(b, "/authority/")[0].body.decode()))
    equal((form["client_id"], form["client_assertion"], form["client_assertion_type"]),
          ("client-w", ASSERTION, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), "row 122: the assertion")


def row_122_a_mode_that_lacks_something(b):
    seen = fine(b.ask(entra(b, "tenant-1", **{"azure-entra-client-secret": None})), "row 122")
    equal((seen.headers.get("api-key"), seen.headers.get("authorization")), ("own-azure-key", None), "row 122: falls through")


def row_122_a_forwarded_token(b):
    headers = {"x-portkey-provider": "@az", "Authorization": "Bearer users-own-jwt", "x-portkey-forward-headers": "Authorization"}
    seen = fine(b.ask(headers), "row 122")
    equal((seen.headers.get("authorization"), seen.headers.get("api-key")), ("Bearer users-own-jwt", None), "row 122: forwarded")


def row_122_no_secret_is_kept(b):
    texts = []
    for row in b.gw.rows(1000):
        status, _, body = b.gw.get("/tollgate/v1/logs/" + row["id"])
        texts.append(body.decode(errors="replace"))
    log = b.gw.log_text()
    for secret in (SECRET, ASSERTION, "entra-jwt", "machine-jwt", "workload-jwt", "azure-key-of-az", "own-azure-key", "config-key"):
        check(secret not in log, f"the log has {secret}")
        check(not any(secret in t for t in texts), f"a record has {secret}")


# --- row 123: aliases ----------------------------------------------------------------------------------

def row_123_aliases(b):
    seen = fine(b.ask({"x-portkey-virtual-key": "az"}, "gpt-4o"), "row 123")
    equal(seen.target, f"/openai/deployments/my-4o/chat/completions{V}", "row 123: alias")
    seen = fine(b.ask({"x-portkey-virtual-key": "az"}, "mini"), "row 123")
    equal(seen.target, "/openai/deployments/my-mini/chat/completions?api-version=2025-01-01-preview", "row 123: its own version")
    seen = fine(b.ask({}, "@az/gpt-4o"), "row 123")
    equal((seen.target, seen.model), (f"/openai/deployments/my-4o/chat/completions{V}", "gpt-4o"), "row 123: by the model")
    seen = fine(b.ask({"x-portkey-virtual-key": "az-default"}, "anything"), "row 123")
    equal((seen.target, seen.model), ("/openai/v1/chat/completions", "only"), "row 123: default")
    status, headers, body, seen = b.ask({"x-portkey-virtual-key": "az"}, "unknown")
    equal((status, message_of(body), headers.get("x-portkey-gateway-exception"), seen),
          (400, "No azure alias passed/default config found", "true", None), "row 123: none")
    check(json.loads(body)["status"] == "failure" and headers.get("x-portkey-trace-id"), f"row 123: {body!r}")


def row_123_by_the_node_sdk(b):
    before = len(b.up.requests)
    b.chat("gpt-4o", virtualKey="az").fine("row 123")
    equal(b.up.requests[before:][-1].target, f"/openai/deployments/my-4o/chat/completions{V}", "row 123, Node: alias")
    r = b.chat("anything", virtualKey="az-default").fine("row 123")
    equal((b.up.requests[-1].target, r.header("provider")), ("/openai/v1/chat/completions", "azure-openai"), "row 123, Node: default")
    r = b.chat("unknown", virtualKey="az")
    equal((r.status, r.calls, r.error.get("message"), r.header("gateway-exception")),
          (400, 1, "No azure alias passed/default config found", "true"), "row 123, Node: none")


def row_123_prices_go_by_the_alias(b):
    b.up.on("mini", say(body={"id": "c", "object": "chat.completion", "created": 1, "model": "", "usage":
                              {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}, "choices": []}))
    status, headers, body, _ = b.ask({"x-portkey-virtual-key": "az", "x-portkey-trace-id": "price"}, "mini")
    equal((status, headers.get("x-tollgate-cost-usd")), (200, "0.00021"), "row 123: 1000 in and 100 out of gpt-4o-mini")


# --- Azure's own forms of answers ----------------------------------------------------------------------

def content_filter_chunks_pass(b):
    with Sim() as sim:
        b.connect("az-sim", sim.root + "/openai", kind="azure-openai", args=["--api-version", DATED])
        for version in (DATED, "v1"):
            send = {"x-portkey-provider": "@az-sim", "x-portkey-azure-api-version": version}
            status, headers, body = b.raw(asked("gpt-4o", stream=True), send)
            events = [e[6:] for e in body.decode().split("\n\n") if e]
            equal((status, events[-1]), (200, "[DONE]"), "a stream of Azure's")
            first = json.loads(events[0])
            check(first["choices"] == [] and "prompt_filter_results" in first, f"the first chunk is {events[0]}")
            check(not any(json.loads(e).get("usage") for e in events[:-1]), "usage that nobody asked for")
        status, headers, body = b.raw(asked("gpt-4o"), {"x-portkey-provider": "@az-sim"})
        check(status == 200 and "prompt_filter_results" in json.loads(body), f"{status} {body[:300]!r}")
        check(headers["x-tollgate-cost-usd"] not in ("unpriced", "0"), "its price goes by the answer's model")


if __name__ == "__main__":
    suite(AzureBench, [row_45_fallback_to_azure, row_47_a_bad_alias_stops, row_121_dated_addresses, row_121_forms,
                       row_121_v1_addresses, row_121_realtime, row_121_by_the_node_sdk, row_122_api_key, row_122_ad_token, row_122_entra_once,
                       row_122_entra_joined, row_122_entra_refreshed, row_122_entra_refused, row_122_managed,
                       row_122_workload, row_122_a_mode_that_lacks_something, row_122_a_forwarded_token,
                       row_123_aliases, row_123_by_the_node_sdk, row_123_prices_go_by_the_alias, content_filter_chunks_pass,
                       row_122_no_secret_is_kept])
