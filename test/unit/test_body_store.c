/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: what is committed can be read back, small batches compress too, nothing else is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "ledger/body_read.h"
#include "ledger/body_store.h"
#include "ledger_fixture.h"

#define SEED 23

static char *const dir = fixture_test_dir;

static struct body_store *open_store(uint64_t segment_bytes)
{
    struct body_store *b;
    assert_int_equal(body_store_open(dir, segment_bytes, 0, &b), ERR_OK);
    return b;
}

static enum err add(struct body_store *b, uint64_t i, int64_t *ret_place)
{
    static struct fixture_record f;
    fixture_record(&f, SEED, i, (int64_t)i + 1, true);
    return body_store_add(b, &f.r, ret_place);
}

static bool same(const struct record_body *a, const struct record_body *b)
{
    return str_eq(a->bytes, b->bytes) && a->size_bytes == b->size_bytes && a->has_sha256 == b->has_sha256 &&
           (!a->has_sha256 || memcmp(a->sha256, b->sha256, 32) == 0);
}

static void check(uint64_t i, int64_t place)
{
    static struct fixture_record f;
    struct body_pair pair;
    fixture_record(&f, SEED, i, (int64_t)i + 1, true);
    assert_int_equal(body_read(dir, place, (int64_t)i + 1, &pair), ERR_OK);
    assert_true(same(&pair.request, &f.r.request_body));
    assert_true(same(&pair.response, &f.r.response_body));
    assert_true(str_eq(pair.request_headers, f.r.request_headers));
    assert_true(str_eq(pair.response_headers, f.r.response_headers));
    body_pair_free(&pair);
}

static void batch(struct body_store *b, uint64_t from, uint64_t count, int64_t *places)
{
    for (uint64_t i = from; i < from + count; i++)
        assert_int_equal(add(b, i, &places[i]), ERR_OK);
    assert_int_equal(body_store_finish(b), ERR_OK);
    body_store_commit(b);
}

static void what_is_committed_is_read_back(void **state)
{
    (void)state;
    static int64_t places[1000];
    struct body_store *b = open_store(0);
    batch(b, 0, 600, places);
    batch(b, 600, 1, places);
    batch(b, 601, 399, places);
    struct body_store_counts c = body_store_counts(b);
    assert_int_equal(c.rows, 1000);
    for (uint64_t i = 0; i < 1000; i++)
        check(i, places[i]);
    body_store_close(b);
    for (uint64_t i = 0; i < 1000; i += 99)
        check(i, places[i]);
    struct body_reader *r = body_reader_new(dir);
    for (uint64_t i = 0; i < 1000; i++) {
        struct body_pair pair;
        assert_int_equal(body_reader_get(r, places[i], (int64_t)i + 1, &pair), ERR_OK);
    }
    body_reader_free(r);
}

static void bodies_of_any_size_fit(void **state)
{
    (void)state;
    static char big[5 << 20];
    struct rng_seeded g = {4};
    int64_t places[4], ids[] = {10, 11, 12, 13};
    const size_t sizes[] = {0, 1, sizeof big, 300000};
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)rng_seeded_below(&g, 200);
    struct body_store *b = open_store(0);
    for (size_t i = 0; i < 4; i++) {
        struct record r = {
            .id = ids[i],
            .request_body = {.bytes = str_of(big, sizes[i]), .size_bytes = 7},
            .response_body = {.bytes = str_of(big, sizes[3 - i]), .size_bytes = UINT64_MAX},
            .response_headers = str_of(big, i * (RECORD_HEADERS_MAX / 3)),
        };
        assert_int_equal(body_store_add(b, &r, &places[i]), ERR_OK);
    }
    assert_int_equal(body_store_finish(b), ERR_OK);
    body_store_commit(b);
    for (int i = 0; i < 4; i++) {
        struct body_pair pair;
        assert_int_equal(body_read(dir, places[i], ids[i], &pair), ERR_OK);
        assert_true(str_eq(pair.request.bytes, str_of(big, sizes[i])));
        assert_true(str_eq(pair.response.bytes, str_of(big, sizes[3 - i])));
        assert_true(pair.response.size_bytes == UINT64_MAX);
        assert_true(str_eq(pair.response_headers, str_of(big, (size_t)i * (RECORD_HEADERS_MAX / 3))));
        body_pair_free(&pair);
    }
    body_store_close(b);
}

static void batches_of_one_compress_nearly_as_well_as_large_ones(void **state)
{
    (void)state;
    static int64_t places[2000];
    struct body_store *b = open_store(0);
    batch(b, 0, 500, places);
    struct body_store_counts large = body_store_counts(b);
    for (uint64_t i = 500; i < 1000; i++)
        batch(b, i, 1, places);
    struct body_store_counts all = body_store_counts(b);
    uint64_t raw = all.raw_bytes - large.raw_bytes, file = all.file_bytes - large.file_bytes;
    assert_true(large.file_bytes * 100 < large.raw_bytes * 50);
    assert_true(file * 100 < raw * 60);
    for (uint64_t i = 0; i < 1000; i++)
        check(i, places[i]);
    body_store_close(b);
}

static void a_rollback_leaves_no_trace_and_the_next_batch_is_whole(void **state)
{
    (void)state;
    static int64_t places[600];
    struct body_store *b = open_store(0);
    int64_t place;
    /* The very first batch is taken back: its segment goes. */
    assert_int_equal(add(b, 0, &place), ERR_OK);
    assert_int_equal(body_store_finish(b), ERR_OK);
    body_store_rollback(b);
    struct body_pair pair;
    assert_int_equal(body_read(dir, place, 1, &pair), ERR_NOT_FOUND);
    batch(b, 0, 200, places);
    struct body_store_counts before = body_store_counts(b);
    for (uint64_t i = 200; i < 400; i++)
        assert_int_equal(add(b, i, &places[i]), ERR_OK);
    body_store_rollback(b); /* in the middle of a block */
    assert_int_equal(body_store_counts(b).file_bytes, before.file_bytes);
    for (uint64_t i = 200; i < 300; i++)
        assert_int_equal(add(b, i, &places[i]), ERR_OK);
    assert_int_equal(body_store_finish(b), ERR_OK);
    body_store_rollback(b); /* after the finish */
    batch(b, 200, 400, places);
    for (uint64_t i = 0; i < 600; i++)
        check(i, places[i]);
    body_store_close(b);
}

static void any_call_may_fail(void **state)
{
    (void)state;
    const struct {
        unsigned calls;
        enum file_fault_kind kind;
        int error;
    } ways[] = {
        {FILE_CALL_BIT(FILE_WRITE), FILE_FAULT_TORN, ENOSPC},
        {FILE_CALL_BIT(FILE_WRITE), FILE_FAULT_ERROR, EIO},
        {FILE_CALL_BIT(FILE_WRITE), FILE_FAULT_SHORT, EIO},
        {FILE_CALL_BIT(FILE_SYNC), FILE_FAULT_ERROR, EIO},
        {FILE_CALL_BIT(FILE_OPEN), FILE_FAULT_ERROR, EMFILE},
        {FILE_CALLS_ALL, FILE_FAULT_ERROR, EINTR},
        {FILE_CALLS_ALL, FILE_FAULT_TORN, EIO},
    };
    static int64_t places[700];
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        for (uint64_t at = 1; at <= 14; at++) {
            struct body_store *b = open_store(60000);
            struct file_faults f = {.calls = ways[w].calls, .kind = ways[w].kind, .error = ways[w].error, .at = at};
            bool committed[5];
            file_set_faults(&f);
            for (uint64_t turn = 0; turn < 5; turn++) {
                enum err e = ERR_OK;
                for (uint64_t i = turn * 50; i < turn * 50 + 50 && e == ERR_OK; i++)
                    e = add(b, i, &places[i]);
                if (e == ERR_OK)
                    e = body_store_finish(b);
                committed[turn] = e == ERR_OK;
                if (e == ERR_OK)
                    body_store_commit(b);
                else
                    body_store_rollback(b);
            }
            file_set_faults(NULL);
            for (uint64_t i = 0; i < 250; i += 7)
                if (committed[i / 50])
                    check(i, places[i]);
            body_store_close(b);
        }
    }
}

static void segments_change_at_their_size_and_at_every_start(void **state)
{
    (void)state;
    static int64_t places[1000];
    struct body_store *b = open_store(100000);
    for (uint64_t i = 0; i < 1000; i += 50)
        batch(b, i, 50, places);
    assert_true(body_place_sequence(places[999]) > body_place_sequence(places[0]) + 5);
    body_store_close(b);
    uint64_t last = body_place_sequence(places[999]);
    b = open_store(0);
    batch(b, 0, 1, places + 0);
    assert_int_equal(body_place_sequence(places[0]), last + 1);
    body_store_close(b);
}

static void age_segment(uint64_t sequence, time_t when)
{
    char path[FIXTURE_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%08llu.tgb", dir, (unsigned long long)sequence);
    const struct timespec times[2] = {{when, 0}, {when, 0}};
    assert_int_equal(utimensat(0, path, times, 0), 0);
}

static void retention_removes_whole_segments_and_never_reuses_their_names(void **state)
{
    (void)state;
    static int64_t places[500];
    struct body_store *b = open_store(100000);
    for (uint64_t i = 0; i < 500; i += 50)
        batch(b, i, 50, places);
    uint64_t last = body_place_sequence(places[499]), below, removed;
    assert_true(last > 3);
    for (uint64_t s = 1; s <= 2; s++)
        age_segment(s, 1000000);
    assert_int_equal(body_store_expired(b, INT64_C(2000000) * 1000000, 0, &below), ERR_OK);
    assert_int_equal(below, 3);
    assert_int_equal(body_store_remove(b, below, &removed), ERR_OK);
    assert_int_equal(removed, 2);
    struct body_pair pair;
    assert_int_equal(body_read(dir, places[0], 1, &pair), ERR_NOT_FOUND);
    check(499, places[499]);
    /* By size: all of them, the open one included. */
    assert_int_equal(body_store_expired(b, INT64_MIN, 1, &below), ERR_OK);
    assert_int_equal(below, last + 1);
    assert_int_equal(body_store_remove(b, below, &removed), ERR_OK);
    batch(b, 0, 1, places);
    assert_int_equal(body_place_sequence(places[0]), last + 1);
    check(0, places[0]);
    assert_int_equal(body_store_expired(b, INT64_MIN, 1, &below), ERR_OK);
    assert_int_equal(body_store_remove(b, below, &removed), ERR_OK);
    body_store_close(b);
    /* A process that finds none at all is told where to go on. */
    assert_int_equal(body_store_open(dir, 0, below, &b), ERR_OK);
    batch(b, 0, 1, places);
    assert_int_equal(body_place_sequence(places[0]), below);
    body_store_close(b);
}

static void damage_is_noticed_and_never_a_crash(void **state)
{
    (void)state;
    static int64_t places[150];
    char path[FIXTURE_PATH_MAX + 32];
    struct body_store *b = open_store(0);
    struct rng_seeded g = {31};
    batch(b, 0, 100, places);
    for (uint64_t i = 100; i < 150; i++)
        batch(b, i, 1, places);
    body_store_close(b);
    snprintf(path, sizeof path, "%s/00000001.tgb", dir);
    size_t n;
    char *bytes = fixture_read(path, &n);
    for (unsigned k = 0; k < 300 * fixture_scale(); k++) {
        char *copy = mem_strndup(bytes, n);
        size_t at = rng_seeded_below(&g, n);
        copy[at] = (char)(copy[at] ^ (1 << rng_seeded_below(&g, 8)));
        fixture_write(path, copy, k % 10 == 9 ? at : n);
        for (uint64_t i = 0; i < 150; i += 5) {
            struct body_pair pair;
            static struct fixture_record f;
            enum err e = body_read(dir, places[i], (int64_t)i + 1, &pair);
            assert_true(e == ERR_OK || e == ERR_CORRUPT);
            if (e != ERR_OK)
                continue;
            fixture_record(&f, SEED, i, (int64_t)i + 1, true);
            assert_true(same(&pair.request, &f.r.request_body));
            body_pair_free(&pair);
        }
        mem_free(copy);
    }
    mem_free(bytes);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_make_dir, fixture_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_committed_is_read_back),
        CASE(bodies_of_any_size_fit),
        CASE(batches_of_one_compress_nearly_as_well_as_large_ones),
        CASE(a_rollback_leaves_no_trace_and_the_next_batch_is_whole),
        CASE(any_call_may_fail),
        CASE(segments_change_at_their_size_and_at_every_start),
        CASE(retention_removes_whole_segments_and_never_reuses_their_names),
        CASE(damage_is_noticed_and_never_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
