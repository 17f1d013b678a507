/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for a node by itself: its own fields over those it inherits. Objects that are replaced
 * as a whole (retry, cache) are; override_params and default_params are merged member by member.
 */
#include <stddef.h>

#include "base/json_text.h"
#include "control/config/config_inner.h"
#include "control/config/fields.h"

#define CACHE_AGE_MIN_S 60
#define CACHE_AGE_MAX_S 7776000

static const uint16_t retry_codes[] = {429, 500, 502, 503, 504, 529};

#define AT(member) offsetof(struct config_settings, member)

/* Texts of this node alone. */
static const struct {
    enum field field;
    size_t at;
} own_texts[] = {
    {FIELD_PROVIDER, AT(provider)},
    {FIELD_VIRTUAL_KEY, AT(virtual_key)},
    {FIELD_API_KEY, AT(api_key)},
    {FIELD_PROMPT_ID, AT(prompt_id)},
    {FIELD_OPENAI_ORGANIZATION, AT(openai_organization)},
    {FIELD_OPENAI_PROJECT, AT(openai_project)},
    {FIELD_RESOURCE_NAME, AT(azure.resource_name)},
    {FIELD_DEPLOYMENT_ID, AT(azure.deployment_id)},
    {FIELD_API_VERSION, AT(azure.api_version)},
    {FIELD_AZURE_MODEL_NAME, AT(azure.model_name)},
    {FIELD_AZURE_AD_TOKEN, AT(azure.ad_token)},
    {FIELD_AZURE_AUTH_MODE, AT(azure.auth_mode)},
    {FIELD_AZURE_ENTRA_CLIENT_ID, AT(azure.entra_client_id)},
    {FIELD_AZURE_ENTRA_CLIENT_SECRET, AT(azure.entra_client_secret)},
    {FIELD_AZURE_ENTRA_TENANT_ID, AT(azure.entra_tenant_id)},
    {FIELD_AZURE_ENTRA_SCOPE, AT(azure.entra_scope)},
    {FIELD_AZURE_MANAGED_CLIENT_ID, AT(azure.managed_client_id)},
    {FIELD_AZURE_WORKLOAD_CLIENT_ID, AT(azure.workload_client_id)},
};

/* Of other providers: checked and not used. */
static enum field foreign_texts[] = {FIELD_AWS_ACCESS_KEY_ID, FIELD_AWS_SECRET_ACCESS_KEY, FIELD_AWS_SESSION_TOKEN,
                                     FIELD_AWS_REGION,        FIELD_VERTEX_PROJECT_ID,     FIELD_VERTEX_REGION};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static void read_own_texts(struct compile *c, struct jval object, struct config_settings *s)
{
    struct str unused;
    for (size_t i = 0; i < COUNT(own_texts); i++) {
        struct str *field = (struct str *)(void *)((char *)s + own_texts[i].at);
        *field = STR("");
        fields_text(c, object, own_texts[i].field, field);
    }
    for (size_t i = 0; i < COUNT(foreign_texts); i++)
        fields_text(c, object, foreign_texts[i], &unused);
    s->passthrough = false;
    fields_bool(c, object, FIELD_PASSTHROUGH, &s->passthrough);
}

static void read_retry(struct compile *c, struct jval object, struct config_retry *retry)
{
    struct jval r = fields_container(c, object, FIELD_RETRY, JDOC_OBJECT);
    uint64_t attempts = 0;
    bool one = false, other = false;
    if (!jdoc_has(r))
        return;
    compile_enter(c, "retry");
    *retry = (struct config_retry){.codes = {retry_codes, COUNT(retry_codes)}};
    if (!fields_has(c, r, FIELD_ATTEMPTS))
        compile_error(c, "attempts", "Required");
    fields_count(c, r, FIELD_ATTEMPTS, CONFIG_RETRY_MAX, &attempts);
    fields_codes(c, r, FIELD_ON_STATUS_CODES, &retry->codes);
    fields_bool(c, r, FIELD_USE_RETRY_AFTER_HEADER, &one);
    fields_bool(c, r, FIELD_USE_RETRY_AFTER_HEADERS, &other);
    retry->attempts = (unsigned)attempts;
    retry->use_retry_after = one || other;
    compile_leave(c);
}

/* A number of any kind; what is no age that we keep things for becomes the default. */
static uint32_t read_age(struct compile *c, struct jval cache)
{
    struct jval v = fields_get(c, cache, FIELD_MAX_AGE);
    uint64_t milli;
    if (!jdoc_has(v) || !fields_check(c, v, "max_age", JDOC_NUMBER) || !json_to_milli(jdoc_raw(v), &milli))
        return CONFIG_CACHE_AGE_DEFAULT_S;
    uint64_t age = milli / 1000;
    return age < CACHE_AGE_MIN_S || age > CACHE_AGE_MAX_S ? CONFIG_CACHE_AGE_DEFAULT_S : (uint32_t)age;
}

static void read_cache(struct compile *c, struct jval object, struct config_cache *cache)
{
    struct jval v = fields_container(c, object, FIELD_CACHE, JDOC_OBJECT);
    struct str mode = STR("");
    if (!jdoc_has(v))
        return;
    compile_enter(c, "cache");
    *cache = (struct config_cache){.max_age_s = read_age(c, v)};
    bool given = fields_text(c, v, FIELD_MODE, &mode);
    if (str_eq(mode, STR("simple")))
        cache->mode = CONFIG_CACHE_SIMPLE;
    else if (str_eq(mode, STR("semantic")))
        cache->mode = CONFIG_CACHE_SEMANTIC;
    else if (given || !fields_has(c, v, FIELD_MODE))
        compile_error(c, "mode", "Invalid 'mode' value. Must be one of: simple, semantic");
    compile_leave(c);
}

static bool param_name(struct compile *c, struct jval member, struct str *ret)
{
    struct str raw = jdoc_escaped(member);
    char *p = compile_alloc(c, raw.n + 1);
    if (!p)
        return false;
    *ret = str_of(p, json_unescape(raw, p, raw.n, NULL));
    return true;
}

/* The later of two members with one name counts, as it does for every JSON reader that makes an object of them. */
static void put_param(struct config_param *list, size_t *n, struct str name, struct str json)
{
    size_t at = 0;
    while (at < *n && !str_eq(list[at].name, name))
        at++;
    list[at] = (struct config_param){name, json};
    *n += at == *n;
}

static void read_params(struct compile *c, struct jval object, enum field f, struct config_params *params)
{
    struct jval v = fields_container(c, object, f, JDOC_OBJECT);
    size_t most = params->n + jdoc_size(v), n = 0;
    if (!jdoc_has(jdoc_first(v)))
        return;
    if (most > CONFIG_PARAMS_MAX) {
        compile_error(c, fields_name(f), "More than %d members, inherited ones included", CONFIG_PARAMS_MAX);
        return;
    }
    struct config_param *list = compile_alloc(c, most * sizeof *list);
    if (!list)
        return;
    for (; n < params->n; n++)
        list[n] = params->list[n];
    for (struct jval m = jdoc_first(v); jdoc_has(m); m = jdoc_next(v, m)) {
        struct str key;
        if (param_name(c, m, &key))
            put_param(list, &n, key, jdoc_raw(jdoc_value(m)));
    }
    *params = (struct config_params){list, n};
}

/* In lower case; "xMyHeader" also as "x-my-header", which is how such a name is sent. */
static void read_forward_headers(struct compile *c, struct jval object, struct config_strings *ret)
{
    struct config_strings given;
    if (!fields_strings(c, object, FIELD_FORWARD_HEADERS, &given))
        return;
    struct str *list = compile_alloc(c, (given.n * 2 + 1) * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < given.n; i++) {
        struct str name = given.list[i];
        char *lower = compile_alloc(c, name.n + 1), *kebab = compile_alloc(c, name.n * 2 + 1);
        size_t k = 0;
        if (!lower || !kebab)
            return;
        for (size_t j = 0; j < name.n; j++) {
            bool capital = name.p[j] >= 'A' && name.p[j] <= 'Z';
            lower[j] = capital ? (char)(name.p[j] | 0x20) : name.p[j];
            if (capital && j > 0 && name.p[j - 1] >= 'a' && name.p[j - 1] <= 'z')
                kebab[k++] = '-';
            kebab[k++] = lower[j];
        }
        list[n++] = str_of(lower, name.n);
        if (k != name.n)
            list[n++] = str_of(kebab, k);
    }
    *ret = (struct config_strings){list, list ? n : 0};
}

/* Guardrails in their short form, mutators, then hooks; any of them replaces all that is inherited. */
static void read_hooks(struct compile *c, struct jval object, bool before, struct config_hooks *hooks)
{
    enum field guardrails = before ? FIELD_INPUT_GUARDRAILS : FIELD_OUTPUT_GUARDRAILS;
    enum field mutators = before ? FIELD_INPUT_MUTATORS : FIELD_OUTPUT_MUTATORS;
    enum field long_form = before ? FIELD_BEFORE_REQUEST_HOOKS : FIELD_AFTER_REQUEST_HOOKS;
    if (!fields_has(c, object, guardrails) && !fields_has(c, object, mutators) && !fields_has(c, object, long_form))
        return;
    *hooks = (struct config_hooks){NULL, 0};
    guard_compile(c, object, guardrails, "guardrail", hooks);
    guard_compile(c, object, mutators, "mutator", hooks);
    guard_compile(c, object, long_form, NULL, hooks);
}

void settings_compile(struct compile *c, struct jval object, const struct config_settings *parent,
                      struct config_settings *ret)
{
    bool strict;
    if (parent)
        *ret = *parent;
    read_own_texts(c, object, ret);
    if (!parent)
        ret->custom_host = STR("");
    fields_text(c, object, FIELD_CUSTOM_HOST, &ret->custom_host);
    read_forward_headers(c, object, &ret->forward_headers);
    fields_count(c, object, FIELD_REQUEST_TIMEOUT, CONFIG_TIMEOUT_MAX_MS, &ret->request_timeout_ms);
    if (fields_bool(c, object, FIELD_STRICT_OPEN_AI_COMPLIANCE, &strict))
        ret->lenient = !strict;
    read_retry(c, object, &ret->retry);
    read_cache(c, object, &ret->cache);
    read_params(c, object, FIELD_OVERRIDE_PARAMS, &ret->override_params);
    read_params(c, object, FIELD_DEFAULT_PARAMS, &ret->default_params);
    fields_strings(c, object, FIELD_DROP_PARAMS, &ret->drop_params);
    read_hooks(c, object, true, &ret->before);
    read_hooks(c, object, false, &ret->after);
}

bool settings_suffice(struct compile *c, struct jval object, const struct config_settings *s)
{
    static enum field alone[] = {FIELD_VIRTUAL_KEY,
                                 FIELD_PROMPT_ID,
                                 FIELD_CACHE,
                                 FIELD_RETRY,
                                 FIELD_REQUEST_TIMEOUT,
                                 FIELD_FORWARD_HEADERS,
                                 FIELD_DEFAULT_PARAMS,
                                 FIELD_DROP_PARAMS,
                                 FIELD_OVERRIDE_PARAMS,
                                 FIELD_INPUT_GUARDRAILS,
                                 FIELD_OUTPUT_GUARDRAILS,
                                 FIELD_BEFORE_REQUEST_HOOKS,
                                 FIELD_AFTER_REQUEST_HOOKS,
                                 FIELD_INPUT_MUTATORS,
                                 FIELD_OUTPUT_MUTATORS};
    for (size_t i = 0; i < COUNT(alone); i++)
        if (fields_has(c, object, alone[i]))
            return true;
    if (s->passthrough || (s->provider.n && s->provider.p[0] == '@'))
        return true;
    if (s->provider.n && (s->api_key.n || s->custom_host.n))
        return true;
    if (str_eq(s->provider, STR("azure-openai")) && (s->azure.ad_token.n || s->azure.auth_mode.n))
        return true;
    if (str_eq(s->provider, STR("ollama")) || str_eq(s->provider, STR("triton")))
        return true;
    return (fields_has(c, object, FIELD_AWS_ACCESS_KEY_ID) && fields_has(c, object, FIELD_AWS_SECRET_ACCESS_KEY)) ||
           (fields_has(c, object, FIELD_VERTEX_REGION) && (fields_has(c, object, FIELD_VERTEX_PROJECT_ID) ||
                                                           fields_has(c, object, FIELD_VERTEX_SERVICE_ACCOUNT_JSON)));
}
