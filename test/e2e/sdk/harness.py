# SPDX-License-Identifier: Apache-2.0
"""
Runs operations of the OpenAI Python SDK against BASE_URL and prints a JSON line for each, in the form
that harness.mjs describes. The client validates every answer strictly against the SDK's types.
"""

import hashlib
import json
import os
import sys
import time
import traceback

import httpx2
import openai

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]
ADMIN_KEY = os.environ.get("ADMIN_KEY")

exchanges = []
operations = []


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def begin(request, body):
    exchange = {"method": request.method, "path": request.url.path, "request_sha256": sha256(body),
                "request_bytes": len(body)}
    exchanges.append(exchange)
    return exchange


def answered(exchange, response):
    exchange["status"] = response.status_code
    exchange["request_id"] = response.headers.get("x-request-id")


class Tap(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """
    Hashes a body as it is read. The SDK stops at the end marker of a stream; what is left is read when it
    closes, unless that would be the rest of a stream that was broken off.
    """

    def __init__(self, inner, exchange):
        self.inner, self.exchange = inner, exchange
        self.hash, self.size, self.tail = hashlib.sha256(), 0, b""
        self.parts = None

    def take(self, chunk):
        self.hash.update(chunk)
        self.size += len(chunk)
        self.tail = (self.tail + chunk)[-64:]
        return chunk

    def done(self):
        self.exchange["response_sha256"] = self.hash.hexdigest()
        self.exchange["response_bytes"] = self.size

    def __iter__(self):
        self.parts = iter(self.inner)
        for chunk in self.parts:
            yield self.take(chunk)
        self.done()

    async def __aiter__(self):
        async for chunk in self.inner:
            yield self.take(chunk)
        self.done()

    def close(self):
        if "response_sha256" not in self.exchange:
            if self.parts is not None and b"[DONE]" in self.tail:
                for chunk in self.parts:
                    self.take(chunk)
                self.done()
            else:
                self.exchange["aborted"] = True
        self.inner.close()

    async def aclose(self):
        self.exchange.setdefault("aborted", "response_sha256" not in self.exchange)
        await self.inner.aclose()


def tapped(response, exchange):
    answered(exchange, response)
    return httpx2.Response(response.status_code, headers=response.headers, stream=Tap(response.stream, exchange),
                           extensions=response.extensions)


class Transport(httpx2.HTTPTransport):
    def handle_request(self, request):
        exchange = begin(request, request.read())
        return tapped(super().handle_request(request), exchange)


class AsyncTransport(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        exchange = begin(request, await request.aread())
        return tapped(await super().handle_async_request(request), exchange)


def options(given):
    return {"api_key": API_KEY, "admin_api_key": ADMIN_KEY, "base_url": BASE_URL, "max_retries": 0, "timeout": 60,
            "websocket_base_url": BASE_URL.replace("http", "ws", 1), "_strict_response_validation": True, **given}


def make_client(**given):
    return openai.OpenAI(http_client=httpx2.Client(transport=Transport()), **options(given))


def make_async_client(**given):
    return openai.AsyncOpenAI(http_client=httpx2.AsyncClient(transport=AsyncTransport()), **options(given))


def op(name):
    def add(run):
        operations.append((name, run))
        return run
    return add


def equal(got, want, what="value"):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def check_usage(usage, given, made=None):
    assert usage is not None, "no usage"
    assert getattr(usage, given) > 0, f"usage.{given} is {getattr(usage, given)}"
    if made:
        equal(usage.total_tokens, getattr(usage, given) + getattr(usage, made), "total_tokens")
    return usage


def refused(call, status, code=None):
    try:
        call()
    except openai.APIStatusError as e:
        equal(e.status_code, status, "status")
        if code:
            equal(e.code, code, "code")
        return e
    raise AssertionError(f"succeeded, want {status} {code}")


def run_all(wanted=""):
    client, failed = make_client(), 0
    for name, run in operations:
        if wanted not in name:
            continue
        exchanges.clear()
        line = {"op": name, "ok": True, "usage": None}
        try:
            usage = run(client)
            line["usage"] = usage.to_dict() if hasattr(usage, "to_dict") else usage
        except Exception as e:  # whatever it is, the other operations go on
            line.update(ok=False, error=f"{type(e).__name__}: {e}\n{traceback.format_exc(limit=-2)}")
            failed += 1
        time.sleep(0)
        line["exchanges"] = list(exchanges)
        print(json.dumps(line), flush=True)
    return failed


def main():
    sys.exit(1 if run_all(sys.argv[1] if len(sys.argv) > 1 else "") else 0)
