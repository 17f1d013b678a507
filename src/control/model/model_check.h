/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_MODEL_MODEL_CHECK_H
#define CONTROL_MODEL_MODEL_CHECK_H

/*
 * model_check: what a model API may look like, and the routing config it becomes. No I/O; whether the
 * things it names are there is model.c's to find out.
 */

#include "base/json/jdoc.h"
#include "control/model/model.h"

struct config;

/* Everything but what has to be looked up; an empty type becomes "openai". */
enum err model_check(struct model_row *m, struct control_why *why) ERR_USE;

/*
 * The config: {"override_params":{"model":"@slug/model"}} for one integration, a fallback over such
 * targets for several; with any_model the provider alone, and the model where the request has none. Named "models/<name>", with the revision as its version. The reference is the
 * caller's.
 */
enum err model_check_compile(const struct model_row *m, struct config **ret_config, struct control_why *why) ERR_USE;

#endif
