/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_OLD_H
#define REPORT_IMPORT_IMPORT_OLD_H

/*
 * import_old: what OpenAI's old usage page says of a day, GET /v1/usage?date=, for accounts without admin keys. It
 * counts requests, tokens, images, seconds and characters by five minutes, model, key and project, and says nothing of
 * money. Bytes in, facts out.
 *
 * All its fields may be missing: early rows have but a time, a model and tokens. Lists that are not known are passed
 * over, and so are rows with nothing counted; wrong types are errors with a sentence.
 *
 * Costs are those of the price catalogue of that day, so they are estimates: long contexts, free tokens and what was
 * agreed upon are not in them. What has no price costs 0 and its line item ends in ", unpriced", so that
 * nobody takes it for nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json/jdoc.h"
#include "report/bill/bill_write.h"
#include "report/import/import_page.h"

struct price_catalog;

struct import_old_rows {
    struct bill_cost *costs; /* estimates; owned, as the lists below */
    size_t cost_count, cost_cap;
    struct bill_used *used[BILL_USAGE_COUNT];
    size_t used_count[BILL_USAGE_COUNT], used_cap[BILL_USAGE_COUNT];
    struct bill_name_put *names; /* several times the same */
    size_t name_count, name_cap;
    struct import_page_organization organization; /* the one that rows name; "" = none does */
};

/*
 * A day's reply. Texts live in `a` or in the reply. `prices` NULL: nothing has a price. ERR_UPSTREAM_BAD_HTTP with a
 * sentence when the reply is of another form; ERR_OVERLOADED: no room. With import_old_free in any case.
 */
enum err import_old_read(struct jval root, int64_t day, const struct price_catalog *prices, struct arena *a,
                         struct import_old_rows *ret, char why[IMPORT_PAGE_WHY_MAX]) ERR_USE;
void import_old_free(struct import_old_rows *r);

#endif
