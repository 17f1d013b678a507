/* SPDX-License-Identifier: Apache-2.0 */
/* Each limit is a ring of the times of its last calls: the oldest of them says when there is room again. */
#include "console/vantage/access/calls.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/job.h"
#include "console/vantage/vantage_reply.h"

#define HOUR_US UINT64_C(3600000000)
#define REPORTS_US UINT64_C(5000000)

struct window {
    uint64_t *times; /* monotonic; `count` of them, the oldest at `first` */
    uint64_t cap, first, count, length_us;
};

struct calls {
    struct window hour, reports;
};

static void window_init(struct window *w, uint64_t cap, uint64_t length_us)
{
    *w = (struct window){.cap = cap, .length_us = length_us};
    if (cap)
        w->times = mem_zalloc(cap * sizeof *w->times);
}

struct calls *calls_new(uint64_t by_hour, uint64_t reports)
{
    must(by_hour <= CALLS_HOUR_MAX);
    must(reports <= CALLS_REPORTS_MAX);
    if (!by_hour && !reports)
        return NULL;
    struct calls *c = mem_zalloc(sizeof *c);
    window_init(&c->hour, by_hour, HOUR_US);
    window_init(&c->reports, reports, REPORTS_US);
    return c;
}

void calls_free(struct calls *c)
{
    if (!c)
        return;
    mem_free(c->hour.times);
    mem_free(c->reports.times);
    mem_free(c);
}

/* 0 when there is room, else how long there is none. */
static uint64_t wait_us(struct window *w, uint64_t now)
{
    while (w->count && now - w->times[w->first] >= w->length_us) {
        w->first = (w->first + 1) % w->cap;
        w->count--;
    }
    return w->count && w->count == w->cap ? w->times[w->first] + w->length_us - now : 0;
}

static void add(struct window *w, uint64_t now)
{
    if (w->cap)
        w->times[(w->first + w->count++) % w->cap] = now;
}

static bool is_report(const struct job *j)
{
    return str_starts(j->route->path, STR("/v2/cost_reports")) || str_starts(j->route->path, STR("/v2/costs"));
}

bool calls_admit(struct calls *c, struct job *j)
{
    /* What was fetched for a call brings it here a second time. */
    if (!c || j->fetch || j->route->access == JOB_PUBLIC || j->route->access == JOB_PROBE)
        return true;
    uint64_t now = clock_mono_us(), wait = wait_us(&c->hour, now),
             of_reports = is_report(j) ? wait_us(&c->reports, now) : 0;
    if (of_reports > wait)
        wait = of_reports;
    if (!wait) {
        add(&c->hour, now);
        if (is_report(j))
            add(&c->reports, now);
        return true;
    }
    vantage_fail(j, 429, "Rate limit exceeded");
    bool ok = buf_printf(&j->lines, "Retry-After: %llu\r\n", (unsigned long long)((wait + 999999) / 1000000));
    must(ok);
    return false;
}
