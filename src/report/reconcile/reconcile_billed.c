/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The billed side. Rows by day and key are the one cut of the bill that no rollup has, so the rows themselves are read,
 * along their order on the disk. Where OpenAI gave no quantity with an amount, the quantity is missing here too.
 */
#include "base/must.h"
#include "report/bill/bill.h"
#include "report/reconcile/reconcile_inner.h"

#define SELECT_ROWS                                                                                              \
    "SELECT b.account, b.day, b.project, b.key, b.item, IFNULL(t.text, ''), b.micro, b.pico, b.quantity, b.nano" \
    " FROM bill_rows AS b LEFT JOIN terms AS t ON t.id = b.unit"                                                 \
    " WHERE b.account = ?1 AND b.day >= ?2 AND b.day < ?3 AND b.charge = 0"
_Static_assert(BILL_CHARGE_USAGE == 0, "the charge in the statement above");

#define SELECT_DAYS "SELECT account, day, state FROM days WHERE account = ?1 AND day >= ?2 AND day < ?3"

#define SELECT_ACCOUNTS                                                                                  \
    "SELECT id FROM accounts WHERE kind = 0 AND (?1 IS NULL OR id IN (SELECT value FROM json_each(?1)))" \
    " ORDER BY id"

/* One account's statement after the other; a statement has at most so many. */
#define ACCOUNTS_MAX 10000

enum err reconcile_accounts(struct reconcile_job *j, int64_t **ret, size_t *ret_count)
{
    const struct cost_scope *scope = &j->q->scope;
    struct str wanted = reconcile_json(j, scope->accounts, scope->all ? 0 : scope->account_count);
    struct store_stmt *st;
    bool row;
    size_t n = 0;
    int64_t *list = arena_alloc(j->arena, ACCOUNTS_MAX * sizeof *list);
    if (!wanted.p || !list)
        return reconcile_no_room(j);
    *ret = list;
    *ret_count = 0;
    if (!j->bill)
        return ERR_OK;
    enum err e = store_prepare(j->bill, SELECT_ACCOUNTS, &st);
    if (e != ERR_OK)
        return reconcile_store_failed(j, j->bill, e);
    if (!scope->all)
        store_bind_text(st, 1, wanted);
    while ((e = store_step(st, &row)) == ERR_OK && row && n < ACCOUNTS_MAX)
        list[n++] = store_i64(st, 0);
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e == ERR_OK ? e : reconcile_store_failed(j, j->bill, e);
}

/* In 10^-12 of the shown unit of the meter; 0 when the unit is another. */
static money_sum quantity_of(unsigned meter, struct str unit, int64_t quantity, int64_t nano)
{
    money_sum billionths = (money_sum)quantity * 1000000000 + nano, own;
    int64_t millionths = match_unit(meter, unit);
    if (!millionths || __builtin_mul_overflow(billionths, (money_sum)millionths / 1000000, &own))
        return 0;
    money_sum times = reconcile_unit_scale(meter) / 1000000000, shown;
    must(times > 0);
    return __builtin_mul_overflow(own, times, &shown) ? 0 : shown;
}

static enum err one_account(struct reconcile_job *j, int64_t account, reconcile_bill_row_fn *fn, void *ctx)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(j->bill, SELECT_ROWS, &st);
    if (e != ERR_OK)
        return reconcile_store_failed(j, j->bill, e);
    store_bind_i64(st, 1, account);
    store_bind_i64(st, 2, j->q->from_day);
    store_bind_i64(st, 3, j->q->until_day);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct reconcile_bill_row r = {.account = store_i64(st, 0),
                                       .day = store_i64(st, 1),
                                       .project = store_i64(st, 2),
                                       .key = store_i64(st, 3),
                                       .item = store_i64(st, 4),
                                       .unit = store_text(st, 5),
                                       .billed = bill_money(store_i64(st, 6), store_i64(st, 7))};
        r.place = match_billed(j->match, r.account, r.project, r.key);
        r.sku = match_item(j->match, r.item);
        if (r.place == MATCH_NONE || r.sku == MATCH_NONE) {
            store_done(st);
            return reconcile_no_room(j);
        }
        r.quantity = quantity_of(match_sku(j->match, r.sku)->meter, r.unit, store_i64(st, 8), store_i64(st, 9));
        e = fn(ctx, &r);
        if (e != ERR_OK) {
            store_done(st);
            return e;
        }
    }
    return e == ERR_OK ? e : reconcile_store_failed(j, j->bill, e);
}

enum err reconcile_bill_rows(struct reconcile_job *j, reconcile_bill_row_fn *fn, void *ctx)
{
    int64_t *accounts;
    size_t count;
    enum err e = reconcile_accounts(j, &accounts, &count);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = one_account(j, accounts[i], fn, ctx);
    return e;
}

/* --- into cells ------------------------------------------------------------------------------ */

/* The text of a line item is asked for once a day of it. */
static enum err price_of(struct reconcile_job *j, const struct reconcile_bill_row *r, struct reconcile_price_of *ret)
{
    struct store_stmt *st;
    bool row;
    if (reconcile_book_seen(j->book, r->item, r->day, ret))
        return ERR_OK;
    enum err e = store_prepare(j->bill, "SELECT line_item FROM items WHERE id = ?1", &st);
    if (e != ERR_OK)
        return reconcile_store_failed(j, j->bill, e);
    store_bind_i64(st, 1, r->item);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return reconcile_store_failed(j, j->bill, e);
    struct str line = row ? store_text(st, 0) : STR("");
    *ret = reconcile_book_item(j->book, r->item, line, match_sku(j->match, r->sku), r->day);
    store_done(st);
    store_clear(st);
    return ERR_OK;
}

static enum err add_row(void *ctx, const struct reconcile_bill_row *r)
{
    struct reconcile_job *j = ctx;
    struct reconcile_price_of price;
    cost_sum value = 0;
    enum err e = price_of(j, r, &price);
    if (e != ERR_OK)
        return e;
    struct reconcile_cell *c = reconcile_cell(j, r->day, r->place, r->sku);
    if (!c)
        return ERR_BAD_PARAMETER;
    c->billed += r->billed;
    c->billed_quantity += r->quantity;
    c->billed_rows++;
    if (r->quantity && reconcile_book_value(&price, r->quantity, &value) && cost_amount_add(&c->book_billed, value))
        return ERR_OK;
    if (!r->quantity && r->billed)
        c->no_quantity = j->no_quantity = true;
    c->plain_billed += r->billed;
    c->plain_quantity += r->quantity;
    return ERR_OK;
}

enum err reconcile_billed_read(struct reconcile_job *j)
{
    return reconcile_bill_rows(j, add_row, j);
}

/* --- days ------------------------------------------------------------------------------------ */

enum err reconcile_days_read(struct reconcile_job *j)
{
    int64_t *accounts;
    size_t count;
    struct store_stmt *st;
    bool row;
    enum err e = reconcile_accounts(j, &accounts, &count);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        e = store_prepare(j->bill, SELECT_DAYS, &st);
        if (e != ERR_OK)
            break;
        store_bind_i64(st, 1, accounts[i]);
        store_bind_i64(st, 2, j->q->from_day);
        store_bind_i64(st, 3, j->q->until_day);
        while ((e = store_step(st, &row)) == ERR_OK && row) {
            const int64_t key[3] = {store_i64(st, 0), store_i64(st, 1), 0};
            match_table_put(&j->days, key, (uint32_t)store_i64(st, 2) + 1);
        }
    }
    return e == ERR_OK ? e : reconcile_store_failed(j, j->bill, e);
}
