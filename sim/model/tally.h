/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MODEL_TALLY_H
#define SIM_MODEL_TALLY_H

/*
 * tally: counts tokens, and plays the prompt cache.
 *
 * Texts are counted with the project's tokenizer, or (--count simple) as a quarter of their bytes as
 * they came, rounded up. Prose of phrase.h is one token a piece either way.
 *
 * The cache: a prompt is a row of parts (messages). When all parts up to some place came before in
 * this order, for the same model, the tokens up to there are cached: in steps of 128, from 1,024 on,
 * never the whole prompt. What was seen is kept in a table of fixed size; the newer pushes out the older.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "openai/tokenizer.h"

struct tally;

struct tally *tally_new(bool exact);
void tally_free(struct tally *t);
void tally_forget(struct tally *t); /* the cache */

uint64_t tally_text(const struct tally *t, enum tokenizer_encoding e, struct str text);
/* The bytes between a JSON string's quotes. */
uint64_t tally_escaped(const struct tally *t, enum tokenizer_encoding e, struct str raw);

struct tally_prompt {
    uint64_t tokens, cached;
    uint64_t hash;
};

void tally_prompt_begin(struct tally_prompt *p, struct str model);
/* `text` identifies the part; `tokens` is what it counts. */
void tally_prompt_part(struct tally *t, struct tally_prompt *p, struct str text, uint64_t tokens);
/* `cached` becomes what OpenAI would report. */
void tally_prompt_end(struct tally_prompt *p);

#endif
