/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seconds to weeks are a division of the time since a known beginning; months are counted in the
 * calendar of base/clock.h. Division rounds down also for what lies before the beginning.
 */
#include "control/limit/window.h"

#include "base/clock.h"
#include "base/must.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define WEEK_US (7 * DAY_US)
#define FIRST_SUNDAY_US (3 * DAY_US)
#define FIRST_MONDAY_US (4 * DAY_US)
#define NEVER_RETRY_S 86400

static const char *const texts[] = {
#define X(name, text, what) text,
    WINDOW_UNIT_TABLE(X)
#undef X
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static struct window_span stretch(int64_t now_us, int64_t origin_us, int64_t length_us)
{
    int64_t start = origin_us + floor_div(now_us - origin_us, length_us) * length_us;
    return (struct window_span){start, start + length_us};
}

/* The beginning of a month counted from January 1970. */
static int64_t month_start(int64_t month)
{
    int64_t year = floor_div(month, 12);
    return clock_wall_of(
        (struct clock_utc){.year = (int)(1970 + year), .month = (int)(month - year * 12) + 1, .day = 1});
}

static struct window_span months(int64_t now_us, int64_t step)
{
    struct clock_utc t = clock_utc_of(now_us);
    int64_t month = ((int64_t)t.year - 1970) * 12 + t.month - 1;
    int64_t first = floor_div(month, step) * step;
    return (struct window_span){month_start(first), month_start(first + step)};
}

struct window_span window_at(const struct window *w, int64_t now_us)
{
    int64_t step = w->step;
    must(step >= 1);
    must(step <= WINDOW_STEP_MAX);
    switch (w->unit) {
    case WINDOW_SECOND:
        return stretch(now_us, 0, step * SECOND_US);
    case WINDOW_MINUTE:
        return stretch(now_us, 0, step * MINUTE_US);
    case WINDOW_HOUR:
        return stretch(now_us, 0, step * HOUR_US);
    case WINDOW_DAY:
        return stretch(now_us, 0, step * DAY_US);
    case WINDOW_WEEK:
        return stretch(now_us, FIRST_MONDAY_US, step * WEEK_US);
    case WINDOW_WEEK_SUNDAY:
        return stretch(now_us, FIRST_SUNDAY_US, step * WEEK_US);
    case WINDOW_MONTH:
        return months(now_us, step);
    case WINDOW_ANCHOR:
        return stretch(now_us, w->anchor_us, step * DAY_US);
    case WINDOW_NEVER:
        break;
    case WINDOW_UNIT_COUNT:
        must(w->unit < WINDOW_UNIT_COUNT);
    }
    return (struct window_span){0, INT64_MAX};
}

uint64_t window_seconds_left(int64_t end_us, int64_t now_us)
{
    if (end_us == INT64_MAX)
        return NEVER_RETRY_S;
    return end_us <= now_us ? 1 : (uint64_t)((end_us - now_us + SECOND_US - 1) / SECOND_US);
}

bool window_equal(const struct window *a, const struct window *b)
{
    return a->unit == b->unit && a->step == b->step && a->anchor_us == b->anchor_us;
}

const char *window_unit_text(enum window_unit u)
{
    must((unsigned)u < WINDOW_UNIT_COUNT);
    return texts[u];
}

bool window_unit_parse(struct str text, enum window_unit *ret_unit)
{
    for (unsigned u = 0; u < WINDOW_UNIT_COUNT; u++) {
        if (str_eq(text, str_c(texts[u]))) {
            *ret_unit = (enum window_unit)u;
            return true;
        }
    }
    return false;
}
