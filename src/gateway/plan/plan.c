/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From tree to list, in one walk. A leaf becomes a step. A fallback's targets become steps one
 * behind the other, and then every step of each target but the last gets a jump to where the next
 * one begins, with the fallback's own rule. Since the walk comes back from the inside out, a step's
 * jumps are in the order in which they must be asked: a status that the innermost fallback does not
 * go on with is what that fallback ends with, and the next one around it is asked about the same status.
 */
#include "gateway/plan/plan.h"

#include <stdio.h>

#include "base/must.h"
#include "gateway/plan/condition.h"
#include "gateway/plan/explain.h"
#include "gateway/plan/sticky.h"

#define NO_CONDITIONS "No conditions passed in the query router"
#define NO_TARGET "Query router did not resolve to any valid target"
#define BAD_TARGET "Invalid target name found in the query router: "
#define BAD_OPERATOR "Unsupported operator used in the query router: "

struct making {
    const struct plan_input *in;
    struct arena *arena;
    struct plan_step *steps;
    unsigned count, cap;
    bool full;
    struct explain explain;
    struct condition_facts facts;
};

/* Which targets of a node may be used now. */
struct allowed {
    uint64_t bits[(CONFIG_NODES_MAX + 63) / 64];
    size_t n;
};

static void *get(struct making *m, size_t size)
{
    void *p = arena_alloc(m->arena, size);
    m->full |= !p;
    return p;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* `jumps` is how many fallbacks are around the node. */
static struct plan_step *add_step(struct making *m, const struct config_node *node, unsigned jumps)
{
    must(m->count < m->cap);
    struct plan_step *s = &m->steps[m->count];
    struct plan_jump *room = jumps ? get(m, jumps * sizeof *room) : NULL;
    if (m->full)
        return NULL;
    *s = (struct plan_step){.node = node, .jumps = room};
    m->count++;
    return s;
}

static void add_jump(struct plan_step *s, const struct config_node *fallback, unsigned to)
{
    struct plan_jump *jump = (struct plan_jump *)(uintptr_t)&s->jumps[s->jump_count++];
    *jump = (struct plan_jump){fallback->any_status, fallback->on_status_codes, (uint16_t)to};
}

static void build(struct making *m, const struct config_node *node, unsigned jumps);

static void build_refusal(struct making *m, const struct config_node *node, const char *text, struct str detail)
{
    struct str start = str_c(text);
    detail = str_head(detail, 100);
    char *p = get(m, start.n + detail.n + 1);
    struct plan_step *s = p ? add_step(m, node, 0) : NULL;
    if (!s)
        return;
    memcpy(p, start.p, start.n);
    memcpy(p + start.n, detail.p, detail.n);
    s->refusal = p;
    explain_refusal(&m->explain, node, p);
}

/* --- circuit breakers ------------------------------------------------------------------------- */

static bool is_allowed(const struct allowed *a, size_t i)
{
    return a->bits[i / 64] >> (i % 64) & 1;
}

static void allow_all(struct allowed *a, size_t n)
{
    *a = (struct allowed){.n = n};
    for (size_t i = 0; i < n; i++)
        a->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Targets whose breaker is open are left out, unless all of them are. */
static void find_allowed(struct making *m, const struct config_node *node, struct allowed *a)
{
    const struct plan_input *in = m->in;
    *a = (struct allowed){.n = 0};
    for (size_t i = 0; i < node->target_count; i++) {
        const struct config_node *t = &node->targets[i];
        if (!t->target_count && breakers_open(in->breakers, in->config, t, in->now_us)) {
            explain_open(&m->explain, t);
            continue;
        }
        a->bits[i / 64] |= UINT64_C(1) << (i % 64);
        a->n++;
    }
    if (a->n)
        return;
    allow_all(a, node->target_count);
    explain_all_open(&m->explain, node);
}

/* --- strategies ------------------------------------------------------------------------------- */

static void build_fallback(struct making *m, const struct config_node *node, unsigned jumps)
{
    struct allowed a;
    size_t left;
    find_allowed(m, node, &a);
    left = a.n;
    explain_fallback(&m->explain, node);
    for (size_t i = 0; i < node->target_count && !m->full; i++) {
        unsigned from = m->count;
        if (!is_allowed(&a, i))
            continue;
        left--;
        build(m, &node->targets[i], jumps + (left > 0));
        for (unsigned s = from; left && !m->full && s < m->count; s++)
            if (!m->steps[s].refusal)
                add_jump(&m->steps[s], node, m->count);
    }
}

static double weight_of(const struct config_node *node, const struct allowed *a)
{
    double sum = 0;
    for (size_t i = 0; i < node->target_count; i++)
        sum += is_allowed(a, i) ? node->targets[i].weight : 0;
    return sum;
}

double plan_draw(uint64_t random, uint32_t node_id)
{
    uint64_t z = random + (node_id + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

static unsigned choose(struct making *m, const struct config_node *node, const struct allowed *a)
{
    double sum = weight_of(node, a), draw = plan_draw(m->in->random, node->id), rest = draw * sum;
    unsigned chosen = 0;
    for (unsigned i = 0; i < node->target_count; i++) {
        double weight = is_allowed(a, i) ? node->targets[i].weight : 0;
        if (!(weight > 0))
            continue;
        chosen = i; /* the last one, should rounding leave something over */
        if (rest < weight)
            break;
        rest -= weight;
    }
    explain_draw(&m->explain, node, draw, sum, chosen);
    return chosen;
}

static void build_loadbalance(struct making *m, const struct config_node *node, unsigned jumps)
{
    struct allowed a;
    struct sticky_key who;
    unsigned chosen;
    bool sticks = sticky_who(m->in, node, &who);
    find_allowed(m, node, &a);
    if (!(weight_of(node, &a) > 0)) /* what is not open has no weight */
        allow_all(&a, node->target_count);
    if (sticks && sticky_find(m->in, node, &who, &chosen) && is_allowed(&a, chosen)) {
        explain_sticky(&m->explain, node, chosen);
    } else {
        chosen = choose(m, node, &a);
        if (sticks)
            sticky_keep(m->in, node, &who, chosen);
    }
    build(m, &node->targets[chosen], jumps);
}

static void build_single(struct making *m, const struct config_node *node, unsigned jumps)
{
    struct allowed a;
    size_t i = 0;
    find_allowed(m, node, &a);
    while (!is_allowed(&a, i))
        i++;
    explain_single(&m->explain, node, i);
    build(m, &node->targets[i], jumps);
}

/* The name of the target; p == NULL: refused, the refusal is a step already. */
static struct str route(struct making *m, const struct config_node *node)
{
    for (size_t i = 0; i < node->condition_count; i++) {
        const struct config_condition *c = &node->conditions[i];
        struct str operator;
        bool is_true = false;
        if (condition_check(&m->facts, c->query, &is_true, &operator) != ERR_OK) {
            build_refusal(m, node, BAD_OPERATOR, operator);
            return str_of(NULL, 0);
        }
        explain_condition(&m->explain, node, i, is_true);
        if (is_true)
            return c->then;
    }
    return node->default_target;
}

static void build_conditional(struct making *m, const struct config_node *node, unsigned jumps)
{
    if (!node->condition_count) {
        build_refusal(m, node, NO_CONDITIONS, STR(""));
        return;
    }
    struct str name = route(m, node);
    if (!name.p)
        return;
    if (!name.n) {
        build_refusal(m, node, NO_TARGET, STR(""));
        return;
    }
    for (size_t i = 0; i < node->target_count; i++) {
        if (!str_eq(node->targets[i].name, name))
            continue;
        explain_route(&m->explain, &node->targets[i]);
        build(m, &node->targets[i], jumps);
        return;
    }
    build_refusal(m, node, BAD_TARGET, name);
}

/* The depth is at most CONFIG_DEPTH_MAX. */
static void build(struct making *m, const struct config_node *node, unsigned jumps)
{
    if (!node->target_count) {
        struct plan_step *s = add_step(m, node, jumps);
        if (s && node->breaker.on)
            s->breaker = node;
        return;
    }
    switch (node->mode) {
    case CONFIG_SINGLE:
        build_single(m, node, jumps);
        break;
    case CONFIG_LOADBALANCE:
        build_loadbalance(m, node, jumps);
        break;
    case CONFIG_FALLBACK:
        build_fallback(m, node, jumps);
        break;
    case CONFIG_CONDITIONAL:
        build_conditional(m, node, jumps);
        break;
    }
}

/* --- the plan --------------------------------------------------------------------------------- */

static const char *const modes[] = {"single", "loadbalance", "fallback", "conditional"};

bool plan_make(const struct plan_input *in, struct arena *a, struct plan *ret)
{
    struct making m;
    const struct config_node *root = in->config->root;
    const struct condition_input input = {in->metadata, in->body, in->path};
    m.in = in;
    m.arena = a;
    m.count = 0;
    m.full = false;
    condition_init(&m.facts, &input);
    /* Each step is at least one attempt of the worst case. */
    m.cap = root->target_count ? in->config->attempts_max : 1;
    m.steps = get(&m, m.cap * sizeof *m.steps);
    if (!m.steps)
        return false;
    explain_init(&m.explain, in->explain);
    build(&m, root, 0);
    struct str explanation = STR("");
    if (!explain_done(&m.explain, a, &explanation) || m.full)
        return false;
    must(m.count >= 1);
    *ret = (struct plan){.config = in->config,
                         .steps = m.steps,
                         .step_count = (uint16_t)m.count,
                         .mode = modes[root->target_count ? root->mode : CONFIG_SINGLE],
                         .explanation = explanation};
    return true;
}

int plan_after(const struct plan *p, unsigned step, int status, bool exception)
{
    must(step < p->step_count);
    const struct plan_step *s = &p->steps[step];
    if (exception || s->refusal)
        return -1;
    for (unsigned i = 0; i < s->jump_count; i++) {
        const struct plan_jump *j = &s->jumps[i];
        bool on = j->any_status ? status < 200 || status > 299 : config_codes_have(&j->codes, status);
        if (on)
            return j->step;
    }
    return -1;
}
