/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RUN_STEP_H
#define GATEWAY_RUN_STEP_H

/* step: one step of a run's plan, up to the call. */

#include "gateway/run/run.h"

/* Begins the step run->step. The answer, or why there is none, goes to after.h. */
void step_begin(struct run *run);
/* Sends the same request again. */
void step_repeat(struct run *run);
/* Cache and semantic search found nothing: asks upstream. */
void step_call(struct run *run);
/* An answer was found in the cache; takes the reference over. */
void step_hit(struct run *run, const struct cache_entry *e, enum record_cache how);

#endif
