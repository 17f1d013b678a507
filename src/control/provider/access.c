/* SPDX-License-Identifier: Apache-2.0 */
/* One row for each workspace that somebody said something about. */
#include "control/provider/access.h"

#include "control/people/audit.h"
#include "control/provider/provider_inner.h"

static enum err put(struct control *c, int64_t account_id, const struct access_entry *entry, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_need_workspace(c, entry->workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "INSERT INTO integration_workspace(integration_id, workspace_id, enabled) "
                              "VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET enabled = ?3",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    store_bind_i64(st, 2, entry->workspace_id);
    store_bind_i64(st, 3, entry->enabled);
    return control_inner_run(c, st, why);
}

static enum err clear(struct control *c, int64_t account_id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, "DELETE FROM integration_workspace WHERE integration_id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    return control_inner_run(c, st, why);
}

static enum err note_set(struct control *c, int64_t workspace_id, struct str integration,
                         const struct access_entry *list, size_t count, bool instead, const bool *all_workspaces,
                         struct control_why *why)
{
    struct audit_text t;
    struct json_write *w = &t.w;
    audit_text_begin(&t);
    if (all_workspaces)
        json_write_member_bool(w, "all_workspaces", *all_workspaces);
    json_write_member_bool(w, "instead_of_others", instead);
    json_write_key(w, STR("workspaces"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++) {
        json_write_object(w);
        json_write_member_int(w, "id", list[i].workspace_id);
        json_write_member_bool(w, "enabled", list[i].enabled);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    const struct audit_change change = {.workspace_id = workspace_id,
                                        .action = "integration.workspaces",
                                        .object_type = "integration",
                                        .object_id = integration,
                                        .after = audit_text_end(&t)};
    enum err e = audit_note(c, &change, why);
    audit_text_free(&t);
    return e;
}

static enum err set(struct control *c, int64_t workspace_id, struct str integration, const struct access_entry *list,
                    size_t count, bool instead, const bool *all_workspaces, struct control_why *why)
{
    struct provider_account account;
    enum err e = provider_account_find(c, workspace_id, integration, &account, why);
    if (e == ERR_OK && instead)
        e = clear(c, account.id, why);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        if (list[i].workspace_id != workspace_id)
            e = put(c, account.id, &list[i], why);
    if (e == ERR_OK && all_workspaces)
        e = provider_account_switch(c, account.id, "all_workspaces", *all_workspaces, why);
    return e == ERR_OK ? note_set(c, workspace_id, integration, list, count, instead, all_workspaces, why) : e;
}

enum err access_set(struct control *c, int64_t workspace_id, struct str integration, const struct access_entry *list,
                    size_t count, bool instead, const bool *all_workspaces, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    return control_inner_end(c, set(c, workspace_id, integration, list, count, instead, all_workspaces, why), why);
}

static enum err count_entries(struct control *c, int64_t account_id, int64_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, "SELECT count(*) FROM integration_workspace WHERE integration_id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    return control_inner_number(c, st, 0, ret_count, why);
}

static enum err read_entries(struct control *c, int64_t account_id, struct arena *a, struct access_entry *rows,
                             size_t cap, size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT x.workspace_id, w.name, x.enabled FROM integration_workspace x "
                                   "JOIN workspace w ON w.id = x.workspace_id "
                                   "WHERE x.integration_id = ?1 AND w.deleted_us = 0 ORDER BY w.name",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            rows[n] = (struct access_entry){store_i64(st, 0), arena_dup(a, store_text(st, 1)), store_i64(st, 2) != 0};
            if (!rows[n++].workspace.p)
                e = control_inner_arena_full(why);
        }
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err access_list(struct control *c, int64_t workspace_id, struct str integration, struct arena *a,
                     struct access_entry **ret_list, size_t *ret_count, bool *ret_all_workspaces,
                     struct control_why *why)
{
    struct provider_account account;
    struct access_entry *rows = NULL;
    int64_t entries = 0;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = provider_account_find(c, workspace_id, integration, &account, why);
    if (e == ERR_OK)
        e = count_entries(c, account.id, &entries, why);
    if (e == ERR_OK && !(rows = arena_alloc(a, ((size_t)entries + 1) * sizeof *rows)))
        e = control_inner_arena_full(why);
    if (e == ERR_OK)
        e = read_entries(c, account.id, a, rows, (size_t)entries, ret_count, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_list = rows;
    *ret_all_workspaces = account.all_workspaces;
    return ERR_OK;
}
