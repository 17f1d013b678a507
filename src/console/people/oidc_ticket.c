/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ticket's plain form: began_us (8 bytes), state, nonce, verifier, return_to. Sealed: nonce (12), text,
 * tag (16), as base64url. The nonces of one process are random: at 2^32 tickets a repeat is still unlikely.
 */
#include "console/people/oidc_ticket.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"

#define IV_BYTES 12
#define TAG_BYTES 16
#define FIXED (8 + 3 * TICKET_RANDOM)
#define PLAIN_MAX (FIXED + TICKET_RETURN_MAX)
#define SEALED_MAX (IV_BYTES + PLAIN_MAX + TAG_BYTES)

static const char bound_to[] = "tollgate sign-in 1";

static void digest(struct str text, unsigned char out[32])
{
    size_t n = 0;
    int done = EVP_Q_digest(NULL, "SHA256", NULL, text.p, text.n, out, &n);
    must(done == 1);
    must(n == 32);
}

void ticket_box_init(struct ticket_box *b)
{
    memset(b, 0, sizeof *b);
    rng_bytes(b->key, sizeof b->key);
}

static void draw(char out[TICKET_RANDOM + 1])
{
    encode_base62_random(out, TICKET_RANDOM);
    out[TICKET_RANDOM] = '\0';
}

void ticket_draw(struct ticket *t, struct str return_to, int64_t now_us)
{
    must(return_to.n <= TICKET_RETURN_MAX);
    t->began_us = now_us;
    t->return_to = return_to;
    draw(t->state);
    draw(t->nonce);
    draw(t->verifier);
}

static EVP_CIPHER_CTX *begin(const struct ticket_box *b, const unsigned char iv[IV_BYTES], int sealing)
{
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    must(ctx != NULL);
    int ok = EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), b->key, iv, sealing, NULL) == 1 &&
             EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)bound_to, sizeof bound_to - 1) == 1;
    must(ok);
    return ctx;
}

struct str ticket_seal(const struct ticket_box *b, const struct ticket *t, struct arena *a)
{
    unsigned char plain[PLAIN_MAX], sealed[SEALED_MAX];
    size_t n = FIXED + t->return_to.n;
    int out = 0, end = 0;
    for (int i = 0; i < 8; i++)
        plain[i] = (unsigned char)((uint64_t)t->began_us >> (8 * i));
    memcpy(plain + 8, t->state, TICKET_RANDOM);
    memcpy(plain + 8 + TICKET_RANDOM, t->nonce, TICKET_RANDOM);
    memcpy(plain + 8 + 2 * TICKET_RANDOM, t->verifier, TICKET_RANDOM);
    memcpy(plain + FIXED, t->return_to.p, t->return_to.n);
    rng_bytes(sealed, IV_BYTES);
    EVP_CIPHER_CTX *ctx = begin(b, sealed, 1);
    int ok = EVP_CipherUpdate(ctx, sealed + IV_BYTES, &out, plain, (int)n) == 1 &&
             EVP_CipherFinal_ex(ctx, sealed + IV_BYTES + out, &end) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, sealed + IV_BYTES + n) == 1;
    must(ok);
    must((size_t)out == n);
    EVP_CIPHER_CTX_free(ctx);
    mem_wipe(plain, sizeof plain);
    char *text = arena_alloc(a, ENCODE_BASE64_MAX(SEALED_MAX));
    return text ? str_of(text, encode_base64url(sealed, IV_BYTES + n + TAG_BYTES, text)) : (struct str){NULL, 0};
}

static bool unseal(const struct ticket_box *b, unsigned char *sealed, size_t n, unsigned char *plain)
{
    int out = 0, end = 0;
    size_t text_n = n - IV_BYTES - TAG_BYTES;
    EVP_CIPHER_CTX *ctx = begin(b, sealed, 0);
    bool ok = EVP_CipherUpdate(ctx, plain, &out, sealed + IV_BYTES, (int)text_n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, sealed + n - TAG_BYTES) == 1 &&
              EVP_CipherFinal_ex(ctx, plain + out, &end) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static void take(char out[TICKET_RANDOM + 1], const unsigned char *from)
{
    memcpy(out, from, TICKET_RANDOM);
    out[TICKET_RANDOM] = '\0';
}

bool ticket_open(const struct ticket_box *b, struct str text, int64_t now_us, struct arena *a, struct ticket *ret)
{
    unsigned char sealed[SEALED_MAX], plain[PLAIN_MAX];
    size_t n = 0;
    uint64_t began = 0;
    if (!encode_unbase64(text, sealed, sizeof sealed, &n) || n < IV_BYTES + FIXED + TAG_BYTES ||
        !unseal(b, sealed, n, plain))
        return false;
    for (int i = 0; i < 8; i++)
        began |= (uint64_t)plain[i] << (8 * i);
    ret->began_us = (int64_t)began;
    take(ret->state, plain + 8);
    take(ret->nonce, plain + 8 + TICKET_RANDOM);
    take(ret->verifier, plain + 8 + 2 * TICKET_RANDOM);
    ret->return_to = arena_dup(a, str_of((const char *)plain + FIXED, n - IV_BYTES - TAG_BYTES - FIXED));
    mem_wipe(plain, sizeof plain);
    return ret->return_to.p && now_us >= ret->began_us && now_us - ret->began_us < TICKET_LASTS_US;
}

bool ticket_spend(struct ticket_box *b, const struct ticket *t)
{
    unsigned char hash[32];
    digest(str_c(t->state), hash);
    for (unsigned i = 0; i < TICKET_SPENT_MAX; i++)
        if (CRYPTO_memcmp(b->spent[i], hash, sizeof hash) == 0)
            return false;
    memcpy(b->spent[b->next], hash, sizeof hash);
    b->next = (b->next + 1) % TICKET_SPENT_MAX;
    return true;
}

struct str ticket_challenge(const struct ticket *t, char out[TICKET_CHALLENGE_MAX])
{
    unsigned char hash[32];
    digest(str_c(t->verifier), hash);
    return str_of(out, encode_base64url(hash, sizeof hash, out));
}
