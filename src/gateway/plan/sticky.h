/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PLAN_STICKY_H
#define GATEWAY_PLAN_STICKY_H

/*
 * sticky: which target a caller was given, for the planner. The table's life is in plan.h.
 */

#include "gateway/plan/plan.h"
#include "gateway/plan/recent.h"

struct sticky_key {
    unsigned char bytes[RECENT_KEY_BYTES];
};

/* Who this is to the node, by its hash fields; false when nothing sticks here. */
bool sticky_who(const struct plan_input *in, const struct config_node *node, struct sticky_key *ret);
/* The index kept for them; false when there is none in force. */
bool sticky_find(const struct plan_input *in, const struct config_node *node, const struct sticky_key *who,
                 unsigned *ret_index);
void sticky_keep(const struct plan_input *in, const struct config_node *node, const struct sticky_key *who,
                 unsigned index);

#endif
