/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_APIERR_H
#define SIM_HTTP_APIERR_H

/*
 * apierr: errors as OpenAI and Azure write them.
 */

#include "base/buf.h"
#include "base/str.h"

struct call;

/* `param` and `code` may be NULL (null in the answer). */
void apierr(struct call *c, int status, const char *type, const char *param, const char *code, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The usual ones. */
void apierr_missing(struct call *c, const char *param);
void apierr_invalid(struct call *c, const char *param, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "No such File object: file-abc". */
void apierr_no_such(struct call *c, const char *what, struct str id);
void apierr_no_model(struct call *c, struct str model);

/* An error on cue: `status` 0 and `code` "" mean: not said. Sends Retry-After where OpenAI does. */
void apierr_on_cue(struct call *c, int status, struct str code);
/* {"error":{…}} alone, for the middle of a stream. */
void apierr_body(struct buf *out, int status, struct str code);

#endif
