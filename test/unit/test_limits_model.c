/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits against a naive model: it keeps a list of everything that ever happened and adds it all up for
 * every question. Random rules, requests, ends, resets and a clock that goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/rng.h"
#include "limits_rig.h"

#define RULES 6
#define EVENTS_MAX 4000
#define LIVE_MAX 12
#define STEPS 1500
#define RUNS 60

struct event {
    unsigned rule;
    int64_t start_us; /* of its window */
    int64_t a, b;     /* used or reserved */
};

struct attempt {
    struct limits_hold *hold;
    struct snapshot *snapshot;
    unsigned rules; /* bit mask */
    int64_t start_us[RULES], a[RULES], b[RULES];
    struct limits_estimate e;
};

static struct event events[EVENTS_MAX];
static unsigned event_count;
static struct limit rules[RULES];
static struct attempt live[LIVE_MAX];
static struct rng_seeded g;
static int64_t now_us;

static uint64_t below(uint64_t n)
{
    return rng_seeded_below(&g, n);
}

static int64_t start_of(const struct limit *r)
{
    int64_t start = window_at(&r->window, now_us).start_us;
    return r->counted_from_us > start ? r->counted_from_us : start;
}

static void make_rules(void)
{
    static const enum window_unit units[] = {WINDOW_SECOND, WINDOW_MINUTE, WINDOW_HOUR,  WINDOW_DAY,
                                             WINDOW_WEEK,   WINDOW_MONTH,  WINDOW_NEVER, WINDOW_ANCHOR};
    for (unsigned i = 0; i < RULES; i++) {
        struct limit *r = &rules[i];
        int64_t id = 11 + (int64_t)below(2);
        enum window_unit unit = units[below(sizeof units / sizeof units[0])];
        switch (below(4)) {
        case 0:
            *r = limits_rig_rate(LIMIT_KEY, id, LIMIT_REQUESTS, 1 + (int64_t)below(20), unit);
            break;
        case 1:
            *r = limits_rig_rate(LIMIT_KEY, id, LIMIT_TOKENS, 1 + (int64_t)below(2000), unit);
            break;
        case 2:
            *r = limits_rig_cap(LIMIT_KEY, id, (int64_t)below(800), (int64_t)below(800), (int64_t)below(1500), unit);
            break;
        default:
            *r = limits_rig_budget(LIMIT_KEY, id, 1 + (int64_t)below(500), LIMIT_SOFT);
            break;
        }
        if (below(4) == 0) {
            r->attach = LIMIT_WORKSPACE;
            r->attach_id = 1;
        }
        r->id = i + 1;
        r->mode = below(2) ? LIMIT_HARD : LIMIT_SOFT;
        r->window = (struct window){unit, unit == WINDOW_NEVER ? 1 : 1 + (uint32_t)below(3), 0};
    }
}

/* Everything in the window, and everything under way in it. */
static void add_up(unsigned rule, int64_t start_us, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    for (unsigned i = 0; i < event_count; i++) {
        if (events[i].rule == rule && events[i].start_us == start_us) {
            *a += events[i].a;
            *b += events[i].b;
        }
    }
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        if (live[i].hold && (live[i].rules >> rule & 1) && live[i].start_us[rule] == start_us) {
            *a += live[i].a[rule];
            *b += live[i].b[rule];
        }
    }
}

static void note(unsigned rule, int64_t start_us, int64_t a, int64_t b)
{
    assert_true(event_count < EVENTS_MAX);
    events[event_count++] = (struct event){rule, start_us, a, b};
}

/* What the rule wants to fit, and what it sets aside. */
static void amounts(const struct limit *r, const struct limits_estimate *e, int64_t need[2], int64_t hold[2])
{
    bool hard = r->mode == LIMIT_HARD;
    need[0] = need[1] = hold[0] = hold[1] = 0;
    if (r->measure == LIMIT_REQUESTS) {
        need[0] = 1;
    } else if (r->measure == LIMIT_COST) {
        need[0] = hard ? e->cost_pusd : 0;
        hold[0] = hard || e->output_given ? e->cost_pusd : e->cost_input_pusd;
    } else {
        need[0] = hard ? (int64_t)e->input_tok : 0;
        need[1] = hard || (r->kind == LIMIT_RATE && e->output_given) ? (int64_t)e->output_tok : 0;
        hold[0] = (int64_t)e->input_tok;
        hold[1] = hard || e->output_given ? (int64_t)e->output_tok : 0;
    }
}

static bool model_fits(int64_t max, int64_t taken, int64_t need)
{
    return !max || (taken < max && taken + need <= max);
}

static bool model_admit(int64_t key, struct attempt *t)
{
    bool in = true;
    for (unsigned i = 0; i < RULES; i++) {
        const struct limit *r = &rules[i];
        int64_t need[2], hold[2], a, b, start = start_of(r);
        if (r->attach == LIMIT_KEY && r->attach_id != key)
            continue;
        amounts(r, &t->e, need, hold);
        add_up(i, start, &a, &b);
        in = in && model_fits(r->max, a + b, need[0] + need[1]) && model_fits(r->input_max, a, need[0]) &&
             model_fits(r->output_max, b, need[1]);
        if (r->measure == LIMIT_REQUESTS)
            note(i, start, 1, 0);
        t->rules |= r->measure == LIMIT_REQUESTS ? 0 : 1u << i;
        t->start_us[i] = start;
        t->a[i] = hold[0];
        t->b[i] = hold[1];
    }
    return in;
}

static void begin_one(struct limits *l, struct snapshot *s)
{
    struct attempt t = {.snapshot = s};
    struct limits_refusal no;
    unsigned slot = 0;
    while (slot < LIVE_MAX && live[slot].hold)
        slot++;
    if (slot == LIVE_MAX)
        return;
    int64_t key = 11 + (int64_t)below(2);
    struct limits_subject subject = limits_rig_subject(s, key, 0);
    t.e = (struct limits_estimate){.input_tok = below(100),
                                   .output_tok = below(300),
                                   .output_given = below(2) != 0,
                                   .cost_pusd = (int64_t)below(USD / 20)};
    t.e.cost_input_pusd = t.e.cost_pusd / 4;
    bool want = model_admit(key, &t);
    bool got = limits_admit(l, &subject, LIMITS_BEFORE, &t.e, now_us, &t.hold, &no);
    if (got != want)
        fail_msg("the model says %d, the limits say %d (rule %lld)", want, got,
                 got ? 0LL : (long long)no.rule->limit.id);
    if (t.hold)
        live[slot] = t;
}

static void end_one(struct limits *l)
{
    struct attempt *t = &live[below(LIVE_MAX)];
    if (!t->hold)
        return;
    if (below(4) == 0) {
        limits_release(l, &t->hold);
        return;
    }
    const struct limits_actual a = {.cost_pusd = (int64_t)below((uint64_t)t->e.cost_pusd + 1),
                                    .input_tok = t->e.input_tok,
                                    .output_tok = below(400)};
    for (unsigned i = 0; i < RULES; i++) {
        bool cost = rules[i].measure == LIMIT_COST;
        if (t->rules >> i & 1)
            note(i, t->start_us[i], cost ? a.cost_pusd : (int64_t)a.input_tok, cost ? 0 : (int64_t)a.output_tok);
    }
    limits_settle(l, &t->hold, &a);
}

struct compared {
    unsigned rule, seen;
};

static bool compare(void *context, const struct limits_state *state)
{
    struct compared *c = context;
    int64_t a = 0, b = 0;
    for (unsigned i = 0; i < event_count; i++) {
        if (events[i].rule == c->rule && events[i].start_us == start_of(&rules[c->rule])) {
            a += events[i].a;
            b += events[i].b;
        }
    }
    assert_int_equal(state->used, a + b);
    assert_int_equal(state->window_start_us, start_of(&rules[c->rule]));
    c->seen++;
    return true;
}

static void compare_states(struct limits *l, const struct snapshot *s)
{
    for (unsigned i = 0; i < RULES; i++) {
        struct compared c = {i, 0};
        limits_states_of(l, ruleset_rule_of(snapshot_limits(s), i + 1), now_us, compare, &c);
        assert_int_equal(c.seen, 1);
    }
}

static void one_run(uint64_t seed)
{
    g.state = seed;
    now_us = LIMITS_RIG_NOW + (int64_t)below(UINT64_C(40000000000000));
    event_count = 0;
    memset(live, 0, sizeof live);
    make_rules();
    struct limits *l = limits_new(NULL);
    struct snapshot *s = limits_rig_snapshot(rules, RULES);
    for (int i = 0; i < STEPS / 2; i++) {
        static const uint64_t steps[] = {1, 1000000, 60000000, 3600000000, UINT64_C(86400000000)};
        if (below(8) == 0)
            now_us += 1 + (int64_t)below(steps[below(below(4) ? 2 : 5)] + 1);
        if (below(100) == 0) {
            rules[below(RULES)].counted_from_us = ++now_us;
            snapshot_unref(s);
            s = limits_rig_snapshot(rules, RULES);
        }
        if (below(2))
            begin_one(l, s);
        else
            end_one(l);
        if (i % 50 == 0)
            compare_states(l, s);
    }
    for (unsigned i = 0; i < LIVE_MAX; i++)
        limits_release(l, &live[i].hold);
    compare_states(l, s);
    limits_free(l);
    snapshot_unref(s);
}

static void limits_agree_with_a_model_that_adds_everything_up(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++)
        one_run(seed * 7919);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_agree_with_a_model_that_adds_everything_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
