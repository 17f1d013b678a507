/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message heads: what is accepted has one reading, and what has two is refused, whatever pieces it
 * comes in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/http1_head.h"

#define RAW(text)              \
    {                          \
        text, sizeof(text) - 1 \
    }
#define HOST "Host: h\r\n"

static struct http1_field fields[HTTP1_FIELDS_MAX];

static enum http1_parse parse_request(struct str raw, struct http1_head *h, enum err *e)
{
    *e = ERR_OK;
    return http1_parse_request(raw, 0, fields, h, e);
}

/* As a slow sender would: one byte more at each call. The result must be that of the whole. */
static enum http1_parse parse_bytewise(struct str raw, bool response, struct http1_head *h, enum err *e)
{
    for (size_t n = 1; n <= raw.n; n++) {
        /* A copy of just the size, so that a look behind the end is seen. */
        char *copy = mem_alloc(n);
        memcpy(copy, raw.p, n);
        struct str part = str_of(copy, n);
        enum http1_parse p = response ? http1_parse_response(part, n - 1, false, fields, h, e)
                                      : http1_parse_request(part, n - 1, fields, h, e);
        mem_free(copy);
        if (p != HTTP1_PARTIAL)
            return p;
    }
    return HTTP1_PARTIAL;
}

struct good {
    struct str raw;
    const char *method, *target, *query;
    int minor;
    enum http1_framing framing;
    uint64_t length;
    bool keep_alive;
};

static const struct good good[] = {
    {RAW("GET / HTTP/1.1\r\n" HOST "\r\n"), "GET", "/", "", 1, HTTP1_NO_BODY, 0, true},
    {RAW("GET / HTTP/1.0\r\n\r\n"), "GET", "/", "", 0, HTTP1_NO_BODY, 0, false},
    {RAW("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "GET", "/", "", 0, HTTP1_NO_BODY, 0, true},
    {RAW("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), "GET", "/", "", 0, HTTP1_NO_BODY, 0, false},
    {RAW("GET / HTTP/1.1\r\n" HOST "Connection: CLOSE\r\n\r\n"), "GET", "/", "", 1, HTTP1_NO_BODY, 0, false},
    {RAW("GET / HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: close\r\n\r\n"), "GET", "/", "", 1, HTTP1_NO_BODY, 0,
     false},
    {RAW("GET /v1/models?a=b?c HTTP/1.1\r\n" HOST "\r\n"), "GET", "/v1/models?a=b?c", "a=b?c", 1, HTTP1_NO_BODY, 0,
     true},
    {RAW("GET /? HTTP/1.1\r\n" HOST "\r\n"), "GET", "/?", "", 1, HTTP1_NO_BODY, 0, true},
    {RAW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), "OPTIONS", "*", "", 1, HTTP1_NO_BODY, 0, true},
    {RAW("GET http://h/a?b HTTP/1.1\r\n" HOST "\r\n"), "GET", "/a?b", "b", 1, HTTP1_NO_BODY, 0, true},
    {RAW("GET HTTP://h/ HTTP/1.0\r\n\r\n"), "GET", "/", "", 0, HTTP1_NO_BODY, 0, false},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), "POST", "/", "", 1, HTTP1_LENGTH, 0, true},
    {RAW("POST / HTTP/1.1\r\n" HOST "content-length:\t 17 \t\r\n\r\n"), "POST", "/", "", 1, HTTP1_LENGTH, 17, true},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 007\r\n\r\n"), "POST", "/", "", 1, HTTP1_LENGTH, 7, true},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n"), "POST", "/", "", 1, HTTP1_LENGTH,
     INT64_MAX, true},
    {RAW("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n"), "POST", "/", "", 0, HTTP1_LENGTH, 5, false},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), "POST", "/", "", 1, HTTP1_CHUNKED, 0, true},
    {RAW("POST / HTTP/1.1\r\n" HOST "tRANSFER-eNCODING:CHUNKED\r\n\r\n"), "POST", "/", "", 1, HTTP1_CHUNKED, 0, true},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:  chunked\t\r\n\r\n"), "POST", "/", "", 1, HTTP1_CHUNKED, 0,
     true},
    {RAW("get / HTTP/1.1\r\n" HOST "\r\n"), "get", "/", "", 1, HTTP1_NO_BODY, 0, true},
    {RAW("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "GET", "/", "", 1, HTTP1_NO_BODY, 0, true},
    {RAW("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "GET", "/", "", 1, HTTP1_NO_BODY, 0, true},
    {RAW("GET / HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Tab:\ta\tb\r\nX-High: \x80\xff\r\n\r\n"), "GET", "/", "", 1,
     HTTP1_NO_BODY, 0, true},
    {RAW("GET /a..b/.c/...%2e HTTP/1.1\r\n" HOST "\r\n"), "GET", "/a..b/.c/...%2e", "", 1, HTTP1_NO_BODY, 0, true},
    {RAW("GET /a?../.. HTTP/1.1\r\n" HOST "\r\n"), "GET", "/a?../..", "../..", 1, HTTP1_NO_BODY, 0, true},
};

static void check_good(const struct good *g, const struct http1_head *h)
{
    assert_true(str_eq(h->method, str_c(g->method)));
    assert_true(str_eq(h->target, str_c(g->target)));
    assert_true(str_eq(h->query, str_c(g->query)));
    assert_int_equal(h->minor, g->minor);
    assert_int_equal(h->framing, g->framing);
    assert_true(h->content_length == g->length);
    assert_int_equal(h->keep_alive, g->keep_alive);
    assert_int_equal(h->size, g->raw.n);
}

static void requests_with_one_reading_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct http1_head h;
        enum err e;
        if (parse_request(good[i].raw, &h, &e) != HTTP1_COMPLETE)
            fail_msg("refused with %s: %s", err_info(e)->code, good[i].raw.p);
        check_good(&good[i], &h);
    }
}

static void what_follows_a_head_is_not_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char more[512];
        struct http1_head h;
        enum err e;
        memcpy(more, good[i].raw.p, good[i].raw.n);
        memset(more + good[i].raw.n, '\0', sizeof more - good[i].raw.n);
        assert_int_equal(parse_request(str_of(more, sizeof more), &h, &e), HTTP1_COMPLETE);
        check_good(&good[i], &h);
    }
}

static void a_request_is_complete_at_its_last_byte_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct http1_head h = {0};
        enum err e;
        assert_int_equal(parse_bytewise(str_head(good[i].raw, good[i].raw.n - 1), false, &h, &e), HTTP1_PARTIAL);
        assert_int_equal(parse_bytewise(good[i].raw, false, &h, &e), HTTP1_COMPLETE);
        assert_int_equal(h.size, good[i].raw.n);
        assert_int_equal(h.framing, good[i].framing);
    }
}

static const struct {
    struct str raw;
    enum err err;
} bad[] = {
    /* The request line. */
    {RAW("\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET /\r\n\r\n"), ERR_BAD_HTTP},
    {RAW(" GET / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET  / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /  HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1 \r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /a b HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /\x80 HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /#f HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /\\ HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET a HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET * HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET h:80 HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET http:/a HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET http:// HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET http://h HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET http://h?/a HTTP/1.0\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET http://u@h/a HTTP/1.1\r\nHost: u@h\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET ftp://h/a HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("G(T / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET: / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("AMETHODNAMELONGERTHANTHIRTYTWOBYTES / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.2\r\n" HOST "\r\n"), ERR_HTTP_VERSION},
    {RAW("GET / HTTP/0.9\r\n" HOST "\r\n"), ERR_HTTP_VERSION},
    {RAW("PRI * HTTP/2.0\r\n\r\n"), ERR_HTTP_VERSION},
    {RAW("GET / HTTP/1.10\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/01.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / http/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1,1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTPS/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    /* Methods that are not for a gateway. */
    {RAW("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD_NOT_ALLOWED},
    {RAW("CONNECT /v1/models HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD_NOT_ALLOWED},
    {RAW("TRACE / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD_NOT_ALLOWED},
    {RAW("track / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD_NOT_ALLOWED},
    /* Paths that some servers shorten. */
    {RAW("GET /. HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /.. HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /v1/./models HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /v1/../admin HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /v1/%2e%2E/admin HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /v1/.%2e?x HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET /v1/..;x/admin HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET http://h/a/../b HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    /* Line ends. */
    {RAW("GET / HTTP/1.1\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: h\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\n\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n\rHost: h\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: h\0\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"), ERR_BAD_HTTP},
    /* Fields. */
    {RAW("GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A\t: b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A b: c\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A(: c\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A\x80: c\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc: d\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A: \x0b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "A: \x7f\r\n\r\n"), ERR_BAD_HTTP},
    /* Host. */
    {RAW("GET / HTTP/1.1\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.0\r\n" HOST "host: i\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET http://i/ HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    {RAW("GET http://h:80/ HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_HTTP},
    /* Framing. */
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 5.0\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 5;a\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551621\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 000000000000000000005\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content_Length: 5\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "transfer_encoding: chunked\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
     ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;a=b\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    {RAW("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), ERR_AMBIGUOUS_FRAMING},
    /* Fields of which one server takes the first and another the last. */
    {RAW("POST / HTTP/1.1\r\n" HOST "Content-Type: a/b\r\ncontent-type: a/b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "Api-Key: a\r\nApi-Key: b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("GET / HTTP/1.1\r\n" HOST "X-Api-Key: a\r\nX-Api-Key: b\r\n\r\n"), ERR_BAD_HTTP},
    {RAW("POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n"), ERR_EXPECTATION_FAILED},
    {RAW("POST / HTTP/1.1\r\n" HOST "Expect:\r\n\r\n"), ERR_EXPECTATION_FAILED},
};

static void requests_with_two_readings_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http1_head h = {.minor = 77};
        enum err e;
        if (parse_request(bad[i].raw, &h, &e) != HTTP1_REFUSED)
            fail_msg("accepted: %s", bad[i].raw.p);
        assert_string_equal(err_info(e)->code, err_info(bad[i].err)->code);
        assert_int_equal(h.minor, 77); /* outputs stay untouched */
        assert_int_equal(parse_bytewise(bad[i].raw, false, &h, &e), HTTP1_REFUSED);
        assert_string_equal(err_info(e)->code, err_info(bad[i].err)->code);
    }
}

static void bytes_that_cannot_become_a_head_are_refused_before_its_end(void **state)
{
    (void)state;
    static const struct str early[] = {RAW("GET / HTTP/1.1\nHo"), RAW("GET / HTTP/1.1\r\nHost: h\nX"), RAW("\n"),
                                       RAW("GET / \0")};
    for (size_t i = 0; i < sizeof early / sizeof early[0]; i++) {
        struct http1_head h;
        enum err e;
        assert_int_equal(parse_request(early[i], &h, &e), HTTP1_REFUSED);
        assert_int_equal(e, ERR_BAD_HTTP);
        assert_int_equal(parse_bytewise(early[i], false, &h, &e), HTTP1_REFUSED);
    }
}

/* Puts each byte value into a place of a request and counts what is accepted. */
static unsigned accepted_bytes(const char *format)
{
    unsigned accepted = 0;
    const char *mark = strchr(format, '@');
    for (int c = 0; c < 256; c++) {
        char text[128];
        struct http1_head h;
        enum err e;
        size_t n = strlen(format);
        memcpy(text, format, n);
        text[mark - format] = (char)c;
        accepted += parse_request(str_of(text, n), &h, &e) == HTTP1_COMPLETE;
    }
    return accepted;
}

static void each_place_takes_its_own_bytes_only(void **state)
{
    (void)state;
    assert_int_equal(accepted_bytes("G@T / HTTP/1.1\r\nHost: h\r\n\r\n"), 77);       /* token characters */
    assert_int_equal(accepted_bytes("GET /a@ HTTP/1.1\r\nHost: h\r\n\r\n"), 94 - 2); /* visible, not # and backslash */
    assert_int_equal(accepted_bytes("GET / HTTP/1.1\r\nHost: h\r\nA@: b\r\n\r\n"), 77 + 1); /* and the colon itself */
    assert_int_equal(accepted_bytes("GET / HTTP/1.1\r\nHost: h\r\nA: b@c\r\n\r\n"), 256 - 32 - 1 + 1); /* and tab */
    assert_int_equal(accepted_bytes("GET / HTTP/1.@\r\nHost: h\r\n\r\n"), 2);
    assert_int_equal(accepted_bytes("GET@/ HTTP/1.1\r\nHost: h\r\n\r\n"), 1);
    assert_int_equal(accepted_bytes("GET / HTTP/1.1\r@Host: h\r\n\r\n"), 1);
    assert_int_equal(accepted_bytes("GET / HTTP/1.1@\nHost: h\r\n\r\n"), 1);
    assert_int_equal(accepted_bytes("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1@\r\n\r\n"), 10 + 2); /* and space */
    assert_int_equal(accepted_bytes("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: @chunked\r\n\r\n"), 2);
    assert_int_equal(accepted_bytes("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked@\r\n\r\n"), 2);
}

static void values_are_trimmed_and_names_known(void **state)
{
    (void)state;
    struct http1_head h;
    enum err e;
    assert_int_equal(
        parse_request(STR("GET / HTTP/1.1\r\nHOST: h\r\nX-A: \t b c \t\r\nx-request-ID:9\r\n\r\n"), &h, &e),
        HTTP1_COMPLETE);
    assert_int_equal(h.field_count, 3);
    assert_true(str_eq(h.host, STR("h")));
    assert_int_equal(h.fields[0].id, HTTP1_HOST);
    assert_true(str_eq(h.fields[0].name, STR("HOST")));
    assert_int_equal(h.fields[1].id, HTTP1_OTHER);
    assert_true(str_eq(h.fields[1].value, STR("b c")));
    assert_ptr_equal(http1_find_id(&h, HTTP1_X_REQUEST_ID), &h.fields[2]);
    assert_ptr_equal(http1_find(&h, STR("x-a")), &h.fields[1]);
    assert_null(http1_find(&h, STR("x-b")));
    assert_null(http1_find_id(&h, HTTP1_COOKIE));
}

static void each_known_field_is_found_by_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {
#define X(name, text, hop) text,
        HTTP1_FIELD_TABLE(X)
#undef X
    };
    for (unsigned id = 1; id < HTTP1_FIELD_COUNT; id++) {
        char upper[64], longer[64];
        size_t n = strlen(names[id]);
        for (size_t i = 0; i <= n; i++)
            upper[i] = names[id][i] >= 'a' && names[id][i] <= 'z' ? (char)(names[id][i] - 32) : names[id][i];
        snprintf(longer, sizeof longer, "%sx", names[id]);
        assert_int_equal(http1_field_id_of(str_c(names[id])), id);
        assert_int_equal(http1_field_id_of(str_c(upper)), id);
        assert_int_not_equal(http1_field_id_of(str_c(longer)), id);
        assert_int_not_equal(http1_field_id_of(str_of(names[id], n - 1)), id);
    }
    assert_int_equal(http1_field_id_of(STR("")), HTTP1_OTHER);
    assert_int_equal(http1_field_id_of(STR("a-name-longer-than-any-that-is-known")), HTTP1_OTHER);
}

static bool hop(const struct http1_head *h, const char *name)
{
    const struct http1_field *f = http1_find(h, str_c(name));
    assert_non_null(f);
    return http1_hop_by_hop(h, f);
}

static void names_in_any_connection_field_end_at_this_hop(void **state)
{
    (void)state;
    static const struct str heads[] = {
        RAW("GET / HTTP/1.1\r\n" HOST "Connection: x-a, X-B\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\nTE: t\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\n" HOST
            "Connection: x-a\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\nConnection:,X-b ,\r\nTE: t\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\n" HOST "Connection:\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\nConnection: x-b,x-a\r\n"
            "Connection:\r\nTE: t\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct http1_head h;
        enum err e;
        assert_int_equal(parse_request(heads[i], &h, &e), HTTP1_COMPLETE);
        assert_true(hop(&h, "x-a"));
        assert_true(hop(&h, "x-b"));
        assert_false(hop(&h, "x-c"));
        assert_false(hop(&h, "host"));
        assert_true(hop(&h, "te"));
        assert_true(hop(&h, "connection"));
    }
}

static bool websocket(const char *line, const char *lines)
{
    char text[256];
    struct http1_head h;
    enum err e;
    int n = snprintf(text, sizeof text, "%s\r\n" HOST "%s\r\n", line, lines);
    assert_int_equal(parse_request(str_of(text, (size_t)n), &h, &e), HTTP1_COMPLETE);
    return h.upgrade_websocket;
}

static void only_a_bodiless_get_may_become_a_websocket(void **state)
{
    (void)state;
    assert_true(websocket("GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    assert_true(websocket("GET / HTTP/1.1", "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n"));
    assert_false(websocket("GET / HTTP/1.1", "Upgrade: websocket\r\n"));
    assert_false(websocket("GET / HTTP/1.1", "Upgrade: h2c\r\nConnection: Upgrade\r\n"));
    assert_false(websocket("GET / HTTP/1.1", "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n"));
    assert_false(websocket("POST / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    assert_false(websocket("GET / HTTP/1.0", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    assert_false(websocket("GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 9\r\n"));
    assert_false(
        websocket("GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n"));
}

static void an_expectation_is_known_in_any_case(void **state)
{
    (void)state;
    struct http1_head h;
    enum err e;
    assert_int_equal(
        parse_request(STR("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n"), &h, &e),
        HTTP1_COMPLETE);
    assert_true(h.expect_continue);
}

/* A head of exactly n bytes, with as few fields as that takes. */
static struct str head_of(size_t n)
{
    static char text[HTTP1_HEAD_MAX + 16];
    size_t at = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "A: ");
    memset(text + at, 'x', n - at - 4);
    memcpy(text + n - 4, "\r\n\r\n", 4);
    return str_of(text, n);
}

static void a_head_has_a_largest_size(void **state)
{
    (void)state;
    struct http1_head h;
    enum err e;
    assert_int_equal(parse_request(head_of(HTTP1_HEAD_MAX), &h, &e), HTTP1_COMPLETE);
    assert_int_equal(parse_request(head_of(HTTP1_HEAD_MAX + 1), &h, &e), HTTP1_REFUSED);
    assert_int_equal(e, ERR_HEAD_TOO_LARGE);
    struct str endless = str_head(head_of(HTTP1_HEAD_MAX + 10), HTTP1_HEAD_MAX - 1);
    assert_int_equal(parse_request(endless, &h, &e), HTTP1_PARTIAL);
    endless.n++;
    assert_int_equal(http1_parse_request(endless, endless.n - 1, fields, &h, &e), HTTP1_REFUSED);
    assert_int_equal(e, ERR_HEAD_TOO_LARGE);
}

static void a_head_has_a_largest_number_of_fields(void **state)
{
    (void)state;
    for (unsigned count = HTTP1_FIELDS_MAX - 1; count <= HTTP1_FIELDS_MAX + 1; count++) {
        static char text[4096];
        struct http1_head h;
        enum err e;
        size_t at = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST);
        for (unsigned i = 1; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "A: %u\r\n", i);
        at += (size_t)snprintf(text + at, sizeof text - at, "\r\n");
        enum http1_parse p = parse_request(str_of(text, at), &h, &e);
        assert_int_equal(p, count > HTTP1_FIELDS_MAX ? HTTP1_REFUSED : HTTP1_COMPLETE);
        if (p == HTTP1_REFUSED)
            assert_int_equal(e, ERR_HEAD_TOO_LARGE);
    }
}

static void a_target_has_a_largest_size(void **state)
{
    (void)state;
    static char text[HTTP1_TARGET_MAX + 64];
    for (size_t n = HTTP1_TARGET_MAX; n <= HTTP1_TARGET_MAX + 1; n++) {
        struct http1_head h;
        enum err e;
        memcpy(text, "GET ", 4);
        memset(text + 4, '/', n);
        size_t tail = (size_t)snprintf(text + 4 + n, 64, " HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(parse_request(str_of(text, 4 + n + tail), &h, &e),
                         n > HTTP1_TARGET_MAX ? HTTP1_REFUSED : HTTP1_COMPLETE);
    }
}

/* Answers. */

static const struct {
    struct str raw;
    bool to_head;
    int status;
    enum http1_framing framing;
    uint64_t length;
    bool keep_alive;
} answers[] = {
    {RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), false, 200, HTTP1_LENGTH, 3, true},
    {RAW("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n"), false, 200, HTTP1_LENGTH, 3, true},
    {RAW("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), false, 200, HTTP1_LENGTH, 0, true},
    {RAW("HTTP/1.1 200 Very well\t\xff\r\nContent-Length: 0\r\n\r\n"), false, 200, HTTP1_LENGTH, 0, true},
    {RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), false, 200, HTTP1_CHUNKED, 0, true},
    {RAW("HTTP/1.1 200 OK\r\n\r\n"), false, 200, HTTP1_UNTIL_CLOSE, 0, false},
    {RAW("HTTP/1.0 200 OK\r\n\r\n"), false, 200, HTTP1_UNTIL_CLOSE, 0, false},
    {RAW("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n"), false, 200, HTTP1_LENGTH, 1, true},
    {RAW("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n"), false, 200, HTTP1_LENGTH, 1, false},
    {RAW("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"), false, 200, HTTP1_LENGTH, 1, false},
    {RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), true, 200, HTTP1_NO_BODY, 3, true},
    {RAW("HTTP/1.1 200 OK\r\n\r\n"), true, 200, HTTP1_NO_BODY, 0, true},
    {RAW("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"), false, 304, HTTP1_NO_BODY, 3, true},
    {RAW("HTTP/1.1 204 No Content\r\n\r\n"), false, 204, HTTP1_NO_BODY, 0, true},
    {RAW("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"), false, 204, HTTP1_NO_BODY, 3, false},
    {RAW("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), false, 204, HTTP1_NO_BODY, 0, false},
    {RAW("HTTP/1.1 100 Continue\r\n\r\n"), false, 100, HTTP1_NO_BODY, 0, true},
    {RAW("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), false, 101,
     HTTP1_NO_BODY, 0, true},
    {RAW("HTTP/1.1 999 x\r\nContent-Length: 0\r\nContent-Type: a\r\nContent-Type: b\r\nExpect: x\r\n\r\n"), false, 999,
     HTTP1_LENGTH, 0, true},
};

static void answers_with_one_reading_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct http1_head h;
        enum err e;
        enum http1_parse p = http1_parse_response(answers[i].raw, 0, answers[i].to_head, fields, &h, &e);
        if (p != HTTP1_COMPLETE)
            fail_msg("refused: %s", answers[i].raw.p);
        assert_int_equal(h.status, answers[i].status);
        assert_int_equal(h.framing, answers[i].framing);
        assert_true(h.content_length == answers[i].length);
        if (h.keep_alive != answers[i].keep_alive)
            fail_msg("keep-alive is %d: %s", h.keep_alive, answers[i].raw.p);
        assert_int_equal(h.size, answers[i].raw.n);
        assert_int_equal(parse_bytewise(answers[i].raw, true, &h, &e), HTTP1_COMPLETE);
    }
}

static void answers_with_two_readings_are_refused(void **state)
{
    (void)state;
    static const struct str refused[] = {
        RAW("\r\n\r\n"),
        RAW("HTTP/1.1\r\n\r\n"),
        RAW("HTTP/1.1 20\r\n\r\n"),
        RAW("HTTP/1.1 099 x\r\n\r\n"),
        RAW("HTTP/1.1 2000 x\r\n\r\n"),
        RAW("HTTP/1.1 +20 x\r\n\r\n"),
        RAW("HTTP/1.1  200 x\r\n\r\n"),
        RAW("HTTP/1.1\t200 x\r\n\r\n"),
        RAW("HTTP/2.0 200 x\r\n\r\n"),
        RAW("HTTP/1.2 200 x\r\n\r\n"),
        RAW("ICY 200 OK\r\n\r\n"),
        RAW("http/1.1 200 OK\r\n\r\n"),
        RAW("HTTP/1.1 200 a\rb\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\nA: b\r\n\r\n"),
        RAW("HTTP/1.1 200 a\0b\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        RAW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\n a: b\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
        RAW("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct http1_head h;
        enum err e;
        if (http1_parse_response(refused[i], 0, false, fields, &h, &e) != HTTP1_REFUSED)
            fail_msg("accepted: %s", refused[i].p);
        assert_int_equal(e, ERR_UPSTREAM_BAD_HTTP);
        assert_int_equal(parse_bytewise(refused[i], true, &h, &e), HTTP1_REFUSED);
    }
}

static void tokens_are_found_in_lists(void **state)
{
    (void)state;
    assert_true(http1_has_token(STR("a, b ,\tc"), STR("B")));
    assert_true(http1_has_token(STR("a"), STR("a")));
    assert_true(http1_has_token(STR(",,a"), STR("a")));
    assert_false(http1_has_token(STR("ab, c"), STR("a")));
    assert_false(http1_has_token(STR(""), STR("a")));
    assert_false(http1_has_token(STR("a b"), STR("a")));
}

static void values_that_may_be_sent_have_no_controls(void **state)
{
    (void)state;
    assert_true(http1_value_valid(STR("a b\tc \xc3\xa4")));
    assert_true(http1_value_valid(STR("")));
    assert_false(http1_value_valid(STR("a\r\nb: c")));
    assert_false(http1_value_valid(STR("a\nb")));
    assert_false(http1_value_valid(STR("a\0b")));
}

static void statuses_of_the_error_table_have_a_reason(void **state)
{
    (void)state;
    for (unsigned e = 0; e < ERR_COUNT; e++)
        if (err_info((enum err)e)->status)
            assert_true(http1_reason(err_info((enum err)e)->status)[0]);
    assert_string_equal(http1_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_with_one_reading_are_accepted),
        cmocka_unit_test(what_follows_a_head_is_not_looked_at),
        cmocka_unit_test(a_request_is_complete_at_its_last_byte_only),
        cmocka_unit_test(requests_with_two_readings_are_refused),
        cmocka_unit_test(bytes_that_cannot_become_a_head_are_refused_before_its_end),
        cmocka_unit_test(each_place_takes_its_own_bytes_only),
        cmocka_unit_test(values_are_trimmed_and_names_known),
        cmocka_unit_test(each_known_field_is_found_by_its_name),
        cmocka_unit_test(names_in_any_connection_field_end_at_this_hop),
        cmocka_unit_test(only_a_bodiless_get_may_become_a_websocket),
        cmocka_unit_test(an_expectation_is_known_in_any_case),
        cmocka_unit_test(a_head_has_a_largest_size),
        cmocka_unit_test(a_head_has_a_largest_number_of_fields),
        cmocka_unit_test(a_target_has_a_largest_size),
        cmocka_unit_test(answers_with_one_reading_are_accepted),
        cmocka_unit_test(answers_with_two_readings_are_refused),
        cmocka_unit_test(tokens_are_found_in_lists),
        cmocka_unit_test(values_that_may_be_sent_have_no_controls),
        cmocka_unit_test(statuses_of_the_error_table_have_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
