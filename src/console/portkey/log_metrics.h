/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_LOG_METRICS_H
#define CONSOLE_PORTKEY_LOG_METRICS_H

/*
 * log_metrics: a record as the row of figures that Portkey keeps of an attempt, all of its fields by
 * its names.
 *
 * Costs are US cents, written from integers. Times are milliseconds. Flags are 0 and 1. What we have
 * no notion of (prompts) is null; what we do not measure apart (parsing) is 0 and in
 * gateway_processing_time.
 */

#include "console/job.h"
#include "console/native/filter.h"
#include "ledger/record.h"

#define LOG_METRICS_ORGANISATION "default"
#define LOG_METRICS_URL_MAX 1024

/* "metrics": {…} */
void log_metrics_write(struct job *j, const struct names *n, const struct record *r);
/* "created_at": "YYYY-MM-DD HH:MM:SS.mmm" */
void log_metrics_created_at(struct json_write *w, const struct record *r);
/* Milliseconds until the first byte of a stream, or the last of what is none. */
uint64_t log_metrics_response_ms(const struct record *r);
/* Where the request went, without query and credentials; the path alone when it went nowhere. */
struct str log_metrics_url(const struct names *n, const struct record *r, char out[LOG_METRICS_URL_MAX]);

#endif
