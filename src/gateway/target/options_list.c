/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scanner for all three spellings: items are separated by commas, may be quoted either way, and
 * brackets around them are skipped. Nothing is refused: a list is only ever as long as the names in it.
 */
#include "gateway/target/options_list.h"

#include "gateway/target/options.h"
#include "net/http1_head.h"

#define NAME_LONGEST 256

static bool is_name(struct str s)
{
    if (!s.n || s.n > NAME_LONGEST)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!http1_token_byte((unsigned char)s.p[i]))
            return false;
    return true;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

bool options_list_has(const struct config_strings *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq_nocase(list->list[i], name))
            return true;
    return false;
}

/* A new array each time it grows by a step; lists are short. */
static bool append(struct config_strings *list, struct str name, struct arena *a)
{
    if (list->n >= OPTIONS_LIST_MAX || options_list_has(list, name))
        return true;
    struct str *grown = arena_alloc(a, (list->n + 1) * sizeof *grown);
    if (!grown)
        return false;
    for (size_t i = 0; i < list->n; i++)
        grown[i] = list->list[i];
    grown[list->n] = name;
    list->list = grown;
    list->n++;
    return true;
}

bool options_list_add(struct config_strings *list, struct str name, struct arena *a)
{
    char *lower = arena_alloc(a, name.n + 1);
    if (!lower)
        return false;
    for (size_t i = 0; i < name.n; i++)
        lower[i] = (char)(is_upper(name.p[i]) ? name.p[i] | 0x20 : name.p[i]);
    return append(list, str_of(lower, name.n), a);
}

/* xMyHeader as x-my-header; nothing for names that have no such place, or are in kebab-case already. */
static bool add_kebab(struct config_strings *list, struct str name, struct arena *a)
{
    char kebab[2 * NAME_LONGEST];
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        if (i && is_upper(name.p[i]) && !is_upper(name.p[i - 1]))
            kebab[n++] = '-';
        kebab[n++] = name.p[i];
    }
    return n == name.n || str_find(name, '-') >= 0 || options_list_add(list, str_of(kebab, n), a);
}

static bool is_skipped(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '[' || c == ']';
}

/* Takes the next item, "" when it is none; false at the end. */
static bool next_item(struct str *rest, struct str *ret_item)
{
    while (rest->n && is_skipped(rest->p[0]))
        *rest = str_from(*rest, 1);
    if (!rest->n)
        return false;
    char quote = rest->p[0];
    size_t n = 0;
    if (quote == '"' || quote == '\'') {
        *rest = str_from(*rest, 1);
        while (n < rest->n && rest->p[n] != quote)
            n += rest->p[n] == '\\' && n + 1 < rest->n ? 2 : 1;
        *ret_item = str_head(*rest, n);
        *rest = str_from(*rest, n + 1);
        return true;
    }
    while (n < rest->n && rest->p[n] != ',' && rest->p[n] != ']')
        n++;
    *ret_item = str_trim(str_head(*rest, n));
    *rest = str_from(*rest, n);
    return true;
}

bool options_list_read(struct str value, bool kebab, struct arena *a, struct config_strings *ret)
{
    struct config_strings list = {NULL, 0};
    struct str item;
    while (list.n < OPTIONS_LIST_MAX && next_item(&value, &item)) {
        if (!is_name(item))
            continue;
        if (!options_list_add(&list, item, a) || (kebab && !add_kebab(&list, item, a)))
            return false;
    }
    *ret = list;
    return true;
}
