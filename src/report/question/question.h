/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_QUESTION_QUESTION_H
#define REPORT_QUESTION_QUESTION_H

/*
 * question: what a stored cost report asks, as a question to report/cost: its filter, the saved filters on it
 * and on its folders, virtual tags, groupings and settings, and whose costs its workspace may see.
 *
 *     question_new(docs, workspace, arena, &q, why) … question_report(q, body, why) …
 *     q->query.from_day = …; q->query.bin = …
 *     question_run(q, reader, &result, why) … question_free(q)
 *
 * Dates, bin and page are the caller's. Views live in the arena, or as long as the body they were read from. `why` gets a sentence; the errors are those of
 * docs.h and cost.h.
 */

#include "base/json/jdoc.h"
#include "report/bill/bill.h"
#include "report/cost/cost.h"
#include "report/docs/docs.h"

#define QUESTION_WHY_MAX 320
#define QUESTION_FILTERS_MAX (COST_FILTERS_MAX + 2 * COST_TAGS_MAX * COST_TAG_VALUES_MAX)

struct question {
    struct cost_query query;
    int64_t workspace;

    struct docs *docs;
    struct arena *arena;
    const struct vql *filters[COST_FILTERS_MAX];
    struct cost_tag *tags;
    struct vql **owned; /* QUESTION_FILTERS_MAX */
    size_t owned_count;
};

/* With no filter, and every virtual tag. The scope is empty. With question_free. */
enum err question_new(struct docs *d, int64_t workspace, struct arena *a, struct question **ret,
                      char why[QUESTION_WHY_MAX]) ERR_USE;
void question_free(struct question *q); /* NULL does nothing */

/* A filter that lives as long as the question. */
enum err question_parse(struct question *q, struct str text, const struct vql **ret,
                        char why[QUESTION_WHY_MAX]) ERR_USE;
/* The virtual tags; question_new does it. The workspace's segments; question_groups does it where they are named. */
enum err question_virtual_tags(struct question *q, char why[QUESTION_WHY_MAX]) ERR_USE;
enum err question_segments(struct question *q, char why[QUESTION_WHY_MAX]) ERR_USE;

/* Adds a filter; "" adds nothing. */
enum err question_filter(struct question *q, struct str text, char why[QUESTION_WHY_MAX]) ERR_USE;
/* Filter, saved filters, folders' filters, groupings (none: those of the API's default) and settings of a report's body. */
enum err question_report(struct question *q, struct jval body, char why[QUESTION_WHY_MAX]) ERR_USE;
/* The report's filter, or the saved filters on it and on its folders, only. */
enum err question_own(struct question *q, struct jval body, char why[QUESTION_WHY_MAX]) ERR_USE;
enum err question_saved(struct question *q, struct jval body, char why[QUESTION_WHY_MAX]) ERR_USE;
/* Words such as "service,\"tag:a,b\"" as groupings; "": those that the API has when none are named. */
enum err question_groups(struct question *q, struct str text, char why[QUESTION_WHY_MAX]) ERR_USE;

/* The accounts whose costs a workspace sees, as ids; from an integration's resource, else its own workspace. */
enum err question_accounts(struct docs *d, struct bill_reader *r, int64_t workspace, struct arena *a,
                           struct bill_account **ret, size_t *ret_count) ERR_USE;
/* Who is told of an account: its own workspace where that sees it, else the first one that does; 0: nobody. */
int64_t question_told(struct docs *d, const struct bill_account *account, struct arena *a);
/* Sets the scope to what the workspace sees. `r` NULL: nothing billed. */
enum err question_scope(struct question *q, struct bill_reader *r) ERR_USE;

/*
 * Adds the tags that files of costs bring along, of those among `accounts` that are of files: at most COST_TAGS_MAX
 * keys with COST_TAG_VALUES_MAX values each. question_scope does it too.
 */
enum err question_file_tags(struct question *q, struct bill_reader *r, const struct bill_account *accounts,
                            size_t count) ERR_USE;

enum err question_run(struct question *q, struct cost_reader *r, struct cost_result **ret,
                      char why[QUESTION_WHY_MAX]) ERR_USE;

#endif
