/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weekdays are places modulo seven, counted so that they are the same in history and in what follows it. The level
 * starts at the mean of the first week; errors before the second week is over are left out of the band.
 */
#include "report/forecast/forecast.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define WEEK 7
#define UNIT INT64_C(1000000)
#define LEVEL_PART (UNIT / 8)
#define TREND_PART (UNIT / 40)
#define DAMPING (UNIT * 98 / 100)
#define CLIP_TIMES 2
#define MEDIAN_FROM (4 * WEEK)
#define WIDENS_DAYS 28
#define QUANTILE_PERCENT 10

struct model {
    int64_t factors[WEEK]; /* by place modulo seven */
    money_sum level, trend;
    money_sum low, high; /* of the errors, one day ahead */
};

static int compare(const void *a, const void *b)
{
    const money_sum *x = a, *y = b;
    return *x == *y ? 0 : *x < *y ? -1 : 1;
}

static money_sum mean(const money_sum *list, size_t count)
{
    money_sum sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += list[i];
    return count ? sum / (money_sum)count : 0;
}

/* ---- the parts ---- */

static money_sum median(money_sum *list, size_t n)
{
    qsort(list, n, sizeof list[0], compare);
    return n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

static money_sum usual(const money_sum *days, size_t count, size_t weekday)
{
    money_sum same[FORECAST_HISTORY_MAX / WEEK + 1];
    size_t n = 0;
    for (size_t i = weekday; i < count; i += WEEK)
        same[n++] = days[i];
    return count < MEDIAN_FROM ? mean(same, n) : median(same, n);
}

static void set_factors(struct model *m, const money_sum *days, size_t count)
{
    money_sum each[WEEK], all;
    for (size_t w = 0; w < WEEK; w++)
        each[w] = usual(days, count, w);
    all = mean(each, WEEK);
    for (size_t w = 0; w < WEEK; w++)
        m->factors[w] = all > 0 && each[w] > 0 ? (int64_t)(each[w] * UNIT / all) : all > 0 ? 0 : UNIT;
}

/* A weekday that costs nothing says nothing about the level. */
static bool without_factor(const struct model *m, const money_sum *days, size_t at, money_sum *ret)
{
    int64_t factor = m->factors[at % WEEK];
    *ret = factor ? days[at] * UNIT / factor : 0;
    return factor != 0;
}

/* What the week around a day allows: a single spike says little about the level. */
static money_sum clipped(const struct model *m, const money_sum *days, size_t count, size_t at, money_sum seen)
{
    money_sum around[WEEK], one;
    size_t n = 0, from = at < WEEK / 2 ? 0 : at - WEEK / 2;
    from = from + WEEK > count ? count - WEEK : from;
    for (size_t i = from; i < from + WEEK; i++)
        if (without_factor(m, days, i, &one))
            around[n++] = one;
    one = n ? median(around, n) : 0;
    return one > 0 && seen > CLIP_TIMES * one ? CLIP_TIMES * one : seen;
}

static money_sum first_level(const struct model *m, const money_sum *days)
{
    money_sum sum = 0, one;
    unsigned n = 0;
    for (size_t i = 0; i < WEEK; i++)
        if (without_factor(m, days, i, &one)) {
            sum += one;
            n++;
        }
    return n ? sum / n : 0;
}

static void set_band(struct model *m, money_sum *errors, size_t count)
{
    qsort(errors, count, sizeof errors[0], compare);
    size_t cut = count * QUANTILE_PERCENT / 100;
    m->low = count ? errors[cut] : 0;
    m->high = count ? errors[count - 1 - cut] : 0;
    m->low = m->low > 0 ? 0 : m->low;
    m->high = m->high < 0 ? 0 : m->high;
}

static void fit(struct model *m, const money_sum *days, size_t count)
{
    money_sum errors[FORECAST_HISTORY_MAX];
    size_t known = 0;
    set_factors(m, days, count);
    m->level = first_level(m, days);
    m->trend = 0;
    for (size_t i = 0; i < count; i++) {
        money_sum seen, expected = m->level + m->trend * DAMPING / UNIT;
        if (i >= WEEK)
            errors[known++] = days[i] - expected * m->factors[i % WEEK] / UNIT;
        if (!without_factor(m, days, i, &seen))
            continue;
        money_sum step = (clipped(m, days, count, i, seen) - expected) * LEVEL_PART / UNIT;
        m->level = expected + step;
        m->trend = m->trend * DAMPING / UNIT + step * TREND_PART / UNIT;
    }
    set_band(m, errors, known);
}

static void flat(struct model *m, const money_sum *days, size_t count)
{
    money_sum errors[FORECAST_HISTORY_MIN];
    for (size_t w = 0; w < WEEK; w++)
        m->factors[w] = UNIT;
    m->level = mean(days, count);
    m->trend = 0;
    for (size_t i = 0; i < count; i++)
        errors[i] = days[i] - m->level;
    set_band(m, errors, count);
}

/* ---- ahead ---- */

/* Rounded down; Newton from above. */
static uint64_t root(uint64_t v)
{
    uint64_t r = v, next = (v + 1) / 2;
    while (next < r) {
        r = next;
        next = (r + v / r) / 2;
    }
    return r;
}

void forecast_days(const money_sum *days, size_t count, size_t ahead, struct forecast_point *ret)
{
    struct model m = {.level = 0};
    bool signs = false;
    must(ahead <= FORECAST_AHEAD_MAX);
    if (count > FORECAST_HISTORY_MAX) {
        days += count - FORECAST_HISTORY_MAX;
        count = FORECAST_HISTORY_MAX;
    }
    for (size_t i = 0; i < count; i++)
        signs = signs || days[i] < 0;
    if (count < FORECAST_HISTORY_MIN)
        flat(&m, days, count);
    else
        fit(&m, days, count);
    int64_t damping = UNIT, reach = 0;
    for (size_t h = 0; h < ahead; h++) {
        damping = damping * DAMPING / UNIT;
        reach += damping;
        int64_t wide = (int64_t)root((uint64_t)(UNIT + UNIT * (int64_t)h / WIDENS_DAYS) * (uint64_t)UNIT);
        money_sum amount = (m.level + m.trend * reach / UNIT) * m.factors[(count + h) % WEEK] / UNIT;
        amount = amount < 0 && !signs ? 0 : amount;
        money_sum lower = amount + m.low * wide / UNIT;
        ret[h] = (struct forecast_point){
            .amount = amount, .lower = lower < 0 && !signs ? 0 : lower, .upper = amount + m.high * wide / UNIT};
    }
}
