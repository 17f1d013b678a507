/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags with shares, tags that hold for some days, and segments: sums by hand, and that whatever is split adds up to
 * what it was on random bills.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/rng.h"
#include "cost_rig.h"

#define P "costs.provider = 'open_ai'"
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define PERCENT ((money_sum)1000000000000)

static void put(struct cost_rig *r, int64_t day, const struct bill_cost *costs, size_t count)
{
    struct bill_stored stored;
    struct bill_day d = {.account = 1, .day = day, .costs = costs, .count = count, .now_us = bill_day_us(day + 40)};
    if (bill_day_put(r->bill, &d, &stored) != ERR_OK)
        fail_msg("%s", bill_reason(r->bill));
}

static struct bill_cost cost(const char *project, const char *line, const char *amount)
{
    return (struct bill_cost){.project = str_c(project),
                              .key = STR("key_1"),
                              .line_item = str_c(line),
                              .unit = STR("tokens"),
                              .charge = BILL_CHARGE_USAGE,
                              .amount = str_c(amount),
                              .quantity = STR("100")};
}

/* January: a 8, b 2, shared 1. February: a 3, b 9, shared 1.000000000001. */
static int setup(void **state)
{
    struct cost_rig *r = calloc(1, sizeof *r);
    const struct bill_cost january[] = {cost("a", "gpt-4o, input", "8"), cost("b", "gpt-4o, input", "2"),
                                        cost("shared", "o3, output", "1")};
    const struct bill_cost february[] = {cost("a", "gpt-4o, input", "3"), cost("b", "gpt-4o, input", "9"),
                                         cost("shared", "o3, output", "1.000000000001")};
    cost_rig_open(r);
    assert_int_equal(bill_account_put(r->bill, 1, 1, STR("admin"), 20000, 1), ERR_OK);
    put(r, cost_rig_day("2026-01-10"), january, 3);
    put(r, cost_rig_day("2026-02-20"), february, 3);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    cost_rig_close(*state);
    free(*state);
    return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

#define FILTERS_MAX 40

/* Filters of one test, freed at its end. */
static struct vql *filters[FILTERS_MAX];
static size_t filter_count;

static const struct vql *parse(const char *text)
{
    assert_true(filter_count < FILTERS_MAX);
    return filters[filter_count++] = cost_rig_parse(str_c(text));
}

static void free_filters(void)
{
    while (filter_count)
        vql_free(filters[--filter_count]);
}

static struct cost_query query(const struct cost_tag *tags, size_t count, const char *group)
{
    struct cost_query q = cost_query_all();
    q.from_day = cost_rig_day("2026-01-01");
    q.until_day = cost_rig_day("2026-03-01");
    q.bin = COST_BIN_TOTAL;
    q.tags = tags;
    q.tag_count = count;
    if (group)
        assert_true(cost_group_parse(str_c(group), &q.groups[q.group_count++]));
    return q;
}

/* "[date ]value[,value]=amount …" in the order of the rows. */
static void expect(struct cost_rig *r, const struct cost_query *q, const char *want)
{
    struct buf out;
    struct cost_result *result = cost_rig_run(r, q);
    buf_init(&out, 1u << 16);
    for (size_t i = 0; i < result->row_count; i++) {
        char amount[COST_TEXT_MAX], at[COST_ACCRUED_MAX];
        const struct cost_row *row = &result->rows[i];
        cost_amount_format(row->amount, amount);
        cost_accrued(q->bin, row->start_us, at);
        assert_true(buf_printf(&out, "%s%s", i ? "; " : "", q->bin == COST_BIN_TOTAL ? "" : at));
        for (unsigned k = 0; k < q->group_count; k++)
            assert_true(buf_printf(&out, "%s%.*s",
                                   k                          ? ","
                                   : q->bin == COST_BIN_TOTAL ? ""
                                                              : " ",
                                   STR_ARG(row->values[k])));
        assert_true(buf_printf(&out, "=%s", amount));
    }
    assert_true(buf_add_byte(&out, '\0'));
    assert_string_equal(buf_str(&out).p, want);
    buf_free(&out);
    cost_result_free(result);
}

static void expect_total(struct cost_rig *r, struct cost_query q, const char *filter, const char *want)
{
    char amount[COST_TEXT_MAX];
    const struct vql *parsed = parse(filter);
    q.filters = &parsed;
    q.filter_count = 1;
    struct cost_result *result = cost_rig_run(r, &q);
    cost_amount_format(result->total, amount);
    assert_string_equal(amount, want);
    cost_result_free(result);
}

/* --- shares ---------------------------------------------------------------------------------- */

static void percentages_split_each_charge(void **state)
{
    const struct cost_share halves[] = {{COST_MONTH_ANY, STR("x"), 50 * PERCENT},
                                        {COST_MONTH_ANY, STR("y"), 50 * PERCENT}};
    const struct cost_share most[] = {{COST_MONTH_ANY, STR("x"), 30 * PERCENT},
                                      {COST_MONTH_ANY, STR("z"), 60 * PERCENT}};
    const struct cost_tag_value values[] = {
        {.value = STR("a"), .filter = parse(P " AND costs.account_id = 'a'")},
        {.filter = parse(P " AND costs.account_id = 'shared'"),
         .shares = halves,
         .share_count = 2,
         .whole = 100 * PERCENT},
        {.shares = most, .share_count = 2, .whole = 100 * PERCENT},
    };
    const struct cost_tag tag = {.key = STR("team"), .values = values, .count = 3};
    struct cost_query q = query(&tag, 1, "tag:team");
    /* a 11; shared 2.000000000001 in halves; b 11 in 30, 60 and 10 that has none. */
    expect(*state, &q, "a=11.0; z=6.6; x=4.3000000000005; =1.1; y=1.0000000000005");
    assert_true(cost_group_parse(STR("account_id"), &q.groups[q.group_count++]));
    expect(*state, &q, "a,a=11.0; z,b=6.6; x,b=3.3; ,b=1.1; x,shared=1.0000000000005; y,shared=1.0000000000005");
    q = query(&tag, 1, NULL);
    expect_total(*state, q, P " AND tags.name = 'team' AND tags.value = 'x'", "4.3000000000005");
    expect_total(*state, q, P " AND tags.name = 'team' AND tags.value IN ('x', 'y')", "5.300000000001");
    expect_total(*state, q, P " AND NOT (tags.name = 'team' AND tags.value = 'x')", "19.7000000000005");
    expect_total(*state, q, P " AND tags.name = NULL", "1.1");
    expect_total(*state, q, P " AND tags.name = 'team' AND tags.value LIKE '%' AND costs.allocation = 0.5",
                 "11.4500000000005");
    expect_total(*state, q, P " AND (tags.name, tags.value) IN (('team', 'z'))", "6.6");
    free_filters();
}

/* Two tags with shares at once, one of them by way of the other. */
static void shares_of_shares_are_exact(void **state)
{
    const struct cost_share thirds[] = {
        {COST_MONTH_ANY, STR("1"), 1}, {COST_MONTH_ANY, STR("2"), 1}, {COST_MONTH_ANY, STR("3"), 1}};
    const struct cost_share sevenths[] = {{COST_MONTH_ANY, STR("p"), 3}, {COST_MONTH_ANY, STR("q"), 4}};
    const struct cost_tag_value by_three = {.shares = thirds, .share_count = 3};
    const struct cost_tag_value by_seven = {
        .filter = parse(P " AND tags.name = 'n' AND tags.value != '2'"), .shares = sevenths, .share_count = 2};
    const struct cost_tag tags[] = {{.key = STR("n"), .values = &by_three, .count = 1},
                                    {.key = STR("m"), .values = &by_seven, .count = 1}};
    struct cost_query q = query(tags, 2, "tag:m");
    struct cost_query plain = query(NULL, 0, NULL);
    struct cost_result *all = cost_rig_run(*state, &plain);
    for (int turn = 0; turn < 3; turn++) {
        struct cost_result *result = cost_rig_run(*state, &q);
        cost_sum sum = 0, nothing = 0;
        for (size_t i = 0; i < result->row_count; i++) {
            sum += result->rows[i].amount;
            nothing += result->rows[i].values[0].n ? 0 : result->rows[i].amount;
        }
        assert_true(sum == all->total);
        assert_true(result->total == all->total);
        cost_sum third = all->total / 3;
        assert_true(nothing >= third - 1000 && nothing <= third + 1000);
        cost_result_free(result);
        if (turn == 0)
            assert_true(cost_group_parse(STR("tag:n"), &q.groups[q.group_count++]));
        q.bin = COST_BIN_DAY;
    }
    cost_result_free(all);
    free_filters();
}

/* What is shared goes where the month's other costs went. */
static void costs_are_shared_by_other_costs_of_the_month(void **state)
{
    const struct cost_tag_value owners[] = {{.value = STR("A"), .filter = parse(P " AND costs.account_id = 'a'")},
                                            {.value = STR("B"), .filter = parse(P " AND costs.account_id = 'b'")}};
    struct cost_tag_value shared[] = {{.value = STR("A"), .filter = parse(P " AND costs.account_id = 'a'")},
                                      {.value = STR("B"), .filter = parse(P " AND costs.account_id = 'b'")},
                                      {.filter = parse(P " AND costs.account_id = 'shared'"),
                                       .metric = parse(P " AND costs.category = 'gpt-4o'"),
                                       .metric_tag = STR("owner")}};
    const struct cost_tag tags[] = {{.key = STR("owner"), .values = owners, .count = 2},
                                    {.key = STR("all"), .values = shared, .count = 3}};
    struct cost_query q = query(tags, 2, "tag:all");
    q.bin = COST_BIN_MONTH;
    /* January 8 : 2; February 3 : 9. */
    expect(*state, &q,
           "2026-02-01 B=9.75000000000075; 2026-02-01 A=3.25000000000025; 2026-01-01 A=8.8; 2026-01-01 B=2.2");
    q.bin = COST_BIN_DAY;
    q.ascending = true;
    expect(*state, &q,
           "2026-01-10 A=8.8; 2026-01-10 B=2.2; 2026-02-20 B=9.75000000000075; 2026-02-20 A=3.25000000000025");
    q.bin = COST_BIN_TOTAL;
    expect(*state, &q, "A=12.05000000000025; B=11.95000000000075");
    q.from_day = cost_rig_day("2026-02-20"); /* shares are those of the whole month */
    expect(*state, &q, "B=9.75000000000075; A=3.25000000000025");
    shared[2].metric = parse(P " AND costs.category = 'none'"); /* nothing to share by: no value */
    q = query(tags, 2, "tag:all");
    expect(*state, &q, "A=11.0; B=11.0; =2.000000000001");
    free_filters();
}

static void shares_of_a_metric_are_those_of_each_month(void **state)
{
    int64_t january = bill_month_of(cost_rig_day("2026-01-01"));
    const struct cost_share shares[] = {
        {january, STR("eu"), 1}, {january, STR("us"), 3}, {january, STR("void"), 0}, {january + 1, STR("us"), 7}};
    const struct cost_tag_value value = {.shares = shares, .share_count = 4};
    const struct cost_tag tag = {.key = STR("where"), .values = &value, .count = 1};
    struct cost_query q = query(&tag, 1, "tag:where");
    q.bin = COST_BIN_MONTH;
    expect(*state, &q, "2026-02-01 us=13.000000000001; 2026-01-01 us=8.25; 2026-01-01 eu=2.75");
}

/* --- time ------------------------------------------------------------------------------------ */

static void values_hold_for_their_days_only(void **state)
{
    const struct cost_span first = {cost_rig_day("2026-01-01"), cost_rig_day("2026-01-11")};
    const struct cost_span second = {cost_rig_day("2026-01-11"), cost_rig_day("2027-01-01")};
    const struct cost_tag_value values[] = {{.value = STR("old"), .spans = &first, .span_count = 1},
                                            {.value = STR("new"), .spans = &second, .span_count = 1}};
    struct cost_tag tag = {.key = STR("era"), .values = values, .count = 2};
    struct cost_query q = query(&tag, 1, "tag:era");
    expect(*state, &q, "new=13.000000000001; old=11.0");
    q.bin = COST_BIN_QUARTER;
    expect(*state, &q, "2026-01-01 new=13.000000000001; 2026-01-01 old=11.0");
    tag.from_day = cost_rig_day("2026-02-01");
    expect(*state, &q, "2026-01-01 new=13.000000000001; 2026-01-01 =11.0");
    q = query(&tag, 1, NULL);
    expect_total(*state, q, P " AND tags.name = 'era'", "13.000000000001");
    expect_total(*state, q, P " AND tags.name = NULL", "11.0");
    free_filters();
}

/* --- segments -------------------------------------------------------------------------------- */

static void segments_count_each_cost_once(void **state)
{
    const struct vql *a = parse(P " AND costs.account_id IN ('a', 'shared')"), *within[] = {a};
    const struct cost_tag_value values[] = {
        {.value = STR("A / o3"), .filter = parse(P " AND costs.category = 'o3'"), .within = within, .within_count = 1},
        {.value = STR("A"), .filter = a},
        {.value = STR("o3"), .filter = parse(P " AND costs.category = 'o3'")}, /* all of it is taken */
    };
    const struct cost_tag segments = {.key = STR("segment"), .values = values, .count = 3};
    struct cost_query q = query(NULL, 0, "segment");
    expect(*state, &q, "Unallocated=24.000000000001");
    q.segments = &segments;
    expect(*state, &q, "A=11.0; Unallocated=11.0; A / o3=2.000000000001");
    q.bin = COST_BIN_MONTH;
    expect(*state, &q,
           "2026-02-01 Unallocated=9.0; 2026-02-01 A=3.0; 2026-02-01 A / o3=1.000000000001; "
           "2026-01-01 A=8.0; 2026-01-01 Unallocated=2.0; 2026-01-01 A / o3=1.0");
    free_filters();
}

/* --- by chance ------------------------------------------------------------------------------- */

static void random_bill(struct cost_rig *r)
{
    static const char *const projects[] = {"a", "b", "shared", ""}, *const lines[] = {"gpt-4o, input", "o3, output",
                                                                                      "whisper-1, audio"};
    for (int64_t day = cost_rig_day("2026-01-01"); day < cost_rig_day("2026-03-01");
         day += 1 + (int64_t)(rng_u64() % 9)) {
        struct bill_cost costs[8];
        char amounts[8][40];
        size_t n = rng_u64() % 8;
        for (size_t i = 0; i < n; i++) {
            snprintf(amounts[i], sizeof amounts[i], "%s%u.%012llu", rng_u64() % 5 ? "" : "-",
                     (unsigned)(rng_u64() % 90), (unsigned long long)(rng_u64() % 1000000000000));
            costs[i] = cost(projects[rng_u64() % 4], lines[rng_u64() % 3], amounts[i]);
        }
        put(r, day, costs, n);
    }
}

static void whatever_is_split_adds_up_on_random_bills(void **state)
{
    static const char *const groups[] = {"tag:t", "tag:u", "tagged", "segment", "service", NULL};
    struct cost_rig *r = *state;
    for (int turn = 0; turn < 150; turn++) {
        struct cost_share shares[6];
        size_t n = 1 + rng_u64() % 6;
        for (size_t i = 0; i < n; i++)
            shares[i] = (struct cost_share){rng_u64() % 3 ? COST_MONTH_ANY : 672 + (int64_t)(rng_u64() % 2),
                                            i % 2 ? STR("x") : STR("y"),
                                            (money_sum)(rng_u64() >> rng_u64() % 63) << rng_u64() % 40};
        const struct cost_span span = {cost_rig_day("2026-01-01") + (int64_t)(rng_u64() % 30),
                                       cost_rig_day("2026-02-01") + (int64_t)(rng_u64() % 30)};
        const struct cost_tag_value t[] = {
            {.value = STR("v"),
             .filter = parse(P " AND costs.account_id = 'a'"),
             .spans = &span,
             .span_count = (size_t)turn % 2},
            {.filter = parse(P " AND costs.category = 'gpt-4o'"), .shares = shares, .share_count = n},
            {.value = STR("w"), .filter = parse(P " AND costs.account_id = 'b'")}};
        const struct cost_tag_value u[] = {{.filter = parse(P " AND tags.name = 't' AND tags.value = 'x'"),
                                            .shares = shares,
                                            .share_count = n,
                                            .whole = shares[0].weight * 3},
                                           {.metric = parse(P), .metric_tag = STR("t")}};
        const struct cost_tag tags[] = {{.key = STR("t"), .values = t, .count = 3},
                                        {.key = STR("u"), .values = u, .count = 2}};
        const struct cost_tag segments = {.values = u, .count = 1};
        random_bill(r);
        struct cost_query plain = query(NULL, 0, NULL);
        struct cost_result *want = cost_rig_run(r, &plain);
        for (size_t g = 0; g < COUNT(groups); g++) {
            struct cost_query q = query(tags, 2, groups[g]);
            q.segments = &segments;
            q.bin = (enum cost_bin)(((size_t)turn + g) % COST_BIN_COUNT);
            if (g == 3)
                continue; /* segments have no shares */
            struct cost_result *got = cost_rig_run(r, &q);
            if (got->total != want->total)
                fail_msg("turn %d by %s", turn, groups[g] ? groups[g] : "nothing");
            cost_result_free(got);
        }
        cost_result_free(want);
        free_filters();
    }
}

static void circles_of_costs_and_too_many_shares_are_refused(void **state)
{
    struct cost_rig *r = *state;
    struct cost_result *result;
    struct cost_error error;
    const struct cost_tag_value value = {.metric = parse(P), .metric_tag = STR("self")};
    const struct cost_tag tag = {.key = STR("self"), .values = &value, .count = 1};
    struct cost_query q = query(&tag, 1, "tag:self");
    assert_int_equal(cost_run(r->reader, &q, &result, &error), ERR_BAD_PARAMETER);
    assert_non_null(strstr(error.text, "circle"));
    struct cost_share *shares = calloc(COST_SHARES_MAX + 1, sizeof *shares);
    for (size_t i = 0; i <= COST_SHARES_MAX; i++)
        shares[i] = (struct cost_share){COST_MONTH_ANY, STR("s"), 1};
    const struct cost_tag_value many = {.shares = shares, .share_count = COST_SHARES_MAX + 1};
    const struct cost_tag of_many = {.key = STR("many"), .values = &many, .count = 1};
    q = query(&of_many, 1, "tag:many");
    assert_int_equal(cost_run(r->reader, &q, &result, &error), ERR_BAD_PARAMETER);
    assert_non_null(strstr(error.text, "many"));
    free(shares);
    free_filters();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(percentages_split_each_charge, setup, teardown),
        cmocka_unit_test_setup_teardown(shares_of_shares_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(costs_are_shared_by_other_costs_of_the_month, setup, teardown),
        cmocka_unit_test_setup_teardown(shares_of_a_metric_are_those_of_each_month, setup, teardown),
        cmocka_unit_test_setup_teardown(values_hold_for_their_days_only, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_count_each_cost_once, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_is_split_adds_up_on_random_bills, setup, teardown),
        cmocka_unit_test_setup_teardown(circles_of_costs_and_too_many_shares_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
