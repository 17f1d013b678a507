/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_JWT_H
#define CONTROL_PEOPLE_JWT_H

/*
 * jwt: ID tokens of an identity provider: JSON Web Tokens (RFC 7519) in compact form (RFC 7515 §7.1), signed
 * with a key of the provider's set, and what OpenID Connect Core 1.0 §3.1.3.7 has to be checked in them.
 *
 * Two steps: jwt_open finds out who signed what; jwt_claims judges what was signed. Between them nothing
 * of the token counts. Strict where readers could differ: one spelling of base64url, three parts, UTF-8,
 * no member twice (also not by escapes), no "crit", a "typ" of JWT or none, whole or decimal numbers for
 * times. "alg" comes from the allow-list of jwk.h and must fit the key; nothing else in the head is obeyed.
 *
 * Our own tokens are another thing: token.h. No I/O, no state.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "control/people/jwk.h"

#define JWT_MAX (32u << 10) /* the longest token that is looked at */
#define JWT_HEAD_MAX 4096
#define JWT_MEMBERS_MAX 200
#define JWT_TEXT_MAX 1024 /* longest text of a claim that is given back */
/* Clocks may differ by this much. */
#define JWT_LEEWAY_S 120
/* An ID token that was made longer ago than this is none of the sign-in under way. */
#define JWT_AGE_MAX_S 3600

/* Why a token is not taken. Columns: name, sentence. */
#define JWT_FAULT_TABLE(X)                                                                                 \
    X(NONE, "It is valid.")                                                                                \
    X(FORM, "It is no signed JSON Web Token.")                                                             \
    X(TWICE, "A member of it stands there twice.")                                                         \
    X(ALGORITHM, "It is not signed with an algorithm that is taken here (RS, PS or ES 256 to 512, EdDSA)") \
    X(CRITICAL, "It has critical extensions, and none is known here.")                                     \
    X(TYPE, "It is another kind of token.")                                                                \
    X(NO_KEY, "The provider publishes no key of that name for its algorithm.")                             \
    X(SIGNATURE, "Its signature is wrong.")                                                                \
    X(ISSUER, "It is another issuer's.")                                                                   \
    X(AUDIENCE, "It was made for another client.")                                                         \
    X(EXPIRED, "It has expired; is the clock of this machine right?")                                      \
    X(EARLY, "It is not valid yet; is the clock of this machine right?")                                   \
    X(OLD, "It was made too long ago; is the clock of this machine right?")                                \
    X(NONCE, "It belongs to another sign-in.")                                                             \
    X(ACCESS, "It does not belong to the access token that came with it.")                                 \
    X(CLAIM, "A claim that is needed is missing or of a wrong type.")

enum jwt_fault {
#define X(name, text) JWT_##name,
    JWT_FAULT_TABLE(X)
#undef X
        JWT_FAULT_COUNT
};
const char *jwt_fault_text(enum jwt_fault fault);

struct jwt {
    enum jwk_alg alg;
    struct str payload; /* the signed bytes, in the arena */
};
/* JWT_NONE and *ret, or one of FORM to SIGNATURE. After NO_KEY a newer set may have the key. */
enum jwt_fault jwt_open(struct str text, const struct jwk_set *keys, struct arena *a, struct jwt *ret)
    __attribute__((warn_unused_result));

struct jwt_expect {
    struct str issuer, client_id, nonce;
    struct str access_token; /* for at_hash; "" = none came along */
    int64_t now_s;
};
/* Who it is about; texts are "" when they are absent, and live in the arena. */
struct jwt_person {
    struct str subject, email, name;
    bool email_verified;
    bool email_judged; /* it is said whether the address was verified */
};
enum jwt_fault jwt_claims(const struct jwt *t, const struct jwt_expect *expect, struct arena *a, struct jwt_person *ret)
    __attribute__((warn_unused_result));

/*
 * The same about a person from a JSON object that came over TLS and is not signed (the userinfo endpoint).
 * FORM, TWICE, CLAIM.
 */
enum jwt_fault jwt_userinfo(struct str json, struct arena *a, struct jwt_person *ret)
    __attribute__((warn_unused_result));

#endif
