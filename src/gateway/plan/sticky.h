/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PLAN_STICKY_H
#define GATEWAY_PLAN_STICKY_H

/*
 * sticky: which target a caller was given, for the planner. The table's life is in plan.h.
 */

#include "gateway/plan/plan.h"

/* The index kept for this node and whoever the fields say this is; false when there is none in force. */
bool sticky_find(const struct plan_input *in, const struct config_node *node, unsigned *ret_index);
void sticky_keep(const struct plan_input *in, const struct config_node *node, unsigned index);

#endif
