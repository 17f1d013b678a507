/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread, one timer, one call. The thread holds a page of ids; each step makes a batch of the next
 * ones and posts it. Taken: the batch is behind us. Not now: the same batch again, later. Refused:
 * half of it, down to a single row, which is then given up. When a page is behind us the ledger may
 * forget it, and the next one is read. So the position needs no file of its own.
 *
 * A request of several attempts gets its own span with its last attempt: rows of a request come from
 * one journal, in order, so the others are there by then.
 */
#include "report/otlp/otlp.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/snapshot.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "ledger/query_arrivals.h"
#include "net/address.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "report/otlp/post.h"
#include "report/otlp/span.h"

#define ROWS_MAX 512u           /* of a batch */
#define BATCH_ENOUGH (1u << 20) /* bytes of JSON from which on a batch is full */
#define BATCH_MAX (4u << 20)    /* with room for the largest row */
#define SIBLINGS_MAX 200        /* attempts of one request that are looked at */
#define POLL_MS_DEFAULT 1000
#define RETRY_MS_DEFAULT 1000
#define RETRY_MS_MAX 60000
#define POOL_IDLE_US (60 * UINT64_C(1000000))

struct otlp {
    struct otlp_options options;
    struct post_target target;
    struct loop *loop;
    struct resolver *resolver;
    struct dialer *dialer;
    struct http_client *client;
    struct post *post;
    struct query *query;
    struct loop_timer timer, deadline;
    pthread_t thread;
    bool running;

    /* The thread's. */
    int64_t ids[QUERY_ARRIVALS_MAX]; /* the page */
    struct arrivals_page page;
    int64_t done;      /* what the ledger was told */
    size_t at;         /* the first id of the page that is not behind us */
    size_t rows;       /* ids of the batch, found or not */
    uint64_t spans;    /* of the batch */
    size_t rows_max;   /* of the next batch */
    struct buf json;   /* the batch */
    unsigned retry_ms; /* the next wait after a failure */
    bool stopping, ended;

    pthread_mutex_t lock;
    struct otlp_status status; /* under the lock */
    int64_t oldest_us;         /* when the oldest waiting row began; 0 = none */
};

/* --- spans ----------------------------------------------------------------------------------- */

/* The rows of one request, as far as they tell where the newest one belongs. */
struct family {
    const struct record *self;
    struct span_request sum;
    bool has_main; /* the attempt that the client was answered with, or the last one */
    uint32_t main_attempt;
    uint64_t main_span;
};

static bool add_sibling(void *context, const struct record *r)
{
    struct family *f = context;
    int64_t ended_us = r->started_us + (int64_t)r->total_us;
    if (!f->sum.attempts || r->started_us < f->sum.started_us)
        f->sum.started_us = r->started_us;
    if (!f->sum.attempts || ended_us > f->sum.ended_us)
        f->sum.ended_us = ended_us;
    f->sum.attempts++;
    f->sum.unpriced |= r->cost.state == COST_UNPRICED;
    f->sum.cost_pusd += r->cost.total_pusd;
    if (r->routing.discarded) {
        f->sum.wasted_pusd += r->cost.total_pusd;
    } else if (!f->has_main || r->attempt < f->main_attempt) {
        f->has_main = true;
        f->main_attempt = r->attempt;
        f->main_span = span_of_attempt(r, r->attempt == 0);
    }
    return true;
}

/* A row that is not the first of its request, and was not thrown away. */
static enum err write_later(struct otlp *o, struct json_write *w, const struct record *r, const struct snapshot *names)
{
    struct family f = {.self = r};
    struct query_filter wanted = query_filter_all();
    wanted.request_id = r->request_id;
    wanted.limit = SIBLINGS_MAX;
    enum err e = query_attempts(o->query, &wanted, add_sibling, &f);
    if (e != ERR_OK)
        return e;
    if (f.has_main && f.main_attempt != r->attempt) { /* done within another attempt */
        span_attempt(w, r, span_of_attempt(r, false), f.main_span, names);
        o->spans++;
        return ERR_OK;
    }
    span_request(w, r, &f.sum, names);
    span_attempt(w, r, span_of_attempt(r, false), span_of_request(r), names);
    o->spans += 2;
    return ERR_OK;
}

static enum err write_row(struct otlp *o, struct json_write *w, const struct record *r, const struct snapshot *names)
{
    if (r->attempt > 0 && !r->routing.discarded)
        return write_later(o, w, r, names);
    if (r->routing.discarded)
        span_attempt(w, r, span_of_attempt(r, false), span_of_request(r), names);
    else
        span_attempt(w, r, span_of_attempt(r, true), span_of_caller(r), names);
    o->spans++;
    return ERR_OK;
}

struct batch {
    struct otlp *otlp;
    struct json_write json;
    struct snapshot *names;
    size_t next; /* index of the id that comes next, found or not */
    uint64_t gone;
    bool full;
    enum err err;
};

static bool add_row(void *context, const struct record *r)
{
    struct batch *b = context;
    struct otlp *o = b->otlp;
    while (o->ids[b->next] != r->id) {
        b->next++;
        b->gone++;
    }
    b->next++;
    b->err = write_row(o, &b->json, r, b->names);
    b->full = buf_size(&o->json) >= BATCH_ENOUGH;
    return b->err == ERR_OK && !b->full;
}

static void note_gone(struct otlp *o, uint64_t gone)
{
    if (!gone)
        return;
    log_warn("otlp_rows_gone", LOG_INT("rows", gone),
             LOG_TEXT("what", "they were removed by --rows-days before the collector took them"));
    pthread_mutex_lock(&o->lock);
    o->status.gone += gone;
    pthread_mutex_unlock(&o->lock);
}

static struct snapshot *newest_names(const struct otlp *o)
{
    return o->options.names ? o->options.names(o->options.names_ctx) : NULL;
}

/* The document for the next rows of the page; o->spans can be 0 when all of them are gone. */
static enum err make_batch(struct otlp *o)
{
    struct batch b = {.otlp = o, .next = o->at, .names = newest_names(o)};
    struct query_filter all = query_filter_all();
    size_t count = o->page.count - o->at < o->rows_max ? o->page.count - o->at : o->rows_max;
    all.limit = QUERY_LIMIT_MAX;
    o->spans = 0;
    buf_reset(&o->json);
    json_write_init(&b.json, &o->json);
    span_begin(&b.json);
    enum err e = query_ids(o->query, o->ids + o->at, count, &all, add_row, &b);
    span_end(&b.json);
    snapshot_unref(b.names);
    bool fits = json_write_done(&b.json);
    must(fits); /* a row is a few kilobytes, however long its texts are */
    if (e == ERR_OK)
        e = b.err;
    if (e != ERR_OK)
        return e;
    if (!b.full) {
        b.gone += o->at + count - b.next;
        b.next = o->at + count;
    }
    o->rows = b.next - o->at;
    note_gone(o, b.gone);
    return ERR_OK;
}

/* --- state ----------------------------------------------------------------------------------- */

static void publish_waiting(struct otlp *o)
{
    pthread_mutex_lock(&o->lock);
    o->status.waiting = o->page.waiting - o->at;
    o->oldest_us = o->at < o->page.count ? record_id_time_us(o->ids[o->at]) : 0;
    pthread_mutex_unlock(&o->lock);
}

static void set_failing(struct otlp *o, const char *reason)
{
    pthread_mutex_lock(&o->lock);
    bool was = o->status.failing;
    o->status.failing = reason != NULL;
    o->status.failed += reason != NULL;
    str_copy(o->status.reason, sizeof o->status.reason, str_c(reason));
    pthread_mutex_unlock(&o->lock);
    if (reason && !was)
        log_error("otlp_export_failing", LOG_TEXT("why", reason),
                  LOG_TEXT("what", "spans wait in the ledger and are sent when the collector takes them"));
    if (!reason && was)
        log_info("otlp_export_works_again");
}

static void end(struct otlp *o)
{
    o->ended = true;
    loop_timer_clear(o->loop, &o->timer);
    loop_stop(o->loop);
}

static void again_in(struct otlp *o, uint64_t wait_us)
{
    loop_timer_set(o->loop, &o->timer, clock_mono_us() + wait_us);
}

/* What came in while this thread waited; without it the figures of a long outage would stand still. */
static void count_waiting(struct otlp *o)
{
    uint64_t waiting;
    if (query_arrivals_waiting(o->query, o->done, &waiting) == ERR_OK && waiting >= o->page.count)
        o->page.waiting = waiting;
    publish_waiting(o);
}

/* The same again, later; a third of the wait is left to chance, so that many gateways do not come at once. */
static void retry(struct otlp *o, const char *why, uint64_t asked_us)
{
    set_failing(o, why);
    if (o->stopping) {
        end(o);
        return;
    }
    count_waiting(o);
    uint64_t wait_us = (uint64_t)o->retry_ms * 1000;
    wait_us = wait_us - wait_us / 3 + rng_u64() % (wait_us / 3 + 1);
    o->retry_ms = o->retry_ms * 2 < RETRY_MS_MAX ? o->retry_ms * 2 : RETRY_MS_MAX;
    again_in(o, asked_us > wait_us ? asked_us : wait_us);
}

/* --- steps ----------------------------------------------------------------------------------- */

static void behind_us(struct otlp *o, size_t rows)
{
    o->at += rows;
    o->rows_max = ROWS_MAX;
    publish_waiting(o);
}

static void taken(struct otlp *o, const struct post_result *result)
{
    uint64_t rejected = result->rejected < o->spans ? result->rejected : o->spans;
    if (rejected)
        log_error("otlp_spans_rejected", LOG_INT("spans", rejected), LOG_TEXT("why", result->why));
    pthread_mutex_lock(&o->lock);
    o->status.posts++;
    o->status.exported += o->spans - rejected;
    o->status.rejected += rejected;
    pthread_mutex_unlock(&o->lock);
    set_failing(o, NULL);
    o->retry_ms = o->options.retry_first_ms;
    behind_us(o, o->rows);
}

/* A row that the collector does not want even by itself would hold up all others for ever. */
static void refused(struct otlp *o, const struct post_result *result)
{
    char id[RECORD_ID_TEXT_MAX];
    pthread_mutex_lock(&o->lock);
    o->status.failed++;
    pthread_mutex_unlock(&o->lock);
    if (o->rows > 1) {
        o->rows_max = o->rows / 2;
        return;
    }
    record_id_format(o->ids[o->at], id);
    log_error("otlp_span_refused", LOG_TEXT("attempt", id), LOG_TEXT("why", result->why));
    pthread_mutex_lock(&o->lock);
    o->status.rejected += o->spans;
    pthread_mutex_unlock(&o->lock);
    behind_us(o, 1);
}

static void on_posted(void *ctx, const struct post_result *result)
{
    struct otlp *o = ctx;
    if (o->ended)
        return;
    if (result->verdict == POST_LATER) {
        retry(o, result->why, result->wait_us);
        return;
    }
    if (result->verdict == POST_TAKEN)
        taken(o, result);
    else
        refused(o, result);
    again_in(o, 0);
}

/* True when there is a page with something on it. */
static bool next_page(struct otlp *o)
{
    if (o->page.through > o->done) {
        o->done = o->page.through;
        ledger_arrivals_done(o->options.ledger, o->done);
    }
    o->at = 0;
    o->page = (struct arrivals_page){.through = o->done};
    enum err e = query_arrivals(o->query, o->done, o->ids, QUERY_ARRIVALS_MAX, &o->page);
    publish_waiting(o);
    if (e != ERR_OK) {
        retry(o, query_reason(), 0);
        return false;
    }
    if (o->page.count)
        return true;
    if (o->stopping)
        end(o);
    else
        again_in(o, (uint64_t)o->options.poll_ms * 1000);
    return false;
}

static void on_time(struct loop_timer *t)
{
    struct otlp *o = list_entry(t, struct otlp, timer);
    if (o->at == o->page.count && !next_page(o))
        return;
    if (make_batch(o) != ERR_OK) {
        retry(o, query_reason(), 0);
    } else if (o->spans) {
        post_begin(o->post, buf_str(&o->json), on_posted, o);
    } else {
        behind_us(o, o->rows);
        again_in(o, 0);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static void *otlp_main(void *arg)
{
    struct otlp *o = arg;
    again_in(o, 0);
    loop_run(o->loop);
    return NULL;
}

/* A literal is known to be refused before anything is sent. */
static enum err check_address(const struct otlp_options *options, const struct url *u, char why[OTLP_WHY_MAX])
{
    struct sockaddr_storage sa;
    socklen_t length;
    char reason[OTLP_WHY_MAX / 2];
    if (!address_parse(str_c(u->host), u->port, &sa, &length) ||
        address_check((const struct sockaddr *)&sa, options->allowed, reason, sizeof reason) == ERR_OK)
        return ERR_OK;
    snprintf(why, OTLP_WHY_MAX, "the collector's address is refused: %s", reason);
    return ERR_BAD_OPTION;
}

static enum err open_parts(struct otlp *o, char why[OTLP_WHY_MAX])
{
    const struct otlp_options *s = &o->options;
    struct resolver_settings resolving = {.timeout_us = s->connect_timeout_us, .stale = true};
    struct http_client_settings pool = {.pool_idle_us = POOL_IDLE_US, .connections_per_origin_max = 2};
    o->loop = loop_new();
    o->resolver = o->loop ? resolver_new(o->loop, &resolving) : NULL;
    if (!o->resolver) {
        snprintf(why, OTLP_WHY_MAX, "the kernel refused the descriptors of an event loop");
        return ERR_INTERNAL;
    }
    struct dial_settings dial = {.resolver = o->resolver,
                                 .tls = s->tls,
                                 .allowed = s->allowed,
                                 .connect_timeout_us = s->connect_timeout_us,
                                 .https_proxy = s->https_proxy,
                                 .http_proxy = s->http_proxy,
                                 .no_proxy = s->no_proxy};
    o->dialer = dialer_new(o->loop, &dial);
    o->client = http_client_new(o->loop, o->dialer, &pool);
    o->post = post_new(o->client, &o->target);
    enum err e = query_open(s->dir, &o->query);
    if (e != ERR_OK)
        snprintf(why, OTLP_WHY_MAX, "the ledger cannot be read: %.200s", query_reason());
    return e;
}

static void free_all(struct otlp *o)
{
    post_free(o->post);
    http_client_free(o->client);
    dialer_free(o->dialer);
    resolver_free(o->resolver);
    loop_free(o->loop);
    query_close(o->query);
    post_target_done(&o->target);
    pthread_mutex_destroy(&o->lock);
    buf_free(&o->json);
    mem_free(o);
}

/* Signals are for the main thread. */
static bool start_thread(struct otlp *o)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    o->running = pthread_create(&o->thread, NULL, otlp_main, o) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (o->running)
        pthread_setname_np(o->thread, "otlp");
    return o->running;
}

enum err otlp_open(const struct otlp_options *options, struct otlp **ret, char why[OTLP_WHY_MAX])
{
    struct otlp *o = mem_zalloc(sizeof *o);
    o->options = *options;
    if (!o->options.poll_ms)
        o->options.poll_ms = POLL_MS_DEFAULT;
    if (!o->options.retry_first_ms)
        o->options.retry_first_ms = RETRY_MS_DEFAULT;
    o->retry_ms = o->options.retry_first_ms;
    o->rows_max = ROWS_MAX;
    o->timer.on_time = on_time;
    pthread_mutex_init(&o->lock, NULL);
    buf_init(&o->json, BATCH_MAX);
    enum err e = post_target_read(options->endpoint, options->headers, &o->target, why);
    if (e == ERR_OK)
        e = check_address(options, &o->target.url, why);
    if (e == ERR_OK)
        e = open_parts(o, why);
    if (e == ERR_OK && !start_thread(o)) {
        snprintf(why, OTLP_WHY_MAX, "the kernel refused another thread");
        e = ERR_INTERNAL;
    }
    if (e != ERR_OK) {
        free_all(o);
        return e;
    }
    *ret = o;
    return ERR_OK;
}

static void on_deadline(struct loop_timer *t)
{
    end(list_entry(t, struct otlp, deadline));
}

struct stop {
    struct otlp *otlp;
    unsigned timeout_ms;
};

/* On the thread: whatever it waits for is over, unless a batch is under way. */
static void begin_stop(void *ctx)
{
    struct stop *s = ctx;
    struct otlp *o = s->otlp;
    o->stopping = true;
    o->deadline.on_time = on_deadline;
    loop_timer_set(o->loop, &o->deadline, clock_mono_us() + (uint64_t)s->timeout_ms * 1000);
    if (!post_busy(o->post))
        again_in(o, 0);
}

void otlp_close(struct otlp *o, unsigned timeout_ms)
{
    if (!o)
        return;
    struct stop stop = {o, timeout_ms};
    loop_post(o->loop, begin_stop, &stop);
    pthread_join(o->thread, NULL);
    free_all(o);
}

void otlp_status(struct otlp *o, struct otlp_status *ret)
{
    pthread_mutex_lock(&o->lock);
    *ret = o->status;
    int64_t age_us = o->oldest_us ? clock_wall_us() - o->oldest_us : 0;
    pthread_mutex_unlock(&o->lock);
    ret->lag_seconds = age_us > 0 ? (uint64_t)age_us / 1000000 : 0;
}
