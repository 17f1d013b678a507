/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread and its turns. A turn opens what it reads and closes it again: a bill may appear, and files may be
 * replaced, between turns that are an hour apart. One lock, held for a few instructions.
 */
#include "report/watch/watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "report/docs/docs_audit.h"
#include "report/question/question_known.h"
#include "report/watch/watch_eval.h"
#include "report/watch/watch_fire.h"
#include "report/watch/watch_inner.h"

#define ARENA_FIRST (64u << 10)
#define ARENA_MAX (64u << 20)
#define PAGE 100
#define SLICE_US (5 * UINT64_C(1000000))
/* Turns of one round by hand: more than any table of resources has pages. */
#define ROUND_TURNS_MAX 10000

static const struct {
    const char *name;
    watch_eval_fn *run;
} evaluators[] = {
#define X(name, run, what) {name, run},
    WATCH_TABLE(X)
#undef X
};
#define EVALUATORS (sizeof evaluators / sizeof evaluators[0])

struct watch {
    struct watch_options options;
    struct docs *docs;
    struct arena *arena;
    size_t at[EVALUATORS][DOCS_KIND_COUNT]; /* how many resources an evaluator has seen in this round */
    size_t evaluator;                       /* the one that runs */
    bool done[EVALUATORS];                  /* in the round that is under way */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running;
    _Atomic bool ending;
    bool wanted, imported; /* under the lock */

    _Atomic uint64_t turns, failed, fired;
    _Atomic int64_t done_us;
    _Atomic bool busy;
};

/* ---- what evaluators ask for ---- */

bool watch_ending(const struct watch_turn *t)
{
    return t->watch->ending;
}

struct control *watch_inner_control(const struct watch *w)
{
    return w->options.control;
}

struct watch_gap watch_inner_gap(const struct watch *w)
{
    return w->options.gap;
}

void watch_inner_fired(struct watch *w)
{
    w->fired++;
}

enum err watch_inner_send(struct watch *w, const struct notify_message *m)
{
    char why[NOTIFY_WHY_MAX] = "";
    if (w->options.send)
        return w->options.send(w->options.send_ctx, m);
    enum err e = notify_send(w->options.notify, m, why);
    if (e == ERR_STORE_FAILED || e == ERR_OVERLOADED)
        return e;
    if (e != ERR_OK)
        log_warn("alert_not_sent", LOG_TEXT("kind", m->kind), LOG_STR("id", m->id), LOG_TEXT("why", why));
    return ERR_OK;
}

enum err watch_inner_send_admins(struct watch *w, const struct notify_message *m)
{
    enum err e = w->options.send ? w->options.send(w->options.send_ctx, m) : ERR_OK;
    return w->options.notify && e == ERR_OK ? notify_admins_send(w->options.notify, m) : e;
}

/* One page from *at on. *ret_end: there is nothing behind it. */
static enum err each_of_page(struct watch_turn *t, enum docs_kind kind, watch_each_fn *fn, uint64_t until_us,
                             size_t *at, bool *ret_end)
{
    struct arena *page = arena_new(ARENA_FIRST, ARENA_MAX);
    struct docs_query q = {.kind = kind, .skip = *at, .limit = PAGE};
    struct doc *rows;
    size_t count, i = 0;
    uint64_t total;
    enum err e = docs_list(t->docs, &q, page, &rows, &count, &total);
    if (e != ERR_OK)
        log_error("watch_store_failed", LOG_TEXT("why", docs_reason(t->docs)));
    for (; e == ERR_OK && i < count && !watch_ending(t) && clock_mono_us() <= until_us; i++) {
        struct jdoc body;
        arena_reset(t->arena);
        jdoc_init(&body);
        if (jdoc_parse(&body, rows[i].body) && fn(t, &rows[i], jdoc_root(&body)) != ERR_OK)
            log_warn("alert_not_evaluated", LOG_STR("token", rows[i].token));
        jdoc_free(&body);
    }
    *at += i;
    *ret_end = e == ERR_OK && i == count && count < PAGE;
    arena_free(page);
    return e;
}

enum err watch_each(struct watch_turn *t, enum docs_kind kind, watch_each_fn *fn)
{
    struct watch *w = t->watch;
    size_t *at = &w->at[w->evaluator][kind], begun = *at;
    uint64_t until_us = clock_mono_us() + SLICE_US;
    bool end = false;
    enum err e = ERR_OK;
    while (e == ERR_OK && !end && *at - begun < WATCH_DOCS_MAX && !watch_ending(t) && clock_mono_us() <= until_us)
        e = each_of_page(t, kind, fn, until_us, at, &end);
    if (end || e != ERR_OK)
        *at = 0;
    else
        t->more = true;
    return e;
}

enum err watch_question(struct watch_turn *t, const struct doc *report, struct question **ret)
{
    char why[QUESTION_WHY_MAX] = "";
    struct jdoc body;
    struct question *q;
    enum err e = question_new(t->docs, report->workspace, t->arena, &q, why);
    if (e == ERR_OK) {
        jdoc_init(&body);
        bool read = jdoc_parse(&body, report->body);
        must(read); /* ours */
        e = question_report(q, jdoc_root(&body), why);
        if (e == ERR_OK)
            e = question_scope(q, t->bill);
        jdoc_free(&body);
        if (e != ERR_OK)
            question_free(q);
    }
    if (e == ERR_OK)
        *ret = q;
    else
        log_warn("report_not_asked", LOG_STR("report", report->token), LOG_TEXT("why", why));
    return e;
}

enum err watch_costs(struct watch_turn *t, struct question *q, struct cost_result **ret)
{
    char why[QUESTION_WHY_MAX] = "";
    struct control_why reason = {.param = ""};
    struct control *control = t->watch->options.control;
    enum err e = control ? question_known(control, q->workspace, q->arena, &q->query, &reason) : ERR_OK;
    if (e == ERR_OK)
        e = question_run(q, t->reader, ret, why);
    else
        str_copy(why, sizeof why, str_c(reason.text));
    if (e != ERR_OK)
        log_warn("report_not_asked", LOG_INT("workspace", q->workspace), LOG_TEXT("why", why));
    return e;
}

/* ---- a turn ---- */

static bool open_readers(struct watch *w, struct watch_turn *t)
{
    struct cost_error error = {.text = ""};
    enum err e = bill_reader_open(w->options.dir, &t->bill);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        log_error("watch_store_failed", LOG_TEXT("why", bill_open_reason()));
    if (e != ERR_OK)
        t->bill = NULL;
    e = cost_reader_open(w->options.dir, &t->reader, &error);
    if (e != ERR_OK)
        log_error("watch_store_failed", LOG_TEXT("why", error.text));
    return e == ERR_OK;
}

static enum err one(struct watch *w, struct watch_turn *t, const char *name, watch_eval_fn *run)
{
    arena_reset(w->arena);
    enum err e = watch_ending(t) ? ERR_OK : run(t);
    if (e == ERR_OK)
        return e;
    w->failed++;
    log_warn("watch_failed", LOG_TEXT("evaluator", name), LOG_TEXT("error", err_info(e)->text));
    return e;
}

/* *ret_more: another one is to follow. */
static enum err turn(struct watch *w, bool imported, bool *ret_more)
{
    struct watch_turn t = {.watch = w, .dir = w->options.dir, .docs = w->docs, .arena = w->arena};
    t.imported = imported;
    t.now_us = clock_wall_us();
    t.today = bill_day_of(t.now_us);
    *ret_more = false;
    if (!open_readers(w, &t)) {
        bill_reader_close(t.bill);
        return ERR_STORE_FAILED;
    }
    enum err first = one(w, &t, "deliver", watch_deliver);
    for (w->evaluator = 0; w->evaluator < EVALUATORS; w->evaluator++) {
        bool more = t.more, *done = &w->done[w->evaluator];
        t.more = false;
        enum err e = *done ? ERR_OK : one(w, &t, evaluators[w->evaluator].name, evaluators[w->evaluator].run);
        first = first == ERR_OK ? e : first;
        *done = !t.more;
        t.more = t.more || more;
    }
    enum err last = one(w, &t, "deliver", watch_deliver);
    enum err tidied = one(w, &t, "tidy", watch_tidy);
    first = first == ERR_OK ? last : first;
    first = first == ERR_OK ? tidied : first;
    cost_reader_close(t.reader);
    bill_reader_close(t.bill);
    arena_reset(w->arena);
    w->turns++;
    *ret_more = t.more; /* also after a fault: what failed is done for this round, the others go on */
    if (*ret_more)
        return first;
    w->done_us = t.now_us;
    memset(w->done, 0, sizeof w->done);
    memset(w->at, 0, sizeof w->at);
    return first;
}

enum err watch_round(struct watch *w, bool imported)
{
    bool more = true;
    enum err first = ERR_OK;
    must(w->options.by_hand);
    for (unsigned n = 0; more && n < ROUND_TURNS_MAX; n++) {
        enum err e = turn(w, imported, &more);
        first = first == ERR_OK ? e : first;
    }
    return first;
}

/* ---- the thread ---- */

/* Until a turn is wanted or the next hour begins, as notifications have a time of day; the lock is held. */
static void wait_for_work(struct watch *w)
{
    struct timespec until;
    unsigned into = (unsigned)(clock_wall_us() / 1000000 % w->options.period_s);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(w->options.period_s - into);
    int rc = 0;
    while (!w->ending && !w->wanted && rc == 0)
        rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    bool imported = false, more = false;
    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        if (!more) { /* another round */
            imported = w->imported;
            w->wanted = w->imported = false;
        }
        w->busy = true;
        pthread_mutex_unlock(&w->lock);
        enum err e = turn(w, imported, &more);
        (void)e; /* logged where it happened; the next turn tries again */
        pthread_mutex_lock(&w->lock);
        w->busy = more || w->wanted;
        if (!more)
            wait_for_work(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static bool start_thread(struct watch *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->running = pthread_create(&w->thread, NULL, watch_main, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (w->running)
        pthread_setname_np(w->thread, "watch");
    return w->running;
}

enum err watch_open(const struct watch_options *options, struct watch **ret, char why[WATCH_WHY_MAX])
{
    struct watch *w = mem_zalloc(sizeof *w);
    pthread_condattr_t clock;
    w->options = *options;
    if (!w->options.period_s)
        w->options.period_s = WATCH_PERIOD_S;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &clock);
    pthread_condattr_destroy(&clock);
    w->arena = arena_new(ARENA_FIRST, ARENA_MAX);
    enum err e = docs_open(options->dir, &w->docs, why, WATCH_WHY_MAX);
    if (e == ERR_OK)
        docs_audit_to(w->docs, options->control);
    if (e == ERR_OK && !options->by_hand && !start_thread(w)) {
        snprintf(why, WATCH_WHY_MAX, "the kernel refused another thread");
        e = ERR_INTERNAL;
    }
    if (e == ERR_OK)
        *ret = w;
    else
        watch_close(w);
    return e;
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    if (w->running)
        pthread_join(w->thread, NULL);
    docs_close(w->docs);
    arena_free(w->arena);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

void watch_wake(struct watch *w, bool imported)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->wanted = true;
    w->busy = true;
    w->imported = w->imported || imported;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void watch_count(struct watch *w, struct watch_counts *ret)
{
    *ret = (struct watch_counts){
        .turns = w->turns, .failed = w->failed, .fired = w->fired, .busy = w->busy, .done_us = w->done_us};
}
