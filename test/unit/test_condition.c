/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: every operator, what is missing, types, regular expressions and their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/must.h"
#include "gateway/plan/condition.h"
#include "gateway/plan/pattern.h"

#define S UINT64_C(1000000)

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

/* What the metadata and the body above make of each query. */
static const struct {
    const char *query;
    int is_true;
} operator_rows[] = {
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

static void operators_follow_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof operator_rows / sizeof operator_rows[0]; i++) {
        struct str operator;
        int is_true = evaluate(operator_rows[i].query, &operator);
        if (is_true != operator_rows[i].is_true)
            fail_msg("%s is %d", operator_rows[i].query, is_true);
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

static bool found(struct str pattern, struct str text)
{
    size_t left = CONDITION_WORK_MAX, before = left;
    bool is_found = pattern_found(pattern, text, &left);
    assert_true(left <= before);
    return is_found;
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
        if (found(str_c(rows[i].pattern), str_c(rows[i].text)) != rows[i].found)
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
            found(str_c(costly[i]), str_of(text, n));
            text[n - 1] = 'a';
            assert_true(clock_mono_us() - from < 3 * S); /* a fraction of it without sanitizers */
        }
    }
    /* A longer text ends nowhere. */
    assert_true(found(STR("^a+$"), str_of(text, PATTERN_TEXT_MAX)));
    assert_false(found(STR("^a+$"), str_of(text, PATTERN_TEXT_MAX + 1)));
    assert_true(found(STR("^a+"), str_of(text, PATTERN_TEXT_MAX + 1)));
    memset(text, 'a', PATTERN_MAX + 1);
    assert_false(found(str_of(text, PATTERN_MAX + 1), str_of(text, sizeof text)));
}

static void all_conditions_of_a_request_share_one_measure(void **state)
{
    (void)state;
    /* Thousands of costly patterns, and of members looked up in a body of megabytes. */
    struct buf query, body;
    buf_init(&body, 20u << 20);
    must(buf_add_str(&body, STR("{\"model\":\"")));
    for (size_t i = 0; i < 16u << 20; i++)
        must(buf_add_byte(&body, 'a'));
    must(buf_add_str(&body, STR("!\",\"n\":7}")));
    struct condition_input in = {STR(""), buf_str(&body), STR("/")};
    for (size_t m = 0; m < 2; m++) {
        struct condition_facts facts;
        struct str operator;
        bool is_true = true;
        buf_init(&query, 1u << 20);
        must(buf_add_str(&query, STR("{\"$or\":[")));
        for (int i = 0; i < 5000; i++)
            must(m ? buf_printf(&query, "{\"params.k%d\":{\"$eq\":1}},", i)
                   : buf_printf(&query, "{\"params.model\":{\"$regex\":\"(a+)+!%d$\"}},", i));
        must(buf_add_str(&query, STR("{\"params.n\":7}]}")));
        condition_init(&facts, &in);
        assert_int_equal(condition_check(&facts, buf_str(&query), &is_true, &operator), ERR_OK);
        assert_true(facts.work >= CONDITION_WORK_MAX);
        assert_false(is_true);
        buf_free(&query);
    }
    /* What people write stays far below it, and names are looked up once. */
    struct condition_facts facts;
    struct str operator;
    bool is_true = false;
    condition_init(&facts, &in);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(condition_check(&facts, STR("{\"params.n\":{\"$gt\":3},\"params.missing\":{\"$ne\":1}}"),
                                         &is_true, &operator),
                         ERR_OK);
        assert_true(is_true);
    }
    assert_true(facts.work < CONDITION_WORK_MAX / 4);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_follow_the_table),
        cmocka_unit_test(unknown_operators_are_named),
        cmocka_unit_test(bodies_that_are_no_objects_have_no_params),
        cmocka_unit_test(patterns_are_javascripts_and_bounded),
        cmocka_unit_test(all_conditions_of_a_request_share_one_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
