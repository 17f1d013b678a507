/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_DECIMAL_H
#define GATEWAY_HOOKS_DECIMAL_H

/*
 * decimal: JSON numbers compared as they are written, exactly: no double, no limit of digits.
 * The texts are valid JSON numbers.
 */

#include <stdbool.h>

#include "base/str.h"

/* Below, equal to or above 0, as a is to b. */
int decimal_compare(struct str a, struct str b);
bool decimal_is_whole(struct str a);
/* Whether a is a whole multiple of b, which has up to 18 digits and is not zero; else false. */
bool decimal_is_multiple(struct str a, struct str b);

#endif
