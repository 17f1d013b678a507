/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prices in Portkey's form: cents for one unit (a token, a character where speech is billed so, an image, a
 * call, a minute, a second), from the integer catalogue to the last digit, never through a double. Shown
 * are the prices of today, standard tier and short context; "batch_config" has those of the batch tier.
 */
#include "base/clock.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/portkey/portkey.h"
#include "console/price_text.h"
#include "openai/price.h"
#include "openai/price_list.h"

#define VARIANTS_MAX 200

struct lookup {
    const struct price_catalog *catalog;
    const struct price_entry *entry;
    struct price_ask ask;
};

/*
 * Which operations a price is looked for in. Images in a chat are text tokens, and those that a chat's tools
 * make are priced with the tool's model, so a chat model has no image tokens of its own; only chat models
 * have tools.
 */
enum where { ANYWHERE, OUTSIDE_TEXT, TEXT_ONLY };

/* "pay_as_you_go" and "batch_config": Portkey's name, our meter. */
static const struct {
    const char *name;
    enum meter meter;
    enum where where;
} token_rows[] = {
    {"request_token", METER_INPUT, ANYWHERE},
    {"response_token", METER_OUTPUT, ANYWHERE},
    {"cache_read_input_token", METER_CACHED, ANYWHERE},
    {"cache_write_input_token", METER_CACHE_WRITE, ANYWHERE},
    {"request_audio_token", METER_AUDIO_INPUT, ANYWHERE},
    {"response_audio_token", METER_AUDIO_OUTPUT, ANYWHERE},
    {"cache_read_audio_input_token", METER_AUDIO_CACHED, ANYWHERE},
    {"request_image_token", METER_IMAGE_INPUT, OUTSIDE_TEXT},
    {"response_image_token", METER_IMAGE_OUTPUT, OUTSIDE_TEXT},
    {"cached_image_input_token", METER_IMAGE_CACHED, OUTSIDE_TEXT},
};

/* "additional_units": the name, our meter, how many of its units make one. */
static const struct {
    const char *name;
    enum meter meter;
    unsigned units;
    enum where where;
} unit_rows[] = {
    {"web_search", METER_WEB_SEARCH, 1, TEXT_ONLY},
    {"file_search", METER_FILE_SEARCH, 1, TEXT_ONLY},
    {"audio_duration_minutes", METER_AUDIO_MS, 60000, OUTSIDE_TEXT},
    {"video_duration_seconds", METER_VIDEO_MS, 1000, OUTSIDE_TEXT},
};

/* The meter's price in the first group of operations that has one. */
static bool find(const struct lookup *l, enum meter meter, enum where where, struct price_unit *ret)
{
    static const enum price_group groups[] = {PRICE_GROUP_TEXT,   PRICE_GROUP_DECISIONS, PRICE_GROUP_EMBEDDINGS,
                                              PRICE_GROUP_IMAGES, PRICE_GROUP_AUDIO,     PRICE_GROUP_VIDEOS};
    struct price_ask ask = l->ask;
    for (size_t i = where == OUTSIDE_TEXT; i < (where == TEXT_ONLY ? 1 : sizeof groups / sizeof groups[0]); i++) {
        ask.group = groups[i];
        if (price_unit(l->catalog, l->entry, meter, &ask, ret) == PRICE_FOUND)
            return true;
    }
    return false;
}

static void write_price(struct json_write *w, const char *name, const struct price_unit *p, unsigned units)
{
    struct buf text;
    buf_init(&text, 128);
    bool fits = price_text_add(&text, p, units, PRICE_TEXT_CENT);
    json_write_key(w, str_c(name));
    json_write_object(w);
    if (fits)
        json_write_member_raw(w, "price", buf_str(&text));
    else
        json_write_member_null(w, "price");
    json_write_object_end(w);
    buf_free(&text);
}

static void write_tokens(struct json_write *w, const struct lookup *l)
{
    struct price_unit p;
    for (size_t i = 0; i < sizeof token_rows / sizeof token_rows[0]; i++)
        if (find(l, token_rows[i].meter, token_rows[i].where, &p))
            write_price(w, token_rows[i].name, &p, 1);
    if (!find(l, METER_INPUT, ANYWHERE, &p) && find(l, METER_CHARACTERS, ANYWHERE, &p))
        write_price(w, "request_token", &p, 1);
}

static void write_units(struct json_write *w, const struct lookup *l)
{
    struct price_unit p;
    bool chats = find(l, METER_OUTPUT, TEXT_ONLY, &p);
    json_write_key(w, STR("additional_units"));
    json_write_object(w);
    for (size_t i = 0; i < sizeof unit_rows / sizeof unit_rows[0]; i++)
        if ((chats || unit_rows[i].where != TEXT_ONLY) && find(l, unit_rows[i].meter, unit_rows[i].where, &p))
            write_price(w, unit_rows[i].name, &p, unit_rows[i].units);
    json_write_object_end(w);
}

/* ---- images: a price for each quality and size ---- */

struct variant {
    struct str quality, size;
};

/* Cells list alternatives with '|'. */
static size_t add_variants(const struct price_line *line, struct variant *list, size_t n)
{
    struct str qualities = line->quality.n ? line->quality : STR("default"), quality;
    while (str_split(&qualities, '|', &quality)) {
        struct str sizes = line->size.n ? line->size : STR("default"), size;
        while (str_split(&sizes, '|', &size) && n < VARIANTS_MAX)
            list[n++] = (struct variant){quality, size};
    }
    return n;
}

static size_t variants_of(const struct lookup *l, struct variant list[VARIANTS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < price_list_lines(l->catalog); i++) {
        struct price_line line;
        enum price_match match;
        price_list_line(l->catalog, i, &line);
        if (str_eq(line.kind, STR("price")) && str_eq(line.meter, str_c(meter_info(METER_IMAGES)->text)) &&
            price_find(l->catalog, line.model, &match) == l->entry)
            n = add_variants(&line, list, n);
    }
    return n;
}

static bool seen_before(const struct variant *list, size_t i, bool with_size)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(list[k].quality, list[i].quality) && (!with_size || str_eq(list[k].size, list[i].size)))
            return true;
    return false;
}

/* The sizes of list[first]'s quality. */
static void write_sizes(struct json_write *w, const struct lookup *l, const struct variant *list, size_t n,
                        size_t first)
{
    for (size_t i = first; i < n; i++) {
        struct lookup of = *l;
        struct price_unit p;
        char name[64];
        if (!str_eq(list[i].quality, list[first].quality) || seen_before(list, i, true))
            continue;
        of.ask.quality = list[i].quality;
        of.ask.size = list[i].size;
        if (find(&of, METER_IMAGES, ANYWHERE, &p))
            write_price(w, str_copy(name, sizeof name, list[i].size), &p, 1);
    }
}

static void write_images(struct json_write *w, const struct lookup *l)
{
    struct variant list[VARIANTS_MAX];
    size_t n = variants_of(l, list);
    if (!n)
        return;
    json_write_key(w, STR("image"));
    json_write_object(w);
    for (size_t i = 0; i < n; i++) {
        if (seen_before(list, i, false))
            continue;
        json_write_key(w, list[i].quality);
        json_write_object(w);
        write_sizes(w, l, list, n, i);
        json_write_object_end(w);
    }
    json_write_object_end(w);
}

/* ---- the answer ---- */

static void write_training(struct json_write *w, const struct lookup *l)
{
    struct price_ask ask = l->ask;
    struct price_unit p;
    ask.group = PRICE_GROUP_FINE_TUNING;
    if (price_unit(l->catalog, l->entry, METER_TRAINED, &ask, &p) != PRICE_FOUND)
        return;
    json_write_key(w, STR("finetune_config"));
    json_write_object(w);
    write_price(w, "pay_per_token", &p, 1);
    json_write_object_end(w);
}

static void reply(struct job *j, struct lookup *l)
{
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_key(w, STR("pay_as_you_go"));
    json_write_object(w);
    write_tokens(w, l);
    write_images(w, l);
    write_units(w, l);
    json_write_object_end(w);
    struct lookup batch = *l;
    batch.ask.tier = PRICE_TIER_BATCH;
    json_write_key(w, STR("batch_config"));
    json_write_object(w);
    write_tokens(w, &batch);
    json_write_object_end(w);
    write_training(w, l);
    json_write_member_string(w, "currency", STR("USD"));
    json_write_object_end(w);
}

void pricing_get(struct job *j)
{
    char why[512];
    enum price_match match;
    struct str provider = j->params[0], model = j->params[1];
    bool served = str_eq(provider, STR("openai")) || str_eq(provider, STR("azure-openai"));
    const struct price_catalog *catalog = catalog_get(j->console, why, sizeof why);
    if (!catalog) {
        job_fail(j, ERR_BAD_PRICES, STR(""), str_c(why));
        return;
    }
    struct lookup l = {.catalog = catalog,
                       .entry = served ? price_find(catalog, model, &match) : NULL,
                       .ask = {.tier = PRICE_TIER_STANDARD, .when_us = clock_wall_us()}};
    if (l.entry)
        reply(j, &l);
    else
        job_fail(j, ERR_NOT_FOUND, STR("model"), STR("the catalogue has no prices for it"));
}
