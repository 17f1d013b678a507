/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_DIALECT_H
#define CONSOLE_PORTKEY_DIALECT_H

/*
 * dialect: refusals as Portkey's clients read them. Its own services answer in three shapes, so ours
 * has the members of all three:
 *
 *     {"success": false, "status": "failure", "message": M,
 *      "data": {"message": M, "errorCode": "AB01"},
 *      "error": {"message": M, "type": …, "param": …, "code": …}}
 *
 * errorCode goes by the status: AB01 400, AB02 404, AB03 403, AB04 500, AB05 401, AB06 429, AB07 409,
 * AB08 404 for a path that does not exist, AB09 402.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appended to `out`. The message is the error table's sentence, followed by `detail` in brackets. */
bool dialect_error_json(struct buf *out, enum err e, struct str param, struct str detail)
    __attribute__((warn_unused_result));
/* For a path that does not exist, in any dialect: {"message":"Not Found","ok":false} and our own error in one. */
bool dialect_not_found_json(struct buf *out) __attribute__((warn_unused_result));

#endif
