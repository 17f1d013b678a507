/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_ENTRY_H
#define GATEWAY_CACHE_ENTRY_H

/*
 * entry: one kept answer. Immutable but for its reference count and its place in a shard, which
 * belongs to the shard's lock. The texts of the answer stand behind the struct, in the same piece
 * of memory.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "gateway/cache/cache.h"

struct cache_entry {
    _Atomic unsigned references;
    unsigned char key[CACHE_KEY_BYTES];
    struct cache_answer answer;
    size_t bytes; /* what it costs in memory, all told */
    /* The shard's. */
    struct cache_entry *chain;
    struct list recent;
    uint64_t used; /* when it was last asked for, in look-ups */
};

/* What an entry for this answer will cost; SIZE_MAX when the answer is too large to be kept. */
size_t entry_cost(const struct cache_answer *answer);
/* A copy, with one reference; the answer must not be too large. */
struct cache_entry *entry_new(const unsigned char key[CACHE_KEY_BYTES], const struct cache_answer *answer);
void entry_hold(const struct cache_entry *e);

/* The facts of an answer (all but its body) as bytes for the disk, and back. */
#define ENTRY_FACTS_MAX 1024
size_t entry_facts_write(const struct cache_answer *answer, unsigned char out[ENTRY_FACTS_MAX]);
/* Views into `bytes`; the body is left empty. False when the bytes are not such facts. */
bool entry_facts_read(struct str bytes, struct cache_answer *ret_answer);

#endif
