/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the master key comes from. HKDF (RFC 5869) with SHA-256, no salt: the input is uniformly
 * random, so extraction has nothing to even out and the purpose alone separates the outputs.
 */
#include "control/master_key.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/key_file.h"

/* 32 random bytes have fewer different values than this once in 10^20 draws. */
#define DISTINCT_MIN 12

void master_key_derive(const struct master_key *k, const char *purpose, unsigned char *out, size_t n)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    must(kdf != NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    must(ctx != NULL);
    struct str key = secret_reveal(&k->bytes);
    must(key.n == MASTER_KEY_BYTES);
    char digest[] = "SHA256";
    unsigned char ikm[MASTER_KEY_BYTES];
    char info[64];
    memcpy(ikm, key.p, key.n);
    must(strlen(purpose) < sizeof info);
    str_copy(info, sizeof info, str_c(purpose));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, ikm, sizeof ikm),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    must(EVP_KDF_derive(ctx, out, n, params) == 1);
    mem_wipe(ikm, sizeof ikm);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

void master_key_id_text(const unsigned char id_bytes[MASTER_KEY_ID_BYTES], char out[MASTER_KEY_ID_MAX])
{
    char hex[ENCODE_HEX_MAX(MASTER_KEY_ID_BYTES)];
    encode_hex(id_bytes, MASTER_KEY_ID_BYTES, hex);
    snprintf(out, MASTER_KEY_ID_MAX, "mk-%s", hex);
}

static void set(struct master_key *k, const unsigned char bytes[MASTER_KEY_BYTES])
{
    secret_set(&k->bytes, str_of((const char *)bytes, MASTER_KEY_BYTES));
    master_key_derive(k, "tollgate master key id 1", k->id_bytes, sizeof k->id_bytes);
    master_key_id_text(k->id_bytes, k->id);
}

static unsigned distinct(const unsigned char *p, size_t n)
{
    bool seen[256] = {false};
    unsigned count = 0;
    for (size_t i = 0; i < n; i++) {
        count += !seen[p[i]];
        seen[p[i]] = true;
    }
    return count;
}

enum err master_key_from_text(struct master_key *k, struct str text, char *why, size_t why_cap)
{
    unsigned char bytes[MASTER_KEY_BYTES];
    size_t n = sizeof bytes;
    enum err e = ERR_OK;
    if (!encode_unhex(text, bytes, sizeof bytes) &&
        (!encode_unbase64(text, bytes, sizeof bytes, &n) || n != sizeof bytes)) {
        snprintf(why, why_cap,
                 "The master key must be 32 random bytes as 64 hexadecimal digits or as base64; "
                 "'openssl rand -hex 32' makes one.");
        e = ERR_BAD_MASTER_KEY;
    } else if (distinct(bytes, sizeof bytes) < DISTINCT_MIN) {
        snprintf(why, why_cap, "The master key is plainly not random; 'openssl rand -hex 32' makes a good one.");
        e = ERR_BAD_MASTER_KEY;
    } else {
        set(k, bytes);
    }
    mem_wipe(bytes, sizeof bytes);
    return e;
}

/* `e` and `text` are what key_file_read gave. */
static enum err from_file_text(struct master_key *k, const char *path, struct secret *text, char *why, size_t why_cap)
{
    char reason[200];
    enum err e = master_key_from_text(k, secret_reveal(text), reason, sizeof reason);
    if (e != ERR_OK)
        snprintf(why, why_cap, "%s: %s", path, reason);
    secret_wipe(text);
    return e;
}

enum err master_key_from_file(struct master_key *k, const char *path, char *why, size_t why_cap)
{
    struct secret text = {0};
    /* Not "private": orchestrators mount secrets with modes of their own. */
    enum err e = key_file_read(path, false, &text, why, why_cap);
    if (e == ERR_NOT_FOUND)
        snprintf(why, why_cap, "%s: there is no such file.", path);
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_FILE_FAILED : e;
    return from_file_text(k, path, &text, why, why_cap);
}

static enum err make_file(struct master_key *k, const char *dir, const char *name, char *why, size_t why_cap)
{
    unsigned char bytes[MASTER_KEY_BYTES];
    char hex[ENCODE_HEX_MAX(MASTER_KEY_BYTES)];
    rng_bytes(bytes, sizeof bytes);
    size_t n = encode_hex(bytes, sizeof bytes, hex);
    enum err e = key_file_make(dir, name, str_of(hex, n), why, why_cap);
    if (e == ERR_OK)
        set(k, bytes);
    mem_wipe(bytes, sizeof bytes);
    mem_wipe(hex, sizeof hex);
    return e;
}

enum err master_key_from_own_file(struct master_key *k, const char *dir, const char *name, bool may_make, char *why,
                                  size_t why_cap)
{
    char path[PATH_MAX];
    struct secret text = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    enum err e = key_file_read(path, true, &text, why, why_cap);
    if (e == ERR_NOT_FOUND && may_make)
        return make_file(k, dir, name, why, why_cap);
    return e == ERR_OK ? from_file_text(k, path, &text, why, why_cap) : e;
}

void master_key_wipe(struct master_key *k)
{
    secret_wipe(&k->bytes);
    mem_wipe(k->id_bytes, sizeof k->id_bytes);
    k->id[0] = '\0';
}
