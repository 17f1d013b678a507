/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be equal, as 32 bytes: a SHA-256 over all parts, each behind its length, so that no two
 * lists of parts give the same text. Of metadata and of the body the order of members is taken out,
 * and with it the white space between them (SDKs differ in both); values count byte for byte. A
 * namespace stands in the place of metadata. Which operations are worth keeping is here too.
 *
 * A hit is dear or cheap by what its key costs, so each thread keeps a hash context and a reader of
 * JSON, and short parts are gathered before they are hashed.
 */
#include "gateway/cache/key.h"

#include <pthread.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/json/jdoc.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/cache/cache.h"

#define MEMBERS_MAX 64 /* an object with more counts as it stands */

#define NODES_KEPT 4096 /* a reader that grew beyond that for one body is given back */

/* What a thread keeps from one key to the next. */
struct tools {
    EVP_MD_CTX *md; /* NULL: in use, or none yet */
    struct jdoc doc;
};

static EVP_MD *sha256;
static pthread_key_t tools_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void tools_free(void *p)
{
    struct tools *t = p;
    EVP_MD_CTX_free(t->md);
    jdoc_free(&t->doc);
    mem_free(t);
}

static void begin_once(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sha256 != NULL);
    must(pthread_key_create(&tools_key, tools_free) == 0);
}

static struct tools *tools_get(void)
{
    pthread_once(&once, begin_once);
    struct tools *t = pthread_getspecific(tools_key);
    if (!t) {
        t = mem_alloc(sizeof *t);
        t->md = NULL;
        jdoc_init(&t->doc);
        must(pthread_setspecific(tools_key, t) == 0);
    }
    return t;
}

void key_hash_begin(struct key_hash *h)
{
    struct tools *t = tools_get();
    h->md = t->md ? t->md : EVP_MD_CTX_new();
    t->md = NULL;
    h->gathered = 0;
    must(h->md != NULL);
    must(EVP_DigestInit_ex2(h->md, sha256, NULL) == 1);
}

static void flush(struct key_hash *h)
{
    must(EVP_DigestUpdate(h->md, h->gather, h->gathered) == 1);
    h->gathered = 0;
}

void key_hash_bytes(struct key_hash *h, struct str s)
{
    if (s.n > sizeof h->gather - h->gathered)
        flush(h);
    if (s.n > sizeof h->gather) {
        must(EVP_DigestUpdate(h->md, s.p, s.n) == 1);
        return;
    }
    if (s.n)
        memcpy(h->gather + h->gathered, s.p, s.n);
    h->gathered += s.n;
}

void key_hash_number(struct key_hash *h, uint64_t v)
{
    key_hash_bytes(h, str_of((const char *)&v, sizeof v));
}

void key_hash_text(struct key_hash *h, struct str s)
{
    key_hash_number(h, s.n);
    key_hash_bytes(h, s);
}

void key_hash_end(struct key_hash *h, unsigned char out[CACHE_KEY_BYTES])
{
    struct tools *t = tools_get();
    unsigned n = 0;
    flush(h);
    must(EVP_DigestFinal_ex(h->md, out, &n) == 1);
    must(n == CACHE_KEY_BYTES);
    if (t->md)
        EVP_MD_CTX_free(h->md);
    else
        t->md = h->md;
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

static void reader_done(struct jdoc *doc)
{
    if (doc->cap > NODES_KEPT)
        jdoc_free(doc);
}

static void hash_object(struct key_hash *h, struct str json, const struct changes *c)
{
    struct member list[MEMBERS_MAX];
    struct jdoc *doc = &tools_get()->doc;
    size_t n = 0;
    struct jval root = {NULL, 0};
    if (json.n && jdoc_parse(doc, json))
        root = jdoc_root(doc);
    if (jdoc_kind(root) != JDOC_OBJECT || jdoc_size(root) > MEMBERS_MAX) {
        key_hash_number(h, UINT64_MAX);
        key_hash_text(h, json);
        reader_done(doc);
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
    reader_done(doc);
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
