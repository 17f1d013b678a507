/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The price book as Vantage shows prices of clouds: a product is a model, a price what one of its meters costs today, in one
 * tier, with short or long input. Images are left to Portkey's price look-up: theirs depend on quality and size.
 */
#include <stdio.h>

#include "base/clock.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/vantage/ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "openai/price.h"
#include "openai/price_list.h"

#define PROVIDER "open_ai"
#define SERVICE "open_ai-api"
#define ID_MAX 200
#define HOUR_MS 3600000
#define MINUTE_MS 60000
#define SECOND_MS 1000
#define MILLION 1000000

/* NULL when the job was answered. */
static const struct price_catalog *catalog_of(struct job *j)
{
    char why[512];
    const struct price_catalog *c = catalog_get(j->console, why, sizeof why);
    if (!c)
        job_fail(j, ERR_BAD_PRICES, STR(""), str_c(why));
    return c;
}

/* ---- models ---- */

static struct str id_of(const struct price_model *m, char out[ID_MAX])
{
    int n = snprintf(out, ID_MAX, "%s-%.*s", SERVICE, STR_ARG(str_head(m->id, 120)));
    return str_of(out, (size_t)n);
}

static const char *category_of(const struct price_model *m)
{
    struct str ops = m->operations;
    if (str_starts(ops, STR("embeddings")))
        return "embeddings";
    if (str_starts(ops, STR("images")))
        return "images";
    if (str_starts(ops, STR("audio")))
        return "audio";
    if (str_starts(ops, STR("videos")))
        return "videos";
    return str_starts(ops, STR("moderations")) ? "moderations" : "text";
}

static void write_product(struct json_write *w, const struct price_model *m)
{
    char id[ID_MAX];
    json_write_object(w);
    json_write_member_string(w, "id", id_of(m, id));
    json_write_member_string(w, "category", str_c(category_of(m)));
    json_write_member_string(w, "name", m->id);
    json_write_member_string(w, "service_id", STR(SERVICE));
    json_write_member_string(w, "provider_id", STR(PROVIDER));
    json_write_key(w, STR("details"));
    json_write_object(w);
    json_write_member_string(w, "name", m->id);
    json_write_member_text(w, "operations", m->operations);
    json_write_member_text(w, "input", m->input);
    json_write_member_text(w, "output", m->output);
    json_write_member_uint(w, "context_window", m->context_window);
    json_write_member_uint(w, "max_output", m->max_output);
    json_write_member_text(w, "note", m->note);
    json_write_object_end(w);
    json_write_object_end(w);
}

void products_list(struct job *j)
{
    struct vantage_page page;
    struct str provider = ask_text(j, "provider_id"), service = ask_text(j, "service_id"), name = ask_text(j, "name");
    const struct price_catalog *c;
    if (!vantage_page_read(j, 100, 1000, &page) || !(c = catalog_of(j)))
        return;
    bool ours = (!provider.n || str_eq(provider, STR(PROVIDER)) || str_eq(provider, STR("openai"))) &&
                (!service.n || str_eq(service, STR(SERVICE)));
    uint64_t skip = (page.page - 1) * page.limit, total = 0;
    struct buf body;
    struct json_write w;
    buf_init(&body, JOB_REPLY_MAX);
    json_write_init(&w, &body);
    json_write_array(&w);
    for (size_t i = 0; ours && i < price_list_models(c); i++) {
        const struct price_model *m = price_list_model(c, i);
        if (!m->priced || (name.n && !ask_contains(m->id, name)))
            continue;
        if (total >= skip && total - skip < page.limit)
            write_product(&w, m);
        total++;
    }
    json_write_array_end(&w);
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, total, false);
    json_write_member_raw(&j->json, "products", json_write_done(&w) ? buf_str(&body) : STR("[]"));
    json_write_object_end(&j->json);
    buf_free(&body);
}

/* NULL when the job was answered. */
static const struct price_model *named(struct job *j, const struct price_catalog *c)
{
    char id[ID_MAX];
    struct str token = ask_token(j, 0);
    for (size_t i = 0; i < price_list_models(c); i++) {
        const struct price_model *m = price_list_model(c, i);
        if (m->priced && str_eq(id_of(m, id), token))
            return m;
    }
    vantage_fail(j, 404, "There is no such product");
    return NULL;
}

void products_get(struct job *j)
{
    const struct price_catalog *c = catalog_of(j);
    const struct price_model *m = c ? named(j, c) : NULL;
    if (!m)
        return;
    job_reply_json(j, 200);
    write_product(&j->json, m);
}

/* ---- prices ---- */

/* Goes over all prices of a model; writes those of a page, or the one with an id. */
struct prices {
    const struct price_catalog *catalog;
    const struct price_model *model;
    const struct price_entry *entry;
    struct price_ask ask;
    struct json_write w;
    struct buf body;
    struct str wanted; /* an id; "" = all */
    uint64_t skip, limit, seen, written;
};

/* Tokens and characters are sold by the million. Returns how many units the price shown is for. */
static uint64_t shown_units(unsigned meter, const struct price_unit *p)
{
    struct str unit = str_c(meter_info(meter)->unit);
    bool small = str_eq(unit, STR("tokens")) || str_eq(unit, STR("characters"));
    return small && MILLION % p->per == 0 ? MILLION : p->per;
}

static void write_unit(struct json_write *w, unsigned meter, uint64_t units)
{
    char text[64];
    struct str unit = str_c(meter_info(meter)->unit);
    int n;
    if (str_eq(unit, STR("milliseconds")))
        n = snprintf(text, sizeof text, "%s",
                     units == HOUR_MS     ? "hour"
                     : units == MINUTE_MS ? "minute"
                     : units == SECOND_MS ? "second"
                                          : "ms");
    else if (units == 1)
        n = snprintf(text, sizeof text, "%.*s", STR_ARG(str_head(unit, unit.n - 1)));
    else
        n = snprintf(text, sizeof text, "%llu %.*s", (unsigned long long)units, STR_ARG(unit));
    json_write_member_string(w, "unit", str_of(text, (size_t)n));
}

static void write_price(struct prices *all, struct str id, unsigned meter, const struct price_unit *p)
{
    struct json_write *w = &all->w;
    char amount[MONEY_TEXT_MAX];
    uint64_t units = shown_units(meter, p);
    json_write_object(w);
    json_write_member_string(w, "id", id);
    write_unit(w, meter, units);
    json_write_member_string(w, "region", STR("global"));
    json_write_member_string(w, "rate_type", str_c(meter_info(meter)->text));
    json_write_member_string(w, "currency", STR("USD"));
    money_sum pusd = (money_sum)p->unit_pusd * (money_sum)p->num, more;
    bool fits = !__builtin_mul_overflow(pusd, (money_sum)(units / p->per), &more);
    pusd = fits ? more / (money_sum)p->den : pusd / (money_sum)p->den * (money_sum)(units / p->per);
    json_write_member_raw(w, "amount", str_of(amount, money_format(pusd, amount)));
    json_write_key(w, STR("details"));
    json_write_object(w);
    json_write_member_string(w, "tier", str_c(price_tier_text(all->ask.tier)));
    json_write_member_string(w, "context", all->ask.long_context ? STR("long") : STR("short"));
    json_write_member_string(w, "group", str_c(price_group_text(all->ask.group)));
    json_write_member_bool(w, "estimate", p->estimate);
    json_write_object_end(w);
    json_write_object_end(w);
}

static void offer(struct prices *all, unsigned meter, const struct price_unit *p)
{
    char product[ID_MAX], id[ID_MAX + 80];
    int n = snprintf(id, sizeof id, "%.*s-%s-%s-%s%s", STR_ARG(id_of(all->model, product)),
                     price_group_text(all->ask.group), meter_info(meter)->text, price_tier_text(all->ask.tier),
                     all->ask.long_context ? "-long" : "");
    struct str name = str_of(id, (size_t)n);
    bool fits = all->wanted.n ? str_eq(name, all->wanted) && !all->written
                              : all->seen >= all->skip && all->seen - all->skip < all->limit;
    all->seen++;
    if (!fits)
        return;
    write_price(all, name, meter, p);
    all->written++;
}

/* A tier or a long input without a price of its own is not offered a second time. */
static void walk_meter(struct prices *all, unsigned meter)
{
    struct price_unit p, other;
    for (unsigned tier = 0; tier < PRICE_TIER_UNKNOWN; tier++) {
        all->ask.tier = (enum price_tier)tier;
        all->ask.long_context = false;
        if (price_unit(all->catalog, all->entry, meter, &all->ask, &p) != PRICE_FOUND)
            continue;
        offer(all, meter, &p);
        all->ask.long_context = true;
        if (price_unit(all->catalog, all->entry, meter, &all->ask, &other) == PRICE_FOUND &&
            (other.unit_pusd != p.unit_pusd || other.num != p.num || other.den != p.den))
            offer(all, meter, &other);
    }
}

static void walk(struct prices *all)
{
    for (unsigned g = PRICE_GROUP_TEXT; g < PRICE_GROUP_UNMETERED; g++) {
        all->ask.group = (enum price_group)g;
        for (unsigned meter = 0; meter < METER_WEB_SEARCH; meter++) /* tools are not the model's */
            if (meter != METER_IMAGES)
                walk_meter(all, meter);
        walk_meter(all, METER_TRAINED);
    }
}

/* False when the job was answered. */
static bool begin(struct job *j, struct prices *all)
{
    enum price_match match;
    *all = (struct prices){.catalog = catalog_of(j), .ask = {.when_us = clock_wall_us()}};
    all->model = all->catalog ? named(j, all->catalog) : NULL;
    if (!all->model)
        return false;
    all->entry = price_find(all->catalog, all->model->id, &match);
    buf_init(&all->body, JOB_REPLY_MAX);
    json_write_init(&all->w, &all->body);
    return true;
}

void products_prices(struct job *j)
{
    struct vantage_page page;
    struct prices all;
    if (!vantage_page_read(j, 100, 1000, &page) || !begin(j, &all))
        return;
    all.skip = (page.page - 1) * page.limit;
    all.limit = page.limit;
    json_write_array(&all.w);
    walk(&all);
    json_write_array_end(&all.w);
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, all.seen, false);
    json_write_member_raw(&j->json, "prices", json_write_done(&all.w) ? buf_str(&all.body) : STR("[]"));
    json_write_object_end(&j->json);
    buf_free(&all.body);
}

void products_price(struct job *j)
{
    struct prices all;
    if (!begin(j, &all))
        return;
    all.wanted = ask_token(j, 1);
    if (all.wanted.n)
        walk(&all);
    if (all.written) {
        job_reply_json(j, 200);
        json_write_raw(&j->json, buf_str(&all.body));
    } else {
        vantage_fail(j, 404, "There is no such price");
    }
    buf_free(&all.body);
}
