# SPDX-License-Identifier: Apache-2.0
"""Checks of any text file: licence lines, remarks without an issue, machine paths, white space, dead links."""

import os
import pathlib
import re

# The brackets keep this file from being a finding of its own.
REMARKS = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b")
UNOWNED = re.compile(r"NEEDS[W]ORK(?!\(#\d+\): )")
MACHINE = re.compile(r"(?<![\w.$}~:])/(?:wor[k]|roo[t]|hom[e]|tm[p])/(?![\w.-]*X{6})[\w.{$-]")
REGISTRY = re.compile(r"registry[.]npm|py[p]i[.]org|python[h]osted|(?:deb|security|snapshot)[.]debian[.]|"
                      r"crates[.]i[o]|proxy[.]golan[g]|maven[.]or[g]|artifact[r]egistry|pkg[.]de[v]")
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")
NAMED = re.compile(r"`((?:src|sim|test|tools|docs|data|web|etc)/[\w./-]+)`")
SPDX = "SPDX-License-Identifier: Apache-2.0"
NO_SPDX = (".md", ".json", ".csv", ".txt", ".html", ".svg", ".dict", ".options", ".yaml", ".yml", ".lock")
NOT_OURS = ("test/fuzz/corpus/", "test/golden/", "data/")


def text_files(tree):
    for f in tree.files():
        if not f.path.startswith(NOT_OURS) and f.text:
            yield f


def each_match(tree, check, pattern, message):
    for f in text_files(tree):
        for number, line in enumerate(f.text.split("\n"), 1):
            m = pattern.search(line)
            if m:
                tree.find(check, f.path, number, message.format(m.group(0)))


def remarks(tree):
    each_match(tree, "remarks", REMARKS, "{} without an issue; write NEEDS" + "WORK(#issue): …")
    each_match(tree, "remarks", UNOWNED, "no issue number; write NEEDS" + "WORK(#issue): …")


def places(tree):
    each_match(tree, "places", MACHINE, "a path of one machine: {}…")
    each_match(tree, "places", REGISTRY, "a registry's host: {}")


def licences(tree):
    """C files are checked to the letter in checks_c; here everything else that can hold the line."""
    for f in text_files(tree):
        scripted = f.interpreter or f.suffix in (".py", ".sh", ".mjs", ".js", ".ts", ".css", ".cmake", ".S")
        if scripted and f.suffix not in NO_SPDX and SPDX not in "\n".join(f.text.split("\n")[:3]):
            tree.find("licences", f.path, 1, f"no '{SPDX}' in the first three lines")


def blanks(tree):
    for f in text_files(tree):
        if f.suffix in (".csv", ".svg"):
            continue
        lines = f.text.split("\n")
        for number, line in enumerate(lines, 1):
            if line != line.rstrip() and f.suffix != ".md":
                tree.find("blanks", f.path, number, "blanks at the end of the line")
            if f.is_c and "\t" in line:
                tree.find("blanks", f.path, number, "a tab")
        if lines[-1] != "":
            tree.find("blanks", f.path, len(lines), "no newline at the end of the file")


def links(tree):
    """Pages name files that exist: relative links, and paths of the tree in `backquotes`."""
    folders = {str(parent) for f in tree.all for parent in pathlib.PurePath(f.path).parents}
    known = folders | set(tree.by_path)
    for f in text_files(tree):
        if f.suffix != ".md":
            continue
        for number, line in enumerate(f.text.split("\n"), 1):
            for target in LINK.findall(line):
                path = os.path.normpath(os.path.join(f.folder, target.split("#")[0]))
                if path not in known:
                    tree.find("links", f.path, number, f"the link {target} leads nowhere")
            for path in NAMED.findall(line):
                if path.rstrip("/") not in known:
                    tree.find("links", f.path, number, f"there is no {path}")


CHECKS = {"remarks": remarks, "places": places, "licences": licences, "blanks": blanks, "links": links}
