/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of targets, in one walk: each node is complete, with all that it inherits, before its
 * targets are read. On the way back the attempts of the worst case are added up.
 */
#include <stdio.h>

#include "base/json/real.h"
#include "control/config/config_inner.h"
#include "control/config/fields.h"

static struct str path_of(struct compile *c, const struct config_node *node)
{
    char text[32];
    if (!node->parent)
        return STR("config");
    int n = snprintf(text, sizeof text, ".targets[%u]", node->index);
    struct str above = node->parent->path;
    char *p = compile_alloc(c, above.n + (size_t)n + 1);
    if (!p)
        return STR("");
    memcpy(p, above.p, above.n);
    memcpy(p + above.n, text, (size_t)n);
    return str_of(p, above.n + (size_t)n);
}

static void read_weight(struct compile *c, struct jval object, struct config_node *node)
{
    struct jval v = fields_get(c, object, FIELD_WEIGHT);
    node->weight = 1;
    if (!jdoc_has(v) || !fields_check(c, v, "weight", JDOC_NUMBER))
        return;
    double weight = 0;
    real_read(jdoc_raw(v), &weight);
    if (weight >= 0 && weight <= CONFIG_WEIGHT_MAX)
        node->weight = weight;
    else
        compile_error(c, "weight", "Must be a number from 0 to %.0f", CONFIG_WEIGHT_MAX);
}

static void note_needs(struct compile *c, const struct config_settings *s)
{
    if (s->override_params.n || s->default_params.n || s->drop_params.n)
        c->needs |= CONFIG_NEEDS_EDIT;
    if (s->before.n || s->after.n)
        c->needs |= CONFIG_NEEDS_HOOKS;
    if (s->cache.mode != CONFIG_CACHE_NONE)
        c->needs |= CONFIG_NEEDS_CACHE;
}

/* `clean`: nothing was wrong with it so far. What says too little because of an error gets no second one. */
static unsigned leaf_compile(struct compile *c, struct jval object, struct config_node *node, bool clean)
{
    const struct config_settings *s = &node->settings;
    if (clean && !settings_suffice(c, object, s))
        compile_error(c, NULL, "%s",
                      "Nothing says where to go or what to do: give provider and api_key, a provider '@slug', a "
                      "virtual_key, strategy and targets, cache, retry, request_timeout, or guardrails");
    note_needs(c, s);
    return 1 + (s->retry.codes.n ? s->retry.attempts : 0);
}

/* --- targets ---------------------------------------------------------------------------------- */

static void check_weights(struct compile *c, const struct config_node *node)
{
    double sum = 0;
    for (size_t i = 0; i < node->target_count; i++)
        sum += node->targets[i].weight;
    if (node->mode == CONFIG_LOADBALANCE && !(sum > 0))
        compile_error(c, "targets", "At least one needs a weight above 0");
}

/* False, with an error, for a list of targets that can not be. */
static bool targets_fit(struct compile *c, const struct config_node *node, size_t n)
{
    if (!n)
        compile_error(c, "targets", "Needs at least one target");
    else if (n > CONFIG_NODES_MAX - c->nodes)
        compile_error(c, "targets", "More than %d targets in one config", CONFIG_NODES_MAX);
    else if (node->depth + 1 == CONFIG_DEPTH_MAX)
        compile_error(c, "targets", "Nested deeper than %d", CONFIG_DEPTH_MAX);
    else
        return true;
    return false;
}

/* How the attempts of one more target add to those of the ones before it. */
static unsigned add_attempts(const struct config_node *node, unsigned index, unsigned sum, unsigned more)
{
    /* With a circuit breaker any target may come to be the first. */
    if (node->mode == CONFIG_SINGLE && index > 0 && !node->breaker.on)
        return sum;
    if (node->mode == CONFIG_FALLBACK)
        return sum + more;
    return sum > more ? sum : more;
}

static unsigned targets_compile(struct compile *c, struct jval list, struct config_node *node)
{
    size_t n = jdoc_size(list);
    if (!targets_fit(c, node, n))
        return 0;
    struct config_node *targets = compile_alloc(c, n * sizeof *targets);
    if (!targets)
        return 0;
    node->targets = targets;
    node->target_count = n;
    compile_enter(c, "targets");
    unsigned attempts = 0, i = 0;
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e), i++) {
        targets[i].parent = node;
        targets[i].index = i;
        targets[i].depth = node->depth + 1;
        compile_enter_index(c, i);
        if (fields_check(c, e, NULL, JDOC_OBJECT))
            attempts = add_attempts(node, i, attempts, tree_compile(c, e, &targets[i]));
        compile_leave(c);
    }
    compile_leave(c);
    check_weights(c, node);
    return attempts;
}

unsigned tree_compile(struct compile *c, struct jval object, struct config_node *node)
{
    const size_t errors = c->why->n;
    node->id = c->nodes++;
    node->path = path_of(c, node);
    node->name = STR("");
    fields_text(c, object, FIELD_NAME, &node->name);
    read_weight(c, object, node);
    settings_compile(c, object, node->parent ? &node->parent->settings : NULL, &node->settings);
    strategy_compile(c, object, node);
    struct jval list = fields_container(c, object, FIELD_TARGETS, JDOC_ARRAY);
    if (!jdoc_has(list))
        return leaf_compile(c, object, node, c->why->n == errors);
    unsigned attempts = targets_compile(c, list, node);
    if (attempts <= CONFIG_ATTEMPTS_MAX)
        return attempts;
    compile_error(c, "targets",
                  "At worst this makes %u attempts, and %d is the most; use fewer targets in fallback or fewer retries",
                  attempts, CONFIG_ATTEMPTS_MAX);
    return 0; /* said once, not again by those above */
}
