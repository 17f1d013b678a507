/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_RENDER_H
#define GATEWAY_CACHE_RENDER_H

/*
 * render: kept answers in the other form than they came: what the files behind cache_render share.
 *
 * Texts are cut and joined as they stand, escaped; they are never unescaped, so a replay says exactly
 * what the answer said.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/json/jdoc.h"
#include "base/str.h"

#define RENDER_PIECE 500 /* characters in a delta */

/* Takes up to RENDER_PIECE characters from the front of an escaped text; "" when it is used up. */
struct str render_cut(struct str *rest);

/* Takes the first event of a stream, its empty line included; "" when there is none left. */
struct str render_event(struct str *rest);

/* Bytes to a buffer that may be full: then `ok` is false and stays so. */
struct render {
    struct buf *out;
    bool ok;
};
void render_text(struct render *r, const char *text);
/* JSON, or a piece of a string in it, in one line: an event has no other. */
void render_raw(struct render *r, struct str s);
void render_count(struct render *r, uint64_t n);
/* `,"name":value`; the name has no need of escapes. */
void render_member(struct render *r, const char *name, struct str value);

/*
 * A response that still runs would be told as it was at first for ever, and one that belongs to a
 * conversation has added to it: neither may be given again.
 */
bool render_may_repeat(struct jval response);

/* The finished object of the responses API as events. False when an item is of a kind not known. */
bool replay_responses(struct jval response, struct buf *out) __attribute__((warn_unused_result));

/* The events of a stream as the one object they tell of. */
bool join_chat(struct str stream, bool chat, struct buf *out) __attribute__((warn_unused_result));
/* `out` NULL: only whether it may be told again. */
bool join_responses(struct str stream, struct buf *out) __attribute__((warn_unused_result));

#endif
