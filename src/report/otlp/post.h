/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_OTLP_POST_H
#define REPORT_OTLP_POST_H

/*
 * post: one document to a collector by OTLP over HTTP, and what its answer means.
 *
 * One call at a time. The document is compressed (gzip) and kept until the answer is there, so the
 * caller's buffer is free at once. Which answers allow another try is the protocol's: 429, 5xx and
 * no answer at all. A refusal of the document itself is told apart from everything else that an
 * operator must mend (a wrong address or credential), because only the former depends on what was
 * sent.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "net/http_client.h"
#include "net/url.h"

struct post;

#define POST_WHY_MAX 256
#define POST_TIMEOUT_US (30 * UINT64_C(1000000))

/* Where to: "http://host:4318" becomes POST http://host:4318/v1/traces. */
struct post_target {
    struct url url; /* views point into the text that was read */
    char authority[URL_AUTHORITY_MAX];
    char path[URL_MAX + 16];
    struct secret lines; /* header fields of the operator, complete lines */
};
/* `headers` is "name=value,name=value", values percent-encoded where need be. A sentence in `why` otherwise. */
enum err post_target_read(struct str endpoint, struct str headers, struct post_target *ret,
                          char why[POST_WHY_MAX]) ERR_USE;
void post_target_done(struct post_target *t);

enum post_verdict {
    POST_TAKEN,
    POST_LATER,  /* try again: busy, down, or not set up right */
    POST_REFUSED /* the collector does not want this document; a smaller one may do */
};
struct post_result {
    enum post_verdict verdict;
    uint64_t wait_us;  /* what the collector asks for before the next try; 0 = nothing said */
    uint64_t rejected; /* POST_TAKEN: spans that it left out */
    char why[POST_WHY_MAX];
};
typedef void post_done_fn(void *ctx, const struct post_result *result);

/* `target` outlives the object. */
struct post *post_new(struct http_client *c, const struct post_target *target);
void post_free(struct post *p); /* what is under way is dropped; NULL does nothing */
/* `done` is called once, later; it may begin the next one. */
void post_begin(struct post *p, struct str json, post_done_fn *done, void *ctx);
bool post_busy(const struct post *p);

#endif
