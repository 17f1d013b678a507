/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_BLAXEL_H
#define CONSOLE_BLAXEL_BLAXEL_H

/*
 * blaxel: the control plane of Blaxel as its SDKs, its command line and REST clients call it: model
 * APIs, integrations, workspaces, what was done with them. Handlers translate to calls of control and
 * ledger, and back; they decide nothing.
 *
 * The same paths stand below /v0 and, for SDKs behind a proxy, below /api. Requests to the models
 * themselves are not here: gateway/model_api.h.
 *
 * The table: method, path, who may, the scope a key with a list of scopes needs (ANY: none; ALL: only
 * keys without a list), handler, one line about it.
 */

#include "console/job.h"

#define BLAXEL_ROUTES(X)                                                                           \
    X(GET, "/models", VIEWER, ANY, blaxel_models_list, "Model APIs of the workspace")              \
    X(POST, "/models", MEMBER, ALL, blaxel_models_create, "Make a model API")                      \
    X(GET, "/models/{}", VIEWER, ANY, blaxel_models_get, "One model API")                          \
    X(PUT, "/models/{}", MEMBER, ALL, blaxel_models_update, "Replace a model API: a new revision") \
    X(DELETE, "/models/{}", MEMBER, ALL, blaxel_models_delete, "Delete a model API")               \
    X(GET, "/models/{}/revisions", VIEWER, ANY, blaxel_models_revisions, "Revisions of a model API, newest first")

#define X(method, path, access, scope, run, summary) void run(struct job *j);
BLAXEL_ROUTES(X)
#undef X

#endif
