/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal text as doubles: every form, what is left over, and the ends of the range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json/real.h"

static void numbers_at_the_start_of_a_text_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t used;
        double value;
    } rows[] = {
        {"0", 1, 0},
        {"1", 1, 1},
        {"-2.5", 4, -2.5},
        {"+3", 2, 3},
        {"0.1", 3, 0.1},
        {"0.10", 4, 0.1},
        {"1e-1", 4, 0.1},
        {".5", 2, 0.5},
        {"5.", 2, 5},
        {"1e3x", 3, 1000},
        {"1e", 1, 1},
        {"1e+", 1, 1},
        {"12abc", 2, 12},
        {"0x10", 1, 0},
        {"1.5.5", 3, 1.5},
        {"0.7", 3, 0.7},
        {"123456789", 9, 123456789},
        {"0.30000000000000004", 19, 0.30000000000000004},
        {"1e308", 5, 1e308},
        {"1e400", 5, __builtin_inf()},
        {"1e-400", 6, 0},
        {"-1e999999999999", 15, -__builtin_inf()},
        {"100000000000000000000000", 24, 1e23},
        {"0.000000000000000000000000000001", 32, 1e-30},
        {"18446744073709551615", 20, 18446744073709551615.0},
    };
    static const char *const none[] = {"", "-", "+", ".", "e5", "-.e1", "abc", "Infinity", " 1"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double v = -1;
        assert_int_equal(real_read(str_c(rows[i].text), &v), rows[i].used);
        if (v < rows[i].value || v > rows[i].value)
            fail_msg("%s is %.17g", rows[i].text, v);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        double v = -1;
        assert_int_equal(real_read(str_c(none[i]), &v), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_at_the_start_of_a_text_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
