/* SPDX-License-Identifier: Apache-2.0 */
/* A product of 256 bits in two halves, divided bit by bit; products that fit take the short way. */
#include "report/reconcile/reconcile_wide.h"

#include <stdint.h>

#include "base/must.h"

typedef unsigned __int128 wide;

static void multiply(wide a, wide b, wide *ret_high, wide *ret_low)
{
    const wide mask = UINT64_MAX;
    wide a0 = a & mask, a1 = a >> 64, b0 = b & mask, b1 = b >> 64;
    wide low = a0 * b0, mid = a0 * b1 + (low >> 64), other = a1 * b0 + (mid & mask);
    *ret_low = (other << 64) | (low & mask);
    *ret_high = a1 * b1 + (mid >> 64) + (other >> 64);
}

/* (high, low) ÷ c; false when the quotient has more than 127 bits. */
static bool divide(wide high, wide low, wide c, wide *ret_quotient, wide *ret_rest)
{
    wide quotient = 0, rest = high;
    if (high >= c)
        return false;
    for (int i = 127; i >= 0; i--) {
        bool carry = rest >> 127;
        rest = (rest << 1) | ((low >> i) & 1);
        quotient <<= 1;
        if (carry || rest >= c) {
            rest -= c;
            quotient |= 1;
        }
    }
    *ret_quotient = quotient;
    *ret_rest = rest;
    return quotient >> 127 == 0;
}

bool reconcile_wide(__int128 a, __int128 b, __int128 c, __int128 *ret)
{
    must(b >= 0);
    must(c > 0);
    bool negative = a < 0;
    wide size = negative ? -(wide)a : (wide)a, product, quotient, rest;
    if (!__builtin_mul_overflow(size, (wide)b, &product)) {
        quotient = product / (wide)c;
        rest = product % (wide)c;
        if (quotient >> 127)
            return false;
    } else {
        wide high, low;
        multiply(size, (wide)b, &high, &low);
        if (!divide(high, low, (wide)c, &quotient, &rest))
            return false;
    }
    if (rest >= (wide)c - rest && rest > 0)
        quotient++;
    if (quotient >> 127)
        return false;
    *ret = negative ? -(__int128)quotient : (__int128)quotient;
    return true;
}
