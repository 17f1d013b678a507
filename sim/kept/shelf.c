/* SPDX-License-Identifier: Apache-2.0 */
/* Two hash tables by chains: items by collection and id, collections by name. */
#include "sim/kept/shelf.h"

#include "base/mem.h"
#include "base/must.h"

#define ITEM_BUCKETS 65536
#define COLLECTION_BUCKETS 16384
#define ITEMS_MAX 300000
#define JSON_BYTES_MAX (UINT64_C(512) << 20)

struct shelf_collection {
    struct shelf_collection *chain;
    struct str name; /* owned */
    struct list items;
    uint64_t count;
};

struct shelf {
    struct blob_pool blobs;
    struct list age; /* oldest first */
    uint64_t items, bytes;
    struct shelf_item *item[ITEM_BUCKETS];
    struct shelf_collection *collection[COLLECTION_BUCKETS];
};

struct shelf *shelf_new(uint64_t blob_bytes_max)
{
    struct shelf *s = mem_zalloc(sizeof *s);
    list_init(&s->age);
    blob_pool_init(&s->blobs, blob_bytes_max);
    return s;
}

void shelf_clear(struct shelf *s)
{
    while (!list_empty(&s->age))
        shelf_remove(s, list_entry(s->age.next, struct shelf_item, in_age));
}

void shelf_free(struct shelf *s)
{
    if (!s)
        return;
    shelf_clear(s);
    mem_free(s);
}

struct blob_pool *shelf_blobs(struct shelf *s)
{
    return &s->blobs;
}

static struct shelf_collection **collection_place(struct shelf *s, struct str name)
{
    struct shelf_collection **at = &s->collection[str_hash(name) % COLLECTION_BUCKETS];
    while (*at && !str_eq((*at)->name, name))
        at = &(*at)->chain;
    return at;
}

static struct shelf_item **item_place(struct shelf *s, const struct shelf_collection *c, struct str id)
{
    struct shelf_item **at = &s->item[(str_hash(id) ^ (uintptr_t)c >> 4) % ITEM_BUCKETS];
    while (*at && ((*at)->collection != c || !str_eq(str_c((*at)->id), id)))
        at = &(*at)->chain;
    return at;
}

static struct str owned(struct str s)
{
    return str_of(mem_strndup(s.n ? s.p : "", s.n), s.n);
}

static void release(struct str s)
{
    mem_free((void *)(uintptr_t)s.p);
}

void shelf_set(struct shelf *s, struct shelf_item *i, struct str json)
{
    struct str copy = owned(json);
    s->bytes = s->bytes - i->json.n + copy.n;
    release(i->json);
    i->json = copy;
}

void shelf_set_hidden(struct shelf_item *i, struct str json)
{
    struct str copy = owned(json);
    release(i->hidden);
    i->hidden = copy;
}

void shelf_set_then(struct shelf_item *i, int64_t due_us, struct str changes)
{
    struct str copy = owned(changes);
    release(i->then);
    i->then = copy;
    i->due_us = due_us;
}

void shelf_set_blob(struct shelf_item *i, struct blob *blob)
{
    struct blob *mine = blob ? blob_get(blob) : NULL;
    blob_put(i->blob);
    i->blob = mine;
}

void shelf_remove(struct shelf *s, struct shelf_item *i)
{
    struct shelf_collection *c = i->collection;
    struct shelf_item **at = item_place(s, c, str_c(i->id));
    must(*at == i);
    *at = i->chain;
    list_remove(&i->in_collection);
    list_remove(&i->in_age);
    s->items--;
    s->bytes -= i->json.n;
    if (--c->count == 0) {
        struct shelf_collection **place = collection_place(s, c->name);
        must(*place == c);
        *place = c->chain;
        release(c->name);
        mem_free(c);
    }
    blob_put(i->blob);
    release(i->json);
    release(i->hidden);
    release(i->then);
    mem_free(i);
}

static struct shelf_collection *collection_of(struct shelf *s, struct str name)
{
    struct shelf_collection **at = collection_place(s, name);
    if (!*at) {
        *at = mem_zalloc(sizeof **at);
        (*at)->name = owned(name);
        list_init(&(*at)->items);
    }
    return *at;
}

struct shelf_item *shelf_put(struct shelf *s, struct str collection, struct str id, struct str json)
{
    struct shelf_item *i = shelf_get(s, collection, id);
    if (i) {
        shelf_set(s, i, json);
        return i;
    }
    while (!list_empty(&s->age) && (s->items >= ITEMS_MAX || s->bytes + json.n > JSON_BYTES_MAX))
        shelf_remove(s, list_entry(s->age.next, struct shelf_item, in_age));
    struct shelf_collection *c = collection_of(s, collection);
    i = mem_zalloc(sizeof *i);
    str_copy(i->id, sizeof i->id, id);
    i->collection = c;
    i->json = owned(json);
    s->bytes += json.n;
    s->items++;
    c->count++;
    struct shelf_item **at = item_place(s, c, str_c(i->id));
    *at = i;
    list_append(&c->items, &i->in_collection);
    list_append(&s->age, &i->in_age);
    return i;
}

struct shelf_item *shelf_get(struct shelf *s, struct str collection, struct str id)
{
    struct shelf_collection *c = *collection_place(s, collection);
    return c ? *item_place(s, c, id) : NULL;
}

void shelf_remove_below(struct shelf *s, struct str collection)
{
    struct list *n = s->age.next;
    while (n != &s->age) {
        struct shelf_item *i = list_entry(n, struct shelf_item, in_age);
        struct str name = i->collection->name;
        n = n->next;
        if (str_starts(name, collection) && (name.n == collection.n || name.p[collection.n] == '/'))
            shelf_remove(s, i);
    }
}

struct shelf_item *shelf_first(struct shelf *s, struct str collection, bool newest_first)
{
    struct shelf_collection *c = *collection_place(s, collection);
    if (!c)
        return NULL;
    return list_entry(newest_first ? c->items.prev : c->items.next, struct shelf_item, in_collection);
}

struct shelf_item *shelf_next(struct shelf_item *i, bool newest_first)
{
    struct list *n = newest_first ? i->in_collection.prev : i->in_collection.next;
    return n == &i->collection->items ? NULL : list_entry(n, struct shelf_item, in_collection);
}

uint64_t shelf_count(struct shelf *s, struct str collection)
{
    struct shelf_collection *c = *collection_place(s, collection);
    return c ? c->count : 0;
}
