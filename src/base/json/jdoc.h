/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_JDOC_H
#define BASE_JSON_JDOC_H

/*
 * jdoc: a whole JSON document as a flat list of nodes over its text.
 *
 * For readers that look at many fields, or copy values as they stand: random access, and the raw
 * text of every value; numbers are never converted unless asked for. A node is 16 bytes, the text is not copied: it must live as long as the
 * document. Values are handles (struct jval), passed by value; asking an absent value for anything
 * gives an absent value, "", 0 or false, so that chains need no checks.
 *
 * Where a member comes twice, the first one counts. Nesting is limited to JDOC_DEPTH_MAX and nodes
 * to JDOC_NODES_MAX; beyond that a document is refused like one that is not JSON.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define JDOC_DEPTH_MAX 256
#define JDOC_NODES_MAX (8u << 20)

enum jdoc_kind { JDOC_ABSENT, JDOC_NULL, JDOC_FALSE, JDOC_TRUE, JDOC_NUMBER, JDOC_STRING, JDOC_OBJECT, JDOC_ARRAY };

struct jdoc_node {
    uint32_t start, end; /* of the raw text, quotes and brackets included */
    uint32_t next;       /* index of the node behind this one and all it contains */
    uint32_t kind;       /* enum jdoc_kind */
};

struct jdoc {
    struct str text;
    struct jdoc_node *nodes; /* owned */
    uint32_t count, cap;
};

/* doc NULL: absent. */
struct jval {
    const struct jdoc *doc;
    uint32_t at;
};

void jdoc_init(struct jdoc *d);
void jdoc_free(struct jdoc *d);
/* False when `text` is not one JSON value. The memory of an earlier parse is used again. */
bool jdoc_parse(struct jdoc *d, struct str text);
/* The document's value. */
struct jval jdoc_root(const struct jdoc *d);

enum jdoc_kind jdoc_kind(struct jval v);
static inline bool jdoc_has(struct jval v)
{
    return v.doc != NULL;
}
/* Member of an object by its name (without escapes). */
struct jval jdoc_get(struct jval object, const char *name);
/* As jdoc_get, absent when the member is null. */
struct jval jdoc_find(struct jval object, const char *name);
/* Number of elements or members. */
uint32_t jdoc_size(struct jval container);

/*
 * Walks over a container:
 *     for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e))
 * For objects these are the names; the value of a name is jdoc_value(name).
 */
struct jval jdoc_first(struct jval container);
struct jval jdoc_next(struct jval container, struct jval element);
struct jval jdoc_value(struct jval name);

/* The value's text as it stands in the document; "" when absent. */
struct str jdoc_raw(struct jval v);
/* A string's bytes between the quotes, still escaped; "" for everything else. */
struct str jdoc_escaped(struct jval v);
/* A string's meaning, in the arena when it has escapes; "" for everything else. */
struct str jdoc_text(struct jval v, struct arena *a);
bool jdoc_is(struct jval v, const char *text);
bool jdoc_true(struct jval v);
/* `missing` when it is no whole number ≥ 0. */
uint64_t jdoc_count(struct jval v, uint64_t missing);

#endif
