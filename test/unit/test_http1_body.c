/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Body framing: each corner of the chunked grammar, and for each the same result whatever the
 * pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/http1_body.h"

#define RAW(text)              \
    {                          \
        text, sizeof(text) - 1 \
    }

struct result {
    enum http1_body_state state;
    struct buf content;
    size_t used; /* bytes of the input up to the end, or to the first wrong byte */
    bool ends_at_close;
};

/* Feeds the input in pieces that end at `cut` (once) and after each `step` bytes. */
static void run(enum http1_framing framing, uint64_t length, struct str raw, size_t cut, size_t step,
                struct result *ret)
{
    struct http1_head head = {.framing = framing, .content_length = length};
    struct http1_body b;
    buf_init(&ret->content, 1 << 20);
    ret->state = HTTP1_BODY_MORE;
    ret->used = 0;
    http1_body_begin(&b, &head);
    for (size_t at = 0; at <= raw.n && ret->state == HTTP1_BODY_MORE;) {
        size_t n = at < cut ? cut - at : raw.n - at;
        n = n > step ? step : n;
        char *copy = mem_alloc(n);
        memcpy(copy, raw.p + at, n);
        struct str piece = str_of(copy, n), data;
        do {
            ret->state = http1_body_next(&b, &piece, &data);
            if (ret->state == HTTP1_BODY_DATA)
                assert_true(buf_add_str(&ret->content, data));
        } while (ret->state == HTTP1_BODY_DATA);
        if (ret->state == HTTP1_BODY_MORE)
            assert_int_equal(piece.n, 0);
        at += n - piece.n;
        ret->used = at;
        mem_free(copy);
        if (!n)
            break;
    }
    ret->ends_at_close = http1_body_ends_at_close(&b);
}

static void check(struct str raw, const struct result *a, enum http1_body_state state, struct str content, size_t used)
{
    if (a->state == HTTP1_BODY_BAD)
        assert_false(a->ends_at_close);
    if (a->state != state || a->used != used || !str_eq(buf_str(&a->content), content))
        fail_msg("state %d after %zu bytes with content '%.*s': %.*s", a->state, a->used, STR_ARG(buf_str(&a->content)),
                 STR_ARG(raw));
}

/* The same for every single cut and for every size of pieces. */
static void each_way(enum http1_framing framing, uint64_t length, struct str raw, enum http1_body_state state,
                     struct str content, size_t used)
{
    for (size_t cut = 0; cut <= raw.n; cut++) {
        struct result a;
        run(framing, length, raw, cut, SIZE_MAX, &a);
        check(raw, &a, state, content, used);
        buf_free(&a.content);
    }
    for (size_t step = 1; step <= raw.n; step++) {
        struct result a;
        run(framing, length, raw, 0, step, &a);
        check(raw, &a, state, content, used);
        buf_free(&a.content);
    }
}

static void complete(const char *raw, const char *content)
{
    char longer[512];
    size_t n = strlen(raw);
    each_way(HTTP1_CHUNKED, 0, str_c(raw), HTTP1_BODY_DONE, str_c(content), n);
    /* The next message, whatever its bytes, is left alone. */
    memcpy(longer, raw, n);
    memcpy(longer + n, "\r\n0\0GET", 7);
    each_way(HTTP1_CHUNKED, 0, str_of(longer, n + 7), HTTP1_BODY_DONE, str_c(content), n);
    /* Without its last byte it is not complete. */
    each_way(HTTP1_CHUNKED, 0, str_of(raw, n - 1), HTTP1_BODY_MORE, str_c(content), n - 1);
}

static void chunks_give_their_content(void **state)
{
    (void)state;
    complete("0\r\n\r\n", "");
    complete("1\r\na\r\n0\r\n\r\n", "a");
    complete("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world");
    complete("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789");
    complete("10\r\n0123456789abcdef\r\n0\r\n\r\n", "0123456789abcdef");
    complete("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n");
    complete("3\r\n0\r\n\r\n0\r\n\r\n", "0\r\n");
    complete("0000000003\r\nabc\r\n000\r\n\r\n", "abc");
    complete("000000000000003\r\nabc\r\n000000000000000\r\n\r\n", "abc"); /* 15 digits */
}

static void extensions_are_skipped(void **state)
{
    (void)state;
    complete("1;a\r\nx\r\n0;b\r\n\r\n", "x");
    complete("1;\r\nx\r\n0\r\n\r\n", "x");
    complete("1;a=b;c=\"d e\"\r\nx\r\n0;a=\"\t\x80\"\r\n\r\n", "x");
    complete("1;;;=\r\nx\r\n0\r\n\r\n", "x");
}

static void trailers_are_skipped(void **state)
{
    (void)state;
    complete("0\r\nA: b\r\n\r\n", "");
    complete("1\r\nx\r\n0\r\nA:\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "x");
    complete("0\r\nA: b\tc \x80\r\nA: b\r\n\r\n", "");
}

static void what_is_not_the_grammar_is_refused(void **state)
{
    (void)state;
    /* The wrong byte is the last of each. */
    static const struct {
        struct str raw;
        const char *content;
    } bad[] = {
        /* Sizes. */
        {RAW("\r"), ""},
        {RAW("\n"), ""},
        {RAW(" "), ""},
        {RAW("\t"), ""},
        {RAW(";"), ""},
        {RAW("g"), ""},
        {RAW("-"), ""},
        {RAW("+"), ""},
        {RAW("0x"), ""},
        {RAW("1 "), ""},
        {RAW("1\t"), ""},
        {RAW("1,"), ""},
        {RAW("1\0"), ""},
        {RAW("1_"), ""},
        {RAW("1\n"), ""},
        {RAW("1\ra"), ""},
        {RAW("1\r\r"), ""},
        {RAW("0000000000000001"), ""},
        {RAW("ffffffffffffffff"), ""},
        {RAW("\x80"), ""},
        /* Extensions. */
        {RAW("1;\n"), ""},
        {RAW("1;a\n"), ""},
        {RAW("1;a\x01"), ""},
        {RAW("1;a\0"), ""},
        {RAW("1;a\x7f"), ""},
        {RAW("1;a\rb"), ""},
        {RAW("1;a=\"\n"), ""},
        /* The end of a chunk. */
        {RAW("1\r\nxy"), "x"},
        {RAW("1\r\nx\n"), "x"},
        {RAW("1\r\nx\r\r"), "x"},
        {RAW("1\r\nx\ry"), "x"},
        {RAW("1\r\nx0"), "x"},
        {RAW("1\r\nx\0"), "x"},
        {RAW("1\r\nx\r\n\r"), "x"},
        {RAW("1\r\nx\r\n\n"), "x"},
        {RAW("1\r\nx\r\n "), "x"},
        {RAW("1\r\nx\r\n;"), "x"},
        /* The end, and trailers. */
        {RAW("0\n"), ""},
        {RAW("0\r\n\n"), ""},
        {RAW("0\r\n\r\r"), ""},
        {RAW("0\r\n\rG"), ""},
        {RAW("0\r\n\0"), ""},
        {RAW("0\r\n "), ""},
        {RAW("0\r\n\t"), ""},
        {RAW("0\r\n:"), ""},
        {RAW("0\r\nGET "), ""},
        {RAW("0\r\nA "), ""},
        {RAW("0\r\nA\r"), ""},
        {RAW("0\r\nA\n"), ""},
        {RAW("0\r\nA("), ""},
        {RAW("0\r\nA: b\n"), ""},
        {RAW("0\r\nA: \x01"), ""},
        {RAW("0\r\nA: \0"), ""},
        {RAW("0\r\nA: b\rc"), ""},
        {RAW("0\r\nA: b\r\n "), ""},
        {RAW("0\r\nA: b\r\n\n"), ""},
        {RAW("0\r\nA: b\r\n\rC"), ""},
        {RAW("0\r\n\x80"), ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        each_way(HTTP1_CHUNKED, 0, bad[i].raw, HTTP1_BODY_BAD, str_c(bad[i].content), bad[i].raw.n);
}

/* Bytes accepted after a prefix that ends where the byte matters. */
static unsigned accepted_after(const char *prefix)
{
    unsigned accepted = 0;
    for (int c = 0; c < 256; c++) {
        char text[64];
        struct result a;
        size_t n = strlen(prefix);
        memcpy(text, prefix, n);
        text[n] = (char)c;
        run(HTTP1_CHUNKED, 0, str_of(text, n + 1), 0, SIZE_MAX, &a);
        accepted += a.state != HTTP1_BODY_BAD;
        buf_free(&a.content);
    }
    return accepted;
}

static void each_place_takes_its_own_bytes_only(void **state)
{
    (void)state;
    assert_int_equal(accepted_after(""), 22);      /* hexadecimal digits */
    assert_int_equal(accepted_after("1"), 22 + 2); /* ; and CR */
    assert_int_equal(accepted_after("1;"), 225);   /* text, tab, CR */
    assert_int_equal(accepted_after("1\r"), 1);
    assert_int_equal(accepted_after("1\r\n"), 256);
    assert_int_equal(accepted_after("1\r\nx"), 1);
    assert_int_equal(accepted_after("1\r\nx\r"), 1);
    assert_int_equal(accepted_after("0\r\n"), 77 + 1);  /* token characters and CR */
    assert_int_equal(accepted_after("0\r\nA"), 77 + 1); /* and the colon */
    assert_int_equal(accepted_after("0\r\nA:"), 225);
    assert_int_equal(accepted_after("0\r\nA:\r"), 1);
    assert_int_equal(accepted_after("0\r\n\r"), 1);
}

/* How many bytes of an endless repetition are taken before it is refused. */
static size_t taken(const char *prefix, const char *repeated, size_t most)
{
    struct http1_head head = {.framing = HTTP1_CHUNKED};
    struct http1_body b;
    struct str piece = str_c(prefix), data;
    http1_body_begin(&b, &head);
    assert_int_equal(http1_body_next(&b, &piece, &data), HTTP1_BODY_MORE);
    for (size_t n = 0; n < most; n += strlen(repeated)) {
        piece = str_c(repeated);
        if (http1_body_next(&b, &piece, &data) == HTTP1_BODY_BAD)
            return n;
    }
    return most;
}

static void what_has_no_end_is_refused_at_a_limit(void **state)
{
    (void)state;
    assert_in_range(taken("1;", "x", 100000), 4000, 4200);           /* an extension */
    assert_in_range(taken("0\r\nA:", "x", 100000), 16000, 16400);    /* a trailer */
    assert_in_range(taken("0\r\n", "x", 100000), 16000, 16400);      /* a trailer's name */
    assert_in_range(taken("0\r\n", "A:\r\n", 200000), 16000, 30000); /* trailers */
    assert_int_equal(taken("", "0", 100000), 15);
}

static void the_largest_chunk_needs_no_more_than_its_bytes(void **state)
{
    (void)state;
    struct http1_head head = {.framing = HTTP1_CHUNKED};
    struct http1_body b;
    struct str piece = STR("fffffffffffffff\r\nabc"), data;
    http1_body_begin(&b, &head);
    assert_int_equal(http1_body_next(&b, &piece, &data), HTTP1_BODY_DATA);
    assert_true(str_eq(data, STR("abc")));
    assert_true(b.left == UINT64_C(0xfffffffffffffff) - 3);
    assert_int_equal(http1_body_next(&b, &piece, &data), HTTP1_BODY_MORE);
}

static void a_length_takes_that_many_bytes(void **state)
{
    (void)state;
    each_way(HTTP1_LENGTH, 5, STR("helloGET"), HTTP1_BODY_DONE, STR("hello"), 5);
    each_way(HTTP1_LENGTH, 5, STR("hello"), HTTP1_BODY_DONE, STR("hello"), 5);
    each_way(HTTP1_LENGTH, 5, STR("hell"), HTTP1_BODY_MORE, STR("hell"), 4);
    each_way(HTTP1_LENGTH, 0, STR("GET"), HTTP1_BODY_DONE, STR(""), 0);
    each_way(HTTP1_NO_BODY, 0, STR("GET"), HTTP1_BODY_DONE, STR(""), 0);
    each_way(HTTP1_LENGTH, INT64_MAX, STR("abc"), HTTP1_BODY_MORE, STR("abc"), 3);
}

static void a_body_until_close_takes_all(void **state)
{
    (void)state;
    each_way(HTTP1_UNTIL_CLOSE, 0, STR("0\r\n\r\nabc"), HTTP1_BODY_MORE, STR("0\r\n\r\nabc"), 8);
    each_way(HTTP1_UNTIL_CLOSE, 0, STR(""), HTTP1_BODY_MORE, STR(""), 0);
}

static bool may_close(enum http1_framing framing, uint64_t length, const char *raw)
{
    struct result a;
    run(framing, length, str_c(raw), 0, SIZE_MAX, &a);
    buf_free(&a.content);
    return a.ends_at_close;
}

static void only_a_complete_body_may_end_with_the_connection(void **state)
{
    (void)state;
    assert_true(may_close(HTTP1_UNTIL_CLOSE, 0, ""));
    assert_true(may_close(HTTP1_UNTIL_CLOSE, 0, "abc"));
    assert_true(may_close(HTTP1_NO_BODY, 0, ""));
    assert_true(may_close(HTTP1_LENGTH, 3, "abc"));
    assert_false(may_close(HTTP1_LENGTH, 3, "ab"));
    const char *chunked = "3\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for (size_t n = 0; n <= strlen(chunked); n++) {
        char part[64];
        str_copy(part, sizeof part, str_of(chunked, n));
        assert_int_equal(may_close(HTTP1_CHUNKED, 0, part), n == strlen(chunked));
    }
}

static void a_complete_body_stays_complete(void **state)
{
    (void)state;
    struct http1_head head = {.framing = HTTP1_CHUNKED};
    struct http1_body b;
    struct str bytes = STR("0\r\n\r\n1\r\nx\r\n"), data;
    http1_body_begin(&b, &head);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http1_body_next(&b, &bytes, &data), HTTP1_BODY_DONE);
        assert_int_equal(bytes.n, 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_give_their_content),
        cmocka_unit_test(extensions_are_skipped),
        cmocka_unit_test(trailers_are_skipped),
        cmocka_unit_test(what_is_not_the_grammar_is_refused),
        cmocka_unit_test(each_place_takes_its_own_bytes_only),
        cmocka_unit_test(what_has_no_end_is_refused_at_a_limit),
        cmocka_unit_test(the_largest_chunk_needs_no_more_than_its_bytes),
        cmocka_unit_test(a_length_takes_that_many_bytes),
        cmocka_unit_test(a_body_until_close_takes_all),
        cmocka_unit_test(only_a_complete_body_may_end_with_the_connection),
        cmocka_unit_test(a_complete_body_stays_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
