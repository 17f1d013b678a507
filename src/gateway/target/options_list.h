/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_OPTIONS_LIST_H
#define GATEWAY_TARGET_OPTIONS_LIST_H

/*
 * options_list: lists of header names in a header's value. Three spellings are in use: `a, b`,
 * `["a", "b"]` and Python's `['a', 'b']`. What is no header name is left out.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "control/config/config.h"

/*
 * Lower case, without duplicates, in the arena. With `kebab` a name such as xMyHeader stands for
 * x-my-header too. At most OPTIONS_LIST_MAX. False when the arena is full.
 */
bool options_list_read(struct str value, bool kebab, struct arena *a, struct config_strings *ret)
    __attribute__((warn_unused_result));
/* Whether the list has the name (lower case). */
bool options_list_has(const struct config_strings *list, struct str name);
/* Adds a lower-case copy; what does not fit or is there already is left out. False when the arena is full. */
bool options_list_add(struct config_strings *list, struct str name, struct arena *a)
    __attribute__((warn_unused_result));

#endif
