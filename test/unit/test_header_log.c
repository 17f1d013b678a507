/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields in the log: no secret comes through, and what is none is shown as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json/jdoc.h"
#include "gateway/header_log.h"

#define OUT_MAX 65536

struct pair {
    const char *name, *value;
};

static void check(const struct pair *pairs, unsigned count, const struct config_strings *sensitive,
                  const char *expected)
{
    struct http1_field fields[16];
    struct buf out;
    buf_init(&out, OUT_MAX);
    for (unsigned i = 0; i < count; i++)
        fields[i] = (struct http1_field){str_c(pairs[i].name), str_c(pairs[i].value), HTTP1_OTHER};
    assert_true(header_log_json(fields, count, sensitive, &out));
    if (!str_eq(buf_str(&out), str_c(expected)))
        fail_msg("%.*s\nwanted %s", STR_ARG(buf_str(&out)), expected);
    buf_free(&out);
}

#define CHECK(sensitive, expected, ...)                                                \
    do {                                                                               \
        const struct pair pairs[] = {__VA_ARGS__};                                     \
        check(pairs, (unsigned)(sizeof pairs / sizeof pairs[0]), sensitive, expected); \
    } while (0)

static void credentials_show_two_and_three_bytes(void **state)
{
    (void)state;
    CHECK(NULL, "{\"authorization\":\"sk********xyz\",\"content-type\":\"application/json\"}",
          {"Authorization", "Bearer sk-proj-abcdefghijklmnopqrstuvwxyz"}, {"Content-Type", "application/json"});
    CHECK(NULL, "{\"authorization\":\"Ba********ZGU\"}", {"authorization", "Basic YWJjZGU6YWJjZGU"});
    CHECK(NULL,
          "{\"api-key\":\"ab********456\",\"x-api-key\":\"tg********890\",\"x-portkey-api-key\":\"pk********def\"}",
          {"api-key", "abc123456"}, {"X-Api-Key", "tg-567890"}, {"x-portkey-api-key", "pk-abcdef"});
}

static void values_too_short_to_hide_are_stars(void **state)
{
    (void)state;
    CHECK(NULL, "{\"x-api-key\":\"********\",\"api-key\":\"ab********def\",\"cookie\":\"********\"}",
          {"x-api-key", "abcde"}, {"api-key", "abcdef"}, {"cookie", ""});
}

static void the_requests_own_list_is_masked_too(void **state)
{
    (void)state;
    static const struct str list[] = {{"x-a", 3}};
    const struct config_strings sensitive = {list, 1};
    CHECK(&sensitive, "{\"x-a\":\"ab********xyz\",\"x-b\":\"abcdefuvwxyz\"}", {"X-A", "abcdefuvwxyz"},
          {"X-B", "abcdefuvwxyz"});
}

static void repeated_fields_are_joined_and_each_is_masked(void **state)
{
    (void)state;
    CHECK(NULL, "{\"x-a\":\"1, 2\",\"set-cookie\":\"se********001, se********002\"}", {"x-a", "1"},
          {"Set-Cookie", "session=0001"}, {"X-A", "2"}, {"set-cookie", "session=0002"});
}

static void names_of_secrets_are_known_in_any_dress(void **state)
{
    (void)state;
    static const char *const secret[] = {"Authorization",
                                         "proxy-authorization",
                                         "api_key",
                                         "apiKey",
                                         "x-goog-api-key",
                                         "x-portkey-azure-ad-token",
                                         "x-portkey-azure-entra-client-secret",
                                         "x-portkey-aws-access-key-id",
                                         "x-portkey-aws-secret-access-key",
                                         "x-portkey-aws-session-token",
                                         "x-portkey-vertex-service-account-json",
                                         "ocp-apim-subscription-key",
                                         "Set-Cookie",
                                         "sec-websocket-protocol",
                                         "credentials",
                                         "password"};
    static const char *const plain[] = {
        "content-type",       "x-ratelimit-remaining-tokens", "max_tokens",      "x-portkey-virtual-key",
        "x-portkey-provider", "openai-organization",          "idempotency-key", ""};
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
        if (!header_log_secret(str_c(secret[i])))
            fail_msg("%s is shown", secret[i]);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (header_log_secret(str_c(plain[i])))
            fail_msg("%s is hidden", plain[i]);
}

static void configs_keep_their_text_but_for_secrets(void **state)
{
    (void)state;
    CHECK(NULL,
          "{\"x-portkey-config\":\"{ \\\"targets\\\": [{\\\"api_key\\\": \\\"sk********345\\\", \\\"weight\\\": 1.50}],"
          " \\\"max_tokens\\\":3}\"}",
          {"x-portkey-config", "{ \"targets\": [{\"api_key\": \"sk-12345\", \"weight\": 1.50}], \"max_tokens\":3}"});
    CHECK(
        NULL,
        "{\"x-portkey-config\":\"{\\\"credentials\\\":{\\\"a\\\":[\\\"ab********678\\\",\\\"********\\\"],\\\"b\\\":true}}\"}",
        {"x-portkey-config", "{\"credentials\":{\"a\":[\"ab12345678\",1234567],\"b\":true}}"});
    CHECK(NULL, "{\"x-portkey-config\":\"{\\\"api\\\\u005fkey\\\":\\\"ab********678\\\"}\"}",
          {"x-portkey-config", "{\"api\\u005fkey\":\"ab12345678\"}"});
    CHECK(NULL, "{\"x-portkey-config\":\"pc-abc\"}", {"x-portkey-config", "pc-abc"});
}

static void a_config_that_is_not_json_is_not_shown(void **state)
{
    (void)state;
    CHECK(NULL, "{\"x-portkey-config\":\"********\",\"x-portkey-forward-headers\":\"['X-A']\"}",
          {"x-portkey-config", "{\"api_key\":\"sk-123456789\""}, {"x-portkey-forward-headers", "['X-A']"});
}

static void metadata_is_shown_as_given(void **state)
{
    (void)state;
    CHECK(NULL, "{\"x-portkey-metadata\":\"{\\\"token\\\":\\\"abcdefgh\\\"}\"}",
          {"x-portkey-metadata", "{\"token\":\"abcdefgh\"}"});
}

static void any_bytes_make_valid_json(void **state)
{
    (void)state;
    struct http1_field f = {STR("x-a"), {"\xff\"\\\x01\t\xc3", 6}, HTTP1_OTHER};
    struct http1_field secret = {STR("api-key"), {"\xc3\xa9\xe2\x82\xac\xe2\x82\xac\xe2\x82", 10}, HTTP1_OTHER};
    struct http1_field both[] = {f, secret};
    struct jdoc doc;
    struct buf out;
    buf_init(&out, OUT_MAX);
    jdoc_init(&doc);
    assert_true(header_log_json(both, 2, NULL, &out));
    assert_true(jdoc_parse(&doc, buf_str(&out)));
    assert_int_equal(jdoc_size(jdoc_root(&doc)), 2);
    jdoc_free(&doc);
    buf_free(&out);
}

static void a_buffer_too_small_is_said(void **state)
{
    (void)state;
    struct http1_field f = {STR("x-a"), STR("0123456789012345678901234567890123456789"), HTTP1_OTHER};
    for (size_t room = 1; room < 60; room++) {
        struct buf out;
        buf_init(&out, room);
        assert_int_equal(header_log_json(&f, 1, NULL, &out), room >= 50);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_show_two_and_three_bytes),
        cmocka_unit_test(values_too_short_to_hide_are_stars),
        cmocka_unit_test(the_requests_own_list_is_masked_too),
        cmocka_unit_test(repeated_fields_are_joined_and_each_is_masked),
        cmocka_unit_test(names_of_secrets_are_known_in_any_dress),
        cmocka_unit_test(configs_keep_their_text_but_for_secrets),
        cmocka_unit_test(a_config_that_is_not_json_is_not_shown),
        cmocka_unit_test(metadata_is_shown_as_given),
        cmocka_unit_test(any_bytes_make_valid_json),
        cmocka_unit_test(a_buffer_too_small_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
