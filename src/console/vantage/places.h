/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_PLACES_H
#define CONSOLE_VANTAGE_PLACES_H

/* places: workspaces as Vantage shows them. */

#include "console/job.h"
#include "control/control.h"

void places_write(struct job *j, const struct control_workspace *w);

#endif
