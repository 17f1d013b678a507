/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator reads: JSON against the project's scanner, forms in all pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json/jdoc.h"
#include "base/json_scan.h"
#include "base/mem.h"
#include "base/rng.h"
#include "sim/http/formread.h"

static void values_are_found(void **state)
{
    (void)state;
    struct str text =
        STR(" {\"a\" : [1, {\"b\":\"x\\\"y\\u0041\"}, null], \"n\":12.0, \"n\":13, \"t\":true, \"e\":{}, \"z\":[]} ");
    struct arena *arena = arena_new(1024, 65536);
    struct jdoc d;
    jdoc_init(&d);
    assert_true(jdoc_parse(&d, text));
    struct jval root = jdoc_root(&d), a = jdoc_get(root, "a");
    assert_int_equal(jdoc_size(root), 6);
    assert_int_equal(jdoc_size(a), 3);
    assert_int_equal(jdoc_size(jdoc_get(root, "e")), 0);
    assert_int_equal(jdoc_size(jdoc_get(root, "z")), 0);
    struct jval b = jdoc_get(jdoc_next(a, jdoc_first(a)), "b");
    assert_true(str_eq(jdoc_text(b, arena), STR("x\"yA")));
    assert_true(str_eq(jdoc_raw(jdoc_get(root, "e")), STR("{}")));
    assert_int_equal(jdoc_count(jdoc_get(root, "n"), 0), 12);
    assert_true(jdoc_true(jdoc_get(root, "t")));
    assert_false(jdoc_has(jdoc_get(jdoc_get(root, "no"), "such")));
    assert_int_equal(jdoc_count(jdoc_get(root, "t"), 7), 7);
    jdoc_free(&d);
    arena_free(arena);
}

/* Both readers must agree on what is JSON, for mutations of texts that are. */
static void json_is_what_the_scanner_takes_for_it(void **state)
{
    (void)state;
    static const char *const seeds[] = {"{\"a\":[1,-2.5e+3,\"x\\n\\u00e9\"],\"b\":{\"c\":null,\"d\":true}}",
                                        "[[],{},\"\",0,false]", "\"\\\\\\\"\"", "-0.1E5",
                                        "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\"}]}"};
    static const char bytes[] = "{}[]\",:0123456789.eE+-\\ntrufalsd \n\x01\x80/";
    struct rng_seeded g = {1};
    struct jdoc d;
    jdoc_init(&d);
    for (int i = 0; i < 200000; i++) {
        char text[128];
        const char *seed = seeds[rng_seeded_below(&g, sizeof seeds / sizeof seeds[0])];
        size_t n = strlen(seed);
        memcpy(text, seed, n);
        for (uint64_t k = rng_seeded_below(&g, 3); k; k--)
            text[rng_seeded_below(&g, n)] = bytes[rng_seeded_below(&g, sizeof bytes - 1)];
        n -= rng_seeded_below(&g, 8) == 0 ? rng_seeded_below(&g, n) : 0;
        struct json_scan s;
        json_scan_init(&s, NULL, NULL, NULL);
        json_scan_feed(&s, text, n);
        bool valid = json_scan_end(&s) == JSON_COMPLETE;
        if (jdoc_parse(&d, str_of(text, n)) != valid)
            fail_msg("%.*s: %s for the scanner", (int)n, text, valid ? "valid" : "not valid");
    }
    jdoc_free(&d);
}

static void deep_json_is_refused(void **state)
{
    (void)state;
    char text[JDOC_DEPTH_MAX * 2 + 4];
    struct jdoc d;
    jdoc_init(&d);
    for (int depth = JDOC_DEPTH_MAX; depth <= JDOC_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(jdoc_parse(&d, str_of(text, (size_t)depth * 2)), depth == JDOC_DEPTH_MAX);
    }
    jdoc_free(&d);
}

#define FORM                                                                                                        \
    "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"                        \
    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.wav\"\r\nContent-Type: audio/wav\r\n\r\n" \
    "\r\n--not the boundary\r\n--\r\n--b\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n"             \
    "--b--\r\nepilogue"

static void forms_survive_any_split(void **state)
{
    (void)state;
    struct blob_pool pool;
    struct str form = STR(FORM), bytes;
    blob_pool_init(&pool, 1 << 20);
    for (size_t at = 0; at <= form.n; at++) {
        struct formread *f = formread_new(&pool, STR("multipart/form-data; boundary=b"));
        assert_non_null(f);
        assert_true(formread_feed(f, str_head(form, at)));
        assert_true(formread_feed(f, str_from(form, at)));
        assert_true(formread_end(f));
        assert_int_equal(f->n, 3);
        assert_true(str_eq(formread_text(f, "model"), STR("whisper-1")));
        assert_true(str_eq(formread_text(f, "empty"), STR("")));
        const struct formread_part *file = formread_find(f, "file");
        assert_true(str_eq(file->type, STR("audio/wav")));
        assert_true(blob_bytes(file->blob, &bytes));
        assert_true(str_eq(bytes, STR("\r\n--not the boundary\r\n--")));
        formread_free(f);
    }
    assert_int_equal(pool.bytes, 0);
}

static void cut_forms_are_not_complete(void **state)
{
    (void)state;
    struct blob_pool pool;
    struct str form = STR(FORM);
    blob_pool_init(&pool, 1 << 20);
    for (size_t at = 0; at < form.n - 12; at++) {
        struct formread *f = formread_new(&pool, STR("multipart/form-data; boundary=\"b\""));
        assert_true(formread_feed(f, str_head(form, at)));
        assert_false(formread_end(f));
        formread_free(f);
    }
    assert_null(formread_new(&pool, STR("multipart/form-data")));
}

static void old_contents_give_way(void **state)
{
    (void)state;
    struct blob_pool pool;
    struct blob *b[3];
    struct str bytes;
    char content[400] = {0};
    blob_pool_init(&pool, 1000);
    for (int i = 0; i < 3; i++) {
        b[i] = blob_new(&pool);
        blob_add(b[i], str_of(content, sizeof content));
        blob_end(b[i]);
    }
    assert_false(blob_bytes(b[0], &bytes));
    assert_true(blob_bytes(b[2], &bytes));
    assert_int_equal(blob_size(b[0]), 400);
    assert_memory_equal(blob_sha256(b[0]), blob_sha256(b[2]), 32);
    assert_true(pool.bytes <= 1000);
    for (int i = 0; i < 3; i++)
        blob_put(b[i]);
    assert_int_equal(pool.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found),           cmocka_unit_test(json_is_what_the_scanner_takes_for_it),
        cmocka_unit_test(deep_json_is_refused),       cmocka_unit_test(forms_survive_any_split),
        cmocka_unit_test(cut_forms_are_not_complete), cmocka_unit_test(old_contents_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
