/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RUN_NAMES_H
#define GATEWAY_RUN_NAMES_H

/*
 * names: whether what guardrails look at is what a provider reads.
 *
 * JSON lets a member come twice and its name be written with escapes; readers differ in what they make
 * of that. A request that guardrails must see may do neither with the members they look at.
 */

#include <stdbool.h>

#include "base/str.h"

/* `body` is JSON. False: some such member comes twice, or its name has escapes. */
bool names_are_plain(struct str body);

#endif
