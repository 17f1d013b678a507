/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_UPLOAD_UPLOAD_READ_H
#define REPORT_UPLOAD_UPLOAD_READ_H

/*
 * upload_read: a file of costs, as Vantage's custom providers take it, to rows of a bill. Bytes in, facts
 * out. The first line names the columns, in any order; ones that are not known are passed over.
 *
 *   ChargePeriodStart   required: YYYY-MM-DD, or with a time behind it; the day counts
 *   ChargePeriodEnd     the same form, not before the start; the cost stands on the first day
 *   ChargeCategory      required: Usage, Credit, Discount, Fee, Refund, Tax, as written here
 *   BilledCost          required: -1.23, with a dollar sign or without
 *   BillingCurrency     USD or nothing
 *   ServiceName         required: the service; ServiceCategory: category; ResourceType: subcategory
 *   ResourceId          the resource; SubAccountId: the account; RegionId: the region
 *   ConsumedQuantity, ConsumedUnit
 *   Tags                a JSON object of plain values
 *
 * A file is taken whole or not at all: every line that is wrong gives a sentence, "Row 22: Tags must be a
 * valid JSON object", where the line of names is row 1.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "report/bill/bill_upload.h"

#define UPLOAD_BYTES_MAX (2u << 20)
#define UPLOAD_TEXT_MAX 200 /* of a field */
#define UPLOAD_TAGS_MAX 2000
#define UPLOAD_TAG_COUNT_MAX 50
#define UPLOAD_FAULTS_MAX 25 /* more are only counted */

struct upload_faults {
    struct str text[UPLOAD_FAULTS_MAX];
    size_t count, total;
};

/* The rows; texts live in `a` or are views of the file. False with sentences in *ret_faults. */
bool upload_read(struct str file, struct arena *a, struct bill_upload_row **ret, size_t *ret_count,
                 struct upload_faults *ret_faults);

/*
 * A JSON object of plain values in its normal form: names in order, each once, values as strings, no '%'. "" for
 * no tags. False when it is no such object, or too long.
 */
bool upload_tags(struct str json, struct arena *a, struct str *ret);

#endif
