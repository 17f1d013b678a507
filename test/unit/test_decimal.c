/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal numbers: some by hand, and all pairs of many spellings against whole numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/hooks/decimal.h"

static int sign(int i)
{
    return (i > 0) - (i < 0);
}

static void spellings_of_one_number_are_equal(void **state)
{
    (void)state;
    static const char *const groups[][6] = {
        {"0", "-0", "0.0", "0e5", "-0.00E-7", "0e99999999999999999999"},
        {"1", "1.0", "10e-1", "0.1E+1", "0.0000001e7", "1000000e-6"},
        {"-120", "-1.2e2", "-12e1", "-120.000", "-0.12e3", "-1200000e-4"},
        {"123456789012345678901234567890", "1.2345678901234567890123456789e29", "12345678901234567890123456789e1",
         "123456789012345678901234567890.0", "0.12345678901234567890123456789e30",
         "1234567890123456789012345678900e-1"},
    };
    for (size_t g = 0; g < 4; g++)
        for (size_t i = 0; i < 6; i++)
            for (size_t h = 0; h < 4; h++)
                for (size_t k = 0; k < 6; k++)
                    assert_int_equal(decimal_compare(str_c(groups[g][i]), str_c(groups[h][k])) == 0, g == h);
}

static void order_is_that_of_numbers(void **state)
{
    (void)state;
    static const char *const ascending[] = {"-1e99999999999999999999",
                                            "-1e400",
                                            "-10",
                                            "-9.99",
                                            "-1",
                                            "-0.1",
                                            "-1e-400",
                                            "0",
                                            "1e-400",
                                            "0.09",
                                            "0.1",
                                            "0.11",
                                            "0.9",
                                            "1",
                                            "1.0000000000000000000001",
                                            "9",
                                            "10",
                                            "99",
                                            "100.5",
                                            "1e3",
                                            "1e400",
                                            "1e99999999999999999999"};
    size_t n = sizeof ascending / sizeof *ascending;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            assert_int_equal(sign(decimal_compare(str_c(ascending[i]), str_c(ascending[k]))), sign((int)i - (int)k));
}

/* i / 100, written in one of several ways. */
static void spell(int i, unsigned how, char out[40])
{
    const char *minus = i < 0 ? "-" : "";
    int a = i < 0 ? -i : i;
    if (how == 0)
        snprintf(out, 40, "%s%d.%02d", minus, a / 100, a % 100);
    else if (how == 1)
        snprintf(out, 40, "%s%de-2", minus, a);
    else if (how == 2)
        snprintf(out, 40, "%s0.%05d000E+3", minus, a);
    else
        snprintf(out, 40, "%s%d000.0e-5", minus, a);
}

static void small_ones_are_judged_as_whole_numbers_are(void **state)
{
    (void)state;
    char a[40], b[40];
    for (int i = -350; i <= 350; i += 7) {
        for (int k = -350; k <= 350; k += 5) {
            spell(i, (unsigned)(i + k + 700) % 4, a);
            spell(k, (unsigned)(i * k + 1000000) % 4, b);
            assert_int_equal(sign(decimal_compare(str_c(a), str_c(b))), sign(i - k));
            if (decimal_is_multiple(str_c(a), str_c(b)) != (k != 0 && i % k == 0))
                fail_msg("%s of %s", a, b);
        }
        assert_int_equal(decimal_is_whole(str_c(a)), i % 100 == 0);
    }
}

static void multiples_are_exact(void **state)
{
    (void)state;
    assert_true(decimal_is_multiple(STR("0.3"), STR("0.1")));
    assert_true(decimal_is_multiple(STR("1e300"), STR("7e-10")) == false);
    assert_true(decimal_is_multiple(STR("1e300"), STR("1024")));
    assert_true(decimal_is_multiple(STR("1e100000000000"), STR("3")) == false);
    assert_true(decimal_is_multiple(STR("123456789123456789123456789"), STR("3")));
    assert_false(decimal_is_multiple(STR("0.0000000000000000000000000000001"), STR("3")));
    assert_true(decimal_is_multiple(STR("0"), STR("3")));
    assert_false(decimal_is_multiple(STR("3"), STR("0")));
    assert_false(decimal_is_multiple(STR("3"), STR("1234567890123456789")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_number_are_equal),
        cmocka_unit_test(order_is_that_of_numbers),
        cmocka_unit_test(small_ones_are_judged_as_whole_numbers_are),
        cmocka_unit_test(multiples_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
