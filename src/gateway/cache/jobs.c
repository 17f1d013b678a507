/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mutex for the queues and one condition for the thread. A look-up belongs to the queue or the
 * thread until it is posted to its loop, from then on to the loop; `state` says which and changes
 * under the mutex, so a cancelled one never reaches a loop that may be gone.
 *
 * The thread takes all look-ups that wait, then a batch of writes, which become one transaction. It
 * alone touches the file and the vectors.
 */
#include "gateway/cache/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/cache/disk.h"
#include "net/loop.h"

#define BATCH_WRITES 64
#define BATCH_BYTES (2u << 20)
#define SWEEP_SECONDS 60
#define VECTORS_BYTES_MAX (UINT64_C(1) << 30) /* of all workspaces */
#define STALE_MAX 16                          /* vectors in a row whose answer is gone, before a look-up gives up */

enum look_state { LOOK_WAITING, LOOK_CANCELLED, LOOK_POSTED };

struct cache_fetch {
    struct cache_fetch *next;
    struct jobs *jobs;
    struct loop *loop;
    cache_fetch_fn *fn; /* the loop's thread only, once posted; NULL: nobody wants to know */
    void *ctx;
    enum look_state state;
    const struct cache_entry *found;
    unsigned char key[CACHE_KEY_BYTES];
    bool has_vector;
    struct jobs_vector vector;
    float numbers[];
};

struct write {
    struct write *next;
    const struct cache_entry *entry;
    size_t bytes;
    bool has_vector;
    struct jobs_vector vector;
    float numbers[];
};

struct jobs {
    struct shards *shards;
    char *dir; /* NULL: no disk */
    char *model;
    unsigned semantic_max;
    uint64_t disk_max_bytes;
    pthread_t thread;
    bool started, stop; /* with the queues under `lock` */
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct cache_fetch *looks, **looks_tail;
    struct write *writes, **writes_tail;
    unsigned look_count, write_count;
    size_t write_bytes;
    /* The thread's. */
    struct disk *disk;
    struct vectors *vectors;
    atomic_bool loading;
    _Atomic uint64_t disk_entries, disk_bytes, vector_count, dropped;
};

/* --- the thread ------------------------------------------------------------------------------ */

static void on_known(void *ctx, const unsigned char key[CACHE_KEY_BYTES], bool known)
{
    struct jobs *j = ctx;
    if (known)
        shards_index_add(j->shards, key);
    else
        shards_index_remove(j->shards, key);
}

static void on_cleared(void *ctx)
{
    struct jobs *j = ctx;
    shards_index_clear(j->shards);
}

static void publish(struct jobs *j)
{
    struct disk_stats s = {0};
    if (j->disk)
        disk_stats_of(j->disk, &s);
    atomic_store_explicit(&j->disk_entries, s.answers, memory_order_relaxed);
    atomic_store_explicit(&j->disk_bytes, s.bytes, memory_order_relaxed);
    atomic_store_explicit(&j->vector_count, vectors_count(j->vectors), memory_order_relaxed);
}

/* From memory, else from the disk and then kept in memory again. */
static const struct cache_entry *obtain(struct jobs *j, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us)
{
    bool on_disk;
    const struct cache_entry *found = shards_find(j->shards, key, now_us, &on_disk);
    if (found || !on_disk || !j->disk)
        return found;
    struct cache_entry *e = disk_read(j->disk, key, now_us);
    if (e && shards_reserve(j->shards, e->bytes))
        shards_put(j->shards, e);
    return e;
}

static struct vectors_item item_of(const struct jobs_vector *v)
{
    return (struct vectors_item){
        .workspace_id = v->workspace_id, .group = v->group, .vector = v->numbers, .dimensions = v->dimensions};
}

static const struct cache_entry *nearest(struct jobs *j, const struct jobs_vector *v, int64_t now_us)
{
    struct vectors_item question = item_of(v);
    const unsigned char *at;
    for (int i = 0; i < STALE_MAX && vectors_nearest(j->vectors, &question, v->threshold, now_us, &at); i++) {
        unsigned char key[CACHE_KEY_BYTES];
        memcpy(key, at, sizeof key);
        const struct cache_entry *found = obtain(j, key, now_us);
        if (found)
            return found;
        vectors_forget(j->vectors, v->workspace_id, key);
    }
    return NULL;
}

/* On the loop's thread. */
static void hand_over(void *ctx)
{
    struct cache_fetch *f = ctx;
    if (f->fn)
        f->fn(f->ctx, f->found);
    else
        cache_release(f->found);
    mem_free(f);
}

static void finish_look(struct jobs *j, struct cache_fetch *f)
{
    pthread_mutex_lock(&j->lock);
    bool cancelled = f->state == LOOK_CANCELLED;
    if (!cancelled) {
        f->state = LOOK_POSTED;
        loop_post(f->loop, hand_over, f);
    }
    pthread_mutex_unlock(&j->lock);
    if (cancelled) {
        cache_release(f->found);
        mem_free(f);
    }
}

static void look_all(struct jobs *j, struct cache_fetch *list)
{
    while (list) {
        struct cache_fetch *f = list;
        list = f->next;
        int64_t now_us = clock_wall_us();
        f->found = f->has_vector ? nearest(j, &f->vector, now_us) : obtain(j, f->key, now_us);
        finish_look(j, f);
    }
}

static void keep_vector(struct jobs *j, const struct write *w)
{
    unsigned char lost[CACHE_KEY_BYTES];
    bool has_lost;
    struct vectors_item item = item_of(&w->vector);
    item.key = w->entry->key;
    item.expires_us = w->entry->answer.expires_us;
    vectors_forget(j->vectors, item.workspace_id, item.key);
    if (!vectors_add(j->vectors, &item, lost, &has_lost) || !j->disk)
        return;
    if (has_lost)
        disk_forget_vector(j->disk, lost);
    disk_put_vector(j->disk, &item);
}

/* One transaction. What fails is counted, not tried again: it is in memory as long as it is worth it. */
static void write_all(struct jobs *j, struct write *list)
{
    unsigned n = 0;
    if (!list)
        return;
    if (j->disk)
        disk_begin(j->disk);
    for (struct write *w = list; w; w = w->next, n++) {
        if (j->disk)
            disk_put(j->disk, w->entry);
        if (w->has_vector)
            keep_vector(j, w);
    }
    if (j->disk && !disk_end(j->disk))
        atomic_fetch_add_explicit(&j->dropped, n, memory_order_relaxed);
    while (list) {
        struct write *w = list;
        list = w->next;
        cache_release(w->entry);
        mem_free(w);
    }
}

/* The first writes, with the lock held. */
static struct write *take_writes(struct jobs *j)
{
    struct write *list = j->writes, **end = &list;
    size_t bytes = 0;
    for (unsigned n = 0; *end && n < BATCH_WRITES && bytes < BATCH_BYTES; n++) {
        bytes += (*end)->bytes;
        j->write_count--;
        end = &(*end)->next;
    }
    j->write_bytes -= bytes;
    j->writes = *end;
    *end = NULL;
    if (!j->writes)
        j->writes_tail = &j->writes;
    return list;
}

/* With the lock held: true when there is work, false when there is time to sweep. */
static bool wait_for_work(struct jobs *j)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SWEEP_SECONDS;
    int failed = 0;
    while (!j->looks && !j->writes && !j->stop && !failed)
        failed = pthread_cond_timedwait(&j->more, &j->lock, &until);
    return j->looks || j->writes || j->stop;
}

static void begin(struct jobs *j)
{
    if (j->dir) {
        struct disk_settings s = {.dir = j->dir,
                                  .max_bytes = j->disk_max_bytes,
                                  .model = j->model,
                                  .on_known = on_known,
                                  .on_cleared = on_cleared,
                                  .ctx = j};
        j->disk = disk_new(&s);
        if (atomic_load(&j->loading))
            disk_load(j->disk, j->vectors);
    }
    publish(j);
    atomic_store(&j->loading, false);
}

static void *jobs_main(void *ctx)
{
    struct jobs *j = ctx;
    bool sweep = true;
    begin(j);
    pthread_mutex_lock(&j->lock);
    for (;;) {
        if (sweep || !wait_for_work(j)) {
            pthread_mutex_unlock(&j->lock);
            sweep = j->disk && disk_sweep(j->disk, clock_wall_us());
            publish(j);
            pthread_mutex_lock(&j->lock);
        }
        if (!j->looks && !j->writes && j->stop)
            break;
        struct cache_fetch *looks = j->looks;
        j->looks = NULL;
        j->looks_tail = &j->looks;
        j->look_count = 0;
        struct write *writes = take_writes(j);
        pthread_mutex_unlock(&j->lock);
        look_all(j, looks);
        write_all(j, writes);
        publish(j);
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* With the lock held. False when the system has no thread to give. */
static bool start(struct jobs *j)
{
    if (j->started)
        return true;
    j->started = pthread_create(&j->thread, NULL, jobs_main, j) == 0;
    if (j->started)
        pthread_setname_np(j->thread, "cache");
    return j->started;
}

/* --- for all --------------------------------------------------------------------------------- */

bool jobs_new(const struct jobs_settings *settings, struct jobs **ret_jobs, char *why, size_t why_cap)
{
    const struct cache_settings *c = settings->cache;
    struct jobs *j = mem_zalloc(sizeof *j);
    pthread_condattr_t attr;
    j->shards = settings->shards;
    j->semantic_max = c->semantic_max;
    j->disk_max_bytes = c->disk_max_bytes;
    j->model = mem_strdup(c->semantic_model ? c->semantic_model : "");
    if (c->dir && c->disk_max_bytes)
        j->dir = mem_strdup(c->dir);
    j->looks_tail = &j->looks;
    j->writes_tail = &j->writes;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->more, &attr);
    pthread_condattr_destroy(&attr);
    j->vectors = vectors_new(c->semantic_max, VECTORS_BYTES_MAX);
    *ret_jobs = j;
    if (!j->dir || !disk_exists(j->dir))
        return true;
    atomic_store(&j->loading, true);
    pthread_mutex_lock(&j->lock);
    bool ok = start(j);
    pthread_mutex_unlock(&j->lock);
    if (ok)
        return true;
    snprintf(why, why_cap, "the thread of the cache could not be started; raise the limit of threads");
    jobs_free(j);
    return false;
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    bool started = j->started;
    pthread_cond_signal(&j->more);
    pthread_mutex_unlock(&j->lock);
    if (started)
        pthread_join(j->thread, NULL);
    must(!j->looks);
    must(!j->writes);
    disk_free(j->disk);
    vectors_free(j->vectors);
    pthread_cond_destroy(&j->more);
    pthread_mutex_destroy(&j->lock);
    mem_free(j->dir);
    mem_free(j->model);
    mem_free(j);
}

bool jobs_loading(const struct jobs *j)
{
    return atomic_load_explicit(&j->loading, memory_order_acquire);
}

bool jobs_have_disk(const struct jobs *j)
{
    return j->dir != NULL;
}

struct cache_fetch *jobs_look(struct jobs *j, const unsigned char key[CACHE_KEY_BYTES],
                              const struct jobs_vector *vector, struct loop *l, cache_fetch_fn *fn, void *ctx)
{
    size_t n = vector ? vector->dimensions : 0;
    struct cache_fetch *f = mem_zalloc(sizeof *f + n * sizeof(float));
    *f = (struct cache_fetch){.jobs = j, .loop = l, .fn = fn, .ctx = ctx, .has_vector = vector != NULL};
    if (key)
        memcpy(f->key, key, CACHE_KEY_BYTES);
    if (vector) {
        f->vector = *vector;
        memcpy(f->numbers, vector->numbers, n * sizeof(float));
        f->vector.numbers = f->numbers;
    }
    pthread_mutex_lock(&j->lock);
    must(!j->stop);
    if (j->look_count >= JOBS_LOOKUPS_MAX || !start(j)) {
        f->state = LOOK_POSTED;
        loop_post(l, hand_over, f);
    } else {
        *j->looks_tail = f;
        j->looks_tail = &f->next;
        j->look_count++;
        pthread_cond_signal(&j->more);
    }
    pthread_mutex_unlock(&j->lock);
    return f;
}

void cache_fetch_cancel(struct cache_fetch *f)
{
    struct jobs *j = f->jobs;
    pthread_mutex_lock(&j->lock);
    f->fn = NULL;
    if (f->state == LOOK_WAITING)
        f->state = LOOK_CANCELLED;
    pthread_mutex_unlock(&j->lock);
}

void jobs_write(struct jobs *j, const struct cache_entry *e, const struct jobs_vector *vector)
{
    size_t n = vector ? vector->dimensions : 0;
    struct write *w = mem_zalloc(sizeof *w + n * sizeof(float));
    w->entry = e;
    w->bytes = e->bytes + sizeof *w + n * sizeof(float);
    if (vector) {
        w->has_vector = true;
        w->vector = *vector;
        memcpy(w->numbers, vector->numbers, n * sizeof(float));
        w->vector.numbers = w->numbers;
    }
    entry_hold(e);
    pthread_mutex_lock(&j->lock);
    must(!j->stop);
    bool taken = j->write_count < JOBS_WRITES_MAX && j->write_bytes + w->bytes <= JOBS_WRITE_BYTES_MAX && start(j);
    if (taken) {
        *j->writes_tail = w;
        j->writes_tail = &w->next;
        j->write_count++;
        j->write_bytes += w->bytes;
        pthread_cond_signal(&j->more);
    }
    pthread_mutex_unlock(&j->lock);
    if (taken)
        return;
    atomic_fetch_add_explicit(&j->dropped, 1, memory_order_relaxed);
    cache_release(e);
    mem_free(w);
}

void jobs_stats_of(const struct jobs *j, struct jobs_stats *ret)
{
    *ret = (struct jobs_stats){
        .disk_entries = atomic_load_explicit(&j->disk_entries, memory_order_relaxed),
        .disk_bytes = atomic_load_explicit(&j->disk_bytes, memory_order_relaxed),
        .vectors = atomic_load_explicit(&j->vector_count, memory_order_relaxed),
        .dropped = atomic_load_explicit(&j->dropped, memory_order_relaxed),
    };
}
