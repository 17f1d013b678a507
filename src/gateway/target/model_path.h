/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_MODEL_PATH_H
#define GATEWAY_TARGET_MODEL_PATH_H

/*
 * model_path: addresses of model APIs (blaxel.md §7.1):
 *
 *     [/run]/{workspace}/models/{model}[/v1]/chat/completions
 *
 * What follows the model is an operation, with or without "/v1". Nothing, or a bare "/", is the
 * base call. Names are compared as they stand: workspace and model names need no encoding.
 */

#include <stdbool.h>

#include "base/str.h"

struct model_path {
    struct str workspace, model;
    struct str rest; /* "/chat/completions"; "" for the base call */
};

/* False for every path of another kind. Views of the argument. */
bool model_path_read(struct str path, struct model_path *ret);

#endif
