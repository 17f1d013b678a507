/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking is in two steps under the locks of all stripes that are needed: first every rule is asked,
 * then, if none says no, everything is reserved. So a request that is refused by one rule never stands
 * in the way of another one at a second rule, and hard limits hold under any number of workers.
 *
 * What is reserved:
 *
 *     hard         the upper bound; it must fit
 *     soft         what is certain: the input, and the output when the caller set its maximum; the
 *                  limit must not be reached yet
 *     rate, tokens soft, and the caller's maximum of output must fit (portkey.md §7.2)
 *     requests     one, taken at once and also from those that are refused
 */
#include "gateway/limits/limits.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/limit/ruleset.h"
#include "gateway/limits/limits_inner.h"

#define COUNTERS_MAX 200000
#define GROUPS_MAX 10000
#define TOKENS_MAX (INT64_C(1) << 40)

struct limits_item {
    const struct ruleset_rule *rule; /* in the hold's snapshot */
    struct counter *counter;         /* has a hold: stays where it is */
    int64_t start_us;                /* of the window it was admitted in */
    int64_t held[COUNTER_QUANTITIES];
};

struct limits_hold {
    struct snapshot *snapshot; /* a reference */
    int64_t bound_pusd;        /* of the attempt's cost */
    uint32_t count, cap;
    struct limits_item items[];
};

static void bump(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

struct limits *limits_new(const struct limits_options *options)
{
    struct limits *l = mem_zalloc(sizeof *l);
    l->magic = LIMITS_MAGIC;
    if (options)
        l->options = *options;
    if (!l->options.ceiling_pusd_per_tok)
        l->options.ceiling_pusd_per_tok = LIMITS_CEILING_PUSD_PER_TOK;
    if (!l->options.counters_max)
        l->options.counters_max = COUNTERS_MAX;
    if (!l->options.groups_max)
        l->options.groups_max = GROUPS_MAX;
    l->counters = counters_new(l->options.counters_max, l->options.groups_max);
    return l;
}

void limits_free(struct limits *l)
{
    if (!l)
        return;
    must(l->magic == LIMITS_MAGIC);
    counters_free(l->counters);
    l->magic = 0;
    mem_free(l);
}

/* ---- amounts ---- */

int64_t limits_ceiling(const struct limits *l, uint64_t tokens)
{
    int64_t pusd;
    uint64_t price = (uint64_t)l->options.ceiling_pusd_per_tok;
    return tokens > INT64_MAX || __builtin_mul_overflow(tokens, price, &pusd) ? INT64_MAX : pusd;
}

int64_t limits_charge(const struct limits *l, const struct limits_actual *a)
{
    if (a->unpriced)
        return limits_ceiling(l, a->input_tok + a->output_tok + LIMITS_UNPRICED_TOK);
    return a->cost_pusd > 0 ? a->cost_pusd : 0;
}

/* Millions of them can be added up. */
static int64_t tokens(uint64_t n)
{
    return n > TOKENS_MAX ? TOKENS_MAX : (int64_t)n;
}

static int64_t bound_of(const struct limits *l, const struct limits_estimate *e)
{
    int64_t bound = e->unpriced ? limits_ceiling(l, e->input_tok + e->output_tok + LIMITS_UNPRICED_TOK) : e->cost_pusd;
    return bound < 0 ? 0 : bound > LIMIT_AMOUNT_MAX ? LIMIT_AMOUNT_MAX : bound;
}

static void ask_cost(const struct limits *l, struct limits_ask *ask, const struct limits_estimate *e)
{
    int64_t bound = bound_of(l, e);
    int64_t sure = e->unpriced ? limits_ceiling(l, e->input_tok + LIMITS_UNPRICED_TOK) : e->cost_input_pusd;
    sure = sure < 0 ? 0 : sure > bound ? bound : sure;
    bool hard = ask->rule->limit.mode == LIMIT_HARD;
    ask->need[COUNTER_MAIN] = hard ? bound : 0;
    ask->hold[COUNTER_MAIN] = hard || e->output_given ? bound : sure;
}

static void ask_tokens(struct limits_ask *ask, const struct limits_estimate *e)
{
    const struct limit *l = &ask->rule->limit;
    int64_t in = tokens(e->input_tok), out = tokens(e->output_tok);
    bool hard = l->mode == LIMIT_HARD;
    if (hard) {
        ask->need[COUNTER_MAIN] = in;
        ask->need[COUNTER_OUTPUT] = out;
    } else if (l->kind == LIMIT_RATE && e->output_given) {
        ask->need[COUNTER_OUTPUT] = out;
    }
    ask->hold[COUNTER_MAIN] = in;
    ask->hold[COUNTER_OUTPUT] = hard || e->output_given ? out : 0;
}

static void ask_amounts(const struct limits *l, struct limits_ask *ask, const struct limits_estimate *e)
{
    switch (ask->rule->limit.measure) {
    case LIMIT_COST:
        ask_cost(l, ask, e);
        break;
    case LIMIT_TOKENS:
        ask_tokens(ask, e);
        break;
    case LIMIT_REQUESTS:
        ask->need[COUNTER_MAIN] = 1;
        break;
    case LIMIT_MEASURE_COUNT:
        must(ask->rule->limit.measure < LIMIT_MEASURE_COUNT);
    }
}

/* `taken` of `max` is used or reserved: whether `need` more may be. */
static bool fits(int64_t max, int64_t taken, int64_t need)
{
    return max == 0 || (taken < max && need <= max - taken);
}

bool limits_lets_in(const struct limit *l, const struct counter_state *c, const int64_t need[COUNTER_QUANTITIES])
{
    int64_t main = limits_add(c->used[COUNTER_MAIN], c->reserved[COUNTER_MAIN]);
    int64_t output = limits_add(c->used[COUNTER_OUTPUT], c->reserved[COUNTER_OUTPUT]);
    return fits(l->max, limits_add(main, output), limits_add(need[COUNTER_MAIN], need[COUNTER_OUTPUT])) &&
           fits(l->input_max, main, need[COUNTER_MAIN]) && fits(l->output_max, output, need[COUNTER_OUTPUT]);
}

/* ---- admitting ---- */

static uint64_t stripes_of(const struct limits_asks *asks)
{
    uint64_t stripes = 0;
    for (uint32_t i = 0; i < asks->count; i++)
        stripes |= UINT64_C(1) << counters_stripe(asks->list[i].rule->limit.id);
    return stripes;
}

/* The first rule that says no, or NULL. Its counter is NULL when there was no room for one. */
static struct limits_ask *ask_all(struct limits *l, struct limits_asks *asks, int64_t now_us)
{
    struct limits_ask *no = NULL;
    for (uint32_t i = 0; i < asks->count; i++) {
        struct limits_ask *ask = &asks->list[i];
        ask->counter = counters_get(l->counters, ask->rule, ask->group, now_us);
        if (!no && (!ask->counter || !limits_lets_in(&ask->rule->limit, &ask->counter->now, ask->need)))
            no = ask;
    }
    return no;
}

/* Requests are counted whatever comes of them. */
static void count_requests(struct limits_asks *asks)
{
    for (uint32_t i = 0; i < asks->count; i++) {
        struct limits_ask *ask = &asks->list[i];
        if (ask->rule->limit.measure == LIMIT_REQUESTS && ask->counter)
            ask->counter->now.used[COUNTER_MAIN] = limits_add(ask->counter->now.used[COUNTER_MAIN], 1);
    }
}

static void reserve(const struct limits_asks *asks, struct limits_hold *h, int64_t bound_pusd)
{
    h->bound_pusd = bound_pusd > h->bound_pusd ? bound_pusd : h->bound_pusd;
    for (uint32_t i = 0; i < asks->count; i++) {
        const struct limits_ask *ask = &asks->list[i];
        struct counter *c = ask->counter;
        if (ask->rule->limit.measure == LIMIT_REQUESTS)
            continue;
        must(h->count < h->cap);
        struct limits_item *item = &h->items[h->count++];
        *item = (struct limits_item){.rule = ask->rule, .counter = c, .start_us = c->now.start_us};
        for (unsigned q = 0; q < COUNTER_QUANTITIES; q++) {
            item->held[q] = ask->hold[q];
            c->now.reserved[q] += ask->hold[q];
            must(c->now.reserved[q] >= 0);
        }
        c->holds++;
    }
}

static uint32_t items_wanted(const struct limits_asks *asks)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < asks->count; i++)
        n += asks->list[i].rule->limit.measure != LIMIT_REQUESTS;
    return n;
}

/* Room for so many more items. */
static struct limits_hold *hold_grow(struct limits *l, struct limits_hold *h, uint32_t more, struct snapshot *snapshot)
{
    bool fresh = h == NULL;
    uint32_t count = fresh ? 0 : h->count;
    h = mem_realloc(h, sizeof *h + (count + more) * sizeof h->items[0]);
    h->cap = count + more;
    if (fresh) {
        h->count = 0;
        h->bound_pusd = 0;
        h->snapshot = snapshot_ref(snapshot);
        bump(&l->holds);
    }
    return h;
}

static void hold_free(struct limits *l, struct limits_hold **hold)
{
    snapshot_unref((*hold)->snapshot);
    mem_free(*hold);
    *hold = NULL;
    atomic_fetch_sub_explicit(&l->holds, 1, memory_order_relaxed);
}

/* `seen` is the counter as it was when it said no; NULL: there was no room for one. */
static void refused(struct limits *l, const struct limits_ask *no, const struct counter_state *seen,
                    const struct limits_subject *s, int64_t now_us, struct limits_refusal *ret)
{
    bump(seen ? &l->refused[no->rule->limit.kind] : &l->refused_counters);
    if (seen)
        limits_refuse(no, seen, s, now_us, ret);
    else
        limits_refuse_full(no, ret);
}

bool limits_admit(struct limits *l, const struct limits_subject *subject, enum limits_stage stage,
                  const struct limits_estimate *estimate, int64_t now_us, struct limits_hold **hold,
                  struct limits_refusal *ret_refusal)
{
    if (ruleset_all(snapshot_limits(subject->snapshot)).count == 0)
        return true;
    struct limits_asks asks;
    struct counter_state seen;
    must(l->magic == LIMITS_MAGIC);
    limits_gather(subject, stage, &asks);
    if (!asks.count)
        return true;
    for (uint32_t i = 0; i < asks.count; i++)
        ask_amounts(l, &asks.list[i], estimate);
    uint32_t items = items_wanted(&asks);
    struct limits_hold *h = *hold;
    if (items && (!h || h->cap - h->count < items))
        h = hold_grow(l, h, items, subject->snapshot);
    uint64_t stripes = stripes_of(&asks);
    counters_lock(l->counters, stripes);
    struct limits_ask *no = ask_all(l, &asks, now_us);
    if (no && no->counter)
        seen = no->counter->now;
    count_requests(&asks);
    if (!no && items)
        reserve(&asks, h, bound_of(l, estimate));
    counters_unlock(l->counters, stripes);
    if (h && !h->count)
        hold_free(l, &h);
    *hold = h;
    if (!no) {
        bump(&l->admitted);
        return true;
    }
    refused(l, no, no->counter ? &seen : NULL, subject, now_us, ret_refusal);
    return false;
}

/* ---- settling ---- */

static void tell(struct limits *l, const struct limits_item *item, const struct counter_state *c, struct str group)
{
    const struct limits_alert alert = {
        .rule_id = item->rule->limit.id,
        .limit = &item->rule->limit,
        .group_text = group,
        .used = limits_add(c->used[COUNTER_MAIN], c->used[COUNTER_OUTPUT]),
        .max = item->rule->limit.max,
        .window_start_us = c->start_us,
        .window_end_us = c->end_us,
    };
    bump(&l->alerts);
    log_warn("limit_alert", LOG_INT("rule", alert.rule_id), LOG_TEXT("on", limit_attach_text(item->rule->limit.attach)),
             LOG_INT("object", item->rule->limit.attach_id),
             LOG_TEXT("measure", limit_measure_text(item->rule->limit.measure)), LOG_INT("used", alert.used),
             LOG_INT("alert_at", item->rule->limit.alert_at), LOG_INT("limit", alert.max));
    if (l->options.alert)
        l->options.alert(l->options.alert_context, &alert);
}

static void charge_of(const struct limits *l, const struct limits_item *item, const struct limits_actual *a,
                      int64_t ret[COUNTER_QUANTITIES])
{
    bool cost = item->rule->limit.measure == LIMIT_COST;
    ret[COUNTER_MAIN] = cost ? limits_charge(l, a) : tokens(a->input_tok);
    ret[COUNTER_OUTPUT] = cost ? 0 : tokens(a->output_tok);
}

/* Whether it crosses the alert threshold; locked. */
static bool crosses(const struct limit *l, struct counter_state *c)
{
    int64_t used = limits_add(c->used[COUNTER_MAIN], c->used[COUNTER_OUTPUT]);
    if (!l->alert_at || c->alerted || used < l->alert_at)
        return false;
    c->alerted = true;
    return true;
}

static void end_item(struct limits *l, const struct limits_item *item, const struct limits_actual *a)
{
    struct counter *c = item->counter;
    struct counter_state seen;
    char group[POLICY_GROUP_TEXT_MAX];
    uint64_t stripe = UINT64_C(1) << counters_stripe(item->rule->limit.id);
    int64_t charge[COUNTER_QUANTITIES] = {0};
    bool alert = false, beyond = false;
    size_t group_n = 0;
    if (a)
        charge_of(l, item, a, charge);
    counters_lock(l->counters, stripe);
    must(c->holds > 0);
    c->holds--;
    if (c->now.start_us == item->start_us) { /* else its window is over, and what it holds with it */
        for (unsigned q = 0; q < COUNTER_QUANTITIES; q++) {
            c->now.reserved[q] -= item->held[q];
            must(c->now.reserved[q] >= 0);
            c->now.used[q] = limits_add(c->now.used[q], charge[q]);
            beyond = beyond || charge[q] > item->held[q];
        }
        alert = a && crosses(&item->rule->limit, &c->now);
    }
    if (alert) {
        seen = c->now;
        group_n = c->group_n;
        memcpy(group, c->group, c->group_n);
    }
    counters_unlock(l->counters, stripe);
    if (beyond && item->rule->limit.mode == LIMIT_HARD)
        bump(&l->beyond);
    if (alert)
        tell(l, item, &seen, str_of(group, group_n));
}

static void end(struct limits *l, struct limits_hold **hold, const struct limits_actual *a)
{
    struct limits_hold *h = *hold;
    if (!h)
        return;
    must(l->magic == LIMITS_MAGIC);
    for (uint32_t i = 0; i < h->count; i++)
        end_item(l, &h->items[i], a);
    if (a && a->unpriced)
        bump(&l->unpriced);
    hold_free(l, hold);
}

void limits_settle(struct limits *l, struct limits_hold **hold, const struct limits_actual *actual)
{
    must(actual != NULL);
    end(l, hold, actual);
}

void limits_release(struct limits *l, struct limits_hold **hold)
{
    end(l, hold, NULL);
}

int64_t limits_held_pusd(const struct limits_hold *hold)
{
    return hold ? hold->bound_pusd : 0;
}

void limits_set_snapshot(struct limits *l, const struct snapshot *s)
{
    counters_prune(l->counters, snapshot_limits(s));
}

void limits_count(const struct limits *l, struct limits_counts *ret)
{
    *ret = (struct limits_counts){
        .admitted = atomic_load_explicit(&l->admitted, memory_order_relaxed),
        .refused_budget = atomic_load_explicit(&l->refused[LIMIT_BUDGET], memory_order_relaxed),
        .refused_rate = atomic_load_explicit(&l->refused[LIMIT_RATE], memory_order_relaxed),
        .refused_cap = atomic_load_explicit(&l->refused[LIMIT_CAP], memory_order_relaxed),
        .refused_counters = atomic_load_explicit(&l->refused_counters, memory_order_relaxed),
        .alerts = atomic_load_explicit(&l->alerts, memory_order_relaxed),
        .unpriced = atomic_load_explicit(&l->unpriced, memory_order_relaxed),
        .beyond = atomic_load_explicit(&l->beyond, memory_order_relaxed),
        .counters = counters_count(l->counters),
        .holds = atomic_load_explicit(&l->holds, memory_order_relaxed),
    };
}
