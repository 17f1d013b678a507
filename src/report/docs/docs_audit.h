/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DOCS_DOCS_AUDIT_H
#define REPORT_DOCS_DOCS_AUDIT_H

/*
 * docs_audit: changes of report resources, for the audit log in control.db (control/people/audit.h).
 *
 * Two files cannot be changed in one transaction, so a change writes its line into reports.db, in its own
 * transaction, and the line is carried over right after: once, also when the program is killed between. What a change
 * brings with it, resources that go with another or lose its token, has lines of its own. Bodies are what stood
 * and stands in the resource.
 *
 * Connections that have no log (docs_audit_to) leave their lines for the next one that has.
 */

#include "report/docs/docs.h"

struct control;

/* The log for this connection's changes; carries over what waits. The control outlives the connection. */
void docs_audit_to(struct docs *d, struct control *control);
/* What the log calls a kind: "cost_report". */
struct str docs_audit_type(enum docs_kind kind);
/* Whether the log calls a kind so. */
bool docs_audit_kind(struct str type, enum docs_kind *ret);

#endif
