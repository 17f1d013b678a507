/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_COST_CSV_H
#define CONSOLE_VANTAGE_COST_CSV_H

/*
 * cost_csv: costs as a file (RFC 4180, lines ended by LF). A cell that a spreadsheet would take for a formula gets
 * an apostrophe in front; numbers are left alone.
 */

#include "base/buf.h"
#include "report/cost/cost.h"

/* One cell, quoted where it must be. */
bool cost_csv_cell(struct buf *out, struct str text) __attribute__((warn_unused_result));
/* A row a bin and group: Date, the groups' columns, Usage, Usage Unit, Cost, Currency. */
bool cost_csv_rows(struct buf *out, const struct cost_query *q, const struct cost_result *r)
    __attribute__((warn_unused_result));
/* A row a group of either period: the groups' columns, Cost, Previous Cost, Change, Currency. */
bool cost_csv_comparison(struct buf *out, const struct cost_query *q, const struct cost_result *now,
                         const struct cost_result *before) __attribute__((warn_unused_result));

#endif
