/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger as one object: start, the two threads, waiting, state.
 *
 * The drain's thread owns the database, the drain and the body store; everything others learn of
 * them is copied under `lock` after each batch. The sync thread makes journals durable and keeps the
 * spool's cap. Workers touch neither lock nor condition: their journals publish what is written, and
 * both threads look at that at fixed intervals.
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/drain/arrivals.h"
#include "ledger/drain/drain.h"
#include "ledger/drain/reprice.h"
#include "ledger/drain/retention.h"
#include "ledger/journal_recover.h"
#include "ledger/schema.h"

#define SPOOL_MAX_DEFAULT (UINT64_C(4) << 30)
#define SEGMENT_BYTES_MIN (UINT64_C(1) << 20)
#define SYNC_MS_DEFAULT 50
#define DRAIN_MS_DEFAULT 100
#define BACKOFF_FIRST_MS 10
#define BACKOFF_MAX_MS 1000
#define STOPPING_PAUSE_NS 10000000
#define RETENTION_EVERY_US (60 * UINT64_C(1000000))
#define RING 16384 /* ids that followers can be behind */
#define EXIT_IO 74
#define CACHE_KIB 8192
#define CHECKPOINT_PAGES 4000
#define DAY_US (INT64_C(24) * SCHEMA_HOUR_US)

struct ledger {
    struct ledger_options options;
    char path[SCHEMA_PATH_MAX], journal_dir[SCHEMA_PATH_MAX], bodies_dir[SCHEMA_PATH_MAX];
    int lock_fd;
    struct store_db *db;
    struct drain *drain;
    struct journal *journals[RECORD_WORKERS_MAX];
    int64_t last_id;
    uint64_t old_bytes; /* of journals of earlier processes, at the start */
    _Atomic uint64_t deleted_bytes;
    _Atomic bool full;
    _Atomic uint64_t sync_us_max;
    _Atomic int64_t arrivals_done;
    pthread_t drain_thread, sync_thread;
    bool drain_runs, sync_runs;

    pthread_mutex_t lock;
    pthread_cond_t work, done, sync_wake, followed;
    bool stopping; /* the drain ends when nothing is left, or at `deadline_us` */
    bool sync_stopping;
    bool wake;
    uint64_t deadline_us;
    uint64_t positions[RECORD_WORKERS_MAX]; /* as committed */
    struct drain_counts counts;
    struct body_store_counts body_counts;
    uint64_t rows_removed, body_segments_removed, batch_us_max;
    bool store_failing;
    char store_reason[LEDGER_WHY_MAX];
    unsigned rows_days, bodies_days;
    uint64_t bodies_max_bytes;
    int64_t ring[RING];
    uint64_t ring_total;              /* ids ever put into it */
    const struct ledger_reprice *job; /* wanted by a waiting caller */
    struct ledger_repriced job_result;
    enum err job_err;
    bool job_done;

    /* The drain's thread only. */
    struct reprice run;
    bool run_begun;
    uint64_t retention_at_us;
    bool rows_left; /* retention has more to remove */
    int64_t arrivals_removed;
};

/* --- waiting --------------------------------------------------------------------------------- */

static void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

/* The kernel's clock, not the replaceable one: this is about threads, not about records. */
static struct timespec in_ms(unsigned ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static uint64_t real_us(void)
{
    struct timespec t = in_ms(0);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- the sync thread ------------------------------------------------------------------------- */

static void fatal(struct ledger *l, const char *why)
{
    atomic_store(&l->full, true); /* nothing may be acknowledged any more */
    if (l->options.fatal) {
        l->options.fatal(l->options.fatal_context, why);
        return;
    }
    log_error("journal_sync_failed", LOG_TEXT("why", why),
              LOG_TEXT("what", "the disk did not take the journal; stopping, so that nothing is reported as recorded "
                               "that is not"));
    _exit(EXIT_IO);
}

static uint64_t spool_bytes(const struct ledger *l)
{
    uint64_t bytes = l->old_bytes;
    for (unsigned w = 0; w < l->options.workers; w++)
        bytes += journal_counts(l->journals[w]).bytes;
    uint64_t deleted = atomic_load(&l->deleted_bytes);
    return bytes > deleted ? bytes - deleted : 0;
}

static bool sync_all(struct ledger *l)
{
    for (unsigned w = 0; w < l->options.workers; w++) {
        uint64_t begun_us = real_us();
        if (journal_sync(l->journals[w]) != ERR_OK) {
            fatal(l, file_failure());
            return false;
        }
        uint64_t took_us = real_us() - begun_us;
        if (took_us > atomic_load(&l->sync_us_max))
            atomic_store(&l->sync_us_max, took_us);
    }
    return true;
}

static void *sync_main(void *context)
{
    struct ledger *l = context;
    bool stop = false;
    while (!stop) {
        pthread_mutex_lock(&l->lock);
        struct timespec until = in_ms(l->options.sync_ms);
        if (!l->sync_stopping)
            pthread_cond_timedwait(&l->sync_wake, &l->lock, &until);
        stop = l->sync_stopping;
        pthread_mutex_unlock(&l->lock);
        atomic_store(&l->full, spool_bytes(l) > l->options.spool_max_bytes);
        if (!sync_all(l))
            break;
    }
    return NULL;
}

/* --- the drain's thread ---------------------------------------------------------------------- */

/* What others may see of the drain, after a batch; `reason` NULL when it went well. */
static void publish(struct ledger *l, uint64_t batch_us, const char *reason)
{
    size_t count;
    const int64_t *ids = drain_new_ids(l->drain, &count);
    pthread_mutex_lock(&l->lock);
    l->counts = drain_counts(l->drain);
    l->body_counts = body_store_counts(drain_bodies(l->drain));
    atomic_store(&l->deleted_bytes, l->counts.deleted_bytes);
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        l->positions[w] = drain_position(l->drain, w);
    for (size_t i = 0; i < count; i++)
        l->ring[l->ring_total++ % RING] = ids[i];
    if (batch_us > l->batch_us_max)
        l->batch_us_max = batch_us;
    bool was_failing = l->store_failing;
    l->store_failing = reason != NULL;
    if (reason)
        str_copy(l->store_reason, sizeof l->store_reason, str_c(reason));
    pthread_cond_broadcast(&l->done);
    if (count)
        pthread_cond_broadcast(&l->followed);
    pthread_mutex_unlock(&l->lock);
    if (reason && !was_failing)
        log_error("ledger_store_failing", LOG_TEXT("why", reason));
    if (!reason && was_failing)
        log_info("ledger_store_works_again");
}

static void note_failure(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    str_copy(l->store_reason, sizeof l->store_reason, str_c(store_reason(l->db)));
    pthread_mutex_unlock(&l->lock);
    drain_invalidate(l->drain);
}

/* A step of the job someone waits for; true when there is more of it. */
static bool work_on_job(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    const struct ledger_reprice *job = l->job_done ? NULL : l->job;
    pthread_mutex_unlock(&l->lock);
    if (!job)
        return false;
    if (!l->run_begun)
        reprice_init(&l->run, job, l->db);
    l->run_begun = true;
    bool more = false;
    enum err e = reprice_step(&l->run, drain_writer(l->drain), &more);
    if (e != ERR_OK)
        note_failure(l);
    if (e == ERR_OK && more)
        return true;
    reprice_done(&l->run);
    l->run_begun = false;
    pthread_mutex_lock(&l->lock);
    l->job_result = l->run.result;
    l->job_err = e;
    l->job_done = true;
    pthread_cond_broadcast(&l->done);
    pthread_mutex_unlock(&l->lock);
    return false;
}

/* That they are gone is noted first: a row whose bodies are missing without a note is damage. */
static enum err remove_bodies(struct ledger *l, uint64_t below, uint64_t *ret_segments)
{
    enum err e = store_set_sync_full(l->db, true);
    if (e == ERR_OK)
        e = schema_set_state(l->db, SCHEMA_STATE_BODIES_FROM, (int64_t)below);
    if (store_set_sync_full(l->db, false) != ERR_OK || e != ERR_OK)
        return ERR_STORE_FAILED;
    return body_store_remove(drain_bodies(l->drain), below, ret_segments);
}

static void expire_bodies(struct ledger *l, unsigned days, uint64_t bytes_max)
{
    uint64_t below = 0, segments = 0;
    if (!days && !bytes_max)
        return;
    int64_t before_us = days ? clock_wall_us() - (int64_t)days * DAY_US : INT64_MIN;
    enum err e = body_store_expired(drain_bodies(l->drain), before_us, bytes_max, &below);
    if (e == ERR_OK && below)
        e = remove_bodies(l, below, &segments);
    if (e != ERR_OK)
        log_warn("bodies_not_removed", LOG_TEXT("why", e == ERR_STORE_FAILED ? store_reason(l->db) : file_failure()));
    pthread_mutex_lock(&l->lock);
    l->body_segments_removed += segments;
    pthread_mutex_unlock(&l->lock);
}

/* A step of retention when it is due; true when there is more to remove now. */
static bool work_on_retention(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    unsigned rows_days = l->rows_days, bodies_days = l->bodies_days;
    uint64_t bytes_max = l->bodies_max_bytes, removed = 0;
    pthread_mutex_unlock(&l->lock);
    uint64_t now_us = real_us();
    if (!l->rows_left && now_us < l->retention_at_us)
        return false;
    if (!l->rows_left)
        expire_bodies(l, bodies_days, bytes_max);
    l->retention_at_us = now_us + RETENTION_EVERY_US;
    l->rows_left = false;
    if (!rows_days)
        return false;
    int64_t before_id = record_id_floor(clock_wall_us() - (int64_t)rows_days * DAY_US);
    if (retention_rows(l->db, before_id, &removed, &l->rows_left) != ERR_OK) {
        note_failure(l);
        return false;
    }
    pthread_mutex_lock(&l->lock);
    l->rows_removed += removed;
    pthread_mutex_unlock(&l->lock);
    return l->rows_left;
}

/* What the reader of arrivals has done with. A failure is no harm: it is tried again. */
static void work_on_arrivals(struct ledger *l)
{
    int64_t done = atomic_load(&l->arrivals_done);
    if (done > l->arrivals_removed && arrivals_remove(l->db, done) == ERR_OK)
        l->arrivals_removed = done;
}

/* Waits for the next round or a call. */
static void wait_for_work(struct ledger *l, unsigned wait_ms)
{
    pthread_mutex_lock(&l->lock);
    struct timespec until = in_ms(wait_ms);
    while (wait_ms && !l->wake && !l->stopping)
        if (pthread_cond_timedwait(&l->work, &l->lock, &until) == ETIMEDOUT)
            break;
    l->wake = false;
    bool stopping = l->stopping;
    pthread_mutex_unlock(&l->lock);
    if (stopping && wait_ms) {
        const struct timespec pause = {0, STOPPING_PAUSE_NS};
        nanosleep(&pause, NULL);
    }
}

static bool is_stopping(struct ledger *l, bool *ret_late)
{
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    *ret_late = stopping && real_us() >= l->deadline_us;
    pthread_mutex_unlock(&l->lock);
    return stopping;
}

/* One batch and what else is due; returns how long to wait before the next one. */
static unsigned drain_round(struct ledger *l, unsigned *backoff_ms, bool *ret_idle)
{
    bool more = false;
    uint64_t begun_us = real_us();
    enum err e = drain_batch(l->drain, &more);
    publish(l, real_us() - begun_us, e == ERR_OK ? NULL : drain_reason(l->drain));
    if (e != ERR_OK) {
        *ret_idle = false;
        *backoff_ms = *backoff_ms ? *backoff_ms * 2 : BACKOFF_FIRST_MS;
        if (*backoff_ms > BACKOFF_MAX_MS)
            *backoff_ms = BACKOFF_MAX_MS;
        return *backoff_ms;
    }
    *backoff_ms = 0;
    work_on_arrivals(l);
    more = work_on_job(l) || more;
    *ret_idle = !more;
    return work_on_retention(l) || more ? 0 : l->options.drain_ms;
}

/* No one may wait for a thread that has ended. */
static void give_up_job(struct ledger *l)
{
    if (l->run_begun)
        reprice_done(&l->run);
    l->run_begun = false;
    pthread_mutex_lock(&l->lock);
    if (l->job && !l->job_done) {
        l->job_err = ERR_DRAINING;
        l->job_done = true;
    }
    pthread_cond_broadcast(&l->done);
    pthread_cond_broadcast(&l->followed);
    pthread_mutex_unlock(&l->lock);
}

static void *drain_main(void *context)
{
    struct ledger *l = context;
    unsigned backoff_ms = 0;
    for (;;) {
        bool idle, late;
        bool stopping = is_stopping(l, &late);
        unsigned wait_ms = drain_round(l, &backoff_ms, &idle);
        if (stopping && (idle || late))
            break;
        wait_for_work(l, wait_ms);
    }
    give_up_job(l);
    return NULL;
}

/* --- opening --------------------------------------------------------------------------------- */

static enum err explain(char why[LEDGER_WHY_MAX], enum err e, const char *what, const char *reason)
{
    snprintf(why, LEDGER_WHY_MAX, "%.120s: %.120s", what, reason);
    return e;
}

static enum err open_dirs(struct ledger *l, char why[LEDGER_WHY_MAX])
{
    const char *dir = l->options.dir;
    char lock_path[SCHEMA_PATH_MAX];
    if (!schema_path(lock_path, dir, "ledger.lock") || !schema_path(l->path, dir, SCHEMA_FILE) ||
        !schema_path(l->journal_dir, dir, SCHEMA_JOURNAL_DIR) || !schema_path(l->bodies_dir, dir, SCHEMA_BODIES_DIR))
        return explain(why, ERR_FILE_FAILED, dir, "the path is too long");
    enum err e = file_lock(lock_path, &l->lock_fd);
    if (e == ERR_CONFLICT)
        return explain(why, e, dir, "another process is using this data directory");
    if (e != ERR_OK)
        return explain(why, e, lock_path, file_failure());
    e = file_mkdir(l->journal_dir, 0700);
    if (e != ERR_OK)
        return explain(why, e, l->journal_dir, file_failure());
    e = file_mkdir(l->bodies_dir, 0700);
    return e == ERR_OK ? e : explain(why, e, l->bodies_dir, file_failure());
}

static enum err greatest_id(struct store_db *db, int64_t *ret_id)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db,
                               "SELECT max(coalesce((SELECT max(id) FROM attempts), 0),"
                               " coalesce((SELECT max(id) FROM open_attempts), 0),"
                               " coalesce((SELECT value FROM state WHERE name='" SCHEMA_STATE_ROWS_FROM "'), 0))",
                               &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    *ret_id = store_i64(st, 0);
    store_done(st);
    return ERR_OK;
}

static enum err open_database(struct ledger *l, char why[LEDGER_WHY_MAX])
{
    const struct store_options options = {.cache_kib = CACHE_KIB, .checkpoint_pages = CHECKPOINT_PAGES};
    enum err e = store_open(l->path, &options, &l->db);
    if (e != ERR_OK)
        return explain(why, e, l->path, store_open_reason());
    e = schema_migrate(l->db);
    if (e == ERR_OK)
        e = arrivals_prepare(l->db, l->options.keep_arrivals);
    if (e == ERR_OK)
        e = greatest_id(l->db, &l->last_id);
    return e == ERR_OK ? e : explain(why, e, l->path, store_reason(l->db));
}

static enum err open_journals(struct ledger *l, struct drain_options *ret, char why[LEDGER_WHY_MAX])
{
    struct journal_recovery found;
    enum err e = journal_recover(l->journal_dir, &found);
    if (e != ERR_OK)
        return explain(why, e, l->journal_dir, file_failure());
    if (found.cut_bytes)
        log_warn("journal_tail_cut", LOG_INT("bytes", found.cut_bytes));
    l->old_bytes = found.bytes;
    if (found.last_id > l->last_id)
        l->last_id = found.last_id;
    for (unsigned w = 0; w < l->options.workers && e == ERR_OK; w++) {
        uint64_t stored = journal_pos_sequence(l->positions[w]) + 1;
        uint64_t first = found.next_sequence[w] > stored ? found.next_sequence[w] : stored;
        const struct journal_options options = {.dir = l->journal_dir,
                                                .worker = w,
                                                .first_sequence = first,
                                                .segment_bytes = l->options.segment_bytes,
                                                .last_id = l->last_id,
                                                .full = &l->full};
        e = journal_open(&options, &l->journals[w]);
        ret->journals[w] = l->journals[w];
        ret->live_from[w] = first;
    }
    return e == ERR_OK ? e : explain(why, e, l->journal_dir, file_failure());
}

/* The stored positions may be beyond every file there is: their segments have been deleted. */
static enum err read_positions(struct ledger *l, char why[LEDGER_WHY_MAX])
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(l->db, "SELECT worker, drained FROM positions", &st);
    while (e == ERR_OK && (e = store_step(st, &row)) == ERR_OK && row) {
        int64_t w = store_i64(st, 0);
        if (w >= 0 && w < RECORD_WORKERS_MAX)
            l->positions[w] = (uint64_t)store_i64(st, 1);
    }
    return e == ERR_OK ? e : explain(why, e, l->path, store_reason(l->db));
}

static enum err open_parts(struct ledger *l, char why[LEDGER_WHY_MAX])
{
    struct drain_options options = {
        .journal_dir = l->journal_dir, .bodies_dir = l->bodies_dir, .keep_arrivals = l->options.keep_arrivals};
    enum err e = open_dirs(l, why);
    if (e == ERR_OK)
        e = open_database(l, why);
    if (e == ERR_OK)
        e = read_positions(l, why);
    if (e == ERR_OK)
        e = open_journals(l, &options, why);
    if (e != ERR_OK)
        return e;
    options.db = l->db;
    e = drain_open(&options, &l->drain);
    return e == ERR_OK ? e : explain(why, e, l->bodies_dir, file_failure());
}

static enum err begin_threads(struct ledger *l, char why[LEDGER_WHY_MAX])
{
    l->sync_runs = pthread_create(&l->sync_thread, NULL, sync_main, l) == 0;
    l->drain_runs = pthread_create(&l->drain_thread, NULL, drain_main, l) == 0;
    if (!l->sync_runs || !l->drain_runs)
        return explain(why, ERR_INTERNAL, "ledger", "no thread could be made");
    pthread_setname_np(l->sync_thread, "journal-sync");
    pthread_setname_np(l->drain_thread, "drain");
    return ERR_OK;
}

static void set_defaults(struct ledger_options *o)
{
    must(o->workers >= 1);
    must(o->workers <= RECORD_WORKERS_MAX);
    if (!o->spool_max_bytes)
        o->spool_max_bytes = SPOOL_MAX_DEFAULT;
    if (!o->segment_bytes)
        o->segment_bytes = JOURNAL_SEGMENT_BYTES_DEFAULT;
    /* Segments under the pen cannot be deleted: together they must stay well below the cap. */
    uint64_t largest = o->spool_max_bytes / (4 * (uint64_t)o->workers);
    if (largest < SEGMENT_BYTES_MIN)
        largest = SEGMENT_BYTES_MIN;
    if (o->segment_bytes > largest)
        o->segment_bytes = largest;
    if (!o->sync_ms)
        o->sync_ms = SYNC_MS_DEFAULT;
    if (!o->drain_ms)
        o->drain_ms = DRAIN_MS_DEFAULT;
}

enum err ledger_open(const struct ledger_options *options, struct ledger **ret_ledger, char why[LEDGER_WHY_MAX])
{
    struct ledger *l = mem_zalloc(sizeof *l);
    l->options = *options;
    set_defaults(&l->options);
    l->rows_days = options->rows_days;
    l->bodies_days = options->bodies_days;
    l->bodies_max_bytes = options->bodies_max_bytes;
    l->lock_fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    cond_init(&l->work);
    cond_init(&l->done);
    cond_init(&l->sync_wake);
    cond_init(&l->followed);
    l->counts.recovering = true;
    enum err e = open_parts(l, why);
    if (e == ERR_OK)
        e = begin_threads(l, why);
    if (e != ERR_OK) {
        ledger_close(l, 0);
        return e;
    }
    *ret_ledger = l;
    return ERR_OK;
}

static void end_threads(struct ledger *l, unsigned timeout_ms)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    l->deadline_us = real_us() + (uint64_t)timeout_ms * 1000;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    if (l->drain_runs)
        pthread_join(l->drain_thread, NULL);
    pthread_mutex_lock(&l->lock);
    l->sync_stopping = true;
    pthread_cond_broadcast(&l->sync_wake);
    pthread_mutex_unlock(&l->lock);
    if (l->sync_runs)
        pthread_join(l->sync_thread, NULL);
}

void ledger_close(struct ledger *l, unsigned timeout_ms)
{
    if (!l)
        return;
    end_threads(l, timeout_ms);
    drain_close(l->drain);
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        journal_close(l->journals[w]);
    store_close(l->db);
    file_close(l->lock_fd);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->done);
    pthread_cond_destroy(&l->sync_wake);
    pthread_cond_destroy(&l->followed);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

struct journal *ledger_journal(struct ledger *l, unsigned worker)
{
    must(worker < l->options.workers);
    return l->journals[worker];
}

int64_t ledger_last_id(const struct ledger *l)
{
    return l->last_id;
}

/* --- waiting for it -------------------------------------------------------------------------- */

static bool reached(const struct ledger *l, const uint64_t *targets)
{
    for (unsigned w = 0; w < l->options.workers; w++)
        if (l->positions[w] < targets[w])
            return false;
    return !l->counts.recovering;
}

enum err ledger_flush(struct ledger *l, unsigned timeout_ms)
{
    uint64_t targets[RECORD_WORKERS_MAX];
    for (unsigned w = 0; w < l->options.workers; w++)
        targets[w] = journal_written(l->journals[w]);
    struct timespec until = in_ms(timeout_ms);
    pthread_mutex_lock(&l->lock);
    l->wake = true;
    pthread_cond_broadcast(&l->work);
    bool there;
    while (!(there = reached(l, targets)))
        if (pthread_cond_timedwait(&l->done, &l->lock, &until) == ETIMEDOUT)
            break;
    there = reached(l, targets);
    pthread_mutex_unlock(&l->lock);
    return there ? ERR_OK : ERR_STORE_FAILED;
}

size_t ledger_follow(struct ledger *l, uint64_t *cursor, int64_t *ret_ids, size_t cap, unsigned wait_ms,
                     uint64_t *ret_missed)
{
    struct timespec until = in_ms(wait_ms);
    uint64_t missed = 0;
    size_t count = 0;
    pthread_mutex_lock(&l->lock);
    if (*cursor == 0)
        *cursor = l->ring_total + 1;
    uint64_t next = *cursor - 1; /* a cursor is one above what has been seen, so that 0 is none */
    while (wait_ms && l->ring_total <= next && !l->stopping)
        if (pthread_cond_timedwait(&l->followed, &l->lock, &until) == ETIMEDOUT)
            break;
    if (l->ring_total - next > RING && l->ring_total > next) {
        missed = l->ring_total - RING - next;
        next = l->ring_total - RING;
    }
    while (count < cap && next < l->ring_total)
        ret_ids[count++] = l->ring[next++ % RING];
    pthread_mutex_unlock(&l->lock);
    *cursor = next + 1;
    if (ret_missed)
        *ret_missed = missed;
    return count;
}

enum err ledger_reprice(struct ledger *l, const struct ledger_reprice *job, struct ledger_repriced *ret)
{
    pthread_mutex_lock(&l->lock);
    while (l->job && !l->stopping) /* one at a time */
        pthread_cond_wait(&l->done, &l->lock);
    if (l->stopping) {
        pthread_mutex_unlock(&l->lock);
        return ERR_DRAINING;
    }
    l->job = job;
    l->job_done = false;
    l->wake = true;
    pthread_cond_broadcast(&l->work);
    while (!l->job_done)
        pthread_cond_wait(&l->done, &l->lock);
    enum err e = l->job_err;
    *ret = l->job_result;
    l->job = NULL;
    pthread_cond_broadcast(&l->done);
    pthread_mutex_unlock(&l->lock);
    return e;
}

void ledger_arrivals_done(struct ledger *l, int64_t up_to)
{
    atomic_store(&l->arrivals_done, up_to);
}

void ledger_set_retention(struct ledger *l, unsigned rows_days, unsigned bodies_days, uint64_t bodies_max_bytes)
{
    pthread_mutex_lock(&l->lock);
    l->rows_days = rows_days;
    l->bodies_days = bodies_days;
    l->bodies_max_bytes = bodies_max_bytes;
    pthread_mutex_unlock(&l->lock);
}

/* --- state ----------------------------------------------------------------------------------- */

/* Bytes between two positions, counting segments between theirs as full. */
static uint64_t distance(const struct ledger *l, uint64_t from, uint64_t to)
{
    if (to <= from)
        return 0;
    uint64_t segments = journal_pos_sequence(to) - journal_pos_sequence(from);
    uint64_t bytes = segments * l->options.segment_bytes + journal_pos_offset(to);
    return bytes > journal_pos_offset(from) ? bytes - journal_pos_offset(from) : 0;
}

void ledger_status(struct ledger *l, struct ledger_status *ret)
{
    struct ledger_status s = {.spool_bytes = spool_bytes(l), .spool_full = atomic_load(&l->full)};
    s.sync_us_max = atomic_load(&l->sync_us_max);
    pthread_mutex_lock(&l->lock);
    for (unsigned w = 0; w < l->options.workers; w++) {
        struct journal_counts c = journal_counts(l->journals[w]);
        s.records_written += c.records;
        s.records_lost += c.records_lost;
        s.flush_failures += c.flush_failures;
        s.lag_bytes += distance(l, l->positions[w], journal_written(l->journals[w]));
    }
    s.rows_stored = l->counts.rows;
    s.rows_duplicate = l->counts.duplicates;
    s.rows_interrupted = l->counts.interrupted;
    s.rows_removed = l->rows_removed;
    s.body_segments_removed = l->body_segments_removed;
    s.open_attempts = l->counts.open_attempts;
    s.damaged_bytes = l->counts.damaged_bytes;
    s.damaged_places = l->counts.damaged_places;
    s.body_rows = l->body_counts.rows;
    s.body_raw_bytes = l->body_counts.raw_bytes;
    s.body_file_bytes = l->body_counts.file_bytes;
    s.batches = l->counts.batches;
    s.batch_us_max = l->batch_us_max;
    s.store_failures = l->counts.failures;
    s.store_failing = l->store_failing;
    s.recovering = l->counts.recovering;
    str_copy(s.store_reason, sizeof s.store_reason, str_c(l->store_reason));
    pthread_mutex_unlock(&l->lock);
    *ret = s;
}
