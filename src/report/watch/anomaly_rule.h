/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_ANOMALY_RULE_H
#define REPORT_WATCH_ANOMALY_RULE_H

/*
 * anomaly_rule: whether a day's cost is out of the band that the days before it make likely.
 *
 *     expected = median of the same weekday in the last 5 weeks × level
 *     level    = median of the last 7 days / median of the 28 before those, from 0.5 to 2
 *     above    = expected + the greater of 3 × 1.4826 × MAD and 25 % of expected
 *
 * MAD is the median distance of the last 35 days from the median of their weekday in the other weeks. A day is an anomaly when
 * it is over `above` and at least the minimum over `expected`. It takes 14 days of history; without 5 weeks
 * the weeks there are count. Medians do not mind a few odd days, so an anomaly does not hide the next one. Amounts are pico-dollars, factors are millionths; no floating point.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/money.h"

#define ANOMALY_HISTORY_MIN 14
#define ANOMALY_HISTORY_MAX 35

struct anomaly_verdict {
    bool known; /* there was enough history to say */
    bool found;
    money_sum expected, above;
    money_sum previous; /* the day before */
    money_sum average;  /* of the 7 days before, rounded half up */
};

/* `days` in order, the last one is judged; those before it count, at most ANOMALY_HISTORY_MAX of them. */
struct anomaly_verdict anomaly_judge(const money_sum *days, size_t count, money_sum minimum);

#endif
