/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search: operation to group, model id to entry, meter to price. No allocation, no lock, no
 * memory of earlier searches: the whole chain for an id that is spelt in an unusual way is three or
 * four look-ups in a hash table, cheaper than keeping a table of outside strings.
 *
 * A price for a tier or for the long context is, in this order: the published one; the standard
 * one of that context times the tier's factor; the tier's short one times the context's factor; the
 * standard short one times both. Regional processing multiplies whatever was found.
 */
#include "openai/price.h"

#include <stdio.h>

#include "base/must.h"
#include "openai/price_catalog.h"
#include "openai/prices_data.h"

/* ---- Names ---- */

const char *price_group_text(enum price_group g)
{
    static const char *const texts[PRICE_GROUP_COUNT] = {
#define X(name, text) text,
        PRICE_GROUP_TABLE(X)
#undef X
    };
    must(g < PRICE_GROUP_COUNT);
    return texts[g];
}

const char *price_tier_text(enum price_tier t)
{
    static const char *const texts[PRICE_TIER_COUNT] = {
#define X(name, text) text,
        PRICE_TIER_TABLE(X)
#undef X
    };
    must(t < PRICE_TIER_COUNT);
    return texts[t];
}

const char *price_match_text(enum price_match m)
{
    static const char *const texts[PRICE_MATCH_COUNT] = {
#define X(name, text) text,
        PRICE_MATCH_TABLE(X)
#undef X
    };
    must(m < PRICE_MATCH_COUNT);
    return texts[m];
}

enum price_tier price_tier_of(struct str service_tier)
{
    static const struct {
        struct str text;
        enum price_tier tier;
    } names[] = {
        {{"default", 7}, PRICE_TIER_STANDARD},    {{"", 0}, PRICE_TIER_STANDARD},
        {{"priority", 8}, PRICE_TIER_PRIORITY},   {{"flex", 4}, PRICE_TIER_FLEX},
        {{"auto", 4}, PRICE_TIER_STANDARD},       {{"fast", 4}, PRICE_TIER_PRIORITY},
        {{"scale", 5}, PRICE_TIER_STANDARD},      {{"batch", 5}, PRICE_TIER_BATCH},
        {{"ultrafast", 9}, PRICE_TIER_ULTRAFAST}, {{"standard", 8}, PRICE_TIER_STANDARD},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(service_tier, names[i].text))
            return names[i].tier;
    return PRICE_TIER_UNKNOWN;
}

/* ---- The catalogue ---- */

struct price_source price_source_builtin(void)
{
    return (struct price_source){
        .prices = str_of(prices_default, prices_default_size),
        .models = str_of(models_default, models_default_size),
    };
}

uint32_t price_catalog_version(const struct price_catalog *c)
{
    return c->version;
}

uint32_t price_catalog_base_version(const struct price_catalog *c)
{
    return c->base_version;
}

uint32_t price_catalog_override_version(const struct price_catalog *c)
{
    return c->override_version;
}

size_t price_version_format(uint32_t version, char out[PRICE_VERSION_TEXT_MAX])
{
    int n;
    if (version & UINT32_C(0x80000000))
        n = snprintf(out, PRICE_VERSION_TEXT_MAX, "custom-%08x", version);
    else
        n = snprintf(out, PRICE_VERSION_TEXT_MAX, "%04u-%02u-%02u.%02u", version / 1000000, version / 10000 % 100,
                     version / 100 % 100, version % 100);
    must(n > 0 && n < PRICE_VERSION_TEXT_MAX);
    return (size_t)n;
}

/* ---- Operation to group ---- */

enum price_group price_group_of(const struct price_catalog *c, struct str operation)
{
    uint32_t group;
    while (operation.n) {
        if (price_map_get(&c->by_operation, operation, &group))
            return (enum price_group)group;
        while (operation.n && operation.p[operation.n - 1] != '.')
            operation.n--;
        if (operation.n)
            operation.n--;
    }
    return PRICE_GROUP_UNKNOWN;
}

/* ---- Model id to entry ---- */

static const struct price_entry *entry_of(const struct price_catalog *c, struct str model)
{
    uint32_t i;
    return price_map_get(&c->by_model, model, &i) ? &c->entries[i] : NULL;
}

/* Reads exactly `n` digits at the end of `s` and takes them off. */
static bool take_digits(struct str *s, unsigned n, unsigned *ret_value)
{
    unsigned value = 0;
    if (s->n < n)
        return false;
    for (size_t i = s->n - n; i < s->n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        value = value * 10 + (unsigned)(s->p[i] - '0');
    }
    s->n -= n;
    *ret_value = value;
    return true;
}

static bool take_byte(struct str *s, char c)
{
    if (!s->n || s->p[s->n - 1] != c)
        return false;
    s->n--;
    return true;
}

static bool plausible_day(unsigned month, unsigned day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* Only these families had dates without a year; elsewhere four digits may mean anything. */
static bool has_short_dates(struct str id)
{
    if (str_starts(id, STR("ft:")))
        id = str_from(id, 3);
    return str_eq(id, STR("gpt-4")) || str_starts(id, STR("gpt-4-")) || str_starts(id, STR("gpt-3.5-"));
}

/* Takes off "-2026-11-22", ":2020-05-03" or "-0613". */
static bool take_date(struct str *s)
{
    unsigned day, month, year;
    struct str t = *s;
    if (take_digits(&t, 2, &day) && take_byte(&t, '-') && take_digits(&t, 2, &month) && take_byte(&t, '-') &&
        take_digits(&t, 4, &year) && (take_byte(&t, '-') || take_byte(&t, ':')) && plausible_day(month, day) &&
        year >= 2020 && year < 2100) {
        *s = t;
        return true;
    }
    t = *s;
    if (take_digits(&t, 2, &day) && take_digits(&t, 2, &month) && take_byte(&t, '-') && plausible_day(month, day) &&
        has_short_dates(t)) {
        *s = t;
        return true;
    }
    return false;
}

/* A suffix that names a state of the same model, not another model. */
static bool take_suffix(struct str *s)
{
    static const struct str suffixes[] = {{"-latest", 7}, {"-stable", 7}};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (str_ends(*s, suffixes[i])) {
            s->n -= suffixes[i].n;
            return true;
        }
    return take_date(s);
}

/* The id with its endings taken off, one by one. */
static const struct price_entry *find_snapshot(const struct price_catalog *c, struct str id)
{
    for (int i = 0; i < 3 && take_suffix(&id) && id.n; i++) {
        const struct price_entry *e = entry_of(c, id);
        if (e)
            return e;
    }
    return NULL;
}

/* "gpt-35-turbo" as "gpt-3.5-turbo", with or without "ft:" before it. */
static bool respell(struct str id, char *out, size_t cap, struct str *ret_id)
{
    size_t prefix = str_starts(id, STR("ft:")) ? 3 : 0;
    if (!str_starts(str_from(id, prefix), STR("gpt-35")) || id.n + 2 > cap)
        return false;
    size_t head = prefix + sizeof "gpt-3" - 1;
    memcpy(out, id.p, head);
    out[head] = '.';
    memcpy(out + head + 1, id.p + head, id.n - head);
    *ret_id = str_of(out, id.n + 1);
    return true;
}

/*
 * "ft:gpt-4o-2024-08-06:org:name:id" as "ft:gpt-4o-2024-08-06"; the first generation wrote
 * "davinci:ft-org-2022-01-31-…", which is "ft:davinci".
 */
static bool fine_tuned_base(struct str id, char *out, size_t cap, struct str *ret_id)
{
    bool is_ft = str_starts(id, STR("ft:"));
    struct str base = is_ft ? str_from(id, 3) : id;
    ptrdiff_t colon = str_find(base, ':');
    if (colon <= 0 || (size_t)colon + 4 > cap)
        return false;
    if (!is_ft && !str_starts(str_from(base, (size_t)colon), STR(":ft-")))
        return false;
    memcpy(out, "ft:", 3);
    memcpy(out + 3, base.p, (size_t)colon);
    *ret_id = str_of(out, (size_t)colon + 3);
    return true;
}

const struct price_entry *price_find(const struct price_catalog *c, struct str model, enum price_match *ret_match)
{
    char spelt[PRICE_MODEL_MAX + 2], tuned[PRICE_MODEL_MAX + 4];
    const struct price_entry *e = entry_of(c, model);
    struct str id = model;
    *ret_match = PRICE_MATCH_EXACT;
    if (e && e != c->any)
        return e;
    if (model.n && model.n <= 4 * PRICE_MODEL_MAX && e != c->any) {
        if (respell(model, spelt, sizeof spelt, &id)) {
            *ret_match = PRICE_MATCH_SPELLING;
            if ((e = entry_of(c, id)))
                return e;
        }
        if (fine_tuned_base(id, tuned, sizeof tuned, &id)) {
            *ret_match = PRICE_MATCH_FINE_TUNED;
            if ((e = entry_of(c, id)) || (e = find_snapshot(c, id)))
                return e;
        } else if ((e = find_snapshot(c, id))) {
            *ret_match = PRICE_MATCH_SNAPSHOT;
            return e;
        }
    }
    *ret_match = PRICE_MATCH_NONE;
    return NULL;
}

/* ---- Meter to price ---- */

static bool fits_period(const struct price_cell *cell, const struct price_ask *ask)
{
    return cell->from_us <= ask->when_us && ask->when_us < cell->to_us;
}

static bool fits_group(const struct price_cell *cell, enum price_group group)
{
    return cell->group == PRICE_ANY || cell->group == group;
}

static bool fits_variant(const struct price_cell *cell, const struct price_ask *ask)
{
    return (!cell->quality.n || str_eq(cell->quality, ask->quality)) &&
           (!cell->size.n || str_eq(cell->size, ask->size));
}

static const struct price_cell *find_cell(const struct price_entry *e, unsigned bucket, const struct price_ask *ask,
                                          enum price_tier tier, bool long_context)
{
    const struct price_cell *end = e->cells + e->start[bucket + 1];
    for (const struct price_cell *cell = e->cells + e->start[bucket]; cell < end; cell++)
        if (cell->tier == tier && cell->long_context == long_context && fits_group(cell, ask->group) &&
            fits_period(cell, ask) && fits_variant(cell, ask))
            return cell;
    return NULL;
}

/* The factor of a tier (long_context false) or of the long context (tier standard). */
static const struct price_cell *find_factor(const struct price_entry *e, unsigned meter, const struct price_ask *ask,
                                            enum price_tier tier, bool long_context)
{
    const struct price_cell *end = e->cells + e->start[PRICE_BUCKET_TIMES + 1];
    for (const struct price_cell *cell = e->cells + e->start[PRICE_BUCKET_TIMES]; cell < end; cell++)
        if (cell->tier == tier && cell->long_context == long_context &&
            (cell->meter == PRICE_ANY || cell->meter == meter) && fits_group(cell, ask->group) &&
            fits_period(cell, ask))
            return cell;
    return NULL;
}

static void multiply(struct price_unit *unit, const struct price_cell *factor)
{
    unit->num *= (uint64_t)factor->amount;
    unit->den *= factor->divide;
}

/* The price in this tier and context, with what it takes of factors. False when there is none. */
static bool compose(const struct price_entry *e, unsigned meter, const struct price_ask *ask, struct price_unit *unit)
{
    const struct price_cell *of_tier = NULL, *of_context = NULL, *cell;
    bool tiered = ask->tier != PRICE_TIER_STANDARD;
    if ((cell = find_cell(e, meter, ask, ask->tier, ask->long_context))) {
        tiered = false;
    } else {
        if (tiered)
            of_tier = find_factor(e, meter, ask, ask->tier, false);
        if (ask->long_context)
            of_context = find_factor(e, meter, ask, PRICE_TIER_STANDARD, true);
        if (of_tier && (cell = find_cell(e, meter, ask, PRICE_TIER_STANDARD, ask->long_context)))
            of_context = NULL;
        else if (of_context && (cell = find_cell(e, meter, ask, ask->tier, false)))
            of_tier = NULL;
        else if (of_tier && of_context)
            cell = find_cell(e, meter, ask, PRICE_TIER_STANDARD, false);
    }
    if (!cell)
        return false;
    *unit = (struct price_unit){
        .unit_pusd = cell->amount,
        .per = cell->divide,
        .num = 1,
        .den = 1,
        .whole_seconds = cell->whole_seconds,
        .estimate = cell->estimate,
        .row = cell->row,
    };
    if (of_tier)
        multiply(unit, of_tier);
    if (of_context)
        multiply(unit, of_context);
    if (ask->regional) {
        const struct price_cell *uplift = find_cell(e, PRICE_BUCKET_REGIONAL, ask, PRICE_TIER_STANDARD, false);
        if (uplift)
            multiply(unit, uplift);
    }
    return true;
}

/* Why compose found nothing. */
static enum price_missing explain(const struct price_entry *e, unsigned meter, const struct price_ask *ask)
{
    enum price_missing missing = PRICE_NO_METER;
    const struct price_cell *end = e->cells + e->start[meter + 1];
    for (const struct price_cell *cell = e->cells + e->start[meter]; cell < end; cell++) {
        if (!fits_group(cell, ask->group))
            continue;
        enum price_missing here = PRICE_NO_TIER;
        if (!fits_period(cell, ask))
            here = PRICE_NO_PERIOD;
        else if (!fits_variant(cell, ask))
            here = PRICE_NO_VARIANT;
        /* The nearest miss says most: tier, then variant, then period. */
        if (missing == PRICE_NO_METER || here == PRICE_NO_TIER ||
            (here == PRICE_NO_VARIANT && missing == PRICE_NO_PERIOD))
            missing = here;
    }
    return missing;
}

static bool has_meter(const struct price_entry *e, unsigned meter)
{
    return e && e->start[meter] < e->start[meter + 1];
}

static bool compose_any(const struct price_catalog *c, const struct price_entry *e, unsigned meter,
                        const struct price_ask *ask, struct price_unit *unit)
{
    return (e && compose(e, meter, ask, unit)) || (c->any && compose(c->any, meter, ask, unit));
}

enum price_missing price_unit(const struct price_catalog *c, const struct price_entry *e, unsigned meter,
                              const struct price_ask *ask, struct price_unit *ret_unit)
{
    must(meter <= PRICE_METER_STORAGE);
    struct price_ask want = *ask;
    if (price_meter_flat(meter)) {
        want.tier = PRICE_TIER_STANDARD;
        want.regional = false;
    }
    want.long_context = ask->long_context && price_meter_has_context(meter);
    if (!want.quality.n || str_eq(want.quality, STR("auto")))
        want.quality = STR("default");
    if (!want.size.n || str_eq(want.size, STR("auto")))
        want.size = STR("default");
    if (!has_meter(e, meter) && !has_meter(c->any, meter) && e && meter < METER_COUNT &&
        c->as[want.group][meter] != PRICE_ANY)
        meter = c->as[want.group][meter];
    if (want.tier < PRICE_TIER_UNKNOWN && compose_any(c, e, meter, &want, ret_unit))
        return PRICE_FOUND;
    if (!has_meter(e, meter) && has_meter(c->any, meter))
        return explain(c->any, meter, &want);
    return e ? explain(e, meter, &want) : PRICE_NO_MODEL;
}

uint64_t price_threshold(const struct price_entry *e, enum price_group group, int64_t when_us)
{
    const struct price_ask ask = {.group = group, .when_us = when_us};
    const struct price_cell *cell = find_cell(e, PRICE_BUCKET_THRESHOLD, &ask, PRICE_TIER_STANDARD, true);
    return cell ? (uint64_t)cell->amount : UINT64_MAX;
}
