/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_WEBHOOK_H
#define GATEWAY_HOOKS_WEBHOOK_H

/*
 * webhook: the checks that ask another host, `default.webhook` and `default.log`.
 *
 * One POST of JSON over the worker's HTTP client, so the address rules for upstream hosts hold. The
 * whole exchange has one time limit and its answer a size limit. The caller's head is never sent.
 *
 * A webhook that nobody waits for is begun detached: it owns what it needs and its answer is thrown
 * away; so many of a worker are under way at once, further ones are not sent.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json/jdoc.h"
#include "base/str.h"

struct http_client;
struct loop;
struct webhook;

#define WEBHOOK_TIMEOUT_MS 3000 /* when none is given */
#define WEBHOOK_TIMEOUT_MAX_MS 30000
#define WEBHOOK_ANSWER_MAX (4u << 20)
#define WEBHOOK_PAYLOAD_MAX (16u << 20)
#define WEBHOOK_DETACHED_MAX 256
#define WEBHOOK_DETACHED_BYTES (32u << 20) /* of their payloads together */

/* Where it goes, from a check's parameters. */
struct webhook_settings {
    struct str url;     /* as given */
    struct str headers; /* JSON object, or "" */
    uint64_t timeout_ms;
};
/*
 * False with a sentence in *ret_why. `url_name` is the parameter with the URL. Texts are in the arena or
 * the parameters.
 */
bool webhook_settings_of(struct jval parameters, const char *url_name, struct arena *a, struct webhook_settings *ret,
                         const char **ret_why);

/* Of a URL what may be shown: "https://host:port". Many receivers know who may call by the rest alone. */
struct str webhook_host_of(struct str url);

/* `error` is "" when an answer with a status of success came; then `body` is its content. */
typedef void webhook_done_fn(void *ctx, const char *error, struct str body);

/*
 * Begins a POST of `payload`, which is copied; NULL with a sentence when it cannot be begun. `done` is
 * called later, once; the webhook is dead then.
 */
struct webhook *webhook_begin(struct http_client *client, struct loop *loop, const struct webhook_settings *settings,
                              struct str payload, webhook_done_fn *done, void *ctx, const char **ret_why);
void webhook_cancel(struct webhook *w);
/* The same without an answer. */
bool webhook_send(struct http_client *client, struct loop *loop, const struct webhook_settings *settings,
                  struct str payload, const char **ret_why);
/* Drops this thread's detached ones. Before its HTTP client is freed. */
void webhook_drop_detached(void);

#endif
