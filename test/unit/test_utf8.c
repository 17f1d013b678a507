/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: every code point there is, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/utf8.h"

#define BYTES(text) str_of(text, sizeof(text) - 1)

/* The encoding of RFC 3629 3, without its exceptions; returns the length. */
static size_t encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0u : n == 3 ? 0xe0u : 0xf0u) | c);
    return n;
}

/* In memory of just its size, so that a look behind the end is seen. */
static bool valid(const char *p, size_t n)
{
    char *copy = mem_alloc(n);
    memcpy(copy, p, n);
    bool ok = utf8_valid(str_of(copy, n));
    mem_free(copy);
    return ok;
}

static void every_code_point_is_valid_and_surrogates_are_not(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x1fffff; c++) {
        char text[4];
        size_t n = encode(c, text);
        bool is = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        if (utf8_valid(str_of(text, n)) != is)
            fail_msg("U+%X", c);
    }
}

/* All sequences of one and two bytes, and all of three and four with bytes at the edges of the ranges. */
static void sequences_are_valid_exactly_when_they_are_encodings(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
                                          0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xf8, 0xff};
    unsigned two = 0, three = 0, four = 0;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            char text[4] = {(char)a, (char)b};
            two += a >= 0x80 && valid(text, 2);
            for (size_t i = 0; i < sizeof edges; i++) {
                text[2] = (char)edges[i];
                three += a >= 0xe0 && utf8_valid(str_of(text, 3));
                for (size_t k = 0; k < sizeof edges; k++) {
                    text[3] = (char)edges[k];
                    four += a >= 0xf0 && utf8_valid(str_of(text, 4));
                }
            }
        }
    }
    assert_int_equal(two, 30 * 64);                   /* U+0080 to U+07FF */
    assert_int_equal(three, (16 * 64 - 32 - 32) * 6); /* without overlong forms and surrogates; 6 edges continue */
    assert_int_equal(four, (0x30 + 3 * 64 + 0x10) * 36);
}

static void cut_and_lonely_bytes_are_not(void **state)
{
    (void)state;
    static const struct str text = {"a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", 11};
    static const size_t whole[] = {0, 1, 3, 6, 10, 11};
    size_t next = 0;
    for (size_t n = 0; n <= text.n; n++) {
        bool is = next < sizeof whole / sizeof whole[0] && whole[next] == n;
        next += is;
        assert_int_equal(valid(text.p, n), is);
    }
    assert_true(utf8_valid(BYTES("")));
    assert_true(utf8_valid(BYTES("\0")));
    assert_false(utf8_valid(BYTES("\x80")));
    assert_false(utf8_valid(BYTES("a\xbf")));
    assert_false(utf8_valid(BYTES("\xc3(")));
    assert_false(utf8_valid(BYTES("\xff\xfe")));
    assert_false(utf8_valid(BYTES("\xed\xa0\x80\xed\xb0\x80"))); /* a pair of surrogates (CESU-8) */
    assert_false(utf8_valid(BYTES("\xc0\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_is_valid_and_surrogates_are_not),
        cmocka_unit_test(sequences_are_valid_exactly_when_they_are_encodings),
        cmocka_unit_test(cut_and_lonely_bytes_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
