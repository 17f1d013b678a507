/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_OPTIONS_H
#define GATEWAY_TARGET_OPTIONS_H

/*
 * options: what a request's x-portkey-* headers (and the few others of that contract) ask for.
 *
 * Read once, from the head. Nothing in here is trusted with more than its caller may do. Lists come
 * as comma list, JSON array or Python repr; booleans are the words true and false; unknown
 * x-portkey-* headers have no effect.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "control/config/config.h"
#include "net/http1_head.h"

#define OPTIONS_LIST_MAX 64

struct options {
    bool portkey;           /* some x-portkey-* header was sent: errors speak Portkey's dialect */
    struct str provider;    /* "@slug" or a name; from x-portkey-provider, else the last word of x-portkey-mode */
    bool provider_by_mode;  /* it came from x-portkey-mode: provider of last resort */
    struct str virtual_key; /* x-portkey-virtual-key */
    struct str config;      /* "pc-…" or JSON; "" when none */
    struct str custom_host;
    /*
     * The caller's own provider credential: Authorization with or without "Bearer ", when it is
     * neither empty, a placeholder, nor the gateway key. A secret.
     */
    struct str own_key;
    bool own_authorization; /* Authorization is the caller's own, of whatever scheme, and may be forwarded */
    struct str own_organization,
        own_project; /* OpenAI-Organization, -Project as OpenAI clients send them; with own_key */
    /*
     * Fields (lower case) that do not pass as they came: credentials whose value is the gateway key or
     * a placeholder, and openai-beta, which stands in a target's head_lines where it is due.
     */
    struct config_strings withheld;
    struct config_strings forward_headers;   /* lower case; camelCase names also in kebab-case */
    struct config_strings sensitive_headers; /* lower case */
    struct str openai_organization, openai_project, openai_beta;
    struct config_azure azure;
    struct str cache_namespace;
    bool cache_namespace_given;
    bool cache_refresh;
    struct config_cache cache; /* the old header form: x-portkey-cache, -cache-ttl, cache-control: max-age */
    uint64_t request_timeout_ms;
    bool lenient;   /* x-portkey-strict-open-ai-compliance: false */
    bool debug_off; /* x-portkey-debug: false */
    bool nitro;
    bool integrated_models; /* x-portkey-fetch-integrated-models: true */
    uint64_t audio_duration_ms;
    struct str span_name;
    struct str baggage_metadata; /* of `baggage`, percent-decoded, as a JSON object; "" when none */
    struct str sdk_version, runtime, runtime_version;
};

/* Whether the head has anything of that contract that changes how a request is routed. Cheap: for every request. */
bool options_matter(const struct http1_head *head);
/*
 * `gateway_key` is what the caller was authenticated with. Views point into the arena, not the head.
 * False when the arena is full.
 */
bool options_read(const struct http1_head *head, struct str gateway_key, struct arena *a, struct options *ret)
    __attribute__((warn_unused_result));
/*
 * The metadata that holds, as one JSON object: workspace over key over request header over baggage;
 * `user` becomes _user when there is none. Values are cut at 128 characters for the record. "" when empty.
 * Bad JSON from the caller counts as none and sets *ret_bad.
 */
struct str options_metadata(struct str workspace, struct str key, struct str header, struct str baggage,
                            struct str user, struct arena *a, bool *ret_bad);

#endif
