/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prices of the catalogue as fractions. A line item says model, tier, long context, quality and size, so it has one price
 * a day. Hourly sums of the ledger do not say whether a context was long: use has the short and the long price, and
 * anything between them is right.
 */
#include "report/reconcile/reconcile_book.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "openai/price.h"
#include "report/bill/bill.h"
#include "report/bill/bill_line.h"
#include "report/match/match_table.h"
#include "report/reconcile/reconcile_wide.h"

#define NOON_US (BILL_DAY_US / 2)

struct reconcile_book {
    const struct price_catalog *prices; /* NULL: no prices */
    struct match_table seen;            /* (kind, id, day) → number of a range */
    struct reconcile_price_range *ranges;
    size_t count, cap;
};

struct reconcile_book *reconcile_book_new(const struct price_catalog *prices)
{
    struct reconcile_book *b = mem_zalloc(sizeof *b);
    b->prices = prices;
    return b;
}

void reconcile_book_free(struct reconcile_book *b)
{
    if (!b)
        return;
    match_table_free(&b->seen);
    mem_free(b->ranges);
    mem_free(b);
}

/* --- units ----------------------------------------------------------------------------------- */

static const struct {
    const char *own, *shown;
    int64_t scale;
} units[] = {
    {"tokens", "Tokens", 1000000000000},         {"milliseconds", "Seconds", 1000000000},
    {"characters", "Characters", 1000000000000}, {"images", "Images", 1000000000000},
    {"calls", "Requests", 1000000000000},        {"sessions", "Sessions", 1000000000000},
};

static unsigned unit_of(unsigned meter)
{
    unsigned i = 0;
    while (strcmp(units[i].own, meter_info((enum meter)meter)->unit) != 0)
        must(++i < sizeof units / sizeof units[0]);
    return i;
}

struct str reconcile_unit(unsigned meter)
{
    return meter < METER_COUNT ? str_c(units[unit_of(meter)].shown) : STR("");
}

int64_t reconcile_unit_scale(unsigned meter)
{
    return meter < METER_COUNT ? units[unit_of(meter)].scale : COST_PER_PUSD;
}

/* --- one price ------------------------------------------------------------------------------- */

static __int128 common(__int128 a, __int128 b)
{
    while (b) {
        __int128 rest = a % b;
        a = b;
        b = rest;
    }
    return a ? a : 1;
}

/* 10^-24 dollars for 10^-12 of a shown unit. */
static struct reconcile_price_of fraction(const struct price_unit *u, unsigned meter)
{
    struct reconcile_price_of p = {.known = true};
    int64_t scale = u->whole_seconds ? COST_PER_PUSD : reconcile_unit_scale(meter);
    __int128 num = (__int128)u->unit_pusd * (COST_PER_PUSD / scale), den = (__int128)u->per * (__int128)u->den;
    __int128 times = (__int128)u->num, by = common(times, den);
    times /= by;
    den /= by;
    by = common(num < 0 ? -num : num, den);
    num /= by;
    den /= by;
    p.known = !__builtin_mul_overflow(num, times, &p.num) && den > 0;
    p.den = den;
    return p;
}

/* The groups of prices that a meter may be in, the likely ones first. */
static const enum price_group groups[] = {PRICE_GROUP_TEXT,     PRICE_GROUP_EMBEDDINGS, PRICE_GROUP_AUDIO,
                                          PRICE_GROUP_IMAGES,   PRICE_GROUP_VIDEOS,     PRICE_GROUP_FINE_TUNING,
                                          PRICE_GROUP_DECISIONS};

static const struct price_entry *find_model(const struct price_catalog *c, struct str model)
{
    char tuned[BILL_LINE_MAX];
    enum price_match match;
    if (!str_starts(model, STR("ft-")))
        return price_find(c, model, &match);
    /* The bill's "ft-gpt-4o-2024-08-06" is a fine-tuned model of no particular name. */
    snprintf(tuned, sizeof tuned, "ft:%.*s::", (int)(model.n < 400 ? model.n - 3 : 397), model.p + 3);
    return price_find(c, str_c(tuned), &match);
}

static struct reconcile_price_of look_up(const struct reconcile_book *b, struct str model, unsigned meter,
                                         struct price_ask *ask)
{
    struct reconcile_price_of none = {.known = false};
    const struct price_entry *entry = b->prices && model.n ? find_model(b->prices, model) : NULL;
    struct price_unit unit;
    for (size_t i = 0; b->prices && i < sizeof groups / sizeof groups[0]; i++) {
        ask->group = groups[i];
        if (price_unit(b->prices, entry, meter, ask, &unit) == PRICE_FOUND)
            return fraction(&unit, meter);
    }
    return none;
}

static struct reconcile_price_range *remembered(struct reconcile_book *b, const int64_t key[3], bool *ret_new)
{
    uint32_t at;
    *ret_new = !match_table_get(&b->seen, key, &at);
    if (!*ret_new)
        return &b->ranges[at];
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 256;
        b->ranges = mem_realloc(b->ranges, b->cap * sizeof *b->ranges);
    }
    at = (uint32_t)b->count++;
    b->ranges[at] = (struct reconcile_price_range){.low.known = false};
    match_table_put(&b->seen, key, at);
    return &b->ranges[at];
}

/* --- line items ------------------------------------------------------------------------------ */

static struct str spelled(const struct bill_line *l, char out[BILL_LINE_MAX])
{
    struct str model = str_c(l->category), dall_e = STR("DALL·E ");
    if (!str_starts(model, dall_e))
        return model;
    snprintf(out, BILL_LINE_MAX, "dall-e-%.*s", STR_ARG(str_from(model, dall_e.n)));
    return str_c(out);
}

/* "standard, 1024x1024" */
static void set_variant(struct str subcategory, struct price_ask *ask)
{
    struct str rest = subcategory, part;
    if (str_split(&rest, ',', &part))
        ask->quality = str_trim(part);
    if (rest.p && str_split(&rest, ',', &part))
        ask->size = str_trim(part);
}

struct reconcile_price_of reconcile_book_item(struct reconcile_book *b, int64_t item, struct str line_item,
                                              const struct match_sku *sku, int64_t day)
{
    const int64_t key[3] = {-1, item, day};
    bool is_new;
    struct reconcile_price_range *r = remembered(b, key, &is_new);
    if (!is_new || sku->meter == METER_COUNT)
        return r->low;
    struct bill_line l;
    char text[BILL_LINE_MAX];
    bill_line_read(line_item, NULL, &l);
    struct price_ask ask = {.tier = sku->tier, .when_us = bill_day_us(day) + NOON_US};
    ask.long_context = str_ends(str_c(l.subcategory), STR("long context"));
    if (sku->meter == METER_IMAGES)
        set_variant(str_c(l.subcategory), &ask);
    r->low = look_up(b, sku->model.n ? spelled(&l, text) : STR(""), sku->meter, &ask);
    r->high = r->low;
    return r->low;
}

bool reconcile_book_seen(const struct reconcile_book *b, int64_t item, int64_t day, struct reconcile_price_of *ret)
{
    const int64_t key[3] = {-1, item, day};
    uint32_t at;
    if (!match_table_get(&b->seen, key, &at))
        return false;
    *ret = b->ranges[at].low;
    return true;
}

/* --- metered use ----------------------------------------------------------------------------- */

/* What the ledger's sums do not tell apart has no single price. */
static bool has_variants(unsigned meter)
{
    return meter == METER_IMAGES || meter == METER_VIDEO_MS || meter == METER_WEB_SEARCH || meter == METER_CODE_SESSION;
}

struct reconcile_price_range reconcile_book_meter(struct reconcile_book *b, int64_t model_id, struct str model,
                                                  const struct match_sku *sku, uint32_t sku_number, int64_t day)
{
    const int64_t key[3] = {sku_number, model_id, day};
    bool is_new;
    struct reconcile_price_range *r = remembered(b, key, &is_new);
    if (!is_new || has_variants(sku->meter))
        return *r;
    struct price_ask ask = {.tier = sku->tier, .when_us = bill_day_us(day) + NOON_US};
    struct reconcile_price_range found = {.low = look_up(b, model, sku->meter, &ask)};
    ask.long_context = true;
    found.high = look_up(b, model, sku->meter, &ask);
    if (!found.high.known)
        found.high = found.low;
    if (!found.low.known)
        found.low = found.high;
    *r = found;
    return found;
}

bool reconcile_book_value(const struct reconcile_price_of *p, money_sum quantity, cost_sum *ret)
{
    bool negative = quantity < 0;
    __int128 value;
    if (!p->known || !reconcile_wide(p->num, negative ? -quantity : quantity, p->den, &value))
        return false;
    *ret = negative ? -value : value;
    return true;
}
