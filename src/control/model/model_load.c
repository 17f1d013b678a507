/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model APIs in the snapshot. A revision that the last snapshot has is not compiled again; one that
 * does not compile any more stays, leading nowhere, so that its callers are told what is wrong.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "control/config/config.h"
#include "control/model/model_check.h"
#include "control/model/model_inner.h"
#include "control/snapshot_build.h"

#define ROW_ARENA 4096
#define ROW_ARENA_MAX (1 << 20)

static struct config *leading_nowhere(const struct model_row *m)
{
    char text[160];
    struct config *config = NULL;
    struct config_errors *errors = mem_zalloc(sizeof *errors);
    int n = snprintf(text, sizeof text, "{\"virtual_key\":\"the model API %.*s cannot be read\"}",
                     STR_ARG(str_head(m->name, MODEL_NAME_MAX)));
    enum err e = config_compile(str_of(text, (size_t)n), &config, errors);
    must(e == ERR_OK);
    mem_free(errors);
    n = snprintf(text, sizeof text, "models/%.*s", STR_ARG(str_head(m->name, MODEL_NAME_MAX)));
    config_name(config, 0, str_of(text, (size_t)n), m->revision, m->workspace_id);
    return config;
}

static const struct config *config_of(const struct control *c, const struct model_row *m)
{
    struct control_why ignored;
    struct config *config;
    const struct snapshot_model *known = c->current ? snapshot_find_model(c->current, m->workspace_id, m->name) : NULL;
    if (known && known->id == m->id && known->config->version == m->revision)
        return config_ref(known->config);
    return model_check_compile(m, &config, &ignored) == ERR_OK ? config : leading_nowhere(m);
}

static enum err add(struct control *c, struct snapshot_build *b, struct store_stmt *st, struct arena *a,
                    struct control_why *why)
{
    struct model_row m;
    arena_reset(a);
    enum err e = model_read_row(st, a, &m, why);
    if (e != ERR_OK)
        return e;
    const struct snapshot_model model = {.id = m.id,
                                         .workspace_id = m.workspace_id,
                                         .name = m.name,
                                         .model = m.model,
                                         .enabled = m.enabled,
                                         .any_model = m.any_model,
                                         .config = config_of(c, &m)};
    snapshot_build_model(b, &model);
    return ERR_OK;
}

enum err model_load(struct control *c, struct snapshot_build *b, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    enum err e =
        control_inner_sql(c,
                          "SELECT " MODEL_COLUMNS " FROM model_api m JOIN workspace w ON w.id = m.workspace_id "
                          "WHERE m.deleted_us = 0 AND w.deleted_us = 0 ORDER BY m.id",
                          &st, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = add(c, b, st, a, why);
    }
    store_done(st);
    store_clear(st);
    arena_free(a);
    return e;
}
