#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The checker itself: a small clean tree has no finding, and each habit broken in it, one at a time,
gives exactly one, in the right file and line.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"

CLEAN = {
    "src/LAYERS": "# lowest first\nbase\nnet openai\ngateway\n",
    "src/base/str.h": SPDX + "#ifndef BASE_STR_H\n#define BASE_STR_H\n\n/* str: a view. */\n\n"
                             "#include <stddef.h>\n\nsize_t str_length(const char *z);\n\n#endif\n",
    "src/base/str.c": SPDX + "/* Views. */\n" + '#include "base/str.h"\n\n#include <string.h>\n\n'
                             "size_t str_length(const char *z)\n{\n    return strlen(z);\n}\n",
    "src/net/loop.h": SPDX + "#ifndef NET_LOOP_H\n#define NET_LOOP_H\n\n/* loop: turns. */\n\n"
                             "void loop_run(void);\n\n#endif\n",
    "src/net/loop.c": SPDX + '/* Turns. */\n#include "net/loop.h"\n\n#include "base/str.h"\n\n'
                             "static const char *const words[] = {\"free(\", \"strcpy(\"}; /* rand() */\n\n"
                             "void loop_run(void)\n{\n    (void)str_length(words[0]);\n}\n",
    "sim/main.c": SPDX + '/* The simulator. */\n#include "net/loop.h"\n\nint main(void)\n{\n    loop_run();\n'
                         "    return 0;\n}\n",
    "dev": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\necho ok\n",
}


def c_file(body, opening="/* Prose. */\n"):
    return SPDX + opening + body


def header(guard, body):
    return SPDX + f"#ifndef {guard}\n#define {guard}\n\n/* Prose. */\n\n{body}\n#endif\n"


LONG = "static int long_one(void)\n{\n" + "    (void)0;\n" * 60 + "    return 1;\n}\n"
LONG_ALLOWED = "/* tidy: allow sizes: one table */\n" + LONG.replace(")\n{", ") {", 1)
PAIR = "int {0}(void);\n\nint {0}(void)\n{{\n    return 0;\n}}\n"

# What is written into the clean tree, and the finding it must give: "" for none.
CASES = [
    ("an upward include", {"src/base/a.c": c_file('#include "net/loop.h"\n')}, "src/base/a.c:3: layers"),
    ("an include across one line of LAYERS", {"src/openai/a.c": c_file('#include "net/loop.h"\n')},
     "src/openai/a.c:3: layers"),
    ("a header that is not there", {"src/net/a.c": c_file('#include "base/none.h"\n')}, "src/net/a.c:3: layers"),
    ("a folder without a layer", {"src/extra/a.c": c_file("")}, "src/extra/a.c:0: layers"),
    ("the simulator in the gateway", {"src/gateway/g.h": header("GATEWAY_G_H", "struct g;\n"),
                                      "sim/a.c": c_file('#include "gateway/g.h"\n')}, "sim/a.c:3: layers"),
    ("headers in a circle", {"src/base/a.h": header("BASE_A_H", '#include "base/b.h"\n'),
                             "src/base/b.h": header("BASE_B_H", '#include "base/a.h"\n')}, "src/base/a.h:0: cycles"),
    ("a long function", {"src/net/a.c": c_file(LONG)}, "src/net/a.c:4: sizes"),
    ("a long function with a reason", {"src/net/a.c": c_file(LONG_ALLOWED)}, ""),
    ("a long file", {"src/net/a.c": c_file("/* - */\n" * 800)}, "src/net/a.c:0: sizes"),
    ("a full folder", {f"src/net/n{i:02}.c": c_file("") for i in range(20)}, "src/net/n19.c:0: sizes"),
    ("a banned call", {"test/unit/test_a.c": c_file("static void f(char *d)\n{\n    strcpy(d, \"\");\n}\n")},
     "test/unit/test_a.c:5: banned"),
    ("a banned call of a member", {"src/net/a.c": c_file("static void f(struct s *s)\n{\n    s->rand(1);\n}\n")}, ""),
    ("heap in the gateway", {"src/gateway/a.c": c_file("static void f(void *p)\n{\n    free(p);\n}\n")},
     "src/gateway/a.c:5: heap"),
    ("heap in base", {"src/base/a.c": c_file("static void f(void *p)\n{\n    free(p);\n}\n")}, ""),
    ("a floating price", {"src/openai/price.c": c_file("static double p;\n")}, "src/openai/price.c:3: money"),
    ("a foreign name", {"src/net/a.c": c_file(PAIR.format("b_open"))}, "src/net/a.c:6: prefixes"),
    ("a module in two files", {"src/net/h_in.c": c_file(PAIR.format("h_open"))}, ""),
    ("a module named by its type", {"src/net/a.h": header("NET_A_H", "struct b;\nint b_open(void);\n"),
                                    "src/net/a.c": c_file('#include "net/a.h"\n' + PAIR.format("b_open"))}, ""),
    ("a module name taken twice", {"src/net/str.h": header("NET_STR_H", "struct s;\n")}, "src/net/str.h:0: prefixes"),
    ("a function in two layers", {"src/net/str.c": c_file(PAIR.format("str_length"))}, "src/net/str.c:6: prefixes"),
    ("a wrong guard", {"src/net/a.h": header("A_H", "struct a;\n")}, "src/net/a.h:0: guards"),
    ("a guard in a test", {"test/unit/a.h": header("A_H", "struct a;\n")}, ""),
    ("no licence line", {"src/net/a.c": "/* Prose. */\n"}, "src/net/a.c:1: openings"),
    ("no opening comment", {"src/net/a.c": SPDX + "static int a;\n"}, "src/net/a.c:2: openings"),
    ("own header not first", {"src/net/a.h": header("NET_A_H", "struct a;\n"),
                              "src/net/a.c": c_file('#include <stddef.h>\n\n#include "net/a.h"\n')},
     "src/net/a.c:3: openings"),
    ("a remark without an issue", {"src/net/a.c": c_file("/* TO" "DO: later */\n")}, "src/net/a.c:3: remarks"),
    ("a remark with an issue", {"src/net/a.c": c_file("/* NEEDS" "WORK(#7): later */\n")}, ""),
    ("a machine's path", {"README.md": "see /ro" "ot/notes\n"}, "README.md:1: places"),
    ("a temporary file", {"src/net/a.c": c_file('static const char a[] = "/t' 'mp/a-XXXXXX";\n')}, ""),
    ("a registry's host", {"web/x.json": '{"resolved": "https://registry' '.npm.example/x"}\n'}, "web/x.json:1: places"),
    ("a script without licence", {"test/e2e/a.sh": "#!/bin/sh\necho\n"}, "test/e2e/a.sh:1: licences"),
    ("blanks at a line's end", {"src/net/a.c": c_file("static int a; \n")}, "src/net/a.c:3: blanks"),
    ("no newline at the end", {"docs/a.md": "text"}, "docs/a.md:1: blanks"),
    ("a link to nowhere", {"docs/a.md": "[b](b.md)\n[c](a.md#c) [d](https://example.com/)\n"}, "docs/a.md:1: links"),
    ("a file that is not there", {"docs/a.md": "`src/net/loop.c`, `src/net/`\n`src/net/loops.c`\n"},
     "docs/a.md:2: links"),
    ("broken Python", {"tools/a.py": "# SPDX-License-Identifier: Apache-2.0\ndef\n"}, "tools/a.py:2: python"),
    ("a header that needs another", {"src/net/a.h": header("NET_A_H", "size_t a_size(void);\n")},
     "src/net/a.h:7: alone"),
    ("a stale page", {"tools/gen/x_doc": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\necho stale\nexit 1\n"},
     "tools/gen/x_doc:0: docs"),
]
# clang-format and shellcheck judge for themselves; here only the checks of our own.
CHECKS = ("layers,cycles,sizes,banned,heap,money,prefixes,guards,openings,remarks,places,licences,blanks,links,"
          "alone,python,docs")


def findings(extra):
    """{"path:line: check"} for the clean tree with `extra` written into it."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**CLEAN, **extra}.items():
            file = pathlib.Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            if text.startswith("#!"):
                file.chmod(0o755)
        checks = CHECKS if shutil.which("gcc") else CHECKS.replace("alone,", "")
        done = subprocess.run([ROOT / "tools/tidy/tidy", "--root", folder, "--only", checks],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        lines = done.stdout.splitlines()
        if done.returncode != (1 if lines else 0):
            sys.exit(f"exit status {done.returncode} with {len(lines)} findings")
        return {line.split(" ")[0] + " " + line.rsplit("[", 1)[1].rstrip("]") for line in lines}


def main():
    failed = 0
    for name, extra, wanted in [("the clean tree", {}, ""), *CASES]:
        found = findings(extra)
        if found != ({wanted} if wanted else set()):
            failed += 1
            print(f"{name}: wanted {wanted or 'nothing'}, found {sorted(found) or 'nothing'}")
    print(f"{len(CASES) + 1} cases, {failed} failed")
    sys.exit(1 if failed else 0)


main()
