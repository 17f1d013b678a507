/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sticky choices of load balancers. The key is a digest of the config and its version, the node, the
 * caller's key and the hash fields with their values, so that a changed config begins anew and no
 * value is kept. A choice holds for its time from when it was made, however often it is used.
 */
#include "gateway/plan/sticky.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/must.h"
#include "gateway/plan/recent.h"
#include "openai/body_edit.h"

#define ENTRIES_MAX 65536

struct sticky_table {
    pthread_mutex_t lock;
    struct recent table;
};

struct choice {
    struct recent_entry entry;
    uint64_t until_us;
    unsigned index;
};

struct sticky_table *sticky_new(void)
{
    struct sticky_table *t = mem_zalloc(sizeof *t);
    must(pthread_mutex_init(&t->lock, NULL) == 0);
    recent_init(&t->table, ENTRIES_MAX, sizeof(struct choice));
    return t;
}

void sticky_free(struct sticky_table *t)
{
    if (!t)
        return;
    recent_done(&t->table);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static struct str value_of(const struct plan_input *in, struct str field)
{
    struct str kind = field, name = field;
    str_split(&name, '.', &kind);
    if (str_eq(kind, STR("headers")))
        return in->header ? in->header(in->header_ctx, name) : STR("");
    struct str object = str_eq(kind, STR("metadata")) ? in->metadata : in->body;
    return object.n ? body_member_find(object, name) : STR("");
}

/* Texts with their lengths, so that no two lists of fields look alike. */
static void digest_text(EVP_MD_CTX *md, struct str s)
{
    uint64_t n = s.n;
    must(EVP_DigestUpdate(md, &n, sizeof n) == 1);
    must(EVP_DigestUpdate(md, s.n ? s.p : "", s.n) == 1);
}

/* Only stored configs: nothing else has a version that tells one config from the next. */
bool sticky_who(const struct plan_input *in, const struct config_node *node, struct sticky_key *ret)
{
    int64_t who[] = {in->config->id, in->config->version, node->id, in->key_id};
    const struct config_strings *fields = &node->sticky.hash_fields;
    if (!in->sticky || !node->sticky.enabled || in->config->id == 0)
        return false;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    must(md);
    must(EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
    must(EVP_DigestUpdate(md, who, sizeof who) == 1);
    for (size_t i = 0; i < fields->n; i++) {
        digest_text(md, fields->list[i]);
        digest_text(md, value_of(in, fields->list[i]));
    }
    must(EVP_DigestFinal_ex(md, ret->bytes, NULL) == 1);
    EVP_MD_CTX_free(md);
    return true;
}

bool sticky_find(const struct plan_input *in, const struct config_node *node, const struct sticky_key *who,
                 unsigned *ret_index)
{
    pthread_mutex_lock(&in->sticky->lock);
    const struct choice *c = recent_find(&in->sticky->table, who->bytes);
    bool found = c && in->now_us < c->until_us && c->index < node->target_count;
    if (found)
        *ret_index = c->index;
    pthread_mutex_unlock(&in->sticky->lock);
    return found;
}

void sticky_keep(const struct plan_input *in, const struct config_node *node, const struct sticky_key *who,
                 unsigned index)
{
    pthread_mutex_lock(&in->sticky->lock);
    struct choice *c = recent_make(&in->sticky->table, who->bytes);
    c->index = index;
    c->until_us = in->now_us + (uint64_t)node->sticky.ttl_s * 1000000;
    pthread_mutex_unlock(&in->sticky->lock);
}
