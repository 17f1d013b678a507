/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_QUERY_ARRIVALS_H
#define LEDGER_QUERY_ARRIVALS_H

/*
 * query_arrivals: the ids of rows in the order in which they appeared, for a reader that must not
 * miss one, whatever ends the process in between. The ledger was opened with keep_arrivals.
 *
 *     int64_t after = 0;
 *     query_arrivals(q, after, ids, QUERY_ARRIVALS_MAX, &page);   what waits, oldest first
 *     … use the rows (query_ids) …
 *     ledger_arrivals_done(l, after = page.through);              forgets them, soon
 *
 * After a restart the first call begins with what was not done, and perhaps with what was.
 */

#include "ledger/drain/arrivals.h"
#include "ledger/query.h"

#define QUERY_ARRIVALS_MAX 4096 /* the least room for ids */

/* See arrivals_read. ERR_STORE_FAILED also when the ledger keeps no arrivals. */
enum err query_arrivals(struct query *q, int64_t after, int64_t *ret_ids, size_t cap,
                        struct arrivals_page *ret_page) ERR_USE;
/* How many ids wait behind `after`. */
enum err query_arrivals_waiting(struct query *q, int64_t after, uint64_t *ret_ids) ERR_USE;

#endif
