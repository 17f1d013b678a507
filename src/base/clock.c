/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and the civil calendar. The calendar arithmetic counts days from 0000-03-01, so that leap
 * days fall at the end of the counted year.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static const struct clock_source *override;

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
    return override ? override->mono_us() : (uint64_t)read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return override ? override->wall_us() : read_clock(CLOCK_REALTIME);
}

void clock_set_source(const struct clock_source *source)
{
    override = source;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct clock_utc clock_utc_of(int64_t wall_us)
{
    int64_t seconds = floor_div(wall_us, 1000000);
    int64_t days = floor_div(seconds, 86400);
    int64_t rest = seconds - days * 86400;
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct clock_utc t;
    t.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    t.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    t.year = (int)(yoe + era * 400 + (t.month <= 2));
    t.hour = (int)(rest / 3600);
    t.minute = (int)(rest / 60 % 60);
    t.second = (int)(rest % 60);
    t.micro = (int)(wall_us - seconds * 1000000);
    return t;
}

int64_t clock_wall_of(struct clock_utc t)
{
    int64_t seconds = days_of(t.year, t.month, t.day) * 86400 + t.hour * 3600 + t.minute * 60 + t.second;
    return seconds * 1000000 + t.micro;
}

size_t clock_format(int64_t wall_us, int micros, char out[CLOCK_TEXT_MAX])
{
    struct clock_utc t = clock_utc_of(wall_us);
    char text[96];
    int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", t.year, t.month, t.day, t.hour, t.minute,
                     t.second);
    n += snprintf(text + n, sizeof text - (size_t)n, micros ? ".%06dZ" : "Z", t.micro);
    str_copy(out, CLOCK_TEXT_MAX, str_of(text, (size_t)n));
    return strlen(out);
}

/* Takes exactly `digits` decimal digits from the front of *s. */
static bool take_number(struct str *s, size_t digits, int *ret)
{
    uint64_t v;
    if (s->n < digits || !str_to_u64(str_head(*s, digits), &v))
        return false;
    *ret = (int)v;
    *s = str_from(*s, digits);
    return true;
}

static bool take_byte(struct str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool parse_offset(struct str *s, int64_t *ret_seconds)
{
    int sign = s->p[0] == '-' ? -1 : 1, h, m;
    *s = str_from(*s, 1);
    if (!take_number(s, 2, &h))
        return false;
    (void)take_byte(s, ':');
    if (!take_number(s, 2, &m) || h > 23 || m > 59)
        return false;
    *ret_seconds = sign * (h * 3600 + m * 60);
    return true;
}

static bool parse_time(struct str *s, struct clock_utc *t, int64_t *ret_offset)
{
    if (!take_number(s, 2, &t->hour) || !take_byte(s, ':') || !take_number(s, 2, &t->minute))
        return false;
    if (take_byte(s, ':') && !take_number(s, 2, &t->second))
        return false;
    if (t->hour > 23 || t->minute > 59 || t->second > 60)
        return false;
    if (take_byte(s, '.')) {
        int scale = 100000, digits = 0;
        for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_from(*s, 1), scale /= 10, digits++)
            t->micro += (s->p[0] - '0') * scale;
        if (!digits)
            return false;
    }
    if (s->n && (s->p[0] == '+' || s->p[0] == '-'))
        return parse_offset(s, ret_offset);
    (void)take_byte(s, 'Z');
    return true;
}

bool clock_parse(struct str text, int64_t *ret_wall_us)
{
    struct clock_utc t = {0};
    int64_t offset = 0;
    struct str s = text;
    if (!take_number(&s, 4, &t.year) || !take_byte(&s, '-') || !take_number(&s, 2, &t.month) || !take_byte(&s, '-') ||
        !take_number(&s, 2, &t.day))
        return false;
    if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > month_days(t.year, t.month))
        return false;
    if (s.n) {
        if (!take_byte(&s, 'T') && !take_byte(&s, ' '))
            return false;
        if (!parse_time(&s, &t, &offset))
            return false;
    }
    if (s.n)
        return false;
    *ret_wall_us = clock_wall_of(t) - offset * 1000000;
    return true;
}
