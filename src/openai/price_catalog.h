/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_PRICE_CATALOG_H
#define OPENAI_PRICE_CATALOG_H

/*
 * price_catalog: what a catalogue is made of. Own use of price*.c.
 *
 * Rows are for reading and listing; cells are the same prices arranged for the search. An entry has
 * all cells of one model id, its aliases' included, in buckets: one for each meter, then factors,
 * uplifts and thresholds. Within a bucket the cell that wins stands first, so that the search takes
 * the first one that fits:
 *
 *     overrides (and what an override's alias leads to) before our own
 *     the id's own before its alias's
 *     for one group of operations before for all, of one quality or size before of any
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "openai/price.h"
#include "openai/price_list.h"
#include "openai/price_rows.h"

enum {
    PRICE_BUCKET_TIMES = PRICE_METER_STORAGE + 1,
    PRICE_BUCKET_REGIONAL,
    PRICE_BUCKET_THRESHOLD,
    PRICE_BUCKET_COUNT,
};

struct price_cell {
    int64_t from_us, to_us;
    int64_t amount; /* price: pico-dollars of `divide` units; factor: numerator; threshold: tokens */
    uint64_t divide;
    struct str quality, size;
    uint32_t row;
    uint32_t order; /* smaller wins */
    uint8_t bucket, group, meter, tier;
    bool long_context, whole_seconds, estimate;
};

struct price_entry {
    struct str model;
    const struct price_cell *cells;
    uint32_t start[PRICE_BUCKET_COUNT + 1]; /* bucket b is cells[start[b]] … cells[start[b + 1] - 1] */
};

/* Open addressing; full at half its size. Keys are views that live with the catalogue. */
struct price_map {
    struct price_map_slot {
        uint64_t hash;
        struct str key;
        uint32_t value; /* plus 1; 0 = free */
    } * slots;
    size_t mask, used;
};

struct price_catalog {
    uint32_t magic;
    uint32_t version, base_version, override_version;
    char *texts[3];
    struct price_rows rows;
    uint32_t *row_at; /* index of the first row of each line, in order */
    size_t row_count;
    struct price_entry *entries;
    size_t entry_count;
    struct price_cell *cells;
    size_t cell_count, cell_cap;
    const struct price_entry *any; /* the model "*"; may be NULL */
    struct price_map by_model, by_operation, by_listed;
    uint8_t as[PRICE_GROUP_COUNT][METER_COUNT]; /* PRICE_ANY = none */
    struct price_model *models;
    size_t model_count;
};

#define PRICE_CATALOG_MAGIC UINT32_C(0x70726963)

void price_map_init(struct price_map *m, size_t keys); /* room for so many */
void price_map_free(struct price_map *m);
/* Returns the value that stands for the key: the one given, or the one it had already. */
uint32_t price_map_add(struct price_map *m, struct str key, uint32_t value);
bool price_map_get(const struct price_map *m, struct str key, uint32_t *ret_value);

/* Reads models.csv into the catalogue. The text is changed in place. */
bool price_list_read(struct price_catalog *c, char *text, size_t n, struct price_fault *fault);

#endif
