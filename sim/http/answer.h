/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_ANSWER_H
#define SIM_HTTP_ANSWER_H

/*
 * answer: how an answer leaves: whole or as events, with its delays, faults, compression, hashes,
 * and back-pressure.
 *
 * A handler gives either a whole body or a function that makes one event after the other; nothing
 * is made before the client can take it. Everything of cue.h that concerns the answer happens here,
 * so handlers know nothing of faults.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/loop.h"

struct call;
struct blob;

enum answer_step {
    ANSWER_MORE, /* one event was appended */
    ANSWER_LAST, /* one event was appended, the last */
    ANSWER_END,  /* nothing was appended, there are no more */
};

/* Appends one event ("data: …\n\n", or a piece of a binary stream) to `out`. */
typedef enum answer_step answer_next_fn(struct call *c, struct buf *out);

/* How a stream tells of a failure in the middle. */
enum answer_style {
    ANSWER_PLAIN,     /* not events: pieces of a body */
    ANSWER_CHAT,      /* data: {"error":…} */
    ANSWER_RESPONSES, /* event: error */
    ANSWER_NAMED,     /* event: error, other APIs */
};

struct answer {
    bool begun; /* a handler has answered */
    bool whole; /* `body` or `blob` is everything */
    bool head_sent;
    bool own_frames; /* chunked framing is written here, because it is to be broken */
    bool ended;      /* the last byte was given away, or the call was broken */
    bool waiting;    /* for the timer */
    bool gzip;
    bool resetting; /* the timer will break the connection */
    uint8_t style;  /* enum answer_style */
    int status;
    struct str content_type;
    struct buf lines; /* more head lines */
    struct buf body;
    struct blob *blob; /* a reference of its own, or NULL */
    uint64_t taken;    /* of the body or blob */
    answer_next_fn *next;
    void *state;    /* of `next`, in the call's arena */
    uint64_t bytes; /* of content sent */
    uint64_t events;
    uint64_t first_us; /* when the head went out */
    struct loop_timer timer;
    void *zip; /* z_stream */
};

/* Takes the content of `body`, which is empty afterwards. */
void answer_json(struct call *c, int status, struct buf *body);
void answer_body(struct call *c, int status, struct str content_type, struct buf *body);
void answer_blob(struct call *c, int status, struct str content_type, struct blob *blob);
void answer_empty(struct call *c, int status);
/* Events by `next`; `state` is in the call's arena. */
void answer_stream(struct call *c, enum answer_style style, answer_next_fn *next, void *state);
/* A binary body of unknown length, in pieces. */
void answer_pieces(struct call *c, struct str content_type, answer_next_fn *next, void *state);
/* A head line for the answer to come; before one of the functions above. */
void answer_header(struct call *c, const char *name, struct str value);
/* Breaks the connection off. */
void answer_reset(struct call *c);

/* From intake, when the handler has returned. The call may be gone afterwards. */
void answer_start(struct call *c);
void answer_on_drained(struct call *c);
/* Gives back what it holds; the call is over. */
void answer_done(struct call *c);

/* One event with the JSON in `json`: "data: …", with "event: name" before it when `name` is not NULL. */
void answer_frame(struct buf *out, const char *name, struct str json);

#endif
