/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_EXPORTS_H
#define CONSOLE_VANTAGE_EXPORTS_H

/* exports: the answer about a file that was made of a report. */

#include "console/job.h"
#include "report/docs/docs_exports.h"

/* With status 202 also where to ask for it again, which is all that Vantage's clients give their callers. */
void exports_reply(struct job *j, int status, const struct docs_export *x);

#endif
