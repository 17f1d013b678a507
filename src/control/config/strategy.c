/* SPDX-License-Identifier: Apache-2.0 */
/* A node's strategy: mode, conditions, stickiness, circuit breaker. */
#include <stdio.h>

#include "control/config/config_inner.h"
#include "control/config/fields.h"

#define STICKY_TTL_DEFAULT_S 3600
#define STICKY_FIELDS_MAX 8
#define STICKY_TTL_MAX_S (30u * 86400)
#define BREAKER_REQUESTS_DEFAULT 5
#define BREAKER_COOLDOWN_MAX_MS 86400000
#define CONDITIONS_MAX 256
#define QUERY_DEPTH_MAX 32

static const struct str modes[] = {{"single", 6}, {"loadbalance", 11}, {"fallback", 8}, {"conditional", 11}};

/* Required with targets. */
static void read_mode(struct compile *c, struct jval strategy, bool required, struct config_node *node)
{
    struct str mode = STR("");
    bool given = fields_text(c, strategy, FIELD_MODE, &mode);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (str_eq(mode, modes[i])) {
            node->mode = (enum config_mode)i;
            return;
        }
    }
    if (given || (required && !fields_has(c, strategy, FIELD_MODE)))
        compile_error(c, "mode", "Invalid 'mode' value. Must be one of: single, loadbalance, fallback, conditional");
}

/* Looks for what the query needs and for lists where $and and $or want them. */
static void check_query(struct compile *c, struct jval query, unsigned depth)
{
    if (depth == QUERY_DEPTH_MAX) {
        compile_error(c, "query", "Nested deeper than %d", QUERY_DEPTH_MAX);
        return;
    }
    for (struct jval m = jdoc_first(query); jdoc_has(m); m = jdoc_next(query, m)) {
        struct jval value = jdoc_value(m);
        if (str_starts(jdoc_escaped(m), STR("params.")) || memchr(jdoc_escaped(m).p, '\\', jdoc_escaped(m).n))
            c->needs |= CONFIG_NEEDS_PARAMS;
        if (!jdoc_is(m, "$and") && !jdoc_is(m, "$or"))
            continue;
        if (!fields_check(c, value, "query", JDOC_ARRAY))
            continue;
        for (struct jval e = jdoc_first(value); jdoc_has(e); e = jdoc_next(value, e))
            if (fields_check(c, e, "query", JDOC_OBJECT))
                check_query(c, e, depth + 1);
    }
}

static void read_condition(struct compile *c, struct jval v, struct config_condition *ret)
{
    *ret = (struct config_condition){STR("{}"), STR("")};
    if (!fields_check(c, v, NULL, JDOC_OBJECT))
        return;
    if (!fields_has(c, v, FIELD_QUERY))
        compile_error(c, "query", "Required");
    if (!fields_has(c, v, FIELD_THEN))
        compile_error(c, "then", "Required");
    fields_raw(c, v, FIELD_QUERY, &ret->query);
    fields_text(c, v, FIELD_THEN, &ret->then);
    check_query(c, fields_container(c, v, FIELD_QUERY, JDOC_OBJECT), 0);
}

static void read_conditions(struct compile *c, struct jval strategy, struct config_node *node)
{
    struct jval v = fields_container(c, strategy, FIELD_CONDITIONS, JDOC_ARRAY);
    size_t n = jdoc_size(v);
    if (!n)
        return;
    if (n > CONDITIONS_MAX) {
        compile_error(c, "conditions", "More than %d elements", CONDITIONS_MAX);
        return;
    }
    struct config_condition *list = compile_alloc(c, n * sizeof *list);
    if (!list)
        return;
    compile_enter(c, "conditions");
    unsigned i = 0;
    for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e), i++) {
        compile_enter_index(c, i);
        read_condition(c, e, &list[i]);
        compile_leave(c);
    }
    compile_leave(c);
    node->conditions = list;
    node->condition_count = n;
}

static void read_sticky(struct compile *c, struct jval strategy, struct config_node *node)
{
    struct jval v = fields_container(c, strategy, FIELD_STICKY, JDOC_OBJECT);
    struct config_sticky *s = &node->sticky;
    uint64_t ttl = STICKY_TTL_DEFAULT_S;
    if (!jdoc_has(v))
        return;
    compile_enter(c, "sticky");
    fields_bool(c, v, FIELD_ENABLED, &s->enabled);
    fields_strings(c, v, FIELD_HASH_FIELDS, &s->hash_fields);
    fields_count(c, v, FIELD_TTL, STICKY_TTL_MAX_S, &ttl);
    s->ttl_s = (uint32_t)ttl;
    if (s->hash_fields.n > STICKY_FIELDS_MAX)
        compile_error(c, "hash_fields", "More than %d elements", STICKY_FIELDS_MAX);
    for (size_t i = 0; i < s->hash_fields.n; i++) {
        struct str field = s->hash_fields.list[i];
        bool params = str_starts(field, STR("params."));
        if (!params && !str_starts(field, STR("metadata.")) && !str_starts(field, STR("headers.")))
            compile_error(c, "hash_fields", "Fields begin with 'metadata.', 'params.' or 'headers.'");
        if (params && s->enabled)
            c->needs |= CONFIG_NEEDS_PARAMS;
    }
    compile_leave(c);
}

static void read_breaker(struct compile *c, struct jval strategy, struct config_node *node)
{
    struct jval v = fields_container(c, strategy, FIELD_CB_CONFIG, JDOC_OBJECT);
    uint64_t threshold = 0, percentage = 0, cooldown = 0, minimum = BREAKER_REQUESTS_DEFAULT;
    if (!jdoc_has(v))
        return;
    compile_enter(c, "cb_config");
    node->breaker = (struct config_breaker){0};
    fields_count(c, v, FIELD_FAILURE_THRESHOLD, UINT32_MAX, &threshold);
    fields_count(c, v, FIELD_FAILURE_THRESHOLD_PERCENTAGE, UINT32_MAX, &percentage);
    bool cools = fields_count(c, v, FIELD_COOLDOWN_INTERVAL, BREAKER_COOLDOWN_MAX_MS, &cooldown);
    fields_count(c, v, FIELD_MINIMUM_REQUESTS, UINT32_MAX, &minimum);
    fields_codes(c, v, FIELD_FAILURE_STATUS_CODES, &node->breaker.failure_codes);
    if (percentage > 100)
        compile_error(c, "failure_threshold_percentage", "Must be 0 to 100");
    node->breaker.failure_threshold = (uint32_t)threshold;
    node->breaker.failure_percentage = (uint32_t)percentage;
    node->breaker.cooldown_ms = cooldown < CONFIG_COOLDOWN_MIN_MS ? CONFIG_COOLDOWN_MIN_MS : cooldown;
    node->breaker.minimum_requests = (uint32_t)minimum;
    node->breaker.on = cools && (threshold || percentage);
    compile_leave(c);
}

void strategy_compile(struct compile *c, struct jval object, struct config_node *node)
{
    struct jval v = fields_container(c, object, FIELD_STRATEGY, JDOC_OBJECT);
    bool required = fields_has(c, object, FIELD_TARGETS);
    node->any_status = true;
    node->default_target = STR("");
    /* A conditional is no place where a target can be skipped: another one would be the wrong one. */
    if (node->parent && !(node->parent->target_count && node->parent->mode == CONFIG_CONDITIONAL))
        node->breaker = node->parent->breaker;
    if (jdoc_has(fields_get(c, object, FIELD_STRATEGY)) && !jdoc_has(v))
        return;
    compile_enter(c, "strategy");
    read_mode(c, v, required, node);
    if (fields_codes(c, v, FIELD_ON_STATUS_CODES, &node->on_status_codes))
        node->any_status = false;
    read_conditions(c, v, node);
    fields_text(c, v, FIELD_DEFAULT, &node->default_target);
    read_sticky(c, v, node);
    struct config_breaker inherited = node->breaker;
    read_breaker(c, v, node);
    if (!required) /* a leaf goes by what its group says */
        node->breaker = inherited;
    compile_leave(c);
}
