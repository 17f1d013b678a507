/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups. A change of a day is put into temp.delta as its old rows with signs turned and its new
 * ones; what cancels out there costs nothing further on. One statement for each rollup, made from the
 * table of rollups in bill_schema.h; the month's pack is read, merged with the changes and written again.
 *
 * Made anew, a month is summed up by place once, into the same table, and goes the same way.
 */
#include "base/must.h"
#include "report/bill/bill_inner.h"
#include "report/bill/bill_pack.h"

#define DELTA "temp.delta"
#define ANY_SUM "SUM(rows)<>0 OR SUM(micro)<>0 OR SUM(pico)<>0 OR SUM(quantity)<>0 OR SUM(nano)<>0"
#define PACK_MAX ((size_t)1 << 30)

struct roll {
    const char *add, *clean, *clear;
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
     "DELETE FROM " #table, #period[0] == 'm'},
    BILL_ROLLUP_TABLE(X)
#undef X
};
#define ROLLS (sizeof rolls / sizeof rolls[0])

enum err bill_inner_delta(struct bill *b)
{
    return store_exec(b->db, "DELETE FROM " DELTA);
}

/* --- packs ----------------------------------------------------------------------------------- */

/* The next place of temp.delta; place 0 in *ret at the end. */
static enum err next_change(struct store_stmt *st, struct bill_pack_sum *ret)
{
    bool row;
    enum err e = store_step(st, &row);
    *ret = (struct bill_pack_sum){.place = 0};
    if (e == ERR_OK && row)
        *ret = (struct bill_pack_sum){store_i64(st, 0), store_i64(st, 1), store_i64(st, 2),
                                      store_i64(st, 3), store_i64(st, 4), store_i64(st, 5)};
    return e;
}

static bool add_sum(struct bill_pack_sum *s, const struct bill_pack_sum *more)
{
    return !__builtin_add_overflow(s->rows, more->rows, &s->rows) &&
           !__builtin_add_overflow(s->micro, more->micro, &s->micro) &&
           !__builtin_add_overflow(s->pico, more->pico, &s->pico) &&
           !__builtin_add_overflow(s->quantity, more->quantity, &s->quantity) &&
           !__builtin_add_overflow(s->nano, more->nano, &s->nano);
}

/* Both ascend by place; what has no rows any more is left out. */
static enum err merge(struct store_stmt *changes, struct str old_pack, struct buf *out)
{
    struct wire w = wire_of(old_pack.p, old_pack.n);
    struct bill_pack_sum old = {.place = 0}, change, next;
    int64_t last = 0;
    bool have = bill_pack_get(&w, &old), ok = true;
    enum err e = next_change(changes, &change);
    while (e == ERR_OK && ok && (have || change.place)) {
        bool take_old = have && (!change.place || old.place <= change.place);
        bool take_change = change.place && (!have || change.place <= old.place);
        next = take_old ? old : change;
        if (take_old && take_change)
            ok = add_sum(&next, &change);
        ok = ok && (next.rows == 0 || bill_pack_put(out, &last, &next));
        if (take_old)
            have = bill_pack_get(&w, &old);
        if (take_change)
            e = next_change(changes, &change);
    }
    if (e == ERR_OK && w.bad)
        return ERR_CORRUPT;
    return e == ERR_OK && !ok ? ERR_BAD_PARAMETER : e;
}

static enum err merged_pack(struct bill *b, int64_t account, int64_t month, struct buf *out)
{
    struct store_stmt *old, *changes;
    bool row;
    enum err e = store_prepare(b->db, "SELECT sums FROM month_pack WHERE account=?1 AND month=?2", &old);
    if (e == ERR_OK)
        e = store_prepare(b->db,
                          "SELECT p.id, SUM(d.rows), SUM(d.micro), SUM(d.pico), SUM(d.quantity), SUM(d.nano)"
                          " FROM " DELTA " d CROSS JOIN places p ON p.account=?1 AND p.project=d.project"
                          " AND p.key=d.key AND p.item=d.item AND p.charge=d.charge AND p.unit=d.unit"
                          " GROUP BY p.id HAVING " ANY_SUM " ORDER BY p.id",
                          &changes);
    if (e != ERR_OK)
        return e;
    store_bind_i64(old, 1, account);
    store_bind_i64(old, 2, month);
    store_bind_i64(changes, 1, account);
    e = store_step(old, &row);
    if (e == ERR_OK)
        e = merge(changes, row ? store_text(old, 0) : STR(""), out);
    store_clear(changes);
    store_clear(old);
    return e;
}

static enum err put_pack(struct bill *b, int64_t account, int64_t month, struct str pack)
{
    struct store_stmt *st;
    enum err e = store_prepare(b->db,
                               pack.n ? "INSERT OR REPLACE INTO month_pack VALUES(?1, ?2, ?3)"
                                      : "DELETE FROM month_pack WHERE account=?1 AND month=?2 AND ?3=''",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account);
    store_bind_i64(st, 2, month);
    if (pack.n)
        store_bind_blob(st, 3, pack);
    else
        store_bind_text(st, 3, STR(""));
    e = store_run(st);
    store_clear(st);
    return e;
}

/* What temp.delta says is added to the month's pack. */
static enum err roll_pack(struct bill *b, int64_t account, int64_t month)
{
    struct buf out;
    buf_init(&out, PACK_MAX);
    enum err e = bill_inner_run(b,
                                "INSERT OR IGNORE INTO places(account, project, key, item, charge, unit)"
                                " SELECT ?1, project, key, item, charge, unit FROM " DELTA,
                                &account, 1);
    if (e == ERR_OK)
        e = merged_pack(b, account, month, &out);
    if (e == ERR_OK)
        e = put_pack(b, account, month, buf_str(&out));
    buf_free(&out);
    return e;
}

/* --- a day ----------------------------------------------------------------------------------- */

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
    return roll_pack(b, account, bill_month_of(day));
}

/* --- everything anew ------------------------------------------------------------------------- */

#define FIVE_SUMS "SUM(b.micro), SUM(b.pico), SUM(b.quantity), SUM(b.nano)"

/* A month by days and by places, from the rows; then the rest from those, which are far fewer. */
static const char *const month_steps[] = {
    "DELETE FROM " DELTA,
    "INSERT INTO " DELTA " SELECT b.project, b.key, b.item, b.charge, b.unit, i.service, i.category, i.subcategory,"
    " COUNT(*), " FIVE_SUMS " FROM bill_rows b JOIN items i ON i.id=b.item WHERE b.account=?1 AND b.day>=?2"
    " AND b.day<?3 GROUP BY b.project, b.key, b.item, b.charge, b.unit",
    "INSERT INTO day_item SELECT ?1, b.day, b.project, b.item, b.charge, b.unit, COUNT(*), " FIVE_SUMS
    " FROM bill_rows b WHERE b.account=?1 AND b.day>=?2 AND b.day<?3"
    " GROUP BY b.day, b.project, b.item, b.charge, b.unit",
    "INSERT INTO day_service SELECT ?1, b.day, b.project, i.service, b.charge, b.unit, SUM(b.rows), " FIVE_SUMS
    " FROM day_item b JOIN items i ON i.id=b.item WHERE b.account=?1 AND b.day>=?2 AND b.day<?3"
    " GROUP BY b.day, b.project, i.service, b.charge, b.unit",
};

static enum err make_month(struct bill *b, int64_t account, int64_t month)
{
    enum err e = ERR_OK;
    const int64_t days[] = {account, bill_month_day(month), bill_month_day(month + 1)}, values[] = {account, month};
    for (size_t i = 0; i < sizeof month_steps / sizeof month_steps[0] && e == ERR_OK; i++)
        e = bill_inner_run(b, month_steps[i], days, i ? 3 : 0);
    for (size_t i = 0; i < ROLLS && e == ERR_OK; i++)
        if (rolls[i].by_month)
            e = bill_inner_run(b, rolls[i].add, values, 2);
    return e == ERR_OK ? roll_pack(b, account, month) : e;
}

/* The next account behind `account` that has rows; false in *ret_row when there is none. */
static enum err next_account(struct bill *b, int64_t *account, int64_t *ret_first, int64_t *ret_last, bool *ret_row)
{
    struct store_stmt *st;
    enum err e = store_prepare(b->db,
                               "SELECT a, (SELECT MIN(day) FROM bill_rows WHERE account=a),"
                               " (SELECT MAX(day) FROM bill_rows WHERE account=a)"
                               " FROM (SELECT MIN(account) AS a FROM bill_rows WHERE account>?1) WHERE a IS NOT NULL",
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
    enum err e = store_exec(b->db, "DELETE FROM month_pack");
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
