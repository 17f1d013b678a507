/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/*
 * clock: what time it is. Durations and time-outs use the monotonic clock only; dates use the wall
 * clock only. Tests put a clock of their own in place of both.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Microseconds since an arbitrary start; never goes back. */
uint64_t clock_mono_us(void);
/* Microseconds since 1970-01-01T00:00:00Z, without leap seconds. */
int64_t clock_wall_us(void);

struct clock_source {
    uint64_t (*mono_us)(void);
    int64_t (*wall_us)(void);
};
/* Replaces both clocks; NULL restores the system's. Call before threads start. */
void clock_set_source(const struct clock_source *source);

struct clock_utc {
    int year, month, day, hour, minute, second, micro; /* month 1-12, day 1-31 */
};
/* Proleptic Gregorian calendar, UTC. */
struct clock_utc clock_utc_of(int64_t wall_us);
int64_t clock_wall_of(struct clock_utc t);

#define CLOCK_TEXT_MAX 32
/* "2026-11-22T06:28:13Z", or with ".123456" when `micros`; returns the length. */
size_t clock_format(int64_t wall_us, int micros, char out[CLOCK_TEXT_MAX]);
/*
 * Reads "2026-11-22", "2026-11-22T06:28:13Z", "2026-11-22 06:28:13", with an optional fraction and
 * an optional "Z" or "+hh:mm" offset. False on anything else.
 */
bool clock_parse(struct str text, int64_t *ret_wall_us);

#endif
