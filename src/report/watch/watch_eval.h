/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_WATCH_EVAL_H
#define REPORT_WATCH_WATCH_EVAL_H

/*
 * watch_eval: what evaluators are given, and the table of them.
 *
 * An evaluator runs on the watch's thread. It returns ERR_OK, or what kept it from finishing: that is logged, and it is
 * called again in the next turn. It must not take longer than a few seconds and asks watch_ending() between costly
 * steps. The arena is emptied between evaluators; one that loops over resources gets it emptied for each.
 */

#include "base/arena.h"
#include "report/bill/bill.h"
#include "report/cost/cost.h"
#include "report/docs/docs.h"
#include "report/question/question.h"
#include "report/watch/watch.h"

struct watch_turn {
    struct watch *watch;
    const char *dir;
    struct docs *docs;          /* a connection of the watch's own */
    struct cost_reader *reader; /* of all ledgers */
    struct bill_reader *bill;   /* NULL: nothing has ever been imported */
    struct arena *arena;
    int64_t now_us;
    int64_t today;
    bool imported; /* a bill was refreshed just before */
    bool more;     /* set by watch_each: another turn is to follow at once */
};

typedef enum err watch_eval_fn(struct watch_turn *t);

/* Columns: name, function, what it looks at. In the order of a turn. */
#define WATCH_TABLE(X)                                                             \
    X("budget_alerts", eval_budget_run, "budgets that are used up to a threshold") \
    X("cost_alerts", eval_change_run, "costs that differ from the period before")  \
    X("anomalies", eval_anomaly_run, "costs that are not to be expected")          \
    X("anomaly_summaries", eval_digest_run, "who is to hear of anomalies")         \
    X("report_notifications", eval_notify_run, "reports that are due")             \
    X("unpriced_models", eval_unpriced_run, "models without a price")              \
    X("reconciliation_gaps", eval_gap_run, "bills that metering does not explain")

#define X(name, run, what) enum err run(struct watch_turn *t);
WATCH_TABLE(X)
#undef X

/* The program is about to end: return soon. */
bool watch_ending(const struct watch_turn *t);

/*
 * Calls `fn` for the resources of a kind, all workspaces', at most WATCH_DOCS_MAX a turn; the next turn goes on behind the last one. A
 * failure of one is logged and the rest is seen nevertheless.
 */
typedef enum err watch_each_fn(struct watch_turn *t, const struct doc *doc, struct jval body);
enum err watch_each(struct watch_turn *t, enum docs_kind kind, watch_each_fn *fn) ERR_USE;

/*
 * The question of a cost report, seen from its workspace; dates and bin are the caller's to set. With question_free.
 */
enum err watch_question(struct watch_turn *t, const struct doc *report, struct question **ret) ERR_USE;
/* Costs of it; a failure is logged. With cost_result_free. */
enum err watch_costs(struct watch_turn *t, struct question *q, struct cost_result **ret) ERR_USE;

#endif
