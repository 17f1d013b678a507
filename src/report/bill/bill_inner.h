/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_INNER_H
#define REPORT_BILL_BILL_INNER_H

/* bill_inner: what the writing files of the bill share. All of it inside an open transaction. */

#include "report/bill/bill_line.h"
#include "report/bill/bill_write.h"

#define BILL_HASH_BYTES 32

struct bill {
    struct store_db *db;
    struct bill_services *services;
    char reason[256];
};

/* Notes the reason of the connection's failure, rolls back, and gives `e`. */
enum err bill_inner_fail(struct bill *b, enum err e);

/* Ids of texts, made when missing; "" is 0. */
enum err bill_inner_term(struct bill *b, struct str text, int64_t *ret_id) ERR_USE;
enum err bill_inner_name(struct bill *b, int64_t account, enum bill_name kind, struct str ext, int64_t *ret_id) ERR_USE;
enum err bill_inner_item(struct bill *b, struct str line_item, int64_t *ret_id) ERR_USE;

/* bill_day_put, as a part of a transaction of the caller's. */
enum err bill_inner_day_put(struct bill *b, const struct bill_day *day, struct bill_stored *ret) ERR_USE;

/* Adds temp.delta to the rollups and takes away rows that are empty then. */
enum err bill_inner_roll(struct bill *b, int64_t account, int64_t day) ERR_USE;
/* Makes temp.delta empty. */
enum err bill_inner_delta(struct bill *b) ERR_USE;
/* Rollups from the rows. */
enum err bill_inner_rebuild(struct bill *b) ERR_USE;

/* Statement with no rows and up to four numbers. */
enum err bill_inner_run(struct bill *b, const char *sql, const int64_t *values, int count) ERR_USE;

void bill_inner_sha256(struct str bytes, unsigned char out[BILL_HASH_BYTES]);

#endif
