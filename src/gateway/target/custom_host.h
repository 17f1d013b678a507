/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_CUSTOM_HOST_H
#define GATEWAY_TARGET_CUSTOM_HOST_H

/*
 * custom_host: whether a base URL that a request or a config names may be used.
 *
 * Refused are all spellings with a second reading (control/base_url.h), names of cloud metadata
 * services and names that no public resolver answers for, and addresses that are not public unless
 * the operator's --allow-upstream holds them. A name that leads to such an address is found out
 * when it is connected to (net/dial.h), whatever it resolved to before.
 */

#include "control/base_url.h"

struct address_set;

/* False when it may not be used. `allowed` may be NULL. */
bool custom_host_read(struct str text, const struct address_set *allowed, struct base_url *ret)
    __attribute__((warn_unused_result));
/* Whether the host is one of Azure's own, which a token of this machine may be sent to. */
bool custom_host_is_azure(const char *host);

#endif
