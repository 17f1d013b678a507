/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: what is found, and that no expression holds a worker up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/hooks/pattern.h"

static enum pattern_result search(const char *pattern, struct str text, struct str *ret_match)
{
    struct pattern_budget budget = PATTERN_BUDGET;
    return pattern_search(str_c(pattern), text, &budget, ret_match);
}

static void the_part_that_matched_is_told(void **state)
{
    (void)state;
    struct str match;
    assert_int_equal(search("b+", STR("abbc"), &match), PATTERN_YES);
    assert_true(str_eq(match, STR("bb")));
    assert_int_equal(search("", STR(""), &match), PATTERN_YES);
    assert_int_equal(match.n, 0);
    assert_int_equal(search("x", STR("abc"), &match), PATTERN_NO);
    assert_int_equal(search("[", STR("abc"), NULL), PATTERN_BAD);
}

static void text_is_utf8_or_bytes(void **state)
{
    (void)state;
    assert_int_equal(search("^.$", STR("\xc3\xa9"), NULL), PATTERN_YES);
    assert_int_equal(search("^..$", STR("\xc3\xff"), NULL), PATTERN_YES);
    assert_int_equal(search("\\x{e9}", STR("\xc3\xa9"), NULL),
                     PATTERN_NO); /* JavaScript knows no \x{…} without its flag u */
    assert_int_equal(search("\\u00e9\\xe9", STR("\xc3\xa9\xc3\xa9"), NULL), PATTERN_YES);
}

static void sizes_are_limited(void **state)
{
    (void)state;
    char *long_one = mem_zalloc(PATTERN_TEXT_MAX + 2);
    memset(long_one, 'a', PATTERN_TEXT_MAX + 1);
    assert_int_equal(search("a", str_of(long_one, PATTERN_TEXT_MAX), NULL), PATTERN_YES);
    assert_int_equal(search("a", str_of(long_one, PATTERN_TEXT_MAX + 1), NULL), PATTERN_TOO_MUCH);
    long_one[PATTERN_MAX + 1] = '\0';
    assert_int_equal(search(long_one, STR("a"), NULL), PATTERN_TOO_MUCH);
    long_one[PATTERN_MAX] = '\0';
    assert_int_equal(search(long_one, STR("a"), NULL), PATTERN_NO);
    mem_free(long_one);
}

static void hard_patterns_end_soon(void **state)
{
    (void)state;
    static const char *const patterns[] = {"^(a+)+$",
                                           "(a|aa)+$",
                                           "(.*a){20}[bc]",
                                           "(a*)*[bc]",
                                           "a*a*a*a*[bc]",
                                           ".*.*.*.*[=;]",
                                           "(?:a?){40}a{40}x?[bc]",
                                           "((a{1,9}){1,9}){1,9}[bc]",
                                           "(?=(a+))a*b|\\1[cd]",
                                           "(?R)?a[bc]|(?:(?1)|(a))"};
    char *text = mem_zalloc(PATTERN_TEXT_MAX);
    memset(text, 'a', PATTERN_TEXT_MAX);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        for (size_t n = 30; n <= PATTERN_TEXT_MAX; n = n < 1000 ? n * 2 : n * 32) {
            uint64_t begun = clock_mono_us();
            enum pattern_result r = search(patterns[i], str_of(text, n), NULL);
            uint64_t us = clock_mono_us() - begun;
            assert_true(r != PATTERN_BAD);
            /* Generous: with sanitizers, on a busy machine. */
            if (us > 2000000)
                fail_msg("%s on %zu bytes: %llu us", patterns[i], n, (unsigned long long)us);
        }
    mem_free(text);
}

static void the_budget_is_for_all_searches_together(void **state)
{
    (void)state;
    struct pattern_budget budget = PATTERN_BUDGET;
    unsigned n = 0;
    while (n < 100000 && pattern_search(STR("b"), STR("a"), &budget, NULL) == PATTERN_NO)
        n++;
    assert_in_range(n, 1000, 10000);
    assert_int_equal(pattern_search(STR("a"), STR("a"), &budget, NULL), PATTERN_TOO_MUCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_part_that_matched_is_told),
        cmocka_unit_test(text_is_utf8_or_bytes),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(hard_patterns_end_soon),
        cmocka_unit_test(the_budget_is_for_all_searches_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
