/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LIMITS_ADMISSION_H
#define GATEWAY_LIMITS_ADMISSION_H

/*
 * admission: where a request meets the limits (limits.h): asked before anything goes upstream, told
 * when an attempt has ended. A request that no rule concerns costs a few look-ups and no estimate.
 */

#include "gateway/request.h"

struct target;

/*
 * Key, member, workspace, model API and policies, once for each attempt. The request's body must have
 * been read, as far as it is kept. False: r->limited says why, nothing is held.
 */
bool admission_before(struct request *r);
/* The same for integration and model of the attempt that is about to be made. */
bool admission_target(struct request *r);
/* The attempt ended; `rec` says what it used. Nothing is held afterwards. */
void admission_end(struct request *r, const struct record *rec, const struct cost *cost);
/*
 * A call of our own for the request: the embedding of its question, of so many bytes. False: a limit is
 * in the way, it is not made. What is held is ended by its record.
 */
bool admission_side(struct request *r, const struct target *to, struct str model, uint64_t bytes,
                    struct limits_hold **ret_hold);
void admission_side_end(struct request *r, struct limits_hold **hold, const struct record *rec);
/* Answers with what r->limited says. */
void admission_refuse(struct request *r);

#endif
