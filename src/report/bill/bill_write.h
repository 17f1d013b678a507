/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_WRITE_H
#define REPORT_BILL_BILL_WRITE_H

/*
 * bill_write: the writing end of bill.db, for one thread.
 *
 * A bucket (a day of an account's costs, an hour or day of one kind of usage) is replaced whole: rows that
 * are not in the new content are gone afterwards, rollups move with it, and one transaction holds all
 * of that. A bucket that has not changed costs one row in `days`. Errors leave the old bucket; the
 * sentence is bill_reason().
 */

#include "report/bill/bill.h"

struct bill;
struct bill_services;

/*
 * Opens DIR/bill.db, made when missing, and reads DIR/bill-services.csv; if that has changed, services are
 * derived anew. `why` has a sentence on errors.
 */
enum err bill_open(const char *dir, struct bill **ret, char *why, size_t why_cap) ERR_USE;
void bill_close(struct bill *b); /* NULL does nothing */
const char *bill_reason(const struct bill *b);
struct store_db *bill_db(struct bill *b);

/* --- accounts -------------------------------------------------------------------------------- */

/* Makes it, PENDING, when it is not there; else slug and workspace follow and `backfill_day` may only go back. */
enum err bill_account_put(struct bill *b, int64_t id, int64_t workspace, struct str slug, int64_t backfill_day,
                          int64_t now_us) ERR_USE;
/* All but id, workspace, slug, created_us and backfill_day of `a` is stored. */
enum err bill_account_set(struct bill *b, const struct bill_account *a) ERR_USE;
/* Everything of it goes, in one transaction. */
enum err bill_account_remove(struct bill *b, int64_t id) ERR_USE;

/* --- names ----------------------------------------------------------------------------------- */

struct bill_name_put {
    enum bill_name kind;
    struct str ext, name, project, hint; /* project: ext of a key's project, "" unknown */
    bool archived;
};
/* All of them in one transaction. Ones that are not named stay as they are. */
enum err bill_names_put(struct bill *b, int64_t account, const struct bill_name_put *list, size_t count) ERR_USE;

/* --- costs ----------------------------------------------------------------------------------- */

struct bill_cost {
    struct str project, key; /* "" = none */
    struct str line_item;    /* "" is kept as such */
    struct str unit;         /* quantity_unit as upstream says, "" = none */
    enum bill_charge charge;
    struct str amount, quantity; /* decimal text as upstream says; quantity "" = none */
};

struct bill_day {
    int64_t account, day;
    const struct bill_cost *costs; /* several with the same place are added up */
    size_t count;
    const struct str *totals; /* upstream's ungrouped amounts, as text; with total_count 0 the day has none */
    size_t total_count;
    bool total_known; /* the ungrouped pass was made */
    int64_t now_us;
};
struct bill_stored {
    bool changed, inconsistent;
    uint64_t rows;
    uint64_t corrections;
};
/* ERR_BAD_PARAMETER: an amount or quantity is no number that can be kept; nothing was stored. */
enum err bill_day_put(struct bill *b, const struct bill_day *day, struct bill_stored *ret) ERR_USE;

/* --- usage ----------------------------------------------------------------------------------- */

struct bill_used {
    struct str project, user, key, model, tier, extra, source;
    int batch; /* 0, 1, -1 unknown */
    int64_t figure[BILL_FIGURE_COUNT];
};
struct bill_bucket {
    int64_t account;
    enum bill_usage kind;
    bool hourly;
    int64_t start;                /* hours since 1970 */
    const struct bill_used *rows; /* several with the same place are added up */
    size_t count;
    int64_t now_us;
};
enum err bill_usage_put(struct bill *b, const struct bill_bucket *bucket, bool *ret_changed) ERR_USE;

/* --- the log of pulls ------------------------------------------------------------------------ */

struct bill_pull {
    int64_t account, at_us, from_day, until_day;
    const char *endpoint;
    uint64_t rows, changed, ms, pages;
    int status;
    const unsigned char *hash; /* SHA-256 of the replies' bodies; NULL: none */
    const char *error;         /* "" when it went well */
};
enum err bill_pull_add(struct bill *b, const struct bill_pull *p) ERR_USE;

/* Makes all rollups anew from the rows; for tools that load rows by other ways. */
enum err bill_rebuild(struct bill *b) ERR_USE;

#endif
