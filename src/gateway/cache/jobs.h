/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_JOBS_H
#define GATEWAY_CACHE_JOBS_H

/*
 * jobs: what the cache's thread does for others: look-ups on the disk and among vectors, which
 * somebody waits for, and writes, which nobody does. Look-ups go first.
 *
 * The thread is started by the first job, or at once when there is a file to be read. Both queues
 * are bounded: a look-up too many finds nothing, a write too many is dropped and counted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/entry.h"
#include "gateway/cache/shards.h"
#include "gateway/cache/vectors.h"

#define JOBS_LOOKUPS_MAX 4096
#define JOBS_WRITES_MAX 1024
#define JOBS_WRITE_BYTES_MAX (16u << 20) /* of entries and vectors that wait */

struct jobs;

struct jobs_settings {
    const struct cache_settings *cache; /* copied */
    struct shards *shards;
};

/* A question's vector on its way to the thread. */
struct jobs_vector {
    int64_t workspace_id;
    unsigned char group[CACHE_KEY_BYTES];
    unsigned dimensions;
    const float *numbers; /* copied */
    float threshold;      /* look-ups */
};

/* False, with a sentence in `why`, when the thread that is to read the file can not be started. */
bool jobs_new(const struct jobs_settings *settings, struct jobs **ret_jobs, char *why, size_t why_cap);
/* Does all that waits, then ends the thread. */
void jobs_free(struct jobs *j);

/* Whether keys that the index does not know may be on the disk: it is still being read. */
bool jobs_loading(const struct jobs *j);
bool jobs_have_disk(const struct jobs *j);

/* By key, or with `vector` by meaning. */
struct cache_fetch *jobs_look(struct jobs *j, const unsigned char key[CACHE_KEY_BYTES],
                              const struct jobs_vector *vector, struct loop *l, cache_fetch_fn *fn, void *ctx);
/* Holds a reference until it is written; with `vector` it can be found by meaning. */
void jobs_write(struct jobs *j, const struct cache_entry *e, const struct jobs_vector *vector);

struct jobs_stats {
    uint64_t disk_entries, disk_bytes, vectors, dropped;
};
void jobs_stats_of(const struct jobs *j, struct jobs_stats *ret);

#endif
