/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_RECORD_H
#define LEDGER_RECORD_H

/*
 * record: what is kept of one attempt (one exchange with one upstream target).
 *
 * The data path fills it, journal_append writes it, the drain turns it into a ledger row. All views
 * point into the request's memory and are good until journal_append returns. Times are wall-clock
 * microseconds; durations are microseconds of the monotonic clock.
 *
 * Ids are 63-bit, positive, unique and ordered per process: wall-clock microseconds since 2020 in
 * the upper bits, worker and sequence below. An id is the row's primary key, so a time range is a
 * key range.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "ledger/record_routing.h"
#include "openai/cost.h"
#include "openai/usage.h"

/* How the attempt ended. Columns: name, text, what it means. Append only. */
#define RECORD_OUTCOME_TABLE(X)                                                               \
    X(COMPLETED, "completed", "upstream's whole answer reached the client")                   \
    X(UPSTREAM_ERROR, "upstream_error", "upstream answered with a status of 400 or above")    \
    X(UPSTREAM_ABORTED, "upstream_aborted", "upstream broke off in the middle of its answer") \
    X(UPSTREAM_FAILED, "upstream_failed", "no answer came: connect, TLS, time-out")           \
    X(CLIENT_CANCELLED, "client_cancelled", "the client went away first")                     \
    X(CLIENT_STALLED, "client_stalled", "the client stopped reading")                         \
    X(REFUSED, "refused", "the gateway refused the request itself")                           \
    X(INTERRUPTED, "interrupted", "the gateway stopped while the attempt was under way")

enum record_outcome {
#define X(name, text, what) RECORD_##name,
    RECORD_OUTCOME_TABLE(X)
#undef X
        RECORD_OUTCOME_COUNT
};
const char *record_outcome_text(enum record_outcome o);
bool record_outcome_parse(struct str text, enum record_outcome *ret_outcome);

/* Most bytes of both bodies together that can be kept. */
#define RECORD_BODIES_MAX (UINT32_C(64) << 20)
/* Most bytes of one head's fields; a longer text is not kept. */
#define RECORD_HEADERS_MAX (UINT32_C(192) << 10)

/* A captured body, cut at the capture limit. */
struct record_body {
    struct str bytes;    /* what was kept */
    uint64_t size_bytes; /* what went over the wire */
    bool has_sha256;     /* set when cut: the hash of the whole */
    unsigned char sha256[32];
};

/* The yes-or-no members of struct price_query. */
enum record_price_flag {
    RECORD_PRICE_BATCH = 1,
    RECORD_PRICE_REGIONAL = 2,
    RECORD_PRICE_AGGREGATE = 4,
    RECORD_PRICE_WEB_SEARCH_PREVIEW = 8,
};

const char *record_cache_text(enum record_cache c);
/* By its text, whatever its case. */
bool record_cache_parse(struct str text, enum record_cache *ret_cache);
const char *record_hooks_text(enum record_hooks h);

struct record {
    int64_t id;         /* this attempt */
    int64_t request_id; /* the request's first attempt; equal to id when there is one */
    uint32_t attempt;   /* 0, 1, 2, … */
    int64_t started_us; /* wall clock, when the request's head was complete */

    int64_t workspace_id;
    int64_t key_id;         /* 0 = no key (refused before authentication) */
    int64_t integration_id; /* 0 = none chosen */

    struct str method;      /* "POST" */
    struct str path;        /* as sent by the client, without query; cut at 512 bytes */
    struct str operation;   /* static text of the endpoint table, "chat.completions" */
    struct str model_asked; /* "" when the operation has no model */
    struct str model_answered;
    struct str service_tier; /* the one the price used */
    struct str upstream_host;
    struct str upstream_request_id; /* x-request-id */
    struct str trace_id, span_id, parent_span_id;
    struct str user;     /* OpenAI's `user` or safety_identifier, or metadata _user */
    struct str metadata; /* x-portkey-metadata JSON object as given, "" when none */
    struct str user_agent;
    struct str finish_reason;

    bool stream;
    uint16_t status;          /* what the client was answered; 0 = nothing */
    uint16_t upstream_status; /* 0 = no answer */
    enum record_outcome outcome;
    enum err err;          /* ERR_OK, or why it failed */
    struct str err_detail; /* one sentence without secrets */

    uint64_t first_byte_us; /* request head complete → first body byte from upstream; 0 = none */
    uint64_t total_us;      /* request head complete → last byte handed to the client's socket */
    uint64_t overhead_us;   /* time we added */
    uint32_t events;        /* SSE events relayed */

    struct usage usage;
    struct cost cost;
    uint32_t catalog_version; /* of the price catalogue used */
    /* What the price depended on beside the above, so that it can be worked out anew. */
    uint32_t price_flags; /* enum record_price_flag */
    struct str container; /* memory of code sessions, as in struct price_query */

    struct record_routing routing;

    bool bodies_kept;
    struct record_body request_body, response_body;
    /* Kept with the bodies: JSON objects of header fields, secrets masked; "" when not kept. */
    struct str request_headers, response_headers;
};

/* What is written when an attempt begins, so that a crash leaves a trace. */
struct record_open {
    int64_t id, request_id;
    uint32_t attempt;
    int64_t started_us;
    int64_t workspace_id, key_id, integration_id;
    struct str method, path, operation, model_asked, trace_id, user, metadata;
    struct str provider, config, target; /* as in struct record_routing */
    bool stream;
    uint64_t request_bytes; /* 0 = not known yet */
    int64_t reserved_pusd;  /* upper bound reserved at admission; 0 = none */
};

#define RECORD_ID_TEXT_MAX 24
/* The id as clients see it: "tgr_" and 13 characters of lower-case base 32. */
size_t record_id_format(int64_t id, char out[RECORD_ID_TEXT_MAX]);
bool record_id_parse(struct str text, int64_t *ret_id);
#define RECORD_TRACE_TEXT_MAX 37
/*
 * The trace id of a request whose caller gave none: a UUID (version 4 in form) that is worked out
 * from the request's id, so that it need not be stored and still leads back to the request.
 */
void record_trace_format(int64_t request_id, char out[RECORD_TRACE_TEXT_MAX]);
bool record_trace_parse(struct str text, int64_t *ret_request_id);
/* The smallest id of that microsecond, for key ranges. */
int64_t record_id_floor(int64_t wall_us);
int64_t record_id_time_us(int64_t id);

/*
 * One per worker. Never returns an id twice, whatever the wall clock does; all ids are above
 * `not_before_id`.
 */
#define RECORD_WORKERS_MAX 64
struct record_ids {
    int64_t last;
    unsigned worker; /* 0 … 63 */
};
void record_ids_init(struct record_ids *g, unsigned worker, int64_t not_before_id);
int64_t record_ids_next(struct record_ids *g, int64_t wall_us);

#endif
