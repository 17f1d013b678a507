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
 * base_url: kinds openai and openai-admin take https://api.openai.com/v1 when none is given, and add
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
};

enum err control_integration_create(struct control *c, int64_t workspace_id,
                                    const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *ret_row, struct control_why *why) ERR_USE;
enum err control_integration_update(struct control *c, int64_t workspace_id, struct str slug,
                                    const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *ret_row, struct control_why *why) ERR_USE;
/*
 * The row stays for old records; its key is destroyed and its slug is free again. ERR_IN_USE names model
 * APIs that use it.
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
