/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: the one reading of good ones, and a sentence for everything that could be read in two ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/url.h"

static void good_urls_have_one_reading(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum url_use use;
        enum url_scheme scheme;
        const char *host;
        uint16_t port;
        const char *path, *user, *password;
    } rows[] = {
        {"https://api.openai.com/v1", URL_BASE, URL_HTTPS, "api.openai.com", 443, "/v1", "", ""},
        {"https://api.openai.com/v1/", URL_BASE, URL_HTTPS, "api.openai.com", 443, "/v1", "", ""},
        {"https://api.openai.com", URL_BASE, URL_HTTPS, "api.openai.com", 443, "", "", ""},
        {"https://api.openai.com/", URL_BASE, URL_HTTPS, "api.openai.com", 443, "", "", ""},
        {"HTTPS://API.OpenAI.com.:8443/V1", URL_BASE, URL_HTTPS, "api.openai.com", 8443, "/V1", "", ""},
        {"http://127.0.0.1:9999", URL_BASE, URL_HTTP, "127.0.0.1", 9999, "", "", ""},
        {"http://[::1]:9999/v1", URL_BASE, URL_HTTP, "::1", 9999, "/v1", "", ""},
        {"http://[2001:DB8:0:0:0:0:0:1]", URL_BASE, URL_HTTP, "2001:db8::1", 80, "", "", ""},
        {"http://my_service:80/a/b%20c/~x", URL_BASE, URL_HTTP, "my_service", 80, "/a/b%20c/~x", "", ""},
        {"https://x.openai.azure.com/openai/deployments/gpt-4o", URL_BASE, URL_HTTPS, "x.openai.azure.com", 443,
         "/openai/deployments/gpt-4o", "", ""},
        {"https://xn--bcher-kva.example/...", URL_BASE, URL_HTTPS, "xn--bcher-kva.example", 443, "/...", "", ""},
        {"http://0x7f.com", URL_BASE, URL_HTTP, "0x7f.com", 80, "", "", ""},
        {"http://1.2.3.4x", URL_BASE, URL_HTTP, "1.2.3.4x", 80, "", "", ""},
        {"proxy.corp:3128", URL_PROXY, URL_HTTP, "proxy.corp", 3128, "", "", ""},
        {"proxy.corp", URL_PROXY, URL_HTTP, "proxy.corp", 80, "", "", ""},
        {"http://me:p%40ss:word@proxy.corp:3128/", URL_PROXY, URL_HTTP, "proxy.corp", 3128, "", "me", "p%40ss:word"},
        {"https://me@[::1]:3128", URL_PROXY, URL_HTTPS, "::1", 3128, "", "me", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct url u;
        const char *why = "";
        if (url_parse(str_c(rows[i].text), rows[i].use, &u, &why) != ERR_OK)
            fail_msg("%s: %s", rows[i].text, why);
        assert_int_equal(u.scheme, rows[i].scheme);
        assert_string_equal(u.host, rows[i].host);
        assert_int_equal(u.port, rows[i].port);
        assert_true(str_eq(u.path, str_c(rows[i].path)));
        assert_true(str_eq(u.user, str_c(rows[i].user)));
        assert_true(str_eq(u.password, str_c(rows[i].password)));
    }
}

static const struct {
    const char *text, *why;
} bad_urls[] = {
    {"", "must begin with"},
    {"api.openai.com/v1", "must begin with"},
    {"//api.openai.com", "must begin with"},
    {"ftp://api.openai.com", "must begin with"},
    {"https:/api.openai.com", "must begin with"},
    {"https:api.openai.com", "must begin with"},
    {" https://a.b", "a space"},
    {"https://a.b/v1\n", "a space"},
    {"https://a.b/\x7f", "a space"},
    {"https://a.b\\@c.d/", "a backslash"},
    {"https://b\xc3\xbc"
     "cher.example",
     "plain ASCII"},
    {"https://", "the host is missing"},
    {"https:///v1", "the host is missing"},
    {"https://:443", "the host is missing"},
    {"https://user:pass@a.b/", "does not belong"},
    {"https://@a.b/", "does not belong"},
    {"https://a.b:/v1", "not a port"},
    {"https://a.b:0", "from 1 to 65535"},
    {"https://a.b:65536", "from 1 to 65535"},
    {"https://a.b:000443", "from 1 to 65535"},
    {"https://a.b:+80", "from 1 to 65535"},
    {"https://a.b:80:81", "from 1 to 65535"},
    {"https://::1/", "the host is missing"},
    {"https://[::1", "not a port"},
    {"https://[::1]x", "not a port"},
    {"https://[::1]:", "not a port"},
    {"https://[]", "the host is missing"},
    {"https://[::1%25lo]", "neither a name"},
    {"https://[::1%lo]", "neither a name"},
    {"https://[v1.x]", "in brackets"},
    {"https://[127.0.0.1]", "in brackets"},
    {"https://[a.b]", "in brackets"},
    {"https://a..b", "neither a name"},
    {"https://.a.b", "neither a name"},
    {"https://a.b..", "neither a name"},
    {"https://-a.b", "neither a name"},
    {"https://a-.b", "neither a name"},
    {"https://a%2eb", "neither a name"},
    {"https://a,b", "neither a name"},
    {"https://a*b", "neither a name"},
    {"http://127.1", "neither a name"},
    {"http://2130706433", "neither a name"},
    {"http://0x7f000001", "neither a name"},
    {"http://0x7f.0.0.1", "neither a name"},
    {"http://0177.0.0.1", "neither a name"},
    {"http://127.0.0.01", "neither a name"},
    {"http://127.0.0.256", "neither a name"},
    {"http://127.0.0.1.1", "neither a name"},
    {"http://1.2.3.0x", "neither a name"},
    {"http://foo.1", "neither a name"},
    {"https://a.b?x=1", "no query"},
    {"https://a.b/v1?api-version=1", "no query"},
    {"https://a.b/v1#x", "no query"},
    {"https://a.b#x", "no query"},
    {"https://a.b//v1", "empty segment"},
    {"https://a.b/v1//", "empty segment"},
    {"https://a.b/./v1", "'..'"},
    {"https://a.b/v1/..", "'..'"},
    {"https://a.b/%2e%2E/v1", "'..'"},
    {"https://a.b/.%2e/v1", "'..'"},
    {"https://a.b/%2f", "percent sign"},
    {"https://a.b/%5c", "percent sign"},
    {"https://a.b/%00", "percent sign"},
    {"https://a.b/%0d%0a", "percent sign"},
    {"https://a.b/%", "percent sign"},
    {"https://a.b/%4", "percent sign"},
    {"https://a.b/%zz", "percent sign"},
    {"https://a.b/<x>", "not allowed"},
    {"https://a.b/\"", "not allowed"},
};

static void bad_urls_are_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++) {
        struct url u = {.port = 7};
        const char *why = "";
        if (url_parse(str_c(bad_urls[i].text), URL_BASE, &u, &why) == ERR_OK || !strstr(why, bad_urls[i].why))
            fail_msg("%s: \"%s\"", bad_urls[i].text, why);
        assert_int_equal(u.port, 7);
    }
}

static void bad_proxies_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"socks5://proxy:1080", "reached by"},    {"http://proxy/path", "no path"},
        {"http://@proxy", "user name is empty"},  {"http://:x@proxy", "user name is empty"},
        {"http://a@b@proxy", "neither a name"},   {"http://a%zz@proxy", "percent-encoded"},
        {"http://a%00@proxy", "percent-encoded"}, {"http://a[@proxy", "percent-encoded"},
        {"proxy:port", "from 1 to 65535"},        {"", "host is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct url u;
        const char *why = "";
        if (url_parse(str_c(rows[i].text), URL_PROXY, &u, &why) == ERR_OK || !strstr(why, rows[i].why))
            fail_msg("%s: \"%s\"", rows[i].text, why);
    }
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    char text[URL_MAX + 10];
    struct url u;
    const char *why = "";
    memset(text, 'a', sizeof text);
    memcpy(text, "https://a.b/", 12);
    assert_int_equal(url_parse(str_of(text, URL_MAX), URL_BASE, &u, &why), ERR_OK);
    assert_int_equal(url_parse(str_of(text, URL_MAX + 1), URL_BASE, &u, &why), ERR_BAD_PARAMETER);
    /* Labels of 63 and names of 253 characters. */
    memset(text, 'a', sizeof text);
    memcpy(text, "https://", 8);
    for (int i = 1; i <= 3; i++)
        text[8 + 64 * i - 1] = '.';
    assert_int_equal(url_parse(str_of(text, 8 + 253), URL_BASE, &u, &why), ERR_OK);
    assert_int_equal(strlen(u.host), 253);
    assert_int_equal(url_parse(str_of(text, 8 + 254), URL_BASE, &u, &why), ERR_BAD_PARAMETER);
    text[8 + 64 - 1] = 'a';
    assert_int_equal(url_parse(str_of(text, 8 + 253), URL_BASE, &u, &why), ERR_BAD_PARAMETER);
}

static void the_host_field_has_brackets_and_ports_where_needed(void **state)
{
    (void)state;
    char out[URL_AUTHORITY_MAX];
    assert_int_equal(url_authority("a.b", 443, URL_HTTPS, out), 3);
    assert_string_equal(out, "a.b");
    url_authority("a.b", 80, URL_HTTPS, out);
    assert_string_equal(out, "a.b:80");
    url_authority("a.b", 80, URL_HTTP, out);
    assert_string_equal(out, "a.b");
    assert_int_equal(url_authority("::1", 8787, URL_HTTP, out), 10);
    assert_string_equal(out, "[::1]:8787");
    url_authority("::1", 80, URL_HTTP, out);
    assert_string_equal(out, "[::1]");
}

static void proxy_credentials_become_a_basic_field(void **state)
{
    (void)state;
    struct url u;
    const char *why;
    struct buf b;
    buf_init(&b, 200);
    assert_int_equal(url_parse(STR("http://Aladdin:open%20sesame@proxy"), URL_PROXY, &u, &why), ERR_OK);
    assert_true(url_basic(&u, &b));
    assert_true(str_eq(buf_str(&b), STR("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
    buf_free(&b);
    buf_init(&b, 10);
    assert_false(url_basic(&u, &b));
    buf_free(&b);
}

static void no_proxy_lists_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *list, *host;
        uint16_t port;
        bool excepted;
    } rows[] = {
        {"", "a.example", 443, false},
        {"*", "a.example", 443, true},
        {"example", "a.example", 443, true},
        {"a.example", "a.example", 443, true},
        {".example", "a.example", 443, true},
        {"A.Example.", "a.example", 443, true},
        {"b.example, a.example", "a.example", 443, true},
        {"b.example a.example", "a.example", 443, true},
        {"a.example:443", "a.example", 443, true},
        {"a.example:80", "a.example", 443, false},
        {"ample", "a.example", 443, false},
        {"aa.example", "a.example", 443, false},
        {"127.0.0.1", "127.0.0.1", 80, true},
        {"0.0.1", "127.0.0.1", 80, false},
        {"::1", "::1", 80, true},
        {"[::1]", "::1", 80, true},
        {"[::1]:80", "::1", 80, true},
        {"[::1]:81", "::1", 80, false},
        {"0:0:0:0:0:0:0:1", "::1", 80, true},
        {",,  ,", "a.example", 443, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (url_no_proxy(str_c(rows[i].list), rows[i].host, rows[i].port) != rows[i].excepted)
            fail_msg("%s for %s", rows[i].list, rows[i].host);
}

static void percent_encoding_goes_both_ways(void **state)
{
    (void)state;
    struct arena *a = arena_new(4096, 65536);
    struct str out, plain = STR("plain-text_1.2~3");
    assert_true(url_decode(plain, URL_IN_PATH, a, &out));
    assert_ptr_equal(out.p, plain.p); /* nothing to do, nothing copied */
    assert_true(url_decode(STR("a%20b%2Fc+d"), URL_IN_PATH, a, &out));
    assert_true(str_eq(out, STR("a b/c+d")));
    assert_true(url_decode(STR("a%20b%2fc+d"), URL_IN_QUERY, a, &out));
    assert_true(str_eq(out, STR("a b/c d")));
    static const char *const bad[] = {"%", "a%", "%4", "a%2", "%zz", "%2z", "%00", "%-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(url_decode(str_c(bad[i]), URL_IN_PATH, a, &out));
    char every[255];
    for (size_t i = 0; i < sizeof every; i++)
        every[i] = (char)(i + 1);
    struct buf b;
    buf_init(&b, 4096);
    assert_true(url_encode(&b, str_of(every, sizeof every)));
    assert_int_equal(buf_size(&b), 66 + 3 * (255 - 66));
    assert_true(url_decode(buf_str(&b), URL_IN_QUERY, a, &out));
    assert_true(str_eq(out, str_of(every, sizeof every)));
    buf_free(&b);
    buf_init(&b, 5);
    assert_false(url_encode(&b, STR("a b c")));
    assert_int_equal(buf_size(&b), 0);
    buf_free(&b);
    arena_free(a);
}

static void query_strings_give_their_parameters(void **state)
{
    (void)state;
    struct arena *a = arena_new(4096, 65536);
    struct url_query q;
    struct url_param p;
    url_query_init(
        &q, STR("limit=20&&after=x%20y&group_by%5B%5D=model&group_by[]=user&metadata[k%201]=v+1&flag&=e&[]=z&n[=1"), a);
    static const struct {
        const char *name, *key, *value;
        bool bracket;
    } rows[] = {
        {"limit", "", "20", false},     {"after", "", "x y", false},      {"group_by", "", "model", true},
        {"group_by", "", "user", true}, {"metadata", "k 1", "v 1", true}, {"flag", "", "", false},
        {"", "", "e", false},           {"[]", "", "z", false},           {"n[", "", "1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(url_query_next(&q, &p));
        assert_true(str_eq(p.name, str_c(rows[i].name)));
        assert_true(str_eq(p.key, str_c(rows[i].key)));
        assert_true(str_eq(p.value, str_c(rows[i].value)));
        assert_int_equal(p.bracket, rows[i].bracket);
    }
    assert_false(url_query_next(&q, &p));
    assert_false(q.bad);

    struct str value;
    assert_true(url_query_find(STR("a=1&b=2&b=3"), STR("b"), a, &value));
    assert_true(str_eq(value, STR("2")));
    assert_false(url_query_find(STR("a=1&b[]=2"), STR("b"), a, &value));
    assert_false(url_query_find(STR(""), STR("b"), a, &value));

    url_query_init(&q, STR("a=1&b=%zz&c=3"), a);
    assert_true(url_query_next(&q, &p));
    assert_false(url_query_next(&q, &p));
    assert_true(q.bad);
    assert_false(url_query_next(&q, &p));

    static char many[3 * URL_PARAMS_MAX + 10];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = "x=&"[i % 3];
    url_query_init(&q, str_of(many, sizeof many), a);
    size_t n = 0;
    while (url_query_next(&q, &p))
        n++;
    assert_int_equal(n, URL_PARAMS_MAX);
    assert_true(q.bad);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls_have_one_reading),
        cmocka_unit_test(bad_urls_are_refused_with_a_sentence),
        cmocka_unit_test(bad_proxies_are_refused_with_a_sentence),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(the_host_field_has_brackets_and_ports_where_needed),
        cmocka_unit_test(proxy_credentials_become_a_basic_field),
        cmocka_unit_test(no_proxy_lists_are_understood),
        cmocka_unit_test(percent_encoding_goes_both_ways),
        cmocka_unit_test(query_strings_give_their_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
