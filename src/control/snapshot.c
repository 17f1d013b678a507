/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a snapshot, and its life. See snapshot_layout.h for the tables and snapshot_build.c for
 * how they are filled. Nothing here changes a snapshot but its count of references.
 */
#include "control/snapshot.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/config/config.h"
#include "control/limit/ruleset.h"
#include "control/snapshot_layout.h"

uint64_t snapshot_layout_tag(const unsigned char hash[APIKEY_HASH_BYTES])
{
    uint64_t tag;
    memcpy(&tag, hash, sizeof tag);
    return tag;
}

/* Ids are given by us, one after the other: spreading them is enough. */
uint64_t snapshot_layout_hash_id(int64_t id)
{
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

uint64_t snapshot_layout_hash_slug(int64_t workspace_id, struct str slug)
{
    return str_hash(slug) ^ snapshot_layout_hash_id(workspace_id);
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    must(s->magic == SNAPSHOT_MAGIC);
    unsigned before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    must(before > 0);
    must(before < UINT32_MAX / 2);
    return s;
}

static void destroy(struct snapshot *s)
{
    for (size_t i = 0; i < s->integration_count; i++)
        secret_wipe(&s->integrations[i]->head_lines);
    for (size_t i = 0; i < s->config_count; i++)
        config_unref(s->configs[i]);
    for (size_t i = 0; i < s->model_count; i++)
        config_unref(s->models[i].config);
    mem_wipe(s->pepper, sizeof s->pepper);
    mem_wipe(s->token_key, sizeof s->token_key);
    mem_free(s->members);
    mem_free(s->reaches);
    mem_free(s->keys);
    mem_free(s->key_slots);
    mem_free(s->workspaces);
    mem_free(s->workspaces_by_id.slots);
    mem_free(s->workspaces_by_name.slots);
    mem_free(s->integrations);
    mem_free(s->allowed);
    mem_free(s->integrations_by_id.slots);
    mem_free(s->integrations_by_slug.slots);
    mem_free(s->configs);
    mem_free(s->configs_by_slug.slots);
    mem_free(s->models);
    mem_free(s->models_by_name.slots);
    ruleset_free(s->limits);
    arena_free(s->arena);
    s->magic = 0;
    mem_free(s);
}

void snapshot_unref(struct snapshot *s)
{
    if (!s)
        return;
    must(s->magic == SNAPSHOT_MAGIC);
    unsigned before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);
    must(before > 0);
    if (before == 1)
        destroy(s);
}

uint64_t snapshot_generation(const struct snapshot *s)
{
    return s->generation;
}

size_t snapshot_key_count(const struct snapshot *s)
{
    return s->key_count;
}

/* In any state. The comparison of whole hashes takes the same time wherever they differ. */
static const struct snapshot_key *find_any(const struct snapshot *s, struct str presented)
{
    unsigned char hash[APIKEY_HASH_BYTES];
    must(s->magic == SNAPSHOT_MAGIC);
    if (!apikey_hash(s->pepper, presented, hash))
        return NULL;
    uint64_t tag = snapshot_layout_tag(hash);
    for (size_t at = tag & s->key_mask; s->key_slots[at].place != 0; at = (at + 1) & s->key_mask) {
        if (s->key_slots[at].tag != tag)
            continue;
        const struct snapshot_key *k = &s->keys[s->key_slots[at].place - 1];
        if (CRYPTO_memcmp(k->hash, hash, sizeof hash) == 0)
            return k;
    }
    return NULL;
}

/* The key that an access token stands for. *ret_late is set when the token's time is over. */
static const struct snapshot_key *find_token(const struct snapshot *s, struct str presented, int64_t now_us,
                                             bool *ret_late)
{
    struct token t;
    if (!token_read(s->token_key, presented, &t))
        return find_any(s, presented); /* an operator's own key may begin so too */
    if (t.use != TOKEN_ACCESS)
        return NULL;
    *ret_late = now_us / 1000000 >= t.expires_s;
    return reach_key(s, t.key_id);
}

const struct snapshot_key *snapshot_find_key(const struct snapshot *s, struct str presented)
{
    const struct snapshot_key *k = find_any(s, presented);
    return k && k->state == SNAPSHOT_KEY_ACTIVE ? k : NULL;
}

enum snapshot_verdict snapshot_judge(const struct snapshot *s, struct str presented, int64_t now_us,
                                     const struct snapshot_key **ret_key)
{
    bool late = false;
    const struct snapshot_key *k =
        token_looks(presented) ? find_token(s, presented, now_us, &late) : find_any(s, presented);
    *ret_key = k;
    if (!k)
        return apikey_shape_of(presented) == APIKEY_MISTYPED ? SNAPSHOT_MISTYPED : SNAPSHOT_UNKNOWN;
    if (k->state == SNAPSHOT_KEY_REVOKED)
        return SNAPSHOT_REVOKED;
    if (k->state == SNAPSHOT_KEY_DISABLED)
        return SNAPSHOT_DISABLED;
    must(k->state == SNAPSHOT_KEY_ACTIVE);
    return late || (k->expires_us != 0 && now_us >= k->expires_us) ? SNAPSHOT_EXPIRED : SNAPSHOT_ADMITTED;
}

const char *snapshot_verdict_text(enum snapshot_verdict verdict)
{
    switch (verdict) {
    case SNAPSHOT_ADMITTED:
        return "The key is valid.";
    case SNAPSHOT_UNKNOWN:
        return "This key is not known here; ask the workspace's admin for one.";
    case SNAPSHOT_MISTYPED:
        return "This key is incomplete or mistyped: its checksum is wrong; copy it again.";
    case SNAPSHOT_DISABLED:
        return "This key is disabled; the workspace's admin can enable it.";
    case SNAPSHOT_REVOKED:
        return "This key was revoked; ask the workspace's admin for a new one.";
    case SNAPSHOT_EXPIRED:
        return "This key has expired; ask the workspace's admin for a new one.";
    }
    must(false);
    return "";
}

const struct snapshot_key *snapshot_key_of(const struct snapshot *s, int64_t key_id)
{
    size_t low = 0, high = s->key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->keys[middle].id < key_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->key_count && s->keys[low].id == key_id ? &s->keys[low] : NULL;
}

const struct snapshot_workspace *snapshot_find_workspace(const struct snapshot *s, struct str name)
{
    const struct snapshot_index *x = &s->workspaces_by_name;
    for (uint64_t at = str_hash(name) & x->mask; x->slots[at] != 0; at = (at + 1) & x->mask) {
        const struct snapshot_workspace *w = s->workspaces[x->slots[at] - 1];
        if (str_eq(w->name, name))
            return w;
    }
    return NULL;
}

const struct snapshot_workspace *snapshot_workspace_of(const struct snapshot *s, int64_t workspace_id)
{
    const struct snapshot_index *x = &s->workspaces_by_id;
    for (uint64_t at = snapshot_layout_hash_id(workspace_id) & x->mask; x->slots[at] != 0; at = (at + 1) & x->mask) {
        const struct snapshot_workspace *w = s->workspaces[x->slots[at] - 1];
        if (w->id == workspace_id)
            return w;
    }
    return NULL;
}

const struct snapshot_integration *snapshot_find_integration(const struct snapshot *s, int64_t workspace_id,
                                                             struct str slug)
{
    const struct snapshot_index *x = &s->integrations_by_slug;
    uint64_t hash = snapshot_layout_hash_slug(workspace_id, slug);
    for (uint64_t at = hash & x->mask; x->slots[at] != 0; at = (at + 1) & x->mask) {
        const struct snapshot_integration *i = s->integrations[x->slots[at] - 1];
        if (i->workspace->id == workspace_id && str_eq(i->slug, slug))
            return i;
    }
    return NULL;
}

const struct snapshot_integration *snapshot_integration_of(const struct snapshot *s, int64_t integration_id)
{
    const struct snapshot_index *x = &s->integrations_by_id;
    for (uint64_t at = snapshot_layout_hash_id(integration_id) & x->mask; x->slots[at] != 0; at = (at + 1) & x->mask) {
        const struct snapshot_integration *i = s->integrations[x->slots[at] - 1];
        if (i->id == integration_id)
            return i;
    }
    return NULL;
}

const struct config *snapshot_find_config(const struct snapshot *s, int64_t workspace_id, struct str slug)
{
    const struct snapshot_index *x = &s->configs_by_slug;
    uint64_t hash = snapshot_layout_hash_slug(workspace_id, slug);
    for (uint64_t at = hash & x->mask; x->slots[at] != 0; at = (at + 1) & x->mask) {
        const struct config *c = s->configs[x->slots[at] - 1];
        if (c->workspace_id == workspace_id && str_eq(c->slug, slug))
            return c;
    }
    return NULL;
}

const struct snapshot_model *snapshot_find_model(const struct snapshot *s, int64_t workspace_id, struct str name)
{
    const struct snapshot_index *x = &s->models_by_name;
    uint64_t hash = snapshot_layout_hash_slug(workspace_id, name);
    for (uint64_t at = hash & x->mask; x->slots[at] != 0; at = (at + 1) & x->mask) {
        const struct snapshot_model *m = &s->models[x->slots[at] - 1];
        if (m->workspace_id == workspace_id && str_eq(m->name, name))
            return m;
    }
    return NULL;
}

const struct ruleset *snapshot_limits(const struct snapshot *s)
{
    return s->limits;
}

size_t snapshot_integration_count(const struct snapshot *s)
{
    return s->integration_count;
}

const struct snapshot_integration *snapshot_integration_at(const struct snapshot *s, size_t at)
{
    must(at < s->integration_count);
    return s->integrations[at];
}

const struct snapshot_deployment *snapshot_find_deployment(const struct snapshot_integration *i, struct str model)
{
    const struct snapshot_deployment *otherwise = NULL;
    for (size_t n = 0; n < i->deployment_count; n++) {
        if (str_eq(i->deployments[n].alias, model))
            return &i->deployments[n];
        if (i->deployments[n].is_default)
            otherwise = &i->deployments[n];
    }
    return otherwise;
}

bool snapshot_integration_allows(const struct snapshot_integration *i, struct str model)
{
    size_t low = 0, high = i->allowed_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(i->allowed[middle].model, model) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < i->allowed_count && str_eq(i->allowed[low].model, model))
        return i->allowed[low].enabled;
    return !i->only_listed;
}

void snapshot_slot_put(struct snapshot_slot *slot, struct snapshot *s)
{
    snapshot_unref(atomic_exchange_explicit(&slot->waiting, snapshot_ref(s), memory_order_acq_rel));
}

struct snapshot *snapshot_slot_take(struct snapshot_slot *slot)
{
    if (!atomic_load_explicit(&slot->waiting, memory_order_relaxed))
        return NULL;
    return atomic_exchange_explicit(&slot->waiting, NULL, memory_order_acq_rel);
}
