/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_HOOKS_RESULTS_H
#define GATEWAY_HOOKS_HOOKS_RESULTS_H

/*
 * hooks_results: what came of hooks and checks, and its JSON as clients see it in `hook_results`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "control/config/config.h"

struct hook_result;
struct hooks_run;
struct webhook;

struct check_result {
    const struct config_check *check;
    struct hooks_run *run;
    struct hook_result *hook;
    struct webhook *webhook; /* under way */
    struct str url;          /* of the webhook, for its data */
    int64_t created_us;      /* wall clock */
    uint64_t begun_us, took_us;
    bool over, verdict, transformed;
    bool log;         /* the answer is of no interest */
    struct str error; /* a sentence, or "" */
    struct str data;  /* a JSON object, or "" */
};

struct hook_result {
    const struct config_hook *hook;
    struct check_result *checks; /* the enabled ones */
    size_t count, next;          /* next: the one to begin */
    unsigned pending;            /* webhooks under way */
    int64_t created_us;
    uint64_t begun_us, took_us;
    bool over, verdict;
    bool lost; /* there was no memory to run it: failed */
};

/* Appends the list of all but the async ones. False when it does not fit. */
bool hooks_results_write(const struct hook_result *hooks, size_t n, struct buf *out)
    __attribute__((warn_unused_result));

#endif
