/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_ENVELOPE_H
#define GATEWAY_ENVELOPE_H

/*
 * envelope: errors of ours as Blaxel's clients read them (blaxel.md §3.5): its gateway envelope with
 * OpenAI's members beside it in one object, and two header lines that say who spoke. Errors of the
 * provider never get one.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Columns: name, status (0 = the error's own), may be tried again, what to do, what not to do. */
#define ENVELOPE_TABLE(X)                                                                                         \
    X(ROUTE_NOT_FOUND, 404, false, "Check the path behind the model's name.", "Do not retry the same address.")   \
    X(WORKLOAD_NOT_FOUND, 404, false, "Check the model's name and workspace.", "Do not retry the same address.")  \
    X(WORKLOAD_UNAVAILABLE, 404, true, "Enable the model, or try again later.", "Do not create it again.")        \
    X(WORKSPACE_NOT_FOUND, 404, false, "Check the workspace's name.", "Do not retry the same address.")           \
    X(AUTHENTICATION_REQUIRED, 401, false, "Send a key in x-blaxel-authorization or Authorization.",              \
      "Do not retry without one.")                                                                                \
    X(AUTHENTICATION_FAILED, 401, false, "Use a key that is valid.", "Do not retry with the same key.")           \
    X(FORBIDDEN, 403, false, "Use a key of this workspace, or one with the needed role.",                         \
      "Do not retry with the same key.")                                                                          \
    X(BAD_REQUEST, 0, false, "Correct the request.", "Do not retry it unchanged.")                                \
    X(USAGE_LIMIT_EXCEEDED, 402, false, "Wait until the limit is reset, or have it raised.", "Do not retry now.") \
    X(POLICY_VIOLATION, 0, false, "Wait until the window of the policy ends.", "Do not retry before that.")       \
    X(REQUEST_ENTITY_TOO_LARGE, 413, false, "Send a smaller body.", "Do not retry it unchanged.")                 \
    X(UPSTREAM_UNAVAILABLE, 0, true, "Try again; look at the provider's status.", "Do not change the request.")   \
    X(INTERNAL_ERROR, 0, true, "Try again later.", "Do not change the request.")

enum envelope {
#define X(name, status, retryable, action, do_not) ENVELOPE_##name,
    ENVELOPE_TABLE(X)
#undef X
        ENVELOPE_COUNT
};
const char *envelope_code(enum envelope which);
/* What an error of ours is in that list. */
enum envelope envelope_of(enum err e);
/*
 * The JSON answer for an error with this status (which the table may overrule: *ret_status) and
 * message. `type` and `param` are OpenAI's members.
 */
bool envelope_json(struct buf *out, enum envelope which, int status, struct str message, struct str type,
                   struct str param, int64_t wall_us, int *ret_status) __attribute__((warn_unused_result));
/* "X-Blaxel-Source: platform" and the code; appended. */
bool envelope_lines(struct buf *out, enum envelope which) __attribute__((warn_unused_result));

#endif
