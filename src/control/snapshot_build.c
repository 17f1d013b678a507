/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling a snapshot. While it grows, arrays double; at the end the tables are made once, when the
 * counts are known. Ten thousand keys take a few milliseconds, most of it the caller's reading.
 */
#include "control/snapshot_build.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/config/config.h"
#include "control/limit/ruleset.h"
#include "control/snapshot_layout.h"

#define ARENA_MAX ((size_t)1 << 30) /* names of about ten million keys */
#define HEAD_LINES_MAX 16384

struct snapshot_build {
    struct snapshot *s;
    size_t key_cap, workspace_cap, integration_cap, allowed_cap, config_cap, model_cap, member_cap, reach_cap;
};

struct snapshot_build *snapshot_build_begin(uint64_t generation, const unsigned char pepper[APIKEY_PEPPER_BYTES])
{
    struct snapshot_build *b = mem_zalloc(sizeof *b);
    struct snapshot *s = mem_zalloc(sizeof *s);
    s->magic = SNAPSHOT_MAGIC;
    atomic_init(&s->refs, 1);
    s->generation = generation;
    memcpy(s->pepper, pepper, sizeof s->pepper);
    token_key(pepper, s->token_key);
    s->arena = arena_new(16384, ARENA_MAX);
    s->limits = ruleset_new();
    b->s = s;
    return b;
}

void snapshot_build_cancel(struct snapshot_build *b)
{
    snapshot_unref(b->s);
    mem_free(b);
}

static void *zalloc(struct snapshot_build *b, size_t size)
{
    void *p = arena_alloc(b->s->arena, size);
    must(p != NULL);
    return p;
}

static struct str dup(struct snapshot_build *b, struct str text)
{
    struct str copy = arena_dup(b->s->arena, text);
    must(copy.p != NULL);
    return copy;
}

/* Room for one more of `size` bytes. */
static void *grow(void *p, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return p;
    *cap = *cap ? *cap * 2 : 16;
    must(*cap < UINT32_MAX / 4);
    return mem_realloc(p, *cap * size);
}

void snapshot_build_workspace(struct snapshot_build *b, int64_t id, struct str name, struct str metadata)
{
    struct snapshot *s = b->s;
    struct snapshot_workspace *w = zalloc(b, sizeof *w);
    must(s->workspace_count == 0 || s->workspaces[s->workspace_count - 1]->id < id);
    w->id = id;
    w->name = dup(b, name);
    w->metadata = dup(b, metadata);
    s->workspaces = grow(s->workspaces, s->workspace_count, &b->workspace_cap, sizeof(void *));
    s->workspaces[s->workspace_count++] = w;
}

/* Binary search: workspaces stand in order of their ids. */
static struct snapshot_workspace *workspace_of(struct snapshot_build *b, int64_t id)
{
    struct snapshot *s = b->s;
    size_t low = 0, high = s->workspace_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->workspaces[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    must(low < s->workspace_count);
    must(s->workspaces[low]->id == id);
    return s->workspaces[low];
}

void snapshot_build_config(struct snapshot_build *b, const struct config *config, bool is_default)
{
    struct snapshot *s = b->s;
    struct snapshot_workspace *w = workspace_of(b, config->workspace_id);
    must(s->config_count == 0 || s->configs[s->config_count - 1]->id < config->id);
    s->configs = grow(s->configs, s->config_count, &b->config_cap, sizeof(void *));
    s->configs[s->config_count++] = config;
    if (is_default) {
        must(w->default_config == NULL);
        w->default_config = config;
    }
}

const struct config *snapshot_build_config_of(const struct snapshot_build *b, int64_t config_id)
{
    const struct snapshot *s = b->s;
    size_t low = 0, high = s->config_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->configs[middle]->id < config_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->config_count && s->configs[low]->id == config_id ? s->configs[low] : NULL;
}

void snapshot_build_model(struct snapshot_build *b, const struct snapshot_model *model)
{
    struct snapshot *s = b->s;
    s->models = grow(s->models, s->model_count, &b->model_cap, sizeof *s->models);
    struct snapshot_model *m = &s->models[s->model_count++];
    *m = *model;
    m->name = dup(b, model->name);
    m->model = dup(b, model->model);
}

void snapshot_build_member(struct snapshot_build *b, int64_t id, struct str name, enum kind_role role)
{
    struct snapshot *s = b->s;
    must(s->key_count == 0);
    must(s->member_count == 0 || s->members[s->member_count - 1].id < id);
    s->members = grow(s->members, s->member_count, &b->member_cap, sizeof *s->members);
    s->members[s->member_count++] = (struct snapshot_member){.id = id, .name = dup(b, name), .role = role};
}

void snapshot_build_reach(struct snapshot_build *b, int64_t workspace_id, enum kind_role role)
{
    struct snapshot *s = b->s;
    must(s->member_count > 0);
    s->reaches = grow(s->reaches, s->reach_count, &b->reach_cap, sizeof *s->reaches);
    s->reaches[s->reach_count++] = (struct reach){workspace_of(b, workspace_id), role};
    s->members[s->member_count - 1].reach_count++;
}

/* Now that the arrays do not move any more. */
static void place_reaches(struct snapshot *s)
{
    size_t from = 0;
    for (size_t i = 0; i < s->member_count; i++) {
        s->members[i].reach = s->reaches ? s->reaches + from : NULL;
        from += s->members[i].reach_count;
    }
    must(from == s->reach_count);
}

static const struct snapshot_member *member_of(const struct snapshot *s, int64_t id)
{
    size_t low = 0, high = s->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->members[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->member_count && s->members[low].id == id ? &s->members[low] : NULL;
}

/* What a person's key may, and where, follows from what the person may. */
static void settle_in(struct snapshot_build *b, struct snapshot_key *k)
{
    const struct snapshot *s = b->s;
    struct reach home;
    int64_t wanted = k->workspace_id;
    enum snapshot_key_state at_most = k->state == SNAPSHOT_KEY_REVOKED ? k->state : SNAPSHOT_KEY_DISABLED;
    k->member = member_of(s, k->member_id);
    if (!k->member) {
        k->state = SNAPSHOT_KEY_REVOKED;
        return;
    }
    if (k->member->role <= KIND_ROLE_ADMIN) {
        k->role = k->granted > k->member->role ? k->granted : k->member->role;
        return;
    }
    k->workspace_id = 0; /* so that it is looked up */
    bool in = reach_workspace(s, k, wanted, &home);
    bool moved = !in && reach_at(s, k, 0, &home);
    k->workspace_id = in || moved ? home.workspace->id : wanted;
    if (in || moved)
        k->role = home.role;
    if ((!in && !moved) || (moved && k->default_config))
        k->state = at_most; /* without its config its requests would go another way */
}

void snapshot_build_key(struct snapshot_build *b, const struct snapshot_key *key)
{
    struct snapshot *s = b->s;
    s->keys = grow(s->keys, s->key_count, &b->key_cap, sizeof *s->keys);
    struct snapshot_key *k = &s->keys[s->key_count++];
    if (s->key_count == 1)
        place_reaches(s);
    must(s->key_count == 1 || k[-1].id <= key->id);
    *k = *key;
    k->granted = key->role;
    k->workspace = workspace_of(b, key->workspace_id);
    if (k->member_id != 0) {
        settle_in(b, k);
        k->workspace = workspace_of(b, k->workspace_id);
    }
    k->public_id = dup(b, key->public_id);
    k->name = dup(b, key->name);
    k->metadata = dup(b, key->metadata);
}

void snapshot_build_limit(struct snapshot_build *b, const struct limit *limit, bool *ret_sound)
{
    ruleset_add(b->s->limits, limit, ret_sound);
}

void snapshot_build_limit_reset(struct snapshot_build *b, struct str group_text, int64_t counted_from_us)
{
    ruleset_add_reset(b->s->limits, group_text, counted_from_us);
}

static void add_line(struct buf *lines, struct str name, struct str value)
{
    if (value.n == 0)
        return;
    bool fits = buf_add_str(lines, name) && buf_add_str(lines, value) && buf_add_str(lines, STR("\r\n"));
    must(fits);
}

/* One allocation from the start, so that growing leaves no copy behind. */
static void render_head_lines(const struct snapshot_build_integration *in, struct secret *ret_lines)
{
    struct buf lines;
    buf_init(&lines, HEAD_LINES_MAX);
    char *room = buf_reserve(&lines, HEAD_LINES_MAX);
    must(room != NULL);
    bool azure = in->kind == KIND_INTEGRATION_AZURE_OPENAI;
    add_line(&lines, azure ? STR("api-key: ") : STR("Authorization: Bearer "), in->api_key);
    add_line(&lines, STR("OpenAI-Organization: "), in->organization);
    add_line(&lines, STR("OpenAI-Project: "), in->project);
    secret_set(ret_lines, buf_str(&lines));
    mem_wipe(lines.p, buf_size(&lines));
    buf_free(&lines);
}

void snapshot_build_allowed(struct snapshot_build *b, int64_t account_id, struct str model, bool enabled)
{
    struct snapshot *s = b->s;
    const struct snapshot_allowed *last = s->allowed_count ? &s->allowed[s->allowed_count - 1] : NULL;
    must(s->integration_count == 0);
    must(!last || last->account_id < account_id || (last->account_id == account_id && str_cmp(last->model, model) < 0));
    s->allowed = grow(s->allowed, s->allowed_count, &b->allowed_cap, sizeof *s->allowed);
    s->allowed[s->allowed_count++] = (struct snapshot_allowed){account_id, dup(b, model), enabled};
}

/* The first entry of this account or of one behind it. */
static size_t allowed_from(const struct snapshot *s, int64_t account_id)
{
    size_t low = 0, high = s->allowed_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->allowed[middle].account_id < account_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void snapshot_build_integration(struct snapshot_build *b, const struct snapshot_build_integration *in)
{
    struct snapshot *s = b->s;
    struct snapshot_workspace *w = workspace_of(b, in->workspace_id);
    struct snapshot_integration *i = zalloc(b, sizeof *i);
    struct snapshot_deployment *deployments = zalloc(b, (in->deployment_count + 1) * sizeof *deployments);
    for (size_t n = 0; n < in->deployment_count; n++) {
        const struct snapshot_deployment *from = &in->deployments[n];
        deployments[n] = (struct snapshot_deployment){dup(b, from->alias), dup(b, from->deployment),
                                                      dup(b, from->model), dup(b, from->api_version), from->is_default};
    }
    int64_t account_id = in->account_id ? in->account_id : in->id;
    size_t first = allowed_from(s, account_id);
    *i = (struct snapshot_integration){
        .id = in->id,
        .account_id = account_id,
        .expires_us = in->expires_us,
        .hidden = in->hidden,
        .only_listed = in->only_listed,
        .allowed = s->allowed ? s->allowed + first : NULL,
        .allowed_count = allowed_from(s, account_id + 1) - first,
        .workspace = w,
        .slug = dup(b, in->slug),
        .kind = in->kind,
        .is_default = in->is_default,
        .broken = in->broken,
        .tls = in->url.tls,
        .port = in->url.port,
        .host = dup(b, str_c(in->url.host)),
        .authority = dup(b, str_c(in->url.authority)),
        .base_path = dup(b, str_c(in->url.path)),
        .api_version = dup(b, in->api_version),
        .deployments = deployments,
        .deployment_count = in->deployment_count,
    };
    render_head_lines(in, &i->head_lines);
    if (in->is_default) {
        must(w->default_integration == NULL);
        w->default_integration = i;
    }
    s->integrations = grow(s->integrations, s->integration_count, &b->integration_cap, sizeof(void *));
    s->integrations[s->integration_count++] = i;
}

/* A power of two, at least twice the count. */
static size_t table_size(size_t count)
{
    size_t size = 8;
    while (size < count * 2)
        size *= 2;
    return size;
}

static void index_begin(struct snapshot_index *x, size_t count)
{
    size_t size = table_size(count);
    x->slots = mem_zalloc(size * sizeof *x->slots);
    x->mask = (uint32_t)(size - 1);
}

static void index_put(struct snapshot_index *x, uint64_t hash, size_t place)
{
    uint64_t at = hash & x->mask;
    while (x->slots[at] != 0)
        at = (at + 1) & x->mask;
    x->slots[at] = (uint32_t)place + 1;
}

static void index_keys(struct snapshot *s)
{
    size_t size = table_size(s->key_count);
    s->key_slots = mem_zalloc(size * sizeof *s->key_slots);
    s->key_mask = size - 1;
    for (size_t i = 0; i < s->key_count; i++) {
        uint64_t tag = snapshot_layout_tag(s->keys[i].hash);
        size_t at = tag & s->key_mask;
        while (s->key_slots[at].place != 0)
            at = (at + 1) & s->key_mask;
        s->key_slots[at] = (struct snapshot_key_slot){tag, (uint32_t)i + 1};
    }
}

struct snapshot *snapshot_build_end(struct snapshot_build *b)
{
    struct snapshot *s = b->s;
    mem_free(b);
    ruleset_seal(s->limits);
    index_keys(s);
    index_begin(&s->workspaces_by_id, s->workspace_count);
    index_begin(&s->workspaces_by_name, s->workspace_count);
    for (size_t n = 0; n < s->workspace_count; n++) {
        index_put(&s->workspaces_by_id, snapshot_layout_hash_id(s->workspaces[n]->id), n);
        index_put(&s->workspaces_by_name, str_hash(s->workspaces[n]->name), n);
    }
    index_begin(&s->integrations_by_id, s->integration_count);
    index_begin(&s->integrations_by_slug, s->integration_count);
    for (size_t n = 0; n < s->integration_count; n++) {
        const struct snapshot_integration *i = s->integrations[n];
        index_put(&s->integrations_by_id, snapshot_layout_hash_id(i->id), n);
        if (!i->hidden)
            index_put(&s->integrations_by_slug, snapshot_layout_hash_slug(i->workspace->id, i->slug), n);
    }
    index_begin(&s->configs_by_slug, s->config_count);
    for (size_t n = 0; n < s->config_count; n++)
        index_put(&s->configs_by_slug, snapshot_layout_hash_slug(s->configs[n]->workspace_id, s->configs[n]->slug), n);
    index_begin(&s->models_by_name, s->model_count);
    for (size_t n = 0; n < s->model_count; n++)
        index_put(&s->models_by_name, snapshot_layout_hash_slug(s->models[n].workspace_id, s->models[n].name), n);
    return s;
}
