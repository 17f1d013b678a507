/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_RESOURCE_WRITE_H
#define CONSOLE_VANTAGE_RESOURCE_WRITE_H

/* resource_write: a report resource as an answer: its body, and what follows from others. */

#include "console/job.h"
#include "report/docs/docs.h"

/* One object, with every key of its kind. `performance`: of a budget, as JSON (budgets.h); "" = []. */
void resource_write(struct job *j, const struct doc *doc, struct str performance);
/* The dates of an interval, today, as texts "2026-11-22"; both "" when it says nothing. */
void resource_dates(struct str interval, char from[16], char to[16]);

#endif
