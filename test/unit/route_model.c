/* SPDX-License-Identifier: Apache-2.0 */
/* The model. Every function tries a node and returns how that ended; `guarded`: breakers hold here. */
#include "route_model.h"

#include <stdio.h>

struct outcome {
    int status;
    bool final; /* no fallback goes on behind it */
};

static struct outcome try_node(struct route_model *m, const struct route_node *n, const char *path, bool guarded);

void route_trace(struct route_model *m, const char *path, const char *outcome)
{
    m->traced += (size_t)snprintf(m->trace + m->traced, sizeof m->trace - m->traced, "%s=%s;", path, outcome);
}

static struct outcome refuse(struct route_model *m, const char *path, const char *why)
{
    route_trace(m, path, why);
    return (struct outcome){400, true};
}

static struct outcome try_target(struct route_model *m, const struct route_node *n, int i, const char *path,
                                 bool guarded)
{
    char below[200];
    snprintf(below, sizeof below, "%s.targets[%d]", path, i);
    return try_node(m, n->targets[i], below, guarded);
}

/* Targets whose breaker is not open; all when all are. */
static int usable(const struct route_model *m, const struct route_node *n, bool guarded, int list[ROUTE_TARGETS_MAX])
{
    int count = 0;
    for (int i = 0; i < n->target_count; i++)
        if (!(m->breakers && guarded && n->targets[i]->target_count == 0 && n->targets[i]->open))
            list[count++] = i;
    if (count == 0)
        for (; count < n->target_count; count++)
            list[count] = count;
    return count;
}

static double draw(uint64_t random, int id)
{
    uint64_t z = random + (uint64_t)(id + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z = z ^ (z >> 31);
    return (double)(z >> 11) / 9007199254740992.0;
}

static int sum_of_weights(const struct route_node *n, const int *list, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += n->targets[list[i]]->weight;
    return sum;
}

static struct outcome try_loadbalance(struct route_model *m, const struct route_node *n, const char *path, bool guarded)
{
    int list[ROUTE_TARGETS_MAX], count = usable(m, n, guarded, list);
    if (sum_of_weights(n, list, count) == 0)
        count = usable(m, n, false, list);
    double r = draw(m->random, n->id) * sum_of_weights(n, list, count);
    int i = 0;
    while (r >= n->targets[list[i]]->weight)
        r -= n->targets[list[i++]]->weight;
    return try_target(m, n, list[i], path, guarded);
}

static bool goes_on(const struct route_node *n, struct outcome last)
{
    if (last.final)
        return false;
    if (n->code_count < 0)
        return last.status < 200 || last.status >= 300;
    for (int i = 0; i < n->code_count; i++)
        if (n->codes[i] == last.status)
            return true;
    return false;
}

static struct outcome try_fallback(struct route_model *m, const struct route_node *n, const char *path, bool guarded)
{
    int list[ROUTE_TARGETS_MAX], count = usable(m, n, guarded, list);
    struct outcome last = {0, false};
    for (int i = 0; i < count; i++) {
        last = try_target(m, n, list[i], path, guarded);
        if (!goes_on(n, last))
            break;
    }
    return last;
}

static struct outcome try_conditional(struct route_model *m, const struct route_node *n, const char *path)
{
    int name = n->default_name;
    char why[80];
    if (n->condition_count == 0)
        return refuse(m, path, "No conditions passed in the query router");
    for (int i = 0; i < n->condition_count; i++) {
        const struct route_condition *c = &n->conditions[i];
        if (c->unknown)
            return refuse(m, path, "Unsupported operator used in the query router: $like");
        if ((m->metadata[c->key] == c->value) != c->negated) {
            name = c->then;
            break;
        }
    }
    if (name < 0)
        return refuse(m, path, "Query router did not resolve to any valid target");
    for (int i = 0; i < n->target_count; i++)
        if (n->targets[i]->name == name)
            return try_target(m, n, i, path, false); /* no breakers from here on */
    snprintf(why, sizeof why, "Invalid target name found in the query router: n%d", name);
    return refuse(m, path, why);
}

static struct outcome try_node(struct route_model *m, const struct route_node *n, const char *path, bool guarded)
{
    int list[ROUTE_TARGETS_MAX];
    char status[16];
    if (n->target_count == 0) {
        snprintf(status, sizeof status, "%d", n->status);
        route_trace(m, path, status);
        return (struct outcome){n->status, n->exception};
    }
    switch (n->mode) {
    case ROUTE_SINGLE:
        usable(m, n, guarded, list);
        return try_target(m, n, list[0], path, guarded);
    case ROUTE_LOADBALANCE:
        return try_loadbalance(m, n, path, guarded);
    case ROUTE_FALLBACK:
        return try_fallback(m, n, path, guarded);
    case ROUTE_CONDITIONAL:
        return try_conditional(m, n, path);
    }
    return (struct outcome){0, true};
}

void route_run(struct route_model *m, const struct route_node *root)
{
    m->traced = 0;
    m->trace[0] = '\0';
    try_node(m, root, "config", true);
}
