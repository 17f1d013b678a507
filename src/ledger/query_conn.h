/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_QUERY_CONN_H
#define LEDGER_QUERY_CONN_H

/*
 * query_conn: the pool of read-only connections behind query.h and query_cost.h, for those two only.
 */

#include "base/err.h"
#include "ledger/query.h"
#include "ledger/row.h"
#include "store/sqlite.h"

struct query_conn {
    struct store_db *db;
    struct row_reader reader;
    struct query_conn *next;
};

/* A connection inside a read transaction: all statements see the same state. */
enum err query_begin(struct query *q, struct query_conn **ret) ERR_USE;
/* Gives it back; returns `e`, having kept the reason if it is a failure. */
enum err query_end(struct query *q, struct query_conn *c, enum err e) ERR_USE;

const char *query_bodies_dir(const struct query *q);

#endif
