/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_SUMS_H
#define LEDGER_SUMS_H

/*
 * sums: the figures of any number of attempts added up, and their bytes in a database column.
 *
 * Money and metered quantities are exact, in 128 bits. The other sums stop at INT64_MAX, which no
 * honest upstream reaches.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "ledger/record.h"

struct sums {
    uint64_t attempts;
    uint64_t requests;   /* first attempts: a request counts once, where its first attempt does */
    money_sum cost_pusd; /* of those that have one */
    unsigned __int128 quantity[METER_COUNT];
    money_sum part_pusd[METER_COUNT];
    uint64_t input_tok, output_tok, reasoning_tok;
    uint64_t first_byte_count, first_byte_us; /* of those that got a first byte */
    uint64_t total_us, overhead_us;
    uint64_t request_bytes, response_bytes;
    money_sum saved_pusd; /* what answers out of the cache would have cost */
    uint64_t retries;     /* attempts that tried their target again */
    uint64_t fallbacks;   /* attempts on another target than the one before */
};

/* Adds one record's figures; `sign` -1 takes them away again. */
void sums_add_record(struct sums *s, const struct record *r, int sign);
void sums_add(struct sums *s, const struct sums *other);
void sums_add_tokens(struct sums *s, uint64_t input_tok, uint64_t output_tok);

/*
 * Everything but attempts, requests, cost and the total tokens, which are columns: varints
 * reasoning, first byte count and time, total, overhead, request and response bytes; then for each
 * meter in use its number, quantity, cost (zigzag), the last two as varints of up to 128 bits; then,
 * where there were any, the three of routed requests: SUMS_ROUTING, saved (zigzag), retries, fallbacks.
 */
#define SUMS_ROUTING 255
#define SUMS_BYTES_MAX (7 * 10 + METER_COUNT * (1 + 2 * 19) + 1 + 19 + 2 * 10)
size_t sums_encode(const struct sums *s, unsigned char out[SUMS_BYTES_MAX]);
/* Adds what is encoded to *s; after ERR_CORRUPT an unknown part of it. */
enum err sums_add_encoded(struct str bytes, struct sums *s) ERR_USE;

/* carry × 10^18 + rest, 0 ≤ rest < 10^18: a sum of money in two columns. */
void sums_split_cost(money_sum cost, int64_t *ret_carry, int64_t *ret_rest);
money_sum sums_join_cost(int64_t carry, int64_t rest);

#endif
