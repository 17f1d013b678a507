/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte views. Hashing is a multiply-fold over 8-byte words with a seed drawn once per process, so
 * that outsiders cannot choose colliding keys for tables that hold their bytes.
 */
#include "base/str.h"

#include <pthread.h>

#include "base/must.h"
#include "base/rng.h"

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= 'A' && u <= 'Z') ? (unsigned char)(u | 0x20) : u;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        /* Mostly the case is the same too. */
        while (i + 8 <= a.n && memcmp(a.p + i, b.p + i, 8) == 0)
            i += 8;
        if (i < a.n && lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool str_starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_head(s, prefix.n), prefix);
}

ptrdiff_t str_find(struct str s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
    return hit ? hit - s.p : -1;
}

ptrdiff_t str_search(struct str s, struct str needle)
{
    must(needle.n > 0);
    const char *hit = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return hit ? hit - s.p : -1;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

struct str str_trim(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_from(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool str_split(struct str *rest, char sep, struct str *ret_part)
{
    if (!rest->p)
        return false;
    ptrdiff_t at = str_find(*rest, sep);
    if (at < 0) {
        *ret_part = *rest;
        *rest = (struct str){NULL, 0};
    } else {
        *ret_part = str_head(*rest, (size_t)at);
        *rest = str_from(*rest, (size_t)at + 1);
    }
    return true;
}

bool str_to_u64(struct str s, uint64_t *ret_value)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 20)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)digit, &v))
            return false;
    }
    *ret_value = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *ret_value)
{
    bool negative = s.n && s.p[0] == '-';
    uint64_t magnitude;
    if (!str_to_u64(negative ? str_from(s, 1) : s, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool str_hex_to_u64(struct str s, uint64_t *ret_value)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 16)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = lower(s.p[i]);
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10u;
        else
            return false;
        v = v << 4 | digit;
    }
    *ret_value = v;
    return true;
}

char *str_copy(char *dst, size_t cap, struct str s)
{
    must(cap > 0);
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
    return dst;
}

static uint64_t hash_seed;
static pthread_once_t hash_seed_once = PTHREAD_ONCE_INIT;

static void hash_seed_draw(void)
{
    rng_bytes(&hash_seed, sizeof hash_seed);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The last one to seven bytes behind whole words, in one word; of longer texts it overlaps the word before. */
static uint64_t tail_word(struct str s, size_t left)
{
    uint64_t word = 0;
    uint32_t a, b;
    if (s.n >= 8) {
        memcpy(&word, s.p + s.n - 8, 8);
    } else if (left >= 4) {
        memcpy(&a, s.p, 4);
        memcpy(&b, s.p + s.n - 4, 4);
        word = (uint64_t)a << 32 | b;
    } else {
        for (size_t i = 0; i < left; i++)
            word = word << 8 | (unsigned char)s.p[i];
    }
    return word;
}

uint64_t str_hash(struct str s)
{
    pthread_once(&hash_seed_once, hash_seed_draw);
    uint64_t h = hash_seed ^ fold(s.n ^ 0x9e3779b97f4a7c15u, 0xd6e8feb86659fd93u);
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        h = fold(h ^ word, 0xa0761d6478bd642fu ^ hash_seed);
    }
    return fold(h ^ tail_word(s, s.n - i), 0xe7037ed1a0b428dbu ^ hash_seed);
}
