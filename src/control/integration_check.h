/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_INTEGRATION_CHECK_H
#define CONTROL_INTEGRATION_CHECK_H

/*
 * integration_check: what an integration may look like, and its normal form. No I/O; the rules are
 * described in control_integration.h.
 */

#include "base/arena.h"
#include "base/err.h"
#include "control/control_integration.h"

#define INTEGRATION_CHECK_KEY_MAX 4096

/* A new row from what is given; `row` has the workspace already. New texts live in `a`. */
enum err integration_check_new(const struct control_integration_spec *spec, struct arena *a,
                               struct control_integration *row, struct control_why *why) ERR_USE;
/* A new provider; `row` has workspace, account and what is the account's. */
enum err integration_check_provider(const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *row, struct control_why *why) ERR_USE;
/* What is given put over a stored row. */
enum err integration_check_change(const struct control_integration_spec *spec, struct arena *a,
                                  struct control_integration *row, struct control_why *why) ERR_USE;

#endif
