/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SNAPSHOT_LAYOUT_H
#define CONTROL_SNAPSHOT_LAYOUT_H

/*
 * snapshot_layout: the inside of a snapshot, for snapshot.c, snapshot_build.c and people/reach.c only.
 *
 * Keys stand in one array, found through a table of slots by the first eight bytes of their hash,
 * which are as good as random and secret from outsiders (the hash is keyed). Workspaces and
 * integrations are few; each has an index by id and one by name. All tables are at most half full,
 * so a probe ends soon.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "control/people/reach.h"
#include "control/people/token.h"
#include "control/snapshot.h"

#define SNAPSHOT_MAGIC 0x736e6170u

struct snapshot_key_slot {
    uint64_t tag;
    uint32_t place; /* in `keys`, plus one; 0 = empty */
};

struct snapshot_index {
    uint32_t *slots; /* place plus one; 0 = empty */
    uint32_t mask;
};

struct snapshot {
    unsigned magic;
    atomic_uint refs;
    uint64_t generation;
    unsigned char pepper[APIKEY_PEPPER_BYTES];
    unsigned char token_key[TOKEN_KEY_BYTES];
    struct arena *arena; /* names and small objects; nothing secret */

    struct snapshot_key *keys;
    size_t key_count;
    struct snapshot_key_slot *key_slots;
    size_t key_mask;

    struct snapshot_member *members; /* in order of ids */
    size_t member_count;
    struct reach *reaches; /* of all members, one after the other */
    size_t reach_count;

    struct snapshot_workspace **workspaces; /* the objects are in the arena */
    size_t workspace_count;
    struct snapshot_index workspaces_by_id, workspaces_by_name;

    struct snapshot_allowed *allowed; /* by account, then by model */
    size_t allowed_count;
    struct snapshot_integration **integrations;
    size_t integration_count;
    struct snapshot_index integrations_by_id, integrations_by_slug;

    const struct config **configs; /* a reference each */
    size_t config_count;
    struct snapshot_index configs_by_slug;

    struct ruleset *limits; /* owned */

    struct snapshot_model *models; /* with a reference to a config each */
    size_t model_count;
    struct snapshot_index models_by_name;
};

uint64_t snapshot_layout_tag(const unsigned char hash[APIKEY_HASH_BYTES]);
uint64_t snapshot_layout_hash_id(int64_t id);
uint64_t snapshot_layout_hash_slug(int64_t workspace_id, struct str slug);

#endif
