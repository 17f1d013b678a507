/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PLAN_RECENT_H
#define GATEWAY_PLAN_RECENT_H

/*
 * recent: a bounded table that drops what was not used for longest. Entries of one size, found by
 * a key of 32 bytes; the caller's struct begins with struct recent_entry. Not thread-safe: whoever
 * has the table has a lock.
 */

#include <stddef.h>

#include "base/list.h"

#define RECENT_KEY_BYTES 32

struct recent_entry {
    struct list use; /* the first one was used last */
    struct recent_entry *next;
    unsigned char key[RECENT_KEY_BYTES];
};

struct recent {
    struct recent_entry **buckets;
    size_t mask, count, max, entry_size;
    struct list use;
};

/* At most `max` entries of `entry_size` bytes. */
void recent_init(struct recent *t, size_t max, size_t entry_size);
void recent_done(struct recent *t);
/* The entry, which is now the one used last; NULL when there is none. */
void *recent_find(struct recent *t, const unsigned char key[RECENT_KEY_BYTES]);
/* The entry, or a new one whose part behind struct recent_entry is zero. */
void *recent_make(struct recent *t, const unsigned char key[RECENT_KEY_BYTES]);
void recent_drop(struct recent *t, void *entry);

#endif
