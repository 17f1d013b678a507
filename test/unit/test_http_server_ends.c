/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a client's connection ends: by time, by a client that reads slowly or leaves, by a limit, by our
 * own end; and that slow clients cost little.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_conn.h"
#include "net/http_flush.h"
#include "server_rig.h"

/* Time. */

static void a_slow_head_is_given_up(void **state)
{
    (void)state;
    int fd = server_dial();
    const char *head = "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    for (int i = 0; i < 9; i++) {
        peer_send_n(fd, head + i, 1);
        rig_wait_us(SECOND);
    }
    rig_expect_not("refused");
    rig_wait_us(2 * SECOND);
    rig_expect_now("refused request_timeout;");
    assert_memory_equal(peer_read(fd, NULL), "HTTP/1.1 408 ", 13);
    peer_close(fd);
    server_left(0);
}

static void silence_is_ended_without_an_answer(void **state)
{
    (void)state;
    int fd = server_dial(); /* not a byte */
    rig_wait_us(11 * SECOND);
    assert_string_equal(peer_read(fd, NULL), "");
    peer_close(fd);
    fd = server_dial(); /* between requests */
    peer_send(fd, GET("/now"));
    peer_read(fd, "/now");
    rig_wait_us(70 * SECOND);
    peer_send(fd, GET("/now"));
    peer_read(fd, "/now");
    rig_wait_us(76 * SECOND);
    assert_string_equal(peer_read(fd, NULL), "");
    peer_close(fd);
    rig_expect_not("refused");
    server_left(0);
}

static void a_body_that_stops_is_given_up(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    (void)x;
    rig_wait_us(29 * SECOND);
    rig_expect_not("closed");
    rig_wait_us(2 * SECOND);
    rig_expect_now("closed request_timeout;");
    assert_memory_equal(peer_read(fd, NULL), "HTTP/1.1 408 ", 13);
    peer_close(fd);
    server_left(0);
}

static void a_body_that_trickles_is_given_up(void **state)
{
    (void)state;
    app.quiet = true;
    int fd = server_dial();
    server_held(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    char piece[4000] = "";
    for (int i = 0; i < 10; i++) { /* slow, but over the rate: 100 bytes a second on the whole */
        peer_send_n(fd, piece, 3000);
        rig_wait_us(25 * SECOND);
    }
    rig_expect_not("closed");
    for (int i = 0; i < 10; i++) {
        peer_send_n(fd, piece, 100);
        rig_wait_us(5 * SECOND);
    }
    rig_expect("closed request_timeout;");
    peer_close(fd);
    server_left(0);
}

static void waiting_for_the_answer_has_no_limit_here(void **state)
{
    (void)state;
    static const char *const requests[] = {
        GET("/hold"), "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
        "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
    for (size_t i = 0; i < 3; i++) {
        int fd = server_dial();
        rig_forget();
        struct http_exchange *x = server_held(fd, requests[i]);
        for (int day = 0; day < 3; day++)
            rig_wait_us(86400 * SECOND);
        rig_expect_not("closed");
        app_answer(x, STR("late"));
        assert_string_equal(peer_read(fd, "late"), OK_HEAD("4") "late");
        peer_close(fd);
    }
}

/* Slow readers. */

static void a_client_that_reads_again_is_reported_drained_once(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    size_t sent = app_fill(x), chunks = sent / 10000;
    rig_expect_not("drained");
    char *got = mem_alloc(sent + chunks * 8);
    peer_read(fd, "\r\n\r\n");
    peer_read_n(fd, got, chunks * (10000 + 8)); /* "2710\r\n" and "\r\n" */
    rig_expect("drained;");
    assert_int_equal(http_unsent(x), 0);
    assert_int_equal(rig_count("drained;"), 1);
    for (size_t i = 0; i < chunks; i++)
        assert_memory_equal(got + i * 10008, "2710\r\np", 7);
    sent = app_fill(x);
    mem_free(got);
    got = mem_alloc(sent / 10000 * 10008);
    peer_read_n(fd, got, sent / 10000 * 10008);
    rig_settle();
    assert_int_equal(rig_count("drained;"), 2);
    http_end(x);
    assert_string_equal(peer_read(fd, "\r\n\r\n"), "0\r\n\r\n");
    rig_expect("done;");
    mem_free(got);
    peer_close(fd);
}

static void a_client_that_stops_reading_is_given_up(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    app_fill(x);
    for (int i = 0; i < 11; i++) { /* what we go on sending is no sign of life of theirs */
        rig_wait_us(5 * SECOND);
        http_send(x, STR("more"));
    }
    rig_expect_not("closed");
    peer_send(fd, GET("/now")); /* nor is what they send */
    rig_wait_us(6 * SECOND);
    rig_expect_now("closed client_stalled;");
    assert_int_equal(peer_end(fd, true), PEER_RESET);
    peer_close(fd);
    server_left(0);
}

static void a_client_that_reads_slowly_is_not_given_up(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    static char some[100000];
    for (int i = 0; i < 30; i++) {
        while (http_unsent(x) <= HTTP_HIGH_WATER)
            http_send(x, str_of(some, 10000));
        peer_read_n(fd, some, sizeof some);
        rig_wait_us(50 * SECOND);
    }
    rig_expect_not("closed");
    peer_close(fd);
}

static void the_end_of_an_answer_may_wait_for_the_client(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    size_t sent = app_fill(x);
    http_send_end(x, STR("the end"));
    rig_expect_not("done");
    peer_send(fd, GET("/now"));
    rig_settle();
    char *got = mem_alloc(sent / 10000 * 10008);
    peer_read(fd, "\r\n\r\n");
    peer_read_n(fd, got, sent / 10000 * 10008);
    assert_string_equal(peer_read(fd, "/now"), "7\r\nthe end\r\n0\r\n\r\n" OK_HEAD("4") "/now");
    mem_free(got);
    peer_close(fd);
    /* A client that never takes the end is given up too. */
    fd = server_dial();
    rig_forget();
    x = server_held(fd, GET("/hold"));
    app_stream(x);
    app_fill(x);
    http_end(x);
    rig_wait_us(61 * SECOND);
    rig_expect_now("closed client_stalled;");
    peer_close(fd);
    server_left(0);
}

static void a_head_that_waits_for_its_body_is_no_stall(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    rig_wait_us(3600 * SECOND);
    rig_expect_not("closed");
    http_flush(x);
    assert_string_equal(peer_read(fd, "\r\n\r\n"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    rig_wait_us(3600 * SECOND);
    http_end(x);
    peer_read(fd, "0\r\n\r\n");
    peer_close(fd);
}

/* Slow sinks. */

static void a_paused_body_waits_and_no_time_runs(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01");
    rig_expect("body 01;");
    http_pause(x);
    peer_send(fd, "234567");
    rig_wait_us(3600 * SECOND);
    rig_expect_not("2");
    http_resume(x);
    rig_expect("body 234567;");
    rig_wait_us(29 * SECOND);
    rig_expect_not("closed");
    rig_wait_us(2 * SECOND);
    rig_expect_now("closed request_timeout;");
    peer_close(fd);
    server_left(0);
}

static void pause_in_body(struct http_exchange *x, struct str bytes, bool last)
{
    (void)bytes;
    if (!last)
        http_pause(x);
}

static void a_body_paused_in_the_middle_of_a_read_goes_on_there(void **state)
{
    (void)state;
    app.on_body = pause_in_body;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                              "1\r\na\r\n2\r\nbc\r\n1\r\nd\r\n0\r\n\r\n" GET("/now"));
    rig_expect("body a;");
    rig_expect_not("bc");
    http_resume(x);
    rig_expect("body bc;");
    rig_expect_not("body d");
    http_resume(x);
    rig_expect("body d;");
    http_resume(x);
    rig_expect("body .;");
    app_answer(x, STR("x"));
    assert_string_equal(peer_read(fd, "/now"), OK_HEAD("1") "x" OK_HEAD("4") "/now");
    peer_close(fd);
}

static void a_paused_client_holds_little_memory(void **state)
{
    (void)state;
    app.on_body = pause_in_body;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\nx");
    char piece[65536] = "";
    for (int i = 0; i < 200; i++) {
        peer_write(fd, piece, sizeof piece);
        rig_settle();
    }
    assert_in_range(buf_size(&http_conn_of(x)->in), 0, LOOP_SCRATCH);
    peer_reset(fd);
    rig_expect("closed client_cancelled;");
    server_left(0);
}

static void a_client_that_pipelines_much_holds_little_memory(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    char piece[65536] = "";
    for (int i = 0; i < 50; i++) {
        peer_write(fd, piece, sizeof piece);
        rig_settle();
    }
    assert_in_range(http_conn_of(x)->in.cap, 1, 16384);
    app_answer(x, STR("x"));
    rig_expect("done;refused invalid_http;");
    peer_close(fd);
    server_left(0);
}

/* Clients that go away. */

static void who_leaves_while_waiting_is_noticed(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        int fd = server_dial();
        rig_forget();
        server_held(fd, GET("/hold"));
        (reset ? peer_reset : peer_close)(fd);
        rig_expect("closed client_cancelled;");
        server_left(0);
    }
    /* The end of sending is taken for it too, as others do. */
    int fd = server_dial();
    rig_forget();
    server_held(fd, GET("/hold"));
    shutdown(fd, SHUT_WR);
    rig_expect("closed client_cancelled;");
    peer_close(fd);
    server_left(0);
}

static void who_ends_sending_still_gets_a_complete_answer(void **state)
{
    (void)state;
    int fd = server_dial();
    send(fd, GET("/now"), strlen(GET("/now")), 0);
    shutdown(fd, SHUT_WR);
    assert_string_equal(peer_read(fd, NULL), OK_HEAD("4") "/now");
    rig_expect("done;");
    peer_close(fd);
    /* Also when the kernel does not take all of it at once. */
    fd = server_dial();
    rig_forget();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    size_t sent = app_fill(x);
    http_send_end(x, STR("the end"));
    shutdown(fd, SHUT_WR);
    rig_settle();
    char *got = mem_alloc(sent / 10000 * 10008);
    peer_read(fd, "\r\n\r\n");
    peer_read_n(fd, got, sent / 10000 * 10008);
    assert_string_equal(peer_read(fd, NULL), "7\r\nthe end\r\n0\r\n\r\n");
    rig_expect("done;");
    mem_free(got);
    peer_close(fd);
    server_left(0);
}

static void an_end_at_each_byte_of_a_request_leaves_nothing_behind(void **state)
{
    (void)state;
    const char *raw = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    size_t head = (size_t)(strstr(raw, "\r\n\r\n") + 4 - raw);
    for (size_t n = 0; n < strlen(raw); n++) {
        for (int how = 0; how < 3; how++) {
            int fd = server_dial();
            rig_forget();
            peer_send_n(fd, raw, n);
            if (how == 0)
                peer_reset(fd);
            else if (how == 1)
                peer_close(fd);
            else
                shutdown(fd, SHUT_WR);
            server_left(0);
            assert_int_equal(rig_count("request"), n >= head);
            assert_int_equal(rig_count("closed client_cancelled;"), n >= head);
            rig_expect_not(".;");
            if (how == 2)
                peer_close(fd);
        }
    }
}

static void an_end_at_each_stage_of_an_answer_is_told(void **state)
{
    (void)state;
    for (int stage = 0; stage < 5; stage++) {
        for (int reset = 0; reset < 2; reset++) {
            int fd = server_dial();
            rig_forget();
            struct http_exchange *x = server_held(fd, GET("/hold"));
            if (stage >= 1)
                app_stream(x);
            if (stage >= 2)
                http_send(x, STR("a"));
            if (stage >= 3)
                app_fill(x);
            if (stage >= 4)
                http_end(x);
            rig_settle();
            (reset ? peer_reset : peer_close)(fd);
            rig_expect("closed client_cancelled;");
            assert_int_equal(rig_count("closed"), 1);
            rig_expect_not("done");
            server_left(0);
        }
    }
}

static void sending_to_who_has_left_is_harmless(void **state)
{
    (void)state;
    int fd = server_dial();
    struct http_exchange *x = server_held(fd, GET("/hold"));
    app_stream(x);
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd); /* the loop does not know yet */
    for (int i = 0; i < 10; i++)
        http_send(x, STR("hello"));
    http_send_end(x, STR("bye"));
    rig_expect("closed client_cancelled;");
    server_left(0);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static void who_is_gone_without_a_word_is_asked_for(void **state)
{
    (void)state;
    int fd = server_dial();
    int ours = http_conn_of(server_held(fd, GET("/hold")))->sock.fd;
    assert_int_equal(option(ours, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(ours, IPPROTO_TCP, TCP_KEEPIDLE) +
                         option(ours, IPPROTO_TCP, TCP_KEEPINTVL) * option(ours, IPPROTO_TCP, TCP_KEEPCNT),
                     SOCK_SILENCE_S);
    peer_close(fd);
}

/* Limits of the whole. */

static void connections_beyond_the_limit_are_told_so(void **state)
{
    (void)state;
    int fd[50];
    for (int i = 0; i < 50; i++)
        fd[i] = peer_connect(app.port);
    rig_settle();
    assert_int_equal(http_server_connections(app.server), 50);
    int more = peer_connect(app.port);
    peer_send(more, GET("/now"));
    const char *got = peer_read(more, NULL);
    assert_memory_equal(got, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(got, "Retry-After: 1\r\n"));
    assert_non_null(strstr(got, "overloaded"));
    peer_close(more);
    peer_close(fd[0]);
    more = peer_connect(app.port);
    peer_send(more, GET("/now"));
    peer_read(more, "/now");
    peer_close(more);
    for (int i = 1; i < 50; i++)
        close(fd[i]);
    server_left(0);
    /* A flood is not even told. */
    int flood[130];
    for (int i = 0; i < 130; i++)
        flood[i] = peer_connect(app.port);
    rig_settle();
    assert_in_range(http_server_connections(app.server), 50, 50 + 64);
    for (int i = 0; i < 130; i++)
        close(flood[i]);
    server_left(0);
}

static void without_descriptors_clients_are_told_and_others_served(void **state)
{
    (void)state;
    struct rlimit before, few;
    int fd = server_dial(), waiting[8], filled[100], count = 0;
    peer_send(fd, GET("/now"));
    peer_read(fd, "/now");
    for (int i = 0; i < 8; i++) {
        waiting[i] = peer_connect(app.port);
        send(waiting[i], GET("/now"), strlen(GET("/now")), 0);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){100, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((filled[count] = dup(0)) >= 0)
        count++;
    for (int i = 0; i < 8; i++) {
        const char *got = peer_read(waiting[i], NULL);
        assert_memory_equal(got, "HTTP/1.1 503 ", 13);
        const char *body = strstr(got, "\r\n\r\n") + 4;
        char wanted[64];
        snprintf(wanted, sizeof wanted, "Content-Length: %zu\r\n", strlen(body));
        assert_non_null(strstr(got, wanted));
    }
    peer_send(fd, GET("/now"));
    peer_read(fd, "/now");
    while (count)
        close(filled[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 8; i++)
        peer_close(waiting[i]);
    rig_wait_us(SECOND);
    int more = peer_connect(app.port);
    peer_send(more, GET("/now"));
    peer_read(more, "/now");
    peer_close(more);
    peer_close(fd);
    server_left(0);
}

static void draining_serves_what_has_come_and_closes(void **state)
{
    (void)state;
    int idle = server_dial(), busy = server_dial(), late = server_dial(), half = server_dial();
    struct http_exchange *x = server_held(busy, GET("/hold"));
    peer_send(half, "GET /now HTTP/1.1\r\nHost: h\r\nConn");
    rig_settle();
    send(late, GET("/now1"), strlen(GET("/now1")), 0); /* in the socket, not yet seen */
    struct http_exchange *kept = x;
    app.x = x;
    http_server_drain(app.server);
    assert_string_equal(peer_read(late, NULL),
                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n/now1");
    assert_string_equal(peer_read(idle, NULL), "");
    peer_close(late);
    server_left(2);
    peer_send(half, "ection: keep-alive\r\n\r\n");
    assert_string_equal(peer_read(half, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n/now");
    app.x = kept;
    app_answer(kept, STR("ok"));
    assert_string_equal(peer_read(busy, NULL), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    peer_close(idle);
    peer_close(busy);
    peer_close(half);
    server_left(0);
}

static void freeing_tells_whom_it_cuts(void **state)
{
    (void)state;
    int fd = server_dial();
    server_held(fd, GET("/hold"));
    http_server_free(app.server);
    rig_expect("closed draining;");
    char why[128];
    app.server = http_server_new(rig.loop, &app_callbacks, &app_limits, &app);
    assert_int_equal(http_server_listen(app.server, STR("nonsense"), NULL, why, sizeof why), ERR_LISTEN_FAILED);
    assert_string_equal(why, "'nonsense' is not HOST:PORT");
    assert_int_equal(http_server_listen(app.server, STR("[::1]:0"), NULL, why, sizeof why), ERR_OK);
    assert_true(http_server_port(app.server) > 0);
    peer_close(fd);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, server_open, server_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_slow_head_is_given_up),
        CASE(silence_is_ended_without_an_answer),
        CASE(a_body_that_stops_is_given_up),
        CASE(a_body_that_trickles_is_given_up),
        CASE(waiting_for_the_answer_has_no_limit_here),
        CASE(a_client_that_reads_again_is_reported_drained_once),
        CASE(a_client_that_stops_reading_is_given_up),
        CASE(a_client_that_reads_slowly_is_not_given_up),
        CASE(the_end_of_an_answer_may_wait_for_the_client),
        CASE(a_head_that_waits_for_its_body_is_no_stall),
        CASE(a_paused_body_waits_and_no_time_runs),
        CASE(a_body_paused_in_the_middle_of_a_read_goes_on_there),
        CASE(a_paused_client_holds_little_memory),
        CASE(a_client_that_pipelines_much_holds_little_memory),
        CASE(who_leaves_while_waiting_is_noticed),
        CASE(who_ends_sending_still_gets_a_complete_answer),
        CASE(an_end_at_each_byte_of_a_request_leaves_nothing_behind),
        CASE(an_end_at_each_stage_of_an_answer_is_told),
        CASE(sending_to_who_has_left_is_harmless),
        CASE(who_is_gone_without_a_word_is_asked_for),
        CASE(connections_beyond_the_limit_are_told_so),
        CASE(without_descriptors_clients_are_told_and_others_served),
        CASE(draining_serves_what_has_come_and_closes),
        CASE(freeing_tells_whom_it_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
