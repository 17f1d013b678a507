/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of fingerprints with open addressing. Its size is fixed: a test that makes more keys than
 * that has its further ones counted under one caller named "others".
 */
#include "sim/http/caller.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "sim/simid.h"

#define CALLERS_MAX 4096
#define SLOTS 8192

struct caller_book {
    uint64_t seed;
    bool strict;
    unsigned n;
    uint16_t slot[SLOTS]; /* index + 1 */
    struct caller all[CALLERS_MAX];
    char project[48], user[48];
};

static void name_from(char *out, size_t cap, const char *prefix, uint64_t seed, size_t letters)
{
    struct rng_seeded g = {seed};
    size_t n = strlen(prefix);
    str_copy(out, cap, str_c(prefix));
    if (n + letters + 1 > cap)
        letters = cap - n - 1;
    simid_letters(&g, out + n, letters);
    out[n + letters] = '\0';
}

struct caller_book *caller_book_new(uint64_t seed)
{
    struct caller_book *b = mem_zalloc(sizeof *b);
    b->seed = seed;
    name_from(b->project, sizeof b->project, "proj_", simid_mix(seed, 1), 24);
    name_from(b->user, sizeof b->user, "user-", simid_mix(seed, 2), 24);
    return b;
}

void caller_book_free(struct caller_book *b)
{
    mem_free(b);
}

static uint16_t *slot_of(struct caller_book *b, const uint64_t fingerprint[2])
{
    for (uint64_t i = fingerprint[0];; i++) {
        uint16_t *slot = &b->slot[i % SLOTS];
        if (!*slot || memcmp(b->all[*slot - 1].fingerprint, fingerprint, sizeof(uint64_t) * 2) == 0)
            return slot;
    }
}

static void fingerprint_of(struct str key, uint64_t out[2])
{
    out[0] = simid_hash(0x746f6c6c67617465u, key);
    out[1] = simid_hash(out[0], key);
}

static struct caller *caller_put(struct caller_book *b, struct str key, struct str project, struct str user,
                                 struct str account, struct str name, int64_t now)
{
    uint64_t fingerprint[2];
    fingerprint_of(key, fingerprint);
    uint16_t *slot = slot_of(b, fingerprint);
    if (*slot)
        return &b->all[*slot - 1];
    if (b->n == CALLERS_MAX)
        return &b->all[CALLERS_MAX - 1];
    struct caller *c = &b->all[b->n++];
    *slot = (uint16_t)b->n;
    memcpy(c->fingerprint, fingerprint, sizeof fingerprint);
    c->created = now;
    c->admin = str_starts(key, STR("sk-admin-"));
    uint64_t own = simid_mix(b->seed, fingerprint[0]);
    name_from(c->key_id, sizeof c->key_id, "key_", own, 16);
    secret_hint(key, c->hint);
    str_copy(c->project, sizeof c->project, project.n ? project : str_c(b->project));
    str_copy(c->user, sizeof c->user, user.n ? user : str_c(b->user));
    str_copy(c->account, sizeof c->account, account);
    if (b->n == CALLERS_MAX)
        name = STR("others");
    if (name.n)
        str_copy(c->name, sizeof c->name, name);
    else
        snprintf(c->name, sizeof c->name, "key %u", b->n);
    return c;
}

void caller_require(struct caller_book *b, struct str key, struct str project, struct str user, struct str name,
                    int64_t now)
{
    b->strict = true;
    caller_put(b, key, project, user, STR(""), name, now);
}

const struct caller *caller_add(struct caller_book *b, struct str key, struct str project, struct str account,
                                struct str name, int64_t now)
{
    return caller_put(b, key, project, STR(""), account, name, now);
}

const struct caller *caller_of(struct caller_book *b, struct str key, bool azure, int64_t now)
{
    uint64_t fingerprint[2];
    if (!key.n)
        return NULL;
    fingerprint_of(key, fingerprint);
    uint16_t *slot = slot_of(b, fingerprint);
    struct caller *c = NULL;
    if (*slot)
        c = &b->all[*slot - 1];
    else if (!b->strict && (azure || (key.n >= 8 && (str_starts(key, STR("sk-")) || str_starts(key, STR("ek_"))))))
        c = caller_put(b, key, STR(""), STR(""), STR(""), STR(""), now);
    if (!c || c->revoked)
        return NULL;
    c->last_used = now;
    return c;
}

static struct caller *find_id(struct caller_book *b, struct str key_id)
{
    for (unsigned i = 0; i < b->n; i++)
        if (str_eq(str_c(b->all[i].key_id), key_id))
            return &b->all[i];
    return NULL;
}

bool caller_revoke(struct caller_book *b, struct str key_id)
{
    struct caller *c = find_id(b, key_id);
    if (!c || c->revoked)
        return false;
    c->revoked = true;
    return true;
}

bool caller_rename(struct caller_book *b, struct str key_id, struct str name)
{
    struct caller *c = find_id(b, key_id);
    if (!c || c->revoked)
        return false;
    str_copy(c->name, sizeof c->name, name);
    return true;
}

const char *caller_default_project(const struct caller_book *b)
{
    return b->project;
}

const char *caller_default_user(const struct caller_book *b)
{
    return b->user;
}

const struct caller *caller_at(const struct caller_book *b, unsigned i)
{
    return i < b->n ? &b->all[i] : NULL;
}

const struct caller *caller_by_id(const struct caller_book *b, struct str key_id)
{
    for (unsigned i = 0; i < b->n; i++)
        if (str_eq(str_c(b->all[i].key_id), key_id) && !b->all[i].revoked)
            return &b->all[i];
    return NULL;
}
