/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of rules. Each is a function for the inside of a transaction, and one around it that opens
 * it. Rows that are removed stay, marked: their ids stand in counters and logs.
 */
#include "control/limit/rule.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/limit/limit_json.h"
#include "control/limit/rule_inner.h"
#include "control/people/audit.h"

#define CHECK_ARENA_MAX ((size_t)1 << 20)
#define DAY_US (INT64_C(24) * 3600 * 1000000)

/* ---- reading ---- */

static enum err full(struct control_why *why)
{
    return control_inner_arena_full(why);
}

static enum err keep(const struct limit *from, struct arena *a, struct limit *ret, struct control_why *why)
{
    *ret = *from;
    ret->source = arena_dup(a, from->source);
    ret->name = arena_dup(a, from->name);
    ret->conditions = arena_dup(a, from->conditions);
    ret->group_by = arena_dup(a, from->group_by);
    return ret->source.p && ret->name.p && ret->conditions.p && ret->group_by.p ? ERR_OK : full(why);
}

static enum err damaged(int64_t id, struct control_why *why)
{
    return control_inner_fail(why, ERR_CORRUPT, "", "control.db: row %lld of limit_rule has a value that cannot be.",
                              (long long)id);
}

static enum err find(struct control *c, int64_t workspace_id, int64_t id, struct arena *a, struct limit *ret,
                     struct control_why *why)
{
    struct store_stmt *st;
    struct limit l;
    bool row;
    enum err e = control_inner_sql(c,
                                   "SELECT " RULE_COLUMNS " FROM limit_rule r WHERE r.id = ?1 AND r.deleted_us = 0 "
                                   "AND (?2 < 0 OR coalesce(r.workspace_id, 0) = ?2)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, workspace_id);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "id", "There is no such limit.");
    else
        e = rule_row_read(st, &l) ? keep(&l, a, ret, why) : damaged(id, why);
    store_done(st);
    store_clear(st);
    return e;
}

enum err rule_find(struct control *c, int64_t workspace_id, int64_t id, struct arena *a, struct limit *ret,
                   struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, id, a, ret, why);
    control_inner_end_read(c);
    return e;
}

#define SELECT_LIST                                                                    \
    "SELECT " RULE_COLUMNS " FROM limit_rule r WHERE r.deleted_us = 0 "                \
    "AND (?1 < 0 OR coalesce(r.workspace_id, 0) = ?1) AND (?2 = '' OR r.attach = ?2) " \
    "AND (?3 = 0 OR r.attach_id = ?3) AND (?4 = '' OR r.kind = ?4) "                   \
    "AND (?5 IS NULL OR r.source = ?5) ORDER BY r.id LIMIT ?6"

static void bind_filter(struct store_stmt *st, const struct rule_filter *f)
{
    store_bind_i64(st, 1, f->workspace_id);
    store_bind_text(st, 2, f->attach < 0 ? STR("") : str_c(limit_attach_text((enum limit_attach)f->attach)));
    store_bind_i64(st, 3, f->attach_id);
    store_bind_text(st, 4, f->kind < 0 ? STR("") : str_c(limit_kind_text((enum limit_kind)f->kind)));
    if (f->source)
        store_bind_text(st, 5, f->source->p ? *f->source : STR(""));
    else
        store_bind_null(st, 5);
    store_bind_i64(st, 6, RULE_LIST_MAX);
}

/* A list that grows outside of the arena and is copied there at the end. */
struct rows {
    struct limit *list;
    size_t count, cap;
};

static enum err read_rows(struct control *c, const struct rule_filter *f, struct arena *a, struct rows *rows,
                          struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    enum err e = control_inner_sql(c, SELECT_LIST, &st, why);
    if (e != ERR_OK)
        return e;
    bind_filter(st, f);
    while (e == ERR_OK && row) {
        struct limit l;
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            if (rows->count == rows->cap) {
                rows->cap = rows->cap ? rows->cap * 2 : 16;
                rows->list = mem_realloc(rows->list, rows->cap * sizeof *rows->list);
            }
            e = rule_row_read(st, &l) ? keep(&l, a, &rows->list[rows->count++], why) : damaged(store_i64(st, 0), why);
        }
    }
    store_done(st);
    store_clear(st);
    return e;
}

/* Inside a transaction. */
static enum err list(struct control *c, const struct rule_filter *f, struct arena *a, struct limit **ret_list,
                     size_t *ret_count, struct control_why *why)
{
    struct rows rows = {0};
    enum err e = read_rows(c, f, a, &rows, why);
    struct limit *copy = e == ERR_OK ? arena_alloc(a, (rows.count + 1) * sizeof *copy) : NULL;
    if (e == ERR_OK && !copy)
        e = full(why);
    if (e == ERR_OK) {
        for (size_t i = 0; i < rows.count; i++)
            copy[i] = rows.list[i];
        *ret_list = copy;
        *ret_count = rows.count;
    }
    mem_free(rows.list);
    return e;
}

enum err rule_list(struct control *c, const struct rule_filter *f, struct arena *a, struct limit **ret_list,
                   size_t *ret_count, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = list(c, f, a, ret_list, ret_count, why);
    control_inner_end_read(c);
    return e;
}

/* ---- checks ---- */

static enum err check_content(const struct limit *l, struct control_why *why)
{
    const char *param;
    const char *bad = limit_check(l, &param);
    if (bad)
        return control_inner_fail(why, ERR_BAD_PARAMETER, param, "%s", bad);
    struct arena *a = arena_new(4096, CHECK_ARENA_MAX);
    struct policy p;
    bad = policy_compile(l->conditions, l->group_by, a, &p, &param);
    arena_free(a);
    return bad ? control_inner_fail(why, ERR_BAD_PARAMETER, param, "%s", bad) : ERR_OK;
}

/* The workspace of what it hangs on; the organization's are 0. */
static enum err owner_of(struct control *c, const char *sql, int64_t id, int64_t *ret_workspace,
                         struct control_why *why)
{
    struct store_stmt *st;
    int64_t found = -1;
    enum err e = control_inner_sql(c, sql, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = control_inner_number(c, st, -1, &found, why);
    if (e == ERR_OK && found < 0)
        e = control_inner_fail(why, ERR_NOT_FOUND, "attach",
                               "There is nothing with this id that a limit could hang on.");
    if (e == ERR_OK)
        *ret_workspace = found;
    return e;
}

static enum err find_owner(struct control *c, struct limit *l, struct control_why *why)
{
    int64_t ignored;
    static const char integration[] =
        "SELECT coalesce(workspace_id, 0) FROM integration WHERE id = ?1 AND deleted_us = 0";
    switch (l->attach) {
    case LIMIT_KEY:
        return owner_of(c, "SELECT workspace_id FROM api_key WHERE id = ?1 AND revoked_us = 0", l->attach_id,
                        &l->workspace_id, why);
    case LIMIT_MEMBER:
        return owner_of(c, "SELECT 0 FROM member WHERE id = ?1 AND deleted_us = 0", l->attach_id, &l->workspace_id,
                        why);
    case LIMIT_WORKSPACE:
        l->workspace_id = l->attach_id;
        break;
    case LIMIT_INTEGRATION:
        return owner_of(c, integration, l->attach_id, &l->workspace_id, why);
    case LIMIT_ACCESS: {
        enum err e = owner_of(c, integration, l->attach_id, &ignored, why);
        if (e != ERR_OK)
            return e;
        break;
    }
    case LIMIT_MODEL:
    case LIMIT_POLICY:
        break;
    case LIMIT_ATTACH_COUNT:
        must(l->attach < LIMIT_ATTACH_COUNT);
    }
    return l->workspace_id ? control_inner_need_workspace(c, l->workspace_id, why) : ERR_OK;
}

static enum err check_room(struct control *c, const struct limit *l, struct control_why *why)
{
    struct store_stmt *st;
    int64_t there = 0, max = l->attach == LIMIT_POLICY ? LIMIT_POLICIES_MAX : LIMIT_ATTACHED_MAX;
    bool by_workspace = l->attach == LIMIT_POLICY || l->attach == LIMIT_ACCESS;
    enum err e = control_inner_sql(c,
                                   "SELECT count(*) FROM limit_rule WHERE deleted_us = 0 AND attach = ?1 AND "
                                   "attach_id = ?2 AND (?3 < 0 OR coalesce(workspace_id, 0) = ?3)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, str_c(limit_attach_text(l->attach)));
    store_bind_i64(st, 2, l->attach_id);
    store_bind_i64(st, 3, by_workspace ? l->workspace_id : -1);
    e = control_inner_number(c, st, 0, &there, why);
    if (e == ERR_OK && there >= max)
        e = control_inner_fail(why, ERR_IN_USE, "", "There are %lld limits here already; remove one first.",
                               (long long)there);
    return e;
}

/* All anchors that give the same windows become one: 0 < anchor <= length. */
static void settle_anchor(struct limit *l)
{
    int64_t length = (int64_t)l->window.step * DAY_US;
    if (l->window.unit == WINDOW_ANCHOR && l->window.anchor_us > 0 && length > 0)
        l->window.anchor_us = (l->window.anchor_us - 1) % length + 1;
}

static void choose_anchor(struct limit *l, int64_t now_us)
{
    if (l->window.unit == WINDOW_ANCHOR && l->window.anchor_us == 0)
        l->window.anchor_us = now_us / DAY_US * DAY_US;
    settle_anchor(l);
}

/* ---- the audit log ---- */

static void describe(struct json_write *w, const void *object)
{
    const struct limit *l = object;
    limit_json_members(w, l);
}

/* Either may be NULL. */
static enum err note(struct control *c, const char *action, const struct limit *before, const struct limit *after,
                     struct control_why *why)
{
    char id[32];
    const struct limit *l = after ? after : before;
    int n = snprintf(id, sizeof id, "%lld", (long long)l->id);
    struct audit_change change = {.workspace_id = l->workspace_id,
                                  .action = action,
                                  .object_type = "limit",
                                  .object_id = str_of(id, (size_t)n),
                                  .before = STR(""),
                                  .after = STR("")};
    return audit_note_objects(c, &change, describe, before, after, why);
}

/* ---- changes ---- */

enum err rule_inner_create(struct control *c, const struct limit *given, int64_t *ret_id, struct control_why *why)
{
    struct limit l = *given;
    enum err e = check_content(&l, why);
    if (e == ERR_OK)
        e = find_owner(c, &l, why);
    if (e == ERR_OK)
        e = check_room(c, &l, why);
    if (e != ERR_OK)
        return e;
    l.created_us = l.updated_us = l.counted_from_us = clock_wall_us();
    choose_anchor(&l, l.created_us);
    e = rule_row_insert(c, &l, ret_id, why);
    l.id = *ret_id;
    return e == ERR_OK ? note(c, "limit.create", NULL, &l, why) : e;
}

enum err rule_create(struct control *c, const struct limit *l, int64_t *ret_id, struct control_why *why)
{
    int64_t id = 0;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, rule_inner_create(c, l, &id, why), why);
    if (e == ERR_OK)
        *ret_id = id;
    return e;
}

/* Another name, amount, threshold or mode goes on counting. */
static bool counts_the_same(const struct limit *a, const struct limit *b)
{
    return a->measure == b->measure && window_equal(&a->window, &b->window) && str_eq(a->conditions, b->conditions) &&
           str_eq(a->group_by, b->group_by);
}

static enum err change(struct control *c, const struct limit *old, const struct limit *content, struct control_why *why)
{
    struct limit l = *content;
    l.id = old->id;
    l.attach = old->attach;
    l.attach_id = old->attach_id;
    l.workspace_id = old->workspace_id;
    l.source = old->source;
    l.kind = old->kind;
    l.created_us = old->created_us;
    l.updated_us = clock_wall_us();
    l.counted_from_us = old->counted_from_us;
    if (l.window.unit == WINDOW_ANCHOR && l.window.anchor_us == 0 && old->window.unit == WINDOW_ANCHOR)
        l.window.anchor_us = old->window.anchor_us;
    choose_anchor(&l, l.updated_us);
    if (!counts_the_same(old, &l))
        l.counted_from_us = l.updated_us;
    enum err e = check_content(&l, why);
    if (e == ERR_OK)
        e = rule_row_update(c, &l, why);
    return e == ERR_OK ? note(c, "limit.update", old, &l, why) : e;
}

static enum err update(struct control *c, int64_t workspace_id, int64_t id, const struct limit *content,
                       struct control_why *why)
{
    struct limit old;
    struct arena *a = arena_new(4096, CHECK_ARENA_MAX);
    enum err e = find(c, workspace_id, id, a, &old, why);
    if (e == ERR_OK)
        e = change(c, &old, content, why);
    arena_free(a);
    return e;
}

enum err rule_update(struct control *c, int64_t workspace_id, int64_t id, const struct limit *content,
                     struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    return control_inner_end(c, update(c, workspace_id, id, content, why), why);
}

/* `sql` with the rule in ?1 and the time in ?2. */
static enum err touch(struct control *c, const char *sql, int64_t id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, sql, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, clock_wall_us());
    return control_inner_run(c, st, why);
}

static enum err remove_row(struct control *c, const struct limit *l, struct control_why *why)
{
    enum err e = touch(c, "UPDATE limit_rule SET deleted_us = ?2 WHERE id = ?1", l->id, why);
    if (e == ERR_OK)
        e = touch(c, "DELETE FROM limit_reset WHERE rule_id = ?1 AND ?2 > 0", l->id, why);
    return e == ERR_OK ? note(c, "limit.delete", l, NULL, why) : e;
}

static enum err reset_row(struct control *c, const struct limit *l, struct control_why *why)
{
    enum err e = touch(c, "UPDATE limit_rule SET counted_from_us = ?2 WHERE id = ?1", l->id, why);
    if (e == ERR_OK)
        e = touch(c, "DELETE FROM limit_reset WHERE rule_id = ?1 AND ?2 > 0", l->id, why);
    return e == ERR_OK ? note(c, "limit.reset", l, NULL, why) : e;
}

/* Finds the rule and does `what` with it. */
static enum err with_rule(struct control *c, int64_t workspace_id, int64_t id, struct control_why *why,
                          enum err (*what)(struct control *c, const struct limit *l, struct control_why *why))
{
    struct limit old;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(4096, CHECK_ARENA_MAX);
    e = find(c, workspace_id, id, a, &old, why);
    e = control_inner_end(c, e == ERR_OK ? what(c, &old, why) : e, why);
    arena_free(a);
    return e;
}

enum err rule_remove(struct control *c, int64_t workspace_id, int64_t id, struct control_why *why)
{
    return with_rule(c, workspace_id, id, why, remove_row);
}

enum err rule_reset(struct control *c, int64_t workspace_id, int64_t id, struct control_why *why)
{
    return with_rule(c, workspace_id, id, why, reset_row);
}

static enum err reset_group(struct control *c, int64_t workspace_id, int64_t id, struct str group_text,
                            struct control_why *why)
{
    struct limit old;
    struct store_stmt *st;
    struct arena *a = arena_new(4096, CHECK_ARENA_MAX);
    enum err e = find(c, workspace_id, id, a, &old, why);
    if (e == ERR_OK && (!old.group_by.n || !group_text.n || group_text.n > POLICY_GROUP_TEXT_MAX))
        e = control_inner_fail(why, ERR_BAD_PARAMETER, "group", "This limit has no such group.");
    if (e == ERR_OK)
        e = note(c, "limit.reset", &old, NULL, why);
    arena_free(a);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "INSERT OR REPLACE INTO limit_reset(rule_id, group_text, counted_from_us) "
                              "VALUES (?1, ?2, ?3)",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_blob(st, 2, group_text);
    store_bind_i64(st, 3, clock_wall_us());
    return control_inner_run(c, st, why);
}

enum err rule_reset_group(struct control *c, int64_t workspace_id, int64_t id, struct str group_text,
                          struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    return control_inner_end(c, reset_group(c, workspace_id, id, group_text, why), why);
}

/* ---- all rules of a place ---- */

static struct rule_filter filter_of(const struct rule_place *place, int kind)
{
    bool by_workspace = place->attach == LIMIT_ACCESS || place->attach == LIMIT_POLICY;
    return (struct rule_filter){.workspace_id = by_workspace ? place->workspace_id : RULE_ANY_WORKSPACE,
                                .attach = (int)place->attach,
                                .attach_id = place->attach_id,
                                .kind = kind,
                                .source = &place->source};
}

/* Of two that count the same. */
static bool same_content(const struct limit *a, const struct limit *b)
{
    return a->mode == b->mode && a->max == b->max && a->input_max == b->input_max && a->output_max == b->output_max &&
           a->alert_at == b->alert_at;
}

/* The old rule that `l` is the new form of; each is taken once. NULL: none. */
static struct limit *match(struct limit *old, size_t count, const struct limit *l)
{
    for (size_t i = 0; i < count; i++) {
        struct limit same = *l;
        settle_anchor(&same);
        if (same.window.unit == WINDOW_ANCHOR && same.window.anchor_us == 0)
            same.window.anchor_us = old[i].window.anchor_us;
        if (old[i].id && counts_the_same(&old[i], &same) && str_eq(old[i].name, l->name))
            return &old[i];
    }
    return NULL;
}

static enum err replace(struct control *c, const struct rule_place *place, enum limit_kind kind,
                        const struct limit *fresh, size_t count, struct arena *a, struct control_why *why)
{
    const struct rule_filter f = filter_of(place, (int)kind);
    struct limit *old;
    struct limit **kept = arena_alloc(a, (count + 1) * sizeof(struct limit *));
    size_t old_count;
    int64_t ignored;
    enum err e = kept ? list(c, &f, a, &old, &old_count, why) : full(why);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct limit *was = match(old, old_count, &fresh[i]);
        kept[i] = was;
        if (was) {
            e = same_content(was, &fresh[i]) ? ERR_OK : change(c, was, &fresh[i], why);
            was->id = 0; /* taken */
        }
    }
    for (size_t i = 0; e == ERR_OK && i < old_count; i++)
        if (old[i].id)
            e = remove_row(c, &old[i], why);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct limit l = fresh[i];
        l.attach = place->attach;
        l.attach_id = place->attach_id;
        l.workspace_id = place->workspace_id;
        l.source = place->source;
        l.kind = kind;
        if (!kept[i])
            e = rule_inner_create(c, &l, &ignored, why);
    }
    return e;
}

enum err rule_inner_replace(struct control *c, const struct rule_place *place, enum limit_kind kind,
                            const struct limit *fresh, size_t count, struct control_why *why)
{
    struct arena *a = arena_new(4096, CHECK_ARENA_MAX);
    enum err e = replace(c, place, kind, fresh, count, a, why);
    arena_free(a);
    return e;
}

enum err rule_replace(struct control *c, const struct rule_place *place, enum limit_kind kind,
                      const struct limit *fresh, size_t count, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    return control_inner_end(c, rule_inner_replace(c, place, kind, fresh, count, why), why);
}

enum err rule_inner_reset_place(struct control *c, const struct rule_place *place, struct control_why *why)
{
    const struct rule_filter f = filter_of(place, LIMIT_BUDGET);
    struct arena *a = arena_new(4096, CHECK_ARENA_MAX);
    struct limit *rules;
    size_t count = 0;
    enum err e = list(c, &f, a, &rules, &count, why);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = reset_row(c, &rules[i], why);
    arena_free(a);
    return e;
}

enum err rule_reset_place(struct control *c, const struct rule_place *place, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    return control_inner_end(c, rule_inner_reset_place(c, place, why), why);
}

enum err rule_inner_drop(struct control *c, enum limit_attach attach, int64_t attach_id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        c, "UPDATE limit_rule SET deleted_us = ?3 WHERE attach = ?1 AND attach_id = ?2 AND deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, str_c(limit_attach_text(attach)));
    store_bind_i64(st, 2, attach_id);
    store_bind_i64(st, 3, clock_wall_us());
    return control_inner_run(c, st, why);
}
