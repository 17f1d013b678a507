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

#define BLAXEL_ROUTES(X)                                                                                               \
    X(GET, "/models", VIEWER, ANY, blaxel_models_list, "Model APIs of the workspace")                                  \
    X(POST, "/models", MEMBER, ALL, blaxel_models_create, "Make a model API")                                          \
    X(GET, "/models/{}", VIEWER, ANY, blaxel_models_get, "One model API")                                              \
    X(PUT, "/models/{}", MEMBER, ALL, blaxel_models_update, "Replace a model API: a new revision")                     \
    X(DELETE, "/models/{}", MEMBER, ALL, blaxel_models_delete, "Delete a model API")                                   \
    X(GET, "/models/{}/revisions", VIEWER, ANY, blaxel_models_revisions, "Revisions of a model API, newest first")     \
    X(GET, "/models/{}/metrics", VIEWER, ANALYTICS_VIEW, model_metrics_get, "Counts, times and tokens of a model API") \
    X(GET, "/models/{}/logs", VIEWER, LOGS_LIST, model_logs_list, "What was asked of a model API, as log lines")       \
    X(GET, "/models/{}/traces", VIEWER, LOGS_LIST, model_traces_of, "Traces of requests to a model API")               \
    X(GET, "/traces", VIEWER, LOGS_LIST, model_traces_all, "Traces of requests to model APIs")                         \
    X(GET, "/traces/{}", VIEWER, LOGS_VIEW, model_traces_get, "One trace: its spans")                                  \
    X(GET, "/metrics", VIEWER, ANALYTICS_VIEW, model_metrics_workspace, "Counts of all model APIs of the workspace")   \
    X(GET, "/observability/logs", VIEWER, LOGS_LIST, model_logs_map, "Log lines by model API, with counts over time")  \
    X(GET, "/integrations/connections", VIEWER, INTEGRATIONS_LIST, connections_list,                                   \
      "Provider accounts of the workspace, keys masked")                                                               \
    X(POST, "/integrations/connections", ADMIN, INTEGRATIONS_CREATE, connections_create, "Connect a provider account") \
    X(GET, "/integrations/connections/{}", VIEWER, INTEGRATIONS_READ, connections_get, "One provider account")         \
    X(PUT, "/integrations/connections/{}", ADMIN, INTEGRATIONS_UPDATE, connections_update,                             \
      "Change a provider account, or give it another key")                                                             \
    X(DELETE, "/integrations/connections/{}", ADMIN, INTEGRATIONS_DELETE, connections_delete,                          \
      "Disconnect a provider account that no model API uses")                                                          \
    X(GET, "/integrations/connections/{}/models", VIEWER, MODELS_LIST, connections_models,                             \
      "Models that a provider account has, by its own list")                                                           \
    X(GET, "/integrations/connections/{}/models/{*}", VIEWER, MODELS_LIST, connections_model, "One of them")           \
    X(GET, "/integrations/connections/{}/endpointConfigurations", VIEWER, MODELS_LIST, connections_endpoints,          \
      "Nothing to choose: an empty list")                                                                              \
    X(GET, "/integrations/{}", VIEWER, ANY, providers_get, "Paths of a provider's API, and where token counts stand")  \
    X(GET, "/integrations/{}/models", VIEWER, MODELS_LIST, connections_type_models,                                    \
      "Models of the workspace's account with that provider")                                                          \
    X(GET, "/integrations/{}/models/{*}", VIEWER, MODELS_LIST, connections_type_model, "One of them")                  \
    X(GET, "/policies", VIEWER, ANY, blaxel_policies_list, "Policies of model APIs")                                   \
    X(POST, "/policies", ADMIN, ALL, blaxel_policies_create, "Make a policy")                                          \
    X(GET, "/policies/{}", VIEWER, ANY, blaxel_policies_get, "One policy")                                             \
    X(PUT, "/policies/{}", ADMIN, ALL, blaxel_policies_update, "Replace a policy; it holds from the next request on")  \
    X(DELETE, "/policies/{}", ADMIN, ALL, blaxel_policies_delete, "Delete a policy that no model API carries")         \
    X(GET, "/policies/{}/usages", VIEWER, ANY, blaxel_policies_usages, "Model APIs that carry a policy")               \
    X(GET, "/accounts/{}/metrics", VIEWER, ANALYTICS_VIEW, account_metrics_get, "Spending, grouped, without holes")    \
    X(GET, "/accounts/{}/metrics/enums/group-by", VIEWER, ANALYTICS_VIEW, account_metrics_group_by,                    \
      "Dimensions of it")                                                                                              \
    X(GET, "/accounts/{}/metrics/enums/resource-types", VIEWER, ANALYTICS_VIEW, account_metrics_types, "What spends")  \
    X(GET, "/workspaces", VIEWER, ANY, blaxel_workspaces_list, "Workspaces that the key reaches")                      \
    X(POST, "/workspaces", OWNER, ALL, blaxel_workspaces_create, "Make a workspace")                                   \
    X(POST, "/workspaces/availability", VIEWER, ANY, blaxel_workspaces_availability, "Whether a name is free")         \
    X(GET, "/workspaces/{}", VIEWER, ANY, blaxel_workspaces_get, "One workspace")                                      \
    X(PUT, "/workspaces/{}", ADMIN, ALL, blaxel_workspaces_update, "Change a workspace's display name")                \
    X(DELETE, "/workspaces/{}", ADMIN, ALL, blaxel_workspaces_delete,                                                  \
      "End a workspace and all that is in it, for ever")                                                               \
    X(POST, "/workspaces/{}/join", VIEWER, ALL, blaxel_users_join, "Accept the invitation to a workspace")             \
    X(POST, "/workspaces/{}/decline", VIEWER, ALL, blaxel_users_decline, "Decline it")                                 \
    X(DELETE, "/workspaces/{}/leave", VIEWER, ALL, blaxel_users_leave, "Leave a workspace")                            \
    X(GET, "/users", VIEWER, ANY, blaxel_users_list, "Who is in the workspace, and who is invited")                    \
    X(POST, "/users", ADMIN, ALL, blaxel_users_invite, "Invite somebody to the workspace")                             \
    X(PUT, "/users/{}", ADMIN, ALL, blaxel_users_update, "Give somebody, or a service account, another role")          \
    X(DELETE, "/users/{}", ADMIN, ALL, blaxel_users_remove, "Remove somebody, or take an invitation back")             \
    X(GET, "/profile/invitations", VIEWER, ALL, blaxel_users_invitations, "Invitations of the caller")                 \
    X(GET, "/profile/api_keys", VIEWER, ALL, service_accounts_own_keys, "The caller's own keys")                       \
    X(POST, "/profile/api_keys", VIEWER, ALL, service_accounts_create_own, "Make a key of one's own, shown once")      \
    X(DELETE, "/profile/api_keys/{}", VIEWER, ALL, service_accounts_delete_own, "Revoke a key of one's own")           \
    X(GET, "/service_accounts", VIEWER, ANY, service_accounts_list, "Service accounts of the workspace")               \
    X(POST, "/service_accounts", ADMIN, ALL, service_accounts_create, "Make one; its secret is shown once")            \
    X(PUT, "/service_accounts/{}", ADMIN, ALL, service_accounts_update, "Change its name or description")              \
    X(DELETE, "/service_accounts/{}", ADMIN, ALL, service_accounts_delete, "Delete it with all its credentials")       \
    X(GET, "/service_accounts/{}/api_keys", ADMIN, ALL, service_accounts_keys, "Its keys")                             \
    X(POST, "/service_accounts/{}/api_keys", ADMIN, ALL, service_accounts_create_key, "Make it a key, shown once")     \
    X(DELETE, "/service_accounts/{}/api_keys/{}", ADMIN, ALL, service_accounts_delete_key,                             \
      "Revoke a key of it, at once")                                                                                   \
    X(GET, "/audit", ADMIN, ALL, audit_log_list, "What was changed in the workspace, by whom")                         \
    X(POST, "/oauth/token", PUBLIC, ANY, oauth_token, "A token for a service account, or for a program let in")        \
    X(POST, "/oauth/device", PUBLIC, ANY, oauth_device, "Codes with which a person lets a program in")                 \
    X(POST, "/login/device", PUBLIC, ANY, oauth_device, "The same, where Blaxel's clients ask for it")                 \
    X(GET, "/.well-known/openid-configuration", PUBLIC, ANY, oauth_configuration, "Where tokens are fetched")          \
    X(GET, "/locations", VIEWER, ANY, blaxel_workspaces_locations, "Places to run at: one")                            \
    X(GET, "/configuration", VIEWER, ANY, blaxel_workspaces_configuration, "Continents, countries, regions")

#define X(method, path, access, scope, run, summary) void run(struct job *j);
BLAXEL_ROUTES(X)
#undef X

#endif
