/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

/*
 * spares: ended objects of one kind, kept for the next ones.
 *
 * For what every request needs and the allocator would take its time for. An object may keep memory
 * of its own; whoever takes it empties or reuses that. The list belongs to one thread and links the
 * objects by their first bytes. Under the address sanitizer nothing is kept, so that it sees every
 * use after the end.
 */

#include <stdbool.h>
#include <stddef.h>

struct spare {
    struct spare *next;
};

struct spares {
    struct spare *first;
    unsigned count, max;
};

static inline void spares_init(struct spares *s, unsigned max)
{
#ifdef __SANITIZE_ADDRESS__
    max = 0;
#endif
    *s = (struct spares){.max = max};
}

/* An object as it was given, but for its first pointer's worth of bytes; NULL when there is none. */
static inline void *spares_take(struct spares *s)
{
    struct spare *taken = s->first;
    if (taken) {
        s->first = taken->next;
        s->count--;
    }
    return taken;
}

/* False when enough are kept: the caller frees it. */
static inline bool spares_give(struct spares *s, void *object)
{
    struct spare *given = object;
    if (s->count >= s->max)
        return false;
    given->next = s->first;
    s->first = given;
    s->count++;
    return true;
}

#endif
