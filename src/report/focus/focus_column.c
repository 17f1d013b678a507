/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One small function a column writes the cell's text; nothing written is an empty cell, which is what FOCUS wants for
 * null. Quotes, and the guard against formulas, are put on here and nowhere else.
 */
#include "report/focus/focus_column.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/version.h"
#include "report/focus/focus_row.h"

#define CELL_MAX (64u << 10)
#define GENERATOR "Tollgate"
#define SCALE 24     /* digits behind the point that a decimal may have */
#define PRECISION 38 /* all its digits */

enum level { LEVEL_MANDATORY, LEVEL_CONDITIONAL, LEVEL_RECOMMENDED, LEVEL_OWN };
enum type { TYPE_STRING, TYPE_DECIMAL, TYPE_DATETIME, TYPE_JSON };

/* --- cells ----------------------------------------------------------------------------------- */

typedef bool fill_fn(const struct focus_run *r, const struct focus_row *row, struct buf *out);

#define TEXT(function, text)                                                                             \
    static bool fill_##function(const struct focus_run *r, const struct focus_row *row, struct buf *out) \
    {                                                                                                    \
        (void)r;                                                                                         \
        (void)row;                                                                                       \
        return buf_add_str(out, text);                                                                   \
    }

TEXT(none, STR(""))
TEXT(usd, STR("USD"))
TEXT(account_id, row->account_id)
TEXT(account_name, row->account_name)
TEXT(account_type, row->account_type)
TEXT(sub_account_id, row->sub_id)
TEXT(sub_account_name, row->sub_id.n ? (row->sub_name.n ? row->sub_name : row->sub_id) : STR(""))
TEXT(sub_account_type, row->sub_id.n ? row->sub_type : STR(""))
TEXT(resource_id, row->resource_id)
TEXT(resource_name, row->resource_id.n ? row->resource_name : STR(""))
TEXT(resource_type, row->resource_id.n ? STR("API Key") : STR(""))
TEXT(provider, row->provider)
TEXT(host, row->host)
TEXT(region, row->region)
TEXT(service_category, row->category)
TEXT(service_name, row->service)
TEXT(service_subcategory, row->subcategory)
TEXT(description, row->description)
TEXT(charge_class, row->correction ? STR("Correction") : STR(""))
TEXT(charge_frequency, row->charge == FOCUS_CHARGE_USAGE ? STR("Usage-Based") : STR("One-Time"))
TEXT(pricing_category, row->measured ? STR("Standard") : STR(""))
TEXT(pricing_unit, row->measured ? row->unit : STR(""))
TEXT(consumed_unit, row->consumed ? row->used_unit : STR(""))
TEXT(sku_id, row->sku)
TEXT(sku_meter, row->sku.n ? row->meter : STR(""))
TEXT(sku_price_id, row->sku_price)
TEXT(sku_price_details, row->sku_price.n ? row->details : STR(""))
TEXT(tags, row->tags)
TEXT(credential, row->key)
TEXT(ledger, row->ledger)
TEXT(line_item, row->line_item)
TEXT(price_source, row->priced ? row->price_source : STR(""))
TEXT(status, row->state)
#undef TEXT

/* v × 10^-places, with all its digits and no more. */
static bool add_decimal(struct buf *out, __int128 v, unsigned places)
{
    char digits[48];
    size_t n = 0, end = 0;
    unsigned __int128 rest = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    for (; rest || n <= places; rest /= 10)
        digits[n++] = (char)('0' + (int)(rest % 10));
    while (end < places && digits[end] == '0')
        end++;
    bool ok = v >= 0 || buf_add_byte(out, '-');
    for (size_t i = n; ok && i-- > end;)
        ok = buf_add_byte(out, digits[i]) && (i != places || i == end || buf_add_byte(out, '.'));
    return ok;
}

#define DECIMAL(function, value, places, has)                                                            \
    static bool fill_##function(const struct focus_run *r, const struct focus_row *row, struct buf *out) \
    {                                                                                                    \
        (void)r;                                                                                         \
        return !(has) || add_decimal(out, value, places);                                                \
    }

DECIMAL(billed_cost, row->billed, 24, true)
DECIMAL(effective_cost, row->effective, 24, true)
DECIMAL(contracted_cost, row->contracted, 24, true)
DECIMAL(list_cost, row->list, 24, true)
DECIMAL(contracted_price, row->contracted_price, 24, row->priced)
DECIMAL(list_price, row->list_price, 24, row->priced)
DECIMAL(pricing_quantity, row->quantity, 15, row->measured)
DECIMAL(consumed_quantity, row->used, 12, row->consumed)
DECIMAL(metered_cost, row->metered, 12, row->has_metered)
DECIMAL(metered_tokens, row->metered_quantity, 12,
        row->has_metered && row->metered_quantity && str_eq(row->used_unit, STR("Tokens")))
#undef DECIMAL

static bool fill_requests(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    (void)r;
    return !row->has_metered || buf_printf(out, "%llu", (unsigned long long)row->requests);
}

static bool fill_charge_category(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    static const char *const texts[] = {
#define X(name, text) text,
        FOCUS_CHARGE_TABLE(X)
#undef X
    };
    (void)r;
    return buf_add_str(out, str_c(texts[row->charge]));
}

static bool add_day(struct buf *out, int64_t day)
{
    char text[CLOCK_TEXT_MAX];
    return buf_add_str(out, str_of(text, clock_format(bill_day_us(day), 0, text)));
}

static bool fill_day_start(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    (void)r;
    return add_day(out, row->day);
}

static bool fill_day_end(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    (void)r;
    return add_day(out, row->day + 1);
}

static bool fill_month_start(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    (void)r;
    return add_day(out, bill_month_day(bill_month_of(row->day)));
}

static bool fill_month_end(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    (void)r;
    return add_day(out, bill_month_day(bill_month_of(row->day) + 1));
}

static bool fill_generated_at(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    char text[CLOCK_TEXT_MAX];
    (void)row;
    return buf_add_str(out, str_of(text, clock_format(r->q->now_us, 0, text)));
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum focus_version since, until;
    enum level level;
    enum type type;
    fill_fn *fill;
} columns[] = {
#define X(name, since, until, level, type, fill) \
    {#name, FOCUS_##since, FOCUS_##until, LEVEL_##level, TYPE_##type, fill_##fill},
    FOCUS_COLUMN_TABLE(X)
#undef X
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static bool is_in(size_t i, enum focus_version v)
{
    return v >= columns[i].since && v <= columns[i].until;
}

bool focus_column_names(enum focus_version v, struct buf *out)
{
    bool ok = true, first = true;
    for (size_t i = 0; ok && i < COLUMNS; i++) {
        if (!is_in(i, v))
            continue;
        ok = (first || buf_add_byte(out, ',')) && buf_add_str(out, str_c(columns[i].name));
        first = false;
    }
    return ok && buf_add_byte(out, '\n');
}

/* --- a line ---------------------------------------------------------------------------------- */

/* A text that a spreadsheet would take for a formula gets an apostrophe; numbers, dates and JSON never begin so. */
static bool add_cell(struct buf *out, struct str text, enum type type)
{
    bool formula = type == TYPE_STRING && text.n && strchr("=+-@\t\r", text.p[0]), quote = false;
    for (size_t i = 0; i < text.n; i++)
        quote |= text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\n' || text.p[i] == '\r';
    bool ok = (!quote || buf_add_byte(out, '"')) && (!formula || buf_add_byte(out, '\''));
    for (size_t i = 0; ok && i < text.n; i++)
        ok = (text.p[i] != '"' || buf_add_byte(out, '"')) && buf_add_byte(out, text.p[i]);
    return ok && (!quote || buf_add_byte(out, '"'));
}

bool focus_column_line(const struct focus_run *r, const struct focus_row *row, struct buf *out)
{
    struct buf cell;
    bool ok = true, first = true;
    buf_init(&cell, CELL_MAX);
    for (size_t i = 0; ok && i < COLUMNS; i++) {
        if (!is_in(i, r->q->version))
            continue;
        buf_reset(&cell);
        ok = (first || buf_add_byte(out, ',')) && columns[i].fill(r, row, &cell) &&
             add_cell(out, buf_str(&cell), columns[i].type);
        first = false;
    }
    buf_free(&cell);
    return ok && buf_add_byte(out, '\n');
}

/* --- metadata -------------------------------------------------------------------------------- */

static void write_column(struct json_write *w, size_t i)
{
    static const char *const types[] = {"STRING", "DECIMAL", "DATETIME", "JSON"};
    json_write_object(w);
    json_write_member_string(w, "ColumnName", str_c(columns[i].name));
    json_write_member_string(w, "DataType", str_c(types[columns[i].type]));
    if (columns[i].type == TYPE_DECIMAL) {
        json_write_member_int(w, "NumericPrecision", PRECISION);
        json_write_member_int(w, "NumberScale", SCALE);
    }
    if (columns[i].type == TYPE_STRING || columns[i].type == TYPE_JSON) {
        json_write_member_int(w, "StringMaxLength", CELL_MAX);
        json_write_member_string(w, "StringEncoding", STR("UTF-8"));
    }
    json_write_object_end(w);
}

bool focus_metadata(enum focus_version version, enum focus_ledger ledger, int64_t made_us, struct buf *out)
{
    struct json_write w;
    char id[64], at[CLOCK_TEXT_MAX];
    snprintf(id, sizeof id, "tollgate-cost-and-usage-%s-%s", focus_version_text(version), focus_ledger_text(ledger));
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "DataGenerator", STR(GENERATOR));
    json_write_member_string(&w, "SchemaId", str_c(id));
    json_write_member_string(&w, "FocusVersion", str_c(focus_version_text(version)));
    json_write_member_string(&w, "CreationDate", str_of(at, clock_format(made_us, 0, at)));
    json_write_member_string(&w, "DataGeneratorVersion", STR(TOLLGATE_VERSION));
    json_write_member_string(&w, "x_Ledger", str_c(focus_ledger_text(ledger)));
    json_write_key(&w, STR("ColumnDefinition"));
    json_write_array(&w);
    for (size_t i = 0; i < COLUMNS; i++)
        if (is_in(i, version))
            write_column(&w, i);
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w);
}
