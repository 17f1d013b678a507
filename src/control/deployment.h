/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_DEPLOYMENT_H
#define CONTROL_DEPLOYMENT_H

/*
 * deployment: which Azure deployment serves which model name, as JSON in and out.
 *
 * In: an object {"gpt-4o": "my-deployment"}, or an array of objects with "alias", "deployment", and
 * optionally "model" (for prices), "api_version", "default". Out: the array, in the order given.
 */

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "control/snapshot.h"

#define DEPLOYMENT_MAX 200

/*
 * The list; it and its texts live in `a`. An empty text is an empty list. ERR_BAD_PARAMETER with a
 * sentence in `why`; ERR_OVERLOADED when the arena is full.
 */
enum err deployment_read(struct str json, struct arena *a, struct snapshot_deployment **ret_list, size_t *ret_count,
                         char *why, size_t why_cap) ERR_USE;
/* The normal form in `a`, "" for an empty list; ERR_OVERLOADED when the arena is full. */
enum err deployment_write(const struct snapshot_deployment *list, size_t count, struct arena *a,
                          struct str *ret_json) ERR_USE;

#endif
