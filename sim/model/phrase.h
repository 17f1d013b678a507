/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MODEL_PHRASE_H
#define SIM_MODEL_PHRASE_H

/*
 * phrase: what the simulated models say.
 *
 * Prose is made of words that are one token each, with the space before them, in every vocabulary
 * that chat and completion models use, and of full stops. So the number of its pieces is its exact
 * number of tokens, and a stream can send one token an event, as OpenAI does.
 *
 * JSON for a schema is a plain value that the schema admits: the first choice where there is one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json/jdoc.h"
#include "base/rng.h"
#include "base/str.h"

enum phrase_state {
    PHRASE_BEGIN,    /* the first piece of all, without a space */
    PHRASE_SENTENCE, /* a first word comes */
    PHRASE_WORDS,
    PHRASE_STOP, /* a full stop comes */
};

struct phrase {
    struct rng_seeded g;
    enum phrase_state state;
    unsigned left; /* words of the sentence */
};

void phrase_init(struct phrase *p, uint64_t seed);
/* The next piece; static. */
struct str phrase_next(struct phrase *p);

/* Appends `tokens` pieces. False when the buffer is full. */
bool phrase_prose(struct buf *out, uint64_t seed, uint64_t tokens);
/* Appends pieces as long as they fit into `bytes`; returns how many. */
uint64_t phrase_prose_bytes(struct buf *out, uint64_t seed, uint64_t bytes);
/* The length of the first piece of prose, or of 1 to 4 characters of any other text. */
size_t phrase_piece(struct str text, bool prose);
/* How many pieces a text has. */
uint64_t phrase_pieces(struct str text, bool prose);

/* Appends a JSON value that fits the schema; {} when there is no schema. */
bool phrase_json(struct buf *out, struct jval schema, uint64_t seed);

/* All words and first words, for tests: NULL behind the last. */
const char *phrase_word(size_t i);

#endif
