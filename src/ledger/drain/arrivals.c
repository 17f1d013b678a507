/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row an entry: its number, which SQLite never gives twice (AUTOINCREMENT), and the ids as 8-byte
 * little-endian numbers. The table is no part of the schema's versions: it holds nothing that is not
 * in the rows, and comes and goes with an option.
 */
#include "ledger/drain/arrivals.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/wire.h"

#define ID_BYTES 8

enum err arrivals_prepare(struct store_db *db, bool keep)
{
    return store_exec(db, keep ? "CREATE TABLE IF NOT EXISTS arrivals("
                                 " number INTEGER PRIMARY KEY AUTOINCREMENT, ids BLOB NOT NULL)"
                               : "DROP TABLE IF EXISTS arrivals");
}

enum err arrivals_add(struct store_db *db, const int64_t *ids, size_t count)
{
    struct store_stmt *st;
    must(count <= ARRIVALS_ENTRY_MAX);
    if (!count)
        return ERR_OK;
    enum err e = store_prepare(db, "INSERT INTO arrivals(ids) VALUES(?1)", &st);
    if (e != ERR_OK)
        return e;
    unsigned char *bytes = mem_alloc(count * ID_BYTES);
    for (size_t i = 0; i < count; i++)
        wire_put_u64(bytes + i * ID_BYTES, (uint64_t)ids[i]);
    store_bind_blob(st, 1, str_of((const char *)bytes, count * ID_BYTES));
    e = store_run(st);
    store_clear(st);
    mem_free(bytes);
    return e;
}

enum err arrivals_remove(struct store_db *db, int64_t up_to)
{
    struct store_stmt *st;
    enum err e = store_prepare(db, "DELETE FROM arrivals WHERE number <= ?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, up_to);
    return store_run(st);
}

enum err arrivals_waiting(struct store_db *db, int64_t after, uint64_t *ret_ids)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, "SELECT coalesce(sum(length(ids)), 0) FROM arrivals WHERE number > ?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, after);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    *ret_ids = (uint64_t)store_i64(st, 0) / ID_BYTES;
    store_done(st);
    return ERR_OK;
}

static size_t take_ids(struct str bytes, int64_t *out)
{
    struct wire w = wire_of(bytes.p, bytes.n);
    size_t count = bytes.n / ID_BYTES;
    for (size_t i = 0; i < count; i++)
        out[i] = (int64_t)wire_u64(&w);
    return count;
}

enum err arrivals_read(struct store_db *db, int64_t after, int64_t *ret_ids, size_t cap, struct arrivals_page *ret_page)
{
    struct store_stmt *st;
    struct arrivals_page page = {.through = after};
    bool row;
    must(cap >= ARRIVALS_ENTRY_MAX);
    enum err e = arrivals_waiting(db, after, &page.waiting);
    if (e == ERR_OK)
        e = store_prepare(db, "SELECT number, ids FROM arrivals WHERE number > ?1 ORDER BY number", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, after);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct str bytes = store_text(st, 1);
        if (bytes.n / ID_BYTES > cap - page.count) {
            store_done(st);
            break;
        }
        page.count += take_ids(bytes, ret_ids + page.count);
        page.through = store_i64(st, 0);
    }
    if (e == ERR_OK)
        *ret_page = page;
    return e;
}
