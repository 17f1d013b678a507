/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a request before its answer, as a table, and the driver that walks it. */
#include "gateway/stages.h"

#include "base/must.h"
#include "gateway/request.h"

static const struct stage stages[] = {
    {"auth", auth_run},       /* who asks: key, workspace, expiry */
    {"route", route_run},     /* where it goes: integration, upstream head */
    {"intake", intake_run},   /* what is asked: the body's facts and edits */
    {"attempt", attempt_run}, /* the exchange with upstream */
};

#define STAGE_COUNT (sizeof stages / sizeof stages[0])

static void run_from(struct request *r, size_t i)
{
    for (; i < STAGE_COUNT; i++) {
        r->stage = stages[i].name;
        if (stages[i].run(r) != NEXT)
            return;
    }
}

void stages_run(struct request *r)
{
    run_from(r, 0);
}

void stages_resume(struct request *r)
{
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        if (stages[i].name == r->stage) {
            run_from(r, i + 1);
            return;
        }
    }
    must(false);
}
