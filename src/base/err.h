/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * err: every way the outside world can fail us, in one table.
 *
 * A row gives the code its HTTP status, OpenAI error type, stable code string, retry class, log
 * level, and a sentence that tells the reader what to do. docs/ERRORS.md is made from this table.
 * Functions return enum err; ERR_OK is 0; outputs are untouched on failure. Bugs of ours are not
 * errors: see must.h.
 */

#include "base/err_table.h"
#include "base/log.h"
#include "base/str.h"

enum err_retry {
    ERR_RETRY_NEVER,  /* the same request will fail again */
    ERR_RETRY_LATER,  /* the client may try again after a wait */
    ERR_RETRY_TARGET, /* another upstream target may succeed */
};

enum err {
#define X(name, status, type, code, retry, level, text) ERR_##name,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

struct err_info {
    const char *name; /* "UPSTREAM_TIMEOUT" */
    int status;       /* HTTP status; 0 for errors that never reach a client */
    const char *type; /* OpenAI error type */
    const char *code; /* stable code string */
    enum err_retry retry;
    enum log_level level;
    const char *text; /* what happened and what to do */
};

/* The table's row; `e` must be a valid code. */
const struct err_info *err_info(enum err e);

#define ERR_USE __attribute__((warn_unused_result))

#endif
