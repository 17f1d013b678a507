/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_POLICY_H
#define CONTROL_LIMIT_POLICY_H

/*
 * policy: the conditions and groups of Portkey's policies, compiled.
 *
 *     conditions  [{"key":"metadata.env","value":"prod"},{"key":"model","excludes":["gpt-4o","o1-pro"]}]
 *     group_by    [{"key":"api_key"},{"key":"metadata._user"}]
 *
 * All conditions must hold. `value` and `excludes` are a text or a list of texts. "*" stands for any
 * value that is there; a text that ends in "/" and "*" for all that begins with what is before the star.
 * Of `model` the text is "@slug/model", "@provider/model" or the model alone; of `provider` and
 * `virtual_key` the integration's slug, with or without "@", or the provider's name.
 * A request that lacks a value does not meet "value", meets "excludes", and is not counted by a rule
 * that groups by it.
 *
 * A group is counted on its own. Its text is the values in the order of group_by, each cut at 128
 * bytes, with POLICY_SEPARATOR between them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define POLICY_CONDITIONS_MAX 16
#define POLICY_VALUES_MAX 64
#define POLICY_GROUPS_MAX 4
#define POLICY_VALUE_MAX 256       /* bytes of a value in a condition */
#define POLICY_GROUP_VALUE_MAX 128 /* bytes of a value in a group's text */
#define POLICY_GROUP_TEXT_MAX (POLICY_GROUPS_MAX * (POLICY_GROUP_VALUE_MAX + 1))
#define POLICY_SEPARATOR '\x1f'
#define POLICY_TEXT_MAX 16384 /* bytes of the JSON */

/* What a key speaks of. Columns: name, key, whether it is known only when a target was chosen. */
#define POLICY_SUBJECT_TABLE(X)         \
    X(API_KEY, "api_key", false)        \
    X(METADATA, "metadata.", false)     \
    X(WORKSPACE, "workspace_id", false) \
    X(VIRTUAL_KEY, "virtual_key", true) \
    X(PROVIDER, "provider", true)       \
    X(CONFIG, "config", false)          \
    X(PROMPT, "prompt", false)          \
    X(MODEL, "model", true)

enum policy_subject {
#define X(name, key, late) POLICY_##name,
    POLICY_SUBJECT_TABLE(X)
#undef X
        POLICY_SUBJECT_COUNT
};

struct policy_condition {
    enum policy_subject subject;
    struct str field; /* METADATA: its name */
    bool excludes;
    uint32_t value_count;
    const struct str *values;
};

struct policy_group {
    enum policy_subject subject;
    struct str field;
};

struct policy {
    const struct policy_condition *conditions;
    uint32_t condition_count, group_count;
    struct policy_group groups[POLICY_GROUPS_MAX];
    bool late;     /* something is known only when a target was chosen */
    bool metadata; /* something asks for metadata */
};

/* What there is to know of a request; "" = not there. */
struct policy_facts {
    struct str api_key, api_key_name; /* the key's public id; its name does as well in conditions */
    struct str workspace;             /* its name */
    struct str integration, provider; /* slug without "@"; "openai" */
    struct str config, prompt;        /* slugs */
    struct str model;                 /* as upstream gets it */
    struct str metadata;              /* JSON object */
};

/*
 * Reads both texts ("" = none). Everything lives in the arena. NULL, or a sentence that says what is
 * wrong; *ret_param is then "conditions" or "group_by".
 */
const char *policy_compile(struct str conditions, struct str group_by, struct arena *a, struct policy *ret,
                           const char **ret_param);
/* Whether the request is one that the policy speaks of, group values aside. */
bool policy_matches(const struct policy *p, const struct policy_facts *facts);
/*
 * The text of the request's group: false when it lacks a value. Without groups: "". `out` has
 * POLICY_GROUP_TEXT_MAX bytes.
 */
bool policy_group_text(const struct policy *p, const struct policy_facts *facts, char *out, size_t *ret_n);
/* A number for a group's text that stays the same over restarts; shown as part of an entity's id. */
uint64_t policy_group_number(struct str group_text);
const char *policy_subject_key(enum policy_subject s);

#endif
