/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

/*
 * metrics: what each worker counts. A worker writes its own counters only, so no lock is needed;
 * readers add up all workers' (values may be a moment apart).
 *
 * Columns: name, Prometheus name, kind, help.
 */

#include <stdint.h>

#define METRICS_TABLE(X)                                                                                              \
    X(REQUESTS, "tollgate_requests_total", "counter", "Requests for a provider that were admitted.")                  \
    X(REFUSED, "tollgate_requests_refused_total", "counter", "Requests refused before they were admitted.")           \
    X(ERRORS, "tollgate_request_errors_total", "counter", "Requests that ended in an error of any side.")             \
    X(IN_FLIGHT, "tollgate_requests_in_flight", "gauge", "Requests under way.")                                       \
    X(EVENTS, "tollgate_sse_events_total", "counter", "Server-sent events relayed.")                                  \
    X(BYTES_IN, "tollgate_request_bytes_total", "counter", "Bytes of request bodies received.")                       \
    X(BYTES_OUT, "tollgate_response_bytes_total", "counter", "Bytes of response bodies from upstream.")               \
    X(CANCELLED, "tollgate_client_cancelled_total", "counter", "Requests whose client went away first.")              \
    X(UNPRICED, "tollgate_unpriced_total", "counter", "Requests that have usage but no price.")                       \
    X(ESTIMATED, "tollgate_estimated_total", "counter", "Requests whose usage was estimated.")                        \
    X(COST_MICRO_USD, "tollgate_cost_micro_usd_total", "counter", "Cost of priced requests, millionths of a dollar.") \
    X(JOURNAL_ERRORS, "tollgate_journal_errors_total", "counter", "Appends to the journal that failed.")

enum metric {
#define X(name, text, kind, help) METRIC_##name,
    METRICS_TABLE(X)
#undef X
        METRIC_COUNT
};

struct metrics {
    uint64_t value[METRIC_COUNT]; /* by metrics_add and metrics_get only */
};

/* Only the owning worker calls this: a plain load and store, no locked instruction. */
static inline void metrics_add(struct metrics *m, enum metric which, uint64_t by)
{
    uint64_t v = __atomic_load_n(&m->value[which], __ATOMIC_RELAXED);
    __atomic_store_n(&m->value[which], v + by, __ATOMIC_RELAXED);
}

static inline uint64_t metrics_get(const struct metrics *m, enum metric which)
{
    return __atomic_load_n(&m->value[which], __ATOMIC_RELAXED);
}

#endif
