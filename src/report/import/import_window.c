/* SPDX-License-Identifier: Apache-2.0 */
/* Windows end with today, which is provisional; steps are in the order in which they are of use. */
#include "report/import/import_window.h"

#include "base/must.h"

#define RETRY_US (INT64_C(5) * 60 * 1000000)
/* A pull that is a minute early is not put off by a day. */
#define SLACK_US (INT64_C(60) * 1000000)

static void add(struct import_plan *p, struct import_step step)
{
    if (step.from < step.until && p->count < IMPORT_STEPS_MAX)
        p->steps[p->count++] = step;
}

static void add_usage(struct import_plan *p, int64_t from, int64_t until)
{
    for (int64_t end = until; end > from; end -= IMPORT_USAGE_DAYS) {
        int64_t begin = end - IMPORT_USAGE_DAYS > from ? end - IMPORT_USAGE_DAYS : from;
        for (unsigned kind = 0; kind < BILL_USAGE_COUNT; kind++)
            add(p, (struct import_step){IMPORT_USAGE_DAYS_OF, (enum bill_usage)kind, begin, end, false});
    }
}

static void add_hours(struct import_plan *p, int64_t from, int64_t until)
{
    for (unsigned kind = 0; kind < BILL_USAGE_COUNT; kind++)
        add(p, (struct import_step){IMPORT_USAGE_HOURS_OF, (enum bill_usage)kind, from, until, false});
}

static bool is_due(int64_t now_us, int64_t last_us, int64_t period_us)
{
    return now_us - last_us >= period_us - SLACK_US;
}

/*
 * Months from the newest back to `from`; names of keys and users come behind the first. `back_day`: an
 * import that was broken off had come down to here.
 */
static void plan_months(struct import_plan *p, int64_t from, int64_t until, int64_t back_day)
{
    int64_t end = until;
    if (back_day && back_day < until - IMPORT_DAILY_DAYS) {
        add(p, (struct import_step){IMPORT_COSTS, 0, until - IMPORT_DAILY_DAYS, until, false});
        add(p, (struct import_step){IMPORT_MEMBERS, 0, until - 1, until, false});
        end = back_day;
    }
    while (end > from) {
        int64_t begin = bill_month_day(bill_month_of(end - 1));
        begin = begin > from ? begin : from;
        add(p, (struct import_step){IMPORT_COSTS, 0, begin, end, true});
        if (end == until)
            add(p, (struct import_step){IMPORT_MEMBERS, 0, begin, end, false});
        end = begin;
    }
    int64_t hours = until - IMPORT_HOURS_DAYS;
    add_hours(p, hours > from ? hours : from, until);
    add_usage(p, from, until);
}

static void plan_refresh(struct import_plan *p, const struct bill_account *a, int64_t now_us, int64_t until)
{
    p->monthly = is_due(now_us, a->monthly_us, INT64_C(30) * 24 * IMPORT_HOUR_US);
    p->daily = p->monthly || is_due(now_us, a->daily_us, 24 * IMPORT_HOUR_US);
    int64_t days = p->monthly ? IMPORT_MONTHLY_DAYS : p->daily ? IMPORT_DAILY_DAYS : IMPORT_HOURLY_DAYS;
    int64_t from = until - days > a->backfill_day ? until - days : a->backfill_day;
    int64_t hours = p->daily ? until - IMPORT_HOURS_DAYS : until - IMPORT_HOURLY_DAYS;
    add(p, (struct import_step){IMPORT_COSTS, 0, from, until, false});
    if (p->daily)
        add(p, (struct import_step){IMPORT_MEMBERS, 0, from, until, false});
    add_hours(p, hours > from ? hours : from, until);
    add_usage(p, from, until);
}

/* Weeks from the newest back; what was done before is not asked for again. */
static void plan_old(struct import_plan *p, const struct bill_account *a, int64_t now_us, int64_t since_day,
                     int64_t until)
{
    bool unfinished = !a->back_day || a->back_day > a->backfill_day;
    p->monthly = since_day || is_due(now_us, a->monthly_us, INT64_C(30) * 24 * IMPORT_HOUR_US);
    p->daily = p->monthly || is_due(now_us, a->daily_us, 24 * IMPORT_HOUR_US);
    int64_t from = since_day ? since_day : unfinished ? a->backfill_day : until - (p->daily ? IMPORT_OLD_DAYS : 2);
    from = from < until ? from : until - 1;
    for (int64_t end = until; end > from; end -= IMPORT_OLD_DAYS) {
        int64_t begin = end - IMPORT_OLD_DAYS > from ? end - IMPORT_OLD_DAYS : from;
        bool done = unfinished && !since_day && a->back_day && begin >= a->back_day && end < until;
        if (!done)
            add(p, (struct import_step){IMPORT_OLD_USAGE, 0, begin, end, unfinished || since_day});
    }
}

void import_window_plan(const struct bill_account *a, int64_t now_us, int64_t since_day, struct import_plan *ret)
{
    struct import_plan *p = ret;
    int64_t until = bill_day_of(now_us) + 1; /* today is asked for too; it is provisional */
    p->count = 0;
    p->daily = p->monthly = false;
    p->first = a->back_day == 0;
    if (a->kind == BILL_OLD_USAGE) {
        plan_old(p, a, now_us, since_day, until);
        must(p->count > 0);
        return;
    }
    add(p, (struct import_step){IMPORT_PROJECTS, 0, until - 1, until, false});
    int64_t from = since_day ? since_day : a->backfill_day;
    bool unfinished = a->back_day == 0 || a->back_day > a->backfill_day;
    if (since_day || unfinished) {
        p->daily = p->monthly = true;
        plan_months(p, from < until ? from : until - 1, until, since_day ? 0 : a->back_day);
    } else {
        plan_refresh(p, a, now_us, until);
    }
    must(p->count > 1);
}

int64_t import_window_next(int64_t now_us, int64_t failures)
{
    int64_t wait_us = failures <= 0 ? IMPORT_HOUR_US : RETRY_US * failures;
    return now_us + (wait_us < IMPORT_HOUR_US ? wait_us : IMPORT_HOUR_US);
}
