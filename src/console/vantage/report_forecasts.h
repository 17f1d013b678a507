/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_REPORT_FORECASTS_H
#define CONSOLE_VANTAGE_REPORT_FORECASTS_H

/* report_forecasts: forecasts with a name. One of a report's may be its default. */

#include <stdbool.h>

#include "base/json/jdoc.h"
#include "console/job.h"
#include "report/docs/docs.h"

/* Heeds set_as_default of a request. False when the job was answered. */
bool report_forecasts_given(struct job *j, const struct doc *forecast, struct jval given);
/* Whether it is its report's default. */
bool report_forecasts_is_default(struct job *j, const struct doc *forecast);

#endif
