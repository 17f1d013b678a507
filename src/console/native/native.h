/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NATIVE_NATIVE_H
#define CONSOLE_NATIVE_NATIVE_H

/*
 * native: our own resources. Handlers translate JSON to calls of control, ledger and gateway, and
 * back; they decide nothing.
 *
 * The table: method, path, who may, the scope a key with a list of scopes needs (ANY: none; ALL: only
 * keys without a list), handler, one line about it.
 */

#include "console/job.h"

#define NATIVE_ROUTES(X)                                                                                               \
    X(GET, "/v1/health", PROBE, ANY, health_ready, "200 when requests can be served")                                  \
    X(GET, "/livez", PROBE, ANY, health_live, "200 while the process runs")                                            \
    X(GET, "/readyz", PROBE, ANY, health_ready, "200 when requests can be served, 503 while draining")                 \
    X(GET, "/metrics", PROBE, ANY, prometheus_metrics, "Counters in the Prometheus text format")                       \
    X(GET, "/openapi.json", PUBLIC, ANY, pages_openapi, "This API, described in OpenAPI 3.1")                          \
    X(GET, "/", PUBLIC, ANY, pages_root, "Leads to the console")                                                       \
    X(GET, "/console", PUBLIC, ANY, pages_root, "Leads to the console")                                                \
    X(GET, "/console/", PUBLIC, ANY, pages_console, "The web console")                                                 \
    X(GET, "/console/console.js", PUBLIC, ANY, pages_script, "Its script")                                             \
    X(GET, "/console/console.css", PUBLIC, ANY, pages_style, "Its style")                                              \
    X(GET, "/console/device", PUBLIC, ANY, pages_sign_in, "The page on which a program is let in")                     \
    X(GET, "/console/sign_in.js", PUBLIC, ANY, pages_sign_in_script, "Its script")                                     \
    X(GET, "/tollgate/v1/status", VIEWER, ANY, health_status,                                                          \
      "Version, uptime, state of journal, ledger and catalogue")                                                       \
    X(GET, "/tollgate/v1/keys", ADMIN, ALL, keys_list, "Keys of the workspace")                                        \
    X(POST, "/tollgate/v1/keys", ADMIN, ALL, keys_create, "A new key; its text is in this answer only")                \
    X(PATCH, "/tollgate/v1/keys/{}", ADMIN, ALL, keys_update, "Change a key's name, role, expiry, scopes, config")     \
    X(DELETE, "/tollgate/v1/keys/{}", ADMIN, ALL, keys_revoke, "Revoke a key, for ever")                               \
    X(GET, "/tollgate/v1/workspaces", ADMIN, ALL, workspaces_list,                                                     \
      "Workspaces, with their metadata and default config")                                                            \
    X(PATCH, "/tollgate/v1/workspaces/{}", ADMIN, ALL, workspaces_update,                                              \
      "Change a workspace's display name, metadata")                                                                   \
    X(POST, "/tollgate/v1/session", PUBLIC, ANY, sessions_create, "Sign in with an e-mail address and a password")     \
    X(GET, "/tollgate/v1/session", VIEWER, ANY, sessions_get, "Who the caller is, and which workspaces they reach")    \
    X(DELETE, "/tollgate/v1/session", VIEWER, ANY, sessions_delete, "Sign out; everywhere with ?everywhere=true")      \
    X(GET, "/tollgate/v1/sign-in", PUBLIC, ANY, sessions_ways, "Ways to sign in here")                                 \
    X(GET, "/tollgate/v1/sign-in/oidc", PUBLIC, ANY, oidc_start, "Leads a browser to the sign-in provider")            \
    X(GET, "/tollgate/v1/sign-in/oidc/callback", PUBLIC, ANY, oidc_callback, "Where the provider leads it back")       \
    X(GET, "/tollgate/v1/device", VIEWER, ANY, devices_get, "A program that waits to be let in, by its code")          \
    X(POST, "/tollgate/v1/device", VIEWER, ALL, devices_answer, "Let it in, or not; for people who are signed in")     \
    X(PUT, "/tollgate/v1/password", VIEWER, ALL, sessions_password, "Change one's own password")                       \
    X(GET, "/tollgate/v1/members", ADMIN, ALL, members_list, "People of the organization")                             \
    X(POST, "/tollgate/v1/members", ADMIN, ALL, members_create, "Add a person to the organization")                    \
    X(PATCH, "/tollgate/v1/members/{}", ADMIN, ALL, members_update, "Change a person's name, address, role, password") \
    X(DELETE, "/tollgate/v1/members/{}", ADMIN, ALL, members_delete, "Take a person out of the organization")          \
    X(GET, "/tollgate/v1/members/{}/identities", ADMIN, ALL, members_identities,                                       \
      "A person's links to sign-in providers")                                                                         \
    X(DELETE, "/tollgate/v1/members/{}/identities", ADMIN, ALL, members_unlink,                                        \
      "Take away a person's links to sign-in providers")                                                               \
    X(GET, "/tollgate/v1/workspaces/{}/members", ADMIN, ALL, members_of_workspace, "People of a workspace")            \
    X(PUT, "/tollgate/v1/workspaces/{}/members/{}", ADMIN, ALL, members_set_role,                                      \
      "Put a person into a workspace, or change their role there")                                                     \
    X(DELETE, "/tollgate/v1/workspaces/{}/members/{}", VIEWER, ALL, members_remove,                                    \
      "Take a person out of a workspace; oneself: leave it")                                                           \
    X(GET, "/tollgate/v1/invitations", ADMIN, ALL, invitations_list, "Invitations to the workspace, newest first")     \
    X(POST, "/tollgate/v1/invitations", ADMIN, ALL, invitations_create,                                                \
      "Invite somebody; the link's secret is in this answer only")                                                     \
    X(DELETE, "/tollgate/v1/invitations/{}", ADMIN, ALL, invitations_revoke, "Revoke an invitation")                   \
    X(POST, "/tollgate/v1/invitations/accept", PUBLIC, ANY, invitations_accept, "Accept with the link's secret")       \
    X(POST, "/tollgate/v1/invitations/decline", PUBLIC, ANY, invitations_decline, "Decline with the link's secret")    \
    X(GET, "/tollgate/v1/channels", ADMIN, ALL, channels_list,                                                         \
      "Channels for messages to people: Slack, Teams, webhooks")                                                       \
    X(PUT, "/tollgate/v1/channels/{}", ADMIN, ALL, channels_put,                                                       \
      "Store a channel's kind and URL; a webhook's signing key is shown once")                                         \
    X(DELETE, "/tollgate/v1/channels/{}", ADMIN, ALL, channels_delete, "Remove a channel")                             \
    X(GET, "/tollgate/v1/notifications", ADMIN, ALL, notifications_list,                                               \
      "Messages to people: what waits, what was sent, what failed")                                                    \
    X(POST, "/tollgate/v1/notifications/test", ADMIN, ALL, notifications_test,                                         \
      "Send a test to an address or channel, and say what went wrong")                                                 \
    X(GET, "/tollgate/v1/service-accounts", ADMIN, ALL, accounts_list, "Service accounts of the workspace")            \
    X(POST, "/tollgate/v1/service-accounts", ADMIN, ALL, accounts_create,                                              \
      "Make a service account; its secret is in this answer only")                                                     \
    X(PATCH, "/tollgate/v1/service-accounts/{}", ADMIN, ALL, accounts_update, "Change its name, description, role")    \
    X(DELETE, "/tollgate/v1/service-accounts/{}", ADMIN, ALL, accounts_delete, "Delete it, and end its credentials")   \
    X(POST, "/tollgate/v1/service-accounts/{}/secret", ADMIN, ALL, accounts_rotate, "Give it another secret")          \
    X(POST, "/tollgate/v1/master-key", OWNER, ALL, master_key_rotate, "Wrap all data keys with another master key")    \
    X(GET, "/tollgate/v1/audit", ADMIN, ALL, audit_log_list, "Who changed what, newest first")                         \
    X(GET, "/tollgate/v1/integrations", ADMIN, ALL, integrations_list, "Provider accounts of the workspace")           \
    X(POST, "/tollgate/v1/integrations", ADMIN, ALL, integrations_create, "Connect a provider account")                \
    X(PATCH, "/tollgate/v1/integrations/{}", ADMIN, ALL, integrations_update, "Change or rotate a provider account")   \
    X(DELETE, "/tollgate/v1/integrations/{}", ADMIN, ALL, integrations_delete, "Disconnect a provider account")        \
    X(POST, "/tollgate/v1/integrations/{}/test", ADMIN, ALL, integration_test,                                         \
      "Whether a provider account works, and what to do when it does not")                                             \
    X(GET, "/tollgate/v1/integrations/{}/spend-limit", ADMIN, ALL, spend_limits_get,                                   \
      "The monthly limit that OpenAI enforces for the organization")                                                   \
    X(PUT, "/tollgate/v1/integrations/{}/spend-limit", ADMIN, ALL, spend_limits_set, "Set it at OpenAI")               \
    X(DELETE, "/tollgate/v1/integrations/{}/spend-limit", ADMIN, ALL, spend_limits_delete, "Take it away there")       \
    X(GET, "/tollgate/v1/integrations/{}/projects/{}/spend-limit", ADMIN, ALL, spend_limits_get_project,               \
      "The monthly limit that OpenAI enforces for a project")                                                          \
    X(PUT, "/tollgate/v1/integrations/{}/projects/{}/spend-limit", ADMIN, ALL, spend_limits_set_project,               \
      "Set it at OpenAI")                                                                                              \
    X(DELETE, "/tollgate/v1/integrations/{}/projects/{}/spend-limit", ADMIN, ALL, spend_limits_delete_project,         \
      "Take it away there")                                                                                            \
    X(GET, "/tollgate/v1/logs", VIEWER, LOGS_LIST, logs_list, "Requests, newest first")                                \
    X(GET, "/tollgate/v1/logs/{}", VIEWER, LOGS_VIEW, logs_get, "One request with its bodies")                         \
    X(GET, "/tollgate/v1/traces/{}", VIEWER, LOGS_VIEW, traces_get,                                                    \
      "One trace: its spans as a tree, each with its attempts")                                                        \
    X(GET, "/tollgate/v1/cost", VIEWER, ANALYTICS_VIEW, cost_report, "Cost, tokens and counts by any dimensions")      \
    X(GET, "/tollgate/v1/imports", VIEWER, ANALYTICS_VIEW, imports_list,                                               \
      "How far the import of OpenAI's bill is, by account")                                                            \
    X(POST, "/tollgate/v1/imports", ADMIN, ALL, imports_start, "Import OpenAI's bill now, or from a day on")           \
    X(GET, "/tollgate/v1/report", VIEWER, ANALYTICS_VIEW, report_read,                                                 \
      "Billed or metered costs by filter, groupings and bins")                                                         \
    X(GET, "/tollgate/v1/forecast", VIEWER, ANALYTICS_VIEW, forecast_read,                                             \
      "What the days to come will cost, with a band")                                                                  \
    X(GET, "/tollgate/v1/reconciliation", VIEWER, ANALYTICS_VIEW, reconciliation_read,                                 \
      "OpenAI's bill against what was metered, and why they differ")                                                   \
    X(GET, "/tollgate/v1/focus", VIEWER, ANALYTICS_VIEW, focus_read, "Costs as a FOCUS file (CSV), or a part of one")  \
    X(GET, "/tollgate/v1/focus/metadata", VIEWER, ANALYTICS_VIEW, focus_read_metadata,                                 \
      "The description of such a file")                                                                                \
    X(GET, "/tollgate/v1/models", VIEWER, MODELS_LIST, prices_models, "Models of the price catalogue")                 \
    X(POST, "/tollgate/v1/prices/reprice", OWNER, ALL, prices_reprice,                                                 \
      "Give stored requests new costs by today's prices")                                                              \
    X(POST, "/tollgate/v1/prices/reload", ADMIN, ALL, prices_reload, "Read the price files again")

#define X(method, path, access, scope, run, summary) void run(struct job *j);
NATIVE_ROUTES(X)
#undef X

#endif
