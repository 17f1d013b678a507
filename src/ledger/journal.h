/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_JOURNAL_H
#define LEDGER_JOURNAL_H

/*
 * journal: one worker's append-only log of attempts; the only thing written on a request's path.
 *
 * The worker adds what happened in a turn of its loop and flushes once, before the last bytes of
 * those answers leave: one write(2), no lock, no wait for the disk. A flush that fails leaves the
 * file as it was before the turn and drops the turn's entries, which are counted and, once writing
 * works again, recorded as a gap. Another thread makes the bytes durable (journal_sync).
 *
 * Files: DIR/wNN-SSSSSSSS-KKKKKKKKKKKKKKKK.tgj: worker, sequence, key (hex). Layout:
 *
 *     head, 64 bytes:  "TGJ1", u32 version, u32 worker, u32 0, u64 sequence, u64 key, i64 created_us,
 *                      i64 last id before this segment, u32 chain before it, u32 0, u32 0, u32 crc
 *     entry:           "tgje" u32 length, u32 chain (check of the entry before), u32 check of this
 *                      head, u32 check of all; payload (see record_codec.h)
 *
 * The checks are CRC-32C begun from the segment's key and the entry's offset. The key is random and
 * stands in the name too, so bytes that a client sends can never pass for an entry, wherever a
 * search for the next good one looks.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/record.h"

/* A place in one worker's journal: segment in the upper 24 bits, offset in the lower 40. */
#define JOURNAL_OFFSET_BITS 40
#define JOURNAL_SEQUENCE_MAX ((UINT64_C(1) << 24) - 1)
static inline uint64_t journal_pos(uint64_t sequence, uint64_t offset)
{
    return sequence << JOURNAL_OFFSET_BITS | offset;
}
static inline uint64_t journal_pos_sequence(uint64_t pos)
{
    return pos >> JOURNAL_OFFSET_BITS;
}
static inline uint64_t journal_pos_offset(uint64_t pos)
{
    return pos & ((UINT64_C(1) << JOURNAL_OFFSET_BITS) - 1);
}

#define JOURNAL_HEAD_BYTES 64
#define JOURNAL_ENTRY_HEAD_BYTES 20
#define JOURNAL_PAYLOAD_MAX (UINT32_C(96) << 20)
#define JOURNAL_SEGMENT_BYTES_DEFAULT (UINT64_C(64) << 20)

struct journal;

struct journal_options {
    const char *dir;          /* of the segments; must exist; outlives the journal */
    unsigned worker;          /* 0 … RECORD_WORKERS_MAX - 1 */
    uint64_t first_sequence;  /* of the first segment, from 1; none with it or above exists */
    uint64_t segment_bytes;   /* 0 = JOURNAL_SEGMENT_BYTES_DEFAULT */
    int64_t last_id;          /* no id above it is in the worker's older segments */
    const _Atomic bool *full; /* while true flushes are refused: the spool is at its cap; may be NULL */
};

/* Makes the first segment. */
enum err journal_open(const struct journal_options *options, struct journal **ret_journal) ERR_USE;
/* Flushes nothing: what was added and not flushed is gone. NULL does nothing. */
void journal_close(struct journal *j);

/* --- the worker ------------------------------------------------------------------------------ */

/* Adds to the turn. The record's views are read before this returns. */
void journal_add(struct journal *j, const struct record *r);
void journal_add_open(struct journal *j, const struct record_open *o);

/*
 * Writes the turn. ERR_JOURNAL_FAILED: nothing or not all of it is in the file, and the answers it
 * belongs to must not be given as if it were.
 */
enum err journal_flush(struct journal *j) ERR_USE;

/* --- any thread ------------------------------------------------------------------------------ */

/* The end of what is written; everything before it can be read. */
uint64_t journal_written(const struct journal *j);
/* The end of what is on the disk. A worker that waits for it before the last byte loses nothing to
 * a power cut. */
uint64_t journal_synced(const struct journal *j);

struct journal_counts {
    uint64_t records;      /* written */
    uint64_t opens;        /* written */
    uint64_t bytes;        /* written */
    uint64_t records_lost; /* added, but not written */
    uint64_t flush_failures;
};
struct journal_counts journal_counts(const struct journal *j);

/* --- one other thread ------------------------------------------------------------------------ */

/*
 * Makes what is written durable. ERR_FILE_FAILED: the disk refused; what it holds is not known any
 * more, and the only honest thing left is to stop.
 */
enum err journal_sync(struct journal *j) ERR_USE;

#endif
