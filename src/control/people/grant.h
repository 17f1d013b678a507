/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_GRANT_H
#define CONTROL_PEOPLE_GRANT_H

/*
 * grant: a program that a person let in (device.h): it gets tokens (token.h) that reach what the person does,
 * for two hours each, and a refresh token for the next ones.
 *
 * The tokens name a row of api_key of kind 'device'. It ends when it was not used for a new token in
 * GRANT_IDLE_US, at the latest GRANT_LASTS_US after the person let it in; when the person signs out
 * everywhere, changes the password or leaves; and when the program signs out (session_sign_out).
 */

#include "base/buf.h"
#include "control/people/member.h"

#define GRANT_IDLE_US (INT64_C(30) * 24 * 3600 * 1000000)
#define GRANT_LASTS_US (INT64_C(90) * 24 * 3600 * 1000000)
#define GRANT_CLIENT_MAX 64

/* Notes that the thread's actor let a program in, or did not. */
enum err grant_note_answer(struct control *c, struct str client, struct str peer, bool allow,
                           struct control_why *why) ERR_USE;
/*
 * `client` is what the program calls itself, `peer` whence it asked; both for the audit log. The tokens are
 * appended. ERR_NOT_FOUND when the person has left meanwhile.
 */
enum err grant_open(struct control *c, int64_t member_id, struct str client, struct str peer, struct buf *ret_access,
                    struct buf *ret_refresh, struct control_why *why) ERR_USE;
/* After a use of the refresh token: moves the end on, now and then. */
enum err grant_touch(struct control *c, int64_t key_id, int64_t expires_us, struct control_why *why) ERR_USE;

#endif
