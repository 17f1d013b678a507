/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar work in whole days and whole months since 1970; nothing here knows a time of day. */
#include "report/cost/cost_dates.h"

#include "base/clock.h"
#include "base/must.h"
#include "report/bill/bill.h"

static const char *const texts[] = {
#define X(name, text, what) text,
    COST_INTERVAL_TABLE(X)
#undef X
};

/* What an interval names: so many days to today, or so many whole months; `sign` -1 before, 1 after this one. */
static const struct {
    int days, months, sign;
} shapes[COST_INTERVAL_COUNT] = {
    [COST_INTERVAL_LAST_3_DAYS] = {3, 0, 0},      [COST_INTERVAL_LAST_7_DAYS] = {7, 0, 0},
    [COST_INTERVAL_LAST_14_DAYS] = {14, 0, 0},    [COST_INTERVAL_LAST_30_DAYS] = {30, 0, 0},
    [COST_INTERVAL_LAST_MONTH] = {0, 1, -1},      [COST_INTERVAL_LAST_3_MONTHS] = {0, 3, -1},
    [COST_INTERVAL_LAST_6_MONTHS] = {0, 6, -1},   [COST_INTERVAL_LAST_12_MONTHS] = {0, 12, -1},
    [COST_INTERVAL_LAST_24_MONTHS] = {0, 24, -1}, [COST_INTERVAL_LAST_36_MONTHS] = {0, 36, -1},
    [COST_INTERVAL_NEXT_MONTH] = {0, 1, 1},       [COST_INTERVAL_NEXT_3_MONTHS] = {0, 3, 1},
    [COST_INTERVAL_NEXT_6_MONTHS] = {0, 6, 1},    [COST_INTERVAL_NEXT_12_MONTHS] = {0, 12, 1},
};

const char *cost_dates_text(enum cost_interval i)
{
    must((unsigned)i < COST_INTERVAL_COUNT);
    return texts[i];
}

bool cost_dates_parse(struct str text, enum cost_interval *ret)
{
    for (unsigned i = 0; i < COST_INTERVAL_COUNT; i++) {
        if (str_eq(text, str_c(texts[i]))) {
            *ret = (enum cost_interval)i;
            return true;
        }
    }
    return false;
}

struct cost_dates cost_dates_resolve(enum cost_interval i, int64_t today)
{
    must(i != COST_INTERVAL_CUSTOM);
    int64_t month = bill_month_of(today);
    if (shapes[i].days)
        return (struct cost_dates){today + 1 - shapes[i].days, today + 1};
    if (shapes[i].sign < 0)
        return (struct cost_dates){bill_month_day(month - shapes[i].months), bill_month_day(month)};
    if (shapes[i].sign > 0)
        return (struct cost_dates){bill_month_day(month + 1), bill_month_day(month + 1 + shapes[i].months)};
    if (i == COST_INTERVAL_YEAR_TO_DATE)
        month = month / 12 * 12;
    return (struct cost_dates){bill_month_day(month), today + 1};
}

/* The same day so many months earlier; one the month does not have becomes its last. */
static int64_t months_before(int64_t day, int64_t months)
{
    int64_t month = bill_month_of(day), into = day - bill_month_day(month);
    int64_t last = bill_month_day(month - months + 1) - 1;
    int64_t same = bill_month_day(month - months) + into;
    return same < last ? same : last;
}

struct cost_dates cost_dates_previous(enum cost_interval i, struct cost_dates d)
{
    int64_t length = d.until_day - d.from_day, last = d.until_day - 1;
    if (shapes[i].days || length <= 0)
        return (struct cost_dates){d.from_day - length, d.from_day};
    int64_t from_month = bill_month_of(d.from_day), until_month = bill_month_of(last) + 1;
    if (d.from_day == bill_month_day(from_month) && d.until_day == bill_month_day(until_month))
        return (struct cost_dates){bill_month_day(from_month - (until_month - from_month)), d.from_day};
    int64_t months = 1;
    while (months_before(last, months) >= d.from_day)
        months++;
    return (struct cost_dates){months_before(d.from_day, months), months_before(last, months) + 1};
}

struct cost_dates cost_dates_complete(struct cost_dates d, enum cost_bin bin, int64_t today)
{
    int64_t end = bin == COST_BIN_TOTAL ? today : cost_dates_bin(bin, today, d.from_day);
    if (d.until_day > end)
        d.until_day = end > d.from_day ? end : d.from_day;
    return d;
}

int64_t cost_dates_bin(enum cost_bin bin, int64_t day, int64_t from_day)
{
    switch (bin) {
    case COST_BIN_WEEK: /* 1970-01-01 was a Thursday */
        return (day + 3) / 7 * 7 - 3;
    case COST_BIN_MONTH:
        return bill_month_day(bill_month_of(day));
    case COST_BIN_QUARTER:
        return bill_month_day(bill_month_of(day) / 3 * 3);
    case COST_BIN_TOTAL:
        return from_day;
    case COST_BIN_CUMULATIVE:
    case COST_BIN_DAY:
    case COST_BIN_HOUR:
    case COST_BIN_COUNT:
        break;
    }
    return day;
}

bool cost_dates_day_parse(struct str text, int64_t *ret_day)
{
    int64_t wall_us;
    if (text.n != 10 || !clock_parse(text, &wall_us))
        return false;
    *ret_day = bill_day_of(wall_us);
    return true;
}
