/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DRAIN_REPRICE_H
#define LEDGER_DRAIN_REPRICE_H

/*
 * reprice: gives stored rows a cost by other prices and moves the rollups with them.
 *
 * Works in steps, each a transaction after which rows and rollups agree, so that the drain goes on
 * in between. First pass: rows without a price; second pass, unless only those are wanted: the rest.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/ledger.h"
#include "ledger/row.h"

struct reprice {
    const struct ledger_reprice *job;
    struct row_reader reader;
    int64_t next_id, end_id;
    bool second_pass;
    struct ledger_repriced result;
};

void reprice_init(struct reprice *p, const struct ledger_reprice *job, struct store_db *db);
void reprice_done(struct reprice *p);
/* *ret_more is false when the job is complete. After an error the step can be tried again. */
enum err reprice_step(struct reprice *p, struct row_writer *w, bool *ret_more) ERR_USE;

#endif
