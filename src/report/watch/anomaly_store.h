/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_ANOMALY_STORE_H
#define REPORT_WATCH_ANOMALY_STORE_H

/*
 * anomaly_store: anomalies that were found, in reports.db.
 *
 * One is a report's costs of a provider, service and category from its first day to its last, without a gap.
 * Amounts are decimal texts of dollars, those of the first day. Errors and the sentence are those of docs.h.
 */

#include "report/docs/docs.h"

#define ANOMALY_ACTIVE "active"
#define ANOMALY_ARCHIVED "archived"
#define ANOMALY_IGNORED "ignored"
#define ANOMALY_TOKEN "anmly_alrt_"

struct anomaly {
    int64_t id;
    struct str token;
    int64_t workspace;
    struct str report, provider, service, category;
    int64_t first_day, last_day;
    int64_t created_us, alerted_us;
    struct str amount, previous, average, expected;
    struct str status, feedback;
    struct str resource, resource_name; /* "" = no single one */
};

/* Zero-initialised: all. */
struct anomaly_query {
    const int64_t *workspaces; /* those that may be seen; NULL all */
    size_t workspace_count;
    struct str provider, service, category, report; /* "" any */
    int64_t from_day, until_day;                    /* by the first day, until_day exclusive; 0 no end */
    int64_t after_id;
    size_t skip, limit; /* limit 0: only count */
};
/* Newest first; with after_id oldest first. */
enum err anomaly_list(struct docs *d, const struct anomaly_query *q, struct arena *a, struct anomaly **ret,
                      size_t *ret_count, uint64_t *ret_total) ERR_USE;
enum err anomaly_find(struct docs *d, struct str token, struct arena *a, struct anomaly *ret) ERR_USE;
/* By a person. */
enum err anomaly_update(struct docs *d, struct str token, struct str status, struct str feedback) ERR_USE;

/*
 * The anomaly of that report, provider, service and category with `day` in it, or on one of the days beside it.
 * ERR_NOT_FOUND.
 */
enum err anomaly_near(struct docs *d, const struct anomaly *like, int64_t day, struct arena *a,
                      struct anomaly *ret) ERR_USE;
/* A new one; ERR_OK also when it was there. */
enum err anomaly_insert(struct docs *d, const struct anomaly *a) ERR_USE;
/* Last day and amounts, by id. */
enum err anomaly_renew(struct docs *d, const struct anomaly *a) ERR_USE;
/* Those that were found before then and are active. */
enum err anomaly_archive(struct docs *d, int64_t before_us) ERR_USE;

#endif
