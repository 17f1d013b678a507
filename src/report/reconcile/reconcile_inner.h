/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_RECONCILE_RECONCILE_INNER_H
#define REPORT_RECONCILE_RECONCILE_INNER_H

/*
 * reconcile_inner: what the files behind reconcile.h share.
 *
 *   reconcile_run       opens both ledgers, runs the steps below, makes the result
 *   reconcile_billed    rows of the bill into cells
 *   reconcile_metered   hourly sums of the ledger into cells
 *   reconcile_usage     requests that OpenAI counted, against those that were metered
 *   reconcile_cells     the cells: made, found
 *   reconcile_book      what the price catalogue makes of a quantity
 *   reconcile_gap       a cell's gaps, their causes, its status
 *   reconcile_table     cells added up by groups; rows, totals
 *   reconcile_lists     prices to learn, shadow traffic, days
 *   reconcile_wide      multiplying and dividing without overflow
 */

#include "base/arena.h"
#include "report/match/match_table.h"
#include "report/reconcile/reconcile.h"
#include "report/reconcile/reconcile_book.h"
#include "report/reconcile/reconcile_wide.h"
#include "store/sqlite.h"

#define RECONCILE_SETTLED_US (INT64_C(48) * 3600 * 1000000) /* after the day's end */
#define RECONCILE_NO_ROOM "There is too much to compare at once; ask for fewer days."

/* Same day, place and sku. Money in pico-dollars, quantities in 10^-12 of the shown unit. */
struct reconcile_cell {
    int32_t day;
    uint32_t place, sku;
    uint32_t billed_rows;
    bool no_quantity; /* OpenAI gave amounts only; then its usage pages may know */
    money_sum billed, billed_quantity;
    money_sum plain_billed, plain_quantity; /* of these the ones the catalogue has no price for */
    cost_sum book_billed;                   /* what it makes of the others */
    money_sum metered, metered_quantity;
    money_sum plain_metered, plain_metered_quantity;
    cost_sum book_metered;
    money_sum estimated, unpriced_quantity;
    uint64_t attempts, estimated_attempts, unpriced_attempts; /* in the cell of their first meter */
    /* For reconcile_each: what earlier rows of the cell were given. */
    money_sum seen, reached, given, given_quantity;
    uint64_t seen_rows, given_attempts;
};

struct reconcile_excluded_list {
    struct reconcile_excluded *list; /* owned; names are views of links */
    size_t count, cap;
};

struct reconcile_job {
    const struct reconcile_query *q;
    struct cost_error *error;
    struct arena *arena; /* of the job; the result has its own */
    struct store_db *bill, *ledger;
    struct match *match;
    struct reconcile_book *book;
    struct reconcile_cell *cells; /* owned */
    size_t cell_count, cell_cap;
    struct match_table index; /* (day, place, sku) → cell */
    bool no_quantity;         /* of some cell */
    struct match_table days;  /* (account, day, 0) → 1 + enum bill_day_state */
    struct match_table billed_requests, seen_requests, estimated_requests; /* reconcile_usage.c */
    struct reconcile_excluded_list excluded;
    struct reconcile_unpriced *unpriced; /* owned; models in `arena` */
    size_t unpriced_count, unpriced_cap;
};

/* Returns ERR_BAD_PARAMETER, with the sentence. */
enum err reconcile_no_room(struct reconcile_job *j) ERR_USE;
/* The sentence for an error of a store; returns `e`. */
enum err reconcile_store_failed(struct reconcile_job *j, struct store_db *db, enum err e) ERR_USE;
/* "[1,2]" in the job's arena; p == NULL: no room. */
struct str reconcile_json(struct reconcile_job *j, const int64_t *ids, size_t count);

/* reconcile_cells.c. NULL: too many; the error is set. */
struct reconcile_cell *reconcile_cell(struct reconcile_job *j, int64_t day, uint32_t place, uint32_t sku);

/* reconcile_billed.c. Accounts of the scope that have a bill of OpenAI; in the job's arena. */
enum err reconcile_accounts(struct reconcile_job *j, int64_t **ret, size_t *ret_count) ERR_USE;
struct reconcile_bill_row {
    int64_t account, day, project, key, item;
    struct str unit;
    money_sum billed;
    money_sum quantity; /* 10^-12 of the shown unit; 0 = none that fits */
    uint32_t place, sku;
};
typedef enum err reconcile_bill_row_fn(void *ctx, const struct reconcile_bill_row *row);
/* Every billed row of the query's days; an error of `fn` ends it. */
enum err reconcile_bill_rows(struct reconcile_job *j, reconcile_bill_row_fn *fn, void *ctx) ERR_USE;
enum err reconcile_billed_read(struct reconcile_job *j) ERR_USE;
enum err reconcile_days_read(struct reconcile_job *j) ERR_USE;

/* reconcile_metered.c. Which links had traffic in the query's days; in the job's arena. */
enum err reconcile_metered_links(struct reconcile_job *j, const bool **ret_used) ERR_USE;
enum err reconcile_metered_read(struct reconcile_job *j) ERR_USE;

/* reconcile_usage.c */
enum err reconcile_usage_read(struct reconcile_job *j) ERR_USE;
void reconcile_usage_seen(struct reconcile_job *j, int64_t day, uint32_t place, struct str model, uint64_t attempts,
                          bool estimated);
/*
 * Whether a difference in the cell comes from answers that broke off: the gateway counted some of its model's, and OpenAI
 * had no more requests for it than were metered.
 */
bool reconcile_usage_cut(const struct reconcile_job *j, const struct reconcile_cell *c);

/* reconcile_gap.c */
struct reconcile_found {
    struct reconcile_sums sums; /* of this cell */
    enum reconcile_status status;
    enum reconcile_cause cause;
    bool pending;
};
void reconcile_gap(const struct reconcile_job *j, const struct reconcile_cell *c, struct reconcile_found *ret);
/* Adds up; quantities too. False: beyond every possible bill. */
bool reconcile_sums_add(struct reconcile_sums *to, const struct reconcile_sums *from);
/* What a row is whose settled cells add up to `settled`, all to `all`. */
enum reconcile_status reconcile_status_of(const struct reconcile_query *q, const struct reconcile_sums *all,
                                          const struct reconcile_sums *settled);
enum reconcile_cause reconcile_cause_of(enum reconcile_status status, const struct reconcile_sums *all);

/* reconcile_table.c, reconcile_lists.c: parts of the result, in its arena. */
enum err reconcile_table_make(struct reconcile_job *j, struct arena *a, struct reconcile *r) ERR_USE;
enum err reconcile_lists_make(struct reconcile_job *j, struct arena *a, struct reconcile *r) ERR_USE;

#endif
