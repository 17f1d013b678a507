/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_TRIES_H
#define CONTROL_PEOPLE_TRIES_H

/*
 * tries: how often something failed lately, by a text. A table of fixed size: when two texts fall into
 * one place the one that failed less is forgotten, so a flood of fresh names cannot make room for itself
 * by driving out those under attack. Not thread-safe: guarded by its owner's lock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define TRIES_SLOTS 4096

struct tries {
    struct tries_slot {
        uint64_t tag;
        int64_t began_us;
        uint32_t count;
    } slots[TRIES_SLOTS];
};

/* False when the text failed `max` times within `window_us`. */
bool tries_allowed(struct tries *t, struct str text, uint32_t max, int64_t window_us, int64_t now_us);
void tries_failed(struct tries *t, struct str text, int64_t window_us, int64_t now_us);
void tries_forget(struct tries *t, struct str text);

#endif
