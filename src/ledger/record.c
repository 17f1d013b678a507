/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempt ids and the texts of a record.
 *
 * An id is 51 bits of microseconds since 2020-01-01T00:00:00Z (good until 2091), 6 bits of worker,
 * 6 bits of sequence. When the clock stands still or goes back the generator counts on from its
 * last id, borrowing microseconds from the future.
 */
#include "ledger/record.h"

#include "base/must.h"

#define EPOCH_US INT64_C(1577836800000000)
#define SEQUENCE_BITS 6
#define WORKER_BITS 6
#define TIME_SHIFT (SEQUENCE_BITS + WORKER_BITS)
#define SEQUENCE_MASK ((INT64_C(1) << SEQUENCE_BITS) - 1)
#define TIME_MAX ((INT64_C(1) << (63 - TIME_SHIFT)) - 1)

#define PREFIX "tgr_"
#define DIGITS 13 /* 65 bits; the two highest are always 0 */

/* Crockford's alphabet in lower case: texts sort as their ids do. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

const char *record_outcome_text(enum record_outcome o)
{
    static const char *const texts[] = {
#define X(name, text, what) text,
        RECORD_OUTCOME_TABLE(X)
#undef X
    };
    must((unsigned)o < RECORD_OUTCOME_COUNT);
    return texts[o];
}

bool record_outcome_parse(struct str text, enum record_outcome *ret_outcome)
{
    for (unsigned o = 0; o < RECORD_OUTCOME_COUNT; o++) {
        if (str_eq(text, str_c(record_outcome_text((enum record_outcome)o)))) {
            *ret_outcome = (enum record_outcome)o;
            return true;
        }
    }
    return false;
}

size_t record_id_format(int64_t id, char out[RECORD_ID_TEXT_MAX])
{
    must(id >= 0);
    char *p = out;
    memcpy(p, PREFIX, sizeof PREFIX - 1);
    p += sizeof PREFIX - 1;
    for (int shift = 5 * (DIGITS - 1); shift >= 0; shift -= 5)
        *p++ = digits[(uint64_t)id >> shift & 31];
    *p = '\0';
    return (size_t)(p - out);
}

bool record_id_parse(struct str text, int64_t *ret_id)
{
    if (!str_starts(text, STR(PREFIX)) || text.n != sizeof PREFIX - 1 + DIGITS)
        return false;
    struct str rest = str_from(text, sizeof PREFIX - 1);
    uint64_t id = 0;
    for (size_t i = 0; i < rest.n; i++) {
        ptrdiff_t digit = str_find(str_of(digits, sizeof digits - 1), rest.p[i]);
        if (digit < 0 || id >> 58)
            return false;
        id = id << 5 | (uint64_t)digit;
    }
    *ret_id = (int64_t)id;
    return true;
}

int64_t record_id_floor(int64_t wall_us)
{
    int64_t us = wall_us - EPOCH_US;
    if (us < 0)
        us = 0;
    if (us > TIME_MAX)
        us = TIME_MAX;
    return us << TIME_SHIFT;
}

int64_t record_id_time_us(int64_t id)
{
    return EPOCH_US + (id >> TIME_SHIFT);
}

void record_ids_init(struct record_ids *g, unsigned worker, int64_t not_before_id)
{
    must(worker < RECORD_WORKERS_MAX);
    must(not_before_id >= 0);
    int64_t last = not_before_id >> TIME_SHIFT << TIME_SHIFT;
    *g = (struct record_ids){.last = last | (int64_t)worker << SEQUENCE_BITS | SEQUENCE_MASK, .worker = worker};
}

int64_t record_ids_next(struct record_ids *g, int64_t wall_us)
{
    int64_t first = record_id_floor(wall_us) | (int64_t)g->worker << SEQUENCE_BITS;
    if (first > g->last)
        g->last = first;
    else if ((g->last & SEQUENCE_MASK) < SEQUENCE_MASK)
        g->last++;
    else
        g->last = (((g->last >> TIME_SHIFT) + 1) << TIME_SHIFT) | (int64_t)g->worker << SEQUENCE_BITS;
    must(g->last > 0);
    return g->last;
}
