/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CACHE_RIG_H
#define TEST_CACHE_RIG_H

/*
 * cache_rig: caches for tests: keys and answers made from numbers, so that a wrong answer shows, and
 * look-ups on the cache's thread that are waited for.
 */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/cache.h"
#include "net/loop.h"

#define RIG_MODEL "text-embedding-3-small"
#define RIG_DAY INT64_C(86400000000)

/* Set-up and tear-down: a loop, and what fixture_make_dir makes. */
int cache_rig_begin(void **state);
int cache_rig_end(void **state);
extern struct loop *cache_rig_loop;

/* In the test's directory, or in memory only; dies when that fails. */
struct cache *cache_rig_open(uint64_t memory_max_bytes, uint64_t disk_max_bytes);
struct cache *cache_rig_open_memory(uint64_t memory_max_bytes);

void cache_rig_key(uint64_t number, unsigned char out[CACHE_KEY_BYTES]);
/* The answer that belongs to the number: `body_bytes` long; good until the next call. */
const struct cache_answer *cache_rig_answer(uint64_t number, size_t body_bytes);
void cache_rig_put(struct cache *c, uint64_t number, size_t body_bytes);
/* Whether the entry says what cache_rig_answer says. */
bool cache_rig_right(const struct cache_entry *e, uint64_t number, size_t body_bytes);

/* What the memory, or else the disk, has: a reference or NULL. */
const struct cache_entry *cache_rig_find(struct cache *c, uint64_t number);
/* The look-up on the thread, waited for. */
const struct cache_entry *cache_rig_fetch(struct cache *c, uint64_t number);

/* Until all that was put is on the disk, or dropped. */
void cache_rig_settle(struct cache *c);

/* For callbacks of look-ups: *ctx is a struct cache_rig_wait. */
struct cache_rig_wait {
    bool done;
    const struct cache_entry *entry;
};
void cache_rig_done(void *ctx, const struct cache_entry *e);
/* Turns the loop until it is done; fails the test after 20 s. */
const struct cache_entry *cache_rig_wait_for(struct cache_rig_wait *w);

#endif
