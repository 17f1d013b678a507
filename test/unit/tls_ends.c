/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of TLS connections; see the header. */
#include "tls_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

struct ends ends;

const char *ends_path(char out[96], const char *name)
{
    snprintf(out, 96, "%s/%s", ends.dir, name);
    return out;
}

int ends_open(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(ends.dir, sizeof ends.dir, "%.40s/test_tls.XXXXXX", tmp ? tmp : P_tmpdir);
    must(mkdtemp(ends.dir) != NULL);
    ends.ca = cert_make(&(struct cert_spec){.name = "Test CA", .ca = true});
    ends.other_ca = cert_make(&(struct cert_spec){.name = "Other CA", .ca = true});
    ends.good =
        cert_make(&(struct cert_spec){.name = "good", .dns = "good.example", .ip = "127.0.0.1", .issuer = &ends.ca});
    ends.good2 =
        cert_make(&(struct cert_spec){.name = "good2", .dns = "good.example", .ip = "::1", .issuer = &ends.ca});
    const struct cert *one = &ends.ca;
    cert_write(ends_path(ends.ca_path, "ca.pem"), &one, 1);
    one = &ends.good;
    cert_write(ends_path(ends.cert_path, "cert.pem"), &one, 1);
    cert_write_key(ends_path(ends.key_path, "key.pem"), &ends.good, NULL);
    ends_path(ends.ca_crl_path, "ca_crl.pem");
    return 0;
}

int ends_close(void **state)
{
    (void)state;
    static const char *const names[] = {"ca.pem", "ca_crl.pem", "cert.pem", "key.pem", "bad.pem", "locked.pem"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        unlink(ends_path(path, names[i]));
    }
    rmdir(ends.dir);
    cert_free(&ends.ca);
    cert_free(&ends.other_ca);
    cert_free(&ends.good);
    cert_free(&ends.good2);
    return 0;
}

struct tls_client *ends_client(const char *path)
{
    char why[256] = "";
    struct tls_client *t = tls_client_new(path, why, sizeof why);
    if (!t)
        fail_msg("%s", why);
    return t;
}

struct tls_server *ends_server(void)
{
    char why[256] = "";
    struct tls_server *t = tls_server_new(ends.cert_path, ends.key_path, why, sizeof why);
    if (!t)
        fail_msg("%s", why);
    return t;
}

SSL_CTX *ends_raw_context(const struct cert *c, bool server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    if (c) {
        must(SSL_CTX_use_certificate(ctx, c->x509) == 1);
        must(SSL_CTX_use_PrivateKey(ctx, c->key) == 1);
    }
    return ctx;
}

SSL *ends_raw(SSL_CTX *ctx, int fd, bool server)
{
    SSL *ssl = SSL_new(ctx);
    must(SSL_set_fd(ssl, fd) == 1);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

void ends_pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

void ends_tcp_pair(int fd[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof at), 0);
    fd[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd[1] >= 0);
    assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
    close(listener);
}

enum sock_io ends_shake_raw(struct sock *c, SSL *server, char *why, size_t cap)
{
    enum sock_io io = SOCK_AGAIN;
    for (int i = 0; i < 200 && io == SOCK_AGAIN; i++) {
        if (i > 20)
            usleep(100);
        io = sock_tls_handshake(c, why, cap);
        assert_int_equal(ERR_peek_error(), 0);
        SSL_do_handshake(server);
        ERR_clear_error();
    }
    return io;
}

bool ends_shake(struct sock *c, struct sock *s, char *why, size_t cap)
{
    enum sock_io a = SOCK_AGAIN, b = SOCK_AGAIN;
    for (int i = 0; i < 40 && (a == SOCK_AGAIN || b == SOCK_AGAIN); i++) {
        if (a == SOCK_AGAIN)
            a = sock_tls_handshake(c, why, cap);
        if (a == SOCK_FAIL)
            return false;
        if (b == SOCK_AGAIN)
            b = sock_tls_handshake(s, why, cap);
        if (b == SOCK_FAIL)
            return false;
    }
    assert_int_equal(ERR_peek_error(), 0);
    return a == SOCK_DONE && b == SOCK_DONE;
}

void ends_join(struct tls_client *tc, struct tls_server *ts, struct sock *c, struct sock *s)
{
    int fd[2];
    char why[256] = "";
    ends_pair(fd);
    sock_init(c, fd[0]);
    sock_init(s, fd[1]);
    assert_int_equal(sock_tls_connect(c, tc, STR("good.example")), ERR_OK);
    assert_int_equal(sock_tls_accept(s, ts), ERR_OK);
    if (!ends_shake(c, s, why, sizeof why))
        fail_msg("handshake: %s", why);
}

size_t ends_read(struct sock *s, char *out, size_t n)
{
    size_t got = 0;
    enum sock_io io = SOCK_AGAIN;
    for (int i = 0; i < 1000 && io == SOCK_AGAIN; i++) {
        if (i)
            usleep(100);
        io = sock_read(s, out, n, &got);
    }
    assert_int_equal(io, SOCK_DONE);
    assert_true(got > 0);
    return got;
}

void ends_write(struct sock *s, const char *text)
{
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    size_t n = 0;
    assert_int_equal(sock_write(s, &iov, 1, &n), SOCK_DONE);
    assert_int_equal(n, strlen(text));
}
