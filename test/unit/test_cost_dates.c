/* SPDX-License-Identifier: Apache-2.0 */
/* Date intervals, comparison periods, bins; amounts as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "report/bill/bill.h"
#include "report/cost/cost_dates.h"

static int64_t day_of(const char *text)
{
    int64_t day = 0;
    assert_true(cost_dates_day_parse(str_c(text), &day));
    return day;
}

/* "2026-03-01 2026-03-31", the last day included. */
static void expect(const char *what, struct cost_dates d, const char *from, const char *last)
{
    char a[BILL_DAY_TEXT_MAX], b[BILL_DAY_TEXT_MAX];
    bill_day_format(d.from_day, a);
    bill_day_format(d.until_day - 1, b);
    if (strcmp(a, from) != 0 || strcmp(b, last) != 0)
        fail_msg("%s: %s to %s, not %s to %s", what, a, b, from, last);
}

static const struct {
    const char *interval, *today, *from, *last;
} interval_rows[] = {
    {"this_month", "2026-03-12", "2026-03-01", "2026-03-12"},
    {"this_month", "2026-03-01", "2026-03-01", "2026-03-01"},
    {"last_7_days", "2026-03-03", "2026-02-25", "2026-03-03"},
    {"last_30_days", "2026-03-12", "2026-02-11", "2026-03-12"},
    {"last_month", "2026-03-31", "2026-02-01", "2026-02-28"},
    {"last_month", "2024-03-31", "2024-02-01", "2024-02-29"},
    {"last_month", "2026-01-01", "2025-12-01", "2025-12-31"},
    {"last_3_months", "2026-03-31", "2025-12-01", "2026-02-28"},
    {"last_6_months", "2026-03-31", "2025-09-01", "2026-02-28"},
    {"last_12_months", "2026-03-31", "2025-03-01", "2026-02-28"},
    {"last_24_months", "2026-03-31", "2024-03-01", "2026-02-28"},
    {"last_36_months", "2026-03-31", "2023-03-01", "2026-02-28"},
    {"next_month", "2026-01-31", "2026-02-01", "2026-02-28"},
    {"next_month", "2026-12-31", "2027-01-01", "2027-01-31"},
    {"next_3_months", "2026-03-12", "2026-04-01", "2026-06-30"},
    {"next_6_months", "2026-03-12", "2026-04-01", "2026-09-30"},
    {"next_12_months", "2026-03-12", "2026-04-01", "2027-03-31"},
    {"year_to_date", "2026-03-12", "2026-01-01", "2026-03-12"},
    {"year_to_date", "2026-01-01", "2026-01-01", "2026-01-01"},
    {"last_3_days", "2026-03-01", "2026-02-27", "2026-03-01"},
    {"last_14_days", "2026-03-12", "2026-02-27", "2026-03-12"},
};

static void intervals_are_resolved_by_the_calendar(void **state)
{
    bool seen[COST_INTERVAL_COUNT] = {[COST_INTERVAL_CUSTOM] = true};
    (void)state;
    for (size_t i = 0; i < sizeof interval_rows / sizeof interval_rows[0]; i++) {
        enum cost_interval interval;
        assert_true(cost_dates_parse(str_c(interval_rows[i].interval), &interval));
        assert_string_equal(cost_dates_text(interval), interval_rows[i].interval);
        seen[interval] = true;
        expect(interval_rows[i].interval, cost_dates_resolve(interval, day_of(interval_rows[i].today)),
               interval_rows[i].from, interval_rows[i].last);
    }
    for (int i = 0; i < COST_INTERVAL_COUNT; i++)
        assert_true(seen[i]);
    assert_int_equal(COST_INTERVAL_COUNT, 17);
    enum cost_interval none;
    assert_false(cost_dates_parse(STR("last_5_days"), &none));
}

static const struct {
    enum cost_interval interval;
    const char *from, *last, *before_from, *before_last;
} previous_rows[] = {
    {COST_INTERVAL_CUSTOM, "2026-03-12", "2026-03-18", "2026-02-12", "2026-02-18"},
    {COST_INTERVAL_CUSTOM, "2026-03-31", "2026-03-31", "2026-02-28", "2026-02-28"},
    {COST_INTERVAL_CUSTOM, "2026-03-29", "2026-03-31", "2026-02-28", "2026-02-28"},
    {COST_INTERVAL_CUSTOM, "2024-03-30", "2024-03-31", "2024-02-29", "2024-02-29"},
    {COST_INTERVAL_THIS_MONTH, "2026-03-01", "2026-03-12", "2026-02-01", "2026-02-12"},
    {COST_INTERVAL_THIS_MONTH, "2026-03-01", "2026-03-30", "2026-02-01", "2026-02-28"},
    {COST_INTERVAL_LAST_MONTH, "2026-02-01", "2026-02-28", "2026-01-01", "2026-01-31"},
    {COST_INTERVAL_LAST_MONTH, "2026-03-01", "2026-03-31", "2026-02-01", "2026-02-28"},
    {COST_INTERVAL_LAST_3_MONTHS, "2026-01-01", "2026-03-31", "2025-10-01", "2025-12-31"},
    {COST_INTERVAL_YEAR_TO_DATE, "2026-01-01", "2026-03-12", "2025-10-01", "2025-12-12"},
    {COST_INTERVAL_LAST_7_DAYS, "2026-03-06", "2026-03-12", "2026-02-27", "2026-03-05"},
    {COST_INTERVAL_LAST_30_DAYS, "2026-03-02", "2026-03-31", "2026-01-31", "2026-03-01"},
    {COST_INTERVAL_CUSTOM, "2026-01-15", "2026-02-20", "2025-11-15", "2025-12-20"},
};

static void previous_periods_are_the_same_dates_earlier(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof previous_rows / sizeof previous_rows[0]; i++) {
        struct cost_dates d = {day_of(previous_rows[i].from), day_of(previous_rows[i].last) + 1};
        expect(previous_rows[i].from, cost_dates_previous(previous_rows[i].interval, d), previous_rows[i].before_from,
               previous_rows[i].before_last);
    }
}

static void previous_periods_never_overlap(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct cost_dates d = {.from_day = 10000 + (int64_t)(rng_u64() % 20000)};
        d.until_day = d.from_day + 1 + (int64_t)(rng_u64() % 800);
        struct cost_dates p = cost_dates_previous(COST_INTERVAL_CUSTOM, d);
        assert_true(p.from_day < p.until_day);
        assert_true(p.until_day <= d.from_day);
    }
}

static void bins_begin_on_mondays_firsts_and_quarters(void **state)
{
    (void)state;
    assert_int_equal(cost_dates_bin(COST_BIN_WEEK, day_of("2026-03-01"), 0), day_of("2026-02-23"));
    assert_int_equal(cost_dates_bin(COST_BIN_WEEK, day_of("2026-03-02"), 0), day_of("2026-03-02"));
    assert_int_equal(cost_dates_bin(COST_BIN_WEEK, day_of("2026-03-08"), 0), day_of("2026-03-02"));
    assert_int_equal(cost_dates_bin(COST_BIN_MONTH, day_of("2024-02-29"), 0), day_of("2024-02-01"));
    assert_int_equal(cost_dates_bin(COST_BIN_QUARTER, day_of("2026-06-30"), 0), day_of("2026-04-01"));
    assert_int_equal(cost_dates_bin(COST_BIN_QUARTER, day_of("2026-07-01"), 0), day_of("2026-07-01"));
    assert_int_equal(cost_dates_bin(COST_BIN_DAY, 20000, 0), 20000);
    assert_int_equal(cost_dates_bin(COST_BIN_TOTAL, 20000, 19000), 19000);
}

static void complete_periods_end_before_the_running_bin(void **state)
{
    struct cost_dates d = {day_of("2026-01-01"), day_of("2026-03-13")};
    int64_t today = day_of("2026-03-12"); /* a Thursday */
    (void)state;
    expect("day", cost_dates_complete(d, COST_BIN_DAY, today), "2026-01-01", "2026-03-11");
    expect("week", cost_dates_complete(d, COST_BIN_WEEK, today), "2026-01-01", "2026-03-08");
    expect("month", cost_dates_complete(d, COST_BIN_MONTH, today), "2026-01-01", "2026-02-28");
    d.from_day = today;
    d = cost_dates_complete(d, COST_BIN_MONTH, today);
    assert_int_equal(d.from_day, d.until_day);
}

static void dates_are_strict(void **state)
{
    static const char *const bad[] = {"",         "2026-02-29", "2026-13-01", "2026-1-1", "2026-03-01T00:00:00Z",
                                      "20260301", "x"};
    int64_t day;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cost_dates_day_parse(str_c(bad[i]), &day));
}

static void expect_amount(cost_sum amount, const char *text)
{
    char out[COST_TEXT_MAX];
    assert_int_equal(cost_amount_format(amount, out), strlen(text));
    assert_string_equal(out, text);
}

static void expect_rounded(cost_sum amount, unsigned places, const char *text)
{
    char out[COST_TEXT_MAX];
    assert_int_equal(cost_amount_format_rounded(amount, places, out), strlen(text));
    assert_string_equal(out, text);
}

static void amounts_have_all_their_digits(void **state)
{
    const cost_sum dollar = (cost_sum)COST_PER_PUSD * MONEY_PUSD_PER_USD;
    char out[COST_TEXT_MAX];
    (void)state;
    expect_amount(0, "0.0");
    expect_amount(100 * dollar, "100.0");
    expect_amount(-dollar / 2, "-0.5");
    expect_amount(1, "0.000000000000000000000001");
    expect_amount(-1, "-0.000000000000000000000001");
    expect_amount(dollar * 12 + dollar / 4, "12.25");
    expect_rounded(dollar / 3, 2, "0.33");
    expect_rounded(dollar * 2 / 3, 2, "0.67");
    expect_rounded(-dollar / 8, 2, "-0.13");
    expect_rounded(dollar / 8 - 1, 2, "0.12");
    expect_rounded(dollar * 5, 6, "5.000000");
    expect_rounded(dollar - 1, 1, "1.0");
    cost_amount_format_usage((money_sum)1234 * COST_PER_PUSD, 2, out);
    assert_string_equal(out, "1234.00");
    assert_true(cost_amount_pusd(dollar) == MONEY_PUSD_PER_USD);
    assert_true(cost_amount_pusd(COST_PER_PUSD / 2) == 1);
    assert_true(cost_amount_pusd(-COST_PER_PUSD / 2) == -1);
    assert_true(cost_amount_pusd(COST_PER_PUSD / 2 - 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_resolved_by_the_calendar),
        cmocka_unit_test(previous_periods_are_the_same_dates_earlier),
        cmocka_unit_test(previous_periods_never_overlap),
        cmocka_unit_test(bins_begin_on_mondays_firsts_and_quarters),
        cmocka_unit_test(complete_periods_end_before_the_running_bin),
        cmocka_unit_test(dates_are_strict),
        cmocka_unit_test(amounts_have_all_their_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
