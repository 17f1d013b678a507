/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DOCS_DOCS_VALUES_H
#define REPORT_DOCS_DOCS_VALUES_H

/*
 * docs_values: the values of business metrics, one a day and label. Amounts are decimal text, exact; those of
 * several days or labels are added up as 10^-12 units in 128 bits. Errors as in docs.h.
 */

#include "report/docs/docs.h"

struct docs_value {
    int64_t day;
    struct str label;  /* "" = none */
    struct str amount; /* "" = the value goes */
};
/* All or none. A value of the same day and label is replaced. */
enum err docs_values_put(struct docs *d, int64_t metric, bool forecast, const struct docs_value *list,
                         size_t count) ERR_USE;

struct docs_value_query {
    int64_t metric;
    bool forecast;
    int64_t from_day, until_day; /* until_day exclusive */
    bool by_label;               /* only those of `label`, which may be "" */
    struct str label;
    const struct str *labels; /* only these; label_count 0 = all */
    size_t label_count;
    bool by_month; /* added up, on the first of the month */
    uint64_t skip, limit;
};
/* Newest first, then by label. */
enum err docs_values_list(struct docs *d, const struct docs_value_query *q, struct arena *a, struct docs_value **ret,
                          size_t *ret_count) ERR_USE;
enum err docs_values_delete(struct docs *d, const struct docs_value_query *q, uint64_t *ret_count) ERR_USE;
enum err docs_values_labels(struct docs *d, int64_t metric, struct arena *a, struct str **ret,
                            size_t *ret_count) ERR_USE;

#endif
