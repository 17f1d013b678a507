/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_REAL_H
#define BASE_JSON_REAL_H

/*
 * real: the decimal number at the start of a text, as a double. For weights and comparisons,
 * never for money. The locale has no say.
 */

#include <stddef.h>

#include "base/str.h"

/*
 * Reads [+-] digits [. digits] [e [+-] digits], with digits on one side of the point at least, and
 * returns how many bytes that took: 0 when there is no number. Up to 19 digits count, further ones
 * only by their place. Texts of the same number give the same double. May give an infinity.
 */
size_t real_read(struct str text, double *ret_value);

#endif
