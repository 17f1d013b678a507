# SPDX-License-Identifier: Apache-2.0
"""Checks that ask another program: the compiler, clang-format, shellcheck, the page generators."""

import concurrent.futures
import os
import re
import shutil
import subprocess

WARNINGS = ("-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes "
            "-Wpointer-arith -Wcast-qual -Wwrite-strings -Wimplicit-fallthrough -Wformat=2 -Wundef -Wconversion "
            "-Werror").split()
CLANG_FORMAT = "clang-format-14"
FINDING = re.compile(r"^(?:.*?/)?((?:src|sim|test|tools)/[^:\n]+):(\d+):(?:\d+:)? (?:warning|error|fatal error): (.*)$", re.M)


def run(tree, command):
    return subprocess.run(command, cwd=tree.root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def in_parallel(work, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(zip(items, pool.map(work, items)))


def alone(tree):
    """Every header compiles by itself, warnings included."""
    headers = [f for f in tree.c_files("src", "sim") if f.suffix == ".h"]

    def compile_header(f):
        return run(tree, ["gcc", *WARNINGS, "-Isrc", "-I.", "-fsyntax-only", "-x", "c", f.path])

    for f, done in in_parallel(compile_header, headers):
        if done.returncode != 0:
            # The fault may lie in a header that this one includes; that one is named, once.
            m = FINDING.search(done.stdout)
            path, line, what = (m.group(1), int(m.group(2)), m.group(3)) if m else (f.path, 0, done.stdout.strip())
            tree.find("alone", path, line, "does not compile by itself: " + what.split("\n")[0])


def form(tree):
    """What ./dev format would change."""
    files = tree.c_files("src", "sim", "test", "tools")
    if not files or not shutil.which(CLANG_FORMAT):
        return
    batches = [files[i:i + 20] for i in range(0, len(files), 20)]
    for _, done in in_parallel(lambda b: run(tree, [CLANG_FORMAT, "--dry-run", *(f.path for f in b)]), batches):
        seen = set()
        for m in FINDING.finditer(done.stdout):
            if m.group(1) not in seen:
                seen.add(m.group(1))
                tree.find("form", m.group(1), int(m.group(2)), "not as clang-format writes it; run ./dev format")


def shell(tree):
    scripts = [f.path for f in tree.files() if f.interpreter in ("sh", "bash")]
    if scripts and shutil.which("shellcheck"):
        done = run(tree, ["shellcheck", "-f", "gcc", "-S", "warning", *scripts])
        for m in re.finditer(r"^(.+?):(\d+):\d+: \w+: (.*)$", done.stdout, re.M):
            tree.find("shell", m.group(1), int(m.group(2)), m.group(3))


def python(tree):
    for f in tree.files():
        if f.suffix == ".py" or f.interpreter == "python3":
            try:
                compile(f.text, f.path, "exec")
            except SyntaxError as e:
                tree.find("python", f.path, e.lineno or 0, e.msg)


def docs(tree):
    """Generated pages are what their generators would write now."""
    for f in tree.all:
        if f.path.startswith("tools/gen/") and f.path.endswith("_doc"):
            done = run(tree, [str(f.full), "--check"])
            if done.returncode != 0:
                tree.find("docs", f.path, 0, done.stdout.strip().split("\n")[-1])


CHECKS = {"alone": alone, "form": form, "shell": shell, "python": python, "docs": docs}
