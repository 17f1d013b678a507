/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: which requests their conditions speak of, and which group a request belongs to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/arena.h"
#include "control/limit/policy.h"

static struct arena *a;

static int begin(void **state)
{
    (void)state;
    a = arena_new(4096, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}

static struct policy compiled(const char *conditions, const char *group_by)
{
    struct policy p;
    const char *param;
    const char *bad = policy_compile(str_c(conditions), str_c(group_by), a, &p, &param);
    if (bad)
        fail_msg("%s: %s", param, bad);
    return p;
}

static const struct policy_facts facts = {
    .api_key = {"AbCd1234", 8},
    .api_key_name = {"ci", 2},
    .workspace = {"default", 7},
    .integration = {"openai-prod", 11},
    .provider = {"openai", 6},
    .config = {"pc-one", 6},
    .prompt = {"", 0},
    .model = {"gpt-4o", 6},
    .metadata = {"{\"env\":\"prod\",\"n\":7,\"deep\":{\"x\":1},\"nul\":null,\"q\":\"a\\\"b\"}", 58},
};

static void conditions_are_met_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *conditions;
        bool met;
    } rows[] = {
        {"", true},
        {"[]", true},
        {"[{\"key\":\"api_key\",\"value\":\"AbCd1234\"}]", true},
        {"[{\"key\":\"api_key\",\"value\":\"ci\"}]", true},
        {"[{\"key\":\"api_key\",\"value\":\"AbCd\"}]", false},
        {"[{\"key\":\"api_key\",\"value\":[\"x\",\"ci\"]}]", true},
        {"[{\"key\":\"api_key\",\"excludes\":[\"x\",\"ci\"]}]", false},
        {"[{\"key\":\"api_key\",\"excludes\":\"x\"}]", true},
        {"[{\"key\":\"metadata.env\",\"value\":\"prod\"}]", true},
        {"[{\"key\":\"metadata.env\",\"value\":\"test\"}]", false},
        {"[{\"key\":\"metadata.env\",\"value\":\"*\"}]", true},
        {"[{\"key\":\"metadata.none\",\"value\":\"*\"}]", false},
        {"[{\"key\":\"metadata.none\",\"excludes\":\"prod\"}]", true},
        {"[{\"key\":\"metadata.env\",\"excludes\":\"*\"}]", false},
        {"[{\"key\":\"metadata.none\",\"excludes\":\"*\"}]", true},
        {"[{\"key\":\"metadata.n\",\"value\":\"7\"}]", true},
        {"[{\"key\":\"metadata.deep\",\"value\":\"*\"}]", false},
        {"[{\"key\":\"metadata.nul\",\"value\":\"*\"}]", false},
        {"[{\"key\":\"metadata.q\",\"value\":\"a\\\"b\"}]", true},
        {"[{\"key\":\"workspace_id\",\"value\":\"default\"}]", true},
        {"[{\"key\":\"workspace_id\",\"value\":\"other\"}]", false},
        {"[{\"key\":\"virtual_key\",\"value\":\"openai-prod\"}]", true},
        {"[{\"key\":\"virtual_key\",\"value\":\"@openai-prod\"}]", true},
        {"[{\"key\":\"provider\",\"value\":\"openai\"}]", true},
        {"[{\"key\":\"provider\",\"value\":\"azure-openai\"}]", false},
        {"[{\"key\":\"provider\",\"excludes\":\"azure-openai\"}]", true},
        {"[{\"key\":\"config\",\"value\":\"pc-one\"}]", true},
        {"[{\"key\":\"prompt\",\"value\":\"*\"}]", false},
        {"[{\"key\":\"model\",\"value\":\"@openai/gpt-4o\"}]", true},
        {"[{\"key\":\"model\",\"value\":\"@openai-prod/gpt-4o\"}]", true},
        {"[{\"key\":\"model\",\"value\":\"@openai-prod/*\"}]", true},
        {"[{\"key\":\"model\",\"value\":\"@openai/*\"}]", true},
        {"[{\"key\":\"model\",\"value\":\"@azure/*\"}]", false},
        {"[{\"key\":\"model\",\"value\":\"@open/*\"}]", false},
        {"[{\"key\":\"model\",\"value\":\"gpt-4o\"}]", true},
        {"[{\"key\":\"model\",\"value\":\"gpt-4\"}]", false},
        {"[{\"key\":\"model\",\"excludes\":\"@openai/*\"}]", false},
        {"[{\"key\":\"model\",\"value\":\"*\"}]", true},
        {"[{\"key\":\"model\",\"value\":\"*\"},{\"key\":\"config\",\"value\":\"pc-two\"}]", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy p = compiled(rows[i].conditions, "");
        if (policy_matches(&p, &facts) != rows[i].met)
            fail_msg("%s", rows[i].conditions);
    }
}

static void what_is_asked_for_decides_when_it_can_be_asked(void **state)
{
    (void)state;
    assert_false(compiled("[{\"key\":\"api_key\",\"value\":\"*\"}]", "[{\"key\":\"metadata.x\"}]").late);
    assert_true(compiled("[{\"key\":\"model\",\"value\":\"*\"}]", "").late);
    assert_true(compiled("", "[{\"key\":\"virtual_key\"}]").late);
    assert_true(compiled("", "[{\"key\":\"metadata.x\"}]").metadata);
    assert_false(compiled("", "[{\"key\":\"config\"}]").metadata);
}

static void groups_have_texts(void **state)
{
    (void)state;
    static const struct {
        const char *group_by, *text; /* NULL: skipped */
    } rows[] = {
        {"", ""},
        {"[{\"key\":\"api_key\"}]", "AbCd1234"},
        {"[{\"key\":\"metadata.env\"},{\"key\":\"model\"}]", "prod\x1fgpt-4o"},
        {"[{\"key\":\"metadata.n\"}]", "7"},
        {"[{\"key\":\"metadata.none\"}]", NULL},
        {"[{\"key\":\"prompt\"}]", NULL},
        {"[{\"key\":\"virtual_key\"},{\"key\":\"workspace_id\"}]", "openai-prod\x1f"
                                                                   "default"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy p = compiled("", rows[i].group_by);
        char text[POLICY_GROUP_TEXT_MAX];
        size_t n = 0;
        assert_int_equal(policy_group_text(&p, &facts, text, &n), rows[i].text != NULL);
        if (rows[i].text)
            assert_true(str_eq(str_of(text, n), str_c(rows[i].text)));
    }
}

static void long_values_are_cut_between_characters(void **state)
{
    (void)state;
    char metadata[1024], text[POLICY_GROUP_TEXT_MAX];
    struct policy_facts f = facts;
    struct policy p = compiled("", "[{\"key\":\"metadata.a\"},{\"key\":\"metadata.a\"}]");
    size_t n = 0;
    int at = snprintf(metadata, sizeof metadata, "{\"a\":\"x");
    for (int i = 0; i < 100; i++)
        at += snprintf(metadata + at, sizeof metadata - (size_t)at, "\xc3\xa4");
    at += snprintf(metadata + at, sizeof metadata - (size_t)at, "\"}");
    f.metadata = str_of(metadata, (size_t)at);
    assert_true(policy_group_text(&p, &f, text, &n));
    assert_int_equal(n, 127 + 1 + 127);
    /* A value cannot look like two. */
    f.metadata = STR("{\"a\":\"b\x1f"
                     "c\"}");
    assert_true(policy_group_text(&p, &f, text, &n));
    assert_true(str_eq(str_of(text, n), STR("b c\x1f"
                                            "b c")));
    assert_true(policy_group_number(STR("ann")) != policy_group_number(STR("bob")));
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *conditions, *group_by, *param;
    } rows[] = {
        {"{", "", "conditions"},
        {"{}", "", "conditions"},
        {"[1]", "", "conditions"},
        {"[{}]", "", "conditions"},
        {"[{\"key\":\"api_key\"}]", "", "conditions"},
        {"[{\"key\":\"api_key\",\"value\":\"a\",\"excludes\":\"b\"}]", "", "conditions"},
        {"[{\"key\":\"api_key\",\"value\":[]}]", "", "conditions"},
        {"[{\"key\":\"api_key\",\"value\":[1]}]", "", "conditions"},
        {"[{\"key\":\"api_key\",\"value\":\"\"}]", "", "conditions"},
        {"[{\"key\":\"metadata.\",\"value\":\"a\"}]", "", "conditions"},
        {"[{\"key\":\"colour\",\"value\":\"a\"}]", "", "conditions"},
        {"", "[{\"key\":\"colour\"}]", "group_by"},
        {"", "[{}]", "group_by"},
        {"", "[[]]", "group_by"},
        {"", "{}", "group_by"},
        {"", "[{\"key\":\"model\"},{\"key\":\"model\"},{\"key\":\"model\"},{\"key\":\"model\"},{\"key\":\"model\"}]",
         "group_by"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy p;
        const char *param = "?";
        const char *bad = policy_compile(str_c(rows[i].conditions), str_c(rows[i].group_by), a, &p, &param);
        if (!bad)
            fail_msg("row %zu was taken", i);
        assert_string_equal(param, rows[i].param);
        assert_true(strlen(bad) > 10);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(conditions_are_met_or_not), T(what_is_asked_for_decides_when_it_can_be_asked),
        T(groups_have_texts),         T(long_values_are_cut_between_characters),
        T(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
