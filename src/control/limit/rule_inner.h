/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_RULE_INNER_H
#define CONTROL_LIMIT_RULE_INNER_H

/*
 * rule_inner: what the rest of control needs of limits, inside a transaction: so that a key and its
 * limits are made, changed and removed together.
 */

#include "control/control_inner.h"
#include "control/limit/rule.h"

struct snapshot_build;

/* As the functions of rule.h without "inner". The object must be there already. */
enum err rule_inner_create(struct control *c, const struct limit *l, int64_t *ret_id, struct control_why *why) ERR_USE;
enum err rule_inner_replace(struct control *c, const struct rule_place *place, enum limit_kind kind,
                            const struct limit *list, size_t count, struct control_why *why) ERR_USE;
enum err rule_inner_reset_place(struct control *c, const struct rule_place *place, struct control_why *why) ERR_USE;
/* The object is gone: so are all rules on it, whatever their source. */
enum err rule_inner_drop(struct control *c, enum limit_attach attach, int64_t attach_id,
                         struct control_why *why) ERR_USE;

/* rule_row.c: columns and how they are read; views are good until the next step. False: damaged. */
#define RULE_COLUMNS                                                                                \
    "r.id, r.workspace_id, r.attach, r.attach_id, r.source, r.name, r.kind, r.measure, r.mode, "    \
    "r.window_unit, r.window_step, r.window_anchor_us, r.amount, r.input_amount, r.output_amount, " \
    "r.alert_at, r.conditions, r.group_by, r.counted_from_us, r.created_us, r.updated_us"
bool rule_row_read(struct store_stmt *st, struct limit *ret);
enum err rule_row_insert(struct control *c, const struct limit *l, int64_t *ret_id, struct control_why *why) ERR_USE;
/* Everything that may change. */
enum err rule_row_update(struct control *c, const struct limit *l, struct control_why *why) ERR_USE;
/* rule_load.c: adds all rules to a snapshot. */
enum err rule_load(struct control *c, struct snapshot_build *b, struct control_why *why) ERR_USE;

#endif
