/* SPDX-License-Identifier: Apache-2.0 */
/* One table of the reply's lists: what a row's model and quantities are called, and what they are to us. */
#include "report/import/import_old.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "openai/cost.h"
#include "report/bill/bill.h"

#define ID_MAX 300
#define COUNT_MAX INT64_C(1000000000000000)
#define NOON_US (BILL_DAY_US / 2)
#define UNPRICED STR(", unpriced")

static enum err bad(char why[IMPORT_PAGE_WHY_MAX], const char *what)
{
    snprintf(why, IMPORT_PAGE_WHY_MAX, "upstream's usage is not understood: %s", what);
    return ERR_UPSTREAM_BAD_HTTP;
}

/* --- fields ---------------------------------------------------------------------------------- */

static enum err text_of(struct jval row, const char *name, struct arena *a, struct str *ret,
                        char why[IMPORT_PAGE_WHY_MAX])
{
    struct jval v = jdoc_find(row, name);
    *ret = STR("");
    if (!jdoc_has(v))
        return ERR_OK;
    if (jdoc_kind(v) != JDOC_STRING || jdoc_raw(v).n > ID_MAX * 6 + 2)
        return bad(why, "a text is something else or too long");
    *ret = jdoc_text(v, a);
    if (!ret->p)
        return ERR_OVERLOADED;
    return ret->n <= ID_MAX ? ERR_OK : bad(why, "a text is too long");
}

static enum err count_of(struct jval row, const char *name, int64_t *ret, char why[IMPORT_PAGE_WHY_MAX])
{
    struct jval v = jdoc_find(row, name);
    *ret = 0;
    if (!jdoc_has(v))
        return ERR_OK;
    uint64_t n = jdoc_count(v, UINT64_MAX);
    if (jdoc_kind(v) != JDOC_NUMBER || n > (uint64_t)COUNT_MAX)
        return bad(why, "a count is no number, or too large");
    *ret = (int64_t)n;
    return ERR_OK;
}

/* --- what a row counted ---------------------------------------------------------------------- */

/* A row of any list. */
struct row {
    struct str project, project_name, key, key_name, key_hint, user, email, model, operation, size, organization, title;
    bool batch;
    int64_t requests, context, cached, generated, audio_in, audio_out, images, seconds, characters;
};

static enum err read_texts(struct jval v, struct arena *a, struct row *r, char why[IMPORT_PAGE_WHY_MAX])
{
    struct str type, other;
    const struct {
        const char *name;
        struct str *to;
    } texts[] = {{"project_id", &r->project},
                 {"project_name", &r->project_name},
                 {"api_key_id", &r->key},
                 {"api_key_name", &r->key_name},
                 {"api_key_redacted", &r->key_hint},
                 {"user_id", &r->user},
                 {"email", &r->email},
                 {"snapshot_id", &r->model},
                 {"model_id", &other},
                 {"operation", &r->operation},
                 {"image_size", &r->size},
                 {"organization_id", &r->organization},
                 {"organization_name", &r->title},
                 {"request_type", &type}};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof texts / sizeof texts[0]; i++)
        e = text_of(v, texts[i].name, a, texts[i].to, why);
    if (e != ERR_OK)
        return e;
    if (!r->model.n)
        r->model = other;
    r->batch = str_eq_nocase(type, STR("batch"));
    return ERR_OK;
}

static enum err read_counts(struct jval v, struct row *r, char why[IMPORT_PAGE_WHY_MAX])
{
    int64_t other = 0;
    const struct {
        const char *name;
        int64_t *to;
    } counts[] = {{"n_requests", &r->requests},
                  {"num_requests", &other},
                  {"n_context_tokens_total", &r->context},
                  {"n_cached_context_tokens_total", &r->cached},
                  {"n_generated_tokens_total", &r->generated},
                  {"n_context_audio_tokens_total", &r->audio_in},
                  {"n_generated_audio_tokens_total", &r->audio_out},
                  {"num_images", &r->images},
                  {"num_seconds", &r->seconds},
                  {"num_characters", &r->characters}};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof counts / sizeof counts[0]; i++)
        e = count_of(v, counts[i].name, counts[i].to, why);
    r->requests += other;
    if (e == ERR_OK && r->cached > r->context)
        return bad(why, "more tokens are cached than there are");
    return e;
}

/* --- lists ----------------------------------------------------------------------------------- */

static void *grown(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    *cap = *cap ? *cap * 2 : 64;
    return mem_realloc(list, *cap * size);
}

static void add_used(struct import_old_rows *o, enum bill_usage kind, const struct row *r)
{
    o->used[kind] = grown(o->used[kind], o->used_count[kind], &o->used_cap[kind], sizeof *o->used[kind]);
    struct bill_used *u = &o->used[kind][o->used_count[kind]++];
    *u = (struct bill_used){.project = r->project,
                            .user = r->user,
                            .key = r->key,
                            .model = r->model,
                            .tier = STR(""),
                            .extra = r->size,
                            .source = STR(""),
                            .batch = r->batch};
    u->figure[BILL_FIGURE_INPUT] = r->context + r->audio_in;
    u->figure[BILL_FIGURE_CACHED] = r->cached;
    u->figure[BILL_FIGURE_OUTPUT] = r->generated + r->audio_out;
    u->figure[BILL_FIGURE_AUDIO_IN] = r->audio_in;
    u->figure[BILL_FIGURE_AUDIO_OUT] = r->audio_out;
    u->figure[BILL_FIGURE_IMAGES] = r->images;
    u->figure[BILL_FIGURE_CHARACTERS] = r->characters;
    u->figure[BILL_FIGURE_SECONDS] = r->seconds;
    u->figure[BILL_FIGURE_REQUESTS] = r->requests;
}

static void add_name(struct import_old_rows *o, const struct bill_name_put *name)
{
    if (!name->ext.n)
        return;
    o->names = grown(o->names, o->name_count, &o->name_cap, sizeof *o->names);
    o->names[o->name_count++] = *name;
}

static void add_names(struct import_old_rows *o, const struct row *r)
{
    const struct str none = STR("");
    add_name(o, &(struct bill_name_put){BILL_PROJECT, r->project, r->project_name, none, none, false});
    add_name(o, &(struct bill_name_put){BILL_KEY, r->key, r->key_name, r->project, r->key_hint, false});
    add_name(o, &(struct bill_name_put){BILL_USER, r->user, none, none, r->email, false});
    if (r->organization.n)
        o->organization = (struct import_page_organization){r->organization, r->title};
}

/* --- estimates ------------------------------------------------------------------------------- */

/* How a meter is called on a bill, and what its quantity is called there. */
static struct str words_of(enum meter meter, struct str *ret_unit, int64_t *ret_each)
{
    static const struct {
        enum meter meter;
        const char *words, *unit;
        int64_t each; /* units of the meter in one of these */
    } words[] = {{METER_INPUT, "input", "tokens", 1},
                 {METER_CACHED, "cached input", "tokens", 1},
                 {METER_OUTPUT, "output", "tokens", 1},
                 {METER_AUDIO_INPUT, "audio input", "tokens", 1},
                 {METER_AUDIO_OUTPUT, "audio output", "tokens", 1},
                 {METER_IMAGES, "images", "images", 1},
                 {METER_AUDIO_MS, "audio", "duration_seconds", 1000},
                 {METER_CHARACTERS, "characters", "characters", 1}};
    size_t i = 0;
    while (words[i].meter != meter)
        must(++i < sizeof words / sizeof words[0]);
    *ret_unit = str_c(words[i].unit);
    *ret_each = words[i].each;
    return str_c(words[i].words);
}

static struct str printed(struct arena *a, struct buf *text)
{
    struct str copy = arena_dup(a, buf_str(text));
    buf_reset(text);
    return copy;
}

static enum err add_cost(struct import_old_rows *o, const struct row *r, enum meter meter, uint64_t quantity,
                         int64_t pusd, bool priced, struct arena *a)
{
    struct bill_cost c = {.project = r->project, .key = r->key, .charge = BILL_CHARGE_USAGE};
    struct buf text;
    char amount[MONEY_TEXT_MAX];
    int64_t each;
    struct str words = words_of(meter, &c.unit, &each);
    buf_init(&text, 2 * ID_MAX + 100);
    bool ok = buf_printf(&text, "%s%.*s, %.*s%s%.*s%.*s", r->batch ? "batch | " : "", STR_ARG(r->model), STR_ARG(words),
                         r->size.n ? ", " : "", STR_ARG(r->size), STR_ARG(priced ? STR("") : UNPRICED));
    c.line_item = printed(a, &text);
    ok = ok && buf_printf(&text, "%llu.%03llu", (unsigned long long)(quantity / (uint64_t)each),
                          (unsigned long long)(quantity % (uint64_t)each * 1000 / (uint64_t)each));
    c.quantity = printed(a, &text);
    c.amount = arena_dup(a, str_of(amount, money_format(pusd, amount)));
    buf_free(&text);
    must(ok);
    if (!c.line_item.p || !c.quantity.p || !c.amount.p)
        return ERR_OVERLOADED;
    o->costs = grown(o->costs, o->cost_count, &o->cost_cap, sizeof *o->costs);
    o->costs[o->cost_count++] = c;
    return ERR_OK;
}

static struct usage usage_of(const struct row *r)
{
    struct usage u = {.source = USAGE_REPORTED};
    u.quantity[METER_INPUT] = (uint64_t)(r->context - r->cached);
    u.quantity[METER_CACHED] = (uint64_t)r->cached;
    u.quantity[METER_OUTPUT] = (uint64_t)r->generated;
    u.quantity[METER_AUDIO_INPUT] = (uint64_t)r->audio_in;
    u.quantity[METER_AUDIO_OUTPUT] = (uint64_t)r->audio_out;
    u.quantity[METER_IMAGES] = (uint64_t)r->images;
    u.quantity[METER_AUDIO_MS] = (uint64_t)r->seconds * 1000;
    u.quantity[METER_CHARACTERS] = (uint64_t)r->characters;
    return u;
}

static enum err add_estimate(struct import_old_rows *o, const struct row *r, const char *operation, int64_t day,
                             const struct price_catalog *prices, struct arena *a)
{
    const struct usage u = usage_of(r);
    const struct price_query q = {.model = r->model,
                                  .operation = str_c(operation),
                                  .service_tier = STR(""),
                                  .quality = STR(""),
                                  .size = r->size,
                                  .container = STR(""),
                                  .when_us = bill_day_us(day) + NOON_US,
                                  .batch = r->batch,
                                  .aggregate = true};
    struct cost cost = {.state = COST_UNPRICED};
    enum err e = ERR_OK;
    if (prices)
        cost_of(prices, &q, &u, &cost);
    bool priced = cost.state != COST_UNPRICED;
    for (unsigned m = 0; e == ERR_OK && m < METER_COUNT; m++)
        if (u.quantity[m])
            e = add_cost(o, r, (enum meter)m, u.quantity[m], priced ? cost.part_pusd[m] : 0, priced, a);
    return e;
}

/* --- the reply ------------------------------------------------------------------------------- */

/* Columns of `data` are told apart by their operation. */
static const struct {
    const char *list, *operation; /* operation NULL: any other */
    enum bill_usage kind;
    const char *priced; /* the operation that it is priced as */
} lists[] = {
    {"data", "embeddings", BILL_USAGE_EMBEDDINGS, "embeddings"},
    {"data", "moderation", BILL_USAGE_MODERATIONS, "moderations"},
    {"data", "completion-realtime", BILL_USAGE_COMPLETIONS, "realtime"},
    {"data", NULL, BILL_USAGE_COMPLETIONS, "chat.completions"},
    {"dalle_api_data", NULL, BILL_USAGE_IMAGES, "images.generate"},
    {"whisper_api_data", NULL, BILL_USAGE_AUDIO_TRANSCRIPTIONS, "audio.transcriptions"},
    {"tts_api_data", NULL, BILL_USAGE_AUDIO_SPEECHES, "audio.speech"},
};
#define LISTS (sizeof lists / sizeof lists[0])

static enum err read_row(struct jval v, const char *list, int64_t day, const struct price_catalog *prices,
                         struct arena *a, struct import_old_rows *o, char why[IMPORT_PAGE_WHY_MAX])
{
    struct row r = {.batch = false};
    if (jdoc_kind(v) != JDOC_OBJECT)
        return bad(why, "a row is no object");
    enum err e = read_texts(v, a, &r, why);
    if (e == ERR_OK)
        e = read_counts(v, &r, why);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < LISTS; i++) {
        if (strcmp(lists[i].list, list) != 0 || (lists[i].operation && !str_eq(r.operation, str_c(lists[i].operation))))
            continue;
        add_names(o, &r);
        add_used(o, lists[i].kind, &r);
        return add_estimate(o, &r, lists[i].priced, day, prices, a);
    }
    return ERR_OK;
}

enum err import_old_read(struct jval root, int64_t day, const struct price_catalog *prices, struct arena *a,
                         struct import_old_rows *ret, char why[IMPORT_PAGE_WHY_MAX])
{
    static const char *const names[] = {"data", "dalle_api_data", "whisper_api_data", "tts_api_data"};
    enum err e = ERR_OK;
    *ret = (struct import_old_rows){.organization = {STR(""), STR("")}};
    if (jdoc_kind(root) != JDOC_OBJECT || jdoc_kind(jdoc_get(root, "data")) != JDOC_ARRAY)
        return bad(why, "it has no list `data`");
    for (size_t i = 0; e == ERR_OK && i < sizeof names / sizeof names[0]; i++) {
        struct jval list = jdoc_find(root, names[i]);
        if (jdoc_has(list) && jdoc_kind(list) != JDOC_ARRAY)
            return bad(why, "a list is something else");
        for (struct jval v = jdoc_first(list); e == ERR_OK && jdoc_has(v); v = jdoc_next(list, v))
            e = read_row(v, names[i], day, prices, a, ret, why);
    }
    return e;
}

void import_old_free(struct import_old_rows *r)
{
    for (size_t i = 0; i < BILL_USAGE_COUNT; i++)
        mem_free(r->used[i]);
    mem_free(r->costs);
    mem_free(r->names);
    *r = (struct import_old_rows){.cost_count = 0};
}
