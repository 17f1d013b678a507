/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which host an attempt goes to.
 *
 * A stored key is bound to the origin it was stored for, and what a stored config holds to the hosts
 * that the config names: a custom host from a request never gets either, or whoever may send requests
 * could have them delivered to a host of his own.
 */
#include <stdio.h>

#include "gateway/target/custom_host.h"
#include "gateway/target/target_inner.h"

#define OPENAI_URL "https://api.openai.com/v1"
#define AZURE_PATH "/openai"
#define RESOURCE_MAX 63

static bool keep_url(struct target_work *w)
{
    const struct base_url *url = &w->url;
    struct target *t = w->t;
    t->tls = url->tls;
    t->port = url->port;
    t->host = arena_dup(w->arena, str_c(url->host));
    t->authority = arena_dup(w->arena, str_c(url->authority));
    w->base_path = arena_dup(w->arena, str_c(url->path));
    return t->host.p && t->authority.p && w->base_path.p ? true : target_out_of_memory(w);
}

static bool use_account(struct target_work *w, const struct snapshot_integration *i)
{
    struct target *t = w->t;
    t->tls = i->tls;
    t->port = i->port;
    t->host = i->host;
    t->authority = i->authority;
    w->base_path = i->base_path;
    if (!w->api_version.n)
        w->api_version = i->api_version;
    return true;
}

/* An Azure base URL may end at the host, in /openai, or in /openai/v1, which says the version too. */
static void fit_azure_path(struct target_work *w)
{
    struct str path = w->base_path;
    if (!path.n) {
        w->base_path = STR(AZURE_PATH);
    } else if (str_ends(path, STR(AZURE_PATH "/v1"))) {
        w->base_path = str_head(path, path.n - 3);
        w->api_version = STR("v1");
    }
}

static bool same_origin(const struct target_work *w, struct str other)
{
    struct base_url url;
    return other.n && custom_host_read(other, w->in->allowed, &url) && base_url_same_origin(&url, &w->url);
}

/* A config that came with the request: what is in it is the caller's own. */
static bool config_is_callers(const struct target_work *w)
{
    struct str text = w->in->options->config;
    return text.n && text.p[0] == '{';
}

/* Whether something is sent that only a stored config knows. */
static bool has_stored_secret(const struct target_work *w)
{
    bool azure = w->t->kind == KIND_INTEGRATION_AZURE_OPENAI && azure_target_config_secret(w);
    return !config_is_callers(w) && (w->config_secret || azure);
}

/* Whether the secrets at hand may go to the custom host in w->url. */
static bool may_go_there(struct target_work *w, bool by_header)
{
    const struct snapshot_integration *i = w->t->integration;
    if (i && !(i->tls == w->url.tls && i->port == w->url.port && str_eq(i->host, str_c(w->url.host))))
        return target_refuse(w, REFUSAL_UNSUPPORTED,
                             "The stored key of '@%.*s' is for %.*s and is not sent to another custom host; store an "
                             "account with that base URL, or send its key in Authorization with a provider's name.",
                             STR_ARG(str_head(i->slug, 100)), STR_ARG(str_head(i->authority, 260)));
    if (by_header && has_stored_secret(w) && !same_origin(w, target_settings(w)->custom_host))
        return target_refuse(w, REFUSAL_UNSUPPORTED, "%s",
                             "A key that stands in a stored config is not sent to a custom host named by the request; "
                             "put custom_host into the config, or send the key in Authorization.");
    return true;
}

static bool use_custom(struct target_work *w, struct str text)
{
    bool by_header = w->in->options->custom_host.n > 0;
    if (!custom_host_read(text, w->in->allowed, &w->url))
        return target_refuse(w, REFUSAL_BAD_HOST, "%s", "");
    if (!may_go_there(w, by_header) || !keep_url(w))
        return false;
    if (w->t->integration && !w->api_version.n)
        w->api_version = w->t->integration->api_version;
    if (w->t->kind == KIND_INTEGRATION_AZURE_OPENAI)
        fit_azure_path(w);
    else if (w->t->integration && !w->base_path.n)
        w->base_path = w->t->integration->base_path;
    return true;
}

static bool is_resource(struct str name)
{
    if (!name.n || name.n > RESOURCE_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && c != '-')
            return false;
    }
    return true;
}

static bool use_resource(struct target_work *w)
{
    char text[200], why[300];
    const struct config_settings *s = target_settings(w);
    struct str name = w->azure.resource_name;
    if (has_stored_secret(w))
        name = s->azure.resource_name;
    if (!is_resource(name))
        return target_refuse(w, REFUSAL_UNSUPPORTED, "%s",
                             "An Azure resource name has 1 to 63 letters, digits and '-'; for other hosts use "
                             "custom_host.");
    snprintf(text, sizeof text, "https://%.*s.openai.azure.com" AZURE_PATH, STR_ARG(name));
    if (base_url_parse(str_c(text), &w->url, why, sizeof why) != ERR_OK)
        return target_refuse(w, REFUSAL_BAD_HOST, "%s", "");
    return keep_url(w);
}

bool target_place(struct target_work *w)
{
    char why[300];
    const struct snapshot_integration *i = w->t->integration, *usual = w->in->workspace->default_integration;
    struct str custom = target_custom_host(w);
    if (custom.n)
        return use_custom(w, custom);
    if (i)
        return use_account(w, i);
    if (w->t->kind == KIND_INTEGRATION_AZURE_OPENAI && w->azure.resource_name.n)
        return use_resource(w);
    if (usual && usual->kind == w->t->kind) /* where this workspace's admins say the provider is */
        return use_account(w, usual);
    if (w->t->kind == KIND_INTEGRATION_OPENAI && base_url_parse(STR(OPENAI_URL), &w->url, why, sizeof why) == ERR_OK)
        return keep_url(w);
    bool azure = w->t->kind == KIND_INTEGRATION_AZURE_OPENAI;
    return target_refuse(
        w, REFUSAL_TARGET_BROKEN,
        "Provider '%s' has no host: send %sx-portkey-custom-host, or name a stored account as '@slug'.",
        kind_integration_text(w->t->kind), azure ? "x-portkey-azure-resource-name or " : "");
}
