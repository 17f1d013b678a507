/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metered side, from the hourly sums. What is no exchange with OpenAI is left out: answers out of the cache. What
 * cannot be compared is counted by its reason. Retries, fallbacks and discarded answers are attempts like any other.
 */
#include "base/mem.h"
#include "ledger/record_routing.h"
#include "ledger/rollup.h"
#include "ledger/schema.h"
#include "openai/cost.h"
#include "report/match/match_links.h"
#include "report/reconcile/reconcile_inner.h"

#define HOURS 24
#define UNPRICED_MAX 100000

#define SELECT_ROLLUPS                                                                                            \
    "SELECT r.hour, c.workspace_id, c.integration_id, CASE c.model_answered WHEN 0 THEN c.model_asked ELSE"       \
    " c.model_answered END AS model, m.text, t.text, c.cost_state, " ROLLUP_SUM_COLUMNS                           \
    " FROM rollups AS r CROSS JOIN combos AS c LEFT JOIN dims AS m ON m.id = model LEFT JOIN dims AS t ON t.id =" \
    " c.service_tier WHERE c.id = r.combo AND r.hour >= ?1 AND r.hour < ?2 AND c.cache NOT IN (?3, ?4)"
#define FIRST_SUM 7

/* One row of sums. */
struct row {
    int64_t day;
    int64_t model_id;
    struct str model, tier;
    bool estimated, unpriced;
    uint32_t place;
    const struct sums *sums;
};

/* --- what has no cell ------------------------------------------------------------------------ */

static const struct match_link *link_of(const struct reconcile_job *j, int64_t integration)
{
    for (size_t i = 0; i < j->q->link_count; i++)
        if (j->q->links[i].integration == integration)
            return &j->q->links[i];
    return NULL;
}

static void exclude(struct reconcile_job *j, enum match_miss why, int64_t integration, const struct sums *s)
{
    struct reconcile_excluded_list *x = &j->excluded;
    const struct match_link *link = link_of(j, integration);
    struct str name = link ? link->name : STR("");
    size_t i = 0;
    if (!s->cost_pusd)
        return;
    while (i < x->count && !(x->list[i].reason == why && str_eq(x->list[i].integration, name)))
        i++;
    if (i == x->count) {
        if (x->count == RECONCILE_LIST_MAX)
            i = x->count - 1;
        else if (x->count == x->cap) {
            x->cap = x->cap ? x->cap * 2 : 16;
            x->list = mem_realloc(x->list, x->cap * sizeof *x->list);
        }
        if (i == x->count)
            x->list[x->count++] = (struct reconcile_excluded){.reason = why, .integration = name};
    }
    x->list[i].metered += s->cost_pusd * COST_PER_PUSD;
    x->list[i].attempts += s->attempts;
}

static enum err note_unpriced(struct reconcile_job *j, struct str model, uint64_t attempts)
{
    size_t i = 0;
    while (i < j->unpriced_count && !str_eq(j->unpriced[i].model, model))
        i++;
    if (i == UNPRICED_MAX)
        return ERR_OK;
    if (i == j->unpriced_count) {
        if (i == j->unpriced_cap) {
            j->unpriced_cap = j->unpriced_cap ? j->unpriced_cap * 2 : 16;
            j->unpriced = mem_realloc(j->unpriced, j->unpriced_cap * sizeof *j->unpriced);
        }
        struct str kept = arena_dup(j->arena, model);
        if (!kept.p)
            return reconcile_no_room(j);
        j->unpriced[j->unpriced_count++] = (struct reconcile_unpriced){.model = kept};
    }
    j->unpriced[i].attempts += attempts;
    return ERR_OK;
}

/* --- into cells ------------------------------------------------------------------------------ */

/*
 * What the catalogue makes of it. Between the short and the long price everything is right, so that is the value
 * itself; outside the nearer bound is.
 */
static bool book_value(const struct reconcile_price_range *price, money_sum quantity, money_sum metered, bool unpriced,
                       cost_sum *ret)
{
    cost_sum low, high, own = metered * COST_PER_PUSD;
    if (!reconcile_book_value(&price->low, quantity, &low) || !reconcile_book_value(&price->high, quantity, &high))
        return false;
    *ret = unpriced || own < low ? low : own > high ? high : own;
    return true;
}

static enum err add_meter(struct reconcile_job *j, const struct row *r, unsigned meter, money_sum part, bool first)
{
    money_sum quantity = (money_sum)r->sums->quantity[meter] * reconcile_unit_scale(meter);
    uint32_t sku = match_meter(j->match, r->model, meter, r->tier, false);
    struct reconcile_cell *c = reconcile_cell(j, r->day, r->place, sku);
    cost_sum value;
    if (!c)
        return ERR_BAD_PARAMETER;
    struct reconcile_price_range price =
        reconcile_book_meter(j->book, r->model_id, r->model, match_sku(j->match, sku), sku, r->day);
    c->metered += part;
    c->metered_quantity += quantity;
    c->estimated += r->estimated ? part : 0;
    c->unpriced_quantity += r->unpriced ? quantity : 0;
    if (book_value(&price, quantity, part, r->unpriced, &value) && cost_amount_add(&c->book_metered, value)) {
        /* the catalogue knows it */
    } else {
        c->plain_metered += part;
        c->plain_metered_quantity += quantity;
    }
    if (first) {
        c->attempts += r->sums->attempts;
        c->estimated_attempts += r->estimated ? r->sums->attempts : 0;
        c->unpriced_attempts += r->unpriced ? r->sums->attempts : 0;
    }
    return ERR_OK;
}

static enum err add_row(struct reconcile_job *j, const struct row *r)
{
    money_sum rest = r->sums->cost_pusd;
    unsigned first = METER_COUNT;
    for (unsigned m = METER_COUNT; m-- > 0;) {
        rest -= r->sums->part_pusd[m];
        if (r->sums->quantity[m] || r->sums->part_pusd[m])
            first = m;
    }
    /* Parts add up to the total; if they ever did not, nothing is lost. */
    if (rest && first == METER_COUNT)
        first = METER_INPUT;
    if (first < METER_COUNT)
        reconcile_usage_seen(j, r->day, r->place, r->model, r->sums->attempts, r->estimated);
    enum err e = r->unpriced ? note_unpriced(j, r->model, r->sums->attempts) : ERR_OK;
    for (unsigned m = first; e == ERR_OK && m < METER_COUNT; m++) {
        money_sum part = r->sums->part_pusd[m] + (m == first ? rest : 0);
        if (r->sums->quantity[m] || part)
            e = add_meter(j, r, m, part, m == first);
    }
    return e;
}

static enum err read_row(struct reconcile_job *j, struct store_stmt *st)
{
    struct sums sums;
    enum match_miss miss;
    int64_t hour = store_i64(st, 0), integration = store_i64(st, 2), state = store_i64(st, 6);
    enum err e = rollup_read(st, FIRST_SUM, &sums);
    if (e != ERR_OK)
        return reconcile_store_failed(j, j->ledger, e);
    uint32_t place = match_metered(j->match, integration, store_i64(st, 1), hour * SCHEMA_HOUR_US, &miss);
    if (place == MATCH_NONE) {
        if (miss != MATCH_MISS_NO)
            exclude(j, miss, integration, &sums);
        return ERR_OK;
    }
    struct row r = {.day = hour / HOURS,
                    .model_id = store_i64(st, 3),
                    .model = store_text(st, 4),
                    .tier = store_text(st, 5),
                    .estimated = state == COST_ESTIMATED,
                    .unpriced = state == COST_UNPRICED,
                    .place = place,
                    .sums = &sums};
    return add_row(j, &r);
}

enum err reconcile_metered_links(struct reconcile_job *j, const bool **ret_used)
{
    const struct reconcile_query *q = j->q;
    bool *used = arena_alloc(j->arena, q->link_count + 1);
    if (!used)
        return reconcile_no_room(j);
    *ret_used = used;
    enum err e = match_links_used(j->ledger, q->links, q->link_count, q->from_day, q->until_day, used);
    return e == ERR_OK ? e : reconcile_store_failed(j, j->ledger, e);
}

enum err reconcile_metered_read(struct reconcile_job *j)
{
    struct store_stmt *st;
    bool row;
    enum err e = j->ledger ? store_prepare(j->ledger, SELECT_ROLLUPS, &st) : ERR_OK;
    if (e != ERR_OK || !j->ledger)
        return e == ERR_OK ? e : reconcile_store_failed(j, j->ledger, e);
    store_bind_i64(st, 1, j->q->from_day * HOURS);
    store_bind_i64(st, 2, j->q->until_day * HOURS);
    store_bind_i64(st, 3, RECORD_CACHE_HIT);
    store_bind_i64(st, 4, RECORD_CACHE_SEMANTIC_HIT);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = read_row(j, st);
        if (e != ERR_OK) {
            store_done(st);
            return e;
        }
    }
    return e == ERR_OK ? e : reconcile_store_failed(j, j->ledger, e);
}
