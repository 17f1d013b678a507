/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PEOPLE_OIDC_TICKET_H
#define CONSOLE_PEOPLE_OIDC_TICKET_H

/*
 * oidc_ticket: what a browser carries from the begin of a sign-in to its end, sealed with AES-256-GCM under a key
 * that this process drew when it started. It binds the provider's answer to the browser that asked.
 *
 * Good for TICKET_LASTS_US and, as far as TICKET_SPENT_MAX can be remembered, once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define TICKET_LASTS_US (INT64_C(10) * 60 * 1000000)
#define TICKET_RANDOM 43 /* base62 digits: 256 bits */
#define TICKET_RETURN_MAX 512
#define TICKET_SPENT_MAX 512

struct ticket_box {
    unsigned char key[32];
    unsigned char spent[TICKET_SPENT_MAX][32];
    unsigned next; /* of `spent` */
};
void ticket_box_init(struct ticket_box *b);

struct ticket {
    int64_t began_us;
    char state[TICKET_RANDOM + 1], nonce[TICKET_RANDOM + 1], verifier[TICKET_RANDOM + 1];
    struct str return_to; /* at most TICKET_RETURN_MAX bytes */
};
/* A new one. */
void ticket_draw(struct ticket *t, struct str return_to, int64_t now_us);
/* As text for a cookie, in the arena; p == NULL when that is full. */
struct str ticket_seal(const struct ticket_box *b, const struct ticket *t, struct arena *a);
/* False when it is not ours, was altered, or its time is over. */
bool ticket_open(const struct ticket_box *b, struct str text, int64_t now_us, struct arena *a, struct ticket *ret);
/* False when it was spent already. */
bool ticket_spend(struct ticket_box *b, const struct ticket *t);

/* What PKCE shows at first: base64url(SHA-256(verifier)). */
#define TICKET_CHALLENGE_MAX 45
struct str ticket_challenge(const struct ticket *t, char out[TICKET_CHALLENGE_MAX]);

#endif
