/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

/*
 * reply: errors of our own, in OpenAI's shape, with what to do in the sentence.
 */

#include "base/buf.h"
#include "base/err.h"
#include "net/http_server.h"

/*
 * {"error":{"message","type","param","code"}} appended to `out`. The message is the table's
 * sentence, followed by `detail` when that is not empty. `param` may be empty (null).
 */
bool reply_error_json(struct buf *out, enum err e, struct str param, struct str detail);

/* Header lines that go with an error: Retry-After, WWW-Authenticate, x-should-retry. */
void reply_error_lines(struct buf *out, enum err e);

/* Answers an exchange that never became a request. `lines` are complete header lines. */
void reply_error(struct http_exchange *x, enum err e, struct str param, struct str detail, struct str lines);

#endif
