/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to upstream over real sockets: answers of each framing in any pieces, streamed requests,
 * pausing, upgrades. How calls fail is in test_http_client_ends.c.
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

static void a_call_is_answered_and_its_connection_used_again(void **state)
{
    (void)state;
    int fd = client_asked();
    for (int i = 0; i < 3; i++) {
        peer_send(fd, OK_ANSWER);
        rig_expect("head 200;body ok.;");
        assert_null(client.call[0].conn);
        client_expect_pool(1, 1);
        rig_forget();
        client_begin(0);
        assert_true(client.call[0].reused);
        assert_string_equal(peer_read(fd, "hello"), REQUEST "hello");
    }
    peer_close(fd);
}

static const struct {
    const char *request, *answer;
    const char *said, *content;
    bool kept;
} answers[] = {
    {REQUEST, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "head 200;", "hello", true},
    {REQUEST, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "head 200;", "", true},
    {REQUEST, "HTTP/1.1 500 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", "head 500;", "no", false},
    {REQUEST, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "head 200;", "ok", false},
    {REQUEST, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "head 200;", "ok", true},
    {REQUEST, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nA: b\r\n\r\n",
     "head 200;", "abcde", true},
    {REQUEST,
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     "head 200;", "x", true},
    {REQUEST, "HTTP/1.1 204 No Content\r\n\r\n", "head 204;", "", true},
    {REQUEST, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "head 204;", "", false},
    {REQUEST, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "head 304;", "", true},
    {"HEAD /x HTTP/1.1\r\nHost: h\r\nX: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "head 200;", "",
     true},
    {"HEAD /x HTTP/1.1\r\nHost: h\r\nX: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "head 200;", "", true},
    {REQUEST, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", "head 200;", "ok", false},
};

static void answers_are_read_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        for (size_t cut = 0; cut <= strlen(answers[i].answer); cut++) {
            rig_forget();
            buf_reset(&client.got);
            client_begin_text(0, answers[i].request, "hello");
            int fd = peer_accept(client.up.listening);
            peer_read(fd, "hello");
            peer_send_n(fd, answers[i].answer, cut);
            rig_settle();
            peer_send(fd, answers[i].answer + cut);
            rig_expect(answers[i].said);
            rig_expect(".;");
            if (!str_eq(buf_str(&client.got), str_c(answers[i].content)))
                fail_msg("'%.*s' instead of '%s' at %zu of: %s", STR_ARG(buf_str(&client.got)), answers[i].content, cut,
                         answers[i].answer);
            assert_int_equal(rig_count("."), 1);
            client_expect_pool(answers[i].kept, answers[i].kept);
            peer_close(fd);
            client_expect_pool(0, 0); /* the end of an idle connection is noticed */
        }
    }
}

static void an_answer_until_close_ends_with_the_connection(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 200 OK\r\n\r\nabc\r\n0\r\n\r\n";
    for (size_t cut = 0; cut < sizeof answer; cut++) {
        rig_forget();
        buf_reset(&client.got);
        int fd = client_asked();
        peer_send_n(fd, answer, cut);
        rig_settle();
        peer_send(fd, answer + cut);
        rig_expect_not(".;");
        peer_close(fd);
        rig_expect(".;");
        assert_true(str_eq(buf_str(&client.got), STR("abc\r\n0\r\n\r\n")));
        client_expect_pool(0, 0);
    }
}

static void the_last_used_connection_is_lent_first(void **state)
{
    (void)state;
    int fd[3];
    for (int i = 0; i < 3; i++) {
        client_begin(i);
        fd[i] = peer_accept(client.up.listening);
        peer_read(fd[i], "hello");
    }
    for (int i = 0; i < 3; i++) {
        peer_send(fd[i], OK_ANSWER);
        rig_settle();
    }
    client_expect_pool(3, 3);
    client_begin(0);
    peer_read(fd[2], "hello");
    client_begin(1);
    peer_read(fd[1], "hello");
    rig_wait_us(4 * SECOND);
    peer_send(fd[2], OK_ANSWER);
    rig_wait_us(57 * SECOND); /* the one that was never lent has been idle for a minute */
    assert_int_equal(peer_end(fd[0], true), PEER_FIN);
    for (int i = 0; i < 3; i++)
        peer_close(fd[i]);
}

static void calls_to_different_origins_share_nothing(void **state)
{
    (void)state;
    int fd = client_pooled();
    struct upstream first = client.up;
    client.up.listening = peer_listen(&client.up.port);
    client_begin(0);
    assert_false(client.call[0].reused);
    int other = peer_accept(client.up.listening);
    peer_read(other, "hello");
    client_expect_pool(2, 1);
    peer_close(other);
    peer_close(fd);
    close(first.listening);
}

static void the_number_of_connections_has_a_limit(void **state)
{
    (void)state;
    int fd[4];
    for (int i = 0; i < 4; i++) {
        client_begin(i);
        fd[i] = peer_accept(client.up.listening);
        peer_read(fd[i], "hello");
    }
    client_begin(4);
    rig_expect_not("4:head");
    rig_expect("4:failed upstream_connections_exhausted;");
    /* Pausing a call that is about to be refused does not keep it alive. */
    client_begin_streamed(5, REQUEST, false);
    http_call_pause(&client.call[5]);
    rig_expect("5:failed upstream_connections_exhausted;");
    client_expect_pool(4, 0);
    peer_send(fd[1], OK_ANSWER);
    rig_expect("1:body ok.;");
    client_begin(6);
    peer_read(fd[1], "hello");
    for (int i = 0; i < 4; i++)
        peer_close(fd[i]);
}

/* Streamed requests. */

#define CHUNKED "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

static void a_streamed_body_is_framed_as_asked(void **state)
{
    (void)state;
    client_begin_streamed(0, CHUNKED, true);
    http_call_body(&client.call[0], STR("ab")); /* no connection yet */
    int fd = peer_accept(client.up.listening);
    http_call_body(&client.call[0], STR("0123456789abcdef"));
    http_call_body(&client.call[0], STR(""));
    rig_settle();
    http_call_body(&client.call[0], STR("c"));
    http_call_body_end(&client.call[0]);
    http_call_body_end(&client.call[0]);
    assert_string_equal(peer_read(fd, "0\r\n\r\n"), CHUNKED "2\r\nab\r\n10\r\n0123456789abcdef\r\n1\r\nc\r\n0\r\n\r\n");
    peer_send(fd, OK_ANSWER);
    rig_expect("body ok.;");
    client_expect_pool(1, 1);
    client_begin_streamed(0, REQUEST, false);
    http_call_body(&client.call[0], STR("hel"));
    http_call_body(&client.call[0], STR("lo"));
    http_call_body_end(&client.call[0]);
    assert_string_equal(peer_read(fd, "hello"), REQUEST "hello");
    peer_send(fd, OK_ANSWER);
    rig_expect("body ok.;");
    client_expect_pool(1, 1);
    peer_close(fd);
}

/* Gives pieces until the high mark waits; returns how many bytes. */
static size_t fill(struct http_call *call)
{
    static char piece[10000];
    size_t sent = 0;
    for (int i = 0; i < 1000 && http_call_unsent(call) <= 65536; i++, sent += sizeof piece) {
        memset(piece, 'a' + i % 26, sizeof piece);
        http_call_body(call, str_of(piece, sizeof piece));
    }
    assert_true(http_call_unsent(call) > 65536);
    return sent;
}

static void check_filled(const char *got, size_t n, bool chunked)
{
    size_t step = chunked ? 10008 : 10000;
    for (size_t i = 0; i * 10000 < n; i++)
        for (size_t at = 0; at < 10000; at++)
            if (got[i * step + (chunked ? 6 : 0) + at] != (char)('a' + i % 26))
                fail_msg("a wrong byte in piece %zu", i);
}

static void what_was_unsent_is_reported_drained(void **state)
{
    (void)state;
    for (int early = 0; early < 2; early++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            rig_forget();
            client_begin_streamed(0, CHUNKED, chunked);
            int fd = -1;
            if (!early) {
                fd = peer_accept(client.up.listening);
                rig_settle();
            }
            size_t n = fill(&client.call[0]); /* while it is dialed, or while upstream does not read */
            if (!early)
                rig_expect_not("drained;");
            else
                fd = peer_accept(client.up.listening);
            char *got = mem_alloc(n * 2);
            peer_read(fd, "\r\n\r\n");
            peer_read_n(fd, got, chunked ? n / 10000 * 10008 : n);
            check_filled(got, n, chunked);
            rig_expect("drained;");
            assert_int_equal(rig_count("drained;"), 1);
            http_call_body_end(&client.call[0]);
            if (chunked)
                peer_read(fd, "0\r\n\r\n");
            peer_send(fd, OK_ANSWER);
            rig_expect("body ok.;");
            peer_close(fd);
            mem_free(got);
        }
    }
}

static void a_caller_that_never_stops_breaks_the_request_rather_than_its_content(void **state)
{
    (void)state;
    char *piece = mem_zalloc(1 << 20);
    client_begin_streamed(0, CHUNKED, true);
    int fd = peer_accept(client.up.listening);
    for (int i = 0; i < 24; i++)
        http_call_body(&client.call[0], str_of(piece, 1 << 20));
    http_call_body_end(&client.call[0]);
    rig_expect("failed upstream_closed;");
    assert_null(strstr(peer_read(fd, NULL), "\r\n0\r\n\r\n"));
    client_expect_pool(0, 0);
    peer_close(fd);
    mem_free(piece);
}

static void a_large_whole_request_goes_as_upstream_takes_it(void **state)
{
    (void)state;
    size_t n = 16 << 20, step = n / 32;
    char *body = mem_alloc(n + 1), *got = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        body[i] = (char)('a' + (i >> 4) % 26);
    body[n] = '\0';
    peer_narrow(client.up.listening); /* what it accepts inherits that; else the kernel takes all at once */
    client_begin_text(0, REQUEST, body);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    for (size_t at = 0; at < n; at += step) { /* slower than the time-out, but it goes on */
        rig_wait_us(SECOND / 2);
        peer_read_n(fd, got + at, step);
    }
    assert_memory_equal(got, body, n);
    peer_send(fd, OK_ANSWER);
    rig_expect("body ok.;");
    client_expect_pool(1, 1);
    peer_close(fd);
    mem_free(got);
    mem_free(body);
}

static void an_early_refusal_stops_the_request(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno";
    char *body = mem_zalloc((5 << 20) + 1);
    memset(body, 'x', 5 << 20);
    client_begin_text(0, REQUEST, body);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    peer_send(fd, answer);
    rig_expect("head 413;body no.;");
    client_expect_pool(0, 0); /* half a request was sent: nothing can follow it */
    peer_close(fd);
    rig_forget();
    client_begin_streamed(0, CHUNKED, true);
    fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    fill(&client.call[0]);
    peer_send(fd, answer);
    rig_expect("head 413;body no.;");
    http_call_body(&client.call[0], STR("too late"));
    http_call_body_end(&client.call[0]);
    client_expect_pool(0, 0);
    peer_close(fd);
    mem_free(body);
}

static void an_early_success_does_not_stop_it(void **state)
{
    (void)state;
    size_t n = 3 << 20;
    char *body = mem_alloc(n + 1), *got = mem_alloc(n);
    memset(body, 'x', n);
    memset(body + n / 2, 'y', n / 2);
    body[n] = '\0';
    peer_narrow(client.up.listening);
    client_begin_text(0, REQUEST, body);
    int fd = peer_accept(client.up.listening);
    peer_read(fd, "\r\n\r\n");
    peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nso");
    rig_expect("head 200;body so;");
    memset(body, 'z', n); /* its view ended there */
    peer_read_n(fd, got, n);
    for (size_t i = 0; i < n; i++)
        if (got[i] != (i < n / 2 ? 'x' : 'y'))
            fail_msg("byte %zu is wrong", i);
    peer_send(fd, "on");
    rig_expect("body on.;");
    client_expect_pool(1, 1);
    peer_close(fd);
    mem_free(got);
    mem_free(body);
}

/* Pausing. */

static void a_paused_call_reads_nothing_and_no_time_runs(void **state)
{
    (void)state;
    client.quiet = true;
    int fd = client_asked();
    peer_narrow(fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
    rig_expect("head 200;");
    http_call_pause(&client.call[0]);
    char *piece = mem_alloc(100000);
    size_t sent = 0;
    for (int i = 0; i < 200; i++) {
        for (size_t at = 0; at < 100000; at++)
            piece[at] = (char)((sent + at) / 1000);
        sent += peer_write(fd, piece, 100000);
        rig_settle();
    }
    assert_in_range(sent, 1000, 300000); /* the kernel's buffers, not ours, and they stay small */
    assert_int_equal(buf_size(&client.got), 0);
    rig_wait_us(3600 * SECOND);
    rig_expect_not("failed");
    http_call_resume(&client.call[0]);
    while (sent < 8000000) {
        size_t n = 8000000 - sent < 100000 ? 8000000 - sent : 100000;
        for (size_t at = 0; at < n; at++)
            piece[at] = (char)((sent + at) / 1000);
        sent += peer_write(fd, piece, n);
        rig_settle();
    }
    rig_expect(".;");
    assert_int_equal(buf_size(&client.got), 8000000);
    for (size_t at = 0; at < 8000000; at++)
        if (buf_str(&client.got).p[at] != (char)(at / 1000))
            fail_msg("byte %zu is wrong", at);
    client_expect_pool(1, 1);
    mem_free(piece);
    peer_close(fd);
}

static void pause_body(struct http_call *call, struct str bytes, bool last)
{
    (void)bytes;
    if (!last)
        http_call_pause(call);
}

static void a_call_paused_in_the_middle_of_a_read_goes_on_there(void **state)
{
    (void)state;
    client.on_body = pause_body;
    int fd = client_asked();
    peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
    rig_expect("body a;");
    rig_expect_not("body b;");
    http_call_resume(&client.call[0]);
    rig_expect("body b;");
    rig_expect_not("body c;");
    http_call_resume(&client.call[0]);
    rig_expect("body c;");
    rig_expect_not(".");
    http_call_resume(&client.call[0]);
    rig_expect("body .;");
    client_expect_pool(1, 1);
    peer_close(fd);
}

/* Callbacks that begin, and end, calls. */

static void begin_next(struct http_call *call, struct str bytes, bool last)
{
    (void)call;
    (void)bytes;
    if (last && rig_count(".;") == 1)
        client_begin(0);
}

static void the_end_of_a_call_may_begin_the_next(void **state)
{
    (void)state;
    client.on_body = begin_next;
    for (size_t cut = 1; cut < strlen(OK_ANSWER); cut++) {
        rig_forget();
        buf_reset(&client.got);
        int fd = client_asked();
        peer_send_n(fd, OK_ANSWER, cut);
        rig_settle();
        peer_send(fd, OK_ANSWER + cut);
        assert_string_equal(peer_read(fd, "hello"), REQUEST "hello"); /* on the same connection */
        peer_send(fd, OK_ANSWER);
        while (rig_count(".;") < 2)
            rig_settle();
        assert_true(str_eq(buf_str(&client.got), STR("okok")));
        peer_close(fd);
        client_expect_pool(0, 0);
    }
}

static void cancel_head(struct http_call *call)
{
    http_call_cancel(call);
}

static void cancel_body(struct http_call *call, struct str bytes, bool last)
{
    (void)bytes;
    (void)last;
    http_call_cancel(call);
}

static void a_call_may_be_cancelled_in_any_callback(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n";
    for (int in_body = 0; in_body < 2; in_body++) {
        client.on_head = in_body ? NULL : cancel_head;
        client.on_body = in_body ? cancel_body : NULL;
        for (size_t cut = 0; cut < sizeof answer - 1; cut++) {
            rig_forget();
            int fd = client_asked();
            peer_send_n(fd, answer, cut);
            rig_settle();
            peer_send(fd, answer + cut);
            rig_expect(in_body ? "head 200;body a;" : "head 200;");
            rig_expect_not(in_body ? "body b" : "body");
            client_expect_pool(0, 0);
            assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
            peer_close(fd);
        }
    }
}

static void a_cancelled_call_is_silent_at_each_stage(void **state)
{
    (void)state;
    for (int stage = 0; stage < 4; stage++) {
        client_begin(0);
        int fd = -1;
        if (stage >= 1)
            fd = peer_accept(client.up.listening);
        if (stage >= 2)
            peer_read(fd, "hello");
        if (stage >= 3) {
            peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
            rig_expect("body abc;");
        }
        http_call_cancel(&client.call[0]);
        http_call_cancel(&client.call[0]);
        http_call_resume(&client.call[0]);
        http_call_body_end(&client.call[0]);
        assert_int_equal(http_call_unsent(&client.call[0]), 0);
        client_expect_pool(0, 0);
        rig_expect_not("failed");
        rig_expect_not(".");
        if (fd < 0)
            continue; /* nobody was called yet */
        assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
        peer_close(fd);
    }
}

/* Upgrades. */

static void after_101_bytes_pass_both_ways(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly";
    for (size_t cut = 0; cut < sizeof answer - 1; cut += 5) {
        rig_forget();
        buf_reset(&client.got);
        client_begin_streamed(0, "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", false);
        int fd = peer_accept(client.up.listening);
        peer_read(fd, "\r\n\r\n");
        peer_send_n(fd, answer, cut);
        rig_settle();
        peer_send(fd, answer + cut);
        rig_expect("head 101;");
        while (buf_size(&client.got) < 5)
            rig_settle();
        http_call_body(&client.call[0], STR("0\r\n\r\n"));
        assert_string_equal(peer_read(fd, "\r\n\r\n"), "0\r\n\r\n");
        rig_wait_us(86400 * SECOND);
        http_call_pause(&client.call[0]);
        peer_send(fd, "later");
        rig_expect_not("later");
        http_call_resume(&client.call[0]);
        rig_expect("later;");
        assert_true(str_eq(buf_str(&client.got), STR("earlylater")));
        peer_close(fd);
        rig_expect("body .;");
        client_expect_pool(0, 0);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, client_open, client_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_call_is_answered_and_its_connection_used_again),
        CASE(answers_are_read_at_every_split),
        CASE(an_answer_until_close_ends_with_the_connection),
        CASE(the_last_used_connection_is_lent_first),
        CASE(calls_to_different_origins_share_nothing),
        CASE(the_number_of_connections_has_a_limit),
        CASE(a_streamed_body_is_framed_as_asked),
        CASE(what_was_unsent_is_reported_drained),
        CASE(a_caller_that_never_stops_breaks_the_request_rather_than_its_content),
        CASE(a_large_whole_request_goes_as_upstream_takes_it),
        CASE(an_early_refusal_stops_the_request),
        CASE(an_early_success_does_not_stop_it),
        CASE(a_paused_call_reads_nothing_and_no_time_runs),
        CASE(a_call_paused_in_the_middle_of_a_read_goes_on_there),
        CASE(the_end_of_a_call_may_begin_the_next),
        CASE(a_call_may_be_cancelled_in_any_callback),
        CASE(a_cancelled_call_is_silent_at_each_stage),
        CASE(after_101_bytes_pass_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
