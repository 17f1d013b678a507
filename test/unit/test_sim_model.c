/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated models say, and how it is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "openai/tokenizer.h"
#include "sim/model/phrase.h"
#include "sim/model/tally.h"

static void words_are_single_tokens(void **state)
{
    (void)state;
    for (int e = 0; e < TOKENIZER_COUNT; e++) {
        const char *word;
        for (size_t i = 0; (word = phrase_word(i)) != NULL; i++) {
            assert_int_equal(tokenizer_count((enum tokenizer_encoding)e, str_c(word)), 1);
            if (word[1] >= 'A' && word[1] <= 'Z')
                assert_int_equal(tokenizer_count((enum tokenizer_encoding)e, str_c(word + 1)), 1);
        }
    }
}

static void prose_has_as_many_tokens_as_pieces(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct buf text;
        buf_init(&text, 1 << 20);
        assert_true(phrase_prose(&text, seed, seed));
        for (int e = 0; e < TOKENIZER_COUNT; e++)
            assert_int_equal(tokenizer_count((enum tokenizer_encoding)e, buf_str(&text)), seed);
        assert_int_equal(phrase_pieces(buf_str(&text), true), seed);
        buf_free(&text);
    }
}

static void pieces_put_the_text_together(void **state)
{
    (void)state;
    struct str text = STR("{\"k\xc3\xa9y\":\"\xf0\x9f\x9a\xa7 value\"}"), rest = text;
    size_t n, sum = 0;
    for (; rest.n; rest = str_from(rest, n)) {
        n = phrase_piece(rest, false);
        assert_true(n > 0 && ((unsigned char)rest.p[0] & 0xc0) != 0x80);
        sum += n;
    }
    assert_int_equal(sum, text.n);
}

static void json_fits_its_schema(void **state)
{
    (void)state;
    struct str schema =
        STR("{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":3},\"s\":{\"type\":"
            "\"string\",\"format\":\"date\"},\"l\":{\"type\":\"array\",\"minItems\":2,\"items\":{\"$ref\":"
            "\"#/$defs/x\"}},\"u\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}},\"$defs\":{\"x\":"
            "{\"enum\":[\"a\",\"b\"]}}}");
    struct jdoc d;
    struct buf out;
    jdoc_init(&d);
    buf_init(&out, 65536);
    assert_true(jdoc_parse(&d, schema));
    assert_true(phrase_json(&out, jdoc_root(&d), 1));
    assert_true(str_eq(buf_str(&out), STR("{\"n\":3,\"s\":\"2026-01-02\",\"l\":[\"a\",\"a\"],\"u\":null}")));
    jdoc_free(&d);
    buf_free(&out);
}

static void endless_schemas_end(void **state)
{
    (void)state;
    struct str schema = STR("{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#\"}}}");
    struct jdoc d;
    struct buf out;
    jdoc_init(&d);
    buf_init(&out, 65536);
    assert_true(jdoc_parse(&d, schema));
    assert_true(phrase_json(&out, jdoc_root(&d), 1));
    assert_true(jdoc_parse(&d, buf_str(&out)));
    jdoc_free(&d);
    buf_free(&out);
}

static uint64_t cached_of(struct tally *t, const char *model, const char *const *parts, const uint64_t *tokens, int n)
{
    struct tally_prompt p;
    tally_prompt_begin(&p, str_c(model));
    for (int i = 0; i < n; i++)
        tally_prompt_part(t, &p, str_c(parts[i]), tokens[i]);
    tally_prompt_end(&p);
    return p.cached;
}

static void prompts_are_cached_by_prefix(void **state)
{
    (void)state;
    struct tally *t = tally_new(false);
    const char *const first[] = {"system", "one"}, *const second[] = {"system", "two"},
                      *const other[] = {"else", "one"};
    const uint64_t tokens[] = {2000, 100};
    assert_int_equal(cached_of(t, "m", first, tokens, 2), 0);
    assert_int_equal(cached_of(t, "m", second, tokens, 2), 1920);
    assert_int_equal(cached_of(t, "m", first, tokens, 2), 2048);
    assert_int_equal(cached_of(t, "n", first, tokens, 2), 0);
    assert_int_equal(cached_of(t, "m", other, tokens, 2), 0);
    const uint64_t few[] = {1000, 10};
    assert_int_equal(cached_of(t, "m", first, few, 2), 0);
    tally_forget(t);
    assert_int_equal(cached_of(t, "m", first, tokens, 2), 0);
    tally_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_single_tokens),      cmocka_unit_test(prose_has_as_many_tokens_as_pieces),
        cmocka_unit_test(pieces_put_the_text_together), cmocka_unit_test(json_fits_its_schema),
        cmocka_unit_test(endless_schemas_end),          cmocka_unit_test(prompts_are_cached_by_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
