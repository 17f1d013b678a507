/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_REPORTS_RECONCILIATION_WRITE_H
#define CONSOLE_REPORTS_RECONCILIATION_WRITE_H

/* reconciliation_write: a reconciliation as an answer, JSON or CSV (RFC 4180, lines ended by LF). */

#include "base/buf.h"
#include "base/json_write.h"
#include "report/reconcile/reconcile.h"

/* At most `limit` rows; the lists beside them whole. */
void reconciliation_write_json(struct json_write *w, const struct reconcile_query *q, const struct reconcile *r,
                               size_t limit);
/* All rows and the total. */
bool reconciliation_write_csv(struct buf *out, const struct reconcile_query *q, const struct reconcile *r)
    __attribute__((warn_unused_result));

#endif
