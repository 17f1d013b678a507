/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_VECTORS_H
#define GATEWAY_CACHE_VECTORS_H

/*
 * vectors: questions as directions, and the exact search among them.
 *
 * For each workspace and number of dimensions a ring: the newest take the place of the oldest when
 * the ring is as large as it may be. A vector counts only for questions of its own workspace and
 * group. All rings together stay within a cap; where a workspace would get nothing, the largest ring
 * is given up.
 *
 * Not thread-safe: the cache's thread owns it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/cache.h"

#define VECTORS_DIMENSIONS_MAX 1536

struct vectors;

struct vectors *vectors_new(unsigned ring_max, uint64_t max_bytes);
void vectors_free(struct vectors *v);

struct vectors_item {
    int64_t workspace_id;
    const unsigned char *group; /* CACHE_KEY_BYTES */
    const unsigned char *key;   /* of the answer; CACHE_KEY_BYTES */
    const float *vector;        /* any length but 0: it is brought to length 1 */
    unsigned dimensions;        /* 1 … VECTORS_DIMENSIONS_MAX */
    int64_t expires_us;
};

/*
 * Keeps a copy; the key must be a new one (vectors_forget). True when it did; false when it has no
 * direction or there is no room. *ret_lost: the key of an older one that had to go (*ret_has_lost).
 */
bool vectors_add(struct vectors *v, const struct vectors_item *item, unsigned char ret_lost[CACHE_KEY_BYTES],
                 bool *ret_has_lost);
/*
 * The nearest of at least `threshold` that has not expired. True when there is one; its key is good
 * until the next call that changes `v`.
 */
bool vectors_nearest(const struct vectors *v, const struct vectors_item *question, float threshold, int64_t now_us,
                     const unsigned char **ret_key);
/* The vector with this key in that workspace will not be found any more. */
void vectors_forget(struct vectors *v, int64_t workspace_id, const unsigned char key[CACHE_KEY_BYTES]);
void vectors_clear(struct vectors *v);

uint64_t vectors_count(const struct vectors *v);
uint64_t vectors_bytes(const struct vectors *v);

/* Sum of products; 16 at a time, the rest singly. */
float vectors_dot(const float *a, const float *b, unsigned n);

#endif
