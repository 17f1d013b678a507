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
     " SELECT b.account, c." #period ", " dims ", b.charge, b.unit, COUNT(*), SUM(b.micro), SUM(b.pico),"       \
     " SUM(b.quantity), SUM(b.nano)"                                                                            \
     " FROM bill_rows b JOIN temp.calendar c ON c.day=b.day JOIN items i ON i.id=b.item"                        \
     " GROUP BY b.account, c." #period ", " dims ", b.charge, b.unit",                                          \
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

/* temp.calendar: the month of each day that has rows. */
static enum err make_calendar(struct bill *b)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_exec(b->db, "DELETE FROM temp.calendar");
    if (e == ERR_OK)
        e = store_prepare(b->db, "SELECT MIN(day), MAX(day) FROM bill_rows", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    must(row);
    bool empty = store_is_null(st, 0);
    int64_t first = store_i64(st, 0), last = store_i64(st, 1);
    store_clear(st);
    for (int64_t day = first; !empty && day <= last && e == ERR_OK; day++) {
        const int64_t values[] = {day, bill_month_of(day)};
        e = bill_inner_run(b, "INSERT INTO temp.calendar VALUES(?1, ?2)", values, 2);
    }
    return e;
}

enum err bill_inner_rebuild(struct bill *b)
{
    enum err e = make_calendar(b);
    for (size_t i = 0; i < ROLLS && e == ERR_OK; i++) {
        e = store_exec(b->db, rolls[i].clear);
        if (e == ERR_OK)
            e = bill_inner_run(b, rolls[i].make, NULL, 0);
    }
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
