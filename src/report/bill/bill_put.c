/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A day's costs. They are read into exact numbers, sorted by their place, added up where the place is the
 * same, and hashed in that order: so the hash does not depend on how upstream has ordered or paged
 * them. Only then the database is asked whether that is what it has.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "report/bill/bill_decimal.h"
#include "report/bill/bill_inner.h"

#define MONEY_PLACES 12
#define QUANTITY_PLACES 9
#define TOLERANCE_PUSD 1000000 /* 10^-6 dollars between rows and total are rounding */

struct row {
    const struct bill_cost *cost; /* its place, and its text */
    money_sum pusd, quantity;     /* quantity in billionths */
    bool exact, quantity_exact, merged;
};

struct work {
    struct bill *b;
    const struct bill_day *day;
    struct row *rows;
    size_t count;
    money_sum sum, total;
    bool inconsistent;
    struct bill_cost rest; /* the row of what is not attributed */
    char rest_amount[MONEY_TEXT_MAX];
    unsigned char hash[BILL_HASH_BYTES];
};

/* --- reading --------------------------------------------------------------------------------- */

static enum err bad_number(struct bill *b, const char *what, struct str text)
{
    snprintf(b->reason, sizeof b->reason, "upstream's %s is no number that can be kept: %.*s", what, STR_ARG(text));
    return ERR_BAD_PARAMETER;
}

static enum err read_row(struct bill *b, const struct bill_cost *c, struct row *r)
{
    int64_t micro, pico;
    *r = (struct row){.cost = c, .quantity_exact = true};
    if (!bill_decimal_read(c->amount, MONEY_PLACES, &r->pusd, &r->exact) || !bill_money_split(r->pusd, &micro, &pico))
        return bad_number(b, "amount", str_head(c->amount, 60));
    if (c->quantity.n && (!bill_decimal_read(c->quantity, QUANTITY_PLACES, &r->quantity, &r->quantity_exact) ||
                          r->quantity / 1000000000 > INT64_MAX / 2 || r->quantity / 1000000000 < INT64_MIN / 2))
        return bad_number(b, "quantity", str_head(c->quantity, 60));
    return ERR_OK;
}

static int compare(const void *a, const void *b)
{
    const struct bill_cost *x = ((const struct row *)a)->cost, *y = ((const struct row *)b)->cost;
    int d = str_cmp(x->project, y->project);
    d = d ? d : str_cmp(x->key, y->key);
    d = d ? d : str_cmp(x->line_item, y->line_item);
    d = d ? d : (int)x->charge - (int)y->charge;
    return d ? d : str_cmp(bill_line_unit(x->unit), bill_line_unit(y->unit));
}

static void merge(struct work *w)
{
    size_t n = 0;
    if (w->count > 1)
        qsort(w->rows, w->count, sizeof *w->rows, compare);
    for (size_t i = 0; i < w->count; i++) {
        struct row *last = n ? &w->rows[n - 1] : NULL;
        if (last && compare(last, &w->rows[i]) == 0) {
            last->pusd += w->rows[i].pusd;
            last->quantity += w->rows[i].quantity;
            last->merged = true;
        } else {
            w->rows[n++] = w->rows[i];
        }
    }
    w->count = n;
}

/* What rows do not tell of the total becomes a row of its own. */
static enum err compare_total(struct work *w)
{
    const struct bill_day *d = w->day;
    for (size_t i = 0; i < w->count; i++)
        w->sum += w->rows[i].pusd;
    for (size_t i = 0; i < d->total_count; i++) {
        money_sum v;
        bool exact;
        if (!bill_decimal_read(d->totals[i], MONEY_PLACES, &v, &exact))
            return bad_number(w->b, "total", str_head(d->totals[i], 60));
        w->total += v;
    }
    money_sum gap = w->total - w->sum;
    if (!d->total_known || (gap <= TOLERANCE_PUSD && gap >= -TOLERANCE_PUSD))
        return ERR_OK;
    money_format(gap, w->rest_amount);
    w->inconsistent = true;
    w->rest = (struct bill_cost){.project = STR(""),
                                 .key = STR(""),
                                 .line_item = STR(BILL_UNATTRIBUTED),
                                 .unit = STR(""),
                                 .amount = str_c(w->rest_amount),
                                 .quantity = STR("")};
    w->rows[w->count++] = (struct row){.cost = &w->rest, .pusd = gap, .exact = true, .quantity_exact = true};
    w->sum = w->total;
    return ERR_OK;
}

/* --- the hash -------------------------------------------------------------------------------- */

static bool add_text(struct buf *out, struct str s)
{
    return buf_printf(out, "%zu:", s.n) && buf_add_str(out, s);
}

static enum err hash_rows(struct work *w)
{
    struct buf all;
    bool fits = true;
    char money[MONEY_TEXT_MAX];
    buf_init(&all, SIZE_MAX / 4);
    for (size_t i = 0; i < w->count && fits; i++) {
        const struct row *r = &w->rows[i];
        const struct bill_cost *c = r->cost;
        fits = add_text(&all, c->project) && add_text(&all, c->key) && add_text(&all, c->line_item) &&
               add_text(&all, bill_line_unit(c->unit)) && buf_printf(&all, "%d,", (int)c->charge) &&
               add_text(&all, r->exact || r->merged ? str_of(money, money_format(r->pusd, money)) : c->amount);
        fits = fits && buf_add(&all, &r->quantity, sizeof r->quantity);
    }
    if (fits)
        bill_inner_sha256(buf_str(&all), w->hash);
    buf_free(&all);
    return fits ? ERR_OK : ERR_OVERLOADED;
}

/* --- storing --------------------------------------------------------------------------------- */

/* *ret_had: the day has been imported before. */
static enum err look_up(struct work *w, bool *ret_had, bool *ret_same)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(w->b->db, "SELECT hash FROM days WHERE account=?1 AND day=?2", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, w->day->account);
    store_bind_i64(st, 2, w->day->day);
    e = store_step(st, &row);
    if (e == ERR_OK) {
        *ret_had = row;
        *ret_same = row && str_eq(store_text(st, 0), str_of((const char *)w->hash, sizeof w->hash));
    }
    store_clear(st);
    return e;
}

static enum err take_old(struct work *w)
{
    const int64_t place[] = {w->day->account, w->day->day};
    enum err e = bill_inner_delta(w->b);
    if (e == ERR_OK)
        e = bill_inner_run(w->b,
                           "INSERT INTO temp.delta SELECT b.project, b.key, b.item, b.charge, b.unit, i.service,"
                           " i.category, i.subcategory, -1, -b.micro, -b.pico, -b.quantity, -b.nano"
                           " FROM bill_rows b JOIN items i ON i.id=b.item WHERE b.account=?1 AND b.day=?2",
                           place, 2);
    if (e == ERR_OK)
        e = bill_inner_run(w->b, "DELETE FROM bill_rows WHERE account=?1 AND day=?2", place, 2);
    return e;
}

static enum err put_row(struct work *w, const struct row *r)
{
    struct store_stmt *st;
    struct bill *b = w->b;
    const struct bill_cost *c = r->cost;
    int64_t project, key, item, unit, micro, pico;
    enum err e = bill_inner_name(b, w->day->account, BILL_PROJECT, c->project, &project);
    if (e == ERR_OK)
        e = bill_inner_name(b, w->day->account, BILL_KEY, c->key, &key);
    if (e == ERR_OK)
        e = bill_inner_item(b, c->line_item, &item);
    if (e == ERR_OK)
        e = bill_inner_term(b, bill_line_unit(c->unit), &unit);
    if (e == ERR_OK)
        e = store_prepare(b->db, "INSERT INTO bill_rows VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                          &st);
    if (e != ERR_OK)
        return e;
    if (!bill_money_split(r->pusd, &micro, &pico)) {
        store_clear(st);
        return bad_number(b, "amount", STR(""));
    }
    int64_t whole = (int64_t)(r->quantity / 1000000000), nano = (int64_t)(r->quantity % 1000000000);
    const int64_t values[] = {w->day->account, w->day->day, project, key, item, (int64_t)c->charge, unit,
                              micro,           pico,        whole,   nano};
    for (int i = 0; i < 11; i++)
        store_bind_i64(st, i + 1, values[i]);
    if (!r->exact && !r->merged)
        store_bind_text(st, 12, c->amount);
    if (!r->quantity_exact && !r->merged)
        store_bind_text(st, 13, c->quantity);
    e = store_run(st);
    store_clear(st);
    return e;
}

static enum err put_new(struct work *w)
{
    enum err e = ERR_OK;
    const int64_t place[] = {w->day->account, w->day->day};
    for (size_t i = 0; i < w->count && e == ERR_OK; i++)
        e = put_row(w, &w->rows[i]);
    return e == ERR_OK ? bill_inner_run(w->b,
                                        "INSERT INTO temp.delta SELECT b.project, b.key, b.item, b.charge, b.unit,"
                                        " i.service, i.category, i.subcategory, 1, b.micro, b.pico, b.quantity, b.nano"
                                        " FROM bill_rows b JOIN items i ON i.id=b.item WHERE b.account=?1 AND b.day=?2",
                                        place, 2)
                       : e;
}

/* Of a day that was imported before, in a month whose bill has been made. */
static enum err note_corrections(struct work *w, uint64_t *ret_count)
{
    const struct bill_day *d = w->day;
    const int64_t values[] = {d->account, d->day, d->now_us};
    int64_t closed_us = bill_day_us(bill_month_day(bill_month_of(d->day) + 1) + BILL_CLOSE_DAYS);
    if (d->now_us < closed_us)
        return ERR_OK;
    enum err e = bill_inner_run(
        w->b,
        "INSERT INTO corrections(account, day, project, key, item, charge, unit, micro, pico, quantity, nano, found_us)"
        " SELECT ?1, ?2, project, key, item, charge, unit, SUM(micro), SUM(pico), SUM(quantity), SUM(nano), ?3"
        " FROM temp.delta WHERE true GROUP BY project, key, item, charge, unit"
        " HAVING SUM(micro)<>0 OR SUM(pico)<>0 OR SUM(quantity)<>0 OR SUM(nano)<>0",
        values, 3);
    if (e == ERR_OK)
        *ret_count = (uint64_t)store_changes(w->b->db);
    return e;
}

static enum err put_day(struct work *w, bool changed)
{
    struct store_stmt *st;
    const struct bill_day *d = w->day;
    int64_t micro, pico, total_micro = 0, total_pico = 0;
    enum bill_day_state state = w->inconsistent                                           ? BILL_DAY_INCONSISTENT
                                : d->day + BILL_PROVISIONAL_DAYS > bill_day_of(d->now_us) ? BILL_DAY_PROVISIONAL
                                                                                          : BILL_DAY_FINAL;
    if (!bill_money_split(w->sum, &micro, &pico) || !bill_money_split(w->total, &total_micro, &total_pico))
        return bad_number(w->b, "total", STR(""));
    enum err e = store_prepare(
        w->b->db,
        "INSERT INTO days VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10) ON CONFLICT DO UPDATE SET hash=?3,"
        " rows=?4, micro=?5, pico=?6, state=?7, total_micro=?8, total_pico=?9, stored_us=?10,"
        " changed_us=CASE WHEN ?11 THEN ?10 ELSE changed_us END",
        &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, d->account);
    store_bind_i64(st, 2, d->day);
    store_bind_blob(st, 3, str_of((const char *)w->hash, sizeof w->hash));
    store_bind_i64(st, 4, (int64_t)w->count);
    store_bind_i64(st, 5, micro);
    store_bind_i64(st, 6, pico);
    store_bind_i64(st, 7, state);
    if (d->total_known) {
        store_bind_i64(st, 8, total_micro);
        store_bind_i64(st, 9, total_pico);
    }
    store_bind_i64(st, 10, d->now_us);
    store_bind_i64(st, 11, changed);
    e = store_run(st);
    store_clear(st);
    return e;
}

static enum err replace(struct work *w, bool had, struct bill_stored *ret)
{
    enum err e = take_old(w);
    if (e == ERR_OK)
        e = put_new(w);
    if (e == ERR_OK)
        e = bill_inner_roll(w->b, w->day->account, w->day->day);
    if (e == ERR_OK && had)
        e = note_corrections(w, &ret->corrections);
    return e;
}

static enum err store(struct work *w, struct bill_stored *ret)
{
    bool had = false, same = false;
    enum err e = look_up(w, &had, &same);
    if (e == ERR_OK && !same)
        e = replace(w, had, ret);
    if (e == ERR_OK)
        e = put_day(w, !same);
    if (e != ERR_OK)
        return e;
    ret->changed = !same;
    ret->rows = w->count;
    ret->inconsistent = w->inconsistent;
    return ERR_OK;
}

enum err bill_inner_day_put(struct bill *b, const struct bill_day *day, struct bill_stored *ret)
{
    struct work w = {.b = b, .day = day, .count = day->count};
    struct bill_stored stored = {0};
    enum err e = ERR_OK;
    w.rows = mem_alloc((day->count + 1) * sizeof *w.rows);
    for (size_t i = 0; i < day->count && e == ERR_OK; i++)
        e = read_row(b, &day->costs[i], &w.rows[i]);
    if (e == ERR_OK) {
        merge(&w);
        e = compare_total(&w);
    }
    if (e == ERR_OK)
        e = hash_rows(&w);
    if (e == ERR_OK)
        e = store(&w, &stored);
    mem_free(w.rows);
    if (e == ERR_OK)
        *ret = stored;
    return e;
}

enum err bill_day_put(struct bill *b, const struct bill_day *day, struct bill_stored *ret)
{
    struct bill_stored stored;
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = bill_inner_day_put(b, day, &stored);
    if (e == ERR_OK)
        e = store_commit(b->db);
    if (e != ERR_OK)
        return bill_inner_fail(b, e);
    *ret = stored;
    return ERR_OK;
}
