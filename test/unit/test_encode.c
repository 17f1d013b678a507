/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of bytes: known vectors, every way to be wrong, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/encode.h"
#include "base/rng.h"

static void hex_goes_both_ways(void **state)
{
    (void)state;
    char text[ENCODE_HEX_MAX(4)];
    unsigned char back[4];
    assert_int_equal(encode_hex("\x00\x7f\xa9\xff", 4, text), 8);
    assert_string_equal(text, "007fa9ff");
    assert_true(encode_unhex(STR("007FA9ff"), back, 4));
    assert_memory_equal(back, "\x00\x7f\xa9\xff", 4);
    assert_true(encode_unhex(STR(""), back, 0));
    assert_false(encode_unhex(STR("007fa9f"), back, 4));
    assert_false(encode_unhex(STR("007fa9ff00"), back, 4));
    assert_false(encode_unhex(STR("007fa9fg"), back, 4));
    assert_false(encode_unhex(STR("0 7fa9ff"), back, 4));
}

static void base64_matches_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text, *url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+", "-__-"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        unsigned char back[32];
        size_t n = strlen(rows[i].plain), got = 99;
        assert_int_equal(encode_base64(rows[i].plain, n, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
        assert_int_equal(encode_base64url(rows[i].plain, n, text), strlen(rows[i].url));
        assert_string_equal(text, rows[i].url);
        assert_true(encode_unbase64(str_c(rows[i].text), back, sizeof back, &got));
        assert_int_equal(got, n);
        assert_memory_equal(back, rows[i].plain, n);
        assert_true(encode_unbase64(str_c(rows[i].url), back, sizeof back, &got));
        assert_int_equal(got, n);
    }
}

static void base64_refuses_what_has_a_second_reading(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",     "Zg=",    "Zh==",  "Zm9=",   "Zg==Zg==", "====", "A===",
        "Zm 9v", "Zm9v\n", "Zm9v=", "Zm9v==", "=Zm9",     "+_+_", "Zm9\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char back[32];
        size_t got = 99;
        assert_false(encode_unbase64(str_c(bad[i]), back, sizeof back, &got));
        assert_int_equal(got, 99);
    }
    unsigned char small[2];
    size_t got;
    assert_false(encode_unbase64(STR("Zm9v"), small, sizeof small, &got));
}

static void base64_brings_random_bytes_back(void **state)
{
    (void)state;
    struct rng_seeded g = {7};
    for (size_t n = 0; n < 200; n++) {
        unsigned char bytes[200] = {0}, back[200];
        char text[ENCODE_BASE64_MAX(200)];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)rng_seeded_u64(&g);
        size_t len = encode_base64(bytes, n, text), got;
        assert_true(encode_unbase64(str_of(text, len), back, n, &got));
        assert_int_equal(got, n);
        if (n)
            assert_memory_equal(bytes, back, n);
    }
}

static void base62_has_fixed_width(void **state)
{
    (void)state;
    char out[7] = {0};
    encode_base62(0, out, 6);
    assert_string_equal(out, "000000");
    encode_base62(61, out, 6);
    assert_string_equal(out, "00000z");
    encode_base62(UINT32_MAX, out, 6);
    assert_string_equal(out, "4gfFC3");
    assert_true(encode_is_base62(STR("4gfFC3")));
    assert_false(encode_is_base62(STR("4gf-C3")));
}

/* Chi-squared over 62 digits, 620,000 draws: 61 degrees of freedom, 170 is far beyond chance (p < 1e-11). */
static void base62_random_is_even(void **state)
{
    (void)state;
    unsigned count[128] = {0};
    char out[620];
    for (int i = 0; i < 1000; i++) {
        encode_base62_random(out, sizeof out);
        for (size_t k = 0; k < sizeof out; k++)
            count[(unsigned char)out[k] & 127u]++;
    }
    uint64_t chi = 0, total = 0;
    for (int i = 0; i < 62; i++) {
        int64_t off = (int64_t)count[(unsigned char)encode_base62_digits[i]] - 10000;
        chi += (uint64_t)(off * off);
        total += count[(unsigned char)encode_base62_digits[i]];
    }
    assert_int_equal(total, 620000);
    assert_in_range(chi / 10000, 15, 170);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(base64_matches_the_rfc),
        cmocka_unit_test(base64_refuses_what_has_a_second_reading),
        cmocka_unit_test(base64_brings_random_bytes_back),
        cmocka_unit_test(base62_has_fixed_width),
        cmocka_unit_test(base62_random_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
