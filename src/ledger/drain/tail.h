/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DRAIN_TAIL_H
#define LEDGER_DRAIN_TAIL_H

/*
 * tail: follows one worker's journal from segment to segment, while the worker writes on.
 *
 * First what earlier processes left, then, once tail_go_live has been called, what this one writes.
 * Belongs to the drain's thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "ledger/journal.h"
#include "ledger/journal_read.h"

struct tail {
    const char *dir; /* of the journal */
    unsigned worker;
    const struct journal *live;    /* NULL: no one writes this worker's journal now */
    uint64_t live_from;            /* sequence of the first segment of this process; only with `live` */
    bool may_live;                 /* segments of this process are read too */
    uint64_t pos;                  /* everything before it has been given out */
    struct journal_reader *reader; /* of the segment of `pos`, or NULL */
    bool whole;                    /* that segment has reached its final size, `size` */
    uint64_t size;
    unsigned failures; /* reads of this segment that have failed */
    uint64_t past_all; /* no segment from this sequence on existed at the last look, or 0 */
};

void tail_init(struct tail *t, const char *dir, unsigned worker, const struct journal *live, uint64_t live_from);
void tail_done(struct tail *t);
/* Goes on from a position that was given out, or 0 for the beginning. */
void tail_seek(struct tail *t, uint64_t pos);
void tail_go_live(struct tail *t);

enum tail_found {
    TAIL_ENTRY,
    TAIL_LOSS, /* bytes that could not be read: damage, or a segment that is not there */
    TAIL_NONE, /* nothing more at the moment */
};
struct tail_item {
    enum tail_found found;
    uint64_t from, to;  /* positions; for a missing segment `to` is in a later one */
    struct str payload; /* good until the next call */
};
enum err tail_next(struct tail *t, struct tail_item *ret) ERR_USE;

#endif
