/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_SHARDS_H
#define GATEWAY_CACHE_SHARDS_H

/*
 * shards: the answers in memory, and what is known to be on the disk.
 *
 * A key belongs to one of SHARDS_COUNT parts, each with a lock of its own that is held for a few
 * steps in a table; bodies are copied and freed outside. The byte cap is for all shards together:
 * room is taken first, from the shard whose least recently used entry is the oldest, then the entry
 * is made. Entries that somebody still reads live on until they are released; they are no longer
 * counted.
 *
 * Of what is on the disk 64 bits of each key are known: enough to save a miss the way to the disk.
 *
 * Any thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/entry.h"

#define SHARDS_COUNT 16

struct shards;

struct shards *shards_new(uint64_t max_bytes);
void shards_free(struct shards *s);

/* A reference, or NULL; an expired entry is taken out. *ret_on_disk: its key is in the index. */
const struct cache_entry *shards_find(struct shards *s, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us,
                                      bool *ret_on_disk);
/* Room for `bytes` more, old entries go; false when there can be none. To be used by shards_put or given back. */
bool shards_reserve(struct shards *s, size_t bytes) __attribute__((warn_unused_result));
void shards_unreserve(struct shards *s, size_t bytes);
/* The entry in place of one with the same key; the room of e->bytes was reserved. Holds a reference of its own. */
void shards_put(struct shards *s, struct cache_entry *e);

/* The index of the disk. */
void shards_index_add(struct shards *s, const unsigned char key[CACHE_KEY_BYTES]);
void shards_index_remove(struct shards *s, const unsigned char key[CACHE_KEY_BYTES]);
void shards_index_clear(struct shards *s);

struct shards_stats {
    uint64_t entries, bytes, evictions, indexed, index_bytes;
};
void shards_stats_of(struct shards *s, struct shards_stats *ret);

#endif
