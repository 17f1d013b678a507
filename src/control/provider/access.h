/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PROVIDER_ACCESS_H
#define CONTROL_PROVIDER_ACCESS_H

/*
 * access: which workspaces may have providers of an integration. Same rules as control.h.
 *
 * Its own workspace always may. An entry decides for its workspace, `all_workspaces` for those without
 * one; it is false for a new integration. A workspace that loses access keeps its providers, and they
 * are as if they were not there until it has it again.
 */

#include "control/control.h"

struct access_entry {
    int64_t workspace_id;
    struct str workspace; /* its name; given back, not read */
    bool enabled;
};

/*
 * Makes or changes these entries; with `instead` all others go. `all_workspaces` NULL = stays.
 * ERR_NOT_FOUND: an unknown workspace or integration.
 */
enum err access_set(struct control *c, int64_t workspace_id, struct str integration, const struct access_entry *list,
                    size_t count, bool instead, const bool *all_workspaces, struct control_why *why) ERR_USE;
/* By workspace; in `a`. Without the integration's own. */
enum err access_list(struct control *c, int64_t workspace_id, struct str integration, struct arena *a,
                     struct access_entry **ret_list, size_t *ret_count, bool *ret_all_workspaces,
                     struct control_why *why) ERR_USE;

#endif
