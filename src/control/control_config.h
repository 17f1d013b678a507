/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_CONFIG_H
#define CONTROL_CONTROL_CONFIG_H

/*
 * control_config: stored routing configs. Same rules as control.h: may wait for the disk, any thread,
 * failures explained in struct control_why, results live in the caller's arena.
 *
 * A config is found by its slug, "pc-" and twelve random characters, within its workspace. Its texts are
 * versions that never change: an update with a text adds one, which is in force from then on. A text
 * is checked and compiled before it is stored (config/config.h), sealed at rest like a provider's key,
 * since it may hold some, and given back with its secrets masked. A text with such a mask in place of
 * a secret is refused, so that what was shown is not stored over what was meant.
 *
 * One config of a workspace may be its default: it holds for requests that bring none and whose key
 * has none. A config that is somebody's default cannot be deleted; who uses it is named.
 */

#include "control/control.h"

#define CONTROL_CONFIG_MAX 1000            /* live ones of a workspace */
#define CONTROL_CONFIG_VERSIONS_MAX 100000 /* of one config */
#define CONTROL_CONFIG_NAME_MAX 100        /* bytes */

struct control_config {
    int64_t id;
    int64_t workspace_id;
    struct str slug, name;
    uint32_t version; /* in force */
    bool is_default;
    struct str made_by; /* public id of the key that made this version; "" = not known */
    int64_t created_us, updated_us;
    struct str text; /* masked; "" in lists, and when it cannot be read any more */
};

/* A new or changed config. A NULL pointer (p == NULL) means "not given". */
struct control_config_spec {
    struct str name; /* required for a new one */
    struct str text; /* required for a new one; JSON, at most CONFIG_TEXT_MAX */
    const bool *is_default;
    int64_t made_by; /* id of the key that asks; 0 = not known */
};

enum err control_config_create(struct control *c, int64_t workspace_id, const struct control_config_spec *spec,
                               struct arena *a, struct control_config *ret_row, struct control_why *why) ERR_USE;
enum err control_config_update(struct control *c, int64_t workspace_id, struct str slug,
                               const struct control_config_spec *spec, struct arena *a, struct control_config *ret_row,
                               struct control_why *why) ERR_USE;
/* ERR_IN_USE names who has it as default. The texts are destroyed, the rows stay for old records. */
enum err control_config_delete(struct control *c, int64_t workspace_id, struct str slug,
                               struct control_why *why) ERR_USE;

/* With its text. */
enum err control_config_find(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                             struct control_config *ret_row, struct control_why *why) ERR_USE;
/* Oldest first. */
enum err control_config_list(struct control *c, int64_t workspace_id, struct arena *a, struct control_config **ret_rows,
                             size_t *ret_count, struct control_why *why) ERR_USE;

struct control_config_version {
    uint32_t number;
    struct str text; /* masked; "" when it cannot be read any more */
    struct str made_by;
    int64_t created_us;
};
/* Newest first, from behind `skip`, at most `limit`; *ret_total is how many there are. */
enum err control_config_versions(struct control *c, int64_t workspace_id, struct str slug, uint64_t skip, size_t limit,
                                 struct arena *a, struct control_config_version **ret_rows, size_t *ret_count,
                                 uint64_t *ret_total, struct control_why *why) ERR_USE;

#endif
