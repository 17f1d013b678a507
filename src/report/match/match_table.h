/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_MATCH_MATCH_TABLE_H
#define REPORT_MATCH_MATCH_TABLE_H

/*
 * match_table: three whole numbers to one, such as (account, project, key) to a place. Entries are never removed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised: empty. */
struct match_table {
    int64_t *keys;   /* three for each entry; owned */
    uint32_t *value; /* owned */
    uint32_t *slots; /* entry + 1; owned */
    size_t slot_count, count;
};
/* False: not there. */
bool match_table_get(const struct match_table *t, const int64_t key[3], uint32_t *ret);
/* The value, to be changed; 0 when it was not there. Good until the next one is added. */
uint32_t *match_table_at(struct match_table *t, const int64_t key[3]);
void match_table_put(struct match_table *t, const int64_t key[3], uint32_t value);
void match_table_free(struct match_table *t);

#endif
