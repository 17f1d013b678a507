/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DRAIN_RETENTION_H
#define LEDGER_DRAIN_RETENTION_H

/*
 * retention: removes rows that are too old, a few at a time, so that the drain never waits long.
 * Rollups stay. For bodies see body_store_expire.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/sqlite.h"

/*
 * Removes up to a few hundred rows with ids below `before_id`, in a transaction of its own. *ret_more:
 * there may be others.
 */
enum err retention_rows(struct store_db *db, int64_t before_id, uint64_t *ret_removed, bool *ret_more) ERR_USE;

#endif
