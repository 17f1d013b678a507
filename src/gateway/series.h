/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_SERIES_H
#define GATEWAY_SERIES_H

/*
 * series: what a worker counts by workspace, provider, model, class of the status and cache, for
 * /metrics.
 *
 * The number of combinations is bounded, because names come from callers: a worker keeps
 * SERIES_MAX at most, and what comes beyond is counted under "other" for each class of status. A
 * model's name is taken from callers only when an answer suggests that the model exists, so that
 * somebody who tries out names does not use up the room.
 *
 * A worker writes its own table only, without locks and, but for a combination it sees for the
 * first time, without allocation. Any thread may read at the same time (values of one combination
 * may be a moment apart): a combination is published once it is complete and never changes or goes.
 *
 * Durations are microseconds; costs are whole nano-dollars, their rest is carried, so nothing is
 * lost but what waits.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "ledger/record.h"

struct cost;
struct series;

#define SERIES_MAX 200       /* combinations of a worker, the "other" ones included */
#define SERIES_NAMES_MAX 100 /* models and providers of a worker */
#define SERIES_NAME_BYTES 63 /* names are cut there */
#define SERIES_BUCKETS 14    /* of a histogram, the one without end not counted */
#define SERIES_CLASSES 6     /* 0 = no answer, else the status' first digit */

/* Columns: name, Prometheus name, help. */
#define SERIES_HISTOGRAM_TABLE(X)                                                                           \
    X(FIRST_BYTE, "tollgate_first_byte_seconds",                                                            \
      "From the request's head to the first byte of the provider's answer.")                                \
    X(TOTAL, "tollgate_duration_seconds", "From the request's head to the last byte handed to the client.") \
    X(OVERHEAD, "tollgate_overhead_seconds", "Time that the gateway added.")

enum series_histogram {
#define X(name, text, help) SERIES_##name,
    SERIES_HISTOGRAM_TABLE(X)
#undef X
        SERIES_HISTOGRAM_COUNT
};

/* Upper bounds in microseconds, ascending. */
const uint64_t *series_bounds(enum series_histogram h);

struct series_values {
    uint64_t attempts, unpriced;
    uint64_t cost_nusd;
    uint64_t input_tok, output_tok;
    /* How many fell into each bucket (not cumulative; the last one is above all bounds), and their sum. */
    uint64_t bucket[SERIES_HISTOGRAM_COUNT][SERIES_BUCKETS + 1];
    uint64_t sum_us[SERIES_HISTOGRAM_COUNT];
};

struct series *series_new(void);
void series_free(struct series *s); /* NULL does nothing */

/*
 * Counts one attempt, or a cache hit. `cost` is the attempt's, with side costs if there were any.
 * For the worker's thread; takes a tenth of a microsecond.
 */
void series_count(struct series *s, const struct record *rec, const struct cost *cost);

/* --- sums over workers, for whoever shows them ------------------------------------------------- */

/* One combination. Views are good as long as the workers. */
struct series_sample {
    bool other; /* the rest of this class of status: nothing below is known */
    int64_t workspace_id;
    struct str provider;    /* "" = the integration's kind */
    int64_t integration_id; /* 0 when the provider is known */
    struct str model;       /* "" = the operation has none; "unknown" = named by the caller only */
    unsigned status_class;
    enum record_cache cache;
    struct series_values values;
};

struct series_sum;
struct series_sum *series_sum_new(void);
void series_sum_free(struct series_sum *sum);
/* Adds what one worker counted; at most SERIES_MAX combinations stay apart. */
void series_sum_add(struct series_sum *sum, const struct series *s);
/* In no particular order. */
struct series_sample *series_sum_get(struct series_sum *sum, unsigned *ret_count);
void series_add(struct series_values *to, const struct series_values *from);

#endif
