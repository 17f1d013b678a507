/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_QUESTION_BUDGET_PERIOD_H
#define REPORT_QUESTION_BUDGET_PERIOD_H

/* budget_period: the days and the amount of one of a budget's periods. */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/money.h"

struct budget_period {
    int64_t from_day, last_day; /* both belong to it */
    money_sum amount;           /* pico-dollars */
};

/*
 * `period` is an element of `list`. Without an end it lasts to the day before the next one begins, the last one to the
 * end of its month. False: it is none.
 */
bool budget_period_read(struct jval list, struct jval period, struct arena *a, struct budget_period *ret);

#endif
