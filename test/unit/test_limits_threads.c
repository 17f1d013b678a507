/* SPDX-License-Identifier: Apache-2.0 */
/* Limits under threads: a hard budget for exactly 100 of 1,000 requests, and many rules at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/rng.h"
#include "limits_rig.h"

#define THREADS 8
#define REQUESTS 1000
#define COVERED 100
#define NOW LIMITS_RIG_NOW

static struct limits *l;
static struct snapshot *s;
static pthread_barrier_t gate;
static atomic_int admitted;
static atomic_llong spent;

struct part {
    unsigned number;
    struct limits_hold *holds[REQUESTS];
    unsigned count;
};

/* All ask before anybody settles: as many as the budget covers are under way at once. */
static void *ask_all(void *arg)
{
    struct part *p = arg;
    struct limits_subject key = limits_rig_subject(s, 11, 0);
    const struct limits_estimate e = {.cost_pusd = USD / 100, .output_given = true};
    struct limits_refusal no;
    pthread_barrier_wait(&gate);
    for (unsigned i = p->number; i < REQUESTS; i += THREADS) {
        struct limits_hold *hold = NULL;
        if (limits_admit(l, &key, LIMITS_BEFORE, &e, NOW, &hold, &no))
            p->holds[p->count++] = hold;
    }
    atomic_fetch_add(&admitted, (int)p->count);
    pthread_barrier_wait(&gate);
    for (unsigned i = 0; i < p->count; i++) {
        const struct limits_actual a = {.cost_pusd = USD / 100 - (int64_t)(i % 3)};
        limits_settle(l, &p->holds[i], &a);
        atomic_fetch_add(&spent, a.cost_pusd);
    }
    return NULL;
}

static void run_all(void *(*fn)(void *arg))
{
    pthread_t threads[THREADS];
    struct part *parts = calloc(THREADS, sizeof *parts);
    assert_non_null(parts);
    assert_int_equal(pthread_barrier_init(&gate, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        parts[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, fn, &parts[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&gate);
    free(parts);
}

static _Thread_local int64_t used, reserved;

static bool see(void *context, const struct limits_state *state)
{
    (void)context;
    used += state->used;
    reserved += state->reserved;
    return true;
}

static void look(int64_t rule_id)
{
    used = reserved = 0;
    limits_states_of(l, ruleset_rule_of(snapshot_limits(s), rule_id), NOW, see, NULL);
}

static void a_budget_for_a_hundred_lets_in_a_hundred(void **state)
{
    (void)state;
    struct limit rule = limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD);
    s = limits_rig_snapshot(&rule, 1);
    for (int round = 0; round < 100; round++) {
        l = limits_new(NULL);
        atomic_store(&admitted, 0);
        atomic_store(&spent, 0);
        run_all(ask_all);
        assert_int_equal(atomic_load(&admitted), COVERED);
        assert_true(atomic_load(&spent) <= USD);
        look(1);
        assert_int_equal(reserved, 0);
        assert_int_equal(used, atomic_load(&spent));
        limits_free(l);
    }
    snapshot_unref(s);
}

/* Two rules whose stripes differ, both just enough: whoever is refused by one takes nothing of the other. */
static void two_budgets_that_are_just_enough_let_in_as_many(void **state)
{
    (void)state;
    const struct limit rules[] = {limits_rig_budget(LIMIT_KEY, 11, 1000, LIMIT_HARD),
                                  limits_rig_budget(LIMIT_WORKSPACE, 1, 1000, LIMIT_HARD),
                                  limits_rig_budget(LIMIT_MEMBER, 5, 1000, LIMIT_HARD)};
    s = limits_rig_snapshot(rules, 3);
    for (int round = 0; round < 30; round++) {
        l = limits_new(NULL);
        atomic_store(&admitted, 0);
        atomic_store(&spent, 0);
        run_all(ask_all);
        assert_int_equal(atomic_load(&admitted), COVERED);
        for (int64_t id = 1; id <= 3; id++) {
            look(id);
            assert_int_equal(reserved, 0);
            assert_int_equal(used, atomic_load(&spent));
        }
        limits_free(l);
    }
    snapshot_unref(s);
}

static void *anything(void *arg)
{
    const struct part *p = arg;
    struct rng_seeded g = {p->number + 77};
    struct limits_subject subjects[] = {limits_rig_subject(s, 11, 0), limits_rig_subject(s, 12, 0),
                                        limits_rig_subject(s, 11, 21), limits_rig_subject(s, 12, 22)};
    struct limits_refusal no;
    pthread_barrier_wait(&gate);
    for (int i = 0; i < 4000; i++) {
        struct limits_subject *subject = &subjects[rng_seeded_below(&g, 4)];
        static const char *const users[] = {"{\"u\":\"a\"}", "{\"u\":\"b\"}", "{\"u\":\"c\"}", "{}"};
        const struct limits_estimate e = {.cost_pusd = (int64_t)rng_seeded_below(&g, USD / 50),
                                          .input_tok = rng_seeded_below(&g, 50),
                                          .output_tok = rng_seeded_below(&g, 50),
                                          .output_given = true};
        struct limits_hold *hold = NULL;
        subject->metadata = str_c(users[rng_seeded_below(&g, 4)]);
        if (!limits_admit(l, subject, subject->integration ? LIMITS_TARGET : LIMITS_BEFORE, &e,
                          NOW + (int64_t)rng_seeded_below(&g, 3000000), &hold, &no))
            continue;
        const struct limits_actual a = {.cost_pusd = (int64_t)rng_seeded_below(&g, (uint64_t)e.cost_pusd + 1),
                                        .input_tok = e.input_tok,
                                        .output_tok = rng_seeded_below(&g, e.output_tok + 1)};
        if (rng_seeded_below(&g, 3))
            limits_settle(l, &hold, &a);
        else
            limits_release(l, &hold);
        if (i % 500 == 0)
            limits_states(l, s, LIMIT_KEY, 11, 0, NOW, see, NULL);
    }
    return NULL;
}

static void many_rules_under_many_threads_stay_in_balance(void **state)
{
    (void)state;
    const struct limit group = {.attach = LIMIT_POLICY,
                                .workspace_id = 1,
                                .name = STR("p"),
                                .kind = LIMIT_BUDGET,
                                .measure = LIMIT_COST,
                                .mode = LIMIT_HARD,
                                .window = {WINDOW_SECOND, 1, 0},
                                .max = USD / 4,
                                .group_by = STR("[{\"key\":\"metadata.u\"}]")};
    const struct limit rules[] = {limits_rig_budget(LIMIT_KEY, 11, 20000, LIMIT_HARD),
                                  limits_rig_rate(LIMIT_KEY, 11, LIMIT_REQUESTS, 900, WINDOW_SECOND),
                                  limits_rig_rate(LIMIT_WORKSPACE, 1, LIMIT_TOKENS, 5000, WINDOW_SECOND),
                                  limits_rig_budget(LIMIT_INTEGRATION, 21, 5000, LIMIT_SOFT),
                                  limits_rig_budget(LIMIT_ACCESS, 22, 5000, LIMIT_HARD),
                                  group};
    struct limits_counts n;
    s = limits_rig_snapshot(rules, 6);
    l = limits_new(NULL);
    run_all(anything);
    limits_count(l, &n);
    assert_int_equal(n.holds, 0);
    for (int64_t id = 1; id <= 6; id++) {
        look(id);
        assert_int_equal(reserved, 0);
        if (rules[id - 1].mode == LIMIT_HARD && id != 6)
            assert_true(used <= rules[id - 1].max);
    }
    assert_true(n.admitted > 0);
    assert_true(n.refused_budget + n.refused_rate > 0);
    limits_free(l);
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_for_a_hundred_lets_in_a_hundred),
        cmocka_unit_test(two_budgets_that_are_just_enough_let_in_as_many),
        cmocka_unit_test(many_rules_under_many_threads_stay_in_balance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
