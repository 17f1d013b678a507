/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_GATHER_H
#define REPORT_IMPORT_IMPORT_GATHER_H

/*
 * import_gather: all pages of one question, kept together. A cursor that comes twice, more pages or
 * more bytes than anybody's bill has, and replies of an unknown form are errors.
 */

#include "report/import/import_ask.h"
#include "report/import/import_page.h"

#define IMPORT_PAGES_MAX 1000
#define IMPORT_GATHER_BYTES_MAX (256u << 20)

struct import_bucket {
    int64_t start; /* in units of the width */
    struct jval results;
};

struct import_gathered {
    struct arena *arena; /* texts with escapes */
    struct import_held *pages;
    size_t page_count, page_cap;
    size_t bytes;
    struct import_bucket *buckets; /* sorted by start when all is there */
    size_t bucket_count, bucket_cap;
    struct jval *objects; /* of lists */
    size_t object_count, object_cap;
    unsigned char hash[32]; /* over all bodies */
    int status;             /* of the last reply */
    char why[IMPORT_WHY_MAX];
};

void import_gather_init(struct import_gathered *g);
void import_gather_free(struct import_gathered *g);

/*
 * `path` has a query already. width_s 0: a list of objects, with `after` as its cursor. Errors are those of
 * import_ask_get, ERR_UPSTREAM_BAD_HTTP and ERR_OVERLOADED; the sentence is in g->why.
 */
enum err import_gather(struct import_gathered *g, struct import_ask *k, struct str path, int64_t width_s) ERR_USE;

#endif
