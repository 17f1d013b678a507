/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_FINISH_H
#define GATEWAY_FINISH_H

/*
 * finish: the one way a request ends. Works out usage and cost, adds the record to the journal's
 * turn and puts the request on the worker's list; its last bytes leave at the end of the turn,
 * after the journal was written.
 */

#include "gateway/request.h"

/* The answer came from upstream (complete, or cut) or the client went away. */
void finish_request(struct request *r, enum record_outcome outcome, enum err e, struct str detail);
/* An error of our own is the answer, or, when an answer is under way already, its honest end. */
void finish_with_error(struct request *r, enum err e, struct str param, struct str detail);
/* Sends what the turn's finished requests still owe. `durable` is false when the journal failed. */
void finish_turn(struct worker *w, bool durable);

#endif
