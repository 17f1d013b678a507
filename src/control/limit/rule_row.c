/* SPDX-License-Identifier: Apache-2.0 */
/* A limit as a row, and back; and all of them into a snapshot. */
#include "base/log.h"
#include "control/limit/rule_inner.h"
#include "control/snapshot_build.h"

/* A view that was never set is "". */
static struct str text(struct str s)
{
    return s.p ? s : STR("");
}

bool rule_row_read(struct store_stmt *st, struct limit *ret)
{
    struct limit l = {
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .attach_id = store_i64(st, 3),
        .source = store_text(st, 4),
        .name = store_text(st, 5),
        .max = store_i64(st, 12),
        .input_max = store_i64(st, 13),
        .output_max = store_i64(st, 14),
        .alert_at = store_i64(st, 15),
        .conditions = store_text(st, 16),
        .group_by = store_text(st, 17),
        .counted_from_us = store_i64(st, 18),
        .created_us = store_i64(st, 19),
        .updated_us = store_i64(st, 20),
    };
    const char *param;
    int64_t step = store_i64(st, 10);
    l.window.anchor_us = store_i64(st, 11);
    if (step < 1 || step > WINDOW_STEP_MAX || !limit_attach_parse(store_text(st, 2), &l.attach) ||
        !limit_kind_parse(store_text(st, 6), &l.kind) || !limit_measure_parse(store_text(st, 7), &l.measure) ||
        !limit_mode_parse(store_text(st, 8), &l.mode) || !window_unit_parse(store_text(st, 9), &l.window.unit))
        return false;
    l.window.step = (uint32_t)step;
    if (limit_check(&l, &param))
        return false;
    *ret = l;
    return true;
}

/* Values 1 to 14 of both statements. */
static void bind_content(struct store_stmt *st, const struct limit *l)
{
    store_bind_text(st, 1, text(l->name));
    store_bind_text(st, 2, str_c(limit_measure_text(l->measure)));
    store_bind_text(st, 3, str_c(limit_mode_text(l->mode)));
    store_bind_text(st, 4, str_c(window_unit_text(l->window.unit)));
    store_bind_i64(st, 5, l->window.step);
    store_bind_i64(st, 6, l->window.anchor_us);
    store_bind_i64(st, 7, l->max);
    store_bind_i64(st, 8, l->input_max);
    store_bind_i64(st, 9, l->output_max);
    store_bind_i64(st, 10, l->alert_at);
    store_bind_text(st, 11, text(l->conditions));
    store_bind_text(st, 12, text(l->group_by));
    store_bind_i64(st, 13, l->counted_from_us);
    store_bind_i64(st, 14, l->updated_us);
}

enum err rule_row_insert(struct control *c, const struct limit *l, int64_t *ret_id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        c,
        "INSERT INTO limit_rule(name, measure, mode, window_unit, window_step, window_anchor_us, amount, input_amount, "
        "output_amount, alert_at, conditions, group_by, counted_from_us, updated_us, workspace_id, attach, attach_id, "
        "source, kind, created_us) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        &st, why);
    if (e != ERR_OK)
        return e;
    bind_content(st, l);
    if (l->workspace_id != 0)
        store_bind_i64(st, 15, l->workspace_id);
    store_bind_text(st, 16, str_c(limit_attach_text(l->attach)));
    store_bind_i64(st, 17, l->attach_id);
    store_bind_text(st, 18, text(l->source));
    store_bind_text(st, 19, str_c(limit_kind_text(l->kind)));
    store_bind_i64(st, 20, l->created_us);
    e = control_inner_run(c, st, why);
    if (e == ERR_OK)
        *ret_id = store_last_id(c->db);
    return e;
}

enum err rule_row_update(struct control *c, const struct limit *l, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        c,
        "UPDATE limit_rule SET name = ?1, measure = ?2, mode = ?3, window_unit = ?4, window_step = ?5, "
        "window_anchor_us = ?6, amount = ?7, input_amount = ?8, output_amount = ?9, alert_at = ?10, conditions = ?11, "
        "group_by = ?12, counted_from_us = ?13, updated_us = ?14 WHERE id = ?15",
        &st, why);
    if (e != ERR_OK)
        return e;
    bind_content(st, l);
    store_bind_i64(st, 15, l->id);
    return control_inner_run(c, st, why);
}

/* ---- into a snapshot ---- */

static enum err load_resets(struct control *c, struct snapshot_build *b, int64_t rule_id, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    enum err e =
        control_inner_sql(c, "SELECT group_text, counted_from_us FROM limit_reset WHERE rule_id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, rule_id);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            snapshot_build_limit_reset(b, store_text(st, 0), store_i64(st, 1));
    }
    store_done(st);
    store_clear(st);
    return e;
}

static enum err load_row(struct control *c, struct snapshot_build *b, struct store_stmt *st, struct control_why *why)
{
    struct limit l;
    bool sound;
    if (!rule_row_read(st, &l))
        return control_inner_fail(why, ERR_CORRUPT, "",
                                  "control.db: row %lld of limit_rule has a value that cannot be.",
                                  (long long)store_i64(st, 0));
    snapshot_build_limit(b, &l, &sound);
    if (!sound)
        log_error("limit_unreadable", LOG_INT("rule", l.id), LOG_STR("name", l.name));
    return l.group_by.n ? load_resets(c, b, l.id, why) : ERR_OK;
}

/* What hangs on something that is gone stays in the table, and out of the snapshot. */
static const char load_sql[] =
    "SELECT " RULE_COLUMNS " FROM limit_rule r LEFT JOIN workspace w ON w.id = r.workspace_id "
    "WHERE r.deleted_us = 0 AND (w.id IS NULL OR w.deleted_us = 0) AND CASE r.attach "
    "WHEN 'key' THEN EXISTS (SELECT 1 FROM api_key WHERE id = r.attach_id AND revoked_us = 0) "
    "WHEN 'member' THEN EXISTS (SELECT 1 FROM member WHERE id = r.attach_id AND deleted_us = 0) "
    "WHEN 'integration' THEN EXISTS (SELECT 1 FROM integration WHERE id = r.attach_id AND deleted_us = 0) "
    "WHEN 'access' THEN EXISTS (SELECT 1 FROM integration WHERE id = r.attach_id AND deleted_us = 0) "
    "ELSE 1 END ORDER BY r.id";

enum err rule_load(struct control *c, struct snapshot_build *b, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    enum err e = control_inner_sql(c, load_sql, &st, why);
    if (e != ERR_OK)
        return e;
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = load_row(c, b, st, why);
    }
    store_done(st);
    store_clear(st);
    return e;
}
