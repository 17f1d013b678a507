/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

/*
 * ledger: the durable record of everything that went through the gateway, as one object.
 *
 * It owns the workers' journals, a thread that makes them durable every few milliseconds, and the
 * drain: the thread that moves records from the journals into DIR/ledger.db and DIR/bodies, exactly
 * once, and keeps the hourly rollups. A database that is slow, locked or full delays reports, never
 * requests: the journals grow, up to a cap.
 *
 * Start: ledger_open recovers what the last process left and makes the journals; requests may be
 * recorded from then on, while the drain still works through the old ones. An attempt that was under
 * way when the last process ended becomes a row with the outcome `interrupted`.
 *
 * Threads: a journal belongs to its worker; everything else here is safe from any thread. Reading
 * rows and reports: query.h.
 *
 * Files under DIR: ledger.lock, ledger.db, journal/, bodies/.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "ledger/journal.h"
#include "openai/cost.h"

struct ledger;

struct ledger_options {
    const char *dir;           /* the data directory; must exist; outlives the ledger */
    unsigned workers;          /* journals wanted, 1 … RECORD_WORKERS_MAX */
    uint64_t segment_bytes;    /* of a journal segment; 0 = 64 MB */
    uint64_t spool_max_bytes;  /* journals together; beyond it flushes fail; 0 = 4 GB */
    uint64_t bodies_max_bytes; /* body segments together; the oldest go first; 0 = no limit */
    unsigned sync_ms;          /* how often journals are made durable; 0 = 50 */
    unsigned drain_ms;         /* how often the drain looks for new records; 0 = 100 */
    unsigned rows_days;        /* rows older than this are removed; 0 = never. Rollups stay */
    unsigned bodies_days;      /* bodies older than this are removed; 0 = never */
    bool keep_arrivals;        /* the order of new rows is kept for a reader: see query_arrivals.h */
    /*
     * Called once, from a thread of the ledger, when the disk refuses to make a journal durable:
     * what it holds is then unknown, and going on would report records as safe that are not. It must
     * end the process. NULL: the reason is logged and the process exits with status 74.
     */
    void (*fatal)(void *context, const char *why);
    void *fatal_context;
};

#define LEDGER_WHY_MAX 256

/*
 * ERR_CONFLICT: another process has the directory open. ERR_SCHEMA_NEWER, ERR_CORRUPT,
 * ERR_STORE_FAILED, ERR_FILE_FAILED: as they say; `why` has a sentence for the user.
 */
enum err ledger_open(const struct ledger_options *options, struct ledger **ret_ledger,
                     char why[LEDGER_WHY_MAX]) ERR_USE;
/*
 * Waits until the drain has stored everything that was flushed, at most `timeout_ms`; what is left
 * is stored at the next start. The workers have ended. NULL does nothing.
 */
void ledger_close(struct ledger *l, unsigned timeout_ms);

/* The journal of a worker, for that worker's thread only. */
struct journal *ledger_journal(struct ledger *l, unsigned worker);
/* No attempt has an id above it: for record_ids_init. */
int64_t ledger_last_id(const struct ledger *l);

/*
 * Waits until everything that any journal has flushed before this call can be queried.
 * ERR_STORE_FAILED: not within `timeout_ms`; ledger_status says why.
 */
enum err ledger_flush(struct ledger *l, unsigned timeout_ms) ERR_USE;

/*
 * Ids of rows in the order in which they appeared, for readers that follow: up to `cap` of those
 * behind *cursor, which moves on. *cursor 0: only sets it to now. Waits up to `wait_ms` for the first
 * one. *ret_missed is how many were forgotten before this reader came for them (it may be NULL).
 */
size_t ledger_follow(struct ledger *l, uint64_t *cursor, int64_t *ret_ids, size_t cap, unsigned wait_ms,
                     uint64_t *ret_missed);

/* The reader of arrivals has done with all entries up to this number. From any thread; they go soon. */
void ledger_arrivals_done(struct ledger *l, int64_t up_to);

/* New limits for retention, in force at the next round. */
void ledger_set_retention(struct ledger *l, unsigned rows_days, unsigned bodies_days, uint64_t bodies_max_bytes);

/* --- prices anew ----------------------------------------------------------------------------- */

/* The cost of a record by other prices; called from the drain's thread. */
typedef void ledger_price_fn(void *context, const struct record *r, struct cost *ret_cost,
                             uint32_t *ret_catalog_version);

struct ledger_reprice {
    int64_t since_us, until_us; /* started in this interval */
    bool unpriced_only;         /* leave rows alone that have a cost */
    ledger_price_fn *price;
    void *context;
};
struct ledger_repriced {
    uint64_t looked_at, changed;
    money_sum before_pusd, after_pusd; /* of the changed ones */
    uint64_t still_unpriced;
};
/*
 * Gives rows new costs and moves the rollups with them, in transactions of a few thousand rows each
 * of which leaves both in agreement. Waits until done. Unpriced rows come first.
 */
enum err ledger_reprice(struct ledger *l, const struct ledger_reprice *job, struct ledger_repriced *ret) ERR_USE;

/* --- state ----------------------------------------------------------------------------------- */

struct ledger_status {
    uint64_t records_written; /* to the journals, by this process */
    uint64_t records_lost;    /* could not be written to a journal: exact */
    uint64_t flush_failures;
    uint64_t rows_stored;    /* by this process */
    uint64_t rows_duplicate; /* found to be stored already; 0 unless something is wrong */
    uint64_t rows_interrupted;
    uint64_t rows_removed, body_segments_removed; /* by retention */
    uint64_t lag_bytes;                           /* written to journals and not stored yet */
    uint64_t spool_bytes;                         /* journal files on the disk */
    bool spool_full;
    uint64_t open_attempts;                              /* begun and not ended, as far as the drain has read */
    uint64_t damaged_bytes, damaged_places;              /* journal bytes that could not be read, by this process */
    uint64_t body_rows, body_raw_bytes, body_file_bytes; /* written by this process */
    uint64_t batches, batch_us_max, sync_us_max;
    uint64_t store_failures;           /* transactions that had to be tried again */
    bool store_failing;                /* the last one failed */
    char store_reason[LEDGER_WHY_MAX]; /* of the last failure; "" when there was none */
    bool recovering;                   /* journals of earlier processes are still being stored */
};
void ledger_status(struct ledger *l, struct ledger_status *ret);

#endif
