/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_MATCH_MATCH_LINKS_H
#define REPORT_MATCH_MATCH_LINKS_H

/*
 * match_links: the integrations of all workspaces as they were at any time, for match_new. Read from control.db:
 * integrations that are there or were deleted, and the audit log for what their key, organization and project
 * were before they were changed. Texts and list live in `a`.
 */

#include "base/arena.h"
#include "control/control.h"
#include "report/match/match.h"

enum err match_links_load(struct control *c, struct arena *a, struct match_link **ret_links, size_t *ret_count,
                          struct control_why *why) ERR_USE;

#endif
