/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words by their first byte. Characters are counted as they are passed, so that every word knows its
 * position without a second look at the text.
 */
#include "report/vql/vql_lex.h"

#include "base/must.h"

static const struct {
    const char *text;
    enum vql_word word;
} keywords[] = {
    {"and", VQL_WORD_AND},   {"or", VQL_WORD_OR},     {"not", VQL_WORD_NOT},     {"in", VQL_WORD_IN},
    {"like", VQL_WORD_LIKE}, {"true", VQL_WORD_TRUE}, {"false", VQL_WORD_FALSE}, {"null", VQL_WORD_NULL},
};

static const struct {
    const char *text;
    enum vql_word word;
} signs[] = {
    /* Longer ones before those they begin with. */
    {"!~*", VQL_WORD_NOT_FLEX}, {"~*", VQL_WORD_FLEX}, {"!=", VQL_WORD_NE},
    {"<>", VQL_WORD_NE},        {"=", VQL_WORD_EQ},    {"(", VQL_WORD_OPEN},
    {")", VQL_WORD_CLOSE},      {",", VQL_WORD_COMMA}, {"\"", VQL_WORD_DOUBLE_QUOTE},
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.';
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Moves `n` bytes of the rest behind us. */
static struct str take(struct vql_lex *l, size_t n)
{
    must(n <= l->rest.n);
    struct str part = str_head(l->rest, n);
    for (size_t i = 0; i < n; i++)
        l->next_at += !is_continuation(part.p[i]);
    l->rest = str_from(l->rest, n);
    return part;
}

/* The length of the string at the front with its quotes; 0 when it does not end. */
static size_t string_length(struct str s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] != '\'')
            continue;
        if (i + 1 == s.n || s.p[i + 1] != '\'')
            return i + 1;
        i++;
    }
    return 0;
}

static enum vql_word word_of(struct str text)
{
    if (is_digit(text.p[0]) || (text.p[0] == '.' && text.n > 1 && is_digit(text.p[1])))
        return VQL_WORD_NUMBER;
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (str_eq_nocase(text, str_c(keywords[i].text)))
            return keywords[i].word;
    return VQL_WORD_NAME;
}

static void take_sign(struct vql_lex *l)
{
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (str_starts(l->rest, str_c(signs[i].text))) {
            l->word = signs[i].word;
            l->text = take(l, str_c(signs[i].text).n);
            return;
        }
    }
    size_t n = 1;
    while (n < l->rest.n && is_continuation(l->rest.p[n]))
        n++;
    l->word = VQL_WORD_STRANGE;
    l->text = take(l, n);
}

struct vql_lex vql_lex_of(struct str text)
{
    return (struct vql_lex){.rest = text, .next_at = 1, .word = VQL_WORD_END, .at = 1};
}

void vql_lex_next(struct vql_lex *l)
{
    size_t n = 0;
    while (n < l->rest.n && is_space(l->rest.p[n]))
        n++;
    take(l, n);
    l->at = l->next_at;
    n = 0;
    if (l->rest.n == 0) {
        l->word = VQL_WORD_END;
        l->text = l->rest;
    } else if (l->rest.p[0] == '\'') {
        n = string_length(l->rest);
        l->word = n ? VQL_WORD_STRING : VQL_WORD_OPEN_STRING;
        l->text = take(l, n ? n : l->rest.n);
    } else if (is_name(l->rest.p[0])) {
        while (n < l->rest.n && is_name(l->rest.p[n]))
            n++;
        l->text = take(l, n);
        l->word = word_of(l->text);
    } else {
        take_sign(l);
    }
}
