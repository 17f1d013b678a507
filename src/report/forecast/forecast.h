/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_FORECAST_FORECAST_H
#define REPORT_FORECAST_FORECAST_H

/*
 * forecast: what days to come will cost, from what days have cost.
 *
 * With 14 days of history or more: a factor for each weekday, a level and a damped trend.
 *
 *     factor  the weekday's median (from four weeks on; before that its mean) by the mean of all seven
 *     level, trend  exponential smoothing of what the days cost without their factor, no day counting for more than
 *             twice the median of the week around it: an eighth of each error goes to the level, a fortieth of
 *             that to the trend
 *     day h   (level + trend × (0.98 + 0.98² + … + 0.98^h)) × factor of its weekday
 *
 * With less: the mean of the days there are. The band is the 10 % and the 90 % quantile of the errors that this method
 * would have made one day ahead, √(1 + h/28) as far away. What has never been negative is never expected to be.
 *
 * Amounts are pico-dollars, factors millionths; nothing is floating point. The same history gives the same forecast.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/money.h"

#define FORECAST_HISTORY_MIN 14
#define FORECAST_HISTORY_MAX 112 /* of more only the last ones count */
#define FORECAST_AHEAD_MAX 400

struct forecast_point {
    money_sum amount, lower, upper;
};

/* `days` in order without gaps; `ahead` days behind the last one, at most FORECAST_AHEAD_MAX. */
void forecast_days(const money_sum *days, size_t count, size_t ahead, struct forecast_point *ret);

#endif
