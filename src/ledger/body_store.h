/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BODY_STORE_H
#define LEDGER_BODY_STORE_H

/*
 * body_store: bodies and header fields in append-only segments, compressed by the block.
 *
 * One thread writes, in step with the database's transactions: add the bodies of a batch, finish
 * (they are on the disk then), commit the rows that point at them, commit here; or roll back both.
 * Any thread reads, by place and attempt id. Retention removes whole segments; a place in a removed
 * segment is ERR_NOT_FOUND.
 *
 * Files: DIR/SSSSSSSS.tgb. Layout:
 *
 *     head, 32 bytes:  "TGB1", u32 version, u64 sequence, i64 created_us, u32 0, u32 crc
 *     block:           "tgbb", u32 raw length, u32 packed length, u32 rows, u32 dictionary's offset
 *                      or 0, u32 check of head, place and packed bytes; one zstd frame
 *     rows in a block: u64 id, u8 flags, varints: request and response bytes kept, their sizes on
 *                      the wire and, where flagged, sizes of the header fields; sha256 of each where
 *                      flagged; the header fields; the bytes
 *
 * A dictionary is a block without rows: bytes of earlier bodies, by which small blocks compress as
 * well as large ones.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/record.h"

#define BODY_BLOCK_BYTES (256u << 10)
#define BODY_SEGMENT_BYTES_DEFAULT (UINT64_C(256) << 20)
#define BODY_SEGMENT_SECONDS 3600 /* a segment older than this gets no new batch */

struct body_store;

/*
 * `dir` must exist and outlives the store. `segment_bytes` 0 = the default. New segments have
 * sequences of at least `from_sequence`: above all that were ever removed, so that no row can point
 * into a segment that is not its own.
 */
enum err body_store_open(const char *dir, uint64_t segment_bytes, uint64_t from_sequence,
                         struct body_store **ret) ERR_USE;
void body_store_close(struct body_store *b); /* NULL does nothing */

/* Of the record: its id, bodies and header fields. The place is what the row keeps, above 0; it can be read after body_store_finish. */
enum err body_store_add(struct body_store *b, const struct record *r, int64_t *ret_place) ERR_USE;
/* Everything added is on the disk when this returns. Nothing added: nothing done. */
enum err body_store_finish(struct body_store *b) ERR_USE;
void body_store_commit(struct body_store *b);
void body_store_rollback(struct body_store *b); /* forgets what was added since the last commit */

/* Written since opened. */
struct body_store_counts {
    uint64_t rows, raw_bytes, file_bytes;
};
struct body_store_counts body_store_counts(const struct body_store *b);

/*
 * Retention, not between add and commit. First: which segments are to go, all below *ret_below: those
 * last written before `before_us`, and the oldest while all take more than `bytes_max` (0 = no
 * limit). Then, when it has been noted durably that they are gone: remove them.
 */
enum err body_store_expired(struct body_store *b, int64_t before_us, uint64_t bytes_max, uint64_t *ret_below) ERR_USE;
enum err body_store_remove(struct body_store *b, uint64_t below, uint64_t *ret_segments) ERR_USE;

#endif
