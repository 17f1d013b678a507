/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_BYTES_H
#define BASE_JSON_BYTES_H

/*
 * json_bytes: the inner loops over JSON text.
 *
 * 16 bytes a step with SSE2, which every x86-64 has; 8 bytes a step in plain C elsewhere (or with
 * JSON_BYTES_PORTABLE defined, so that tests on x86-64 can run it too). Nothing is read outside
 * p … end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(JSON_BYTES_PORTABLE)
#define JSON_BYTES_SSE2 1
#include <emmintrin.h>
#else
#define JSON_BYTES_SSE2 0
#endif

static inline bool json_bytes_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool json_bytes_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Bytes that end or interrupt the plain run of a string: quote, backslash, control characters. */
static inline bool json_bytes_is_special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

/* The digit's value, or -1. */
static inline int json_bytes_hex(char c)
{
    if (json_bytes_is_digit(c))
        return c - '0';
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static inline const char *json_bytes_digits(const char *p, const char *end)
{
    while (p < end && json_bytes_is_digit(*p))
        p++;
    return p;
}

/* The byte behind the number at p; NULL when it is none, or when `end` comes first. */
static inline const char *json_bytes_number(const char *p, const char *end)
{
    p += *p == '-';
    if (p == end || !json_bytes_is_digit(*p))
        return NULL;
    p = *p == '0' ? p + 1 : json_bytes_digits(p, end);
    if (p < end && *p == '.') {
        const char *from = ++p;
        p = json_bytes_digits(p, end);
        if (p == from)
            return NULL;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *from = p;
        p = json_bytes_digits(p, end);
        if (p == from)
            return NULL;
    }
    return p < end ? p : NULL;
}

#if JSON_BYTES_SSE2

static inline __m128i json_bytes_mark16(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    return _mm_or_si128(_mm_or_si128(quote, slash), control);
}

/* Bit i: p[i] is special. */
static inline unsigned json_bytes_special16(const char *p)
{
    return (unsigned)_mm_movemask_epi8(json_bytes_mark16(p));
}

static inline uint64_t json_bytes_special64(const char *p)
{
    return (uint64_t)json_bytes_special16(p) | (uint64_t)json_bytes_special16(p + 16) << 16 |
           (uint64_t)json_bytes_special16(p + 32) << 32 | (uint64_t)json_bytes_special16(p + 48) << 48;
}

static inline const char *json_bytes_special(const char *p, const char *end)
{
    while (end - p >= 16) {
        unsigned hits = json_bytes_special16(p);
        if (hits)
            return p + __builtin_ctz(hits);
        p += 16;
        while (end - p >= 64) {
            __m128i a = json_bytes_mark16(p), b = json_bytes_mark16(p + 16);
            __m128i c = json_bytes_mark16(p + 32), d = json_bytes_mark16(p + 48);
            if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))))
                break;
            p += 64;
        }
    }
    while (p < end && !json_bytes_is_special(*p))
        p++;
    return p;
}

static inline const char *json_bytes_skip_space(const char *p, const char *end)
{
    while (p < end && json_bytes_is_space(*p)) {
        p++;
        while (end - p >= 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
            if (_mm_movemask_epi8(blank) != 0xffff)
                break;
            p += 16;
        }
    }
    return p;
}

/* How many of n bytes begin a UTF-8 sequence (are no continuation bytes). */
static inline uint64_t json_bytes_starts(const char *p, size_t n)
{
    uint64_t starts = 0;
    const char *end = p + n;
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned hits = (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(v, _mm_set1_epi8(-65)));
        starts += (unsigned)__builtin_popcount(hits);
    }
    for (; p < end; p++)
        starts += (signed char)*p > -65;
    return starts;
}

#else

static inline uint64_t json_bytes_starts(const char *p, size_t n)
{
    uint64_t starts = 0;
    for (size_t i = 0; i < n; i++)
        starts += ((unsigned char)p[i] & 0xc0) != 0x80;
    return starts;
}

static inline uint64_t json_bytes_zero8(uint64_t w)
{
    return (w - UINT64_C(0x0101010101010101)) & ~w & UINT64_C(0x8080808080808080);
}

static inline const char *json_bytes_special(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = json_bytes_zero8(w ^ UINT64_C(0x2222222222222222));
        uint64_t slash = json_bytes_zero8(w ^ UINT64_C(0x5c5c5c5c5c5c5c5c));
        uint64_t control = (w - UINT64_C(0x2020202020202020)) & ~w & UINT64_C(0x8080808080808080);
        if (quote | slash | control)
            break;
        p += 8;
    }
    while (p < end && !json_bytes_is_special(*p))
        p++;
    return p;
}

static inline const char *json_bytes_skip_space(const char *p, const char *end)
{
    while (p < end && json_bytes_is_space(*p))
        p++;
    return p;
}

#endif

#endif
