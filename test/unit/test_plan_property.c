/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans against a model: random configs, nested up to four levels, with random statuses, metadata
 * and open breakers give the same sequence of attempts by plan_make and plan_after as by the
 * model's recursion. TOLLGATE_TEST_SCALE multiplies the 100,000 rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/must.h"
#include "base/rng.h"
#include "gateway/plan/plan.h"
#include "ledger_fixture.h"
#include "route_model.h"

#define ROUNDS 100000
#define NODES_MAX 60
#define LEVELS_MAX 4
#define NAMES 3

static const int statuses[] = {200, 246, 301, 400, 408, 412, 429, 429, 429, 446, 500, 500, 500, 503, 503};

struct world {
    struct rng_seeded rng;
    struct route_node nodes[NODES_MAX];
    int count;
    struct buf json;
    struct arena *arena;
    uint64_t attempts; /* of all rounds, so that a test of nothing is noticed */
};

static int below(struct world *w, int bound)
{
    return (int)rng_seeded_below(&w->rng, (uint64_t)bound);
}

static int status_of(struct world *w)
{
    return statuses[below(w, sizeof statuses / sizeof statuses[0])];
}

/* --- trees ------------------------------------------------------------------------------------ */

static void make_strategy(struct world *w, struct route_node *n)
{
    n->mode = (enum route_mode)below(w, 4);
    if (below(w, 2))
        n->mode = ROUTE_FALLBACK; /* the one that makes sequences */
    n->code_count = below(w, 2) ? -1 : below(w, 5);
    for (int i = 0; i < n->code_count; i++)
        n->codes[i] = status_of(w);
    n->condition_count = below(w, 8) ? 1 + below(w, 3) : 0;
    for (int i = 0; i < n->condition_count; i++)
        n->conditions[i] = (struct route_condition){.key = below(w, ROUTE_KEYS),
                                                    .value = below(w, 3),
                                                    .negated = below(w, 3) == 0,
                                                    .unknown = below(w, 30) == 0,
                                                    .then = below(w, NAMES)};
    n->default_name = below(w, 6) ? below(w, NAMES) : -1;
}

static struct route_node *make_node(struct world *w, int level)
{
    struct route_node *n = &w->nodes[w->count];
    *n = (struct route_node){.id = w->count++,
                             .name = below(w, NAMES),
                             .weight = below(w, 4),
                             .status = status_of(w),
                             .exception = below(w, 30) == 0,
                             .open = below(w, 3) == 0};
    if (level == LEVELS_MAX || (level > 0 && below(w, 2) == 0))
        return n;
    make_strategy(w, n);
    int wanted = 1 + below(w, ROUTE_TARGETS_MAX);
    while (n->target_count < wanted && w->count + LEVELS_MAX < NODES_MAX)
        n->targets[n->target_count++] = make_node(w, level + 1);
    int sum = 0;
    for (int i = 0; i < n->target_count; i++)
        sum += n->targets[i]->weight;
    if (sum == 0 && n->target_count)
        n->targets[0]->weight = 1;
    return n;
}

/* --- their text ------------------------------------------------------------------------------- */

static void print(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void print(struct world *w, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    must(buf_add_str(&w->json, str_c(text)));
}

static void print_conditions(struct world *w, const struct route_node *n)
{
    print(w, ",\"conditions\":[");
    for (int i = 0; i < n->condition_count; i++) {
        const struct route_condition *c = &n->conditions[i];
        const char *operator= c->unknown ? "$like" : c->negated ? "$ne" : "$eq";
        print(w, "%s{\"query\":{\"metadata.k%d\":", i ? "," : "", c->key);
        if (!c->unknown && !c->negated && c->value == 1)
            print(w, "\"%d\"},\"then\":\"n%d\"}", c->value, c->then);
        else
            print(w, "{\"%s\":\"%d\"}},\"then\":\"n%d\"}", operator, c->value, c->then);
    }
    print(w, "]");
    if (n->default_name >= 0)
        print(w, ",\"default\":\"n%d\"", n->default_name);
}

static void print_node(struct world *w, const struct route_node *n, bool breakers)
{
    static const char *const modes[] = {"single", "loadbalance", "fallback", "conditional"};
    print(w, "{\"name\":\"n%d\"", n->name);
    if (n->weight != 1)
        print(w, ",\"weight\":%d", n->weight);
    if (!n->target_count) {
        print(w, ",\"virtual_key\":\"v\"}");
        return;
    }
    print(w, ",\"strategy\":{\"mode\":\"%s\"", modes[n->mode]);
    if (n->code_count >= 0) {
        print(w, ",\"on_status_codes\":[");
        for (int i = 0; i < n->code_count; i++)
            print(w, "%s%d", i ? "," : "", n->codes[i]);
        print(w, "]");
    }
    print_conditions(w, n);
    if (breakers && n->id == 0)
        print(w, ",\"cb_config\":{\"failure_threshold\":1,\"cooldown_interval\":60000}");
    print(w, "},\"targets\":[");
    for (int i = 0; i < n->target_count; i++) {
        print(w, i ? "," : "");
        print_node(w, n->targets[i], breakers);
    }
    print(w, "]}");
}

/* --- the planner's way ------------------------------------------------------------------------ */

/* Leaves whose breaker is open have failed before. */
static void open_breakers(struct world *w, struct breakers *b, const struct config *c, const struct config_node *n)
{
    if (!n->target_count && n->breaker.on && w->nodes[n->id].open) {
        struct plan_step step = {.node = n, .breaker = n};
        breakers_note(b, c, &step, 500, 1);
    }
    for (size_t i = 0; i < n->target_count; i++)
        open_breakers(w, b, c, &n->targets[i]);
}

static void run_plan(struct world *w, const struct plan *p, struct route_model *ret)
{
    char path[200], outcome[200];
    ret->traced = 0;
    ret->trace[0] = '\0';
    for (int at = 0, tries = 0; at >= 0; tries++) {
        const struct plan_step *s = &p->steps[at];
        const struct route_node *n = &w->nodes[s->node->id];
        assert_true(tries < p->step_count);
        snprintf(outcome, sizeof outcome, "%d", n->status);
        route_trace(ret, str_copy(path, sizeof path, s->node->path), s->refusal ? s->refusal : outcome);
        int next = plan_after(p, (unsigned)at, s->refusal ? 400 : n->status, n->exception);
        assert_true(next < 0 || (next > at && next < p->step_count));
        at = next;
        w->attempts++;
    }
}

static struct str make_metadata(struct world *w, struct route_model *m, char *out, size_t cap)
{
    size_t n = (size_t)snprintf(out, cap, "{");
    for (int i = 0; i < ROUTE_KEYS; i++) {
        m->metadata[i] = below(w, 4) - 1;
        if (m->metadata[i] >= 0)
            n += (size_t)snprintf(out + n, cap - n, "%s\"k%d\":\"%d\"", n > 1 ? "," : "", i, m->metadata[i]);
    }
    n += (size_t)snprintf(out + n, cap - n, "}");
    return str_of(out, n);
}

static void compare(struct world *w, struct config *c, struct breakers *b)
{
    struct route_model model = {.random = rng_seeded_u64(&w->rng), .breakers = b != NULL}, planned = {0};
    char text[100];
    struct plan_input in = {.config = c,
                            .metadata = make_metadata(w, &model, text, sizeof text),
                            .random = model.random,
                            .breakers = b,
                            .now_us = 2};
    struct plan p;
    arena_reset(w->arena);
    assert_true(plan_make(&in, w->arena, &p));
    assert_true(p.step_count <= c->attempts_max);
    run_plan(w, &p, &planned);
    route_run(&model, &w->nodes[0]);
    if (strcmp(model.trace, planned.trace) != 0)
        fail_msg("%.*s\n%s\nmodel:   %s\nplanner: %s", STR_ARG(c->text), text, model.trace, planned.trace);
}

static void plans_do_what_the_model_does(void **state)
{
    (void)state;
    struct world w = {.rng = {20261122}, .arena = arena_new(16384, 1u << 20)};
    buf_init(&w.json, 65536);
    const int rounds = ROUNDS * (int)fixture_scale();
    for (int i = 0; i < rounds; i++) {
        struct config *c = NULL;
        struct config_errors why;
        struct breakers *b = i % 4 == 0 ? breakers_new() : NULL;
        w.count = 0;
        make_node(&w, 0);
        buf_reset(&w.json);
        print_node(&w, &w.nodes[0], b != NULL);
        if (config_compile(buf_str(&w.json), &c, &why))
            fail_msg("%.*s\n%s", STR_ARG(buf_str(&w.json)), why.text[0]);
        assert_int_equal(c->node_count, w.count);
        config_name(c, 1, STR("pc-x"), 1, 1);
        if (b)
            open_breakers(&w, b, c, c->root);
        compare(&w, c, b);
        config_unref(c);
        breakers_free(b);
    }
    assert_true(w.attempts > (uint64_t)rounds * 3 / 2);
    buf_free(&w.json);
    arena_free(w.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_do_what_the_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
