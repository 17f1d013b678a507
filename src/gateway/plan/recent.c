/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table with chains, and a list through all entries in the order of their use. */
#include "gateway/plan/recent.h"

#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/str.h"

void recent_init(struct recent *t, size_t max, size_t entry_size)
{
    size_t buckets = 64;
    must(entry_size >= sizeof(struct recent_entry));
    while (buckets < max / 2)
        buckets *= 2;
    *t = (struct recent){.mask = buckets - 1, .max = max, .entry_size = entry_size};
    t->buckets = mem_zalloc(buckets * sizeof(struct recent_entry *));
    list_init(&t->use);
}

static struct recent_entry **place_of(struct recent *t, const unsigned char *key)
{
    struct str k = str_of((const char *)key, RECENT_KEY_BYTES);
    struct recent_entry **at = &t->buckets[str_hash(k) & t->mask];
    while (*at && memcmp((*at)->key, key, RECENT_KEY_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

void *recent_find(struct recent *t, const unsigned char key[RECENT_KEY_BYTES])
{
    struct recent_entry *e = *place_of(t, key);
    if (!e)
        return NULL;
    list_remove(&e->use);
    list_prepend(&t->use, &e->use);
    return e;
}

void recent_drop(struct recent *t, void *entry)
{
    struct recent_entry *e = entry, **at = place_of(t, e->key);
    must(*at == e);
    *at = e->next;
    list_remove(&e->use);
    mem_free(e);
    t->count--;
}

void *recent_make(struct recent *t, const unsigned char key[RECENT_KEY_BYTES])
{
    struct recent_entry *e = recent_find(t, key);
    if (e)
        return e;
    if (t->count == t->max)
        recent_drop(t, list_entry(t->use.prev, struct recent_entry, use));
    e = mem_zalloc(t->entry_size);
    memcpy(e->key, key, RECENT_KEY_BYTES);
    *place_of(t, key) = e;
    list_prepend(&t->use, &e->use);
    t->count++;
    return e;
}

void recent_done(struct recent *t)
{
    while (!list_empty(&t->use))
        recent_drop(t, list_entry(t->use.next, struct recent_entry, use));
    mem_free(t->buckets);
}
