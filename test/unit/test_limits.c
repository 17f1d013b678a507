/* SPDX-License-Identifier: Apache-2.0 */
/* Limits: what each kind of rule lets in, what it tells those it does not, and what it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "limits_rig.h"

#define NOW LIMITS_RIG_NOW
#define MINUTE INT64_C(60000000)

static struct limits *l;
static struct limits_refusal no;

static int set_up(void **state)
{
    (void)state;
    l = limits_new(NULL);
    memset(&no, 0, sizeof no);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct limits_counts n;
    limits_count(l, &n);
    limits_free(l);
    return n.holds == 0 ? 0 : -1;
}

static struct limits_estimate cost(int64_t usd_thousandths)
{
    return (struct limits_estimate){
        .cost_pusd = usd_thousandths * (USD / 1000), .output_given = true, .input_tok = 10, .output_tok = 90};
}

static struct limits_estimate toks(uint64_t input, uint64_t output, bool given)
{
    return (struct limits_estimate){.input_tok = input, .output_tok = output, .output_given = given};
}

static bool admit_at(const struct limits_subject *s, enum limits_stage stage, struct limits_estimate e, int64_t now,
                     struct limits_hold **hold)
{
    return limits_admit(l, s, stage, &e, now, hold, &no);
}

static bool admit(const struct limits_subject *s, struct limits_estimate e, struct limits_hold **hold)
{
    return admit_at(s, s->integration ? LIMITS_TARGET : LIMITS_BEFORE, e, NOW, hold);
}

static void settle(struct limits_hold **hold, int64_t usd_thousandths, uint64_t input, uint64_t output)
{
    const struct limits_actual a = {
        .cost_pusd = usd_thousandths * (USD / 1000), .input_tok = input, .output_tok = output};
    limits_settle(l, hold, &a);
    assert_null(*hold);
}

/* Admitted and settled at once. */
static bool use(const struct limits_subject *s, struct limits_estimate e, int64_t usd_thousandths, uint64_t input,
                uint64_t output)
{
    struct limits_hold *hold = NULL;
    if (!admit(s, e, &hold))
        return false;
    settle(&hold, usd_thousandths, input, output);
    return true;
}

static struct limits_state seen;
static unsigned seen_count;

static bool see(void *context, const struct limits_state *s)
{
    (void)context;
    seen = *s;
    seen_count++;
    return true;
}

/* The only state of rule 1. */
static const struct limits_state *state_of(struct snapshot *s, int64_t now)
{
    seen_count = 0;
    limits_states_of(l, ruleset_rule_of(snapshot_limits(s), 1), now, see, NULL);
    assert_int_equal(seen_count, 1);
    return &seen;
}

static void without_rules_everything_is_let_in(void **state)
{
    (void)state;
    struct snapshot *s = limits_rig_snapshot(NULL, 0);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    assert_true(admit(&key, cost(1000000), &hold));
    assert_null(hold);
    limits_release(l, &hold);
    snapshot_unref(s);
}

static void a_rule_of_one_key_does_not_concern_another(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 10, LIMIT_HARD);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject other = limits_rig_subject(s, 12, 0), key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    assert_true(admit(&other, cost(1000), &hold));
    assert_null(hold);
    assert_false(admit(&key, cost(1000), &hold));
    assert_null(hold);
    snapshot_unref(s);
}

static void a_hard_budget_is_never_passed(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold[10] = {NULL}, *more = NULL;
    for (int i = 0; i < 10; i++)
        assert_true(admit(&key, cost(100), &hold[i]));
    assert_false(admit(&key, cost(1), &more));
    assert_int_equal(no.status, 412);
    assert_int_equal(limits_held_pusd(hold[0]), 100 * (USD / 1000));
    assert_int_equal(limits_held_pusd(NULL), 0);
    assert_false(state_of(s, NOW)->exhausted);
    for (int i = 0; i < 10; i++)
        settle(&hold[i], 60, 10, 20); /* less than was reserved */
    assert_int_equal(state_of(s, NOW)->used, 600 * (USD / 1000));
    assert_int_equal(seen.reserved, 0);
    assert_true(use(&key, cost(400), 400, 1, 1)); /* fits exactly */
    assert_false(admit(&key, cost(1), &more));
    assert_false(admit(&key, cost(0), &more));
    assert_true(state_of(s, NOW)->exhausted);
    assert_true(limits_exhausted(l, s, LIMIT_KEY, 11, 0, NOW));
    assert_false(limits_exhausted(l, s, LIMIT_KEY, 12, 0, NOW));
    snapshot_unref(s);
}

static void what_is_released_was_never_there(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    for (int i = 0; i < 1000; i++) {
        struct limits_hold *hold = NULL;
        assert_true(admit(&key, cost(1000), &hold));
        limits_release(l, &hold);
        assert_null(hold);
    }
    assert_int_equal(state_of(s, NOW)->used, 0);
    assert_int_equal(seen.reserved, 0);
    snapshot_unref(s);
}

static void a_soft_budget_lets_the_crossing_one_complete(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_SOFT);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    assert_true(use(&key, cost(5000), 999, 1, 1));
    assert_true(use(&key, cost(5000), 5000, 1, 1));
    assert_false(admit(&key, cost(1), &hold));
    assert_int_equal(no.status, 412);
    assert_int_equal(state_of(s, NOW)->used, 5999 * (USD / 1000));
    snapshot_unref(s);
}

/* Without a maximum from the caller only the input is sure: many can be under way at once. */
static void a_soft_budget_reserves_what_is_certain(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_SOFT);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_estimate e = {.cost_pusd = 900 * (USD / 1000), .cost_input_pusd = USD / 1000};
    struct limits_hold *hold[20] = {NULL};
    for (int i = 0; i < 20; i++)
        assert_true(admit(&key, e, &hold[i]));
    assert_int_equal(state_of(s, NOW)->reserved, 20 * (USD / 1000));
    for (int i = 0; i < 20; i++)
        limits_release(l, &hold[i]);
    snapshot_unref(s);
}

static void request_rates_count_refused_requests_too(void **state)
{
    (void)state;
    struct limit rule = limits_rig_rate(LIMIT_KEY, 11, LIMIT_REQUESTS, 3, WINDOW_MINUTE);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    int64_t start = NOW / MINUTE * MINUTE;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(admit_at(&key, LIMITS_BEFORE, cost(1), start + i, &hold), i < 3);
        assert_null(hold);
    }
    assert_int_equal(no.status, 429);
    assert_int_equal(no.family, LIMITS_FAMILY_KEY);
    assert_string_equal(no.code, "05");
    assert_string_equal(no.message, "apikey tg********011 rate limit exceeded");
    assert_int_equal(no.retry_after_s, 60);
    assert_true(no.may_retry);
    assert_int_equal(state_of(s, start)->used, 5);
    assert_true(admit_at(&key, LIMITS_BEFORE, cost(1), start + MINUTE, &hold));
    assert_int_equal(state_of(s, start + MINUTE)->used, 1);
    snapshot_unref(s);
}

static void further_attempts_are_not_counted_as_requests(void **state)
{
    (void)state;
    const struct limit rules[] = {limits_rig_rate(LIMIT_KEY, 11, LIMIT_REQUESTS, 1, WINDOW_MINUTE),
                                  limits_rig_rate(LIMIT_INTEGRATION, 21, LIMIT_REQUESTS, 2, WINDOW_MINUTE)};
    struct snapshot *s = limits_rig_snapshot(rules, 2);
    struct limits_subject key = limits_rig_subject(s, 11, 0), target = limits_rig_subject(s, 11, 21);
    struct limits_hold *hold = NULL;
    assert_true(admit(&key, cost(1), &hold));
    assert_true(admit(&target, cost(1), &hold));
    key.again = target.again = true;
    assert_true(admit(&key, cost(1), &hold));
    assert_true(admit(&target, cost(1), &hold)); /* each attempt goes to the integration */
    assert_false(admit(&target, cost(1), &hold));
    key.again = false;
    assert_false(admit(&key, cost(1), &hold));
    assert_null(hold);
    snapshot_unref(s);
}

static void token_rates_ask_for_the_callers_maximum_and_count_what_was_used(void **state)
{
    (void)state;
    struct limit rule = limits_rig_rate(LIMIT_KEY, 11, LIMIT_TOKENS, 1000, WINDOW_MINUTE);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    assert_false(admit(&key, toks(5, 1001, true), &hold));
    assert_int_equal(no.status, 429);
    assert_true(admit(&key, toks(5, 1001, false), &hold)); /* the model's maximum is not the caller's */
    limits_release(l, &hold);
    assert_true(use(&key, toks(5, 500, true), 0, 5, 300));
    assert_int_equal(state_of(s, NOW)->used, 305);
    assert_int_equal(seen.input_used, 5);
    assert_int_equal(seen.output_used, 300);
    assert_false(admit(&key, toks(5, 696, true), &hold));
    assert_true(use(&key, toks(5, 695, true), 0, 5, 690));
    assert_false(admit(&key, toks(1, 1, true), &hold));
    snapshot_unref(s);
}

static void caps_count_input_output_and_both(void **state)
{
    (void)state;
    static const struct {
        int64_t input, output, total;
        uint64_t used_input, used_output;
        bool lets_in;
    } rows[] = {
        {0, 0, 100, 50, 49, true},      {0, 0, 100, 50, 50, false},      {100, 0, 0, 99, 5000, true},
        {100, 0, 0, 100, 0, false},     {0, 100, 0, 5000, 99, true},     {0, 100, 0, 0, 150, false},
        {100, 100, 1000, 99, 99, true}, {100, 100, 1000, 100, 0, false}, {0, 0, 0, 100000, 100000, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct limit rule = limits_rig_cap(LIMIT_MODEL, 31, rows[i].input, rows[i].output, rows[i].total, WINDOW_DAY);
        struct snapshot *s = limits_rig_snapshot(&rule, 1);
        struct limits_subject key = limits_rig_subject(s, 11, 0);
        struct limits_hold *hold = NULL;
        limits_free(l);
        l = limits_new(NULL);
        key.model_api_id = 31;
        assert_true(use(&key, toks(1, 1, true), 0, rows[i].used_input, rows[i].used_output));
        if (admit(&key, toks(1, 1, true), &hold) != rows[i].lets_in)
            fail_msg("row %zu", i);
        limits_release(l, &hold);
        if (!rows[i].lets_in) {
            assert_int_equal(no.status, 429);
            assert_int_equal(no.family, LIMITS_FAMILY_BLAXEL);
            assert_false(no.may_retry);
            assert_int_equal(no.retry_after_s, (NOW / (1440 * MINUTE) + 1) * 1440 * 60 - NOW / 1000000);
        }
        key.model_api_id = 32; /* counted for each model API */
        assert_true(admit(&key, toks(1, 1, true), &hold));
        snapshot_unref(s);
    }
}

/* The strictest of all that are attached wins. */
static void every_attached_rule_must_let_in(void **state)
{
    (void)state;
    const struct limit rules[] = {limits_rig_cap(LIMIT_MODEL, 31, 0, 0, 100, WINDOW_MINUTE),
                                  limits_rig_cap(LIMIT_MODEL, 31, 0, 0, 150, WINDOW_DAY)};
    struct snapshot *s = limits_rig_snapshot(rules, 2);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    key.model_api_id = 31;
    assert_true(use(&key, toks(1, 1, true), 0, 60, 60));
    assert_false(admit(&key, toks(1, 1, true), &hold)); /* the minute's */
    assert_true(admit_at(&key, LIMITS_BEFORE, toks(1, 1, true), NOW + MINUTE, &hold));
    settle(&hold, 0, 20, 20);
    assert_false(admit_at(&key, LIMITS_BEFORE, toks(1, 1, true), NOW + 2 * MINUTE, &hold)); /* the day's */
    assert_true(admit_at(&key, LIMITS_BEFORE, toks(1, 1, true), NOW + 1440 * MINUTE, &hold));
    limits_release(l, &hold);
    snapshot_unref(s);
}

static void a_refusal_by_one_rule_reserves_nothing_at_the_others(void **state)
{
    (void)state;
    const struct limit rules[] = {limits_rig_budget(LIMIT_WORKSPACE, 1, 1000, LIMIT_HARD),
                                  limits_rig_budget(LIMIT_KEY, 11, 10, LIMIT_HARD),
                                  limits_rig_budget(LIMIT_MEMBER, 5, 500, LIMIT_HARD)};
    struct snapshot *s = limits_rig_snapshot(rules, 3);
    struct limits_subject key = limits_rig_subject(s, 11, 0), other = limits_rig_subject(s, 12, 0);
    struct limits_hold *hold = NULL;
    assert_false(admit(&key, cost(11), &hold));
    assert_int_equal(no.rule->limit.id, 2);
    assert_int_equal(state_of(s, NOW)->reserved, 0);
    assert_true(admit(&other, cost(1000), &hold)); /* all of the workspace's */
    assert_false(admit(&key, cost(1), &(struct limits_hold *){NULL}));
    assert_int_equal(no.rule->limit.id, 1);
    limits_release(l, &hold);
    snapshot_unref(s);
}

static void what_has_no_price_counts_at_the_ceiling(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_estimate e = {.unpriced = true, .input_tok = 2000, .output_tok = 7000};
    struct limits_hold *hold = NULL;
    assert_true(admit(&key, e, &hold)); /* 10,000 tokens at 60 dollars a million: 60 cents */
    assert_int_equal(state_of(s, NOW)->reserved, 600 * (USD / 1000));
    const struct limits_actual a = {.unpriced = true, .input_tok = 2000, .output_tok = 1000};
    limits_settle(l, &hold, &a);
    assert_int_equal(state_of(s, NOW)->used, 240 * (USD / 1000)); /* never quietly nothing */
    struct limits_counts n;
    limits_count(l, &n);
    assert_int_equal(n.unpriced, 1);
    snapshot_unref(s);
}

static void what_uses_nothing_is_asked_for_its_rate_only(void **state)
{
    (void)state;
    const struct limit rules[] = {limits_rig_budget(LIMIT_KEY, 11, 1, LIMIT_HARD),
                                  limits_rig_rate(LIMIT_KEY, 11, LIMIT_REQUESTS, 2, WINDOW_MINUTE)};
    struct snapshot *s = limits_rig_snapshot(rules, 2);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    assert_true(use(&key, cost(1), 1, 1, 1));
    key.free = true;
    assert_true(admit(&key, cost(0), &hold));
    assert_null(hold);
    assert_false(admit(&key, cost(0), &hold));
    assert_int_equal(no.status, 429);
    snapshot_unref(s);
}

static void what_began_before_the_window_ended_is_not_charged_to_the_next(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    rule.window = (struct window){WINDOW_HOUR, 1, 0};
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *old = NULL, *fresh = NULL;
    int64_t later = NOW + 60 * MINUTE;
    assert_true(admit(&key, cost(900), &old));
    assert_true(admit_at(&key, LIMITS_BEFORE, cost(1000), later, &fresh));
    settle(&old, 900, 1, 1);
    assert_int_equal(state_of(s, later)->used, 0);
    assert_int_equal(seen.reserved, USD);
    settle(&fresh, 1000, 1, 1);
    assert_int_equal(state_of(s, later)->used, USD);
    /* A clock that is a little behind does not bring the old window back. */
    assert_false(admit_at(&key, LIMITS_BEFORE, cost(1), later - 70 * MINUTE, &fresh));
    snapshot_unref(s);
}

static void a_clock_set_back_does_not_lock_rates(void **state)
{
    (void)state;
    struct limit rule = limits_rig_rate(LIMIT_KEY, 11, LIMIT_REQUESTS, 1, WINDOW_MINUTE);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    int64_t start = NOW / MINUTE * MINUTE;
    assert_true(admit_at(&key, LIMITS_BEFORE, cost(1), start, &hold));
    assert_false(admit_at(&key, LIMITS_BEFORE, cost(1), start - 5000000, &hold)); /* five seconds: the same window */
    assert_true(admit_at(&key, LIMITS_BEFORE, cost(1), start - 3600 * INT64_C(1000000), &hold));
    snapshot_unref(s);
}

static void a_reset_begins_anew_at_once(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    struct snapshot *before = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(before, 11, 0);
    struct limits_hold *old = NULL, *fresh = NULL;
    assert_true(use(&key, cost(600), 600, 1, 1));
    assert_true(admit(&key, cost(400), &old));
    rule.counted_from_us = NOW + 1000;
    struct snapshot *after = limits_rig_snapshot(&rule, 1);
    struct limits_subject again = limits_rig_subject(after, 11, 0);
    assert_true(admit_at(&again, LIMITS_BEFORE, cost(1000), NOW + 2000, &fresh));
    /* A worker that has the old snapshot still sees the new count. */
    assert_false(admit_at(&key, LIMITS_BEFORE, cost(1), NOW + 3000, &(struct limits_hold *){NULL}));
    settle(&old, 400, 1, 1);
    assert_int_equal(state_of(after, NOW + 3000)->used, 0);
    limits_release(l, &fresh);
    snapshot_unref(before);
    snapshot_unref(after);
}

static struct limit policy(enum limit_kind kind, enum limit_measure measure, int64_t max, const char *conditions,
                           const char *group_by)
{
    return (struct limit){.attach = LIMIT_POLICY,
                          .workspace_id = 1,
                          .name = STR("the policy"),
                          .kind = kind,
                          .measure = measure,
                          .mode = kind == LIMIT_BUDGET ? LIMIT_HARD : LIMIT_SOFT,
                          .window = {WINDOW_DAY, 1, 0},
                          .max = max,
                          .conditions = str_c(conditions),
                          .group_by = str_c(group_by)};
}

static void policies_count_each_group_on_its_own(void **state)
{
    (void)state;
    struct limit rule = policy(LIMIT_BUDGET, LIMIT_COST, USD, "[{\"key\":\"metadata.env\",\"value\":\"prod\"}]",
                               "[{\"key\":\"metadata._user\"},{\"key\":\"api_key\"}]");
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0), other = limits_rig_subject(s, 12, 0),
                          foreign = limits_rig_subject(s, 13, 0);
    struct limits_hold *hold = NULL;
    key.metadata = other.metadata = foreign.metadata = STR("{\"env\":\"prod\",\"_user\":\"ann\"}");
    assert_true(use(&key, cost(1000), 1000, 1, 1));
    assert_false(admit(&key, cost(1), &hold));
    assert_int_equal(no.status, 412);
    assert_int_equal(no.family, LIMITS_FAMILY_TARGET);
    assert_string_equal(no.type, "usage_limits_policy_exhaust_error");
    assert_string_equal(no.code, "06");
    assert_true(use(&other, cost(1000), 500, 1, 1));
    assert_true(admit(&foreign, cost(1000), &hold)); /* another workspace's */
    assert_null(hold);
    key.metadata = STR("{\"env\":\"prod\",\"_user\":\"bob\"}");
    assert_true(use(&key, cost(1000), 250, 1, 1));
    key.metadata = STR("{\"env\":\"prod\"}"); /* lacks a value: skips the policy */
    assert_true(admit(&key, cost(1000), &hold));
    assert_null(hold);
    key.metadata = STR("{\"env\":\"test\",\"_user\":\"ann\"}");
    assert_true(admit(&key, cost(1000), &hold));
    assert_null(hold);
    seen_count = 0;
    limits_states(l, s, LIMIT_POLICY, 0, 1, NOW, see, NULL);
    assert_int_equal(seen_count, 3);
    /* One group set back. */
    struct snapshot *reset = limits_rig_with_reset(&rule, 1,
                                                   STR("ann\x1f"
                                                       "AbCd0011"),
                                                   NOW + 1);
    key = limits_rig_subject(reset, 11, 0);
    other = limits_rig_subject(reset, 12, 0);
    key.metadata = other.metadata = STR("{\"env\":\"prod\",\"_user\":\"ann\"}");
    assert_true(admit_at(&key, LIMITS_BEFORE, cost(1000), NOW + 2, &hold));
    limits_release(l, &hold);
    assert_false(admit_at(&other, LIMITS_BEFORE, cost(501), NOW + 2, &hold));
    snapshot_unref(reset);
    snapshot_unref(s);
}

static void policies_about_targets_are_asked_there(void **state)
{
    (void)state;
    struct limit rule = policy(LIMIT_RATE, LIMIT_REQUESTS, 1, "[{\"key\":\"model\",\"value\":\"@openai/*\"}]", "");
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0), target = limits_rig_subject(s, 11, 21);
    struct limits_hold *hold = NULL;
    for (int i = 0; i < 3; i++)
        assert_true(admit_at(&key, LIMITS_BEFORE, cost(1), NOW, &hold));
    assert_true(admit(&target, cost(1), &hold));
    assert_false(admit(&target, cost(1), &hold));
    assert_string_equal(no.type, "rate_limits_policy_exhaust_error");
    assert_int_equal(no.status, 429);
    snapshot_unref(s);
}

static void a_target_refusal_leaves_the_earlier_hold(void **state)
{
    (void)state;
    const struct limit rules[] = {limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD),
                                  limits_rig_budget(LIMIT_INTEGRATION, 21, 10, LIMIT_HARD),
                                  limits_rig_budget(LIMIT_ACCESS, 22, 1000, LIMIT_HARD)};
    struct snapshot *s = limits_rig_snapshot(rules, 3);
    struct limits_subject key = limits_rig_subject(s, 11, 0), first = limits_rig_subject(s, 11, 21),
                          second = limits_rig_subject(s, 11, 22);
    struct limits_hold *hold = NULL;
    assert_true(admit(&key, cost(100), &hold));
    assert_non_null(hold);
    struct limits_hold *before = hold;
    assert_false(admit(&first, cost(100), &hold));
    assert_non_null(hold);
    (void)before;
    assert_string_equal(no.type, "virtual_key_exhaust_error");
    assert_string_equal(no.message, "Portkey Virtual Key op********nai Usage Limit Exceeded");
    assert_true(admit(&second, cost(100), &hold)); /* fallback */
    assert_int_equal(state_of(s, NOW)->reserved, 100 * (USD / 1000));
    settle(&hold, 90, 1, 1);
    assert_int_equal(state_of(s, NOW)->used, 90 * (USD / 1000));
    seen_count = 0;
    limits_states(l, s, LIMIT_ACCESS, 22, 1, NOW, see, NULL);
    assert_int_equal(seen.used, 90 * (USD / 1000));
    snapshot_unref(s);
}

static unsigned alerts;
static int64_t alert_used;

static void on_alert(void *context, const struct limits_alert *a)
{
    assert_ptr_equal(context, &alerts);
    assert_int_equal(a->rule_id, 1);
    alerts++;
    alert_used = a->used;
}

static void an_alert_comes_once_a_window(void **state)
{
    (void)state;
    const struct limits_options options = {.alert = on_alert, .alert_context = &alerts};
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    rule.alert_at = 800 * (USD / 1000);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    limits_free(l);
    l = limits_new(&options);
    alerts = 0;
    assert_true(use(&key, cost(799), 799, 1, 1));
    assert_int_equal(alerts, 0);
    assert_true(use(&key, cost(1), 1, 1, 1));
    assert_int_equal(alerts, 1);
    assert_int_equal(alert_used, rule.alert_at);
    assert_true(use(&key, cost(100), 100, 1, 1));
    assert_int_equal(alerts, 1);
    assert_true(state_of(s, NOW)->alerted);
    struct limits_hold *hold = NULL;
    assert_true(admit_at(&key, LIMITS_BEFORE, cost(900), NOW + INT64_C(30) * 1440 * MINUTE, &hold));
    settle(&hold, 900, 1, 1);
    assert_int_equal(alerts, 2);
    snapshot_unref(s);
}

static void refusals_follow_the_contracts(void **state)
{
    (void)state;
    static const struct {
        enum limit_attach attach;
        int64_t id, workspace;
        enum limit_kind kind;
        int status, family;
        const char *type, *code, *message;
    } rows[] = {
        {LIMIT_KEY, 11, 1, LIMIT_BUDGET, 412, LIMITS_FAMILY_KEY, "insufficient_quota", "04",
         "Portkey API Key Usage Limit Exceeded"},
        {LIMIT_WORKSPACE, 1, 1, LIMIT_BUDGET, 412, LIMITS_FAMILY_KEY, "insufficient_quota", "04",
         "Portkey Workspace Usage Limit Exceeded"},
        {LIMIT_WORKSPACE, 1, 1, LIMIT_RATE, 429, LIMITS_FAMILY_KEY, "rate_limit_error", "05",
         "workspace de********ult rate limit exceeded"},
        {LIMIT_MEMBER, 5, 1, LIMIT_BUDGET, 412, LIMITS_FAMILY_KEY, "insufficient_quota", "04",
         "Portkey User Usage Limit Exceeded"},
        {LIMIT_INTEGRATION, 21, 1, LIMIT_RATE, 429, LIMITS_FAMILY_TARGET, "virtual_key_rate_limit_error", "",
         "Portkey Virtual Key op********nai Rate Limit Exceeded"},
        {LIMIT_INTEGRATION, 21, 0, LIMIT_BUDGET, 412, LIMITS_FAMILY_TARGET, "integration_exhaust_error", "",
         "Portkey Integration op********nai Usage Limit Exceeded"},
        {LIMIT_ACCESS, 21, 1, LIMIT_BUDGET, 412, LIMITS_FAMILY_TARGET, "workspace_integration_exhaust_error", "",
         "Portkey Workspace Integration op********nai Usage Limit Exceeded"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct limit rule = rows[i].kind == LIMIT_BUDGET
                                ? limits_rig_budget(rows[i].attach, rows[i].id, 1, LIMIT_HARD)
                                : limits_rig_rate(rows[i].attach, rows[i].id, LIMIT_TOKENS, 1, WINDOW_MINUTE);
        rule.workspace_id = rows[i].workspace;
        struct snapshot *s = limits_rig_snapshot(&rule, 1);
        bool late = rows[i].attach == LIMIT_INTEGRATION || rows[i].attach == LIMIT_ACCESS;
        struct limits_subject key = limits_rig_subject(s, 11, late ? 21 : 0);
        struct limits_hold *hold = NULL;
        assert_false(admit(&key, cost(2), &hold));
        assert_int_equal(no.status, rows[i].status);
        assert_int_equal(no.family, rows[i].family);
        assert_string_equal(no.type, rows[i].type);
        assert_string_equal(no.code, rows[i].code);
        assert_string_equal(no.message, rows[i].message);
        assert_string_equal(no.openai_code, rule.kind == LIMIT_BUDGET ? "budget_exceeded" : "rate_limit_exceeded");
        assert_true(no.retry_after_s > 0);
        assert_true(strlen(no.sentence) > 20);
        limits_free(l);
        l = limits_new(NULL);
        snapshot_unref(s);
    }
}

static void sentences_say_what_to_do(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    assert_true(use(&key, cost(900), 900, 1, 1));
    assert_false(admit(&key, cost(250), &hold));
    assert_string_equal(no.sentence,
                        "This request may take up to $0.25, and the budget of this key ($1.00 a month) has $0.10 left; "
                        "set a smaller maximum of output tokens, or wait: it is reset at 2026-12-01T00:00:00Z.");
    assert_true(use(&key, cost(100), 100, 1, 1));
    assert_false(admit(&key, cost(1), &hold));
    assert_string_equal(no.sentence,
                        "The budget of this key ($1.00 a month) is used up; it is reset at 2026-12-01T00:00:00Z.");
    assert_false(no.may_retry);
    snapshot_unref(s);
}

static void groups_are_bounded_and_make_room_when_their_window_is_over(void **state)
{
    (void)state;
    const struct limits_options options = {.groups_max = 100};
    struct limit rule = policy(LIMIT_RATE, LIMIT_REQUESTS, 5, "", "[{\"key\":\"metadata.u\"}]");
    rule.window = (struct window){WINDOW_MINUTE, 1, 0};
    struct snapshot *s = limits_rig_snapshot(&rule, 1);
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    struct limits_hold *hold = NULL;
    struct limits_counts n;
    limits_free(l);
    l = limits_new(&options);
    for (int i = 0; i < 300; i++) {
        char metadata[64];
        snprintf(metadata, sizeof metadata, "{\"u\":\"user %d\"}", i);
        key.metadata = str_c(metadata);
        int64_t now = NOW + (i < 150 ? 0 : 5 * MINUTE);
        bool in = admit_at(&key, LIMITS_BEFORE, cost(1), now, &hold);
        if (in != (i < 100 || (i >= 150 && i < 250)))
            fail_msg("request %d", i);
        if (!in) {
            assert_int_equal(no.status, 503);
            assert_true(no.retry_after_s > 0);
        }
    }
    limits_count(l, &n);
    assert_int_equal(n.refused_counters, 100);
    assert_true(n.counters <= 100);
    snapshot_unref(s);
}

static void counters_of_rules_that_are_gone_are_forgotten(void **state)
{
    (void)state;
    struct limits_counts n;
    struct snapshot *empty = limits_rig_snapshot(NULL, 0);
    struct limits_hold *kept = NULL;
    for (int64_t id = 1; id <= 3000; id++) {
        struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
        rule.id = id;
        struct snapshot *s = limits_rig_snapshot(&rule, 1);
        struct limits_subject key = limits_rig_subject(s, 11, 0);
        struct limits_hold *hold = NULL;
        assert_true(admit(&key, cost(1), id == 1 ? &kept : &hold));
        limits_release(l, &hold);
        snapshot_unref(s);
    }
    limits_set_snapshot(l, empty);
    limits_count(l, &n);
    assert_int_equal(n.counters, 1); /* one has a hold, which outlives rule and snapshot */
    limits_release(l, &kept);
    snapshot_unref(empty);
}

static uint64_t nanos(void)
{
    return clock_mono_us() * 1000;
}

/* Budgets: 20 ns without a rule, 500 ns with three. Printed, not asserted: machines differ. */
static void asking_is_cheap(void **state)
{
    (void)state;
    const struct limit rules[] = {limits_rig_budget(LIMIT_KEY, 11, 1000000000, LIMIT_HARD),
                                  limits_rig_budget(LIMIT_WORKSPACE, 1, 1000000000, LIMIT_HARD),
                                  limits_rig_rate(LIMIT_KEY, 11, LIMIT_REQUESTS, 1000000000, WINDOW_MINUTE)};
    const char *names[] = {"no rule at all", "none that concerns it", "three rules"};
    for (int k = 0; k < 3; k++) {
        struct snapshot *s = limits_rig_snapshot(rules, k == 0 ? 0 : k == 1 ? 1 : 3);
        struct limits_subject key = limits_rig_subject(s, k == 1 ? 12 : 11, 0);
        struct limits_estimate e = cost(1);
        const struct limits_actual a = {.cost_pusd = 5};
        const int rounds = 200000;
        uint64_t from = nanos();
        for (int i = 0; i < rounds; i++) {
            struct limits_hold *hold = NULL;
            assert_true(limits_admit(l, &key, LIMITS_BEFORE, &e, NOW, &hold, &no));
            limits_settle(l, &hold, &a);
        }
        printf("           admit and settle, %s: %.1f ns\n", names[k], (double)(nanos() - from) / rounds);
        snapshot_unref(s);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(without_rules_everything_is_let_in),
        T(a_rule_of_one_key_does_not_concern_another),
        T(a_hard_budget_is_never_passed),
        T(what_is_released_was_never_there),
        T(a_soft_budget_lets_the_crossing_one_complete),
        T(a_soft_budget_reserves_what_is_certain),
        T(request_rates_count_refused_requests_too),
        T(further_attempts_are_not_counted_as_requests),
        T(token_rates_ask_for_the_callers_maximum_and_count_what_was_used),
        T(caps_count_input_output_and_both),
        T(every_attached_rule_must_let_in),
        T(a_refusal_by_one_rule_reserves_nothing_at_the_others),
        T(what_has_no_price_counts_at_the_ceiling),
        T(what_uses_nothing_is_asked_for_its_rate_only),
        T(what_began_before_the_window_ended_is_not_charged_to_the_next),
        T(a_clock_set_back_does_not_lock_rates),
        T(a_reset_begins_anew_at_once),
        T(policies_count_each_group_on_its_own),
        T(policies_about_targets_are_asked_there),
        T(a_target_refusal_leaves_the_earlier_hold),
        T(an_alert_comes_once_a_window),
        T(refusals_follow_the_contracts),
        T(sentences_say_what_to_do),
        T(groups_are_bounded_and_make_room_when_their_window_is_over),
        T(counters_of_rules_that_are_gone_are_forgotten),
        T(asking_is_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
