#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GET /v1/batches/{id}/output: the batch is read, then its file passes; what the provider refuses or has not done yet is said as it is."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import PROVIDER_KEY, Gateway, Upstream, check, equal, request_bytes, run, wait_until

LINES = b"".join(b'{"custom_id":"%d","response":{"status_code":200,"body":{"text":"%s"}}}\n' % (i, b"x" * 200) for i in range(20000))
MISSING = b'{"error":{"message":"No batch found","type":"invalid_request_error","param":"id","code":null}}'
BATCHES = {"done": {"status": "completed", "output_file_id": "file-out", "error_file_id": "file-err"}, "bad": {"status": "completed", "output_file_id": None, "error_file_id": "file-err"},
           "young": {"status": "in_progress", "output_file_id": None}, "odd": {"status": "completed", "output_file_id": "../../organization"}, "lost": {"status": "completed", "output_file_id": "file-lost"}}


def serve(request):
    path = request.target.split("?")[0]
    if path == "/v1/files/file-out/content":
        request.answer(LINES, type="application/octet-stream")
    elif path == "/v1/files/file-err/content":
        request.answer(b'{"error":1}\n', type="application/octet-stream")
    elif path == "/v1/batches/slow":
        time.sleep(5)
        return "close"
    elif path.startswith("/v1/batches/") and path[12:] in BATCHES:
        request.answer({"id": path[12:], "object": "batch", **BATCHES[path[12:]]})
    else:
        request.answer(MISSING, status="404 Not Found")


def the_output_is_the_file_of_the_batch():
    up = Upstream(serve)
    with Gateway(up.url) as g:
        status, headers, body = g.get("/v1/batches/done/output?x=1")
        equal((status, headers["content-type"], body), (200, "application/octet-stream", LINES), "the output")
        equal([(r.method, r.target) for r in up.requests], [("GET", "/v1/batches/done?x=1"), ("GET", "/v1/files/file-out/content?x=1")], "exchanges")
        for r in up.requests:
            equal((r.headers["authorization"], len(r.body)), ("Bearer " + PROVIDER_KEY, 0), r.target)
        equal(g.get("/v1/batches/bad/output")[2], b'{"error":1}\n', "all of it failed: the file of errors")
        equal(g.get("/v1/batches/done/output/")[0], 200, "a slash at the end")
        rows = wait_until("rows", 5, lambda: len(g.rows(10)) == 3 and g.rows(10))
        equal({(r["path"], r["status"], r["cost_usd"], r["outcome"]) for r in rows},
              {("/v1/batches/done/output", 200, "0.00", "completed"), ("/v1/batches/bad/output", 200, "0.00", "completed"), ("/v1/batches/done/output/", 200, "0.00", "completed")}, "rows")


def what_is_not_there_is_said_as_it_is():
    up = Upstream(serve)
    with Gateway(up.url) as g:
        equal(g.get("/v1/batches/none/output")[::2], (404, MISSING), "no such batch: the provider's own words")
        equal(g.get("/v1/batches/lost/output")[::2], (404, MISSING), "no such file")
        for id, words in (("young", "in_progress"), ("odd", "completed")):
            status, headers, body = g.get(f"/v1/batches/{id}/output")
            error = json.loads(body)["error"]
            check(status in (400, 404) and words in error["message"], f"{id}: {status} {body}")
            check("x-portkey-trace-id" in headers, "the trace id")
        check(not any("organization" in r.target for r in up.requests), "names that lead elsewhere are not followed")
        before = len(up.requests)
        for method, path in (("POST", "/v1/batches/done/output"), ("GET", "/v1/batches//output"), ("GET", "/v1/batches/a/b/output")):
            g.request(method, path)
            equal(up.requests[-1].target, path, "anything else is the provider's")
        equal(len(up.requests) - before, 3, "one exchange each")
        with g.socket() as s:  # a client that leaves during the first exchange
            s.sendall(request_bytes(b"", "/v1/batches/slow/output", method="GET"))
            wait_until("the first exchange", 5, lambda: up.requests[-1].target == "/v1/batches/slow")
        wait_until("nothing is under way", 5, lambda: g.metrics()["tollgate_requests_in_flight"] == 0)
        equal(g.get("/v1/batches/done/output")[0], 200, "it goes on")


run(the_output_is_the_file_of_the_batch, what_is_not_there_is_said_as_it_is)
