/* SPDX-License-Identifier: Apache-2.0 */
/* Reading compressed answers on the side: any pieces, damage, bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "gateway/inflate.h"

static struct buf got;
static uint64_t got_bytes;
static size_t largest;

static void on_out(void *arg, struct str bytes)
{
    assert_ptr_equal(arg, &got);
    got_bytes += bytes.n;
    largest = bytes.n > largest ? bytes.n : largest;
    if (buf_size(&got) + bytes.n <= got.max)
        assert_true(buf_add_str(&got, bytes));
}

static int open_got(void **state)
{
    (void)state;
    buf_init(&got, 1 << 20);
    got_bytes = largest = 0;
    return 0;
}

static int close_got(void **state)
{
    (void)state;
    buf_free(&got);
    return 0;
}

/* Appends the compressed form: `bits` 15 zlib, 31 gzip, -15 raw. */
static void pack(struct buf *out, const char *p, size_t n, int bits)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, n);
    char *room = buf_reserve(out, bound);
    assert_non_null(room);
    z.next_in = (unsigned char *)(uintptr_t)p;
    z.avail_in = (unsigned)n;
    z.next_out = (unsigned char *)room;
    z.avail_out = (unsigned)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_commit(out, bound - z.avail_out);
    deflateEnd(&z);
}

static bool run(struct str packed, bool zlib, size_t step)
{
    struct inflate *i = inflate_new(zlib, on_out, &got);
    bool ok = true;
    buf_reset(&got);
    got_bytes = 0;
    while (packed.n) {
        size_t n = packed.n < step ? packed.n : step;
        char *copy = mem_alloc(n);
        memcpy(copy, packed.p, n);
        ok = inflate_feed(i, str_of(copy, n));
        mem_free(copy);
        packed = str_from(packed, n);
    }
    inflate_free(i);
    return ok;
}

static const char text[] =
    "{\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":22,\"total_tokens\":33}} and some more of it";

static void both_formats_are_read_in_any_pieces(void **state)
{
    (void)state;
    for (int zlib = 0; zlib < 2; zlib++) {
        struct buf packed;
        buf_init(&packed, 1 << 20);
        pack(&packed, text, sizeof text - 1, zlib ? 15 : 31);
        for (size_t step = 1; step <= buf_size(&packed); step++) {
            assert_true(run(buf_str(&packed), zlib, step));
            assert_true(str_eq(buf_str(&got), str_of(text, sizeof text - 1)));
        }
        buf_free(&packed);
    }
    assert_true(run(STR(""), false, 1));
    inflate_free(NULL);
}

static void all_members_of_a_gzip_body_are_read(void **state)
{
    (void)state;
    struct buf packed;
    buf_init(&packed, 1 << 20);
    for (int i = 0; i < 3; i++)
        pack(&packed, text + 10 * i, 10, 31);
    pack(&packed, "", 0, 31);
    for (size_t step = 1; step <= buf_size(&packed); step++) {
        assert_true(run(buf_str(&packed), false, step));
        assert_true(str_eq(buf_str(&got), str_of(text, 30)));
    }
    /* What is no member is passed over, with all that follows. */
    assert_true(buf_add_str(&packed, STR("\0\0")));
    pack(&packed, text, 10, 31);
    for (size_t step = 1; step <= buf_size(&packed); step++) {
        assert_true(run(buf_str(&packed), false, step));
        assert_true(str_eq(buf_str(&got), str_of(text, 30)));
    }
    buf_free(&packed);
}

static void a_cut_gives_what_came(void **state)
{
    (void)state;
    struct buf packed;
    buf_init(&packed, 1 << 20);
    pack(&packed, text, sizeof text - 1, 31);
    for (size_t n = 0; n < buf_size(&packed); n++) {
        assert_true(run(str_head(buf_str(&packed), n), false, 5));
        assert_true(str_starts(str_of(text, sizeof text - 1), buf_str(&got)));
    }
    buf_free(&packed);
}

static void damage_stops_it_for_good(void **state)
{
    (void)state;
    struct buf packed;
    buf_init(&packed, 1 << 20);
    pack(&packed, text, sizeof text - 1, 31);
    size_t refused = 0;
    for (size_t at = 0; at < buf_size(&packed); at++) {
        packed.p[packed.start + at] ^= 0x55;
        refused += !run(buf_str(&packed), false, 3);
        packed.p[packed.start + at] ^= 0x55;
    }
    /* All but the time, the system and hint bytes of the header, which mean nothing. */
    assert_in_range(refused, buf_size(&packed) - 10, buf_size(&packed));
    struct inflate *i = inflate_new(false, on_out, &got);
    assert_false(inflate_feed(i, STR("{\"no\":\"gzip\"}")));
    assert_false(inflate_feed(i, buf_str(&packed)));
    assert_false(inflate_feed(i, STR("")));
    inflate_free(i);
    /* The wrong one of the two wrappers, and none. */
    assert_false(run(buf_str(&packed), true, 100));
    buf_reset(&packed);
    pack(&packed, text, sizeof text - 1, -15);
    assert_false(run(buf_str(&packed), false, 100));
    buf_free(&packed);
}

static void large_plain_content_passes(void **state)
{
    (void)state;
    size_t n = 8 << 20;
    char *plain = mem_alloc(n);
    uint32_t x = 1;
    for (size_t at = 0; at < n; at++) { /* compresses by half */
        x = x * 1664525 + 1013904223;
        plain[at] = (char)(x >> 28);
    }
    struct buf packed;
    buf_init(&packed, 1 << 24);
    pack(&packed, plain, n, 31);
    assert_true(run(buf_str(&packed), false, 65536));
    assert_true(got_bytes == n);
    assert_in_range(largest, 1, 65536);
    buf_free(&packed);
    mem_free(plain);
}

/* A gzip of `mega` MB of zeros, which is a thousandth of that. */
static void bomb(struct buf *out, unsigned mega)
{
    char *zeros = mem_zalloc(1 << 20);
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    for (unsigned i = 0; i <= mega; i++) {
        z.next_in = (unsigned char *)zeros;
        z.avail_in = i < mega ? 1 << 20 : 0;
        int status;
        do {
            char *room = buf_reserve(out, 65536);
            assert_non_null(room);
            z.next_out = (unsigned char *)room;
            z.avail_out = 65536;
            status = deflate(&z, i < mega ? Z_NO_FLUSH : Z_FINISH);
            buf_commit(out, 65536 - z.avail_out);
        } while (z.avail_in || (i == mega && status != Z_STREAM_END));
    }
    deflateEnd(&z);
    mem_free(zeros);
}

static void a_bomb_is_stopped_early(void **state)
{
    (void)state;
    struct buf packed;
    buf_init(&packed, 1 << 24);
    bomb(&packed, 300);
    size_t steps[] = {1000, 65536, SIZE_MAX};
    for (size_t i = 0; i < 3; i++) {
        assert_false(run(buf_str(&packed), false, steps[i]));
        assert_in_range(got_bytes, 1000000, 31 << 20);
        assert_in_range(largest, 1, 65536);
    }
    buf_free(&packed);
}

static void the_total_has_a_limit_whatever_the_ratio(void **state)
{
    (void)state;
    /* One member over and over: 64 KB each of a ratio below the limit. */
    size_t n = 1 << 16;
    char *plain = mem_alloc(n);
    for (size_t at = 0; at < n; at++)
        plain[at] = (char)(at * at % 251 + at / 512);
    struct buf packed;
    buf_init(&packed, 1 << 24);
    pack(&packed, plain, n, 31);
    assert_true(n / buf_size(&packed) < INFLATE_RATIO_MAX);
    struct inflate *i = inflate_new(false, on_out, &got);
    unsigned members = 0;
    while (inflate_feed(i, buf_str(&packed)))
        members++;
    assert_int_equal(members, INFLATE_TOTAL_MAX / n);
    inflate_free(i);
    buf_free(&packed);
    mem_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_formats_are_read_in_any_pieces, open_got, close_got),
        cmocka_unit_test_setup_teardown(all_members_of_a_gzip_body_are_read, open_got, close_got),
        cmocka_unit_test_setup_teardown(a_cut_gives_what_came, open_got, close_got),
        cmocka_unit_test_setup_teardown(damage_stops_it_for_good, open_got, close_got),
        cmocka_unit_test_setup_teardown(large_plain_content_passes, open_got, close_got),
        cmocka_unit_test_setup_teardown(a_bomb_is_stopped_early, open_got, close_got),
        cmocka_unit_test_setup_teardown(the_total_has_a_limit_whatever_the_ratio, open_got, close_got),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
