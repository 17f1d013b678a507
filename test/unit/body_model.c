/* SPDX-License-Identifier: Apache-2.0 */
/* The generator and the model of body_edit's tests. Nothing here is fast. */
#include "body_model.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

static const char *const names[] = {"a", "b", "model", "stream_options", "include_usage", "x y", "\xc3\xa9", "q\"\\"};
static const char *const scalars[] = {"0",
                                      "-1.50e+2",
                                      "true",
                                      "false",
                                      "null",
                                      "\"\"",
                                      "\"s\"",
                                      "\"a,}]\"",
                                      "[]",
                                      "{}",
                                      "\"\\\"\\\\\"",
                                      "\"\\u00e9\\/\"",
                                      "1e999",
                                      "\"m1\"",
                                      "true",
                                      "\"[1,2]\"",
                                      "{\"include_usage\":true}"};

unsigned body_roll(struct body_dice *d, unsigned below)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (unsigned)(d->state >> 11) % below;
}

static const char *some_name(struct body_dice *d)
{
    return names[body_roll(d, sizeof names / sizeof *names)];
}

static struct body_node *node_new(char kind)
{
    struct body_node *n = mem_zalloc(sizeof *n);
    n->kind = kind;
    return n;
}

static struct body_node *scalar_node(const char *text)
{
    struct body_node *n = node_new('s');
    n->scalar = text;
    return n;
}

static void node_add(struct body_node *parent, const char *name, struct body_node *kid)
{
    parent->kids = mem_realloc(parent->kids, (parent->n + 1) * sizeof *parent->kids);
    parent->names = mem_realloc(parent->names, (parent->n + 1) * sizeof *parent->names);
    parent->kids[parent->n] = kid;
    parent->names[parent->n++] = name ? mem_strdup(name) : NULL;
}

struct body_node *body_random(struct body_dice *d, bool object, int depth)
{
    unsigned what = object ? 0 : body_roll(d, depth > 0 ? 4 : 8);
    if (what > 1 || depth == 0)
        return scalar_node(scalars[body_roll(d, sizeof scalars / sizeof *scalars)]);
    struct body_node *n = node_new(what == 0 ? '{' : '[');
    for (unsigned count = body_roll(d, 5); count > 0; count--)
        node_add(n, n->kind == '{' ? some_name(d) : NULL, body_random(d, false, depth - 1));
    return n;
}

void body_free(struct body_node *n)
{
    for (unsigned i = 0; i < n->n; i++) {
        body_free(n->kids[i]);
        mem_free(n->names[i]);
    }
    mem_free(n->kids);
    mem_free(n->names);
    mem_free(n);
}

static void put(struct buf *out, const char *text)
{
    bool fits = buf_add_str(out, str_c(text));
    must(fits);
}

static void put_space(struct body_dice *d, struct buf *out)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n  ", "\t", " \r\n"};
    put(out, spaces[body_roll(d, 8)]);
}

/* Some of its ASCII characters as \u escapes when `d` is given. */
static void put_name(struct body_dice *d, const char *name, struct buf *out)
{
    put(out, "\"");
    for (const char *p = name; *p; p++) {
        char text[8] = {*p, 0};
        bool ascii = (unsigned char)*p < 0x80;
        if (ascii && d && body_roll(d, 8) == 0)
            snprintf(text, sizeof text, "\\u%04x", (unsigned)*p);
        else if (*p == '"' || *p == '\\')
            snprintf(text, sizeof text, "\\%c", *p);
        put(out, text);
    }
    put(out, "\"");
}

void body_write(struct body_dice *d, struct body_node *n, struct buf *out)
{
    size_t start = buf_size(out);
    if (n->kind == 's') {
        put(out, n->scalar);
    } else {
        put(out, n->kind == '{' ? "{" : "[");
        for (unsigned i = 0; i < n->n; i++) {
            put(out, i ? "," : "");
            put_space(d, out);
            if (n->kind == '{') {
                put_name(d, n->names[i], out);
                put_space(d, out);
                put(out, ":");
                put_space(d, out);
            }
            body_write(d, n->kids[i], out);
            put_space(d, out);
        }
        if (!n->n)
            put_space(d, out);
        put(out, n->kind == '{' ? "}" : "]");
    }
    n->written = str_of(NULL, 0);
    n->written.p = (const char *)start; /* an offset until body_locate */
    n->written.n = buf_size(out) - start;
}

void body_locate(struct body_node *n, struct str text)
{
    n->written.p = text.p + (size_t)n->written.p;
    for (unsigned i = 0; i < n->n; i++)
        body_locate(n->kids[i], text);
}

void body_print(const struct body_node *n, struct buf *out)
{
    if (n->kind == 's') {
        put(out, n->scalar);
        return;
    }
    put(out, n->kind == '{' ? "{" : "[");
    for (unsigned i = 0; i < n->n; i++) {
        put(out, i ? "," : "");
        if (n->kind == '{') {
            put_name(NULL, n->names[i], out);
            put(out, ":");
        }
        body_print(n->kids[i], out);
    }
    put(out, n->kind == '{' ? "}" : "]");
}

/* --- wishes ------------------------------------------------------------------------------------------ */

static void some_path(struct body_dice *d, char *out, size_t cap)
{
    static const char *const odd[] = {"", ".", "a.", "a..b", "[0]", "a[", "a[x]", "a[*]b", "a.[0]", "b[-1]", "a[0"};
    if (body_roll(d, 10) == 0) {
        snprintf(out, cap, "%s", odd[body_roll(d, sizeof odd / sizeof *odd)]);
        return;
    }
    size_t n = (size_t)snprintf(out, cap, "%s", some_name(d));
    for (unsigned steps = body_roll(d, 4); steps > 0; steps--) {
        unsigned what = body_roll(d, 4);
        if (what == 0)
            n += (size_t)snprintf(out + n, cap - n, "[*]");
        else if (what == 1)
            n += (size_t)snprintf(out + n, cap - n, "[%u]", body_roll(d, 3));
        else
            n += (size_t)snprintf(out + n, cap - n, ".%s", body_roll(d, 2) ? "include_usage" : some_name(d));
        must(n < cap);
    }
}

static void some_member(struct body_dice *d, struct body_wishes *w, unsigned i, struct body_member *m)
{
    snprintf(w->names[i], sizeof w->names[i], "%s", some_name(d));
    w->values[i] = body_random(d, false, 3);
    buf_init(&w->texts[i], 1 << 16);
    put_space(d, &w->texts[i]);
    body_write(d, w->values[i], &w->texts[i]);
    put_space(d, &w->texts[i]);
    body_locate(w->values[i], buf_str(&w->texts[i]));
    *m = (struct body_member){str_c(w->names[i]), buf_str(&w->texts[i])};
}

void body_wish(struct body_dice *d, struct body_wishes *w)
{
    memset(w, 0, sizeof *w);
    for (unsigned n = body_roll(d, 4); w->edits.default_count < n; w->edits.default_count++)
        some_member(d, w, (unsigned)w->edits.default_count, &w->defaults[w->edits.default_count]);
    for (unsigned n = body_roll(d, 4); w->edits.override_count < n; w->edits.override_count++)
        some_member(d, w, 3 + (unsigned)w->edits.override_count, &w->overrides[w->edits.override_count]);
    for (unsigned n = body_roll(d, 5); w->edits.drop_count < n; w->edits.drop_count++) {
        some_path(d, w->paths[w->edits.drop_count], sizeof w->paths[0]);
        w->drop[w->edits.drop_count] = str_c(w->paths[w->edits.drop_count]);
    }
    w->edits.defaults = w->defaults;
    w->edits.overrides = w->overrides;
    w->edits.drop = w->drop;
    static const struct str models[] = {{"", 0}, {"", 0}, {"m1", 2}, {"m\"2", 3}};
    w->edits.model = models[body_roll(d, 4)];
    w->edits.ask_usage = body_roll(d, 3) == 0;
}

void body_wishes_free(struct body_wishes *w)
{
    for (int i = 0; i < 6; i++)
        if (w->values[i]) {
            body_free(w->values[i]);
            buf_free(&w->texts[i]);
        }
}

/* --- the model --------------------------------------------------------------------------------------- */

/* A scalar that is a whole container becomes a node of it. */
static void open_up(struct body_node *n)
{
    if (n->kind == 's' && strcmp(n->scalar, "[]") == 0)
        n->kind = '[';
    else if (n->kind == 's' && n->scalar[0] == '{') {
        bool full = strcmp(n->scalar, "{}") != 0;
        n->kind = '{';
        if (full)
            node_add(n, "include_usage", scalar_node("true"));
    }
    for (unsigned i = 0; i < n->n; i++)
        open_up(n->kids[i]);
}

static struct body_node *copy(const struct body_node *n)
{
    struct body_node *c = node_new(n->kind);
    c->scalar = n->scalar;
    for (unsigned i = 0; i < n->n; i++)
        node_add(c, n->names[i], copy(n->kids[i]));
    return c;
}

static void node_remove(struct body_node *n, unsigned at)
{
    body_free(n->kids[at]);
    mem_free(n->names[at]);
    for (n->n--; at < n->n; at++) {
        n->kids[at] = n->kids[at + 1];
        n->names[at] = n->names[at + 1];
    }
}

/* The first member of that name; -1 when there is none. */
static int find(const struct body_node *n, const char *name)
{
    for (unsigned i = 0; i < n->n; i++)
        if (strcmp(n->names[i], name) == 0)
            return (int)i;
    return -1;
}

static void only_first(struct body_node *n, const char *name)
{
    for (unsigned i = n->n; i > 0; i--)
        if (strcmp(n->names[i - 1], name) == 0 && find(n, name) != (int)i - 1)
            node_remove(n, i - 1);
}

static void set(struct body_node *root, const char *name, struct body_node *value)
{
    int at = find(root, name);
    if (at < 0) {
        node_add(root, name, value);
        return;
    }
    body_free(root->kids[at]);
    root->kids[at] = value;
    only_first(root, name);
}

static bool overridden(const struct body_wishes *w, const char *name, size_t behind)
{
    for (size_t i = behind; i < w->edits.override_count; i++)
        if (str_eq(w->overrides[i].name, str_c(name)))
            return true;
    return false;
}

static void apply_members(struct body_node *root, const struct body_wishes *w)
{
    /* Defaults are judged by the body as it came, and written behind the overrides. */
    bool given[3];
    for (size_t i = 0; i < w->edits.default_count; i++)
        given[i] = find(root, w->names[i]) >= 0;
    for (size_t i = 0; i < w->edits.override_count; i++)
        if (!overridden(w, w->names[3 + i], i + 1))
            set(root, w->names[3 + i], copy(w->values[3 + i]));
    for (size_t i = 0; i < w->edits.default_count; i++)
        if (!given[i] && find(root, w->names[i]) < 0)
            node_add(root, w->names[i], copy(w->values[i]));
}

/* The first `n` steps of a path are these names. */
static bool path_is(struct str path, const char *text)
{
    return str_eq(path, str_c(text));
}

static bool ask(struct body_node *root, const struct body_wishes *w)
{
    for (size_t i = 0; i < w->edits.drop_count; i++)
        if (path_is(w->drop[i], "stream_options") || path_is(w->drop[i], "stream_options.include_usage"))
            return false;
    only_first(root, "stream_options");
    int at = find(root, "stream_options");
    if (at < 0) {
        node_add(root, "stream_options", node_new('{'));
        at = (int)root->n - 1;
    }
    struct body_node *options = root->kids[at];
    if (options->kind == 's' && strcmp(options->scalar, "null") == 0)
        options->kind = '{';
    if (options->kind != '{')
        return false;
    bool asked = false;
    for (unsigned i = 0; i < options->n; i++) {
        struct body_node *kid = options->kids[i];
        if (strcmp(options->names[i], "include_usage") != 0 || (kid->kind == 's' && strcmp(kid->scalar, "true") == 0))
            continue;
        body_free(kid);
        options->kids[i] = scalar_node("true");
        asked = true;
    }
    if (find(options, "include_usage") >= 0)
        return asked;
    node_add(options, "include_usage", scalar_node("true"));
    return true;
}

/* Marks what the path from `p` on leads to. */
static void mark(struct body_node *n, const char *p)
{
    char step[32];
    size_t len;
    if (*p == '[') {
        const char *close = strchr(p, ']');
        len = close ? (size_t)(close - p) + 1 : 0;
    } else {
        len = strcspn(p, ".[");
    }
    if (len == 0)
        return;
    snprintf(step, sizeof step, "%.*s", (int)len, p);
    const char *rest = p + len;
    if (*rest == '.' && rest[1] != '\0' && rest[1] != '[' && rest[1] != '.')
        rest++;
    else if (*rest != '\0' && *rest != '[')
        return;
    for (unsigned i = 0; i < n->n; i++) {
        char index[16];
        snprintf(index, sizeof index, "[%u]", i);
        bool hit = n->kind == '{' ? *p != '[' && strcmp(n->names[i], step) == 0
                                  : strcmp(step, "[*]") == 0 || strcmp(step, index) == 0;
        if (hit && *rest)
            mark(n->kids[i], rest);
        else if (hit)
            n->kids[i]->gone = true;
    }
}

static void sweep(struct body_node *n)
{
    for (unsigned i = n->n; i > 0; i--) {
        if (n->kids[i - 1]->gone)
            node_remove(n, i - 1);
        else
            sweep(n->kids[i - 1]);
    }
}

bool body_apply(struct body_node **root, const struct body_wishes *w)
{
    struct body_node *edited = copy(*root);
    bool asked = false;
    apply_members(edited, w);
    if (w->edits.model.n) {
        bool first = str_eq(w->edits.model, STR("m1"));
        set(edited, "model", scalar_node(first ? "\"m1\"" : "\"m\\\"2\""));
    }
    open_up(edited);
    if (w->edits.ask_usage)
        asked = ask(edited, w);
    for (size_t i = 0; i < w->edits.drop_count; i++)
        mark(edited, w->paths[i]);
    sweep(edited);
    *root = edited;
    return asked;
}
