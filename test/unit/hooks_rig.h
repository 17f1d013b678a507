/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_HOOKS_RIG_H
#define TEST_HOOKS_RIG_H

/*
 * hooks_rig: guardrails without configs or a gateway around them. A hook is given as JSON, in the long
 * form of configs; what came of a run is read back from its results.
 */

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "gateway/hooks/hooks.h"

struct http_client;
struct loop;

#define HOOKS_RIG_HOOKS 8
#define HOOKS_RIG_CHECKS 8

struct hooks_rig {
    struct arena *arena;
    struct config_hook hooks[HOOKS_RIG_HOOKS];
    struct config_check checks[HOOKS_RIG_HOOKS][HOOKS_RIG_CHECKS];
    struct config_hooks list;
    struct hooks_input in;
    struct hooks_result result;
    struct hooks_run *run;
    bool over;       /* the result is there */
    unsigned calls;  /* of done */
    struct jdoc doc; /* of the results */
};

void hooks_rig_open(struct hooks_rig *r);
void hooks_rig_close(struct hooks_rig *r);
/* The hooks of a JSON list in the long form. */
void hooks_rig_set(struct hooks_rig *r, const char *json);
/* Begins a run on a chat; `answer` NULL: before. True when it is over at once. */
bool hooks_rig_begin(struct hooks_rig *r, const char *operation, const char *request, const char *answer);
/* A place in the results: "0.checks.1.verdict". Absent when there is none. */
struct jval hooks_rig_at(struct hooks_rig *r, const char *path);

#endif
