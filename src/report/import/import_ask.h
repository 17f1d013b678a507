/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_ASK_H
#define REPORT_IMPORT_IMPORT_ASK_H

/*
 * import_ask: a fetcher with manners. Not more than one request a period; what fails for a reason that may
 * pass is tried again, up to IMPORT_TRIES times: after the time in Retry-After, else after 1, 2, 4 … 60
 * seconds, of which a third is left to chance. 401 and 403 are final at once.
 */

#include "report/import/import_fetch.h"

#define IMPORT_TRIES 8
#define IMPORT_WAIT_FIRST_US UINT64_C(1000000)
#define IMPORT_WAIT_MAX_US (60 * UINT64_C(1000000))

struct import_ask {
    struct import_fetch *fetch;
    uint64_t period_us;         /* between the starts of two requests */
    uint64_t wait_first_us;     /* 0 = IMPORT_WAIT_FIRST_US; tests set less */
    uint64_t last_us;           /* when the last request began; 0 = never */
    uint64_t requests, limited; /* counters: sent, and answered with 429 */
};

/* The wait before try number `failed` + 1, without chance. */
uint64_t import_ask_wait(uint64_t first_us, unsigned failed);

/*
 * ERR_OK: ret holds a 2xx. ERR_FORBIDDEN: 401 or 403. ERR_BAD_PARAMETER: another 4xx.
 * ERR_UPSTREAM_BUSY: still failing after all tries, or cancelled. Then ret->why has a sentence.
 */
enum err import_ask_get(struct import_ask *k, struct str path, struct import_reply *ret) ERR_USE;

#endif
