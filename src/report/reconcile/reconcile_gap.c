/* SPDX-License-Identifier: Apache-2.0 */
/* One cell: what both sides are worth by the catalogue, the three gaps, what they come from, and what that makes it. */
#include "report/bill/bill.h"
#include "report/reconcile/reconcile_inner.h"

#define UNBILLED_US (INT64_C(72) * 3600 * 1000000)
#define ROUNDING_PUSD 1000
#define ROUNDING_PART 10000000

static cost_sum size_of(cost_sum v)
{
    return v < 0 ? -v : v;
}

/* --- values ---------------------------------------------------------------------------------- */

/* An amount that is `value` but for rounding is taken for it. */
static cost_sum snapped(cost_sum value, cost_sum amount)
{
    cost_sum room = (cost_sum)ROUNDING_PUSD * COST_PER_PUSD + size_of(amount) / ROUNDING_PART;
    return size_of(value - amount) <= room ? amount : value;
}

/* Vm. What has no price in the catalogue is worth what it was metered at, else what it was billed at. */
static cost_sum metered_value(const struct reconcile_cell *c)
{
    cost_sum own = c->metered * COST_PER_PUSD, plain = c->plain_metered * COST_PER_PUSD;
    bool unpriced = !c->plain_metered && c->plain_metered_quantity > 0;
    if (unpriced && c->billed_quantity > 0 &&
        !reconcile_wide(c->billed * COST_PER_PUSD, c->plain_metered_quantity, c->billed_quantity, &plain))
        plain = 0;
    return snapped(c->book_metered + plain, own);
}

/* Vb. What has no price in the catalogue is worth what was metered for as much, else what it was billed at. */
static cost_sum billed_value(const struct reconcile_cell *c, cost_sum metered)
{
    cost_sum own = c->billed * COST_PER_PUSD, plain = c->plain_billed * COST_PER_PUSD;
    if (c->plain_quantity > 0 && c->metered_quantity > 0 && metered > 0 &&
        !reconcile_wide(metered, c->plain_quantity, c->metered_quantity, &plain))
        plain = c->plain_billed * COST_PER_PUSD;
    return snapped(c->book_billed + plain, own);
}

/* The share of B that bypassed the gateway. */
static cost_sum unattributed(const struct reconcile_cell *c)
{
    cost_sum billed = c->billed * COST_PER_PUSD, part;
    if (c->billed_quantity > 0) {
        money_sum missing = c->billed_quantity - c->metered_quantity;
        if (missing <= 0)
            return 0;
        return reconcile_wide(billed, missing, c->billed_quantity, &part) ? part : billed;
    }
    part = billed - c->metered * COST_PER_PUSD;
    return billed <= 0 || part < 0 ? (billed < 0 ? billed : 0) : part;
}

/* --- causes ---------------------------------------------------------------------------------- */

static enum reconcile_cause volume_cause(const struct reconcile_job *j, const struct reconcile_cell *c, cost_sum volume)
{
    bool batch = match_sku(j->match, c->sku)->tier == PRICE_TIER_BATCH;
    bool few = c->estimated > 0 && size_of(volume) <= c->estimated * COST_PER_PUSD;
    if (few || reconcile_usage_cut(j, c))
        return RECONCILE_CAUSE_ESTIMATED;
    if (volume < 0)
        return RECONCILE_CAUSE_NOT_ON_BILL;
    return batch && !c->metered_quantity ? RECONCILE_CAUSE_BATCH : RECONCILE_CAUSE_BYPASSED;
}

static void set_causes(const struct reconcile_job *j, const struct reconcile_cell *c, bool pending,
                       struct reconcile_sums *s)
{
    bool free = !c->billed && c->billed_quantity > 0;
    if (pending) {
        s->cause[RECONCILE_CAUSE_PENDING] = s->billed - s->metered;
        return;
    }
    s->cause[volume_cause(j, c, s->volume)] += s->volume;
    s->cause[free ? RECONCILE_CAUSE_FREE : RECONCILE_CAUSE_PRICE] += s->rate;
    s->cause[c->unpriced_quantity ? RECONCILE_CAUSE_UNPRICED : RECONCILE_CAUSE_OWN_PRICE] += s->pricing;
}

/* --- status ---------------------------------------------------------------------------------- */

static bool is_pending(const struct reconcile_job *j, const struct reconcile_cell *c)
{
    const int64_t key[3] = {match_place(j->match, c->place)->account, c->day, 0};
    int64_t ended = bill_day_us((int64_t)c->day + 1);
    uint32_t state;
    if (!match_table_get(&j->days, key, &state) || j->q->now_us < ended + RECONCILE_SETTLED_US)
        return true;
    return !c->billed_rows && j->q->now_us < ended + UNBILLED_US;
}

static bool within(const struct reconcile_query *q, cost_sum gap, cost_sum billed, cost_sum metered)
{
    cost_sum larger = size_of(billed) > size_of(metered) ? size_of(billed) : size_of(metered);
    cost_sum least = (cost_sum)q->tolerance_pusd * COST_PER_PUSD, part;
    if (!reconcile_wide(larger, q->tolerance_ppm, 1000000, &part))
        part = 0;
    return size_of(gap) <= (part > least ? part : least);
}

enum reconcile_status reconcile_status_of(const struct reconcile_query *q, const struct reconcile_sums *all,
                                          const struct reconcile_sums *settled)
{
    const struct reconcile_sums *s = settled;
    bool none = !s->billed && !s->metered && !s->billed_quantity && !s->metered_quantity;
    /* What is without a price has no amount that could be pending, but a quantity. */
    bool was_pending = all->pending_billed || all->pending_metered || all->billed_quantity || all->metered_quantity;
    if (none && was_pending)
        return RECONCILE_PENDING;
    if (!s->billed && !s->metered && s->unpriced_quantity)
        return RECONCILE_VARIANCE; /* how large nobody knows */
    if (s->billed > 0 && !s->metered && !s->metered_quantity && !s->attempts)
        return RECONCILE_UNMETERED;
    if (!s->billed && !s->billed_quantity && s->metered > 0)
        return RECONCILE_UNBILLED;
    if (within(q, s->billed - s->metered, s->billed, s->metered))
        return RECONCILE_MATCHED;
    if (s->metered > s->billed && s->volume < 0 && !within(q, s->volume, s->billed, s->metered))
        return RECONCILE_OVER_METERED;
    return RECONCILE_VARIANCE;
}

enum reconcile_cause reconcile_cause_of(enum reconcile_status status, const struct reconcile_sums *all)
{
    enum reconcile_cause best = RECONCILE_CAUSE_NONE;
    if (status == RECONCILE_MATCHED)
        return best;
    if (status == RECONCILE_PENDING)
        return RECONCILE_CAUSE_PENDING;
    for (unsigned i = RECONCILE_CAUSE_NONE + 1; i < RECONCILE_CAUSE_PENDING; i++)
        if (size_of(all->cause[i]) > size_of(all->cause[best]))
            best = (enum reconcile_cause)i;
    return best == RECONCILE_CAUSE_NONE && all->unpriced_quantity ? RECONCILE_CAUSE_UNPRICED : best;
}

/* --- a cell ---------------------------------------------------------------------------------- */

void reconcile_gap(const struct reconcile_job *j, const struct reconcile_cell *c, struct reconcile_found *ret)
{
    static const struct reconcile_sums nothing;
    struct reconcile_sums *s = &ret->sums;
    cost_sum metered = metered_value(c), billed = billed_value(c, metered);
    *s = (struct reconcile_sums){.billed = c->billed * COST_PER_PUSD,
                                 .metered = c->metered * COST_PER_PUSD,
                                 .volume = billed - metered,
                                 .unattributed = unattributed(c),
                                 .book = billed,
                                 .estimated = c->estimated * COST_PER_PUSD,
                                 .billed_quantity = c->billed_quantity,
                                 .metered_quantity = c->metered_quantity,
                                 .unpriced_quantity = c->unpriced_quantity,
                                 .attempts = c->attempts,
                                 .estimated_attempts = c->estimated_attempts,
                                 .unpriced_attempts = c->unpriced_attempts};
    s->rate = s->billed - billed;
    s->pricing = metered - s->metered;
    s->attributed = s->billed - s->unattributed;
    ret->pending = is_pending(j, c);
    if (ret->pending) {
        s->pending_billed = s->billed;
        s->pending_metered = s->metered;
    }
    set_causes(j, c, ret->pending, s);
    ret->status = ret->pending ? RECONCILE_PENDING : reconcile_status_of(j->q, s, ret->pending ? &nothing : s);
    ret->cause = reconcile_cause_of(ret->status, s);
}

bool reconcile_sums_add(struct reconcile_sums *to, const struct reconcile_sums *from)
{
    cost_sum *const tos[] = {&to->billed,    &to->metered,        &to->volume,         &to->rate,
                             &to->pricing,   &to->attributed,     &to->unattributed,   &to->book,
                             &to->estimated, &to->pending_billed, &to->pending_metered};
    const cost_sum froms[] = {from->billed,    from->metered,        from->volume,         from->rate,
                              from->pricing,   from->attributed,     from->unattributed,   from->book,
                              from->estimated, from->pending_billed, from->pending_metered};
    bool ok = true;
    for (size_t i = 0; i < sizeof tos / sizeof tos[0]; i++)
        ok = cost_amount_add(tos[i], froms[i]) && ok;
    for (unsigned i = 0; i < RECONCILE_CAUSE_COUNT; i++)
        ok = cost_amount_add(&to->cause[i], from->cause[i]) && ok;
    to->billed_quantity += from->billed_quantity;
    to->metered_quantity += from->metered_quantity;
    to->unpriced_quantity += from->unpriced_quantity;
    to->attempts += from->attempts;
    to->estimated_attempts += from->estimated_attempts;
    to->unpriced_attempts += from->unpriced_attempts;
    return ok;
}
