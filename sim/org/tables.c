/* SPDX-License-Identifier: Apache-2.0 */
/* The objects and routes of administration; written like objects/tables.c. All need an admin key. */
#include "sim/org/org.h"
#include "sim/routes.h"

#define J(...) #__VA_ARGS__
#define DELETED(object) J({"id" : "$id", "object" : object, "deleted" : true})
#define GONE(object) J({"object" : object, "deleted" : true})

/* clang-format off */

static const struct crud project = {
    .collection = "organization/projects", .what = "Project", .prefix = "proj_", .required = "name",
    .act = J({"status": "archived", "archived_at": "$now"}),
    .shape = J({"id": "$id", "object": "organization.project", "name": "", "created_at": "$now", "archived_at": null,
                "status": "active", "external_key_id": null, "residency": "GLOBAL"})};
static const struct crud project_user = {
    .collection = "organization/projects/{}/users", .what = "Project user", .prefix = "user-", .parent = &project,
    .deleted = DELETED("organization.project.user.deleted"), .shape = J({"id": "$id"})};
static const struct crud service_account = {
    .collection = "organization/projects/{}/service_accounts", .what = "Service account", .prefix = "svc_acct_",
    .parent = &project, .required = "name", .deleted = DELETED("organization.project.service_account.deleted"),
    .shape = J({"id": "$id", "object": "organization.project.service_account", "name": "", "role": "member",
                "created_at": "$now"})};
static const struct crud rate_limit = {
    .collection = "organization/projects/{}/rate_limits", .what = "Rate limit", .parent = &project,
    .shape = J({"id": "$id"})};
static const struct crud model_permissions = {
    .collection = "organization/projects/{}/model_permissions", .what = "Model permissions", .flags = CRUD_SINGLE,
    .parent = &project, .deleted = GONE("project.model_permissions.deleted"),
    .shape = J({"object": "project.model_permissions", "mode": "deny_list", "model_ids": []})};
static const struct crud tier_settings = {
    .collection = "organization/projects/{}/service_tier_settings", .what = "Service tier settings",
    .flags = CRUD_SINGLE, .parent = &project,
    .shape = J({"object": "project.service_tier_settings", "default": "standard", "enabled_tiers": "all"})};
static const struct crud tool_permissions = {
    .collection = "organization/projects/{}/hosted_tool_permissions", .what = "Hosted tool permissions",
    .flags = CRUD_SINGLE, .parent = &project,
    .shape = J({"code_interpreter": {"enabled": true}, "file_search": {"enabled": true}, "image_generation":
                {"enabled": true}, "mcp": {"enabled": true}, "web_search": {"enabled": true}})};
static const struct crud project_group = {
    .collection = "organization/projects/{}/groups", .what = "Project group", .prefix = "group_", .flags = CRUD_NEXT,
    .parent = &project, .deleted = GONE("project.group.deleted"),
    .shape = J({"object": "project.group", "project_id": "$arg0", "group_id": "$body:group_id", "group_name": "group",
                "group_type": "group", "created_at": "$now"})};
static const struct crud project_retention = {
    .collection = "organization/projects/{}/data_retention", .what = "Data retention", .flags = CRUD_SINGLE,
    .parent = &project, .shape = J({"object": "project.data_retention", "type": "organization_default"})};
static const struct crud project_limit = {
    .collection = "organization/projects/{}/spend_limit", .what = "Spend limit", .flags = CRUD_SINGLE,
    .parent = &project, .deleted = GONE("project.spend_limit.deleted"),
    .shape = J({"object": "project.spend_limit", "currency": "USD", "interval": "month", "threshold_amount": 0,
                "enforcement": {"status": "inactive"}})};
static const struct crud project_alert = {
    .collection = "organization/projects/{}/spend_alerts", .what = "Spend alert", .prefix = "alert_",
    .parent = &project, .deleted = DELETED("project.spend_alert.deleted"),
    .shape = J({"id": "$id", "object": "project.spend_alert", "currency": "USD", "interval": "month",
                "threshold_amount": 0, "notification_channel": {"type": "email", "recipients": []}})};
static const struct crud project_certificate = {
    .collection = "organization/projects/{}/certificates", .what = "Certificate", .parent = &project,
    .shape = J({"id": "$id"})};
static const struct crud project_role = {
    .collection = "projects/{}/roles", .what = "Role", .prefix = "role_", .flags = CRUD_NEXT,
    .deleted = DELETED("role.deleted"),
    .shape = J({"id": "$id", "object": "role", "name": "$body:role_name", "description": null, "permissions": [],
                "predefined_role": false, "resource_type": "api.project"})};
static const struct crud project_user_role = {
    .collection = "projects/{}/users/{}/roles", .what = "Role", .flags = CRUD_NEXT,
    .deleted = GONE("user.role.deleted"), .shape = J({"id": "$id"})};
static const struct crud project_group_role = {
    .collection = "projects/{}/groups/{}/roles", .what = "Role", .flags = CRUD_NEXT,
    .deleted = GONE("group.role.deleted"), .shape = J({"id": "$id"})};

static const struct crud user = {
    .collection = "organization/users", .what = "User", .deleted = DELETED("organization.user.deleted"),
    .shape = J({"id": "$id"})};
static const struct crud user_role = {
    .collection = "organization/users/{}/roles", .what = "Role", .flags = CRUD_NEXT,
    .deleted = GONE("user.role.deleted"), .shape = J({"id": "$id"})};
static const struct crud group = {
    .collection = "organization/groups", .what = "Group", .prefix = "group_", .flags = CRUD_NEXT,
    .required = "name", .deleted = DELETED("group.deleted"),
    .shape = J({"id": "$id", "object": "group", "name": "", "created_at": "$now", "group_type": "group",
                "is_scim_managed": false})};
static const struct crud group_user = {
    .collection = "organization/groups/{}/users", .what = "Group user", .prefix = "user-", .flags = CRUD_NEXT,
    .parent = &group, .required = "user_id", .deleted = GONE("group.user.deleted"),
    .shape = J({"object": "group.user", "id": "$body:user_id", "user_id": "$body:user_id", "group_id": "$arg0",
                "name": "Member", "email": null})};
static const struct crud group_role = {
    .collection = "organization/groups/{}/roles", .what = "Role", .flags = CRUD_NEXT, .parent = &group,
    .deleted = GONE("group.role.deleted"), .shape = J({"id": "$id"})};
static const struct crud role = {
    .collection = "organization/roles", .what = "Role", .prefix = "role_", .flags = CRUD_NEXT,
    .deleted = DELETED("role.deleted"),
    .shape = J({"id": "$id", "object": "role", "name": "$body:role_name", "description": null, "permissions": [],
                "predefined_role": false, "resource_type": "api.organization"})};
static const struct crud invite = {
    .collection = "organization/invites", .what = "Invite", .prefix = "invite-", .required = "email,role",
    .deleted = DELETED("organization.invite.deleted"),
    .shape = J({"id": "$id", "object": "organization.invite", "email": "", "role": "reader", "status": "pending",
                "created_at": "$now", "invited_at": "$now", "expires_at": "$now+604800", "accepted_at": null,
                "projects": []})};
static const struct crud admin_key = {
    .collection = "organization/admin_api_keys", .what = "Admin API key", .prefix = "key_", .required = "name",
    .deleted = DELETED("organization.admin_api_key.deleted"),
    .shape = J({"object": "organization.admin_api_key", "id": "$id", "name": "", "redacted_value": "", "created_at":
                "$now", "last_used_at": null, "expires_at": null, "owner": {"type": "user", "object":
                "organization.user", "id": "$user", "name": "Admin", "created_at": 1767225600, "role": "owner"}})};
static const struct crud retention = {
    .collection = "organization/data_retention", .what = "Data retention", .flags = CRUD_SINGLE,
    .shape = J({"object": "organization.data_retention", "type": "modified_abuse_monitoring"})};
static const struct crud external_key = {
    .collection = "organization/external_keys", .what = "External key", .prefix = "ek_",
    .deleted = DELETED("organization.external_key.deleted"), .flags = CRUD_ANYTHING,
    .shape = J({"id": "$id", "object": "organization.external_key", "name": "", "type": "aws", "created_at": "$now",
                "api_project_ids": [], "workspace_id": "ws_1"})};
static const struct crud external_storage = {
    .collection = "organization/external_storage", .what = "External storage", .prefix = "es_",
    .deleted = DELETED("organization.external_storage.deleted"),
    .shape = J({"id": "$id", "object": "organization.external_storage", "created_at": "$now", "geography": "us",
                "project_id": "", "provider": {}, "status": "pending"})};
static const struct crud validated = {.shape = J({"status": "validated"})};
static const struct crud storage_validated = {
    .collection = "organization/external_storage", .what = "External storage", .act = J({"status": "validated"})};
static const struct crud spend_limit = {
    .collection = "organization/spend_limit", .what = "Spend limit", .flags = CRUD_SINGLE,
    .deleted = GONE("organization.spend_limit.deleted"),
    .shape = J({"object": "organization.spend_limit", "currency": "USD", "interval": "month", "threshold_amount":
                0, "enforcement": {"status": "inactive"}})};
static const struct crud spend_alert = {
    .collection = "organization/spend_alerts", .what = "Spend alert", .prefix = "alert_",
    .deleted = DELETED("organization.spend_alert.deleted"),
    .shape = J({"id": "$id", "object": "organization.spend_alert", "currency": "USD", "interval": "month",
                "threshold_amount": 0, "notification_channel": {"type": "email", "recipients": []}})};
static const struct crud certificate = {
    .collection = "organization/certificates", .what = "Certificate", .prefix = "cert_",
    .deleted = J({"id": "$id", "object": "certificate.deleted"}),
    .shape = J({"id": "$id", "object": "organization.certificate", "name": null, "created_at": "$now", "active":
                false, "certificate_details": {"valid_at": "$now", "expires_at": "$now+31536000"}})};
static const struct crud identity_provider = {
    .collection = "organization/workload_identity_providers", .what = "Workload identity provider", .prefix = "wip_",
    .deleted = DELETED("organization.workload_identity_provider.deleted"),
    .shape = J({"id": "$id", "object": "organization.workload_identity_provider", "type": "oidc", "name": "",
                "description": null, "issuer": "", "audience": "", "enabled": true, "attribute_transformations": [],
                "verification": {"type": "discovery"}, "created_at": "$now", "updated_at": "$now"})};
static const struct crud federation_rule = {
    .collection = "organization/workload_identity_providers/{}/federation_rules", .what = "Federation rule",
    .prefix = "wifr_", .parent = &identity_provider,
    .deleted = DELETED("organization.workload_identity_federation_rule.deleted"),
    .shape = J({"id": "$id", "object": "organization.workload_identity_federation_rule",
                "workload_identity_provider_id": "$arg0", "name": null, "description": null, "enabled": true,
                "attribute_matchers": {}, "permissions": {"type": "service_account_default"}, "project_id": "",
                "service_account_id": "", "created_at": "$now", "updated_at": "$now"})};

#define ROW(method, path, operation, run, crud, flags) \
    {{method, sizeof method - 1}, {path, sizeof path - 1}, operation, run, crud, (flags) | PATHS_ADMIN}
#define GET(path, operation, run, crud) ROW("GET", path, operation, run, crud, 0)
#define POST(path, operation, run, crud) ROW("POST", path, operation, run, crud, PATHS_NO_MODEL)
#define DELETE(path, operation, run, crud) ROW("DELETE", path, operation, run, crud, 0)
#define CREATE(path, operation, crud) POST(path, operation ".create", crud_create, crud)
#define LIST(path, operation, crud) GET(path, operation ".list", crud_list, crud)
#define ONE(path, operation, crud) GET(path "/{}", operation ".retrieve", crud_retrieve, crud)
#define UPDATE(path, operation, crud) POST(path "/{}", operation ".update", crud_update, crud)
#define REMOVE(path, operation, crud) DELETE(path "/{}", operation ".delete", crud_delete, crud)
#define ALL(path, operation, crud)                                                                          \
    CREATE(path, operation, crud), LIST(path, operation, crud), ONE(path, operation, crud),                 \
            UPDATE(path, operation, crud), REMOVE(path, operation, crud)
#define ACT(path, operation, crud) ROW("POST", path, operation, crud_act, crud, PATHS_RAW)
#define SINGLE(path, operation, crud) \
    GET(path, operation ".retrieve", crud_retrieve, crud), POST(path, operation ".update", crud_update, crud)
#define SINGLE_REMOVE(path, operation, crud) DELETE(path, operation ".delete", crud_delete, crud)
#define ASSIGN(path, operation, crud)                                                                       \
    POST(path, operation ".create", org_role_assign, crud), LIST(path, operation, crud), ONE(path, operation, crud), \
            REMOVE(path, operation, crud)
#define P "/organization/projects"

const struct route routes_org[] = {
    GET("/organization/usage/{}", "organization.usage", org_usage, NULL),
    GET("/organization/costs", "organization.costs", org_costs, NULL),
    ROW("GET", "/usage", "usage", org_legacy_usage, NULL, PATHS_EITHER),
    ROW("GET", "/dashboard/billing/usage", "billing.usage", org_billing_usage, NULL, PATHS_EITHER),
    ROW("GET", "/dashboard/billing/usage/export", "billing.usage.export", org_billing_export, NULL, PATHS_EITHER),

    CREATE(P, "organization.projects", &project), LIST(P, "organization.projects", &project),
    ONE(P, "organization.projects", &project), UPDATE(P, "organization.projects", &project),
    ACT(P "/{}/archive", "organization.projects.archive", &project),
    POST(P "/{}/users", "organization.projects.users.create", org_project_user_create, &project_user),
    LIST(P "/{}/users", "organization.projects.users", &project_user),
    ONE(P "/{}/users", "organization.projects.users", &project_user),
    UPDATE(P "/{}/users", "organization.projects.users", &project_user),
    REMOVE(P "/{}/users", "organization.projects.users", &project_user),
    POST(P "/{}/service_accounts", "organization.projects.service_accounts.create", org_service_account_create,
         &service_account),
    LIST(P "/{}/service_accounts", "organization.projects.service_accounts", &service_account),
    ONE(P "/{}/service_accounts", "organization.projects.service_accounts", &service_account),
    UPDATE(P "/{}/service_accounts", "organization.projects.service_accounts", &service_account),
    REMOVE(P "/{}/service_accounts", "organization.projects.service_accounts", &service_account),
    POST(P "/{}/service_accounts/{}/api_keys", "organization.projects.service_accounts.api_keys.create",
         org_service_key_create, &service_account),
    GET(P "/{}/api_keys", "organization.projects.api_keys.list", org_keys_list, NULL),
    GET(P "/{}/api_keys/{}", "organization.projects.api_keys.retrieve", org_key_retrieve, NULL),
    POST(P "/{}/api_keys/{}", "organization.projects.api_keys.update", org_key_update, NULL),
    DELETE(P "/{}/api_keys/{}", "organization.projects.api_keys.delete", org_key_delete, NULL),
    GET(P "/{}/rate_limits", "organization.projects.rate_limits.list", org_rate_limits, &rate_limit),
    POST(P "/{}/rate_limits/{}", "organization.projects.rate_limits.update", org_rate_limits, &rate_limit),
    SINGLE(P "/{}/model_permissions", "organization.projects.model_permissions", &model_permissions),
    SINGLE_REMOVE(P "/{}/model_permissions", "organization.projects.model_permissions", &model_permissions),
    SINGLE(P "/{}/service_tier_settings", "organization.projects.service_tier_settings", &tier_settings),
    SINGLE(P "/{}/hosted_tool_permissions", "organization.projects.hosted_tool_permissions", &tool_permissions),
    CREATE(P "/{}/groups", "organization.projects.groups", &project_group),
    LIST(P "/{}/groups", "organization.projects.groups", &project_group),
    ONE(P "/{}/groups", "organization.projects.groups", &project_group),
    REMOVE(P "/{}/groups", "organization.projects.groups", &project_group),
    SINGLE(P "/{}/data_retention", "organization.projects.data_retention", &project_retention),
    SINGLE(P "/{}/spend_limit", "organization.projects.spend_limit", &project_limit),
    SINGLE_REMOVE(P "/{}/spend_limit", "organization.projects.spend_limit", &project_limit),
    ALL(P "/{}/spend_alerts", "organization.projects.spend_alerts", &project_alert),
    LIST(P "/{}/certificates", "organization.projects.certificates", &project_certificate),
    POST(P "/{}/certificates/activate", "organization.projects.certificates.activate", org_certificates_switch, NULL),
    POST(P "/{}/certificates/deactivate", "organization.projects.certificates.deactivate", org_certificates_switch,
         NULL),
    ALL("/projects/{}/roles", "projects.roles", &project_role),
    ASSIGN("/projects/{}/users/{}/roles", "projects.users.roles", &project_user_role),
    ASSIGN("/projects/{}/groups/{}/roles", "projects.groups.roles", &project_group_role),

    LIST("/organization/users", "organization.users", &user), ONE("/organization/users", "organization.users", &user),
    UPDATE("/organization/users", "organization.users", &user),
    REMOVE("/organization/users", "organization.users", &user),
    ASSIGN("/organization/users/{}/roles", "organization.users.roles", &user_role),
    ALL("/organization/groups", "organization.groups", &group),
    CREATE("/organization/groups/{}/users", "organization.groups.users", &group_user),
    LIST("/organization/groups/{}/users", "organization.groups.users", &group_user),
    ONE("/organization/groups/{}/users", "organization.groups.users", &group_user),
    REMOVE("/organization/groups/{}/users", "organization.groups.users", &group_user),
    ASSIGN("/organization/groups/{}/roles", "organization.groups.roles", &group_role),
    ALL("/organization/roles", "organization.roles", &role),
    CREATE("/organization/invites", "organization.invites", &invite),
    LIST("/organization/invites", "organization.invites", &invite),
    ONE("/organization/invites", "organization.invites", &invite),
    REMOVE("/organization/invites", "organization.invites", &invite),
    POST("/organization/admin_api_keys", "organization.admin_api_keys.create", org_admin_key_create, &admin_key),
    LIST("/organization/admin_api_keys", "organization.admin_api_keys", &admin_key),
    ONE("/organization/admin_api_keys", "organization.admin_api_keys", &admin_key),
    DELETE("/organization/admin_api_keys/{}", "organization.admin_api_keys.delete", org_admin_key_delete, &admin_key),
    GET("/organization/audit_logs", "organization.audit_logs.list", org_audit_logs, NULL),
    SINGLE("/organization/data_retention", "organization.data_retention", &retention),
    POST("/organization/external_keys/validate", "organization.external_keys.validate", crud_show, &validated),
    ALL("/organization/external_keys", "organization.external_keys", &external_key),
    POST("/organization/external_keys/{}/validate", "organization.external_keys.validate", crud_show, &validated),
    ALL("/organization/external_storage", "organization.external_storage", &external_storage),
    ACT("/organization/external_storage/{}/validate", "organization.external_storage.validate", &storage_validated),
    SINGLE("/organization/spend_limit", "organization.spend_limit", &spend_limit),
    SINGLE_REMOVE("/organization/spend_limit", "organization.spend_limit", &spend_limit),
    ALL("/organization/spend_alerts", "organization.spend_alerts", &spend_alert),
    POST("/organization/certificates/activate", "organization.certificates.activate", org_certificates_switch, NULL),
    POST("/organization/certificates/deactivate", "organization.certificates.deactivate", org_certificates_switch,
         NULL),
    ALL("/organization/certificates", "organization.certificates", &certificate),
    ALL("/organization/workload_identity_providers", "organization.workload_identity_providers", &identity_provider),
    ALL("/organization/workload_identity_providers/{}/federation_rules",
        "organization.workload_identity_providers.federation_rules", &federation_rule),
    {{NULL, 0}, {NULL, 0}, NULL, NULL, NULL, 0},
};
