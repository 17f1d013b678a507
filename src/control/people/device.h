/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_DEVICE_H
#define CONTROL_PEOPLE_DEVICE_H

/*
 * device: programs without a browser of their own that ask a person to let them in (RFC 8628).
 *
 * The program is given two codes. The long one, 238 random bits, it keeps and comes back with; the short one a
 * person who is signed in types, or finds in a link, and says yes or no. Both are good for DEVICE_LASTS_US, for
 * one program, one answer and one fetching of tokens. The short code has 34 bits; who guesses is slowed down by
 * the caller, by person.
 *
 * A table in memory of DEVICE_MAX asks: what is asked for is forgotten with a restart, and strangers cannot fill
 * a disk. One peer may have DEVICE_PEER_MAX open. Codes are kept as SHA-256 and compared in constant time.
 * Not thread-safe: the console's thread owns it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define DEVICE_LASTS_US (INT64_C(10) * 60 * 1000000)
#define DEVICE_INTERVAL_S 3
#define DEVICE_MAX 2000
#define DEVICE_PEER_MAX 100
#define DEVICE_CODE_LEN 40
#define DEVICE_USER_CODE_LEN 9 /* "WDJB-MJHT" */
#define DEVICE_CLIENT_MAX 64
#define DEVICE_PEER_TEXT_MAX 64

struct device_table;
struct device_table *device_table_new(void);
void device_table_free(struct device_table *t); /* NULL does nothing */

struct device_codes {
    char device[DEVICE_CODE_LEN + 1]; /* a secret */
    char user[DEVICE_USER_CODE_LEN + 1];
};
/* ERR_RATE_LIMITED: this peer has too many open. ERR_OVERLOADED: all together have. Texts are cut to their maximum. */
enum err device_ask(struct device_table *t, struct str client, struct str peer, int64_t now_us,
                    struct device_codes *ret) ERR_USE;

struct device_ask {
    char client[DEVICE_CLIENT_MAX + 1];  /* what the program calls itself: anything */
    char peer[DEVICE_PEER_TEXT_MAX + 1]; /* whence it asked */
    char user[DEVICE_USER_CODE_LEN + 1]; /* the code in its usual form */
    int64_t asked_us, expires_us;
};
/* An ask that waits for an answer, by the short code in any case, with or without its hyphen. False: there is none. */
bool device_find(const struct device_table *t, struct str user_code, int64_t now_us, struct device_ask *ret);
/* The person's answer; false when there is nothing to answer. */
bool device_answer(struct device_table *t, struct str user_code, int64_t member_id, bool allow, int64_t now_us,
                   struct device_ask *ret);

enum device_state {
    DEVICE_PENDING,
    DEVICE_TOO_FAST, /* asked again within less than the interval */
    DEVICE_ALLOWED,  /* now, once: *ret_member_id and *ret are who and what was let in */
    DEVICE_REFUSED,
    DEVICE_GONE, /* unknown, expired or fetched already */
};
enum device_state device_poll(struct device_table *t, struct str device_code, int64_t now_us, int64_t *ret_member_id,
                              struct device_ask *ret);

#endif
