/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removal from the low end of the key, which is the oldest. Freed pages are used again by new rows,
 * so the file stops growing when as much goes as comes.
 */
#include "ledger/drain/retention.h"

#include "ledger/schema.h"

#define ROWS_AT_ONCE 500

static enum err remove_some(struct store_db *db, int64_t before_id, uint64_t *ret_removed)
{
    struct store_stmt *st;
    enum err e = store_prepare(db,
                               "DELETE FROM attempts WHERE id IN"
                               " (SELECT id FROM attempts WHERE id < ?1 ORDER BY id LIMIT ?2)",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, before_id);
    store_bind_i64(st, 2, ROWS_AT_ONCE);
    e = store_run(st);
    if (e == ERR_OK)
        *ret_removed = (uint64_t)store_changes(db);
    return e;
}

static enum err anything_older(struct store_db *db, int64_t before_id, bool *ret_any)
{
    struct store_stmt *st;
    enum err e = store_prepare(db, "SELECT 1 FROM attempts WHERE id < ?1 LIMIT 1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, before_id);
    e = store_step(st, ret_any);
    if (e == ERR_OK)
        store_done(st);
    return e;
}

enum err retention_rows(struct store_db *db, int64_t before_id, uint64_t *ret_removed, bool *ret_more)
{
    bool any;
    uint64_t removed = 0;
    *ret_more = false;
    *ret_removed = 0;
    enum err e = anything_older(db, before_id, &any);
    if (e != ERR_OK || !any)
        return e;
    e = store_begin(db);
    if (e != ERR_OK)
        return e;
    e = remove_some(db, before_id, &removed);
    if (e == ERR_OK)
        e = schema_set_state(db, SCHEMA_STATE_ROWS_FROM, before_id);
    if (e == ERR_OK)
        e = store_commit(db);
    if (e != ERR_OK) {
        store_rollback(db);
        return e;
    }
    *ret_removed = removed;
    *ret_more = removed == ROWS_AT_ONCE;
    return ERR_OK;
}
