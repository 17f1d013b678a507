/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_COST_COST_DATES_H
#define REPORT_COST_COST_DATES_H

/*
 * cost_dates: date intervals, comparison periods and bins, in UTC.
 *
 * Days are days since 1970-01-01; an interval is [from, until). Intervals reach up to and including
 * today where they name the present. Months are whole calendar months: last_3_months are the three
 * before this one, next_3_months the three after it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "report/cost/cost.h"

/* Columns: name, text, what it is. CUSTOM is two dates and not resolved here. */
#define COST_INTERVAL_TABLE(X)                                               \
    X(THIS_MONTH, "this_month", "the 1st to today")                          \
    X(LAST_7_DAYS, "last_7_days", "seven days, the last one today")          \
    X(LAST_30_DAYS, "last_30_days", "thirty days, the last one today")       \
    X(LAST_MONTH, "last_month", "the month before this one")                 \
    X(LAST_3_MONTHS, "last_3_months", "the three months before this one")    \
    X(LAST_6_MONTHS, "last_6_months", "the six months before this one")      \
    X(CUSTOM, "custom", "two dates")                                         \
    X(LAST_12_MONTHS, "last_12_months", "the twelve months before this one") \
    X(LAST_24_MONTHS, "last_24_months", "the 24 months before this one")     \
    X(LAST_36_MONTHS, "last_36_months", "the 36 months before this one")     \
    X(NEXT_MONTH, "next_month", "the month after this one")                  \
    X(NEXT_3_MONTHS, "next_3_months", "the three months after this one")     \
    X(NEXT_6_MONTHS, "next_6_months", "the six months after this one")       \
    X(NEXT_12_MONTHS, "next_12_months", "the twelve months after this one")  \
    X(YEAR_TO_DATE, "year_to_date", "1 January to today")                    \
    X(LAST_3_DAYS, "last_3_days", "three days, the last one today")          \
    X(LAST_14_DAYS, "last_14_days", "fourteen days, the last one today")

enum cost_interval {
#define X(name, text, what) COST_INTERVAL_##name,
    COST_INTERVAL_TABLE(X)
#undef X
        COST_INTERVAL_COUNT
};
const char *cost_dates_text(enum cost_interval i);
bool cost_dates_parse(struct str text, enum cost_interval *ret);

struct cost_dates {
    int64_t from_day, until_day; /* until_day exclusive */
};

/* `i` is not CUSTOM. */
struct cost_dates cost_dates_resolve(enum cost_interval i, int64_t today);

/*
 * What to compare with. last_N_days: the same number of days just before. Whole months: as many whole
 * months before. Anything else: the same dates of the month so many months back that the periods do
 * not overlap (12–18 March: 12–18 February), a day the month does not have becoming its last (31 March:
 * 28 February).
 */
struct cost_dates cost_dates_previous(enum cost_interval i, struct cost_dates d);

/* Only bins that have ended: until_day cut to the beginning of the bin that holds `today`. */
struct cost_dates cost_dates_complete(struct cost_dates d, enum cost_bin bin, int64_t today);

/* The first day of the bin with this day; CUMULATIVE and HOUR: the day itself; TOTAL: `from_day`. */
int64_t cost_dates_bin(enum cost_bin bin, int64_t day, int64_t from_day);

/* "2026-03-01"; false on anything else. */
bool cost_dates_day_parse(struct str text, int64_t *ret_day);

#endif
