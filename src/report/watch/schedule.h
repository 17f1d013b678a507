/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_SCHEDULE_H
#define REPORT_WATCH_SCHEDULE_H

/*
 * schedule: when a report notification is due and which days it is about.
 *
 *     daily    every day        the day before                compared with the day before that
 *     weekly   on Mondays       the seven days before         with the seven before those
 *     monthly  on the 2nd       the calendar month before     with the one before that
 *
 * at 08:00 UTC. One that could not be sent then, because nothing ran, is made up for within a time of its own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum schedule { SCHEDULE_DAILY, SCHEDULE_WEEKLY, SCHEDULE_MONTHLY, SCHEDULE_COUNT };
/* "daily", "weekly", "monthly" */
bool schedule_parse(struct str text, enum schedule *ret);

struct schedule_slot {
    int64_t at_us, late_us;      /* due from, and until */
    int64_t from_day, until_day; /* what it is about; until_day exclusive */
    int64_t before_day;          /* the period compared with: before_day to from_day */
};
/* The newest one that is not after now. */
struct schedule_slot schedule_slot(enum schedule s, int64_t now_us);

#endif
