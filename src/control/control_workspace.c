/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces: made, changed, found, listed. Each gets a data key of its own when it is made. */
#include "control/control.h"

#include "base/buf.h"
#include "base/clock.h"
#include "control/control_inner.h"
#include "control/control_text.h"
#include "control/crypt.h"
#include "control/people/audit.h"

#define LIST_MAX 10000
#define DESCRIPTION_MAX 500
/* Two rows with their metadata. */
#define ROW_ARENA_MAX 65536

enum err control_inner_need_workspace(struct control *c, int64_t workspace_id, struct control_why *why)
{
    struct store_stmt *st;
    int64_t there = 0;
    enum err e = control_inner_sql(c, "SELECT 1 FROM workspace WHERE id = ?1 AND deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    e = control_inner_number(c, st, 0, &there, why);
    if (e == ERR_OK && !there)
        e = control_inner_fail(why, ERR_NOT_FOUND, "workspace", "There is no such workspace.");
    return e;
}

#define COLUMNS                                                \
    "w.id, w.name, w.display_name, w.created_us, w.metadata, " \
    "(SELECT slug FROM config c WHERE c.workspace_id = w.id AND c.is_default = 1 AND c.deleted_us = 0), w.description"

static const char columns_by_name[] = "SELECT " COLUMNS " FROM workspace w WHERE w.name = ?1 AND w.deleted_us = 0";
static const char columns_by_id[] = "SELECT " COLUMNS " FROM workspace w WHERE w.id = ?1 AND w.deleted_us = 0";
static const char columns_all[] = "SELECT " COLUMNS " FROM workspace w WHERE w.deleted_us = 0 ORDER BY w.id LIMIT ?1";

/* False when the arena is full. */
static bool read_row(struct store_stmt *st, struct arena *a, struct control_workspace *w)
{
    w->id = store_i64(st, 0);
    w->name = arena_dup(a, store_text(st, 1));
    w->display_name = arena_dup(a, store_text(st, 2));
    w->created_us = store_i64(st, 3);
    w->metadata = arena_dup(a, store_text(st, 4));
    w->default_config = arena_dup(a, store_text(st, 5));
    w->description = arena_dup(a, store_text(st, 6));
    return w->name.p && w->display_name.p && w->metadata.p && w->default_config.p && w->description.p;
}

/* The only row of a statement whose values have been bound. */
static enum err read_one(struct control *c, struct store_stmt *st, struct arena *a,
                         struct control_workspace *ret_workspace, struct control_why *why)
{
    bool row;
    enum err e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "workspace", "There is no such workspace.");
    else if (!read_row(st, a, ret_workspace))
        e = control_inner_arena_full(why);
    store_done(st);
    store_clear(st);
    return e;
}

static enum err find(struct control *c, struct str name, struct arena *a, struct control_workspace *ret_workspace,
                     struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, columns_by_name, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, name);
    return read_one(c, st, a, ret_workspace, why);
}

static enum err find_by_id(struct control *c, int64_t id, struct arena *a, struct control_workspace *ret_workspace,
                           struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, columns_by_id, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    return read_one(c, st, a, ret_workspace, why);
}

/* ---- changes ---- */

static void describe(struct json_write *w, const void *object)
{
    const struct control_workspace *workspace = object;
    json_write_member_string(w, "display_name", workspace->display_name);
    json_write_member_text(w, "description", workspace->description);
    if (workspace->metadata.n)
        json_write_member_raw(w, "metadata", workspace->metadata);
}

/* `before` may be NULL. */
static enum err note(struct control *c, const char *action, const struct control_workspace *before,
                     const struct control_workspace *after, struct control_why *why)
{
    struct audit_change change = {
        .workspace_id = after->id, .action = action, .object_type = "workspace", .object_id = after->name};
    return audit_note_objects(c, &change, describe, before, after, why);
}

static enum err insert_data_key(struct control *c, int64_t workspace_id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e =
        control_inner_sql(c, "INSERT INTO data_key(workspace_id, wrapped, created_us) VALUES (?1, x'', ?2)", &st, why);
    if (e != ERR_OK)
        return e;
    if (workspace_id != 0)
        store_bind_i64(st, 1, workspace_id);
    store_bind_i64(st, 2, clock_wall_us());
    e = control_inner_run(c, st, why);
    if (e != ERR_OK)
        return e;
    int64_t id = store_last_id(c->db);
    struct buf wrapped;
    buf_init(&wrapped, CRYPT_WRAPPED_BYTES);
    crypt_make_key(c->crypt, id, workspace_id, &wrapped);
    if (c->fresh_key_from == 0)
        c->fresh_key_from = id;
    e = control_inner_sql(c, "UPDATE data_key SET wrapped = ?2 WHERE id = ?1", &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, id);
        store_bind_blob(st, 2, buf_str(&wrapped));
        e = control_inner_run(c, st, why);
    }
    buf_free(&wrapped);
    return e;
}

enum err control_inner_need_data_key(struct control *c, int64_t workspace_id, struct control_why *why)
{
    return crypt_has_key(c->crypt, workspace_id) ? ERR_OK : insert_data_key(c, workspace_id, why);
}

static enum err create(struct control *c, struct str name, struct str display_name, int64_t *ret_id,
                       struct control_why *why)
{
    struct store_stmt *st;
    int64_t taken = 0;
    enum err e = control_inner_sql(c, "SELECT 1 FROM workspace WHERE name = ?1 AND deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, name);
    e = control_inner_number(c, st, 0, &taken, why);
    if (e != ERR_OK)
        return e;
    if (taken)
        return control_inner_fail(why, ERR_CONFLICT, "name", "A workspace with this name exists already.");
    e = control_inner_sql(c,
                          "INSERT INTO workspace(organization_id, name, display_name, created_us) "
                          "VALUES (?1, ?2, ?3, ?4)",
                          &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, CONTROL_ORGANIZATION_ID);
    store_bind_text(st, 2, name);
    store_bind_text(st, 3, display_name.n ? display_name : name);
    store_bind_i64(st, 4, clock_wall_us());
    e = control_inner_run(c, st, why);
    if (e != ERR_OK)
        return e;
    *ret_id = store_last_id(c->db);
    e = control_inner_need_data_key(c, *ret_id, why);
    const struct control_workspace made = {
        .id = *ret_id, .name = name, .display_name = display_name.n ? display_name : name, .metadata = STR("")};
    return e == ERR_OK ? note(c, "workspace.create", NULL, &made, why) : e;
}

static enum err check_display_name(struct str name, struct control_why *why)
{
    if (control_text_is_name(name, 100))
        return ERR_OK;
    return control_inner_fail(why, ERR_BAD_PARAMETER, "display_name",
                              "A display name has 1 to 100 bytes of UTF-8 without control characters.");
}

enum err control_workspace_create(struct control *c, struct str name, struct str display_name, int64_t *ret_id,
                                  struct control_why *why)
{
    int64_t id = 0;
    if (!control_text_is_workspace(name))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "name",
                                  "A workspace name has 1 to 63 lower-case letters, digits and '-', begins with a "
                                  "letter or digit, and is none of the words our own paths begin with.");
    enum err e = display_name.n > 0 ? check_display_name(display_name, why) : ERR_OK;
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, create(c, name, display_name, &id, why), why);
    if (e == ERR_OK)
        *ret_id = id;
    return e;
}

static enum err update(struct control *c, int64_t id, const struct control_workspace_change *change, struct arena *a,
                       struct control_why *why)
{
    struct store_stmt *st;
    struct control_workspace before, after;
    enum err e = find_by_id(c, id, a, &before, why);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "UPDATE workspace SET display_name = coalesce(?2, display_name), "
                              "metadata = coalesce(?3, metadata), description = coalesce(?4, description) "
                              "WHERE id = ?1",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    if (change->display_name)
        store_bind_text(st, 2, *change->display_name);
    if (change->metadata)
        store_bind_text(st, 3, *change->metadata);
    if (change->description)
        store_bind_text(st, 4, *change->description);
    e = control_inner_run(c, st, why);
    if (e == ERR_OK)
        e = find_by_id(c, id, a, &after, why);
    return e == ERR_OK ? note(c, "workspace.update", &before, &after, why) : e;
}

enum err control_workspace_update(struct control *c, int64_t id, const struct control_workspace_change *change,
                                  struct control_why *why)
{
    const char *fault = NULL;
    if (change->metadata && change->metadata->n)
        fault = control_text_metadata_fault(*change->metadata);
    if (fault)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "metadata", "%s", fault);
    if (change->description && change->description->n && !control_text_is_name(*change->description, DESCRIPTION_MAX))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "description",
                                  "A description has at most %d bytes of UTF-8 without control characters.",
                                  DESCRIPTION_MAX);
    enum err e = change->display_name ? check_display_name(*change->display_name, why) : ERR_OK;
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(1024, ROW_ARENA_MAX);
    e = control_inner_end(c, update(c, id, change, a, why), why);
    arena_free(a);
    return e;
}

/* ?1 the workspace, ?2 now. Secrets are destroyed, rows stay for old records. */
static const char *const deletions[] = {
    "UPDATE integration SET deleted_us = ?2, sealed_key = x'', is_default = 0 WHERE deleted_us = 0 AND "
    "(workspace_id = ?1 OR parent_id IN (SELECT id FROM integration WHERE workspace_id = ?1))",
    "UPDATE config_version SET sealed_text = x'', created_us = min(created_us, ?2) "
    "WHERE config_id IN (SELECT id FROM config WHERE workspace_id = ?1)",
    "UPDATE config SET deleted_us = ?2, is_default = 0 WHERE workspace_id = ?1 AND deleted_us = 0",
    "UPDATE api_key SET revoked_us = ?2, updated_us = ?2 WHERE workspace_id = ?1 AND revoked_us = 0",
    "UPDATE invitation SET state = 'revoked', answered_us = ?2 WHERE workspace_id = ?1 AND state = 'pending'",
    "DELETE FROM membership WHERE workspace_id = ?1 AND ?2 > 0",
    "DELETE FROM channel WHERE workspace_id = ?1 AND ?2 > 0",
    "DELETE FROM team_workspace WHERE workspace_id = ?1 AND ?2 > 0",
    "UPDATE workspace SET deleted_us = ?2 WHERE id = ?1",
};

static enum err delete (struct control *c, int64_t id, struct arena *a, struct control_why *why) {
    struct control_workspace w; enum err e = find_by_id(c, id, a, &w, why);
    if (e == ERR_OK && str_eq(w.name, STR("default")))
        e = control_inner_fail(why, ERR_IN_USE, "id", "The workspace 'default' stays: every start needs it.");
    for (size_t i = 0; e == ERR_OK && i < sizeof deletions / sizeof deletions[0];
         i++){struct store_stmt * st; e = control_inner_sql(c, deletions[i], &st, why); if (e != ERR_OK) break;
              store_bind_i64(st, 1, id); store_bind_i64(st, 2, clock_wall_us()); e = control_inner_run(c, st, why);}
if (e == ERR_OK) e = control_inner_check_owner_key(c, why);
return e == ERR_OK ? note(c, "workspace.delete", NULL, &w, why) : e;
}

enum err control_workspace_delete(struct control *c, int64_t id, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(1024, ROW_ARENA_MAX);
    e = control_inner_end(c, delete (c, id, a, why), why);
    arena_free(a);
    return e;
}

enum err control_workspace_find(struct control *c, struct str name, struct arena *a,
                                struct control_workspace *ret_workspace, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, name.n ? name : STR("default"), a, ret_workspace, why);
    control_inner_end_read(c);
    return e;
}

static enum err list(struct control *c, struct arena *a, struct control_workspace *rows, size_t cap, size_t *ret_count,
                     struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c, columns_all, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, (int64_t)cap);
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row && !read_row(st, a, &rows[n++]))
            e = control_inner_arena_full(why);
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err control_workspace_list(struct control *c, struct arena *a, struct control_workspace **ret_list,
                                size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    int64_t count = 0;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c, "SELECT count(*) FROM workspace WHERE deleted_us = 0", &st, why);
    if (e == ERR_OK)
        e = control_inner_number(c, st, 0, &count, why);
    size_t cap = count > LIST_MAX ? LIST_MAX : (size_t)count;
    struct control_workspace *rows = NULL;
    if (e == ERR_OK && !(rows = arena_alloc(a, (cap + 1) * sizeof *rows)))
        e = control_inner_arena_full(why);
    if (e == ERR_OK)
        e = list(c, a, rows, cap, &cap, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_list = rows;
    *ret_count = cap;
    return ERR_OK;
}
