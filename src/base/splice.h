/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SPLICE_H
#define BASE_SPLICE_H

/*
 * splice: replaces a few bytes of a long text that passes by in chunks; all others pass untouched.
 *
 *     splicer_init(&sp, list, n);
 *     for each chunk: while (splicer_next(&sp, &chunk, &piece)) write(piece);
 *     at the end:     while (splicer_end(&sp, &piece)) write(piece);
 *
 * Pieces are views of the chunk or of an edit's text: nothing is copied.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* At offset `at` of the original, `remove` bytes go and `insert` comes. */
struct splice {
    uint64_t at;
    uint64_t remove;
    struct str insert; /* must live as long as the list is in use */
};

struct splicer {
    const struct splice *list; /* ordered by `at`, not overlapping */
    size_t n, next;
    uint64_t offset; /* of the original, bytes consumed so far */
    uint64_t skip;   /* bytes still to be dropped */
};

void splicer_init(struct splicer *sp, const struct splice *list, size_t n);
/* Takes from the front of *chunk; false when the chunk is used up. */
bool splicer_next(struct splicer *sp, struct str *chunk, struct str *ret_piece);
/* What edits behind the last byte insert. False when there is no more. */
bool splicer_end(struct splicer *sp, struct str *ret_piece);
/* The length after all edits of an original of `size` bytes. */
uint64_t splice_result_size(const struct splice *list, size_t n, uint64_t size);

#endif
