/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a price file. Each kind of row has a set of columns it may and must fill (the table
 * `kinds`); then each column has one reader, and each kind one check of its own. After the last
 * line the rows are compared in order of their keys, so that overlapping periods stand side by side.
 *
 * A column with alternatives ("1024x1024|default") makes one row for each, so that an override may
 * replace a single one of them.
 */
#include "openai/price_rows.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/money.h"
#include "base/must.h"

#define COLUMNS "kind,model,operation,meter,tier,context,quality,size,from,to,value,per,basis,note"

enum column {
    KIND,
    MODEL,
    OPERATION,
    METER,
    TIER,
    CONTEXT,
    QUALITY,
    SIZE,
    FROM,
    TO,
    VALUE,
    PER,
    BASIS,
    NOTE,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {"kind",    "model",   "operation", "meter", "tier",
                                                       "context", "quality", "size",      "from",  "to",
                                                       "value",   "per",     "basis",     "note"};

#define BIT(column) (1u << (column))
#define PERIOD (BIT(FROM) | BIT(TO))

static const struct kind_info {
    const char *text;
    unsigned required, allowed;
} kinds[PRICE_KIND_COUNT] = {
    [PRICE_KIND_PRICE] = {"price", BIT(MODEL) | BIT(METER) | BIT(VALUE) | BIT(PER),
                          BIT(OPERATION) | BIT(TIER) | BIT(CONTEXT) | BIT(QUALITY) | BIT(SIZE) | BIT(BASIS) | PERIOD},
    [PRICE_KIND_TIMES] = {"times", BIT(MODEL) | BIT(METER) | BIT(VALUE),
                          BIT(OPERATION) | BIT(TIER) | BIT(CONTEXT) | PERIOD},
    [PRICE_KIND_REGIONAL] = {"regional", BIT(MODEL) | BIT(VALUE), BIT(OPERATION) | PERIOD},
    [PRICE_KIND_THRESHOLD] = {"threshold", BIT(MODEL) | BIT(CONTEXT) | BIT(VALUE) | BIT(PER), BIT(OPERATION) | PERIOD},
    [PRICE_KIND_AS] = {"as", BIT(MODEL) | BIT(METER) | BIT(VALUE), BIT(OPERATION)},
    [PRICE_KIND_GROUP] = {"group", BIT(OPERATION) | BIT(VALUE), 0},
    [PRICE_KIND_ALIAS] = {"alias", BIT(MODEL) | BIT(VALUE), 0},
};

static const struct price_per pers[] = {
    {"1000000 tokens", "tokens", 1000000, false},
    {"1000 tokens", "tokens", 1000, false},
    {"1000000 characters", "characters", 1000000, false},
    {"1000 characters", "characters", 1000, false},
    {"1000 calls", "calls", 1000, false},
    {"1 call", "calls", 1, false},
    {"1 session", "sessions", 1, false},
    {"1 image", "images", 1, false},
    {"second", "milliseconds", 1000, false},
    {"minute", "milliseconds", 60000, false},
    {"hour", "milliseconds", 3600000, false},
    {"second in whole seconds", "milliseconds", 1, true},
    {"minute in whole seconds", "milliseconds", 60, true},
    {"gb_day", "gb_days", 1, false},
};

static const char *const meter_texts[] = {
#define X(name, text, unit, what) text,
    METER_TABLE(X)
#undef X
        "storage",
};
static const char *const meter_units[] = {
#define X(name, text, unit, what) unit,
    METER_TABLE(X)
#undef X
        "gb_days",
};

const char *price_meter_text(unsigned meter)
{
    must(meter <= PRICE_METER_STORAGE);
    return meter_texts[meter];
}

const char *price_kind_text(enum price_kind k)
{
    must(k < PRICE_KIND_COUNT);
    return kinds[k].text;
}

bool price_meter_flat(unsigned meter)
{
    return meter == METER_WEB_SEARCH || meter == METER_FILE_SEARCH || meter == METER_CODE_SESSION ||
           meter == PRICE_METER_STORAGE;
}

bool price_meter_has_context(unsigned meter)
{
    return meter <= METER_IMAGE_OUTPUT;
}

/* Index of `word`, or -1. */
static int find_word(struct str word, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (str_eq(word, str_c(words[i])))
            return i;
    return -1;
}

static bool read_kind(struct price_csv *c, const struct str *f, struct price_row *row)
{
    unsigned filled = 0;
    int kind = PRICE_KIND_COUNT;
    while (kind-- > 0)
        if (str_eq(f[KIND], str_c(kinds[kind].text)))
            break;
    if (kind < 0)
        return price_csv_fail(c, "'%.*s' is no kind of row", STR_ARG(str_head(f[KIND], 40)));
    row->kind = (uint8_t)kind;
    for (int i = MODEL; i < NOTE; i++)
        filled |= f[i].n ? BIT(i) : 0;
    for (int i = MODEL; i < NOTE; i++) {
        if (filled & BIT(i) & ~(kinds[kind].required | kinds[kind].allowed))
            return price_csv_fail(c, "%s rows have no %s", kinds[kind].text, column_names[i]);
        if (~filled & kinds[kind].required & BIT(i))
            return price_csv_fail(c, "%s rows need a %s", kinds[kind].text, column_names[i]);
    }
    return true;
}

static bool read_model(struct price_csv *c, const struct str *f, struct price_row *row)
{
    if (f[MODEL].n > PRICE_MODEL_MAX)
        return price_csv_fail(c, "the model id is longer than %d bytes", PRICE_MODEL_MAX);
    row->model = f[MODEL];
    return true;
}

static int group_of_word(struct str word)
{
    static const char *const words[PRICE_GROUP_COUNT] = {
#define X(name, text) text,
        PRICE_GROUP_TABLE(X)
#undef X
    };
    int g = find_word(word, words, PRICE_GROUP_COUNT);
    return g == PRICE_GROUP_UNKNOWN ? -1 : g;
}

static bool read_group(struct price_csv *c, const struct str *f, struct price_row *row)
{
    row->group = PRICE_ANY;
    row->operation = f[OPERATION];
    if (row->kind == PRICE_KIND_GROUP) {
        int target = group_of_word(f[VALUE]);
        if (target < 0)
            return price_csv_fail(c, "'%.*s' is no group of operations", STR_ARG(str_head(f[VALUE], 40)));
        row->target = (uint8_t)target;
        return true;
    }
    if (!f[OPERATION].n)
        return true;
    int group = group_of_word(f[OPERATION]);
    if (group < 0 || group == PRICE_GROUP_FREE)
        return price_csv_fail(c, "'%.*s' is no group of operations with prices", STR_ARG(str_head(f[OPERATION], 40)));
    row->group = (uint8_t)group;
    return true;
}

static bool read_meter(struct price_csv *c, const struct str *f, struct price_row *row)
{
    row->meter = PRICE_ANY;
    if (!f[METER].n || (row->kind == PRICE_KIND_TIMES && str_eq(f[METER], STR("*"))))
        return true;
    int meter = find_word(f[METER], meter_texts, PRICE_METER_STORAGE + 1);
    if (meter < 0)
        return price_csv_fail(c, "'%.*s' is no meter", STR_ARG(str_head(f[METER], 40)));
    row->meter = (uint8_t)meter;
    return true;
}

static bool read_tier(struct price_csv *c, const struct str *f, struct price_row *row)
{
    static const char *const words[PRICE_TIER_COUNT] = {
#define X(name, text) text,
        PRICE_TIER_TABLE(X)
#undef X
    };
    int tier = f[TIER].n ? find_word(f[TIER], words, PRICE_TIER_UNKNOWN) : PRICE_TIER_STANDARD;
    if (tier < 0)
        return price_csv_fail(c, "'%.*s' is no service tier", STR_ARG(str_head(f[TIER], 40)));
    row->tier = (uint8_t)tier;
    if (str_eq(f[CONTEXT], STR("long")))
        row->long_context = true;
    else if (f[CONTEXT].n && !str_eq(f[CONTEXT], STR("short")))
        return price_csv_fail(c, "the context is 'short' or 'long', not '%.*s'", STR_ARG(str_head(f[CONTEXT], 40)));
    return true;
}

static bool read_period(struct price_csv *c, const struct str *f, struct price_row *row)
{
    row->from_us = INT64_MIN;
    row->to_us = INT64_MAX;
    if (f[FROM].n && !clock_parse(f[FROM], &row->from_us))
        return price_csv_fail(c, "'%.*s' is no date", STR_ARG(str_head(f[FROM], 40)));
    if (f[TO].n && !clock_parse(f[TO], &row->to_us))
        return price_csv_fail(c, "'%.*s' is no date", STR_ARG(str_head(f[TO], 40)));
    if (row->from_us >= row->to_us)
        return price_csv_fail(c, "the period ends before it begins");
    return true;
}

static bool check_price(struct price_csv *c, const struct str *f, struct price_row *row)
{
    const char *unit = meter_units[row->meter];
    for (size_t i = 0; i < sizeof pers / sizeof *pers; i++)
        if (str_eq(f[PER], str_c(pers[i].text)))
            row->per = &pers[i];
    if (!row->per)
        return price_csv_fail(c, "'%.*s' is no unit of price", STR_ARG(str_head(f[PER], 40)));
    if (strcmp(row->per->unit, unit) != 0)
        return price_csv_fail(c, "%s is counted in %s, not priced per %s", meter_texts[row->meter], unit,
                              row->per->text);
    if (!money_parse(f[VALUE], &row->amount))
        return price_csv_fail(c, "'%.*s' is no amount of dollars", STR_ARG(str_head(f[VALUE], 40)));
    if (row->amount < 0 || row->amount > INT64_C(1000000) * MONEY_PUSD_PER_USD)
        return price_csv_fail(c, "a price is between 0 and 1000000");
    if (row->long_context && !price_meter_has_context(row->meter))
        return price_csv_fail(c, "%s has no long context", meter_texts[row->meter]);
    if (row->tier != PRICE_TIER_STANDARD && price_meter_flat(row->meter))
        return price_csv_fail(c, "%s has no service tiers", meter_texts[row->meter]);
    bool quality = row->meter == METER_IMAGES || row->meter == METER_VIDEO_MS || row->meter == METER_AUDIO_MS ||
                   row->meter == METER_WEB_SEARCH;
    bool size = row->meter == METER_IMAGES || row->meter == METER_VIDEO_MS || row->meter == METER_CODE_SESSION;
    if ((f[QUALITY].n && !quality) || (f[SIZE].n && !size))
        return price_csv_fail(c, "%s has no such quality or size", meter_texts[row->meter]);
    row->estimate = str_eq(f[BASIS], STR("estimate"));
    if (f[BASIS].n && !row->estimate && !str_eq(f[BASIS], STR("list")))
        return price_csv_fail(c, "the basis is 'list' or 'estimate', not '%.*s'", STR_ARG(str_head(f[BASIS], 40)));
    return true;
}

/* A factor as a small fraction, so that three of them and a price multiply without overflow. */
static bool check_factor(struct price_csv *c, const struct str *f, struct price_row *row)
{
    int64_t pusd;
    const int64_t step = MONEY_PUSD_PER_USD / 10000;
    if (!money_parse(f[VALUE], &pusd) || pusd % step)
        return price_csv_fail(c, "'%.*s' is no factor with at most 4 decimals", STR_ARG(str_head(f[VALUE], 40)));
    if (pusd <= 0 || pusd > 100 * MONEY_PUSD_PER_USD)
        return price_csv_fail(c, "a factor is above 0 and at most 100");
    row->amount = pusd / step;
    row->divide = 10000;
    for (uint64_t d = 10; d > 1; d--)
        while (row->divide % d == 0 && row->amount % (int64_t)d == 0) {
            row->divide /= d;
            row->amount /= (int64_t)d;
        }
    if (row->kind == PRICE_KIND_TIMES && row->long_context == (row->tier != PRICE_TIER_STANDARD))
        return price_csv_fail(c, "a times row is for a service tier or for the long context, one of the two");
    if (row->kind == PRICE_KIND_TIMES && row->meter != PRICE_ANY && price_meter_flat(row->meter))
        return price_csv_fail(c, "%s has neither tiers nor context", meter_texts[row->meter]);
    return true;
}

static bool check_threshold(struct price_csv *c, const struct str *f, struct price_row *row)
{
    uint64_t tokens;
    if (!str_to_u64(f[VALUE], &tokens) || tokens == 0 || tokens > UINT64_C(1000000000000))
        return price_csv_fail(c, "'%.*s' is no number of tokens", STR_ARG(str_head(f[VALUE], 40)));
    if (!row->long_context || !str_eq(f[PER], STR("tokens")))
        return price_csv_fail(c, "a threshold is for the context 'long' and counts 'tokens'");
    row->amount = (int64_t)tokens;
    return true;
}

static bool check_as(struct price_csv *c, const struct str *f, struct price_row *row)
{
    int target = find_word(f[VALUE], meter_texts, METER_COUNT);
    if (target < 0 || target == row->meter || strcmp(meter_units[target], meter_units[row->meter]) != 0)
        return price_csv_fail(c, "'%.*s' is no other meter of the same unit", STR_ARG(str_head(f[VALUE], 40)));
    if (!str_eq(row->model, STR("*")))
        return price_csv_fail(c, "an as row holds for all models: its model is '*'");
    row->target = (uint8_t)target;
    return true;
}

static bool check_alias(struct price_csv *c, const struct str *f, const struct price_row *row)
{
    if (f[VALUE].n > PRICE_MODEL_MAX || str_eq(row->model, f[VALUE]) || str_eq(row->model, STR("*")) ||
        str_eq(f[VALUE], STR("*")))
        return price_csv_fail(c, "an alias names another model");
    return true;
}

static bool check_row(struct price_csv *c, const struct str *f, struct price_row *row)
{
    switch ((enum price_kind)row->kind) {
    case PRICE_KIND_PRICE:
        return check_price(c, f, row);
    case PRICE_KIND_TIMES:
    case PRICE_KIND_REGIONAL:
        return check_factor(c, f, row);
    case PRICE_KIND_THRESHOLD:
        return check_threshold(c, f, row);
    case PRICE_KIND_AS:
        return check_as(c, f, row);
    case PRICE_KIND_ALIAS:
        return check_alias(c, f, row);
    case PRICE_KIND_GROUP:
    case PRICE_KIND_COUNT:
        break;
    }
    return true;
}

static bool append(struct price_csv *c, struct price_rows *rows, size_t base, const struct price_row *row)
{
    if (rows->n - base >= PRICE_ROWS_MAX)
        return price_csv_fail(c, "more than %d rows", PRICE_ROWS_MAX);
    if (rows->n == rows->cap) {
        rows->cap *= 2;
        rows->at = mem_realloc(rows->at, rows->cap * sizeof *rows->at);
    }
    rows->at[rows->n++] = *row;
    return true;
}

/* One row for each quality and size of the line. */
static bool append_each(struct price_csv *c, const struct str *f, struct price_rows *rows, size_t base,
                        struct price_row *row)
{
    struct str qualities = f[QUALITY];
    while (str_split(&qualities, '|', &row->quality)) {
        struct str sizes = f[SIZE];
        while (str_split(&sizes, '|', &row->size)) {
            if ((f[QUALITY].n && !row->quality.n) || (f[SIZE].n && !row->size.n))
                return price_csv_fail(c, "an alternative is empty");
            if (!append(c, rows, base, row))
                return false;
        }
    }
    return true;
}

static bool read_row(struct price_csv *c, const struct str *f, struct price_row *row)
{
    return read_kind(c, f, row) && read_model(c, f, row) && read_group(c, f, row) && read_meter(c, f, row) &&
           read_tier(c, f, row) && read_period(c, f, row) && check_row(c, f, row);
}

/* Order of keys; rows with the same key are told apart by `from` only. */
static int compare_keys(const struct price_row *a, const struct price_row *b)
{
    int d = str_cmp(a->model, b->model);
    if (!d)
        d = a->kind - b->kind;
    if (!d && a->kind == PRICE_KIND_GROUP)
        d = str_cmp(a->operation, b->operation);
    if (!d)
        d = a->group - b->group;
    if (!d)
        d = a->meter - b->meter;
    if (!d)
        d = a->tier - b->tier;
    if (!d)
        d = a->long_context - b->long_context;
    if (!d)
        d = str_cmp(a->quality, b->quality);
    return d ? d : str_cmp(a->size, b->size);
}

static int compare_rows(const void *pa, const void *pb)
{
    const struct price_row *a = *(const struct price_row *const *)pa, *b = *(const struct price_row *const *)pb;
    int d = compare_keys(a, b);
    if (!d)
        d = (a->from_us > b->from_us) - (a->from_us < b->from_us);
    return d ? d : (a->id > b->id) - (a->id < b->id);
}

/* Two rows for one thing at one time: which one is meant? */
static bool check_overlap(struct price_csv *c, const struct price_row *rows, size_t n)
{
    const struct price_row **order = mem_alloc((n + 1) * sizeof *order);
    bool good = true;
    for (size_t i = 0; i < n; i++)
        order[i] = &rows[i];
    qsort(order, n, sizeof *order, compare_rows);
    for (size_t i = 1; i < n && good; i++) {
        const struct price_row *a = order[i - 1], *b = order[i];
        if (compare_keys(a, b) != 0 || b->from_us >= a->to_us)
            continue;
        unsigned one = a->id & ~PRICE_ROW_OVERRIDE, two = b->id & ~PRICE_ROW_OVERRIDE;
        c->line = one > two ? one : two;
        good = price_csv_fail(c, "line %u is for the same thing at the same time", one > two ? two : one);
    }
    mem_free(order);
    return good;
}

bool price_rows_read(struct price_rows *rows, char *text, size_t n, bool overrides, uint32_t *ret_version,
                     struct price_fault *fault)
{
    struct price_csv c;
    struct str f[COLUMN_COUNT];
    size_t base = rows->n;
    int more;
    if (!rows->at) {
        rows->cap = 1024;
        rows->at = mem_alloc(rows->cap * sizeof *rows->at);
    }
    price_csv_init(&c, overrides ? "overrides" : "prices", text, n, fault);
    if (!price_csv_version(&c, "prices", !overrides, ret_version) || !price_csv_header(&c, COLUMNS))
        return false;
    while ((more = price_csv_next(&c, f, COLUMN_COUNT)) > 0) {
        struct price_row row = {.id = c.line | (overrides ? PRICE_ROW_OVERRIDE : 0)};
        if (!read_row(&c, f, &row))
            return false;
        row.qualities = f[QUALITY];
        row.sizes = f[SIZE];
        row.value_text = f[VALUE];
        row.note = f[NOTE];
        if (!append_each(&c, f, rows, base, &row))
            return false;
    }
    return more == 0 && check_overlap(&c, rows->at + base, rows->n - base);
}

void price_rows_free(struct price_rows *rows)
{
    mem_free(rows->at);
    *rows = (struct price_rows){0};
}
