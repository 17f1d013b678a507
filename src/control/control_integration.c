/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integrations in the database. A new one and a changed one take the same way: a row (defaults, or
 * what is stored), the given fields put over it, everything checked together, written whole. What
 * is checked and brought to normal form is in integration_check.c.
 */
#include "control/control_integration.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/must.h"
#include "control/control_inner.h"
#include "control/crypt.h"
#include "control/integration_check.h"
#include "control/model/model_inner.h"
#include "control/people/audit.h"

/* Rows that are read only to be changed; deployments may be long. */
#define ROW_ARENA 65536
#define ROW_ARENA_MAX (1 << 20)

#define INTEGRATION_COLUMNS                                                                                     \
    "id, workspace_id, slug, name, kind, base_url, organization, project, api_version, deployments, key_hint, " \
    "is_default, created_us, updated_us"

/* ---- rows ---- */

static enum err read_row(struct store_stmt *st, struct arena *a, struct control_integration *i, struct control_why *why)
{
    *i = (struct control_integration){
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .slug = arena_dup(a, store_text(st, 2)),
        .name = arena_dup(a, store_text(st, 3)),
        .base_url = arena_dup(a, store_text(st, 5)),
        .organization = arena_dup(a, store_text(st, 6)),
        .project = arena_dup(a, store_text(st, 7)),
        .api_version = arena_dup(a, store_text(st, 8)),
        .deployments = arena_dup(a, store_text(st, 9)),
        .key_hint = arena_dup(a, store_text(st, 10)),
        .is_default = store_i64(st, 11) != 0,
        .created_us = store_i64(st, 12),
        .updated_us = store_i64(st, 13),
    };
    if (!kind_integration_from(store_text(st, 4), &i->kind))
        return control_inner_fail(why, ERR_CORRUPT, "",
                                  "control.db: row %lld of integration has a value that cannot be.", (long long)i->id);
    bool whole = i->slug.p && i->name.p && i->base_url.p && i->organization.p && i->project.p && i->api_version.p &&
                 i->deployments.p && i->key_hint.p;
    return whole ? ERR_OK : control_inner_arena_full(why);
}

/* Inside a transaction. */
static enum err find(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                     struct control_integration *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    struct control_integration found;
    bool row;
    enum err e = control_inner_sql(c,
                                   "SELECT " INTEGRATION_COLUMNS " FROM integration "
                                   "WHERE workspace_id = ?1 AND slug = ?2 AND deleted_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, slug);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "slug", "There is no such integration in this workspace.");
    else
        e = read_row(st, a, &found, why);
    store_done(st);
    store_clear(st);
    if (e == ERR_OK)
        *ret_row = found;
    return e;
}

enum err control_integration_find(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                                  struct control_integration *ret_row, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, slug, a, ret_row, why);
    control_inner_end_read(c);
    return e;
}

static enum err list(struct control *c, int64_t workspace_id, struct arena *a, struct control_integration *rows,
                     size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT " INTEGRATION_COLUMNS " FROM integration "
                                   "WHERE workspace_id = ?1 AND deleted_us = 0 ORDER BY slug",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    while (e == ERR_OK && row && n < CONTROL_INTEGRATION_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &rows[n++], why);
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

static enum err count_live(struct control *c, int64_t workspace_id, bool defaults_only, int64_t *ret_count,
                           struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   "SELECT count(*) FROM integration "
                                   "WHERE workspace_id = ?1 AND deleted_us = 0 AND is_default >= ?2",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_i64(st, 2, defaults_only);
    return control_inner_number(c, st, 0, ret_count, why);
}

enum err control_integration_list(struct control *c, int64_t workspace_id, struct arena *a,
                                  struct control_integration **ret_rows, size_t *ret_count, struct control_why *why)
{
    struct control_integration *rows = NULL;
    int64_t live = 0;
    size_t count = 0;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = count_live(c, workspace_id, false, &live, why);
    if (e == ERR_OK && !(rows = arena_alloc(a, ((size_t)live + 1) * sizeof *rows)))
        e = control_inner_arena_full(why);
    if (e == ERR_OK)
        e = list(c, workspace_id, a, rows, &count, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_OK;
}

/* ---- the audit log ---- */

static void describe(struct audit_text *t, const struct control_integration *i)
{
    struct json_write *w = &t->w;
    audit_text_begin(t);
    json_write_member_string(w, "name", i->name);
    json_write_member_string(w, "kind", str_c(kind_integration_text(i->kind)));
    json_write_member_string(w, "base_url", i->base_url);
    json_write_member_text(w, "organization", i->organization);
    json_write_member_text(w, "project", i->project);
    json_write_member_text(w, "api_version", i->api_version);
    if (i->deployments.n)
        json_write_member_raw(w, "deployments", i->deployments);
    json_write_member_string(w, "key_hint", i->key_hint);
    json_write_member_bool(w, "is_default", i->is_default);
}

/* One of `before` and `after` may be NULL. */
static enum err note(struct control *c, const char *action, const struct control_integration *before,
                     const struct control_integration *after, struct control_why *why)
{
    struct audit_text old, new;
    const struct control_integration *i = after ? after : before;
    struct audit_change change = {
        .workspace_id = i->workspace_id, .action = action, .object_type = "integration", .object_id = i->slug};
    if (before) {
        describe(&old, before);
        change.before = audit_text_end(&old);
    }
    if (after) {
        describe(&new, after);
        change.after = audit_text_end(&new);
    }
    enum err e = audit_note(c, &change, why);
    if (before)
        audit_text_free(&old);
    if (after)
        audit_text_free(&new);
    return e;
}

/* ---- changes ---- */

static enum err run_on_row(struct control *c, const char *sql, int64_t id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, sql, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, clock_wall_us());
    return control_inner_run(c, st, why);
}

/* An empty row to be filled by write_row: a value is sealed for its row, so the row's id comes first. */
static enum err insert_row(struct control *c, struct control_integration *i, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   "INSERT INTO integration(workspace_id, slug, name, kind, base_url, organization, "
                                   "project, api_version, deployments, sealed_key, key_hint, is_default, created_us, "
                                   "updated_us) VALUES (?1, ?2, '', ?3, '', '', '', '', '', x'', '', 0, ?4, ?4)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    i->created_us = clock_wall_us();
    store_bind_i64(st, 1, i->workspace_id);
    store_bind_text(st, 2, i->slug);
    store_bind_text(st, 3, str_c(kind_integration_text(i->kind)));
    store_bind_i64(st, 4, i->created_us);
    e = control_inner_run(c, st, why);
    i->id = store_last_id(c->db);
    return e;
}

static enum err write_key(struct control *c, const struct control_integration *i, struct str api_key,
                          struct control_why *why)
{
    struct store_stmt *st;
    struct buf sealed;
    enum err e = control_inner_need_data_key(c, i->workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE integration SET sealed_key = ?2 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    buf_init(&sealed, INTEGRATION_CHECK_KEY_MAX + CRYPT_OVERHEAD);
    const struct crypt_place place = {"integration", i->id, "sealed_key"};
    if (api_key.n > 0)
        crypt_seal(c->crypt, i->workspace_id, place, api_key, &sealed);
    store_bind_i64(st, 1, i->id);
    store_bind_blob(st, 2, buf_str(&sealed));
    e = control_inner_run(c, st, why);
    buf_free(&sealed);
    return e;
}

/* Everything but the key and what never changes. */
static enum err write_row(struct control *c, struct control_integration *i, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = ERR_OK;
    if (i->is_default)
        e = run_on_row(c,
                       "UPDATE integration SET is_default = 0, updated_us = ?2 WHERE is_default = 1 AND id <> ?1 AND "
                       "workspace_id = (SELECT workspace_id FROM integration WHERE id = ?1)",
                       i->id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "UPDATE integration SET name = ?2, base_url = ?3, organization = ?4, project = ?5, "
                              "api_version = ?6, deployments = ?7, key_hint = ?8, is_default = ?9, updated_us = ?10 "
                              "WHERE id = ?1",
                              &st, why);
    if (e != ERR_OK)
        return e;
    i->updated_us = clock_wall_us();
    store_bind_i64(st, 1, i->id);
    store_bind_text(st, 2, i->name);
    store_bind_text(st, 3, i->base_url);
    store_bind_text(st, 4, i->organization);
    store_bind_text(st, 5, i->project);
    store_bind_text(st, 6, i->api_version);
    store_bind_text(st, 7, i->deployments);
    store_bind_text(st, 8, i->key_hint);
    store_bind_i64(st, 9, i->is_default);
    store_bind_i64(st, 10, i->updated_us);
    return control_inner_run(c, st, why);
}

static enum err create(struct control *c, struct control_integration *i, const struct control_integration_spec *spec,
                       struct control_why *why)
{
    struct store_stmt *st;
    int64_t taken = 0, live = 0, defaults = 0;
    enum err e = control_inner_need_workspace(c, i->workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT 1 FROM integration WHERE workspace_id = ?1 AND slug = ?2 AND deleted_us = 0",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, i->workspace_id);
    store_bind_text(st, 2, i->slug);
    e = control_inner_number(c, st, 0, &taken, why);
    if (e == ERR_OK && taken)
        e = control_inner_fail(why, ERR_CONFLICT, "slug", "An integration with this slug exists already.");
    if (e == ERR_OK)
        e = count_live(c, i->workspace_id, false, &live, why);
    if (e == ERR_OK && live >= CONTROL_INTEGRATION_MAX)
        e = control_inner_fail(why, ERR_CONFLICT, "", "A workspace has at most %d integrations.",
                               CONTROL_INTEGRATION_MAX);
    if (e == ERR_OK)
        e = count_live(c, i->workspace_id, true, &defaults, why);
    if (e != ERR_OK)
        return e;
    if (!spec->is_default && defaults == 0)
        i->is_default = kind_integration_serves(i->kind);
    e = insert_row(c, i, why);
    if (e == ERR_OK)
        e = write_key(c, i, spec->api_key, why);
    if (e == ERR_OK)
        e = write_row(c, i, why);
    return e == ERR_OK ? note(c, "integration.create", NULL, i, why) : e;
}

enum err control_integration_create(struct control *c, int64_t workspace_id,
                                    const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *ret_row, struct control_why *why)
{
    struct control_integration i = {.workspace_id = workspace_id};
    enum err e = integration_check_new(spec, a, &i, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, create(c, &i, spec, why), why);
    if (e == ERR_OK)
        *ret_row = i;
    return e;
}

static enum err update(struct control *c, int64_t workspace_id, struct str slug,
                       const struct control_integration_spec *spec, struct arena *a, struct control_integration *i,
                       struct control_why *why)
{
    struct control_integration before;
    enum err e = find(c, workspace_id, slug, a, i, why);
    if (e != ERR_OK)
        return e;
    before = *i;
    e = integration_check_change(spec, a, i, why);
    if (e == ERR_OK && spec->api_key.p)
        e = write_key(c, i, spec->api_key, why);
    if (e == ERR_OK)
        e = write_row(c, i, why);
    return e == ERR_OK ? note(c, spec->api_key.p ? "integration.rotate" : "integration.update", &before, i, why) : e;
}

enum err control_integration_update(struct control *c, int64_t workspace_id, struct str slug,
                                    const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *ret_row, struct control_why *why)
{
    struct control_integration i;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, update(c, workspace_id, slug, spec, a, &i, why), why);
    if (e == ERR_OK)
        *ret_row = i;
    return e;
}

enum err control_integration_delete(struct control *c, int64_t workspace_id, struct str slug, struct control_why *why)
{
    struct control_integration i;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = find(c, workspace_id, slug, a, &i, why);
    if (e == ERR_OK)
        e = model_check_unused(c, workspace_id, slug, why);
    if (e == ERR_OK)
        e = run_on_row(c,
                       "UPDATE integration SET deleted_us = ?2, updated_us = ?2, sealed_key = x'', is_default = 0 "
                       "WHERE id = ?1",
                       i.id, why);
    if (e == ERR_OK)
        e = note(c, "integration.delete", &i, NULL, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}
