/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_QUERY_COST_H
#define LEDGER_QUERY_COST_H

/*
 * query_cost: reports over the hourly rollups; no row is read, however long the time.
 *
 * Time is whole hours, UTC: `since` is rounded down and `until` up to the hour. Sums of money and of
 * metered quantities are exact, in 128 bits; sums of times and sizes stop at 2^63-1.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "ledger/query.h"
#include "ledger/sums.h"
#include "openai/cost.h"
#include "openai/usage.h"

/* Columns: name, text in CLI and JSON, what it is. Texts: a str; the others: a number. */
#define QUERY_DIM_TABLE(X)                                                          \
    X(HOUR, "hour", false, "the hour it was stored under")                          \
    X(DAY, "day", false, "the day, UTC")                                            \
    X(MONTH, "month", false, "the month, UTC")                                      \
    X(WORKSPACE, "workspace", false, "workspace id")                                \
    X(KEY, "key", false, "key id; 0 = none")                                        \
    X(INTEGRATION, "integration", false, "integration id; 0 = none")                \
    X(OPERATION, "operation", true, "operation")                                    \
    X(MODEL_ASKED, "model_asked", true, "model the client asked for")               \
    X(MODEL_ANSWERED, "model", true, "model that answered, else the one asked for") \
    X(TIER, "tier", true, "service tier")                                           \
    X(STATUS_CLASS, "status", false, "2, 4, 5 …; 0 = nothing was answered")         \
    X(OUTCOME, "outcome", false, "enum record_outcome")                             \
    X(COST_STATE, "cost_state", false, "enum cost_state")                           \
    X(STREAM, "stream", false, "1 = streamed")                                      \
    X(PROVIDER, "provider", true, "provider, where the route named one")            \
    X(CONFIG, "config", true, "routing config; \"inline\" for one in a header")     \
    X(CACHE, "cache", false, "enum record_cache")                                   \
    X(DISCARDED, "discarded", false, "1 = the client did not get the attempt's answer")

enum query_dim {
#define X(name, text, is_text, what) QUERY_DIM_##name,
    QUERY_DIM_TABLE(X)
#undef X
        QUERY_DIM_COUNT
};
const char *query_dim_text(enum query_dim d);
bool query_dim_is_text(enum query_dim d);
bool query_dim_parse(struct str text, enum query_dim *ret_dim);

#define QUERY_DIMS_MAX 9

struct query_cost {
    int64_t since_us, until_us;                   /* until 0 = no end */
    int64_t workspace_id, key_id, integration_id; /* 0 = any */
    struct str model;                             /* asked or answered; "" = any */
    struct str operation;
    int cost_state; /* -1 = any */
    enum query_dim dims[QUERY_DIMS_MAX];
    unsigned dim_count; /* 0: one group, the total */
};

struct query_dim_value {
    int64_t number; /* HOUR, DAY, MONTH: wall clock of its beginning, microseconds */
    struct str text;
};

struct query_sums {
    struct sums sums;   /* money: of all attempts that have a cost, the estimated included */
    uint64_t errors;    /* attempts that did not complete */
    uint64_t unpriced;  /* attempts that consumed something and have no price */
    uint64_t estimated; /* attempts whose cost is an approximation */
    money_sum estimated_pusd;
    uint64_t discarded;    /* attempts whose answer the client did not get … */
    money_sum wasted_pusd; /* … and what they cost */
    uint64_t cache_hits;   /* attempts answered out of the cache; what that saved: sums.saved_pusd */
};

/* Groups with the most money first; `values` has dim_count of them. False: enough. */
typedef bool query_cost_fn(void *context, const struct query_dim_value *values, const struct query_sums *sums);

/*
 * `ret_total` is the sum over all groups. ERR_BAD_PARAMETER: more than QUERY_GROUPS_MAX groups; ask
 * for a shorter time or fewer dimensions.
 */
#define QUERY_GROUPS_MAX 100000
enum err query_cost(struct query *q, const struct query_cost *c, query_cost_fn *each, void *context,
                    struct query_sums *ret_total) ERR_USE;

#endif
