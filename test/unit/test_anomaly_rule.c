/* SPDX-License-Identifier: Apache-2.0 */
/* The band of what a day may cost, against figures worked out by hand and against long series without surprises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/watch/anomaly_rule.h"

#define USD ((money_sum)MONEY_PUSD_PER_USD)
#define MINIMUM (10 * USD)
#define DAYS 36

static uint64_t seed = 88172645463325252ull;

/* From -range to range. */
static money_sum noise(int64_t range)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (money_sum)(int64_t)(seed % (uint64_t)(2 * range + 1)) - range;
}

static void fill(money_sum days[DAYS], money_sum each)
{
    for (size_t i = 0; i < DAYS; i++)
        days[i] = each;
}

static void it_takes_fourteen_days(void **state)
{
    money_sum days[DAYS];
    (void)state;
    fill(days, 10 * USD);
    days[14] = 1000 * USD;
    assert_false(anomaly_judge(days + 1, 14, MINIMUM).known);
    assert_true(anomaly_judge(days, 15, MINIMUM).found);
}

static void a_level_series_is_exceeded_by_a_quarter(void **state)
{
    money_sum days[DAYS];
    (void)state;
    fill(days, 100 * USD);
    days[35] = 125 * USD;
    struct anomaly_verdict v = anomaly_judge(days, DAYS, MINIMUM);
    assert_true(v.expected == 100 * USD && v.above == 125 * USD && !v.found);
    assert_true(v.average == 100 * USD && v.previous == 100 * USD);
    days[35]++;
    assert_true(anomaly_judge(days, DAYS, MINIMUM).found);
}

static void tiny_amounts_are_dropped(void **state)
{
    money_sum days[DAYS];
    (void)state;
    fill(days, 2 * USD);
    days[35] = 12 * USD - 1;
    assert_false(anomaly_judge(days, DAYS, MINIMUM).found);
    days[35] = 12 * USD;
    assert_true(anomaly_judge(days, DAYS, MINIMUM).found);
}

/* Weekends cost a fifth: a weekday's amount on a Saturday is odd, on a Monday it is not. */
static void weekdays_are_compared_with_weekdays(void **state)
{
    money_sum days[DAYS];
    (void)state;
    for (size_t i = 0; i < DAYS; i++)
        days[i] = (i % 7 >= 5 ? 20 : 100) * USD;
    assert_false(anomaly_judge(days, DAYS, MINIMUM).found); /* place 35 is a weekday */
    days[33] = 100 * USD;                                   /* a Saturday */
    assert_true(anomaly_judge(days, 34, MINIMUM).found);
}

/* Median of the last 7: 200. Of the 28 before: 100. Same weekday: 100, 100, 100, 100, 200, so 100 × 2. */
static void a_new_level_becomes_the_usual(void **state)
{
    money_sum days[DAYS];
    (void)state;
    for (size_t i = 0; i < DAYS; i++)
        days[i] = (i < 28 ? 100 : 200) * USD;
    struct anomaly_verdict v = anomaly_judge(days, DAYS, MINIMUM);
    assert_true(v.expected == 200 * USD && !v.found);
    for (size_t i = 28; i < 35; i++)
        days[i] = 900 * USD; /* nine times as much counts as twice */
    assert_true(anomaly_judge(days, DAYS, MINIMUM).expected == 200 * USD);
}

static void a_spike_before_does_not_hide_the_next(void **state)
{
    money_sum days[DAYS];
    (void)state;
    fill(days, 100 * USD);
    days[34] = days[30] = 5000 * USD;
    days[35] = 500 * USD;
    struct anomaly_verdict v = anomaly_judge(days, DAYS, MINIMUM);
    assert_true(v.found && v.expected == 100 * USD);
    assert_true(v.average == (2 * (2 * 5000 + 5 * 100) * USD + 7) / 14);
}

static void nothing_and_negative_days_are_no_trouble(void **state)
{
    money_sum days[DAYS] = {0};
    (void)state;
    assert_false(anomaly_judge(days, DAYS, MINIMUM).found);
    days[35] = 50 * USD;
    assert_true(anomaly_judge(days, DAYS, MINIMUM).found);
    fill(days, -3 * USD);
    assert_false(anomaly_judge(days, DAYS, MINIMUM).found);
}

/* A fifth of noise on a weekly shape: 20,000 days, few of them called odd; each fivefold one is found. */
static void noise_is_not_called_odd_and_spikes_are(void **state)
{
    unsigned odd = 0, missed = 0;
    enum { ROUNDS = 20000 };
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        money_sum days[DAYS];
        for (size_t i = 0; i < DAYS; i++) {
            money_sum base = (i % 7 >= 5 ? 40 : 100) * USD;
            days[i] = base + base * noise(200) / 1000;
        }
        odd += anomaly_judge(days, DAYS, MINIMUM).found;
        days[35] = 500 * USD;
        missed += !anomaly_judge(days, DAYS, MINIMUM).found;
    }
    print_message("%u of %u ordinary days called odd, %u spikes missed\n", odd, (unsigned)ROUNDS, missed);
    assert_true(odd < ROUNDS / 40);
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_fourteen_days),
        cmocka_unit_test(a_level_series_is_exceeded_by_a_quarter),
        cmocka_unit_test(tiny_amounts_are_dropped),
        cmocka_unit_test(weekdays_are_compared_with_weekdays),
        cmocka_unit_test(a_new_level_becomes_the_usual),
        cmocka_unit_test(a_spike_before_does_not_hide_the_next),
        cmocka_unit_test(nothing_and_negative_days_are_no_trouble),
        cmocka_unit_test(noise_is_not_called_odd_and_spikes_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
