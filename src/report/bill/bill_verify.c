/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each rollup, made again from the rows for a month of an account, must be what is stored, row by row:
 * a rollup only ever has sums added to it, so even micro and pico agree. So it is with packs, entry by entry.
 */
#include <stdio.h>

#include "report/bill/bill.h"
#include "report/bill/bill_pack.h"

/* ?1 account, ?2 and ?3 the month's days, ?4 and ?5 the period: the same days, or the month and the next. */
#define MADE(dims)                                                                                                   \
    "SELECT " dims ", b.charge, b.unit, COUNT(*), SUM(b.micro), SUM(b.pico), SUM(b.quantity), SUM(b.nano)"           \
    " FROM bill_rows b JOIN items i ON i.id=b.item WHERE b.account=?1 AND b.day>=?2 AND b.day<?3 GROUP BY b.charge," \
    " b.unit, " dims
#define STORED(table, period, dims)                                                                                \
    "SELECT " dims ", charge, unit, rows, micro, pico, quantity, nano FROM " table " WHERE account=?1 AND " period \
    ">=?4 AND " period "<?5"
#define COMPARE(made, stored) \
    "SELECT 1 FROM (SELECT * FROM (" made " EXCEPT " stored ") UNION ALL SELECT * FROM (" stored " EXCEPT " made "))"

static const struct check {
    const char *table, *sql;
    bool by_month;
} checks[] = {
#define PERIOD_month ""
#define PERIOD_day "day, "
#define X(table, period, dims, by, item) \
    {#table, COMPARE(MADE(PERIOD_##period dims), STORED(#table, #period, PERIOD_##period dims)), #period[0] == 'm'},
    BILL_ROLLUP_TABLE(X)
#undef X
        {"days",
         "SELECT 1 FROM days d WHERE account=?1 AND day>=?2 AND day<?3 AND day>=?4 AND day<?5 AND EXISTS(SELECT 1 FROM"
         " (SELECT COUNT(*) AS n, IFNULL(SUM(micro), 0) AS m, IFNULL(SUM(pico), 0) AS p FROM bill_rows b"
         "  WHERE b.account=d.account AND b.day=d.day)"
         " WHERE n<>d.rows OR m+p/1000000<>d.micro+d.pico/1000000 OR p%1000000<>d.pico%1000000)",
         false},
};

struct range {
    int64_t account, from, until; /* days of one month */
};

static enum err check_range(struct store_db *db, const struct check *c, const struct range *r, bool *ret_ok)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, c->sql, &st);
    if (e != ERR_OK)
        return e;
    int64_t month = bill_month_of(r->from);
    const int64_t values[] = {r->account, r->from, r->until, c->by_month ? month : r->from,
                              c->by_month ? month + 1 : r->until};
    for (int i = 0; i < 5; i++)
        store_bind_i64(st, i + 1, values[i]);
    e = store_step(st, &row);
    if (e == ERR_OK)
        *ret_ok = !row;
    store_clear(st);
    return e;
}

/* --- packs ----------------------------------------------------------------------------------- */

static enum err compare_pack(struct store_stmt *made, struct str pack, bool *ret_ok)
{
    struct wire w = wire_of(pack.p, pack.n);
    struct bill_pack_sum s = {.place = 0};
    bool row = true, same = true;
    enum err e = ERR_OK;
    while (same && (e = store_step(made, &row)) == ERR_OK && row)
        same = bill_pack_get(&w, &s) && s.place == store_i64(made, 0) && s.rows == store_i64(made, 1) &&
               s.micro == store_i64(made, 2) && s.pico == store_i64(made, 3) && s.quantity == store_i64(made, 4) &&
               s.nano == store_i64(made, 5);
    *ret_ok = same && !bill_pack_get(&w, &s) && !w.bad;
    return e;
}

static enum err check_pack(struct store_db *db, const struct range *r, bool *ret_ok)
{
    struct store_stmt *pack, *made;
    bool row = false;
    enum err e = store_prepare(db, "SELECT sums FROM month_pack WHERE account=?1 AND month=?2", &pack);
    if (e == ERR_OK)
        e = store_prepare(db,
                          "SELECT p.id, COUNT(*), SUM(b.micro), SUM(b.pico), SUM(b.quantity), SUM(b.nano)"
                          " FROM bill_rows b CROSS JOIN places p ON p.account=b.account AND p.project=b.project"
                          " AND p.key=b.key AND p.item=b.item AND p.charge=b.charge AND p.unit=b.unit"
                          " WHERE b.account=?1 AND b.day>=?2 AND b.day<?3 GROUP BY p.id ORDER BY p.id",
                          &made);
    if (e != ERR_OK)
        return e;
    store_bind_i64(pack, 1, r->account);
    store_bind_i64(pack, 2, bill_month_of(r->from));
    store_bind_i64(made, 1, r->account);
    store_bind_i64(made, 2, r->from);
    store_bind_i64(made, 3, r->until);
    e = store_step(pack, &row);
    if (e == ERR_OK)
        e = compare_pack(made, row ? store_text(pack, 0) : STR(""), ret_ok);
    store_clear(made);
    store_clear(pack);
    return e;
}

static enum err check_month(struct store_db *db, const struct range *r, bool *ret_ok, const char **ret_table)
{
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        *ret_table = checks[i].table;
        enum err e = check_range(db, &checks[i], r, ret_ok);
        if (e != ERR_OK || !*ret_ok)
            return e;
    }
    *ret_table = "month_pack";
    return check_pack(db, r, ret_ok);
}

static enum err check_account(struct store_db *db, int64_t account, int64_t first, int64_t last, bool *ret_ok,
                              char *why, size_t why_cap)
{
    char from[BILL_DAY_TEXT_MAX];
    const char *table;
    for (int64_t month = bill_month_of(first); month <= bill_month_of(last); month++) {
        struct range r = {account, bill_month_day(month), bill_month_day(month + 1)};
        enum err e = check_month(db, &r, ret_ok, &table);
        if (e != ERR_OK)
            return e;
        if (!*ret_ok) {
            bill_day_format(r.from, from);
            snprintf(why, why_cap, "account %lld, month of %s: %s does not add up to the rows", (long long)account,
                     from, table);
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* The next account behind `account` that has days; false in *ret_row when there is none. */
static enum err next_account(struct store_db *db, int64_t *account, int64_t *ret_first, int64_t *ret_last,
                             bool *ret_row)
{
    struct store_stmt *st;
    enum err e = store_prepare(
        db, "SELECT account, MIN(day), MAX(day) FROM days WHERE account>?1 GROUP BY account ORDER BY account LIMIT 1",
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

enum err bill_verify(struct store_db *db, bool *ret_ok, char *why, size_t why_cap)
{
    int64_t account = INT64_MIN, first = 0, last = 0;
    bool row = true, ok = true;
    enum err e = store_begin_read(db);
    if (e != ERR_OK)
        return e;
    while (ok && (e = next_account(db, &account, &first, &last, &row)) == ERR_OK && row) {
        e = check_account(db, account, first, last, &ok, why, why_cap);
        if (e != ERR_OK)
            break;
    }
    store_rollback(db);
    if (e == ERR_OK)
        *ret_ok = ok;
    return e;
}
