/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: its loop, listener, client, journal; the dispatch of what arrives; the end of a turn.
 */
#include "gateway/worker.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/dispatch.h"
#include "gateway/finish.h"
#include "gateway/reply.h"
#include "gateway/request.h"
#include "gateway/run/configs.h"
#include "gateway/series.h"
#include "gateway/target/azure_token.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "net/dial.h"
#include "net/resolve.h"

#define SPARES_MAX 128 /* of each kind */

struct snapshot *worker_snapshot(struct worker *w)
{
    struct snapshot *newer = snapshot_slot_take(&w->slot);
    if (newer) {
        snapshot_unref(w->snapshot);
        w->snapshot = newer;
    }
    return w->snapshot;
}

struct str worker_own_lines(struct worker *w, const struct http1_head *head, char out[WORKER_LINES_MAX])
{
    char id_text[RECORD_ID_TEXT_MAX], trace[RECORD_TRACE_TEXT_MAX];
    int64_t id = record_ids_next(&w->ids, clock_wall_us());
    const struct http1_field *given = http1_find_id(head, HTTP1_X_PORTKEY_TRACE_ID);
    record_id_format(id, id_text);
    record_trace_format(id, trace);
    struct str shown = given && given->value.n && given->value.n <= REQUEST_TRACE_MAX ? given->value : str_c(trace);
    int n = snprintf(out, WORKER_LINES_MAX, "x-portkey-trace-id: %.*s\r\nx-tollgate-request-id: %s\r\n", STR_ARG(shown),
                     id_text);
    return str_of(out, (size_t)n);
}

/* Something that exists, but on the other listener. */
static void refuse_here(struct http_exchange *x, struct str detail)
{
    struct worker *w = x->server_ctx;
    char lines[WORKER_LINES_MAX];
    metrics_add(&w->metrics, METRIC_REFUSED, 1);
    reply_error(x, ERR_ROUTE_UNKNOWN, STR(""), detail, worker_own_lines(w, &x->head, lines));
}

static void on_request(struct http_exchange *x)
{
    struct worker *w = x->server_ctx;
    enum dispatch to = dispatch_of(&x->head);
    if (to == DISPATCH_ADMIN && w->settings->admin_listen.n) {
        refuse_here(x, STR("the console and the admin API are served on the address of --admin-listen"));
    } else if (to != DISPATCH_INFERENCE) {
        w->settings->console(w->settings->console_ctx, x);
    } else if (w->draining) {
        metrics_add(&w->metrics, METRIC_REFUSED, 1);
        char lines[WORKER_LINES_MAX];
        reply_error(x, ERR_DRAINING, STR(""), STR(""), worker_own_lines(w, &x->head, lines));
    } else {
        request_begin(w, x);
    }
}

static void on_admin_request(struct http_exchange *x)
{
    struct worker *w = x->server_ctx;
    if (dispatch_of(&x->head) == DISPATCH_INFERENCE)
        refuse_here(x, STR("requests for a provider are served on the address of --listen"));
    else
        w->settings->console(w->settings->console_ctx, x);
}

static const struct http_app *owner_of(const struct http_exchange *x)
{
    const struct exchange_owner *owner = x->app_data;
    return owner ? owner->app : NULL;
}

static void on_body(struct http_exchange *x, struct str bytes, bool last)
{
    const struct http_app *app = owner_of(x);
    if (app && app->on_body)
        app->on_body(x, bytes, last);
}

static void on_drained(struct http_exchange *x)
{
    const struct http_app *app = owner_of(x);
    if (app && app->on_drained)
        app->on_drained(x);
}

static void on_closed(struct http_exchange *x, enum err why)
{
    const struct http_app *app = owner_of(x);
    if (app && app->on_closed)
        app->on_closed(x, why);
}

static void on_done(struct http_exchange *x)
{
    const struct http_app *app = owner_of(x);
    if (app && app->on_done)
        app->on_done(x);
}

static void on_refused(void *ctx, enum err why)
{
    struct worker *w = ctx;
    (void)why;
    metrics_add(&w->metrics, METRIC_REFUSED, 1);
}

static const struct http_app worker_app = {on_request, on_body, on_drained, on_closed, on_done, on_refused};
static const struct http_app admin_app = {on_admin_request, on_body, on_drained, on_closed, on_done, on_refused};

/* The journal is written once a turn, and before the last bytes of the turn's answers leave. */
static void on_turn_end(struct loop_hook *h)
{
    struct worker *w = list_entry(h, struct worker, turn_end);
    enum err e = journal_flush(w->journal);
    if (e) {
        metrics_add(&w->metrics, METRIC_JOURNAL_ERRORS, 1);
        w->journal_failing = true;
        w->journal_failed_at = journal_written(w->journal);
    } else if (w->journal_failing && journal_written(w->journal) != w->journal_failed_at) {
        w->journal_failing = false;
    }
    finish_turn(w, e == ERR_OK);
}

static void make_client(struct worker *w)
{
    const struct gateway_settings *s = w->settings;
    struct dial_settings dial = {.resolver = w->resolver,
                                 .tls = s->tls,
                                 .allowed = s->allowed,
                                 .connect_timeout_us = s->connect_timeout_us,
                                 .https_proxy = s->https_proxy,
                                 .http_proxy = s->http_proxy,
                                 .no_proxy = s->no_proxy};
    struct http_client_settings client = {.pool_idle_us = s->pool_idle_us,
                                          .connections_per_origin_max = s->upstream_connections_max};
    w->dialer = dialer_new(w->loop, &dial);
    w->client = http_client_new(w->loop, w->dialer, &client);
    w->tokens = azure_tokens_new(w->loop, w->client, &s->azure);
    w->configs = configs_new();
    w->random = (struct rng_seeded){rng_u64()};
}

enum err worker_listen_admin(struct worker *w, char *why, size_t why_cap)
{
    const struct gateway_settings *s = w->settings;
    w->admin_server = http_server_new(w->loop, &admin_app, &s->limits, w);
    return http_server_listen(w->admin_server, s->admin_listen, s->client_tls, why, why_cap);
}

struct worker *worker_new(struct gateway *g, const struct gateway_settings *settings, unsigned index,
                          struct snapshot *snapshot, struct price_catalog *prices, struct shared *shared, char *why,
                          size_t why_cap)
{
    struct resolver_settings resolving = {.timeout_us = settings->connect_timeout_us, .stale = true};
    struct worker *w = mem_zalloc(sizeof *w);
    *w = (struct worker){.settings = settings, .gateway = g, .index = index, .prices = prices, .shared = shared};
    list_init(&w->requests);
    list_init(&w->finishing);
    spares_init(&w->spare_requests, SPARES_MAX);
    spares_init(&w->spare_intakes, SPARES_MAX);
    spares_init(&w->spare_relays, SPARES_MAX);
    spares_init(&w->spare_runs, SPARES_MAX);
    w->snapshot = snapshot_ref(snapshot);
    w->series = series_new();
    record_ids_init(&w->ids, index, ledger_last_id(settings->ledger));
    w->loop = loop_new();
    w->journal = ledger_journal(settings->ledger, index);
    w->resolver = w->loop ? resolver_new(w->loop, &resolving) : NULL;
    if (!w->loop || !w->resolver) {
        snprintf(why, why_cap, "the kernel refused the descriptors of an event loop");
        worker_free(w);
        return NULL;
    }
    make_client(w);
    w->turn_end.on_turn_end = on_turn_end;
    loop_hook_add(w->loop, &w->turn_end);
    w->server = http_server_new(w->loop, &worker_app, &settings->limits, w);
    return w;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (w->server) {
        /* Requests that are still under way are recorded as interrupted. */
        http_server_free(w->server);
        if (w->admin_server)
            http_server_free(w->admin_server);
        on_turn_end(&w->turn_end);
        loop_hook_remove(&w->turn_end);
    }
    azure_tokens_free(w->tokens);
    http_client_free(w->client);
    dialer_free(w->dialer);
    resolver_free(w->resolver);
    loop_free(w->loop);
    configs_free(w->configs);
    request_spares_free(w); /* the loop's graves gave the last ones */
    snapshot_unref(snapshot_slot_take(&w->slot));
    snapshot_unref(w->snapshot);
    series_free(w->series);
    mem_free(w);
}
