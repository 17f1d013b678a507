/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RUN_EMBED_H
#define GATEWAY_RUN_EMBED_H

/*
 * embed: the semantic part of a run's look into the cache: the question becomes a vector by a call
 * to an embedding model, the nearest kept answer is looked for. The call costs money and is
 * recorded, as an attempt of the request with a number from EMBED_ATTEMPT on.
 */

#include "gateway/run/run.h"

#define EMBED_ATTEMPT 500
#define EMBED_TIMEOUT_US 5000000

/*
 * True: step_hit or step_call follows. False: the question is none that is compared by meaning, or there is
 * nobody to ask.
 */
bool embed_begin(struct run *run, const struct cache_key_parts *parts);
/* Keeps an answer so that it is found by meaning too. False: the request has no vector. */
bool embed_put(struct run *run, const struct cache_answer *answer);
/* Stops a call under way; what it cost so far is recorded. */
void embed_cancel(struct run *run);
void embed_free(struct run *run);

#endif
