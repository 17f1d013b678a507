/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guardrails and hooks. The short form names its checks as members beside deny, async and the like;
 * the long form has a list of checks. Both become the same thing. Which checks exist is not known
 * here; what their parameters mean neither.
 */
#include <stdio.h>

#include "base/json_text.h"
#include "control/config/config_inner.h"
#include "control/config/fields.h"

/* Members of the short form that are no checks. */
static bool is_reserved(struct str name)
{
    switch (fields_find(name)) {
    case FIELD_ID:
    case FIELD_NAME:
    case FIELD_TYPE:
    case FIELD_DENY:
    case FIELD_ASYNC:
    case FIELD_SEQUENTIAL:
    case FIELD_ON_SUCCESS:
    case FIELD_ON_FAIL:
    case FIELD_GUARDRAIL_VERSION_ID:
        return true;
    default:
        return false;
    }
}

/* Guardrails stored under a name are answered with a message of their own that lists them. */
static void note_stored(struct compile *c, struct jval slug)
{
    char *list = c->bad_guardrails;
    size_t used = strlen(list), cap = sizeof c->bad_guardrails;
    snprintf(list + used, cap - used, "%s%.*s", used ? ", " : "", STR_ARG(str_head(jdoc_escaped(slug), 64)));
    compile_error(c, NULL, "There is no stored guardrail of this name; write its checks into the config");
}

static void read_flags(struct compile *c, struct jval object, struct config_check *check)
{
    fields_bool(c, object, FIELD_IS_ENABLED, &check->enabled);
    fields_bool(c, object, FIELD_FAIL_ON_ERROR, &check->fail_on_error);
}

/* --- checks ----------------------------------------------------------------------------------- */

/* "contains" is "default.contains". */
static bool short_id(struct compile *c, struct jval name, struct str *ret)
{
    static const struct str prefix = {"default.", 8};
    struct str raw = jdoc_escaped(name);
    char *p = compile_alloc(c, prefix.n + raw.n + 1);
    if (!p)
        return false;
    memcpy(p, prefix.p, prefix.n);
    struct str id = str_of(p + prefix.n, json_unescape(raw, p + prefix.n, raw.n, NULL));
    *ret = str_find(id, '.') >= 0 ? id : str_of(p, prefix.n + id.n);
    return true;
}

static void read_short_checks(struct compile *c, struct jval object, struct config_hook *hook)
{
    size_t n = 0;
    struct config_check *list = compile_alloc(c, (jdoc_size(object) + 1) * sizeof *list);
    if (!list)
        return;
    for (struct jval m = jdoc_first(object); jdoc_has(m); m = jdoc_next(object, m)) {
        struct jval value = jdoc_value(m);
        if (is_reserved(jdoc_escaped(m)))
            continue;
        if (jdoc_kind(value) != JDOC_OBJECT) {
            if (str_find(jdoc_escaped(m), '.') >= 0)
                fields_check(c, value, "checks", JDOC_OBJECT);
            continue;
        }
        list[n] = (struct config_check){.parameters = jdoc_raw(value), .enabled = true};
        if (!short_id(c, m, &list[n].id))
            return;
        compile_enter(c, "checks");
        read_flags(c, value, &list[n++]);
        compile_leave(c);
    }
    hook->checks = list;
    hook->check_count = n;
}

static void read_long_check(struct compile *c, struct jval v, struct config_check *check)
{
    *check = (struct config_check){.id = STR(""), .parameters = STR("{}"), .enabled = true};
    if (!fields_check(c, v, NULL, JDOC_OBJECT))
        return;
    if (!fields_has(c, v, FIELD_ID))
        compile_error(c, "id", "Required");
    fields_text(c, v, FIELD_ID, &check->id);
    fields_raw(c, v, FIELD_PARAMETERS, &check->parameters);
    struct jval parameters = fields_container(c, v, FIELD_PARAMETERS, JDOC_OBJECT);
    fields_bool(c, parameters, FIELD_FAIL_ON_ERROR, &check->fail_on_error);
    read_flags(c, v, check);
}

static void read_long_checks(struct compile *c, struct jval checks, struct config_hook *hook)
{
    size_t n = jdoc_size(checks);
    struct config_check *list = n <= CONFIG_LIST_MAX ? compile_alloc(c, (n + 1) * sizeof *list) : NULL;
    if (n > CONFIG_LIST_MAX)
        compile_error(c, "checks", "More than %d elements", CONFIG_LIST_MAX);
    if (!list)
        return;
    compile_enter(c, "checks");
    unsigned i = 0;
    for (struct jval e = jdoc_first(checks); jdoc_has(e); e = jdoc_next(checks, e), i++) {
        compile_enter_index(c, i);
        read_long_check(c, e, &list[i]);
        compile_leave(c);
    }
    compile_leave(c);
    hook->checks = list;
    hook->check_count = n;
}

/* --- hooks ------------------------------------------------------------------------------------ */

/* "input_guardrails[0]" */
static struct str made_id(struct compile *c, const char *name, unsigned index)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s[%u]", name, index);
    char *p = compile_alloc(c, (size_t)n + 1);
    return p ? str_of(memcpy(p, text, (size_t)n), (size_t)n) : STR("");
}

static void read_type(struct compile *c, struct jval v, const char *type, struct config_hook *hook)
{
    hook->type = str_c(type ? type : "guardrail");
    if (fields_text(c, v, FIELD_TYPE, &hook->type) && !str_eq(hook->type, STR("guardrail")) &&
        !str_eq(hook->type, STR("mutator")))
        compile_error(c, "type", "Must be one of: guardrail, mutator");
}

static void read_hook(struct compile *c, struct jval v, const char *type, struct config_hook *hook)
{
    read_type(c, v, type, hook);
    fields_text(c, v, FIELD_ID, &hook->id);
    fields_bool(c, v, FIELD_DENY, &hook->deny);
    fields_bool(c, v, FIELD_ASYNC, &hook->async);
    fields_bool(c, v, FIELD_SEQUENTIAL, &hook->sequential);
    hook->on_success = hook->on_fail = STR("");
    fields_raw(c, v, FIELD_ON_SUCCESS, &hook->on_success);
    fields_raw(c, v, FIELD_ON_FAIL, &hook->on_fail);
    struct jval checks = fields_container(c, v, FIELD_CHECKS, JDOC_ARRAY);
    if (jdoc_has(checks))
        read_long_checks(c, checks, hook);
    else if (type)
        read_short_checks(c, v, hook);
    else if (!fields_has(c, v, FIELD_CHECKS))
        compile_error(c, "checks", "Required");
}

/* Room for `more` hooks behind those there are. */
static struct config_hook *grow(struct compile *c, struct config_hooks *hooks, size_t more)
{
    struct config_hook *list = compile_alloc(c, (hooks->n + more + 1) * sizeof *list);
    if (list && hooks->n)
        memcpy(list, hooks->list, hooks->n * sizeof *list);
    return list;
}

void guard_compile(struct compile *c, struct jval object, enum field f, const char *type, struct config_hooks *hooks)
{
    const char *name = fields_name(f);
    struct jval v = fields_container(c, object, f, JDOC_ARRAY);
    size_t given = jdoc_size(v);
    if (given > CONFIG_LIST_MAX)
        compile_error(c, name, "More than %d elements", CONFIG_LIST_MAX);
    if (!given || given > CONFIG_LIST_MAX)
        return;
    struct config_hook *list = grow(c, hooks, given);
    if (!list)
        return;
    compile_enter(c, name);
    unsigned i = 0;
    for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e), i++) {
        compile_enter_index(c, i);
        if (type && jdoc_kind(e) == JDOC_STRING) {
            note_stored(c, e);
        } else if (fields_check(c, e, NULL, JDOC_OBJECT)) {
            struct config_hook *hook = &list[hooks->n++];
            *hook = (struct config_hook){.id = made_id(c, name, i)};
            read_hook(c, e, type, hook);
        }
        compile_leave(c);
    }
    compile_leave(c);
    hooks->list = list;
}
