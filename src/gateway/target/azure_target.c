/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is particular to Azure: which deployment serves a model, in which version's form it is asked,
 * and which of the four kinds of credential is sent.
 *
 * A mode that lacks something it needs counts as not given, and the key is used. The two modes that act
 * as the machine itself (managed, workload) send their token to stored accounts and to Azure's own
 * hosts only.
 */
#include "gateway/target/azure_token.h"
#include "gateway/target/azure_url.h"
#include "gateway/target/custom_host.h"
#include "gateway/target/target_inner.h"

static struct str pick(struct str header, struct str config)
{
    return header.n ? header : config;
}

void azure_target_fields(struct target_work *w)
{
    const struct config_azure *h = &w->in->options->azure, *c = &target_settings(w)->azure;
    w->azure = (struct config_azure){
        .resource_name = pick(h->resource_name, c->resource_name),
        .deployment_id = pick(h->deployment_id, c->deployment_id),
        .api_version = pick(h->api_version, c->api_version),
        .model_name = pick(h->model_name, c->model_name),
        .ad_token = pick(h->ad_token, c->ad_token),
        .auth_mode = pick(h->auth_mode, c->auth_mode),
        .entra_client_id = pick(h->entra_client_id, c->entra_client_id),
        .entra_client_secret = pick(h->entra_client_secret, c->entra_client_secret),
        .entra_tenant_id = pick(h->entra_tenant_id, c->entra_tenant_id),
        .entra_scope = pick(h->entra_scope, c->entra_scope),
        .managed_client_id = pick(h->managed_client_id, c->managed_client_id),
        .workload_client_id = pick(h->workload_client_id, c->workload_client_id),
    };
    w->api_version = w->azure.api_version;
}

/* Credentials. */

enum auth { AUTH_KEY, AUTH_AD_TOKEN, AUTH_ENTRA, AUTH_MANAGED, AUTH_WORKLOAD };

static enum auth auth_of(const struct target_work *w)
{
    const struct config_azure *z = &w->azure;
    if (z->ad_token.n)
        return AUTH_AD_TOKEN;
    if (str_eq_nocase(z->auth_mode, STR("entra")))
        return z->entra_client_id.n && z->entra_client_secret.n && z->entra_tenant_id.n ? AUTH_ENTRA : AUTH_KEY;
    if (str_eq_nocase(z->auth_mode, STR("managed")))
        return AUTH_MANAGED;
    return str_eq_nocase(z->auth_mode, STR("workload")) ? AUTH_WORKLOAD : AUTH_KEY;
}

bool azure_target_has_token(const struct target_work *w)
{
    return auth_of(w) != AUTH_KEY;
}

bool azure_target_config_secret(const struct target_work *w)
{
    const struct config_azure *h = &w->in->options->azure;
    enum auth auth = auth_of(w);
    return (auth == AUTH_AD_TOKEN && !h->ad_token.n) || (auth == AUTH_ENTRA && !h->entra_client_secret.n);
}

static struct azure_token_want want_of(const struct target_work *w, enum auth auth)
{
    const struct config_azure *z = &w->azure;
    switch (auth) {
    case AUTH_MANAGED:
        return (struct azure_token_want){
            .mode = AZURE_TOKEN_MANAGED, .client_id = z->managed_client_id, .scope = z->entra_scope};
    case AUTH_WORKLOAD:
        return (struct azure_token_want){
            .mode = AZURE_TOKEN_WORKLOAD, .client_id = z->workload_client_id, .scope = z->entra_scope};
    default:
        return (struct azure_token_want){.mode = AZURE_TOKEN_ENTRA,
                                         .tenant = z->entra_tenant_id,
                                         .client_id = z->entra_client_id,
                                         .client_secret = z->entra_client_secret,
                                         .scope = z->entra_scope};
    }
}

/* Whether the token may be had and sent there. */
static bool may_use(struct target_work *w, enum auth auth, enum azure_token_mode mode)
{
    if (!w->in->tokens || !azure_token_enabled(w->in->tokens, mode))
        return target_refuse(w, REFUSAL_UNSUPPORTED, "%s",
                             auth == AUTH_MANAGED
                                 ? "Managed identities are off on this gateway; its operator turns them on with "
                                   "--azure-metadata-url."
                                 : "This gateway has no workload identity: AZURE_TENANT_ID, AZURE_CLIENT_ID and "
                                   "AZURE_FEDERATED_TOKEN_FILE are not set.");
    if (auth != AUTH_ENTRA && !w->t->integration && !(w->t->tls && custom_host_is_azure(w->t->host.p)))
        return target_refuse(w, REFUSAL_UNSUPPORTED, "%s",
                             "A token of the gateway's own identity is only sent to stored accounts and to Azure's own "
                             "hosts; store an azure-openai account with this base URL.");
    return true;
}

enum target_verdict azure_target_token(struct target_work *w)
{
    enum auth auth = auth_of(w);
    if (auth == AUTH_KEY || w->forward_own)
        return TARGET_READY;
    if (auth == AUTH_AD_TOKEN) {
        w->token = w->azure.ad_token;
        return TARGET_READY;
    }
    struct azure_token_want want = want_of(w, auth);
    if (!may_use(w, auth, want.mode))
        return TARGET_REFUSED;
    struct str token = azure_token_find(w->in->tokens, &want);
    if (token.n) {
        w->token = token; /* copied into the head lines before anybody else asks for one */
        return TARGET_READY;
    }
    w->ret->want = arena_alloc(w->arena, sizeof want);
    if (!w->ret->want)
        return target_out_of_memory(w) ? TARGET_READY : TARGET_REFUSED;
    *w->ret->want = want;
    return TARGET_WAIT;
}

/* Deployments. */

/* The stored entry for a deployment given by its own name. */
static const struct snapshot_deployment *entry_named(const struct snapshot_integration *i, struct str deployment)
{
    for (size_t n = 0; i && n < i->deployment_count; n++)
        if (str_eq(i->deployments[n].deployment, deployment))
            return &i->deployments[n];
    return NULL;
}

/* Model calls name a model in the body or, realtime, in the query; jobs and files do not. */
static bool asks_model(const struct target_work *w, enum azure_url_form form)
{
    if (form == AZURE_URL_VERSIONED)
        return str_starts(w->in->path, STR("/responses")) && str_eq(w->in->method, STR("POST")) && w->model.n;
    return form == AZURE_URL_DEPLOYMENT || form == AZURE_URL_REALTIME;
}

/*
 * *ret_entry is the stored entry, if any; *ret_name the deployment's name, "" where none is needed.
 * An account without a list has deployments that are called like their models.
 */
static bool find_deployment(struct target_work *w, enum azure_url_form form,
                            const struct snapshot_deployment **ret_entry, struct str *ret_name)
{
    const struct snapshot_integration *i = w->t->integration;
    struct str name = w->azure.deployment_id;
    *ret_entry = NULL;
    *ret_name = STR("");
    if (name.n) {
        *ret_entry = entry_named(i, name);
        *ret_name = name;
    } else if (i && i->deployment_count) {
        const struct snapshot_deployment *d = snapshot_find_deployment(i, w->model);
        bool exact = d && str_eq(d->alias, w->model);
        if (!d && asks_model(w, form))
            return target_refuse(w, REFUSAL_NO_DEPLOYMENT, "%s", "");
        if (d && (exact || asks_model(w, form))) {
            *ret_entry = d;
            *ret_name = d->deployment;
        }
    } else if (asks_model(w, form)) {
        *ret_name = w->model;
    }
    if (form == AZURE_URL_DEPLOYMENT && !ret_name->n)
        return target_refuse(w, REFUSAL_NO_DEPLOYMENT, "%s", "");
    return true;
}

/* Whether the body's model is what names the deployment there. */
static bool model_names_deployment(const struct target_work *w, enum azure_url_form form, bool v1)
{
    if (form == AZURE_URL_DEPLOYMENT)
        return v1;
    if (form == AZURE_URL_REALTIME)
        return false; /* it stands in the query */
    return w->model.n && (v1 || form == AZURE_URL_VERSIONED) && (form == AZURE_URL_OTHER || asks_model(w, form));
}

static void set_models(struct target_work *w, const struct snapshot_deployment *entry, struct str name,
                       enum azure_url_form form, bool v1)
{
    struct target *t = w->t;
    if (name.n && model_names_deployment(w, form, v1))
        t->send_model = name;
    else if (w->model_cut)
        t->send_model = w->model;
    struct str price = w->azure.model_name;
    if (!price.n && entry)
        price = entry->model.n ? entry->model : entry->alias;
    if (!price.n && azure_url_price_model(w->model).n != w->model.n)
        price = w->model;
    t->price_model = azure_url_price_model(price);
}

bool azure_target_path(struct target_work *w)
{
    const struct snapshot_deployment *entry;
    struct azure_url_input in = {.form = azure_url_form_of(w->in->method, w->in->path),
                                 .base_path = w->base_path,
                                 .path = w->in->path,
                                 .query = w->in->query,
                                 .api_version = w->api_version};
    bool own;
    if (!find_deployment(w, in.form, &entry, &in.deployment))
        return false;
    if (entry && entry->api_version.n)
        in.api_version = entry->api_version;
    struct str version = azure_url_version(&in, &own);
    w->t->request_path = azure_url_build(&in, w->arena);
    if (!w->t->request_path.p)
        return target_out_of_memory(w);
    set_models(w, entry, in.deployment, in.form, str_eq(version, STR("v1")));
    return true;
}
