/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_SESSION_H
#define CONTROL_PEOPLE_SESSION_H

/*
 * session: people who sign in with address and password. A session is a random token that is presented
 * like a key, stored as a keyed hash in a row of its own beside the keys, and reaches what its person does.
 *
 * It ends when it was not used for SESSION_IDLE_US, at the latest SESSION_LASTS_US after the sign-in, and by
 * signing out. Setting a password ends all sessions of that person. Signing in elsewhere makes the same
 * sessions: identity.h. A program that a person let in (grant.h) is signed out by the same calls.
 *
 * Guessing is slowed down: after SESSION_ACCOUNT_TRIES wrong passwords for one address, or
 * SESSION_PEER_TRIES from one peer, within a quarter of an hour, no more are tried until it is over
 * (ERR_RATE_LIMITED). Whether an address is somebody's is told neither by the answer nor by its time.
 */

#include "base/secret.h"
#include "control/people/member.h"

#define SESSION_PREFIX "tu-"
#define SESSION_IDLE_US (INT64_C(12) * 3600 * 1000000)
#define SESSION_LASTS_US (INT64_C(7) * 24 * 3600 * 1000000)
#define SESSION_ACCOUNT_TRIES 10
#define SESSION_PEER_TRIES 50
#define SESSION_TRIES_US (INT64_C(15) * 60 * 1000000)

struct session {
    int64_t key_id; /* of its row */
    int64_t expires_us;
    int64_t until_us; /* the latest that `expires_us` can become */
};

/* Blocks for a good tenth of a second. ERR_KEY_INVALID, ERR_RATE_LIMITED. `peer` is the address of the caller. */
enum err session_sign_in(struct control *c, struct str email, struct str password, struct str peer, struct arena *a,
                         struct member *ret_member, struct secret *ret_token, struct session *ret,
                         struct control_why *why) ERR_USE;
/* After a use: moves the end on, now and then. */
enum err session_touch(struct control *c, int64_t key_id, int64_t expires_us, struct control_why *why) ERR_USE;
/* One session, or all of a person. */
enum err session_sign_out(struct control *c, int64_t key_id, struct control_why *why) ERR_USE;
enum err session_sign_out_all(struct control *c, int64_t member_id, struct control_why *why) ERR_USE;

/*
 * Sets or changes a password. `current` is needed (ERR_KEY_INVALID) unless p is NULL: then an admin or an
 * accepted invitation vouches for the person.
 */
enum err session_set_password(struct control *c, int64_t member_id, struct str current, struct str password,
                              struct control_why *why) ERR_USE;

#endif
