/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_ACCOUNTS_H
#define CONSOLE_VANTAGE_ACCOUNTS_H

/* accounts: whose bills a workspace sees. An account's own workspace does, until others are named for it. */

#include "console/vantage/ask.h"
#include "report/bill/bill.h"

struct accounts {
    struct bill_account *list;
    int64_t *ids;
    size_t count;
};

/* The bill's reader for this job; NULL when nothing was ever imported. With bill_reader_close. */
struct bill_reader *accounts_reader(struct job *j);
/* Of all workspaces of `s`, or of one (not 0). False when the job was answered. */
bool accounts_seen(struct job *j, struct bill_reader *r, const struct sight *s, int64_t workspace,
                   struct accounts *ret);
/* The workspaces that see an account of a workspace: tokens, in an arena of ACCOUNTS_PLACES_ARENA bytes. */
#define ACCOUNTS_PLACES_ARENA (1u << 20)
void accounts_places(struct job *j, int64_t account, int64_t workspace, struct arena *a, struct str **ret,
                     size_t *ret_count);

#endif
