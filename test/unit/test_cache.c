/* SPDX-License-Identifier: Apache-2.0 */
/* The cache in memory: what makes a key, what is kept, for how long, and within which bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <malloc.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cache_rig.h"
#include "gateway/cache/shards.h"

#define NOW INT64_C(1800000000000000)

static const struct cache_key_parts plain = {
    .workspace_id = 1,
    .upstream = {"api.openai.com/v1/chat/completions", 34},
    .body = {"{\"model\":\"gpt-4o\"}", 18},
    .metadata = {"{\"a\":\"1\",\"b\":\"2\"}", 17},
};

static bool same_key(struct cache_key_parts a, struct cache_key_parts b)
{
    unsigned char x[CACHE_KEY_BYTES], y[CACHE_KEY_BYTES];
    cache_key(&a, x);
    cache_key(&b, y);
    return memcmp(x, y, sizeof x) == 0;
}

static void every_part_of_a_key_counts(void **state)
{
    (void)state;
    struct cache_key_parts p = plain;
    assert_true(same_key(plain, p));
    p.workspace_id = 2;
    assert_false(same_key(plain, p));
    p = plain;
    p.upstream = STR("api.openai.com/v1/completions");
    assert_false(same_key(plain, p));
    p = plain;
    p.body = STR("{\"model\":\"gpt-4\"}");
    assert_false(same_key(plain, p));
    p.body = STR("{\"model\":\"gpt-4o\",\"n\":1}");
    assert_false(same_key(plain, p));
    p = plain;
    p.metadata = STR("{\"a\":\"1\"}");
    assert_false(same_key(plain, p));
    p = plain;
    p.metadata = STR("");
    assert_false(same_key(plain, p));
}

static void parts_do_not_run_into_each_other(void **state)
{
    (void)state;
    struct cache_key_parts a = plain, b = plain;
    a.upstream = STR("ab");
    a.body = STR("c");
    b.upstream = STR("a");
    b.body = STR("bc");
    assert_false(same_key(a, b));
    a = b = plain;
    a.metadata = STR("{\"a\":\"b\",\"c\":\"d\"}");
    b.metadata = STR("{\"a\":\"b\\\",\\\"c\",\"d\":\"\"}");
    assert_false(same_key(a, b));
}

static void order_of_metadata_does_not_count(void **state)
{
    (void)state;
    struct cache_key_parts p = plain;
    p.metadata = STR("{ \"b\":\"2\", \"a\":\"1\" }");
    assert_true(same_key(plain, p));
    p.metadata = STR("{\"b\":\"1\",\"a\":\"2\"}");
    assert_false(same_key(plain, p));
    struct cache_key_parts twice = plain, swapped = plain;
    twice.metadata = STR("{\"a\":\"1\",\"a\":\"2\"}");
    swapped.metadata = STR("{\"a\":\"2\",\"a\":\"1\"}");
    assert_false(same_key(twice, swapped)); /* readers take the first, or the last */
}

static bool same_body(const char *a, const char *b)
{
    struct cache_key_parts x = plain, y = plain;
    x.body = str_c(a);
    y.body = str_c(b);
    return same_key(x, y);
}

static void a_body_counts_by_its_members(void **state)
{
    (void)state;
    assert_true(same_body("{\"a\":1,\"b\":[2]}", " { \"b\" : [2] , \"a\" : 1 } "));
    assert_false(same_body("{\"a\":1}", "{\"a\":1.0}"));
    assert_false(same_body("{\"a\":[1,2]}", "{\"a\":[1, 2]}")); /* values as they stand */
    assert_false(same_body("{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"x\":1}}"));
    assert_false(same_body("{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}"));
    assert_false(same_body("{\"a\":1}", "{\"a\":1"));
    assert_false(same_body("not json", "not  json"));
}

static void how_the_answer_is_to_come_does_not_count(void **state)
{
    (void)state;
    const char *json = "{\"a\":1}";
    assert_true(same_body(json, "{\"a\":1,\"stream\":true}"));
    assert_true(same_body(json, "{\"stream\":false,\"a\":1,\"stream_options\":{\"include_usage\":true}}"));
    assert_false(same_body(json, "{\"a\":1,\"streams\":true}"));
    struct cache_key_parts x = plain, y = plain; /* metadata is another matter */
    x.metadata = STR("{\"stream\":\"1\"}");
    y.metadata = STR("{}");
    assert_false(same_key(x, y));
}

static void metadata_that_is_no_object_counts_as_it_stands(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "{", "[]", "[1]", "null", "\"a\"", "{}", "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"x\":1}}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
            struct cache_key_parts a = plain, b = plain;
            a.metadata = str_c(texts[i]);
            b.metadata = str_c(texts[j]);
            assert_int_equal(same_key(a, b), i == j);
        }
    }
}

static void a_namespace_takes_the_place_of_metadata(void **state)
{
    (void)state;
    struct cache_key_parts a = plain, b = plain;
    a.has_namespace = b.has_namespace = true;
    a.name_space = b.name_space = STR("user-1");
    b.metadata = STR("{\"z\":\"9\"}");
    assert_true(same_key(a, b));
    b.name_space = STR("user-2");
    assert_false(same_key(a, b));
    b.name_space = STR("user-1");
    b.workspace_id = 2;
    assert_false(same_key(a, b));
    a.name_space = STR("");
    assert_false(same_key(a, plain));
}

static bool allows(const char *method, const char *path)
{
    return cache_allows(endpoint_find(str_c(method), str_c(path)), str_c(method));
}

static void what_changes_something_upstream_is_not_kept(void **state)
{
    (void)state;
    static const char *const kept[] = {"/chat/completions",     "/completions", "/responses",
                                       "/embeddings",           "/moderations", "/images/generations",
                                       "/engines/e/completions"};
    static const char *const not_kept[] = {"/files",
                                           "/batches",
                                           "/fine_tuning/jobs",
                                           "/images/edits",
                                           "/images/variations",
                                           "/audio/speech",
                                           "/audio/transcriptions",
                                           "/audio/translations",
                                           "/vector_stores",
                                           "/threads",
                                           "/threads/t/runs",
                                           "/conversations",
                                           "/uploads",
                                           "/responses/r/cancel",
                                           "/anything/else",
                                           "/assistants",
                                           "/containers",
                                           "/evals",
                                           "/realtime/sessions",
                                           "/videos"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        assert_true(allows("POST", kept[i]));
        assert_false(allows("GET", kept[i]));
        assert_false(allows("DELETE", kept[i]));
    }
    for (size_t i = 0; i < sizeof not_kept / sizeof not_kept[0]; i++)
        assert_false(allows("POST", not_kept[i]));
}

static void an_answer_comes_back_with_all_its_facts(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open_memory(16 << 20);
    for (uint64_t i = 0; i < 500; i++)
        cache_rig_put(c, i, i * 7);
    for (uint64_t i = 0; i < 500; i++) {
        const struct cache_entry *e = cache_rig_find(c, i);
        assert_non_null(e);
        assert_true(cache_rig_right(e, i, i * 7));
        cache_release(e);
    }
    assert_null(cache_rig_find(c, 501));
    cache_close(c);
}

static void an_answer_expires(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open_memory(1 << 20);
    struct cache_answer a = *cache_rig_answer(1, 100);
    unsigned char key[CACHE_KEY_BYTES];
    struct cache_stats s;
    bool on_disk;
    cache_rig_key(1, key);
    a.expires_us = NOW + 60000000;
    cache_put(c, key, &a);
    const struct cache_entry *e = cache_find(c, key, NOW + 59999999, &on_disk);
    assert_non_null(e);
    cache_release(e);
    assert_null(cache_find(c, key, NOW + 60000000, &on_disk));
    assert_false(on_disk);
    cache_stats_of(c, &s);
    assert_int_equal(s.entries, 0);
    assert_int_equal(s.memory_bytes, 0);
    cache_close(c);
}

static void the_same_key_again_takes_the_place(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open_memory(1 << 20);
    unsigned char key[CACHE_KEY_BYTES];
    struct cache_stats s;
    cache_rig_key(1, key);
    cache_put(c, key, cache_rig_answer(1, 5000));
    const struct cache_entry *old = cache_rig_find(c, 1);
    cache_put(c, key, cache_rig_answer(2, 100));
    const struct cache_entry *e = cache_rig_find(c, 1);
    assert_true(cache_rig_right(e, 2, 100));
    assert_true(cache_rig_right(old, 1, 5000)); /* whoever has it keeps it */
    cache_stats_of(c, &s);
    assert_int_equal(s.entries, 1);
    assert_true(s.memory_bytes < 1000);
    cache_release(e);
    cache_close(c);
    assert_true(cache_rig_right(old, 1, 5000));
    cache_release(old);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open_memory(100 * 1000);
    struct cache_stats s;
    uint64_t room = 0;
    for (uint64_t i = 0; i == room; i++) { /* how many fit */
        cache_rig_put(c, i, 1000);
        cache_stats_of(c, &s);
        room = s.entries;
    }
    assert_in_range(room, 60, 99);
    const struct cache_entry *e = cache_rig_find(c, 1); /* 0 has gone already */
    assert_non_null(e);
    cache_release(e);
    cache_rig_put(c, 1000, 1000);
    assert_null(cache_rig_find(c, 2));
    for (uint64_t i = 3; i < room; i++) {
        e = cache_rig_find(c, i);
        assert_non_null(e);
        cache_release(e);
    }
    e = cache_rig_find(c, 1);
    assert_non_null(e);
    cache_release(e);
    cache_stats_of(c, &s);
    assert_int_equal(s.evictions, 2);
    cache_close(c);
}

static void the_cap_holds_for_all_sizes(void **state)
{
    (void)state;
    const uint64_t cap = 300000;
    struct cache *c = cache_rig_open_memory(cap);
    struct cache_stats s;
    for (uint64_t i = 0; i < 3000; i++) {
        cache_rig_put(c, i, (i * 7919) % 40000);
        cache_stats_of(c, &s);
        assert_true(s.memory_bytes <= cap);
        assert_true(s.entries > 0);
    }
    cache_rig_put(c, 5000, cap); /* can not fit with its overheads: nothing is evicted for it */
    uint64_t entries = s.entries;
    cache_stats_of(c, &s);
    assert_int_equal(s.entries, entries);
    assert_null(cache_rig_find(c, 5000));
    cache_close(c);
}

static void too_large_an_answer_is_not_kept(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open_memory(64 << 20);
    cache_rig_put(c, 1, CACHE_ENTRY_MAX);
    cache_rig_put(c, 2, CACHE_ENTRY_MAX + 1);
    const struct cache_entry *e = cache_rig_find(c, 1);
    assert_non_null(e);
    cache_release(e);
    assert_null(cache_rig_find(c, 2));
    cache_close(c);
}

/* What the heap holds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t heap_bytes(void)
{
    return __sanitizer_get_current_allocated_bytes();
}
#else
static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}
#endif

static void the_heap_holds_what_the_cap_says(void **state)
{
    (void)state;
    const size_t cap = 8 << 20;
    struct cache_stats s;
    size_t before = heap_bytes();
    struct cache *c = cache_rig_open_memory(cap);
    size_t idle = heap_bytes() - before;
    assert_true(idle < 8192);
    for (uint64_t i = 0; i < 30000; i++)
        cache_rig_put(c, i, 200 + i % 1000);
    cache_stats_of(c, &s);
    size_t held = heap_bytes() - before;
    print_message("%zu bytes idle; %llu entries: %zu held, %llu counted\n", idle, (unsigned long long)s.entries, held,
                  (unsigned long long)s.memory_bytes);
    assert_true(s.memory_bytes > cap * 9 / 10);
#ifndef __SANITIZE_THREAD__ /* which allocates in steps of its own */
    assert_true(held <= cap + idle);
#endif
    cache_close(c);
}

static void the_index_of_the_disk_follows_every_change(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    static bool there[KEYS];
    struct shards *s = shards_new(0);
    struct rng_seeded g = {1};
    struct shards_stats stats;
    unsigned char key[CACHE_KEY_BYTES];
    uint64_t count = 0;
    bool on_disk;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t n = rng_seeded_below(&g, KEYS), wanted = rng_seeded_below(&g, 5) < (i / 10000 % 2 ? 1 : 4);
        cache_rig_key(n, key);
        if (wanted)
            shards_index_add(s, key);
        else
            shards_index_remove(s, key);
        count += wanted - (uint64_t)there[n];
        there[n] = wanted;
    }
    for (uint64_t n = 0; n < KEYS; n++) {
        cache_rig_key(n, key);
        assert_null(shards_find(s, key, NOW, &on_disk));
        assert_int_equal(on_disk, there[n]);
    }
    shards_stats_of(s, &stats);
    assert_int_equal(stats.indexed, count);
    assert_true(stats.index_bytes <= KEYS * 24);
    shards_index_clear(s);
    shards_stats_of(s, &stats);
    assert_int_equal(stats.indexed + stats.index_bytes, 0);
    shards_free(s);
}

static void a_zero_cap_keeps_nothing(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open_memory(0);
    cache_rig_put(c, 1, 10);
    assert_null(cache_rig_find(c, 1));
    assert_null(cache_rig_fetch(c, 1));
    cache_close(c);
}

static void without_a_disk_a_fetch_finds_what_memory_has(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open_memory(1 << 20);
    assert_null(cache_rig_fetch(c, 1));
    cache_rig_put(c, 1, 10);
    const struct cache_entry *e = cache_rig_fetch(c, 1);
    assert_non_null(e);
    cache_release(e);
    cache_close(c);
    cache_close(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_a_key_counts),
        cmocka_unit_test(parts_do_not_run_into_each_other),
        cmocka_unit_test(order_of_metadata_does_not_count),
        cmocka_unit_test(a_body_counts_by_its_members),
        cmocka_unit_test(how_the_answer_is_to_come_does_not_count),
        cmocka_unit_test(metadata_that_is_no_object_counts_as_it_stands),
        cmocka_unit_test(a_namespace_takes_the_place_of_metadata),
        cmocka_unit_test(what_changes_something_upstream_is_not_kept),
        cmocka_unit_test(an_answer_comes_back_with_all_its_facts),
        cmocka_unit_test(an_answer_expires),
        cmocka_unit_test(the_same_key_again_takes_the_place),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(the_cap_holds_for_all_sizes),
        cmocka_unit_test(too_large_an_answer_is_not_kept),
        cmocka_unit_test(the_heap_holds_what_the_cap_says),
        cmocka_unit_test(the_index_of_the_disk_follows_every_change),
        cmocka_unit_test(a_zero_cap_keeps_nothing),
        cmocka_unit_test(without_a_disk_a_fetch_finds_what_memory_has),
    };
    return cmocka_run_group_tests(tests, cache_rig_begin, cache_rig_end);
}
