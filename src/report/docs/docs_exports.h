/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DOCS_DOCS_EXPORTS_H
#define REPORT_DOCS_DOCS_EXPORTS_H

/*
 * docs_exports: files that were made of reports, kept for a day. Who has the token and the secret may read one
 * without a key. Errors as in docs.h.
 */

#include "report/docs/docs.h"

#define DOCS_EXPORT_KEPT_US (INT64_C(86400) * 1000000)
/* All files of an installation together; the oldest go first. */
#define DOCS_EXPORTS_BYTES_MAX (INT64_C(1) << 30)

struct docs_export {
    struct str token, secret; /* made by docs_exports_put */
    int64_t workspace;
    struct str kind;       /* "cost_report" */
    struct str attributes; /* JSON object: what was asked */
    struct str name;       /* of the file */
    struct str content;
    int64_t created_us, until_us;
};

/* Fills in token, secret and times; they live in `a`. */
enum err docs_exports_put(struct docs *d, struct docs_export *x, struct arena *a) ERR_USE;
/* ERR_NOT_FOUND also when its day is over. `content` is read only when `whole`. */
enum err docs_exports_find(struct docs *d, struct str token, bool whole, struct arena *a,
                           struct docs_export *ret) ERR_USE;

#endif
