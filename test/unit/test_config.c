/* SPDX-License-Identifier: Apache-2.0 */
/* Configs: fields and their errors, inheritance, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/must.h"
#include "control/config/config.h"

#define PROVIDER "\"provider\":\"openai\",\"api_key\":\"sk-1\""
#define LEAF "{" PROVIDER "}"
#define TARGETS(mode, list) "{\"strategy\":{\"mode\":\"" mode "\"},\"targets\":[" list "]}"

static struct config_errors why;

/* The config of a text that must be a good one. */
static struct config *good(const char *text)
{
    struct config *c = NULL;
    enum err e = config_compile(str_c(text), &c, &why);
    if (e)
        print_error("%s\n%s\n", text, why.n ? why.text[0] : "");
    assert_int_equal(e, ERR_OK);
    assert_int_equal(why.n, 0);
    return c;
}

static void assert_text(struct str is, const char *should)
{
    if (!str_eq(is, str_c(should)))
        fail_msg("'%.*s' is not '%s'", STR_ARG(is), should);
}

/* The config must be refused, the first errors are these, and there are no more. */
static void refused(const char *text, const char *const *errors, size_t n)
{
    struct config *c = NULL;
    assert_int_equal(config_compile(str_c(text), &c, &why), ERR_BAD_PARAMETER);
    assert_null(c);
    for (size_t i = 0; i < n; i++)
        if (i >= why.n || strcmp(why.text[i], errors[i]) != 0)
            fail_msg("%s\nsays:   %s\nshould: %s", text, i < why.n ? why.text[i] : "nothing", errors[i]);
    if (why.n != n)
        fail_msg("%s\nalso says: %s", text, why.text[n]);
}

/* --- messages --------------------------------------------------------------------------------- */

#define MODE_ERROR "message: Invalid 'mode' value. Must be one of: single, loadbalance, fallback, conditional"
#define EMPTY_ERROR                                                                                                   \
    "message: Nothing says where to go or what to do: give provider and api_key, a provider '@slug', a virtual_key, " \
    "strategy and targets, cache, retry, request_timeout, or guardrails"

static void errors_name_their_place(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[]", "path: , message: Expected object, received array"},
        {"7", "path: , message: Expected object, received number"},
        {"{}", "path: , " EMPTY_ERROR},
        {TARGETS("random", LEAF), "path: strategy,mode, " MODE_ERROR},
        {"{\"targets\":[" LEAF "]}", "path: strategy,mode, " MODE_ERROR},
        {"{\"strategy\":{},\"targets\":[" LEAF "]}", "path: strategy,mode, " MODE_ERROR},
        {"{\"strategy\":{\"mode\":1},\"targets\":[" LEAF "]}",
         "path: strategy,mode, message: Expected string, received number"},
        {"{\"strategy\":\"single\",\"targets\":[" LEAF "]}",
         "path: strategy, message: Expected object, received string"},
        {TARGETS("single", ""), "path: targets, message: Needs at least one target"},
        {"{\"strategy\":{\"mode\":\"single\"},\"targets\":{}}",
         "path: targets, message: Expected array, received object"},
        {TARGETS("single", "3"), "path: targets,0, message: Expected object, received number"},
        {TARGETS("fallback", LEAF ",{\"name\":\"x\"}"), "path: targets,1, " EMPTY_ERROR},
        {TARGETS("fallback", LEAF "," TARGETS("dice", LEAF)), "path: targets,1,strategy,mode, " MODE_ERROR},
        {"{\"provider\":5,\"api_key\":\"k\",\"cache\":{\"mode\":\"simple\"}}",
         "path: provider, message: Expected string, received number"},
        {"{\"provider\":\"openai\",\"apiKey\":[\"sk-secret\"],\"retry\":{\"attempts\":1}}",
         "path: api_key, message: Expected string, received array"},
        {"{\"provider\":\"openai\",\"api_key\":\"a\",\"apiKey\":\"b\",\"retry\":{\"attempts\":1}}",
         "path: api_key, message: Given twice, possibly in two spellings"},
        {"{\"provider\":\"openai\",\"api_key\":\"sk-1\\r\\nx-evil: 1\",\"retry\":{\"attempts\":1}}",
         "path: api_key, message: Control characters are not allowed here"},
        {"{\"provider\":\"openai\",\"api_key\":5}", "path: api_key, message: Expected string, received number"},
        {"{\"retry\":{}}", "path: retry,attempts, message: Required"},
        {"{\"retry\":5}", "path: retry, message: Expected object, received number"},
        {"{\"retry\":{\"attempts\":\"5\"}}", "path: retry,attempts, message: Expected number, received string"},
        {"{\"retry\":{\"attempts\":-1}}", "path: retry,attempts, message: Must be a whole number, 0 or more"},
        {"{\"retry\":{\"attempts\":1.5}}", "path: retry,attempts, message: Must be a whole number, 0 or more"},
        {"{\"retry\":{\"attempts\":1,\"on_status_codes\":\"429\"}}",
         "path: retry,on_status_codes, message: Expected array, received string"},
        {"{\"retry\":{\"attempts\":1,\"onStatusCodes\":[429,\"500\"]}}",
         "path: retry,on_status_codes,1, message: Expected number, received string"},
        {"{\"retry\":{\"attempts\":1,\"on_status_codes\":[99]}}",
         "path: retry,on_status_codes,0, message: Must be an HTTP status, 100 to 999"},
        {"{\"retry\":{\"attempts\":1,\"use_retry_after_header\":\"yes\"}}",
         "path: retry,use_retry_after_header, message: Expected boolean, received string"},
        {"{\"cache\":{}}", "path: cache,mode, message: Invalid 'mode' value. Must be one of: simple, semantic"},
        {"{\"cache\":{\"mode\":\"fast\"}}",
         "path: cache,mode, message: Invalid 'mode' value. Must be one of: simple, semantic"},
        {"{\"cache\":\"simple\"}", "path: cache, message: Expected object, received string"},
        {"{\"cache\":{\"mode\":\"simple\",\"max_age\":\"60\"}}",
         "path: cache,max_age, message: Expected number, received string"},
        {"{\"request_timeout\":\"5s\"}", "path: request_timeout, message: Expected number, received string"},
        {"{\"request_timeout\":-5}", "path: request_timeout, message: Must be a whole number, 0 or more"},
        {TARGETS("loadbalance", "{" PROVIDER ",\"weight\":-1}"),
         "path: targets,0,weight, message: Must be a number from 0 to 1000000000000"},
        {TARGETS("loadbalance", "{" PROVIDER ",\"weight\":1e999}"),
         "path: targets,0,weight, message: Must be a number from 0 to 1000000000000"},
        {TARGETS("loadbalance", "{" PROVIDER ",\"weight\":\"1\"}"),
         "path: targets,0,weight, message: Expected number, received string"},
        {TARGETS("loadbalance", "{" PROVIDER ",\"weight\":0}"),
         "path: targets, message: At least one needs a weight above 0"},
        {"{\"override_params\":[]}", "path: override_params, message: Expected object, received array"},
        {"{\"drop_params\":[1]}", "path: drop_params,0, message: Expected string, received number"},
        {"{\"forward_headers\":\"x\"}", "path: forward_headers, message: Expected array, received string"},
        {"{\"passthrough\":1}", "path: passthrough, message: Expected boolean, received number"},
        {"{\"input_guardrails\":{}}", "path: input_guardrails, message: Expected array, received object"},
        {"{\"input_guardrails\":[5]}", "path: input_guardrails,0, message: Expected object, received number"},
        {"{\"input_guardrails\":[{\"default.contains\":5}]}",
         "path: input_guardrails,0,checks, message: Expected object, received number"},
        {"{\"before_request_hooks\":[{}]}", "path: before_request_hooks,0,checks, message: Required"},
        {"{\"before_request_hooks\":[\"x\"]}",
         "path: before_request_hooks,0, message: Expected object, received string"},
        {"{\"after_request_hooks\":[{\"checks\":[{}]}]}", "path: after_request_hooks,0,checks,0,id, message: Required"},
        {"{\"after_request_hooks\":[{\"checks\":[],\"type\":\"cron\"}]}",
         "path: after_request_hooks,0,type, message: Must be one of: guardrail, mutator"},
        {"{\"output_guardrails\":[{\"contains\":{},\"deny\":\"no\"}]}",
         "path: output_guardrails,0,deny, message: Expected boolean, received string"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(rows[i][0], &rows[i][1], 1);
}

#define STRATEGY(mode, more) "{\"strategy\":{\"mode\":\"" mode "\"," more "},\"targets\":[" LEAF "]}"

static void errors_in_strategies_name_their_place(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {STRATEGY("fallback", "\"on_status_codes\":429"),
         "path: strategy,on_status_codes, message: Expected array, received number"},
        {STRATEGY("fallback", "\"on_status_codes\":[42.9]"),
         "path: strategy,on_status_codes,0, message: Must be an HTTP status, 100 to 999"},
        {STRATEGY("conditional", "\"conditions\":{}"),
         "path: strategy,conditions, message: Expected array, received object"},
        {STRATEGY("conditional", "\"conditions\":[{\"then\":\"a\"}]"),
         "path: strategy,conditions,0,query, message: Required"},
        {STRATEGY("conditional", "\"conditions\":[{\"query\":{}}]"),
         "path: strategy,conditions,0,then, message: Required"},
        {STRATEGY("conditional", "\"conditions\":[{\"query\":[],\"then\":\"a\"}]"),
         "path: strategy,conditions,0,query, message: Expected object, received array"},
        {STRATEGY("conditional", "\"conditions\":[{\"query\":{\"$or\":{}},\"then\":\"a\"}]"),
         "path: strategy,conditions,0,query, message: Expected array, received object"},
        {STRATEGY("conditional", "\"conditions\":[{\"query\":{\"$or\":[1]},\"then\":\"a\"}]"),
         "path: strategy,conditions,0,query, message: Expected object, received number"},
        {STRATEGY("conditional", "\"default\":7"), "path: strategy,default, message: Expected string, received number"},
        {STRATEGY("loadbalance", "\"sticky\":true"),
         "path: strategy,sticky, message: Expected object, received boolean"},
        {STRATEGY("loadbalance", "\"sticky\":{\"hash_fields\":[\"user\"]}"),
         "path: strategy,sticky,hash_fields, message: Fields begin with 'metadata.', 'params.' or 'headers.'"},
        {STRATEGY("loadbalance", "\"sticky\":{\"ttl\":\"1h\"}"),
         "path: strategy,sticky,ttl, message: Expected number, received string"},
        {STRATEGY("loadbalance", "\"cb_config\":[]"),
         "path: strategy,cb_config, message: Expected object, received array"},
        {STRATEGY("loadbalance", "\"cbConfig\":{\"failureThresholdPercentage\":101}"),
         "path: strategy,cb_config,failure_threshold_percentage, message: Must be 0 to 100"},
        {STRATEGY("loadbalance", "\"cb_config\":{\"cooldown_interval\":true}"),
         "path: strategy,cb_config,cooldown_interval, message: Expected number, received boolean"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(rows[i][0], &rows[i][1], 1);
}

static void all_errors_are_listed(void **state)
{
    (void)state;
    static const char *const two[] = {"path: targets,0,weight, message: Expected number, received string",
                                      "path: targets,1,retry,attempts, message: Required"};
    refused(TARGETS("loadbalance", "{" PROVIDER ",\"weight\":\"x\"},{" PROVIDER ",\"retry\":{}}"), two, 2);
    struct buf many;
    struct config *c = NULL;
    buf_init(&many, 4096);
    must(buf_add_str(&many, STR("{\"strategy\":{\"mode\":\"fallback\"},\"targets\":[{}")));
    for (int i = 0; i < 50; i++)
        must(buf_add_str(&many, STR(",{}")));
    must(buf_add_str(&many, STR("]}")));
    assert_int_equal(config_compile(buf_str(&many), &c, &why), ERR_BAD_PARAMETER);
    assert_int_equal(why.n, CONFIG_ERRORS_MAX);
    buf_free(&many);
}

static void what_is_not_json_is_told_apart(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "{", "pc-abc", "{\"a\":1,}", "{'a':1}", "{} {}"};
    struct config *c = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(config_compile(str_c(rows[i]), &c, &why), ERR_BAD_PARAMETER);
        assert_true(why.not_json);
    }
    assert_int_equal(config_compile(STR("{}"), &c, &why), ERR_BAD_PARAMETER);
    assert_false(why.not_json);
}

static void some_errors_have_messages_of_their_own(void **state)
{
    (void)state;
    struct config *c = NULL;
    assert_int_equal(config_compile(STR("{\"mode\":\"fallback\",\"options\":[" LEAF "]}"), &c, &why),
                     ERR_BAD_PARAMETER);
    assert_string_equal(why.message,
                        "This version of config is not supported in this route. Please migrate to the latest version");
    assert_int_equal(config_compile(STR("{\"input_guardrails\":[\"pg-a\",{\"default.contains\":{}}],"
                                        "\"output_guardrails\":[\"pg-b\"]}"),
                                    &c, &why),
                     ERR_BAD_PARAMETER);
    assert_string_equal(why.message, "Following guardrails are not valid: pg-a, pg-b");
    assert_int_equal(config_compile(STR("{}"), &c, &why), ERR_BAD_PARAMETER);
    assert_string_equal(why.message, "");
}

static void errors_quote_no_secret(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"provider\":\"openai\",\"api_key\":[\"sk-SECRET\"]}",
        "{\"provider\":\"openai\",\"api_key\":\"sk-SECRET\\n\"}",
        "{\"azure_ad_token\":{\"SECRET\":1},\"azure_entra_client_secret\":[\"SECRET\"]}",
        "{\"override_params\":\"SECRET\",\"request_timeout\":\"SECRET\"}",
        "{\"input_guardrails\":[{\"default.webhook\":\"SECRET\"}]}",
    };
    struct config *c = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(config_compile(str_c(rows[i]), &c, &why), ERR_BAD_PARAMETER);
        for (size_t e = 0; e < why.n; e++)
            assert_null(strstr(why.text[e], "SECRET"));
    }
}

/* --- what is enough --------------------------------------------------------------------------- */

static void configs_may_say_little(void **state)
{
    (void)state;
    static const char *const enough[] = {
        LEAF,
        TARGETS("single", LEAF),
        "{\"cache\":{\"mode\":\"simple\"}}",
        "{\"retry\":{\"attempts\":0}}",
        "{\"request_timeout\":100}",
        "{\"input_guardrails\":[]}",
        "{\"output_mutators\":[{\"addPrefix\":{\"prefix\":\"x\"}}]}",
        "{\"after_request_hooks\":[{\"checks\":[]}]}",
        "{\"provider\":\"bedrock\",\"aws_access_key_id\":\"a\",\"aws_secret_access_key\":\"b\"}",
        "{\"vertex_region\":\"r\",\"vertex_project_id\":\"p\"}",
        "{\"provider\":\"azure-openai\",\"api_key\":\"k\"}",
        "{\"provider\":\"azure-openai\",\"azure_ad_token\":\"t\"}",
        "{\"provider\":\"azure-openai\",\"azureAuthMode\":\"managed\"}",
        "{\"provider\":\"ollama\"}",
        "{\"provider\":\"openai\",\"custom_host\":\"http://h/v1\"}",
        "{\"provider\":\"@prod\"}",
        "{\"virtual_key\":\"v\"}",
        "{\"virtualKey\":\"v\"}",
        "{\"prompt_id\":\"pp-1\"}",
        "{\"promptID\":\"pp-1\"}",
        "{\"forward_headers\":[]}",
        "{\"passthrough\":true}",
        "{\"override_params\":{\"model\":\"@a/b\"}}",
        "{\"default_params\":{}}",
        "{\"drop_params\":[]}",
        "{\"virtual_key\":\"v\",\"unknown\":[{\"x\":null}],\"api_key\":null,\"retry\":null}",
    };
    static const char *const too_little[] = {
        "{}",
        "{\"provider\":\"openai\"}",
        "{\"api_key\":\"k\"}",
        "{\"passthrough\":false}",
        "{\"name\":\"x\",\"weight\":1}",
        "{\"strategy\":{\"mode\":\"single\"}}",
        "{\"aws_access_key_id\":\"a\"}",
        "{\"vertex_region\":\"r\"}",
        "{\"virtual_key\":null}",
        "{\"strict_open_ai_compliance\":true}",
    };
    for (size_t i = 0; i < sizeof enough / sizeof enough[0]; i++)
        config_unref(good(enough[i]));
    const char *error = "path: , " EMPTY_ERROR;
    for (size_t i = 0; i < sizeof too_little / sizeof too_little[0]; i++)
        refused(too_little[i], &error, 1);
}

/* --- fields ----------------------------------------------------------------------------------- */

static void both_spellings_are_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"strategy\":{\"mode\":\"fallback\",\"on_status_codes\":[503,429,429]},"
        "\"request_timeout\":700,\"strict_open_ai_compliance\":false,\"custom_host\":\"http://h\","
        "\"targets\":[{\"provider\":\"azure-openai\",\"api_key\":\"k\",\"resource_name\":\"r\",\"deployment_id\":\"d\","
        "\"api_version\":\"v1\",\"azure_model_name\":\"m\",\"azure_entra_client_id\":\"i\","
        "\"openai_organization\":\"o\",\"retry\":{\"attempts\":9,\"use_retry_after_header\":true},"
        "\"cache\":{\"mode\":\"semantic\",\"max_age\":60},\"forward_headers\":[\"X-A\",\"xMyHeader\"]}]}",
        "{\"strategy\":{\"mode\":\"fallback\",\"onStatusCodes\":[429,503]},"
        "\"requestTimeout\":700,\"strictOpenAiCompliance\":false,\"customHost\":\"http://h\","
        "\"targets\":[{\"provider\":\"azure-openai\",\"apiKey\":\"k\",\"resourceName\":\"r\",\"deploymentID\":\"d\","
        "\"apiVersion\":\"v1\",\"azureModelName\":\"m\",\"azureEntraClientId\":\"i\","
        "\"openaiOrganization\":\"o\",\"retry\":{\"attempts\":5,\"useRetryAfterHeaders\":true},"
        "\"cache\":{\"mode\":\"semantic\",\"maxAge\":60.7},\"forwardHeaders\":[\"x-a\",\"xMyHeader\"]}]}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct config *c = good(texts[i]);
        const struct config_node *root = c->root, *t = &root->targets[0];
        const struct config_settings *s = &t->settings;
        assert_int_equal(root->mode, CONFIG_FALLBACK);
        assert_false(root->any_status);
        assert_int_equal(root->on_status_codes.n, 2);
        assert_int_equal(root->on_status_codes.list[0], 429);
        assert_text(s->provider, "azure-openai");
        assert_text(s->api_key, "k");
        assert_text(s->azure.resource_name, "r");
        assert_text(s->azure.deployment_id, "d");
        assert_text(s->azure.api_version, "v1");
        assert_text(s->azure.model_name, "m");
        assert_text(s->azure.entra_client_id, "i");
        assert_text(s->azure.ad_token, "");
        assert_text(s->openai_organization, "o");
        assert_int_equal(s->request_timeout_ms, 700);
        assert_true(s->lenient);
        assert_text(s->custom_host, "http://h");
        assert_int_equal(s->retry.attempts, 5);
        assert_true(s->retry.use_retry_after);
        assert_int_equal(s->retry.codes.n, 6);
        assert_true(config_codes_have(&s->retry.codes, 529));
        assert_false(config_codes_have(&s->retry.codes, 501));
        assert_int_equal(s->cache.mode, CONFIG_CACHE_SEMANTIC);
        assert_int_equal(s->cache.max_age_s, 60);
        assert_int_equal(s->forward_headers.n, 3);
        assert_text(s->forward_headers.list[0], "x-a");
        assert_text(s->forward_headers.list[1], "xmyheader");
        assert_text(s->forward_headers.list[2], "x-my-header");
        assert_int_equal(c->attempts_max, 6);
        assert_int_equal(c->needs, CONFIG_NEEDS_CACHE | CONFIG_NEEDS_REPEAT);
        config_unref(c);
    }
}

static void ages_outside_the_limits_become_the_default(void **state)
{
    (void)state;
    static const struct {
        const char *age;
        uint32_t seconds;
    } rows[] = {{"60", 60},    {"59", 604800},   {"7776000", 7776000}, {"7776001", 604800}, {"-5", 604800},
                {"0", 604800}, {"3600.9", 3600}, {"1e3", 1000},        {"null", 604800},    {"1e300", 604800}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"cache\":{\"mode\":\"simple\",\"max_age\":%s}}", rows[i].age);
        struct config *c = good(text);
        assert_int_equal(c->root->settings.cache.max_age_s, rows[i].seconds);
        config_unref(c);
    }
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    struct config *c = good("{\"pro\\u0076ider\":\"open\\u0061i\",\"api_key\":\"s\\u006b-\\/1\","
                            "\"override_params\":{\"mod\\u0065l\":\"g\\u0070t\",\"x\":1.0e1,\"x\":{\"a\" : 2}}}");
    const struct config_settings *s = &c->root->settings;
    assert_text(s->provider, "openai");
    assert_text(s->api_key, "sk-/1");
    assert_int_equal(s->override_params.n, 2);
    assert_text(s->override_params.list[0].name, "model");
    assert_text(s->override_params.list[0].json, "\"g\\u0070t\"");
    assert_text(s->override_params.list[1].json, "{\"a\" : 2}"); /* the later one counts */
    config_unref(c);
}

/* --- inheritance ------------------------------------------------------------------------------ */

static const char family[] =
    "{\"strategy\":{\"mode\":\"fallback\",\"cb_config\":{\"failure_threshold\":3,\"cooldown_interval\":1000}},"
    "\"provider\":\"openai\",\"api_key\":\"root\",\"name\":\"root\",\"custom_host\":\"http://root\",\"request_timeout\":1000,"
    "\"retry\":{\"attempts\":2,\"on_status_codes\":[500]},\"cache\":{\"mode\":\"simple\",\"max_age\":100},"
    "\"forward_headers\":[\"x-root\"],\"strict_open_ai_compliance\":false,"
    "\"override_params\":{\"model\":\"a\",\"n\":1},\"default_params\":{\"seed\":1},\"drop_params\":[\"user\"],"
    "\"input_guardrails\":[{\"contains\":{\"words\":[\"x\"]}}],"
    "\"targets\":["
    "{\"virtual_key\":\"v0\"},"
    "{\"virtual_key\":\"v1\",\"retry\":{\"attempts\":1},\"cache\":{\"mode\":\"semantic\"},\"request_timeout\":5,"
    "\"custom_host\":\"http://child\",\"forward_headers\":[],\"strict_open_ai_compliance\":true,"
    "\"override_params\":{\"n\":2,\"top_p\":0.5},\"default_params\":{\"seed\":2,\"stop\":null},\"drop_params\":[],"
    "\"before_request_hooks\":[]},"
    "{\"strategy\":{\"mode\":\"loadbalance\",\"cb_config\":{\"failure_threshold_percentage\":50,"
    "\"cooldown_interval\":60000,\"minimum_requests\":2,\"failure_status_codes\":[500]}},"
    "\"override_params\":{\"model\":\"b\"},\"targets\":[{\"virtual_key\":\"v2\"},{\"virtual_key\":\"v3\",\"weight\":0.25}]},"
    "{\"strategy\":{\"mode\":\"conditional\",\"conditions\":[{\"query\":{\"params.model\":\"x\"},\"then\":\"y\"}]},"
    "\"targets\":[{\"virtual_key\":\"v4\",\"name\":\"y\"},"
    "{\"strategy\":{\"mode\":\"fallback\"},\"name\":\"z\",\"targets\":[{\"virtual_key\":\"v5\"}]}]}"
    "]}";

static void own_fields_are_not_inherited(void **state)
{
    (void)state;
    struct config *c = good(family);
    const struct config_node *t = &c->root->targets[0];
    assert_text(c->root->settings.api_key, "root");
    assert_text(t->settings.provider, "");
    assert_text(t->settings.api_key, "");
    assert_text(t->name, "");
    assert_text(t->settings.virtual_key, "v0");
    config_unref(c);
}

static void children_inherit_and_replace(void **state)
{
    (void)state;
    struct config *c = good(family);
    const struct config_settings *a = &c->root->targets[0].settings, *b = &c->root->targets[1].settings;
    assert_text(a->custom_host, "http://root");
    assert_int_equal(a->request_timeout_ms, 1000);
    assert_int_equal(a->retry.attempts, 2);
    assert_int_equal(a->retry.codes.n, 1);
    assert_int_equal(a->cache.max_age_s, 100);
    assert_int_equal(a->forward_headers.n, 1);
    assert_true(a->lenient);
    assert_int_equal(a->override_params.n, 2);
    assert_int_equal(a->drop_params.n, 1);
    assert_int_equal(a->before.n, 1);
    assert_text(a->before.list[0].checks[0].id, "default.contains");

    assert_text(b->custom_host, "http://child");
    assert_int_equal(b->request_timeout_ms, 5);
    assert_int_equal(b->retry.attempts, 1);
    assert_int_equal(b->retry.codes.n, 6);
    assert_int_equal(b->cache.mode, CONFIG_CACHE_SEMANTIC);
    assert_int_equal(b->cache.max_age_s, CONFIG_CACHE_AGE_DEFAULT_S);
    assert_int_equal(b->forward_headers.n, 0);
    assert_false(b->lenient);
    assert_int_equal(b->override_params.n, 3);
    assert_text(b->override_params.list[0].json, "\"a\"");
    assert_text(b->override_params.list[1].json, "2");
    assert_text(b->override_params.list[2].name, "top_p");
    assert_int_equal(b->default_params.n, 2);
    assert_text(b->default_params.list[0].json, "2");
    assert_text(b->default_params.list[1].json, "null");
    assert_int_equal(b->drop_params.n, 0);
    assert_int_equal(b->before.n, 0);
    config_unref(c);
}

static void breakers_are_inherited_but_not_below_a_conditional(void **state)
{
    (void)state;
    struct config *c = good(family);
    const struct config_node *t = c->root->targets;
    assert_true(t[0].breaker.on);
    assert_int_equal(t[0].breaker.failure_threshold, 3);
    assert_int_equal(t[0].breaker.cooldown_ms, CONFIG_COOLDOWN_MIN_MS);
    assert_int_equal(t[0].breaker.minimum_requests, 5);
    const struct config_breaker *own = &t[2].targets[1].breaker;
    assert_true(own->on);
    assert_int_equal(own->failure_threshold, 0);
    assert_int_equal(own->failure_percentage, 50);
    assert_int_equal(own->cooldown_ms, 60000);
    assert_int_equal(own->minimum_requests, 2);
    assert_int_equal(own->failure_codes.n, 1);
    assert_false(t[3].targets[0].breaker.on);
    assert_false(t[3].targets[1].breaker.on);
    assert_false(t[3].targets[1].targets[0].breaker.on);
    config_unref(c);
}

static void nodes_know_their_places(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        unsigned depth, index;
    } rows[] = {
        {"config", 0, 0},
        {"config.targets[0]", 1, 0},
        {"config.targets[1]", 1, 1},
        {"config.targets[2]", 1, 2},
        {"config.targets[2].targets[0]", 2, 0},
        {"config.targets[2].targets[1]", 2, 1},
        {"config.targets[3]", 1, 3},
        {"config.targets[3].targets[0]", 2, 0},
        {"config.targets[3].targets[1]", 2, 1},
        {"config.targets[3].targets[1].targets[0]", 3, 0},
    };
    struct config *c = good(family);
    const struct config_node *t = c->root->targets;
    const struct config_node *nodes[] = {c->root,
                                         &t[0],
                                         &t[1],
                                         &t[2],
                                         &t[2].targets[0],
                                         &t[2].targets[1],
                                         &t[3],
                                         &t[3].targets[0],
                                         &t[3].targets[1],
                                         &t[3].targets[1].targets[0]};
    assert_int_equal(c->node_count, 10);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(nodes[i]->id, i);
        assert_text(nodes[i]->path, rows[i].path);
        assert_int_equal(nodes[i]->depth, rows[i].depth);
        assert_int_equal(nodes[i]->index, rows[i].index);
        if (i)
            assert_ptr_equal(nodes[i], &nodes[i]->parent->targets[nodes[i]->index]);
    }
    assert_true(t[2].targets[1].weight > 0.2499 && t[2].targets[1].weight < 0.2501);
    assert_int_equal(c->attempts_max, 3 + 2 + 3 + 3);
    assert_int_equal(c->needs, CONFIG_NEEDS_PARAMS | CONFIG_NEEDS_EDIT | CONFIG_NEEDS_HOOKS | CONFIG_NEEDS_CACHE |
                                   CONFIG_NEEDS_REPEAT);
    config_unref(c);
}

/* --- guardrails ------------------------------------------------------------------------------- */

static void short_and_long_hooks_are_read(void **state)
{
    (void)state;
    struct config *c = good(
        "{\"input_guardrails\":[{\"default.contains\":{\"operator\":\"none\"},\"wordCount\":{\"is_enabled\":false},"
        "\"deny\":true,\"async\":false,\"sequential\":true,\"on_fail\":{\"feedback\":{\"value\":-5}},\"guardrail_version_id\":\"x\","
        "\"note\":\"no check\"},{\"id\":\"mine\",\"checks\":[{\"id\":\"default.notNull\",\"isEnabled\":false}]}],"
        "\"input_mutators\":[{\"addPrefix\":{\"prefix\":\"x\"}}],"
        "\"before_request_hooks\":[{\"type\":\"guardrail\",\"id\":\"long\",\"async\":true,"
        "\"checks\":[{\"id\":\"default.regexMatch\",\"parameters\":{\"rule\":\"a\",\"failOnError\":true}}],"
        "\"on_success\":{\"feedback\":{}}}]}");
    const struct config_hooks *h = &c->root->settings.before;
    assert_int_equal(h->n, 4);
    assert_int_equal(c->root->settings.after.n, 0);
    const struct config_hook *first = &h->list[0], *second = &h->list[1], *mutator = &h->list[2], *last = &h->list[3];
    assert_text(first->id, "input_guardrails[0]");
    assert_text(first->type, "guardrail");
    assert_true(first->deny && first->sequential && !first->async);
    assert_int_equal(first->check_count, 2);
    assert_text(first->checks[0].id, "default.contains");
    assert_text(first->checks[0].parameters, "{\"operator\":\"none\"}");
    assert_true(first->checks[0].enabled);
    assert_text(first->checks[1].id, "default.wordCount");
    assert_false(first->checks[1].enabled);
    assert_text(first->on_fail, "{\"feedback\":{\"value\":-5}}");
    assert_text(first->on_success, "");
    assert_text(second->id, "mine");
    assert_text(second->checks[0].parameters, "{}");
    assert_false(second->checks[0].enabled);
    assert_text(mutator->type, "mutator");
    assert_text(mutator->checks[0].id, "default.addPrefix");
    assert_text(last->id, "long");
    assert_true(last->async && !last->deny);
    assert_true(last->checks[0].fail_on_error);
    assert_text(last->on_success, "{\"feedback\":{}}");
    config_unref(c);
}

/* --- life and secrets ------------------------------------------------------------------------- */

static void references_are_counted_and_names_kept(void **state)
{
    (void)state;
    char slug[] = "pc-abc";
    struct config *c = good(LEAF);
    unsigned char first[32];
    memcpy(first, c->sha256, sizeof first);
    config_name(c, 7, str_c(slug), 3, 9);
    slug[3] = 'X';
    struct config *again = config_ref(c);
    assert_ptr_equal(again, c);
    config_unref(c);
    assert_int_equal(again->id, 7);
    assert_text(again->slug, "pc-abc");
    assert_int_equal(again->version, 3);
    assert_int_equal(again->workspace_id, 9);
    assert_text(again->text, LEAF);
    config_unref(again);
    config_unref(NULL);
    c = good(LEAF " ");
    assert_memory_not_equal(c->sha256, first, sizeof first);
    config_unref(c);
}

static void secrets_are_masked(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"provider\":\"openai\",\"api_key\":\"sk-abcdefghi\"}",
         "{\"provider\":\"openai\",\"api_key\":\"sk********ghi\"}"},
        {"{ \"provider\" : \"openai\" , \"apiKey\" : \"sk-abcdefghi\" } ",
         "{ \"provider\" : \"openai\" , \"apiKey\" : \"sk********ghi\" } "},
        {"{\"virtual_key\":\"v\",\"azure_ad_token\":\"short\",\"azureEntraClientSecret\":\"0123456789\"}",
         "{\"virtual_key\":\"v\",\"azure_ad_token\":\"********\",\"azureEntraClientSecret\":\"01********789\"}"},
        {"{\"cache\":{\"mode\":\"simple\"},\"vertex_service_account_json\":{\"private\":\"abcdefghijkl\"}}",
         "{\"cache\":{\"mode\":\"simple\"},\"vertex_service_account_json\":\"********\"}"},
        {"{\"input_guardrails\":[{\"webhook\":{\"headers\":{\"Authorization\":\"Bearer abcdef\",\"x-api-key\":\"abcdefgh\"}}}],"
         "\"override_params\":{\"max_tokens\":5,\"token\":7,\"user\":\"abcdefghijk\"}}",
         "{\"input_guardrails\":[{\"webhook\":{\"headers\":{\"Authorization\":\"Be********def\",\"x-api-key\":\"ab********fgh\"}}}],"
         "\"override_params\":{\"max_tokens\":5,\"token\":7,\"user\":\"abcdefghijk\"}}"},
        {"{\"input_guardrails\":[{\"default.webhook\":{\"webhookURL\":\"https://h:8/services/T0?k=v\",\"headers\":{\"x-who\":"
         "\"somebody here\"}},\"default.log\":{\"logURL\":\"https://h\",\"headers\":\"{}\"}}]}",
         "{\"input_guardrails\":[{\"default.webhook\":{\"webhookURL\":\"https://h:8/********\",\"headers\":{\"x-who\":"
         "\"so********ere\"}},\"default.log\":{\"logURL\":\"https://h\",\"headers\":\"********\"}}]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config *c = good(rows[i][0]);
        struct buf out;
        buf_init(&out, 1000);
        assert_true(config_masked(c, &out));
        assert_text(buf_str(&out), rows[i][1]);
        buf_free(&out);
        buf_init(&out, 10);
        assert_false(config_masked(c, &out));
        buf_free(&out);
        config_unref(c);
    }
}

static void escaped_names_and_values_are_masked_too(void **state)
{
    (void)state;
    struct config *c = good("{\"provider\":\"x\",\"ap\\u0069_key\":\"esc\\u0061ped-secret\"}");
    struct buf out;
    buf_init(&out, 1000);
    assert_true(config_masked(c, &out));
    assert_text(buf_str(&out), "{\"provider\":\"x\",\"ap\\u0069_key\":\"********\"}");
    buf_free(&out);
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_their_place),
        cmocka_unit_test(errors_in_strategies_name_their_place),
        cmocka_unit_test(all_errors_are_listed),
        cmocka_unit_test(what_is_not_json_is_told_apart),
        cmocka_unit_test(some_errors_have_messages_of_their_own),
        cmocka_unit_test(errors_quote_no_secret),
        cmocka_unit_test(configs_may_say_little),
        cmocka_unit_test(both_spellings_are_read),
        cmocka_unit_test(ages_outside_the_limits_become_the_default),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(own_fields_are_not_inherited),
        cmocka_unit_test(children_inherit_and_replace),
        cmocka_unit_test(breakers_are_inherited_but_not_below_a_conditional),
        cmocka_unit_test(nodes_know_their_places),
        cmocka_unit_test(short_and_long_hooks_are_read),
        cmocka_unit_test(references_are_counted_and_names_kept),
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(escaped_names_and_values_are_masked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
