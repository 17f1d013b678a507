/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_TEXT_H
#define CONTROL_CONTROL_TEXT_H

/*
 * control_text: which texts may be stored in which places. Everything checked here ends up in URLs,
 * headers, logs and pages; refusing odd characters at the door keeps all of them simple.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Valid UTF-8, no control characters (C0, DEL, C1), 1 to `max` bytes, no space at either end. */
bool control_text_is_name(struct str text, size_t max);
/* Lower-case letters, digits, '-', '_'; begins with a letter or digit; 1 to 63. */
bool control_text_is_slug(struct str text);
/* As a slug without '_', and none of the words that begin a path of ours (v1, console, …). */
bool control_text_is_workspace(struct str text);
/* Letters, digits, '-', '_', '.', ':'; 1 to `max`; not "." or "..". For header values and path parts. */
bool control_text_is_token(struct str text, size_t max);
/* "v1", or a date with an optional "-preview". */
bool control_text_is_api_version(struct str text);
/* Visible ASCII; 1 to `max`. */
bool control_text_is_visible(struct str text, size_t max);
/*
 * Metadata: a JSON object of at most 64 strings, names of 1 to 128 bytes, values of at most 1024, each name
 * once, 16 KiB together. NULL when it is; otherwise a sentence.
 */
const char *control_text_metadata_fault(struct str text);

#endif
