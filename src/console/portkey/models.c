/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue of models: what a key of the workspace can name as "@slug/model". For an OpenAI account
 * these are the models of the price catalogue that are still served, for an Azure account its
 * deployments. What a compatible host serves is not known here; with x-portkey-provider: @slug the
 * same path asks the host itself.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/portkey/portkey.h"
#include "control/control_integration.h"
#include "openai/price.h"
#include "openai/price_list.h"

#define ROWS_MAX 100000 /* a thousand accounts with a hundred models each */

struct model_row {
    struct str provider, service, name, canonical;
    int64_t created_us;
};

struct model_rows {
    struct job *job;
    struct str service, provider; /* filters; "" = all */
    struct model_row *list;
    size_t n;
    bool full;
};

static void add(struct model_rows *rows, const struct model_row *row)
{
    if (rows->n == ROWS_MAX) {
        rows->full = true;
        return;
    }
    rows->list[rows->n++] = *row;
}

static void add_deployments(struct model_rows *rows, const struct control_integration *i,
                            const struct snapshot_integration *s, struct str service)
{
    for (size_t n = 0; n < s->deployment_count; n++) {
        const struct snapshot_deployment *d = &s->deployments[n];
        if (!snapshot_integration_allows(s, d->alias))
            continue;
        struct model_row row = {i->slug, service, d->alias, d->model.n ? d->model : d->alias, i->created_us};
        add(rows, &row);
    }
}

static void add_catalog(struct model_rows *rows, const struct control_integration *i,
                        const struct snapshot_integration *s, struct str service, const struct price_catalog *catalog)
{
    int64_t now_us = clock_wall_us();
    for (size_t n = 0; n < price_list_models(catalog); n++) {
        const struct price_model *m = price_list_model(catalog, n);
        if ((m->shutdown_us != PRICE_LIST_NO_DATE && m->shutdown_us <= now_us) ||
            !snapshot_integration_allows(s, m->id))
            continue;
        int64_t created_us = m->released_us == PRICE_LIST_NO_DATE ? 0 : m->released_us;
        struct model_row row = {i->slug, service, m->id, m->id, created_us};
        add(rows, &row);
    }
}

static void add_integration(struct model_rows *rows, const struct control_integration *i,
                            const struct price_catalog *catalog)
{
    struct str service = str_c(kind_integration_text(i->kind));
    const struct snapshot_integration *s = snapshot_find_integration(rows->job->snapshot, i->workspace_id, i->slug);
    if (!s || !kind_integration_serves(i->kind) || (rows->provider.n && !str_eq(rows->provider, i->slug)) ||
        (rows->service.n && !str_eq(rows->service, service)))
        return;
    if (i->kind == KIND_INTEGRATION_AZURE_OPENAI)
        add_deployments(rows, i, s, service);
    else if (i->kind == KIND_INTEGRATION_OPENAI)
        add_catalog(rows, i, s, service, catalog);
}

/* ---- order ---- */

static int by_name(const void *a, const void *b)
{
    const struct model_row *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : str_cmp(x->provider, y->provider);
}

static int by_provider(const void *a, const void *b)
{
    const struct model_row *x = a, *y = b;
    int c = str_cmp(x->provider, y->provider);
    return c ? c : str_cmp(x->name, y->name);
}

static int by_service(const void *a, const void *b)
{
    const struct model_row *x = a, *y = b;
    int c = str_cmp(x->service, y->service);
    return c ? c : by_provider(a, b);
}

static void reverse(struct model_rows *rows)
{
    for (size_t i = 0; i < rows->n / 2; i++) {
        struct model_row t = rows->list[i];
        rows->list[i] = rows->list[rows->n - 1 - i];
        rows->list[rows->n - 1 - i] = t;
    }
}

/* False when the job was answered. */
static bool sort(struct model_rows *rows)
{
    struct str key = job_query(rows->job, STR("sort")), order = job_query(rows->job, STR("order"));
    int (*compare)(const void *, const void *) = by_provider;
    if (str_eq(key, STR("name")))
        compare = by_name;
    else if (str_eq(key, STR("ai_service")))
        compare = by_service;
    else if (key.n && !str_eq(key, STR("provider"))) {
        job_fail(rows->job, ERR_BAD_PARAMETER, STR("sort"), STR("it is name, provider or ai_service"));
        return false;
    }
    if (order.n && !str_eq(order, STR("asc")) && !str_eq(order, STR("desc"))) {
        job_fail(rows->job, ERR_BAD_PARAMETER, STR("order"), STR("it is asc or desc"));
        return false;
    }
    if (rows->n)
        qsort(rows->list, rows->n, sizeof *rows->list, compare);
    if (str_eq(order, STR("desc")))
        reverse(rows);
    return true;
}

/* ---- the answer ---- */

static void write_row(struct json_write *w, const struct model_row *row)
{
    struct buf id;
    buf_init(&id, 1024);
    bool ok = buf_add_byte(&id, '@') && buf_add_str(&id, row->provider) && buf_add_byte(&id, '/') &&
              buf_add_str(&id, row->name);
    json_write_object(w);
    json_write_member_string(w, "id", ok ? buf_str(&id) : row->name);
    json_write_member_string(w, "slug", row->name);
    json_write_member_string(w, "canonical_slug", row->canonical);
    json_write_member_string(w, "object", STR("model"));
    json_write_member_int(w, "created", row->created_us / 1000000);
    json_write_member_string(w, "owned_by", row->service);
    json_write_member_string(w, "provider", row->provider);
    json_write_member_string(w, "ai_service", row->service);
    json_write_object_end(w);
    buf_free(&id);
}

static void reply(struct model_rows *rows)
{
    struct job *j = rows->job;
    struct json_write *w = &j->json;
    uint64_t limit, offset;
    if (!job_query_u64(j, STR("limit"), ROWS_MAX, ROWS_MAX, &limit) ||
        !job_query_u64(j, STR("offset"), 0, ROWS_MAX, &offset)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("limit and offset are whole numbers up to 100000"));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", rows->n);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = offset; i < rows->n && i - offset < limit; i++)
        write_row(w, &rows->list[i]);
    json_write_array_end(w);
    json_write_object_end(w);
}

static bool permitted(struct job *j)
{
    if (snapshot_key_may(j->key, SNAPSHOT_SCOPE_COMPLETIONS_WRITE) ||
        snapshot_key_may(j->key, SNAPSHOT_SCOPE_MODELS_LIST) ||
        snapshot_key_may(j->key, SNAPSHOT_SCOPE_VIRTUAL_KEYS_LIST))
        return true;
    job_fail(j, ERR_FORBIDDEN, STR(""), STR("models.list"));
    return false;
}

void models_list(struct job *j)
{
    struct control_integration *integrations = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    char text[512];
    if (!permitted(j))
        return;
    enum err e = control_integration_list(j->console->settings.control, j->key->workspace_id, j->arena, &integrations,
                                          &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    const struct price_catalog *catalog = catalog_get(j->console, text, sizeof text);
    if (!catalog) {
        job_fail(j, ERR_BAD_PRICES, STR(""), str_c(text));
        return;
    }
    struct model_rows rows = {.job = j,
                              .service = job_query(j, STR("ai_service")),
                              .provider = job_query(j, STR("provider")),
                              .list = mem_alloc(ROWS_MAX * sizeof(struct model_row))};
    if (rows.provider.n && rows.provider.p[0] == '@')
        rows.provider = str_from(rows.provider, 1);
    for (size_t i = 0; i < count; i++)
        add_integration(&rows, &integrations[i], catalog);
    if (rows.full)
        job_fail(j, ERR_OVERLOADED, STR("provider"), STR("the list is too long; ask for one provider"));
    else if (sort(&rows))
        reply(&rows);
    mem_free(rows.list);
}
