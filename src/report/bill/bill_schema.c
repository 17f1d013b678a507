/* SPDX-License-Identifier: Apache-2.0 */
/* Migrations of bill.db, append only; what the columns mean is in the header. */
#include "report/bill/bill_schema.h"

#define SUMS " rows, micro, pico, quantity, nano,"

static const struct store_migration migrations[] = {
    {1, "bill",
     "CREATE TABLE accounts("
     " id INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, slug TEXT NOT NULL,"
     " organization TEXT NOT NULL DEFAULT '', title TEXT NOT NULL DEFAULT '',"
     " status INTEGER NOT NULL, error TEXT NOT NULL DEFAULT '', failures INTEGER NOT NULL DEFAULT 0,"
     " created_us INTEGER NOT NULL, success_us INTEGER NOT NULL DEFAULT 0, refresh_us INTEGER NOT NULL DEFAULT 0,"
     " backfill_day INTEGER NOT NULL, back_day INTEGER NOT NULL DEFAULT 0,"
     " names_us INTEGER NOT NULL DEFAULT 0, hourly_us INTEGER NOT NULL DEFAULT 0,"
     " daily_us INTEGER NOT NULL DEFAULT 0, monthly_us INTEGER NOT NULL DEFAULT 0,"
     " no_keys INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0);"
     "CREATE TABLE names("
     " id INTEGER PRIMARY KEY, account INTEGER NOT NULL, kind INTEGER NOT NULL, ext TEXT NOT NULL,"
     " name TEXT NOT NULL DEFAULT '', project INTEGER NOT NULL DEFAULT 0, hint TEXT NOT NULL DEFAULT '',"
     " archived INTEGER NOT NULL DEFAULT 0, UNIQUE(account, kind, ext));"
     "CREATE TABLE terms(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
     "INSERT INTO terms VALUES(0, '');"
     "CREATE TABLE items("
     " id INTEGER PRIMARY KEY, line_item TEXT NOT NULL UNIQUE, service INTEGER NOT NULL, category INTEGER NOT NULL,"
     " subcategory INTEGER NOT NULL, tier INTEGER NOT NULL, model INTEGER NOT NULL);"
     "CREATE TABLE bill_rows("
     " account INTEGER, day INTEGER, project INTEGER, key INTEGER, item INTEGER, charge INTEGER, unit INTEGER,"
     " micro INTEGER NOT NULL, pico INTEGER NOT NULL, quantity INTEGER NOT NULL, nano INTEGER NOT NULL,"
     " amount_text TEXT, quantity_text TEXT,"
     " PRIMARY KEY(account, day, project, key, item, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE days("
     " account INTEGER, day INTEGER, hash BLOB NOT NULL, rows INTEGER NOT NULL,"
     " micro INTEGER NOT NULL, pico INTEGER NOT NULL, state INTEGER NOT NULL,"
     " total_micro INTEGER, total_pico INTEGER, stored_us INTEGER NOT NULL, changed_us INTEGER NOT NULL,"
     " PRIMARY KEY(account, day)) WITHOUT ROWID;"
     "CREATE TABLE corrections("
     " id INTEGER PRIMARY KEY, account INTEGER NOT NULL, day INTEGER NOT NULL, project INTEGER NOT NULL,"
     " key INTEGER NOT NULL, item INTEGER NOT NULL, charge INTEGER NOT NULL, unit INTEGER NOT NULL,"
     " micro INTEGER NOT NULL, pico INTEGER NOT NULL, quantity INTEGER NOT NULL, nano INTEGER NOT NULL,"
     " found_us INTEGER NOT NULL);"
     "CREATE INDEX corrections_day ON corrections(account, day);"
     "CREATE TABLE usage_rows("
     " account INTEGER, kind INTEGER, grain INTEGER, start INTEGER, project INTEGER, user INTEGER, key INTEGER,"
     " model INTEGER, batch INTEGER, tier INTEGER, extra INTEGER, source INTEGER,"
     " input_tok INTEGER NOT NULL, cached_tok INTEGER NOT NULL, uncached_tok INTEGER NOT NULL,"
     " write_tok INTEGER NOT NULL, write_30m_tok INTEGER NOT NULL, write_12h_tok INTEGER NOT NULL,"
     " output_tok INTEGER NOT NULL, text_in_tok INTEGER NOT NULL, text_out_tok INTEGER NOT NULL,"
     " text_cached_tok INTEGER NOT NULL, audio_in_tok INTEGER NOT NULL, audio_cached_tok INTEGER NOT NULL,"
     " audio_out_tok INTEGER NOT NULL, image_in_tok INTEGER NOT NULL, image_cached_tok INTEGER NOT NULL,"
     " image_out_tok INTEGER NOT NULL, images INTEGER NOT NULL, characters INTEGER NOT NULL,"
     " seconds INTEGER NOT NULL, bytes INTEGER NOT NULL, sessions INTEGER NOT NULL, calls INTEGER NOT NULL,"
     " requests INTEGER NOT NULL,"
     " PRIMARY KEY(account, kind, grain, start, project, user, key, model, batch, tier, extra, source)) WITHOUT ROWID;"
     "CREATE TABLE usage_buckets("
     " account INTEGER, kind INTEGER, grain INTEGER, start INTEGER, hash BLOB NOT NULL, rows INTEGER NOT NULL,"
     " stored_us INTEGER NOT NULL, PRIMARY KEY(account, kind, grain, start)) WITHOUT ROWID;"
     "CREATE TABLE pulls("
     " id INTEGER PRIMARY KEY, account INTEGER NOT NULL, at_us INTEGER NOT NULL, endpoint TEXT NOT NULL,"
     " from_day INTEGER NOT NULL, until_day INTEGER NOT NULL, rows INTEGER NOT NULL, changed INTEGER NOT NULL,"
     " ms INTEGER NOT NULL, pages INTEGER NOT NULL, hash BLOB, status INTEGER NOT NULL, error TEXT NOT NULL);"
     "CREATE TABLE settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE day_service(account, day, project, service, charge, unit," SUMS
     " PRIMARY KEY(account, day, project, service, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE day_item(account, day, project, item, charge, unit," SUMS
     " PRIMARY KEY(account, day, project, item, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE month_sku(account, month, service, category, subcategory, charge, unit," SUMS
     " PRIMARY KEY(account, month, service, category, subcategory, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE month_service(account, month, project, service, charge, unit," SUMS
     " PRIMARY KEY(account, month, project, service, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE month_model(account, month, project, service, category, charge, unit," SUMS
     " PRIMARY KEY(account, month, project, service, category, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE month_key(account, month, project, key, charge, unit," SUMS
     " PRIMARY KEY(account, month, project, key, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE month_item(account, month, project, item, charge, unit," SUMS
     " PRIMARY KEY(account, month, project, item, charge, unit)) WITHOUT ROWID;"
     "CREATE TABLE month_full(account, month, project, item, key, charge, unit," SUMS
     " PRIMARY KEY(account, project, item, month, key, charge, unit)) WITHOUT ROWID;"},
    /* Without its setting, rollups are made anew when the file is opened for writing. */
    {2, "months packed",
     "DROP TABLE month_model;"
     "DROP TABLE month_item;"
     "DROP TABLE month_full;"
     "CREATE TABLE places("
     " id INTEGER PRIMARY KEY, account INTEGER NOT NULL, project INTEGER NOT NULL, key INTEGER NOT NULL,"
     " item INTEGER NOT NULL, charge INTEGER NOT NULL, unit INTEGER NOT NULL,"
     " UNIQUE(account, project, key, item, charge, unit));"
     "CREATE TABLE month_pack("
     " account INTEGER, month INTEGER, sums BLOB NOT NULL, PRIMARY KEY(account, month)) WITHOUT ROWID;"
     "DELETE FROM settings WHERE name='services';"},
    {3, "other bills",
     "ALTER TABLE accounts ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE accounts ADD COLUMN prepaid INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE accounts ADD COLUMN note TEXT NOT NULL DEFAULT '';"
     "CREATE TABLE uploads("
     " id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL,"
     " micro INTEGER NOT NULL, pico INTEGER NOT NULL, from_day INTEGER NOT NULL, until_day INTEGER NOT NULL,"
     " author INTEGER NOT NULL, created_us INTEGER NOT NULL, UNIQUE(account, name));"
     "CREATE TABLE upload_rows("
     " upload INTEGER NOT NULL, number INTEGER NOT NULL, account INTEGER NOT NULL, day INTEGER NOT NULL,"
     " project TEXT NOT NULL, key TEXT NOT NULL, line_item TEXT NOT NULL, unit TEXT NOT NULL,"
     " charge INTEGER NOT NULL, amount TEXT NOT NULL, quantity TEXT NOT NULL, PRIMARY KEY(upload, number)) WITHOUT ROWID;"
     "CREATE INDEX upload_rows_day ON upload_rows(account, day);"},
};

#define MIGRATIONS (sizeof migrations / sizeof migrations[0])

enum err bill_schema_migrate(struct store_db *db)
{
    return store_migrate(db, migrations, MIGRATIONS);
}

/* The number of a statement's one row, 0 without one. */
static enum err one_number(struct store_db *db, const char *sql, int64_t *ret)
{
    struct store_stmt *st;
    bool row = false;
    enum err e = store_prepare(db, sql, &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    *ret = row ? store_i64(st, 0) : 0;
    store_done(st);
    return ERR_OK;
}

enum err bill_schema_check(struct store_db *db)
{
    int version;
    int64_t made = 0, accounts = 0;
    enum err e = store_version(db, &version);
    if (e != ERR_OK)
        return e;
    if (version == 0)
        return ERR_NOT_FOUND;
    if (version > (int)MIGRATIONS)
        return ERR_SCHEMA_NEWER;
    if (version == (int)MIGRATIONS)
        e = one_number(db, "SELECT 1 FROM settings WHERE name='services'", &made);
    if (e != ERR_OK || made)
        return e;
    /* A bill whose rollups are still to be made must not read as one of nothing. */
    e = one_number(db, "SELECT COUNT(*) FROM accounts", &accounts);
    if (e != ERR_OK)
        return e;
    return accounts ? ERR_OVERLOADED : ERR_NOT_FOUND;
}

static const struct bill_rollup rollups[] = {
#define X(table, period, dims, by, item) {#table, #period, by, item, false},
    BILL_ROLLUP_TABLE(X)
#undef X
        {"places", "month", BILL_BY_PROJECT | BILL_BY_KEY | BILL_BY_SKU | BILL_BY_ITEM, true, true},
    {"bill_rows", "day", BILL_BY_DAY | BILL_BY_PROJECT | BILL_BY_KEY | BILL_BY_SKU | BILL_BY_ITEM, true, false}};

const struct bill_rollup *bill_rollup(unsigned by)
{
    const struct bill_rollup *r = rollups;
    while ((by & ~r->by) || (r->by & BILL_BY_DAY) != (by & BILL_BY_DAY))
        r++;
    return r;
}
