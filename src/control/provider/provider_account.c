/* SPDX-License-Identifier: Apache-2.0 */
/* The row of an account, as far as its models and workspaces go. */
#include <stdio.h>

#include "base/clock.h"
#include "control/provider/provider_inner.h"

enum err provider_account_find(struct control *c, int64_t workspace_id, struct str slug,
                               struct provider_account *ret_account, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c,
                                   "SELECT id, all_models, all_workspaces FROM integration "
                                   "WHERE workspace_id = ?1 AND slug = ?2 AND deleted_us = 0 AND parent_id IS NULL",
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
        *ret_account = (struct provider_account){store_i64(st, 0), store_i64(st, 1) != 0, store_i64(st, 2) != 0};
    store_done(st);
    store_clear(st);
    return e;
}

enum err provider_account_switch(struct control *c, int64_t id, const char *column, bool on, struct control_why *why)
{
    char sql[120];
    struct store_stmt *st;
    snprintf(sql, sizeof sql, "UPDATE integration SET %s = ?2, updated_us = ?3 WHERE id = ?1", column);
    enum err e = control_inner_sql(c, sql, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, on);
    store_bind_i64(st, 3, clock_wall_us());
    return control_inner_run(c, st, why);
}
