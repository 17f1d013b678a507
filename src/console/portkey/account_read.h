/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_ACCOUNT_READ_H
#define CONSOLE_PORTKEY_ACCOUNT_READ_H

/*
 * account_read: the body of a request that makes or changes a virtual key, a provider or an integration.
 * Members are read in either spelling, those of Azure at the top (apiVersion, resourceName, deploymentName,
 * deploymentConfig) and in `configurations` (azure_…).
 */

#include "console/portkey/given.h"
#include "console/portkey/portkey_limits.h"
#include "control/control_integration.h"

struct account_read {
    struct control_integration_spec spec;
    struct portkey_limits limits;
    int64_t expires_us; /* spec points here */
    bool reset_usage;
};
/* False when the job was answered. Texts live in its arena or in the body. */
bool account_read(struct given *g, struct account_read *ret);

#endif
