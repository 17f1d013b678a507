/* SPDX-License-Identifier: Apache-2.0 */
/* Digits of 128-bit numbers with a point put in; amounts shared out. */
#include "report/cost/cost_amount.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define PLACES 24
#define USAGE_PLACES 12

static size_t format(__int128 value, unsigned places, char out[COST_TEXT_MAX])
{
    char reversed[COST_TEXT_MAX];
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    size_t n = 0, skip = 0, used = 0;
    for (unsigned i = 0; rest || i <= places; i++) {
        reversed[n++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    while (skip + 1 < places && reversed[skip] == '0')
        skip++;
    if (value < 0)
        out[used++] = '-';
    for (size_t i = n; i > skip; i--) {
        out[used++] = reversed[i - 1];
        if (i - 1 == places)
            out[used++] = '.';
    }
    out[used] = '\0';
    must(used < COST_TEXT_MAX);
    return used;
}

/* value ÷ 10^drop, half away from zero. */
static __int128 scaled(__int128 value, unsigned drop)
{
    __int128 by = 1;
    while (drop--)
        by *= 10;
    __int128 whole = value / by, rest = value % by;
    if (rest >= by - by / 2 && rest > 0)
        whole++;
    if (-rest >= by - by / 2 && rest < 0)
        whole--;
    return whole;
}

/* With exactly `places` digits after the point. */
static size_t format_fixed(__int128 value, unsigned from, unsigned places, char out[COST_TEXT_MAX])
{
    must(places >= 1);
    must(places <= from);
    char digits[COST_TEXT_MAX];
    size_t n = format(scaled(value, from - places), places, digits);
    const char *point = memchr(digits, '.', n);
    must(point);
    size_t have = n - (size_t)(point - digits) - 1;
    memcpy(out, digits, n);
    for (; have < places; have++)
        out[n++] = '0';
    out[n] = '\0';
    return n;
}

size_t cost_amount_format(cost_sum amount, char out[COST_TEXT_MAX])
{
    return format(amount, PLACES, out);
}

size_t cost_amount_format_rounded(cost_sum amount, unsigned places, char out[COST_TEXT_MAX])
{
    return format_fixed(amount, PLACES, places, out);
}

size_t cost_amount_format_usage(money_sum usage, unsigned places, char out[COST_TEXT_MAX])
{
    return format_fixed(usage, USAGE_PLACES, places, out);
}

money_sum cost_amount_pusd(cost_sum amount)
{
    return scaled(amount, PLACES - 12);
}

bool cost_amount_add(cost_sum *sum, cost_sum amount)
{
    cost_sum s;
    if (__builtin_add_overflow(*sum, amount, &s))
        return false;
    *sum = s;
    return true;
}

/* --- shares ---------------------------------------------------------------------------------- */

#define PRODUCT_BITS 126

static unsigned bits_of(unsigned __int128 v)
{
    unsigned n = 0;
    for (; v; v >>= 1)
        n++;
    return n;
}

static bool all_divisible(const struct cost_portion *list, size_t count, int64_t by)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].weight % by)
            return false;
    return true;
}

static money_sum sum_of(const struct cost_portion *list, size_t count)
{
    money_sum sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += list[i].weight;
    return sum;
}

/* Weights so small that an amount can be multiplied by them: zeros at their ends go first, then what is too fine. */
static money_sum fit_weights(unsigned __int128 amount, struct cost_portion *list, size_t count)
{
    static const int64_t powers[] = {1000000000000000, 1000000000, 1000000, 1000};
    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++)
        for (; all_divisible(list, count, powers[i]) && sum_of(list, count);)
            for (size_t k = 0; k < count; k++)
                list[k].weight /= powers[i];
    unsigned bits = bits_of(amount) + bits_of((unsigned __int128)sum_of(list, count));
    for (size_t k = 0; bits > PRODUCT_BITS && k < count; k++)
        list[k].weight >>= bits - PRODUCT_BITS;
    return sum_of(list, count);
}

static int compare_rests(const void *a, const void *b)
{
    const struct cost_portion *x = a, *y = b;
    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

void cost_amount_share(money_sum amount, struct cost_portion *list, size_t count)
{
    unsigned __int128 size = amount < 0 ? -(unsigned __int128)amount : (unsigned __int128)amount;
    money_sum whole = fit_weights(size, list, count), left = (money_sum)size;
    for (size_t i = 0; i < count; i++) {
        money_sum product = (money_sum)size * list[i].weight;
        list[i].share = whole ? product / whole : 0;
        list[i].rest = whole ? product % whole : 0;
        left -= list[i].share;
    }
    if (whole && left > 0)
        qsort(list, count, sizeof *list, compare_rests);
    for (size_t i = 0; whole && i < count; i++) {
        list[i].share += (money_sum)i < left;
        list[i].share = amount < 0 ? -list[i].share : list[i].share;
    }
}
