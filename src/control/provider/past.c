/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows first, as they are. Then the audit log from its end: where key, address, organization or project were
 * changed, what stood before the change held until then. A provider's past is that of its account.
 */
#include "control/provider/past.h"

#include <stdlib.h>

#include "base/json/jdoc.h"
#include "base/mem.h"
#include "control/control_inner.h"
#include "control/people/audit.h"

/* A row with what is needed to find its past. */
struct row {
    struct past_integration now;
    int64_t account_workspace, created_us, deleted_us;
    struct str account_slug;
};

struct list {
    struct arena *arena;
    struct row *rows; /* owned */
    size_t count, cap;
    struct past_integration *found; /* owned; with the rows themselves */
    size_t found_count, found_cap;
};

static bool add(struct list *l, const struct past_integration *i)
{
    if (l->found_count == PAST_MAX)
        return false;
    if (l->found_count == l->found_cap) {
        l->found_cap = l->found_cap ? l->found_cap * 2 : 64;
        l->found = mem_realloc(l->found, l->found_cap * sizeof *l->found);
    }
    l->found[l->found_count++] = *i;
    return true;
}

/* --- rows ------------------------------------------------------------------------------------ */

#define SELECT_ROWS                                                                                       \
    "SELECT i.id, i.workspace_id, i.slug, a.kind, a.base_url, a.organization, a.project, a.key_hint, "    \
    "a.workspace_id, a.slug, a.created_us, a.deleted_us FROM integration i JOIN integration a ON a.id = " \
    "coalesce(i.parent_id, i.id) ORDER BY i.id"

static bool read_row(struct store_stmt *st, struct arena *a, struct row *r)
{
    *r = (struct row){.now = {.id = store_i64(st, 0),
                              .workspace_id = store_i64(st, 1),
                              .slug = arena_dup(a, store_text(st, 2)),
                              .base_url = arena_dup(a, store_text(st, 4)),
                              .organization = arena_dup(a, store_text(st, 5)),
                              .project = arena_dup(a, store_text(st, 6)),
                              .key_hint = arena_dup(a, store_text(st, 7))},
                      .account_workspace = store_i64(st, 8),
                      .account_slug = arena_dup(a, store_text(st, 9)),
                      .created_us = store_i64(st, 10),
                      .deleted_us = store_i64(st, 11)};
    const struct past_integration *n = &r->now;
    return kind_integration_from(store_text(st, 3), &r->now.kind) && n->slug.p && n->base_url.p && n->organization.p &&
           n->project.p && n->key_hint.p && r->account_slug.p;
}

static enum err read_rows(struct control *c, struct list *l, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    enum err e = control_inner_sql(c, SELECT_ROWS, &st, why);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            return control_inner_store_failed(c, e, why);
        if (!row)
            break;
        if (l->count == l->cap) {
            l->cap = l->cap ? l->cap * 2 : 64;
            l->rows = mem_realloc(l->rows, l->cap * sizeof *l->rows);
        }
        if (l->count == PAST_MAX || !read_row(st, l->arena, &l->rows[l->count]))
            e = control_inner_arena_full(why);
        else
            l->count++;
        if (e != ERR_OK)
            store_done(st);
    }
    return e;
}

/* --- what was before ------------------------------------------------------------------------- */

static struct str member(const struct jdoc *d, const char *name, struct arena *a)
{
    return arena_dup(a, jdoc_text(jdoc_find(jdoc_root(d), name), a));
}

static bool same(const struct past_integration *a, const struct past_integration *b)
{
    return str_eq(a->base_url, b->base_url) && str_eq(a->organization, b->organization) &&
           str_eq(a->project, b->project) && str_eq(a->key_hint, b->key_hint);
}

static bool about(const struct audit_row *a, const struct row *r)
{
    return a->workspace_id == r->account_workspace && str_eq(a->object_id, r->account_slug) &&
           a->time_us >= r->created_us && (!r->deleted_us || a->time_us <= r->deleted_us);
}

/* `r->now` is what holds from the change on; afterwards what held before it. */
static bool step_back(struct list *l, struct row *r, const struct audit_row *a)
{
    struct past_integration before = r->now;
    struct jdoc doc;
    bool ok = true;
    jdoc_init(&doc);
    if (jdoc_parse(&doc, a->before)) {
        before.base_url = member(&doc, "base_url", l->arena);
        before.organization = member(&doc, "organization", l->arena);
        before.project = member(&doc, "project", l->arena);
        before.key_hint = member(&doc, "key_hint", l->arena);
        ok = before.base_url.p && before.organization.p && before.project.p && before.key_hint.p;
        if (ok && !same(&before, &r->now)) {
            r->now.from_us = a->time_us;
            ok = add(l, &r->now);
            r->now = before;
        }
    }
    jdoc_free(&doc);
    return ok;
}

static enum err read_past(struct control *c, struct list *l, struct control_why *why)
{
    struct audit_filter filter = {.action = STR("integration.")};
    for (;;) {
        struct audit_row *rows;
        size_t count;
        uint64_t total;
        enum err e = audit_list(c, &filter, AUDIT_LIST_MAX, l->arena, &rows, &count, &total, why);
        if (e != ERR_OK || count == 0)
            return e;
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; rows[i].before.n && rows[i].after.n && k < l->count; k++)
                if (about(&rows[i], &l->rows[k]) && !step_back(l, &l->rows[k], &rows[i]))
                    return control_inner_arena_full(why);
        filter.before_seq = rows[count - 1].seq;
    }
}

static int by_id(const void *a, const void *b)
{
    const struct past_integration *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->from_us < y->from_us ? -1 : x->from_us > y->from_us;
}

enum err past_list(struct control *c, struct arena *a, struct past_integration **ret_list, size_t *ret_count,
                   struct control_why *why)
{
    struct list l = {.arena = a};
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = read_rows(c, &l, why);
    control_inner_end_read(c);
    if (e == ERR_OK)
        e = read_past(c, &l, why);
    for (size_t i = 0; e == ERR_OK && i < l.count; i++)
        if (!add(&l, &l.rows[i].now))
            e = control_inner_arena_full(why);
    struct past_integration *list = e == ERR_OK ? arena_alloc(a, (l.found_count + 1) * sizeof *list) : NULL;
    if (list && l.found_count) {
        memcpy(list, l.found, l.found_count * sizeof *list);
        qsort(list, l.found_count, sizeof *list, by_id);
    }
    mem_free(l.rows);
    mem_free(l.found);
    if (e != ERR_OK)
        return e;
    if (!list)
        return control_inner_arena_full(why);
    *ret_list = list;
    *ret_count = l.found_count;
    return ERR_OK;
}
