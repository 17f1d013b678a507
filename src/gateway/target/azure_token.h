/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_AZURE_TOKEN_H
#define GATEWAY_TARGET_AZURE_TOKEN_H

/*
 * azure_token: bearer tokens of Microsoft Entra, managed identities and workload identities, per
 * worker.
 *
 * A token is kept until five minutes before it expires (or half its life, when that is shorter) and
 * fetched once for all who wait. target_resolve looks here first; when there is no token it says
 * what it wants, the request waits with azure_token_await and then resolves again.
 *
 * Managed identities are off unless a metadata address is set: whoever may send requests would
 * else act as the machine. That address is reached by a connection of its own kind, so that it
 * need not be opened to upstreams. Workload identities are off unless their three settings are
 * there. Errors are told without secrets; tokens and client secrets are wiped when let go.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"
#include "net/loop.h"

#define AZURE_TOKEN_MAX 16384 /* longest token that is taken */
#define AZURE_TOKENS_MAX 256  /* kept at a time; the one not used for longest goes first */

struct azure_tokens;
struct http_client;

enum azure_token_mode { AZURE_TOKEN_ENTRA, AZURE_TOKEN_MANAGED, AZURE_TOKEN_WORKLOAD };

/* Which token. Views are good while the request that wants it is. */
struct azure_token_want {
    enum azure_token_mode mode;
    struct str tenant;                   /* entra; workload: "" = the setting */
    struct str client_id, client_secret; /* the secret: entra only */
    struct str scope;                    /* "" = Azure's cognitive services */
};

/* One waiting request; embedded in it. on_token is called once, later, unless it is cancelled. */
struct azure_token_wait {
    void (*on_token)(struct azure_token_wait *w, enum err e, struct str why);
    struct list node;
};

/* Copied by azure_tokens_new. */
struct azure_tokens_settings {
    struct str entra_url;    /* "" = https://login.microsoftonline.com */
    struct str metadata_url; /* "http://169.254.169.254"; an address, not a name; "" = no managed identities */
    /* Of the workload identity: AZURE_TENANT_ID, _CLIENT_ID, _FEDERATED_TOKEN_FILE, _AUTHORITY_HOST; "" = none. */
    struct str workload_tenant, workload_client_id, workload_token_file, workload_authority;
};

/* ERR_BAD_OPTION with a sentence when a setting is no address that can be used. For start-up. */
enum err azure_tokens_check(const struct azure_tokens_settings *settings, char *why, size_t why_cap) ERR_USE;

/* The settings have been checked. `client` must outlive it. */
struct azure_tokens *azure_tokens_new(struct loop *l, struct http_client *client,
                                      const struct azure_tokens_settings *settings);
void azure_tokens_free(struct azure_tokens *t); /* NULL does nothing; no callbacks */

/* Whether that mode can be used at all here. */
bool azure_token_enabled(const struct azure_tokens *t, enum azure_token_mode mode);
/* The token, good until the next call here; "" when it must be fetched first. */
struct str azure_token_find(struct azure_tokens *t, const struct azure_token_want *want);
/* Begins fetching what target_resolve wanted, or joins a fetch under way. */
void azure_token_await(struct azure_tokens *t, const struct azure_token_want *want, struct azure_token_wait *wait);
void azure_token_cancel(struct azure_token_wait *wait); /* after azure_token_await; also after on_token */

#endif
