/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_IDENTITY_H
#define CONTROL_PEOPLE_IDENTITY_H

/*
 * identity: people who sign in at a provider of their own organization, and which member that is.
 *
 * A provider's name for a person (its issuer and subject, which never change) is linked to one member, and from
 * then on only that link counts. The first time there is none; then the e-mail address decides, and only if
 * the provider says that it was verified:
 *
 *   a member with that address            is linked, unless another person of this provider is linked to them;
 *   an invitation to that address         is accepted, and the new member linked;
 *   otherwise, when the rule lets people join, and the address was never a member's who is gone: a new
 *                                         member of the rule's workspace;
 *   else                                  ERR_FORBIDDEN, with a sentence for the person.
 *
 * Who was a member and is no more stays out, whatever the rule says, until an admin makes or invites them
 * anew. With a list of domains, who has no verified address of one of them stays out every time.
 *
 * The session that begins is the same as after a password (session.h). Same rules as member.h.
 */

#include "base/secret.h"
#include "control/people/member.h"
#include "control/people/session.h"

/* What the provider said, already verified (jwt.h). */
struct identity_claim {
    struct str issuer, subject;
    struct str email; /* "" = none */
    bool email_verified;
    struct str name; /* "" = none */
};

struct identity_rule {
    const struct str *domains; /* in lower case */
    size_t domain_count;       /* 0 = any */
    struct str join_workspace; /* "" = nobody joins by themselves */
    enum kind_role join_role;  /* member or viewer */
};

enum err identity_sign_in(struct control *c, const struct identity_claim *claim, const struct identity_rule *rule,
                          struct arena *a, struct member *ret_member, struct secret *ret_token, struct session *ret,
                          struct control_why *why) ERR_USE;
struct identity {
    struct str issuer, subject;
    struct str email; /* as the provider gave it when they were linked */
    int64_t created_us, used_us;
};
#define IDENTITY_LIST_MAX 100
/* A member's links, oldest first. */
enum err identity_list(struct control *c, int64_t member_id, struct arena *a, struct identity **ret_rows,
                       size_t *ret_count, struct control_why *why) ERR_USE;
/* All links of a member; the next sign-in links by the address again. ERR_NOT_FOUND when there is none. */
enum err identity_unlink(struct control *c, int64_t member_id, struct control_why *why) ERR_USE;

#endif
