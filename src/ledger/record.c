/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempt ids and the texts of a record.
 *
 * An id is 51 bits of microseconds since 2020-01-01T00:00:00Z (good until 2091), 6 bits of worker,
 * 6 bits of sequence. When the clock stands still or goes back the generator counts on from its
 * last id, borrowing microseconds from the future.
 */
#include "ledger/record.h"

#include "base/encode.h"
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

const char *record_cache_text(enum record_cache c)
{
    static const char *const texts[] = {
#define X(name, text) text,
        RECORD_CACHE_TABLE(X)
#undef X
    };
    must((unsigned)c < RECORD_CACHE_COUNT);
    return texts[c];
}

bool record_cache_parse(struct str text, enum record_cache *ret_cache)
{
    for (unsigned c = 0; c < RECORD_CACHE_COUNT; c++) {
        if (str_eq_nocase(text, str_c(record_cache_text((enum record_cache)c)))) {
            *ret_cache = (enum record_cache)c;
            return true;
        }
    }
    return false;
}

const char *record_hooks_text(enum record_hooks h)
{
    static const char *const texts[] = {
#define X(name, text) text,
        RECORD_HOOKS_TABLE(X)
#undef X
    };
    must((unsigned)h < RECORD_HOOKS_COUNT);
    return texts[h];
}

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

/*
 * Trace ids worked out from ids. The UUID's 122 free bits are the id, spread by a multiplication
 * that can be undone, and a check of it. Both are odd constants of splitmix64; this hides nothing.
 */
#define TRACE_SPREAD UINT64_C(0xbf58476d1ce4e5b9)
#define TRACE_GATHER UINT64_C(0x96de1b173f119089) /* TRACE_SPREAD × TRACE_GATHER = 1 mod 2^64 */
#define TRACE_CHECK UINT64_C(0x94d049bb133111eb)

static uint64_t spread(uint64_t id)
{
    uint64_t v = id * TRACE_SPREAD;
    return v ^ v >> 32;
}

static uint64_t gather(uint64_t v)
{
    return (v ^ v >> 32) * TRACE_GATHER;
}

/* 58 bits that belong to the id. */
static uint64_t trace_check(uint64_t id)
{
    uint64_t v = (id ^ id >> 29) * TRACE_CHECK;
    return (v ^ v >> 31) >> 6;
}

static void put_bytes(unsigned char *out, uint64_t v, size_t n)
{
    for (size_t i = n; i > 0; i--, v >>= 8)
        out[i - 1] = (unsigned char)v;
}

void record_trace_format(int64_t request_id, char out[RECORD_TRACE_TEXT_MAX])
{
    uint64_t a = spread((uint64_t)request_id);
    unsigned char bytes[16];
    char hex[ENCODE_HEX_MAX(16)];
    /* a fills the first 48 bits and 12 of the next 16; its last 4 and the check fill the rest. */
    put_bytes(bytes, a >> 16, 6);
    put_bytes(bytes + 6, 0x4000 | (a >> 4 & 0xfff), 2);
    put_bytes(bytes + 8, UINT64_C(1) << 63 | (a & 15) << 58 | trace_check((uint64_t)request_id), 8);
    encode_hex(bytes, sizeof bytes, hex);
    memcpy(out, hex, 8);
    memcpy(out + 9, hex + 8, 4);
    memcpy(out + 14, hex + 12, 4);
    memcpy(out + 19, hex + 16, 4);
    memcpy(out + 24, hex + 20, 13);
    out[8] = out[13] = out[18] = out[23] = '-';
}

bool record_trace_parse(struct str text, int64_t *ret_request_id)
{
    uint64_t time_low, mid, version, variant, node;
    char again[RECORD_TRACE_TEXT_MAX];
    if (text.n != RECORD_TRACE_TEXT_MAX - 1 || !str_hex_to_u64(str_head(text, 8), &time_low) ||
        !str_hex_to_u64(str_of(text.p + 9, 4), &mid) || !str_hex_to_u64(str_of(text.p + 14, 4), &version) ||
        !str_hex_to_u64(str_of(text.p + 19, 4), &variant) || !str_hex_to_u64(str_of(text.p + 24, 12), &node))
        return false;
    uint64_t last = (variant & 0x3fff) >> 10;
    uint64_t a = time_low << 32 | mid << 16 | (version & 0xfff) << 4 | last;
    uint64_t id = gather(a);
    if (id > INT64_MAX)
        return false;
    record_trace_format((int64_t)id, again);
    if (!str_eq(text, str_c(again)))
        return false;
    *ret_request_id = (int64_t)id;
    return true;
}
