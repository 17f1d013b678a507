/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STR_H
#define BASE_STR_H

/*
 * str: a view of bytes, pointer and length, passed by value.
 *
 * A view never owns. It may hold any byte, NUL included, and is not terminated. The comment on a
 * field of this type says how long the view is good. The empty view has n == 0 and any pointer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

/* A view of a string literal. */
#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *p, size_t n)
{
    return (struct str){p, n};
}

/* A view of a terminated string; NULL gives the empty view. */
static inline struct str str_c(const char *z)
{
    return (struct str){z ? z : "", z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The part from byte `from` on; `from` past the end gives the empty view. */
static inline struct str str_from(struct str s, size_t from)
{
    return from >= s.n ? (struct str){s.p + s.n, 0} : (struct str){s.p + from, s.n - from};
}

/* The first `n` bytes, or all of them. */
static inline struct str str_head(struct str s, size_t n)
{
    return (struct str){s.p, n < s.n ? n : s.n};
}

/* ASCII case is ignored; other bytes must be equal. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts_nocase(struct str s, struct str prefix);

/* Index of the first byte `c`, or -1. */
ptrdiff_t str_find(struct str s, char c);
/* Index of the first occurrence of `needle` (n ≥ 1), or -1. */
ptrdiff_t str_search(struct str s, struct str needle);
/* Bytes order, as memcmp; a shorter prefix comes first. */
int str_cmp(struct str a, struct str b);

/* Without spaces and tabs at both ends (RFC 9110 OWS). */
struct str str_trim(struct str s);

/*
 * Takes the part of *rest before the first `sep` and moves *rest behind it.
 * False when *rest was exhausted (p == NULL after the last part).
 */
bool str_split(struct str *rest, char sep, struct str *ret_part);

/* Strict decimal: digits only, no sign, no space, no overflow. Output untouched on failure. */
bool str_to_u64(struct str s, uint64_t *ret_value);
/* As str_to_u64 with an optional leading '-'. */
bool str_to_i64(struct str s, int64_t *ret_value);
/* Strict hexadecimal without prefix, 1 to 16 digits. */
bool str_hex_to_u64(struct str s, uint64_t *ret_value);

/* Copies to a terminated buffer, cut to fit; returns dst. `cap` ≥ 1. */
char *str_copy(char *dst, size_t cap, struct str s);

/* 64-bit hash with a per-process random seed: safe for tables keyed by outside bytes. */
uint64_t str_hash(struct str s);

#endif
