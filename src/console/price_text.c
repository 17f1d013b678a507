/* SPDX-License-Identifier: Apache-2.0 */
/* A long division; all prices of the catalogue end before the last digit that is written. */
#include "console/price_text.h"

#define DIGITS_MAX 30 /* behind the point */

bool price_text_add(struct buf *out, const struct price_unit *p, uint64_t units, uint64_t coin_pusd)
{
    unsigned __int128 n = (unsigned __int128)p->unit_pusd * p->num, d;
    if (p->whole_seconds) /* its price is of seconds, not of milliseconds */
        units /= 1000;
    if (__builtin_mul_overflow(n, units, &n) ||
        __builtin_mul_overflow((unsigned __int128)p->per * p->den, coin_pusd, &d) || d > ~(unsigned __int128)0 / 10)
        return false;
    unsigned __int128 rest = n % d;
    bool ok = n / d <= UINT64_MAX && buf_printf(out, "%llu", (unsigned long long)(n / d));
    if (rest)
        ok = ok && buf_add_byte(out, '.');
    for (int i = 0; i < DIGITS_MAX && rest; i++) {
        rest *= 10;
        ok = ok && buf_add_byte(out, (char)('0' + (int)(rest / d)));
        rest %= d;
    }
    return ok;
}
