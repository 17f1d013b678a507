/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys as text. The hash is one EVP_Digest over a short stack buffer, with the algorithm looked up
 * once per process: SHA256() would look it up on every call, under a lock all threads share.
 *
 * The length stands between pepper and text, so that no presented text is a continuation of
 * another: what an HMAC would add over this is protection against that alone.
 */
#include "control/apikey.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/crc32c.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"

static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_find(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sha256 != NULL);
}

static void check_digits(const char *key, char out[APIKEY_CHECK_DIGITS])
{
    encode_base62(crc32c(0, key, APIKEY_LEN - APIKEY_CHECK_DIGITS), out, APIKEY_CHECK_DIGITS);
}

void apikey_make(struct secret *ret_key)
{
    char key[APIKEY_LEN];
    const size_t prefix = sizeof APIKEY_PREFIX - 1;
    memcpy(key, APIKEY_PREFIX, prefix);
    encode_base62_random(key + prefix, APIKEY_RANDOM_DIGITS);
    check_digits(key, key + APIKEY_LEN - APIKEY_CHECK_DIGITS);
    secret_set(ret_key, str_of(key, sizeof key));
    mem_wipe(key, sizeof key);
}

void apikey_make_id(char out[APIKEY_ID_LEN])
{
    encode_base62_random(out, APIKEY_ID_LEN);
}

enum apikey_shape apikey_shape_of(struct str presented)
{
    char check[APIKEY_CHECK_DIGITS];
    if (!str_starts(presented, STR(APIKEY_PREFIX)))
        return APIKEY_FOREIGN;
    if (presented.n != APIKEY_LEN || !encode_is_base62(str_from(presented, sizeof APIKEY_PREFIX - 1)))
        return APIKEY_MISTYPED;
    check_digits(presented.p, check);
    return memcmp(check, presented.p + APIKEY_LEN - APIKEY_CHECK_DIGITS, sizeof check) == 0 ? APIKEY_OURS
                                                                                            : APIKEY_MISTYPED;
}

bool apikey_hash(const unsigned char pepper[APIKEY_PEPPER_BYTES], struct str presented,
                 unsigned char out[APIKEY_HASH_BYTES])
{
    unsigned char input[APIKEY_PEPPER_BYTES + 2 + APIKEY_PRESENTED_MAX];
    unsigned n_out = 0;
    if (presented.n == 0 || presented.n > APIKEY_PRESENTED_MAX)
        return false;
    pthread_once(&sha256_once, sha256_find);
    memcpy(input, pepper, APIKEY_PEPPER_BYTES);
    input[APIKEY_PEPPER_BYTES] = (unsigned char)(presented.n >> 8);
    input[APIKEY_PEPPER_BYTES + 1] = (unsigned char)(presented.n & 255);
    memcpy(input + APIKEY_PEPPER_BYTES + 2, presented.p, presented.n);
    size_t n = APIKEY_PEPPER_BYTES + 2 + presented.n;
    must(EVP_Digest(input, n, out, &n_out, sha256, NULL) == 1);
    must(n_out == APIKEY_HASH_BYTES);
    mem_wipe(input, n);
    return true;
}

void apikey_last(struct str key, char out[APIKEY_LAST + 1])
{
    bool enough = key.n >= APIKEY_OWN_MIN;
    str_copy(out, APIKEY_LAST + 1, enough ? str_from(key, key.n - APIKEY_LAST) : STR(""));
}

/* Texts from manuals and templates, ours and others'. Lower case; found anywhere in the text. */
static const char *const examples[] = {
    "changeme",       "change-me",      "change_me",       "replaceme",    "replace-me",   "replace_me",
    "your-admin-key", "your_admin_key", "your-api-key",    "your_api_key", "your-secret",  "your_secret",
    "example-key",    "example_key",    "insert-key-here", "put-your-key", "put_your_key", "sk-123456789",
    "tg-xxxx",        "tg-...",         "sk-xxxx",         "sk-...",       "<your",        "correcthorse",
};

static bool is_example(struct str text)
{
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct str example = str_c(examples[i]);
        for (size_t at = 0; at + example.n <= text.n; at++)
            if (str_starts_nocase(str_from(text, at), example))
                return true;
    }
    return false;
}

enum err apikey_check_own(struct str text, char *why, size_t why_cap)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] <= ' ' || text.p[i] > '~') {
            snprintf(why, why_cap,
                     "TOLLGATE_ADMIN_KEY has white space or a character that cannot stand in a header; "
                     "use letters, digits and punctuation.");
            return ERR_BAD_OPTION;
        }
    }
    if (text.n < APIKEY_OWN_MIN || text.n > APIKEY_PRESENTED_MAX) {
        snprintf(why, why_cap, "TOLLGATE_ADMIN_KEY must have %d to %d characters; it has %zu.", APIKEY_OWN_MIN,
                 APIKEY_PRESENTED_MAX, text.n);
        return ERR_BAD_OPTION;
    }
    if (is_example(text)) {
        snprintf(why, why_cap, "TOLLGATE_ADMIN_KEY is an example from a manual; 'openssl rand -hex 24' makes a key.");
        return ERR_BAD_OPTION;
    }
    return ERR_OK;
}
