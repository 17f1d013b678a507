/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing over rows of three numbers; entries keep the order in which they came. */
#include "report/match/match_table.h"

#include <string.h>

#include "base/mem.h"

#define FIRST_SLOTS 256

static uint32_t *find_slot(const struct match_table *t, const int64_t key[3])
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < 3; i++)
        hash = (hash ^ (hash >> 29) ^ (uint64_t)key[i]) * UINT64_C(0xbf58476d1ce4e5b9);
    size_t at = (size_t)(hash ^ (hash >> 31)) & (t->slot_count - 1);
    while (t->slots[at] && memcmp(t->keys + (t->slots[at] - 1) * 3, key, 3 * sizeof *key) != 0)
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

bool match_table_get(const struct match_table *t, const int64_t key[3], uint32_t *ret)
{
    uint32_t *slot = t->slot_count ? find_slot(t, key) : NULL;
    if (!slot || !*slot)
        return false;
    *ret = t->value[*slot - 1];
    return true;
}

static void grow(struct match_table *t)
{
    t->slot_count = t->slot_count ? t->slot_count * 2 : FIRST_SLOTS;
    t->keys = mem_realloc(t->keys, t->slot_count / 2 * 3 * sizeof *t->keys);
    t->value = mem_realloc(t->value, t->slot_count / 2 * sizeof *t->value);
    mem_free(t->slots);
    t->slots = mem_zalloc(t->slot_count * sizeof *t->slots);
    for (size_t i = 0; i < t->count; i++)
        *find_slot(t, t->keys + i * 3) = (uint32_t)i + 1;
}

uint32_t *match_table_at(struct match_table *t, const int64_t key[3])
{
    if (t->count * 2 >= t->slot_count)
        grow(t);
    uint32_t *slot = find_slot(t, key);
    if (!*slot) {
        memcpy(t->keys + t->count * 3, key, 3 * sizeof *key);
        t->value[t->count] = 0;
        *slot = (uint32_t)++t->count;
    }
    return &t->value[*slot - 1];
}

void match_table_put(struct match_table *t, const int64_t key[3], uint32_t value)
{
    *match_table_at(t, key) = value;
}

void match_table_free(struct match_table *t)
{
    mem_free(t->keys);
    mem_free(t->value);
    mem_free(t->slots);
    *t = (struct match_table){.keys = NULL};
}
