# SPDX-License-Identifier: Apache-2.0
"""
A C file as the checks see it: its lines, its code without comments, strings and directives, its
includes and its function definitions.

This is a reader for code in our own style, not a parser: a definition is what stands between the
end of the last top-level item and a top-level brace, when that has a parameter list and no "=".
Positions survive: every view has the same length and the same lines as the file.
"""

import re

NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def blank(text):
    """Spaces, with the line ends kept."""
    return re.sub(r"[^\n]", " ", text)


class Function:
    def __init__(self, name, line, lines, static):
        self.name = name
        self.line = line      # of the opening brace
        self.lines = lines    # both braces included
        self.static = static


class CSource:
    def __init__(self, text):
        self.text = text
        self.lines = text.split("\n")
        self.without_comments = COMMENT.sub(lambda m: m.group(1) or blank(m.group(0)), text)
        self.code = NOT_CODE.sub(lambda m: blank(m.group(0)), text)
        self.includes = [(self.line_at(m.start()), m.group(1) == "<", m.group(2))
                         for m in INCLUDE.finditer(self.without_comments)]

    def line_at(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def words(self, wanted):
        """(line, word) of each call of one of the words, macros included."""
        pattern = re.compile(r"(?<![\w.])(?<!->)(" + "|".join(wanted) + r")\s*\(")
        for m in pattern.finditer(self.code):
            yield self.line_at(m.start()), m.group(1)

    def functions(self):
        """Definitions, in order."""
        code = DIRECTIVE.sub(lambda m: blank(m.group(0)), self.code)
        depth = parens = 0
        head_start = body_start = 0
        name = static = None
        for m in re.finditer(r"[{}();]", code):
            c = m.group(0)
            if c in "()":
                parens += 1 if c == "(" else -1
            elif c == "{" and parens == 0:
                if depth == 0:
                    name, static = self.definition(code[head_start:m.start()])
                    body_start = m.start()
                depth += 1
            elif c == "}" and parens == 0:
                depth -= 1
                if depth == 0:
                    if name:
                        first, last = self.line_at(body_start), self.line_at(m.start())
                        yield Function(name, first, last - first + 1, static)
                    head_start = m.end()
            elif c == ";" and depth == 0 and parens == 0:
                head_start = m.end()

    @staticmethod
    def definition(head):
        """(name, is static) of what a brace begins; (None, None) when it is no function."""
        if "=" in head or "(" not in head:
            return None, None
        names, depth = [], 0
        for m in re.finditer(r"(\w*)\s*\(|\)", head):
            if m.group(0) == ")":
                depth -= 1
                continue
            if depth == 0 and m.group(1) not in ("", "__attribute__", "_Alignas"):
                names.append(m.group(1))
            depth += 1
        return (names[-1], "static" in head.split()) if names else (None, None)
