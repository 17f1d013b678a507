/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values are skipped by looking for their end only: the closing quote, or the bracket that brings
 * the depth back, strings being stepped over. Kinds of brackets are not matched.
 */
#include "openai/estimate/cursor.h"

#include "base/json_bytes.h"
#include "base/json_text.h"

/* The closing quote of the string whose content begins at p, or `end`. */
static const char *string_end(const char *p, const char *end)
{
    for (;;) {
        p = json_bytes_special(p, end);
        if (p == end || *p == '"')
            return p;
        p += *p == '\\' && end - p > 1 ? 2 : 1;
    }
}

/* Behind the bracket that closes the one at p, or `end`. */
static const char *container_end(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        char c = *p++;
        if (c == '"') {
            p = string_end(p, end);
            p += p < end;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            break;
        }
    }
    return p;
}

static bool ends_word(char c)
{
    return json_bytes_is_space(c) || c == ',' || c == ']' || c == '}' || c == ':' || c == '"';
}

/* Reads the value at p < end; returns where it ends. */
static const char *read_value(const char *p, const char *end, struct estimate_item *item)
{
    const char *from = p;
    if (*p == '"') {
        p = string_end(p + 1, end);
        item->kind = JSON_STRING;
        item->text = str_of(from + 1, (size_t)(p - from - 1));
        return p + (p < end);
    }
    if (*p == '{' || *p == '[') {
        p = container_end(p, end);
        item->kind = *from == '{' ? JSON_OBJECT : JSON_ARRAY;
    } else {
        /* At least one byte, so that what is no value is passed, too. */
        for (p++; p < end && !ends_word(*p);)
            p++;
        item->kind = *from == 'n' ? JSON_NULL : *from == 't' ? JSON_TRUE : *from == 'f' ? JSON_FALSE : JSON_NUMBER;
    }
    item->text = str_of(from, (size_t)(p - from));
    return p;
}

bool estimate_cursor_document(struct str text, struct estimate_item *ret_item)
{
    const char *end = text.p + text.n, *p = text.n ? json_bytes_skip_space(text.p, end) : end;
    if (p == end)
        return false;
    ret_item->key = STR("");
    read_value(p, end, ret_item);
    return true;
}

struct estimate_cursor estimate_cursor_open(struct estimate_item item)
{
    if (item.kind != JSON_OBJECT && item.kind != JSON_ARRAY)
        return (struct estimate_cursor){item.text.p, item.text.p, false};
    return (struct estimate_cursor){item.text.p + 1, item.text.p + item.text.n, item.kind == JSON_OBJECT};
}

static void skip_to_token(struct estimate_cursor *c, char passed)
{
    c->p = json_bytes_skip_space(c->p, c->end);
    if (c->p < c->end && *c->p == passed)
        c->p = json_bytes_skip_space(c->p + 1, c->end);
}

bool estimate_cursor_next(struct estimate_cursor *c, struct estimate_item *ret_item)
{
    struct estimate_item item = {.key = STR("")};
    skip_to_token(c, ',');
    if (c->p == c->end || *c->p == ']' || *c->p == '}')
        return false;
    if (c->object) {
        c->p = read_value(c->p, c->end, &item);
        item.key = item.text;
        skip_to_token(c, ':');
        if (c->p == c->end)
            return false;
    }
    c->p = read_value(c->p, c->end, &item);
    *ret_item = item;
    return true;
}

bool estimate_cursor_member(struct estimate_item object, struct str name, struct estimate_item *ret_item)
{
    struct estimate_item item;
    bool found = false;
    if (object.kind != JSON_OBJECT)
        return false;
    for (struct estimate_cursor c = estimate_cursor_open(object); estimate_cursor_next(&c, &item);) {
        if (json_string_eq(item.key, name)) {
            *ret_item = item;
            found = true;
        }
    }
    return found;
}
