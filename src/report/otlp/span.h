/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_OTLP_SPAN_H
#define REPORT_OTLP_SPAN_H

/*
 * span: ledger rows as OpenTelemetry spans, in the JSON form of OTLP.
 *
 * A request with one attempt is one span. One with several (retries, fallbacks) is a span of its own
 * with an attempt span for each below it. What another model did within an attempt (an image tool, a
 * realtime transcription) is a span below that attempt's. Attributes follow the semantic conventions
 * for generative AI; what they have no name for begins with "tollgate.". Bodies, prompts and answers
 * are never part of a span, nor are header fields and results of guardrails.
 *
 * Ids say where they come from, so that a row that is sent twice is the same span, and a span leads
 * back to its row:
 *   trace    the caller's, when it is 32 hexadecimal digits or a UUID; the one we gave; else the
 *            first half of the SHA-256 of the caller's text, which then is an attribute
 *   span     the attempt's id; a request of several attempts: its id with the topmost bit set. A
 *            caller's span id of 16 hexadecimal digits takes the place of the request's
 *   parent   the caller's, when it is 16 hexadecimal digits
 *
 * Pure functions over a json_write; a full buffer is noticed at its end.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json_write.h"
#include "ledger/record.h"

struct snapshot;

#define SPAN_TRACE_BYTES 16
/* Of the row's request; not all zero. */
void span_trace_id(const struct record *r, unsigned char out[SPAN_TRACE_BYTES]);
/* What a request of several attempts has; all attempts of the request say the same. */
uint64_t span_of_request(const struct record *r);
/* What the attempt itself has, given whether it is the only one. */
uint64_t span_of_attempt(const struct record *r, bool alone);
/* The caller's parent span; 0 = none that can be used. */
uint64_t span_of_caller(const struct record *r);

/* The document around the spans: {"resourceSpans":[{…"spans":[ and its end. */
void span_begin(struct json_write *w);
void span_end(struct json_write *w);

/* `names` may be NULL: workspace and integration are then given by number only. */
void span_attempt(struct json_write *w, const struct record *r, uint64_t span, uint64_t parent,
                  const struct snapshot *names);

/* What is known of a request beside its last attempt. */
struct span_request {
    int64_t started_us, ended_us; /* of all attempts */
    unsigned attempts;
    money_sum cost_pusd, wasted_pusd; /* of all; of those whose answer the client did not get */
    bool unpriced;                    /* a part of the cost is not known */
};
void span_request(struct json_write *w, const struct record *last, const struct span_request *sum,
                  const struct snapshot *names);

#endif
