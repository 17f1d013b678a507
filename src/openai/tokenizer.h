/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_TOKENIZER_H
#define OPENAI_TOKENIZER_H

/*
 * tokenizer: how many tokens a text is, and which, exactly as OpenAI's models see it.
 *
 * Used where upstream's own figures do not arrive: a stream cut before its usage, a limit to be
 * checked before the request is sent. Text is ordinary text: "<|endoftext|>" in it is punctuation
 * and letters, never a special token, whoever wrote it.
 *
 * Any bytes are accepted. What is not UTF-8 counts byte by byte as symbols, which loses nothing and
 * matches no official figure, because the official tokenizer takes only valid text.
 *
 * Every function is pure and thread-safe. No heap: at most 70 KB of stack, and that only for a word
 * without a break above 128 bytes. Time grows linearly with the text, whatever is in it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum tokenizer_encoding {
    TOKENIZER_R50K, /* and gpt2 */
    TOKENIZER_P50K,
    TOKENIZER_P50K_EDIT, /* differs from P50K in special tokens only */
    TOKENIZER_CL100K,
    TOKENIZER_O200K,
    TOKENIZER_O200K_HARMONY, /* differs from O200K in special tokens only */
    TOKENIZER_COUNT
};

/* "o200k_base", …; `e` must be a valid encoding. */
const char *tokenizer_encoding_text(enum tokenizer_encoding e);

/*
 * The encoding of a model by its name at OpenAI or Azure, dated and fine-tuned ones included. What
 * is unknown is taken for a new model: o200k_base.
 */
enum tokenizer_encoding tokenizer_for_model(struct str model);

uint64_t tokenizer_count(enum tokenizer_encoding e, struct str text);

/* Writes the first `cap` ids and returns how many there are. `out` may be NULL when cap is 0. */
size_t tokenizer_encode(enum tokenizer_encoding e, struct str text, uint32_t *out, size_t cap);

/*
 * Where a text that comes in pieces may be cut: the two parts have, counted alone, as many tokens
 * as together, whatever follows, in every encoding. The last such place, which is before the last
 * byte; 0 when there is none. It is looked for at ends of words and lines, so in a text without
 * spaces there may be none; cut anywhere then, which may add a token or two.
 */
size_t tokenizer_cut(struct str text);

#endif
