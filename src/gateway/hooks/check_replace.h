/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_CHECK_REPLACE_H
#define GATEWAY_HOOKS_CHECK_REPLACE_H

/* check_replace: takes out of the text what must not pass. */

#include "gateway/hooks/check.h"

check_fn check_replace_regex;

#endif
