/* SPDX-License-Identifier: Apache-2.0 */
/* One table of rows with a hash index beside it; texts are interned into 16-bit numbers. */
#include "sim/kept/orgsum.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "openai/cost.h"
#include "sim/http/caller.h"
#include "sim/model/bill.h"
#include "sim/simid.h"

#define ROWS_MAX 200000
#define ROWS_HARD_MAX 260000
#define SLOTS (1u << 19)
#define TEXTS_MAX 32768
#define TEXT_SLOTS 65536
#define MINUTES_PER_DAY 1440

struct orgsum {
    struct orgsum_row *rows;
    uint32_t n, cap;
    uint32_t *slot; /* index + 1 */
    char *text[TEXTS_MAX];
    uint16_t text_slot[TEXT_SLOTS];
    uint32_t texts;
    uint64_t lost;
};

struct orgsum *orgsum_new(void)
{
    struct orgsum *s = mem_zalloc(sizeof *s);
    s->slot = mem_zalloc(SLOTS * sizeof *s->slot);
    s->text[0] = mem_strdup("");
    s->texts = 1;
    return s;
}

void orgsum_reset(struct orgsum *s)
{
    s->n = 0;
    s->lost = 0;
    memset(s->slot, 0, SLOTS * sizeof *s->slot);
}

void orgsum_free(struct orgsum *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->texts; i++)
        mem_free(s->text[i]);
    mem_free(s->rows);
    mem_free(s->slot);
    mem_free(s);
}

const struct orgsum_row *orgsum_row(const struct orgsum *s, uint32_t i)
{
    return i < s->n ? &s->rows[i] : NULL;
}

const char *orgsum_text(const struct orgsum *s, uint16_t number)
{
    return number < s->texts ? s->text[number] : "";
}

uint64_t orgsum_lost(const struct orgsum *s)
{
    return s->lost;
}

static uint16_t intern(struct orgsum *s, struct str text)
{
    if (!text.n)
        return 0;
    for (uint64_t h = simid_hash(11, text);; h++) {
        uint16_t *slot = &s->text_slot[h % TEXT_SLOTS];
        if (*slot && str_eq(str_c(s->text[*slot]), text))
            return *slot;
        if (*slot)
            continue;
        if (s->texts == TEXTS_MAX)
            return 0;
        s->text[s->texts] = mem_strndup(text.p, text.n);
        return *slot = (uint16_t)s->texts++;
    }
}

static bool same(const struct orgsum_row *a, const struct orgsum_row *b)
{
    return a->minute == b->minute && a->work == b->work && a->batch == b->batch &&
           memcmp(a->by, b->by, sizeof a->by) == 0;
}

static uint64_t hash_of(const struct orgsum_row *k)
{
    uint64_t h = simid_mix(k->minute, ((uint64_t)k->work << 1) | k->batch);
    return simid_hash(h, str_of((const char *)k->by, sizeof k->by));
}

/* The row with this key; NULL when there is no room for it. */
static struct orgsum_row *find(struct orgsum *s, struct orgsum_row *key)
{
    for (int by_day = 0; by_day < 2; by_day++) {
        for (uint64_t h = hash_of(key);; h++) {
            uint32_t *slot = &s->slot[h % SLOTS];
            if (*slot && same(&s->rows[*slot - 1], key))
                return &s->rows[*slot - 1];
            if (*slot)
                continue;
            if (s->n >= (by_day ? ROWS_HARD_MAX : ROWS_MAX))
                break;
            if (s->n == s->cap) {
                s->cap = s->cap ? s->cap * 2 : 1024;
                s->rows = mem_realloc(s->rows, s->cap * sizeof *s->rows);
            }
            struct orgsum_row *r = &s->rows[s->n];
            *r = *key;
            *slot = ++s->n;
            return r;
        }
        key->minute -= key->minute % MINUTES_PER_DAY;
    }
    s->lost++;
    return NULL;
}

static void key_of(struct orgsum *s, const struct call *c, enum call_work work, struct orgsum_row *key)
{
    const struct call_used *u = &c->used;
    memset(key, 0, sizeof *key);
    key->minute = (uint32_t)(c->wall_us / 60000000);
    key->work = (uint8_t)work;
    key->batch = u->batch;
    key->by[ORGSUM_BY_PROJECT] = intern(s, c->project_wish.n ? c->project_wish : str_c(c->caller->project));
    key->by[ORGSUM_BY_USER] = intern(s, str_c(c->caller->user));
    key->by[ORGSUM_BY_KEY] = intern(s, str_c(c->caller->key_id));
    key->by[ORGSUM_BY_MODEL] = intern(s, str_c(u->model));
}

static void add_work(struct orgsum *s, const struct call *c)
{
    const struct call_used *u = &c->used;
    const uint64_t *q = u->usage.quantity;
    struct orgsum_row key, *r;
    key_of(s, c, u->work, &key);
    key.by[ORGSUM_BY_TIER] = intern(s, str_c(u->usage.service_tier));
    if (u->work == CALL_WORK_IMAGES) {
        key.by[ORGSUM_BY_SIZE] = intern(s, str_c(u->usage.size));
        key.by[ORGSUM_BY_SOURCE] = intern(s, str_c(u->source));
    }
    r = find(s, &key);
    if (!r)
        return;
    r->figure[ORGSUM_REQUESTS]++;
    r->figure[ORGSUM_INPUT] += u->usage.input_total_tok;
    r->figure[ORGSUM_CACHED] += q[METER_CACHED] + q[METER_AUDIO_CACHED] + q[METER_IMAGE_CACHED];
    r->figure[ORGSUM_WRITE_30M] += q[METER_CACHE_WRITE];
    r->figure[ORGSUM_WRITE_12H] += q[METER_CACHE_WRITE_12H];
    r->figure[ORGSUM_OUTPUT] += u->usage.output_total_tok;
    r->figure[ORGSUM_AUDIO_IN] += q[METER_AUDIO_INPUT] + q[METER_AUDIO_CACHED];
    r->figure[ORGSUM_AUDIO_CACHED] += q[METER_AUDIO_CACHED];
    r->figure[ORGSUM_AUDIO_OUT] += q[METER_AUDIO_OUTPUT];
    r->figure[ORGSUM_IMAGE_IN] += q[METER_IMAGE_INPUT] + q[METER_IMAGE_CACHED];
    r->figure[ORGSUM_IMAGE_CACHED] += q[METER_IMAGE_CACHED];
    r->figure[ORGSUM_IMAGE_OUT] += q[METER_IMAGE_OUTPUT];
    r->figure[ORGSUM_IMAGES] += u->images;
    r->figure[ORGSUM_CHARACTERS] += u->characters;
    r->figure[ORGSUM_MILLISECONDS] += u->seconds_ms;
}

static void add_tool(struct orgsum *s, const struct call *c, enum call_work work, uint64_t calls)
{
    struct orgsum_row key, *r;
    if (!calls)
        return;
    key_of(s, c, work, &key);
    r = find(s, &key);
    if (!r)
        return;
    r->figure[ORGSUM_REQUESTS]++;
    r->figure[ORGSUM_CALLS] += calls;
}

/* Cost by line item, in the words of OpenAI's invoice. */

static const struct {
    const char *format, *unit; /* %s: the model */
} lines[METER_COUNT] = {
    [METER_INPUT] = {"%s, input", "tokens"},
    [METER_CACHED] = {"%s, cached input", "tokens"},
    [METER_CACHE_WRITE] = {"%s, cache writes", "tokens"},
    [METER_CACHE_WRITE_12H] = {"%s, cache writes 12h", "tokens"},
    [METER_OUTPUT] = {"%s, output", "tokens"},
    [METER_AUDIO_INPUT] = {"%s audio, input", "tokens"},
    [METER_AUDIO_CACHED] = {"%s audio, cached input", "tokens"},
    [METER_AUDIO_OUTPUT] = {"%s audio, output", "tokens"},
    [METER_IMAGE_INPUT] = {"%s image, input", "tokens"},
    [METER_IMAGE_CACHED] = {"%s image, cached input", "tokens"},
    [METER_IMAGE_OUTPUT] = {"%s image, output", "tokens"},
    [METER_AUDIO_MS] = {"%s, audio", "duration_seconds"},
    [METER_VIDEO_MS] = {"%s, video", "duration_seconds"},
    [METER_CHARACTERS] = {"%s, characters", "characters"},
    [METER_IMAGES] = {"%s, %s, %s", "images"},
    [METER_WEB_SEARCH] = {"web search tool calls", NULL},
    [METER_FILE_SEARCH] = {"file search tool calls", NULL},
    [METER_CODE_SESSION] = {"code interpreter sessions", NULL},
    [METER_TRAINED] = {"%s, training", "tokens"},
};

/* "ft:gpt-4o-2024-08-06:org:name:id" is "ft-gpt-4o-2024-08-06" on the invoice. */
static void model_name(struct str model, char *out, size_t cap)
{
    if (str_starts(model, STR("ft:"))) {
        struct str base = str_from(model, 3);
        ptrdiff_t colon = str_find(base, ':');
        snprintf(out, cap, "ft-%.*s", STR_ARG(colon < 0 ? base : str_head(base, (size_t)colon)));
    } else if (str_eq(model, STR("dall-e-3")) || str_eq(model, STR("dall-e-2"))) {
        snprintf(out, cap, "DALL·E %c", model.p[7]);
    } else {
        str_copy(out, cap, model);
    }
}

static uint16_t line_of(struct orgsum *s, const struct call *c, const struct cost *cost, unsigned meter)
{
    char model[CALL_MODEL_MAX + 8], text[CALL_MODEL_MAX + 160], line[CALL_MODEL_MAX + 200];
    const struct usage *u = &c->used.usage;
    bool token = lines[meter].unit && lines[meter].unit[0] == 't';
    const char *tier = cost->tier == PRICE_TIER_STANDARD ? "" : price_tier_text(cost->tier);
    model_name(str_c(c->used.model), model, sizeof model);
    if (meter == METER_IMAGES)
        snprintf(text, sizeof text, "%s, %s, %s", model, u->quality, u->size);
    else if (strchr(lines[meter].format, '%'))
        snprintf(text, sizeof text, "%s%s", model, strchr(lines[meter].format, 's') + 1);
    else
        str_copy(text, sizeof text, str_c(lines[meter].format));
    snprintf(line, sizeof line, "%s%s%s%s", token ? tier : "", token && tier[0] ? " | " : "", text,
             token && cost->long_context ? ", long context" : "");
    return intern(s, str_c(line));
}

static void add_cost(struct orgsum *s, const struct call *c)
{
    struct cost cost;
    struct price_query query = {.model = str_c(c->used.model),
                                .operation = str_c(c->route ? c->route->operation : ""),
                                .service_tier = str_c(c->used.usage.service_tier),
                                .when_us = c->wall_us,
                                .batch = c->used.batch,
                                .aggregate = c->answer.status == 101};
    cost_of(c->sim->prices, &query, &c->used.usage, &cost);
    if (cost.state != COST_PRICED && cost.state != COST_ESTIMATED)
        return;
    for (unsigned m = 0; m < METER_COUNT; m++) {
        struct orgsum_row key, *r;
        uint64_t quantity = c->used.usage.quantity[m];
        if (!quantity)
            continue;
        key_of(s, c, CALL_WORK_NONE, &key);
        key.work = CALL_WORK_COUNT;
        key.minute -= key.minute % MINUTES_PER_DAY;
        key.by[ORGSUM_BY_MODEL] = 0;
        key.batch = false;
        key.by[ORGSUM_BY_LINE] = line_of(s, c, &cost, m);
        r = find(s, &key);
        if (!r)
            continue;
        bool time = m == METER_AUDIO_MS || m == METER_VIDEO_MS;
        r->cost.pusd += cost.part_pusd[m];
        r->cost.quantity += time ? (quantity + 999) / 1000 : quantity;
        r->cost.unit = lines[m].unit;
    }
}

void orgsum_add(const struct call *c)
{
    struct orgsum *s = c->sim->orgsum;
    const uint64_t *q = c->used.usage.quantity;
    if (c->used.work == CALL_WORK_NONE || !c->caller || call_on_azure(c))
        return;
    if (c->used.work != CALL_WORK_TRAINING && c->used.work != CALL_WORK_VIDEOS)
        add_work(s, c);
    add_tool(s, c, CALL_WORK_WEB_SEARCHES, q[METER_WEB_SEARCH]);
    add_tool(s, c, CALL_WORK_FILE_SEARCHES, q[METER_FILE_SEARCH]);
    add_tool(s, c, CALL_WORK_CODE_SESSIONS, q[METER_CODE_SESSION]);
    add_cost(s, c);
}
