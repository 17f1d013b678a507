/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_CHECK_JSON_H
#define GATEWAY_HOOKS_CHECK_JSON_H

/* check_json: checks of JSON that stands in the text: the whole of it, in fenced blocks, or amid words. */

#include "gateway/hooks/check.h"

check_fn check_json_schema;
check_fn check_json_keys;

#endif
