/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number is sign, digits and a power of ten. The digits stay in the text: `at` walks over them and
 * steps over the point. Leading and trailing zeros do not count, so equal numbers have equal digits.
 */
#include "gateway/hooks/decimal.h"

#include <stdint.h>

#include "base/json_bytes.h"

#define EXPONENT_MAX INT64_C(1000000000000) /* greater ones are all alike */

struct decimal {
    bool negative;
    struct str digits; /* from the first to the last that is not zero, a point perhaps between; "" is zero */
    size_t count;      /* of digits */
    int64_t exponent;  /* of the last digit */
};

static int64_t exponent_of(struct str s)
{
    int64_t e = 0;
    bool negative = s.n && s.p[0] == '-';
    for (size_t i = 0; i < s.n; i++)
        if (json_bytes_is_digit(s.p[i]) && e < EXPONENT_MAX)
            e = e * 10 + (s.p[i] - '0');
    return negative ? -e : e;
}

static struct decimal read_decimal(struct str s)
{
    struct decimal d = {.negative = s.n && s.p[0] == '-', .digits = STR("")};
    size_t end = 0, first = s.n, last = 0;
    int64_t behind = 0; /* digits behind the point */
    bool point = false;
    while (end < s.n && (s.p[end] | 0x20) != 'e')
        end++;
    for (size_t i = 0; i < end; i++) {
        point = point || s.p[i] == '.';
        if (!json_bytes_is_digit(s.p[i]))
            continue;
        behind += point;
        if (s.p[i] == '0')
            continue;
        first = first < i ? first : i;
        last = i;
    }
    if (first == s.n)
        return d;
    d.digits = str_of(s.p + first, last - first + 1);
    d.exponent = exponent_of(str_from(s, end + 1)) - behind;
    for (size_t i = last + 1; i < end; i++)
        d.exponent += json_bytes_is_digit(s.p[i]);
    for (size_t i = 0; i < d.digits.n; i++)
        d.count += json_bytes_is_digit(d.digits.p[i]);
    return d;
}

/* The next digit, 0 behind the last. */
static int next_digit(const struct decimal *d, size_t *at)
{
    while (*at < d->digits.n && !json_bytes_is_digit(d->digits.p[*at]))
        ++*at;
    return *at < d->digits.n ? d->digits.p[(*at)++] - '0' : 0;
}

/* Of the absolute values. */
static int compare_sizes(const struct decimal *a, const struct decimal *b)
{
    int64_t high_a = (int64_t)a->count + a->exponent, high_b = (int64_t)b->count + b->exponent;
    if (high_a != high_b)
        return high_a < high_b ? -1 : 1;
    for (size_t i = 0, at_a = 0, at_b = 0; i < a->count || i < b->count; i++) {
        int difference = next_digit(a, &at_a) - next_digit(b, &at_b);
        if (difference)
            return difference;
    }
    return 0;
}

int decimal_compare(struct str a, struct str b)
{
    struct decimal x = read_decimal(a), y = read_decimal(b);
    int sign_x = x.count ? (x.negative ? -1 : 1) : 0, sign_y = y.count ? (y.negative ? -1 : 1) : 0;
    if (sign_x != sign_y || !sign_x)
        return sign_x - sign_y;
    return sign_x * compare_sizes(&x, &y);
}

bool decimal_is_whole(struct str a)
{
    struct decimal d = read_decimal(a);
    return !d.count || d.exponent >= 0;
}

bool decimal_is_multiple(struct str a, struct str b)
{
    struct decimal x = read_decimal(a), y = read_decimal(b);
    unsigned __int128 rest = 0, divisor = 0;
    if (!y.count || y.count > 18)
        return false;
    for (size_t i = 0, at = 0; i < y.count; i++)
        divisor = divisor * 10 + (unsigned)next_digit(&y, &at);
    /* The last digit of x is not zero: nothing with a ten in it divides it. */
    if (!x.count || x.exponent < y.exponent)
        return !x.count;
    for (size_t i = 0, at = 0; i < x.count; i++)
        rest = (rest * 10 + (unsigned)next_digit(&x, &at)) % divisor;
    /* Powers of ten: behind so many, no factor of a divisor of 18 digits is left to come. */
    int64_t tens = x.exponent - y.exponent;
    for (int64_t i = 0; i < tens && i < 64 && rest; i++)
        rest = rest * 10 % divisor;
    return !rest;
}
