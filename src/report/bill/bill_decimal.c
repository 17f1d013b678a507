/* SPDX-License-Identifier: Apache-2.0 */
/* Digits are taken up to the last place that counts; of those behind it only whether they round up, or are zero. */
#include "report/bill/bill_decimal.h"

#include "base/must.h"

#define WHOLE_DIGITS_MAX 24
#define EXPONENT_MAX 1000

struct number {
    struct str digits; /* with the point */
    bool negative;
    int64_t exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_exponent(struct str s, int64_t *ret)
{
    bool negative = s.n && s.p[0] == '-';
    uint64_t v;
    if (negative || (s.n && s.p[0] == '+'))
        s = str_from(s, 1);
    if (!str_to_u64(s, &v) || v > EXPONENT_MAX)
        return false;
    *ret = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

/* JSON's grammar: no sign in front but '-', digits on both sides of the point, no leading zeros. */
static bool split(struct str s, struct number *n)
{
    size_t whole = 0, i = 0, fraction = 0;
    *n = (struct number){.negative = s.n && s.p[0] == '-'};
    s = str_from(s, n->negative);
    while (i < s.n && is_digit(s.p[i]))
        i++, whole++;
    if (!whole || (whole > 1 && s.p[0] == '0'))
        return false;
    if (i < s.n && s.p[i] == '.') {
        for (i++; i < s.n && is_digit(s.p[i]); i++)
            fraction++;
        if (!fraction)
            return false;
    }
    n->digits = str_head(s, i);
    if (i == s.n)
        return true;
    return (s.p[i] == 'e' || s.p[i] == 'E') && read_exponent(str_from(s, i + 1), &n->exponent);
}

bool bill_decimal_read(struct str text, unsigned places, money_sum *ret_value, bool *ret_exact)
{
    struct number n;
    must(places <= 12);
    if (text.n > BILL_DECIMAL_TEXT_MAX || !split(text, &n))
        return false;
    ptrdiff_t point = str_find(n.digits, '.');
    /* The place of the first digit: 0 is the units. Digits down to -places count. */
    int64_t place = (point < 0 ? (int64_t)n.digits.n : (int64_t)point) - 1 + n.exponent;
    unsigned __int128 v = 0;
    bool exact = true, up = false;
    for (size_t i = 0; i < n.digits.n; i++) {
        if (n.digits.p[i] == '.')
            continue;
        unsigned digit = (unsigned)(n.digits.p[i] - '0');
        if (digit && place >= WHOLE_DIGITS_MAX)
            return false;
        if (place >= -(int64_t)places && place < WHOLE_DIGITS_MAX) {
            v = v * 10 + digit;
        } else if (digit && place < 0) {
            exact = false;
            up = up || (place == -(int64_t)places - 1 && digit >= 5);
        }
        place--;
    }
    for (; place >= -(int64_t)places; place--) {
        if (place < WHOLE_DIGITS_MAX)
            v *= 10;
        else if (v)
            return false;
    }
    v += up;
    *ret_value = n.negative ? -(money_sum)v : (money_sum)v;
    *ret_exact = exact;
    return true;
}
