/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_TLS_H
#define NET_TLS_H

/*
 * tls: what a TLS connection needs before there is one: trust, certificates, ciphers, sessions.
 *
 * TLS 1.2 and 1.3 only, forward secrecy only, HTTP/1.1 by ALPN. A client verifies the server's
 * chain and name always; there is no switch. It keeps the sessions servers gave it, per host, and
 * uses each once, so that most new connections need no certificate exchange. A server can change
 * its certificate while it runs, and renews the keys of its session tickets by itself.
 *
 * Both objects are shared by all threads; every function here but _new and _free may be called
 * from any thread. They must live until the last sock made with them is closed.
 */

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct ssl_st;
struct tls_client;
struct tls_server;

/*
 * Trusts the certificates of the PEM file `ca_file`, or those of the system when it is NULL. Where
 * the file holds revocation lists (CRL), revoked server certificates are refused. NULL with a
 * sentence in `why` when the file is no use. Missing system certificates are not fatal here: every
 * handshake will fail, and say so.
 */
struct tls_client *tls_client_new(const char *ca_file, char *why, size_t why_cap);
void tls_client_free(struct tls_client *t); /* NULL does nothing */
/* A sentence for the log when no server can be verified, else NULL. As long as the object lives. */
const char *tls_client_warning(const struct tls_client *t);

/* PEM files: the certificate with its chain, and its key without passphrase. NULL with a sentence. */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file, char *why, size_t why_cap);
void tls_server_free(struct tls_server *t); /* NULL does nothing */
/*
 * Reads both files again; connections made from now on use them. On failure (ERR_FILE_FAILED or
 * ERR_BAD_CONFIG) the old certificate stays and `why` names the file and the reason.
 */
enum err tls_server_reload(struct tls_server *t, char *why, size_t why_cap) ERR_USE;

/* For sock.c: one end of a new connection, ready for the handshake. */
/* NULL when `host` is neither a name nor an address literal. */
struct ssl_st *tls_client_begin(struct tls_client *t, struct str host);
struct ssl_st *tls_server_begin(struct tls_server *t);
/* Why the handshake failed. Takes OpenSSL's error queue and leaves it empty. */
void tls_failure(const struct ssl_st *ssl, char *why, size_t why_cap);

#endif
