/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_MEMBER_H
#define CONTROL_PEOPLE_MEMBER_H

/*
 * member: the organization's people, and what they are in which workspace.
 *
 * A member has a role in the organization and may have one in each workspace (a membership). Owners
 * and admins of the organization have their role in every workspace; members and viewers of it are in
 * those workspaces only where they have a membership, with its role. A key of a person reaches what
 * the person reaches, with the weaker of its own role and the person's there (snapshot.h).
 *
 * Nobody locks themselves out: the last owner of the organization stays one, and so does the last
 * admin of a workspace that has admins of its own (ERR_LAST_OWNER).
 *
 * Same rules as control.h: may wait for the disk, any thread, results live in the caller's arena, all
 * changes are in the audit log. E-mail addresses are compared and kept in lower case.
 */

#include "control/control.h"

#define MEMBER_NAME_MAX 100
#define MEMBER_EMAIL_MAX 254
#define MEMBER_LIST_MAX 10000
#define MEMBERSHIP_LIST_MAX 5000

struct member {
    int64_t id;
    struct str name, email; /* an email may be "": the owner of the first start */
    enum kind_role role;    /* in the organization */
    bool has_password;
    int64_t created_us;
};

struct member_spec {
    struct str name;  /* "" = the address */
    struct str email; /* required */
    enum kind_role role;
};

enum err member_create(struct control *c, const struct member_spec *spec, struct arena *a, struct member *ret,
                       struct control_why *why) ERR_USE;
enum err member_find(struct control *c, int64_t id, struct arena *a, struct member *ret,
                     struct control_why *why) ERR_USE;
enum err member_find_email(struct control *c, struct str email, struct arena *a, struct member *ret,
                           struct control_why *why) ERR_USE;
/* By id. */
enum err member_list(struct control *c, struct arena *a, struct member **ret_rows, size_t *ret_count,
                     struct control_why *why) ERR_USE;

struct member_change {
    const struct str *name, *email;
    const enum kind_role *role;
};
enum err member_update(struct control *c, int64_t id, const struct member_change *change,
                       struct control_why *why) ERR_USE;
/* From the organization: memberships go, and keys and sessions of the person are revoked. */
enum err member_delete(struct control *c, int64_t id, struct control_why *why) ERR_USE;

/* ---- memberships ---- */

struct membership {
    struct member member;
    int64_t workspace_id;
    enum kind_role role; /* in the workspace */
    int64_t created_us;
};

/* Of a workspace, by member. Owners and admins of the organization are not in it unless they have one. */
enum err membership_list(struct control *c, int64_t workspace_id, struct arena *a, struct membership **ret_rows,
                         size_t *ret_count, struct control_why *why) ERR_USE;
/* The workspaces of one person. */
enum err membership_of(struct control *c, int64_t member_id, struct arena *a, struct membership **ret_rows,
                       size_t *ret_count, struct control_why *why) ERR_USE;
/* Puts the person into the workspace, or gives them another role there. */
enum err membership_set(struct control *c, int64_t workspace_id, int64_t member_id, enum kind_role role,
                        struct control_why *why) ERR_USE;
/* Also for leaving. */
enum err membership_remove(struct control *c, int64_t workspace_id, int64_t member_id, struct control_why *why) ERR_USE;

#endif
