/* SPDX-License-Identifier: Apache-2.0 */
/* What headers ask for: which requests are routed, every field's form, lists, credentials, metadata, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "gateway/target/options.h"
#include "gateway/target/options_list.h"
#include "gateway/target/refusal.h"

#define GATEWAY_KEY "tg-the-gateway-key"

struct bench {
    struct arena *arena;
    struct http1_field fields[HTTP1_FIELDS_MAX];
    struct http1_head head;
    struct buf text;
};

static int setup(void **state)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    b.arena = arena_new(4096, 512 * 1024);
    buf_init(&b.text, HTTP1_HEAD_MAX);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    arena_free(b->arena);
    buf_free(&b->text);
    return 0;
}

/* Lines with '\n' ends. */
static void parse(struct bench *b, const char *lines)
{
    enum err e = ERR_OK;
    buf_reset(&b->text);
    assert_true(buf_add_str(&b->text, STR("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n")));
    for (const char *p = lines; *p; p++)
        assert_true(*p == '\n' ? buf_add_str(&b->text, STR("\r\n")) : buf_add_byte(&b->text, *p));
    assert_true(buf_add_str(&b->text, STR("\r\n")));
    if (http1_parse_request(buf_str(&b->text), 0, b->fields, &b->head, &e) != HTTP1_COMPLETE)
        fail_msg("not a head: %s", lines);
}

static struct options read_options(struct bench *b, const char *lines)
{
    struct options o;
    parse(b, lines);
    assert_true(options_read(&b->head, STR(GATEWAY_KEY), b->arena, &o));
    return o;
}

static void assert_text(struct str s, const char *expected)
{
    if (!str_eq(s, str_c(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), expected);
}

/* The list's items with blanks between. */
static void assert_list(const struct config_strings *list, const char *expected)
{
    char text[2048];
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", i ? " " : "", STR_ARG(list->list[i]));
    assert_string_equal(text, expected);
}

static void plain_requests_stay_on_the_short_path(void **state)
{
    static const char *const plain[] = {
        "",
        "Authorization: Bearer tg-1\n",
        "x-portkey-api-key: tg-1\n",
        "x-portkey-api-key: tg-1\nAuthorization: Bearer tg-1\n",
        "x-portkey-api-key: tg-1\nAuthorization: tg-1\n",
        "x-portkey-api-key: tg-1\nAuthorization: Bearer OPENAI_API_KEY\n",
        "x-portkey-api-key: tg-1\nAuthorization: Bearer DUMMY-KEY\n",
        "x-portkey-api-key: tg-1\nAuthorization: Bearer\n",
        "x-portkey-api-key: tg-1\nAuthorization: Basic dXNlcjpw\n",
        "x-portkey-trace-id: t\nx-portkey-span-id: s\nx-portkey-parent-span-id: p\nx-portkey-metadata: {}\n",
        "x-portkey-package-version: portkey-3.1.0\nx-portkey-runtime: node\nx-portkey-runtime-version: v20\n",
        "x-portkey-strict-open-ai-compliance: false\n",
        "x-portkey-debug: true\n",
        "x-portkey-cache-force-refresh: false\n",
        "x-portkey-nitro-mode: false\n",
        "x-portkey-provider:\n",
        "x-portkey-no-such-thing: 1\nx-portkey-: 1\nx-portkey-a-name-longer-than-any-that-the-contract-has: 1\n",
        "OpenAI-Beta: assistants=v2\nOpenAI-Organization: org\ncache-control: no-cache\n",
        "x-portkeyprovider: openai\n",
    };
    static const char *const routed[] = {
        "X-Portkey-Provider: openai\n",
        "x-portkey-virtual-key: a\n",
        "x-portkey-config: pc-1\n",
        "x-portkey-mode: openai\n",
        "x-portkey-custom-host: http://h\n",
        "x-portkey-forward-headers: a\n",
        "x-portkey-sensitive-headers: a\n",
        "x-portkey-debug: false\n",
        "x-portkey-cache-namespace: n\n",
        "x-portkey-cache-force-refresh: TRUE\n",
        "x-portkey-cache: simple\n",
        "x-portkey-request-timeout: 5\n",
        "x-portkey-azure-resource-name: r\n",
        "x-portkey-azure-entra-client-secret: s\n",
        "x-portkey-openai-project: p\n",
        "x-portkey-openai-beta: b\n",
        "x-portkey-nitro-mode: true\n",
        "x-portkey-fetch-integrated-models: true\n",
        "x-portkey-audio-file-duration: 2000\n",
        "x-portkey-span-name: llm\n",
        "baggage: a=b\n",
        "x-portkey-api-key: tg-1\nAuthorization: Bearer sk-real\n",
        "Authorization: sk-real\nx-portkey-api-key: tg-1\n",
    };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        parse(*state, plain[i]);
        if (options_matter(&((struct bench *)*state)->head))
            fail_msg("is routed: %s", plain[i]);
    }
    for (size_t i = 0; i < sizeof routed / sizeof routed[0]; i++) {
        parse(*state, routed[i]);
        if (!options_matter(&((struct bench *)*state)->head))
            fail_msg("is not routed: %s", routed[i]);
    }
}

static void every_field_is_read_into_its_place(void **state)
{
    struct options o = read_options(*state, "x-portkey-provider: @prod/gpt-4o\n"
                                            "X-PORTKEY-VIRTUAL-KEY: vk\n"
                                            "x-portkey-config: {\"retry\":{\"attempts\":1}}\n"
                                            "x-portkey-custom-host: https://h/v1\n"
                                            "x-portkey-openai-organization: org\n"
                                            "x-portkey-openai-project: proj\n"
                                            "x-portkey-openai-beta: beta\n"
                                            "openai-beta: other\n"
                                            "x-portkey-cache-namespace: ns\n"
                                            "x-portkey-cache-force-refresh: True\n"
                                            "x-portkey-request-timeout: 1500\n"
                                            "x-portkey-strict-open-ai-compliance: false\n"
                                            "x-portkey-debug: False\n"
                                            "x-portkey-nitro-mode: true\n"
                                            "x-portkey-fetch-integrated-models: true\n"
                                            "x-portkey-audio-file-duration: 2000\n"
                                            "x-portkey-span-name: step\n"
                                            "x-portkey-package-version: portkey-3.1.0\n"
                                            "x-portkey-runtime: node\n"
                                            "x-portkey-runtime-version: v20.1\n");
    assert_true(o.portkey);
    assert_text(o.provider, "@prod");
    assert_false(o.provider_by_mode);
    assert_text(o.virtual_key, "vk");
    assert_text(o.config, "{\"retry\":{\"attempts\":1}}");
    assert_text(o.custom_host, "https://h/v1");
    assert_text(o.openai_organization, "org");
    assert_text(o.openai_project, "proj");
    assert_text(o.openai_beta, "beta");
    assert_text(o.cache_namespace, "ns");
    assert_true(o.cache_namespace_given && o.cache_refresh && o.lenient && o.debug_off && o.nitro &&
                o.integrated_models);
    assert_int_equal(o.request_timeout_ms, 1500);
    assert_int_equal(o.audio_duration_ms, 2000);
    assert_text(o.span_name, "step");
    assert_text(o.sdk_version, "portkey-3.1.0");
    assert_text(o.runtime, "node");
    assert_text(o.runtime_version, "v20.1");
}

static void azure_fields_have_places_of_their_own(void **state)
{
    static const struct {
        const char *name;
        size_t at;
    } rows[] = {
        {"resource-name", offsetof(struct config_azure, resource_name)},
        {"deployment-id", offsetof(struct config_azure, deployment_id)},
        {"api-version", offsetof(struct config_azure, api_version)},
        {"model-name", offsetof(struct config_azure, model_name)},
        {"ad-token", offsetof(struct config_azure, ad_token)},
        {"auth-mode", offsetof(struct config_azure, auth_mode)},
        {"managed-client-id", offsetof(struct config_azure, managed_client_id)},
        {"workload-client-id", offsetof(struct config_azure, workload_client_id)},
        {"entra-client-id", offsetof(struct config_azure, entra_client_id)},
        {"entra-client-secret", offsetof(struct config_azure, entra_client_secret)},
        {"entra-tenant-id", offsetof(struct config_azure, entra_tenant_id)},
        {"entra-scope", offsetof(struct config_azure, entra_scope)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[100];
        struct str field;
        snprintf(line, sizeof line, "x-portkey-azure-%s: v%zu\n", rows[i].name, i);
        struct options o = read_options(*state, line);
        memcpy(&field, (const char *)&o.azure + rows[i].at, sizeof field);
        snprintf(line, sizeof line, "v%zu", i);
        assert_text(field, line);
    }
}

static void absent_and_wrong_values_count_as_not_given(void **state)
{
    struct options o = read_options(*state, "x-portkey-request-timeout: soon\n"
                                            "x-portkey-audio-file-duration: -5\n"
                                            "x-portkey-cache-force-refresh: 1\n"
                                            "x-portkey-nitro-mode: yes\n"
                                            "x-portkey-strict-open-ai-compliance: true\n"
                                            "x-portkey-debug: true\n"
                                            "x-portkey-cache: perhaps\n"
                                            "x-portkey-cache-ttl: 600\n"
                                            "x-portkey-virtual-key-details: {\"key\":\"sk\"}\n");
    assert_true(o.portkey);
    assert_int_equal(o.request_timeout_ms, 0);
    assert_int_equal(o.audio_duration_ms, 0);
    assert_false(o.cache_refresh || o.nitro || o.lenient || o.debug_off || o.cache_namespace_given);
    assert_int_equal(o.cache.mode, CONFIG_CACHE_NONE);
    assert_int_equal(o.cache.max_age_s, 0);
    assert_int_equal(o.virtual_key.n, 0);
    o = read_options(*state, "content-type: application/json\n");
    assert_false(o.portkey);
}

static void the_first_of_two_fields_counts(void **state)
{
    struct options o = read_options(*state, "x-portkey-provider: openai\nx-portkey-provider: @b\n"
                                            "x-portkey-config: pc-1\nx-portkey-config: pc-2\n"
                                            "x-portkey-request-timeout: 1\nx-portkey-request-timeout: 2\n");
    assert_text(o.provider, "openai");
    assert_text(o.config, "pc-1");
    assert_int_equal(o.request_timeout_ms, 1);
}

static void the_mode_names_a_provider_only_as_a_last_resort(void **state)
{
    static const struct {
        const char *lines, *provider;
        bool by_mode;
    } rows[] = {
        {"x-portkey-mode: openai\n", "openai", true},
        {"x-portkey-mode: proxy openai\n", "openai", true},
        {"x-portkey-mode: proxy  azure-openai\n", "azure-openai", true},
        {"x-portkey-mode: proxy openai\nx-portkey-provider: @a\n", "@a", false},
        {"x-portkey-provider: @a\nx-portkey-mode: proxy openai\n", "@a", false},
        {"x-portkey-mode: single\nx-portkey-provider:\n", "single", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct options o = read_options(*state, rows[i].lines);
        assert_text(o.provider, rows[i].provider);
        assert_int_equal(o.provider_by_mode, rows[i].by_mode);
    }
}

static void placeholders_and_the_gateway_key_are_no_provider_keys(void **state)
{
    static const struct {
        const char *lines, *own, *withheld;
        bool own_authorization;
    } rows[] = {
        {"Authorization: Bearer sk-real\n", "sk-real", "", true},
        {"Authorization: sk-real\n", "sk-real", "", true},
        {"authorization: bearer   sk-real\n", "sk-real", "", true},
        {"Authorization: Bearer OPENAI_API_KEY\n", "", "authorization", false},
        {"Authorization: OPENAI_API_KEY\n", "", "authorization", false},
        {"Authorization: Bearer DUMMY-KEY\n", "", "authorization", false},
        {"Authorization: Bearer\n", "", "authorization", false},
        {"Authorization:\n", "", "authorization", false},
        {"Authorization: Bearer " GATEWAY_KEY "\n", "", "authorization", false},
        {"Authorization: " GATEWAY_KEY "\n", "", "authorization", false},
        {"Authorization: Basic dXNlcjpw\n", "", "", true},
        {"api-key: az-key\n", "az-key", "", false},
        {"api-key: " GATEWAY_KEY "\n", "", "api-key", false},
        {"api-key: az-key\nAuthorization: Bearer sk-real\n", "sk-real", "", true},
        {"Authorization: Bearer sk-real\nX-API-Key: other\n", "sk-real", "", true},
        {"Authorization: Bearer " GATEWAY_KEY "\nx-api-key: other\n", "other", "authorization", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct options o = read_options(*state, rows[i].lines);
        assert_text(o.own_key, rows[i].own);
        assert_list(&o.withheld, rows[i].withheld);
        assert_int_equal(o.own_authorization, rows[i].own_authorization);
    }
}

static void beta_features_are_joined_and_do_not_pass_by_themselves(void **state)
{
    struct options o = read_options(*state, "OpenAI-Beta: assistants=v2\nopenai-beta: realtime=v1\n");
    assert_text(o.openai_beta, "assistants=v2, realtime=v1");
    assert_list(&o.withheld, "openai-beta");
    o = read_options(*state, "OpenAI-Beta: a\nx-portkey-openai-beta: b\n");
    assert_text(o.openai_beta, "b");
    assert_list(&o.withheld, "openai-beta");
}

static void lists_come_in_three_spellings(void **state)
{
    static const struct {
        const char *value, *list;
    } rows[] = {
        {"X-A, x-b ,X-C", "x-a x-b x-c"},
        {"[\"X-A\",\"x-b\"]", "x-a x-b"},
        {"['X-A', 'X-B']", "x-a x-b"},
        {"[ 'X-A' ]", "x-a"},
        {"[X-A, x-b]", "x-a x-b"},
        {"[]", ""},
        {"[\"\"]", ""},
        {",, ,", ""},
        {"x-a,X-A", "x-a"},
        {"bad name, x:y, good", "good"},
        {"['open", "open"},
        {"[\"a\\\"b\", \"c\"]", "c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config_strings list;
        assert_true(options_list_read(str_c(rows[i].value), false, ((struct bench *)*state)->arena, &list));
        assert_list(&list, rows[i].list);
    }
}

static void camel_names_stand_for_kebab_names_too(void **state)
{
    struct options o = read_options(*state, "x-portkey-forward-headers: xMyHeader, X-Other-H, Authorization\n"
                                            "x-portkey-sensitive-headers: ['xMyHeader']\n");
    assert_list(&o.forward_headers, "xmyheader x-my-header x-other-h authorization");
    assert_list(&o.sensitive_headers, "xmyheader");
}

static void lists_are_bounded(void **state)
{
    char value[4096];
    size_t n = 0;
    struct config_strings list;
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(value + n, sizeof value - n, "x-%d,", i);
    assert_true(options_list_read(str_of(value, n), true, ((struct bench *)*state)->arena, &list));
    assert_int_equal(list.n, OPTIONS_LIST_MAX);
    assert_text(list.list[OPTIONS_LIST_MAX - 1], "x-63");
}

static void the_old_cache_fields_are_read_together(void **state)
{
    static const struct {
        const char *lines;
        enum config_cache_mode mode;
        uint32_t age;
    } rows[] = {
        {"x-portkey-cache: simple\n", CONFIG_CACHE_SIMPLE, CONFIG_CACHE_AGE_DEFAULT_S},
        {"x-portkey-cache: semantic\nx-portkey-cache-ttl: 60\n", CONFIG_CACHE_SEMANTIC, 60},
        {"x-portkey-cache: simple\nx-portkey-cache-ttl: 59\n", CONFIG_CACHE_SIMPLE, CONFIG_CACHE_AGE_DEFAULT_S},
        {"x-portkey-cache: simple\ncache-control: no-store, max-age=300\n", CONFIG_CACHE_SIMPLE, 300},
        {"cache-control: max-age=300\n", CONFIG_CACHE_NONE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct options o = read_options(*state, rows[i].lines);
        assert_int_equal(o.cache.mode, rows[i].mode);
        assert_int_equal(o.cache.max_age_s, rows[i].age);
    }
}

static void baggage_becomes_an_object(void **state)
{
    static const struct {
        const char *value, *json;
    } rows[] = {
        {"a=b,c=d", "{\"a\":\"b\",\"c\":\"d\"}"},
        {" user = al%20ice ; prop=1 , n=1", "{\"user\":\"al ice\",\"n\":\"1\"}"},
        {"q=%22x%22", "{\"q\":\"\\\"x\\\"\"}"},
        {"bad=%zz,good=1", "{\"good\":\"1\"}"},
        {"=x,nothing,a=b,a=c", "{\"a\":\"b\"}"},
        {"", ""},
        {"none", ""},
        {"plus=a+b", "{\"plus\":\"a+b\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[200];
        snprintf(line, sizeof line, "baggage: %s\n", rows[i].value);
        struct options o = read_options(*state, line);
        assert_text(o.baggage_metadata, rows[i].json);
    }
}

static void an_arena_that_is_full_is_told(void **state)
{
    struct bench *b = *state;
    struct options o;
    char lines[3000] = "x-portkey-config: ";
    memset(lines + strlen(lines), 'x', 2000);
    lines[2018] = '\n';
    lines[2019] = '\0';
    parse(b, lines);
    struct arena *small = arena_new(512, 1024);
    assert_false(options_read(&b->head, STR(GATEWAY_KEY), small, &o));
    arena_free(small);
}

static struct str merge(struct bench *b, const char *workspace, const char *key, const char *header,
                        const char *baggage, const char *user, bool *ret_bad)
{
    return options_metadata(str_c(workspace), str_c(key), str_c(header), str_c(baggage), str_c(user), b->arena,
                            ret_bad);
}

static void metadata_of_the_workspace_is_the_strongest(void **state)
{
    bool bad;
    struct str all = merge(*state, "{\"a\":\"w\"}", "{\"a\":\"k\",\"b\":\"k\"}",
                           "{\"a\":\"h\",\"b\":\"h\",\"c\":\"h\"}", "{\"c\":\"g\",\"d\":\"g\"}", "u", &bad);
    assert_false(bad);
    assert_text(all, "{\"a\":\"w\",\"b\":\"k\",\"c\":\"h\",\"d\":\"g\",\"_user\":\"u\"}");
    all = merge(*state, "", "", "{\"_user\":\"given\"}", "", "u", &bad);
    assert_text(all, "{\"_user\":\"given\"}");
    all = merge(*state, "", "", "{\"a\":\"1\",\"a\":\"2\"}", "", "", &bad);
    assert_text(all, "{\"a\":\"2\"}");
    assert_text(merge(*state, "", "", "", "", "", &bad), "");
    assert_text(merge(*state, "", "", "{}", "", "", &bad), "");
    assert_false(bad);
}

static void metadata_that_is_no_object_counts_as_none(void **state)
{
    static const char *const wrong[] = {"{", "[]", "\"x\"", "nonsense", "{\"a\":}", "{\"a\":\"b\"} x", "null"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bool bad = false;
        assert_text(merge(*state, "", "{\"k\":\"1\"}", wrong[i], "", "", &bad), "{\"k\":\"1\"}");
        assert_true(bad);
    }
}

static void metadata_values_are_cut_and_kept_in_kind(void **state)
{
    bool bad;
    char header[1200];
    size_t n = (size_t)snprintf(header, sizeof header, "{\"n\":5,\"t\":true,\"s\":\"");
    for (int i = 0; i < 130; i++)
        n += (size_t)snprintf(header + n, sizeof header - n, "\xc3\xa9");
    snprintf(header + n, sizeof header - n, "\"}");
    struct str all = merge(*state, "", "", header, "", "", &bad);
    assert_true(str_starts(all, STR("{\"n\":5,\"t\":true,\"s\":\"\xc3\xa9")));
    assert_int_equal(all.n, strlen("{\"n\":5,\"t\":true,\"s\":\"\"}") + 128 * 2);
    all = merge(*state, "", "", "{\"e\":\"\\u00e9\\n\"}", "", "", &bad);
    assert_text(all, "{\"e\":\"\xc3\xa9\\n\"}");
}

static void metadata_is_bounded(void **state)
{
    bool bad;
    char header[9000] = "{";
    size_t n = 1;
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(header + n, sizeof header - n, "%s\"k%d\":\"v\"", i ? "," : "", i);
    snprintf(header + n, sizeof header - n, "}");
    struct jdoc doc;
    jdoc_init(&doc);
    assert_true(jdoc_parse(&doc, merge(*state, "", "", header, "", "", &bad)));
    assert_int_equal(jdoc_size(jdoc_root(&doc)), 64);
    jdoc_free(&doc);
    assert_false(bad);
    memset(header, ' ', sizeof header);
    memcpy(header, "{\"a\":\"b\"}", 9);
    header[sizeof header - 1] = '\0';
    assert_text(merge(*state, "", "", header, "", "", &bad), "");
    assert_true(bad);
}

/* Refusals. */

static void assert_refusal(enum refusal which, const char *detail, const char *more, const char *json)
{
    struct buf out;
    buf_init(&out, 8192);
    assert_true(refusal_json(&out, which, str_c(detail), str_c(more)));
    assert_text(buf_str(&out), json);
    buf_free(&out);
}

static void refusals_have_three_shapes(void **state)
{
    (void)state;
    assert_refusal(REFUSAL_KEY_INVALID, "", "",
                   "{\"status\":\"failure\",\"message\":\"Portkey Error: Invalid API Key. Error Code: 03\","
                   "\"error\":{\"message\":\"Portkey Error: Invalid API Key. Error Code: 03\","
                   "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"03\"}}");
    assert_refusal(REFUSAL_UNKNOWN_KEYS, "zz\"", "",
                   "{\"status\":\"failure\",\"message\":\"Following keys are not valid: zz\\\"\","
                   "\"error\":{\"message\":\"Following keys are not valid: zz\\\"\","
                   "\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
    assert_refusal(REFUSAL_TIMEOUT, "500", "",
                   "{\"error\":{\"message\":\"Request exceeded the timeout sent in the request: 500ms\","
                   "\"type\":\"timeout_error\",\"param\":null,\"code\":null}}");
    assert_refusal(REFUSAL_CONFIG_INVALID, "", "\"errors\":[\"path: a, message: b\"]",
                   "{\"status\":\"failure\",\"message\":\"Invalid config passed\","
                   "\"error\":{\"message\":\"Invalid config passed\",\"type\":\"invalid_request_error\","
                   "\"param\":null,\"code\":null},\"errors\":[\"path: a, message: b\"]}");
    assert_refusal(REFUSAL_HOOKS_DENIED, "", "\"hook_results\":{}",
                   "{\"error\":{\"message\":\"The guardrail checks defined in the config failed. You can find more "
                   "information in the `hook_results` object.\",\"type\":\"hooks_failed\",\"param\":null,"
                   "\"code\":null},\"hook_results\":{}}");
}

static void every_refusal_is_json_whatever_its_detail(void **state)
{
    char detail[5000];
    memset(detail, '"', sizeof detail);
    struct bench *b = *state;
    for (int which = 0; which < REFUSAL_COUNT; which++) {
        const struct refusal_info *info = refusal_info((enum refusal)which);
        struct buf out;
        struct jdoc doc;
        buf_init(&out, 65536);
        jdoc_init(&doc);
        assert_true(refusal_json(&out, (enum refusal)which, str_of(detail, sizeof detail), STR("\"more\":1")));
        assert_true(jdoc_parse(&doc, buf_str(&out)));
        struct jval root = jdoc_root(&doc);
        assert_true(info->status >= 400 && info->status < 600);
        assert_int_equal(jdoc_count(jdoc_get(root, "more"), 0), 1);
        assert_true(jdoc_text(jdoc_get(jdoc_get(root, "error"), "message"), b->arena).n > 0);
        assert_int_equal(jdoc_has(jdoc_get(root, "status")), info->family != REFUSAL_FAMILY_TARGET);
        jdoc_free(&doc);
        buf_free(&out);
    }
}

static void a_refusal_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 60);
    assert_true(buf_add_str(&out, STR("before")));
    assert_false(refusal_json(&out, REFUSAL_NO_PROVIDER, STR(""), STR("")));
    assert_text(buf_str(&out), "before");
    buf_free(&out);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(plain_requests_stay_on_the_short_path),
        CASE(every_field_is_read_into_its_place),
        CASE(azure_fields_have_places_of_their_own),
        CASE(absent_and_wrong_values_count_as_not_given),
        CASE(the_first_of_two_fields_counts),
        CASE(the_mode_names_a_provider_only_as_a_last_resort),
        CASE(placeholders_and_the_gateway_key_are_no_provider_keys),
        CASE(beta_features_are_joined_and_do_not_pass_by_themselves),
        CASE(lists_come_in_three_spellings),
        CASE(camel_names_stand_for_kebab_names_too),
        CASE(lists_are_bounded),
        CASE(the_old_cache_fields_are_read_together),
        CASE(baggage_becomes_an_object),
        CASE(an_arena_that_is_full_is_told),
        CASE(metadata_of_the_workspace_is_the_strongest),
        CASE(metadata_that_is_no_object_counts_as_none),
        CASE(metadata_values_are_cut_and_kept_in_kind),
        CASE(metadata_is_bounded),
        CASE(refusals_have_three_shapes),
        CASE(every_refusal_is_json_whatever_its_detail),
        CASE(a_refusal_that_does_not_fit_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
