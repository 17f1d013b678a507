/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each shard: a chained table, a list of its entries with the most recently used first, and a set
 * of 64-bit pieces of keys (open addressing, no tombstones). Keys are hashes already, so their bytes
 * serve as they are; different bytes choose the shard, the place in the table and the piece.
 *
 * To evict the entry that is the oldest of all, each shard tells when its own oldest was used last.
 * Between looking at these and locking another may have been used; then the second oldest goes,
 * which does no harm.
 */
#include "gateway/cache/shards.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

#define BUCKETS_MIN 64
#define INDEX_MIN 64

struct shard {
    pthread_mutex_t lock;
    struct cache_entry **buckets;
    size_t bucket_count, count;
    struct list recent;
    uint64_t *index; /* 0 = free */
    size_t index_cap, index_count;
    _Atomic uint64_t oldest; /* `used` of the last in the list; UINT64_MAX when empty */
    char apart[64];          /* so that no two share a cache line */
};

struct shards {
    struct shard shard[SHARDS_COUNT];
    uint64_t max_bytes;
    _Atomic uint64_t bytes;
    _Atomic uint64_t ticks; /* counts look-ups and puts: the time of `used` */
    _Atomic uint64_t evictions;
};

static uint64_t word_of(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static struct shard *shard_of(struct shards *s, const unsigned char key[CACHE_KEY_BYTES])
{
    return &s->shard[key[CACHE_KEY_BYTES - 1] % SHARDS_COUNT];
}

struct shards *shards_new(uint64_t max_bytes)
{
    struct shards *s = mem_zalloc(sizeof *s);
    s->max_bytes = max_bytes;
    for (int i = 0; i < SHARDS_COUNT; i++) {
        pthread_mutex_init(&s->shard[i].lock, NULL);
        list_init(&s->shard[i].recent);
        atomic_init(&s->shard[i].oldest, UINT64_MAX);
    }
    return s;
}

void shards_free(struct shards *s)
{
    for (int i = 0; s && i < SHARDS_COUNT; i++) {
        struct shard *h = &s->shard[i];
        while (!list_empty(&h->recent)) {
            struct cache_entry *e = list_entry(h->recent.next, struct cache_entry, recent);
            list_remove(&e->recent);
            cache_release(e);
        }
        mem_free(h->buckets);
        mem_free(h->index);
        pthread_mutex_destroy(&h->lock);
    }
    mem_free(s);
}

/* --- entries; the shard's lock is held ------------------------------------------------------- */

static struct cache_entry **place_of(struct shard *h, const unsigned char key[CACHE_KEY_BYTES])
{
    struct cache_entry **at = &h->buckets[word_of(key + 8) & (h->bucket_count - 1)];
    while (*at && memcmp((*at)->key, key, CACHE_KEY_BYTES) != 0)
        at = &(*at)->chain;
    return at;
}

static void set_oldest(struct shard *h)
{
    uint64_t oldest = UINT64_MAX;
    if (!list_empty(&h->recent))
        oldest = list_entry(h->recent.prev, struct cache_entry, recent)->used;
    atomic_store_explicit(&h->oldest, oldest, memory_order_relaxed);
}

/* Out of table and list; the caller has the shard's reference then. */
static struct cache_entry *take_out(struct shards *s, struct shard *h, struct cache_entry **at)
{
    struct cache_entry *e = *at;
    *at = e->chain;
    e->chain = NULL;
    list_remove(&e->recent);
    must(h->count > 0);
    h->count--;
    set_oldest(h);
    atomic_fetch_sub_explicit(&s->bytes, e->bytes, memory_order_relaxed);
    return e;
}

static void grow_table(struct shard *h)
{
    size_t count = h->bucket_count ? h->bucket_count * 2 : BUCKETS_MIN;
    struct cache_entry **old = h->buckets;
    size_t old_count = h->bucket_count;
    h->buckets = mem_zalloc(count * sizeof *h->buckets);
    h->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct cache_entry *e = old[i], **at = &h->buckets[word_of(e->key + 8) & (count - 1)];
            old[i] = e->chain;
            e->chain = *at;
            *at = e;
        }
    }
    mem_free(old);
}

static void touch(struct shards *s, struct shard *h, struct cache_entry *e)
{
    e->used = atomic_fetch_add_explicit(&s->ticks, 1, memory_order_relaxed) + 1;
    list_remove(&e->recent);
    list_prepend(&h->recent, &e->recent);
    set_oldest(h);
}

/* --- the index: linear probing; the shard's lock is held ------------------------------------- */

static uint64_t piece_of(const unsigned char key[CACHE_KEY_BYTES])
{
    uint64_t piece = word_of(key + 16);
    return piece ? piece : 1;
}

/* The place of the piece, or the free one where it would be. */
static size_t index_place(const struct shard *h, uint64_t piece)
{
    size_t i = (size_t)piece & (h->index_cap - 1);
    while (h->index[i] && h->index[i] != piece)
        i = (i + 1) & (h->index_cap - 1);
    return i;
}

static bool index_has(const struct shard *h, uint64_t piece)
{
    return h->index_count && h->index[index_place(h, piece)] == piece;
}

static void index_grow(struct shard *h)
{
    uint64_t *old = h->index;
    size_t old_cap = h->index_cap;
    h->index_cap = old_cap ? old_cap * 2 : INDEX_MIN;
    h->index = mem_zalloc(h->index_cap * sizeof *h->index);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i])
            h->index[index_place(h, old[i])] = old[i];
    mem_free(old);
}

/* Closes the hole: what was pushed behind it moves up. */
static void index_take(struct shard *h, size_t hole)
{
    size_t mask = h->index_cap - 1;
    for (size_t i = (hole + 1) & mask; h->index[i]; i = (i + 1) & mask) {
        size_t home = (size_t)h->index[i] & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            h->index[hole] = h->index[i];
            hole = i;
        }
    }
    h->index[hole] = 0;
    h->index_count--;
}

void shards_index_add(struct shards *s, const unsigned char key[CACHE_KEY_BYTES])
{
    struct shard *h = shard_of(s, key);
    uint64_t piece = piece_of(key);
    pthread_mutex_lock(&h->lock);
    if (h->index_count * 4 >= h->index_cap * 3)
        index_grow(h);
    size_t i = index_place(h, piece);
    h->index_count += h->index[i] == 0;
    h->index[i] = piece;
    pthread_mutex_unlock(&h->lock);
}

void shards_index_remove(struct shards *s, const unsigned char key[CACHE_KEY_BYTES])
{
    struct shard *h = shard_of(s, key);
    uint64_t piece = piece_of(key);
    pthread_mutex_lock(&h->lock);
    if (index_has(h, piece))
        index_take(h, index_place(h, piece));
    pthread_mutex_unlock(&h->lock);
}

void shards_index_clear(struct shards *s)
{
    for (int i = 0; i < SHARDS_COUNT; i++) {
        struct shard *h = &s->shard[i];
        pthread_mutex_lock(&h->lock);
        uint64_t *index = h->index;
        h->index = NULL;
        h->index_cap = h->index_count = 0;
        pthread_mutex_unlock(&h->lock);
        mem_free(index);
    }
}

/* --- for all --------------------------------------------------------------------------------- */

const struct cache_entry *shards_find(struct shards *s, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us,
                                      bool *ret_on_disk)
{
    struct shard *h = shard_of(s, key);
    struct cache_entry *found = NULL, *expired = NULL;
    pthread_mutex_lock(&h->lock);
    struct cache_entry **at = h->count ? place_of(h, key) : NULL;
    if (at && *at && (*at)->answer.expires_us <= now_us) {
        expired = take_out(s, h, at);
    } else if (at && *at) {
        found = *at;
        entry_hold(found);
        touch(s, h, found);
    }
    *ret_on_disk = index_has(h, piece_of(key));
    pthread_mutex_unlock(&h->lock);
    cache_release(expired);
    return found;
}

static struct shard *shard_with_oldest(struct shards *s)
{
    struct shard *best = NULL;
    uint64_t oldest = UINT64_MAX;
    for (int i = 0; i < SHARDS_COUNT; i++) {
        uint64_t used = atomic_load_explicit(&s->shard[i].oldest, memory_order_relaxed);
        if (used < oldest) {
            oldest = used;
            best = &s->shard[i];
        }
    }
    return best;
}

/* False when there is nothing left to evict. */
static bool evict_one(struct shards *s)
{
    struct cache_entry *gone = NULL;
    struct shard *h = shard_with_oldest(s);
    if (!h)
        return false;
    pthread_mutex_lock(&h->lock);
    if (!list_empty(&h->recent)) {
        struct cache_entry *last = list_entry(h->recent.prev, struct cache_entry, recent);
        gone = take_out(s, h, place_of(h, last->key));
        must(gone == last);
    }
    pthread_mutex_unlock(&h->lock);
    if (gone)
        atomic_fetch_add_explicit(&s->evictions, 1, memory_order_relaxed);
    cache_release(gone);
    return true;
}

bool shards_reserve(struct shards *s, size_t bytes)
{
    if (bytes > s->max_bytes)
        return false;
    atomic_fetch_add_explicit(&s->bytes, bytes, memory_order_relaxed);
    while (atomic_load_explicit(&s->bytes, memory_order_relaxed) > s->max_bytes) {
        if (!evict_one(s)) {
            shards_unreserve(s, bytes);
            return false;
        }
    }
    return true;
}

void shards_unreserve(struct shards *s, size_t bytes)
{
    atomic_fetch_sub_explicit(&s->bytes, bytes, memory_order_relaxed);
}

void shards_put(struct shards *s, struct cache_entry *e)
{
    struct shard *h = shard_of(s, e->key);
    struct cache_entry *replaced = NULL;
    entry_hold(e);
    pthread_mutex_lock(&h->lock);
    if (h->count >= h->bucket_count)
        grow_table(h);
    struct cache_entry **at = place_of(h, e->key);
    if (*at)
        replaced = take_out(s, h, at);
    at = place_of(h, e->key);
    e->chain = NULL;
    *at = e;
    h->count++;
    touch(s, h, e);
    pthread_mutex_unlock(&h->lock);
    cache_release(replaced);
}

void shards_stats_of(struct shards *s, struct shards_stats *ret)
{
    *ret = (struct shards_stats){
        .bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed),
        .evictions = atomic_load_explicit(&s->evictions, memory_order_relaxed),
    };
    for (int i = 0; i < SHARDS_COUNT; i++) {
        struct shard *h = &s->shard[i];
        pthread_mutex_lock(&h->lock);
        ret->entries += h->count;
        ret->indexed += h->index_count;
        ret->index_bytes += h->index_cap * sizeof *h->index;
        pthread_mutex_unlock(&h->lock);
    }
}
