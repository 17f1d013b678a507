/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECONCILE_RIG_H
#define RECONCILE_RIG_H

/*
 * reconcile_rig: a bill and a ledger at any dates, for tests of reconciliation. What is metered is priced as the gateway
 * does it and goes into the ledger's hourly sums; what is billed goes through the importer's writer.
 */

#include "base/arena.h"
#include "ledger/record.h"
#include "report/bill/bill_write.h"
#include "report/reconcile/reconcile.h"

#define RIG_ACCOUNT 7
#define RIG_ROWS_MAX 2000
/* Integrations: three with a key of their own, Azure, one whose key OpenAI does not list. */
enum { RIG_ONE = 11, RIG_TWO, RIG_THREE, RIG_AZURE, RIG_UNKNOWN };

struct rig_row {
    char project[16], key[16], line[96], unit[24];
    money_sum pusd;
    int64_t quantity;
};

struct reconcile_rig {
    char dir[64];
    struct bill *bill;
    struct store_db *ledger;
    struct rollup *rollup;
    struct price_catalog *prices;
    struct record_ids ids;
    struct match_link links[8];
    size_t link_count;
    /* The bill that is being made, a list for each of 64 days from `first`. */
    int64_t first;
    struct rig_row *rows[64];
    size_t row_count[64];
};

/* One exchange. Quantities by meter. */
struct rig_call {
    int64_t day;
    unsigned second; /* of the day */
    int64_t integration;
    const char *key, *project; /* as billed */
    const char *model, *tier;  /* answered */
    uint64_t quantity[METER_COUNT];
    bool estimated, cached;
};

void reconcile_rig_open(struct reconcile_rig *r, int64_t first_day);
void reconcile_rig_close(struct reconcile_rig *r);
/* Everything that was metered or billed goes. */
void reconcile_rig_clear(struct reconcile_rig *r, int64_t first_day);

struct cost reconcile_rig_cost(const struct reconcile_rig *r, const struct rig_call *c);
/* The gateway's side; the return is what it cost. */
money_sum reconcile_rig_meter(struct reconcile_rig *r, const struct rig_call *c);
/* OpenAI's side: a row for each meter, its amount times num ÷ den. Added to the day's list. */
money_sum reconcile_rig_bill(struct reconcile_rig *r, const struct rig_call *c, unsigned num, unsigned den);
void reconcile_rig_bill_row(struct reconcile_rig *r, int64_t day, const struct rig_row *row);
/* Sends the list of a day to the bill, its last `leave` rows not; again replaces it. */
void reconcile_rig_import(struct reconcile_rig *r, int64_t day, size_t leave, int64_t now_us);
/* All 64 days, whole, and the hourly sums. */
void reconcile_rig_import_all(struct reconcile_rig *r, int64_t now_us);
void reconcile_rig_store(struct reconcile_rig *r);

/* Everything in scope, the rig's links and prices, no tolerance; fails the test where reconcile_run does. */
struct reconcile_query reconcile_rig_query(const struct reconcile_rig *r, int64_t from, int64_t until, int64_t now_us);
struct reconcile *reconcile_rig_run(const struct reconcile_rig *r, const struct reconcile_query *q);

#endif
