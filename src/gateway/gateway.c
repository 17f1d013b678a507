/* SPDX-License-Identifier: Apache-2.0 */
/* The set of workers: start, change what they work with, drain, stop. */
#include "gateway/gateway.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "gateway/hooks/webhook.h"
#include "gateway/plan/plan.h"
#include "gateway/request.h"
#include "gateway/series.h"
#include "gateway/worker.h"
#include "net/listener.h"
#include "openai/price.h"

#define WORKERS_MAX 64
#define DRAINED_CHECK_US 10000

struct gateway {
    struct gateway_settings settings;
    struct shared shared;
    char listen[128]; /* with the real port once the first worker has it */
    struct worker *workers[WORKERS_MAX];
    unsigned count, started;
    pthread_mutex_t prices_lock; /* changes of prices come from more than one thread */
    struct price_catalog *prices;
    _Atomic bool draining;
    uint16_t port;
};

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    loop_run(w->loop);
    webhook_drop_detached(); /* they are on a list of this thread */
    return NULL;
}

static void free_all(struct gateway *g)
{
    for (unsigned i = 0; i < g->count; i++)
        worker_free(g->workers[i]);
    breakers_free(g->shared.breakers);
    sticky_free(g->shared.sticky);
    price_catalog_free(g->prices);
    pthread_mutex_destroy(&g->prices_lock);
    mem_free(g);
}

/* Port 0 asks the kernel for one; all workers then share it. */
static void settle_port(struct gateway *g, const struct worker *first)
{
    const char *colon = strrchr(g->listen, ':');
    g->port = http_server_port(first->server);
    if (colon && strcmp(colon, ":0") == 0) {
        char text[sizeof g->listen];
        snprintf(text, sizeof text, "%.*s:%u", (int)(colon - g->listen), g->listen, g->port);
        memcpy(g->listen, text, sizeof text);
    }
}

/* After the first listener is open, so that the same address given for both is noticed. */
static enum err open_admin(struct gateway *g, struct worker *w, char *why, size_t why_cap)
{
    if (!listener_address_free(g->settings.admin_listen, why, why_cap))
        return ERR_LISTEN_FAILED;
    return worker_listen_admin(w, why, why_cap);
}

static enum err open_workers(struct gateway *g, struct snapshot *snapshot, char *why, size_t why_cap)
{
    for (unsigned i = 0; i < g->settings.workers; i++) {
        struct worker *w = worker_new(g, &g->settings, i, snapshot, g->prices, &g->shared, why, why_cap);
        if (!w)
            return ERR_FILE_FAILED;
        g->workers[g->count++] = w;
        enum err e = http_server_listen(w->server, str_c(g->listen), g->settings.client_tls, why, why_cap);
        if (e)
            return e;
        if (i == 0)
            settle_port(g, w);
        if (i == 0 && g->settings.admin_listen.n)
            e = open_admin(g, w, why, why_cap);
        if (e)
            return e;
    }
    return ERR_OK;
}

/* Signals are for the main thread. */
static bool start_threads(struct gateway *g)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; g->started < g->count; g->started++)
        if (pthread_create(&g->workers[g->started]->thread, NULL, worker_main, g->workers[g->started]) != 0)
            break;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return g->started == g->count;
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

/* Behind what was posted before, and a turn later, so that those answers are handed to the kernel. */
static void stop_soon(void *ctx)
{
    loop_post(ctx, stop_loop, ctx);
}

static void stop_threads(struct gateway *g)
{
    for (unsigned i = 0; i < g->started; i++)
        loop_post(g->workers[i]->loop, stop_soon, g->workers[i]->loop);
    for (unsigned i = 0; i < g->started; i++)
        pthread_join(g->workers[i]->thread, NULL);
    g->started = 0;
}

enum err gateway_start(const struct gateway_settings *settings, struct snapshot *snapshot, struct price_catalog *prices,
                       struct gateway **ret_gateway, char *why, size_t why_cap)
{
    must(settings->workers >= 1 && settings->workers <= WORKERS_MAX);
    struct gateway *g = mem_zalloc(sizeof *g);
    g->settings = *settings;
    g->prices = prices;
    g->shared.breakers = breakers_new();
    g->shared.sticky = sticky_new();
    pthread_mutex_init(&g->prices_lock, NULL);
    str_copy(g->listen, sizeof g->listen, settings->listen);
    enum err e = listener_address_free(str_c(g->listen), why, why_cap) ? ERR_OK : ERR_LISTEN_FAILED;
    if (!e)
        e = open_workers(g, snapshot, why, why_cap);
    if (!e && !start_threads(g)) {
        snprintf(why, why_cap, "the kernel refused another thread");
        e = ERR_INTERNAL;
    }
    if (e) {
        stop_threads(g);
        g->prices = NULL; /* still the caller's */
        free_all(g);
        return e;
    }
    *ret_gateway = g;
    return ERR_OK;
}

uint16_t gateway_port(const struct gateway *g)
{
    return g->port;
}

uint16_t gateway_admin_port(const struct gateway *g)
{
    const struct http_server *admin = g->workers[0]->admin_server;
    return admin ? http_server_port(admin) : g->port;
}

void gateway_set_snapshot(struct gateway *g, struct snapshot *snapshot)
{
    for (unsigned i = 0; i < g->count; i++)
        snapshot_slot_put(&g->workers[i]->slot, snapshot);
}

/* A change of catalogue goes round all workers; the last one to take it frees the old one. */
struct price_change {
    struct price_catalog *fresh, *old;
    _Atomic unsigned left;
};

struct price_visit {
    struct price_change *change;
    struct worker *worker;
};

static void take_prices(void *ctx)
{
    struct price_visit *v = ctx;
    v->worker->prices = v->change->fresh;
    if (--v->change->left == 0) {
        price_catalog_free(v->change->old);
        mem_free(v->change);
    }
    mem_free(v);
}

void gateway_set_prices(struct gateway *g, struct price_catalog *prices)
{
    struct price_change *change = mem_zalloc(sizeof *change);
    change->left = g->count;
    change->fresh = prices;
    pthread_mutex_lock(&g->prices_lock); /* until all are posted: every worker sees the changes in one order */
    change->old = g->prices;
    g->prices = prices;
    for (unsigned i = 0; i < g->count; i++) {
        struct price_visit *v = mem_zalloc(sizeof *v);
        *v = (struct price_visit){change, g->workers[i]};
        loop_post(g->workers[i]->loop, take_prices, v);
    }
    pthread_mutex_unlock(&g->prices_lock);
}

static void drain_worker(void *ctx)
{
    struct worker *w = ctx;
    w->draining = true;
    http_server_drain(w->server);
}

void gateway_drain(struct gateway *g)
{
    if (g->draining)
        return;
    g->draining = true;
    for (unsigned i = 0; i < g->count; i++)
        loop_post(g->workers[i]->loop, drain_worker, g->workers[i]);
}

bool gateway_draining(const struct gateway *g)
{
    return g->draining;
}

uint64_t gateway_metric(const struct gateway *g, enum metric which)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < g->count; i++)
        sum += metrics_get(&g->workers[i]->metrics, which);
    return sum;
}

void gateway_series(const struct gateway *g, struct series_sum *sum)
{
    for (unsigned i = 0; i < g->count; i++)
        series_sum_add(sum, g->workers[i]->series);
}

unsigned gateway_in_flight(const struct gateway *g)
{
    return (unsigned)gateway_metric(g, METRIC_IN_FLIGHT);
}

void gateway_stop(struct gateway *g)
{
    stop_threads(g);
    free_all(g);
}
