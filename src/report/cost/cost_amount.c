/* SPDX-License-Identifier: Apache-2.0 */
/* Digits of 128-bit numbers with a point put in. */
#include "report/cost/cost_amount.h"

#include <string.h>

#include "base/must.h"

#define PLACES 24
#define USAGE_PLACES 12

static size_t format(__int128 value, unsigned places, char out[COST_TEXT_MAX])
{
    char reversed[COST_TEXT_MAX];
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    size_t n = 0, skip = 0, used = 0;
    for (unsigned i = 0; rest || i <= places; i++) {
        reversed[n++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    while (skip + 1 < places && reversed[skip] == '0')
        skip++;
    if (value < 0)
        out[used++] = '-';
    for (size_t i = n; i > skip; i--) {
        out[used++] = reversed[i - 1];
        if (i - 1 == places)
            out[used++] = '.';
    }
    out[used] = '\0';
    must(used < COST_TEXT_MAX);
    return used;
}

/* value ÷ 10^drop, half away from zero. */
static __int128 scaled(__int128 value, unsigned drop)
{
    __int128 by = 1;
    while (drop--)
        by *= 10;
    __int128 whole = value / by, rest = value % by;
    if (rest >= by - by / 2 && rest > 0)
        whole++;
    if (-rest >= by - by / 2 && rest < 0)
        whole--;
    return whole;
}

/* With exactly `places` digits after the point. */
static size_t format_fixed(__int128 value, unsigned from, unsigned places, char out[COST_TEXT_MAX])
{
    must(places >= 1);
    must(places <= from);
    char digits[COST_TEXT_MAX];
    size_t n = format(scaled(value, from - places), places, digits);
    const char *point = memchr(digits, '.', n);
    must(point);
    size_t have = n - (size_t)(point - digits) - 1;
    memcpy(out, digits, n);
    for (; have < places; have++)
        out[n++] = '0';
    out[n] = '\0';
    return n;
}

size_t cost_amount_format(cost_sum amount, char out[COST_TEXT_MAX])
{
    return format(amount, PLACES, out);
}

size_t cost_amount_format_rounded(cost_sum amount, unsigned places, char out[COST_TEXT_MAX])
{
    return format_fixed(amount, PLACES, places, out);
}

size_t cost_amount_format_usage(money_sum usage, unsigned places, char out[COST_TEXT_MAX])
{
    return format_fixed(usage, USAGE_PLACES, places, out);
}

money_sum cost_amount_pusd(cost_sum amount)
{
    return scaled(amount, PLACES - 12);
}

bool cost_amount_add(cost_sum *sum, cost_sum amount)
{
    cost_sum s;
    if (__builtin_add_overflow(*sum, amount, &s))
        return false;
    *sum = s;
    return true;
}
