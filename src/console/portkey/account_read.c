/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that describe an account, in all spellings that Portkey's clients have. What we would store and
 * not heed is refused.
 */
#include "console/portkey/account_read.h"

#include "base/json_write.h"
#include "control/control_text.h"

#define AZURE_HOST ".openai.azure.com"
#define TEXT_MAX 65536

struct reader {
    struct given *g;
    struct jval root, inner; /* the body, and its `configurations` */
};

static bool refuse(struct reader *r, const char *param, const char *detail)
{
    if (!r->g->job->status)
        job_fail(r->g->job, ERR_BAD_PARAMETER, str_c(param), str_c(detail));
    return false;
}

/* The first of the names (ended by NULL) that is there, in the configurations or at the top; p == NULL: none. */
static struct str text_of(struct reader *r, const char *const *names)
{
    for (; *names; names++) {
        struct str text = given_text(r->g, r->inner, *names);
        if (!text.p)
            text = given_text(r->g, r->root, *names);
        if (text.p)
            return text;
    }
    return (struct str){NULL, 0};
}
#define TEXT_OF(r, ...) text_of(r, (const char *const[]){__VA_ARGS__, NULL})

static struct jval list_of(struct reader *r, const char *a, const char *b)
{
    struct jval v = given_member(r->inner, b);
    if (!jdoc_has(v))
        v = given_member(r->root, b);
    return jdoc_has(v) ? v : given_member(r->root, a);
}

/* Portkey's names of providers that we speak to. */
static bool read_kind(struct reader *r, struct control_integration_spec *spec)
{
    struct str name = TEXT_OF(r, "ai_provider_id", "provider", "ai_provider_slug", "ai_provider_name");
    if (!name.p)
        return r->g->job->status == 0;
    bool azure = str_eq_nocase(name, STR("azure-openai")) || str_eq_nocase(name, STR("azure")) ||
                 str_eq_nocase(name, STR("azure_openai"));
    if (azure)
        spec->kind = STR("azure-openai");
    else if (str_eq_nocase(name, STR("openai")))
        spec->kind = STR("openai");
    else if (str_eq(name, STR("openai-compatible")) || str_eq(name, STR("openai-admin")) ||
             str_eq(name, STR("openai-legacy")))
        spec->kind = name;
    else
        return refuse(r, "ai_provider_id",
                      "accounts are of openai, azure-openai, openai-compatible (with a custom_host) or openai-admin");
    return true;
}

/* ---- Azure ---- */

static bool write_deployment(struct reader *r, struct json_write *w, struct jval d, bool only_one)
{
    struct given *g = r->g;
    struct str deployment = given_text(g, d, "azure_deployment_name"), alias = given_text(g, d, "alias");
    struct str version = given_text(g, d, "azure_api_version"), model = given_text(g, d, "azure_model_slug");
    bool flag = false;
    if (!deployment.p)
        deployment = given_text(g, d, "deployment_name");
    if (!version.p)
        version = given_text(g, d, "api_version");
    const bool *is_default = given_bool(g, d, "is_default", &flag);
    if (g->job->status)
        return false;
    if (!deployment.n)
        return refuse(r, "deployment_config", "each entry needs a deploymentName");
    if (!alias.n)
        alias = model.n ? model : deployment;
    json_write_object(w);
    json_write_member_string(w, "alias", alias);
    json_write_member_string(w, "deployment", deployment);
    if (model.n)
        json_write_member_string(w, "model", model);
    if (version.n)
        json_write_member_string(w, "api_version", version);
    json_write_member_bool(w, "default", is_default ? *is_default : only_one);
    json_write_object_end(w);
    return true;
}

static bool read_deployments(struct reader *r, struct control_integration_spec *spec)
{
    struct jval list = list_of(r, "deployment_config", "azure_deployment_config");
    struct str single = TEXT_OF(r, "azure_deployment_name", "deployment_name");
    struct json_write w;
    struct buf text;
    if (r->g->job->status || (!jdoc_has(list) && !single.n))
        return r->g->job->status == 0;
    if (jdoc_has(list) && jdoc_kind(list) != JDOC_ARRAY)
        return refuse(r, "deployment_config", "it must be an array of objects");
    buf_init(&text, TEXT_MAX);
    json_write_init(&w, &text);
    json_write_array(&w);
    bool ok = jdoc_has(list) || write_deployment(r, &w, r->root, true);
    for (struct jval d = jdoc_first(list); ok && jdoc_has(d); d = jdoc_next(list, d))
        ok = write_deployment(r, &w, d, jdoc_size(list) == 1);
    json_write_array_end(&w);
    if (ok && !json_write_done(&w))
        ok = refuse(r, "deployment_config", "it is too long");
    if (ok)
        spec->deployments = arena_dup(r->g->job->arena, jdoc_has(list) && !jdoc_size(list) ? STR("") : buf_str(&text));
    buf_free(&text);
    return ok && (spec->deployments.p || refuse(r, "deployment_config", "it is too long"));
}

static bool read_azure(struct reader *r, struct control_integration_spec *spec)
{
    struct str resource = TEXT_OF(r, "azure_resource_name", "resource_name");
    struct str mode = TEXT_OF(r, "azure_auth_mode");
    spec->api_version = TEXT_OF(r, "azure_api_version", "api_version");
    if (r->g->job->status)
        return false;
    if (mode.n && !str_eq(mode, STR("default")) && !str_eq(mode, STR("apiKey")) && !str_eq(mode, STR("api_key")))
        return refuse(r, "azure_auth_mode",
                      "stored accounts use an API key; tokens go into a config (azure_auth_mode there) or a header");
    if (resource.n && !spec->base_url.p) {
        struct buf url;
        if (!control_text_is_token(resource, 64))
            return refuse(r, "resource_name", "it is the name alone: letters, digits and '-'");
        buf_init(&url, 256);
        bool ok = buf_printf(&url, "https://%.*s" AZURE_HOST, STR_ARG(resource));
        spec->base_url = ok ? arena_dup(r->g->job->arena, buf_str(&url)) : STR("");
        buf_free(&url);
    }
    return read_deployments(r, spec);
}

/* ---- all ---- */

static bool is_empty(struct jval v)
{
    enum jdoc_kind kind = jdoc_kind(v);
    return !jdoc_has(v) || ((kind == JDOC_OBJECT || kind == JDOC_ARRAY) && jdoc_size(v) == 0);
}

static bool check_unheeded(struct reader *r)
{
    static const char *const names[] = {"custom_headers", "secret_mappings", "pricing_adjustments"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!is_empty(given_member(r->root, names[i])) || !is_empty(given_member(r->inner, names[i])))
            return refuse(r, names[i], "accounts do not have these; leave it out");
    return true;
}

bool account_read(struct given *g, struct account_read *ret)
{
    struct reader r = {.g = g, .root = g->root, .inner = given_member(g->root, "configurations")};
    struct control_integration_spec *spec = &ret->spec;
    bool reset = false;
    *ret = (struct account_read){0};
    spec->name = given_text(g, g->root, "name");
    spec->slug = given_text(g, g->root, "slug");
    spec->note = given_text(g, g->root, "note");
    if (!spec->note.p)
        spec->note = given_text(g, g->root, "description");
    spec->expires_us = given_expiry(g, g->root, "expires_at", &ret->expires_us);
    spec->api_key = given_text(g, g->root, "key");
    spec->base_url = TEXT_OF(&r, "custom_host");
    spec->organization = TEXT_OF(&r, "openai_organization");
    spec->project = TEXT_OF(&r, "openai_project");
    ret->reset_usage = given_bool(g, g->root, "reset_usage", &reset) && reset;
    return g->job->status == 0 && check_unheeded(&r) && read_kind(&r, spec) && read_azure(&r, spec) &&
           portkey_limits_read(g, g->root, &ret->limits);
}
