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
    const char *name;
    size_t at;
} own_texts[] = {
    {"provider", AT(provider)},
    {"virtual_key", AT(virtual_key)},
    {"api_key", AT(api_key)},
    {"prompt_id", AT(prompt_id)},
    {"openai_organization", AT(openai_organization)},
    {"openai_project", AT(openai_project)},
    {"resource_name", AT(azure.resource_name)},
    {"deployment_id", AT(azure.deployment_id)},
    {"api_version", AT(azure.api_version)},
    {"azure_model_name", AT(azure.model_name)},
    {"azure_ad_token", AT(azure.ad_token)},
    {"azure_auth_mode", AT(azure.auth_mode)},
    {"azure_entra_client_id", AT(azure.entra_client_id)},
    {"azure_entra_client_secret", AT(azure.entra_client_secret)},
    {"azure_entra_tenant_id", AT(azure.entra_tenant_id)},
    {"azure_entra_scope", AT(azure.entra_scope)},
    {"azure_managed_client_id", AT(azure.managed_client_id)},
    {"azure_workload_client_id", AT(azure.workload_client_id)},
};

/* Of other providers: checked and not used. */
static const char *const foreign_texts[] = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token",
                                            "aws_region",        "vertex_project_id",     "vertex_region"};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static void read_own_texts(struct compile *c, struct jval object, struct config_settings *s)
{
    struct str unused;
    for (size_t i = 0; i < COUNT(own_texts); i++) {
        struct str *field = (struct str *)(void *)((char *)s + own_texts[i].at);
        *field = STR("");
        fields_text(c, object, own_texts[i].name, field);
    }
    for (size_t i = 0; i < COUNT(foreign_texts); i++)
        fields_text(c, object, foreign_texts[i], &unused);
    s->passthrough = false;
    fields_bool(c, object, "passthrough", &s->passthrough);
}

static void read_retry(struct compile *c, struct jval object, struct config_retry *retry)
{
    struct jval r = fields_container(c, object, "retry", JDOC_OBJECT);
    uint64_t attempts = 0;
    bool one = false, other = false;
    if (!jdoc_has(r))
        return;
    compile_enter(c, "retry");
    *retry = (struct config_retry){.codes = {retry_codes, COUNT(retry_codes)}};
    if (!fields_has(c, r, "attempts"))
        compile_error(c, "attempts", "Required");
    fields_count(c, r, "attempts", CONFIG_RETRY_MAX, &attempts);
    fields_codes(c, r, "on_status_codes", &retry->codes);
    fields_bool(c, r, "use_retry_after_header", &one);
    fields_bool(c, r, "use_retry_after_headers", &other);
    retry->attempts = (unsigned)attempts;
    retry->use_retry_after = one || other;
    compile_leave(c);
}

/* A number of any kind; what is no age that we keep things for becomes the default. */
static uint32_t read_age(struct compile *c, struct jval cache)
{
    struct jval v = fields_get(c, cache, "max_age");
    uint64_t milli;
    if (!jdoc_has(v) || !fields_check(c, v, "max_age", JDOC_NUMBER) || !json_to_milli(jdoc_raw(v), &milli))
        return CONFIG_CACHE_AGE_DEFAULT_S;
    uint64_t age = milli / 1000;
    return age < CACHE_AGE_MIN_S || age > CACHE_AGE_MAX_S ? CONFIG_CACHE_AGE_DEFAULT_S : (uint32_t)age;
}

static void read_cache(struct compile *c, struct jval object, struct config_cache *cache)
{
    struct jval v = fields_container(c, object, "cache", JDOC_OBJECT);
    struct str mode = STR("");
    if (!jdoc_has(v))
        return;
    compile_enter(c, "cache");
    *cache = (struct config_cache){.max_age_s = read_age(c, v)};
    bool given = fields_text(c, v, "mode", &mode);
    if (str_eq(mode, STR("simple")))
        cache->mode = CONFIG_CACHE_SIMPLE;
    else if (str_eq(mode, STR("semantic")))
        cache->mode = CONFIG_CACHE_SEMANTIC;
    else if (given || !fields_has(c, v, "mode"))
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

static void read_params(struct compile *c, struct jval object, const char *name, struct config_params *params)
{
    struct jval v = fields_container(c, object, name, JDOC_OBJECT);
    size_t most = params->n + jdoc_size(v), n = 0;
    if (!jdoc_has(jdoc_first(v)))
        return;
    if (most > CONFIG_PARAMS_MAX) {
        compile_error(c, name, "More than %d members, inherited ones included", CONFIG_PARAMS_MAX);
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
    if (!fields_strings(c, object, "forward_headers", &given))
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
    const char *guardrails = before ? "input_guardrails" : "output_guardrails";
    const char *mutators = before ? "input_mutators" : "output_mutators";
    const char *long_form = before ? "before_request_hooks" : "after_request_hooks";
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
    fields_text(c, object, "custom_host", &ret->custom_host);
    read_forward_headers(c, object, &ret->forward_headers);
    fields_count(c, object, "request_timeout", CONFIG_TIMEOUT_MAX_MS, &ret->request_timeout_ms);
    if (fields_bool(c, object, "strict_open_ai_compliance", &strict))
        ret->lenient = !strict;
    read_retry(c, object, &ret->retry);
    read_cache(c, object, &ret->cache);
    read_params(c, object, "override_params", &ret->override_params);
    read_params(c, object, "default_params", &ret->default_params);
    fields_strings(c, object, "drop_params", &ret->drop_params);
    read_hooks(c, object, true, &ret->before);
    read_hooks(c, object, false, &ret->after);
}

bool settings_suffice(struct compile *c, struct jval object, const struct config_settings *s)
{
    static const char *const alone[] = {"virtual_key",
                                        "prompt_id",
                                        "cache",
                                        "retry",
                                        "request_timeout",
                                        "forward_headers",
                                        "default_params",
                                        "drop_params",
                                        "override_params",
                                        "input_guardrails",
                                        "output_guardrails",
                                        "before_request_hooks",
                                        "after_request_hooks",
                                        "input_mutators",
                                        "output_mutators"};
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
    return (fields_has(c, object, "aws_access_key_id") && fields_has(c, object, "aws_secret_access_key")) ||
           (fields_has(c, object, "vertex_region") &&
            (fields_has(c, object, "vertex_project_id") || fields_has(c, object, "vertex_service_account_json")));
}
