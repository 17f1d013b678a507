/* SPDX-License-Identifier: Apache-2.0 */
/* Medians of at most 35 numbers: sorting copies is quick enough and easy to believe. */
#include "report/watch/anomaly_rule.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define WEEK 7
#define UNIT INT64_C(1000000)
#define LEVEL_MIN (UNIT / 2)
#define LEVEL_MAX (UNIT * 2)
#define BAND INT64_C(4447800) /* 3 × 1.4826 */
#define BAND_LEAST (UNIT / 4)

static int compare(const void *a, const void *b)
{
    const money_sum *x = a, *y = b;
    return *x == *y ? 0 : *x < *y ? -1 : 1;
}

/* Of an even number: the mean of the two in the middle. */
static money_sum median(const money_sum *list, size_t count)
{
    money_sum copy[ANOMALY_HISTORY_MAX];
    must(count && count <= ANOMALY_HISTORY_MAX);
    memcpy(copy, list, count * sizeof copy[0]);
    qsort(copy, count, sizeof copy[0], compare);
    return count % 2 ? copy[count / 2] : (copy[count / 2 - 1] + copy[count / 2]) / 2;
}

/* Of the same weekday as place `at` in the other weeks; at may be `count`, the day that is judged. */
static money_sum weekday(const money_sum *h, size_t count, size_t at)
{
    money_sum same[ANOMALY_HISTORY_MAX / WEEK + 1];
    size_t n = 0;
    for (size_t i = at % WEEK; i < count; i += WEEK)
        if (i != at)
            same[n++] = h[i];
    return median(same, n);
}

static int64_t level(const money_sum *h, size_t count)
{
    money_sum recent = median(h + count - WEEK, WEEK), before = median(h, count - WEEK);
    if (before <= 0)
        return recent > 0 ? LEVEL_MAX : UNIT;
    money_sum ratio = recent * UNIT / before;
    return ratio < LEVEL_MIN ? LEVEL_MIN : ratio > LEVEL_MAX ? LEVEL_MAX : (int64_t)ratio;
}

static money_sum spread(const money_sum *h, size_t count)
{
    money_sum away[ANOMALY_HISTORY_MAX];
    for (size_t i = 0; i < count; i++) {
        money_sum d = h[i] - weekday(h, count, i);
        away[i] = d < 0 ? -d : d;
    }
    return median(away, count);
}

struct anomaly_verdict anomaly_judge(const money_sum *days, size_t count, money_sum minimum)
{
    struct anomaly_verdict v = {.known = count > ANOMALY_HISTORY_MIN};
    if (!v.known)
        return v;
    size_t history = count - 1 < ANOMALY_HISTORY_MAX ? count - 1 : ANOMALY_HISTORY_MAX;
    const money_sum *h = days + count - 1 - history;
    money_sum today = h[history], sum = 0;
    for (size_t i = history - WEEK; i < history; i++)
        sum += h[i];
    v.previous = h[history - 1];
    v.average = (2 * sum + WEEK) / (2 * WEEK);
    v.expected = weekday(h, history, history) * level(h, history) / UNIT;
    money_sum band = spread(h, history) * BAND / UNIT, least = v.expected * BAND_LEAST / UNIT;
    v.above = v.expected + (band > least ? band : least);
    v.found = today > v.above && today - v.expected >= minimum;
    return v;
}
