/* SPDX-License-Identifier: Apache-2.0 */
/* What is beside the rows: how far the bill is, prices worth learning, traffic around the gateway, what was left out. */
#include <stdlib.h>

#include "base/mem.h"
#include "report/bill/bill.h"
#include "report/reconcile/reconcile_inner.h"

static cost_sum size_of(cost_sum v)
{
    return v < 0 ? -v : v;
}

/* --- days ------------------------------------------------------------------------------------ */

/* The worst of the organizations' states. */
static enum reconcile_day_state state_of(const struct reconcile_job *j, const int64_t *accounts, size_t count,
                                         int64_t day)
{
    bool young = j->q->now_us < bill_day_us(day + 1) + RECONCILE_SETTLED_US;
    enum reconcile_day_state worst = young ? RECONCILE_DAY_PROVISIONAL : RECONCILE_DAY_FINAL;
    for (size_t i = 0; i < count; i++) {
        const int64_t key[3] = {accounts[i], day, 0};
        uint32_t state;
        if (!match_table_get(&j->days, key, &state))
            return RECONCILE_DAY_MISSING;
        if (state == BILL_DAY_INCONSISTENT + 1 && !young)
            worst = RECONCILE_DAY_INCONSISTENT;
    }
    return count ? worst : RECONCILE_DAY_MISSING;
}

static enum err make_days(struct reconcile_job *j, struct arena *a, struct reconcile *r)
{
    int64_t *accounts, until = bill_day_of(j->q->now_us) + 1;
    size_t count;
    enum err e = reconcile_accounts(j, &accounts, &count);
    if (e != ERR_OK)
        return e;
    until = until < j->q->until_day ? until : j->q->until_day;
    size_t n = until > j->q->from_day ? (size_t)(until - j->q->from_day) : 0;
    struct reconcile_day *days = arena_alloc(a, (n + 1) * sizeof *days);
    if (!days)
        return reconcile_no_room(j);
    bool whole = true;
    r->billed_through = j->q->from_day - 1;
    for (size_t i = 0; i < n; i++) {
        struct reconcile_day *d = &days[i];
        d->day = j->q->from_day + (int64_t)i;
        d->state = state_of(j, accounts, count, d->day);
        whole = whole && (d->state == RECONCILE_DAY_FINAL || d->state == RECONCILE_DAY_INCONSISTENT);
        if (whole)
            r->billed_through = d->day;
        r->provisional += d->state == RECONCILE_DAY_PROVISIONAL;
        r->missing += d->state == RECONCILE_DAY_MISSING;
    }
    for (size_t i = 0; i < j->cell_count; i++) {
        const struct reconcile_cell *c = &j->cells[i];
        if (c->day >= until)
            continue;
        days[c->day - j->q->from_day].billed += c->billed * COST_PER_PUSD;
        days[c->day - j->q->from_day].metered += c->metered * COST_PER_PUSD;
    }
    r->days = days;
    r->day_count = n;
    return ERR_OK;
}

/* --- prices ---------------------------------------------------------------------------------- */

/* By account and sku, over all settled days. */
struct learned {
    uint32_t place, sku;
    cost_sum billed, book, rate;
    money_sum quantity;
    int64_t first, last;
};

static int by_rate(const void *a, const void *b)
{
    cost_sum x = size_of(((const struct reconcile_price *)a)->rate);
    cost_sum y = size_of(((const struct reconcile_price *)b)->rate);
    return x > y ? -1 : x < y;
}

static void learn(const struct reconcile_job *j, struct match_table *index, struct learned *list, size_t *count)
{
    for (size_t i = 0; i < j->cell_count; i++) {
        const struct reconcile_cell *c = &j->cells[i];
        const int64_t key[3] = {match_place(j->match, c->place)->account, c->sku, 0};
        struct reconcile_found f;
        uint32_t at;
        reconcile_gap(j, c, &f);
        if (f.pending || c->billed_quantity <= 0 || !f.sums.rate || match_sku(j->match, c->sku)->meter == METER_COUNT)
            continue;
        if (!match_table_get(index, key, &at)) {
            at = (uint32_t)(*count)++;
            list[at] = (struct learned){.place = c->place, .sku = c->sku, .first = c->day, .last = c->day};
            match_table_put(index, key, at);
        }
        struct learned *l = &list[at];
        l->billed += f.sums.billed;
        l->book += f.sums.book;
        l->rate += f.sums.rate;
        l->quantity += c->billed_quantity;
        l->first = c->day < l->first ? c->day : l->first;
        l->last = c->day > l->last ? c->day : l->last;
    }
}

static bool is_worth(const struct reconcile_query *q, const struct learned *l)
{
    cost_sum part, least = (cost_sum)q->tolerance_pusd * COST_PER_PUSD;
    if (!reconcile_wide(size_of(l->book), q->tolerance_ppm, 1000000, &part))
        part = 0;
    return size_of(l->rate) > (part > least ? part : least);
}

static struct str meter_words(struct arena *a, unsigned meter)
{
    char text[64];
    str_copy(text, sizeof text, str_c(meter_info((enum meter)meter)->text));
    for (char *p = text; *p; p++)
        if (*p == '_')
            *p = ' ';
    return arena_dup(a, str_c(text));
}

static bool make_price(const struct reconcile_job *j, struct arena *a, const struct learned *l,
                       struct reconcile_price *to)
{
    const struct match_sku *s = match_sku(j->match, l->sku);
    *to = (struct reconcile_price){.organization = arena_dup(a, match_place(j->match, l->place)->organization),
                                   .model = arena_dup(a, s->model),
                                   .meter = meter_words(a, s->meter),
                                   .tier = str_c(price_tier_text(s->tier)),
                                   .unit = reconcile_unit(s->meter),
                                   .rate = l->rate,
                                   .quantity = l->quantity,
                                   .first_day = l->first,
                                   .last_day = l->last};
    if (!reconcile_wide(l->billed, COST_PER_PUSD, l->quantity, &to->observed))
        to->observed = 0;
    if (!reconcile_wide(l->book, COST_PER_PUSD, l->quantity, &to->book))
        to->book = 0;
    return to->organization.p && to->model.p && to->meter.p;
}

static enum err make_prices(struct reconcile_job *j, struct arena *a, struct reconcile *r)
{
    struct match_table index = {.count = 0};
    struct learned *list = mem_zalloc((j->cell_count + 1) * sizeof *list);
    size_t count = 0, n = 0;
    learn(j, &index, list, &count);
    match_table_free(&index);
    struct reconcile_price *prices = arena_alloc(a, (count + 1) * sizeof *prices);
    bool room = prices != NULL;
    for (size_t i = 0; room && i < count; i++)
        if (is_worth(j->q, &list[i]))
            room = make_price(j, a, &list[i], &prices[n++]);
    mem_free(list);
    if (!room)
        return reconcile_no_room(j);
    if (n)
        qsort(prices, n, sizeof *prices, by_rate);
    r->prices = prices;
    r->price_count = n < RECONCILE_LIST_MAX ? n : RECONCILE_LIST_MAX;
    return ERR_OK;
}

/* --- shadow traffic -------------------------------------------------------------------------- */

struct seen {
    money_sum billed;
    bool metered;
    int64_t first, last;
};

static int by_billed(const void *a, const void *b)
{
    cost_sum x = ((const struct reconcile_shadow *)a)->billed, y = ((const struct reconcile_shadow *)b)->billed;
    return x > y ? -1 : x < y;
}

static void look(const struct reconcile_job *j, struct seen *places)
{
    for (size_t i = 0; i < j->cell_count; i++) {
        const struct reconcile_cell *c = &j->cells[i];
        struct seen *s = &places[c->place];
        s->metered = s->metered || c->metered || c->metered_quantity;
        if (!c->billed)
            continue;
        s->first = s->billed && s->first < c->day ? s->first : c->day;
        s->last = s->billed && s->last > c->day ? s->last : c->day;
        s->billed += c->billed;
    }
}

static struct str or_any(struct arena *a, int64_t id, struct str text)
{
    return id == MATCH_ANY ? STR("(any)") : arena_dup(a, text);
}

static enum err make_shadows(struct reconcile_job *j, struct arena *a, struct reconcile *r)
{
    size_t count = match_place_count(j->match), n = 0;
    struct seen *places = mem_zalloc((count + 1) * sizeof *places);
    struct reconcile_shadow *list = arena_alloc(a, (count + 1) * sizeof *list);
    bool room = list != NULL;
    look(j, places);
    for (size_t i = 0; room && i < count; i++) {
        const struct match_place *p = match_place(j->match, (uint32_t)i);
        if (places[i].metered || places[i].billed <= 0)
            continue;
        list[n] = (struct reconcile_shadow){.organization = arena_dup(a, p->organization),
                                            .project = or_any(a, p->project, p->project_ext),
                                            .project_name = arena_dup(a, p->project_name),
                                            .key = or_any(a, p->key, p->key_ext),
                                            .key_name = arena_dup(a, p->key_name),
                                            .billed = places[i].billed * COST_PER_PUSD,
                                            .first_day = places[i].first,
                                            .last_day = places[i].last};
        room = list[n].organization.p && list[n].project.p && list[n].project_name.p && list[n].key.p &&
               list[n].key_name.p;
        n++;
    }
    mem_free(places);
    if (!room)
        return reconcile_no_room(j);
    if (n)
        qsort(list, n, sizeof *list, by_billed);
    r->shadows = list;
    r->shadow_count = n < RECONCILE_LIST_MAX ? n : RECONCILE_LIST_MAX;
    return ERR_OK;
}

/* --- what was left out ----------------------------------------------------------------------- */

static int by_attempts(const void *a, const void *b)
{
    const struct reconcile_unpriced *x = a, *y = b;
    return x->attempts > y->attempts ? -1 : x->attempts < y->attempts;
}

static enum err make_left_out(struct reconcile_job *j, struct arena *a, struct reconcile *r)
{
    size_t n = j->excluded.count, u = j->unpriced_count < RECONCILE_LIST_MAX ? j->unpriced_count : RECONCILE_LIST_MAX;
    struct reconcile_excluded *excluded = arena_alloc(a, (n + 1) * sizeof *excluded);
    struct reconcile_unpriced *unpriced = arena_alloc(a, (u + 1) * sizeof *unpriced);
    if (!excluded || !unpriced)
        return reconcile_no_room(j);
    if (j->unpriced_count)
        qsort(j->unpriced, j->unpriced_count, sizeof *j->unpriced, by_attempts);
    for (size_t i = 0; i < n; i++) {
        excluded[i] = j->excluded.list[i];
        excluded[i].integration = arena_dup(a, excluded[i].integration);
        if (!excluded[i].integration.p)
            return reconcile_no_room(j);
    }
    for (size_t i = 0; i < u; i++) {
        unpriced[i] = j->unpriced[i];
        unpriced[i].model = arena_dup(a, unpriced[i].model);
        if (!unpriced[i].model.p)
            return reconcile_no_room(j);
    }
    r->excluded = excluded;
    r->excluded_count = n;
    r->unpriced = unpriced;
    r->unpriced_count = u;
    return ERR_OK;
}

enum err reconcile_lists_make(struct reconcile_job *j, struct arena *a, struct reconcile *r)
{
    enum err e = make_days(j, a, r);
    if (e == ERR_OK)
        e = make_prices(j, a, r);
    if (e == ERR_OK)
        e = make_shadows(j, a, r);
    return e == ERR_OK ? make_left_out(j, a, r) : e;
}
