/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * buf: bytes that grow at the end and are taken from the front, with a maximum from birth.
 *
 * It owns its memory. Appending past the maximum fails and changes nothing; the caller decides
 * whose error that is. Memory is given back by buf_free, and by buf_release when it is empty, so
 * an idle connection holds none. Views of the content are good until the next append or take.
 *
 * Not thread-safe.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf {
    char *p;      /* start of the allocation, NULL when none */
    size_t start; /* first byte of content */
    size_t end;   /* one past the last byte of content */
    size_t cap;   /* bytes allocated */
    size_t max;   /* most bytes of content this buffer may ever hold */
};

/* An empty buffer without memory. `max` ≥ 1. */
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b); /* back to the state after buf_init */
/* Frees the memory when there is no content. */
void buf_release(struct buf *b);
void buf_reset(struct buf *b); /* drops the content, keeps the memory */
/* Gives back what is not content, for content that stays as it is for long. */
void buf_fit(struct buf *b);

/* buf_add when there is no room yet. */
bool buf_add_growing(struct buf *b, const void *p, size_t n) __attribute__((warn_unused_result));

/* False, and nothing changed, when the maximum would be passed. */
__attribute__((warn_unused_result)) static inline bool buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || n > b->cap - b->end || n > b->max - (b->end - b->start))
        return buf_add_growing(b, p, n);
    memcpy(b->p + b->end, p, n);
    b->end += n;
    return true;
}

__attribute__((warn_unused_result)) static inline bool buf_add_str(struct buf *b, struct str s)
{
    return buf_add(b, s.p, s.n);
}

bool buf_add_byte(struct buf *b, char c) __attribute__((warn_unused_result));
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3), warn_unused_result));

/*
 * Room for `n` bytes behind the content, to be filled by the caller and then counted by
 * buf_commit. NULL when the maximum would be passed.
 */
char *buf_reserve(struct buf *b, size_t n) __attribute__((warn_unused_result));
void buf_commit(struct buf *b, size_t n);

/* Drops `n` bytes from the front; n ≤ buf_size. */
void buf_take(struct buf *b, size_t n);
/* Drops bytes from the end so that `n` remain; n ≤ buf_size. */
void buf_cut(struct buf *b, size_t n);

static inline size_t buf_size(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p ? b->p + b->start : "", b->end - b->start};
}

#endif
