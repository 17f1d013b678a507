/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCRE2's own match limit counts from zero again at every start position, and not at all inside a
 * run like `a*`. So the pattern is compiled with a callout before each item, and the callout charges
 * the distance the match moved since the last one: the sum is a measure of the work done.
 */
#include "gateway/plan/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/must.h"

#define MATCH_LIMIT 1000000
#define HEAP_LIMIT_KIB 1024
#define PARENTHESES_MAX 50

static const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ALT_BSUX | PCRE2_DOLLAR_ENDONLY |
                                PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C |
                                PCRE2_AUTO_CALLOUT;

static pcre2_compile_context *context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define COMPILE_WORK 32 /* for each byte of a pattern */

struct work {
    size_t left;
    size_t at;
};

static void make_context(void)
{
    context = pcre2_compile_context_create(NULL);
    must(context);
    pcre2_set_max_pattern_length(context, PATTERN_MAX);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_parens_nest_limit(context, PARENTHESES_MAX);
}

static int charge(pcre2_callout_block *b, void *arg)
{
    struct work *w = arg;
    size_t at = b->current_position, cost = 1 + (at > w->at ? at - w->at : w->at - at);
    w->left -= cost < w->left ? cost : w->left;
    w->at = at;
    return w->left ? 0 : PCRE2_ERROR_CALLOUT;
}

static bool run(const pcre2_code *code, struct str text, size_t *work_left)
{
    struct work work = {.left = *work_left};
    uint32_t how = text.n > PATTERN_TEXT_MAX ? PCRE2_NOTEOL : 0;
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    must(limits);
    must(match);
    pcre2_set_match_limit(limits, MATCH_LIMIT);
    pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
    pcre2_set_callout(limits, charge, &work);
    text = str_head(text, PATTERN_TEXT_MAX);
    int result = pcre2_match(code, (PCRE2_SPTR)text.p, text.n, 0, how, match, limits);
    *work_left = work.left;
    pcre2_match_data_free(match);
    pcre2_match_context_free(limits);
    return result >= 0;
}

bool pattern_found(struct str pattern, struct str text, size_t *work_left)
{
    int error;
    PCRE2_SIZE at;
    size_t cost = (pattern.n + 16) * COMPILE_WORK;
    /* "(*…)" in front would set options of PCRE2; in JavaScript it is not valid. */
    if (pattern.n > PATTERN_MAX || str_starts(pattern, STR("(*")))
        return false;
    if (cost >= *work_left) {
        *work_left = 0;
        return false;
    }
    *work_left -= cost;
    pthread_once(&once, make_context);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &error, &at, context);
    if (!code)
        return false;
    bool found = run(code, text, work_left);
    pcre2_code_free(code);
    return found;
}
