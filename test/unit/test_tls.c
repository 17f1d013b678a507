/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS: what is refused and with which words, which sessions are used again, and what a reload can
 * and cannot do.
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
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tls_ends.h"

/* --- R36: what is refused ---------------------------------------------------------------------- */

struct refusal {
    const char *what;
    const char *reason; /* must be in the sentence */
    const char *host;   /* asked for; NULL = good.example */
    struct cert_spec spec;
    int max_version;
    bool crl;
};

static void refuse(const struct refusal *row)
{
    struct cert c = cert_make(&row->spec);
    if (row->crl) {
        const struct cert *one = &ends.ca;
        cert_write(ends.ca_crl_path, &one, 1);
        cert_append_crl(ends.ca_crl_path, &ends.ca, &c);
    }
    struct tls_client *t = ends_client(row->crl ? ends.ca_crl_path : ends.ca_path);
    SSL_CTX *ctx = ends_raw_context(&c, true);
    if (row->max_version)
        SSL_CTX_set_max_proto_version(ctx, row->max_version);
    int fd[2];
    char why[256] = "";
    ends_pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    assert_int_equal(sock_tls_connect(&s, t, str_c(row->host ? row->host : "good.example")), ERR_OK);
    SSL *server = ends_raw(ctx, fd[1], true);
    enum sock_io io = ends_shake_raw(&s, server, why, sizeof why);
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

/* Columns: name, reason, host asked for, then what is wrong with a certificate that is good otherwise. */
#define CERT(...)                                                           \
    {                                                                       \
        .name = "x", .dns = "good.example", .issuer = &ends.ca, __VA_ARGS__ \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* clang: -Winitializer-overrides */

static void bad_servers_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char hidden[] = "good.example\0.evil.example";
    const char *const no_host = "hostname mismatch";
    const struct refusal rows[] = {
        {"expired", "certificate has expired", NULL, CERT(.begins_s = -7200, .ends_s = -60), 0, false},
        {"not yet valid", "not yet valid", NULL, CERT(.begins_s = 3600, .ends_s = 7200), 0, false},
        {"wrong host", no_host, NULL, CERT(.dns = "other.example"), 0, false},
        {"subject only", no_host, NULL, CERT(.name = "good.example", .dns = NULL), 0, false},
        {"wildcard amid", no_host, NULL, CERT(.dns = "g*d.example"), 0, false},
        {"wildcard of two", no_host, "a.good.example", CERT(.dns = "*.example"), 0, false},
        {"wrong address", "IP address mismatch", "127.0.0.1", CERT(.dns = "127.0.0.1", .ip = "127.0.0.2"), 0, false},
        {"self-signed", "self-signed certificate", NULL, CERT(.issuer = NULL), 0, false},
        {"unknown CA", "unable to get local issuer", NULL, CERT(.issuer = &ends.other_ca), 0, false},
        {"wrong usage", "unsuitable certificate purpose", NULL, CERT(.client_only = true), 0, false},
        {"SHA-1", "digest algorithm too weak", NULL, CERT(.sha1 = true), 0, false},
        {"1024-bit RSA", "key too weak", NULL, CERT(.rsa_bits = 1024), 0, false},
        {"TLS 1.1 only", "protocol version", NULL, CERT(.ca = false), TLS1_1_VERSION, false},
        {"NUL in name", no_host, NULL, CERT(.dns = hidden, .dns_n = sizeof hidden - 1), 0, false},
        {"revoked", "certificate revoked", NULL, CERT(.ca = false), 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse(&rows[i]);
}

#pragma GCC diagnostic pop

static void a_cut_handshake_is_refused_at_every_length(void **state)
{
    (void)state;
    struct tls_client *t = ends_client(ends.ca_path);
    SSL_CTX *ctx = ends_raw_context(&ends.good, true);
    size_t total = 100000;
    for (size_t cut = 0; cut < total; cut += cut < 20 ? 1 : 97) {
        int near[2], far[2];
        char why[256] = "";
        ends_pair(near);
        ends_pair(far);
        struct sock s;
        sock_init(&s, near[0]);
        assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
        SSL *server = ends_raw(ctx, far[0], true);
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
    struct tls_client *tc = ends_client(ends.ca_path);
    struct tls_server *ts = ends_server();
    for (int server = 0; server < 2; server++) {
        int fd[2];
        char why[256] = "";
        ends_pair(fd);
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
    struct tls_client *t = ends_client(ends.ca_path);
    char long_name[300];
    memset(long_name, 'a', sizeof long_name);
    const struct str bad[] = {STR(""),       STR("."),   STR("a b"), STR("good.example\0x"), STR("[::1]"),
                              STR("::1%lo"), STR("x:y"), STR("a/b"), str_of(long_name, 254)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd[2];
        ends_pair(fd);
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
    struct tls_client *t = ends_client(NULL);
    assert_non_null(tls_client_warning(t));
    assert_non_null(strstr(tls_client_warning(t), "ca-certificates"));
    int fd[2];
    ends_pair(fd);
    struct sock s;
    sock_init(&s, fd[0]);
    SSL_CTX *ctx = ends_raw_context(&ends.good, true);
    SSL *server = ends_raw(ctx, fd[1], true);
    assert_int_equal(sock_tls_connect(&s, t, STR("good.example")), ERR_OK);
    assert_int_equal(ends_shake_raw(&s, server, why, sizeof why), SOCK_FAIL);
    assert_non_null(strstr(why, "ca-certificates"));
    SSL_free(server);
    close(fd[1]);
    SSL_CTX_free(ctx);
    sock_close(&s);
    tls_client_free(t);
    setenv("SSL_CERT_FILE", ends.ca_path, 1);
    t = ends_client(NULL);
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
    assert_null(tls_client_new(ends.key_path, why, sizeof why));
    assert_non_null(strstr(why, "no PEM certificate in it"));
    assert_int_equal(ERR_peek_error(), 0);
}

/* --- ends.good connections -------------------------------------------------------------------------- */

static void hosts_are_matched_by_name_and_by_address(void **state)
{
    (void)state;
    struct tls_client *t = ends_client(ends.ca_path);
    struct cert wild =
        cert_make(&(struct cert_spec){.name = "w", .dns = "*.good.example", .ip = "::1", .issuer = &ends.ca});
    static const struct {
        const char *host;
        bool wild;
    } rows[] = {{"good.example", false},    {"GOOD.Example", false}, {"good.example.", false}, {"127.0.0.1", false},
                {"api.good.example", true}, {"::1", true},           {"0:0:0:0:0:0:0:1", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd[2];
        char why[256] = "";
        ends_pair(fd);
        struct sock s;
        sock_init(&s, fd[0]);
        SSL_CTX *ctx = ends_raw_context(rows[i].wild ? &wild : &ends.good, true);
        SSL *server = ends_raw(ctx, fd[1], true);
        assert_int_equal(sock_tls_connect(&s, t, str_c(rows[i].host)), ERR_OK);
        if (ends_shake_raw(&s, server, why, sizeof why) != SOCK_DONE)
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
/* --- sessions ---------------------------------------------------------------------------------- */

static bool reused(struct tls_client *tc, struct tls_server *ts, const char *host, bool abort_it)
{
    int fd[2];
    char why[256] = "", b[8];
    size_t n = 0;
    struct sock c, s;
    ends_pair(fd);
    sock_init(&c, fd[0]);
    sock_init(&s, fd[1]);
    assert_int_equal(sock_tls_connect(&c, tc, str_c(host)), ERR_OK);
    assert_int_equal(sock_tls_accept(&s, ts), ERR_OK);
    if (!ends_shake(&c, &s, why, sizeof why))
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
    struct tls_client *tc = ends_client(ends.ca_path);
    struct tls_server *ts = ends_server();
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
    struct tls_client *tc = ends_client(ends.ca_path);
    struct tls_server *ts = ends_server();
    struct tls_server *other = ends_server();
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
    ends_pair(fd);
    struct sock s;
    sock_init(&s, fd[1]);
    assert_int_equal(sock_tls_accept(&s, ts), ERR_OK);
    SSL *c = ends_raw(ctx, fd[0], false);
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
        cert_make(&(struct cert_spec){.name = "r", .dns = "good.example", .issuer = &ends.ca, .rsa_bits = 2048});
    const struct cert *one = &rsa;
    cert_write(ends.cert_path, &one, 1);
    cert_write_key(ends.key_path, &rsa, NULL);
    struct tls_server *ts = ends_server();
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
        SSL_CTX *ctx = ends_raw_context(NULL, false);
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
    one = &ends.good;
    cert_write(ends.cert_path, &one, 1);
    cert_write_key(ends.key_path, &ends.good, NULL);
}

static void bad_certificate_files_are_named_and_leave_the_old_ones(void **state)
{
    (void)state;
    char why[256], bad[96], locked[96];
    const struct cert *one = &ends.good;
    FILE *f = fopen(ends_path(bad, "bad.pem"), "we");
    assert_non_null(f);
    fputs("not a certificate\n", f);
    fclose(f);
    cert_write_key(ends_path(locked, "locked.pem"), &ends.good, "secret");
    assert_null(tls_server_new("/nonexistent/cert.pem", ends.key_path, why, sizeof why));
    assert_string_equal(why, "TLS certificate file /nonexistent/cert.pem: No such file or directory");
    assert_null(tls_server_new(bad, ends.key_path, why, sizeof why));
    assert_non_null(strstr(why, "no PEM certificate in it"));
    assert_non_null(strstr(why, bad));
    assert_null(tls_server_new(ends.cert_path, bad, why, sizeof why));
    assert_non_null(strstr(why, "no usable PEM private key in it"));
    assert_null(tls_server_new(ends.cert_path, "/nonexistent/key.pem", why, sizeof why));
    assert_string_equal(why, "TLS key file /nonexistent/key.pem: No such file or directory");
    assert_null(tls_server_new(ends.cert_path, locked, why, sizeof why));
    assert_non_null(strstr(why, "passphrase"));
    assert_null(strstr(why, "secret"));

    struct tls_server *ts = ends_server();
    SSL_CTX *ctx = ends_raw_context(NULL, false);
    X509 *peer = NULL;
    one = &ends.good2;
    cert_write(ends.cert_path, &one, 1); /* the key is still that of `ends.good` */
    assert_int_equal(tls_server_reload(ts, why, sizeof why), ERR_BAD_CONFIG);
    assert_non_null(strstr(why, "does not belong"));
    assert_non_null(strstr(why, ends.key_path));
    unlink(ends.key_path);
    assert_int_equal(tls_server_reload(ts, why, sizeof why), ERR_FILE_FAILED);
    assert_true(raw_connect(ts, ctx, NULL, &peer));
    assert_int_equal(X509_cmp(peer, ends.good.x509), 0);
    X509_free(peer);
    cert_write_key(ends.key_path, &ends.good2, NULL);
    assert_int_equal(tls_server_reload(ts, why, sizeof why), ERR_OK);
    assert_true(raw_connect(ts, ctx, NULL, &peer));
    assert_int_equal(X509_cmp(peer, ends.good2.x509), 0);
    X509_free(peer);
    assert_int_equal(ERR_peek_error(), 0);
    SSL_CTX_free(ctx);
    tls_server_free(ts);
    one = &ends.good;
    cert_write(ends.cert_path, &one, 1);
    cert_write_key(ends.key_path, &ends.good, NULL);
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
            sock_tls_accept(&s, storm->ts) != ERR_OK || !ends_shake(&c, &s, why, sizeof why))
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
    struct storm storm = {.tc = ends_client(ends.ca_path), .ts = ends_server()};
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
        cmocka_unit_test(sessions_are_used_again_for_the_same_host_only),
        cmocka_unit_test(a_session_is_not_used_when_the_certificate_changed_hands),
        cmocka_unit_test(our_server_speaks_modern_tls_only),
        cmocka_unit_test(bad_certificate_files_are_named_and_leave_the_old_ones),
        cmocka_unit_test(reload_under_load_fails_no_handshake),
    };
    return cmocka_run_group_tests(tests, ends_open, ends_close);
}
