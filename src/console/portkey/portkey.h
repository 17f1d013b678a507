/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_PORTKEY_H
#define CONSOLE_PORTKEY_PORTKEY_H

/*
 * portkey: Portkey's own resources, as its SDKs and REST clients call them. Handlers translate to calls
 * of control and ledger, and back; they decide nothing.
 *
 * Every answer is a JSON object, empty ones included: the Python SDK makes an object of whatever comes.
 * Refusals carry all the shapes that Portkey's clients look into; see dialect.h.
 *
 * The table: method, path, who may, the scope a key with a list of scopes needs (ANY: none; ALL: only
 * keys without a list), handler, one line about it. Which paths under /v1 come here at all decides
 * gateway/dispatch.c.
 */

#include "console/job.h"

#define PORTKEY_ROUTES(X)                                                                                           \
    X(GET, "/v1/configs", MEMBER, CONFIGS_LIST, portkey_configs_list, "Stored routing configs of the workspace")    \
    X(POST, "/v1/configs", ADMIN, CONFIGS_CREATE, portkey_configs_create, "Store a routing config")                 \
    X(GET, "/v1/configs/{}", MEMBER, CONFIGS_READ, portkey_configs_get, "One config, with its secrets masked")      \
    X(PUT, "/v1/configs/{}", ADMIN, CONFIGS_UPDATE, portkey_configs_update,                                         \
      "Rename a config, or give it a new version")                                                                  \
    X(DELETE, "/v1/configs/{}", ADMIN, CONFIGS_DELETE, portkey_configs_delete,                                      \
      "Delete a config that nothing uses by default")                                                               \
    X(GET, "/v1/configs/{}/versions", MEMBER, CONFIGS_READ, portkey_configs_versions, "All versions of a config")   \
    X(GET, "/v1/api-keys", ADMIN, ALL, portkey_keys_list, "Keys of the workspace")                                  \
    X(POST, "/v1/api-keys/{}/{}", ADMIN, ALL, portkey_keys_create, "A new key; its text is in this answer only")    \
    X(GET, "/v1/api-keys/{}", ADMIN, ALL, portkey_keys_get, "One key, masked")                                      \
    X(PUT, "/v1/api-keys/{}", ADMIN, ALL, portkey_keys_update, "Change a key's name, scopes, defaults, expiry")     \
    X(DELETE, "/v1/api-keys/{}", ADMIN, ALL, portkey_keys_delete, "Revoke a key, for ever")                         \
    X(GET, "/v1/logs/{}", VIEWER, LOGS_VIEW, logs_record, "One log row in full, with the figures of Portkey's log") \
    X(GET, "/model-configs/pricing/{}/{}", PUBLIC, ANY, pricing_get, "A model's prices, in cents for one unit")     \
    X(GET, "/v1/models", VIEWER, ANY, models_list, "Models of the workspace's accounts, as @slug/model")

#define X(method, path, access, scope, run, summary) void run(struct job *j);
PORTKEY_ROUTES(X)
#undef X

#endif
