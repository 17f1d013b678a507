/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_PRICE_LIST_H
#define OPENAI_PRICE_LIST_H

/*
 * price_list: what the catalogue holds, for people: models with their limits, prices row by row,
 * versions in words. Views are good as long as the catalogue. Not for the data path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "openai/price.h"

#define PRICE_LIST_NO_DATE INT64_MIN

struct price_model {
    struct str id;
    struct str operations, input, output; /* lists with '|': "chat.completions|responses", "text|image" */
    uint64_t context_window, max_output;  /* tokens; 0 = not known or not meant */
    int64_t released_us, shutdown_us;     /* PRICE_LIST_NO_DATE = not known, none announced */
    struct str note;
    bool priced; /* it has a price, at some time at least */
};

/* Models in the order of models.csv. */
size_t price_list_models(const struct price_catalog *c);
const struct price_model *price_list_model(const struct price_catalog *c, size_t i);
const struct price_model *price_list_find_model(const struct price_catalog *c, struct str id); /* exact; or NULL */

/* One line of prices.csv or the overrides, as written. */
struct price_line {
    uint32_t row;    /* id, as in struct cost */
    struct str kind; /* "price", "times", "regional", "threshold", "as", "group", "alias" */
    struct str model, operation, meter, tier, context, quality, size;
    int64_t from_us, to_us; /* PRICE_LIST_NO_DATE = without bound */
    struct str value, per;
    bool estimate;
    struct str note;
};

/* Lines in their order, the overrides last. */
size_t price_list_lines(const struct price_catalog *c);
void price_list_line(const struct price_catalog *c, size_t i, struct price_line *ret_line);
bool price_list_find_line(const struct price_catalog *c, uint32_t row, struct price_line *ret_line);

#define PRICE_LIST_TEXT_MAX 320
/*
 * "prices line 42: gpt-5.4 text input standard from 2026-03-05 = 2.5 USD per 1000000 tokens".
 * Returns the length; 0, and an empty text, when there is no such row.
 */
size_t price_list_format(const struct price_catalog *c, uint32_t row, char out[PRICE_LIST_TEXT_MAX]);

#endif
