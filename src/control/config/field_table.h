/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONFIG_FIELD_TABLE_H
#define CONTROL_CONFIG_FIELD_TABLE_H

/*
 * field_table: the names that a config may use. A row gives a name its number, by which objects are
 * asked for it (fields.h); what it means stands where it is read.
 */

/* Every name that means something in some object of a config, in alphabetical order. */
#define FIELDS_TABLE(X)                                             \
    X(AFTER_REQUEST_HOOKS, "after_request_hooks")                   \
    X(API_KEY, "api_key")                                           \
    X(API_VERSION, "api_version")                                   \
    X(ASYNC, "async")                                               \
    X(ATTEMPTS, "attempts")                                         \
    X(AWS_ACCESS_KEY_ID, "aws_access_key_id")                       \
    X(AWS_REGION, "aws_region")                                     \
    X(AWS_SECRET_ACCESS_KEY, "aws_secret_access_key")               \
    X(AWS_SESSION_TOKEN, "aws_session_token")                       \
    X(AZURE_AD_TOKEN, "azure_ad_token")                             \
    X(AZURE_AUTH_MODE, "azure_auth_mode")                           \
    X(AZURE_ENTRA_CLIENT_ID, "azure_entra_client_id")               \
    X(AZURE_ENTRA_CLIENT_SECRET, "azure_entra_client_secret")       \
    X(AZURE_ENTRA_SCOPE, "azure_entra_scope")                       \
    X(AZURE_ENTRA_TENANT_ID, "azure_entra_tenant_id")               \
    X(AZURE_MANAGED_CLIENT_ID, "azure_managed_client_id")           \
    X(AZURE_MODEL_NAME, "azure_model_name")                         \
    X(AZURE_WORKLOAD_CLIENT_ID, "azure_workload_client_id")         \
    X(BEFORE_REQUEST_HOOKS, "before_request_hooks")                 \
    X(CACHE, "cache")                                               \
    X(CB_CONFIG, "cb_config")                                       \
    X(CHECKS, "checks")                                             \
    X(CONDITIONS, "conditions")                                     \
    X(COOLDOWN_INTERVAL, "cooldown_interval")                       \
    X(CUSTOM_HOST, "custom_host")                                   \
    X(DEFAULT, "default")                                           \
    X(DEFAULT_PARAMS, "default_params")                             \
    X(DENY, "deny")                                                 \
    X(DEPLOYMENT_ID, "deployment_id")                               \
    X(DROP_PARAMS, "drop_params")                                   \
    X(ENABLED, "enabled")                                           \
    X(FAIL_ON_ERROR, "fail_on_error")                               \
    X(FAILURE_STATUS_CODES, "failure_status_codes")                 \
    X(FAILURE_THRESHOLD, "failure_threshold")                       \
    X(FAILURE_THRESHOLD_PERCENTAGE, "failure_threshold_percentage") \
    X(FORWARD_HEADERS, "forward_headers")                           \
    X(GUARDRAIL_VERSION_ID, "guardrail_version_id")                 \
    X(HASH_FIELDS, "hash_fields")                                   \
    X(ID, "id")                                                     \
    X(INPUT_GUARDRAILS, "input_guardrails")                         \
    X(INPUT_MUTATORS, "input_mutators")                             \
    X(IS_ENABLED, "is_enabled")                                     \
    X(MAX_AGE, "max_age")                                           \
    X(MINIMUM_REQUESTS, "minimum_requests")                         \
    X(MODE, "mode")                                                 \
    X(NAME, "name")                                                 \
    X(ON_FAIL, "on_fail")                                           \
    X(ON_STATUS_CODES, "on_status_codes")                           \
    X(ON_SUCCESS, "on_success")                                     \
    X(OPENAI_ORGANIZATION, "openai_organization")                   \
    X(OPENAI_PROJECT, "openai_project")                             \
    X(OPTIONS, "options")                                           \
    X(OUTPUT_GUARDRAILS, "output_guardrails")                       \
    X(OUTPUT_MUTATORS, "output_mutators")                           \
    X(OVERRIDE_PARAMS, "override_params")                           \
    X(PARAMETERS, "parameters")                                     \
    X(PASSTHROUGH, "passthrough")                                   \
    X(PROMPT_ID, "prompt_id")                                       \
    X(PROVIDER, "provider")                                         \
    X(QUERY, "query")                                               \
    X(REQUEST_TIMEOUT, "request_timeout")                           \
    X(RESOURCE_NAME, "resource_name")                               \
    X(RETRY, "retry")                                               \
    X(SEQUENTIAL, "sequential")                                     \
    X(STICKY, "sticky")                                             \
    X(STRATEGY, "strategy")                                         \
    X(STRICT_OPEN_AI_COMPLIANCE, "strict_open_ai_compliance")       \
    X(TARGETS, "targets")                                           \
    X(THEN, "then")                                                 \
    X(TTL, "ttl")                                                   \
    X(TYPE, "type")                                                 \
    X(USE_RETRY_AFTER_HEADER, "use_retry_after_header")             \
    X(USE_RETRY_AFTER_HEADERS, "use_retry_after_headers")           \
    X(VERTEX_PROJECT_ID, "vertex_project_id")                       \
    X(VERTEX_REGION, "vertex_region")                               \
    X(VERTEX_SERVICE_ACCOUNT_JSON, "vertex_service_account_json")   \
    X(VIRTUAL_KEY, "virtual_key")                                   \
    X(WEIGHT, "weight")

enum field {
#define X(name, text) FIELD_##name,
    FIELDS_TABLE(X)
#undef X
        FIELD_COUNT
};

#endif
