/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_BUSINESS_METRICS_H
#define CONSOLE_VANTAGE_BUSINESS_METRICS_H

/* business_metrics: the numbers of business metrics, a day and label each, as they come with a metric or as CSV. */

#include <stdbool.h>

#include "console/job.h"
#include "report/docs/docs.h"

/* Members `values` and `forecasted_values` of a request for the metric. False when the job was answered. */
bool business_metrics_given(struct job *j, const struct doc *metric, struct jval given);

#endif
