/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MODEL_MODELBOOK_H
#define SIM_MODEL_MODELBOOK_H

/*
 * modelbook: what the simulator knows of models: the snapshot that answers for an alias, and the
 * traits that change an answer. Any name is a model, unless it begins with "no-such-".
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "sim/sim.h"

struct call;

/* The name that an answer carries: "gpt-4o" is answered by "gpt-4o-2024-08-06". A view of `asked` or static. */
struct str modelbook_answer(const struct sim *sim, struct str asked);
/* Thinks before it answers: o1, o3, …, gpt-5, gpt-6. */
bool modelbook_reasons(struct str model);
/* Reports what was written to the prompt cache: gpt-5.6 and later. */
bool modelbook_cache_writes(struct str model);
/* Azure's spelling read as OpenAI's: "gpt-35-turbo" is "gpt-3.5-turbo". */
struct str modelbook_plain(struct str model, struct arena *a);

/* Handlers of /models. */
void modelbook_list(struct call *c);
void modelbook_one(struct call *c);
void modelbook_delete(struct call *c);

#endif
