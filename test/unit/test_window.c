/* SPDX-License-Identifier: Apache-2.0 */
/* The windows of limits: where they begin and end, over month ends, leap days and week starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rng.h"
#include "control/limit/window.h"

static int64_t at(const char *text)
{
    int64_t us = 0;
    if (!clock_parse(str_c(text), &us))
        fail_msg("no time: %s", text);
    return us;
}

static void windows_begin_and_end_at_known_moments(void **state)
{
    (void)state;
    static const struct {
        enum window_unit unit;
        uint32_t step;
        const char *anchor, *now, *start, *end;
    } rows[] = {
        {WINDOW_SECOND, 1, NULL, "2026-11-22T10:11:12.500Z", "2026-11-22T10:11:12Z", "2026-11-22T10:11:13Z"},
        {WINDOW_SECOND, 10, NULL, "2026-11-22T10:11:19.999999Z", "2026-11-22T10:11:10Z", "2026-11-22T10:11:20Z"},
        {WINDOW_MINUTE, 1, NULL, "2026-11-22T10:11:00Z", "2026-11-22T10:11:00Z", "2026-11-22T10:12:00Z"},
        {WINDOW_MINUTE, 5, NULL, "2026-11-22T10:14:59Z", "2026-11-22T10:10:00Z", "2026-11-22T10:15:00Z"},
        {WINDOW_HOUR, 1, NULL, "2026-11-22T23:59:59.999999Z", "2026-11-22T23:00:00Z", "2026-11-23T00:00:00Z"},
        {WINDOW_HOUR, 6, NULL, "2026-11-22T05:00:00Z", "2026-11-22T00:00:00Z", "2026-11-22T06:00:00Z"},
        {WINDOW_DAY, 1, NULL, "2028-02-29T12:00:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
        /* 2026-11-22 is a Sunday. */
        {WINDOW_WEEK_SUNDAY, 1, NULL, "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"},
        {WINDOW_WEEK_SUNDAY, 1, NULL, "2026-11-21T23:59:59.999999Z", "2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"},
        {WINDOW_WEEK, 1, NULL, "2026-11-22T23:59:59.999999Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
        {WINDOW_WEEK, 1, NULL, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
        {WINDOW_WEEK, 1, NULL, "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
        {WINDOW_WEEK, 1, NULL, "2028-02-29T00:00:00Z", "2028-02-28T00:00:00Z", "2028-03-06T00:00:00Z"},
        {WINDOW_MONTH, 1, NULL, "2026-11-30T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
        {WINDOW_MONTH, 1, NULL, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {WINDOW_MONTH, 1, NULL, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {WINDOW_MONTH, 1, NULL, "2026-02-28T23:59:59Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
        {WINDOW_MONTH, 1, NULL, "2028-02-29T23:59:59Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
        {WINDOW_MONTH, 1, NULL, "2100-02-28T23:59:59Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"},
        {WINDOW_MONTH, 3, NULL, "2026-11-22T00:00:00Z", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {WINDOW_MONTH, 12, NULL, "2028-02-29T00:00:00Z", "2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z"},
        /* In many places of the world these days have 23 or 25 hours; here they have 24. */
        {WINDOW_DAY, 1, NULL, "2027-03-28T01:30:00Z", "2027-03-28T00:00:00Z", "2027-03-29T00:00:00Z"},
        {WINDOW_DAY, 1, NULL, "2026-10-25T01:30:00Z", "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z"},
        {WINDOW_ANCHOR, 30, "2026-11-05T09:00:00Z", "2026-12-05T08:59:59Z", "2026-11-05T09:00:00Z",
         "2026-12-05T09:00:00Z"},
        {WINDOW_ANCHOR, 30, "2026-11-05T09:00:00Z", "2026-12-05T09:00:00Z", "2026-12-05T09:00:00Z",
         "2027-01-04T09:00:00Z"},
        {WINDOW_ANCHOR, 7, "2026-11-30T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-16T00:00:00Z",
         "2026-11-23T00:00:00Z"},
        {WINDOW_ANCHOR, 365, "2027-02-28T00:00:00Z", "2028-02-28T00:00:00Z", "2028-02-28T00:00:00Z",
         "2029-02-27T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct window w = {rows[i].unit, rows[i].step, rows[i].anchor ? at(rows[i].anchor) : 0};
        struct window_span s = window_at(&w, at(rows[i].now));
        if (s.start_us != at(rows[i].start) || s.end_us != at(rows[i].end))
            fail_msg("row %zu: %s every %u %s", i, rows[i].now, rows[i].step, window_unit_text(rows[i].unit));
    }
}

static void a_window_without_end_never_ends(void **state)
{
    (void)state;
    const struct window w = {WINDOW_NEVER, 1, 0};
    struct window_span s = window_at(&w, at("2026-11-22T00:00:00Z"));
    assert_int_equal(s.start_us, 0);
    assert_true(s.end_us == INT64_MAX);
    assert_int_equal(window_seconds_left(s.end_us, 5), 86400);
}

static void what_is_left_is_rounded_up_and_at_least_a_second(void **state)
{
    (void)state;
    int64_t end = at("2026-12-01T00:00:00Z");
    assert_int_equal(window_seconds_left(end, end - 1), 1);
    assert_int_equal(window_seconds_left(end, end - 1000000), 1);
    assert_int_equal(window_seconds_left(end, end - 1000001), 2);
    assert_int_equal(window_seconds_left(end, end), 1);
    assert_int_equal(window_seconds_left(end, end + 5000000), 1);
    assert_int_equal(window_seconds_left(end, at("2026-11-22T00:00:00Z")), 9 * 86400);
}

/* Ten years of moments: each is in its window, and windows follow one another without gap or overlap. */
static void windows_follow_one_another(void **state)
{
    (void)state;
    struct rng_seeded g;
    g.state = 4711;
    int64_t from = at("2024-01-01T00:00:00Z");
    for (int i = 0; i < 200000; i++) {
        enum window_unit unit = (enum window_unit)(1 + rng_seeded_below(&g, WINDOW_UNIT_COUNT - 1));
        struct window w = {unit, 1 + (uint32_t)rng_seeded_below(&g, 40), 0};
        if (unit == WINDOW_ANCHOR)
            w.anchor_us = from + (int64_t)rng_seeded_below(&g, UINT64_C(320000000000000));
        int64_t now = from + (int64_t)rng_seeded_below(&g, UINT64_C(320000000000000));
        struct window_span s = window_at(&w, now), next = window_at(&w, s.end_us),
                           before = window_at(&w, s.start_us - 1);
        assert_true(s.start_us <= now && now < s.end_us);
        assert_true(next.start_us == s.end_us);
        assert_true(before.end_us == s.start_us);
        assert_true(window_at(&w, s.start_us).start_us == s.start_us);
        assert_true(window_at(&w, s.end_us - 1).start_us == s.start_us);
    }
}

static void units_have_names_that_are_read_back(void **state)
{
    (void)state;
    for (unsigned u = 0; u < WINDOW_UNIT_COUNT; u++) {
        enum window_unit back;
        assert_true(window_unit_parse(str_c(window_unit_text((enum window_unit)u)), &back));
        assert_int_equal(back, u);
    }
    enum window_unit untouched = WINDOW_DAY;
    assert_false(window_unit_parse(STR("fortnight"), &untouched));
    assert_int_equal(untouched, WINDOW_DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_begin_and_end_at_known_moments),
        cmocka_unit_test(a_window_without_end_never_ends),
        cmocka_unit_test(what_is_left_is_rounded_up_and_at_least_a_second),
        cmocka_unit_test(windows_follow_one_another),
        cmocka_unit_test(units_have_names_that_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
