/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_WATCH_TEXT_H
#define REPORT_WATCH_WATCH_TEXT_H

/* watch_text: numbers and dates as people read them in messages. */

#include "report/watch/watch_eval.h"

#define WATCH_USD_MAX (COST_TEXT_MAX + 4)
#define WATCH_PERCENT_MAX 32
#define WATCH_MESSAGE_MAX (48u << 10)

/* "$12.30", "-$0.05". Returns `out`. */
const char *watch_usd(cost_sum amount, char out[WATCH_USD_MAX]);
/* part / whole as "84%", "0.4%", "1250%": whole percents from 10 on, a tenth below; "-" when whole is 0. Returns `out`. */
const char *watch_percent(cost_sum part, cost_sum whole, char out[WATCH_PERCENT_MAX]);
/* "2026-03-01". Returns `out`. */
const char *watch_day(int64_t day, char out[BILL_DAY_TEXT_MAX]);

/* Both amounts as pico-dollars, so that products with percents fit. */
static inline cost_sum watch_of_pusd(money_sum pusd)
{
    return (cost_sum)pusd * COST_PER_PUSD;
}

#endif
