/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PLAN_CONDITION_H
#define GATEWAY_PLAN_CONDITION_H

/*
 * condition: queries of one request, all within one measure of work. Conditions come with configs
 * that any caller may send, over bodies of megabytes: looking a member up costs what scanning the
 * body costs (once for each name), and so do regular expressions. What is beyond the measure finds
 * nothing: members count as missing, patterns as not found.
 */

#include "gateway/plan/plan.h"

#define CONDITION_WORK_MAX 4000000 /* about the steps of a regular expression; some milliseconds */
#define CONDITION_NAMES_MAX 16     /* names whose values are remembered */

struct condition_facts {
    struct condition_input in;
    size_t work; /* done so far */
    struct {
        struct str name; /* into the query: the config's memory */
        bool body;       /* of the body, else of the metadata */
        struct str raw;
    } known[CONDITION_NAMES_MAX];
    unsigned known_count;
};

/* What is in the input must last as long, and so must queries. */
void condition_init(struct condition_facts *f, const struct condition_input *in);
/* As condition_eval. */
enum err condition_check(struct condition_facts *f, struct str query, bool *ret_true, struct str *ret_operator) ERR_USE;

#endif
