/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_TOKENIZER_BPE_H
#define OPENAI_TOKENIZER_BPE_H

/*
 * tokenizer_bpe: the tokens of one piece of text, by byte-pair merging.
 *
 * Part of tokenizer; nobody else calls it. See the .c file for the method.
 */

#include <stddef.h>
#include <stdint.h>

#include "openai/tokenizer_table.h"

/* A vocabulary: views of the embedded tables, good for ever. */
struct tokenizer_vocab {
    const struct tokenizer_bucket *buckets;
    const unsigned char *text;
    const uint32_t *pairs;
    uint32_t bucket_count;
    uint32_t id_end; /* ids from here on do not belong to it */
};

/* Where the tokens go: all are counted, the first `cap` ids are kept. `out` is NULL to count only. */
struct tokenizer_sink {
    uint32_t *out;
    size_t cap, count;
};

struct tokenizer_vocab tokenizer_vocab_of(enum tokenizer_table_name name, uint32_t id_end);

/*
 * Encodes the piece of n ≥ 1 bytes at p. `readable` ≥ n is how many bytes may be looked at; what is
 * behind the piece does not change the result, only the speed of reading it.
 */
void tokenizer_bpe(const struct tokenizer_vocab *v, const unsigned char *p, size_t n, size_t readable,
                   struct tokenizer_sink *sink);

#endif
