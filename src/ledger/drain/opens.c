/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table by id of owned nodes, and a list per worker, in the order of its journal, of those
 * that are in memory only. A node in the table keeps no payload.
 */
#include "ledger/drain/opens.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#define FIRST_BUCKETS 256

struct node {
    struct node *next;
    struct list by_age; /* on no list when the table has it */
    int64_t id;
    uint64_t pos, seen_us;
    size_t n;
    char *payload; /* owned; NULL when the table has it */
};

struct opens {
    struct store_db *db;
    struct node **buckets;
    size_t bucket_count, count;
    struct list by_age[RECORD_WORKERS_MAX];
};

struct opens *opens_new(struct store_db *db)
{
    struct opens *o = mem_zalloc(sizeof *o);
    o->db = db;
    o->bucket_count = FIRST_BUCKETS;
    o->buckets = mem_zalloc(o->bucket_count * sizeof *o->buckets);
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        list_init(&o->by_age[w]);
    return o;
}

static struct node **bucket_of(const struct opens *o, int64_t id)
{
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u;
    return &o->buckets[(h >> 32) & (o->bucket_count - 1)];
}

static void node_free(struct node *n)
{
    list_remove(&n->by_age);
    mem_free(n->payload);
    mem_free(n);
}

static void forget(struct opens *o)
{
    for (size_t i = 0; i < o->bucket_count; i++) {
        while (o->buckets[i]) {
            struct node *n = o->buckets[i];
            o->buckets[i] = n->next;
            node_free(n);
        }
    }
    o->count = 0;
}

void opens_free(struct opens *o)
{
    if (!o)
        return;
    forget(o);
    mem_free(o->buckets);
    mem_free(o);
}

static void grow(struct opens *o)
{
    struct node **old = o->buckets;
    size_t old_count = o->bucket_count;
    o->bucket_count *= 2;
    o->buckets = mem_zalloc(o->bucket_count * sizeof *o->buckets);
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct node *n = old[i];
            old[i] = n->next;
            struct node **bucket = bucket_of(o, n->id);
            n->next = *bucket;
            *bucket = n;
        }
    }
    mem_free(old);
}

/* The link that points at the node, or the NULL one at the end. */
static struct node **find(const struct opens *o, int64_t id)
{
    struct node **link = bucket_of(o, id);
    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

static struct node *insert(struct opens *o, int64_t id)
{
    if (o->count >= o->bucket_count)
        grow(o);
    struct node *n = mem_zalloc(sizeof *n);
    n->id = id;
    list_init(&n->by_age);
    struct node **bucket = bucket_of(o, id);
    n->next = *bucket;
    *bucket = n;
    o->count++;
    return n;
}

enum err opens_load(struct opens *o)
{
    struct store_stmt *st;
    bool row;
    forget(o);
    enum err e = store_prepare(o->db, "SELECT id FROM open_attempts", &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row)
        insert(o, store_i64(st, 0));
    return e;
}

void opens_add(struct opens *o, unsigned worker, uint64_t pos, int64_t id, struct str payload, uint64_t now_us)
{
    must(worker < RECORD_WORKERS_MAX);
    if (*find(o, id))
        return;
    struct node *n = insert(o, id);
    n->pos = pos;
    n->seen_us = now_us;
    n->payload = mem_strndup(payload.p, payload.n);
    n->n = payload.n;
    list_append(&o->by_age[worker], &n->by_age);
}

static enum err delete_row(struct opens *o, int64_t id)
{
    struct store_stmt *st;
    enum err e = store_prepare(o->db, "DELETE FROM open_attempts WHERE id=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    return store_run(st);
}

enum err opens_remove(struct opens *o, int64_t id)
{
    struct node **link = find(o, id);
    struct node *n = *link;
    if (!n)
        return ERR_OK;
    if (!n->payload) {
        enum err e = delete_row(o, id);
        if (e != ERR_OK)
            return e;
    }
    *link = n->next;
    o->count--;
    node_free(n);
    return ERR_OK;
}

static struct node *oldest(const struct opens *o, unsigned worker)
{
    return list_empty(&o->by_age[worker]) ? NULL : list_entry(o->by_age[worker].next, struct node, by_age);
}

uint64_t opens_low(const struct opens *o, unsigned worker, uint64_t otherwise)
{
    const struct node *n = oldest(o, worker);
    return n ? n->pos : otherwise;
}

enum err opens_store(struct opens *o, unsigned worker, uint64_t before_pos, uint64_t before_us)
{
    struct node *n;
    while ((n = oldest(o, worker)) != NULL && (n->pos < before_pos || n->seen_us < before_us)) {
        struct store_stmt *st;
        enum err e = store_prepare(o->db, "INSERT OR REPLACE INTO open_attempts(id, payload) VALUES(?1, ?2)", &st);
        if (e != ERR_OK)
            return e;
        store_bind_i64(st, 1, n->id);
        store_bind_blob(st, 2, str_of(n->payload, n->n));
        e = store_run(st);
        store_clear(st);
        if (e != ERR_OK)
            return e;
        list_remove(&n->by_age);
        mem_free(n->payload);
        n->payload = NULL;
    }
    return ERR_OK;
}

size_t opens_count(const struct opens *o)
{
    return o->count;
}

static enum err take_stored(struct opens *o, opens_each_fn *each, void *context)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(o->db, "SELECT payload FROM open_attempts ORDER BY id", &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = each(context, store_text(st, 0));
        if (e != ERR_OK) {
            store_done(st);
            return e;
        }
    }
    if (e != ERR_OK)
        return e;
    e = store_prepare(o->db, "DELETE FROM open_attempts", &st);
    return e == ERR_OK ? store_run(st) : e;
}

enum err opens_take_all(struct opens *o, opens_each_fn *each, void *context)
{
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++) {
        for (struct list *l = o->by_age[w].next; l != &o->by_age[w]; l = l->next) {
            const struct node *n = list_entry(l, struct node, by_age);
            enum err e = each(context, str_of(n->payload, n->n));
            if (e != ERR_OK)
                return e;
        }
    }
    enum err e = take_stored(o, each, context);
    if (e == ERR_OK)
        forget(o);
    return e;
}
