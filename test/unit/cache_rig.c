/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies are text that compresses as answers do, begun with their number. */
#include "cache_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ledger_fixture.h"

#define BODY_MAX (8u << 20)

struct loop *cache_rig_loop;
static char *body;

int cache_rig_begin(void **state)
{
    cache_rig_loop = loop_new();
    body = mem_alloc(BODY_MAX);
    return cache_rig_loop ? fixture_make_dir(state) : -1;
}

int cache_rig_end(void **state)
{
    loop_free(cache_rig_loop);
    mem_free(body);
    return fixture_remove_dir(state);
}

static struct cache *open_at(const char *dir, uint64_t memory_max_bytes, uint64_t disk_max_bytes)
{
    char why[256] = "";
    struct cache *c = NULL;
    struct cache_settings s = {.dir = dir,
                               .memory_max_bytes = memory_max_bytes,
                               .disk_max_bytes = disk_max_bytes,
                               .semantic_max = 1000,
                               .semantic_model = RIG_MODEL};
    assert_int_equal(cache_open(&s, &c, why, sizeof why), ERR_OK);
    assert_string_equal(why, "");
    return c;
}

struct cache *cache_rig_open(uint64_t memory_max_bytes, uint64_t disk_max_bytes)
{
    return open_at(fixture_test_dir, memory_max_bytes, disk_max_bytes);
}

struct cache *cache_rig_open_memory(uint64_t memory_max_bytes)
{
    return open_at(NULL, memory_max_bytes, 0);
}

void cache_rig_key(uint64_t number, unsigned char out[CACHE_KEY_BYTES])
{
    struct cache_key_parts parts = {.workspace_id = (int64_t)number, .upstream = STR("rig")};
    cache_key(&parts, out);
}

const struct cache_answer *cache_rig_answer(uint64_t number, size_t body_bytes)
{
    static struct cache_answer a;
    assert_true(body_bytes <= BODY_MAX - 64);
    size_t n = (size_t)snprintf(body, 64, "{\"id\":\"chatcmpl-%llu\",\"choices\":[", (unsigned long long)number);
    for (uint64_t x = number; n < body_bytes; n++, x = x * 6364136223846793005u + 1442695040888963407u)
        body[n] = "etaoin shrdlu {}\"'"[x >> 33 & 15];
    a = (struct cache_answer){.content_type = STR("application/json"),
                              .body = str_of(body, body_bytes ? body_bytes : n),
                              .model = STR("gpt-4o-mini-2024-07-18"),
                              .cost_pusd = (int64_t)number * 1000 - 1,
                              .created_us = INT64_C(1800000000000000),
                              .expires_us = INT64_C(2000000000000000) + (int64_t)number};
    a.usage = (struct usage){.source = USAGE_REPORTED,
                             .input_total_tok = number,
                             .output_total_tok = 7,
                             .reasoning_tok = 3,
                             .service_tier = "default"};
    a.usage.quantity[METER_INPUT] = number;
    a.usage.quantity[METER_COUNT - 1] = UINT64_MAX;
    a.stream = number % 2 == 1;
    return &a;
}

void cache_rig_put(struct cache *c, uint64_t number, size_t body_bytes)
{
    unsigned char key[CACHE_KEY_BYTES];
    cache_rig_key(number, key);
    cache_put(c, key, cache_rig_answer(number, body_bytes));
}

bool cache_rig_right(const struct cache_entry *e, uint64_t number, size_t body_bytes)
{
    const struct cache_answer *a = cache_answer_of(e), *b = cache_rig_answer(number, body_bytes);
    return str_eq(a->content_type, b->content_type) && str_eq(a->body, b->body) && str_eq(a->model, b->model) &&
           memcmp(&a->usage, &b->usage, sizeof a->usage) == 0 && a->cost_pusd == b->cost_pusd &&
           a->created_us == b->created_us && a->expires_us == b->expires_us && a->stream == b->stream;
}

void cache_rig_done(void *ctx, const struct cache_entry *e)
{
    struct cache_rig_wait *w = ctx;
    assert_false(w->done);
    w->done = true;
    w->entry = e;
}

const struct cache_entry *cache_rig_wait_for(struct cache_rig_wait *w)
{
    uint64_t until = clock_mono_us() + 20000000;
    while (!w->done && clock_mono_us() < until)
        loop_turn(cache_rig_loop, 10000);
    assert_true(w->done);
    return w->entry;
}

const struct cache_entry *cache_rig_fetch(struct cache *c, uint64_t number)
{
    unsigned char key[CACHE_KEY_BYTES];
    struct cache_rig_wait w = {0};
    cache_rig_key(number, key);
    assert_non_null(cache_fetch(c, key, cache_rig_loop, cache_rig_done, &w));
    return cache_rig_wait_for(&w);
}

/* A look-up overtakes all writes but those of one batch, which is a sixteenth of the queue. */
void cache_rig_settle(struct cache *c)
{
    for (int i = 0; i < 20; i++)
        cache_release(cache_rig_fetch(c, UINT64_MAX));
}

const struct cache_entry *cache_rig_find(struct cache *c, uint64_t number)
{
    unsigned char key[CACHE_KEY_BYTES];
    bool on_disk;
    cache_rig_key(number, key);
    const struct cache_entry *e = cache_find(c, key, INT64_C(1800000000000000), &on_disk);
    assert_false(e && on_disk);
    return e || !on_disk ? e : cache_rig_fetch(c, number);
}
