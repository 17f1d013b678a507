/* SPDX-License-Identifier: Apache-2.0 */
/* One function a field; the config is put together as text and compiled like anybody's. */
#include "control/model/model_check.h"

#include <stdio.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/config/config.h"
#include "control/control_inner.h"
#include "control/control_text.h"

#define DISPLAY_NAME_MAX 63
#define EXTERNAL_ID_MAX 64
#define JSON_MAX 4096 /* of labels, flavors, configuration */
#define MODEL_TEXT_MAX 256
#define TOKEN_MAX 128

static enum err bad(struct control_why *why, const char *param, const char *sentence)
{
    return control_inner_fail(why, ERR_BAD_PARAMETER, param, "%s", sentence);
}

static enum err check_names(const struct model_row *m, struct control_why *why)
{
    bool slug = control_text_is_slug(m->name) && str_find(m->name, '_') < 0;
    if (!m->name.n)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "name", "A model API needs a name.");
    if (!slug || m->name.n > MODEL_NAME_MAX)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "name",
                                  "A model API's name has 1 to %d lower-case letters, digits and '-', and begins with "
                                  "a letter or digit.",
                                  MODEL_NAME_MAX);
    if (m->display_name.n && !control_text_is_name(m->display_name, DISPLAY_NAME_MAX))
        return bad(why, "displayName", "A display name has 1 to 63 bytes of UTF-8 without control characters.");
    if (m->external_id.n &&
        (!control_text_is_token(m->external_id, EXTERNAL_ID_MAX) || str_find(m->external_id, '.') >= 0 ||
         str_find(m->external_id, ':') >= 0 || str_find(m->external_id, '_') >= 0))
        return bad(why, "externalId", "An external id has 1 to 64 letters, digits and '-'.");
    const char *fault = m->labels.n ? control_text_metadata_fault(m->labels) : NULL;
    if (fault || m->labels.n > JSON_MAX)
        return bad(why, "labels", "Labels are an object of at most 64 strings, 4 KiB together.");
    return ERR_OK;
}

/* An array of names, each once. */
static enum err check_list(struct str json, const char *param, size_t max, struct control_why *why)
{
    struct jdoc doc;
    enum err e = ERR_OK;
    jdoc_init(&doc);
    struct jval list = {0};
    if (json.n && (!jdoc_parse(&doc, json) || jdoc_kind(list = jdoc_root(&doc)) != JDOC_ARRAY || jdoc_size(list) > max))
        e = control_inner_fail(why, ERR_BAD_PARAMETER, param, "%s is an array of at most %zu names.", param, max);
    for (struct jval v = jdoc_first(list); e == ERR_OK && jdoc_has(v); v = jdoc_next(list, v)) {
        if (!control_text_is_slug(jdoc_escaped(v)))
            e = control_inner_fail(why, ERR_BAD_PARAMETER, param, "%s has something in it that is no name.", param);
        for (struct jval w = jdoc_first(list); e == ERR_OK && w.at != v.at; w = jdoc_next(list, w))
            if (str_eq(jdoc_escaped(w), jdoc_escaped(v)))
                e = control_inner_fail(why, ERR_BAD_PARAMETER, param, "%s names %.*s twice.", param,
                                       STR_ARG(jdoc_escaped(v)));
    }
    jdoc_free(&doc);
    return e;
}

static enum err check_type(struct model_row *m, struct control_why *why)
{
    /* Those that speak OpenAI's dialect. */
    static const char *const served[] = {"openai",
                                         "azure-openai-service",
                                         "azure-ai-inference",
                                         "azure-marketplace",
                                         "groq",
                                         "xai",
                                         "mistral",
                                         "deepseek",
                                         "cerebras",
                                         "public_model"};
    if (!m->type.n)
        m->type = STR("openai");
    for (size_t i = 0; i < sizeof served / sizeof served[0]; i++)
        if (str_eq(m->type, str_c(served[i])))
            return ERR_OK;
    return bad(why, "runtime.type",
               "The type is one whose host speaks OpenAI's API: openai, azure-openai-service, azure-ai-inference, "
               "azure-marketplace, groq, xai, mistral, deepseek, cerebras or public_model.");
}

static enum err check_runtime(struct model_row *m, struct control_why *why)
{
    if (!m->model.n)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "runtime.model",
                                  "A model API needs runtime.model: the provider's name of the model.");
    if (!control_text_is_visible(m->model, MODEL_TEXT_MAX))
        return bad(why, "runtime.model", "A model's name has 1 to 256 visible ASCII characters.");
    if (m->organization.n && !control_text_is_token(m->organization, TOKEN_MAX))
        return bad(why, "runtime.organization", "An organization has 1 to 128 letters, digits, '-', '_', '.' and ':'.");
    if (m->endpoint_name.n && !control_text_is_visible(m->endpoint_name, MODEL_TEXT_MAX))
        return bad(why, "runtime.endpointName", "An endpoint's name has 1 to 256 visible ASCII characters.");
    if (m->generation.n && !str_eq(m->generation, STR("mk2")) && !str_eq(m->generation, STR("mk3")))
        return bad(why, "runtime.generation", "The generation is empty, mk2 or mk3.");
    return check_type(m, why);
}

/* What of a routing config may stand in `configuration`; nothing that holds a secret. */
static bool is_config_member(struct str name)
{
    return str_eq(name, STR("strategy")) || str_eq(name, STR("retry")) || str_eq(name, STR("cache")) ||
           str_eq(name, STR("request_timeout"));
}

static enum err check_configuration(const struct model_row *m, struct control_why *why)
{
    struct jdoc doc;
    enum err e = ERR_OK;
    if (!m->configuration.n)
        return ERR_OK;
    jdoc_init(&doc);
    struct jval root = {0};
    if (m->configuration.n > JSON_MAX || !jdoc_parse(&doc, m->configuration) ||
        jdoc_kind(root = jdoc_root(&doc)) != JDOC_OBJECT)
        e = bad(why, "runtime.configuration", "The configuration is a JSON object of at most 4 KiB.");
    for (struct jval n = jdoc_first(root); e == ERR_OK && jdoc_has(n); n = jdoc_next(root, n))
        if (!is_config_member(jdoc_escaped(n)))
            e = control_inner_fail(why, ERR_BAD_PARAMETER, "runtime.configuration",
                                   "The configuration may have strategy, retry, cache and request_timeout, not %.*s.",
                                   STR_ARG(str_head(jdoc_escaped(n), 60)));
    jdoc_free(&doc);
    return e;
}

static enum err check_flavors(const struct model_row *m, struct control_why *why)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool ok = !m->flavors.n ||
              (m->flavors.n <= JSON_MAX && jdoc_parse(&doc, m->flavors) && jdoc_kind(jdoc_root(&doc)) == JDOC_ARRAY);
    jdoc_free(&doc);
    return ok ? ERR_OK : bad(why, "flavors", "Flavors are an array of at most 4 KiB.");
}

/* ---- the config ---- */

/*
 * {"override_params":{"model":"@slug/model"},"openai_organization":"org"}, without the braces; where requests
 * may name another model, {"provider":"@slug","default_params":{"model":"model"}, …}.
 */
static void write_target(struct json_write *w, const struct model_row *m, struct str slug)
{
    struct buf text;
    buf_init(&text, MODEL_TEXT_MAX + 80);
    bool ok = buf_printf(&text, "@%.*s", STR_ARG(slug));
    if (m->any_model)
        json_write_member_string(w, "provider", buf_str(&text));
    else
        ok = ok && buf_printf(&text, "/%.*s", STR_ARG(m->model));
    must(ok); /* both were checked */
    json_write_key(w, m->any_model ? STR("default_params") : STR("override_params"));
    json_write_object(w);
    json_write_member_string(w, "model", m->any_model ? m->model : buf_str(&text));
    json_write_object_end(w);
    if (m->organization.n)
        json_write_member_string(w, "openai_organization", m->organization);
    buf_free(&text);
}

static void write_config(struct json_write *w, const struct model_row *m, struct jval integrations,
                         struct jval configuration)
{
    bool strategy = jdoc_has(jdoc_find(configuration, "strategy"));
    json_write_object(w);
    for (struct jval n = jdoc_first(configuration); jdoc_has(n); n = jdoc_next(configuration, n)) {
        json_write_key(w, jdoc_escaped(n));
        json_write_raw(w, jdoc_raw(jdoc_value(n)));
    }
    if (!strategy && jdoc_size(integrations) == 1) {
        write_target(w, m, jdoc_escaped(jdoc_first(integrations)));
        json_write_object_end(w);
        return;
    }
    if (!strategy)
        json_write_member_raw(w, "strategy", STR("{\"mode\":\"fallback\"}"));
    json_write_key(w, STR("targets"));
    json_write_array(w);
    for (struct jval v = jdoc_first(integrations); jdoc_has(v); v = jdoc_next(integrations, v)) {
        json_write_object(w);
        write_target(w, m, jdoc_escaped(v));
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static enum err compile(const struct model_row *m, struct str text, struct config **ret_config, struct control_why *why)
{
    char name[MODEL_NAME_MAX + 8];
    struct config_errors *errors = mem_zalloc(sizeof *errors);
    enum err e = config_compile(text, ret_config, errors);
    if (e != ERR_OK)
        e = control_inner_fail(why, ERR_BAD_PARAMETER, "runtime.configuration", "It makes no routing config: %s",
                               errors->n ? errors->text[0] : errors->message);
    mem_free(errors);
    if (e != ERR_OK)
        return e;
    int n = snprintf(name, sizeof name, "models/%.*s", STR_ARG(m->name));
    config_name(*ret_config, 0, str_of(name, (size_t)n), m->revision, m->workspace_id);
    return ERR_OK;
}

enum err model_check_compile(const struct model_row *m, struct config **ret_config, struct control_why *why)
{
    struct jdoc integrations, configuration;
    struct json_write w;
    struct buf text;
    buf_init(&text, CONFIG_TEXT_MAX);
    jdoc_init(&integrations);
    jdoc_init(&configuration);
    bool ok = jdoc_parse(&integrations, m->integrations) && jdoc_size(jdoc_root(&integrations)) > 0 &&
              (!m->configuration.n || jdoc_parse(&configuration, m->configuration));
    if (ok) {
        json_write_init(&w, &text);
        write_config(&w, m, jdoc_root(&integrations),
                     m->configuration.n ? jdoc_root(&configuration) : (struct jval){0});
        ok = json_write_done(&w);
    }
    enum err e = ok ? compile(m, buf_str(&text), ret_config, why)
                    : bad(why, "integrationConnections", "A model API needs an integration.");
    jdoc_free(&integrations);
    jdoc_free(&configuration);
    buf_free(&text);
    return e;
}

enum err model_check(struct model_row *m, struct control_why *why)
{
    struct config *config;
    enum err e = check_names(m, why);
    if (e == ERR_OK)
        e = check_list(m->integrations, "integrationConnections", MODEL_INTEGRATIONS_MAX, why);
    if (e == ERR_OK)
        e = check_list(m->policies, "policies", MODEL_POLICIES_MAX, why);
    if (e == ERR_OK)
        e = check_flavors(m, why);
    if (e == ERR_OK)
        e = check_runtime(m, why);
    if (e == ERR_OK)
        e = check_configuration(m, why);
    if (e == ERR_OK)
        e = model_check_compile(m, &config, why);
    if (e == ERR_OK)
        config_unref(config);
    return e;
}
