/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DRAIN_ARRIVALS_H
#define LEDGER_DRAIN_ARRIVALS_H

/*
 * arrivals: the order in which rows appeared, kept in the database for a reader that must not miss
 * one.
 *
 * Ids are ordered by when attempts began; rows appear when they end, perhaps hours later, so no id
 * says "everything below has been seen". The drain therefore writes down, in the transaction of the
 * rows, which ids it stored: one entry a batch, eight bytes a row. Entries are numbered, never
 * change, and stay until the reader is done with them. Rows that retention removes may still be
 * named here.
 *
 * The table is there only where somebody wants it (ledger_options.keep_arrivals).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/sqlite.h"

#define ARRIVALS_ENTRY_MAX 4096 /* ids in one entry */

/* Makes the table, or removes it with what is in it. Not inside a transaction. */
enum err arrivals_prepare(struct store_db *db, bool keep) ERR_USE;
/* Inside the transaction of the rows, at most ARRIVALS_ENTRY_MAX. No ids: nothing. */
enum err arrivals_add(struct store_db *db, const int64_t *ids, size_t count) ERR_USE;
/* Removes the entries up to this number. */
enum err arrivals_remove(struct store_db *db, int64_t up_to) ERR_USE;

struct arrivals_page {
    size_t count;     /* ids given */
    int64_t through;  /* number of the last entry they come from; `after` when there was none */
    uint64_t waiting; /* ids in all entries behind `after` */
};
/* The ids of whole entries behind number `after`, as many as fit; `cap` ≥ ARRIVALS_ENTRY_MAX. */
enum err arrivals_read(struct store_db *db, int64_t after, int64_t *ret_ids, size_t cap,
                       struct arrivals_page *ret_page) ERR_USE;
/* Ids in all entries behind number `after`. */
enum err arrivals_waiting(struct store_db *db, int64_t after, uint64_t *ret_ids) ERR_USE;

#endif
