/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_REPORTS_FOCUS_ASK_H
#define CONSOLE_REPORTS_FOCUS_ASK_H

/* focus_ask: what a FOCUS file needs beside its question: names of keys and workspaces, links, prices. */

#include "base/buf.h"
#include "console/job.h"
#include "report/focus/focus.h"

#define FOCUS_ASK_WHY_MAX 320

/*
 * Sets all but version, ledger, days, scope, filters, tags, skip and limit. What it points to lives as long as
 * the job. `why` gets a sentence.
 */
enum err focus_ask_fill(struct job *j, struct focus_query *q, char why[FOCUS_ASK_WHY_MAX]) ERR_USE;
/* Metered when the filters name that ledger, else billed. */
enum focus_ledger focus_ask_ledger(const struct vql *const *filters, size_t count);

/* A sink that keeps everything; the context is a struct buf. */
bool focus_ask_keep(void *context, struct str bytes);

#endif
