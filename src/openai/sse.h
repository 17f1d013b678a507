/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_SSE_H
#define OPENAI_SSE_H

/*
 * sse: server-sent events, by the WHATWG grammar, from chunks of any size.
 *
 * Lines end with LF, CRLF or CR; an empty line ends an event; ':' begins a comment; a BOM at the
 * very start is skipped. Two independent tools, none of which owns or copies bytes:
 *
 * sse_frame finds how much of what the caller holds is whole events, so that a relay can pass those
 * on untouched and keep the incomplete rest (its own buffer, its own limit).
 *
 * sse_parse walks over the same bytes, in whatever pieces, and hands out the parts of each event as
 * views, never holding more than an event's name. An event of any size passes through it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct sse_frame {
    size_t scanned; /* bytes of the caller's held text already looked at */
    bool after_cr;  /* the last byte was CR: an LF now belongs to it */
    bool in_line;   /* the current line has bytes */
    bool has_line;  /* the current event has lines */
};

void sse_frame_init(struct sse_frame *f);
/*
 * `held` is all the caller has not passed on yet: what was left last time, then new bytes. Returns
 * how many bytes at its front are whole events (0 when none is whole); the caller must take exactly
 * these away before the next call. *ret_events, if not NULL, is increased by the number of events
 * (ends with an empty line and has at least one other line).
 */
size_t sse_frame_whole(struct sse_frame *f, struct str held, uint32_t *ret_events);
/* The caller gave up holding and passed the first `n` bytes of an incomplete event on; n ≤ f->scanned. */
void sse_frame_passed(struct sse_frame *f, size_t n);

enum sse_item {
    SSE_NONE,  /* the input is used up */
    SSE_DATA,  /* a piece of the data; lines after the first are preceded by a piece "\n" */
    SSE_EVENT, /* the empty line: the event is complete; sse_parse.name is its name */
};

#define SSE_NAME_MAX 40

struct sse_parse {
    uint8_t state;
    uint8_t field;   /* which field's name is being matched, or value read */
    uint8_t matched; /* bytes of the field's name, or of the BOM, so far */
    uint8_t name_n;
    bool after_cr;
    bool has_data;           /* the event has a data line; without one SSE_EVENT is not given */
    bool after_event;        /* the name is the finished event's; cleared by the next call */
    char name[SSE_NAME_MAX]; /* the `event:` line; longer names are cut */
};

void sse_parse_init(struct sse_parse *s);
/* Takes from the front of *in; the piece is a view of the input, or static for "\n". */
enum sse_item sse_parse_next(struct sse_parse *s, struct str *in, struct str *ret_piece);
/*
 * The stream is over: true when an event with data is pending that no empty line ended. Browsers
 * drop it, SDKs use it, so do we.
 */
bool sse_parse_end(struct sse_parse *s);
/* Name of the event, "" when it has none; right after SSE_EVENT or while its data comes. */
struct str sse_parse_name(const struct sse_parse *s);

/* The first CR or LF of p … end, or end. */
const char *sse_line_end(const char *p, const char *end);

#endif
