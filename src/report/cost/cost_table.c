/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a report while they are added up, and the result made of them.
 *
 * A row is found by its bin and the numbers of its texts, in a hash table. Rows and texts live in one
 * arena, which the result takes over. What does not fit into 128 bits is refused.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill.h"
#include "report/cost/cost_inner.h"

#define ARENA_FIRST (16u << 10)
#define ARENA_MAX ((size_t)512 << 20)
#define FIRST_SLOTS 1024
#define UNITS_MAX 64

struct row {
    int64_t start_us;
    cost_sum amount;
    money_sum usage;
    uint64_t rows;
    uint32_t unit; /* text 0 ("") = none yet */
    bool mixed;    /* several units */
    bool over_metered;
    uint32_t values[];
};

struct text {
    struct str text, name;
};

struct unit {
    uint32_t text;
    money_sum usage;
};

struct cost_table {
    const struct cost_query *q;
    struct arena *arena;
    struct row **slots;   /* NULL = empty; owned */
    uint32_t *hashes;     /* of the rows in the slots, so that few are looked at; owned */
    uint32_t *text_slots; /* number of a text + 1; 0 = empty; owned */
    struct text *texts;   /* owned */
    size_t slot_count, row_count, text_slot_count, text_count;
    struct unit units[UNITS_MAX];
    unsigned unit_count;
    cost_sum total;
};

struct result {
    struct cost_result public;
    struct arena *arena;
};

void cost_error_set(struct cost_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
}

static enum err too_many(const struct cost_table *t, struct cost_error *error)
{
    cost_error_set(error, "More than %d rows; ask for a shorter time, a longer bin or fewer groupings.", COST_ROWS_MAX);
    (void)t;
    return ERR_BAD_PARAMETER;
}

static enum err too_much(struct cost_error *error)
{
    cost_error_set(error, "The sums are larger than this program can hold; ask for less at once.");
    return ERR_BAD_PARAMETER;
}

/* --- life ------------------------------------------------------------------------------------ */

struct cost_table *cost_table_new(const struct cost_query *q)
{
    struct cost_table *t = mem_zalloc(sizeof *t);
    t->q = q;
    t->arena = arena_new(ARENA_FIRST, ARENA_MAX);
    uint32_t none = cost_table_text(t, STR(""), STR(""));
    must(none == 0);
    return t;
}

void cost_table_free(struct cost_table *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    mem_free(t->slots);
    mem_free(t->hashes);
    mem_free(t->text_slots);
    mem_free(t->texts);
    mem_free(t);
}

/* --- texts ----------------------------------------------------------------------------------- */

static uint32_t *text_slot(const struct cost_table *t, struct str text)
{
    size_t i = str_hash(text) & (t->text_slot_count - 1);
    while (t->text_slots[i] && !str_eq(t->texts[t->text_slots[i] - 1].text, text))
        i = (i + 1) & (t->text_slot_count - 1);
    return &t->text_slots[i];
}

static void grow_texts(struct cost_table *t)
{
    t->text_slot_count = t->text_slot_count ? t->text_slot_count * 2 : FIRST_SLOTS;
    t->texts = mem_realloc(t->texts, t->text_slot_count * sizeof *t->texts);
    mem_free(t->text_slots);
    t->text_slots = mem_zalloc(t->text_slot_count * sizeof *t->text_slots);
    for (uint32_t i = 0; i < t->text_count; i++)
        *text_slot(t, t->texts[i].text) = i + 1;
}

/* Texts are bounded by the database; an arena that is full shows at the next row. */
uint32_t cost_table_text(struct cost_table *t, struct str text, struct str name)
{
    if (t->text_count * 2 >= t->text_slot_count)
        grow_texts(t);
    uint32_t *slot = text_slot(t, text);
    if (!*slot) {
        struct text *new = &t->texts[t->text_count];
        *new = (struct text){arena_dup(t->arena, text), STR("")};
        if (!new->text.p)
            return 0;
        *slot = (uint32_t)++t->text_count;
    }
    struct text *found = &t->texts[*slot - 1];
    if (!found->name.n && name.n) {
        struct str copy = arena_dup(t->arena, name);
        found->name = copy.p ? copy : STR("");
    }
    return *slot - 1;
}

/* --- rows ------------------------------------------------------------------------------------ */

static bool same_row(const struct cost_table *t, const struct row *r, int64_t start_us, const uint32_t *values)
{
    unsigned i = 0;
    while (i < t->q->group_count && r->values[i] == values[i])
        i++;
    return i == t->q->group_count && r->start_us == start_us;
}

static uint32_t row_hash(const struct cost_table *t, int64_t start_us, const uint32_t *values)
{
    uint64_t hash = (uint64_t)start_us * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < t->q->group_count; i++)
        hash = (hash ^ (hash >> 29) ^ values[i]) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(hash ^ (hash >> 31));
}

static size_t empty_slot(const struct cost_table *t, uint32_t hash)
{
    size_t i = hash & (t->slot_count - 1);
    while (t->slots[i])
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

static size_t row_slot(const struct cost_table *t, uint32_t hash, const struct cost_part *p)
{
    size_t i = hash & (t->slot_count - 1);
    while (t->slots[i] && !(t->hashes[i] == hash && same_row(t, t->slots[i], p->start_us, p->values)))
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

static void grow_rows(struct cost_table *t)
{
    struct row **old = t->slots;
    uint32_t *old_hashes = t->hashes;
    size_t old_count = t->slot_count;
    t->slot_count = old_count ? old_count * 4 : FIRST_SLOTS;
    t->slots = mem_zalloc(t->slot_count * sizeof *t->slots);
    t->hashes = mem_alloc(t->slot_count * sizeof *t->hashes);
    for (size_t i = 0; i < old_count; i++) {
        if (!old[i])
            continue;
        size_t at = empty_slot(t, old_hashes[i]);
        t->slots[at] = old[i];
        t->hashes[at] = old_hashes[i];
    }
    mem_free(old);
    mem_free(old_hashes);
}

static struct row *find_row(struct cost_table *t, const struct cost_part *p)
{
    size_t values_size = t->q->group_count * sizeof(uint32_t);
    if (t->row_count * 2 >= t->slot_count)
        grow_rows(t);
    uint32_t hash = row_hash(t, p->start_us, p->values);
    size_t slot = row_slot(t, hash, p);
    if (t->slots[slot])
        return t->slots[slot];
    struct row *r = t->row_count < COST_ROWS_MAX ? arena_alloc(t->arena, sizeof *r + values_size) : NULL;
    if (!r)
        return NULL;
    r->start_us = p->start_us;
    memcpy(r->values, p->values, values_size);
    t->slots[slot] = r;
    t->hashes[slot] = hash;
    t->row_count++;
    return r;
}

static bool add_usage(struct cost_table *t, struct row *r, uint32_t unit, money_sum usage)
{
    unsigned i = 0;
    if (!unit && !usage)
        return true;
    while (i < t->unit_count && t->units[i].text != unit)
        i++;
    if (i == UNITS_MAX)
        return false;
    if (i == t->unit_count)
        t->units[t->unit_count++] = (struct unit){unit, 0};
    r->mixed = r->mixed || (r->unit && unit && r->unit != unit);
    r->unit = r->unit ? r->unit : unit;
    return !__builtin_add_overflow(t->units[i].usage, usage, &t->units[i].usage) &&
           !__builtin_add_overflow(r->usage, usage, &r->usage);
}

/* usage × weight, half away from zero. */
static bool weigh_usage(money_sum usage, int64_t weight, money_sum *ret)
{
    __int128 product;
    if (weight == COST_PER_PUSD) {
        *ret = usage;
        return true;
    }
    if (__builtin_mul_overflow(usage, (__int128)weight, &product))
        return false;
    *ret = (product + (product < 0 ? -COST_PER_PUSD / 2 : COST_PER_PUSD / 2)) / COST_PER_PUSD;
    return true;
}

/* amount × at ÷ whole, towards 0; at ≤ whole < 2^62, so nothing overflows. */
static __int128 up_to(__int128 amount, int64_t at, int64_t whole)
{
    __int128 quotient = amount / whole, rest = amount % whole;
    return quotient * at + rest * at / whole;
}

/* Rounded where the parts begin and end, so that all parts of a whole add up to it. */
static __int128 cut(__int128 amount, const struct cost_part *p)
{
    for (unsigned i = 0; i < p->cut_count; i++) {
        const struct cost_cut *c = &p->cuts[i];
        amount = up_to(amount, c->to, c->whole) - up_to(amount, c->from, c->whole);
    }
    return amount;
}

enum err cost_table_add(struct cost_table *t, const struct cost_part *p, struct cost_error *error)
{
    cost_sum amount;
    money_sum usage;
    struct row *r = find_row(t, p);
    if (!r)
        return too_many(t, error);
    if (__builtin_mul_overflow(p->pusd, (__int128)p->weight, &amount) || !weigh_usage(p->usage, p->weight, &usage))
        return too_much(error);
    amount = cut(amount, p);
    usage = cut(usage, p);
    if (!cost_amount_add(&r->amount, amount) || !cost_amount_add(&t->total, amount) || !add_usage(t, r, p->unit, usage))
        return too_much(error);
    r->rows += p->rows;
    r->over_metered = r->over_metered || p->over_metered;
    return ERR_OK;
}

/* --- the result ------------------------------------------------------------------------------ */

static int compare_values(const struct cost_table *t, const struct row *x, const struct row *y)
{
    for (unsigned i = 0; i < t->q->group_count; i++) {
        int c = x->values[i] == y->values[i] ? 0 : str_cmp(t->texts[x->values[i]].text, t->texts[y->values[i]].text);
        if (c)
            return c;
    }
    return 0;
}

static int compare_shown(const void *a, const void *b, void *context)
{
    const struct cost_table *t = context;
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
    if (x->start_us != y->start_us)
        return (x->start_us < y->start_us) == t->q->ascending ? -1 : 1;
    if (x->amount != y->amount)
        return x->amount > y->amount ? -1 : 1;
    return compare_values(t, x, y);
}

/* Groups in any order, each by time. */
static int compare_grouped(const void *a, const void *b, void *context)
{
    const struct cost_table *t = context;
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
    int c = memcmp(x->values, y->values, t->q->group_count * sizeof x->values[0]);
    return c ? c : (x->start_us > y->start_us) - (x->start_us < y->start_us);
}

static bool same_group(const struct cost_table *t, const struct row *x, const struct row *y)
{
    return memcmp(x->values, y->values, t->q->group_count * sizeof x->values[0]) == 0;
}

/* The slots become a list without gaps. */
static void make_list(struct cost_table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->slot_count; i++)
        if (t->slots[i])
            t->slots[n++] = t->slots[i];
    must(n == t->row_count);
}

/* Each row gets what its group had before it. */
static bool make_running(struct cost_table *t)
{
    if (t->row_count)
        qsort_r(t->slots, t->row_count, sizeof(struct row *), compare_grouped, t);
    for (size_t i = 1; i < t->row_count; i++) {
        const struct row *before = t->slots[i - 1];
        struct row *r = t->slots[i];
        if (!same_group(t, before, r))
            continue;
        r->mixed = r->mixed || before->mixed || (r->unit && before->unit && r->unit != before->unit);
        r->unit = r->unit ? r->unit : before->unit;
        r->rows += before->rows;
        r->over_metered = r->over_metered || before->over_metered;
        if (!cost_amount_add(&r->amount, before->amount) || __builtin_add_overflow(r->usage, before->usage, &r->usage))
            return false;
    }
    return true;
}

/* How many different groups there are. */
static uint64_t count_groups(const struct cost_table *t)
{
    if (t->q->bin == COST_BIN_TOTAL)
        return t->row_count;
    struct cost_ids *seen = cost_ids_new(t->q->group_count + 1);
    uint64_t count = 0;
    for (size_t i = 0; i < t->row_count; i++) {
        int64_t wide[COST_GROUPS_MAX + 1] = {0};
        for (unsigned k = 0; k < t->q->group_count; k++)
            wide[k] = t->slots[i]->values[k];
        struct cost_ids_sum *s = cost_ids_find(seen, wide);
        must(s); /* there are fewer rows than it can hold */
        count += s->rows++ == 0;
    }
    cost_ids_free(seen);
    return count;
}

static int compare_counts(const void *a, const void *b, void *context)
{
    const struct cost_table *t = context;
    const struct cost_count *x = a, *y = b;
    return (x->start_us < y->start_us) == t->q->ascending ? -1 : 1;
}

/* The bins in the order in which they are shown, and the rows of each. */
static bool count_bins(struct cost_table *t, struct result *r)
{
    struct cost_ids *bins = cost_ids_new(1);
    struct cost_ids_sum sum;
    const int64_t *start;
    size_t n = 0;
    for (size_t i = 0; i < t->row_count; i++) {
        struct cost_ids_sum *s = cost_ids_find(bins, &t->slots[i]->start_us);
        must(s); /* there are fewer rows than it can hold */
        n += s->rows++ == 0;
    }
    struct cost_count *counts = arena_alloc(t->arena, (n + 1) * sizeof *counts);
    for (size_t i = 0; counts && cost_ids_get(bins, i, &start, &sum); i++)
        counts[i] = (struct cost_count){*start, sum.rows};
    cost_ids_free(bins);
    if (counts && n > 1)
        qsort_r(counts, n, sizeof *counts, compare_counts, t);
    r->public.counts = counts;
    r->public.count_count = n;
    return counts;
}

static bool give_usage(struct cost_table *t, struct result *r)
{
    struct cost_usage *usage = arena_alloc(t->arena, (t->unit_count + 1) * sizeof *usage);
    if (!usage)
        return false;
    for (unsigned i = 0; i < t->unit_count; i++) {
        unsigned at = i;
        struct cost_usage u = {t->texts[t->units[i].text].text, t->units[i].usage};
        for (; at > 0 && str_cmp(usage[at - 1].unit, u.unit) > 0; at--)
            usage[at] = usage[at - 1];
        usage[at] = u;
    }
    r->public.usage = usage;
    r->public.usage_count = t->unit_count;
    return true;
}

static bool give_row(struct cost_table *t, const struct row *from, struct cost_row *to)
{
    unsigned n = t->q->group_count;
    struct str *values = arena_alloc(t->arena, (n + 1) * sizeof *values);
    struct str *names = arena_alloc(t->arena, (n + 1) * sizeof *names);
    if (!values || !names)
        return false;
    for (unsigned i = 0; i < n; i++) {
        values[i] = t->texts[from->values[i]].text;
        names[i] = t->texts[from->values[i]].name;
    }
    *to = (struct cost_row){.start_us = from->start_us,
                            .values = values,
                            .names = names,
                            .amount = from->amount,
                            .unit = from->mixed ? STR("") : t->texts[from->unit].text,
                            .usage = from->mixed ? 0 : from->usage,
                            .rows = from->rows,
                            .over_metered = from->over_metered};
    return true;
}

/*
 * Moves the rows of the bins that the page [from, from + count) has a part of to the front and sorts those;
 * the others need no order. Returns how many rows are before them.
 */
static size_t sort_page(struct cost_table *t, const struct result *r, size_t from, size_t count)
{
    size_t first = 0, before = 0, rows = 0, n = 0, i;
    for (; first < r->public.count_count && before + r->public.counts[first].count <= from; first++)
        before += (size_t)r->public.counts[first].count;
    for (i = first; i < r->public.count_count && before + rows < from + count; i++)
        rows += (size_t)r->public.counts[i].count;
    if (i == first)
        return before;
    int64_t a = r->public.counts[first].start_us, z = r->public.counts[i - 1].start_us;
    for (i = 0; i < t->row_count; i++) {
        int64_t at = t->slots[i]->start_us;
        if ((at >= a && at <= z) || (at >= z && at <= a))
            t->slots[n++] = t->slots[i];
    }
    must(n == rows);
    qsort_r(t->slots, n, sizeof(struct row *), compare_shown, t);
    return before;
}

/* `counts` are there. The list of rows is used up. */
static bool give_page(struct cost_table *t, struct result *r)
{
    uint64_t limit = t->q->limit ? t->q->limit : UINT64_MAX, page = t->q->page ? t->q->page : 1, from;
    if (__builtin_mul_overflow(page - 1, limit, &from) || from > t->row_count)
        from = t->row_count;
    size_t count = t->row_count - (size_t)from;
    if (count > limit)
        count = (size_t)limit;
    struct cost_row *rows = arena_alloc(t->arena, (count + 1) * sizeof *rows);
    if (!rows)
        return false;
    size_t before = sort_page(t, r, (size_t)from, count);
    for (size_t i = 0; i < count; i++)
        if (!give_row(t, t->slots[(size_t)from - before + i], &rows[i]))
            return false;
    r->public.rows = rows;
    r->public.row_count = count;
    r->public.row_total = t->row_count;
    return true;
}

enum err cost_table_end(struct cost_table *t, bool by_day, struct cost_result **ret, struct cost_error *error)
{
    make_list(t);
    if (t->q->bin == COST_BIN_CUMULATIVE && !make_running(t))
        return too_much(error);
    struct result *r = mem_zalloc(sizeof *r);
    r->public.total = t->total;
    r->public.group_total = count_groups(t);
    r->public.by_day = by_day;
    if (!count_bins(t, r) || !give_page(t, r) || !give_usage(t, r)) {
        mem_free(r);
        return too_many(t, error);
    }
    r->arena = t->arena;
    t->arena = NULL;
    *ret = &r->public;
    return ERR_OK;
}

void cost_result_free(struct cost_result *r)
{
    if (!r)
        return;
    struct result *whole = (struct result *)r;
    arena_free(whole->arena);
    mem_free(whole);
}
