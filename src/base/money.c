/* SPDX-License-Identifier: Apache-2.0 */
/* Exact dollars. The scale is 12 decimal digits; every conversion is checked. */
#include "base/money.h"

#include "base/must.h"

#define SCALE_DIGITS 12
#define EXPONENT_MAX 64

/* Reads [-]digits[.digits][e[+-]digits] into mantissa × 10^exponent, dropping nothing. */
static bool read_decimal(struct str s, bool *ret_negative, unsigned __int128 *ret_mantissa, int *ret_exponent)
{
    size_t i = 0;
    unsigned __int128 m = 0;
    int exponent = 0, digits = 0;
    bool negative = s.n && s.p[0] == '-';
    bool point = false;
    if (negative)
        i++;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        digits++;
        if (m > ((unsigned __int128)1 << 120) / 10)
            return false;
        m = m * 10 + (unsigned)(c - '0');
        exponent -= point;
    }
    if (!digits)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        struct str rest = str_from(s, i + 1);
        int64_t e;
        if (rest.n && rest.p[0] == '+')
            rest = str_from(rest, 1);
        if (!str_to_i64(rest, &e) || e < -EXPONENT_MAX || e > EXPONENT_MAX)
            return false;
        exponent += (int)e;
        i = s.n;
    }
    *ret_negative = negative;
    *ret_mantissa = m;
    *ret_exponent = exponent;
    return i == s.n;
}

bool money_parse(struct str text, int64_t *ret_pusd)
{
    bool negative;
    unsigned __int128 m;
    int exponent;
    if (!read_decimal(text, &negative, &m, &exponent))
        return false;
    for (exponent += SCALE_DIGITS; exponent > 0 && m; exponent--) {
        if (m > (unsigned __int128)INT64_MAX)
            return false;
        m *= 10;
    }
    for (; exponent < 0 && m; exponent++) {
        if (m % 10)
            return false;
        m /= 10;
    }
    if (m > (unsigned __int128)INT64_MAX)
        return false;
    *ret_pusd = negative ? -(int64_t)m : (int64_t)m;
    return true;
}

size_t money_format(money_sum pusd, char out[MONEY_TEXT_MAX])
{
    bool negative = pusd < 0;
    unsigned __int128 m = negative ? -(unsigned __int128)pusd : (unsigned __int128)pusd;
    char reversed[MONEY_TEXT_MAX];
    size_t n = 0;
    int place = 0;
    bool seen = false;
    do {
        unsigned digit;
        if (m > UINT64_MAX) {
            digit = (unsigned)(m % 10);
            m /= 10;
        } else {
            /* Division of 128 bits is a call of many steps. */
            digit = (unsigned)((uint64_t)m % 10);
            m = (uint64_t)m / 10;
        }
        seen = seen || digit || place >= SCALE_DIGITS - 2;
        if (seen)
            reversed[n++] = (char)('0' + digit);
        if (++place == SCALE_DIGITS)
            reversed[n++] = '.';
    } while (m || place <= SCALE_DIGITS);
    if (negative)
        reversed[n++] = '-';
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    out[n] = '\0';
    return n;
}

bool money_multiply(uint64_t quantity, int64_t unit_pusd, uint64_t num, uint64_t den, int64_t *ret_pusd)
{
    must(den > 0);
    bool negative = unit_pusd < 0;
    uint64_t unit = negative ? 0 - (uint64_t)unit_pusd : (uint64_t)unit_pusd;
    unsigned __int128 product = (unsigned __int128)quantity * unit;
    if (num && product > ~(unsigned __int128)0 / num - den)
        return false;
    product = (product * num + den / 2) / den;
    if (product > (unsigned __int128)INT64_MAX)
        return false;
    *ret_pusd = negative ? -(int64_t)product : (int64_t)product;
    return true;
}

bool money_add(int64_t *sum_pusd, int64_t pusd)
{
    int64_t sum;
    if (__builtin_add_overflow(*sum_pusd, pusd, &sum))
        return false;
    *sum_pusd = sum;
    return true;
}
