/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_INNER_H
#define GATEWAY_CACHE_INNER_H

/*
 * inner: what cache.c and semantic.c share: the cache as it is made up.
 */

#include "gateway/cache/jobs.h"
#include "gateway/cache/shards.h"

struct cache {
    struct shards *shards;
    struct jobs *jobs;
};

/* A copy with a reference for the caller, in memory where there is room; NULL when it is not kept. */
const struct cache_entry *inner_keep(struct cache *c, const unsigned char key[CACHE_KEY_BYTES],
                                     const struct cache_answer *answer);

#endif
