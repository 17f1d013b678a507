/* SPDX-License-Identifier: Apache-2.0 */
/* Rounded for reading only: what is compared is never what was printed. */
#include "report/watch/watch_text.h"

#include <stdio.h>

const char *watch_usd(cost_sum amount, char out[WATCH_USD_MAX])
{
    char digits[COST_TEXT_MAX];
    size_t n = cost_amount_format_rounded(amount < 0 ? -amount : amount, 2, digits);
    snprintf(out, WATCH_USD_MAX, "%s$%.*s", amount < 0 ? "-" : "", (int)n, digits);
    return out;
}

const char *watch_percent(cost_sum part, cost_sum whole, char out[WATCH_PERCENT_MAX])
{
    cost_sum size = part < 0 ? -part : part, unit = whole < 0 ? -whole : whole;
    unit /= 1000; /* tenths of a percent; what is cut is far below one */
    if (!unit) {
        snprintf(out, WATCH_PERCENT_MAX, "-");
        return out;
    }
    cost_sum tenths = size / unit;
    unsigned long long shown = tenths > 999999999 ? 999999999 : (unsigned long long)tenths;
    bool negative = (part < 0) != (whole < 0) && shown;
    if (shown >= 100 || shown % 10 == 0)
        snprintf(out, WATCH_PERCENT_MAX, "%s%llu%%", negative ? "-" : "", shown / 10);
    else
        snprintf(out, WATCH_PERCENT_MAX, "%s%llu.%llu%%", negative ? "-" : "", shown / 10, shown % 10);
    return out;
}

const char *watch_day(int64_t day, char out[BILL_DAY_TEXT_MAX])
{
    bill_day_format(day, out);
    return out;
}
