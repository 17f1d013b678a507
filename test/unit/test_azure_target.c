/* SPDX-License-Identifier: Apache-2.0 */
/* Azure targets: which deployment serves a model, what the body and the price then say, which credential is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "target_bench.h"

#define CHAT "/chat/completions"
#define V "?api-version=" TARGET_DATED
#define AZ "READY https://az.example/openai"
#define AZ_KEY " | api-key: az-key | "
#define AZD "READY https://azd.example/openai/v1"
#define AZD_KEY " | api-key: azd-key | "
#define AZN "READY https://azn.example/openai"
#define AZN_KEY " | api-key: azn-key | "

static void ask(const char *provider, const char *path, const char *model, const char *answer)
{
    target_bench_expect(&(struct target_ask){.headers = provider, .path = path, .model = model}, answer);
}

static void an_alias_finds_its_deployment(void **state)
{
    (void)state;
    const char *az = "x-portkey-provider: @az\n";
    ask(az, CHAT, "gpt-4o", AZ "/deployments/my-4o" CHAT V AZ_KEY " | gpt-4o");
    ask(az, CHAT, "gpt-4o-mini", AZ "/deployments/my-mini" CHAT "?api-version=2025-01-01" AZ_KEY " | gpt-4o-mini-2024");
    ask(az, CHAT, "ft", AZ "/deployments/tuned" CHAT V AZ_KEY " | gpt-4o");
    ask("", CHAT, "@az/gpt-4o", AZ "/deployments/my-4o" CHAT V AZ_KEY "gpt-4o | gpt-4o");
    ask("x-portkey-virtual-key: az\n", "/embeddings", "gpt-4o",
        AZ "/deployments/my-4o/embeddings" V AZ_KEY " | gpt-4o");
    /* What the config puts in place of the model decides. */
    target_bench_expect(
        &(struct target_ask){.config = "{\"provider\":\"@az\",\"override_params\":{\"model\":\"gpt-4o\"}}",
                             .model = "unknown"},
        AZ "/deployments/my-4o" CHAT V AZ_KEY " | gpt-4o");
}

static void without_an_alias_the_default_serves_else_nobody(void **state)
{
    (void)state;
    ask("x-portkey-provider: @az\n", CHAT, "gpt-5", "REFUSED NO_DEPLOYMENT");
    ask("x-portkey-provider: @az\n", CHAT, "", "REFUSED NO_DEPLOYMENT");
    ask("x-portkey-provider: @azd\n", CHAT, "gpt-5", AZD CHAT AZD_KEY "only | gpt-4o");
    ask("x-portkey-provider: @azd\n", CHAT, "gpt-4o", AZD CHAT AZD_KEY "only | gpt-4o");
    ask("x-portkey-provider: @az\n", "/responses", "gpt-5", "REFUSED NO_DEPLOYMENT");
    assert_int_equal(refusal_info(REFUSAL_NO_DEPLOYMENT)->status, 400);
    assert_int_equal(refusal_info(REFUSAL_NO_DEPLOYMENT)->family, REFUSAL_FAMILY_EXCEPTION);
    assert_string_equal(refusal_info(REFUSAL_NO_DEPLOYMENT)->message, "No azure alias passed/default config found");
}

static void an_account_without_a_list_is_asked_by_the_models_name(void **state)
{
    (void)state;
    ask("x-portkey-provider: @azn\n", CHAT, "gpt-4o", AZN "/deployments/gpt-4o" CHAT V AZN_KEY " | ");
    ask("x-portkey-provider: @azn\n", CHAT, "gpt-4o.ft-7", AZN "/deployments/gpt-4o.ft-7" CHAT V AZN_KEY " | gpt-4o");
    ask("x-portkey-provider: @azn\n", CHAT, "", "REFUSED NO_DEPLOYMENT");
}

static void a_deployment_by_its_own_name_needs_no_list(void **state)
{
    (void)state;
    ask("x-portkey-provider: @az\nx-portkey-azure-deployment-id: x1\n", CHAT, "m",
        AZ "/deployments/x1" CHAT V AZ_KEY " | ");
    ask("x-portkey-provider: @az\nx-portkey-azure-deployment-id: my-mini\n", CHAT, "m",
        AZ "/deployments/my-mini" CHAT "?api-version=2025-01-01" AZ_KEY " | gpt-4o-mini-2024");
    ask("x-portkey-provider: @az\nx-portkey-azure-deployment-id: x1\nx-portkey-azure-model-name: gpt-4.1.ft\n", CHAT,
        "m", AZ "/deployments/x1" CHAT V AZ_KEY " | gpt-4.1");
    ask("x-portkey-provider: @az\nx-portkey-azure-api-version: 2030-01-01\n", CHAT, "gpt-4o",
        AZ "/deployments/my-4o" CHAT "?api-version=2030-01-01" AZ_KEY " | gpt-4o");
    ask("x-portkey-provider: @az\nx-portkey-azure-api-version: 2030-01-01\n", CHAT, "gpt-4o-mini", /* its own wins */
        AZ "/deployments/my-mini" CHAT "?api-version=2025-01-01" AZ_KEY " | gpt-4o-mini-2024");
    ask("x-portkey-provider: @az\nx-portkey-azure-api-version: v1\n", CHAT, "gpt-4o",
        AZ "/v1" CHAT AZ_KEY "my-4o | gpt-4o");
}

static void the_body_names_the_deployment_where_azure_reads_it(void **state)
{
    (void)state;
    ask("x-portkey-provider: @az\n", "/responses", "gpt-4o", AZ "/responses" V AZ_KEY "my-4o | gpt-4o");
    ask("x-portkey-provider: @azd\n", "/responses", "gpt-4o", AZD "/responses" AZD_KEY "only | gpt-4o");
    ask("x-portkey-provider: @az\n", "/responses", "", AZ "/responses" V AZ_KEY " | ");
    ask("x-portkey-provider: @az\n", "/files", "", AZ "/files" V AZ_KEY " | ");
    ask("x-portkey-provider: @az\n", "/batches", "", AZ "/batches" V AZ_KEY " | ");
    ask("x-portkey-provider: @azd\n", "/batches", "", AZD "/batches" AZD_KEY " | ");
    ask("x-portkey-provider: @az\n", "/fine_tuning/jobs", "gpt-4o-mini-2024-07-18",
        AZ "/fine_tuning/jobs" V AZ_KEY " | ");
    ask("x-portkey-provider: @azd\n", "/videos", "gpt-4o", AZD "/videos" AZD_KEY "only | gpt-4o");
    ask("x-portkey-provider: @azd\n", "/videos", "sora", AZD "/videos" AZD_KEY " | ");
}

static void realtime_takes_the_model_from_the_query(void **state)
{
    (void)state;
    struct target_ask a = {.method = "GET", .path = "/realtime", .query = "model=@az/gpt-4o", .model = "@az/gpt-4o"};
    target_bench_expect(&a, AZ "/realtime?model=gpt-4o&api-version=" TARGET_DATED "&deployment=my-4o" AZ_KEY
                               "gpt-4o | gpt-4o");
    a.query = "model=gpt-4o";
    a.model = "gpt-4o";
    a.headers = "x-portkey-provider: @azd\nOpenAI-Beta: realtime=v1\n";
    target_bench_expect(&a,
                        AZD "/realtime?model=only&deployment=only | api-key: azd-key; OpenAI-Beta: realtime=v1 |  | "
                            "gpt-4o");
}

#define INLINE                                                                                                          \
    "\"provider\":\"azure-openai\",\"resource_name\":\"res-1\",\"deployment_id\":\"d\",\"api_version\":\"" TARGET_DATED \
    "\""
#define RES "READY https://res-1.openai.azure.com/openai/deployments/d" CHAT V

static void a_config_may_hold_all_of_it(void **state)
{
    (void)state;
    struct target_ask a = {.config = "{" INLINE ",\"api_key\":\"k\"}", .model = "m"};
    target_bench_expect(&a, RES " | api-key: k |  | ");
    a.config = "{" INLINE ",\"api_key\":\"k\",\"azure_ad_token\":\"jwt\"}";
    target_bench_expect(&a, RES " | Authorization: Bearer jwt |  | ");
    a.headers = "OpenAI-Beta: x\n"; /* only with an api-key */
    target_bench_expect(&a, RES " | Authorization: Bearer jwt |  | ");
    a.config = "{" INLINE ",\"azure_ad_token\":\"jwt\",\"forward_headers\":[\"OpenAI-Beta\"]}"; /* or when told to */
    target_bench_expect(&a, RES " | Authorization: Bearer jwt; OpenAI-Beta: x |  | ");
    a.config = "{" INLINE ",\"api_key\":\"k\",\"azure_model_name\":\"gpt-4o\"}";
    target_bench_expect(&a, RES " | api-key: k; OpenAI-Beta: x |  | gpt-4o");
    a.headers = "";
    a.config = "{" INLINE ",\"api_key\":\"k\",\"azure_auth_mode\":\"entra\",\"azure_entra_client_id\":\"c\"}";
    target_bench_expect(&a, RES " | api-key: k |  | "); /* a mode that lacks something is no mode */
    a.config = "{" INLINE ",\"api_key\":\"k\",\"custom_host\":\"http://127.0.0.1:5/openai\"}";
    target_bench_expect(&a, "READY http://127.0.0.1:5/openai/deployments/d" CHAT V " | api-key: k |  | ");
    a.config = "{" INLINE ",\"api_key\":\"k\",\"custom_host\":\"http://127.0.0.1:5\"}";
    target_bench_expect(&a, "READY http://127.0.0.1:5/openai/deployments/d" CHAT V " | api-key: k |  | ");
    a.config = "{" INLINE ",\"api_key\":\"k\",\"custom_host\":\"http://127.0.0.1:5/openai/v1/\"}";
    target_bench_expect(&a, "READY http://127.0.0.1:5/openai/v1" CHAT " | api-key: k | d | ");
    a.config = "{\"provider\":\"azure-openai\",\"api_key\":\"k\"}";
    target_bench_expect(&a, "REFUSED TARGET_BROKEN Provider 'azure-openai' has no host: send "
                            "x-portkey-azure-resource-name or x-portkey-custom-host, or name a stored account as "
                            "'@slug'.");
}

static void a_stored_configs_key_keeps_its_resource(void **state)
{
    (void)state;
    struct target_ask a = {.config = "{" INLINE ",\"azure_ad_token\":\"jwt\"}", .stored = true, .model = "m"};
    a.headers = "x-portkey-azure-resource-name: theirs\n";
    target_bench_expect(&a, RES " | Authorization: Bearer jwt |  | ");
    a.headers = "x-portkey-custom-host: https://h.example/openai\n";
    assert_true(str_starts(str_c(target_bench_ask(&a)), STR("REFUSED UNSUPPORTED")));
}

static void a_token_of_the_callers_own_replaces_a_stored_key(void **state)
{
    (void)state;
    ask("x-portkey-provider: @az\nx-portkey-azure-ad-token: jwt\n", CHAT, "gpt-4o",
        AZ "/deployments/my-4o" CHAT V " | Authorization: Bearer jwt |  | gpt-4o");
}

static void modes_that_are_off_are_refused_in_words(void **state)
{
    (void)state;
    ask("x-portkey-provider: @az\nx-portkey-azure-auth-mode: managed\n", CHAT, "gpt-4o",
        "REFUSED UNSUPPORTED Managed identities are off on this gateway; its operator turns them on with "
        "--azure-metadata-url.");
    ask("x-portkey-provider: @az\nx-portkey-azure-auth-mode: workload\n", CHAT, "gpt-4o",
        "REFUSED UNSUPPORTED This gateway has no workload identity: AZURE_TENANT_ID, AZURE_CLIENT_ID and "
        "AZURE_FEDERATED_TOKEN_FILE are not set.");
    ask("x-portkey-provider: @az\nx-portkey-azure-auth-mode: nonsense\n", CHAT, "gpt-4o",
        AZ "/deployments/my-4o" CHAT V AZ_KEY " | gpt-4o");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, target_bench_open, target_bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_alias_finds_its_deployment),
        CASE(without_an_alias_the_default_serves_else_nobody),
        CASE(an_account_without_a_list_is_asked_by_the_models_name),
        CASE(a_deployment_by_its_own_name_needs_no_list),
        CASE(the_body_names_the_deployment_where_azure_reads_it),
        CASE(realtime_takes_the_model_from_the_query),
        CASE(a_config_may_hold_all_of_it),
        CASE(a_stored_configs_key_keeps_its_resource),
        CASE(a_token_of_the_callers_own_replaces_a_stored_key),
        CASE(modes_that_are_off_are_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
