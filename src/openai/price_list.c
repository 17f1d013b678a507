/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings, and the reader of models.csv: one line a model, nothing in it decides a price. A model
 * may be listed without a price (so that it is known to be unpriced) and priced without being
 * listed (an override for a model of the user's own).
 */
#include "openai/price_list.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "openai/price_catalog.h"

#define COLUMNS "model,operations,input,output,context_window,max_output,released,shutdown_on,note"

enum column { MODEL, OPERATIONS, INPUT, OUTPUT, CONTEXT_WINDOW, MAX_OUTPUT, RELEASED, SHUTDOWN_ON, NOTE, COLUMN_COUNT };

enum { MODELS_MAX = 20000 };

static bool read_tokens(struct price_csv *c, struct str text, uint64_t *ret_tokens)
{
    *ret_tokens = 0;
    if (!text.n || str_to_u64(text, ret_tokens))
        return true;
    return price_csv_fail(c, "'%.*s' is no number of tokens", STR_ARG(str_head(text, 40)));
}

static bool read_date(struct price_csv *c, struct str text, int64_t *ret_us)
{
    *ret_us = PRICE_LIST_NO_DATE;
    if (!text.n || clock_parse(text, ret_us))
        return true;
    return price_csv_fail(c, "'%.*s' is no date", STR_ARG(str_head(text, 40)));
}

static bool read_model(struct price_csv *c, const struct str *f, struct price_model *m)
{
    if (!f[MODEL].n || f[MODEL].n > PRICE_MODEL_MAX)
        return price_csv_fail(c, "a model id has 1 to %d bytes", PRICE_MODEL_MAX);
    m->id = f[MODEL];
    m->operations = f[OPERATIONS];
    m->input = f[INPUT];
    m->output = f[OUTPUT];
    m->note = f[NOTE];
    return read_tokens(c, f[CONTEXT_WINDOW], &m->context_window) && read_tokens(c, f[MAX_OUTPUT], &m->max_output) &&
           read_date(c, f[RELEASED], &m->released_us) && read_date(c, f[SHUTDOWN_ON], &m->shutdown_us);
}

/* Two passes would read the text twice; lines are an upper bound that is good enough. */
static size_t count_lines(const char *text, size_t n)
{
    size_t lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

bool price_list_read(struct price_catalog *c, char *text, size_t n, struct price_fault *fault)
{
    struct price_csv csv;
    struct str f[COLUMN_COUNT];
    uint32_t version;
    int more;
    size_t cap = count_lines(text, n);
    cap = cap < MODELS_MAX ? cap : MODELS_MAX;
    c->models = mem_zalloc(cap * sizeof *c->models);
    price_map_init(&c->by_listed, cap);
    price_csv_init(&csv, "models", text, n, fault);
    if (!price_csv_version(&csv, "models", true, &version) || !price_csv_header(&csv, COLUMNS))
        return false;
    while ((more = price_csv_next(&csv, f, COLUMN_COUNT)) > 0) {
        if (c->model_count == cap)
            return price_csv_fail(&csv, "more than %d models", MODELS_MAX);
        struct price_model *m = &c->models[c->model_count];
        if (!read_model(&csv, f, m))
            return false;
        if (price_map_add(&c->by_listed, m->id, (uint32_t)c->model_count) != c->model_count)
            return price_csv_fail(&csv, "the model '%.*s' is listed twice", STR_ARG(m->id));
        c->model_count++;
    }
    return more == 0;
}

size_t price_list_models(const struct price_catalog *c)
{
    return c->model_count;
}

const struct price_model *price_list_model(const struct price_catalog *c, size_t i)
{
    must(i < c->model_count);
    return &c->models[i];
}

const struct price_model *price_list_find_model(const struct price_catalog *c, struct str id)
{
    uint32_t i;
    return price_map_get(&c->by_listed, id, &i) ? &c->models[i] : NULL;
}

size_t price_list_lines(const struct price_catalog *c)
{
    return c->row_count;
}

void price_list_line(const struct price_catalog *c, size_t i, struct price_line *ret_line)
{
    must(i < c->row_count);
    const struct price_row *row = &c->rows.at[c->row_at[i]];
    bool is_price = row->kind == PRICE_KIND_PRICE;
    struct price_line line = {
        .row = row->id,
        .kind = str_c(price_kind_text((enum price_kind)row->kind)),
        .model = row->model,
        .operation = row->operation,
        .quality = row->qualities,
        .size = row->sizes,
        .from_us = row->from_us,
        .to_us = row->to_us == INT64_MAX ? PRICE_LIST_NO_DATE : row->to_us,
        .value = row->value_text,
        .estimate = row->estimate,
        .note = row->note,
    };
    if (row->meter != PRICE_ANY)
        line.meter = str_c(price_meter_text(row->meter));
    if (is_price || row->tier != PRICE_TIER_STANDARD)
        line.tier = str_c(price_tier_text((enum price_tier)row->tier));
    if (row->long_context)
        line.context = STR("long");
    if (row->per)
        line.per = str_c(row->per->text);
    *ret_line = line;
}

bool price_list_find_line(const struct price_catalog *c, uint32_t row, struct price_line *ret_line)
{
    for (size_t i = 0; i < c->row_count; i++)
        if (c->rows.at[c->row_at[i]].id == row) {
            price_list_line(c, i, ret_line);
            return true;
        }
    return false;
}

/* Writes " text" behind what is there; a word that does not fit is left out. */
static void add_word(char *out, size_t *n, struct str word)
{
    if (!word.n || *n + word.n + 2 > PRICE_LIST_TEXT_MAX)
        return;
    if (*n)
        out[(*n)++] = ' ';
    memcpy(out + *n, word.p, word.n);
    *n += word.n;
    out[*n] = '\0';
}

static void add_date(char *out, size_t *n, struct str word, int64_t when_us)
{
    char text[CLOCK_TEXT_MAX];
    if (when_us == PRICE_LIST_NO_DATE)
        return;
    size_t size = clock_format(when_us, 0, text);
    bool midnight = size > 10 && when_us % INT64_C(86400000000) == 0;
    add_word(out, n, word);
    add_word(out, n, str_of(text, midnight ? 10 : size));
}

size_t price_list_format(const struct price_catalog *c, uint32_t row, char out[PRICE_LIST_TEXT_MAX])
{
    struct price_line line;
    char id[48];
    size_t n = 0;
    out[0] = '\0';
    if (!price_list_find_line(c, row, &line))
        return 0;
    bool is_price = str_eq(line.kind, STR("price"));
    snprintf(id, sizeof id, "%s line %u:", row & PRICE_ROW_OVERRIDE ? "overrides" : "prices",
             row & ~PRICE_ROW_OVERRIDE);
    add_word(out, &n, str_c(id));
    if (!is_price)
        add_word(out, &n, line.kind);
    const struct str words[] = {line.model,   line.operation, line.meter, line.tier,
                                line.context, line.quality,   line.size};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add_word(out, &n, words[i]);
    add_date(out, &n, STR("from"), line.from_us);
    add_date(out, &n, STR("until"), line.to_us);
    add_word(out, &n, STR("="));
    add_word(out, &n, line.value);
    if (is_price)
        add_word(out, &n, STR("USD per"));
    add_word(out, &n, line.per);
    if (line.estimate)
        add_word(out, &n, STR("(estimate)"));
    return n;
}
