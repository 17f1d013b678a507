/* SPDX-License-Identifier: Apache-2.0 */
/* Contents grow by doubling; what does not fit the pool even alone is only hashed. */
#include "sim/kept/blob.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

struct blob {
    struct blob_pool *pool;
    struct list node;
    unsigned refs;
    bool dropped, ended;
    uint64_t size;
    char *p;
    uint64_t cap;
    EVP_MD_CTX *hash; /* NULL after the end */
    unsigned char sha256[32];
};

void blob_pool_init(struct blob_pool *p, uint64_t bytes_max)
{
    list_init(&p->all);
    p->bytes = 0;
    p->bytes_max = bytes_max;
}

static void drop(struct blob *b)
{
    b->pool->bytes -= b->cap;
    mem_free(b->p);
    b->p = NULL;
    b->cap = 0;
    b->dropped = true;
    list_remove(&b->node);
}

struct blob *blob_new(struct blob_pool *p)
{
    struct blob *b = mem_zalloc(sizeof *b);
    b->pool = p;
    b->refs = 1;
    b->hash = EVP_MD_CTX_new();
    must(b->hash && EVP_DigestInit_ex(b->hash, EVP_sha256(), NULL) == 1);
    list_append(&p->all, &b->node);
    return b;
}

/* False when there is no room for `cap` bytes even without the others. */
static bool make_room(struct blob *b, uint64_t cap)
{
    struct blob_pool *p = b->pool;
    uint64_t more = cap - b->cap;
    if (cap > p->bytes_max)
        return false;
    struct list *n = p->all.next;
    while (p->bytes + more > p->bytes_max && n != &p->all) {
        struct blob *old = list_entry(n, struct blob, node);
        n = n->next;
        if (old != b && old->ended)
            drop(old);
    }
    return p->bytes + more <= p->bytes_max;
}

void blob_add(struct blob *b, struct str bytes)
{
    must(!b->ended);
    must(EVP_DigestUpdate(b->hash, bytes.p, bytes.n) == 1);
    b->size += bytes.n;
    if (b->dropped || !bytes.n)
        return;
    if (b->size > b->cap) {
        uint64_t cap = b->cap * 2 > b->size ? b->cap * 2 : b->size;
        if (!make_room(b, cap)) {
            drop(b);
            return;
        }
        b->p = mem_realloc(b->p, cap);
        b->pool->bytes += cap - b->cap;
        b->cap = cap;
    }
    memcpy(b->p + b->size - bytes.n, bytes.p, bytes.n);
}

void blob_end(struct blob *b)
{
    must(!b->ended);
    must(EVP_DigestFinal_ex(b->hash, b->sha256, NULL) == 1);
    EVP_MD_CTX_free(b->hash);
    b->hash = NULL;
    b->ended = true;
    if (!b->dropped && b->size && b->cap > b->size) {
        b->p = mem_realloc(b->p, b->size);
        b->pool->bytes -= b->cap - b->size;
        b->cap = b->size;
    }
}

struct blob *blob_get(struct blob *b)
{
    b->refs++;
    return b;
}

void blob_put(struct blob *b)
{
    if (!b || --b->refs)
        return;
    if (!b->dropped)
        drop(b);
    EVP_MD_CTX_free(b->hash);
    mem_free(b);
}

uint64_t blob_size(const struct blob *b)
{
    return b->size;
}

const unsigned char *blob_sha256(const struct blob *b)
{
    must(b->ended);
    return b->sha256;
}

bool blob_bytes(const struct blob *b, struct str *ret_bytes)
{
    if (b->dropped)
        return false;
    *ret_bytes = str_of(b->p ? b->p : "", b->size);
    return true;
}
