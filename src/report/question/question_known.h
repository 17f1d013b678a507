/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_QUESTION_QUESTION_KNOWN_H
#define REPORT_QUESTION_QUESTION_KNOWN_H

/*
 * question_known: what control.db knows and questions about metered and allocated costs need: how keys,
 * workspaces and members are called, and which integration's traffic is on which bill.
 */

#include "control/control.h"
#include "report/cost/cost.h"

/*
 * Fills q->known for the workspaces of the query's scope (all: those of `workspace`), as far as its filters name those
 * ledgers or a grouping speaks of them. Everything lives in `a`.
 */
enum err question_known(struct control *c, int64_t workspace, struct arena *a, struct cost_query *q,
                        struct control_why *why) ERR_USE;

#endif
