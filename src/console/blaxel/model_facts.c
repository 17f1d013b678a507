/* SPDX-License-Identifier: Apache-2.0 */
/* Prices are those of today: standard tier, short context, dollars for a million tokens. */
#include "console/blaxel/model_facts.h"

#include "base/clock.h"
#include "base/must.h"
#include "console/native/output.h"
#include "console/price_text.h"
#include "openai/price.h"
#include "openai/price_list.h"

#define TOKENS 1000000

static const struct {
    const char *name;
    enum meter meter;
} rows[] = {
    {"input", METER_INPUT},
    {"cached_input", METER_CACHED},
    {"cache_write", METER_CACHE_WRITE},
    {"output", METER_OUTPUT},
    {"audio_input", METER_AUDIO_INPUT},
    {"audio_output", METER_AUDIO_OUTPUT},
    {"image_input", METER_IMAGE_INPUT},
    {"image_output", METER_IMAGE_OUTPUT},
};

/* "text|image" as an array. */
static void write_list(struct json_write *w, const char *name, struct str list)
{
    struct str part;
    json_write_key(w, str_c(name));
    json_write_array(w);
    while (list.n && str_split(&list, '|', &part))
        json_write_string(w, part);
    json_write_array_end(w);
}

/* The model's own line of the list, or that of the name its prices go by. */
static const struct price_model *model_of(const struct price_catalog *c, struct str id)
{
    const struct price_model *m = price_list_find_model(c, id);
    enum price_match match;
    const struct price_entry *e = m ? NULL : price_find(c, id, &match);
    for (size_t i = 0; e && i < price_list_models(c); i++)
        if (price_find(c, price_list_model(c, i)->id, &match) == e)
            return price_list_model(c, i);
    return m;
}

static bool find(const struct price_catalog *c, const struct price_entry *e, enum meter meter, struct price_unit *ret)
{
    static const enum price_group groups[] = {PRICE_GROUP_TEXT, PRICE_GROUP_EMBEDDINGS, PRICE_GROUP_IMAGES,
                                              PRICE_GROUP_AUDIO};
    for (size_t i = 0; e && i < sizeof groups / sizeof groups[0]; i++) {
        const struct price_ask ask = {.group = groups[i], .tier = PRICE_TIER_STANDARD, .when_us = clock_wall_us()};
        if (price_unit(c, e, meter, &ask, ret) == PRICE_FOUND)
            return true;
    }
    return false;
}

static void write_prices(struct json_write *w, const struct price_catalog *c, struct str id)
{
    enum price_match match;
    const struct price_entry *e = price_find(c, id, &match);
    json_write_key(w, STR("pricing"));
    if (!e) {
        json_write_null(w);
        return;
    }
    json_write_object(w);
    json_write_member_string(w, "currency", STR("USD"));
    json_write_member_int(w, "per_tokens", TOKENS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct price_unit p;
        struct buf text;
        buf_init(&text, 128);
        if (find(c, e, rows[i].meter, &p) && price_text_add(&text, &p, TOKENS, PRICE_TEXT_DOLLAR))
            json_write_member_string(w, rows[i].name, buf_str(&text));
        buf_free(&text);
    }
    json_write_object_end(w);
}

void model_facts_write(struct json_write *w, const struct price_catalog *c, struct str id)
{
    const struct price_model *m = model_of(c, id);
    if (m && m->context_window)
        json_write_member_uint(w, "context_window", m->context_window);
    else
        json_write_member_null(w, "context_window");
    if (m && m->max_output)
        json_write_member_uint(w, "max_output", m->max_output);
    else
        json_write_member_null(w, "max_output");
    json_write_key(w, STR("modalities"));
    json_write_object(w);
    write_list(w, "input", m ? m->input : STR(""));
    write_list(w, "output", m ? m->output : STR(""));
    json_write_object_end(w);
    write_list(w, "operations", m ? m->operations : STR(""));
    output_time(w, "shutdown_at", m && m->shutdown_us != PRICE_LIST_NO_DATE ? m->shutdown_us : 0);
    write_prices(w, c, id);
}
