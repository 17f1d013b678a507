/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets: the same bytes come out whatever the splitting, ends and failures are told apart, and a
 * peer that only sends control records holds nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "tls_ends.h"

static void pass(int from, int to, size_t n)
{
    char b[64];
    ssize_t got = recv(from, b, n, MSG_DONTWAIT);
    if (got > 0)
        assert_int_equal(send(to, b, (size_t)got, MSG_NOSIGNAL), got);
}

static void a_handshake_survives_coming_byte_by_byte(void **state)
{
    (void)state;
    struct tls_client *tc = ends_client(ends.ca_path);
    struct tls_server *ts = ends_server();
    int near[2], far[2];
    char why[256] = "", b[64];
    ends_pair(near);
    ends_pair(far);
    struct sock c, s;
    sock_init(&c, near[0]);
    sock_init(&s, far[0]);
    assert_int_equal(sock_tls_connect(&c, tc, STR("good.example")), ERR_OK);
    assert_int_equal(sock_tls_accept(&s, ts), ERR_OK);
    enum sock_io a = SOCK_AGAIN, z = SOCK_AGAIN;
    int turns = 0;
    for (; turns < 10000 && (a != SOCK_DONE || z != SOCK_DONE); turns++) {
        a = a == SOCK_AGAIN ? sock_tls_handshake(&c, why, sizeof why) : a;
        z = z == SOCK_AGAIN ? sock_tls_handshake(&s, why, sizeof why) : z;
        pass(near[1], far[1], 1);
        pass(far[1], near[1], 1);
    }
    assert_true(turns < 10000);
    ends_write(&c, "hello");
    size_t got = 0;
    enum sock_io io = SOCK_AGAIN;
    for (turns = 0; turns < 1000 && io == SOCK_AGAIN; turns++) {
        pass(near[1], far[1], 1);
        io = sock_read(&s, b, sizeof b, &got);
    }
    assert_int_equal(io, SOCK_DONE);
    assert_memory_equal(b, "hello", 5);
    sock_close(&c);
    sock_close(&s);
    close(near[1]);
    close(far[1]);
    tls_client_free(tc);
    tls_server_free(ts);
}

static void pieces_of_one_write_share_a_record(void **state)
{
    (void)state;
    struct tls_client *t = ends_client(ends.ca_path);
    SSL_CTX *ctx = ends_raw_context(&ends.good, true);
    int fd[2];
    char why[256], b[20000];
    ends_pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL *server = ends_raw(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(ends_shake_raw(&s, server, why, sizeof why), SOCK_DONE);
    static char body[16384];
    memset(body, 'b', sizeof body);
    struct iovec iov[4] = {{(void *)(uintptr_t) "head ", 5}, {body, 0}, {body, 3}, {(void *)(uintptr_t) " tail", 5}};
    size_t n = 0;
    assert_int_equal(sock_write(&s, iov, 4, &n), SOCK_DONE);
    assert_int_equal(n, 13);
    assert_int_equal(SSL_read(server, b, sizeof b), 13);
    assert_memory_equal(b, "head bbb tail", 13);
    /* Head and a body that fills the record: one full record, then the rest. */
    iov[2].iov_len = sizeof body;
    assert_int_equal(sock_write(&s, iov, 4, &n), SOCK_DONE);
    assert_int_equal(n, 10 + sizeof body);
    assert_int_equal(SSL_read(server, b, sizeof b), 16384);
    assert_memory_equal(b, "head bbb", 8);
    assert_int_equal(SSL_read(server, b, sizeof b), 10);
    assert_memory_equal(b, "bbbbb tail", 10);
    sock_close(&s);
    assert_int_equal(SSL_read(server, b, sizeof b), 0);
    assert_int_equal(SSL_get_error(server, 0), SSL_ERROR_ZERO_RETURN);
    SSL_free(server);
    close(fd[1]);
    SSL_CTX_free(ctx);
    tls_client_free(t);
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 + i / 251);
}

static void a_blocked_write_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct tls_client *tc = ends_client(ends.ca_path);
    struct tls_server *ts = ends_server();
    struct sock c, s;
    ends_join(tc, ts, &c, &s);
    sock_tune(&c, 8192, 8192);
    enum { TOTAL = 1000003 };
    size_t sent = 0, seen = 0;
    unsigned blocked = 0;
    while (seen < TOTAL) {
        /* Fresh memory each time: OpenSSL must not mind that the bytes moved. */
        size_t part = TOTAL - sent < 40000 ? TOTAL - sent : 40000, n = 0;
        if (part) {
            char *p = mem_alloc(part);
            for (size_t i = 0; i < part; i++)
                p[i] = (char)byte_at(sent + i);
            struct iovec iov[2] = {{p, part / 3}, {p + part / 3, part - part / 3}};
            enum sock_io io = sock_write(&c, iov, 2, &n);
            assert_true(io == SOCK_DONE || io == SOCK_AGAIN);
            blocked += io == SOCK_AGAIN;
            sent += io == SOCK_DONE ? n : 0;
            mem_free(p);
        }
        char b[3001];
        enum sock_io io = sock_read(&s, b, sizeof b, &n);
        assert_true(io == SOCK_DONE || io == SOCK_AGAIN);
        for (size_t i = 0; io == SOCK_DONE && i < n; i++)
            assert_int_equal((unsigned char)b[i], byte_at(seen + i));
        seen += io == SOCK_DONE ? n : 0;
    }
    assert_true(blocked > 10);
    sock_close(&c);
    sock_close(&s);
    tls_client_free(tc);
    tls_server_free(ts);
}

static void one_read_takes_all_records_that_came(void **state)
{
    (void)state;
    struct tls_client *tc = ends_client(ends.ca_path);
    struct tls_server *ts = ends_server();
    struct sock c, s;
    char b[64];
    ends_join(tc, ts, &c, &s);
    for (int i = 0; i < 5; i++)
        ends_write(&s, "event");
    assert_int_equal(ends_read(&c, b, 8), 8);
    assert_true(sock_pending(&c)); /* no readiness will come for these */
    assert_int_equal(ends_read(&c, b, sizeof b), 17);
    assert_memory_equal(b, "nteventeventevent", 17);
    assert_false(sock_pending(&c));
    size_t n = 0;
    assert_int_equal(sock_read(&c, b, sizeof b, &n), SOCK_AGAIN);
    /* Data, then the end in order: both are told, one after the other. */
    ends_write(&s, "last");
    sock_close(&s);
    assert_int_equal(ends_read(&c, b, sizeof b), 4);
    assert_int_equal(sock_read(&c, b, sizeof b, &n), SOCK_EOF);
    assert_int_equal(ERR_peek_error(), 0);
    sock_close(&c);
    tls_client_free(tc);
    tls_server_free(ts);
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
    (void)state;
    struct tls_client *tc = ends_client(ends.ca_path);
    struct tls_server *ts = ends_server();
    struct sock c, s;
    char b[64];
    size_t n = 0;
    ends_join(tc, ts, &c, &s);
    ends_write(&s, "part");
    shutdown(s.fd, SHUT_WR);
    assert_int_equal(ends_read(&c, b, sizeof b), 4);
    assert_int_equal(sock_read(&c, b, sizeof b, &n), SOCK_FAIL);
    assert_int_equal(sock_read(&c, b, sizeof b, &n), SOCK_FAIL);
    assert_int_equal(ERR_peek_error(), 0);
    sock_abort(&s);
    struct iovec iov = {b, 4};
    assert_int_equal(sock_write(&c, &iov, 1, &n), SOCK_FAIL); /* and no SIGPIPE */
    sock_close(&c);
    sock_close(&c); /* twice is once */
    tls_client_free(tc);
    tls_server_free(ts);
}

/* --- control records --------------------------------------------------------------------------- */

static void a_key_update_is_answered_unseen(void **state)
{
    (void)state;
    struct tls_client *t = ends_client(ends.ca_path);
    SSL_CTX *ctx = ends_raw_context(&ends.good, true);
    int fd[2];
    char why[256], b[64];
    size_t n = 0;
    ends_tcp_pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL *server = ends_raw(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(ends_shake_raw(&s, server, why, sizeof why), SOCK_DONE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(server, "ping", 4), 4);
        assert_int_equal(ends_read(&s, b, sizeof b), 4);
        ends_write(&s, "pong");
        int m = -1;
        for (int turn = 0; turn < 1000 && m < 0; turn++, usleep(100))
            m = SSL_read(server, b, sizeof b);
        assert_int_equal(m, 4);
    }
    /* Nothing but key updates: the thread is not held, the connection is given up. */
    int sent = 0;
    for (; sent < 20000; sent++)
        if (SSL_key_update(server, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(server) != 1)
            break;
    assert_true(sent * 27 > 64 * 1024);
    assert_int_equal(sock_read(&s, b, sizeof b, &n), SOCK_FAIL);
    ERR_clear_error();
    SSL_free(server);
    close(fd[1]);
    SSL_CTX_free(ctx);
    sock_close(&s);
    tls_client_free(t);
}

static void renegotiation_is_declined_and_the_connection_lives(void **state)
{
    (void)state;
    struct tls_client *t = ends_client(ends.ca_path);
    SSL_CTX *ctx = ends_raw_context(&ends.good, true);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    int fd[2];
    char why[256], b[64];
    size_t n = 0;
    ends_pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL *server = ends_raw(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(ends_shake_raw(&s, server, why, sizeof why), SOCK_DONE);
    SSL_do_handshake(server);
    SSL_renegotiate(server);
    SSL_do_handshake(server);
    assert_int_equal(sock_read(&s, b, sizeof b, &n), SOCK_AGAIN);
    ends_write(&s, "still here");
    assert_int_equal(SSL_read(server, b, sizeof b) > 0 || ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION,
                     1);
    ERR_clear_error();
    SSL_free(server);
    close(fd[1]);
    SSL_CTX_free(ctx);
    sock_close(&s);
    tls_client_free(t);
}

/* --- plain sockets ----------------------------------------------------------------------------- */

static void plain_sockets_move_bytes_and_tell_ends_apart(void **state)
{
    (void)state;
    int fd[2];
    char b[64];
    size_t n = 0;
    struct sock a, z;
    ends_pair(fd);
    sock_init(&a, fd[0]);
    sock_init(&z, fd[1]);
    assert_int_equal(sock_read(&z, b, sizeof b, &n), SOCK_AGAIN);
    struct iovec iov[3] = {{(void *)(uintptr_t) "one ", 4}, {NULL, 0}, {(void *)(uintptr_t) "two", 3}};
    assert_int_equal(sock_write(&a, iov, 3, &n), SOCK_DONE);
    assert_int_equal(n, 7);
    assert_int_equal(ends_read(&z, b, sizeof b), 7);
    assert_memory_equal(b, "one two", 7);
    assert_false(sock_pending(&z));
    sock_close(&a);
    assert_int_equal(sock_read(&z, b, sizeof b, &n), SOCK_EOF);
    assert_int_equal(sock_write(&z, iov, 1, &n), SOCK_FAIL);
    assert_int_equal(sock_read(&a, b, sizeof b, &n), SOCK_FAIL);
    sock_close(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_survives_coming_byte_by_byte),
        cmocka_unit_test(pieces_of_one_write_share_a_record),
        cmocka_unit_test(a_blocked_write_goes_on_where_it_stopped),
        cmocka_unit_test(one_read_takes_all_records_that_came),
        cmocka_unit_test(an_end_without_close_notify_is_a_failure),
        cmocka_unit_test(a_key_update_is_answered_unseen),
        cmocka_unit_test(renegotiation_is_declined_and_the_connection_lives),
        cmocka_unit_test(plain_sockets_move_bytes_and_tell_ends_apart),
    };
    return cmocka_run_group_tests(tests, ends_open, ends_close);
}
