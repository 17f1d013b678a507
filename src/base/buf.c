/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a cap. Growth doubles; content moves to the front before growing. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

#define FIRST_CAP 256

void buf_init(struct buf *b, size_t max)
{
    must(max > 0);
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_release(struct buf *b)
{
    if (b->start == b->end && b->p)
        buf_free(b);
}

void buf_fit(struct buf *b)
{
    size_t size = buf_size(b);
    if (size == b->cap)
        return;
    char *exact = size ? mem_alloc(size) : NULL;
    if (size)
        memcpy(exact, b->p + b->start, size);
    mem_free(b->p);
    *b = (struct buf){.p = exact, .end = size, .cap = size, .max = b->max};
}

void buf_reset(struct buf *b)
{
    b->start = b->end = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
    must(b->max > 0);
    size_t size = buf_size(b);
    if (n > b->max || size > b->max - n)
        return NULL;
    if (b->cap - b->end >= n && b->p)
        return b->p + b->end;
    if (b->start > 0 && b->cap >= size + n) {
        memmove(b->p, b->p + b->start, size);
    } else {
        size_t cap = b->cap > FIRST_CAP ? b->cap : FIRST_CAP;
        while (cap < size + n)
            cap *= 2;
        char *grown = mem_alloc(cap);
        if (size)
            memcpy(grown, b->p + b->start, size);
        mem_free(b->p);
        b->p = grown;
        b->cap = cap;
    }
    b->start = 0;
    b->end = size;
    return b->p + b->end;
}

void buf_commit(struct buf *b, size_t n)
{
    must(n <= b->cap - b->end);
    b->end += n;
}

bool buf_add_growing(struct buf *b, const void *p, size_t n)
{
    char *room = buf_reserve(b, n);
    if (!room)
        return false;
    if (n)
        memcpy(room, p, n);
    b->end += n;
    return true;
}

bool buf_add_byte(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    must(n >= 0);
    if ((size_t)n < sizeof small)
        return buf_add(b, small, (size_t)n);
    char *room = buf_reserve(b, (size_t)n + 1);
    if (!room)
        return false;
    va_start(args, format);
    vsnprintf(room, (size_t)n + 1, format, args);
    va_end(args);
    b->end += (size_t)n;
    return true;
}

void buf_take(struct buf *b, size_t n)
{
    must(n <= buf_size(b));
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_cut(struct buf *b, size_t n)
{
    must(n <= buf_size(b));
    b->end = b->start + n;
    if (n == 0)
        b->start = b->end = 0;
}
