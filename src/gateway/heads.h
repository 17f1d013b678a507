/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HEADS_H
#define GATEWAY_HEADS_H

/*
 * heads: what of a head passes this hop, in both directions (RFC 9110 7.6.1). Heads are written
 * anew, never echoed: framing, connection and credential fields are ours on each side.
 */

#include "base/buf.h"
#include "gateway/request.h"
#include "net/http1_head.h"

/*
 * Request line, Host, credential lines of the integration, and the client's fields that may pass. Without
 * an integration: the fields alone.
 */
void heads_begin_upstream(struct request *r, const struct http1_head *client);
/* The same for the target of a routed request, anew for each try. */
void heads_routed(struct request *r);
/* Encoding, length and the empty line. `length` is used with HTTP1_LENGTH. */
void heads_end_upstream(struct request *r, enum http1_framing framing, uint64_t length);
/* Upstream's fields that may pass to the client, as lines, then our own; appended to `out`. */
void heads_to_client(const struct request *r, const struct http1_head *upstream, struct buf *out);

#endif
