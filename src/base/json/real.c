/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decimal text to double: up to 19 digits as a whole number, times a power of ten in long double.
 * With its 64-bit significand powers up to 10^27 are exact, so one rounding is all there is for the
 * numbers that people write.
 */
#include "base/json/real.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define DIGITS_MAX 19
#define EXPONENT_MAX 100000 /* far outside what a double can hold, far inside an int */

struct real {
    uint64_t digits;
    int count;    /* significant digits taken */
    int exponent; /* of ten */
    bool any;
};

static bool is_digit(struct str s, size_t at)
{
    return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

static void take_digit(struct real *d, char c, bool fraction)
{
    d->any = true;
    if (d->count < DIGITS_MAX) {
        d->digits = d->digits * 10 + (uint64_t)(c - '0');
        d->count += d->digits != 0;
        d->exponent -= fraction;
    } else if (!fraction && d->exponent < EXPONENT_MAX) {
        d->exponent++;
    }
}

/* The exponent at `at`, which is where 'e' would be; returns the byte behind it. */
static size_t take_exponent(struct real *d, struct str s, size_t at)
{
    if (at >= s.n || (s.p[at] | 0x20) != 'e')
        return at;
    size_t p = at + 1;
    bool negative = p < s.n && s.p[p] == '-';
    if (p < s.n && (s.p[p] == '-' || s.p[p] == '+'))
        p++;
    if (!is_digit(s, p))
        return at;
    int value = 0;
    for (; is_digit(s, p); p++)
        if (value < EXPONENT_MAX)
            value = value * 10 + (s.p[p] - '0');
    d->exponent += negative ? -value : value;
    return p;
}

/* Ten to the n-th, n ≤ 400; exact up to 27. */
static long double power_of_ten(int n)
{
    long double power = 1, square = 10;
    for (; n; n >>= 1, square *= square)
        if (n & 1)
            power *= square;
    return power;
}

static double scale(const struct real *d)
{
    if (!d->digits)
        return 0;
    uint64_t digits = d->digits;
    int exponent = d->exponent;
    /* The shortest form, so that 0.5 and 0.50 are computed alike. */
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    if (exponent > 400)
        return INFINITY;
    if (exponent < -400)
        return 0;
    long double power = power_of_ten(exponent < 0 ? -exponent : exponent);
    return (double)(exponent < 0 ? (long double)digits / power : (long double)digits * power);
}

size_t real_read(struct str text, double *ret_value)
{
    struct real d = {0};
    bool negative = text.n && text.p[0] == '-';
    size_t at = text.n && (text.p[0] == '-' || text.p[0] == '+');
    for (; is_digit(text, at); at++)
        take_digit(&d, text.p[at], false);
    if (at < text.n && text.p[at] == '.' && (d.any || is_digit(text, at + 1)))
        for (at++; is_digit(text, at); at++)
            take_digit(&d, text.p[at], true);
    if (!d.any)
        return 0;
    at = take_exponent(&d, text, at);
    double value = scale(&d);
    *ret_value = negative ? -value : value;
    return at;
}
