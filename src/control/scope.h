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

/* Columns: name, Portkey's text. At most 63. */
#define SNAPSHOT_SCOPE_TABLE(X)                   \
    X(COMPLETIONS_WRITE, "completions.write")     \
    X(PROMPTS_RENDER, "prompts.render")           \
    X(LOGS_WRITE, "logs.write")                   \
    X(LOGS_VIEW, "logs.view")                     \
    X(LOGS_LIST, "logs.list")                     \
    X(LOGS_EXPORT, "logs.export")                 \
    X(ANALYTICS_VIEW, "analytics.view")           \
    X(MODELS_LIST, "models.list")                 \
    X(VIRTUAL_KEYS_LIST, "virtual_keys.list")     \
    X(CONFIGS_CREATE, "configs.create")           \
    X(CONFIGS_READ, "configs.read")               \
    X(CONFIGS_UPDATE, "configs.update")           \
    X(CONFIGS_DELETE, "configs.delete")           \
    X(CONFIGS_LIST, "configs.list")               \
    X(FEEDBACKS_WRITE, "feedbacks.write")         \
    X(PROMPTS_CREATE, "prompts.create")           \
    X(PROMPTS_READ, "prompts.read")               \
    X(PROMPTS_UPDATE, "prompts.update")           \
    X(PROMPTS_DELETE, "prompts.delete")           \
    X(PROMPTS_LIST, "prompts.list")               \
    X(PROMPTS_PUBLISH, "prompts.publish")         \
    X(VIRTUAL_KEYS_CREATE, "virtual_keys.create") \
    X(VIRTUAL_KEYS_READ, "virtual_keys.read")     \
    X(VIRTUAL_KEYS_UPDATE, "virtual_keys.update") \
    X(VIRTUAL_KEYS_DELETE, "virtual_keys.delete") \
    X(PROVIDERS_CREATE, "providers.create")       \
    X(PROVIDERS_READ, "providers.read")           \
    X(PROVIDERS_UPDATE, "providers.update")       \
    X(PROVIDERS_DELETE, "providers.delete")       \
    X(PROVIDERS_LIST, "providers.list")           \
    X(INTEGRATIONS_CREATE, "integrations.create") \
    X(INTEGRATIONS_READ, "integrations.read")     \
    X(INTEGRATIONS_UPDATE, "integrations.update") \
    X(INTEGRATIONS_DELETE, "integrations.delete") \
    X(INTEGRATIONS_LIST, "integrations.list")     \
    X(GUARDRAILS_CREATE, "guardrails.create")     \
    X(GUARDRAILS_READ, "guardrails.read")         \
    X(GUARDRAILS_UPDATE, "guardrails.update")     \
    X(GUARDRAILS_DELETE, "guardrails.delete")     \
    X(GUARDRAILS_LIST, "guardrails.list")         \
    X(GUARDRAILS_INVOKE, "guardrails.invoke")

enum snapshot_scope {
#define X(name, text) SNAPSHOT_SCOPE_##name,
    SNAPSHOT_SCOPE_TABLE(X)
#undef X
        SNAPSHOT_SCOPE_COUNT
};
#define SNAPSHOT_SCOPES_ALL UINT64_MAX /* a key without a list of scopes */

bool scope_from_text(struct str text, enum snapshot_scope *ret_scope);
const char *scope_text(enum snapshot_scope scope);
/*
 * A list "completions.write,logs.view" as bits; empty means SNAPSHOT_SCOPES_ALL. False when a name is
 * unknown; *ret_unknown is that name then.
 */
bool scope_list_read(struct str list, uint64_t *ret_scopes, struct str *ret_unknown);
/* The reverse; nothing for SNAPSHOT_SCOPES_ALL. False when it does not fit. */
bool scope_list_write(uint64_t scopes, struct buf *out) __attribute__((warn_unused_result));

#endif
