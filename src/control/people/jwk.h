/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_JWK_H
#define CONTROL_PEOPLE_JWK_H

/*
 * jwk: the public keys that an identity provider publishes (RFC 7517, 7518, 8037), as what verifies signatures.
 *
 * A set is read once and then only asked. Keys that cannot verify one of the algorithms below are left
 * out: secrets of both sides (kty oct), keys for encryption, RSA below 2048 bits, points that are not on
 * their curve, members in a wrong form. What a token's head says (jku, jwk, x5u, x5c) never leads to a key;
 * only what stands in the set does, by its kid.
 *
 * No I/O; a set is used by one thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* The whole allow-list. Columns: name, kind of key, its curve, digest, bytes of one coordinate. */
#define JWK_ALG_TABLE(X)                \
    X(RS256, RSA, "", "SHA256", 0)      \
    X(RS384, RSA, "", "SHA384", 0)      \
    X(RS512, RSA, "", "SHA512", 0)      \
    X(PS256, RSA, "", "SHA256", 0)      \
    X(PS384, RSA, "", "SHA384", 0)      \
    X(PS512, RSA, "", "SHA512", 0)      \
    X(ES256, EC, "P-256", "SHA256", 32) \
    X(ES384, EC, "P-384", "SHA384", 48) \
    X(ES512, EC, "P-521", "SHA512", 66) \
    X(EDDSA, OKP, "Ed25519", "SHA512", 0) /* its name on the wire is EdDSA */

enum jwk_alg {
#define X(name, kind, curve, digest, size) JWK_##name,
    JWK_ALG_TABLE(X)
#undef X
        JWK_ALG_COUNT
};
/* False for "none", HS256 and whatever else is not in the table. Upper and lower case matter. */
bool jwk_alg_from(struct str text, enum jwk_alg *ret);
/* OpenSSL's name of the digest, for at_hash. */
const char *jwk_alg_digest(enum jwk_alg alg);

#define JWK_SET_MAX (256u << 10)
#define JWK_KEYS_MAX 100
#define JWK_KID_MAX 256

struct jwk_set;

/* ERR_BAD_JSON when the text is no key set or has no key that can be used; then *ret_why is a sentence. */
enum err jwk_set_parse(struct str json, struct jwk_set **ret, const char **ret_why) ERR_USE;
void jwk_set_free(struct jwk_set *s); /* NULL does nothing */
size_t jwk_set_count(const struct jwk_set *s);

enum jwk_verdict { JWK_VERIFIED, JWK_NO_KEY, JWK_WRONG };
/*
 * Whether `signature` is that of `text` by a key of the set. With a `kid` (p not NULL) only keys of that name
 * are asked; without one there must be one key alone that can verify `alg`.
 */
enum jwk_verdict jwk_verify(const struct jwk_set *s, enum jwk_alg alg, struct str kid, struct str text,
                            struct str signature);

/* base64url as RFC 7515 wants it: that alphabet, no padding, no stray bits. False also when it is too long for `cap`. */
bool jwk_unbase64url(struct str text, void *out, size_t cap, size_t *ret_n) __attribute__((warn_unused_result));

#endif
