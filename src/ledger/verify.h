/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

/*
 * verify: reads everything a data directory holds of the ledger and says what is wrong with it.
 *
 * Changes nothing. Works beside a serving process: what that one is just writing is not counted as
 * damage. Checks: every journal entry's checks and chain; the structure of ledger.db; that each
 * stored position stands at the end of an entry; that the rollups of every hour whose rows are all there equal the
 * sums of the rows; that every body a row points at can be read.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum verify_part { VERIFY_JOURNAL, VERIFY_DATABASE, VERIFY_ROLLUPS, VERIFY_BODIES, VERIFY_PART_COUNT };
const char *verify_part_text(enum verify_part p);

struct verify_result {
    uint64_t segments, entries, journal_bytes;
    uint64_t rows, rollups, bodies;
    uint64_t bodies_expired; /* of rows that are older than bodies are kept */
    uint64_t not_stored;     /* records known not to have been written (gaps), from the database */
    uint64_t findings;       /* what is wrong; 0 = all is well */
};

struct verify_options {
    /* One thing that is wrong, in words, with the place. */
    void (*finding)(void *context, enum verify_part part, struct str text);
    /* Now and then; `total` 0 = not known. False ends the check with ERR_CLIENT_GONE. */
    bool (*progress)(void *context, enum verify_part part, uint64_t done, uint64_t total);
    void *context;
};

/* ERR_OK also when there are findings. Errors: it could not be read at all. */
enum err verify_ledger(const char *dir, const struct verify_options *options, struct verify_result *ret) ERR_USE;

#endif
