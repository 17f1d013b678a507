/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_FOCUS_FOCUS_ROW_H
#define REPORT_FOCUS_FOCUS_ROW_H

/*
 * focus_row: one charge, before it is columns. What the files behind focus.h share.
 *
 *   focus_write    periods, connections, days, the lines of the file
 *   focus_billed   rows of a day of an account of bill.db
 *   focus_metered  rows of a day of ledger.db
 *   focus_price    quantities and prices
 *   focus_name     what services, meters and skus are called
 *   focus_match    filters and tags of one row
 *   focus_column   a row as cells; the metadata
 *
 * Texts are views that live until the row has been written.
 */

#include "base/arena.h"
#include "report/bill/bill.h"
#include "report/focus/focus.h"
#include "store/sqlite.h"

struct reconcile_book;

/* Columns: name, text. */
#define FOCUS_CHARGE_TABLE(X) \
    X(USAGE, "Usage")         \
    X(PURCHASE, "Purchase")   \
    X(TAX, "Tax")             \
    X(CREDIT, "Credit")       \
    X(ADJUSTMENT, "Adjustment")

enum focus_charge {
#define X(name, text) FOCUS_CHARGE_##name,
    FOCUS_CHARGE_TABLE(X)
#undef X
        FOCUS_CHARGE_COUNT
};

/* Quantities of pricing units are in 10^-15, so that a billionth of a token is a whole number of millions. */
#define FOCUS_QUANTITY_ONE INT64_C(1000000000000000)

struct focus_row {
    int64_t day;
    enum focus_charge charge;
    bool correction;

    struct str account_id, account_name, account_type;
    struct str sub_id, sub_name, sub_type;
    struct str resource_id, resource_name;
    struct str provider, host; /* who sells it; on whose machines */
    struct str region;
    struct str service, category, subcategory; /* as FOCUS has them */
    struct str description;
    struct str sku, sku_price, meter, details; /* details: JSON */
    struct str tags;                           /* JSON; "" = none */

    cost_sum billed, effective, contracted, list;
    bool priced; /* both prices are known, by the pricing unit */
    cost_sum contracted_price, list_price;
    bool measured;
    __int128 quantity; /* of pricing units, 10^-15 */
    struct str unit;
    bool consumed;
    money_sum used; /* of consumed units, 10^-12 */
    struct str used_unit;

    /* Ours. */
    struct str ledger, line_item, key, price_source, state;
    bool has_metered;
    money_sum metered, metered_quantity; /* pico-dollars; 10^-12 of the consumed unit */
    uint64_t requests;
};

/* One run. */
struct focus_run {
    const struct focus_query *q;
    struct cost_error *error;
    struct arena *day; /* reset after each day */
    struct arena *row; /* reset after each row */
    struct match *match;
    struct reconcile_book *book;
    focus_sink *sink;
    void *context;
    struct buf line;
    struct focus_done done;
    uint64_t skipped;
    bool enough; /* the limit has been reached */
};

/* Adds a row to the file. Fills in tags and passes over what the filters do not let through. */
struct focus_subject;
enum err focus_put(struct focus_run *r, struct focus_row *row, struct focus_subject *s) ERR_USE;
enum err focus_no_room(struct focus_run *r) ERR_USE;

/* All rows of a day. */
enum err focus_billed_day(struct focus_run *r, struct store_db *db, const struct bill_account *account,
                          int64_t day) ERR_USE;
enum err focus_metered_day(struct focus_run *r, struct store_db *db, int64_t day) ERR_USE;

/* --- prices ---------------------------------------------------------------------------------- */

/*
 * From what was used (used, used_unit) and what it costs (row->contracted): pricing unit and quantity, both unit
 * prices and the list cost. `list_known`: `list_num` ÷ `list_den` is the list price of 10^-12 of a used unit, in
 * 10^-24 dollars.
 */
struct focus_list {
    bool known;
    __int128 num, den;
};
void focus_price(struct focus_row *row, const struct focus_list *list);
/* Of a charge that has no quantity: it is one of itself. */
void focus_price_one(struct focus_row *row);

/* --- names ----------------------------------------------------------------------------------- */

/* Views in the arena; "" when that is full. */
void focus_name_service(struct focus_row *row, struct str service, struct arena *a);
struct focus_sku {
    struct str model;       /* as billed, with its date; the product where there is no model */
    struct str short_model; /* without the date; "" = none */
    struct str subcategory; /* "cached input" */
    struct str tier;        /* "", "priority", "batch" … */
    struct str unit;        /* "Tokens" */
    struct str developer;   /* "OpenAI"; "" unknown */
};
void focus_name_sku(struct focus_row *row, const struct focus_sku *sku, struct arena *a);

/* --- filters and tags ------------------------------------------------------------------------ */

struct focus_tag_pair {
    struct str key, value;
};
struct focus_subject {
    int64_t day;
    struct str fields[VQL_FIELD_COUNT];
    struct str model_short;
    const struct focus_tag_pair *own; /* of a file */
    size_t own_count;
};
/* Whether all filters let it through; and its tags, as JSON in the arena ("" = none). ERR_OVERLOADED: no room. */
enum err focus_match(const struct focus_query *q, const struct focus_subject *s, struct arena *a, bool *ret_passes,
                     struct str *ret_tags) ERR_USE;

/* --- columns --------------------------------------------------------------------------------- */

/* The line of names; a row as a line; both with their line end. False when `out` is full. */
bool focus_column_names(enum focus_version v, struct buf *out) __attribute__((warn_unused_result));
bool focus_column_line(const struct focus_run *r, const struct focus_row *row, struct buf *out)
    __attribute__((warn_unused_result));

#endif
