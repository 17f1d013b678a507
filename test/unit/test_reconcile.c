/* SPDX-License-Identifier: Apache-2.0 */
/* Reconciliation on scripted days: every status, every cause, the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "reconcile_rig.h"
#include "report/cost/cost_dates.h"
#include "report/reconcile/reconcile_wide.h"

#define USD MONEY_PUSD_PER_USD
#define HOUR_US INT64_C(3600000000)
#define MODEL "gpt-4o-2024-08-06"

static int64_t day_of(const char *text)
{
    int64_t day = 0;
    assert_true(cost_dates_day_parse(str_c(text), &day));
    return day;
}

/* 2.5 dollars a million of input, 10 of output. */
static struct rig_call call(int64_t day, int64_t integration, const char *key, uint64_t input, uint64_t output)
{
    struct rig_call c = {.day = day,
                         .second = 40000,
                         .integration = integration,
                         .key = key,
                         .project = strcmp(key, "key_3") == 0   ? "proj_b"
                                    : strcmp(key, "key_9") == 0 ? "proj_c"
                                                                : "proj_a",
                         .model = MODEL,
                         .tier = ""};
    c.quantity[METER_INPUT] = input;
    c.quantity[METER_OUTPUT] = output;
    return c;
}

static const struct reconcile_row *row_of(const struct reconcile *r, unsigned group, const char *value)
{
    for (size_t i = 0; i < r->row_count; i++)
        if (str_eq(r->rows[i].values[group], str_c(value)))
            return &r->rows[i];
    fail_msg("there is no row %s", value);
    return NULL;
}

static void check_sums(const struct reconcile_sums *s)
{
    cost_sum gap = s->billed - s->metered, causes = 0;
    for (unsigned i = 0; i < RECONCILE_CAUSE_COUNT; i++)
        causes += s->cause[i];
    assert_true(gap == s->volume + s->rate + s->pricing);
    assert_true(gap == causes);
    assert_true(s->billed == s->attributed + s->unattributed);
}

static void same(const char *what, cost_sum got, const char *wanted)
{
    char text[COST_TEXT_MAX];
    cost_amount_format(got, text);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s is %s, not %s", what, text, wanted);
}

/* --- shares ---------------------------------------------------------------------------------- */

static __int128 random_wide(struct rng_seeded *g, unsigned bits)
{
    unsigned __int128 v = (unsigned __int128)rng_seeded_u64(g) << 64 | rng_seeded_u64(g);
    return (__int128)(v >> (128 - bits));
}

static void shares_are_exact_over_256_bits(void **state)
{
    struct rng_seeded g = {5};
    __int128 got;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        __int128 a = random_wide(&g, 1 + (unsigned)rng_seeded_below(&g, 125)), b = 1 + random_wide(&g, 120);
        assert_true(reconcile_wide(a, b, b, &got) && got == a);
        assert_true(reconcile_wide(-a, b, b, &got) && got == -a);
        assert_true(reconcile_wide(a, b, 2 * b, &got) && got == a / 2 + a % 2);
        __int128 c = 1 + random_wide(&g, 120), part, rest;
        if (b > c)
            continue;
        assert_true(reconcile_wide(a, b, c, &part) && reconcile_wide(a, c - b, c, &rest));
        assert_true(part + rest == a || part + rest == a + 1);
    }
    assert_false(reconcile_wide((__int128)1 << 120, (__int128)1 << 120, 1, &got));
}

/* --- one day, every status ------------------------------------------------------------------- */

/* By key: 1 agrees, 2 costs a tenth less than it should, 3 has more metered than billed, 9 is not known here. */
static void script(struct reconcile_rig *r, int64_t day)
{
    struct rig_call c = call(day, RIG_ONE, "key_1", 1000000, 100000);
    reconcile_rig_meter(r, &c);
    reconcile_rig_bill(r, &c, 1, 1);
    c = call(day, RIG_TWO, "key_2", 4000000, 0);
    reconcile_rig_meter(r, &c);
    reconcile_rig_bill(r, &c, 9, 10);
    c = call(day, RIG_THREE, "key_3", 1000000, 0);
    reconcile_rig_bill(r, &c, 1, 1);
    c = call(day, RIG_THREE, "key_3", 3000000, 0);
    reconcile_rig_meter(r, &c);
    c = call(day, 0, "key_9", 2000000, 0);
    reconcile_rig_bill(r, &c, 1, 1);
    c = call(day, RIG_AZURE, "", 7000000, 0);
    reconcile_rig_meter(r, &c);
}

static void a_scripted_day_has_every_status(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day - 1);
    script(&r, day);
    struct rig_call late = call(day + 1, RIG_TWO, "key_2", 1000000, 0);
    reconcile_rig_meter(&r, &late); /* never billed */
    struct rig_call young = call(day + 5, RIG_ONE, "key_1", 1000000, 0);
    reconcile_rig_meter(&r, &young);
    reconcile_rig_import_all(&r, 1);

    int64_t now = bill_day_us(day + 6) + HOUR_US;
    struct reconcile_query q = reconcile_rig_query(&r, day - 1, day + 6, now);
    q.tolerance_pusd = RECONCILE_TOLERANCE_PUSD;
    q.tolerance_ppm = RECONCILE_TOLERANCE_PPM;
    q.groups[0] = RECONCILE_BY_KEY;
    q.group_count = 1;
    q.until_day = day + 1;
    struct reconcile *x = reconcile_rig_run(&r, &q);
    const struct reconcile_row *one = row_of(x, 0, "key_1"), *two = row_of(x, 0, "key_2");
    const struct reconcile_row *three = row_of(x, 0, "key_3"), *nine = row_of(x, 0, "key_9");
    assert_int_equal(one->status, RECONCILE_MATCHED);
    assert_int_equal(one->cause, RECONCILE_CAUSE_NONE);
    assert_true(one->sums.volume == 0 && one->sums.rate == 0 && one->sums.pricing == 0);
    same("key_1", one->sums.billed, "3.5");
    assert_int_equal(two->status, RECONCILE_VARIANCE);
    assert_int_equal(two->cause, RECONCILE_CAUSE_PRICE);
    same("rate of key_2", two->sums.rate, "-1.0");
    same("volume of key_2", two->sums.volume, "0.0");
    assert_int_equal(three->status, RECONCILE_OVER_METERED);
    assert_int_equal(three->cause, RECONCILE_CAUSE_NOT_ON_BILL);
    same("volume of key_3", three->sums.volume, "-5.0");
    assert_int_equal(nine->status, RECONCILE_UNMETERED);
    assert_int_equal(nine->cause, RECONCILE_CAUSE_BYPASSED);
    same("unattributed of key_9", nine->sums.unattributed, "5.0");
    assert_true(str_eq(nine->names[0], STR("laptop")));
    same("unattributed", x->total.sums.unattributed, "5.0");
    same("billed", x->total.sums.billed, "20.0");
    check_sums(&x->total.sums);
    assert_int_equal(x->shadow_count, 1);
    assert_true(str_eq(x->shadows[0].key, STR("key_9")) && str_eq(x->shadows[0].project_name, STR("Lab")));
    assert_int_equal(x->excluded_count, 1);
    assert_int_equal(x->excluded[0].reason, MATCH_MISS_OTHER_BILLER);
    same("Azure", x->excluded[0].metered, "17.5");
    assert_int_equal(x->price_count, 1);
    /* Keys one, two, three and nine have the same sku: 8 million tokens for a dollar less. */
    same("price to learn", x->prices[0].book, "0.0000025");
    reconcile_free(x);

    q.groups[0] = RECONCILE_BY_DAY;
    q.until_day = day + 6;
    x = reconcile_rig_run(&r, &q);
    assert_int_equal(row_of(x, 0, "2026-03-11")->status, RECONCILE_UNBILLED);
    assert_int_equal(row_of(x, 0, "2026-03-15")->status, RECONCILE_PENDING);
    assert_int_equal(x->billed_through, day + 3);
    assert_int_equal(x->provisional, 2);
    same("pending", x->total.sums.pending_metered, "2.5");
    check_sums(&x->total.sums);
    reconcile_free(x);
    reconcile_rig_close(&r);
}

static void unbilled_use_is_pending_for_72_hours(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    struct rig_call c = call(day, RIG_ONE, "key_1", 1000000, 0);
    reconcile_rig_meter(&r, &c);
    reconcile_rig_import_all(&r, 1);
    for (int hours = 40; hours < 80; hours += 8) {
        struct reconcile_query q = reconcile_rig_query(&r, day, day + 1, bill_day_us(day + 1) + hours * HOUR_US);
        struct reconcile *x = reconcile_rig_run(&r, &q);
        assert_int_equal(x->total.status, hours < 72 ? RECONCILE_PENDING : RECONCILE_UNBILLED);
        reconcile_free(x);
    }
    reconcile_rig_close(&r);
}

/* It has no amount that could be pending, and what is not compared yet has not matched. */
static void use_without_a_price_is_pending_like_any_other(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    struct rig_call c = call(day, RIG_ONE, "key_1", 1000000, 0);
    c.model = "gpt-99";
    reconcile_rig_meter(&r, &c);
    reconcile_rig_import_all(&r, 1);
    for (int hours = 20; hours < 100; hours += 60) {
        struct reconcile_query q = reconcile_rig_query(&r, day, day + 1, bill_day_us(day + 1) + hours * HOUR_US);
        struct reconcile *x = reconcile_rig_run(&r, &q);
        assert_int_equal(x->total.status, hours < 72 ? RECONCILE_PENDING : RECONCILE_VARIANCE);
        reconcile_free(x);
    }
    reconcile_rig_close(&r);
}

/* --- causes ---------------------------------------------------------------------------------- */

static struct reconcile *settled(struct reconcile_rig *r, int64_t day)
{
    reconcile_rig_import_all(r, 1);
    struct reconcile_query q = reconcile_rig_query(r, day, day + 1, bill_day_us(day + 9));
    struct reconcile *x = reconcile_rig_run(r, &q);
    check_sums(&x->total.sums);
    return x;
}

static void causes_are_named(void **state)
{
    static const struct {
        const char *what;
        enum reconcile_cause cause;
    } cases[] = {{"bypass", RECONCILE_CAUSE_BYPASSED},     {"price", RECONCILE_CAUSE_PRICE},
                 {"cut", RECONCILE_CAUSE_ESTIMATED},       {"free", RECONCILE_CAUSE_FREE},
                 {"batch", RECONCILE_CAUSE_BATCH},         {"unpriced", RECONCILE_CAUSE_UNPRICED},
                 {"unbilled", RECONCILE_CAUSE_NOT_ON_BILL}};
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *what = cases[i].what;
        struct rig_call c = call(day, RIG_ONE, "key_1", 5000000, 200000);
        reconcile_rig_clear(&r, day);
        reconcile_rig_meter(&r, &c);
        reconcile_rig_bill(&r, &c, 1, 1);
        c.quantity[METER_INPUT] = c.quantity[METER_OUTPUT] = 10000;
        if (strcmp(what, "bypass") == 0) {
            reconcile_rig_bill(&r, &c, 1, 1);
        } else if (strcmp(what, "price") == 0) {
            reconcile_rig_meter(&r, &c);
            reconcile_rig_bill(&r, &c, 2, 1);
        } else if (strcmp(what, "cut") == 0) {
            reconcile_rig_bill(&r, &c, 1, 1);
            c.quantity[METER_OUTPUT] = 9000;
            c.estimated = true;
            reconcile_rig_meter(&r, &c);
        } else if (strcmp(what, "free") == 0) {
            c.model = "gpt-4o-mini-2024-07-18";
            reconcile_rig_meter(&r, &c);
            reconcile_rig_bill(&r, &c, 0, 1);
        } else if (strcmp(what, "batch") == 0) {
            struct rig_row row = {.project = "proj_a",
                                  .key = "key_1",
                                  .line = "batch | " MODEL ", input",
                                  .unit = "tokens",
                                  .pusd = USD,
                                  .quantity = 800000};
            reconcile_rig_bill_row(&r, day, &row);
        } else if (strcmp(what, "unpriced") == 0) {
            struct rig_row row = {.project = "proj_a",
                                  .key = "key_1",
                                  .line = "gpt-99, input",
                                  .unit = "tokens",
                                  .pusd = USD,
                                  .quantity = 10000};
            c.model = "gpt-99";
            c.quantity[METER_OUTPUT] = 0;
            reconcile_rig_meter(&r, &c);
            reconcile_rig_bill_row(&r, day, &row);
        } else {
            c.model = "gpt-4o-mini-2024-07-18";
            reconcile_rig_meter(&r, &c);
        }
        struct reconcile *x = settled(&r, day);
        if (x->total.cause != cases[i].cause)
            fail_msg("%s: %s", what, reconcile_cause_text(x->total.cause));
        assert_true(x->total.sums.cause[cases[i].cause] == x->total.sums.billed - x->total.sums.metered);
        if (strcmp(what, "unpriced") == 0) {
            assert_int_equal(x->unpriced_count, 1);
            assert_true(str_eq(x->unpriced[0].model, STR("gpt-99")));
            assert_int_equal(x->total.sums.unpriced_attempts, 1);
        }
        reconcile_free(x);
    }
    reconcile_rig_close(&r);
}

static void a_changed_price_is_suggested(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    for (int i = 0; i < 3; i++) {
        struct rig_call c = call(day + i, RIG_ONE, "key_1", 1000000, 0);
        reconcile_rig_meter(&r, &c);
        reconcile_rig_bill(&r, &c, i ? 3 : 1, i ? 2 : 1);
    }
    reconcile_rig_import_all(&r, 1);
    struct reconcile_query q = reconcile_rig_query(&r, day, day + 3, bill_day_us(day + 9));
    struct reconcile *x = reconcile_rig_run(&r, &q);
    assert_int_equal(x->price_count, 1);
    assert_true(str_eq(x->prices[0].model, STR("gpt-4o")) && str_eq(x->prices[0].meter, STR("input")));
    same("book", x->prices[0].book, "0.0000025");
    same("observed", x->prices[0].observed, "0.00000375");
    assert_int_equal(x->prices[0].first_day, day + 1);
    reconcile_free(x);
    reconcile_rig_close(&r);
}

/* --- edges ----------------------------------------------------------------------------------- */

static void answers_out_of_the_cache_cost_nothing(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    struct rig_call c = call(day, RIG_ONE, "key_1", 1000, 10);
    reconcile_rig_meter(&r, &c);
    reconcile_rig_bill(&r, &c, 1, 1);
    c.cached = true;
    reconcile_rig_meter(&r, &c);
    struct reconcile *x = settled(&r, day);
    assert_int_equal(x->total.status, RECONCILE_MATCHED);
    assert_true(x->total.sums.billed == x->total.sums.metered && x->total.sums.volume == 0);
    assert_true(x->total.sums.unattributed == 0);
    reconcile_free(x);
    reconcile_rig_close(&r);
}

static void long_context_and_other_tiers_agree(void **state)
{
    static const char *const models[] = {"gpt-5.4", "gpt-5.4", MODEL, "gpt-5", "o3"};
    static const char *const tiers[] = {"", "priority", "priority", "flex", "flex"};
    struct reconcile_rig r;
    int64_t day = day_of("2026-08-10");
    (void)state;
    reconcile_rig_open(&r, day);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        for (unsigned k = 1; k <= 2; k++) {
            struct rig_call c = call(day, RIG_ONE, "key_1", k == 2 ? 400000 : 3000, 500);
            c.model = models[i];
            c.tier = tiers[i];
            c.quantity[METER_CACHED] = 1024;
            if (reconcile_rig_cost(&r, &c).state != COST_PRICED)
                continue;
            reconcile_rig_meter(&r, &c);
            reconcile_rig_bill(&r, &c, 1, 1);
        }
    }
    struct reconcile *x = settled(&r, day);
    assert_true(x->total.sums.billed > 0);
    assert_true(x->total.sums.volume == 0 && x->total.sums.rate == 0 && x->total.sums.pricing == 0);
    assert_true(x->total.sums.attempts >= 5);
    reconcile_free(x);
    reconcile_rig_close(&r);
}

static void a_key_that_openai_does_not_list_shares_the_rest(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    r.links[r.link_count++] = (struct match_link){.integration = RIG_UNKNOWN,
                                                  .workspace = 1,
                                                  .kind = KIND_INTEGRATION_OPENAI,
                                                  .name = STR("unknown"),
                                                  .host = STR("api.openai.com"),
                                                  .organization = STR(""),
                                                  .project = STR("proj_c"),
                                                  .key_hint = STR("sk-…qqqq")};
    struct rig_call c = call(day, RIG_UNKNOWN, "key_9", 1000000, 0), own = call(day, RIG_ONE, "key_1", 1000000, 0);
    reconcile_rig_meter(&r, &c);
    reconcile_rig_bill(&r, &c, 1, 1);
    reconcile_rig_meter(&r, &own);
    reconcile_rig_bill(&r, &own, 1, 1);
    struct rig_row row = {.project = "proj_c",
                          .key = "key_8",
                          .line = MODEL ", input",
                          .unit = "tokens",
                          .pusd = USD / 4,
                          .quantity = 100000};
    reconcile_rig_bill_row(&r, day, &row);
    reconcile_rig_import_all(&r, 1);
    struct reconcile_query q = reconcile_rig_query(&r, day, day + 1, bill_day_us(day + 9));
    q.groups[0] = RECONCILE_BY_PROJECT;
    q.groups[1] = RECONCILE_BY_KEY;
    q.group_count = 2;
    struct reconcile *x = reconcile_rig_run(&r, &q);
    assert_int_equal(x->row_count, 2);
    const struct reconcile_row *rest = row_of(x, 1, "(any)");
    assert_true(str_eq(rest->values[0], STR("proj_c")));
    same("rest", rest->sums.billed, "2.75");
    same("of it not metered", rest->sums.unattributed, "0.25");
    assert_int_equal(row_of(x, 1, "key_1")->status, RECONCILE_MATCHED);
    assert_int_equal(x->shadow_count, 0);
    reconcile_free(x);
    reconcile_rig_close(&r);
}

static void an_account_that_nobody_uses_blurs_nothing(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    r.links[r.link_count++] = (struct match_link){.integration = RIG_UNKNOWN,
                                                  .workspace = 1,
                                                  .kind = KIND_INTEGRATION_OPENAI,
                                                  .name = STR("idle"),
                                                  .host = STR("api.openai.com"),
                                                  .organization = STR(""),
                                                  .project = STR(""),
                                                  .key_hint = STR("sk-…qqqq")};
    struct rig_call c = call(day, 0, "key_9", 1000000, 0);
    reconcile_rig_bill(&r, &c, 1, 1);
    struct reconcile *x = settled(&r, day);
    assert_int_equal(x->shadow_count, 1);
    assert_true(str_eq(x->shadows[0].key, STR("key_9")));
    reconcile_free(x);
    reconcile_rig_close(&r);
}

static void amounts_without_quantities_take_those_of_the_usage_pages(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    bool changed;
    (void)state;
    reconcile_rig_open(&r, day);
    struct rig_call c = call(day, RIG_ONE, "key_1", 1000000, 100000);
    c.quantity[METER_CACHED] = 400000;
    reconcile_rig_meter(&r, &c);
    reconcile_rig_bill(&r, &c, 3, 2);
    for (size_t i = 0; i < r.row_count[0]; i++)
        r.rows[0][i].quantity = -1;
    struct bill_used used = {.project = STR("proj_a"),
                             .user = STR(""),
                             .key = STR("key_1"),
                             .model = STR(MODEL),
                             .tier = STR("default"),
                             .extra = STR(""),
                             .source = STR("")};
    used.figure[BILL_FIGURE_INPUT] = 1400000;
    used.figure[BILL_FIGURE_CACHED] = 400000;
    used.figure[BILL_FIGURE_OUTPUT] = 100000;
    used.figure[BILL_FIGURE_REQUESTS] = 1;
    for (int known = 0; known < 2; known++) {
        const struct bill_bucket bucket = {.account = RIG_ACCOUNT,
                                           .kind = BILL_USAGE_COMPLETIONS,
                                           .start = day * 24,
                                           .rows = &used,
                                           .count = 1,
                                           .now_us = 1};
        if (known)
            assert_int_equal(bill_usage_put(r.bill, &bucket, &changed), ERR_OK);
        struct reconcile *x = settled(&r, day);
        same("gap", x->total.sums.billed - x->total.sums.metered, "2.0");
        same("rate", x->total.sums.rate, known ? "2.0" : "0.0");
        same("volume", x->total.sums.volume, known ? "0.0" : "2.0");
        assert_int_equal(x->total.cause, known ? RECONCILE_CAUSE_PRICE : RECONCILE_CAUSE_BYPASSED);
        reconcile_free(x);
    }
    reconcile_rig_close(&r);
}

static void use_around_midnight_agrees_over_two_days(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    for (int i = 0; i < 2; i++) {
        struct rig_call c = call(day + i * 4, RIG_ONE, "key_1", 1000000, 0);
        reconcile_rig_meter(&r, &c);
        reconcile_rig_bill(&r, &c, 1, 1);
        c = call(day + i * 4, RIG_ONE, "key_1", i ? 8000000 : 80000, 0);
        reconcile_rig_meter(&r, &c);
        c.day++;
        reconcile_rig_bill(&r, &c, 1, 1);
    }
    reconcile_rig_import_all(&r, 1);
    struct reconcile_query q = reconcile_rig_query(&r, day, day + 6, bill_day_us(day + 20));
    q.groups[0] = RECONCILE_BY_DAY;
    q.group_count = 1;
    struct reconcile *x = reconcile_rig_run(&r, &q);
    assert_int_equal(x->row_count, 4);
    assert_int_equal(row_of(x, 0, "2026-03-10")->status, RECONCILE_MATCHED);
    assert_int_equal(row_of(x, 0, "2026-03-11")->status, RECONCILE_MATCHED);
    /* More than a request or two. */
    assert_int_equal(row_of(x, 0, "2026-03-14")->status, RECONCILE_OVER_METERED);
    assert_int_equal(row_of(x, 0, "2026-03-15")->status, RECONCILE_UNMETERED);
    assert_int_equal(x->total.status, RECONCILE_MATCHED);
    reconcile_free(x);
    reconcile_rig_close(&r);
}

static void a_rotated_key_belongs_to_each_in_its_time(void **state)
{
    struct reconcile_rig r;
    int64_t day = day_of("2026-03-10");
    (void)state;
    reconcile_rig_open(&r, day);
    struct match_link second = r.links[1];
    second.from_us = bill_day_us(day) + 10 * HOUR_US;
    second.key_hint = STR("sk-…yyyy");
    memmove(&r.links[3], &r.links[2], 3 * sizeof r.links[0]);
    r.links[2] = second;
    r.link_count++;
    struct rig_call c = call(day, RIG_ONE, "key_1", 1000, 0);
    c.second = 9 * 3600;
    reconcile_rig_meter(&r, &c);
    reconcile_rig_bill(&r, &c, 1, 1);
    c = call(day, RIG_ONE, "key_9", 2000, 0);
    c.second = 10 * 3600;
    reconcile_rig_meter(&r, &c);
    reconcile_rig_bill(&r, &c, 1, 1);
    reconcile_rig_import_all(&r, 1);
    struct reconcile_query q = reconcile_rig_query(&r, day, day + 1, bill_day_us(day + 9));
    q.groups[0] = RECONCILE_BY_KEY;
    q.group_count = 1;
    struct reconcile *x = reconcile_rig_run(&r, &q);
    assert_int_equal(x->row_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(x->rows[i].sums.billed == x->rows[i].sums.metered && x->rows[i].sums.volume == 0);
    reconcile_free(x);
    reconcile_rig_close(&r);
}

static void without_a_bill_or_a_ledger_one_side_is_empty(void **state)
{
    struct reconcile_rig r;
    struct reconcile *x;
    struct cost_error error;
    (void)state;
    reconcile_rig_open(&r, 20000);
    struct reconcile_query q = reconcile_rig_query(&r, 20000, 20001, bill_day_us(20010));
    assert_int_equal(reconcile_run("/nowhere", &q, &x, &error), ERR_OK);
    assert_int_equal(x->row_count, 0);
    assert_int_equal(x->missing, 1);
    reconcile_free(x);
    q.until_day = 19000;
    assert_int_equal(reconcile_run(r.dir, &q, &x, &error), ERR_BAD_PARAMETER);
    assert_non_null(strstr(error.text, "before its beginning"));
    reconcile_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_exact_over_256_bits),
        cmocka_unit_test(a_scripted_day_has_every_status),
        cmocka_unit_test(unbilled_use_is_pending_for_72_hours),
        cmocka_unit_test(use_without_a_price_is_pending_like_any_other),
        cmocka_unit_test(causes_are_named),
        cmocka_unit_test(a_changed_price_is_suggested),
        cmocka_unit_test(answers_out_of_the_cache_cost_nothing),
        cmocka_unit_test(long_context_and_other_tiers_agree),
        cmocka_unit_test(a_key_that_openai_does_not_list_shares_the_rest),
        cmocka_unit_test(an_account_that_nobody_uses_blurs_nothing),
        cmocka_unit_test(amounts_without_quantities_take_those_of_the_usage_pages),
        cmocka_unit_test(use_around_midnight_agrees_over_two_days),
        cmocka_unit_test(a_rotated_key_belongs_to_each_in_its_time),
        cmocka_unit_test(without_a_bill_or_a_ledger_one_side_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
