/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arena: a chain of blocks, newest first; the first block is part of the arena's own allocation.
 * Each further block has twice the size of the one before, up to BLOCK bytes, or what is needed: an
 * arena that holds little stays small.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

#define ALIGN alignof(max_align_t)
#define BLOCK 4096
#define MAGIC 0x61726e61u

struct block {
    struct block *older;
    size_t used;
    size_t size;
    alignas(max_align_t) char bytes[];
};

struct arena {
    unsigned magic;
    size_t cap, spare;
    size_t held;  /* sum of block sizes */
    size_t given; /* bytes handed out */
    struct block *newest;
    struct block *first;
};

static struct block *block_new(size_t size)
{
    struct block *b = mem_alloc(sizeof *b + size);
    b->older = NULL;
    b->used = 0;
    b->size = size;
    return b;
}

struct arena *arena_new(size_t first_bytes, size_t cap_bytes)
{
    must(first_bytes <= cap_bytes);
    struct arena *a = mem_alloc(sizeof *a);
    *a = (struct arena){.magic = MAGIC, .cap = cap_bytes, .held = first_bytes};
    a->first = a->newest = block_new(first_bytes);
    return a;
}

void arena_spare(struct arena *a, size_t bytes)
{
    a->spare = bytes;
}

/* How much a further block for `size` bytes may hold. */
static size_t room_for(const struct arena *a, size_t size)
{
    size_t most = a->cap + (size <= ARENA_SMALL ? a->spare : 0);
    return most > a->held ? most - a->held : 0;
}

void arena_reset(struct arena *a)
{
    must(a->magic == MAGIC);
    while (a->newest != a->first) {
        struct block *older = a->newest->older;
        mem_free(a->newest);
        a->newest = older;
    }
    a->first->used = 0;
    a->held = a->first->size;
    a->given = 0;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_reset(a);
    mem_free(a->first);
    a->magic = 0;
    mem_free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
    must(a->magic == MAGIC);
    if (size > a->cap)
        return NULL;
    size_t need = (size + ALIGN - 1) & ~(ALIGN - 1);
    struct block *b = a->newest;
    if (b->size - b->used < need) {
        size_t twice = b->size < BLOCK / 2 ? b->size * 2 : BLOCK;
        size_t block_size = need > twice ? need : twice;
        if (block_size > room_for(a, size)) {
            block_size = need;
            if (block_size > room_for(a, size))
                return NULL;
        }
        b = block_new(block_size);
        b->older = a->newest;
        a->newest = b;
        a->held += block_size;
    }
    void *p = b->bytes + b->used;
    b->used += need;
    a->given += need;
    memset(p, 0, need);
    return p;
}

struct str arena_dup(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.n + 1);
    if (!copy)
        return (struct str){NULL, 0};
    if (s.n)
        memcpy(copy, s.p, s.n);
    return (struct str){copy, s.n};
}

size_t arena_used(const struct arena *a)
{
    return a->given;
}
