/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_RULESET_H
#define CONTROL_LIMIT_RULESET_H

/*
 * ruleset: all rules of an installation, as the data path looks them up: part of the snapshot.
 *
 * A rule is found by what it hangs on, so that a request meets only those that concern it; policies
 * are found by workspace and then asked one by one. Immutable once it is built; reading takes no lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/limit/limit.h"

/* A group that was set back on its own. */
struct ruleset_reset {
    struct str group_text;
    int64_t counted_from_us;
};

struct ruleset_rule {
    struct limit limit;
    struct policy policy; /* of POLICY rules; empty for the others */
    bool late;            /* is asked when a target was chosen, not before */
    const struct ruleset_reset *resets;
    uint32_t reset_count;
};

struct ruleset_list {
    const struct ruleset_rule *const *rules; /* in order of their ids */
    uint32_t count;
};

struct ruleset;

/* ---- reading ---- */

/* How many rules hang on things of that kind: 0 saves the look-up. */
size_t ruleset_count(const struct ruleset *s, enum limit_attach attach);
/* The rules on one thing; of POLICY: `id` is 0. workspace_id counts for ACCESS and POLICY only. */
struct ruleset_list ruleset_find(const struct ruleset *s, enum limit_attach attach, int64_t id, int64_t workspace_id);
/* All of them, in order of their ids. */
struct ruleset_list ruleset_all(const struct ruleset *s);
/* By id; NULL when there is none. */
const struct ruleset_rule *ruleset_rule_of(const struct ruleset *s, int64_t id);
/* From when on this group of the rule counts. */
int64_t ruleset_counted_from(const struct ruleset_rule *r, struct str group_text);

/* ---- building ---- */

struct ruleset *ruleset_new(void) __attribute__((returns_nonnull));
void ruleset_free(struct ruleset *s); /* NULL does nothing */
/*
 * A copy, in order of ids. A stored policy that cannot be read any more matches nothing in a soft
 * rule and everything in a hard one; *ret_sound is then false.
 */
void ruleset_add(struct ruleset *s, const struct limit *l, bool *ret_sound);
/* To the rule that was added last; in any order. */
void ruleset_add_reset(struct ruleset *s, struct str group_text, int64_t counted_from_us);
/* No more is added; from now on it may be read. */
void ruleset_seal(struct ruleset *s);

#endif
