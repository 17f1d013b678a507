/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS: what is refused and with which words, how records and handshakes survive any splitting, and
 * what a reload or a hostile peer can do. The other end is either ours or OpenSSL used directly, so
 * that it can misbehave.
 */
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
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "cert_make.h"
#include "net/sock.h"
#include "net/tls.h"

static char dir[64];
static char ca_path[96], ca_crl_path[96], cert_path[96], key_path[96];
static struct cert ca, other_ca, good, good2;

static const char *in_dir(char out[96], const char *name)
{
    snprintf(out, 96, "%s/%s", dir, name);
    return out;
}

static int make_files(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.40s/test_tls.XXXXXX", tmp ? tmp : "/tmp");
    must(mkdtemp(dir) != NULL);
    ca = cert_make(&(struct cert_spec){.name = "Test CA", .ca = true});
    other_ca = cert_make(&(struct cert_spec){.name = "Other CA", .ca = true});
    good = cert_make(&(struct cert_spec){.name = "good", .dns = "good.example", .ip = "127.0.0.1", .issuer = &ca});
    good2 = cert_make(&(struct cert_spec){.name = "good2", .dns = "good.example", .ip = "::1", .issuer = &ca});
    const struct cert *one = &ca;
    cert_write(in_dir(ca_path, "ca.pem"), &one, 1);
    one = &good;
    cert_write(in_dir(cert_path, "cert.pem"), &one, 1);
    cert_write_key(in_dir(key_path, "key.pem"), &good, NULL);
    in_dir(ca_crl_path, "ca_crl.pem");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    static const char *const names[] = {"ca.pem", "ca_crl.pem", "cert.pem", "key.pem", "bad.pem", "locked.pem"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        unlink(in_dir(path, names[i]));
    }
    rmdir(dir);
    cert_free(&ca);
    cert_free(&other_ca);
    cert_free(&good);
    cert_free(&good2);
    return 0;
}

static struct tls_client *client_new(const char *path)
{
    char why[256] = "";
    struct tls_client *t = tls_client_new(path, why, sizeof why);
    if (!t)
        fail_msg("%s", why);
    return t;
}

static struct tls_server *server_new(void)
{
    char why[256] = "";
    struct tls_server *t = tls_server_new(cert_path, key_path, why, sizeof why);
    if (!t)
        fail_msg("%s", why);
    return t;
}

/* A server by OpenSSL's own means, which may do what ours never would. */
struct raw {
    SSL_CTX *ctx;
    SSL *ssl;
};

static SSL_CTX *raw_context(const struct cert *c, bool server)
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

static SSL *raw_ssl(SSL_CTX *ctx, int fd, bool server)
{
    SSL *ssl = SSL_new(ctx);
    must(SSL_set_fd(ssl, fd) == 1);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

static void pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

/* Over TCP, whose buffers hold many small records. */
static void tcp_pair(int fd[2])
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

/* Our client against a raw server, until the client knows; ends with the client's result. */
static enum sock_io shake_raw(struct sock *c, SSL *server, char *why, size_t cap)
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

/* Ours against ours. */
static bool shake(struct sock *c, struct sock *s, char *why, size_t cap)
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

static void join(struct tls_client *tc, struct tls_server *ts, struct sock *c, struct sock *s)
{
    int fd[2];
    char why[256] = "";
    pair(fd);
    sock_init(c, fd[0]);
    sock_init(s, fd[1]);
    assert_int_equal(sock_tls_connect(c, tc, STR("good.example")), ERR_OK);
    assert_int_equal(sock_tls_accept(s, ts), ERR_OK);
    if (!shake(c, s, why, sizeof why))
        fail_msg("handshake: %s", why);
}

static size_t read_some(struct sock *s, char *out, size_t n)
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

static void write_text(struct sock *s, const char *text)
{
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    size_t n = 0;
    assert_int_equal(sock_write(s, &iov, 1, &n), SOCK_DONE);
    assert_int_equal(n, strlen(text));
}

/* --- R36: what is refused ---------------------------------------------------------------------- */

struct refusal {
    const char *what;
    struct cert_spec spec;
    const char *host;   /* asked for; NULL = good.example */
    const char *reason; /* must be in the sentence */
    int max_version;
    bool crl;
};

static void refuse(const struct refusal *row)
{
    struct cert c = cert_make(&row->spec);
    if (row->crl) {
        const struct cert *one = &ca;
        cert_write(ca_crl_path, &one, 1);
        cert_append_crl(ca_crl_path, &ca, &c);
    }
    struct tls_client *t = client_new(row->crl ? ca_crl_path : ca_path);
    SSL_CTX *ctx = raw_context(&c, true);
    if (row->max_version)
        SSL_CTX_set_max_proto_version(ctx, row->max_version);
    int fd[2];
    char why[256] = "";
    pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    assert_int_equal(sock_tls_connect(&s, t, str_c(row->host ? row->host : "good.example")), ERR_OK);
    SSL *server = raw_ssl(ctx, fd[1], true);
    enum sock_io io = shake_raw(&s, server, why, sizeof why);
    if (io != SOCK_FAIL || !strstr(why, row->reason))
        fail_msg("%s: %d \"%s\"", row->what, io, why);
    /* Not a byte of what the caller had to say got out. */
    struct iovec secret = {(void *)(uintptr_t) "secret", 6};
    size_t n = 0;
    assert_int_equal(sock_write(&s, &secret, 1, &n), SOCK_FAIL);
    char seen[64];
    assert_true(SSL_read(server, seen, sizeof seen) <= 0);
    ERR_clear_error();
    SSL_free(server);
    close(fd[1]);
    sock_close(&s);
    SSL_CTX_free(ctx);
    tls_client_free(t);
    cert_free(&c);
}

static void bad_servers_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char hidden[] = "good.example\0.evil.example";
    const struct refusal rows[] = {
        {"expired",
         {.name = "x", .dns = "good.example", .issuer = &ca, .begins_s = -7200, .ends_s = -60},
         NULL,
         "expired",
         0,
         false},
        {"not yet valid",
         {.name = "x", .dns = "good.example", .issuer = &ca, .begins_s = 3600, .ends_s = 7200},
         NULL,
         "not yet valid",
         0,
         false},
        {"wrong host", {.name = "x", .dns = "other.example", .issuer = &ca}, NULL, "hostname mismatch", 0, false},
        {"name only in the subject", {.name = "good.example", .issuer = &ca}, NULL, "hostname mismatch", 0, false},
        {"wildcard in the middle",
         {.name = "x", .dns = "g*d.example", .issuer = &ca},
         NULL,
         "hostname mismatch",
         0,
         false},
        {"wildcard over two labels",
         {.name = "x", .dns = "*.example", .issuer = &ca},
         "a.good.example",
         "hostname mismatch",
         0,
         false},
        {"wrong address",
         {.name = "x", .dns = "127.0.0.1", .ip = "127.0.0.2", .issuer = &ca},
         "127.0.0.1",
         "IP address mismatch",
         0,
         false},
        {"self-signed", {.name = "x", .dns = "good.example"}, NULL, "self-signed certificate", 0, false},
        {"unknown CA",
         {.name = "x", .dns = "good.example", .issuer = &other_ca},
         NULL,
         "unable to get local issuer certificate",
         0,
         false},
        {"wrong usage",
         {.name = "x", .dns = "good.example", .issuer = &ca, .client_only = true},
         NULL,
         "unsuitable certificate purpose",
         0,
         false},
        {"SHA-1",
         {.name = "x", .dns = "good.example", .issuer = &ca, .sha1 = true},
         NULL,
         "digest algorithm too weak",
         0,
         false},
        {"1024-bit RSA",
         {.name = "x", .dns = "good.example", .issuer = &ca, .rsa_bits = 1024},
         NULL,
         "key too weak",
         0,
         false},
        {"TLS 1.1 only",
         {.name = "x", .dns = "good.example", .issuer = &ca},
         NULL,
         "protocol version",
         TLS1_1_VERSION,
         false},
        {"NUL in name",
         {.name = "x", .dns = hidden, .dns_n = sizeof hidden - 1, .issuer = &ca},
         NULL,
         "hostname mismatch",
         0,
         false},
        {"revoked", {.name = "x", .dns = "good.example", .issuer = &ca}, NULL, "revoked", 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse(&rows[i]);
}

static void a_cut_handshake_is_refused_at_every_length(void **state)
{
    (void)state;
    struct tls_client *t = client_new(ca_path);
    SSL_CTX *ctx = raw_context(&good, true);
    size_t total = 100000;
    for (size_t cut = 0; cut < total; cut += cut < 20 ? 1 : 97) {
        int near[2], far[2];
        char why[256] = "";
        pair(near);
        pair(far);
        struct sock s;
        sock_init(&s, near[0]);
        assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
        SSL *server = raw_ssl(ctx, far[0], true);
        size_t passed = 0;
        enum sock_io io = SOCK_AGAIN;
        for (int i = 0; i < 40 && io == SOCK_AGAIN; i++) {
            char b[20000];
            io = sock_tls_handshake(&s, why, sizeof why);
            ssize_t n = read(near[1], b, sizeof b);
            if (n > 0)
                assert_int_equal(write(far[1], b, (size_t)n), n);
            SSL_do_handshake(server);
            ERR_clear_error();
            n = read(far[1], b, sizeof b);
            if (n > 0 && passed < cut) {
                size_t m = cut - passed < (size_t)n ? cut - passed : (size_t)n;
                assert_int_equal(write(near[1], b, m), m);
                passed += m;
            } else if (n > 0 || passed >= cut) {
                shutdown(near[1], SHUT_WR);
            }
        }
        if (io == SOCK_DONE)
            total = cut; /* all of the server's flight fits; no longer a cut */
        else
            assert_string_equal(why, "the peer closed the connection during the TLS handshake");
        SSL_free(server);
        sock_close(&s);
        close(near[1]);
        close(far[0]);
        close(far[1]);
    }
    assert_in_range(total, 500, 5000);
    SSL_CTX_free(ctx);
    tls_client_free(t);
}

static void a_peer_without_tls_is_named_as_such(void **state)
{
    (void)state;
    struct tls_client *tc = client_new(ca_path);
    struct tls_server *ts = server_new();
    for (int server = 0; server < 2; server++) {
        int fd[2];
        char why[256] = "";
        pair(fd);
        struct sock s;
        sock_init(&s, fd[0]);
        enum err e = server ? sock_tls_accept(&s, ts) : sock_tls_connect(&s, tc, STR("good.example"));
        assert_int_equal(e, ERR_OK);
        const char *text = server ? "GET / HTTP/1.1\r\nhost: x\r\n\r\n" : "HTTP/1.1 400 Bad Request\r\n\r\n";
        assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
        assert_int_equal(sock_tls_handshake(&s, why, sizeof why), SOCK_FAIL);
        assert_string_equal(why, "the peer does not speak TLS on this port");
        assert_int_equal(ERR_peek_error(), 0);
        sock_close(&s);
        close(fd[1]);
    }
    tls_client_free(tc);
    tls_server_free(ts);
}

static void names_that_cannot_be_hosts_are_refused(void **state)
{
    (void)state;
    struct tls_client *t = client_new(ca_path);
    char long_name[300];
    memset(long_name, 'a', sizeof long_name);
    const struct str bad[] = {STR(""),       STR("."),   STR("a b"), STR("good.example\0x"), STR("[::1]"),
                              STR("::1%lo"), STR("x:y"), STR("a/b"), str_of(long_name, 254)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd[2];
        pair(fd);
        struct sock s;
        sock_init(&s, fd[0]);
        assert_int_equal(sock_tls_connect(&s, t, bad[i]), ERR_UPSTREAM_TLS);
        sock_close(&s);
        close(fd[1]);
    }
    tls_client_free(t);
}

static void a_machine_without_certificates_says_what_to_install(void **state)
{
    (void)state;
    setenv("SSL_CERT_FILE", "/nonexistent/file", 1);
    setenv("SSL_CERT_DIR", "/nonexistent/dir", 1);
    char why[300] = "";
    struct tls_client *t = client_new(NULL);
    assert_non_null(tls_client_warning(t));
    assert_non_null(strstr(tls_client_warning(t), "ca-certificates"));
    int fd[2];
    pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL_CTX *ctx = raw_context(&good, true);
    SSL *server = raw_ssl(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(shake_raw(&s, server, why, sizeof why), SOCK_FAIL);
    assert_non_null(strstr(why, "ca-certificates"));
    SSL_free(server);
    close(fd[1]);
    SSL_CTX_free(ctx);
    sock_close(&s);
    tls_client_free(t);
    setenv("SSL_CERT_FILE", ca_path, 1);
    t = client_new(NULL);
    assert_null(tls_client_warning(t));
    tls_client_free(t);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
}

static void a_useless_ca_file_is_named(void **state)
{
    (void)state;
    char why[256];
    assert_null(tls_client_new("/nonexistent/ca.pem", why, sizeof why));
    assert_string_equal(why, "CA file /nonexistent/ca.pem: No such file or directory");
    assert_null(tls_client_new(key_path, why, sizeof why));
    assert_non_null(strstr(why, "no PEM certificate in it"));
    assert_int_equal(ERR_peek_error(), 0);
}

/* --- good connections -------------------------------------------------------------------------- */

static void hosts_are_matched_by_name_and_by_address(void **state)
{
    (void)state;
    struct tls_client *t = client_new(ca_path);
    struct cert wild = cert_make(&(struct cert_spec){.name = "w", .dns = "*.good.example", .ip = "::1", .issuer = &ca});
    static const struct {
        const char *host;
        bool wild;
    } rows[] = {{"good.example", false},    {"GOOD.Example", false}, {"good.example.", false}, {"127.0.0.1", false},
                {"api.good.example", true}, {"::1", true},           {"0:0:0:0:0:0:0:1", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd[2];
        char why[256] = "";
        pair(fd);
        struct sock s;
        sock_init(&s, fd[0]);
        SSL_CTX *ctx = raw_context(rows[i].wild ? &wild : &good, true);
        SSL *server = raw_ssl(ctx, fd[1], true);
        assert_int_equal(sock_tls_connect(&s, t, str_c(rows[i].host)), ERR_OK);
        if (shake_raw(&s, server, why, sizeof why) != SOCK_DONE)
            fail_msg("%s: %s", rows[i].host, why);
        sock_close(&s);
        SSL_free(server);
        close(fd[1]);
        SSL_CTX_free(ctx);
    }
    cert_free(&wild);
    tls_client_free(t);
}

/* Passes what is there, at most `n` bytes, between two descriptors. */
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
    struct tls_client *tc = client_new(ca_path);
    struct tls_server *ts = server_new();
    int near[2], far[2];
    char why[256] = "", b[64];
    pair(near);
    pair(far);
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
    write_text(&c, "hello");
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
    struct tls_client *t = client_new(ca_path);
    SSL_CTX *ctx = raw_context(&good, true);
    int fd[2];
    char why[256], b[20000];
    pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL *server = raw_ssl(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(shake_raw(&s, server, why, sizeof why), SOCK_DONE);
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
    struct tls_client *tc = client_new(ca_path);
    struct tls_server *ts = server_new();
    struct sock c, s;
    join(tc, ts, &c, &s);
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
    struct tls_client *tc = client_new(ca_path);
    struct tls_server *ts = server_new();
    struct sock c, s;
    char b[64];
    join(tc, ts, &c, &s);
    for (int i = 0; i < 5; i++)
        write_text(&s, "event");
    assert_int_equal(read_some(&c, b, 8), 8);
    assert_true(sock_pending(&c)); /* no readiness will come for these */
    assert_int_equal(read_some(&c, b, sizeof b), 17);
    assert_memory_equal(b, "nteventeventevent", 17);
    assert_false(sock_pending(&c));
    size_t n = 0;
    assert_int_equal(sock_read(&c, b, sizeof b, &n), SOCK_AGAIN);
    /* Data, then the end in order: both are told, one after the other. */
    write_text(&s, "last");
    sock_close(&s);
    assert_int_equal(read_some(&c, b, sizeof b), 4);
    assert_int_equal(sock_read(&c, b, sizeof b, &n), SOCK_EOF);
    assert_int_equal(ERR_peek_error(), 0);
    sock_close(&c);
    tls_client_free(tc);
    tls_server_free(ts);
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
    (void)state;
    struct tls_client *tc = client_new(ca_path);
    struct tls_server *ts = server_new();
    struct sock c, s;
    char b[64];
    size_t n = 0;
    join(tc, ts, &c, &s);
    write_text(&s, "part");
    shutdown(s.fd, SHUT_WR);
    assert_int_equal(read_some(&c, b, sizeof b), 4);
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
    struct tls_client *t = client_new(ca_path);
    SSL_CTX *ctx = raw_context(&good, true);
    int fd[2];
    char why[256], b[64];
    size_t n = 0;
    tcp_pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL *server = raw_ssl(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(shake_raw(&s, server, why, sizeof why), SOCK_DONE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_key_update(server, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(server, "ping", 4), 4);
        assert_int_equal(read_some(&s, b, sizeof b), 4);
        write_text(&s, "pong");
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
    struct tls_client *t = client_new(ca_path);
    SSL_CTX *ctx = raw_context(&good, true);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    int fd[2];
    char why[256], b[64];
    size_t n = 0;
    pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL *server = raw_ssl(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(shake_raw(&s, server, why, sizeof why), SOCK_DONE);
    SSL_do_handshake(server);
    SSL_renegotiate(server);
    SSL_do_handshake(server);
    assert_int_equal(sock_read(&s, b, sizeof b, &n), SOCK_AGAIN);
    write_text(&s, "still here");
    assert_int_equal(SSL_read(server, b, sizeof b) > 0 || ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION,
                     1);
    ERR_clear_error();
    SSL_free(server);
    close(fd[1]);
    SSL_CTX_free(ctx);
    sock_close(&s);
    tls_client_free(t);
}

/* --- sessions ---------------------------------------------------------------------------------- */

static bool reused(struct tls_client *tc, struct tls_server *ts, const char *host, bool abort_it)
{
    int fd[2];
    char why[256] = "", b[8];
    size_t n = 0;
    struct sock c, s;
    pair(fd);
    sock_init(&c, fd[0]);
    sock_init(&s, fd[1]);
    assert_int_equal(sock_tls_connect(&c, tc, str_c(host)), ERR_OK);
    assert_int_equal(sock_tls_accept(&s, ts), ERR_OK);
    if (!shake(&c, &s, why, sizeof why))
        fail_msg("%s", why);
    assert_int_equal(sock_read(&c, b, sizeof b, &n), SOCK_AGAIN); /* takes the ticket in */
    bool yes = SSL_session_reused(c.ssl) == 1;
    if (abort_it) {
        sock_abort(&c);
        sock_abort(&s);
    }
    sock_close(&c);
    sock_close(&s);
    return yes;
}

static uint64_t leap_us;

static uint64_t leaping_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 + leap_us;
}

static int64_t wall_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sessions_are_used_again_for_the_same_host_only(void **state)
{
    (void)state;
    struct tls_client *tc = client_new(ca_path);
    struct tls_server *ts = server_new();
    assert_false(reused(tc, ts, "good.example", false));
    assert_true(reused(tc, ts, "good.example", true));
    assert_true(reused(tc, ts, "GOOD.example.", false));
    assert_false(reused(tc, ts, "127.0.0.1", false));
    assert_true(reused(tc, ts, "127.0.0.1", false));
    /* The server's ticket keys do not live for ever. */
    clock_set_source(&(struct clock_source){leaping_clock, wall_clock});
    leap_us = UINT64_C(13) * 3600 * 1000000;
    assert_false(reused(tc, ts, "good.example", false));
    assert_true(reused(tc, ts, "good.example", false));
    clock_set_source(NULL);
    leap_us = 0;
    tls_client_free(tc);
    tls_server_free(ts);
}

static void a_session_is_not_used_when_the_certificate_changed_hands(void **state)
{
    (void)state;
    struct tls_client *tc = client_new(ca_path);
    struct tls_server *ts = server_new();
    struct tls_server *other = server_new();
    assert_false(reused(tc, ts, "good.example", false));
    assert_false(reused(tc, other, "good.example", false)); /* its keys do not open the ticket */
    tls_server_free(ts);
    tls_server_free(other);
    tls_client_free(tc);
}

/* --- our server -------------------------------------------------------------------------------- */

/* A raw client against our server; true when the handshake is complete on both sides. */
static bool raw_connect(struct tls_server *ts, SSL_CTX *ctx, char *alpn, X509 **ret_peer)
{
    int fd[2];
    char why[256] = "";
    pair(fd);
    struct sock s;
    sock_init(&s, fd[1]);
    assert_int_equal(sock_tls_accept(&s, ts), ERR_OK);
    SSL *c = raw_ssl(ctx, fd[0], false);
    enum sock_io io = SOCK_AGAIN;
    int done = 0;
    for (int i = 0; i < 40 && (io == SOCK_AGAIN || done != 1) && io != SOCK_FAIL; i++) {
        done = SSL_do_handshake(c);
        if (io == SOCK_AGAIN)
            io = sock_tls_handshake(&s, why, sizeof why);
    }
    const unsigned char *p = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(c, &p, &n);
    if (alpn)
        str_copy(alpn, 16, str_of((const char *)p, n));
    if (ret_peer)
        *ret_peer = SSL_get1_peer_certificate(c);
    ERR_clear_error();
    SSL_free(c);
    close(fd[0]);
    sock_close(&s);
    return io == SOCK_DONE && done == 1;
}

static void our_server_speaks_modern_tls_only(void **state)
{
    (void)state;
    struct cert rsa =
        cert_make(&(struct cert_spec){.name = "r", .dns = "good.example", .issuer = &ca, .rsa_bits = 2048});
    const struct cert *one = &rsa;
    cert_write(cert_path, &one, 1);
    cert_write_key(key_path, &rsa, NULL);
    struct tls_server *ts = server_new();
    static const struct {
        int version;
        const char *ciphers;
        const char *alpn;
        bool works;
        const char *chosen;
    } rows[] = {
        {TLS1_3_VERSION, NULL, NULL, true, ""},
        {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL, true, ""},
        {TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", NULL, true, ""},
        {TLS1_1_VERSION, NULL, NULL, false, ""},
        {TLS1_VERSION, NULL, NULL, false, ""},
        {TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, false, ""},
        {TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", NULL, false, ""},
        {TLS1_2_VERSION, "AES256-SHA:DES-CBC3-SHA:RC4-SHA", NULL, false, ""},
        {TLS1_2_VERSION, "aNULL", NULL, false, ""},
        {TLS1_3_VERSION, NULL, "\x02h2\x08http/1.1", true, "http/1.1"},
        {TLS1_3_VERSION, NULL, "\x08http/1.1", true, "http/1.1"},
        {TLS1_3_VERSION, NULL, "\x02h2", false, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SSL_CTX *ctx = raw_context(NULL, false);
        char alpn[16] = "";
        SSL_CTX_set_max_proto_version(ctx, rows[i].version);
        if (rows[i].ciphers)
            assert_int_equal(SSL_CTX_set_cipher_list(ctx, rows[i].ciphers), 1);
        if (rows[i].alpn)
            SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)rows[i].alpn, (unsigned)strlen(rows[i].alpn));
        if (raw_connect(ts, ctx, alpn, NULL) != rows[i].works)
            fail_msg("row %zu", i);
        assert_string_equal(alpn, rows[i].chosen);
        SSL_CTX_free(ctx);
    }
    tls_server_free(ts);
    cert_free(&rsa);
    one = &good;
    cert_write(cert_path, &one, 1);
    cert_write_key(key_path, &good, NULL);
}

static void bad_certificate_files_are_named_and_leave_the_old_ones(void **state)
{
    (void)state;
    char why[256], bad[96], locked[96];
    const struct cert *one = &good;
    FILE *f = fopen(in_dir(bad, "bad.pem"), "we");
    assert_non_null(f);
    fputs("not a certificate\n", f);
    fclose(f);
    cert_write_key(in_dir(locked, "locked.pem"), &good, "secret");
    assert_null(tls_server_new("/nonexistent/cert.pem", key_path, why, sizeof why));
    assert_string_equal(why, "TLS certificate file /nonexistent/cert.pem: No such file or directory");
    assert_null(tls_server_new(bad, key_path, why, sizeof why));
    assert_non_null(strstr(why, "no PEM certificate in it"));
    assert_non_null(strstr(why, bad));
    assert_null(tls_server_new(cert_path, bad, why, sizeof why));
    assert_non_null(strstr(why, "no usable PEM private key in it"));
    assert_null(tls_server_new(cert_path, "/nonexistent/key.pem", why, sizeof why));
    assert_string_equal(why, "TLS key file /nonexistent/key.pem: No such file or directory");
    assert_null(tls_server_new(cert_path, locked, why, sizeof why));
    assert_non_null(strstr(why, "passphrase"));
    assert_null(strstr(why, "secret"));

    struct tls_server *ts = server_new();
    SSL_CTX *ctx = raw_context(NULL, false);
    X509 *peer = NULL;
    one = &good2;
    cert_write(cert_path, &one, 1); /* the key is still that of `good` */
    assert_int_equal(tls_server_reload(ts, why, sizeof why), ERR_BAD_CONFIG);
    assert_non_null(strstr(why, "does not belong"));
    assert_non_null(strstr(why, key_path));
    unlink(key_path);
    assert_int_equal(tls_server_reload(ts, why, sizeof why), ERR_FILE_FAILED);
    assert_true(raw_connect(ts, ctx, NULL, &peer));
    assert_int_equal(X509_cmp(peer, good.x509), 0);
    X509_free(peer);
    cert_write_key(key_path, &good2, NULL);
    assert_int_equal(tls_server_reload(ts, why, sizeof why), ERR_OK);
    assert_true(raw_connect(ts, ctx, NULL, &peer));
    assert_int_equal(X509_cmp(peer, good2.x509), 0);
    X509_free(peer);
    assert_int_equal(ERR_peek_error(), 0);
    SSL_CTX_free(ctx);
    tls_server_free(ts);
    one = &good;
    cert_write(cert_path, &one, 1);
    cert_write_key(key_path, &good, NULL);
}

struct storm {
    struct tls_client *tc;
    struct tls_server *ts;
    _Atomic bool over;
    _Atomic unsigned failed, made;
};

static void *storm_run(void *p)
{
    struct storm *storm = p;
    while (!storm->over) {
        int fd[2];
        char why[256];
        struct sock c, s;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0)
            break;
        sock_init(&c, fd[0]);
        sock_init(&s, fd[1]);
        if (sock_tls_connect(&c, storm->tc, STR("good.example")) != ERR_OK ||
            sock_tls_accept(&s, storm->ts) != ERR_OK || !shake(&c, &s, why, sizeof why))
            storm->failed++;
        storm->made++;
        sock_close(&c);
        sock_close(&s);
    }
    return NULL;
}

static void reload_under_load_fails_no_handshake(void **state)
{
    (void)state;
    struct storm storm = {.tc = client_new(ca_path), .ts = server_new()};
    pthread_t threads[3];
    char why[256];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, storm_run, &storm), 0);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(tls_server_reload(storm.ts, why, sizeof why), ERR_OK);
        usleep(10000);
    }
    storm.over = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(storm.failed, 0);
    assert_true(storm.made > 30);
    tls_client_free(storm.tc);
    tls_server_free(storm.ts);
}

/* --- plain sockets ----------------------------------------------------------------------------- */

static void plain_sockets_move_bytes_and_tell_ends_apart(void **state)
{
    (void)state;
    int fd[2];
    char b[64];
    size_t n = 0;
    struct sock a, z;
    pair(fd);
    sock_init(&a, fd[0]);
    sock_init(&z, fd[1]);
    assert_int_equal(sock_read(&z, b, sizeof b, &n), SOCK_AGAIN);
    struct iovec iov[3] = {{(void *)(uintptr_t) "one ", 4}, {NULL, 0}, {(void *)(uintptr_t) "two", 3}};
    assert_int_equal(sock_write(&a, iov, 3, &n), SOCK_DONE);
    assert_int_equal(n, 7);
    assert_int_equal(read_some(&z, b, sizeof b), 7);
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
        cmocka_unit_test(bad_servers_are_refused_with_a_reason),
        cmocka_unit_test(a_cut_handshake_is_refused_at_every_length),
        cmocka_unit_test(a_peer_without_tls_is_named_as_such),
        cmocka_unit_test(names_that_cannot_be_hosts_are_refused),
        cmocka_unit_test(a_machine_without_certificates_says_what_to_install),
        cmocka_unit_test(a_useless_ca_file_is_named),
        cmocka_unit_test(hosts_are_matched_by_name_and_by_address),
        cmocka_unit_test(a_handshake_survives_coming_byte_by_byte),
        cmocka_unit_test(pieces_of_one_write_share_a_record),
        cmocka_unit_test(a_blocked_write_goes_on_where_it_stopped),
        cmocka_unit_test(one_read_takes_all_records_that_came),
        cmocka_unit_test(an_end_without_close_notify_is_a_failure),
        cmocka_unit_test(a_key_update_is_answered_unseen),
        cmocka_unit_test(renegotiation_is_declined_and_the_connection_lives),
        cmocka_unit_test(sessions_are_used_again_for_the_same_host_only),
        cmocka_unit_test(a_session_is_not_used_when_the_certificate_changed_hands),
        cmocka_unit_test(our_server_speaks_modern_tls_only),
        cmocka_unit_test(bad_certificate_files_are_named_and_leave_the_old_ones),
        cmocka_unit_test(reload_under_load_fails_no_handshake),
        cmocka_unit_test(plain_sockets_move_bytes_and_tell_ends_apart),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
