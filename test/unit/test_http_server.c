/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of HTTP/1.1 over real sockets: what clients send in any pieces, and the answers
 * they get, in any order of events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_conn.h"
#include "net/http_flush.h"
#include "server_rig.h"

/* Requests and answers. */

static void a_connection_serves_one_request_after_another(void **state)
{
    (void)state;
    int fd = server_dial();
    for (int i = 0; i < 3; i++) {
        peer_send(fd, GET("/now"));
        assert_string_equal(peer_read(fd, "/now"), OK_HEAD("4") "/now");
    }
    assert_int_equal(rig_count("done;"), 3);
    peer_close(fd);
    server_left(0);
}

static const char pipelined[] = GET("/now1") "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GET(
    "/now2") "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"
             "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" GET("/now3");
static const char pipelined_answers[] =
    OK_HEAD("5") "/now1" OK_HEAD("5") "hello" OK_HEAD("5") "/now2" OK_HEAD("5") "abcde" OK_HEAD("0")
        OK_HEAD("5") "/now3";

static void pipelined_requests_are_answered_in_order_at_every_split(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= sizeof pipelined - 1; cut++) {
        int fd = server_dial();
        peer_send_n(fd, pipelined, cut);
        rig_settle();
        peer_send(fd, pipelined + cut);
        assert_string_equal(peer_read(fd, "/now3"), pipelined_answers);
        peer_close(fd);
    }
    server_left(0);
}

static void pipelined_requests_are_answered_in_order_byte_by_byte(void **state)
{
    (void)state;
    int fd = server_dial();
    for (size_t i = 0; i < sizeof pipelined - 1; i++) {
        peer_send_n(fd, pipelined + i, 1);
        loop_turn(rig.loop, 0);
    }
    assert_string_equal(peer_read(fd, "/now3"), pipelined_answers);
    assert_int_equal(rig_count("."), 2); /* `last` once for each body */
    peer_close(fd);
}

static void a_second_empty_line_before_a_request_is_refused(void **state)
{
    (void)state;
    for (int step = 1; step <= 3; step++) {
        const char *raw = "\r\n\r\n" GET("/now");
        int fd = server_dial();
        rig_forget();
        for (size_t i = 0; i < strlen(raw); i += (size_t)step) {
            peer_send_n(fd, raw + i, strlen(raw) - i < (size_t)step ? strlen(raw) - i : (size_t)step);
            loop_turn(rig.loop, 0);
        }
        assert_non_null(strstr(peer_read(fd, NULL), "HTTP/1.1 400"));
        rig_expect("refused invalid_http;");
        peer_close(fd);
    }
}

static void a_large_body_arrives_whole(void **state)
{
    (void)state;
    size_t n = 3 << 20;
    char *body = mem_alloc(n);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        body[i] = (char)(i * 7 >> 3);
        sum = sum * 31 + (unsigned char)body[i];
    }
    app.quiet = true;
    int fd = server_dial();
    peer_send(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n");
    peer_send_n(fd, body, n);
    while (app.body_bytes < n)
        rig_settle();
    assert_true(app.body_sum == sum);
    app.body_bytes = app.body_sum = 0;
    app_answer(app.x, STR("x"));
    peer_read(fd, "\r\n\r\nx");
    peer_send(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < n; at += 1 << 16) {
        peer_send(fd, "10000\r\n");
        peer_send_n(fd, body + at, 1 << 16);
        peer_send(fd, "\r\n");
    }
    peer_send(fd, "0\r\n\r\n");
    while (app.body_bytes < n)
        rig_settle();
    assert_true(app.body_sum == sum);
    peer_close(fd);
    mem_free(body);
}

static void answers_have_the_framing_that_the_client_can_read(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    http_head_begin(x, 200);
    http_head_field(x, STR("X-A"), STR("b"));
    http_head_lines(x, STR("X-C: d\r\n"));
    assert_false(http_head_sent(x));
    http_head_end(x, HTTP1_CHUNKED, 0, false);
    assert_true(http_head_sent(x));
    assert_int_equal(peer_end(fd, false), PEER_OPEN);
    http_send(x, STR("hello"));
    http_send(x, STR(""));
    http_send(x, STR("0123456789abcdef"));
    http_send_end(x, STR("!"));
    assert_string_equal(peer_read(fd, "0\r\n\r\n"),
                        "HTTP/1.1 200 OK\r\nX-A: b\r\nX-C: d\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n10\r\n0123456789abcdef\r\n1\r\n!\r\n0\r\n\r\n");
    /* HTTP/1.0 knows no chunks: the end of the connection ends the answer. */
    rig_forget();
    x = server_held(fd, "GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_head_begin(x, 200);
    http_head_end(x, HTTP1_CHUNKED, 0, false);
    http_send(x, STR("hello"));
    http_end(x);
    assert_string_equal(peer_read(fd, NULL), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
    peer_close(fd);
}

static void http_1_0_closes_unless_asked_to_stay(void **state)
{
    (void)state;
    int fd = server_dial();
    peer_send(fd, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_string_equal(peer_read(fd, "/now"),
                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\n/now");
    peer_send(fd, "GET /now HTTP/1.0\r\n\r\n");
    assert_string_equal(peer_read(fd, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n/now");
    peer_close(fd);
    fd = server_dial();
    peer_send(fd, "GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/now"));
    assert_string_equal(peer_read(fd, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n/now");
    assert_int_equal(rig_count("request"), 3); /* what follows a last request is none */
    peer_close(fd);
    server_left(0);
}

static void answers_without_a_body_have_none(void **state)
{
    (void)state;
    int fd = server_dial();
    peer_send(fd, "HEAD /now HTTP/1.1\r\nHost: h\r\n\r\n" GET("/now"));
    assert_string_equal(peer_read(fd, "/now"), OK_HEAD("4") OK_HEAD("4") "/now");
    static const int statuses[] = {204, 304};
    for (size_t i = 0; i < 2; i++) {
        char wanted[128];
        rig_forget();
        struct http_exchange *x = server_held(fd, GET("/hold"));
        http_reply(x, statuses[i], STR(""), STR(""), STR("not sent"));
        peer_send(fd, GET("/now"));
        snprintf(wanted, sizeof wanted, "HTTP/1.1 %d %s\r\n\r\n" OK_HEAD("4") "/now", statuses[i],
                 http1_reason(statuses[i]));
        assert_string_equal(peer_read(fd, "/now"), wanted);
    }
    /* A chunked answer to HEAD has the head only. */
    rig_forget();
    struct http_exchange *x = server_held(fd, "HEAD /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    http_head_begin(x, 200);
    http_head_end(x, HTTP1_CHUNKED, 0, false);
    http_send(x, STR("hello"));
    http_end(x);
    peer_send(fd, GET("/now"));
    assert_string_equal(peer_read(fd, "/now"),
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" OK_HEAD("4") "/now");
    peer_close(fd);
}

static void an_answer_that_breaks_its_length_breaks_the_connection(void **state)
{
    (void)state;
    static const char *const bodies[] = {"four", "sixsix"};
    for (size_t i = 0; i < 2; i++) {
        int fd = server_dial();
        rig_forget();
        struct http_exchange *x = server_held(fd, GET("/hold"));
        http_head_begin(x, 200);
        http_head_end(x, HTTP1_LENGTH, 5, false);
        http_send(x, str_head(str_c(bodies[i]), 2));
        http_send_end(x, str_from(str_c(bodies[i]), 2));
        rig_expect("closed");
        assert_int_equal(peer_end(fd, true), PEER_RESET);
        rig_expect_not("done");
        peer_close(fd);
    }
}

/* Expect: 100-continue. */

static void the_body_is_asked_for_when_the_client_waits(void **state)
{
    (void)state;
    int fd = server_dial();
    peer_send(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_string_equal(peer_read(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    peer_send(fd, "hello");
    assert_string_equal(peer_read(fd, "hello"), OK_HEAD("5") "hello");
    /* Nobody is asked who has no body, speaks HTTP/1.0, or has his answer already. */
    peer_send(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(peer_read(fd, "\r\n\r\n"), OK_HEAD("0"));
    peer_send(fd, "POST /now HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    assert_string_equal(peer_read(fd, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n/now");
    peer_close(fd);
    fd = server_dial();
    peer_send(fd, "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(peer_end(fd, false), PEER_OPEN);
    peer_send(fd, "hello");
    assert_string_equal(peer_read(fd, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    peer_close(fd);
}

/* Early answers. */

static void an_early_answer_reaches_a_client_that_reads_last(void **state)
{
    (void)state;
    size_t n = 20 << 20;
    char *body = mem_zalloc(n);
    int fd = server_dial();
    peer_send(fd, "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 20971520\r\n\r\n");
    peer_send_n(fd, body, n);
    assert_string_equal(peer_read(fd, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n/now");
    rig_expect("done;");
    rig_expect_not("body");
    peer_close(fd);
    server_left(0);
    mem_free(body);
}

static void who_was_told_to_close_gets_no_second_answer(void **state)
{
    (void)state;
    int fd = server_dial();
    /* The answer is under way when the rest of the body and a further request arrive. */
    struct http_exchange *x = server_held(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    http_head_begin(x, 200);
    http_head_end(x, HTTP1_LENGTH, 2, false);
    http_send(x, STR("o"));
    peer_send(fd, "lo" GET("/now"));
    rig_expect("body lo.;");
    http_send_end(x, STR("k"));
    assert_string_equal(peer_read(fd, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    rig_expect_not("/now");
    peer_close(fd);
    server_left(0);
}

static void lingering_has_an_end(void **state)
{
    (void)state;
    int fd = server_dial();
    peer_send(fd, "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    peer_read(fd, "/now");
    server_left(1);
    rig_wait_us(11 * SECOND);
    server_left(0);
    peer_close(fd);
}

/* Broken requests. */

static void what_is_no_request_is_refused_and_the_connection_closed(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *status, *code;
    } cases[] = {
        {"GET\r\n\r\n", "400 Bad Request", "invalid_http"},
        {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "400 Bad Request",
         "ambiguous_framing"},
        {"GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", "417 Expectation Failed", "expectation_failed"},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505 HTTP Version Not Supported", "http_version_not_supported"},
        {"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", "405 Method Not Allowed", "method_not_allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char wanted[64];
        int fd = server_dial();
        rig_forget();
        peer_send(fd, cases[i].raw);
        peer_send(fd, GET("/now")); /* not a request any more */
        const char *got = peer_read(fd, NULL);
        snprintf(wanted, sizeof wanted, "HTTP/1.1 %s\r\n", cases[i].status);
        assert_memory_equal(got, wanted, strlen(wanted));
        assert_non_null(strstr(got, cases[i].code));
        assert_non_null(strstr(got, "Connection: close\r\n"));
        const char *body = strstr(got, "\r\n\r\n") + 4;
        snprintf(wanted, sizeof wanted, "Content-Length: %zu\r\n", strlen(body));
        assert_non_null(strstr(got, wanted));
        rig_expect("refused");
        rig_expect_not("request");
        peer_close(fd);
    }
    server_left(0);
}

static void a_head_without_end_is_refused_at_its_limit(void **state)
{
    (void)state;
    int fd = server_dial();
    char line[1024];
    memset(line, 'x', sizeof line);
    peer_send(fd, "GET / HTTP/1.1\r\nHost: h\r\nA: ");
    for (int i = 0; i < 70; i++)
        peer_send_n(fd, line, sizeof line);
    assert_non_null(strstr(peer_read(fd, NULL), "HTTP/1.1 431 "));
    rig_expect("refused request_headers_too_large;");
    peer_close(fd);
    server_left(0);
}

static void a_broken_chunk_ends_the_exchange_with_400(void **state)
{
    (void)state;
    int fd = server_dial();
    peer_send(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n" GET("/now"));
    const char *got = peer_read(fd, NULL);
    assert_memory_equal(got, "HTTP/1.1 400 ", 13);
    rig_expect("request POST /hold +;body abc;closed invalid_http;");
    rig_expect_not("/now");
    rig_expect_not(".;"); /* the body was never said to be complete */
    peer_close(fd);
    /* An answer that has begun can only be cut. */
    fd = server_dial();
    rig_forget();
    struct http_exchange *x =
        server_held(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    http_head_begin(x, 200);
    http_head_end(x, HTTP1_LENGTH, 5, false);
    http_send(x, STR("a"));
    peer_send(fd, "x\r\n");
    rig_expect("closed invalid_http;");
    assert_int_equal(peer_end(fd, true), PEER_RESET);
    peer_close(fd);
    server_left(0);
}

/* Our own ends. */

static void an_aborted_answer_looks_broken(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    http_send(x, STR("half"));
    peer_read(fd, "half\r\n");
    app.x = NULL;
    http_abort(x);
    assert_int_equal(peer_end(fd, true), PEER_RESET);
    rig_expect_not("closed");
    peer_close(fd);
    server_left(0);
    fd = server_dial();
    peer_send(fd, GET("/abort"));
    assert_int_equal(peer_end(fd, true), PEER_RESET);
    peer_close(fd);
    server_left(0);
}

static void abort_in_body(struct http_exchange *x, struct str bytes, bool last)
{
    (void)last;
    http_abort(x);
    rig_say("%c is still readable;", bytes.n ? bytes.p[0] : '-');
}

static void an_exchange_may_be_aborted_in_any_callback(void **state)
{
    (void)state;
    app.on_body = abort_in_body;
    const char *raw =
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    for (size_t cut = 1; cut < strlen(raw); cut++) { /* some views are into what was kept */
        int fd = server_dial();
        rig_forget();
        peer_send_n(fd, raw, cut);
        rig_settle();
        peer_send(fd, raw + cut);
        rig_expect("a is still readable;");
        rig_expect_not("de");
        assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
        peer_close(fd);
    }
    server_left(0);
}

static void abort_when_drained(struct http_exchange *x)
{
    app.x = NULL;
    http_abort(x);
}

static void an_exchange_may_be_aborted_when_drained(void **state)
{
    (void)state;
    app.on_drained = abort_when_drained;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    size_t n = app_fill(x);
    char *got = mem_alloc(n);
    peer_read_n(fd, got, n);
    rig_expect("drained;");
    mem_free(got);
    peer_close(fd);
    server_left(0);
}

/* Upgrades. */

static struct http_exchange *upgraded(int fd, const char *more)
{
    peer_send(fd, "GET /hold HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    peer_send(fd, more);
    rig_expect("request");
    rig_settle();
    struct http_exchange *x = app.x;
    http_head_begin(x, 101);
    http_head_lines(x, STR("Upgrade: websocket\r\n"));
    http_go_raw(x);
    http_head_end(x, HTTP1_NO_BODY, 0, false);
    http_flush(x);
    assert_string_equal(peer_read(fd, "\r\n\r\n"),
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    return x;
}

static void after_an_upgrade_bytes_pass_both_ways(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = upgraded(fd, "early");
    rig_expect("body early;");
    http_send(x, STR("0\r\n\r\n"));
    assert_string_equal(peer_read(fd, "0\r\n\r\n"), "0\r\n\r\n");
    peer_send(fd, GET("/now")); /* bytes like others */
    rig_expect("body GET /now HTTP/1.1");
    rig_wait_us(86400 * SECOND);
    rig_expect_not("closed");
    http_pause(x);
    peer_send(fd, "later");
    rig_expect_not("later");
    http_resume(x);
    rig_expect("body later;");
    http_send_end(x, STR("bye"));
    assert_string_equal(peer_read(fd, NULL), "bye");
    rig_expect("done;");
    peer_close(fd);
    server_left(0);
}

static void the_end_of_an_upgraded_client_is_told_once(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = upgraded(fd, "");
    app_fill(x); /* so that the end cannot be sent at once */
    shutdown(fd, SHUT_WR);
    rig_expect("body .;");
    http_send_end(x, STR("bye"));
    for (int i = 0; i < 5; i++) {
        loop_requeue(rig.loop, &http_conn_of(x)->io, LOOP_READ);
        rig_settle();
    }
    assert_int_equal(rig_count("body"), 1);
    assert_non_null(peer_read(fd, "bye"));
    rig_expect("done;");
    peer_close(fd);
    server_left(0);
    fd = server_dial();
    rig_forget();
    upgraded(fd, "");
    peer_reset(fd);
    rig_expect("closed client_cancelled;");
    server_left(0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, server_open, server_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_connection_serves_one_request_after_another),
        CASE(pipelined_requests_are_answered_in_order_at_every_split),
        CASE(pipelined_requests_are_answered_in_order_byte_by_byte),
        CASE(a_second_empty_line_before_a_request_is_refused),
        CASE(a_large_body_arrives_whole),
        CASE(answers_have_the_framing_that_the_client_can_read),
        CASE(http_1_0_closes_unless_asked_to_stay),
        CASE(answers_without_a_body_have_none),
        CASE(an_answer_that_breaks_its_length_breaks_the_connection),
        CASE(the_body_is_asked_for_when_the_client_waits),
        CASE(an_early_answer_reaches_a_client_that_reads_last),
        CASE(who_was_told_to_close_gets_no_second_answer),
        CASE(lingering_has_an_end),
        CASE(what_is_no_request_is_refused_and_the_connection_closed),
        CASE(a_head_without_end_is_refused_at_its_limit),
        CASE(a_broken_chunk_ends_the_exchange_with_400),
        CASE(an_aborted_answer_looks_broken),
        CASE(an_exchange_may_be_aborted_in_any_callback),
        CASE(an_exchange_may_be_aborted_when_drained),
        CASE(after_an_upgrade_bytes_pass_both_ways),
        CASE(the_end_of_an_upgraded_client_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
