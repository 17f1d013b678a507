/* SPDX-License-Identifier: Apache-2.0 */
/* Provider addresses: what is taken and its normal form, what is refused, and deployments lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/arena.h"
#include "control/base_url.h"
#include "control/deployment.h"

static void good_urls_come_to_their_normal_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normal, *host, *authority, *path;
        uint16_t port;
    } rows[] = {
        {"https://api.openai.com/v1", "https://api.openai.com/v1", "api.openai.com", "api.openai.com", "/v1", 443},
        {"https://api.openai.com/v1/", "https://api.openai.com/v1", "api.openai.com", "api.openai.com", "/v1", 443},
        {"HTTPS://API.OpenAI.com:443", "https://api.openai.com", "api.openai.com", "api.openai.com", "", 443},
        {"https://api.openai.com/", "https://api.openai.com", "api.openai.com", "api.openai.com", "", 443},
        {"http://127.0.0.1:9000/v1", "http://127.0.0.1:9000/v1", "127.0.0.1", "127.0.0.1:9000", "/v1", 9000},
        {"http://[::1]:8080", "http://[::1]:8080", "::1", "[::1]:8080", "", 8080},
        {"https://[2001:DB8:0:0::1]/a/b", "https://[2001:db8::1]/a/b", "2001:db8::1", "[2001:db8::1]", "/a/b", 443},
        {"http://llm.svc.cluster.local", "http://llm.svc.cluster.local", "llm.svc.cluster.local",
         "llm.svc.cluster.local", "", 80},
        {"http://host:443", "http://host:443", "host", "host:443", "", 443},
        {"https://my_service-1/v1", "https://my_service-1/v1", "my_service-1", "my_service-1", "/v1", 443},
        {"https://xn--bcher-kva.example/v1", "https://xn--bcher-kva.example/v1", "xn--bcher-kva.example",
         "xn--bcher-kva.example", "/v1", 443},
        {"https://1e100.net/v1.0/~x", "https://1e100.net/v1.0/~x", "1e100.net", "1e100.net", "/v1.0/~x", 443},
        {"https://9.example", "https://9.example", "9.example", "9.example", "", 443},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct base_url url, again;
        char why[300], text[BASE_URL_TEXT_MAX];
        if (base_url_parse(str_c(rows[i].text), &url, why, sizeof why) != ERR_OK)
            fail_msg("%s: %s", rows[i].text, why);
        assert_int_equal(base_url_format(&url, text), strlen(rows[i].normal));
        assert_string_equal(text, rows[i].normal);
        assert_string_equal(url.host, rows[i].host);
        assert_string_equal(url.authority, rows[i].authority);
        assert_string_equal(url.path, rows[i].path);
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(base_url_parse(str_c(text), &again, why, sizeof why), ERR_OK);
        assert_memory_equal(&url, &again, sizeof url);
    }
}

static void what_has_two_readings_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "api.openai.com",
        "//api.openai.com",
        "ftp://api.openai.com",
        "file:///etc/passwd",
        "https:/api.openai.com",
        "https:///v1",
        "https://",
        "https://:443/",
        "https://user@api.openai.com",
        "https://user:pass@api.openai.com/v1",
        "https://api.openai.com@evil.example/v1",
        "https://api.openai.com\\@evil.example",
        "https://evil.example\\.openai.com",
        "https://api.openai.com/v1?x=1",
        "https://api.openai.com/v1#x",
        "https://api.openai.com?",
        "https://api.openai.com:0",
        "https://api.openai.com:65536",
        "https://api.openai.com:",
        "https://api.openai.com:44 3",
        "https://api.openai.com:+443",
        "https://api.openai.com./v1",
        "https://.openai.com",
        "https://api..openai.com",
        "https://-api.openai.com",
        "https://api-.openai.com",
        "https://api.openai-",
        "https://api.%6fpenai.com",
        "https://b\xc3\xb6ker.example",
        "https://api.openai.com/v1/../admin",
        "https://api.openai.com/./v1",
        "https://api.openai.com//v1",
        "https://api.openai.com/v1//",
        "https://api.openai.com/v%31",
        "https://api.openai.com/v1 ",
        " https://api.openai.com/v1",
        "https://api.openai.com/\r\nX: y",
        "https://127.1/",
        "https://127.0.0.01",
        "https://0177.0.0.1",
        "https://0x7f.0.0.1",
        "https://0x7f000001",
        "https://2130706433",
        "https://127.0.0.256",
        "https://1.2.3.4.5",
        "https://1.2.3.4.",
        "https://example.0x",
        "https://example.123",
        "https://[127.0.0.1]",
        "https://[::1",
        "https://[::1]x",
        "https://[::1]443",
        "https://[fe80::1%25eth0]",
        "https://::1/",
        "https://[]/",
        "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
        "https://exa_mple.com:99999999999999999999",
        "https://a b.example",
        "https://a,b.example",
        "https://a/b|c",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct base_url url = {.port = 7};
        char why[300] = "";
        if (base_url_parse(str_c(bad[i]), &url, why, sizeof why) != ERR_BAD_PARAMETER)
            fail_msg("'%s' was taken", bad[i]);
        assert_true(strlen(why) > 15);
        assert_int_equal(url.port, 7);
    }
    char longest[BASE_URL_MAX + 2] = "https://h/", why[300];
    struct base_url url;
    memset(longest + 10, 'a', sizeof longest - 11);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(base_url_parse(str_c(longest), &url, why, sizeof why), ERR_BAD_PARAMETER);
    longest[BASE_URL_MAX] = '\0';
    assert_int_equal(base_url_parse(str_c(longest), &url, why, sizeof why), ERR_OK);
}

static void origins_differ_by_scheme_host_and_port(void **state)
{
    (void)state;
    struct base_url a, b;
    char why[300];
    static const struct {
        const char *url;
        bool same;
    } rows[] = {
        {"https://api.openai.com", true},       {"https://API.openai.com:443/other", true},
        {"http://api.openai.com", false},       {"http://api.openai.com:443", false},
        {"https://api.openai.com:444", false},  {"https://api.openai.co", false},
        {"https://api.openai.com.evil", false},
    };
    assert_int_equal(base_url_parse(STR("https://api.openai.com/v1"), &a, why, sizeof why), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(base_url_parse(str_c(rows[i].url), &b, why, sizeof why), ERR_OK);
        assert_int_equal(base_url_same_origin(&a, &b), rows[i].same);
    }
}

static void deployments_come_to_their_normal_form(void **state)
{
    (void)state;
    static const struct {
        const char *json, *normal;
    } rows[] = {
        {"", ""},
        {"{}", ""},
        {"[]", ""},
        {"{\"gpt-4o\": \"prod-4o\"}", "[{\"alias\":\"gpt-4o\",\"deployment\":\"prod-4o\"}]"},
        {"[{\"deployment\":\"d\",\"alias\":\"a\",\"default\":true,\"model\":\"gpt-4o\",\"api_version\":\"2024-10-21\"},"
         "{\"alias\":\"b\",\"deployment\":\"d\",\"default\":false,\"model\":null}]",
         "[{\"alias\":\"a\",\"deployment\":\"d\",\"model\":\"gpt-4o\",\"api_version\":\"2024-10-21\",\"default\":true},"
         "{\"alias\":\"b\",\"deployment\":\"d\"}]"},
        {"[{\"alias\":\"ft:gpt-4o:org\",\"deployment\":\"d.1\"}]",
         "[{\"alias\":\"ft:gpt-4o:org\",\"deployment\":\"d.1\"}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena *a = arena_new(32768, 1 << 20);
        struct snapshot_deployment *list;
        size_t count;
        struct str normal, again;
        char why[300];
        if (deployment_read(str_c(rows[i].json), a, &list, &count, why, sizeof why) != ERR_OK)
            fail_msg("%s: %s", rows[i].json, why);
        assert_int_equal(deployment_write(list, count, a, &normal), ERR_OK);
        assert_true(str_eq(normal, str_c(rows[i].normal)));
        assert_int_equal(deployment_read(normal, a, &list, &count, why, sizeof why), ERR_OK);
        assert_int_equal(deployment_write(list, count, a, &again), ERR_OK);
        assert_true(str_eq(normal, again));
        arena_free(a);
    }
}

static void wrong_deployments_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "null",
        "1",
        "\"x\"",
        "{",
        "[1]",
        "[[]]",
        "[{}]",
        "{\"a\":1}",
        "{\"a\":\"\"}",
        "{\"\":\"d\"}",
        "{\"a\":\"d\",\"a\":\"e\"}",
        "{\"a\":\"d/e\"}",
        "{\"a\":\"..\"}",
        "{\"a\":\"d?x\"}",
        "{\"a b\":\"d\"}",
        "{\"a\":\"d\\u0000e\"}",
        "[{\"alias\":\"a\"}]",
        "[{\"deployment\":\"d\"}]",
        "[{\"alias\":\"a\",\"deployment\":\"d\",\"extra\":1}]",
        "[{\"alias\":\"a\",\"deployment\":\"d\",\"default\":1}]",
        "[{\"alias\":\"a\",\"deployment\":\"d\",\"api_version\":\"2024\"}]",
        "[{\"alias\":\"a\",\"deployment\":\"d\"},{\"alias\":\"a\",\"deployment\":\"e\"}]",
        "[{\"alias\":\"a\",\"deployment\":\"d\",\"default\":true},{\"alias\":\"b\",\"deployment\":\"d\",\"default\":true}]",
        "{\"a\":\"d\"} x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena *a = arena_new(32768, 1 << 20);
        struct snapshot_deployment *list;
        size_t count;
        char why[300] = "";
        if (deployment_read(str_c(bad[i]), a, &list, &count, why, sizeof why) != ERR_BAD_PARAMETER)
            fail_msg("%s was taken", bad[i]);
        assert_true(strlen(why) > 15);
        arena_free(a);
    }
}

static void full_arenas_are_an_error_not_a_crash(void **state)
{
    (void)state;
    char json[DEPLOYMENT_MAX * 60], why[300];
    size_t n = (size_t)snprintf(json, sizeof json, "[");
    for (int i = 0; i < DEPLOYMENT_MAX; i++)
        n += (size_t)snprintf(json + n, sizeof json - n, "%s{\"alias\":\"a%d\",\"deployment\":\"d\"}", i ? "," : "", i);
    n += (size_t)snprintf(json + n, sizeof json - n, "]");
    for (size_t cap = 64; cap < 65536; cap += cap / 2) {
        struct arena *a = arena_new(64, cap);
        struct snapshot_deployment *list;
        size_t count;
        struct str normal;
        enum err e = deployment_read(str_of(json, n), a, &list, &count, why, sizeof why);
        if (e == ERR_OK)
            e = deployment_write(list, count, a, &normal);
        assert_true(e == ERR_OK || e == ERR_OVERLOADED);
        arena_free(a);
    }
    snprintf(json + n - 1, sizeof json - n + 1, ",{\"alias\":\"b\",\"deployment\":\"d\"}]"); /* one too many */
    struct arena *a = arena_new(32768, 1 << 20);
    struct snapshot_deployment *list;
    size_t count;
    assert_int_equal(deployment_read(str_c(json), a, &list, &count, why, sizeof why), ERR_BAD_PARAMETER);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls_come_to_their_normal_form),
        cmocka_unit_test(what_has_two_readings_is_refused),
        cmocka_unit_test(origins_differ_by_scheme_host_and_port),
        cmocka_unit_test(deployments_come_to_their_normal_form),
        cmocka_unit_test(wrong_deployments_are_refused_with_a_sentence),
        cmocka_unit_test(full_arenas_are_an_error_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
