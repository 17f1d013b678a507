/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

/*
 * request: one request for a provider, from its head to its record.
 *
 *     head ─▶ stages (stages.c): authenticate, options, intake, attempt
 *          ─▶ run (run/): of a routed request, which attempts are made, and when it is over
 *          ─▶ relay (relay.c): the answer's bytes, watched by the meter
 *          ─▶ finish (finish.c): usage, cost, record, journal, last bytes
 *
 * It belongs to one worker and one client connection. It ends exactly once, in request_finish; its
 * memory goes when the client has the last byte, or is gone. Views in it point into its arena
 * unless said otherwise.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "gateway/gateway.h"
#include "gateway/worker.h"
#include "ledger/record.h"
#include "net/http_client.h"
#include "openai/endpoint.h"

struct config_strings;
struct intake;
struct limits_hold;
struct limits_refusal;
struct realtime;
struct relay;
struct run;

#define REQUEST_TRACE_MAX 128
#define REQUEST_ROOM_KEPT 4096

struct request {
    struct exchange_owner owner; /* first: x->app_data points here */
    unsigned magic;
    const char *stage; /* for logs and the panic report */
    struct worker *worker;
    struct http_exchange *x; /* NULL once the client is gone or has its last byte */
    struct arena *arena;
    struct list node; /* worker's requests, then finishing */
    struct loop_grave grave;
    struct loop_timer late; /* of the relay */

    struct snapshot *snapshot; /* a reference; key, integration and workspace point into it */
    const struct snapshot_key *key;
    const struct snapshot_integration *integration;
    const struct endpoint *endpoint;

    int64_t id;
    int64_t started_us; /* wall clock */
    struct run *run;    /* NULL: not routed; one attempt, at the workspace's default integration */

    /* The attempt under way: equal to the request's own of the first one. */
    int64_t attempt_id;
    uint32_t attempt;           /* 0, 1, 2, … */
    int64_t attempt_started_us; /* wall clock */
    uint64_t attempt_us;        /* monotonic */

    uint64_t head_us;  /* monotonic: head complete */
    uint64_t body_us;  /* request body complete, or passed to upstream; 0 = not yet */
    uint64_t sent_us;  /* upstream call begun */
    uint64_t first_us; /* first byte of upstream's body */
    uint64_t last_us;  /* last byte of upstream's body */

    struct str method, path;   /* as the client sent them */
    struct str operation_path; /* below "/v1", without query */
    struct str query;
    char own_trace_id[RECORD_TRACE_TEXT_MAX]; /* "" when the caller gave one */
    struct str trace_id, span_id, parent_span_id, span_name, metadata, user_agent;
    bool traced; /* by traceparent: the span is ours */
    struct str content_type;
    struct str model_asked, user, service_tier_asked, quality, size;
    uint64_t input_chars;    /* of `input`, for operations billed by character */
    uint64_t max_output_tok; /* 0 = not given */
    uint64_t answers;        /* `n`; 0 = not given */
    uint64_t seconds_ms;
    bool stream;            /* the client asked for a stream */
    bool usage_asked_by_us; /* include_usage was put in by us: hide what it causes */
    bool cache_12h;
    bool accepts_gzip;
    bool websocket;
    bool keep_bodies;
    bool blaxel;    /* to a model's own address (model_api.h) */
    bool base_call; /* … without an operation */
    struct str api_workspace, api_model;
    const struct snapshot_model *model_api;
    bool portkey;                                 /* the client speaks Portkey's dialect */
    bool metadata_settled;                        /* workspace's, key's and request's are merged */
    struct str request_headers, response_headers; /* for the record: JSON, masked */

    /* Upstream's head: `lines` is begun when the client's fields are at hand and ended by attempt.c. */
    struct buf upstream_head;
    size_t fields_at;      /* where the client's fields begin in it */
    struct intake *intake; /* while the client's body arrives */
    struct buf body;       /* the client's body: whole when small, else its captured beginning */
    struct buf edited;     /* the body as sent upstream, when it differs */
    uint64_t kept_bytes;   /* of it, as counted in worker.kept_bytes */
    uint64_t body_bytes;   /* of the client's body so far */
    uint64_t body_length;  /* as announced; 0 = not */
    bool has_body_sha256;
    unsigned char body_sha256[32];

    struct limits_hold *hold; /* what limits have reserved for the attempt */
    struct limits_refusal *limited;

    struct http_call call;
    bool call_live;
    bool opened;               /* the journal has an open entry */
    struct relay *relay;       /* from upstream's head on */
    struct realtime *realtime; /* after a 101 */

    /* Set by request_finish. */
    bool finished;
    bool reply_ready;  /* a whole answer of our own or a held one waits to be sent */
    bool abort_client; /* the client must see a broken connection */
    int soft_status;   /* takes the place of upstream's 200 when a guardrail failed softly; 0 = none */
    int reply_status;
    struct str reply_lines; /* header lines of the waiting answer */
    struct str reply_type;
    struct str final; /* last bytes to send; in the arena or in relay's buffers */
    char request_id[RECORD_ID_TEXT_MAX];
};

struct request *request_of(struct http_exchange *x);
struct request *request_of_call(struct http_call *call);

/* Makes the request for a head that was just parsed and runs its stages. */
void request_begin(struct worker *w, struct http_exchange *x);
/* Frees it at the end of the turn; the client no longer refers to it. */
void request_release(struct request *r);
/* The memory of ended requests that is kept for the next ones. */
void request_spares_free(struct worker *w);

/* The trace id to be stored: one that is worked out from the request's id is not. */
struct str request_trace_to_keep(const struct request *r);
/* Drops the content, and the memory where it is more than REQUEST_ROOM_KEPT: a next request may use it. */
void request_empty(struct buf *b);

/* Keeps the client's fields for the record, secrets and those named (may be NULL) masked. */
void request_log_fields(struct request *r, const struct http1_head *h, const struct config_strings *sensitive);
/*
 * Merges the metadata of workspace, key and request. Once, when the request's `user` is known or will
 * not be.
 */
void request_settle_metadata(struct request *r);

/* The header lines every answer carries: trace id, request id; of a routed one how it came about. Appended to `out`. */
void request_own_lines(const struct request *r, struct buf *out);

#endif
