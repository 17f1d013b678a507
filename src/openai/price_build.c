/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a catalogue from its texts: copies them, reads the rows, then arranges the rows by model.
 *
 * An alias gets copies of the cells of what it stands for, so the search never follows anything; an
 * override for "gpt-5.4" thereby holds for the dated id that OpenAI answers too. Chains of aliases
 * are short (ALIAS_DEPTH) and checked here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "openai/price_catalog.h"

enum {
    ALIAS_DEPTH = 4,
    CELLS_MAX = 500000, /* many aliases of a model with many prices multiply */
};

/* ---- Map ---- */

void price_map_init(struct price_map *m, size_t keys)
{
    size_t slots = 16;
    while (slots < keys * 2)
        slots *= 2;
    m->slots = mem_zalloc(slots * sizeof *m->slots);
    m->mask = slots - 1;
    m->used = 0;
}

void price_map_free(struct price_map *m)
{
    mem_free(m->slots);
    *m = (struct price_map){0};
}

uint32_t price_map_add(struct price_map *m, struct str key, uint32_t value)
{
    uint64_t hash = str_hash(key);
    must(m->used * 2 <= m->mask + 1);
    for (size_t i = (size_t)hash & m->mask;; i = (i + 1) & m->mask) {
        struct price_map_slot *s = &m->slots[i];
        if (!s->value) {
            *s = (struct price_map_slot){hash, key, value + 1};
            m->used++;
            return value;
        }
        if (s->hash == hash && str_eq(s->key, key))
            return s->value - 1;
    }
}

bool price_map_get(const struct price_map *m, struct str key, uint32_t *ret_value)
{
    uint64_t hash = str_hash(key);
    for (size_t i = (size_t)hash & m->mask; m->slots[i].value; i = (i + 1) & m->mask) {
        const struct price_map_slot *s = &m->slots[i];
        if (s->hash == hash && str_eq(s->key, key)) {
            *ret_value = s->value - 1;
            return true;
        }
    }
    return false;
}

/* ---- Rows by model ---- */

/* Rows of one model, overrides first; `order` is sorted so that they are neighbours. */
struct row_range {
    const struct price_row **at;
    size_t n;
};

struct build {
    struct price_catalog *c;
    const struct price_row **order;
    size_t order_n;
    struct row_range *ranges; /* one for each entry */
    struct price_fault *fault;
};

static bool is_override(const struct price_row *row)
{
    return (row->id & PRICE_ROW_OVERRIDE) != 0;
}

static int compare_models(const void *pa, const void *pb)
{
    const struct price_row *a = *(const struct price_row *const *)pa, *b = *(const struct price_row *const *)pb;
    int d = str_cmp(a->model, b->model);
    return d ? d : (int)is_override(b) - (int)is_override(a);
}

/* One entry for each model id that has rows. */
static void find_ranges(struct build *b)
{
    struct price_catalog *c = b->c;
    b->order = mem_alloc((c->rows.n + 1) * sizeof *b->order);
    for (size_t i = 0; i < c->rows.n; i++) {
        const struct price_row *row = &c->rows.at[i];
        if (row->kind != PRICE_KIND_GROUP && row->kind != PRICE_KIND_AS)
            b->order[b->order_n++] = row;
    }
    qsort(b->order, b->order_n, sizeof *b->order, compare_models);
    b->ranges = mem_alloc((b->order_n + 1) * sizeof *b->ranges);
    c->entries = mem_zalloc((b->order_n + 1) * sizeof *c->entries);
    price_map_init(&c->by_model, b->order_n);
    for (size_t i = 0; i < b->order_n;) {
        size_t from = i;
        while (i < b->order_n && str_eq(b->order[i]->model, b->order[from]->model))
            i++;
        b->ranges[c->entry_count] = (struct row_range){b->order + from, i - from};
        c->entries[c->entry_count].model = b->order[from]->model;
        price_map_add(&c->by_model, b->order[from]->model, (uint32_t)c->entry_count);
        c->entry_count++;
    }
}

/* ---- Cells ---- */

static uint8_t bucket_of(const struct price_row *row)
{
    switch ((enum price_kind)row->kind) {
    case PRICE_KIND_TIMES:
        return PRICE_BUCKET_TIMES;
    case PRICE_KIND_REGIONAL:
        return PRICE_BUCKET_REGIONAL;
    case PRICE_KIND_THRESHOLD:
        return PRICE_BUCKET_THRESHOLD;
    case PRICE_KIND_PRICE:
        return row->meter;
    case PRICE_KIND_AS:
    case PRICE_KIND_GROUP:
    case PRICE_KIND_ALIAS:
    case PRICE_KIND_COUNT:
        break;
    }
    return PRICE_BUCKET_COUNT;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* The order of cells in a bucket, as price_catalog.h has it. */
static uint32_t cell_order(const struct price_row *row, bool by_user, unsigned depth)
{
    unsigned general =
        8u * (row->group == PRICE_ANY) + 4u * (row->meter == PRICE_ANY) + 2u * !row->quality.n + !row->size.n;
    return (by_user ? 0u : 1u) << 16 | depth << 8 | (is_override(row) ? 0u : 1u) << 4 | general;
}

static void add_cell(struct price_catalog *c, const struct price_row *row, bool by_user, unsigned depth)
{
    if (c->cell_count == c->cell_cap) {
        c->cell_cap *= 2;
        c->cells = mem_realloc(c->cells, c->cell_cap * sizeof *c->cells);
    }
    struct price_cell cell = {
        .from_us = row->from_us,
        .to_us = row->to_us,
        .amount = row->amount,
        .divide = row->kind == PRICE_KIND_PRICE ? row->per->count : row->divide,
        .quality = row->quality,
        .size = row->size,
        .row = row->id,
        .order = cell_order(row, by_user, depth),
        .bucket = bucket_of(row),
        .group = row->group,
        .meter = row->meter,
        .tier = row->tier,
        .long_context = row->long_context,
        .whole_seconds = row->per && row->per->whole_seconds,
        .estimate = row->estimate,
    };
    if (cell.divide) {
        uint64_t d = common_divisor((uint64_t)cell.amount, cell.divide);
        cell.amount /= (int64_t)d;
        cell.divide /= d;
    }
    must(cell.bucket < PRICE_BUCKET_COUNT);
    c->cells[c->cell_count++] = cell;
}

static int compare_cells(const void *pa, const void *pb)
{
    const struct price_cell *a = pa, *b = pb;
    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    /* The newest price first: that is the one asked for. */
    return (a->from_us < b->from_us) - (a->from_us > b->from_us);
}

/* "the model '<id>' <why>", at the row's line. */
static bool fail(struct build *b, const struct price_row *row, struct str model, const char *why)
{
    b->fault->file = is_override(row) ? "overrides" : "prices";
    b->fault->line = row->id & ~PRICE_ROW_OVERRIDE;
    snprintf(b->fault->reason, sizeof b->fault->reason, "the model '%.*s' %s", STR_ARG(str_head(model, 60)), why);
    for (char *z = b->fault->reason; *z; z++)
        if ((unsigned char)*z >= 0x7f)
            *z = '?';
    return false;
}

/* Cells of the id and of everything it stands for, from near to far. */
static bool collect(struct build *b, size_t entry)
{
    struct price_catalog *c = b->c;
    const struct price_row *alias = NULL;
    bool by_user = false;
    for (unsigned depth = 0;; depth++) {
        const struct row_range *range = &b->ranges[entry];
        const struct price_row *next = NULL;
        for (size_t i = 0; i < range->n; i++) {
            const struct price_row *row = range->at[i];
            if (c->cell_count == CELLS_MAX)
                return fail(b, row, row->model, "is one too many: all prices with their aliases are over 500000");
            if (row->kind != PRICE_KIND_ALIAS)
                add_cell(c, row, by_user || is_override(row), depth);
            else if (!next) /* an override's alias stands before ours */
                next = row;
        }
        if (!next)
            return true;
        uint32_t target;
        if (depth == ALIAS_DEPTH)
            return fail(b, alias, alias->value_text, "is an alias of an alias of an alias, or of itself");
        if (!price_map_get(&c->by_model, next->value_text, &target))
            return fail(b, next, next->value_text, "has no prices, so there cannot be an alias for it");
        by_user = by_user || is_override(next);
        alias = next;
        entry = target;
    }
}

static bool fill_entries(struct build *b)
{
    struct price_catalog *c = b->c;
    size_t *first = mem_alloc((c->entry_count + 1) * sizeof *first);
    bool good = true;
    c->cell_cap = c->rows.n + 16; /* enough without aliases */
    c->cells = mem_alloc(c->cell_cap * sizeof *c->cells);
    for (size_t e = 0; e < c->entry_count && good; e++) {
        first[e] = c->cell_count;
        good = collect(b, e);
        qsort(c->cells + first[e], c->cell_count - first[e], sizeof *c->cells, compare_cells);
    }
    first[c->entry_count] = c->cell_count;
    for (size_t e = 0; e < c->entry_count && good; e++) {
        struct price_entry *entry = &c->entries[e];
        size_t n = first[e + 1] - first[e], i = 0;
        entry->cells = c->cells + first[e];
        for (unsigned bucket = 0; bucket <= PRICE_BUCKET_COUNT; bucket++) {
            while (i < n && entry->cells[i].bucket < bucket)
                i++;
            entry->start[bucket] = (uint32_t)i;
        }
    }
    mem_free(first);
    return good;
}

/* ---- Rules ---- */

/* Operations and meters that stand for others. Ours come first in `rows`, so overrides win. */
static void fill_rules(struct price_catalog *c)
{
    size_t groups = 0;
    memset(c->as, PRICE_ANY, sizeof c->as);
    for (size_t i = 0; i < c->rows.n; i++)
        groups += c->rows.at[i].kind == PRICE_KIND_GROUP;
    price_map_init(&c->by_operation, groups);
    for (size_t i = c->rows.n; i-- > 0;)
        if (c->rows.at[i].kind == PRICE_KIND_GROUP)
            price_map_add(&c->by_operation, c->rows.at[i].operation, c->rows.at[i].target);
    for (size_t i = 0; i < c->rows.n; i++) {
        const struct price_row *row = &c->rows.at[i];
        for (unsigned g = 0; row->kind == PRICE_KIND_AS && g < PRICE_GROUP_COUNT; g++)
            if (row->group == PRICE_ANY || row->group == g)
                c->as[g][row->meter] = row->target;
    }
}

/* The first row of each line, for listings. */
static void fill_lines(struct price_catalog *c)
{
    c->row_at = mem_alloc((c->rows.n + 1) * sizeof *c->row_at);
    for (size_t i = 0; i < c->rows.n; i++)
        if (i == 0 || c->rows.at[i].id != c->rows.at[i - 1].id)
            c->row_at[c->row_count++] = (uint32_t)i;
}

/* ---- The whole ---- */

static uint32_t fingerprint(uint32_t hash, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * UINT32_C(16777619);
    return hash;
}

static bool read_texts(struct price_catalog *c, const struct price_source *source, struct price_fault *fault)
{
    const struct str texts[3] = {source->prices, source->models, source->overrides};
    const char *const names[3] = {"prices", "models", "overrides"};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i].n > PRICE_CSV_TEXT_MAX) {
            fault->file = names[i];
            fault->line = 0;
            snprintf(fault->reason, sizeof fault->reason, "the text is larger than %d bytes", PRICE_CSV_TEXT_MAX);
            return false;
        }
        c->texts[i] = mem_strndup(texts[i].n ? texts[i].p : "", texts[i].n);
    }
    if (!price_rows_read(&c->rows, c->texts[0], texts[0].n, false, &c->base_version, fault))
        return false;
    c->version = c->base_version;
    if (texts[2].n) {
        if (!price_rows_read(&c->rows, c->texts[2], texts[2].n, true, &c->override_version, fault))
            return false;
        /* FNV-1a: the same on every machine, so that versions can be compared. */
        c->version = fingerprint(fingerprint(UINT32_C(2166136261), texts[0]), texts[2]) | UINT32_C(0x80000000);
    }
    return price_list_read(c, c->texts[1], texts[1].n, fault);
}

static bool arrange(struct price_catalog *c, struct price_fault *fault)
{
    struct build b = {.c = c, .fault = fault};
    uint32_t any;
    find_ranges(&b);
    bool good = fill_entries(&b);
    mem_free(b.order);
    mem_free(b.ranges);
    if (!good)
        return false;
    if (price_map_get(&c->by_model, STR("*"), &any))
        c->any = &c->entries[any];
    fill_rules(c);
    fill_lines(c);
    for (size_t i = 0; i < c->model_count; i++) {
        uint32_t e;
        if (price_map_get(&c->by_model, c->models[i].id, &e))
            c->models[i].priced = c->entries[e].start[PRICE_BUCKET_TIMES] > 0;
    }
    return true;
}

enum err price_catalog_new(const struct price_source *source, struct price_catalog **ret_catalog,
                           struct price_fault *ret_fault)
{
    struct price_catalog *c = mem_zalloc(sizeof *c);
    struct price_fault fault = {.file = "prices"};
    c->magic = PRICE_CATALOG_MAGIC;
    if (!read_texts(c, source, &fault) || !arrange(c, &fault)) {
        price_catalog_free(c);
        *ret_fault = fault;
        return ERR_BAD_PRICES;
    }
    *ret_catalog = c;
    return ERR_OK;
}

void price_catalog_free(struct price_catalog *c)
{
    if (!c)
        return;
    must(c->magic == PRICE_CATALOG_MAGIC);
    c->magic = 0;
    for (size_t i = 0; i < 3; i++)
        mem_free(c->texts[i]);
    price_rows_free(&c->rows);
    mem_free(c->row_at);
    mem_free(c->entries);
    mem_free(c->cells);
    price_map_free(&c->by_model);
    price_map_free(&c->by_operation);
    price_map_free(&c->by_listed);
    mem_free(c->models);
    mem_free(c);
}
