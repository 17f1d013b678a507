/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of identity providers: the examples of RFC 7515, 7517, 7519 and 8037, tokens signed here with every
 * algorithm, and the known ways to have a wrong one taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "base/encode.h"
#include "control/people/jwt.h"

#define NOW 1800000000
#define TEXT 65536

/* RFC 7515, A.2 to A.4; RFC 8037, A.4. */
#define RSA_N                                                                                               \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT" \
    "-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQ" \
    "OS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj" \
    "8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define JOE "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static const char rfc_keys[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jS"
    "fS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf6"
    "3e3kyMj2\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}"
    "]}";

static const char rfc_rs256[] =
    "eyJhbGciOiJSUzI1NiJ9." JOE
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUA"
    "r7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
    "xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypG"
    "lUPQGe77Rw";
static const char rfc_es256[] = "eyJhbGciOiJFUzI1NiJ9." JOE ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxL"
                                "a8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
static const char rfc_es512[] =
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34X"
    "O0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
static const char rfc_eddsa[] =
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki"
    "4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/* RFC 7515 A.1 (also RFC 7519 §3.1), and A.5 (also RFC 7519 §6.1). */
static const char rfc_hs256[] =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
static const char rfc_none[] = "eyJhbGciOiJub25lIn0." JOE ".";

/* RFC 7517, A.1: one key for encryption, one for signatures. */
static const char rfc_7517[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"enc\",\"kid\":\"1\"},"
    "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
    "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgn"
    "Yb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF"
    "Cur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}]}";

struct rig {
    struct arena *arena;
    EVP_PKEY *rsa, *ec[3], *ed;
    struct jwk_set *keys; /* "rsa", "p256", "p384", "p521", "ed" */
    char text[TEXT];
};

static struct jwk_set *parse(const char *json)
{
    struct jwk_set *s = NULL;
    const char *why = NULL;
    if (jwk_set_parse(str_c(json), &s, &why) != ERR_OK)
        fail_msg("%s", why);
    return s;
}

static const char *refused(const char *json)
{
    struct jwk_set *s = NULL;
    const char *why = NULL;
    assert_int_equal(jwk_set_parse(str_c(json), &s, &why), ERR_BAD_JSON);
    assert_null(s);
    assert_true(strlen(why) > 20);
    return why;
}

static void add_base64(struct buf *out, const void *bytes, size_t n)
{
    char text[ENCODE_BASE64_MAX(8192)];
    assert_true(n <= 8192);
    assert_true(buf_add(out, text, encode_base64url(bytes, n, text)));
}

static void add_number(struct buf *out, EVP_PKEY *key, const char *param, size_t width)
{
    unsigned char bytes[1024];
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, param, &n), 1);
    size_t size = width ? width : (size_t)BN_num_bytes(n);
    assert_true(BN_bn2binpad(n, bytes, (int)size) >= 0);
    add_base64(out, bytes, size);
    BN_free(n);
}

static void add_rsa(struct buf *out, EVP_PKEY *key, const char *more)
{
    assert_true(buf_printf(out, "{\"kty\":\"RSA\",%s\"n\":\"", more));
    add_number(out, key, OSSL_PKEY_PARAM_RSA_N, 0);
    assert_true(buf_add_str(out, STR("\",\"e\":\"")));
    add_number(out, key, OSSL_PKEY_PARAM_RSA_E, 0);
    assert_true(buf_add_str(out, STR("\"}")));
}

static const struct {
    const char *curve, *group;
    size_t size;
} curves[] = {{"P-256", "P-256", 32}, {"P-384", "P-384", 48}, {"P-521", "P-521", 66}};

static void add_ec(struct buf *out, EVP_PKEY *key, int i, const char *more)
{
    assert_true(buf_printf(out, "{\"kty\":\"EC\",\"crv\":\"%s\",%s\"x\":\"", curves[i].curve, more));
    add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_X, curves[i].size);
    assert_true(buf_add_str(out, STR("\",\"y\":\"")));
    add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_Y, curves[i].size);
    assert_true(buf_add_str(out, STR("\"}")));
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct buf out;
    unsigned char raw[32];
    size_t n = sizeof raw;
    buf_init(&out, TEXT);
    r->arena = arena_new(4096, 4 << 20);
    r->rsa = EVP_RSA_gen(2048);
    r->ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_true(buf_add_str(&out, STR("{\"keys\":[")));
    add_rsa(&out, r->rsa, "\"kid\":\"rsa\",");
    for (int i = 0; i < 3; i++) {
        char kid[32];
        r->ec[i] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[i].group);
        snprintf(kid, sizeof kid, "\"kid\":\"%s\",", i == 0 ? "p256" : i == 1 ? "p384" : "p521");
        assert_true(buf_add_byte(&out, ','));
        add_ec(&out, r->ec[i], i, kid);
    }
    assert_int_equal(EVP_PKEY_get_raw_public_key(r->ed, raw, &n), 1);
    assert_true(buf_add_str(&out, STR(",{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\",\"x\":\"")));
    add_base64(&out, raw, n);
    assert_true(buf_add(&out, "\"}]}", 5));
    r->keys = parse(buf_str(&out).p);
    assert_int_equal(jwk_set_count(r->keys), 5);
    buf_free(&out);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    jwk_set_free(r->keys);
    EVP_PKEY_free(r->rsa);
    EVP_PKEY_free(r->ed);
    for (int i = 0; i < 3; i++)
        EVP_PKEY_free(r->ec[i]);
    arena_free(r->arena);
    free(r);
    return 0;
}

/* ---- making tokens ---- */

static void add_signature(struct buf *out, EVP_PKEY *key, const char *digest, size_t coordinate, bool pss)
{
    unsigned char bytes[1024];
    size_t n = sizeof bytes;
    EVP_PKEY_CTX *how;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct str text = buf_str(out);
    assert_int_equal(EVP_DigestSignInit_ex(ctx, &how, digest, NULL, NULL, key, NULL), 1);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(ctx, bytes, &n, (const unsigned char *)text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    if (coordinate) {
        const unsigned char *p = bytes;
        ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
        unsigned char raw[132];
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)coordinate);
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + coordinate, (int)coordinate);
        ECDSA_SIG_free(sig);
        memcpy(bytes, raw, n = 2 * coordinate);
    }
    assert_true(buf_add_byte(out, '.'));
    add_base64(out, bytes, n);
}

/* Two parts; the text is in r->text until the next one is made. */
static void begin(struct buf *out, const char *head, const char *payload)
{
    buf_init(out, TEXT);
    add_base64(out, head, strlen(head));
    assert_true(buf_add_byte(out, '.'));
    add_base64(out, payload, strlen(payload));
}

static struct str end(struct rig *r, struct buf *out)
{
    str_copy(r->text, sizeof r->text, buf_str(out));
    buf_free(out);
    return str_c(r->text);
}

static struct str rs256(struct rig *r, const char *head, const char *payload)
{
    struct buf out;
    begin(&out, head, payload);
    add_signature(&out, r->rsa, "SHA256", 0, false);
    return end(r, &out);
}

static enum jwt_fault open_with(struct rig *r, const struct jwk_set *keys, struct str text)
{
    struct jwt t;
    return jwt_open(text, keys, r->arena, &t);
}

#define GOOD                                                                                                      \
    "{\"iss\":\"https://id.example\",\"sub\":\"u-1\",\"aud\":\"tollgate\",\"exp\":1800000300,\"iat\":1800000000," \
    "\"nonce\":\"n-1\",\"email\":\"ann@example.com\",\"email_verified\":true,\"name\":\"Ann\"}"

/* Of a payload that was signed. */
static enum jwt_fault judge_at(struct rig *r, const char *payload, const char *access_token, int64_t now_s,
                               struct jwt_person *ret)
{
    struct jwt t;
    const struct jwt_expect expect = {STR("https://id.example"), STR("tollgate"), STR("n-1"), str_c(access_token),
                                      now_s};
    assert_int_equal(jwt_open(rs256(r, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", payload), r->keys, r->arena, &t),
                     JWT_NONE);
    return jwt_claims(&t, &expect, r->arena, ret);
}

static enum jwt_fault judge(struct rig *r, const char *payload)
{
    struct jwt_person who;
    return judge_at(r, payload, "", NOW, &who);
}

/* ---- cases ---- */

static void the_examples_of_the_standards_verify(void **state)
{
    struct rig *r = *state;
    struct jwk_set *keys = parse(rfc_keys);
    struct jwt t;
    assert_int_equal(jwk_set_count(keys), 4); /* without the secret one */
    const char *const good[] = {rfc_rs256, rfc_es256, rfc_es512, rfc_eddsa};
    const enum jwk_alg alg[] = {JWK_RS256, JWK_ES256, JWK_ES512, JWK_EDDSA};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(jwt_open(str_c(good[i]), keys, r->arena, &t), JWT_NONE);
        assert_int_equal(t.alg, alg[i]);
    }
    assert_true(str_eq(t.payload, STR("Example of Ed25519 signing")));
    const struct jwt_expect expect = {STR("joe"), STR("x"), STR("x"), STR(""), 1300819370};
    struct jwt_person who;
    assert_int_equal(jwt_claims(&t, &expect, r->arena, &who), JWT_FORM); /* no JSON */
    jwk_set_free(keys);
    keys = parse(rfc_7517);
    assert_int_equal(jwk_set_count(keys), 1);
    assert_int_equal(open_with(r, keys, str_c(rfc_rs256)), JWT_SIGNATURE);
    jwk_set_free(keys);
}

static void every_byte_of_the_examples_counts(void **state)
{
    struct rig *r = *state;
    struct jwk_set *keys = parse(rfc_keys);
    const char *const good[] = {rfc_rs256, rfc_es256, rfc_es512, rfc_eddsa};
    for (int i = 0; i < 4; i++) {
        size_t n = strlen(good[i]);
        for (size_t at = 0; at < n; at += i ? 3 : 17) {
            str_copy(r->text, sizeof r->text, str_c(good[i]));
            r->text[at] = r->text[at] == 'A' ? 'B' : 'A';
            assert_int_not_equal(open_with(r, keys, str_c(r->text)), JWT_NONE);
        }
        for (size_t cut = 1; cut < 8; cut++)
            assert_int_not_equal(open_with(r, keys, str_of(good[i], n - cut)), JWT_NONE);
    }
    jwk_set_free(keys);
}

static void each_algorithm_verifies_with_its_own_key_alone(void **state)
{
    struct rig *r = *state;
    static const struct {
        const char *alg, *kid, *digest;
        size_t coordinate;
    } rows[] = {{"RS256", "rsa", "SHA256", 0},   {"RS384", "rsa", "SHA384", 0},   {"RS512", "rsa", "SHA512", 0},
                {"PS256", "rsa", "SHA256", 0},   {"PS384", "rsa", "SHA384", 0},   {"PS512", "rsa", "SHA512", 0},
                {"ES256", "p256", "SHA256", 32}, {"ES384", "p384", "SHA384", 48}, {"ES512", "p521", "SHA512", 66},
                {"EdDSA", "ed", NULL, 0}};
    static const char *const kids[] = {"rsa", "p256", "p384", "p521", "ed"};
    EVP_PKEY *const keys[] = {r->rsa, r->ec[0], r->ec[1], r->ec[2], r->ed};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t k = 0; k < 5; k++) {
            char head[100];
            struct buf out;
            bool own = strcmp(rows[i].kid, kids[k]) == 0;
            EVP_PKEY *key = NULL;
            for (size_t m = 0; m < 5; m++)
                key = strcmp(rows[i].kid, kids[m]) == 0 ? keys[m] : key;
            snprintf(head, sizeof head, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", rows[i].alg, kids[k]);
            begin(&out, head, GOOD);
            add_signature(&out, key, rows[i].digest, rows[i].coordinate, rows[i].alg[0] == 'P');
            assert_int_equal(open_with(r, r->keys, end(r, &out)), own ? JWT_NONE : JWT_NO_KEY);
        }
    }
}

static void an_algorithm_is_not_exchanged_for_its_sibling(void **state)
{
    struct rig *r = *state;
    static const struct {
        const char *said, *digest;
        bool pss;
    } rows[] = {
        {"RS256", "SHA256", true}, {"PS256", "SHA256", false}, {"RS256", "SHA512", false}, {"RS512", "SHA256", false}};
    for (size_t i = 0; i < 4; i++) {
        char head[64];
        struct buf out;
        snprintf(head, sizeof head, "{\"alg\":\"%s\",\"kid\":\"rsa\"}", rows[i].said);
        begin(&out, head, GOOD);
        add_signature(&out, r->rsa, rows[i].digest, 0, rows[i].pss);
        assert_int_equal(open_with(r, r->keys, end(r, &out)), JWT_SIGNATURE);
    }
}

static void no_signature_is_no_signature(void **state)
{
    struct rig *r = *state;
    static const char *const heads[] = {"{\"alg\":\"none\"}",   "{\"alg\":\"None\"}",    "{\"alg\":\"NONE\"}",
                                        "{\"alg\":\"nOnE\"}",   "{\"alg\":\"\"}",        "{}",
                                        "{\"alg\":null}",       "{\"typ\":\"JWT\"}",     "{\"alg\":\"rs256\"}",
                                        "{\"alg\":\"HS256\"}",  "{\"alg\":\"HS512\"}",   "{\"alg\":\"RS1\"}",
                                        "{\"alg\":\"ES256K\"}", "{\"alg\":\"RSA-OAEP\"}"};
    struct jwk_set *keys = parse(rfc_keys);
    assert_int_equal(open_with(r, keys, str_c(rfc_none)), JWT_ALGORITHM);
    assert_int_equal(open_with(r, keys, str_c(rfc_hs256)), JWT_ALGORITHM);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct buf out;
        begin(&out, heads[i], GOOD);
        assert_true(buf_add_byte(&out, '.'));
        assert_int_equal(open_with(r, r->keys, end(r, &out)), JWT_ALGORITHM);
        assert_int_equal(open_with(r, r->keys, rs256(r, heads[i], GOOD)), JWT_ALGORITHM);
    }
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":[\"RS256\"]}", GOOD)), JWT_FORM);
    jwk_set_free(keys);
}

static void a_mac_made_with_the_public_key_is_refused(void **state)
{
    struct rig *r = *state;
    static const char *const heads[] = {"{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"};
    BIO *pem = BIO_new(BIO_s_mem());
    char *p = NULL;
    assert_int_equal(PEM_write_bio_PUBKEY(pem, r->rsa), 1);
    long n = BIO_get_mem_data(pem, &p);
    for (int i = 0; i < 2; i++) {
        unsigned char mac[32];
        unsigned mac_n = 0;
        struct buf out;
        begin(&out, heads[i], GOOD);
        struct str text = buf_str(&out);
        HMAC(EVP_sha256(), p, (int)n, (const unsigned char *)text.p, text.n, mac, &mac_n);
        assert_true(buf_add_byte(&out, '.'));
        add_base64(&out, mac, mac_n);
        assert_int_equal(open_with(r, r->keys, end(r, &out)), i ? JWT_SIGNATURE : JWT_ALGORITHM);
    }
    BIO_free(pem);
}

static void nothing_in_the_head_leads_to_another_key(void **state)
{
    struct rig *r = *state;
    EVP_PKEY *mine = EVP_RSA_gen(2048);
    struct buf jwk, head, out;
    buf_init(&jwk, TEXT);
    add_rsa(&jwk, mine, "");
    static const char *const kids[] = {
        "../../dev/null", "' UNION SELECT 'x", "rsa ", "RSA", "", "rsa\\u0000x", "r", "*"};
    for (size_t i = 0; i <= sizeof kids / sizeof kids[0]; i++) {
        bool own_kid = i == sizeof kids / sizeof kids[0];
        buf_init(&head, TEXT);
        assert_true(buf_printf(&head,
                               "{\"alg\":\"RS256\",\"kid\":\"%s\",\"jku\":\"https://evil.example/keys\",\"x5u\":"
                               "\"https://evil.example/x\",\"jwk\":%.*s}",
                               own_kid ? "rsa" : kids[i], STR_ARG(buf_str(&jwk))));
        assert_true(buf_add(&head, "", 1));
        begin(&out, buf_str(&head).p, GOOD);
        add_signature(&out, mine, "SHA256", 0, false);
        assert_int_equal(open_with(r, r->keys, end(r, &out)), own_kid ? JWT_SIGNATURE : JWT_NO_KEY);
        buf_free(&head);
    }
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"kid\":7}", GOOD)), JWT_FORM);
    buf_free(&jwk);
    EVP_PKEY_free(mine);
}

static void without_a_kid_one_key_must_be_meant(void **state)
{
    struct rig *r = *state;
    EVP_PKEY *other = EVP_RSA_gen(2048);
    struct buf out;
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\"}", GOOD)), JWT_NONE);
    buf_init(&out, TEXT);
    assert_true(buf_add_str(&out, STR("{\"keys\":[")));
    add_rsa(&out, r->rsa, "\"kid\":\"a\",");
    assert_true(buf_add_byte(&out, ','));
    add_rsa(&out, other, "\"kid\":\"b\",");
    assert_true(buf_add(&out, "]}", 3));
    struct jwk_set *two = parse(buf_str(&out).p);
    assert_int_equal(open_with(r, two, rs256(r, "{\"alg\":\"RS256\"}", GOOD)), JWT_NO_KEY);
    assert_int_equal(open_with(r, two, rs256(r, "{\"alg\":\"RS256\",\"kid\":\"a\"}", GOOD)), JWT_NONE);
    assert_int_equal(open_with(r, two, rs256(r, "{\"alg\":\"RS256\",\"kid\":\"b\"}", GOOD)), JWT_SIGNATURE);
    jwk_set_free(two);
    buf_reset(&out);
    assert_true(buf_add_str(&out, STR("{\"keys\":[")));
    add_rsa(&out, r->rsa, "\"kid\":\"a\",\"alg\":\"PS256\",");
    assert_true(buf_add(&out, "]}", 3));
    two = parse(buf_str(&out).p);
    assert_int_equal(open_with(r, two, rs256(r, "{\"alg\":\"RS256\",\"kid\":\"a\"}", GOOD)), JWT_NO_KEY);
    jwk_set_free(two);
    buf_free(&out);
    EVP_PKEY_free(other);
}

static void what_two_readers_could_read_differently_is_refused(void **state)
{
    struct rig *r = *state;
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"alg\":\"none\"}", GOOD)), JWT_TWICE);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", GOOD)), JWT_TWICE);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"\\u0061lg\":\"RS256\"}", GOOD)), JWT_ALGORITHM);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", GOOD)), JWT_CRITICAL);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", GOOD)),
                     JWT_CRITICAL);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", GOOD)), JWT_TYPE);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", GOOD)), JWT_TYPE);
    assert_int_equal(open_with(r, r->keys, rs256(r, "[\"RS256\"]", GOOD)), JWT_FORM);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\"} x", GOOD)), JWT_FORM);
    assert_int_equal(open_with(r, r->keys, rs256(r, "{\"alg\":\"RS256\",\"kid\":\"\xff\"}", GOOD)), JWT_FORM);
    assert_int_equal(judge(r, "{\"iss\":\"https://id.example\",\"iss\":\"https://id.example\"}"), JWT_TWICE);
    assert_int_equal(judge(r, "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}"), JWT_TWICE);
    assert_int_equal(judge(r, "\"text\""), JWT_FORM);
}

static void only_one_spelling_of_base64url_counts(void **state)
{
    struct rig *r = *state;
    struct jwk_set *keys = parse(rfc_keys);
    char text[2048];
    size_t n = strlen(rfc_es256);
    static const char *const tails[] = {"=", "==", ".", ".x", " ", "\n", "A", "%3D"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        snprintf(text, sizeof text, "%s%s", rfc_es256, tails[i]);
        assert_int_not_equal(open_with(r, keys, str_c(text)), JWT_NONE);
        snprintf(text, sizeof text, "%s%s", tails[i], rfc_es256);
        assert_int_not_equal(open_with(r, keys, str_c(text)), JWT_NONE);
    }
    str_copy(text, sizeof text, str_c(rfc_es256));
    assert_int_equal(text[n - 1], 'Q'); /* two bits too many: R, S … would be the same bytes */
    for (const char *c = "RSTUVWXYZabcdef"; *c; c++) {
        text[n - 1] = *c;
        assert_int_equal(open_with(r, keys, str_c(text)), JWT_FORM);
    }
    str_copy(text, sizeof text, str_c(rfc_rs256)); /* the other alphabet */
    for (char *c = text; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    assert_int_equal(open_with(r, keys, str_c(text)), JWT_FORM);
    static const char *const forms[] = {"",        ".", "..", "...", "a", "a.b", "a.b.c.d", "eyJhbGciOiJFUzI1NiJ9..x",
                                        "{}.{}.{}"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        assert_int_equal(open_with(r, keys, str_c(forms[i])), JWT_FORM);
    jwk_set_free(keys);
}

static void huge_tokens_are_not_looked_at(void **state)
{
    struct rig *r = *state;
    char *big = malloc(1 << 20);
    memset(big, 'A', 1 << 20);
    assert_int_equal(open_with(r, r->keys, str_of(big, 1 << 20)), JWT_FORM);
    memcpy(big, "eyJhbGciOiJSUzI1NiJ9.", 21);
    assert_int_equal(open_with(r, r->keys, str_of(big, JWT_MAX + 1)), JWT_FORM);
    big[JWT_MAX - 500] = '.';
    assert_int_equal(open_with(r, r->keys, str_of(big, JWT_MAX)), JWT_SIGNATURE);
    big[JWT_MAX - 500] = 'A';
    big[9000] = '.'; /* the signature is too long */
    assert_int_equal(open_with(r, r->keys, str_of(big, JWT_MAX)), JWT_FORM);
    free(big);
    struct buf many;
    buf_init(&many, TEXT);
    assert_true(buf_add_str(&many, STR("{\"alg\":\"RS256\"")));
    for (int i = 0; i < JWT_MEMBERS_MAX; i++)
        assert_true(buf_printf(&many, ",\"m%d\":1", i));
    assert_true(buf_add(&many, "}", 2));
    assert_int_equal(open_with(r, r->keys, rs256(r, buf_str(&many).p, GOOD)), JWT_FORM);
    buf_free(&many);
}

static void who_it_is_about_is_read(void **state)
{
    struct rig *r = *state;
    struct jwt_person who;
    assert_int_equal(judge_at(r, GOOD, "", NOW, &who), JWT_NONE);
    assert_true(str_eq(who.subject, STR("u-1")));
    assert_true(str_eq(who.email, STR("ann@example.com")));
    assert_true(str_eq(who.name, STR("Ann")));
    assert_true(who.email_verified);
    static const char *const unverified[] = {"false", "null", "\"true\"", "1", "\"false\"", "[true]"};
    for (size_t i = 0; i < sizeof unverified / sizeof unverified[0]; i++) {
        char json[200];
        snprintf(json, sizeof json, "{\"sub\":\"u\",\"email\":\"a@b\",\"email_verified\":%s}", unverified[i]);
        assert_int_equal(jwt_userinfo(str_c(json), r->arena, &who), JWT_NONE);
        assert_false(who.email_verified);
        assert_true(who.email_judged);
    }
    assert_int_equal(jwt_userinfo(STR("{\"sub\":\"u\",\"name\":[1]}"), r->arena, &who), JWT_NONE);
    assert_int_equal(who.name.n + who.email.n, 0);
    assert_false(who.email_judged);
    assert_int_equal(jwt_userinfo(STR("{\"email\":\"a@b\"}"), r->arena, &who), JWT_CLAIM);
    assert_int_equal(jwt_userinfo(STR("{\"sub\":\"u\",\"email\":[\"a@b\"]}"), r->arena, &who), JWT_CLAIM);
    assert_int_equal(jwt_userinfo(STR("{\"sub\":\"u\",\"sub\":\"v\"}"), r->arena, &who), JWT_TWICE);
    assert_int_equal(jwt_userinfo(STR("eyJ.eyJ.x"), r->arena, &who), JWT_FORM);
}

#define CLAIMS(iss, aud, times) "{\"iss\":" iss ",\"sub\":\"u\",\"aud\":" aud "," times ",\"nonce\":\"n-1\"}"
#define US "\"https://id.example\""
#define TIMES "\"exp\":1800000300,\"iat\":1800000000"

static void a_token_for_others_or_of_others_is_refused(void **state)
{
    struct rig *r = *state;
    static const struct {
        const char *payload;
        enum jwt_fault fault;
    } rows[] = {
        {CLAIMS(US, "\"tollgate\"", TIMES), JWT_NONE},
        {CLAIMS("\"https://id.example/\"", "\"tollgate\"", TIMES), JWT_ISSUER},
        {CLAIMS("\"https://id.example.evil\"", "\"tollgate\"", TIMES), JWT_ISSUER},
        {CLAIMS("\"HTTPS://ID.example\"", "\"tollgate\"", TIMES), JWT_ISSUER},
        {CLAIMS("null", "\"tollgate\"", TIMES), JWT_ISSUER},
        {CLAIMS("[" US "]", "\"tollgate\"", TIMES), JWT_CLAIM},
        {CLAIMS(US, "\"other\"", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "\"Tollgate\"", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "\"\"", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "null", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "[]", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "{\"tollgate\":1}", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "[\"tollgate\"]", TIMES), JWT_NONE},
        {CLAIMS(US, "[\"other\"]", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "[\"tollgate\",7]", TIMES), JWT_CLAIM},
        {CLAIMS(US, "[\"tollgate\",\"other\"]", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "[\"other\",\"tollgate\"],\"azp\":\"tollgate\"", TIMES), JWT_NONE},
        {CLAIMS(US, "[\"other\",\"tollgate\"],\"azp\":\"other\"", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "\"tollgate\",\"azp\":\"other\"", TIMES), JWT_AUDIENCE},
        {CLAIMS(US, "\"tollgate\",\"azp\":[]", TIMES), JWT_CLAIM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (judge(r, rows[i].payload) != rows[i].fault)
            fail_msg("%s", rows[i].payload);
}

static void a_token_out_of_its_time_is_refused(void **state)
{
    struct rig *r = *state;
    struct jwt_person who;
    static const struct {
        const char *payload;
        enum jwt_fault fault;
    } rows[] = {
        {CLAIMS(US, "\"tollgate\"", "\"iat\":1800000000"), JWT_CLAIM},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":1800000300"), JWT_CLAIM},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":\"1800000300\",\"iat\":1800000000"), JWT_CLAIM},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":-1,\"iat\":1800000000"), JWT_CLAIM},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":1e30,\"iat\":1800000000"), JWT_CLAIM},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":99999999999999999999,\"iat\":1800000000"), JWT_CLAIM},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":1800000300.5,\"iat\":1800000000.25"), JWT_NONE},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":1799999881,\"iat\":1799999000"), JWT_NONE}, /* within the leeway */
        {CLAIMS(US, "\"tollgate\"", "\"exp\":1799999880,\"iat\":1799999000"), JWT_EXPIRED},
        {CLAIMS(US, "\"tollgate\"", TIMES ",\"nbf\":1800000120"), JWT_NONE},
        {CLAIMS(US, "\"tollgate\"", TIMES ",\"nbf\":1800000121"), JWT_EARLY},
        {CLAIMS(US, "\"tollgate\"", TIMES ",\"nbf\":true"), JWT_CLAIM},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":1800000900,\"iat\":1800000121"), JWT_EARLY},
        {CLAIMS(US, "\"tollgate\"", "\"exp\":1800000900,\"iat\":1799996399"), JWT_OLD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (judge(r, rows[i].payload) != rows[i].fault)
            fail_msg("%s", rows[i].payload);
    assert_int_equal(judge_at(r, GOOD, "", NOW + 300 + JWT_LEEWAY_S, &who), JWT_EXPIRED);
    assert_int_equal(judge_at(r, GOOD, "", 1, &who), JWT_EARLY);
}

static void a_token_of_another_sign_in_is_refused(void **state)
{
    struct rig *r = *state;
    struct jwt_person who;
    static const char *const nonces[] = {"\"n-2\"", "\"\"", "null", "\"n-1 \"", "\"N-1\""};
    char json[400];
    for (size_t i = 0; i < sizeof nonces / sizeof nonces[0]; i++) {
        snprintf(json, sizeof json, "{\"iss\":" US ",\"sub\":\"u\",\"aud\":\"tollgate\"," TIMES ",\"nonce\":%s}",
                 nonces[i]);
        assert_int_equal(judge(r, json), JWT_NONCE);
    }
    assert_int_equal(judge(r, "{\"iss\":" US ",\"sub\":\"u\",\"aud\":\"tollgate\"," TIMES "}"), JWT_NONCE);
    /* OpenID Connect Core, A.3: the access token and its at_hash by SHA-256. */
    static const char with[] = "{\"iss\":" US ",\"sub\":\"u\",\"aud\":\"tollgate\"," TIMES
                               ",\"nonce\":\"n-1\",\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RQ\"}";
    assert_int_equal(judge_at(r, with, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", NOW, &who), JWT_NONE);
    assert_int_equal(judge_at(r, with, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0X", NOW, &who), JWT_ACCESS);
}

static void keys_that_cannot_be_are_left_out(void **state)
{
    (void)state;
    struct buf out;
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    refused("");
    refused("[]");
    refused("{\"keys\":{}}");
    refused("{\"keys\":[]}");
    refused("{\"keys\":[1,\"x\",null,{}]}");
    refused("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ\"}]}");
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}]}");       /* e = 1 */
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"Ag\"}]}");       /* e = 2 */
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQABAQAB\"}]}"); /* slow on purpose */
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "==\",\"e\":\"AQAB\"}]}");
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\",\"use\":\"enc\"}]}");
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\",\"key_ops\":[\"encrypt\"]}]}");
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\",\"alg\":\"ES256\"}]}");
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\",\"alg\":\"HS256\"}]}");
    refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\",\"kid\":7}]}");
    /* not on the curve; a coordinate too short; another curve's */
    refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}]}");
    refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}");
    refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
            "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}");
    refused("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    buf_init(&out, TEXT);
    assert_true(buf_add_str(&out, STR("{\"keys\":[")));
    add_rsa(&out, weak, "");
    assert_true(buf_add(&out, "]}", 3));
    refused(buf_str(&out).p);
    buf_reset(&out);
    assert_true(buf_add_str(&out, STR("{\"keys\":[0")));
    for (int i = 0; i < JWK_KEYS_MAX; i++)
        assert_true(buf_add_str(&out, STR(",0")));
    assert_true(buf_add(&out, "]}", 3));
    assert_non_null(strstr(refused(buf_str(&out).p), "more than 100"));
    buf_free(&out);
    EVP_PKEY_free(weak);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest cases[] = {
        CASE(the_examples_of_the_standards_verify),
        CASE(every_byte_of_the_examples_counts),
        CASE(each_algorithm_verifies_with_its_own_key_alone),
        CASE(an_algorithm_is_not_exchanged_for_its_sibling),
        CASE(no_signature_is_no_signature),
        CASE(a_mac_made_with_the_public_key_is_refused),
        CASE(nothing_in_the_head_leads_to_another_key),
        CASE(without_a_kid_one_key_must_be_meant),
        CASE(what_two_readers_could_read_differently_is_refused),
        CASE(only_one_spelling_of_base64url_counts),
        CASE(huge_tokens_are_not_looked_at),
        CASE(who_it_is_about_is_read),
        CASE(a_token_for_others_or_of_others_is_refused),
        CASE(a_token_out_of_its_time_is_refused),
        CASE(a_token_of_another_sign_in_is_refused),
        CASE(keys_that_cannot_be_are_left_out),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
