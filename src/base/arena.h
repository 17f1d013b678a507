/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * Arena: memory with one lifetime.
 *
 * Allocation moves a pointer; nothing is freed singly; arena_reset() gives everything back and
 * keeps the first block, so a steady server allocates nothing. The byte cap is the memory budget of
 * whatever the arena belongs to: for a request, passing it is the client's error, not ours.
 *
 * Not thread-safe. Do not store arena pointers in anything that outlives the arena's owner.
 */

#include <stddef.h>

#include "base/str.h"

struct arena;

/* `first_bytes` is the size of the block that is kept, `cap_bytes` the most it may ever hold. */
struct arena *arena_new(size_t first_bytes, size_t cap_bytes) __attribute__((returns_nonnull));
/*
 * Allocations of at most ARENA_SMALL bytes may go `bytes` beyond the cap: where what is large is counted and refused, small
 * things made of it afterwards still have room.
 */
#define ARENA_SMALL 4096
void arena_spare(struct arena *a, size_t bytes);
void arena_free(struct arena *a); /* NULL does nothing */
void arena_reset(struct arena *a);

/* Zeroed memory, aligned for any type; NULL only when the cap would be passed. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((warn_unused_result, alloc_size(2)));
/* A copy, terminated by a NUL that is not counted. p == NULL only when the cap would be passed. */
struct str arena_dup(struct arena *a, struct str s);

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *a);

#endif
