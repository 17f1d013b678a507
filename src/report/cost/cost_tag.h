/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_COST_COST_TAG_H
#define REPORT_COST_COST_TAG_H

/*
 * cost_tag: keys whose values are worked out at the time of a query, for struct cost_query.
 *
 * The first value whose filters let a charge through is its value; filters may test other keys (not in a circle).
 * What has several values by shares is split: a charge becomes as many as there are shares, with the same text
 * in every other group, and their amounts add up to its own to the last digit. What the shares leave over
 * has no value.
 *
 * Shares may differ from month to month; a value may hold for some days only. The engine then cuts the
 * period where anything changes and asks for each piece.
 *
 * The allocated ledger has tags of its own: what callers gave as metadata. A key that is both has the metadata's
 * value where there is one, unless the tag is overridable: then the metadata's only where it has none.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/money.h"
#include "base/str.h"
#include "report/vql/vql.h"

#define COST_MONTH_ANY INT64_MIN

struct cost_share {
    int64_t month; /* months since 1970-01 that it is a share in, or COST_MONTH_ANY */
    struct str value;
    money_sum weight; /* below 0 counts as 0 */
};

struct cost_span {
    int64_t from_day, until_day; /* until_day exclusive */
};

struct cost_tag_value {
    struct str value;                /* of a value without shares */
    const struct vql *filter;        /* NULL: everything */
    const struct vql *const *within; /* filters that must let it through too */
    size_t within_count;
    /* Either: shares, of `whole`; whole 0: of what they add up to. A month without any: no value. */
    const struct cost_share *shares;
    size_t share_count;
    money_sum whole;
    /* Or: by what these costs come to in the month, grouped by the tag `metric_tag`. */
    const struct vql *metric;
    struct str metric_tag;         /* "": not so */
    const struct cost_span *spans; /* the days it holds for */
    size_t span_count;             /* 0: all */
};
#define COST_TAG_IS_SPLIT(v) ((v)->share_count > 0 || (v)->metric_tag.n > 0)

struct cost_tag {
    struct str key;
    const struct cost_tag_value *values;
    size_t count;
    bool overridable;
    const struct str *collapsed; /* keys of metadata that are the tag's value where it has none */
    size_t collapsed_count;
    int64_t from_day; /* holds from here on; 0: always */
};
#define COST_TAGS_MAX 64
#define COST_TAG_VALUES_MAX 128
#define COST_SHARES_MAX 1000 /* of one value in one month */
#define COST_PIECES_MAX 400

#define COST_UNALLOCATED "Unallocated" /* the segment of what is in none */

#endif
