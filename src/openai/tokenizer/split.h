/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_TOKENIZER_SPLIT_H
#define OPENAI_TOKENIZER_SPLIT_H

/*
 * tokenizer_split: where a text is cut before its pieces are encoded one by one.
 *
 * Part of tokenizer; nobody else calls it. Pure functions of the bytes given.
 */

#include <stddef.h>

/* Three rules serve all encodings; see the .c file for what each one is. */
enum tokenizer_rule { TOKENIZER_RULE_R50K, TOKENIZER_RULE_CL100K, TOKENIZER_RULE_O200K };

/*
 * Length of the first piece of the n ≥ 1 bytes at p; at least 1. All of the text that follows must
 * be given, because a cut depends on it. Any bytes are accepted.
 */
size_t tokenizer_split(enum tokenizer_rule rule, const unsigned char *p, size_t n);

#endif
