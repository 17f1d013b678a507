/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.db.
 *
 *   attempts       one row an attempt; the primary key is the attempt's id, so time ranges are key
 *                  ranges and new rows go to the end. Columns hold what is searched for, shown in
 *                  lists or summed up; the rest is in `extra`, in the form of record_codec. A text
 *                  column holds the id of a row of `dims`, or the text itself when it is rare, or
 *                  NULL when empty. request_id and upstream_status are NULL when they equal id and
 *                  status. Long hexadecimal ids are packed (rows.c).
 *   open_attempts  begun long ago and not ended
 *                  `route` is the config's version, strategy and target and the caller's SDK, in one
 *                  text (row.c)
 *   combos         the combinations of dimensions that rollups are kept for
 *   rollups        sums by hour and combo. The cost is carry × 10^18 + cost_pusd; `sums` has what is
 *                  not a column (rollup.c)
 *   positions      how far each worker's journal has been stored, and from where it must be read
 *                  again to know the open attempts
 *   losses         what could not be recorded or read, as far as it is known
 *   state          numbers by name
 *
 * Rows of attempts carry no index but those a page of a key, a trace, a span or a request needs. Other
 * filters use the rollups to find the hours worth reading (query.c).
 */
#include "ledger/schema.h"

#include <stdio.h>

static const struct store_migration migrations[] = {
    {1, "attempts, rollups, positions",
     "CREATE TABLE dims(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL);"
     "CREATE UNIQUE INDEX dims_text ON dims(kind, text);"
     "INSERT INTO dims VALUES(1, 0, '" SCHEMA_DIM_OTHER_TEXT "');"
     "CREATE TABLE attempts("
     " id INTEGER PRIMARY KEY,"
     " request_id INTEGER, attempt INTEGER NOT NULL,"
     " workspace_id INTEGER NOT NULL, key_id INTEGER, integration_id INTEGER,"
     " method, path, operation, model_asked, model_answered, service_tier, upstream_host, user_agent, finish_reason,"
     " stream INTEGER NOT NULL, status INTEGER NOT NULL, upstream_status INTEGER,"
     " outcome INTEGER NOT NULL, err,"
     " first_byte_us INTEGER NOT NULL, total_us INTEGER NOT NULL, overhead_us INTEGER NOT NULL,"
     " input_tok INTEGER NOT NULL, cached_tok INTEGER NOT NULL, output_tok INTEGER NOT NULL,"
     " cost_pusd INTEGER, cost_state INTEGER NOT NULL,"
     " body_place INTEGER, upstream_request_id, trace_id, user TEXT, metadata, extra BLOB);"
     "CREATE INDEX attempts_key ON attempts(key_id) WHERE key_id IS NOT NULL;"
     "CREATE INDEX attempts_trace ON attempts(trace_id) WHERE trace_id IS NOT NULL;"
     "CREATE INDEX attempts_request ON attempts(request_id) WHERE request_id IS NOT NULL;"
     "CREATE TABLE open_attempts(id INTEGER PRIMARY KEY, payload BLOB NOT NULL);"
     "CREATE TABLE combos("
     " id INTEGER PRIMARY KEY,"
     " workspace_id INTEGER NOT NULL, key_id INTEGER NOT NULL, integration_id INTEGER NOT NULL,"
     " operation INTEGER NOT NULL, model_asked INTEGER NOT NULL, model_answered INTEGER NOT NULL,"
     " service_tier INTEGER NOT NULL, status_class INTEGER NOT NULL, outcome INTEGER NOT NULL,"
     " cost_state INTEGER NOT NULL, stream INTEGER NOT NULL,"
     " UNIQUE(workspace_id, key_id, integration_id, operation, model_asked, model_answered, service_tier,"
     "  status_class, outcome, cost_state, stream));"
     "CREATE TABLE rollups("
     " hour INTEGER NOT NULL, combo INTEGER NOT NULL,"
     " attempts INTEGER NOT NULL, requests INTEGER NOT NULL,"
     " carry INTEGER NOT NULL, cost_pusd INTEGER NOT NULL,"
     " input_tok INTEGER NOT NULL, output_tok INTEGER NOT NULL, sums BLOB NOT NULL,"
     " PRIMARY KEY(hour, combo)) WITHOUT ROWID;"
     "CREATE TABLE positions(worker INTEGER PRIMARY KEY, drained INTEGER NOT NULL, low INTEGER NOT NULL);"
     "CREATE TABLE losses("
     " id INTEGER PRIMARY KEY, found_us INTEGER NOT NULL, what TEXT NOT NULL,"
     " worker INTEGER, sequence INTEGER, offset INTEGER, bytes INTEGER,"
     " records INTEGER, since_us INTEGER, until_us INTEGER, carry INTEGER, cost_pusd INTEGER, unpriced INTEGER);"
     "CREATE TABLE state(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"},
    /* SQLite cannot change what is unique in a table: combos are copied, ids and all. */
    {2, "routed attempts",
     "ALTER TABLE attempts ADD COLUMN provider;"
     "ALTER TABLE attempts ADD COLUMN config;"
     "ALTER TABLE attempts ADD COLUMN cache INTEGER;"
     "ALTER TABLE attempts ADD COLUMN discarded INTEGER;"
     "ALTER TABLE attempts ADD COLUMN route;"
     "ALTER TABLE attempts ADD COLUMN span_id;"
     "CREATE INDEX attempts_span ON attempts(span_id) WHERE span_id IS NOT NULL;"
     "CREATE TABLE combos_2("
     " id INTEGER PRIMARY KEY,"
     " workspace_id INTEGER NOT NULL, key_id INTEGER NOT NULL, integration_id INTEGER NOT NULL,"
     " operation INTEGER NOT NULL, model_asked INTEGER NOT NULL, model_answered INTEGER NOT NULL,"
     " service_tier INTEGER NOT NULL, status_class INTEGER NOT NULL, outcome INTEGER NOT NULL,"
     " cost_state INTEGER NOT NULL, stream INTEGER NOT NULL,"
     " provider INTEGER NOT NULL, config INTEGER NOT NULL, cache INTEGER NOT NULL, discarded INTEGER NOT NULL,"
     " UNIQUE(workspace_id, key_id, integration_id, operation, model_asked, model_answered, service_tier,"
     "  status_class, outcome, cost_state, stream, provider, config, cache, discarded));"
     "INSERT INTO combos_2 SELECT id, workspace_id, key_id, integration_id, operation, model_asked, model_answered,"
     " service_tier, status_class, outcome, cost_state, stream, 0, 0, 0, 0 FROM combos;"
     "DROP TABLE combos;"
     "ALTER TABLE combos_2 RENAME TO combos;"},
};

#define MIGRATIONS (sizeof migrations / sizeof migrations[0])

bool schema_path(char out[SCHEMA_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, SCHEMA_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < SCHEMA_PATH_MAX;
}

enum err schema_migrate(struct store_db *db)
{
    return store_migrate(db, migrations, MIGRATIONS);
}

enum err schema_check(struct store_db *db)
{
    int version;
    enum err e = store_version(db, &version);
    if (e != ERR_OK)
        return e;
    if (version == 0)
        return ERR_NOT_FOUND;
    return version > (int)MIGRATIONS ? ERR_SCHEMA_NEWER : ERR_OK;
}

enum err schema_state(struct store_db *db, const char *name, int64_t *ret_value)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, "SELECT value FROM state WHERE name=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, str_c(name));
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    *ret_value = row ? store_i64(st, 0) : 0;
    store_clear(st);
    return ERR_OK;
}

enum err schema_set_state(struct store_db *db, const char *name, int64_t value)
{
    struct store_stmt *st;
    enum err e = store_prepare(db, "INSERT OR REPLACE INTO state(name, value) VALUES(?1, ?2)", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, str_c(name));
    store_bind_i64(st, 2, value);
    e = store_run(st);
    store_clear(st);
    return e;
}
