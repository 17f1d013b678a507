/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NATIVE_FILTER_H
#define CONSOLE_NATIVE_FILTER_H

/* filter: the query parameters that logs and cost share, and the names of what they mention. */

#include "console/job.h"
#include "ledger/query.h"

/*
 * A time: RFC 3339, a date, or a span back from now ("30m", "24h", "7d"). Absent gives `fallback`.
 * False when the job was answered with an error.
 */
bool filter_time(struct job *j, struct str name, int64_t fallback, int64_t *ret_us);
/* The id of the key named by its public id, or 0 when absent. False when the job was answered. */
bool filter_key(struct job *j, int64_t *ret_id);
bool filter_integration(struct job *j, int64_t *ret_id);
/* The provider that is asked for, by name or by its accounts; views live as long as the job. */
void filter_provider(struct job *j, struct query_filter *f);

/* Names of ids; made once for a listing. */
struct control_key;
struct names;
struct names *names_load(struct job *j);
/* The public id and the name of a key; "" when it is not known (any more). */
struct str names_key_id(const struct names *n, int64_t id);
struct str names_key(const struct names *n, int64_t id);
/* NULL when it is not known. */
const struct control_key *names_key_row(const struct names *n, int64_t id);
const struct snapshot_integration *names_account(const struct names *n, int64_t id);
struct str names_integration(const struct names *n, int64_t id);
struct str names_workspace(const struct names *n, int64_t id);
/* What the record names, else what its account is; "" when it went nowhere. */
struct str names_provider(const struct names *n, const struct record *r);

#endif
