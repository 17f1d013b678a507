/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be equal, as 32 bytes: a SHA-256 over all parts, each behind its length, so that no two
 * lists of parts give the same text. Of metadata and of the body the order of members is taken out,
 * and with it the white space between them (SDKs differ in both); values count byte for byte. A
 * namespace stands in the place of metadata. Which operations are worth keeping is here too.
 */
#include "gateway/cache/key.h"

#include <pthread.h>

#include <openssl/evp.h>

#include "base/json/jdoc.h"
#include "base/json_text.h"
#include "base/must.h"
#include "gateway/cache/cache.h"

#define MEMBERS_MAX 64 /* an object with more counts as it stands */

static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_find(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sha256 != NULL);
}

void key_hash_begin(struct key_hash *h)
{
    pthread_once(&sha256_once, sha256_find);
    h->md = EVP_MD_CTX_new();
    must(h->md != NULL);
    must(EVP_DigestInit_ex2(h->md, sha256, NULL) == 1);
}

void key_hash_number(struct key_hash *h, uint64_t v)
{
    must(EVP_DigestUpdate(h->md, &v, sizeof v) == 1);
}

void key_hash_bytes(struct key_hash *h, struct str s)
{
    must(EVP_DigestUpdate(h->md, s.p, s.n) == 1);
}

void key_hash_text(struct key_hash *h, struct str s)
{
    key_hash_number(h, s.n);
    key_hash_bytes(h, s);
}

void key_hash_end(struct key_hash *h, unsigned char out[CACHE_KEY_BYTES])
{
    unsigned n = 0;
    must(EVP_DigestFinal_ex(h->md, out, &n) == 1);
    must(n == CACHE_KEY_BYTES);
    EVP_MD_CTX_free(h->md);
}

struct member {
    struct str name, value; /* as they stand */
};

/* Behind all that are not greater, so that members of one name keep their order: it has a meaning. */
static void insert_sorted(struct member *list, size_t n, struct member m)
{
    while (n > 0 && str_cmp(list[n - 1].name, m.name) > 0) {
        list[n] = list[n - 1];
        n--;
    }
    list[n] = m;
}

/* How the answer is to come, not what it is to be: a kept answer is replayed in either form. */
static bool says_how(struct str name)
{
    return str_eq(name, STR("stream")) || str_eq(name, STR("stream_options"));
}

/* What of an object is left out or stands for something else; NULL: nothing. */
struct changes {
    bool is_body;
    struct str name, value; /* this member has that value; no name: none */
};

static void hash_object(struct key_hash *h, struct str json, const struct changes *c)
{
    struct member list[MEMBERS_MAX];
    struct jdoc doc;
    size_t n = 0;
    jdoc_init(&doc);
    struct jval root = {NULL, 0};
    if (json.n && jdoc_parse(&doc, json))
        root = jdoc_root(&doc);
    if (jdoc_kind(root) != JDOC_OBJECT || jdoc_size(root) > MEMBERS_MAX) {
        key_hash_number(h, UINT64_MAX);
        key_hash_text(h, json);
        jdoc_free(&doc);
        return;
    }
    for (struct jval m = jdoc_first(root); jdoc_has(m); m = jdoc_next(root, m)) {
        struct str name = jdoc_escaped(m), value = jdoc_raw(jdoc_value(m));
        if (c && c->is_body && says_how(name))
            continue;
        if (c && c->name.n && json_string_eq(name, c->name))
            value = c->value;
        insert_sorted(list, n++, (struct member){name, value});
    }
    key_hash_number(h, n);
    for (size_t i = 0; i < n; i++) {
        key_hash_text(h, list[i].name);
        key_hash_text(h, list[i].value);
    }
    jdoc_free(&doc);
}

void key_hash_parts(struct key_hash *h, const struct cache_key_parts *parts)
{
    key_hash_number(h, (uint64_t)parts->workspace_id);
    key_hash_text(h, parts->upstream);
    key_hash_number(h, parts->has_namespace);
    if (parts->has_namespace)
        key_hash_text(h, parts->name_space);
    else
        hash_object(h, parts->metadata, NULL);
}

void key_hash_body(struct key_hash *h, struct str body, struct str name, struct str value)
{
    hash_object(h, body, &(struct changes){true, name, value});
}

void cache_key(const struct cache_key_parts *parts, unsigned char out[CACHE_KEY_BYTES])
{
    struct key_hash h;
    key_hash_begin(&h);
    key_hash_text(&h, STR("answer"));
    key_hash_parts(&h, parts);
    key_hash_body(&h, parts->body, STR(""), STR(""));
    key_hash_end(&h, out);
}

/*
 * Operations whose answer depends on the request alone and which change nothing upstream. Files,
 * batches, fine-tuning, audio and image edits are not among them, nor is what makes objects (threads,
 * vector stores …): the second caller would be given the first one's.
 */
bool cache_allows(const struct endpoint *e, struct str method)
{
    static const struct str operations[] = {
        {"chat.completions", 16}, {"responses", 9},        {"embeddings", 10}, {"completions", 11},
        {"moderations", 11},      {"images.generate", 15}, {"edits", 5},       {"responses.input_tokens", 22},
    };
    if (!str_eq(method, STR("POST")) || e->body != ENDPOINT_JSON)
        return false;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (str_eq(e->operation, operations[i]))
            return true;
    return false;
}
