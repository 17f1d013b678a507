/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function a group of keywords, in a table: each looks up its keywords in the schema and says
 * whether the value satisfies them. A schema is walked with its value; both are flat lists of nodes,
 * so nothing is built. Every node that is looked at is a step; a schema that refers to itself, or
 * tries all of its branches on everything, ends at the limit.
 */
#include "gateway/hooks/json_schema.h"

#include <stdint.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/json_text.h"
#include "gateway/hooks/decimal.h"

#define BYTES_A_STEP 64 /* text that is walked over in one step */

struct validator {
    struct jval root; /* the schema */
    struct arena *arena;
    struct pattern_budget *pattern;
    struct json_schema_report *report; /* NULL inside branches that may fail */
    uint32_t steps;
    unsigned depth;
    enum json_schema_result trouble; /* BAD or TOO_MUCH, then everything is false */
    const char *trouble_keyword;
    char path[JSON_SCHEMA_PATH_MAX];
    size_t path_n;
};

static bool fits(struct validator *v, struct jval schema, struct jval value);

/* --- small things ------------------------------------------------------------------------------------ */

static bool trouble(struct validator *v, enum json_schema_result what, const char *keyword)
{
    if (v->trouble == JSON_SCHEMA_FITS) {
        v->trouble = what;
        v->trouble_keyword = keyword;
    }
    return false;
}

static bool charge(struct validator *v, size_t steps)
{
    if (v->trouble != JSON_SCHEMA_FITS)
        return false;
    if (steps >= v->steps)
        return trouble(v, JSON_SCHEMA_TOO_MUCH, "steps");
    v->steps -= (uint32_t)steps;
    return true;
}

static bool step(struct validator *v)
{
    return charge(v, 1);
}

static bool differs(struct validator *v, const char *keyword)
{
    if (v->report && !v->report->keyword) {
        v->report->keyword = keyword;
        memcpy(v->report->path, v->path, v->path_n);
        v->report->path[v->path_n] = '\0';
    }
    return false;
}

/* A keyword's value of the right kind; absent when it is not there. False when it has another kind. */
static bool keyword_of(struct validator *v, struct jval schema, const char *name, enum jdoc_kind kind, struct jval *ret)
{
    *ret = jdoc_get(schema, name);
    if (!step(v))
        return false;
    return !jdoc_has(*ret) || jdoc_kind(*ret) == kind || trouble(v, JSON_SCHEMA_BAD, name);
}

static bool count_of(struct validator *v, struct jval schema, const char *name, uint64_t missing, uint64_t *ret)
{
    struct jval k;
    *ret = missing;
    if (!keyword_of(v, schema, name, JDOC_NUMBER, &k))
        return false;
    return !jdoc_has(k) || json_to_count(jdoc_raw(k), ret) || trouble(v, JSON_SCHEMA_BAD, name);
}

static uint64_t size_of(struct jval value)
{
    return jdoc_kind(value) == JDOC_STRING ? json_code_points(jdoc_escaped(value)) : jdoc_size(value);
}

static bool within(struct validator *v, struct jval schema, struct jval value, const char *min_name,
                   const char *max_name)
{
    uint64_t min, max;
    if (!count_of(v, schema, min_name, 0, &min) || !count_of(v, schema, max_name, UINT64_MAX, &max))
        return false;
    if (min == 0 && max == UINT64_MAX)
        return true;
    if (!charge(v, jdoc_raw(value).n / BYTES_A_STEP))
        return false;
    uint64_t n = size_of(value);
    if (n < min)
        return differs(v, min_name);
    return n <= max || differs(v, max_name);
}

/* A string's meaning; a full arena is trouble. */
static bool text_of(struct validator *v, struct jval s, struct str *ret)
{
    *ret = jdoc_text(s, v->arena);
    return ret->n || !jdoc_escaped(s).n || trouble(v, JSON_SCHEMA_TOO_MUCH, "memory");
}

static bool same_name(struct validator *v, struct jval a, struct jval b)
{
    struct str x = jdoc_escaped(a), y = jdoc_escaped(b);
    if (str_eq(x, y))
        return true;
    if (!memchr(x.p, '\\', x.n) && !memchr(y.p, '\\', y.n))
        return false;
    return text_of(v, a, &x) && text_of(v, b, &y) && str_eq(x, y);
}

static struct jval member(struct validator *v, struct jval object, struct jval name)
{
    if (jdoc_kind(object) == JDOC_OBJECT)
        for (struct jval e = jdoc_first(object); jdoc_has(e) && step(v); e = jdoc_next(object, e))
            if (same_name(v, e, name))
                return jdoc_value(e);
    return (struct jval){NULL, 0};
}

static bool same(struct validator *v, struct jval a, struct jval b);

static bool same_lists(struct validator *v, struct jval a, struct jval b)
{
    struct jval x = jdoc_first(a), y = jdoc_first(b);
    while (jdoc_has(x) && jdoc_has(y)) {
        if (!same(v, x, y))
            return false;
        x = jdoc_next(a, x);
        y = jdoc_next(b, y);
    }
    return !jdoc_has(x) && !jdoc_has(y);
}

static bool same_objects(struct validator *v, struct jval a, struct jval b)
{
    if (!charge(v, (jdoc_raw(a).n + jdoc_raw(b).n) / BYTES_A_STEP) || jdoc_size(a) != jdoc_size(b))
        return false;
    for (struct jval x = jdoc_first(a); jdoc_has(x); x = jdoc_next(a, x)) {
        struct jval y = member(v, b, x);
        if (!jdoc_has(y) || !same(v, jdoc_value(x), y))
            return false;
    }
    return true;
}

static bool same(struct validator *v, struct jval a, struct jval b)
{
    bool equal = false;
    if (!step(v) || jdoc_kind(a) != jdoc_kind(b))
        return false;
    if (v->depth == JSON_SCHEMA_DEPTH_MAX)
        return trouble(v, JSON_SCHEMA_TOO_MUCH, "depth");
    v->depth++;
    switch (jdoc_kind(a)) {
    case JDOC_NUMBER:
        equal = decimal_compare(jdoc_raw(a), jdoc_raw(b)) == 0;
        break;
    case JDOC_STRING:
        equal = same_name(v, a, b);
        break;
    case JDOC_OBJECT:
        equal = same_objects(v, a, b);
        break;
    case JDOC_ARRAY:
        equal = same_lists(v, a, b);
        break;
    default:
        equal = true;
        break;
    }
    v->depth--;
    return equal;
}

/* Whether a schema fits, where not fitting is no failure by itself. */
static bool tries(struct validator *v, struct jval schema, struct jval value)
{
    struct json_schema_report *report = v->report;
    v->report = NULL;
    bool ok = fits(v, schema, value);
    v->report = report;
    return ok;
}

/* A part of the value. `name`: raw name of a member, or p == NULL for the element `index`. */
static bool fits_part(struct validator *v, struct jval schema, struct jval part, struct str name, uint64_t index)
{
    size_t before = v->path_n;
    char number[24];
    int n = snprintf(number, sizeof number, "%llu", (unsigned long long)index);
    struct str text = name.p ? name : str_of(number, (size_t)n);
    if (before + text.n + 2 <= sizeof v->path) {
        v->path[v->path_n++] = '/';
        memcpy(v->path + v->path_n, text.p, text.n);
        v->path_n += text.n;
    }
    bool ok = fits(v, schema, part);
    v->path_n = before;
    return ok;
}

/* --- any value --------------------------------------------------------------------------------------- */

static bool is_type(struct jval value, struct jval type)
{
    static const char *const names[] = {
        [JDOC_NULL] = "null",     [JDOC_FALSE] = "boolean", [JDOC_TRUE] = "boolean", [JDOC_NUMBER] = "number",
        [JDOC_STRING] = "string", [JDOC_OBJECT] = "object", [JDOC_ARRAY] = "array"};
    enum jdoc_kind kind = jdoc_kind(value);
    if (kind == JDOC_NUMBER && jdoc_is(type, "integer"))
        return decimal_is_whole(jdoc_raw(value));
    return kind != JDOC_ABSENT && jdoc_is(type, names[kind]);
}

static bool check_type(struct validator *v, struct jval schema, struct jval value)
{
    struct jval type = jdoc_get(schema, "type");
    if (!jdoc_has(type) || is_type(value, type))
        return true;
    if (jdoc_kind(type) != JDOC_STRING && jdoc_kind(type) != JDOC_ARRAY)
        return trouble(v, JSON_SCHEMA_BAD, "type");
    for (struct jval e = jdoc_first(type); jdoc_has(e) && step(v); e = jdoc_next(type, e))
        if (is_type(value, e))
            return true;
    return differs(v, "type");
}

static bool check_values(struct validator *v, struct jval schema, struct jval value)
{
    struct jval list, only = jdoc_get(schema, "const");
    if (jdoc_has(only) && !same(v, value, only))
        return differs(v, "const");
    if (!keyword_of(v, schema, "enum", JDOC_ARRAY, &list))
        return false;
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (same(v, value, e))
            return true;
    return !jdoc_has(list) || differs(v, "enum");
}

/* --- numbers and strings ----------------------------------------------------------------------------- */

/* `sign`: what value compared with the bound must not be. */
static bool check_bound(struct validator *v, struct jval schema, struct jval value, const char *name, int sign,
                        bool exclusive)
{
    struct jval bound;
    if (!keyword_of(v, schema, name, JDOC_NUMBER, &bound))
        return false;
    if (!jdoc_has(bound))
        return true;
    int is = decimal_compare(jdoc_raw(value), jdoc_raw(bound));
    bool outside = sign < 0 ? is < 0 : is > 0;
    return (!outside && !(exclusive && is == 0)) || differs(v, name);
}

static bool check_number(struct validator *v, struct jval schema, struct jval value)
{
    struct jval unit;
    if (jdoc_kind(value) != JDOC_NUMBER)
        return true;
    if (!check_bound(v, schema, value, "minimum", -1, false) || !check_bound(v, schema, value, "maximum", 1, false) ||
        !check_bound(v, schema, value, "exclusiveMinimum", -1, true) ||
        !check_bound(v, schema, value, "exclusiveMaximum", 1, true) ||
        !keyword_of(v, schema, "multipleOf", JDOC_NUMBER, &unit))
        return false;
    if (jdoc_has(unit) && decimal_compare(jdoc_raw(unit), STR("0")) <= 0)
        return trouble(v, JSON_SCHEMA_BAD, "multipleOf");
    return !jdoc_has(unit) || decimal_is_multiple(jdoc_raw(value), jdoc_raw(unit)) || differs(v, "multipleOf");
}

/* Whether a pattern is found; *ret_found is true when there is none. */
static bool search(struct validator *v, struct jval pattern, struct jval text, bool *ret_found)
{
    struct str p, t;
    if (!text_of(v, pattern, &p) || !text_of(v, text, &t))
        return false;
    enum pattern_result result = pattern_search(p, t, v->pattern, NULL);
    *ret_found = result == PATTERN_YES;
    if (result == PATTERN_BAD)
        return trouble(v, JSON_SCHEMA_BAD, "pattern");
    return result != PATTERN_TOO_MUCH || trouble(v, JSON_SCHEMA_TOO_MUCH, "pattern");
}

static bool check_string(struct validator *v, struct jval schema, struct jval value)
{
    struct jval pattern;
    bool found = true;
    if (jdoc_kind(value) != JDOC_STRING)
        return true;
    if (!within(v, schema, value, "minLength", "maxLength") || !keyword_of(v, schema, "pattern", JDOC_STRING, &pattern))
        return false;
    if (jdoc_has(pattern) && !search(v, pattern, value, &found))
        return false;
    return found || differs(v, "pattern");
}

/* --- objects ----------------------------------------------------------------------------------------- */

static bool has_all(struct validator *v, struct jval object, struct jval names, const char *keyword)
{
    for (struct jval e = jdoc_first(names); jdoc_has(e) && step(v); e = jdoc_next(names, e)) {
        if (jdoc_kind(e) != JDOC_STRING)
            return trouble(v, JSON_SCHEMA_BAD, keyword);
        if (!jdoc_has(member(v, object, e)))
            return differs(v, keyword);
    }
    return true;
}

static bool check_required(struct validator *v, struct jval schema, struct jval value)
{
    struct jval names, depends;
    if (jdoc_kind(value) != JDOC_OBJECT)
        return true;
    if (!within(v, schema, value, "minProperties", "maxProperties") ||
        !keyword_of(v, schema, "required", JDOC_ARRAY, &names) || !has_all(v, value, names, "required") ||
        !keyword_of(v, schema, "dependentRequired", JDOC_OBJECT, &depends))
        return false;
    for (struct jval e = jdoc_first(depends); jdoc_has(e); e = jdoc_next(depends, e))
        if (jdoc_has(member(v, value, e)) && !has_all(v, value, jdoc_value(e), "dependentRequired"))
            return false;
    return true;
}

/* One member against properties, patternProperties and, when none of them knows it, additionalProperties. */
static bool check_member(struct validator *v, struct jval name, struct jval properties, struct jval patterns,
                         struct jval additional)
{
    struct jval known = member(v, properties, name), part = jdoc_value(name);
    struct str text = jdoc_escaped(name);
    bool any = jdoc_has(known), found;
    if (any && !fits_part(v, known, part, text, 0))
        return false;
    for (struct jval e = jdoc_first(patterns); jdoc_has(e); e = jdoc_next(patterns, e)) {
        if (!search(v, e, name, &found))
            return false;
        if (found && !fits_part(v, jdoc_value(e), part, text, 0))
            return false;
        any = any || found;
    }
    if (any || !jdoc_has(additional))
        return v->trouble == JSON_SCHEMA_FITS;
    return jdoc_kind(additional) == JDOC_FALSE ? differs(v, "additionalProperties")
                                               : fits_part(v, additional, part, text, 0);
}

static bool check_members(struct validator *v, struct jval schema, struct jval value)
{
    struct jval properties, patterns;
    struct jval additional = jdoc_get(schema, "additionalProperties"), names = jdoc_get(schema, "propertyNames");
    if (jdoc_kind(value) != JDOC_OBJECT)
        return true;
    if (!keyword_of(v, schema, "properties", JDOC_OBJECT, &properties) ||
        !keyword_of(v, schema, "patternProperties", JDOC_OBJECT, &patterns))
        return false;
    if (!jdoc_has(properties) && !jdoc_has(patterns) && !jdoc_has(additional) && !jdoc_has(names))
        return true;
    for (struct jval e = jdoc_first(value); jdoc_has(e) && step(v); e = jdoc_next(value, e)) {
        if (jdoc_has(names) && !fits_part(v, names, e, jdoc_escaped(e), 0))
            return false;
        if (!check_member(v, e, properties, patterns, additional))
            return false;
    }
    return v->trouble == JSON_SCHEMA_FITS;
}

/* --- lists ------------------------------------------------------------------------------------------- */

static bool check_elements(struct validator *v, struct jval schema, struct jval value)
{
    struct jval first, items = jdoc_get(schema, "items"), rest = items;
    uint64_t at = 0;
    if (jdoc_kind(value) != JDOC_ARRAY)
        return true;
    if (!keyword_of(v, schema, "prefixItems", JDOC_ARRAY, &first))
        return false;
    if (jdoc_kind(items) == JDOC_ARRAY) {
        first = items;
        rest = jdoc_get(schema, "additionalItems");
    }
    struct jval own = jdoc_first(first);
    for (struct jval e = jdoc_first(value); jdoc_has(e) && step(v); e = jdoc_next(value, e), at++) {
        struct jval s = jdoc_has(own) ? own : rest;
        if (jdoc_has(s) && !fits_part(v, s, e, str_of(NULL, 0), at))
            return false;
        if (jdoc_has(own))
            own = jdoc_next(first, own);
    }
    return v->trouble == JSON_SCHEMA_FITS;
}

static bool check_unique(struct validator *v, struct jval schema, struct jval value)
{
    if (!jdoc_true(jdoc_get(schema, "uniqueItems")))
        return true;
    for (struct jval a = jdoc_first(value); jdoc_has(a); a = jdoc_next(value, a))
        for (struct jval b = jdoc_next(value, a); jdoc_has(b); b = jdoc_next(value, b))
            if (same(v, a, b) || v->trouble != JSON_SCHEMA_FITS)
                return differs(v, "uniqueItems");
    return true;
}

static bool check_list(struct validator *v, struct jval schema, struct jval value)
{
    struct jval contains = jdoc_get(schema, "contains");
    if (jdoc_kind(value) != JDOC_ARRAY)
        return true;
    if (!within(v, schema, value, "minItems", "maxItems") || !check_elements(v, schema, value) ||
        !check_unique(v, schema, value))
        return false;
    for (struct jval e = jdoc_first(value); jdoc_has(contains) && jdoc_has(e); e = jdoc_next(value, e))
        if (tries(v, contains, e))
            return true;
    return !jdoc_has(contains) || differs(v, "contains");
}

/* --- schemas of schemas ------------------------------------------------------------------------------ */

/* How many of a list of schemas fit; counting ends at `enough`. */
static bool count_fitting(struct validator *v, struct jval list, struct jval value, unsigned enough, unsigned *ret)
{
    *ret = 0;
    for (struct jval e = jdoc_first(list); jdoc_has(e) && *ret < enough; e = jdoc_next(list, e))
        *ret += tries(v, e, value);
    return v->trouble == JSON_SCHEMA_FITS;
}

static bool check_branches(struct validator *v, struct jval schema, struct jval value)
{
    struct jval all, any, one;
    unsigned n;
    if (!keyword_of(v, schema, "allOf", JDOC_ARRAY, &all) || !keyword_of(v, schema, "anyOf", JDOC_ARRAY, &any) ||
        !keyword_of(v, schema, "oneOf", JDOC_ARRAY, &one))
        return false;
    for (struct jval e = jdoc_first(all); jdoc_has(e); e = jdoc_next(all, e))
        if (!fits(v, e, value))
            return false;
    if (jdoc_has(any)) {
        if (!count_fitting(v, any, value, 1, &n))
            return false;
        if (n == 0)
            return differs(v, "anyOf");
    }
    if (!jdoc_has(one))
        return true;
    return count_fitting(v, one, value, 2, &n) && (n == 1 || differs(v, "oneOf"));
}

static bool check_conditions(struct validator *v, struct jval schema, struct jval value)
{
    struct jval not = jdoc_get(schema, "not"), condition = jdoc_get(schema, "if");
    if (jdoc_has(not ) && (tries(v, not, value) || v->trouble != JSON_SCHEMA_FITS))
        return differs(v, "not");
    if (!jdoc_has(condition))
        return true;
    struct jval branch = jdoc_get(schema, tries(v, condition, value) ? "then" : "else");
    return v->trouble == JSON_SCHEMA_FITS && (!jdoc_has(branch) || fits(v, branch, value));
}

/* A part of a JSON pointer as it is meant: first %XX, then ~1 and ~0. */
static struct str pointer_part(struct str part, struct arena *a)
{
    char *to = arena_alloc(a, part.n + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < part.n; n++) {
        unsigned char byte;
        if (part.p[i] == '%' && part.n - i >= 3 && encode_unhex(str_of(part.p + i + 1, 2), &byte, 1)) {
            to[n] = (char)byte;
            i += 3;
        } else {
            to[n] = part.p[i++];
        }
    }
    size_t out = 0;
    for (size_t i = 0; i < n; out++) {
        bool escape = to[i] == '~' && i + 1 < n && (to[i + 1] == '0' || to[i + 1] == '1');
        to[out] = !escape ? to[i] : to[i + 1] == '1' ? '/' : '~';
        i += escape ? 2 : 1;
    }
    return str_of(to, out);
}

static struct jval pointer_step(struct validator *v, struct jval at, struct str part)
{
    uint64_t index, i = 0;
    if (jdoc_kind(at) == JDOC_OBJECT)
        for (struct jval e = jdoc_first(at); jdoc_has(e) && step(v); e = jdoc_next(at, e))
            if (json_string_eq(jdoc_escaped(e), part))
                return jdoc_value(e);
    if (jdoc_kind(at) == JDOC_ARRAY && str_to_u64(part, &index))
        for (struct jval e = jdoc_first(at); jdoc_has(e) && step(v); e = jdoc_next(at, e))
            if (i++ == index)
                return e;
    return (struct jval){NULL, 0};
}

static bool check_reference(struct validator *v, struct jval schema, struct jval value)
{
    struct jval ref, at = v->root;
    struct str text, part;
    if (!keyword_of(v, schema, "$ref", JDOC_STRING, &ref))
        return false;
    if (!jdoc_has(ref))
        return true;
    if (!text_of(v, ref, &text))
        return false;
    if (!str_eq(text, STR("#")) && !str_starts(text, STR("#/")))
        return trouble(v, JSON_SCHEMA_BAD, "$ref");
    text = str_from(text, 2);
    while (text.n && str_split(&text, '/', &part))
        at = pointer_step(v, at, pointer_part(part, v->arena));
    return jdoc_has(at) ? fits(v, at, value) : trouble(v, JSON_SCHEMA_BAD, "$ref");
}

/* --- the whole --------------------------------------------------------------------------------------- */

static bool fits(struct validator *v, struct jval schema, struct jval value)
{
    static bool (*const groups[])(struct validator *, struct jval, struct jval) = {
        check_type,    check_values, check_number,   check_string,     check_required,
        check_members, check_list,   check_branches, check_conditions, check_reference,
    };
    /* Each group looks for its keywords from the schema's beginning. */
    if (!charge(v, 1 + jdoc_raw(schema).n / BYTES_A_STEP))
        return false;
    if (jdoc_kind(schema) == JDOC_TRUE)
        return true;
    if (jdoc_kind(schema) == JDOC_FALSE)
        return differs(v, "false");
    if (jdoc_kind(schema) != JDOC_OBJECT)
        return trouble(v, JSON_SCHEMA_BAD, "schema");
    if (v->depth == JSON_SCHEMA_DEPTH_MAX)
        return trouble(v, JSON_SCHEMA_TOO_MUCH, "depth");
    bool ok = true;
    v->depth++;
    for (size_t i = 0; ok && i < sizeof groups / sizeof *groups; i++)
        ok = groups[i](v, schema, value);
    v->depth--;
    return ok;
}

enum json_schema_result json_schema_check(struct jval schema, struct jval value, struct arena *a,
                                          struct pattern_budget *pattern, struct json_schema_report *report)
{
    struct validator v = {
        .root = schema, .arena = a, .pattern = pattern, .report = report, .steps = JSON_SCHEMA_STEPS_MAX};
    *report = (struct json_schema_report){.keyword = NULL};
    bool ok = fits(&v, schema, value);
    if (v.trouble != JSON_SCHEMA_FITS)
        *report = (struct json_schema_report){.keyword = v.trouble_keyword};
    if (!report->keyword)
        report->keyword = "";
    return v.trouble != JSON_SCHEMA_FITS ? v.trouble : ok ? JSON_SCHEMA_FITS : JSON_SCHEMA_DIFFERS;
}
