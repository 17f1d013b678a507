/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How it stands with rules, for APIs and pages. A counter whose window is over is shown as what it will
 * be at the next request: nothing used.
 */
#include <string.h>

#include "base/mem.h"
#include "gateway/limits/limits_inner.h"

#define COPIED_AT_ONCE_MAX 20000

struct copy {
    struct counter_state now;
    uint32_t group_at, group_n;
};

/* Counters of a rule as they are at one moment; callbacks run without the lock. */
struct looking {
    struct copy *list;
    char *groups;
    size_t count, cap, groups_n, groups_cap;
};

static bool copy_one(void *context, struct counter *c)
{
    struct looking *k = context;
    if (k->count == COPIED_AT_ONCE_MAX)
        return false;
    if (k->count == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 8;
        k->list = mem_realloc(k->list, k->cap * sizeof *k->list);
    }
    if (k->groups_n + c->group_n > k->groups_cap || !k->groups) {
        k->groups_cap = (k->groups_n + c->group_n) * 2 + 64;
        k->groups = mem_realloc(k->groups, k->groups_cap);
    }
    struct copy *to = &k->list[k->count++];
    to->now = c->now;
    to->group_at = (uint32_t)k->groups_n;
    to->group_n = c->group_n;
    memcpy(k->groups + k->groups_n, c->group, c->group_n);
    k->groups_n += c->group_n;
    return true;
}

static struct limits_state state_of(const struct ruleset_rule *rule, const struct counter_state *c, struct str group)
{
    const int64_t nothing[COUNTER_QUANTITIES] = {0};
    struct counter_state settled = *c;
    memset(settled.reserved, 0, sizeof settled.reserved);
    return (struct limits_state){
        .rule = rule,
        .group_text = group,
        .used = limits_add(c->used[COUNTER_MAIN], c->used[COUNTER_OUTPUT]),
        .input_used = rule->limit.measure == LIMIT_TOKENS ? c->used[COUNTER_MAIN] : 0,
        .output_used = c->used[COUNTER_OUTPUT],
        .reserved = limits_add(c->reserved[COUNTER_MAIN], c->reserved[COUNTER_OUTPUT]),
        .window_start_us = c->start_us,
        .window_end_us = c->end_us,
        .exhausted = !limits_lets_in(&rule->limit, &settled, nothing),
        .alerted = c->alerted,
    };
}

static struct limits_state fresh(const struct ruleset_rule *rule, struct str group, int64_t now_us)
{
    struct window_span s = counters_span(rule, group, now_us);
    const struct counter_state c = {.start_us = s.start_us, .end_us = s.end_us};
    return state_of(rule, &c, group);
}

void limits_states_of(struct limits *l, const struct ruleset_rule *rule, int64_t now_us, limits_state_fn *each,
                      void *context)
{
    struct looking k = {0};
    bool more = true, shown = rule->policy.group_count > 0;
    counters_each(l->counters, rule->limit.id, copy_one, &k);
    for (size_t i = 0; more && i < k.count; i++) {
        struct str group = str_of(k.groups + k.list[i].group_at, k.list[i].group_n);
        const struct counter_state *c = &k.list[i].now;
        struct window_span s = counters_span(rule, group, now_us);
        bool current = c->start_us >= s.start_us;
        if (!current && group.n)
            continue;
        struct limits_state state = current ? state_of(rule, c, group) : fresh(rule, group, now_us);
        shown = shown || !group.n;
        more = each(context, &state);
    }
    if (!shown && more) {
        struct limits_state state = fresh(rule, STR(""), now_us);
        each(context, &state);
    }
    mem_free(k.list);
    mem_free(k.groups);
}

void limits_states(struct limits *l, const struct snapshot *s, enum limit_attach attach, int64_t id,
                   int64_t workspace_id, int64_t now_us, limits_state_fn *each, void *context)
{
    struct ruleset_list found = ruleset_find(snapshot_limits(s), attach, id, workspace_id);
    for (uint32_t i = 0; i < found.count; i++)
        limits_states_of(l, found.rules[i], now_us, each, context);
}

static bool note_exhausted(void *context, const struct limits_state *state)
{
    bool *exhausted = context;
    *exhausted = *exhausted || (state->exhausted && state->rule->limit.kind == LIMIT_BUDGET);
    return !*exhausted;
}

bool limits_exhausted(struct limits *l, const struct snapshot *s, enum limit_attach attach, int64_t id,
                      int64_t workspace_id, int64_t now_us)
{
    bool exhausted = false;
    limits_states(l, s, attach, id, workspace_id, now_us, note_exhausted, &exhausted);
    return exhausted;
}
