/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_KEY_H
#define CONTROL_CONTROL_KEY_H

/*
 * control_key: the keys that callers present. Same rules as control.h: may wait for the disk, any
 * thread, failures explained in struct control_why, results live in the caller's arena.
 *
 * A key is found by its public id, 8 characters, within its workspace. Its text is seen once, by
 * who made it, or rotated it: a rotated key has a new text, and the one before is good for a while longer.
 * Revoking is for ever; disabling is not. The last owner key that always works cannot
 * be taken away, so nobody locks themselves out.
 */

#include "control/control.h"
#include "control/scope.h"

struct control_key {
    int64_t id;
    int64_t workspace_id;
    int64_t member_id; /* whose key it is; 0 = a service key */
    struct str public_id;
    struct str name;
    char last[APIKEY_LAST + 1];
    enum kind_role role;
    enum kind_bodies record_bodies;
    bool is_admin_key; /* the one of TOLLGATE_ADMIN_KEY or DIR/admin.key */
    bool disabled;
    int64_t expires_us, revoked_us; /* 0 = never */
    int64_t created_us, updated_us;
    scope_set scopes;     /* SNAPSHOT_SCOPES_ALL: no list */
    struct str config;    /* slug of its default config; "" = the workspace's */
    bool config_fixed;    /* requests may not bring a config of their own */
    struct str metadata;  /* JSON object put over that of requests; "" = none */
    bool of_organization; /* administers, in all workspaces, and serves no requests */
    struct str description;
    struct str alert_emails;   /* with commas; "" = none */
    int64_t overlap_us;        /* how long a rotation leaves the text before; 0 = CONTROL_KEY_OVERLAP_US */
    int64_t previous_until_us; /* until when the text before the last rotation is good; 0 = there is none */
};

#define CONTROL_KEY_OVERLAP_US INT64_C(1800000000)
#define CONTROL_KEY_OVERLAP_MAX_US (INT64_C(90) * 24 * 3600 * 1000000)

struct control_key_spec {
    struct str name; /* required; 1 to 100 characters, unique among the workspace's live keys */
    enum kind_role role;
    enum kind_bodies record_bodies;
    int64_t expires_us; /* 0 = never; otherwise in the future */
    scope_set scopes;   /* 0 or SNAPSHOT_SCOPES_ALL = no list */
    struct str config;  /* slug of a config of the workspace; "" = none */
    bool config_fixed;
    struct str metadata; /* JSON object of strings; "" = none */
    /*
     * A person's key: the person must be in the workspace, and the key reaches all that they do, with the
     * weaker of both roles (people/reach.h). 0 = a service key.
     */
    int64_t member_id;
    int64_t service_account_id; /* a key of a service account of this workspace, whose role it gets; 0 = none */
    /*
     * A key that only administers. It has the role owner, and as scopes those given, or all but the ones that
     * requests need, which are refused.
     */
    bool of_organization;
    struct str description;  /* at most 500 bytes; "" = none */
    struct str alert_emails; /* at most 10, with commas; "" = none */
    int64_t overlap_us;      /* 0 = CONTROL_KEY_OVERLAP_US */
};

/* A new key; `ret_key` is its text. */
enum err control_key_create(struct control *c, int64_t workspace_id, const struct control_key_spec *spec,
                            struct arena *a, struct control_key *ret_row, struct secret *ret_key,
                            struct control_why *why) ERR_USE;

/* What to change; the others stay. */
struct control_key_change {
    const struct str *name;
    const enum kind_role *role;
    const enum kind_bodies *record_bodies;
    const int64_t *expires_us;
    const bool *disabled;
    const scope_set *scopes;
    const struct str *config; /* "" = none */
    const bool *config_fixed;
    const struct str *metadata; /* "" = none */
    const struct str *description, *alert_emails;
    const int64_t *overlap_us;
};
enum err control_key_update(struct control *c, int64_t workspace_id, struct str public_id,
                            const struct control_key_change *change, struct control_why *why) ERR_USE;
/*
 * A new text for the key, which keeps all else. The text it had is good for `overlap_us` more (negative: as
 * the key says; 0: not at all), the one before that not any longer.
 */
enum err control_key_rotate(struct control *c, int64_t workspace_id, struct str public_id, int64_t overlap_us,
                            struct secret *ret_key, int64_t *ret_until_us, struct control_why *why) ERR_USE;
/* A second time is no error. */
enum err control_key_revoke(struct control *c, int64_t workspace_id, struct str public_id,
                            struct control_why *why) ERR_USE;

enum err control_key_find(struct control *c, int64_t workspace_id, struct str public_id, struct arena *a,
                          struct control_key *ret_row, struct control_why *why) ERR_USE;
/* When a key of any kind was made, a session or a token among them; by its id. */
enum err control_key_made(struct control *c, int64_t id, int64_t *ret_us, struct control_why *why) ERR_USE;
/* Oldest first, from behind `after_id` (0 = start), at most `limit`; revoked ones included. */
enum err control_key_list(struct control *c, int64_t workspace_id, int64_t after_id, size_t limit, struct arena *a,
                          struct control_key **ret_rows, size_t *ret_count, struct control_why *why) ERR_USE;
/*
 * Keys of a person in all workspaces, or of a service account; the other id is 0. Live and revoked, oldest
 * first, at most 1000.
 */
enum err control_key_list_of(struct control *c, int64_t member_id, int64_t service_account_id, struct arena *a,
                             struct control_key **ret_rows, size_t *ret_count, struct control_why *why) ERR_USE;

#endif
