/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_WINDOW_H
#define REPORT_IMPORT_IMPORT_WINDOW_H

/*
 * import_window: what an account's next pull asks for, and when it is due. No I/O, no clock.
 *
 * A first import goes month by month, the newest first, so that the default report is of use after a
 * few seconds; it goes on where it was when it is broken off. After that the open window is read
 * again: every hour three days, every day 35, every month 100, since the bill is restated. Costs of a
 * window are one step; usage goes in pages of 31 days, and by the hour for the last days. Accounts of old
 * usage pages are asked for weeks, the newest first, in the same windows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/bill/bill.h"

#define IMPORT_HOURLY_DAYS 3
#define IMPORT_DAILY_DAYS 35
#define IMPORT_MONTHLY_DAYS 100
#define IMPORT_HOURS_DAYS 7 /* usage by the hour at a daily pull */
#define IMPORT_USAGE_DAYS 31
#define IMPORT_OLD_DAYS 7 /* of old usage pages in a step */
#define IMPORT_HOUR_US (INT64_C(3600) * 1000000)
#define IMPORT_STEPS_MAX 1024

enum import_what {
    IMPORT_PROJECTS,
    IMPORT_COSTS,
    IMPORT_MEMBERS,
    IMPORT_USAGE_DAYS_OF,
    IMPORT_USAGE_HOURS_OF,
    IMPORT_OLD_USAGE /* usage and estimated costs, a request a day */
};

struct import_step {
    enum import_what what;
    enum bill_usage kind; /* of usage */
    int64_t from, until;  /* days, until exclusive */
    bool backfill;        /* when it is done, everything from `from` on has been imported */
};

struct import_plan {
    struct import_step steps[IMPORT_STEPS_MAX];
    size_t count;
    bool first;          /* nothing had been imported before */
    bool daily, monthly; /* which window this pull is; hourly else */
};

/* `since_day` 0: what is due; else everything from that day on. */
void import_window_plan(const struct bill_account *a, int64_t now_us, int64_t since_day, struct import_plan *ret);
/* When the next pull is due after one that went well, or failed for the `failures`-th time. */
int64_t import_window_next(int64_t now_us, int64_t failures);

#endif
