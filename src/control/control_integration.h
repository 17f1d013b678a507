/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_INTEGRATION_H
#define CONTROL_CONTROL_INTEGRATION_H

/*
 * control_integration: stored provider accounts. Same rules as control.h.
 *
 * The provider's key goes in and never comes out: rows carry a hint ("sk-…abcd"), the data path
 * gets it inside a snapshot. A stored key is bound to the origin it was stored for: moving an
 * integration to another scheme, host or port needs the key again, so that nobody who may edit but
 * not see can have it sent somewhere else.
 *
 * The first integration of a workspace that serves requests becomes its default; when the default is
 * deleted nothing takes its place by itself, since that would change who pays.
 *
 * A provider is another use of an integration, under a slug of its own, in the integration's workspace or
 * in one that was given access (provider/access.h). It is a row as well, with name, note and expiry of its
 * own; address, key and models are its account's, so giving the account another key gives it to all.
 * Providers of a workspace without access are not called, and are again when it is given back.
 *
 * base_url: kinds openai, openai-admin and openai-legacy take https://api.openai.com/v1 when none is given, and add
 * /v1 to one without a path. azure-openai needs one that ends at the host, in /openai, or in
 * /openai/v1 (which means api_version v1, also the default). openai-compatible takes what is given.
 */

#include "control/control.h"

struct control_integration {
    int64_t id;
    int64_t workspace_id;
    struct str slug, name;
    enum kind_integration kind;
    struct str base_url; /* normal form */
    struct str organization, project;
    struct str api_version; /* Azure */
    struct str deployments; /* Azure: JSON array in normal form, "" = none */
    struct str key_hint;    /* "" = no key */
    bool is_default;
    int64_t created_us, updated_us;
    int64_t account_id; /* its own id, or that of the integration it is a provider of */
    struct str account; /* that one's slug; "" = it is no provider */
    struct str note;
    int64_t expires_us;  /* requests are refused from then on; 0 = never */
    bool hidden;         /* is called by its providers' slugs only */
    bool only_listed;    /* models that are not enabled by name are refused (provider/allow.h) */
    bool all_workspaces; /* every workspace has access, those apart that were denied it */
};

/*
 * A new or changed integration. A NULL pointer (p == NULL) means "not given": the default for a new
 * one, no change for an existing one.
 *
 * `deployments` is JSON: {"gpt-4o": "my-deployment"}, or an array of
 * {"alias", "deployment", "model", "api_version", "default"}.
 */
struct control_integration_spec {
    struct str slug; /* required for a new one; lower-case letters, digits, '-', '_', at most 63 */
    struct str name; /* default: the slug */
    struct str kind; /* required for a new one; cannot be changed */
    struct str base_url;
    struct str api_key; /* required, except for openai-compatible */
    struct str organization, project;
    struct str api_version;
    struct str deployments;
    const bool *is_default;
    struct str note;           /* at most 1,000 bytes */
    const int64_t *expires_us; /* 0 = never; otherwise in the future */
    const bool *hidden;        /* not of a provider */
};

enum err control_integration_create(struct control *c, int64_t workspace_id,
                                    const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *ret_row, struct control_why *why) ERR_USE;
/*
 * A provider of `account`: the slug of an integration of this workspace, or else of one that the workspace
 * has access to. Of the specification it takes slug, name, note, expires_us, is_default; others are refused.
 */
enum err control_integration_share(struct control *c, int64_t workspace_id, struct str account,
                                   const struct control_integration_spec *spec, struct arena *a,
                                   struct control_integration *ret_row, struct control_why *why) ERR_USE;
enum err control_integration_update(struct control *c, int64_t workspace_id, struct str slug,
                                    const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *ret_row, struct control_why *why) ERR_USE;
/*
 * The row stays for old records; its key is destroyed and its slug is free again. Its providers go with
 * it. ERR_IN_USE names model APIs that use it, or one of those.
 */
enum err control_integration_delete(struct control *c, int64_t workspace_id, struct str slug,
                                    struct control_why *why) ERR_USE;

enum err control_integration_find(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                                  struct control_integration *ret_row, struct control_why *why) ERR_USE;
/* By slug, at most CONTROL_INTEGRATION_MAX. */
#define CONTROL_INTEGRATION_MAX 1000
enum err control_integration_list(struct control *c, int64_t workspace_id, struct arena *a,
                                  struct control_integration **ret_rows, size_t *ret_count,
                                  struct control_why *why) ERR_USE;

#endif
