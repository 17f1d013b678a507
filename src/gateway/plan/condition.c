/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries of conditional routing, evaluated over their text.
 *
 *     query    {"metadata.plan": "paid", "params.n": {"$gt": 1, "$lt": 4}, "$or": [query, …]}
 *
 * All members must hold. A member is looked up in the merged metadata or the request's body, by the
 * second segment of its name; its value is a JSON value as it stands there. Comparison is
 * JavaScript's: `===` for $eq, $ne, $in, $nin and bare values, so that 1 is not "1"; parseFloat on
 * both sides for the four of order.
 */
#include "gateway/plan/condition.h"

#include <string.h>

#include "base/json/jdoc.h"
#include "base/json/real.h"
#include "base/json_text.h"
#include "gateway/plan/pattern.h"
#include "openai/body_edit.h"

#define NAME_MAX_BYTES 512
#define NUMBER_TEXT_MAX 128
/* A scan over a body, in steps of a regular expression. */
#define WORK_OF_SCAN(bytes) (16 + (bytes) / 64)

/* One side of a comparison. */
struct operand {
    enum jdoc_kind kind;
    struct str raw; /* as it stands in JSON; strings without their quotes */
    bool plain;     /* a string that has no escapes, whatever it looks like */
};

struct evaluation {
    struct condition_facts *facts;
    struct str bad_operator;
    bool bad;
};

static struct operand operand_of(struct jval v)
{
    struct str raw = jdoc_kind(v) == JDOC_STRING ? jdoc_escaped(v) : jdoc_raw(v);
    return (struct operand){jdoc_kind(v), raw, !raw.n || !memchr(raw.p, '\\', raw.n)};
}

/* --- what a name stands for ------------------------------------------------------------------- */

static struct operand operand_of_raw(struct str raw)
{
    struct operand o = {.raw = raw};
    switch (raw.n ? raw.p[0] : '\0') {
    case '\0':
        o.kind = JDOC_ABSENT;
        break;
    case '"':
        o.kind = JDOC_STRING;
        o.raw = str_of(raw.p + 1, raw.n - 2);
        o.plain = !memchr(raw.p, '\\', raw.n);
        break;
    case '{':
        o.kind = JDOC_OBJECT;
        break;
    case '[':
        o.kind = JDOC_ARRAY;
        break;
    case 't':
        o.kind = JDOC_TRUE;
        break;
    case 'f':
        o.kind = JDOC_FALSE;
        break;
    case 'n':
        o.kind = JDOC_NULL;
        break;
    default:
        o.kind = JDOC_NUMBER;
    }
    return o;
}

/* The raw value; p == NULL when it is missing. `lasts`: the name can be remembered. */
static struct str find_member(struct condition_facts *f, bool body, struct str name, bool lasts)
{
    struct str object = body ? f->in.body : f->in.metadata, raw = {NULL, 0};
    for (unsigned i = 0; i < f->known_count; i++)
        if (f->known[i].body == body && str_eq(f->known[i].name, name))
            return f->known[i].raw;
    if (!object.n || f->work >= CONDITION_WORK_MAX)
        return raw;
    f->work += WORK_OF_SCAN(object.n);
    raw = body_member_find(object, name);
    if (lasts && f->known_count < CONDITION_NAMES_MAX) {
        f->known[f->known_count].name = name;
        f->known[f->known_count].body = body;
        f->known[f->known_count++].raw = raw;
    }
    return raw;
}

/* "params.model", "metadata.plan", "url.pathname"; a third segment has no meaning. */
static struct operand look_up(struct condition_facts *f, struct str name, bool lasts)
{
    struct str rest = name, first = STR(""), second = STR("");
    struct operand absent = {.kind = JDOC_ABSENT};
    if (!str_split(&rest, '.', &first) || !str_split(&rest, '.', &second))
        return absent;
    if (str_eq(first, STR("url")) && str_eq(second, STR("pathname")))
        return (struct operand){JDOC_STRING, f->in.path, true};
    bool body = str_eq(first, STR("params"));
    if (!body && !str_eq(first, STR("metadata")))
        return absent;
    struct str raw = find_member(f, body, second, lasts);
    return raw.p ? operand_of_raw(raw) : absent;
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool same_text(struct operand a, struct operand b)
{
    if (a.plain && b.plain)
        return str_eq(a.raw, b.raw);
    if (a.plain || b.plain)
        return a.plain ? json_string_eq(b.raw, a.raw) : json_string_eq(a.raw, b.raw);
    struct buf meaning;
    buf_init(&meaning, a.raw.n + 1);
    bool same = json_unescape_buf(a.raw, &meaning) && json_string_eq(b.raw, buf_str(&meaning));
    buf_free(&meaning);
    return same;
}

/* JavaScript's ===; two containers are never the same one. */
static bool is_same(struct operand a, struct operand b)
{
    double x, y;
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case JDOC_NULL:
    case JDOC_TRUE:
    case JDOC_FALSE:
        return true;
    case JDOC_NUMBER:
        return real_read(a.raw, &x) && real_read(b.raw, &y) && !(x < y) && !(x > y);
    case JDOC_STRING:
        return same_text(a, b);
    default:
        return false;
    }
}

/* parseFloat: the number a text begins with. */
static bool to_number(struct operand o, double *ret)
{
    char text[NUMBER_TEXT_MAX];
    if (o.kind != JDOC_NUMBER && o.kind != JDOC_STRING)
        return false;
    if (o.kind == JDOC_STRING && !o.plain)
        json_unescape_copy(o.raw, text, sizeof text);
    else
        str_copy(text, sizeof text, o.raw);
    struct str s = str_c(text + strspn(text, " \t\n\v\f\r"));
    bool negative = s.n && s.p[0] == '-';
    if (str_starts(str_from(s, negative || (s.n && s.p[0] == '+')), STR("Infinity"))) {
        *ret = negative ? -__builtin_inf() : __builtin_inf();
        return true;
    }
    return real_read(s, ret) > 0;
}

static bool is_ordered(struct operand value, struct str operator, struct operand limit)
{
    double a, b;
    if (!to_number(value, &a) || !to_number(limit, &b))
        return false;
    if (str_eq(operator, STR("$gt")))
        return a > b;
    if (str_eq(operator, STR("$gte")))
        return a >= b;
    return str_eq(operator, STR("$lt")) ? a < b : a <= b;
}

static bool is_among(struct operand value, struct jval list)
{
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (is_same(value, operand_of(e)))
            return true;
    return false;
}

static bool is_matched(struct condition_facts *f, struct operand value, struct jval pattern)
{
    char text[PATTERN_TEXT_MAX + 1], rule[PATTERN_MAX + 4];
    struct operand p = operand_of(pattern);
    if (p.kind != JDOC_STRING || value.kind == JDOC_ABSENT || value.kind == JDOC_OBJECT || value.kind == JDOC_ARRAY)
        return false;
    if (!p.plain) {
        if (p.raw.n > PATTERN_MAX * 6u)
            return false;
        p.raw = str_of(rule, json_unescape(p.raw, rule, sizeof rule, NULL));
    }
    if (value.kind == JDOC_STRING && !value.plain)
        value.raw = str_of(text, json_unescape(value.raw, text, sizeof text, NULL));
    size_t left = f->work < CONDITION_WORK_MAX ? CONDITION_WORK_MAX - f->work : 0, before = left;
    bool found = pattern_found(p.raw, value.raw, &left);
    f->work += before - left;
    return found;
}

/* --- queries ---------------------------------------------------------------------------------- */

static bool unsupported(struct evaluation *e, struct jval name)
{
    if (!e->bad)
        e->bad_operator = jdoc_escaped(name);
    e->bad = true;
    return false;
}

/* {"$gt": 1, "$lt": 4} */
static bool holds(struct evaluation *e, struct operand value, struct jval operators)
{
    for (struct jval m = jdoc_first(operators); jdoc_has(m) && !e->bad; m = jdoc_next(operators, m)) {
        struct str name = jdoc_escaped(m);
        struct jval v = jdoc_value(m);
        bool list = jdoc_kind(v) == JDOC_ARRAY, ok;
        if (str_eq(name, STR("$eq")))
            ok = is_same(value, operand_of(v));
        else if (str_eq(name, STR("$ne")))
            ok = !is_same(value, operand_of(v));
        else if (str_eq(name, STR("$in")))
            ok = list && is_among(value, v);
        else if (str_eq(name, STR("$nin")))
            ok = list && !is_among(value, v);
        else if (str_eq(name, STR("$regex")))
            ok = is_matched(e->facts, value, v);
        else if (str_eq(name, STR("$gt")) || str_eq(name, STR("$gte")) || str_eq(name, STR("$lt")) ||
                 str_eq(name, STR("$lte")))
            ok = is_ordered(value, name, operand_of(v));
        else
            ok = unsupported(e, m);
        if (!ok)
            return false;
    }
    return !e->bad;
}

static bool is_true(struct evaluation *e, struct jval query);

static bool junction(struct evaluation *e, struct jval list, bool all)
{
    for (struct jval q = jdoc_first(list); jdoc_has(q) && !e->bad; q = jdoc_next(list, q))
        if (is_true(e, q) != all)
            return !all && !e->bad;
    return all && !e->bad;
}

static bool member_holds(struct evaluation *e, struct jval name, struct jval v)
{
    char space[NAME_MAX_BYTES];
    struct str key = jdoc_escaped(name);
    bool plain = !key.n || !memchr(key.p, '\\', key.n);
    if (!plain)
        key = str_of(space, json_unescape(key, space, sizeof space, NULL));
    bool all = str_eq(key, STR("$and"));
    if ((all || str_eq(key, STR("$or"))) && jdoc_kind(v) == JDOC_ARRAY)
        return junction(e, v, all);
    if (key.n && key.p[0] == '$')
        return unsupported(e, name);
    struct operand value = look_up(e->facts, key, plain);
    return jdoc_kind(v) == JDOC_OBJECT ? holds(e, value, v) : is_same(value, operand_of(v));
}

/* The depth is that of the document, which is bounded. */
static bool is_true(struct evaluation *e, struct jval query)
{
    if (jdoc_kind(query) != JDOC_OBJECT)
        return false;
    for (struct jval m = jdoc_first(query); jdoc_has(m); m = jdoc_next(query, m))
        if (!member_holds(e, m, jdoc_value(m)))
            return false;
    return true;
}

void condition_init(struct condition_facts *f, const struct condition_input *in)
{
    f->in = *in;
    f->work = 0;
    f->known_count = 0;
}

enum err condition_check(struct condition_facts *f, struct str query, bool *ret_true, struct str *ret_operator)
{
    struct jdoc d;
    struct evaluation e = {.facts = f, .bad_operator = STR("")};
    jdoc_init(&d);
    bool valid = jdoc_parse(&d, query);
    bool result = valid && is_true(&e, jdoc_root(&d));
    jdoc_free(&d);
    if (!valid || e.bad) {
        *ret_operator = e.bad_operator;
        return ERR_BAD_PARAMETER;
    }
    *ret_true = result;
    return ERR_OK;
}

enum err condition_eval(struct str query, const struct condition_input *in, bool *ret_true, struct str *ret_operator)
{
    struct condition_facts f;
    condition_init(&f, in);
    return condition_check(&f, query, ret_true, ret_operator);
}
