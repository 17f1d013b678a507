/* SPDX-License-Identifier: Apache-2.0 */
/* A thread's actor is a copy in thread-local memory; without one the program acts on its own account. */
#include "control/people/actor.h"

static const struct actor program = {
    .key = {"", 0}, .name = {"tollgate", 8}, .ip = {"", 0}, .source = {"start", 5}, .request_id = {"", 0}};

static _Thread_local struct actor current;
static _Thread_local int is_set;

void actor_set(const struct actor *actor)
{
    is_set = actor != 0;
    if (actor)
        current = *actor;
}

const struct actor *actor_get(void)
{
    return is_set ? &current : &program;
}
