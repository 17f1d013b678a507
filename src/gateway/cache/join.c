/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunks of a stream put together again, the way client libraries do it: objects member by
 * member, texts one behind the other, elements of arrays by their `index` or else as more elements.
 * Some members say the same in every chunk and are not joined (replaced_names).
 *
 * Nothing is unescaped: pieces are views into the stream, chained in an arena. What is written is
 * valid because every piece came out of a valid document.
 */
#include <string.h>

#include "base/arena.h"
#include "base/digits.h"
#include "base/must.h"
#include "gateway/cache/render.h"
#include "openai/sse.h"

#define ARENA_MAX (64u << 20)
#define DEPTH_MAX 32
#define NO_INDEX UINT64_MAX

struct piece {
    struct str text;
    struct piece *next;
};

enum kind { SCALAR, TEXT, OBJECT, ARRAY };

struct node {
    enum kind kind;
    struct str name;                  /* of a member, as it stands, with quotes */
    uint64_t index;                   /* of an element that has one */
    struct str scalar;                /* SCALAR */
    struct piece *first, **tail;      /* TEXT */
    struct node *child, **child_tail; /* OBJECT, ARRAY */
    struct node *next;
};

struct join {
    struct arena *arena;
    bool ok;
};

static bool is_one_of(struct str name, const char *const *list)
{
    for (; *list; list++)
        if (name.n == strlen(*list) + 2 && memcmp(name.p + 1, *list, name.n - 2) == 0)
            return true;
    return false;
}

static void *take(struct join *j, size_t size)
{
    void *p = j->ok ? arena_alloc(j->arena, size) : NULL;
    j->ok = p != NULL;
    return p;
}

static struct node *node_new(struct join *j, struct node *parent, struct str name, uint64_t index)
{
    struct node *n = take(j, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct node){.kind = SCALAR, .name = name, .index = index, .scalar = STR("null")};
    n->tail = &n->first;
    n->child_tail = &n->child;
    if (parent) {
        *parent->child_tail = n;
        parent->child_tail = &n->next;
    }
    return n;
}

static bool is_null(const struct node *n)
{
    return n->kind == SCALAR && str_eq(n->scalar, STR("null"));
}

static struct node *child_of(struct node *n, struct str name, uint64_t index)
{
    for (struct node *c = n->child; c; c = c->next)
        if (name.n ? str_eq(c->name, name) : index != NO_INDEX && c->index == index)
            return c;
    return NULL;
}

static void merge(struct join *j, struct node *n, struct jval v, int depth);

static void add_piece(struct join *j, struct node *n, struct str text)
{
    struct piece *p = take(j, sizeof *p);
    if (!p)
        return;
    *p = (struct piece){text, NULL};
    *n->tail = p;
    n->tail = &p->next;
}

static void merge_string(struct join *j, struct node *n, struct jval v)
{
    static const char *const replaced_names[] = {"role", "id", "type", "finish_reason", "object", NULL};
    if (n->kind != TEXT || is_one_of(n->name, replaced_names)) {
        n->first = NULL;
        n->tail = &n->first;
    }
    n->kind = TEXT;
    if (jdoc_escaped(v).n)
        add_piece(j, n, jdoc_escaped(v));
}

static void merge_members(struct join *j, struct node *n, struct jval v, int depth)
{
    for (struct jval m = jdoc_first(v); jdoc_has(m) && j->ok; m = jdoc_next(v, m)) {
        struct node *c = child_of(n, jdoc_raw(m), NO_INDEX);
        if (!c)
            c = node_new(j, n, jdoc_raw(m), NO_INDEX);
        if (c)
            merge(j, c, jdoc_value(m), depth + 1);
    }
}

static void merge_elements(struct join *j, struct node *n, struct jval v, int depth)
{
    for (struct jval e = jdoc_first(v); jdoc_has(e) && j->ok; e = jdoc_next(v, e)) {
        uint64_t index = jdoc_count(jdoc_find(e, "index"), NO_INDEX);
        struct node *c = child_of(n, STR(""), index);
        if (!c)
            c = node_new(j, n, STR(""), index);
        if (c)
            merge(j, c, e, depth + 1);
    }
}

static void merge(struct join *j, struct node *n, struct jval v, int depth)
{
    enum jdoc_kind kind = jdoc_kind(v);
    enum kind wanted = kind == JDOC_OBJECT ? OBJECT : kind == JDOC_ARRAY ? ARRAY : kind == JDOC_STRING ? TEXT : SCALAR;
    if (depth > DEPTH_MAX || (wanted != SCALAR && n->kind != wanted && !is_null(n)))
        j->ok = false;
    if (!j->ok || (kind == JDOC_NULL && !is_null(n)))
        return;
    if (wanted == TEXT) {
        merge_string(j, n, v);
        return;
    }
    if (wanted == SCALAR && n->kind != SCALAR) {
        j->ok = false;
        return;
    }
    n->kind = wanted;
    if (wanted == OBJECT)
        merge_members(j, n, v, depth);
    else if (wanted == ARRAY)
        merge_elements(j, n, v, depth);
    else
        n->scalar = jdoc_raw(v);
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_node(struct render *r, const struct node *n, bool numbered);

static void write_children(struct render *r, const struct node *n, bool numbered)
{
    static const char *const index[] = {"index", NULL};
    bool first = true;
    for (const struct node *c = n->child; c; c = c->next) {
        if (n->kind == OBJECT && !numbered && is_one_of(c->name, index))
            continue;
        if (!first)
            render_text(r, ",");
        first = false;
        if (n->kind == OBJECT) {
            render_raw(r, c->name);
            render_text(r, ":");
        }
        write_node(r, c, n->kind == OBJECT);
    }
}

/* The index of an array's element has done its work, and is not in the finished object. */
static void write_node(struct render *r, const struct node *n, bool numbered)
{
    switch (n->kind) {
    case SCALAR:
        render_raw(r, n->scalar);
        return;
    case TEXT:
        render_text(r, "\"");
        for (const struct piece *p = n->first; p; p = p->next)
            render_raw(r, p->text);
        render_text(r, "\"");
        return;
    case OBJECT:
        render_text(r, "{");
        write_children(r, n, numbered);
        render_text(r, "}");
        return;
    case ARRAY:
        render_text(r, "[");
        write_children(r, n, numbered);
        render_text(r, "]");
        return;
    }
}

static struct node *member(struct node *n, const char *quoted)
{
    return n ? child_of(n, str_c(quoted), NO_INDEX) : NULL;
}

static void write_message(struct render *r, struct node *delta)
{
    render_text(r, ",\"message\":{");
    if (!member(delta, "\"role\""))
        render_text(r, "\"role\":\"assistant\",");
    if (!member(delta, "\"content\""))
        render_text(r, "\"content\":null,");
    if (!member(delta, "\"refusal\""))
        render_text(r, "\"refusal\":null,");
    size_t before = r->ok ? buf_size(r->out) : 0;
    if (delta)
        write_children(r, delta, false);
    if (r->ok && buf_size(r->out) == before)
        buf_cut(r->out, before - 1); /* the comma */
    render_text(r, "}");
}

/* False when the choice is not complete. */
static bool write_choice(struct render *r, struct node *choice, bool chat)
{
    struct node *reason = member(choice, "\"finish_reason\""), *delta = member(choice, "\"delta\"");
    if (!reason || reason->kind != TEXT || (!chat && !member(choice, "\"text\"")) || (delta && delta->kind != OBJECT))
        return false;
    render_text(r, "{\"index\":");
    render_count(r, choice->index);
    if (chat)
        write_message(r, delta);
    for (const struct node *c = choice->child; c; c = c->next) {
        static const char *const done[] = {"index", "delta", NULL};
        if (is_one_of(c->name, done))
            continue;
        render_text(r, ",");
        render_raw(r, c->name);
        render_text(r, ":");
        write_node(r, c, true);
    }
    render_text(r, "}");
    return true;
}

/* --- chat completions and completions -------------------------------------------------------- */

/* What the event says, when it says it in one line; more are never sent. False when it is more. */
static bool data_of(struct str event, struct str *ret_data)
{
    unsigned lines = 0;
    *ret_data = STR("");
    while (event.n) {
        const char *end = sse_line_end(event.p, event.p + event.n);
        struct str line = str_head(event, (size_t)(end - event.p));
        event = str_from(event, line.n + 1);
        if (!str_starts(line, STR("data:")))
            continue;
        line = str_from(line, 5);
        *ret_data = line.n && line.p[0] == ' ' ? str_from(line, 1) : line;
        lines++;
    }
    return lines <= 1;
}

struct whole {
    struct join j;
    struct node *head;    /* scalars of the first chunk that has choices */
    struct node *choices; /* by index */
    struct str usage;
    bool ended;
};

static void add_head(struct whole *w, struct jval root)
{
    static const char *const left_out[] = {"object", "choices", "usage", "obfuscation", NULL};
    for (struct jval m = jdoc_first(root); jdoc_has(m); m = jdoc_next(root, m)) {
        struct jval v = jdoc_value(m);
        if (is_one_of(jdoc_raw(m), left_out) || jdoc_kind(v) == JDOC_OBJECT || jdoc_kind(v) == JDOC_ARRAY)
            continue;
        struct node *c = node_new(&w->j, w->head, jdoc_raw(m), NO_INDEX);
        if (c)
            merge(&w->j, c, v, 0);
    }
}

static bool add_chunk(struct whole *w, struct jval root)
{
    struct jval choices = jdoc_find(root, "choices"), usage = jdoc_find(root, "usage");
    if (jdoc_kind(root) != JDOC_OBJECT || jdoc_has(jdoc_find(root, "error")) || jdoc_kind(choices) != JDOC_ARRAY)
        return false;
    if (jdoc_kind(usage) == JDOC_OBJECT)
        w->usage = jdoc_raw(usage);
    if (!w->head->child && jdoc_has(jdoc_first(choices)))
        add_head(w, root);
    for (struct jval c = jdoc_first(choices); jdoc_has(c); c = jdoc_next(choices, c))
        if (jdoc_has(jdoc_find(jdoc_find(c, "delta"), "audio")) || !jdoc_has(jdoc_find(c, "index")))
            return false;
    merge_elements(&w->j, w->choices, choices, 0);
    return w->j.ok;
}

static bool read_chunks(struct whole *w, struct str stream)
{
    struct jdoc doc;
    struct str data;
    bool ok = true;
    jdoc_init(&doc);
    while (ok && stream.n && !w->ended) {
        ok = data_of(render_event(&stream), &data);
        if (str_starts(data, STR("[DONE]")))
            w->ended = true;
        else if (ok && data.n)
            ok = jdoc_parse(&doc, data) && add_chunk(w, jdoc_root(&doc));
    }
    jdoc_free(&doc);
    return ok;
}

/* In the order of their indices, whichever spoke first; there are never many. */
static struct node *next_choice(struct whole *w, const struct node *last)
{
    struct node *best = NULL;
    for (struct node *c = w->choices->child; c; c = c->next)
        if ((!last || c->index > last->index) && (!best || c->index < best->index))
            best = c;
    return best;
}

static bool write_whole(struct whole *w, bool chat, struct buf *out)
{
    struct render r = {out, true};
    unsigned written = 0;
    if (!w->choices->child)
        return false;
    render_text(&r, chat ? "{\"object\":\"chat.completion\"" : "{\"object\":\"text_completion\"");
    for (const struct node *c = w->head->child; c; c = c->next) {
        render_text(&r, ",");
        render_raw(&r, c->name);
        render_text(&r, ":");
        write_node(&r, c, true);
    }
    render_text(&r, ",\"choices\":[");
    for (struct node *c = next_choice(w, NULL); c; c = next_choice(w, c)) {
        if (c->index == NO_INDEX || c->kind != OBJECT || (written++ && !buf_add_byte(out, ',')) ||
            !write_choice(&r, c, chat))
            return false;
    }
    render_text(&r, "]");
    if (w->usage.n)
        render_member(&r, "usage", w->usage);
    render_text(&r, "}");
    return r.ok;
}

bool join_chat(struct str stream, bool chat, struct buf *out)
{
    struct whole w = {.j = {arena_new(4096, ARENA_MAX), true}, .usage = STR("")};
    w.head = node_new(&w.j, NULL, STR(""), NO_INDEX);
    w.choices = node_new(&w.j, NULL, STR(""), NO_INDEX);
    must(w.head && w.choices);
    w.choices->kind = ARRAY;
    bool ok = read_chunks(&w, stream) && w.j.ok && write_whole(&w, chat, out);
    arena_free(w.j.arena);
    return ok;
}

/* --- responses ------------------------------------------------------------------------------- */

bool join_responses(struct str stream, struct buf *out)
{
    struct jdoc doc;
    struct str data;
    bool found = false, ok = true;
    jdoc_init(&doc);
    while (ok && !found && stream.n) {
        ok = data_of(render_event(&stream), &data);
        if (!ok ||
            (str_search(data, STR("response.completed")) < 0 && str_search(data, STR("response.incomplete")) < 0) ||
            !jdoc_parse(&doc, data))
            continue;
        struct jval type = jdoc_find(jdoc_root(&doc), "type");
        struct jval response = jdoc_find(jdoc_root(&doc), "response");
        found = (jdoc_is(type, "response.completed") || jdoc_is(type, "response.incomplete")) &&
                jdoc_kind(response) == JDOC_OBJECT;
        if (found)
            ok = render_may_repeat(response) && (!out || buf_add_str(out, jdoc_raw(response)));
    }
    jdoc_free(&doc);
    return ok && found;
}
