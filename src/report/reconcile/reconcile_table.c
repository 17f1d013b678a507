/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells added up by the query's groups. A group's value is a number (a day, an id, the number of a text); rows are found
 * by those numbers, and get their texts at the end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill.h"
#include "report/bill/bill_line.h"
#include "report/reconcile/reconcile_inner.h"

#define FIRST_SLOTS 256
#define ANY STR("(any)")

struct entry {
    int64_t key[RECONCILE_BY_COUNT];
    uint32_t cell; /* one of its cells: for the names behind ids */
    bool mixed;    /* cells of several units */
    struct str unit;
    struct reconcile_sums all, settled;
};

struct texts {
    struct str *list; /* owned; views */
    uint32_t *slots;  /* owned; number + 1 */
    size_t count, slot_count;
};

struct table {
    struct reconcile_job *j;
    struct arena *arena;
    struct entry *entries; /* owned */
    uint32_t *slots;       /* owned */
    size_t count, slot_count;
    struct texts texts;
    /* Of each sku; owned. */
    int64_t *models, *operations;
};

/* --- texts to numbers ------------------------------------------------------------------------ */

static uint32_t *text_slot(const struct texts *t, struct str text)
{
    size_t at = str_hash(text) & (t->slot_count - 1);
    while (t->slots[at] && !str_eq(t->list[t->slots[at] - 1], text))
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

static int64_t number_of(struct texts *t, struct str text)
{
    if (t->count * 2 >= t->slot_count) {
        t->slot_count = t->slot_count ? t->slot_count * 2 : FIRST_SLOTS;
        t->list = mem_realloc(t->list, t->slot_count / 2 * sizeof *t->list);
        mem_free(t->slots);
        t->slots = mem_zalloc(t->slot_count * sizeof *t->slots);
        for (size_t i = 0; i < t->count; i++)
            *text_slot(t, t->list[i]) = (uint32_t)i + 1;
    }
    uint32_t *slot = text_slot(t, text);
    if (!*slot) {
        t->list[t->count] = text;
        *slot = (uint32_t)++t->count;
    }
    return *slot - 1;
}

/* The service that such a line item of the bill has, by the built-in table. */
static enum err operation_of(struct table *t, const struct match_sku *s, struct str *ret)
{
    static const char *const tools[METER_COUNT] = {[METER_WEB_SEARCH] = "web search tool calls",
                                                   [METER_FILE_SEARCH] = "file search tool calls",
                                                   [METER_CODE_SESSION] = "code interpreter sessions"};
    struct bill_line line;
    char text[BILL_LINE_MAX];
    if (s->meter == METER_COUNT)
        bill_line_read(s->model, NULL, &line);
    else if (tools[s->meter])
        bill_line_read(str_c(tools[s->meter]), NULL, &line);
    else {
        snprintf(text, sizeof text, "%.*s, %s", (int)(s->model.n < 400 ? s->model.n : 400), s->model.p,
                 s->meter == METER_TRAINED ? "training" : "use");
        bill_line_read(str_c(text), NULL, &line);
    }
    *ret = arena_dup(t->j->arena, str_c(line.service));
    return ret->p ? ERR_OK : reconcile_no_room(t->j);
}

static enum err number_skus(struct table *t)
{
    size_t n = match_sku_count(t->j->match);
    enum err e = ERR_OK;
    t->models = mem_zalloc((n + 1) * sizeof *t->models);
    t->operations = mem_zalloc((n + 1) * sizeof *t->operations);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        const struct match_sku *s = match_sku(t->j->match, (uint32_t)i);
        struct str operation;
        e = operation_of(t, s, &operation);
        if (e == ERR_OK) {
            t->models[i] = number_of(&t->texts, s->model);
            t->operations[i] = number_of(&t->texts, operation);
        }
    }
    return e;
}

/* --- rows ------------------------------------------------------------------------------------ */

static int64_t value_of(const struct table *t, enum reconcile_by by, const struct reconcile_cell *c,
                        const struct reconcile_found *f)
{
    const struct match_place *p = match_place(t->j->match, c->place);
    const struct match_sku *s = match_sku(t->j->match, c->sku);
    switch (by) {
    case RECONCILE_BY_DAY:
        return c->day;
    case RECONCILE_BY_MONTH:
        return bill_month_of(c->day);
    case RECONCILE_BY_ORGANIZATION:
        return p->account;
    case RECONCILE_BY_PROJECT:
        return p->project;
    case RECONCILE_BY_KEY:
        return p->key;
    case RECONCILE_BY_OPERATION:
        return t->operations[c->sku];
    case RECONCILE_BY_MODEL:
        return t->models[c->sku];
    case RECONCILE_BY_METER:
        return s->meter;
    case RECONCILE_BY_TIER:
        return s->tier;
    case RECONCILE_BY_BATCH:
        return s->tier == PRICE_TIER_BATCH;
    case RECONCILE_BY_STATUS:
        return f->status;
    case RECONCILE_BY_COUNT:
        break;
    }
    must(by < RECONCILE_BY_COUNT);
    return 0;
}

static uint32_t *find_slot(const struct table *t, const int64_t *key)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < t->j->q->group_count; i++)
        hash = (hash ^ (hash >> 29) ^ (uint64_t)key[i]) * UINT64_C(0xbf58476d1ce4e5b9);
    size_t at = (size_t)(hash ^ (hash >> 31)) & (t->slot_count - 1);
    while (t->slots[at] && memcmp(t->entries[t->slots[at] - 1].key, key, sizeof t->entries->key) != 0)
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

static struct entry *find(struct table *t, const int64_t *key)
{
    if (t->count * 2 >= t->slot_count) {
        t->slot_count = t->slot_count ? t->slot_count * 2 : FIRST_SLOTS;
        t->entries = mem_realloc(t->entries, t->slot_count / 2 * sizeof *t->entries);
        mem_free(t->slots);
        t->slots = mem_zalloc(t->slot_count * sizeof *t->slots);
        for (size_t i = 0; i < t->count; i++)
            *find_slot(t, t->entries[i].key) = (uint32_t)i + 1;
    }
    uint32_t *slot = find_slot(t, key);
    if (!*slot) {
        if (t->count == RECONCILE_ROWS_MAX)
            return NULL;
        t->entries[t->count] = (struct entry){.cell = UINT32_MAX};
        memcpy(t->entries[t->count].key, key, sizeof t->entries->key);
        *slot = (uint32_t)++t->count;
    }
    return &t->entries[*slot - 1];
}

/* False: beyond every possible bill. */
static bool add_cell(struct entry *e, uint32_t at, unsigned meter, const struct reconcile_found *f)
{
    struct str unit = reconcile_unit(meter);
    if (e->cell == UINT32_MAX) {
        e->cell = at;
        e->unit = unit;
    }
    e->mixed = e->mixed || !str_eq(e->unit, unit);
    return reconcile_sums_add(&e->all, &f->sums) && (f->pending || reconcile_sums_add(&e->settled, &f->sums));
}

/* --- texts of a row -------------------------------------------------------------------------- */

static struct str kept(struct arena *a, const char *text)
{
    return arena_dup(a, str_c(text));
}

/* "2026-03" */
static struct str month_text(struct arena *a, int64_t month)
{
    char text[BILL_DAY_TEXT_MAX];
    bill_day_format(bill_month_day(month), text);
    text[7] = '\0';
    return kept(a, text);
}

static struct str day_text(struct arena *a, int64_t day)
{
    char text[BILL_DAY_TEXT_MAX];
    bill_day_format(day, text);
    return kept(a, text);
}

/* "cached input": the words of the bill. */
static struct str meter_text(struct arena *a, int64_t meter)
{
    char text[64];
    str_copy(text, sizeof text, meter < METER_COUNT ? str_c(meter_info((enum meter)meter)->text) : STR(""));
    for (char *p = text; *p; p++)
        if (*p == '_')
            *p = ' ';
    return kept(a, text);
}

static void texts_of(const struct table *t, const struct entry *e, unsigned group, struct str *value, struct str *name)
{
    const struct match_place *p = match_place(t->j->match, t->j->cells[e->cell].place);
    int64_t v = e->key[group];
    *name = STR("");
    switch (t->j->q->groups[group]) {
    case RECONCILE_BY_DAY:
        *value = day_text(t->arena, v);
        break;
    case RECONCILE_BY_MONTH:
        *value = month_text(t->arena, v);
        break;
    case RECONCILE_BY_ORGANIZATION:
        *value = arena_dup(t->arena, p->organization);
        break;
    case RECONCILE_BY_PROJECT:
        *value = v == MATCH_ANY ? ANY : arena_dup(t->arena, p->project_ext);
        *name = arena_dup(t->arena, p->project_name);
        break;
    case RECONCILE_BY_KEY:
        *value = v == MATCH_ANY ? ANY : arena_dup(t->arena, p->key_ext);
        *name = arena_dup(t->arena, p->key_name);
        break;
    case RECONCILE_BY_OPERATION:
    case RECONCILE_BY_MODEL:
        *value = arena_dup(t->arena, t->texts.list[v]);
        break;
    case RECONCILE_BY_METER:
        *value = meter_text(t->arena, v);
        break;
    case RECONCILE_BY_TIER:
        *value = str_c(price_tier_text((enum price_tier)v));
        break;
    case RECONCILE_BY_BATCH:
        *value = v ? STR("true") : STR("false");
        break;
    case RECONCILE_BY_STATUS:
        *value = str_c(reconcile_status_text((enum reconcile_status)v));
        break;
    case RECONCILE_BY_COUNT:
        must(false);
    }
}

/* Dollars a unit. */
static cost_sum price_of(cost_sum amount, money_sum quantity)
{
    cost_sum price;
    return quantity > 0 && reconcile_wide(amount, COST_PER_PUSD, quantity, &price) ? price : 0;
}

/* --- around midnight ------------------------------------------------------------------------- */

static bool is_small(const struct reconcile_sums *s)
{
    const cost_sum most = (cost_sum)RECONCILE_SMALL_PUSD * COST_PER_PUSD;
    return s->billed <= most && s->metered <= most;
}

/* What the rows of that day and of the next or last one, `step` days from it, are together. */
static bool agrees_with(const struct table *t, const struct entry *e, unsigned group, int64_t step)
{
    int64_t key[RECONCILE_BY_COUNT];
    struct reconcile_sums both = e->settled;
    memcpy(key, e->key, sizeof key);
    key[group] += step;
    uint32_t slot = *find_slot(t, key);
    const struct entry *other = slot ? &t->entries[slot - 1] : NULL;
    if (!other || !is_small(&other->settled) || other->all.pending_billed || other->all.pending_metered)
        return false;
    cost_sum here = e->settled.billed - e->settled.metered, there = other->settled.billed - other->settled.metered;
    return (here > 0) != (there > 0) && there && reconcile_sums_add(&both, &other->settled) &&
           reconcile_status_of(t->j->q, &both, &both) == RECONCILE_MATCHED;
}

static bool is_of_midnight(const struct table *t, const struct entry *e, enum reconcile_status status)
{
    if (status == RECONCILE_MATCHED || status == RECONCILE_PENDING || !is_small(&e->settled))
        return false;
    for (unsigned i = 0; i < t->j->q->group_count; i++)
        if (t->j->q->groups[i] == RECONCILE_BY_DAY)
            return agrees_with(t, e, i, 1) || agrees_with(t, e, i, -1);
    return false;
}

static void finish(const struct table *t, const struct entry *e, struct reconcile_row *row)
{
    row->sums = e->all;
    if (e->mixed)
        row->sums.billed_quantity = row->sums.metered_quantity = 0;
    else
        row->unit = e->cell == UINT32_MAX ? STR("") : e->unit;
    row->status = reconcile_status_of(t->j->q, &e->all, &e->settled);
    if (is_of_midnight(t, e, row->status))
        row->status = RECONCILE_MATCHED;
    row->cause = reconcile_cause_of(row->status, &e->all);
    row->book_price = price_of(e->all.book, row->sums.billed_quantity);
    row->billed_price = price_of(e->all.billed, row->sums.billed_quantity);
    row->metered_price = price_of(e->all.metered, row->sums.metered_quantity);
}

static enum err make_row(const struct table *t, const struct entry *e, struct reconcile_row *row)
{
    unsigned n = t->j->q->group_count;
    struct str *values = arena_alloc(t->arena, (n + 1) * sizeof *values);
    struct str *names = arena_alloc(t->arena, (n + 1) * sizeof *names);
    if (!values || !names)
        return reconcile_no_room(t->j);
    for (unsigned i = 0; i < n; i++) {
        texts_of(t, e, i, &values[i], &names[i]);
        if (!values[i].p || !names[i].p)
            return reconcile_no_room(t->j);
    }
    row->values = values;
    row->names = names;
    finish(t, e, row);
    return ERR_OK;
}

/* --- order ----------------------------------------------------------------------------------- */

static cost_sum gap_of(const struct reconcile_row *r)
{
    cost_sum gap = r->sums.billed - r->sums.metered;
    return gap < 0 ? -gap : gap;
}

/* How many of the first groups are dates, set while sorting; the rest is by money. */
static _Thread_local const struct reconcile_query *sorting;

static int by_date_and_gap(const void *a, const void *b)
{
    const struct reconcile_row *x = a, *y = b;
    int c = 0;
    for (unsigned i = 0; !c && i < sorting->group_count; i++)
        if (sorting->groups[i] == RECONCILE_BY_DAY || sorting->groups[i] == RECONCILE_BY_MONTH)
            c = str_cmp(x->values[i], y->values[i]);
    if (!c && gap_of(x) != gap_of(y))
        c = gap_of(x) > gap_of(y) ? -1 : 1;
    if (!c && x->sums.billed != y->sums.billed)
        c = x->sums.billed > y->sums.billed ? -1 : 1;
    for (unsigned i = 0; !c && i < sorting->group_count; i++)
        c = str_cmp(x->values[i], y->values[i]);
    return c;
}

/* --- all of it ------------------------------------------------------------------------------- */

static enum err add_cells(struct table *t, struct entry *total)
{
    const struct reconcile_query *q = t->j->q;
    for (size_t i = 0; i < t->j->cell_count; i++) {
        const struct reconcile_cell *c = &t->j->cells[i];
        unsigned meter = match_sku(t->j->match, c->sku)->meter;
        struct reconcile_found f;
        int64_t key[RECONCILE_BY_COUNT] = {0};
        reconcile_gap(t->j, c, &f);
        for (unsigned g = 0; g < q->group_count; g++)
            key[g] = value_of(t, q->groups[g], c, &f);
        struct entry *e = find(t, key);
        if (!e || !add_cell(e, (uint32_t)i, meter, &f) || !add_cell(total, (uint32_t)i, meter, &f))
            return reconcile_no_room(t->j);
    }
    return ERR_OK;
}

static enum err make(struct table *t, struct reconcile *r)
{
    struct entry total = {.cell = UINT32_MAX};
    enum err e = number_skus(t);
    if (e == ERR_OK)
        e = add_cells(t, &total);
    struct reconcile_row *rows = e == ERR_OK ? arena_alloc(t->arena, (t->count + 1) * sizeof *rows) : NULL;
    if (e == ERR_OK && !rows)
        e = reconcile_no_room(t->j);
    for (size_t i = 0; e == ERR_OK && i < t->count; i++)
        e = make_row(t, &t->entries[i], &rows[i]);
    if (e != ERR_OK)
        return e;
    sorting = t->j->q;
    qsort(rows, t->count, sizeof *rows, by_date_and_gap);
    sorting = NULL;
    r->rows = rows;
    r->row_count = t->count;
    finish(t, &total, &r->total);
    return ERR_OK;
}

enum err reconcile_table_make(struct reconcile_job *j, struct arena *a, struct reconcile *r)
{
    struct table t = {.j = j, .arena = a};
    enum err e = make(&t, r);
    mem_free(t.entries);
    mem_free(t.slots);
    mem_free(t.texts.list);
    mem_free(t.texts.slots);
    mem_free(t.models);
    mem_free(t.operations);
    return e;
}
