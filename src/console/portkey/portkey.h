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

#define PORTKEY_ROUTES(X)                                                                                             \
    X(GET, "/v1/configs", MEMBER, CONFIGS_LIST, portkey_configs_list, "Stored routing configs of the workspace")      \
    X(POST, "/v1/configs", ADMIN, CONFIGS_CREATE, portkey_configs_create, "Store a routing config")                   \
    X(GET, "/v1/configs/{}", MEMBER, CONFIGS_READ, portkey_configs_get, "One config, with its secrets masked")        \
    X(PUT, "/v1/configs/{}", ADMIN, CONFIGS_UPDATE, portkey_configs_update,                                           \
      "Rename a config, or give it a new version")                                                                    \
    X(DELETE, "/v1/configs/{}", ADMIN, CONFIGS_DELETE, portkey_configs_delete,                                        \
      "Delete a config that nothing uses by default")                                                                 \
    X(GET, "/v1/configs/{}/versions", MEMBER, CONFIGS_READ, portkey_configs_versions, "All versions of a config")     \
    X(GET, "/v1/api-keys", ADMIN, WORKSPACE_SERVICE_API_KEYS_LIST, portkey_keys_list, "Keys of the workspace")        \
    X(POST, "/v1/api-keys/{}/rotate", ADMIN, WORKSPACE_SERVICE_API_KEYS_ROTATE, portkey_keys_rotate,                  \
      "A new text for a key; the one before is good for a while")                                                     \
    X(POST, "/v1/api-keys/workspace/{}", ADMIN, WORKSPACE_SERVICE_API_KEYS_CREATE, portkey_keys_workspace,            \
      "A new key; its text is in this answer only")                                                                   \
    X(POST, "/v1/api-keys/organisation/{}", OWNER, ORGANISATION_SERVICE_API_KEYS_CREATE, portkey_keys_organisation,   \
      "A new key that administers and serves no requests")                                                            \
    X(GET, "/v1/api-keys/{}", ADMIN, WORKSPACE_SERVICE_API_KEYS_READ, portkey_keys_get, "One key, masked")            \
    X(PUT, "/v1/api-keys/{}", ADMIN, WORKSPACE_SERVICE_API_KEYS_UPDATE, portkey_keys_update,                          \
      "Change a key's name, scopes, limits, defaults, expiry")                                                        \
    X(DELETE, "/v1/api-keys/{}", ADMIN, WORKSPACE_SERVICE_API_KEYS_DELETE, portkey_keys_delete,                       \
      "Revoke a key, for ever")                                                                                       \
    X(GET, "/v1/virtual-keys", MEMBER, VIRTUAL_KEYS_LIST, virtual_keys_list, "Accounts of the workspace")             \
    X(POST, "/v1/virtual-keys", ADMIN, VIRTUAL_KEYS_CREATE, virtual_keys_create, "Connect a provider account")        \
    X(GET, "/v1/virtual-keys/{}", MEMBER, VIRTUAL_KEYS_READ, virtual_keys_get, "One account, without its key")        \
    X(PUT, "/v1/virtual-keys/{}", ADMIN, VIRTUAL_KEYS_UPDATE, virtual_keys_update, "Change or rotate an account")     \
    X(DELETE, "/v1/virtual-keys/{}", ADMIN, VIRTUAL_KEYS_DELETE, virtual_keys_delete, "Disconnect an account")        \
    X(GET, "/v1/providers", MEMBER, PROVIDERS_LIST, portkey_providers_list, "What can be called as @slug")            \
    X(POST, "/v1/providers", ADMIN, PROVIDERS_CREATE, portkey_providers_create,                                       \
      "Another use of an integration, under its own slug")                                                            \
    X(GET, "/v1/providers/{}", MEMBER, PROVIDERS_READ, portkey_providers_get, "One provider")                         \
    X(PUT, "/v1/providers/{}", ADMIN, PROVIDERS_UPDATE, portkey_providers_update,                                     \
      "Change a provider's name, note, limits, expiry")                                                               \
    X(DELETE, "/v1/providers/{}", ADMIN, PROVIDERS_DELETE, portkey_providers_delete,                                  \
      "Delete a provider; the integration stays")                                                                     \
    X(GET, "/v1/integrations", ADMIN, INTEGRATIONS_LIST, portkey_integrations_list, "Accounts with keys")             \
    X(POST, "/v1/integrations", ADMIN, INTEGRATIONS_CREATE, portkey_integrations_create, "Connect an account")        \
    X(GET, "/v1/integrations/{}", ADMIN, INTEGRATIONS_READ, portkey_integrations_get, "One account")                  \
    X(PUT, "/v1/integrations/{}", ADMIN, INTEGRATIONS_UPDATE, portkey_integrations_update, "Change an account")       \
    X(DELETE, "/v1/integrations/{}", ADMIN, INTEGRATIONS_DELETE, portkey_integrations_delete,                         \
      "Disconnect an account and its providers")                                                                      \
    X(GET, "/v1/integrations/{}/models", ADMIN, INTEGRATIONS_READ, portkey_integrations_models,                       \
      "Models, and whether the account serves them")                                                                  \
    X(PUT, "/v1/integrations/{}/models", ADMIN, INTEGRATIONS_UPDATE, portkey_integrations_set_models,                 \
      "Enable and disable models")                                                                                    \
    X(DELETE, "/v1/integrations/{}/models", ADMIN, INTEGRATIONS_UPDATE, portkey_integrations_drop_models,             \
      "Forget what was said of ?slugs=a,b")                                                                           \
    X(GET, "/v1/integrations/{}/workspaces", ADMIN, INTEGRATIONS_READ, portkey_integrations_workspaces,               \
      "Which workspaces may use the account")                                                                         \
    X(PUT, "/v1/integrations/{}/workspaces", ADMIN, INTEGRATIONS_UPDATE, portkey_integrations_set_workspaces,         \
      "Give and take access, with limits")                                                                            \
    X(GET, "/v1/policies/usage-limits", ADMIN, POLICIES_LIST, portkey_policies_usage_list, "Policies with a budget")  \
    X(POST, "/v1/policies/usage-limits", ADMIN, POLICIES_CREATE, portkey_policies_usage_create,                       \
      "A new policy with a budget")                                                                                   \
    X(GET, "/v1/policies/usage-limits/{}", ADMIN, POLICIES_READ, portkey_policies_usage_get, "One policy")            \
    X(PUT, "/v1/policies/usage-limits/{}", ADMIN, POLICIES_UPDATE, portkey_policies_usage_update, "Change a policy")  \
    X(DELETE, "/v1/policies/usage-limits/{}", ADMIN, POLICIES_DELETE, portkey_policies_usage_delete,                  \
      "Remove a policy")                                                                                              \
    X(GET, "/v1/policies/usage-limits/{}/entities", ADMIN, POLICIES_READ, portkey_policies_usage_entities,            \
      "What it counts apart, and how much")                                                                           \
    X(PUT, "/v1/policies/usage-limits/{}/entities/{}/reset", ADMIN, POLICIES_UPDATE, portkey_policies_usage_reset,    \
      "Count one of them anew")                                                                                       \
    X(GET, "/v1/policies/rate-limits", ADMIN, POLICIES_LIST, portkey_policies_rate_list, "Policies with a rate")      \
    X(POST, "/v1/policies/rate-limits", ADMIN, POLICIES_CREATE, portkey_policies_rate_create,                         \
      "A new policy with a rate")                                                                                     \
    X(GET, "/v1/policies/rate-limits/{}", ADMIN, POLICIES_READ, portkey_policies_rate_get, "One policy")              \
    X(PUT, "/v1/policies/rate-limits/{}", ADMIN, POLICIES_UPDATE, portkey_policies_rate_update, "Change a policy")    \
    X(DELETE, "/v1/policies/rate-limits/{}", ADMIN, POLICIES_DELETE, portkey_policies_rate_delete, "Remove a policy") \
    X(GET, "/v1/policies/rate-limits/{}/entities", ADMIN, POLICIES_READ, portkey_policies_rate_entities,              \
      "What it counts apart, and how much")                                                                           \
    X(PUT, "/v1/policies/rate-limits/{}/entities/{}/reset", ADMIN, POLICIES_UPDATE, portkey_policies_rate_reset,      \
      "Count one of them anew")                                                                                       \
    X(GET, "/v1/admin/users", OWNER, ORGANISATION_USERS_LIST, portkey_users_list, "People of the organization")       \
    X(GET, "/v1/admin/users/invites", OWNER, ORGANISATION_USERS_LIST, portkey_users_invites, "Invitations")           \
    X(POST, "/v1/admin/users/invites", OWNER, ORGANISATION_USERS_CREATE, portkey_users_create_invite,                 \
      "Invite somebody; the link is in this answer only")                                                             \
    X(GET, "/v1/admin/users/invites/{}", OWNER, ORGANISATION_USERS_READ, portkey_users_invite, "One invitation")      \
    X(DELETE, "/v1/admin/users/invites/{}", OWNER, ORGANISATION_USERS_DELETE, portkey_users_delete_invite,            \
      "Take an invitation back")                                                                                      \
    X(POST, "/v1/admin/users/invites/{}/resend", OWNER, ORGANISATION_USERS_CREATE, portkey_users_resend_invite,       \
      "A new link for an invitation")                                                                                 \
    X(GET, "/v1/admin/users/{}", OWNER, ORGANISATION_USERS_READ, portkey_users_get, "One person")                     \
    X(PUT, "/v1/admin/users/{}", OWNER, ORGANISATION_USERS_UPDATE, portkey_users_update,                              \
      "Give a person another role in the organization")                                                               \
    X(DELETE, "/v1/admin/users/{}", OWNER, ORGANISATION_USERS_DELETE, portkey_users_delete,                           \
      "Remove a person, with their keys")                                                                             \
    X(GET, "/v1/admin/workspaces", ADMIN, WORKSPACES_LIST, portkey_workspaces_list, "Workspaces")                     \
    X(POST, "/v1/admin/workspaces", OWNER, WORKSPACES_CREATE, portkey_workspaces_create, "A new workspace")           \
    X(GET, "/v1/admin/workspaces/{}", ADMIN, WORKSPACES_READ, portkey_workspaces_get,                                 \
      "One workspace, with its people")                                                                               \
    X(PUT, "/v1/admin/workspaces/{}", ADMIN, WORKSPACES_UPDATE, portkey_workspaces_update,                            \
      "Change a workspace, its limits, its people")                                                                   \
    X(DELETE, "/v1/admin/workspaces/{}", OWNER, WORKSPACES_DELETE, portkey_workspaces_delete,                         \
      "Delete a workspace and what it holds")                                                                         \
    X(GET, "/v1/admin/workspaces/{}/users", ADMIN, WORKSPACE_USERS_LIST, portkey_workspaces_users,                    \
      "Who is in a workspace")                                                                                        \
    X(POST, "/v1/admin/workspaces/{}/users", ADMIN, WORKSPACE_USERS_CREATE, portkey_workspaces_add_users,             \
      "Put people into a workspace")                                                                                  \
    X(GET, "/v1/admin/workspaces/{}/users/{}", ADMIN, WORKSPACE_USERS_READ, portkey_workspaces_user,                  \
      "One person in a workspace")                                                                                    \
    X(PUT, "/v1/admin/workspaces/{}/users/{}", ADMIN, WORKSPACE_USERS_UPDATE, portkey_workspaces_set_user,            \
      "Give a person another role there")                                                                             \
    X(DELETE, "/v1/admin/workspaces/{}/users/{}", ADMIN, WORKSPACE_USERS_DELETE, portkey_workspaces_remove_user,      \
      "Take a person out of a workspace")                                                                             \
    X(GET, "/v1/audit-logs", ADMIN, AUDIT_LOGS_LIST, portkey_audit_list, "Who changed what, newest first")            \
    X(GET, "/v1/logs/{}", VIEWER, LOGS_VIEW, logs_record, "One log row in full, with the figures of Portkey's log")   \
    X(GET, "/model-configs/pricing/{}/{}", PUBLIC, ANY, pricing_get, "A model's prices, in cents for one unit")       \
    X(GET, "/v1/models", VIEWER, ANY, models_list, "Models of the workspace's accounts, as @slug/model")

#define X(method, path, access, scope, run, summary) void run(struct job *j);
PORTKEY_ROUTES(X)
#undef X

#endif
