/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_QUERY_H
#define LEDGER_QUERY_H

/*
 * query: reads the ledger's rows. Reports over rollups: query_cost.h.
 *
 * Works on read-only connections of its own, taken from a small pool, so it never makes the drain
 * wait and needs no running ledger: the command line can read a directory that no one serves. Safe
 * from any thread. Results come through callbacks; views in them are good during the call.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "ledger/body_read.h"
#include "ledger/record.h"

struct query;

/* `dir` is the data directory; outlives the object. ERR_SCHEMA_NEWER, ERR_STORE_FAILED, ERR_CORRUPT. */
enum err query_open(const char *dir, struct query **ret) ERR_USE;
void query_close(struct query *q); /* NULL does nothing; no call is under way */
/* Why this thread's last call failed. */
const char *query_reason(void);

/* What is 0, empty or -1 by query_filter_all does not restrict. */
struct query_filter {
    int64_t since_us, until_us; /* started in [since, until); until 0 = no end */
    int64_t workspace_id, key_id, integration_id;
    int64_t request_id; /* all attempts of one request */
    struct str model;   /* asked or answered */
    struct str operation, trace_id, span_id;
    struct str config; /* slug, or "inline" */
    /* Records that name no provider have the one of their integration: the ids of those that are it. */
    struct str provider;
    const int64_t *provider_integrations;
    size_t provider_integration_count; /* at most QUERY_INTEGRATIONS_MAX */
    int status;                        /* exact; 0 = any */
    int status_class;                  /* 2, 4, 5 …; 0 = any */
    int outcome;                       /* enum record_outcome, or -1 */
    int cost_state;                    /* enum cost_state, or -1 */
    int cache;                         /* enum record_cache, or -1 */
    int discarded;     /* 1: only attempts whose answer the client did not get; 0: only the others; or -1 */
    int64_t before_id; /* page on from here: only smaller ids */
    unsigned limit;    /* 0 = 100; at most QUERY_LIMIT_MAX */
};
#define QUERY_LIMIT_MAX 10000
#define QUERY_INTEGRATIONS_MAX 64
struct query_filter query_filter_all(void);

/* A row: the record without bodies. */
typedef bool query_row_fn(void *context, const struct record *r); /* false: enough */

/* Newest first. Spans of rows that the first version of the ledger wrote are not found. */
enum err query_attempts(struct query *q, const struct query_filter *f, query_row_fn *each, void *context) ERR_USE;
/*
 * The rows with these ids that pass the filter, in the given order (see ledger_follow). Ids without
 * a row are left out.
 */
enum err query_ids(struct query *q, const int64_t *ids, size_t count, const struct query_filter *f, query_row_fn *each,
                   void *context) ERR_USE;
/* One row. ERR_NOT_FOUND: there is none. */
enum err query_attempt(struct query *q, int64_t id, query_row_fn *each, void *context) ERR_USE;
/*
 * Its bodies; freed with body_pair_free. ERR_NOT_FOUND: none were kept, or retention has removed
 * them. ERR_CORRUPT: damaged.
 */
enum err query_bodies(struct query *q, int64_t id, struct body_pair *ret) ERR_USE;

/* What is known to be missing from the rows, newest first. */
struct query_loss {
    int64_t found_us;
    struct str what; /* "not recorded": could not be written; else damage to a journal */
    unsigned worker;
    uint64_t sequence, offset, bytes; /* the place in the journal; bytes that could not be read */
    uint64_t records;                 /* not recorded: how many, when they began, and their cost */
    int64_t since_us, until_us;
    money_sum cost_pusd;
    uint64_t unpriced;
};
typedef bool query_loss_fn(void *context, const struct query_loss *loss);
enum err query_losses(struct query *q, unsigned limit, query_loss_fn *each, void *context) ERR_USE;

#endif
