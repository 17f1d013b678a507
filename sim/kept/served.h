/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_KEPT_SERVED_H
#define SIM_KEPT_SERVED_H

/*
 * served: the record of what went out: a ring of the last requests, and totals since the start or
 * the last reset, which are exact whatever the ring has forgotten.
 *
 * A row is written before the last byte of an answer leaves, so that whoever has the answer finds
 * the row. When it turns out afterwards that the client went away, the row is marked.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "openai/usage.h"
#include "sim/http/call.h"

struct served;

struct served *served_new(uint64_t rows_max);
void served_free(struct served *s);
void served_reset(struct served *s);

/* Writes the row of a call; c->row is its number then. `aborted`: broken off by us or by the client. */
void served_record(struct call *c, bool aborted);
/* The same for work that had no bytes of its own. */
void served_record_unhashed(struct call *c);
/* The client went away before all of the answer was with the kernel. */
void served_mark_aborted(struct call *c);
/* A request that was not HTTP. */
void served_count_refused(struct served *s);

/* Handlers: GET /sim/requests, /sim/requests/{}, /sim/totals. */
void served_list(struct call *c);
void served_one(struct call *c);
void served_totals(struct call *c);

#endif
