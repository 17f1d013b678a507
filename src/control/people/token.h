/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_TOKEN_H
#define CONTROL_PEOPLE_TOKEN_H

/*
 * token: short-lived tokens that stand for a key: JSON Web Tokens (RFC 7519) with HS256.
 *
 *     {"alg":"HS256","typ":"JWT"} . {"iss":"tollgate","sub":…,"use":"access","key":7,"iat":…,"exp":…} . MAC
 *
 * The MAC's key is derived from the installation's pepper, so every worker verifies a token from its
 * snapshot, without asking a store. `key` is the id of a row of api_key: when that is revoked, its
 * tokens are dead as well. Only the exact header above is taken: there is no algorithm to choose.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "control/apikey.h"

#define TOKEN_KEY_BYTES 32
#define TOKEN_ACCESS_S 7200
#define TOKEN_REFRESH_S (30 * 24 * 3600)
#define TOKEN_MAX 512

enum token_use { TOKEN_ACCESS, TOKEN_REFRESH };

void token_key(const unsigned char pepper[APIKEY_PEPPER_BYTES], unsigned char out[TOKEN_KEY_BYTES]);

/* Appends the token. `subject` is letters, digits, '-', '_'. */
bool token_make(const unsigned char key[TOKEN_KEY_BYTES], enum token_use use, struct str subject, int64_t key_id,
                int64_t now_s, struct buf *out) __attribute__((warn_unused_result));

/* Whether a text may be a token at all: cheap, for those that are keys. */
static inline bool token_looks(struct str text)
{
    return str_starts(text, STR("eyJ"));
}

struct token {
    enum token_use use;
    int64_t key_id;
    int64_t expires_s;
};
/* False when it is not ours or was altered. The expiry is the caller's to judge. */
bool token_read(const unsigned char key[TOKEN_KEY_BYTES], struct str text, struct token *ret)
    __attribute__((warn_unused_result));

#endif
