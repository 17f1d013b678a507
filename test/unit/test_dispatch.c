/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are for a provider, which for the console, and who is shown the catalogue of models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "gateway/dispatch.h"

static enum dispatch of(const char *method, const char *path, const char *fields)
{
    struct http1_field room[HTTP1_FIELDS_MAX];
    struct http1_head head;
    enum err e;
    char text[2048];
    int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, fields);
    if (http1_parse_request(str_of(text, (size_t)n), 0, room, &head, &e) != HTTP1_COMPLETE)
        fail_msg("%s %s is no head", method, path);
    return dispatch_of(&head);
}

static void every_path_goes_where_it_belongs(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        enum dispatch want;
    } rows[] = {
        {"POST", "/v1/chat/completions", DISPATCH_INFERENCE},
        {"POST", "/v1/completions", DISPATCH_INFERENCE},
        {"GET", "/v1/containers", DISPATCH_INFERENCE},
        {"GET", "/v1/conversations/c1/items", DISPATCH_INFERENCE},
        {"POST", "/v1/audio/speech", DISPATCH_INFERENCE},
        {"GET", "/v1/assistants", DISPATCH_INFERENCE},
        {"GET", "/v1/files", DISPATCH_INFERENCE},
        {"POST", "/v1/fine_tuning/jobs", DISPATCH_INFERENCE},
        {"POST", "/v1/images/generations", DISPATCH_INFERENCE},
        {"POST", "/v1/moderations", DISPATCH_INFERENCE},
        {"GET", "/v1/organization/costs", DISPATCH_INFERENCE},
        {"POST", "/v1/proxy/logs", DISPATCH_INFERENCE},
        {"GET", "/v1/vector_stores", DISPATCH_INFERENCE},
        {"GET", "/v1/videos", DISPATCH_INFERENCE},
        {"GET", "/v1/models/gpt-4o", DISPATCH_INFERENCE},
        {"DELETE", "/v1/models/ft:gpt-4o", DISPATCH_INFERENCE},
        {"GET", "/v1/something-new", DISPATCH_INFERENCE},
        {"GET", "/v1/configsx", DISPATCH_INFERENCE},
        {"GET", "/v1/config", DISPATCH_INFERENCE},
        {"GET", "/v1//x", DISPATCH_INFERENCE},
        {"GET", "/v1/configs", DISPATCH_ADMIN},
        {"GET", "/v1/configs?page_size=1", DISPATCH_ADMIN},
        {"PUT", "/v1/configs/pc-1", DISPATCH_ADMIN},
        {"GET", "/v1/v1/configs", DISPATCH_ADMIN},
        {"POST", "/v1/v1/chat/completions", DISPATCH_INFERENCE},
        {"POST", "/v1/api-keys/workspace/service", DISPATCH_ADMIN},
        {"GET", "/v1/virtual-keys", DISPATCH_ADMIN},
        {"GET", "/v1/providers", DISPATCH_ADMIN},
        {"GET", "/v1/integrations/x/models", DISPATCH_ADMIN},
        {"GET", "/v1/admin/users", DISPATCH_ADMIN},
        {"GET", "/v1/analytics/graphs/cost", DISPATCH_ADMIN},
        {"GET", "/v1/guardrails", DISPATCH_ADMIN},
        {"GET", "/v1/policies/usage-limits", DISPATCH_ADMIN},
        {"GET", "/v1/logs/abc", DISPATCH_ADMIN},
        {"POST", "/v1/logs/exports", DISPATCH_ADMIN},
        {"POST", "/v1/logs", DISPATCH_APP},
        {"POST", "/v1/feedback", DISPATCH_APP},
        {"PUT", "/v1/feedback/f1", DISPATCH_APP},
        {"POST", "/v1/otel/v1/traces", DISPATCH_APP},
        {"GET", "/model-configs/pricing/openai/gpt-4o", DISPATCH_APP},
        {"GET", "/v1/health", DISPATCH_PROBE},
        {"GET", "/livez", DISPATCH_PROBE},
        {"GET", "/readyz", DISPATCH_PROBE},
        {"GET", "/v1", DISPATCH_ADMIN},
        {"GET", "/v1/", DISPATCH_ADMIN},
        {"GET", "/metrics", DISPATCH_ADMIN},
        {"GET", "/", DISPATCH_ADMIN},
        {"GET", "/v10/chat/completions", DISPATCH_ADMIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (of(rows[i].method, rows[i].path, "") != rows[i].want)
            fail_msg("%s %s", rows[i].method, rows[i].path);
}

static void the_catalogue_is_for_portkeys_clients_without_a_provider(void **state)
{
    (void)state;
#define SDK "x-portkey-package-version: portkey-3.1.0\r\n"
    static const struct {
        const char *fields;
        enum dispatch want;
    } rows[] = {
        {"", DISPATCH_INFERENCE},
        {"Authorization: Bearer x\r\n", DISPATCH_INFERENCE},
        {"x-portkey-trace-id: t\r\n", DISPATCH_INFERENCE},
        {"x-portkey-api-key: k\r\n", DISPATCH_APP},
        {SDK, DISPATCH_APP},
        {SDK "X-Portkey-Provider: @a\r\n", DISPATCH_INFERENCE},
        {SDK "x-portkey-virtual-key: a\r\n", DISPATCH_INFERENCE},
        {SDK "x-portkey-config: pc-1\r\n", DISPATCH_INFERENCE},
        {SDK "x-portkey-mode: openai\r\n", DISPATCH_INFERENCE},
        {SDK "x-portkey-provider:\r\n", DISPATCH_APP},
        {"x-portkey-fetch-integrated-models: true\r\nx-portkey-provider: @a\r\n", DISPATCH_APP},
        {"x-portkey-provider: @a\r\nx-portkey-fetch-integrated-models: true\r\n", DISPATCH_APP},
        {"x-portkey-fetch-integrated-models: false\r\nx-portkey-provider: @a\r\n", DISPATCH_INFERENCE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (of("GET", "/v1/models", rows[i].fields) != rows[i].want)
            fail_msg("row %zu", i);
        assert_int_equal(of("GET", "/v1/models?limit=1", rows[i].fields), rows[i].want);
        assert_int_equal(of("POST", "/v1/models", rows[i].fields), DISPATCH_INFERENCE);
        assert_int_equal(of("GET", "/v1/models/x", rows[i].fields), DISPATCH_INFERENCE);
    }
}

static void a_chat_is_known_in_no_time(void **state)
{
    (void)state;
    enum { ROUNDS = 1000000 };
    struct http1_head head = {.method = STR("POST"), .path = STR("/v1/chat/completions")};
    unsigned seen = 0;
    uint64_t begun = clock_mono_us();
    for (int i = 0; i < ROUNDS; i++) {
        __asm__ volatile("" : : "r"(&head) : "memory");
        seen += dispatch_of(&head) == DISPATCH_INFERENCE;
    }
    uint64_t took_us = clock_mono_us() - begun;
    assert_int_equal(seen, ROUNDS);
    print_message("%.1f ns a chat\n", (double)took_us * 1000 / ROUNDS);
    assert_true(took_us < 1000000); /* a microsecond, sanitizers included */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_goes_where_it_belongs),
        cmocka_unit_test(the_catalogue_is_for_portkeys_clients_without_a_provider),
        cmocka_unit_test(a_chat_is_known_in_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
