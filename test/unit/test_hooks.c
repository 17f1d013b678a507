/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of guardrails: verdicts, results, webhooks against a bare socket, cancelling at every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_text.h"
#include "base/must.h"
#include "client_rig.h"
#include "gateway/hooks/webhook.h"
#include "hooks_rig.h"

#define CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi \\\"there\\\"\"}]}"
#define ANSWER "{\"id\":\"c\",\"choices\":[{\"message\":{\"content\":\"hello\"}}]}"
#define YES "{\"id\":\"default.contains\",\"parameters\":{\"words\":[\"hi\"],\"operator\":\"any\"}}"
#define NO "{\"id\":\"default.contains\",\"parameters\":{\"words\":[\"hi\"],\"operator\":\"none\"}}"
#define BAD "{\"id\":\"default.regexMatch\",\"parameters\":{\"rule\":\"(\"}}"

static struct hooks_rig hk;

static int open_both(void **state)
{
    client_open(state);
    hooks_rig_open(&hk);
    hk.in.client = client.http;
    hk.in.loop = rig.loop;
    return 0;
}

static int close_both(void **state)
{
    webhook_drop_detached();
    rig_settle();
    hooks_rig_close(&hk);
    return client_close(state);
}

static void expect_text(const char *path, const char *wanted)
{
    struct str got = jdoc_text(hooks_rig_at(&hk, path), hk.arena);
    if (!str_eq(got, str_c(wanted)))
        fail_msg("%s is \"%.*s\", not \"%s\"", path, STR_ARG(got), wanted);
}

static void expect_raw(const char *path, const char *wanted)
{
    struct str got = jdoc_raw(hooks_rig_at(&hk, path));
    if (!str_eq(got, str_c(wanted)))
        fail_msg("%s is %.*s, not %s", path, STR_ARG(got), wanted);
}

/* --- without webhooks -------------------------------------------------------------------------------- */

static void the_hardest_verdict_holds(void **state)
{
    (void)state;
    static const struct {
        const char *hooks;
        enum hooks_verdict wanted;
    } rows[] = {
        {"[]", HOOKS_PASSED},
        {"[{\"checks\":[" YES "]}]", HOOKS_PASSED},
        {"[{\"checks\":[" NO "]}]", HOOKS_FAILED},
        {"[{\"checks\":[" NO "],\"deny\":true}]", HOOKS_DENIED},
        {"[{\"checks\":[" YES "," NO "]}]", HOOKS_FAILED},
        {"[{\"checks\":[" BAD "]}]", HOOKS_PASSED},
        {"[{\"checks\":[],\"deny\":true}]", HOOKS_PASSED},
        {"[{\"checks\":[" NO "]},{\"checks\":[" YES "],\"deny\":true}]", HOOKS_FAILED},
        {"[{\"checks\":[" NO "],\"deny\":true},{\"checks\":[" NO "]}]", HOOKS_DENIED},
        {"[{\"checks\":[" NO "],\"deny\":true,\"async\":true},{\"checks\":[" YES "]}]", HOOKS_PASSED},
        {"[{\"checks\":[" NO "],\"deny\":true,\"sequential\":true}]", HOOKS_DENIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hooks_rig_set(&hk, rows[i].hooks);
        assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
        if (hk.result.verdict != rows[i].wanted)
            fail_msg("%s: %d", rows[i].hooks, hk.result.verdict);
        assert_null(hk.result.body.p);
    }
}

static void results_have_the_fields_that_clients_know(void **state)
{
    (void)state;
    static const char *const hook[] = {"verdict",        "id",    "transformed", "checks",     "feedback",
                                       "execution_time", "async", "type",        "created_at", "deny"};
    static const char *const check[] = {"data",        "verdict",    "id",  "error",        "execution_time",
                                        "transformed", "created_at", "log", "fail_on_error"};
    hooks_rig_set(&hk, "[{\"id\":\"g\\\"1\",\"checks\":[" BAD "," YES "],\"deny\":true}]");
    assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    struct jval h = hooks_rig_at(&hk, "0"), c = hooks_rig_at(&hk, "0.checks.0");
    size_t i = 0;
    for (struct jval e = jdoc_first(h); jdoc_has(e); e = jdoc_next(h, e))
        assert_true(jdoc_is(e, hook[i++]));
    assert_int_equal(i, sizeof hook / sizeof *hook);
    i = 0;
    for (struct jval e = jdoc_first(c); jdoc_has(e); e = jdoc_next(c, e))
        assert_true(jdoc_is(e, check[i++]));
    assert_int_equal(i, sizeof check / sizeof *check);
    expect_text("0.id", "g\"1");
    expect_raw("0.verdict", "true");
    expect_raw("0.deny", "false");
    expect_text("0.type", "guardrail");
    expect_text("0.checks.0.error.message", "The regular expression is not valid.");
    expect_text("0.checks.0.data.explanation", "The regular expression is not valid.");
    expect_raw("0.checks.1.data.foundWords", "[\"hi\"]");
    expect_raw("0.checks.1.error", "");
    struct str time = jdoc_escaped(hooks_rig_at(&hk, "0.created_at"));
    assert_int_equal(time.n, strlen("2026-11-22T06:28:13.123Z"));
    assert_true(time.p[10] == 'T' && time.p[19] == '.' && time.p[23] == 'Z');
}

static void checks_that_are_off_and_hooks_nobody_waits_for_leave_no_result(void **state)
{
    (void)state;
    hooks_rig_set(&hk, "[{\"checks\":[{\"id\":\"default.x\",\"is_enabled\":false}," YES "]},"
                       "{\"checks\":[" NO "],\"async\":true}]");
    assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    assert_int_equal(jdoc_size(hooks_rig_at(&hk, "")), 1);
    assert_int_equal(jdoc_size(hooks_rig_at(&hk, "0.checks")), 1);
}

static void feedback_names_the_checks(void **state)
{
    (void)state;
    hooks_rig_set(&hk,
                  "[{\"checks\":[" YES "," BAD "," YES "],\"on_success\":{\"feedback\":{\"value\":5,\"weight\":0.5,"
                  "\"metadata\":{\"a b\":[1]}}}},"
                  "{\"checks\":[" NO "],\"on_success\":{\"feedback\":{\"value\":1}}},"
                  "{\"checks\":[" NO "],\"on_fail\":{\"feedback\":{\"value\":-5}}}]");
    assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    expect_raw("0.feedback.value", "5");
    expect_raw("0.feedback.weight", "0.5");
    expect_raw("0.feedback.metadata", "{\"a b\":[1],\"successfulChecks\":\"default.contains, default.contains\","
                                      "\"failedChecks\":\"\",\"erroredChecks\":\"default.regexMatch\"}");
    expect_raw("1.feedback", "null");
    expect_raw("2.feedback.value", "-5");
    expect_raw("2.feedback.weight", "null");
    expect_raw("2.feedback.metadata.failedChecks", "\"default.contains\"");
}

static void what_was_changed_is_what_later_checks_see(void **state)
{
    (void)state;
    hooks_rig_set(&hk, "[{\"type\":\"mutator\",\"checks\":[{\"id\":\"default.addPrefix\",\"parameters\":{\"prefix\":"
                       "\"A\"}},{\"id\":\"default.addPrefix\",\"parameters\":{\"prefix\":\"B\"}}]},"
                       "{\"checks\":[{\"id\":\"default.regexMatch\",\"parameters\":{\"rule\":\"^BAhi\"}}]}]");
    assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    assert_int_equal(hk.result.verdict, HOOKS_PASSED);
    assert_true(str_search(hk.result.body, STR("\"content\":\"BAhi \\\"there\\\"\"")) > 0);
    expect_raw("0.transformed", "true");
    expect_raw("1.transformed", "false");
    hk.hooks[0].async = true;
    assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    assert_null(hk.result.body.p);
}

/* An arena of any size: the verdict is the same, and a changed body is there or the request is denied. */
static void a_full_arena_lets_nothing_pass(void **state)
{
    (void)state;
    struct arena *own = hk.arena;
    bool seen_full = false, seen_room = false;
    hooks_rig_set(&hk, "[{\"type\":\"mutator\",\"checks\":[{\"id\":\"default.addPrefix\",\"parameters\":{\"prefix\":"
                       "\"A\"}}]},{\"checks\":[" NO "]}]");
    for (size_t cap = 16; cap < 4096; cap += 16) {
        hk.arena = arena_new(16, cap);
        assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
        bool room = hk.result.body.p != NULL;
        assert_int_equal(hk.result.verdict, room ? HOOKS_FAILED : HOOKS_DENIED);
        assert_true(jdoc_has(hooks_rig_at(&hk, "")));
        seen_full = seen_full || !room;
        seen_room = seen_room || room;
        arena_free(hk.arena);
    }
    hk.arena = own;
    assert_true(seen_full && seen_room);
}

static void hooks_look_at_four_operations(void **state)
{
    (void)state;
    static const struct {
        const char *operation;
        bool before, after;
    } rows[] = {
        {"chat.completions", true, true},  {"completions", true, true},
        {"embeddings", true, false},       {"responses", false, false},
        {"images.generate", false, false}, {"models.list", false, false},
        {"moderations", false, false},     {"audio.transcriptions", false, false},
    };
    hooks_rig_set(&hk, "[{\"checks\":[" NO "],\"deny\":true}]");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(hooks_rig_begin(&hk, rows[i].operation, "{}", NULL));
        assert_int_equal(hooks_apply(&hk.list, HOOKS_BEFORE, hk.in.endpoint), rows[i].before);
        assert_int_equal(jdoc_size(hooks_rig_at(&hk, "")), rows[i].before);
        assert_true(hooks_rig_begin(&hk, rows[i].operation, "{}", "{}"));
        assert_int_equal(hooks_apply(&hk.list, HOOKS_AFTER, hk.in.endpoint), rows[i].after);
        assert_int_equal(jdoc_size(hooks_rig_at(&hk, "")), rows[i].after);
    }
}

static void results_are_put_into_an_answer_without_touching_it(void **state)
{
    (void)state;
    static const struct {
        const char *body, *before, *after, *wanted;
    } rows[] = {
        {"{ \"a\": 1.0 }", "", "[{}]",
         "{ \"a\": 1.0,\"hook_results\":{\"before_request_hooks\":[],\"after_request_hooks\":[{}]} }"},
        {"{}", "[1]", "", "{\"hook_results\":{\"before_request_hooks\":[1],\"after_request_hooks\":[]}}"},
        {"{\"hook_results\":\"old\",\"b\":2}", "", "",
         "{\"hook_results\":{\"before_request_hooks\":[],\"after_request_hooks\":[]},\"b\":2}"},
        {"[1]", "", "", NULL},
        {"", "", "", NULL},
        {"oops", "", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = rows[i].wanted ? strlen(rows[i].wanted) : 100;
        for (size_t max = 1; max <= size; max++) {
            struct buf out;
            buf_init(&out, max);
            bool fits = hooks_add_results(str_c(rows[i].body), str_c(rows[i].before), str_c(rows[i].after), &out);
            assert_int_equal(fits, rows[i].wanted && max == size);
            assert_true(str_eq(buf_str(&out), str_c(fits ? rows[i].wanted : "")));
            buf_free(&out);
        }
    }
}

/* --- webhooks ---------------------------------------------------------------------------------------- */

#define HOOK_OK "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"verdict\":true}"
#define HOOK_NO "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"verdict\":false}"

/* Sets hooks of which "@" stands for the webhook's parameters without braces. */
static void set_webhooks(const char *hooks, const char *more)
{
    char json[4000];
    size_t n = 0;
    for (const char *p = hooks; *p; p++) {
        if (*p != '@')
            json[n++] = *p;
        else
            n += (size_t)snprintf(json + n, sizeof json - n,
                                  "{\"id\":\"default.webhook\",\"parameters\":{\"webhookURL\":\"http://127.0.0.1:%u/"
                                  "hook/?a=b\"%s}}",
                                  client.up.port, more);
        must(n + 1 < sizeof json);
    }
    json[n] = '\0';
    hooks_rig_set(&hk, json);
}

static void wait_for_result(void)
{
    for (int i = 0; i < 4000 && !hk.over; i++)
        loop_turn(rig.loop, 1000);
    assert_true(hk.over);
    assert_int_equal(hk.calls, 1);
}

/* A run with one webhook, answered with these bytes. */
static void run_answered(const char *request, const char *answer, const char *bytes, size_t n, bool close_it)
{
    assert_false(hooks_rig_begin(&hk, "chat.completions", request, answer));
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "Hook\"}");
    peer_send_n(fd, bytes, n);
    if (close_it)
        peer_close(fd);
    wait_for_result();
    if (!close_it)
        peer_close(fd);
    rig_settle();
}

static void a_webhook_is_told_what_passes(void **state)
{
    (void)state;
    set_webhooks("[{\"checks\":[@]}]", ",\"headers\":{\"Authorization\":\"Bearer w\",\"X-N\":7,\"Host\":\"evil\"}");
    assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    int fd = peer_accept(client.up.listening);
    const char *got = peer_read(fd, "Hook\"}");
    assert_memory_equal(got, "POST /hook/?a=b HTTP/1.1\r\nHost: 127.0.0.1:", 41);
    assert_non_null(strstr(got, "\r\nAuthorization: Bearer w\r\nX-N: 7\r\n"));
    assert_non_null(strstr(got, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(got, "evil"));
    assert_string_equal(strstr(got, "\r\n\r\n") + 4,
                        "{\"request\":{\"json\":" CHAT ",\"text\":\"hi \\\"there\\\"\"},\"provider\":\"openai\","
                        "\"requestType\":\"chatComplete\",\"metadata\":{\"plan\":\"paid\",\"_user\":\"u\"},"
                        "\"eventType\":\"beforeRequestHook\"}");
    peer_send(fd, HOOK_OK);
    wait_for_result();
    assert_int_equal(hk.result.verdict, HOOKS_PASSED);
    expect_raw("0.checks.0.verdict", "true");
    peer_close(fd);
}

static void a_webhook_is_told_the_answer_too(void **state)
{
    (void)state;
    set_webhooks("[{\"checks\":[@],\"deny\":true}]", ",\"headers\":\"{\\\"Content-Type\\\":\\\"text/x\\\"}\"");
    hk.in.metadata = STR("");
    assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, ANSWER));
    int fd = peer_accept(client.up.listening);
    const char *got = peer_read(fd, "Hook\"}");
    assert_non_null(strstr(got, "\r\nContent-Type: text/x\r\n\r\n"));
    assert_non_null(strstr(got,
                           ",\"response\":{\"json\":" ANSWER ",\"text\":\"hello\"},\"provider\":\"openai\","
                           "\"requestType\":\"chatComplete\",\"metadata\":{},\"eventType\":\"afterRequestHook\"}"));
    peer_send(fd, HOOK_NO);
    wait_for_result();
    assert_int_equal(hk.result.verdict, HOOKS_DENIED);
    expect_raw("0.deny", "true");
    peer_close(fd);
}

static const struct {
    const char *answer;
    const char *error; /* NULL: a verdict */
    bool verdict;
} answers[] = {
    {HOOK_OK, NULL, true},
    {HOOK_NO, NULL, false},
    {"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"verdict\":true}\r\n0\r\n\r\n", NULL, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "no verdict", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"verdict\":\"true\"}", "no verdict", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue", "no verdict", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "no verdict", false},
    {"HTTP/1.1 500 No\r\nContent-Length: 16\r\n\r\n{\"verdict\":true}", "status 500", false},
    {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "status 302", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "too large", false},
    {"not HTTP at all\r\n\r\n", "could not be asked", false},
};

static void answers_of_webhooks_are_verdicts_or_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        set_webhooks("[{\"checks\":[@]}]", "");
        run_answered(CHAT, NULL, answers[i].answer, strlen(answers[i].answer), false);
        struct str error = jdoc_escaped(hooks_rig_at(&hk, "0.checks.0.error.message"));
        assert_int_equal(error.n > 0, answers[i].error != NULL);
        if (answers[i].error && str_search(error, str_c(answers[i].error)) < 0)
            fail_msg("%s: %.*s", answers[i].answer, STR_ARG(error));
        assert_int_equal(jdoc_true(hooks_rig_at(&hk, "0.checks.0.verdict")), answers[i].verdict);
        assert_int_equal(hk.result.verdict, answers[i].error || answers[i].verdict ? HOOKS_PASSED : HOOKS_FAILED);
    }
}

static void an_answer_cut_anywhere_is_an_error(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < strlen(HOOK_NO); cut++) {
        set_webhooks("[{\"checks\":[@]}]", cut % 2 ? ",\"failOnError\":true" : "");
        run_answered(CHAT, NULL, HOOK_NO, cut, true);
        assert_true(jdoc_has(hooks_rig_at(&hk, "0.checks.0.error")));
        assert_int_equal(hk.result.verdict, cut % 2 ? HOOKS_FAILED : HOOKS_PASSED);
    }
}

static void a_run_may_be_cancelled_at_any_byte(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= strlen(HOOK_NO); cut++) {
        set_webhooks("[{\"checks\":[@,@]},{\"checks\":[@],\"sequential\":true}]", "");
        assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
        int fd = peer_accept(client.up.listening), other = peer_accept(client.up.listening);
        peer_read(fd, "Hook\"}");
        peer_send_n(fd, HOOK_NO, cut);
        rig_settle();
        assert_false(hk.over);
        hooks_cancel(hk.run);
        rig_settle();
        assert_int_equal(hk.calls, 0);
        peer_close(fd);
        peer_close(other);
        rig_settle();
    }
    /* Before anything of it happened. */
    set_webhooks("[{\"checks\":[@]}]", "");
    assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    hooks_cancel(hk.run);
    rig_settle();
    assert_int_equal(hk.calls, 0);
}

static void a_silent_webhook_ends_at_its_time_limit(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        uint64_t ms;
    } rows[] = {{"", 3000}, {",\"timeout\":50", 50}, {",\"timeout\":30000", 30000}};
    for (size_t i = 0; i < 3; i++) {
        set_webhooks("[{\"checks\":[@]}]", rows[i].more);
        assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
        int fd = peer_accept(client.up.listening);
        peer_read(fd, "Hook\"}");
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"verd");
        rig_wait_us((rows[i].ms - 20) * 1000);
        assert_false(hk.over);
        rig_wait_us(30 * 1000);
        wait_for_result();
        char wanted[80];
        snprintf(wanted, sizeof wanted, "The webhook did not answer within %u ms.", (unsigned)rows[i].ms);
        expect_text("0.checks.0.error.message", wanted);
        peer_close(fd);
        rig_settle();
    }
}

static void webhooks_that_cannot_be_asked_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *parameters, *error;
        bool later;
    } rows[] = {
        {"{}", "URL is missing", false},
        {"{\"webhookURL\":7}", "URL is missing", false},
        {"{\"webhookURL\":\"ftp://x/\"}", "URL is not valid", false},
        {"{\"webhookURL\":\"http://u:p@example.com/\"}", "URL is not valid", false},
        {"{\"webhookURL\":\"http://exa mple.com/\"}", "percent-encoded", false},
        {"{\"webhookURL\":\"http://example.com/\\r\\nX: y\"}", "percent-encoded", false},
        {"{\"webhookURL\":\"http://example.com/?a\\u00e9\"}", "percent-encoded", false},
        {"{\"webhookURL\":\"?\"}", "URL is not valid", false},
        {"{\"webhookURL\":\"http://2130706433/\"}", "URL is not valid", false},
        {"{\"webhookURL\":\"http://example.com/\",\"headers\":[1]}", "headers must be", false},
        {"{\"webhookURL\":\"http://example.com/\",\"headers\":\"x\"}", "headers must be", false},
        {"{\"webhookURL\":\"http://example.com/\",\"headers\":{\"A b\":\"c\"}}", "headers must be", false},
        {"{\"webhookURL\":\"http://example.com/\",\"headers\":{\"A\":\"c\\r\\nD: e\"}}", "headers must be", false},
        {"{\"webhookURL\":\"http://example.com/\",\"headers\":{\"A\":{}}}", "headers must be", false},
        {"{\"webhookURL\":\"http://example.com/\",\"timeout\":0}", "timeout must be", false},
        {"{\"webhookURL\":\"http://example.com/\",\"timeout\":30001}", "timeout must be", false},
        {"{\"webhookURL\":\"http://example.com/\",\"timeout\":\"x\"}", "timeout must be", false},
        {"{\"webhookURL\":\"http://10.0.0.1/\"}", "could not be asked", true},
        {"{\"webhookURL\":\"http://169.254.169.254/latest\"}", "could not be asked", true},
        {"{\"webhookURL\":\"http://[::1]/\"}", "could not be asked", true},
        {"{\"webhookURL\":\"http://127.0.0.1:1/\"}", "could not be asked", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[400];
        snprintf(json, sizeof json, "[{\"checks\":[{\"id\":\"default.webhook\",\"parameters\":%s}]}]",
                 rows[i].parameters);
        hooks_rig_set(&hk, json);
        assert_int_equal(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL), !rows[i].later);
        if (rows[i].later)
            wait_for_result();
        struct str error = jdoc_escaped(hooks_rig_at(&hk, "0.checks.0.error.message"));
        if (!error.n || str_search(error, str_c(rows[i].error)) < 0)
            fail_msg("%s: '%.*s'", rows[i].parameters, STR_ARG(error));
        assert_int_equal(hk.result.verdict, HOOKS_PASSED);
    }
}

static void a_webhook_may_change_what_passes(void **state)
{
    (void)state;
    char answer[400];
    static const char content[] = "{\"verdict\":true,\"data\":{\"k\":[1]},\"transformedData\":{\"request\":{\"json\":"
                                  "{ \"messages\":[{\"content\":\"new\"}]}},\"response\":{\"json\":{\"r\":1}}}}";
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(content), content);
    set_webhooks("[{\"checks\":[@],\"sequential\":true},{\"checks\":[{\"id\":\"default.regexMatch\",\"parameters\":"
                 "{\"rule\":\"^new$\"}}],\"sequential\":true}]",
                 "");
    run_answered(CHAT, NULL, answer, strlen(answer), false);
    assert_int_equal(hk.result.verdict, HOOKS_PASSED);
    assert_true(str_eq(hk.result.body, STR("{ \"messages\":[{\"content\":\"new\"}]}")));
    expect_raw("0.transformed", "true");
    expect_raw("0.checks.0.data.responseData", "{\"k\":[1]}");
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", client.up.port); /* the rest may be a secret */
    expect_text("0.checks.0.data.webhookUrl", url);
    run_answered(CHAT, ANSWER, answer, strlen(answer), false);
    assert_true(str_eq(hk.result.body, STR("{\"r\":1}")));
    /* Nothing in it that could be a body. */
    static const char odd[] = "HTTP/1.1 200 OK\r\nContent-Length: 62\r\n\r\n"
                              "{\"verdict\":true,\"transformedData\":{\"request\":{\"json\":\"text\"}}}";
    run_answered(CHAT, NULL, odd, strlen(odd), false);
    assert_null(hk.result.body.p);
}

static void hooks_overlap_unless_they_are_sequential(void **state)
{
    (void)state;
    set_webhooks("[{\"checks\":[@,@]},{\"checks\":[@]}]", "");
    assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    int fd[3];
    for (int i = 0; i < 3; i++) {
        fd[i] = peer_accept(client.up.listening);
        peer_read(fd[i], "Hook\"}");
    }
    for (int i = 2; i >= 0; i--) {
        assert_false(hk.over);
        peer_send(fd[i], i == 1 ? HOOK_NO : HOOK_OK);
        rig_settle();
    }
    wait_for_result();
    assert_int_equal(hk.result.verdict, HOOKS_FAILED);
    for (int i = 0; i < 3; i++)
        peer_close(fd[i]);
    rig_settle();

    set_webhooks("[{\"checks\":[@,@],\"sequential\":true},{\"checks\":[@]}]", "");
    assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    int one = peer_accept(client.up.listening);
    for (int i = 0; i < 3; i++) {
        assert_false(hk.over);
        peer_read(one, "Hook\"}");
        rig_settle();
        client_expect_pool(1, 0);
        peer_send(one, HOOK_OK);
        rig_settle();
    }
    wait_for_result();
    peer_close(one);
}

static void a_sequential_hook_waits_for_those_before_it(void **state)
{
    (void)state;
    set_webhooks("[{\"checks\":[@]},{\"checks\":[@],\"sequential\":true},{\"checks\":[" YES "]}]", "");
    assert_false(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "Hook\"}");
    rig_settle();
    client_expect_pool(1, 0);
    peer_send(fd, HOOK_OK);
    peer_read(fd, "Hook\"}");
    assert_false(hk.over);
    peer_send(fd, HOOK_NO);
    wait_for_result();
    expect_raw("0.verdict", "true");
    expect_raw("1.verdict", "false");
    expect_raw("2.verdict", "true");
    peer_close(fd);
}

static void nobody_waits_for_async_hooks(void **state)
{
    (void)state;
    set_webhooks("[{\"checks\":[@],\"async\":true,\"deny\":true},{\"checks\":[" YES "]}]", "");
    assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    assert_int_equal(hk.result.verdict, HOOKS_PASSED);
    assert_int_equal(jdoc_size(hooks_rig_at(&hk, "")), 1);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "Hook\"}");
    peer_send(fd, HOOK_NO);
    rig_settle();
    client_expect_pool(1, 1);
    peer_close(fd);
    rig_settle();
    /* And one that is still under way when its worker ends. */
    assert_true(hooks_rig_begin(&hk, "chat.completions", CHAT, NULL));
    webhook_drop_detached();
    rig_settle();
}

static void too_many_webhooks_nobody_waits_for_are_not_sent(void **state)
{
    (void)state;
    struct webhook_settings s = {.url = STR("http://127.0.0.1:9/"), .headers = STR(""), .timeout_ms = 1000};
    const char *why;
    for (int i = 0; i < WEBHOOK_DETACHED_MAX; i++)
        assert_true(webhook_send(client.http, rig.loop, &s, STR("{}"), &why));
    assert_false(webhook_send(client.http, rig.loop, &s, STR("{}"), &why));
    webhook_drop_detached();
    rig_settle();
    struct buf large;
    buf_init(&large, WEBHOOK_PAYLOAD_MAX);
    char *p = buf_reserve(&large, WEBHOOK_PAYLOAD_MAX);
    assert_non_null(p);
    memset(p, ' ', WEBHOOK_PAYLOAD_MAX);
    buf_commit(&large, WEBHOOK_PAYLOAD_MAX);
    assert_true(webhook_send(client.http, rig.loop, &s, buf_str(&large), &why));
    assert_true(webhook_send(client.http, rig.loop, &s, buf_str(&large), &why));
    assert_false(webhook_send(client.http, rig.loop, &s, STR("{}"), &why));
    buf_free(&large);
    webhook_drop_detached();
    rig_settle();
    assert_true(webhook_send(client.http, rig.loop, &s, STR("{}"), &why));
}

static void a_log_needs_no_verdict(void **state)
{
    (void)state;
    char json[300];
    snprintf(json, sizeof json,
             "[{\"checks\":[{\"id\":\"default.log\",\"parameters\":{\"logURL\":\"http://127.0.0.1:%u\"}}]}]",
             client.up.port);
    hooks_rig_set(&hk, json);
    static const char ok[] = "HTTP/1.1 204 No Content\r\n\r\n";
    run_answered(CHAT, NULL, ok, strlen(ok), false);
    expect_raw("0.checks.0.verdict", "true");
    static const char no[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    run_answered(CHAT, NULL, no, strlen(no), false);
    expect_text("0.checks.0.error.message", "The webhook answered with status 404.");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_hardest_verdict_holds),
        TEST(results_have_the_fields_that_clients_know),
        TEST(checks_that_are_off_and_hooks_nobody_waits_for_leave_no_result),
        TEST(feedback_names_the_checks),
        TEST(what_was_changed_is_what_later_checks_see),
        TEST(a_full_arena_lets_nothing_pass),
        TEST(hooks_look_at_four_operations),
        TEST(results_are_put_into_an_answer_without_touching_it),
        TEST(a_webhook_is_told_what_passes),
        TEST(a_webhook_is_told_the_answer_too),
        TEST(answers_of_webhooks_are_verdicts_or_errors),
        TEST(an_answer_cut_anywhere_is_an_error),
        TEST(a_run_may_be_cancelled_at_any_byte),
        TEST(a_silent_webhook_ends_at_its_time_limit),
        TEST(webhooks_that_cannot_be_asked_are_errors),
        TEST(a_webhook_may_change_what_passes),
        TEST(hooks_overlap_unless_they_are_sequential),
        TEST(a_sequential_hook_waits_for_those_before_it),
        TEST(nobody_waits_for_async_hooks),
        TEST(too_many_webhooks_nobody_waits_for_are_not_sent),
        TEST(a_log_needs_no_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
