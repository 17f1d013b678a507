/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_JOURNAL_READ_H
#define LEDGER_JOURNAL_READ_H

/*
 * journal_read: finds the segments of a directory and reads one segment's entries in order.
 *
 * Every entry given out has passed its checks. What has not is skipped up to the next good entry
 * and reported with its offsets; bad bytes with nothing good behind them are the tail, which a kill
 * in the middle of a write leaves. Reading never changes a file. One thread per reader.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define JOURNAL_NAME_MAX 64
#define JOURNAL_PATH_MAX 4096

struct journal_segment {
    unsigned worker;
    uint64_t sequence;
    uint64_t key;
    uint64_t size; /* when it was listed */
};

struct journal_segments {
    struct journal_segment *list; /* by worker, then sequence */
    size_t count;
};
/* Other files are ignored. */
enum err journal_list(const char *dir, struct journal_segments *ret) ERR_USE;
void journal_segments_free(struct journal_segments *s);

/* The path of a segment; false when it is too long. */
bool journal_path(char out[JOURNAL_PATH_MAX], const char *dir, const struct journal_segment *s);

enum journal_found {
    JOURNAL_ENTRY,  /* a good entry: `payload` */
    JOURNAL_DAMAGE, /* the bytes from `offset` to `end` are damaged; something good follows */
    JOURNAL_TAIL,   /* from `offset` to `end`, the limit, nothing is good */
    JOURNAL_END,    /* nothing more before the limit */
};

struct journal_item {
    enum journal_found found;
    uint64_t offset, end;
    struct str payload; /* good until the next read */
    bool follows;       /* this entry names the one read before as the one before it */
};

struct journal_reader;
enum err journal_reader_open(const char *dir, const struct journal_segment *s, struct journal_reader **ret) ERR_USE;
void journal_reader_close(struct journal_reader *r); /* NULL does nothing */

/*
 * The next item before `limit`, an offset that ends an entry or the size of the file. Ends where it
 * began when the item is JOURNAL_END or on an error (the file could not be read), so that it can be
 * called again with a later limit.
 */
enum err journal_read(struct journal_reader *r, uint64_t limit, struct journal_item *ret) ERR_USE;
/* Goes on from `offset`, the end of an item; 0 = the beginning. */
void journal_reader_seek(struct journal_reader *r, uint64_t offset);
uint64_t journal_reader_offset(const struct journal_reader *r);
/*
 * From now on bytes that the disk refuses to give are read as zeros, block by block, so that they
 * become damage and what is behind them is reached. For when trying again has not helped.
 */
void journal_reader_tolerate(struct journal_reader *r);
/* The file's size now. */
enum err journal_reader_size(const struct journal_reader *r, uint64_t *ret_size) ERR_USE;

/* What the segment's head says, if it is whole: the last id before this segment. */
bool journal_reader_last_id(const struct journal_reader *r, int64_t *ret_id);

#endif
