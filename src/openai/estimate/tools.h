/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ESTIMATE_TOOLS_H
#define OPENAI_ESTIMATE_TOOLS_H

/*
 * estimate_tools: tokens that descriptions of functions add to a prompt.
 *
 * Part of estimate; nobody else calls it.
 */

#include <stdint.h>

#include "openai/estimate/cursor.h"
#include "openai/estimate/text.h"

/*
 * Of the array `tools` or the old `functions`: function and custom tools in any operation's form.
 * Hosted tools (search, files, computers, remote servers) count nothing: what they add is not known.
 */
uint64_t estimate_tools_tok(struct estimate_text *t, struct estimate_item tools);

#endif
