/* SPDX-License-Identifier: Apache-2.0 */
/* Days and months since 1970; a slot is a day and an hour of it. */
#include "report/watch/schedule.h"

#include "base/must.h"
#include "report/bill/bill.h"

#define HOUR_US (INT64_C(3600) * 1000000)
#define SLOT_US (8 * HOUR_US)

static const struct {
    const char *text;
    int64_t late_hours;
} schedules[SCHEDULE_COUNT] = {{"daily", 20}, {"weekly", 72}, {"monthly", 240}};

bool schedule_parse(struct str text, enum schedule *ret)
{
    for (unsigned i = 0; i < SCHEDULE_COUNT; i++)
        if (str_eq(text, str_c(schedules[i].text))) {
            *ret = (enum schedule)i;
            return true;
        }
    return false;
}

struct schedule_slot schedule_slot(enum schedule s, int64_t now_us)
{
    struct schedule_slot slot;
    int64_t day = bill_day_of(now_us - SLOT_US), month = bill_month_of(day); /* of the newest eight o'clock */
    must(s < SCHEDULE_COUNT);
    switch (s) {
    case SCHEDULE_WEEKLY: /* 1970-01-05 was a Monday */
        day = (day + 3) / 7 * 7 - 3;
        slot = (struct schedule_slot){.from_day = day - 7, .until_day = day, .before_day = day - 14};
        break;
    case SCHEDULE_MONTHLY:
        if (day < bill_month_day(month) + 1)
            month--;
        day = bill_month_day(month) + 1;
        slot = (struct schedule_slot){.from_day = bill_month_day(month - 1),
                                      .until_day = bill_month_day(month),
                                      .before_day = bill_month_day(month - 2)};
        break;
    default:
        slot = (struct schedule_slot){.from_day = day - 1, .until_day = day, .before_day = day - 2};
        break;
    }
    slot.at_us = bill_day_us(day) + SLOT_US;
    slot.late_us = slot.at_us + schedules[s].late_hours * HOUR_US;
    return slot;
}
