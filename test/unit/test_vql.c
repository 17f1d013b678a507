/* SPDX-License-Identifier: Apache-2.0 */
/* The query language: normal forms, precedence, keys of tags, errors with their positions, bounds, matching. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "report/vql/vql.h"

#define P "costs.provider = 'open_ai'"

static struct vql *parse(const char *text)
{
    struct vql *q = NULL;
    struct vql_error error = {.at = 0};
    if (vql_parse(str_c(text), &q, &error) != ERR_OK)
        fail_msg("%s: %s", text, error.text);
    return q;
}

static void expect_normal(const char *text, const char *normal)
{
    struct buf out;
    struct vql *q = parse(text);
    buf_init(&out, VQL_PRINT_MAX);
    assert_true(vql_print(q, &out) && buf_add_byte(&out, '\0'));
    assert_string_equal(buf_str(&out).p, normal);
    buf_free(&out);
    vql_free(q);
}

static const struct {
    const char *text, *normal;
} normal_rows[] = {
    {"", ""},
    {" \n\t", ""},
    {"costs.provider='open_ai'", P},
    {"costs.provider = 'openai'", P},
    {"((" P "))", P},
    {P " and costs.service='Embeddings'", P " AND costs.service = 'Embeddings'"},
    {P " AND costs.operation <> 'x'", P " AND costs.service != 'x'"},
    {P " AND NOT costs.service = 'x'", P " AND costs.service != 'x'"},
    {P " AND NOT NOT costs.service = 'x'", P " AND costs.service = 'x'"},
    {P " AND NOT costs.service != 'x'", P " AND costs.service = 'x'"},
    {P " AND costs.category in('a','b' , 'c')", P " AND costs.category IN ('a', 'b', 'c')"},
    {P " AND NOT costs.category IN ('a')", P " AND costs.category NOT IN ('a')"},
    {P " AND costs.category not like '%a'", P " AND costs.category NOT LIKE '%a'"},
    {P " AND tags.value ~* 'x'", P " AND tags.value ~* 'x'"},
    {P " AND tags.value !~* 'x'", P " AND tags.value !~* 'x'"},
    {P " AND tags.name = null", P " AND tags.name = NULL"},
    {P " AND tags.name != NULL", P " AND tags.name != NULL"},
    {P " AND costs.allocation = 0.50", P " AND costs.allocation = 0.5"},
    {P " AND costs.allocation = 1", P " AND costs.allocation = 1.0"},
    {P " AND costs.allocation = .000001", P " AND costs.allocation = 0.000001"},
    {P " AND costs.marketplace = TRUE", P " AND costs.marketplace = true"},
    {P " AND costs.batch != false", P " AND costs.batch != false"},
    {P " AND costs.account_id = 'it''s'", P " AND costs.account_id = 'it''s'"},
    {P " AND costs.account_id = ''''", P " AND costs.account_id = ''''"},
    {P " AND costs.account_id = ''", P " AND costs.account_id = ''"},
    {P " AND costs.project = 'p' AND costs.organization = 'o' AND costs.api_key = 'k'",
     P " AND costs.account_id = 'p' AND costs.provider_account_id = 'o' AND costs.resource_id = 'k'"},
    {P " AND (tags.name,tags.value) IN (('a','b'),('c','d'))",
     P " AND (tags.name, tags.value) IN (('a', 'b'), ('c', 'd'))"},
    {P " AND NOT (tags.name,tags.value) IN (('a','b'))", P " AND (tags.name, tags.value) NOT IN (('a', 'b'))"},
    /* AND before OR, NOT before both. */
    {P " AND costs.region='a' OR " P " AND costs.region='b'",
     P " AND costs.region = 'a' OR " P " AND costs.region = 'b'"},
    {P " AND (costs.region='a' OR costs.region='b') AND costs.service='s'",
     P " AND (costs.region = 'a' OR costs.region = 'b') AND costs.service = 's'"},
    {P " AND (costs.region='a' AND (costs.region='b' AND costs.service='s'))",
     P " AND costs.region = 'a' AND costs.region = 'b' AND costs.service = 's'"},
    {P " OR (" P " OR (" P "))", P " OR " P " OR " P},
    {P " AND NOT (costs.region='a' OR costs.region='b')", P " AND NOT (costs.region = 'a' OR costs.region = 'b')"},
    {P " AND NOT costs.region='a' AND costs.region='b'", P " AND costs.region != 'a' AND costs.region = 'b'"},
    {"(" P " AND tags.name = NULL) OR (" P " AND tags.name = 'team' AND tags.value ~* 'Team A')",
     P " AND tags.name = NULL OR " P " AND tags.name = 'team' AND tags.value ~* 'Team A'"},
    {P " AND costs.ledger = 'metered'", P " AND costs.ledger = 'metered'"},
};

static void every_query_has_one_normal_form_that_reads_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof normal_rows / sizeof normal_rows[0]; i++) {
        expect_normal(normal_rows[i].text, normal_rows[i].normal);
        expect_normal(normal_rows[i].normal, normal_rows[i].normal);
    }
}

/* What is said, and where. */
static const struct {
    const char *text;
    size_t at;
    const char *error;
} error_rows[] = {
    {"costs.provider", 15, "can be compared with '=' only, at position 15"},
    {"costs.provider = ", 18, "where the filter ends"},
    {"costs.provider = \"open_ai\"", 18, "single quotes, not double ones, at position 18"},
    {"costs.provider = 'open_ai", 18, "position 18 has no closing quote"},
    {"costs.foo = 'x'", 1, "VQL: unknown field costs.foo at position 1"},
    {P " AND costs.foo = 'x'", 32, "unknown field costs.foo at position 32"},
    {P " AND Costs.service = 'x'", 32, "unknown field Costs.service"},
    {P " AND resources.type = 'x'", 32, "resources.type at position 32 is for resource reports"},
    {"costs.service = 'x'", 1, "costs.provider is required, with '=', in the branch at position 1"},
    {P " OR costs.service = 'x'", 31, "costs.provider is required, with '=', in the branch at position 31"},
    {"NOT " P, 1, "costs.provider is required"},
    {P " AND costs.region = 'a' OR costs.region = 'b'", 54, "in the branch at position 54"},
    {"(" P " AND costs.region = 'a'", 51, "expected ')' at position 51, where the filter ends"},
    {P ")", 27, "expected AND, OR or the end at position 27 near ')'"},
    {P " costs.region", 28, "expected AND, OR or the end at position 28 near 'costs.region'"},
    {P " AND", 31, "where the filter ends"},
    {P " AND AND", 32, "near 'AND'"},
    {"costs.provider IN ('open_ai')", 16, "can be compared with '=' only, at position 16"},
    {"costs.provider != 'open_ai'", 16, "can be compared with '=' only"},
    {P " AND costs.service NOT = 'x'", 50, "expected IN or LIKE after NOT at position 50 near '='"},
    {P " AND costs.service IN ()", 50, "text in single quotes at position 50 near ')'"},
    {P " AND costs.service IN ('a' 'b')", 54, "expected ',' or ')' at position 54 near 'b'"},
    {P " AND costs.service IN 'a'", 49, "expected '(' at position 49 near 'a'"},
    {P " AND costs.service = 5", 48, "expected text in single quotes at position 48 near '5'"},
    {P " AND costs.service = true", 48, "expected text in single quotes"},
    {P " AND costs.service > 'a'", 46, "near '>'"},
    {P " AND costs.allocation = 0", 51, "above 0, at most 1"},
    {P " AND costs.allocation = 1.5", 51, "above 0, at most 1"},
    {P " AND costs.allocation = 0.1234567", 51, "up to six decimals"},
    {P " AND costs.allocation = 0.5.5", 51, "above 0"},
    {P " AND costs.allocation = 99999999999999999999", 51, "above 0"},
    {P " AND costs.allocation != 0.5", 49, "expected '='"},
    {P " AND costs.allocation = '0.5'", 51, "expected a number"},
    {P " AND NOT (costs.allocation = 0.5 AND costs.region = 'a')", 37, "cannot stand under NOT"},
    {P " AND costs.marketplace = 'true'", 52, "expected true or false"},
    {P " AND tags.value = NULL", 45, "untagged is tags.name = NULL"},
    {P " AND costs.ledger = 'other'", 47, "'billed', 'metered', 'allocated' or 'estimated', at position 47"},
    {P " AND costs.ledger = 'metered' OR " P, 60, "named in every branch or in none; the one at position 60"},
    {P " AND (tags.name, tags.foo) IN (('a','b'))", 44, "expected tags.value at position 44"},
    {P " AND (tags.name, tags.value) = 'x'", 56, "expected IN or NOT IN"},
    {P " AND (tags.name, tags.value) IN (('a'))", 64, "expected ',' at position 64"},
    {"'\xc3\xa4\xc3\xb6' x", 1, "expected a field such as costs.provider at position 1"},
    {"costs.provider = '\xc3\xa4\xc3\xb6' x", 23, "at position 23 near 'x'"},
    {P " AND \xe2\x82\xac = 'x'", 32, "near '\xe2\x82\xac'"},
    {P " ; DROP TABLE x", 28, "near ';'"},
    {"\xff", 0, "not valid UTF-8"},
};

static void errors_say_what_and_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof error_rows / sizeof error_rows[0]; i++) {
        struct vql *q = NULL;
        struct vql_error error = {.at = 999};
        if (vql_parse(str_c(error_rows[i].text), &q, &error) != ERR_BAD_PARAMETER)
            fail_msg("%s: no error", error_rows[i].text);
        if (error.at != error_rows[i].at || !strstr(error.text, error_rows[i].error))
            fail_msg("%s: at %zu: %s", error_rows[i].text, error.at, error.text);
        assert_memory_equal(error.text, "VQL: ", 5);
    }
}

static bool parses(const struct buf *text)
{
    struct vql *q = NULL;
    struct vql_error error;
    bool ok = vql_parse(buf_str(text), &q, &error) == ERR_OK;
    if (ok)
        vql_free(q);
    return ok;
}

static void add(struct buf *b, const char *text, unsigned times)
{
    while (times--)
        assert_true(buf_add_str(b, str_c(text)));
}

static void length_depth_and_values_are_bounded(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1u << 20);
    for (unsigned over = 0; over < 2; over++) {
        add(&b, "(", VQL_DEPTH_MAX + over);
        add(&b, P, 1);
        add(&b, ")", VQL_DEPTH_MAX + over);
        assert_int_equal(parses(&b), !over);
        buf_reset(&b);
        add(&b, P " AND ", 1);
        add(&b, "NOT ", VQL_DEPTH_MAX + over);
        add(&b, "costs.region = 'a'", 1);
        assert_int_equal(parses(&b), !over);
        buf_reset(&b);
        add(&b, P " AND costs.region IN ('0'", 1);
        add(&b, ",'1'", VQL_LITERALS_MAX - 2 + over);
        add(&b, ")", 1);
        assert_int_equal(parses(&b), !over);
        buf_reset(&b);
        add(&b, P, 1);
        add(&b, " ", VQL_TEXT_MAX - 26 + over);
        assert_int_equal(parses(&b), !over);
        buf_reset(&b);
    }
    buf_free(&b);
}

/* The key a tags.value test is about: the text of the first value of the test it is bound to. */
static void find_values(const struct vql_node *n, char *out, size_t cap)
{
    size_t used = strlen(out);
    struct str key = n->key ? n->key->values[0] : STR("*");
    if (n->kind == VQL_TEST && n->field == VQL_TAG_VALUE)
        snprintf(out + used, cap - used, "%.*s:%.*s ", STR_ARG(key), STR_ARG(n->values[0]));
    for (size_t i = 0; i < n->child_count; i++)
        find_values(n->children[i], out, cap);
}

static const struct {
    const char *text, *keys;
} key_rows[] = {
    {"tags.value = 'v'", "*:v "},
    {"tags.name = 'a' AND tags.value = 'v'", "a:v "},
    {"tags.value = 'v' AND tags.name = 'a'", "a:v "},
    {"tags.name = 'a' AND tags.value = 'v' AND tags.name = 'b' AND tags.value = 'w'", "a:v b:w "},
    {"tags.name = 'a' AND (tags.value = 'v' OR tags.value = 'w')", "a:v a:w "},
    {"tags.name = 'a' AND (tags.value = 'v' OR tags.name = 'b' AND tags.value = 'w')", "a:v b:w "},
    {"tags.name = 'a' AND NOT tags.value = 'v'", "a:v "},
    {"tags.name = 'a' AND tags.value != 'v'", "a:v "},
    {"tags.name != 'a' AND tags.value = 'v'", "*:v "},
    {"tags.name = NULL AND tags.value = 'v'", "*:v "},
    {"(tags.name = 'a' OR tags.value = 'v')", "*:v "},
    {"tags.name = 'a' AND costs.region = 'x' AND tags.value = 'v' AND tags.name = 'b'", "b:v "},
};

static void values_belong_to_the_nearest_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key_rows / sizeof key_rows[0]; i++) {
        char text[400], found[200] = "";
        snprintf(text, sizeof text, P " AND %s", key_rows[i].text);
        struct vql *q = parse(text);
        find_values(vql_root(q), found, sizeof found);
        assert_string_equal(found, key_rows[i].keys);
        vql_free(q);
    }
}

static const struct {
    const char *pattern, *text;
    bool match;
} like_rows[] = {
    {"", "", true},         {"%", "", true},      {"%", "abc", true},       {"a", "a", true},     {"a", "A", false},
    {"a%", "abc", true},    {"%c", "abc", true},  {"%b%", "abc", true},     {"a%c", "abc", true}, {"a%d", "abc", false},
    {"a_c", "abc", false},  {"a_c", "a_c", true}, {"%a%b%", "xaxbx", true}, {"a", "ab", false},   {"%%", "x", true},
    {"[a]*", "[a]*", true}, {"a%a", "a", false},  {"%aab", "aaab", true},
};

static void like_knows_the_percent_sign_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof like_rows / sizeof like_rows[0]; i++)
        if (vql_match_like(str_c(like_rows[i].pattern), str_c(like_rows[i].text)) != like_rows[i].match)
            fail_msg("%s LIKE %s", like_rows[i].text, like_rows[i].pattern);
}

static void flexible_match_leaves_case_and_punctuation_out(void **state)
{
    (void)state;
    assert_true(vql_match_flex(STR("team-a"), STR("Team A")));
    assert_true(vql_match_flex(STR("team_a"), STR("Team.A!")));
    assert_true(vql_match_flex(STR("TEAMA"), STR("team a")));
    assert_false(vql_match_flex(STR("team a"), STR("team b")));
    assert_false(vql_match_flex(STR("team a"), STR("team ab")));
    assert_true(vql_match_flex(STR("--"), STR("")));
}

static void a_hostile_pattern_is_not_slow(void **state)
{
    struct buf pattern, text;
    (void)state;
    buf_init(&pattern, 1u << 20);
    buf_init(&text, 1u << 20);
    add(&pattern, "%a", 10000);
    add(&pattern, "b", 1);
    add(&text, "a", 20000);
    assert_false(vql_match_like(buf_str(&pattern), buf_str(&text)));
    buf_free(&pattern);
    buf_free(&text);
}

static void ledgers_and_fields_in_use_are_told(void **state)
{
    (void)state;
    struct vql *q =
        parse(P " AND costs.ledger = 'metered' OR " P " AND costs.ledger = 'billed' AND costs.api_key = 'k'");
    assert_int_equal(vql_ledgers(q), 1u << VQL_BILLED | 1u << VQL_METERED);
    assert_true(vql_uses(q, VQL_RESOURCE));
    assert_false(vql_uses(q, VQL_SERVICE));
    vql_free(q);
    q = parse(P);
    assert_int_equal(vql_ledgers(q), 0);
    vql_free(q);
}

/* A text that is broken off or changed anywhere is a query or an error, never more. */
static void every_prefix_and_every_changed_byte_ends_well(void **state)
{
    static const char text[] = "(" P " AND costs.service NOT IN ('a','b''c') OR " P
                               " AND (tags.name, tags.value) IN (('a','b')) AND NOT (costs.allocation = 0.5))";
    char copy[sizeof text];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++) {
        for (unsigned c = 0; c < 256; c++) {
            struct vql *q = NULL;
            struct vql_error error;
            memcpy(copy, text, sizeof text);
            copy[i] = (char)c;
            if (vql_parse(str_of(copy, c ? sizeof text - 1 : i), &q, &error) == ERR_OK)
                vql_free(q);
            else
                assert_true(error.at <= sizeof text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_has_one_normal_form_that_reads_back),
        cmocka_unit_test(errors_say_what_and_where),
        cmocka_unit_test(length_depth_and_values_are_bounded),
        cmocka_unit_test(values_belong_to_the_nearest_key),
        cmocka_unit_test(like_knows_the_percent_sign_only),
        cmocka_unit_test(flexible_match_leaves_case_and_punctuation_out),
        cmocka_unit_test(a_hostile_pattern_is_not_slow),
        cmocka_unit_test(ledgers_and_fields_in_use_are_told),
        cmocka_unit_test(every_prefix_and_every_changed_byte_ends_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
