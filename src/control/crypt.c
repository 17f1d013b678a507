/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope. One routine drives AES-256-GCM (NIST SP 800-38D) both ways; around it stand the two
 * layouts of crypt.h. The header, with the id of the key, is part of the associated data, so naming
 * another key is noticed like any other change.
 *
 * Data keys are few (a handful a workspace) and looked up a few times a change: an array will do.
 */
#include "control/crypt.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/master_key.h"

#define CRYPT_MAGIC 0x63727970u
#define VERSION_SEALED 1
#define VERSION_WRAPPED 2
#define HEADER_BYTES 9
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define NAME_MAX_BYTES 32
#define AAD_MAX (HEADER_BYTES + 8 + 8 + 2 * (1 + NAME_MAX_BYTES))

struct data_key {
    int64_t id;
    int64_t workspace_id;
    struct secret bytes;
};

/* What a master key gives. */
struct wrapping {
    struct secret key;
    unsigned char id_bytes[MASTER_KEY_ID_BYTES];
    char id[MASTER_KEY_ID_MAX];
};

struct crypt {
    unsigned magic;
    struct wrapping now, old; /* `old` while a rewrap is under way */
    bool rewrapping;
    EVP_CIPHER *cipher;
    struct data_key *keys;
    size_t count, cap;
};

/* Associated data under construction. */
struct aad {
    unsigned char p[AAD_MAX];
    size_t n;
};

static void aad_bytes(struct aad *a, const void *p, size_t n)
{
    must(n <= sizeof a->p - a->n);
    memcpy(a->p + a->n, p, n);
    a->n += n;
}

static void put_i64(unsigned char out[8], int64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
}

static int64_t get_i64(const unsigned char p[8])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static void aad_i64(struct aad *a, int64_t v)
{
    unsigned char p[8];
    put_i64(p, v);
    aad_bytes(a, p, sizeof p);
}

/* With its length before it, so that no two places read the same. */
static void aad_name(struct aad *a, const char *z)
{
    size_t n = strlen(z);
    must(n > 0 && n <= NAME_MAX_BYTES);
    unsigned char len = (unsigned char)n;
    aad_bytes(a, &len, 1);
    aad_bytes(a, z, n);
}

static struct aad place_aad(const void *header, int64_t workspace_id, struct crypt_place place)
{
    struct aad a = {.n = 0};
    aad_bytes(&a, header, HEADER_BYTES);
    aad_i64(&a, workspace_id);
    aad_i64(&a, place.row);
    aad_name(&a, place.table);
    aad_name(&a, place.column);
    return a;
}

static struct aad key_aad(const void *header, int64_t key_id, int64_t workspace_id)
{
    struct aad a = {.n = 0};
    aad_bytes(&a, header, HEADER_BYTES);
    aad_i64(&a, key_id);
    aad_i64(&a, workspace_id);
    return a;
}

static void derive(struct wrapping *w, const struct master_key *k)
{
    unsigned char bytes[CRYPT_KEY_BYTES];
    master_key_derive(k, "tollgate wrapping key 1", bytes, sizeof bytes);
    secret_set(&w->key, str_of((const char *)bytes, sizeof bytes));
    mem_wipe(bytes, sizeof bytes);
    memcpy(w->id_bytes, k->id_bytes, sizeof w->id_bytes);
    memcpy(w->id, k->id, sizeof w->id);
}

struct crypt *crypt_new(struct master_key *k)
{
    struct crypt *c = mem_zalloc(sizeof *c);
    c->magic = CRYPT_MAGIC;
    derive(&c->now, k);
    master_key_wipe(k);
    c->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    must(c->cipher != NULL);
    return c;
}

void crypt_free(struct crypt *c)
{
    if (!c)
        return;
    must(c->magic == CRYPT_MAGIC);
    for (size_t i = 0; i < c->count; i++)
        secret_wipe(&c->keys[i].bytes);
    mem_free(c->keys);
    secret_wipe(&c->now.key);
    secret_wipe(&c->old.key);
    EVP_CIPHER_free(c->cipher);
    c->magic = 0;
    mem_free(c);
}

const char *crypt_master_id(const struct crypt *c)
{
    return c->now.id;
}

/* Appends header, nonce, ciphertext and tag to `out`. Nothing here can fail but for want of memory. */
static void encrypt(const struct crypt *c, const struct secret *key, const unsigned char header[HEADER_BYTES],
                    const struct aad *aad, struct str plain, struct buf *out)
{
    unsigned char *p = (unsigned char *)buf_reserve(out, plain.n + CRYPT_OVERHEAD);
    must(p != NULL);
    memcpy(p, header, HEADER_BYTES);
    unsigned char *nonce = p + HEADER_BYTES, *text = nonce + NONCE_BYTES, *tag = text + plain.n;
    rng_bytes(nonce, NONCE_BYTES);
    struct str k = secret_reveal(key);
    must(k.n == CRYPT_KEY_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    must(ctx != NULL);
    must(EVP_EncryptInit_ex2(ctx, c->cipher, (const unsigned char *)k.p, nonce, NULL) == 1);
    must(EVP_EncryptUpdate(ctx, NULL, &n, aad->p, (int)aad->n) == 1);
    if (plain.n > 0)
        must(EVP_EncryptUpdate(ctx, text, &n, (const unsigned char *)plain.p, (int)plain.n) == 1);
    must(EVP_EncryptFinal_ex(ctx, tag, &n) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    buf_commit(out, plain.n + CRYPT_OVERHEAD);
}

/* Opens what encrypt() made; `sealed` is at least CRYPT_OVERHEAD long. False when the tag is wrong. */
static bool decrypt(const struct crypt *c, const struct secret *key, const struct aad *aad, struct str sealed,
                    struct secret *ret_plain)
{
    const unsigned char *nonce = (const unsigned char *)sealed.p + HEADER_BYTES;
    size_t n_text = sealed.n - CRYPT_OVERHEAD;
    unsigned char tag[TAG_BYTES], *plain = mem_alloc(n_text + 1);
    memcpy(tag, sealed.p + sealed.n - TAG_BYTES, TAG_BYTES);
    struct str k = secret_reveal(key);
    must(k.n == CRYPT_KEY_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    must(ctx != NULL);
    must(EVP_DecryptInit_ex2(ctx, c->cipher, (const unsigned char *)k.p, nonce, NULL) == 1);
    must(EVP_DecryptUpdate(ctx, NULL, &n, aad->p, (int)aad->n) == 1);
    if (n_text > 0)
        must(EVP_DecryptUpdate(ctx, plain, &n, nonce + NONCE_BYTES, (int)n_text) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1);
    bool good = EVP_DecryptFinal_ex(ctx, plain + n_text, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (good)
        secret_set(ret_plain, str_of((const char *)plain, n_text));
    mem_wipe(plain, n_text);
    mem_free(plain);
    return good;
}

/* Takes over the bytes of `key`. */
static void remember(struct crypt *c, int64_t key_id, int64_t workspace_id, struct secret key)
{
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 8;
        c->keys = mem_realloc(c->keys, c->cap * sizeof *c->keys);
    }
    c->keys[c->count++] = (struct data_key){key_id, workspace_id, key};
}

static const struct data_key *find_key(const struct crypt *c, int64_t key_id)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->keys[i].id == key_id)
            return &c->keys[i];
    return NULL;
}

static const struct data_key *newest_key(const struct crypt *c, int64_t workspace_id)
{
    const struct data_key *best = NULL;
    for (size_t i = 0; i < c->count; i++)
        if (c->keys[i].workspace_id == workspace_id && (!best || c->keys[i].id > best->id))
            best = &c->keys[i];
    return best;
}

bool crypt_has_key(const struct crypt *c, int64_t workspace_id)
{
    return newest_key(c, workspace_id) != NULL;
}

static void wrap(const struct crypt *c, int64_t key_id, int64_t workspace_id, const struct secret *key, struct buf *out)
{
    unsigned char header[HEADER_BYTES] = {VERSION_WRAPPED};
    memcpy(header + 1, c->now.id_bytes, MASTER_KEY_ID_BYTES);
    struct aad aad = key_aad(header, key_id, workspace_id);
    encrypt(c, &c->now.key, header, &aad, secret_reveal(key), out);
}

void crypt_make_key(struct crypt *c, int64_t key_id, int64_t workspace_id, struct buf *out)
{
    unsigned char bytes[CRYPT_KEY_BYTES];
    struct secret key = {0};
    must(!find_key(c, key_id));
    rng_bytes(bytes, sizeof bytes);
    secret_set(&key, str_of((const char *)bytes, sizeof bytes));
    mem_wipe(bytes, sizeof bytes);
    wrap(c, key_id, workspace_id, &key, out);
    remember(c, key_id, workspace_id, key);
}

void crypt_rewrap_begin(struct crypt *c, const struct master_key *k)
{
    must(c->magic == CRYPT_MAGIC);
    must(!c->rewrapping);
    c->rewrapping = true;
    c->old = c->now;
    c->now.key = (struct secret){0};
    derive(&c->now, k);
}

bool crypt_rewrap_key(const struct crypt *c, int64_t key_id, struct buf *out)
{
    const struct data_key *key = find_key(c, key_id);
    must(c->rewrapping);
    if (key)
        wrap(c, key_id, key->workspace_id, &key->bytes, out);
    return key != NULL;
}

void crypt_rewrap_end(struct crypt *c, bool keep)
{
    if (!c || !c->rewrapping)
        return;
    c->rewrapping = false;
    if (keep) {
        secret_wipe(&c->old.key);
    } else {
        secret_wipe(&c->now.key);
        c->now = c->old;
        c->old.key = (struct secret){0};
    }
}

enum err crypt_add_key(struct crypt *c, int64_t key_id, int64_t workspace_id, struct str wrapped, char *why,
                       size_t why_cap)
{
    must(!find_key(c, key_id));
    if (wrapped.n != CRYPT_WRAPPED_BYTES || wrapped.p[0] != VERSION_WRAPPED) {
        snprintf(why, why_cap, "Data key %lld is damaged.", (long long)key_id);
        return ERR_CORRUPT;
    }
    if (memcmp(wrapped.p + 1, c->now.id_bytes, MASTER_KEY_ID_BYTES) != 0) {
        char needed[MASTER_KEY_ID_MAX];
        master_key_id_text((const unsigned char *)wrapped.p + 1, needed);
        snprintf(why, why_cap, "The stored secrets were sealed with master key %s, but the key given is %s.", needed,
                 c->now.id);
        return ERR_BAD_MASTER_KEY;
    }
    struct aad aad = key_aad(wrapped.p, key_id, workspace_id);
    struct secret key = {0};
    if (!decrypt(c, &c->now.key, &aad, wrapped, &key)) {
        snprintf(why, why_cap, "Data key %lld was altered.", (long long)key_id);
        return ERR_CORRUPT;
    }
    remember(c, key_id, workspace_id, key);
    return ERR_OK;
}

void crypt_forget_from(struct crypt *c, int64_t key_id)
{
    for (size_t i = c->count; i > 0; i--) {
        if (c->keys[i - 1].id >= key_id) {
            secret_wipe(&c->keys[i - 1].bytes);
            c->keys[i - 1] = c->keys[--c->count];
        }
    }
}

void crypt_seal(const struct crypt *c, int64_t workspace_id, struct crypt_place place, struct str plain,
                struct buf *out)
{
    must(c->magic == CRYPT_MAGIC);
    must(plain.n <= CRYPT_PLAIN_MAX);
    const struct data_key *key = newest_key(c, workspace_id);
    must(key != NULL);
    unsigned char header[HEADER_BYTES] = {VERSION_SEALED};
    put_i64(header + 1, key->id);
    struct aad aad = place_aad(header, workspace_id, place);
    encrypt(c, &key->bytes, header, &aad, plain, out);
}

enum err crypt_open(const struct crypt *c, int64_t workspace_id, struct crypt_place place, struct str sealed,
                    struct secret *ret_plain)
{
    must(c->magic == CRYPT_MAGIC);
    if (sealed.n < CRYPT_OVERHEAD || sealed.n > CRYPT_PLAIN_MAX + CRYPT_OVERHEAD || sealed.p[0] != VERSION_SEALED)
        return ERR_CORRUPT;
    const struct data_key *key = find_key(c, get_i64((const unsigned char *)sealed.p + 1));
    if (!key || key->workspace_id != workspace_id)
        return ERR_CORRUPT;
    struct aad aad = place_aad(sealed.p, workspace_id, place);
    return decrypt(c, &key->bytes, &aad, sealed, ret_plain) ? ERR_OK : ERR_CORRUPT;
}
