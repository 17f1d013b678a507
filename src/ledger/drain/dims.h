/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DRAIN_DIMS_H
#define LEDGER_DRAIN_DIMS_H

/*
 * dims: the writer's memory of the table `dims`: texts that repeat, and their small numbers.
 *
 * All of the table is held; its size is limited per kind, and texts chosen by outsiders get in only
 * when they repeat, so that no one can fill it with names. Inside the writer's transaction: after a
 * rollback dims_load must be called again. One thread.
 */

#include "base/err.h"
#include "base/str.h"
#include "ledger/schema.h"
#include "store/sqlite.h"

#define DIMS_PER_KIND_MAX 4096
#define DIMS_TEXT_MAX 512

struct dims;

struct dims *dims_new(struct store_db *db);
void dims_free(struct dims *d); /* NULL does nothing */
/* Forgets everything and reads the table. */
enum err dims_load(struct dims *d) ERR_USE;

/*
 * The text's id: SCHEMA_DIM_EMPTY for "", SCHEMA_DIM_OTHER when it has none and gets none. `trusted`:
 * the row it comes from was answered well by upstream, so the text is no invention of the client.
 */
enum err dims_id(struct dims *d, enum schema_dim kind, struct str text, bool trusted, int64_t *ret_id) ERR_USE;

#endif
