/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose account an attempt uses. What a config's target pins is stronger than what the request names;
 * a stored account is stronger than a bare provider name; the workspace's default comes last.
 *
 * A bare name means the provider with the caller's own key, or with the config's. Without either it
 * means the workspace's default account, when that is of the kind.
 */
#include "gateway/target/custom_host.h"
#include "gateway/target/target_inner.h"

#define SLUG_SHOWN_MAX 48

static bool use_integration(struct target_work *w, const struct snapshot_integration *i)
{
    if (!kind_integration_serves(i->kind))
        return target_refuse(w, REFUSAL_TARGET_BROKEN,
                             "The account '@%.*s' only reads usage and bills; name one that serves requests.",
                             STR_ARG(str_head(i->slug, 100)));
    if (i->broken)
        return target_refuse(w, REFUSAL_TARGET_BROKEN,
                             "The stored key of '@%.*s' cannot be read; an admin must connect it again.",
                             STR_ARG(str_head(i->slug, 100)));
    if (i->expires_us && i->expires_us <= w->in->wall_us)
        return target_refuse(w, REFUSAL_ACCOUNT_EXPIRED, "%.*s********%.*s", STR_ARG(str_head(i->slug, 2)),
                             STR_ARG(i->slug.n > 5 ? str_from(i->slug, i->slug.n - 3) : STR("")));
    if (w->model.n && !snapshot_integration_allows(i, w->model))
        return target_refuse(w, REFUSAL_MODEL_NOT_ALLOWED, "%.*s", STR_ARG(str_head(w->model, 200)));
    w->t->integration = i;
    w->t->kind = i->kind;
    return true;
}

#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

/* "@slug" or "slug". */
static struct str bare_slug(struct str slug)
{
    return slug.n && slug.p[0] == '@' ? str_from(slug, 1) : slug;
}

/*
 * Some send a provider's key where a slug belongs. The refusal is kept in the ledger, where others read
 * it, so what may be a key is shown in part.
 */
static bool refuse_unknown(struct target_work *w, struct str slug)
{
    static const struct str keys[] = {TEXT("sk-"), TEXT("tg-"), TEXT("eyJ")};
    bool secret = slug.n > SLUG_SHOWN_MAX;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        secret = secret || str_starts(slug, keys[i]);
    if (!secret)
        return target_refuse(w, REFUSAL_UNKNOWN_KEYS, "%.*s", STR_ARG(slug));
    return target_refuse(w, REFUSAL_UNKNOWN_KEYS, "%.*s********%.*s", STR_ARG(str_head(slug, 2)),
                         STR_ARG(slug.n >= 12 ? str_from(slug, slug.n - 3) : STR("")));
}

static bool use_slug(struct target_work *w, struct str slug)
{
    slug = bare_slug(slug);
    ptrdiff_t stroke = str_find(slug, '/');
    if (stroke >= 0)
        slug = str_head(slug, (size_t)stroke);
    const struct snapshot_integration *i = snapshot_find_integration(w->in->snapshot, w->in->workspace->id, slug);
    if (!i)
        return refuse_unknown(w, slug);
    return use_integration(w, i);
}

static bool kind_of_name(struct str name, enum kind_integration *ret)
{
    static const struct {
        struct str name;
        enum kind_integration kind;
    } known[] = {{TEXT("openai"), KIND_INTEGRATION_OPENAI},
                 {TEXT("azure-openai"), KIND_INTEGRATION_AZURE_OPENAI},
                 {TEXT("azure"), KIND_INTEGRATION_AZURE_OPENAI},
                 {TEXT("openai-compatible"), KIND_INTEGRATION_OPENAI_COMPATIBLE}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_eq_nocase(name, known[i].name)) {
            *ret = known[i].kind;
            return true;
        }
    return false;
}

static bool is_slug(struct str provider)
{
    return provider.n > 1 && provider.p[0] == '@';
}

/* The account that the request itself names, in the order of the contract; "" when it names none. */
static struct str request_slug(const struct target_work *w)
{
    const struct options *o = w->in->options;
    if (is_slug(o->provider) && !o->provider_by_mode)
        return o->provider;
    return o->virtual_key.n ? o->virtual_key : w->model_slug;
}

/* Whether the caller's own key is meant for this kind: a config may send an attempt elsewhere. */
static bool own_key_fits(const struct target_work *w, bool of_node)
{
    const struct options *o = w->in->options;
    enum kind_integration named;
    if (!o->own_key.n)
        return false;
    return !of_node || !o->provider.n || (kind_of_name(o->provider, &named) && named == w->t->kind);
}

static bool is_at(const struct snapshot_integration *i, const struct base_url *url)
{
    return i->tls == url->tls && i->port == url->port && str_eq(i->host, str_c(url->host));
}

/* The workspace's default account when it is of the kind and where the request is to go. */
static const struct snapshot_integration *fitting_default(const struct target_work *w)
{
    const struct snapshot_integration *i = w->in->workspace->default_integration;
    struct str custom = target_custom_host(w);
    struct base_url url;
    if (!i || i->kind != w->t->kind)
        return NULL;
    return custom.n && (!custom_host_read(custom, w->in->allowed, &url) || !is_at(i, &url)) ? NULL : i;
}

/* A provider by its name alone. */
static bool use_name(struct target_work *w, struct str name, bool of_node)
{
    const struct config_settings *s = target_settings(w);
    if (!kind_of_name(name, &w->t->kind))
        return target_refuse(w, REFUSAL_BAD_PROVIDER, "%s", "");
    if (s->api_key.n) {
        w->key = s->api_key;
        w->config_secret = true;
        return true;
    }
    if (own_key_fits(w, of_node)) {
        w->key = w->in->options->own_key;
        return true;
    }
    if (w->forward_own || (w->t->kind == KIND_INTEGRATION_AZURE_OPENAI && azure_target_has_token(w)))
        return true;
    struct str slug = of_node ? bare_slug(request_slug(w)) : STR("");
    const struct snapshot_integration *i =
        slug.n ? snapshot_find_integration(w->in->snapshot, w->in->workspace->id, slug) : NULL;
    if (!i || i->kind != w->t->kind)
        i = fitting_default(w);
    if (i)
        return use_integration(w, i);
    if (target_custom_host(w).n) /* a host that needs no key, or takes it from a forwarded header */
        return true;
    const char *kind = kind_integration_text(w->t->kind);
    return target_refuse(w, REFUSAL_TARGET_BROKEN,
                         "There is no key for provider '%s': send one in Authorization, name a stored account as "
                         "'@slug', or let an admin run 'tollgate connect %s'.",
                         kind, kind);
}

/* Neither config nor headers name a provider. */
static bool use_default(struct target_work *w)
{
    const struct snapshot_integration *i = w->in->workspace->default_integration;
    struct str custom = target_custom_host(w);
    struct base_url url;
    if (custom.n && !(i && custom_host_read(custom, w->in->allowed, &url) && is_at(i, &url)))
        return use_name(w, STR("openai"), false);
    if (i)
        return use_integration(w, i);
    return target_refuse(w, w->in->node ? REFUSAL_CONFIG_WITHOUT_PROVIDER : REFUSAL_NO_PROVIDER, "%s", "");
}

bool target_choose(struct target_work *w)
{
    const struct config_settings *s = target_settings(w);
    const struct options *o = w->in->options;
    enum kind_integration ignored;
    if (is_slug(s->provider))
        return use_slug(w, s->provider);
    if (s->virtual_key.n)
        return use_slug(w, s->virtual_key);
    if (w->node_slug.n)
        return use_slug(w, w->node_slug);
    if (s->provider.n)
        return use_name(w, s->provider, true);
    struct str slug = request_slug(w);
    if (slug.n)
        return use_slug(w, slug);
    if (o->provider.n && !o->provider_by_mode)
        return use_name(w, o->provider, false);
    if (o->provider.n && is_slug(o->provider))
        return use_slug(w, o->provider);
    if (o->provider.n && kind_of_name(o->provider, &ignored)) /* "proxy", "single" and such name nobody */
        return use_name(w, o->provider, false);
    return use_default(w);
}
