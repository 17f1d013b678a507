/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of a config's objects. An object is walked over once, when it is first asked for something:
 * known names go into an index, so that a huge object costs no more than its length. The indexes of
 * the last few objects are kept.
 */
#include "control/config/fields.h"

#include <string.h>

#include "base/json_text.h"

#define NAME_MAX_BYTES 64
#define TWICE UINT32_MAX
#define CODE_MIN 100
#define CODE_MAX 999

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* "prompt_id" as "promptId" or "promptID": where '_' stood a capital, which may go on in capitals. */
static bool is_camel(struct str given, const char *name)
{
    size_t at = 0;
    for (; *name; name++, at++) {
        bool border = *name == '_';
        name += border;
        if (at >= given.n)
            return false;
        bool capital_run = at > 0 && is_upper(given.p[at - 1]);
        if (border ? given.p[at] != upper(*name)
                   : given.p[at] != *name && !(capital_run && given.p[at] == upper(*name)))
            return false;
    }
    return at == given.n;
}

bool fields_is(struct str given, const char *name)
{
    return str_eq(given, str_c(name)) || is_camel(given, name);
}

/* A member's name without escapes, in `space` when it has any. */
static struct str name_of(struct str raw, char space[NAME_MAX_BYTES])
{
    if (raw.n > NAME_MAX_BYTES || !memchr(raw.p, '\\', raw.n))
        return raw;
    return str_of(space, json_unescape(raw, space, NAME_MAX_BYTES, NULL));
}

static const char *const names[FIELD_COUNT] = {
#define X(name, text) [FIELD_##name] = text,
    FIELDS_TABLE(X)
#undef X
};

const char *fields_name(enum field f)
{
    return names[f];
}

enum field fields_find(struct str given)
{
    char space[NAME_MAX_BYTES];
    struct str name = name_of(given, space);
    if (!name.n || name.n > NAME_MAX_BYTES)
        return FIELD_COUNT;
    for (unsigned f = 0; f < FIELD_COUNT; f++)
        if (names[f][0] == name.p[0] && fields_is(name, names[f]))
            return (enum field)f;
    return FIELD_COUNT;
}

static const struct fields_index *index_of(struct compile *c, struct jval object)
{
    for (unsigned i = 0; i < FIELDS_INDEXES; i++)
        if (c->index[i].object == object.at + 1)
            return &c->index[i];
    c->index_last = (c->index_last + 1) % FIELDS_INDEXES;
    struct fields_index *index = &c->index[c->index_last];
    *index = (struct fields_index){.object = object.at + 1};
    for (struct jval m = jdoc_first(object); jdoc_has(m); m = jdoc_next(object, m)) {
        struct jval value = jdoc_value(m);
        enum field f = jdoc_kind(value) == JDOC_NULL ? FIELD_COUNT : fields_find(jdoc_escaped(m));
        if (f < FIELD_COUNT)
            index->value[f] = index->value[f] ? TWICE : value.at;
    }
    return index;
}

struct jval fields_get(struct compile *c, struct jval object, enum field f)
{
    struct jval absent = {NULL, 0};
    if (jdoc_kind(object) != JDOC_OBJECT)
        return absent;
    uint32_t at = index_of(c, object)->value[f];
    if (at != TWICE)
        return at ? (struct jval){object.doc, at} : absent;
    compile_error(c, names[f], "Given twice, possibly in two spellings");
    return absent;
}

bool fields_has(struct compile *c, struct jval object, enum field f)
{
    return jdoc_has(fields_get(c, object, f));
}

static const char *kind_text(enum jdoc_kind kind)
{
    static const char *const texts[] = {"nothing", "null", "boolean", "boolean", "number", "string", "object", "array"};
    return texts[kind];
}

bool fields_check(struct compile *c, struct jval value, const char *name, enum jdoc_kind kind)
{
    enum jdoc_kind is = jdoc_kind(value);
    if (is == kind)
        return true;
    compile_error(c, name, "Expected %s, received %s", kind_text(kind), kind_text(is));
    return false;
}

struct jval fields_container(struct compile *c, struct jval object, enum field f, enum jdoc_kind kind)
{
    struct jval v = fields_get(c, object, f);
    if (jdoc_has(v) && !fields_check(c, v, names[f], kind))
        return (struct jval){NULL, 0};
    return v;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

static bool text_of(struct compile *c, struct jval v, const char *name, struct str *ret)
{
    if (!fields_check(c, v, name, JDOC_STRING))
        return false;
    struct str raw = jdoc_escaped(v), text = raw;
    if (memchr(raw.p, '\\', raw.n)) {
        char *p = compile_alloc(c, raw.n);
        if (!p)
            return false;
        text = str_of(p, json_unescape(raw, p, raw.n, NULL));
    }
    if (has_control(text)) {
        compile_error(c, name, "Control characters are not allowed here");
        return false;
    }
    *ret = text;
    return true;
}

bool fields_text(struct compile *c, struct jval object, enum field f, struct str *ret)
{
    struct jval v = fields_get(c, object, f);
    return jdoc_has(v) && text_of(c, v, names[f], ret);
}

bool fields_bool(struct compile *c, struct jval object, enum field f, bool *ret)
{
    struct jval v = fields_get(c, object, f);
    if (!jdoc_has(v) || (jdoc_kind(v) != JDOC_FALSE && !fields_check(c, v, names[f], JDOC_TRUE)))
        return false;
    *ret = jdoc_true(v);
    return true;
}

bool fields_count(struct compile *c, struct jval object, enum field f, uint64_t max, uint64_t *ret)
{
    struct jval v = fields_get(c, object, f);
    uint64_t n = 0;
    if (!jdoc_has(v) || !fields_check(c, v, names[f], JDOC_NUMBER))
        return false;
    if (!json_to_count(jdoc_raw(v), &n)) {
        compile_error(c, names[f], "Must be a whole number, 0 or more");
        return false;
    }
    *ret = n < max ? n : max;
    return true;
}

static size_t insert_code(uint16_t *list, size_t n, uint16_t code)
{
    size_t at = n;
    while (at > 0 && list[at - 1] >= code)
        at--;
    if (at < n && list[at] == code)
        return n;
    memmove(list + at + 1, list + at, (n - at) * sizeof *list);
    list[at] = code;
    return n + 1;
}

/* A list that is not too long; its length in *ret_n. */
static struct jval list_of(struct compile *c, struct jval object, enum field f, size_t *ret_n)
{
    struct jval list = fields_container(c, object, f, JDOC_ARRAY);
    *ret_n = jdoc_has(list) ? jdoc_size(list) : 0;
    if (*ret_n <= CONFIG_LIST_MAX)
        return list;
    compile_error(c, names[f], "More than %d elements", CONFIG_LIST_MAX);
    return (struct jval){NULL, 0};
}

bool fields_codes(struct compile *c, struct jval object, enum field f, struct config_codes *ret)
{
    size_t given, n = 0;
    struct jval list = list_of(c, object, f, &given);
    uint16_t *codes = jdoc_has(list) ? compile_alloc(c, (given + 1) * sizeof *codes) : NULL;
    if (!codes)
        return false;
    compile_enter(c, names[f]);
    unsigned index = 0;
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e)) {
        uint64_t code = jdoc_count(e, 0);
        compile_enter_index(c, index++);
        if (fields_check(c, e, NULL, JDOC_NUMBER)) {
            if (code < CODE_MIN || code > CODE_MAX)
                compile_error(c, NULL, "Must be an HTTP status, %d to %d", CODE_MIN, CODE_MAX);
            else
                n = insert_code(codes, n, (uint16_t)code);
        }
        compile_leave(c);
    }
    compile_leave(c);
    *ret = (struct config_codes){codes, n};
    return true;
}

bool fields_strings(struct compile *c, struct jval object, enum field f, struct config_strings *ret)
{
    size_t given, n = 0;
    struct jval list = list_of(c, object, f, &given);
    struct str *texts = jdoc_has(list) ? compile_alloc(c, (given + 1) * sizeof *texts) : NULL;
    if (!texts)
        return false;
    compile_enter(c, names[f]);
    unsigned index = 0;
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e)) {
        compile_enter_index(c, index++);
        n += text_of(c, e, NULL, &texts[n]);
        compile_leave(c);
    }
    compile_leave(c);
    *ret = (struct config_strings){texts, n};
    return true;
}

bool fields_raw(struct compile *c, struct jval object, enum field f, struct str *ret)
{
    struct jval v = fields_container(c, object, f, JDOC_OBJECT);
    if (!jdoc_has(v))
        return false;
    *ret = jdoc_raw(v);
    return true;
}
