/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments as a tag: of those that let a charge through the one with the smallest priority, and within it its
 * children in the same way, have it; so each charge is counted once, at one place of the tree. A value is the way
 * there, "Search / Ranking". What a segment with children keeps for itself is "Search", or "Search / Unallocated"
 * where it tracks that; what nobody has is "Unallocated". Without a filter a segment lets everything through, but
 * one that has children, and does not track, leaves to others what its children do not take.
 *
 * Segments that the viewer does not see (docs_view.h) take their part like all others, under one name for all of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "report/docs/docs_view.h"
#include "report/question/question.h"

#define FAIL(e, ...) (snprintf(why, QUESTION_WHY_MAX, __VA_ARGS__), (enum err)(e))
#define SEGMENTS_MAX 500
#define SEPARATOR " / "
#define HIDDEN STR("(hidden)")

struct segment {
    struct str token, parent, title;
    int64_t priority;
    const struct vql *filter;
    bool track, hidden;
};

struct tree {
    struct question *q;
    struct segment *list;
    size_t count;
    struct cost_tag_value *values;
    size_t value_count;
    char *why;
};

static int compare(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return str_cmp(x->token, y->token);
}

static enum err no_room(char why[QUESTION_WHY_MAX])
{
    return FAIL(ERR_STORE_FAILED, "there are too many segments");
}

static enum err read_segment(struct tree *t, const struct doc *doc)
{
    struct jdoc body;
    struct segment *s = &t->list[t->count++];
    enum err e = ERR_OK;
    jdoc_init(&body);
    bool ok = jdoc_parse(&body, doc->body);
    must(ok); /* ours */
    struct jval root = jdoc_root(&body);
    struct str filter = jdoc_text(jdoc_get(root, "filter"), t->q->arena);
    struct str parent = arena_dup(t->q->arena, jdoc_text(jdoc_get(root, "parent_segment_token"), t->q->arena));
    int64_t priority = 0;
    (void)str_to_i64(jdoc_raw(jdoc_get(root, "priority")), &priority);
    *s = (struct segment){.token = doc->token,
                          .parent = parent.p ? parent : STR(""),
                          .title = doc->title,
                          .priority = priority,
                          .hidden = !docs_view_sees(t->q->docs, doc->id),
                          .track = jdoc_true(jdoc_get(root, "track_unallocated"))};
    if (filter.n)
        e = question_parse(t->q, filter, &s->filter, t->why);
    jdoc_free(&body);
    return e;
}

static bool has_children(const struct tree *t, const struct segment *s)
{
    for (size_t i = 0; i < t->count; i++)
        if (str_eq(t->list[i].parent, s->token))
            return true;
    return false;
}

/* "a / b" in the arena. */
static struct str join(const struct tree *t, struct str a, struct str b)
{
    size_t n = a.n + sizeof SEPARATOR - 1 + b.n;
    char *out = arena_alloc(t->q->arena, n + 1);
    if (!out)
        return (struct str){NULL, 0};
    int k = snprintf(out, n + 1, "%.*s" SEPARATOR "%.*s", STR_ARG(a), STR_ARG(b));
    return str_of(out, (size_t)k);
}

/* The segment's value, `path` being that of its parent; p == NULL: no room. */
static struct str way_to(const struct tree *t, struct str path, const struct segment *s)
{
    struct str title = s->hidden ? HIDDEN : s->title;
    return !path.n || (s->hidden && str_eq(path, HIDDEN)) ? title : join(t, path, title);
}

/* The children of `parent` ("" = none), each behind its own children. */
static enum err walk(struct tree *t, struct str parent, struct str path, const struct vql *const *within, size_t depth)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < t->count; i++) {
        const struct segment *s = &t->list[i];
        if (!str_eq(s->parent, parent))
            continue;
        const struct vql **filters = arena_alloc(t->q->arena, (depth + 1) * sizeof(struct vql *));
        struct str way = way_to(t, path, s);
        bool children = has_children(t, s);
        if (!filters || !way.p || depth >= DOCS_DEPTH_MAX)
            return no_room(t->why);
        for (size_t k = 0; k < depth; k++)
            filters[k] = within[k];
        filters[depth] = s->filter;
        if (children)
            e = walk(t, s->token, way, filters, depth + 1);
        if (e != ERR_OK || (children && !s->filter && !s->track))
            continue;
        struct str own = children && s->track && !s->hidden ? join(t, way, STR(COST_UNALLOCATED)) : way;
        if (!own.p)
            return no_room(t->why);
        t->values[t->value_count++] =
            (struct cost_tag_value){.value = own, .filter = s->filter, .within = filters, .within_count = depth};
    }
    return e;
}

enum err question_segments(struct question *q, char why[QUESTION_WHY_MAX])
{
    struct docs_query all = {.kind = DOCS_SEGMENT,
                             .workspaces = &q->workspace,
                             .workspace_count = 1,
                             .limit = SEGMENTS_MAX + 1,
                             .unseen = true};
    struct doc *rows;
    size_t count;
    uint64_t total;
    struct cost_tag *tag = arena_alloc(q->arena, sizeof *tag);
    enum err e = tag ? docs_list(q->docs, &all, q->arena, &rows, &count, &total) : no_room(why);
    if (e != ERR_OK)
        return tag ? FAIL(e, "%.300s", docs_reason(q->docs)) : e;
    struct tree t = {.q = q, .why = why};
    t.list = arena_alloc(q->arena, (count + 1) * sizeof *t.list);
    t.values = arena_alloc(q->arena, (count + 1) * sizeof *t.values);
    if (count > SEGMENTS_MAX || !t.list || !t.values)
        return no_room(why);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = read_segment(&t, &rows[i]);
    if (e == ERR_OK && t.count)
        qsort(t.list, t.count, sizeof *t.list, compare);
    if (e == ERR_OK)
        e = walk(&t, STR(""), STR(""), NULL, 0);
    *tag = (struct cost_tag){.key = STR("segment"), .values = t.values, .count = t.value_count};
    q->query.segments = tag;
    return e;
}
