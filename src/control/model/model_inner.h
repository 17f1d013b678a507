/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_MODEL_MODEL_INNER_H
#define CONTROL_MODEL_MODEL_INNER_H

/* model_inner: what the rest of control needs of model APIs. Inside a transaction. */

#include "control/control_inner.h"
#include "control/model/model.h"

struct snapshot_build;

/* Adds all model APIs, behind workspaces and configs. */
enum err model_load(struct control *c, struct snapshot_build *b, struct control_why *why) ERR_USE;
/* ERR_IN_USE names the model APIs that use the integration. */
enum err model_check_unused(struct control *c, int64_t workspace_id, struct str slug, struct control_why *why) ERR_USE;

/*
 * Attaches what the list `after` names and detaches what only `before` named; ERR_BAD_PARAMETER: there is
 * no such policy. And for a model API that goes. (token_policy.c)
 */
enum err model_put_policies(struct control *c, int64_t workspace_id, int64_t model_id, struct str before,
                            struct str after, struct control_why *why) ERR_USE;
enum err model_drop_policies(struct control *c, int64_t model_id, struct control_why *why) ERR_USE;

/* model.c: columns and how they are read, for model_load.c. */
#define MODEL_COLUMNS                                                                                            \
    "m.id, m.workspace_id, m.name, m.display_name, m.external_id, m.labels, m.enabled, m.sandbox, m.any_model, " \
    "m.integrations, m.policies, m.flavors, m.type, m.model, m.organization, m.endpoint_name, m.generation, "    \
    "m.configuration, m.revision, m.created_us, m.updated_us, m.created_by, m.updated_by"
enum err model_read_row(struct store_stmt *st, struct arena *a, struct model_row *m, struct control_why *why) ERR_USE;

#endif
