/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_RULE_H
#define CONTROL_LIMIT_RULE_H

/*
 * rule: limits in the database: made, changed, reset, removed, listed. A change is in force for the
 * next request.
 *
 * A rule keeps its id, and with it what it has counted, as long as what it counts stays the same: a new
 * amount, threshold, mode or name goes on counting; another measure, window, condition or group begins
 * anew from then on.
 *
 * Errors and threads as in control.h. A rule of another workspace is ERR_NOT_FOUND, like one that does
 * not exist.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "control/control.h"
#include "control/limit/limit.h"

#define RULE_ANY_WORKSPACE (-1)

/*
 * A new rule; id and times of `l` are set here. What it hangs on must exist, and its workspace is taken
 * from there (of ACCESS and POLICY it is workspace_id as given, of MODEL too). A window of days with
 * anchor_us 0 begins today at 00:00 UTC. ERR_IN_USE: LIMIT_ATTACHED_MAX, LIMIT_POLICIES_MAX.
 */
enum err rule_create(struct control *c, const struct limit *l, int64_t *ret_id, struct control_why *why) ERR_USE;
/* Texts live in `a`. */
enum err rule_find(struct control *c, int64_t workspace_id, int64_t id, struct arena *a, struct limit *ret,
                   struct control_why *why) ERR_USE;

struct rule_filter {
    int64_t workspace_id;     /* RULE_ANY_WORKSPACE: any */
    int attach;               /* enum limit_attach, or -1 */
    int64_t attach_id;        /* 0: any */
    int kind;                 /* enum limit_kind, or -1 */
    const struct str *source; /* NULL: any */
};
#define RULE_LIST_MAX 5000
/* In order of ids. */
enum err rule_list(struct control *c, const struct rule_filter *f, struct arena *a, struct limit **ret_list,
                   size_t *ret_count, struct control_why *why) ERR_USE;

/* The new content: what it hangs on, its kind, source and times stay. */
enum err rule_update(struct control *c, int64_t workspace_id, int64_t id, const struct limit *content,
                     struct control_why *why) ERR_USE;
enum err rule_remove(struct control *c, int64_t workspace_id, int64_t id, struct control_why *why) ERR_USE;

/* It counts from now on. */
enum err rule_reset(struct control *c, int64_t workspace_id, int64_t id, struct control_why *why) ERR_USE;
/* Only this group does (policy.h has what its text is). */
enum err rule_reset_group(struct control *c, int64_t workspace_id, int64_t id, struct str group_text,
                          struct control_why *why) ERR_USE;

/* What rules hang on. */
struct rule_place {
    enum limit_attach attach;
    int64_t attach_id;    /* POLICY: 0 */
    int64_t workspace_id; /* ACCESS, MODEL, POLICY */
    struct str source;    /* of the rules that are meant */
};
/*
 * From now on exactly these rules with this kind and source hang there: one that is there and counts
 * the same is changed, others are made or removed. `attach`, `source` and times of the list do not
 * count; a window of days with anchor_us 0 keeps the one it has.
 */
enum err rule_replace(struct control *c, const struct rule_place *place, enum limit_kind kind, const struct limit *list,
                      size_t count, struct control_why *why) ERR_USE;
/* All budgets there count from now on: Portkey's reset_usage. */
enum err rule_reset_place(struct control *c, const struct rule_place *place, struct control_why *why) ERR_USE;

#endif
