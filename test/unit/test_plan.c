/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: conditional routing, weights, stickiness, circuit breakers, the jumps of nested fallbacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "base/must.h"
#include "base/rng.h"
#include "gateway/plan/plan.h"

#define S UINT64_C(1000000)
#define LEAF(more) "{\"virtual_key\":\"v\"" more "}"
#define TARGETS(strategy, list) "{\"strategy\":{" strategy "},\"targets\":[" list "]}"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(4096, 1u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct config *config_of(const char *text)
{
    struct config *c = NULL;
    struct config_errors why;
    if (config_compile(str_c(text), &c, &why))
        fail_msg("%s\n%s", text, why.n ? why.text[0] : "");
    return c;
}

static struct config *stored_config(const char *text, int64_t id, uint32_t version)
{
    struct config *c = config_of(text);
    config_name(c, id, STR("pc-x"), version, 1);
    return c;
}

static struct plan plan_of(struct plan_input *in)
{
    struct plan p;
    arena_reset(arena);
    assert_true(plan_make(in, arena, &p));
    return p;
}

/* "0 2.1 400:No conditions…": the steps by their places, in the order in which these statuses lead through them. */
static const char *walk(const struct plan *p, const int *statuses, size_t n)
{
    static char out[500];
    size_t used = 0, i = 0;
    out[0] = '\0';
    for (int step = 0; step >= 0; i++) {
        const struct plan_step *s = &p->steps[step];
        struct str path = str_from(s->node->path, strlen("config"));
        must(i < n);
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s", i ? " " : "", STR_ARG(path));
        if (s->refusal)
            used += (size_t)snprintf(out + used, sizeof out - used, "!%s", s->refusal);
        step = plan_after(p, (unsigned)step, statuses[i], false);
    }
    return out;
}

static void assert_walk(const struct plan *p, const char *should, int first, int second, int third, int fourth)
{
    int statuses[] = {first, second, third, fourth, 200, 200, 200};
    assert_string_equal(walk(p, statuses, 7), should);
}

/* --- conditions ------------------------------------------------------------------------------- */

#define METADATA "{\"plan\":\"paid\"}"
#define BODY "{\"n\":7}"

#define CONDITIONAL(conditions, more)                                        \
    TARGETS("\"mode\":\"conditional\",\"conditions\":[" conditions "]" more, \
            LEAF(",\"name\":\"a\"") "," LEAF(",\"name\":\"b\"") "," LEAF(",\"name\":\"b\""))
#define IF(query, then) "{\"query\":" query ",\"then\":\"" then "\"}"

static void conditions_choose_or_refuse(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {CONDITIONAL(IF("{\"params.n\":7}", "b"), ""), ".targets[1]"},
        {CONDITIONAL(IF("{\"params.n\":8}", "b") "," IF("{}", "a"), ""), ".targets[0]"},
        {CONDITIONAL(IF("{\"params.n\":8}", "b"), ",\"default\":\"a\""), ".targets[0]"},
        {CONDITIONAL(IF("{\"params.n\":7}", "b") "," IF("{\"params.n\":{\"$foo\":1}}", "a"), ""), ".targets[1]"},
        {CONDITIONAL("", ",\"default\":\"a\""), "!No conditions passed in the query router"},
        {TARGETS("\"mode\":\"conditional\"", LEAF("")), "!No conditions passed in the query router"},
        {CONDITIONAL(IF("{\"params.n\":8}", "b"), ""), "!Query router did not resolve to any valid target"},
        {CONDITIONAL(IF("{\"params.n\":7}", "zz"), ""), "!Invalid target name found in the query router: zz"},
        {CONDITIONAL(IF("{\"params.n\":8}", "a"), ",\"default\":\"yy\""),
         "!Invalid target name found in the query router: yy"},
        {CONDITIONAL(IF("{\"params.n\":{\"$foo\":1}}", "a"), ",\"default\":\"a\""),
         "!Unsupported operator used in the query router: $foo"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config *c = config_of(rows[i][0]);
        struct plan_input in = {.config = c, .body = STR(BODY), .metadata = STR(METADATA), .path = STR("/v1/x")};
        struct plan p = plan_of(&in);
        assert_int_equal(p.step_count, 1);
        assert_string_equal(p.mode, "conditional");
        assert_walk(&p, rows[i][1], 500, 500, 500, 500);
        config_unref(c);
    }
}

static void a_refusal_ends_the_fallback_around_it(void **state)
{
    (void)state;
    struct config *c = config_of(
        TARGETS("\"mode\":\"fallback\"", LEAF("") "," TARGETS("\"mode\":\"conditional\"", LEAF("")) "," LEAF("")));
    struct plan_input in = {.config = c};
    struct plan p = plan_of(&in);
    assert_int_equal(p.step_count, 3);
    assert_walk(&p, ".targets[0] .targets[1]!No conditions passed in the query router", 500, 400, 500, 500);
    config_unref(c);
}

/* --- fallback --------------------------------------------------------------------------------- */

static void fallback_goes_by_its_codes(void **state)
{
    (void)state;
    struct config *any = config_of(TARGETS("\"mode\":\"fallback\"", LEAF("") "," LEAF("") "," LEAF("")));
    struct plan_input in = {.config = any};
    struct plan p = plan_of(&in);
    assert_string_equal(p.mode, "fallback");
    assert_walk(&p, ".targets[0]", 200, 0, 0, 0);
    assert_walk(&p, ".targets[0]", 246, 0, 0, 0);
    assert_walk(&p, ".targets[0] .targets[1]", 400, 204, 0, 0);
    assert_walk(&p, ".targets[0] .targets[1] .targets[2]", 301, 446, 500, 0);
    assert_int_equal(plan_after(&p, 0, 500, true), -1);
    config_unref(any);
    struct config *listed =
        config_of(TARGETS("\"mode\":\"fallback\",\"on_status_codes\":[429,446,408]", LEAF("") "," LEAF("")));
    in.config = listed;
    p = plan_of(&in);
    assert_walk(&p, ".targets[0]", 500, 0, 0, 0);
    assert_walk(&p, ".targets[0] .targets[1]", 429, 429, 0, 0);
    assert_walk(&p, ".targets[0] .targets[1]", 446, 200, 0, 0);
    assert_walk(&p, ".targets[0] .targets[1]", 408, 200, 0, 0);
    config_unref(listed);
    struct config *never = config_of(TARGETS("\"mode\":\"fallback\",\"on_status_codes\":[]", LEAF("") "," LEAF("")));
    in.config = never;
    p = plan_of(&in);
    assert_walk(&p, ".targets[0]", 500, 0, 0, 0);
    config_unref(never);
}

static void nested_fallbacks_ask_from_the_inside_out(void **state)
{
    (void)state;
    struct config *c =
        config_of(TARGETS("\"mode\":\"fallback\",\"on_status_codes\":[500,503]",
                          TARGETS("\"mode\":\"fallback\",\"on_status_codes\":[429]", LEAF("") "," LEAF("")) "," TARGETS(
                              "\"mode\":\"fallback\"", LEAF("") "," LEAF("")) "," LEAF("")));
    struct plan_input in = {.config = c};
    struct plan p = plan_of(&in);
    assert_int_equal(p.step_count, 5);
    /* Inner goes on with 429; what it does not know, the outer one is asked about. */
    assert_walk(&p, ".targets[0].targets[0] .targets[0].targets[1]", 429, 429, 0, 0);
    assert_walk(&p, ".targets[0].targets[0] .targets[1].targets[0]", 503, 200, 0, 0);
    assert_walk(&p, ".targets[0].targets[0]", 404, 0, 0, 0);
    assert_walk(
        &p, ".targets[0].targets[0] .targets[0].targets[1] .targets[1].targets[0] .targets[1].targets[1] .targets[2]",
        429, 500, 404, 503);
    assert_walk(&p, ".targets[0].targets[0] .targets[1].targets[0] .targets[1].targets[1]", 500, 500, 404, 0);
    config_unref(c);
}

static void a_config_without_targets_is_one_step(void **state)
{
    (void)state;
    struct config *c = config_of(LEAF(""));
    struct plan_input in = {.config = c};
    struct plan p = plan_of(&in);
    assert_int_equal(p.step_count, 1);
    assert_string_equal(p.mode, "single");
    assert_true(str_eq(p.steps[0].node->path, STR("config")));
    assert_walk(&p, "", 500, 0, 0, 0);
    config_unref(c);
    c = config_of(TARGETS("\"mode\":\"single\"", LEAF("") "," LEAF("")));
    in.config = c;
    p = plan_of(&in);
    assert_int_equal(p.step_count, 1);
    assert_walk(&p, ".targets[0]", 500, 0, 0, 0);
    config_unref(c);
}

static void a_full_arena_is_told(void **state)
{
    (void)state;
    struct config *c = config_of(
        TARGETS("\"mode\":\"fallback\"", LEAF("") "," LEAF("") "," TARGETS("\"mode\":\"conditional\"", LEAF(""))));
    for (size_t cap = 0; cap < 2000; cap += 16) {
        struct arena *small = arena_new(cap < 64 ? cap : 64, cap);
        struct plan_input in = {.config = c, .explain = cap % 32 == 0};
        struct plan p;
        if (plan_make(&in, small, &p))
            assert_int_equal(p.step_count, 3);
        else
            assert_true(cap < 1500);
        arena_free(small);
    }
    config_unref(c);
}

/* --- load balancing --------------------------------------------------------------------------- */

static void count_draws(const char *text, unsigned draws, unsigned *counts)
{
    struct config *c = config_of(text);
    struct rng_seeded g = {42};
    for (unsigned i = 0; i < draws; i++) {
        struct plan_input in = {.config = c, .random = rng_seeded_u64(&g)};
        struct plan p = plan_of(&in);
        assert_int_equal(p.step_count, 1);
        counts[p.steps[0].node->index]++;
    }
    config_unref(c);
}

static void weights_are_kept_within_three_percent(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double shares[4];
    } rows[] = {
        {TARGETS("\"mode\":\"loadbalance\"", LEAF(",\"weight\":3") "," LEAF(",\"weight\":1")), {0.75, 0.25}},
        {TARGETS("\"mode\":\"loadbalance\"", LEAF(",\"weight\":0.7") "," LEAF(",\"weight\":0.3")), {0.7, 0.3}},
        {TARGETS("\"mode\":\"loadbalance\"", LEAF("") "," LEAF("") "," LEAF(",\"weight\":2")), {0.25, 0.25, 0.5}},
        {TARGETS("\"mode\":\"loadbalance\"", LEAF(",\"weight\":0") "," LEAF("") "," LEAF(",\"weight\":0") "," LEAF("")),
         {0, 0.5, 0, 0.5}},
        {TARGETS("\"mode\":\"loadbalance\"", LEAF(",\"weight\":1e-9") "," LEAF(",\"weight\":3e-9")), {0.25, 0.75}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned counts[4] = {0};
        count_draws(rows[i].text, 4000, counts);
        for (size_t t = 0; t < 4; t++) {
            double share = counts[t] / 4000.0;
            if (rows[i].shares[t] > 0)
                assert_true(share > rows[i].shares[t] - 0.03 && share < rows[i].shares[t] + 0.03);
            else
                assert_int_equal(counts[t], 0);
        }
    }
}

static void balancers_within_balancers_draw_by_themselves(void **state)
{
    (void)state;
    struct config *c = config_of(
        TARGETS("\"mode\":\"loadbalance\"", TARGETS("\"mode\":\"loadbalance\"", LEAF("") "," LEAF("")) "," TARGETS(
                                                "\"mode\":\"loadbalance\"", LEAF("") "," LEAF(""))));
    unsigned counts[2][2] = {{0}};
    struct rng_seeded g = {7};
    for (unsigned i = 0; i < 4000; i++) {
        struct plan_input in = {.config = c, .random = rng_seeded_u64(&g)};
        struct plan p = plan_of(&in), again;
        assert_true(plan_make(&in, arena, &again));
        assert_ptr_equal(p.steps[0].node, again.steps[0].node);
        counts[p.steps[0].node->parent->index][p.steps[0].node->index]++;
    }
    for (size_t i = 0; i < 4; i++)
        assert_true(counts[i / 2][i % 2] > 880 && counts[i / 2][i % 2] < 1120);
    config_unref(c);
}

/* --- stickiness ------------------------------------------------------------------------------- */

static struct str header_of(void *ctx, struct str name)
{
    return str_eq(name, STR("x-user")) ? *(struct str *)ctx : str_of(NULL, 0);
}

static unsigned index_of(struct plan_input *in)
{
    return plan_of(in).steps[0].node->index;
}

/* How many of 64 draws give another target than the first one. */
static unsigned changes(struct plan_input *in)
{
    unsigned first = index_of(in), n = 0;
    for (uint64_t i = 0; i < 64; i++) {
        in->random = i * UINT64_C(0x123456789abcdef);
        n += index_of(in) != first;
    }
    return n;
}

#define STICKY(more)                                                                                                \
    TARGETS(                                                                                                        \
        "\"mode\":\"loadbalance\",\"sticky\":{\"enabled\":true,\"hash_fields\":[\"metadata.user\",\"params.user\"," \
        "\"headers.x-user\"]" more "}",                                                                             \
        LEAF("") "," LEAF("") "," LEAF("") "," LEAF(""))

static void the_same_caller_stays_with_its_target(void **state)
{
    (void)state;
    struct sticky_table *table = sticky_new();
    struct config *c = stored_config(STICKY(",\"ttl\":60"), 5, 1);
    struct str user = STR("anna");
    struct plan_input in = {.config = c,
                            .sticky = table,
                            .metadata = STR("{\"user\":\"a\"}"),
                            .body = STR("{\"user\":\"b\"}"),
                            .header = header_of,
                            .header_ctx = &user,
                            .key_id = 1,
                            .now_us = 5 * S};
    assert_int_equal(changes(&in), 0);
    unsigned kept = index_of(&in);
    /* Others are on their own, each with one target. */
    unsigned elsewhere = 0;
    for (int64_t key = 2; key < 20; key++) {
        in.key_id = key;
        in.random = (uint64_t)key * 977;
        elsewhere += index_of(&in) != kept;
        assert_int_equal(changes(&in), 0);
    }
    assert_true(elsewhere > 4);
    in.key_id = 1;
    assert_int_equal(index_of(&in), kept);
    /* The time runs from the choice on, not from its last use. */
    in.now_us = 64 * S;
    assert_int_equal(index_of(&in), kept);
    unsigned moved = 0;
    for (uint64_t i = 0; i < 16; i++) {
        in.now_us += 61 * S;
        in.random = i * UINT64_C(0x9e3779b97f4a7c15);
        moved += index_of(&in) != kept;
    }
    assert_true(moved > 4);
    config_unref(c);
    sticky_free(table);
}

static void each_hash_field_and_version_counts(void **state)
{
    (void)state;
    struct sticky_table *table = sticky_new();
    unsigned kept[16], moved = 0;
    struct str user = STR("anna");
    struct config *configs[2] = {stored_config(STICKY(""), 5, 1), stored_config(STICKY(""), 5, 2)};
    struct plan_input in = {.sticky = table, .header = header_of, .header_ctx = &user, .now_us = S};
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 16; i++) {
            in.config = configs[i & 1];
            in.metadata = i & 2 ? STR("{\"user\":\"a\"}") : STR("");
            in.body = i & 4 ? STR("{\"user\":\"a\"}") : STR("{}");
            user = i & 8 ? STR("anna") : STR("otto");
            in.random = (i + 1 + round * 100) * UINT64_C(0x5851f42d4c957f2d);
            unsigned index = index_of(&in);
            if (round)
                assert_int_equal(index, kept[i]);
            kept[i] = index;
            moved += index != kept[0];
        }
    }
    assert_true(moved > 8);
    config_unref(configs[0]);
    config_unref(configs[1]);
    sticky_free(table);
}

static void configs_from_headers_do_not_stick(void **state)
{
    (void)state;
    struct sticky_table *table = sticky_new();
    struct config *c = config_of(STICKY(""));
    struct plan_input in = {.config = c, .sticky = table};
    assert_true(changes(&in) > 16);
    config_unref(c);
    c = stored_config(STICKY(""), 5, 1);
    in = (struct plan_input){.config = c};
    assert_true(changes(&in) > 16);
    config_unref(c);
    c = stored_config(TARGETS("\"mode\":\"loadbalance\",\"sticky\":{\"enabled\":false}", LEAF("") "," LEAF("")), 5, 1);
    in = (struct plan_input){.config = c, .sticky = table};
    assert_true(changes(&in) > 16);
    config_unref(c);
    sticky_free(table);
}

static void sticky_choices_are_bounded(void **state)
{
    (void)state;
    struct sticky_table *table = sticky_new();
    struct config *c =
        stored_config(TARGETS("\"mode\":\"loadbalance\",\"sticky\":{\"enabled\":true}", LEAF("") "," LEAF("")), 5, 1);
    struct plan_input in = {.config = c, .sticky = table, .now_us = S};
    for (int64_t key = 0; key < 70000; key++) {
        in.key_id = key;
        in.random = (uint64_t)key;
        index_of(&in);
    }
    assert_int_equal(changes(&in), 0);
    config_unref(c);
    sticky_free(table);
}

/* --- circuit breakers ------------------------------------------------------------------------- */

#define BREAKER(mode, more, list) \
    TARGETS("\"mode\":\"" mode "\",\"cb_config\":{\"cooldown_interval\":40000," more "}", list)
#define TWO LEAF("") "," LEAF("")

static void note(struct breakers *b, struct plan_input *in, unsigned step, int status, unsigned times)
{
    struct plan p = plan_of(in);
    for (unsigned i = 0; i < times; i++)
        breakers_note(b, in->config, &p.steps[step], status, in->now_us);
}

static void open_targets_are_skipped_until_the_cooldown_is_over(void **state)
{
    (void)state;
    struct breakers *b = breakers_new();
    struct config *c = stored_config(BREAKER("fallback", "\"failure_threshold\":5", TWO), 3, 1);
    struct plan_input in = {.config = c, .breakers = b, .now_us = 1000 * S};
    note(b, &in, 0, 500, 4);
    note(b, &in, 0, 429, 100); /* no failure by default */
    struct plan p = plan_of(&in);
    assert_walk(&p, ".targets[0] .targets[1]", 500, 500, 0, 0);
    in.now_us += 20 * S;
    note(b, &in, 0, 503, 1);
    p = plan_of(&in);
    assert_int_equal(p.step_count, 1);
    assert_walk(&p, ".targets[1]", 500, 0, 0, 0);
    /* From when it opened, not from the first failure on. */
    in.now_us += 39 * S;
    p = plan_of(&in);
    assert_walk(&p, ".targets[1]", 500, 0, 0, 0);
    in.now_us += 2 * S;
    p = plan_of(&in);
    assert_walk(&p, ".targets[0] .targets[1]", 500, 500, 0, 0);
    /* All is forgotten: one more failure does not open it. */
    note(b, &in, 0, 500, 4);
    p = plan_of(&in);
    assert_int_equal(p.step_count, 2);
    config_unref(c);
    breakers_free(b);
}

static void old_failures_are_forgotten(void **state)
{
    (void)state;
    struct breakers *b = breakers_new();
    struct config *c = stored_config(BREAKER("fallback", "\"failure_threshold\":3", TWO), 3, 1);
    struct plan_input in = {.config = c, .breakers = b, .now_us = 1000 * S};
    for (int i = 0; i < 20; i++) {
        note(b, &in, 0, 500, 2);
        in.now_us += 41 * S;
        assert_int_equal(plan_of(&in).step_count, 2);
    }
    config_unref(c);
    breakers_free(b);
}

static void shares_count_from_enough_requests_on(void **state)
{
    (void)state;
    struct breakers *b = breakers_new();
    struct config *c = stored_config(
        BREAKER("fallback", "\"failure_threshold_percentage\":50,\"failure_status_codes\":[429]", TWO), 3, 1);
    struct plan_input in = {.config = c, .breakers = b, .now_us = 1000 * S};
    note(b, &in, 0, 200, 100); /* before the first failure: not counted */
    note(b, &in, 0, 429, 2);
    note(b, &in, 0, 500, 2); /* a success, by the list */
    assert_int_equal(plan_of(&in).step_count, 2);
    note(b, &in, 0, 200, 1); /* 2 of 5 */
    assert_int_equal(plan_of(&in).step_count, 2);
    note(b, &in, 0, 429, 1); /* 3 of 6 */
    struct plan p = plan_of(&in);
    assert_walk(&p, ".targets[1]", 500, 0, 0, 0);
    config_unref(c);
    breakers_free(b);
}

static void when_all_are_open_all_are_tried(void **state)
{
    (void)state;
    struct breakers *b = breakers_new();
    struct config *c = stored_config(BREAKER("fallback", "\"failure_threshold\":1", TWO), 3, 1);
    struct plan_input in = {.config = c, .breakers = b, .now_us = S};
    note(b, &in, 0, 500, 1);
    note(b, &in, 0, 500, 1);
    struct plan p = plan_of(&in);
    assert_walk(&p, ".targets[0] .targets[1]", 500, 500, 0, 0);
    config_unref(c);
    breakers_free(b);
}

static void other_strategies_skip_open_targets_too(void **state)
{
    (void)state;
    struct breakers *b = breakers_new();
    struct plan_input in = {.breakers = b, .now_us = S};
    struct config *c = stored_config(BREAKER("single", "\"failure_threshold\":1", TWO), 3, 1);
    in.config = c;
    note(b, &in, 0, 500, 1);
    struct plan p = plan_of(&in);
    assert_walk(&p, ".targets[1]", 500, 0, 0, 0);
    config_unref(c);
    /* What is left has no weight: the open one is tried. */
    c = stored_config(BREAKER("loadbalance", "\"failure_threshold\":1", LEAF("") "," LEAF(",\"weight\":0")), 4, 1);
    in.config = c;
    note(b, &in, 0, 500, 1);
    assert_int_equal(index_of(&in), 0);
    config_unref(c);
    c = stored_config(BREAKER("loadbalance", "\"failure_threshold\":1", LEAF("") "," LEAF("")), 5, 1);
    in.config = c;
    unsigned first = index_of(&in);
    note(b, &in, 0, 500, 1);
    for (in.random = 0; in.random < 50; in.random++)
        assert_int_equal(index_of(&in), 1 - first);
    config_unref(c);
    breakers_free(b);
}

static void breakers_are_of_stored_configs_and_not_below_conditionals(void **state)
{
    (void)state;
    struct breakers *b = breakers_new();
    struct config *c = config_of(BREAKER("fallback", "\"failure_threshold\":1", TWO));
    struct plan_input in = {.config = c, .breakers = b, .now_us = S};
    note(b, &in, 0, 500, 1);
    assert_int_equal(plan_of(&in).step_count, 2);
    config_unref(c);
    c = stored_config(BREAKER("conditional", "\"failure_threshold\":1", TWO), 3, 1);
    in.config = c;
    assert_null(plan_of(&in).steps[0].breaker);
    config_unref(c);
    /* Another version is another config. */
    c = stored_config(BREAKER("fallback", "\"failure_threshold\":1", TWO), 3, 1);
    in.config = c;
    note(b, &in, 0, 500, 1);
    assert_int_equal(plan_of(&in).step_count, 1);
    assert_true(breakers_open(b, c, &c->root->targets[0], in.now_us));
    assert_false(breakers_open(b, c, &c->root->targets[1], in.now_us));
    assert_false(breakers_open(NULL, c, &c->root->targets[0], in.now_us));
    config_unref(c);
    c = stored_config(BREAKER("fallback", "\"failure_threshold\":1", TWO), 3, 2);
    in.config = c;
    assert_int_equal(plan_of(&in).step_count, 2);
    config_unref(c);
    breakers_free(b);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct shared {
    struct config *config;
    struct breakers *breakers;
    struct sticky_table *sticky;
};

static void *plan_in_thread(void *arg)
{
    const struct shared *s = arg;
    struct arena *own = arena_new(4096, 1u << 16);
    struct config *c = config_ref(s->config);
    for (unsigned i = 0; i < 5000; i++) {
        struct plan_input in = {.config = c,
                                .breakers = s->breakers,
                                .sticky = s->sticky,
                                .key_id = i % 50,
                                .random = i * UINT64_C(0x9e3779b97f4a7c15),
                                .now_us = (1000 + i / 100) * S};
        struct plan p;
        arena_reset(own);
        must(plan_make(&in, own, &p));
        must(p.step_count == 1);
        breakers_note(s->breakers, c, &p.steps[0], i % 3 ? 200 : 500, in.now_us);
    }
    config_unref(c);
    arena_free(own);
    return NULL;
}

static void threads_share_breakers_choices_and_configs(void **state)
{
    (void)state;
    struct shared s = {stored_config(TARGETS("\"mode\":\"loadbalance\",\"sticky\":{\"enabled\":true,\"ttl\":5},"
                                             "\"cb_config\":{\"failure_threshold\":9,\"cooldown_interval\":30000}",
                                             LEAF("") "," LEAF("") "," LEAF("")),
                                     3, 1),
                       breakers_new(), sticky_new()};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, plan_in_thread, &s), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    config_unref(s.config);
    breakers_free(s.breakers);
    sticky_free(s.sticky);
}

/* --- explanations ----------------------------------------------------------------------------- */

static void plans_explain_themselves(void **state)
{
    (void)state;
    struct config *c = config_of(TARGETS(
        "\"mode\":\"conditional\",\"conditions\":[{\"query\":{\"metadata.plan\":\"free\"},\"then\":\"a\"},"
        "{\"query\":{\"params.n\":{\"$gt\":6}},\"then\":\"b\"}]",
        LEAF(",\"name\":\"a\"") ",{\"name\":\"b\",\"strategy\":{\"mode\":\"fallback\",\"on_status_codes\":[429,503]},"
                                "\"targets\":[" LEAF("") ",{\"strategy\":{\"mode\":\"loadbalance\"},\"targets\":[" LEAF(
                                    ",\"weight\":0") "," LEAF("") "]}]}"));
    struct plan_input in = {.config = c, .metadata = STR(METADATA), .body = STR(BODY), .explain = true};
    struct plan p = plan_of(&in);
    assert_true(p.explanation.n > 0);
    static const char *const lines[] = {
        "config: condition 1 of 2 is false: {\"metadata.plan\":\"free\"}\n",
        "config: condition 2 of 2 is true: {\"params.n\":{\"$gt\":6}}\n",
        "config: conditional, so targets[1], named 'b'\n",
        "config.targets[1]: fallback over 2 targets, goes on with 429 503\n",
        "config.targets[1].targets[1]: loadbalance by weights 0 1, drew ",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (str_search(p.explanation, str_c(lines[i])) < 0)
            fail_msg("%s is not in\n%.*s", lines[i], STR_ARG(p.explanation));
    in.explain = false;
    assert_int_equal(plan_of(&in).explanation.n, 0);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_choose_or_refuse),
        cmocka_unit_test(a_refusal_ends_the_fallback_around_it),
        cmocka_unit_test(fallback_goes_by_its_codes),
        cmocka_unit_test(nested_fallbacks_ask_from_the_inside_out),
        cmocka_unit_test(a_config_without_targets_is_one_step),
        cmocka_unit_test(a_full_arena_is_told),
        cmocka_unit_test(weights_are_kept_within_three_percent),
        cmocka_unit_test(balancers_within_balancers_draw_by_themselves),
        cmocka_unit_test(the_same_caller_stays_with_its_target),
        cmocka_unit_test(each_hash_field_and_version_counts),
        cmocka_unit_test(configs_from_headers_do_not_stick),
        cmocka_unit_test(sticky_choices_are_bounded),
        cmocka_unit_test(open_targets_are_skipped_until_the_cooldown_is_over),
        cmocka_unit_test(old_failures_are_forgotten),
        cmocka_unit_test(shares_count_from_enough_requests_on),
        cmocka_unit_test(when_all_are_open_all_are_tried),
        cmocka_unit_test(other_strategies_skip_open_targets_too),
        cmocka_unit_test(breakers_are_of_stored_configs_and_not_below_conditionals),
        cmocka_unit_test(threads_share_breakers_choices_and_configs),
        cmocka_unit_test(plans_explain_themselves),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
