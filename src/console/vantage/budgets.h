/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_BUDGETS_H
#define CONSOLE_VANTAGE_BUDGETS_H

/* budgets: how a budget has done. */

#include "console/job.h"
#include "report/docs/docs.h"

struct sight;

/*
 * The member "performance" as JSON, in the job's arena: a row a period that has begun, oldest first. `actual`
 * is how far the costs are above (negative: below) the budget, in percent; of a period that is under way, the
 * share of the budget that its days so far have. Budgets with children add up what those have, by the month.
 * False when the job was answered.
 */
bool budgets_performance(struct job *j, const struct sight *s, const struct doc *budget, struct str *ret);

#endif
