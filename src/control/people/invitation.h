/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_INVITATION_H
#define CONTROL_PEOPLE_INVITATION_H

/*
 * invitation: how somebody becomes a member: an address, a role, a workspace (or the organization), and
 * a link whose secret is shown once. Nothing is granted before it is accepted.
 *
 * Accepted either with the link's secret, by whoever has it (a member of that address is made if there
 * is none), or by the member with that address. Each is good for seven days, and a new one for the same
 * address and workspace takes the place of the old. Same rules as member.h.
 */

#include "base/secret.h"
#include "control/people/member.h"

#define INVITATION_PREFIX "ti-"
#define INVITATION_LASTS_US (INT64_C(7) * 24 * 3600 * 1000000)

enum invitation_state {
    INVITATION_PENDING,
    INVITATION_ACCEPTED,
    INVITATION_DECLINED,
    INVITATION_REVOKED,
    INVITATION_EXPIRED, /* pending, and its time is over */
};
const char *invitation_state_text(enum invitation_state state);

struct invitation {
    int64_t id;
    struct str public_id, email;
    enum kind_role role;
    int64_t workspace_id; /* 0 = only the organization */
    enum invitation_state state;
    int64_t invited_by; /* member; 0 = a service key */
    int64_t created_us, expires_us, answered_us;
};

struct invitation_spec {
    struct str email;
    enum kind_role role;  /* in the workspace; in the organization when there is none */
    int64_t workspace_id; /* 0 = only the organization */
};
/*
 * `ret_secret` is what the link ends in. ERR_CONFLICT when the person is in the workspace (or the
 * organization) already.
 */
enum err invitation_create(struct control *c, const struct invitation_spec *spec, struct arena *a,
                           struct invitation *ret, struct secret *ret_secret, struct control_why *why) ERR_USE;
/* Newest first. Of one workspace (0 = the organization), or `all`. */
enum err invitation_list(struct control *c, int64_t workspace_id, bool all, struct arena *a,
                         struct invitation **ret_rows, size_t *ret_count, struct control_why *why) ERR_USE;
/* Pending ones for this address. */
enum err invitation_list_for(struct control *c, struct str email, struct arena *a, struct invitation **ret_rows,
                             size_t *ret_count, struct control_why *why) ERR_USE;

/*
 * With the link's secret. `name` may be "". The member who accepted is *ret_member. `with_password`: the caller sets one
 * for them then, if they have none; ERR_FORBIDDEN when they are a member already and have none.
 */
enum err invitation_accept(struct control *c, struct str secret, struct str name, bool with_password, struct arena *a,
                           struct member *ret_member, struct control_why *why) ERR_USE;
/* By the person it is for, for that workspace. */
enum err invitation_accept_as(struct control *c, int64_t member_id, int64_t workspace_id,
                              struct control_why *why) ERR_USE;
enum err invitation_decline(struct control *c, struct str secret, struct control_why *why) ERR_USE;
enum err invitation_decline_as(struct control *c, int64_t member_id, int64_t workspace_id,
                               struct control_why *why) ERR_USE;
/* By who invited: by its public id or the address it is for. */
enum err invitation_revoke(struct control *c, int64_t workspace_id, struct str id_or_email,
                           struct control_why *why) ERR_USE;

#endif
