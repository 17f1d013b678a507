/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TLS costs through our own sockets: heap of an idle connection and CPU of a handshake, each
 * end by itself. Both ends live in this process, joined by a socket pair; the chain is a P-256
 * certificate under one CA.
 *
 *   tls_cost [connections]
 */
#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "net/sock.h"
#include "net/tls.h"

struct end {
    struct sock sock;
    enum sock_io io;
};

struct sum {
    double heap, cpu_us;
};

static double heap_now(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static X509 *certificate(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *name, int nid,
                         const char *value)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509V3_CTX ctx;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    must(X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()));
    return x;
}

static void write_pem(const char *path, X509 *x, EVP_PKEY *key)
{
    FILE *f = fopen(path, "we");
    must(f != NULL);
    if (x)
        PEM_write_X509(f, x);
    if (key)
        PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

static void step(struct end *e, struct sum *sum)
{
    char why[256] = "";
    double heap = sum ? heap_now() : 0, cpu = cpu_us();
    if (e->io == SOCK_AGAIN)
        e->io = sock_tls_handshake(&e->sock, why, sizeof why);
    if (sum) {
        sum->cpu_us += cpu_us() - cpu;
        sum->heap += heap_now() - heap;
    }
    if (e->io == SOCK_FAIL) {
        fprintf(stderr, "tls_cost: %s\n", why);
        exit(1);
    }
}

/* One message there, as a request and its answer would be; then read until nothing is left. */
static void talk(struct end *from, struct end *to, struct sum *from_sum, struct sum *to_sum)
{
    char b[1000] = "x";
    struct iovec iov = {b, sizeof b};
    size_t n;
    double heap = heap_now();
    must(sock_write(&from->sock, &iov, 1, &n) == SOCK_DONE);
    from_sum->heap += heap_now() - heap;
    heap = heap_now();
    while (sock_read(&to->sock, b, sizeof b, &n) == SOCK_DONE)
        continue;
    to_sum->heap += heap_now() - heap;
}

static void open_pair(struct end pair[2], struct tls_client *tc, struct tls_server *ts, struct sum sum[2])
{
    int fd[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    double heap = heap_now(), cpu = cpu_us();
    sock_init(&pair[0].sock, fd[0]);
    must(sock_tls_connect(&pair[0].sock, tc, STR("good.example")) == ERR_OK);
    sum[0].cpu_us += cpu_us() - cpu;
    sum[0].heap += heap_now() - heap;
    heap = heap_now();
    cpu = cpu_us();
    sock_init(&pair[1].sock, fd[1]);
    must(sock_tls_accept(&pair[1].sock, ts) == ERR_OK);
    sum[1].cpu_us += cpu_us() - cpu;
    sum[1].heap += heap_now() - heap;
    pair[0].io = pair[1].io = SOCK_AGAIN;
    while (pair[0].io == SOCK_AGAIN || pair[1].io == SOCK_AGAIN) {
        step(&pair[0], &sum[0]);
        step(&pair[1], &sum[1]);
    }
    talk(&pair[0], &pair[1], &sum[0], &sum[1]);
    talk(&pair[1], &pair[0], &sum[1], &sum[0]);
}

static void measure(const char *name, struct tls_client **clients, struct tls_server *ts, size_t count, bool resume)
{
    struct end(*pairs)[2] = mem_zalloc(count * sizeof *pairs);
    struct sum sum[2] = {{0}};
    size_t reused = 0;
    for (size_t i = 0; i < count; i++) {
        open_pair(pairs[i], clients[resume ? 0 : i], ts, sum);
        reused += (size_t)SSL_session_reused(pairs[i][0].sock.ssl);
    }
    double n = (double)count;
    printf("%-8s client %5.1f KB %5.0f us   server %5.1f KB %5.0f us   (%zu of %zu resumed)\n", name,
           sum[0].heap / n / 1024, sum[0].cpu_us / n, sum[1].heap / n / 1024, sum[1].cpu_us / n, reused, count);
    for (size_t i = 0; i < count; i++) {
        sock_close(&pairs[i][0].sock);
        sock_close(&pairs[i][1].sock);
    }
    mem_free(pairs);
}

int main(int argc, char **argv)
{
    uint64_t count = 400;
    char dir[] = P_tmpdir "/tls_cost.XXXXXX", ca_path[64], cert_path[64], key_path[64], why[256];
    if (argc > 1 && (!str_to_u64(str_c(argv[1]), &count) || count < 1 || count > 4000)) {
        fprintf(stderr, "usage: tls_cost [connections, 1 to 4000]\n");
        return 2;
    }
    struct rlimit files = {3 * count + 64, 3 * count + 64};
    setrlimit(RLIMIT_NOFILE, &files);
    must(mkdtemp(dir) != NULL);
    snprintf(ca_path, sizeof ca_path, "%s/ca.pem", dir);
    snprintf(cert_path, sizeof cert_path, "%s/cert.pem", dir);
    snprintf(key_path, sizeof key_path, "%s/key.pem", dir);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = certificate(ca_key, NULL, NULL, "ca", NID_basic_constraints, "critical,CA:TRUE");
    X509 *leaf = certificate(key, ca, ca_key, "leaf", NID_subject_alt_name, "DNS:good.example");
    write_pem(ca_path, ca, NULL);
    write_pem(cert_path, leaf, NULL);
    write_pem(key_path, NULL, key);
    struct tls_server *ts = tls_server_new(cert_path, key_path, why, sizeof why);
    /* A client that never saw the server before makes a full handshake. */
    struct tls_client **clients = mem_zalloc(count * sizeof(struct tls_client *));
    for (size_t i = 0; i < count; i++)
        must((clients[i] = tls_client_new(ca_path, why, sizeof why)) != NULL);
    measure("full", clients, ts, count, false);
    measure("resumed", clients, ts, count, true);
    for (size_t i = 0; i < count; i++)
        tls_client_free(clients[i]);
    mem_free(clients);
    tls_server_free(ts);
    unlink(ca_path);
    unlink(cert_path);
    unlink(key_path);
    rmdir(dir);
    X509_free(ca);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    return 0;
}
