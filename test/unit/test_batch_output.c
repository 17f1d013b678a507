/* SPDX-License-Identifier: Apache-2.0 */
/* The output of a batch: which file it is, what is asked of the provider, and every way it can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client_rig.h"
#include "gateway/target/batch_output.h"
#include "gateway/target/target.h"

static void the_file_is_the_output_or_else_the_errors(void **state)
{
    (void)state;
    static const struct {
        const char *batch, *file, *why; /* `why` is a part of the sentence */
    } rows[] = {
        {"{\"id\":\"b\",\"status\":\"completed\",\"output_file_id\":\"file-o\",\"error_file_id\":\"file-e\"}", "file-o",
         ""},
        {"{\"status\":\"completed\",\"output_file_id\":null,\"error_file_id\":\"file-e\"}", "file-e", ""},
        {"{\"status\":\"in_progress\",\"output_file_id\":null}", "", "'in_progress'"},
        {"{\"status\":\"validating\"}", "", "'validating'"},
        {"{\"status\":\"a\\\"b\"}", "", "not a batch"},
        {"{\"status\":\"completed\",\"output_file_id\":\"../secrets\"}", "", "'completed'"},
        {"{\"status\":\"completed\",\"output_file_id\":\"..\"}", "", "'completed'"},
        {"{\"status\":\"completed\",\"output_file_id\":\"a b\"}", "", "'completed'"},
        {"{\"status\":\"completed\",\"output_file_id\":\"a\\r\\nX: y\"}", "", "'completed'"},
        {"{\"status\":\"completed\",\"output_file_id\":7}", "", "'completed'"},
        {"[1]", "", "not a batch"},
        {"{", "", "not a batch"},
        {"", "", "not a batch"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char file[BATCH_OUTPUT_ID_MAX] = "", why[BATCH_OUTPUT_WHY_MAX];
        size_t n = batch_output_file(str_c(rows[i].batch), file, why);
        assert_string_equal(file, rows[i].file);
        assert_int_equal(n, strlen(file));
        if (rows[i].why[0] ? !strstr(why, rows[i].why) : why[0] != 0)
            fail_msg("%s: %s", rows[i].batch, why);
    }
}

static void on_result(void *ctx, const struct batch_output_result *r)
{
    (void)ctx;
    if (r->path.n)
        rig_say("path %.*s;", STR_ARG(r->path));
    else
        rig_say("err %s %.*s;", err_info(r->err)->code, STR_ARG(r->detail));
}

static struct batch_output *begin(const char *request_path, uint16_t port)
{
    struct target t = {.host = STR("127.0.0.1"),
                       .port = port,
                       .authority = STR("up.example"),
                       .head_lines = STR("Authorization: Bearer k\r\n"),
                       .request_path = str_c(request_path)};
    struct http_call_options options = {.first_byte_timeout_us = 10 * SECOND, .idle_timeout_us = 5 * SECOND};
    return batch_output_begin(rig.loop, client.http, &t, &options, STR("batch_7"), on_result, NULL);
}

static const struct {
    const char *path, *asked, *answer, *said;
} exchanges[] = {
    {"/v1/batches/batch_7/output", "GET /v1/batches/batch_7 HTTP/1.1\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"output_file_id\":\"file-1\"}", "path /files/file-1/content;"},
    {"/openai/batches/batch_7/output/?api-version=2024-10-21",
     "GET /openai/batches/batch_7?api-version=2024-10-21 HTTP/1.1\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n{\"output_file_id\":\"file-1\"}\r\n0\r\n\r\n",
     "path /files/file-1/content;"},
    {"/v1/batches/batch_7/output", "GET /v1/batches/batch_7 ", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
     "path /batches/batch_7;"},
    {"/v1/batches/batch_7/output", "GET /v1/batches/batch_7 ",
     "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"status\":\"failed\"} ", "err not_found The batch has no output"},
    {"/v1/batches/batch_7/output", "GET /v1/batches/batch_7 ", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{",
     "err upstream_closed"},
};

static void the_provider_is_asked_for_the_batch_and_the_request_goes_on_with_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
        rig_forget();
        struct batch_output *b = begin(exchanges[i].path, client.up.port);
        int fd = peer_accept(client.up.listening);
        const char *asked = peer_read(fd, "\r\n\r\n");
        assert_true(str_starts(str_c(asked), str_c(exchanges[i].asked)));
        assert_non_null(strstr(asked, "\r\nHost: up.example\r\nAuthorization: Bearer k\r\n"));
        peer_send(fd, exchanges[i].answer);
        peer_close(fd);
        rig_expect(exchanges[i].said);
        batch_output_free(b);
        rig_settle();
        assert_int_equal(rig_count("path ") + rig_count("err "), 1);
    }
}

static void a_batch_too_large_is_refused(void **state)
{
    (void)state;
    struct batch_output *b = begin("/v1/batches/batch_7/output", client.up.port);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    char head[80];
    static char body[BATCH_OUTPUT_ANSWER_MAX + 1];
    memset(body, ' ', sizeof body);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", sizeof body);
    peer_send(fd, head);
    peer_send_n(fd, body, sizeof body);
    rig_expect("err upstream_invalid_response the batch is larger");
    batch_output_free(b);
    peer_close(fd);
}

static void a_client_that_leaves_takes_the_exchange_with_it(void **state)
{
    (void)state;
    struct batch_output *b = begin("/v1/batches/batch_7/output", client.up.port);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    batch_output_free(b);
    rig_settle();
    assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
    rig_expect_not("path");
    rig_expect_not("err");
    peer_close(fd);
    batch_output_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_the_output_or_else_the_errors),
        cmocka_unit_test_setup_teardown(the_provider_is_asked_for_the_batch_and_the_request_goes_on_with_the_file,
                                        client_open, client_close),
        cmocka_unit_test_setup_teardown(a_batch_too_large_is_refused, client_open, client_close),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_takes_the_exchange_with_it, client_open, client_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
