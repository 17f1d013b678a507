/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REALTIME_H
#define GATEWAY_REALTIME_H

/*
 * realtime: a WebSocket between client and upstream. Frames pass untouched in both directions; what
 * upstream says is read on the side for its usage.
 */

#include "gateway/request.h"
#include "net/http1_head.h"

struct usage_meter;

/* Upstream answered 101. */
void realtime_begin(struct request *r, const struct http1_head *head);
void realtime_from_client(struct request *r, struct str bytes, bool last);
void realtime_from_upstream(struct request *r, struct str bytes, bool last);
/* The connection to upstream broke. */
void realtime_failed(struct request *r, enum err why, struct str detail);
/* Whether upstream has said goodbye, so that an end from either side is no loss. */
bool realtime_closed(const struct request *r);
/* What the session consumed so far. */
const struct usage_meter *realtime_meter(struct request *r);
/* The members of the record that a session has in place of an answer. */
void realtime_fill(const struct request *r, struct record *rec);
void realtime_free(struct request *r);

#endif
