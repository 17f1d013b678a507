/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two levels of hash tables: in a stripe the rules, in a rule its groups. A rule without groups has
 * its one counter in front, so that it is found with the rule.
 *
 * A window that is over is noticed when the counter is asked for: it begins anew then. Nothing runs in
 * the background. The clock may go back a little (workers read it on their own, records keep their
 * order): a counter never goes back to an earlier window, except that of a rate when the clock was set
 * back by more than BACK_MAX_US, since nobody could wait for it.
 */
#include "gateway/limits/counters.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

#define BACK_MAX_US INT64_C(10000000)
#define SWEEP_EVERY_US INT64_C(1000000)
#define PRUNE_MIN 1024

struct rule_counters {
    struct rule_counters *next;
    int64_t rule_id;
    struct counter *single;   /* the group "" */
    struct counter **buckets; /* of other groups; NULL until there is one */
    uint32_t mask, count;
    int64_t swept_us;
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock;
    struct rule_counters **buckets;
    uint32_t mask, count;
};

struct counters {
    struct stripe stripes[COUNTERS_STRIPES];
    uint32_t counters_max, groups_max;
    atomic_uint_fast64_t count, rules;
};

/* ---- life ---- */

struct counters *counters_new(uint32_t counters_max, uint32_t groups_max)
{
    struct counters *t = mem_zalloc(sizeof *t);
    t->counters_max = counters_max;
    t->groups_max = groups_max;
    for (unsigned i = 0; i < COUNTERS_STRIPES; i++) {
        must(pthread_mutex_init(&t->stripes[i].lock, NULL) == 0);
        t->stripes[i].mask = 7;
        t->stripes[i].buckets = mem_zalloc(8 * sizeof(struct rule_counters *));
    }
    return t;
}

static void free_rule(struct rule_counters *rc)
{
    mem_free(rc->single);
    for (uint32_t i = 0; rc->buckets && i <= rc->mask; i++) {
        for (struct counter *c = rc->buckets[i], *next; c; c = next) {
            next = c->next;
            mem_free(c);
        }
    }
    mem_free(rc->buckets);
    mem_free(rc);
}

void counters_free(struct counters *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < COUNTERS_STRIPES; i++) {
        struct stripe *s = &t->stripes[i];
        for (uint32_t at = 0; at <= s->mask; at++) {
            for (struct rule_counters *rc = s->buckets[at], *next; rc; rc = next) {
                next = rc->next;
                free_rule(rc);
            }
        }
        mem_free(s->buckets);
        pthread_mutex_destroy(&s->lock);
    }
    mem_free(t);
}

/* ---- stripes ---- */

static uint64_t hash_rule(int64_t rule_id)
{
    uint64_t h = (uint64_t)rule_id * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

unsigned counters_stripe(int64_t rule_id)
{
    return (unsigned)(hash_rule(rule_id) >> 40 & (COUNTERS_STRIPES - 1));
}

void counters_lock(struct counters *t, uint64_t stripes)
{
    for (; stripes; stripes &= stripes - 1)
        must(pthread_mutex_lock(&t->stripes[__builtin_ctzll(stripes)].lock) == 0);
}

void counters_unlock(struct counters *t, uint64_t stripes)
{
    for (; stripes; stripes &= stripes - 1)
        must(pthread_mutex_unlock(&t->stripes[__builtin_ctzll(stripes)].lock) == 0);
}

/* ---- rules in a stripe ---- */

static struct rule_counters *find_rule(const struct stripe *s, int64_t rule_id)
{
    struct rule_counters *rc = s->buckets[hash_rule(rule_id) & s->mask];
    while (rc && rc->rule_id != rule_id)
        rc = rc->next;
    return rc;
}

static void grow_rules(struct stripe *s)
{
    uint32_t mask = s->mask * 2 + 1;
    struct rule_counters **buckets = mem_zalloc(((size_t)mask + 1) * sizeof(struct rule_counters *));
    for (uint32_t i = 0; i <= s->mask; i++) {
        for (struct rule_counters *rc = s->buckets[i], *next; rc; rc = next) {
            next = rc->next;
            rc->next = buckets[hash_rule(rc->rule_id) & mask];
            buckets[hash_rule(rc->rule_id) & mask] = rc;
        }
    }
    mem_free(s->buckets);
    s->buckets = buckets;
    s->mask = mask;
}

static struct rule_counters *make_rule(struct counters *t, struct stripe *s, int64_t rule_id)
{
    if (s->count > s->mask)
        grow_rules(s);
    struct rule_counters *rc = mem_zalloc(sizeof *rc);
    rc->rule_id = rule_id;
    rc->swept_us = -SWEEP_EVERY_US;
    rc->next = s->buckets[hash_rule(rule_id) & s->mask];
    s->buckets[hash_rule(rule_id) & s->mask] = rc;
    s->count++;
    atomic_fetch_add_explicit(&t->rules, 1, memory_order_relaxed);
    return rc;
}

/* ---- groups of a rule ---- */

static struct counter *find_group(const struct rule_counters *rc, struct str group, uint64_t hash)
{
    struct counter *c = rc->buckets ? rc->buckets[hash & rc->mask] : NULL;
    while (c && !str_eq(counter_group(c), group))
        c = c->next;
    return c;
}

static void grow_groups(struct rule_counters *rc)
{
    uint32_t mask = rc->buckets ? rc->mask * 2 + 1 : 7;
    struct counter **buckets = mem_zalloc(((size_t)mask + 1) * sizeof(struct counter *));
    for (uint32_t i = 0; rc->buckets && i <= rc->mask; i++) {
        for (struct counter *c = rc->buckets[i], *next; c; c = next) {
            uint64_t at = str_hash(counter_group(c)) & mask;
            next = c->next;
            c->next = buckets[at];
            buckets[at] = c;
        }
    }
    mem_free(rc->buckets);
    rc->buckets = buckets;
    rc->mask = mask;
}

/* Nothing is lost with it. */
static bool is_over(const struct counter *c, int64_t now_us)
{
    bool empty = c->now.used[0] == 0 && c->now.used[1] == 0;
    return c->holds == 0 && (now_us >= c->now.end_us || empty);
}

static void sweep(struct counters *t, struct rule_counters *rc, int64_t now_us)
{
    uint64_t before = rc->count;
    if (!rc->buckets || (rc->swept_us <= now_us && now_us - rc->swept_us < SWEEP_EVERY_US))
        return;
    rc->swept_us = now_us;
    for (uint32_t i = 0; i <= rc->mask; i++) {
        for (struct counter **at = &rc->buckets[i]; *at;) {
            struct counter *c = *at;
            if (is_over(c, now_us)) {
                *at = c->next;
                mem_free(c);
                rc->count--;
            } else {
                at = &c->next;
            }
        }
    }
    atomic_fetch_sub_explicit(&t->count, before - rc->count, memory_order_relaxed);
}

static bool is_full(const struct counters *t, const struct rule_counters *rc)
{
    return rc->count >= t->groups_max || atomic_load_explicit(&t->count, memory_order_relaxed) >= t->counters_max;
}

static struct counter *new_counter(struct counters *t, struct str group)
{
    struct counter *c = mem_zalloc(sizeof *c + group.n);
    c->now.start_us = INT64_MIN;
    c->group_n = (uint32_t)group.n;
    if (group.n)
        memcpy(c->group, group.p, group.n);
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    return c;
}

static struct counter *make_group(struct counters *t, struct rule_counters *rc, struct str group, uint64_t hash,
                                  int64_t now_us)
{
    if (is_full(t, rc))
        sweep(t, rc, now_us);
    if (is_full(t, rc))
        return NULL;
    if (!rc->buckets || rc->count > rc->mask)
        grow_groups(rc);
    struct counter *c = new_counter(t, group);
    c->next = rc->buckets[hash & rc->mask];
    rc->buckets[hash & rc->mask] = c;
    rc->count++;
    return c;
}

/* ---- windows ---- */

static struct window_span span_from(const struct ruleset_rule *r, int64_t from_us, int64_t now_us)
{
    struct window_span s = window_at(&r->limit.window, now_us);
    if (from_us > s.start_us)
        s.start_us = from_us;
    return s;
}

struct window_span counters_span(const struct ruleset_rule *r, struct str group, int64_t now_us)
{
    return span_from(r, ruleset_counted_from(r, group), now_us);
}

static void begin(struct counter *c, struct window_span s)
{
    memset(c->now.used, 0, sizeof c->now.used);
    memset(c->now.reserved, 0, sizeof c->now.reserved);
    c->now.alerted = false;
    c->now.start_us = s.start_us;
    c->now.end_us = s.end_us;
}

static void to_window(struct counter *c, const struct ruleset_rule *r, struct str group, int64_t now_us)
{
    int64_t from = ruleset_counted_from(r, group);
    if (now_us >= c->now.start_us && now_us < c->now.end_us && from <= c->now.start_us)
        return;
    struct window_span s = span_from(r, from, now_us);
    bool set_back = r->limit.kind == LIMIT_RATE && s.start_us < c->now.start_us &&
                    c->now.start_us - now_us > BACK_MAX_US && from < c->now.start_us;
    if (s.start_us > c->now.start_us || set_back)
        begin(c, s);
    else if (s.start_us == c->now.start_us)
        c->now.end_us = s.end_us;
}

/* ---- counters ---- */

struct counter *counters_get(struct counters *t, const struct ruleset_rule *r, struct str group, int64_t now_us)
{
    struct stripe *s = &t->stripes[counters_stripe(r->limit.id)];
    struct rule_counters *rc = find_rule(s, r->limit.id);
    struct counter *c;
    if (!rc)
        rc = make_rule(t, s, r->limit.id);
    if (!group.n) {
        if (!rc->single)
            rc->single = new_counter(t, group); /* as many as there are rules: no bound is needed */
        c = rc->single;
    } else {
        uint64_t hash = str_hash(group);
        c = find_group(rc, group, hash);
        if (!c)
            c = make_group(t, rc, group, hash, now_us);
    }
    if (c)
        to_window(c, r, group, now_us);
    return c;
}

struct counter *counters_peek(struct counters *t, int64_t rule_id, struct str group)
{
    const struct rule_counters *rc = find_rule(&t->stripes[counters_stripe(rule_id)], rule_id);
    if (!rc)
        return NULL;
    return group.n ? find_group(rc, group, str_hash(group)) : rc->single;
}

void counters_each(struct counters *t, int64_t rule_id, bool (*each)(void *context, struct counter *c), void *context)
{
    uint64_t stripe = UINT64_C(1) << counters_stripe(rule_id);
    counters_lock(t, stripe);
    const struct rule_counters *rc = find_rule(&t->stripes[counters_stripe(rule_id)], rule_id);
    bool more = rc && (!rc->single || each(context, rc->single));
    for (uint32_t i = 0; more && rc->buckets && i <= rc->mask; i++)
        for (struct counter *c = rc->buckets[i]; more && c; c = c->next)
            more = each(context, c);
    counters_unlock(t, stripe);
}

/* ---- forgetting ---- */

static bool has_holds(const struct rule_counters *rc)
{
    if (rc->single && rc->single->holds)
        return true;
    for (uint32_t i = 0; rc->buckets && i <= rc->mask; i++)
        for (const struct counter *c = rc->buckets[i]; c; c = c->next)
            if (c->holds)
                return true;
    return false;
}

static void prune_stripe(struct counters *t, struct stripe *s, const struct ruleset *rules)
{
    for (uint32_t i = 0; i <= s->mask; i++) {
        for (struct rule_counters **at = &s->buckets[i]; *at;) {
            struct rule_counters *rc = *at;
            if (ruleset_rule_of(rules, rc->rule_id) || has_holds(rc)) {
                at = &rc->next;
                continue;
            }
            *at = rc->next;
            s->count--;
            atomic_fetch_sub_explicit(&t->rules, 1, memory_order_relaxed);
            atomic_fetch_sub_explicit(&t->count, (uint64_t)rc->count + (rc->single ? 1 : 0), memory_order_relaxed);
            free_rule(rc);
        }
    }
}

void counters_prune(struct counters *t, const struct ruleset *rules)
{
    uint64_t live = ruleset_all(rules).count;
    if (atomic_load_explicit(&t->rules, memory_order_relaxed) < 2 * live + PRUNE_MIN)
        return;
    for (unsigned i = 0; i < COUNTERS_STRIPES; i++) {
        counters_lock(t, UINT64_C(1) << i);
        prune_stripe(t, &t->stripes[i], rules);
        counters_unlock(t, UINT64_C(1) << i);
    }
}

uint64_t counters_count(const struct counters *t)
{
    return atomic_load_explicit(&t->count, memory_order_relaxed);
}
