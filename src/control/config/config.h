/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONFIG_CONFIG_H
#define CONTROL_CONFIG_CONFIG_H

/*
 * config: a routing config, checked and compiled into an immutable tree.
 *
 * The text is Portkey's gateway config (JSON). Compiling checks every known field, works out what
 * each target inherits, and fills in defaults, so that who plans and runs a request looks at one
 * node only. Unknown fields are kept in `text` and have no effect. A config whose worst case would
 * exceed CONFIG_ATTEMPTS_MAX attempts is refused.
 *
 * A config is reference-counted and never changes: a stored one lives in the snapshot, one from a
 * header in the worker's small table of recent ones. All views point into the config's own arena.
 * Values that go into a request body keep the text they were written with.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CONFIG_TEXT_MAX (256u * 1024)
#define CONFIG_NODES_MAX 1000
#define CONFIG_DEPTH_MAX 16
#define CONFIG_ATTEMPTS_MAX 100
#define CONFIG_RETRY_MAX 5                /* more is lowered to this */
#define CONFIG_CACHE_AGE_DEFAULT_S 604800 /* also when the given age is outside 60 … 7776000 */
#define CONFIG_COOLDOWN_MIN_MS 30000      /* of the circuit breaker; less is raised to this */

enum config_mode { CONFIG_SINGLE, CONFIG_LOADBALANCE, CONFIG_FALLBACK, CONFIG_CONDITIONAL };

/* HTTP statuses; sorted, without duplicates. */
struct config_codes {
    const uint16_t *list;
    size_t n;
};

struct config_retry {
    unsigned attempts; /* 0 … CONFIG_RETRY_MAX */
    bool use_retry_after;
    struct config_codes codes; /* given, or 429 500 502 503 504 529 */
};

enum config_cache_mode { CONFIG_CACHE_NONE, CONFIG_CACHE_SIMPLE, CONFIG_CACHE_SEMANTIC };
struct config_cache {
    enum config_cache_mode mode;
    uint32_t max_age_s;
};

/* One member of override_params or default_params. */
struct config_param {
    struct str name; /* unescaped */
    struct str json; /* the value as written */
};
struct config_params {
    const struct config_param *list;
    size_t n;
};
struct config_strings {
    const struct str *list;
    size_t n;
};

/* One check of a guardrail: "default.contains" and its parameters. */
struct config_check {
    struct str id;
    struct str parameters; /* raw JSON object; "{}" when none */
    bool enabled;
    bool fail_on_error; /* a check that cannot be done counts as failed */
};
struct config_hook {
    struct str id;   /* as given, or "input_guardrails[0]" */
    struct str type; /* "guardrail" or "mutator" */
    bool deny, async, sequential;
    const struct config_check *checks;
    size_t check_count;
    struct str on_success, on_fail; /* raw JSON objects or "" */
};
struct config_hooks {
    const struct config_hook *list;
    size_t n;
};

/* Azure's fields; "" when not given. The same struct is filled from request headers. */
struct config_azure {
    struct str resource_name, deployment_id, api_version, model_name, ad_token, auth_mode;
    struct str entra_client_id, entra_client_secret, entra_tenant_id, entra_scope;
    struct str managed_client_id, workload_client_id;
};

/* What holds for a target after inheritance. "" and 0 mean: not given. */
struct config_settings {
    struct str provider; /* "openai", "azure-openai", or "@slug"; of this node only, not inherited */
    struct str virtual_key;
    struct str api_key; /* a secret */
    struct str prompt_id;
    struct str openai_organization, openai_project;
    bool passthrough;
    struct config_azure azure;
    /* From here on inherited. */
    struct str custom_host;
    struct config_strings forward_headers;
    uint64_t request_timeout_ms;
    bool lenient; /* strict_open_ai_compliance is false */
    struct config_retry retry;
    struct config_cache cache;
    struct config_params override_params; /* merged, the innermost wins */
    struct config_params default_params;
    struct config_strings drop_params; /* "a.b[0].c", "x[*].y" */
    struct config_hooks before, after; /* input_guardrails and before_request_hooks together, in this order */
};

struct config_condition {
    struct str query; /* raw JSON object */
    struct str then;  /* a target's name */
};

struct config_sticky {
    bool enabled;
    struct config_strings hash_fields; /* "metadata.user", "params.user", "headers.x-user" */
    uint32_t ttl_s;                    /* 3600 when not given */
};

struct config_breaker {
    bool on;
    uint32_t failure_threshold;  /* 0 = not given */
    uint32_t failure_percentage; /* 0 = not given */
    uint64_t cooldown_ms;
    uint32_t minimum_requests;         /* 5 when not given */
    struct config_codes failure_codes; /* n == 0: every status from 500 on */
};

struct config_node {
    const struct config_node *parent; /* NULL: the root */
    unsigned index;                   /* place among the parent's targets, as written */
    unsigned depth;                   /* 0 = root */
    uint32_t id;                      /* 0 … node_count - 1, in the order of the text; root = 0 */
    struct str name;
    struct str path;       /* "config", "config.targets[1].targets[0]": what clients are told */
    enum config_mode mode; /* meaningful with targets */
    const struct config_node *targets;
    size_t target_count; /* 0: a leaf, which is where requests go */
    double weight;       /* among the parent's targets; ≥ 0 */
    bool any_status;     /* fallback without on_status_codes: everything outside 200 … 299 goes on */
    struct config_codes on_status_codes;
    const struct config_condition *conditions;
    size_t condition_count;
    struct str default_target;
    struct config_sticky sticky;
    struct config_breaker breaker; /* in force for this node, inherited; off below a conditional */
    struct config_settings settings;
};

enum config_needs {
    CONFIG_NEEDS_PARAMS = 1, /* some decision looks into the request's body */
    CONFIG_NEEDS_EDIT = 2,   /* some target changes the body */
    CONFIG_NEEDS_HOOKS = 4,
    CONFIG_NEEDS_CACHE = 8,
    CONFIG_NEEDS_REPEAT = 16, /* more than one attempt may be made */
};

struct config {
    const struct config_node *root;
    uint32_t node_count;
    unsigned attempts_max; /* of one request, at worst */
    unsigned needs;        /* enum config_needs */
    struct str text;       /* as given */
    unsigned char sha256[32];
    /* Of a stored one; 0 and "" for one from a header. Filled by who stores it, before anybody else sees it. */
    int64_t id;
    struct str slug; /* "pc-…" */
    uint32_t version;
    int64_t workspace_id;
};

/* What is wrong, each as Portkey says it: "path: strategy,mode, message: Invalid 'mode' value. …" */
#define CONFIG_ERRORS_MAX 20
struct config_errors {
    bool not_json;
    char message[240]; /* "", or what to answer in place of "Invalid config passed"; then without a list of errors */
    size_t n;
    char text[CONFIG_ERRORS_MAX][240]; /* quotes no secret */
};

/* ERR_BAD_PARAMETER with reasons. The reference is the caller's. */
enum err config_compile(struct str text, struct config **ret_config, struct config_errors *why) ERR_USE;
struct config *config_ref(const struct config *c);
void config_unref(const struct config *c); /* NULL does nothing; thread-safe; secrets are wiped */
/* The slug and version are copied into the config's memory. Before anybody else sees it. */
void config_name(struct config *c, int64_t id, struct str slug, uint32_t version, int64_t workspace_id);
bool config_codes_have(const struct config_codes *codes, int status);
/* The text with api keys and other secrets as "sk********abc", for logs and answers. False: does not fit. */
bool config_masked(const struct config *c, struct buf *out) __attribute__((warn_unused_result));

#endif
