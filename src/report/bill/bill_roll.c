/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups. A change of a day is put into temp.delta as its old rows with signs turned and its new
 * ones; what cancels out there costs nothing further on. One statement for each rollup, made from the
 * table of rollups in bill_schema.h.
 */
#include "base/must.h"
#include "report/bill/bill_inner.h"

#define DELTA "temp.delta"
#define ANY_SUM "SUM(rows)<>0 OR SUM(micro)<>0 OR SUM(pico)<>0 OR SUM(quantity)<>0 OR SUM(nano)<>0"

struct roll {
    const char *add, *clean, *clear, *make;
    bool by_month;
};

static const struct roll rolls[] = {
#define AT_month "?4"
#define BY_month ""
#define AT_day "b.day"
#define BY_day "b.day, "
#define X(table, period, dims, by, item)                                                                        \
    {"INSERT INTO " #table "(account, " #period ", " dims ", charge, unit, rows, micro, pico, quantity, nano)"  \
     " SELECT ?1, ?2, " dims ", charge, unit, SUM(rows), SUM(micro), SUM(pico), SUM(quantity), SUM(nano)"       \
     " FROM " DELTA " WHERE true GROUP BY " dims ", charge, unit HAVING " ANY_SUM                               \
     " ON CONFLICT DO UPDATE SET rows=rows+excluded.rows, micro=micro+excluded.micro, pico=pico+excluded.pico," \
     " quantity=quantity+excluded.quantity, nano=nano+excluded.nano",                                           \
     "DELETE FROM " #table " WHERE account=?1 AND " #period "=?2 AND (" dims ", charge, unit)"                  \
     " IN (SELECT " dims ", charge, unit FROM " DELTA ") AND rows=0",                                           \
     "DELETE FROM " #table,                                                                                     \
     "INSERT INTO " #table "(account, " #period ", " dims ", charge, unit, rows, micro, pico, quantity, nano)"  \
     " SELECT ?1, " AT_##period ", " dims ", b.charge, b.unit, COUNT(*), SUM(b.micro), SUM(b.pico),"            \
                                " SUM(b.quantity), SUM(b.nano) FROM bill_rows b JOIN items i ON i.id=b.item"    \
                                " WHERE b.account=?1 AND b.day>=?2 AND b.day<?3 GROUP BY " BY_##period dims     \
     ", b.charge, b.unit",                                                                                      \
     #period[0] == 'm'},
    BILL_ROLLUP_TABLE(X)
#undef X
};
#define ROLLS (sizeof rolls / sizeof rolls[0])

enum err bill_inner_delta(struct bill *b)
{
    return store_exec(b->db, "DELETE FROM " DELTA);
}

enum err bill_inner_roll(struct bill *b, int64_t account, int64_t day)
{
    for (size_t i = 0; i < ROLLS; i++) {
        const int64_t values[] = {account, rolls[i].by_month ? bill_month_of(day) : day};
        enum err e = bill_inner_run(b, rolls[i].add, values, 2);
        if (e == ERR_OK)
            e = bill_inner_run(b, rolls[i].clean, values, 2);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

/* All rollups of a month of an account: month by month, so that sorting needs little memory. */
static enum err make_month(struct bill *b, int64_t account, int64_t month)
{
    enum err e = ERR_OK;
    const int64_t values[] = {account, bill_month_day(month), bill_month_day(month + 1), month};
    for (size_t i = 0; i < ROLLS && e == ERR_OK; i++)
        e = bill_inner_run(b, rolls[i].make, values, rolls[i].by_month ? 4 : 3);
    return e;
}

/* The next account behind `account` that has rows; false in *ret_row when there is none. */
static enum err next_account(struct bill *b, int64_t *account, int64_t *ret_first, int64_t *ret_last, bool *ret_row)
{
    struct store_stmt *st;
    enum err e = store_prepare(b->db,
                               "SELECT account, MIN(day), MAX(day) FROM bill_rows WHERE account="
                               "(SELECT MIN(account) FROM bill_rows WHERE account>?1) GROUP BY account",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, *account);
    e = store_step(st, ret_row);
    if (e == ERR_OK && *ret_row) {
        *account = store_i64(st, 0);
        *ret_first = store_i64(st, 1);
        *ret_last = store_i64(st, 2);
    }
    store_clear(st);
    return e;
}

enum err bill_inner_rebuild(struct bill *b)
{
    enum err e = ERR_OK;
    int64_t account = INT64_MIN, first = 0, last = 0;
    bool row = true;
    for (size_t i = 0; i < ROLLS && e == ERR_OK; i++)
        e = store_exec(b->db, rolls[i].clear);
    while (e == ERR_OK && (e = next_account(b, &account, &first, &last, &row)) == ERR_OK && row)
        for (int64_t month = bill_month_of(first); month <= bill_month_of(last) && e == ERR_OK; month++)
            e = make_month(b, account, month);
    return e;
}

enum err bill_rebuild(struct bill *b)
{
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = bill_inner_rebuild(b);
    if (e == ERR_OK)
        e = store_commit(b->db);
    return e == ERR_OK ? e : bill_inner_fail(b, e);
}
