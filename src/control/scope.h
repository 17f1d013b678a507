/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SCOPE_H
#define CONTROL_SCOPE_H

/*
 * scope: what a key with a list of scopes may do, one bit each. A key without a list may do whatever
 * its role allows. The texts are Portkey's; stored and sent are texts, so bits mean something
 * inside one process only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* Columns: name, Portkey's text. At most 127. */
#define SNAPSHOT_SCOPE_TABLE(X)                                                     \
    X(COMPLETIONS_WRITE, "completions.write")                                       \
    X(PROMPTS_RENDER, "prompts.render")                                             \
    X(LOGS_WRITE, "logs.write")                                                     \
    X(LOGS_VIEW, "logs.view")                                                       \
    X(LOGS_LIST, "logs.list")                                                       \
    X(LOGS_EXPORT, "logs.export")                                                   \
    X(ANALYTICS_VIEW, "analytics.view")                                             \
    X(MODELS_LIST, "models.list")                                                   \
    X(VIRTUAL_KEYS_LIST, "virtual_keys.list")                                       \
    X(CONFIGS_CREATE, "configs.create")                                             \
    X(CONFIGS_READ, "configs.read")                                                 \
    X(CONFIGS_UPDATE, "configs.update")                                             \
    X(CONFIGS_DELETE, "configs.delete")                                             \
    X(CONFIGS_LIST, "configs.list")                                                 \
    X(FEEDBACKS_WRITE, "feedbacks.write")                                           \
    X(PROMPTS_CREATE, "prompts.create")                                             \
    X(PROMPTS_READ, "prompts.read")                                                 \
    X(PROMPTS_UPDATE, "prompts.update")                                             \
    X(PROMPTS_DELETE, "prompts.delete")                                             \
    X(PROMPTS_LIST, "prompts.list")                                                 \
    X(PROMPTS_PUBLISH, "prompts.publish")                                           \
    X(VIRTUAL_KEYS_CREATE, "virtual_keys.create")                                   \
    X(VIRTUAL_KEYS_READ, "virtual_keys.read")                                       \
    X(VIRTUAL_KEYS_UPDATE, "virtual_keys.update")                                   \
    X(VIRTUAL_KEYS_DELETE, "virtual_keys.delete")                                   \
    X(PROVIDERS_CREATE, "providers.create")                                         \
    X(PROVIDERS_READ, "providers.read")                                             \
    X(PROVIDERS_UPDATE, "providers.update")                                         \
    X(PROVIDERS_DELETE, "providers.delete")                                         \
    X(PROVIDERS_LIST, "providers.list")                                             \
    X(INTEGRATIONS_CREATE, "integrations.create")                                   \
    X(INTEGRATIONS_READ, "integrations.read")                                       \
    X(INTEGRATIONS_UPDATE, "integrations.update")                                   \
    X(INTEGRATIONS_DELETE, "integrations.delete")                                   \
    X(INTEGRATIONS_LIST, "integrations.list")                                       \
    X(GUARDRAILS_CREATE, "guardrails.create")                                       \
    X(GUARDRAILS_READ, "guardrails.read")                                           \
    X(GUARDRAILS_UPDATE, "guardrails.update")                                       \
    X(GUARDRAILS_DELETE, "guardrails.delete")                                       \
    X(GUARDRAILS_LIST, "guardrails.list")                                           \
    X(GUARDRAILS_INVOKE, "guardrails.invoke")                                       \
    X(VIRTUAL_KEYS_DUPLICATE, "virtual_keys.duplicate")                             \
    X(VIRTUAL_KEYS_COPY, "virtual_keys.copy")                                       \
    X(WORKSPACES_CREATE, "workspaces.create")                                       \
    X(WORKSPACES_READ, "workspaces.read")                                           \
    X(WORKSPACES_UPDATE, "workspaces.update")                                       \
    X(WORKSPACES_DELETE, "workspaces.delete")                                       \
    X(WORKSPACES_LIST, "workspaces.list")                                           \
    X(WORKSPACE_USERS_CREATE, "workspace_users.create")                             \
    X(WORKSPACE_USERS_READ, "workspace_users.read")                                 \
    X(WORKSPACE_USERS_UPDATE, "workspace_users.update")                             \
    X(WORKSPACE_USERS_DELETE, "workspace_users.delete")                             \
    X(WORKSPACE_USERS_LIST, "workspace_users.list")                                 \
    X(ORGANISATION_USERS_CREATE, "organisation_users.create")                       \
    X(ORGANISATION_USERS_READ, "organisation_users.read")                           \
    X(ORGANISATION_USERS_UPDATE, "organisation_users.update")                       \
    X(ORGANISATION_USERS_DELETE, "organisation_users.delete")                       \
    X(ORGANISATION_USERS_LIST, "organisation_users.list")                           \
    X(WORKSPACE_SERVICE_API_KEYS_CREATE, "workspace_service_api_keys.create")       \
    X(WORKSPACE_SERVICE_API_KEYS_READ, "workspace_service_api_keys.read")           \
    X(WORKSPACE_SERVICE_API_KEYS_UPDATE, "workspace_service_api_keys.update")       \
    X(WORKSPACE_SERVICE_API_KEYS_DELETE, "workspace_service_api_keys.delete")       \
    X(WORKSPACE_SERVICE_API_KEYS_LIST, "workspace_service_api_keys.list")           \
    X(WORKSPACE_SERVICE_API_KEYS_ROTATE, "workspace_service_api_keys.rotate")       \
    X(WORKSPACE_USER_API_KEYS_CREATE, "workspace_user_api_keys.create")             \
    X(WORKSPACE_USER_API_KEYS_READ, "workspace_user_api_keys.read")                 \
    X(WORKSPACE_USER_API_KEYS_UPDATE, "workspace_user_api_keys.update")             \
    X(WORKSPACE_USER_API_KEYS_DELETE, "workspace_user_api_keys.delete")             \
    X(WORKSPACE_USER_API_KEYS_LIST, "workspace_user_api_keys.list")                 \
    X(WORKSPACE_USER_API_KEYS_ROTATE, "workspace_user_api_keys.rotate")             \
    X(ORGANISATION_SERVICE_API_KEYS_CREATE, "organisation_service_api_keys.create") \
    X(ORGANISATION_SERVICE_API_KEYS_READ, "organisation_service_api_keys.read")     \
    X(ORGANISATION_SERVICE_API_KEYS_UPDATE, "organisation_service_api_keys.update") \
    X(ORGANISATION_SERVICE_API_KEYS_DELETE, "organisation_service_api_keys.delete") \
    X(ORGANISATION_SERVICE_API_KEYS_LIST, "organisation_service_api_keys.list")     \
    X(ORGANISATION_SERVICE_API_KEYS_ROTATE, "organisation_service_api_keys.rotate") \
    X(POLICIES_CREATE, "policies.create")                                           \
    X(POLICIES_READ, "policies.read")                                               \
    X(POLICIES_UPDATE, "policies.update")                                           \
    X(POLICIES_DELETE, "policies.delete")                                           \
    X(POLICIES_LIST, "policies.list")                                               \
    X(AUDIT_LOGS_LIST, "audit_logs.list")                                           \
    X(SECRET_REFERENCES_CREATE, "secret_references.create")                         \
    X(SECRET_REFERENCES_READ, "secret_references.read")                             \
    X(SECRET_REFERENCES_UPDATE, "secret_references.update")                         \
    X(SECRET_REFERENCES_DELETE, "secret_references.delete")                         \
    X(SECRET_REFERENCES_LIST, "secret_references.list")                             \
    X(MCP_INVOKE, "mcp.invoke")

enum snapshot_scope {
#define X(name, text) SNAPSHOT_SCOPE_##name,
    SNAPSHOT_SCOPE_TABLE(X)
#undef X
        SNAPSHOT_SCOPE_COUNT
};
typedef unsigned __int128 scope_set;
#define SCOPE_BIT(scope) ((scope_set)1 << (scope))
#define SNAPSHOT_SCOPES_ALL (~(scope_set)0) /* a key without a list of scopes */

bool scope_from_text(struct str text, enum snapshot_scope *ret_scope);
const char *scope_text(enum snapshot_scope scope);
/*
 * A list "completions.write,logs.view" as bits; empty means SNAPSHOT_SCOPES_ALL. False when a name is
 * unknown; *ret_unknown is that name then.
 */
bool scope_list_read(struct str list, scope_set *ret_scopes, struct str *ret_unknown);
/* The reverse; nothing for SNAPSHOT_SCOPES_ALL. False when it does not fit. */
bool scope_list_write(scope_set scopes, struct buf *out) __attribute__((warn_unused_result));

#endif
