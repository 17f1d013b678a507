/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_BODY_EDIT_H
#define OPENAI_BODY_EDIT_H

/*
 * body_edit: a JSON request body with some members replaced, added or dropped; every other byte is
 * as it was.
 *
 * Order: defaults (only for members that are absent), then overrides (replace or add, at the top
 * level), then the model, then the wish for usage, then drops. Dropping takes paths "a.b[0].c",
 * "x[*].y", "tools" of at most 32 steps; a path that leads nowhere is ignored. Indices are those of
 * the list before anything is dropped. A dropped member or element goes with its comma.
 *
 * Names are compared after unescaping. A member that is replaced or dropped and comes more than once
 * is left at its first place, or nowhere. Of overrides with one name the last holds.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

struct body_member {
    struct str name; /* unescaped */
    struct str json; /* the new value */
};

struct body_edits {
    const struct body_member *defaults;
    size_t default_count;
    const struct body_member *overrides;
    size_t override_count;
    struct str model;       /* "" = none */
    bool ask_usage;         /* streams: stream_options.include_usage becomes true unless dropped, other options stay */
    const struct str *drop; /* paths */
    size_t drop_count;
};

enum body_edit_result {
    BODY_EDIT_SAME, /* nothing to change: use the old body, `out` is untouched */
    BODY_EDIT_DONE,
    BODY_EDIT_NOT_AN_OBJECT,
    BODY_EDIT_TOO_LARGE, /* `out` is full, or there are too many names and members to compare; `out` is as before */
};

/*
 * `body` is valid JSON (its facts were read). Appends the new body to `out`. *ret_asked tells
 * whether include_usage was put in by us (it was not true before).
 */
enum body_edit_result body_edit(struct str body, const struct body_edits *edits, struct buf *out, bool *ret_asked);

/* The raw value of the first top-level member of that (unescaped) name; p == NULL when absent. */
struct str body_member_find(struct str body, struct str name);

#endif
