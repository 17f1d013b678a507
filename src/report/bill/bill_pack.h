/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_PACK_H
#define REPORT_BILL_BILL_PACK_H

/*
 * bill_pack: the sums of one month of an account, by place, as bytes.
 *
 * A place (table `places`) is what a billed row has beside its day: account, project, key, line item, charge,
 * unit. There are far fewer of them than rows, and the same ones month after month. So a report
 * asks for each place once what it counts and for which group, and then runs over a pack of numbers a
 * month: ten times as fast as the same sums as rows of a table.
 *
 * A pack is a list of entries by ascending place, each of six varints: the distance from the place before,
 * rows, and zigzag micro, pico, quantity and nano. No entry has 0 rows. Readers stop at the first byte
 * that does not fit; check bad in the wire then.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/wire.h"

struct bill_pack_sum {
    int64_t place;
    int64_t rows, micro, pico, quantity, nano;
};

/* Appends an entry; *last is the place before it, 0 at first, and moves. False: no room. */
static inline bool bill_pack_put(struct buf *out, int64_t *last, const struct bill_pack_sum *s)
{
    unsigned char *begin = (unsigned char *)buf_reserve(out, 6 * WIRE_VARINT_MAX), *p = begin;
    if (!begin)
        return false;
    p = wire_put_varint(p, (uint64_t)(s->place - *last));
    p = wire_put_varint(p, (uint64_t)s->rows);
    p = wire_put_varint(p, wire_zigzag(s->micro));
    p = wire_put_varint(p, wire_zigzag(s->pico));
    p = wire_put_varint(p, wire_zigzag(s->quantity));
    p = wire_put_varint(p, wire_zigzag(s->nano));
    buf_commit(out, (size_t)(p - begin));
    *last = s->place;
    return true;
}

/* The next entry; `s` is the one before it, all 0 at first. False at the end, and on damage. */
static inline bool bill_pack_get(struct wire *w, struct bill_pack_sum *s)
{
    if (!wire_left(w))
        return false;
    s->place += (int64_t)(wire_varint(w) & INT64_MAX);
    s->rows = (int64_t)(wire_varint(w) & INT64_MAX);
    s->micro = wire_unzigzag(wire_varint(w));
    s->pico = wire_unzigzag(wire_varint(w));
    s->quantity = wire_unzigzag(wire_varint(w));
    s->nano = wire_unzigzag(wire_varint(w));
    return !w->bad;
}

#endif
