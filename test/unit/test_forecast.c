/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forecasts: series whose future is known, and a backtest: the mean error of thirty days ahead, in percent of what they
 * cost, over many series with a weekly shape, growth and noise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/forecast/forecast.h"

#define USD ((money_sum)MONEY_PUSD_PER_USD)
#define HISTORY 84
#define AHEAD 30
#define SERIES 400

static uint64_t seed = 88172645463325252ull;

/* From -range to range. */
static money_sum noise(int64_t range)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (money_sum)(int64_t)(seed % (uint64_t)(2 * range + 1)) - range;
}

static void less_than_two_weeks_are_a_flat_mean(void **state)
{
    money_sum days[13];
    struct forecast_point p[AHEAD];
    (void)state;
    for (int i = 0; i < 13; i++)
        days[i] = (i % 2 ? 30 : 10) * USD;
    forecast_days(days, 13, AHEAD, p);
    for (int h = 0; h < AHEAD; h++)
        assert_true(p[h].amount == 250 * USD / 13 && p[h].lower < p[h].amount && p[h].upper > p[h].amount);
    forecast_days(days, 0, AHEAD, p);
    assert_true(p[0].amount == 0 && p[AHEAD - 1].upper == 0);
}

static void a_week_that_repeats_is_foreseen_exactly(void **state)
{
    static const int shape[7] = {100, 120, 110, 90, 130, 0, 20};
    money_sum days[HISTORY];
    struct forecast_point p[FORECAST_AHEAD_MAX];
    (void)state;
    for (int i = 0; i < HISTORY; i++)
        days[i] = shape[i % 7] * USD;
    forecast_days(days, HISTORY, FORECAST_AHEAD_MAX, p);
    for (int h = 0; h < FORECAST_AHEAD_MAX; h++) {
        money_sum off = p[h].amount - shape[(HISTORY + h) % 7] * USD;
        assert_true(off < USD / 10000 && off > -USD / 10000);
        assert_true(p[h].upper - p[h].lower < USD / 1000);
    }
}

/* What begins in the middle of the history, or the day it begins with, does not turn the week around. */
static void the_weekday_of_the_first_day_does_not_matter(void **state)
{
    money_sum days[HISTORY];
    struct forecast_point p[7];
    (void)state;
    for (int i = 0; i < HISTORY; i++)
        days[i] = (i % 7 >= 5 ? 20 : 100) * USD;
    for (int cut = 0; cut < 7; cut++) {
        forecast_days(days + cut, (size_t)(HISTORY - cut), 7, p);
        for (int h = 0; h < 7; h++)
            assert_true((p[h].amount > 60 * USD) == (h % 7 < 5));
    }
}

static void a_trend_goes_on_and_fades(void **state)
{
    money_sum days[HISTORY];
    struct forecast_point p[365];
    (void)state;
    for (int i = 0; i < HISTORY; i++)
        days[i] = (100 + 2 * i) * USD;
    forecast_days(days, HISTORY, 365, p);
    assert_true(p[6].amount > 260 * USD && p[6].amount < 300 * USD);
    assert_true(p[363].amount > p[6].amount && p[363].amount < 380 * USD); /* the same weekday */
}

static void it_is_never_negative_unless_costs_were(void **state)
{
    money_sum days[HISTORY];
    struct forecast_point p[365];
    (void)state;
    for (int i = 0; i < HISTORY; i++)
        days[i] = (HISTORY - i) * USD;
    forecast_days(days, HISTORY, 365, p);
    for (int h = 0; h < 365; h++)
        assert_true(p[h].lower >= 0 && p[h].amount >= p[h].lower && p[h].upper >= p[h].amount);
    for (int i = 0; i < HISTORY; i++)
        days[i] = -5 * USD;
    forecast_days(days, HISTORY, 7, p);
    assert_true(p[0].amount == -5 * USD);
}

static void one_spike_moves_little_and_is_forgotten(void **state)
{
    money_sum days[HISTORY];
    struct forecast_point p[AHEAD];
    (void)state;
    for (int i = 0; i < HISTORY; i++)
        days[i] = 100 * USD;
    days[HISTORY - 20] = 1000 * USD;
    forecast_days(days, HISTORY, AHEAD, p);
    assert_true(p[AHEAD - 1].amount > 95 * USD && p[AHEAD - 1].amount < 115 * USD);
}

static void large_amounts_do_not_overflow(void **state)
{
    money_sum days[FORECAST_HISTORY_MAX];
    struct forecast_point p[365];
    (void)state;
    for (int i = 0; i < FORECAST_HISTORY_MAX; i++)
        days[i] = (money_sum)1000000000 * USD * (1 + i % 3);
    forecast_days(days, FORECAST_HISTORY_MAX, 365, p);
    assert_true(p[364].amount > (money_sum)1000000000 * USD && p[364].amount < (money_sum)3000000000 * USD);
}

/* A series of HISTORY + AHEAD days: weekly shape, growth a month in percent, noise in thousandths. */
static void make(money_sum *days, int growth, int64_t spread)
{
    for (int i = 0; i < HISTORY + AHEAD; i++) {
        money_sum base = (i % 7 >= 5 ? 40 : 100) * USD;
        base += base * growth * i / 3000;
        days[i] = base + base * noise(spread) / 1000;
    }
}

struct score {
    money_sum error, cost; /* of the sums of thirty days */
    unsigned inside, points;
};

static struct score backtest(int growth, int64_t spread)
{
    struct score s = {0};
    for (int n = 0; n < SERIES; n++) {
        money_sum days[HISTORY + AHEAD], said = 0, was = 0;
        struct forecast_point p[AHEAD];
        make(days, growth, spread);
        forecast_days(days, HISTORY, AHEAD, p);
        for (int h = 0; h < AHEAD; h++) {
            said += p[h].amount;
            was += days[HISTORY + h];
            s.inside += days[HISTORY + h] >= p[h].lower && days[HISTORY + h] <= p[h].upper;
            s.points++;
        }
        s.error += said > was ? said - was : was - said;
        s.cost += was;
    }
    return s;
}

static void the_month_ahead_is_foreseen_within_the_stated_error(void **state)
{
    static const struct {
        int growth;
        int64_t spread;
        int allowed; /* mean error of the month's sum, thousandths */
    } cases[] = {{0, 0, 1}, {0, 100, 20}, {0, 300, 60}, {10, 100, 40}, {30, 100, 75}, {-10, 100, 70}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct score s = backtest(cases[i].growth, cases[i].spread);
        unsigned error = (unsigned)(s.error * 1000 / s.cost), inside = s.inside * 100 / s.points;
        print_message("growth %3d %% a month, noise %2d %%: month off by %u.%u %%, %u %% of days in the band\n",
                      cases[i].growth, (int)cases[i].spread / 10, error / 10, error % 10, inside);
        assert_true(error <= (unsigned)cases[i].allowed);
        assert_true(!cases[i].spread || inside >= 65);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(less_than_two_weeks_are_a_flat_mean),
        cmocka_unit_test(a_week_that_repeats_is_foreseen_exactly),
        cmocka_unit_test(the_weekday_of_the_first_day_does_not_matter),
        cmocka_unit_test(a_trend_goes_on_and_fades),
        cmocka_unit_test(it_is_never_negative_unless_costs_were),
        cmocka_unit_test(one_spike_moves_little_and_is_forgotten),
        cmocka_unit_test(large_amounts_do_not_overflow),
        cmocka_unit_test(the_month_ahead_is_foreseen_within_the_stated_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
