/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

/*
 * money: United States dollars as integers. One unit is a pico-dollar, 10^-12 USD ("pusd").
 *
 * Single amounts are int64_t (up to about 9.2 million dollars); sums are money_sum, 128 bits.
 * Decimal text goes in and out without passing through a floating-point number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef __int128 money_sum;

#define MONEY_PUSD_PER_USD INT64_C(1000000000000)
#define MONEY_TEXT_MAX 64

/*
 * Reads "12", "-0.5", "3.4e-05" as dollars into pico-dollars. False when the text is no decimal
 * number, has digits below 10^-12 that are not zero, or does not fit.
 */
bool money_parse(struct str text, int64_t *ret_pusd);

/* "0.0001234"; at least two digits after the point, no trailing zeros beyond; returns the length. */
size_t money_format(money_sum pusd, char out[MONEY_TEXT_MAX]);

/*
 * quantity × unit_pusd × num / den, rounded half away from zero to a whole pico-dollar. False when
 * the result does not fit in 64 bits. den > 0.
 */
bool money_multiply(uint64_t quantity, int64_t unit_pusd, uint64_t num, uint64_t den, int64_t *ret_pusd);

/* False, and nothing changed, on overflow. */
bool money_add(int64_t *sum_pusd, int64_t pusd);

#endif
