/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ESTIMATE_TEXT_H
#define OPENAI_ESTIMATE_TEXT_H

/*
 * estimate_text: tokens of text that stands in JSON, escaped and perhaps in several strings.
 *
 * Text is unescaped through a block and counted as it fills, cut where a cut changes nothing.
 * Part of estimate; nobody else calls it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "openai/tokenizer.h"

#define ESTIMATE_TEXT_BLOCK 16384

struct estimate_text {
    enum tokenizer_encoding encoding;
    uint64_t tok; /* counted so far */
    size_t held;  /* bytes of block not yet counted */
    char block[ESTIMATE_TEXT_BLOCK];
};

void estimate_text_init(struct estimate_text *t, enum tokenizer_encoding e);
/* Appends the text that this raw string means. */
void estimate_text_add(struct estimate_text *t, struct str raw);
/* Ends the text and returns its tokens; ready for another one. */
uint64_t estimate_text_end(struct estimate_text *t);
/* The tokens of a text that is one string. Between two texts only. */
uint64_t estimate_text_tok(struct estimate_text *t, struct str raw);

#endif
