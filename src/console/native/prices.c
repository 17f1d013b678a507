/* SPDX-License-Identifier: Apache-2.0 */
/* The price catalogue: its models, and reading it again. */
#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "openai/price.h"
#include "openai/price_list.h"

void prices_models(struct job *j)
{
    struct price_source source = price_source_builtin();
    struct price_catalog *catalog;
    struct price_fault fault;
    struct json_write *w = &j->json;
    if (price_catalog_new(&source, &catalog, &fault) != ERR_OK) {
        job_fail(j, ERR_INTERNAL, STR(""), str_c(fault.reason));
        return;
    }
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
