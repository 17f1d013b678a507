/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_CERT_MAKE_H
#define TEST_UNIT_CERT_MAKE_H

/*
 * cert_make: certificates for tests, good ones and every kind of bad one, made when the test runs.
 * Keys are P-256 unless RSA is asked for. Everything is owned by the caller; failures end the test.
 */

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

struct cert {
    EVP_PKEY *key;
    X509 *x509;
};

struct cert_spec {
    const char *name;          /* the subject's common name */
    const char *dns;           /* subject alternative name, NULL = none */
    size_t dns_n;              /* its length when it has a NUL inside; 0 = strlen */
    const char *ip;            /* one more, an address literal */
    const struct cert *issuer; /* NULL = signs itself */
    int rsa_bits;              /* 0 = P-256 */
    bool ca;
    bool client_only; /* extended key usage clientAuth instead of serverAuth */
    bool sha1;
    long begins_s, ends_s; /* from now; both 0 = from an hour ago for a day */
};

struct cert cert_make(const struct cert_spec *spec);
void cert_free(struct cert *c);

/* PEM: the certificates one after the other, or the key. */
void cert_write(const char *path, const struct cert *const *certs, size_t count);
void cert_write_key(const char *path, const struct cert *c, const char *passphrase);
/* Appends a list of `issuer` that revokes `revoked`. */
void cert_append_crl(const char *path, const struct cert *issuer, const struct cert *revoked);

#endif
