/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_TARGET_H
#define GATEWAY_TARGET_TARGET_H

/*
 * target: where one attempt goes: host, path, credential, and what must change in the body.
 *
 * Worked out from the target of the config (if any), the request's headers and the stored
 * integrations, in this order: provider "@slug" of the config target, its virtual_key, "@slug/" of
 * its override_params.model; then, where the target names none, the request's own: provider
 * "@slug", virtual key, "@slug/" of the body's model (or of ?model=), plain provider with the
 * caller's key, x-portkey-mode; then the workspace's default integration.
 *
 * Azure's addresses, versions and credentials are worked out here too. Where a token must be
 * fetched first, the caller waits (azure_token.h).
 */

#include "control/snapshot.h"
#include "gateway/target/options.h"
#include "gateway/target/refusal.h"
#include "openai/endpoint.h"

struct address_set;
struct azure_tokens;
struct azure_token_want;

struct target_input {
    const struct snapshot *snapshot;
    const struct snapshot_workspace *workspace;
    const struct options *options;  /* never NULL */
    const struct config_node *node; /* NULL: no config */
    const struct endpoint *endpoint;
    struct str method;
    struct str path;  /* below "/v1" */
    struct str query; /* without "?"; a "@slug/" in its model is taken off */
    struct str model; /* the body's, or the query's, before overrides */
    bool websocket;
    struct azure_tokens *tokens;       /* the worker's; NULL: token modes are refused */
    const struct address_set *allowed; /* private ranges a custom host may lie in */
    int64_t wall_us;
};

struct target {
    const struct snapshot_integration *integration; /* NULL: the caller's own credential */
    enum kind_integration kind;
    struct str provider; /* "openai", "azure-openai", "openai-compatible": for x-portkey-provider and the record */
    bool tls;
    uint16_t port;
    struct str host, authority;
    struct str request_path; /* with query: what goes into the request line */
    /*
     * Complete lines with the credential, OpenAI-Organization, -Project and -Beta; a secret. The
     * client's own lines of these names do not pass beside them unless forward_headers names them.
     */
    struct str head_lines;
    /* Names of client headers that pass, none of which carries the gateway key; NULL: none. */
    const struct config_strings *forward_headers[2];
    struct str send_model;  /* replaces the body's model, overrides applied; "" = leave it */
    struct str price_model; /* what prices go by when the answer's model says nothing; "" = the model asked */
};

enum target_verdict {
    TARGET_READY,
    TARGET_WAIT,    /* ret->want: get it, then ask again */
    TARGET_REFUSED, /* ret->refusal, ret->detail */
};
struct target_result {
    struct target target;
    enum refusal refusal;
    struct str detail;
    struct azure_token_want *want;
};
/* Views point into the arena, the snapshot, the config and the input. */
enum target_verdict target_resolve(const struct target_input *in, struct arena *a, struct target_result *ret);

/*
 * "@slug/model" → slug and model. "@cf/" and "@hf/" models are plain names. False when it is not of that form.
 */
bool target_split_model(struct str model, struct str *ret_slug, struct str *ret_model);

#endif
