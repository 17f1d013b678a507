/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, workspaces, members and model APIs of metered traffic. The ledger has ids of control.db, for which the
 * query brings the texts; a member is whose the key is, a model API is a routing config of its own ("models/NAME").
 */
#include <stdio.h>

#include "ledger/schema.h"
#include "report/cost/cost_shared.h"

#define MODEL_API_PREFIX "models/"

/* Adds id with what `known` says, or its number. */
static enum err add_id(const struct cost_job *j, struct cost_texts_make *make, cost_text_fn *known, bool number,
                       int64_t id)
{
    struct str text = STR(""), name = STR("");
    char digits[24];
    if (id && !(known && known(j->q->known.context, id, &text, &name))) {
        int n = number ? snprintf(digits, sizeof digits, "%lld", (long long)id) : 0;
        text = str_of(digits, (size_t)n);
    }
    text = arena_dup(j->arena, text);
    name = arena_dup(j->arena, name);
    return text.p && name.p ? cost_texts_add(make, id, text, name) : ERR_BAD_PARAMETER;
}

/* Those who are not told apart. */
static enum err add_others(struct cost_texts_make *make)
{
    enum err e = cost_texts_add(make, COST_TARGET_DIRECT, STR(COST_DIRECT), STR(""));
    return e == ERR_OK ? cost_texts_add(make, COST_TARGET_ELSEWHERE, STR(COST_ELSEWHERE), STR("")) : e;
}

static enum err load_ids(const struct cost_job *j, struct store_db *db, const char *sql, cost_text_fn *known,
                         bool number, struct cost_texts *ret)
{
    struct cost_texts_make make = {.arena = j->arena};
    struct store_stmt *st;
    bool row;
    enum err e = add_others(&make);
    if (e != ERR_OK || !db)
        return e == ERR_OK ? cost_texts_end(&make, ret) : e;
    e = store_prepare(db, sql, &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_id(j, &make, known, number, store_i64(st, 0));
        if (e != ERR_OK) {
            store_done(st);
            return e;
        }
    }
    return e == ERR_OK ? cost_texts_end(&make, ret) : e;
}

static enum err load_model_apis(const struct cost_job *j, struct store_db *db, struct cost_texts *ret)
{
    struct cost_texts all;
    struct cost_texts_make make = {.arena = j->arena};
    struct store_stmt *st;
    enum err e = add_others(&make);
    if (e != ERR_OK || !db)
        return e == ERR_OK ? cost_texts_end(&make, ret) : e;
    e = store_prepare(db, "SELECT id, text, '' FROM dims WHERE kind = ?1 UNION ALL SELECT 0, '', ''", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, SCHEMA_DIM_CONFIG);
    e = cost_texts_load(st, j->arena, &all);
    for (size_t i = 0; e == ERR_OK && i < all.count; i++) {
        bool is = str_starts(all.texts[i], STR(MODEL_API_PREFIX));
        struct str name = is ? str_from(all.texts[i], sizeof MODEL_API_PREFIX - 1) : STR("");
        e = cost_texts_add(&make, all.ids[i], name, STR(""));
    }
    return e == ERR_OK ? cost_texts_end(&make, ret) : e;
}

enum err cost_who_load(const struct cost_job *j, struct store_db *ledger, struct cost_who *ret)
{
    static const char keys[] = "SELECT DISTINCT key_id FROM combos UNION SELECT 0";
    static const char workspaces[] = "SELECT DISTINCT workspace_id FROM combos UNION SELECT 0";
    const struct cost_known *k = &j->q->known;
    enum err e = load_ids(j, ledger, keys, k->key, true, &ret->keys);
    if (e == ERR_OK)
        e = load_ids(j, ledger, keys, k->member, false, &ret->members);
    if (e == ERR_OK)
        e = load_ids(j, ledger, workspaces, k->workspace, true, &ret->workspaces);
    return e == ERR_OK ? load_model_apis(j, ledger, &ret->model_apis) : e;
}

void cost_who_columns(const struct cost_who *w, const char *key, const char *workspace, const char *config,
                      struct cost_column *f, struct cost_column *g)
{
    f[VQL_RESOURCE] = g[COST_BY_RESOURCE] = (struct cost_column){.sql = key, .texts = &w->keys};
    f[VQL_MEMBER] = g[COST_BY_MEMBER] = (struct cost_column){.sql = key, .texts = &w->members};
    f[VQL_WORKSPACE] = g[COST_BY_WORKSPACE] = (struct cost_column){.sql = workspace, .texts = &w->workspaces};
    f[VQL_MODEL_API] = g[COST_BY_MODEL_API] = (struct cost_column){.sql = config, .texts = &w->model_apis};
}
