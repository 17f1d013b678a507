#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
`./dev canary [FILTER]`: runs the scripts of test/e2e as `./dev test` does, with every gateway at the most verbose log level and a tap on its
sockets, and searches afterwards what each of them wrote and sent. What is looked for:

    keys, sessions, invitations, secrets of accounts, signed tokens    by their form and checksum
    keys of providers, keys of administrators, passwords               every such literal in the scripts themselves
    each data directory's master key                                   its text and its bytes

in the files of data directories (databases, journal, kept bodies, unpacked), in what gateways print, in what they answer (secrets of
providers and masters only: own keys are made there) and in what they send upstream (own keys only: providers are sent their keys).
What a test puts somewhere on purpose is named in ALLOWED. The last line is "N hits in N scripts"; exit 1 when N is not 0.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/e2e/lib"))
from canary import Canaries

BUILD = pathlib.Path(os.environ.get("TOLLGATE_BUILD") or ROOT / "build")
PARALLEL, TIMEOUT_S, TAP_MAX = 2, 600, 64 << 20
# Have a tap or a search of their own, or start no gateway.
LEFT_OUT = ("canary.py", "ssrf.py", "tidy_finds.py", "json_agree.py")
# (script, place, what, around): declared, with the reason.
ALLOWED = [  # and the place's text around it
    ("*", r"(^|/)(admin|master)\.key$", "", b"", "where they are kept"),
    ("*", r"\.log$", "a key", b"admin.key:", "the first start prints the key that it makes, once"),
    ("dev_run_once.sh", r".*", "a key", b"", "prints the key it made"),
    ("notify.py", r"^upstreams", "a password", b"AUTH|H PLAIN", "the mail server's own"),
]

WRAPPER = """#!/bin/sh
[ "$1" = serve ] || exec {real} "$@"
export TOLLGATE_LOG_LEVEL=debug TAP_DIR={taps}
export LD_PRELOAD={tap}${{LD_PRELOAD:+:$LD_PRELOAD}}
exec {real} "$@"
"""


def literals():
    """name → secrets that stand in the scripts: keys of providers and administrators, passwords."""
    found = {"a provider's key": set(), "an administrator's key": set(), "a password": set()}
    for path in [*(ROOT / "test/e2e").glob("*.py"), *(ROOT / "test/e2e/lib").glob("*.py")]:
        text = path.read_text()
        for m in re.finditer(r"""["'](sk-[A-Za-z0-9-]{16,})["']""", text):
            found["a provider's key"].add(m[1])
        for m in re.finditer(r"""ADMIN\w* = ["'](?!sk-)([\w-]{20,})["']""", text):
            found["an administrator's key"].add(m[1])
        for m in re.finditer(r"""(?:password"?\s*[:=]\s*|PASSWORD = )["']([^"'{}]{12,})["']""", text):
            found["a password"].add(m[1])
    for slug in ("openai", "a", "b", "c"):
        found["a provider's key"].add(f"sk-{slug}-stored-secret-0123456789")
    return found


def run_script(path):
    """(seconds, exit status, hits, how often a provider was sent its key) of one script."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-canary-"))
    taps, work = folder / "taps", folder / "work"
    taps.mkdir()
    work.mkdir()
    wrapper = folder / "tollgate"
    wrapper.write_text(WRAPPER.format(real=BUILD / "tollgate", taps=taps, tap=BUILD / "e2e/preload_tap.so"))
    wrapper.chmod(0o755)
    env = dict(os.environ, TMPDIR=str(work), TOLLGATE_ROOT=str(ROOT), TOLLGATE_BUILD=str(BUILD), TOLLGATE_BIN=str(wrapper),
               TOLLGATE_SIM_BIN=str(BUILD / "tollgate-sim"), TOLLGATE_KEEP="1")
    begun = time.monotonic()
    with open(folder / "output", "wb") as out:
        try:
            status = subprocess.run([str(path)], cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT_S).returncode
        except subprocess.TimeoutExpired:
            status = None
    hits, keys_sent = search(taps, work)
    took = time.monotonic() - begun
    if not os.environ.get("TOLLGATE_CANARY_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)
    return took, status, [h for h in hits if not allowed(path.name, h)], keys_sent


def searcher(masters, own, *names):
    c = Canaries(own=own)
    c.needles = {}
    for name, texts in LITERALS.items():
        for text in texts if name in names else ():
            c.add(name, text)
    for text in masters:
        c.add("a master key", text)
        try:
            c.add("a master key", bytes.fromhex(text))
        except ValueError:
            pass
    return c


def search(taps, work):
    masters = {p.read_text().strip() for p in work.rglob("master.key") if p.is_file()}
    everything = searcher(masters, True, "a provider's key", "an administrator's key", "a password")
    answers = searcher(masters, False, "a provider's key")
    sent = searcher(masters, True, "an administrator's key", "a password")
    control = searcher((), False, "a provider's key")
    hits, keys_sent = [], 0
    for where, _, names in os.walk(work):
        data = "control.db" in names
        for name in names:
            path = pathlib.Path(where) / name
            if stat.S_ISREG(path.lstat().st_mode) and (data or name.endswith(".log")) and path.stat().st_size < 256 << 20:
                hits += everything.scan_file(path, str(path.relative_to(work)))
    for path in taps.iterdir():
        c = answers if path.name.startswith("clients") else sent
        hits += c.scan_file(path, path.name)
        keys_sent += len(control.scan_file(path)) if path.name.startswith("upstreams") else 0
    return hits, keys_sent


def allowed(script, hit):
    return any(s in ("*", script) and re.search(place, hit.place) and what in hit.secret and re.search(around, hit.around)
               for s, place, what, around, _ in ALLOWED)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    scripts = [p for p in sorted((ROOT / "test/e2e").glob("*")) if p.suffix in (".py", ".sh", ".mjs") and os.access(p, os.X_OK) and p.is_file()
               and wanted in p.name and p.name not in LEFT_OUT]
    total, failed, control = 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        for path, (took, status, hits, keys_sent) in zip(scripts, pool.map(run_script, scripts)):
            total += len(hits)
            control += keys_sent
            failed += status not in (0, 77)
            print(f"{'ok  ' if not hits else 'HITS'} {path.name}  {took:.1f} s, exit {status}, {len(hits)} hits", flush=True)
            seen = {}
            for h in hits:
                kind = (re.sub(r"\d+", "N", h.place), h.secret, h.form)
                seen[kind] = seen.get(kind, 0) + 1
                if seen[kind] <= 2:
                    print(f"    {h.place}: {h.secret} ({h.form}): {h.around!r}", flush=True)
            for kind, n in seen.items():
                if n > 2:
                    print(f"    … {n} of {kind}", flush=True)
    # Where keys belong they are found: a search that finds nothing anywhere has not searched.
    print(f"{failed} scripts failed; keys were found where they belong {control} times")
    print(f"{total} hits in {len(scripts)} scripts")
    return 1 if total or not control else 0


LITERALS = literals()
if __name__ == "__main__":
    sys.exit(main())
