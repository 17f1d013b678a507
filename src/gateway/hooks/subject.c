/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the parsed body; texts without escapes are views of it. */
#include "gateway/hooks/subject.h"

#include "base/buf.h"

static const struct {
    struct str operation, type;
} kinds[] = {
    [SUBJECT_CHAT] = {{"chat.completions", 16}, {"chatComplete", 12}},
    [SUBJECT_COMPLETE] = {{"completions", 11}, {"complete", 8}},
    [SUBJECT_EMBED] = {{"embeddings", 10}, {"embed", 5}},
    [SUBJECT_MESSAGES] = {{"messages", 8}, {"messages", 8}},
};

enum subject_kind subject_kind_of(const struct endpoint *endpoint)
{
    for (size_t i = SUBJECT_CHAT; i < sizeof kinds / sizeof *kinds; i++)
        if (str_eq(endpoint->operation, kinds[i].operation))
            return (enum subject_kind)i;
    return SUBJECT_NONE;
}

struct str subject_type(enum subject_kind kind)
{
    return kinds[kind].type;
}

/* A string's meaning; false when there is no room. */
static bool read_string(struct jval v, struct arena *a, struct str *ret)
{
    *ret = jdoc_text(v, a);
    return ret->n || !jdoc_escaped(v).n;
}

/* The string of a list's element. */
static struct jval part_text(struct jval part)
{
    return jdoc_kind(part) == JDOC_OBJECT ? jdoc_get(part, "text") : part;
}

/* A string, or the strings of a list (themselves, or their `text`) with a line break between. */
static bool read_text(struct jval v, struct arena *a, struct subject_text *ret)
{
    *ret = (struct subject_text){.text = STR(""), .null = true};
    if (jdoc_kind(v) == JDOC_STRING) {
        ret->null = false;
        return read_string(v, a, &ret->text);
    }
    if (jdoc_kind(v) != JDOC_ARRAY)
        return true;
    char *to = arena_alloc(a, jdoc_raw(v).n + 1);
    if (!to)
        return false;
    size_t n = 0;
    for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e)) {
        struct str one;
        if (!read_string(part_text(e), a, &one))
            return false;
        if (!one.n)
            continue;
        if (n)
            to[n++] = '\n';
        memcpy(to + n, one.p, one.n);
        n += one.n;
        ret->null = false;
    }
    ret->text = str_of(to, n);
    return true;
}

static struct jval last_of(struct jval list)
{
    struct jval last = {NULL, 0};
    for (struct jval e = jdoc_first(list); jdoc_kind(list) == JDOC_ARRAY && jdoc_has(e); e = jdoc_next(list, e))
        last = e;
    return last;
}

/* What the text of a request is made of: a string or a list. */
static struct jval request_content(enum subject_kind kind, struct jval body)
{
    if (kind == SUBJECT_COMPLETE)
        return jdoc_get(body, "prompt");
    if (kind == SUBJECT_EMBED)
        return jdoc_get(body, "input");
    return jdoc_get(last_of(jdoc_get(body, "messages")), "content");
}

static struct jval choice_content(enum subject_kind kind, struct jval choice)
{
    return kind == SUBJECT_COMPLETE ? jdoc_get(choice, "text") : jdoc_get(jdoc_get(choice, "message"), "content");
}

static bool read_choices(enum subject_kind kind, struct jval body, struct arena *a, struct subject *ret)
{
    struct jval list = jdoc_get(body, "choices");
    for (struct jval e = jdoc_first(list); jdoc_kind(list) == JDOC_ARRAY && jdoc_has(e); e = jdoc_next(list, e)) {
        if (ret->n == SUBJECT_TEXTS_MAX || !read_text(choice_content(kind, e), a, &ret->texts[ret->n++]))
            return false;
    }
    return true;
}

bool subject_read(enum subject_kind kind, enum hooks_when when, struct jval body, struct arena *a, struct subject *ret)
{
    ret->n = 0;
    if (when == HOOKS_BEFORE)
        return read_text(request_content(kind, body), a, &ret->texts[ret->n++]);
    if (!read_choices(kind, body, a, ret))
        return false;
    if (!ret->n)
        ret->texts[ret->n++] = (struct subject_text){.text = STR(""), .null = true};
    return true;
}

static bool add_string(struct jval v, struct jval *list, size_t *n)
{
    if (jdoc_kind(v) != JDOC_STRING)
        return true;
    if (*n == SUBJECT_STRINGS_MAX)
        return false;
    list[(*n)++] = v;
    return true;
}

static bool add_strings(struct jval content, struct jval *list, size_t *n)
{
    if (jdoc_kind(content) != JDOC_ARRAY)
        return add_string(content, list, n);
    for (struct jval e = jdoc_first(content); jdoc_has(e); e = jdoc_next(content, e))
        if (!add_string(part_text(e), list, n))
            return false;
    return true;
}

bool subject_strings(enum subject_kind kind, enum hooks_when when, struct jval body,
                     struct jval list[SUBJECT_STRINGS_MAX], size_t *ret_n)
{
    struct jval choices = jdoc_get(body, "choices");
    *ret_n = 0;
    if (when == HOOKS_BEFORE)
        return add_strings(request_content(kind, body), list, ret_n);
    for (struct jval e = jdoc_first(choices); jdoc_kind(choices) == JDOC_ARRAY && jdoc_has(e);
         e = jdoc_next(choices, e))
        if (!add_strings(choice_content(kind, e), list, ret_n))
            return false;
    return true;
}

bool subject_joined(const struct subject *s, struct arena *a, struct str *ret)
{
    size_t size = 0, n = 0;
    for (size_t i = 0; i < s->n; i++)
        size += s->texts[i].text.n + 1;
    *ret = s->texts[0].text;
    if (s->n == 1)
        return true;
    char *to = arena_alloc(a, size);
    for (size_t i = 0; to && i < s->n; i++) {
        struct str text = s->texts[i].text;
        memcpy(to + n, text.p, text.n);
        n += text.n;
        if (i + 1 < s->n)
            to[n++] = '\n';
    }
    *ret = str_of(to, n);
    return to != NULL;
}
