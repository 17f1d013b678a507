/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_COST_COST_SHARED_H
#define REPORT_COST_COST_SHARED_H

/*
 * cost_shared: the allocated ledger. What OpenAI charges is shared out to those whose requests it was for:
 * gateway key, and with it member; workspace; model API; the callers' metadata.
 *
 * A billed row of a day belongs to a cell: place (organization, project, key) and sku (model, meter, tier), as
 * match.h has them. What the gateway metered in that cell of that day is what its amount is shared out by:
 *
 *     Qm ≤ Qb    B × Qm(t) ÷ Qb to target t, the remainder to "(direct, not via gateway)"
 *     Qm > Qb    B × Qm(t) ÷ Qm, and the row is over_metered
 *
 * Qb is what the cell's billed rows have together. Where the bill names no quantity, money stands in for it:
 * the larger of billed and metered is the whole. What is no usage (credits, tax …), what is not understood, and places
 * that no integration is linked to, is direct as a whole. Shares are rounded to the pico-dollar, the largest remainders
 * first, so each billed row is exactly the sum of its shares; their quantities likewise.
 *
 * Keys, members and model APIs of workspaces outside the scope are one target, "(another workspace)".
 *
 * The bill is read by the day, from its rows; the traffic from hourly rollups, but row by row where metadata is
 * asked for, as far back as rows are kept. Both are bounded.
 */

#include "report/cost/cost_sql.h"

#define COST_SHARED_ROWS_MAX 8000000     /* billed rows */
#define COST_SHARED_REQUESTS_MAX 2000000 /* attempts, where metadata is asked for */
#define COST_METADATA_MAX 8

#define COST_TARGET_DIRECT (-1)
#define COST_TARGET_ELSEWHERE (-2)

struct cost_metadata {
    struct str keys[COST_METADATA_MAX];
    unsigned count;
};
/* The keys of metadata that the query, or a tag of the piece, may speak of. */
enum err cost_traffic_metadata(const struct cost_job *j, struct cost_metadata *ret) ERR_USE;

/* Who metered traffic was of: ids of ledger.db; texts of metadata by their number. */
struct cost_target {
    int64_t key, workspace, config;
    int64_t metadata[COST_METADATA_MAX]; /* 0 = none */
};

struct cost_used {
    uint32_t target;
    money_sum quantity, pusd; /* quantity in the meter's units */
};

struct cost_traffic;
/* Traffic of the piece's days. */
enum err cost_traffic_load(const struct cost_job *j, struct store_db *ledger, struct match *m,
                           const struct cost_metadata *metadata, struct cost_traffic **ret) ERR_USE;
void cost_traffic_free(struct cost_traffic *t); /* NULL does nothing */
/* A cell's traffic, by target; 0 when there was none. */
size_t cost_traffic_find(const struct cost_traffic *t, int64_t day, uint32_t place, uint32_t sku,
                         const struct cost_used **ret);
size_t cost_traffic_targets(const struct cost_traffic *t);
const struct cost_target *cost_traffic_target(const struct cost_traffic *t, uint32_t number);
/* The texts of metadata. */
const struct cost_texts *cost_traffic_texts(const struct cost_traffic *t);

#endif
