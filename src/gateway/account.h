/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_ACCOUNT_H
#define GATEWAY_ACCOUNT_H

/* account: usage and cost of a finished request. */

#include "gateway/request.h"

/*
 * Fills usage, service_tier, cost and catalog_version of the record. Upstream's own figures come
 * first, then what can be counted exactly from the request, then an estimate that says so.
 */
void account_usage_and_cost(struct request *r, struct record *rec);
/*
 * What another model did within the exchange, at prices of its own, as an attempt of its own: the
 * transcription of a realtime session's input, the image tool of a response. False when there was none.
 */
bool account_side(struct request *r, const struct record *rec, struct record *ret_side);
/* Two costs as one; unpriced when either is. */
void account_add(struct cost *cost, const struct cost *more);
/* The cost of a record by a catalogue, from what the record itself says. */
void account_price(const struct price_catalog *prices, const struct record *rec, struct cost *ret_cost);
/* What the request will cost whatever the answer is; false when only the answer can tell. */
bool account_cost_before_answer(const struct request *r, struct cost *ret_cost);
/* The header lines x-tollgate-cost-usd and x-tollgate-overhead-us. */
void account_add_lines(const struct cost *cost, uint64_t overhead_us, struct buf *lines);
void account_sha256(struct str bytes, unsigned char out[32]);

#endif
