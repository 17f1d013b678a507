/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_TLS_ENDS_H
#define TEST_UNIT_TLS_ENDS_H

/*
 * tls_ends: the two ends of a TLS connection for tests. Either is ours, or OpenSSL used directly so
 * that it can misbehave; certificates and files are made once per test program.
 */

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "cert_make.h"
#include "net/sock.h"
#include "net/tls.h"

struct ends {
    char dir[64];
    char ca_path[96], ca_crl_path[96], cert_path[96], key_path[96];
    struct cert ca, other_ca;
    struct cert good, good2; /* good.example under `ca`, and 127.0.0.1 or ::1 */
};
extern struct ends ends;

/* Group set-up and tear-down for cmocka. */
int ends_open(void **state);
int ends_close(void **state);
/* A path in the directory of this run. */
const char *ends_path(char out[96], const char *name);

struct tls_client *ends_client(const char *ca_path);
struct tls_server *ends_server(void);

/* OpenSSL's own, without our limits: TLS 1.0 and up, security level 0. */
SSL_CTX *ends_raw_context(const struct cert *c, bool server);
SSL *ends_raw(SSL_CTX *ctx, int fd, bool server);

void ends_pair(int fd[2]);
/* Over TCP, whose buffers hold many small records. */
void ends_tcp_pair(int fd[2]);

/* Our client against a raw server, until the client knows; gives the client's result. */
enum sock_io ends_shake_raw(struct sock *c, SSL *server, char *why, size_t cap);
/* Ours against ours. */
bool ends_shake(struct sock *c, struct sock *s, char *why, size_t cap);
/* Both ends, connected and shaken. */
void ends_join(struct tls_client *tc, struct tls_server *ts, struct sock *c, struct sock *s);

/* What comes first, at least a byte, waiting a little for it. */
size_t ends_read(struct sock *s, char *out, size_t n);
void ends_write(struct sock *s, const char *text);

#endif
