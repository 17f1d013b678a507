/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_JOURNAL_RECOVER_H
#define LEDGER_JOURNAL_RECOVER_H

/*
 * journal_recover: what is done with the journals of earlier processes before new ones are made.
 *
 * Only the last segment of each worker can have been under the pen when the process ended. Its tail,
 * the bytes behind the last good entry, is cut off; everything else is left to the drain. Also finds
 * what new journals must begin with: the next sequence, and the greatest id there is.
 */

#include <stdint.h>

#include "base/err.h"
#include "ledger/record.h"

struct journal_recovery {
    uint64_t next_sequence[RECORD_WORKERS_MAX]; /* of each worker, from 1 */
    int64_t last_id;                            /* no entry has a greater one */
    uint64_t bytes;                             /* of all segments, after cutting */
    uint64_t cut_bytes;
};
/* ERR_FILE_FAILED: errno says why. */
enum err journal_recover(const char *dir, struct journal_recovery *ret) ERR_USE;

#endif
