/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_PEOPLE_INNER_H
#define CONTROL_PEOPLE_PEOPLE_INNER_H

/* people_inner: what the files of this folder share. All inside an open change or read. */

#include "control/control_inner.h"
#include "control/people/actor.h"
#include "control/people/audit.h"
#include "control/people/member.h"

struct buf;
struct session;

/* Lower case and checked: one '@', something on both sides, visible ASCII. In the arena. */
enum err people_inner_email(struct str email, struct arena *a, struct str *ret, struct control_why *why) ERR_USE;
/* Whether a person may be called so. */
enum err people_inner_name(struct str name, struct control_why *why) ERR_USE;
/* ERR_NOT_FOUND. */
enum err people_inner_find(struct control *c, int64_t id, struct arena *a, struct member *ret,
                           struct control_why *why) ERR_USE;
/* *ret_id 0 when nobody has the address; it is in lower case. */
enum err people_inner_id_of(struct control *c, struct str email, int64_t *ret_id, struct control_why *why) ERR_USE;
/* A new row; `spec` is checked. */
enum err people_inner_insert(struct control *c, const struct member_spec *spec, int64_t *ret_id,
                             struct control_why *why) ERR_USE;
/* The membership and its line in the audit log. */
enum err people_inner_join(struct control *c, int64_t workspace_id, const struct member *m, enum kind_role role,
                           struct control_why *why) ERR_USE;
/*
 * Whether a key of this workspace may be this person's, or this service account's, which gives *role its
 * own; 0 = nobody's.
 */
enum err people_inner_holder(struct control *c, int64_t workspace_id, int64_t member_id, int64_t service_account_id,
                             enum kind_role *role, struct control_why *why) ERR_USE;
/* The workspace in which somebody's sign-in stands: the first one of the person, else the first of all. */
enum err people_inner_home(struct control *c, int64_t member_id, int64_t *ret_id, struct control_why *why) ERR_USE;
/* A session of that person, and its line in the audit log. */
enum err people_inner_open_session(struct control *c, const struct member *m, struct secret *ret_token,
                                   struct session *ret, struct control_why *why) ERR_USE;
/*
 * Accepts all that this address is invited to, in its name: only for who was shown to have the address. *ret_id
 * is the member; 0 when there is no invitation. `email` is in lower case, `name` is checked.
 */
enum err people_inner_accept_all(struct control *c, struct str email, struct str name, struct arena *a, int64_t *ret_id,
                                 struct control_why *why) ERR_USE;
/* Tokens (token.h) that stand for the key of this id; appended. ERR_OVERLOADED when they do not fit. */
enum err people_inner_tokens(struct control *c, struct str subject, int64_t key_id, struct buf *ret_access,
                             struct buf *ret_refresh) ERR_USE;
/* One statement with one or two numbers bound. */
enum err people_inner_run(struct control *c, const char *sql, int64_t first, int64_t second,
                          struct control_why *why) ERR_USE;

#endif
