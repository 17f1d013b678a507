/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_MATCH_MATCH_LINKS_H
#define REPORT_MATCH_MATCH_LINKS_H

/*
 * match_links: the integrations of all workspaces as they were at any time, for match_new. Read from control.db:
 * integrations that are there or were deleted, and the audit log for what their key, organization and project
 * were before they were changed. Texts and list live in `a`.
 *
 * Which of them had traffic is in ledger.db.
 */

#include "base/arena.h"
#include "control/control.h"
#include "report/match/match.h"

enum err match_links_load(struct control *c, struct arena *a, struct match_link **ret_links, size_t *ret_count,
                          struct control_why *why) ERR_USE;
/*
 * For match_scope.used: sets those that used something in days from_day to until_day (exclusive), by the hourly sums.
 * All answers about one time give the same days. `ledger` may be NULL: none did.
 */
enum err match_links_used(struct store_db *ledger, const struct match_link *links, size_t count, int64_t from_day,
                          int64_t until_day, bool *used) ERR_USE;

#endif
