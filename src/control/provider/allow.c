/* SPDX-License-Identifier: Apache-2.0 */
/* One row for each model that somebody said something about. */
#include "control/provider/allow.h"

#include "control/control_text.h"
#include "control/people/audit.h"
#include "control/provider/provider_inner.h"

static enum err check(const struct allow_model *list, size_t count, struct control_why *why)
{
    for (size_t i = 0; i < count; i++) {
        const struct allow_model *m = &list[i];
        if (!control_text_is_visible(m->slug, ALLOW_SLUG_MAX))
            return control_inner_fail(why, m->slug.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, "models",
                                      "A model's slug has 1 to %d visible ASCII characters.", ALLOW_SLUG_MAX);
        if (m->base_model.n && !control_text_is_visible(m->base_model, ALLOW_SLUG_MAX))
            return control_inner_fail(why, ERR_BAD_PARAMETER, "models",
                                      "base_model_slug has at most %d visible ASCII characters.", ALLOW_SLUG_MAX);
    }
    return ERR_OK;
}

static enum err put(struct control *c, int64_t account_id, const struct allow_model *m, struct control_why *why)
{
    struct store_stmt *st;
    enum err e =
        control_inner_sql(c,
                          "INSERT INTO integration_model(integration_id, slug, enabled, is_custom, base_model) "
                          "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET enabled = ?3, "
                          "is_custom = ?4, base_model = ?5",
                          &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    store_bind_text(st, 2, m->slug);
    store_bind_i64(st, 3, m->enabled);
    store_bind_i64(st, 4, m->is_custom);
    store_bind_text(st, 5, m->base_model.p ? m->base_model : STR(""));
    return control_inner_run(c, st, why);
}

static enum err check_room(struct control *c, int64_t account_id, struct control_why *why)
{
    struct store_stmt *st;
    int64_t entries;
    enum err e = control_inner_sql(c, "SELECT count(*) FROM integration_model WHERE integration_id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    e = control_inner_number(c, st, 0, &entries, why);
    if (e == ERR_OK && entries > ALLOW_MODELS_MAX)
        e = control_inner_fail(why, ERR_LIMIT_REACHED, "models", "An integration has entries for at most %d models.",
                               ALLOW_MODELS_MAX);
    return e;
}

static enum err note_set(struct control *c, int64_t workspace_id, struct str integration,
                         const struct allow_model *list, size_t count, const bool *all_models, struct control_why *why)
{
    struct audit_text t;
    struct json_write *w = &t.w;
    audit_text_begin(&t);
    if (all_models)
        json_write_member_bool(w, "all_models", *all_models);
    json_write_key(w, STR("models"));
    json_write_object(w);
    for (size_t i = 0; i < count; i++) {
        json_write_key(w, list[i].slug);
        json_write_bool(w, list[i].enabled);
    }
    json_write_object_end(w);
    const struct audit_change change = {.workspace_id = workspace_id,
                                        .action = "integration.models",
                                        .object_type = "integration",
                                        .object_id = integration,
                                        .after = audit_text_end(&t)};
    enum err e = audit_note(c, &change, why);
    audit_text_free(&t);
    return e;
}

static enum err set(struct control *c, int64_t workspace_id, struct str integration, const struct allow_model *list,
                    size_t count, const bool *all_models, struct control_why *why)
{
    struct provider_account account;
    enum err e = provider_account_find(c, workspace_id, integration, &account, why);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = put(c, account.id, &list[i], why);
    if (e == ERR_OK)
        e = check_room(c, account.id, why);
    if (e == ERR_OK && all_models)
        e = provider_account_switch(c, account.id, "all_models", *all_models, why);
    return e == ERR_OK ? note_set(c, workspace_id, integration, list, count, all_models, why) : e;
}

enum err allow_set(struct control *c, int64_t workspace_id, struct str integration, const struct allow_model *list,
                   size_t count, const bool *all_models, struct control_why *why)
{
    enum err e = check(list, count, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    return e == ERR_OK ? control_inner_end(c, set(c, workspace_id, integration, list, count, all_models, why), why) : e;
}

static enum err remove_entries(struct control *c, int64_t workspace_id, struct str integration, const struct str *slugs,
                               size_t count, struct control_why *why)
{
    struct provider_account account;
    enum err e = provider_account_find(c, workspace_id, integration, &account, why);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct store_stmt *st;
        e = control_inner_sql(c, "DELETE FROM integration_model WHERE integration_id = ?1 AND slug = ?2", &st, why);
        if (e != ERR_OK)
            break;
        store_bind_i64(st, 1, account.id);
        store_bind_text(st, 2, slugs[i]);
        e = control_inner_run(c, st, why);
        const struct audit_change change = {.workspace_id = workspace_id,
                                            .action = "integration.model_forget",
                                            .object_type = "model",
                                            .object_id = slugs[i]};
        if (e == ERR_OK)
            e = audit_note(c, &change, why);
    }
    return e;
}

enum err allow_remove(struct control *c, int64_t workspace_id, struct str integration, const struct str *slugs,
                      size_t count, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    return e == ERR_OK ? control_inner_end(c, remove_entries(c, workspace_id, integration, slugs, count, why), why) : e;
}

static enum err read_entries(struct control *c, int64_t account_id, struct arena *a, struct allow_model *rows,
                             size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT slug, enabled, is_custom, base_model FROM integration_model "
                                   "WHERE integration_id = ?1 ORDER BY slug",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account_id);
    while (e == ERR_OK && row && n < ALLOW_MODELS_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            rows[n] = (struct allow_model){arena_dup(a, store_text(st, 0)), store_i64(st, 1) != 0,
                                           store_i64(st, 2) != 0, arena_dup(a, store_text(st, 3))};
            if (!rows[n].slug.p || !rows[n].base_model.p)
                e = control_inner_arena_full(why);
            n++;
        }
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err allow_list(struct control *c, int64_t workspace_id, struct str integration, struct arena *a,
                    struct allow_model **ret_list, size_t *ret_count, bool *ret_all_models, struct control_why *why)
{
    struct provider_account account;
    struct allow_model *rows = arena_alloc(a, ALLOW_MODELS_MAX * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = provider_account_find(c, workspace_id, integration, &account, why);
    if (e == ERR_OK)
        e = read_entries(c, account.id, a, rows, ret_count, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_list = rows;
    *ret_all_models = account.all_models;
    return ERR_OK;
}
