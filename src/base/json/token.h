/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_TOKEN_H
#define BASE_JSON_TOKEN_H

/*
 * token: the tokens of JSON, for json_scan alone.
 *
 * Each function moves over one token from p and returns the byte behind it; or `end` when the chunk
 * ends inside the token (s->state is then AT_IN_… and s->sub tells where); or NULL when it is not
 * JSON. Values are reported on the way when they are watched.
 *
 * The quick forms want the whole token in the chunk and return NULL, or a byte that is not what was
 * looked for, when it needs a closer look; the slow forms alone define what is valid.
 */

#include "base/json/wide.h"
#include "base/json_bytes.h"
#include "base/json_scan.h"

/* What may come next; see json_scan.c for the grammar. The last four: inside a token. */
enum token_at {
    AT_VALUE,
    AT_ELEMENT,
    AT_MEMBER,
    AT_NAME,
    AT_COLON,
    AT_NEXT,
    AT_DEEP,
    AT_BROKEN,
    AT_IN_NAME,
    AT_IN_STRING,
    AT_IN_NUMBER,
    AT_IN_LITERAL
};

/* s->sub inside a string: IN_ESCAPE behind the backslash, IN_HEX + n with n digits still to come. */
enum { IN_PLAIN, IN_ESCAPE, IN_HEX, IN_HEX_LAST = IN_HEX + 4 };

/* Marks the chunk's byte `at` as the one that can not be there; returns NULL. */
static inline const char *token_broken(struct json_scan *s, const char *at)
{
    s->base += (uint64_t)(at - s->chunk);
    s->state = AT_BROKEN;
    return NULL;
}

static inline uint64_t token_offset(const struct json_scan *s, const char *p)
{
    return s->base + (uint64_t)(p - s->chunk);
}

/* Is the value to come watched itself, not only something in it? */
static inline bool token_reported(const struct json_scan *s)
{
    return s->node != JSON_WATCH_NONE && s->watch->nodes[s->node].id != 0;
}

void token_report(struct json_scan *s, enum json_kind kind, unsigned flags, struct str raw, uint64_t end);
/* A scalar in one piece. */
void token_report_scalar(struct json_scan *s, enum json_kind kind, struct str raw, uint64_t end);

/* From the token's first byte. */
const char *token_begin_string(struct json_scan *s, const char *p, const char *end);
const char *token_begin_name(struct json_scan *s, const char *p, const char *end);
const char *token_begin_number(struct json_scan *s, const char *p, const char *end);
/* On from where the last chunk ended; of literals, from the second byte (s->sub = 1) too. */
const char *token_string(struct json_scan *s, const char *p, const char *end);
const char *token_name(struct json_scan *s, const char *p, const char *end);
const char *token_number(struct json_scan *s, const char *p, const char *end);
const char *token_literal(struct json_scan *s, const char *p, const char *end);
/* The document ends here; completes a number. */
void token_end(struct json_scan *s);
/* The name is p … p + n, unescaped: finds its node. */
void token_name_known(struct json_scan *s, const char *p, size_t n);

static inline struct str token_literal_text(enum json_kind kind)
{
    return kind == JSON_NULL ? STR("null") : kind == JSON_TRUE ? STR("true") : STR("false");
}

/* --- The quick form of strings ------------------------------------------------------------------ */

/* Is this whole \uXXXX a high (D8-DB) or low (DC-DF) surrogate? */
static inline bool token_is_surrogate(const char *p, bool high)
{
    return (p[2] | 0x20) == 'd' && json_bytes_hex(p[3]) >= (high ? 8 : 12) && json_bytes_hex(p[3]) < (high ? 12 : 16);
}

/* Bits of a byte's meaning inside a string. */
enum { HEX = 1, SIMPLE = 2 };

static const uint8_t meaning[256] = {
    ['0'] = HEX,    ['1'] = HEX,          ['2'] = HEX,          ['3'] = HEX,    ['4'] = HEX,     ['5'] = HEX,
    ['6'] = HEX,    ['7'] = HEX,          ['8'] = HEX,          ['9'] = HEX,    ['A'] = HEX,     ['B'] = HEX,
    ['C'] = HEX,    ['D'] = HEX,          ['E'] = HEX,          ['F'] = HEX,    ['a'] = HEX,     ['c'] = HEX,
    ['d'] = HEX,    ['e'] = HEX,          ['b'] = HEX | SIMPLE, ['"'] = SIMPLE, ['\\'] = SIMPLE, ['/'] = SIMPLE,
    ['n'] = SIMPLE, ['f'] = HEX | SIMPLE, ['r'] = SIMPLE,       ['t'] = SIMPLE,
};

static inline unsigned meaning_of(char c)
{
    return meaning[(unsigned char)c];
}

/* Is the escape at p whole and right? At least 6 bytes are there. */
static inline bool escape_quick(struct json_scan *s, const char *p)
{
    if (meaning_of(p[1]) & SIMPLE)
        return true;
    if (p[1] != 'u' || !(meaning_of(p[2]) & meaning_of(p[3]) & meaning_of(p[4]) & meaning_of(p[5]) & HEX))
        return false;
    if (token_is_surrogate(p, true))
        s->pair_end = token_offset(s, p + 6);
    return true;
}

/*
 * Goes through the marked bytes of the `width` bytes at *p. Returns the first that is no good
 * escape, or NULL when the block is passed and *p moved behind it.
 */
static inline const char *string_block(struct json_scan *s, const char **p, uint64_t marks, unsigned width)
{
    const char *from = *p;
    *p += width;
    while (marks) {
        unsigned i = (unsigned)__builtin_ctzll(marks);
        if (from[i] != '\\' || !escape_quick(s, from + i))
            return from + i;
        s->flags |= JSON_ESCAPED;
        /* The escaped byte may be marked too; it may be the next block's first. */
        marks &= ~(UINT64_C(3) << i);
        *p += i + 1 == width;
    }
    return NULL;
}

/*
 * The quick form: whole blocks only. Returns the closing quote, or a byte that needs a closer look.
 */
static inline const char *token_string_quick(struct json_scan *s, const char *p, const char *end)
{
#if JSON_BYTES_SSE2
    const char *stop;
    while (end - p >= 16 + 6) {
        if ((stop = string_block(s, &p, json_bytes_special16(p), 16)))
            return stop;
        if (end - p >= WIDE_STRING_MIN && wide_string && (stop = wide_string(s, &p, end)))
            return stop;
        while (end - p >= 64 + 6)
            if ((stop = string_block(s, &p, json_bytes_special64(p), 64)))
                return stop;
    }
#else
    (void)s;
#endif
    return json_bytes_special(p, end);
}

#endif
