/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_FORECAST_FORECAST_REPORT_H
#define REPORT_FORECAST_FORECAST_REPORT_H

/*
 * forecast_report: forecasts of a question's costs, by provider and service and of all together.
 *
 * History ends yesterday, or up to three days before where these have no cost yet: bills come late. It begins
 * with the first day that cost anything. The amounts of all together are the sums of the services'; their
 * band is that of the sum.
 */

#include "report/cost/cost.h"
#include "report/forecast/forecast.h"
#include "report/question/question.h"

struct control;

#define FORECAST_SERIES_MAX 500
#define FORECAST_DAYS_MAX 366 /* how far ahead, today being the first */

struct forecast_series {
    struct str provider, service;  /* "all", "all" for the first one */
    struct forecast_point *points; /* one a day */
};

struct forecast_report {
    int64_t from_day; /* today */
    size_t days;
    struct forecast_series *series;
    size_t count; /* at least 1 */
};

/*
 * Filters, scope and settings are the question's; its dates, groups and bin are set here. `days` ahead, at most
 * FORECAST_DAYS_MAX. Everything lives in the question's arena. `c`, which may be NULL, knows whose traffic is on
 * which bill (question_known.h). `why` gets a sentence.
 */
enum err forecast_report(struct question *q, struct cost_reader *r, struct control *c, int64_t today, size_t days,
                         struct forecast_report *ret, char why[QUESTION_WHY_MAX]) ERR_USE;

#endif
