/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

/*
 * worker: one thread of the data path and everything only it touches.
 *
 * Requests that are finished wait in `finishing` until the end of the loop turn: there the journal
 * is written once for all of them, and only then do their last bytes leave (DESIGN D3).
 */

#include <pthread.h>

#include "base/list.h"
#include "base/rng.h"
#include "base/spares.h"
#include "control/snapshot.h"
#include "gateway/gateway.h"
#include "gateway/metrics.h"
#include "ledger/record.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/loop.h"

struct azure_tokens;
struct breakers;
struct configs;
struct journal;
struct price_catalog;
struct resolver;
struct sticky_table;
struct series;

/* What all workers share and change; each has a lock of its own inside. */
struct shared {
    struct breakers *breakers;
    struct sticky_table *sticky;
};

struct worker {
    const struct gateway_settings *settings;
    struct gateway *gateway;
    unsigned index;
    pthread_t thread;
    struct loop *loop;
    struct http_server *server;
    struct http_server *admin_server; /* worker 0's, with --admin-listen; else NULL */
    struct resolver *resolver;
    struct dialer *dialer;
    struct http_client *client;
    struct azure_tokens *tokens;
    struct configs *configs; /* that came in headers */
    struct shared *shared;
    uint64_t kept_bytes;      /* of large bodies kept by routed requests */
    struct rng_seeded random; /* for load balancing: no secret */
    struct journal *journal;
    struct loop_hook turn_end;
    struct snapshot *snapshot; /* a reference of the worker's own */
    struct snapshot_slot slot; /* where a newer one is put */
    struct price_catalog *prices;
    struct record_ids ids;
    struct list requests;  /* under way */
    struct list finishing; /* recorded, to be sent at the end of the turn */
    struct spares spare_requests, spare_intakes, spare_relays, spare_runs;
    bool draining;
    bool journal_failing;       /* the last record could not be written: nothing goes upstream */
    uint64_t journal_failed_at; /* the journal's end then */
    struct metrics metrics;
    struct series *series;   /* counts by workspace, provider, model … */
    uint64_t cost_rest_pusd; /* not yet in METRIC_COST_MICRO_USD: less than a millionth of a dollar */
};

/* The newest snapshot; good until the next call unless a reference is taken. */
struct snapshot *worker_snapshot(struct worker *w);

#define WORKER_LINES_MAX 256
/*
 * The header lines that every answer carries, for an exchange that is no request for a provider: the
 * caller's trace id or one of ours, and an id of its own. Good while `head` is.
 */
struct str worker_own_lines(struct worker *w, const struct http1_head *head, char out[WORKER_LINES_MAX]);

/* NULL with a sentence in `why` when something cannot be opened. */
struct worker *worker_new(struct gateway *g, const struct gateway_settings *settings, unsigned index,
                          struct snapshot *snapshot, struct price_catalog *prices, struct shared *shared, char *why,
                          size_t why_cap);
void worker_free(struct worker *w);
/* Opens the listener of settings->admin_listen on this worker's loop. Before the thread starts. */
enum err worker_listen_admin(struct worker *w, char *why, size_t why_cap) ERR_USE;

#endif
