/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_COST_ASK_H
#define CONSOLE_VANTAGE_COST_ASK_H

/*
 * cost_ask: a question about costs as Vantage's clients ask it, of a report or of a filter, as a question
 * to report/cost. What the question leaves out is the report's; a report's saved filters, and those of
 * its folders, always hold.
 */

#include "console/vantage/accounts.h"
#include "report/cost/cost.h"
#include "report/question/question.h"

/* What was given; "" = not. */
struct cost_given {
    struct str report, filter, workspace, start, end, bin;
    struct str groups[ASK_LIST_MAX];
    size_t group_count;
    struct jval settings; /* absent: those of the query string */
};

struct cost_ask {
    struct cost_query query; /* page and limit are the caller's */
    struct doc report;       /* id 0: none */
    int64_t workspace;
    struct str filter;    /* as a text */
    struct str aggregate; /* "cost", "usage", "count" */
    char start[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX];

    struct accounts accounts;
    struct question *question; /* owns the filters */
};

/* False when the job was answered. Else with cost_ask_free. */
bool cost_ask_begin(struct job *j, const struct sight *s, const struct cost_given *given, struct cost_ask **ret);
void cost_ask_free(struct cost_ask *a);
/* Runs it. NULL when the job was answered; else with cost_result_free. */
struct cost_result *cost_ask_run(struct job *j, const struct cost_ask *a);

#endif
