# SPDX-License-Identifier: Apache-2.0
"""
Whether an answer is one that typed clients of Vantage's API take: those in Go fail on a status that the description does not
name and on a value of another type, those in Python on a key that is not there.
"""

import json
import pathlib
import re

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden"
SIMPLE = {"string": str, "boolean": bool, "object": dict, "number": (int, float), "integer": int}


def rows(name):
    for line in (GOLDEN / name).read_text().splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


MODELS, ROUTES = {}, {}
for model, member, kind, null, must in rows("vantage_models.tsv"):
    MODELS.setdefault(model, []).append((member, kind, null == "null", must == "required"))
for method, path, code, kind in rows("vantage_routes.tsv"):
    ROUTES.setdefault((method, re.compile(re.sub(r"\{\w+\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")) + "$")), {})[int(code)] = kind


def value_faults(kind, value, where):
    if kind.startswith("["):
        if not isinstance(value, list):
            return [f"{where} is no list but {value!r}"]
        return [f for n, v in enumerate(value) for f in value_faults(kind[1:-1], v, f"{where}[{n}]")]
    if kind.startswith("@"):
        return model_faults(kind[1:], value, where)
    right = kind == "any" or (isinstance(value, SIMPLE[kind]) and (kind == "boolean" or not isinstance(value, bool)))
    return [] if right else [f"{where} is no {kind} but {value!r}"]


def model_faults(model, value, where):
    if not isinstance(value, dict):
        return [f"{where} is no object but {value!r}"]
    faults = []
    for member, kind, null, must in MODELS.get(model, []):
        if member not in value:
            faults += [f"{where}.{member} is missing"] * must
        elif value[member] is None:
            faults += [f"{where}.{member} is null"] * (must and not null)
        else:
            faults += value_faults(kind, value[member], f"{where}.{member}")
    return faults


def faults(method, path, status, body):
    """What is wrong with an answer of success; routes and refusals that the tables do not have are fine."""
    if not 200 <= status < 300:
        return []
    path = path.split("?")[0]
    codes = next((codes for (m, pattern), codes in ROUTES.items() if m == method and pattern.match(path)), None)
    if codes is None or path == "/v2/integrations/open_ai":
        return []
    if status not in codes:
        return [f"{method} {path}: {status} is none of {sorted(codes)}"]
    kind = codes[status]
    if kind == "-" or status == 204 or method == "DELETE" and not body:
        return []
    return [f"{method} {path}: {f}" for f in value_faults(kind, json.loads(body), "")]
