/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_H
#define REPORT_IMPORT_IMPORT_H

/*
 * import: keeps bill.db at what OpenAI says, for every integration of kind openai-admin.
 *
 * One thread looks after the accounts: it follows the snapshot, knows when each is due, and gives a pull
 * (import_run.h) to a thread of its own, at most IMPORT_PULLS_MAX at a time and one an account. An
 * account is PENDING until its first pull begins, IMPORTING until that is done, then IMPORTED; ERROR
 * after three failures in a row, or at once when the key is refused. What was imported stays through
 * all of that; a pull that goes well heals. An integration that is deleted takes its costs with it,
 * unless import_keep was said.
 *
 * bill.db is made when the first such integration is there, or the first file of costs. Accounts of files are not the
 * importer's: it leaves them alone. Any thread may call anything here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "report/bill/bill.h"
#include "report/import/import_fetch.h"

struct bill;
struct import;
struct notify;
struct price_catalog;
struct snapshot;
struct snapshot_integration;

#define IMPORT_PULLS_MAX 8
#define IMPORT_DAYS_DEFAULT 180
#define IMPORT_DAYS_MAX 1100

struct import_options {
    const char *dir; /* the data directory */
    struct import_way way;
    /* The newest snapshot, with a reference for the caller. */
    struct snapshot *(*snapshot)(void *ctx);
    void *snapshot_ctx;
    struct notify *notify;  /* tells admins of a first import, and of one that fails; NULL: nobody */
    unsigned days;          /* how far back a first import goes; 0 = IMPORT_DAYS_DEFAULT */
    uint64_t period_us;     /* between two requests for one account; 0 = a second */
    uint64_t wait_first_us; /* before the first try again; 0 = a second */
    /* After every pull that went well, on the keeper's thread; must not call import. NULL: nobody asks. */
    /* The price catalogue, to be freed by the caller; for old usage pages. NULL: nothing has a price there. */
    struct price_catalog *(*load_prices)(void *ctx, char *why, size_t why_cap);
    void *load_prices_ctx;
    void (*refreshed)(void *ctx);
    void *refreshed_ctx;
};

enum err import_open(const struct import_options *options, struct import **ret, char why[IMPORT_WHY_MAX]) ERR_USE;
void import_close(struct import *im); /* pulls under way are broken off; NULL does nothing */

/*
 * Pulls now: what is due, or everything since a day (0 = what is due). `slug` "" means all accounts of
 * the workspace. *ret_count says how many; ERR_NOT_FOUND when there is none.
 */
enum err import_start(struct import *im, int64_t workspace, struct str slug, int64_t since_day,
                      unsigned *ret_count) ERR_USE;
/* When this account's integration goes, its costs stay. */
enum err import_keep(struct import *im, int64_t account, bool keep) ERR_USE;

/* Runs something on the writer of bill.db, which is made when it is not there. `why` gets a sentence on errors. */
typedef enum err import_bill_fn(struct bill *b, void *ctx);
enum err import_with_bill(struct import *im, import_bill_fn *run, void *ctx, char why[IMPORT_WHY_MAX]) ERR_USE;

struct import_state {
    struct bill_account account;
    bool running, waiting; /* a pull is under way; or will be in a moment */
    size_t step, steps;    /* of it, or of the last one */
    uint64_t rows, changed, corrections, inconsistent;
    uint64_t requests, limited; /* since the start of this process */
};
/* States of a workspace's accounts, or of all (0). Texts and list live in `a`. */
enum err import_list(struct import *im, int64_t workspace, struct arena *a, struct import_state **ret,
                     size_t *ret_count) ERR_USE;

/* For metrics; waits for nothing. Counters since the start of this process. */
struct import_counts {
    uint64_t pulls, failed, rows, requests, limited;
    uint64_t accounts, failing; /* connected; those of them whose last pull failed */
    int64_t oldest_success_us;  /* of the account that has waited longest; 0 = one has none yet, or there is none */
};
void import_count(struct import *im, struct import_counts *ret);

/* --- is this key any good -------------------------------------------------------------------- */

enum import_verdict {
    IMPORT_KEY_GOOD,
    IMPORT_KEY_REFUSED, /* 401, 403: a sentence with what to do */
    IMPORT_KEY_UNKNOWN, /* upstream could not be asked, or is busy: keep the key, it will be tried again */
};
#define IMPORT_CHECK_US (9 * UINT64_C(1000000))
/* Asks for one day of costs; takes at most ten seconds. `organization` gets "org-…" where upstream says it. */
enum import_verdict import_check(const struct import_way *way, const struct import_target *target,
                                 char organization[128], char why[IMPORT_WHY_MAX]);
/* The way that was given to import_open, for import_check. */
const struct import_way *import_way_of(const struct import *im);
/* Where an integration's requests go; good as long as the snapshot. */
struct import_target import_target_of(const struct snapshot_integration *i);

#endif
