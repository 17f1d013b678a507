/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_PATTERN_H
#define GATEWAY_HOOKS_PATTERN_H

/*
 * pattern: regular expressions that strangers wrote, on texts that strangers wrote.
 *
 * PCRE2, read as JavaScript would where the two differ and PCRE2 can be told so. A backtracking
 * matcher can be made to run for years; so every search takes its steps from a budget, and a worker
 * stands still for some tens of milliseconds at most.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define PATTERN_MAX 4096
#define PATTERN_TEXT_MAX (1u << 20)

/* What is left. Steps come first to their end; time is for steps that are long walks over the text. */
struct pattern_budget {
    uint32_t steps;
    uint32_t time_us;
};
#define PATTERN_STEPS_MAX 1000000
#define PATTERN_TIME_US 100000
#define PATTERN_BUDGET ((struct pattern_budget){PATTERN_STEPS_MAX, PATTERN_TIME_US})

enum pattern_result {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_BAD,      /* no regular expression */
    PATTERN_TOO_MUCH, /* text or pattern too long, or the budget is used up */
};

/* The sentence for PATTERN_BAD and PATTERN_TOO_MUCH. */
const char *pattern_text(enum pattern_result result);

/*
 * Searches the text. *ret_match (may be NULL) is the part that matched. Text that is not UTF-8 is
 * taken as bytes.
 */
enum pattern_result pattern_search(struct str pattern, struct str text, struct pattern_budget *budget,
                                   struct str *ret_match);

/*
 * Appends the text with `by` in place of every match. PATTERN_NO: there was none, nothing is appended.
 * PATTERN_TOO_MUCH also when `out` is full; what is in it then is of no use.
 */
enum pattern_result pattern_replace(struct str pattern, struct str text, struct str by, struct pattern_budget *budget,
                                    struct buf *out);

#endif
