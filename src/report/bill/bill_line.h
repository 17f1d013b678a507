/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_LINE_H
#define REPORT_BILL_BILL_LINE_H

/*
 * bill_line: what a line item of the bill is about: service, category, subcategory.
 *
 * Line items have no published grammar, so the raw text is kept for ever and this is only a reading:
 *
 *   "gpt-4o-2024-08-06, cached input"         category gpt-4o-2024-08-06, subcategory cached input
 *   "priority | gpt-5, input, long context"   tier priority, category gpt-5, subcategory input, long context
 *   "gpt-image-1 image, output"               category gpt-image-1, subcategory image output
 *   "DALL·E 3, standard, 1024x1024"           category DALL·E 3, subcategory standard, 1024x1024
 *   "assistants api | code interpreter"       category assistants api, subcategory code interpreter
 *   "web search tool calls"                   category web search tool calls, no subcategory
 *
 * A line item with tabs is of a file and says it all itself: service, category, subcategory, region and
 * tags (a JSON object in normal form: names in order, no space, no '%'), each but the last before a tab.
 *
 * The service follows from the first pattern of a table that matches. The administrator may put own
 * rows before it: DIR/bill-services.csv, lines `pattern,service`. A pattern is compared, ignoring
 * ASCII case, with the category or, when it begins with "meter:", with the subcategory; a '*' stands
 * for any text. What matches nothing is `Chat and Completions` when it has a model and a meter, else
 * `Other`; nothing is dropped.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define BILL_LINE_MAX 512 /* longer line items are cut, in the reading only */
#define BILL_SERVICES_FILE "bill-services.csv"
#define BILL_SERVICES_MAX (256u << 10)
#define BILL_SERVICES_ROWS_MAX 1000
#define BILL_LINE_WHY_MAX 200

struct bill_line {
    char service[BILL_LINE_MAX], category[BILL_LINE_MAX], subcategory[BILL_LINE_MAX];
    char tier[32];             /* "", "priority", "batch", "flex" */
    char model[BILL_LINE_MAX]; /* the category without "-YYYY-MM-DD" at its end; "" when it is no model */
};

/* The part of a file's line item; "" of any other. */
enum bill_line_part { BILL_LINE_SERVICE, BILL_LINE_CATEGORY, BILL_LINE_SUBCATEGORY, BILL_LINE_REGION, BILL_LINE_TAGS };
#define BILL_LINE_PARTS 5
struct str bill_line_part(struct str line_item, enum bill_line_part part);

struct bill_services;

/* `text` is a copy of the administrator's file, "" for none. ERR_BAD_CONFIG with line and reason. */
enum err bill_services_read(struct str text, struct bill_services **ret, char why[BILL_LINE_WHY_MAX]) ERR_USE;
void bill_services_free(struct bill_services *s); /* NULL does nothing */

/* `services` NULL: the built-in table only. */
void bill_line_read(struct str line_item, const struct bill_services *services, struct bill_line *ret);

/* "Tokens" for "tokens", "GB-Hours" for "gibibyte_hours"; unknown ones as they are. */
struct str bill_line_unit(struct str quantity_unit);

#endif
