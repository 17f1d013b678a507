/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PROVIDER_PROVIDER_INNER_H
#define CONTROL_PROVIDER_PROVIDER_INNER_H

/* provider_inner: what allow.c and access.c share. Inside a transaction. */

#include "control/control_inner.h"

struct provider_account {
    int64_t id;
    bool all_models, all_workspaces;
};
/* The integration of that slug; ERR_NOT_FOUND for a provider too. */
enum err provider_account_find(struct control *c, int64_t workspace_id, struct str slug,
                               struct provider_account *ret_account, struct control_why *why) ERR_USE;
/* `column` is one of its switches. */
enum err provider_account_switch(struct control *c, int64_t id, const char *column, bool on,
                                 struct control_why *why) ERR_USE;

#endif
