/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DIGITS_H
#define BASE_DIGITS_H

/*
 * digits: whole numbers as text, for places that are passed by every request, where printf would
 * cost more than what it is used for.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_DECIMAL_MAX 20
#define DIGITS_HEX_MAX 16

/* Returns the length; nothing is terminated. */
static inline size_t digits_decimal(uint64_t v, char out[DIGITS_DECIMAL_MAX])
{
    char reversed[DIGITS_DECIMAL_MAX];
    size_t n = 0;
    do
        reversed[n++] = (char)('0' + v % 10);
    while (v /= 10);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

/* Exactly `n` digits of the value's low end, in lower case. */
static inline void digits_hex_fixed(uint64_t v, char *out, size_t n)
{
    for (size_t i = n; i > 0; v >>= 4)
        out[--i] = "0123456789abcdef"[v & 15];
}

/* Without leading zeros; returns the length. */
static inline size_t digits_hex(uint64_t v, char out[DIGITS_HEX_MAX])
{
    size_t n = v ? (67 - (size_t)__builtin_clzll(v)) / 4 : 1;
    digits_hex_fixed(v, out, n);
    return n;
}

#endif
