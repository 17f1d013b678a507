/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_HOOK_POST_H
#define REPORT_NOTIFY_HOOK_POST_H

/*
 * hook_post: one POST of JSON to a receiver's URL, and what its answer means.
 *
 * Through the one outbound stack, so a loopback or private address is refused unless the operator allowed it.
 * Redirects are not followed: they could lead elsewhere. 2xx is taken; 408, 425, 429, 5xx and no answer
 * mean later; anything else is for good, since it would be the same again.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/http_client.h"

struct hook_post;

#define HOOK_POST_WHY_MAX 320
#define HOOK_POST_TIMEOUT_US (15 * UINT64_C(1000000)) /* for all of it */

enum hook_post_verdict { HOOK_POST_TAKEN, HOOK_POST_LATER, HOOK_POST_REFUSED };
struct hook_post_result {
    enum hook_post_verdict verdict;
    bool server;      /* LATER: it would be so with any message to this host */
    uint64_t wait_us; /* Retry-After; 0 = nothing said */
    char why[HOOK_POST_WHY_MAX];
};
typedef void hook_post_done_fn(void *ctx, const struct hook_post_result *result);

/*
 * `lines` are header lines of ours, complete; `body` is copied. `done` is called once, later, and the object is
 * gone then. NULL with a sentence in `why` when it cannot be begun.
 */
struct hook_post *hook_post_begin(struct http_client *client, struct loop *loop, struct str url, struct str lines,
                                  struct str body, hook_post_done_fn *done, void *ctx, char why[HOOK_POST_WHY_MAX]);
void hook_post_cancel(struct hook_post *p); /* `done` will not be called */

#endif
