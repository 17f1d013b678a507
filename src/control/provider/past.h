/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PROVIDER_PAST_H
#define CONTROL_PROVIDER_PAST_H

/*
 * past: integrations of all workspaces, those that were deleted too, and what they were at earlier times. Old records name
 * integrations by id; this says which provider account that was. Same rules as control.h.
 */

#include "control/control.h"

/*
 * An integration from `from_us` on, until the next one with the same id. The newest is what the row has now; older
 * ones come from the audit log.
 */
struct past_integration {
    int64_t id, workspace_id;
    int64_t from_us; /* 0: from its beginning */
    struct str slug;
    enum kind_integration kind;
    struct str base_url, organization, project;
    struct str key_hint; /* "" = no key */
};

/* By id, then time; in `a`. ERR_BAD_PARAMETER: more than PAST_MAX. */
#define PAST_MAX 100000
enum err past_list(struct control *c, struct arena *a, struct past_integration **ret_list, size_t *ret_count,
                   struct control_why *why) ERR_USE;

#endif
