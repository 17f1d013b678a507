/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_RECORD_ROUTING_H
#define LEDGER_RECORD_ROUTING_H

/*
 * record_routing: the part of a record that tells how the attempt came about: which config and
 * target it belongs to, what the cache and the guardrails said, and what became of its answer.
 *
 * Views live as long as those of the record around it. Money is in pico-dollars.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* What the cache had to say. Columns: name, text as clients see it. Append only. */
#define RECORD_CACHE_TABLE(X)         \
    X(DISABLED, "DISABLED")           \
    X(HIT, "HIT")                     \
    X(SEMANTIC_HIT, "SEMANTIC HIT")   \
    X(MISS, "MISS")                   \
    X(SEMANTIC_MISS, "SEMANTIC MISS") \
    X(REFRESH, "REFRESH")

enum record_cache {
#define X(name, text) RECORD_CACHE_##name,
    RECORD_CACHE_TABLE(X)
#undef X
        RECORD_CACHE_COUNT
};

/* What the checks of guardrails came to. Columns: name, text. Append only. */
#define RECORD_HOOKS_TABLE(X) \
    X(NONE, "")               \
    X(PASSED, "passed")       \
    X(FAILED, "failed")       \
    X(DENIED, "denied")

enum record_hooks {
#define X(name, text) RECORD_HOOKS_##name,
    RECORD_HOOKS_TABLE(X)
#undef X
        RECORD_HOOKS_COUNT
};

#define RECORD_RETRIES_USED_UP UINT32_MAX

/*
 * How a routed attempt came about; all "" and 0 for a request without a config. Texts repeat a lot
 * and are few, but for hook_results.
 */
struct record_routing {
    struct str provider; /* "openai", "azure-openai"; "" = the integration's kind */
    struct str config;   /* "pc-…", or "inline" */
    uint32_t config_version;
    struct str mode;   /* strategy of the config's root: "fallback" */
    struct str target; /* "config.targets[1]" */
    uint32_t retry;    /* 0 = the target's first try, 1 = its first retry */
    /*
     * Of the attempt whose answer was taken from its target: as x-portkey-retry-attempt-count;
     * RECORD_RETRIES_USED_UP = -1.
     */
    uint32_t retries;
    bool discarded; /* the client did not get this attempt's answer: what it cost was wasted */
    enum record_cache cache;
    int64_t saved_pusd; /* of a hit: what the kept answer had cost; 0 = nothing or unknown */
    enum record_hooks hooks;
    struct str hook_results; /* JSON, at most RECORD_HOOK_RESULTS_MAX; "" when none */
    struct str span_name;
    struct str sdk_version, runtime, runtime_version;
};
#define RECORD_HOOK_RESULTS_MAX 16384

#endif
