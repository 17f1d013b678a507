/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_TARGET_BENCH_H
#define TEST_TARGET_BENCH_H

/*
 * target_bench: one snapshot with accounts of every kind, and target_resolve in one call whose result is
 * one line of text. Workspace "default" has the default account @openai at openai.example; workspace
 * "bare" has none.
 *
 *   @openai @a @b        openai, at openai.example, a.example, b.example; keys sk-openai-key …
 *   @az                  azure-openai, dated, with deployments: gpt-4o → my-4o, gpt-4o-mini → my-mini (of its own
 *                        version), ft → tuned (model gpt-4o.ft-1)
 *   @azd                 azure-openai, v1, one deployment that is the default: gpt-4o → only
 *   @azn                 azure-openai, dated, without a list
 *   @compat              openai-compatible without a key
 *   @broken @admin       what their names say
 */

#include "gateway/target/azure_token.h"
#include "gateway/target/target.h"

#define TARGET_DATED "2024-10-21"

struct target_ask {
    const char *headers; /* lines with '\n' ends */
    const char *config;  /* JSON; its first leaf, or the root, is the target. NULL: none */
    bool stored;         /* the config is a stored one; otherwise it came in a header */
    const char *method;  /* POST */
    const char *path;    /* "/chat/completions" */
    const char *query;
    const char *model;
    const char *workspace; /* "default" */
    struct azure_tokens *tokens;
};

int target_bench_open(void **state);
int target_bench_close(void **state);

/*
 * "READY scheme://authority/path | head lines with '; ' between | send_model | price_model", or
 * "REFUSED NAME detail", or "WAIT". Good until the next call.
 */
const char *target_bench_ask(const struct target_ask *ask);
/* Of the last question. */
extern struct target_result target_bench_result;
/* Fails the test when the answer is another. */
void target_bench_expect(const struct target_ask *ask, const char *answer);

#endif
