/* SPDX-License-Identifier: Apache-2.0 */
/* The price catalogue: its models, reading it again, giving stored requests new costs by it. */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "gateway/account.h"
#include "ledger/ledger.h"
#include "openai/price.h"
#include "openai/price_list.h"

/* The catalogue of the files as they are now; NULL when the job was answered with an error. */
static struct price_catalog *load(struct job *j)
{
    char why[512];
    const struct console_settings *s = &j->console->settings;
    struct price_catalog *catalog = s->load_prices(s->ctx, why, sizeof why);
    if (!catalog)
        job_fail(j, ERR_BAD_PRICES, STR(""), str_c(why));
    return catalog;
}

void prices_models(struct job *j)
{
    struct json_write *w = &j->json;
    struct price_catalog *catalog = load(j);
    if (!catalog)
        return;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < price_list_models(catalog); i++) {
        const struct price_model *m = price_list_model(catalog, i);
        json_write_object(w);
        json_write_member_string(w, "id", m->id);
        json_write_member_text(w, "operations", m->operations);
        json_write_member_text(w, "input", m->input);
        json_write_member_text(w, "output", m->output);
        json_write_member_uint(w, "context_window", m->context_window);
        json_write_member_uint(w, "max_output", m->max_output);
        json_write_member_bool(w, "priced", m->priced);
        output_time(w, "shutdown_at", m->shutdown_us == PRICE_LIST_NO_DATE ? 0 : m->shutdown_us);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
    price_catalog_free(catalog);
}

void prices_reload(struct job *j)
{
    char why[512];
    const struct console_settings *s = &j->console->settings;
    enum err e = s->reload_prices(s->ctx, why, sizeof why);
    if (e)
        job_fail(j, e, STR(""), str_c(why));
    else
        job_reply_empty(j, 204);
}

static void price_by_catalog(void *context, const struct record *r, struct cost *ret_cost, uint32_t *ret_version)
{
    const struct price_catalog *catalog = context;
    *ret_version = price_catalog_version(catalog);
    account_price(catalog, r, ret_cost);
}

static void write_repriced(struct job *j, const struct ledger_repriced *r)
{
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_uint(w, "looked_at", r->looked_at);
    json_write_member_uint(w, "changed", r->changed);
    json_write_member_money(w, "before_usd", r->before_pusd);
    json_write_member_money(w, "after_usd", r->after_pusd);
    json_write_member_uint(w, "still_unpriced", r->still_unpriced);
    json_write_object_end(w);
}

void prices_reprice(struct job *j)
{
    struct input in;
    struct ledger_repriced result;
    bool all = false;
    if (!input_begin(&in, j))
        return;
    struct ledger_reprice what = {.price = price_by_catalog};
    input_time(&in, "since", &what.since_us);
    input_time(&in, "until", &what.until_us);
    input_bool(&in, "all", &all);
    bool ok = input_check(&in);
    input_end(&in);
    struct price_catalog *catalog = ok ? load(j) : NULL;
    if (!catalog)
        return;
    what.unpriced_only = !all;
    what.context = catalog;
    if (!what.until_us)
        what.until_us = clock_wall_us();
    enum err e = ledger_reprice(j->console->settings.ledger, &what, &result);
    price_catalog_free(catalog);
    if (e)
        job_fail(j, e, STR(""), STR(""));
    else
        write_repriced(j, &result);
}
