#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The gateway, Python and Node read the same out of a request body.

Bodies: the documents of test/golden/json_cases.txt, request bodies, and mutants of both. Compared
are the verdict (JSON or not) and the values the gateway acts on: model, stream, include_usage,
token limits, n, service_tier, and whether one of them comes twice. A difference is a way to make
the gateway act on a value that upstream will not see.

Usage: json_agree.py [NUMBER OF MUTANTS [SEED]]
"""

import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

ROOT = os.environ.get("TOLLGATE_ROOT", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TOOL = os.path.join(os.environ.get("TOLLGATE_BUILD", os.path.join(ROOT, "build")), "e2e", "json_verdict")
MUTANTS = int(sys.argv[1]) if len(sys.argv) > 1 else 40000
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
DEPTH = 300  # beyond it Python gives up

BODIES = [
    b'{"model":"gpt-5.4","messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":100}',
    b'{"messages":[],"stream":false,"stream_options":{"include_usage":true},"model":"ft:gpt-4o:x","n":2}',
    b'{ "model" : "\\u0067pt-4" , "stream" : null , "max_completion_tokens" : 1e3 , "service_tier":"flex" }',
    b'{"max_output_tokens":12.0,"mod\\u0065l":"a\\ud83d\\ude00b","stre\\u0061m":true,"input":"x\\ny"}',
    b'{"model":"a","model":"b","stream":true,"stream":false,"max_tokens":1,"max_tokens":2}',
    b'{"stream_options":{"include_usage":false,"include_usage":true},"model":{"x":[1,2]},"n":null}',
    b'{"stream_options":{"include_usage":true},"stream_options":null,"model":"\\ud800","max_tokens":-1}',
    b'{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"model":"m"}',
    b'{"metadata":{"model":"no","stream":true},"model":"yes","max_tokens":9007199254740993}',
    b'[{"model":"x"}]',
]

TOKENS = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b"1e5", b".5", b"true", b"false", b"null", b" ", b"\n", b"\t",
          b"\\u0000", b"\\u006d", b"\\ud83d", b"\\ude00", b"\\n", b"\x00", b"\x1f", b"\x7f", b"\xc3\xa9", b"\xff", b'"model":', b'"stream":true',
          b'"model":"evil"', b'"max_tokens":5', b'"stream_options":{"include_usage":true}', b'{"a":1}', b"[1,2]", b"1e400", b"NaN", b"Infinity",
          b"//", b"/**/", b"'", b"01", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b'"n":3', b"model", b"\\", b'\\"']

NODE = r"""
const fs = require('fs');
const all = fs.readFileSync(process.argv[1]);
const out = [];
const limits = ['max_tokens', 'max_completion_tokens', 'max_output_tokens'];
for (let at = 0; at < all.length;) {
    const n = all.readUInt32LE(at);
    const text = all.toString('utf8', at + 4, at + 4 + n);
    at += 4 + n;
    let v, ok = true;
    try { v = JSON.parse(text); } catch { ok = false; }
    const o = ok && v !== null && typeof v === 'object' && !Array.isArray(v) ? v : null;
    const own = (x, k) => x && Object.hasOwn(x, k) ? x[k] : undefined;
    const options = o ? own(o, 'stream_options') : undefined;
    const nested = options && typeof options === 'object' && !Array.isArray(options) ? own(options, 'include_usage') : undefined;
    const seen = o && { model: own(o, 'model'), stream: own(o, 'stream'), include_usage: nested, n: own(o, 'n'),
                        service_tier: own(o, 'service_tier'), limits: limits.map((k) => own(o, k) ?? null) };
    out.push(JSON.stringify({ ok, seen }));
}
fs.writeFileSync(process.argv[2], out.join('\n') + '\n');
"""


def cases():
    with open(os.path.join(ROOT, "test/golden/json_cases.txt"), "rb") as f:
        for line in f:
            if line[:1] in b"yn":
                yield re.sub(rb"%(..)", lambda m: bytes([int(m[1], 16)]), line[2:-2])


def mutate(r, docs):
    d = bytearray(r.choice(docs))
    for _ in range(r.choice((1, 1, 1, 2, 3, 5))):
        at = r.randrange(len(d) + 1)
        kind = r.randrange(7)
        if kind == 0 and d:
            d[min(at, len(d) - 1)] = r.randrange(256)
        elif kind == 1:
            del d[at:at + r.choice((1, 1, 2, 5))]
        elif kind <= 3:
            d[at:at] = r.choice(TOKENS)
        elif kind == 4:
            end = at + r.randrange(30)
            d[at:at] = d[at:end]
        elif kind == 5:
            other = r.choice(docs)
            cut = r.randrange(len(other) + 1)
            d[at:] = other[cut:]
        elif kind == 6 and d:
            at = min(at, len(d) - 1)
            if d[at] < 0x80:
                d[at:at + 1] = b"\\u%04x" % d[at]
    return bytes(d)


NAMES = ["model", "stream", "stream_options", "include_usage", "n", "service_tier", "max_tokens", "max_completion_tokens",
         "max_output_tokens", "messages", "user", "Model", "model ", "", "x", "\u00e9"]
VALUES = [b'"gpt-5.4"', b'"a\\ud83d\\ude00"', b'"\\u0000"', b'"\\"', b'""', b"true", b"false", b"null", b"0", b"-0", b"12", b"1.0", b"1.5",
          b"2e2", b"1e-1", b"-3", b"9007199254740991", b"9007199254740992", b"99999999999999999999", b"[]", b"{}", b'"x\\ny"',
          b'"' + b"long" * 40 + b'"', b'[{"model":"no"},["n",3]]', b'"flex"', b'"\\ud83d"', b'"\\u0061"', b'"\\\\u0061"', b'"caf\xc3\xa9"']


def name_text(r, name):
    """A member's name, some of it escaped."""
    parts = [f"\\u{ord(c):04{r.choice('xX')}}" if r.random() < 0.1 else c for c in name]
    return b'"' + "".join(parts).encode() + b'"'


def compose(r, depth=0):
    """An object, valid but for escapes in VALUES that are wrong on purpose."""
    space = lambda: r.choice((b"", b"", b"", b" ", b"\n", b"\t "))
    members = []
    for _ in range(r.randrange(7)):
        name = r.choice(NAMES)
        value = compose(r, depth + 1) if depth < 3 and (name == "stream_options" or r.random() < 0.1) else r.choice(VALUES)
        members.append(space() + name_text(r, name) + space() + b":" + space() + value + space())
    return b"{" + b",".join(members) + b"}" + space()


class Pairs(list):
    """An object with its members in order, so that a name may come twice."""

    def last(self, name):
        found = [v for k, v in self if k == name]
        return (found[-1] if found else None), len(found)


def refuse(text):
    raise ValueError(text)


def by_python(doc):
    """(is JSON, value)"""
    text = doc.decode("utf-8", "surrogateescape")
    try:
        return True, json.loads(text, object_pairs_hook=Pairs, parse_constant=refuse, parse_float=lambda t: t, parse_int=lambda t: t)
    except ValueError:
        return False, None


def count(text):
    """A number's text as a whole count, or None."""
    m = re.fullmatch(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", text) if isinstance(text, str) else None
    if not m or len(text) > 64:
        return None
    digits, exponent = m[2] + (m[3] or ""), int(m[4] or 0) - len(m[3] or "")
    if abs(exponent) > 400:
        return 0 if not digits.strip("0") else None
    value = int(digits) * 10 ** max(exponent, 0)
    if exponent < 0:
        value, rest = divmod(value, 10 ** -exponent)
        if rest:
            return None
    if (m[1] and value) or value >= 1 << 53:
        return None
    return value


def shown(text):
    """A string as the gateway keeps it."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


class Report:
    def __init__(self):
        self.differences = 0

    def differ(self, doc, what, ours, theirs):
        self.differences += 1
        if self.differences <= 20:
            print(f"{what}: gateway {ours!r}, other {theirs!r}, body {doc!r}", file=sys.stderr)


def compare_python(report, doc, ours):
    ok, value = by_python(doc)
    if ours["ok"] != ok:
        report.differ(doc, "Python's verdict", ours["ok"], ok)
    if not ok or not ours["ok"]:
        return ok
    if ours["object"] != isinstance(value, Pairs):
        report.differ(doc, "an object?", ours["object"], isinstance(value, Pairs))
    if not isinstance(value, Pairs):
        return ok
    for name in ("model", "stream", "stream_options", "n", "service_tier") + LIMITS:
        _, times = value.last(name)
        if (name in ours["duplicates"]) != (times > 1):
            report.differ(doc, f"is {name} twice?", name in ours["duplicates"], times)
    return ok


def compare_values(report, doc, ours, seen):
    """Against Node's values: with all types at hand. Fields that come twice are refused anyway."""
    twice, invalid = ours["duplicates"], ours["invalid"]
    for name, most in (("model", 128), ("service_tier", 32)):
        v = seen.get(name)
        if name in twice:
            continue
        if isinstance(v, str) and name not in invalid and ours[name] != shown(v):
            report.differ(doc, name, ours[name], v)
        short = isinstance(v, str) and len(v.encode("utf-8", "surrogatepass")) < most and "\x00" not in v
        if v is not None and (name in invalid) == short:
            report.differ(doc, f"{name} can be acted on?", name not in invalid, v)
        if v is None and ours[name]:
            report.differ(doc, name, ours[name], v)
    if "stream" not in twice and ours["stream"] != (seen.get("stream") is True):
        report.differ(doc, "stream", ours["stream"], seen.get("stream"))
    if not {"stream_options", "stream_options.include_usage"} & set(twice) and ours["include_usage"] != (seen.get("include_usage") is True):
        report.differ(doc, "include_usage", ours["include_usage"], seen.get("include_usage"))


def compare_counts(report, doc, ours):
    """Against Python's number texts, which lose no digit."""
    text = doc.decode("utf-8", "surrogateescape")
    value = json.loads(text, object_pairs_hook=Pairs, parse_float=lambda t: ("number", t), parse_int=lambda t: ("number", t))
    if not isinstance(value, Pairs) or set(ours["duplicates"]) & set(LIMITS + ("n",)):
        return

    def whole(name):
        v, _ = value.last(name)
        number = count(v[1]) if isinstance(v, tuple) else None
        if v is not None and (number is None) != (name in ours["invalid"]):
            report.differ(doc, f"{name} can be acted on?", name not in ours["invalid"], v)
        return number or 0

    most = max(whole(name) for name in LIMITS)
    if ours["max_tokens"] != most:
        report.differ(doc, "max_tokens", ours["max_tokens"], most)
    if ours["n"] != whole("n"):
        report.differ(doc, "n", ours["n"], value.last("n"))


def is_utf8(doc):
    try:
        doc.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def run_both(docs, folder):
    packed, by_node = os.path.join(folder, "docs"), os.path.join(folder, "node")
    with open(packed, "wb") as f:
        for d in docs:
            f.write(struct.pack("<I", len(d)) + d)
    with open(packed, "rb") as f:
        ours = subprocess.run([TOOL], stdin=f, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["node", "-e", NODE, packed, by_node], check=True)
    with open(by_node, "rb") as f:
        return [json.loads(line) for line in ours.splitlines()], [json.loads(line) for line in f]


def main():
    sys.setrecursionlimit(20000)
    r = random.Random(SEED)
    plain = list(cases())
    bodies = plain + BODIES * 20 + [b'{"model":"x","value":' + d + b',"stream":true}' for d in plain]
    composed = [compose(r) for _ in range(MUTANTS // 2)]
    seeds = bodies + composed
    docs = seeds + [mutate(r, seeds) for _ in range(MUTANTS - len(composed))]
    docs = [d for d in docs if d.count(b"[") + d.count(b"{") < DEPTH]
    with tempfile.TemporaryDirectory() as folder:
        ours, nodes = run_both(docs, folder)
    assert len(ours) == len(nodes) == len(docs)
    report, valid = Report(), 0
    for doc, own, node in zip(docs, ours, nodes):
        if own["ok"] != node["ok"]:
            report.differ(doc, "Node's verdict", own["ok"], node["ok"])
            continue
        compare_python(report, doc, own)
        if not own["ok"]:
            continue
        valid += 1
        if own["object"] and is_utf8(doc):
            compare_values(report, doc, own, node["seen"] or {})
            compare_counts(report, doc, own)
    print(f"{len(docs)} bodies, {valid} of them JSON, {report.differences} differences")
    return 1 if report.differences or valid < len(docs) // 20 else 0


if __name__ == "__main__":
    sys.exit(main())
