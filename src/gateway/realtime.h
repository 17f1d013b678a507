/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REALTIME_H
#define GATEWAY_REALTIME_H

/*
 * realtime: a WebSocket between client and upstream. Frames pass untouched in both directions; what
 * upstream says is read on the side for its usage.
 */

#include "gateway/request.h"
#include "net/http1_head.h"

/* Upstream answered 101. */
void realtime_begin(struct request *r, const struct http1_head *head);
void realtime_from_client(struct request *r, struct str bytes, bool last);
void realtime_from_upstream(struct request *r, struct str bytes, bool last);
/* Adds what the session used; false when it was no session. */
bool realtime_usage(struct request *r, struct usage *ret_usage);
void realtime_free(struct request *r);

#endif
