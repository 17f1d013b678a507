/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata of one request from up to four objects. They are read from the strongest to the weakest,
 * so a member counts when its name is not there yet; within one object the last of a name counts, as
 * JSON.parse has it. Values that are no strings stay as they are written.
 */
#include "gateway/target/options_metadata.h"

#include "base/buf.h"
#include "base/json/jdoc.h"
#include "base/json_write.h"
#include "gateway/target/options.h"
#include "net/url.h"

#define RESULT_MAX 65536

struct member {
    struct str name;
    struct str text; /* of a string */
    struct str raw;  /* of anything else */
};

struct members {
    struct member list[OPTIONS_METADATA_MEMBERS];
    size_t n;
    struct arena *arena;
};

static struct member *find(struct members *m, struct str name)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->list[i].name, name))
            return &m->list[i];
    return NULL;
}

/* The first so many characters of UTF-8. */
static struct str cut(struct str s)
{
    size_t chars = 0;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && chars++ == OPTIONS_METADATA_CHARS)
            return str_head(s, i);
    return s;
}

/* Adds one object's members behind the `strong` ones, which stay. False when it is no JSON object. */
static bool add_object(struct members *m, struct str json)
{
    struct jdoc doc;
    size_t strong = m->n;
    jdoc_init(&doc);
    bool ok = json.n <= OPTIONS_METADATA_MAX && jdoc_parse(&doc, json) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT;
    struct jval root = ok ? jdoc_root(&doc) : (struct jval){NULL, 0};
    for (struct jval e = jdoc_first(root); jdoc_has(e); e = jdoc_next(root, e)) {
        struct jval v = jdoc_value(e);
        struct member fresh = {.name = jdoc_text(e, m->arena), .raw = jdoc_raw(v)};
        struct member *there = find(m, fresh.name);
        if (jdoc_kind(v) == JDOC_STRING)
            fresh = (struct member){.name = fresh.name, .text = cut(jdoc_text(v, m->arena))};
        if (there && (size_t)(there - m->list) >= strong)
            *there = fresh;
        else if (!there && m->n < OPTIONS_METADATA_MEMBERS)
            m->list[m->n++] = fresh;
    }
    jdoc_free(&doc); /* views point into the texts and the arena */
    return ok;
}

static struct str write_members(const struct members *m, struct arena *a)
{
    struct json_write w;
    struct buf out;
    struct str result = STR("");
    buf_init(&out, RESULT_MAX);
    json_write_init(&w, &out);
    json_write_object(&w);
    for (size_t i = 0; i < m->n; i++) {
        json_write_key(&w, m->list[i].name);
        if (m->list[i].raw.n)
            json_write_raw(&w, m->list[i].raw);
        else
            json_write_string(&w, m->list[i].text);
    }
    json_write_object_end(&w);
    if (json_write_done(&w))
        result = arena_dup(a, buf_str(&out));
    buf_free(&out);
    return result.p ? result : STR("");
}

struct str options_metadata(struct str workspace, struct str key, struct str header, struct str baggage,
                            struct str user, struct arena *a, bool *ret_bad)
{
    struct members m = {.n = 0, .arena = a};
    *ret_bad = false;
    if (workspace.n)
        (void)add_object(&m, workspace);
    if (key.n)
        (void)add_object(&m, key);
    if (header.n && !add_object(&m, header))
        *ret_bad = true;
    if (baggage.n)
        (void)add_object(&m, baggage);
    if (user.n && !find(&m, STR("_user")) && m.n < OPTIONS_METADATA_MEMBERS)
        m.list[m.n++] = (struct member){.name = STR("_user"), .text = cut(user)};
    return m.n ? write_members(&m, a) : STR("");
}

/* "name=value;property" */
static bool add_baggage(struct members *m, struct str item)
{
    ptrdiff_t semicolon = str_find(item, ';');
    item = semicolon < 0 ? item : str_head(item, (size_t)semicolon);
    ptrdiff_t equals = str_find(item, '=');
    if (equals <= 0 || m->n >= OPTIONS_METADATA_MEMBERS)
        return true;
    struct str name = str_trim(str_head(item, (size_t)equals)), value;
    if (!name.n || find(m, name))
        return true;
    if (!url_decode(str_trim(str_from(item, (size_t)equals + 1)), URL_IN_PATH, m->arena, &value))
        return true; /* not decodable: not metadata */
    m->list[m->n++] = (struct member){.name = name, .text = cut(value)};
    return true;
}

bool options_metadata_baggage(struct str value, struct arena *a, struct str *ret)
{
    struct members m = {.n = 0, .arena = a};
    struct str item;
    if (ret->n || value.n > OPTIONS_METADATA_MAX)
        return true;
    while (str_split(&value, ',', &item))
        if (!add_baggage(&m, item))
            return false;
    if (!m.n)
        return true;
    struct str json = write_members(&m, a);
    if (!json.n)
        return false;
    *ret = json;
    return true;
}
