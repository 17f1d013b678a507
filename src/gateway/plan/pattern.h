/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PLAN_PATTERN_H
#define GATEWAY_PLAN_PATTERN_H

/*
 * pattern: regular expressions out of configs, which anybody with a key may send: bounded in
 * length, text and work, so that none of them holds up a worker.
 *
 * They are read as JavaScript reads them without flags, as far as PCRE2 goes: unanchored, `$` only at
 * the very end, "\uXXXX", empty classes. Look-behind needs a fixed length.
 */

#include <stdbool.h>

#include "base/str.h"

#define PATTERN_MAX 1024
#define PATTERN_TEXT_MAX 8192 /* of a longer text this much is looked at; its end is then not `$` */

/*
 * False, too, for a pattern that is not valid, too long, or more work on this text than *work_left,
 * which is lowered by what was done: about a unit for each character looked at.
 */
bool pattern_found(struct str pattern, struct str text, size_t *work_left);

#endif
