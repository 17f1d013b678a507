/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_KEPT_BLOB_H
#define SIM_KEPT_BLOB_H

/*
 * blob: the content of a file, counted by references, with its length and SHA-256.
 *
 * All contents together stay below the pool's maximum: when a new one needs room, the oldest lose
 * their bytes (length and hash stay known). Whoever reads a blob over several turns must look at
 * blob_bytes each time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"

struct blob;

struct blob_pool {
    struct list all; /* oldest first */
    uint64_t bytes, bytes_max;
};

void blob_pool_init(struct blob_pool *p, uint64_t bytes_max);

/* One reference, no content yet. */
struct blob *blob_new(struct blob_pool *p);
void blob_add(struct blob *b, struct str bytes);
/* No more content comes. */
void blob_end(struct blob *b);
struct blob *blob_get(struct blob *b); /* another reference */
void blob_put(struct blob *b);         /* NULL does nothing */

uint64_t blob_size(const struct blob *b);
/* 32 bytes; after blob_end. */
const unsigned char *blob_sha256(const struct blob *b);
/* False when the content had to give way. */
bool blob_bytes(const struct blob *b, struct str *ret_bytes);

#endif
