/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules stand in one array in order of their ids. An index by what they hang on leads to the first of
 * a run in a second array, which is sorted by that; it is a hash table at most half full.
 */
#include "control/limit/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/must.h"

#define ARENA_MAX ((size_t)1 << 30)

struct ruleset {
    struct arena *arena;
    struct ruleset_rule **rules;        /* by id; each in the arena */
    const struct ruleset_rule **placed; /* by what they hang on */
    uint32_t count, cap;
    uint32_t *slots; /* first of the run in `placed`, plus one; 0 = empty */
    uint32_t mask;
    uint32_t counts[LIMIT_ATTACH_COUNT];
    bool sealed;
    struct ruleset_reset *resets; /* of the rule added last, while it grows */
    uint32_t reset_cap;
};

/* ---- building ---- */

struct ruleset *ruleset_new(void)
{
    struct ruleset *s = mem_zalloc(sizeof *s);
    s->arena = arena_new(4096, ARENA_MAX);
    return s;
}

void ruleset_free(struct ruleset *s)
{
    if (!s)
        return;
    arena_free(s->arena);
    mem_free(s->rules);
    mem_free(s->placed);
    mem_free(s->slots);
    mem_free(s->resets);
    mem_free(s);
}

static struct str dup(struct ruleset *s, struct str text)
{
    struct str copy = arena_dup(s->arena, text.p ? text : STR(""));
    must(copy.p != NULL);
    return copy;
}

static void *zalloc(struct ruleset *s, size_t size)
{
    void *p = arena_alloc(s->arena, size);
    must(p != NULL);
    return p;
}

/* The resets of the rule added last go where they stay. */
static void settle_resets(struct ruleset *s)
{
    struct ruleset_rule *r = s->count ? s->rules[s->count - 1] : NULL;
    if (!r || !r->reset_count)
        return;
    struct ruleset_reset *kept = zalloc(s, r->reset_count * sizeof *kept);
    memcpy(kept, s->resets, r->reset_count * sizeof *kept);
    r->resets = kept;
}

/* What cannot be read must not let through what a hard rule would have held. */
static void never_or_always(struct ruleset *s, struct ruleset_rule *r)
{
    static const struct str nothing = {"\x01", 1};
    struct policy_condition *c = zalloc(s, sizeof *c);
    *c = (struct policy_condition){.subject = POLICY_API_KEY, .value_count = 1, .values = &nothing};
    r->policy = (struct policy){.conditions = c, .condition_count = r->limit.mode == LIMIT_HARD ? 0 : 1};
}

void ruleset_add(struct ruleset *s, const struct limit *l, bool *ret_sound)
{
    const char *param;
    must(!s->sealed);
    must(s->count == 0 || s->rules[s->count - 1]->limit.id < l->id);
    settle_resets(s);
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->rules = mem_realloc(s->rules, s->cap * sizeof(struct ruleset_rule *));
    }
    struct ruleset_rule *r = zalloc(s, sizeof *r);
    s->rules[s->count++] = r;
    s->counts[l->attach]++;
    r->limit = *l;
    r->limit.source = dup(s, l->source);
    r->limit.name = dup(s, l->name);
    r->limit.conditions = dup(s, l->conditions);
    r->limit.group_by = dup(s, l->group_by);
    *ret_sound = !policy_compile(r->limit.conditions, r->limit.group_by, s->arena, &r->policy, &param);
    if (!*ret_sound)
        never_or_always(s, r);
    r->late = l->attach == LIMIT_INTEGRATION || l->attach == LIMIT_ACCESS || r->policy.late;
}

void ruleset_add_reset(struct ruleset *s, struct str group_text, int64_t counted_from_us)
{
    must(!s->sealed);
    must(s->count > 0);
    struct ruleset_rule *r = s->rules[s->count - 1];
    if (r->reset_count == s->reset_cap) {
        s->reset_cap = s->reset_cap ? s->reset_cap * 2 : 16;
        s->resets = mem_realloc(s->resets, s->reset_cap * sizeof *s->resets);
    }
    s->resets[r->reset_count++] = (struct ruleset_reset){dup(s, group_text), counted_from_us};
}

static bool has_workspace(enum limit_attach a)
{
    return a == LIMIT_ACCESS || a == LIMIT_POLICY;
}

static int compare_places(const struct limit *a, const struct limit *b)
{
    if (a->attach != b->attach)
        return a->attach < b->attach ? -1 : 1;
    if (a->attach_id != b->attach_id)
        return a->attach_id < b->attach_id ? -1 : 1;
    if (has_workspace(a->attach) && a->workspace_id != b->workspace_id)
        return a->workspace_id < b->workspace_id ? -1 : 1;
    return 0;
}

static int compare_rules(const void *x, const void *y)
{
    const struct limit *a = &(*(const struct ruleset_rule *const *)x)->limit;
    const struct limit *b = &(*(const struct ruleset_rule *const *)y)->limit;
    int order = compare_places(a, b);
    return order ? order : a->id < b->id ? -1 : a->id > b->id;
}

static uint64_t hash_place(enum limit_attach a, int64_t id, int64_t workspace_id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)a;
    if (has_workspace(a))
        h ^= (uint64_t)workspace_id * UINT64_C(0xc2b2ae3d27d4eb4f);
    h ^= h >> 32;
    return h * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

static void put_slot(struct ruleset *s, uint32_t first)
{
    const struct limit *l = &s->placed[first]->limit;
    uint64_t at = hash_place(l->attach, l->attach_id, l->workspace_id) & s->mask;
    while (s->slots[at])
        at = (at + 1) & s->mask;
    s->slots[at] = first + 1;
}

void ruleset_seal(struct ruleset *s)
{
    must(!s->sealed);
    settle_resets(s);
    s->sealed = true;
    uint32_t size = 8;
    while (size < s->count * 2)
        size *= 2;
    s->mask = size - 1;
    s->slots = mem_zalloc(size * sizeof *s->slots);
    s->placed = mem_alloc((s->count + 1) * sizeof(const struct ruleset_rule *));
    for (uint32_t i = 0; i < s->count; i++)
        s->placed[i] = s->rules[i];
    qsort(s->placed, s->count, sizeof(const struct ruleset_rule *), compare_rules);
    for (uint32_t i = 0; i < s->count; i++)
        if (i == 0 || compare_places(&s->placed[i - 1]->limit, &s->placed[i]->limit) != 0)
            put_slot(s, i);
}

/* ---- reading ---- */

size_t ruleset_count(const struct ruleset *s, enum limit_attach attach)
{
    return s->counts[attach];
}

static uint32_t run_length(const struct ruleset *s, uint32_t first)
{
    uint32_t n = 1;
    while (first + n < s->count && compare_places(&s->placed[first]->limit, &s->placed[first + n]->limit) == 0)
        n++;
    return n;
}

struct ruleset_list ruleset_find(const struct ruleset *s, enum limit_attach attach, int64_t id, int64_t workspace_id)
{
    const struct limit wanted = {.attach = attach, .attach_id = id, .workspace_id = workspace_id};
    must(s->sealed);
    if (!s->counts[attach])
        return (struct ruleset_list){NULL, 0};
    for (uint64_t at = hash_place(attach, id, workspace_id) & s->mask; s->slots[at]; at = (at + 1) & s->mask) {
        uint32_t first = s->slots[at] - 1;
        if (compare_places(&wanted, &s->placed[first]->limit) == 0)
            return (struct ruleset_list){s->placed + first, run_length(s, first)};
    }
    return (struct ruleset_list){NULL, 0};
}

struct ruleset_list ruleset_all(const struct ruleset *s)
{
    must(s->sealed);
    return (struct ruleset_list){(const struct ruleset_rule *const *)s->rules, s->count};
}

const struct ruleset_rule *ruleset_rule_of(const struct ruleset *s, int64_t id)
{
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->rules[middle]->limit.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->rules[low]->limit.id == id ? s->rules[low] : NULL;
}

int64_t ruleset_counted_from(const struct ruleset_rule *r, struct str group_text)
{
    int64_t from = r->limit.counted_from_us;
    for (uint32_t i = 0; i < r->reset_count; i++)
        if (r->resets[i].counted_from_us > from && str_eq(r->resets[i].group_text, group_text))
            from = r->resets[i].counted_from_us;
    return from;
}
