#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=240
"""
No address that is not on the public internet is ever connected to, whoever names it and wherever (server-side request forgery).

10,000 URLs of lib/ssrf_urls.py go through x-portkey-custom-host, and a share of them, with each class of host among it, through every other place
where a caller or an admin names a host. Their answers are not what counts: preload_connects.c notes every connect(2) of the gateway, and none
may be to a blocked address. Each place is also given a public host, which must be reached: a place that connects nowhere proves nothing.

TOLLGATE_SSRF=all gives all URLs to every place (two minutes).
"""

import collections
import http.client
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import ADMIN_KEY, binary, chat, check, equal, free_port, run, wait_until
from ssrf_urls import PUBLIC4, PUBLIC6, ZONE, blocked, urls
from world import Names, Watch, World

COUNT, SHARE, SEED = 10000, 1000, int(os.environ.get("TOLLGATE_SEED", "54"))
GOOD = f"a-{PUBLIC4.packed.hex()}.{ZONE}"
SECRET = "sk-stored-%s-0123456789abcdef"
number = itertools.count(1)


class Server:
    """A gateway that may connect to public addresses only, but for `args`; every connection of it is noted."""

    def __init__(self, *args, env=None):
        self.dir = tempfile.mkdtemp(prefix="tollgate-ssrf-")
        self.port, self.names = free_port(), Names()
        self.world = World(f"http://169.254.169.254:{self.port}/latest/meta-data")
        self.watch = Watch(self.dir, self.names, self.world)
        self.log = open(os.path.join(self.dir, "serve.log"), "wb")
        outside = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        full = {**outside, **self.watch.environment, **(env or {}), "TOLLGATE_ADMIN_KEY": ADMIN_KEY}
        self.process = subprocess.Popen([binary("tollgate"), "serve", "--listen", f"127.0.0.1:{self.port}", "--data", self.dir, "--log-level", "debug",
                                         "--connect-timeout", "2s", "--first-byte-timeout", "5s", *args], env=full, stdout=self.log, stderr=self.log)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        wait_until("the gateway is ready", 20, self.ready)

    def ready(self):
        check(self.process.poll() is None, "the gateway ended")
        try:
            return self.ask("GET", "/v1/health")[0] == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, headers=None, key=ADMIN_KEY):
        """(status, object or text). One connection, kept."""
        text = json.dumps(body).encode() if body is not None else b""
        for again in (True, False):
            try:
                self.connection.putrequest(method, path)
                for name, value in {"x-portkey-api-key": key, "Content-Type": "application/json", "Content-Length": str(len(text)), **(headers or {})}.items():
                    self.connection.putheader(name, value.replace("\r\n", " ").encode())
                self.connection.endheaders(text)
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
                if not again:
                    raise
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def close(self):
        self.process.terminate()
        equal(self.process.wait(20), 0, "the gateway's end")


# --- the places --------------------------------------------------------------------------------------

def by_header(s, url):
    return s.ask("POST", "/v1/chat/completions", chat(), {"x-portkey-provider": "openai", "Authorization": "Bearer sk-own", "x-portkey-custom-host": url})


def by_header_azure(s, url):
    return s.ask("POST", "/v1/chat/completions", chat(), {"x-portkey-provider": "azure-openai", "x-portkey-azure-deployment-id": "d", "x-portkey-azure-api-version":
                 "2024-10-21", "Authorization": "Bearer own", "x-portkey-azure-auth-mode": "entra", "x-portkey-azure-ad-token": "own", "x-portkey-custom-host": url})


def by_resource_name(s, url):
    return s.ask("POST", "/v1/chat/completions", chat(), {"x-portkey-provider": "azure-openai", "x-portkey-azure-deployment-id": "d",
                 "x-portkey-azure-api-version": "2024-10-21", "Authorization": "Bearer own", "x-portkey-azure-resource-name": url.split("//", 1)[-1]})


def by_config(s, url):
    config = {"provider": "openai", "api_key": "sk-own", "custom_host": url}
    return s.ask("POST", "/v1/chat/completions", chat(), {"x-portkey-config": json.dumps(config)})


def by_deep_config(s, url):
    target = {"provider": "openai", "api_key": "sk-own", "custom_host": url}
    config = {"strategy": {"mode": "fallback"}, "targets": [target, {"strategy": {"mode": "loadbalance"}, "targets": [target]}]}
    return s.ask("POST", "/v1/embeddings", {"model": "text-embedding-3-small", "input": "x"}, {"x-portkey-config": json.dumps(config)})


def by_stored_config(s, url):
    status, made = s.ask("POST", "/v1/configs", {"name": f"c{next(number)}", "config": {"provider": "openai", "api_key": "sk-own", "custom_host": url}})
    if status != 200:
        return status, made
    answer = s.ask("POST", "/v1/chat/completions", chat(), {"x-portkey-config": made["data"]["id"]})
    equal(s.ask("DELETE", "/v1/configs/" + made["data"]["id"])[0], 200, "the config's end")
    return answer


def by_stream(s, url):
    return s.ask("POST", "/v1/responses", {"model": "gpt-4o-mini", "input": "x", "stream": True},
                 {"x-portkey-provider": "openai", "Authorization": "Bearer sk-own", "x-portkey-custom-host": url})


def by_unknown_path(s, url):
    return s.ask("GET", "/v1/files?limit=1", None, {"x-portkey-provider": "openai", "Authorization": "Bearer sk-own", "x-portkey-custom-host": url})


def by_realtime(s, url):
    fields = {"x-portkey-provider": "openai", "Authorization": "Bearer sk-own", "x-portkey-custom-host": url.replace("\r\n", " "), "x-portkey-api-key": ADMIN_KEY,
              "Host": "gateway", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with socket.create_connection(("127.0.0.1", s.port), timeout=20) as c:
        c.sendall(b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode() + b"\r\n")
        head = c.recv(65536)
    return int(head[9:12]), head


def hooks(check_id, name):
    def place(s, url):
        config = {"input_guardrails": [{check_id: {name: url, "timeout": 2000}, "deny": True}]}
        return s.ask("POST", "/v1/chat/completions", chat(), {"x-portkey-config": json.dumps(config), "x-portkey-provider": "openai",
                                                              "Authorization": "Bearer sk-own", "x-portkey-custom-host": f"http://{GOOD}/v1"})
    place.__name__ = "by " + check_id
    return place


by_webhook = hooks("default.webhook", "webhookURL")
by_log_hook = hooks("default.log", "logURL")


def used(s, slug):
    """Everything that makes the gateway ask a stored account's host."""
    answer = s.ask("POST", "/v1/chat/completions", chat(f"@{slug}/gpt-4o-mini"))
    s.ask("GET", f"/v0/integrations/connections/{slug}/models")
    return answer


def by_integration(s, url):
    slug = f"i{next(number)}"
    status, made = s.ask("POST", "/tollgate/v1/integrations", {"slug": slug, "kind": "openai-compatible", "base_url": url, "api_key": "sk-own-0123456789"})
    if status not in (200, 201):
        return status, made
    answer = used(s, slug)
    equal(s.ask("DELETE", f"/tollgate/v1/integrations/{slug}")[0], 204, "the account's end")
    return answer


def by_changed_integration(s, url):
    slug = f"i{next(number)}"
    status, made = s.ask("POST", "/tollgate/v1/integrations", {"slug": slug, "kind": "openai-compatible", "base_url": f"http://{GOOD}/v1", "api_key": "sk-own-0123456789"})
    check(status in (200, 201), made)
    answer = s.ask("PATCH", f"/tollgate/v1/integrations/{slug}", {"base_url": url, "api_key": "sk-other-0123456789"})
    if answer[0] == 200:
        answer = used(s, slug)
    s.ask("DELETE", f"/tollgate/v1/integrations/{slug}")
    return answer


def by_admin_integration(s, url):
    slug = f"i{next(number)}"
    status, made = s.ask("POST", "/tollgate/v1/integrations", {"slug": slug, "kind": "openai-admin", "base_url": url, "api_key": "sk-admin-own-0123456789"})
    if status in (200, 201):
        s.ask("POST", "/tollgate/v1/imports", {"integration": slug})
        s.ask("DELETE", f"/tollgate/v1/integrations/{slug}")
    return status, made


def by_virtual_key(s, url):
    slug = f"i{next(number)}"
    status, made = s.ask("POST", "/v1/virtual-keys", {"name": slug, "slug": slug, "provider": "openai", "key": "sk-own-0123456789", "custom_host": url})
    if status != 200:
        return status, made
    answer = used(s, slug)
    s.ask("DELETE", f"/v1/virtual-keys/{slug}")
    return answer


def by_portkey_integration(s, url):
    slug = f"i{next(number)}"
    status, made = s.ask("POST", "/v1/integrations", {"name": slug, "slug": slug, "ai_provider_id": "openai", "key": "sk-own-0123456789",
                                                      "configurations": {"custom_host": url}})
    if status != 200:
        return status, made
    answer = used(s, slug)
    s.ask("DELETE", f"/v1/integrations/{slug}")
    return answer


def by_connection(s, url):
    slug = f"i{next(number)}"
    status, made = s.ask("POST", "/v0/integrations/connections", {"metadata": {"name": slug}, "spec": {"integration": "openai-compatible", "config": {
        "endpoint": url}, "secret": {"apiKey": "sk-own-0123456789"}}}, {"Authorization": "Bearer " + ADMIN_KEY, "X-Blaxel-Workspace": "default"})
    if status != 200:
        return status, made
    answer = used(s, slug)
    s.ask("DELETE", f"/v0/integrations/connections/{slug}", None, {"Authorization": "Bearer " + ADMIN_KEY})
    return answer


def by_bill(s, url):
    status, made = s.ask("POST", "/v2/integrations/open_ai", {"api_key": "sk-admin-own-0123456789", "base_url": url}, {"Authorization": "Bearer " + ADMIN_KEY})
    if status == 201:
        s.ask("DELETE", "/v2/integrations/" + made["token"], None, {"Authorization": "Bearer " + ADMIN_KEY})
    return status, made


def by_channel(s, url):
    status, made = s.ask("PUT", "/tollgate/v1/channels/c", {"kind": "webhook", "url": url})
    if status != 200:
        return status, made
    status, answer = s.ask("POST", "/tollgate/v1/notifications/test", {"to": "c"})
    return 200 if isinstance(answer, dict) and answer.get("sent") else 400, answer


def by_test_of_integration(s, url):
    slug = f"i{next(number)}"
    status, made = s.ask("POST", "/tollgate/v1/integrations", {"slug": slug, "kind": "openai-compatible", "base_url": url, "api_key": "sk-own-0123456789"})
    if status not in (200, 201):
        return status, made
    answer = s.ask("POST", f"/tollgate/v1/integrations/{slug}/test")
    s.ask("DELETE", f"/tollgate/v1/integrations/{slug}")
    return answer


PLACES = [by_header, by_header_azure, by_config, by_deep_config, by_stored_config, by_stream, by_unknown_path, by_realtime, by_webhook, by_log_hook,
          by_integration, by_changed_integration, by_admin_integration, by_virtual_key, by_portkey_integration, by_connection, by_bill, by_channel,
          by_test_of_integration]


# --- the tests ---------------------------------------------------------------------------------------

def reached(s, host_address, action):
    """Whether the action made the gateway connect there; webhooks that nobody waits for come a moment later."""
    before = len(s.watch.connects())
    answer = action()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if any(a == host_address for a, _ in s.watch.connects()[before:]):
            return True, answer
        time.sleep(0.01)
    return False, answer


def none_blocked(s, text):
    bad = [f"{a} {p}" for a, p in s.watch.connects() if blocked(a)]
    check(not bad, f"{text}: connections to {collections.Counter(bad).most_common(10)}")


def nowhere_but_the_internet():
    s = Server()
    counts = {}
    for place in PLACES:
        name = f"fresh{next(number)}.a-{PUBLIC4.packed.hex()}.{ZONE}"
        fine, answer = reached(s, PUBLIC4, lambda: place(s, f"http://{name}/v1"))
        check(fine, f"{place.__name__} did not reach a public host: {answer}")
    everything = list(urls(COUNT, SEED, [s.port]))
    for place in [*PLACES, by_resource_name]:
        mine = everything
        if place is not by_header and os.environ.get("TOLLGATE_SSRF") != "all":
            mine = random.Random(f"{SEED} {place.__name__}").sample(everything, SHARE)
        before, begun, statuses = len(s.watch.connects()), time.monotonic(), collections.Counter()
        for kind, url in mine:
            status, answer = place(s, url)
            statuses[status] += 1
            check(s.process.poll() is None, f"the gateway ended after {kind}: {url!r}")
        counts[place.__name__] = len(s.watch.connects()) - before
        print(f"  {place.__name__}: {len(mine)} URLs, {counts[place.__name__]} connections, {time.monotonic() - begun:.1f} s, {dict(statuses)}", flush=True)
        none_blocked(s, place.__name__)
    s.close()
    none_blocked(s, "at the end")
    kinds = {kind.split(",")[0] for kind, _ in everything}
    check(len(s.names.asked) > COUNT / 20, f"only {len(s.names.asked)} names were asked for")
    print(f"  {len(everything)} URLs of {len(kinds)} kinds of hosts, {len(s.watch.connects())} connections, 0 blocked, {len(s.names.asked)} questions for names")


def rebinding_gains_nothing():
    """A name leads to a public address, then to a blocked one: by another question, in the same answer, in the other family."""
    s = Server()
    bad = ["7f000001", "a9fea9fe", "0a000001", "00" * 15 + "01", "fd000ec2" + "0" * 20 + "0254", "00" * 10 + "ffff7f000001"]
    turns = [f"turn-{i}-{PUBLIC4.packed.hex()}-{bad[i % 3]}.{ZONE}" for i in range(60)]
    for name in turns:
        equal(by_header(s, f"http://{name}/v1")[0], 200, f"{name}, the first time")
    time.sleep(1.2)  # answers are kept for a second at least
    for name in turns:
        check(by_header(s, f"http://{name}/v1")[0] != 200, f"{name}, the second time")
    check(all(s.names.asked[name, 1] >= 2 for name in turns), "the names were not asked for again")
    for name in (f"all-{PUBLIC4.packed.hex()}-{b}.{ZONE}" for b in bad):
        equal(by_header(s, f"http://{name}/v1")[0], 200, f"{name}: the public one of several addresses")
    for b in bad:
        name = f"all-{b}-{bad[0]}.{ZONE}"
        check(by_header(s, f"http://{name}/v1")[0] >= 400, name)
    s.close()
    none_blocked(s, "rebinding")


def redirects_are_not_followed():
    s = Server()
    for status in (301, 302, 303, 307, 308):
        name = f"redirect{status}.a-{PUBLIC4.packed.hex()}.{ZONE}"
        for place in PLACES:
            before = len(s.world.seen)
            answer = place(s, f"http://{name}/v1")
            time.sleep(0.01)
            there = [seen for seen in s.world.seen[before:] if not seen[0].startswith("redirect") and place not in (by_webhook, by_log_hook, by_changed_integration)]
            check(not there, f"{place.__name__} followed a {status}: {there} {answer}")
    check(not [h for h, *_ in s.world.seen if h.startswith("169.254.")], "a redirect was followed")
    s.close()
    none_blocked(s, "redirects")


def a_stored_key_goes_to_its_own_host_only():
    """Accounts with hosts and keys of their own, asked for in every way with other hosts named beside them."""
    s, r, own = Server(), random.Random(SEED), {}
    for i in range(8):
        host = f"home{i}.a-{PUBLIC4.packed.hex()}.{ZONE}"
        status, made = s.ask("POST", "/tollgate/v1/integrations", {"slug": f"acc{i}", "kind": "openai-compatible", "base_url": f"http://{host}:{8000 + i}/v1",
                                                                   "api_key": SECRET % i})
        check(status in (200, 201), made)
        own[SECRET % i] = f"{host}:{8000 + i}"
        status, made = s.ask("POST", "/v1/configs", {"name": f"k{i}", "config": {"provider": "openai", "api_key": SECRET % f"c{i}", "custom_host":
                             f"http://conf{i}.{GOOD}/v1", "input_guardrails": [{"default.webhook": {"webhookURL": f"http://hook.{GOOD}/x"}}]}})
        check(status == 200, made)
        own[SECRET % f"c{i}"] = f"conf{i}.{GOOD}"
        own["id%d" % i] = made["data"]["id"]
    hosts = [f"http://evil.{GOOD}/v1", f"http://home0.{GOOD}:8000/v1", f"http://home1.{GOOD}:8000/v1", f"https://home2.{GOOD}:8002/v1",
             f"http://HOME3.{GOOD}:8003/v1", f"http://home4.{GOOD}.:8004/v1", f"http://home5.{GOOD}/v1", f"http://[{PUBLIC6}]/v1"]
    for _ in range(600):
        i, fields = r.randrange(8), {}
        config = {"custom_host": r.choice(hosts)}
        pick = r.randrange(6)
        if pick == 0:
            fields = {"x-portkey-virtual-key": f"acc{i}", "x-portkey-custom-host": r.choice(hosts)}
        elif pick == 1:
            fields = {"x-portkey-config": json.dumps({**config, "virtual_key": f"acc{i}"})}
        elif pick == 2:
            fields = {"x-portkey-config": json.dumps({**config, "provider": f"@acc{i}"}), "x-portkey-custom-host": r.choice(hosts)}
        elif pick == 3:
            fields = {"x-portkey-config": own["id%d" % i], "x-portkey-custom-host": r.choice(hosts)}
        elif pick == 4:
            fields = {"x-portkey-config": json.dumps({"provider": f"@acc{i}", "input_guardrails": [{"default.webhook": {"webhookURL": r.choice(hosts), "headers": {
                "Authorization": "{{key}}"}}}]}), "x-portkey-forward-headers": "authorization,x-portkey-api-key"}
        else:
            fields = {"x-portkey-provider": f"@acc{i}", "x-portkey-custom-host": r.choice(hosts), "Host": f"home{i}.{GOOD}", "X-Forwarded-Host": f"evil.{GOOD}"}
        s.ask("POST", r.choice(["/v1/chat/completions", "/v1/files", "/v1/batches"]), chat(r.choice([f"@acc{i}/gpt-4o", "gpt-4o-mini"])), fields)
    wrong, times = [], collections.Counter()
    for host, _, _, fields in s.world.seen:
        for secret, home in own.items():
            if secret.startswith("sk-") and any(secret in v for v in fields.values()):
                times[host == home] += 1
                if host != home:
                    wrong.append((host, secret))
        if any(ADMIN_KEY in v for v in fields.values()):
            wrong.append((host, "the caller's key"))
    s.close()
    check(not wrong, f"keys at foreign hosts: {wrong[:10]}")
    check(times[True] > 50, f"own hosts were asked {times[True]} times only")
    print(f"  {times[True]} times at its own host, 0 elsewhere")


def an_account_moves_only_with_its_key():
    """Who may edit an account and not see its key cannot have it sent elsewhere: in no dialect, and not by taking the slug anew."""
    s, number_of = Server(), itertools.count()
    blaxel = {"Authorization": "Bearer " + ADMIN_KEY, "X-Blaxel-Workspace": "default"}
    other = f"http://elsewhere.{GOOD}:9000/v1"
    moves = {
        "ours": lambda slug, url: s.ask("PATCH", f"/tollgate/v1/integrations/{slug}", {"base_url": url}),
        "ours, empty key": lambda slug, url: s.ask("PATCH", f"/tollgate/v1/integrations/{slug}", {"base_url": url, "api_key": ""}),
        "Portkey's integration": lambda slug, url: s.ask("PUT", f"/v1/integrations/{slug}", {"configurations": {"custom_host": url}}),
        "Portkey's virtual key": lambda slug, url: s.ask("PUT", f"/v1/virtual-keys/{slug}", {"custom_host": url}),
        "Portkey's virtual key, masked": lambda slug, url: s.ask("PUT", f"/v1/virtual-keys/{slug}", {"custom_host": url, "key": "sk-…cdef"}),
        "Blaxel's": lambda slug, url: s.ask("PUT", f"/v0/integrations/connections/{slug}", {"metadata": {"name": slug}, "spec": {
            "integration": "openai-compatible", "config": {"endpoint": url}}}, blaxel),
        "Blaxel's, masked": lambda slug, url: s.ask("PUT", f"/v0/integrations/connections/{slug}", {"metadata": {"name": slug}, "spec": {
            "integration": "openai-compatible", "config": {"endpoint": url}, "secret": {"apiKey": "sk-********def"}}}, blaxel),
        "anew": lambda slug, url: (s.ask("DELETE", f"/tollgate/v1/integrations/{slug}"), s.ask("POST", "/tollgate/v1/integrations", {
            "slug": slug, "kind": "openai-compatible", "base_url": url}))[1]}
    for name, move in moves.items():
        for url in (other, other.replace("http:", "https:"), f"http://home.{GOOD}:8001/v1", f"http://home.{GOOD}./v1"):
            slug = f"m{next(number_of)}"
            status, made = s.ask("POST", "/tollgate/v1/integrations", {"slug": slug, "kind": "openai-compatible", "base_url": f"http://home.{GOOD}:8000/v1", "api_key": SECRET % slug})
            check(status in (200, 201), made)
            status, answer = move(slug, url)
            used(s, slug)
            s.ask("POST", f"/tollgate/v1/integrations/{slug}/test")
            wrong = [host for host, _, _, fields in s.world.seen if SECRET % slug in str(fields) and host != f"home.{GOOD}:8000"]
            check(not wrong, f"{name} to {url}: the key went to {wrong}; {status} {answer}")
            check(status >= 400 or name in ("ours, empty key", "anew"), f"{name} to {url}: {status} {answer}")
    s.close()


def the_operator_allows_what_he_names():
    """--allow-upstream opens its range and nothing beside it, and a metadata service only when that very address is named."""
    s = Server("--allow-upstream", "10.1.0.0/16", "--allow-upstream", "169.254.0.0/16", "--allow-upstream", "fd00::/8")
    for host, fine in [("10.1.2.3", True), (f"a-0a010203.{ZONE}", True), ("10.2.0.1", False), ("127.0.0.1", False), ("169.254.1.1", True),
                       ("169.254.169.254", False), (f"a-a9fea9fe.{ZONE}", False), ("[fd00::7]", True), ("[fd00:ec2::254]", False), ("[::ffff:10.1.2.3]", True)]:
        equal(by_header(s, f"http://{host}/v1")[0] == 200, fine, host)
    before = len(s.watch.connects())
    equal(by_integration(s, f"http://vault.a-0a010203.{ZONE}:8200/v1")[0], 200, "a name of a cluster that leads to an allowed address")
    check(len(s.watch.connects()) > before, "it was reached")
    s.close()


def what_the_operator_names_is_checked_too():
    """The collector of traces and the provider of sign-ins: their names lead to blocked addresses."""
    for host in (f"a-7f000001.{ZONE}", f"a-a9fea9fe.{ZONE}", f"a-{'0' * 31}1.{ZONE}"):
        s = Server("--otlp-endpoint", f"http://otlp.{host}:4318", "--oidc-issuer", f"https://oidc.{host}", "--oidc-client-id", "me", "--public-url", "http://gateway.example")
        by_header(s, f"http://{GOOD}/v1")
        status, _ = s.ask("GET", "/tollgate/v1/sign-in/oidc", key="")
        time.sleep(1.5)  # spans go out every second
        for name in (f"otlp.{host}", f"oidc.{host}"):
            check(s.names.asked.get((name, 1), 0) >= 1, f"{name} was not asked for: {s.names.asked} {status}")
        s.close()
        none_blocked(s, host)


def behind_a_proxy():
    """Names are the proxy's to resolve; addresses, and names that are always this machine's, are refused before it is asked."""
    proxy = f"http://proxy.{GOOD}:3128"
    s = Server(env={"HTTPS_PROXY": proxy, "http_proxy": proxy, "NO_PROXY": f"direct.{GOOD}"})
    s.ask("POST", "/v1/chat/completions", chat(), {"x-portkey-provider": "openai", "Authorization": "Bearer sk-own", "x-portkey-custom-host": f"http://asked.{GOOD}/v1"})
    check([t for _, m, t, _ in s.world.seen if m == "CONNECT" and t.startswith("asked.")], "the proxy was not asked")
    for place in PLACES:
        for kind, url in random.Random(place.__name__).sample(list(urls(2000, SEED + 1, [s.port])), 60):
            if " name" not in kind.split(",")[0] or "local" in kind:
                place(s, url)
        for host in ("localhost", "LOCALHOST:8787", "a.localhost", "127.0.0.1", "[::1]", "169.254.169.254"):
            place(s, f"http://{host}/v1")
            place(s, f"https://{host}/v1")
    asked = [t for _, m, t, _ in s.world.seen if m == "CONNECT"]
    for target in asked:
        host = target.rsplit(":", 1)[0].strip("[]")
        check(host != "localhost" and not host.endswith(".localhost"), f"the proxy was asked for {target}")
        try:
            check(not blocked(host), f"the proxy was asked for {target}")
        except ValueError:
            pass
    for host in (f"direct.a-7f000001.{ZONE}", f"direct.{GOOD}"):
        by_header(s, f"http://{host}/v1")
    s.close()
    none_blocked(s, "with a proxy")


if __name__ == "__main__":
    run(nowhere_but_the_internet, rebinding_gains_nothing, redirects_are_not_followed, a_stored_key_goes_to_its_own_host_only,
        an_account_moves_only_with_its_key, the_operator_allows_what_he_names, what_the_operator_names_is_checked_too, behind_a_proxy)
