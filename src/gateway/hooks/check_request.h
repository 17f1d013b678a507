/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_CHECK_REQUEST_H
#define GATEWAY_HOOKS_CHECK_REQUEST_H

/* check_request: checks of the request as a whole: model, metadata, kind, parameters; and the one that changes it. */

#include "gateway/hooks/check.h"

check_fn check_request_model_whitelist;
check_fn check_request_model_rules;
check_fn check_request_metadata_keys;
check_fn check_request_allowed_types;
check_fn check_request_parameters;
check_fn check_request_add_prefix;

#endif
