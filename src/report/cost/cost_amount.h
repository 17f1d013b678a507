/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_COST_COST_AMOUNT_H
#define REPORT_COST_COST_AMOUNT_H

/*
 * cost_amount: the numbers of cost reports, exact: 10^-24 dollars in 128 bits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/money.h"

typedef __int128 cost_sum; /* 10^-24 dollars */
#define COST_PER_PUSD INT64_C(1000000000000)
#define COST_TEXT_MAX 64

/* All digits, at least one after the point: "100.0", "-0.000033". Returns the length. */
size_t cost_amount_format(cost_sum amount, char out[COST_TEXT_MAX]);
/* The same, rounded half away from zero to `places` (1 to 24) digits after the point. */
size_t cost_amount_format_rounded(cost_sum amount, unsigned places, char out[COST_TEXT_MAX]);
/* The same for use, which is kept in 10^-12 of a unit; `places` 1 to 12. */
size_t cost_amount_format_usage(money_sum usage, unsigned places, char out[COST_TEXT_MAX]);
/* In pico-dollars, rounded half away from zero. */
money_sum cost_amount_pusd(cost_sum amount);

/* One of those that something is shared out to. */
struct cost_portion {
    uint32_t id;
    money_sum weight; /* 0 or more */
    money_sum share;  /* out */
    money_sum rest;   /* what rounding down left of it; in use by the function */
};
/*
 * Shares out a whole number by weights, exactly: rounded down, and what is left of it one by one to those with
 * the largest remainders, of equal ones to the smaller id. All weights 0: nobody gets anything. The list may be
 * in another order afterwards.
 */
void cost_amount_share(money_sum amount, struct cost_portion *list, size_t count);

/* False, and nothing changed, when the sum would not fit. */
bool cost_amount_add(cost_sum *sum, cost_sum amount);

#endif
