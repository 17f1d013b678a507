/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as text: shape, checksum, hash, and which texts of an operator may serve as a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/rng.h"
#include "control/apikey.h"

static const unsigned char pepper[APIKEY_PEPPER_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};

static void made_keys_have_the_shape_of_ours(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct secret key = {0};
        apikey_make(&key);
        struct str text = secret_reveal(&key);
        assert_int_equal(text.n, APIKEY_LEN);
        assert_true(str_starts(text, STR("tg-")));
        assert_true(encode_is_base62(str_from(text, 3)));
        assert_int_equal(apikey_shape_of(text), APIKEY_OURS);
        secret_wipe(&key);
    }
}

static void every_single_typo_is_seen(void **state)
{
    (void)state;
    struct secret key = {0};
    apikey_make(&key);
    char text[APIKEY_LEN];
    memcpy(text, secret_reveal(&key).p, sizeof text);
    for (size_t i = 3; i < sizeof text; i++) {
        char right = text[i];
        for (const char *d = encode_base62_digits; *d; d++) {
            text[i] = *d;
            enum apikey_shape shape = apikey_shape_of(str_of(text, sizeof text));
            assert_int_equal(shape, *d == right ? APIKEY_OURS : APIKEY_MISTYPED);
        }
        text[i] = '-';
        assert_int_equal(apikey_shape_of(str_of(text, sizeof text)), APIKEY_MISTYPED);
        text[i] = right;
        if (i + 1 < sizeof text && text[i] != text[i + 1]) { /* two neighbours changed for one another */
            text[i] = text[i + 1];
            text[i + 1] = right;
            assert_int_equal(apikey_shape_of(str_of(text, sizeof text)), APIKEY_MISTYPED);
            text[i + 1] = text[i];
            text[i] = right;
        }
    }
    for (size_t n = 3; n < sizeof text; n++) /* cut while copying */
        assert_int_equal(apikey_shape_of(str_of(text, n)), APIKEY_MISTYPED);
    assert_int_equal(apikey_shape_of(STR("sk-proj-something-else")), APIKEY_FOREIGN);
    assert_int_equal(apikey_shape_of(STR("")), APIKEY_FOREIGN);
    assert_int_equal(apikey_shape_of(STR("tg")), APIKEY_FOREIGN);
    secret_wipe(&key);
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, APIKEY_HASH_BYTES);
}

static void a_million_keys_and_hashes_never_collide(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    unsigned char(*hashes)[APIKEY_HASH_BYTES] = malloc(COUNT * sizeof *hashes);
    assert_non_null(hashes);
    struct secret key = {0};
    for (int i = 0; i < COUNT; i++) {
        apikey_make(&key);
        assert_true(apikey_hash(pepper, secret_reveal(&key), hashes[i]));
        secret_wipe(&key);
    }
    /* Equal keys have equal hashes, so this covers both. */
    qsort(hashes, COUNT, sizeof *hashes, by_hash);
    for (int i = 1; i < COUNT; i++)
        assert_memory_not_equal(hashes[i - 1], hashes[i], sizeof hashes[i]);
    free(hashes);
}

static void the_hash_depends_on_pepper_and_every_byte(void **state)
{
    (void)state;
    unsigned char a[APIKEY_HASH_BYTES], b[APIKEY_HASH_BYTES], other[APIKEY_PEPPER_BYTES] = {9};
    assert_true(apikey_hash(pepper, STR("abc"), a));
    assert_true(apikey_hash(pepper, STR("abc"), b));
    assert_memory_equal(a, b, sizeof a);
    assert_true(apikey_hash(other, STR("abc"), b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(apikey_hash(pepper, STR("abd"), b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(apikey_hash(pepper, str_of("abc\0", 4), b));
    assert_memory_not_equal(a, b, sizeof a);

    /* Stored data rests on this value. */
    char hex[ENCODE_HEX_MAX(APIKEY_HASH_BYTES)];
    encode_hex(a, sizeof a, hex);
    assert_string_equal(hex, "34f8135be778a4dec73f181f5cdd9033e4755e42ce107c5da924f772cf7c4a32");
}

static void what_can_be_no_key_is_not_hashed(void **state)
{
    (void)state;
    unsigned char out[APIKEY_HASH_BYTES] = {42};
    char longest[APIKEY_PRESENTED_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_false(apikey_hash(pepper, STR(""), out));
    assert_false(apikey_hash(pepper, str_of(longest, sizeof longest), out));
    assert_int_equal(out[0], 42);
    assert_true(apikey_hash(pepper, str_of(longest, sizeof longest - 1), out));
}

static void only_the_end_of_a_key_is_shown(void **state)
{
    (void)state;
    char last[APIKEY_LAST + 1];
    apikey_last(STR("tg-0123456789abcdefghijklmnop"), last);
    assert_string_equal(last, "mnop");
    apikey_last(STR("short"), last);
    assert_string_equal(last, "");
}

static void an_operators_text_must_be_long_visible_and_his_own(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err want;
    } rows[] = {
        {"", ERR_BAD_OPTION},
        {" ", ERR_BAD_OPTION},
        {"                                ", ERR_BAD_OPTION},
        {"\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t", ERR_BAD_OPTION},
        {"12345678901234567890123", ERR_BAD_OPTION},
        {"123456789012345678901234", ERR_OK},
        {"0123456789abcdef 0123456789abcdef", ERR_BAD_OPTION},
        {"0123456789abcdef0123456789abcdef\n", ERR_BAD_OPTION},
        {"0123456789abcdef0123456789abcde\xc3\xa9", ERR_BAD_OPTION},
        {"0123456789abcdef\x7f"
         "0123456789abcdef",
         ERR_BAD_OPTION},
        {"changeme-changeme-changeme", ERR_BAD_OPTION},
        {"CHANGE-ME-please-do-it-now-1234", ERR_BAD_OPTION},
        {"your-admin-key-goes-right-here", ERR_BAD_OPTION},
        {"tg-xxxxxxxxxxxxxxxxxxxxxxxxxxxxx", ERR_BAD_OPTION},
        {"sk-1234567890abcdef1234567890abcdef", ERR_BAD_OPTION},
        {"<your key in here, minimum 24>", ERR_BAD_OPTION},
        {"test-admin-key-0123456789abcdef", ERR_OK},
        {"tg-admin-for-the-integration-tests", ERR_OK},
        {"$!#%&'()*+,-./:;<=>?@[]^_`{|}~", ERR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[300] = "";
        if (apikey_check_own(str_c(rows[i].text), why, sizeof why) != rows[i].want)
            fail_msg("'%s' was judged wrongly", rows[i].text);
        if (rows[i].want != ERR_OK) {
            assert_true(strlen(why) > 20);
            assert_true(strlen(rows[i].text) < 8 || !strstr(why, rows[i].text));
        }
    }
    char longest[APIKEY_PRESENTED_MAX + 1], why[300];
    memset(longest, 'q', sizeof longest);
    assert_int_equal(apikey_check_own(str_of(longest, sizeof longest), why, sizeof why), ERR_BAD_OPTION);
    assert_int_equal(apikey_check_own(str_of(longest, sizeof longest - 1), why, sizeof why), ERR_OK);
}

/* Not a limit, a figure: asserting time would make the test depend on the machine. */
static void hashing_is_quick(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    unsigned char out[APIKEY_HASH_BYTES] = {0};
    struct secret key = {0};
    apikey_make(&key);
    uint64_t start = clock_mono_us();
    for (int i = 0; i < COUNT; i++)
        assert_true(apikey_hash(pepper, secret_reveal(&key), out));
    print_message("one hash: %llu ns\n", (unsigned long long)((clock_mono_us() - start) * 1000 / COUNT));
    secret_wipe(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_keys_have_the_shape_of_ours),
        cmocka_unit_test(every_single_typo_is_seen),
        cmocka_unit_test(a_million_keys_and_hashes_never_collide),
        cmocka_unit_test(the_hash_depends_on_pepper_and_every_byte),
        cmocka_unit_test(what_can_be_no_key_is_not_hashed),
        cmocka_unit_test(only_the_end_of_a_key_is_shown),
        cmocka_unit_test(an_operators_text_must_be_long_visible_and_his_own),
        cmocka_unit_test(hashing_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
