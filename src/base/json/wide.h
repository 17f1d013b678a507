/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_WIDE_H
#define BASE_JSON_WIDE_H

/*
 * wide: long strings of JSON by 64 bytes a step, on processors with AVX2 or AVX-512.
 *
 * Prose and code have an escape every few dozen bytes. Going from one to the next takes, in each
 * block, a jump that nobody can foretell; looking at all of a block's escapes at once takes none, and
 * is four times as fast.
 */

#include "base/json_scan.h"

#define WIDE_STRING_MIN 256 /* shorter strings are not worth the call */

/*
 * Moves *p over whole blocks of plain bytes and good escapes. Returns a byte that ends the string or
 * needs a closer look; NULL when less than a block is left.
 */
typedef const char *wide_string_fn(struct json_scan *s, const char **p, const char *end);

/* Set when the program starts; NULL when the processor has neither. Tests set it to each form, and to NULL. */
extern wide_string_fn *wide_string;
/* What this processor can do, the best first. */
extern wide_string_fn *wide_forms[2];
extern unsigned wide_form_count;

#endif
