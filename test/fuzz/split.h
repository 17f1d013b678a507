/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FUZZ_SPLIT_H
#define TEST_FUZZ_SPLIT_H

/*
 * split: cuts an input into pieces that depend on a seed alone, each in memory of exactly its size,
 * so that a sanitizer sees a read beyond a piece.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/str.h"

struct split {
    struct str rest;
    uint64_t random;
    char *piece; /* the last one given */
};

static inline void split_begin(struct split *s, const uint8_t *p, size_t n, uint64_t seed)
{
    *s = (struct split){.rest = str_of((const char *)p, n), .random = seed * 2 + 1};
}

/* False behind the last piece. Seed 0 gives all in one. */
static inline bool split_next(struct split *s, struct str *ret_piece)
{
    free(s->piece);
    s->piece = NULL;
    if (s->rest.n == 0)
        return false;
    size_t n = s->rest.n;
    if (s->random > 1) {
        s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t most = s->random >> 62 ? 4 : 40;
        n = 1 + (size_t)(s->random >> 33) % most;
        n = n < s->rest.n ? n : s->rest.n;
    }
    s->piece = malloc(n);
    must(s->piece);
    memcpy(s->piece, s->rest.p, n);
    *ret_piece = str_of(s->piece, n);
    s->rest = str_from(s->rest, n);
    return true;
}

#endif
