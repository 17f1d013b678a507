/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_LIMIT_JSON_H
#define CONTROL_LIMIT_LIMIT_JSON_H

/*
 * limit_json: a limit in our own words, for the audit log. What Portkey and Blaxel call it is for
 * their dialects to say.
 */

#include "base/json_write.h"
#include "control/limit/limit.h"

/* Members of everything the limit says, into an object that is open. */
void limit_json_members(struct json_write *w, const struct limit *l);

#endif
