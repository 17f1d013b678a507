/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic is one multiplication a meter; what takes the lines is to never be quietly wrong.
 * The order of the questions: is there anything to pay at all; is the operation known; which prices
 * has the model; which of them hold for this tier, context, host and time. The first question
 * without an answer ends it with that reason.
 */
#include "openai/cost.h"

#include "base/money.h"
#include "base/must.h"
#include "openai/price_list.h"
#include "openai/price_rows.h"

const char *cost_state_text(enum cost_state s)
{
    static const char *const texts[COST_STATE_COUNT] = {
#define X(name, text, what) text,
        COST_STATE_TABLE(X)
#undef X
    };
    must(s < COST_STATE_COUNT);
    return texts[s];
}

const char *cost_reason_text(enum cost_reason r)
{
    static const char *const texts[COST_REASON_COUNT] = {
#define X(name, text, what) text,
        COST_REASON_TABLE(X)
#undef X
    };
    must(r < COST_REASON_COUNT);
    return texts[r];
}

const char *cost_reason_sentence(enum cost_reason r)
{
    static const char *const sentences[COST_REASON_COUNT] = {
#define X(name, text, what) what,
        COST_REASON_TABLE(X)
#undef X
    };
    must(r < COST_REASON_COUNT);
    return sentences[r];
}

/* Drops what was computed so far: a cost with a hole has no amount. */
static void unpriced(struct cost *cost, enum cost_reason reason, enum meter meter)
{
    memset(cost->part_pusd, 0, sizeof cost->part_pusd);
    cost->total_pusd = 0;
    cost->price_row = 0;
    cost->state = COST_UNPRICED;
    cost->reason = reason;
    cost->meter = meter;
}

/* Marks an amount as approximate; the first reason stays. */
static void estimated(struct cost *cost, enum cost_reason reason, enum meter meter)
{
    if (cost->state == COST_ESTIMATED)
        return;
    cost->state = COST_ESTIMATED;
    cost->reason = reason;
    cost->meter = meter;
}

static enum cost_reason reason_of(enum price_missing missing)
{
    switch (missing) {
    case PRICE_NO_MODEL:
        return COST_REASON_MODEL;
    case PRICE_NO_METER:
        return COST_REASON_METER;
    case PRICE_NO_PERIOD:
        return COST_REASON_PERIOD;
    case PRICE_NO_TIER:
        return COST_REASON_TIER;
    case PRICE_NO_VARIANT:
        return COST_REASON_VARIANT;
    case PRICE_FOUND:
        break;
    }
    return COST_REASON_EXACT;
}

/* All that counts towards the long context: the input, however it was read. Saturates. */
static uint64_t input_tokens(const struct usage *u)
{
    static const uint8_t meters[] = {METER_INPUT,       METER_CACHED,       METER_CACHE_WRITE, METER_CACHE_WRITE_12H,
                                     METER_AUDIO_INPUT, METER_AUDIO_CACHED, METER_IMAGE_INPUT, METER_IMAGE_CACHED};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof meters; i++)
        if (__builtin_add_overflow(sum, u->quantity[meters[i]], &sum))
            return UINT64_MAX;
    return sum;
}

static bool any_quantity(const struct usage *u)
{
    for (unsigned m = 0; m < METER_COUNT; m++)
        if (u->quantity[m])
            return true;
    return false;
}

/*
 * The answers that need no price. True when the cost is settled: the operation is free or not
 * known, nothing was consumed, or nobody counted what was.
 */
static bool settled(enum price_group group, const struct usage *u, bool used, struct cost *cost)
{
    if (group == PRICE_GROUP_FREE)
        cost->state = COST_FREE;
    else if (group == PRICE_GROUP_UNKNOWN)
        unpriced(cost, COST_REASON_OPERATION, METER_COUNT);
    else if (u->source == USAGE_UNKNOWN)
        unpriced(cost, COST_REASON_USAGE, METER_COUNT);
    else if (used)
        return false;
    else if (group == PRICE_GROUP_UNMETERED)
        unpriced(cost, COST_REASON_USAGE, METER_COUNT);
    else if (u->source != USAGE_NONE)
        return false;
    return true;
}

/* What a price depends on besides the meter. */
struct terms {
    const struct price_entry *entry;
    struct price_ask ask;
    struct str quality, size; /* of images and video */
};

static struct terms terms_of(const struct price_catalog *c, const struct price_query *q, const struct usage *u,
                             enum price_group group, struct cost *cost)
{
    struct terms t = {
        .entry = price_find(c, q->model, &cost->match),
        .ask = {.group = group, .regional = q->regional, .when_us = q->when_us},
        .quality = q->quality.n ? q->quality : str_c(u->quality),
        .size = q->size.n ? q->size : str_c(u->size),
    };
    t.ask.tier = cost->tier = q->batch ? PRICE_TIER_BATCH : price_tier_of(q->service_tier);
    if (t.entry && input_tokens(u) > price_threshold(t.entry, group, q->when_us)) {
        /* Of a sum nobody knows which requests were long: the short price, as an estimate. */
        if (q->aggregate)
            estimated(cost, COST_REASON_AGGREGATE, METER_COUNT);
        else
            t.ask.long_context = cost->long_context = true;
    }
    return t;
}

/* Quality and size mean something for few meters, and for each something else. */
static void set_variant(struct terms *t, const struct price_query *q, unsigned meter)
{
    t->ask.quality = STR("");
    t->ask.size = STR("");
    if (meter == METER_IMAGES || meter == METER_VIDEO_MS || meter == METER_AUDIO_MS)
        t->ask.quality = t->quality;
    if (meter == METER_IMAGES || meter == METER_VIDEO_MS)
        t->ask.size = t->size;
    if (meter == METER_WEB_SEARCH && q->web_search_preview)
        t->ask.quality = STR("preview");
    if (meter == METER_CODE_SESSION)
        t->ask.size = q->container;
}

/* Half up, as whisper's seconds are. */
static uint64_t billable(const struct price_unit *unit, uint64_t quantity)
{
    if (!unit->whole_seconds)
        return quantity;
    return quantity / 1000 + (quantity % 1000 >= 500);
}

/* Prices one meter; false, and the cost is unpriced, when that is not possible. */
static bool add_part(const struct price_catalog *c, struct terms *t, const struct price_query *q, unsigned meter,
                     uint64_t quantity, struct price_unit *unit, struct cost *cost)
{
    set_variant(t, q, meter);
    enum price_missing missing = price_unit(c, t->entry, meter, &t->ask, unit);
    if (missing != PRICE_FOUND) {
        unpriced(cost, reason_of(missing), (enum meter)meter);
        return false;
    }
    int64_t *part = &cost->part_pusd[meter];
    if (!money_multiply(billable(unit, quantity), unit->unit_pusd, unit->num, unit->per * unit->den, part) ||
        !money_add(&cost->total_pusd, *part)) {
        unpriced(cost, COST_REASON_OVERFLOW, (enum meter)meter);
        return false;
    }
    if (!cost->price_row)
        cost->price_row = unit->row;
    if (unit->estimate)
        estimated(cost, COST_REASON_ROUGH_PRICE, (enum meter)meter);
    return true;
}

void cost_of(const struct price_catalog *c, const struct price_query *query, const struct usage *usage,
             struct cost *ret_cost)
{
    struct cost cost = {.state = COST_NONE, .meter = METER_COUNT};
    enum price_group group = price_group_of(c, query->operation);
    bool used = any_quantity(usage), paid = !used;
    *ret_cost = cost;
    if (settled(group, usage, used, ret_cost))
        return;
    cost.state = COST_PRICED;
    struct terms t = terms_of(c, query, usage, group, &cost);
    if (!used && !t.entry)
        unpriced(&cost, COST_REASON_MODEL, METER_COUNT);
    for (unsigned m = 0; m < METER_COUNT; m++) {
        struct price_unit unit;
        if (!usage->quantity[m])
            continue;
        if (!add_part(c, &t, query, m, usage->quantity[m], &unit, &cost))
            break;
        paid = paid || unit.unit_pusd != 0;
    }
    if (cost.state == COST_PRICED && !paid)
        cost.state = COST_FREE;
    if (cost.state == COST_PRICED || cost.state == COST_ESTIMATED) {
        if (usage->source == USAGE_ESTIMATED)
            estimated(&cost, COST_REASON_COUNTED_HERE, METER_COUNT);
        if (usage->inconsistent)
            estimated(&cost, COST_REASON_INCONSISTENT, METER_COUNT);
    }
    *ret_cost = cost;
}

/* ---- In words ---- */

static bool explain_part(const struct price_catalog *c, struct terms *t, const struct price_query *q, unsigned meter,
                         uint64_t quantity, struct buf *out)
{
    struct cost one = {.state = COST_PRICED};
    struct price_unit unit;
    char row[PRICE_LIST_TEXT_MAX], amount[MONEY_TEXT_MAX];
    unsigned long long n = quantity;
    if (!add_part(c, t, q, meter, quantity, &unit, &one))
        return buf_printf(out, "%s: %llu, %s\n", price_meter_text(meter), n, cost_reason_sentence(one.reason));
    price_list_format(c, unit.row, row);
    money_format(one.total_pusd, amount);
    if (!buf_printf(out, "%s: %llu by %s", price_meter_text(meter), n, row))
        return false;
    if (unit.num != unit.den &&
        !buf_printf(out, ", times %llu/%llu", (unsigned long long)unit.num, (unsigned long long)unit.den))
        return false;
    return buf_printf(out, ": %s USD\n", amount);
}

static bool explain_total(const struct cost *cost, struct buf *out)
{
    char amount[MONEY_TEXT_MAX];
    if (cost->state == COST_UNPRICED && !buf_printf(out, "unpriced"))
        return false;
    if (cost->state != COST_UNPRICED) {
        money_format(cost->total_pusd, amount);
        if (!buf_printf(out, "total: %s USD, %s", amount, cost_state_text(cost->state)))
            return false;
    }
    if (cost->reason != COST_REASON_EXACT && !buf_printf(out, ": %s", cost_reason_sentence(cost->reason)))
        return false;
    if (cost->meter != METER_COUNT && !buf_printf(out, " (%s)", price_meter_text(cost->meter)))
        return false;
    return buf_printf(out, "\n");
}

bool cost_explain(const struct price_catalog *c, const struct price_query *query, const struct usage *usage,
                  struct buf *out)
{
    struct cost cost;
    char version[PRICE_VERSION_TEXT_MAX];
    cost_of(c, query, usage, &cost);
    price_version_format(price_catalog_version(c), version);
    if (!buf_printf(out, "%.*s, found by %s; %s%s%s; catalogue %s\n", STR_ARG(query->model),
                    price_match_text(cost.match), price_tier_text(cost.tier), cost.long_context ? ", long context" : "",
                    query->regional ? ", regional" : "", version))
        return false;
    struct cost scratch = {.state = COST_PRICED};
    struct terms t = terms_of(c, query, usage, price_group_of(c, query->operation), &scratch);
    for (unsigned m = 0; m < METER_COUNT && cost.state != COST_NONE; m++)
        if (usage->quantity[m] && !explain_part(c, &t, query, m, usage->quantity[m], out))
            return false;
    return explain_total(&cost, out);
}
