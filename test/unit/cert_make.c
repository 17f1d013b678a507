/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates by OpenSSL's own calls; see the header. */
#include "cert_make.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/must.h"

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(e != NULL);
    must(X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

static void add_alternative(GENERAL_NAMES *names, int type, const void *p, size_t n)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text = type == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
    must(ASN1_STRING_set(text, p, (int)n));
    GENERAL_NAME_set0_value(name, type, text);
    sk_GENERAL_NAME_push(names, name);
}

static void add_alternatives(X509 *x, const struct cert_spec *spec)
{
    unsigned char address[16];
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    if (spec->dns)
        add_alternative(names, GEN_DNS, spec->dns, spec->dns_n ? spec->dns_n : strlen(spec->dns));
    if (spec->ip && inet_pton(AF_INET, spec->ip, address) == 1)
        add_alternative(names, GEN_IPADD, address, 4);
    else if (spec->ip && inet_pton(AF_INET6, spec->ip, address) == 1)
        add_alternative(names, GEN_IPADD, address, 16);
    if (sk_GENERAL_NAME_num(names))
        must(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT));
    GENERAL_NAMES_free(names);
}

struct cert cert_make(const struct cert_spec *spec)
{
    static long serial = 100;
    struct cert c = {spec->rsa_bits ? EVP_RSA_gen((unsigned)spec->rsa_bits) : EVP_EC_gen("P-256"), X509_new()};
    must(c.key != NULL);
    must(c.x509 != NULL);
    const struct cert *issuer = spec->issuer ? spec->issuer : &c;
    bool dated = spec->begins_s || spec->ends_s;
    X509_set_version(c.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), dated ? spec->begins_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), dated ? spec->ends_s : 86400);
    X509_set_pubkey(c.x509, c.key);
    X509_NAME *name = X509_get_subject_name(c.x509);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)spec->name, -1, -1, 0));
    X509_set_issuer_name(c.x509, X509_get_subject_name(issuer->x509));
    if (spec->ca) {
        add_extension(c.x509, issuer->x509, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(c.x509, issuer->x509, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        add_extension(c.x509, issuer->x509, NID_ext_key_usage, spec->client_only ? "clientAuth" : "serverAuth");
    }
    add_alternatives(c.x509, spec);
    must(X509_sign(c.x509, issuer->key, spec->sha1 ? EVP_sha1() : EVP_sha256()));
    return c;
}

void cert_free(struct cert *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->x509);
    *c = (struct cert){0};
}

void cert_write(const char *path, const struct cert *const *certs, size_t count)
{
    FILE *f = fopen(path, "we");
    must(f != NULL);
    for (size_t i = 0; i < count; i++)
        must(PEM_write_X509(f, certs[i]->x509));
    must(fclose(f) == 0);
}

void cert_write_key(const char *path, const struct cert *c, const char *passphrase)
{
    FILE *f = fopen(path, "we");
    must(f != NULL);
    must(PEM_write_PrivateKey(f, c->key, passphrase ? EVP_aes_128_cbc() : NULL, (const unsigned char *)passphrase,
                              passphrase ? (int)strlen(passphrase) : 0, NULL, NULL));
    must(fclose(f) == 0);
}

void cert_append_crl(const char *path, const struct cert *issuer, const struct cert *revoked)
{
    X509_CRL *list = X509_CRL_new();
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *next = X509_gmtime_adj(NULL, 86400);
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->x509));
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, next);
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509));
    X509_REVOKED_set_revocationDate(entry, now);
    must(X509_CRL_add0_revoked(list, entry));
    must(X509_CRL_sign(list, issuer->key, EVP_sha256()));
    FILE *f = fopen(path, "ae");
    must(f != NULL);
    must(PEM_write_X509_CRL(f, list));
    must(fclose(f) == 0);
    X509_CRL_free(list);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
}
