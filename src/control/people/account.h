/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_ACCOUNT_H
#define CONTROL_PEOPLE_ACCOUNT_H

/*
 * account: service accounts: programs that act in exactly one workspace, with a role there (admin, member
 * or viewer), known by a client id and a secret that is shown once. They have keys of their own
 * (control_key.h, service_account_id) and trade their secret for short-lived tokens (token.h).
 *
 * A token names the account's row in api_key, so that deleting the account ends keys and tokens alike
 * with the next snapshot. Same rules as member.h.
 */

#include "base/buf.h"
#include "base/secret.h"
#include "control/control.h"

#define ACCOUNT_LIST_MAX 1000
#define ACCOUNT_DESCRIPTION_MAX 500

struct account {
    int64_t id;
    int64_t workspace_id;
    struct str client_id, name, description;
    char last[APIKEY_LAST + 1]; /* of the secret */
    enum kind_role role;
    int64_t created_us, updated_us;
};

struct account_spec {
    struct str name; /* required */
    struct str description;
    enum kind_role role; /* not owner */
};
enum err account_create(struct control *c, int64_t workspace_id, const struct account_spec *spec, struct arena *a,
                        struct account *ret, struct secret *ret_secret, struct control_why *why) ERR_USE;
enum err account_find(struct control *c, int64_t workspace_id, struct str client_id, struct arena *a,
                      struct account *ret, struct control_why *why) ERR_USE;
enum err account_list(struct control *c, int64_t workspace_id, struct arena *a, struct account **ret_rows,
                      size_t *ret_count, struct control_why *why) ERR_USE;
/* What to change; NULL = stays. Its keys get the account's new role. */
struct account_change {
    const struct str *name, *description;
    const enum kind_role *role;
};
enum err account_update(struct control *c, int64_t workspace_id, struct str client_id,
                        const struct account_change *change, struct arena *a, struct account *ret,
                        struct control_why *why) ERR_USE;
/* A new secret; the old one and tokens made with it are good until they expire. */
enum err account_rotate(struct control *c, int64_t workspace_id, struct str client_id, struct secret *ret_secret,
                        struct control_why *why) ERR_USE;
/* All its credentials end. */
enum err account_delete(struct control *c, int64_t workspace_id, struct str client_id, struct control_why *why) ERR_USE;

/*
 * Tokens for a client id and its secret, or for a refresh token of before, also a person's (grant.h).
 * ERR_KEY_INVALID says no more than that; the same time is spent on an unknown client. Appends.
 */
enum err account_tokens(struct control *c, struct str client_id, struct str secret, struct buf *ret_access,
                        struct buf *ret_refresh, struct control_why *why) ERR_USE;
enum err account_refresh(struct control *c, struct str refresh, struct buf *ret_access, struct buf *ret_refresh,
                         struct control_why *why) ERR_USE;

#endif
