/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ROLLUP_H
#define LEDGER_ROLLUP_H

/*
 * rollup: hourly sums of attempts for each combination of dimensions.
 *
 * The writer adds rows during its transaction; rollup_store writes what has changed, before the
 * commit. After a rollback: rollup_forget. What was read or written is kept in memory up to a
 * limit, so that a busy hour is not read back for every batch. One thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/record.h"
#include "ledger/sums.h"
#include "store/sqlite.h"

/* What rows of one combo have in common; texts as ids of dims. No padding: compared as bytes. */
struct rollup_key {
    int64_t workspace_id, key_id, integration_id;
    int64_t operation, model_asked, model_answered, service_tier;
    int64_t status_class, outcome, cost_state, stream;
    int64_t provider, config, cache, discarded;
};
/* The columns of `combos` in the order of the key. */
#define ROLLUP_KEY_COLUMNS                                                                        \
    "workspace_id, key_id, integration_id, operation, model_asked, model_answered, service_tier," \
    " status_class, outcome, cost_state, stream, provider, config, cache, discarded"
#define ROLLUP_KEY_COLUMN_COUNT 15

/* The hour of a row, counted from 1970. */
int64_t rollup_hour(int64_t id);

struct rollup;
struct rollup *rollup_new(struct store_db *db);
void rollup_free(struct rollup *u); /* NULL does nothing */
void rollup_forget(struct rollup *u);

enum err rollup_add(struct rollup *u, const struct rollup_key *key, const struct record *r, int sign) ERR_USE;
enum err rollup_store(struct rollup *u) ERR_USE;

/* The columns attempts … sums of a row of `rollups`, starting at column `first` of the statement. */
#define ROLLUP_SUM_COLUMNS "attempts, requests, carry, cost_pusd, input_tok, output_tok, sums"
enum err rollup_read(struct store_stmt *st, int first, struct sums *ret) ERR_USE;
/* The same, added to *s; after an error a part of it. */
enum err rollup_add_to(struct store_stmt *st, int first, struct sums *s) ERR_USE;

#endif
