/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's turn: follow the snapshot when it is another one, take in pulls that have ended, begin
 * those that are due. Two locks, and whoever needs both takes `lock` first: `lock` guards what this
 * file knows of accounts and pulls, `bill_lock` the connection to bill.db.
 */
#include "report/import/import.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/snapshot.h"
#include "openai/price.h"
#include "report/bill/bill_upload.h"
#include "report/bill/bill_write.h"
#include "report/import/import_run.h"
#include "report/notify/notices.h"

#define TURN_MS 500
#define ACCOUNTS_MAX 256
#define FAILURES_MAX 3
#define OPEN_AGAIN_US (INT64_C(60) * 1000000)
#define ACCOUNT_ARENA (1u << 20)
#define PERIOD_DEFAULT_US UINT64_C(1000000)
#define REPLY_TIMEOUT_US (120 * UINT64_C(1000000))

/* What is known of an account beside its row. */
struct known {
    int64_t id, workspace;
    char slug[64];
    bool present;      /* in the snapshot */
    uint64_t key_hash; /* of its head lines and address: another one means another key, or another place */
    bool wanted;       /* asked for by import_start */
    int64_t since_day;
    struct pull *pull; /* under way */
    bool failing;
    int64_t success_us;
    size_t step, steps;
    uint64_t rows, changed, corrections, inconsistent, requests, limited;
};

struct pull {
    struct import *im;
    struct import_run run;
    pthread_t thread;
    _Atomic bool ended;
};

struct import {
    struct import_options options;
    pthread_mutex_t lock, bill_lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running, stopping;
    struct bill *bill; /* NULL until there is an account */
    int64_t open_again_us;
    char open_why[IMPORT_WHY_MAX];
    uint64_t generation;
    struct known known[ACCOUNTS_MAX];
    size_t known_count;
    unsigned pulls;
    /* For metrics. */
    _Atomic uint64_t count_pulls, count_failed, count_rows, count_requests, count_limited, count_accounts,
        count_failing;
    _Atomic int64_t oldest_success_us;
};

/* --- bill.db --------------------------------------------------------------------------------- */

static bool exists(const struct import *im)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", im->options.dir, BILL_FILE);
    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

/* False: not now. */
static bool need_bill(struct import *im)
{
    if (im->bill)
        return true;
    if (clock_wall_us() < im->open_again_us)
        return false;
    enum err e = bill_open(im->options.dir, &im->bill, im->open_why, sizeof im->open_why);
    if (e == ERR_OK)
        return true;
    im->open_again_us = clock_wall_us() + OPEN_AGAIN_US;
    log_error("bill_open_failed", LOG_TEXT("why", im->open_why));
    return false;
}

static void store_failed(struct import *im, const char *what)
{
    log_error("bill_store_failed", LOG_TEXT("what", what), LOG_TEXT("why", bill_reason(im->bill)));
}

/* --- following the snapshot ------------------------------------------------------------------ */

static struct known *find(struct import *im, int64_t id)
{
    for (size_t i = 0; i < im->known_count; i++)
        if (im->known[i].id == id)
            return &im->known[i];
    return NULL;
}

/* One whose stored key does not open stays ours: its costs must not go for that. */
static bool is_ours(const struct snapshot_integration *i)
{
    return (i->kind == KIND_INTEGRATION_OPENAI_ADMIN || i->kind == KIND_INTEGRATION_OPENAI_LEGACY) &&
           i->account_id == i->id;
}

/* What an earlier process has left. */
static void recall(struct import *im, struct known *k)
{
    struct arena *a = arena_new(1024, ACCOUNT_ARENA);
    struct bill_account row;
    pthread_mutex_lock(&im->bill_lock);
    if (bill_account_find(bill_db(im->bill), k->id, a, &row) == ERR_OK) {
        k->success_us = row.success_us;
        k->failing = row.failures > 0;
    }
    pthread_mutex_unlock(&im->bill_lock);
    arena_free(a);
}

static void take_in(struct import *im, const struct snapshot_integration *i)
{
    struct known *k = find(im, i->id);
    uint64_t hash =
        str_hash(secret_reveal(&i->head_lines)) ^ (str_hash(i->authority) * 3) ^ (str_hash(i->base_path) * 5);
    if (!k) {
        if (!need_bill(im))
            im->generation = 0; /* look again */
        if (!im->bill || im->known_count == ACCOUNTS_MAX)
            return;
        k = &im->known[im->known_count++];
        *k = (struct known){.id = i->id, .key_hash = hash};
        recall(im, k);
    }
    k->present = true;
    k->workspace = i->workspace->id;
    k->wanted = k->wanted || k->key_hash != hash; /* a new key is tried at once */
    k->key_hash = hash;
    str_copy(k->slug, sizeof k->slug, i->slug);
    int64_t now_us = clock_wall_us();
    pthread_mutex_lock(&im->bill_lock);
    enum err e = bill_account_put(im->bill, i->id, k->workspace, i->slug,
                                  bill_day_of(now_us) + 1 - (int64_t)im->options.days, now_us);
    if (e == ERR_OK && i->kind == KIND_INTEGRATION_OPENAI_LEGACY)
        e = bill_account_set_kind(im->bill, i->id, BILL_OLD_USAGE);
    pthread_mutex_unlock(&im->bill_lock);
    if (e != ERR_OK)
        store_failed(im, "account");
}

/* An account whose integration has gone: its costs go too, or stay as they are. */
static void let_go(struct import *im, int64_t id)
{
    struct arena *a = arena_new(1024, ACCOUNT_ARENA);
    struct bill_account row;
    pthread_mutex_lock(&im->bill_lock);
    enum err e = bill_account_find(bill_db(im->bill), id, a, &row);
    if (e == ERR_OK && row.kept) {
        row.status = BILL_DISCONNECTED;
        row.refresh_us = 0;
        e = bill_account_set(im->bill, &row);
    } else if (e == ERR_OK) {
        e = bill_account_remove(im->bill, id);
        log_info("bill_account_removed", LOG_INT("account", id));
    }
    pthread_mutex_unlock(&im->bill_lock);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        store_failed(im, "removal");
    arena_free(a);
}

/* Accounts of bill.db that the snapshot does not have; after a start these may be ones this process never knew. */
static void drop_absent(struct import *im)
{
    struct arena *a = arena_new(4096, 16u << 20);
    struct bill_account *rows = NULL;
    size_t count = 0;
    pthread_mutex_lock(&im->bill_lock);
    enum err e = bill_accounts(bill_db(im->bill), 0, a, &rows, &count);
    pthread_mutex_unlock(&im->bill_lock);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct known *k = find(im, rows[i].id);
        if ((k && k->present) || rows[i].kind == BILL_FILES)
            continue;
        if (k && k->pull) {
            import_fetch_cancel(k->pull->run.ask.fetch); /* let go when it has ended */
            im->generation = 0;
        } else if (rows[i].status != BILL_DISCONNECTED) {
            let_go(im, rows[i].id);
        }
        if (k && !k->pull)
            *k = im->known[--im->known_count];
    }
    arena_free(a);
}

/* What metrics say of the accounts together. */
static void publish(struct import *im)
{
    uint64_t failing = 0;
    int64_t oldest_us = INT64_MAX;
    for (size_t i = 0; i < im->known_count; i++) {
        failing += im->known[i].failing;
        oldest_us = im->known[i].success_us < oldest_us ? im->known[i].success_us : oldest_us;
    }
    im->count_accounts = im->known_count;
    im->count_failing = failing;
    im->oldest_success_us = im->known_count ? oldest_us : 0;
}

static void follow(struct import *im, const struct snapshot *s)
{
    if (im->generation == snapshot_generation(s) + 1)
        return;
    im->generation = snapshot_generation(s) + 1;
    for (size_t i = 0; i < im->known_count; i++)
        im->known[i].present = false;
    for (size_t i = 0; i < snapshot_integration_count(s); i++)
        if (is_ours(snapshot_integration_at(s, i)))
            take_in(im, snapshot_integration_at(s, i));
    if (im->bill || (exists(im) && need_bill(im)))
        drop_absent(im);
    publish(im);
}

/* --- a pull ---------------------------------------------------------------------------------- */

static void *pull_main(void *arg)
{
    struct pull *p = arg;
    import_run_go(&p->run);
    p->ended = true;
    pthread_cond_signal(
        &p->im->wake); /* without the lock, which the keeper holds while it joins; a lost signal costs a turn */
    return NULL;
}

static void free_pull(struct pull *p)
{
    import_fetch_free(p->run.ask.fetch);
    price_catalog_free(p->run.prices);
    arena_free(p->run.arena);
    mem_free(p);
}

/* For what has to be priced here; NULL: nothing has, or the catalogue cannot be read. */
static struct price_catalog *prices_for(struct import *im, const struct snapshot_integration *i)
{
    char why[IMPORT_WHY_MAX];
    if (i->kind != KIND_INTEGRATION_OPENAI_LEGACY || !im->options.load_prices)
        return NULL;
    struct price_catalog *prices = im->options.load_prices(im->options.load_prices_ctx, why, sizeof why);
    if (!prices)
        log_warn("import_without_prices", LOG_TEXT("why", why));
    return prices;
}

/* The row of the account, and what it asks for now. NULL: not now. */
static struct pull *new_pull(struct import *im, struct known *k, const struct snapshot_integration *i)
{
    struct pull *p = mem_zalloc(sizeof *p);
    struct import_target target = import_target_of(i);
    struct import_run *r = &p->run;
    p->im = im;
    r->bill = im->bill;
    r->lock = &im->bill_lock;
    r->arena = arena_new(1024, ACCOUNT_ARENA);
    r->ask.period_us = im->options.period_us;
    r->ask.wait_first_us = im->options.wait_first_us;
    r->prices = prices_for(im, i);
    pthread_mutex_lock(&im->bill_lock);
    enum err e = bill_account_find(bill_db(im->bill), k->id, r->arena, &r->account);
    if (e == ERR_OK && (k->wanted || r->account.refresh_us <= clock_wall_us())) {
        r->ask.fetch = import_fetch_new(&im->options.way, &target);
        import_window_plan(&r->account, clock_wall_us(), k->since_day, &r->plan);
        if (!r->account.success_us)
            r->account.status = BILL_IMPORTING;
        if (r->ask.fetch && bill_account_set(im->bill, &r->account) != ERR_OK)
            store_failed(im, "status");
    }
    pthread_mutex_unlock(&im->bill_lock);
    if (r->ask.fetch)
        return p;
    free_pull(p);
    return NULL;
}

static void begin_pull(struct import *im, struct known *k, const struct snapshot_integration *i)
{
    sigset_t all, before;
    struct pull *p = new_pull(im, k, i);
    if (!p)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&p->thread, NULL, pull_main, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) {
        free_pull(p);
        return;
    }
    pthread_setname_np(p->thread, "import-pull");
    k->wanted = false;
    k->since_day = 0;
    k->pull = p;
    im->pulls++;
}

static void begin_due(struct import *im, const struct snapshot *s)
{
    for (size_t n = 0; n < im->known_count && im->pulls < IMPORT_PULLS_MAX; n++) {
        struct known *k = &im->known[n];
        const struct snapshot_integration *i = snapshot_integration_of(s, k->id);
        if (!k->pull && k->present && i && is_ours(i) && !i->broken)
            begin_pull(im, k, i);
    }
}

static struct notices_import notice_of(const struct import_run *r)
{
    const struct bill_account *a = &r->account;
    return (struct notices_import){.account = a->id,
                                   .workspace_id = a->workspace,
                                   .integration = a->slug,
                                   .organization = a->title.n ? a->title : a->organization,
                                   .rows = r->rows,
                                   .why = str_c(r->why)};
}

static void went_well(struct import *im, struct import_run *r, int64_t now_us)
{
    struct bill_account *a = &r->account;
    if (!a->success_us) {
        struct notices_import notice = notice_of(r);
        notice.since_us = a->backfill_day * 86400 * 1000000;
        notices_import_finished(im->options.notify, &notice);
    }
    a->status = BILL_IMPORTED;
    a->error = STR("");
    a->failures = 0;
    a->success_us = a->hourly_us = now_us;
    if (r->plan.daily)
        a->daily_us = now_us;
    if (r->plan.monthly)
        a->monthly_us = now_us;
}

static void went_wrong(struct import *im, struct import_run *r, int64_t now_us)
{
    struct bill_account *a = &r->account;
    bool was = a->status == BILL_ERROR;
    a->failures++;
    a->error = str_c(r->why);
    if (r->refused || a->failures >= FAILURES_MAX)
        a->status = BILL_ERROR;
    if (!was && a->status == BILL_ERROR) {
        struct notices_import notice = notice_of(r);
        notice.since_us = a->success_us;
        notice.now_us = now_us;
        notices_import_failed(im->options.notify, &notice);
    }
    log_warn("import_failed", LOG_INT("account", a->id), LOG_INT("failures", a->failures), LOG_TEXT("why", r->why));
}

static void count(struct known *k, const struct pull *p)
{
    const struct import_run *r = &p->run;
    k->step = r->step;
    k->steps = r->plan.count;
    k->rows = r->rows;
    k->changed = r->changed;
    k->corrections = r->corrections;
    k->inconsistent = r->inconsistent;
}

static void end_pull(struct import *im, struct known *k)
{
    struct pull *p = k->pull;
    struct import_run *r = &p->run;
    int64_t now_us = clock_wall_us();
    pthread_join(p->thread, NULL);
    bool broken_off = r->err != ERR_OK && import_fetch_cancelled(r->ask.fetch);
    if (!broken_off) {
        if (r->err == ERR_OK)
            went_well(im, r, now_us);
        else
            went_wrong(im, r, now_us);
        r->account.refresh_us = import_window_next(now_us, r->refused ? 12 : r->account.failures);
        pthread_mutex_lock(&im->bill_lock);
        if (bill_account_set(im->bill, &r->account) != ERR_OK)
            store_failed(im, "status");
        pthread_mutex_unlock(&im->bill_lock);
        log_info("import_done", LOG_INT("account", k->id), LOG_TEXT("status", bill_status_text(r->account.status)),
                 LOG_INT("rows", r->rows), LOG_INT("changed", r->changed));
    }
    if (r->err == ERR_OK && im->options.refreshed)
        im->options.refreshed(im->options.refreshed_ctx);
    count(k, p);
    k->requests += r->ask.requests;
    k->limited += r->ask.limited;
    k->failing = r->err != ERR_OK && !broken_off;
    k->success_us = r->account.success_us;
    im->count_pulls++;
    im->count_failed += k->failing;
    im->count_rows += r->rows;
    im->count_requests += r->ask.requests;
    im->count_limited += r->ask.limited;
    publish(im);
    k->pull = NULL;
    im->pulls--;
    free_pull(p);
}

static void end_pulls(struct import *im, bool all)
{
    for (size_t n = 0; n < im->known_count; n++) {
        struct known *k = &im->known[n];
        if (k->pull && (all || k->pull->ended))
            end_pull(im, k);
    }
}

/* --- the keeper ------------------------------------------------------------------------------ */

static void wait_a_turn(struct import *im)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TURN_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&im->wake, &im->lock, &until);
}

static void *keeper_main(void *arg)
{
    struct import *im = arg;
    pthread_mutex_lock(&im->lock);
    while (!im->stopping) {
        struct snapshot *s = im->options.snapshot(im->options.snapshot_ctx);
        end_pulls(im, false);
        follow(im, s);
        if (im->bill)
            begin_due(im, s);
        snapshot_unref(s);
        wait_a_turn(im);
    }
    for (size_t n = 0; n < im->known_count; n++)
        if (im->known[n].pull)
            import_fetch_cancel(im->known[n].pull->run.ask.fetch);
    pthread_mutex_unlock(&im->lock);
    for (size_t n = 0; n < im->known_count; n++)
        if (im->known[n].pull)
            end_pull(im, &im->known[n]);
    return NULL;
}

static bool start_thread(struct import *im)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    im->running = pthread_create(&im->thread, NULL, keeper_main, im) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (im->running)
        pthread_setname_np(im->thread, "import");
    return im->running;
}

enum err import_open(const struct import_options *options, struct import **ret, char why[IMPORT_WHY_MAX])
{
    struct import *im = mem_zalloc(sizeof *im);
    pthread_condattr_t clock;
    im->options = *options;
    if (!im->options.days)
        im->options.days = IMPORT_DAYS_DEFAULT;
    if (!im->options.period_us)
        im->options.period_us = PERIOD_DEFAULT_US;
    if (!im->options.way.reply_timeout_us)
        im->options.way.reply_timeout_us = REPLY_TIMEOUT_US;
    pthread_mutex_init(&im->lock, NULL);
    pthread_mutex_init(&im->bill_lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&im->wake, &clock);
    pthread_condattr_destroy(&clock);
    if (!start_thread(im)) {
        snprintf(why, IMPORT_WHY_MAX, "the kernel refused another thread");
        import_close(im);
        return ERR_INTERNAL;
    }
    *ret = im;
    return ERR_OK;
}

void import_close(struct import *im)
{
    if (!im)
        return;
    if (im->running) {
        pthread_mutex_lock(&im->lock);
        im->stopping = true;
        pthread_cond_signal(&im->wake);
        pthread_mutex_unlock(&im->lock);
        pthread_join(im->thread, NULL);
    }
    bill_close(im->bill);
    pthread_cond_destroy(&im->wake);
    pthread_mutex_destroy(&im->lock);
    pthread_mutex_destroy(&im->bill_lock);
    mem_free(im);
}

/* --- for others ------------------------------------------------------------------------------ */

/* What an administrator has just connected must be known before it can be asked for. */
static void follow_now(struct import *im)
{
    struct snapshot *s = im->options.snapshot(im->options.snapshot_ctx);
    follow(im, s);
    snapshot_unref(s);
}

enum err import_start(struct import *im, int64_t workspace, struct str slug, int64_t since_day, unsigned *ret_count)
{
    unsigned n = 0;
    int64_t oldest = bill_day_of(clock_wall_us()) - IMPORT_DAYS_MAX;
    since_day = since_day && since_day < oldest ? oldest : since_day;
    pthread_mutex_lock(&im->lock);
    follow_now(im);
    for (size_t i = 0; i < im->known_count; i++) {
        struct known *k = &im->known[i];
        if (!k->present || (workspace && k->workspace != workspace) || (slug.n && !str_eq(slug, str_c(k->slug))))
            continue;
        n++;
        k->wanted = true;
        if (!since_day)
            continue;
        k->since_day = k->since_day && k->since_day < since_day ? k->since_day : since_day;
        pthread_mutex_lock(&im->bill_lock);
        if (bill_account_put(im->bill, k->id, k->workspace, str_c(k->slug), since_day, clock_wall_us()) != ERR_OK)
            store_failed(im, "backfill");
        pthread_mutex_unlock(&im->bill_lock);
    }
    pthread_cond_signal(&im->wake);
    pthread_mutex_unlock(&im->lock);
    *ret_count = n;
    return n ? ERR_OK : ERR_NOT_FOUND;
}

enum err import_keep(struct import *im, int64_t account, bool keep)
{
    struct arena *a = arena_new(1024, ACCOUNT_ARENA);
    struct bill_account row;
    pthread_mutex_lock(&im->lock);
    struct known *k = find(im, account);
    enum err e = im->bill ? ERR_OK : ERR_NOT_FOUND;
    if (e == ERR_OK) {
        pthread_mutex_lock(&im->bill_lock);
        e = bill_account_find(bill_db(im->bill), account, a, &row);
        row.kept = keep;
        if (e == ERR_OK)
            e = bill_account_set(im->bill, &row);
        if (e == ERR_OK && k && k->pull)
            k->pull->run.account.kept = keep;
        pthread_mutex_unlock(&im->bill_lock);
    }
    pthread_mutex_unlock(&im->lock);
    arena_free(a);
    return e;
}

enum err import_with_bill(struct import *im, import_bill_fn *run, void *ctx, char why[IMPORT_WHY_MAX])
{
    enum err e = ERR_STORE_FAILED;
    pthread_mutex_lock(&im->lock);
    if (need_bill(im)) {
        pthread_mutex_lock(&im->bill_lock);
        e = run(im->bill, ctx);
        if (e != ERR_OK)
            str_copy(why, IMPORT_WHY_MAX, str_c(bill_reason(im->bill)));
        pthread_mutex_unlock(&im->bill_lock);
    } else {
        str_copy(why, IMPORT_WHY_MAX, str_c(im->open_why));
    }
    pthread_mutex_unlock(&im->lock);
    return e;
}

static void describe(struct known *k, struct import_state *ret)
{
    if (!k)
        return;
    if (k->pull)
        count(k, k->pull);
    ret->running = k->pull != NULL;
    ret->waiting = k->wanted || (!k->pull && ret->account.refresh_us <= clock_wall_us());
    ret->step = k->step;
    ret->steps = k->steps;
    ret->rows = k->rows;
    ret->changed = k->changed;
    ret->corrections = k->corrections;
    ret->inconsistent = k->inconsistent;
    ret->requests = k->requests;
    ret->limited = k->limited;
}

enum err import_list(struct import *im, int64_t workspace, struct arena *a, struct import_state **ret,
                     size_t *ret_count)
{
    struct bill_account *rows = NULL;
    size_t n = 0;
    enum err e = ERR_OK;
    pthread_mutex_lock(&im->lock);
    follow_now(im);
    if (im->bill) {
        pthread_mutex_lock(&im->bill_lock);
        e = bill_accounts(bill_db(im->bill), workspace, a, &rows, &n);
        pthread_mutex_unlock(&im->bill_lock);
    }
    struct import_state *list = e == ERR_OK ? arena_alloc(a, (n + 1) * sizeof *list) : NULL;
    size_t all = n;
    n = 0;
    for (size_t i = 0; list && i < all; i++) {
        if (rows[i].kind == BILL_FILES)
            continue;
        list[n].account = rows[i];
        describe(find(im, rows[i].id), &list[n++]);
    }
    pthread_mutex_unlock(&im->lock);
    if (e != ERR_OK || !list)
        return e != ERR_OK ? e : ERR_OVERLOADED;
    *ret = list;
    *ret_count = n;
    return ERR_OK;
}

void import_count(struct import *im, struct import_counts *ret)
{
    *ret = (struct import_counts){.pulls = im->count_pulls,
                                  .failed = im->count_failed,
                                  .rows = im->count_rows,
                                  .requests = im->count_requests,
                                  .limited = im->count_limited,
                                  .accounts = im->count_accounts,
                                  .failing = im->count_failing,
                                  .oldest_success_us = im->oldest_success_us};
}

const struct import_way *import_way_of(const struct import *im)
{
    return &im->options.way;
}
