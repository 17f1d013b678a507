/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_AZURE_TOKEN_H
#define GATEWAY_TARGET_AZURE_TOKEN_H

/*
 * azure_token: bearer tokens of Microsoft Entra, managed identities and workload identities, per
 * worker. A token is kept until shortly before it expires and fetched once for all who wait.
 */

#include "base/err.h"
#include "base/list.h"
#include "base/secret.h"
#include "base/str.h"
#include "net/loop.h"

struct http_client;
struct azure_token_want;
struct azure_tokens;

/* One waiting request; embedded in it. on_token is called once, later, unless it is cancelled. */
struct azure_token_wait {
    void (*on_token)(struct azure_token_wait *w, enum err e, struct str why);
    struct list node;
};

struct azure_tokens_settings {
    struct str entra_url;    /* "https://login.microsoftonline.com" */
    struct str metadata_url; /* "http://169.254.169.254" */
};

struct azure_tokens *azure_tokens_new(struct loop *l, struct http_client *client,
                                      const struct azure_tokens_settings *settings);
void azure_tokens_free(struct azure_tokens *t);
/* Begins fetching what target_resolve wanted, or joins a fetch under way. */
void azure_token_await(struct azure_tokens *t, struct azure_token_want *want, struct azure_token_wait *wait);
void azure_token_cancel(struct azure_token_wait *wait);

#endif
