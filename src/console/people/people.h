/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PEOPLE_PEOPLE_H
#define CONSOLE_PEOPLE_PEOPLE_H

/* people: what the handlers about members, invitations and service accounts share. */

#include "console/native/input.h"
#include "control/people/member.h"

/* Whether the caller is an owner or admin of the organization. False when the job was answered. */
bool people_organizes(struct job *j);
/* A role nobody may hand out above their own; `otherwise` when it is not given. False when the job was answered. */
bool people_role(struct job *j, struct str text, enum kind_role otherwise, enum kind_role *ret);
/*
 * Whether the caller's rights in that workspace are enough to give this person that role there, or to take away the one
 * they have (KIND_ROLE_COUNT). False when the job was answered.
 */
bool people_may_set(struct job *j, int64_t workspace_id, int64_t member_id, enum kind_role role);
/* The id in a path. False when the job was answered. */
bool people_id(struct job *j, struct str text, int64_t *ret);
/* Whether cookies of this server go over TLS only. */
bool people_is_secure(const struct job *j);
void people_write_member(struct json_write *w, const struct member *m);

struct invitation;
struct secret;
/*
 * Mails the link to the invited person. False: mail is not set up, or the address is none that mail can be sent to; then
 * whoever invites passes the link on.
 */
bool people_mail_invitation(struct job *j, const struct invitation *i, const struct secret *secret);

#endif
