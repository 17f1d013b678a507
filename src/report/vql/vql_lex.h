/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_VQL_VQL_LEX_H
#define REPORT_VQL_VQL_LEX_H

/*
 * vql_lex: the words of a query, one after the other. A lexer is a plain struct: a copy looks ahead.
 */

#include <stddef.h>

#include "base/str.h"

/* What a word is. Keywords come in any case. */
enum vql_word {
    VQL_WORD_END,
    VQL_WORD_NAME, /* letters, digits, '_' and '.', no keyword */
    VQL_WORD_STRING,
    VQL_WORD_NUMBER,
    VQL_WORD_OPEN,
    VQL_WORD_CLOSE,
    VQL_WORD_COMMA,
    VQL_WORD_EQ,
    VQL_WORD_NE,
    VQL_WORD_FLEX,
    VQL_WORD_NOT_FLEX,
    VQL_WORD_AND,
    VQL_WORD_OR,
    VQL_WORD_NOT,
    VQL_WORD_IN,
    VQL_WORD_LIKE,
    VQL_WORD_TRUE,
    VQL_WORD_FALSE,
    VQL_WORD_NULL,
    VQL_WORD_OPEN_STRING, /* a string without an end */
    VQL_WORD_DOUBLE_QUOTE,
    VQL_WORD_STRANGE /* a character that has no business here */
};

struct vql_lex {
    struct str rest;    /* not looked at yet */
    size_t next_at;     /* position of its first character, from 1 */
    enum vql_word word; /* the current word … */
    struct str text;    /* … as it stands; a string with its quotes, whose inner quotes are still doubled */
    size_t at;
};

/* Stands before the first word. The text is a view that must stay. */
struct vql_lex vql_lex_of(struct str text);
void vql_lex_next(struct vql_lex *l);

#endif
