/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_SEMANTIC_H
#define GATEWAY_CACHE_SEMANTIC_H

/*
 * semantic: finding an answer to nearly the same question.
 *
 * Chat completions and completions of at most SEMANTIC_MESSAGES_MAX messages and
 * SEMANTIC_TOKENS_MAX input tokens. The first message, when it is the system's, is no part of what
 * is compared; it and every other parameter must be equal, which their hash says (the group).
 * Vectors come from a configured embedding model; they are searched exactly, by cosine, on the
 * cache's thread.
 */

#include "gateway/cache/cache.h"

#define SEMANTIC_MESSAGES_MAX 4
#define SEMANTIC_TOKENS_MAX 8191
#define SEMANTIC_DIMENSIONS_MAX 1536
#define SEMANTIC_THRESHOLD 0.95f

struct semantic_question {
    struct str text;                      /* to be embedded; in `room` */
    unsigned char group[CACHE_KEY_BYTES]; /* everything else that must be equal */
};
/* False when the request is none that is compared by meaning. */
bool semantic_question(const struct cache_key_parts *parts, const struct endpoint *e, struct buf *room,
                       struct semantic_question *ret);

/* The nearest entry of at least `threshold`; `fn` runs on the loop's thread with a reference, or NULL. */
struct cache_fetch *semantic_find(struct cache *c, int64_t workspace_id, const struct semantic_question *q,
                                  const float *vector, unsigned dimensions, float threshold, struct loop *l,
                                  cache_fetch_fn *fn, void *ctx);
/* As cache_put, found by meaning too. */
void semantic_put(struct cache *c, int64_t workspace_id, const struct semantic_question *q, const float *vector,
                  unsigned dimensions, const unsigned char key[CACHE_KEY_BYTES], const struct cache_answer *answer);

/* The vector of an embeddings answer (numbers or base64); the number of dimensions, 0 when it has none. */
unsigned semantic_vector_of(struct str answer, float *out, unsigned max);
/* The request body for it: {"model":…,"input":…,"dimensions":…}. */
bool semantic_ask(struct buf *out, struct str model, struct str text, unsigned dimensions)
    __attribute__((warn_unused_result));

#endif
