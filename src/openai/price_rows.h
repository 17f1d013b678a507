/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_PRICE_ROWS_H
#define OPENAI_PRICE_ROWS_H

/*
 * price_rows: the rows of a price file, read and checked one by one. Own use of price.c.
 *
 * The columns are described in data/PRICES.md. A row that cannot be meant (a token priced by the
 * minute, a size for a token, a date before the other) is refused with its line, and so are two
 * rows for the same thing whose periods overlap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "openai/price.h"

/* Columns: name, text in the first column. */
#define PRICE_KIND_TABLE(X)   \
    X(PRICE, "price")         \
    X(TIMES, "times")         \
    X(REGIONAL, "regional")   \
    X(THRESHOLD, "threshold") \
    X(AS, "as")               \
    X(GROUP, "group")         \
    X(ALIAS, "alias")

enum price_kind {
#define X(name, text) PRICE_KIND_##name,
    PRICE_KIND_TABLE(X)
#undef X
        PRICE_KIND_COUNT
};

enum {
    PRICE_ANY = 0xff,        /* group, meter or tier of a row that holds for all */
    PRICE_MODEL_MAX = 120,   /* bytes of a model id */
    PRICE_ROWS_MAX = 100000, /* of one file */
};

/* What `per` of a price row says. */
struct price_per {
    const char *text, *unit; /* unit: as in METER_TABLE */
    uint64_t count;          /* so many of the meter's units cost the price */
    bool whole_seconds;
};

struct price_row {
    struct str model, quality, size; /* "" = any */
    struct str qualities, sizes;     /* as written, all alternatives */
    struct str value_text, note;
    int64_t from_us, to_us;
    int64_t amount;  /* PRICE: pico-dollars of `per`; TIMES, REGIONAL: numerator; THRESHOLD: tokens */
    uint64_t divide; /* TIMES, REGIONAL: denominator */
    const struct price_per *per;
    struct str operation;                     /* GROUP */
    uint32_t id;                              /* see PRICE_ROW_OVERRIDE */
    uint8_t kind, group, meter, tier, target; /* target: AS: meter; GROUP: group */
    bool long_context, estimate;
};

struct price_rows {
    struct price_row *at;
    size_t n, cap;
};

/*
 * Appends the rows of `text`, which is changed in place and must live as long as the rows. False
 * with the fault filled in; the rows then are of no use.
 */
bool price_rows_read(struct price_rows *rows, char *text, size_t n, bool overrides, uint32_t *ret_version,
                     struct price_fault *fault);
void price_rows_free(struct price_rows *rows);

/* The meter's name ("input"); PRICE_METER_STORAGE has one too. */
const char *price_meter_text(unsigned meter);
/* Token meters, whose price may depend on the length of the input. */
bool price_meter_has_context(unsigned meter);
/* "price", "times", … */
const char *price_kind_text(enum price_kind k);
/* Calls and sessions: neither tier, context nor region changes their price. */
bool price_meter_flat(unsigned meter);

#endif
