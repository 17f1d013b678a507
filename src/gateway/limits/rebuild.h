/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LIMITS_REBUILD_H
#define GATEWAY_LIMITS_REBUILD_H

/*
 * rebuild: what was used before this process began, out of the ledger.
 *
 * At the start, before the first request: every rule's counter gets what the records of its window say,
 * with the sums and in the way that counting while running has. Whole hours come from the hourly
 * rollups; the first hour of a window that begins inside of one, and all that is grouped or conditioned
 * by metadata, from rows. Reservations of the last process are gone with it: an attempt it had under
 * way is a row `interrupted` with the amount that was reserved for its cost.
 *
 * Not known afterwards: which prompt a request used; which member a key belonged to that is not in the
 * snapshot any more; rows that retention has removed.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "control/snapshot.h"
#include "gateway/limits/limits.h"

struct ledger;
struct query;

struct limits_rebuilt {
    uint64_t rules;   /* that count something */
    uint64_t groups;  /* of rollups read */
    uint64_t rows;    /* read */
    int64_t since_us; /* as far back as it was looked; 0 = the ledger's beginning */
};

/*
 * The ledger must have stored everything that is in its journals (ledger_flush, and not recovering
 * any more). Counters must be fresh. On errors some of it is counted; query_reason() has the words.
 */
enum err limits_rebuild(struct limits *l, struct snapshot *s, struct query *q, int64_t now_us,
                        struct limits_rebuilt *ret) ERR_USE;

/*
 * The same at the start of a server: waits, at most `timeout_ms`, until the ledger has stored what the
 * last process left in the journals, reads DIR/ledger.db and logs how it went. When the ledger cannot be
 * read the server goes on, counting from nothing, and the log says so as an error. Alert thresholds that are crossed
 * already are told again.
 */
void limits_rebuild_start(struct limits *l, struct snapshot *s, struct ledger *ledger, const char *dir,
                          unsigned timeout_ms);

#endif
