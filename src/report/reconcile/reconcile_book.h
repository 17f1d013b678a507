/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_RECONCILE_RECONCILE_BOOK_H
#define REPORT_RECONCILE_RECONCILE_BOOK_H

/*
 * reconcile_book: what the price catalogue makes of a quantity, on a day, for a line item of the bill or for metered use.
 * Exact: a price is a fraction. What was looked up is remembered, so one object serves one reading of a bill and its
 * items' ids. Quantities are 10^-12 of a shown unit ("Tokens", "Seconds"), values cost_sum.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/money.h"
#include "base/str.h"
#include "report/cost/cost_amount.h"
#include "report/match/match.h"

struct price_catalog;
struct reconcile_book;

/* A price as a fraction: 10^-24 dollars for 10^-12 of a shown unit are num ÷ den. */
struct reconcile_price_of {
    bool known;
    __int128 num, den;
};

struct reconcile_book *reconcile_book_new(const struct price_catalog *prices);
void reconcile_book_free(struct reconcile_book *b); /* NULL does nothing */
/* Of a line item of the bill, by its id and text, on that day. */
struct reconcile_price_of reconcile_book_item(struct reconcile_book *b, int64_t item, struct str line_item,
                                              const struct match_sku *sku, int64_t day);
/* The same when it was asked for before; else false. */
bool reconcile_book_seen(const struct reconcile_book *b, int64_t item, int64_t day, struct reconcile_price_of *ret);
/* Of metered use: the lowest and highest price it can have had on that day. `model` has an id, 0 = never kept. */
struct reconcile_price_range {
    struct reconcile_price_of low, high;
} reconcile_book_meter(struct reconcile_book *b, int64_t model_id, struct str model, const struct match_sku *sku,
                       uint32_t sku_number, int64_t day);
/* False: it does not fit. */
bool reconcile_book_value(const struct reconcile_price_of *p, money_sum quantity, cost_sum *ret);
/* Shown units: "Tokens", "Seconds" …; "" for METER_COUNT. And how many 10^-12 of them a unit of the meter is. */
struct str reconcile_unit(unsigned meter);
int64_t reconcile_unit_scale(unsigned meter);

#endif
