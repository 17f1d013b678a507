/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Skus. Line items are read by bill_line, then model and meter are put into the spelling of the ledger's meters. What
 * is not understood keeps its whole text, so that it is found, and equals nothing that is metered.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill_line.h"
#include "report/match/match_inner.h"

#define FIRST_SLOTS 256
#define SKUS_MAX 1000000
#define ITEMS_MAX 1000000
#define LONG_CONTEXT STR(", long context")

/* --- numbers --------------------------------------------------------------------------------- */

size_t match_sku_count(const struct match *m)
{
    return m->sku_count;
}

const struct match_sku *match_sku(const struct match *m, uint32_t sku)
{
    must(sku < m->sku_count);
    return &m->skus[sku];
}

static bool same(const struct match_sku *a, const struct match_sku *b)
{
    return a->meter == b->meter && a->tier == b->tier && str_eq(a->model, b->model);
}

static uint32_t *find_slot(const struct match *m, const struct match_sku *s)
{
    uint64_t hash = str_hash(s->model) + s->meter * UINT64_C(0x9e3779b97f4a7c15) + (unsigned)s->tier;
    size_t at = (size_t)(hash ^ (hash >> 31)) & (m->sku_slot_count - 1);
    while (m->sku_slots[at] && !same(&m->skus[m->sku_slots[at] - 1], s))
        at = (at + 1) & (m->sku_slot_count - 1);
    return &m->sku_slots[at];
}

static void grow(struct match *m)
{
    m->sku_slot_count = m->sku_slot_count ? m->sku_slot_count * 2 : FIRST_SLOTS;
    m->sku_cap = m->sku_slot_count / 2;
    m->skus = mem_realloc(m->skus, m->sku_cap * sizeof *m->skus);
    mem_free(m->sku_slots);
    m->sku_slots = mem_zalloc(m->sku_slot_count * sizeof *m->sku_slots);
    for (size_t i = 0; i < m->sku_count; i++)
        *find_slot(m, &m->skus[i]) = (uint32_t)i + 1;
}

/* `s` is a view; its text is kept when it is new. */
static uint32_t number_of(struct match *m, struct match_sku s)
{
    if (m->sku_count >= m->sku_cap)
        grow(m);
    uint32_t *slot = find_slot(m, &s);
    if (*slot)
        return *slot - 1;
    if (m->sku_count >= SKUS_MAX)
        return MATCH_NONE;
    s.model = arena_dup(m->arena, s.model);
    if (!s.model.p)
        return MATCH_NONE;
    m->skus[m->sku_count] = s;
    *slot = (uint32_t)++m->sku_count;
    return *slot - 1;
}

/* --- models ---------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Without "-YYYY-MM-DD" at its end. */
static struct str undated(struct str s)
{
    static const char shape[] = "-0000-00-00";
    const size_t n = sizeof shape - 1;
    if (s.n <= n)
        return s;
    struct str tail = str_from(s, s.n - n);
    for (size_t i = 0; i < n; i++)
        if (shape[i] == '-' ? tail.p[i] != '-' : !is_digit(tail.p[i]))
            return s;
    return str_head(s, s.n - n);
}

/* In `out`, cut to fit. */
static struct str usual_model(struct str model, char out[BILL_LINE_MAX])
{
    bool tuned = str_starts(model, STR("ft:")) || str_starts(model, STR("ft-"));
    struct str base = tuned ? str_from(model, 3) : model;
    ptrdiff_t colon = tuned ? str_find(base, ':') : -1;
    base = undated(colon >= 0 ? str_head(base, (size_t)colon) : base);
    if (str_starts_nocase(base, STR("DALL·E "))) {
        snprintf(out, BILL_LINE_MAX, "dall-e-%.*s", STR_ARG(str_from(base, STR("DALL·E ").n)));
        return str_c(out);
    }
    snprintf(out, BILL_LINE_MAX, "%s%.*s", tuned ? "ft-" : "", (int)(base.n < 400 ? base.n : 400), base.p);
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return str_c(out);
}

/* Billed by themselves, whatever the model. */
static bool is_tool(unsigned meter)
{
    return meter == METER_WEB_SEARCH || meter == METER_FILE_SEARCH || meter == METER_CODE_SESSION;
}

/* --- meters ---------------------------------------------------------------------------------- */

static unsigned meter_of(struct str subcategory)
{
    static const struct {
        const char *text;
        enum meter meter;
    } others[] = {
        {"text input", METER_INPUT},
        {"text cached input", METER_CACHED},
        {"text output", METER_OUTPUT},
        {"cache writes 12h", METER_CACHE_WRITE_12H},
        {"cache write 12h", METER_CACHE_WRITE_12H},
        {"input_cache_write_12h_tokens", METER_CACHE_WRITE_12H},
        {"input_cache_write_30m_tokens", METER_CACHE_WRITE},
        {"audio", METER_AUDIO_MS},
        {"video", METER_VIDEO_MS},
        {"training", METER_TRAINED},
    };
    for (unsigned m = 0; m < METER_COUNT; m++) {
        struct str text = str_c(meter_info((enum meter)m)->text);
        size_t i = 0;
        while (i < text.n && i < subcategory.n &&
               (text.p[i] == '_' ? subcategory.p[i] == ' ' || subcategory.p[i] == '_' : text.p[i] == subcategory.p[i]))
            i++;
        if (i == text.n && i == subcategory.n)
            return m;
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (str_eq_nocase(subcategory, str_c(others[i].text)))
            return others[i].meter;
    return METER_COUNT;
}

static bool has(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text; text++)
        if (str_eq_nocase(str_head(str_c(text), n), str_of(word, n)))
            return true;
    return false;
}

static unsigned tool_of(const struct bill_line *l)
{
    if (has(l->category, "web search"))
        return METER_WEB_SEARCH;
    if (has(l->category, "file search") && !has(l->category, "storage") && !has(l->subcategory, "storage"))
        return METER_FILE_SEARCH;
    if (has(l->category, "code interpreter") || has(l->subcategory, "code interpreter"))
        return METER_CODE_SESSION;
    return METER_COUNT;
}

/* Images that are billed each have quality and size for a meter: "standard, 1024x1024". */
static bool is_image(const struct bill_line *l)
{
    return has(l->category, "dall-e") || has(l->category, "dall·e") || has(l->category, "image");
}

static enum price_tier tier_of(const char *tier)
{
    for (unsigned t = 0; t < PRICE_TIER_COUNT; t++)
        if (str_eq_nocase(str_c(tier), str_c(price_tier_text((enum price_tier)t))))
            return (enum price_tier)t;
    return PRICE_TIER_STANDARD;
}

uint32_t match_line(struct match *m, struct str line_item, bool *ret_long_context)
{
    struct bill_line l;
    char text[BILL_LINE_MAX];
    bill_line_read(line_item, NULL, &l);
    struct str sub = str_c(l.subcategory);
    bool is_long = str_ends(sub, LONG_CONTEXT);
    if (is_long)
        sub = str_head(sub, sub.n - LONG_CONTEXT.n);
    if (ret_long_context)
        *ret_long_context = is_long;
    unsigned meter = tool_of(&l);
    if (meter < METER_COUNT)
        return number_of(m, (struct match_sku){.model = STR(""), .meter = meter});
    meter = l.model[0] ? meter_of(sub) : METER_COUNT;
    if (meter == METER_COUNT && l.model[0] && is_image(&l))
        meter = METER_IMAGES;
    if (meter == METER_COUNT)
        return number_of(m, (struct match_sku){.model = line_item, .meter = METER_COUNT});
    return number_of(
        m, (struct match_sku){.model = usual_model(str_c(l.category), text), .meter = meter, .tier = tier_of(l.tier)});
}

uint32_t match_meter(struct match *m, struct str model, unsigned meter, struct str service_tier, bool batch)
{
    char text[BILL_LINE_MAX];
    must(meter < METER_COUNT);
    if (is_tool(meter))
        return number_of(m, (struct match_sku){.model = STR(""), .meter = meter});
    enum price_tier tier = batch ? PRICE_TIER_BATCH : price_tier_of(service_tier);
    /* What is billed by the piece or the minute knows no tiers. */
    if (strcmp(meter_info((enum meter)meter)->unit, "tokens") != 0 || tier == PRICE_TIER_UNKNOWN)
        tier = PRICE_TIER_STANDARD;
    return number_of(m, (struct match_sku){.model = usual_model(model, text), .meter = meter, .tier = tier});
}

/* --- line items ------------------------------------------------------------------------------ */

enum err match_sku_items(struct match *m, struct store_db *bill)
{
    struct store_stmt *st;
    bool row;
    size_t cap = 0;
    enum err e = store_prepare(bill, "SELECT id, line_item FROM items ORDER BY id", &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        if (m->item_count == ITEMS_MAX) {
            store_done(st);
            return ERR_BAD_PARAMETER;
        }
        if (m->item_count == cap) {
            cap = cap ? cap * 2 : 256;
            m->items = mem_realloc(m->items, cap * sizeof *m->items);
            m->item_sku = mem_realloc(m->item_sku, cap * sizeof *m->item_sku);
        }
        m->items[m->item_count] = store_i64(st, 0);
        m->item_sku[m->item_count] = match_line(m, store_text(st, 1), NULL);
        m->item_count++;
    }
    return e;
}

uint32_t match_item(const struct match *m, int64_t item)
{
    size_t low = 0, high = m->item_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->items[mid] < item)
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->item_count && m->items[low] == item ? m->item_sku[low] : MATCH_NONE;
}

/* --- units ----------------------------------------------------------------------------------- */

int64_t match_unit(unsigned meter, struct str unit)
{
    static const struct {
        const char *meter_unit, *unit;
        int64_t millionths;
    } units[] = {
        {"tokens", "Tokens", 1000000},
        {"tokens", "", 1000000},
        {"tokens", "1000 Tokens", 1000000000},
        {"milliseconds", "Seconds", 1000000000},
        {"milliseconds", "", 1000000000},
        {"milliseconds", "Minutes", INT64_C(60000000000)},
        {"milliseconds", "Hours", INT64_C(3600000000000)},
        {"characters", "Characters", 1000000},
        {"characters", "", 1000000},
        {"images", "Images", 1000000},
        {"images", "", 1000000},
        {"calls", "Requests", 1000000},
        {"calls", "", 1000000},
        {"sessions", "Sessions", 1000000},
        {"sessions", "", 1000000},
    };
    if (meter >= METER_COUNT)
        return 0;
    const char *own = meter_info((enum meter)meter)->unit;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].meter_unit, own) == 0 && str_eq(unit, str_c(units[i].unit)))
            return units[i].millionths;
    return 0;
}
