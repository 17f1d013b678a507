/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of Azure: what is asked, how long an answer is good, who waits for whom, and what errors say. */
#include "client_rig.h"
#include "target_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/target/azure_token.h"
#include "net/resolve.h"

#define WAITS 8
#define MINUTE (60 * SECOND)

static struct azure_tokens *tokens;
static struct azure_token_wait waits[WAITS];
static char url[64], token_file[256];

static int token_open(void **state)
{
    client_open(state);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", client.up.port);
    const char *folder = getenv("TMPDIR");
    snprintf(token_file, sizeof token_file, "%s/tollgate-token-XXXXXX", folder ? folder : P_tmpdir);
    int fd = mkstemp(token_file);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    fputs("the-assertion\n", f);
    fclose(f);
    tokens = azure_tokens_new(rig.loop, client.http,
                              &(struct azure_tokens_settings){.entra_url = str_c(url),
                                                              .metadata_url = str_c(url),
                                                              .workload_tenant = STR("wt"),
                                                              .workload_client_id = STR("wc"),
                                                              .workload_token_file = str_c(token_file)});
    return 0;
}

static int token_close(void **state)
{
    azure_tokens_free(tokens);
    unlink(token_file);
    return client_close(state);
}

static struct azure_token_want entra(const char *client_id)
{
    return (struct azure_token_want){.mode = AZURE_TOKEN_ENTRA,
                                     .tenant = STR("ten ant"),
                                     .client_id = str_c(client_id),
                                     .client_secret = STR("s&cret-1")};
}

static void on_token(struct azure_token_wait *w, enum err e, struct str why)
{
    rig_say("%d:%s %.*s;", (int)(w - waits), e ? err_info(e)->code : "ok", STR_ARG(why));
}

static void await(int i, const struct azure_token_want *want)
{
    waits[i].on_token = on_token;
    azure_token_await(tokens, want, &waits[i]);
}

/* Upstream's end of the next fetch, with its request read. */
static int asked(const char *until, const char **ret_request)
{
    int fd = peer_accept(client.up.listening);
    const char *request = peer_read(fd, until);
    if (ret_request)
        *ret_request = request;
    return fd;
}

static void answer(int fd, int status, const char *body)
{
    char text[4096];
    snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             status, strlen(body), body);
    peer_send(fd, text);
}

static void assert_token(const struct azure_token_want *want, const char *expected)
{
    struct str token = azure_token_find(tokens, want);
    if (!str_eq(token, str_c(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(token), expected);
}

static void check_request(const char *request, const char *head, const char *body)
{
    char host[80];
    snprintf(host, sizeof host, "Host: 127.0.0.1:%u\r\n", client.up.port);
    if (strncmp(request, head, strlen(head)) != 0)
        fail_msg("not asked like that: %s", request);
    assert_non_null(strstr(request, host));
    const char *end = strstr(request, "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end + 4, body);
}

static void one_fetch_serves_all_who_wait(void **state)
{
    (void)state;
    const char *request;
    struct azure_token_want want = entra("client");
    assert_token(&want, "");
    await(0, &want);
    await(1, &want);
    int fd = asked(".default", &request);
    check_request(request, "POST /ten%20ant/oauth2/v2.0/token HTTP/1.1\r\n",
                  "client_id=client&client_secret=s%26cret-1&grant_type=client_credentials&scope="
                  "https%3A%2F%2Fcognitiveservices.azure.com%2F.default");
    await(2, &want);
    rig_expect_not("ok");
    answer(fd, 200, "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"jwt-1\"}");
    rig_expect("0:ok ;1:ok ;2:ok ;");
    assert_token(&want, "jwt-1");
    client_expect_pool(1, 1); /* one connection, one call */
    peer_close(fd);
}

static void a_token_is_used_until_shortly_before_its_end(void **state)
{
    (void)state;
    struct azure_token_want hour = entra("hour"), brief = entra("brief");
    await(0, &hour);
    int fd = asked(".default", NULL);
    answer(fd, 200, "{\"expires_in\":3600,\"access_token\":\"a\"}");
    rig_expect("0:ok");
    await(1, &brief);
    peer_read(fd, ".default");
    answer(fd, 200, "{\"expires_in\":\"200\",\"access_token\":\"b\"}"); /* as the metadata service spells it */
    rig_expect("1:ok");
    rig_wait_us(99 * SECOND);
    assert_token(&brief, "b");
    rig_wait_us(2 * SECOND);
    assert_token(&brief, "");
    assert_token(&hour, "a");
    rig_wait_us(53 * MINUTE);
    assert_token(&hour, "a");
    rig_wait_us(MINUTE);
    assert_token(&hour, "");
    peer_close(fd);
}

static void an_old_token_is_fetched_again(void **state)
{
    (void)state;
    struct azure_token_want want = entra("again");
    for (int i = 0; i < 3; i++) {
        char body[100], expected[20];
        await(0, &want);
        int fd = asked(".default", NULL);
        snprintf(expected, sizeof expected, "jwt-%d", i);
        snprintf(body, sizeof body, "{\"expires_in\":600,\"access_token\":\"%s\"}", expected);
        answer(fd, 200, body);
        rig_expect("0:ok");
        rig_forget();
        assert_token(&want, expected);
        peer_close(fd);
        rig_wait_us(10 * MINUTE);
        assert_token(&want, "");
    }
}

static void whatever_is_asked_with_tells_tokens_apart(void **state)
{
    (void)state;
    struct azure_token_want want = entra("one"), other;
    await(0, &want);
    int fd = asked(".default", NULL);
    answer(fd, 200, "{\"expires_in\":3600,\"access_token\":\"a\"}");
    rig_expect("0:ok");
    other = want;
    other.tenant = STR("ten");
    assert_token(&other, "");
    other = want;
    other.client_secret = STR("another");
    assert_token(&other, "");
    other = want;
    other.scope = STR("https://other/.default");
    assert_token(&other, "");
    other = (struct azure_token_want){.mode = AZURE_TOKEN_ENTRA,
                                      .tenant = STR("ten anto"), /* the same bytes, cut elsewhere */
                                      .client_id = STR("ne"),
                                      .client_secret = want.client_secret};
    assert_token(&other, "");
    assert_token(&want, "a");
    peer_close(fd);
}

static void the_metadata_service_is_asked_for_the_machines_own(void **state)
{
    (void)state;
    const char *request;
    struct azure_token_want want = {.mode = AZURE_TOKEN_MANAGED};
    await(0, &want);
    int fd = asked("\r\n\r\n", &request);
    check_request(request,
                  "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource="
                  "https%3A%2F%2Fcognitiveservices.azure.com%2F HTTP/1.1\r\n",
                  "");
    assert_non_null(strstr(request, "\r\nMetadata: true\r\n"));
    answer(fd, 200, "{\"expires_in\":\"86399\",\"access_token\":\"m\"}");
    rig_expect("0:ok");
    assert_token(&want, "m");
    want.client_id = STR("id-1");
    want.scope = STR("https://other.example/.default");
    await(1, &want);
    request = peer_read(fd, "\r\n\r\n");
    check_request(request,
                  "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource="
                  "https%3A%2F%2Fother.example%2F&client_id=id-1 HTTP/1.1\r\n",
                  "");
    peer_close(fd);
    rig_expect("1:upstream");
}

static void a_workload_shows_its_file(void **state)
{
    (void)state;
    const char *request;
    struct azure_token_want want = {.mode = AZURE_TOKEN_WORKLOAD};
    await(0, &want);
    int fd = asked(".default", &request);
    check_request(request, "POST /wt/oauth2/v2.0/token HTTP/1.1\r\n",
                  "client_id=wc&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"
                  "client_assertion=the-assertion&grant_type=client_credentials&scope="
                  "https%3A%2F%2Fcognitiveservices.azure.com%2F.default");
    answer(fd, 200, "{\"expires_in\":3600,\"access_token\":\"w\"}");
    rig_expect("0:ok");
    assert_token(&want, "w");
    unlink(token_file);
    want.client_id = STR("other");
    await(1, &want);
    assert_int_equal(rig_count("1:"), 0); /* never from inside */
    rig_expect("1:upstream_unreachable The file that AZURE_FEDERATED_TOKEN_FILE names could not be read.;");
    peer_close(fd);
}

static void errors_are_told_without_secrets(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body, *why;
    } rows[] = {
        {401,
         "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client secret provided. Trace "
         "ID: x\"}",
         "The token server refused with status 401, invalid_client: AADSTS7000215: Invalid client secret provided."},
        {400, "{\"error\":\"invalid_request\",\"error_description\":\"bad secret s&cret-1 here\"}",
         "The token server refused with status 400, invalid_request."},
        {500, "not JSON s&cret-1", "The token server refused with status 500."},
        {200, "{}", "The token server's answer has no access token that can be used."},
        {200, "{\"access_token\":\"a b\"}", "The token server's answer has no access token that can be used."},
        {200, "{\"access_token\":\"a\\r\\nX: y\"}", "The token server's answer has no access token that can be used."},
        {200, "{\"access_token\":5}", "The token server's answer has no access token that can be used."},
        {302, "", "The token server refused with status 302."},
    };
    struct azure_token_want want = entra("x");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[400];
        await(0, &want);
        int fd = asked(".default", NULL);
        answer(fd, rows[i].status, rows[i].body);
        snprintf(line, sizeof line, "0:upstream_invalid_response %s;", rows[i].why);
        rig_expect(line);
        assert_int_equal(str_search(buf_str(&rig.said), STR("cret-1")), -1);
        assert_token(&want, "");
        rig_forget();
        peer_close(fd);
        rig_settle();
    }
}

static void a_server_that_fails_is_told_to_all(void **state)
{
    (void)state;
    struct azure_token_want want = entra("x");
    await(0, &want);
    await(1, &want);
    int fd = asked(".default", NULL);
    peer_reset(fd);
    rig_expect("0:upstream_closed The token server could not be asked: ");
    rig_expect("1:upstream_closed The token server could not be asked: ");
    rig_forget();
    await(0, &want);
    fd = asked(".default", NULL);
    rig_wait_us(11 * SECOND);
    rig_expect("0:upstream_timeout");
    peer_close(fd);
}

static void an_answer_without_end_is_not_kept(void **state)
{
    (void)state;
    static char huge[80000];
    struct azure_token_want want = entra("x");
    await(0, &want);
    int fd = asked(".default", NULL);
    memset(huge, ' ', sizeof huge);
    peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n");
    peer_send_n(fd, huge, sizeof huge);
    rig_expect("0:upstream_invalid_response The token server's answer has no access token that can be used.;");
    peer_close(fd);
}

static void who_stops_waiting_is_not_told(void **state)
{
    (void)state;
    struct azure_token_want want = entra("x");
    await(0, &want);
    await(1, &want);
    int fd = asked(".default", NULL);
    azure_token_cancel(&waits[0]);
    answer(fd, 200, "{\"access_token\":\"a\"}");
    rig_expect("1:ok");
    rig_expect_not("0:");
    azure_token_cancel(&waits[1]); /* also afterwards */
    assert_token(&want, "a");
    peer_close(fd);
}

static void tokens_are_bounded_and_the_oldest_goes_first(void **state)
{
    (void)state;
    char id[20];
    struct azure_token_want first = entra("first");
    await(0, &first);
    int fd = asked(".default", NULL);
    answer(fd, 200, "{\"access_token\":\"a\"}");
    rig_expect("0:ok");
    for (int i = 0; i < AZURE_TOKENS_MAX; i++) {
        rig_forget();
        snprintf(id, sizeof id, "id-%d", i);
        struct azure_token_want want = entra(id);
        if (i < AZURE_TOKENS_MAX - 1)
            assert_token(&first, "a"); /* asked for, so it is not the oldest */
        await(1, &want);
        peer_read(fd, ".default");
        answer(fd, 200, "{\"access_token\":\"b\"}");
        rig_expect("1:ok");
    }
    assert_token(&first, "a");
    struct azure_token_want oldest = entra("id-0"), second = entra("id-1");
    assert_token(&oldest, "");
    assert_token(&second, "b");
    peer_close(fd);
}

static void on_token_again(struct azure_token_wait *w, enum err e, struct str why)
{
    struct azure_token_want want = entra("second");
    rig_say("again %s %.*s;", e ? err_info(e)->code : "ok", STR_ARG(why));
    await(1, &want);
    (void)w;
}

static void who_is_told_may_ask_for_another(void **state)
{
    (void)state;
    struct azure_token_want want = entra("first"), second = entra("second");
    waits[0].on_token = on_token_again;
    azure_token_await(tokens, &want, &waits[0]);
    int fd = asked(".default", NULL);
    answer(fd, 200, "{\"access_token\":\"a\"}");
    rig_expect("again ok");
    peer_read(fd, ".default");
    answer(fd, 200, "{\"access_token\":\"b\"}");
    rig_expect("1:ok");
    assert_token(&want, "a");
    assert_token(&second, "b");
    peer_close(fd);
}

static void ending_in_the_middle_tells_nobody(void **state)
{
    (void)state;
    struct azure_token_want want = entra("x"), machine = {.mode = AZURE_TOKEN_MANAGED};
    await(0, &want);
    await(1, &machine);
    rig_settle();
    azure_tokens_free(tokens);
    tokens = NULL;
    rig_expect_not("0:");
    rig_expect_not("1:");
}

static void a_target_waits_for_its_token_and_is_then_ready(void **state)
{
    target_bench_open(state);
    struct target_ask ask = {.headers = "x-portkey-provider: @az\nx-portkey-azure-auth-mode: managed\n"
                                        "OpenAI-Beta: x\n",
                             .model = "gpt-4o",
                             .tokens = tokens};
    target_bench_expect(&ask, "WAIT");
    await(0, target_bench_result.want);
    int fd = asked("\r\n\r\n", NULL);
    answer(fd, 200, "{\"access_token\":\"m-jwt\"}");
    rig_expect("0:ok");
    target_bench_expect(&ask,
                        "READY https://az.example/openai/deployments/my-4o/chat/completions?api-version=" TARGET_DATED
                        " | Authorization: Bearer m-jwt |  | gpt-4o");
    /* The machine's own token is for stored accounts and Azure's hosts. */
    ask.headers = "x-portkey-provider: azure-openai\nx-portkey-azure-auth-mode: managed\n"
                  "x-portkey-custom-host: https://h.example/openai\n";
    target_bench_expect(&ask,
                        "REFUSED UNSUPPORTED A token of the gateway's own identity is only sent to stored accounts "
                        "and to Azure's own hosts; store an azure-openai account with this base URL.");
    ask.headers = "x-portkey-provider: azure-openai\nx-portkey-azure-auth-mode: managed\n"
                  "x-portkey-azure-resource-name: res\n";
    assert_true(str_starts(str_c(target_bench_ask(&ask)), STR("READY https://res.openai.azure.com/openai/v1/")));
    ask.headers = "x-portkey-provider: azure-openai\nx-portkey-azure-auth-mode: entra\n"
                  "x-portkey-azure-entra-client-id: c\nx-portkey-azure-entra-client-secret: s\n"
                  "x-portkey-azure-entra-tenant-id: t\nx-portkey-custom-host: https://h.example/openai\n";
    target_bench_expect(&ask, "WAIT");
    assert_true(str_eq(target_bench_result.want->tenant, STR("t")));
    peer_close(fd);
    target_bench_close(state);
}

static void the_metadata_address_is_open_for_tokens_alone(void **state)
{
    (void)state;
    struct resolver *resolver = resolver_new(rig.loop, &(struct resolver_settings){.timeout_us = SECOND});
    struct dialer *dialer =
        dialer_new(rig.loop, &(struct dial_settings){.resolver = resolver, .connect_timeout_us = SECOND});
    struct http_client *strict =
        http_client_new(rig.loop, dialer, &(struct http_client_settings){.connections_per_origin_max = 1});
    struct azure_tokens *loose = tokens;
    tokens = azure_tokens_new(rig.loop, strict,
                              &(struct azure_tokens_settings){.entra_url = str_c(url), .metadata_url = str_c(url)});
    struct azure_token_want machine = {.mode = AZURE_TOKEN_MANAGED}, other = entra("x");
    assert_false(azure_token_enabled(tokens, AZURE_TOKEN_WORKLOAD));
    await(0, &machine);
    int fd = asked("\r\n\r\n", NULL);
    answer(fd, 200, "{\"access_token\":\"m\"}");
    rig_expect("0:ok");
    await(1, &other);
    rig_expect("1:upstream_address_refused");
    peer_close(fd);
    azure_tokens_free(tokens);
    http_client_free(strict);
    rig_settle();
    dialer_free(dialer);
    resolver_free(resolver);
    tokens = loose;
}

static void settings_that_lead_nowhere_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *entra, *metadata, *authority;
        bool good;
    } rows[] = {
        {"", "", "", true},
        {"https://login.microsoftonline.us", "http://169.254.169.254", "https://login.microsoftonline.us/", true},
        {"login.microsoftonline.com", "", "", false},
        {"", "http://metadata.azure.com", "", false},
        {"", "https://169.254.169.254", "", false},
        {"", "169.254.169.254", "", false},
        {"", "", "ftp://x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[300] = "";
        struct azure_tokens_settings s = {.entra_url = str_c(rows[i].entra),
                                          .metadata_url = str_c(rows[i].metadata),
                                          .workload_authority = str_c(rows[i].authority)};
        assert_int_equal(azure_tokens_check(&s, why, sizeof why) == ERR_OK, rows[i].good);
        assert_int_equal(why[0] == '\0', rows[i].good);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, token_open, token_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_fetch_serves_all_who_wait),
        CASE(a_token_is_used_until_shortly_before_its_end),
        CASE(an_old_token_is_fetched_again),
        CASE(whatever_is_asked_with_tells_tokens_apart),
        CASE(the_metadata_service_is_asked_for_the_machines_own),
        CASE(a_workload_shows_its_file),
        CASE(errors_are_told_without_secrets),
        CASE(a_server_that_fails_is_told_to_all),
        CASE(an_answer_without_end_is_not_kept),
        CASE(who_stops_waiting_is_not_told),
        CASE(tokens_are_bounded_and_the_oldest_goes_first),
        CASE(who_is_told_may_ask_for_another),
        CASE(ending_in_the_middle_tells_nobody),
        CASE(a_target_waits_for_its_token_and_is_then_ready),
        CASE(the_metadata_address_is_open_for_tokens_alone),
        CASE(settings_that_lead_nowhere_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
