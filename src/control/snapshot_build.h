/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SNAPSHOT_BUILD_H
#define CONTROL_SNAPSHOT_BUILD_H

/*
 * snapshot_build: how a snapshot comes to be: begin, add everything, finish.
 *
 * Rows arrive as stored (control_load.c reads them); this renders what the data path wants ready.
 * All views are copied. Workspaces come first, then
 * configs, each in order of their ids.
 *
 * Not thread-safe; nobody else sees the snapshot before snapshot_build_end.
 */

#include <stdint.h>

#include "base/str.h"
#include "control/apikey.h"
#include "control/base_url.h"
#include "control/kind.h"
#include "control/snapshot.h"

struct limit;
struct snapshot_build;

struct snapshot_build *snapshot_build_begin(uint64_t generation, const unsigned char pepper[APIKEY_PEPPER_BYTES])
    __attribute__((returns_nonnull));
/* Gives everything up. */
void snapshot_build_cancel(struct snapshot_build *b);
/* The finished snapshot with one reference, the caller's; `b` is gone. */
struct snapshot *snapshot_build_end(struct snapshot_build *b) __attribute__((returns_nonnull));

void snapshot_build_workspace(struct snapshot_build *b, int64_t id, struct str name, struct str metadata);

/*
 * A stored config, named (config_name) with the id of a workspace that has been added, in order of
 * ids. The reference is taken over.
 */
void snapshot_build_config(struct snapshot_build *b, const struct config *config, bool is_default);
/* One that was added, or NULL. */
const struct config *snapshot_build_config_of(const struct snapshot_build *b, int64_t config_id);

/*
 * A person, in order of ids, then that person's memberships in order of workspace ids. All before the
 * first key.
 */
void snapshot_build_member(struct snapshot_build *b, int64_t id, struct str name, enum kind_role role);
void snapshot_build_reach(struct snapshot_build *b, int64_t workspace_id, enum kind_role role);

/*
 * In order of ids. A key whose member is not there is revoked; one whose member has left its workspace
 * moves to the first one left to them. Twice for a key with two texts. `key->workspace` is found by workspace_id,
 * which must have been added; `key->default_config` comes from snapshot_build_config_of.
 */
void snapshot_build_key(struct snapshot_build *b, const struct snapshot_key *key);

/* The reference to its config is taken over; names are copied. */
void snapshot_build_model(struct snapshot_build *b, const struct snapshot_model *model);

/* In order of ids; *ret_sound as ruleset_add has it. Then the resets of its groups. */
void snapshot_build_limit(struct snapshot_build *b, const struct limit *limit, bool *ret_sound);
void snapshot_build_limit_reset(struct snapshot_build *b, struct str group_text, int64_t counted_from_us);

/* Which models an account serves; by account id, then by model (as bytes), and all before the first integration. */
void snapshot_build_allowed(struct snapshot_build *b, int64_t account_id, struct str model, bool enabled);

struct snapshot_build_integration {
    int64_t id;
    int64_t account_id; /* 0 = its own id */
    int64_t workspace_id;
    struct str slug;
    enum kind_integration kind;
    bool is_default;
    bool broken;
    bool hidden, only_listed;
    int64_t expires_us;
    struct base_url url;
    struct str organization, project; /* "" = no header */
    struct str api_key;               /* "" = no credential header */
    struct str api_version;
    const struct snapshot_deployment *deployments;
    size_t deployment_count;
};
void snapshot_build_integration(struct snapshot_build *b, const struct snapshot_build_integration *in);

#endif
