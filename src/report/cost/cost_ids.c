/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums by the ids of a statement's columns. The database can group too, but only by sorting, which for a report
 * of few groups over many rows takes several times as long as this hash table.
 */
#include "base/mem.h"
#include "base/must.h"
#include "report/cost/cost_inner.h"

#define FIRST_SLOTS 1024
#define ENTRIES_MAX 2000000

struct cost_ids {
    unsigned width;
    int64_t *keys;             /* `width` for each entry; owned */
    struct cost_ids_sum *sums; /* one for each entry; owned */
    uint32_t *slots;           /* number of an entry + 1; 0 = empty; owned */
    size_t slot_count, count, last;
};

struct cost_ids *cost_ids_new(unsigned width)
{
    struct cost_ids *t = mem_zalloc(sizeof *t);
    must(width > 0);
    t->width = width;
    return t;
}

void cost_ids_free(struct cost_ids *t)
{
    if (!t)
        return;
    mem_free(t->keys);
    mem_free(t->sums);
    mem_free(t->slots);
    mem_free(t);
}

static bool same(const struct cost_ids *t, size_t entry, const int64_t *key)
{
    const int64_t *own = t->keys + entry * t->width;
    unsigned i = 0;
    while (i < t->width && own[i] == key[i])
        i++;
    return i == t->width;
}

static uint32_t *find_slot(const struct cost_ids *t, const int64_t *key)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < t->width; i++)
        hash = (hash ^ (hash >> 29) ^ (uint64_t)key[i]) * UINT64_C(0xbf58476d1ce4e5b9);
    size_t at = (size_t)(hash ^ (hash >> 31)) & (t->slot_count - 1);
    while (t->slots[at] && !same(t, t->slots[at] - 1, key))
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

static void grow(struct cost_ids *t)
{
    t->slot_count = t->slot_count ? t->slot_count * 2 : FIRST_SLOTS;
    t->keys = mem_realloc(t->keys, t->slot_count / 2 * t->width * sizeof *t->keys);
    t->sums = mem_realloc(t->sums, t->slot_count / 2 * sizeof *t->sums);
    mem_free(t->slots);
    t->slots = mem_zalloc(t->slot_count * sizeof *t->slots);
    for (size_t i = 0; i < t->count; i++)
        *find_slot(t, t->keys + i * t->width) = (uint32_t)i + 1;
}

struct cost_ids_sum *cost_ids_find(struct cost_ids *t, const int64_t *key)
{
    if (t->count && same(t, t->last, key))
        return &t->sums[t->last];
    if (t->count * 2 >= t->slot_count)
        grow(t);
    uint32_t *slot = find_slot(t, key);
    if (!*slot) {
        if (t->count == ENTRIES_MAX)
            return NULL;
        memcpy(t->keys + t->count * t->width, key, t->width * sizeof *key);
        t->sums[t->count] = (struct cost_ids_sum){.rows = 0};
        *slot = (uint32_t)++t->count;
    }
    t->last = *slot - 1;
    return &t->sums[t->last];
}

size_t cost_ids_last(const struct cost_ids *t)
{
    must(t->last < t->count);
    return t->last;
}

bool cost_ids_get(const struct cost_ids *t, size_t i, const int64_t **ret_key, struct cost_ids_sum *ret_sum)
{
    if (i >= t->count)
        return false;
    *ret_key = t->keys + i * t->width;
    *ret_sum = t->sums[i];
    return true;
}
