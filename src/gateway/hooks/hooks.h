/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_HOOKS_H
#define GATEWAY_HOOKS_HOOKS_H

/*
 * hooks: guardrails. The checks of a config target, run before a request goes out and on the
 * answer that came (Portkey's §3.8). All built-in checks are deterministic; `default.webhook` asks
 * another host and therefore waits.
 *
 * Before: chat completions, completions, embeddings and messages; the text looked at is the last
 * message's. After: chat completions and completions, answers of status 200 that are no stream.
 *
 * A run is begun and ends in `done`, possibly before hooks_begin returns (then no callback: the
 * result says so). Webhooks use the worker's HTTP client, so the address check holds for them.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "control/config/config.h"
#include "openai/endpoint.h"

struct address_set;
struct hooks_run;
struct http_client;
struct loop;

enum hooks_when { HOOKS_BEFORE, HOOKS_AFTER };

enum hooks_verdict {
    HOOKS_PASSED,
    HOOKS_FAILED, /* a hook without `deny` failed: status 246 */
    HOOKS_DENIED, /* a hook with `deny` failed: status 446 */
};

struct hooks_input {
    enum hooks_when when;
    const struct config_hooks *hooks;
    const struct endpoint *endpoint;
    struct str request_body;  /* JSON */
    struct str response_body; /* JSON; HOOKS_AFTER */
    struct str metadata;      /* JSON object or "" */
    struct str model, provider;
    struct str request_headers; /* JSON object of the client's header fields, for checks that look there; may be "" */
    struct http_client *client;
    struct loop *loop;
    const struct address_set *allowed;
};

struct hooks_result {
    enum hooks_verdict verdict;
    struct str results; /* JSON array: before_request_hooks or after_request_hooks; "[]" when no hook applied */
    /*
     * The changed request (before) or response (after) body; p == NULL: unchanged. One that does not fit
     * into the arena makes the verdict HOOKS_DENIED.
     */
    struct str body;
};

typedef void hooks_done_fn(void *ctx, const struct hooks_result *result);

/*
 * Begins. True: finished at once, *ret is filled and `done` will not be called. False: `done` comes
 * later; *ret_run can be cancelled until then. Views in the result are in the arena; those of the
 * input must last until the end. Hooks marked async run without being waited for: their result is
 * only noted in the log.
 */
bool hooks_begin(const struct hooks_input *in, struct arena *a, hooks_done_fn *done, void *ctx,
                 struct hooks_result *ret, struct hooks_run **ret_run) __attribute__((warn_unused_result));
void hooks_cancel(struct hooks_run *run);
/* Whether these hooks look at this operation at all. */
bool hooks_apply(const struct config_hooks *hooks, enum hooks_when when, const struct endpoint *endpoint);

/*
 * Appends {"before_request_hooks":[…],"after_request_hooks":[…]}: the value of hook_results.
 * An empty view counts as [].
 */
bool hooks_results_json(struct buf *out, struct str before, struct str after) __attribute__((warn_unused_result));
/* `body` with the member hook_results added at the end; false when it is no JSON object or does not fit. */
bool hooks_add_results(struct str body, struct str before, struct str after, struct buf *out)
    __attribute__((warn_unused_result));

#endif
