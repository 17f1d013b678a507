/* SPDX-License-Identifier: Apache-2.0 */
/* One table of columns; every field is read by the function of its column. */
#include "report/upload/upload_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "report/bill/bill.h"
#include "report/bill/bill_decimal.h"
#include "report/upload/csv.h"

#define QUANTITY_MAX INT64_C(100000000000000) /* so that sums of them fit into 64 bits */
#define AMOUNT_MAX 64
#define SENTENCE_MAX 300

/* Columns: name, required. */
#define COLUMN_TABLE(X)                    \
    X(START, "ChargePeriodStart", true)    \
    X(END, "ChargePeriodEnd", false)       \
    X(CHARGE, "ChargeCategory", true)      \
    X(COST, "BilledCost", true)            \
    X(CURRENCY, "BillingCurrency", false)  \
    X(SERVICE, "ServiceName", true)        \
    X(CATEGORY, "ServiceCategory", false)  \
    X(KIND, "ResourceType", false)         \
    X(RESOURCE, "ResourceId", false)       \
    X(ACCOUNT, "SubAccountId", false)      \
    X(REGION, "RegionId", false)           \
    X(QUANTITY, "ConsumedQuantity", false) \
    X(UNIT, "ConsumedUnit", false)         \
    X(TAGS, "Tags", false)

enum column {
#define X(name, text, required) COLUMN_##name,
    COLUMN_TABLE(X)
#undef X
        COLUMN_COUNT
};

static const struct {
    const char *name;
    bool required;
} columns[] = {
#define X(name, text, required) {text, required},
    COLUMN_TABLE(X)
#undef X
};

struct reading {
    struct arena *arena;
    struct upload_faults *faults;
    int at[COLUMN_COUNT]; /* which field is the column; -1 = not there */
    struct str field[COLUMN_COUNT];
    size_t line;
    bool bad; /* this line */
};

/* --- faults ---------------------------------------------------------------------------------- */

static void fault(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct reading *r, const char *format, ...)
{
    struct upload_faults *f = r->faults;
    char text[SENTENCE_MAX];
    va_list args;
    int n = r->line ? snprintf(text, sizeof text, "Row %zu: ", r->line) : 0;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    r->bad = true;
    if (f->count < UPLOAD_FAULTS_MAX) {
        f->text[f->count] = arena_dup(r->arena, str_c(text));
        f->count += f->text[f->count].p != NULL;
    }
    f->total++;
}

/* --- tags ------------------------------------------------------------------------------------ */

struct tag {
    struct str name, value;
};

static int compare_tags(const void *a, const void *b)
{
    return str_cmp(((const struct tag *)a)->name, ((const struct tag *)b)->name);
}

static bool read_tags(struct jval object, struct arena *a, struct tag *tags, size_t *ret_count)
{
    size_t n = 0;
    for (struct jval name = jdoc_first(object); jdoc_has(name); name = jdoc_next(object, name)) {
        struct jval v = jdoc_value(name);
        enum jdoc_kind kind = jdoc_kind(v);
        struct tag t = {arena_dup(a, jdoc_text(name, a)),
                        kind == JDOC_STRING ? arena_dup(a, jdoc_text(v, a)) : arena_dup(a, jdoc_raw(v))};
        if (kind == JDOC_NULL)
            continue;
        if (kind == JDOC_OBJECT || kind == JDOC_ARRAY || n == UPLOAD_TAG_COUNT_MAX || !t.name.n || !t.name.p ||
            !t.value.p)
            return false;
        tags[n++] = t;
    }
    if (n > 1)
        qsort(tags, n, sizeof *tags, compare_tags);
    for (size_t i = 1; i < n; i++)
        if (str_eq(tags[i].name, tags[i - 1].name))
            return false;
    *ret_count = n;
    return true;
}

/* '%' would stand for any text in a filter. */
static bool add_escaped(struct buf *out, struct str json)
{
    bool fits = true;
    for (size_t i = 0; i < json.n && fits; i++)
        fits = json.p[i] == '%' ? buf_add_str(out, STR("\\u0025")) : buf_add_byte(out, json.p[i]);
    return fits;
}

static bool write_tags(const struct tag *tags, size_t count, struct arena *a, struct str *ret)
{
    struct json_write w;
    struct buf plain, out;
    buf_init(&plain, UPLOAD_TAGS_MAX);
    buf_init(&out, UPLOAD_TAGS_MAX);
    json_write_init(&w, &plain);
    json_write_object(&w);
    for (size_t i = 0; i < count; i++) {
        json_write_key(&w, tags[i].name);
        json_write_string(&w, tags[i].value);
    }
    json_write_object_end(&w);
    bool fits = json_write_done(&w) && add_escaped(&out, buf_str(&plain));
    *ret = fits ? arena_dup(a, buf_str(&out)) : (struct str){NULL, 0};
    buf_free(&plain);
    buf_free(&out);
    return ret->p != NULL;
}

bool upload_tags(struct str json, struct arena *a, struct str *ret)
{
    struct tag tags[UPLOAD_TAG_COUNT_MAX];
    struct jdoc doc;
    size_t count = 0;
    jdoc_init(&doc);
    bool ok = json.n <= UPLOAD_TAGS_MAX && utf8_valid(json) && jdoc_parse(&doc, json) &&
              jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT && read_tags(jdoc_root(&doc), a, tags, &count);
    *ret = STR("");
    if (ok && count)
        ok = write_tags(tags, count, a, ret);
    jdoc_free(&doc);
    return ok;
}

/* --- fields ---------------------------------------------------------------------------------- */

/* "2021-01-01", or a point in time, which falls on a day of UTC. */
static bool read_day(struct str text, int64_t *ret)
{
    int64_t us;
    if (text.n < 10 || !clock_parse(text, &us))
        return false;
    *ret = bill_day_of(us);
    return *ret >= 0 && *ret < 100000;
}

static void read_period(struct reading *r, struct bill_upload_row *row)
{
    int64_t end;
    if (!read_day(r->field[COLUMN_START], &row->day))
        fault(r, "ChargePeriodStart must be a date, YYYY-MM-DD");
    else if (r->field[COLUMN_END].n && (!read_day(r->field[COLUMN_END], &end) || end < row->day))
        fault(r, "ChargePeriodEnd must be a date, YYYY-MM-DD, not before ChargePeriodStart");
}

static void read_charge(struct reading *r, struct bill_cost *c)
{
    for (unsigned i = 0; i < BILL_CHARGE_COUNT; i++)
        if (str_eq(r->field[COLUMN_CHARGE], str_c(bill_charge_text((enum bill_charge)i)))) {
            c->charge = (enum bill_charge)i;
            return;
        }
    fault(r, "ChargeCategory must be one of: Credit, Discount, Fee, Refund, Tax, Usage");
}

/* "$1.23", "-$1.23", "$-1.23" */
static void read_cost(struct reading *r, struct bill_cost *c)
{
    char text[AMOUNT_MAX];
    struct str given = r->field[COLUMN_COST];
    size_t n = 0;
    money_sum value;
    bool exact, signs = true;
    for (size_t i = 0; i < given.n && n < sizeof text; i++) {
        bool dollar = given.p[i] == '$';
        signs = signs && !(dollar && (i > 1 || (i == 1 && given.p[0] != '-')));
        if (!dollar)
            text[n++] = given.p[i];
    }
    if (!signs || n == sizeof text || !bill_decimal_read(str_of(text, n), 12, &value, &exact) ||
        value > (money_sum)1000000000 * MONEY_PUSD_PER_USD || value < (money_sum)-1000000000 * MONEY_PUSD_PER_USD) {
        fault(r, "BilledCost must be a number of dollars, such as 1.23 or -$1.23");
        return;
    }
    c->amount = arena_dup(r->arena, str_of(text, n));
    if (!c->amount.p)
        fault(r, "the file is too large");
}

static void read_quantity(struct reading *r, struct bill_cost *c)
{
    money_sum value;
    bool exact;
    c->quantity = r->field[COLUMN_QUANTITY];
    c->unit = c->quantity.n ? r->field[COLUMN_UNIT] : STR("");
    if (c->quantity.n && (!bill_decimal_read(c->quantity, 9, &value, &exact) || value / 1000000000 > QUANTITY_MAX ||
                          value / 1000000000 < -QUANTITY_MAX))
        fault(r, "ConsumedQuantity must be a number");
}

static bool is_text(struct str s)
{
    bool ok = s.n <= UPLOAD_TEXT_MAX && utf8_valid(s);
    for (size_t i = 0; ok && i < s.n; i++)
        ok = (unsigned char)s.p[i] >= ' ' && s.p[i] != 127;
    return ok;
}

static void check_texts(struct reading *r)
{
    for (int i = 0; i < COLUMN_COUNT; i++) {
        if (i != COLUMN_TAGS && !is_text(r->field[i]))
            fault(r, "%s must be plain text of at most %d bytes", columns[i].name, UPLOAD_TEXT_MAX);
        if (columns[i].required && !r->field[i].n)
            fault(r, "%s is required", columns[i].name);
    }
}

static void make_line_item(struct reading *r, struct bill_cost *c)
{
    static const enum column parts[] = {COLUMN_SERVICE, COLUMN_CATEGORY, COLUMN_KIND, COLUMN_REGION};
    struct str tags = STR("");
    struct buf out;
    if (r->field[COLUMN_TAGS].n && !upload_tags(r->field[COLUMN_TAGS], r->arena, &tags)) {
        fault(r, "Tags must be a valid JSON object of plain values, at most %d of them and %d bytes",
              UPLOAD_TAG_COUNT_MAX, UPLOAD_TAGS_MAX);
        return;
    }
    buf_init(&out, sizeof parts / sizeof parts[0] * (UPLOAD_TEXT_MAX + 1) + UPLOAD_TAGS_MAX);
    bool fits = true;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        fits = fits && buf_add_str(&out, r->field[parts[i]]) && buf_add_byte(&out, '\t');
    fits = fits && buf_add_str(&out, tags);
    must(fits);
    c->line_item = arena_dup(r->arena, buf_str(&out));
    buf_free(&out);
    if (!c->line_item.p)
        fault(r, "the file is too large");
}

static void read_row(struct reading *r, const struct csv_record *record, struct bill_upload_row *row)
{
    *row = (struct bill_upload_row){.cost = {.amount = STR("")}};
    r->line = record->line;
    r->bad = false;
    for (int i = 0; i < COLUMN_COUNT; i++)
        r->field[i] = r->at[i] >= 0 && (size_t)r->at[i] < record->count ? str_trim(record->fields[r->at[i]]) : STR("");
    check_texts(r);
    if (r->bad)
        return;
    read_period(r, row);
    read_charge(r, &row->cost);
    read_cost(r, &row->cost);
    if (r->field[COLUMN_CURRENCY].n && !str_eq_nocase(r->field[COLUMN_CURRENCY], STR("USD")))
        fault(r, "BillingCurrency must be USD; other currencies are not converted");
    read_quantity(r, &row->cost);
    row->cost.project = r->field[COLUMN_ACCOUNT];
    row->cost.key = r->field[COLUMN_RESOURCE];
    make_line_item(r, &row->cost);
}

/* --- the file -------------------------------------------------------------------------------- */

static bool read_names(struct reading *r, const struct csv_record *record)
{
    for (int i = 0; i < COLUMN_COUNT; i++) {
        r->at[i] = -1;
        for (size_t n = 0; n < record->count; n++)
            if (str_eq_nocase(str_trim(record->fields[n]), str_c(columns[i].name)))
                r->at[i] = (int)n;
        if (columns[i].required && r->at[i] < 0)
            fault(r, "The first line must name the column %s", columns[i].name);
    }
    return r->faults->total == 0;
}

static void explain(struct reading *r, enum csv_read why, size_t line)
{
    r->line = line;
    if (why == CSV_BAD_QUOTE)
        fault(r, "A quote is not closed, or stands where none may be; write quotes inside a field twice");
    else if (why == CSV_TOO_MANY)
        fault(r, "There are more than %d columns", CSV_FIELDS_MAX);
    else
        fault(r, "The file is too large");
}

static bool read_all(struct reading *r, struct csv *c, struct csv_record *record, struct bill_upload_row *rows,
                     size_t *ret_count)
{
    enum csv_read got = csv_next(c, r->arena, record);
    if (got == CSV_RECORD && !read_names(r, record))
        return false;
    while (got == CSV_RECORD && (got = csv_next(c, r->arena, record)) == CSV_RECORD) {
        if (*ret_count == BILL_UPLOAD_ROWS_MAX) {
            r->line = 0;
            fault(r, "A file has at most %d rows; make several files of it", BILL_UPLOAD_ROWS_MAX);
            return false;
        }
        read_row(r, record, &rows[*ret_count]);
        *ret_count += 1;
    }
    if (got != CSV_END)
        explain(r, got, record->line);
    r->line = 0;
    if (got == CSV_END && !*ret_count)
        fault(r, "The file has no rows");
    return r->faults->total == 0;
}

bool upload_read(struct str file, struct arena *a, struct bill_upload_row **ret, size_t *ret_count,
                 struct upload_faults *ret_faults)
{
    struct reading r = {.arena = a, .faults = ret_faults};
    struct csv c;
    *ret_faults = (struct upload_faults){.count = 0};
    *ret_count = 0;
    *ret = NULL;
    if (file.n > UPLOAD_BYTES_MAX) {
        fault(&r, "A file has at most 2 MB; make several files of it");
        return false;
    }
    struct csv_record *record = mem_alloc(sizeof *record);
    *ret = arena_alloc(a, BILL_UPLOAD_ROWS_MAX * sizeof **ret);
    csv_init(&c, file);
    bool ok = *ret && read_all(&r, &c, record, *ret, ret_count);
    if (!*ret)
        fault(&r, "The file is too large");
    mem_free(record);
    return ok;
}
