/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords by scrypt (RFC 7914), as OpenSSL has it. */
#include "control/people/password.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"

#define VERSION 1
#define LOG2_N 15
#define R 8
#define P 3
#define SALT_BYTES 16
#define HASH_BYTES 32
#define HEAD_BYTES (1 + 3)
/* What stored parameters may ask for at most. */
#define LOG2_N_MAX 18
#define MEMORY_MAX ((uint64_t)400 << 20)

static bool derive(struct str text, const unsigned char head[HEAD_BYTES], const unsigned char salt[SALT_BYTES],
                   unsigned char out[HASH_BYTES])
{
    if (head[1] < 10 || head[1] > LOG2_N_MAX || head[2] == 0 || head[2] > 32 || head[3] == 0 || head[3] > 16)
        return false;
    return EVP_PBE_scrypt(text.p, text.n, salt, SALT_BYTES, UINT64_C(1) << head[1], head[2], head[3], MEMORY_MAX, out,
                          HASH_BYTES) == 1;
}

const char *password_fault(struct str text, struct str email, struct str name)
{
    bool same = true;
    for (size_t i = 1; i < text.n; i++)
        same = same && text.p[i] == text.p[0];
    if (text.n < PASSWORD_MIN || text.n > PASSWORD_MAX)
        return "A password has 12 to 256 bytes; a few words are a good one.";
    if (same || str_eq_nocase(text, email) || str_eq_nocase(text, name))
        return "This password is too easy to guess; a few words are a good one.";
    return NULL;
}

void password_make(struct str text, unsigned char out[PASSWORD_STORED_BYTES])
{
    static const unsigned char head[HEAD_BYTES] = {VERSION, LOG2_N, R, P};
    memcpy(out, head, HEAD_BYTES);
    rng_bytes(out + HEAD_BYTES, SALT_BYTES);
    bool made = derive(text, out, out + HEAD_BYTES, out + HEAD_BYTES + SALT_BYTES);
    must(made);
}

bool password_check(struct str stored, struct str text)
{
    unsigned char with[PASSWORD_STORED_BYTES] = {VERSION, LOG2_N, R, P}, hash[HASH_BYTES];
    bool there = stored.n == sizeof with && stored.p[0] == VERSION;
    if (there)
        memcpy(with, stored.p, sizeof with);
    bool done = derive(str_head(text, PASSWORD_MAX), with, with + HEAD_BYTES, hash);
    bool same = CRYPTO_memcmp(hash, with + HEAD_BYTES + SALT_BYTES, HASH_BYTES) == 0;
    mem_wipe(hash, sizeof hash);
    return there && done && same && text.n <= PASSWORD_MAX;
}
