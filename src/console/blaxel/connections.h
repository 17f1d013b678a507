/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_CONNECTIONS_H
#define CONSOLE_BLAXEL_CONNECTIONS_H

/* connections: what Blaxel calls the kinds of integrations. */

#include <stdbool.h>

#include "base/str.h"
#include "control/kind.h"

/* "openai", "azure-openai-service", …; false when there is no such kind. */
bool connections_kind(struct str type, enum kind_integration *ret);

#endif
