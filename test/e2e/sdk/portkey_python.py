#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Makes the calls that come as JSON lines on stdin with the real Python SDKs, and says in a JSON line each what came of it.

    {"id":1,"sdk":"portkey"|"openai","options":{…},"with_options":{…},"call":"chat.completions.create","kwargs":{…},
     "stream":true,"take":2}

"realtime.session" opens a realtime connection, sends kwargs["send"], and gives the events up to response.done. In options
and kwargs, {"$headers":{…}} is createHeaders(…), {"$path":…} an open file, {"$bytes":[name,base64,type]} an upload.
"""

import base64
import json
import sys
import threading
import time

import httpx

try:
    import httpx2
except ImportError:
    httpx2 = None

import openai
import portkey_ai

wire = threading.local()
out_lock = threading.Lock()


def watch(module):
    """Every exchange of a call is noted, so that a retry of the SDK's own is seen."""
    plain = module.Client.send

    def send(self, request, **kw):
        entry = {"url": str(request.url), "method": request.method, "sent": dict(request.headers)}
        wire.entries.append(entry)
        answer = plain(self, request, **kw)
        entry["status"], entry["headers"] = answer.status_code, dict(answer.headers)
        return answer
    module.Client.send = send


for library in filter(None, (httpx, httpx2)):
    watch(library)


def revive(value):
    if isinstance(value, list):
        return [revive(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "$headers" in value:
        return portkey_ai.createHeaders(**revive(value["$headers"]))
    if "$path" in value:
        return open(value["$path"], "rb")
    if "$bytes" in value:
        name, data, kind = value["$bytes"]
        return (name, base64.b64decode(data), kind)
    return {k: revive(v) for k, v in value.items()}


def client_of(c):
    options = revive(c.get("options") or {})
    if c.get("sdk") == "openai":
        made = openai.OpenAI(**{"max_retries": 2, **options})
    else:
        made = portkey_ai.Portkey(**options)
    return made.with_options(**revive(c["with_options"])) if c.get("with_options") else made


def plain(value):
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, (httpx.Response,)):
        return {"text": value.text, "status": value.status_code}
    if hasattr(value, "read") and hasattr(value, "content"):
        return {"base64": base64.b64encode(value.content).decode()}
    if isinstance(value, (str, int, float, bool, list, dict)) or value is None:
        return value
    return {"repr": repr(value)}


def told(e):
    body = getattr(e, "body", None)
    return {"name": type(e).__name__, "message": str(e), "status": getattr(e, "status_code", None), "body": body,
            "code": getattr(e, "code", None), "type": getattr(e, "type", None)}


def session(made, c):
    """A realtime conversation of one turn."""
    kwargs = revive(c["kwargs"])
    send, seen = kwargs.pop("send"), []
    area = made.beta.realtime if c.get("beta") else made.realtime
    with area.connect(**kwargs) as connection:
        for event in send:
            connection.send(event)
        for event in connection:
            seen.append(plain(event))
            if event.type in ("response.done", "error"):
                break
    return seen


def one(c):
    result = {"id": c["id"], "ok": True, "begun": time.time()}
    wire.entries = []
    try:
        made = client_of(c)
        if c["call"] == "realtime.session":
            result["value"] = session(made, c)
        else:
            target = made
            for name in c["call"].split("."):
                target = getattr(target, name)
            value = target(*revive(c.get("args") or []), **revive(c.get("kwargs") or {}))
            if hasattr(value, "get_headers"):
                result["own_headers"] = value.get_headers()
            if c.get("stream"):
                result["chunks"], result["times"] = [], []
                for chunk in value:
                    result["chunks"].append(plain(chunk))
                    result["times"].append(time.time())
                    if c.get("take") and len(result["chunks"]) >= c["take"]:
                        break
            else:
                result["value"] = plain(value)
    except Exception as e:  # the error as its user would see it
        result["ok"], result["error"] = False, told(e)
    result["ended"] = time.time()
    result["wire"] = wire.entries
    with out_lock:
        print(json.dumps(result, default=repr), flush=True)


for line in sys.stdin:
    threading.Thread(target=one, args=(json.loads(line),), daemon=True).start()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(30)
