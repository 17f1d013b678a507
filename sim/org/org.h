/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_ORG_ORG_H
#define SIM_ORG_ORG_H

/*
 * org: what an administrator reads and changes: usage, costs, projects, keys, users. The figures are
 * those of kept/orgsum, the keys those of http/caller; everything else is crud.
 */

#include "sim/kept/crud.h"
#include "sim/kept/orgsum.h"

call_fn org_usage, org_costs, org_legacy_usage, org_billing_usage, org_billing_export;
call_fn org_keys_list, org_key_retrieve, org_key_update, org_key_delete, org_service_account_create,
    org_service_key_create, org_admin_key_create, org_admin_key_delete, org_project_user_create, org_rate_limits,
    org_certificates_switch, org_audit_logs, org_role_assign;
/* Projects and users that exist from the start. Also after a reset. */
void org_begin(struct sim *sim);

/* A request for time buckets, read and checked. */
#define ORG_FILTERS_MAX 20
#define ORG_ROWS_MAX 300000

struct org_query {
    int64_t start, end, width;    /* seconds; start is the first bucket's */
    uint64_t first, count, total; /* buckets: of this page, of all */
    uint32_t group;               /* bit per enum orgsum_dimension */
    bool group_batch;
    struct str filter[ORGSUM_DIMENSION_COUNT][ORG_FILTERS_MAX];
    size_t filters[ORGSUM_DIMENSION_COUNT];
    int batch; /* -1: any */
};

struct org_match {
    uint64_t bucket;
    const struct orgsum_row *row;
};

/* False when the call was answered with an error. `only_days`: the costs page. */
bool org_query_read(struct call *c, struct org_query *q, bool only_days);
/* Rows of this work in this page's buckets, by bucket and group; owned by the caller (mem_free). */
struct org_match *org_query_match(struct call *c, const struct org_query *q, uint8_t work, size_t *ret_n);
/* Do both belong into one result? */
bool org_query_same(const struct org_query *q, const struct org_match *a, const struct org_match *b);
/* {"object":"page","data":[ … and ],"has_more":…,"next_page":…; buckets by `write`, for each group of matches. */
typedef void org_result_fn(struct call *c, struct json_write *w, const struct org_query *q,
                           const struct org_match *from, size_t n);
void org_query_answer(struct call *c, const struct org_query *q, struct org_match *matches, size_t n,
                      org_result_fn *write);
/* A member with the dimension's text when it is grouped by, else null. */
void org_write_dimension(struct call *c, struct json_write *w, const struct org_query *q, const char *name,
                         enum orgsum_dimension d, const struct orgsum_row *row);

#endif
