/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

/*
 * gateway: the data path. One worker a thread, each with its own loop, listener, connection pool
 * and journal; they share nothing but immutable objects (the snapshot, the price catalogue, TLS
 * contexts). What is not a request for a provider goes to the console's handler.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "gateway/metrics.h"
#include "gateway/target/azure_token.h"
#include "net/http_server.h"

struct address_set;
struct cache;
struct gateway;
struct ledger;
struct limits;
struct price_catalog;
struct series_sum;
struct snapshot;
struct tls_client;
struct tls_server;

struct gateway_settings {
    struct str listen;
    struct str admin_listen; /* "": one listener for all; else console, admin API and metrics are on this one only */
    unsigned workers;        /* 1 … 64 */
    struct http_limits limits;
    uint64_t connect_timeout_us;
    uint64_t first_byte_timeout_us;
    uint64_t idle_timeout_us;
    uint64_t pool_idle_us;
    unsigned upstream_connections_max; /* per worker and upstream */
    uint64_t body_max_bytes;
    uint64_t capture_max_bytes; /* of each body that is kept */
    bool record_bodies;         /* unless a key says otherwise */
    const struct address_set *allowed;
    struct tls_client *tls;
    struct tls_server *client_tls; /* NULL: plain HTTP for clients */
    struct azure_tokens_settings azure;
    uint64_t retry_wait_us; /* before a target's first retry; doubles with each further one */
    struct str https_proxy, http_proxy, no_proxy;
    struct ledger *ledger;     /* opened for as many workers */
    struct limits *use_limits; /* budgets and rates; outlives the gateway; NULL: none */
    struct cache *cache;       /* of answers; opened before the gateway, closed after it */
    uint64_t cache_memory_max_bytes, cache_disk_max_bytes;
    struct str semantic_model; /* that turns questions into vectors */
    float semantic_threshold;  /* 0 … 1: what is as near as this counts as the same question */
    unsigned semantic_max;     /* vectors per workspace */
    /*
     * Takes requests that are not for a provider. It must put an object beginning with a
     * struct exchange_owner into x->app_data, or answer at once.
     */
    void (*console)(void *ctx, struct http_exchange *x);
    void *console_ctx;
};

/* The first member of whatever x->app_data points at: who gets the exchange's callbacks. */
struct exchange_owner {
    const struct http_app *app;
};

/*
 * Opens journals and listeners and starts the workers. `why` explains a failure. The snapshot and
 * the catalogue are referenced; settings are copied, what they point at must outlive the gateway.
 */
enum err gateway_start(const struct gateway_settings *settings, struct snapshot *snapshot, struct price_catalog *prices,
                       struct gateway **ret_gateway, char *why, size_t why_cap) ERR_USE;
/* The port that is listened on. */
uint16_t gateway_port(const struct gateway *g);
/* Of admin_listen; the same as gateway_port without one. */
uint16_t gateway_admin_port(const struct gateway *g);
/* From any thread: in force for the next request of every worker. */
void gateway_set_snapshot(struct gateway *g, struct snapshot *snapshot);
/* From any thread: takes the catalogue over; the old one is freed when no worker uses it. */
void gateway_set_prices(struct gateway *g, struct price_catalog *prices);
/* Stops accepting; answers 503 to what still comes; requests under way go on. */
void gateway_drain(struct gateway *g);
bool gateway_draining(const struct gateway *g);
/* Requests under way, all workers. */
unsigned gateway_in_flight(const struct gateway *g);
/* Ends what is left (recorded as interrupted), stops the threads, closes the journals, frees. */
void gateway_stop(struct gateway *g);
/* Sum over all workers. */
uint64_t gateway_metric(const struct gateway *g, enum metric which);
/* Adds every worker's counts by labels; from any thread. */
void gateway_series(const struct gateway *g, struct series_sum *sum);

#endif
