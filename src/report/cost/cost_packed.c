/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole months out of packs (bill_pack.h). One statement over the places says which of them count and what
 * group each is of; that is asked once, whatever the number of months. Then each month is a
 * run over its pack with two look-ups in arrays an entry: place to group, group to sums.
 */
#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill.h"
#include "report/bill/bill_pack.h"
#include "report/cost/cost_dates.h"
#include "report/cost/cost_sql.h"

#define FIXED_COLUMNS 3 /* bin (always 0 here), weight, unit */
#define PLACES_MAX (INT64_C(1) << 28)
#define MORE_MAX 50000000

/* One of several groups of a place. */
struct more {
    uint32_t group, next; /* both + 1 */
};

struct work {
    const struct cost_packed *p;
    struct cost_ids *ids; /* a key a group */
    uint32_t *groups;     /* by place: number of its group + 1, 0 = does not count; owned */
    struct more *more;    /* split tags: the groups are here, and `groups` is the number of the first + 1; owned */
    size_t more_count, more_cap;
    size_t group_count;
    int64_t place_max;
    struct cost_ids_sum *sums; /* by group, of the bin that is being read; owned */
    struct cost_part *parts;   /* by group; owned */
    int64_t bin;               /* its first month; -1 while nothing has been read */
};

static enum err too_many(const struct work *w)
{
    cost_error_set(w->p->s->error, "Too many groups; ask for a shorter time or fewer groupings.");
    return ERR_BAD_PARAMETER;
}

/* --- places ---------------------------------------------------------------------------------- */

static enum err make_map(struct work *w)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(w->p->db, "SELECT MAX(id) FROM places", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    must(row);
    w->place_max = store_i64(st, 0);
    store_done(st);
    if (w->place_max < 0 || w->place_max > PLACES_MAX)
        return ERR_CORRUPT;
    w->groups = mem_zalloc(((size_t)w->place_max + 1) * sizeof *w->groups);
    return ERR_OK;
}

static enum err add_more(struct work *w, int64_t place, uint32_t group)
{
    if (w->more_count >= MORE_MAX)
        return too_many(w);
    if (w->more_count == w->more_cap) {
        w->more_cap = w->more_cap ? w->more_cap * 2 : 1024;
        w->more = mem_realloc(w->more, w->more_cap * sizeof *w->more);
    }
    w->more[w->more_count++] = (struct more){group, w->groups[place]};
    w->groups[place] = (uint32_t)w->more_count;
    return ERR_OK;
}

static enum err add_place(struct work *w, struct store_stmt *st)
{
    int64_t key[FIXED_COLUMNS + COST_COLUMNS_MAX] = {0}, place = store_i64(st, 0);
    for (unsigned i = 1; i < FIXED_COLUMNS + cost_sql_column_count(w->p->s); i++)
        key[i] = store_i64(st, (int)i);
    struct cost_ids_sum *sum = cost_ids_find(w->ids, key);
    if (!sum)
        return too_many(w);
    if (place <= 0 || place > w->place_max)
        return ERR_CORRUPT;
    uint32_t group = (uint32_t)cost_ids_last(w->ids) + 1;
    if (group > w->group_count)
        w->group_count = group;
    if (w->p->s->split_count)
        return add_more(w, place, group);
    w->groups[place] = group;
    return ERR_OK;
}

static enum err read_places(struct work *w)
{
    struct store_stmt *st;
    bool row;
    enum err e = cost_sql_prepare(w->p->s, w->p->db, w->p->sql, &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_place(w, st);
        if (e != ERR_OK)
            break;
    }
    store_drop(st);
    return e;
}

static enum err make_parts(struct work *w)
{
    const int64_t *key;
    struct cost_ids_sum none;
    enum err e = ERR_OK;
    w->sums = mem_zalloc((w->group_count + 1) * sizeof *w->sums);
    w->parts = mem_zalloc((w->group_count + 1) * sizeof *w->parts);
    for (size_t i = 0; e == ERR_OK && cost_ids_get(w->ids, i, &key, &none); i++)
        e = w->p->part(w->p->context, key, &w->parts[i]);
    return e;
}

/* --- months ---------------------------------------------------------------------------------- */

static int64_t bin_of(const struct cost_query *q, int64_t month)
{
    if (q->bin == COST_BIN_TOTAL)
        return 0;
    return q->bin == COST_BIN_QUARTER ? month - month % 3 : month;
}

/* What the bin adds up to goes into the table, and the sums are zero again. */
static enum err end_bin(struct work *w)
{
    const struct cost_query *q = w->p->s->q;
    int64_t day = q->bin == COST_BIN_TOTAL ? q->from_day : bill_month_day(w->bin);
    for (size_t i = 0; i < w->group_count; i++) {
        struct cost_ids_sum *sum = &w->sums[i];
        struct cost_part *part = &w->parts[i];
        if (!sum->rows)
            continue;
        part->start_us = bill_day_us(day);
        part->pusd = sum->pusd;
        part->usage = sum->usage;
        part->rows = sum->rows;
        enum err e = cost_table_add(w->p->table, part, w->p->s->error);
        if (e != ERR_OK)
            return e;
        *sum = (struct cost_ids_sum){.rows = 0};
    }
    return ERR_OK;
}

static void add_sum(struct work *w, uint32_t group, const struct bill_pack_sum *s)
{
    struct cost_ids_sum *sum = &w->sums[group - 1];
    sum->pusd += bill_money(s->micro, s->pico);
    sum->usage += (money_sum)s->quantity * COST_PER_PUSD + (money_sum)s->nano * 1000;
    sum->rows += (uint64_t)s->rows;
}

static enum err add_pack(struct work *w, struct str pack)
{
    struct wire in = wire_of(pack.p, pack.n);
    struct bill_pack_sum s = {.place = 0};
    while (bill_pack_get(&in, &s)) {
        uint32_t at = s.place <= w->place_max ? w->groups[s.place] : 0;
        if (at && !w->more)
            add_sum(w, at, &s);
        for (; at && w->more; at = w->more[at - 1].next)
            add_sum(w, w->more[at - 1].group, &s);
    }
    return in.bad ? ERR_CORRUPT : ERR_OK;
}

static enum err add_month(struct work *w, struct store_stmt *st)
{
    int64_t bin = bin_of(w->p->s->q, store_i64(st, 0));
    enum err e = w->bin >= 0 && bin != w->bin ? end_bin(w) : ERR_OK;
    w->bin = bin;
    return e == ERR_OK ? add_pack(w, store_text(st, 1)) : e;
}

static enum err read_months(struct work *w)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(w->p->db,
                               "SELECT month, sums FROM month_pack WHERE account IN (SELECT value FROM json_each(?1))"
                               " AND month>=?2 AND month<?3 ORDER BY month",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, w->p->accounts);
    store_bind_i64(st, 2, w->p->from);
    store_bind_i64(st, 3, w->p->until);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_month(w, st);
        if (e != ERR_OK)
            break;
    }
    store_clear(st);
    return e == ERR_OK && w->bin >= 0 ? end_bin(w) : e;
}

enum err cost_packed_run(const struct cost_packed *p)
{
    struct work w = {.p = p, .ids = cost_ids_new(FIXED_COLUMNS + cost_sql_column_count(p->s)), .bin = -1};
    enum err e = make_map(&w);
    if (e == ERR_OK)
        e = read_places(&w);
    if (e == ERR_OK)
        e = make_parts(&w);
    if (e == ERR_OK)
        e = read_months(&w);
    cost_ids_free(w.ids);
    mem_free(w.groups);
    mem_free(w.more);
    mem_free(w.sums);
    mem_free(w.parts);
    return e;
}
