/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_OWN_H
#define SIM_OWN_H

/*
 * own: the simulator's own pages under /sim/ that belong to no other module.
 */

struct call;

/* GET /sim/health. */
void own_health(struct call *c);
/* GET /sim/operations: method, path and name of everything that is answered. */
void own_operations(struct call *c);
/* POST /sim/reset: totals, requests, usage, objects and the prompt cache as at the start. Calls under way go on. */
void own_reset(struct call *c);

#endif
