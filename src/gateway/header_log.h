/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HEADER_LOG_H
#define GATEWAY_HEADER_LOG_H

/*
 * header_log: header fields as they are kept in the log, without their secrets.
 *
 * A secret becomes its first two and last three bytes around eight stars, "sk********abc"; a leading
 * "Bearer " is left out. What is a secret is decided by name: credentials, keys, tokens, cookies and
 * passwords whatever they are called, and the fields that the request names itself. In fields that
 * hold JSON (a config) the members are judged by the same rule.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"
#include "control/config/config.h"
#include "net/http1_head.h"

/*
 * Appends a JSON object of the fields, names in lower case; fields that come more than once are
 * joined by ", ". `sensitive` (lower case; may be NULL) are names to be masked beside ours. False:
 * the buffer is too small, and what was appended must not be used.
 */
bool header_log_json(const struct http1_field *fields, unsigned count, const struct config_strings *sensitive,
                     struct buf *out) __attribute__((warn_unused_result));

/* Is a field or a JSON member of this name a secret, by our own rule? */
bool header_log_secret(struct str name);
/* "sk********abc". Five bytes or fewer, which that would show whole, are stars only. */
bool header_log_mask(struct str value, struct buf *out) __attribute__((warn_unused_result));

#endif
