/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader is a loop with a stack of open containers. `state` says what may come next; strings
 * are passed over in wide steps, because most of a large body is one string.
 */
#include "base/json/jdoc.h"

#include <string.h>

#include "base/json_bytes.h"
#include "base/json_text.h"
#include "base/mem.h"

struct reader {
    struct jdoc *doc;
    const char *p, *end;
    uint32_t open[JDOC_DEPTH_MAX];
    uint32_t depth;
};

void jdoc_init(struct jdoc *d)
{
    *d = (struct jdoc){.text = {"", 0}};
}

void jdoc_free(struct jdoc *d)
{
    mem_free(d->nodes);
    jdoc_init(d);
}

static struct jdoc_node *node_add(struct reader *r, enum jdoc_kind kind, const char *start)
{
    struct jdoc *d = r->doc;
    if (d->count == d->cap) {
        if (d->cap >= JDOC_NODES_MAX)
            return NULL;
        d->cap = d->cap ? d->cap * 2 : 128;
        d->nodes = mem_realloc(d->nodes, d->cap * sizeof *d->nodes);
    }
    struct jdoc_node *n = &d->nodes[d->count++];
    *n = (struct jdoc_node){.start = (uint32_t)(start - d->text.p), .next = d->count, .kind = kind};
    return n;
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

static bool is_hex4(const char *p)
{
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')))
            return false;
    }
    return true;
}

/* At a backslash; false when it begins no escape. */
static bool skip_escape(struct reader *r)
{
    if (r->end - r->p < 2)
        return false;
    char c = r->p[1];
    if (c == 'u') {
        if (r->end - r->p < 6 || !is_hex4(r->p + 2))
            return false;
        r->p += 6;
        return true;
    }
    r->p += 2;
    return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
}

/* At the opening quote. */
static bool skip_string(struct reader *r)
{
    r->p++;
    while ((r->p = json_bytes_special(r->p, r->end)) < r->end) {
        if (*r->p == '"') {
            r->p++;
            return true;
        }
        if (*r->p != '\\' || !skip_escape(r))
            return false;
    }
    return false;
}

static bool skip_digits(struct reader *r)
{
    const char *from = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > from;
}

static bool skip_number(struct reader *r)
{
    if (*r->p == '-')
        r->p++;
    if (r->p < r->end && *r->p == '0')
        r->p++;
    else if (!skip_digits(r))
        return false;
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (!skip_digits(r))
            return false;
    }
    if (r->p < r->end && (*r->p | 0x20) == 'e') {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (!skip_digits(r))
            return false;
    }
    return true;
}

static bool skip_word(struct reader *r, struct str word)
{
    if (!str_starts(str_of(r->p, (size_t)(r->end - r->p)), word))
        return false;
    r->p += word.n;
    return true;
}

/* A scalar, or the opening of a container. */
static bool read_value(struct reader *r)
{
    const char *start = r->p;
    enum jdoc_kind kind;
    bool ok = true;
    switch (*r->p) {
    case '{':
        kind = JDOC_OBJECT;
        break;
    case '[':
        kind = JDOC_ARRAY;
        break;
    case '"':
        kind = JDOC_STRING;
        ok = skip_string(r);
        break;
    case 't':
        kind = JDOC_TRUE;
        ok = skip_word(r, STR("true"));
        break;
    case 'f':
        kind = JDOC_FALSE;
        ok = skip_word(r, STR("false"));
        break;
    case 'n':
        kind = JDOC_NULL;
        ok = skip_word(r, STR("null"));
        break;
    default:
        kind = JDOC_NUMBER;
        ok = skip_number(r);
        break;
    }
    struct jdoc_node *n = ok ? node_add(r, kind, start) : NULL;
    if (!n)
        return false;
    if (kind == JDOC_OBJECT || kind == JDOC_ARRAY) {
        if (r->depth == JDOC_DEPTH_MAX)
            return false;
        r->open[r->depth++] = r->doc->count - 1;
        r->p++;
    } else {
        n->end = (uint32_t)(r->p - r->doc->text.p);
    }
    return true;
}

static bool read_name(struct reader *r)
{
    const char *start = r->p;
    if (r->p >= r->end || *r->p != '"' || !skip_string(r))
        return false;
    struct jdoc_node *n = node_add(r, JDOC_STRING, start);
    if (!n)
        return false;
    n->end = (uint32_t)(r->p - r->doc->text.p);
    skip_blanks(r);
    if (r->p >= r->end || *r->p != ':')
        return false;
    r->p++;
    skip_blanks(r);
    return r->p < r->end;
}

/* Closes containers as long as brackets come; then a comma or the end. False when neither is right. */
static bool read_behind(struct reader *r, bool *ret_more)
{
    for (;;) {
        skip_blanks(r);
        if (!r->depth) {
            *ret_more = false;
            return r->p == r->end;
        }
        if (r->p >= r->end)
            return false;
        struct jdoc_node *n = &r->doc->nodes[r->open[r->depth - 1]];
        char c = *r->p++;
        if (c == ',') {
            skip_blanks(r);
            *ret_more = true;
            return r->p < r->end;
        }
        if (c != (n->kind == JDOC_OBJECT ? '}' : ']'))
            return false;
        n->end = (uint32_t)(r->p - r->doc->text.p);
        n->next = r->doc->count;
        r->depth--;
    }
}

bool jdoc_parse(struct jdoc *d, struct str text)
{
    struct reader r = {.doc = d, .p = text.p, .end = text.p + text.n};
    d->text = text;
    d->count = 0;
    if (text.n >= UINT32_MAX)
        return false;
    skip_blanks(&r);
    for (bool more = r.p < r.end; more;) {
        bool in_object = r.depth && d->nodes[r.open[r.depth - 1]].kind == JDOC_OBJECT;
        if (in_object && !read_name(&r))
            return false;
        uint32_t depth = r.depth;
        if (!read_value(&r))
            return false;
        skip_blanks(&r);
        if (r.depth > depth && r.p < r.end && *r.p != '}' && *r.p != ']')
            continue;
        if (!read_behind(&r, &more))
            return false;
    }
    return d->count > 0;
}

struct jval jdoc_root(const struct jdoc *d)
{
    return d->count ? (struct jval){d, 0} : (struct jval){NULL, 0};
}

static const struct jdoc_node *node_of(struct jval v)
{
    return &v.doc->nodes[v.at];
}

enum jdoc_kind jdoc_kind(struct jval v)
{
    return v.doc ? (enum jdoc_kind)node_of(v)->kind : JDOC_ABSENT;
}

struct jval jdoc_first(struct jval container)
{
    enum jdoc_kind k = jdoc_kind(container);
    if ((k != JDOC_OBJECT && k != JDOC_ARRAY) || node_of(container)->next == container.at + 1)
        return (struct jval){NULL, 0};
    return (struct jval){container.doc, container.at + 1};
}

struct jval jdoc_next(struct jval container, struct jval element)
{
    uint32_t next = node_of(element)->next;
    if (jdoc_kind(container) == JDOC_OBJECT)
        next = element.doc->nodes[next].next;
    return next < node_of(container)->next ? (struct jval){container.doc, next} : (struct jval){NULL, 0};
}

struct jval jdoc_value(struct jval name)
{
    return name.doc ? (struct jval){name.doc, name.at + 1} : name;
}

struct jval jdoc_get(struct jval object, const char *name)
{
    if (jdoc_kind(object) != JDOC_OBJECT)
        return (struct jval){NULL, 0};
    size_t n = strlen(name);
    for (struct jval e = jdoc_first(object); jdoc_has(e); e = jdoc_next(object, e)) {
        const struct jdoc_node *k = node_of(e);
        if (k->end - k->start == n + 2 && memcmp(e.doc->text.p + k->start + 1, name, n) == 0)
            return jdoc_value(e);
    }
    return (struct jval){NULL, 0};
}

struct jval jdoc_find(struct jval object, const char *name)
{
    struct jval v = jdoc_get(object, name);
    return jdoc_kind(v) == JDOC_NULL ? (struct jval){NULL, 0} : v;
}

uint32_t jdoc_size(struct jval container)
{
    uint32_t n = 0;
    for (struct jval e = jdoc_first(container); jdoc_has(e); e = jdoc_next(container, e))
        n++;
    return n;
}

struct str jdoc_raw(struct jval v)
{
    if (!v.doc)
        return STR("");
    return str_of(v.doc->text.p + node_of(v)->start, node_of(v)->end - node_of(v)->start);
}

struct str jdoc_escaped(struct jval v)
{
    if (jdoc_kind(v) != JDOC_STRING)
        return STR("");
    struct str raw = jdoc_raw(v);
    return str_of(raw.p + 1, raw.n - 2);
}

struct str jdoc_text(struct jval v, struct arena *a)
{
    struct str raw = jdoc_escaped(v);
    if (!raw.n || !memchr(raw.p, '\\', raw.n))
        return raw;
    char *p = arena_alloc(a, raw.n);
    if (!p)
        return STR("");
    return str_of(p, json_unescape(raw, p, raw.n, NULL));
}

bool jdoc_is(struct jval v, const char *text)
{
    return jdoc_kind(v) == JDOC_STRING && str_eq(jdoc_escaped(v), str_c(text));
}

bool jdoc_true(struct jval v)
{
    return jdoc_kind(v) == JDOC_TRUE;
}

uint64_t jdoc_count(struct jval v, uint64_t missing)
{
    uint64_t n;
    return jdoc_kind(v) == JDOC_NUMBER && json_to_count(jdoc_raw(v), &n) ? n : missing;
}
