/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_VANTAGE_H
#define CONSOLE_VANTAGE_VANTAGE_H

/*
 * vantage: version 2 of Vantage's API as its SDKs call it: cost reports and what belongs to them, costs,
 * integrations. Handlers translate to calls of control and report, and back; they decide nothing.
 *
 * Whoever may read costs may call GET; the rest takes a member's key.
 *
 * The table: method, path, who may, the scope a key with a list of scopes needs, handler, one line about it.
 */

#include "console/job.h"

#define VANTAGE_ROUTES(X)                                                                                              \
    X(GET, "/v2/ping", PUBLIC, ANY, me_ping, "The server is there (Vantage)")                                          \
    X(GET, "/v2/me", VIEWER, ANALYTICS_VIEW, me_get, "Who calls, and what may be seen (Vantage)")                      \
    X(PUT, "/v2/me", MEMBER, ALL, me_update, "Set one's default dashboard (Vantage)")                                  \
    X(GET, "/v2/workspaces", VIEWER, ANALYTICS_VIEW, places_list, "Workspaces (Vantage)")                              \
    X(POST, "/v2/workspaces", OWNER, ALL, places_create, "Make a workspace (Vantage)")                                 \
    X(GET, "/v2/workspaces/{}", VIEWER, ANALYTICS_VIEW, places_get, "One workspace (Vantage)")                         \
    X(PUT, "/v2/workspaces/{}", ADMIN, ALL, places_update, "Change a workspace (Vantage)")                             \
    X(DELETE, "/v2/workspaces/{}", OWNER, ALL, places_delete, "Delete a workspace, for ever (Vantage)")                \
    X(GET, "/v2/teams", VIEWER, ALL, teams_list, "Teams (Vantage)")                                                    \
    X(POST, "/v2/teams", ADMIN, ALL, teams_create, "Make a team (Vantage)")                                            \
    X(GET, "/v2/teams/{}", VIEWER, ALL, teams_get, "One team (Vantage)")                                               \
    X(PUT, "/v2/teams/{}", ADMIN, ALL, teams_update, "Change a team (Vantage)")                                        \
    X(DELETE, "/v2/teams/{}", ADMIN, ALL, teams_delete, "Delete a team (Vantage)")                                     \
    X(GET, "/v2/teams/{}/members", VIEWER, ALL, teams_members, "Who is in a team (Vantage)")                           \
    X(POST, "/v2/teams/{}/members", ADMIN, ALL, teams_join, "Put somebody into a team (Vantage)")                      \
    X(DELETE, "/v2/teams/{}/members/{}", ADMIN, ALL, teams_leave, "Take somebody out of a team (Vantage)")             \
    X(GET, "/v2/users", VIEWER, ALL, users_list, "People (Vantage)")                                                   \
    X(GET, "/v2/users/{}", VIEWER, ALL, users_get, "One of them (Vantage)")                                            \
    X(PUT, "/v2/users/{}", MEMBER, ALL, users_update, "Set somebody's default dashboard (Vantage)")                    \
    X(GET, "/v2/access_grants", ADMIN, ALL, grants_list, "Which team sees which report (Vantage)")                     \
    X(POST, "/v2/access_grants", ADMIN, ALL, grants_create, "Allow or deny a report to a team (Vantage)")              \
    X(GET, "/v2/access_grants/{}", ADMIN, ALL, grants_get, "One grant (Vantage)")                                      \
    X(PUT, "/v2/access_grants/{}", ADMIN, ALL, grants_update, "Change a grant (Vantage)")                              \
    X(DELETE, "/v2/access_grants/{}", ADMIN, ALL, grants_delete, "Delete a grant (Vantage)")                           \
    X(GET, "/v2/audit_logs", ADMIN, ALL, audit_logs_list, "Who changed what (Vantage)")                                \
    X(GET, "/v2/audit_logs/{}", ADMIN, ALL, audit_logs_get, "One change (Vantage)")                                    \
    X(GET, "/v2/products", VIEWER, ANALYTICS_VIEW, products_list, "Models with prices (Vantage)")                      \
    X(GET, "/v2/products/{}", VIEWER, ANALYTICS_VIEW, products_get, "One of them (Vantage)")                           \
    X(GET, "/v2/products/{}/prices", VIEWER, ANALYTICS_VIEW, products_prices, "Its prices (Vantage)")                  \
    X(GET, "/v2/products/{}/prices/{}", VIEWER, ANALYTICS_VIEW, products_price, "One of them (Vantage)")               \
    X(GET, "/v2/costs", VIEWER, ANALYTICS_VIEW, costs_list, "Costs (Vantage)")                                         \
    X(POST, "/v2/costs/data_exports", MEMBER, ALL, exports_create, "Make a file of costs (Vantage)")                   \
    X(GET, "/v2/data_exports/{}", VIEWER, ANALYTICS_VIEW, exports_get, "Where that file is (Vantage)")                 \
    X(GET, "/v2/data_exports/{}/{}", PUBLIC, ANY, exports_file, "The file, for whoever has its address (Vantage)")     \
    X(GET, "/v2/tags", VIEWER, ANALYTICS_VIEW, tags_list, "Tag keys (Vantage)")                                        \
    X(PUT, "/v2/tags", MEMBER, ALL, tags_update, "Hide or prefer tag keys (Vantage)")                                  \
    X(GET, "/v2/tags/{}/values", VIEWER, ANALYTICS_VIEW, tags_values, "Values of a tag key (Vantage)")                 \
    X(GET, "/v2/unit_costs", VIEWER, ANALYTICS_VIEW, unit_costs_list, "Costs by the unit of a metric (Vantage)")       \
    X(POST, "/v2/unit_costs/data_exports", MEMBER, ALL, unit_costs_export, "Make a file of them (Vantage)")            \
    X(GET, "/v2/cost_providers", VIEWER, ANALYTICS_VIEW, sources_providers, "Providers with costs (Vantage)")          \
    X(GET, "/v2/cost_services", VIEWER, ANALYTICS_VIEW, sources_services, "Services with costs (Vantage)")             \
    X(GET, "/v2/cost_provider_accounts", VIEWER, ANALYTICS_VIEW, sources_accounts, "Projects with costs (Vantage)")    \
    X(GET, "/v2/integrations", VIEWER, ANALYTICS_VIEW, sources_list, "Where bills come from (Vantage)")                \
    X(POST, "/v2/integrations/open_ai", ADMIN, ALL, sources_connect, "Connect OpenAI's bill (ours)")                   \
    X(POST, "/v2/integrations/custom_provider", ADMIN, ALL, bills_create,                                              \
      "A provider whose bills are files (Vantage)")                                                                    \
    X(GET, "/v2/integrations/{}/costs", VIEWER, ANALYTICS_VIEW, bills_uploads, "Its files (Vantage)")                  \
    X(POST, "/v2/integrations/{}/costs.csv", ADMIN, ALL, bills_upload, "A file of costs (Vantage)")                    \
    X(DELETE, "/v2/integrations/{}/costs/{}", ADMIN, ALL, bills_remove_upload, "Remove a file (Vantage)")              \
    X(GET, "/v2/integrations/{}", VIEWER, ANALYTICS_VIEW, sources_get, "One of them (Vantage)")                        \
    X(PUT, "/v2/integrations/{}", ADMIN, ALL, sources_update, "Change who sees it, its key (Vantage)")                 \
    X(DELETE, "/v2/integrations/{}", ADMIN, ALL, sources_delete, "Disconnect it, with its costs (Vantage)")            \
    X(GET, "/v2/cost_reports", VIEWER, ANALYTICS_VIEW, resources_list, "List: cost reports (Vantage)")                 \
    X(POST, "/v2/cost_reports", MEMBER, ALL, resources_create, "Make: cost reports (Vantage)")                         \
    X(GET, "/v2/cost_reports/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: cost reports (Vantage)")               \
    X(PUT, "/v2/cost_reports/{}", MEMBER, ALL, resources_update, "Change: cost reports (Vantage)")                     \
    X(DELETE, "/v2/cost_reports/{}", MEMBER, ALL, resources_delete, "Delete: cost reports (Vantage)")                  \
    X(GET, "/v2/cost_reports/{}/forecasted_costs", VIEWER, ANALYTICS_VIEW, forecasts_list,                             \
      "What a report will cost (Vantage)")                                                                             \
    X(GET, "/v2/report_forecasts", VIEWER, ANALYTICS_VIEW, resources_list, "List: report forecasts (Vantage)")         \
    X(POST, "/v2/report_forecasts", MEMBER, ALL, resources_create, "Make: report forecasts (Vantage)")                 \
    X(GET, "/v2/report_forecasts/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: report forecasts (Vantage)")       \
    X(PUT, "/v2/report_forecasts/{}", MEMBER, ALL, resources_update, "Change: report forecasts (Vantage)")             \
    X(DELETE, "/v2/report_forecasts/{}", MEMBER, ALL, resources_delete, "Delete: report forecasts (Vantage)")          \
    X(GET, "/v2/saved_filters", VIEWER, ANALYTICS_VIEW, resources_list, "List: saved filters (Vantage)")               \
    X(POST, "/v2/saved_filters", MEMBER, ALL, resources_create, "Make: saved filters (Vantage)")                       \
    X(GET, "/v2/saved_filters/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: saved filters (Vantage)")             \
    X(PUT, "/v2/saved_filters/{}", MEMBER, ALL, resources_update, "Change: saved filters (Vantage)")                   \
    X(DELETE, "/v2/saved_filters/{}", MEMBER, ALL, resources_delete, "Delete: saved filters (Vantage)")                \
    X(GET, "/v2/folders", VIEWER, ANALYTICS_VIEW, resources_list, "List: folders (Vantage)")                           \
    X(POST, "/v2/folders", MEMBER, ALL, resources_create, "Make: folders (Vantage)")                                   \
    X(GET, "/v2/folders/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: folders (Vantage)")                         \
    X(PUT, "/v2/folders/{}", MEMBER, ALL, resources_update, "Change: folders (Vantage)")                               \
    X(DELETE, "/v2/folders/{}", MEMBER, ALL, resources_delete, "Delete: folders (Vantage)")                            \
    X(GET, "/v2/dashboards", VIEWER, ANALYTICS_VIEW, resources_list, "List: dashboards (Vantage)")                     \
    X(POST, "/v2/dashboards", MEMBER, ALL, resources_create, "Make: dashboards (Vantage)")                             \
    X(GET, "/v2/dashboards/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: dashboards (Vantage)")                   \
    X(PUT, "/v2/dashboards/{}", MEMBER, ALL, resources_update, "Change: dashboards (Vantage)")                         \
    X(DELETE, "/v2/dashboards/{}", MEMBER, ALL, resources_delete, "Delete: dashboards (Vantage)")                      \
    X(GET, "/v2/budgets", VIEWER, ANALYTICS_VIEW, resources_list, "List: budgets (Vantage)")                           \
    X(POST, "/v2/budgets", MEMBER, ALL, resources_create, "Make: budgets (Vantage)")                                   \
    X(GET, "/v2/budgets/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: budgets (Vantage)")                         \
    X(PUT, "/v2/budgets/{}", MEMBER, ALL, resources_update, "Change: budgets (Vantage)")                               \
    X(DELETE, "/v2/budgets/{}", MEMBER, ALL, resources_delete, "Delete: budgets (Vantage)")                            \
    X(GET, "/v2/budget_alerts", VIEWER, ANALYTICS_VIEW, resources_list, "List: budget alerts (Vantage)")               \
    X(POST, "/v2/budget_alerts", MEMBER, ALL, resources_create, "Make: budget alerts (Vantage)")                       \
    X(GET, "/v2/budget_alerts/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: budget alerts (Vantage)")             \
    X(PUT, "/v2/budget_alerts/{}", MEMBER, ALL, resources_update, "Change: budget alerts (Vantage)")                   \
    X(DELETE, "/v2/budget_alerts/{}", MEMBER, ALL, resources_delete, "Delete: budget alerts (Vantage)")                \
    X(GET, "/v2/cost_alerts", VIEWER, ANALYTICS_VIEW, resources_list, "List: cost alerts (Vantage)")                   \
    X(POST, "/v2/cost_alerts", MEMBER, ALL, resources_create, "Make: cost alerts (Vantage)")                           \
    X(GET, "/v2/cost_alerts/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: cost alerts (Vantage)")                 \
    X(PUT, "/v2/cost_alerts/{}", MEMBER, ALL, resources_update, "Change: cost alerts (Vantage)")                       \
    X(DELETE, "/v2/cost_alerts/{}", MEMBER, ALL, resources_delete, "Delete: cost alerts (Vantage)")                    \
    X(GET, "/v2/cost_alerts/{}/events", VIEWER, ANALYTICS_VIEW, cost_events_list,                                      \
      "What a cost alert has found (Vantage)")                                                                         \
    X(GET, "/v2/cost_alerts/{}/events/{}", VIEWER, ANALYTICS_VIEW, cost_events_get, "One of these findings (Vantage)") \
    X(GET, "/v2/anomaly_alerts", VIEWER, ANALYTICS_VIEW, anomalies_list, "Unusual costs (Vantage)")                    \
    X(GET, "/v2/anomaly_alerts/{}", VIEWER, ANALYTICS_VIEW, anomalies_get, "One of them (Vantage)")                    \
    X(PUT, "/v2/anomaly_alerts/{}", MEMBER, ALL, anomalies_update, "Archive or ignore it (Vantage)")                   \
    X(GET, "/v2/anomaly_notifications", VIEWER, ANALYTICS_VIEW, resources_list,                                        \
      "List: anomaly notifications (Vantage)")                                                                         \
    X(POST, "/v2/anomaly_notifications", MEMBER, ALL, resources_create, "Make: anomaly notifications (Vantage)")       \
    X(GET, "/v2/anomaly_notifications/{}", VIEWER, ANALYTICS_VIEW, resources_get,                                      \
      "Read: anomaly notifications (Vantage)")                                                                         \
    X(PUT, "/v2/anomaly_notifications/{}", MEMBER, ALL, resources_update, "Change: anomaly notifications (Vantage)")   \
    X(DELETE, "/v2/anomaly_notifications/{}", MEMBER, ALL, resources_delete,                                           \
      "Delete: anomaly notifications (Vantage)")                                                                       \
    X(GET, "/v2/report_notifications", VIEWER, ANALYTICS_VIEW, resources_list, "List: report notifications (Vantage)") \
    X(POST, "/v2/report_notifications", MEMBER, ALL, resources_create, "Make: report notifications (Vantage)")         \
    X(GET, "/v2/report_notifications/{}", VIEWER, ANALYTICS_VIEW, resources_get,                                       \
      "Read: report notifications (Vantage)")                                                                          \
    X(PUT, "/v2/report_notifications/{}", MEMBER, ALL, resources_update, "Change: report notifications (Vantage)")     \
    X(DELETE, "/v2/report_notifications/{}", MEMBER, ALL, resources_delete, "Delete: report notifications (Vantage)")  \
    X(GET, "/v2/segments", VIEWER, ANALYTICS_VIEW, resources_list, "List: segments (Vantage)")                         \
    X(POST, "/v2/segments", MEMBER, ALL, resources_create, "Make: segments (Vantage)")                                 \
    X(GET, "/v2/segments/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: segments (Vantage)")                       \
    X(PUT, "/v2/segments/{}", MEMBER, ALL, resources_update, "Change: segments (Vantage)")                             \
    X(DELETE, "/v2/segments/{}", MEMBER, ALL, resources_delete, "Delete: segments (Vantage)")                          \
    X(GET, "/v2/business_metrics", VIEWER, ANALYTICS_VIEW, resources_list, "List: business metrics (Vantage)")         \
    X(POST, "/v2/business_metrics", MEMBER, ALL, resources_create, "Make: business metrics (Vantage)")                 \
    X(GET, "/v2/business_metrics/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: business metrics (Vantage)")       \
    X(PUT, "/v2/business_metrics/{}", MEMBER, ALL, resources_update, "Change: business metrics (Vantage)")             \
    X(DELETE, "/v2/business_metrics/{}", MEMBER, ALL, resources_delete, "Delete: business metrics (Vantage)")          \
    X(GET, "/v2/business_metrics/{}/labels", VIEWER, ANALYTICS_VIEW, business_metrics_labels,                          \
      "Labels of a metric (Vantage)")                                                                                  \
    X(GET, "/v2/business_metrics/{}/values", VIEWER, ANALYTICS_VIEW, business_metrics_values,                          \
      "Values of a metric (Vantage)")                                                                                  \
    X(DELETE, "/v2/business_metrics/{}/values", MEMBER, ALL, business_metrics_delete_values,                           \
      "Delete values (Vantage)")                                                                                       \
    X(GET, "/v2/business_metrics/{}/forecasted_values", VIEWER, ANALYTICS_VIEW, business_metrics_forecasts,            \
      "Values that are foreseen (Vantage)")                                                                            \
    X(PUT, "/v2/business_metrics/{}/values.csv", MEMBER, ALL, business_metrics_csv, "Values as CSV (Vantage)")         \
    X(GET, "/v2/annotations", VIEWER, ANALYTICS_VIEW, resources_list, "Annotations (Vantage)")                         \
    X(POST, "/v2/annotations", MEMBER, ALL, resources_create, "Make an annotation (Vantage)")                          \
    X(PUT, "/v2/annotations/{}", MEMBER, ALL, resources_update, "Change an annotation (Vantage)")                      \
    X(DELETE, "/v2/annotations/{}", MEMBER, ALL, resources_delete, "Delete an annotation (Vantage)")                   \
    X(GET, "/v2/virtual_tag_configs", VIEWER, ANALYTICS_VIEW, resources_list, "List: virtual tags (Vantage)")          \
    X(POST, "/v2/virtual_tag_configs", MEMBER, ALL, resources_create, "Make: virtual tags (Vantage)")                  \
    X(GET, "/v2/virtual_tag_configs/{}", VIEWER, ANALYTICS_VIEW, resources_get, "Read: virtual tags (Vantage)")        \
    X(PUT, "/v2/virtual_tag_configs/{}", MEMBER, ALL, resources_update, "Change: virtual tags (Vantage)")              \
    X(DELETE, "/v2/virtual_tag_configs/{}", MEMBER, ALL, resources_delete, "Delete: virtual tags (Vantage)")           \
    X(GET, "/v2/virtual_tag_configs/async/{}", VIEWER, ANALYTICS_VIEW, virtual_tags_request,                           \
      "Whether a change is done (Vantage)")                                                                            \
    X(GET, "/v2/virtual_tag_configs/{}/status", VIEWER, ANALYTICS_VIEW, virtual_tags_status,                           \
      "Whether a virtual tag is in force (Vantage)")                                                                   \
    X(PUT, "/v2/virtual_tag_configs/{}/async", MEMBER, ALL, virtual_tags_async, "Change a virtual tag (Vantage)")      \
    X(POST, "/v2/virtual_tag_configs/{}/values", MEMBER, ALL, virtual_tags_add, "Add a value (Vantage)")               \
    X(GET, "/v2/virtual_tag_configs/{}/values/{}", VIEWER, ANALYTICS_VIEW, virtual_tags_value, "A value (Vantage)")    \
    X(PUT, "/v2/virtual_tag_configs/{}/values/{}", MEMBER, ALL, virtual_tags_change, "Change a value (Vantage)")       \
    X(PATCH, "/v2/virtual_tag_configs/{}/values/{}", MEMBER, ALL, virtual_tags_change, "Change a value (Vantage)")     \
    X(DELETE, "/v2/virtual_tag_configs/{}/values/{}", MEMBER, ALL, virtual_tags_drop, "Delete a value (Vantage)")

#define X(method, path, access, scope, run, summary) void run(struct job *j);
VANTAGE_ROUTES(X)
#undef X

#endif
