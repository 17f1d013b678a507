/* SPDX-License-Identifier: Apache-2.0 */
/* Where an attempt goes: whose account, which host, what stands in the head, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "target_bench.h"

#define CHAT "/chat/completions"
#define OPENAI "READY https://openai.example/v1" CHAT " | Authorization: Bearer sk-openai-key; "
#define ORG "OpenAI-Organization: org-stored; OpenAI-Project: p"
#define A "READY https://a.example/v1" CHAT " | Authorization: Bearer sk-a-key | "
#define B "READY http://b.example:8080/deep/v1" CHAT " | Authorization: Bearer sk-b-key | "

static void expect(const char *headers, const char *config, const char *model, const char *answer)
{
    target_bench_expect(&(struct target_ask){.headers = headers, .config = config, .model = model}, answer);
}

static void the_request_names_its_account_in_a_fixed_order(void **state)
{
    (void)state;
    expect("", NULL, "gpt-4o", OPENAI ORG " |  | ");
    expect("x-portkey-provider: @a\n", NULL, "gpt-4o", A " | ");
    expect("x-portkey-provider: @a/gpt-4o\n", NULL, "gpt-4o", A " | ");
    expect("x-portkey-virtual-key: b\n", NULL, "gpt-4o", B " | ");
    expect("x-portkey-virtual-key: @b\n", NULL, "gpt-4o", B " | ");
    expect("", NULL, "@b/gpt-4o", B "gpt-4o | ");
    expect("", NULL, "@b/org/model:1", B "org/model:1 | ");
    expect("x-portkey-provider: @a\nx-portkey-virtual-key: b\n", NULL, "@nobody/m", A "m | ");
    expect("x-portkey-virtual-key: b\n", NULL, "@nobody/m", B "m | ");
    expect("x-portkey-provider: openai\nx-portkey-virtual-key: b\n", NULL, "m", B " | ");
    expect("x-portkey-provider: openai\n", NULL, "@a/m", A "m | ");
    expect("x-portkey-provider: openai\n", NULL, "m", OPENAI ORG " |  | ");
    expect("x-portkey-mode: proxy openai\n", NULL, "m", OPENAI ORG " |  | ");
    expect("x-portkey-mode: single\n", NULL, "m", OPENAI ORG " |  | ");
    expect("x-portkey-mode: proxy @a\n", NULL, "m", A " | ");
    expect("x-portkey-mode: openai\n", NULL, "@b/m", B "m | ");
}

static void models_that_only_look_like_slugs_pass_as_they_are(void **state)
{
    (void)state;
    static const char *const names[] = {"@cf/meta/x", "@hf/org/x", "@a", "@/x", "@a/", "a/b", "", "@"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        expect("", NULL, names[i], OPENAI ORG " |  | ");
    struct str slug, model;
    assert_true(target_split_model(STR("@s/m"), &slug, &model));
    assert_true(str_eq(slug, STR("s")) && str_eq(model, STR("m")));
}

static void unknown_and_unusable_accounts_are_refused(void **state)
{
    (void)state;
    expect("x-portkey-virtual-key: zz\n", NULL, "m", "REFUSED UNKNOWN_KEYS zz");
    expect("x-portkey-provider: @zz/m\n", NULL, "m", "REFUSED UNKNOWN_KEYS zz");
    expect("", NULL, "@zz/m", "REFUSED UNKNOWN_KEYS zz");
    expect("", "{\"provider\":\"@zz\"}", "m", "REFUSED UNKNOWN_KEYS zz");
    expect("x-portkey-provider: nope\n", NULL, "m", "REFUSED BAD_PROVIDER");
    expect("x-portkey-provider: anthropic\n", NULL, "m", "REFUSED BAD_PROVIDER");
    expect("x-portkey-provider: @broken\n", NULL, "m",
           "REFUSED TARGET_BROKEN The stored key of '@broken' cannot be read; an admin must connect it again.");
    expect("x-portkey-provider: @admin\n", NULL, "m",
           "REFUSED TARGET_BROKEN The account '@admin' only reads usage and bills; name one that serves requests.");
}

static void without_any_account_the_request_is_told_so(void **state)
{
    (void)state;
    struct target_ask ask = {.workspace = "bare", .model = "m"};
    target_bench_expect(&ask, "REFUSED NO_PROVIDER");
    ask.config = "{\"retry\":{\"attempts\":1}}";
    target_bench_expect(&ask, "REFUSED CONFIG_WITHOUT_PROVIDER");
    ask.config = NULL;
    ask.headers = "x-portkey-mode: proxy\n";
    target_bench_expect(&ask, "REFUSED NO_PROVIDER");
    ask.headers = "x-portkey-provider: openai\n";
    target_bench_expect(&ask, "REFUSED TARGET_BROKEN There is no key for provider 'openai': send one in Authorization, "
                              "name a stored account as '@slug', or let an admin run 'tollgate connect openai'.");
    ask.headers = "x-portkey-provider: openai\nAuthorization: sk-mine\n";
    target_bench_expect(&ask, "READY https://api.openai.com/v1" CHAT " | Authorization: Bearer sk-mine |  | ");
    ask.headers = "x-portkey-mode: openai\nAuthorization: Bearer sk-mine\n";
    target_bench_expect(&ask, "READY https://api.openai.com/v1" CHAT " | Authorization: Bearer sk-mine |  | ");
    ask.headers = "x-portkey-provider: @openai\n"; /* another workspace's */
    target_bench_expect(&ask, "REFUSED UNKNOWN_KEYS openai");
}

static void the_callers_own_key_goes_where_the_workspace_says_the_provider_is(void **state)
{
    (void)state;
    expect("x-portkey-provider: openai\nAuthorization: Bearer sk-mine\nOpenAI-Organization: org-mine\n", NULL, "m",
           "READY https://openai.example/v1" CHAT
           " | Authorization: Bearer sk-mine; OpenAI-Organization: org-mine |  | ");
    assert_null(target_bench_result.target.integration);
    /* Placeholders and the gateway's key are none; what stands in OpenAI-Organization has no say over a stored key. */
    expect("x-portkey-provider: openai\nAuthorization: Bearer OPENAI_API_KEY\nOpenAI-Organization: org-mine\n", NULL,
           "m", OPENAI ORG " |  | ");
    expect("x-portkey-provider: openai\nAuthorization: Bearer tg-key\n", NULL, "m", OPENAI ORG " |  | ");
    /* A stored account named by the request uses its own key. */
    expect("x-portkey-provider: @a\nAuthorization: Bearer sk-mine\n", NULL, "m", A " | ");
    expect("Authorization: Bearer sk-mine\n", NULL, "m", OPENAI ORG " |  | ");
    expect("x-portkey-provider: azure-openai\napi-key: az-mine\nx-portkey-azure-resource-name: res\n"
           "x-portkey-azure-deployment-id: d\nx-portkey-azure-api-version: " TARGET_DATED "\n",
           NULL, "gpt-4o",
           "READY https://res.openai.azure.com/openai/deployments/d" CHAT "?api-version=" TARGET_DATED
           " | api-key: az-mine |  | ");
}

static void a_configs_target_is_stronger_than_the_request(void **state)
{
    (void)state;
    const char *both = "x-portkey-provider: @b\n";
    expect(both, "{\"provider\":\"@a\"}", "@b/m", A "m | ");
    expect(both, "{\"virtual_key\":\"a\"}", "m", A " | ");
    expect(both, "{\"override_params\":{\"model\":\"@a/x\"},\"retry\":{\"attempts\":1}}", "@b/m", A "x | ");
    expect(both, "{\"provider\":\"@a\",\"virtual_key\":\"b\",\"override_params\":{\"model\":\"@c/x\"}}", "m", A "x | ");
    expect(both, "{\"retry\":{\"attempts\":1}}", "m", B " | ");
    expect("", "{\"provider\":\"@a\",\"override_params\":{\"model\":\"x\"}}", "@b/m", A " | ");
    expect("", "{\"provider\":\"@a\",\"default_params\":{\"model\":\"@b/x\"}}", "", A "x | ");
    expect("", "{\"provider\":\"openai\",\"api_key\":\"sk-conf\"}", "m",
           "READY https://openai.example/v1" CHAT " | Authorization: Bearer sk-conf |  | ");
    expect("", "{\"provider\":\"openai\",\"api_key\":\"sk-conf\"}", "@b/m",
           "READY https://openai.example/v1" CHAT " | Authorization: Bearer sk-conf | m | ");
    /* A bare name without a key: the account that the request names, if it is of the kind. */
    expect(both, "{\"provider\":\"openai\",\"retry\":{\"attempts\":1}}", "m", B " | ");
    expect("x-portkey-provider: @az\n", "{\"provider\":\"openai\",\"retry\":{\"attempts\":1}}", "m",
           OPENAI ORG " |  | ");
    /* The caller's key is for the provider he named, not for another one of a config. */
    expect(
        "x-portkey-provider: openai\nAuthorization: Bearer sk-mine\n",
        "{\"strategy\":{\"mode\":\"fallback\"},\"targets\":[{\"provider\":\"openai-compatible\",\"retry\":{\"attempts\":1}}]}",
        "m",
        "REFUSED TARGET_BROKEN There is no key for provider 'openai-compatible': send one in Authorization, name a "
        "stored account as '@slug', or let an admin run 'tollgate connect openai-compatible'.");
}

static void organization_project_and_beta_come_from_header_config_account(void **state)
{
    (void)state;
    expect("x-portkey-openai-organization: org-h\nx-portkey-openai-beta: assistants=v2\n", NULL, "m",
           OPENAI "OpenAI-Organization: org-h; OpenAI-Project: p; OpenAI-Beta: assistants=v2 |  | ");
    expect("", "{\"provider\":\"@openai\",\"openai_organization\":\"org-c\",\"openai_project\":\"p-c\"}", "m",
           OPENAI "OpenAI-Organization: org-c; OpenAI-Project: p-c |  | ");
    expect("x-portkey-openai-project: p-h\n", "{\"provider\":\"@openai\",\"openai_project\":\"p-c\"}", "m",
           OPENAI "OpenAI-Organization: org-stored; OpenAI-Project: p-h |  | ");
    expect("openai-beta: realtime=v1\n", NULL, "m", OPENAI ORG "; OpenAI-Beta: realtime=v1 |  | ");
}

static void a_query_loses_the_slug_of_its_model(void **state)
{
    (void)state;
    struct target_ask ask = {.method = "GET", .path = "/realtime", .model = "@a/rt"};
    ask.query = "x=1&model=%40a%2Frt&y=%20";
    target_bench_expect(&ask, "READY https://a.example/v1/realtime?x=1&model=rt&y=%20 | Authorization: Bearer sk-a-key "
                              "| rt | ");
    ask.query = "model=@a/rt";
    target_bench_expect(&ask, "READY https://a.example/v1/realtime?model=rt | Authorization: Bearer sk-a-key | rt | ");
    ask.query = "";
    ask.model = "";
    ask.headers = "x-portkey-provider: @a\n";
    ask.path = "/models";
    target_bench_expect(&ask, "READY https://a.example/v1/models | Authorization: Bearer sk-a-key |  | ");
    ask.query = "limit=1&after=%2F";
    target_bench_expect(&ask,
                        "READY https://a.example/v1/models?limit=1&after=%2F | Authorization: Bearer sk-a-key |  | ");
}

/* Custom hosts. */

#define OWN "x-portkey-provider: openai\nAuthorization: Bearer sk-mine\n"

static void custom_hosts_replace_the_providers_own(void **state)
{
    (void)state;
    expect(OWN "x-portkey-custom-host: https://h.example:8443/deep/v1\n", NULL, "m",
           "READY https://h.example:8443/deep/v1" CHAT " | Authorization: Bearer sk-mine |  | ");
    expect(OWN "x-portkey-custom-host: http://127.0.0.1:9/v1/\n", NULL, "m",
           "READY http://127.0.0.1:9/v1" CHAT " | Authorization: Bearer sk-mine |  | ");
    expect(OWN "x-portkey-custom-host: http://localhost:9/v1\n", NULL, "m",
           "READY http://localhost:9/v1" CHAT " | Authorization: Bearer sk-mine |  | ");
    expect("", "{\"provider\":\"openai\",\"api_key\":\"k\",\"custom_host\":\"https://conf.example/v1\"}", "m",
           "READY https://conf.example/v1" CHAT " | Authorization: Bearer k |  | ");
    expect("x-portkey-custom-host: https://head.example/v1\n",
           "{\"provider\":\"openai\",\"api_key\":\"k\",\"custom_host\":\"https://conf.example/v1\"}", "m",
           "READY https://head.example/v1" CHAT " | Authorization: Bearer k |  | ");
    /* A host of the caller's without a key: nothing is sent that is not his. */
    expect("x-portkey-provider: openai\nx-portkey-custom-host: https://h.example/v1\n", NULL, "m",
           "READY https://h.example/v1" CHAT " |  |  | ");
    expect("x-portkey-custom-host: https://h.example/v1\n", NULL, "m", "READY https://h.example/v1" CHAT " |  |  | ");
    expect("x-portkey-provider: openai-compatible\nx-portkey-custom-host: https://h.example\n", NULL, "m",
           "READY https://h.example" CHAT " |  |  | ");
}

static void stored_secrets_go_to_their_own_hosts_only(void **state)
{
    (void)state;
    const char *refused =
        "REFUSED UNSUPPORTED The stored key of '@a' is for a.example and is not sent to another custom "
        "host; store an account with that base URL, or send its key in Authorization with a "
        "provider's name.";
    expect("x-portkey-provider: @a\nx-portkey-custom-host: https://h.example/v1\n", NULL, "m", refused);
    expect("x-portkey-provider: @a\nx-portkey-custom-host: http://a.example/v1\n", NULL, "m", refused);
    expect("x-portkey-provider: @a\nx-portkey-custom-host: https://a.example:444/v1\n", NULL, "m", refused);
    expect("", "{\"provider\":\"@a\",\"custom_host\":\"https://h.example/v1\"}", "m", refused);
    expect("x-portkey-provider: @a\nx-portkey-custom-host: https://A.example/other/v1\n", NULL, "m",
           "READY https://a.example/other/v1" CHAT " | Authorization: Bearer sk-a-key |  | ");
    expect("x-portkey-custom-host: https://openai.example/v2\n", NULL, "m",
           "READY https://openai.example/v2" CHAT " | Authorization: Bearer sk-openai-key; " ORG " |  | ");
    /* What stands in a stored config is not the caller's, who may not have it sent to himself. */
    struct target_ask ask = {.stored = true, .model = "m"};
    ask.config = "{\"provider\":\"openai\",\"api_key\":\"k\",\"custom_host\":\"https://conf.example/v1\"}";
    target_bench_expect(&ask, "READY https://conf.example/v1" CHAT " | Authorization: Bearer k |  | ");
    ask.headers = "x-portkey-custom-host: https://conf.example/v2\n";
    target_bench_expect(&ask, "READY https://conf.example/v2" CHAT " | Authorization: Bearer k |  | ");
    ask.headers = "x-portkey-custom-host: https://head.example/v1\n";
    target_bench_expect(&ask, "REFUSED UNSUPPORTED A key that stands in a stored config is not sent to a custom host "
                              "named by the request; put custom_host into the config, or send the key in "
                              "Authorization.");
}

static void hosts_that_lead_inside_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "http://169.254.169.254/v1",
        "http://10.0.0.1/v1",
        "http://172.16.0.1",
        "http://192.168.1.1",
        "http://100.64.0.1",
        "http://0.0.0.0",
        "http://224.0.0.1",
        "http://0x7f000001/v1",
        "http://2130706433/v1",
        "http://127.1/v1",
        "http://017700000001/v1",
        "http://user@host/v1",
        "http://user:pw@host/v1",
        "ftp://host/v1",
        "file:///etc/passwd",
        "host/v1",
        "https://",
        "https://host:0/v1",
        "https://host:65536/v1",
        "https://host./v1",
        "https://ho%73t/v1",
        "https://host/v1?x=1",
        "https://host/v1#f",
        "https://host/../v1",
        "http://[::1]/v1",
        "http://[fd00::1]/v1",
        "http://[fe80::1]/v1",
        "http://[::ffff:10.0.0.1]/v1",
        "http://metadata/v1",
        "http://metadata.google.internal/v1",
        "http://METADATA.azure.com/v1",
        "http://instance-data/v1",
        "http://a.invalid/v1",
        "http://a.onion/v1",
        "http://1.2.3.4.5.6.7.8.9.10.example/v1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char headers[300], config[300];
        snprintf(headers, sizeof headers, OWN "x-portkey-custom-host: %s\n", bad[i]);
        expect(headers, NULL, "m", "REFUSED BAD_HOST");
        snprintf(config, sizeof config, "{\"provider\":\"openai\",\"api_key\":\"k\",\"custom_host\":\"%s\"}", bad[i]);
        expect("", config, "m", "REFUSED BAD_HOST");
        snprintf(headers, sizeof headers, "x-portkey-provider: @a\nx-portkey-custom-host: %s\n", bad[i]);
        expect(headers, NULL, "m", "REFUSED BAD_HOST");
    }
}

/* Forwarded headers. */

static void forwarded_credentials_stand_in_for_ours(void **state)
{
    (void)state;
    const struct target *t = &target_bench_result.target;
    expect("Authorization: Bearer jwt\nx-portkey-forward-headers: Authorization, X-Mine\n", NULL, "m",
           "READY https://openai.example/v1" CHAT " | " ORG " |  | ");
    assert_int_equal(t->forward_headers[0]->n, 2);
    expect("Authorization: Basic dXNlcjpw\n",
           "{\"provider\":\"openai\",\"custom_host\":\"https://h.example/v1\",\"forward_headers\":[\"Authorization\"]}",
           "m", "READY https://h.example/v1" CHAT " |  |  | ");
    /* Ours never is: then the list does not name it, and the stored key is used. */
    expect("Authorization: Bearer tg-key\nx-portkey-forward-headers: Authorization\n", NULL, "m", OPENAI ORG " |  | ");
    assert_null(t->forward_headers[0]);
    expect("Authorization: Bearer OPENAI_API_KEY\n",
           "{\"provider\":\"@a\",\"forward_headers\":[\"Authorization\",\"x-b\"]}", "m", A " | ");
    assert_int_equal(t->forward_headers[0]->n, 1);
    expect("x-portkey-api-key: tg-key\nx-portkey-forward-headers: x-portkey-api-key, Host, Cookie, "
           "Sec-WebSocket-Protocol, X-Tollgate-A, Accept-Encoding, x-mine\n",
           NULL, "m", OPENAI ORG " |  | ");
    assert_int_equal(t->forward_headers[0]->n, 1);
    assert_true(str_eq(t->forward_headers[0]->list[0], STR("x-mine")));
    /* The header's list replaces the config's. */
    expect("x-portkey-forward-headers: x-h\n", "{\"provider\":\"@a\",\"forward_headers\":[\"x-c\"]}", "m", A " | ");
    assert_true(str_eq(t->forward_headers[0]->list[0], STR("x-h")));
    expect("Authorization: Bearer jwt\nx-portkey-forward-headers: Authorization\nx-portkey-provider: @az\n", NULL,
           "gpt-4o",
           "READY https://az.example/openai/deployments/my-4o" CHAT "?api-version=" TARGET_DATED " |  |  | gpt-4o");
}

static void a_resource_name_is_no_way_to_another_host(void **state)
{
    (void)state;
    static const char *const names[] = {"evil.example/x", "evil.example#", "a@b", "a:1", "a b", "-"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char config[300];
        snprintf(config, sizeof config, "{\"provider\":\"azure-openai\",\"api_key\":\"k\",\"resource_name\":\"%s\"}",
                 names[i]);
        const char *got = target_bench_ask(&(struct target_ask){.config = config, .model = "m"});
        if (!str_starts(str_c(got), STR("REFUSED")))
            fail_msg("%s: %s", names[i], got);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, target_bench_open, target_bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_request_names_its_account_in_a_fixed_order),
        CASE(models_that_only_look_like_slugs_pass_as_they_are),
        CASE(unknown_and_unusable_accounts_are_refused),
        CASE(without_any_account_the_request_is_told_so),
        CASE(the_callers_own_key_goes_where_the_workspace_says_the_provider_is),
        CASE(a_configs_target_is_stronger_than_the_request),
        CASE(organization_project_and_beta_come_from_header_config_account),
        CASE(a_query_loses_the_slug_of_its_model),
        CASE(custom_hosts_replace_the_providers_own),
        CASE(stored_secrets_go_to_their_own_hosts_only),
        CASE(hosts_that_lead_inside_are_refused),
        CASE(forwarded_credentials_stand_in_for_ours),
        CASE(a_resource_name_is_no_way_to_another_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
