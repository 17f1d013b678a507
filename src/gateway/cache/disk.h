/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_DISK_H
#define GATEWAY_CACHE_DISK_H

/*
 * disk: answers and vectors in DIR/cache.db (mode 0600: it holds questions' answers in clear).
 *
 * A cache may forget but never be wrong: rows carry a checksum over everything in them and are
 * dropped when it does not fit; a file that the database calls damaged is renamed to
 * cache.db.damaged, once with a log line, and begun anew; what cannot be written is not kept. The
 * file is opened when first needed. Room is made before writing, the oldest answers go first, so the
 * file itself stays within the cap; its write-ahead log is up to 10 MB more.
 *
 * Not thread-safe: the cache's thread owns it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/entry.h"
#include "gateway/cache/vectors.h"

#define DISK_ANSWERS_MAX 1000000 /* rows; each costs up to 22 bytes of memory for its place in the index */

struct disk;

struct disk_settings {
    const char *dir;
    uint64_t max_bytes;
    const char *model; /* vectors of another are dropped */
    /* The file knows this key, or does no more. */
    void (*on_known)(void *ctx, const unsigned char key[CACHE_KEY_BYTES], bool known);
    void (*on_cleared)(void *ctx); /* none of them any more */
    void *ctx;
};

struct disk *disk_new(const struct disk_settings *settings);
/* The log is copied back into the file. */
void disk_free(struct disk *d);
/* Whether there is a file to be read. */
bool disk_exists(const char *dir);

/* Tells of every key, and gives every vector to `vectors`. Expired rows and what is above the caps go. */
void disk_load(struct disk *d, struct vectors *vectors);

/* One answer; NULL when it is not there, expired or damaged. */
struct cache_entry *disk_read(struct disk *d, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us);

/* Changes between begin and end are one transaction; false: none of them was kept. */
void disk_begin(struct disk *d);
void disk_put(struct disk *d, const struct cache_entry *e);
void disk_put_vector(struct disk *d, const struct vectors_item *item);
void disk_forget_vector(struct disk *d, const unsigned char key[CACHE_KEY_BYTES]);
bool disk_end(struct disk *d);

/* Removes some of what has expired; false when nothing is left to be removed. */
bool disk_sweep(struct disk *d, int64_t now_us);

struct disk_stats {
    uint64_t answers, bytes;
};
void disk_stats_of(const struct disk *d, struct disk_stats *ret);

#endif
