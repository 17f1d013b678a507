/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are made with EVP_PKEY_fromdata, signatures checked with EVP_DigestVerify; nothing here computes. The
 * kind of a key and the algorithm must agree before OpenSSL sees either: that, and an allow-list without
 * "none" and without MACs, is what closes the known ways to have a key taken for another.
 */
#include "control/people/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/must.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define EXPONENT_BYTES_MAX 4
#define COORDINATE_MAX 66
#define ED25519_BYTES 32
#define TEXT_ARENA (64u << 10)

enum kind { KIND_RSA, KIND_EC, KIND_OKP };

static const struct alg {
    const char *name;
    enum kind kind;
    const char *curve, *digest;
    size_t size;
    bool pss;
} algs[] = {
#define X(name, kind, curve, digest, size) {#name, KIND_##kind, curve, digest, size, #name[0] == 'P'},
    JWK_ALG_TABLE(X)
#undef X
};

struct key {
    EVP_PKEY *pkey;
    char kid[JWK_KID_MAX + 1];
    bool has_kid;
    enum kind kind;
    const char *curve;
    int only; /* the one algorithm that the key says it is for; -1 = none in particular */
};

struct jwk_set {
    size_t count;
    struct key keys[JWK_KEYS_MAX];
};

bool jwk_alg_from(struct str text, enum jwk_alg *ret)
{
    for (int i = 0; i < JWK_ALG_COUNT; i++) {
        if (!str_eq(text, i == JWK_EDDSA ? STR("EdDSA") : str_c(algs[i].name)))
            continue;
        *ret = (enum jwk_alg)i;
        return true;
    }
    return false;
}

const char *jwk_alg_digest(enum jwk_alg alg)
{
    return algs[alg].digest;
}

bool jwk_unbase64url(struct str text, void *out, size_t cap, size_t *ret_n)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '+' || text.p[i] == '/' || text.p[i] == '=')
            return false;
    return encode_unbase64(text, out, cap, ret_n);
}

/* ---- keys ---- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    must(ctx != NULL);
    must(params != NULL);
    if (EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

/* A member's bytes; false when it is not there or too long. */
static bool read_bytes(struct jval jwk, const char *name, unsigned char *out, size_t cap, size_t *ret_n)
{
    return jwk_unbase64url(jdoc_escaped(jdoc_get(jwk, name)), out, cap, ret_n) && *ret_n > 0;
}

static EVP_PKEY *read_rsa(struct jval jwk)
{
    unsigned char modulus[RSA_BITS_MAX / 8 + 1], exponent[EXPONENT_BYTES_MAX];
    size_t modulus_n, exponent_n;
    if (!read_bytes(jwk, "n", modulus, sizeof modulus, &modulus_n) ||
        !read_bytes(jwk, "e", exponent, sizeof exponent, &exponent_n))
        return NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_n, NULL), *e = BN_bin2bn(exponent, (int)exponent_n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    must(n != NULL);
    must(e != NULL);
    must(build != NULL);
    EVP_PKEY *pkey = NULL;
    int bits = BN_num_bits(n);
    bool sound = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e);
    if (sound && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        pkey = from_params("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pkey;
}

/* The point must have whole coordinates (RFC 7518 §6.2.1.2) and lie on its curve. */
static EVP_PKEY *read_ec(struct jval jwk, const char *curve, size_t size)
{
    unsigned char point[1 + 2 * COORDINATE_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x = 0, y = 0;
    if (!read_bytes(jwk, "x", point + 1, size, &x) || x != size || !read_bytes(jwk, "y", point + 1 + size, size, &y) ||
        y != size)
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    must(build != NULL);
    EVP_PKEY *pkey = NULL;
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) == 1)
        pkey = from_params("EC", build);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX *check = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
    if (pkey && (!check || EVP_PKEY_public_check(check) != 1)) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(check);
    return pkey;
}

static EVP_PKEY *read_ed25519(struct jval jwk)
{
    unsigned char bytes[ED25519_BYTES];
    size_t n = 0;
    if (!read_bytes(jwk, "x", bytes, sizeof bytes, &n) || n != sizeof bytes)
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, bytes, n);
}

static bool read_material(struct jval jwk, struct key *key)
{
    struct jval kty = jdoc_get(jwk, "kty"), crv = jdoc_get(jwk, "crv");
    key->curve = "";
    if (jdoc_is(kty, "RSA")) {
        key->kind = KIND_RSA;
        key->pkey = read_rsa(jwk);
        return key->pkey != NULL;
    }
    for (int i = JWK_ES256; i <= JWK_EDDSA; i++) {
        if (!jdoc_is(crv, algs[i].curve) || !jdoc_is(kty, algs[i].kind == KIND_EC ? "EC" : "OKP"))
            continue;
        key->kind = algs[i].kind;
        key->curve = algs[i].curve;
        key->pkey = key->kind == KIND_EC ? read_ec(jwk, algs[i].curve, algs[i].size) : read_ed25519(jwk);
        return key->pkey != NULL;
    }
    return false;
}

static bool fits(const struct key *key, enum jwk_alg alg)
{
    return key->kind == algs[alg].kind && strcmp(key->curve, algs[alg].curve) == 0 &&
           (key->only < 0 || key->only == (int)alg);
}

/* What the key is for, when it says so. */
static bool for_signatures(struct jval jwk)
{
    struct jval use = jdoc_find(jwk, "use"), ops = jdoc_find(jwk, "key_ops");
    if (jdoc_has(use) && !jdoc_is(use, "sig"))
        return false;
    if (!jdoc_has(ops))
        return true;
    for (struct jval op = jdoc_kind(ops) == JDOC_ARRAY ? jdoc_first(ops) : (struct jval){NULL, 0}; jdoc_has(op);
         op = jdoc_next(ops, op))
        if (jdoc_is(op, "verify"))
            return true;
    return false;
}

static bool read_key(struct jval jwk, struct arena *a, struct key *key)
{
    struct jval kid = jdoc_find(jwk, "kid"), alg = jdoc_find(jwk, "alg");
    enum jwk_alg only;
    *key = (struct key){.only = -1};
    if (jdoc_kind(jwk) != JDOC_OBJECT || !for_signatures(jwk))
        return false;
    if (jdoc_has(kid)) {
        struct str text = jdoc_text(kid, a);
        if (jdoc_kind(kid) != JDOC_STRING || !text.p || text.n > JWK_KID_MAX || memchr(text.p, 0, text.n))
            return false;
        str_copy(key->kid, sizeof key->kid, text);
        key->has_kid = true;
    }
    if (jdoc_has(alg)) {
        if (!jwk_alg_from(jdoc_escaped(alg), &only))
            return false;
        key->only = (int)only;
    }
    if (!read_material(jwk, key))
        return false;
    if (key->only >= 0 && !fits(key, (enum jwk_alg)key->only)) {
        EVP_PKEY_free(key->pkey);
        return false;
    }
    return true;
}

enum err jwk_set_parse(struct str json, struct jwk_set **ret, const char **ret_why)
{
    struct jdoc doc;
    struct jwk_set *s = mem_zalloc(sizeof *s);
    struct arena *a = arena_new(1024, TEXT_ARENA);
    jdoc_init(&doc);
    *ret_why = NULL;
    bool is_set = json.n <= JWK_SET_MAX && jdoc_parse(&doc, json);
    struct jval list = is_set ? jdoc_get(jdoc_root(&doc), "keys") : (struct jval){NULL, 0};
    if (jdoc_kind(list) != JDOC_ARRAY)
        *ret_why = "What the provider publishes as its keys is no JSON Web Key Set.";
    else if (jdoc_size(list) > JWK_KEYS_MAX)
        *ret_why = "The provider publishes more than 100 keys.";
    for (struct jval e = *ret_why ? (struct jval){NULL, 0} : jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (read_key(e, a, &s->keys[s->count]))
            s->count++;
    if (!*ret_why && !s->count)
        *ret_why = "The provider publishes no key that signatures can be verified with.";
    ERR_clear_error();
    jdoc_free(&doc);
    arena_free(a);
    if (*ret_why) {
        jwk_set_free(s);
        return ERR_BAD_JSON;
    }
    *ret = s;
    return ERR_OK;
}

void jwk_set_free(struct jwk_set *s)
{
    for (size_t i = 0; s && i < s->count; i++)
        EVP_PKEY_free(s->keys[i].pkey);
    mem_free(s);
}

size_t jwk_set_count(const struct jwk_set *s)
{
    return s->count;
}

/* ---- signatures ---- */

/* r and s of equal length, as they stand in a token, in OpenSSL's form. NULL when that cannot be. */
static unsigned char *der_of(struct str raw, size_t size, size_t *ret_n)
{
    unsigned char *der = NULL;
    if (raw.n != 2 * size)
        return NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn((const unsigned char *)raw.p, (int)size, NULL);
    BIGNUM *s = BN_bin2bn((const unsigned char *)raw.p + size, (int)size, NULL);
    must(sig != NULL);
    must(r != NULL);
    must(s != NULL);
    int set = ECDSA_SIG_set0(sig, r, s);
    must(set == 1);
    int n = i2d_ECDSA_SIG(sig, &der);
    ECDSA_SIG_free(sig);
    *ret_n = n > 0 ? (size_t)n : 0;
    return n > 0 ? der : NULL;
}

static bool is_right(const struct key *key, const struct alg *alg, struct str text, struct str signature)
{
    EVP_PKEY_CTX *how = NULL;
    unsigned char *der = NULL;
    const unsigned char *bytes = (const unsigned char *)signature.p;
    size_t n = signature.n;
    if (key->kind == KIND_EC) {
        der = der_of(signature, alg->size, &n);
        if (!der)
            return false;
        bytes = der;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx != NULL);
    bool ok = EVP_DigestVerifyInit_ex(ctx, &how, key->kind == KIND_OKP ? NULL : alg->digest, NULL, NULL, key->pkey,
                                      NULL) == 1;
    if (ok && key->kind == KIND_RSA)
        ok = EVP_PKEY_CTX_set_rsa_padding(how, alg->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
    if (ok && alg->pss)
        ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok && EVP_DigestVerify(ctx, bytes, n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}

enum jwk_verdict jwk_verify(const struct jwk_set *s, enum jwk_alg alg, struct str kid, struct str text,
                            struct str signature)
{
    const struct key *found = NULL;
    size_t count = 0;
    must(alg < JWK_ALG_COUNT);
    for (size_t i = 0; i < s->count; i++) {
        const struct key *k = &s->keys[i];
        if (!fits(k, alg) || (kid.p && !(k->has_kid && str_eq(str_c(k->kid), kid))))
            continue;
        found = k;
        count++;
    }
    if (count != 1)
        return JWK_NO_KEY; /* of two with one name it is not said which is meant */
    return is_right(found, &algs[alg], text, signature) ? JWK_VERIFIED : JWK_WRONG;
}
