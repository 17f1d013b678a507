/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NATIVE_IMPORTS_H
#define CONSOLE_NATIVE_IMPORTS_H

/* imports: the question whether an admin key is any good, for every handler that stores one. */

#include <stdbool.h>

#include "base/err.h"
#include "console/job.h"
#include "report/import/import.h"

/*
 * Asks upstream by a key that is not stored yet; takes at most ten seconds. `base_url` is in the normal
 * form of control_integration.h. IMPORT_KEY_UNKNOWN also when this server imports nothing.
 */
enum import_verdict imports_check(struct job *j, struct str base_url, struct str api_key, char organization[128],
                                  char why[IMPORT_WHY_MAX]);

#endif
