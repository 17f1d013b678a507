/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a token. Parts are decoded once into the arena, and the bytes that were verified are the bytes that
 * are read afterwards. Comparisons of what an attacker may try out (nonce, at_hash) take constant time.
 */
#include "control/people/jwt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/encode.h"
#include "base/json/jdoc.h"
#include "base/must.h"
#include "base/utf8.h"

#define SIGNATURE_MAX 1024 /* RSA with 8192 bits */
#define DIGEST_MAX 64

const char *jwt_fault_text(enum jwt_fault fault)
{
    static const char *const texts[] = {
#define X(name, text) text,
        JWT_FAULT_TABLE(X)
#undef X
    };
    return texts[fault];
}

static bool same(struct str a, struct str b)
{
    return a.n == b.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}

/* ---- JSON ---- */

/* An object with each member once, names compared by their meaning. */
static enum jwt_fault parse(struct jdoc *doc, struct str json, struct arena *a)
{
    struct str names[JWT_MEMBERS_MAX];
    size_t n = 0;
    if (!utf8_valid(json) || !jdoc_parse(doc, json) || jdoc_kind(jdoc_root(doc)) != JDOC_OBJECT)
        return JWT_FORM;
    struct jval root = jdoc_root(doc);
    for (struct jval e = jdoc_first(root); jdoc_has(e); e = jdoc_next(root, e)) {
        if (n == JWT_MEMBERS_MAX)
            return JWT_FORM;
        names[n] = jdoc_text(e, a);
        if (!names[n].p)
            return JWT_FORM;
        for (size_t i = 0; i < n; i++)
            if (str_eq(names[i], names[n]))
                return JWT_TWICE;
        n++;
    }
    return JWT_NONE;
}

/* A string member. False when there is one of another type or a longer one; absent (or null) is p == NULL. */
static bool text_of(struct jval object, const char *name, struct arena *a, struct str *ret)
{
    struct jval v = jdoc_find(object, name);
    *ret = (struct str){NULL, 0};
    if (!jdoc_has(v))
        return true;
    if (jdoc_kind(v) != JDOC_STRING)
        return false;
    *ret = jdoc_text(v, a);
    return ret->p && ret->n <= JWT_TEXT_MAX;
}

/* A NumericDate: seconds, perhaps with a fraction. False when the member is something else; 0 when it is absent. */
static bool seconds_of(struct jval object, const char *name, int64_t *ret)
{
    struct jval v = jdoc_find(object, name);
    struct str rest = jdoc_raw(v), whole;
    uint64_t value = 0;
    *ret = 0;
    if (!jdoc_has(v))
        return true;
    if (jdoc_kind(v) != JDOC_NUMBER || !str_split(&rest, '.', &whole) || !str_to_u64(whole, &value) ||
        value > INT64_MAX / 1000000)
        return false;
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] < '0' || rest.p[i] > '9')
            return false;
    *ret = (int64_t)value;
    return true;
}

/* ---- opening ---- */

/* A decoded part in the arena; p == NULL when it is none. */
static struct str decode(struct str part, size_t max, struct arena *a)
{
    struct str none = {NULL, 0};
    size_t n = 0;
    if (!part.n || part.n > ENCODE_BASE64_MAX(max))
        return none;
    char *out = arena_alloc(a, ENCODE_UNBASE64_MAX(part.n) + 1);
    return out && jwk_unbase64url(part, out, ENCODE_UNBASE64_MAX(part.n), &n) ? str_of(out, n) : none;
}

static enum jwt_fault read_head(struct str json, struct jdoc *doc, struct arena *a, enum jwk_alg *ret_alg,
                                struct str *ret_kid)
{
    struct str alg, typ;
    enum jwt_fault fault = parse(doc, json, a);
    if (fault != JWT_NONE)
        return fault;
    struct jval head = jdoc_root(doc);
    if (jdoc_has(jdoc_get(head, "crit")))
        return JWT_CRITICAL;
    if (!text_of(head, "alg", a, &alg) || !text_of(head, "typ", a, &typ) || !text_of(head, "kid", a, ret_kid))
        return JWT_FORM;
    if (!alg.p || !jwk_alg_from(alg, ret_alg))
        return JWT_ALGORITHM;
    return typ.p && !str_eq_nocase(typ, STR("JWT")) ? JWT_TYPE : JWT_NONE;
}

enum jwt_fault jwt_open(struct str text, const struct jwk_set *keys, struct arena *a, struct jwt *ret)
{
    struct str rest = text, head, payload, kid = {NULL, 0};
    struct jdoc doc;
    enum jwk_alg alg = JWK_RS256;
    if (text.n > JWT_MAX || !str_split(&rest, '.', &head) || !str_split(&rest, '.', &payload) ||
        str_find(rest, '.') >= 0)
        return JWT_FORM;
    struct str signed_text = str_head(text, head.n + 1 + payload.n);
    struct str head_json = decode(head, JWT_HEAD_MAX, a), said = decode(payload, JWT_MAX, a);
    if (!head_json.p || !said.p)
        return JWT_FORM;
    jdoc_init(&doc);
    enum jwt_fault fault = read_head(head_json, &doc, a, &alg, &kid);
    jdoc_free(&doc);
    if (fault != JWT_NONE)
        return fault;
    struct str signature = decode(rest, SIGNATURE_MAX, a);
    if (!signature.p)
        return JWT_FORM;
    enum jwk_verdict verdict = jwk_verify(keys, alg, kid, signed_text, signature);
    if (verdict != JWK_VERIFIED)
        return verdict == JWK_NO_KEY ? JWT_NO_KEY : JWT_SIGNATURE;
    *ret = (struct jwt){alg, said};
    return JWT_NONE;
}

/* ---- claims ---- */

/* `aud` is a text or a list of them; with more than one, or with another `azp`, the token is not for us alone. */
static enum jwt_fault check_audience(struct jval claims, struct str client_id, struct arena *a)
{
    struct jval aud = jdoc_get(claims, "aud");
    struct str azp, one;
    size_t count = 0;
    bool ours = false;
    if (!text_of(claims, "azp", a, &azp))
        return JWT_CLAIM;
    if (jdoc_kind(aud) == JDOC_STRING) {
        one = jdoc_text(aud, a);
        ours = one.p && str_eq(one, client_id);
        count = 1;
    } else if (jdoc_kind(aud) == JDOC_ARRAY) {
        for (struct jval e = jdoc_first(aud); jdoc_has(e); e = jdoc_next(aud, e), count++) {
            one = jdoc_text(e, a);
            if (jdoc_kind(e) != JDOC_STRING || !one.p)
                return JWT_CLAIM;
            ours |= str_eq(one, client_id);
        }
    }
    if (!ours || (count > 1 && !azp.p))
        return JWT_AUDIENCE;
    return azp.p && !str_eq(azp, client_id) ? JWT_AUDIENCE : JWT_NONE;
}

static enum jwt_fault check_times(struct jval claims, int64_t now_s)
{
    int64_t expires, begins, made;
    if (!seconds_of(claims, "exp", &expires) || !seconds_of(claims, "nbf", &begins) ||
        !seconds_of(claims, "iat", &made) || !expires || !made)
        return JWT_CLAIM;
    if (now_s >= expires + JWT_LEEWAY_S)
        return JWT_EXPIRED;
    if (begins > now_s + JWT_LEEWAY_S || made > now_s + JWT_LEEWAY_S)
        return JWT_EARLY;
    return made < now_s - JWT_AGE_MAX_S ? JWT_OLD : JWT_NONE;
}

/* at_hash, where it is there: the left half of the access token's digest (OpenID Connect Core §3.1.3.6). */
static enum jwt_fault check_access(struct jval claims, enum jwk_alg alg, struct str access_token, struct arena *a)
{
    unsigned char digest[DIGEST_MAX];
    char text[ENCODE_BASE64_MAX(DIGEST_MAX)];
    size_t n = 0;
    struct str at_hash;
    if (!text_of(claims, "at_hash", a, &at_hash))
        return JWT_CLAIM;
    if (!at_hash.p || !access_token.n)
        return JWT_NONE;
    int done = EVP_Q_digest(NULL, jwk_alg_digest(alg), NULL, access_token.p, access_token.n, digest, &n);
    must(done == 1);
    must(n <= sizeof digest);
    return same(at_hash, str_of(text, encode_base64url(digest, n / 2, text))) ? JWT_NONE : JWT_ACCESS;
}

static enum jwt_fault read_person(struct jval claims, struct arena *a, struct jwt_person *ret)
{
    *ret = (struct jwt_person){.email_verified = jdoc_true(jdoc_get(claims, "email_verified")),
                               .email_judged = jdoc_has(jdoc_get(claims, "email_verified"))};
    if (!text_of(claims, "sub", a, &ret->subject) || !ret->subject.n || ret->subject.n > 255 ||
        !text_of(claims, "email", a, &ret->email))
        return JWT_CLAIM;
    struct jval name = jdoc_find(claims, "name");
    if (jdoc_kind(name) == JDOC_STRING) /* what cannot be shown is no reason to keep somebody out */
        ret->name = jdoc_text(name, a);
    if (!ret->name.p || ret->name.n > JWT_TEXT_MAX)
        ret->name = STR("");
    if (!ret->email.p)
        ret->email = STR("");
    return JWT_NONE;
}

static enum jwt_fault judge(struct jval claims, const struct jwt *t, const struct jwt_expect *expect, struct arena *a,
                            struct jwt_person *ret)
{
    struct str issuer, nonce;
    if (!text_of(claims, "iss", a, &issuer) || !text_of(claims, "nonce", a, &nonce))
        return JWT_CLAIM;
    if (!issuer.p || !str_eq(issuer, expect->issuer))
        return JWT_ISSUER;
    enum jwt_fault fault = check_audience(claims, expect->client_id, a);
    if (fault == JWT_NONE)
        fault = check_times(claims, expect->now_s);
    if (fault == JWT_NONE && (!nonce.p || !same(nonce, expect->nonce)))
        fault = JWT_NONCE;
    if (fault == JWT_NONE)
        fault = check_access(claims, t->alg, expect->access_token, a);
    return fault == JWT_NONE ? read_person(claims, a, ret) : fault;
}

enum jwt_fault jwt_claims(const struct jwt *t, const struct jwt_expect *expect, struct arena *a, struct jwt_person *ret)
{
    struct jdoc doc;
    jdoc_init(&doc);
    enum jwt_fault fault = parse(&doc, t->payload, a);
    if (fault == JWT_NONE)
        fault = judge(jdoc_root(&doc), t, expect, a, ret);
    jdoc_free(&doc);
    return fault;
}

enum jwt_fault jwt_userinfo(struct str json, struct arena *a, struct jwt_person *ret)
{
    struct jdoc doc;
    jdoc_init(&doc);
    enum jwt_fault fault = json.n <= JWT_MAX ? parse(&doc, json, a) : JWT_FORM;
    if (fault == JWT_NONE)
        fault = read_person(jdoc_root(&doc), a, ret);
    jdoc_free(&doc);
    return fault;
}
