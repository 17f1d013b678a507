/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four threads with loops of their own, as workers are, and the cache's thread: everything at once,
 * with little room, so that entries come and go while they are read. Of most use under the thread
 * sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "gateway/cache/semantic.h"
#include "ledger_fixture.h"
#include "net/loop.h"

#define THREADS 4
#define KEYS 400
#define MEMORY 60000
#define NOW INT64_C(1800000000000000)
#define LOOKS 8

struct worker {
    struct cache *cache;
    struct loop *loop;
    struct rng_seeded rng;
    pthread_t thread;
    unsigned steps;
    uint64_t found, missed, fetched, cancelled, near;
};

struct look {
    struct worker *worker;
    struct cache_fetch *fetch; /* NULL: free */
    uint64_t number;           /* KEYS: of any number */
};

static size_t body_of(uint64_t number, char out[1024])
{
    size_t n = 40 + (size_t)(number * 13 % 900);
    memset(out, 'a' + (int)(number % 26), n);
    memcpy(out, &number, sizeof number);
    return n;
}

static void key_of(uint64_t number, unsigned char out[CACHE_KEY_BYTES])
{
    struct cache_key_parts parts = {.workspace_id = (int64_t)number};
    cache_key(&parts, out);
}

/* Test functions of cmocka end the thread they run on; these end the process. */
static void check(const struct cache_entry *e, uint64_t number)
{
    char body[1024];
    const struct cache_answer *a = cache_answer_of(e);
    uint64_t said;
    memcpy(&said, a->body.p, sizeof said);
    must(number == KEYS || said == number);
    size_t n = body_of(said, body);
    must(a->body.n == n);
    must(memcmp(a->body.p, body, n) == 0);
    must((uint64_t)a->cost_pusd == said);
    cache_release(e);
}

static void put(struct worker *w, uint64_t number, bool by_meaning)
{
    unsigned char key[CACHE_KEY_BYTES];
    char body[1024];
    struct cache_answer a = {.content_type = STR("text/event-stream"),
                             .body = str_of(body, body_of(number, body)),
                             .model = STR("m"),
                             .cost_pusd = (int64_t)number,
                             .created_us = NOW,
                             .expires_us = NOW * 2};
    key_of(number, key);
    if (by_meaning) {
        struct semantic_question q = {.text = STR("x")};
        const float vector[3] = {(float)number, 1, -1};
        semantic_put(w->cache, 1, &q, vector, 3, key, &a);
    } else {
        cache_put(w->cache, key, &a);
    }
}

static void on_found(void *ctx, const struct cache_entry *e)
{
    struct look *l = ctx;
    l->fetch = NULL;
    if (!e)
        return;
    l->worker->near += l->number == KEYS;
    l->worker->fetched++;
    check(e, l->number);
}

static void look(struct worker *w, struct look *l, uint64_t number, bool by_meaning)
{
    unsigned char key[CACHE_KEY_BYTES];
    if (l->fetch && rng_seeded_below(&w->rng, 20) == 0) {
        cache_fetch_cancel(l->fetch);
        l->fetch = NULL;
        w->cancelled++;
    }
    if (l->fetch)
        return;
    l->worker = w;
    l->number = by_meaning ? KEYS : number;
    key_of(number, key);
    if (by_meaning) {
        struct semantic_question q = {.text = STR("x")};
        const float vector[3] = {(float)number, 1, -1};
        l->fetch = semantic_find(w->cache, 1, &q, vector, 3, 0.9f, w->loop, on_found, l);
    } else {
        l->fetch = cache_fetch(w->cache, key, w->loop, on_found, l);
    }
}

static void find(struct worker *w, uint64_t number)
{
    unsigned char key[CACHE_KEY_BYTES];
    bool on_disk;
    key_of(number, key);
    const struct cache_entry *e = cache_find(w->cache, key, NOW, &on_disk);
    must(!e || !on_disk);
    if (e) {
        w->found++;
        check(e, number);
    } else {
        w->missed++;
    }
}

static void *work(void *ctx)
{
    struct worker *w = ctx;
    struct look looks[LOOKS] = {0};
    struct cache_stats stats;
    for (unsigned i = 0; i < w->steps; i++) {
        uint64_t number = rng_seeded_below(&w->rng, KEYS);
        switch (rng_seeded_below(&w->rng, 10)) {
        case 0:
        case 1:
        case 2:
            put(w, number, false);
            break;
        case 3:
            put(w, number, true);
            break;
        case 4:
            look(w, &looks[number % LOOKS], number, false);
            break;
        case 5:
            look(w, &looks[number % LOOKS], number, true);
            break;
        case 6:
            cache_stats_of(w->cache, &stats);
            must(stats.memory_bytes <= MEMORY + THREADS * 2000); /* what others are just reserving */
            loop_turn(w->loop, i % 16 ? 0 : 2000);
            break;
        default:
            find(w, number);
        }
    }
    for (int i = 0; i < LOOKS; i++)
        if (looks[i].fetch)
            cache_fetch_cancel(looks[i].fetch);
    loop_free(w->loop);
    return NULL;
}

static void run(const char *dir)
{
    struct worker workers[THREADS] = {0};
    struct cache *c;
    char why[200];
    struct cache_settings s = {
        .dir = dir, .memory_max_bytes = MEMORY, .disk_max_bytes = 300000, .semantic_max = 100, .semantic_model = "m"};
    assert_int_equal(cache_open(&s, &c, why, sizeof why), ERR_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.cache = c, .loop = loop_new(), .rng = {i + 1}, .steps = 20000 * fixture_scale()};
        assert_non_null(workers[i].loop);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    struct worker sum = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        sum.found += workers[i].found;
        sum.missed += workers[i].missed;
        sum.fetched += workers[i].fetched;
        sum.cancelled += workers[i].cancelled;
        sum.near += workers[i].near;
    }
    struct cache_stats stats;
    cache_stats_of(c, &stats);
    print_message("found %llu, missed %llu, fetched %llu (near %llu), cancelled %llu, evicted %llu, dropped %llu\n",
                  (unsigned long long)sum.found, (unsigned long long)sum.missed, (unsigned long long)sum.fetched,
                  (unsigned long long)sum.near, (unsigned long long)sum.cancelled, (unsigned long long)stats.evictions,
                  (unsigned long long)stats.dropped);
    assert_true(sum.found > 0);
    assert_true(sum.missed > 0);
    assert_true(sum.fetched > 0);
    assert_true(stats.evictions > 0);
    assert_true(stats.memory_bytes <= MEMORY);
    cache_close(c);
}

static void threads_share_a_cache_with_a_disk(void **state)
{
    (void)state;
    run(fixture_test_dir);
    run(fixture_test_dir);
}

static void threads_share_a_cache_in_memory(void **state)
{
    (void)state;
    run(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_share_a_cache_with_a_disk, fixture_make_dir, fixture_remove_dir),
        cmocka_unit_test(threads_share_a_cache_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
