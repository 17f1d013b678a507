/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_ACTOR_H
#define CONTROL_PEOPLE_ACTOR_H

/*
 * actor: who makes the changes of this thread, for the audit log.
 *
 * Whoever takes a request sets the actor before it calls control and clears it afterwards; control
 * reads it when it notes a change. One per thread, so no call needs a parameter for it. The views
 * must stay until the actor is cleared or set anew.
 */

#include <stdint.h>

#include "base/str.h"

struct actor {
    int64_t key_id;        /* 0 = no key */
    int64_t member_id;     /* 0 = nobody in particular */
    struct str key;        /* the key's public id */
    struct str name;       /* of the key or the person, as it was then */
    struct str ip;         /* the peer's address */
    struct str source;     /* "portkey", "blaxel", "vantage", "native", "cli"; "console": a person who is signed
                              in, whatever they call; "start" for the program itself */
    struct str request_id; /* x-tollgate-request-id of the answer */
};

/* Copied, the views are not; NULL clears. */
void actor_set(const struct actor *actor);
/* Never NULL; when none was set, the program itself. */
const struct actor *actor_get(void);

#endif
