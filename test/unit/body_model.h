/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BODY_MODEL_H
#define TEST_BODY_MODEL_H

/*
 * body_model: edits of request bodies, slowly and on a tree. Random bodies are made as trees and
 * written with random white space and escapes; edits are made on the tree one after another; the
 * result is written compactly. What body_edit makes of the text must mean the same.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "openai/body_edit.h"

struct body_node {
    char kind; /* '{', '[', or 's': a scalar, whose text is `scalar` */
    const char *scalar;
    struct body_node **kids;
    char **names; /* of members, as meant */
    unsigned n;
    bool gone;
    struct str written; /* where the value stands in the body's text */
};

/* The generator; any seed. */
struct body_dice {
    uint64_t state;
};
unsigned body_roll(struct body_dice *d, unsigned below);

struct body_node *body_random(struct body_dice *d, bool object, int depth);
/* With white space and escapes by chance; notes where each value stands once `out` does not move any more. */
void body_write(struct body_dice *d, struct body_node *n, struct buf *out);
void body_locate(struct body_node *n, struct str text);
/* Compact, names unescaped. */
void body_print(const struct body_node *n, struct buf *out);
void body_free(struct body_node *n);

struct body_wishes {
    struct body_edits edits;
    struct body_member defaults[3], overrides[3];
    struct body_node *values[6];
    struct buf texts[6];
    struct str drop[4];
    char paths[4][64];
    char names[6][16];
};
void body_wish(struct body_dice *d, struct body_wishes *w);
void body_wishes_free(struct body_wishes *w);

/* Edits the tree. Returns whether include_usage was put in. */
bool body_apply(struct body_node **root, const struct body_wishes *w);

#endif
