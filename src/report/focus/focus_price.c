/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantities and prices, in whole numbers. OpenAI prices tokens by the million, so that is the pricing unit of tokens;
 * everything else is priced as it is counted. A unit price is a cost divided by its quantity, rounded at 10^-24
 * dollars, so price times quantity is the cost to far more digits than any cost has. Prices have no sign:
 * where a cost is negative, so is its quantity.
 */
#include "base/must.h"
#include "report/focus/focus_row.h"
#include "report/reconcile/reconcile_inner.h"

#define MILLION 1000000
#define PER_USED 1000 /* 10^-15 in 10^-12 */
#define ONE_OF_USED ((__int128)1000000000000)

/* Pricing units, and how many used units one has. */
static const struct {
    const char *used, *priced;
    int64_t each;
} units[] = {
    {"Tokens", "1000000 Tokens", MILLION},
    {"1000 Tokens", "1000000 Tokens", 1000},
    {"Characters", "1000000 Characters", MILLION},
};

static int64_t unit_of(struct focus_row *row)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (str_eq(row->used_unit, str_c(units[i].used))) {
            row->unit = str_c(units[i].priced);
            return units[i].each;
        }
    row->unit = row->used_unit;
    return 1;
}

static __int128 size_of(__int128 v)
{
    return v < 0 ? -v : v;
}

/* cost ÷ quantity, by the pricing unit. */
static bool by_unit(cost_sum cost, __int128 quantity, cost_sum *ret)
{
    return reconcile_wide(size_of(cost), FOCUS_QUANTITY_ONE, size_of(quantity), ret);
}

/* The catalogue's price of a pricing unit, and what the quantity costs by it. */
static bool by_list(const struct focus_row *row, const struct focus_list *list, int64_t each, cost_sum *ret_price,
                    cost_sum *ret_cost)
{
    cost_sum price, cost;
    if (!list->known || list->num < 0 || !reconcile_wide(list->num, ONE_OF_USED * each, list->den, &price) ||
        !reconcile_wide(size_of(row->quantity), price, FOCUS_QUANTITY_ONE, &cost))
        return false;
    *ret_price = price;
    *ret_cost = row->quantity < 0 ? -cost : cost;
    return true;
}

void focus_price_one(struct focus_row *row)
{
    row->measured = row->priced = true;
    row->unit = STR("Charges");
    row->quantity = row->contracted < 0 ? -FOCUS_QUANTITY_ONE : FOCUS_QUANTITY_ONE;
    row->contracted_price = row->list_price = size_of(row->contracted);
    row->list = row->contracted;
    row->price_source = STR("bill");
    row->consumed = row->charge == FOCUS_CHARGE_USAGE;
    row->used_unit = row->unit;
    row->used = (money_sum)(row->quantity / PER_USED);
}

void focus_price(struct focus_row *row, const struct focus_list *list)
{
    if (!row->used || !row->used_unit.n) {
        focus_price_one(row);
        return;
    }
    int64_t each = unit_of(row);
    row->quantity = (__int128)row->used * PER_USED / each;
    if (!row->quantity || (__int128)row->used * PER_USED % each) {
        row->unit = row->used_unit; /* too little to be a part of a million */
        each = 1;
        row->quantity = (__int128)row->used * PER_USED;
    }
    bool against = (row->contracted < 0) != (row->quantity < 0) && row->contracted;
    if (against)
        row->quantity = -row->quantity;
    row->measured = row->consumed = true;
    row->priced = by_unit(row->contracted, row->quantity, &row->contracted_price);
    if (!row->priced) {
        focus_price_one(row);
        return;
    }
    row->price_source = STR("catalogue");
    if (!by_list(row, list, each, &row->list_price, &row->list)) {
        row->list_price = row->contracted_price;
        row->list = row->contracted;
        row->price_source = STR("bill");
    }
}
