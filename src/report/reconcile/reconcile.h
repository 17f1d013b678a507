/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_RECONCILE_RECONCILE_H
#define REPORT_RECONCILE_RECONCILE_H

/*
 * reconcile: OpenAI's bill and the gateway's own metering, side by side, and why they differ.
 *
 *     struct reconcile_query q = reconcile_query_month(month, now_us);
 *     … scope, links (match_links_load), prices, groups …
 *     if (reconcile_run(dir, &q, &r, &error) != ERR_OK) → error.text, a sentence
 *     r->rows … r->total … r->days …
 *     reconcile_free(r);
 *
 * Cells. Both ledgers are brought to (UTC day, place, sku); see match.h. In each cell B is billed and M metered
 * money, Qb and Qm are their quantities, Vb and Vm what the price catalogue makes of those. Then
 *
 *     B − M  =  (Vb − Vm)  +  (B − Vb)  +  (Vm − M)
 *               volume        rate         pricing
 *
 *   volume    traffic that one side has and the other has not: around the gateway, lost, estimated
 *   rate      OpenAI charged another price than the catalogue's: discount, free tokens, stale price
 *   pricing   the gateway made another amount of its own quantities: no price, another price at the time
 *
 * All are whole numbers of 10^-24 dollars (cost_sum). Vb and Vm are each rounded once, to such a unit, and the
 * gaps are their differences, so the identity holds exactly in each cell and in every sum. Where the catalogue
 * has no price, the price is the one metered (M ÷ Qm), else the one billed (B ÷ Qb): the rate gap, or the
 * pricing gap of unpriced requests, is measured against what is known.
 *
 *     billed  =  attributed  +  unattributed
 *
 * Unattributed is what bypassed the gateway: of a cell with Qm < Qb the share (Qb − Qm) ÷ Qb of B, else nothing;
 * without quantities what B has more than M.
 *
 * Differences of rounding (10^-9 dollars and 10^-7 of an amount) are no gap of rate or pricing; they stay in volume.
 *
 * Statuses are those of what is settled: days that ended 48 hours ago. Within the tolerance is
 * |B − M| ≤ max(tolerance_pusd, tolerance_ppm of the larger of both).
 *
 * Use around midnight can stand on two days. A row of a day with less than RECONCILE_SMALL_PUSD is matched also when it
 * agrees together with the day before or after it, one having too much and the other too little.
 *
 * Days are days since 1970-01-01 UTC. Money that is no gap is exact to the pico-dollar. One thread. Results own
 * all their texts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "report/cost/cost.h"
#include "report/cost/cost_amount.h"
#include "report/match/match.h"
#include "report/reconcile/reconcile_kind.h"

/* --- what may be asked ----------------------------------------------------------------------- */

#define RECONCILE_GROUPS_MAX RECONCILE_BY_COUNT
#define RECONCILE_TOLERANCE_PUSD (MONEY_PUSD_PER_USD / 100)
#define RECONCILE_TOLERANCE_PPM 5000
#define RECONCILE_SMALL_PUSD (10 * MONEY_PUSD_PER_USD)
#define RECONCILE_DAYS_MAX 1100

struct reconcile_query {
    struct cost_scope scope;
    const struct match_link *links;
    size_t link_count;
    const struct price_catalog *prices; /* NULL: nothing has a price in it */
    int64_t from_day, until_day;        /* until_day exclusive */
    enum reconcile_by groups[RECONCILE_GROUPS_MAX];
    unsigned group_count; /* 0: one row */
    int64_t tolerance_pusd;
    uint32_t tolerance_ppm; /* parts per million */
    int64_t now_us;         /* what is young */
};
/* One calendar month (bill_month_of), no groups, tolerances as above, nothing in scope. */
struct reconcile_query reconcile_query_month(int64_t month, int64_t now_us);

/* --- what comes back ------------------------------------------------------------------------- */

struct reconcile_sums {
    cost_sum billed, metered;                    /* B, M */
    cost_sum volume, rate, pricing;              /* add up to billed − metered */
    cost_sum cause[RECONCILE_CAUSE_COUNT];       /* the same by cause; they add up to billed − metered too */
    cost_sum attributed, unattributed;           /* add up to billed */
    cost_sum book;                               /* Vb: the billed quantities at the catalogue's prices */
    cost_sum estimated;                          /* the part of M that is an approximation */
    cost_sum pending_billed, pending_metered;    /* the parts of B and M that are not settled */
    money_sum billed_quantity, metered_quantity; /* 10^-12 of the row's unit; 0 where units differ */
    money_sum unpriced_quantity;                 /* the part of metered_quantity without a price, whatever its units */
    uint64_t attempts, estimated_attempts, unpriced_attempts;
};

struct reconcile_row {
    const struct str *values; /* one a group: "" = none, "(any)" = not told apart; ids, as OpenAI has them */
    const struct str *names;  /* one a group: what people call it; "" where nothing is known beyond the value */
    struct reconcile_sums sums;
    struct str unit; /* "Tokens" …; "" when there is none or there are several */
    enum reconcile_status status;
    enum reconcile_cause cause;                       /* NONE when matched */
    cost_sum book_price, billed_price, metered_price; /* dollars a unit, rounded; 0 = not known */
};

/* A price to put into the catalogue: billed ÷ quantity, where the rate gap is beyond the tolerance. */
struct reconcile_price {
    struct str organization, model, meter, tier, unit;
    cost_sum observed, book; /* dollars a unit; book 0 = none */
    cost_sum rate;           /* the gap it explains */
    money_sum quantity;      /* billed; 10^-12 of a unit */
    int64_t first_day, last_day;
};

/* A project or key with billed costs of which nothing, in the whole period, passed through the gateway. */
struct reconcile_shadow {
    struct str organization, project, project_name, key, key_name;
    cost_sum billed;
    int64_t first_day, last_day;
};

/* Metered traffic that is no part of the comparison. */
struct reconcile_excluded {
    enum match_miss reason;
    struct str integration; /* slug; "" = none */
    cost_sum metered;
    uint64_t attempts;
};

/* Requests without a price, by model. */
struct reconcile_unpriced {
    struct str model;
    uint64_t attempts;
};

struct reconcile_day {
    int64_t day;
    enum reconcile_day_state state;
    cost_sum billed, metered;
};

struct reconcile {
    const struct reconcile_row *rows; /* by day or month, then the largest |B − M| first */
    size_t row_count;
    struct reconcile_row total; /* no values */
    int64_t from_day, until_day;
    int64_t billed_through; /* the last day up to which all days are final; from_day − 1 when none is */
    uint64_t provisional, missing;
    const struct reconcile_day *days; /* one a day, up to today */
    size_t day_count;
    const struct reconcile_price *prices;
    size_t price_count;
    const struct reconcile_shadow *shadows; /* most money first */
    size_t shadow_count;
    const struct reconcile_excluded *excluded;
    size_t excluded_count;
    const struct reconcile_unpriced *unpriced;
    size_t unpriced_count;
};
#define RECONCILE_CELLS_MAX 1000000
#define RECONCILE_ROWS_MAX 200000
#define RECONCILE_LIST_MAX 1000 /* prices, shadows, unpriced models */

/* ERR_BAD_PARAMETER: the query is at fault, `error` says how. Without bill or ledger that side is empty. */
enum err reconcile_run(const char *dir, const struct reconcile_query *q, struct reconcile **ret,
                       struct cost_error *error) ERR_USE;
void reconcile_free(struct reconcile *r); /* NULL does nothing */

/* --- cell by cell ---------------------------------------------------------------------------- */

/*
 * For FOCUS: what the cell of one billed row has, for all rows of bill.db within the query's days; its groups do
 * not count. Several billed rows may share a cell (long context, keys that are not told apart): `share` is the
 * part of `metered` and `attempts` that is this row's, by quantity, else by money, and the shares of a cell's rows
 * add up to it.
 */
struct reconcile_billed {
    int64_t account, day, project, key, item; /* ids of bill.db */
    money_sum billed;
    enum reconcile_status status;
    enum reconcile_cause cause;
    money_sum metered;          /* share; pico-dollars */
    money_sum metered_quantity; /* share; 10^-12 of a unit */
    uint64_t attempts;          /* share */
};
typedef bool reconcile_billed_fn(void *context, const struct reconcile_billed *row); /* false: enough */
enum err reconcile_each(const char *dir, const struct reconcile_query *q, reconcile_billed_fn *each, void *context,
                        struct cost_error *error) ERR_USE;

#endif
