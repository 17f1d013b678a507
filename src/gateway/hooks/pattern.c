/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCRE2's own match limit begins anew at every place where a match could start, so it is no bound
 * for a long text. A callout before each item of the pattern is: it counts for the whole search, and
 * can end it. Between two callouts the matcher does no more than walk the text once.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "gateway/hooks/pattern.h"

#include <pcre2.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/utf8.h"

#define COMPILE_STEPS 200 /* what compiling takes from the budget */
#define HEAP_KIB 8192
#define MATCH_LIMIT 10000000
#define CLOCK_EVERY 64

struct watch {
    struct pattern_budget *budget;
    uint64_t until_us;
    unsigned calls;
};

static int on_callout(pcre2_callout_block *block, void *arg)
{
    struct watch *w = arg;
    (void)block;
    if (w->budget->steps == 0 || (++w->calls % CLOCK_EVERY == 0 && clock_mono_us() > w->until_us))
        return PCRE2_ERROR_MATCHLIMIT;
    w->budget->steps--;
    return 0;
}

const char *pattern_text(enum pattern_result result)
{
    return result == PATTERN_BAD ? "The regular expression is not valid."
                                 : "The regular expression takes too long on this text.";
}

static pcre2_code *compile(struct str pattern, uint32_t utf, pcre2_compile_context *context)
{
    int code;
    size_t at;
    uint32_t options = utf | PCRE2_AUTO_CALLOUT | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_DOLLAR_ENDONLY |
                       PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
    return pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &code, &at, context);
}

static enum pattern_result search(const pcre2_code *code, struct str text, uint32_t options, struct watch *w,
                                  struct str *ret_match)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    must(context && data);
    pcre2_set_match_limit(context, MATCH_LIMIT);
    pcre2_set_heap_limit(context, HEAP_KIB);
    pcre2_set_callout(context, on_callout, w);
    int rc = pcre2_match(code, (PCRE2_SPTR)text.p, text.n, 0, options, data, context);
    if (rc >= 0 && ret_match) {
        const size_t *at = pcre2_get_ovector_pointer(data);
        *ret_match = at[0] <= at[1] ? str_of(text.p + at[0], at[1] - at[0]) : STR("");
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return rc >= 0 ? PATTERN_YES : rc == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_TOO_MUCH;
}

enum pattern_result pattern_search(struct str pattern, struct str text, struct pattern_budget *budget,
                                   struct str *ret_match)
{
    if (pattern.n > PATTERN_MAX || text.n > PATTERN_TEXT_MAX || budget->steps < COMPILE_STEPS || !budget->time_us)
        return PATTERN_TOO_MUCH;
    budget->steps -= COMPILE_STEPS;
    bool utf = utf8_valid(text) && utf8_valid(pattern);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    must(context);
    pcre2_code *code = compile(pattern, utf ? PCRE2_UTF : 0, context);
    pcre2_compile_context_free(context);
    if (!code)
        return PATTERN_BAD;
    uint64_t begun_us = clock_mono_us();
    struct watch w = {.budget = budget, .until_us = begun_us + budget->time_us};
    enum pattern_result result = search(code, text, utf ? PCRE2_NO_UTF_CHECK : 0, &w, ret_match);
    pcre2_code_free(code);
    uint64_t took_us = clock_mono_us() - begun_us;
    budget->time_us = took_us < budget->time_us ? budget->time_us - (uint32_t)took_us : 0;
    return result;
}
