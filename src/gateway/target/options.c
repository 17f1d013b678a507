/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of all fields of the contract: how the value is read, where it goes, and whether it
 * sends a request on the routed path. Names are found by their length first, as in net/http1_head.c,
 * so that the look at every request costs a comparison or two for each field.
 *
 * Where a field comes twice the first one counts. A value of the wrong kind counts as not given: none
 * of these fields may fail a call by itself.
 */
#include "gateway/target/options.h"

#include <stddef.h>

#include "base/must.h"
#include "gateway/target/options_list.h"
#include "gateway/target/options_metadata.h"

#define PREFIX "x-portkey-"
#define PREFIX_LEN (sizeof PREFIX - 1)

enum option_form {
    FORM_TEXT,     /* struct str */
    FORM_TRUE,     /* bool: the word true */
    FORM_FALSE,    /* bool: the word false */
    FORM_NUMBER,   /* uint64_t: whole and decimal */
    FORM_NAMES,    /* struct config_strings: header names */
    FORM_FORWARD,  /* likewise, camelCase names as kebab-case too */
    FORM_PROVIDER, /* before it, the field that names a provider */
    FORM_MODE,
    FORM_NAMESPACE,
    FORM_CACHE,
    FORM_CACHE_TTL,
    FORM_NONE, /* nothing to keep here */
};

enum option_weight {
    QUIET,    /* says nothing about routing */
    ROUTES,   /* sends the request on the routed path */
    IF_TRUE,  /* does so with the word true */
    IF_FALSE, /* does so with the word false */
};

/* Columns: name behind "x-portkey-", form, weight, field. Fields that name no member are read elsewhere. */
#define OPTION_TABLE(X)                                                     \
    X("provider", PROVIDER, ROUTES, provider)                               \
    X("virtual-key", TEXT, ROUTES, virtual_key)                             \
    X("config", TEXT, ROUTES, config)                                       \
    X("mode", MODE, ROUTES, provider)                                       \
    X("custom-host", TEXT, ROUTES, custom_host)                             \
    X("forward-headers", FORWARD, ROUTES, forward_headers)                  \
    X("sensitive-headers", NAMES, ROUTES, sensitive_headers)                \
    X("nitro-mode", TRUE, IF_TRUE, nitro)                                   \
    X("fetch-integrated-models", TRUE, IF_TRUE, integrated_models)          \
    X("debug", FALSE, IF_FALSE, debug_off)                                  \
    X("strict-open-ai-compliance", FALSE, QUIET, lenient)                   \
    X("request-timeout", NUMBER, ROUTES, request_timeout_ms)                \
    X("cache-force-refresh", TRUE, IF_TRUE, cache_refresh)                  \
    X("cache-namespace", NAMESPACE, ROUTES, cache_namespace)                \
    X("cache", CACHE, ROUTES, cache)                                        \
    X("cache-ttl", CACHE_TTL, ROUTES, cache)                                \
    X("audio-file-duration", NUMBER, ROUTES, audio_duration_ms)             \
    X("span-name", TEXT, ROUTES, span_name)                                 \
    X("package-version", TEXT, QUIET, sdk_version)                          \
    X("runtime", TEXT, QUIET, runtime)                                      \
    X("runtime-version", TEXT, QUIET, runtime_version)                      \
    X("openai-organization", TEXT, ROUTES, openai_organization)             \
    X("openai-project", TEXT, ROUTES, openai_project)                       \
    X("openai-beta", TEXT, ROUTES, openai_beta)                             \
    X("azure-resource-name", TEXT, ROUTES, azure.resource_name)             \
    X("azure-deployment-id", TEXT, ROUTES, azure.deployment_id)             \
    X("azure-api-version", TEXT, ROUTES, azure.api_version)                 \
    X("azure-model-name", TEXT, ROUTES, azure.model_name)                   \
    X("azure-ad-token", TEXT, ROUTES, azure.ad_token)                       \
    X("azure-auth-mode", TEXT, ROUTES, azure.auth_mode)                     \
    X("azure-managed-client-id", TEXT, ROUTES, azure.managed_client_id)     \
    X("azure-workload-client-id", TEXT, ROUTES, azure.workload_client_id)   \
    X("azure-entra-client-id", TEXT, ROUTES, azure.entra_client_id)         \
    X("azure-entra-client-secret", TEXT, ROUTES, azure.entra_client_secret) \
    X("azure-entra-tenant-id", TEXT, ROUTES, azure.entra_tenant_id)         \
    X("azure-entra-scope", TEXT, ROUTES, azure.entra_scope)                 \
    X("trace-id", NONE, QUIET, portkey)                                     \
    X("span-id", NONE, QUIET, portkey)                                      \
    X("parent-span-id", NONE, QUIET, portkey)                               \
    X("metadata", NONE, QUIET, portkey)                                     \
    X("api-key", NONE, QUIET, portkey)

struct option_row {
    struct str name;
    enum option_form form;
    enum option_weight weight;
    size_t at; /* of the field in struct options */
};
static const struct option_row rows[] = {
#define X(name, form, weight, field) {{name, sizeof(name) - 1}, FORM_##form, weight, offsetof(struct options, field)},
    OPTION_TABLE(X)
#undef X
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

/* Rows by length of the name, 0 behind the last one. */
#define NAME_LONGEST 32
#define SAME_LENGTH_MAX 7
static unsigned char by_length[NAME_LONGEST + 1][SAME_LENGTH_MAX + 1];

__attribute__((constructor)) static void by_length_fill(void)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        size_t n = rows[i].name.n, slot = 0;
        must(n <= NAME_LONGEST);
        while (by_length[n][slot])
            slot++;
        must(slot < SAME_LENGTH_MAX);
        by_length[n][slot] = (unsigned char)(i + 1);
    }
}

static bool is_own(const struct http1_field *f)
{
    return f->name.n > PREFIX_LEN && (f->name.p[0] | 0x20) == 'x' && str_starts_nocase(f->name, STR(PREFIX));
}

/* The row of a field that is_own, NULL for names that the contract does not have. */
static const struct option_row *row_of(const struct http1_field *f)
{
    struct str name = str_from(f->name, PREFIX_LEN);
    if (name.n > NAME_LONGEST)
        return NULL;
    for (const unsigned char *i = by_length[name.n]; *i; i++)
        if (str_eq_nocase(rows[*i - 1].name, name))
            return &rows[*i - 1];
    return NULL;
}

static bool row_matters(const struct option_row *row, struct str value)
{
    switch (row->weight) {
    case ROUTES:
        return value.n > 0;
    case IF_TRUE:
        return str_eq_nocase(value, STR("true"));
    case IF_FALSE:
        return str_eq_nocase(value, STR("false"));
    case QUIET:
        break;
    }
    return false;
}

/* A credential's value without "Bearer ". */
static struct str bare_credential(struct str value)
{
    if (str_starts_nocase(value, STR("bearer ")))
        return str_trim(str_from(value, 7));
    return str_eq_nocase(value, STR("bearer")) ? STR("") : value;
}

/* A key is one word; "Basic dXNlcg==" is a credential, but none that could be sent as another. */
static bool is_key(struct str bare)
{
    return str_find(bare, ' ') < 0;
}

/* What SDKs send when their user gave no provider key. */
static bool is_placeholder(struct str key)
{
    return !key.n || str_eq(key, STR("OPENAI_API_KEY")) || str_eq(key, STR("DUMMY-KEY"));
}

static bool is_credential(enum http1_field_id id)
{
    return id == HTTP1_AUTHORIZATION || id == HTTP1_API_KEY || id == HTTP1_X_API_KEY;
}

bool options_matter(const struct http1_head *head)
{
    struct str gateway_key = STR(""), other = STR("");
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *f = &head->fields[i];
        if (f->id == HTTP1_X_PORTKEY_API_KEY) {
            gateway_key = f->value;
        } else if (f->id == HTTP1_AUTHORIZATION) {
            other = bare_credential(f->value);
        } else if (f->id == HTTP1_OTHER) {
            const struct option_row *row = is_own(f) ? row_of(f) : NULL;
            if (row ? row_matters(row, f->value) : f->name.n == 7 && str_eq_nocase(f->name, STR("baggage")))
                return true;
        }
    }
    return gateway_key.n && !is_placeholder(other) && is_key(other) && !str_eq(other, gateway_key);
}

/* Reading. */

/* "@slug/…" is the slug: what stands behind the stroke belongs to models. */
static struct str provider_name(struct str value)
{
    ptrdiff_t stroke = value.n && value.p[0] == '@' ? str_find(value, '/') : -1;
    return stroke > 1 ? str_head(value, (size_t)stroke) : value;
}

/* "proxy openai", "openai": the last word. */
static struct str last_word(struct str value)
{
    for (size_t i = value.n; i > 0; i--)
        if (value.p[i - 1] == ' ' || value.p[i - 1] == '\t')
            return str_from(value, i);
    return value;
}

static bool keep(struct str value, struct arena *a, struct str *ret)
{
    struct str copy = ret->n || !value.n ? *ret : arena_dup(a, value);
    if (!copy.p)
        return false;
    *ret = copy;
    return true;
}

/* Adds a value of a field that is a comma list. */
static bool join(struct str *list, struct str value, struct arena *a)
{
    if (!list->n)
        return keep(value, a, list);
    char *both = arena_alloc(a, list->n + 2 + value.n);
    if (!both)
        return false;
    memcpy(both, list->p, list->n);
    memcpy(both + list->n, ", ", 2);
    memcpy(both + list->n + 2, value.p, value.n);
    *list = str_of(both, list->n + 2 + value.n);
    return true;
}

static bool keep_provider(struct options *o, struct str value, bool by_mode, struct arena *a)
{
    if (o->provider.n && !o->provider_by_mode) /* the provider field is stronger than the mode */
        return true;
    if (!value.n || (by_mode && o->provider.n))
        return true;
    o->provider_by_mode = by_mode;
    o->provider = STR("");
    return keep(value, a, &o->provider);
}

static void read_cache_mode(struct options *o, struct str value)
{
    if (str_eq_nocase(value, STR("simple")) || str_eq_nocase(value, STR("true")))
        o->cache.mode = CONFIG_CACHE_SIMPLE;
    else if (str_eq_nocase(value, STR("semantic")))
        o->cache.mode = CONFIG_CACHE_SEMANTIC;
}

#define CACHE_AGE_MIN_S 60
#define CACHE_AGE_MAX_S 7776000

static void read_cache_age(struct options *o, struct str value)
{
    uint64_t s;
    if (!o->cache.max_age_s && str_to_u64(value, &s))
        o->cache.max_age_s = s >= CACHE_AGE_MIN_S && s <= CACHE_AGE_MAX_S ? (uint32_t)s : CONFIG_CACHE_AGE_DEFAULT_S;
}

static bool read_row(const struct option_row *row, struct str value, struct arena *a, struct options *o)
{
    void *at = (char *)o + row->at;
    switch (row->form) {
    case FORM_TEXT:
        return keep(value, a, at);
    case FORM_TRUE:
        *(bool *)at |= str_eq_nocase(value, STR("true"));
        return true;
    case FORM_FALSE:
        *(bool *)at |= str_eq_nocase(value, STR("false"));
        return true;
    case FORM_NUMBER:
        if (!*(uint64_t *)at)
            (void)str_to_u64(value, at);
        return true;
    case FORM_NAMES:
    case FORM_FORWARD:
        return ((struct config_strings *)at)->n || options_list_read(value, row->form == FORM_FORWARD, a, at);
    case FORM_PROVIDER:
        return keep_provider(o, provider_name(value), false, a);
    case FORM_MODE:
        return keep_provider(o, provider_name(last_word(value)), true, a);
    case FORM_NAMESPACE:
        o->cache_namespace_given |= value.n > 0;
        return keep(value, a, at);
    case FORM_CACHE:
        read_cache_mode(o, value);
        return true;
    case FORM_CACHE_TTL:
        read_cache_age(o, value);
        return true;
    case FORM_NONE:
        return true;
    }
    return true;
}

/* Cache-Control: max-age=N, of weight only beside x-portkey-cache. */
static void read_cache_control(struct options *o, struct str value)
{
    struct str part;
    while (str_split(&value, ',', &part)) {
        part = str_trim(part);
        if (str_starts_nocase(part, STR("max-age=")))
            read_cache_age(o, str_from(part, 8));
    }
}

static bool read_credential(const struct http1_field *f, struct str gateway_key, struct arena *a, struct options *o)
{
    struct str key = bare_credential(f->value);
    if (is_placeholder(key) || str_eq(key, gateway_key) || str_eq(f->value, gateway_key))
        return options_list_add(&o->withheld, f->name, a);
    if (f->id == HTTP1_AUTHORIZATION) {
        o->own_authorization = true;
        if (is_key(key)) /* before an api-key that came earlier */
            o->own_key = STR("");
    }
    return !is_key(key) || keep(key, a, &o->own_key);
}

/* Fields of other names. */
static bool read_other(const struct http1_field *f, struct str gateway_key, struct arena *a, struct options *o)
{
    if (is_credential(f->id))
        return read_credential(f, gateway_key, a, o);
    if (f->id == HTTP1_OPENAI_ORGANIZATION)
        return keep(f->value, a, &o->own_organization);
    if (f->id == HTTP1_OPENAI_PROJECT)
        return keep(f->value, a, &o->own_project);
    if (f->id != HTTP1_OTHER)
        return true;
    if (str_eq_nocase(f->name, STR("baggage")))
        return options_metadata_baggage(f->value, a, &o->baggage_metadata);
    if (str_eq_nocase(f->name, STR("cache-control")))
        read_cache_control(o, f->value);
    return true;
}

/* Behind the other fields: openai-beta, which may come several times, counts after x-portkey-openai-beta. */
static bool read_beta(const struct http1_head *head, struct arena *a, struct options *o)
{
    bool given = o->openai_beta.n > 0;
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *f = &head->fields[i];
        if (f->id != HTTP1_OTHER || !str_eq_nocase(f->name, STR("openai-beta")))
            continue;
        if (!options_list_add(&o->withheld, f->name, a) || (!given && !join(&o->openai_beta, f->value, a)))
            return false;
    }
    return true;
}

static void settle_cache(struct options *o)
{
    if (o->cache.mode == CONFIG_CACHE_NONE)
        o->cache.max_age_s = 0;
    else if (!o->cache.max_age_s)
        o->cache.max_age_s = CONFIG_CACHE_AGE_DEFAULT_S;
}

bool options_read(const struct http1_head *head, struct str gateway_key, struct arena *a, struct options *ret)
{
    *ret = (struct options){.provider = STR("")};
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *f = &head->fields[i];
        if (!is_own(f)) {
            if (!read_other(f, gateway_key, a, ret))
                return false;
            continue;
        }
        const struct option_row *row = row_of(f);
        ret->portkey = true;
        if (row && !read_row(row, f->value, a, ret))
            return false;
    }
    settle_cache(ret);
    return read_beta(head, a, ret);
}
