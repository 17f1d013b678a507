/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cache costs: making a key, looking one up, keeping an answer, telling one again, and the
 * search by meaning. CPU of the calling thread but for the search, which is another thread's.
 *
 *     bench_cache [directory]
 *
 * With a directory also writing to and reading from cache.db in it. A few seconds.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "bench_util.h"
#include "gateway/cache/cache.h"
#include "gateway/cache/vectors.h"
#include "net/loop.h"

#define ENTRIES 20000
#define BODY 800
#define NOW INT64_C(1800000000000000)

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void say(const char *what, uint64_t ns, uint64_t times)
{
    printf("%-44s %9.0f ns\n", what, (double)ns / (double)times);
}

static void key_of(uint64_t number, unsigned char out[CACHE_KEY_BYTES])
{
    memset(out, 0, CACHE_KEY_BYTES);
    for (size_t at = 0; at < CACHE_KEY_BYTES; at += sizeof number) {
        number = number * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t mixed = number ^ number >> 29;
        memcpy(out + at, &mixed, sizeof mixed);
    }
}

/* A chat request of about `size` bytes. */
static void bench_keys(size_t size)
{
    char *body = mem_alloc(size + 128), title[64];
    int n = snprintf(body, 128,
                     "{\"model\":\"gpt-4o-mini\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"");
    memset(body + n, 'x', size);
    memcpy(body + size - 4, "\"}]}", 4);
    struct cache_key_parts parts = {.workspace_id = 1,
                                    .upstream = STR("api.openai.com/v1/chat/completions"),
                                    .body = str_of(body, size),
                                    .metadata = STR("{\"_user\":\"u-1\",\"team\":\"search\"}")};
    unsigned char key[CACHE_KEY_BYTES];
    uint64_t from = cpu_ns();
    for (int i = 0; i < 20000; i++)
        cache_key(&parts, key);
    snprintf(title, sizeof title, "key of a request of %zu bytes", size);
    say(title, cpu_ns() - from, 20000);
    mem_free(body);
}

static struct cache_answer answer_of(char *body)
{
    memset(body, 'y', BODY);
    return (struct cache_answer){.content_type = STR("application/json"),
                                 .body = str_of(body, BODY),
                                 .model = STR("gpt-4o-mini-2024-07-18"),
                                 .expires_us = NOW * 2};
}

static void bench_memory(struct cache *c, const char *where)
{
    unsigned char key[CACHE_KEY_BYTES];
    char body[BODY], title[64];
    bool on_disk;
    struct cache_answer a = answer_of(body);
    uint64_t from = cpu_ns();
    for (uint64_t i = 0; i < ENTRIES; i++) {
        key_of(i, key);
        cache_put(c, key, &a);
    }
    snprintf(title, sizeof title, "put of %d bytes, %s", BODY, where);
    say(title, cpu_ns() - from, ENTRIES);
    from = cpu_ns();
    for (uint64_t i = 0; i < 10 * ENTRIES; i++) {
        key_of(i * 7919 % ENTRIES, key);
        const struct cache_entry *e = cache_find(c, key, NOW, &on_disk);
        must(e);
        cache_release(e);
    }
    say("find, hit", cpu_ns() - from, 10 * ENTRIES);
    from = cpu_ns();
    for (uint64_t i = 0; i < 10 * ENTRIES; i++) {
        key_of(ENTRIES + i, key);
        must(!cache_find(c, key, NOW, &on_disk));
    }
    say("find, miss", cpu_ns() - from, 10 * ENTRIES);
}

static void bench_render(void)
{
    char body[2048];
    struct buf out;
    struct str type;
    int n = snprintf(body, sizeof body,
                     "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\","
                     "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    memset(body + n, 'z', 1200);
    n += 1200;
    n +=
        snprintf(body + n, sizeof body - (size_t)n, "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":9}}");
    struct cache_answer a = {.body = str_of(body, (size_t)n)};
    struct cache_replay how = {endpoint_find(STR("POST"), STR("/chat/completions")), true, true};
    buf_init(&out, 1 << 20);
    uint64_t from = cpu_ns();
    for (int i = 0; i < 100000; i++) {
        buf_reset(&out);
        must(cache_render(&a, &how, &out, &type));
    }
    say("1.4 KB of JSON told as a stream", cpu_ns() - from, 100000);
    char *stream = mem_strndup(buf_str(&out).p, buf_size(&out));
    a = (struct cache_answer){.body = str_c(stream), .stream = true};
    how.stream = false;
    from = cpu_ns();
    for (int i = 0; i < 50000; i++) {
        buf_reset(&out);
        must(cache_render(&a, &how, &out, &type));
    }
    say("... and joined again", cpu_ns() - from, 50000);
    mem_free(stream);
    buf_free(&out);
}

static unsigned waiting;

static void on_found(void *ctx, const struct cache_entry *e)
{
    (void)ctx;
    must(e);
    cache_release(e);
    waiting--;
}

/* One after the other, so the time is that of the way to the thread, the disk and back. */
static void bench_disk(const struct cache_settings *s)
{
    char why[256];
    unsigned char key[CACHE_KEY_BYTES];
    struct cache *c;
    struct cache_stats stats;
    struct loop *l = loop_new();
    must(l && cache_open(s, &c, why, sizeof why) == ERR_OK);
    char body[BODY];
    struct cache_answer a = answer_of(body);
    uint64_t from = bench_now_ns();
    for (uint64_t i = 0; i < 2000; i++) {
        key_of(i, key);
        cache_put(c, key, &a);
        do /* the queue is bounded, and would drop */
            cache_stats_of(c, &stats);
        while (stats.disk_entries + 500 < i);
    }
    cache_close(c);
    say("written to the disk, wall clock", bench_now_ns() - from, 2000);
    must(cache_open(s, &c, why, sizeof why) == ERR_OK);
    from = bench_now_ns();
    for (uint64_t i = 0; i < 2000; i++) {
        key_of(i, key);
        waiting = 1;
        (void)cache_fetch(c, key, l, on_found, NULL);
        while (waiting)
            loop_turn(l, 1000000);
    }
    say("fetched from the disk, wall clock", bench_now_ns() - from, 2000);
    cache_close(c);
    loop_free(l);
}

static void bench_search(void)
{
    enum { COUNT = 100000, DIMENSIONS = 256 };
    struct vectors *v = vectors_new(COUNT, 1 << 30);
    struct rng_seeded g = {1};
    float vector[DIMENSIONS];
    unsigned char key[CACHE_KEY_BYTES] = {0}, lost[CACHE_KEY_BYTES];
    const unsigned char *at;
    bool has_lost;
    struct vectors_item item = {1, key, key, vector, DIMENSIONS, 1};
    for (unsigned i = 0; i < COUNT; i++) {
        for (unsigned k = 0; k < DIMENSIONS; k++)
            vector[k] = (float)(rng_seeded_u64(&g) >> 40) / (float)(1 << 23) - 1;
        must(vectors_add(v, &item, lost, &has_lost));
    }
    uint64_t from = cpu_ns();
    for (int i = 0; i < 20; i++)
        must(vectors_nearest(v, &item, 0.95f, 0, &at));
    say("nearest of 100,000 vectors of 256 numbers", cpu_ns() - from, 20);
    vectors_free(v);
}

int main(int argc, char **argv)
{
    char why[256];
    struct cache *c;
    struct cache_settings s = {.memory_max_bytes = 256 << 20, .semantic_max = 1000};
    bench_keys(1024);
    bench_keys(16384);
    must(cache_open(&s, &c, why, sizeof why) == ERR_OK);
    bench_memory(c, "memory only");
    cache_close(c);
    bench_render();
    bench_search();
    if (argc > 1) {
        s.dir = argv[1];
        s.memory_max_bytes = 0;
        s.disk_max_bytes = 1 << 30;
        bench_disk(&s);
    }
    return 0;
}
