# SPDX-License-Identifier: Apache-2.0
"""Checks that read C text only: layers, sizes, names, guards, banned calls."""

import re

SIZE_FILE, SIZE_HEADER, SIZE_FUNCTION, SIZE_FOLDER = 800, 200, 60, 20
SIZE_TEST = 120  # a test is often a table of cases

# What to write instead stands in the message.
BANNED = {
    "strcpy": "str_copy", "strcat": "buf_add", "strncpy": "str_copy", "strncat": "buf_add",
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "strtok": "str_split", "gets": "fgets",
    "atoi": "str_to_i64", "atol": "str_to_i64", "atoll": "str_to_i64", "atof": "money_parse",
    "strtol": "str_to_i64", "strtoll": "str_to_i64", "strtoul": "str_to_u64", "strtoull": "str_to_u64",
    "strtod": "an integer form", "strtof": "an integer form", "strtold": "an integer form",
    "gmtime": "clock_utc_of", "localtime": "clock_utc_of", "ctime": "clock_format", "asctime": "clock_format",
    "alloca": "a fixed array or an arena", "mktemp": "mkstemp", "tmpnam": "mkstemp", "tempnam": "mkstemp",
    "rand": "rng_…", "srand": "rng_…", "random": "rng_…", "srandom": "rng_…",
}
HEAP = {"malloc": "mem_alloc", "calloc": "mem_zalloc", "realloc": "mem_realloc", "free": "mem_free",
        "strdup": "mem_strdup", "strndup": "mem_strndup", "asprintf": "buf_printf", "vasprintf": "buf_printf"}
HEAP_LAYERS = ("base", "net")
SIM_MAY_USE = ("base", "net", "openai")


def read_layers(tree):
    """{folder: line number in src/LAYERS}."""
    rank = {}
    file = tree.by_path.get("src/LAYERS")
    for number, line in enumerate(file.text.split("\n") if file else []):
        for name in line.split("#")[0].split():
            rank[name] = number
    return rank


def layers(tree):
    rank = read_layers(tree)
    for f in tree.c_files("src", "sim"):
        parts = f.path.split("/")
        here = parts[1] if f.top == "src" else "sim"
        if f.top == "src" and here not in rank:
            tree.find("layers", f.path, 0, f"the folder src/{here} is not in src/LAYERS")
            continue
        for line, system, name in f.c.includes:
            if not system:
                layer_include(tree, rank, f, here, line, name)


def layer_include(tree, rank, f, here, line, name):
    there = name.split("/")[0]
    path = name if there == "sim" else "src/" + name
    if "/" not in name or path not in tree.by_path:
        tree.find("layers", f.path, line, f'"{name}" is not a path from src/ (or sim/)')
    elif there == here:
        return
    elif here == "sim":
        if there not in SIM_MAY_USE:
            tree.find("layers", f.path, line, f"the simulator may use only {', '.join(SIM_MAY_USE)}, not {there}")
    elif there == "sim" or rank[there] >= rank[here]:
        tree.find("layers", f.path, line, f"layer {here} may not include {there} (src/LAYERS)")


def cycles(tree):
    """Headers that include each other, inside a layer too."""
    edges = {f.path: [("sim" if n.startswith("sim/") else "src/") + n.removeprefix("sim")
                      if n.startswith("sim/") else "src/" + n for _, s, n in f.c.includes if not s]
             for f in tree.all if f.is_c and f.top in ("src", "sim") and f.suffix == ".h"}
    done, path = set(), []

    def visit(node):
        if node in path:
            loop = path[path.index(node):] + [node]
            tree.find("cycles", node, 0, "headers include each other: " + " > ".join(loop))
        elif node in edges and node not in done:
            path.append(node)
            for target in edges[node]:
                visit(target)
            path.pop()
            done.add(node)

    for node in sorted(edges):
        visit(node)


def sizes(tree):
    folders = {}
    for f in tree.files("src", "sim", "test", "tools", "web", "dev"):
        if not (f.is_c or f.suffix in (".py", ".sh", ".mjs", ".js", ".ts", ".tsx", ".css") or f.interpreter):
            continue
        count = f.text.count("\n")
        limit = SIZE_HEADER if f.suffix == ".h" else SIZE_FILE
        if count > limit:
            tree.find("sizes", f.path, 0, f"{count} lines, at most {limit}")
        if f.suffix == ".c":
            folders.setdefault(f.folder, []).append(f)
            for fn in f.c.functions():
                most = SIZE_TEST if f.top == "test" else SIZE_FUNCTION
                if fn.lines > most:
                    tree.find("sizes", f.path, fn.line, f"{fn.name}() has {fn.lines} lines, at most {most}")
    for folder, found in sorted(folders.items()):
        if len(found) > SIZE_FOLDER and folder.split("/")[0] in ("src", "sim"):
            tree.find("sizes", found[-1].path, 0, f"{folder}/ has {len(found)} .c files, at most {SIZE_FOLDER}")


def banned(tree):
    for f in tree.c_files("src", "sim", "test"):
        for line, word in f.c.words(BANNED):
            tree.find("banned", f.path, line, f"{word}() is banned; use {BANNED[word]}")


def heap(tree):
    for f in tree.c_files("src", "sim"):
        if f.path.split("/")[1] in HEAP_LAYERS:
            continue
        for line, word in f.c.words(HEAP):
            tree.find("heap", f.path, line, f"{word}() only inside base and net; use {HEAP[word]}")


def money(tree):
    """No floating point where dollars are counted."""
    for f in tree.c_files("src"):
        if not re.search(r"(money|cost|price|budget|rollup)", f.stem):
            continue
        for m in re.finditer(r"\b(float|double)\b", f.c.code):
            tree.find("money", f.path, f.c.line_at(m.start()), f"{m.group(1)}: money is counted in integers")


def accepted_prefixes(f, fn, headers):
    """
    The stem of the file, of the header beside it that declares the function, and the first words of
    those, for a module in several files (http1_head, http1_body); a type that the header declares
    (struct resolver in resolve.h); the folder's own name.
    """
    names = {f.stem, f.folder.split("/")[-1]}
    for h in headers:
        if re.search(r"\b" + fn.name + r"\s*\(", h.c.code):
            names.add(h.stem)
            names.update(re.findall(r"\b(?:struct|enum)\s+(\w+)\s*[;{]", h.c.code))
    words = set()
    for name in names:
        parts = name.split("_")
        words.update("_".join(parts[:n]) for n in range(1, len(parts) + 1))
    return words


def prefixes(tree):
    """
    External functions begin with their module's name. Modules that others include have names of
    their own in the whole program, and so have all external functions: the linker would take the
    first of two in different libraries without a word.
    """
    modules, functions = {}, {}
    for f in tree.all:
        if f.top == "src" and f.suffix == ".h" and f.path.count("/") == 2:
            first = modules.setdefault(f.stem, f.path)
            if first != f.path:
                tree.find("prefixes", f.path, 0, f"the module name {f.stem} is taken by {first}")
        if f.top not in ("src", "sim") or f.suffix != ".c":
            continue
        headers = [h for h in tree.all if h.suffix == ".h" and h.folder == f.folder]
        for fn in f.c.functions():
            if fn.static or fn.name == "main":
                continue
            first = functions.setdefault(fn.name, f.path)
            if first != f.path:
                tree.find("prefixes", f.path, fn.line, f"{fn.name}() is also in {first}")
            if not any(fn.name == w or fn.name.startswith(w + "_") for w in accepted_prefixes(f, fn, headers)):
                tree.find("prefixes", f.path, fn.line, f"{fn.name}() is external and does not begin with {f.stem}_")


def guards(tree):
    for f in tree.c_files("src", "sim", "test"):
        if f.suffix != ".h":
            continue
        paths = [f.path.removeprefix("src/")]
        if f.top == "test":  # included by its bare name
            paths += [f.path.split("/")[-1], "test/" + f.path.split("/")[-1]]
        accepted = [re.sub(r"\W", "_", path).upper() for path in paths]
        directives = [d.split() for d in re.findall(r"^[ \t]*#.*", f.c.without_comments, re.M)]
        if not any(directives[:2] == [["#ifndef", g], ["#define", g]] for g in accepted) \
                or directives[-1][0] != "#endif":
            tree.find("guards", f.path, 0, f"the guard is not {accepted[0]}")


def openings(tree):
    """The licence first, then prose; a .c includes its own header, then the system's, then ours."""
    for f in tree.c_files("src", "sim", "test"):
        if f.c.lines[0] != "/* SPDX-License-Identifier: Apache-2.0 */":
            tree.find("openings", f.path, 1, "the first line is not /* SPDX-License-Identifier: Apache-2.0 */")
            continue
        rest = "\n".join(line for line in f.c.lines[1:] if not line.startswith("#")).lstrip()
        if not rest.startswith("/*"):
            tree.find("openings", f.path, 2, "the file does not open with a comment that says what it is for")
        if f.suffix == ".c":
            include_order(tree, f)


def include_order(tree, f):
    # What stands behind code or inside a condition has its reasons.
    end = next((n for n, text in enumerate(f.c.without_comments.split("\n"), 1)
                if text.strip() and not text.startswith(("#include", "#define"))), len(f.c.lines))
    top = [(line, system, name) for line, system, name in f.c.includes if line < end]
    own = (f.folder + "/" + f.stem + ".h").removeprefix("src/") if f.top != "test" else f.stem + ".h"
    own_path = f.folder + "/" + f.stem + ".h"
    if own_path in tree.by_path:
        if not top or top[0][2] != own:
            tree.find("openings", f.path, top[0][0] if top else 0, f'the first include is not "{own}"')
            return
        top = top[1:]
    ours_seen = False
    for line, system, name in top:
        if system and ours_seen and f.top in ("src", "sim"):
            tree.find("openings", f.path, line, f"<{name}> stands behind our own headers")
            break
        ours_seen = ours_seen or not system


CHECKS = {"layers": layers, "cycles": cycles, "sizes": sizes, "banned": banned, "heap": heap, "money": money,
          "prefixes": prefixes, "guards": guards, "openings": openings}
