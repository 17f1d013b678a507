/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ESTIMATE_CURSOR_H
#define OPENAI_ESTIMATE_CURSOR_H

/*
 * estimate_cursor: walks a JSON document that is all in memory, one container at a time.
 *
 * For what base/json_scan cannot name in advance: members whose names are data (the properties of
 * a schema), and values that must be joined in another order than they stand in. No tree, no heap;
 * an item is a view of the text, and opening it walks that part again.
 *
 * The text should be valid JSON. On other text every function stays within it and ends; what is
 * found then is not specified.
 */

#include <stdbool.h>

#include "base/json_scan.h"
#include "base/str.h"

struct estimate_item {
    struct str key;  /* raw name of a member; "" of an element */
    struct str text; /* strings: raw, between the quotes; others: all of the value */
    enum json_kind kind;
};

struct estimate_cursor {
    const char *p, *end;
    bool object;
};

/* False when there is nothing but white space. */
bool estimate_cursor_document(struct str text, struct estimate_item *ret_item);

/* Before the first member or element; of other items, empty. */
struct estimate_cursor estimate_cursor_open(struct estimate_item item);
/* False at the end; *ret_item is untouched then. */
bool estimate_cursor_next(struct estimate_cursor *c, struct estimate_item *ret_item);

/* The member of that name, the last if there are several. False, and untouched, when there is none. */
bool estimate_cursor_member(struct estimate_item object, struct str name, struct estimate_item *ret_item);

#endif
