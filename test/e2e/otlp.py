#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tollgate-test: timeout=180
"""
Traces for an OpenTelemetry collector, read by OpenTelemetry's own message classes: each row is a span that says what the
row says, whatever happens to the collector and to the gateway, and no span holds what was asked or answered.
"""

import base64
import gzip
import json
import os
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from google.protobuf import json_format
from harness import Gateway, Upstream, binary, chat, check, chunk_events, completion, equal, free_port, run, wait_until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SECRET = "what-was-asked-0451"
EVENTS = chunk_events(words=("never", " to be ", "exported"), usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12})
FAILED = {}  # by the request's own header: how often it has failed; its length says how often it is to
IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


def serve(request):
    if request.headers.get("x-fails") and len(request.headers["x-fails"]) > FAILED.setdefault(request.headers["x-fails"], 0):
        FAILED[request.headers["x-fails"]] += 1
        request.answer({"error": {"message": "busy", "type": "server_error", "param": None, "code": None}}, status="503 Service Unavailable")
    elif request.headers.get("x-how") == "error":
        request.answer({"error": {"message": SECRET, "type": "server_error", "param": None, "code": "broken"}}, status="500 Internal Server Error")
    elif b'"stream": true' in request.body:
        request.begin_stream()
        for event in EVENTS:
            request.chunk(event)
        request.end()
    else:
        request.answer(completion())


def ids_as_bytes(node):
    """OTLP writes ids as hexadecimal digits where JSON for protobuf has base64."""
    if isinstance(node, list):
        return [ids_as_bytes(n) for n in node]
    if not isinstance(node, dict):
        return node
    out = {k: ids_as_bytes(v) for k, v in node.items()}
    for name, digits in IDS.items():
        if name in out:
            check(re.fullmatch(f"[0-9a-f]{{{digits}}}", out[name]), f"{name} {out[name]!r}")
            check(set(out[name]) != {"0"}, f"{name} is not zero")
            out[name] = base64.b64encode(bytes.fromhex(out[name])).decode()
    return out


def plain(value):
    kind = value.WhichOneof("value")
    return [plain(v) for v in value.array_value.values] if kind == "array_value" else getattr(value, kind)


class Span:
    def __init__(self, span):
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.name, self.kind, self.status = span.name, span.kind, span.status.code
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.attributes = {a.key: plain(a.value) for a in span.attributes}
        check(len(self.attributes) == len(span.attributes), "names of attributes are unique")
        check(self.end >= self.start > 10**18, "times")

    def __getitem__(self, name):
        return self.attributes.get(name)


class Collector:
    """Takes spans; `answers` are statuses to give first, None hangs up."""

    def __init__(self, port=None, answers=()):
        self.port = port or free_port()
        self.answers, self.spans, self.raw, self.headers = list(answers), [], [], []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                owner.headers.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                owner.raw.append(body)
                status = owner.answers.pop(0) if owner.answers else 200
                if status is None:
                    self.close_connection = True
                    return
                if status == 200:
                    owner.take(body)
                self.send_response(status)
                answer = b"{}" if status == 200 else b""
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body):
        message = json_format.Parse(json.dumps(ids_as_bytes(json.loads(body))), ExportTraceServiceRequest())  # unknown fields are errors
        for resource in message.resource_spans:
            names = {a.key: plain(a.value) for a in resource.resource.attributes}
            equal(names["service.name"], "tollgate", "the resource")
            for scope in resource.scope_spans:
                self.spans += [Span(s) for s in scope.spans]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def by_attempt(self):
        """{id of the attempt: its spans}"""
        found = {}
        for s in self.spans:
            if s["tollgate.attempt_id"]:
                found.setdefault(s["tollgate.attempt_id"], []).append(s)
        return found

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def ask(g, headers=None, **more):
    body = chat(**more)
    body["messages"][0]["content"] = SECRET
    return g.post("/v1/chat/completions", body, headers=headers)


def spans_say_what_the_rows_say():
    c = Collector()
    with Gateway(Upstream(serve).url, args=["--otlp-endpoint", c.url + "/"], env={"TOLLGATE_OTLP_HEADERS": "x-api-key=s%20ecret,other=1"}) as g:
        ask(g, headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-portkey-metadata": '{"team":"search","_user":"u1"}'})
        ask(g, stream=True)
        ask(g, headers={"x-how": "error", "x-portkey-trace-id": "my trace"})
        g.get("/v1/models")
        rows = {r["id"]: r for r in g.rows(10)}
        equal(len(rows), 4, "rows")
        wait_until("four spans", 10, lambda: len(c.spans) >= 4)
        spans = c.by_attempt()
        equal((set(spans), len(c.spans)), (set(rows), 4), "each row is a span")
        for id, row in rows.items():
            s = spans[id][0]
            mine = {"gen_ai.provider.name": "openai", "gen_ai.request.model": row["model_asked"], "gen_ai.response.model": row["model_answered"] or None,
                    "http.response.status_code": row["upstream_status"], "tollgate.outcome": row["outcome"], "tollgate.cost_state": row["cost_state"],
                    "tollgate.request_id": row["request_id"], "tollgate.workspace": "default", "tollgate.integration": "openai", "url.path": row["path"]}
            equal({k: s[k] for k in mine}, {k: v or None for k, v in mine.items()}, f"span of {row['path']}")
            equal((s.end - s.start) // 1000, row["total_us"], "how long it took")
            if row["usage"]["source"] == "reported":
                equal((s["gen_ai.usage.input_tokens"], s["gen_ai.usage.output_tokens"]), (row["usage"]["input_tokens"], row["usage"]["output_tokens"]), "tokens")
                equal(s["tollgate.cost_usd"], row["cost_usd"], "cost, as text")
            equal(s.status == 2, row["status"] >= 400, "status")
        by_trace = {s.trace: s for s in c.spans}
        s = by_trace["0af7651916cd43dd8448eb211c80319c"]
        equal((s.parent, s["tollgate.metadata.team"], s.name, s["gen_ai.operation.name"]), ("b7ad6b7169203331", "search", "POST /v1/chat/completions", "chat"), "what the caller said")
        failed = next(s for s in c.spans if s["tollgate.trace_id"] == "my trace")
        equal((failed["error.type"], failed.parent), ("500", ""), "the failure")
        streamed = next(s for s in c.spans if s["gen_ai.request.stream"])
        equal(streamed.name, "chat gpt-4o-mini", "a name that nobody has given")
        check(0 < streamed["gen_ai.response.time_to_first_chunk"] < 5 and streamed["gen_ai.response.finish_reasons"] == ["stop"], "the stream")
        path, headers = c.headers[0]
        equal((path, headers["x-api-key"], headers["other"], headers["content-type"], headers["content-encoding"]), ("/v1/traces", "s ecret", "1", "application/json", "gzip"), "the request")
        m = g.metrics()
        equal((m["tollgate_otlp_spans_total"], m["tollgate_otlp_waiting_rows"], m["tollgate_otlp_failing"]), (4, 0, 0), "metrics")
        status = json.loads(g.get("/tollgate/v1/status")[2])["otlp"]
        equal((status["exported"], status["failing"], status["reason"]), (4, False, None), "status")
    everything = b"".join(c.raw)
    check(SECRET.encode() not in everything and b"to be" not in everything and b"Hello" not in everything, "no bodies")
    check("s ecret" not in g.log_text() and "s%20ecret" not in g.log_text(), "the headers are a secret")
    c.close()


def a_routed_request_is_a_tree():
    c = Collector()
    with Gateway(Upstream(serve).url, args=["--otlp-endpoint", c.url, "--retry-wait", "1ms"]) as g:
        config = {"strategy": {"mode": "fallback"}, "targets": [{"provider": "@openai", "retry": {"attempts": 1}}, {"provider": "@openai"}]}
        routed = {"x-portkey-config": json.dumps(config), "x-portkey-trace-id": "t" * 40, "x-portkey-parent-span-id": "00f067aa0ba902b7"}
        status, headers, _ = ask(g, headers={**routed, "x-fails": "xx", "x-portkey-forward-headers": "x-fails"})
        equal((status, headers["x-portkey-last-used-option-index"]), (200, "config.targets[1]"), "two tries fail, the fallback answers")
        cached = {"x-portkey-config": json.dumps({"provider": "@openai", "cache": {"mode": "simple"}})}
        for _ in range(2):
            ask(g, headers=cached, user="u")
        rows = {r["id"]: r for r in g.rows(10)}
        equal(len(rows), 5, "rows")
        wait_until("the spans", 10, lambda: len(c.spans) >= 6)
        equal((len(c.spans), set(c.by_attempt())), (6, set(rows)), "a span each, and one for the request of several")
        whole = next(s for s in c.spans if s["tollgate.attempts"])
        parts = sorted((s for s in c.spans if s.trace == whole.trace and s is not whole), key=lambda s: s["tollgate.attempt"])
        equal((whole.parent, whole["tollgate.attempts"], whole["http.response.status_code"], whole.status, whole["tollgate.trace_id"]),
              ("00f067aa0ba902b7", 3, 200, 0, "t" * 40), "the request")
        equal([(s.parent, s["tollgate.target"], s["tollgate.retry"] or 0, bool(s["tollgate.discarded"]), s["http.response.status_code"], s.status, s.kind) for s in parts],
              [(whole.id, "config.targets[0]", 0, True, 503, 2, 3), (whole.id, "config.targets[0]", 1, True, 503, 2, 3), (whole.id, "config.targets[1]", 0, False, 200, 0, 3)], "its attempts")
        check(all(whole.start <= s.start and s.end <= whole.end + 1000 for s in parts), "attempts lie within the request")
        equal((parts[0]["tollgate.config"], parts[0]["tollgate.mode"], parts[0]["error.type"]), ("inline", "fallback", "503"), "how it was routed")
        hit, miss = (next(s for s in c.spans if s["tollgate.cache"] == word) for word in ("HIT", "MISS"))
        row = next(r for r in rows.values() if r["cache"] == "HIT")
        equal((hit["tollgate.cost_usd"], hit["tollgate.saved_usd"], hit.parent, miss.status), ("0.00", row["saved_usd"], "", 0), "a hit")
        check(row["saved_usd"] == miss["tollgate.cost_usd"] != "0.00", "what it saved is what the miss cost")
    c.close()


def nothing_is_lost_while_the_collector_is_away():
    port = free_port()
    g = Gateway(Upstream(serve).url, args=["--otlp-endpoint", f"http://127.0.0.1:{port}"])
    with g:
        for _ in range(20):
            equal(ask(g)[0], 200, "requests do not care")
        wait_until("it says so", 20, lambda: g.metrics()["tollgate_otlp_failing"] == 1)
        m = g.metrics()
        check(m["tollgate_otlp_waiting_rows"] > 0 and m["tollgate_otlp_failures_total"] > 0 and m["tollgate_otlp_spans_total"] == 0, f"{m}")
        begun = time.monotonic()
        g.stop()
        check(time.monotonic() - begun < 10, "it stops in time")
        g.start()
        for _ in range(20):
            ask(g)
        wait_until("the rows", 10, lambda: len(g.rows(100)) == 40)
        g.stop(signal.SIGKILL)
        g.start()
        for _ in range(5):
            ask(g)
        rows = {r["id"] for r in wait_until("all rows", 10, lambda: len(g.rows(100)) == 45 and g.rows(100))}
        c = Collector(port, answers=[503, None, 429, 500])
        wait_until("everything arrives", 60, lambda: set(c.by_attempt()) == rows)
        for id, spans in c.by_attempt().items():
            equal(len({(s.trace, s.id, s.start, s.end) for s in spans}), 1, f"{id}: the same span, however often it came")
        wait_until("nothing waits", 10, lambda: g.metrics()["tollgate_otlp_waiting_rows"] == 0)
        equal(g.metrics()["tollgate_otlp_failing"], 0, "it works again")
        sent = len(c.spans)
        g.stop()
        g.start()
        ask(g)
        wait_until("the new one", 10, lambda: len(set(c.by_attempt())) == 46)
        check(len(c.spans) - sent <= 46, f"{len(c.spans) - sent} after a restart")
        c.close()


def the_last_requests_are_sent_before_it_ends():
    c = Collector()
    with Gateway(Upstream(serve).url, env={"OTEL_EXPORTER_OTLP_ENDPOINT": c.url, "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}) as g:
        for _ in range(10):
            ask(g)
        g.stop()
        equal(len(c.by_attempt()), 10, "spans")
        equal(c.headers[0][1]["a"], "b", "headers")
    c.close()


def a_wrong_setting_is_refused_at_the_start():
    import subprocess
    import tempfile
    with tempfile.TemporaryDirectory() as dir:
        for args, words in ((["--otlp-endpoint", "http://127.0.0.1:4318"], "--allow-upstream"), (["--otlp-endpoint", "collector:4317"], "collector's address"),
                            (["--otlp-endpoint", "https://c.example", "--otlp-headers", "sesame"], "name=value")):
            done = subprocess.run([binary("tollgate"), "serve", "--listen", "127.0.0.1:0", "--data", dir, *args], capture_output=True, text=True, timeout=20)
            equal(done.returncode, 1, f"{args}")
            check(words in done.stderr and "sesame" not in done.stderr, done.stderr)


run(spans_say_what_the_rows_say, a_routed_request_is_a_tree, nothing_is_lost_while_the_collector_is_away, the_last_requests_are_sent_before_it_ends, a_wrong_setting_is_refused_at_the_start)
