/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_PAGE_H
#define REPORT_IMPORT_IMPORT_PAGE_H

/*
 * import_page: what one reply of OpenAI's administration API says: a page of cost or usage
 * buckets, or of a list of objects. Bytes in, facts out; nothing is believed: a reply that is not of
 * the known form is an error with a sentence, never a smaller bill.
 *
 * Texts are views into the reply, or live in the arena where they had escapes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json/jdoc.h"
#include "report/bill/bill_write.h"

#define IMPORT_PAGE_WHY_MAX 200

struct import_page {
    struct jval data; /* an array */
    bool has_more;
    struct str next; /* next_page of buckets, last_id of lists; "" = none */
};

/* Each ERR_UPSTREAM_BAD_HTTP with a sentence in `why` when the reply is of another form; ERR_OVERLOADED: arena full. */

/* `doc` holds the parse of the body, which stays where it is. */
enum err import_page_open(struct jdoc *doc, struct str body, struct arena *a, struct import_page *ret,
                          char why[IMPORT_PAGE_WHY_MAX]) ERR_USE;
/* One bucket of `width_s` seconds: its start in such units since 1970, and its results. */
enum err import_page_bucket(struct jval bucket, int64_t width_s, int64_t *ret_start, struct jval *ret_results,
                            char why[IMPORT_PAGE_WHY_MAX]) ERR_USE;

struct import_page_organization {
    struct str id, title; /* "" = not said */
};
/* One result of the costs page. */
enum err import_page_cost(struct jval result, struct arena *a, struct bill_cost *ret,
                          struct import_page_organization *ret_organization, char why[IMPORT_PAGE_WHY_MAX]) ERR_USE;
/* One result of a usage page. */
enum err import_page_used(struct jval result, enum bill_usage kind, struct arena *a, struct bill_used *ret,
                          char why[IMPORT_PAGE_WHY_MAX]) ERR_USE;
/* One project, key or user. */
enum err import_page_name(struct jval object, enum bill_name kind, struct str project, struct arena *a,
                          struct bill_name_put *ret, char why[IMPORT_PAGE_WHY_MAX]) ERR_USE;

#endif
