/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_CHANNEL_H
#define SIM_HTTP_CHANNEL_H

/*
 * channel: a call that became a WebSocket. Messages are JSON texts both ways. What is sent counts as
 * the call's answer: bytes, hash, events. The call is recorded when the connection ends.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "net/ws.h"
#include "sim/http/call.h"

struct channel;

/* A message that is JSON; `json` is good during the call. */
typedef void channel_message_fn(struct channel *ch, struct jval json);
/* The connection is over; the last chance to put figures into the call's bill. */
typedef void channel_gone_fn(struct channel *ch);

struct channel {
    struct call *c;
    void *state; /* the API's, in the call's arena */
    channel_message_fn *on_message;
    channel_gone_fn *on_gone;
    struct ws_scan scan;
    struct buf message;
    struct jdoc doc;
    bool text;   /* the message under way is text */
    bool closed; /* our close frame went out */
};

/*
 * Answers the call with 101 and makes it a channel. NULL when it asks for none or asks wrongly; the
 * call was then answered with an error. `protocol`: sent back when the client offers it.
 */
struct channel *channel_open(struct call *c, const char *protocol, channel_message_fn *on_message,
                             channel_gone_fn *on_gone, void *state);
void channel_send(struct channel *ch, struct str json);
/* A close frame, and the end of the connection. */
void channel_close(struct channel *ch, uint16_t code, const char *reason);

#endif
