/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LIMITS_COUNTERS_H
#define GATEWAY_LIMITS_COUNTERS_H

/*
 * counters: what was used and is reserved, by rule and group, for the files of this folder.
 *
 * A rule's counters are all in one of COUNTERS_STRIPES stripes, each with a lock of its own. Whoever
 * wants several locks the stripes in ascending order. Everything that takes a struct counter wants
 * its stripe locked. A counter stays where it is as long as it has holds.
 *
 * Bounded: see counters_get.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "control/limit/ruleset.h"

#define COUNTERS_STRIPES 64

/* In `used` and `reserved`: the place of money, of requests, and of input tokens; and of output tokens. */
enum { COUNTER_MAIN, COUNTER_OUTPUT, COUNTER_QUANTITIES };

struct counter_state {
    int64_t start_us; /* counts nothing before; INT64_MIN: not begun */
    int64_t end_us;   /* INT64_MAX: never */
    int64_t used[COUNTER_QUANTITIES], reserved[COUNTER_QUANTITIES];
    bool alerted;
};

struct counter {
    struct counter *next; /* of the same hash */
    struct counter_state now;
    uint32_t holds;
    uint32_t group_n;
    char group[];
};

struct counters;

struct counters *counters_new(uint32_t counters_max, uint32_t groups_max);
void counters_free(struct counters *t);

unsigned counters_stripe(int64_t rule_id);
/* Bit i of the mask: stripe i. */
void counters_lock(struct counters *t, uint64_t stripes);
void counters_unlock(struct counters *t, uint64_t stripes);

/*
 * The counter, in the window that `now_us` lies in; made when it is not there. NULL: there are
 * counters_max of all or groups_max of this rule, and none of the rule's is over.
 */
struct counter *counters_get(struct counters *t, const struct ruleset_rule *r, struct str group, int64_t now_us);
/* One that is there, as it is; NULL when there is none. */
struct counter *counters_peek(struct counters *t, int64_t rule_id, struct str group);
/* Each of a rule; its stripe is locked meanwhile. */
void counters_each(struct counters *t, int64_t rule_id, bool (*each)(void *context, struct counter *c), void *context);
/* The window of a counter that is not there yet. */
struct window_span counters_span(const struct ruleset_rule *r, struct str group, int64_t now_us);
/* Drops what has no holds and belongs to none of these rules, when that is much. */
void counters_prune(struct counters *t, const struct ruleset *rules);

/* Now, all together. */
uint64_t counters_count(const struct counters *t);

static inline struct str counter_group(const struct counter *c)
{
    return str_of(c->group, c->group_n);
}

#endif
