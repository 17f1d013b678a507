/* SPDX-License-Identifier: Apache-2.0 */
/* Counted like wrong passwords. */
#include "console/patience.h"

#include <stdio.h>

#include "base/clock.h"
#include "console/console_inner.h"
#include "control/people/tries.h"

#define NAME_MAX 48
#define WINDOW_US (INT64_C(60) * 1000000)

static struct str name_of(const struct job *j, char out[NAME_MAX])
{
    int n = snprintf(out, NAME_MAX, "waits of %lld", (long long)j->workspace_id);
    return str_of(out, (size_t)n);
}

bool patience_left(struct job *j)
{
    char name[NAME_MAX];
    bool left = tries_allowed(j->console->tries, name_of(j, name), PATIENCE_MAX, WINDOW_US, clock_wall_us());
    if (!left)
        job_fail(j, ERR_RATE_LIMITED, STR(""),
                 STR("Several calls of this kind had to wait long for an answer; try again in a minute."));
    return left;
}

void patience_used(struct job *j, uint64_t began_us)
{
    char name[NAME_MAX];
    if (clock_mono_us() - began_us > PATIENCE_LONG_US)
        tries_failed(j->console->tries, name_of(j, name), WINDOW_US, clock_wall_us());
}
