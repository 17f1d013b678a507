/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections are opened when none is idle and kept, up to IDLE_MAX. One on which anything failed is
 * closed rather than kept.
 */
#include "ledger/query_conn.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/must.h"
#include "ledger/schema.h"

#define MAGIC 0x71757279u
#define IDLE_MAX 4
#define CACHE_KIB 4096

struct query {
    unsigned magic;
    char path[SCHEMA_PATH_MAX], bodies_dir[SCHEMA_PATH_MAX];
    pthread_mutex_t lock;
    struct query_conn *idle;
    unsigned idle_count, lent;
};

static _Thread_local char reason[256];

const char *query_reason(void)
{
    return reason;
}

const char *query_bodies_dir(const struct query *q)
{
    return q->bodies_dir;
}

static void conn_free(struct query_conn *c)
{
    row_reader_done(&c->reader);
    store_close(c->db);
    mem_free(c);
}

static enum err conn_new(struct query *q, struct query_conn **ret)
{
    const struct store_options options = {.read_only = true, .cache_kib = CACHE_KIB};
    struct store_db *db;
    enum err e = store_open(q->path, &options, &db);
    if (e != ERR_OK) {
        str_copy(reason, sizeof reason, str_c(store_open_reason()));
        return e;
    }
    e = schema_check(db);
    if (e != ERR_OK) {
        const char *why = e == ERR_NOT_FOUND      ? "there is no ledger in this directory"
                          : e == ERR_SCHEMA_NEWER ? "the ledger was written by a newer version of this program"
                                                  : store_reason(db);
        str_copy(reason, sizeof reason, str_c(why));
        store_close(db);
        return e;
    }
    struct query_conn *c = mem_zalloc(sizeof *c);
    c->db = db;
    row_reader_init(&c->reader, db);
    *ret = c;
    return ERR_OK;
}

enum err query_begin(struct query *q, struct query_conn **ret)
{
    must(q->magic == MAGIC);
    pthread_mutex_lock(&q->lock);
    struct query_conn *c = q->idle;
    if (c) {
        q->idle = c->next;
        q->idle_count--;
    }
    q->lent++;
    pthread_mutex_unlock(&q->lock);
    enum err e = c ? ERR_OK : conn_new(q, &c);
    if (e != ERR_OK) {
        pthread_mutex_lock(&q->lock);
        q->lent--;
        pthread_mutex_unlock(&q->lock);
        return e;
    }
    e = store_begin_read(c->db);
    if (e != ERR_OK)
        return query_end(q, c, e);
    *ret = c;
    return ERR_OK;
}

enum err query_end(struct query *q, struct query_conn *c, enum err e)
{
    bool broken = e == ERR_STORE_FAILED || e == ERR_CORRUPT;
    if (broken)
        str_copy(reason, sizeof reason, str_c(store_reason(c->db)));
    store_rollback(c->db);
    pthread_mutex_lock(&q->lock);
    bool keep = !broken && q->idle_count < IDLE_MAX;
    if (keep) {
        c->next = q->idle;
        q->idle = c;
        q->idle_count++;
    }
    q->lent--;
    pthread_mutex_unlock(&q->lock);
    if (!keep)
        conn_free(c);
    return e;
}

enum err query_open(const char *dir, struct query **ret)
{
    struct query *q = mem_zalloc(sizeof *q);
    struct query_conn *c;
    q->magic = MAGIC;
    pthread_mutex_init(&q->lock, NULL);
    enum err e = ERR_FILE_FAILED;
    if (schema_path(q->path, dir, SCHEMA_FILE) && schema_path(q->bodies_dir, dir, SCHEMA_BODIES_DIR))
        e = query_begin(q, &c);
    if (e == ERR_OK)
        e = query_end(q, c, ERR_OK);
    if (e != ERR_OK) {
        query_close(q);
        return e;
    }
    *ret = q;
    return ERR_OK;
}

void query_close(struct query *q)
{
    if (!q)
        return;
    must(q->magic == MAGIC);
    must(q->lent == 0);
    while (q->idle) {
        struct query_conn *c = q->idle;
        q->idle = c->next;
        conn_free(c);
    }
    pthread_mutex_destroy(&q->lock);
    q->magic = 0;
    mem_free(q);
}
