/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_REACH_H
#define CONTROL_PEOPLE_REACH_H

/*
 * reach: the workspaces in which a key counts for something, and for what.
 *
 * A service key reaches the one workspace it belongs to. A person's key reaches what the person does: owners
 * and admins of the organization every workspace, others those of which they are a member; with the
 * weaker of the key's role and the person's there. The key's own workspace costs no look-up.
 *
 * Answers come from a snapshot: no store, no lock, good while the reference is held.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/snapshot.h"

struct reach {
    const struct snapshot_workspace *workspace;
    enum kind_role role;
};

/* False when the key has no business in that workspace, or there is none of that id. */
bool reach_workspace(const struct snapshot *s, const struct snapshot_key *key, int64_t workspace_id, struct reach *ret);
/* The n-th workspace that the key reaches, from 0, in order of ids; false behind the last. */
bool reach_at(const struct snapshot *s, const struct snapshot_key *key, size_t n, struct reach *ret);

/*
 * The key as it is in that workspace: a copy with workspace and role of there, without the default config
 * of its own. False when it has no business there.
 */
bool reach_as(const struct snapshot *s, const struct snapshot_key *key, int64_t workspace_id, struct snapshot_key *ret);

/*
 * Whether the key may do what concerns the whole organization and takes `least` there: whoever is an owner of
 * one workspace is nothing yet in the organization. Of service keys only owners' count.
 */
bool reach_organizes(const struct snapshot_key *key, enum kind_role least);

/*
 * Whether a key of that role is beyond what the caller may make or change. An owner's key that is nobody's in particular is
 * the organization's, so whoever owns only a workspace does not deal with it; a person's is never more than the person.
 */
bool reach_is_above(const struct snapshot_key *key, enum kind_role role, bool of_person);

/* The active or inactive key of this id; NULL when there is none. */
const struct snapshot_key *reach_key(const struct snapshot *s, int64_t key_id);

#endif
