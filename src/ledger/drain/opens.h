/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DRAIN_OPENS_H
#define LEDGER_DRAIN_OPENS_H

/*
 * opens: the drain's memory of attempts that have begun and not ended.
 *
 * Most end within seconds, so they cost no database work at all: they stay in memory, and the
 * drain's stored position says from where the journal has to be read again to know them (the `low`
 * end). Those that last longer are moved to the table open_attempts, oldest first, so that the low
 * end follows and old segments can be deleted.
 *
 * Inside the drain's transaction; after a rollback everything is forgotten (opens_load) and the
 * journal read again from the low ends. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "ledger/record.h"
#include "store/sqlite.h"

struct opens;

struct opens *opens_new(struct store_db *db);
void opens_free(struct opens *o); /* NULL does nothing */
/* Forgets everything and reads the ids in the table. */
enum err opens_load(struct opens *o) ERR_USE;

/* An entry of worker's journal that begins at `pos`; copies the payload. */
void opens_add(struct opens *o, unsigned worker, uint64_t pos, int64_t id, struct str payload, uint64_t now_us);
/* The attempt has ended; unknown ids are none of our business. */
enum err opens_remove(struct opens *o, int64_t id) ERR_USE;

/* The position of the oldest one of the worker that is only in memory; `otherwise` without one. */
uint64_t opens_low(const struct opens *o, unsigned worker, uint64_t otherwise);
/* Moves to the table what the worker began before `before_pos` or was seen before `before_us`. */
enum err opens_store(struct opens *o, unsigned worker, uint64_t before_pos, uint64_t before_us) ERR_USE;

size_t opens_count(const struct opens *o);
/* Calls `each` with every payload, then removes it, in memory and in the table. */
typedef enum err opens_each_fn(void *context, struct str payload);
enum err opens_take_all(struct opens *o, opens_each_fn *each, void *context) ERR_USE;

#endif
