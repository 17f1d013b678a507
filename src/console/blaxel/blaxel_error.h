/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_BLAXEL_ERROR_H
#define CONSOLE_BLAXEL_BLAXEL_ERROR_H

/*
 * blaxel_error: refusals as the clients of Blaxel's control plane read them:
 *
 *     {"code": 409, "error": "already_exists", "message": "…", "param": "name"}
 *
 * `error` is always there: the Python SDK fails without it.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appended. The message is the error table's sentence, or `detail` where there is one. */
bool blaxel_error_json(struct buf *out, enum err e, struct str param, struct str detail)
    __attribute__((warn_unused_result));
/* "x-should-retry: false" where the Go SDK would try again in vain; appended. */
bool blaxel_error_lines(struct buf *lines, enum err e) __attribute__((warn_unused_result));

#endif
