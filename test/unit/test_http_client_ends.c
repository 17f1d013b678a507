/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How calls to upstream fail: by time, by an upstream that ends or resets at each byte, by answers that
 * are none; and the one case in which a request is repeated.
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
#include "client_rig.h"

/* Closes without a turn of the loop, so that the client learns of it late. */
static void close_unseen(int fd, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* That nobody calls. */
static void expect_no_caller(void)
{
    rig_settle();
    assert_int_equal(http_client_stats_of(client.http).open, 0);
}

/* An upstream that dies. */

static const struct {
    const char *answer;
    bool fin_completes; /* an end in order after the head is the answer's end */
} exchanges[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n", false},
    {"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", false},
    {"HTTP/1.1 200 OK\r\n\r\nhello", true},
    {"HTTP/1.1 204 No Content\r\n\r\n", false},
};

static void an_upstream_that_ends_at_each_byte_is_a_failure_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
        const char *answer = exchanges[i].answer;
        size_t n = strlen(answer), head = n;
        if (exchanges[i].fin_completes)
            head = (size_t)(strstr(answer, "\r\n\r\n") + 4 - answer);
        for (size_t cut = 0; cut < n; cut++) {
            for (int reset = 0; reset < 2; reset++) {
                rig_forget();
                int fd = client_asked();
                peer_send_n(fd, answer, cut);
                rig_settle();
                (reset ? peer_reset : peer_close)(fd);
                bool complete = exchanges[i].fin_completes && cut >= head && !reset;
                rig_expect(complete ? "body .;" : "failed upstream_closed;");
                assert_int_equal(rig_count(".;") + rig_count("failed"), 1);
                expect_no_caller();
            }
        }
    }
}

static void half_a_request_and_an_end_is_a_failure(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        char *body = mem_zalloc((5 << 20) + 1);
        memset(body, 'x', 5 << 20);
        rig_forget();
        client_begin_text(0, REQUEST, body);
        int fd = peer_accept(client.up.listening);
        peer_read(fd, "\r\n\r\n");
        (reset ? peer_reset : peer_close)(fd);
        rig_expect("failed upstream_closed;");
        expect_no_caller();
        mem_free(body);
    }
}

static void an_answer_before_the_end_of_the_request_is_heard_over_the_break(void **state)
{
    (void)state;
    char *body = mem_zalloc((5 << 20) + 1);
    memset(body, 'x', 5 << 20);
    client_begin_text(0, REQUEST, body);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    rig_settle();
    static const char answer[] = "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno";
    assert_int_equal(send(fd, answer, sizeof answer - 1, 0), sizeof answer - 1);
    close_unseen(fd, false); /* with unread bytes: a reset follows the answer */
    for (int i = 0; i < 200 && !rig_count(".;") && !rig_count("failed"); i++)
        rig_settle();
    /* The kernel may have thrown the answer away; never is it half. */
    assert_true(rig_count("head 413;body no.;") || rig_count("failed upstream_closed;") == 1);
    mem_free(body);
}

static void a_reset_is_no_end_of_an_answer_until_close(void **state)
{
    (void)state;
    /* A streamed request goes on while the answer comes: the write learns of the reset first. */
    for (int i = 0; i < 20; i++) {
        rig_forget();
        client_begin_streamed(0, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", true);
        int fd = peer_accept(client.up.listening);
        peer_read(fd, "\r\n\r\n");
        peer_send(fd, "HTTP/1.1 200 OK\r\n\r\nhalf");
        rig_expect("body half;");
        close_unseen(fd, true);
        for (int j = 0; j <= i % 3; j++)
            http_call_body(&client.call[0], STR("more"));
        rig_expect("failed upstream_closed;");
        rig_expect_not(".;");
        expect_no_caller();
    }
}

/* Stale connections. */

static void an_idle_connection_that_ends_is_dropped(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        int fd = client_pooled();
        (reset ? peer_reset : peer_close)(fd);
        client_expect_pool(0, 0);
    }
    int fd = client_pooled();
    peer_send(fd, "H"); /* nobody asked */
    client_expect_pool(0, 0);
    peer_close(fd);
}

static void a_connection_that_was_dead_is_replaced_once(void **state)
{
    (void)state;
    int fd = client_pooled();
    close_unseen(fd, false);
    client_begin(0);
    assert_true(client.call[0].reused);
    fd = peer_accept(client.up.listening);
    assert_string_equal(peer_read(fd, "hello"), REQUEST "hello");
    assert_false(client.call[0].reused);
    assert_true(client.call[0].retried);
    peer_send(fd, OK_ANSWER);
    rig_expect("head 200;body ok.;");
    client_expect_pool(1, 1);
    /* The fresh connection's death is final. */
    rig_forget();
    close_unseen(fd, false);
    client_begin(0);
    fd = peer_accept(client.up.listening);
    peer_read(fd, "hello");
    peer_close(fd);
    rig_expect("failed upstream_closed;");
    expect_no_caller();
}

static void a_large_request_is_replaced_too(void **state)
{
    (void)state;
    char *body = mem_zalloc((1 << 20) + 1);
    memset(body, 'y', 1 << 20);
    char *got = mem_alloc(1 << 20);
    int fd = client_pooled();
    close_unseen(fd, false);
    client_begin_text(0, REQUEST, body);
    fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    peer_read_n(fd, got, 1 << 20);
    assert_memory_equal(got, body, 1 << 20);
    peer_send(fd, OK_ANSWER);
    rig_expect("head 200;body ok.;");
    mem_free(got);
    mem_free(body);
    peer_close(fd);
}

static void a_request_that_upstream_may_have_seen_is_never_repeated(void **state)
{
    (void)state;
    static const char *const begun[] = {"", "H", "HTTP/1.1 100 Continue\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"};
    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        for (int reset = 0; reset < 2; reset++) {
            int fd = client_pooled();
            client_begin(0);
            assert_true(client.call[0].reused);
            peer_read(fd, "hello");
            peer_send(fd, begun[i]);
            close_unseen(fd, reset);
            rig_expect("failed upstream_closed;");
            assert_false(client.call[0].retried);
            expect_no_caller();
        }
    }
    /* Half of it is enough to act on. */
    int fd = client_pooled();
    client_begin(0);
    peer_read(fd, "\r\n\r\n");
    close_unseen(fd, true);
    rig_expect("failed upstream_closed;");
    expect_no_caller();
}

static void a_reset_without_an_end_says_nothing_about_the_request(void **state)
{
    (void)state;
    int fd = client_pooled();
    client_begin(0); /* on its way, perhaps read, when the reset comes */
    close_unseen(fd, true);
    rig_expect("failed upstream_closed;");
    assert_false(client.call[0].retried);
    expect_no_caller();
}

static void a_streamed_request_is_not_begun_on_a_dead_connection(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        int fd = client_pooled();
        if (how == 2)
            assert_int_equal(send(fd, "x", 1, 0), 1);
        else
            close_unseen(fd, how);
        client_begin_streamed(0, REQUEST, false);
        assert_false(client.call[0].reused);
        http_call_body(&client.call[0], STR("hello"));
        http_call_body_end(&client.call[0]);
        if (how == 2)
            peer_close(fd);
        fd = peer_accept(client.up.listening);
        assert_string_equal(peer_read(fd, "hello"), REQUEST "hello");
        peer_send(fd, OK_ANSWER);
        rig_expect("body ok.;");
        peer_close(fd);
        client_expect_pool(0, 0);
    }
}

/* Time. */

static void no_answer_is_a_time_out(void **state)
{
    (void)state;
    int fd = client_asked();
    rig_wait_us(9 * SECOND);
    rig_expect_not("failed");
    rig_wait_us(2 * SECOND);
    rig_expect_now("failed upstream_timeout;");
    assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
    peer_close(fd);
    expect_no_caller();
}

static void half_a_head_is_no_answer(void **state)
{
    (void)state;
    const char *answer = "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 OK\r\n";
    int fd = client_asked();
    for (int i = 0; i < 9; i++) {
        peer_send_n(fd, answer + i * 4, 4);
        rig_wait_us(SECOND);
    }
    rig_expect_not("failed");
    rig_wait_us(2 * SECOND);
    rig_expect_now("failed upstream_timeout;");
    peer_close(fd);
    expect_no_caller();
}

static void an_answer_may_take_long_but_not_pause_long(void **state)
{
    (void)state;
    int fd = client_asked();
    rig_wait_us(9 * SECOND);
    peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        rig_wait_us(4 * SECOND);
        peer_send(fd, "x");
    }
    rig_expect_not("failed");
    rig_wait_us(6 * SECOND);
    rig_expect_now("failed upstream_idle_timeout;");
    peer_close(fd);
    expect_no_caller();
}

static void an_upload_may_take_long(void **state)
{
    (void)state;
    client_begin_streamed(0, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", true);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        rig_wait_us(8 * SECOND);
        http_call_body(&client.call[0], STR("x"));
    }
    http_call_body_end(&client.call[0]);
    rig_wait_us(8 * SECOND);
    rig_expect_not("failed");
    rig_wait_us(3 * SECOND);
    rig_expect_now("failed upstream_timeout;");
    peer_close(fd);
}

static void an_upstream_that_takes_nothing_is_a_time_out(void **state)
{
    (void)state;
    char *body = mem_zalloc((5 << 20) + 1);
    memset(body, 'x', 5 << 20);
    client_begin_text(0, REQUEST, body);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    rig_wait_us(9 * SECOND);
    rig_expect_not("failed");
    rig_wait_us(2 * SECOND);
    rig_expect_now("failed upstream_timeout;");
    peer_close(fd);
    mem_free(body);
}

/* Answers that are none. */

static void what_is_no_http_is_a_failure(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "SSH-2.0-x\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rig_forget();
        int fd = client_asked();
        peer_send(fd, wrong[i]);
        rig_expect("failed upstream_invalid_response;");
        rig_expect_not(".;");
        assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
        peer_close(fd);
        expect_no_caller();
    }
}

static void what_has_no_end_is_a_failure_at_a_limit(void **state)
{
    (void)state;
    char *much = mem_alloc(200001);
    int fd = client_asked(); /* a head */
    memset(much, 'x', 200000);
    much[200000] = '\0';
    peer_send(fd, "HTTP/1.1 200 OK\r\nA: ");
    peer_send(fd, much);
    rig_expect("failed upstream_invalid_response;");
    peer_close(fd);
    rig_forget();
    fd = client_asked(); /* interim answers */
    for (int i = 0; i < 16; i++)
        peer_send(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    rig_expect_not("failed");
    peer_send(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    rig_expect("failed upstream_invalid_response;");
    peer_close(fd);
    rig_forget();
    fd = client_asked(); /* an extension, a trailer */
    peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    peer_send(fd, much);
    rig_expect("failed upstream_invalid_response;");
    peer_close(fd);
    expect_no_caller();
    mem_free(much);
}

/* No connection at all. */

static void a_closed_port_is_a_failure(void **state)
{
    (void)state;
    close(client.up.listening);
    client_begin(0);
    rig_expect("failed upstream_unreachable;");
    client_begin_streamed(1, REQUEST, false);
    http_call_body(&client.call[1], STR("hello"));
    rig_expect("1:failed upstream_unreachable;");
    expect_no_caller();
    client.up.listening = peer_listen(&client.up.port);
}

static void an_address_that_is_not_allowed_is_a_failure(void **state)
{
    (void)state;
    struct dial_target target = {STR("10.0.0.1"), 80, false};
    struct http_call_options options = {.first_byte_timeout_us = SECOND, .idle_timeout_us = SECOND};
    client_begin(0); /* takes the application over */
    http_call_cancel(&client.call[0]);
    http_call_begin(client.http, &client.call[0], &target, &options, STR(REQUEST), STR("hello"));
    rig_expect("failed upstream_address_refused;");
    expect_no_caller();
}

static void freeing_the_client_is_silent(void **state)
{
    (void)state;
    int fd = client_pooled();
    client_begin(0);
    client_begin(1);
    rig_settle();
    struct http_client *gone = client.http;
    client.http = NULL;
    http_client_free(gone);
    rig_expect_not("failed");
    assert_null(client.call[0].conn);
    assert_null(client.call[1].conn);
    http_call_cancel(&client.call[0]);
    peer_close(fd);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, client_open, client_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_upstream_that_ends_at_each_byte_is_a_failure_once),
        CASE(half_a_request_and_an_end_is_a_failure),
        CASE(an_answer_before_the_end_of_the_request_is_heard_over_the_break),
        CASE(a_reset_is_no_end_of_an_answer_until_close),
        CASE(an_idle_connection_that_ends_is_dropped),
        CASE(a_connection_that_was_dead_is_replaced_once),
        CASE(a_large_request_is_replaced_too),
        CASE(a_request_that_upstream_may_have_seen_is_never_repeated),
        CASE(a_reset_without_an_end_says_nothing_about_the_request),
        CASE(a_streamed_request_is_not_begun_on_a_dead_connection),
        CASE(no_answer_is_a_time_out),
        CASE(half_a_head_is_no_answer),
        CASE(an_answer_may_take_long_but_not_pause_long),
        CASE(an_upload_may_take_long),
        CASE(an_upstream_that_takes_nothing_is_a_time_out),
        CASE(what_is_no_http_is_a_failure),
        CASE(what_has_no_end_is_a_failure_at_a_limit),
        CASE(a_closed_port_is_a_failure),
        CASE(an_address_that_is_not_allowed_is_a_failure),
        CASE(freeing_the_client_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
