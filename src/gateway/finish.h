/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_FINISH_H
#define GATEWAY_FINISH_H

/*
 * finish: the one way a request ends. Works out usage and cost, adds the record to the journal's
 * turn and puts the request on the worker's list; its last bytes leave at the end of the turn,
 * after the journal was written.
 */

#include "gateway/request.h"
#include "gateway/target/refusal.h"

/* The answer came from upstream (complete, or cut) or the client went away. */
void finish_request(struct request *r, enum record_outcome outcome, enum err e, struct str detail);
/* An error of our own is the answer, or, when an answer is under way already, its honest end. */
void finish_with_error(struct request *r, enum err e, struct str param, struct str detail);
/* The same with one of Portkey's answers. `more`: members for the body, see refusal_json. */
void finish_with_refusal(struct request *r, enum refusal which, struct str detail, struct str more);
/*
 * What a try that ends with this answer counts as: upstream (or who gives its token) failed; or it did
 * its work and what the client gets instead is ours; or the request never came that far.
 */
enum record_outcome finish_outcome(const struct request *r, enum refusal which);
/* The same with an answer made elsewhere: JSON, and further header lines. Both are copied. */
void finish_with_own(struct request *r, int status, enum err e, struct str detail, struct str lines, struct str body);
/* A whole answer that did not come from upstream now. `body` must stay where it is as long as the request. */
void finish_with_bytes(struct request *r, int status, struct str type, struct str body);
/*
 * One try of a routed request is over and another follows: records it as one whose answer nobody
 * got, with `status` as its result, and makes the request ready for the next.
 */
void finish_attempt(struct request *r, int status, enum record_outcome outcome, enum err e, struct str detail);
/* The next try begins only now: its times count from here. */
void finish_restart(struct request *r);
/* Sends what the turn's finished requests still owe. `durable` is false when the journal failed. */
void finish_turn(struct worker *w, bool durable);

#endif
