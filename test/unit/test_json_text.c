/* SPDX-License-Identifier: Apache-2.0 */
/* What the text of JSON strings and numbers means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_text.h"

static const struct {
    const char *raw, *plain;
    uint64_t points;
} strings[] = {
    {"", "", 0},
    {"abc", "abc", 3},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
    {"\\u0041\\u00e9\\u4e2d", "A\xc3\xa9\xe4\xb8\xad", 3},
    {"\\uD83D\\uDE00", "\xf0\x9f\x98\x80", 1},
    {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf", 1},
    {"\xf0\x9f\x98\x80\xe4\xb8\xad\xc3\xa9z", "\xf0\x9f\x98\x80\xe4\xb8\xad\xc3\xa9z", 4},
    /* Lone surrogates. */
    {"\\ud83d", "\xef\xbf\xbd", 1},
    {"\\ude00", "\xef\xbf\xbd", 1},
    {"\\ud83dx", "\xef\xbf\xbdx", 2},
    {"\\ud83d\\n", "\xef\xbf\xbd\n", 2},
    {"\\ud83d\\u0041",
     "\xef\xbf\xbd"
     "A",
     2},
    {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80", 2},
    {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd", 2},
    {"a\\\\u0041", "a\\u0041", 7},
};
#define STRINGS (sizeof(strings) / sizeof(strings[0]))

static void strings_are_unescaped(void **state)
{
    (void)state;
    for (size_t i = 0; i < STRINGS; i++) {
        struct buf b;
        buf_init(&b, 100);
        assert_true(json_unescape_buf(str_c(strings[i].raw), &b));
        assert_true(str_eq(buf_str(&b), str_c(strings[i].plain)));
        assert_int_equal(json_code_points(str_c(strings[i].raw)), strings[i].points);
        buf_free(&b);
    }
}

static void strings_are_compared_without_unescaping(void **state)
{
    (void)state;
    for (size_t i = 0; i < STRINGS; i++) {
        for (size_t k = 0; k < STRINGS; k++)
            assert_int_equal(json_string_eq(str_c(strings[i].raw), str_c(strings[k].plain)),
                             strcmp(strings[i].plain, strings[k].plain) == 0);
        struct str plain = str_c(strings[i].plain);
        if (plain.n > 0)
            assert_false(json_string_eq(str_c(strings[i].raw), str_head(plain, plain.n - 1)));
    }
    assert_false(json_string_eq(STR("a"), STR("ab")));
    assert_true(json_string_eq(STR("\\u0000"), str_of("\0", 1)));
}

static void unescaping_stops_at_a_whole_character(void **state)
{
    (void)state;
    for (size_t i = 0; i < STRINGS; i++) {
        size_t whole = strlen(strings[i].plain);
        for (size_t cap = 0; cap <= whole; cap++) {
            char out[64];
            size_t used = 99;
            size_t n = json_unescape(str_c(strings[i].raw), out, cap, &used);
            assert_in_range(n, 0, cap);
            assert_memory_equal(out, strings[i].plain, n);
            assert_true(cap - n < 4);
            assert_int_not_equal((unsigned char)strings[i].plain[n] & 0xc0, 0x80);
            /* The rest gives the rest. */
            size_t rest = json_unescape(str_from(str_c(strings[i].raw), used), out, sizeof(out), &used);
            assert_int_equal(n + rest, whole);
            assert_memory_equal(out, strings[i].plain + n, rest);
        }
    }
    char small[5];
    assert_false(json_unescape_copy(STR("abc\\u4e2d"), small, sizeof(small)));
    assert_string_equal(small, "abc");
    assert_true(json_unescape_copy(STR("ab\\n"), small, sizeof(small)));
    assert_string_equal(small, "ab\n");
}

static void pieces_are_joined_as_if_they_were_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < STRINGS; i++) {
        for (size_t cap = 1; cap < 20; cap++) {
            char whole[20], pieces[20];
            struct str raw = str_c(strings[i].raw);
            uint16_t end = json_unescape_more(raw, whole, cap, 0), at = 0;
            assert_int_equal(end == JSON_TEXT_CUT, strlen(strings[i].plain) >= cap);
            assert_memory_equal(whole, strings[i].plain, strlen(whole));
            assert_int_not_equal((unsigned char)strings[i].plain[strlen(whole)] & 0xc0, 0x80);
            /* Plain bytes may come singly; escapes come whole. */
            while (raw.n > 0) {
                size_t n = raw.p[0] != '\\' ? 1 : raw.p[1] == 'u' ? raw.n : 2;
                at = json_unescape_more(str_head(raw, n), pieces, cap, at);
                raw = str_from(raw, n);
            }
            if (strings[i].raw[0])
                assert_string_equal(whole, pieces);
            assert_true(at == end || !strings[i].raw[0]);
        }
    }
    char text[8];
    assert_true(json_unescape_copy(STR("a\\u0000b"), text, sizeof(text)));
    assert_string_equal(text, "a?b");
    assert_true(json_has_nul(STR("a\\u0000b")));
    assert_true(json_has_nul(STR("\\n\\u0000")));
    assert_false(json_has_nul(STR("\\\\u0000")));
    assert_false(json_has_nul(STR("")));
}

static void counts_are_whole_and_in_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t count; /* -1: refused */
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"0.0", 0},
        {"0e5", 0},
        {"1", 1},
        {"12", 12},
        {"12.0", 12},
        {"12.000", 12},
        {"1.2e1", 12},
        {"120e-1", 12},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"1.5e3", 1500},
        {"0.001e3", 1},
        {"1e-3", -1},
        {"1.5", -1},
        {"-1", -1},
        {"-1e3", -1},
        {"1e-999", -1},
        {"9007199254740991", 9007199254740991},
        {"9007199254740992", -1},
        {"9007199254740991.0", 9007199254740991},
        {"18446744073709551616", -1},
        {"18446744073709551617", -1},
        {"1e15", 1000000000000000},
        {"1e16", -1},
        {"1e400", -1},
        {"1e999999999999", -1},
        {"0e999999999999", 0},
        {"1000000000000000000000e-18", 1000},
        {"1.00000000000000000000000000000", 1},
        {"1.00000000000000000000000000001", -1},
        {"0.000000000000000000000000000001e30", 1},
        {"", -1},
        {"-", -1},
        {"+1", -1},
        {"1.", -1},
        {".1", -1},
        {"1e", -1},
        {"1e+", -1},
        {"1x", -1},
        {" 1", -1},
        {"0x10", -1},
        {"NaN", -1},
        {"12 ", -1},
        {"007", 7},
        {"1e1.0", -1},
        {"--1", -1},
        {"99999999999999999999999999999999999999999", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t count = 77;
        bool ok = json_to_count(str_c(rows[i].text), &count);
        if (ok != (rows[i].count >= 0) || count != (ok ? (uint64_t)rows[i].count : 77)) {
            print_error("%s gives %d %llu\n", rows[i].text, ok, (unsigned long long)count);
            fail();
        }
    }
}

static void seconds_become_milliseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t milli;
    } rows[] = {
        {"0", 0},
        {"4", 4000},
        {"8.47", 8470},
        {"8.4704", 8470},
        {"8.4705", 8471},
        {"8.47049999999999999999", 8470},
        {"0.0004", 0},
        {"0.0005", 1},
        {"1e-4", 0},
        {"5e-4", 1},
        {"4.9e-4", 0},
        {"1e3", 1000000},
        {"12.340000033", 12340},
        {"-1", -1},
        {"9007199254740", 9007199254740000},
        {"1e14", -1},
        {"x", -1},
        {"0.00049999999999999999999999999", 0},
        {"1e-400", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t milli = 77;
        bool ok = json_to_milli(str_c(rows[i].text), &milli);
        if (ok != (rows[i].milli >= 0) || milli != (ok ? (uint64_t)rows[i].milli : 77)) {
            print_error("%s gives %d %llu\n", rows[i].text, ok, (unsigned long long)milli);
            fail();
        }
    }
}

static void text_that_is_no_json_stays_in_bounds(void **state)
{
    (void)state;
    static const char *const rows[] = {"\\",        "a\\",        "\\u",           "\\u12", "\\uzzzz",
                                       "\\ud83d\\", "\\ud83d\\u", "\\ud83d\\ude0", "\\x"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[32];
        size_t used;
        assert_in_range(json_unescape(str_c(rows[i]), out, sizeof(out), &used), 1, strlen(rows[i]));
        assert_int_equal(used, strlen(rows[i]));
        json_string_eq(str_c(rows[i]), STR("x"));
        json_code_points(str_c(rows[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(strings_are_compared_without_unescaping),
        cmocka_unit_test(unescaping_stops_at_a_whole_character),
        cmocka_unit_test(pieces_are_joined_as_if_they_were_one),
        cmocka_unit_test(counts_are_whole_and_in_range),
        cmocka_unit_test(seconds_become_milliseconds),
        cmocka_unit_test(text_that_is_no_json_stays_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
