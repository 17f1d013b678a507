/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_RUN_H
#define REPORT_IMPORT_IMPORT_RUN_H

/*
 * import_run: one pull of one account, from its plan, on a thread that waits for every answer.
 *
 * What a step asks for is read whole, all pages, before any of it is stored; then each day, or hour
 * of usage, is replaced in a transaction of its own. So a page that fails leaves the old days, and a
 * pull that is broken off has stored what it had read whole.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "report/import/import_ask.h"
#include "report/import/import_window.h"

struct price_catalog;

struct import_run {
    struct bill *bill;
    pthread_mutex_t *lock; /* held around every use of `bill` */
    struct import_ask ask;
    struct arena *arena;         /* texts of `account` */
    struct bill_account account; /* as it was; the run moves its times, back_day, organization, no_keys */
    struct import_plan plan;
    struct price_catalog *prices; /* of old usage pages; NULL: none */
    _Atomic size_t step;          /* steps done */
    _Atomic uint64_t rows, changed, corrections, inconsistent;

    /* How it ended. */
    enum err err;
    bool refused; /* trying again is of no use: 401, 403, another organization */
    char why[IMPORT_WHY_MAX];
};

void import_run_go(struct import_run *r);

#endif
