/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_TEAM_H
#define CONTROL_PEOPLE_TEAM_H

/*
 * team: groups of the organization's people. A team has workspaces; who is in it has, in each of them, at least
 * the role that they have in the team. Of several teams and a membership the strongest role counts, for
 * everything that takes a role: requests, keys, reports.
 *
 * The team TEAM_EVERYONE is always there and has everybody in it, with their role in the organization; nobody
 * is put into it or taken out. It has no workspaces until it is given some, so that without one nobody gets
 * anywhere by being a person.
 *
 * Who may hand out which role is for the caller to ask. Same rules as member.h.
 */

#include "control/people/member.h"

#define TEAM_EVERYONE 1
#define TEAM_LIST_MAX 1000
#define TEAM_NAME_MAX 100
#define TEAM_DESCRIPTION_MAX 500
#define TEAM_WORKSPACES_MAX 1000

struct team {
    int64_t id;
    struct str name, description;
    struct str dashboard; /* token of a report resource; "" = none */
    int64_t *workspaces;  /* ids, ascending */
    size_t workspace_count;
    int64_t created_us, updated_us;
};

/* What to set; NULL = stays, or is empty in a new team. A new team needs a name. */
struct team_change {
    const struct str *name, *description, *dashboard;
    const int64_t *workspaces; /* all of them; those that are not there: ERR_NOT_FOUND */
    size_t workspace_count;
    const int64_t *members; /* all of them, with `role`; who is in it already keeps theirs unless `role_given` */
    size_t member_count;
    enum kind_role role;
    bool role_given;
};

enum err team_create(struct control *c, const struct team_change *what, int64_t *ret_id,
                     struct control_why *why) ERR_USE;
enum err team_update(struct control *c, int64_t id, const struct team_change *what, struct control_why *why) ERR_USE;
/* ERR_CONFLICT for everyone's. */
enum err team_delete(struct control *c, int64_t id, struct control_why *why) ERR_USE;
enum err team_find(struct control *c, int64_t id, struct arena *a, struct team *ret, struct control_why *why) ERR_USE;
/* By id. */
enum err team_list(struct control *c, struct arena *a, struct team **ret_rows, size_t *ret_count,
                   struct control_why *why) ERR_USE;

struct team_member {
    struct member member;
    enum kind_role role; /* in the team */
};
/* By member. */
enum err team_members(struct control *c, int64_t id, struct arena *a, struct team_member **ret_rows, size_t *ret_count,
                      struct control_why *why) ERR_USE;
/* Puts the person into the team, or gives them another role there. */
enum err team_join(struct control *c, int64_t id, int64_t member_id, enum kind_role role,
                   struct control_why *why) ERR_USE;
/* ERR_CONFLICT for everyone's, ERR_NOT_FOUND for who is not in it. */
enum err team_leave(struct control *c, int64_t id, int64_t member_id, struct control_why *why) ERR_USE;
/* The teams of a person, everyone's first; of 0 and of who is gone, only everyone's. */
enum err team_of(struct control *c, int64_t member_id, struct arena *a, int64_t **ret_ids, size_t *ret_count,
                 struct control_why *why) ERR_USE;
/* The strongest role that somebody has in the team; KIND_ROLE_COUNT when there is nobody. */
enum err team_strongest(struct control *c, int64_t id, enum kind_role *ret, struct control_why *why) ERR_USE;

#endif
