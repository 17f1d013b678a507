/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_MODEL_TOKEN_CAP_H
#define CONTROL_MODEL_TOKEN_CAP_H

/*
 * token_cap: what a policy's maxTokens says:
 *
 *     {"granularity": "day", "step": 1, "input": 0, "output": 0, "total": 1000000}
 *
 * A threshold of 0 is not looked at. ratioInputOverOutput is kept by whoever has the text, and means
 * nothing.
 */

#include "base/str.h"
#include "control/limit/limit.h"

/* NULL, or a sentence that says what is wrong; *ret_param names the member then (static text). */
const char *token_cap_read(struct str json, struct limit *ret, const char **ret_param);

#endif
