/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PROVIDER_ALLOW_H
#define CONTROL_PROVIDER_ALLOW_H

/*
 * allow: which models an integration serves. Same rules as control.h.
 *
 * An entry decides for its model; `all_models` decides for those without one, and is true for a new
 * integration. Providers have the entries of their integration. A request for a model that is not served is
 * refused at the target, so a fallback may go on; one that names no model is not judged. The name is
 * the one that goes upstream, for Azure the alias.
 */

#include "control/control.h"

#define ALLOW_MODELS_MAX 2000 /* entries of one integration */
#define ALLOW_SLUG_MAX 256

struct allow_model {
    struct str slug; /* visible ASCII */
    bool enabled;
    bool is_custom;        /* kept and shown */
    struct str base_model; /* of a fine-tuned one; kept and shown */
};

/* Makes or changes these entries, others stay. `all_models` NULL = stays. */
enum err allow_set(struct control *c, int64_t workspace_id, struct str integration, const struct allow_model *list,
                   size_t count, const bool *all_models, struct control_why *why) ERR_USE;
/* Entries that are not there are no error. */
enum err allow_remove(struct control *c, int64_t workspace_id, struct str integration, const struct str *slugs,
                      size_t count, struct control_why *why) ERR_USE;
/* By slug; in `a`. */
enum err allow_list(struct control *c, int64_t workspace_id, struct str integration, struct arena *a,
                    struct allow_model **ret_list, size_t *ret_count, bool *ret_all_models,
                    struct control_why *why) ERR_USE;

#endif
