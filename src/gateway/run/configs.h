/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RUN_CONFIGS_H
#define GATEWAY_RUN_CONFIGS_H

/*
 * configs: the configs that came in headers lately, compiled. A client sends the same one with every
 * request, so a worker keeps a few dozen. Not thread-safe: one per worker.
 */

#include "base/str.h"
#include "control/config/config.h"

struct configs;

struct configs *configs_new(void) __attribute__((returns_nonnull));
void configs_free(struct configs *c); /* NULL does nothing */
/* A reference for the caller; NULL with the reasons when it does not compile. */
const struct config *configs_get(struct configs *c, struct str text, struct config_errors *why);

#endif
