/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_VANTAGE_REPLY_H
#define CONSOLE_VANTAGE_VANTAGE_REPLY_H

/*
 * vantage_reply: answers as Vantage's clients read them. Refusals are {"errors": ["…"]}: anything else
 * is no error message to them. Lists carry absolute links to their pages.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "console/job.h"

#define VANTAGE_UNSUPPORTED "Not supported by this server"

/* {"errors":["…"]} appended: the table's sentence, or `detail` where there is one. */
bool vantage_error_json(struct buf *out, enum err e, struct str detail) __attribute__((warn_unused_result));
/* The answer to a path that does not exist. */
bool vantage_unknown_json(struct buf *out) __attribute__((warn_unused_result));

/* Answers with a sentence. */
void vantage_fail(struct job *j, int status, const char *text);
/* From a failure of docs, control or a store: what the state forbids is 422. */
void vantage_fail_err(struct job *j, enum err e, const char *why);

/* Which page of a list. */
struct vantage_page {
    uint64_t page, limit; /* from 1 */
};
/* False when the job was answered: a limit above `max`, or no numbers. */
bool vantage_page_read(struct job *j, uint64_t limit, uint64_t max, struct vantage_page *ret);
/* Member "links". `total` is of all pages; UINT64_MAX when unknown, `more` then tells whether there is another. */
void vantage_links(struct job *j, const struct vantage_page *p, uint64_t total, bool more);

/* "https://host/v2/data_exports/dta_xprt_…": an absolute address of this server; appended. */
bool vantage_url(const struct job *j, struct buf *out, struct str path) __attribute__((warn_unused_result));

/* "2026-11-22T06:28:13Z", or null when 0. */
void vantage_time(struct json_write *w, const char *name, int64_t wall_us);

#endif
