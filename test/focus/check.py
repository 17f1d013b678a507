#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Checks a Cost and Usage file against the rules of FOCUS: test/focus/check.py FILE [--version 1.3] [--metadata FILE].
Prints a line for each rule that is broken, with the first row that breaks it, and ends with 1 when there is one.
"""

import argparse
import csv
import io
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rules import COLUMNS, ONE_RULES, ROW_RULES, TYPES, Row


class Findings(dict):
    """rule: (how often, first line, what)."""

    def add(self, rule, line, what=""):
        count, first, said = self.get(rule, (0, line, what))
        self[rule] = (count + 1, first, said)


def columns_of(version):
    return [name for name, (since, until, *_) in COLUMNS.items() if since <= version <= until]


def check_names(names, version, found):
    wanted = columns_of(version)
    for name in wanted:
        if name not in names:
            found.add(f"{name}.is there", 1)
    own = False
    for at, name in enumerate(names):
        if name in names[:at]:
            found.add("names.each once", 1, name)
        if name in COLUMNS and name not in wanted:
            found.add("names.of this version", 1, name)
        if name not in COLUMNS and not name.startswith("x_"):
            found.add("names.own ones begin with x_", 1, name)
        if name in COLUMNS and own:
            found.add("names.own ones stand last", 1, name)
        own = own or name not in COLUMNS
        if not re.fullmatch(r"(x_)?[A-Z][A-Za-z0-9]{0,49}", name):
            found.add("names.in pascal case, at most 50 signs", 1, name)


def check_cells(row, names, line, found):
    for name in names:
        text = row.get(name) or ""
        if name not in COLUMNS:
            continue
        _, _, _, kind, null, allowed = COLUMNS[name]
        if text == "":
            if not null:
                found.add(f"{name}.is not null", line)
        elif not TYPES[kind](text):
            found.add(f"{name}.is of type {kind}", line, text)
        elif allowed and text not in allowed:
            found.add(f"{name}.is one of the allowed values", line, text)


def check_row(row, names, line, found):
    for rule, (column, holds) in ROW_RULES.items():
        if column not in names:
            continue
        try:
            ok = holds(row)
        except (ArithmeticError, ValueError, KeyError, TypeError):
            continue  # what is no number, or not there, is said elsewhere
        if not ok:
            found.add(rule, line, row.get(rule.split(".")[0], ""))


def check_one(row, line, seen, found):
    for rule, (key, value) in ONE_RULES.items():
        if row.has(key) and key in row and value in row:
            first = seen.setdefault((rule, row[key]), row[value])
            if first != row[value]:
                found.add(rule, line, f"{row[key]}: {first!r} and {row[value]!r}")


def check_file(lines, version):
    """Findings of a file, given as an iterable of lines."""
    found, seen = Findings(), {}
    reader = csv.reader(lines, strict=True)
    names = next(reader, [])
    check_names(names, version, found)
    for cells in reader:
        if len(cells) != len(names):
            found.add("rows.as many cells as names", reader.line_num)
            continue
        row = Row(zip(names, cells))
        check_cells(row, names, reader.line_num, found)
        check_row(row, names, reader.line_num, found)
        check_one(row, reader.line_num, seen, found)
    return found


def check_metadata(text, names, version):
    """Findings of the metadata beside a file with these columns."""
    found = Findings()
    meta = json.loads(text)
    for key in ("SchemaId", "FocusVersion", "CreationDate", "DataGenerator", "ColumnDefinition"):
        if not meta.get(key):
            found.add(f"metadata.{key} is there", 1)
    if meta.get("FocusVersion") != version:
        found.add("metadata.FocusVersion is the file's", 1, str(meta.get("FocusVersion")))
    told = [c.get("ColumnName") for c in meta.get("ColumnDefinition", [])]
    if told != names:
        found.add("metadata.names every column, in order", 1, str(sorted(set(told) ^ set(names))))
    for c in meta.get("ColumnDefinition", []):
        if c.get("DataType") not in ("STRING", "DECIMAL", "DATETIME", "JSON", "INTEGER"):
            found.add("metadata.types are known", 1, str(c))
        if c.get("DataType") == "DECIMAL" and not (c.get("NumericPrecision") and c.get("NumberScale")):
            found.add("metadata.decimals have precision and scale", 1, str(c))
    return found


def check_text(text, version):
    return check_file(io.StringIO(text), version)


def main():
    parser = argparse.ArgumentParser(description="Checks a FOCUS file.")
    parser.add_argument("file")
    parser.add_argument("--version", default="1.3")
    parser.add_argument("--metadata")
    args = parser.parse_args()
    with open(args.file, newline="", encoding="utf-8") as f:
        found = check_file(f, args.version)
    if args.metadata:
        with open(args.file, newline="", encoding="utf-8") as f:
            names = next(csv.reader(f))
        with open(args.metadata, encoding="utf-8") as f:
            found.update(check_metadata(f.read(), names, args.version))
    for rule, (count, line, what) in sorted(found.items()):
        print(f"{rule}: {count} times, first in line {line}{': ' + what[:120] if what else ''}")
    print(f"{len(found)} rules broken")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
