/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DRAIN_DRAIN_H
#define LEDGER_DRAIN_DRAIN_H

/*
 * drain: moves records from the journals into the database, exactly once.
 *
 * Each batch is one transaction: rows, rollups, open attempts, losses, and the positions up to which
 * the journals have been stored. Whatever ends the process in between, the database has all of a
 * batch or none of it and knows where to go on. Bodies are on the disk before the rows that point at
 * them are committed. Segments are deleted when the disk has the transaction that stored them.
 *
 * A drain belongs to one thread. It knows no clock of its own for waiting: ledger.c calls it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/body_store.h"
#include "ledger/journal.h"
#include "ledger/record.h"
#include "ledger/rollup.h"
#include "ledger/row.h"
#include "store/sqlite.h"

struct drain;

struct drain_options {
    struct store_db *db;                  /* migrated; the drain's alone from now on */
    const char *journal_dir, *bodies_dir; /* outlive the drain */
    /* By worker; NULL where this process has no journal. */
    struct journal *journals[RECORD_WORKERS_MAX];
    uint64_t live_from[RECORD_WORKERS_MAX]; /* first sequence of this process */
    bool keep_arrivals;                     /* the table is there: see arrivals.h */
};

/* Reads where the last process stopped. ERR_STORE_FAILED, ERR_CORRUPT, ERR_FILE_FAILED. */
enum err drain_open(const struct drain_options *options, struct drain **ret) ERR_USE;
void drain_close(struct drain *d); /* NULL does nothing; the database stays open */

/*
 * One transaction. *ret_more: there was more than fits into one, call again at once. After an error
 * nothing of it is stored, and the next call begins where this one did.
 */
enum err drain_batch(struct drain *d, bool *ret_more) ERR_USE;
/* Why the last one failed. */
const char *drain_reason(const struct drain *d);

/* Position up to which a worker's journal is stored. */
uint64_t drain_position(const struct drain *d, unsigned worker);

/* What a batch has stored, in order, since the last call of drain_batch. */
const int64_t *drain_new_ids(const struct drain *d, size_t *ret_count);

struct drain_counts {
    uint64_t rows, duplicates, interrupted;
    uint64_t damaged_bytes, damaged_places;
    uint64_t deleted_bytes; /* of journal segments */
    uint64_t batches, failures;
    size_t open_attempts;
    bool recovering;
};
struct drain_counts drain_counts(const struct drain *d);

/* For what else is done on this thread with the same tables, between batches. */
struct row_writer *drain_writer(struct drain *d);
struct body_store *drain_bodies(struct drain *d);
/* After a rollback of such a transaction: what is in memory is read again. */
void drain_invalidate(struct drain *d);

#endif
