/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RELAY_H
#define GATEWAY_RELAY_H

/*
 * relay: upstream's answer on its way to the client, watched by the meter.
 *
 * Held: a JSON answer up to RELAY_HELD_MAX is kept until it is complete, because its cost goes into
 * its head. Events: a stream of server-sent events passes event by event; an incomplete event is
 * kept back, so that a cut never leaves half an event with the client. Plain: everything else
 * passes as it comes.
 */

#include "base/buf.h"
#include "gateway/request.h"
#include "openai/sse.h"
#include "openai/usage_meter.h"

#define RELAY_HELD_MAX (8u << 20)
#define RELAY_EVENT_MAX (256u * 1024)
#define RELAY_TEXT_MAX 4096
#define RELAY_LATE_US 50000 /* the final event waits so long for the end of its stream */

enum relay_mode { RELAY_HELD, RELAY_EVENTS, RELAY_PLAIN };

struct inflate;

struct relay {
    enum relay_mode mode;
    int status;
    bool head_sent;
    bool hide;                  /* keep from the client what our include_usage caused */
    bool half_event;            /* an event too large to keep was passed on in part */
    bool all_taken;             /* the client's socket took everything that was passed on so far */
    bool unreadable;            /* a content coding the meter cannot read */
    bool run_held;              /* held because the run may want another answer, or add to this one */
    bool deflated;              /* of the codings: deflate, not gzip */
    bool swallow;               /* too large to be held, and not the client's */
    bool text_in_held;          /* `text` has nothing: the text is still in `held` */
    enum http1_framing framing; /* towards the client */
    uint64_t length;
    uint32_t events;
    uint64_t bytes; /* of upstream's body */
    struct str upstream_request_id;
    struct buf lines;   /* head lines for the client, until the head is sent */
    struct buf held;    /* RELAY_HELD: the answer; RELAY_EVENTS: the incomplete event, the final ones */
    struct buf *late;   /* while the last bytes are put together: where they go */
    struct buf capture; /* the beginning of what the client got */
    uint64_t client_bytes;
    void *hash;        /* SHA-256 of what the client got, once the capture is full */
    struct buf text;   /* output text not yet counted, for an estimate */
    uint64_t text_tok; /* tokens of output text counted so far */
    struct inflate *inflate;
    struct sse_frame frame;
    struct usage_meter meter;
};

/* Callbacks of the call to upstream. */
void relay_head(struct request *r, const struct http1_head *head);
void relay_body(struct request *r, struct str bytes, bool last);
/* Upstream broke off. */
void relay_failed(struct request *r, enum err why, struct str detail);
void relay_free(struct request *r);
void relay_spares_free(struct worker *w);

/* A held answer is the client's. */
void relay_finish(struct request *r);
/* Takes the content coding off a held answer. False: it cannot be read. */
bool relay_decode(struct request *r);
/* Gives up an answer that broke off before anything was sent. */
void relay_drop(struct request *r);

/* Whether the stream's final event was seen. Of images each has one that looks final. */
static inline bool relay_said_all(const struct request *r)
{
    unsigned final = r->endpoint->shape == USAGE_SHAPE_IMAGES ? USAGE_END_DONE : ~(unsigned)USAGE_END_ERROR;
    return (r->relay->meter.ends & final) != 0;
}

/* Sends the head if that is still to be done (not for held answers). */
void relay_send_head(struct request *r);
/* Bytes the client gets now, or with the end: counts and captures them. */
void relay_capture(struct request *r, struct str bytes);
/* Tokens of output text seen so far, by our tokenizer. */
uint64_t relay_text_tok(struct request *r);
/* Hash of the whole answer as the client got it; false when the capture is whole and none is needed. */
bool relay_hash(struct request *r, unsigned char out[32]);

#endif
