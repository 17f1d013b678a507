/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

/*
 * json_text: what the raw text of JSON scalars means.
 *
 * Input is text that json_scan found valid: a string's bytes between the quotes, or a number.
 * On other input the functions stay within bounds and fail or copy, nothing more is promised.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * Unescapes as UTF-8 into dst and returns the length; a lone surrogate becomes U+FFFD. Stops before
 * the first character that does not fit; *ret_used, if not NULL, is how much of raw was consumed.
 */
size_t json_unescape(struct str raw, char *dst, size_t cap, size_t *ret_used);
/* Appends; false, and nothing changed, when the buffer's maximum would be passed. */
bool json_unescape_buf(struct str raw, struct buf *out) __attribute__((warn_unused_result));
/*
 * Terminated copy in dst (cap ≥ 1), cut at a character's border when it does not fit; NUL becomes
 * '?'. False when cut.
 */
bool json_unescape_copy(struct str raw, char *dst, size_t cap);
/*
 * The same for a string that comes in pieces: appends behind `at` (0 for the first piece) and
 * returns where the next piece goes. JSON_TEXT_CUT, given or returned: it did not fit, the rest is
 * dropped. What is in dst at the end does not depend on the pieces.
 */
#define JSON_TEXT_CUT UINT16_MAX
uint16_t json_unescape_more(struct str raw, char *dst, size_t cap, uint16_t at);

/* Does the string with this raw text mean `text`? */
bool json_string_eq(struct str raw, struct str text);

/* Unicode code points of a string's raw text; a surrogate pair is one. */
uint64_t json_code_points(struct str raw);

/* Does the string hold U+0000, which no terminated copy can show? */
bool json_has_nul(struct str raw);

/*
 * The number as a whole count: "12", "12.0", "1.2e1". False when it is negative, has a fraction,
 * or exceeds JSON_COUNT_MAX; the output is untouched then.
 */
#define JSON_COUNT_MAX ((UINT64_C(1) << 53) - 1)
bool json_to_count(struct str raw, uint64_t *ret_count);
/* The number × 1000, rounded half up: "8.47" gives 8470. False as above. */
bool json_to_milli(struct str raw, uint64_t *ret_milli);

#endif
