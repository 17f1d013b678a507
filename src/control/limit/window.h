/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_WINDOW_H
#define CONTROL_LIMIT_WINDOW_H

/*
 * window: the fixed stretches of time that limits count in.
 *
 * All are aligned to UTC and known beforehand: they do not begin with somebody's first request. Times
 * are wall-clock microseconds; UTC has no daylight saving, and leap seconds do not exist here. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Columns: name, text in the database and in APIs of ours, where windows begin. Append only. */
#define WINDOW_UNIT_TABLE(X)                                                                      \
    X(NEVER, "never", "one window without an end")                                                \
    X(SECOND, "second", "every `step` seconds from 1970-01-01T00:00:00Z on")                      \
    X(MINUTE, "minute", "every `step` minutes from then on")                                      \
    X(HOUR, "hour", "every `step` hours from then on")                                            \
    X(DAY, "day", "every `step` days from then on, at 00:00")                                     \
    X(WEEK, "week", "Mondays 00:00 from 1970-01-05 on, every `step` weeks")                       \
    X(WEEK_SUNDAY, "week_sunday", "Sundays 00:00 from 1970-01-04 on, every `step` weeks")         \
    X(MONTH, "month", "the 1st 00:00, every `step` months from January 1970 on (3: the quarter)") \
    X(ANCHOR, "anchor", "every `step` days from `anchor_us` on, and before it")

enum window_unit {
#define X(name, text, what) WINDOW_##name,
    WINDOW_UNIT_TABLE(X)
#undef X
        WINDOW_UNIT_COUNT
};

#define WINDOW_STEP_MAX 100000

struct window {
    enum window_unit unit;
    uint32_t step;     /* 1 … WINDOW_STEP_MAX; 1 for NEVER */
    int64_t anchor_us; /* ANCHOR only, else 0 */
};

struct window_span {
    int64_t start_us; /* 0 for NEVER */
    int64_t end_us;   /* the first moment behind it; INT64_MAX for NEVER */
};

/* The window that `now_us` (≥ 0) lies in. Its start may be before 1970. */
struct window_span window_at(const struct window *w, int64_t now_us);
/* Whole seconds until `end_us`, rounded up, 1 at least; for an end that never comes: one day. */
uint64_t window_seconds_left(int64_t end_us, int64_t now_us);
bool window_equal(const struct window *a, const struct window *b);

const char *window_unit_text(enum window_unit u);
bool window_unit_parse(struct str text, enum window_unit *ret_unit);

#endif
