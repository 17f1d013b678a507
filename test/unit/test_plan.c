/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: conditions, weights, stickiness, circuit breakers, the jumps of nested fallbacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/rng.h"
#include "gateway/plan/pattern.h"
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

#define METADATA \
    "{\"plan\":\"paid\",\"n\":\"7\",\"e\":\"a\\\"b\",\"empty\":\"\",\"v\":\"12.5kg\",\"sp\":\" 8\",\"k\\u0065y\":\"x\"}"
#define BODY                                                                                                     \
    "{\"model\":\"gpt-4o\",\"temperature\":0.70,\"n\":7,\"stream\":true,\"user\":null,\"messages\":[{\"a\":1}]," \
    "\"tools\":{\"a\":1},\"zero\":0,\"big\":1e3,\"esc\":\"\\u0067pt\",\"a.b\":1,\"off\":false}"

static int evaluate(const char *query, struct str *ret_operator)
{
    struct condition_input in = {STR(METADATA), STR(BODY), STR("/v1/chat/completions")};
    bool is_true = false;
    if (condition_eval(str_c(query), &in, &is_true, ret_operator) != ERR_OK)
        return -1;
    return is_true;
}

static void operators_follow_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int is_true;
    } rows[] = {
        {"{}", 1},
        /* Bare values: strict, typed. */
        {"{\"metadata.plan\":\"paid\"}", 1},
        {"{\"metadata.plan\":\"free\"}", 0},
        {"{\"metadata.n\":\"7\"}", 1},
        {"{\"metadata.n\":7}", 0},
        {"{\"params.n\":7}", 1},
        {"{\"params.n\":7.0}", 1},
        {"{\"params.n\":\"7\"}", 0},
        {"{\"params.big\":1000}", 1},
        {"{\"params.temperature\":0.7}", 1},
        {"{\"params.stream\":true}", 1},
        {"{\"params.stream\":\"true\"}", 0},
        {"{\"params.off\":false}", 1},
        {"{\"params.off\":null}", 0},
        {"{\"params.user\":null}", 1},
        {"{\"params.missing\":null}", 0},
        {"{\"params.messages\":[{\"a\":1}]}", 0},
        {"{\"metadata.e\":\"a\\\"b\"}", 1},
        {"{\"metadata.e\":\"a\\u0022b\"}", 1},
        {"{\"params.esc\":\"gpt\"}", 1},
        {"{\"params.esc\":\"g\\u0070t\"}", 1},
        {"{\"params.esc\":\"gpt4\"}", 0},
        {"{\"metadata.empty\":\"\"}", 1},
        {"{\"metadata.key\":\"x\"}", 1},
        {"{\"m\\u0065tadata.plan\":\"paid\"}", 1},
        {"{\"url.pathname\":\"/v1/chat/completions\"}", 1},
        {"{\"url.pathname\":\"/v1/completions\"}", 0},
        {"{\"url.host\":\"x\"}", 0},
        /* Two segments. */
        {"{\"params.model.x\":\"gpt-4o\"}", 1},
        {"{\"params.a.b\":1}", 0},
        {"{\"metadata\":\"paid\"}", 0},
        {"{\"params\":{\"$ne\":1}}", 1},
        {"{\"other.plan\":\"paid\"}", 0},
        {"{\"headers.plan\":{\"$ne\":\"x\"}}", 1},
        /* Several members. */
        {"{\"metadata.plan\":\"paid\",\"params.n\":7}", 1},
        {"{\"metadata.plan\":\"paid\",\"params.n\":8}", 0},
        {"{\"params.n\":{\"$gt\":6,\"$lt\":8}}", 1},
        {"{\"params.n\":{\"$gt\":6,\"$lt\":7}}", 0},
        {"{\"params.n\":{}}", 1},
        /* $eq, $ne */
        {"{\"metadata.plan\":{\"$eq\":\"paid\"}}", 1},
        {"{\"metadata.plan\":{\"$eq\":\"free\"}}", 0},
        {"{\"metadata.n\":{\"$eq\":7}}", 0},
        {"{\"metadata.n\":{\"$ne\":7}}", 1},
        {"{\"metadata.plan\":{\"$ne\":\"paid\"}}", 0},
        {"{\"params.missing\":{\"$eq\":\"x\"}}", 0},
        {"{\"params.missing\":{\"$ne\":\"x\"}}", 1},
        {"{\"params.missing\":{\"$ne\":null}}", 1},
        {"{\"params.user\":{\"$ne\":null}}", 0},
        {"{\"params.tools\":{\"$eq\":{\"a\":1}}}", 0},
        {"{\"params.tools\":{\"$ne\":{\"a\":1}}}", 1},
        /* Order: numbers at the start of both. */
        {"{\"params.n\":{\"$gt\":6}}", 1},
        {"{\"params.n\":{\"$gt\":7}}", 0},
        {"{\"params.n\":{\"$gte\":7}}", 1},
        {"{\"params.n\":{\"$gte\":7.1}}", 0},
        {"{\"params.n\":{\"$lt\":8}}", 1},
        {"{\"params.n\":{\"$lt\":7}}", 0},
        {"{\"params.n\":{\"$lte\":7}}", 1},
        {"{\"params.n\":{\"$lte\":6.9}}", 0},
        {"{\"params.n\":{\"$gt\":\"6\"}}", 1},
        {"{\"metadata.n\":{\"$gt\":6}}", 1},
        {"{\"metadata.n\":{\"$gt\":\"6 apples\"}}", 1},
        {"{\"metadata.v\":{\"$gt\":12}}", 1},
        {"{\"metadata.v\":{\"$lt\":13}}", 1},
        {"{\"metadata.sp\":{\"$gte\":8}}", 1},
        {"{\"metadata.plan\":{\"$gt\":0}}", 0},
        {"{\"metadata.plan\":{\"$lte\":0}}", 0},
        {"{\"metadata.empty\":{\"$gte\":0}}", 0},
        {"{\"params.n\":{\"$lt\":\"many\"}}", 0},
        {"{\"params.n\":{\"$lt\":\"Infinity\"}}", 1},
        {"{\"params.n\":{\"$gt\":\"-Infinity\"}}", 1},
        {"{\"params.stream\":{\"$gte\":0}}", 0},
        {"{\"params.user\":{\"$gte\":0}}", 0},
        {"{\"params.missing\":{\"$gt\":0}}", 0},
        {"{\"params.missing\":{\"$lte\":0}}", 0},
        {"{\"params.n\":{\"$gt\":null}}", 0},
        {"{\"params.zero\":{\"$gte\":-0.0}}", 1},
        /* $in, $nin */
        {"{\"metadata.plan\":{\"$in\":[\"free\",\"paid\"]}}", 1},
        {"{\"metadata.plan\":{\"$in\":[\"free\"]}}", 0},
        {"{\"metadata.plan\":{\"$in\":[]}}", 0},
        {"{\"metadata.plan\":{\"$in\":\"paid\"}}", 0},
        {"{\"metadata.n\":{\"$in\":[7]}}", 0},
        {"{\"params.n\":{\"$in\":[1,7.0]}}", 1},
        {"{\"metadata.plan\":{\"$nin\":[\"free\"]}}", 1},
        {"{\"metadata.plan\":{\"$nin\":[\"paid\"]}}", 0},
        {"{\"metadata.plan\":{\"$nin\":\"free\"}}", 0},
        {"{\"metadata.plan\":{\"$nin\":[]}}", 1},
        {"{\"params.missing\":{\"$in\":[\"x\",null]}}", 0},
        {"{\"params.missing\":{\"$nin\":[\"x\"]}}", 1},
        {"{\"params.missing\":{\"$nin\":\"x\"}}", 0},
        /* $regex */
        {"{\"params.model\":{\"$regex\":\"^gpt-\"}}", 1},
        {"{\"params.model\":{\"$regex\":\"4o\"}}", 1},
        {"{\"params.model\":{\"$regex\":\"GPT\"}}", 0},
        {"{\"params.model\":{\"$regex\":\"^4o\"}}", 0},
        {"{\"params.model\":{\"$regex\":\"(\"}}", 0},
        {"{\"params.model\":{\"$regex\":\"\"}}", 1},
        {"{\"params.model\":{\"$regex\":7}}", 0},
        {"{\"params.n\":{\"$regex\":\"^7$\"}}", 1},
        {"{\"params.stream\":{\"$regex\":\"true\"}}", 1},
        {"{\"params.missing\":{\"$regex\":\"undefined\"}}", 0},
        {"{\"params.messages\":{\"$regex\":\"a\"}}", 0},
        {"{\"params.esc\":{\"$regex\":\"^g\\u0070t$\"}}", 1},
        {"{\"params.esc\":{\"$regex\":\"^\\\\u0067pt$\"}}", 1},
        /* $and, $or; siblings count too. */
        {"{\"$and\":[{\"metadata.plan\":\"paid\"},{\"params.n\":7}]}", 1},
        {"{\"$and\":[{\"metadata.plan\":\"paid\"},{\"params.n\":8}]}", 0},
        {"{\"$or\":[{\"metadata.plan\":\"free\"},{\"params.n\":7}]}", 1},
        {"{\"$or\":[{\"metadata.plan\":\"free\"},{\"params.n\":8}]}", 0},
        {"{\"$or\":[]}", 0},
        {"{\"$and\":[]}", 1},
        {"{\"$or\":[{\"params.n\":7}],\"metadata.plan\":\"free\"}", 0},
        {"{\"metadata.plan\":\"free\",\"$or\":[{\"params.n\":7}]}", 0},
        {"{\"params.model\":{\"$regex\":\"gpt\",\"$ne\":\"gpt-4o\"}}", 0},
        {"{\"$and\":[{\"$or\":[{\"params.n\":1},{\"params.n\":7}]},{\"$or\":[{\"metadata.plan\":\"paid\"}]}]}", 1},
        {"{\"$and\":[3]}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str operator;
        int is_true = evaluate(rows[i].query, &operator);
        if (is_true != rows[i].is_true)
            fail_msg("%s is %d", rows[i].query, is_true);
    }
}

static void unknown_operators_are_named(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"params.n\":{\"$foo\":1}}", "$foo"},
        {"{\"params.n\":{\"gt\":1}}", "gt"},
        {"{\"params.missing\":{\"$exists\":true}}", "$exists"},
        {"{\"$not\":[{\"params.n\":7}]}", "$not"},
        {"{\"$or\":{\"params.n\":7}}", "$or"},
        {"{\"$or\":[{\"params.n\":1},{\"params.n\":{\"$mod\":1}}]}", "$mod"},
        {"{\"$and\":[{\"params.n\":7},{\"$and\":[{\"params.n\":{\"$x\":1,\"$y\":2}}]}]}", "$x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str operator= STR("");
        assert_int_equal(evaluate(rows[i][0], &operator), -1);
        assert_true(str_eq(operator, str_c(rows[i][1])));
    }
    /* What is not reached is not looked at. */
    struct str operator;
    assert_int_equal(evaluate("{\"params.n\":8,\"params.model\":{\"$foo\":1}}", &operator), 0);
    assert_int_equal(evaluate("{\"$or\":[{\"params.n\":7},{\"params.n\":{\"$foo\":1}}]}", &operator), 1);
}

static void bodies_that_are_no_objects_have_no_params(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "[1]", "\"x\"", "7", "null", " "};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct condition_input in = {STR(""), str_c(bodies[i]), STR("/")};
        struct str operator;
        bool is_true = true;
        assert_int_equal(condition_eval(STR("{\"params.model\":\"x\"}"), &in, &is_true, &operator), ERR_OK);
        assert_false(is_true);
        assert_int_equal(condition_eval(STR("{\"params.model\":{\"$ne\":\"x\"}}"), &in, &is_true, &operator), ERR_OK);
        assert_true(is_true);
    }
}

static void patterns_are_javascripts_and_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool found;
    } rows[] = {
        {"a$", "a\n", false},
        {"^a", "b\na", false},
        {"a.c", "a\nc", false},
        {"a[^]c", "a\nc", true},
        {"a[]", "a", false},
        {"\\u00e9", "\xc3\xa9", true},
        {"^.$", "\xc3\xa9", true},
        {"\\d+", "x12", true},
        {"(?<y>a)\\k<y>", "aa", true},
        {"(?=b)b", "ab", true},
        {"(?<!x)b", "ab", true},
        {"[", "[", false},
        {"(*UTF)a", "a", false},
        {"\\C", "a", false},
        {"a\\/b", "a/b", true},
        {"a{2,}", "aa", true},
        {"a",
         "\xff"
         "a",
         true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (pattern_found(str_c(rows[i].pattern), str_c(rows[i].text)) != rows[i].found)
            fail_msg("/%s/ on '%s'", rows[i].pattern, rows[i].text);
    static const char *const costly[] = {"(a+)+$",
                                         "(a|a)*b",
                                         "(a*)*(a*)*(a*)*c",
                                         "a*a*a*a*a*b",
                                         "(.*)(.*)(.*)(.*)(.*)x",
                                         "(x+x+)+y",
                                         "^(([a-z])+.)+[A-Z]([a-z])+$"};
    static char text[100000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof costly / sizeof costly[0]; i++) {
        for (size_t n = 30; n <= sizeof text; n = n * 57 + 3) {
            uint64_t from = clock_mono_us();
            text[n - 1] = '!';
            pattern_found(str_c(costly[i]), str_of(text, n));
            text[n - 1] = 'a';
            assert_true(clock_mono_us() - from < 3 * S); /* a fraction of it without sanitizers */
        }
    }
    /* A longer text ends nowhere. */
    assert_true(pattern_found(STR("^a+$"), str_of(text, PATTERN_TEXT_MAX)));
    assert_false(pattern_found(STR("^a+$"), str_of(text, PATTERN_TEXT_MAX + 1)));
    assert_true(pattern_found(STR("^a+"), str_of(text, PATTERN_TEXT_MAX + 1)));
    memset(text, 'a', PATTERN_MAX + 1);
    assert_false(pattern_found(str_of(text, PATTERN_MAX + 1), str_of(text, sizeof text)));
}

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
        "of 1, so targets[1] with weight 1\n",
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
        cmocka_unit_test(operators_follow_the_table),
        cmocka_unit_test(unknown_operators_are_named),
        cmocka_unit_test(bodies_that_are_no_objects_have_no_params),
        cmocka_unit_test(patterns_are_javascripts_and_bounded),
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
        cmocka_unit_test(plans_explain_themselves),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
