/* SPDX-License-Identifier: Apache-2.0 */
/* Which workspaces a key reaches. Memberships stand in order of workspace ids, keys in order of theirs. */
#include "control/people/reach.h"

#include "control/snapshot_layout.h"

static enum kind_role weaker(enum kind_role a, enum kind_role b)
{
    return a > b ? a : b;
}

/* The first membership of this workspace or of one behind it. */
static size_t membership_from(const struct snapshot_member *m, int64_t workspace_id)
{
    size_t low = 0, high = m->reach_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->reach[middle].workspace->id < workspace_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool reach_workspace(const struct snapshot *s, const struct snapshot_key *key, int64_t workspace_id, struct reach *ret)
{
    const struct snapshot_member *m = key->member;
    if (workspace_id == key->workspace_id) {
        *ret = (struct reach){key->workspace, key->role};
        return true;
    }
    if (!m)
        return false;
    if (m->role <= KIND_ROLE_ADMIN) {
        *ret = (struct reach){snapshot_workspace_of(s, workspace_id), weaker(key->granted, m->role)};
        return ret->workspace != NULL;
    }
    size_t at = membership_from(m, workspace_id);
    if (at == m->reach_count || m->reach[at].workspace->id != workspace_id)
        return false;
    *ret = (struct reach){m->reach[at].workspace, weaker(key->granted, m->reach[at].role)};
    return true;
}

bool reach_at(const struct snapshot *s, const struct snapshot_key *key, size_t n, struct reach *ret)
{
    const struct snapshot_member *m = key->member;
    if (!m && n == 0)
        *ret = (struct reach){key->workspace, key->role};
    else if (m && m->role <= KIND_ROLE_ADMIN && n < s->workspace_count)
        *ret = (struct reach){s->workspaces[n], weaker(key->granted, m->role)};
    else if (m && m->role > KIND_ROLE_ADMIN && n < m->reach_count)
        *ret = (struct reach){m->reach[n].workspace, weaker(key->granted, m->reach[n].role)};
    else
        return false;
    return true;
}

bool reach_as(const struct snapshot *s, const struct snapshot_key *key, int64_t workspace_id, struct snapshot_key *ret)
{
    struct reach there;
    if (!reach_workspace(s, key, workspace_id, &there))
        return false;
    *ret = *key;
    ret->workspace = there.workspace;
    ret->workspace_id = workspace_id;
    ret->role = there.role;
    if (workspace_id != key->workspace_id)
        ret->default_config = NULL;
    return true;
}

bool reach_organizes(const struct snapshot_key *key, enum kind_role least)
{
    return key->member ? key->member->role <= least && key->granted <= least : key->role == KIND_ROLE_OWNER;
}

bool reach_is_above(const struct snapshot_key *key, enum kind_role role, bool of_person)
{
    return role < key->role || (role == KIND_ROLE_OWNER && !of_person && !reach_organizes(key, KIND_ROLE_OWNER));
}

const struct snapshot_key *reach_key(const struct snapshot *s, int64_t key_id)
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
