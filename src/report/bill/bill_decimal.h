/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_DECIMAL_H
#define REPORT_BILL_BILL_DECIMAL_H

/*
 * bill_decimal: decimal text of any length into a whole number of fixed places, never through a
 * floating-point number. "0.0000330000000000000000000000000000", "3.4e-05", "-12".
 */

#include <stdbool.h>

#include "base/money.h"
#include "base/str.h"

#define BILL_DECIMAL_TEXT_MAX 512

/*
 * The number × 10^places (places ≤ 12), rounded half away from zero where it has more digits; then
 * *ret_exact is false. False when the text is no decimal number in JSON's form, is longer than
 * BILL_DECIMAL_TEXT_MAX, or is 10^24 or more.
 */
bool bill_decimal_read(struct str text, unsigned places, money_sum *ret_value, bool *ret_exact);

#endif
