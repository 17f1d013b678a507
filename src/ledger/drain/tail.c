/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment is whole when the worker has moved on to a later one, or when it was left by an earlier
 * process; then its end is the size of the file. Until then its end is what the worker has
 * published. The position behind a whole segment is offset 0 of the next sequence, so that "all of
 * it is stored" and "it can be deleted" are one comparison of sequences.
 *
 * The directory is looked at only when a segment is opened, and not again before something has
 * changed.
 */
#include "ledger/drain/tail.h"

#include "base/must.h"

#define FAILURES_MAX 20 /* then what the disk does not give is damage, or nothing would ever move on */

void tail_init(struct tail *t, const char *dir, unsigned worker, const struct journal *live, uint64_t live_from)
{
    *t = (struct tail){.dir = dir, .worker = worker, .live = live, .live_from = live_from, .pos = journal_pos(1, 0)};
}

static void leave(struct tail *t)
{
    journal_reader_close(t->reader);
    t->reader = NULL;
    t->whole = false;
}

void tail_done(struct tail *t)
{
    leave(t);
}

void tail_seek(struct tail *t, uint64_t pos)
{
    if (pos < journal_pos(1, 0))
        pos = journal_pos(1, 0);
    if (t->reader && journal_pos_sequence(pos) == journal_pos_sequence(t->pos))
        journal_reader_seek(t->reader, journal_pos_offset(pos));
    else
        leave(t);
    t->pos = pos;
    t->past_all = 0;
}

void tail_go_live(struct tail *t)
{
    t->may_live = true;
    t->past_all = 0;
}

/* The last sequence that may be read now, and how far the worker has got. */
static uint64_t horizon(const struct tail *t, uint64_t *ret_written)
{
    *ret_written = 0;
    if (!t->live)
        return JOURNAL_SEQUENCE_MAX;
    if (!t->may_live)
        return t->live_from - 1;
    *ret_written = journal_written(t->live);
    return journal_pos_sequence(*ret_written);
}

/* The worker's first segment from `from` to `last`; *ret_found is false when there is none. */
static enum err find_segment(const struct tail *t, uint64_t from, uint64_t last, struct journal_segment *ret,
                             bool *ret_found)
{
    struct journal_segments all;
    *ret_found = false;
    enum err e = journal_list(t->dir, &all);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < all.count && !*ret_found; i++) {
        const struct journal_segment *s = &all.list[i];
        if (s->worker == t->worker && s->sequence >= from && s->sequence <= last) {
            *ret = *s;
            *ret_found = true;
        }
    }
    journal_segments_free(&all);
    return ERR_OK;
}

/* Opens the segment of `pos`, or the next one there is; t->reader stays NULL when there is none. */
static enum err enter(struct tail *t, uint64_t last, struct tail_item *ret)
{
    uint64_t sequence = journal_pos_sequence(t->pos);
    struct journal_segment s;
    bool found;
    if (sequence > last || (t->past_all == last + 1 && sequence <= last))
        return ERR_OK;
    enum err e = find_segment(t, sequence, last, &s, &found);
    if (e != ERR_OK)
        return e;
    if (!found) {
        t->past_all = last + 1;
        return ERR_OK;
    }
    e = journal_reader_open(t->dir, &s, &t->reader);
    if (e != ERR_OK)
        return e;
    if (s.sequence > sequence && journal_pos_offset(t->pos) > 0)
        *ret = (struct tail_item){.found = TAIL_LOSS, .from = t->pos, .to = journal_pos(s.sequence, 0)};
    if (s.sequence > sequence)
        t->pos = journal_pos(s.sequence, 0);
    journal_reader_seek(t->reader, journal_pos_offset(t->pos));
    return ERR_OK;
}

/* The end of what may be read of the open segment. */
static enum err limit_of(struct tail *t, uint64_t last, uint64_t written, uint64_t *ret_limit)
{
    uint64_t sequence = journal_pos_sequence(t->pos);
    if (written && sequence == last) {
        *ret_limit = journal_pos_offset(written);
        return ERR_OK;
    }
    if (!t->whole) {
        enum err e = journal_reader_size(t->reader, &t->size);
        if (e != ERR_OK)
            return e;
        t->whole = true;
    }
    *ret_limit = t->size;
    return ERR_OK;
}

/* One item of the open segment; TAIL_NONE at the end of what may be read. */
static enum err read_item(struct tail *t, uint64_t limit, struct tail_item *ret)
{
    struct journal_item item;
    uint64_t sequence = journal_pos_sequence(t->pos), offset = journal_pos_offset(t->pos);
    *ret = (struct tail_item){.found = TAIL_NONE};
    if (offset >= limit)
        return ERR_OK; /* a power cut may have left less of the file than has been stored */
    enum err e = journal_read(t->reader, limit, &item);
    if (e != ERR_OK && ++t->failures > FAILURES_MAX)
        journal_reader_tolerate(t->reader);
    if (e != ERR_OK)
        return e;
    if (item.found != JOURNAL_END)
        *ret = (struct tail_item){
            .found = item.found == JOURNAL_ENTRY ? TAIL_ENTRY : TAIL_LOSS,
            .from = journal_pos(sequence, item.offset),
            .to = journal_pos(sequence, item.end),
            .payload = item.payload,
        };
    if (item.found == JOURNAL_TAIL)
        journal_reader_seek(t->reader, item.end);
    t->pos = journal_pos(sequence, journal_reader_offset(t->reader));
    return ERR_OK;
}

enum err tail_next(struct tail *t, struct tail_item *ret)
{
    for (;;) {
        uint64_t written, limit;
        uint64_t last = horizon(t, &written);
        *ret = (struct tail_item){.found = TAIL_NONE};
        if (!t->reader) {
            enum err e = enter(t, last, ret);
            if (e != ERR_OK || !t->reader || ret->found == TAIL_LOSS)
                return e;
        }
        enum err e = limit_of(t, last, written, &limit);
        if (e == ERR_OK)
            e = read_item(t, limit, ret);
        if (e != ERR_OK || ret->found != TAIL_NONE || !t->whole)
            return e;
        must(journal_pos_sequence(t->pos) < JOURNAL_SEQUENCE_MAX);
        t->pos = journal_pos(journal_pos_sequence(t->pos) + 1, 0);
        t->failures = 0;
        leave(t);
    }
}
