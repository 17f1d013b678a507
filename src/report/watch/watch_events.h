/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_WATCH_EVENTS_H
#define REPORT_WATCH_WATCH_EVENTS_H

/* watch_events: what cost alerts have found, in reports.db. Errors and the sentence are those of docs.h. */

#include "report/docs/docs.h"

struct watch_events_row {
    struct str token, alert, report;
    int64_t created_us, triggered_us;
    struct str description;
    struct str change;    /* decimal text of dollars */
    struct str groupings; /* JSON array of texts */
};

/* Of an alert, newest first; `report` "" any. limit 0: only count. */
enum err watch_events_list(struct docs *d, struct str alert, struct str report, size_t skip, size_t limit,
                           struct arena *a, struct watch_events_row **ret, size_t *ret_count,
                           uint64_t *ret_total) ERR_USE;
enum err watch_events_find(struct docs *d, struct str alert, struct str token, struct arena *a,
                           struct watch_events_row *ret) ERR_USE;

#endif
