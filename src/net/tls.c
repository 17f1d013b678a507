/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS contexts over OpenSSL 3.
 *
 * An SSL_CTX is shared by all threads and never changed once connections use it: a reload makes a
 * new one and swaps the pointer under a lock; connections under way keep the old one by reference.
 * The keys of session tickets belong to the context and are random, so the server's context is
 * also replaced by a copy every TICKET_KEY_LIFE_US: a stolen key opens few TLS 1.2 sessions.
 *
 * Ciphers: ECDHE with AES-GCM or ChaCha20-Poly1305, as in RFC 9325 §4.2. Security level 2 of OpenSSL
 * (≥ 112 bits) refuses SHA-1 signatures and RSA keys below 2048 bits, ours and the peer's.
 *
 * Memory: SSL_MODE_RELEASE_BUFFERS frees the 17 KB record buffers of a connection whenever they
 * are empty. Read-ahead takes whole records in one read instead of header and body in two.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/tls_session.h"
#include "net/url.h"

#define TICKET_KEY_LIFE_US (UINT64_C(12) * 3600 * 1000000)

static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL";
static const char ciphers_13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const unsigned char alpn_http1[] = "\x08http/1.1";

struct tls_client {
    SSL_CTX *ctx;
    struct tls_sessions *sessions;
    char warning[256]; /* empty when servers can be verified */
};

struct tls_server {
    pthread_mutex_t lock; /* guards the two below */
    SSL_CTX *ctx;
    uint64_t made_us;
    char *cert_file, *key_file;
};

/* What both ends have in common. */
static SSL_CTX *context_new(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    int groups[] = {NID_X25519, NID_X9_62_prime256v1, NID_secp384r1};
    must(ctx != NULL);
    SSL_CTX_set_security_level(ctx, 2);
    must(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION));
    must(SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION));
    must(SSL_CTX_set_cipher_list(ctx, ciphers));
    must(SSL_CTX_set_ciphersuites(ctx, ciphers_13));
    must(SSL_CTX_set1_groups(ctx, groups, sizeof groups / sizeof groups[0]));
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    /* A dropped end without close_notify may be an attacker's cut (RFC 8446 §6.1). */
    SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    return ctx;
}

/* The first error in the queue, in words. */
static const char *reason(void)
{
    unsigned long e = ERR_peek_error();
    if (e && ERR_SYSTEM_ERROR(e)) {
        const char *text = strerrordesc_np(ERR_GET_REASON(e));
        return text ? text : "system error";
    }
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    return text ? text : "unknown error";
}

static bool reason_is(int lib, int code)
{
    unsigned long e = ERR_peek_error();
    return ERR_GET_LIB(e) == lib && ERR_GET_REASON(e) == code;
}

/* The client. */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char *address = host ? NULL : X509_VERIFY_PARAM_get1_ip_asc(SSL_get0_param(ssl));
    /* A copy, so that no thread shares a session with the connection it came from. */
    SSL_SESSION *copy = host || address ? SSL_SESSION_dup(session) : NULL;
    if (copy)
        tls_sessions_keep(t->sessions, str_c(host ? host : address), copy);
    OPENSSL_free(address);
    return 0;
}

/* "3513523f.0": how OpenSSL finds a certificate in a directory, by the hash of its subject. */
static bool is_hashed_name(void *context, const char *name)
{
    bool *found = context;
    uint64_t hash;
    *found = strlen(name) >= 10 && name[8] == '.' && str_hex_to_u64(str_of(name, 8), &hash);
    return !*found;
}

/* Looks where OpenSSL will look, to be able to say what is missing. */
static bool system_trust_exists(void)
{
    const char *file = getenv(X509_get_default_cert_file_env());
    if (access(file ? file : X509_get_default_cert_file(), R_OK) == 0)
        return true;
    const char *set = getenv(X509_get_default_cert_dir_env());
    struct str dirs = str_c(set ? set : X509_get_default_cert_dir()), dir;
    while (str_split(&dirs, ':', &dir)) {
        char path[1024];
        bool found = false;
        if (dir.n && dir.n < sizeof path &&
            file_list(str_copy(path, sizeof path, dir), is_hashed_name, &found) == ERR_OK && found)
            return true;
    }
    return false;
}

static bool has_revocations(X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++)
        if (X509_OBJECT_get_type(sk_X509_OBJECT_value(all, i)) == X509_LU_CRL)
            return true;
    return false;
}

static bool trust_file(SSL_CTX *ctx, const char *ca_file, char *why, size_t why_cap)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (!X509_STORE_load_file(store, ca_file)) {
        bool unread = ERR_SYSTEM_ERROR(ERR_peek_error());
        snprintf(why, why_cap, "CA file %s: %s", ca_file, unread ? reason() : "no PEM certificate in it");
        ERR_clear_error();
        return false;
    }
    /* Whoever names an intermediate certificate means to trust it. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (has_revocations(store))
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return true;
}

struct tls_client *tls_client_new(const char *ca_file, char *why, size_t why_cap)
{
    SSL_CTX *ctx = context_new(TLS_client_method());
    if (ca_file && !trust_file(ctx, ca_file, why, why_cap)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    struct tls_client *t = mem_zalloc(sizeof *t);
    t->ctx = ctx;
    t->sessions = tls_sessions_new();
    if (!ca_file) {
        must(SSL_CTX_set_default_verify_paths(ctx));
        if (!system_trust_exists())
            snprintf(t->warning, sizeof t->warning,
                     "no CA certificates are installed (looked for %s and in %s); install the package "
                     "ca-certificates or give --ca-file",
                     X509_get_default_cert_file(), X509_get_default_cert_dir());
    }
    SSL_CTX_set_app_data(ctx, t);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    must(SSL_CTX_set_alpn_protos(ctx, alpn_http1, sizeof alpn_http1 - 1) == 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    ERR_clear_error();
    return t;
}

void tls_client_free(struct tls_client *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    tls_sessions_free(t->sessions);
    mem_free(t);
}

const char *tls_client_warning(const struct tls_client *t)
{
    return t->warning[0] ? t->warning : NULL;
}

SSL *tls_client_begin(struct tls_client *t, struct str host)
{
    char name[URL_HOST_MAX + 1];
    if (!url_host(host, name))
        return NULL;
    SSL *ssl = SSL_new(t->ctx);
    must(ssl != NULL);
    SSL_set_connect_state(ssl);
    if (url_host_is_address(name)) {
        must(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name));
    } else {
        /* The subject's common name is no host name (RFC 9525 §2). */
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        must(SSL_set1_host(ssl, name));
        must(SSL_set_tlsext_host_name(ssl, name));
    }
    SSL_SESSION *session = tls_sessions_take(t->sessions, str_c(name));
    if (session) {
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }
    return ssl;
}

/* The server. */

/* Keys with a passphrase are refused rather than asked for. */
static int no_passphrase(char *out, int cap, int writing, void *context)
{
    (void)out;
    (void)cap;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                       unsigned in_n, void *context)
{
    (void)ssl;
    (void)context;
    for (unsigned i = 0; i < in_n; i += in[i] + 1u) {
        unsigned n = in[i] + 1u;
        if (n == sizeof alpn_http1 - 1 && n <= in_n - i && memcmp(in + i, alpn_http1, n) == 0) {
            *out = in + i + 1;
            *out_n = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 §3.2 */
}

static SSL_CTX *server_context(void)
{
    SSL_CTX *ctx = context_new(TLS_server_method());
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    /* Tickets only: nothing is kept here for clients that may never come back. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    must(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"tollgate", 8));
    must(SSL_CTX_set_num_tickets(ctx, 1));
    return ctx;
}

static void key_failure(const struct tls_server *t, bool asked, char *why, size_t why_cap)
{
    if (asked)
        snprintf(why, why_cap, "TLS key file %s: protected by a passphrase; store it without one", t->key_file);
    else if (reason_is(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH) || reason_is(ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH))
        snprintf(why, why_cap, "TLS key file %s: the key does not belong to the certificate in %s", t->key_file,
                 t->cert_file);
    else
        snprintf(why, why_cap, "TLS key file %s: %s", t->key_file,
                 ERR_SYSTEM_ERROR(ERR_peek_error()) ? reason() : "no usable PEM private key in it");
}

/* A context with what the files hold now, or NULL with a sentence. */
static SSL_CTX *server_load(const struct tls_server *t, enum err *ret_err, char *why, size_t why_cap)
{
    SSL_CTX *ctx = server_context();
    bool asked = false;
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, t->cert_file) != 1) {
        bool no_pem = reason_is(ERR_LIB_PEM, PEM_R_NO_START_LINE);
        snprintf(why, why_cap, "TLS certificate file %s: %s", t->cert_file,
                 no_pem ? "no PEM certificate in it" : reason());
    } else if (SSL_CTX_use_PrivateKey_file(ctx, t->key_file, SSL_FILETYPE_PEM) != 1) {
        key_failure(t, asked, why, why_cap);
    } else if (SSL_CTX_check_private_key(ctx) != 1) {
        snprintf(why, why_cap, "TLS key file %s: the key does not belong to the certificate in %s", t->key_file,
                 t->cert_file);
    } else {
        SSL_CTX_set_default_passwd_cb(ctx, NULL);
        SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
        ERR_clear_error();
        return ctx;
    }
    *ret_err = ERR_SYSTEM_ERROR(ERR_peek_error()) ? ERR_FILE_FAILED : ERR_BAD_CONFIG;
    ERR_clear_error();
    SSL_CTX_free(ctx);
    return NULL;
}

struct tls_server *tls_server_new(const char *cert_file, const char *key_file, char *why, size_t why_cap)
{
    struct tls_server *t = mem_zalloc(sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    t->cert_file = mem_strdup(cert_file);
    t->key_file = mem_strdup(key_file);
    enum err unused;
    t->ctx = server_load(t, &unused, why, why_cap);
    t->made_us = clock_mono_us();
    if (t->ctx)
        return t;
    tls_server_free(t);
    return NULL;
}

void tls_server_free(struct tls_server *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    pthread_mutex_destroy(&t->lock);
    mem_free(t->cert_file);
    mem_free(t->key_file);
    mem_free(t);
}

enum err tls_server_reload(struct tls_server *t, char *why, size_t why_cap)
{
    enum err e = ERR_OK;
    SSL_CTX *fresh = server_load(t, &e, why, why_cap);
    if (!fresh)
        return e;
    pthread_mutex_lock(&t->lock);
    SSL_CTX *old = t->ctx;
    t->ctx = fresh;
    t->made_us = clock_mono_us();
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    return ERR_OK;
}

/* The same certificate and key in a new context, which has ticket keys of its own. */
static SSL_CTX *server_renewed(SSL_CTX *old)
{
    SSL_CTX *ctx = server_context();
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs(old, &chain);
    must(SSL_CTX_use_cert_and_key(ctx, SSL_CTX_get0_certificate(old), SSL_CTX_get0_privatekey(old), chain, 1) == 1);
    return ctx;
}

SSL *tls_server_begin(struct tls_server *t)
{
    SSL_CTX *old = NULL;
    pthread_mutex_lock(&t->lock);
    uint64_t now_us = clock_mono_us();
    if (now_us - t->made_us > TICKET_KEY_LIFE_US) {
        old = t->ctx;
        t->ctx = server_renewed(old);
        t->made_us = now_us;
    }
    SSL_CTX *ctx = t->ctx;
    SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&t->lock);
    SSL *ssl = SSL_new(ctx);
    must(ssl != NULL);
    SSL_set_accept_state(ssl);
    SSL_CTX_free(ctx);
    SSL_CTX_free(old);
    return ssl;
}

/* Failures. */

void tls_failure(const SSL *ssl, char *why, size_t why_cap)
{
    long verdict = SSL_get_verify_result(ssl);
    struct tls_client *t = SSL_is_server(ssl) ? NULL : SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (t && verdict != X509_V_OK) {
        bool no_trust = t->warning[0] && verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
        snprintf(why, why_cap, "the server's certificate is refused: %s",
                 no_trust ? t->warning : X509_verify_cert_error_string(verdict));
    } else if (reason_is(ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER) || reason_is(ERR_LIB_SSL, SSL_R_HTTP_REQUEST)) {
        snprintf(why, why_cap, "the peer does not speak TLS on this port");
    } else if (ERR_peek_error() && !reason_is(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        snprintf(why, why_cap, "the TLS handshake failed: %s", reason());
    } else {
        snprintf(why, why_cap, "the peer closed the connection during the TLS handshake");
    }
    ERR_clear_error();
}
