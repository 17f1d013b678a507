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

/* False, and nothing changed, when the sum would not fit. */
bool cost_amount_add(cost_sum *sum, cost_sum amount);

#endif
