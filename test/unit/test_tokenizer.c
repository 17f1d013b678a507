/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokenizer against the official one: golden vectors in every script and long runs without a
 * break (test/golden/tokenizer_official.py says where they come from), then what the official one
 * cannot answer: bytes that are no text, reading within bounds, and time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/encode.h"
#include "base/mem.h"
#include "openai/tokenizer.h"

#define GOLDEN "test/golden/tokenizer_vectors.txt"
#define LINE_MAX_BYTES 65536
#define RUN_MAX_BYTES (1u << 16)

static enum tokenizer_encoding encoding_of(struct str name)
{
    for (int e = 0; e < TOKENIZER_COUNT; e++)
        if (str_eq(name, str_c(tokenizer_encoding_text((enum tokenizer_encoding)e))))
            return (enum tokenizer_encoding)e;
    fail_msg("unknown encoding %.*s", STR_ARG(name));
    return TOKENIZER_COUNT;
}

/* The unit `times` times over; the caller frees it. */
static char *repeat(struct str hex, uint64_t times, size_t *ret_n)
{
    size_t unit = str_eq(hex, STR("-")) ? 0 : hex.n / 2;
    char *text = mem_alloc(unit * times + 1);
    if (unit)
        assert_true(encode_unhex(hex, (unsigned char *)text, unit));
    for (uint64_t i = 1; i < times; i++)
        memcpy(text + i * unit, text, unit);
    *ret_n = unit * times;
    return text;
}

static void golden_line(struct str line, int number)
{
    static uint32_t ids[RUN_MAX_BYTES];
    struct str name, times_text, hex, part, rest = line;
    uint64_t times, expected;
    size_t n, i = 0;
    assert_true(str_split(&rest, ' ', &name));
    assert_true(str_split(&rest, ' ', &times_text));
    assert_true(str_split(&rest, ' ', &hex));
    assert_true(str_to_u64(times_text, &times));
    enum tokenizer_encoding e = encoding_of(name);
    char *text = repeat(hex, times, &n);
    assert_true(n <= RUN_MAX_BYTES);
    size_t count = tokenizer_encode(e, str_of(text, n), ids, RUN_MAX_BYTES);
    while (str_split(&rest, ' ', &part)) {
        assert_true(str_to_u64(part, &expected));
        if (times > 1 && count != expected)
            fail_msg("line %d: %zu tokens, official %lu", number, count, (unsigned long)expected);
        if (times == 1 && (i >= count || ids[i] != expected))
            fail_msg("line %d: token %zu differs", number, i);
        i++;
    }
    if (times == 1 && i != count)
        fail_msg("line %d: %zu tokens, official %zu", number, count, i);
    assert_int_equal(tokenizer_count(e, str_of(text, n)), count);
    mem_free(text);
}

static void ids_are_the_official_ones(void **state)
{
    (void)state;
    static char line[LINE_MAX_BYTES];
    FILE *f = fopen(GOLDEN, "re");
    assert_non_null(f);
    int number = 0, checked = 0;
    while (fgets(line, sizeof line, f)) {
        number++;
        size_t n = strcspn(line, "\n");
        assert_true(line[n] == '\n');
        if (line[0] == '#')
            continue;
        golden_line(str_of(line, n), number);
        checked++;
    }
    fclose(f);
    assert_true(checked >= 500);
}

static void assert_ids(enum tokenizer_encoding e, struct str text, const uint32_t *expected, size_t n)
{
    uint32_t ids[32];
    assert_int_equal(tokenizer_encode(e, text, ids, 32), n);
    assert_memory_equal(ids, expected, n * sizeof ids[0]);
}

static void published_vectors_hold(void **state)
{
    (void)state;
    static const uint32_t hello_o200k[] = {13225, 11, 79618, 0, 220, 7633, 2548, 220, 30833, 24};
    static const uint32_t hello_cl100k[] = {9906, 11, 51991, 0, 220, 4513, 1774, 220, 17458, 24};
    static const uint32_t tail[] = {64, 198, 256}, lines[] = {64, 33006}, crlf[] = {64, 319, 10636};
    static const uint32_t digits[] = {4513, 10961, 22}, contractions[] = {15357, 17773, 20255, 6, 4178};
    struct str hello = STR("Hello, WORLD! 12345 6789");
    assert_int_equal(tokenizer_count(TOKENIZER_R50K, hello), 8);
    assert_int_equal(tokenizer_count(TOKENIZER_P50K, hello), 8);
    assert_ids(TOKENIZER_O200K, hello, hello_o200k, 10);
    assert_ids(TOKENIZER_CL100K, hello, hello_cl100k, 10);
    assert_ids(TOKENIZER_CL100K, STR("a\n  "), tail, 3);
    assert_ids(TOKENIZER_CL100K, STR("a \n \n"), lines, 2);
    assert_ids(TOKENIZER_CL100K, STR("a\r\n  \r\n"), crlf, 3);
    assert_ids(TOKENIZER_CL100K, STR("1234567"), digits, 3);
    assert_ids(TOKENIZER_CL100K, STR("don'T WE'LL"), contractions, 5);
}

static void special_tokens_in_text_are_text(void **state)
{
    (void)state;
    uint32_t ids[32];
    for (int e = 0; e < TOKENIZER_COUNT; e++) {
        size_t n = tokenizer_encode((enum tokenizer_encoding)e, STR("<|endoftext|>"), ids, 32);
        assert_in_range(n, 2, 13);
        for (size_t i = 0; i < n; i++)
            assert_true(ids[i] != 50256 && ids[i] != 100257 && ids[i] != 199999);
    }
}

static void models_use_their_encoding(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        enum tokenizer_encoding e;
    } cases[] = {
        {"gpt-4o", TOKENIZER_O200K},
        {"gpt-4o-mini-2024-07-18", TOKENIZER_O200K},
        {"chatgpt-4o-latest", TOKENIZER_O200K},
        {"gpt-4.1-nano", TOKENIZER_O200K},
        {"gpt-4.5-preview", TOKENIZER_O200K},
        {"gpt-5-mini", TOKENIZER_O200K},
        {"gpt-6-astra", TOKENIZER_O200K},
        {"o1", TOKENIZER_O200K},
        {"o3-2025-04-16", TOKENIZER_O200K},
        {"o4-mini", TOKENIZER_O200K},
        {"gpt-audio-mini", TOKENIZER_O200K},
        {"gpt-realtime", TOKENIZER_O200K},
        {"ft:gpt-4o-2024-08-06:acme::id", TOKENIZER_O200K},
        {"ft:gpt-4.1-2025-04-14:acme::id", TOKENIZER_O200K},
        {"gpt-oss-120b", TOKENIZER_O200K_HARMONY},
        {"gpt-4", TOKENIZER_CL100K},
        {"gpt-4-32k-0613", TOKENIZER_CL100K},
        {"gpt-4-turbo", TOKENIZER_CL100K},
        {"gpt-3.5-turbo", TOKENIZER_CL100K},
        {"gpt-35-turbo-16k", TOKENIZER_CL100K},
        {"ft:gpt-4:acme", TOKENIZER_CL100K},
        {"ft:gpt-3.5-turbo-0125:acme:name:id", TOKENIZER_CL100K},
        {"ft:davinci-002", TOKENIZER_CL100K},
        {"davinci-002", TOKENIZER_CL100K},
        {"babbage-002", TOKENIZER_CL100K},
        {"text-embedding-ada-002", TOKENIZER_CL100K},
        {"text-embedding-3-large", TOKENIZER_CL100K},
        {"text-davinci-003", TOKENIZER_P50K},
        {"code-davinci-002", TOKENIZER_P50K},
        {"code-cushman-001", TOKENIZER_P50K},
        {"davinci-codex", TOKENIZER_P50K},
        {"text-davinci-edit-001", TOKENIZER_P50K_EDIT},
        {"code-davinci-edit-001", TOKENIZER_P50K_EDIT},
        {"text-davinci-001", TOKENIZER_R50K},
        {"davinci", TOKENIZER_R50K},
        {"ada", TOKENIZER_R50K},
        {"text-similarity-curie-001", TOKENIZER_R50K},
        {"text-search-ada-doc-001", TOKENIZER_R50K},
        {"code-search-babbage-code-001", TOKENIZER_R50K},
        {"gpt2", TOKENIZER_R50K},
        {"something-new", TOKENIZER_O200K},
        {"", TOKENIZER_O200K},
        {"ft:", TOKENIZER_O200K},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (tokenizer_for_model(str_c(cases[i].model)) != cases[i].e)
            fail_msg("%s", cases[i].model);
}

static void no_byte_is_read_beyond_the_text(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    assert_int_equal(mprotect(p + page, page, PROT_NONE), 0);
    static const char *const tails[] = {
        "hello 'l", "abcdefghijklmnop", "\xe4\xb8", "\xf0\x9f\x8c", "\xc3", " \n ", "12", "'"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        for (size_t n = 1; n <= 200; n++) {
            struct str tail = str_c(tails[i]);
            memset(p + page - n, 'x', n);
            memcpy(p + page - (n < tail.n ? n : tail.n), tail.p, n < tail.n ? n : tail.n);
            for (int e = 0; e < TOKENIZER_COUNT; e++)
                assert_in_range(tokenizer_count((enum tokenizer_encoding)e, str_of(p + page - n, n)), 1, n);
        }
    }
    munmap(p, 2 * page);
}

static void bytes_that_are_no_text_are_counted(void **state)
{
    (void)state;
    for (int e = 0; e < TOKENIZER_COUNT; e++) {
        assert_int_equal(tokenizer_count((enum tokenizer_encoding)e, STR("")), 0);
        assert_int_equal(tokenizer_count((enum tokenizer_encoding)e, str_of(NULL, 0)), 0);
        assert_int_equal(tokenizer_count((enum tokenizer_encoding)e, STR("\xff")), 1);
        /* A cut character, an overlong slash, a surrogate: all symbols, no letters. */
        assert_in_range(tokenizer_count((enum tokenizer_encoding)e, STR("a\xe4\xb8z")), 3, 4);
        assert_in_range(tokenizer_count((enum tokenizer_encoding)e, STR("\xc0\xaf")), 1, 2);
        assert_in_range(tokenizer_count((enum tokenizer_encoding)e, STR("\xed\xa0\x80")), 1, 3);
    }
}

static void encode_keeps_to_the_capacity(void **state)
{
    (void)state;
    uint32_t whole[16], part[16];
    struct str text = STR("one two three honorificabilitudinitatibus");
    size_t n = tokenizer_encode(TOKENIZER_O200K, text, whole, 16);
    assert_in_range(n, 5, 16);
    for (size_t cap = 0; cap <= n; cap++) {
        memset(part, 0xee, sizeof part);
        assert_int_equal(tokenizer_encode(TOKENIZER_O200K, text, cap ? part : NULL, cap), n);
        assert_memory_equal(part, whole, cap * sizeof part[0]);
        assert_int_equal(part[cap], 0xeeeeeeee);
    }
}

static void a_safe_cut_changes_no_count(void **state)
{
    (void)state;
    static const char *const bits[] = {"a", "B", "lorem", " ", "  ",       "\n",           "\r\n",  "\t",     "'s", "'",
                                       "1", ".", "/",     "(", "\xc3\xa9", "\xe4\xb8\xad", " word", "\nLine", "!\n"};
    char text[256];
    uint32_t seed = 1;
    unsigned cuts = 0;
    for (int round = 0; round < 20000; round++) {
        size_t n = 0;
        for (unsigned k = 0; k < 1 + (unsigned)round % 24; k++) {
            seed = seed * 1664525u + 1013904223u;
            struct str bit = str_c(bits[(seed >> 16) % (sizeof bits / sizeof bits[0])]);
            memcpy(text + n, bit.p, bit.n);
            n += bit.n;
        }
        struct str whole = str_of(text, n);
        size_t cut = tokenizer_cut(whole);
        assert_true(cut < n);
        cuts += cut > 0;
        for (int e = 0; e < TOKENIZER_COUNT; e++) {
            uint64_t parts = tokenizer_count((enum tokenizer_encoding)e, str_head(whole, cut)) +
                             tokenizer_count((enum tokenizer_encoding)e, str_from(whole, cut));
            if (parts != tokenizer_count((enum tokenizer_encoding)e, whole))
                fail_msg("cut at %zu of \"%.*s\"", cut, STR_ARG(whole));
        }
    }
    assert_true(cuts > 5000);
    assert_int_equal(tokenizer_cut(STR("")), 0);
    assert_int_equal(tokenizer_cut(STR("a")), 0);
    assert_int_equal(tokenizer_cut(STR("a b")), 1);
    assert_int_equal(tokenizer_cut(STR("a b ")), 1);
    assert_int_equal(tokenizer_cut(STR("a\nb")), 2);
    assert_int_equal(tokenizer_cut(STR(" \nb")), 0);
}

static void a_megabyte_without_a_break_is_no_attack(void **state)
{
    (void)state;
    size_t n = 1u << 20;
    char *text = mem_alloc(n);
    for (int shape = 0; shape < 5; shape++) {
        uint32_t seed = 1;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = shape == 0   ? 'a'
                      : shape == 1 ? (char)('a' + (seed >> 24) % 26)
                      : shape == 2 ? ' '
                      : shape == 3 ? "\xe4\xb8\xad"[i % 3]
                                   : "aA"[i % 2];
        }
        for (int e = 0; e < TOKENIZER_COUNT; e++) {
            clock_t start = clock();
            assert_in_range(tokenizer_count((enum tokenizer_encoding)e, str_of(text, n)), n / 128, n);
            /* 0.05 s at most, in an optimised build; a quadratic method takes minutes. */
            assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
        }
    }
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_official_ones),
        cmocka_unit_test(published_vectors_hold),
        cmocka_unit_test(special_tokens_in_text_are_text),
        cmocka_unit_test(models_use_their_encoding),
        cmocka_unit_test(no_byte_is_read_beyond_the_text),
        cmocka_unit_test(bytes_that_are_no_text_are_counted),
        cmocka_unit_test(a_safe_cut_changes_no_count),
        cmocka_unit_test(encode_keeps_to_the_capacity),
        cmocka_unit_test(a_megabyte_without_a_break_is_no_attack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
