/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_LISTING_H
#define CONSOLE_BLAXEL_LISTING_H

/*
 * listing: lists of models and policies as Blaxel's clients ask for them: limit, cursor, sort, q, anchor.
 *
 * Without the API version that has pages a list is a bare array of everything. With it:
 *
 *     {"data": […], "meta": {"hasMore": true, "nextCursor": "…", "total": 120}}
 *
 * A cursor names the last item it has shown, so that items which come and go in between neither repeat
 * nor hide others. It holds for the same workspace and the same query, for a day.
 */

#include "console/job.h"

#define LISTING_LIMIT 50
#define LISTING_LIMIT_MAX 200
#define LISTING_QUERY_MAX 200

struct listing {
    struct job *job;
    bool pages;
    enum { LISTING_NEWEST, LISTING_OLDEST, LISTING_NAME, LISTING_NAME_DOWN } sort;
    bool at_end;     /* the last page at once */
    struct str text; /* what is searched for, in lower case; "" = everything */
    size_t limit;
    uint64_t query_hash; /* of what a cursor is bound to */
    bool has_cursor;
    int64_t cursor_us, cursor_id;
    struct str cursor_name;
};

/* What a list is sorted and searched by; `row` is the caller's. */
struct listing_item {
    int64_t id, created_us;
    struct str name, display_name;
    struct str labels; /* JSON object; "" = none */
    const void *row;
};

/*
 * Reads the parameters; `filters` is what else narrows the list. False when the job was answered: an
 * unknown sort, a cursor of another query.
 */
bool listing_read(struct listing *l, struct job *j, struct str filters);
/* Whether what is searched for stands in it. */
bool listing_matches(const struct listing *l, const struct listing_item *item);
/*
 * Answers: sorts the items, and writes those that are due. `total` is how many there are without filters.
 */
void listing_reply(struct listing *l, struct listing_item *items, size_t count, size_t total,
                   void (*write)(struct job *j, const void *row));

#endif
