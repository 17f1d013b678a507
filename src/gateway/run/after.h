/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RUN_AFTER_H
#define GATEWAY_RUN_AFTER_H

/* after: what follows a try: another one, the next step, or the end. */

#include "gateway/run/run.h"

/* Upstream's head is there. */
void after_head(struct request *r, const struct http1_head *head);
/* A held answer is whole. True: the run goes on; false: it is the client's, as it is. */
bool after_held(struct request *r);
/* An answer that passes to the client came to its end. */
void after_passed(struct request *r);
/* No answer, or a broken one of which the client has nothing. */
void after_failed(struct request *r, enum err why, struct str detail);
/* The gateway answers in the target's place. `more`: members for the body, see refusal_json. */
void after_refused(struct run *run, enum refusal which, struct str detail, struct str more);
/* "hook_results":{…}, as a member for an answer of ours; in the arena. */
struct str after_results_member(struct run *run);
/* A limit is in the way of this try: r->limited. What holds for the target only is a status for fallback. */
void after_limited(struct run *run);
/* An answer from the cache is in `body`; guardrails look at it like at any other. */
void after_hit(struct run *run, struct str type, struct str body);

#endif
