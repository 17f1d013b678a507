/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_UPSTREAM_MODELS_H
#define CONSOLE_BLAXEL_UPSTREAM_MODELS_H

/*
 * upstream_models: which models a provider's account has, by its own list (GET /v1/models), kept for a
 * minute. On the console's thread only.
 */

#include "console/job.h"

struct console;

struct upstream_model {
    struct str id, owner;
    int64_t created_us; /* 0 = not said */
};

/*
 * The account's models in order of their ids, in the job's arena. False: the handler returns, as the
 * list is still to be fetched or the job was answered with why there is none.
 */
bool upstream_models_get(struct job *j, const struct snapshot_integration *i, struct upstream_model **ret_list,
                         size_t *ret_count);
/* For console_free. */
void upstream_models_drop(struct console *c);

#endif
