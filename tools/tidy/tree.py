# SPDX-License-Identifier: Apache-2.0
"""
The files under check, the findings and the allowances.

A finding is suppressed by "tidy: allow CHECK: reason" in a comment on its line or on the line
before; for findings about a whole file, in the first lines of that file.
"""

import os
import pathlib
import re
import subprocess

from csource import CSource

ALLOW = re.compile(r"tidy: allow (\w+): \S")
TEXT_BYTES_MAX = 1 << 20


class File:
    def __init__(self, root, path):
        self.path = path                                  # from the root, "/" between
        self.full = root / path
        self.suffix = pathlib.PurePath(path).suffix
        self.stem = pathlib.PurePath(path).stem
        self.folder = str(pathlib.PurePath(path).parent)
        self.top = path.split("/")[0]
        self._text = self._c = None

    @property
    def text(self):
        if self._text is None:
            data = self.full.read_bytes()
            binary = b"\0" in data[:8192] or len(data) > TEXT_BYTES_MAX
            self._text = "" if binary else data.decode(errors="replace")
        return self._text

    @property
    def c(self):
        if self._c is None:
            self._c = CSource(self.text)
        return self._c

    @property
    def is_c(self):
        return self.suffix in (".c", ".h")

    @property
    def interpreter(self):
        """"sh", "bash", "python3", … of a script, else ''."""
        first = self.text.split("\n", 1)[0]
        return re.split(r"[/ ]", first)[-1] if first.startswith("#!") else ""


class Tree:
    def __init__(self, root, only_paths):
        self.root = root
        self.all = [File(root, p) for p in sorted(self._paths())]
        self.by_path = {f.path: f for f in self.all}
        self.only_paths = only_paths
        self.findings = []
        self.allowed = 0

    def _paths(self):
        """What git knows or would take; every file where there is no repository."""
        listed = subprocess.run(["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard", "-z"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        if listed.returncode == 0 and (self.root / ".git").exists():
            paths = listed.stdout.split("\0")
        else:
            paths = [str(p.relative_to(self.root)) for p in self.root.rglob("*")]
        return {p for p in paths if p and (self.root / p).is_file() and not os.path.islink(self.root / p)}

    def wanted(self, path):
        return not self.only_paths or any(path == p or path.startswith(p.rstrip("/") + "/") for p in self.only_paths)

    def files(self, *tops):
        return [f for f in self.all if (not tops or f.top in tops) and self.wanted(f.path)]

    def c_files(self, *tops):
        return [f for f in self.files(*tops) if f.is_c]

    def find(self, check, path, line, what):
        """Notes a finding; line 0 means the file as a whole."""
        if not self.wanted(path) or self._is_allowed(check, path, line):
            return
        self.findings.append((path, line, f"{what} [{check}]"))

    def _is_allowed(self, check, path, line):
        file = self.by_path.get(path)
        lines = file.text.split("\n") if file else []
        near = lines[:8] if line == 0 else lines[max(0, line - 2):line]
        if any(m.group(1) == check for text in near for m in ALLOW.finditer(text)):
            self.allowed += 1
            return True
        return False
