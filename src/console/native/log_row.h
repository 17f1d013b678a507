/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NATIVE_LOG_ROW_H
#define CONSOLE_NATIVE_LOG_ROW_H

/* log_row: what the ledger has of an attempt, as JSON. */

#include "base/json_write.h"
#include "console/native/filter.h"
#include "ledger/record.h"

/* "name": "tgr_…" */
void log_row_id(struct json_write *w, const char *name, int64_t id);
/* All members of a row, without braces. */
void log_row_write(struct json_write *w, const struct record *r, const struct names *n);
/* A body as text when it is UTF-8, else as base64; with its size, and its hash when it was cut. null: nothing was kept. */
void log_row_body(struct json_write *w, const char *name, const struct record_body *b);
/* Kept JSON as it is; null when there is none, or only the beginning of one. */
void log_row_headers(struct json_write *w, const char *name, struct str text);
/* Is the text one JSON value? */
bool log_row_json_valid(struct str text);

#endif
