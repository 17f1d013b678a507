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
#include "control/limit/rule_inner.h"
#include "control/model/model_inner.h"
#include "control/people/audit.h"

/* Rows that are read only to be changed; deployments may be long. */
#define ROW_ARENA 65536
#define DELETE_ARENA_MAX (64 << 20) /* an integration and its providers */

/* Address, key and models are the account's, of a provider another row. */
#define INTEGRATION_SELECT                                                                                        \
    "SELECT i.id, i.workspace_id, i.slug, i.name, a.kind, a.base_url, a.organization, a.project, a.api_version, " \
    "a.deployments, a.key_hint, i.is_default, i.created_us, i.updated_us, a.id, "                                 \
    "CASE WHEN i.parent_id IS NULL THEN '' ELSE a.slug END, i.note, i.expires_us, i.hidden, a.all_models, "       \
    "a.all_workspaces FROM integration i JOIN integration a ON a.id = coalesce(i.parent_id, i.id) "

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
        .account_id = store_i64(st, 14),
        .account = arena_dup(a, store_text(st, 15)),
        .note = arena_dup(a, store_text(st, 16)),
        .expires_us = store_i64(st, 17),
        .hidden = store_i64(st, 18) != 0,
        .only_listed = store_i64(st, 19) == 0,
        .all_workspaces = store_i64(st, 20) != 0,
    };
    if (!kind_integration_from(store_text(st, 4), &i->kind))
        return control_inner_fail(why, ERR_CORRUPT, "",
                                  "control.db: row %lld of integration has a value that cannot be.", (long long)i->id);
    bool whole = i->slug.p && i->name.p && i->base_url.p && i->organization.p && i->project.p && i->api_version.p &&
                 i->deployments.p && i->key_hint.p && i->account.p && i->note.p;
    return whole ? ERR_OK : control_inner_arena_full(why);
}

/* Inside a transaction. */
static enum err find(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                     struct control_integration *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    struct control_integration found;
    bool row;
    enum err e = control_inner_sql(
        c, INTEGRATION_SELECT "WHERE i.workspace_id = ?1 AND i.slug = ?2 AND i.deleted_us = 0", &st, why);
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
    enum err e = control_inner_sql(
        c, INTEGRATION_SELECT "WHERE i.workspace_id = ?1 AND i.deleted_us = 0 ORDER BY i.slug", &st, why);
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

static void describe(struct json_write *w, const void *object)
{
    const struct control_integration *i = object;
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
    json_write_member_text(w, "provider_of", i->account);
    json_write_member_text(w, "note", i->note);
    json_write_member_int(w, "expires_us", i->expires_us);
    json_write_member_bool(w, "hidden", i->hidden);
}

/* One of `before` and `after` may be NULL. */
static enum err note(struct control *c, const char *action, const struct control_integration *before,
                     const struct control_integration *after, struct control_why *why)
{
    const struct control_integration *i = after ? after : before;
    struct audit_change change = {
        .workspace_id = i->workspace_id, .action = action, .object_type = "integration", .object_id = i->slug};
    return audit_note_objects(c, &change, describe, before, after, why);
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
                                   "updated_us, parent_id) "
                                   "VALUES (?1, ?2, '', ?3, '', '', '', '', '', x'', '', 0, ?4, ?4, ?5)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    i->created_us = clock_wall_us();
    store_bind_i64(st, 1, i->workspace_id);
    store_bind_text(st, 2, i->slug);
    store_bind_text(st, 3, str_c(kind_integration_text(i->kind)));
    store_bind_i64(st, 4, i->created_us);
    if (i->account.n)
        store_bind_i64(st, 5, i->account_id);
    e = control_inner_run(c, st, why);
    i->id = store_last_id(c->db);
    if (!i->account.n)
        i->account_id = i->id;
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
                              "api_version = ?6, deployments = ?7, key_hint = ?8, is_default = ?9, updated_us = ?10, "
                              "note = ?11, expires_us = ?12, hidden = ?13 WHERE id = ?1",
                              &st, why);
    if (e != ERR_OK)
        return e;
    bool own = !i->account.n; /* a provider keeps no copy of its account's */
    i->updated_us = clock_wall_us();
    store_bind_i64(st, 1, i->id);
    store_bind_text(st, 2, i->name);
    store_bind_text(st, 3, own ? i->base_url : STR(""));
    store_bind_text(st, 4, own ? i->organization : STR(""));
    store_bind_text(st, 5, own ? i->project : STR(""));
    store_bind_text(st, 6, own ? i->api_version : STR(""));
    store_bind_text(st, 7, own ? i->deployments : STR(""));
    store_bind_text(st, 8, own ? i->key_hint : STR(""));
    store_bind_i64(st, 9, i->is_default);
    store_bind_i64(st, 10, i->updated_us);
    store_bind_text(st, 11, i->note);
    store_bind_i64(st, 12, i->expires_us);
    store_bind_i64(st, 13, i->hidden);
    return control_inner_run(c, st, why);
}

/* Whether there may be one more of this slug; a workspace's first one that serves requests is its default. */
static enum err check_room(struct control *c, struct control_integration *i,
                           const struct control_integration_spec *spec, struct control_why *why)
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
    if (e == ERR_OK && !spec->is_default && defaults == 0)
        i->is_default = kind_integration_serves(i->kind) && !i->hidden;
    return e;
}

static enum err create(struct control *c, struct control_integration *i, const struct control_integration_spec *spec,
                       struct control_why *why)
{
    enum err e = check_room(c, i, spec, why);
    if (e == ERR_OK)
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

/* The account behind that slug, as `workspace_id` sees it. */
static enum err find_account(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                             struct control_integration *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(
        c,
        INTEGRATION_SELECT "JOIN workspace w ON w.id = i.workspace_id "
                           "WHERE i.slug = ?2 AND i.parent_id IS NULL AND i.deleted_us = 0 AND w.deleted_us = 0 "
                           "AND (i.workspace_id = ?1 OR coalesce((SELECT x.enabled FROM integration_workspace x "
                           "     WHERE x.integration_id = i.id AND x.workspace_id = ?1), i.all_workspaces)) "
                           "ORDER BY i.workspace_id <> ?1, i.id LIMIT 1",
        &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, slug);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "integration_id",
                               "There is no such integration that this workspace may use.");
    else
        e = read_row(st, a, ret_row, why);
    store_done(st);
    store_clear(st);
    return e;
}

static enum err share(struct control *c, int64_t workspace_id, struct str account,
                      const struct control_integration_spec *spec, struct arena *a, struct control_integration *i,
                      struct control_why *why)
{
    struct control_integration of;
    enum err e = control_inner_need_workspace(c, workspace_id, why);
    if (e == ERR_OK)
        e = find_account(c, workspace_id, account, a, &of, why);
    if (e != ERR_OK)
        return e;
    *i = of;
    i->workspace_id = workspace_id;
    i->account = of.slug;
    i->is_default = false;
    e = integration_check_provider(spec, a, i, why);
    if (e == ERR_OK)
        e = check_room(c, i, spec, why);
    if (e == ERR_OK)
        e = insert_row(c, i, why);
    if (e == ERR_OK)
        e = write_row(c, i, why);
    return e == ERR_OK ? note(c, "provider.create", NULL, i, why) : e;
}

enum err control_integration_share(struct control *c, int64_t workspace_id, struct str account,
                                   const struct control_integration_spec *spec, struct arena *a,
                                   struct control_integration *ret_row, struct control_why *why)
{
    struct control_integration i;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, share(c, workspace_id, account, spec, a, &i, why), why);
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
    if (e == ERR_OK && i->hidden && !before.hidden)
        e = model_check_unused(c, i->workspace_id, i->slug, why);
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

static enum err delete_row(struct control *c, const struct control_integration *i, struct control_why *why)
{
    enum err e = model_check_unused(c, i->workspace_id, i->slug, why);
    if (e == ERR_OK)
        e = run_on_row(c,
                       "UPDATE integration SET deleted_us = ?2, updated_us = ?2, sealed_key = x'', is_default = 0 "
                       "WHERE id = ?1",
                       i->id, why);
    if (e == ERR_OK)
        e = rule_inner_drop(c, LIMIT_INTEGRATION, i->id, why);
    if (e == ERR_OK)
        e = rule_inner_drop(c, LIMIT_ACCESS, i->id, why);
    return e == ERR_OK ? note(c, i->account.n ? "provider.delete" : "integration.delete", i, NULL, why) : e;
}

/* One provider of the account; *ret_found is false when there is none left. */
static enum err next_provider(struct control *c, int64_t account_id, struct arena *a, struct control_integration *ret,
                              bool *ret_found, struct control_why *why)
{
    struct store_stmt *st;
    enum err e =
        control_inner_sql(c, INTEGRATION_SELECT "WHERE i.parent_id = ?1 AND i.deleted_us = 0 LIMIT 1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    e = store_step(st, ret_found);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (*ret_found)
        e = read_row(st, a, ret, why);
    store_done(st);
    store_clear(st);
    return e;
}

static enum err delete (struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                        struct control_why *why) {
    struct control_integration i, provider; bool found = true; enum err e = find(c, workspace_id, slug, a, &i, why);
    while (e == ERR_OK && found){e = next_provider(c, i.id, a, &provider, &found, why);
                                 if (e == ERR_OK && found) e = delete_row(c, &provider, why);}
return e == ERR_OK ? delete_row(c, &i, why) : e;
}

enum err control_integration_delete(struct control *c, int64_t workspace_id, struct str slug, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, DELETE_ARENA_MAX);
    e = control_inner_end(c, delete (c, workspace_id, slug, a, why), why);
    arena_free(a);
    return e;
}
