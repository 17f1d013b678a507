/* SPDX-License-Identifier: Apache-2.0 */
/* JSON schemas: one row a case; what is wrong with a schema; what is too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/must.h"
#include "gateway/hooks/json_schema.h"

static struct json_schema_report report;

static enum json_schema_result check(const char *schema, const char *value)
{
    struct jdoc s, v;
    struct arena *a = arena_new(1024, 4 << 20);
    struct pattern_budget budget = PATTERN_BUDGET;
    jdoc_init(&s);
    jdoc_init(&v);
    must(jdoc_parse(&s, str_c(schema)) && jdoc_parse(&v, str_c(value)));
    enum json_schema_result r = json_schema_check(jdoc_root(&s), jdoc_root(&v), a, &budget, &report);
    jdoc_free(&s);
    jdoc_free(&v);
    arena_free(a);
    return r;
}

static const struct {
    const char *schema, *fits, *differs;
} rows[] = {
    {"true", "1", NULL},
    {"false", NULL, "1"},
    {"{}", "null", NULL},
    {"{\"type\":\"integer\"}", "1.0", "1.5"},
    {"{\"type\":\"integer\"}", "1e400", "\"1\""},
    {"{\"type\":[\"null\",\"boolean\"]}", "false", "0"},
    {"{\"type\":\"array\"}", "[]", "{}"},
    {"{\"type\":\"unheard of\"}", NULL, "1"},
    {"{\"const\":{\"a\":[1,2.50]}}", "{\"\\u0061\":[1.0,25e-1]}", "{\"a\":[1,2]}"},
    {"{\"enum\":[1,\"a\",null]}", "\"\\u0061\"", "\"b\""},
    {"{\"enum\":[]}", NULL, "1"},
    {"{\"minimum\":1.5}", "1.50", "1.49999999999999999999"},
    {"{\"maximum\":100000000000000000000000000001}", "100000000000000000000000000001",
     "100000000000000000000000000002"},
    {"{\"exclusiveMinimum\":0}", "1e-400", "0.0"},
    {"{\"exclusiveMaximum\":0}", "-1", "-0"},
    {"{\"multipleOf\":0.01}", "19.99", "0.015"},
    {"{\"multipleOf\":3}", "-9e10", "10"},
    {"{\"minimum\":5}", "\"no number\"", "4"},
    {"{\"minLength\":2,\"maxLength\":2}", "\"\\u00e9\\ud83d\\ude00\"", "\"abc\""},
    {"{\"pattern\":\"^\\\\d+$\"}", "\"12\"", "\"1x\""},
    {"{\"required\":[\"a\",\"b\"]}", "{\"a\":1,\"b\":2}", "{\"a\":1}"},
    {"{\"required\":[\"a\"]}", "[]", "{\"\\u0062\":1}"},
    {"{\"minProperties\":1,\"maxProperties\":1}", "{\"a\":1}", "{}"},
    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"c\":1}", "{\"a\":1}"},
    {"{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"b\":1}", "{\"a\":1}"},
    {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", "{\"b\":1}"},
    {"{\"additionalProperties\":{\"type\":\"null\"}}", "{\"b\":null}", "{\"b\":1}"},
    {"{\"patternProperties\":{\"^x\":{\"type\":\"null\"}},\"additionalProperties\":false}", "{\"xa\":null}",
     "{\"xa\":1}"},
    {"{\"propertyNames\":{\"maxLength\":1}}", "{\"a\":1}", "{\"ab\":1}"},
    {"{\"items\":{\"type\":\"null\"}}", "[null]", "[null,1]"},
    {"{\"items\":[{\"type\":\"null\"}],\"additionalItems\":false}", "[null]", "[null,1]"},
    {"{\"prefixItems\":[{\"type\":\"null\"}],\"items\":{\"type\":\"string\"}}", "[null,\"a\"]", "[null,1]"},
    {"{\"contains\":{\"const\":1}}", "[2,1]", "[2]"},
    {"{\"minItems\":1,\"maxItems\":2}", "[1]", "[]"},
    {"{\"uniqueItems\":true}", "[1,\"1\",[1]]", "[{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]"},
    {"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "1", "3"},
    {"{\"anyOf\":[{\"maximum\":1},{\"minimum\":3}]}", "3", "2"},
    {"{\"oneOf\":[{\"maximum\":3},{\"minimum\":2}]}", "1", "2"},
    {"{\"not\":{\"type\":\"null\"}}", "1", "null"},
    {"{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1},\"else\":{\"minimum\":1}}", "1", "\"\""},
    {"{\"if\":false,\"else\":{\"minimum\":1}}", "1", "0"},
    {"{\"$ref\":\"#/definitions/a~1b\",\"definitions\":{\"a/b\":{\"type\":\"null\"}}}", "null", "1"},
    {"{\"$ref\":\"#/$defs/%C3%A9\",\"$defs\":{\"\xc3\xa9\":{\"type\":\"null\"}}}", "null", "1"},
    {"{\"$ref\":\"#/allOf/0\",\"allOf\":[{\"type\":\"null\"}]}", "null", "1"},
    {"{\"properties\":{\"n\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}", "{\"v\":1,\"n\":{\"v\":2}}",
     "{\"v\":1,\"n\":{}}"},
    {"{\"format\":\"email\",\"title\":7,\"x-own\":{}}", "\"no address\"", NULL},
};

static void values_fit_or_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].fits && check(rows[i].schema, rows[i].fits) != JSON_SCHEMA_FITS)
            fail_msg("%s: %s does not fit (%s)", rows[i].schema, rows[i].fits, report.keyword);
        if (rows[i].differs && check(rows[i].schema, rows[i].differs) != JSON_SCHEMA_DIFFERS)
            fail_msg("%s: %s fits", rows[i].schema, rows[i].differs);
        assert_true(!rows[i].differs || report.keyword[0]);
    }
}

static void the_report_names_place_and_keyword(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"properties\":{\"a\":{\"items\":{\"anyOf\":[{\"minimum\":3},{\"type\":\"null\"}]}}}}";
    assert_int_equal(check(schema, "{\"a\":[3,null,2]}"), JSON_SCHEMA_DIFFERS);
    assert_string_equal(report.path, "/a/2");
    assert_string_equal(report.keyword, "anyOf");
    assert_int_equal(check("{\"type\":\"null\"}", "1"), JSON_SCHEMA_DIFFERS);
    assert_string_equal(report.path, "");
    assert_string_equal(report.keyword, "type");
}

static void bad_schemas_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *keyword;
    } bad[] = {
        {"7", "schema"},
        {"{\"type\":7}", "type"},
        {"{\"enum\":7}", "enum"},
        {"{\"required\":7}", "required"},
        {"{\"required\":[7]}", "required"},
        {"{\"properties\":[]}", "properties"},
        {"{\"minProperties\":-1}", "minProperties"},
        {"{\"properties\":{\"a\":7}}", "schema"},
        {"{\"allOf\":{}}", "allOf"},
        {"{\"$ref\":\"#/nowhere\"}", "$ref"},
        {"{\"$ref\":\"http://example.com/\"}", "$ref"},
        {"{\"$ref\":7}", "$ref"},
        {"{\"patternProperties\":{\"(\":{}}}", "pattern"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (check(bad[i].schema, "{\"a\":1}") != JSON_SCHEMA_BAD || strcmp(report.keyword, bad[i].keyword) != 0)
            fail_msg("%s: %s", bad[i].schema, report.keyword);
    }
    assert_int_equal(check("{\"multipleOf\":0}", "1"), JSON_SCHEMA_BAD);
    assert_int_equal(check("{\"minimum\":\"1\"}", "1"), JSON_SCHEMA_BAD);
    assert_int_equal(check("{\"pattern\":\"(\"}", "\"a\""), JSON_SCHEMA_BAD);
    /* Bad inside a branch that may fail is bad all the same. */
    assert_int_equal(check("{\"not\":{\"minimum\":\"1\"}}", "1"), JSON_SCHEMA_BAD);
    assert_int_equal(check("{\"anyOf\":[{\"minimum\":\"1\"},true]}", "1"), JSON_SCHEMA_BAD);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check("{\"$ref\":\"#\"}", "1"), JSON_SCHEMA_TOO_MUCH);
    assert_int_equal(check("{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", "1"), JSON_SCHEMA_TOO_MUCH);
    assert_int_equal(check("{\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\""),
                     JSON_SCHEMA_TOO_MUCH);
    /* 2^20 branches. */
    struct buf deep;
    buf_init(&deep, 1 << 20);
    for (int i = 0; i < 20; i++)
        assert_true(buf_printf(&deep, "%s\"d%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/d%d\"},{\"$ref\":\"#/$defs/d%d\"}]}",
                               i ? "," : "{\"$ref\":\"#/$defs/d0\",\"$defs\":{", i, i + 1, i + 1));
    assert_true(buf_printf(&deep, ",\"d20\":false}}") && buf_add_byte(&deep, '\0'));
    assert_int_equal(check(buf_str(&deep).p, "1"), JSON_SCHEMA_TOO_MUCH);
    /* Each element with each other. */
    buf_reset(&deep);
    for (int i = 0; i < 3000; i++)
        assert_true(buf_printf(&deep, "%c%d", i ? ',' : '[', i));
    assert_true(buf_printf(&deep, "]") && buf_add_byte(&deep, '\0'));
    assert_int_equal(check("{\"uniqueItems\":true}", buf_str(&deep).p), JSON_SCHEMA_TOO_MUCH);
    assert_int_equal(check("{\"items\":{\"type\":\"integer\"}}", buf_str(&deep).p), JSON_SCHEMA_FITS);
    buf_free(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_fit_or_differ),
        cmocka_unit_test(the_report_names_place_and_keyword),
        cmocka_unit_test(bad_schemas_are_named),
        cmocka_unit_test(too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
